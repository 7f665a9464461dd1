r"""Empirical Rademacher complexity of missing rates on large samples  [Def. C.1, Prop. 2].

Two kinds of predictors, on a sample of N targets with distinct inputs:

* ``"all"``: all functions X -> A.  Closed form, exact (:mod:`theory.rademacher`).
* ``"constant"``: one mask for every input.  :math:`E\max_b\langle b, W\rangle/(2Nn)` with
  :math:`W = \sum_i s_i a_i`; the supremum of every draw of signs is exact
  (:mod:`sims.supremum`), the mean over signs is sampled, or exact when all signs are gone through.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from sims.supremum import inner_product_extremes, max_weight_mask, max_weight_rectangle
from theory.masks import require_masks
from theory.rademacher import rademacher_all_functions_exact, sign_vectors

RECTANGLES = "axis-aligned rectangles"
ALL_MASKS = "all masks"
FAMILIES = {RECTANGLES: max_weight_rectangle, ALL_MASKS: max_weight_mask}
PREDICTORS = ("all", "constant")

_CHUNK = 2**22
"""Signs held in memory at a time; part of the definition of the stream of draws."""


@dataclass(frozen=True)
class Estimate:
    """A complexity and what is known of it.

    Attributes:
        value: the complexity, or its estimate.
        low, high: interval.  Exact values: both equal ``value``.  Otherwise it holds the complexity
            with probability at least ``1 - delta`` over the draws (two-sided McDiarmid).
        exact: whether ``value`` is the complexity itself, up to one rounding.
        fraction: the exact value, or None.
        draws: sign vectors used; 0 for the closed form.
        delta: the level of the interval; 0 when exact.
        method: in words.
    """

    value: float
    low: float
    high: float
    exact: bool
    fraction: Fraction | None
    draws: int
    delta: float
    method: str


def empirical_rademacher(
    targets: np.ndarray,
    family: str = RECTANGLES,
    predictors: str = "all",
    *,
    draws: int = 2000,
    delta: float = 0.05,
    generator: np.random.Generator | None = None,
) -> Estimate:
    r"""Complexity on a sample of targets with distinct inputs.

    Args:
        targets: ``(N, H, W)`` masks, values -1 and +1; they may repeat, their inputs do not.
        family: a name of ``FAMILIES``.  Rectangles are non-empty; all masks include the empty one.
        predictors: ``"all"`` or ``"constant"``.
        draws: sign vectors for ``"constant"``; with :math:`2^N` of at most ``draws`` all signs
            are gone through instead, and the value is exact.
        delta: in (0, 1).
        generator: source of the signs; needed where signs are drawn.

    Raises:
        ValueError: an unknown name, N < 1, other mask values, delta outside (0, 1), draws < 1.

    >>> half = np.array([[[1, -1]], [[-1, 1]]])
    >>> empirical_rademacher(half, "axis-aligned rectangles").fraction
    Fraction(1, 2)
    >>> empirical_rademacher(half, "axis-aligned rectangles", "constant").fraction
    Fraction(1, 4)
    """
    if family not in FAMILIES:
        raise ValueError(f"family must be one of {tuple(FAMILIES)}, got {family!r}")
    if predictors not in PREDICTORS:
        raise ValueError(f"predictors must be one of {PREDICTORS}, got {predictors!r}")
    if not 0 < delta < 1:
        raise ValueError(f"delta must be in (0, 1), got {delta}")
    if int(draws) != draws or draws < 1:
        raise ValueError(f"draws must be a positive integer, got {draws}")
    targets = require_masks(targets, "targets")
    if targets.size == 0:
        raise ValueError(f"targets need N >= 1 masks of at least one position, got {targets.shape}")
    if predictors == "all":
        high, low = catching_extremes(targets, family)
        value = rademacher_all_functions_exact(high, low)
        return _exact(value, 0, "closed form for distinct inputs")
    if 2 ** len(targets) <= draws:
        signs = sign_vectors(len(targets))
        span = _sum_of_spans(targets, signs, family)
        value = Fraction(span, len(signs) * 4 * targets.size)
        return _exact(value, len(signs), "all signs, exact suprema")
    if generator is None:
        raise ValueError("a generator is needed to draw signs, got None")
    return _constant_mc(targets, family, int(draws), delta, generator)


def catching_extremes(
    targets: np.ndarray, family: str
) -> tuple[list[Fraction], list[Fraction]]:
    r"""``(max_b Psi(b, a_i), min_b Psi(b, a_i))`` over the family, for every target; exact.

    >>> [x[0] for x in catching_extremes(np.array([[[1, -1, 1]]]), "axis-aligned rectangles")]
    [Fraction(1, 3), Fraction(-1, 1)]
    """
    distinct, place = np.unique(targets, axis=0, return_inverse=True)
    high, low = inner_product_extremes(distinct, FAMILIES[family](distinct))
    n = distinct[0].size
    tables = [[Fraction(int(v), n) for v in values] for values in (high, low)]
    return tuple([table[i] for i in place.ravel()] for table in tables)


def mcdiarmid_half_width(spans: np.ndarray, draws: int, delta: float) -> float:
    r"""Half-width of the interval around the mean of antithetic draws.

    A draw is :math:`(\max_b\langle b,W\rangle - \min_b\langle b,W\rangle)/(4Nn)`, the mean of the
    suprema at s and -s.  Turning sign i changes it by at most :math:`d_i/(2N)`, where
    :math:`d_i = \max_b\Psi(b,a_i)-\min_b\Psi(b,a_i)`; with N times ``draws`` independent signs,
    :math:`t = \sqrt{\log(2/\delta)\sum_i (d_i/2N)^2 / (2\,\mathrm{draws})}` is missed, on either
    side, with probability at most delta.

    >>> round(mcdiarmid_half_width(np.array([2.0]), draws=8, delta=2 / math.e**2), 3)
    0.354
    """
    squares = float(np.sum((np.asarray(spans, dtype=np.float64) / (2 * len(spans))) ** 2))
    return math.sqrt(math.log(2 / delta) * squares / (2 * draws))


def _constant_mc(
    targets: np.ndarray, family: str, draws: int, delta: float, generator: np.random.Generator
) -> Estimate:
    total = sum(_sum_of_spans(targets, signs, family)
                for signs in _random_signs(generator, draws, len(targets)))
    value = total / (draws * 4 * targets.size)
    high, low = catching_extremes(targets, family)
    spans = np.array([float(a - b) for a, b in zip(high, low, strict=True)])
    t = mcdiarmid_half_width(spans, draws, delta)
    # 0 and the complexity of all functions hold the complexity with certainty
    return Estimate(value, max(0.0, value - t), min(float(spans.mean()) / 4, value + t), False,
                    None, draws, delta, "signs in antithetic pairs, exact suprema, McDiarmid")


def _exact(value: Fraction, draws: int, method: str) -> Estimate:
    x = float(value)
    return Estimate(x, x, x, True, value, draws, 0.0, method)


def _random_signs(
    generator: np.random.Generator, draws: int, count: int
) -> Iterator[np.ndarray]:
    chunk = max(1, _CHUNK // count)
    for start in range(0, draws, chunk):
        size = (min(chunk, draws - start), count)
        yield 2 * generator.integers(0, 2, size=size, dtype=np.int8) - 1


def _sum_of_spans(targets: np.ndarray, signs: np.ndarray, family: str) -> int:
    r"""Sum over the rows of ``signs`` of ``max_b <b, W> - min_b <b, W>``; an exact integer."""
    count, height, width = targets.shape
    if count >= 2**24:
        raise ValueError(f"sums of signs are exact for N < 2**24, got N = {count}")
    # float32 products are exact here: sums of +-1 below 2**24
    weights = signs.astype(np.float32) @ targets.reshape(count, -1).astype(np.float32)
    weights = weights.astype(np.int32).reshape(len(signs), height, width)
    high, low = inner_product_extremes(weights, FAMILIES[family](weights))
    return int((high - low).sum())
