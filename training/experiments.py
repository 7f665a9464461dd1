"""The experiments (a) to (j): each a grid of cells, with presets by size, and a file of rows.

Presets: ``smoke`` runs every experiment end to end in a minute and learns nothing; ``quick`` learns
what can be learnt in minutes (``make reproduce`` runs those experiments that tell something by then);
``cpu`` is for a machine without a GPU, ``long`` the same with more seeds and all methods on both
families of truths; ``gpu`` has more seeds still, larger samples and pretrained backbones that are
fine-tuned.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from theory.methods import RECTANGLES
from training.config import RunConfig
from training.shapes import REGIMES, ShapesConfig

PRESETS = ("smoke", "quick", "cpu", "long", "gpu")
SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"steps": 8, "n_test": 32, "starts": 2, "search_steps": 4},
    "quick": {"steps": 450, "search_steps": 50},
    "cpu": {"steps": 1200},
    "long": {"steps": 1200},
    "gpu": {"steps": 4000, "device": "cuda", "n_test": 4096, "precision": "bfloat16",
            "channels_last": True},
}
SEEDS = {"smoke": (0,), "quick": (0, 1), "cpu": (0, 1, 2), "long": (0, 1, 2, 3, 4),
         "gpu": tuple(range(10))}
SAMPLES = {"smoke": (64,), "quick": (64, 256, 1024), "cpu": (64, 256, 1024, 4096),
           "long": (64, 256, 1024, 4096),
           "gpu": (64, 256, 1024, 4096, 16384, 65536)}
MISSPECIFIED = "l"


@dataclass(frozen=True)
class Experiment:
    """One question to trained networks.

    Args:
        letter, name: as in ``docs/training.md`` and on the command line.
        question: in a sentence.
        file: its rows, without ``.jsonl``.
        varies: what its cells differ in that other images than its own may not have: the settings
            of "shapes", the number "n" of training images (fixed by the ratio in "pets").
    """

    letter: str
    name: str
    question: str
    file: str
    varies: tuple[str, ...] = ()

    def cells(self, preset: str, **changes: Any) -> list[RunConfig]:
        """The configurations of a preset, each once, the slow ones first; those on the same files
        follow each other, because the last images (or features) are kept.

        Raises:
            ValueError: an unknown preset, or other images than the experiment is about.
        """
        if preset not in PRESETS:
            raise ValueError(f"preset must be one of {PRESETS}, got {preset!r}")
        cells = GRIDS[self.name](preset)
        if "data" in changes:
            self._check_data(changes["data"], {cell.get("data", "shapes") for cell in cells})
        if changes.get("data") == "pets":  # the folder and the ratio say how many there are
            cells = [{k: v for k, v in cell.items() if k not in ("n", "pool")} for cell in cells]
        made = (RunConfig(**{**SIZES[preset], **cell, **changes}) for cell in cells)
        unique = {config.key: config for config in made}
        return sorted(unique.values(), key=_order)

    def _check_data(self, data: str, own: set[str]) -> None:
        """Whether the cells, made for ``own``, say something of the images ``data``."""
        for what, bad in (("the settings of data=shapes", "shapes" in self.varies and data != "shapes"),
                          ("the number n of training images", "n" in self.varies and data == "pets"),
                          ("the settings of data=digits", own == {"digits"} != {data})):
            if bad:
                raise ValueError(f"experiment {self.name!r} is about {what}, which data={data} does "
                                 "not have; splits, depth, sequences and injectivity take any images")


def _order(config: RunConfig) -> tuple[float, ...]:
    kept = config.freeze or config.data in ("pets", "folder")
    return (*((config.seed, config.split, config.ratio) if kept else (0, 0, 0)), -cost(config))


def cost(config: RunConfig) -> float:
    """Steps times a rough weight of the method: orders the work, promises nothing."""
    weight = {"rectangle-paper": 5.0, "none": 1.0, "oracle": 1.0, "simam": 1.0, "centre": 1.0}
    return config.gradient_steps * weight.get(config.method, 2.0) * (1 + 2 * (config.eqvc != "none"))


def grid(**axes: Iterable[Any]) -> list[dict[str, Any]]:
    """All combinations of the values of the axes.

    >>> grid(method=("none", "oracle"), seed=(0,))
    [{'method': 'none', 'seed': 0}, {'method': 'oracle', 'seed': 0}]
    """
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def _theorem_1(preset: str) -> list[dict[str, Any]]:
    samples, more = SAMPLES[preset], SEEDS[preset]
    seeds = more[:{"quick": 1, "long": 3}.get(preset, len(more))]
    bent = (ShapesConfig(**REGIMES[MISSPECIFIED]),)
    late = samples[-2:] if preset in ("cpu", "long", "gpu") else samples[-1:]
    wide = late if preset == "quick" else samples
    others = ("rectangle-softargmax", "rectangle-light", "cbam", "simam")
    out = grid(n=samples, seed=more, method=("rectangle", "positionwise"))
    out += grid(n=samples, seed=seeds, method=("oracle", "centre"))
    out += grid(n=samples, seed=seeds, method=("none",), analyses=(("gradcam",),))
    out += grid(n=wide, seed=seeds, method=("rectangle", "positionwise"), shapes=bent)
    out += grid(n=late, seed=seeds, method=("oracle", "centre"), shapes=bent)
    out += grid(n=late, seed=seeds, method=("none",), analyses=(("gradcam",),), shapes=bent)
    if preset != "quick":
        out += grid(n=late, seed=seeds, method=others)
        out += grid(n=late[:1], seed=seeds, method=("rectangle-paper",))
    if preset in ("long", "gpu"):
        out += grid(n=late, seed=seeds, method=others, shapes=bent)
        out += grid(n=late[1:], seed=seeds, method=("rectangle-paper",))
        out += grid(n=late[:1], seed=seeds, method=("rectangle-paper",), shapes=bent)
    return out


def _regimes(preset: str) -> list[dict[str, Any]]:
    seeds = SEEDS[preset][:1] if preset in ("smoke", "quick") else SEEDS[preset][:2]
    n = {"smoke": 64, "quick": 1024, "cpu": 2048, "long": 2048, "gpu": 16384}[preset]
    names = {"smoke": ("needed", "local"), "quick": ("needed", "local")}
    names = names.get(preset, tuple(REGIMES))
    methods = ("rectangle", "positionwise", "none", "oracle")
    return [{**cell, "n": n, "shapes": ShapesConfig(**REGIMES[name])}
            for name in names for cell in grid(seed=seeds, method=methods)]


def _splits(preset: str) -> list[dict[str, Any]]:
    pool = {"smoke": 100, "quick": 500, "cpu": 1600, "long": 1600, "gpu": 7349}[preset]
    splits = {"smoke": (0,), "quick": (0, 1)}.get(preset, (0, 1, 2, 3, 4))
    ratios = (60, 70, 80) if preset in ("cpu", "long", "gpu") else (60,)
    out = []
    for ratio, split in itertools.product(ratios, splits):
        base = {"pool": pool, "ratio": ratio, "split": split, "seed": split,
                "n": pool * ratio // 100}
        out += [{**base, "method": m} for m in ("positionwise", "rectangle", "oracle")]
        out += [{**base, "method": "none", "analyses": ("gradcam",)},
                {**base, "method": "rectangle", "eqvc": "quotient"}]
    return out


def _depth(preset: str) -> list[dict[str, Any]]:
    """The 3x3 layers need smaller steps than the patches: at the learning rate 0.01 of the other
    experiments all units of a layer die and the loss stays at log 4, whatever the method."""
    seeds = SEEDS[preset][:1] if preset in ("smoke", "quick") else SEEDS[preset][:2]
    depths = (0, 3) if preset in ("smoke", "quick") else (0, 1, 2, 3)
    n = {"smoke": 64, "quick": 1024, "cpu": 2048, "long": 2048, "gpu": 16384}[preset]
    rates = {"lr": 1e-3, "coords_lr": 5e-3, "positionwise_lr": 1e-3}
    return [{**cell, **rates, "n": n, "layers": 3} for cell in
            grid(depth=depths, seed=seeds, method=("rectangle", "positionwise"))]


def _sequences(preset: str) -> list[dict[str, Any]]:
    seeds = SEEDS[preset][:1] if preset in ("smoke", "quick") else SEEDS[preset][:2]
    n = {"smoke": 64, "quick": 1024, "cpu": 4096, "long": 4096, "gpu": 16384}[preset]
    base = {"n": n, "analyses": ("sequences",)}
    methods = ("rectangle", "positionwise", "cbam", "centre")
    if preset in ("cpu", "long", "gpu"):
        methods += ("rectangle-softargmax", "rectangle-light", "simam")
    out = [{**base, **c} for c in grid(seed=seeds, method=methods)]
    kinds = ("quotient",) if preset in ("smoke", "quick") else ("paper", "quotient")
    return out + [{**base, **c} for c in grid(seed=seeds, method=("rectangle",), eqvc=kinds)]


def _masks(preset: str) -> list[dict[str, Any]]:
    seeds = SEEDS[preset][:1] if preset == "quick" else SEEDS[preset]
    return grid(n=SAMPLES[preset], seed=seeds, method=("rectangle", "positionwise"),
                supervision=("mask",))


def _random_labels(preset: str) -> list[dict[str, Any]]:
    seeds = SEEDS[preset][:1] if preset in ("smoke", "quick") else SEEDS[preset][:2]
    samples = {"smoke": (64,), "quick": (64,)}.get(preset, (64, 1024))
    shapes = (ShapesConfig(**REGIMES["random-labels"]),)
    return grid(n=samples, seed=seeds, method=("rectangle", "positionwise", "none", "oracle"),
                shapes=shapes)


def _injectivity(preset: str) -> list[dict[str, Any]]:
    seeds = SEEDS[preset][:1] if preset in ("smoke", "quick") else SEEDS[preset][:2]
    methods = ("rectangle", "positionwise") if preset in ("smoke", "quick") else (
        *RECTANGLES, "positionwise")
    return [{**c, "n": 64 if preset == "smoke" else 1024, "analyses": ("injectivity",)}
            for c in grid(seed=seeds, method=methods, rescale=(True, False))]


def _digits(preset: str) -> list[dict[str, Any]]:
    seeds = SEEDS[preset][:1] if preset in ("smoke", "quick") else SEEDS[preset]
    size = {"smoke": {"n": 16, "n_test": 16},
            "quick": {"n": 128, "n_test": 128, "steps": 100, "starts": 2},
            "cpu": {"n": 1024, "n_test": 512, "steps": 600},
            "long": {"n": 1024, "n_test": 512, "steps": 600},
            "gpu": {"n": 4096, "n_test": 1000}}[preset]
    base = {**DIGITS, **size}
    if preset == "gpu":
        base |= {"freeze": False, "at": "", "lr": 1e-4, "gate": True}
    return [{**base, **c, **more} for c in grid(seed=seeds) for more in (
        {"method": "none", "analyses": ("gradcam",)}, {"method": "positionwise"},
        {"method": "rectangle"}, {"method": "rectangle", "eqvc": "quotient"}, {"method": "oracle"})]


def _certificates(preset: str) -> list[dict[str, Any]]:
    samples = {"smoke": (64,), "quick": (512,), "cpu": (512, 1024, 2048, 4096),
               "long": (512, 1024, 2048, 4096, 8192),
               "gpu": (512, 1024, 2048, 4096, 8192, 16384)}[preset]
    seeds = SEEDS[preset][:1] if preset in ("smoke", "quick") else SEEDS[preset][:3]
    methods = ("rectangle", "rectangle-paper", "positionwise")
    return grid(n=samples, seed=seeds, method=methods[::2] if preset == "quick" else methods,
                analyses=(("certificate",),))


DIGITS: dict[str, Any] = {"data": "digits", "backbone": "efficientnet-lite0", "freeze": True,
                          "at": "_blocks.10", "pretrained": "package", "lr": 1e-3,
                          "coords_lr": 5e-3, "positionwise_lr": 1e-3, "positionwise_width": 80,
                          "start_half_width": 0.3}
GRIDS = {"theorem-1": _theorem_1, "regimes": _regimes, "splits": _splits, "depth": _depth,
         "sequences": _sequences, "masks": _masks, "random-labels": _random_labels,
         "injectivity": _injectivity, "digits": _digits, "certificates": _certificates}
EXPERIMENTS = {e.name: e for e in (
    Experiment("a", "theorem-1", "train and test missing rate against N, all methods, a realisable "
               "and a misspecified family of truths", "training", ("shapes", "n")),
    Experiment("b", "regimes", "(H1): does a small main loss come with a small missing rate, in each "
               "regime of the data?", "regimes", ("shapes",)),
    Experiment("c", "splits", "the design of Table 1: three split ratios, five splits, paired",
               "splits"),
    Experiment("d", "depth", "the attention after a shallower or a deeper layer (Fig. 7)", "depth"),
    Experiment("e", "sequences", "do maps follow sequences of transforms (Fig. 8)?", "sequences"),
    Experiment("f", "masks", "training with the true masks beside the labels", "training",
               ("n",)),
    Experiment("g", "random-labels", "the control: labels that say nothing", "random_labels",
               ("shapes",)),
    Experiment("h", "injectivity", "singular values, Prop. 4's ratio and collisions of trained "
               "modules", "injectivity_trained"),
    Experiment("i", "digits", "digits on photographs, EfficientNet-Lite0 pretrained on ImageNet",
               "digits"),
    Experiment("j", "certificates", "all bounds of trained networks: PAC-Bayes, norms and bits "
               "of the last layer, held-out images", "certificates", ("n",)),
)}


def with_changes(configs: list[RunConfig], **axes: Iterable[Any]) -> list[RunConfig]:
    """Every configuration with every combination of the values of the axes."""
    return [replace(config, **cell) for config in configs for cell in grid(**axes)]
