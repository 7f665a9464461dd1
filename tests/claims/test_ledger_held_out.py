"""The ledger's claims on held-out losses, draws and bets: exact arithmetic against the code and enumeration."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from theory.bounds import betting
from theory.bounds.binary_kl import binary_kl
from theory.bounds.chernoff import chernoff_upper
from theory.bounds.clopper_pearson import clopper_pearson_upper
from theory.bounds.hoeffding import hoeffding_upper
from theory.bounds.maurer_pontil import maurer_pontil_upper
from theory.bounds.pac_bayes import gibbs_upper
from theory.claims import ledger_5_1_betting as B
from theory.claims import ledger_5_1_draws as D
from theory.claims import ledger_5_1_held_out as H

TWENTIETHS = st.integers(0, 20).map(lambda k: Fraction(k, 20))
DELTAS = st.integers(1, 19).map(lambda k: Fraction(k, 20))


def outcomes(chances):
    """All results of independent coins: number of ones, probability."""
    for x in product((0, 1), repeat=len(chances)):
        yield sum(x), math.prod(float(p if one else 1 - p) for one, p in zip(x, chances, strict=True))


# The Monte-Carlo step.

@given(st.lists(TWENTIETHS, min_size=1, max_size=6))
def test_chernoff_for_unequal_coins_by_all_outcomes(chances):
    m, p = len(chances), float(sum(chances)) / len(chances)
    got = D.chernoff.margin(chances)
    margins = [math.exp(-m * float(binary_kl(k / m, p))) - sum(w for s, w in outcomes(chances) if s <= k)
               for k in range(m) if k < float(sum(chances)) - 1e-9 and p < 1]
    assert float(got) == pytest.approx(min(margins, default=0.0), abs=1e-12)
    assert got >= 0


def test_chernoff_is_attained_without_any_error():
    assert D.chernoff.margin([Fraction(1, 3)] * 2) == 0
    assert D.chernoff.margin([Fraction(1, 3), Fraction(1, 2)]) > 0


@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 19), DELTAS)
def test_shared_networks_against_the_code(m, n, k, delta):
    """Networks that are wrong on all images or none; the end is compared off its ties."""
    p, missed, tie = k / 20, 0.0, False
    for wrong, w in outcomes([Fraction(k, 20)] * m):
        upper = float(gibbs_upper(wrong / m, m * n, float(delta)))
        missed, tie = missed + w * (upper < p), tie or abs(upper - p) < 1e-9
    got = D.shared.margin({"networks": m, "images": n, "p": Fraction(k, 20), "delta": delta})
    assert tie or float(delta - got) == pytest.approx(missed, abs=1e-12)
    if n == 1:
        assert got >= 0


@given(st.lists(TWENTIETHS, min_size=1, max_size=6), DELTAS, st.booleans())
def test_misses_of_clopper_pearson_against_the_code(chances, delta, patched):
    m, p = len(chances), float(sum(chances)) / len(chances)
    ends = np.array([clopper_pearson_upper([1] * k + [0] * (m - k), float(delta)) for k in range(m + 1)])
    if patched:
        ends[m - 1] = max(ends[m - 1], 1 - float(delta) / m)
    if (abs(ends - p) > 1e-9).all():
        missed = sum(w for k, w in outcomes(chances) if ends[k] < p)
        got = D.exact_misses(chances, delta, patched=patched)
        assert float(got + delta) == pytest.approx(missed, abs=1e-12)


def test_all_certain_but_one_by_hand():
    """P(K <= 1) = 0.0505 for coins 1 and 0.9495, where two coins of 0.97475 have 1 - 0.97475^2 < 0.05."""
    case = [Fraction(1), Fraction(1899, 2000)]
    assert 1 - 0.97475**2 < 0.05
    assert D.exact_misses(case, Fraction(1, 20), patched=False) == Fraction(101, 2000) - Fraction(1, 20)
    assert D.exact_misses(case, Fraction(1, 20), patched=True) == -Fraction(1, 20)


@pytest.mark.parametrize("m", range(2, 40))
def test_the_tail_of_the_next_integer_is_at_least_a_quarter(m):
    """P(Bin(m, (k+1)/m) <= k) >= 1/4 up to k = m - 2: what makes m - 1 ones the only exception."""
    tails = [sum(D.binomial(m, Fraction(k + 1, m))[:k + 1]) for k in range(m - 1)]
    assert min(tails) >= Fraction(1, 4) and (min(tails) == Fraction(1, 4)) == (m == 2)


def test_the_extremes_are_what_they_say():
    cases = list(D.extremes())
    assert len(cases) == 35 * 9 * 3
    for case in cases:
        inner = {p for p in case["chances"] if 0 < p < 1}
        assert len(inner) == 1 and len(case["chances"]) <= 5


# The order of the held-out bounds.

def test_the_squares_are_sharp_and_the_wrong_side_fails():
    for e in (1e-2, 1e-3):
        assert H.squares.margin((0.5, 0.5 + e)) / e**2 == pytest.approx(0, abs=2 * e)
    assert H.squares.margin((1e-6, 0.01)) > 0 and H.one_side.margin((1e-6, 0.01)) > 0
    assert H.one_side.margin((0.3, 0.01)) < 0
    p = np.linspace(0.01, 0.99, 99)
    assert all(H.squares.margin((a, b)) >= -1e-12 for a in p[::7] for b in p)


@given(st.integers(2, 60), st.integers(0, 60), st.floats(0.01, 0.9))
def test_the_order_by_the_ends(n, ones, delta):
    ones = min(ones, n)
    losses = [1.0] * ones + [0.0] * (n - ones)
    exact, kl, range_, variance = (float(f(losses, delta)) for f in (
        clopper_pearson_upper, chernoff_upper, hoeffding_upper, maurer_pontil_upper))
    case = {"n": n, "ones": ones, "delta": delta}
    assert H.order.margin(case) == min(kl - exact, range_ - kl) >= -1e-9
    assert H.coins.margin(case) == variance - kl >= -1e-9
    assert H.variance_first.margin(case) == kl - variance


def test_neither_of_kl_and_maurer_pontil_dominates():
    flat = {"n": 200, "ones": 0, "low": 0.5, "high": 0.5, "delta": 0.05}
    by_hand = 0.5 + 7 * math.log(40) / (3 * 199)
    assert H.kl_first.margin(flat) == pytest.approx(by_hand - float(chernoff_upper([0.5] * 200, 0.05)))
    assert H.kl_first.margin(flat) < 0 < H.kl_first.margin({**flat, "n": 20})
    assert H.variance_first.margin({"n": 100, "ones": 0, "delta": 0.05}) == pytest.approx(
        1 - 0.05**0.01 - 7 * math.log(40) / 297)


# Clopper-Pearson for losses between 0 and 1.

def covered_by_quantiles(case, count):
    """All n-tuples of losses; the end is SciPy's quantile of the beta law; None at a tie."""
    law, n, delta = case["law"], case["n"], float(case["delta"])
    total = sum(w for _, w in law)
    p = sum(v * w for v, w in law) / (12 * total)
    covered = 0.0
    for losses in product(law, repeat=n):
        chance = math.prod(w / total for _, w in losses)
        s = sum(v for v, _ in losses) / 12
        k = math.floor(s + 0.5 + 1e-9) if count == "nearest" else s
        end = 1.0 if k >= n - 1e-9 else float(beta.ppf(1 - delta, k + 1, n - k))
        if abs(end - p) < 1e-9:
            return None
        covered += chance * (end >= p)
    return covered


LAWS = st.fixed_dictionaries({
    "law": st.lists(st.tuples(st.integers(0, 12), st.integers(1, 40)), min_size=1, max_size=3),
    "n": st.integers(1, 4), "delta": DELTAS})


@given(LAWS, st.sampled_from(["nearest", "sum"]))
def test_coverage_for_losses_between_by_all_tuples(case, count):
    want = covered_by_quantiles(case, count)
    if want is not None:
        assert float(H.exact_coverage(case, count)) == pytest.approx(want, abs=1e-12)


@given(LAWS)
def test_rounding_at_random_by_all_tuples(case):
    """All losses and all roundings; the end from the code."""
    law, n, delta = case["law"], case["n"], float(case["delta"])
    total = sum(w for _, w in law)
    p, covered = sum(v * w for v, w in law) / (12 * total), 0.0
    ends = [float(clopper_pearson_upper([1] * k + [0] * (n - k), delta)) for k in range(n + 1)]
    for losses in product(law, repeat=n):
        chance = math.prod(w / total for _, w in losses)
        covered += chance * sum(w for k, w in outcomes([Fraction(v, 12) for v, _ in losses])
                                if ends[k] >= p)
    if min(abs(e - p) for e in ends) > 1e-9:
        assert float(H.exact_coverage(case, "rounded")) == pytest.approx(covered, abs=1e-9)
    assert H.rounded.margin(case) >= 0


def test_the_counterexamples_by_hand():
    """One loss 5/12 (2/27 > 1/20) or 1; two of 1/2: 0.81 where 1 - 0.55^2 = 0.6975 < 0.7."""
    one = {"law": [(5, 2), (12, 25)], "n": 1, "delta": Fraction(1, 20)}
    assert H.exact_coverage(one, "nearest") == Fraction(25, 27)
    assert H.exact_coverage(one, "sum") == 1 and H.exact_coverage(one, "rounded") == Fraction(155, 162)
    two = {"law": [(6, 9), (12, 1)], "n": 2, "delta": Fraction(7, 10)}
    assert H.exact_coverage(two, "sum") == 1 - Fraction(81, 100)
    assert H.exact_coverage(two, "rounded") >= Fraction(3, 10)
    assert H.exact_coverage({**two, "delta": Fraction(1, 2)}, "sum") >= Fraction(1, 2)


# Betting.

@given(st.lists(st.integers(0, 8), min_size=1, max_size=12), st.floats(0.05, 0.9), st.sampled_from([1, 4, 7]))
def test_the_capital_is_the_codes(eighths, delta, cap):
    """With the code's bets it reaches 1/delta just at the code's end."""
    losses = np.array(eighths) / 8
    bets = betting._bets(losses[None], np.array([math.log(1 / delta)]))[0]
    end = float(betting.betting_upper(losses, delta, cap / 8))
    for m, rich in ((end * (1 - 1e-9), False), (end * (1 + 1e-9), True)):
        got = max(B.capital(losses.tolist(), bets.tolist(), m, cap / 8))
        if end < 1:
            assert (got >= 1 / delta) == rich


def test_the_capital_by_hand():
    one, half = Fraction(1), Fraction(1, 2)
    assert B.capital([0 * one, one], [one, 9 * one], half, half) == [1, Fraction(3, 2), Fraction(3, 4)]
    assert B.capital([0 * one], [one], one, half) == [1, 2]


@given(B._games(2))
def test_the_capital_grows_where_no_bet_looks_at_m(case):
    low, high = case["means"]
    small, large = (B.capital(case["losses"], case["bets"], m, case["cap"]) for m in (low, high))
    assert B.interval.margin(case) == min(b - a for a, b in zip(small, large, strict=True)) >= 0


def test_bets_that_stop_above_a_mean_make_the_capital_fall():
    none, some = [Fraction(0)], [Fraction(1)]
    assert B.capital(none, some, Fraction(1, 4), Fraction(1, 2))[1] > B.capital(
        none, none, Fraction(1, 2), Fraction(1, 2))[1]


@given(B._games(3))
def test_half_of_the_capital_on_each_side_by_floats(case):
    def greatest(m):
        up = down = most = 1.0
        for x, a, b in zip(case["losses"], case["bets"], case["others"], strict=True):
            x, c = float(x), float(case["cap"])
            up *= 1 + min(float(a), c / (1 - m) if m < 1 else math.inf) * (m - x)
            down *= 1 + min(float(b), c / m if m > 0 else math.inf) * (x - m)
            most = max(most, up, down)
        return most / 2

    low, mid, high = (greatest(float(m)) for m in case["means"])
    assert float(B.hedged.margin(case)) == pytest.approx(max(low, high) - mid, rel=1e-9, abs=1e-9)


@given(st.lists(st.integers(0, 1), min_size=1, max_size=12), st.integers(0, 19))
def test_plug_in_bets_by_their_definition(losses, k):
    """Mean and variance of each past by NumPy, with half an error and a variance of 1/4 before it."""
    m, now, most, means = k / 20, 1.0, 1.0, [0.5]
    for t, x in enumerate(losses):
        past = np.array(losses[:t], float)
        mean = (0.5 + past.sum()) / (t + 1)
        running = np.array([(0.5 + past[:j + 1].sum()) / (j + 2) for j in range(t)])
        variance = (0.25 + ((past - running) ** 2).sum()) / (t + 1)
        d = max(m - mean, 0.0)
        now *= 1 + min(d / (variance + d * d), 0.5 / (1 - m)) * (m - x)
        most, means = max(most, now), [*means, mean]
    got = B.plug_in_capital([Fraction(x) for x in losses], Fraction(k, 20))
    assert float(got) == pytest.approx(most, rel=1e-12)


def test_one_early_error_makes_a_hole():
    (losses, (low, high)), = B._one_early_error()
    assert B.plug_in_capital(losses, high) < Fraction(26, 25) < B.plug_in_capital(losses, low)
    assert B.plug_in_capital(losses, Fraction(1, 2)) > Fraction(26, 25)


@pytest.mark.parametrize("arrange", [list, sorted])
@pytest.mark.parametrize(("n", "k", "delta"), [(1, 10, 0.3), (4, 7, 0.25), (6, 14, 0.1), (7, 16, 0.5)])
def test_coverage_of_an_order_sample_by_sample(n, k, delta, arrange):
    covered, p = 0.0, k / 20
    for x in product((0.0, 1.0), repeat=n):
        end = float(betting.betting_upper(arrange(x), delta))
        assert abs(end - p) > 1e-6
        covered += math.prod(p if one else 1 - p for one in x) * (end >= p)
    case = {"n": n, "p": Fraction(k, 20), "delta": Fraction(delta).limit_denominator(20)}
    assert float(B.order_coverage(case, arrange)) == pytest.approx(covered, abs=1e-12)


def test_zeros_first_lose_coverage():
    case = {"n": 6, "p": Fraction(7, 10), "delta": Fraction(1, 10)}
    assert B.order_coverage(case, sorted) < Fraction(3, 4) < Fraction(9, 10) <= B.order_coverage(case, list)
    assert B.order_coverage(case, lambda row: sorted(row, reverse=True)) >= Fraction(9, 10)
