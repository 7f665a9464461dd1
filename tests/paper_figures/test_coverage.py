"""Coverage of the bounds, tested on the data in the axes and by SciPy's exact tests."""

from __future__ import annotations

import copy
from collections import Counter

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from scipy.stats import binomtest

from paper_figures import coverage as figure
from paper_figures.fields import FieldError
from paper_figures.registry import COMMITTED
from paper_figures.style import BLUE, ORANGE, RED, draw
from sims.rows import read_rows


@pytest.fixture(scope="module")
def committed():
    return read_rows(COMMITTED / "coverage.jsonl")


def held_out(bound, misses, smaller, guaranteed=True):
    low, high = binomtest(misses, 2000).proportion_ci(0.95, "exact")
    return {"kind": "coverage-held-out", "key": f"{bound}-{misses}", "bound": bound, "delta": 0.05,
            "guaranteed": guaranteed, "misses": misses, "repeats": 2000, "misses_smaller": smaller,
            "rate_low": low, "rate_high": high, "level": 0.95, "order": "drawn"}


def exact(bound, worst, smaller):
    return {"kind": "coverage-exact", "key": f"{bound}-exact", "bound": bound, "delta": 0.1,
            "guaranteed": True, "worst_probability": worst, "worst_probability_smaller": smaller}


@pytest.fixture
def rows():
    return [held_out("hoeffding", 40, 400), held_out("hoeffding", 98, 101), exact("hoeffding", 0.1, 0.2),
            held_out("betting", 0, 2), held_out("betting", 1000, 1500, guaranteed=False)]


def marks(ax):
    """(x, lane, colour, is an exact probability) of every mark."""
    out = []
    for points in ax.collections[1:]:
        if hasattr(points, "get_segments"):
            continue
        colours = points.get_facecolors()
        for i, (x, y) in enumerate(points.get_offsets()):
            colour = to_hex(colours[min(i, len(colours) - 1)]).upper()
            diamond = len(points.get_paths()[0].vertices) < 10
            out.append((round(float(x), 9), round(float(y)), colour, diamond))
    return sorted(out)


def test_marks_are_the_rates_over_delta(rows):
    ax = figure.plot_panel(rows, Figure().subplots(), smaller=False)
    assert marks(ax) == sorted([(0.4, 0, BLUE, False), (0.98, 0, BLUE, False), (1.0, 0, BLUE, True),
                                (0.0, 1, BLUE, False), (10.0, 2, ORANGE, False)])
    ax = figure.plot_panel(rows, Figure().subplots(), smaller=True)
    assert marks(ax) == sorted([(4.0, 0, RED, False), (1.01, 0, BLUE, False), (2.0, 0, RED, True),
                                (0.02, 1, BLUE, False), (15.0, 2, ORANGE, False)])


@pytest.mark.parametrize("smaller", (False, True))
def test_bars_are_exact_binomial_intervals(rows, smaller):
    ax = figure.plot_panel(rows, Figure().subplots(), smaller=smaller)
    segments = [s[:, 0] for c in ax.collections if hasattr(c, "get_segments") for s in c.get_segments()]
    wanted = [np.array(binomtest(r["misses_smaller" if smaller else "misses"], 2000)
                       .proportion_ci(0.95, "exact")) / 0.05
              for r in rows if r["kind"] != "coverage-exact"]
    assert np.allclose(sorted(map(tuple, segments)), sorted(map(tuple, wanted)), atol=1e-7)


def test_verdicts_of_the_committed_cells_by_another_test(committed):
    """SciPy's exact one-sided test, Bonferroni over all cells, at 0.001."""
    cells = [r for r in committed if r["guaranteed"]]
    for smaller, field in ((False, "misses"), (True, "misses_smaller")):
        told = figure.verdicts(committed, smaller=smaller)
        assert len(told) == len(cells)
        for row in cells:
            if field in row:
                p = binomtest(row[field], row["repeats"], row["delta"], "greater").pvalue
                assert (told[id(row)] == "refuted") == (p < 1e-3 / len(cells)), row["key"]
    assert {r["bound"] for r in cells if told[id(r)] == "refuted"} == set(figure.LANES)


def test_no_mark_of_a_committed_guarantee_is_red_on_the_left(committed):
    left, right = draw(figure, committed).axes
    assert RED not in {m[2] for m in marks(left)} and RED in {m[2] for m in marks(right)}
    assert len(marks(left)) == len(committed) == len(marks(right))
    reds = Counter(m[1] for m in marks(right) if m[2] == RED)
    assert set(reds) == set(range(len(figure.LANES)))
    told = [t.get_text() for t in right.texts]
    assert [int(t.split()[0]) for t in told[:-1]] == [reds[i] for i in range(len(figure.LANES))]
    text = figure.caption(committed)
    assert "Left: 0 refuted" in text and "12 of 12 bounds" in text and "1100 cells" in text


def test_what_cannot_be_drawn_is_refused(rows):
    with pytest.raises(FieldError, match="no rows of kind"):
        figure.size([])
    with pytest.raises(FieldError, match="bound must be one of"):
        figure.lanes([{**rows[0], "bound": "wish"}])
    for field in ("misses", "delta", "guaranteed", "repeats", "rate_high", "bound"):
        bad = copy.deepcopy(rows)
        del bad[0][field]
        with pytest.raises(FieldError, match=f"lacks the field '{field}'"):
            draw(figure, bad)
    bad = copy.deepcopy(rows)
    del bad[2]["worst_probability_smaller"]
    with pytest.raises(FieldError, match="'hoeffding-exact' lacks the field 'worst_prob"):
        draw(figure, bad)
    assert figure.SORTED not in figure.lanes(rows[:4])
