"""Relevance level: the fast routes against the plain double loop, closed forms, bad input."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.families import AllMasks, FiniteFamily, Rectangles, RotatedRectangles
from theory.rates import catching_rate_exact
from theory.relevance import (
    extreme_catching_exact,
    extreme_products,
    relevance_closed_form,
    relevance_level,
    relevance_level_exact,
)

GRIDS = [(1, 2), (2, 2), (1, 4), (2, 3), (3, 3)]


def by_pairs(family, masks):
    """Eq. 14 as it stands."""
    return min(catching_rate_exact(b, a) for b, a in product(list(family), list(masks)))


@pytest.mark.parametrize("grid", GRIDS)
def test_pairs_of_families(grid):
    families = [AllMasks(*grid, empty=True), AllMasks(*grid), Rectangles(*grid),
                Rectangles(*grid, max_area=2), Rectangles(*grid, empty=True)]
    if grid != (3, 3):
        families.append(RotatedRectangles(*grid))
    for one, two in product(families, repeat=2):
        if one.size * two.size > 30_000:
            continue
        assert relevance_level_exact(one, two) == by_pairs(one, two), (one, two)


@pytest.mark.parametrize("grid", [(1, 1), (1, 2), (2, 2), (2, 4), (3, 3)])
def test_rotated_rectangles_under_limits_on_the_area(grid):
    n = grid[0] * grid[1]
    for k, k2 in product(range(1, n + 1), repeat=2):
        pair = [RotatedRectangles(*grid, max_area=a) for a in (k, k2)]
        assert relevance_closed_form(*pair) == relevance_level_exact(*pair)
    free = RotatedRectangles(*grid)
    assert relevance_closed_form(RotatedRectangles(*grid, max_area=1), free) == (1 if n == 1 else -1)
    assert relevance_closed_form(RotatedRectangles(*grid, min_side=1.5), free) is None


@given(st.data())
def test_extremes_by_enumeration(data):
    grid = data.draw(st.sampled_from(GRIDS))
    family = data.draw(st.sampled_from([
        AllMasks(*grid), AllMasks(*grid, empty=True), Rectangles(*grid), Rectangles(*grid, empty=True),
        Rectangles(*grid, max_area=2), FiniteFamily(Rectangles(*grid).masks()[::2])]))
    mask = data.draw(AllMasks(*grid, empty=True).strategy())
    values = [catching_rate_exact(b, mask) for b in family]
    assert extreme_catching_exact(family, mask) == (max(values), min(values))


def test_limited_areas_on_every_small_grid():
    """rho = 1 - 4k'/n where two disjoint rectangles of the largest attained area fit."""
    seen = 0
    for h, w, k in product(range(1, 5), range(1, 5), range(1, 17)):
        family = Rectangles(h, w, max_area=k)
        formula = relevance_closed_form(family, family)
        if formula is not None:
            seen += 1
            assert formula == relevance_level_exact(family, family)
    assert seen > 60


def test_known_values():
    assert relevance_level_exact(Rectangles(7, 7, max_area=12), Rectangles(7, 7, max_area=12)) == 1 - Fraction(
        48, 49)
    assert relevance_level(Rectangles(7, 7), Rectangles(7, 7)) == -1.0
    zone = Rectangles(6, 6, zone=(1, 4, 1, 5))
    assert relevance_closed_form(zone, zone) == relevance_level_exact(zone, zone) == 1 - Fraction(24, 36)
    assert relevance_closed_form(Rectangles(3, 3, min_area=2), Rectangles(3, 3)) is None


def test_a_closed_form_of_zero_is_an_answer():
    half = Rectangles(2, 2, zone=(0, 1, 0, 2))
    assert relevance_closed_form(half, half) == relevance_level_exact(half, half) == 0


@given(st.data())
def test_supersets_have_the_smaller_level(data):
    grid = data.draw(st.sampled_from(GRIDS))
    masks = np.stack(data.draw(st.lists(AllMasks(*grid).strategy(), min_size=1, max_size=5)))
    small, large = Rectangles(*grid, max_area=2), Rectangles(*grid)
    assert relevance_level_exact(small, masks) >= relevance_level_exact(large, masks)


def test_transposition():
    masks = AllMasks(2, 3).sample(np.random.default_rng(0), 6)
    turned = np.swapaxes(masks, 1, 2)
    assert relevance_level_exact(Rectangles(2, 3), masks) == relevance_level_exact(Rectangles(3, 2), turned)


def test_bad_input():
    with pytest.raises(ValueError, match="share their grid"):
        relevance_level(Rectangles(2, 3), Rectangles(3, 2))
    with pytest.raises(ValueError, match="family's grid"):
        extreme_products(Rectangles(2, 3), np.ones((1, 3, 3)))
    with pytest.raises(ValueError, match="at least one mask"):
        relevance_level(Rectangles(2, 2), np.ones((0, 2, 2)))
    with pytest.raises(ValueError, match="got 0"):
        relevance_level(Rectangles(2, 2), np.zeros((1, 2, 2)))
    with pytest.raises(TypeError, match="booleans"):
        relevance_level(Rectangles(2, 2), np.ones((1, 2, 2), dtype=bool))
