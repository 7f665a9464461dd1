"""Laws of every family, over a catalogue with all kinds of limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from tests.families.oracles import CATALOGUE, all_masks, keys
from theory.families import (
    AllMasks,
    Family,
    FiniteFamily,
    Parallelograms,
    Rectangles,
    RotatedRectangles,
)
from theory.families.bits import codes_of_masks, masks_of_codes, masks_of_ints

each = pytest.mark.parametrize("family", CATALOGUE, ids=repr)


@each
def test_iteration_has_no_repeats_and_size_members(family: Family):
    members = list(family)
    assert len(members) == len(keys(members)) == family.size == len(family)
    assert isinstance(family.size, int)
    assert all(m.dtype == np.int8 and m.shape == family.shape for m in members)


@each
def test_membership_iff_enumerated(family: Family):
    members = keys(family)
    for mask in all_masks(*family.shape):
        assert (mask in family) == (mask.tobytes() in members), mask


@each
def test_empty_mask_only_if_asked_for(family: Family):
    blank = np.full(family.shape, -1)
    assert (blank in family) == family.empty == any((m == -1).all() for m in family)


@each
def test_masks_and_bits_are_the_iteration(family: Family):
    members = np.stack(list(family))
    assert np.array_equal(family.masks(), members) and family.masks().dtype == np.int8
    assert np.array_equal(family.bits(), codes_of_masks(members))
    assert np.array_equal(masks_of_codes(family.bits(), *family.shape), members)


@each
def test_sample_is_uniform_over_members(family: Family):
    """Chi-square with a fixed seed; false alarms for 1 seed in 1000."""
    n = 30 * family.size
    drawn = family.sample(np.random.default_rng(5), n)
    assert drawn.shape == (n, *family.shape) and drawn.dtype == np.int8
    codes, counts = np.unique(codes_of_masks(drawn), return_counts=True)
    assert np.isin(codes, family.bits()).all()
    if family.size > 1:
        full = np.zeros(family.size)
        full[np.searchsorted(np.sort(family.bits()), codes)] = counts
        assert chisquare(full).pvalue > 1e-3


@each
def test_sample_depends_on_the_generator_only(family: Family):
    first = family.sample(np.random.default_rng(1), 20)
    np.random.seed(0)  # noqa: NPY002
    assert np.array_equal(first, family.sample(np.random.default_rng(1), 20))
    assert family.sample(np.random.default_rng(1), 0).shape == (0, *family.shape)


@each
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_strategy_draws_members(family: Family, data: st.DataObject):
    mask = data.draw(family.strategy())
    assert mask in family
    assert mask.dtype == np.int8 and mask.shape == family.shape


@pytest.mark.parametrize("family", [AllMasks(2, 2, empty=True), Rectangles(2, 3),
                                    Rectangles(2, 2, empty=True), RotatedRectangles(2, 2),
                                    RotatedRectangles(3, 3, max_area=2)], ids=repr)
def test_strategy_reaches_every_member(family: Family):
    seen = set()

    @settings(max_examples=1500, deadline=None, derandomize=True, database=None)
    @given(family.strategy())
    def draw(mask: np.ndarray) -> None:
        seen.add(mask.tobytes())

    draw()
    assert seen == keys(family)


@each
def test_members_can_be_changed_without_changing_the_family(family: Family):
    before = family.masks()
    for mask in family:
        mask[:] = 0
    family.sample(np.random.default_rng(0), 3)[:] = 0
    family.masks()[:] = 0
    assert np.array_equal(family.masks(), before)


@each
def test_families_are_frozen_and_true(family: Family):
    with pytest.raises(AttributeError, match="frozen"):
        family.height = 5
    with pytest.raises(AttributeError, match="frozen"):
        del family.height
    assert family


@each
def test_what_is_no_mask_of_the_grid_is_no_member(family: Family):
    h, w = family.shape
    member = next(iter(family))
    assert member.tolist() in family and member.astype(float) in family
    assert np.ones((h, w + 1)) not in family
    assert member[None] not in family
    assert np.zeros((h, w)) not in family
    assert 0.5 * member not in family
    for value in (0, 2, np.nan):
        other = np.ones((h, w))
        other[-1, -1] = value
        assert other not in family
    assert np.ones((h, w), dtype=bool) not in family
    assert np.full((h, w), "1") not in family
    assert [[1], [1, -1]] not in family
    assert None not in family


def test_repr_reads_as_the_constructor():
    for family in CATALOGUE:
        text = repr(family)
        if "<" not in text:
            names = {"AllMasks": AllMasks, "Rectangles": Rectangles,
                     "RotatedRectangles": RotatedRectangles, "Parallelograms": Parallelograms}
            again = eval(text, names)
            assert repr(again) == text and np.array_equal(again.bits(), family.bits())
    assert repr(CATALOGUE[4]) == "Rectangles(3, 4, min_area=2, max_area=6, max_side=3)"
    assert repr(CATALOGUE[6]) == "Rectangles(3, 3, zone=<8 of 9 positions>, empty=True)"
    assert "FiniteFamily(<3 masks of 1x3>, empty=True)" == repr(CATALOGUE[-1])


def test_torch_tensors_are_masks():
    import torch
    assert torch.ones(3, 3) in Rectangles(3, 3)
    assert FiniteFamily(torch.ones(1, 2, 2)).size == 1


def test_codes_of_large_and_small_grids():
    assert masks_of_ints([0, 5, 2**69], 7, 10)[2].ravel().tolist() == [-1] * 69 + [1]
    whole = masks_of_codes(np.array([2**64 - 1], dtype=np.uint64), 8, 8)
    assert (whole == 1).all() and codes_of_masks(whole)[0] == 2**64 - 1
    with pytest.raises(ValueError, match="at most 64 positions, got 65"):
        codes_of_masks(np.ones((1, 5, 13)))
    mask = masks_of_codes(np.array([6], dtype=np.uint64), 2, 2)[0]
    assert mask.tolist() == [[-1, 1], [1, -1]]
