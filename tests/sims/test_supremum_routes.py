"""Second routes to the suprema, slow and plain, and that they agree with one another."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from sims.streams import stream
from theory.families import Rectangles, RotatedRectangles

SMALL = list(product(range(1, 6), repeat=2))
"""Every grid up to 5x5."""


def draw(name, shape, low=-4, high=4, seed=0, dtype=np.int64):
    """Integer weights low..high from the stream of a name."""
    return stream(f"supremum tests/{name}", seed).integers(low, high + 1, size=shape).astype(dtype)


def over_masks(weights, masks):
    """Largest and smallest support weight of ``(B, H, W)`` over ``(m, H, W)`` masks, in Python's order.

    int64 for integers, float64 for floats.
    """
    kind = np.int64 if weights.dtype.kind in "iu" else np.float64
    flat = weights.reshape(len(weights), -1).astype(kind)
    members = (masks.reshape(len(masks), -1) == 1).astype(kind)
    products = np.stack([members @ one for one in flat])
    return products.max(axis=1), products.min(axis=1)


def boxes_in_order(height, width):
    """All half-open boxes by top, bottom, right, then left; where H > W by left, right, bottom, top."""
    if height > width:
        turned = boxes_in_order(width, height)
        return [(c, d, a, b) for a, b, c, d in turned]
    return [(top, bottom, left, right) for top in range(height)
            for bottom in range(top + 1, height + 1)
            for right in range(1, width + 1) for left in range(right)]


def box_weights(weights, boxes):
    """Weights ``(B, m)`` of boxes from one integral image, in Python integers or float64."""
    count, height, width = weights.shape
    image = np.zeros((count, height + 1, width + 1), dtype=np.result_type(weights.dtype, np.int64))
    image[:, 1:, 1:] = weights.astype(image.dtype).cumsum(axis=1).cumsum(axis=2)
    t, b, l, r = np.array(boxes).T
    return image[:, b, r] - image[:, t, r] - image[:, b, l] + image[:, t, l]


def in_box(weights, place):
    """The weight of a half-open box that must lie in the grid and not be empty."""
    top, bottom, left, right = (int(x) for x in place)
    assert 0 <= top < bottom <= weights.shape[0] and 0 <= left < right <= weights.shape[1]
    return weights[top:bottom, left:right].sum()


def angles_between(height, width):
    """One angle in each interval of [0, 90) degrees in which no two positions have one projection.

    From the angles of all differences, in floats: not by :mod:`theory.families.lattice`.
    """
    steps = {(a, b) for a in range(height) for b in range(-width + 1, width) if (a, b) > (0, 0)}
    critical = sorted({round(math.atan2(b, a) % (math.pi / 2), 9) for a, b in steps} | {0.0})
    critical = [a for a in critical if a < math.pi / 2 - 1e-8] + [math.pi / 2]
    return [(a + b) / 2 for a, b in zip(critical[:-1], critical[1:], strict=True)]


def rotated_at(weights, angle):
    """For each first rank i: the largest weight of a box of ranks from i on, in one direction.

    ``weights``: one ``(H, W)`` matrix.  The permuted matrix has one weight in each row and column; a
    box of ranks may hold no position, weight 0.
    """
    height, width = weights.shape
    rows, columns = np.indices(weights.shape).reshape(2, -1)
    u = np.argsort(np.argsort(math.cos(angle) * rows + math.sin(angle) * columns))
    v = np.argsort(np.argsort(math.cos(angle) * columns - math.sin(angle) * rows))
    n = height * width
    ranked = np.zeros((n, n), dtype=np.result_type(weights.dtype, np.int64))
    ranked[u, v] = weights.ravel()
    best = []
    for i in range(n):
        prefix = np.zeros((n - i, n + 1), dtype=ranked.dtype)
        prefix[:, 1:] = ranked[i:].cumsum(axis=0).cumsum(axis=1)
        best.append((prefix[:, 1:] - np.minimum.accumulate(prefix, axis=1)[:, :-1]).max())
    return np.array(best)


def slow_rotated(weights):
    """Largest weight over all rotated rectangles of one matrix: every direction, every pair of ranks.

    Weights that are all at most 0: a single position (the boxes of ranks without one do not count).
    """
    if weights.max() <= 0:
        return weights.max()
    return max(rotated_at(weights, angle).max() for angle in angles_between(*weights.shape))


@pytest.mark.parametrize("height,width", [(1, 1), (2, 3), (4, 2), (4, 5)])
def test_boxes_in_order_are_the_family(height, width):
    boxes = boxes_in_order(height, width)
    assert len(set(boxes)) == len(boxes) == Rectangles(height, width).size
    assert set(boxes) == set(map(tuple, Rectangles(height, width).boxes().tolist()))
    w = draw("order", (9, height, width))
    sums = box_weights(w, boxes)
    assert np.array_equal(sums, [[in_box(one, box) for box in boxes] for one in w])
    high, low = over_masks(w, Rectangles(height, width).masks())
    assert np.array_equal(sums.max(axis=1), high) and np.array_equal(sums.min(axis=1), low)


def test_boxes_in_order_of_a_tall_grid_turn_those_of_a_wide_one():
    assert boxes_in_order(1, 2) == [(0, 1, 0, 1), (0, 1, 1, 2), (0, 1, 0, 2)] or \
        boxes_in_order(1, 2) == [(0, 1, 0, 1), (0, 1, 0, 2), (0, 1, 1, 2)]
    assert boxes_in_order(2, 1) == [(c, d, a, b) for a, b, c, d in boxes_in_order(1, 2)]


@pytest.mark.parametrize("height,width", [(1, 1), (1, 4), (3, 3), (2, 5), (5, 4), (5, 5)])
def test_slow_rotated_against_the_written_out_family(height, width):
    w = draw("slow", (12, height, width))
    w[0], w[1, 0, 0] = -np.abs(w[0]) - 1, 9
    high, low = over_masks(w, RotatedRectangles(height, width).masks())
    assert [slow_rotated(one) for one in w] == high.tolist()
    assert [-slow_rotated(-one) for one in w] == low.tolist()


@pytest.mark.parametrize("height,width,number", [(1, 1, 1), (2, 2, 2), (7, 7, 24), (9, 9, 44), (14, 14, 116)])
def test_angles_between_are_as_many_as_the_open_directions(height, width, number):
    from theory.families.lattice import open_directions

    angles, directions = angles_between(height, width), open_directions(height, width)
    assert len(angles) == len(directions) == number
    ends = np.arctan2(directions[:, 1], directions[:, 0])
    assert np.all(np.diff(angles) > 0) and np.all(np.diff(ends) > 0)
