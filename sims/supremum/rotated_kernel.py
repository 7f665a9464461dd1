r"""The compiled pass over all rotated rectangles, one field of weights a lane.

Between two neighbouring critical angles the points have one order u along the rectangle's first axis
and one order v along the second, and the masks are the boxes of ranks (:mod:`theory.families.lattice`).
A box of largest weight may be taken to hold the point i at its first u-rank (else it could be made
smaller).  For each i the points after it are added in the order u; those above i in the order v are
leaves of one segment tree, those below of another, and a tree's root knows the largest and smallest
sum of a prefix, counted from i outwards.  The best box that starts at i and holds nothing beyond the
point just added is i, the best prefix above and the best prefix below: O(n^2 log n) a direction,
with three vector loads, two or three stores and five operations a level of the trees.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from sims.supremum import lanes

STATE = 8
"""Vectors of the state of a group: maximum, minimum, both within one sweep, then for maximum and
minimum the direction and the first point (as a u-rank)."""


@njit(nogil=True, cache=True)
def solve(weights, points, directions, first, low, high, pairs, sums, state):
    """Extremes over the given directions, for all groups of lanes.

    All vectors lie in flat aligned arrays, ``count`` lanes each.

    Args:
        weights: ``(n, groups)`` vectors.
        points: int64 ``(n, 2)``; ``directions``: int64 ``(m, 2)``, one in each open interval.
        first: the number of the first direction.
        low, high: numbers below and above every sum.
        pairs: ``(tree_size(n), groups, 2)`` vectors; ``sums``: ``(tree_size(n) / 2, groups)``
            vectors: scratch.
        state: ``(groups, STATE)`` vectors: out.
    """
    n = len(points)
    count = lanes.width(weights)
    groups = len(state) // (STATE * count)
    order, by_v = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    side, leaf = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
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
            _sweep(weights, order, by_v, i, first + k, side, leaf, pairs, sums, state, groups)


def tree_size(n: int) -> int:
    """Nodes of both trees of a sweep over n points, at most; even.

    A tree of m leaves has fewer than 4 m nodes, two trees of m together at least 4.
    """
    return 4 * n + 4


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
    """For the u-ranks j > i: the tree (0 above i, 1 below) and the leaf there; sizes of the trees."""
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
    while sizes[0] < above:
        sizes = 2 * sizes[0], sizes[1]
    while sizes[1] < below:
        sizes = sizes[0], 2 * sizes[1]
    for j in range(i + 1, n):
        leaf[j] += sizes[side[j]]
    return sizes


@njit(nogil=True, cache=True)
def _sweep(weights, order, by_v, i, k, side, leaf, pairs, sums, state, groups):
    """All boxes whose first point in the order u is i, in direction k."""
    n, count = len(order), lanes.width(weights)
    sizes = _leaves(i, by_v, side, leaf)
    node, base = 2 * groups * count, 2 * sizes[0]
    zero = lanes.spread(lanes.load(weights, 0), 0)
    for place in range(0, 2 * (sizes[0] + sizes[1]) * node, count):
        lanes.store(pairs, place, zero)
    for place in range(0, (sizes[0] + sizes[1]) * groups * count, count):
        lanes.store(sums, place, zero)
    home = order[i] * groups * count
    for g in range(groups):
        w = lanes.load(weights, home + g * count)
        lanes.store(state, (g * STATE + 2) * count, w)
        lanes.store(state, (g * STATE + 3) * count, w)
    for j in range(i + 1, n):
        start = base * side[j]
        point = order[j] * groups * count
        x = leaf[j]
        for g in range(groups):
            w = lanes.load(weights, point + g * count)
            place = (start + x) * node + 2 * g * count
            lanes.store(pairs, place, lanes.maximum(w, zero))
            lanes.store(pairs, place + count, lanes.minimum(w, zero))
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
def locate(weights, points, direction, i, value, sign, found):
    """Ranks (first u, last u, first v, last v) of a box that starts at the u-rank i and attains value.

    ``weights``: ``(n,)``; ``sign``: 1 for a maximum, -1 for a minimum; ``found``: int64 ``(4,)`` out.
    Returns whether there is one.
    """
    n = len(points)
    order, by_v = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    rank_orders(points, direction, order, by_v)
    start = 0
    while by_v[start] != i:
        start += 1
    for j in range(i, n):
        total, low, high = weights[order[i]], start, start
        best = run = total - total
        for r in range(start + 1, n):
            if i < by_v[r] <= j:
                run += weights[order[by_v[r]]]
                if sign * run > sign * best:
                    best, high = run, r
        down = run = total - total
        for r in range(start - 1, -1, -1):
            if i < by_v[r] <= j:
                run += weights[order[by_v[r]]]
                if sign * run > sign * down:
                    down, low = run, r
        if sign * (total + best + down) >= sign * value:
            found[0], found[1], found[2], found[3] = i, j, low, high
            return True
    return False
