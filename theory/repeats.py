"""Numbers over seeds and splits: intervals of a mean, paired comparisons of methods (no torch).

Pairs share a seed or a split; the seeds are the sample, the images inside them are not.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from theory.table1 import holm

MOST_PAIRS = 20


@dataclass(frozen=True)
class Interval:
    """Mean of n numbers, and an interval of the stated level for the expectation."""

    mean: float
    low: float
    high: float
    level: float
    n: int


def t_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    r"""Student's interval :math:`\bar x \pm t_{n-1} s/\sqrt n`: exact for normal values.

    >>> found = t_interval([0.5, 0.7], level=0.5)
    >>> round(found.low, 9), round(found.high, 9)
    (0.5, 0.7)

    Raises:
        ValueError: fewer than two values, values that are not finite, a level outside (0, 1).
    """
    from scipy.stats import t

    x = _sample(values, level)
    half = float(t.ppf((1 + level) / 2, len(x) - 1)) * float(x.std(ddof=1)) / math.sqrt(len(x))
    return Interval(float(x.mean()), float(x.mean()) - half, float(x.mean()) + half, level, len(x))


def with_interval(values: Sequence[float], digits: int = 2) -> str:
    """The mean in words, with half of its 95 % t interval from three values on.

    >>> with_interval([0.1, 0.2, 0.3]), with_interval([0.1, 0.2])
    ('0.20 ± 0.25', '0.15')

    Raises:
        ValueError: no values; from three on, values that are not finite.
    """
    text = f"{statistics.mean(values):.{digits}f}"
    if len(values) < 3:
        return text
    found = t_interval(values)
    return f"{text} ± {(found.high - found.low) / 2:.{digits}f}"


def bootstrap_interval(
    values: Sequence[float],
    generator: np.random.Generator,
    level: float = 0.95,
    method: str = "BCa",
    resamples: int = 9999,
) -> Interval:
    """Bootstrap interval of the mean, ``method`` "BCa" or "percentile".

    It assumes no normal law, but is too short for a handful of values: n = 5 have only 126
    different resamples.  Equal values give an interval of length 0.

    Raises:
        ValueError: as :func:`t_interval`, or another method.
    """
    from scipy.stats import bootstrap

    x = _sample(values, level)
    if method not in ("BCa", "percentile"):
        raise ValueError(f"method must be 'BCa' or 'percentile', got {method!r}")
    mean = float(x.mean())
    if x.min() == x.max():  # BCa divides by the spread
        return Interval(mean, mean, mean, level, len(x))
    found = bootstrap((x,), np.mean, confidence_level=level, n_resamples=resamples, method=method,
                      rng=generator, vectorized=True).confidence_interval
    return Interval(mean, float(found.low), float(found.high), level, len(x))


@dataclass(frozen=True)
class Paired:
    """Two methods on the same n seeds or splits: differences first minus second, p two-sided.

    Args:
        mean, sd: of the differences (sd with n - 1).
        wins: pairs in which the first method is the larger.
        p_t: Student's test (corrected where asked); None where the differences do not vary.
        p_wilcoxon: signed ranks, exact also with ties; zeros are dropped.
        p_sign_flip: see :func:`sign_flip_p`.
        p_least: the least p that the sign flips can give with n pairs, :math:`2^{1-n}`.
    """

    n: int
    mean: float
    sd: float
    wins: int
    p_t: float | None
    p_wilcoxon: float
    p_sign_flip: float
    p_least: float


def paired(
    first: Sequence[float], second: Sequence[float], test_over_train: float = 0.0
) -> Paired:
    r"""Paired tests of "no difference".

    ``test_over_train`` is n_test / n_train where the pairs are random splits of ONE data set: their
    training sets overlap, so the variance of the mean is taken as
    :math:`(1/n + n_{test}/n_{train}) s^2` (Nadeau and Bengio's corrected resampled t-test).  The
    other two tests take the pairs as independent.  0 stands for independent samples.

    Raises:
        ValueError: lengths that differ, fewer than 2 or more than 20 pairs, values that are not
            finite, a negative ratio.
    """
    from scipy.special import stdtr

    if len(first) != len(second):
        raise ValueError(f"pairs need as many of both, got {len(first)} and {len(second)}")
    if not 0 <= test_over_train < math.inf:
        raise ValueError(f"test_over_train must be finite and >= 0, got {test_over_train}")
    d = _sample(first) - _sample(second)
    n, mean, sd = len(d), float(d.mean()), float(d.std(ddof=1))
    p_t = None
    if d.min() != d.max():
        statistic = mean / (sd * math.sqrt(1 / n + test_over_train))
        p_t = float(2 * stdtr(n - 1, -abs(statistic)))
    return Paired(n, mean, sd, int((d > 0).sum()), p_t, wilcoxon_p(d), sign_flip_p(d), 2.0 ** (1 - n))


def sign_flip_p(differences: Sequence[float]) -> float:
    r"""Exact permutation test: the part of the 2^n sign patterns with a sum as far from 0.

    Exact where the differences are symmetric about 0 under the null.  Sums count as equal within
    rounding.

    >>> sign_flip_p([1.0, 2.0, 3.0])
    0.25
    """
    d = np.abs(_sample(differences))
    if len(d) > MOST_PAIRS:
        raise ValueError(f"all sign patterns are enumerated up to {MOST_PAIRS} pairs, got {len(d)}")
    sums = np.zeros(1)
    for value in d:
        sums = np.concatenate([sums + value, sums - value])
    observed = abs(float(np.sum(_sample(differences))))
    return float(np.mean(np.abs(sums) >= observed - 1e-12 * d.sum()))


def wilcoxon_p(differences: Sequence[float]) -> float:
    """Wilcoxon's signed-rank test, exact with ties too; 1 where all differences are 0.

    It is the sign-flip test of the ranks of the differences that are not 0.
    """
    from scipy.stats import rankdata

    d = _sample(differences)
    d = d[d != 0]
    if len(d) < 2:
        return 1.0
    return sign_flip_p(np.sign(d) * rankdata(np.abs(d)))


def compare(
    scores: Mapping[str, Mapping[str, Sequence[float]]],
    methods: Sequence[str],
    baselines: Sequence[str],
    test_over_train: Mapping[str, float] | None = None,
) -> list[dict[str, object]]:
    """Table 1's design: every method against every baseline in every column, with Holm's correction.

    Args:
        scores: ``{column: {method: values}}``, the values of a column in the order of its splits.
        methods, baselines: names; a method is not compared with itself.
        test_over_train: of the columns, as in :func:`paired`.

    Returns:
        One dict a comparison: ``column``, ``method``, ``baseline``, the fields of :class:`Paired`,
        and ``holm_t``, ``holm_wilcoxon``, ``holm_sign_flip`` over all comparisons returned
        (a p of None counts as 1 and stays None).

    Raises:
        ValueError: an unknown method, and as :func:`paired`.
    """
    out: list[dict[str, object]] = []
    for column, method, baseline in itertools.product(scores, methods, baselines):
        if method == baseline:
            continue
        for name in (method, baseline):
            if name not in scores[column]:
                raise ValueError(f"column {column!r} has {sorted(scores[column])}, not {name!r}")
        ratio = 0.0 if test_over_train is None else test_over_train[column]
        found = paired(scores[column][method], scores[column][baseline], ratio)
        out.append({"column": column, "method": method, "baseline": baseline, **vars(found)})
    for test in ("t", "wilcoxon", "sign_flip"):
        known = [row[f"p_{test}"] for row in out]
        adjusted = holm([1.0 if p is None else p for p in known])
        for row, p, value in zip(out, known, adjusted, strict=True):
            row[f"holm_{test}"] = None if p is None else value
    return out


def _sample(values: Sequence[float], level: float = 0.5) -> np.ndarray:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or len(x) < 2:
        raise ValueError(f"needs at least 2 values in one dimension, got shape {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError(f"values must be finite, got {x[~np.isfinite(x)][0]}")
    if not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1), got {level}")
    return x
