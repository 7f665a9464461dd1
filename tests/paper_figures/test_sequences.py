"""Sequences of transforms: means at every step, the ceiling, steps that are missing."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figures import sequences
from paper_figures.fields import FieldError
from paper_figures.methods import METHODS
from paper_figures.registry import COMMITTED
from paper_figures.style import draw
from sims.rows import read_rows
from tests.paper_figures.made_up import run
from tests.paper_figures.test_figures import line


def moving(method="rectangle", seed=0, eqvc="none", shift=0.0):
    steps = [{"path": path, "step": k, "part": k / 2, "n": 20, "kept": 20 - 3 * k,
              "iou_truth": 0.6 - 0.1 * k - 0.05 * p + 0.1 * seed - shift,
              "iou": 1 - 0.2 * k - 0.1 * seed - shift, "iou_ceiling": 1 - 0.05 * k}
             for p, path in enumerate(sequences.PATHS) for k in range(3)]
    mean = np.mean([s["iou_truth"] for s in steps if s["path"] == "composed" and s["step"]])
    return run(method, seed, experiment="sequences", key=f"{method}{eqvc}{seed}", config={"eqvc": eqvc},
               sequences={"steps": steps, "summary": {"composed": {"iou_truth": float(mean)}}})


def rows():
    return [moving(m, s, e, h) for s in (0, 1) for m, e, h in (
        ("rectangle", "none", 0.0), ("rectangle", "quotient", 0.02), ("positionwise", "none", 0.3))]


def test_curves_are_means_over_seeds():
    ax = sequences.plot_panel(sequences.select(rows()), "scaling", "iou_truth", Figure().subplots())
    assert ax.get_legend_handles_labels()[1] == [
        METHODS[m].label for m in ("rectangle", "rectangle+EQVC", "positionwise")]
    x, y = line(ax, METHODS["positionwise"].label)
    assert x.tolist() == [0, 0.5, 1] and y == pytest.approx([0.3, 0.2, 0.1])
    _, y = line(ax, METHODS["rectangle+EQVC"].label)
    assert y == pytest.approx([0.58, 0.48, 0.38])


def test_the_ceiling_belongs_to_following_oneself():
    below = sequences.plot_panel(sequences.select(rows()), "rotation", "iou", Figure().subplots())
    assert line(below, sequences.CEILING)[1] == pytest.approx([1, 0.95, 0.9])
    figure = draw(sequences, rows())
    assert [ax.get_title() for ax in figure.axes[:4]] == list(sequences.PATHS.values())
    seen = [sequences.CEILING in ax.get_legend_handles_labels()[1] for ax in figure.axes]
    assert seen == [False] * 4 + [True] * 4


def test_caption():
    text = sequences.caption(rows())
    assert "20 images" in text and "at least 14" in text and "2 seeds" in text and "no error bars" in text
    assert "rectangle, coords 0.50, 0.35;" in text and "differ by at most 0.10" in text
    assert text.index("rectangle, coords 0.50") < text.index("position-wise 0.20, 0.05")


def test_committed_curves_by_another_route():
    found = read_rows(COMMITTED / "sequences.jsonl")
    part, mean, bars = sequences.along(sequences.select(found)["positionwise"], "composed", "iou_truth")
    mine = [r for r in found if r["method"] == "positionwise"]
    wanted = np.array([[s["iou_truth"] for s in r["sequences"]["steps"] if s["path"] == "composed"]
                       for r in mine])
    assert mean == pytest.approx(wanted.mean(axis=0)) and part.tolist() == [k / 8 for k in range(9)]
    assert bars.sum(axis=0) == pytest.approx(np.ptp(wanted, axis=0))


def test_bad_rows():
    with pytest.raises(FieldError, match="no rows of kind 'training', experiment 'sequences'"):
        sequences.select([run()])
    with pytest.raises(FieldError, match=r"known method, got \['new'\]"):
        sequences.select([*rows(), moving("new")])
    found = rows()
    del found[0]["sequences"]["steps"][-1]
    with pytest.raises(FieldError, match="every run needs the same steps of the path 'composed'"):
        draw(sequences, found)
    found = rows()
    found[0]["sequences"]["steps"][1]["iou_truth"] = None
    with pytest.raises(FieldError, match="'rectanglenone0, step 1': 'iou_truth' must be a number"):
        draw(sequences, found)
