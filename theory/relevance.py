r"""Relevance level rho  [Def. 5.2, Eq. 14], by enumeration and in closed form.

For the class of ALL functions into a family A the infimum of Eq. 14 is a minimum over two finite
sets: :math:`\rho = \min_{b\in A,\,a\in A_{in}} \Psi(b,a)`.  Inner products of masks are integers, so
every value is exact.  Psi is bilinear: the value is the same for soft maps in the convex hulls.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from theory.families import AllMasks, Family, Rectangles, RotatedRectangles
from theory.masks import require_masks

PAIRS = 4_000_000_000  # refuse enumerations beyond this many products of entries


def extreme_products(family: Family, masks: Any) -> tuple[np.ndarray, np.ndarray]:
    r"""``max_b <b, a>`` and ``min_b <b, a>`` over the family, for each mask a; exact integers.

    Args:
        family: the family of b.
        masks: ``(m, H, W)`` with values -1 and +1 (or one mask).

    Returns:
        two int64 arrays ``(m,)``; divide by ``H*W`` for the catching rate.
    """
    masks = require_masks(masks)
    if masks.shape[1:] != family.shape:
        raise ValueError(f"masks must live on the family's grid {family.shape}, got "
                         f"{masks.shape[1:]}")
    n = family.height * family.width
    if isinstance(family, AllMasks):
        total = masks.sum(axis=(1, 2), dtype=np.int64)
        lack = 0 if family.empty else 2
        return (np.where(total == -n, n - lack, n), np.where(total == n, lack - n, -n))
    if isinstance(family, Rectangles):
        return _rectangles(family, masks)
    return _enumerated(family, masks)


def extreme_catching_exact(family: Family, mask: Any) -> tuple[Fraction, Fraction]:
    """``max_b Psi(b, a)`` and ``min_b Psi(b, a)`` as Fractions, for one mask a."""
    high, low = extreme_products(family, mask)
    n = family.height * family.width
    return Fraction(int(high[0]), n), Fraction(int(low[0]), n)


def relevance_level_exact(family: Family, inputs: Any) -> Fraction:
    r""":math:`\rho` as a Fraction, by enumeration.

    Args:
        family: A.
        inputs: A_in, a family on the same grid or an array of masks ``(m, H, W)``.

    Raises:
        ValueError: different grids, no input masks, or more pairs than can be enumerated.
    """
    if isinstance(inputs, Family):
        if inputs.shape != family.shape:
            raise ValueError(f"families must share their grid, got {family.shape} and "
                             f"{inputs.shape}")
        family, inputs = sorted((family, inputs), key=_rank)  # rho is symmetric in the two
        masks = inputs.masks()
    else:
        masks = require_masks(inputs, "inputs")
    if masks.shape[0] == 0:
        raise ValueError("A_in must hold at least one mask, got none")
    _, low = extreme_products(family, masks)
    return Fraction(int(low.min()), family.height * family.width)


def relevance_level(family: Family, inputs: Any) -> float:
    """:func:`relevance_level_exact` as a float."""
    return float(relevance_level_exact(family, inputs))


def relevance_closed_form(family: Family, inputs: Family) -> Fraction | None:
    r"""rho from a formula, or None where none is known (beyond the paper).

    * A or A_in is every mask (the empty one included): -1.
    * rectangles (also rotated) without limits on a grid of n > 1 positions: -1 (two half-grids).
    * the same box zone of z > 1 positions for both: :math:`1-2z/n`.
    * areas at most k1 and k2, with k1' <= k1, k2' <= k2 the largest areas attained, if two disjoint
      rectangles of k1' and k2' positions fit: :math:`1-2(k_1'+k_2')/n`.
    * rotated rectangles with areas at most k1 and k2, n > 1: :math:`\max(-1, 1-2(k_1+k_2)/n)`: in a
      direction without ties the first k1 and the last k2 positions are rotated rectangles.
    """
    if inputs.shape != family.shape:
        raise ValueError(f"families must share their grid, got {family.shape} and {inputs.shape}")
    n = family.height * family.width
    if any(isinstance(f, AllMasks) and f.empty for f in (family, inputs)):
        return Fraction(-1)
    if not all(isinstance(f, Rectangles | RotatedRectangles) for f in (family, inputs)):
        return None
    if n > 1 and all(_unlimited(f) for f in (family, inputs)):
        return Fraction(-1)
    if all(isinstance(f, RotatedRectangles) for f in (family, inputs)):
        return _rotated_area_form(family, inputs, n)
    if not all(isinstance(f, Rectangles) for f in (family, inputs)):
        return None
    form = _zone_form(family, inputs, n)
    return _area_form(family, inputs, n) if form is None else form


def _zone_form(first: Rectangles, second: Rectangles, n: int) -> Fraction | None:
    free = all(_unlimited(f, zone=False) for f in (first, second))
    same_box = isinstance(first.zone, tuple) and isinstance(second.zone, tuple) and (
        first.zone == second.zone)
    if not free or not same_box:
        return None
    top, bottom, left, right = first.zone
    z = (bottom - top) * (right - left)
    return Fraction(n - 2 * z, n) if z > 1 else None


def _area_form(first: Rectangles, second: Rectangles, n: int) -> Fraction | None:
    height, width = first.shape
    best = []
    for f in (first, second):
        if not _everywhere(f) or f.min_side > 1 or f.min_area > 1 or f.max_side is not None:
            return None
        cap = n if f.max_area is None else f.max_area
        shapes = [(h, w) for h in range(1, height + 1) for w in range(1, width + 1) if h * w <= cap]
        most = max(h * w for h, w in shapes)
        best.append((most, [s for s in shapes if s[0] * s[1] == most]))
    (k1, shapes1), (k2, shapes2) = best
    fit = any(h1 + h2 <= height or w1 + w2 <= width for h1, w1 in shapes1 for h2, w2 in shapes2)
    return Fraction(n - 2 * (k1 + k2), n) if fit else None


def _rotated_area_form(
    first: RotatedRectangles, second: RotatedRectangles, n: int
) -> Fraction | None:
    total = 0
    for f in (first, second):
        if not _everywhere(f) or f.min_area > 1 or f.min_side > 0 or f.max_side is not None:
            return None
        total += n if f.max_area is None else min(f.max_area, n)
    return max(Fraction(-1), Fraction(n - 2 * total, n)) if n > 1 else Fraction(1)


def _unlimited(f: Any, *, zone: bool = True) -> bool:
    n = f.height * f.width
    return (f.min_area <= 1 and (f.max_area is None or f.max_area >= n) and f.min_side <= 1
            and f.max_side is None and (not zone or _everywhere(f)))


def _everywhere(f: Any) -> bool:
    """Whether the zone is the whole grid."""
    return isinstance(f.zone, tuple) and f.zone == (0, f.height, 0, f.width)


def _rank(family: Family) -> tuple[int, int]:
    """Which of two families to search in closed form (first) and which to enumerate (second)."""
    kind = 0 if isinstance(family, AllMasks) else 1 if isinstance(family, Rectangles) else 2
    return kind, -family.size


def _rectangles(family: Rectangles, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    boxes = family.boxes()
    total = masks.sum(axis=(1, 2), dtype=np.int64)
    prefix = np.zeros((len(masks), family.height + 1, family.width + 1), dtype=np.int64)
    prefix[:, 1:, 1:] = masks.cumsum(axis=1, dtype=np.int64).cumsum(axis=2)
    high = np.full(len(masks), -total if family.empty else -(2**62), dtype=np.int64)
    low = np.full(len(masks), -total if family.empty else 2**62, dtype=np.int64)
    step = max(1, 20_000_000 // max(1, len(masks)))
    for start in range(0, len(boxes), step):
        top, bottom, left, right = boxes[start:start + step].T
        inside = (prefix[:, bottom, right] - prefix[:, top, right]
                  - prefix[:, bottom, left] + prefix[:, top, left])
        product = 2 * inside - total[:, None]
        high, low = np.maximum(high, product.max(axis=1)), np.minimum(low, product.min(axis=1))
    return high, low


def _enumerated(family: Family, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = family.height * family.width
    if family.size * len(masks) * n > PAIRS:
        raise ValueError(f"{family.size} x {len(masks)} pairs are too many to enumerate")
    flat = masks.reshape(len(masks), n).astype(np.float32)  # exact: |sums| <= n < 2^24
    members = family.masks().reshape(-1, n)
    high, low = np.full(len(masks), -n, np.int64), np.full(len(masks), n, np.int64)
    step = max(1, 8_000_000 // max(1, len(masks)))
    for start in range(0, len(members), step):
        product = flat @ members[start:start + step].astype(np.float32).T
        high = np.maximum(high, product.max(axis=1).astype(np.int64))
        low = np.minimum(low, product.min(axis=1).astype(np.int64))
    return high, low
