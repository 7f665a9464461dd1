"""Axis-aligned rectangles."""

from __future__ import annotations

from typing import Any

import numpy as np

from sims.supremum.extremes import Extremes
from sims.supremum.plain import max_weight_rectangle as _plain
from theory.families import Rectangles


def max_weight_rectangle(
    weights: np.ndarray,
    *,
    min_area: int = 1,
    max_area: int | None = None,
    min_side: int = 1,
    max_side: int | None = None,
    zone: Any = None,
    witnesses: bool = True,
) -> Extremes:
    """Placeholder while the kernel is written: NumPy, limits by going through all boxes."""
    weights = np.asarray(weights)
    if (min_area <= 1 and max_area is None and min_side <= 1 and max_side is None
            and (zone is None or tuple(np.ravel(zone)) == (0, weights.shape[-2], 0, weights.shape[-1]))):
        return _plain(weights)
    family = Rectangles(*weights.shape[-2:], min_area=min_area, max_area=max_area, min_side=min_side,
                        max_side=max_side, zone=zone)
    boxes = family.boxes()
    masks = (family.masks().reshape(len(boxes), -1) == 1).astype(np.int64)
    flat = weights.reshape(-1, masks.shape[1])
    products = flat @ masks.T
    shape = weights.shape[:-2]
    return Extremes(products.max(1).reshape(shape), products.min(1).reshape(shape),
                    boxes[products.argmax(1)].reshape(*shape, 4),
                    boxes[products.argmin(1)].reshape(*shape, 4))
