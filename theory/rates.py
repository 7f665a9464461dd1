r"""Catching, missing and fitting rate of two masks.

All functions are batched over leading axes, shapes ``(..., H, W)``, broadcast like the array
library does, and take NumPy arrays, torch tensors (with autograd) or any array-API array.

Values.  A *mask* holds -1 (outside) and +1 (inside).  :math:`\Psi` is bilinear, so soft maps in
[-1, 1] are meaningful too, and Proposition 1 applies it to {0, 1} arrays; the two rates therefore
accept every value in [-1, 1].  Boolean arrays are refused (``TypeError``): say whether False means
-1 or 0 by calling :func:`theory.masks.signed` or ``astype``.

``where=`` is a boolean array broadcastable to the masks; False marks ignored positions, which count
neither in the sum nor in the number of positions.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from theory.arrays import (
    Array,
    DivisionUndefined,
    as_arrays,
    first_bad,
    is_floating,
    to_numpy,
)


def catching_rate(a: Array, b: Array, *, where: Array | None = None, check: bool = True) -> Array:
    r"""Catching rate :math:`\Psi(a,b) = \frac1{HW}\sum_{ij} a_{ij} b_{ij}`  [Def. 5.1, Eq. 11].

    Args:
        a, b: ``(..., H, W)``, values in [-1, 1].
        where: boolean, positions to count; all when None.
        check: test values and shapes (reads the data).

    Returns:
        ``(...)``, in [-1, 1].  Integer input gives float64 (exact sums, one division).

    Raises:
        ValueError: values outside [-1, 1], NaN, shapes that do not broadcast, no position to count.
        TypeError: boolean or complex input.

    >>> import numpy as np
    >>> float(catching_rate(np.array([[1, -1], [1, 1]]), np.array([[1, 1], [1, 1]])))
    0.5
    """
    xp, a, b, where = _prepare(a, b, where, check)
    return _mean_of_product(xp, a, b, where)


def missing_rate(a: Array, b: Array, *, where: Array | None = None, check: bool = True) -> Array:
    r"""Missing rate :math:`\Phi(a,b) = \frac12(1-\Psi(a,b))`  [Eq. 12].

    On masks this is the normalised Hamming distance.  Arguments and errors as
    :func:`catching_rate`; the result lies in [0, 1].

    >>> import numpy as np
    >>> float(missing_rate(np.array([[1, -1]]), np.array([[1, 1]])))
    0.5
    """
    return (1 - catching_rate(a, b, where=where, check=check)) / 2


def fitting_rate(
    a: Array,
    b: Array,
    *,
    zero_division: float | str = 1.0,
    where: Array | None = None,
    soft: bool = False,
    check: bool = True,
) -> Array:
    r"""Fitting rate :math:`\tilde\Psi = \frac{\Psi((a+1)/2,(b+1)/2)}{2\Phi((1-a)/2,(1-b)/2)}`.

    [Def. 5.3, Eq. 21.]  On masks it is the Jaccard index (IoU) of the two supports [Prop. 1].

    Args:
        a, b: ``(..., H, W)`` masks with values -1 and +1; with ``soft=True`` any values in [-1, 1].
        zero_division: the value of 0/0, when both supports are empty; a number, or ``"raise"``.
            The name is scikit-learn's.  The default is 1.0 because it is the only value that keeps
            "the fitting rate is 1 iff the masks are equal" [Def. 5.3] true of two empty masks;
            metrics that must not reward empty predictions pass 0.0.
        where, check: as in :func:`catching_rate`.

    Raises:
        ValueError: other values (a {0, 1} array is most likely a mistake here: see
            :func:`theory.masks.signed`), or 0/0 with ``zero_division="raise"``.

    >>> import numpy as np
    >>> float(fitting_rate(np.array([[1, 1, -1]]), np.array([[-1, 1, 1]])))
    0.3333333333333333
    """
    if isinstance(zero_division, str) and zero_division != "raise":
        raise ValueError(f"zero_division must be a number or 'raise', got {zero_division!r}")
    if zero_division == "raise" and not check:
        raise ValueError("zero_division='raise' reads the data: it needs check=True")
    xp, a, b, where = _prepare(a, b, where, check)
    if check and not soft:
        for x in (a, b):
            good = (x == 1) | (x == -1)
            if not bool(xp.all(good)):
                raise ValueError(
                    "fitting_rate takes masks with values -1 and +1 (or soft=True), got "
                    f"{first_bad(xp, x, good)}"
                )
    dtype = xp.result_type(*_floating(xp, a, b))
    if soft:
        p, q = ((_wide(xp, x) + 1) / 2 for x in _floating(xp, a, b))
        intersection, union = p * q, p + q - p * q  # 1 - (1-p)(1-q), without cancellation
    else:
        first, second = a == 1, b == 1
        intersection, union = first & second, first | second
    intersection, union = _sum(xp, intersection, where), _sum(xp, union, where)
    empty = union <= 0
    if zero_division == "raise":
        if bool(xp.any(empty)):
            raise DivisionUndefined(
                "fitting rate is 0/0: both supports are empty (zero_division='raise')")
        return xp.astype(intersection / union, dtype)
    fill = xp.full_like(union, float(zero_division))
    rate = xp.where(empty, fill, intersection / xp.where(empty, xp.ones_like(union), union))
    return xp.astype(rate, dtype)


def catching_rate_exact(a: Array, b: Array) -> Fraction:
    """The catching rate of two single integer masks as a ``Fraction``  [Eq. 11].

    >>> catching_rate_exact([[1, -1, 1]], [[1, 1, 1]])
    Fraction(1, 3)
    """
    a, b = _exact_pair(a, b)
    return Fraction(int((a * b).sum()), a.size)


def missing_rate_exact(a: Array, b: Array) -> Fraction:
    """The missing rate of two single integer masks as a ``Fraction``  [Eq. 12].

    >>> missing_rate_exact([[1, -1, 1]], [[1, 1, 1]])
    Fraction(1, 3)
    """
    return (1 - catching_rate_exact(a, b)) / 2


def fitting_rate_exact(
    a: Array, b: Array, *, zero_division: Fraction | int | str = 1
) -> Fraction:
    """The fitting rate of two single masks as a ``Fraction``  [Eq. 21].

    >>> fitting_rate_exact([[1, 1, -1]], [[-1, 1, 1]])
    Fraction(1, 3)
    """
    a, b = _exact_pair(a, b)
    if not (np.isin(a, (-1, 1)).all() and np.isin(b, (-1, 1)).all()):
        raise ValueError("fitting_rate takes masks with values -1 and +1")
    intersection = catching_rate_exact((a + 1) // 2, (b + 1) // 2)
    union = 2 * missing_rate_exact((1 - a) // 2, (1 - b) // 2)
    if union == 0:
        if zero_division == "raise":
            raise DivisionUndefined(
                "fitting rate is 0/0: both supports are empty (zero_division='raise')")
        return Fraction(zero_division)
    return intersection / union


def _exact_pair(a: Array, b: Array) -> tuple[np.ndarray, np.ndarray]:
    a, b = to_numpy(a), to_numpy(b)
    for x in (a, b):
        if x.ndim != 2 or x.size == 0:
            raise ValueError(f"an exact rate takes single masks of shape (H, W), got {x.shape}")
        if not np.issubdtype(x.dtype, np.integer):
            raise TypeError(f"an exact rate takes integer arrays, got {x.dtype}")
        if not np.isin(x, (-1, 0, 1)).all():
            raise ValueError("an exact rate takes values -1, 0, +1, got other values")
    if a.shape != b.shape:
        raise ValueError(f"masks must have one shape, got {a.shape} and {b.shape}")
    return a.astype(np.int64), b.astype(np.int64)


def _prepare(a: Array, b: Array, where: Array | None, check: bool) -> tuple[Any, ...]:
    try:
        xp, a, b = as_arrays(a, b, check_finite=check)
    except (TypeError, ValueError) as error:
        if "finite" in str(error):
            raise
        raise TypeError(f"masks must be arrays of one library: {error}") from error
    if where is not None:
        where = as_arrays(a, where, check_finite=False)[2]
        if not xp.isdtype(where.dtype, "bool"):
            raise TypeError(f"where must be boolean, got {where.dtype}")
    if check:
        _check(xp, a, b, where)
    return xp, a, b, where


def _check(xp: Any, a: Array, b: Array, where: Array | None) -> None:
    for x in (a, b):
        if xp.isdtype(x.dtype, "bool"):
            raise TypeError("a boolean mask is ambiguous (is False -1 or 0?): use theory.signed")
        if xp.isdtype(x.dtype, "complex floating"):
            raise TypeError(f"masks must be real, got {x.dtype}")
        if x.ndim < 2:
            raise ValueError(f"masks must have shape (..., H, W), got {tuple(x.shape)}")
        good = (x >= -1) & (x <= 1)
        if not bool(xp.all(good)):
            raise ValueError(f"mask values must lie in [-1, 1], got {first_bad(xp, x, good)}")
    if a.shape[-2:] != b.shape[-2:]:
        raise ValueError(
            f"masks must share their grid (H, W), got {tuple(a.shape)} and {tuple(b.shape)}"
        )
    if 0 in a.shape[-2:]:
        raise ValueError(f"a mask needs at least one position, got shape {tuple(a.shape)}")
    try:
        shape = np.broadcast_shapes(tuple(a.shape), tuple(b.shape))
        if where is not None:
            full = np.broadcast_shapes(shape, tuple(where.shape))
            if full[-2:] != shape[-2:]:
                raise ValueError("where is larger than the grid")
            shape = full
    except ValueError as error:
        shapes = [tuple(x.shape) for x in (a, b, where) if x is not None]
        raise ValueError(f"shapes do not broadcast: {shapes}") from error
    if where is not None:
        counted = xp.any(xp.broadcast_to(where, shape), axis=(-2, -1))
        if not bool(xp.all(counted)):
            raise ValueError("where must keep at least one position of every mask, got none")


def _floating(xp: Any, *arrays: Array) -> tuple[Array, ...]:
    return tuple(x if is_floating(xp, x) else xp.astype(x, xp.float64) for x in arrays)


def _wide(xp: Any, x: Array) -> Array:
    """Half-precision values as float32: sums over a grid overflow or round in 16 bits."""
    return xp.astype(x, xp.float32) if xp.finfo(x.dtype).bits < 32 else x


def _sum(xp: Any, x: Array, where: Array | None) -> Array:
    """Sum over the grid: counts of booleans exactly, as float64."""
    if where is not None:
        x = xp.where(where, x, xp.zeros_like(x))
    if xp.isdtype(x.dtype, "bool"):
        return xp.astype(xp.sum(xp.astype(x, xp.int64), axis=(-2, -1)), xp.float64)
    return xp.sum(x, axis=(-2, -1))


def _mean_of_product(xp: Any, a: Array, b: Array, where: Array | None) -> Array:
    if not is_floating(xp, a) and not is_floating(xp, b):
        # exact: int8 products of -1, 0, 1 summed in int64
        product = xp.astype(a, xp.int64) * xp.astype(b, xp.int64)
        dtype = xp.float64
    else:
        a, b = _floating(xp, a, b)
        dtype = xp.result_type(a, b)
        product = _wide(xp, a) * _wide(xp, b)
    if where is None:
        count: Any = product.shape[-1] * product.shape[-2]
    else:
        product = xp.where(where, product, xp.zeros_like(product))
        kept = xp.astype(xp.broadcast_to(where, product.shape), xp.int64)
        count = xp.astype(xp.sum(kept, axis=(-2, -1)), xp.float64)
    total = xp.sum(product, axis=(-2, -1))
    if not is_floating(xp, total):
        total = xp.astype(total, xp.float64)
    return xp.astype(total / count, dtype)
