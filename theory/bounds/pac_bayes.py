r"""What the PAC-Bayes bounds share: the Gibbs loss, the moment, the divergence and the prior's choice.

A prior P over predictors is fixed before the sample S (or chosen from a grid, which costs
``prior_choices`` nats, or learned on other data); the posterior Q may depend on S.  With
:math:`\hat R(Q)=E_{h\sim Q}\hat R_S(h)` and :math:`R(Q)=E_{h\sim Q}R(h)` every bound here holds with
probability at least 1 - delta over S for ALL posteriors Q at once.

The bounds for :math:`\mathrm{kl}` rest on one moment.  For losses in [0, 1] and every predictor h

.. math:: E_S\,e^{N\,\mathrm{kl}(\hat R_S(h)\|R(h))}\le\xi(N)
          =\sum_{k=0}^N\binom Nk\Big(\frac kN\Big)^k\Big(1-\frac kN\Big)^{N-k}\le 2\sqrt N ,

with equality on the left for losses 0 and 1.  So :math:`E_S E_{h\sim P}e^{N\mathrm{kl}}\le2\sqrt N`; by
Markov's inequality and the change of measure of Donsker and Varadhan, with probability at least
1 - delta for all Q, :math:`N E_Q\mathrm{kl}\le\mathrm{KL}(Q\|P)+\ln(2\sqrt N/\delta)`.  Jensen's
inequality for the convex kl does the rest.

Maurer (2004) proves the last step of the moment for N >= 8.  For N = 1..7 the sum is a fraction that
is at most :math:`2\sqrt N` too (equal at N = 1), so no N is excluded.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from theory.bounds.base import Bound
from theory.bounds.binary_kl import kl_upper
from theory.bounds.checks import check_delta, check_nats, check_range, check_samples, float64

OUTWARD = 1 + 2.0**-48
"""More than the rounding of a dozen operations: what is multiplied by it is not too small."""


def kl_moment(n_samples: Any) -> Any:
    r""":math:`\xi(N)=\sum_k N!/((N-k)!\,N^k)`, the mean of :math:`e^{N\mathrm{kl}(K/N\|p)}`.

    K is binomial; it is the same for every p in (0, 1), at most :math:`2\sqrt N`, and about
    :math:`\sqrt{\pi N/2}+2/3`.

    >>> [float(kl_moment(n)) for n in (1, 2, 4)]
    [2.0, 2.5, 3.21875]
    """
    n_samples = check_samples(n_samples)
    sums = {n: 1 + np.cumprod(1 - np.arange(int(n)) / n).sum() for n in np.unique(n_samples)}
    return np.vectorize(sums.get, otypes=[np.float64])(n_samples)[()]


def moment_nats(n_samples: Any, delta: Any) -> Any:
    r""":math:`\ln(2\sqrt N/\delta)`, what the moment and the confidence cost  [Maurer 2004, Theorem 5].

    >>> round(float(moment_nats(1000, 0.05)), 3)
    7.143
    """
    n_samples, delta = check_samples(n_samples), check_delta(delta)
    return (np.log(2) + np.log(n_samples) / 2 - np.log(delta))[()]


def gibbs_upper(gibbs: Any, draws: Any, delta: Any) -> Any:
    r"""With probability at least 1 - delta over the draws, R^(Q) is at most this number.

    .. math:: \sup\{r:\mathrm{kl}(\overline r\|r)\le\ln(1/\delta)/m\}

    The m predictors are drawn independently from Q, given the sample; each has a loss in [0, 1] whose
    mean is R^(Q), so the one-sided Chernoff bound holds for their average  [Langford and Caruana 2001].
    It also holds for m independent losses whose means differ and average to R^(Q), such as those of a
    fresh predictor for each example  [Hoeffding 1963, Theorem 1].

    Args:
        gibbs: the average of the m losses, in [0, 1].
        draws: m >= 1, or inf where R^(Q) was computed exactly.
        delta: in (0, 1).

    Raises:
        ValueError: gibbs outside [0, 1], m no positive integer (nor inf), delta outside (0, 1).

    >>> round(float(gibbs_upper(0.1, 1000, 0.01)), 4)
    0.1312
    >>> float(gibbs_upper(0.1, np.inf, 0.01))
    0.1
    """
    gibbs = check_range("Gibbs loss", gibbs, 0, 1)
    draws, delta = _check_draws(draws), check_delta(delta)
    upper = kl_upper(gibbs, -np.log(delta) / draws * OUTWARD)
    return np.where(np.isinf(draws), gibbs, upper)[()]


def rising(stages: dict[str, Any]) -> dict[str, np.ndarray]:
    """Stages of one shape that never fall: where rounding makes one fall the earlier is lowered."""
    values = np.stack(np.broadcast_arrays(*stages.values()))
    values = np.minimum.accumulate(values[::-1], axis=0)[::-1]
    return {name: value[()] for name, value in zip(stages, values, strict=True)}


@dataclass(frozen=True)
class PacBayes(Bound):
    r"""A PAC-Bayes bound on R(Q) with the Monte-Carlo step of Langford and Caruana.

    ``draws_share * delta`` is spent on the draws (:func:`gibbs_upper`) and the rest on the bound; both
    hold with probability at least 1 - delta.  All bounds grow with the Gibbs loss, so its upper end
    goes in.  The stages: the average of the draws; "draws", its upper end; "divergence", the bound if
    KL were all there is to pay; "prior choice", with the nats of the grid of priors; then what the
    bound pays itself, at last its confidence.

    Raises:
        ValueError: draws_share outside (0, 1); else as :class:`~theory.bounds.base.Bound`.
    """

    draws_share: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.draws_share < 1:
            raise ValueError(f"draws_share must be in (0, 1), got {self.draws_share:g}")

    def _prices(self, n_samples: np.ndarray, delta: float) -> dict[str, Any]:
        """What is paid after the divergence and the prior, in nats, by stage."""
        return {"confidence": moment_nats(n_samples, delta)}

    @abstractmethod
    def _invert(self, empirical: np.ndarray, nats: np.ndarray) -> np.ndarray:
        """The bound from the Gibbs loss and the nats per example."""

    def stages(
        self, *, gibbs: Any, draws: Any, n_samples: Any, kl: Any, prior_choices: Any
    ) -> dict[str, np.ndarray]:
        """The average of the draws, its upper end, and the bound as its nats are paid one by one."""
        spent = self.draws_share * self.delta
        n_samples = check_samples(n_samples)
        nats, prior_choices = check_divergence(kl), check_nats("prior_choices", prior_choices)
        start = gibbs_upper(gibbs, draws, spent)
        out = {"empirical": check_range("Gibbs loss", gibbs, 0, 1), "draws": start,
               "divergence": self._invert(start, nats / n_samples * OUTWARD)}
        prices = {"prior choice": prior_choices, **self._prices(n_samples, self.delta - spent)}
        for name, price in prices.items():
            nats = nats + price
            out[name] = self._invert(start, nats / n_samples * OUTWARD)
        return rising(out)


def check_divergence(kl: Any) -> np.ndarray:
    """KL(Q || P), finite and not negative."""
    return check_nats("KL(Q || P)", kl)


def nats_per_sample(kl: Any, price: Any, n_samples: Any, prior_choices: Any) -> np.ndarray:
    """``(KL + prior_choices + price) / N``, rounded up."""
    paid = check_divergence(kl) + check_nats("prior_choices", prior_choices) + price
    return paid / check_samples(n_samples) * OUTWARD


def _check_draws(draws: Any) -> np.ndarray:
    draws = float64(draws)
    for value in np.ravel(draws):
        if not (value >= 1 and (np.isinf(value) or float(value).is_integer())):
            raise ValueError(f"the number of draws must be a positive integer or inf, got {value:g}")
    return draws
