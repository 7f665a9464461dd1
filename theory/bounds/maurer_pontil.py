"""Maurer and Pontil's empirical Bernstein bound: by the sample variance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from theory.bounds.checks import check_delta, check_losses
from theory.bounds.held_out import HeldOut, mean_above, nats_per_example


def maurer_pontil_upper(losses: Any, delta: Any) -> np.ndarray:
    r""":math:`\bar L+\sqrt{2V\ln(2/\delta)/n}+7\ln(2/\delta)/(3(n-1))`, at most 1.

    V is the unbiased sample variance.  With probability at least 1 - delta it is not below the
    risk  [Maurer and Pontil 2009, Theorem 4].

    Args:
        losses: in [0, 1], shape (..., n), n >= 2.
        delta: in (0, 1), broadcast with the rows.

    >>> round(float(maurer_pontil_upper([0.1, 0.2] * 100, 0.05)), 6)
    0.202881

    Raises:
        ValueError: a loss outside [0, 1], fewer than two, or delta outside (0, 1).
    """
    losses, delta = check_losses(losses, 2), check_delta(delta)
    n = losses.shape[-1]
    nats = nats_per_example(delta, n, events=2)
    variance = np.ascontiguousarray(losses).var(axis=-1, ddof=1)
    width = np.sqrt(2 * variance * nats) + 7 * n * nats / (3 * (n - 1))
    return np.minimum(mean_above(losses) + width * (1 + 2.0**-46), 1)[()]


@dataclass(frozen=True)
class MaurerPontil(HeldOut):
    """See :func:`maurer_pontil_upper`."""

    least: ClassVar[int] = 2
    name: ClassVar[str] = "maurer_pontil"
    title: ClassVar[str] = "Maurer-Pontil"
    statement: ClassVar[str] = (
        r"R\le\bar L+\sqrt{2V\ln(2/\delta)/n}+\frac{7\ln(2/\delta)}{3(n-1)}")
    source: ClassVar[str] = "Maurer and Pontil 2009, Theorem 4"

    def above(self, losses: np.ndarray) -> np.ndarray:
        return maurer_pontil_upper(losses, self.delta)
