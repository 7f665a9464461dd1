r"""Coverage of bounds on a mean or a risk, on laws whose mean is known exactly.

A bound misses when the mean is outside what it gives.  Samples are drawn from a :class:`Law` (held-out
losses) or for predictors of known risks (:class:`Spread`), and misses are counted.  Where losses are 0
or 1 the samples that a bound tells apart are few (:class:`Outcomes`): then the probability of a miss is
a sum, and so is the largest one over all means (:func:`worst_case`).

A bound made smaller by a factor keeps its centre, the empirical mean: ``m + factor (upper - m)``.  An
end that is 0 or 1 says nothing and stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from sims.theorem_1_coverage import LEVEL, binomial_interval
from theory import bounds
from theory.bounds.base import Bound

FACTOR = 0.8
"""A bound 20 % too small on purpose."""

HELD_OUT = {"hoeffding": "Hoeffding", "chernoff": "Chernoff", "clopper_pearson": "ClopperPearson",
            "maurer_pontil": "MaurerPontil", "betting": "Betting"}
CLASS = {"occam": "Occam", "occam_hoeffding": "OccamHoeffding", "pac_bayes_kl": "PacBayesKl",
         "pac_bayes_quadratic": "PacBayesQuadratic", "pac_bayes_lambda": "PacBayesLambda",
         "pac_bayes_catoni": "PacBayesCatoni", "disintegrated": "Disintegrated"}
"""The bounds of :mod:`theory.bounds`, by their names."""
ONE_ZERO = ("clopper_pearson",)
"""Bounds for losses 0 and 1 only."""
IN_ORDER = ("betting",)
"""Bounds whose value depends on the order of the losses."""

ORDERS: dict[str, tuple[bool, Callable[[np.ndarray], np.ndarray]]] = {
    "drawn": (True, lambda x: x),
    "reversed": (True, lambda x: x[..., ::-1]),
    "halves swapped": (True, lambda x: np.roll(x, x.shape[-1] // 2, axis=-1)),
    "ascending": (False, lambda x: np.sort(x, axis=-1)),
    "descending": (False, lambda x: np.sort(x, axis=-1)[..., ::-1]),
}
"""Orderings of a sample, and whether a guarantee survives them.

A permutation that is fixed before the losses are seen leaves an i.i.d. sample i.i.d.; one that is
chosen after seeing them (sorting) does not, and a bound that bets in order promises nothing then."""

CHUNK = 2**22
"""Losses that are handed to a bound at once."""
REST = 1e-14
"""Mass of either tail of a binomial that :func:`likely_counts` leaves out."""


def bound_of(name: str, delta: float) -> Bound:
    """The bound of a name of ``HELD_OUT`` or ``CLASS`` at its level.

    Raises:
        ValueError: another name.
    """
    names = HELD_OUT | CLASS
    if name not in names:
        raise ValueError(f"bound must be one of {tuple(names)}, got {name!r}")
    return getattr(bounds, names[name])(delta=delta)


@dataclass(frozen=True)
class Law:
    """A law of losses in [0, 1].

    Attributes:
        mean: its mean.
        draw: losses of a shape from a generator.
        two: (low, high, chance of high) where there are at most two values, else None.
    """

    mean: float
    draw: Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
    two: tuple[float, float, float] | None = None


def law(name: str, n: int, delta: float) -> Law:
    """The law of a name, for samples of n losses and a bound of level ``delta``.

    ``bernoulli P``; ``beta A B``; ``uniform``; ``point V``; ``rare C``: 1 with probability C/n, else
    0.1 (a sample without a 1 looks as if it had no variance); ``edge F``: 0 or 1 with mean
    ``F (1 - delta^(1/n))``: for F = 1 a sample of zeros has probability delta exactly, for F < 1 more,
    so that a bound which is below the mean there fails too often.

    Raises:
        ValueError: another name, losses outside [0, 1], chances too, a or b of Beta not positive.

    >>> law("rare 1", 100, 0.05).mean
    0.109
    """
    kind, *numbers = name.split(" ")
    known = {"bernoulli": 1, "beta": 2, "uniform": 0, "point": 1, "rare": 1, "edge": 1}
    if known.get(kind) != len(numbers):
        raise ValueError(f"law must be 'bernoulli P', 'beta A B', 'uniform', 'point V', 'rare C' or "
                         f"'edge F', got {name!r}")
    if kind == "uniform":
        return Law(0.5, lambda g, shape: g.random(shape))
    if kind == "beta":
        a, b = map(float, numbers)
        if not min(a, b) > 0:
            raise ValueError(f"a and b of Beta must be positive, got {a:g}, {b:g}")
        return Law(a / (a + b), lambda g, shape: g.beta(a, b, shape))
    x = float(numbers[0])
    return {"bernoulli": lambda: _two_valued(0.0, 1.0, x), "point": lambda: _two_valued(x, x, 0.0),
            "rare": lambda: _two_valued(0.1, 1.0, x / n),
            "edge": lambda: _two_valued(0.0, 1.0, x * edge(n, delta))}[kind]()


def edge(n: int, delta: float) -> float:
    """The p for which n zeros have probability delta: ``1 - delta^(1/n)``."""
    return float(-np.expm1(np.log(delta) / n))


def _two_valued(low: float, high: float, chance: float) -> Law:
    if not (0 <= low <= high <= 1 and 0 <= chance <= 1):
        raise ValueError(f"losses must be in [0, 1] and chances too, got {low:g}, {high:g} with "
                         f"chance {chance:g}")
    mean = low if low == high else low * (1 - chance) + high * chance
    return Law(mean, lambda g, shape: np.where(g.random(shape) < chance, high, low),
               (low, high, chance))


def ends(bound: Bound, losses: np.ndarray, side: str) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper end of every row ``(rows, n)``; the lower is 0 for the side ``upper``."""
    return _ends(bound, side, len(losses), losses.shape[-1], lambda part: losses[part])


def ends_of_counts(bound: Bound, some: Law, counts: np.ndarray, n: int, side: str
                   ) -> tuple[np.ndarray, np.ndarray]:
    """:func:`ends` of n losses of which so many have the higher of the law's two values."""
    low, high, _ = some.two
    return _ends(bound, side, len(counts), n,
                 lambda part: np.where(np.arange(n) < counts[part, None], high, low))


def _ends(bound: Bound, side: str, rows: int, n: int, losses: Callable[[slice], np.ndarray]
          ) -> tuple[np.ndarray, np.ndarray]:
    step = max(1, CHUNK // n)
    parts = (losses(slice(i, i + step)) for i in range(0, rows, step))
    if side == "upper":
        upper = np.concatenate([bound.upper(losses=x) for x in parts])
        return np.zeros_like(upper), upper
    both = [bound.interval(losses=x) for x in parts]
    return np.concatenate([x for x, _ in both]), np.concatenate([x for _, x in both])


def likely_counts(n: int, chance: float) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of successes and their probabilities, all but ``REST`` in either tail."""
    from scipy.stats import binom

    counts = np.arange(binom.ppf(REST, n, chance), binom.isf(REST, n, chance) + 1)
    return counts.astype(np.int64), binom.pmf(counts, n, chance)


def tally(
    mean: np.ndarray | float, centre: np.ndarray, lower: np.ndarray, upper: np.ndarray,
    weights: np.ndarray | None = None,
) -> dict[str, Any]:
    """Misses and ends over samples.

    Args:
        mean: what is bounded, a number or one a sample.
        centre: ``(k,)`` empirical means.
        lower, upper: ``(k,)`` ends.
        weights: int64 ``(k,)``, how many samples each entry stands for (default: one).

    Returns:
        ``repeats``, ``misses`` (``misses_above``: the mean is above the upper end) with rate and exact
        binomial interval, ``misses_smaller`` of the bound ``FACTOR`` times as far from the centre,
        mean and quantiles of the upper end, ``excess_mean`` of upper less mean, ``width_mean``, and
        how many upper ends are ``at_one``.
    """
    weights = np.ones(len(upper), dtype=np.int64) if weights is None else weights
    repeats = int(weights.sum())
    above, below = upper < mean, lower > mean
    misses = int(weights[above | below].sum())
    low, high = binomial_interval(misses, repeats)
    quantiles = np.quantile(upper, (0.05, 0.5, 0.95), weights=weights, method="inverted_cdf")
    average = np.average(upper, weights=weights)
    return {"repeats": repeats, "misses": misses, "misses_above": int(weights[above].sum()),
            "miss_rate": misses / repeats, "level": LEVEL, "rate_low": low, "rate_high": high,
            "misses_smaller": int(weights[missed(mean, centre, lower, upper, FACTOR)].sum()),
            "upper_mean": float(average),
            **{f"upper_{q}": float(x) for q, x in zip(("q05", "q50", "q95"), quantiles, strict=True)},
            "excess_mean": float(np.average(upper - mean, weights=weights)),
            "width_mean": float(np.average(upper - lower, weights=weights)),
            "at_one": int(weights[upper >= 1].sum())}


def missed(
    mean: np.ndarray | float, centre: np.ndarray, lower: np.ndarray, upper: np.ndarray, factor: float
) -> np.ndarray:
    """Where ends moved towards the centre by a factor miss the mean; ends 0 and 1 stay."""
    return (_moved(centre, upper, factor) < mean) | (_moved(centre, lower, factor) > mean)


def _moved(centre: np.ndarray, end: np.ndarray, factor: float) -> np.ndarray:
    stays = (factor == 1) | (end <= 0) | (end >= 1)
    return np.where(stays, end, centre + factor * (end - centre))


@dataclass(frozen=True)
class Spread:
    """M predictors with risks equally spaced, whose losses on an example are 0 or 1, independent.

    The prior is uniform, the posterior proportional to exp(-beta errors on the sample).

    Attributes:
        risks: ``(M,)``.
        beta: of the posterior; 0 is the prior, None the first predictor that errs least.
        draws: m of the Monte-Carlo step, or None where the Gibbs loss is computed.
    """

    risks: np.ndarray
    beta: float | None
    draws: int | None

    def sample(self, generator: np.random.Generator, n: int, repeats: int, bound: Bound
               ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Risk, empirical loss and bound ``(repeats,)`` of samples of n examples.

        What is bounded goes by what the bound needs: the predictor that it fails or serves worst,
        the Gibbs risk, or one predictor drawn from the posterior.
        """
        errors = generator.binomial(n, self.risks, (repeats, len(self.risks)))
        q = np.eye(len(self.risks))[errors.argmin(axis=1)]
        if self.beta is not None:
            q = np.exp(-self.beta * (errors - errors.min(axis=1, keepdims=True)))
            q /= q.sum(axis=1, keepdims=True)
        log_size = float(np.log(len(self.risks)))
        log_ratio = np.log(np.maximum(q, 1e-300)) + log_size
        if "log_size" in bound.needs():
            upper = bound.upper(empirical=errors / n, n_samples=n, log_size=log_size)
            one = np.argmax(self.risks - upper, axis=1)[:, None]
            return self.risks[one[:, 0]], _pick(errors, one) / n, _pick(upper, one)
        if "drawn" in bound.needs():
            ticket = generator.random((repeats, 1))
            one = (ticket > np.cumsum(q, axis=1)[:, :-1]).sum(axis=1)[:, None]
            loss = _pick(errors, one) / n
            return self.risks[one[:, 0]], loss, bound.upper(
                drawn=loss, log_ratio=_pick(log_ratio, one), n_samples=n, prior_choices=0.0)
        seen = q if self.draws is None else generator.multinomial(self.draws, q) / self.draws
        loss = np.minimum((seen * errors).sum(axis=1) / n, 1)
        return q @ self.risks, loss, bound.upper(
            gibbs=loss, draws=np.inf if self.draws is None else self.draws, n_samples=n,
            kl=np.maximum((q * log_ratio).sum(axis=1), 0), prior_choices=0.0)


def _pick(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    return np.take_along_axis(values, index, axis=1)[:, 0]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Samples of n losses 0 or 1, as far as a bound tells them apart, and what it says of each.

    For a bound on the predictors of a class, the class is a crowd: ``members`` predictors of equal
    risk, losses independent, of which the posterior takes one that errs least; all pay ln members.

    Attributes:
        n: losses in a sample.
        ones: ``(k,)`` how many losses are 1 (in a crowd: of the predictor that errs least).
        share: ``(k,)`` the share of the sequences with so many ones.
        upper: ``(k,)`` the bound.
        members: of the crowd, 1 for held-out losses.
    """

    n: int
    ones: np.ndarray
    share: np.ndarray
    upper: np.ndarray
    members: float = 1.0

    @property
    def centre(self) -> np.ndarray:
        """The empirical means."""
        return self.ones / self.n

    @property
    def telling(self) -> np.ndarray:
        """Mean at most 1/2, bound below 1: near 1 all bounds are tight, as the risk is at most 1."""
        return (self.centre <= 0.5) & (self.upper < 1)

    def smaller(self, factor: float) -> np.ndarray:
        """The bound ``factor`` times as far from the empirical mean; 1 stays 1."""
        return _moved(self.centre, self.upper, factor)

    def mass(self, p: float) -> np.ndarray:
        """Probabilities if the losses are 1 with probability p."""
        from scipy.stats import binom

        if self.members == 1:
            return self.share * binom.pmf(self.ones, self.n, p)
        with np.errstate(divide="ignore"):  # P(all err more than k times) = (1 - F(k))^members
            more = np.exp(self.members * np.log1p(-binom.cdf(self.ones, self.n, p)))
        return -np.diff(more, prepend=1.0)

    def miss_probability(self, p: float, factor: float = 1.0) -> float:
        """Probability that the bound, made smaller by the factor, is below p."""
        return float(self.mass(p)[self.smaller(factor) < p].sum())


def outcomes(name: str, n: int, delta: float, members: float = 1.0) -> Outcomes:
    """The outcomes of n losses for a bound; all 2^n sequences if it depends on their order."""
    from scipy.special import comb

    bound, ones = bound_of(name, delta), np.arange(n + 1)
    if name in IN_ORDER:
        losses = np.array(list(product((0.0, 1.0), repeat=n)))
        ones = losses.sum(axis=1).astype(int)
        return Outcomes(n, ones, 1 / comb(n, ones), ends(bound, losses, "upper")[1])
    if name in HELD_OUT:
        upper = ends_of_counts(bound, law("bernoulli 0.5", n, delta), ones, n, "upper")[1]
        return Outcomes(n, ones, np.ones(n + 1), upper)
    mean, paid = ones / n, float(np.log(members))
    upper = bound.upper(empirical=mean, gibbs=mean, drawn=mean, draws=np.inf, n_samples=n, kl=paid,
                        log_ratio=paid, log_size=paid, prior_choices=0.0)
    return Outcomes(n, ones, np.ones(n + 1), upper, members)


def worst_case(some: Outcomes, factor: float = 1.0) -> tuple[float, float]:
    """Largest probability of a miss over the laws of losses 0 and 1, and the mean that has it.

    Between two neighbouring values of the bound the same samples miss: if the bound grows with the
    number of ones, all with at most k of them, whose probability falls with the mean.  So it is
    largest just above a value of the bound.  For a bound that depends on the order these means are
    tried too, and the result is a lower bound on the largest probability.  Of a bound that is made
    smaller only what :attr:`Outcomes.telling` says counts.
    """
    smaller, best = some.smaller(factor), (0.0, 0.0)
    counts = some.upper < 1 if factor == 1 else some.telling
    for p in _some(np.unique(smaller[counts]), some.n):
        best = max(best, (float(some.mass(p)[counts & (smaller <= p)].sum()), float(p)))
    return best


def largest_factor_caught(some: Outcomes, delta: float) -> tuple[float, float]:
    """How much smaller the bound must be made before a law of losses 0 and 1 refutes it.

    Returns ``(factor, p)``: made smaller by any lower factor, it misses the mean p with probability
    above delta.  A sample with mean m and bound u is missed for factors below (p - m)/(u - m);
    sorted downwards, the first at which the samples' mass exceeds delta is it; the samples are those
    of :attr:`Outcomes.telling`.  The means tried are the upper ends of Clopper and Pearson, and a grid
    where the order matters; (0, 0) if nothing is caught.
    """
    from scipy.special import betaincinv

    ks = _some(np.arange(some.n // 2 + 1), some.n)
    alone = -np.expm1(np.log1p(-delta) / some.members)  # of one, so that the crowd has delta
    means = 1 - betaincinv(some.n - ks, ks + 1, alone) * (1 + 1e-12)
    if (some.share < 1).any():
        means = np.concatenate([means, np.linspace(0.005, 0.995, 199)])
    best = (0.0, 0.0)
    for p in means:
        use = some.telling & (some.centre < p)
        ratio = (p - some.centre[use]) / (some.upper - some.centre)[use]
        order = np.argsort(-ratio, kind="stable")
        over = np.flatnonzero(np.cumsum(some.mass(p)[use][order]) > delta)
        if over.size:
            best = max(best, (float(ratio[order][over[0]]), float(p)))
    return best


def _some(values: np.ndarray, n: int) -> np.ndarray:
    """All values, or 50 from the first to the last where samples are large."""
    if n <= 2000:
        return values
    return values[np.unique(np.linspace(0, len(values) - 1, 50).astype(int))]
