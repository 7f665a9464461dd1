"""The window of Eq. 1: values at the ends, at the centre, near and far."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rectangle import oracles
from theory.rectangle import log_sigmoid, window

scale = st.floats(0.5, 50)
place = st.floats(-2, 2, allow_subnormal=False)
width = st.floats(0.05, 3)


@given(place, place, width, scale)
def test_window_is_the_printed_formula(t, t0, sigma, s):
    assert float(window(t, t0, sigma, s)) == pytest.approx(
        oracles.window(t, t0, sigma, s), abs=1e-12)


@given(place, width, scale)
def test_window_is_half_at_the_ends(t0, sigma, s):
    for end in (t0 - sigma, t0 + sigma):
        assert float(window(end, t0, sigma, s)) == pytest.approx(0.5, abs=1e-10)


def test_sigma_is_a_half_width():
    t = np.linspace(-3, 3, 60001)
    inside = t[window(t, 0.0, 1.3, 10.0) >= 0.5]
    assert inside[-1] - inside[0] == pytest.approx(2 * 1.3, abs=3e-4)
    assert float(window(1.3 / 2, 0.0, 1.3, 10.0)) == pytest.approx(oracles.sigmoid(7.5))


@given(st.floats(0.1, 30), place)
def test_the_peak_is_below_one(s, t):
    top = float(window(0.4, 0.4, 0.7, s))
    assert top == pytest.approx(1 / (1 + math.exp(-s)), rel=1e-12) and top < 1
    assert float(window(t, 0.4, 0.7, s)) <= top


@given(scale, st.floats(0, 1), st.floats(0, 1))
def test_window_is_near_one_and_zero_away_from_the_ends(s, h, part):
    assert float(window(math.sqrt((1 - h) * part), 0.0, 1.0, s)) >= oracles.sigmoid(s * h) - 1e-12
    assert float(window(math.sqrt(1 + h) + part, 0.0, 1.0, s)) <= oracles.sigmoid(-s * h) + 1e-12


def test_steeper_windows_tend_to_the_indicator_off_the_ends():
    values = window(np.array([0.9, 1.0, 1.1]), 0.0, 1.0, 1e4)
    np.testing.assert_allclose(values, [1, 0.5, 0], atol=1e-12)


def test_window_moves_and_stretches_with_its_parameters():
    t = np.linspace(-2, 2, 41)
    np.testing.assert_allclose(window(t + 0.3, 0.8, 0.4, 6.0), window(t, 0.5, 0.4, 6.0), atol=1e-12)
    np.testing.assert_allclose(window(3 * t, 1.5, 1.2, 6.0), window(t, 0.5, 0.4, 6.0), atol=1e-12)
    np.testing.assert_allclose(window(-t, 0.0, 0.4, 6.0), window(t, 0.0, 0.4, 6.0), atol=1e-15)


def test_log_sigmoid_is_finite_where_the_sigmoid_underflows():
    z = np.array([-1e4, -745.0, -1.0, 0.0, 1.0, 745.0, 1e4])
    values = log_sigmoid(z)
    assert np.isfinite(values).all() and values[0] == -1e4 and values[-1] == 0
    np.testing.assert_allclose(values[2:5], np.log([oracles.sigmoid(x) for x in (-1, 0, 1)]))
