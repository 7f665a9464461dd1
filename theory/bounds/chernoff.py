r"""The Chernoff (kl) bound of a mean: the inverse of the divergence of two coins.

Losses in [0, 1] need not be 0 or 1: :math:`e^{\lambda L}\le 1-L+L e^\lambda` by convexity, so L has
at most the moment generating function of a coin with the same mean, and Chernoff's argument for
the coin, :math:`P(\bar L\le q)\le e^{-n\,kl(q\|R)}` for q < R, goes through.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from theory.bounds.binary_kl import kl_lower, kl_upper
from theory.bounds.checks import check_delta, check_losses
from theory.bounds.held_out import HeldOut, mean_above, mean_below, nats_per_example


def chernoff_upper(losses: Any, delta: Any) -> np.ndarray:
    r""":math:`\sup\{p : kl(\bar L\|p)\le\ln(1/\delta)/n\}`  [Hoeffding 1963, Theorem 1].

    With probability at least 1 - delta it is not below the risk.  Never above Hoeffding's bound.

    Args:
        losses: in [0, 1], shape (..., n).
        delta: in (0, 1), broadcast with the rows.

    >>> round(float(chernoff_upper([0.0] * 99 + [1.0], 0.05)), 6)
    0.056094

    Raises:
        ValueError: a loss outside [0, 1], none at all, or delta outside (0, 1).
    """
    losses, delta = check_losses(losses), check_delta(delta)
    return kl_upper(mean_above(losses), nats_per_example(delta, losses.shape[-1]))


def chernoff_lower(losses: Any, delta: Any) -> np.ndarray:
    r""":math:`\inf\{p : kl(\bar L\|p)\le\ln(1/\delta)/n\}`; arguments of :func:`chernoff_upper`.

    >>> round(float(chernoff_lower([1.0] * 100, 0.05)), 6)
    0.970487
    """
    losses, delta = check_losses(losses), check_delta(delta)
    return kl_lower(mean_below(losses), nats_per_example(delta, losses.shape[-1]))


@dataclass(frozen=True)
class Chernoff(HeldOut):
    """See :func:`chernoff_upper`."""

    name: ClassVar[str] = "chernoff"
    title: ClassVar[str] = "Chernoff (kl)"
    statement: ClassVar[str] = r"kl(\bar L\|R)\le\ln(1/\delta)/n"
    source: ClassVar[str] = "Hoeffding 1963, Theorem 1"

    def above(self, losses: np.ndarray) -> np.ndarray:
        return chernoff_upper(losses, self.delta)

    def below(self, losses: np.ndarray) -> np.ndarray:
        return chernoff_lower(losses, self.delta)
