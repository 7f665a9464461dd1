"""Branch and bound over (sector, directions, strip): the compiled part.

A node is a sector g, a range of its directions c0..c1, and two ranges of ranks along u: the strip
starts at a rank in i0..i1 and ends at one in j0..j1.  The points of ranks i1..j0 are certain, the
others of i0..j1 possible.  Where the strip is cut along v need not be branched on: with the weight
of every certain point and the positive part of every other possible one, the best range along v is
a largest difference of prefix sums, one pass over the points (:func:`best_range`).  At one
direction with one strip nothing is uncertain and the bound is the value.

Limits cut the pairs (k, l) of that pass: all of them are monotone (the certain points k..l at most
``max_area``, the possible ones at least ``min_area``, the length at most ``high``, the gap between
the neighbours above ``low``, no certain point outside the zone), so that for each l the admissible
k are a window that moves only upwards.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from sims.supremum.branch_tables import Tables

_CLIMBS = 8
_WIDE = 8


class Limits(NamedTuple):
    """Areas and zone; ``plain``: no limit at all, sides included.

    Attributes:
        min_area, max_area: numbers of points.
        zone: boolean ``(n,)``.
        plain: whether :func:`best_range` may skip the windows.
    """

    min_area: int
    max_area: int
    zone: np.ndarray
    plain: bool


class Work(NamedTuple):
    """Memory of one pass.

    Attributes:
        prefix: ``(n + 1,)`` of the weights' dtype, sums along the axis.
        certain, possible: ``(n + 1,)`` int64, numbers of such points along the axis.
        rank, queue: ``(n,)`` int64, places of the points looked at; starts in the window.
        first, last: ``(n,)`` float64, projections at the first and the last direction.
    """

    prefix: np.ndarray
    certain: np.ndarray
    possible: np.ndarray
    rank: np.ndarray
    queue: np.ndarray
    first: np.ndarray
    last: np.ndarray


class Heap(NamedTuple):
    """Open nodes, the one with the largest bound first, and what is known so far.

    Attributes:
        bounds: ``(capacity,)``; nodes: ``(capacity, 7)`` int64: g, c0, c1, i0, i1, j0, j1.
        counts: int64 ``(3,)``: nodes in the heap, nodes bounded so far, whether nodes were dropped.
        values: ``(2,)``: the best value found, the largest bound of a dropped node.
        place: int64 ``(6,)``, where the best was found: g, direction, i, j, k, l; -1 for nowhere.
    """

    bounds: np.ndarray
    nodes: np.ndarray
    counts: np.ndarray
    values: np.ndarray
    place: np.ndarray


@njit(nogil=True, cache=True)
def search(
    weights: np.ndarray, tables: Tables, limits: Limits, heap: Heap, work: Work, budget: int,
    gap: float,
) -> None:
    """Bound nodes until ``budget`` of them have been, or nothing above best + gap is open.

    Works on ``heap`` in place; a later call with a larger budget goes on where this one stopped.

    Args:
        weights: ``(n,)`` int64 or float64; tables, limits, heap, work: as their classes say.
        budget: on ``heap.counts[1]``, since the beginning.
        gap: what may be left between the best value and the bounds, in units of the weights.
    """
    counts, values, place = heap.counts, heap.values, heap.place
    while counts[0] > 0 and counts[1] < budget:
        bound = heap.bounds[0]
        if place[0] >= 0 and bound <= values[0] + gap:
            return
        g, c0, c1, i0, i1, j0, j1 = heap.nodes[0]
        _pop(heap)
        if c1 - c0 + i1 - i0 + j1 - j0 >= _WIDE:
            c = (c0 + c1) // 2
            _climb(weights, tables, limits, heap, work, (g, c, c, i0, i1, j0, j1))
        for half in range(2):
            child = _half(g, c0, c1, i0, i1, j0, j1, half)
            _, a0, a1, b0, b1, d0, d1 = child
            if b0 > b1 or d0 > d1:
                continue
            counts[1] += 1
            some, value, k, l = best_range(weights, tables, limits, 1, child, work)
            if not some:
                continue
            if a0 == a1 and b0 == b1 and d0 == d1:
                _record(heap, value, g, a0, b0, d0, k, l)
            elif place[0] < 0 or value > values[0]:
                _push(heap, min(value, bound), child)


@njit(nogil=True, cache=True)
def _half(g, c0, c1, i0, i1, j0, j1, half):
    """One half of a node, the wider range cut in two; strips that end before they start removed."""
    if c1 - c0 > max(i1 - i0, j1 - j0):
        mid = (c0 + c1) // 2
        c0, c1 = (c0, mid) if half == 0 else (mid + 1, c1)
    elif i1 - i0 >= j1 - j0:
        mid = (i0 + i1) // 2
        i0, i1 = (i0, mid) if half == 0 else (mid + 1, i1)
    else:
        mid = (j0 + j1) // 2
        j0, j1 = (j0, mid) if half == 0 else (mid + 1, j1)
    return g, c0, c1, i0, min(i1, j1), max(i0, j0), j1


@njit(nogil=True, cache=True)
def _climb(weights, tables, limits, heap, work, node):
    """Members from a node with one direction: the range along v that has its bound, the best range
    along u for that, the best one along v for that, and so on while it gets better."""
    g, c, axis = node[0], node[1], 1
    for step in range(_CLIMBS):
        some, value, first, last = best_range(weights, tables, limits, axis, node, work)
        if not some:
            return
        if step > 0:
            i, j, k, l = node[3], node[5], first, last
            if axis == 0:
                i, j, k, l = k, l, i, j
            if not _record(heap, value, g, c, i, j, k, l):
                return
        node = g, c, c, first, first, last, last
        axis = 1 - axis


@njit(nogil=True, cache=True)
def _record(heap, value, g, c, i, j, k, l):
    """Keep a member if it is the best so far; whether it is."""
    if heap.place[0] >= 0 and value <= heap.values[0]:
        return False
    heap.values[0] = value
    place = heap.place
    place[0], place[1], place[2], place[3], place[4], place[5] = g, c, i, j, k, l
    return True


@njit(nogil=True, cache=True)
def _push(heap, bound, child):
    if heap.counts[0] == len(heap.bounds):
        _drop(heap)
    at = heap.counts[0]
    heap.counts[0] += 1
    while at > 0 and heap.bounds[(at - 1) // 2] < bound:
        heap.bounds[at] = heap.bounds[(at - 1) // 2]
        heap.nodes[at] = heap.nodes[(at - 1) // 2]
        at = (at - 1) // 2
    heap.bounds[at] = bound
    node = heap.nodes[at]
    node[0], node[1], node[2], node[3], node[4], node[5], node[6] = child


@njit(nogil=True, cache=True)
def _pop(heap):
    heap.counts[0] -= 1
    size, at = heap.counts[0], 0
    bound, node = heap.bounds[size], heap.nodes[size]
    while 2 * at + 1 < size:
        below = 2 * at + 1
        if below + 1 < size and heap.bounds[below + 1] > heap.bounds[below]:
            below += 1
        if heap.bounds[below] <= bound:
            break
        heap.bounds[at] = heap.bounds[below]
        heap.nodes[at] = heap.nodes[below]
        at = below
    heap.bounds[at] = bound
    heap.nodes[at] = node


@njit(nogil=True, cache=True)
def _drop(heap):
    """Keep the better half of a full heap, and the largest bound of the other half."""
    order = np.argsort(-heap.bounds, kind="mergesort")
    keep = (len(order) + 1) // 2
    lost = heap.bounds[order[keep:]].max()
    if heap.counts[2] == 0 or lost > heap.values[1]:
        heap.values[1] = lost
    heap.counts[2] = 1
    heap.bounds[:keep] = heap.bounds[order[:keep]]
    heap.nodes[:keep] = heap.nodes[order[:keep]]
    heap.counts[0] = keep


@njit(nogil=True, cache=True)
def best_range(
    weights: np.ndarray, tables: Tables, limits: Limits, axis: int, node: tuple[int, ...], work: Work,
) -> tuple[bool, float, int, int]:
    """An upper bound of the weights in a node, and the range along ``axis`` that has it.

    Args:
        weights: ``(n,)`` int64 or float64.
        tables, limits, work: as their classes say.
        axis: along which the range is sought; the strip lies across the other axis.
        node: g, c0, c1, i0, i1, j0, j1.

    Returns:
        (possible, bound, k, l); ``possible`` is False if the node holds no member.  Exact for a
        single direction and strip.
    """
    g, c0, c1, i0, i1, j0, j1 = node
    sided = tables.sided
    if sided and not _strip_possible(tables, 1 - axis, node):
        return False, weights[0], 0, 0
    if limits.plain:
        return _plain_range(weights, tables, axis, node)
    n, exact = len(weights), c0 == c1
    order, cross = tables.order[axis, g], tables.cross[axis, g]
    prefix, rank, queue = work.prefix, work.rank, work.queue
    certain, possible, va, vb = work.certain, work.possible, work.first, work.last
    longest, shortest = _allowance(tables, c0, c1)
    if sided:
        _project(tables, axis, g, c0, va)
        _project(tables, axis, g, c1, vb)
    prefix[0] = certain[0] = possible[0] = 0
    m = head = tail = push = forbidden = best_k = best_l = 0
    found, best = False, weights[0]
    for t in range(n):
        inside = i0 <= cross[t] and cross[t] <= j1
        if not inside and not sided:
            continue
        sure = i1 <= cross[t] and cross[t] <= j0
        w = weights[order[t]]
        gain, may = w - w, 0
        if inside and limits.zone[order[t]]:
            may = 1
            if sure or w > 0:
                gain = w
        elif sure:
            forbidden = m + 1
        rank[m] = t
        prefix[m + 1] = prefix[m] + gain
        certain[m + 1] = certain[m] + sure
        possible[m + 1] = possible[m] + may
        m += 1
        while push < m and possible[m] - possible[push] >= limits.min_area:
            if sided and _gap(va, vb, push, t) <= shortest:
                break
            if not (sided and exact and push > 0 and va[push] - va[push - 1] <= tables.tie):
                while tail > head and prefix[queue[tail - 1]] >= prefix[push]:
                    tail -= 1
                queue[tail] = push
                tail += 1
            push += 1
        while head < tail and (
            queue[head] < forbidden
            or certain[m] - certain[queue[head]] > limits.max_area
            or (sided and min(va[t] - va[queue[head]], vb[t] - vb[queue[head]]) > longest)
        ):
            head += 1
        if head == tail or (sided and exact and t + 1 < n and va[t + 1] - va[t] <= tables.tie):
            continue
        value = prefix[m] - prefix[queue[head]]
        if not found or value > best:
            found, best, best_k, best_l = True, value, rank[queue[head]], t
    return found, best, best_k, best_l


@njit(nogil=True, cache=True)
def _plain_range(weights, tables, axis, node):
    """:func:`best_range` without limits."""
    g, _, _, i0, i1, j0, j1 = node
    order, cross = tables.order[axis, g], tables.cross[axis, g]
    found = False
    best = run = weights[0]
    start = best_k = best_l = 0
    for t in range(len(weights)):
        r = cross[t]
        if r < i0 or r > j1:
            continue
        w = weights[order[t]]
        gain = w if w > 0 or (i1 <= r and r <= j0) else w - w
        if not found or run <= 0:
            run, start = gain, t
        else:
            run += gain
        if not found or run > best:
            found, best, best_k, best_l = True, run, start, t
    return found, best, best_k, best_l


@njit(nogil=True, cache=True)
def _allowance(tables, c0, c1):
    """(longest, shortest): what a length at one end of c0..c1 must not exceed, and what the gap
    between the neighbours must exceed at one end, for a range to be admissible somewhere in c0..c1.

    Inside a sector every difference of projections is monotone in the angle: the derivative along
    u is the difference along v, whose sign is fixed there.  So the ends have the extremes.  At one
    direction the limits are met to ``tie``, as the theory has it; over several the tolerance is on
    the safe side.
    """
    if c0 == c1:
        return tables.high + tables.tie, tables.low + tables.tie
    return tables.high + 2 * tables.tie, tables.low - tables.tie


@njit(nogil=True, cache=True)
def _project(tables, axis, g, c, out):
    """Projections on ``axis`` at direction c, in the sector's order."""
    x, y = tables.directions[c]
    if axis == 1:
        x, y = -y, x
    order = tables.order[axis, g]
    for t in range(len(order)):
        out[t] = x * tables.points[order[t], 0] + y * tables.points[order[t], 1]


@njit(nogil=True, cache=True)
def _gap(va, vb, k, l):
    """The larger distance, at the two ends, between the neighbours of the ranks k..l."""
    if k == 0 or l == len(va) - 1:
        return np.inf
    return max(va[l + 1] - va[k - 1], vb[l + 1] - vb[k - 1])


@njit(nogil=True, cache=True)
def _strip_possible(tables, axis, node):
    """Whether some strip of the node may have an admissible length at some of its directions."""
    g, c0, c1, i0, i1, j0, j1 = node
    order = tables.order[axis, g]
    final = len(order) - 1
    longest, shortest = _allowance(tables, c0, c1)
    if i1 <= j0 and min(_apart(tables, axis, c0, order[i1], order[j0]),
                        _apart(tables, axis, c1, order[i1], order[j0])) > longest:
        return False
    if i0 > 0 and j1 < final and max(
            _apart(tables, axis, c0, order[i0 - 1], order[j1 + 1]),
            _apart(tables, axis, c1, order[i0 - 1], order[j1 + 1])) <= shortest:
        return False
    if c0 == c1 and i0 == i1 and j0 == j1:  # a strip takes all points that tie
        if i0 > 0 and _apart(tables, axis, c0, order[i0 - 1], order[i0]) <= tables.tie:
            return False
        if j0 < final and _apart(tables, axis, c0, order[j0], order[j0 + 1]) <= tables.tie:
            return False
    return True


@njit(nogil=True, cache=True)
def _apart(tables, axis, c, p, q):
    """The projection of point q minus that of point p at direction c."""
    x, y = tables.directions[c]
    a = tables.points[q, 0] - tables.points[p, 0]
    b = tables.points[q, 1] - tables.points[p, 1]
    return x * a + y * b if axis == 0 else x * b - y * a
