"""The configuration of a training run: one frozen dataclass, printed into every row (no torch)."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from theory.methods import RECTANGLES, is_rectangle
from training.shapes import ShapesConfig

LEARNT = (*RECTANGLES, "positionwise", "cbam")
METHODS = ("none", *LEARNT, "simam", "centre", "oracle")
ANALYSES = ("sequences", "injectivity", "gradcam", "certificate")
CHOICES = {
    "method": METHODS,
    "supervision": ("label", "mask"),
    "data": ("shapes", "digits", "folder", "pets"),
    "backbone": ("small", "efficientnet-lite0", "mobilenetv3-large", "efficientnet-b0"),
    "eqvc": ("none", "paper", "quotient"),
    "precision": ("float32", "bfloat16"),
    "shape": ("rectangle", "ellipse"),
    "half_range": ("floor", "linear"),
}


@dataclass(frozen=True)
class RunConfig:
    """One cell: a network, its data and how it is trained.

    Args:
        method: "none"; rectangular attention with the heads "rectangle" (coords),
            "rectangle-paper" (App. G), "rectangle-softargmax", "rectangle-light"; "positionwise";
            "cbam"; "simam"; "centre" (one fixed rectangle in the middle); "oracle" (the true mask).
        n: number of training images, drawn once.
        seed: of the data, the weights and the order.
        supervision: "label" is the cross-entropy alone; "mask" adds ``mask_weight`` times the
            binary cross-entropy of the map.
        steps, batch: gradient steps, images a step (of all processes together).
        starts, trial: with a learnt map, this many networks are trained for the fraction ``trial``
            of the steps, and the one with the lowest training loss goes on.
        warmup, head_warmup: steps of linear warm-up of the network and of the head (which may wait
            until there are features to look at), times a cosine over all steps.
        lr: learning rate (Adam) of trunk and tail.
        coords_lr, paper_lr, positionwise_lr: of the heads: paper and light take ``paper_lr``, CBAM
            and softargmax (whose convolutions need smaller steps than coords) ``positionwise_lr``.
        width, tail: channels of trunk and tail of the small network.
        layers, depth: 3x3 layers of the small network, and how many of them stand before the
            attention (the others after it); 0 and 0 is the network of patches.
        positionwise_width: inner channels of the position-wise head (80 in the paper).
        s, s_start, s_rise: scale factor of Eq. 1, its value at the start, and the fraction of the
            steps over which it rises.
        start_half_width: of the rectangle, in grid coordinates; "centre" keeps it.
        min_half_width: floor of the half-widths in units of the grid's pitch.
        residual, rescale: Eqs. 6 and 7.
        gate, shape, count, half_range: of the rectangular module: a learnt gate that starts at 0,
            "rectangle" or "ellipse", how many of them, half-widths with a "floor" or "linear".
        hidden: channels inside the heads coords, light and softargmax; 0 for their own.
        eqvc, eqvc_weight: equivariance loss (section 4.4) as in the paper or on the quotient by
            the symmetries, and its weight lambda.
        n_test: fresh test images (validation takes as many).
        data, root, skip_bad: the source of images; ``root`` is the folder of "folder" and "pets";
            ``skip_bad`` leaves out the unreadable files of a folder.
        pool, ratio, split: with a pool, ``ratio`` percent of each class of its images are for
            training and the rest for the test, by the random split number ``split``; ``n`` is then
            the number that comes out.  The pool of "shapes" is that of seed 0, whatever ``seed``
            is.  0 is no pool: independent draws.  The pool of "pets" is all that its list names:
            there ``pool`` and ``n`` are not set.
        backbone, pretrained, side: the network; ``pretrained`` is a file of weights, "package"
            (those that EfficientNet-Lite0 ships with or timm knows) or empty; ``side`` of its
            images in pixels, 0 for its own.
        at: the layer of the backbone after which the attention stands; empty for that of App. G.
        freeze: the backbone up to ``at`` is not trained, its features are computed once, and two
            convolutions and the classifier take the place of its other layers.
        device, precision, channels_last, compile: where and how; bfloat16 is autocast.
        analyses: what is measured on the trained network beside the rates: "sequences" (Fig. 8),
            "injectivity" (App. F), "gradcam", "certificate" (PAC-Bayes posteriors).
        search_steps: of the searches for collisions and large ratios of "injectivity".
        shapes: the distribution of "shapes".
    """

    method: str = "rectangle"
    n: int = 1024
    seed: int = 0
    supervision: str = "label"
    steps: int = 500
    batch: int = 32
    starts: int = 3
    trial: float = 0.25
    warmup: int = 30
    head_warmup: int = 30
    lr: float = 1e-2
    coords_lr: float = 1.5e-2
    paper_lr: float = 1e-3
    positionwise_lr: float = 3e-3
    mask_weight: float = 5.0
    width: int = 32
    tail: int = 64
    layers: int = 0
    depth: int = 0
    positionwise_width: int = 16
    s: float = 6.0
    s_start: float = 1.0
    s_rise: float = 0.5
    start_half_width: float = 0.2
    min_half_width: float = 0.75
    residual: bool = True
    rescale: bool = True
    gate: bool = False
    shape: str = "rectangle"
    count: int = 1
    hidden: int = 0
    half_range: str = "floor"
    eqvc: str = "none"
    eqvc_weight: float = 0.1
    n_test: int = 1024
    data: str = "shapes"
    root: str = ""
    skip_bad: bool = False
    pool: int = 0
    ratio: int = 80
    split: int = 0
    backbone: str = "small"
    pretrained: str = ""
    side: int = 0
    at: str = ""
    freeze: bool = False
    device: str = "cpu"
    precision: str = "float32"
    channels_last: bool = False
    compile: bool = False
    analyses: tuple[str, ...] = ()
    search_steps: int = 200
    shapes: ShapesConfig = field(default_factory=ShapesConfig)

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, got {getattr(self, name)!r}")
        unknown = sorted(set(self.analyses) - set(ANALYSES))
        if unknown:
            raise ValueError(f"analyses are among {', '.join(ANALYSES)}, got {unknown[0]!r}")
        if self.supervision == "mask" and self.method not in (*RECTANGLES, "positionwise", "cbam"):
            raise ValueError(f"supervision by masks needs a map to learn, got method {self.method!r}")
        if self.eqvc != "none" and not is_rectangle(self.method):
            raise ValueError(f"eqvc acts on the parameters of a rectangle, got method {self.method!r}")
        for name in ("n", "steps", "batch", "starts", "width", "tail", "positionwise_width",
                     "n_test", "lr", "coords_lr", "paper_lr", "positionwise_lr", "s", "s_start",
                     "s_rise", "start_half_width", "min_half_width", "search_steps", "count"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        for name in ("seed", "warmup", "head_warmup", "mask_weight", "eqvc_weight", "layers",
                     "depth", "pool", "split", "side", "hidden"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("trial", "s_rise"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in (0, 1], got {getattr(self, name)}")
        if self.depth > self.layers:
            raise ValueError(f"depth counts layers before the attention, at most layers = "
                             f"{self.layers}, got {self.depth}")
        if not 0 < self.ratio < 100:
            raise ValueError(f"ratio is a percentage in (0, 100), got {self.ratio}")
        if self.data == "shapes" and self.backbone != "small":
            raise ValueError(f"data=shapes goes with backbone=small, whose grid its truths are drawn "
                             f"for; {self.backbone} takes data=digits, folder or pets")
        if not re.fullmatch(r"cpu|cuda(:\d+)?", self.device):
            raise ValueError(f"device must be cpu, cuda or cuda:NUMBER, got {self.device!r}")
        if self.data in ("folder", "pets") and not self.root:
            raise ValueError(f"data={self.data} needs root=FOLDER, got none")
        if self.layers and self.backbone != "small":
            raise ValueError(f"layers are those of backbone=small, got layers={self.layers} with "
                             f"{self.backbone} (at=LAYER says where its attention stands)")
        for name in ("n", "pool"):
            if self.data == "pets" and getattr(self, name) != getattr(RunConfig, name):
                raise ValueError(f"{name} is not set with data=pets, whose pool is all that "
                                 f"annotations/list.txt names and whose training images are ratio "
                                 f"percent of it, got {name}={getattr(self, name)}")
        for name in ("freeze", "at"):
            if getattr(self, name) and self.backbone == "small":
                raise ValueError(f"{name} is for the backbones of packages, got backbone 'small'")
        if self.at and not self.freeze:
            raise ValueError(f"at goes with freeze=True; a backbone that is fine-tuned has the "
                             f"attention where App. G puts it, got at={self.at!r}")

    @property
    def learnt(self) -> bool:
        """Whether the attention map is learnt."""
        return self.method in LEARNT

    @property
    def head_lr(self) -> float:
        """Learning rate of the attention's parameters."""
        if self.method in ("rectangle-paper", "rectangle-light"):
            return self.paper_lr
        return self.coords_lr if self.method == "rectangle" else self.positionwise_lr

    @property
    def gradient_steps(self) -> int:
        """Steps of all starts together."""
        more = self.starts - 1 if self.learnt else 0
        return self.steps + more * self.trial_steps

    @property
    def trial_steps(self) -> int:
        """Steps after which the best start goes on alone."""
        return max(1, round(self.trial * self.steps))

    @property
    def key(self) -> str:
        """Names the cell; equal configurations have equal keys."""
        size = f"ratio{self.ratio}" if self.data == "pets" else f"n{self.n}"
        return f"{self.method}-{self.supervision}-{size}-seed{self.seed}-{digest(self)}"


def digest(config: RunConfig) -> str:
    """Ten hexadecimal digits of a hash of the fields that are not at their defaults.

    A field that is added later, at its default, leaves the keys of older rows as they are.
    """
    text = json.dumps(_changes(dataclasses.asdict(config), dataclasses.asdict(RunConfig())),
                      sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _changes(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """What differs from the defaults, tables within tables."""
    out = {}
    for name, value in values.items():
        if isinstance(value, dict):
            value = _changes(value, defaults[name])
            if value:
                out[name] = value
        elif value != defaults[name]:
            out[name] = value
    return out


def as_dict(config: RunConfig) -> dict[str, Any]:
    """The configuration as it stands in rows and files: JSON types only."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def from_dict(values: dict[str, Any]) -> RunConfig:
    """The inverse of :func:`as_dict`; missing fields take their defaults.

    Raises:
        ValueError: an unknown field, or a value that breaks a rule.
    """
    known = {f.name for f in dataclasses.fields(RunConfig)}
    inner = {f.name for f in dataclasses.fields(ShapesConfig)}
    shapes = values.get("shapes", {})
    for name, held in ((sorted(set(values) - known), "RunConfig"),
                       (sorted(set(shapes) - inner) if isinstance(shapes, dict) else [], "shapes")):
        if name:
            raise ValueError(f"unknown setting {name[0]!r} in {held}")
    if not isinstance(shapes, dict):
        raise ValueError(f"shapes is a table of settings, got {shapes!r}")
    _check_types(shapes, dataclasses.asdict(ShapesConfig()), "shapes.")
    _check_types(values, dataclasses.asdict(RunConfig()), "")
    fixed = {k: tuple(v) if isinstance(v, list) else v for k, v in shapes.items()}
    rest = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k != "shapes"}
    return RunConfig(**rest, shapes=ShapesConfig(**fixed))


def _check_types(values: dict[str, Any], defaults: dict[str, Any], prefix: str) -> None:
    for name, value in values.items():
        wanted = type(defaults[name])
        if wanted is dict:
            continue
        given = tuple if type(value) is list else type(value)
        if given is not wanted and not (wanted is float and given is int):
            raise ValueError(f"{prefix}{name} must be of type {wanted.__name__} like "
                             f"{defaults[name]!r}, got {value!r}")
