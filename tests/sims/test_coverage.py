"""Coverage: laws, orders, counting of misses, exact probabilities against enumeration and simulation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import numpy as np
import pytest
from scipy.stats import beta, binom, binomtest, entropy

from sims import coverage
from sims.coverage import (
    CLASS,
    HELD_OUT,
    IN_ORDER,
    ORDERS,
    Outcomes,
    Spread,
    bound_of,
    edge,
    ends,
    ends_of_counts,
    largest_factor_caught,
    law,
    likely_counts,
    missed,
    outcomes,
    tally,
    worst_case,
)
from sims.coverage_cells import LAWS
from theory.bounds import Bound

ALARM = 1e-6
"""False-alarm rate of one statistical test."""

ORDER_FREE = [b for b in HELD_OUT if b not in IN_ORDER]


@dataclass(frozen=True)
class Mean(Bound):
    """The empirical mean as if it were a bound: what a bound is not."""

    name: ClassVar[str] = "mean"

    def stages(self, *, losses):
        return {"empirical": losses.mean(axis=-1)}


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("n", [5, 200])
def test_draws_have_the_mean_that_the_law_states(name, n):
    some = law(name, n, 0.05)
    losses = some.draw(np.random.default_rng(1), (40000 // n, n))
    assert losses.shape == (40000 // n, n) and losses.min() >= 0 and losses.max() <= 1
    assert abs(losses.mean() - some.mean) <= math.sqrt(math.log(2 / ALARM) / (2 * 40000))
    assert abs(losses.mean() - some.mean) < 4.9 * max(losses.std(), 1e-9) / 200
    assert some.two is None or set(np.unique(losses)) <= set(some.two[:2])


def test_means_in_closed_form():
    assert law("beta 2 18", 9, 0.1).mean == 0.1 == beta(2, 18).mean()
    assert law("rare 3", 60, 0.1).mean == pytest.approx(0.95 * 0.1 + 0.05)
    assert law("uniform", 9, 0.1).mean == 0.5 and law("point 1", 9, 0.1).mean == 1
    for n, delta in [(1, 0.5), (7, 0.05), (1000, 1e-6)]:
        assert (1 - edge(n, delta)) ** n == pytest.approx(delta, rel=1e-10)
        assert law("edge 0.5", n, delta).mean == edge(n, delta) / 2


def test_a_fixed_order_moves_places_and_a_sorted_one_moves_values():
    rng = np.random.default_rng(0)
    places = np.arange(10.0)
    for name, (fixed, order) in ORDERS.items():
        losses = rng.permuted(np.tile(places, (5, 1)), axis=1)
        assert np.array_equal(np.sort(order(losses), axis=1), np.tile(places, (5, 1)))
        by_place = losses[:, order(places[None])[0].astype(int)]
        assert np.array_equal(order(losses), by_place) == fixed, name
    assert [name for name, (fixed, _) in ORDERS.items() if not fixed] == ["ascending", "descending"]
    assert (np.diff(ORDERS["ascending"][1](rng.random((3, 9)))) >= 0).all()


@pytest.mark.parametrize("side", ["upper", "two-sided"])
def test_ends_by_pieces_are_the_bound_s(side, monkeypatch):
    losses = np.random.default_rng(0).random((23, 20))
    bound = bound_of("maurer_pontil", 0.05)
    whole = ends(bound, losses, side)
    monkeypatch.setattr(coverage, "CHUNK", 60)
    for one, other in zip(whole, ends(bound, losses, side), strict=True):
        assert np.array_equal(one, other) and one.shape == (23,)
    want = (np.zeros(23), bound.upper(losses=losses)) if side == "upper" else bound.interval(losses=losses)
    assert all(np.array_equal(one, other) for one, other in zip(whole, want, strict=True))


@pytest.mark.parametrize("name", ORDER_FREE)
def test_bounds_by_counts_against_the_losses_in_any_order(name):
    some, rng = law("bernoulli 0.3", 30, 0.05), np.random.default_rng(2)
    losses = rng.permuted(some.draw(rng, (40, 30)), axis=1)
    counts = losses.sum(axis=1).astype(int)
    for side in ("upper", "two-sided"):
        by_counts = ends_of_counts(bound_of(name, 0.05), some, counts, 30, side)
        for one, other in zip(by_counts, ends(bound_of(name, 0.05), losses, side), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-12)


def test_the_order_matters_to_those_that_are_said_to_depend_on_it():
    losses = np.repeat([[0.0, 1.0]], 20, axis=0).T.reshape(1, 40)
    for name in HELD_OUT:
        up, down = (bound_of(name, 0.05).upper(losses=x)[0] for x in (losses, losses[:, ::-1]))
        assert (abs(up - down) > 0.1) == (name in IN_ORDER)


def test_tally_against_a_loop():
    rng = np.random.default_rng(3)
    centre = rng.random(60)
    lower, upper = centre - 0.3 * rng.random(60), centre + 0.3 * rng.random(60)
    weights, mean = rng.integers(0, 4, 60), 0.5
    rows = [(c, a, b) for c, a, b, w in zip(centre, lower, upper, weights, strict=True) for _ in range(w)]
    found = tally(mean, centre, lower, upper, weights)
    over = sum(b < mean for _, _, b in rows)
    under = sum(a > mean for _, a, _ in rows)
    smaller = sum((b < 1 and c + 0.8 * (b - c) < mean) or (a > 0 and c - 0.8 * (c - a) > mean)
                  for c, a, b in rows)
    assert (found["misses_above"], found["misses"], found["repeats"]) == (over, over + under, len(rows))
    assert found["misses_smaller"] == smaller > found["misses"] > over > 0
    ci = binomtest(over + under, len(rows)).proportion_ci(0.95, "exact")
    assert found["rate_low"] == pytest.approx(ci.low, abs=2e-9) and found["rate_low"] <= ci.low
    assert found["rate_high"] == pytest.approx(ci.high, abs=2e-9) and found["rate_high"] >= ci.high
    uppers = np.array([b for _, _, b in rows])
    assert found["upper_mean"] == pytest.approx(uppers.mean())
    assert found["upper_q50"] == np.quantile(uppers, 0.5, method="inverted_cdf")
    assert found["excess_mean"] == pytest.approx(uppers.mean() - mean)
    assert found["width_mean"] == pytest.approx(np.mean([b - a for _, a, b in rows]))
    assert tally(mean, centre, lower, upper) == tally(mean, centre, lower, upper, np.ones(60, dtype=int))


def test_a_bound_on_the_mean_is_not_missed_when_it_is_met():
    one = np.ones(1)
    assert not missed(1.0, one, 0 * one, one, 1.0).any() and not missed(0.0, 0 * one, 0 * one, one, 0.8).any()
    assert missed(1.0, 0.9 * one, 0 * one, 0.99 * one, 1.0).all()
    assert missed(0.5, 0.9 * one, 0.6 * one, one, 1.0).all()
    assert not missed(0.5, 0.9 * one, 0 * one, one, 0.8).any()  # an end 0 or 1 is none
    assert not missed(0.99, 0.9 * one, 0 * one, one, 0.8).any()


@pytest.mark.parametrize("n,p", [(1, 0.0), (1, 1.0), (10, 0.3), (1000, 0.001), (100000, 0.4)])
def test_likely_counts_are_all_but_the_rest(n, p):
    counts, mass = likely_counts(n, p)
    assert np.array_equal(counts, np.arange(counts[0], counts[-1] + 1)) and 0 <= counts[0]
    assert counts[-1] <= n and mass.sum() == pytest.approx(1, abs=1e-12)
    assert binom.cdf(counts[0] - 1, n, p) <= coverage.REST >= binom.sf(counts[-1], n, p)


def by_enumeration(name, n, delta):
    """All 2^n sequences, whether or not their order matters."""
    losses = np.array(list(product((0.0, 1.0), repeat=n)))
    ones = losses.sum(axis=1).astype(int)
    share = 1 / np.array([math.comb(n, k) for k in ones])
    return Outcomes(n, ones, share, bound_of(name, delta).upper(losses=losses))


@pytest.mark.parametrize("name", HELD_OUT)
@pytest.mark.parametrize("factor", [1.0, 0.8])
def test_probabilities_against_all_sequences(name, factor):
    some, every = outcomes(name, 8, 0.1), by_enumeration(name, 8, 0.1)
    for p in (0.05, 0.3, 0.55, 0.9):
        plain = sum(p**k * (1 - p) ** (8 - k) for k, u in zip(every.ones, every.upper, strict=True)
                    if (k / 8 + factor * (u - k / 8) if u < 1 else 1) < p)
        assert some.mass(p).sum() == pytest.approx(1, abs=1e-12)
        assert every.miss_probability(p, factor) == pytest.approx(plain, abs=1e-12)
        assert some.miss_probability(p, factor) == pytest.approx(plain, abs=1e-12)


@pytest.mark.parametrize("name", HELD_OUT)
@pytest.mark.parametrize("n,delta", [(6, 0.2), (9, 0.05)])
def test_the_worst_case_is_at_most_delta_and_no_mean_on_a_grid_is_worse(name, n, delta):
    some = outcomes(name, n, delta)
    worst, at = worst_case(some)
    grid = max(some.miss_probability(p) for p in np.linspace(0.0005, 0.9995, 1000))
    assert worst <= delta * (1 + 1e-9)
    slack = 0.05 * delta if name in IN_ORDER else 1e-12
    assert grid <= worst + slack and worst - grid < 0.1 * delta
    assert some.miss_probability(at * (1 + 1e-9)) == pytest.approx(worst, rel=1e-6)


def test_where_bounds_are_tight():
    """Clopper-Pearson for every count, Chernoff and Occam at no errors: delta exactly."""
    for n, delta in [(5, 0.1), (40, 0.01)]:
        some = outcomes("clopper_pearson", n, delta)
        for p in some.upper[:-1]:
            assert some.miss_probability(p * (1 + 1e-9)) == pytest.approx(delta, rel=1e-5)
        for name in ("chernoff", "occam"):
            worst, at = worst_case(outcomes(name, n, delta))
            assert worst == pytest.approx(delta, rel=1e-9) and at == pytest.approx(edge(n, delta))


@pytest.mark.parametrize("name", [*HELD_OUT, *CLASS])
def test_the_largest_factor_is_where_refutation_starts(name):
    delta, members = (0.05, 1.0) if name in HELD_OUT else (0.05, 16.0)
    n = 8 if name in IN_ORDER else 60 if "quadratic" in name or "lambda" in name else 20
    some = outcomes(name, n, delta, members)
    factor, p = largest_factor_caught(some, delta)
    assert 0.25 < factor <= 1 and some.miss_probability(p, factor - 1e-6) > delta
    assert worst_case(some, factor - 1e-6)[0] > delta
    if name not in IN_ORDER:
        grid = np.linspace(0.0005, 0.9995, 2000)
        above = factor + 1e-6
        smaller = some.smaller(above)
        assert max(some.mass(q)[some.telling & (smaller < q)].sum() for q in grid) <= delta
        assert worst_case(some, above)[0] <= delta


def test_the_largest_factor_in_closed_form():
    """Two zeros in four: sqrt(log(1/delta)/2n) against Clopper and Pearson's end, the best k."""
    n, delta = 4, 0.05
    width = math.sqrt(math.log(1 / delta) / (2 * n))
    ratios = [(beta.ppf(1 - delta, k + 1, n - k) - k / n) / width for k in (0, 1, 2) if k / n + width < 1]
    factor, _ = largest_factor_caught(outcomes("hoeffding", n, delta), delta)
    assert factor == pytest.approx(max(ratios), abs=1e-9) and 0.86 < factor < 0.87
    assert largest_factor_caught(outcomes("chernoff", 30, delta), delta)[0] == pytest.approx(1, abs=1e-9)


def test_a_crowd_against_all_its_samples():
    """Two predictors on three examples: 64 samples, the fewest errors of the two."""
    some, p = outcomes("occam", 3, 0.1, 2.0), 0.3
    mass = np.zeros(4)
    for bits in product((0, 1), repeat=6):
        mass[min(sum(bits[:3]), sum(bits[3:]))] += p ** sum(bits) * (1 - p) ** (6 - sum(bits))
    np.testing.assert_allclose(some.mass(p), mass, atol=1e-14)
    assert some.upper[0] == pytest.approx(1 - 0.05 ** (1 / 3))
    large = outcomes("pac_bayes_kl", 1000, 0.05, 1e20).mass(0.2)
    assert large.sum() == pytest.approx(1, abs=1e-9) and (large >= 0).all() and large.argmax() < 100


@dataclass(frozen=True)
class Asked(Bound):
    """Keeps what it is asked with; the bound is 1."""

    name: ClassVar[str] = "asked"
    seen: ClassVar[dict] = {}

    def stages(self, *, gibbs, draws, n_samples, kl):
        type(self).seen = {"gibbs": gibbs, "draws": draws, "n": n_samples, "kl": kl}
        return {"bound": np.ones_like(gibbs)}


@dataclass(frozen=True)
class AskedDrawn(Asked):
    def stages(self, *, drawn, log_ratio, n_samples):
        type(self).seen = {"drawn": drawn, "log_ratio": log_ratio, "n": n_samples}
        return {"bound": np.ones_like(drawn)}


def posterior(errors, beta):
    weight = np.exp(-beta * errors)
    return weight / weight.sum(axis=1, keepdims=True)


def test_what_a_posterior_gives_to_a_bound():
    risks, n, repeats = np.array([0.1, 0.4, 0.7]), 12, 500
    errors = np.random.default_rng(5).binomial(n, risks, (repeats, 3))
    q = posterior(errors, 0.7)
    risk, loss, _ = Spread(risks, 0.7, None).sample(np.random.default_rng(5), n, repeats, Asked())
    np.testing.assert_allclose(risk, q @ risks)
    np.testing.assert_allclose(loss, (q * errors).sum(axis=1) / n)
    np.testing.assert_allclose(Asked.seen["kl"], entropy(q, np.full(3, 1 / 3), axis=1), atol=1e-12)
    assert Asked.seen["n"] == n and np.isinf(Asked.seen["draws"])
    _, many, _ = Spread(risks, 0.7, 10**6).sample(np.random.default_rng(5), n, repeats, Asked())
    assert Asked.seen["draws"] == 10**6 and 0 < abs(many - loss).max() < 0.003
    prior = Spread(risks, 0.0, None).sample(np.random.default_rng(5), n, repeats, Asked())[0]
    np.testing.assert_allclose(prior, 0.4)
    best, loss, _ = Spread(risks, None, None).sample(np.random.default_rng(5), n, repeats, Asked())
    assert np.array_equal(loss, errors.min(axis=1) / n)
    assert np.array_equal(best, risks[errors.argmin(axis=1)])
    np.testing.assert_allclose(Asked.seen["kl"], math.log(3))


def test_what_one_drawn_predictor_gives_to_a_bound():
    risks, n, repeats = np.array([0.3, 0.5]), 3, 20000
    errors = np.random.default_rng(6).binomial(n, risks, (repeats, 2))
    q = posterior(errors, 0.5)
    risk, loss, _ = Spread(risks, 0.5, None).sample(np.random.default_rng(6), n, repeats, AskedDrawn())
    first = risk == 0.3
    np.testing.assert_allclose(AskedDrawn.seen["log_ratio"], np.log(2 * np.where(first, q[:, 0], q[:, 1])))
    assert np.array_equal(loss, np.where(first, errors[:, 0], errors[:, 1]) / n)
    z = (first - q[:, 0]).sum() / math.sqrt((q[:, 0] * q[:, 1]).sum())
    assert abs(z) < 4.9
    other = (first - q[:, 1]).sum() / math.sqrt((q[:, 0] * q[:, 1]).sum())
    assert abs(other) > 4.9  # the shares the wrong way round would be seen


def test_occam_is_asked_about_the_predictor_that_it_serves_worst():
    risks = np.array([0.2, 0.5, 0.8])
    bound = bound_of("occam", 0.05)
    errors = np.random.default_rng(7).binomial(10, risks, (300, 3))
    upper = bound.upper(empirical=errors / 10, n_samples=10, log_size=math.log(3))
    risk, loss, found = Spread(risks, 0.0, None).sample(np.random.default_rng(7), 10, 300, bound)
    np.testing.assert_allclose(found - risk, (upper - risks).min(axis=1))
    assert {(r, k) for r, k in zip(risk, loss, strict=True)} <= {
        (r, k) for row in errors / 10 for r, k in zip(risks, row, strict=True)}


def test_a_direct_simulation_of_a_crowd_has_its_probabilities():
    some, p = outcomes("pac_bayes_kl", 8, 0.05, 16.0), 0.88
    risk, centre, upper = Spread(np.full(16, p), None, None).sample(
        np.random.default_rng(8), 8, 4000, bound_of("pac_bayes_kl", 0.05))
    for factor in (1.0, 0.8):
        count = int(missed(risk, centre, 0 * upper, upper, factor).sum())
        assert binomtest(count, 4000, some.miss_probability(p, factor)).pvalue > ALARM
    assert some.miss_probability(p, 0.8) > 0.14


@pytest.mark.parametrize("call,words", [
    (lambda: bound_of("bayes", 0.05), "bound must be one of"),
    (lambda: bound_of("chernoff", 1.0), r"delta must be in \(0, 1\), got 1"),
    (lambda: law("normal 0 1", 9, 0.1), "law must be"),
    (lambda: law("bernoulli", 9, 0.1), "law must be"),
    (lambda: law("bernoulli 1.5", 9, 0.1), "losses must be in"),
    (lambda: law("point -1", 9, 0.1), "losses must be in"),
    (lambda: law("rare 30", 9, 0.1), "chance 3.33"),
    (lambda: law("beta 0 1", 9, 0.1), "of Beta must be positive, got 0, 1"),
])
def test_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_mean_without_a_margin_is_caught_in_every_law_that_varies():
    for name in ("bernoulli 0.5", "beta 2 18", "uniform", "edge 0.85"):
        some = law(name, 50, 0.05)
        losses = some.draw(np.random.default_rng(0), (400, 50))
        lower, upper = ends(Mean(), losses, "upper")
        found = tally(some.mean, losses.mean(axis=1), lower, upper)
        assert binom.sf(found["misses"] - 1, 400, 0.05) < ALARM
