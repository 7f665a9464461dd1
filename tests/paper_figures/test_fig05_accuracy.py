"""Accuracy by split: points, means and counts of wins, and splits that lack a method."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figures import fig05_accuracy
from paper_figures.fields import FieldError
from paper_figures.registry import COMMITTED
from paper_figures.style import draw
from sims.rows import read_rows
from tests.paper_figures.made_up import run

GAINS = {"none": 0.0, "positionwise": 0.1, "rectangle": 0.2, "rectangle+EQVC": 0.05, "oracle": 0.3}
SPLITS = (3, 1, 0, 2)
BASE = (0.5, 0.6, 0.55, 0.52)


def rows(ratios=(60, 80), gains=GAINS):
    """Every method is above "none" by its gain, on every split; splits out of order."""
    return [run(name.removesuffix("+EQVC"), split, experiment="splits", key=f"{name}{ratio}{split}",
                test={"accuracy": BASE[split] + gain + 0.001 * split * (name == "rectangle")},
                config={"ratio": ratio, "split": split,
                        "eqvc": "quotient" if "EQVC" in name else "none"})
            for name, gain in gains.items() for ratio in ratios for split in SPLITS]


def test_points_are_paired_by_split():
    found = fig05_accuracy.scores(rows())
    ax = fig05_accuracy.plot_panel(found["6:4"], Figure().subplots())
    lines = [p for p in ax.lines if p.get_marker() == "None" and len(p.get_xdata()) == len(GAINS)]
    assert len(lines) == len(SPLITS)
    for split, drawn in enumerate(lines):
        wanted = [100 * (BASE[split] + g + 0.001 * split * (m == "rectangle")) for m, g in GAINS.items()]
        assert drawn.get_ydata() == pytest.approx(wanted)
        assert np.round(drawn.get_xdata()).tolist() == list(range(len(GAINS)))


def test_black_bars_are_means():
    ax = fig05_accuracy.plot_panel(fig05_accuracy.scores(rows())["8:2"], Figure().subplots())
    bars = [p.get_ydata() for p in ax.lines if len(p.get_xdata()) == 2]
    assert [b[0] for b in bars] == pytest.approx(
        [100 * (np.mean(BASE) + g + 0.0015 * (m == "rectangle")) for m, g in GAINS.items()])


def test_panels_and_caption():
    figure = draw(fig05_accuracy, rows((60, 70, 80)))
    assert [ax.get_title() for ax in figure.axes] == ["6:4", "7:3", "8:2"]
    text = fig05_accuracy.caption(rows())
    assert "over 4 random splits of one pool of 40" in text and "no error bars" in text
    assert "Rectangle, coords: above position-wise attention on 8 of 8 splits" in text
    assert "+ EQVC: above position-wise attention on 0 of 8" in text


def test_a_method_that_lacks_a_split_is_refused():
    with pytest.raises(FieldError, match=r"splits \[0, 1, 2, 3\] of ratio 60, 'none' has \[0, 1, 2\]"):
        fig05_accuracy.scores([r for r in rows() if r["key"] != "none603"])
    twice = [*rows(), rows()[0]]
    with pytest.raises(FieldError, match=r"has \[0, 1, 2, 3, 3\]"):
        fig05_accuracy.scores(twice)


@pytest.mark.parametrize("path,words", [("test", "test.accuracy"), ("config", "config.ratio"),
                                        ("experiment", "experiment")])
def test_a_row_without_a_field_says_which(path, words):
    found = rows()
    del found[0][path]
    with pytest.raises(FieldError, match=f"'none603' lacks the field '{words}'"):
        draw(fig05_accuracy, found)


def test_committed_splits_by_another_route():
    found = read_rows(COMMITTED / "splits.jsonl")
    scores = fig05_accuracy.scores(found)
    for ratio, by in scores.items():
        wins = sum(next(r["test"]["accuracy"] for r in found
                        if (r["method"], r["config"]["eqvc"], r["config"]["split"],
                            r["config"]["ratio"]) == ("rectangle", "none", s, 10 * int(ratio[0])))
                   > by["positionwise"][s] for s in range(5))
        assert wins == 5
