r"""Occam's bound for a finite class, and the exact sizes of the classes  [Blumer et al. 1987].

A is fixed before the sample.  For one predictor and losses in [0, 1] Chernoff's bound (by convexity
the exponential moment is largest for losses 0 and 1) says that
:math:`R>\hat R` with :math:`N\mathrm{kl}(\hat R\|R)\ge t` has probability at most :math:`e^{-t}`; the
union over A costs :math:`\ln|A|`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from theory.bounds.base import Assumptions, Bound
from theory.bounds.binary_kl import kl_upper
from theory.bounds.checks import check_delta, check_nats, check_range, check_samples
from theory.bounds.pac_bayes import OUTWARD, rising
from theory.families import Family, RotatedRectangles
from theory.families.base import require_integer
from theory.families.lattice import open_directions


def occam(empirical: Any, log_size: Any, n_samples: Any, delta: Any) -> Any:
    r""":math:`\mathrm{kl}(\hat R\|R)\le[\ln|A|+\ln(1/\delta)]/N`: the largest R that this admits.

    With probability at least 1 - delta for all predictors of A at once.

    Args:
        empirical: :math:`\hat R` in [0, 1].
        log_size: ln |A|, nats.
        n_samples: N >= 1.
        delta: in (0, 1).

    Raises:
        ValueError: a number out of its range; a log-size that is negative or infinite.

    >>> round(float(occam(0.05, np.log(36), 200, 0.05)), 3)
    0.126
    """
    empirical, nats = _ingredients(empirical, log_size, n_samples, delta)
    return kl_upper(empirical, nats)


def occam_hoeffding(empirical: Any, log_size: Any, n_samples: Any, delta: Any) -> Any:
    r""":math:`R\le\hat R+\sqrt{[\ln|A|+\ln(1/\delta)]/(2N)}`, capped at 1: never below :func:`occam`.

    Pinsker's inequality :math:`\mathrm{kl}(q\|p)\ge2(p-q)^2` takes the one to the other.

    >>> round(float(occam_hoeffding(0.05, np.log(36), 200, 0.05)), 3)
    0.178
    """
    empirical, nats = _ingredients(empirical, log_size, n_samples, delta)
    return _hoeffding(empirical, nats)


def log_size_of_constant_masks(family: Family) -> float:
    """ln of the number of members: the class of constant predictors, one mask of the family for all x.

    From the exact ``family.size``, rounded up.

    Raises:
        ValueError: a rotated family beyond 7x7, whose size is not computed
            (:func:`log_size_bound` has an upper bound).

    >>> from theory.families import AllMasks, Rectangles
    >>> round(log_size_of_constant_masks(Rectangles(3, 3)), 6), round(math.log(36), 6)
    (3.583519, 3.583519)
    >>> round(log_size_of_constant_masks(AllMasks(16, 16, empty=True)) / math.log(2), 9)
    256.0
    """
    return math.log(family.size) * OUTWARD


def log_size_bound(family: Family) -> float:
    """At least ln of the number of members: exact where the size is, an upper bound for rotated ones.

    Between two neighbouring critical directions a rotated rectangle holds a range of ranks of the n
    positions on either axis (:mod:`theory.families.lattice`): with D directions there are at most
    D (n (n + 1) / 2)^2 masks, limits only remove some.

    >>> from theory.families import RotatedRectangles
    >>> round(log_size_bound(RotatedRectangles(16, 16)), 1)
    25.8
    """
    if isinstance(family, RotatedRectangles) and not family.enumerable:
        n = family.height * family.width
        masks = len(open_directions(*family.shape)) * (n * (n + 1) // 2) ** 2 + family.empty
        return math.log(masks) * OUTWARD
    return log_size_of_constant_masks(family)


def log_size_of_heads(parameters: int, bits: int) -> float:
    """ln of the number of heads with d parameters of k bits each: k d ln 2, rounded up.

    The k-bit code of a number (its grid of values) is fixed before the data.

    Raises:
        ValueError: parameters below 0 or bits below 1.

    >>> round(log_size_of_heads(100, 8), 3)
    554.518
    """
    return (require_integer("parameters", parameters, 0) * require_integer("bits", bits, 1)
            * math.log(2) * OUTWARD)


@dataclass(frozen=True)
class Occam(Bound):
    """:func:`occam`: the stages pay the size of the class, then the confidence.

    >>> stages = Occam().stages(empirical=0.05, log_size=np.log(36), n_samples=200)
    >>> {name: round(float(value), 3) for name, value in stages.items()}
    {'empirical': 0.05, 'class size': 0.102, 'confidence': 0.126}
    """

    name: ClassVar[str] = "occam"
    title: ClassVar[str] = "Occam (finite class)"
    statement: ClassVar[str] = r"\mathrm{kl}(\hat R(h)\|R(h))\le\frac{\ln|A|+\ln(1/\delta)}{N}"
    source: ClassVar[str] = "Blumer et al. (1987); Langford (2005), Chernoff's form"
    assumptions: ClassVar[Assumptions] = Assumptions(
        random="the i.i.d. sample (the class does not depend on it)",
        uniform="all predictors of the class")

    def stages(self, *, empirical: Any, log_size: Any, n_samples: Any) -> dict[str, np.ndarray]:
        """Empirical loss; the bound if the size were all there is to pay; the bound."""
        empirical = check_range("empirical", empirical, 0, 1)
        size = check_nats("log_size", log_size) / check_samples(n_samples) * OUTWARD
        _, nats = _ingredients(empirical, log_size, n_samples, self.delta)
        return rising({"empirical": empirical, "class size": self._invert(empirical, size),
                       "confidence": self._invert(empirical, nats)})

    @staticmethod
    def _invert(empirical: np.ndarray, nats: np.ndarray) -> np.ndarray:
        return kl_upper(empirical, nats)


@dataclass(frozen=True)
class OccamHoeffding(Occam):
    """:func:`occam_hoeffding`, to compare.

    >>> round(float(OccamHoeffding().upper(empirical=0.05, log_size=np.log(36), n_samples=200)), 3)
    0.178
    """

    name: ClassVar[str] = "occam_hoeffding"
    title: ClassVar[str] = "Occam (Hoeffding)"
    statement: ClassVar[str] = r"R(h)\le\hat R(h)+\sqrt{\frac{\ln|A|+\ln(1/\delta)}{2N}}"
    source: ClassVar[str] = "Blumer et al. (1987); Hoeffding (1963), Theorem 2"

    @staticmethod
    def _invert(empirical: np.ndarray, nats: np.ndarray) -> np.ndarray:
        return _hoeffding(empirical, nats)


def _ingredients(
    empirical: Any, log_size: Any, n_samples: Any, delta: Any
) -> tuple[np.ndarray, np.ndarray]:
    """The empirical loss and the nats per example, rounded up."""
    empirical = check_range("empirical", empirical, 0, 1)
    paid = check_nats("log_size", log_size) - np.log(check_delta(delta))
    return empirical, paid / check_samples(n_samples) * OUTWARD


def _hoeffding(empirical: np.ndarray, nats: np.ndarray) -> Any:
    upper = empirical + np.sqrt(nats / 2) * OUTWARD
    return np.minimum(np.where(nats > 0, np.nextafter(upper, np.inf), upper), 1.0)[()]
