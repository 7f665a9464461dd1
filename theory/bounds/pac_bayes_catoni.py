r"""Catoni's PAC-Bayes bound, at one parameter or over a grid of them  [Catoni 2007, Theorem 1.2.6].

For C > 0 and a loss in [0, 1] with mean p, :math:`e^{-Cx}\le1-x(1-e^{-C})` gives

.. math:: E_S\,e^{N[\Phi(R(h))-C\hat R_S(h)]}\le1,\qquad\Phi(p)=-\ln\!\big(1-p\,(1-e^{-C})\big),

with equality for losses 0 and 1.  Markov, the change of measure and convexity of Phi (as in
:mod:`theory.bounds.pac_bayes`) give :math:`\Phi(R(Q))\le C\hat R(Q)+[\mathrm{KL}+\ln(1/\delta)]/N`.

It is proved for ONE C, fixed before the data; the proof does not allow one chosen after it (claims
``catoni-best``, ``catoni-free``).  A grid of J values, fixed before the data, costs :math:`\ln J`
nats (each gets delta/J); then the best of them may be taken.  The infimum over all C of the right-hand
side, at the same nats, is the inverse of kl: what the kl bound has and pays :math:`\ln(2\sqrt N)` for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from theory.bounds.base import Assumptions
from theory.bounds.checks import check_delta, check_open, check_range
from theory.bounds.pac_bayes import OUTWARD, PacBayes, nats_per_sample
from theory.bounds.pac_bayes_kl import SAMPLE

GRID = tuple(2.0 ** (j / 2) for j in range(-14, 9))
"""23 values of C from 1/128 to 16, each sqrt(2) times the last: ln 23 = 3.14 nats."""


def pac_bayes_catoni(
    empirical: Any, kl: Any, n_samples: Any, delta: Any, prior_choices: Any = 0.0, *, parameter: Any
) -> Any:
    r""":math:`R(Q)\le\frac{1-\exp\{-C\hat R(Q)-[\mathrm{KL}+\ln(1/\delta)]/N\}}{1-e^{-C}}`.

    For all Q at once and the one C > 0 that was chosen before the data; capped at 1.  [Catoni 2007,
    Theorem 1.2.6]

    Args:
        empirical, kl, n_samples, delta, prior_choices: as
            :func:`~theory.bounds.pac_bayes_kl.pac_bayes_kl`.
        parameter: C.

    Raises:
        ValueError: C not in (0, inf); a number out of its range.

    >>> round(float(pac_bayes_catoni(0.05, 20.0, 1000, 0.05, parameter=1.0)), 3)
    0.111
    """
    nats = nats_per_sample(kl, -np.log(check_delta(delta)), n_samples, prior_choices)
    return catoni_form(check_range("Gibbs loss", empirical, 0, 1), nats, check_parameter(parameter))


def pac_bayes_catoni_grid(
    empirical: Any, kl: Any, n_samples: Any, delta: Any, prior_choices: Any = 0.0,
    *, parameters: Any = GRID,
) -> Any:
    r"""The least of the bounds at C in a grid of J, each at level delta / J: for all Q at once.

    Args:
        empirical, kl, n_samples, delta, prior_choices: as
            :func:`~theory.bounds.pac_bayes_kl.pac_bayes_kl`.
        parameters: C_1, ..., C_J, fixed before the data.

    Raises:
        ValueError: an empty grid, C not in (0, inf); a number out of its range.

    >>> round(float(pac_bayes_catoni_grid(0.05, 20.0, 1000, 0.05)), 3)
    0.116
    """
    parameters = check_grid(parameters)
    price = np.log(len(parameters)) - np.log(check_delta(delta))
    nats = nats_per_sample(kl, price, n_samples, prior_choices)
    return least_form(check_range("Gibbs loss", empirical, 0, 1), nats, parameters)


def catoni_form(empirical: Any, nats: Any, parameter: Any) -> Any:
    r""":math:`\min\{1,(1-e^{-Cq-c})/(1-e^{-C})\}` for q ``empirical``, c ``nats`` per example.

    >>> round(float(catoni_form(0.0, 0.1, 50.0)), 6)
    0.095163
    """
    empirical, parameter = np.asarray(empirical), np.asarray(parameter)
    ratio = np.expm1(-(parameter * empirical + nats)) / np.expm1(-parameter)
    return np.minimum(ratio * OUTWARD, 1.0)[()]


def least_form(empirical: Any, nats: Any, parameters: np.ndarray) -> Any:
    """The least :func:`catoni_form` over a grid ``(J,)``."""
    empirical, nats = np.asarray(empirical)[..., None], np.asarray(nats)[..., None]
    return catoni_form(empirical, nats, parameters).min(axis=-1)[()]


def check_parameter(parameter: Any) -> np.ndarray:
    """C in (0, inf)."""
    return check_open("C", parameter, 0, np.inf)


def check_grid(parameters: Any) -> np.ndarray:
    """A grid ``(J,)`` of at least one C."""
    parameters = check_parameter(parameters)
    if parameters.ndim != 1 or not parameters.size:
        raise ValueError(f"the grid of C must have shape (J,), J >= 1, got {parameters.shape}")
    return parameters


@dataclass(frozen=True)
class PacBayesCatoni(PacBayes):
    """:func:`pac_bayes_catoni_grid` of the Gibbs loss that m draws bound.

    ``grid`` is part of the bound and must be fixed before the data; with one value nothing is paid for
    the choice.  That price is the stage "parameter choice".

    Raises:
        ValueError: an empty grid, C not in (0, inf).

    >>> given = dict(gibbs=0.05, draws=1000, n_samples=1000, kl=20.0, prior_choices=0.0)
    >>> round(float(PacBayesCatoni().upper(**given)), 3)
    0.149
    """

    grid: tuple[float, ...] = GRID

    name: ClassVar[str] = "pac_bayes_catoni"
    title: ClassVar[str] = "PAC-Bayes (Catoni)"
    statement: ClassVar[str] = (
        r"R(Q)\le\min_{j\le J}\frac{1-\exp\{-C_j\hat R(Q)-[\mathrm{KL}(Q\|P)+\ln(J/\delta)]/N\}}"
        r"{1-e^{-C_j}}")
    source: ClassVar[str] = "Catoni (2007), Theorem 1.2.6, with a union over a grid of C"
    assumptions: ClassVar[Assumptions] = Assumptions(
        random=SAMPLE, uniform="all posteriors Q and the C of the grid, which is fixed before the data")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_grid(self.grid)

    def _prices(self, n_samples: np.ndarray, delta: float) -> dict[str, Any]:
        return {"parameter choice": np.log(len(self.grid)), "confidence": -np.log(delta)}

    def _invert(self, empirical: np.ndarray, nats: np.ndarray) -> np.ndarray:
        return least_form(empirical, nats, check_grid(self.grid))
