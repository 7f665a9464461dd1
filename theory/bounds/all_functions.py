r"""Bounds on the missing rate R(f) = E Phi(f(X), A)  [Theorem 1, Theorem 3, and sharper ones].

Every function returns the number in float64 (batched over array arguments; torch tensors are taken over
to NumPy, a bound is no loss) and is named after the statement.
:data:`ASSUMPTIONS` says, for each, under which assumptions it is a bound; ``docs/bounds.md`` has the
proofs.  Natural logarithms throughout.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from theory.bounds.checks import check_delta, check_range, check_samples

RHO = -1.0
"""Relevance level of all masks with any A_in, and of rectangles without limits when A_in holds
half-grids.  Smaller sets of truths only raise it (Eq. 15), so that bounds with it remain bounds."""

ASSUMPTIONS = {
    "ceiling": "A in A_in almost surely; then it holds with certainty, for every f in F_A and any N.",
    "theorem_1": "i.i.d. sample, A in A_in almost surely; with probability at least 1 - delta for "
                 "all f in F_A at once.  Never below the ceiling, so it says nothing more.",
    "sharp_bound": "i.i.d. sample, A in A_in almost surely, f measurable; with probability at "
                   "least 1 - delta for all f in F_A at once.  mean_g equals 2 R_S when the targets "
                   "are in A and no input is repeated (X without atoms).",
    "adversary_risk": "X without atoms, targets in A and deterministic (A = a(X)): the risk of the "
                      "f in F_A that fits the sample perfectly and misses most elsewhere.",
    "theorem_3": "i.i.d. sample, losses in [0, 1], complexity = empirical Rademacher complexity of "
                 "the class on this sample; with probability at least 1 - delta for the class.",
}


def confidence_term(n_samples: Any, delta: Any) -> Any:
    r""":math:`3\sqrt{\log(2/\delta)/(2N)}`, the last term of Theorem 1 and Theorem 3.

    >>> round(float(confidence_term(200, 0.05)), 3)
    0.288
    """
    n_samples, delta = _check_sample(n_samples, delta)
    return 3 * np.sqrt(np.log(2 / delta) / (2 * n_samples))[()]


def ceiling(rho: Any) -> Any:
    r""":math:`R(f)\le(1-\rho)/2` with certainty, by the definition of rho  [Eq. 14].

    >>> float(ceiling(0.5))
    0.25
    """
    return ((1 - check_range("rho", rho, -1, 1)) / 2)[()]


def theorem_1(empirical: Any, rho: Any, n_samples: Any, delta: Any) -> Any:
    r""":math:`\hat R(f)+\frac{1-\rho}{2}+3\sqrt{\frac{\log(2/\delta)}{2N}}`  [Theorem 1, Eq. 16].

    Args:
        empirical: :math:`\hat R(f)` in [0, 1].
        rho: relevance level in [-1, 1].
        n_samples: N >= 1.
        delta: in (0, 1).  (The paper says delta > 0; the root needs delta <= 2.)

    >>> round(float(theorem_1(0.0, -1.0, 200, 0.05)), 3)
    1.288
    """
    empirical = check_range("empirical missing rate", empirical, 0, 1)
    return empirical + ceiling(rho) + confidence_term(n_samples, delta)


def theorem_3(empirical: Any, complexity: Any, n_samples: Any, delta: Any) -> Any:
    r""":math:`\hat R+2\hat{\mathcal R}_S+3\sqrt{\log(2/\delta)/(2N)}`  [Theorem 3].

    With the exact complexity of F_A this is Theorem 1 before Prop. 2 was applied.
    """
    empirical = check_range("empirical missing rate", empirical, 0, 1)
    complexity = check_range("complexity", complexity, 0, 1)
    return empirical + 2 * complexity + confidence_term(n_samples, delta)


def sharp_bound(mean_g: Any, rho: Any, n_samples: Any, delta: Any) -> Any:
    r""":math:`E\,g\le\overline{g}+\frac{1-\rho}{2}\sqrt{\log(1/\delta)/(2N)}` (beyond the paper).

    ``g(a) = max_b Phi(b, a)`` over the family and ``mean_g`` its mean over the sample's targets.
    ``R(f) <= E g`` for every f in F_A, and Hoeffding's inequality for ``0 <= g <= (1-rho)/2`` gives
    the rest.  The sum of the two terms may exceed the ceiling; the smaller of both is a bound.
    """
    c = ceiling(rho)
    mean_g = check_range("mean_g", mean_g, 0, 1)
    if bool(np.any(mean_g > c + 1e-9)):
        raise ValueError(f"mean_g cannot exceed the ceiling (1 - rho)/2 = {c}, got {mean_g}")
    n_samples, delta = _check_sample(n_samples, delta)
    return (mean_g + c * np.sqrt(np.log(1 / delta) / (2 * n_samples)))[()]


def adversary_risk(mean_g: Any) -> Any:
    r"""Risk :math:`E\,g` of the memorising adversary, whose empirical missing rate is 0."""
    return check_range("mean_g", mean_g, 0, 1)[()]


def _check_sample(n_samples: Any, delta: Any) -> tuple[np.ndarray, np.ndarray]:
    return check_samples(n_samples), check_delta(delta)
