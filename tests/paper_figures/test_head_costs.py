"""Costs of the heads: counts against the layers, times against the rows."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figures import head_costs
from paper_figures.fields import FieldError
from paper_figures.methods import METHODS
from paper_figures.registry import COMMITTED
from paper_figures.style import draw
from sims.rows import read_rows
from tests.paper_figures.made_up import timing
from tests.paper_figures.test_figures import line


def rows():
    return [timing("module by channels", (c, 10, 10), rectangle_paper=0.8 + c / 320) for c in (320, 64)] + [
        timing(), timing("module", (960, 7, 7)), timing(batch=16), timing("learning module")]


def test_lines_are_the_counts_of_app_g():
    for what, paper, wise in (
            ("parameters", lambda c: 576 * c + 370_373, lambda c: 80 * c + 116_161),
            ("multiply_adds", lambda c: 57_600 * c + 73_728 * 25 + 294_912 * 4 + 1280,
             lambda c: (80 * c + 115_920) * 100)):
        ax = head_costs.plot_counts(head_costs.select(rows()), what, Figure().subplots())
        curves = [p for p in ax.lines if len(p.get_xdata()) > 20]
        x = curves[0].get_xdata()
        assert np.array_equal(curves[0].get_ydata(), paper(x)) and 2048 in x and 8 in x
        assert np.array_equal(curves[1].get_ydata(), wise(x))
        assert np.array_equal(line(ax, head_costs.CLAIM)[1], wise(x) / 2)


def test_points_are_those_of_the_rows():
    ax = head_costs.plot_counts(head_costs.select(rows()), "multiply_adds", Figure().subplots())
    x, y = line(ax, METHODS["rectangle-paper"].label)
    assert x.tolist() == [64, 320] and y.tolist() == [10 * 400 * 64, 10 * 400 * 320]
    crossings = {p.get_xdata()[0] for p in ax.lines if len(p.get_xdata()) == 2 and p.get_linestyle() == "--"}
    assert crossings == {172, 51}


def test_times_and_their_intervals():
    ax = head_costs.plot_times(head_costs.select(rows()), Figure().subplots())
    label = METHODS["rectangle-paper"].label
    x, y = line(ax, label)
    assert x.tolist() == [64, 320] and y == pytest.approx([1.0, 1.8])
    (bars,) = [c for c in ax.containers if c.get_label() == label]
    ends = np.array(bars.lines[2][0].get_segments())[:, :, 1]
    assert ends == pytest.approx(np.array([[0.9, 1.3], [1.7, 2.1]]))
    assert sorted({p.get_ydata()[0] for p in ax.lines if len(set(p.get_ydata())) == 1
                   and len(p.get_xdata()) == 2 and p.get_xdata()[0] == 0}) == [0.5, 1]


def test_the_same_place_is_taken_from_the_run_over_channels():
    assert [(r["what"], r["features"]) for r in head_costs.select(rows())] == [
        ("module by channels", [64, 10, 10]), ("module by channels", [320, 10, 10])]
    assert [r["what"] for r in head_costs.select([timing()])] == ["module"]
    with pytest.raises(FieldError, match="no timings of modules on 10 x 10 cells"):
        head_costs.select([timing("module", (960, 7, 7))])


def test_caption_counts_where_the_claim_holds():
    text = head_costs.caption(rows())
    assert "1.00 to 1.80 times" in text and "2 numbers of channels, at most half at 0" in text and "7 turns" in text
    assert "554,693 against 141,761 parameters, 21.5 M against 14.2 M" in text
    one = head_costs.caption([timing(rectangle_paper=0.5)])
    assert "takes 0.50 times as long at 1 number of channels, at most half at 1 of them" in one
    assert len(draw(head_costs, rows()).axes) == 3


def test_committed_counts_lie_on_the_lines():
    for row in head_costs.select(read_rows(COMMITTED / "latency.jsonl")):
        c = row["features"][0]
        assert row["parameters"]["rectangle-paper"] == 576 * c + 370_373
        assert row["multiply_adds"]["positionwise"] == (80 * c + 115_920) * 100


def test_bad_rows():
    with pytest.raises(FieldError, match="lacks the field 'parameters.cbam'"):
        row = timing()
        del row["parameters"]["cbam"]
        draw(head_costs, [row])
    with pytest.raises(FieldError, match="ratios to 'positionwise', got \\['simam'\\]"):
        draw(head_costs, [timing(base="simam")])
