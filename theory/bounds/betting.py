r"""Bound of a mean by betting against it: what cannot be made rich is kept.

Against "the risk is m" one starts with capital 1 and stakes :math:`\lambda_i` on the next loss being
below m:

.. math:: K_t(m)=\prod_{i\le t}\bigl(1+\lambda_i(m)\,(m-L_i)\bigr),\qquad
    \lambda_i(m)=\min\Bigl(a_i,\frac c{1-m}\Bigr),\qquad a_i=\sqrt{\frac{2\ln(1/\delta)}{n\,s^2_{i-1}}}

with :math:`s^2_i=\frac{1/4+\sum_{j\le i}(L_j-\mu_j)^2}{i+1}`,
:math:`\mu_i=\frac{1/2+\sum_{j\le i}L_j}{i+1}` (:math:`s^2_0=1/4`), known before the next loss is.
As :math:`\lambda_i(L_i-m)\le c<1` the capital stays positive, and at the true risk it is a martingale:
by Ville's inequality it ever reaches :math:`1/\delta` with probability at most delta.  The bound is
the supremum of the m at which it never does.

**That set is an interval from 0.**  While the cap holds, the factor is
:math:`1-c+c(1-L_i)/(1-m)`; where it does not, :math:`1+a_i(m-L_i)`.  Both are non-decreasing in m,
and the two meet where the cap starts to hold; so every factor, every :math:`K_t` (factors are
positive) and their maximum over t are non-decreasing in m.  Hence if one m is rejected, all above it
are, and a search may return the least m that it saw rejected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from theory.bounds.base import Assumptions
from theory.bounds.checks import check_delta, check_losses, float64
from theory.bounds.held_out import HeldOut

_CHUNK = 2**16
_WIDTH = 2.0**-42
_ULP = 2.0**-53


def betting_upper(losses: Any, delta: Any, cap: float = 0.5) -> np.ndarray:
    r""":math:`\sup\{m:\max_{t\le n}K_t(m)<1/\delta\}`  [Waudby-Smith and Ramdas 2023, Theorem 3].

    One-sided, with their bets for a fixed n.  With probability at least 1 - delta it is not below
    the risk, if each loss has mean R given those before it.  The ORDER of the losses matters: it
    must not depend on their values.  Losses that rise with time can give a bound below their mean.

    Args:
        losses: in [0, 1], shape (..., n), in the order in which they were drawn.
        delta: in (0, 1), broadcast with the rows.
        cap: c, the largest part of the capital at risk in one bet, in (0, 1).

    >>> round(float(betting_upper([0.1, 0.2] * 100, 0.05)), 6)
    0.175664

    Raises:
        ValueError: a loss outside [0, 1], none at all, delta or cap outside (0, 1).
    """
    losses, delta, cap = check_losses(losses), check_delta(delta), _check_cap(cap)
    n = losses.shape[-1]
    shape = np.broadcast_shapes(losses.shape[:-1], delta.shape)
    rows = np.broadcast_to(losses, (*shape, n)).reshape(-1, n)
    nats = np.broadcast_to(-np.log(delta) * (1 + 2.0**-50), shape).ravel()
    ends = np.empty(len(rows))
    size = max(1, _CHUNK // n)
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        ends[part] = _ends(rows[part], nats[part], cap)
    return ends.reshape(shape)[()]


def _check_cap(cap: Any) -> float:
    value = float(float64(cap))
    if not 0 < value < 1:
        raise ValueError(f"cap must be in (0, 1), got {value:g}")
    return value


def _bets(losses: np.ndarray, nats: np.ndarray) -> np.ndarray:
    """The bets before the cap, (rows, n): each from the losses before it."""
    n = losses.shape[-1]
    count = np.arange(2, n + 2)
    means = (0.5 + losses.cumsum(axis=-1)) / count
    variances = (0.25 + ((losses - means) ** 2).cumsum(axis=-1)) / count
    before = np.concatenate([np.full((len(losses), 1), 0.25), variances[:, :-1]], axis=-1)
    return np.sqrt(2 * nats[:, None] / (n * before))


def _wealth(losses: np.ndarray, bets: np.ndarray, m: np.ndarray, cap: float) -> np.ndarray:
    """Not above the log of the largest capital in each row, whatever the roundings.

    A term has a relative error below 12/(1 - cap) units, a partial sum one of n units of the sum of
    the terms' sizes.
    """
    with np.errstate(divide="ignore"):
        most = cap / (1 - m)[:, None]
    terms = np.log1p(np.minimum(bets, most) * (m[:, None] - losses))
    error = (losses.shape[-1] + 12 / (1 - cap)) * _ULP * np.abs(terms).sum(axis=-1)
    return terms.cumsum(axis=-1).max(axis=-1) - 2 * error


def _ends(losses: np.ndarray, nats: np.ndarray, cap: float) -> np.ndarray:
    """The least m found rejected, a relative 2 :data:`_WIDTH` above one that is not; or 1.

    The search is Chandrupatla's (1997): the root is between ``new`` and ``old``; the next point is
    the part ``t`` of the way, by an inverse parabola through three points or in the middle.
    """
    bets = _bets(losses, nats)

    def excess(m: np.ndarray) -> np.ndarray:
        return _wealth(losses, bets, m, cap) - nats

    old, new = np.zeros_like(nats), np.ones_like(nats)
    f_old, f_new = -nats, excess(new)
    searched = f_new >= 0
    t = np.where(searched, 0.5, 0.0)
    for _ in range(200):
        m = new + t * (old - new)
        f = excess(m)
        same = (f >= 0) == (f_new >= 0)
        third, f_third = np.where(same, new, old), np.where(same, f_new, f_old)
        old, f_old = np.where(same, old, new), np.where(same, f_old, f_new)
        new, f_new = m, f
        least = _WIDTH * np.maximum(old, new) / np.abs(old - new)
        done = (least > 0.5) | ~searched
        if done.all():
            break
        t = np.clip(_next(new, old, third, f_new, f_old, f_third), least, 1 - least)
        t = np.where(done, 0.0, t)
    return np.where(searched, np.where(f_new >= 0, new, old), 1.0)


def _next(a: Any, b: Any, c: Any, f_a: Any, f_b: Any, f_c: Any) -> np.ndarray:
    """Where between a (0) and b (1) to look next."""
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y = (a - b) / (c - b), (f_a - f_b) / (f_c - f_b)
        t = f_a / (f_b - f_a) * f_c / (f_b - f_c)
        t = t + (c - a) / (b - a) * f_a / (f_c - f_a) * f_b / (f_c - f_b)
        return np.where((y * y < x) & ((1 - y) ** 2 < 1 - x), t, 0.5)


@dataclass(frozen=True)
class Betting(HeldOut):
    """See :func:`betting_upper`."""

    cap: float = 0.5

    name: ClassVar[str] = "betting"
    title: ClassVar[str] = "Betting"
    statement: ClassVar[str] = (
        r"\max_t\prod_{i\le t}\bigl(1+\lambda_i(R)(R-L_i)\bigr)<1/\delta")
    source: ClassVar[str] = "Waudby-Smith and Ramdas 2023, Theorem 3, one-sided"
    assumptions: ClassVar[Assumptions] = Assumptions(
        random="the held-out examples in their order: each loss has mean R given those before it",
        uniform="one predictor, chosen without these examples; an order chosen without the losses",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_cap(self.cap)

    def above(self, losses: np.ndarray) -> np.ndarray:
        return betting_upper(losses, self.delta, self.cap)
