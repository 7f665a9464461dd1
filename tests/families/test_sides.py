"""Limits on the sides of rotated rectangles: events, closed ends, brute force, analytic cases."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.families.oracles import all_masks, keys, random_masks
from theory.families import Rectangles, RotatedRectangles
from theory.families.bits import codes_of_masks
from theory.families.lattice import event_angles, lattice_points, range_codes

SIDES = [(0, 1), (1, 1), (1, 2), (0.5, 1.5), (math.sqrt(2), math.sqrt(2)), (2.5, None), (1, None),
         (6, 7), (0.2, 0.3), (0, 3)]


def limited(shape, low, high, **rest) -> RotatedRectangles:
    return RotatedRectangles(*shape, min_side=low, max_side=high, **rest)


@pytest.mark.parametrize(("low", "high"), SIDES)
@pytest.mark.parametrize("shape", [(3, 3), (2, 5)])
def test_random_rectangles_within_the_limits_are_members_and_reach_nearly_all(shape, low, high):
    drawn = random_masks(*shape, 60_000, seed=4, low=low, high=high or math.inf)
    family = limited(shape, low, high)
    assert np.isin(codes_of_masks(drawn), family.bits()).all()
    assert len(drawn) >= 0.85 * family.size


@pytest.mark.parametrize(("low", "high"), [(0, 1.7), (1, 2), (0.8, 1.2), (2, None), (0, 3)])
@pytest.mark.parametrize("shape", [(3, 3), (2, 4)])
def test_a_dense_sweep_of_angles_finds_the_enumeration(shape, low, high):
    """Brute force over 4001 angles and interval ends on and beside the projections."""
    points = lattice_points(*shape).astype(float)
    top = math.inf if high is None else high
    found = set()
    for angle in np.linspace(0, math.pi / 2, 4001):
        axes = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        held = []
        for values in (points @ axes.T).T:
            starts = np.concatenate([values, values - low, values - min(top, 9)])
            starts = np.concatenate([starts - 1e-7, starts, starts + 1e-7])
            sets = set()
            for length in {low, min(top, 9.0), *(abs(values[:, None] - values).ravel())}:
                if low <= length <= top:
                    inside = ((values >= starts[:, None] - 1e-9)
                              & (values <= starts[:, None] + length + 1e-9))
                    sets |= set((inside @ (1 << np.arange(len(values)))).tolist())
            held.append(np.array(sorted(sets)))
        found |= set((held[0][:, None] & held[1]).ravel().tolist())
    family = limited(shape, low, high)
    assert found - {0} == set(family.bits().tolist())


@pytest.mark.parametrize("high", [0.3, 1, math.sqrt(2), 1.9, 3])
def test_membership_with_max_side_is_the_enumeration(high):
    """Tight boxes at candidate angles against ranges of ranks, all 512 masks of 3x3."""
    family = RotatedRectangles(3, 3, max_side=high)
    bits = set(family.bits().tolist())
    every = all_masks(3, 3)
    assert [mask in family for mask in every] == [c in bits for c in codes_of_masks(every).tolist()]


@pytest.mark.parametrize("shape", [(3, 3), (4, 5), (1, 7)])
def test_a_limit_that_never_binds_gives_the_exact_enumeration(shape):
    """Floating-point candidates against integer mediants."""
    exact = np.sort(RotatedRectangles(*shape).bits())
    assert np.array_equal(np.sort(RotatedRectangles(*shape, max_side=100).bits()), exact)
    assert np.array_equal(np.sort(RotatedRectangles(*shape, min_side=1e-6).bits()), exact)


def test_closed_ends():
    whole = np.ones((4, 4))
    assert whole in RotatedRectangles(4, 4, max_side=3)
    assert whole not in RotatedRectangles(4, 4, max_side=3 - 1e-6)
    assert whole in RotatedRectangles(4, 4, max_side=3, min_side=3)
    pixel = np.full((3, 3), -1)
    pixel[1, 1] = 1
    # A side of 2 about the centre pixel would touch its neighbours.
    assert pixel in RotatedRectangles(3, 3, min_side=2 - 1e-6)
    assert pixel not in RotatedRectangles(3, 3, min_side=2)
    diagonal = 2 * np.eye(9, dtype=int) - 1
    assert diagonal in RotatedRectangles(9, 9, max_side=8 * math.sqrt(2))
    # A rectangle tilted by less than atan(1/15) against the diagonal misses the neighbours.
    shortest = 8 * math.sqrt(2) * math.cos(math.atan(1 / 15))
    assert diagonal in RotatedRectangles(9, 9, max_side=shortest + 1e-6)
    assert diagonal not in RotatedRectangles(9, 9, max_side=shortest - 1e-6)


@pytest.mark.parametrize("high", [0.5, 1, 2, 2.9, 3])
def test_a_row_of_pixels_by_the_diagonal(high):
    """On 1 x W the longest run lies along the diagonal: k - 1 <= max_side sqrt(2)."""
    longest = math.floor(high * math.sqrt(2)) + 1
    family = RotatedRectangles(1, 7, max_side=high)
    assert family.size == sum(8 - k for k in range(1, min(longest, 7) + 1))
    wide = RotatedRectangles(1, 30, max_side=high)
    for k in range(1, 9):
        run = np.full((1, 30), -1)
        run[0, 11:11 + k] = 1
        assert (run in wide) == (k <= longest)


def test_a_row_of_pixels_meets_every_min_side():
    """A large rectangle cuts any run out of a line with one of its corners."""
    assert RotatedRectangles(1, 7, min_side=50).size == 28


@pytest.mark.parametrize("limits", [
    {"max_side": 2}, {"min_side": 2}, {"min_side": 2, "max_side": 3}, {"max_side": 1},
    {"min_side": 2, "max_side": 3, "min_area": 5, "zone": (0, 4, 1, 4)}])
@pytest.mark.parametrize("shape", [(4, 4), (4, 5)])
def test_rectangles_are_rotated_rectangles_under_the_same_limits(shape, limits):
    assert keys(Rectangles(*shape, **limits)) <= keys(RotatedRectangles(*shape, **limits))


@pytest.mark.parametrize(("low", "high"), [(0, 1.3), (1, 2), (2.2, None)])
def test_symmetries_keep_the_limits(low, high):
    for shape in [(3, 3), (3, 4)]:
        masks = limited(shape, low, high).masks()
        assert keys(masks[:, ::-1]) == keys(masks[:, :, ::-1]) == keys(masks)
        assert keys(masks.swapaxes(1, 2)) == keys(limited(shape[::-1], low, high))


def test_tighter_limits_give_smaller_families():
    families = [keys(limited((4, 4), low, high))
                for low, high in [(0, None), (0, 3), (0.5, 3), (0.5, 2), (1, 2), (1.5, 1.5)]]
    for larger, smaller in zip(families, families[1:], strict=False):
        assert smaller <= larger
    assert [len(f) for f in families] == [2101, 1139, 1139, 235, 235, 121]


def test_event_angles_are_where_differences_have_the_length():
    a, b = np.indices((4, 5)).reshape(2, -1)
    for length in (0.7, 1.0, 2.5):
        for angle in event_angles(4, 5, (length,)):
            u = np.array([math.cos(angle), math.sin(angle)])
            seen = [abs(s * a * x + b * y) for s in (1, -1) for x, y in (u, (-u[1], u[0]))]
            assert np.abs(np.array(seen) - length).min() < 1e-9
            assert 0 <= angle <= math.pi / 2


def test_range_codes_by_hand():
    values = np.array([3.0, 0.0, 1.0, 1.0])
    assert sorted(range_codes(values, 1e-9, 0, math.inf).tolist()) == [1, 2, 12, 13, 14, 15]
    assert sorted(range_codes(values, 1e-9, 0, 1.0).tolist()) == [1, 2, 12, 14]
    assert sorted(range_codes(values, 1e-9, 2.5, 2.5).tolist()) == [1, 2, 12, 13, 14]
    # A closed interval of length 3 about the two ones touches 0 or 3.
    assert sorted(range_codes(values, 1e-9, 3.0, 3.0).tolist()) == [1, 2, 13, 14, 15]
    assert sorted(range_codes(values, 1e-9, 3.1, 9.0).tolist()) == [1, 2, 13, 14, 15]


def test_min_side_beyond_7x7():
    family = RotatedRectangles(9, 9, min_side=2, max_side=4)
    with pytest.raises(ValueError, match="membership with min_side is computed up to 7x7"):
        np.ones((9, 9)) in family  # noqa: B015
    drawn = family.sample(np.random.default_rng(0), 50)
    loose = RotatedRectangles(9, 9, max_side=4)
    assert all(mask in loose for mask in drawn)
    # Sides of at least 2 hold a disc of radius 1, which holds 2 centres or more.
    assert (drawn == 1).sum(axis=(1, 2)).max() >= 9
