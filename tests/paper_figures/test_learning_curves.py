"""Learning curves: every mean and bar from the rows by hand, trivial predictors, the floor."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figures import learning_curves
from paper_figures.fields import FieldError
from paper_figures.methods import METHODS
from paper_figures.registry import COMMITTED
from paper_figures.style import draw
from sims.rows import read_rows
from tests.paper_figures.made_up import run
from tests.paper_figures.test_figures import line

SIZES = (64, 256)


def rows(truth="rotated", floor=0.0):
    out = []
    for k, method in enumerate(("rectangle", "positionwise", "none", "oracle")):
        for n in SIZES:
            for seed in (0, 1):
                miss = 0.2 - 0.0004 * n + 0.02 * seed + 0.01 * k
                out.append(run(method, seed, n, truth=truth, floor=floor, key=f"{truth}{method}{n}{seed}",
                               test={"missing_rate": miss, "iou": 1 - 3 * miss},
                               config={"shapes": {"truth": truth}}))
                if method == "none":
                    out[-1]["gradcam"] = {"missing_rate": 0.3, "iou": 0.1, "iou_chosen": 0.2 + 0.1 * seed}
    return out


def ends(ax, label):
    (bars,) = [c for c in ax.containers if c.get_label() == label]
    return np.array(bars.lines[2][0].get_segments())[:, :, 1]


@pytest.mark.parametrize("metric,first", [("missing_rate", 0.1744), ("iou", 1 - 3 * 0.1744)])
def test_means_and_bars(metric, first):
    ax = learning_curves.plot_panel(rows(), metric, Figure().subplots())
    x, y = line(ax, METHODS["rectangle"].label)
    assert x == pytest.approx(SIZES, rel=0.2) and y[0] == pytest.approx(first + (0.01 if metric ==
                                                                         "missing_rate" else -0.03))
    low, high = ends(ax, METHODS["rectangle"].label)[0]
    assert (low, high) == pytest.approx(sorted((first, first + (0.02 if metric == "missing_rate" else -0.06))))
    labels = ax.get_legend_handles_labels()[1]
    assert METHODS["oracle"].label not in labels and METHODS["none"].label not in labels


def test_trivial_predictors_and_grad_cam():
    miss = learning_curves.plot_panel(rows(), "missing_rate", Figure().subplots())
    iou = learning_curves.plot_panel(rows(), "iou", Figure().subplots())
    for ax, empty, prior, seen in ((miss, 0.125, 0.2, 0.3), (iou, 0.0, 0.1, 0.25)):
        assert line(ax, "empty map")[1] == pytest.approx([empty] * 2)
        assert line(ax, "centre prior")[1] == pytest.approx([prior] * 2)
        assert line(ax, learning_curves.GRADCAM)[1] == pytest.approx([seen] * 2)


def test_a_single_n_has_its_points_together_and_its_predictors_across():
    one = [r for r in rows() if r["n"] == SIZES[0]]
    ax = learning_curves.plot_panel(one, "missing_rate", Figure().subplots())
    assert ax.get_xlim() == pytest.approx((SIZES[0] / 2, SIZES[0] * 2))
    x, y = line(ax, "empty map")
    assert x == pytest.approx(ax.get_xlim()) and y == pytest.approx([0.125] * 2)
    assert line(ax, METHODS["positionwise"].label)[0] == pytest.approx([SIZES[0]], rel=0.2)


def test_the_floor_is_drawn_where_there_is_one():
    found = rows() + rows("l", 0.03)
    figure = draw(learning_curves, found)
    assert [ax.get_title() for ax in figure.axes[:2]] == [
        "rotated rectangles (realisable)", "L shapes (misspecified)"]
    floors = [learning_curves.FLOOR in ax.get_legend_handles_labels()[1] for ax in figure.axes]
    assert floors == [False, True, False, False]
    assert line(figure.axes[1], learning_curves.FLOOR)[1] == pytest.approx([0.03] * 2)
    assert learning_curves.FLOOR in [t.get_text() for t in figure.legends[0].get_texts()]
    text = learning_curves.caption(found)
    assert "the best rectangle misses nothing" in text and "misses 0.030" in text
    assert "bars: from the smallest to the largest" in text and "2 seeds" in text


def test_the_order_is_realisable_first_whatever_the_name():
    assert learning_curves.truths(rows("a", 0.1) + rows("b")) == ["b", "a"]


def test_other_configurations_are_counted_not_drawn():
    odd = [run(n=64, key="odd", config={"steps": 9, "shapes": {"truth": "rotated"}}),
           run(n=64, key="masks", supervision="mask")]
    assert "2 rows of other" in learning_curves.caption(rows() + odd)
    assert len(learning_curves.select(rows() + odd)) == len(rows())


def test_committed_curves_by_another_route():
    committed = read_rows(COMMITTED / "training.jsonl")
    ax = draw(learning_curves, committed).axes[0]
    for method in ("rectangle", "positionwise", "rectangle-paper", "cbam"):
        _, y = line(ax, METHODS[method].label)
        wanted = {}
        for r in committed:
            if (r["method"], r["truth"], r["supervision"]) == (method, "rotated", "label"):
                wanted.setdefault(r["n"], []).append(r["test"]["missing_rate"])
        assert y == pytest.approx([sum(v) / len(v) for _, v in sorted(wanted.items())])


@pytest.mark.parametrize("path", ["truth", "floor", "trivial", "n", "method"])
def test_a_row_without_a_field_says_which(path):
    found = rows()
    del found[0][path]
    with pytest.raises(FieldError, match=f"lacks the field '{path}"):
        draw(learning_curves, found)


def test_rows_without_a_map_are_no_curves():
    with pytest.raises(FieldError, match="no rows of a method with a map"):
        learning_curves.select([run("none"), run("oracle")])
