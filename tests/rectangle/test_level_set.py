"""The set {f >= 1/2} of the soft rectangle against the rectangle."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp
from scipy.integrate import dblquad

from theory import rectangle_analysis as ra
from theory.rectangle import Rectangle, grid, soft_rectangle

UNIT = Rectangle([0.0, 0.0], [1.0, 1.0], 0.0)


@pytest.mark.parametrize(("s", "iou"), [(1.0, 0.1826581), (6.0, 0.9792985), (10.0, 0.9931922)])
def test_iou_by_two_quadratures_and_by_counting(s, iou):
    assert ra.level_set_iou(s) == pytest.approx(iou, abs=5e-8)
    assert ra.level_set_iou(s) == pytest.approx(ra.level_set_iou_polar(s), abs=1e-9)
    n = 1500
    side = (np.arange(n) + 0.5) / n
    points = np.stack(np.meshgrid(side, side, indexing="ij"), -1)
    counted = (soft_rectangle(UNIT, points, s) >= 0.5).mean()
    assert ra.level_set_iou(s) == pytest.approx(counted, abs=2 / n)


def test_iou_on_a_fine_grid_at_any_size_and_angle():
    r = Rectangle([0.45, 0.5], [0.35, 0.2], 0.7)
    points = grid(700, 700)
    high = soft_rectangle(r, points, 6.0) >= 0.5
    hard = soft_rectangle(r, points, 1e5) >= 0.5
    assert not (high & ~hard).any()
    assert high.sum() / hard.sum() == pytest.approx(ra.level_set_iou(6.0), abs=3e-3)


def test_iou_grows_with_the_scale():
    values = [ra.level_set_iou(s) for s in np.geomspace(0.9, 300, 40)]
    assert all(a < b < 1 for a, b in zip(values, values[1:], strict=False))


def test_the_set_is_empty_below_log_one_plus_root_two():
    edge = math.log(1 + math.sqrt(2))
    assert edge == pytest.approx(0.881374, abs=1e-6)
    assert edge == pytest.approx(ra.EMPTY_BELOW, abs=1e-15)
    assert ra.peak(edge) == pytest.approx(0.5, abs=1e-15)
    assert ra.level_set_iou(edge - 1e-6) == 0 == ra.level_set_iou_polar(edge - 1e-6)
    assert ra.level_set_iou(edge + 1e-4) > 0 < ra.level_set_iou_polar(edge + 1e-4)


@pytest.mark.parametrize("s", [0.7, 1.0, 6.0, 40.0])
def test_the_boundary_is_below_one_half(s):
    assert float(soft_rectangle(UNIT, [1.0, 0.0], s)) == pytest.approx(ra.mid_edge(s))
    assert float(soft_rectangle(UNIT, [0.0, -1.0], s)) == pytest.approx(ra.mid_edge(s))
    assert float(soft_rectangle(UNIT, [-1.0, 1.0], s)) == pytest.approx(ra.CORNER)
    assert float(soft_rectangle(UNIT, [0.0, 0.0], s)) == pytest.approx(ra.peak(s))
    edge = np.stack([np.ones(101), np.linspace(-1, 1, 101)], -1)
    assert (soft_rectangle(UNIT, edge, s) < 0.5 + 1e-12).all() and ra.mid_edge(s) <= 0.5


@given(st.floats(0.9, 20), st.floats(0, 0.99))
def test_the_level_curve_is_where_the_map_is_one_half(s, x):
    y = ra.level_set_height(x, s)
    if y > 1e-6:
        assert float(soft_rectangle(UNIT, [x, y], s)) == pytest.approx(0.5, abs=1e-9)
        assert math.sinh(s * (1 - x * x)) * math.sinh(s * (1 - y * y)) == pytest.approx(1, rel=1e-3)
    else:
        assert float(soft_rectangle(UNIT, [x, 0.0], s)) <= 0.5 + 1e-9


@pytest.mark.parametrize("s", [1.0, 6.0, 25.0])
def test_tail_mass_against_the_polylogarithm(s):
    with mp.workdps(30):  # integral of the window over the line, a complete Fermi-Dirac integral
        whole = float(-mp.sqrt(mp.pi / s) * mp.polylog(mp.mpf(1) / 2, -mp.exp(s)).real)
        inside = float(mp.quad(lambda x: 1 / (1 + mp.exp(-s * (1 - x * x))), [-1, 0, 1]))
    assert ra.tail_mass(s) == pytest.approx(1 - (inside / whole) ** 2, abs=1e-9)


def test_tail_mass_against_a_double_integral():
    def f(y, x):
        return float(soft_rectangle(UNIT, [x, y], 3.0))

    end = math.sqrt(1.5)
    inside = dblquad(f, 0, end, 0, end, epsabs=1e-7)[0]
    whole = dblquad(f, 0, 3.6, 0, 3.6, epsabs=1e-7)[0]
    assert ra.tail_mass(3.0, h=0.5) == pytest.approx(1 - inside / whole, abs=1e-6)


@given(st.floats(0.5, 20), st.floats(0, 2), st.floats(0, 3), st.floats(0, 3))
def test_tail_values_stay_below_the_bound(s, h, x, y):
    if max(x, y) ** 2 > 1 + h:
        assert float(soft_rectangle(UNIT, [x, y], s)) <= ra.tail_value_bound(s, h) + 1e-12
    on_the_edge = float(soft_rectangle(UNIT, [math.sqrt(1 + h), 0.0], s))
    assert on_the_edge == pytest.approx(ra.tail_value_bound(s, h), abs=1e-9)


@pytest.mark.parametrize("s", [0.0, -1.0, math.inf, math.nan])
def test_scales_must_be_positive_and_finite(s):
    for function in (ra.level_set_iou, ra.level_set_iou_polar, ra.peak, ra.mid_edge, ra.tail_mass):
        with pytest.raises(ValueError, match="s must be positive and finite"):
            function(s)


@pytest.mark.parametrize("h", [-0.1, math.nan])
def test_the_margin_must_not_be_negative(h):
    for function in (ra.tail_mass, ra.tail_value_bound):
        with pytest.raises(ValueError, match="h must be >= 0"):
            function(6.0, h)
