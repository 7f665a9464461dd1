"""The bound for one drawn predictor: its two-line proof by enumeration, exact coverage, negative ratios."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp
from scipy.stats import binomtest

from tests.bounds.strategies import DELTA, SIZE, UNIT
from tests.bounds.toys import TOYS, is_kl_upper, maurer_nats_mp, needle_misses, smooth
from theory.bounds.base import INGREDIENTS, Bound
from theory.bounds.binary_kl import binary_kl, kl_upper
from theory.bounds.disintegrated import Disintegrated, disintegrated
from theory.bounds.pac_bayes import kl_moment
from theory.bounds.pac_bayes_kl import pac_bayes_kl

RATIO = st.floats(-1000, 1000)
BETAS = (-2.0, 0.0, 0.5, 3.0, 30.0)


@given(UNIT, RATIO, SIZE, DELTA, st.floats(0, 50))
def test_formula_in_40_digits_on_the_safe_side(q, ratio, n, delta, choices):
    with mp.workdps(40):
        c = (mp.mpf(ratio) + mp.mpf(choices) + maurer_nats_mp(n, delta)) / n
        got = disintegrated(q, ratio, n, delta, choices)
        if abs(c) * n > 1e-9:
            assert is_kl_upper(got, q, max(c, 0))
        assert got >= q


@given(UNIT, SIZE, DELTA)
def test_nats_that_cancel_are_still_rounded_outward(q, n, delta):
    """A ratio a hair above minus the moment: what is left may be smaller than its rounding."""
    with mp.workdps(40):
        ratio = float(-maurer_nats_mp(n, delta)) * (1 - 1e-15)
        c = max(mp.mpf(ratio) + maurer_nats_mp(n, delta), 0) / n
        got = mp.mpf(float(disintegrated(q, ratio, n, delta)))
        assert is_kl_upper(got, q, c, room=1) and got <= kl_upper(q, 1e-12 / n) * (1 + 1e-12)


@given(UNIT, st.floats(0, 500), SIZE, DELTA)
def test_a_ratio_equal_to_the_divergence_gives_the_pac_bayes_kl_bound(q, kl, n, delta):
    assert disintegrated(q, kl, n, delta) == pytest.approx(float(pac_bayes_kl(q, kl, n, delta)), rel=1e-13)


def test_negative_nats_leave_the_empirical_loss():
    for q in (0.0, 0.3, 1.0):
        assert disintegrated(q, -50.0, 100, 0.05) == q
    assert disintegrated(0.3, -5.0, 100, 0.05) > 0.3


@given(st.floats(0, 0.9), RATIO, st.integers(1, 10**5), DELTA)
def test_monotone(q, ratio, n, delta):
    here = disintegrated(q, ratio, n, delta)
    assert disintegrated(q + 0.1, ratio, n, delta) >= here
    assert disintegrated(q, ratio + 1, n, delta) >= here and disintegrated(q, ratio, n, delta, 1.0) >= here
    assert disintegrated(q, ratio, n, delta / 2) >= here
    if ratio >= 0:
        assert disintegrated(q, ratio, 2 * n, delta) <= here


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize(("toy", "n"), TOYS, ids=range(len(TOYS)))
def test_the_proof_line_by_line(toy, n, beta):
    """E_S E_Q exp(N kl - ln dQ/dP) is E_S E_P exp(N kl) where Q > 0: xi(N) for losses 0 and 1."""
    counts, chance = toy.samples(n)
    empirical, q, ratio = toy.posterior(counts, beta)
    moment = chance @ (q * np.exp(n * binary_kl(empirical, toy.risks) - ratio)).sum(axis=1)
    under_prior = chance @ (np.exp(n * binary_kl(empirical, toy.risks)) @ toy.prior)
    assert moment == pytest.approx(under_prior, rel=1e-9)
    assert moment <= kl_moment(n) * (1 + 1e-9) <= 2 * math.sqrt(n) * (1 + 1e-8)
    assert (moment == pytest.approx(float(kl_moment(n)), rel=1e-9)) == bool(np.isin(toy.losses, (0, 1)).all())


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize(("toy", "n"), TOYS, ids=range(len(TOYS)))
def test_exact_coverage_over_sample_and_draw(toy, n, beta):
    """All samples and all draws are enumerated: the probability of a miss is at most delta."""
    counts, chance = toy.samples(n)
    empirical, q, ratio = toy.posterior(counts, beta)
    joint = chance[:, None] * q
    for delta in (0.02, 0.2, 0.6):
        assert joint[disintegrated(empirical, ratio, n, delta) < toy.risks].sum() <= delta


def test_negative_nats_occur_in_the_toys_and_only_within_delta():
    seen = 0.0
    for toy, n in TOYS:
        counts, chance = toy.samples(n)
        _, q, ratio = toy.posterior(counts, 3.0)
        for delta in (0.2, 0.6):
            rare = (chance[:, None] * q)[ratio + math.log(2 * math.sqrt(n) / delta) < 0].sum()
            seen = max(seen, rare)
            assert rare <= delta
    assert seen > 0


@pytest.mark.parametrize(("n", "size"), [(1, 10), (20, 10**4), (100, 10**6), (1000, 10**9)])
def test_the_best_of_many_is_covered_and_80_per_cent_of_the_excess_is_not(n, size):
    """A point mass on the best of M independent predictors: the ratio is ln M for sure."""
    delta, losses = 0.05, np.arange(n + 1) / n
    upper = disintegrated(losses, math.log(size), n, delta)
    smaller = losses + 0.8 * (upper - losses)
    grid = np.linspace(0.004, 0.996, 125)
    assert max(needle_misses(lambda _: upper, n, p, size) for p in grid) <= delta
    assert max(needle_misses(lambda _: smaller, n, p, size) for p in grid) > delta


def test_the_ratio_of_another_predictor_does_not_cover():
    """With the mean of the ratio, KL, in place of the ratio at h it fails, at a false-alarm rate of 1e-6.

    A predictor of risk 0 and M of risk p that are rarely right on the one example; Q takes one of the
    right ones with probability 0.3, else the good one.
    """
    size, p, delta, repeats = 20_000, 0.9992, 0.05, 4000
    good, bad = 0.5, 0.5 / size
    high = math.log(0.3 / bad)
    mean = 0.7 * math.log(0.7 / good) + 0.3 * high
    rng = np.random.default_rng(4)
    found = rng.binomial(size, 1 - p, size=repeats) > 0
    taken = (rng.random(repeats) < 0.3) & found
    risk = np.where(taken, p, 0.0)
    covered = disintegrated(0.0, np.where(taken, high, math.log(0.7 / good)), 1, delta)
    naive = disintegrated(0.0, mean, 1, delta)
    assert binomtest(int((covered < risk).sum()), repeats, delta, alternative="greater").pvalue > 1e-6
    assert binomtest(int((naive < risk).sum()), repeats, delta, alternative="greater").pvalue < 1e-6


def test_drawing_until_the_bound_is_good_is_not_covered():
    """One draw is: 2000 samples at a false-alarm rate of 1e-6; the least of 400 draws' bounds is not.

    Q = P over M coins, N = 4, ratio 0: among many draws some coin shows only zeros.
    """
    n, p, delta, repeats, size = 4, 0.9, 0.5, 2000, 4000
    rng = np.random.default_rng(5)
    losses = rng.binomial(n, p, size=(repeats, size)) / n
    upper = disintegrated(losses[:, :400], 0.0, n, delta)
    one, best = int((upper[:, 0] < p).sum()), int((upper.min(axis=1) < p).sum())
    assert binomtest(one, repeats, delta, alternative="greater").pvalue > 1e-6
    assert binomtest(best, repeats, delta, alternative="greater").pvalue < 1e-6


def test_coverage_by_simulation():
    """4000 samples and draws of a larger class; misses at most delta at a false-alarm rate of 1e-6."""
    toy, n, repeats = smooth(20, 12, 5), 40, 4000
    rng = np.random.default_rng(31)
    counts = toy.draw(n, repeats, rng)
    for beta, delta in ((0.3, 0.05), (2.0, 0.5), (-1.0, 0.5)):
        empirical, q, ratio = toy.posterior(counts, beta)
        h = (q.cumsum(axis=1) > rng.random((repeats, 1)) * q.sum(axis=1, keepdims=True)).argmax(axis=1)
        rows = np.arange(repeats)
        misses = int((disintegrated(empirical[rows, h], ratio[rows, h], n, delta) < toy.risks[h]).sum())
        assert binomtest(misses, repeats, delta, alternative="greater").pvalue > 1e-6


def test_a_prior_from_a_grid_is_a_mixture():
    """dQ/dP <= (dQ/dP_j) / w_j for the mixture P: the nats -ln w_j are never too few."""
    rng = np.random.default_rng(6)
    priors, weights = rng.dirichlet(np.ones(5), size=3), np.array([0.5, 0.3, 0.2])
    q = rng.dirichlet(np.ones(5))
    mixture = np.log(q / (weights @ priors))
    for prior, w in zip(priors, weights, strict=True):
        grid = disintegrated(0.1, np.log(q / prior), 50, 0.05, prior_choices=-math.log(w))
        assert (grid >= disintegrated(0.1, mixture, 50, 0.05)).all()


def test_stages_pay_the_ratio_the_prior_and_the_confidence():
    given_ = {"drawn": np.array([0.0, 0.2]), "n_samples": 300, "log_ratio": np.array([[20.0], [-1.0], [-99.0]]),
              "prior_choices": 2.0}
    bound = Disintegrated(delta=0.1)
    stages = bound.stages(**given_)
    assert list(stages) == ["empirical", "divergence", "prior choice", "confidence"]
    values = np.stack(list(stages.values()))
    assert values.shape == (4, 3, 2) and (np.diff(values, axis=0) >= 0).all()
    assert np.array_equal(bound.upper(**given_), disintegrated([0.0, 0.2], given_["log_ratio"], 300, 0.1, 2.0))
    paid = np.maximum(given_["log_ratio"], 0) / 300, np.maximum(given_["log_ratio"] + 2, 0) / 300
    assert np.allclose(stages["divergence"], kl_upper(given_["drawn"], paid[0]), rtol=1e-13)
    assert np.allclose(stages["prior choice"], kl_upper(given_["drawn"], paid[1]), rtol=1e-13)
    assert (values[:, 2] == given_["drawn"]).all()
    assert isinstance(bound, Bound) and set(bound.needs()) <= set(INGREDIENTS)


def test_batched_is_one_by_one():
    q, ratio, n = np.array([0.0, 0.1, 0.9]), np.array([-9.0, 0.0, 30.0]), np.array([4, 70, 900])
    got = disintegrated(q, ratio, n, 0.05)
    want = [float(disintegrated(*row, 0.05)) for row in zip(q, ratio, n, strict=True)]
    assert np.allclose(got, want, rtol=1e-14, atol=0)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: disintegrated(1.5, 0.0, 10, 0.05), r"drawn must be in \[0, 1\], got 1.5"),
    (lambda: disintegrated(0.1, math.inf, 10, 0.05), "log_ratio must be finite, got inf"),
    (lambda: disintegrated(0.1, math.nan, 10, 0.05), "log_ratio must be finite, got nan"),
    (lambda: disintegrated(0.1, -math.inf, 10, 0.05), "log_ratio must be finite, got -inf"),
    (lambda: disintegrated(0.1, 0.0, 10, 0.05, -1.0), "prior_choices must be finite and >= 0, got -1"),
    (lambda: disintegrated(0.1, 0.0, 0, 0.05), "N must be a positive integer, got 0"),
    (lambda: disintegrated(0.1, 0.0, 10, 2.0), r"delta must be in \(0, 1\), got 2"),
    (lambda: Disintegrated().upper(drawn=0.1, n_samples=5, prior_choices=0.0), "'disintegrated' needs log_ratio"),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
