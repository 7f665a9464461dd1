"""Rectangles: closed-form sizes, boxes and membership against four loops."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from tests.families.oracles import CORNER, RING, boxes, keys
from theory.families import Rectangles

LIMITS = [
    {}, {"min_area": 3}, {"max_area": 4}, {"min_area": 2, "max_area": 6}, {"min_side": 2},
    {"max_side": 2}, {"min_side": 2, "max_side": 3}, {"min_side": 2, "max_area": 6},
    {"max_side": 3, "min_area": 4}, {"min_area": 7, "max_area": 7},
]


def as_mask(shape: tuple[int, int], box: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.full(shape, -1, dtype=np.int8)
    mask[box[0]:box[1], box[2]:box[3]] = 1
    return mask


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (4, 3), (5, 7)])
@pytest.mark.parametrize("limits", LIMITS, ids=str)
def test_against_four_loops(shape, limits):
    expected = boxes(*shape, **limits)
    if not expected:
        with pytest.raises(ValueError, match="no rectangle meets the limits"):
            Rectangles(*shape, **limits)
        return
    family = Rectangles(*shape, **limits)
    assert family.size == len(expected)
    assert sorted(map(tuple, family.boxes().tolist())) == sorted(expected)
    assert keys(family) == keys([as_mask(shape, box) for box in expected])


@pytest.mark.parametrize("limits", [{}, {"min_area": 2}, {"max_side": 2}, {"max_area": 2}])
@pytest.mark.parametrize("zone", [RING, CORNER, RING & CORNER[::-1]])
def test_any_zone_against_four_loops(zone, limits):
    expected = boxes(3, 3, zone=zone, **limits)
    family = Rectangles(3, 3, zone=zone, **limits)
    assert family.size == len(expected)
    assert sorted(map(tuple, family.boxes().tolist())) == sorted(expected)
    assert np.array_equal(family.zone, zone)


def test_a_box_zone_is_the_smaller_grid():
    family = Rectangles(6, 8, zone=(1, 4, 2, 7), min_area=2)
    small = Rectangles(3, 5, min_area=2)
    assert family.size == small.size
    assert np.array_equal(family.boxes(), small.boxes() + [1, 1, 2, 2])
    cells = np.zeros((6, 8), dtype=bool)
    cells[1:4, 2:7] = True
    again = Rectangles(6, 8, zone=cells, min_area=2)
    assert again.zone == family.zone == (1, 4, 2, 7)
    assert np.array_equal(again.boxes(), family.boxes())


def test_size_is_the_binomial_formula_on_any_grid():
    for h, w in [(7, 7), (14, 14), (100_000, 3)]:
        assert Rectangles(h, w).size == (h * (h + 1) // 2) * (w * (w + 1) // 2)
    big = Rectangles(50_000, 10**12)
    assert big.size == (50_000 * 50_001 // 2) * (10**12 * (10**12 + 1) // 2)
    with pytest.raises(OverflowError):
        len(big)


def test_size_of_a_random_zone_on_a_larger_grid():
    zone = np.random.default_rng(3).random((9, 11)) < 0.8
    assert Rectangles(9, 11, zone=zone).size == len(boxes(9, 11, zone=zone))
    limits = {"min_area": 3, "max_area": 12, "min_side": 2, "max_side": 5}
    assert Rectangles(9, 11, zone=zone, **limits).size == len(boxes(9, 11, zone=zone, **limits))


def test_boxes_are_in_the_order_of_iteration():
    for family in [Rectangles(3, 4, max_area=6), Rectangles(3, 3, zone=CORNER)]:
        for box, mask in zip(family.boxes(), family, strict=True):
            assert np.array_equal(as_mask(family.shape, tuple(box)), mask)


def test_transpose_and_flips():
    family, turned = Rectangles(3, 5, max_side=4, min_area=2), Rectangles(5, 3, max_side=4,
                                                                          min_area=2)
    masks = family.masks()
    assert keys(masks.swapaxes(1, 2)) == keys(turned)
    assert keys(masks[:, ::-1]) == keys(masks[:, :, ::-1]) == keys(masks)


def test_membership_on_a_large_grid():
    family = Rectangles(50, 60, min_side=3, max_side=40, max_area=600, zone=(5, 50, 0, 60))
    assert as_mask((50, 60), (5, 20, 10, 50)) in family
    for box in [(5, 7, 0, 9), (5, 21, 10, 50), (4, 8, 0, 9), (6, 9, 0, 41)]:
        assert as_mask((50, 60), box) not in family
    holed = as_mask((50, 60), (5, 20, 10, 40))
    holed[10, 20] = -1
    assert holed not in family


def test_large_families_iterate_sample_and_refuse_to_be_written_out():
    family = Rectangles(100, 100, empty=True)
    first = list(islice(family, 3))
    assert [int((m == 1).sum()) for m in first] == [0, 1, 1]
    drawn = family.sample(np.random.default_rng(0), 200)
    assert all(mask in family for mask in drawn)
    # Mean number of rows of a uniform rectangle: sum h (H-h+1) / sum (H-h+1) = (H+2)/3 = 34;
    # its sd is 23.7, so 4 standard errors are 6.7.
    rows = (drawn == 1).any(axis=2).sum(axis=1)
    assert abs(rows.mean() - 34) < 6.7
    with pytest.raises(ValueError, match="boxes"):
        family.boxes()
    with pytest.raises(ValueError, match="entries"):
        family.masks()


def test_strategy_shrinks_to_one_pixel_in_the_corner():
    from hypothesis import find, settings

    quiet = settings(database=None, derandomize=True)
    assert np.array_equal(find(Rectangles(4, 5).strategy(), lambda m: True, settings=quiet),
                          as_mask((4, 5), (0, 1, 0, 1)))
    least = find(Rectangles(4, 5).strategy(), lambda m: (m == 1).sum() >= 5, settings=quiet)
    assert (least == 1).sum() == 5
