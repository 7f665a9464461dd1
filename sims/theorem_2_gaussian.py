r"""Gaussian classes on the line and in the plane: the contamination model by quadrature.

:math:`D = \lambda(p_y-p_{y'}) + (\eta_y-\eta_{y'})(1-\lambda)p_{bg}` is smooth, so
:math:`\frac12\int|D|` is integrated panel by panel by Gauss-Legendre rules (:func:`by_panels`) or,
after its sign changes are found, as the integral of D where it is positive by adaptive quadrature
(:func:`by_sign_changes`).  In the plane a tensor rule is compared with Monte Carlo.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from theory.arrays import DivisionUndefined
from theory.rectangle import window
from theory.separation import (
    mixture_density,
    separation_bounds,
    theorem_2_2,
    total_variation,
)

REACH = 10.0  # Gaussians are cut where they are below exp(-50)
ORDER = 16
STEEPNESS = 10.0
FEWER = (0, 1, 3, 7, 11)  # panels left out by the rules that are compared
SHAPES = ("constant", "window", "bump")
Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Model:
    """Two Gaussian classes, a Gaussian background and a map lambda on the line.

    Attributes:
        distance: the pure classes are N(-distance/2, 1) and N(distance/2, other_sigma^2).
        other_sigma: standard deviation of the second class.
        background: mean and standard deviation of the background.
        shape: ``constant``; ``window``, Eq. 1's window with s = 10 (:data:`STEEPNESS`);
            ``bump``, a Gaussian bump.
        top, center, width: lambda is ``top`` times the shape, of half-width (standard deviation)
            ``width``.
        more: further windows (center, half-width), joined to the shape as 1 - (1-a)(1-b): each one
            raises lambda everywhere.
        keep: each error 1 - lambda is multiplied by this number.
    """

    distance: float
    other_sigma: float = 1.0
    background: tuple[float, float] = (0.0, 2.0)
    shape: str = "window"
    top: float = 1.0
    center: float = 0.0
    width: float = 1.0
    more: tuple[tuple[float, float], ...] = ()
    keep: float = 1.0

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise ValueError(f"shape must be one of {SHAPES}, got {self.shape!r}")
        for name in ("top", "keep"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")
        if not min(self.other_sigma, self.background[1], self.width) > 0:
            raise ValueError("standard deviations and widths must be positive, got "
                             f"{self.other_sigma}, {self.background[1]}, {self.width}")

    def fitting(self, x: np.ndarray) -> np.ndarray:
        """lambda at x."""
        if self.shape == "constant":
            shape = np.ones_like(x)
        elif self.shape == "window":
            shape = window(x, np.float64(self.center), np.float64(self.width), STEEPNESS)
        else:
            shape = np.exp(-0.5 * ((x - self.center) / self.width) ** 2)
        for center, width in self.more:
            extra = window(x, np.float64(center), np.float64(width), STEEPNESS)
            shape = shape + (1 - shape) * extra
        return 1 - self.keep * (1 - self.top * shape)

    def densities(self) -> tuple[Function, Function, Function]:
        """The two pure densities and the background's."""
        return (_gaussian(-self.distance / 2, 1.0), _gaussian(self.distance / 2, self.other_sigma),
                _gaussian(*self.background))

    def ends(self) -> tuple[float, float]:
        """An interval outside which all three densities are below 1e-21."""
        spread = max(1.0, self.other_sigma, self.background[1])
        far = max(abs(self.distance) / 2, abs(self.background[0]))
        return -far - REACH * spread, far + REACH * spread


def by_panels(model: Model, panels: int) -> dict[str, float]:
    r"""TV, A+, A- and the right-hand side of Theorem 2(2) with ``panels`` Gauss-Legendre panels.

    The integrands have kinks, so the error falls with the square of the panels' width;
    ``panel_error`` is the spread of TV over five numbers of panels near ``panels``, in which the
    kinks lie at different places of their panels.

    Raises:
        ValueError: fewer than 12 panels; as :func:`theory.separation.mixture_density`.
    """
    if panels <= max(FEWER):
        raise ValueError(f"rules with up to {max(FEWER)} panels fewer are compared, so panels must be "
                         f"at least {max(FEWER) + 1}, got {panels}")
    values = [_with_rule(model, panels - less) for less in FEWER]
    spread = [v["tv"] for v in values]
    return {**values[0], "panel_error": max(spread) - min(spread)}


def _with_rule(model: Model, panels: int) -> dict[str, float]:
    """The nodes are the atoms of :mod:`theory.separation`, the weights its reference measure."""
    x, weights = rule(*model.ends(), panels)
    p, q, g = (_normalized(f(x), weights) for f in model.densities())
    lam = model.fitting(x)
    low, high = separation_bounds(p, q, lam, weights)
    tv = total_variation(*(mixture_density(v, g, lam, weights) for v in (p, q)), weights)
    return {"tv": float(tv), "low": float(low), "high": float(high),
            "theorem_2_2": float(theorem_2_2(p, q, lam, weights)),
            "pure": float(total_variation(p, q, weights))}


def by_sign_changes(model: Model) -> dict[str, float]:
    r"""TV as :math:`\int_{D>0} D` between the sign changes of D, by adaptive quadrature.

    Returns:
        ``tv``; ``error``, quad's own estimate plus the disagreement of :math:`\int D_+` and
        :math:`\int D_-`, which are equal (Property 1); ``sign_changes``.

    Raises:
        ValueError: lambda is 1 wherever the background has mass.
    """
    from scipy.integrate import quad
    from scipy.optimize import brentq

    p, q, g = model.densities()
    ends = model.ends()

    def integral(f: Callable[[float], float], points: list[float]) -> tuple[float, float]:
        total, error = 0.0, 0.0
        for a, b in zip(points[:-1], points[1:], strict=True):
            value, bound = quad(f, a, b, epsabs=1e-13, epsrel=1e-12, limit=200)
            total, error = total + value, error + bound
        return total, error

    def at(f: Function) -> Callable[[float], float]:
        return lambda x: float(f(np.float64(x)))

    mesh = [float(v) for v in np.linspace(*ends, 41)]
    redrawn = integral(at(lambda x: (1 - model.fitting(x)) * (p(x) - q(x))), mesh)
    free = integral(at(lambda x: (1 - model.fitting(x)) * g(x)), mesh)
    if not free[0] > 0:
        raise DivisionUndefined("Eq. 18 needs lambda < 1 on a set of positive background mass: eta is "
                                f"divided by {free[0]}")
    moved = redrawn[0] / free[0]

    def difference(x: np.ndarray) -> np.ndarray:
        lam = model.fitting(x)
        return lam * (p(x) - q(x)) + moved * (1 - lam) * g(x)

    fine = np.linspace(*ends, 8001)
    values = difference(fine)
    crossing = np.flatnonzero(values[:-1] * values[1:] < 0)
    roots = [brentq(at(difference), fine[i], fine[i + 1], xtol=1e-14) for i in crossing]
    parts = [0.0, 0.0]
    error = (redrawn[1] + free[1] * abs(moved)) / free[0]
    for a, b in zip([ends[0], *roots], [*roots, ends[1]], strict=True):
        cuts = [a, *(v for v in mesh if a < v < b), b]
        value, bound = integral(at(difference), cuts)
        parts[0] += max(value, 0.0)
        parts[1] += max(-value, 0.0)
        error += bound
    return {"tv": sum(parts) / 2, "error": error + abs(parts[0] - parts[1]),
            "sign_changes": len(roots)}


def closed_form(model: Model) -> float | None:
    r"""``top' (2 Phi(distance/2) - 1)`` for a constant map and unit variances, else None.

    ``top'`` is the constant value of lambda, below 1 (Theorem 2(1) is an equality there).
    """
    if model.shape != "constant" or model.other_sigma != 1:
        return None
    level = 1 - model.keep * (1 - model.top)
    return level * math.erf(model.distance / 2 / math.sqrt(2))


def in_the_plane(
    distance: float, angle: float, half: float, draws: int, panels: int,
    generator: np.random.Generator,
) -> dict[str, Any]:
    r"""Gaussian classes in the plane under a square window, by a tensor rule and by Monte Carlo.

    Pure classes N(-+ distance/2 (cos angle, sin angle), I), background N((1, 0), 4 I), lambda 0.95
    times the product of two windows of half-width ``half`` (Eq. 2 without rotation), around
    (1, 0).  With probability at least 1 - 1e-6 by Hoeffding, the Monte-Carlo value
    :math:`E_{D_y}[(1-p_{y'}/p_y)_+]` (terms in [0, 1]) is within ``half_width`` of its mean, given
    eta from the tensor rule.
    """
    x, weight = rule(-REACH - 3, REACH + 3, panels)
    first, second = np.meshgrid(x, x, indexing="ij")
    points = np.stack([first.ravel(), second.ravel()], axis=-1)
    weights = (weight[:, None] * weight[None, :]).ravel()
    shift = distance / 2 * np.array([math.cos(angle), math.sin(angle)])
    means, spreads = (-shift, shift, np.array([1.0, 0.0])), (1.0, 1.0, 2.0)

    def values(at: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        dense = [np.prod(_gaussian_at(at - m, s), axis=-1)
                 for m, s in zip(means, spreads, strict=True)]
        sides = [window(at[..., i], np.float64(c), np.float64(half), STEEPNESS)
                 for i, c in enumerate((1.0, 0.0))]
        return dense, 0.95 * sides[0] * sides[1]

    (p, q, g), lam = values(points)
    p, q, g = (_normalized(v, weights) for v in (p, q, g))
    mixed = [mixture_density(v, g, lam, weights) for v in (p, q)]
    low, high = separation_bounds(p, q, lam, weights)
    free = float(((1 - lam) * g * weights).sum())
    eta = [float(((1 - lam) * v * weights).sum()) / free for v in (p, q)]

    kept, fresh = (generator.standard_normal((draws, 2)) * s + m
                   for m, s in ((means[0], 1.0), (means[2], 2.0)))
    (here, there, back), level = values(kept)
    total = _share(level, here, there, back, eta, level)  # kept with probability lambda
    (here, there, back), level = values(fresh)
    # redrawn points: importance weights (1 - lambda) p_bg / p_bg
    total += eta[0] * _share(level, here, there, back, eta, 1 - level)
    bound = math.sqrt(math.log(4e6) / (2 * draws)) * (1 + eta[0])
    return {"tv": float(total_variation(*mixed, weights)), "low": float(low), "high": float(high),
            "monte_carlo": total, "half_width": bound, "repeats": draws}


def rule(low: float, high: float, panels: int) -> tuple[np.ndarray, np.ndarray]:
    """Composite Gauss-Legendre nodes and weights, 16 a panel.

    >>> x, w = rule(0.0, 1.0, 3)
    >>> round(float((x**5 * w).sum()), 12)
    0.166666666667
    """
    if panels < 1:
        raise ValueError(f"panels must be at least 1, got {panels}")
    node, weight = np.polynomial.legendre.leggauss(ORDER)
    edges = np.linspace(low, high, panels + 1)
    half = (edges[1:] - edges[:-1]) / 2
    x = ((edges[1:] + edges[:-1]) / 2)[:, None] + half[:, None] * node
    return x.ravel(), (half[:, None] * weight).ravel()


def _share(level: np.ndarray, here: np.ndarray, there: np.ndarray, back: np.ndarray,
           eta: list[float], weight: np.ndarray) -> float:
    """Mean of weight (1 - p_y'/p_y)_+ over points of one of the two parts of D_y."""
    mine = level * here + eta[0] * (1 - level) * back
    other = level * there + eta[1] * (1 - level) * back
    return float(np.mean(weight * np.maximum(1 - other / mine, 0)))


def _gaussian(mean: float, spread: float) -> Function:
    return lambda x: _gaussian_at(x - mean, spread)


def _gaussian_at(x: np.ndarray, spread: float) -> np.ndarray:
    return np.exp(-0.5 * (x / spread) ** 2) / (spread * math.sqrt(2 * math.pi))


def _normalized(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Divided by the rule's integral, 1 up to rounding: eta then sees no quadrature error."""
    return values / (values * weights).sum()
