r"""The PAC-Bayes-kl bound  [Seeger 2002, with the constant of Maurer 2004]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from theory.bounds.base import Assumptions
from theory.bounds.binary_kl import kl_upper
from theory.bounds.checks import check_range
from theory.bounds.pac_bayes import PacBayes, moment_nats, nats_per_sample

ALL_POSTERIORS = "all posteriors Q; there is no parameter to choose"
"""Of what the kl and the quadratic bound are uniform in."""

SAMPLE = "the i.i.d. sample (the prior does not depend on it) and the draws from Q"
"""What is random in all PAC-Bayes bounds."""


def pac_bayes_kl(
    empirical: Any, kl: Any, n_samples: Any, delta: Any, prior_choices: Any = 0.0
) -> Any:
    r""":math:`\mathrm{kl}(\hat R(Q)\|R(Q))\le[\mathrm{KL}(Q\|P)+\ln(2\sqrt N/\delta)]/N`.

    Returns the largest R(Q) that this admits, for all Q at once.  [Maurer 2004, Theorem 5;
    :mod:`theory.bounds.pac_bayes` has the proof]

    Args:
        empirical: the Gibbs loss R^(Q) in [0, 1], exact or an upper bound.
        kl: KL(Q || P) in nats.
        n_samples: N >= 1.
        delta: in (0, 1).
        prior_choices: nats paid for the choice of the prior.

    Raises:
        ValueError: a number out of its range; KL or prior_choices negative or infinite.

    >>> round(float(pac_bayes_kl(0.05, 20.0, 1000, 0.05)), 3)
    0.117
    """
    nats = nats_per_sample(kl, moment_nats(n_samples, delta), n_samples, prior_choices)
    return kl_upper(check_range("Gibbs loss", empirical, 0, 1), nats)


@dataclass(frozen=True)
class PacBayesKl(PacBayes):
    """:func:`pac_bayes_kl` of the Gibbs loss that m draws bound.

    >>> bound = PacBayesKl(delta=0.05)
    >>> given = dict(gibbs=0.05, draws=1000, n_samples=1000, kl=20.0, prior_choices=0.0)
    >>> {name: round(float(value), 3) for name, value in bound.stages(**given).items()}
    {'empirical': 0.05, 'draws': 0.074, 'divergence': 0.137, 'prior choice': 0.137, 'confidence': 0.15}
    """

    name: ClassVar[str] = "pac_bayes_kl"
    title: ClassVar[str] = "PAC-Bayes-kl"
    statement: ClassVar[str] = (
        r"\mathrm{kl}(\hat R(Q)\|R(Q))\le\frac{\mathrm{KL}(Q\|P)+\ln(2\sqrt N/\delta)}{N}")
    source: ClassVar[str] = "Seeger (2002), Theorem 1; Maurer (2004), Theorem 5"
    assumptions: ClassVar[Assumptions] = Assumptions(random=SAMPLE, uniform=ALL_POSTERIORS)

    def _invert(self, empirical: np.ndarray, nats: np.ndarray) -> np.ndarray:
        return kl_upper(empirical, nats)
