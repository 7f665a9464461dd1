r"""The compiled pass over all rotated rectangles, one field of weights a lane.

Between two neighbouring critical angles the points have one order u along the rectangle's first axis
and one order v along the second, and the masks are the boxes of ranks (:mod:`theory.families.lattice`).
A box of largest weight may be taken to hold the point i at its first u-rank (else it could be made
smaller).  For each i the points after it are added in the order u; those above i in the order v are
in the leaves of one segment tree, :data:`BUCKET` a leaf, those below in those of another, and a
tree's root knows the largest and smallest sum of a prefix, counted from i outwards.  The best box
that starts at i and holds nothing beyond the point just added is i, the best prefix above and the
best prefix below: O(n^2 log n) a direction.  A leaf is computed anew when a point is added, which
costs 6 operations and a load a point but keeps the trees in the first cache; each level above costs
three or four loads, two or three stores and five operations.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from sims.supremum import lanes

BUCKET = 8
"""Points of a leaf of the trees."""

STATE = 8
"""Vectors of the state of a group: maximum, minimum, both within one sweep, then for maximum and
minimum the direction and the first point (as a u-rank)."""


@njit(nogil=True, cache=True)
def solve(weights, points, directions, first, low, high, pairs, sums, state):
    """Extremes over the given directions, for all groups of lanes.

    All vectors lie in flat aligned arrays, ``count`` lanes each.

    Args:
        weights: ``(n + 1, groups)`` vectors, the last ones zero.
        points: int64 ``(n, 2)``; ``directions``: int64 ``(m, 2)``, one in each open interval.
        first: the number of the first direction.
        low, high: numbers below and above every sum.
        pairs: ``(2 tree_leaves(n), groups, 2)`` vectors; ``sums``: ``(tree_leaves(n), groups)``
            vectors: scratch.
        state: ``(groups, STATE)`` vectors: out.
    """
    n = len(points)
    count = lanes.width(weights)
    groups = len(state) // (STATE * count)
    order, by_v = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    side, leaf = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    held = np.empty(BUCKET * tree_leaves(n), dtype=np.int64)
    zero = lanes.spread(lanes.load(weights, 0), 0)
    for g in range(groups):
        at = g * STATE * count
        for row in range(STATE):
            lanes.store(state, at + row * count, zero)
        lanes.store(state, at, lanes.spread(zero, low))
        lanes.store(state, at + count, lanes.spread(zero, high))
    for k in range(len(directions)):
        rank_orders(points, directions[k], order, by_v)
        for i in range(n - 1, -1, -1):
            _sweep(weights, order, by_v, i, first + k, side, leaf, held, pairs, sums, state, groups)


@njit(nogil=True, cache=True)
def tree_leaves(n: int) -> int:
    """Leaves of both trees of a sweep over n points, at most; they have twice as many nodes.

    A tree of more than one leaf for m points has fewer than ``2 m / BUCKET``.
    """
    return 2 * n // BUCKET + 2


@njit(nogil=True, cache=True)
def rank_orders(points, direction, order, by_v):
    """Write the points in the order u, and the u-ranks of the points in the order v."""
    n = len(points)
    u, v = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    for p in range(n):
        u[p] = points[p, 0] * direction[0] + points[p, 1] * direction[1]
        v[p] = points[p, 1] * direction[0] - points[p, 0] * direction[1]
    order[:] = np.argsort(u)
    rank = np.empty(n, dtype=np.int64)
    for r in range(n):
        rank[order[r]] = r
    by_v[:] = np.argsort(v)
    for r in range(n):
        by_v[r] = rank[by_v[r]]


@njit(nogil=True, cache=True)
def _leaves(i, by_v, side, leaf):
    """For the u-ranks j > i: the tree (0 above i, 1 below) and the leaf there; leaves of the trees."""
    n = len(by_v)
    start = 0
    while by_v[start] != i:
        start += 1
    above = below = 0
    for r in range(start + 1, n):
        j = by_v[r]
        side[j], leaf[j] = 0, above
        above += j > i
    for r in range(start - 1, -1, -1):
        j = by_v[r]
        side[j], leaf[j] = 1, below
        below += j > i
    sizes = 1, 1
    while BUCKET * sizes[0] < above:
        sizes = 2 * sizes[0], sizes[1]
    while BUCKET * sizes[1] < below:
        sizes = sizes[0], 2 * sizes[1]
    return sizes


@njit(nogil=True, cache=True)
def _sweep(weights, order, by_v, i, k, side, leaf, held, pairs, sums, state, groups):
    """All boxes whose first point in the order u is i, in direction k."""
    n, count = len(order), lanes.width(weights)
    sizes = _leaves(i, by_v, side, leaf)
    node, base = 2 * groups * count, 2 * sizes[0]
    zero = lanes.spread(lanes.load(weights, 0), 0)
    for place in range(0, 2 * (sizes[0] + sizes[1]) * node, count):
        lanes.store(pairs, place, zero)
    for place in range(0, (sizes[0] + sizes[1]) * groups * count, count):
        lanes.store(sums, place, zero)
    held[:BUCKET * (sizes[0] + sizes[1])] = n * groups * count
    home = order[i] * groups * count
    for g in range(groups):
        w = lanes.load(weights, home + g * count)
        lanes.store(state, (g * STATE + 2) * count, w)
        lanes.store(state, (g * STATE + 3) * count, w)
    for j in range(i + 1, n):
        start = base * side[j]
        point = order[j] * groups * count
        x = leaf[j] // BUCKET
        bucket = BUCKET * (start // 2 + x)
        held[BUCKET * (start // 2) + leaf[j]] = point
        x += sizes[side[j]]
        for g in range(groups):
            shift = g * count
            most, least = zero, zero
            for p in range(BUCKET - 1, -1, -1):
                w = lanes.load(weights, held[bucket + p] + shift)
                most = lanes.maximum(lanes.add(w, most), zero)
                least = lanes.minimum(lanes.add(w, least), zero)
            place = (start + x) * node + 2 * shift
            lanes.store(pairs, place, most)
            lanes.store(pairs, place + count, least)
        while x > 1:
            right = x & 1
            x >>= 1
            up, down = (start + x) * node, (start + 2 * x) * node
            left_sum = (start // 2 + x) * groups * count
            if right:
                for g in range(groups):
                    total = lanes.load(sums, left_sum + g * count)
                    _join(pairs, down + 2 * g * count, node, total, up + 2 * g * count)
            else:
                for g in range(groups):
                    total = lanes.add(lanes.load(sums, left_sum + g * count),
                                      lanes.load(weights, point + g * count))
                    lanes.store(sums, left_sum + g * count, total)
                    _join(pairs, down + 2 * g * count, node, total, up + 2 * g * count)
        for g in range(groups):
            w = lanes.load(weights, home + g * count)
            above, below = node + 2 * g * count, (base + 1) * node + 2 * g * count
            most = lanes.add(w, lanes.add(lanes.load(pairs, above), lanes.load(pairs, below)))
            least = lanes.add(w, lanes.add(lanes.load(pairs, above + count),
                                           lanes.load(pairs, below + count)))
            place = (g * STATE + 2) * count
            lanes.store(state, place, lanes.maximum(most, lanes.load(state, place)))
            place += count
            lanes.store(state, place, lanes.minimum(least, lanes.load(state, place)))
    for g in range(groups):
        _keep(state, g * STATE * count, k, i)


@njit(nogil=True, cache=True, inline="always")
def _join(pairs, left, node, total, up):
    """Prefixes of two neighbouring nodes: those of the left one, or all of it and one of the right."""
    right, count = left + node, lanes.width(pairs)
    most = lanes.maximum(lanes.load(pairs, left), lanes.add(total, lanes.load(pairs, right)))
    least = lanes.minimum(lanes.load(pairs, left + count),
                          lanes.add(total, lanes.load(pairs, right + count)))
    lanes.store(pairs, up, most)
    lanes.store(pairs, up + count, least)


@njit(nogil=True, cache=True)
def _keep(state, at, k, i):
    count = lanes.width(state)
    best, worst = lanes.load(state, at), lanes.load(state, at + count)
    most, least = lanes.load(state, at + 2 * count), lanes.load(state, at + 3 * count)
    for code, place in ((k, at + 4 * count), (i, at + 6 * count)):
        code = lanes.spread(best, code)
        lanes.store(state, place, lanes.pick(most, best, code, lanes.load(state, place)))
        place += count
        lanes.store(state, place, lanes.pick(worst, least, code, lanes.load(state, place)))
    lanes.store(state, at, lanes.maximum(most, best))
    lanes.store(state, at + count, lanes.minimum(least, worst))


@njit(nogil=True, cache=True)
def witnesses(fields, points, directions, numbers, starts, sign, out):
    """The best rectangles of fields ``(B, n)`` in the directions and from the u-ranks found.

    ``numbers``, ``starts``: int64 ``(B,)``; ``sign``: 1 for maxima, -1 for minima; ``out``: float64
    ``(B, 5)``, the five parameters, edges halfway between the points inside and the next outside.
    """
    n = len(points)
    order, by_v = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    for b in range(len(fields)):
        x, y = directions[numbers[b], 0], directions[numbers[b], 1]
        rank_orders(points, directions[numbers[b]], order, by_v)
        first, last, low, high = _best_ranks(fields[b], order, by_v, starts[b], sign)
        u, v = points[:, 0] * x + points[:, 1] * y, points[:, 1] * x - points[:, 0] * y
        along = _edges(u[order], first, last)
        across = _edges(v[order[by_v]], low, high)
        norm = np.hypot(np.float64(x), np.float64(y))
        cos, sin = x / norm, y / norm
        middle = (along[0] + along[1]) / 2 / norm, (across[0] + across[1]) / 2 / norm
        out[b, 0] = cos * middle[0] - sin * middle[1]
        out[b, 1] = sin * middle[0] + cos * middle[1]
        out[b, 2] = (along[1] - along[0]) / 2 / norm
        out[b, 3] = (across[1] - across[0]) / 2 / norm
        out[b, 4] = np.arctan2(np.float64(y), np.float64(x))


@njit(nogil=True, cache=True)
def _edges(ranked, first, last):
    """Edges between the projections of the ranks first to last and their neighbours."""
    below = ranked[first - 1] if first > 0 else ranked[0] - 1
    above = ranked[last + 1] if last + 1 < len(ranked) else ranked[last] + 1
    return (below + ranked[first]) / 2, (ranked[last] + above) / 2


@njit(nogil=True, cache=True)
def _best_ranks(weights, order, by_v, i, sign):
    """Ranks (first u, last u, first v, last v) of the best box that starts at the u-rank i."""
    n = len(order)
    start = 0
    while by_v[start] != i:
        start += 1
    none = weights[0] - weights[0]
    best, found = none, (-1, -1, -1, -1)
    for j in range(i, n):
        low, high = start, start
        above = run = none
        for r in range(start + 1, n):
            if i < by_v[r] <= j:
                run += weights[order[by_v[r]]]
                if sign * run > sign * above:
                    above, high = run, r
        below = run = none
        for r in range(start - 1, -1, -1):
            if i < by_v[r] <= j:
                run += weights[order[by_v[r]]]
                if sign * run > sign * below:
                    below, low = run, r
        if found[0] < 0 or sign * (above + below) > sign * best:
            best, found = above + below, (i, j, low, high)
    return found
