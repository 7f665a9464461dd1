"""Bounds: formulas by a second route, order, limits, coverage, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp
from scipy.stats import binomtest

from tests.bounds.strategies import DELTA, RHO, SIZE, UNIT
from theory import bounds


@given(UNIT, RHO, SIZE, DELTA)
def test_theorem_1_against_high_precision(r, rho, n, delta):
    with mp.workdps(40):
        want = mp.mpf(r) + (1 - mp.mpf(rho)) / 2 + 3 * mp.sqrt(mp.log(2 / mp.mpf(delta)) / (2 * n))
        assert abs(bounds.theorem_1(r, rho, n, delta) - float(want)) <= 1e-12 * float(want)


@given(UNIT, RHO, SIZE, DELTA)
def test_theorem_1_is_never_below_the_ceiling(r, rho, n, delta):
    assert bounds.theorem_1(r, rho, n, delta) >= bounds.ceiling(rho) + bounds.confidence_term(n, delta)
    assert bounds.theorem_1(r, rho, n, delta) > bounds.ceiling(rho)


@given(UNIT, RHO, DELTA, st.integers(1, 1000))
def test_monotone_in_n_delta_rho(r, rho, delta, n):
    assert bounds.theorem_1(r, rho, 2 * n, delta) < bounds.theorem_1(r, rho, n, delta)
    assert bounds.theorem_1(r, rho, n, delta / 2) > bounds.theorem_1(r, rho, n, delta)
    assert bounds.theorem_1(r, -1.0, n, delta) >= bounds.theorem_1(r, rho, n, delta)


def test_theorem_1_is_theorem_3_with_the_complexity_of_prop_2():
    for rho in (-1.0, -0.2, 0.7):
        want = bounds.theorem_3(0.1, (1 - rho) / 4, 50, 0.05)
        assert bounds.theorem_1(0.1, rho, 50, 0.05) == pytest.approx(want, abs=1e-15)


@given(UNIT, RHO, SIZE, DELTA)
def test_sharp_bound_formula(share, rho, n, delta):
    c = (1 - rho) / 2
    got = bounds.sharp_bound(share * c, rho, n, delta)
    assert got == pytest.approx(share * c + c * math.sqrt(-math.log(delta) / (2 * n)), abs=1e-12)
    assert got <= bounds.theorem_1(0.0, rho, n, delta) + 1e-12


def test_known_value_of_the_confidence_term():
    assert bounds.confidence_term(200, 0.05) == pytest.approx(0.288097, abs=1e-6)
    assert bounds.confidence_term(1000, 0.05) == pytest.approx(0.128841, abs=1e-6)


@pytest.mark.parametrize(("low", "high", "p"), [(0.0, 0.4, 0.5), (0.1, 0.3, 0.05), (0.0, 0.45, 0.9)])
def test_coverage_of_the_sharp_bound(low, high, p):
    """2000 samples; the miss rate must not exceed delta at a false-alarm rate of 1e-6."""
    rho, n, delta, repeats = 0.1, 30, 0.1, 2000
    rng = np.random.default_rng(7)
    g = np.where(rng.random((repeats, n)) < p, high, low)
    upper = np.array([bounds.sharp_bound(m, rho, n, delta) for m in g.mean(axis=1)])
    misses = int((p * high + (1 - p) * low > upper).sum())
    assert binomtest(misses, repeats, delta, alternative="greater").pvalue > 1e-6


def test_a_bound_made_too_small_is_caught():
    """The same test fails for a confidence term divided by four."""
    rho, n, delta, repeats, p = 0.0, 30, 0.1, 2000, 0.5
    rng = np.random.default_rng(7)
    g = np.where(rng.random((repeats, n)) < p, 0.5, 0.0).mean(axis=1)
    misses = int((0.25 > g + (bounds.sharp_bound(0.0, rho, n, delta)) / 4).sum())
    assert binomtest(misses, repeats, delta, alternative="greater").pvalue < 1e-6


@pytest.mark.parametrize("delta", [0.0, 1.0, -0.1, 1.2, 2.0, math.nan, math.inf])
def test_bad_delta(delta):
    with pytest.raises(ValueError, match=r"delta must be in \(0, 1\), got"):
        bounds.theorem_1(0.1, 0.0, 10, delta)


@pytest.mark.parametrize("n", [0, -3, 1.5, math.nan])
def test_bad_sample_size(n):
    with pytest.raises(ValueError, match="N must be a positive integer, got"):
        bounds.theorem_1(0.1, 0.0, n, 0.05)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: bounds.theorem_1(1.1, 0.0, 10, 0.05), r"empirical missing rate must be in \[0, 1\], got 1.1"),
    (lambda: bounds.theorem_1(math.nan, 0.0, 10, 0.05), "got nan"),
    (lambda: bounds.ceiling(1.5), r"rho must be in \[-1, 1\], got 1.5"),
    (lambda: bounds.ceiling(np.array([0.0, -2.0])), "got -2"),
    (lambda: bounds.sharp_bound(0.6, 0.0, 10, 0.05), "cannot exceed the ceiling"),
    (lambda: bounds.theorem_3(0.1, -0.1, 10, 0.05), "complexity must be"),
])
def test_bad_values(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_batched():
    n = np.array([10, 100, 1000])
    got = bounds.theorem_1(np.array([0.1, 0.2, 0.3]), -0.5, n, 0.05)
    want = [bounds.theorem_1(r, -0.5, int(k), 0.05) for r, k in zip((0.1, 0.2, 0.3), n, strict=True)]
    assert got.shape == (3,) and np.allclose(got, want, atol=1e-15)


def test_small_integer_types_and_tensors():
    import torch

    want = bounds.confidence_term(200, 0.05)
    assert bounds.confidence_term(np.array([200], np.uint8), 0.05)[0] == want
    assert bounds.confidence_term(np.array([100], np.int8), 0.05)[0] == bounds.confidence_term(100, 0.05)
    tensor = torch.tensor([0.1], dtype=torch.float64, requires_grad=True)
    assert bounds.theorem_1(tensor, 0.0, torch.tensor([200]), 0.05)[0] == 0.1 + 0.5 + want
