r"""The divergence of two coins and its inverses, on the safe side also in floating point.

.. math:: kl(q\|p) = q\ln\frac qp + (1-q)\ln\frac{1-q}{1-p}

With :math:`h(a, b) = a\ln(a/b) + b - a \ge 0` it is :math:`h(q, p) + h(1-q, 1-p)`: both terms are
non-negative, so nothing cancels, and the relative error is below :data:`ROUNDING`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from theory.bounds.checks import check_range

ROUNDING = 2.0**-47
"""64 half-units in the last place: bounds the sum of the roundings (logarithms to 4 units)."""

_LEAST = 1e-290
"""Below it products may be subnormal: a smaller positive divergence is taken for this one."""

_CHUNK = 2**13

_SERIES = [1 / (2 * k + 3) for k in range(17)]


def binary_kl(q: Any, p: Any) -> np.ndarray:
    r""":math:`kl(q\|p)`, nats; infinite where p is 0 or 1 and q is not.

    Args:
        q, p: probabilities, broadcast.

    >>> round(float(binary_kl(0.1, 0.2)), 6), float(binary_kl(0.0, 1.0))
    (0.03669, inf)

    Raises:
        ValueError: outside [0, 1].
    """
    return _kl(check_range("q", q, 0, 1), check_range("p", p, 0, 1))[()]


def kl_upper(q: Any, c: Any) -> np.ndarray:
    r""":math:`\sup\{p : kl(q\|p) \le c\}`, never below it.

    Newton's steps give a candidate; it moves outward until its divergence, less what rounding can have
    added, reaches c.  The divergence grows from q to 1, so such a candidate is outside.

    Args:
        q: probabilities, broadcast with c.
        c: nats >= 0, also infinite.

    >>> float(kl_upper(0.25, 0.0)), round(float(kl_upper(0.0, 1.0)), 6)
    (0.25, 0.632121)

    Raises:
        ValueError: q outside [0, 1] or c negative.
    """
    q, c = _check(q, c)
    return _outer(q, c, +1)[()]


def kl_lower(q: Any, c: Any) -> np.ndarray:
    r""":math:`\inf\{p : kl(q\|p) \le c\}`, never above it; as :func:`kl_upper`.

    Solved on its own, not as :math:`1 - \sup` at 1 - q, which would lose the digits of small ends.

    >>> float(kl_lower(0.25, 0.0)), round(float(kl_lower(1.0, 1.0)), 6)
    (0.25, 0.367879)
    """
    q, c = _check(q, c)
    return _outer(q, c, -1)[()]


def _check(q: Any, c: Any) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.broadcast_arrays(check_range("q", q, 0, 1), check_range("c", c, 0, np.inf)))


def _kl(q: np.ndarray, p: np.ndarray) -> np.ndarray:
    gap = p - q
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return _half(q, p, gap) + _half(1 - q, 1 - p, -gap)


def _half(a: np.ndarray, b: np.ndarray, gap: np.ndarray) -> np.ndarray:
    r"""h(a, b) from gap = b - a.

    Near a = b by :math:`\ln(b/a) = 2\,\mathrm{artanh}\,z`, :math:`z = (b-a)/(b+a)`, whose first term
    cancels the gap: :math:`h = z\,(b - a - 2 a z^2 (1/3 + z^2/5 + \dots))`.
    """
    ratio = np.minimum(b / a, 1e300)
    z = gap / (a + b)
    square = z * z
    tail = np.full_like(square, _SERIES[-1])
    for coefficient in _SERIES[-2::-1]:
        tail *= square
        tail += coefficient
    near = z * (gap - 2 * a * square * tail)
    far = gap - a * np.log(ratio)
    return np.where(a > 0, np.where((ratio > 0.5) & (ratio < 2), near, far), b)


def _outer(q: np.ndarray, c: np.ndarray, side: int) -> np.ndarray:
    """The end on that side of q: above for +1, below for -1."""
    beyond = 1.0 if side > 0 else 0.0
    closed = -np.expm1(-c) * (1 + 2.0**-50) if side > 0 else np.exp(-c) * (1 - 2.0**-50)
    end = np.where(q == 1 - beyond, np.minimum(closed, 1), np.where(np.isinf(c), beyond, q))
    end = np.where(c > 0, end, q)
    todo = (c > 0) & (c < np.inf) & (q > 0) & (q < 1)
    pairs = np.stack([q[todo], np.maximum(c[todo], _LEAST)])
    parts = np.array_split(pairs, range(_CHUNK, pairs.shape[1], _CHUNK), axis=1)
    end[todo] = np.concatenate([_inner(*part, side) for part in parts])
    return end


def _inner(q: np.ndarray, c: np.ndarray, side: int) -> np.ndarray:
    """The same where neither q nor c is at an end of its range."""
    with np.errstate(all="ignore"):
        near = _newton(q, c * (1 + 1.5 * ROUNDING), _start(q, c, side), side)
    return _outward(q, c, near, side)


def _start(q: np.ndarray, c: np.ndarray, side: int) -> np.ndarray:
    r"""A point outside, by lower bounds of the divergence, the integral of (t - q)/(t(1 - t)).

    As t(1 - t) is at most t and 1 - t, for p > q it is at least :math:`(p-q)^2/(2p)` and
    :math:`(p-q)^2/(2(1-q))`; it is also at least :math:`(1-q)\ln\frac1{1-p} - H(q)`.  For p < q the
    same holds of 1 - q and 1 - p.
    """
    a, b = (q, 1 - q) if side > 0 else (1 - q, q)
    entropy = -q * np.log(q) - (1 - q) * np.log1p(-q)
    gap = np.minimum(c + np.sqrt(c) * np.sqrt(c + 2 * a), np.sqrt(2 * c * b))
    end = np.exp(-(c + entropy) / b)
    return np.minimum(q + gap, 1 - end) if side > 0 else np.maximum(q - gap, end)


def _newton(q: np.ndarray, c: np.ndarray, p: np.ndarray, side: int) -> np.ndarray:
    """The divergence is convex in p: from outside, the steps come monotonically nearer."""
    low, high = (np.nextafter(q, 2), 1 - 2.0**-53) if side > 0 else (5e-324, np.nextafter(q, -1))
    p = np.clip(p, low, high)
    for _ in range(30):
        slope = (p - q) / (p * (1 - p))
        moved = np.clip(p - (_kl(q, p) - c) / slope, low, high)
        scale = np.minimum(np.minimum(p, 1 - p), np.abs(p - q))
        done = np.abs(moved - p) <= np.maximum(1e-8 * scale, 2.0**-50 * p)
        p = moved
        if done.all():
            break
    return p


def _outward(q: np.ndarray, c: np.ndarray, p: np.ndarray, side: int) -> np.ndarray:
    """Away from q by growing steps, until the divergence surely reaches c."""
    p = np.where(np.isnan(p), (1 + side) / 2, np.clip(p, 0, 1))
    step = np.maximum(p * 2.0**-52, 5e-324)
    while True:
        inside = ~(_kl(q, p) * (1 - ROUNDING) >= c)
        if not inside.any():
            return p
        p[inside] = np.clip(p[inside] + side * step[inside], 0, 1)
        step = step * 2
