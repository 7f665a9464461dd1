"""Theorem 3: gaps and terms, tested on the data in the axes and against its slack in the rows."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figures import theorem_3 as figure
from paper_figures.fields import FieldError
from paper_figures.registry import COMMITTED
from paper_figures.style import draw
from sims.rows import read_rows
from sims.theorem_3_cells import _cell, compute, loss_class
from tests.paper_figures.test_figures import line


@pytest.fixture(scope="module")
def rows():
    """Real rows, computed here: two classes, few samples."""
    places = [("3 predictors", 2), ("all functions", 8)]
    cells = [_cell(name, 4, atoms, n, delta, 40, 0) for name, atoms in places
             for n in (1, 4, 16, 64) for delta in (0.05, 0.1)]
    return [{**cell, **compute(cell)} for cell in cells]


def test_bound_is_gap_plus_slack(rows):
    """The bound's two terms against the mean slack, which the simulation took sample by sample."""
    for name in ("3 predictors", "all functions"):
        some = [r for r in figure.select(rows) if r["class"] == name]
        ax = figure.plot_panel(some, Figure().subplots())
        x, bound = line(ax, figure.BOUND)
        assert x.tolist() == [1, 4, 16, 64] and len(some) == 4
        slack = np.array([r["theorem_3_slack_mean"] for r in some])
        _, gap = line(ax, figure.GAP)
        assert np.allclose(gap + slack, bound, atol=1e-12)
        _, term = line(ax, figure.TERM)
        assert np.allclose(term, 3 * np.sqrt(np.log(2 / 0.05) / (2 * x)))
        assert np.allclose(bound - term, line(ax, figure.COMPLEXITY)[1])


def test_the_gap_of_one_example_by_hand(rows):
    """N = 1, all functions: the sample is one atom; the mean over atoms of the largest gap."""
    model = loss_class("all functions", 4, 8, 0)
    share = model.weights / model.weights.sum()
    gaps = [sum(share[k] * model.most[k] for k in range(8) if k != j) / 16
            + max((share[j] - 1) * loss for loss in (model.most[j], model.least[j])) / 16
            for j in range(8)]
    some = [r for r in figure.select(rows) if r["class"] == "all functions"]
    ax = figure.plot_panel(some, Figure().subplots())
    _, gap = line(ax, figure.GAP)
    assert min(gaps) - 1e-12 <= gap[0] <= max(gaps) + 1e-12
    bars = next(c for c in ax.containers if c.get_label() == figure.GAP)
    top = bars.lines[2][0].get_segments()[0][:, 1].max()
    assert any(top == pytest.approx(g) for g in gaps) and gap[0] < top  # 40 samples may miss an atom


def test_panels_and_caption():
    committed = read_rows(COMMITTED / "theorem-3.jsonl")
    drawn = draw(figure, committed)
    assert [ax.get_title() for ax in drawn.axes] == [
        "16 predictors, 3 inputs", "all functions, 2 inputs", "all functions, 64 inputs",
        "all functions, 4096 inputs"]
    assert len({ax.get_ylim() for ax in drawn.axes}) == 1
    text = figure.caption(committed)
    some = [r for r in committed if r["delta"] == 0.05]
    assert f"0 of {2000 * len(some)} samples of all {len(some)} settings" in text
    assert "all functions on 4096 inputs at N = 64, 256, 1024, 4096" in text
    for row in some:  # what the caption says of rare repeats
        if row["class"] == "all functions" and row["n"] <= row["atoms"] / 16:
            assert 0.94 < row["gap_mean"] / (2 * row["complexity_mean"]) <= 1 + 1e-9


def test_one_class_and_what_cannot_be_drawn(rows):
    one = [r for r in rows if r["class"] == "3 predictors"]
    assert figure.layout(one) == (1, 1) and figure.layout(rows) == (1, 2)
    draw(figure, one)
    with pytest.raises(FieldError, match="no rows of kind 'theorem-3' with delta = 0.05"):
        figure.layout([r for r in rows if r["delta"] == 0.1])
    with pytest.raises(FieldError, match="no class with 4 sizes"):
        figure.layout([r for r in rows if r["n"] > 1])
    for field in ("gap_mean", "gap_max", "complexity_mean", "n", "atoms"):
        bad = copy.deepcopy(rows)
        del bad[0][field]
        with pytest.raises(FieldError, match=f"lacks the field '{field}'"):
            draw(figure, bad)


def test_the_caption_says_what_has_no_panel(rows):
    """A class with too few sizes counts, and is named as not drawn."""
    few = [{**r, "atoms": 256, "failures_without_complexity": r["repeats"]} for r in rows if r["n"] == 16]
    text = figure.caption(rows + few)
    assert "of class, inputs and N (2 of them in no panel)" in text
    assert "all functions on 256 inputs (no panel)" in text and "(no panel)" not in figure.caption(rows)
    legend = draw(figure, [r for r in rows if r["class"] == "3 predictors"]).legends[0]
    figure_, renderer = legend.figure, legend.figure.canvas.get_renderer()
    box = legend.get_window_extent(renderer)
    assert box.x0 >= 0 and box.x1 <= figure_.bbox.x1 and len(legend.get_texts()) == 4
