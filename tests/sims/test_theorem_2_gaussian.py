"""Gaussian classes: panels against sign changes against closed forms; the sandwich; the plane."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sims.theorem_2_gaussian import Model, by_panels, by_sign_changes, closed_form, in_the_plane, rule
from theory.arrays import DivisionUndefined

MODELS = [
    Model(1.0, shape="window", top=0.95, center=1.0, width=1.5, background=(1.0, 1.5)),
    Model(2.0, other_sigma=2.0, shape="bump", top=0.9, center=-1.0, background=(-1.0, 0.5)),
    Model(6.0, shape="window", top=0.95, center=-3.0, width=3.0, background=(-6.0, 2.0), more=((-7.5, 2.5),)),
    Model(0.5, other_sigma=1.5, shape="bump", top=0.7, width=0.7, keep=0.4),
]


@pytest.mark.parametrize("model", MODELS)
def test_two_quadratures_agree_within_their_errors(model):
    panels, adaptive = by_panels(model, 400), by_sign_changes(model)
    assert adaptive["error"] < 1e-9 and panels["panel_error"] < 1e-4
    assert abs(panels["tv"] - adaptive["tv"]) <= 3 * panels["panel_error"] + adaptive["error"]
    assert panels["low"] - 1e-9 <= panels["tv"] <= panels["high"] + 1e-9
    assert panels["low"] < panels["tv"] < panels["high"] <= panels["pure"]
    assert adaptive["sign_changes"] >= 2  # D integrates to 0 and vanishes at most there


@pytest.mark.parametrize("distance", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("keep", [1.0, 0.25])
def test_constant_maps_against_the_closed_form(distance, keep):
    model = Model(distance, shape="constant", top=0.6, keep=keep)
    level = 1 - keep * 0.4
    expected = level * (2 * 0.5 * math.erfc(-distance / 2 / math.sqrt(2)) - 1)
    assert closed_form(model) == pytest.approx(expected, abs=1e-14)
    assert by_panels(model, 60)["tv"] == pytest.approx(expected, abs=1e-4)
    assert by_sign_changes(model)["tv"] == pytest.approx(expected, abs=1e-11)
    assert by_panels(model, 60)["theorem_2_2"] == pytest.approx(level, abs=1e-9)


def test_no_closed_form_elsewhere():
    assert closed_form(Model(1.0, shape="window")) is None
    assert closed_form(Model(1.0, other_sigma=2.0, shape="constant", top=0.5)) is None


def test_a_better_gaussian_map_separates_less_and_equal_improvement_does_not():
    base = {"distance": 6.0, "shape": "window", "top": 0.95, "center": -3.0, "width": 3.0, "background": (-6.0, 2.0)}
    worse, better = Model(**base), Model(**base, more=((-7.5, 2.5), (-11.0, 2.5)))
    x = np.linspace(-20, 20, 4001)
    assert (better.fitting(x) >= worse.fitting(x)).all() and better.fitting(x).max() <= 1
    before, after = (by_sign_changes(m)["tv"] for m in (worse, better))
    assert before - after > 0.2
    swept = [by_sign_changes(Model(**base, keep=keep))["tv"] for keep in (1.0, 0.6, 0.2, 0.02)]
    assert all(a <= b + 1e-9 for a, b in zip(swept[:-1], swept[1:], strict=True))
    assert swept[-1] == pytest.approx(math.erf(3 / math.sqrt(2)), abs=0.02)  # lambda -> 1


def test_rule_is_exact_on_polynomials_and_covers_the_interval():
    x, w = rule(-1.0, 2.0, 2)
    assert x.shape == (32,) and w.sum() == pytest.approx(3.0)
    for power in (1, 7, 31):
        expected = (2.0 ** (power + 1) - (-1.0) ** (power + 1)) / (power + 1)
        assert (x**power * w).sum() == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ValueError, match="panels"):
        rule(0.0, 1.0, 0)


def test_the_plane_by_two_routes():
    got = in_the_plane(2.0, 0.7, 2.0, 200000, 24, np.random.default_rng(0))
    assert abs(got["tv"] - got["monte_carlo"]) < got["half_width"] < 0.02
    assert abs(got["tv"] - got["monte_carlo"]) < 0.004  # about four standard errors
    assert got["low"] < got["tv"] < got["high"]
    finer = in_the_plane(2.0, 0.7, 2.0, 1000, 32, np.random.default_rng(0))
    assert finer["tv"] == pytest.approx(got["tv"], abs=2e-3)


def test_the_plane_along_an_axis_is_the_line_when_the_second_window_is_wide():
    got = in_the_plane(1.0, 0.0, 9.0, 1000, 24, np.random.default_rng(0))
    line = by_sign_changes(Model(1.0, shape="window", top=0.95, center=1.0, width=9.0, background=(1.0, 2.0)))
    assert got["tv"] == pytest.approx(line["tv"], abs=2e-3)


def test_bad_quadratures():
    ones = Model(1.0, shape="constant")
    for call in (lambda: by_panels(ones, 12), lambda: by_sign_changes(ones)):
        with pytest.raises(DivisionUndefined, match="Eq. 18 needs lambda < 1"):
            call()
    with pytest.raises(ValueError, match="panels must be at least 12, got 11"):
        by_panels(MODELS[0], 11)
    assert by_panels(MODELS[0], 12)["panel_error"] > 0


def test_bad_models():
    for kwargs, message in (({"shape": "x"}, "shape"), ({"top": 1.5}, "top"), ({"keep": -1.0}, "keep"),
                            ({"width": 0.0}, "positive"), ({"background": (0.0, 0.0)}, "positive")):
        with pytest.raises(ValueError, match=message):
            Model(1.0, **kwargs)
