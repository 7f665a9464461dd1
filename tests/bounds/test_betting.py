"""The bound by betting: capital by a second route, monotone in m, order of the losses, other software."""

from __future__ import annotations

import time
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp

from theory.bounds.betting import Betting, betting_upper

LOSSES = st.lists(st.floats(0, 1), min_size=1, max_size=40)
DELTA = st.floats(1e-4, 0.9)
CAP = st.floats(0.05, 0.95)
GOLDEN = np.arange(1, 301) * 0.6180339887498949 % 1
LAWS = {"u": GOLDEN, "u**6": GOLDEN**6, "1-u**6": 1 - GOLDEN**6, "u<.05": (GOLDEN < 0.05) * 1.0,
        "u>.3": (GOLDEN > 0.3) * 1.0, "0": 0 * GOLDEN, "half": 0 * GOLDEN + 0.5}


def bets(losses, delta):
    """From the definition, one loss after the other, 40 digits."""
    n, out = len(losses), []
    total, squares, variance = mp.mpf("0.5"), mp.mpf("0.25"), mp.mpf("0.25")
    for i, x in enumerate(losses):
        out.append(mp.sqrt(2 * mp.log(1 / mp.mpf(delta)) / (n * variance)))
        total += mp.mpf(float(x))
        squares += (mp.mpf(float(x)) - total / (i + 2)) ** 2
        variance = squares / (i + 2)
    return out


def richest(losses, a, m, cap):
    """The largest capital against "the mean is m"."""
    capital = most = mp.mpf(1)
    for x, bet in zip(losses, a, strict=True):
        if m < 1:
            bet = min(bet, mp.mpf(cap) / (1 - m))
        capital *= 1 + bet * (m - mp.mpf(float(x)))
        most = max(most, capital)
    return most


@given(LOSSES, DELTA, CAP)
def test_the_end_is_where_the_capital_reaches_one_over_delta(losses, delta, cap):
    found = mp.mpf(float(betting_upper(losses, delta, cap)))
    with mp.workdps(40):
        a, rich = bets(losses, delta), 1 / mp.mpf(delta)
        if found < 1:
            assert richest(losses, a, found * (1 + mp.mpf(1e-14)), cap) >= rich
        assert richest(losses, a, found * (1 - mp.mpf(1e-11)), cap) < rich or found == 0


@pytest.mark.parametrize("law", LAWS)
def test_the_end_of_long_rows(law):
    losses, delta = LAWS[law], 0.05
    found = float(betting_upper(losses, delta))
    with mp.workdps(40):
        a = bets(losses, delta)
        assert richest(losses, a, found * (1 + mp.mpf(1e-14)), 0.5) >= 20
        assert richest(losses, a, found * (1 - mp.mpf(2e-12)), 0.5) < 20


@given(LOSSES, DELTA, CAP)
def test_capital_grows_with_m(losses, delta, cap):
    """So the means that are not rejected are an interval from 0, and a bisection finds its end."""
    with mp.workdps(40):
        a = bets(losses, delta)
        capital = [richest(losses, a, mp.mpf(k) / 30, cap) for k in range(31)]
    assert all(low <= high for low, high in zip(capital, capital[1:], strict=False))
    assert capital[0] == 1


@given(st.floats(0, 1), CAP, st.floats(0.01, 30))
def test_one_factor_grows_with_m(loss, cap, bet):
    """Also where the cap makes way: the product of factors may be taken apart."""
    m = np.linspace(0, 1, 301)[:-1]
    factors = 1 + np.minimum(bet, cap / (1 - m)) * (m - loss)
    assert (np.diff(factors) >= -1e-12 * np.abs(factors[1:])).all()
    assert (factors >= 1 - cap - 1e-12).all()


CONFSEQ = {  # confseq 0.0.11, the same bets, on a grid of 1/2000: cap .5, cap .9
    (0.05, "u"): (0.54, 0.54), (0.05, "u**6"): (0.1795, 0.1805), (0.05, "1-u**6"): (0.887, 0.887),
    (0.05, "u<.05"): (0.0885, 0.098), (0.05, "u>.3"): (0.7605, 0.7605), (0.05, "0"): (0.02, 0.0115),
    (0.05, "half"): (0.51, 0.506),
    (0.001, "u"): (0.5615, 0.5615), (0.001, "u**6"): (0.2005, 0.205), (0.001, "1-u**6"): (0.902, 0.902),
    (0.001, "u<.05"): (0.1115, 0.1435), (0.001, "u>.3"): (0.7915, 0.7915), (0.001, "0"): (0.045, 0.0255),
    (0.001, "half"): (0.5225, 0.513),
}


@pytest.mark.parametrize(("delta", "law"), CONFSEQ)
def test_against_other_software(delta, law):
    """It returns the grid point after the last one that is not rejected, so at most a cell more."""
    for cap, theirs in zip((0.5, 0.9), CONFSEQ[delta, law], strict=True):
        ours = betting_upper(LAWS[law], delta, cap)
        assert theirs - 1 / 2000 - 1e-9 <= ours <= theirs + 1e-9


def test_zeros_by_hand():
    """One loss 0, delta = 1/4: capital 1 + m min(sqrt(8 ln 4), c/(1 - m)) reaches 4 at the end."""
    a = np.sqrt(8 * np.log(4))
    assert betting_upper([0.0], 0.25, 0.9) == pytest.approx(3 / a, rel=1e-11)
    assert 0.9 / (1 - 3 / a) > a  # the cap does not hold there
    c = 0.3
    m = 3 / (3 + c)  # 1 + c m/(1 - m) = 4 where the cap holds
    assert c / (1 - m) < a and betting_upper([0.0], 0.25, c) == pytest.approx(m, rel=1e-11)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_never_rejected(n):
    """Losses of 1 never pay, and one bet of a small part never reaches 1/delta."""
    assert betting_upper(np.ones(n), 0.5) == 1
    assert betting_upper(np.full(n, 0.9), 1e-6) == 1


@pytest.mark.parametrize("delta", [0.1, 0.3, 0.6])
def test_expected_capital_is_one_at_the_mean(delta):
    """The law of total probability over all samples; bets that knew the next loss would fail."""
    values, weights = np.array([0.0, 0.25, 1.0]), np.array([0.5, 0.3, 0.2])
    mean = float(values @ weights)
    total = 0.0
    with mp.workdps(20):
        for sample in product(range(3), repeat=5):
            a = bets(values[list(sample)], delta)
            capital = mp.mpf(1)
            for x, bet in zip(values[list(sample)], a, strict=True):
                capital *= 1 + min(bet, 0.5 / (1 - mean)) * (mean - x)
            total += float(capital) * weights[list(sample)].prod()
    assert total == pytest.approx(1, abs=1e-12)


def test_the_bets_do_not_know_their_loss():
    """The last loss decides only the last factor: bets would have to be the same whatever it is."""
    rng = np.random.default_rng(8)
    first = rng.beta(2, 8, 60)
    delta = 0.05
    with mp.workdps(30):
        for last in (0.0, 0.3):
            losses = [*first, last]
            found = mp.mpf(float(betting_upper(losses, delta)))
            a = bets(losses, delta)
            assert a[-1] == bets([*first, 1.0], delta)[-1]
            assert richest(losses, a, found, 0.5) == pytest.approx(1 / mp.mpf(delta), rel=1e-9)


def test_order_matters():
    """Zeros first: the capital was there on the way, even against the mean of the sample."""
    rng = np.random.default_rng(1)
    losses = (rng.random(200) < 0.5) * 1.0
    rising, falling = betting_upper(np.sort(losses), 0.05), betting_upper(np.sort(losses)[::-1], 0.05)
    assert rising < 0.1 < losses.mean() < betting_upper(losses, 0.05) < 0.65 < falling
    low, high = Betting().interval(losses=np.sort(losses))
    assert low <= losses.mean() == high == Betting().upper(losses=np.sort(losses))


def test_rows_in_many_chunks():
    rng = np.random.default_rng(6)
    losses = rng.beta(1, 3, (30_000, 5))
    found = betting_upper(losses, 0.3)
    for i in (0, 13_106, 13_107, 29_999):
        assert found[i] == pytest.approx(float(betting_upper(losses[i], 0.3)), rel=1e-12)
    assert 0.3 < found.min() < 0.4 and 0.75 < found.max() < 1


def test_narrow_where_the_variance_is_small():
    rng = np.random.default_rng(9)
    losses = rng.beta(200, 1800, (20, 2000))
    assert betting_upper(losses, 0.05).max() < 0.105 < betting_upper(losses, 0.05, 0.1).min()


def test_a_row_of_4096_takes_milliseconds():
    losses = np.random.default_rng(0).beta(2, 18, 4096)
    seconds = []
    for _ in range(5):
        start = time.process_time()
        betting_upper(losses, 0.05)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.05


@pytest.mark.parametrize("cap", [0.0, 1.0, -0.5, np.nan])
def test_bad_cap(cap):
    with pytest.raises(ValueError, match=r"cap must be in \(0, 1\), got"):
        betting_upper([0.1, 0.2], 0.05, cap)
    with pytest.raises(ValueError, match=r"cap must be in \(0, 1\), got"):
        Betting(cap=cap)
