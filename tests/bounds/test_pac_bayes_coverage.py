"""PAC-Bayes bounds: coverage, exact by enumeration and by simulation, of the draws and of the bounds."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from tests.bounds.pac_bayes import FORMULAS, OBJECTS
from tests.bounds.toys import TOYS, needle_misses, smooth
from theory.bounds.binary_kl import binary_kl
from theory.bounds.pac_bayes import gibbs_upper, kl_moment

# The Monte-Carlo step.

@pytest.mark.parametrize(("m", "delta"), [(1, 0.05), (2, 0.3), (30, 0.01), (500, 0.1)])
def test_exact_coverage_of_the_draws(m, delta):
    k = np.arange(m + 1)
    upper = gibbs_upper(k / m, m, delta)
    for p in np.linspace(0.001, 0.999, 400):
        assert binom.pmf(k[upper < p], m, p).sum() <= delta


def test_draws_made_too_certain_are_caught():
    """ln(1/delta) is the right constant: with 0.8 of it one draw misses more often than delta."""
    delta = 0.05
    p = 1 - 0.9 * delta ** 0.8
    assert gibbs_upper(0.0, 1, delta) == pytest.approx(1 - delta, rel=1e-14)
    assert gibbs_upper(0.0, 1, delta ** 0.8) < p and 1 - p > delta


def test_exact_coverage_of_draws_with_different_means():
    rng = np.random.default_rng(3)
    hits = np.array(list(product((0, 1), repeat=8)))
    for spread in (0.2, 1.0, 4.0):
        p = rng.beta(spread, spread, size=8)
        chance = np.where(hits == 1, p, 1 - p).prod(axis=1)
        assert chance[gibbs_upper(hits.mean(axis=1), 8, 0.1) < p.mean()].sum() <= 0.1


def test_draws_without_number_are_exact():
    assert gibbs_upper(0.25, np.inf, 0.01) == 0.25
    assert gibbs_upper([0.25, 0.25], [np.inf, 10], 0.01).tolist() == [0.25, float(gibbs_upper(0.25, 10, 0.01))]


# Coverage.


@pytest.mark.parametrize("beta", [0.0, 0.5, 3.0, 30.0])
@pytest.mark.parametrize(("toy", "n"), TOYS, ids=range(len(TOYS)))
def test_exact_coverage_with_a_gibbs_posterior(toy, n, beta):
    """All samples are enumerated: the probability of a miss is at most delta, without any noise."""
    counts, chance = toy.samples(n)
    assert chance.sum() == pytest.approx(1)
    empirical, risk, kl = toy.gibbs(counts, beta)
    for bound, delta in product(FORMULAS.values(), (0.02, 0.2, 0.6)):
        assert chance[bound(empirical, kl, n, delta) < risk].sum() <= delta


@pytest.mark.parametrize(("toy", "n"), TOYS, ids=range(len(TOYS)))
def test_the_change_of_measure_holds_in_expectation(toy, n):
    """E_S exp(sup_Q [N E_Q kl - KL]) = E_S E_P exp(N kl) <= 2 sqrt(N); and it is xi(N) for coins."""
    counts, chance = toy.samples(n)
    empirical = toy.posterior(counts, 0.0)[0]
    moment = chance @ (np.exp(n * binary_kl(empirical, np.clip(toy.risks, 0, 1))) @ toy.prior)
    assert moment <= kl_moment(n) * (1 + 1e-9) <= 2 * math.sqrt(n) * (1 + 1e-8)
    assert (moment == pytest.approx(float(kl_moment(n)), rel=1e-9)) == bool(np.isin(toy.losses, (0, 1)).all())
    for beta in (0.5, 3.0):
        _, q, ratio = toy.posterior(counts, beta)
        exponent = (q * (n * binary_kl(empirical, toy.risks) - ratio)).sum(axis=1)
        assert chance @ np.exp(exponent) <= moment * (1 + 1e-12)


NEEDLES = [(1, 10), (20, 10**4), (100, 10**6), (1000, 10**9)]


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize(("n", "size"), NEEDLES)
def test_exact_coverage_of_the_best_of_many(name, n, size):
    """The best of M independent predictors, KL = ln M; and with 80 % of the excess it fails."""
    delta, losses, kl = 0.05, np.arange(n + 1) / n, math.log(size)
    upper = FORMULAS[name](losses, kl, n, delta)
    smaller = losses + 0.8 * (upper - losses)
    for p in np.linspace(0.004, 0.996, 125):
        assert needle_misses(lambda _: upper, n, p, size) <= delta
    assert max(needle_misses(lambda _: smaller, n, p, size) for p in np.linspace(0.004, 0.996, 125)) > delta


def test_coverage_by_simulation():
    """2000 samples of a larger class; the miss rate is at most delta at a false-alarm rate of 1e-6."""
    toy, n, repeats = smooth(20, 12, 5), 40, 2000
    counts = toy.draw(n, repeats, np.random.default_rng(21))
    for beta, delta in product((0.3, 2.0), (0.05, 0.5)):
        empirical, risk, kl = toy.gibbs(counts, beta)
        for bound in FORMULAS.values():
            misses = int((bound(empirical, kl, n, delta) < risk).sum())
            assert binomtest(misses, repeats, delta, alternative="greater").pvalue > 1e-6


@pytest.mark.parametrize("name", OBJECTS)
def test_the_monte_carlo_step_is_needed(name):
    """Two of a perfect and a useless predictor are drawn: taken for exact, their average fails."""
    bound, repeats = OBJECTS[name](delta=0.05), 2000
    drawn = np.random.default_rng(8).integers(0, 2, size=(repeats, 2)).mean(axis=1)
    given_ = {"gibbs": drawn, "n_samples": 1000, "kl": 0.0, "prior_choices": 0.0}
    misses = int((bound.upper(draws=2, **given_) < 0.5).sum())
    assert binomtest(misses, repeats, 0.05, alternative="greater").pvalue > 1e-6
    misses = int((bound.upper(draws=np.inf, **given_) < 0.5).sum())
    assert binomtest(misses, repeats, 0.05, alternative="greater").pvalue < 1e-6
