"""Clopper and Pearson's bound: exact for losses that are 0 or 1, and for those only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from theory.bounds.base import Assumptions
from theory.bounds.checks import check_delta, check_losses
from theory.bounds.held_out import INDEPENDENT, HeldOut

_ROUNDING = 1e-11
"""More than the relative error of SciPy's incomplete beta function."""


def clopper_pearson_upper(losses: Any, delta: Any) -> np.ndarray:
    r""":math:`\max\{p : P(\mathrm{Bin}(n,p)\le k)\ge\delta\}`, k the number of ones.

    With probability at least 1 - delta it is not below the risk  [Clopper and Pearson 1934].  The
    largest p has :math:`I_{1-p}(n-k, k+1) = \delta`; for k = n it is 1.

    Args:
        losses: 0 or 1, shape (..., n).
        delta: in (0, 1), broadcast with the rows.

    >>> round(float(clopper_pearson_upper([0] * 59, 0.05)), 6)
    0.049508

    Raises:
        ValueError: a loss that is neither 0 nor 1, no losses, or delta outside (0, 1).
    """
    ones, n, delta = _counts(losses, delta)
    return _largest(ones, n, delta)[()]


def clopper_pearson_lower(losses: Any, delta: Any) -> np.ndarray:
    r""":math:`\min\{p : P(\mathrm{Bin}(n,p)\ge k)\ge\delta\}`; see :func:`clopper_pearson_upper`.

    >>> round(float(clopper_pearson_lower([1] * 59, 0.05)), 6)
    0.950492
    """
    from scipy.special import betainc, betaincinv

    ones, n, delta = _counts(losses, delta)
    some = ones > 0
    k = np.where(some, ones, 1)
    p = _outward(betaincinv(k, n - k + 1, delta), -1,
                 lambda p: betainc(k, n - k + 1, p) * (1 + _ROUNDING) <= delta)
    return np.where(some, p, 0)[()]


def _largest(ones: np.ndarray, n: int, delta: np.ndarray) -> np.ndarray:
    from scipy.special import betaincc, betainccinv

    some = ones < n
    k = np.where(some, ones, n - 1)
    p = _outward(betainccinv(k + 1, n - k, delta), +1,
                 lambda p: betaincc(k + 1, n - k, p) * (1 + _ROUNDING) <= delta)
    return np.where(some, p, 1)


def _counts(losses: Any, delta: Any) -> tuple[np.ndarray, int, np.ndarray]:
    losses, delta = check_losses(losses), check_delta(delta)
    other = (losses != 0) & (losses != 1)
    if other.any():
        raise ValueError("Clopper-Pearson is for losses that are 0 or 1 only, "
                         f"got {losses[other][0]:g}")
    ones, delta = np.broadcast_arrays(losses.sum(axis=-1), delta)
    return ones, losses.shape[-1], delta


def _outward(p: np.ndarray, side: int, outside: Any) -> np.ndarray:
    """Up (+1) or down (-1) by growing steps until the tail is surely at most delta."""
    p = np.where(np.isnan(p), (1 + side) / 2, p)
    step = np.maximum(p * 2.0**-50, 1e-300)
    while True:
        inside = ~outside(p)
        if not inside.any():
            return p
        p[inside] = np.clip(p + side * step, 0, 1)[inside]
        step = step * 2


@dataclass(frozen=True)
class ClopperPearson(HeldOut):
    """See :func:`clopper_pearson_upper`."""

    name: ClassVar[str] = "clopper_pearson"
    title: ClassVar[str] = "Clopper-Pearson"
    statement: ClassVar[str] = r"P(\mathrm{Bin}(n,R)\le n\bar L)\ge\delta"
    source: ClassVar[str] = "Clopper and Pearson 1934"
    assumptions: ClassVar[Assumptions] = Assumptions(
        random=INDEPENDENT.random, uniform=INDEPENDENT.uniform, losses="{0, 1}")

    @classmethod
    def lacks(cls, given: Mapping[str, Any]) -> tuple[str, ...]:
        """Losses that are neither 0 nor 1 are no losses for it."""
        missing = super().lacks(given)
        return missing or (() if np.isin(given["losses"], (0, 1)).all() else ("losses",))

    def above(self, losses: np.ndarray) -> np.ndarray:
        return clopper_pearson_upper(losses, self.delta)

    def below(self, losses: np.ndarray) -> np.ndarray:
        return clopper_pearson_lower(losses, self.delta)
