"""Intervals and paired tests against SciPy, by hand, and their coverage and level by simulation."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from theory.repeats import (
    bootstrap_interval,
    compare,
    paired,
    sign_flip_p,
    t_interval,
    wilcoxon_p,
    with_interval,
)
from theory.table1 import RATIOS, RUNS


def draws(n, seed, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1, n)


@pytest.mark.parametrize("level", [0.5, 0.95])
@pytest.mark.parametrize("n", [2, 5, 30])
def test_t_interval_against_scipy(n, level):
    x = draws(n, 0)
    found = t_interval(x, level)
    low, high = stats.ttest_1samp(x, 0).confidence_interval(level)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.mean == pytest.approx(x.mean()) and (found.n, found.level) == (n, level)


def test_coverage_at_five_seeds():
    """2000 samples: the t interval holds (three standard errors are 0.015), the bootstrap does not."""
    x = np.random.default_rng(1).normal(size=(2000, 5))
    inside = [i.low <= 0 <= i.high for i in map(t_interval, x)]
    assert abs(np.mean(inside) - 0.95) < 0.015
    rng = np.random.default_rng(2)
    inside = [i.low <= 0 <= i.high for i in (bootstrap_interval(v, rng, method="percentile", resamples=500)
                                             for v in x[:400])]
    assert 0.75 < np.mean(inside) < 0.90


def test_a_mean_in_words_has_an_interval_from_three_values_on():
    half = stats.t.ppf(0.975, 2) / np.sqrt(3)  # of 1, 2, 3, whose standard deviation is 1
    assert with_interval([1.0, 2.0, 3.0], 1) == f"2.0 ± {half:.1f}" == "2.0 ± 2.5"
    assert with_interval([1.0, 2.0]) == "1.50" and with_interval([0.25], 3) == "0.250"


@pytest.mark.parametrize("method", ["BCa", "percentile"])
def test_bootstrap(method):
    x = np.random.default_rng(3).exponential(size=40)
    found = bootstrap_interval(x, np.random.default_rng(0), method=method)
    again = bootstrap_interval(x, np.random.default_rng(0), method=method)
    other = bootstrap_interval(x, np.random.default_rng(1), method=method)
    assert found == again != other
    assert found.low < found.mean < found.high
    wide = t_interval(x)
    assert found.high - found.low == pytest.approx(wide.high - wide.low, rel=0.15)
    resampled = np.random.default_rng(9).choice(x, (20000, 40)).mean(1)
    if method == "percentile":
        assert (found.low, found.high) == pytest.approx(np.quantile(resampled, (0.025, 0.975)), abs=0.02)
    else:
        assert found.low > np.quantile(resampled, 0.025)  # moved along the skewness
    narrow = bootstrap_interval(x, np.random.default_rng(0), 0.5, method)
    assert found.low < narrow.low < narrow.high < found.high


def test_bootstrap_of_equal_values():
    found = bootstrap_interval([0.25] * 5, np.random.default_rng(0))
    assert found.low == found.mean == found.high == 0.25


@pytest.mark.parametrize("n", [2, 3, 5, 9])
def test_paired_against_scipy(n):
    a, b = draws(n, 4, 0.5), draws(n, 5)
    found = paired(a, b)
    assert found.p_t == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert found.p_wilcoxon == pytest.approx(stats.wilcoxon(a, b, method="exact").pvalue)
    flips = stats.permutation_test((a - b,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert found.p_sign_flip == pytest.approx(flips.pvalue)
    assert (found.n, found.wins, found.p_least) == (n, int((a > b).sum()), 2.0 ** (1 - n))
    assert (found.mean, found.sd) == pytest.approx(((a - b).mean(), (a - b).std(ddof=1)))
    assert paired(b, a).p_sign_flip == found.p_sign_flip and paired(b, a).mean == -found.mean


def test_wilcoxon_with_ties_and_zeros():
    d = np.array([1, 1, 2, -1, 3, 0, 2.0])
    exact = stats.PermutationMethod(n_resamples=np.inf)
    assert wilcoxon_p(d) == pytest.approx(stats.wilcoxon(d, method=exact).pvalue)
    assert wilcoxon_p([0.0, 0.0]) == wilcoxon_p([0.0, 1.0]) == 1.0


@given(st.lists(st.integers(-9, 9), min_size=2, max_size=8))
def test_sign_flips_by_enumeration(values):
    signs = np.array(np.meshgrid(*[[-1, 1]] * len(values))).reshape(len(values), -1)
    sums = np.abs(np.array(values) @ signs)
    assert sign_flip_p([v / 3 for v in values]) == pytest.approx((sums >= abs(sum(values))).mean())


def test_five_splits_cannot_reach_five_percent():
    """All wins, however large: the exact p of Table 1's five splits is 2/32."""
    found = paired([1.0, 1.1, 1.2, 1.3, 1.4], [0.0] * RUNS)
    assert found.p_sign_flip == found.p_wilcoxon == found.p_least == 0.0625
    assert found.p_t < 0.001


def test_the_correction_for_overlapping_training_sets():
    a, b = draws(5, 6, 1.0), draws(5, 7)
    plain, corrected = paired(a, b), paired(a, b, test_over_train=2 / 3)
    statistic = (a - b).mean() / ((1 / 5 + 2 / 3) * (a - b).var(ddof=1)) ** 0.5
    assert corrected.p_t == pytest.approx(2 * stats.t.sf(abs(statistic), 4))
    assert corrected.p_t > plain.p_t
    assert dataclasses.replace(corrected, p_t=plain.p_t) == plain


def test_differences_that_do_not_vary():
    found = paired([0.5, 0.75, 1.0], [0.5, 0.75, 1.0])
    assert (found.p_t, found.p_wilcoxon, found.p_sign_flip, found.wins) == (None, 1.0, 1.0, 0)
    assert paired([1.5, 1.75, 2.0], [0.5, 0.75, 1.0]).p_sign_flip == 0.25


def test_level_of_the_paired_tests_under_the_null():
    d = np.random.default_rng(8).normal(size=(3000, 6))
    for p in (sign_flip_p, wilcoxon_p):
        rejected = np.mean([p(row) <= 0.0625 for row in d])
        assert abs(rejected - 0.0625) < 0.0133  # three standard errors


def test_table_of_comparisons():
    scores = {ratio: {m: draws(RUNS, 10 * k + j, j * 0.5).tolist()
                      for j, m in enumerate(("none", "position-wise", "rectangle"))}
              for k, ratio in enumerate(RATIOS)}
    found = compare(scores, ["rectangle", "position-wise"], ["none", "position-wise"])
    assert len(found) == 9  # no method against itself
    first = found[0]
    assert (first["column"], first["method"], first["baseline"]) == ("6:4", "rectangle", "none")
    assert first["p_t"] == pytest.approx(stats.ttest_rel(scores["6:4"]["rectangle"], scores["6:4"]["none"]).pvalue)
    for test in ("t", "wilcoxon", "sign_flip"):
        least = min(found, key=lambda row: row[f"p_{test}"])
        assert least[f"holm_{test}"] == pytest.approx(min(1.0, 9 * least[f"p_{test}"]))
        assert all(row[f"holm_{test}"] >= row[f"p_{test}"] for row in found)
    ratios = {"6:4": 4 / 6, "7:3": 3 / 7, "8:2": 2 / 8}
    corrected = compare(scores, ["rectangle"], ["none"], ratios)
    assert [row["p_t"] for row in corrected] == [
        paired(scores[c]["rectangle"], scores[c]["none"], ratios[c]).p_t for c in RATIOS]


def test_equal_differences_stay_without_a_t_test():
    scores = {"a": {"x": [1.0, 2.0], "y": [1.0, 2.0]}, "b": {"x": [1.0, 2.0], "y": [0.5, 2.5]}}
    none, other = compare(scores, ["x"], ["y"])
    assert none["p_t"] is none["holm_t"] is None and other["holm_t"] == min(1.0, 2 * other["p_t"])


@pytest.mark.parametrize(("call", "message"), [
    (lambda: t_interval([1.0]), r"at least 2 values.*\(1,\)"),
    (lambda: t_interval([1.0, np.nan]), "finite, got nan"),
    (lambda: t_interval([1.0, 2.0], 95), r"level must be in \(0, 1\), got 95"),
    (lambda: with_interval([]), "at least one"),
    (lambda: with_interval([1.0, np.nan, 2.0]), "finite, got nan"),
    (lambda: bootstrap_interval([1.0, 2.0], np.random.default_rng(0), method="basic"), "got 'basic'"),
    (lambda: paired([1.0, 2.0], [1.0]), "as many of both, got 2 and 1"),
    (lambda: paired([1.0, 2.0], [1.0, 3.0], -1.0), "test_over_train must be finite and >= 0, got -1.0"),
    (lambda: sign_flip_p(range(21)), "up to 20 pairs, got 21"),
    (lambda: compare({"c": {"x": [1.0, 2.0]}}, ["x"], ["y"]), r"column 'c' has \['x'\], not 'y'"),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
