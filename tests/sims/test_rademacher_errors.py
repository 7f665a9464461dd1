"""Confidence: exact coverage on Bernoulli draws, enumerated distributions, formulas by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from sims.rademacher_classes import finite_bounds, finite_spans, mask_bounds, mask_spans
from sims.rademacher_errors import (
    BOTH,
    BOTH_BELOW,
    HOEFFDING,
    MCDIARMID,
    Facts,
    empirical_bernstein_half_width,
    hoeffding_width,
    lower_limit,
    mcdiarmid_half_width,
    mean_exact,
    truncation,
    two_sided,
    variance_exact,
)
from theory.families import AllMasks, Rectangles
from theory.rademacher import sign_vectors

UNIT = Facts(scale=1, squares=1.0, top=1.0, mean_bound=1.0)
"""A draw in {0, 1}: one variable, bounded difference 1."""


def unit_two_sided(spans, delta):
    return two_sided(spans, UNIT, delta)


def unit_lower_limit(spans, delta):
    return lower_limit(spans, 1, 1, delta)


def coverage(bound, draws, p, delta, shrink=1.0):
    """Exact probability that the interval of ``draws`` Bernoulli(p) draws holds p.

    One bound treats the first draw apart; the others come in any order.
    """
    total = 0.0
    for first in (0, 1):
        for ones in range(draws):
            spans = np.array([first] + [1] * ones + [0] * (draws - 1 - ones))
            found = bound(spans, delta)
            middle = spans[1:].mean() if bound is unit_lower_limit and draws > 1 else spans.mean()
            low = middle - (middle - found.low) * shrink
            high = middle + (found.high - middle) * shrink
            chance = (p if first else 1 - p) * stats.binom.pmf(ones, draws - 1, p)
            total += chance * (low <= p <= high)
    return total


@pytest.mark.parametrize("bound", [unit_two_sided, unit_lower_limit])
@pytest.mark.parametrize("draws,delta", [(1, 0.3), (5, 0.3), (40, 0.2), (150, 0.5)])
@pytest.mark.parametrize("p", [0.01, 0.07, 0.3, 0.5, 0.8, 0.99])
def test_coverage_of_bernoulli_draws_is_at_least_promised(bound, draws, delta, p):
    assert coverage(bound, draws, p, delta) >= 1 - delta


@pytest.mark.parametrize("bound,draws,part", [
    (unit_two_sided, 40, 3), (unit_two_sided, 150, 3), (unit_lower_limit, 40, 3),
    (unit_lower_limit, 150, 4)])
def test_an_interval_made_too_small_is_caught(bound, draws, part):
    """A part of the width: the exact coverage is below the promise for some p."""
    assert min(coverage(bound, draws, p, 0.2, shrink=1 / part) for p in (0.07, 0.3, 0.5)) < 0.8


@pytest.mark.parametrize("bound,few,many", [(unit_two_sided, MCDIARMID, BOTH),
                                            (unit_lower_limit, HOEFFDING, BOTH_BELOW)])
def test_which_bounds_are_used_does_not_depend_on_the_draws(bound, few, many):
    for draws, expected in ((1, few), (20, few), (500, many)):
        for ones in (0, 1, draws // 2, draws):
            spans = np.array([1] * ones + [0] * (draws - ones))
            assert bound(spans, 0.05).error == expected


def test_two_sided_by_hand():
    """500 draws, 25 of them 1: both bounds written out."""
    spans = np.array([1] * 25 + [0] * 475)
    x = math.log(3 / 0.045)
    variance = 0.05 * 0.95 * 500 / 499
    wide = math.sqrt(math.log(2 / 0.005) / 1000)
    near = math.sqrt(2 * variance * x / 500) + 7 * x / (3 * 499)
    assert near < wide
    found = two_sided(spans, UNIT, 0.05)
    assert (found.low, found.high) == pytest.approx((0.05 - near, 0.05 + near))
    half = np.array([1] * 250 + [0] * 250)  # here McDiarmid is the narrower
    found = two_sided(half, UNIT, 0.05)
    assert (found.low, found.high) == pytest.approx((0.5 - wide, 0.5 + wide))
    few = two_sided(spans[20:40], UNIT, 0.05)
    alone = math.sqrt(math.log(40) / 40)
    assert (few.low, few.high) == pytest.approx((0.25 - alone, 0.25 + alone))


def test_lower_limit_by_hand():
    """The first draw is 0 (no cut) and is left out; then 500 draws, 25 of them 1."""
    spans, x = np.array([0] + [1] * 25 + [0] * 475), math.log(2 / 0.045)
    near = math.sqrt(2 * 0.05 * 0.95 / 499 * x) + 7 * x / (3 * 499)
    found = unit_lower_limit(spans, 0.05)
    assert found.low == pytest.approx(0.05 - near) and found.high == math.inf
    wide = math.sqrt(math.log(1 / 0.005) / 1000)
    half = np.array([0] + [1] * 250 + [0] * 250)  # here Hoeffding is the narrower
    assert unit_lower_limit(half, 0.05).low == pytest.approx(0.5 - wide)
    few = np.array([0] + [1] * 5 + [0] * 15)
    assert unit_lower_limit(few, 0.05).low == pytest.approx(0.25 - math.sqrt(math.log(20) / 40))
    assert unit_lower_limit(few[1:2], 0.05).low == pytest.approx(1 - math.sqrt(math.log(20) / 2))


def test_lower_limits_are_cut_at_twice_the_first_draw():
    spans = np.array([10, 15, 25, 20, 0])
    width = math.sqrt(math.log(10) / 8)
    for top, scale, length in ((10_000, 100, 0.2), (10_000, 1000, 0.02), (18, 100, 0.18)):
        cut = np.minimum(spans[1:] / scale, length)
        found = lower_limit(spans, scale, top, 0.1)
        assert found.low == pytest.approx(cut.mean() - length * width)
    spans[0] = 0
    assert lower_limit(spans, 100, 30, 0.1).low == pytest.approx(0.15 - 0.3 * width)


def test_formulas_scale_with_the_unit():
    """Draws a hundred times as large: a hundred times the interval."""
    spans = np.random.default_rng(0).binomial(9, 0.2, size=300)
    small = two_sided(spans, Facts(100, 0.0081, 0.09, 0.05), 0.1)
    large = two_sided(spans, Facts(1, 81.0, 9.0, 5.0), 0.1)
    assert small.error == large.error == BOTH
    assert (100 * small.low, 100 * small.high) == pytest.approx((large.low, large.high))


def test_widths_fall_with_draws_and_grow_with_confidence():
    for width in (lambda m, d: mcdiarmid_half_width(1.0, m, d),
                  lambda m, d: hoeffding_width(1.0, m, d),
                  lambda m, d: empirical_bernstein_half_width(0.1, 1.0, m, d)):
        assert width(10, 0.1) > width(11, 0.1) and width(10, 0.1) < width(10, 0.09)
    assert hoeffding_width(2.0, 9, 0.1) == 2 * hoeffding_width(1.0, 9, 0.1)
    # Hoeffding for independent draws is McDiarmid with half of delta
    assert hoeffding_width(3.0, 9, 0.1) == pytest.approx(mcdiarmid_half_width(9.0, 9, 0.2))
    with pytest.raises(ValueError, match="at least 2 draws, got 1"):
        empirical_bernstein_half_width(0.1, 1.0, 1, 0.1)


def masks(seed, count, side):
    rng = np.random.default_rng(seed)
    return (2 * rng.integers(0, 2, size=(count, side, side)) - 1).astype(np.int8)


def processes():
    """Sums whose distribution over all signs is small enough to write out: (sums, n, bounds)."""
    for family in (Rectangles(3, 3), AllMasks(3, 3, empty=True)):
        for groups in (np.zeros(9, int), np.repeat([0, 1, 2], 3), np.arange(9)):
            sums = mask_spans(masks(1, 9, 3), groups, family)
            yield sums, 9, mask_bounds(sums, 9)
        copies = mask_spans(np.repeat(masks(2, 1, 3), 9, axis=0), np.zeros(9, int), family)
        yield copies, 9, mask_bounds(copies, 9)
    for shift in (0, 5):
        inner = shift + 2 * np.random.default_rng(3).integers(-2, 3, size=(4, 9)) + 1
        yield finite_spans(inner), 9, finite_bounds(inner, 9)
    inner = np.array([[1], [-1]]) * np.array([[9] * 8 + [1]])
    yield finite_spans(inner), 9, finite_bounds(inner, 9)


def all_values(sums):
    """S at every sign vector, in the order of ``sign_vectors``."""
    signs = sign_vectors(len(sums.vectors))
    return sum(sums.span(signs[:, sums.groups == g] @ sums.vectors[sums.groups == g].astype(int))
               for g in np.unique(sums.groups))


@pytest.mark.parametrize("sums,n,bounds", list(processes()))
def test_facts_against_the_whole_distribution(sums, n, bounds):
    """Bounded differences, the top, the bound on the mean, and the bias of the cut."""
    scale, values = 4 * 9 * n, all_values(sums)
    for i in range(9):
        assert abs(values - values[np.arange(512) ^ (1 << i)]).max() <= 2 * sums.ranges[i]
    assert values.max() <= sums.ranges.sum() and values.min() >= 0
    mean = float(mean_exact(values, scale))
    assert mean <= bounds.sum() * (1 + 1e-12)
    squares = float((4 * sums.ranges.astype(float) ** 2).sum()) / scale**2
    cut = 0
    for draws in (2, 3, 10):
        facts = Facts(scale, squares, float(sums.ranges.sum()) / scale, mean)
        level, bias = truncation(facts, draws)
        excess = float(np.maximum(values - level, 0).mean()) / scale
        assert excess <= bias
        cut += excess > 0
    assert cut or (values == values[0]).all() or level >= values.max()


def test_a_bounded_difference_is_attained():
    """Equal targets and all masks: one sign moves a span by twice its range."""
    copies = mask_spans(np.repeat(masks(2, 1, 3), 9, axis=0), np.zeros(9, int),
                        AllMasks(3, 3, empty=True))
    values = all_values(copies)
    assert abs(values - values[np.arange(512) ^ 1]).max() == 2 * copies.ranges[0] == 36


def test_bounds_on_the_mean_are_attained():
    """Distinct inputs, and two predictors that differ at one sample, are met with equality."""
    sums = mask_spans(masks(1, 9, 3), np.arange(9), Rectangles(3, 3))
    assert mask_bounds(sums, 9).sum() == pytest.approx(all_values(sums).mean() / (4 * 81))
    inner = np.zeros((2, 9), dtype=int)
    inner[0, 4] = 6
    assert finite_bounds(inner, 9)[0] == pytest.approx(all_values(finite_spans(inner)).mean() / 324)
    assert finite_bounds(inner[:1], 9)[0] == 0


def test_a_cut_that_bites_still_covers():
    """One draw in a thousand is large; its tail is sub-Gaussian with the constant of Kearns and
    Saul (1998).  Exact coverage, and the value stays inside the interval."""
    p, draws, delta, covered, cut = 0.001, 400, 0.5, 0.0, 0.0
    squares = 2 * (1 - 2 * p) / math.log((1 - p) / p)
    facts = Facts(1000, squares, 1.0, p)
    for ones in range(12):
        spans = np.array([1000] * ones + [0] * (draws - ones))
        found, chance = two_sided(spans, facts, delta), stats.binom.pmf(ones, draws, p)
        assert found.error == BOTH and found.low <= ones / draws <= found.high
        covered += chance * (found.low <= p <= found.high)
        cut += chance * (spans.max() > truncation(facts, draws)[0])
    assert covered >= 1 - delta and cut > 0.3


def test_the_upper_end_makes_up_for_the_cut():
    """All draws 0: both ends by hand, the bias of the cut on one side; and a draw far above it."""
    facts, draws = Facts(scale=1, squares=30.0, top=100.0, mean_bound=0.5), 4000
    level, bias = truncation(facts, draws)
    spans = np.zeros(draws, dtype=np.int64)
    found = two_sided(spans, facts, 0.1)
    near = 7 * level * math.log(3 / 0.09) / (3 * (draws - 1))
    assert found.error == BOTH and bias > 1e-4
    assert (found.low, found.high) == pytest.approx((-near, near + bias), rel=1e-9)
    spans[0] = 100_000
    assert two_sided(spans, Facts(1, 30.0, 1e6, 0.5), 0.1).high == 25


def test_moments_against_numpy():
    spans = np.random.default_rng(6).integers(0, 2**40, size=50)
    assert float(mean_exact(spans, 7)) == pytest.approx(spans.mean() / 7)
    assert float(variance_exact(spans, 7)) == pytest.approx(spans.var(ddof=1) / 49)


@pytest.mark.parametrize("interval", [unit_two_sided, unit_lower_limit])
@pytest.mark.parametrize("spans", [[], np.array([], dtype=np.int64)], ids=["list", "array"])
def test_no_draws_give_no_interval(interval, spans):
    with pytest.raises(ValueError, match="needs at least one draw, got none"):
        interval(spans, 0.1)
