"""Hoeffding's bound of a mean: by the range alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from theory.bounds.checks import check_delta, check_losses
from theory.bounds.held_out import HeldOut, mean_above, nats_per_example


def hoeffding_upper(losses: Any, delta: Any) -> np.ndarray:
    r""":math:`\bar L + \sqrt{\ln(1/\delta)/(2n)}`, at most 1  [Hoeffding 1963, Theorem 2].

    With probability at least 1 - delta it is not below the risk.

    Args:
        losses: in [0, 1], shape (..., n).
        delta: in (0, 1), broadcast with the rows.

    >>> round(float(hoeffding_upper([0.0, 1.0] * 50, 0.05)), 6)
    0.622387

    Raises:
        ValueError: a loss outside [0, 1], none at all, or delta outside (0, 1).
    """
    losses, delta = check_losses(losses), check_delta(delta)
    width = np.sqrt(nats_per_example(delta, losses.shape[-1]) / 2)
    return np.minimum((mean_above(losses) + width) * (1 + 2.0**-50), 1)[()]


@dataclass(frozen=True)
class Hoeffding(HeldOut):
    """See :func:`hoeffding_upper`."""

    name: ClassVar[str] = "hoeffding"
    title: ClassVar[str] = "Hoeffding"
    statement: ClassVar[str] = r"R\le\bar L+\sqrt{\ln(1/\delta)/(2n)}"
    source: ClassVar[str] = "Hoeffding 1963, Theorem 2"

    def above(self, losses: np.ndarray) -> np.ndarray:
        return hoeffding_upper(losses, self.delta)
