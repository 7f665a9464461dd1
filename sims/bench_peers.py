"""What the suprema are timed against: a plain compiled Kadane, NumPy, pyscan-stats, and the peak."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numba import njit

from sims.supremum import axis_kernel, lanes


@njit(cache=True)
def kadane(weights: Any, values: Any) -> None:
    """Maximum and minimum over all rectangles, one matrix at a time: ``values`` ``(2, B)`` out.

    The text-book way, O(H^2 W): for each pair of rows the running column sums, and along them the
    best run that ends here and the best run so far.
    """
    height, width = weights.shape[1:]
    columns = np.empty(width, dtype=np.int32)
    for k in range(len(weights)):
        best = worst = weights[k, 0, 0]
        for top in range(height):
            columns[:] = 0
            for bottom in range(top, height):
                high = low = 0
                for c in range(width):
                    columns[c] += weights[k, bottom, c]
                    high = columns[c] if high < 0 else high + columns[c]
                    low = columns[c] if low > 0 else low + columns[c]
                    if high > best:
                        best = high
                    if low < worst:
                        worst = low
        values[0, k], values[1, k] = best, worst


@njit(cache=True)
def kadane_without_branches(weights: Any, values: Any) -> None:
    """:func:`kadane` with ``max`` and ``min`` for the comparisons: a harder peer."""
    height, width = weights.shape[1:]
    columns = np.empty(width, dtype=np.int64)
    for k in range(len(weights)):
        best = worst = np.int64(weights[k, 0, 0])
        for top in range(height):
            columns[:] = 0
            for bottom in range(top, height):
                high = low = np.int64(0)
                for c in range(width):
                    columns[c] += weights[k, bottom, c]
                    high = columns[c] + max(high, 0)
                    low = columns[c] + min(low, 0)
                    best, worst = max(best, high), min(worst, low)
        values[0, k], values[1, k] = best, worst


def maxima(solver: Any, weights: np.ndarray) -> np.ndarray:
    """The maxima by one of the two (which find the minima in the same pass)."""
    values = np.empty((2, len(weights)), dtype=np.int64)
    solver(weights, values)
    return values[0]


def pyscan_seconds(weights: np.ndarray) -> tuple[float, np.ndarray]:
    """Seconds that ``max_subgrid_linear`` of pyscan-stats takes, and its maxima.

    Positive and negative parts are its red and blue points; building its grids is not counted.  It
    maximises a difference of shares, so the sums come back as floats; a matrix of one sign only has
    no shares and is left out (NaN).

    Raises:
        ImportError: pyscan-stats is not installed.
    """
    import pyscan

    count, height, width = weights.shape
    rows, columns = np.indices((height, width)).reshape(2, -1)
    places = np.column_stack([columns, rows]).astype(np.float64)
    axes = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)
    values, seconds = np.full(count, np.nan), 0.0
    for k in range(count):
        parts = [np.maximum(sign * weights[k].ravel(), 0).astype(np.float64) for sign in (1, -1)]
        totals = [float(part.sum()) for part in parts]
        if min(totals) == 0:
            continue
        grid = pyscan.Grid(*axes, *(np.column_stack([places, part]) for part in parts))
        start = time.thread_time()
        found = pyscan.max_subgrid_linear(grid, totals[0], -totals[1])
        seconds += time.thread_time() - start
        values[k] = found.fValue()
    return seconds, values


@njit(nogil=True, cache=True)
def pack_all(weights: Any, side: int, prefix: Any, rest: Any) -> None:
    """The packing of :mod:`sims.supremum.axis_kernel` alone, for all of ``weights`` ``(B, n)``."""
    for start in range(0, len(weights), lanes.width(weights)):
        axis_kernel.pack(weights, start, side, side, prefix, rest)


def vector_peak(repeats: int = 5) -> float:
    """Vector operations a second of one core on int16 lanes, none of them waiting for memory.

    Sixteen chains of ``add`` and ``maximum`` in registers; the best of ``repeats`` runs.
    """
    data = lanes.aligned((17 * lanes.lane_count(np.int16),), np.int16)
    data[:] = np.arange(len(data)) % 7 - 3
    rounds = 2_000_000
    _spin(data, 1)
    best = np.inf
    for _ in range(repeats):
        start = time.thread_time()
        _spin(data, rounds)
        best = min(best, time.thread_time() - start)
    return 32 * rounds / best


@njit(nogil=True, cache=True)
def _spin(data: Any, rounds: int) -> None:
    n = lanes.width(data)
    step = lanes.load(data, 16 * n)
    a, b, c, d = (lanes.load(data, 0), lanes.load(data, n), lanes.load(data, 2 * n),
                  lanes.load(data, 3 * n))
    e, f, g, h = (lanes.load(data, 4 * n), lanes.load(data, 5 * n), lanes.load(data, 6 * n),
                  lanes.load(data, 7 * n))
    i, j, k, m = (lanes.load(data, 8 * n), lanes.load(data, 9 * n), lanes.load(data, 10 * n),
                  lanes.load(data, 11 * n))
    p, q, r, s = (lanes.load(data, 12 * n), lanes.load(data, 13 * n), lanes.load(data, 14 * n),
                  lanes.load(data, 15 * n))
    for _ in range(rounds):
        a, b = lanes.maximum(lanes.add(a, step), b), lanes.maximum(lanes.add(b, step), c)
        c, d = lanes.maximum(lanes.add(c, step), d), lanes.maximum(lanes.add(d, step), e)
        e, f = lanes.maximum(lanes.add(e, step), f), lanes.maximum(lanes.add(f, step), g)
        g, h = lanes.maximum(lanes.add(g, step), h), lanes.maximum(lanes.add(h, step), i)
        i, j = lanes.maximum(lanes.add(i, step), j), lanes.maximum(lanes.add(j, step), k)
        k, m = lanes.maximum(lanes.add(k, step), m), lanes.maximum(lanes.add(m, step), p)
        p, q = lanes.maximum(lanes.add(p, step), q), lanes.maximum(lanes.add(q, step), r)
        r, s = lanes.maximum(lanes.add(r, step), s), lanes.maximum(lanes.add(s, step), a)
    for place, vector in enumerate((a, b, c, d, e, f, g, h, i, j, k, m, p, q, r, s)):
        lanes.store(data, place * n, vector)
