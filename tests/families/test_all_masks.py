"""AllMasks: sizes of any magnitude, lazy iteration."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from tests.families.oracles import all_masks, keys
from theory.families import AllMasks


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (2, 3), (3, 4)])
@pytest.mark.parametrize("empty", [False, True])
def test_every_mask_once(shape, empty):
    expected = keys(all_masks(*shape)) - (set() if empty else keys([np.full(shape, -1)]))
    family = AllMasks(*shape, empty=empty)
    assert keys(family) == expected and family.size == len(expected)


def test_size_is_exact_beyond_machine_integers():
    family = AllMasks(20, 30)
    assert family.size == 2**600 - 1 and AllMasks(20, 30, empty=True).size == 2**600
    with pytest.raises(OverflowError):
        len(family)
    assert family
    with pytest.raises(ValueError, match="at most 268435456 entries"):
        family.masks()


def test_iteration_is_lazy():
    first = list(islice(AllMasks(20, 30), 3))
    assert [int((m == 1).sum()) for m in first] == [1, 1, 2]


def test_sample_of_a_large_grid():
    drawn = AllMasks(40, 40).sample(np.random.default_rng(0), 50)
    assert abs(drawn.mean()) < 4 / np.sqrt(drawn.size)
    assert (AllMasks(1, 1).sample(np.random.default_rng(0), 100) == 1).all()
