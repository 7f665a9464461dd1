"""Axis-aligned suprema under limits on area, sides and zone."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sims.streams import stream
from sims.supremum import max_weight_rectangle
from sims.supremum.axis_aligned import side_limits
from tests.sims.test_supremum_routes import (
    SMALL,
    box_weights,
    boxes_in_order,
    draw,
    in_box,
    over_masks,
)
from theory.families import Rectangles


def box_mask(place, shape):
    mask = np.full(shape, -1, dtype=np.int8)
    mask[place[0]:place[1], place[2]:place[3]] = 1
    return mask


def check(w, limits, witnesses=4):
    """Values against all masks of the family; the first witnesses are members and attain them."""
    family = Rectangles(*w.shape[1:], **limits)
    found = max_weight_rectangle(w, **limits)
    high, low = over_masks(w, family.masks())
    assert np.array_equal(found.maximum, high) and np.array_equal(found.minimum, low)
    for k in range(min(witnesses, len(w))):
        for place, value in ((found.argmax[k], high[k]), (found.argmin[k], low[k])):
            assert in_box(w[k].astype(high.dtype), place) == value
            assert box_mask(place, w.shape[1:]) in family
    return found


def each_limit(height, width):
    """Every limit alone at every value, and areas and sides together."""
    n, long = height * width, max(height, width)
    alone = [{}] + [{"min_area": k} for k in range(n + 1)] + [{"max_area": k} for k in range(1, n + 1)]
    alone += [{"min_side": k} for k in range(min(height, width) + 1)]
    alone += [{"max_side": k} for k in range(1, long + 1)]
    both = [{"min_area": a, "max_area": b} for a, b in product((2, n // 2, n - 1), repeat=2)
            if 1 <= a <= b]
    sides = [{"min_side": a, "max_side": b} for a in (1, 2, 3) for b in range(a, long)
             if a <= min(height, width)]
    return alone + both + sides


@pytest.mark.parametrize("height,width", SMALL)
def test_each_limit_on_every_small_grid(height, width):
    w = draw("each limit", (33, height, width))
    w[0], w[1] = -2, 2
    tried = 0
    for limits in each_limit(height, width):
        try:
            Rectangles(height, width, **limits)
        except ValueError:
            with pytest.raises(ValueError, match="no rectangle meets the limits"):
                max_weight_rectangle(w, **limits)
            continue
        check(w, limits)
        tried += 1
    assert tried >= height * width


@pytest.mark.parametrize("height,width", [s for s in SMALL if s[0] * s[1] <= 6])
def test_every_zone_of_the_smallest_grids(height, width):
    w = draw("zones", (5, height, width))
    for bits in product((False, True), repeat=height * width):
        if any(bits):
            check(w, {"zone": np.array(bits).reshape(height, width)})


@pytest.mark.parametrize("height,width", [(5, 5), (4, 6), (6, 3)])
def test_every_box_as_a_zone(height, width):
    w = draw("boxes", (4, height, width))
    for box in boxes_in_order(height, width):
        free = np.zeros((height, width), dtype=bool)
        free[box[0]:box[1], box[2]:box[3]] = True
        found, same = check(w, {"zone": box}), max_weight_rectangle(w, zone=free)
        assert np.array_equal(found.argmax, same.argmax)
        assert np.array_equal(found.maximum, same.maximum)


@pytest.mark.parametrize("trial", range(60))
def test_random_limits_together(trial):
    pick = stream("supremum tests/random limits", trial)
    height, width = (int(x) for x in pick.integers(1, 8, size=2))
    n, limits = height * width, {}
    if pick.random() < 0.5:
        limits["min_area"] = int(pick.integers(1, n // 2 + 2))
    if pick.random() < 0.5:
        limits["max_area"] = int(pick.integers(limits.get("min_area", 1), n + 2))
    if pick.random() < 0.4:
        limits["min_side"] = int(pick.integers(1, 4))
    if pick.random() < 0.4:
        limits["max_side"] = int(pick.integers(limits.get("min_side", 1), 6))
    if pick.random() < 0.5:
        limits["zone"] = pick.random((height, width)) < 0.8
    w = draw("random limits", (9, height, width), seed=trial,
             dtype=[np.int16, np.int64, np.float32, np.float64][trial % 4])
    try:
        Rectangles(height, width, **limits).masks()
    except ValueError:
        with pytest.raises(ValueError, match="no rectangle meets the limits|at least one position"):
            max_weight_rectangle(w, **limits)
        return
    check(w, limits)


@pytest.mark.parametrize("width", [1, 2, 3, 7, 12])
def test_every_sliding_window_on_one_row(width):
    """All pairs (fewest, most columns), in every lane, against differences of prefix sums."""
    w = draw("windows", (35, 1, width), -9, 9)
    prefix = np.zeros((35, width + 1), dtype=np.int64)
    prefix[:, 1:] = w[:, 0].cumsum(axis=1)
    for few in range(1, width + 1):
        for many in range(few, width + 1):
            sums = np.concatenate([prefix[:, k:] - prefix[:, :-k] for k in range(few, many + 1)], axis=1)
            found = max_weight_rectangle(w, min_area=few, max_area=many)
            assert np.array_equal(found.maximum, sums.max(axis=1))
            assert np.array_equal(found.minimum, sums.min(axis=1))
            assert np.all(found.argmax[:, 3] - found.argmax[:, 2] <= many)
            assert np.all(found.argmin[:, 3] - found.argmin[:, 2] >= few)


@pytest.mark.parametrize("shape", [(3, 11, 14), (3, 14, 11)])
@pytest.mark.parametrize("limits", [
    {"max_area": 20}, {"min_area": 30, "max_area": 60}, {"min_side": 3, "max_side": 6},
    {"min_side": 2, "min_area": 25}, {"zone": (2, 9, 1, 10)},
    {"zone": np.indices((11, 14)).sum(axis=0) % 9 != 4, "max_side": 5},
    {"zone": np.indices((11, 14)).sum(axis=0) % 9 != 4},
], ids=str)
def test_larger_grids_and_the_order_of_ties(shape, limits):
    """Witnesses: the first admissible box by the stated order, in few values so that ties abound."""
    w = draw("ties", shape, -1, 1)
    if shape[1] > shape[2] and isinstance(limits.get("zone"), np.ndarray):
        limits = limits | {"zone": limits["zone"].T}
    admissible = set(map(tuple, Rectangles(*shape[1:], **limits).boxes().tolist()))
    zone = limits.get("zone")
    rows, columns = shape[1:]
    if isinstance(zone, tuple):
        rows, columns = zone[1] - zone[0], zone[3] - zone[2]
    wide = [(t, b, l, r) for t, b, l, r in boxes_in_order(*shape[1:])]
    wide.sort(key=lambda x: (x[0], x[1], x[3], x[2]) if rows <= columns else (x[2], x[3], x[1], x[0]))
    boxes = [box for box in wide if box in admissible]
    sums = box_weights(w, boxes)
    found = max_weight_rectangle(w, **limits)
    for k in range(len(w)):
        assert (sums[k].max(), sums[k].min()) == (found.maximum[k], found.minimum[k])
        assert boxes[sums[k].argmax()] == tuple(found.argmax[k])
        assert boxes[sums[k].argmin()] == tuple(found.argmin[k])


@pytest.mark.parametrize("limits", [{"max_area": 9}, {"min_side": 2, "max_side": 4},
                                    {"min_area": 6, "max_side": 5}])
def test_turns_and_signs_leave_the_values_under_limits(limits):
    w = draw("limited turns", (40, 5, 8), -6, 6)
    found = max_weight_rectangle(w, **limits)
    for turned in (w[:, ::-1], w[:, :, ::-1], w.swapaxes(1, 2), np.rot90(w, axes=(1, 2))):
        after = max_weight_rectangle(turned, **limits)
        assert np.array_equal(found.maximum, after.maximum)
        assert np.array_equal(found.minimum, after.minimum)
    negated = max_weight_rectangle(-w, **limits)
    assert np.array_equal(negated.maximum, -found.minimum)
    assert np.array_equal(negated.argmin, found.argmax)


def test_without_witnesses_the_values_are_the_same_under_limits():
    w = draw("limited none", (40, 6, 5))
    for limits in ({"max_area": 7}, {"zone": np.indices((6, 5)).sum(axis=0) != 4}):
        found, bare = max_weight_rectangle(w, **limits), max_weight_rectangle(w, witnesses=False, **limits)
        assert bare.argmax is None and bare.argmin is None
        assert np.array_equal(found.maximum, bare.maximum)
        assert np.array_equal(found.minimum, bare.minimum)


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(st.data())
def test_property_limits_and_their_order(data):
    """Exact on drawn grids, weights and limits; a tighter limit never increases the maximum."""
    shape = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    w = data.draw(arrays(np.int64, (2, *shape), elements=st.integers(-(2**40), 2**40)))
    n = shape[0] * shape[1]
    wide = {"min_area": data.draw(st.integers(0, n)), "max_area": None,
            "min_side": data.draw(st.integers(0, min(shape))), "max_side": None}
    zone = data.draw(arrays(bool, shape, elements=st.booleans()))
    zone[0, 0] |= not zone.any()
    tight = wide | {"max_area": data.draw(st.integers(max(1, wide["min_area"]), n)),
                    "max_side": data.draw(st.integers(max(1, wide["min_side"]), 5)), "zone": zone}
    loose = max_weight_rectangle(w, **wide)
    try:
        found = check(w, tight)
    except ValueError as error:
        assert "no rectangle meets the limits" in str(error)
        return
    assert np.all(found.maximum <= loose.maximum) and np.all(found.minimum >= loose.minimum)
    assert np.all(loose.maximum <= max_weight_rectangle(w).maximum)


@pytest.mark.parametrize("shape,limits", [
    ((3, 5), {}), ((4, 4), {"max_area": 5}), ((2, 7), {"min_side": 2, "max_side": 4, "min_area": 7}),
    ((5, 3), {"min_area": 8, "max_area": 11, "max_side": 4})])
def test_side_limits_count_the_family(shape, limits):
    """Fewest and most columns for each number of rows: as many boxes as the family has."""
    family = Rectangles(*shape, **limits)
    total = 0
    for h, (few, many) in enumerate(side_limits(family, *shape).tolist()):
        total += sum((shape[0] - h + 1) * (shape[1] - w + 1) for w in range(few, many + 1))
    assert total == family.size


@pytest.mark.parametrize("limits,words", [
    ({"min_area": -1}, "min_area must be an integer of at least 0, got -1"),
    ({"min_area": 2.5}, "min_area must be an integer of at least 0, got 2.5"),
    ({"min_area": 3, "max_area": 2}, "min_area must be at most max_area, got 3 > 2"),
    ({"min_area": 13}, "no rectangle meets the limits min_area=13"),
    ({"max_area": 0, "min_area": 0}, "no rectangle meets the limits min_area=0, max_area=0"),
    ({"max_side": 0}, "max_side must be an integer of at least 1, got 0"),
    ({"min_side": 3, "max_side": 2}, "min_side must be at most max_side, got 3 > 2"),
    ({"min_side": 4}, "no rectangle meets the limits min_side=4"),
    ({"min_area": 11, "max_area": 11}, "no rectangle meets the limits min_area=11, max_area=11"),
    ({"zone": (0, 4, 0, 4)}, r"0 <= top < bottom <= 3 .* got \(0, 4, 0, 4\)"),
    ({"zone": np.ones((3, 4), dtype=int)}, "must be boolean, got int64"),
    ({"zone": np.ones((4, 3), dtype=bool)}, r"shape \(3, 4\), got shape \(4, 3\)"),
    ({"zone": np.zeros((3, 4), dtype=bool)}, "at least one position, got none"),
    ({"zone": np.eye(3, 4, dtype=bool), "min_area": 2}, "no rectangle meets the limits .*<3 of 12"),
])
def test_bad_limits(limits, words):
    with pytest.raises(ValueError, match=words):
        max_weight_rectangle(np.ones((3, 4)), **limits)
    with pytest.raises(ValueError, match=words):
        max_weight_rectangle(np.ones((2, 3, 4), dtype=np.int8), witnesses=False, **limits)
