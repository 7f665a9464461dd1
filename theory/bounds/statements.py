r"""The statements about all functions F_A as :class:`~theory.bounds.base.Bound` objects.

The formulas are those of :mod:`theory.bounds.all_functions`; ``docs/bounds.md`` has the proofs.  With
:math:`c=(1-\rho)/2`: the ceiling is c, Theorem 1 is never below it, and Theorem 3 with the exact
complexity is Theorem 1 before Prop. 2.  The memorising adversary's risk,
:func:`~theory.bounds.all_functions.adversary_risk`, is a lower bound for the class and has no object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from theory.bounds.all_functions import ceiling, sharp_bound, theorem_1, theorem_3
from theory.bounds.base import Assumptions, Bound
from theory.bounds.checks import check_range

_SAMPLE = "the i.i.d. sample of size N"
_ALL = "all f in F_A"


@dataclass(frozen=True)
class Ceiling(Bound):
    r""":math:`R(f)\le(1-\rho)/2`, with certainty: ``delta`` is not spent.

    >>> float(Ceiling().upper(rho=0.5))
    0.25
    """

    name: ClassVar[str] = "ceiling"
    title: ClassVar[str] = "Ceiling"
    statement: ClassVar[str] = r"R(f)\le\frac{1-\rho}{2}"
    source: ClassVar[str] = "the definition of the relevance level, Eq. 14"
    assumptions: ClassVar[Assumptions] = Assumptions(
        random="nothing (A in A_in almost surely)", uniform=_ALL, losses="[0, (1 - rho)/2]")

    def stages(self, *, rho: Any) -> dict[str, np.ndarray]:
        """From 0 to the ceiling: all of it is the relevance level."""
        top = ceiling(rho)
        return {"start": np.zeros_like(top), "relevance": top}


@dataclass(frozen=True)
class TheoremOne(Bound):
    r""":math:`R(f)\le\hat R(f)+\frac{1-\rho}{2}+3\sqrt{\frac{\log(2/\delta)}{2N}}`, verbatim.

    It is not capped, may be above 1, and is above the ceiling for every N.

    >>> round(float(TheoremOne().upper(empirical=0.0, rho=-1.0, n_samples=200)), 3)
    1.288
    """

    name: ClassVar[str] = "theorem_1"
    title: ClassVar[str] = "Theorem 1"
    statement: ClassVar[str] = (
        r"R(f)\le\hat R(f)+\frac{1-\rho}{2}+3\sqrt{\frac{\log(2/\delta)}{2N}}")
    source: ClassVar[str] = "Theorem 1, Eq. 16"
    assumptions: ClassVar[Assumptions] = Assumptions(
        random=f"{_SAMPLE} (A in A_in almost surely)", uniform=_ALL)

    def stages(self, *, empirical: Any, rho: Any, n_samples: Any) -> dict[str, np.ndarray]:
        """Empirical missing rate, the relevance level, the confidence term."""
        bound = theorem_1(empirical, rho, n_samples, self.delta)
        empirical = check_range("empirical missing rate", empirical, 0, 1)
        return _alike({"empirical": empirical, "relevance": empirical + ceiling(rho),
                       "confidence": bound})


@dataclass(frozen=True)
class SharpBound(Bound):
    r""":math:`R(f)\le\overline g+\frac{1-\rho}2\sqrt{\log(1/\delta)/(2N)}`: the exact complexity.

    It starts from 0, not from the empirical missing rate: it is the same for every f in F_A.  It may
    exceed the ceiling; the smaller of both is a bound.

    >>> round(float(SharpBound().upper(mean_g=0.1, rho=0.0, n_samples=200)), 3)
    0.143
    """

    name: ClassVar[str] = "sharp_bound"
    title: ClassVar[str] = "Exact complexity"
    statement: ClassVar[str] = (
        r"R(f)\le\frac1N\sum_i\max_b\Phi(b,a_i)+\frac{1-\rho}{2}\sqrt{\frac{\log(1/\delta)}{2N}}")
    source: ClassVar[str] = "beyond the paper: Hoeffding (1963), Theorem 2, for max_b Phi(b, A)"
    assumptions: ClassVar[Assumptions] = Assumptions(
        random=f"{_SAMPLE} (A in A_in almost surely)", uniform=f"{_ALL}, measurable",
        losses="[0, (1 - rho)/2]")

    def stages(self, *, mean_g: Any, rho: Any, n_samples: Any) -> dict[str, np.ndarray]:
        """From 0: the worst maps for the sample's truths, then the confidence term."""
        bound = sharp_bound(mean_g, rho, n_samples, self.delta)
        mean_g = check_range("mean_g", mean_g, 0, 1)
        return _alike({"start": np.zeros_like(mean_g), "worst maps": mean_g, "confidence": bound})


@dataclass(frozen=True)
class TheoremThree(Bound):
    r""":math:`R(h)\le\hat R(h)+2\hat{\mathcal R}_S+3\sqrt{\frac{\log(2/\delta)}{2N}}`.

    >>> round(float(TheoremThree().upper(empirical=0.1, complexity=0.05, n_samples=1000)), 3)
    0.329
    """

    name: ClassVar[str] = "theorem_3"
    title: ClassVar[str] = "Theorem 3 (Rademacher)"
    statement: ClassVar[str] = (
        r"R(h)\le\hat R(h)+2\hat{\mathcal R}_S+3\sqrt{\frac{\log(2/\delta)}{2N}}")
    source: ClassVar[str] = ("Theorem 3; Mohri, Rostamizadeh and Talwalkar (2018), "
                             "Theorem 3.3")
    assumptions: ClassVar[Assumptions] = Assumptions(
        random=_SAMPLE, uniform="the class whose losses have this empirical complexity")

    def stages(self, *, empirical: Any, complexity: Any, n_samples: Any) -> dict[str, np.ndarray]:
        """Empirical loss, twice the complexity, the confidence term."""
        bound = theorem_3(empirical, complexity, n_samples, self.delta)
        empirical = check_range("empirical missing rate", empirical, 0, 1)
        complexity = check_range("complexity", complexity, 0, 1)
        return _alike({"empirical": empirical, "complexity": empirical + 2 * complexity,
                       "confidence": bound})


def _alike(stages: dict[str, Any]) -> dict[str, np.ndarray]:
    """Every stage in the shape of the bound."""
    shape = np.shape(list(stages.values())[-1])
    return {name: np.broadcast_to(value, shape)[()] for name, value in stages.items()}
