"""The figure of depth: means and bars, the centre prior, the caption's numbers."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figures import depth
from paper_figures.fields import FieldError
from paper_figures.methods import COMPARED, METHODS
from paper_figures.registry import COMMITTED
from paper_figures.style import draw
from sims.rows import read_rows
from tests.paper_figures.made_up import run
from tests.paper_figures.test_figures import line


def rows():
    return [run(m, seed, experiment="depth", key=f"{m}{d}{seed}", config={"depth": d},
                test={"iou": 0.7 - 0.1 * d + 0.02 * seed - 0.2 * (m == "positionwise"),
                      "iou_chosen": 0.75 - 0.05 * d, "accuracy": 0.9 + 0.01 * d})
            for m in COMPARED for d in (3, 0, 1) for seed in (0, 1)]


def test_means_bars_and_prior():
    ax = depth.plot_panel(rows(), "iou", Figure().subplots())
    for method, top in (("rectangle", 0.71), ("positionwise", 0.51)):
        x, y = line(ax, METHODS[method].label)
        assert np.round(x).tolist() == [0, 1, 3] and y == pytest.approx([top, top - 0.1, top - 0.3])
        (bars,) = [c for c in ax.containers if c.get_label() == METHODS[method].label]
        assert np.array(bars.lines[2][0].get_segments())[0, :, 1] == pytest.approx([top - 0.01, top + 0.01])
    assert line(ax, depth.PRIOR)[1] == pytest.approx([0.1, 0.1])
    plain = depth.plot_panel(rows(), "accuracy", Figure().subplots())
    assert depth.PRIOR not in plain.get_legend_handles_labels()[1]


def test_panels_and_caption():
    figure = draw(depth, rows())
    assert [ax.get_title() for ax in figure.axes] == list(depth.PANELS.values())
    assert {ax.get_ylim() for ax in figure.axes} == {(0, 1.04)}
    shown = [line(ax, METHODS["rectangle"].label)[1] for ax in figure.axes]
    assert shown[1] == pytest.approx([0.75, 0.7, 0.6]) and shown[2] == pytest.approx([1, 1, 1])
    assert shown[3] == pytest.approx([0.9, 0.91, 0.93])
    text = depth.caption(rows())
    assert "after 0 layers IoU 0.71 (0.75 at the chosen threshold), accuracy 0.90" in text
    assert "after 3 layers IoU 0.21 (0.60" in text and "bars: from" in text and "2 seeds" in text


def test_committed_numbers_by_another_route():
    found = read_rows(COMMITTED / "depth.jsonl")
    ax = depth.plot_panel(depth.select(found), "iou_chosen", Figure().subplots())
    _, y = line(ax, METHODS["rectangle"].label)
    wanted = [np.mean([r["test"]["iou_chosen"] for r in found if r["method"] == "rectangle"
                       and r["config"]["depth"] == d]) for d in range(4)]
    assert y == pytest.approx(wanted)


def test_bad_rows():
    with pytest.raises(FieldError, match="method 'positionwise'"):
        depth.select([r for r in rows() if r["method"] == "rectangle"])
    found = rows()
    found[0]["test"]["pointing"] = None
    with pytest.raises(FieldError, match=f"'{found[0]['key']}': 'test.pointing' must be a number"):
        draw(depth, found)
    found[0]["config"]["layers"] = 2
    with pytest.raises(FieldError, match=r"same number of layers, got \[2, 3\]"):
        depth.caption(found)


def test_two_data_sets_are_not_averaged():
    pets = [{**r, "config": {**r["config"], "data": "pets"}} for r in rows()]
    with pytest.raises(FieldError, match="one data set.*got ShapeField and Oxford-IIIT Pet"):
        depth.select([*rows(), *pets])
    assert "photographs of Oxford-IIIT Pet" in depth.caption(pets)
