"""RotatedRectangles and Parallelograms without limits on the sides: exact enumeration."""

from __future__ import annotations

import math
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings

from tests.families.oracles import CORNER, all_masks, keys, random_masks
from theory.families import Parallelograms, Rectangles, RotatedRectangles
from theory.families.bits import codes_of_masks
from theory.families.lattice import critical_directions, lattice_points, open_directions
from theory.rectangle import Rectangle, hard_mask

COUNTS = {(1, 1): 1, (1, 7): 28, (2, 2): 15, (3, 3): 201, (4, 4): 2101, (5, 5): 15742}


@pytest.mark.parametrize("shape", COUNTS)
def test_known_counts(shape):
    assert RotatedRectangles(*shape).size == COUNTS[shape]
    if min(shape) > 1:
        assert Parallelograms(*shape).size == COUNTS[shape]


def test_larger_counts_and_members():
    """The counts were found by this code; members and neighbours go through membership."""
    rng = np.random.default_rng(0)
    for n, count in [(6, 87354), (7, 382226)]:
        family = RotatedRectangles(n, n)
        assert family.size == count
        bits = np.sort(family.bits())
        assert len(np.unique(bits)) == count
        masks = np.concatenate([family.sample(rng, 200), random_masks(n, n, 400, seed=n)])
        near = masks.copy()
        near[np.arange(len(near)), rng.integers(n, size=len(near)),
             rng.integers(n, size=len(near))] *= -1
        assert np.isin(codes_of_masks(masks), bits).all()
        expected = np.isin(codes_of_masks(near), bits)
        assert 20 < expected.sum() < len(near) - 20
        assert [mask in family for mask in near] == expected.tolist()


@pytest.mark.parametrize("family", [RotatedRectangles(2, 2), RotatedRectangles(3, 3),
                                    RotatedRectangles(4, 4), Parallelograms(3, 5)], ids=repr)
def test_membership_of_every_mask_is_the_enumeration(family):
    """Tight boxes of a given mask against ranges of ranks: two algorithms, all 2^n masks."""
    bits = family.bits()
    every = all_masks(*family.shape)
    if family.height == 4:  # the 65,536 masks of 4x4: every seventh, and all members
        every = np.concatenate([every[::7], family.masks()])
    expected = np.isin(codes_of_masks(every), bits)
    assert [mask in family for mask in every] == expected.tolist()


@pytest.mark.deep
def test_membership_of_every_mask_on_4x4():
    family = RotatedRectangles(4, 4)
    assert sum(mask in family for mask in all_masks(4, 4)) == 2101


@pytest.mark.parametrize("shape", [(2, 2), (3, 3), (2, 5), (4, 3)])
def test_random_rectangles_are_members_and_reach_all(shape):
    drawn = random_masks(*shape, 150_000, seed=2)
    family = RotatedRectangles(*shape)
    assert np.isin(codes_of_masks(drawn), family.bits()).all()
    assert len(drawn) >= 0.9 * family.size
    if shape in [(2, 2), (3, 3)]:
        assert len(drawn) == family.size


@pytest.mark.parametrize("shape", [(5, 5), (6, 7), (9, 12)])
def test_random_rectangles_on_larger_grids_are_members(shape):
    family = RotatedRectangles(*shape)
    assert all(mask in family for mask in random_masks(*shape, 400, seed=1))


@pytest.mark.parametrize("shape", [(2, 4), (3, 5), (6, 4), (4, 4)])
def test_hard_masks_of_equation_5_are_parallelograms(shape):
    rng = np.random.default_rng(7)
    n = 20_000
    parameters = np.concatenate([rng.uniform(-0.2, 1.2, (n, 2)), rng.uniform(0.01, 0.9, (n, 2)),
                                 rng.uniform(-math.pi, math.pi, (n, 1))], axis=1)
    drawn = np.unique(hard_mask(Rectangle.from_array(parameters), *shape), axis=0)
    drawn = drawn[(drawn == 1).any(axis=(1, 2))]
    family = Parallelograms(*shape)
    assert np.isin(codes_of_masks(drawn), family.bits()).all()
    assert all(mask in family for mask in drawn[:200])
    assert len(drawn) > {(2, 4): 0.98, (6, 4): 0.25}.get(shape, 0.4) * family.size


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_parallelograms_are_rotated_rectangles_on_square_grids(n):
    assert np.array_equal(np.sort(Parallelograms(n, n).bits()),
                          np.sort(RotatedRectangles(n, n).bits()))


def test_the_two_families_differ_off_square_grids():
    """By hand: rows (2i, j) in Eq. 5 times 4; the box 0 <= x+y <= 4, -4 <= y-x <= 0 holds the T."""
    tee = np.array([[1, -1, -1, -1, -1], [1, 1, 1, -1, -1], [1, -1, -1, -1, -1]])
    slant = np.array([[1, 1, 1, 1, -1], [-1, 1, 1, -1, -1], [-1, 1, -1, -1, -1]])
    rotated, parallel = RotatedRectangles(3, 5), Parallelograms(3, 5)
    assert tee in parallel and tee not in rotated
    assert slant in rotated and slant not in parallel
    for mask, family in [(tee, parallel), (slant, rotated)]:
        assert mask.astype(np.int8).tobytes() in keys(family)
    assert keys(RotatedRectangles(2, 3)) == keys(Parallelograms(2, 3))


@pytest.mark.parametrize("shape", [(1, 5), (3, 3), (3, 4), (5, 5)])
def test_flips_transposes_and_quarter_turns(shape):
    masks = RotatedRectangles(*shape).masks()
    known = keys(masks)
    assert keys(masks[:, ::-1]) == keys(masks[:, :, ::-1]) == known
    other = keys(RotatedRectangles(*shape[::-1]))
    assert keys(masks.swapaxes(1, 2)) == keys(np.rot90(masks, axes=(1, 2))) == other


def test_flips_and_transposes_of_parallelograms():
    masks = Parallelograms(3, 5).masks()
    assert keys(masks[:, ::-1]) == keys(masks[:, :, ::-1]) == keys(masks)
    assert keys(masks.swapaxes(1, 2)) == keys(Parallelograms(5, 3))


@pytest.mark.parametrize("shape", [(1, 6), (3, 5), (5, 5)])
def test_rectangles_are_rotated_rectangles(shape):
    boxes = keys(Rectangles(*shape))
    assert boxes <= keys(RotatedRectangles(*shape))
    if min(shape) > 1:
        assert boxes < keys(Parallelograms(*shape))


@pytest.mark.parametrize("limits", [
    {"min_area": 4}, {"max_area": 3}, {"min_area": 2, "max_area": 7}, {"zone": (1, 4, 0, 3)},
    {"zone": CORNER, "max_area": 4}])
@pytest.mark.parametrize("kind", [RotatedRectangles, Parallelograms])
def test_area_and_zone_filter_the_masks(kind, limits):
    shape = (3, 3) if limits.get("zone") is CORNER else (4, 5)
    every = kind(*shape).masks() == 1
    area = every.sum(axis=(1, 2))
    good = (area >= limits.get("min_area", 1)) & (area <= limits.get("max_area", 99))
    if "zone" in limits:
        zone = np.zeros(shape, dtype=bool)
        if limits["zone"] is CORNER:
            zone = CORNER
        else:
            zone[1:4, 0:3] = True
        good &= ~(every & ~zone).any(axis=(1, 2))
    assert keys(kind(*shape, **limits)) == keys(2 * every[good].astype(np.int8) - 1)


@pytest.mark.parametrize("kind", [Rectangles, RotatedRectangles, Parallelograms])
def test_min_area_0_does_not_admit_the_empty_mask(kind):
    family = kind(3, 3, min_area=0)
    assert keys(family) == keys(kind(3, 3)) and np.full((3, 3), -1) not in family
    assert kind(3, 3, min_area=0, empty=True).size == family.size + 1


def test_critical_directions_are_sorted_coprime_and_complete():
    for shape, steps in [((3, 3), (1, 1)), ((4, 6), (1, 1)), ((3, 5), (2, 1)), ((1, 4), (1, 1))]:
        found = critical_directions(*shape, steps)
        angles = [math.atan2(y, x) for x, y in found]
        assert angles == sorted(set(angles)) and angles[0] == 0 and angles[-1] < math.pi / 2
        assert all(math.gcd(x, y) == 1 for x, y in found)
        points = lattice_points(*shape, steps)
        expected = set()
        for d in (points[:, None] - points).reshape(-1, 2).tolist():
            if d != [0, 0]:
                expected.add(round(math.atan2(d[1], d[0]) % (math.pi / 2), 9) % 1.570796327)
        assert {round(a, 9) for a in angles} == expected | {0.0}


def test_orders_are_constant_between_critical_directions():
    points = lattice_points(4, 5)
    ends = [*critical_directions(4, 5), (0, 1)]
    for (x0, y0), (x1, y1), middle in zip(ends, ends[1:], open_directions(4, 5), strict=False):
        order = np.argsort(points @ middle)
        assert len(np.unique(points @ middle)) == 20
        for t in (0.01, 0.5, 0.99):
            angle = (1 - t) * math.atan2(y0, x0) + t * math.atan2(y1, x1)
            assert np.array_equal(np.argsort(points @ [math.cos(angle), math.sin(angle)]), order)


def test_beyond_7x7():
    family = RotatedRectangles(8, 5, empty=True)
    for use in (lambda: family.size, lambda: len(family), lambda: iter(family), family.bits,
                family.masks):
        with pytest.raises(ValueError, match=r"up to 7x7, got 8x5 \(membership, sample and"):
            use()
    assert RotatedRectangles(7, 7).enumerable and not family.enumerable
    assert np.full((8, 5), -1) in family and np.ones((8, 5)) in family
    drawn = family.sample(np.random.default_rng(0), 200)
    blank = ~(drawn == 1).any(axis=(1, 2))
    assert 70 < blank.sum() < 130 and all(mask in family for mask in drawn)


def test_an_iteration_in_progress_and_a_second_one_agree():
    family, same = RotatedRectangles(5, 6), RotatedRectangles(5, 6)
    first = iter(family)
    ahead = list(islice(first, 3000))
    both = [*ahead, *first]
    assert np.array_equal(np.stack(both), np.stack(list(same)))


@pytest.mark.parametrize("family", [
    RotatedRectangles(12, 9), RotatedRectangles(12, 9, min_area=6, max_area=40, zone=(2, 12, 0, 8)),
    RotatedRectangles(10, 10, max_side=4.5, min_area=4), Parallelograms(9, 14, max_area=30),
    RotatedRectangles(1, 40)], ids=repr)
def test_sample_and_strategy_beyond_7x7_give_members(family):
    drawn = family.sample(np.random.default_rng(3), 60)
    assert drawn.shape == (60, *family.shape) and drawn.dtype == np.int8
    assert all(mask in family for mask in drawn)
    assert len(keys(drawn)) > 30

    @settings(max_examples=20, deadline=None)
    @given(family.strategy())
    def check(mask):
        assert mask in family

    check()
