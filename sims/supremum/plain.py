r"""Exact suprema over families of masks: the rectangle, or the mask, of largest total weight.

Every empirical Rademacher complexity over masks averages suprema :math:`\sup_b \langle b, w\rangle`
for a signed weight matrix w.  With values -1 and +1,
:math:`\langle b, w\rangle = 2\sum_{S(b)} w - \sum w`: it is enough to know the largest and smallest
total weight of a support.
"""

from __future__ import annotations

import numpy as np

from sims.supremum.extremes import Extremes

CACHE_BYTES = 2**19
"""Working memory of one pass over row pairs; keeps the pass inside the second-level cache."""


def max_weight_rectangle(weights: np.ndarray) -> Extremes:
    """Exact maximum and minimum weight over all non-empty axis-aligned rectangles.

    For each pair of rows, the best run of columns is the largest difference of two prefix sums
    (Kadane), taken for all bottoms and a chunk of the batch at once: O(H^2 W) a matrix.

    Args:
        weights: ``(..., H, W)``, integers (exact) or floats.

    Returns:
        :class:`Extremes`.  Ties: the first in the order of top, bottom, right, then left.

    Raises:
        ValueError: an empty batch or grid, NaN or infinite weights, sums that overflow int64.
        TypeError: boolean, complex or object weights.

    >>> best = max_weight_rectangle(np.array([[1, -2], [3, 1]]))
    >>> int(best.maximum), best.argmax.tolist(), int(best.minimum), best.argmin.tolist()
    (4, [0, 2, 0, 1], -2, [0, 1, 1, 2])
    """
    flat, batch, out_dtype = _prepare(weights)
    count, height, width = flat.shape
    chunk = max(1, CACHE_BYTES // (flat.dtype.itemsize * (height + 1) * (width + 1)))
    values = np.empty((2, count), dtype=out_dtype)
    places = np.empty((2, count, 4), dtype=np.int64)
    for start in range(0, count, chunk):
        part = slice(start, start + chunk)
        prefix = _prefix_sums(flat[part])
        for k, sign in enumerate((1, -1)):
            values[k, part], places[k, part] = _best_rectangles(sign * prefix)
    values[1] *= -1
    return Extremes(values[0].reshape(batch), values[1].reshape(batch),
                    places[0].reshape(*batch, 4), places[1].reshape(*batch, 4))


def _prefix_sums(flat: np.ndarray) -> np.ndarray:
    """``out[t, c, k]``: the weight of rows < t and columns < c of matrix k; batch last."""
    count, height, width = flat.shape
    out = np.zeros((height + 1, width + 1, count), dtype=flat.dtype)
    out[1:, 1:] = flat.transpose(1, 2, 0)
    np.cumsum(out, axis=0, out=out)
    np.cumsum(out, axis=1, out=out)
    return out


def _best_rectangles(prefix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Largest weights ``(B,)`` and their rectangles ``(B, 4)`` from prefix sums (H+1, W+1, B)."""
    height, _, count = prefix.shape
    best = _gains(prefix, 0).max(axis=(0, 1))
    top = np.zeros(count, dtype=np.int64)
    for t in range(1, height - 1):
        gain = _gains(prefix, t).max(axis=(0, 1))
        better = gain > best
        best = np.where(better, gain, best)
        top[better] = t
    return best, _locate(prefix, top, best)


def _gains(prefix: np.ndarray, top: int) -> np.ndarray:
    """Largest weight with this top, per bottom and right: ``(H - top, W, B)``."""
    strips = prefix[top + 1:] - prefix[top]
    return strips[:, 1:] - np.minimum.accumulate(strips, axis=1)[:, :-1]


def _locate(prefix: np.ndarray, top: np.ndarray, best: np.ndarray) -> np.ndarray:
    """The rectangles that attain ``best`` with the given tops."""
    height, width, count = prefix.shape
    lane = np.arange(count)
    strips = prefix - prefix[top, :, lane].T
    gains = strips[:, 1:] - np.minimum.accumulate(strips, axis=1)[:, :-1]
    hit = (gains == best) & (np.arange(height)[:, None, None] > top)  # the same floats as before
    first = hit.reshape(-1, count).argmax(axis=0)
    bottom, right = first // (width - 1), first % (width - 1) + 1
    run = strips[bottom, :, lane].T
    left = (run == np.minimum.accumulate(run, axis=0)[right - 1, lane]).argmax(axis=0)
    return np.stack([top, bottom, left, right], axis=-1)


def _prepare(weights: np.ndarray) -> tuple[np.ndarray, tuple[int, ...], np.dtype]:
    """Weights as ``(B, H, W)`` in a dtype in which no sum overflows, batch shape, output dtype."""
    weights = np.asarray(weights)
    if weights.dtype.kind not in "iuf":
        raise TypeError(f"weights must be integers or floats, got {weights.dtype}")
    if weights.ndim < 2 or 0 in weights.shape:
        raise ValueError(f"weights need shape (..., H, W) without a 0, got {weights.shape}")
    flat = weights.reshape(-1, *weights.shape[-2:])
    if weights.dtype.kind == "f":
        if not np.isfinite(flat).all():
            bad = flat[~np.isfinite(flat)][0]
            raise ValueError(f"weights must be finite, got {bad}")
        dtype = np.result_type(weights.dtype, np.float32)
        return flat.astype(dtype, copy=False), weights.shape[:-2], dtype
    bound = float(np.abs(flat.astype(np.float64)).sum(axis=(-2, -1)).max())
    for dtype in (np.int16, np.int32, np.int64):
        if 2 * bound < np.iinfo(dtype).max:
            return flat.astype(dtype), weights.shape[:-2], np.dtype(np.int64)
    raise ValueError(f"sums of integer weights must stay below 2**62, got up to {bound:.3g}")
