"""Looks that can be told apart; picking rows; means and bars; one legend."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figures.fields import FieldError
from paper_figures.methods import (
    COMPARED,
    METHODS,
    RATES,
    axis_of_rates,
    axis_of_sizes,
    draw_means,
    mean_and_bars,
    method_look,
    most_common,
    one_legend,
    rows_where,
)
from training.config import METHODS as TRAINED


def test_every_method_that_is_trained_has_a_look():
    assert set(TRAINED) <= set(METHODS)


def test_looks_differ_in_marker_and_in_more_than_colour():
    looks = list(METHODS.values())
    assert len({(look.marker, look.hollow) for look in looks}) == len(looks)
    assert len({look.label for look in looks}) == len(looks)
    assert {"mfc"} == set(METHODS["centre"].marker_style()) and not METHODS["rectangle"].marker_style()


def test_short_names():
    assert METHODS["rectangle-paper"].short == "the paper's head" and METHODS["rectangle"].short == "coords"
    assert all(look.short == look.label for look in METHODS.values() if "," not in look.label)
    assert COMPARED == {"rectangle": "rectangle", "positionwise": "position-wise"}


def test_unknown_methods_are_named():
    assert method_look("rectangle-coords") is METHODS["rectangle"]
    with pytest.raises(FieldError, match="a method is one of rectangle, .*, got 'other'"):
        method_look("other")


def test_rows_of_a_kind():
    rows = [{"kind": "a", "n": 1, "key": "x"}, {"kind": "a", "n": 2, "key": "y"}, {"kind": "b", "key": "z"}]
    assert rows_where(rows, "a") == rows[:2] and rows_where(rows, "a", n=2) == rows[1:2]
    with pytest.raises(FieldError, match="no rows of kind 'a', n 3"):
        rows_where(rows, "a", n=3)
    with pytest.raises(FieldError, match="'z' lacks the field 'n'"):
        rows_where(rows, "b", n=3)


def test_the_most_common_configuration():
    rows = [{"config": {"a": 1, "seed": s}} for s in range(2)] + [{"config": {"a": 2, "seed": s}} for s in range(3)]
    assert most_common(rows, ["seed"]) == rows[2:]
    assert most_common(rows, ["a", "seed"]) == rows


def test_means_and_bars_are_never_negative():
    mean, bars = mean_and_bars([[0.1, 0.1, 0.1], [1.0, 2.0, 6.0]])
    assert mean == pytest.approx([0.1, 3.0]) and bars == pytest.approx(np.array([[0, 2.0], [0, 3.0]]))
    assert (bars >= 0).all()


def test_means_are_drawn_with_their_bars():
    ax = Figure().subplots()
    draw_means([1, 2], [[0.25, 0.25, 1.0], [1.0, 1.0]], ax, color="red", label="a", capsize=5)
    (line, caps, (bars,)) = ax.containers[0]
    assert line.get_xdata().tolist() == [1, 2] and line.get_ydata().tolist() == [0.5, 1.0]
    assert [s[:, 1].tolist() for s in bars.get_segments()] == [[0.25, 1.0], [1.0, 1.0]]
    assert line.get_color() == "red" and ax.containers[0].get_label() == "a"
    assert {cap.get_markersize() for cap in caps} == {10.0} and bars.get_linewidth() == [0.8]


def test_axes_have_ticks_where_the_numbers_are():
    ax = Figure().subplots()
    ax.plot([64, 1024], [0.02, 0.9])
    axis_of_rates(ax)
    axis_of_sizes([64, 1024], ax)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log") and "training images" in ax.get_xlabel()
    assert ax.get_xticks().tolist() == [64, 1024] and ax.get_yticks().tolist() == list(RATES)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["64", "1024"]
    assert [t.get_text() for t in ax.get_yticklabels()][:2] == ["0.01", "0.02"]
    assert not len(ax.get_xticks(minor=True)) and not len(ax.get_yticks(minor=True))


def test_one_legend_names_everything_once_in_order():
    panels = Figure().subplots(1, 2)
    for panel, names in zip(panels, (("b", "c"), ("a", "b")), strict=True):
        for name in names:
            panel.plot([0, 1], label=name)
    assert [t.get_text() for t in one_legend(panels, 2, ["a", "z", "b"]).get_texts()] == ["a", "b", "c"]
