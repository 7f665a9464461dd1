"""Drawn signs: coverage where the exact value is known, finite classes, searched classes."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from scipy import stats

from sims.family_names import ALL_MASKS, RECTANGLES
from sims.rademacher import Maximiser, empirical_rademacher
from sims.rademacher_cells import random_rectangles
from sims.supremum import extremes_of
from theory.families import AllMasks, Rectangles
from theory.rademacher import rademacher_constant_exact, rademacher_grouped_exact
from theory.rates import missing_rate_exact

RUNS, ALARM, PART = 1000, 1e-5, 8


def sample(seed, count, height, width):
    rng = np.random.default_rng(seed)
    return (2 * rng.integers(0, 2, size=(count, height, width)) - 1).astype(np.int8)


def finite_by_definition(predictors, targets):
    """Def. C.1 in Fractions: the constant half of Phi stays in, no centring, no pairs."""
    phi = [[missing_rate_exact(b, a) for b, a in zip(f, targets, strict=True)] for f in predictors]
    total = sum((max(sum((s * x for s, x in zip(signs, row, strict=True)), Fraction())
                     for row in phi) for signs in product((-1, 1), repeat=len(targets))),
                Fraction())
    return total / (2 ** len(targets) * len(targets))


TARGETS = sample(1, 9, 3, 3)
MEMBERS = Rectangles(3, 3)
CLASS = MEMBERS.sample(np.random.default_rng(2), 4 * 9).reshape(4, 9, 3, 3)
GROUPS = [0] * 6 + [1] * 2 + [2]

CASES = {
    "constant": (dict(predictors="constant"), rademacher_constant_exact(MEMBERS, TARGETS)),
    "groups": (dict(inputs=GROUPS, max_pairs=4), rademacher_grouped_exact(MEMBERS, TARGETS, GROUPS)),
    "finite": (dict(predictors=CLASS), finite_by_definition(CLASS, TARGETS)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("draws,delta", [(1, 0.5), (5, 0.5), (60, 0.5), (60, 0.05)])
def test_coverage(case, draws, delta):
    """At least 1 - delta; fails by chance with probability at most 1e-5 (exact binomial test).

    An eighth of the width is caught: the intervals are wide, but not without limit.
    """
    options, exact = CASES[case]
    exact, hits, near = float(exact), 0, 0
    runs = RUNS if draws < 60 else RUNS // 3
    for seed in range(runs):
        found = empirical_rademacher(TARGETS, MEMBERS, draws=draws, delta=delta, seed=seed,
                                     **({"max_pairs": 0} | options))
        assert not found.exact and found.low <= found.value <= found.high
        hits += found.low <= exact <= found.high
        near += (found.value - (found.value - found.low) / PART <= exact
                 <= found.value + (found.high - found.value) / PART)
    assert stats.binomtest(hits, runs, 1 - delta, alternative="less").pvalue > ALARM
    if delta == 0.05:
        assert stats.binomtest(near, runs, 1 - delta, alternative="less").pvalue < ALARM


@pytest.mark.parametrize("case", CASES)
def test_drawn_means_agree_with_the_definition(case):
    """A z-test at 5 standard errors (false alarm below 1e-6), far inside the interval."""
    options, exact = CASES[case]
    found = empirical_rademacher(TARGETS, MEMBERS, draws=20_000, **({"max_pairs": 0} | options))
    assert abs(found.value - float(exact)) <= 5 * (found.variance / found.draws) ** 0.5
    assert found.low < float(exact) < found.high and found.error.startswith("empirical Bernstein")
    assert found.high - found.low < 0.02


def test_the_exact_part_of_a_mixed_sample_has_no_error():
    """One group of six is drawn; the interval is that of its part alone."""
    mixed = empirical_rademacher(TARGETS, MEMBERS, GROUPS, draws=40, max_pairs=4)
    drawn = empirical_rademacher(TARGETS[:6], MEMBERS, np.zeros(6), draws=40, max_pairs=4)
    rest = rademacher_grouped_exact(MEMBERS, TARGETS[6:], GROUPS[6:])
    assert mixed.value == pytest.approx(drawn.value * 6 / 9 + float(rest) * 3 / 9)
    assert mixed.high - mixed.low == pytest.approx((drawn.high - drawn.low) * 6 / 9)
    assert "2 of 3 groups by all signs" in mixed.method and mixed.delta == 0.05


@pytest.mark.parametrize("name", [RECTANGLES, ALL_MASKS])
def test_certain_bounds_hold_whatever_the_draws(name):
    """One draw at delta = 0.001: the interval is [0, the certain bound], or the value itself."""
    targets = random_rectangles(np.random.default_rng(1), 30, 4, 4)
    free = empirical_rademacher(targets, name).value
    for seed in range(20):
        found = empirical_rademacher(targets, name, predictors="constant", draws=1, delta=0.001,
                                     seed=seed)
        assert found.low == 0 and found.value <= found.high
        assert found.high == pytest.approx(max(found.value, min(free, 0.5 / 30**0.5)))


def test_the_width_is_that_of_the_bounded_differences():
    """All masks, d_i = 2: McDiarmid's half-width is ``sqrt(log(2/delta) / (2 m N))``."""
    targets = sample(11, 25, 3, 3)
    found = empirical_rademacher(targets, ALL_MASKS, predictors="constant", draws=30, delta=0.5)
    assert found.error == "McDiarmid at delta" and found.low > 0
    assert found.value - found.low == pytest.approx((np.log(4) / (2 * 30 * 25)) ** 0.5)


# A finite class


@pytest.mark.parametrize("count,size", [(1, 3), (2, 2), (4, 5), (6, 3)])
def test_finite_classes_against_the_definition(count, size):
    targets = sample(count, size, 2, 3)
    members = AllMasks(2, 3, empty=True).sample(np.random.default_rng(size), count * size)
    predictors = members.reshape(count, size, 2, 3)
    found = empirical_rademacher(targets, ALL_MASKS, predictors=predictors)
    assert found.exact and found.fraction == finite_by_definition(predictors, targets)


def test_all_functions_and_all_constants_as_arrays():
    targets, masks = sample(3, 3, 1, 2), Rectangles(1, 2).masks()
    functions = masks[np.indices((3, 3, 3)).reshape(3, -1).T]
    constants = np.repeat(masks[:, None], 3, axis=1)
    for predictors, name in ((functions, "all"), (constants, "constant")):
        assert (empirical_rademacher(targets, RECTANGLES, predictors=predictors).fraction
                == empirical_rademacher(targets, RECTANGLES, predictors=name).fraction)


def test_one_predictor_has_complexity_0():
    found = empirical_rademacher(sample(4, 40, 3, 3), ALL_MASKS, predictors=sample(5, 40, 3, 3)[None])
    assert found.exact and found.fraction == 0


def test_a_finite_class_is_not_symmetric_and_does_not_need_to_be():
    """Two predictors, one right everywhere, one wrong at the first sample: E max(0, s/N)."""
    targets = sample(6, 4, 2, 2)
    wrong = targets.copy()
    wrong[0] *= -1
    found = empirical_rademacher(targets, ALL_MASKS, predictors=np.stack([targets, wrong]))
    assert found.fraction == Fraction(1, 2 * 4)


# A searched class


class Best:
    """Constant predictors with an exact maximiser: the least weight of sum s_i a_i."""

    def __init__(self, targets, family):
        self.targets, self.family, self.known = targets, family, {}

    def maximise(self, signs):
        weights = (signs[:, None, None].astype(int) * self.targets).sum(axis=0)
        key = signs.tobytes()
        if key not in self.known:
            best = extremes_of(self.family, weights, witnesses=True).argmin
            self.known[key] = np.repeat(best[None], len(signs), axis=0)
        return self.known[key]


class Climb:
    """Constant rectangles by local search: move one side by one cell while it helps."""

    def __init__(self, targets, steps):
        self.targets, self.steps = targets, steps

    def maximise(self, signs):
        weights = (signs[:, None, None].astype(int) * self.targets).sum(axis=0)
        height, width = weights.shape
        box, best = np.array([0, height, 0, width]), weights.sum()
        for _ in range(self.steps):
            moves = [box + step * np.eye(4, dtype=int)[k] for k in range(4) for step in (-1, 1)]
            moves = [m for m in moves if 0 <= m[0] < m[1] <= height and 0 <= m[2] < m[3] <= width]
            least, move = min(((weights[m[0]:m[1], m[2]:m[3]].sum(), m) for m in moves),
                              key=lambda pair: pair[0])
            if least >= best:
                break
            box, best = move, least
        mask = np.full(weights.shape, -1, dtype=np.int8)
        mask[box[0]:box[1], box[2]:box[3]] = 1
        return np.repeat(mask[None], len(signs), axis=0)


def test_a_perfect_search_finds_the_complexity():
    targets = sample(7, 7, 3, 3)
    exact = empirical_rademacher(targets, RECTANGLES, predictors="constant")
    found = empirical_rademacher(targets, RECTANGLES, predictors=Best(targets, Rectangles(3, 3)),
                                 max_pairs=64)
    assert exact.exact and not found.exact and found.fraction is None
    assert found.value == found.low == found.mean == exact.value and found.delta == 0
    assert "lower" in found.method and found.draws == 128
    fewer = empirical_rademacher(targets, RECTANGLES, predictors=Best(targets, Rectangles(3, 3)),
                                 draws=64, max_pairs=63)
    assert fewer.value < fewer.mean and (fewer.draws, fewer.delta) == (64, 0.05)


def test_a_local_search_stays_below_the_exact_value_and_improves_with_effort():
    targets = random_rectangles(np.random.default_rng(8), 8, 5, 5)
    exact = empirical_rademacher(targets, RECTANGLES, predictors="constant").value
    values = [empirical_rademacher(targets, RECTANGLES, predictors=Climb(targets, steps)).value
              for steps in (0, 2, 30)]
    assert 0 == values[0] < values[1] < values[2] <= exact
    assert values[2] > 0.8 * exact
    assert isinstance(Climb(targets, 1), Maximiser)


def test_high_is_certain_and_low_is_the_mean_less_its_error():
    targets = sample(9, 30, 3, 3)
    found = empirical_rademacher(targets, RECTANGLES, predictors=Climb(targets, 9), draws=25,
                                 seed=1)
    free = empirical_rademacher(targets, RECTANGLES).value
    assert 0 < found.low == found.value < found.mean < found.high == pytest.approx(free)
    assert found.error.startswith("Hoeffding") and found.draws == 25
    more = empirical_rademacher(targets, RECTANGLES, predictors=Climb(targets, 9), draws=600)
    assert found.value < more.value and more.error.startswith("empirical Bernstein")
    grouped = empirical_rademacher(targets, RECTANGLES, np.zeros(30), Climb(targets, 9), draws=9)
    assert grouped.high == pytest.approx(0.5 / 30**0.5)


@pytest.mark.parametrize("draws", [2, 6, 200])
def test_lower_estimates_are_below_the_complexity_as_often_as_promised(draws):
    """A perfect search is the hardest case.  Exact binomial test at 1e-5; the bare mean is caught."""
    targets = random_rectangles(np.random.default_rng(10), 8, 3, 3)
    family, delta, runs = Rectangles(3, 3), 0.2, 300 if draws < 200 else 50
    exact = float(rademacher_constant_exact(family, targets))
    hits = bare = 0
    search = Best(targets, family)
    for seed in range(runs):
        found = empirical_rademacher(targets, family, predictors=search, draws=draws, delta=delta,
                                     seed=seed, max_pairs=0)
        hits += found.low <= exact
        bare += found.mean <= exact
    assert stats.binomtest(hits, runs, 1 - delta, alternative="less").pvalue > ALARM
    assert stats.binomtest(bare, runs, 1 - delta, alternative="less").pvalue < 1e-3


class Returns:
    def __init__(self, masks):
        self.masks = masks

    def maximise(self, signs):
        return self.masks


SPLIT = np.array([[[1, -1, 1]], [[1, -1, 1]]], dtype=np.int8)
TWO = np.array([[[1, -1, -1]], [[1, 1, -1]]], dtype=np.int8)


@pytest.mark.parametrize("wrap", [Returns, lambda masks: masks[None]])
@pytest.mark.parametrize("masks,inputs,words", [
    (SPLIT, None, r"must belong to Rectangles\(1, 3\), got \[\[1, -1, 1\]\]"),
    (TWO, [4, 4], "equal inputs equal masks, got different ones at samples 0 and 1"),
    (TWO[:1], None, r"masks of shape \(2, 1, 3\), got \(1, 1, 3\)"),
    (0 * TWO, None, "values in"),
])
def test_predictors_that_are_none(wrap, masks, inputs, words):
    with pytest.raises(ValueError, match=words):
        empirical_rademacher(TWO, RECTANGLES, inputs, wrap(masks))


def test_bad_arrays_of_predictors():
    with pytest.raises(ValueError, match=r"shape \(K, N, H, W\), K >= 1, got \(2, 1, 3\)"):
        empirical_rademacher(TWO, RECTANGLES, predictors=TWO)
    with pytest.raises(ValueError, match=r"got \(0, 2, 1, 3\)"):
        empirical_rademacher(TWO, RECTANGLES, predictors=TWO[None][:0])
