"""Figure 4: every panel against transformations written out here."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figures import fig04_equivariance as figure
from paper_figures.style import draw
from tests.tolerances import close
from theory.claims.ledger_4_equivariance import EQ_3_ABOUT_C, SEC_44_CENTRE
from theory.rectangle import Rectangle, hard_rectangle

C = np.array([0.5, 0.5])


def turn(points, angle):
    """(t1, t2) as a complex number, turned about c."""
    z = (points - C) @ np.array([1, 1j]) * np.exp(1j * angle)
    return np.stack([z.real, z.imag], axis=-1) + C


WARPS = (
    lambda t: t,
    lambda t: t + np.array(figure.SHIFT),
    lambda t: turn(t, figure.TURN),
    lambda t: figure.SCALE * t,
    lambda t: C + figure.SCALE * (t - C),
    lambda t: turn(t, figure.TURN),
)


@pytest.mark.parametrize("index", range(6))
def test_the_object_is_the_moved_object(index):
    panel = figure.panels()[index]
    ax = figure.plot_panel(panel, Figure().subplots())
    drawn = ax.patches[0].get_xy()[:, ::-1]
    assert close(drawn, WARPS[index](figure.outline(figure.LOOK)))
    assert ((drawn > 0) & (drawn < 1)).all()  # nothing outside the image


@pytest.mark.parametrize("index", range(6))
def test_the_formulas_rectangle_holds_the_object_in_the_first_four_only(index):
    ax = figure.plot_panel(figure.panels()[index], Figure().subplots())
    box, mu = (ax.lines[i].get_xydata()[:, ::-1] for i in (0, 1))
    expected = WARPS[index](figure.corners(figure.LOOK))
    assert close(box, expected) == (index < 4)
    assert close(np.diff(box, axis=0), np.diff(expected, axis=0))  # sides and angle are always right
    assert close(mu[0], box[:4].mean(axis=0))
    assert ("off by" in ax.get_title()) == (index >= 4)


def test_the_object_fills_its_rectangle():
    """It reaches 0.8 of each half-width, along the rectangle's own axes, in every image."""
    for panel in figure.panels():
        box = panel.image.act(figure.LOOK)
        arrow = panel.image.apply(figure.outline(figure.LOOK))
        for share, inside in ((0.801, True), (0.799, False)):
            smaller = Rectangle(box.center, share * box.half_widths, box.angle)
            assert (hard_rectangle(smaller, arrow) == 1).all() == inside


def test_the_grey_map_is_that_of_the_moved_points():
    """A map rendered at the moved point has the value of the first map at the point."""
    for index, warp in enumerate(WARPS):
        ax = figure.plot_panel(figure.panels()[index], Figure().subplots())
        values = np.asarray(ax.images[0].get_array())
        first = np.asarray(figure.attention_map(figure.LOOK, figure.CELLS, figure.CELLS, figure.S))
        inside = np.argwhere(first > 0.9)[::40] / (figure.CELLS - 1)
        cells = np.rint(warp(inside) * (figure.CELLS - 1)).astype(int)
        assert (values[cells[:, 0], cells[:, 1]] > 0.5).all() and values.max() <= 1


def test_the_two_that_fail_are_off_as_the_ledger_says():
    from fractions import Fraction

    *_, about, literal = figure.panels()
    off = about.formula.center - about.image.act(figure.LOOK).center
    assert close(off, (figure.SCALE - 1) * C)
    half = Fraction(np.tan(figure.TURN / 2))
    move = {"center": tuple(map(Fraction, figure.LOOK.center)), "shift": (Fraction(0),) * 2}
    margin = SEC_44_CENTRE.margin({**move, "scale": Fraction(figure.SCALE), "tan half angle": Fraction(0)})
    assert float(margin) == pytest.approx(max(off, key=abs))
    off = literal.formula.center - literal.image.act(figure.LOOK).center
    margin = EQ_3_ABOUT_C.margin({**move, "scale": Fraction(1), "tan half angle": half})
    assert abs(float(margin)) == pytest.approx(max(abs(off)))


def test_caption_and_layout():
    text = figure.caption(None)
    assert "off by (δσ − 1) c = (0.25, 0.25)" in text and "rotation by −30° about" in text
    drawn = draw(figure, None)
    assert len(drawn.axes) == 6 and len(drawn.legends) == 1
