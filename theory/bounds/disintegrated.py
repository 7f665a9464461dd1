r"""A bound for ONE predictor drawn from the posterior: the disintegrated PAC-Bayes bound.

Proof.  P does not depend on S, so :math:`E_S E_{h\sim P}e^{N\mathrm{kl}(\hat R_S(h)\|R(h))}\le2\sqrt N`
(:mod:`theory.bounds.pac_bayes`).  Under Q_S the ratio is positive and
:math:`E_{h\sim Q_S}[e^{N\mathrm{kl}}\,(dP/dQ_S)(h)]\le E_{h\sim P}e^{N\mathrm{kl}}`; so by Markov's
inequality, with probability at least 1 - delta over S AND h,
:math:`N\mathrm{kl}(\hat R_S(h)\|R(h))\le\ln\frac{dQ_S}{dP}(h)+\ln\frac{2\sqrt N}\delta`.

It holds for one way to make Q_S from S, and for the one h that was drawn: drawing again until the
bound is good is not covered.  The right-hand side may be negative: N kl is not, so this happens only
within the delta; then 0 is taken, which claims less.  A prior from a grid with weights w_j may be
chosen after h: the mixture :math:`P=\sum_jw_jP_j` has :math:`dQ_S/dP\le(dQ_S/dP_j)/w_j`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from theory.bounds.base import Assumptions, Bound
from theory.bounds.binary_kl import kl_upper
from theory.bounds.checks import check_nats, check_range, check_samples, float64
from theory.bounds.pac_bayes import OUTWARD, moment_nats, rising


def disintegrated(
    drawn: Any, log_ratio: Any, n_samples: Any, delta: Any, prior_choices: Any = 0.0
) -> Any:
    r""":math:`\mathrm{kl}(\hat R(h)\|R(h))\le[\ln\frac{dQ}{dP}(h)+\ln\frac{2\sqrt N}\delta]_+/N`.

    Returns the largest R(h) that this admits, h drawn from Q; with probability at least 1 - delta over
    the sample and the draw.  [Rivasplata et al. 2020, the basic inequality, part (i); Viallard et al.
    2024]

    Args:
        drawn: the loss of h on the sample, in [0, 1].
        log_ratio: :math:`\ln(dQ/dP)(h)`, finite, of either sign.
        n_samples: N >= 1.
        delta: in (0, 1).
        prior_choices: nats paid for the choice of the prior.

    Raises:
        ValueError: a number out of its range; an infinite log-ratio (h where P has no density).

    >>> round(float(disintegrated(0.05, 20.0, 1000, 0.05)), 3)
    0.117
    >>> float(disintegrated(0.05, -20.0, 1000, 0.05))
    0.05
    """
    price = check_nats("prior_choices", prior_choices) + moment_nats(n_samples, delta)
    return _invert(check_range("drawn", drawn, 0, 1), _check_ratio(log_ratio), price, n_samples)


@dataclass(frozen=True)
class Disintegrated(Bound):
    """:func:`disintegrated`: the stages pay the log-ratio, the choice of the prior, the confidence.

    >>> stages = Disintegrated().stages(drawn=0.05, n_samples=1000, log_ratio=20.0, prior_choices=3.0)
    >>> {name: round(float(value), 3) for name, value in stages.items()}
    {'empirical': 0.05, 'divergence': 0.106, 'prior choice': 0.111, 'confidence': 0.122}
    """

    name: ClassVar[str] = "disintegrated"
    title: ClassVar[str] = "Disintegrated PAC-Bayes"
    statement: ClassVar[str] = (
        r"\mathrm{kl}(\hat R(h)\|R(h))\le"
        r"\frac1N\Big[\ln\frac{dQ}{dP}(h)+\ln\frac{2\sqrt N}{\delta}\Big]_+")
    source: ClassVar[str] = ("Rivasplata et al. (2020), basic PAC-Bayes inequality, part (i); "
                             "Viallard et al. (2024)")
    assumptions: ClassVar[Assumptions] = Assumptions(
        random="the i.i.d. sample (the prior does not depend on it) and one draw h from Q",
        uniform="nothing: one rule that makes Q from the sample, one predictor")

    def stages(
        self, *, drawn: Any, n_samples: Any, log_ratio: Any, prior_choices: Any
    ) -> dict[str, np.ndarray]:
        """The drawn predictor's loss, and the bound as its nats are paid one by one."""
        drawn, ratio = check_range("drawn", drawn, 0, 1), _check_ratio(log_ratio)
        choices = check_nats("prior_choices", prior_choices)
        price = choices + moment_nats(n_samples, self.delta)
        return rising({"empirical": drawn,
                       "divergence": _invert(drawn, ratio, 0.0, n_samples),
                       "prior choice": _invert(drawn, ratio, choices, n_samples),
                       "confidence": _invert(drawn, ratio, price, n_samples)})


def _invert(drawn: np.ndarray, ratio: np.ndarray, price: Any, n_samples: Any) -> np.ndarray:
    """The kl inverse at ``[ratio + price]_+ / N``; the two may cancel, so each is rounded up."""
    nats = ratio + price + (OUTWARD - 1) * (abs(ratio) + price)
    return kl_upper(drawn, np.maximum(nats, 0) / check_samples(n_samples) * OUTWARD)


def _check_ratio(value: Any) -> np.ndarray:
    ratio = float64(value)
    for number in np.ravel(ratio):
        if not np.isfinite(number):
            raise ValueError(f"log_ratio must be finite, got {number:g}")
    return ratio
