r"""Empirical Rademacher complexity of missing rates  [Def. C.1, Prop. 2].

For a class F of predictors with masks in a family A and a sample of N inputs and targets,

.. math:: \widehat{\mathcal R}_S = E_s \sup_{f\in F} \frac1N\sum_i s_i\,\Phi(f(x_i), a_i)
          = E_s \frac1{2N} \sup_{f\in F} \sum_i s_i \Psi(f(x_i), a_i)
          = E_s \frac1{4N} \Big[\sup_f - \inf_f\Big] \sum_i s_i \Psi(f(x_i), a_i) .

The factor 1/2 is that of :math:`\Phi = (1-\Psi)/2`; its constant half has mean 0 under the signs and
is left out, since it adds variance and nothing else.  The last form is the mean over the antithetic
pair (s, -s): no class needs to be symmetric for it, and it is never negative.

Conventions: the supremum is signed (no absolute value); n = HW positions; the empty mask belongs to
A iff the family says so; ties do not matter, values alone are used.  All spans are exact integers.

* ``"all"``: all functions from inputs to A.  The supremum separates over groups of equal inputs:
  :math:`\frac1{4Nn}\sum_g E[\max_b - \min_b]\langle b, \sum_{i\in g} s_i a_i\rangle`.  Distinct
  inputs: a closed form.
* ``"constant"``: one mask for every input, a single group.
* an array ``(K, N, H, W)``: a finite class, given by its masks on the sample.
* a :class:`Maximiser`: a class that can only be searched; a LOWER estimate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from numbers import Integral, Real
from typing import Any

import numpy as np

from sims.family_names import RECTANGLES, family_of
from sims.rademacher_classes import (
    finite_bounds,
    finite_spans,
    inner_products,
    mask_bounds,
    mask_spans,
)
from sims.rademacher_errors import Facts, lower_limit, mean_exact, two_sided, variance_exact
from sims.rademacher_found import Maximiser, found_spans
from sims.rademacher_signs import SignedSpans, antithetic_pairs, random_signs
from sims.streams import stream
from theory.bounds import DELTA
from theory.families import Family
from theory.masks import require_masks

PREDICTORS = ("all", "constant")


@dataclass(frozen=True)
class Estimate:
    """A complexity and what is known of it.

    Attributes:
        value: the complexity, or its estimate; for a searched class its lower estimate ``low``.
        low, high: interval.  Exact values: both equal ``value``.  Otherwise it holds the complexity
            with probability at least ``1 - delta`` over the signs.
        exact: whether ``value`` is the complexity itself, up to one rounding.
        fraction: the exact value, or None.
        draws: sign vectors gone through (sums, where targets repeat), or independent antithetic
            pairs drawn; 0 for the closed form.
        delta: the level of the interval; 0 where nothing was drawn.
        method: in words.
        error: the bounds behind the interval; "none" where nothing was drawn.
        mean: of what was gone through or drawn; ``value``, but for a searched class.
        variance: sample variance of the draws; 0 where nothing was drawn, or one pair.
    """

    value: float
    low: float
    high: float
    exact: bool
    fraction: Fraction | None
    draws: int
    delta: float
    method: str
    error: str
    mean: float
    variance: float


def empirical_rademacher(
    masks: np.ndarray,
    family: Family | str = RECTANGLES,
    inputs: Any = None,
    predictors: str | np.ndarray | Maximiser = "all",
    *,
    draws: int = 2000,
    seed: int = 0,
    delta: float = DELTA,
    name: str = "rademacher",
    max_pairs: int | None = None,
) -> Estimate:
    r"""Complexity of a class of predictors on a sample; exact where that costs no more suprema.

    A group of equal inputs is gone through sign by sign where its antithetic pairs are at most
    ``max_pairs``; the signs of the other groups are drawn.  The interval is about the drawn part.
    For a searched class ``value = low`` is below the complexity with probability at least
    ``1 - delta`` (with certainty where all signs were gone through), and ``high`` is a certain
    bound on the complexity of all functions.

    Args:
        masks: ``(N, H, W)`` targets, values -1 and +1.
        family: A, or a name of :mod:`sims.family_names`.  Rectangles named are non-empty; all masks
            named include the empty one.
        inputs: ``(N,)`` labels, equal for equal inputs; None: all distinct.  Labels must equal
            themselves (no NaN, no NaT) and be in order, any two of them.
        predictors: ``"all"``, ``"constant"``, masks ``(K, N, H, W)`` or a :class:`Maximiser`.
        draws: antithetic pairs of sign vectors.
        seed, name: the signs come from ``stream(name, seed)``.
        delta: in (0, 1).
        max_pairs: ``draws`` when None.

    Raises:
        ValueError: an unknown name, another grid, N < 1, other mask values, delta outside (0, 1),
            draws < 1; labels of inputs that are no labels; predictors outside the family, or with
            different masks for equal inputs.
        TypeError: a family or predictors of another type.

    >>> half = np.array([[[1, -1]], [[-1, 1]]])
    >>> empirical_rademacher(half).fraction
    Fraction(1, 2)
    >>> empirical_rademacher(half, "axis-aligned rectangles", inputs=[0, 0]).fraction
    Fraction(1, 4)
    """
    targets, family, groups = _sample(masks, family, inputs)
    if not isinstance(delta, Real) or not 0 < delta < 1:
        raise ValueError(f"delta must be in (0, 1), got {delta!r}")
    draws = _at_least(1, draws, "draws")
    max_pairs = draws if max_pairs is None else _at_least(0, max_pairs, "max_pairs")
    if isinstance(predictors, str) and predictors not in PREDICTORS:
        raise ValueError(f"predictors must be one of {PREDICTORS}, an array or a Maximiser, got "
                         f"{predictors!r}")
    n, generator = targets[0].size, stream(name, seed)
    free = mask_spans(targets, groups, family)
    if isinstance(predictors, Maximiser):
        return _search(predictors, targets, family, free, draws, delta, generator, max_pairs)
    if not isinstance(predictors, str):
        inner = inner_products(predictors, targets, groups, family)
        return _estimate(finite_spans(inner), n, finite_bounds(inner, n), draws, delta,
                         generator, max_pairs)
    if predictors == "constant":
        free = mask_spans(targets, np.zeros(len(targets), dtype=np.int64), family)
    elif len(free.multisets) == len(targets):
        total = int(free.ranges.sum())
        return _exact(Fraction(total, 4 * targets.size), 0, "closed form for distinct inputs")
    return _estimate(free, n, mask_bounds(free, n), draws, delta, generator, max_pairs)


def _estimate(
    sums: SignedSpans, n: int, bounds: np.ndarray, draws: int, delta: float,
    generator: np.random.Generator, max_pairs: int,
) -> Estimate:
    """Exact over the groups with few signs, drawn over the others.

    ``bounds`` ``(G,)``: what the expectation of each group's part is at most.
    """
    scale = 4 * len(sums.vectors) * n
    costs = [antithetic_pairs(multiset) for multiset in sums.multisets]
    few = np.array([cost <= max_pairs for cost in costs])
    whole = [m for m, known in zip(sums.multisets, few, strict=True) if known]
    known = sums.mean_exact(whole) / scale
    how = "exact suprema" if len(few) == 1 else "exact suprema, group by group of equal inputs"
    if few.all():
        signs = sum(math.prod(k + 1 for _, k in m) for m in set(whole))
        return _exact(known, signs, f"all signs, {how}")
    members = np.flatnonzero(~few[sums.groups])
    ranges = sums.ranges[members].tolist()
    facts = Facts(scale=scale, squares=4 * sum(r * r for r in ranges) / scale**2,
                  top=sum(ranges) / scale, mean_bound=math.fsum(bounds[~few]))
    spans = sums.draw(members, generator, draws)
    found = two_sided(spans, facts, delta)
    value = float(known + mean_exact(spans, scale))
    method = f"signs in antithetic pairs, {how}"
    if whole:
        method += f"; {len(whole)} of {len(few)} groups by all signs"
    return Estimate(
        value, float(known) + max(0.0, found.low),
        max(value, min(float(known) + found.high, float(known) + facts.mean_bound)), False, None,
        draws, delta, method, found.error, value, _variance(spans, scale))


def _search(
    maximiser: Maximiser, targets: np.ndarray, family: Family, free: SignedSpans, draws: int,
    delta: float, generator: np.random.Generator, max_pairs: int,
) -> Estimate:
    count, n = len(targets), targets[0].size
    scale = 4 * count * n
    ceiling = math.fsum(mask_bounds(free, n))
    every = 2 ** (count - 1) <= max_pairs
    rows = (_half_of_all_signs(count) if every
            else chain.from_iterable(random_signs(generator, draws, count)))
    spans = found_spans(maximiser, targets, free.groups, family, rows)
    mean = float(mean_exact(spans, scale))
    if every:
        return Estimate(mean, mean, ceiling, False, None, 2**count, 0.0,
                        "lower estimate: all signs, suprema searched", "none", mean, 0.0)
    found = lower_limit(spans, scale, int(free.ranges.sum()), delta)
    low = max(0.0, found.low)
    return Estimate(low, low, ceiling, False, None, draws, delta,
                    "lower estimate: signs in antithetic pairs, suprema searched", found.error,
                    mean, _variance(spans, scale))


def _half_of_all_signs(count: int) -> Any:
    for code in range(2 ** (count - 1)):
        yield np.array([1 - 2 * (code >> i & 1) for i in range(count)], dtype=np.int8)


def _exact(value: Fraction, draws: int, method: str) -> Estimate:
    x = float(value)
    return Estimate(x, x, x, True, value, draws, 0.0, method, "none", x, 0.0)


def _variance(spans: np.ndarray, scale: int) -> float:
    return float(variance_exact(spans, scale)) if len(spans) > 1 else 0.0


def _sample(
    masks: Any, family: Any, inputs: Any
) -> tuple[np.ndarray, Family, np.ndarray]:
    targets = require_masks(masks, "targets")
    if targets.size == 0:
        raise ValueError(f"targets need N >= 1 masks of at least one position, got {targets.shape}")
    if isinstance(family, str):
        family = family_of(family, *targets.shape[1:])
    if not isinstance(family, Family):
        raise TypeError(f"family must be a Family or a name, got {type(family).__name__}")
    if family.shape != targets.shape[1:]:
        raise ValueError(f"family and targets must share a grid, got {family.shape} and "
                         f"{targets.shape[1:]}")
    if inputs is None:
        return targets, family, np.arange(len(targets))
    return targets, family, _groups(inputs, len(targets))


def _groups(inputs: Any, count: int) -> np.ndarray:
    """The number of each label among the distinct labels, int64 ``(N,)``."""
    labels = np.asarray(inputs)
    if labels.shape != (count,):
        raise ValueError(f"inputs must have shape ({count},), got {labels.shape}")
    if labels.dtype.kind in "US" and len({type(v) for v in inputs}) > 1:
        labels = np.asarray(inputs, dtype=object)  # NumPy would make 1 and '1' one label
    equal = labels == labels
    if not equal.all():
        raise ValueError("inputs must be labels that equal themselves, got "
                         f"{labels[int(np.argmin(equal))]}")
    try:
        distinct, groups = np.unique(labels, return_inverse=True)
        ordered = labels.dtype != object or (distinct[:-1] < distinct[1:]).all()
    except TypeError as error:
        raise ValueError(f"inputs must be labels that can be compared, got {error}") from error
    if not ordered:  # e.g. sets, whose order is partial
        raise ValueError("inputs must be labels of which any two are in order, got "
                         f"{distinct.tolist()}")
    return groups.ravel()


def _at_least(smallest: int, value: Any, name: str) -> int:
    whole = isinstance(value, Integral) or isinstance(value, Real) and float(value).is_integer()
    if not whole or value < smallest:
        words = "a positive" if smallest else "a non-negative"
        raise ValueError(f"{name} must be {words} integer, got {value!r}")
    return int(value)
