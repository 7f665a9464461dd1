"""The sandwich of Theorem 2, tested on the data in the axes and by hand in Fractions."""

from __future__ import annotations

import copy
from fractions import Fraction as F

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import jaccard_score

from paper_figures import sandwich as figure
from paper_figures.fields import FieldError
from paper_figures.registry import COMMITTED
from paper_figures.style import draw
from sims.rows import read_rows
from tests.paper_figures.test_figures import line
from theory.separation_gap import gap_witness


@pytest.fixture(scope="module")
def rows():
    return read_rows(COMMITTED / "theorem-2.jsonl")


def test_the_fitting_rates_are_those_of_the_masks_drawn():
    """Against scikit-learn, and equal to the three atoms that attain the bound on the fall."""
    truth = [c == "#" for text in figure.TRUTH for c in text]
    witness = gap_witness(F(1), F(1, 2))
    for name, key in (("worse", "low"), ("better", "high")):
        by_sklearn = [jaccard_score(truth, [c == "#" for text in m for c in text]) for m in figure.MAPS[name]]
        assert figure.fitting(name).tolist() == witness[key].tolist()
        assert np.allclose(figure.fitting(name).astype(float), by_sklearn)
    for given, key in ((figure.PURE, "pure"), (figure.OTHER, "other"), (figure.BACKGROUND, "background")):
        assert list(given) == witness[key].tolist()


def test_the_classes_by_redrawing():
    """Keep an image with probability lambda, else draw it again where the background is missed."""
    for name, tv in (("worse", F(1, 3)), ("better", F(0))):
        lam = figure.fitting(name)
        missed = [(1 - v) * g for v, g in zip(lam, figure.BACKGROUND, strict=True)]
        q = [m / sum(missed) for m in missed]
        both = []
        for p in (figure.PURE, figure.OTHER):
            lost = sum((1 - v) * m for v, m in zip(lam, p, strict=True))
            both.append([v * m + lost * r for v, m, r in zip(lam, p, q, strict=True)])
        ax = figure.plot_classes(name, Figure().subplots())
        for bars, density in zip(ax.containers, both, strict=True):
            assert [bar.get_height() for bar in bars] == pytest.approx([float(v) for v in density])
        assert sum(abs(a - b) for a, b in zip(*both, strict=True)) / 2 == tv
        assert f"TV = {tv}" in ax.get_title()
    worse, better = figure.fitting("worse"), figure.fitting("better")
    assert all(worse <= better) and any(worse < better)


def test_the_picture_shows_masks_and_rates():
    ax = figure.draw_maps(Figure().subplots())
    told = [t.get_text() for t in ax.texts]
    assert [t for t in told if t.startswith("λ")] == [f"λ = {v}" for v in ("3/4", "0", "0", "3/4", "3/4", "0")]
    blue = [patch for patch in ax.patches if patch.get_facecolor()[:3] != (1, 1, 1)]
    marked = sum(text.count("#") for maps in figure.MAPS.values() for m in maps for text in m)
    assert len(blue) == marked == 18


def test_bars_of_the_sandwich_hold_tv(rows):
    ax = figure.plot_sandwich(rows, Figure().subplots())
    for bars, (label, *_) in zip(ax.collections, figure.SHAPES.values(), strict=True):
        ends = np.array([s[:, 1] for s in bars.get_segments()])
        _, tv = line(ax, label)
        assert len(tv) == 4 and (ends[:, 0] <= tv + 1e-9).all() and (tv <= ends[:, 1] + 1e-9).all()
        assert (np.diff(tv) >= 0).all() and (np.diff(ends[:, 0]) >= 0).all()
    _, tv = line(ax, "constant λ")  # equality in Theorem 2(1): lambda times the pure distance
    lam = 1 - 0.4 * np.array([1, 0.5, 0.1, 0.01])
    from scipy.stats import norm

    assert np.allclose(tv, lam * (2 * norm.cdf(figure.DISTANCE / 2) - 1))


def test_positions_are_quantiles(rows):
    ax = figure.plot_position(rows, Figure().subplots())
    found = figure.positions(rows)
    assert list(found) == [2, 3, 4, 8, 16, 32, 64]
    assert {r["concentration"] for r in found.values()} == {1.0}
    bars = ax.containers[0]
    middle = bars.lines[0].get_ydata()
    ends = np.array(bars.lines[2][0].get_segments())[:, :, 1]
    for row, m, (low, high) in zip(found.values(), middle, ends, strict=True):
        assert (row["position_quantiles"][1], row["position_quantiles"][3], row["position_quantiles"][5]) \
            == pytest.approx((low, m, high))


def test_falls_stay_below_the_bound_and_need_three_atoms(rows):
    ax = figure.plot_falls(rows, Figure().subplots())
    _, none = line(ax, "2 atoms")
    assert np.allclose(none, 0, atol=1e-12)
    x, gap = line(ax, "3 atoms")
    assert (gap <= x + 1e-12).all() and np.allclose(gap, x, atol=1e-5)
    stored = {round(r["bound"], 6) for r in figure.free_searches(rows) if r["atoms"] == 3}
    assert {round(v, 6) for v in x} == stored
    searched = [r for r in figure.free_searches(rows) if r["atoms"] == 4]
    best = {round(r["bound"], 6): max(s["gap"] for s in searched if s["bound"] == r["bound"]) for r in searched}
    assert dict(zip(*line(ax, "4 atoms").round(12), strict=True)) == pytest.approx(best)


def test_caption_and_layout(rows):
    drawn = draw(figure, rows)
    assert len(drawn.axes) == 6
    text = figure.caption(rows)
    models = sum(r["repeats"] for r in rows if r["kind"] == figure.MIXTURES)
    assert f"{models} random models on 2 to 64 atoms the sandwich was broken 0 times" in text
    assert "with two atoms 0 of 12 searches" in text and "within 7e-06" in text and "0 ≤ TV ≤ 3/4" in text and "1/3 apart" in text


def test_what_cannot_be_drawn_is_refused(rows):
    for kind in (figure.LINE, figure.MIXTURES, figure.FALL):
        with pytest.raises(FieldError, match=f"no rows of kind '{kind}'"):
            draw(figure, [r for r in rows if r["kind"] != kind])
    with pytest.raises(FieldError, match="with distance 2 and a factor"):
        figure.gaussians([r for r in rows if r.get("model", {}).get("distance") != 2])
    with pytest.raises(FieldError, match="limits low and high alone"):
        figure.free_searches([r for r in rows if r.get("limits", {}).keys() != {"low", "high"}])
    with pytest.raises(FieldError, match="law uniform"):
        figure.positions([r for r in rows if r.get("law") != "uniform"])
    for field in ("tv", "low", "high"):
        bad = [copy.copy(r) for r in rows if r["kind"] == figure.LINE]
        for row in bad:
            del row[field]
        with pytest.raises(FieldError, match=f"lacks the field '{field}'"):
            figure.plot_sandwich(bad, Figure().subplots())
