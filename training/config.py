"""Configurations of training runs, the presets, and how a command line changes them (no torch)."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from training.shapes import ShapesConfig

METHODS = ("none", "rectangle", "rectangle-paper", "positionwise", "oracle")
SUPERVISIONS = ("label", "mask")


@dataclass(frozen=True)
class RunConfig:
    """One cell: a network, its data and how it is trained.

    Args:
        method: "none", "rectangle" (coords head), "rectangle-paper" (the head of App. G),
            "positionwise", "oracle" (the true mask as attention).
        n: number of training images, drawn once.
        seed: of the data, the weights and the order.
        supervision: "label" is the cross-entropy alone; "mask" adds ``mask_weight`` times the
            binary cross-entropy of the map.
        steps, batch: gradient steps, images a step.
        starts, trial: with a learnt map, this many networks are trained for the fraction ``trial``
            of the steps, and the one with the lowest training loss goes on.
        warmup, head_warmup: steps of linear warm-up of the network and of the head (which may wait
            until there are features to look at), times a cosine over all steps.
        lr: learning rate (Adam) of trunk and tail.
        coords_lr, paper_lr, positionwise_lr: of the heads.
        width, tail: channels of trunk and tail.
        positionwise_width: inner channels of the position-wise head (80 in the paper).
        s, s_start, s_rise: scale factor of Eq. 1, its value at the start, and the fraction of the
            steps over which it rises.
        start_half_width: of the rectangle, in grid coordinates.
        residual, rescale: Eqs. 6 and 7.
        n_test: fresh test images.
        shapes: the distribution.
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
    positionwise_width: int = 16
    s: float = 6.0
    s_start: float = 1.0
    s_rise: float = 0.5
    start_half_width: float = 0.2
    residual: bool = True
    rescale: bool = True
    n_test: int = 1024
    shapes: ShapesConfig = field(default_factory=ShapesConfig)

    def __post_init__(self) -> None:
        for name, allowed in (("method", METHODS), ("supervision", SUPERVISIONS)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, got {getattr(self, name)!r}")
        if self.supervision == "mask" and not learnt(self):
            raise ValueError(f"method {self.method!r} has no map to supervise: use label")
        for name in ("n", "steps", "batch", "starts", "width", "tail", "positionwise_width", "n_test"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("lr", "coords_lr", "paper_lr", "positionwise_lr", "s", "s_start", "s_rise",
                     "start_half_width"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        for name in ("seed", "warmup", "head_warmup", "mask_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")

        if not 0 < self.trial <= 1:
            raise ValueError(f"trial must be in (0, 1], got {self.trial}")

    @property
    def gradient_steps(self) -> int:
        """Steps of all starts together."""
        more = self.starts - 1 if learnt(self) else 0
        return self.steps + more * max(1, round(self.trial * self.steps))

    @property
    def key(self) -> str:
        """Names the cell; equal configurations have equal keys."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:10]
        return f"{self.method}-{self.supervision}-n{self.n}-seed{self.seed}-{digest}"


def learnt(config: RunConfig) -> bool:
    """Whether the attention map of the method is learnt."""
    return config.method not in ("none", "oracle")


def cells(preset: str, **changes: Any) -> list[RunConfig]:
    """The cells of a preset, the slow ones first.

    Raises:
        ValueError: an unknown preset.
    """
    if preset not in PRESETS:
        raise ValueError(f"preset must be one of {tuple(PRESETS)}, got {preset!r}")
    out = []
    for grid in PRESETS[preset]["grids"]:
        for method, supervision, n, seed in (
            (m, u, n, seed) for n in reversed(grid["n"]) for seed in grid["seeds"]
            for m in grid["methods"] for u in grid["supervisions"]
        ):
            fixed = {**PRESETS[preset]["config"], **grid.get("config", {}), **changes}
            out.append(RunConfig(method=method, supervision=supervision, n=n, seed=seed, **fixed))
    return out


PRESETS: dict[str, dict[str, Any]] = {
    "quick": {
        "config": {"steps": 450},
        "grids": (
            {"methods": ("positionwise", "rectangle"), "supervisions": ("label", "mask"),
             "n": (64, 256, 1024), "seeds": (0, 1)},
            {"methods": ("none", "oracle"), "supervisions": ("label",), "n": (1024,),
             "seeds": (0, 1)},
        ),
    },
    "cpu": {
        "config": {"steps": 1200},
        "grids": (
            {"methods": ("rectangle-paper",), "supervisions": ("label", "mask"), "n": (1024,),
             "seeds": (0, 1)},
            {"methods": ("positionwise", "rectangle"), "supervisions": ("label", "mask"),
             "n": (64, 256, 1024, 4096), "seeds": (0, 1, 2, 3, 4)},
            {"methods": ("none", "oracle"), "supervisions": ("label",), "n": (64, 1024, 4096),
             "seeds": (0, 1, 2)},
        ),
    },
}


def changed(config: Any, settings: list[str]) -> dict[str, Any]:
    """``key=value`` strings as a dict of fields of ``config``; ``shapes.key`` reaches into it.

    >>> changed(RunConfig(), ["steps=10", "shapes.noise=0.2"])["shapes"].noise
    0.2

    Raises:
        ValueError: no ``=``, an unknown field, a value of another type.
    """
    out: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise ValueError(f"a setting is key=value, got {setting!r}")
        outer, dot, rest = name.partition(".")
        if dot and dataclasses.is_dataclass(getattr(config, outer, None)):
            inner.setdefault(outer, {})[rest] = _value(getattr(config, outer), rest, name, text)
        else:
            out[name] = _value(config, name, name, text)
    for outer, values in inner.items():
        out[outer] = dataclasses.replace(getattr(config, outer), **values)
    return out


def _value(config: Any, name: str, shown: str, text: str) -> Any:
    known = {f.name for f in dataclasses.fields(config)}
    if name not in known or dataclasses.is_dataclass(getattr(config, name)):
        raise ValueError(f"unknown setting {shown!r}; known: {', '.join(sorted(known))}")
    now = getattr(config, name)
    if isinstance(now, str):
        return text
    try:
        value = ast.literal_eval(text.capitalize() if isinstance(now, bool) else text)
    except (ValueError, SyntaxError):
        value = None
    if isinstance(now, float) and type(value) is int:
        value = float(value)
    same = type(value) is type(now)
    if same and isinstance(now, tuple):
        same = len(value) == len(now) and all(
            isinstance(v, int | float) and not (type(v) is float and type(w) is int)
            for v, w in zip(value, now, strict=True))
    if not same:
        raise ValueError(f"{shown} must be a {type(now).__name__} like {now!r}, got {text!r}")
    return value
