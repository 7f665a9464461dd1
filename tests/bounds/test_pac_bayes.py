"""PAC-Bayes bounds: the moments by enumeration, the formulas in 40 digits, the stages."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp
from scipy.stats import binom

from tests.bounds.pac_bayes import FORMULAS, OBJECTS
from tests.bounds.strategies import DELTA, SIZE, UNIT
from tests.bounds.toys import (
    Toy,
    is_kl_upper,
    kl_mp,
    maurer_nats_mp,
    safe_and_tight,
)
from theory.bounds.base import INGREDIENTS, Bound
from theory.bounds.binary_kl import binary_kl, kl_upper
from theory.bounds.pac_bayes import gibbs_upper, kl_moment, moment_nats, rising
from theory.bounds.pac_bayes_catoni import (
    GRID,
    PacBayesCatoni,
    catoni_form,
    pac_bayes_catoni,
    pac_bayes_catoni_grid,
)
from theory.bounds.pac_bayes_kl import PacBayesKl, pac_bayes_kl
from theory.bounds.pac_bayes_lambda import PacBayesLambda, best_lambda, lambda_form, pac_bayes_lambda
from theory.bounds.pac_bayes_quadratic import pac_bayes_quadratic, quadratic_form

NATS = st.floats(0, 1000)
GIVEN = {"gibbs": 0.08, "draws": 400, "n_samples": 900, "kl": 12.0, "prior_choices": 3.0}


# The moment under the kl bounds.

def test_the_moment_is_an_exact_fraction_at_most_2_sqrt_n():
    """By its definition and by the falling factorials; equal to 2 sqrt(N) at N = 1 only."""
    for n in range(1, 61):
        terms = [math.comb(n, k) * Fraction(k, n)**k * Fraction(n - k, n)**(n - k) for k in range(n + 1)]
        other = sum(Fraction(math.factorial(n), math.factorial(n - k) * n**k) for k in range(n + 1))
        assert sum(terms) == other and other**2 <= 4 * n and (other**2 == 4 * n) == (n == 1)
        assert float(kl_moment(n)) == pytest.approx(float(other), rel=1e-14)


def test_the_constant_of_maurer_for_all_n_up_to_2000_and_where_a_smaller_one_fails():
    n = np.arange(1, 2001)
    moment = kl_moment(n)
    paid = np.exp(moment_nats(n, 0.05)) * 0.05
    assert np.allclose(paid, 2 * np.sqrt(n), rtol=1e-13)
    assert (moment <= paid * (1 + 1e-13)).all()
    assert n[moment > 0.8 * paid].tolist() == [1, 2, 3, 4]
    assert np.allclose(moment, np.sqrt(np.pi * n / 2) + 2 / 3, rtol=0.05)


@pytest.mark.parametrize("n", [1, 2, 7, 8, 50, 400, 2000])
@pytest.mark.parametrize("p", [0.02, 0.3, 0.5, 0.97])
def test_the_moment_is_that_of_a_binomial_for_every_p(n, p):
    k = np.arange(n + 1)
    logs = binom.logpmf(k, n, p) + n * binary_kl(k / n, p)
    assert np.exp(logs).sum() == pytest.approx(float(kl_moment(n)), rel=1e-9)


def three_points(n, weights):
    """Mean loss and probability of all samples of N losses in (0, 1/2, 1)."""
    toy = Toy(np.array([[0.0, 0.5, 1.0]]), np.array(weights), np.ones(1))
    counts, chance = toy.samples(n)
    return counts @ toy.losses[0] / n, chance, float(toy.risks[0])


@pytest.mark.parametrize("weights", [(0.2, 0.5, 0.3), (0.9, 0.05, 0.05), (0.1, 0.1, 0.8)])
@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_losses_between_0_and_1_have_smaller_moments(n, weights):
    mean, chance, p = three_points(n, weights)
    assert chance.sum() == pytest.approx(1)
    assert (chance * np.exp(n * binary_kl(mean, p))).sum() < float(kl_moment(n))
    for c in (0.1, 1.0, 5.0):
        phi = -math.log1p(p * math.expm1(-c))
        assert (chance * np.exp(n * (phi - c * mean))).sum() < 1


@pytest.mark.parametrize(("n", "p", "c"), [*product((1, 10, 300), (0.03, 0.5, 0.9), (0.05, 1.0, 6.0))])
def test_the_moment_of_catoni_is_one_for_losses_0_and_1(n, p, c):
    """And what ``catoni_form`` inverts is this Phi; a Phi that is 1 % larger breaks the inequality."""
    k = np.arange(n + 1)
    phi = -math.log1p(p * math.expm1(-c))
    logs = binom.logpmf(k, n, p) - c * k
    assert np.exp(logs + n * phi).sum() == pytest.approx(1, rel=1e-9)
    assert np.exp(logs + n * 1.01 * phi).sum() > 1
    for q in (0.0, 0.5 * p, p):
        assert catoni_form(q, max(phi - c * q, 0.0), c) == pytest.approx(p, rel=1e-12) or phi < c * q


# Formulas.

@given(UNIT, NATS, SIZE, DELTA, st.floats(0, 50))
def test_kl_in_40_digits_on_the_safe_side(q, kl, n, delta, choices):
    with mp.workdps(40):
        c = (mp.mpf(kl) + mp.mpf(choices) + maurer_nats_mp(n, delta)) / n
        assert is_kl_upper(pac_bayes_kl(q, kl, n, delta, choices), q, c)


@given(UNIT, NATS, SIZE, DELTA, st.floats(0, 50), st.floats(0.01, 1.99))
def test_closed_forms_in_40_digits_on_the_safe_side(q, kl, n, delta, choices, lam):
    with mp.workdps(40):
        c = (mp.mpf(kl) + mp.mpf(choices) + maurer_nats_mp(n, delta)) / n
        root = (mp.sqrt(mp.mpf(q) + c / 2) + mp.sqrt(c / 2)) ** 2
        assert safe_and_tight(pac_bayes_quadratic(q, kl, n, delta, choices), min(root, 1))
        line = (mp.mpf(q) + c / mp.mpf(lam)) / (1 - mp.mpf(lam) / 2)
        assert safe_and_tight(pac_bayes_lambda(q, kl, n, delta, choices, lam=lam), min(line, 1))
        # The best lambda attains the quadratic bound.
        assert safe_and_tight(pac_bayes_lambda(q, kl, n, delta, choices), min(root, 1))


@given(UNIT, NATS, SIZE, DELTA, st.floats(0, 50), st.floats(1e-3, 50))
def test_catoni_in_40_digits_on_the_safe_side(q, kl, n, delta, choices, parameter):
    def form(c_, price):
        top = 1 - mp.exp(-c_ * mp.mpf(q) - (mp.mpf(kl) + mp.mpf(choices) + price) / n)
        return min(top / (1 - mp.exp(-c_)), mp.mpf(1))

    with mp.workdps(40):
        price = -mp.log(mp.mpf(delta))
        got = pac_bayes_catoni(q, kl, n, delta, choices, parameter=parameter)
        assert safe_and_tight(got, form(mp.mpf(parameter), price))
        least = min(form(mp.mpf(c_), price + mp.log(len(GRID))) for c_ in GRID)
        assert safe_and_tight(pac_bayes_catoni_grid(q, kl, n, delta, choices), least)


@given(UNIT, st.floats(1e-6, 5), st.floats(0.01, 1.99))
def test_order_of_the_kl_forms(q, c, lam):
    least = kl_upper(q, c)
    assert q <= least <= quadratic_form(q, c) * (1 + 1e-13)
    assert quadratic_form(q, c) <= lambda_form(q, c, lam) * (1 + 1e-13)
    assert lambda_form(q, c) == pytest.approx(quadratic_form(q, c), rel=1e-13)


@given(UNIT, st.floats(1e-9, 5))
def test_best_lambda_is_the_minimum(q, c):
    """Among 4000 others, and where the derivative of the bound vanishes."""
    best = best_lambda(q, c)
    value = (q + c / best) / (1 - best / 2)
    grid = np.linspace(0.0005, 1.9995, 4000)
    assert 0 < best <= 1 and value <= ((q + c / grid) / (1 - grid / 2)).min() * (1 + 1e-13)
    with mp.workdps(40):
        x = mp.mpf(float(best))
        slope = (mp.mpf(q) + mp.mpf(c) / x) / (2 * (1 - x / 2)) - mp.mpf(c) / x**2
        assert abs(slope) <= 1e-13 * (q + c / float(best) ** 2)


@given(st.floats(0.001, 0.99), st.floats(1e-4, 3))
def test_the_best_parameter_of_catoni_gives_the_kl_inverse(q, c):
    """At C = ln(p(1-q) / (q(1-p))); no other C goes below."""
    p = float(kl_upper(q, c))
    if p > 1 - 1e-9:
        return
    best = math.log(p * (1 - q) / (q * (1 - p)))
    assert catoni_form(q, c, best) == pytest.approx(p, rel=1e-11)
    assert (catoni_form(q, c, np.geomspace(1e-3, 300, 200)) >= p * (1 - 1e-12)).all()


def test_limits():
    for bound in FORMULAS.values():
        assert bound(1.0, 5.0, 100, 0.05) == 1 and bound(0.2, 1e9, 100, 0.05) == 1
    for name in ("kl", "quadratic", "lambda"):
        assert FORMULAS[name](0.2, 0.0, 10**12, 0.05) == pytest.approx(0.2, abs=1e-5)
    assert lambda_form(0.7, 0.0) == 0.7 == quadratic_form(0.7, 0.0)
    assert lambda_form(1.0, 1e-310) == 1.0 and lambda_form(0.5, 1e-310) == pytest.approx(0.5, rel=1e-14)
    assert pac_bayes_catoni(0.0, 2.0, 10, 0.05, parameter=800.0) == pytest.approx(-math.expm1(-(2 + math.log(20)) / 10))


@given(st.floats(0, 0.9), NATS, st.integers(1, 10**5), DELTA, st.sampled_from(sorted(FORMULAS)))
def test_monotone(q, kl, n, delta, name):
    bound = FORMULAS[name]
    here = bound(q, kl, n, delta) * (1 - 1e-13)
    assert bound(q + 0.1, kl, n, delta) >= here and bound(q, kl + 1, n, delta) >= here
    assert bound(q, kl, n, delta / 2) >= here and bound(q, kl, n, delta, 0.5) >= here
    assert bound(q, kl, 2 * n, delta) * (1 - 1e-13) <= bound(q, kl, n, delta)


@given(st.floats(0.01, 0.5), st.floats(1, 300), st.integers(10, 10**4), DELTA)
def test_the_nats_of_the_prior_are_paid_like_divergence(q, kl, n, delta):
    for bound in FORMULAS.values():
        assert bound(q, kl, n, delta, 2.5) == pytest.approx(bound(q, kl + 2.5, n, delta), rel=1e-13)


def test_a_grid_of_j_parameters_is_each_at_delta_over_j():
    one = pac_bayes_catoni_grid(0.1, 8.0, 500, 0.05, parameters=[0.7])
    assert one == pac_bayes_catoni(0.1, 8.0, 500, 0.05, parameter=0.7)
    for parameters in ([0.7, 2.0], [0.1, 0.7, 2.0, 9.0]):
        each = [pac_bayes_catoni(0.1, 8.0, 500, 0.05 / len(parameters), parameter=c) for c in parameters]
        assert pac_bayes_catoni_grid(0.1, 8.0, 500, 0.05, parameters=parameters) == pytest.approx(min(each), rel=1e-14)
        assert min(each) > min(pac_bayes_catoni(0.1, 8.0, 500, 0.05, parameter=c) for c in parameters)


def test_the_grid_of_parameters_is_fine_enough():
    """Within 2 % of the best C, in the excess, from one to a thousand nats on 1000 examples."""
    for q, kl in product((0.01, 0.05, 0.2), (1.0, 30.0, 300.0)):
        fine = pac_bayes_catoni(q, kl, 1000, 0.05 / len(GRID), parameter=np.geomspace(1e-3, 50, 3000)).min()
        assert pac_bayes_catoni_grid(q, kl, 1000, 0.05) - q <= 1.02 * (fine - q)


# Objects.

@pytest.mark.parametrize("name", OBJECTS)
def test_stages_are_the_bound_as_it_is_paid(name):
    bound = OBJECTS[name](delta=0.1, draws_share=0.3)
    stages = bound.stages(**GIVEN)
    start = gibbs_upper(0.08, 400, 0.03)
    plain = {"kl": kl_upper, "quadratic": quadratic_form, "lambda": lambda_form,
             "grid": lambda q, c: min(catoni_form(q, c, p) for p in GRID)}[name]
    want = {"empirical": 0.08, "draws": start, "divergence": plain(start, 12 / 900),
            "prior choice": plain(start, 15 / 900)}
    if name == "grid":
        want["parameter choice"] = plain(start, (15 + math.log(23)) / 900)
    want["confidence"] = FORMULAS[name](start, 12.0, 900, 0.07, 3.0)
    assert list(stages) == list(want)
    assert {k: float(v) for k, v in stages.items()} == pytest.approx({k: float(v) for k, v in want.items()}, rel=1e-13)
    assert (np.diff(list(stages.values())) > 0).all() and bound.upper(**GIVEN) == stages["confidence"]
    assert 0.08 + sum(bound.slack(**GIVEN).values()) == pytest.approx(float(bound.upper(**GIVEN)), rel=1e-14)


@given(UNIT, st.integers(1, 10**5), SIZE, NATS, st.floats(0, 20), DELTA, st.floats(0.01, 0.99),
       st.sampled_from(sorted(OBJECTS)))
def test_stages_never_fall(gibbs, draws, n, kl, choices, delta, share, name):
    bound = OBJECTS[name](delta=delta, draws_share=share)
    values = list(bound.stages(gibbs=gibbs, draws=draws, n_samples=n, kl=kl, prior_choices=choices).values())
    assert all(a <= b for a, b in zip(values, values[1:], strict=False)) and values[-1] <= 1
    exact = FORMULAS[name](gibbs_upper(gibbs, draws, share * delta), kl, n, delta - share * delta, choices)
    assert values[-1] == pytest.approx(float(exact), rel=1e-14)


def test_delta_is_split_between_the_draws_and_the_bound():
    """Free draws leave (1 - share) delta; a smaller share makes the draws dearer and the bound cheaper."""
    free = PacBayesKl(delta=0.05).upper(**GIVEN | {"draws": np.inf})
    assert free == pytest.approx(float(pac_bayes_kl(0.08, 12.0, 900, 0.04, 3.0)), rel=1e-14)
    thrifty, lavish = (PacBayesKl(delta=0.05, draws_share=s).stages(**GIVEN) for s in (0.01, 0.9))
    assert thrifty["draws"] > lavish["draws"]
    assert PacBayesKl(draws_share=0.01).upper(**GIVEN | {"draws": np.inf}) < free


def test_a_fixed_lambda_and_a_fixed_parameter():
    given_ = GIVEN | {"draws": np.inf}
    assert PacBayesLambda(lam=1.0).upper(**given_) == pytest.approx(
        float(pac_bayes_lambda(0.08, 12.0, 900, 0.04, 3.0, lam=1.0)), rel=1e-14)
    assert PacBayesLambda(lam=1.0).upper(**given_) > PacBayesLambda().upper(**given_)
    assert PacBayesCatoni(grid=(0.8,)).upper(**given_) == pytest.approx(
        float(pac_bayes_catoni(0.08, 12.0, 900, 0.04, 3.0, parameter=0.8)), rel=1e-14)
    assert PacBayesCatoni(grid=(0.8,)).slack(**given_)["parameter choice"] == 0


@pytest.mark.parametrize("name", OBJECTS)
def test_batched_is_one_by_one(name):
    rows = {"gibbs": np.array([0.0, 0.1, 1.0]), "draws": np.array([1, 50, np.inf]), "n_samples": np.array([1, 80, 9000]),
            "kl": np.array([0.0, 3.0, 40.0]), "prior_choices": np.array([0.0, 1.0, 2.0])}
    bound = OBJECTS[name]()
    stages = bound.stages(**rows)
    for i in range(3):
        one = bound.stages(**{k: v[i] for k, v in rows.items()})
        assert {k: float(v[i]) for k, v in stages.items()} == pytest.approx({k: float(v) for k, v in one.items()}, rel=1e-14)
    wide = bound.stages(**rows | {"n_samples": np.array([[10], [20]])})
    assert {v.shape for v in wide.values()} == {(2, 3)}
    assert np.allclose(FORMULAS[name](rows["gibbs"], rows["kl"], 50, 0.1),
                       [FORMULAS[name](q, k, 50, 0.1) for q, k in zip(rows["gibbs"], rows["kl"], strict=True)], rtol=1e-14)


def test_rising_lowers_the_earlier_one():
    got = rising({"a": 0.1, "b": np.array([0.5, 0.2]), "c": np.array([0.4, 0.3])})
    assert {k: v.tolist() for k, v in got.items()} == {"a": [0.1, 0.1], "b": [0.4, 0.2], "c": [0.4, 0.3]}


@pytest.mark.parametrize("name", OBJECTS)
def test_it_says_what_it_is(name):
    cls = OBJECTS[name]
    assert issubclass(cls, Bound) and cls.title and cls.source and cls.statement
    assert set(cls.needs()) == {"gibbs", "draws", "n_samples", "kl", "prior_choices"} <= set(INGREDIENTS)
    assert ("lambda" in cls.assumptions.uniform) == (name == "lambda")
    assert ("fixed before the data" in cls.assumptions.uniform) == (name == "grid")


@pytest.mark.parametrize(("call", "message"), [
    (lambda: pac_bayes_kl(1.1, 1.0, 10, 0.05), r"Gibbs loss must be in \[0, 1\], got 1.1"),
    (lambda: pac_bayes_kl(0.1, -1.0, 10, 0.05), r"KL\(Q \|\| P\) must be finite and >= 0, got -1"),
    (lambda: pac_bayes_quadratic(0.1, math.inf, 10, 0.05), r"KL\(Q \|\| P\) must be finite and >= 0, got inf"),
    (lambda: pac_bayes_lambda(0.1, 1.0, 10, 0.05, prior_choices=-2.0), "prior_choices must be finite and >= 0, got -2"),
    (lambda: pac_bayes_lambda(0.1, 1.0, 10, 0.05, lam=2.0), r"lambda must be in \(0, 2\), got 2"),
    (lambda: PacBayesLambda(lam=0.0), r"lambda must be in \(0, 2\), got 0"),
    (lambda: pac_bayes_catoni(0.1, 1.0, 10, 0.05, parameter=0.0), r"C must be in \(0, inf\), got 0"),
    (lambda: pac_bayes_catoni(0.1, 1.0, 10, 1.0, parameter=1.0), r"delta must be in \(0, 1\), got 1"),
    (lambda: pac_bayes_catoni_grid(0.1, 1.0, 10, 0.05, parameters=[]), r"shape \(J,\), J >= 1, got \(0,\)"),
    (lambda: PacBayesCatoni(grid=(1.0, -1.0)), r"C must be in \(0, inf\), got -1"),
    (lambda: pac_bayes_kl(0.1, 1.0, 2.5, 0.05), "N must be a positive integer, got 2.5"),
    (lambda: gibbs_upper(0.1, 0, 0.05), "draws must be a positive integer or inf, got 0"),
    (lambda: gibbs_upper(0.1, 2.5, 0.05), "draws must be a positive integer or inf, got 2.5"),
    (lambda: gibbs_upper(0.1, math.nan, 0.05), "got nan"),
    (lambda: gibbs_upper(-0.1, 5, 0.05), "Gibbs loss must be"),
    (lambda: PacBayesKl(draws_share=0.0), r"draws_share must be in \(0, 1\), got 0"),
    (lambda: PacBayesKl(draws_share=1.0), r"draws_share must be in \(0, 1\), got 1"),
    (lambda: PacBayesKl(delta=1.2), r"delta must be in \(0, 1\), got 1.2"),
    (lambda: PacBayesKl().upper(**GIVEN | {"kl": -0.1}), r"KL\(Q \|\| P\) must be finite"),
    (lambda: PacBayesKl().upper(**GIVEN | {"kl": None}), "'pac_bayes_kl' needs kl"),
    (lambda: kl_moment(0), "N must be a positive integer, got 0"),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_kl_mp_is_the_divergence():
    """The oracle itself, against a sum over two atoms in floats."""
    for q, p in product((0.0, 0.2, 1.0), (0.1, 0.9)):
        want = sum(a * math.log(a / b) for a, b in ((q, p), (1 - q, 1 - p)) if a)
        assert float(kl_mp(q, p)) == pytest.approx(want, rel=1e-13) == float(binary_kl(q, p))
