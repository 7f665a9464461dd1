"""Figures, tested on the data in their axes; rows that lack a field."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figures import bound_vs_data, fig02_window, fig03_maps, fig10_sigmoids, rademacher_vs_n
from paper_figures.claim_sections import figures_of
from paper_figures.fields import FieldError, get
from paper_figures.registry import COMMITTED, FIGURES, load_rows
from paper_figures.style import draw
from tests.paper_figures.make_ledger import training_rows
from theory.bounds import sharp_bound, theorem_1
from theory.rectangle import Rectangle, hard_rectangle


def line(ax, label):
    """x and y of the line, or error bars, with a label."""
    for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
        if name == label:
            return np.asarray((handle[0] if isinstance(handle, tuple) else handle).get_data())
    raise AssertionError(f"no {label!r} among {ax.get_legend_handles_labels()[1]}")


def sigmoid(t):
    return 1 / (1 + np.exp(-t))


def test_fig02_is_eq_1_with_the_papers_parameters():
    ax = fig02_window.plot(None, Figure().subplots())
    t, y = ax.lines[0].get_data()
    assert np.allclose(y, sigmoid(10 * (1 - (t / 2) ** 2)), atol=1e-12)
    assert t.min() <= -3 and t.max() >= 3
    assert np.allclose(ax.lines[1].get_data(), [[-2, 2], [0.5, 0.5]])


def test_fig10_panels():
    a, b, c = fig10_sigmoids.plot(None, Figure().subplots(1, 3))
    for panel, expected in ((a, sigmoid), (b, lambda t: sigmoid(10 * t)),
                            (c, lambda t: sigmoid(10 * (1 - (t / 2) ** 2)))):
        t, y = panel.lines[1].get_data()
        assert np.allclose(y, expected(t), atol=1e-12)


def test_fig03_maps_against_the_product_of_windows():
    axes = fig03_maps.plot(None, draw(fig03_maps, None).axes[0].figure.subplots(2, 3))
    assert len(fig03_maps.PARAMETERS) == axes.size >= 4
    assert len({p[4] for p in fig03_maps.PARAMETERS}) >= 3
    for panel, (m1, m2, s1, s2, degrees) in zip(axes.flat, fig03_maps.PARAMETERS, strict=True):
        values = np.asarray(panel.images[0].get_array())
        n = len(values)
        t1, t2 = np.meshgrid(np.linspace(0, 1, n) - m1, np.linspace(0, 1, n) - m2, indexing="ij")
        a = np.deg2rad(degrees)
        u, v = np.cos(a) * t1 + np.sin(a) * t2, -np.sin(a) * t1 + np.cos(a) * t2
        expected = sigmoid(10 * (1 - (u / s1) ** 2)) * sigmoid(10 * (1 - (v / s2) ** 2))
        assert np.allclose(values, expected, atol=1e-12)
        top, bottom = panel.get_ylim()[::-1]
        assert top < bottom  # axis 1 points downwards


def test_fig03_outline_is_the_boundary_of_the_hard_rectangle():
    for m1, m2, s1, s2, degrees in fig03_maps.PARAMETERS:
        rectangle = Rectangle([m1, m2], [s1, s2], np.deg2rad(degrees))
        outline = fig03_maps.corners(rectangle)
        centre = np.array([m1, m2])
        inside = centre + 0.999 * (outline - centre)
        outside = centre + 1.001 * (outline - centre)
        assert (hard_rectangle(rectangle, inside) == 1).all()
        assert (hard_rectangle(rectangle, outside) == -1).all()
        sides = np.linalg.norm(np.diff(outline, axis=0), axis=1)
        assert np.allclose(sorted(sides), sorted([2 * s1, 2 * s1, 2 * s2, 2 * s2]))


def complexity_rows():
    return [{"key": f"{f}{p}{n}{s}", "family": f, "predictors": p, "grid": [7, 7], "n": n,
             "sample": s, "value": v + s / 100, "low": v - 0.02, "high": v + 0.05,
             "exact": p == "all", "draws": 100, "delta": 0.05}
            for f in ("axis-aligned rectangles", "all masks")
            for p in ("all", "constant") for n, v in ((1, 0.4), (4, 0.2)) for s in (0, 1)]


def test_rademacher_means_and_bars():
    rows = complexity_rows()
    found = rademacher_vs_n.series(rows, (7, 7))
    assert set(found) == {(f, p) for f in ("axis-aligned rectangles", "all masks")
                          for p in ("all", "constant")}
    assert found["all masks", "all"] == {1: pytest.approx((0.405, 0.38, 0.45)),
                                         4: pytest.approx((0.205, 0.18, 0.25))}
    above, below = rademacher_vs_n.plot(rows, Figure().subplots(2, 1))
    ax = above
    x, y = line(ax, "axis-aligned rectangles, constant predictors")
    assert x.tolist() == [1, 4] and np.allclose(y, [0.405, 0.205])
    _, y = line(ax, "Prop. 2: (1 − ρ)/4, ρ = −1")
    assert set(y) == {0.5}
    ratios = [c.get_ydata() for c in below.get_lines()]  # axis-aligned to all masks, and the line at 1
    assert sorted(len(r) for r in ratios) == [2, 2, 2] and np.allclose(ratios[0], 1)
    names = [t.get_text() for t in above.figure.legends[0].get_texts()]
    assert names == ["axis-aligned rectangles", "all masks", "all functions", "constant predictors",
                     "Prop. 2: (1 − ρ)/4, ρ = −1"]
    assert "2 samples" in rademacher_vs_n.caption(rows)
    assert "at least 0.95" in rademacher_vs_n.caption(rows)


def test_committed_rows_obey_the_theory():
    """Complexities lie in [0, 1/2]; all masks attain 1/2; more freedom is more complexity."""
    rows = load_rows(FIGURES["rademacher_vs_n"], COMMITTED)
    value = {(r["family"], r["predictors"], r["grid"][0], r["n"], r["sample"]): r for r in rows}
    assert len(value) == len(rows) and len({r["n"] for r in rows}) >= 7
    for (family, predictors, *rest), row in value.items():
        assert 0 <= row["low"] <= row["value"] <= row["high"] <= 0.5
        if predictors == "all":
            assert row["exact"]
            assert row["value"] == 0.5 or family != "all masks"
            assert value[family, "constant", *rest]["low"] <= row["value"]
        if family == "all masks":
            assert value["axis-aligned rectangles", predictors, *rest]["low"] <= row["high"]


@pytest.fixture
def panel():
    rows = [r for r in training_rows()
            if r["method"] == "rectangle" and r["supervision"] == "label"]
    return rows, bound_vs_data.plot_panel(rows, Figure().subplots())


def test_bound_vs_data_rates_and_bars(panel):
    rows, ax = panel
    x, y = line(ax, "test missing rate")
    assert x.tolist() == [64, 256, 1024] and np.allclose(y, [0.23, 0.18, 0.13])
    assert np.allclose(line(ax, "training missing rate")[1], [0.065, 0.075, 0.085])
    bars = next(c for c in ax.containers if c.get_label() == "test missing rate")
    ends = np.array(bars.lines[2][0].get_segments())[:, :, 1]
    assert np.allclose(ends, [[0.22, 0.24], [0.17, 0.19], [0.12, 0.14]])
    assert np.allclose(line(ax, "best trivial predictor (test)")[1], 0.17)


def test_bound_vs_data_bounds(panel):
    rows, ax = panel
    assert np.allclose(line(ax, "ceiling (1 − ρ)/2")[1], 1.0)
    _, y = line(ax, "Theorem 1")
    expected = [0.065 + 1 + 3 * np.sqrt(np.log(2 / 0.05) / (2 * 64)), None,
                theorem_1(0.085, -1, 1024, 0.05)]
    assert y[0] == pytest.approx(expected[0]) and y[2] == pytest.approx(expected[2])
    _, y = line(ax, "sharp bound")
    assert y[1] == pytest.approx(1 + np.sqrt(np.log(1 / 0.05) / (2 * 256)))
    band = ax.collections[-1].get_paths()[0].vertices
    # areas 20 and 30 of 144 cells, half of each: the whole grid misses 1 - 25/144 on average
    lower = sharp_bound(1 - 25 / 144, -1, 64, 0.05)
    assert band[band[:, 0] == 64][:, 1].min() == pytest.approx(lower)


def test_mean_g_is_an_interval_that_holds_the_truth():
    """Against the exact g of rectangles on a small grid, by enumeration of the family."""
    from theory.families import Rectangles
    from theory.relevance import extreme_products

    family = Rectangles(4, 5)
    masks = family.masks()
    low = extreme_products(family, masks)[1]
    g = (1 - low / 20) / 2
    areas = (masks == 1).sum(axis=(1, 2))
    for mask_area in np.unique(areas):
        row = {"key": "k", "method": "rectangle", "grid": [4, 5],
               "train_areas": {str(mask_area): int((areas == mask_area).sum())}}
        below, above = bound_vs_data.mean_g_interval(row)
        assert below <= g[areas == mask_area].mean() + 1e-12 and above == 1
    assert bound_vs_data.mean_g_interval({"method": "positionwise"}) == (1, 1)


def test_bound_vs_data_panels_and_caption():
    figure = draw(bound_vs_data, training_rows())
    assert [ax.get_title() for ax in figure.axes] == [
        "rectangle, label-only", "position-wise, label-only",
        "rectangle, mask-supervised", "position-wise, mask-supervised"]
    text = bound_vs_data.caption(training_rows())
    for words in ("ρ = −1", "2 seeds", "500 fresh images each, standard error at most 0.004", "g = 1 exactly", "is no bound"):
        assert words in text
    assert bound_vs_data.layout([training_rows()[0]]) == (1, 1)
    draw(bound_vs_data, [training_rows()[0]])


def test_other_methods_and_configurations_are_left_out_and_counted():
    rows = training_rows()
    other = {**rows[0], "config": {"steps": 9}, "test": {"missing_rate": 0.9}}
    oracle = {**rows[0], "method": "oracle", "test": {"missing_rate": None}}
    assert bound_vs_data.select([other, *rows, oracle]) == rows
    assert "2 rows of other methods" in bound_vs_data.caption([other, *rows, oracle])
    assert "rows of other" not in bound_vs_data.caption(rows)
    with pytest.raises(FieldError, match="no rows of the methods"):
        bound_vs_data.select([oracle])


@pytest.mark.parametrize("path,words", [
    ("train_areas", "lacks the field 'train_areas'"), ("seed", "lacks the field 'seed'"),
    ("method", "lacks the field 'method'"), ("train", "lacks the field 'train.missing_rate'"),
])
def test_a_row_without_a_field_says_which(path, words):
    rows = training_rows()
    del rows[0][path]
    with pytest.raises(FieldError, match=words) as caught:
        bound_vs_data.caption(rows)
        draw(bound_vs_data, rows)
    if path != "method":
        assert rows[0]["key"] in str(caught.value)


def test_a_rate_that_is_no_number_is_refused():
    rows = training_rows()
    rows[0]["test"]["missing_rate"] = None
    with pytest.raises(FieldError, match="must be a number, got None"):
        draw(bound_vs_data, rows)
    assert get({"a": {}}, "a.b", 3) == 3


def test_every_figure_that_a_claim_names_is_there():
    from theory.claims.ledger import ledger as all_claims

    named = {words: name for claim in all_claims().values() for words, name in figures_of(claim.figure)}
    assert len(named) > 15 and all(named.values()), [w for w, n in named.items() if not n]
