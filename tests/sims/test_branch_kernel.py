"""Nodes, bounds and tables of the branch and bound, each against going through everything."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from sims.streams import stream
from sims.supremum.branch import max_weight_rotated_interval
from sims.supremum.branch_kernel import Heap, Limits, Work, _half, _pop, _push, best_range
from sims.supremum.branch_tables import held, tables
from theory.families.lattice import TOLERANCE, open_directions

SIDES = [(0.0, math.inf), (0.0, 1.5), (1.0, 2.0), (1.4, math.inf), (2.0, 2.0), (math.sqrt(2), math.sqrt(5))]


def work_for(n, dtype=np.int64):
    return Work(np.empty(n + 1, dtype), *np.empty((2, n + 1), np.int64), *np.empty((2, n), np.int64),
                *np.empty((2, n)))


def runs(found, axis, g, c):
    """Rank ranges (first, last) of a direction that a closed interval of admissible length holds."""
    x, y = found.directions[c]
    along = np.array([x, y] if axis == 0 else [-y, x])
    v = found.points[found.order[axis, g]] @ along
    n = len(v)
    for i in range(n):
        for j in range(i, n):
            below, above = v[i] - v[i - 1] if i else math.inf, v[j + 1] - v[j] if j + 1 < n else math.inf
            if below <= TOLERANCE or above <= TOLERANCE:
                continue
            span = v[j] - v[i]
            if span <= found.high + TOLERANCE and found.low < below + span + above - TOLERANCE:
                yield i, j


def leaves(found, limits, weights, g, c):
    """{(i, j): best weight} over the strips of one direction, by going through all pairs of ranges."""
    across = list(runs(found, 1, g, c))
    best = {}
    for (i, j), (k, l) in product(runs(found, 0, g, c), across):
        inside = held(found, np.array([g, c, i, j, k, l]))
        if limits.min_area <= inside.sum() <= limits.max_area and not np.any(inside & ~limits.zone):
            best[i, j] = max(best.get((i, j), -math.inf), weights[inside].sum())
    return best


@pytest.mark.parametrize("low,high", SIDES)
@pytest.mark.parametrize("height,width", [(1, 4), (2, 2), (2, 3), (3, 3)])
def test_bounds_of_nodes_against_all_their_strips(height, width, low, high):
    g = stream(f"branch/nodes/{height}x{width}/{low}/{high}", 0)
    found, n = tables(height, width, low, high), height * width
    work = work_for(n)
    tight = total = 0
    for trial in range(9):
        weights = g.integers(-4, 5, size=n) - (0, 2, 5)[trial % 3]
        limits = [Limits(1, n, np.ones(n, bool), not found.sided), Limits(2, max(2, n - 3), np.ones(n, bool), False),
                  Limits(1, n, g.random(n) < 0.8, False)][trial // 3]
        sector = int(g.integers(len(found.starts) - 1))
        lo, hi = int(found.starts[sector]), int(found.starts[sector + 1]) - 1
        best = {c: leaves(found, limits, weights, sector, c) for c in range(lo, hi + 1)}
        for c, (i, j) in product(best, zip(*np.triu_indices(n), strict=True)):
            some, value, k, l = best_range(weights, found, limits, 1, (sector, c, c, i, i, j, j), work)
            assert some == ((i, j) in best[c])
            if some:
                assert value == best[c][i, j]
                assert weights[held(found, np.array([sector, c, i, j, k, l]))].sum() == value
        for _ in range(80):
            c0, c1 = np.sort(g.integers(lo, hi + 1, size=2)).tolist()
            i0, i1 = np.sort(g.integers(n, size=2)).tolist()
            j0, j1 = np.sort(g.integers(n, size=2)).tolist()
            j0, i1 = max(i0, j0), min(i1, j1)
            if i0 > i1 or j0 > j1:
                continue
            inside = [v for c in range(c0, c1 + 1) for (i, j), v in best[c].items() if i0 <= i <= i1 and j0 <= j <= j1]
            some, bound, _, _ = best_range(weights, found, limits, 1, (sector, c0, c1, i0, i1, j0, j1), work)
            if inside:
                assert some and bound >= max(inside)
                tight += bound == max(inside)
                total += 1
    assert total == 0 or tight > 0.2 * total


def test_the_two_axes_are_one_problem():
    """The best range along u for a strip across v is that of the weights turned by 90 degrees."""
    g = stream("branch/axes", 0)
    found, n = tables(4, 4, 0.0, math.inf), 16
    limits = Limits(1, n, np.ones(n, bool), True)
    for _ in range(60):
        weights = g.integers(-4, 5, size=n)
        sector = int(g.integers(len(found.starts) - 1))
        i, j = np.sort(g.integers(n, size=2)).tolist()
        values = [weights[held(found, np.array([sector, 0, k, l, i, j]))].sum()
                  for k in range(n) for l in range(k, n) if held(found, np.array([sector, 0, k, l, i, j])).any()]
        some, value, k, l = best_range(weights, found, limits, 0, (sector, 0, 0, i, i, j, j), work_for(n))
        assert some and value == max(values)
        assert weights[held(found, np.array([sector, 0, k, l, i, j]))].sum() == value


@pytest.mark.parametrize("height,width,limits", [(7, 8, {}), (5, 9, {"min_area": 5, "max_area": 12})])
def test_larger_grids_against_all_boxes_of_ranks(height, width, limits):
    """Beyond 7x7: integral images over the ranks of both projections, every box of ranks."""
    w = stream(f"branch/boxes/{height}x{width}", 0).integers(-3, 4, size=(2, height, width))
    n = height * width
    points = np.indices((height, width)).reshape(2, -1)
    low, high = limits.get("min_area", 1), limits.get("max_area", n)
    best = np.full((2, 2), -np.inf)
    for x, y in open_directions(height, width):
        u, v = np.argsort(np.argsort(x * points[0] + y * points[1])), np.argsort(np.argsort(-y * points[0] + x * points[1]))
        sums = np.zeros((3, n + 1, n + 1), dtype=np.int64)
        sums[0, u + 1, v + 1] = 1
        for k in range(2):
            sums[k + 1, u + 1, v + 1] = w[k].ravel()
        sums = sums.cumsum(1).cumsum(2)
        for i in range(n):
            strips = sums[:, i + 1:] - sums[:, i:i + 1]
            boxes = strips[:, :, None, :] - strips[:, :, :, None]
            good = (boxes[0] >= low) & (boxes[0] <= high)
            for k in range(2):
                if good.any():
                    values = boxes[k + 1][good]
                    best[k] = np.maximum(best[k], [values.max(), -values.min()])
    found = max_weight_rotated_interval(w, **limits)
    assert found.exact
    assert np.array_equal(found.maximum, best[:, 0]) and np.array_equal(found.minimum, -best[:, 1])


def test_halves_share_the_strips_between_them():
    g = stream("branch/halves", 0)

    def strips(node):
        _, c0, c1, i0, i1, j0, j1 = node
        return [(c, i, j) for c in range(c0, c1 + 1) for i in range(i0, i1 + 1) for j in range(j0, j1 + 1) if i <= j]

    for _ in range(300):
        c0, c1 = np.sort(g.integers(6, size=2)).tolist()
        i0, i1, j0, j1 = (x for _ in range(2) for x in np.sort(g.integers(8, size=2)).tolist())
        node = (0, c0, c1, i0, i1, j0, j1)
        whole = strips(node)
        if len(whole) > 1:
            parts = [strips(_half(*node, half)) for half in range(2)]
            assert sorted(parts[0] + parts[1]) == whole
            assert max(map(len, parts)) < len(whole) or 0 in map(len, parts)


def test_the_heap_returns_the_largest_bound_first_and_drops_the_worse_half():
    g = stream("branch/queue", 0)
    heap = Heap(np.empty(64, np.int64), np.empty((64, 7), np.int64), np.zeros(3, np.int64), np.zeros(2, np.int64),
                np.full(6, -1, np.int64))
    bounds = g.integers(0, 40, size=60)
    for value in bounds.tolist():
        _push(heap, value, (value, 0, 0, 0, 0, 0, 0))
    out = []
    while heap.counts[0] > 30:
        assert heap.nodes[0, 0] == heap.bounds[0]
        out.append(int(heap.bounds[0]))
        _pop(heap)
    assert out == sorted(bounds.tolist(), reverse=True)[:30] and heap.counts[2] == 0
    bounds = sorted([*heap.bounds[:30].tolist(), *range(34)], reverse=True)
    for value in range(34):
        _push(heap, value, (value, 0, 0, 0, 0, 0, 0))
    _push(heap, 50, (50, 0, 0, 0, 0, 0, 0))
    assert heap.counts[0] == 33 and heap.counts[2] == 1
    assert heap.values[1] == bounds[32] and heap.bounds[0] == 50
    assert sorted(heap.bounds[:33].tolist(), reverse=True) == [50, *bounds[:32]]


@pytest.mark.parametrize("height,width,low,high", [(3, 4, 0.0, math.inf), (4, 4, 1.0, 2.5), (1, 5, 1.5, 2.0)])
def test_orders_sort_the_projections_at_every_direction_of_the_sector(height, width, low, high):
    found = tables(height, width, low, high)
    assert found.starts[0] == 0 and found.starts[-1] == len(found.directions)
    for g in range(len(found.starts) - 1):
        assert found.starts[g] < found.starts[g + 1]
        for x, y in found.directions[found.starts[g]:found.starts[g + 1]]:
            for axis, along in enumerate(([x, y], [-y, x])):
                order = found.order[axis, g]
                assert sorted(order.tolist()) == list(range(height * width))
                assert (np.diff(found.points[order] @ np.array(along)) > -1e-12).all()
                assert np.array_equal(found.order[1 - axis, g][found.cross[axis, g]], order)
