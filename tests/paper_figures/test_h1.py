"""(H1) drawn: points against numbers made by hand, and the committed rows against the ledger."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figures import h1, h1_regimes
from paper_figures.fields import FieldError
from paper_figures.methods import COMPARED
from paper_figures.registry import COMMITTED
from paper_figures.style import RED, draw
from sims.rows import read_rows
from tests.paper_figures.made_up import run
from theory.claims.ledger_5_1_trained import regimes_measurement

NAMES = ("holds", "fails", "memory")


def trainings():
    return [run(m, seed, n) for m in COMPARED for seed in (0, 1) for n in (64, 256)]


def regimes():
    """"holds" and "fails" for rectangles; in "memory" the oracle's loss is as large."""
    out = []
    for method in (*COMPARED, "oracle"):
        for seed in (0, 1):
            for name, loss, miss in (("holds", 0.05, 0.05), ("fails", 0.05, 0.1), ("memory", 1.35, 0.2)):
                if method == "oracle":
                    loss, miss = (1.2 + 0.2 * seed if name == "memory" else 0.01), 0.0
                out.append(run(method, seed, regime=name, experiment="regimes", key=f"{method}{seed}{name}",
                               train={"loss": loss, "missing_rate": miss}))
    return out


def series(ax):
    return {line.get_label(): np.asarray(line.get_data()).T for line in ax.lines
            if not line.get_label().startswith("_")}


def test_a_line_is_a_run_in_units_of_the_empty_map():
    ax = h1.plot_trainings([run(seed=0), run(seed=1, n=256)], Figure().subplots())
    assert set(series(ax)) == {"N = 64", "N = 256"}
    for points in series(ax).values():  # missing rates 0.25 and 0.05, the empty map misses 2/16
        assert points == pytest.approx(np.array([[1.4, 2.0], [0.01, 0.4]]))
    assert len({(line.get_color(), line.get_marker()) for line in ax.lines}) == 2
    assert all(line.get_markevery() == [1] for line in ax.lines)


def test_losses_too_small_for_the_axis_are_put_on_its_edge():
    history = [{"loss": 1.0, "missing_rate": 0.1}, {"loss": 1e-9, "missing_rate": 0.1}]
    ax = h1.plot_trainings([run(history=history)], Figure().subplots())
    assert ax.lines[0].get_xdata().tolist() == [1.0, h1.LEAST_LOSS]


def test_the_floor_counts_for_rectangles_only():
    assert h1.relative_miss(run(floor=0.025), 0.05) == pytest.approx(0.25)
    assert h1.relative_miss(run("positionwise", floor=0.025), 0.05) == pytest.approx(0.4)
    with pytest.raises(FieldError, match="must be above the floor"):
        h1.relative_miss(run(floor=0.125), 0.05)


def test_ends_are_beside_the_oracles_loss_and_marked_by_outcome():
    ax = h1.plot_regimes(regimes(), "rectangle", Figure().subplots())
    found = series(ax)
    holds, fails = (found[h1.OUTCOMES[k][0]] for k in ("all", "none"))
    assert holds == pytest.approx(np.array([[0.04, 0.4]] * 2))
    assert sorted(map(tuple, fails.round(9))) == [(0.04, 0.8)] * 2 + [
        (0.05, 1.6)] * 2  # 1.3 is the mean of the oracle's 1.2 and 1.4: 1.35 is a small loss there
    assert h1.outcomes(regimes(), "rectangle") == {"holds": "all", "fails": "none", "memory": "none"}


def test_the_shaded_corner_is_small_loss_and_large_missing_rate():
    figure = draw(h1, trainings() + regimes())
    for ax in figure.axes:
        (corner,) = [c for c in ax.collections if tuple(c.get_facecolor()[0][:3]) == pytest.approx(
            tuple(int(RED[k:k + 2], 16) / 255 for k in (1, 3, 5)))]
        box = corner.get_paths()[0].get_extents()
        assert (box.x1, box.y0) == (0.1, 0.5) and box.x0 == ax.get_xlim()[0] and box.y1 == ax.get_ylim()[1]


def test_panels_captions_and_counts():
    figure = draw(h1, trainings() + regimes())
    assert [ax.get_title() for ax in figure.axes] == [
        "rectangle, along trainings", "position-wise, along trainings",
        "rectangle, ends in 3 regimes", "position-wise, ends in 3 regimes"]
    text = h1.caption(trainings() + regimes())
    assert "(8 runs, 2 seeds a size)" in text and "of 12 runs" in text
    assert "rectangle: fails, memory." in text and "No error bars" in text
    assert h1.layout(trainings()) == (1, 2) and len(draw(h1, trainings()).axes) == 2
    assert "Below" not in h1.caption(trainings())


def test_mask_losses_and_other_configurations_are_left_out():
    odd = run(key="odd", config={"steps": 3})
    masks = run(supervision="mask")
    assert h1.select([odd, masks, *trainings()]) == trainings()
    with pytest.raises(FieldError, match="no rows of kind 'training', method 'positionwise'"):
        h1.select([run()])


def test_the_map_of_regimes():
    figure = draw(h1_regimes, regimes())
    left = figure.axes[0]
    assert [t.get_text() for t in left.get_yticklabels()] == ["holds", "fails", "memory"]
    points = {tuple(p) for line in left.lines if line.get_linestyle() == "None"
              for p in np.round(np.asarray(line.get_data()).T, 9)}
    assert points == {(0.4, 0), (0.8, 1), (1.6, 2)}
    hollow = [r | {"train": r["train"] | {"loss": 0.5}} if r["key"] == "rectangle1holds" else r
              for r in regimes()]
    faces = [line.get_markerfacecolor() for line in draw(h1_regimes, hollow).axes[0].lines
             if line.get_linestyle() == "None" and 0 in line.get_ydata()]
    assert len(faces) == 2 and "none" in faces
    text = h1_regimes.caption(regimes())
    assert "3 kinds of images, 2 runs" in text and "every one finds it in 1 kinds" in text


def test_the_map_needs_the_same_regimes_of_both():
    short = [r for r in regimes() if r["key"] != "positionwise0holds" and r["key"] != "positionwise1holds"]
    with pytest.raises(FieldError, match="both methods need the same regimes"):
        h1_regimes.order(short)
    with pytest.raises(FieldError, match="no rows of kind 'training', experiment 'regimes'"):
        h1_regimes.order(trainings())


def test_committed_rows_say_what_the_ledger_says():
    rows = read_rows(COMMITTED / "regimes.jsonl")
    numbers = regimes_measurement().numbers
    for method in COMPARED:
        for name, said in h1.outcomes(rows, method).items():
            fits, hits = (numbers[f"{method}, {name}"][k] for k in ("premise", "conclusion"))
            assert said == ("silent" if fits == 0 else "all" if hits == fits
                            else "some" if hits else "none")
    corner = {name for name, said in h1.outcomes(rows, "rectangle").items() if said == "none"}
    ax = h1.plot_regimes(rows, "rectangle", Figure().subplots())
    ends = series(ax)[h1.OUTCOMES["none"][0]]
    assert len(ends) == 2 * len(corner) and (ends[:, 1] >= 0.5).all()


@pytest.mark.parametrize("path", ["history", "train_areas", "floor", "grid", "n"])
def test_a_row_without_a_field_says_which(path):
    rows = trainings()
    del rows[0][path]
    with pytest.raises(FieldError, match=f"{rows[0]['key']}.*lacks the field '{path}'"):
        draw(h1, rows)


def test_a_regime_without_a_loss_says_which_row():
    rows = regimes()
    rows[0]["train"]["loss"] = None
    with pytest.raises(FieldError, match="'rectangle0holds': 'train.loss' must be a number"):
        draw(h1_regimes, rows)
