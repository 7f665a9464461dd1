"""Rademacher complexities of all functions and of constant predictors: exact values, two routes."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from math import comb

import numpy as np
import pytest
from scipy import stats

from sims.family_names import ALL_MASKS, RECTANGLES
from sims.rademacher import empirical_rademacher
from sims.rademacher_cells import random_rectangles
from theory.families import AllMasks, FiniteFamily, Parallelograms, Rectangles, RotatedRectangles
from theory.rademacher import (
    catching_extremes_exact,
    rademacher_all_functions,
    rademacher_all_functions_exact,
    rademacher_brute_force_exact,
    rademacher_constant_exact,
    rademacher_grouped_exact,
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
    estimate = empirical_rademacher(targets, name, predictors="constant", max_pairs=128)
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
    constant = empirical_rademacher(targets, name, predictors="constant").fraction
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
    before = empirical_rademacher(targets, RECTANGLES, predictors=predictors).fraction
    assert empirical_rademacher(turn(targets), RECTANGLES, predictors=predictors).fraction == before


def test_complements_leave_the_complexity_of_all_masks():
    targets = sample(10, 7, 3, 3)
    for predictors in ("all", "constant"):
        assert (empirical_rademacher(targets, ALL_MASKS, predictors=predictors).fraction
                == empirical_rademacher(-targets, ALL_MASKS, predictors=predictors).fraction)


def test_distinct_inputs_with_repeated_targets_against_enumerated_extremes():
    targets = sample(12, 5, 3, 3)[[0, 1, 1, 2, 0, 4]]
    extremes = catching_extremes_exact(Rectangles(3, 3), targets)
    assert empirical_rademacher(targets, RECTANGLES).fraction == rademacher_all_functions_exact(*extremes)


FAMILIES = [Rectangles(3, 3), Rectangles(3, 3, max_area=4, empty=True), AllMasks(3, 3),
            AllMasks(3, 3, empty=True), RotatedRectangles(3, 3), Parallelograms(3, 3, max_area=3),
            FiniteFamily(sample(20, 7, 3, 3))]


@pytest.mark.parametrize("family", FAMILIES, ids=repr)
@pytest.mark.parametrize("inputs", [None, [0, 0, 1, 1, 1, 2], [3, 3, 3, 3, 3, 3]])
def test_every_family_and_grouping_against_enumeration(family, inputs):
    targets = sample(21, 6, 3, 3)[[0, 1, 1, 3, 4, 5]]
    expected = rademacher_grouped_exact(family, targets, inputs)
    assert expected > 0
    found = empirical_rademacher(targets, family, inputs, max_pairs=32)
    assert found.exact and found.fraction == expected
    assert (found.low, found.value, found.high, found.delta) == (float(expected),) * 3 + (0.0,)


@pytest.mark.parametrize("family", FAMILIES, ids=repr)
def test_constant_predictors_are_one_group(family):
    targets = sample(22, 5, 3, 3)
    found = empirical_rademacher(targets, family, predictors="constant", max_pairs=16)
    assert found.exact and found.fraction == rademacher_constant_exact(family, targets)
    assert found.fraction == empirical_rademacher(targets, family, ["x"] * 5).fraction


@pytest.mark.parametrize("name", [RECTANGLES, ALL_MASKS])
def test_equal_and_opposite_targets_in_a_group_share_work(name):
    """k equal or opposite targets give k + 1 sums; the value is that over all signs."""
    a, b = sample(23, 2, 2, 3)
    targets = np.stack([a, b, a, -a, -b, a])
    found = empirical_rademacher(targets, name, np.zeros(6), max_pairs=7)
    assert found.fraction == rademacher_constant_exact(FAMILY[name](2, 3), targets)
    assert found.exact and found.draws == 5 * 3
    assert not empirical_rademacher(targets, name, np.zeros(6), max_pairs=6).exact


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_one_target_many_times_is_the_mean_of_a_random_walk(count):
    """``E|s_1 + ... + s_k| = 2^(1-k) ceil(k/2) C(k, ceil(k/2))``, times the target's range."""
    a = sample(24, 1, 3, 4)
    walk = Fraction(2 * -(-count // 2) * comb(count, -(-count // 2)), 2**count)
    (high,), (low,) = catching_extremes_exact(Rectangles(3, 4), a)
    found = empirical_rademacher(np.repeat(a, count, axis=0), RECTANGLES, np.zeros(count))
    assert found.fraction == walk * (high - low) / (4 * count)


def test_groups_with_equal_targets_are_the_mean_of_groups():
    """Ten groups of three kinds, in any order of the samples."""
    kinds = [sample(k, 3, 3, 3) for k in (30, 31, 32)]
    which = [0, 1, 2, 0, 0, 1, 2, 2, 0, 1]
    targets = np.concatenate([kinds[k] for k in which])
    inputs = np.repeat(np.arange(10), 3)
    order = np.random.default_rng(0).permutation(30)
    alone = [empirical_rademacher(kind, RECTANGLES, np.zeros(3)).fraction for kind in kinds]
    found = empirical_rademacher(targets[order], RECTANGLES, inputs[order])
    assert found.fraction == sum(alone[k] for k in which) / 10
    assert found.draws == 3 * 8 and "group" in found.method


def test_labels_may_be_anything_that_compares():
    targets = sample(25, 4, 2, 2)
    expected = rademacher_grouped_exact(Rectangles(2, 2), targets, [0, 1, 0, 1])
    for labels in (["b", "a", "b", "a"], [2.5, -1.0, 2.5, -1.0], [7, 5, 7, 5], [True, False] * 2):
        assert empirical_rademacher(targets, RECTANGLES, labels).fraction == expected


def test_the_class_grows_with_its_freedom_and_with_its_family():
    targets = sample(26, 6, 3, 3)
    groupings = (np.zeros(6), [0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 2, 2], None)
    small, large = Rectangles(3, 3, max_area=3), RotatedRectangles(3, 3)
    values = [[empirical_rademacher(targets, family, inputs).fraction for inputs in groupings]
              for family in (small, large)]
    assert all(a < b for row in values for a, b in zip(row, row[1:], strict=False))
    assert all(a < b for a, b in zip(*values, strict=True))


def test_turning_a_target_over_changes_nothing():
    targets = sample(27, 5, 3, 3)
    turned = targets * np.array([1, -1, -1, 1, -1], dtype=np.int8)[:, None, None]
    for inputs in (None, np.zeros(5), [0, 0, 1, 1, 1]):
        assert (empirical_rademacher(targets, RECTANGLES, inputs).fraction
                == empirical_rademacher(turned, RECTANGLES, inputs).fraction)


def test_random_rectangles_are_uniform_over_the_family():
    """Chi-square at level 1e-4 over the 36 rectangles of a 3x3 grid."""
    drawn = random_rectangles(np.random.default_rng(8), 36 * 200, 3, 3)
    distinct, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(distinct) == Rectangles(3, 3).size and all(m in Rectangles(3, 3) for m in distinct)
    assert stats.chisquare(counts).pvalue > 1e-4


MASK = np.array([[[1, -1]]])
TWO = np.repeat(MASK, 2, axis=0)


@pytest.mark.parametrize("labels", [
    [1j, 2, 1j], ["b", "a", "b"], np.array(["b", 'a', "b"], object), [b"b", b"a", b"b"], [2.5, True, 2.5],
    np.array(["2001", "2000", "2001"], "M8[Y]"), np.array([Fraction(1, 2), 0, 0.5], object)])
def test_labels_of_any_kind(labels):
    targets = sample(25, 3, 2, 2)
    expected = rademacher_grouped_exact(Rectangles(2, 2), targets, [0, 1, 0])
    assert empirical_rademacher(targets, RECTANGLES, labels).fraction == expected


@pytest.mark.parametrize("call,words", [
    (lambda: empirical_rademacher(MASK, "circles"), "family must be one of"),
    (lambda: empirical_rademacher(MASK, predictors="some"), "predictors must be one of .*'some'"),
    (lambda: empirical_rademacher(MASK, delta=1.0), r"delta must be in \(0, 1\), got 1.0"),
    (lambda: empirical_rademacher(MASK, draws=0), "draws must be a positive integer, got 0"),
    (lambda: empirical_rademacher(MASK[:0]), "N >= 1"),
    (lambda: empirical_rademacher(0 * MASK), "values in"),
    (lambda: empirical_rademacher(MASK, draws=2.5), "draws must be a positive integer, got 2.5"),
    (lambda: empirical_rademacher(MASK, max_pairs=-1), "max_pairs must be a non-negative integer"),
    (lambda: empirical_rademacher(MASK, seed=-1), "seed must be a non-negative integer, got -1"),
    (lambda: empirical_rademacher(MASK, Rectangles(2, 1)), "share a grid"),
    (lambda: empirical_rademacher(MASK, RECTANGLES, [0, 1]), r"inputs must have shape \(1,\)"),
    *((partial(empirical_rademacher, MASK, RECTANGLES, x), "labels that equal themselves, got") for x in (
        [np.nan], [complex(1, np.nan)], np.array(["NaT"], "M8[s]"), np.array([np.nan], object))),
    *((partial(empirical_rademacher, TWO, RECTANGLES, x), "labels that can be compared, got '<'") for x in (
        [1, None], [1, "1"], [b"a", "a"], np.array([1, "a"], object))),
    (lambda: empirical_rademacher(TWO, RECTANGLES, [frozenset("a"), frozenset("b")]), "any two are in order"),
    *((partial(empirical_rademacher, MASK, draws=x), "draws must be a positive integer, got ")
      for x in ("a", np.nan, np.inf)),
    *((partial(empirical_rademacher, MASK, delta=x), r"delta must be in \(0, 1\), got ")
      for x in ("a", np.array([0.1, 0.2]), np.nan)),
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


@pytest.mark.parametrize("call,words", [
    (lambda: empirical_rademacher(MASK, MASK), "Family or a name, got ndarray"),
    (lambda: empirical_rademacher(MASK, predictors=3), "with maximise.signs., got int"),
    (lambda: empirical_rademacher(MASK == 1), "booleans"),
])
def test_bad_types(call, words):
    with pytest.raises(TypeError, match=words):
        call()


def test_exact_route_refuses_floats():
    with pytest.raises(TypeError, match="Fractions or integers, got 0.5"):
        rademacher_all_functions_exact([0.5], [0])
