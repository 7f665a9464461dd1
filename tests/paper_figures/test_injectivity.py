"""The figure of injectivity, tested on the data in its axes and by hand."""

from __future__ import annotations

import copy
from collections import Counter

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figures import injectivity as figure
from paper_figures.fields import FieldError
from paper_figures.registry import COMMITTED
from paper_figures.style import draw
from sims.rows import read_rows
from tests.paper_figures.test_figures import line
from theory.injectivity import binary_collisions


@pytest.fixture(scope="module")
def rows():
    return [r for name in ("injectivity", "injectivity_trained") for r in read_rows(COMMITTED / f"{name}.jsonl")]


def test_the_two_inputs_have_one_output():
    """By arithmetic written out here: what the attended half doubles."""
    pair = figure.example()
    outputs = []
    for x in (pair.x[..., 0], pair.y[..., 0]):
        left, right = x[:, :2].copy(), x[:, 2:].copy()
        if left.sum() <= right.sum():
            left *= 2
        else:
            right *= 2
        outputs.append(np.hstack([left, right]))
    assert np.array_equal(*outputs) and not np.array_equal(pair.x, pair.y)
    assert pair.residual == 0 and np.array_equal(pair.y[:, :2, 0], 2 * figure.IMAGE[:, :2])
    assert np.array_equal(pair.y[:, 2:, 0], figure.IMAGE[:, 2:] / 2)
    assert len(list(binary_collisions(figure.darker_half, figure.IMAGE[..., None]))) == 1


def test_the_picture_is_the_collision():
    panels = figure.draw_collision(Figure().subplots(1, 3))
    shown = [np.asarray(ax.images[0].get_array()) for ax in panels]
    assert np.array_equal(shown[0], figure.IMAGE)
    for ax, x in zip(panels[:2], shown, strict=False):
        corner = ax.lines[0].get_xdata()
        marked = slice(int(corner.min()), int(corner.max()))
        assert np.array_equal(x[:, marked] * 2, shown[2][:, marked])
        other = [j for j in range(4) if not marked.start <= j < marked.stop]
        assert np.array_equal(x[:, other], shown[2][:, other]) and len(other) == 2
        assert [t.get_text() for t in ax.texts] == [f"{v:g}" for v in x.flat]


def test_shares_jump_at_the_critical_gain(rows):
    ax = figure.plot_gains(rows, Figure().subplots())
    gains, share = line(ax, "falls with ⟨w, x⟩")
    assert np.array_equal(share, np.asarray(gains) > 6 - np.log(2)) and 0 < share.sum() < len(share)
    assert not np.any(line(ax, "rises, or blind to scale")[1])
    counted = Counter((r["gain"], r["collision"]) for r in rows
                      if r["kind"] == figure.SOFT and r["name"] == "network" and not r["rescaled"])
    gains, share = line(ax, "small network")
    for gain, value in zip(gains, share, strict=True):
        hit, miss = counted[gain, True], counted[gain, False]
        assert value == hit / (hit + miss) and hit + miss == 6


def test_every_trained_module_is_a_line(rows):
    """Ratios and singular values, in the order of the axis."""
    found = [r for r in rows if r["kind"] == figure.TRAINED]
    figures = ((figure.plot_ratios, lambda i: (i["prop4"]["random_median"], i["prop4"]["climbed_max"])),
               (figure.plot_spectra, lambda i: (i["sigma_min"], i["sigma_max"])))
    for draw_panel, ends in figures:
        ax = draw_panel(rows, Figure().subplots())
        drawn = {tuple(h.get_xdata()) for h in ax.lines if len(h.get_xdata()) == 2 and h.get_marker() in "os"}
        assert drawn == {ends(r["injectivity"]) for r in found} and len(found) == 20
        names = [t.get_text() for t in ax.get_yticklabels()]
        for h in ax.lines:
            if h.get_marker() not in ("o", "s"):
                continue
            row = next(r for r in found if ends(r["injectivity"]) == tuple(h.get_xdata()))
            assert names[round(h.get_ydata()[0])] == figure.METHODS[row["method"]]
            assert (h.get_marker() == "s") == row["config"]["rescale"]


def test_reversed_points_are_counted_from_the_orientations(rows):
    """The rows' count against the signs themselves."""
    found = [r for r in rows if r["kind"] == figure.TRAINED]
    signs = [o for r in found for o in r["injectivity"]["orientations"]]
    turned, points = figure.reversed_points(found)
    assert points == len(signs) and turned <= sum(o["sign"] < 0 for o in signs) <= turned + 3
    ax = figure.plot_spectra(rows, Figure().subplots())
    told = [t.get_text().split(" of ") for t in ax.texts if " of " in t.get_text()]
    assert sum(int(a) for a, _ in told) == turned and sum(int(b) for _, b in told) == points
    text = figure.caption(rows)
    assert f"negative at {turned} of {points} points" in text


def test_caption(rows):
    text = figure.caption(rows)
    collisions = sum(r["collisions"] for r in rows if r["kind"] == figure.BINARY)
    assert f"of {collisions} exact collisions of binary maps 0 meet" in text
    examined = [r["injectivity"] for r in rows if r["kind"] == figure.TRAINED]
    above = sum(i["prop4"]["climbed_max"] >= 1 for i in examined)
    assert f"above 1 for {above} of them" in text and above == 19
    assert len(draw(figure, rows).axes) == 6


def test_what_cannot_be_drawn_is_refused(rows):
    for kind in (figure.SOFT, figure.TRAINED):
        with pytest.raises(FieldError, match=f"no rows of kind '{kind}'"):
            draw(figure, [r for r in rows if r["kind"] != kind])
    with pytest.raises(FieldError, match="no rows of kind 'injectivity-binary'"):
        figure.caption([r for r in rows if r["kind"] != figure.BINARY])
    bare = [{k: v for k, v in r.items() if k != "injectivity"} for r in rows]
    with pytest.raises(FieldError, match="with 'injectivity'"):
        figure.trained(bare)
    bad = copy.deepcopy([r for r in rows if r["kind"] == figure.TRAINED])
    del bad[0]["injectivity"]["sigma_min"]
    with pytest.raises(FieldError, match="lacks the field 'injectivity.sigma_min'"):
        figure.plot_spectra(bad, Figure().subplots())
