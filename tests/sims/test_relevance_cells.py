"""Relevance levels under area limits: tables against enumeration, closed forms, witnesses."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

from sims.family_names import RECTANGLES, ROTATED, family_of
from sims.relevance import (
    area_differences,
    attained_areas,
    farthest_pair,
    relevance_lower_bound,
    relevance_under_limits,
)
from sims.relevance_cells import KIND, PRESETS, SCHEMES, cells, compute
from sims.relevance_codes import (
    difference_table,
    differences_by_area,
    extreme_code_differences,
    orbits,
)
from theory.families import Rectangles, RotatedRectangles
from theory.families.bits import codes_of_masks
from theory.rates import catching_rate_exact
from theory.relevance import relevance_closed_form, relevance_level_exact

GRIDS = [(1, 4), (2, 2), (2, 3), (3, 3), (3, 4)]


def every_limit(family, grid):
    n = grid[0] * grid[1]
    return [(k, k2) for k in range(1, n + 1) for k2 in range(1, n + 1)]


@pytest.mark.parametrize("family", [RECTANGLES, ROTATED])
@pytest.mark.parametrize("grid", GRIDS)
def test_tables_against_the_level_by_enumeration(family, grid):
    """Pairs of limits, against the minimum over pairs of masks in theory.relevance."""
    limits = every_limit(family, grid)
    for k, k2 in limits if len(limits) < 100 else limits[::5]:
        maps, truths = (family_of(family, *grid, max_area=x) for x in (k, k2))
        assert relevance_under_limits(family, *grid, k, k2) == relevance_level_exact(maps, truths)


@pytest.mark.parametrize("grid", [(2, 3), (4, 4), (5, 3)])
def test_shapes_in_opposite_corners_against_all_pairs_of_codes(grid):
    family = Rectangles(*grid)
    assert np.array_equal(area_differences(RECTANGLES, *grid),
                          difference_table(family.bits(), grid))


def test_closed_forms_where_they_speak():
    spoken = 0
    for grid in [(3, 3), (4, 5), (7, 7)]:
        for k, k2 in every_limit(RECTANGLES, grid):
            form = relevance_closed_form(*(Rectangles(*grid, max_area=x) for x in (k, k2)))
            if form is not None:
                assert relevance_under_limits(RECTANGLES, *grid, k, k2) == form
                spoken += 1
    assert spoken > 500


@pytest.mark.parametrize("grid", [(1, 5), (3, 5), (4, 4), (5, 5), (4, 6)])
def test_rotated_rectangles_attain_the_lower_bound_for_every_pair_of_limits(grid):
    """max(-1, 1 - 2(k + k')/n): a sweep without ties cuts off any number of positions."""
    for k, k2 in every_limit(ROTATED, grid):
        assert (relevance_under_limits(ROTATED, *grid, k, k2)
                == relevance_lower_bound(k, k2, grid[0] * grid[1])
                == max(Fraction(-1), 1 - Fraction(2 * (k + k2), grid[0] * grid[1])))


@pytest.mark.deep
def test_rotated_rectangles_attain_the_lower_bound_on_7x7():
    for k, k2 in every_limit(ROTATED, (7, 7)):
        assert relevance_under_limits(ROTATED, 7, 7, k, k2) == relevance_lower_bound(k, k2, 49)


def test_a_sweep_without_ties_gives_nested_rotated_rectangles():
    """The argument itself: prefixes of a generic order are members, also beyond 7 x 7."""
    height, width = 8, 9
    family = RotatedRectangles(height, width)
    order = np.argsort((np.arange(height)[:, None] + np.sqrt(2) / 20 * np.arange(width)).ravel())
    for k in (1, 7, 20, 36, 50, 71):
        for part in (order[:k], order[-k:]):
            mask = np.full(height * width, -1, dtype=np.int8)
            mask[part] = 1
            assert mask.reshape(height, width) in family


@pytest.mark.parametrize("grid", [(3, 3), (4, 6), (7, 7), (14, 14)])
def test_limiting_the_maps_alone_hardly_helps_axis_aligned_rectangles(grid):
    """-1 from one full row (or column) on, -1 + 2/n below; never better than that."""
    n = grid[0] * grid[1]
    for k in range(1, n + 1):
        want = Fraction(-1) if k >= min(grid) else -1 + Fraction(2, n)
        assert relevance_under_limits(RECTANGLES, *grid, k, n) == want


def test_limiting_both_raises_it_strictly_until_the_grid_is_half_full():
    for family in (RECTANGLES, ROTATED):
        for k in attained_areas(family, 5, 5):
            assert (relevance_under_limits(family, 5, 5, k, k) > -1) == (k <= 12)


@pytest.mark.parametrize("family", [RECTANGLES, ROTATED])
def test_the_level_is_symmetric_falls_with_limits_and_keeps_the_bound(family):
    n, table = 20, {}
    for k, k2 in every_limit(family, (4, 5)):
        table[k, k2] = relevance_under_limits(family, 4, 5, k, k2)
        assert table[k, k2] >= relevance_lower_bound(k, k2, n)
    for (k, k2), rho in table.items():
        assert rho == table[k2, k] and (k == n or table[k + 1, k2] <= rho)
    assert any(rho > relevance_lower_bound(k, k2, n) for (k, k2), rho in table.items()) == (
        family == RECTANGLES)


@pytest.mark.parametrize("family", [RECTANGLES, ROTATED])
def test_witnesses_attain_the_level(family):
    for k, k2 in [(1, 1), (3, 9), (5, 16), (16, 16), (9, 9)]:
        first, second = farthest_pair(family, 4, 4, k, k2)
        assert first in family_of(family, 4, 4, max_area=k)
        assert second in family_of(family, 4, 4, max_area=k2)
        assert catching_rate_exact(first, second) == relevance_under_limits(family, 4, 4, k, k2)


def test_code_differences_against_masks():
    rng = np.random.default_rng(0)
    targets, members = (2 * rng.integers(0, 2, (m, 3, 4), dtype=np.int8) - 1 for m in (40, 70))
    codes = codes_of_masks(targets), codes_of_masks(members)
    differ = (targets[:, None] != members).sum(axis=(2, 3))
    assert extreme_code_differences(*codes).tolist() == [[row.max(), row.min()] for row in differ]
    area = (members == 1).sum(axis=(1, 2))
    found = differences_by_area(*codes, 12)
    for t in range(13):
        want = differ[:, area == t].max(axis=1) if (area == t).any() else np.full(40, -1)
        assert np.array_equal(found[:, t], want)


def test_large_batches_are_cut_without_loss(monkeypatch):
    members = RotatedRectangles(4, 4).bits()
    whole = extreme_code_differences(members[:300], members)
    table = differences_by_area(members[:300], members, 16)
    monkeypatch.setattr("sims.relevance_codes._ENTRIES", 7 * len(members))
    assert np.array_equal(extreme_code_differences(members[:300], members), whole)
    assert np.array_equal(differences_by_area(members[:300], members, 16), table)


@pytest.mark.parametrize("grid", [(4, 4), (3, 4)])
def test_orbits_keep_the_extremes_and_save_nearly_all_symmetry(grid):
    codes = RotatedRectangles(*grid).bits()
    some, back = orbits(codes, codes, grid)
    group = 8 if grid[0] == grid[1] else 4
    assert len(codes) / group <= len(some) < 1.5 * len(codes) / group + 20
    assert np.array_equal(extreme_code_differences(some, codes)[back],
                          extreme_code_differences(codes, codes))
    assert np.array_equal(np.bitwise_count(some)[back], np.bitwise_count(codes))


def test_orbits_use_no_symmetry_that_the_family_lacks():
    """One corner: neither flip keeps it, the transpose does."""
    corner, every = np.array([1], np.uint64), np.arange(1, 16, dtype=np.uint64)
    some, back = orbits(every, corner, (2, 2))
    assert len(some) == 11 and np.array_equal(extreme_code_differences(some, corner)[back],
                                              extreme_code_differences(every, corner))


def test_cells_name_everything_and_rows_check_themselves():
    todo = cells("quick", 3)
    assert len({c["key"] for c in todo}) == len(todo) > 300
    assert {c["scheme"] for c in todo} == set(SCHEMES) and {c["kind"] for c in todo} == {KIND}
    assert all(c["seed"] == 3 and "/seed=3" in c["key"] for c in todo)
    for cell in todo[::7]:
        row = compute(json.loads(json.dumps(cell)))
        assert json.loads(json.dumps(row, allow_nan=False)) == row == compute(cell)
        rho, n = Fraction(row["fraction"]), cell["grid"][0] * cell["grid"][1]
        assert row["rho"] == float(rho) >= row["lower_bound"]
        assert row["closed_form"] in (None, row["fraction"])
        assert row["largest_area"] <= cell["limit"] and row["largest_area_in"] <= cell["limit_in"]
        first, second = ("".join(mask) for mask in row["witness"])
        assert first.count("#") <= cell["limit"] and second.count("#") <= cell["limit_in"]
        assert sum(p != q for p, q in zip(first, second, strict=True)) == (1 - rho) / 2 * n
        family = family_of(cell["family"], *cell["grid"], max_area=cell["limit"])
        assert row["members"] == len(list(family))


def test_limits_of_a_cell_follow_its_scheme():
    for cell in cells("quick", 0):
        n = cell["grid"][0] * cell["grid"][1]
        assert cell["limit_in"] == {"both": cell["limit"], "maps": n, "share": n // 4}[cell["scheme"]]


def test_the_full_preset_covers_more():
    assert {c["key"] for c in cells("quick", 0)} < {c["key"] for c in cells("full", 0)}
    assert (7, 7) in PRESETS["full"][ROTATED]


@pytest.mark.parametrize("call,words", [
    (lambda: area_differences("circles", 3, 3), "family must be one of"),
    (lambda: relevance_under_limits(RECTANGLES, 3, 3, 0, 1), r"limit must be an integer in \[1, 9\], got 0"),
    (lambda: relevance_under_limits(RECTANGLES, 3, 3, 1, 10), r"limit_in must be an integer in \[1, 9\], got 10"),
    (lambda: relevance_under_limits(RECTANGLES, 3, 3, 2.5, 1), r"limit must be an integer in \[1, 9\], got 2.5"),
    (lambda: farthest_pair(RECTANGLES, 3, 3, 1, "2"), r"limit_in must be an integer in \[1, 9\], got .2."),
    (lambda: relevance_under_limits(RECTANGLES, 0, 3, 1, 1), "height must be an integer of at least 1, got 0"),
    (lambda: area_differences(ROTATED, 3, 0), "width must be an integer of at least 1, got 0"),
    (lambda: area_differences(ROTATED, 8, 8), "up to 7x7"),
    (lambda: extreme_code_differences([1], []), "at least one mask, got none"),
    (lambda: differences_by_area([1], [], 4), "at least one mask, got none"),
])
def test_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call()
