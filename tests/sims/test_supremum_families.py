"""Suprema over any family of masks: one door, enumeration, all masks, and the order of families."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sims.streams import stream
from sims.supremum import (
    enumerated,
    extremes_of,
    inner_product_extremes,
    max_weight_mask,
    max_weight_rectangle,
    max_weight_rotated_rectangle,
)
from sims.supremum.enumerated import extremes_by_enumeration
from tests.sims.test_supremum_routes import SMALL, draw, over_masks
from theory.families import AllMasks, FiniteFamily, Parallelograms, Rectangles, RotatedRectangles

HOLES = np.indices((4, 5)).sum(axis=0) % 4 != 2
FAMILIES = [
    Rectangles(4, 5), Rectangles(4, 5, empty=True), Rectangles(5, 3, max_area=6, min_side=2, empty=True),
    Rectangles(4, 5, zone=HOLES), Rectangles(4, 5, zone=(1, 4, 0, 3), empty=True),
    Rectangles(4, 5, min_area=3, max_side=3, zone=HOLES, empty=True),
    RotatedRectangles(4, 5), RotatedRectangles(4, 5, empty=True), RotatedRectangles(5, 5, empty=True),
    RotatedRectangles(4, 5, max_area=4), RotatedRectangles(4, 5, min_side=1.5, max_side=3.0, empty=True),
    RotatedRectangles(4, 5, zone=HOLES, min_area=2), RotatedRectangles(6, 6, max_area=5, min_side=1.0),
    Parallelograms(4, 5), Parallelograms(3, 4, max_area=5, empty=True),
    AllMasks(3, 4), AllMasks(3, 4, empty=True), AllMasks(1, 1), AllMasks(1, 1, empty=True),
    FiniteFamily(np.array([[[1, -1, 1]], [[-1, -1, 1]], [[1, 1, 1]]])),
    FiniteFamily(np.array([[[1, -1, 1]], [[-1, -1, -1]]]), empty=True),
]


def check(family, w):
    """Values against the written-out family; witnesses are members with exactly these weights."""
    found = extremes_of(family, w, witnesses=True)
    high, low = over_masks(w.reshape(-1, *family.shape), family.masks())
    for masks, values, expected in ((found.argmax, found.maximum, high), (found.argmin, found.minimum, low)):
        assert isinstance(values, np.ndarray) and values.shape == w.shape[:-2]
        assert np.array_equal(values.ravel(), expected)
        assert masks.dtype == np.int8 and masks.shape == w.shape
        assert np.array_equal((w.astype(high.dtype) * (masks == 1)).sum(axis=(-2, -1)), values)
        assert all(mask in family for mask in masks.reshape(-1, *family.shape)[:6])
    bare = extremes_of(family, w)
    assert bare.argmax is None and bare.argmin is None and bare.exact
    assert np.array_equal(bare.maximum, found.maximum) and np.array_equal(bare.minimum, found.minimum)


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("family", FAMILIES, ids=repr)
def test_every_family_through_one_door(family, dtype):
    w = draw("door", (3, 5, *family.shape), dtype=dtype)
    w[0, 0], w[0, 1], w[0, 2] = -2, 2, 0  # the empty mask wins, loses, ties
    w[0, 3] = np.minimum(w[0, 3], 0)
    check(family, w)
    check(family, w[1, 2])


@pytest.mark.parametrize("height,width", [s for s in SMALL if s[0] * s[1] <= 12] + [(4, 4)])
@pytest.mark.parametrize("empty", [True, False])
def test_all_masks_against_the_written_out_family(height, width, empty):
    w = draw("all", (20, height, width))
    w[0], w[1] = -np.abs(w[0]), np.abs(w[1])
    check(AllMasks(height, width, empty=empty), w)


def test_all_masks_on_larger_grids_by_sorting():
    """The best k positions for the best k: a second route where the family cannot be written out."""
    w = draw("sorting", (30, 5, 5), -9, 9)
    w[0], w[1] = -np.abs(w[0]) - 1, np.abs(w[1]) + 1
    sums = np.cumsum(np.sort(w.reshape(30, 25))[:, ::-1], axis=1)
    lows = np.cumsum(np.sort(w.reshape(30, 25)), axis=1)
    found = extremes_of(AllMasks(5, 5), w)
    assert np.array_equal(found.maximum, sums.max(axis=1)) and np.array_equal(found.minimum, lows.min(axis=1))
    free = max_weight_mask(w)
    assert np.array_equal(free.maximum, np.maximum(sums.max(axis=1), 0))
    assert np.array_equal(free.minimum, np.minimum(lows.min(axis=1), 0))


def test_positions_of_weight_0_are_outside_the_best_mask():
    w = np.array([[0, 2, -1], [0, 0, 3]])
    found = max_weight_mask(w)
    assert found.argmax.tolist() == [[-1, 1, -1], [-1, -1, 1]]
    assert found.argmin.tolist() == [[-1, -1, 1], [-1, -1, -1]]
    one = extremes_of(AllMasks(2, 3), -np.abs(w), witnesses=True)
    assert int(one.maximum) == 0 and one.argmax.tolist() == [[1, -1, -1], [-1, -1, -1]]


def test_enumeration_ties_go_to_the_first_mask():
    family = Parallelograms(3, 3)
    w = draw("first", (40, 3, 3), -1, 1)
    found, masks = extremes_by_enumeration(family, w), family.masks()
    products = w.reshape(40, 9) @ (masks.reshape(-1, 9) == 1).T.astype(np.int64)
    assert np.array_equal(found.argmax, masks[products.argmax(axis=1)])
    assert np.array_equal(found.argmin, masks[products.argmin(axis=1)])


@pytest.mark.parametrize("value", [2**20, 2**23, 2**24 + 1, 2**50 + 1, 2**55 + 1])
def test_enumeration_is_exact_at_every_size_of_integers(value):
    """Products are formed as float32, float64 or int64: each within what it holds exactly."""
    w = draw("exact", (6, 2, 3), -2, 2) * value + draw("odd", (6, 2, 3), -1, 1)
    for family in (Rectangles(2, 3), Parallelograms(2, 3)):
        found = extremes_by_enumeration(family, w)
        high, low = over_masks(w, family.masks())
        assert found.maximum.dtype == np.int64
        assert np.array_equal(found.maximum, high) and np.array_equal(found.minimum, low)


@pytest.mark.parametrize("total", [2**24, 2**53])
def test_enumeration_of_odd_sums_at_the_ends_of_the_floats(total):
    w = np.full((2, 2), total // 4)
    w[0, 0] -= 1
    assert int(extremes_by_enumeration(Parallelograms(2, 2), w).maximum) == total - 1
    w[0, 0] += 2
    assert int(extremes_by_enumeration(Parallelograms(2, 2), w).maximum) == total + 1


@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.float64])
def test_enumeration_of_a_field_does_not_depend_on_the_batch(dtype, monkeypatch):
    w = stream("supremum tests/enumerated", 0).normal(size=(50, 4, 5))
    w = (w * 100).astype(dtype) if dtype == np.int64 else w.astype(dtype)
    family = Parallelograms(4, 5)
    whole = extremes_by_enumeration(family, w)
    parts = [extremes_by_enumeration(family, part) for part in (w[:1], w[1:8], w[8:])]
    monkeypatch.setattr(enumerated, "CHUNK_BYTES", 1)
    parts.append(extremes_by_enumeration(family, w))
    for name in ("maximum", "minimum", "argmax", "argmin"):
        joined = np.concatenate([getattr(part, name) for part in parts[:3]])
        assert np.array_equal(getattr(whole, name), joined)
        assert np.array_equal(getattr(whole, name), getattr(parts[3], name))


@pytest.mark.parametrize("family,values", [
    (Rectangles(3, 4), max_weight_rectangle), (RotatedRectangles(3, 4), max_weight_rotated_rectangle)],
    ids=["axis-aligned", "rotated"])
def test_inner_products_are_those_of_masks_of_signs(family, values):
    w = draw("signs", (30, 3, 4))
    products = w.reshape(30, 12) @ family.masks().reshape(-1, 12).astype(np.int64).T
    high, low = inner_product_extremes(w, values(w))
    assert np.array_equal(high, products.max(axis=1)) and np.array_equal(low, products.min(axis=1))


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(st.data())
def test_property_larger_families_have_larger_maxima(data):
    """axis-aligned <= rotated <= all masks, and the suprema of w and -w mirror each other."""
    shape = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    bits = data.draw(st.sampled_from([4, 20, 50]))
    w = data.draw(arrays(np.int64, (2, *shape), elements=st.integers(-(2**bits), 2**bits)))
    chain = [max_weight_rectangle(w), max_weight_rotated_rectangle(w), extremes_of(AllMasks(*shape), w)]
    for small, large in zip(chain[:-1], chain[1:], strict=True):
        assert np.all(small.maximum <= large.maximum) and np.all(small.minimum >= large.minimum)
    assert np.all(chain[0].maximum >= w.max(axis=(1, 2)))
    high, low = over_masks(w, RotatedRectangles(*shape).masks())
    assert np.array_equal(chain[1].maximum, high) and np.array_equal(chain[1].minimum, low)
    assert np.array_equal(max_weight_rotated_rectangle(-w).maximum, -low)
    assert np.array_equal(max_weight_rectangle(-w).maximum, -chain[0].minimum)


def test_the_door_refuses_other_grids_and_families_too_large_to_write_out():
    with pytest.raises(ValueError, match=r"grid of \(3, 3\), got shape \(2, 4, 3\)"):
        extremes_of(Rectangles(3, 3), np.ones((2, 4, 3)))
    with pytest.raises(ValueError, match="up to 7x7, got 8x8"):
        extremes_of(RotatedRectangles(8, 8, max_area=5), np.ones((8, 8)))
    with pytest.raises(ValueError, match="writes out at most"):
        extremes_by_enumeration(AllMasks(6, 6), np.ones((6, 6)))


SOLVERS = {"all": max_weight_mask, "finite": lambda w: extremes_of(FiniteFamily(np.ones((1, *w.shape[-2:]), dtype=np.int8)), w)}


@pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)
def test_float16_is_summed_in_float32_and_overflow_is_refused(solver):
    found = solver(np.full((30, 30), 200, dtype=np.float16))
    assert float(found.maximum) == 180000 and found.maximum.dtype == np.float32
    with pytest.raises(ValueError, match="finite in float32, got 8e\\+38"):
        solver(np.full((2, 2), 2e38, dtype=np.float32))
    with pytest.raises(ValueError, match="finite in float64, got inf"):
        solver(np.full((2, 2), 1e308))
    with pytest.raises(TypeError, match="float16, 32 or 64, got float128"):
        solver(np.ones((2, 2), dtype=np.longdouble))


def test_a_limit_that_excludes_nothing_is_none():
    w = np.random.default_rng(12).integers(-5, 6, (3, 9, 9))
    free = extremes_of(RotatedRectangles(9, 9), w)
    same = extremes_of(RotatedRectangles(9, 9, max_area=81, zone=np.ones((9, 9), dtype=bool)), w)
    assert np.array_equal(free.maximum, same.maximum) and np.array_equal(free.minimum, same.minimum)
