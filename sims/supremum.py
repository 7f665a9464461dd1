r"""Exact suprema over families of masks: the rectangle, or the mask, of largest total weight.

Every empirical Rademacher complexity over masks averages suprema :math:`\sup_b \langle b, w\rangle`
for a signed weight matrix w.  With values -1 and +1,
:math:`\langle b, w\rangle = 2\sum_{S(b)} w - \sum w`: it is enough to know the largest and smallest
total weight of a support.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CACHE_BYTES = 2**19
"""Working memory of one pass over row pairs; keeps the pass inside the second-level cache."""


@dataclass(frozen=True, eq=False)
class Extremes:
    """Exact largest and smallest total weight over a family, with witnesses.

    Attributes:
        maximum, minimum: ``(...)``; int64 for integer weights, else the weights' dtype.
        argmax, argmin: witnesses.  Rectangles: int64 ``(..., 4)``, rows (top, bottom, left, right),
            half-open: the support is ``[top:bottom, left:right]``.  All masks: int8
            ``(..., H, W)`` with values -1 and +1.
    """

    maximum: np.ndarray
    minimum: np.ndarray
    argmax: np.ndarray
    argmin: np.ndarray


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


def max_weight_mask(weights: np.ndarray) -> Extremes:
    """Exact maximum and minimum weight over ALL masks: sums of positive and of negative parts.

    The empty mask counts (weight 0).  Ties: positions of weight 0 are outside.  Arguments and
    errors as :func:`max_weight_rectangle`.

    >>> best = max_weight_mask(np.array([[1, -2], [3, 1]]))
    >>> int(best.maximum), int(best.minimum), best.argmin.tolist()
    (5, -2, [[-1, 1], [-1, -1]])
    """
    flat, batch, out_dtype = _prepare(weights)
    wide = flat.astype(out_dtype, copy=False)
    positive, negative = wide > 0, wide < 0
    grid = flat.shape[1:]
    return Extremes(
        np.where(positive, wide, 0).sum(axis=(-2, -1)).astype(out_dtype).reshape(batch),
        np.where(negative, wide, 0).sum(axis=(-2, -1)).astype(out_dtype).reshape(batch),
        (2 * positive.astype(np.int8) - 1).reshape(*batch, *grid),
        (2 * negative.astype(np.int8) - 1).reshape(*batch, *grid),
    )


def inner_product_extremes(weights: np.ndarray, extremes: Extremes) -> tuple[np.ndarray, ...]:
    r"""``(max_b <b, w>, min_b <b, w>)`` from the extremes of the supports' weights.

    >>> w = np.array([[1, -2], [3, 1]])
    >>> [int(v) for v in inner_product_extremes(w, max_weight_mask(w))]
    [7, -7]
    """
    weights = np.asarray(weights)
    total = weights.sum(axis=(-2, -1), dtype=extremes.maximum.dtype)
    return 2 * extremes.maximum - total, 2 * extremes.minimum - total


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
