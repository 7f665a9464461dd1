r"""The approximation floor: what the best rectangle misses of a truth that no rectangle is.

For a truth a on the attention grid, with n positions that are not ignored, the floor is
:math:`\min_b \Psi(b, a) = (1 - \max_b \langle b, a\rangle / n) / 2` over all rectangles b (Eq. 12):
no network that predicts a rectangle has a smaller missing rate.  Exact, by the suprema of
:mod:`sims.supremum`; zero for realisable truths.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sims.supremum import (
    inner_product_extremes,
    max_weight_rectangle,
    max_weight_rotated_rectangle,
    rasterise,
)
from training.samples import IGNORED, Source

FAMILIES = ("rotated", "axis-aligned")


@dataclass(frozen=True, eq=False)
class Floor:
    """For each truth the least missing rate and the largest IoU of a rectangle, ``(n,)`` float64.

    Both are attained, in general by two rectangles.
    """

    missing_rate: np.ndarray
    iou: np.ndarray


def approximation_floor(masks: Any, family: str = "rotated") -> Floor:
    r"""The floor of each truth among the non-empty rectangles of a family, exactly.

    The IoU is a ratio of counts; its maximum p/q is found by Dinkelbach's method: where I and U are
    intersection and union with a rectangle, :math:`q I - p U \le 0` for all with equality for the
    best, and the largest value is a maximum-weight rectangle (q inside the truth, -p outside).

    Args:
        masks: ``(n, h, w)`` of +1, -1 and 0 (ignored).
        family: "rotated" or "axis-aligned" rectangles on the pixel grid.

    Raises:
        ValueError: an unknown family; masks of another shape or other values; a truth without +1;
            "rotated" off square grids, where the hard version of Eq. 5 is no rectangle in pixels.

    >>> cross = np.array([[[-1, 1, -1], [1, 1, 1], [-1, 1, -1]]])
    >>> floor = approximation_floor(cross, "axis-aligned")
    >>> floor.missing_rate.round(3).tolist(), floor.iou.tolist()
    ([0.222], [0.6])
    """
    if family not in FAMILIES:
        raise ValueError(f"family must be one of {FAMILIES}, got {family!r}")
    masks = np.asarray(masks)
    if masks.ndim != 3 or not np.isin(masks, (-1, IGNORED, 1)).all():
        raise ValueError(f"masks must be (n, h, w) of -1, 0 and +1, got shape {masks.shape}")
    truth, height, width = masks == 1, *masks.shape[1:]
    size = truth.sum(axis=(1, 2))
    if not (size > 0).all():
        raise ValueError(f"a truth must not be empty, got mask {int(np.argmin(size))} without +1")
    if family == "rotated" and height != width:
        raise ValueError(f"rotated rectangles need a square grid, got {height}x{width}")
    if not len(masks):
        return Floor(np.zeros(0), np.zeros(0))
    weights = masks.astype(np.int64)
    best, chosen = _best(weights, family)
    known = (masks != IGNORED).sum(axis=(1, 2))
    inner, _ = inner_product_extremes(weights, best)
    union, shared = known.copy(), np.zeros_like(known)  # the ratio so far: 0
    going = np.arange(len(masks))
    while len(going):
        counts = ((chosen & truth[going]).sum(axis=(1, 2)),
                  ((chosen & (masks[going] != IGNORED)) | truth[going]).sum(axis=(1, 2)))
        better = counts[0] * union[going] > shared[going] * counts[1]
        going = going[better]
        shared[going], union[going] = (c[better] for c in counts)
        if len(going):
            p, q = shared[going, None, None], union[going, None, None]
            outside = np.where(weights[going] < 0, -p, 0)
            _, chosen = _best(np.where(truth[going], q, outside), family)
    return Floor((1 - inner / known) / 2, shared / union)


def floor_row(source: Source, n: int = 256, split: str = "pilot") -> dict[str, Any]:
    """The floors of n truths of a source as numbers for a row.

    Raises:
        ValueError: n below 1.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    floor = approximation_floor(source.draw(split, range(n)).masks)
    return {
        "n": n,
        "floor_missing_rate": float(floor.missing_rate.mean()),
        "floor_missing_rate_max": float(floor.missing_rate.max()),
        "best_iou": float(floor.iou.mean()),
        "best_iou_min": float(floor.iou.min()),
    }


def _best(weights: np.ndarray, family: str) -> tuple[Any, np.ndarray]:
    """The extremes, and the supports of the best rectangles, ``(n, h, w)`` booleans."""
    height, width = weights.shape[1:]
    if family == "rotated":
        best = max_weight_rotated_rectangle(weights)
        return best, rasterise(best.argmax, height, width) == 1
    best = max_weight_rectangle(weights)
    top, bottom, left, right = (v[:, None] for v in best.argmax.T)
    rows, columns = np.arange(height), np.arange(width)
    high, wide = (rows >= top) & (rows < bottom), (columns >= left) & (columns < right)
    return best, high[:, :, None] & wide[:, None]
