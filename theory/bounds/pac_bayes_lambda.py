r"""The PAC-Bayes-lambda bound  [Thiemann, Igel, Wintenberger and Seldin 2017].

From :math:`\mathrm{kl}(q\|p)\le c` follows :math:`p\le q+\sqrt{2pc}`, and the root of a product is at
most :math:`\lambda p/2+c/\lambda` for every lambda > 0.  Solved for p it is a bound for all lambda in
(0, 2) at once: lambda may be chosen after the data, at no cost.  The two terms are equal at
:math:`\lambda=\sqrt{2c/p}`, so the best lambda gives the number of the quadratic bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from theory.bounds.base import Assumptions
from theory.bounds.checks import check_open, check_range, float64
from theory.bounds.pac_bayes import OUTWARD, PacBayes, moment_nats, nats_per_sample
from theory.bounds.pac_bayes_kl import SAMPLE


def pac_bayes_lambda(
    empirical: Any, kl: Any, n_samples: Any, delta: Any, prior_choices: Any = 0.0, *, lam: Any = None
) -> Any:
    r""":math:`R(Q)\le[\hat R(Q)+\frac{\mathrm{KL}+\ln(2\sqrt N/\delta)}{N\lambda}]/(1-\lambda/2)`.

    For all Q and all lambda in (0, 2) at once, capped at 1.  [Thiemann et al. 2017]

    Args:
        empirical, kl, n_samples, delta, prior_choices: as
            :func:`~theory.bounds.pac_bayes_kl.pac_bayes_kl`.
        lam: lambda; None: the best one, :func:`best_lambda`.

    Raises:
        ValueError: lambda outside (0, 2); a number out of its range.

    >>> round(float(pac_bayes_lambda(0.05, 20.0, 1000, 0.05)), 3)
    0.136
    >>> round(float(pac_bayes_lambda(0.05, 20.0, 1000, 0.05, lam=1.0)), 3)
    0.154
    """
    nats = nats_per_sample(kl, moment_nats(n_samples, delta), n_samples, prior_choices)
    return lambda_form(check_range("Gibbs loss", empirical, 0, 1), nats, lam)


def best_lambda(empirical: Any, nats: Any) -> Any:
    r""":math:`2/(\sqrt{2q/c+1}+1)`, the lambda of the least bound (q ``empirical``, c > 0 ``nats``).

    >>> float(best_lambda(0.0, 0.1)), float(best_lambda(0.4, 0.1))
    (1.0, 0.5)
    """
    with np.errstate(over="ignore"):
        ratio = 2 * np.asarray(empirical) / np.asarray(nats)
    return (2 / (np.sqrt(ratio + 1) + 1))[()]


def lambda_form(empirical: Any, nats: Any, lam: Any = None) -> Any:
    r""":math:`\min\{1,(q+c/\lambda)/(1-\lambda/2)\}`; without ``lam`` the least over lambda.

    >>> float(lambda_form(0.0, 0.125)), float(lambda_form(0.5, 0.0))
    (0.25..., 0.5)
    """
    empirical, nats = np.broadcast_arrays(float64(empirical), float64(nats))
    if lam is None:
        free = nats == 0
        paid = np.where(free, 1.0, nats)
        lam = np.maximum(best_lambda(empirical, paid), 1e-150)  # any lambda gives a bound
        upper = (empirical + paid / lam) / (1 - lam / 2) * OUTWARD
        return np.minimum(np.where(free, empirical, upper), 1.0)[()]
    lam = check_lambda(lam)
    return np.minimum((empirical + nats / lam) / (1 - lam / 2) * OUTWARD, 1.0)[()]


def check_lambda(lam: Any) -> np.ndarray:
    """lambda in (0, 2)."""
    return check_open("lambda", lam, 0, 2)


@dataclass(frozen=True)
class PacBayesLambda(PacBayes):
    """:func:`pac_bayes_lambda` of the Gibbs loss that m draws bound; ``lam`` None is the best lambda.

    Raises:
        ValueError: lam outside (0, 2).

    >>> given = dict(gibbs=0.05, draws=1000, n_samples=1000, kl=20.0, prior_choices=0.0)
    >>> round(float(PacBayesLambda().upper(**given)), 3)
    0.17
    """

    lam: float | None = None

    name: ClassVar[str] = "pac_bayes_lambda"
    title: ClassVar[str] = "PAC-Bayes-lambda"
    statement: ClassVar[str] = (
        r"R(Q)\le\frac{\hat R(Q)}{1-\lambda/2}"
        r"+\frac{\mathrm{KL}(Q\|P)+\ln(2\sqrt N/\delta)}{N\lambda(1-\lambda/2)}")
    source: ClassVar[str] = "Thiemann, Igel, Wintenberger and Seldin (2017), PAC-Bayes-lambda"
    assumptions: ClassVar[Assumptions] = Assumptions(
        random=SAMPLE, uniform="all posteriors Q and all lambda in (0, 2), chosen after the data")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lam is not None:
            check_lambda(self.lam)

    def _invert(self, empirical: np.ndarray, nats: np.ndarray) -> np.ndarray:
        return lambda_form(empirical, nats, self.lam)
