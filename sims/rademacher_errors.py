r"""What Monte-Carlo means of spans say about their expectation, with proved confidence.

One draw is :math:`Z = S(s)/\text{scale} \ge 0` of :mod:`sims.rademacher_signs`, ``draws`` = m of
them are independent.  Known before any sign is drawn (:class:`Facts`): turning sign i changes Z by
at most :math:`c_i`; :math:`Z \le R`; :math:`E Z \le M`.

* **McDiarmid** (1989): :math:`|\bar Z - E Z| \le \sqrt{\log(2/\delta) \sum_i c_i^2 / (2m)}` with
  probability at least :math:`1-\delta`; the m draws are one function of m N independent signs.
* **Empirical Bernstein** (Maurer and Pontil, 2009, Theorems 3 and 10): for m independent values in
  an interval of length B with sample variance V, with probability at least :math:`1-\delta`,
  :math:`|\bar Z-EZ| \le \sqrt{2Vx/m} + 7Bx/(3(m-1))`, :math:`x=\log(3/\delta)`: one bound on the
  standard deviation and one on either side of the mean; one-sided :math:`x=\log(2/\delta)`.
* **Truncation.** R does not fall with N, Z does, so Z is cut at :math:`B = M + u`.  By McDiarmid
  :math:`P(Z \ge EZ + t) \le e^{-2t^2/C}`, :math:`C=\sum_i c_i^2`, hence
  :math:`0 \le EZ - E\min(Z, B) \le \int_u^\infty e^{-2t^2/C} dt \le \frac{C}{4u} e^{-2u^2/C}`, and
  :math:`u=\sqrt{C\log(m)/2}` makes this :math:`C/(4um)`, far below the half-width.

Which of the two is narrower depends on the draws, so choosing between them at one level would be
wrong.  Either McDiarmid at :math:`\delta` is used, where the facts alone say that empirical
Bernstein loses (its term in 1/m is already wider), or both hold together, empirical Bernstein at
:math:`0.9\,\delta` and McDiarmid at :math:`0.1\,\delta`, and the interval is their intersection.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

MCDIARMID = "McDiarmid at delta"
HOEFFDING = "Hoeffding at delta"
BOTH = "empirical Bernstein at 0.9 delta, McDiarmid at 0.1 delta"
BOTH_BELOW = "empirical Bernstein at 0.9 delta, Hoeffding at 0.1 delta"

_SHARE = 0.9
"""The part of delta that empirical Bernstein gets where two bounds must hold together."""


@dataclass(frozen=True)
class Facts:
    """What is known of a draw before it is drawn.

    Attributes:
        scale: a draw is an integer divided by it.
        squares: sum of the squares of the bounded differences ``c_i``.
        top: a draw lies in ``[0, top]``.
        mean_bound: the expectation is at most this.
    """

    scale: int
    squares: float
    top: float
    mean_bound: float


@dataclass(frozen=True)
class Interval:
    """``low <= E Z <= high`` with the promised probability, by the bounds that ``error`` names."""

    low: float
    high: float
    error: str


def mcdiarmid_half_width(squares: float, draws: int, delta: float) -> float:
    r""":math:`\sqrt{\log(2/\delta)\,C/(2m)}`, two-sided; C the sum of squared differences.

    >>> round(mcdiarmid_half_width(1.0, draws=8, delta=2 / math.e**2), 3)
    0.354
    """
    return math.sqrt(math.log(2 / delta) * squares / (2 * draws))


def hoeffding_width(length: float, draws: int, delta: float) -> float:
    r"""One-sided: :math:`L\sqrt{\log(1/\delta)/(2m)}` for values in an interval of length L.

    >>> round(hoeffding_width(1.0, draws=8, delta=1 / math.e), 3)
    0.25
    """
    return length * math.sqrt(math.log(1 / delta) / (2 * draws))


def empirical_bernstein_half_width(
    variance: float, length: float, draws: int, delta: float, *, sides: int = 2
) -> float:
    r""":math:`\sqrt{2Vx/m}+7Lx/(3(m-1))`, :math:`x=\log((\text{sides}+1)/\delta)`.

    Args:
        variance: sample variance V (divided by m - 1).
        length: of an interval that holds every value, with certainty.
        draws: m, at least 2.
        sides: 2 (both tails) or 1.

    >>> round(empirical_bernstein_half_width(0.5, 3.0, draws=8, delta=3 / math.e), 3)
    1.354
    """
    if draws < 2:
        raise ValueError(f"a sample variance needs at least 2 draws, got {draws}")
    x = math.log((sides + 1) / delta)
    return math.sqrt(2 * variance * x / draws) + 7 * length * x / (3 * (draws - 1))


def truncation(facts: Facts, draws: int) -> tuple[int, float]:
    """Where a draw is cut, as an integer multiple of 1/scale, and the largest bias of the cut.

    >>> truncation(Facts(scale=100, squares=0.0001, top=9.0, mean_bound=0.5), draws=2980)
    (52, 4.19...e-07)
    """
    reach = math.sqrt(facts.squares * math.log(draws) / 2)
    level = math.ceil((facts.mean_bound + reach) * facts.scale)
    if reach == 0 or level >= facts.top * facts.scale:
        return math.ceil(facts.top * facts.scale), 0.0
    return level, facts.squares / (4 * reach * draws)


def two_sided(spans: np.ndarray, facts: Facts, delta: float) -> Interval:
    """With probability at least 1 - delta over the draws, the interval holds the expectation.

    Args:
        spans: integers ``(m,)``; the draws are ``spans / facts.scale``.
        delta: in (0, 1).

    Raises:
        ValueError: no draws.
    """
    _require_draws(spans)
    draws = len(spans)
    center = float(mean_exact(spans, facts.scale))
    alone = mcdiarmid_half_width(facts.squares, draws, delta)
    share = _SHARE * delta
    level, bias = truncation(facts, draws)
    length = level / facts.scale
    if draws < 2 or empirical_bernstein_half_width(0.0, length, draws, share) + bias >= alone:
        return Interval(center - alone, center + alone, MCDIARMID)
    cut = np.minimum(spans, level)
    middle = float(mean_exact(cut, facts.scale))
    variance = float(variance_exact(cut, facts.scale))
    first = empirical_bernstein_half_width(variance, length, draws, share)
    second = mcdiarmid_half_width(facts.squares, draws, delta - share)
    high = min(middle + first + bias, center + second)
    return Interval(max(middle - first, center - second), max(center, high), BOTH)


def lower_limit(spans: np.ndarray, scale: int, top: int, delta: float) -> Interval:
    """With probability at least 1 - delta the expectation is at least ``low``; ``high`` is inf.

    Uses nothing of the draws but that they are independent and lie in ``[0, top / scale]``.  Cutting
    draws only lowers their expectation, so the others are cut at twice the first, which is not used
    again: the place of the cut is independent of what is cut.

    Args:
        spans: integers ``(m,)``, in ``[0, top]``; the draws are ``spans / scale``.
        delta: in (0, 1).

    Raises:
        ValueError: no draws.
    """
    _require_draws(spans)
    if len(spans) > 1:
        top = min(top, 2 * int(spans[0])) or top
        spans = np.minimum(spans[1:], top)
    draws, length = len(spans), top / scale
    center = float(mean_exact(spans, scale))
    alone = hoeffding_width(length, draws, delta)
    share = _SHARE * delta
    if draws < 2 or empirical_bernstein_half_width(0.0, length, draws, share, sides=1) >= alone:
        return Interval(center - alone, math.inf, HOEFFDING)
    variance = float(variance_exact(spans, scale))
    width = min(empirical_bernstein_half_width(variance, length, draws, share, sides=1),
                hoeffding_width(length, draws, delta - share))
    return Interval(center - width, math.inf, BOTH_BELOW)


def mean_exact(spans: np.ndarray, scale: int) -> Fraction:
    """Mean of ``spans / scale``.

    >>> mean_exact(np.array([1, 2]), 3)
    Fraction(1, 2)
    """
    return Fraction(sum(spans.tolist()), scale * len(spans))


def variance_exact(spans: np.ndarray, scale: int) -> Fraction:
    """Sample variance of ``spans / scale`` (divided by m - 1), m >= 2.

    >>> variance_exact(np.array([1, 3]), 2)
    Fraction(1, 2)
    """
    values = spans.tolist()
    count, total = len(values), sum(values)
    return Fraction(count * sum(v * v for v in values) - total * total,
                    count * (count - 1) * scale * scale)


def _require_draws(spans: np.ndarray) -> None:
    if not len(spans):
        raise ValueError("an interval needs at least one draw, got none")
