r"""Where between its two ends the separation of Theorem 2 lies, and how far a better map can lower it.

Densities are ``(..., atoms)`` NumPy arrays of floats, or object arrays of Fractions for exact
results.  With :math:`d=p_y-p_{y'}`, :math:`m=\int\lambda d=A_+-A_-`, s the sign of m and
:math:`q\propto(1-\lambda)p_{bg}` the density of the redrawn points, the contaminated classes differ
by :math:`\lambda d-mq`, so that

.. math:: d_{TV}(D_y,D_{y'}) = \max(A_+,A_-) - \int\min(|m|\,q,\ \lambda d_s)\,d\nu.

It equals max(A+, A-) iff q has no mass where :math:`\lambda d_s>0`, and min(A+, A-) iff
:math:`|m|q\le\lambda d_s`.  For maps with values 0 and 1 it is always max(A+, A-), and no better
map, binary or not, lowers it: q and the part of {lambda = 1} where d_s > 0 never meet.
"""

from __future__ import annotations

import math
from fractions import Fraction
from numbers import Number, Rational
from typing import Any

import numpy as np

from theory.separation import mixture_density, normalization, separation_bounds, total_variation


def separation(
    pure: np.ndarray, other: np.ndarray, background: np.ndarray, fitting: np.ndarray
) -> np.ndarray:
    """Total variation of the two contaminated classes, from their densities  [Eq. 18, Def. 5.4]."""
    return total_variation(*(mixture_density(p, background, fitting) for p in (pure, other)))


def absorbed(
    pure: np.ndarray, other: np.ndarray, background: np.ndarray, fitting: np.ndarray
) -> np.ndarray:
    r""":math:`\int\min(|m|q,\lambda d_s)\,d\nu`: how far TV is below max(A+, A-); ``(...)``.

    It lies between 0 and ``|m| = max - min``.

    Raises:
        ValueError: as :func:`theory.separation.normalization`; no densities, lambda outside [0, 1],
            or lambda = 1 wherever the background has mass, where Eq. 18 is not defined.
    """
    for density in (pure, other):
        normalization(density, background, fitting)
    moved, side = _sided(pure, other, fitting)
    free = (1 - fitting) * background
    redrawn = free / free.sum(axis=-1, keepdims=True)
    return np.minimum(abs(moved) * redrawn, side).sum(axis=-1)


def background_range(
    pure: np.ndarray, other: np.ndarray, fitting: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    r"""Smallest and largest separation over all backgrounds, each ``(...)``.

    Backgrounds with (1 - lambda) p_bg > 0 somewhere give every density q on {lambda < 1}.  The
    absorbed part is concave in q, so it is least for one atom, ``min(|m|, min lambda d_s)``, and
    largest, ``min(|m|, sum lambda d_s)`` over {lambda < 1}, for q below ``lambda d_s / |m|``.

    Raises:
        ValueError: lambda is 1 everywhere, where Eq. 18 is never defined.
    """
    if not np.all((fitting < 1).any(axis=-1)):
        raise ValueError("some lambda must be below 1, got lambda = 1 at every atom")
    moved, side = _sided(pure, other, fitting)
    size = abs(moved)[..., 0]
    _, high = separation_bounds(pure, other, fitting)
    open_ = fitting < 1
    most = np.where(open_, side, 0 * side).sum(axis=-1)
    least = np.where(open_, side, 1 + side).min(axis=-1)
    return high - np.minimum(size, most), high - np.minimum(size, least)


def gap_bound(low: float, high: float, pure_separation: float = 1.0) -> float:
    r"""Largest fall of the separation when a map in [low, high] gets better, a sharp bound:

    .. math:: d_{TV}(\lambda_1)-d_{TV}(\lambda_2)\le
              \frac{(\sqrt{1-l}-\sqrt{1-u})^2}{u}\,d_{TV}(D^{pure}_y,D^{pure}_{y'}),
              \qquad l\le\lambda_1\le\lambda_2\le u.

    Three atoms attain it if u < 1 (:func:`gap_witness`) and come as near as you like if u = 1,
    where it is 1 - l.

    Proof.  If m1 and m2 have no common sign the sandwich shows that TV grows; else let both be
    positive (swap the classes).  Let E be where D1 = lambda1 d - m1 q1 < 0 or d <= 0, X its part with
    d > 0, e the mass q2 has on E without X, Q = q1(E), T the pure TV, t = (l + Q(u - l))/u.
    TV(lambda2) is at least the integral of -D2 against the test function that is 1 on E without X
    and t on X.  With R = e + t q2(X): if R <= Q the terms in d(X) add up to at most 0 and the gap is
    at most (u - l) T (Q - R), where R >= t q2(E).  The odds of q2(E) are at least (1-u)/(1-l) times
    those of Q; the maximum over Q is the right-hand side.  If R > Q, a smaller t with R = Q, or t = 0
    where e > Q, shows that the gap is at most 0 (the claim ``sec-5.2-gap-bound`` has the lemmas).

    Raises:
        ValueError: not 0 <= low <= high <= 1; a pure separation outside [0, 1].

    >>> gap_bound(0.0, 1.0), gap_bound(0.0, 0.75)
    (1.0, 0.3333333333333333)
    """
    if not 0 <= low <= high <= 1:
        raise ValueError(f"0 <= low <= high <= 1 must hold, got low = {low}, high = {high}")
    if not 0 <= pure_separation <= 1:
        raise ValueError(f"a total variation lies in [0, 1], got {pure_separation}")
    if high == 0:
        return 0.0
    # (a - b)^2 = ((u - l) / (a + b))^2, without cancellation for u near l
    sides = math.sqrt(1 - low) + math.sqrt(1 - high)
    return ((high - low) / sides) ** 2 / high * pure_separation if high > low else 0.0


def gap_inside_bound(low: float, high: float, inside: float) -> float:
    r"""A bound on the same fall if the background has mass at most ``inside`` where d is not 0.

    TV(lambda1) <= max1 <= max2 and TV(lambda2) >= max2 - m2 q2(d != 0), with m2 <= u - l and the
    odds of q2 at most c = (1-l)/(1-u) times those of the background.  It is the smaller of this
    and :func:`gap_bound`, for pure classes at distance 1; 0 if the background never meets d != 0:
    then TV = max(A+, A-), which does grow with lambda.

    Raises:
        ValueError: as :func:`gap_bound`, or ``inside`` outside [0, 1].
    """
    if not 0 <= inside <= 1:
        raise ValueError(f"a mass lies in [0, 1], got inside = {inside}")
    general = gap_bound(low, high)
    weight = (1 - low) * inside
    if weight == 0:
        return 0.0
    return min(general, (high - low) * weight / (weight + (1 - high) * (1 - inside)))


def gap_witness(a: Fraction, b: Fraction) -> dict[str, np.ndarray]:
    r"""Three atoms whose separation falls by exactly :func:`gap_bound`, in exact arithmetic.

    Args:
        a, b: :math:`\sqrt{1-l}` and :math:`\sqrt{1-u}`, with 0 < b < a <= 1.

    Returns:
        ``pure``, ``other``, ``background``, and the maps ``low`` <= ``high``.

    Raises:
        ValueError: not 0 < b < a <= 1.
        TypeError: a float, whose arithmetic is not exact.

    >>> w = gap_witness(Fraction(1), Fraction(1, 2))
    >>> print(*(separation(w["pure"], w["other"], w["background"], w[k]) for k in ("low", "high")))
    1/3 0
    """
    for name, value in (("a", a), ("b", b)):
        if isinstance(value, Number) and not isinstance(value, Rational):
            raise TypeError(f"{name} must be exact (a Fraction or an int), got {value!r}")
    if not 0 < b < a <= 1:
        raise ValueError(f"0 < b < a <= 1 must hold, got a = {a}, b = {b}")
    return {name: np.array(values, dtype=object) for name, values in witness_atoms(a, b).items()}


def witness_atoms(a: Any, b: Any) -> dict[str, tuple[Any, ...]]:
    """The model of :func:`gap_witness` for anything that has arithmetic, symbols too."""
    low, high, zero = 1 - a * a, 1 - b * b, a - a
    part = (a - b) * b / high  # mass of p where the map gets better
    return {"pure": (1 - part, part, zero), "other": (zero, zero, zero + 1),
            "background": (a / (a + b), b / (a + b), zero),
            "low": (high, low, low), "high": (high, high, low)}


def proportional(fitting: np.ndarray, keep: Any) -> np.ndarray:
    r"""The map whose errors are all smaller by one factor, :math:`1-\lambda'=s(1-\lambda)`.

    Along this path TV never falls: q stays, so the difference of classes is s D + (1-s) d and TV
    is convex in s; at s = 1 its slope in 1-s is :math:`\int_{D>0}(d-D)\ge 0`, as d >= lambda d >= D
    there.

    Raises:
        ValueError: a factor s = ``keep`` outside [0, 1].
    """
    if not np.all((keep >= 0) & (keep <= 1)):
        raise ValueError(f"keep must lie in [0, 1], got {keep}")
    return 1 - keep * (1 - fitting)


def _sided(
    pure: np.ndarray, other: np.ndarray, fitting: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """m, with the last axis kept, and ``lambda d_s``."""
    change = fitting * (pure - other)
    moved = change.sum(axis=-1, keepdims=True)
    side = np.where(moved > 0, change, -change)
    return moved, np.where(side > 0, side, 0 * side)

