"""Suprema over all rotated rectangles against written-out families and a slow search."""

from __future__ import annotations

import numpy as np
import pytest

from sims.streams import stream
from sims.supremum import max_weight_rectangle, max_weight_rotated_rectangle, rasterise
from sims.supremum.enumerated import extremes_by_enumeration
from tests.sims.test_supremum_routes import (
    SMALL,
    angles_between,
    draw,
    over_masks,
    rotated_at,
    slow_rotated,
)
from theory.families import RotatedRectangles
from theory.families.lattice import open_directions


def weights_of(w, masks):
    kind = np.int64 if w.dtype.kind in "iu" else np.float64
    return (w.astype(kind) * (masks == 1)).sum(axis=(-2, -1))


def check_witnesses(w, found, members=3, close=0.0):
    """Rasterised witnesses weigh what was returned; the first few are members of the family."""
    height, width = w.shape[-2:]
    family = RotatedRectangles(height, width)
    for places, values in ((found.argmax, found.maximum), (found.argmin, found.minimum)):
        assert places.dtype == np.float64 and places.shape == (*values.shape, 5)
        masks = rasterise(places, height, width)
        assert np.all(np.abs(weights_of(w, masks) - values) <= close)
        assert all(mask in family for mask in masks.reshape(-1, height, width)[:members])


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("height,width", SMALL)
def test_every_small_grid_against_the_written_out_family(height, width, dtype):
    w = draw("rotated", (37, height, width), dtype=dtype)
    w[0], w[1] = -3, 3
    found = max_weight_rotated_rectangle(w)
    high, low = over_masks(w, RotatedRectangles(height, width).masks())
    assert np.array_equal(found.maximum, high) and np.array_equal(found.minimum, low)
    assert found.maximum.dtype == (np.int64 if w.dtype.kind == "i" else dtype)
    assert found.exact and found.upper is None
    check_witnesses(w, found)


def test_7x7_against_all_382226_masks():
    w = draw("rotated 7x7", (8, 7, 7), -3, 3)
    family = RotatedRectangles(7, 7)
    every = extremes_by_enumeration(family, w, witnesses=False)
    found = max_weight_rotated_rectangle(w)
    assert family.size == 382226
    assert np.array_equal(found.maximum, every.maximum) and np.array_equal(found.minimum, every.minimum)
    check_witnesses(w, found)


@pytest.mark.parametrize("height,width,count", [(6, 7, 4), (7, 7, 3), (9, 9, 1), (3, 11, 3), (11, 3, 2),
                                                (1, 17, 5), (17, 1, 5), (8, 5, 2)])
def test_larger_grids_against_a_slow_search(height, width, count):
    w = draw("slow search", (count, height, width), -5, 5)
    found = max_weight_rotated_rectangle(w)
    assert [slow_rotated(one) for one in w] == found.maximum.tolist()
    assert [-slow_rotated(-one) for one in w] == found.minimum.tolist()
    check_witnesses(w, found)


@pytest.mark.parametrize("height,width", [(4, 5), (6, 6)])
def test_ties_go_to_the_smallest_angle_and_the_largest_first_rank(height, width):
    w = draw("rotated ties", (6, height, width), -1, 1)
    w[:, 0, 0] = 1  # some positive weight: the best box of ranks holds a position
    found = max_weight_rotated_rectangle(w)
    rows, columns = np.indices((height, width)).reshape(2, -1)
    for one, place, mask, value in zip(w, found.argmax, rasterise(found.argmax, height, width),
                                       found.maximum, strict=True):
        angles = angles_between(height, width)
        sums = [rotated_at(one, angle) for angle in angles]
        number = next(k for k, best in enumerate(sums) if best.max() == value)
        x, y = open_directions(height, width)[number]
        assert place[4] == np.arctan2(y, x)
        angle, best = angles[number], sums[number]
        u = np.cos(angle) * rows + np.sin(angle) * columns
        ranks = np.argsort(np.argsort(u))[(mask == 1).ravel()]
        assert ranks.min() == np.flatnonzero(best == value)[-1]


@pytest.mark.parametrize("shape", [(40, 4, 6), (3, 9, 8), (2, 12, 12)])
def test_flips_turns_and_signs_leave_the_values(shape):
    w = draw("rotated turns", shape, -6, 6)
    found = max_weight_rotated_rectangle(w)
    for turned in (w[:, ::-1], w[:, :, ::-1], w.swapaxes(1, 2), np.rot90(w, axes=(1, 2)), w[:, ::-1, ::-1]):
        after = max_weight_rotated_rectangle(turned)
        assert np.array_equal(found.maximum, after.maximum)
        assert np.array_equal(found.minimum, after.minimum)
        check_witnesses(turned, after, members=1)
    negated = max_weight_rotated_rectangle(-w)
    assert np.array_equal(negated.maximum, -found.minimum)
    assert np.array_equal(negated.minimum, -found.maximum)
    assert np.array_equal(negated.argmin, found.argmax) and np.array_equal(negated.argmax, found.argmin)


@pytest.mark.parametrize("height,width", [(13, 13), (5, 24), (24, 5)])
def test_a_planted_rotated_rectangle_is_found(height, width):
    """Weights +1 inside a member and -1 outside it: the maximum is its area, at the member itself."""
    pick = stream("supremum tests/planted", height)
    masks = RotatedRectangles(height, width, min_area=4).sample(pick, 5)
    found = max_weight_rotated_rectangle(masks)
    assert np.array_equal(found.maximum, (masks == 1).sum(axis=(1, 2)))
    assert np.array_equal(rasterise(found.argmax, height, width), masks)
    axis = max_weight_rectangle(masks)
    assert np.all(axis.maximum <= found.maximum) and np.any(axis.maximum < found.maximum)


@pytest.mark.parametrize("dtype,close", [(np.float16, 2e-2), (np.float32, 1e-5), (np.float64, 1e-13)])
@pytest.mark.parametrize("shape", [(40, 3, 3), (40, 5, 4), (20, 8, 8)])
def test_floats_are_exact_up_to_rounding_and_their_witnesses_too(shape, dtype, close):
    """Sums in another order round otherwise: a witness must be found all the same."""
    w = stream("supremum tests/rotated normal", 0).normal(size=shape).astype(dtype)
    found = max_weight_rotated_rectangle(w)
    assert found.maximum.dtype == (np.float64 if dtype == np.float64 else np.float32)
    if shape[1] < 8:
        high, low = over_masks(w, RotatedRectangles(*shape[1:]).masks())
        assert np.abs(found.maximum - high).max() < close and np.abs(found.minimum - low).max() < close
    check_witnesses(w, found, close=close)


def test_floats_of_quarters_agree_with_integers():
    w = draw("rotated quarters", (40, 6, 5), -6, 6)
    whole = max_weight_rotated_rectangle(w)
    for dtype in (np.float16, np.float32, np.float64):
        real = max_weight_rotated_rectangle((w / 4).astype(dtype))
        assert np.array_equal(real.maximum * 4, whole.maximum)
        assert np.array_equal(real.argmax, whole.argmax) and np.array_equal(real.argmin, whole.argmin)


@pytest.mark.parametrize("scale,dtype", [(1, "int16"), (10**6, "int32"), (10**14, "int64")])
def test_sums_in_every_integer_dtype(scale, dtype):
    from sims.supremum.axis_aligned import dtype_of_sums

    w = draw("rotated scales", (70, 4, 4), -9, 9)
    assert dtype_of_sums(w * scale, 5) == np.dtype(dtype)
    small, large = max_weight_rotated_rectangle(w), max_weight_rotated_rectangle(w * scale)
    assert np.array_equal(small.maximum * scale, large.maximum)
    assert np.array_equal(small.argmin, large.argmin) and np.array_equal(small.argmax, large.argmax)


@pytest.mark.parametrize("limits", [
    {"max_area": 6}, {"min_area": 5}, {"min_side": 1.5}, {"max_side": 2.0}, {"min_side": 1.0, "max_side": 2.5},
    {"zone": (0, 3, 1, 4)}, {"zone": np.indices((5, 4)).sum(axis=0) % 4 != 2, "max_area": 5}], ids=str)
@pytest.mark.parametrize("shape", [(3, 5, 4), (2, 6, 6)])
def test_limits_against_the_written_out_family(shape, limits):
    if shape[1:] != (5, 4) and isinstance(limits.get("zone"), np.ndarray):
        limits = limits | {"zone": np.indices(shape[1:]).sum(axis=0) % 4 != 2}
    w = draw("limited rotated", shape)
    family = RotatedRectangles(*shape[1:], **limits)
    found = max_weight_rotated_rectangle(w, **limits)
    high, low = over_masks(w, family.masks())
    assert np.array_equal(found.maximum, high) and np.array_equal(found.minimum, low)
    bare = max_weight_rotated_rectangle(w, witnesses=False, **limits)
    assert bare.argmax is None and np.array_equal(bare.maximum, high) and np.array_equal(bare.minimum, low)
    free = max_weight_rotated_rectangle(w)
    assert np.all(high <= free.maximum) and np.all(low >= free.minimum)
    for places, values in ((found.argmax, high), (found.argmin, low)):
        masks = rasterise(places, *shape[1:])
        assert np.array_equal(weights_of(w, masks), values)
        assert all(mask in family for mask in masks)


def test_without_witnesses_the_values_are_the_same():
    w = draw("rotated none", (70, 5, 6))
    found, bare = max_weight_rotated_rectangle(w), max_weight_rotated_rectangle(w, witnesses=False)
    assert bare.argmax is None and bare.argmin is None
    assert np.array_equal(found.maximum, bare.maximum) and np.array_equal(found.minimum, bare.minimum)


def test_exact_where_it_is_asked_for_and_refused_where_there_is_no_way():
    w = draw("exact", (2, 9, 8))
    default, asked = max_weight_rotated_rectangle(w), max_weight_rotated_rectangle(w, exact=True)
    assert np.array_equal(default.maximum, asked.maximum) and np.array_equal(default.argmax, asked.argmax)
    with pytest.raises(ValueError, match="with limits the supremum is exact up to 7x7, got 9x8"):
        max_weight_rotated_rectangle(w, max_area=5, exact=True)


@pytest.mark.parametrize("limits,words", [
    ({"min_area": 13}, "no rectangle meets the limits min_area=13"),
    ({"max_side": 0.0}, "max_side must be positive, got 0.0"),
    ({"min_side": float("nan")}, "min_side must be a finite length of at least 0, got nan"),
    ({"min_side": 3.0, "max_side": 2.0}, "min_side must be at most max_side, got 3.0 > 2.0"),
    ({"zone": (0, 4, 0, 4)}, r"got \(0, 4, 0, 4\)"),
])
def test_bad_limits(limits, words):
    with pytest.raises(ValueError, match=words):
        max_weight_rotated_rectangle(np.ones((3, 4)), **limits)
