r"""Bounds of a risk from the losses of examples that the predictor was not chosen with.

Each method gives an upper end that holds with probability at least 1 - delta.  The losses 1 - L are
as good a sample, with mean 1 - R, so every upper end also gives a lower one.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from theory.bounds.base import Assumptions, Bound
from theory.bounds.checks import check_losses

INDEPENDENT = Assumptions(
    random="the held-out examples, drawn independently from the law of the risk",
    uniform="one predictor, chosen without these examples",
)

_UP = 1 + 2.0**-47
_DOWN = 1 - 2.0**-47


@dataclass(frozen=True)
class HeldOut(Bound):
    r"""Upper, lower and two-sided bounds from ``losses`` of shape (..., n), one bound a row.

    Subclasses give :meth:`above` (and :meth:`below` where they know better than the symmetry), and
    ``least``, the number of losses that the method needs.
    """

    least: ClassVar[int] = 1
    assumptions: ClassVar[Assumptions] = INDEPENDENT

    @abstractmethod
    def above(self, losses: np.ndarray) -> np.ndarray:
        """The upper end, at most 1, for checked losses."""

    def below(self, losses: np.ndarray) -> np.ndarray:
        r"""The lower end, at least 0: :math:`1 - U(1 - L)`, less what the subtractions may round."""
        return np.maximum(1 - self.above(1 - losses) - 2.0**-52, 0)

    def stages(self, *, losses: Any) -> dict[str, np.ndarray]:
        """The mean, then the upper end, which is not let below it."""
        losses = check_losses(losses, self.least)
        mean = losses.mean(axis=-1)
        return {"empirical": mean, "confidence": np.maximum(self.above(losses), mean)[()]}

    def lower(self, **given: Any) -> np.ndarray:
        """A number that the risk is at least, with probability at least 1 - delta.

        Raises:
            ValueError: as :meth:`upper`.
        """
        losses = check_losses(self.take(given)["losses"], self.least)
        return np.minimum(self.below(losses), losses.mean(axis=-1))[()]

    def interval(self, **given: Any) -> tuple[np.ndarray, np.ndarray]:
        """``(low, high)`` that hold at once with probability at least 1 - delta: delta/2 a side."""
        side = replace(self, delta=self.delta / 2)
        return side.lower(**given), side.upper(**given)


def mean_above(losses: np.ndarray) -> np.ndarray:
    r"""The mean of each row, not below the exact one.

    NumPy sums a contiguous row in pairs: its error is under :math:`20 + \log_2 n` half-units.
    """
    return np.minimum(np.ascontiguousarray(losses).mean(axis=-1) * _UP, 1)


def mean_below(losses: np.ndarray) -> np.ndarray:
    """The mean of each row, not above the exact one."""
    return np.ascontiguousarray(losses).mean(axis=-1) * _DOWN


def nats_per_example(delta: np.ndarray, n: int, events: int = 1) -> np.ndarray:
    r""":math:`\ln(k/\delta)/n` for k ``events``, not below the exact number."""
    return (np.log(events) - np.log(delta)) / n * _UP
