"""Axis-aligned rectangles: limits, the dtype in which sums are exact, both cores."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sims.supremum.extremes import (
    Extremes,
    check_sums,
    check_weights,
    dtype_of_float_sums,
    largest_sum,
    parts_of,
)
from sims.supremum.threads import in_threads, split, thread_count
from theory.families import Rectangles
from theory.families.limits import parse_zone

CHUNK_BYTES = 2**18
"""Weights, with their results, that a thread converts and solves at a time."""

_RESULT = 80
"""Bytes of the values and witnesses of one matrix, at most."""


def max_weight_rectangle(
    weights: Any,
    *,
    min_area: int = 1,
    max_area: int | None = None,
    min_side: int = 1,
    max_side: int | None = None,
    zone: Any = None,
    witnesses: bool = True,
    threads: int | None = None,
) -> Extremes:
    r"""Exact maximum and minimum weight over all non-empty axis-aligned rectangles, in one pass.

    The limits are those of :class:`theory.families.Rectangles`.  O(H^2 W) a matrix (the smaller
    side squared), a vector of matrices at a time (:mod:`sims.supremum.axis_kernel`).

    Args:
        weights: ``(..., H, W)``, integers or floats; a torch tensor is solved by PyTorch on its own
            device (:mod:`sims.supremum.tensors`) and gives tensors.
        min_area, max_area: limits on the number of positions.
        min_side, max_side: limits on the number of rows AND of columns.
        zone: where the rectangle must lie: boolean ``(H, W)`` or a half-open box
            ``(top, bottom, left, right)``.
        witnesses: whether to return ``argmax`` and ``argmin``.
        threads: at most this many; None: the environment variable ``QUADRAT_THREADS``, or one for
            each core this process may use.  The results do not depend on it.  Tensors: PyTorch's own.

    Returns:
        :class:`Extremes`.  Integers: exact, int64 (the sums are formed in the narrowest of int16,
        int32, int64 in which none can overflow).  Floats: sums of prefix sums in the weights' dtype
        (float16 in float32).  Ties: the first in the order of top, bottom, right, then left where
        the grid (the zone's box) has no more rows than columns, with rows and columns swapped
        elsewhere.  Beside input and output the memory is :func:`working_bytes` a thread.

    Raises:
        ValueError: an empty batch or grid, NaN or infinite weights, sums that leave int64 or the
            floats, bad limits, limits that no rectangle meets.
        TypeError: boolean, complex or object weights.

    >>> best = max_weight_rectangle(np.array([[1, -2], [3, 1]]))
    >>> int(best.maximum), best.argmax.tolist(), int(best.minimum), best.argmin.tolist()
    (4, [0, 2, 0, 1], -2, [0, 1, 1, 2])
    >>> max_weight_rectangle(np.array([[1, -2], [3, 1]]), min_area=2, max_area=2).argmax.tolist()
    [0, 2, 0, 1]
    """
    limits = {"min_area": min_area, "max_area": max_area, "min_side": min_side,
              "max_side": max_side, "zone": zone}
    if type(weights).__module__.partition(".")[0] == "torch":
        from sims.supremum.tensors import max_weight_rectangle_tensor

        return max_weight_rectangle_tensor(weights, witnesses=witnesses, **limits)
    weights = check_weights(weights)
    family = Rectangles(*weights.shape[-2:], **limits)
    batch, grid = weights.shape[:-2], weights.shape[-2:]
    dtype = dtype_of_sums(weights, (min(grid) + 1).bit_length() * 2 - 1)
    place = parse_zone(family.zone, *grid)
    top, bottom, left, right = place.box
    outside = np.zeros((0, 0), dtype=bool)
    if place.cells is not None:
        outside = ~place.cells[top:bottom, left:right]
    inner = weights.reshape(-1, *grid)[:, top:bottom, left:right]
    swap = inner.shape[1] > inner.shape[2]
    if swap:
        inner, outside = inner.transpose(0, 2, 1), np.ascontiguousarray(outside.T)
    values, places = _solve(inner, outside, side_limits(family, *inner.shape[1:]), dtype,
                            [2, 3, 0, 1] if swap else [0, 1, 2, 3], witnesses, thread_count(threads))
    if values is None:
        raise ValueError(f"no rectangle meets the limits of {family!r}")
    if not witnesses:
        return Extremes(*(v.reshape(batch) for v in values), None, None)
    places += np.array([top, top, left, left])
    return Extremes(*(v.reshape(batch) for v in values),
                    *(p.reshape(*batch, 4) for p in places))


def working_bytes(height: int, width: int) -> int:
    """Memory of one thread beside input and output, in bytes, at most.

    A chunk of :data:`CHUNK_BYTES` (or of one vector of matrices where that is more) in the dtype of
    the sums with its results, and prefix sums and scratch for one vector of matrices; at least what
    finding that dtype takes.  Batch axes that cannot be joined without a copy are copied.

    >>> working_bytes(14, 14) < 2 * CHUNK_BYTES
    True
    """
    from sims.supremum.axis_kernel import work_size

    short, long = sorted((height, width))
    vector = 64
    chunk = max(CHUNK_BYTES, vector * short * long + 32 * _RESULT, 16 * short * long)
    return chunk + vector * (work_size(short, long, 1) + 8)


def side_limits(family: Rectangles, rows: int, columns: int) -> np.ndarray:
    """Fewest and most columns for each number of rows 0, ..., rows; none where fewest > most."""
    out = np.empty((rows + 1, 2), dtype=np.int64)
    out[:] = 1, 0
    tall = rows if family.max_side is None else min(rows, family.max_side)
    for h in range(max(1, family.min_side), tall + 1):
        few = max(1, family.min_side, math.ceil(family.min_area / h))
        many = columns if family.max_side is None else min(columns, family.max_side)
        if family.max_area is not None:
            many = min(many, family.max_area // h)
        out[h] = few, many
    return out


def dtype_of_sums(weights: np.ndarray, bits: int) -> np.dtype:
    """The narrowest dtype in which no sum over positions overflows and codes of ``bits`` bits fit.

    Raises:
        ValueError: sums that leave int64, or the finite floats.
        TypeError: long doubles.
    """
    if weights.dtype.kind == "f":
        return dtype_of_float_sums(weights)
    from sims.supremum.axis_kernel import largest_part

    bound = largest_sum(weights)
    for dtype in (np.int16, np.int32):
        limit = np.iinfo(dtype).max
        if bits >= 8 * np.dtype(dtype).itemsize:
            continue
        if limit <= bound < 2**62:
            bound = min(bound, max(int(largest_part(np.ascontiguousarray(part, dtype=np.int64)))
                                   for part in parts_of(weights)))
        if bound < limit:
            return np.dtype(dtype)
    check_sums(weights)
    return np.dtype(np.int64)


def _solve(
    weights: np.ndarray, outside: np.ndarray, limits: np.ndarray, dtype: np.dtype,
    order: list[int], witnesses: bool, threads: int,
) -> tuple[np.ndarray | None, np.ndarray]:
    """Values ``(2, B)`` and places ``(2, B, 4)`` of ``(B, H, W)``; None where no rectangle is."""
    from sims.supremum import axis_kernel
    from sims.supremum.lanes import aligned, lane_count

    total, height, width = weights.shape
    count = lane_count(dtype)
    codes_dtype = np.dtype(f"i{dtype.itemsize}")
    low, high = sentinels(dtype)
    out = np.dtype(np.int64) if dtype.kind == "i" else dtype
    values = np.empty((2, total), dtype=out)
    places = np.empty((2, total if witnesses else 0, 4), dtype=np.int64)
    step = max(1, CHUNK_BYTES // ((height * width * dtype.itemsize + _RESULT) * count)) * count

    def solve(part: range) -> bool:
        padded = np.zeros((min(step, -(-len(part) // count) * count), height * width), dtype=dtype)
        work = aligned((axis_kernel.work_size(height, width, count),), dtype)
        ends, codes = aligned((2 * count,), dtype), aligned((2 * count,), codes_dtype)
        mine = np.empty((2, len(padded)), dtype=dtype)
        where = np.empty((2, len(padded) if witnesses else 0, 4), dtype=np.int64)
        for start in range(part.start, part.stop, step):
            stop = min(start + step, part.stop)
            size = stop - start
            padded[:size].reshape(size, height, width)[...] = weights[start:stop]
            lanes = -(-size // count) * count
            if not axis_kernel.solve(padded[:lanes], outside, limits, low, high, work, ends, codes,
                                     mine, where):
                return False
            values[:, start:stop] = mine[:, :size]
            if witnesses:
                for k, column in enumerate(order):
                    places[:, start:stop, k] = where[:, :size, column]
        return True

    operations = total * height * height * width
    parts = split(total, count, threads if operations > 2**22 else 1)
    return (values if all(in_threads(solve, parts)) else None), places


def sentinels(dtype: np.dtype) -> tuple[Any, Any]:
    """Numbers of this dtype below and above every sum."""
    if dtype.kind == "f":
        return dtype.type(-np.inf), dtype.type(np.inf)
    info = np.iinfo(dtype)
    return dtype.type(info.min), dtype.type(info.max)
