"""Exact quantities of Theorem 1: against enumeration of maps, of predictors and of samples."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from scipy import stats

from sims.family_names import ALL_MASKS, RECTANGLES, ROTATED
from sims.theorem_1 import (
    Samples,
    conditional_means,
    draw_samples,
    expected_worst_exact,
    sharp_failure_exact,
    slacks,
    smallest_bounds,
    supremum_risk_exact,
)
from sims.theorem_1_coverage import binomial_interval, summary, vacuity
from sims.theorem_1_laws import (
    LAWS,
    ONE_MAP,
    Setting,
    extreme_differences,
    setting,
)
from tests.sims.judge import coverage_p_value
from theory import bounds
from theory.families import AllMasks, FiniteFamily, Rectangles, RotatedRectangles
from theory.rademacher import catching_extremes_exact, rademacher_all_functions_exact
from theory.rates import missing_rate_exact

PLACES = [(RECTANGLES, 3, 3, None, None, "uniform"), (RECTANGLES, 2, 3, 2, 2, "small"),
          (RECTANGLES, 3, 3, 2, None, "uniform"), (RECTANGLES, 3, 3, 4, 4, "two masks"),
          (ALL_MASKS, 2, 3, None, None, "small"), (ONE_MAP, 3, 3, None, None, "two masks"),
          (ROTATED, 3, 3, None, 2, "uniform"), (ROTATED, 2, 4, 2, 3, "small")]
NOISES = [Fraction(0), Fraction(1, 8), Fraction(1, 2), Fraction(2, 3), Fraction(1)]


def made(family, targets, weights):
    """A setting of one's own."""
    targets = np.asarray(targets, dtype=np.int8)
    return Setting(family, targets, np.asarray(weights), *extreme_differences(family, targets))


def small_setting(seed, maps=3, targets=3, fits=False):
    rng = np.random.default_rng(seed)
    masks = 2 * rng.integers(0, 2, (maps, 2, 3), dtype=np.int8) - 1
    truths = 2 * rng.integers(0, 2, (targets, 2, 3), dtype=np.int8) - 1
    family = FiniteFamily(np.concatenate([masks, truths]) if fits else masks, empty=True)
    return made(family, truths, rng.integers(1, 5, targets))


def table(some):
    """Phi(b, a) as Fractions, maps by targets."""
    return [[missing_rate_exact(b, a) for a in some.targets] for b in some.family.masks()]


def law(some):
    total = int(some.weights.sum())
    return [Fraction(int(w), total) for w in some.weights]


@pytest.mark.parametrize("place", PLACES)
def test_extremes_and_rho_against_all_pairs(place):
    some = setting(*place)
    columns = list(zip(*table(some), strict=True))
    assert [Fraction(int(v), some.positions) for v in some.most] == [max(c) for c in columns]
    assert [Fraction(int(v), some.positions) for v in some.least] == [min(c) for c in columns]
    assert some.rho == 1 - 2 * max(map(max, columns))
    assert some.fits == all(t in some.family for t in some.targets)
    assert expected_worst_exact(some) == sum(
        p * max(c) for p, c in zip(law(some), columns, strict=True))


def test_codes_and_kernels_agree_on_the_extremes():
    """Rectangles by their kernel and as a list of masks by codes; all masks likewise."""
    for family in (Rectangles(4, 4, max_area=6), AllMasks(2, 4, empty=True), AllMasks(2, 3)):
        targets = AllMasks(*family.shape, empty=True).sample(np.random.default_rng(0), 60)
        as_list = FiniteFamily(family.masks(), empty=True)
        for one, two in zip(extreme_differences(family, targets),
                            extreme_differences(as_list, targets), strict=True):
            assert np.array_equal(one, two)


def test_laws_weigh_as_they_say():
    area = (setting(RECTANGLES, 3, 3, None, None, "small").targets == 1).sum(axis=(1, 2))
    assert np.array_equal(setting(RECTANGLES, 3, 3, None, None, "small").weights, 9 // area)
    two = setting(RECTANGLES, 4, 4, 6, 6, "two masks")
    assert sorted((two.targets == 1).sum(axis=(1, 2)).tolist()) == [1, 6]
    assert (setting(ROTATED, 3, 3, 2, 5, "uniform").targets == 1).sum(axis=(1, 2)).max() == 5
    assert all(t in RotatedRectangles(3, 3, max_area=5)
               for t in setting(ROTATED, 3, 3, 2, 5, "uniform").targets)


@pytest.mark.parametrize("which", LAWS)
def test_draws_follow_the_weights(which):
    """Chi-square at level 1e-4."""
    some = setting(RECTANGLES, 3, 3, None, None, which)
    index = some.draw(np.random.default_rng(1), (500, 40))
    assert index.shape == (500, 40)
    counts = np.bincount(index.ravel(), minlength=len(some.weights))
    assert stats.chisquare(counts, 20000 * some.weights / some.weights.sum()).pvalue > 1e-4


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("noise", NOISES)
def test_supremum_of_the_risk_input_by_input(place, noise):
    some = setting(*place)
    phi, p, best = table(some), law(some), Fraction(0)
    average = [sum(x * y for x, y in zip(row, p, strict=True)) for row in phi]
    for j, chance in enumerate(p):
        best += chance * max((1 - noise) * row[j] + noise * mean
                             for row, mean in zip(phi, average, strict=True))
    assert supremum_risk_exact(some, noise) == best


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("noise", NOISES)
def test_supremum_of_the_risk_over_all_predictors(seed, noise):
    """Every function of a(X) into A; a finer X gains nothing."""
    some = small_setting(seed)
    phi, p = table(some), law(some)
    joint = [[p[i] * ((1 - noise) * (i == j) + noise * p[j]) for j in range(3)] for i in range(3)]
    best = max(sum(joint[i][j] * phi[f[i]][j] for i in range(3) for j in range(3))
               for f in product(range(len(phi)), repeat=3))
    assert supremum_risk_exact(some, noise) == best


def test_conditional_means_are_means():
    some, noise = setting(RECTANGLES, 2, 3, None, None, "small"), Fraction(1, 3)
    weights, scale = conditional_means(some, noise)
    mean = np.average(some.targets, axis=0, weights=some.weights)
    assert np.allclose(weights / scale, 2 / 3 * some.targets + mean / 3, atol=1e-14)
    weights, scale = conditional_means(some, Fraction(1))
    assert weights.shape == (1, 2, 3) and np.allclose(weights / scale, mean, atol=1e-14)


@pytest.mark.parametrize("place", PLACES)
def test_noise_lowers_the_risk_convexly_to_that_of_constants(place):
    some = setting(*place)
    curve = [supremum_risk_exact(some, Fraction(k, 4)) for k in range(5)]
    assert curve == sorted(curve, reverse=True) and curve[0] == expected_worst_exact(some)
    assert all(a + c >= 2 * b for a, b, c in zip(curve, curve[1:], curve[2:], strict=False))
    assert curve[0] <= (1 - some.rho) / 2


# --- the largest gap ------------------------------------------------------------------------------


def gap_over_functions(some, noise, truths, sample, brute):
    """max over f of R - R^ when X is uniform on ``len(truths)`` inputs; ``sample``: (x, target)."""
    phi, p, m, n = np.array(table(some), dtype=float), law(some), len(truths), len(sample)
    average = phi @ np.array([float(x) for x in p])
    gain = np.stack([((1 - float(noise)) * phi[:, t] + float(noise) * average) / m for t in truths])
    for x, target in sample:
        gain[x] -= phi[:, target] / n
    if not brute:
        return gain.max(axis=1).sum()
    return max(gain[np.arange(m), list(f)].sum() for f in product(range(len(phi)), repeat=m))


@pytest.mark.parametrize("fits", [False, True])
@pytest.mark.parametrize("noise", NOISES[::2])
def test_gap_over_all_functions_as_atoms_shrink(fits, noise):
    """Brute force over all |A|^M functions, then M inputs each 1/M: sup R - min R^ + O(N/M)."""
    some = small_setting(8, maps=2, targets=2, fits=fits)
    shares = np.repeat(np.arange(2), some.weights)
    sample = [(0, 0), (len(shares) - 1, 1), (1, 1)]
    least = sum(int(some.least[t]) for _, t in sample) / (3 * some.positions)
    limit = float(supremum_risk_exact(some, noise)) - least
    assert fits == (least == 0)
    gaps = []
    for copies in (1, 2, 100, 10000):
        truths = np.tile(shares, copies)
        gaps.append(gap_over_functions(some, noise, truths, sample, brute=False))
        if len(some.family.masks()) ** len(truths) < 40000:
            brute = gap_over_functions(some, noise, truths, sample, brute=True)
            assert brute == pytest.approx(gaps[-1], abs=1e-12)
        assert abs(gaps[-1] - limit) <= 2 * len(sample) / len(truths) + 1e-9
    assert gaps[-1] == pytest.approx(limit, abs=1e-4)
    zero = np.zeros(1, dtype=np.int64)
    drawn = Samples(3, zero + sum(int(some.most[t]) for _, t in sample),
                    zero + sum(int(some.least[t]) for _, t in sample))
    slack = slacks(some, drawn, supremum_risk_exact(some, noise), 0.1)["theorem_1"][0]
    assert slack == pytest.approx(bounds.theorem_1(0, float(some.rho), 3, 0.1) - limit, abs=1e-12)


@pytest.mark.parametrize("place", PLACES)
def test_slacks_by_hand_on_one_sample(place):
    some, delta = setting(*place), 0.05
    index = np.array([0, len(some.targets) - 1, 1, 1])
    drawn = Samples(4, some.most[index].sum(keepdims=True), some.least[index].sum(keepdims=True))
    phi = list(zip(*table(some), strict=True))
    g, least = (sum(pick(phi[i]) for i in index) / Fraction(4) for pick in (max, min))
    rademacher = rademacher_all_functions_exact(*catching_extremes_exact(some.family, some.targets[index]))
    top, c = supremum_risk_exact(some, Fraction(1, 2)), float((1 - some.rho) / 2)
    found = slacks(some, drawn, top, delta)
    tail = 3 * math.sqrt(math.log(2 / delta) / 8)
    want = {"theorem_1": c + tail - float(top - least), "ceiling": c - float(top),
            "theorem_3": float(2 * rademacher) + tail - float(top - least),
            "sharp": float(g) + c * math.sqrt(math.log(1 / delta) / 8) - float(top)}
    smallest = smallest_bounds(some, drawn, delta)
    for name, value in want.items():
        assert found[name].shape == (1,) and found[name][0] == pytest.approx(value, abs=1e-12)
        bounded = float(top - least if name in ("theorem_1", "theorem_3") else top)
        extra = float(least) if name in ("theorem_1", "theorem_3") else 0.0
        assert smallest[name][0] == pytest.approx(value + bounded + extra, abs=1e-12)


def test_theorem_3_for_all_functions_fails_exactly_when_mean_g_is_too_small():
    """min_b Phi cancels: 2 R_S + tail >= sup R - mean min Phi iff mean g >= sup R - tail."""
    some = setting(ONE_MAP, 3, 3, None, None, "two masks")
    drawn = draw_samples(some, 64, 500, np.random.default_rng(0))
    top, tail = supremum_risk_exact(some, Fraction(0)), float(bounds.confidence_term(64, 0.5))
    slack = slacks(some, drawn, top, 0.5)["theorem_3"]
    assert np.allclose(slack, drawn.most / (64 * 9) + tail - float(top), atol=1e-12)


@pytest.mark.parametrize("place", [PLACES[1], PLACES[3], PLACES[5]])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_failure_probability_over_all_samples(place, n):
    """Every sample of N targets with its probability, for deltas that make the bound fail."""
    some = setting(*place)
    p, top = law(some), expected_worst_exact(some)
    for delta in (0.5, 0.9, 0.99):
        want = Fraction(0)
        for index in product(range(len(p)), repeat=n):
            drawn = Samples(n, np.array([some.most[list(index)].sum()]), np.zeros(1, dtype=np.int64))
            if slacks(some, drawn, top, delta)["sharp"][0] < 0:
                want += math.prod((p[i] for i in index), start=Fraction(1))
        assert sharp_failure_exact(some, n, top, delta) == want <= delta


@pytest.mark.parametrize("n", [1, 16, 64, 256])
def test_failure_probability_of_one_map_is_a_binomial_tail(n):
    some = setting(ONE_MAP, 7, 7, None, None, "two masks")
    for delta in (0.5, 0.1, 0.01):
        need = n / 2 - n * math.sqrt(math.log(1 / delta) / (2 * n))
        want = stats.binom.cdf(math.ceil(need) - 1, n, 0.5)
        got = sharp_failure_exact(some, n, expected_worst_exact(some), delta)
        assert float(got) == pytest.approx(want, rel=1e-9)
        assert got <= delta


def test_sampled_failures_agree_with_their_probability():
    """Two-sided binomial test at 1e-6; the bound does fail here."""
    some = setting(ONE_MAP, 7, 7, None, None, "two masks")
    top, repeats, seen = expected_worst_exact(some), 3000, []
    for n in (16, 64):
        drawn = draw_samples(some, n, repeats, np.random.default_rng(n))
        failures = int((slacks(some, drawn, top, 0.5)["sharp"] < 0).sum())
        chance = float(sharp_failure_exact(some, n, top, 0.5))
        assert stats.binomtest(failures, repeats, chance).pvalue > 1e-6
        seen.append(failures)
    assert min(seen) > 100


def test_samples_are_cut_without_loss():
    """A sample of 2^20 targets is drawn alone; sums are those of the tables."""
    some = setting(RECTANGLES, 3, 3, 2, None, "uniform")
    drawn = draw_samples(some, 3, 5, np.random.default_rng(3))
    index = some.draw(np.random.default_rng(3), (5, 3))
    assert np.array_equal(drawn.most, some.most[index].sum(axis=1))
    assert np.array_equal(drawn.least, some.least[index].sum(axis=1))
    large = draw_samples(some, 2**19, 3, np.random.default_rng(3))
    assert np.allclose(large.most / 2**19, some.most.mean(), atol=0.02)


# --- counting -------------------------------------------------------------------------------------


def test_summary_by_hand():
    row = summary("x", np.array([-0.5, 0.0, 0.25, 1.25]))
    assert row["x_failures"] == 1 and row["x_slack_mean"] == 0.25 and row["x_slack_min"] == -0.5
    assert row["x_slack_q50"] == 0.125 and row["x_slack_q05"] < 0 < row["x_slack_q95"]
    assert vacuity("x", np.array([0.5, 1.0, 1.5, 3.0])) == {
        "x_above_one": 2, "x_excess_mean": 0.625, "x_excess_max": 2.0}


@pytest.mark.parametrize("failures,repeats", [(0, 7), (1, 7), (7, 7), (30, 400), (399, 400)])
def test_binomial_interval_against_scipy(failures, repeats):
    want = stats.binomtest(failures, repeats).proportion_ci(0.95, method="exact")
    low, high = binomial_interval(failures, repeats)
    assert (low, high) == pytest.approx((want.low, want.high), abs=2e-9)
    assert low <= want.low + 1e-12 and high >= want.high - 1e-12
    assert coverage_p_value(failures, repeats, 0.1) == pytest.approx(
        stats.binomtest(failures, repeats, 0.1, alternative="greater").pvalue, rel=1e-9)


@pytest.mark.parametrize("call,words", [
    (lambda: setting("circles", 3, 3, None, None, "uniform"), "family must be one of"),
    (lambda: setting(RECTANGLES, 3, 3, None, None, "normal"), "law must be one of"),
    (lambda: setting(ALL_MASKS, 3, 3, 4, None, "uniform"), "max_area limits rectangles only, got 4"),
    (lambda: supremum_risk_exact(small_setting(0), Fraction(3, 2)), r"noise must be in \[0, 1\], got 3/2"),
    (lambda: summary("x", np.array([])), "at least one"),
    (lambda: summary("x", np.array([np.nan])), "1 not finite"),
    (lambda: binomial_interval(3, 2), "got 3 of 2"),
    (lambda: binomial_interval(1, 2, 1.0), r"level must be in \(0, 1\), got 1.0"),
])
def test_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call()
