r"""The PAC-Bayes-quadratic bound  [Rivasplata et al. 2019; Perez-Ortiz et al. 2021].

For q < p, :math:`\mathrm{kl}(q\|p)\ge(p-q)^2/(2p)`.  So :math:`\mathrm{kl}(q\|p)\le c` gives
:math:`p-\sqrt{2cp}\le q`, a quadratic in the root of p, and
:math:`\sqrt p\le\sqrt{q+c/2}+\sqrt{c/2}`.  It is never below the kl bound and needs no inverse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from theory.bounds.base import Assumptions
from theory.bounds.checks import check_range
from theory.bounds.pac_bayes import OUTWARD, PacBayes, moment_nats, nats_per_sample
from theory.bounds.pac_bayes_kl import ALL_POSTERIORS, SAMPLE


def pac_bayes_quadratic(
    empirical: Any, kl: Any, n_samples: Any, delta: Any, prior_choices: Any = 0.0
) -> Any:
    r""":math:`R(Q)\le(\sqrt{\hat R(Q)+B}+\sqrt B)^2,\ B=[\mathrm{KL}+\ln(2\sqrt N/\delta)]/(2N)`.

    For all Q at once, capped at 1.  [Rivasplata et al. 2019; Perez-Ortiz et al. 2021]

    Args and Raises: as :func:`~theory.bounds.pac_bayes_kl.pac_bayes_kl`.

    >>> round(float(pac_bayes_quadratic(0.05, 20.0, 1000, 0.05)), 3)
    0.136
    """
    nats = nats_per_sample(kl, moment_nats(n_samples, delta), n_samples, prior_choices)
    return quadratic_form(check_range("Gibbs loss", empirical, 0, 1), nats)


def quadratic_form(empirical: Any, nats: Any) -> Any:
    r""":math:`\min\{1,(\sqrt{q+c/2}+\sqrt{c/2})^2\}` for q ``empirical`` and c ``nats`` per example.

    >>> float(quadratic_form(0.0, 0.125)), float(quadratic_form(0.5, 0.0))
    (0.25..., 0.5)
    """
    half = np.asarray(nats) / 2
    # The square multiplied out: with half = 0 it is q itself.
    upper = empirical + (2 * half + 2 * np.sqrt(half) * np.sqrt(empirical + half)) * OUTWARD
    return np.minimum(np.nextafter(upper, np.where(half > 0, np.inf, upper)), 1.0)[()]


@dataclass(frozen=True)
class PacBayesQuadratic(PacBayes):
    """:func:`pac_bayes_quadratic` of the Gibbs loss that m draws bound.

    >>> given = dict(gibbs=0.05, draws=1000, n_samples=1000, kl=20.0, prior_choices=0.0)
    >>> round(float(PacBayesQuadratic().upper(**given)), 3)
    0.17
    """

    name: ClassVar[str] = "pac_bayes_quadratic"
    title: ClassVar[str] = "PAC-Bayes-quadratic"
    statement: ClassVar[str] = (r"R(Q)\le\Big(\sqrt{\hat R(Q)+B}+\sqrt B\Big)^2,\quad "
                                r"B=\frac{\mathrm{KL}(Q\|P)+\ln(2\sqrt N/\delta)}{2N}")
    source: ClassVar[str] = "Rivasplata et al. (2019); Perez-Ortiz et al. (2021)"
    assumptions: ClassVar[Assumptions] = Assumptions(random=SAMPLE, uniform=ALL_POSTERIORS)

    def _invert(self, empirical: np.ndarray, nats: np.ndarray) -> np.ndarray:
        return quadratic_form(empirical, nats)
