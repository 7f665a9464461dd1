"""One door to the suprema of every family of masks."""

from __future__ import annotations

import numpy as np

from sims.supremum.axis_aligned import max_weight_rectangle
from sims.supremum.enumerated import extremes_by_enumeration
from sims.supremum.extremes import Extremes, check_weights
from sims.supremum.masks import max_weight_mask
from sims.supremum.rotated import is_limited, max_weight_rotated_rectangle, rasterise
from theory.families import AllMasks, Family, Rectangles, RotatedRectangles


def extremes_of(family: Family, weights: np.ndarray, *, witnesses: bool = False) -> Extremes:
    """Exact largest and smallest support weight over a family, and the empty mask's 0 if it has it.

    Args:
        family: axis-aligned rectangles, all masks and rotated rectangles without limits have
            algorithms of their own (any grid), other families are gone through mask by mask.
        weights: ``(..., H, W)`` on the family's grid, integers (exact) or floats.
        witnesses: whether to return the masks that attain the values, int8 ``(..., H, W)``.

    Raises:
        ValueError: another grid, a family that cannot be enumerated, bad weights.

    >>> w = np.array([[1, -2], [3, 1]])
    >>> int(extremes_of(Rectangles(2, 2, max_area=1), w).maximum)
    3
    """
    weights = check_weights(weights)
    if weights.shape[-2:] != family.shape:
        raise ValueError(f"weights on a grid of {family.shape}, got shape {weights.shape}")
    if isinstance(family, AllMasks):
        return _all_masks(family, weights, witnesses)
    if isinstance(family, Rectangles):
        return _rectangles(family, weights, witnesses)
    if isinstance(family, RotatedRectangles) and not is_limited(family):
        found = max_weight_rotated_rectangle(weights, exact=True, witnesses=witnesses)
        masks: list[np.ndarray | None] = [None, None]
        if witnesses:
            masks = [rasterise(places, *family.shape) for places in (found.argmax, found.argmin)]
        return _with_empty(family, Extremes(found.maximum, found.minimum, *masks))
    return extremes_by_enumeration(family, weights, witnesses=witnesses)


def _rectangles(family: Rectangles, weights: np.ndarray, witnesses: bool) -> Extremes:
    found = max_weight_rectangle(
        weights, min_area=family.min_area, max_area=family.max_area, min_side=family.min_side,
        max_side=family.max_side, zone=family.zone, witnesses=witnesses)
    masks = [None, None]
    if witnesses:
        masks = [_rasterise(places, family.shape) for places in (found.argmax, found.argmin)]
    return _with_empty(family, Extremes(found.maximum, found.minimum, *masks))


def _rasterise(places: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    top, bottom, left, right = np.moveaxis(places[..., None, None], -3, 0)
    i, j = np.indices(shape)
    inside = (i >= top) & (i < bottom) & (j >= left) & (j < right)
    return 2 * inside.astype(np.int8) - 1


def _all_masks(family: AllMasks, weights: np.ndarray, witnesses: bool) -> Extremes:
    found = max_weight_mask(weights, witnesses=witnesses)
    if family.empty:
        return found
    # without the empty mask: where no weight has the sign, the position nearest to 0
    ends = weights.max(axis=(-2, -1)), weights.min(axis=(-2, -1))
    none = ends[0] <= 0, ends[1] >= 0
    dtype = found.maximum.dtype
    values = [np.where(n, e.astype(dtype), v)
              for n, e, v in zip(none, ends, (found.maximum, found.minimum), strict=True)]
    masks = [None, None]
    if witnesses:
        flat = weights.reshape(-1, family.height * family.width)
        for k, (n, mask) in enumerate(zip(none, (found.argmax, found.argmin), strict=True)):
            rows = np.flatnonzero(np.ravel(n))
            best = (flat[rows].argmax(axis=1), flat[rows].argmin(axis=1))[k]
            codes = mask.reshape(flat.shape).copy()
            codes[rows, best] = 1
            masks[k] = codes.reshape(mask.shape)
    return Extremes(values[0], values[1], *masks)


def _with_empty(family: Family, found: Extremes) -> Extremes:
    """The extremes with the empty mask, weight 0, beside the others."""
    if not family.empty:
        return found
    masks = [found.argmax, found.argmin]
    worse = found.maximum < 0, found.minimum > 0
    if found.argmax is not None:
        masks = [np.where(w[..., None, None], np.int8(-1), mask)
                 for w, mask in zip(worse, masks, strict=True)]
    zero = found.maximum.dtype.type(0)
    ends = np.maximum(found.maximum, zero), np.minimum(found.minimum, zero)
    return Extremes(*map(np.asarray, ends), *masks)
