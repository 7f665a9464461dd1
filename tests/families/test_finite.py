"""FiniteFamily: duplicates, order, the empty mask."""

from __future__ import annotations

import numpy as np
import pytest

from theory.families import FiniteFamily, Rectangles

A, B, C = [[1, -1], [1, 1]], [[1, 1], [1, 1]], [[-1, -1], [-1, -1]]


def test_duplicates_go_and_the_order_stays():
    family = FiniteFamily(iter([np.array(B), A, B, np.array(A, dtype=float)]))
    assert family.size == 2 and [m.tolist() for m in family] == [B, A]
    assert family.shape == (2, 2) and family.masks().dtype == np.int8
    assert A in family and B in family and [[1, 1], [-1, 1]] not in family


def test_array_and_list_give_the_same_family():
    masks = Rectangles(2, 3).masks()
    assert np.array_equal(FiniteFamily(masks).masks(), masks)
    assert np.array_equal(FiniteFamily(np.concatenate([masks, masks])).masks(), masks)
    assert FiniteFamily(list(masks)).size == len(masks)


def test_later_changes_of_the_input_do_not_reach_the_family():
    masks = np.array([A, B])
    family = FiniteFamily(masks)
    masks[:] = -1
    assert [m.tolist() for m in family] == [A, B]


def test_the_empty_mask_needs_empty_true():
    with pytest.raises(ValueError, match="only with empty=True, got it at index 1"):
        FiniteFamily([A, C])
    family = FiniteFamily([A, C], empty=True)
    assert family.empty and C in family and family.size == 2
    without = FiniteFamily([A], empty=True)
    assert not without.empty and C not in without and without.size == 1


@pytest.mark.parametrize(("masks", "error", "message"), [
    ([], ValueError, "at least one mask"),
    (np.ones((0, 2, 2)), ValueError, "at least one mask"),
    ([[[1, 0]]], ValueError, "got 0"),
    ([[[1, 1]], [[1], [1]]], ValueError, "one shape"),
    (np.ones((1, 1, 2, 2)), ValueError, r"\(n, H, W\)"),
    (np.ones((1, 2, 2), dtype=bool), TypeError, "booleans"),
    (3, TypeError, "iterable"),
])
def test_bad_masks(masks, error, message):
    with pytest.raises(error, match=message):
        FiniteFamily(masks)
