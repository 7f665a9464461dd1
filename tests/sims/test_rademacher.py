"""Rademacher complexities: closed forms against enumeration, intervals against coverage."""

from __future__ import annotations

from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from scipy import stats

from sims.rademacher import (
    ALL_MASKS,
    RECTANGLES,
    catching_extremes,
    empirical_rademacher,
    mcdiarmid_half_width,
)
from sims.rademacher_cells import random_rectangles
from theory.families import AllMasks, Rectangles
from theory.rademacher import (
    catching_extremes_exact,
    rademacher_all_functions,
    rademacher_all_functions_exact,
    rademacher_brute_force_exact,
    rademacher_constant_exact,
    rademacher_grouped_exact,
    sign_vectors,
)
from theory.relevance import extreme_products, relevance_level_exact

FAMILY = {RECTANGLES: Rectangles, ALL_MASKS: partial(AllMasks, empty=True)}


def sample(seed, count, height, width):
    """Arbitrary masks, not only rectangles."""
    rng = np.random.default_rng(seed)
    return (2 * rng.integers(0, 2, size=(count, height, width)) - 1).astype(np.int8)


@pytest.mark.parametrize("name", [RECTANGLES, ALL_MASKS])
@pytest.mark.parametrize("count,height,width", [(1, 2, 2), (3, 2, 2), (4, 1, 3), (2, 2, 3)])
def test_distinct_inputs_closed_form_against_the_definition(name, count, height, width):
    targets = sample(count, count, height, width)
    family = FAMILY[name](height, width)
    expected = rademacher_brute_force_exact(family, targets)
    assert empirical_rademacher(targets, name).fraction == expected
    assert rademacher_all_functions_exact(*catching_extremes_exact(family, targets)) == expected
    assert rademacher_grouped_exact(family, targets) == expected
    high, low = extreme_products(family, targets)
    n = height * width
    assert rademacher_all_functions(high / n, low / n) == pytest.approx(float(expected), abs=1e-15)


@pytest.mark.parametrize("inputs", [[0, 0, 1], [0, 0, 0], [5, 7, 5], [2, 1, 0]])
@pytest.mark.parametrize("name", [RECTANGLES, ALL_MASKS])
def test_repeated_inputs_grouped_against_the_definition(name, inputs):
    targets = sample(11, 3, 2, 2)
    family = FAMILY[name](2, 2)
    assert (rademacher_grouped_exact(family, targets, inputs)
            == rademacher_brute_force_exact(family, targets, inputs))


@pytest.mark.parametrize("name", [RECTANGLES, ALL_MASKS])
@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_constant_predictors_against_the_definition(name, count):
    targets = sample(count, count, 2, 3)
    family = FAMILY[name](2, 3)
    expected = rademacher_brute_force_exact(family, targets, np.zeros(count, dtype=int))
    assert rademacher_constant_exact(family, targets) == expected
    assert rademacher_grouped_exact(family, targets, np.zeros(count)) == expected
    estimate = empirical_rademacher(targets, name, "constant", draws=256)
    assert estimate.exact and estimate.fraction == expected


def test_constant_predictors_by_hand():
    """One mask, one target: <b, s a> has mean 0.  Two opposite masks: always 1/2."""
    a = np.array([[[1, -1]]])
    assert rademacher_constant_exact(a, a) == 0
    assert rademacher_constant_exact(np.concatenate([a, -a]), a) == Fraction(1, 2)


@pytest.mark.parametrize("name", [RECTANGLES, ALL_MASKS])
def test_prop_2_bounds_it_and_more_freedom_never_lowers_it(name):
    targets = random_rectangles(np.random.default_rng(0), 6, 4, 4)
    rho = relevance_level_exact(FAMILY[name](4, 4), targets)
    free = empirical_rademacher(targets, name).fraction
    grouped = rademacher_grouped_exact(Rectangles(4, 4), targets, [0, 0, 1, 1, 2, 2])
    constant = empirical_rademacher(targets, name, "constant").fraction
    assert 0 <= constant <= free <= (1 - rho) / 4
    if name == RECTANGLES:
        assert constant <= grouped <= free


def test_all_masks_attain_one_half_exactly():
    targets = sample(4, 50, 3, 5)
    assert empirical_rademacher(targets, ALL_MASKS).fraction == Fraction(1, 2)


@pytest.mark.parametrize("turn", [
    lambda a: a[:, ::-1], lambda a: a[:, :, ::-1], lambda a: a.transpose(0, 2, 1), lambda a: a[::-1]
])
@pytest.mark.parametrize("predictors", ["all", "constant"])
def test_flips_transposes_and_order_leave_it(turn, predictors):
    targets = sample(9, 7, 3, 4)
    before = empirical_rademacher(targets, RECTANGLES, predictors).fraction
    assert empirical_rademacher(turn(targets), RECTANGLES, predictors).fraction == before


def test_complements_leave_the_complexity_of_all_masks():
    targets = sample(10, 7, 3, 3)
    for predictors in ("all", "constant"):
        assert (empirical_rademacher(targets, ALL_MASKS, predictors).fraction
                == empirical_rademacher(-targets, ALL_MASKS, predictors).fraction)


def test_extremes_against_enumeration_with_repeated_targets():
    targets = sample(12, 5, 3, 3)[[0, 1, 1, 2, 0, 4]]
    assert (tuple(catching_extremes(targets, RECTANGLES))
            == catching_extremes_exact(Rectangles(3, 3), targets))


@pytest.mark.parametrize("name", [RECTANGLES, ALL_MASKS])
def test_sampled_signs_agree_with_enumeration(name):
    """The interval at delta = 1e-6 holds the exact value (false-alarm rate 1e-6)."""
    targets = random_rectangles(np.random.default_rng(1), 12, 5, 5)
    exact = float(rademacher_constant_exact(FAMILY[name](5, 5), targets)
                  if name == RECTANGLES else
                  empirical_rademacher(targets, name, "constant", draws=2**12).fraction)
    mc = empirical_rademacher(targets, name, "constant", draws=4000, delta=1e-6,
                              generator=np.random.default_rng(2))
    assert not mc.exact and mc.low <= exact <= mc.high
    assert abs(mc.value - exact) < 0.004  # McDiarmid's bound is loose; this is not


def test_interval_coverage():
    """At least 1 - delta; the test fails by chance with probability below 1e-4."""
    targets = random_rectangles(np.random.default_rng(3), 6, 4, 4)
    exact = float(rademacher_constant_exact(Rectangles(4, 4), targets))
    rng, runs, delta = np.random.default_rng(4), 600, 0.2
    hits = 0
    for _ in range(runs):
        mc = empirical_rademacher(targets, RECTANGLES, "constant", draws=4, delta=delta,
                                  generator=rng)
        hits += mc.low <= exact <= mc.high
    assert stats.binomtest(hits, runs, 1 - delta, alternative="less").pvalue > 1e-4


def test_half_width_is_the_bounded_difference_of_a_draw():
    """Turning one sign moves a draw by at most d_i / 2N, and reaches it for all masks."""
    targets = np.repeat(random_rectangles(np.random.default_rng(5), 1, 3, 3), 5, axis=0)
    members = AllMasks(3, 3, empty=True).masks().reshape(-1, 9).astype(int)
    signs = sign_vectors(5)
    products = signs @ targets.reshape(5, -1).astype(int) @ members.T
    draws = (products.max(axis=1) - products.min(axis=1)) / (4 * 5 * 9)
    flips = [abs(draws - draws[np.arange(32) ^ (1 << i)]).max() for i in range(5)]
    assert max(flips) == pytest.approx(2 / (2 * 5))
    half = mcdiarmid_half_width(np.full(5, 2.0), draws=7, delta=0.1)
    assert half == pytest.approx(np.sqrt(np.log(2 / 0.1) / 2 * 5 * (1 / 5) ** 2 / 7))


def test_same_generator_same_numbers_whatever_the_global_state():
    targets = random_rectangles(np.random.default_rng(6), 20, 4, 4)
    out = []
    for noise in (1, 2):
        np.random.seed(noise)  # noqa: NPY002
        out.append(empirical_rademacher(targets, RECTANGLES, "constant", draws=50,
                                        generator=np.random.default_rng(7)))
    assert out[0] == out[1]


def test_random_rectangles_are_uniform_over_the_family():
    """Chi-square at level 1e-4 over the 36 rectangles of a 3x3 grid."""
    drawn = random_rectangles(np.random.default_rng(8), 36 * 200, 3, 3)
    distinct, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(distinct) == Rectangles(3, 3).size and all(m in Rectangles(3, 3) for m in distinct)
    assert stats.chisquare(counts).pvalue > 1e-4


MASK = np.array([[[1, -1]]])


@pytest.mark.parametrize("call,words", [
    (lambda: empirical_rademacher(MASK, "circles"), "family must be one of"),
    (lambda: empirical_rademacher(MASK, RECTANGLES, "some"), "predictors must be one of"),
    (lambda: empirical_rademacher(MASK, delta=1.0), r"delta must be in \(0, 1\), got 1.0"),
    (lambda: empirical_rademacher(MASK, draws=0), "draws must be a positive integer, got 0"),
    (lambda: empirical_rademacher(MASK[:0]), "N >= 1"),
    (lambda: empirical_rademacher(0 * MASK), "values in"),
    (lambda: empirical_rademacher(np.repeat(MASK, 9, 0), RECTANGLES, "constant", draws=3),
     "generator is needed"),
    (lambda: rademacher_all_functions([], []), "N must be at least 1"),
    (lambda: rademacher_all_functions([1.5], [0.0]), r"\[-1, 1\], got 1.5"),
    (lambda: rademacher_all_functions([0.0], [0.5]), "at least min_catching"),
    (lambda: rademacher_all_functions([1.0, 1.0], [0.5]), "share a shape"),
    (lambda: rademacher_all_functions([np.nan], [0.0]), "finite"),
    (lambda: rademacher_all_functions_exact([], []), "N must be at least 1"),
    (lambda: rademacher_all_functions_exact([0], [1]), "min <= max"),
    (lambda: rademacher_constant_exact(MASK[:0], MASK), "at least one mask"),
    (lambda: rademacher_constant_exact(MASK, MASK[:0]), "N must be at least 1"),
    (lambda: rademacher_constant_exact(MASK, np.ones((1, 2, 2), int)), "share a grid"),
    (lambda: rademacher_grouped_exact(MASK, MASK, [0, 1]), "inputs must have shape"),
    (lambda: rademacher_constant_exact(MASK, np.repeat(MASK, 21, 0)), "1 <= N <= 20, got N = 21"),
    (lambda: rademacher_brute_force_exact(AllMasks(3, 3), sample(0, 3, 3, 3)), "at most"),
])
def test_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_exact_route_refuses_floats():
    with pytest.raises(TypeError, match="Fractions or integers, got 0.5"):
        rademacher_all_functions_exact([0.5], [0])
