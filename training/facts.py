"""What the theory needs of a sample of true masks: areas, limits, exact complexity, floors."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from torch import Tensor

from theory.families import RotatedRectangles
from training.config import RunConfig

FLOOR_IMAGES = 256


def facts(config: RunConfig, train: Tensor, test: Tensor) -> dict[str, Any]:
    """The ingredients of the bounds that do not depend on the network.

    ``mean_g``: mean over the training truths of :math:`g(a)=\\max_b\\Phi(b,a)` over the rotated
    rectangles of the grid; exact.  Twice the exact Rademacher complexity of all functions into them
    is this less the mean of the least :math:`\\Phi(b,a)`, which is 0 where the truths are in the
    family.
    ``floor``: mean missing rate of the best rotated rectangle for the first test truths, exact.
    Both None where positions are ignored or the grid is large.
    """
    if not all(bool((masks != 0).any()) for masks in (train, test)):  # no truth to speak of
        return {"grid": list(train.shape[1:]), **dict.fromkeys(
            ("area_fraction", "max_area", "train_areas", "mean_g", "floor"))}
    areas = (train == 1).flatten(1).sum(1)
    test_areas = (test == 1).flatten(1).sum(1)
    values, counts = np.unique(areas.numpy(), return_counts=True)
    out: dict[str, Any] = {
        "grid": list(train.shape[1:]),
        "area_fraction": float(test_areas.double().mean() / train[0].numel()),
        "max_area": int(max(areas.max(), test_areas.max())),
        "train_areas": {str(k): int(v) for k, v in zip(values, counts, strict=True)},
        "mean_g": None, "floor": None,
    }
    if config.data == "shapes":
        cells = min(config.shapes.grid) - 1
        low, high = config.shapes.half_widths
        out["max_half_widths_cells"] = [round(v * cells, 9) for v in (high, (low + high) / 2)]
    known = bool((train != 0).all()) and bool((test != 0).all())
    if known and train.shape[1] == train.shape[2] <= 16:
        out["mean_g"] = _mean_g(train.numpy().astype(np.int8).tobytes(), train.shape[1])
        few = test[:FLOOR_IMAGES].numpy().astype(np.int8)
        out["floor"] = _floor(few.tobytes(), train.shape[1])
    return out


@lru_cache(maxsize=64)
def _mean_g(masks: bytes, side: int) -> float:
    best, worst = _agreements(masks, side)
    return float(((1 - worst) / 2).mean())


@lru_cache(maxsize=64)
def _floor(masks: bytes, side: int) -> float:
    best, worst = _agreements(masks, side)
    return float(((1 - best) / 2).mean())


def _agreements(masks: bytes, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Largest and smallest catching rate of a rotated rectangle with each of the masks, exact."""
    from sims.supremum import extremes_of

    a = np.frombuffer(masks, dtype=np.int8).reshape(-1, side, side).astype(np.int64)
    found = extremes_of(RotatedRectangles(side, side), a)
    total = a.sum(axis=(1, 2))
    return tuple((2 * ends - total) / side**2 for ends in (found.maximum, found.minimum))
