"""One cell: prepare the images, train, test, and give the row.

A row depends on the configuration alone (but for ``seconds`` and ``images_per_second``): weights
and order come from generators of the cell's own, and training runs on one thread.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch

from training.analyses import analyse
from training.attention_base import set_scale
from training.config import RunConfig, as_dict
from training.data import Prepared, prepare
from training.ensemble import Ensemble
from training.evaluate import evaluate, plain
from training.facts import facts
from training.fit import Training, build, fit, one_thread
from training.metrics import trivial_predictors
from training.model import gradient_ratio
from training.parallel import World
from training.samples import Source
from training.shapes import REGIMES, ShapesConfig


def run_cells(configs: Sequence[RunConfig]) -> list[dict[str, Any]]:
    """The rows of cells that differ in the seed alone, without version and provenance.

    One is trained by itself, several as an ensemble (``seconds`` is then their share).

    Raises:
        TrainingError: the loss or the parameters are not finite.
    """
    with one_thread():
        start = time.perf_counter()
        data = [prepare(config) for config in configs]
        began = time.perf_counter()
        if len(configs) == 1:
            done = [fit(configs[0], data[0])]
        else:
            done = Ensemble(configs, data).fit()
        trained = (time.perf_counter() - began) / len(configs)
        rows = [row_of(run, held, trained) for run, held in zip(done, data, strict=True)]
        seconds = round((time.perf_counter() - start) / len(configs), 3)
        return [{**row, "ensemble": len(configs), "seconds": seconds} for row in rows]


def regime_of(config: RunConfig) -> str | None:
    """The name of the configuration's images among :data:`training.shapes.REGIMES`, if it has one."""
    if config.data != "shapes":
        return None
    return next((n for n, changes in REGIMES.items() if ShapesConfig(**changes) == config.shapes), None)


def classes_of(source: Source) -> int:
    """How many classes have images: all of the source's, or those with a name where some have none."""
    named = [name for name in getattr(source, "names", ()) if name is not None]
    return len(named) or source.classes


def run_cell(config: RunConfig) -> dict[str, Any]:
    """The row of one cell."""
    return run_cells([config])[0]


def row_of(
    run: Training, data: Prepared, seconds: float, world: World | None = None
) -> dict[str, Any]:
    """What is written of a finished training: the evaluation of its network on all splits."""
    config, net = run.config, run.net
    net.eval()
    call = plain(net)
    train, _ = evaluate(call, data.train, boxes=False, world=world)
    threshold = None
    if data.validation.n and config.method != "none":
        seen, counts = evaluate(call, data.validation, boxes=False, world=world)
        threshold = counts.choose_threshold() if seen["images"] else None
    test, _ = evaluate(call, data.test, threshold=threshold, world=world)
    masks = [part.all_masks() for part in (data.train, data.test)]
    fresh = build(config, data, run.start)
    set_scale(fresh, config.s_start)
    few = data.train.head(64)
    return {
        "kind": "training",
        "key": config.key,
        "method": config.method,
        "supervision": config.supervision,
        "n": data.train.n,
        "seed": config.seed,
        "n_test": data.test.n,
        "classes": classes_of(data.source),
        "sides": list(data.source.image),
        "truth": config.shapes.truth if config.data == "shapes" else config.data,
        "regime": regime_of(config),
        **facts(config, *masks),
        "train": train,
        "test": test,
        "trivial": trivial_predictors(*masks) if all((m != 0).any() for m in masks) else None,
        "skipped": list(getattr(data.source, "skipped", ())),
        "gradient_ratio_start": gradient_ratio(fresh, few.images, few.labels),
        "gradient_ratio_end": gradient_ratio(net, few.images, few.labels),
        "history": run.history,
        "start": run.start,
        "steps": config.steps,
        "parameters": sum(p.numel() for p in net.parameters()),
        "parameters_attention": sum(p.numel() for p in net.attention.parameters())
        if net.attention is not None else 0,
        "images_per_second": round(
            config.gradient_steps * min(config.batch, data.train.n) / max(seconds, 1e-9), 1),
        **analyse(run, data),
        "device": torch.cuda.get_device_name() if config.device.startswith("cuda") else "cpu",
        "config": as_dict(config),
    }
