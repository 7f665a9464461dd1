"""The relevance level against the limit on the area, tested on the data in the axes."""

from __future__ import annotations

import copy
from fractions import Fraction

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figures import relevance_vs_limit as figure
from paper_figures.fields import FieldError
from paper_figures.registry import COMMITTED
from paper_figures.style import draw
from sims.relevance_cells import cells, compute
from sims.rows import read_rows
from tests.paper_figures.test_figures import line
from theory.families import Rectangles
from theory.rates import catching_rate_exact
from theory.relevance import relevance_level_exact

BOTH = "maps and truths up to area k"


@pytest.fixture(scope="module")
def rows():
    """Real rows of small grids, computed here."""
    small = [c for c in cells("quick", 0) if c["grid"] in ([4, 4], [5, 7], [3, 5])]
    return [{**cell, **compute(cell)} for cell in small]


@pytest.fixture(scope="module")
def committed():
    return read_rows(COMMITTED / "relevance.jsonl")


def test_the_curve_is_the_level_by_enumeration_of_both_families(rows):
    ax = figure.plot_panel([r for r in rows if r["grid"] == [4, 4] and r["family"] == figure.FAMILIES[0]],
                           Figure().subplots())
    x, y = line(ax, BOTH)
    assert len(x) == 9  # areas of boxes on 4 x 4: 1 2 3 4 6 8 9 12 16
    for share, rho in zip(x, y, strict=True):
        family = Rectangles(4, 4, max_area=round(16 * share))
        assert float(relevance_level_exact(family, family)) == rho
    x, y = line(ax, "maps up to k, any truth")
    for share, rho in zip(x, y, strict=True):
        limited = Rectangles(4, 4, max_area=round(16 * share))
        assert float(relevance_level_exact(limited, Rectangles(4, 4))) == rho


def test_the_bound_is_under_the_level_and_by_the_areas(rows):
    some = [r for r in rows if r["family"] == figure.FAMILIES[0]]
    ax = figure.plot_panel(some, Figure().subplots())
    (x, y), (_, low) = line(ax, BOTH), line(ax, figure.LOWER)
    assert np.all(np.asarray(low) <= y)
    areas = {h * w for h in range(1, 6) for w in range(1, 8)}
    largest = [max(a for a in areas if a <= round(35 * share)) for share in x]
    assert np.allclose(low, [max(-1, 1 - 4 * k / 35) for k in largest])


def test_smaller_grids_are_crosses_and_the_largest_is_the_curve(rows):
    some = [r for r in rows if r["family"] == figure.FAMILIES[0]]
    assert figure.largest_grid(rows, figure.FAMILIES[0]) == (5, 7)
    ax = figure.plot_panel(some, Figure().subplots())
    x, y = line(ax, figure.OTHERS)
    want = {(r["limit"] / 16, r["rho"]) for r in some if r["grid"] == [4, 4] and r["scheme"] == "both"}
    assert set(zip(x, y, strict=True)) == want


def test_the_drawn_pair_attains_the_level(committed):
    """Every witness, by the catching rate of its two masks; and the one in the picture."""
    for row in committed:
        first, second = figure.masks(row)
        signs = [np.where(mask, 1, -1) for mask in (first, second)]
        assert catching_rate_exact(*signs) == Fraction(row["fraction"]), row["key"]
        assert first.sum() <= row["limit"] and second.sum() <= row["limit_in"]
    row = next(r for r in committed if r["family"] == figure.FAMILIES[1] and r["grid"] == [7, 7]
               and r["scheme"] == "both" and r["limit"] == 12)
    inset = figure.draw_pair(row, Figure().subplots())
    cells_ = np.asarray(inset.collections[0].get_array()).reshape(7, 7)[::-1]
    first, second = figure.masks(row)
    assert np.array_equal(cells_ == 1, first) and np.array_equal(cells_ == 2, second)
    assert first.sum() == 12 and f"ρ = {1 - Fraction(2 * 24, 49)}" in inset.get_title()


def test_the_caption_counts(committed):
    text = figure.caption(committed)
    assert "in 49 of 49 limits on 7 × 7, and in 183 of 183 over all grids" in text
    assert "in 74 of 80 limits on 14 × 14, and in 163 of 178 over all grids" in text
    alone = {f: [r for r in committed if (r["family"], r["scheme"]) == (f, "maps")]
             for f in figure.FAMILIES}
    most = {max(Fraction(r["fraction"]) for r in alone[figure.FAMILIES[0]] if r["grid"] == [14, 14]),
            max(Fraction(r["fraction"]) for r in alone[figure.FAMILIES[0]])}
    assert most == {Fraction(-97, 98), Fraction(-7, 8)}
    assert "On 14 × 14 limiting the maps alone gives at most −97/98, whatever k" in text
    assert "On 7 × 7 limiting the maps alone gives at most −1, whatever k (on the other" in text
    drawn = draw(figure, committed)
    assert [ax.get_title() for ax in drawn.axes] == [
        "axis-aligned rectangles, 14 × 14", "rotated rectangles, 7 × 7"]


def test_what_cannot_be_drawn_is_refused(rows):
    with pytest.raises(FieldError, match="no rows of kind 'relevance'"):
        figure.layout([{"kind": "training"}])
    bad = copy.deepcopy(rows)
    del bad[0]["rho"]
    with pytest.raises(FieldError, match="lacks the field 'rho'"):
        draw(figure, bad)
    with pytest.raises(FieldError, match="family must be one of"):
        figure.layout([{**rows[0], "family": "discs"}])
    with pytest.raises(FieldError, match="must be two masks of the grid"):
        figure.masks({**rows[0], "witness": [["#"], ["."]]})
    assert figure.layout([r for r in rows if r["family"] == figure.FAMILIES[1]]) == (1, 1)
