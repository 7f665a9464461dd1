"""The ledger's PAC-Bayes claims: exact arithmetic against enumeration, the code of the bounds, and floats."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from tests.bounds.toys import Toy
from theory.bounds.binary_kl import binary_kl, kl_upper
from theory.bounds.disintegrated import disintegrated
from theory.bounds.pac_bayes import kl_moment
from theory.bounds.pac_bayes_catoni import catoni_form, pac_bayes_catoni_grid
from theory.bounds.pac_bayes_lambda import best_lambda, lambda_form
from theory.bounds.pac_bayes_quadratic import quadratic_form
from theory.claims import Undefined
from theory.claims import ledger_5_1_moment as M
from theory.claims import ledger_5_1_pac_bayes as P
from theory.claims.coins import binomial, count_law, exp_kl, moment

CHANCE = st.integers(1, 19).map(lambda k: Fraction(k, 20))


@given(st.lists(st.integers(0, 4).map(lambda k: Fraction(k, 4)), max_size=5))
def test_law_of_a_count_by_all_outcomes(chances):
    law = [Fraction(0)] * (len(chances) + 1)
    for outcome in product((0, 1), repeat=len(chances)):
        law[sum(outcome)] += math.prod(
            (p if x else 1 - p for x, p in zip(outcome, chances, strict=True)), start=Fraction(1))
    assert count_law(chances) == law


@given(st.integers(1, 30), CHANCE)
def test_equal_coins_are_binomial(n, p):
    assert np.allclose([float(w) for w in binomial(n, p)], binom.pmf(np.arange(n + 1), n, float(p)))
    assert binomial(n, p) == count_law([p] * n)


@given(st.integers(1, 30), st.integers(0, 30), CHANCE)
def test_the_divergence_of_a_count(n, k, p):
    k = min(k, n)
    assert float(exp_kl(k, n, p)) == pytest.approx(math.exp(n * binary_kl(k / n, float(p))), rel=1e-11)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: exp_kl(1, 2, Fraction(0)), Undefined, r"kl\(1/2 \|\| 0\) is infinite"),
    (lambda: exp_kl(1, 2, Fraction(1)), Undefined, r"kl\(1/2 \|\| 1\) is infinite"),
    (lambda: moment(0), ValueError, "n must be at least 1, got 0"),
    (lambda: count_law([Fraction(3, 2)]), ValueError, r"a chance must be in \[0, 1\], got 3/2"),
])
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_certain_coins_have_no_divergence():
    assert exp_kl(0, 3, Fraction(0)) == exp_kl(3, 3, Fraction(1)) == 1


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 20, 61])
def test_the_moment_by_its_other_sum_and_the_code(n):
    other = sum(math.comb(n, k) * Fraction(k, n) ** k * Fraction(n - k, n) ** (n - k) for k in range(n + 1))
    assert moment(n) == other
    assert float(moment(n)) == pytest.approx(float(kl_moment(n)), rel=1e-13)
    assert math.sqrt(math.pi * n / 2) < moment(n) <= 2 * math.sqrt(n)


def test_the_size_of_the_moment_is_tight_at_one_only():
    assert M.size.margin(1) == 0
    assert all(M.size.margin(n) > 0 for n in range(2, 60))
    assert float(moment(1000)) - math.sqrt(500 * math.pi) == pytest.approx(2 / 3, abs=0.01)


@given(M.laws(3))
def test_the_moment_of_losses_by_the_law_of_their_sum(case):
    law = {0: Fraction(1)}
    for loss in case:
        total, new = sum(w for _, w in loss), {}
        for s, chance in law.items():
            for v, w in loss:
                new[s + v] = new.get(s + v, 0) + chance * Fraction(w, total)
        law = new
    n = len(case)
    p = sum(float(w) * s for s, w in law.items()) / (4 * n)
    want = sum(float(w) * math.exp(n * float(binary_kl(s / (4 * n), min(p, 1.0)))) for s, w in law.items())
    assert M.losses.margin(case) == pytest.approx(float(moment(n)) - want, abs=1e-7)


def test_equal_coins_attain_the_moment_and_unequal_do_not():
    assert M.losses.margin([[(0, 3), (4, 1)]] * 3) == pytest.approx(0, abs=1e-12)
    assert M.losses.margin([[(0, 3), (4, 1)], [(0, 1), (4, 3)]]) > 0.1
    assert M.losses.margin([[(1, 1), (2, 1)]] * 3) > 1


@given(st.floats(0.001, 0.3), st.floats(0.0005, 0.05), st.floats(0.05, 1.5))
def test_the_excess_of_a_lambda_is_that_of_the_code(q, c, lam):
    """The identity of the ledger in the code's own numbers, and the best lambda leaves none."""
    p, got = float(quadratic_form(q, c)), float(lambda_form(q, c, lam))
    more = (math.sqrt(2 * c) - lam * math.sqrt(p)) ** 2 / (2 * lam * (1 - lam / 2))
    assert got == pytest.approx(min(p + more, 1), rel=1e-9)
    assert lambda_form(q, c, best_lambda(q, c)) == pytest.approx(p, rel=1e-12)


@given(st.floats(0.01, 0.7), st.floats(0.001, 0.5))
def test_the_least_of_catonis_bounds_is_the_inverse_of_kl(q, c):
    least = catoni_form(q, c, np.geomspace(1e-4, 60, 20_000)).min()
    assert least == pytest.approx(float(kl_upper(q, c)), rel=1e-5)


@given(st.integers(1, 8), CHANCE)
def test_the_supremum_over_catonis_parameter_by_a_grid(n, p):
    r = np.linspace(0, 1, 4001)
    each = [(r**k / (1 - float(p) * (1 - r)) ** n).max() for k in range(n + 1)]
    mean = float(np.dot(each, [float(w) for w in binomial(n, p)]))
    assert 1 - P.best.margin({"n": n, "p": p}) == pytest.approx(mean, rel=1e-5)


def test_one_coin_and_a_free_parameter():
    for k in range(1, 20):
        assert P.best.margin({"n": 1, "p": Fraction(k, 20)}) == -Fraction(k, 20)


def as_toy(case):
    """The case in floats, its counts and their chances; the tilt is e^(-beta N R^)."""
    law, prior = np.array(case["law"], float), np.array(case["prior"], float)
    toy = Toy(np.array(case["losses"], float), law / law.sum(), prior / prior.sum())
    counts, chance = toy.samples(case["n"])
    return toy, counts, chance, case["tilt"] * math.log(2)


TOYS = P.toys().filter(lambda case: case["tilt"] < 5)


@given(TOYS)
def test_samples_and_moment_against_floats(case):
    toy, counts, chance, beta = as_toy(case)
    assert sum(w for w, *_ in P.samples(case)) == 1
    empirical, q, ratio = toy.posterior(counts, beta)
    risks = np.clip(toy.risks, 0, 1)
    logs = case["n"] * binary_kl(np.where((risks == 0) | (risks == 1), risks, empirical), risks)
    want = chance @ (q * np.exp(logs - ratio)).sum(axis=1)
    assert float(moment(case["n"]) - P.ratio.margin(case)) == pytest.approx(want, rel=1e-9)


@given(TOYS)
def test_coverage_of_a_drawn_predictor_against_the_code(case):
    """The code's misses, on one side, are among those of kl on both; none is missed for good numbers."""
    toy, counts, chance, beta = as_toy(case)
    empirical, q, ratio = toy.posterior(counts, beta)
    below = disintegrated(empirical, ratio, case["n"], float(case["delta"])) < toy.risks - 1e-9
    one_side = float((chance[:, None] * q)[below].sum())
    missed = float(case["delta"] - P.drawn.margin(case))
    assert one_side <= missed + 1e-9 <= float(case["delta"]) + 1e-9


@given(TOYS)
def test_coverage_of_catonis_grid_against_the_code(case):
    toy, counts, chance, beta = as_toy(case)
    empirical, risk, kl = toy.gibbs(counts, beta)
    upper = pac_bayes_catoni_grid(empirical, kl, case["n"], float(case["delta"]), parameters=(0.5, 4.0))
    covered = float(chance[upper >= risk - 1e-9].sum())
    assert P.grid.margin(case) == pytest.approx(covered - 1 + float(case["delta"]), abs=1e-9)


def test_only_the_best_keep_their_weight_at_the_last_tilt():
    case = {"losses": [[0, 1], [1, 0], [1, 1]], "n": 1, "law": [1, 3], "prior": [2, 1, 1], "tilt": 5}
    assert list(P.samples(case)) == [(Fraction(1, 4), [0, 1, 1], [1, 0, 0]), (Fraction(3, 4), [1, 0, 1], [0, 1, 0])]
    assert P.risks(case) == [Fraction(3, 4), Fraction(1, 4), 1]


@given(st.lists(st.integers(1, 5), min_size=6, max_size=6), st.floats(1.001, 15.9))
def test_a_free_parameter_by_ordered_samples(weights, t):
    """P(sup_C M_C >= t) for the pairs of four points, sample by sample, C on a finer grid."""
    from itertools import combinations

    right, chance, r = list(combinations(range(4), 2)), 0.0, np.linspace(0, 1, 2001)
    for sample in product(range(4), repeat=2):
        errors = [sum(z not in c for z in sample) for c in right]
        tilted = sum(w * r**k for w, k in zip(weights, errors, strict=True)) / sum(weights)
        chance += ((tilted / (0.5 + 0.5 * r) ** 2).max() >= t) / 16
    found = max((p for u, p in P.free_parameter(((4, 2, 2), weights)) if u >= t * (1 + 1e-3)), default=0.0)
    assert found <= chance + 1e-9
    above = max((p for u, p in P.free_parameter(((4, 2, 2), weights)) if u >= t * (1 - 1e-3)), default=0.0)
    assert above >= chance - 1e-9


def test_one_predictor_attains_delta_with_a_free_parameter():
    """Right on one of three points, N = 2: both right with chance 1/9, where the supremum is 9."""
    (t, p), = P.free_parameter(((3, 1, 2), [1, 0, 0]))[-1:]
    assert t == pytest.approx(9) and p == pytest.approx(1 / 9)
    assert P.free.margin(((3, 1, 2), [1, 0, 0])) == pytest.approx(0, abs=1e-12)


@given(st.integers(2, 300), st.integers(1, 19), st.integers(1, 19))
def test_the_mean_ratio_against_the_code(size, weight, delta):
    a, delta = weight / 20, delta / 20
    prior, q = np.array([0.5, *[0.5 / size] * size]), np.array([1 - a, a, *[0.0] * (size - 1)])
    some = q > 0
    kl = float((q[some] * np.log(q[some] / prior[some])).sum())
    upper = float(disintegrated(0.0, kl, 1, delta)) if kl > 0 else 0.0
    fails = P.mean_ratio_fails(size, Fraction(weight, 20), Fraction(delta).limit_denominator(20))
    if abs(upper - (1 - 1 / size)) > 1e-9 and kl + math.log(2 / delta) > 0:
        assert fails(1) == (upper < 1 - 1 / size)
    assert not fails(0)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(("points", "half"), [(2, 1), (2, 3), (3, 2), (6, 2), (30, 1), (3, 3)])
def test_the_memoriser_by_all_samples(points, half, whole):
    n, delta, covered = 2 * half if whole else half, 0.3, 0
    for sample in product(range(points), repeat=2 * half):
        seen = set(sample[:half])
        empirical, risk = sum(z not in seen for z in sample[half:]) / n, 1 - len(seen) / points
        risk = max(risk, 0.0)
        covered += binary_kl(empirical, risk) <= math.log(2 * math.sqrt(n) / delta) / n
    got = P.memoriser_coverage(points, half, Fraction(3, 10), whole=whole)
    assert float(got) == pytest.approx(covered / points ** (2 * half), abs=1e-12)


def test_a_prior_from_half_of_the_sample_fails_for_certain():
    assert P.memoriser_coverage(250, 1, Fraction(1, 20), whole=True) == 0
    assert P.memoriser_coverage(250, 1, Fraction(1, 20), whole=False) >= Fraction(19, 20)
