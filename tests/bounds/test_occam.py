"""Occam's bound: 40 digits, exact coverage, exact sizes of the classes."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp
from scipy.stats import binomtest

from tests.bounds.strategies import DELTA, SIZE, UNIT
from tests.bounds.toys import coins, is_kl_upper, needle_misses, safe_and_tight
from theory.bounds.base import Bound
from theory.bounds.occam import (
    Occam,
    OccamHoeffding,
    log_size_bound,
    log_size_of_constant_masks,
    log_size_of_heads,
    occam,
    occam_hoeffding,
)
from theory.families import AllMasks, FiniteFamily, Parallelograms, Rectangles, RotatedRectangles

NATS = st.floats(0, 100)


@given(UNIT, NATS, SIZE, DELTA)
def test_formulas_in_40_digits_on_the_safe_side(q, log_size, n, delta):
    with mp.workdps(40):
        c = (mp.mpf(log_size) - mp.log(mp.mpf(delta))) / n
        assert is_kl_upper(occam(q, log_size, n, delta), q, c)
        root = min(mp.mpf(q) + mp.sqrt(c / 2), mp.mpf(1))
        assert safe_and_tight(occam_hoeffding(q, log_size, n, delta), root)


@given(UNIT, NATS, SIZE, DELTA)
def test_order_and_range(q, log_size, n, delta):
    upper = occam(q, log_size, n, delta)
    assert q <= upper <= occam_hoeffding(q, log_size, n, delta) * (1 + 1e-14) and upper <= 1


@given(st.floats(0, 0.9), NATS, SIZE, DELTA)
def test_monotone(q, log_size, n, delta):
    for bound in (occam, occam_hoeffding):
        here = bound(q, log_size, n, delta)
        assert bound(q + 0.1, log_size, n, delta) >= here
        assert bound(q, log_size + 1, n, delta) >= here
        assert bound(q, log_size, n, delta / 2) >= here
        assert bound(q, log_size, 2 * n, delta) <= here


def test_one_predictor_with_no_loss_is_the_closed_form():
    """kl(0 || p) = -ln(1 - p)."""
    for n, delta in product((1, 7, 300), (0.5, 0.05, 1e-6)):
        assert occam(0.0, 0.0, n, delta) == pytest.approx(1 - delta ** (1 / n), rel=1e-13)


def test_limits():
    assert occam(1.0, 3.0, 5, 0.1) == 1 and occam_hoeffding(0.9, 30.0, 5, 0.1) == 1
    assert occam(0.3, 0.0, 10**12, 0.5) == pytest.approx(0.3, abs=2e-6)


@pytest.mark.parametrize("family", [
    AllMasks(2, 3), AllMasks(2, 3, empty=True), Rectangles(4, 5), Rectangles(3, 6, max_area=4, empty=True),
    Rectangles(5, 5, zone=(1, 4, 0, 3)), RotatedRectangles(4, 3), RotatedRectangles(4, 4, min_area=2),
    Parallelograms(3, 4), FiniteFamily(np.array([[[1, -1]], [[1, 1]]], np.int8))],
    ids=repr)
def test_log_size_counts_the_members(family):
    count = len({mask.tobytes() for mask in family})
    with mp.workdps(30):
        assert safe_and_tight(log_size_of_constant_masks(family), mp.log(count), 1e-13)
    assert log_size_bound(family) == log_size_of_constant_masks(family)


def test_sizes_in_closed_form():
    boxes = (16 * 17 // 2) ** 2
    assert log_size_of_constant_masks(Rectangles(16, 16)) == pytest.approx(math.log(boxes), rel=1e-13)
    with mp.workdps(40):
        size = log_size_of_constant_masks(AllMasks(40, 50))
        assert safe_and_tight(size, mp.log(mp.mpf(2) ** 2000 - 1), 1e-13)
    assert log_size_of_constant_masks(FiniteFamily(np.ones((1, 2, 2), np.int8))) == 0


@pytest.mark.parametrize(("parameters", "bits"), [(0, 1), (1, 1), (923333, 32), (5, 4)])
def test_log_size_of_heads_is_that_of_the_list(parameters, bits):
    with mp.workdps(40):
        assert safe_and_tight(log_size_of_heads(parameters, bits), parameters * bits * mp.log(2), 1e-13)
    if parameters * bits <= 20:
        count = sum(1 for _ in product(range(2**bits), repeat=parameters))
        assert log_size_of_heads(parameters, bits) == pytest.approx(math.log(count), rel=1e-13)


@pytest.mark.parametrize("side", [2, 3, 4, 5])
def test_the_count_of_rank_ranges_bounds_the_rotated_masks(side, monkeypatch):
    """The bound used beyond 7x7, on grids where the exact size is known."""
    exact = log_size_of_constant_masks(RotatedRectangles(side, side + 1))
    monkeypatch.setattr("theory.families.rotated.MAX_SIDE", 1)
    family = RotatedRectangles(side, side + 1)
    assert not family.enumerable and exact <= log_size_bound(family)
    limited = RotatedRectangles(side, side + 1, max_area=3, empty=True)
    assert log_size_bound(limited) >= log_size_bound(family)


def test_a_size_that_is_not_computed_is_refused():
    with pytest.raises(ValueError, match="up to 7x7, got 8x9"):
        log_size_of_constant_masks(RotatedRectangles(8, 9))
    assert log_size_bound(RotatedRectangles(8, 9)) > log_size_of_constant_masks(Rectangles(8, 9))


@pytest.mark.parametrize("bound", [Occam(delta=0.1), OccamHoeffding(delta=0.1)], ids=lambda b: b.name)
def test_stages_pay_the_size_and_then_the_confidence(bound):
    given_ = {"empirical": np.array([0.0, 0.2, 1.0]), "log_size": 4.0, "n_samples": np.array([[50], [900]])}
    stages = bound.stages(**given_)
    assert list(stages) == ["empirical", "class size", "confidence"]
    values = np.stack(list(stages.values()))
    assert values.shape == (3, 2, 3) and (np.diff(values, axis=0) >= 0).all()
    formula = occam if bound.name == "occam" else occam_hoeffding
    assert np.array_equal(bound.upper(**given_), formula(given_["empirical"], 4.0, given_["n_samples"], 0.1))
    sized = formula(given_["empirical"], 4.0 - 1e-12, given_["n_samples"], 1 - 1e-12)
    assert np.allclose(stages["class size"], sized, atol=1e-12)
    total = stages["empirical"] + sum(bound.slack(**given_).values())
    assert np.allclose(total, bound.upper(**given_), rtol=1e-15)
    assert isinstance(bound, Bound) and bound.needs() == ("empirical", "log_size", "n_samples")


def test_batched_is_one_by_one():
    q, size = np.array([0.0, 0.1, 0.4]), np.array([0.0, 5.0, 9.0])
    got = occam(q, size, np.array([20, 30, 40]), 0.05)
    want = [float(occam(a, b, n, 0.05)) for a, b, n in zip(q, size, (20, 30, 40), strict=True)]
    assert np.allclose(got, want, rtol=1e-14, atol=0)


@pytest.mark.parametrize(("n", "size", "delta"), [(1, 1, 0.05), (3, 10, 0.1), (40, 1000, 0.05), (400, 10**6, 0.01)])
def test_exact_coverage_of_the_best_of_many(n, size, delta):
    """The probability of a miss is known exactly, for every p: nothing is simulated."""
    for p in np.linspace(0.005, 0.999, 60):
        for bound in (occam, occam_hoeffding):
            assert needle_misses(lambda q, f=bound: f(q, np.log(size), n, delta), n, p, size) <= delta


@pytest.mark.parametrize(("n", "size", "least"), [(1, 10, 0.99), (20, 10**4, 0.95), (400, 10**6, 0.9)])
def test_a_bound_made_too_small_is_caught(n, size, least):
    """With an excess ``least`` times as large some p is missed more often than delta."""
    delta = 0.05

    def smaller(q):
        return q + least * (occam(q, np.log(size), n, delta) - q)

    worst = max(needle_misses(smaller, n, p, size) for p in np.linspace(0.001, 0.999, 999))
    assert worst > delta


def test_coverage_by_simulation_with_dependent_predictors():
    """2000 samples, the best of 8 coins; the miss rate is at most delta at a false-alarm rate of 1e-6."""
    toy, n, delta, repeats = coins(0.4, 0.4, 0.4, 0.45, 0.5, 0.5, 0.6, 0.7), 25, 0.2, 2000
    counts = toy.draw(n, repeats, np.random.default_rng(11))
    empirical = counts @ toy.losses.T / n
    best = empirical.argmin(axis=1)
    upper = occam(empirical.min(axis=1), np.log(8), n, delta)
    misses = int((upper < toy.risks[best]).sum())
    assert binomtest(misses, repeats, delta, alternative="greater").pvalue > 1e-6
    single = occam(empirical.min(axis=1), 0.0, n, 0.9)
    misses = int((single < toy.risks[best]).sum())
    assert binomtest(misses, repeats, delta, alternative="greater").pvalue < 1e-6


@pytest.mark.parametrize(("call", "message"), [
    (lambda: occam(1.2, 1.0, 10, 0.05), r"empirical must be in \[0, 1\], got 1.2"),
    (lambda: occam(0.1, -1.0, 10, 0.05), "log_size must be finite and >= 0, got -1"),
    (lambda: occam(0.1, math.inf, 10, 0.05), "log_size must be finite and >= 0, got inf"),
    (lambda: occam(0.1, math.nan, 10, 0.05), "got nan"),
    (lambda: occam(0.1, 1.0, 0, 0.05), "N must be a positive integer, got 0"),
    (lambda: occam_hoeffding(0.1, 1.0, 10, 1.0), r"delta must be in \(0, 1\), got 1"),
    (lambda: Occam(delta=0.0), r"delta must be in \(0, 1\), got 0"),
    (lambda: Occam().upper(empirical=0.1, n_samples=10), "'occam' needs log_size"),
    (lambda: log_size_of_heads(-1, 8), "parameters must be an integer of at least 0, got -1"),
    (lambda: log_size_of_heads(3, 0), "bits must be an integer of at least 1, got 0"),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
