r"""Gaussian posteriors and priors with diagonal covariances: divergence, log-ratio, grid of scales.

A posterior :math:`Q=\prod_iN(m_i,v_i)` and a prior :math:`P=\prod_iN(m^0_i,v^0_i)` over d weights are
arrays ``(..., d)`` of means and VARIANCES, broadcast.  A weight that both fix at the same value
(variances 0, equal means) counts nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from theory.bounds.checks import float64
from theory.bounds.pac_bayes import OUTWARD
from theory.families.base import require_integer


def kl_gaussians(mean: Any, variance: Any, prior_mean: Any, prior_variance: Any) -> Any:
    r""":math:`\mathrm{KL}(Q\|P)=\frac12\sum_i\big[\frac{v_i}{v^0_i}-1-\ln\frac{v_i}{v^0_i}+\frac{(m_i-m^0_i)^2}{v^0_i}\big]`.

    Args:
        mean, variance, prior_mean, prior_variance: ``(..., d)``, broadcast.

    Returns:
        Nats ``(...)``.

    Raises:
        ValueError: numbers that are not finite, a variance below 0, a posterior without density under
            the prior (a variance 0 of one where the other's is not, or where the means differ), a
            divergence beyond float64.

    >>> float(kl_gaussians([1.0, 0.0], [1.0, 1.0], [0.0, 0.0], 1.0))
    0.5
    """
    m, v, m0, v0, fixed = _gaussians(mean, variance, prior_mean, prior_variance)
    with np.errstate(over="ignore"):
        excess = (v - v0) / v0
        # The first is exact near v = v0, the second far from it.
        spread = np.where(abs(excess) < 0.5, excess - np.log1p(np.maximum(excess, -0.5)),
                          excess - (np.log(v) - np.log(v0)))
        shift = ((m - m0) / np.sqrt(v0)) ** 2
        total = np.where(fixed, 0.0, np.maximum(spread, 0) + shift).sum(axis=-1) / 2
    return _finite("KL(Q || P)", total)


def log_ratio_gaussians(
    point: Any, mean: Any, variance: Any, prior_mean: Any, prior_variance: Any
) -> Any:
    r""":math:`\ln\frac{dQ}{dP}(w)=\frac12\sum_i\big[\ln\frac{v^0_i}{v_i}+\frac{(w_i-m^0_i)^2}{v^0_i}-\frac{(w_i-m_i)^2}{v_i}\big]`.

    Its mean over w drawn from Q is :func:`kl_gaussians`.

    Args:
        point: w, ``(..., d)``; the others as :func:`kl_gaussians`.

    Raises:
        ValueError: as :func:`kl_gaussians`; a point off a weight that Q and P fix.

    >>> float(log_ratio_gaussians([1.0], [1.0], [1.0], [0.0], [1.0]))
    0.5
    """
    w = _array("point", point)
    m, v, m0, v0, fixed = _gaussians(mean, variance, prior_mean, prior_variance)
    off = fixed & (w != m)
    if off.any():
        raise ValueError("the point must be where the posterior has density: a weight fixed at "
                         f"{np.broadcast_to(m, off.shape)[off][0]:g} is "
                         f"{np.broadcast_to(w, off.shape)[off][0]:g}")
    with np.errstate(over="ignore", invalid="ignore"):
        far, near = ((w - m0) / np.sqrt(v0)) ** 2, ((w - m) / np.sqrt(v)) ** 2
        terms = np.log(v0) - np.log(v) + (far - near)
        total = np.where(fixed, 0.0, terms).sum(axis=-1) / 2
    return _finite("the log-ratio", total)


@dataclass(frozen=True)
class PriorScales:
    r"""The grid of prior variances :math:`\lambda_j=c\,e^{-j/b}`, j >= 1  [Dziugaite and Roy 2017].

    The bound for the prior of variance :math:`\lambda_j` is taken at level :math:`6\delta/(\pi^2j^2)`;
    these sum to delta, so all j hold at once and any may be chosen after the data, for
    :math:`\ln(\pi^2j^2/6)` nats: the ingredient ``prior_choices``.  A variance found by optimisation is
    not on the grid: round it (:meth:`nearest`), then compute KL anew at ``scale(j)``.

    Args:
        top: c, above the largest variance.
        steps: b, the number of steps in which the variance falls by e.

    Raises:
        ValueError: top or steps not in (0, inf).

    >>> grid = PriorScales(top=0.1, steps=100)
    >>> j = grid.nearest(0.01)
    >>> j, round(grid.scale(j), 6), round(grid.nats(j), 3)
    (230, 0.010026, 11.374)
    """

    top: float = 0.1
    steps: float = 100.0

    def __post_init__(self) -> None:
        for name in ("top", "steps"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(f"{name} must be in (0, inf), got {value:g}")

    def scale(self, j: int) -> float:
        """The variance lambda_j.

        Raises:
            ValueError: j below 1, or so large that the variance is 0 in float64.
        """
        scale = self.top * math.exp(-require_integer("j", j, 1) / self.steps)
        if scale == 0:
            raise ValueError(f"the prior variance of j = {j} is 0 in float64")
        return scale

    def nats(self, j: int) -> float:
        r""":math:`\ln(\pi^2j^2/6)=2\ln(j\pi/\sqrt6)`, rounded up: the price of choosing j."""
        return 2 * math.log(require_integer("j", j, 1) * math.pi / math.sqrt(6)) * OUTWARD

    def nearest(self, variance: float) -> int:
        """The j whose variance is nearest in the logarithm; 1 for all that are above the grid.

        Raises:
            ValueError: a variance not in (0, inf).
        """
        if not 0 < variance < math.inf:
            raise ValueError(f"a prior variance must be in (0, inf), got {variance:g}")
        return max(1, round(self.steps * (math.log(self.top) - math.log(variance))))


def _array(name: str, value: Any) -> np.ndarray:
    array = float64(value)
    if array.ndim == 0:
        array = array[None]
    bad = ~np.isfinite(array)
    if bad.any():
        raise ValueError(f"{name} must be finite, got {array[bad][0]:g}")
    return array


def _gaussians(
    mean: Any, variance: Any, prior_mean: Any, prior_variance: Any
) -> tuple[np.ndarray, ...]:
    """The four arrays, broadcast; which weights both fix, with variances 1 for these."""
    names = ("mean", "variance", "prior mean", "prior variance")
    given = (mean, variance, prior_mean, prior_variance)
    arrays = np.broadcast_arrays(*(_array(n, x) for n, x in zip(names, given, strict=True)))
    for name, array in zip(names[1::2], arrays[1::2], strict=True):
        if (array < 0).any():
            raise ValueError(f"{name} must be >= 0, got {array[array < 0][0]:g}")
    m, v, m0, v0 = arrays
    fixed = (v == 0) & (v0 == 0) & (m == m0)
    bad = ((v == 0) | (v0 == 0)) & ~fixed
    if bad.any():
        where = np.unravel_index(int(np.argmax(bad)), bad.shape)
        raise ValueError(
            "the posterior must have a density under the prior, got prior variance "
            f"{v0[where]:g} and posterior variance {v[where]:g} at weight {int(where[-1])}"
            + (f" (means {m0[where]:g} and {m[where]:g})" if v[where] == v0[where] else ""))
    return m, np.where(fixed, 1.0, v), m0, np.where(fixed, 1.0, v0), fixed


def _finite(name: str, total: np.ndarray) -> Any:
    if not np.isfinite(total).all():
        raise ValueError(f"{name} must be finite, got {total[~np.isfinite(total)][0]:g}")
    return total[()]
