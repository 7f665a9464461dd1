r"""When two inputs of :math:`M(x)=x+f(x)\odot x` collide: a determinant decides  [App. F].

Let x have no zero position, :math:`L=\log(1+f)` and :math:`\Phi_x(t)=t+L(e^t\odot x)` on R^n, one
coordinate a position.  M maps :math:`e^t\odot x` and :math:`e^{t'}\odot x` to one output iff
:math:`\Phi_x(t)=\Phi_x(t')`, and no other pairs collide.  L is bounded (by log 2, or log(1 + HW) for
the rescaled map), so for continuous L each :math:`\Phi_x` is proper and of degree 1, whence, with
:math:`J=\partial L(e^t\odot x)/\partial t` at t = 0 and a smooth f on a domain that is closed under
positive scaling of positions:

* if det(I + J) > 0 at every input, each :math:`\Phi_x` is a homeomorphism (Hadamard) and M is
  injective;
* if det(I + J) < 0 at one input, M is not injective: the degree counts preimages with the sign of
  the determinant, and a single preimage of sign -1 would make it -1.

Positions where x is zero stay zero; the same holds for the others.  The condition on the
logarithmic scale (:func:`theory.injectivity.log_scale_margin`) asks, for small t, that the row sums
of |J| stay below 1, which implies the first case.  In the coordinates of x,
:math:`\det DM(x)=\det(I+J)\prod_{ij}(1+f_{ij})^C`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any

import numpy as np

Map = Callable[[np.ndarray], np.ndarray]
DIGITS = 60


@dataclass(frozen=True)
class Pair:
    """Two inputs with (numerically) one output.

    Attributes:
        x, y: ``(H, W, C)``.
        relative_residual: ``max |M(x) - M(y)| / max |M(x)|``, in float64.
        distance: ``max |x - y| / max |x|``.
    """

    x: np.ndarray
    y: np.ndarray
    relative_residual: float
    distance: float


def scale_jacobian(f: Map, x: np.ndarray, *, rescaled: bool = False) -> np.ndarray:
    r""":math:`J=\partial L_{ij}(e^t\odot x)/\partial t_{kl}` at t = 0, ``(n, n)``, n = HW.

    By complex steps, exact to rounding; f must be analytic and take complex arrays.
    """
    height, width = x.shape[:2]
    size, step = height * width, 1e-30
    columns = []
    for position in range(size):
        moved = x.astype(np.complex128).reshape(size, -1)
        moved[position] *= 1 + 1j * step
        columns.append(_log(f, moved.reshape(x.shape), rescaled).imag.ravel() / step)
    return np.stack(columns, axis=-1)


def module_jacobian(f: Map, x: np.ndarray, *, rescaled: bool = False) -> np.ndarray:
    """Jacobian of M at x in the coordinates of x, ``(HWC, HWC)``, by complex steps."""
    size, step = x.size, 1e-30
    columns = []
    for entry in range(size):
        moved = x.astype(np.complex128).ravel()
        moved[entry] += 1j * step
        moved = moved.reshape(x.shape)
        columns.append((moved * (1 + _map(f, moved, rescaled)[..., None])).imag.ravel() / step)
    return np.stack(columns, axis=-1)


def determinant(f: Map, x: np.ndarray, *, rescaled: bool = False) -> float:
    """``det(I + J)``: negative at one input means that M is not injective."""
    jacobian = scale_jacobian(f, x, rescaled=rescaled)
    return float(np.linalg.det(np.eye(len(jacobian)) + jacobian))


def row_sum(f: Map, x: np.ndarray, *, rescaled: bool = False) -> float:
    """Largest row sum of |J|: below 1 everywhere, the condition on the logarithmic scale holds."""
    return float(abs(scale_jacobian(f, x, rescaled=rescaled)).sum(axis=1).max())


def collision_from(
    f: Map, x: np.ndarray, *, rescaled: bool = False, steps: int = 4000, tolerance: float = 1e-10
) -> Pair | None:
    r"""A partner of an input with det(I + J) < 0, or None if the flow ends elsewhere.

    I + J then has a negative eigenvalue, so t = 0 is an unstable rest point of the bounded flow
    :math:`\dot t=\Phi_x(0)-\Phi_x(t)`.  Both ways off it are followed until they come to rest,
    and the end is refined by Newton steps; near det = 0 the flow is slow, so larger first steps are
    tried too.
    """
    size = x.shape[0] * x.shape[1]
    jacobian = np.eye(size) + scale_jacobian(f, x, rescaled=rescaled)
    values, vectors = np.linalg.eig(jacobian)
    away = vectors[:, int(np.argmin(values.real))].real
    target = _log(f, x, rescaled).ravel()

    def at(t: np.ndarray) -> np.ndarray:
        return x * np.exp(t.reshape(x.shape[:2]))[..., None]

    def off(t: np.ndarray) -> np.ndarray:
        return t + _log(f, at(t), rescaled).ravel() - target

    for first in (1e-3, -1e-3, 3e-2, -3e-2, 0.3, -0.3):
        t = first * away / abs(away).max()
        rate = 1 / (1 + abs(jacobian).sum(axis=1).max())
        for _ in range(steps):
            move = off(t)
            t = t - rate * move
            if abs(move).max() < 1e-9:
                break
        for _ in range(20):
            slope = np.eye(size) + scale_jacobian(f, at(t), rescaled=rescaled)
            if abs(np.linalg.det(slope)) < 1e-12:
                break
            t = t - np.linalg.solve(slope, off(t))
            if abs(t).max() > 50:
                break
        if 1e-6 < abs(t).max() <= 50:
            pair = _pair(f, x, at(t), rescaled)
            if pair.relative_residual <= tolerance * pair.distance:
                return pair
    return None


def verified(
    f: Callable[[np.ndarray, Callable[[Any], Any]], np.ndarray], pair: Pair, *,
    rescaled: bool = False, steps: int = 40
) -> dict[str, float]:
    r"""The collision and the sign of its determinant again, in decimal arithmetic of 60 digits.

    Args:
        f: the predictor with a second argument, the conversion of its weights.

    Returns:
        ``residual``: ``|Phi(t)|_inf`` after y is refined by simplified Newton steps (Jacobian in
        float64, values in decimals); ``moved``: how far that moved log y; ``distance``:
        ``|log y - log x|_inf`` after it; ``determinant``: of I + J at x, by central differences of
        step 1e-20.
    """
    with localcontext() as context:
        context.prec = DIGITS
        exact = np.vectorize(Decimal, otypes=[object])

        def log(x: np.ndarray) -> np.ndarray:
            values = _map(lambda v: f(v, exact), x, rescaled)
            return np.vectorize(lambda v: (1 + v).ln(), otypes=[object])(values)

        def at(x: np.ndarray, t: np.ndarray) -> np.ndarray:
            return x * np.exp(t)[..., None]

        x, grid = exact(pair.x), pair.x.shape[:2]
        start = np.log(pair.y / pair.x)[..., 0]
        t, target = exact(start), log(x)
        slope = np.eye(start.size) + scale_jacobian(lambda v: f(v, np.asarray), pair.y,
                                                    rescaled=rescaled)
        inverse = exact(np.linalg.inv(slope))
        for _ in range(steps):
            off = (t + log(at(x, t)) - target).ravel()
            if max(abs(v) for v in off) < Decimal(10) ** (12 - DIGITS):
                break
            t = t - (inverse @ off).reshape(grid)
        off = t + log(at(x, t)) - target
        step, columns = Decimal(10) ** -20, []
        for position in np.ndindex(*grid):
            ends = []
            for sign in (1, -1):
                shift = np.full(grid, Decimal(0), dtype=object)
                shift[position] = sign * step
                ends.append(log(at(x, shift)).ravel())
            columns.append((ends[0] - ends[1]) / (2 * step))
        matrix = np.eye(start.size) + np.stack(columns, axis=-1).astype(np.float64)
        return {"residual": float(max(abs(v) for v in off.ravel())),
                "moved": float(max(abs(v) for v in (t - exact(start)).ravel())),
                "distance": float(max(abs(v) for v in t.ravel())),
                "determinant": float(np.linalg.det(matrix))}


def sign_change(
    f: Callable[[np.ndarray, Callable[[Any], Any]], np.ndarray], pair: Pair, width: float = 1e-12
) -> bool:
    r"""Whether the collision is certain for a predictor whose map is one number for all positions.

    Then y = e^s x and :math:`h(s)=s+L(e^s x)-L(x)` is a continuous function of one variable with
    h(0) = 0.  True iff h has opposite signs at s - width and s + width, in decimal arithmetic of 60
    digits (far from rounding): by the intermediate value theorem a root lies between, not at 0.

    Raises:
        ValueError: a pair that is not (nearly) one multiple of the other.
    """
    t = np.log(pair.y / pair.x)
    if np.ptp(t) > 1e-9:
        raise ValueError(f"y must be a multiple of x, got log ratios that differ by {np.ptp(t)}")
    with localcontext() as context:
        context.prec = DIGITS
        exact = np.vectorize(Decimal, otypes=[object])
        x, middle = exact(pair.x), Decimal(float(np.mean(t)))

        def height(s: Decimal) -> Decimal:
            here, there = (f(v, exact).ravel()[0] for v in (x, x * s.exp()))
            return s + (1 + there).ln() - (1 + here).ln()

        ends = [height(middle + sign * Decimal(width)) for sign in (-1, 1)]
        safe = min(abs(v) for v in ends) > Decimal(10) ** (10 - DIGITS)
        return bool(ends[0] * ends[1] < 0 and safe and abs(middle) > Decimal(width))


def _map(f: Map, x: np.ndarray, rescaled: bool) -> np.ndarray:
    """f or, ``rescaled``, f / mean f (Eq. 7), for real, complex and decimal arrays alike."""
    values = f(x)
    return values * values.size / values.sum() if rescaled else values


def _log(f: Map, x: np.ndarray, rescaled: bool) -> np.ndarray:
    return np.log(1 + _map(f, x, rescaled))


def _pair(f: Map, x: np.ndarray, y: np.ndarray, rescaled: bool) -> Pair:
    out = [v * (1 + _map(f, v, rescaled)[..., None]) for v in (x, y)]
    return Pair(x, y, float(abs(out[0] - out[1]).max() / abs(out[0]).max()),
                float(abs(x - y).max() / abs(x).max()))
