"""Theorem 1 simulated: bounds, failures, causes and largest risks against formulas and enumeration."""

from __future__ import annotations

import copy
from fractions import Fraction

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figures import theorem_1 as figure
from paper_figures.fields import FieldError
from paper_figures.registry import COMMITTED
from paper_figures.salvage import attempt
from paper_figures.style import draw
from sims.rows import read_rows
from sims.theorem_1_cells import KIND, MEMORISER, NOISE, _cell, compute
from tests.paper_figures.test_figures import line
from theory.families import Rectangles

LIMITED = ("axis-aligned rectangles", 7, 12, 12, "uniform")
MAPS = ("axis-aligned rectangles", 4, 4, None, "uniform")
SAME = ("axis-aligned rectangles", 4, 4, 4, "two masks")
SIZES = (1, 4, 16)


@pytest.fixture(scope="module")
def rows():
    """Real rows, computed here: three settings, few samples."""
    cells = []
    for one in (LIMITED, MAPS, SAME):
        cells += [_cell(KIND, one, noise, 0, n=n, delta=delta, repeats=80)
                  for n in SIZES for noise in ("0", "1/2", "1") for delta in (0.5, 0.05)]
        cells += [_cell(NOISE, one, noise, 0) for noise in ("0", "1/2", "1")]
        cells += [_cell(MEMORISER, one, noise, 0, n=n, fresh=500) for n in (4, 16) for noise in ("0", "1/2")]
    return [{**cell, **compute(cell)} for cell in cells]


@pytest.fixture(scope="module")
def committed():
    return read_rows(COMMITTED / "theorem-1.jsonl")


def missing(setting):
    """Missing rates ``(maps, targets)`` of all masks of a setting with a uniform law, by comparison."""
    _, side, limit, limit_in, _ = setting
    maps, targets = (Rectangles(side, side, max_area=k).masks() for k in (limit, limit_in))
    return np.array([(b != targets).mean(axis=(1, 2)) for b in maps])


def place(setting):
    family, side, limit, limit_in, law = setting
    return family, (side, side), limit, limit_in, law


def test_bounds_by_formula_and_supremum_by_enumeration(rows):
    ax = figure.plot_bounds(figure.select(rows), Figure().subplots())
    phi = missing(LIMITED)
    n = np.array(SIZES)
    term = 3 * np.sqrt(np.log(2 / 0.05) / (2 * n))
    ceiling = phi.max()
    curves = {name: line(ax, label)[1] for name, (label, _) in figure.BOUNDS.items()}
    assert line(ax, figure.BOUNDS["theorem_1"][0])[0].tolist() == list(SIZES)
    assert np.allclose(curves["ceiling"], ceiling) and ceiling == pytest.approx((1 - 1 / 49) / 2)
    assert np.allclose(curves["theorem_1"], ceiling + term)
    mean_g = curves["theorem_3"] - term  # each less its own term is the same mean over the samples
    assert np.allclose(mean_g, curves["sharp"] - ceiling * np.sqrt(np.log(1 / 0.05) / (2 * n)))
    exact = phi.max(axis=0).mean()
    assert np.allclose(mean_g, exact, atol=0.06) and not np.allclose(mean_g, exact, atol=1e-6)
    assert np.allclose(line(ax, figure.SUPREMUM)[1], exact)
    x, risk = line(ax, figure.MEMORISES)
    assert x.tolist() == [4, 16] and np.allclose(risk, exact, atol=0.03)
    assert "ρ = 1/49" in ax.get_title() and "≤ 12" in ax.get_title()


def test_bars_of_bounds_hold_nine_tenths_of_the_samples(rows):
    ax = figure.plot_bounds(figure.select(rows), Figure().subplots())
    label = figure.BOUNDS["sharp"][0]
    bars = next(c for c in ax.containers if c.get_label() == label).lines[2][0].get_segments()
    row = next(r for r in rows if r["key"].startswith("theorem-1/axis-aligned rectangles/7x7")
               and (r["noise"], r["n"], r["delta"]) == ("0", 4, 0.05))
    risk = missing(LIMITED).max(axis=0).mean()
    assert np.allclose(bars[1][:, 1], [row["sharp_slack_q05"] + risk, row["sharp_slack_q95"] + risk])
    assert bars[1][0, 1] < line(ax, label)[1][1] < bars[1][1, 1]


def test_failures_are_those_of_the_worst_setting(rows):
    changed = copy.deepcopy(rows)
    one = next(r for r in changed if r["kind"] == KIND and r["delta"] == 0.5 and r["noise"] == "1")
    one |= {"theorem_1_failures": 8, "theorem_1_rate_low": 0.05, "theorem_1_rate_high": 0.2}
    for row, failures in zip((r for r in changed if r["kind"] == KIND and r["delta"] == 0.05), (2, 6, 4),
                             strict=False):
        row |= {"sharp_failures": failures, "sharp_rate_low": failures / 160, "sharp_rate_high": failures / 40}
    for some, count in ((rows, 0), (changed, 8)):
        ax = figure.plot_failures(some, Figure().subplots())
        marks = {c.get_label(): c for c in ax.containers}
        first = marks[figure.BOUNDS["theorem_1"][0]]
        if count:
            assert first.lines[0].get_ydata().tolist() == [8 / 80]
            assert first.lines[2][0].get_segments()[0][:, 1].tolist() == pytest.approx([0.05, 0.2])
        else:  # the upper ends of intervals around 0 of 80: 1 - (level / 2)^(1/80)
            assert np.allclose(first.lines[0].get_ydata(), 1 - 0.025 ** (1 / 80))
            assert first.lines[0].get_marker() == "v" and first.has_yerr
            assert first.lines[0].get_markerfacecolor() == "none"
    sharp = marks[figure.BOUNDS["sharp"][0]]
    assert sharp.lines[0].get_ydata().tolist() == [6 / 80]  # the largest; none fails at 0.5
    assert sharp.lines[2][0].get_segments()[0][:, 1].tolist() == pytest.approx([6 / 160, 6 / 40])
    assert line(ax, figure.BOUNDS["ceiling"][0])[1].tolist() == pytest.approx([1 - 0.025 ** (1 / 80)] * 2)


def test_causes_add_up_to_the_slack_and_each_by_enumeration(rows):
    found = figure.causes(figure.select(rows))
    assert set(found) == {place(s) for s in (LIMITED, MAPS, SAME)}
    at = {(figure.place(r), r["noise"]): r for r in rows
          if r["kind"] == KIND and r["n"] == 16 and r["delta"] == 0.05}
    for where, parts in found.items():  # all noises share their samples
        assert sum(parts.values()) == pytest.approx(at[where, "1"]["theorem_1_slack_mean"])
        still = sum(parts.values()) - parts["noise"]
        assert still == pytest.approx(at[where, "0"]["theorem_1_slack_mean"])
        assert min(parts.values()) > -1e-12
        assert parts["confidence"] == pytest.approx(3 * np.sqrt(np.log(40) / 32))
    for setting in (LIMITED, MAPS):
        phi, parts = missing(setting), found[place(setting)]
        assert parts["relevance"] == pytest.approx(phi.max() - phi.max(axis=0).mean())
        assert parts["outside"] == pytest.approx(phi.min(axis=0).mean(), abs=0.01)
        assert parts["noise"] == pytest.approx(phi.max(axis=0).mean() - phi.mean(axis=1).max())
    assert found[place(MAPS)]["outside"] > 0.05 and abs(found[place(LIMITED)]["outside"]) < 1e-12
    assert found[place(SAME)]["noise"] == pytest.approx(0) and found[place(LIMITED)]["noise"] > 0.01


def test_bars_are_stacked_in_order(rows):
    ax = figure.plot_causes(figure.select(rows), Figure().subplots())
    found = figure.causes(figure.select(rows))
    words = [t.get_text() for t in ax.texts]
    assert words == ["rectangles 4×4 ≤ 4, two masks", "rectangles 7×7 ≤ 12", "rectangles 4×4, maps ≤ 4"]
    for y, where in enumerate((place(SAME), place(LIMITED), place(MAPS))):
        bars = [c[y] for c in ax.containers]
        assert [b.get_width() for b in bars] == pytest.approx([found[where][c] for c in figure.CAUSES])
        ends = np.cumsum([b.get_width() for b in bars])
        assert np.allclose([b.get_x() for b in bars], [0, *ends[:-1]])
        assert ax.texts[y].xy == (pytest.approx(ends[-1]), y)
    assert "16" in ax.get_title()


def test_largest_risks_by_enumeration(rows):
    """Noise 1: one mask for all inputs; noise 0: the worst mask for each; between, for each mixture."""
    ax = figure.plot_risks(figure.select(rows), Figure().subplots())
    for setting, name in ((LIMITED, "rectangles 7×7 ≤ 12"), (MAPS, "rectangles 4×4, maps ≤ 4")):
        phi = missing(setting)
        mixed = [((1 - v) * phi + v * phi.mean(axis=1, keepdims=True)).max(axis=0).mean()
                 for v in (0, 0.5, 1)]
        x, y = line(ax, name)
        assert x.tolist() == [0, 0.5, 1] and np.allclose(y, np.array(mixed) / phi.max())
        assert y[0] > y[1] > y[2]
    assert len(set(line(ax, "rectangles 4×4 ≤ 4, two masks")[1])) == 1


def test_panels_and_caption_of_the_committed_rows(committed):
    drawn = draw(figure, committed)
    assert [ax.get_title() for ax in drawn.axes] == [
        "rectangles 7×7 ≤ 12; ρ = 1/49", "how often a bound fails, worst setting",
        "slack by cause, $N$ = 4096", "the largest risk, exact"]
    text = figure.caption(committed)
    cells = [r for r in committed if r["kind"] == "theorem-1"]
    assert f"10,000 samples in each of {len(cells)} cells (19 settings" in text
    for name, words in (("theorem_1", "Theorem 1"), ("theorem_3", "Theorem 3"), ("ceiling", "ceiling")):
        assert f"{words} {sum(r[name + '_failures'] for r in cells)}" in text
    assert f"sharp bound {sum(r['sharp_failures'] for r in cells):,}" in text
    gaps = [3 * np.sqrt(np.log(2 / r["delta"]) / (2 * r["n"])) for r in cells]
    assert f"never less than {min(gaps):.2g} above the ceiling" in text
    unlimited = [r for r in cells if (r["n"], r["delta"], r["noise"]) == (4096, 0.05, "0")
                 and (1 - float(Fraction(r["rho"]))) / 2 + 3 * np.sqrt(np.log(40) / 8192) > 1]
    assert f"above 1 in every sample in {len(unlimited)} of 19 settings" in text
    stored = [r for r in committed if r["kind"] == MEMORISER]
    assert f"99.9 % interval of its risk, which holds the exact largest risk in {len(stored)} of " in text
    assert "bars: 95 % interval (exact binomial)" in text and "in 2 of 17 settings not at all" in text
    assert figure.select(committed) == committed


def test_other_settings_and_words(rows):
    some = [r for r in rows if r["grid"] == [4, 4]]
    assert figure.shown(figure.select(some)) == place(MAPS)
    figure.caption(some)
    assert draw(figure, some).axes[0].get_title() == "rectangles 4×4, maps ≤ 4; ρ = −1"
    least = 3 * np.sqrt(np.log(4) / 32)  # the term at the largest N and delta; no setting reaches its ceiling
    assert f"never less than {least:.2g} above the ceiling" in figure.caption(rows)
    bare = [r for r in rows if r["kind"] != MEMORISER]
    assert "stores" not in figure.caption(bare)
    assert figure.MEMORISES not in [t.get_text() for t in draw(figure, bare).legends[0].get_texts()]
    assert figure.words(("all masks", (3, 5), None, 4, "small")) == "all masks 3×5, targets ≤ 4, small"


def test_a_damaged_row_is_left_out_and_the_rest_drawn(rows):
    bad = copy.deepcopy(rows)
    lost = next(r for r in bad if r["kind"] == KIND and figure.place(r) == place(LIMITED) and r["n"] == 4
                and (r["noise"], r["delta"]) == ("0", 0.05))
    del lost["sharp_slack_q95"]
    drawn, used, notes = attempt(lambda some: draw(figure, some), bad)
    assert len(used) == len(rows) - 1 and len(notes) == 1 and lost["key"] in notes[0]
    assert line(drawn.axes[0], figure.BOUNDS["theorem_1"][0])[0].tolist() == [1, 16]


@pytest.mark.parametrize("field,value,words", [
    ("noise", 0.5, "'noise' must be a fraction from 0 to 1 in a string, got 0.5"),
    ("noise", "1/0", "must be a fraction"), ("noise", "2", "must be a fraction"), ("noise", "x", "must be a"),
    ("grid", 7, "'grid' must be two whole numbers, got 7"), ("grid", [7, "7"], "two whole numbers"),
    ("max_area", "12", "limits must be whole numbers or null"), ("repeats", 0, "'repeats' must be at least 1"),
    ("theorem_1_failures", None, "'theorem_1_failures' must be a number"),
    ("ceiling_rate_high", float("nan"), "'ceiling_rate_high' must be a number"),
])
def test_odd_values_name_the_row(rows, field, value, words):
    bad = [{**rows[0], field: value}, *rows[1:]]
    with pytest.raises(FieldError, match=words) as error:
        draw(figure, bad)
    assert rows[0]["key"] in str(error.value)


def test_what_cannot_be_drawn(rows):
    with pytest.raises(FieldError, match="no rows of kind 'theorem-1' with delta = 0.05 and noise 0"):
        figure.select([r for r in rows if r.get("delta") != 0.05])
    with pytest.raises(FieldError, match="no rows of kind 'theorem-1' or"):
        figure.select([])
    with pytest.raises(FieldError, match="has rows with noise"):
        draw(figure, [r for r in rows if r["noise"] == "0"])
    with pytest.raises(FieldError, match="no rows of kind 'theorem-1-noise'"):
        draw(figure, [r for r in rows if r["kind"] != NOISE])
    for field in ("supremum", "n", "delta", "repeats", "theorem_1_slack_mean", "sharp_slack_q05", "rho",
                  "theorem_3_rate_low", "expected_worst", "law", "kind"):
        at = next(k for k, r in enumerate(rows) if r["kind"] == KIND and r["n"] == 16
                  and (r["noise"], r["delta"]) == ("0", 0.05))
        bad = [r for r in rows if r["n" if "n" in r else "key"] != 1] if field == "rho" else list(rows)
        at = bad.index(rows[at])
        bad[at] = {k: v for k, v in bad[at].items() if k != field}
        if field == "rho":  # named in a title, of the smallest N
            bad = [bad[at], *(r for k, r in enumerate(bad) if k != at and r.get("n") not in (1, 4))]
        with pytest.raises(FieldError, match=f"lacks the field '{field}'"):
            draw(figure, bad)
