"""The divergence of two coins and its inverses: values, order, limits, bad input."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp
from scipy.special import kl_div

from theory.bounds.binary_kl import binary_kl, kl_lower, kl_upper

UNIT = st.floats(0, 1)
INNER = st.floats(1e-12, 1 - 1e-12)
NATS = st.floats(1e-12, 50)


def exact(q, p):
    q, p = mp.mpf(q), mp.mpf(p)
    return q * mp.log(q / p) + (1 - q) * mp.log((1 - q) / (1 - p))


@given(INNER, INNER)
def test_against_high_precision(q, p):
    with mp.workdps(60):
        want = exact(q, p)
        assert abs(binary_kl(q, p) - want) <= 2e-15 * want


@given(INNER, INNER)
def test_against_scipy(q, p):
    """Its two terms are those of an unnormalised divergence."""
    want = kl_div(q, p) + kl_div(1 - q, 1 - p)
    assert binary_kl(q, p) == pytest.approx(want, rel=1e-6, abs=1e-15)


@pytest.mark.parametrize("q", [1e-9, 0.01, 0.3, 0.5, 0.999])
def test_near_the_diagonal_it_is_a_square(q):
    gap = 1e-6 * q * (1 - q)
    p = q + gap
    assert binary_kl(q, p) == pytest.approx((p - q) ** 2 / (2 * q * (1 - q)), rel=2e-6)
    assert binary_kl(q, q) == 0


@given(UNIT, UNIT)
def test_between_pinsker_and_chi_squared(q, p):
    kl = binary_kl(q, p)
    assert kl >= 2 * (p - q) ** 2 * (1 - 1e-14)
    if 1e-300 < p < 1:
        assert kl <= (p - q) ** 2 / p / (1 - p) * (1 + 1e-14)


@given(st.integers(0, 2**20), st.integers(0, 2**20))
def test_heads_and_tails(q, p):
    q, p = q / 2**20, p / 2**20
    assert binary_kl(q, p) == binary_kl(1 - q, 1 - p)


def test_limits():
    assert binary_kl(0, 0) == binary_kl(1, 1) == 0
    assert np.isinf(binary_kl([0, 1, 0.5, 0.5], [1, 0, 0, 1])).all()
    assert binary_kl(0, 0.25) == pytest.approx(-np.log(0.75), rel=1e-15)
    assert binary_kl(1, 0.25) == pytest.approx(-np.log(0.25), rel=1e-15)
    assert binary_kl(5e-324, 0.25) == pytest.approx(-np.log(0.75), rel=1e-15)


def test_known_values():
    """kl(1/4 || 1/2) = ln 2 - H(1/4); kl(q || 1/2) = c at q = 1/2 gives 4p(1-p) = exp(-2c)."""
    assert binary_kl(0.25, 0.5) == pytest.approx(0.130812035941137, rel=1e-14)
    c = 0.1
    want = (1 + np.sqrt(1 - np.exp(-2 * c))) / 2
    assert kl_upper(0.5, c) == pytest.approx(want, rel=1e-13)
    assert kl_lower(0.5, c) == pytest.approx(1 - want, rel=1e-12)


@given(UNIT, NATS)
def test_the_ends_enclose_q_and_reach_c(q, c):
    low, high = kl_lower(q, c), kl_upper(q, c)
    assert low <= q <= high
    assert high == 1 or binary_kl(q, high) >= c * (1 - 1e-14)
    assert low < 1e-300 or binary_kl(q, low) >= c * (1 - 1e-14)
    if 1e-9 < low and high < 1 - 1e-9 and q > 1e-9:
        assert binary_kl(q, [low, high]) == pytest.approx(c, rel=1e-5, abs=1e-20)


@given(st.floats(1e-6, 1 - 1e-6), st.floats(1e-6, 1 - 1e-6))
def test_round_trip(q, p):
    """From (q, p) to c and back; where c is rounded, p moves by as much (relatively, or less)."""
    back = (kl_upper if p >= q else kl_lower)(q, binary_kl(q, p))
    assert back == pytest.approx(p, rel=1e-11)


@given(INNER, NATS, st.floats(0, 1))
def test_monotone_in_c(q, c, share):
    assert kl_upper(q, share * c) <= kl_upper(q, c)
    assert kl_lower(q, share * c) >= kl_lower(q, c)


@given(UNIT, UNIT, NATS)
def test_monotone_in_q(q, r, c):
    """Up to the width of the safe side."""
    q, r = sorted((q, r))
    assert kl_upper(q, c) <= kl_upper(r, c) * (1 + 1e-13)
    assert kl_lower(q, c) <= kl_lower(r, c) * (1 + 1e-11) + 1e-300


@given(INNER, NATS)
def test_the_lower_end_is_the_mirrored_upper_one(q, c):
    assert kl_lower(q, c) == pytest.approx(1 - kl_upper(1 - q, c), abs=1e-12)


@given(INNER, st.floats(1e-20, 100))
def test_safe_and_sharp_in_60_digits(q, c):
    high, low = float(kl_upper(q, c)), float(kl_lower(q, c))
    with mp.workdps(60):
        assert high == 1 or exact(q, high) >= c
        inner = max(mp.mpf(q), high * (1 - mp.mpf(1e-13)))
        assert exact(q, inner) <= c
        assert low < 1e-300 or exact(q, low) >= c


def test_exact_ends():
    q = np.array([0, 1e-9, 0.3, 1 - 1e-9, 1])
    assert np.array_equal(kl_upper(q, 0), q) and np.array_equal(kl_lower(q, 0), q)
    assert np.array_equal(kl_upper(q, np.inf), np.ones(5))
    assert np.array_equal(kl_lower(q, np.inf), np.zeros(5))
    assert np.array_equal(kl_upper(1, [0, 1e-9, 1, np.inf]), np.ones(4))
    assert np.array_equal(kl_lower(0, [0, 1e-9, 1, np.inf]), np.zeros(4))


@pytest.mark.parametrize("q", [5e-324, 1e-300, 1e-150, 1 - 2.0**-53])
@pytest.mark.parametrize("c", [5e-324, 1e-300, 1e-17, 1.0, 800.0, 1e300])
def test_extremes_stay_safe(q, c):
    low, high = kl_lower(q, c), kl_upper(q, c)
    assert 0 <= low < q < high <= 1 or (q, low) == (5e-324, 0)
    assert high == 1 or binary_kl(q, high) >= c
    assert low == 0 or binary_kl(q, low) >= c


@pytest.mark.parametrize("function", [kl_upper, kl_lower])
def test_batched_is_one_by_one(function):
    rng = np.random.default_rng(0)
    q, c = rng.random((3, 1)), 10.0 ** rng.uniform(-8, 1, (1, 4))
    found = function(q, c)
    assert found.shape == (3, 4)
    for i in range(3):
        for j in range(4):
            alone = function(q[i, 0], c[0, j])
            assert alone.shape == ()
            assert found[i, j] == pytest.approx(float(alone), rel=1e-13)
    assert function(np.zeros((0,)), 0.1).shape == (0,)


def test_a_hundred_thousand_inverses_take_well_under_a_second():
    rng = np.random.default_rng(0)
    q, c = rng.random(100_000), 10.0 ** rng.uniform(-12, 1, 100_000)
    seconds = []
    for _ in range(3):
        start = time.process_time()
        kl_upper(q, c)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.8


@pytest.mark.parametrize(("call", "message"), [
    (lambda: binary_kl(1.5, 0.5), r"q must be in \[0, 1\], got 1.5"),
    (lambda: binary_kl(0.5, -0.1), r"p must be in \[0, 1\], got -0.1"),
    (lambda: binary_kl(np.nan, 0.5), "q must be in"),
    (lambda: kl_upper(0.5, -1e-9), "c must be in .*got -1e-09"),
    (lambda: kl_upper(0.5, np.nan), "c must be in"),
    (lambda: kl_lower(-0.5, 1), r"q must be in \[0, 1\], got -0.5"),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
