"""All masks: sums of positive and of negative parts."""

from __future__ import annotations

import numpy as np

from sims.supremum.extremes import Extremes, check_sums, check_weights, dtype_of_float_sums


def max_weight_mask(weights: np.ndarray, *, witnesses: bool = True) -> Extremes:
    """Exact maximum and minimum weight over ALL masks: sums of positive and of negative parts.

    The empty mask counts (weight 0).  Ties: positions of weight 0 are outside.

    Args:
        weights: ``(..., H, W)``, integers (exact) or floats (float16 is summed in float32).
        witnesses: whether to return ``argmax`` and ``argmin``.

    Raises:
        ValueError: an empty batch or grid, NaN or infinite weights, sums that leave int64 or the
            floats.
        TypeError: boolean, complex or object weights, long doubles.

    >>> best = max_weight_mask(np.array([[1, -2], [3, 1]]))
    >>> int(best.maximum), int(best.minimum), best.argmin.tolist()
    (5, -2, [[-1, 1], [-1, -1]])
    """
    weights = check_weights(weights)
    dtype = weights.dtype
    if dtype.kind == "f":
        dtype = dtype_of_float_sums(weights)
    else:
        check_sums(weights)
        dtype = np.dtype(np.int64)
    zero = weights.dtype.type(0)
    high = np.maximum(weights, zero).sum(axis=(-2, -1), dtype=dtype.type)
    low = np.minimum(weights, zero).sum(axis=(-2, -1), dtype=dtype.type)
    places = [None, None]
    if witnesses:
        places = [2 * side.astype(np.int8) - 1 for side in (weights > 0, weights < 0)]
    return Extremes(np.asarray(high), np.asarray(low), *places)
