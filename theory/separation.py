r"""The contamination model, total variation and the separation of two classes  [5.2, App. E].

The last axis of every array runs over *atoms*: points that carry mass, or the nodes of a
quadrature rule.  ``weights`` is the reference measure nu of the atoms (1 each when None; a scalar
is a uniform rule), so that :math:`\int p\,d\nu` is ``sum(p * weights)``.  Leading axes are a batch.
Arrays are NumPy, torch (with autograd) or any array-API library.  Object arrays of
``fractions.Fraction`` (beside ints) give exact results.

Names: ``pure`` and ``other`` are the pure densities of classes y and y', ``background`` is shared,
``fitting`` is lambda in [0, 1] at each atom (a scalar means a constant).
"""

from __future__ import annotations

from numbers import Rational
from typing import Any

from theory.arrays import Array, DivisionUndefined, as_arrays, first_bad, is_floating

MAX_EVENT_ATOMS = 16


def normalization(
    pure: Array, background: Array, fitting: Array, weights: Array | None = None, *,
    check: bool = True,
) -> Array:
    r"""The factor :math:`\eta_y = \int(1-\lambda)p_y \big/ \int(1-\lambda)p_{bg}` of Eq. 18.

    Both densities integrate to one, so this is the paper's
    :math:`(1-\int\lambda p_y)/(1-\int\lambda p_{bg})`, without its cancellation near lambda = 1.

    Args:
        pure, background, fitting: ``(..., atoms)``.
        weights: nu, broadcastable to them.
        check: test values and shapes (reads the data).

    Returns:
        ``(...)``.

    Raises:
        ValueError: a density that is negative or does not integrate to one, lambda outside [0, 1],
            or a zero denominator: lambda is 1 wherever the background has mass.

    >>> from fractions import Fraction as F
    >>> print(normalization([F(1), F(0)], [F(1, 2), F(1, 2)], [F(1, 2), F(0)]))
    2/3
    """
    xp, (p, g), lam, w = _prepare(measure=weights, check=check, fitting=fitting,
                                  pure=pure, background=background)
    return _drop(_eta(xp, p, g, lam, w, check))


def mixture_density(
    pure: Array, background: Array, fitting: Array, weights: Array | None = None, *,
    check: bool = True,
) -> Array:
    r"""Density of a class, :math:`p_y = \lambda p^{pure}_y + \eta_y(1-\lambda)p_{bg}`  [Eq. 18].

    Arguments and errors as :func:`normalization`; returns ``(..., atoms)``.

    >>> mixture_density([1.0, 0.0], [0.0, 1.0], [0.75, 0.5])
    array([0.75, 0.25])
    """
    xp, (p, g), lam, w = _prepare(measure=weights, check=check, fitting=fitting,
                                  pure=pure, background=background)
    return lam * p + _eta(xp, p, g, lam, w, check) * (1 - lam) * g  # Eq. (18)


def redraw_density(
    pure: Array, background: Array, fitting: Array, weights: Array | None = None, *,
    fallback: Array | None = None, check: bool = True,
) -> Array:
    r"""Eq. 18 as a Markov kernel: keep x with probability lambda(x), else redraw it.

    The redrawn point has the density :math:`q\propto(1-\lambda)p_{bg}`.  Where this is 0/0 (lambda
    is 1 wherever the background has mass, and Eq. 18 is not defined) q is ``fallback``; the default
    is the background, the limit of lambda = (1-eps) as eps -> 0.  The result is a density always.

    >>> redraw_density([0.5, 0.5], [0.0, 1.0], [1.0, 1.0])
    array([0.5, 0.5])
    """
    named = {"pure": pure, "background": background}
    if fallback is not None:
        named["fallback"] = fallback
    xp, (p, g, *rest), lam, w = _prepare(measure=weights, check=check, fitting=fitting, **named)
    redrawn = _integral(xp, (1 - lam) * p, w)
    q = (1 - lam) * g
    mass = _integral(xp, q, w)
    defined = mass > 0
    q = xp.where(defined, q / xp.where(defined, mass, xp.ones_like(mass)), rest[0] if rest else g)
    return lam * p + redrawn * q


def total_variation(
    p: Array, q: Array, weights: Array | None = None, *, check: bool = True
) -> Array:
    r"""Total variation :math:`\int(p-q)_+ d\nu = \frac12\int|p-q| d\nu`  [Def. 5.4, Property 1].

    Args:
        p, q: densities ``(..., atoms)``.

    Returns:
        ``(...)``, in [0, 1].

    >>> float(total_variation([0.5, 0.5, 0.0], [0.0, 0.5, 0.5]))
    0.5
    """
    xp, (p, q), _, w = _prepare(measure=weights, check=check, p=p, q=q)
    return _variation(xp, p, q, w)


def total_variation_by_events(
    p: Array, q: Array, weights: Array | None = None, *, check: bool = True
) -> Array:
    r"""Total variation as the supremum of ``|P(G) - Q(G)|`` over all events G  [Def. 5.4].

    Enumerates the ``2**atoms`` events, so it takes at most 16 atoms (``ValueError`` beyond).
    Arguments as :func:`total_variation`, of which it is the second route.
    """
    xp, (p, q), _, w = _prepare(measure=weights, check=check, p=p, q=q)
    if p.shape[-1] > MAX_EVENT_ATOMS:
        raise ValueError(f"events are enumerated up to {MAX_EVENT_ATOMS} atoms, got {p.shape[-1]}")
    mass = p - q if w is None else (p - q) * w
    events = xp.zeros_like(mass[..., :1])
    for atom in range(mass.shape[-1]):  # each event with and without this atom
        events = xp.concat([events, events + mass[..., atom : atom + 1]], axis=-1)
    return xp.max(xp.abs(events), axis=-1)


def separation_parts(
    pure: Array, other: Array, fitting: Array, weights: Array | None = None, *, check: bool = True
) -> tuple[Array, Array]:
    r""":math:`A_\pm = \int\lambda\,(p^{pure}_y-p^{pure}_{y'})_\pm\,d\nu`, each ``(...)``."""
    xp, (p, q), lam, w = _prepare(measure=weights, check=check, fitting=fitting,
                                  pure=pure, other=other)
    return _parts(xp, p, q, lam, w)


def separation_bounds(
    pure: Array, other: Array, fitting: Array, weights: Array | None = None, *, check: bool = True
) -> tuple[Array, Array]:
    r""":math:`\min(A_+,A_-)\le d_{TV}(D_y,D_{y'})\le\max(A_+,A_-)`, each ``(...)``.

    The left side implies both parts of Theorem 2, the right side
    :math:`d_{TV}(D_y,D_{y'})\le\sup\lambda\cdot d_{TV}` of the pure distributions.  Neither depends
    on the background; it must only leave Eq. 18 defined.
    """
    xp, (p, q), lam, w = _prepare(measure=weights, check=check, fitting=fitting,
                                  pure=pure, other=other)
    plus, minus = _parts(xp, p, q, lam, w)
    swapped = plus > minus
    low, high = xp.where(swapped, minus, plus), xp.where(swapped, plus, minus)
    return _scalar(low), _scalar(high)


def theorem_2_1(
    pure: Array, other: Array, fitting: Array, weights: Array | None = None, *, check: bool = True
) -> Array:
    r"""Right-hand side :math:`\inf\lambda\cdot d_{TV}(D^{pure}_y,D^{pure}_{y'})`  [Theorem 2(1)].

    The infimum runs over every atom, as the paper's runs over all inputs.
    """
    xp, (p, q), lam, w = _prepare(measure=weights, check=check, fitting=fitting,
                                  pure=pure, other=other)
    return xp.min(lam, axis=-1) * _variation(xp, p, q, w)


def theorem_2_2(
    pure: Array, other: Array, fitting: Array, weights: Array | None = None, *, check: bool = True
) -> Array:
    r"""Right-hand side :math:`\min_y E_{D^{pure}_y}[\lambda]`  [Theorem 2(2)].

    A lower bound of :math:`d_{TV}(D_y,D_{y'})` when the pure supports are disjoint; supports that
    merely differ are not enough.  The number is returned for any two densities.
    """
    xp, (p, q), lam, w = _prepare(measure=weights, check=check, fitting=fitting,
                                  pure=pure, other=other)
    means = [_integral(xp, lam * d, w) for d in (p, q)]
    return xp.min(xp.concat(means, axis=-1), axis=-1)


def optimal_accuracy(
    p: Array, q: Array, weights: Array | None = None, *, check: bool = True
) -> Array:
    r"""Best accuracy for two equiprobable classes, :math:`(1+d_{TV})/2`  [Remark 3].

    >>> float(optimal_accuracy([1.0, 0.0], [0.5, 0.5]))
    0.75
    """
    return (1 + total_variation(p, q, weights, check=check)) / 2


def _integral(xp: Any, x: Array, weights: Array | None) -> Array:
    return xp.sum(x if weights is None else x * weights, axis=-1, keepdims=True)


def _drop(x: Array) -> Array:
    """Without the last axis; a NumPy scalar or a Fraction instead of a 0-d array."""
    return _scalar(x[..., 0])


def _scalar(x: Array) -> Array:
    return x if x.ndim else x[()]


def _eta(xp: Any, p: Array, g: Array, lam: Array, w: Array | None, check: bool) -> Array:
    redrawn, mass = _integral(xp, (1 - lam) * p, w), _integral(xp, (1 - lam) * g, w)
    if check:
        good = mass > 0
        if not bool(xp.all(good)):
            over = first_bad(xp, redrawn, good)
            raise DivisionUndefined(
                "Eq. 18 needs lambda < 1 on a set of positive background mass: eta is "
                f"{over}/{first_bad(xp, mass, good)} (redraw_density is defined there)"
            )
        if mass.dtype != object:
            good = redrawn / xp.finfo(mass.dtype).max <= mass
            if not bool(xp.all(good)):
                raise DivisionUndefined("eta must be finite, but its denominator is as small as "
                                        f"{first_bad(xp, mass, good)} (use redraw_density)")
    return redrawn / mass


def _variation(xp: Any, p: Array, q: Array, w: Array | None) -> Array:
    tv = _integral(xp, xp.abs(p - q), w) / 2
    if tv.dtype != object:  # rounding may pass 1
        tv = xp.where(tv > 1, xp.ones_like(tv), tv)
    return _drop(tv)


def _parts(xp: Any, p: Array, q: Array, lam: Array, w: Array | None) -> tuple[Array, Array]:
    d = p - q
    zero = xp.zeros_like(d)
    plus, minus = xp.where(d > 0, d, zero), xp.where(d < 0, -d, zero)
    return _drop(_integral(xp, lam * plus, w)), _drop(_integral(xp, lam * minus, w))


def _prepare(
    *, measure: Array | None, check: bool, fitting: Array | None = None, **densities: Array
) -> tuple[Any, list[Array], Array | None, Array | None]:
    """Namespace, densities, lambda and weights on one shape, tested."""
    named = dict(densities)
    if fitting is not None:
        named["lambda"] = fitting
    if measure is not None:
        named["weights"] = measure
    xp, *arrays = as_arrays(*named.values(), check_finite=check)
    arrays = _one_kind(xp, arrays, list(named), check)
    shapes = [tuple(x.shape) for x in arrays]
    try:
        arrays = list(xp.broadcast_arrays(*arrays))
    except (ValueError, RuntimeError) as error:
        named = dict(zip(named, shapes, strict=True))
        raise ValueError(f"shapes do not broadcast: {named}") from error
    if arrays[0].ndim == 0 or arrays[0].shape[-1] == 0:
        raise ValueError(f"densities have shape (..., atoms) with atoms >= 1, got {shapes[0]}")
    named = dict(zip(named, arrays, strict=True))
    weights, lam = named.pop("weights", None), named.pop("lambda", None)
    if check:
        _check(xp, named, lam, weights)
    return xp, list(named.values()), lam, weights


def _one_kind(xp: Any, arrays: list[Array], names: list[str], check: bool) -> list[Array]:
    """All arrays exact (object) or all floating."""
    for name, x in zip(names, arrays, strict=True):
        if x.dtype != object and xp.isdtype(x.dtype, ("bool", "complex floating")):
            raise TypeError(f"{name} must hold real numbers, got {x.dtype}")
    if not any(x.dtype == object for x in arrays):
        return [x if is_floating(xp, x) else xp.astype(x, xp.float64) for x in arrays]
    for name, x in zip(names, arrays, strict=True):
        if is_floating(xp, x):
            raise TypeError(f"exact (Fraction) and floating input do not mix: {name} is {x.dtype}")
        if check and x.dtype == object:
            for value in x.ravel():
                if not isinstance(value, Rational):
                    raise TypeError(f"an object array holds Fractions or ints, {name} has "
                                    f"{value!r}")
    return [x.astype(object) for x in arrays]


def _check(xp: Any, densities: dict[str, Array], lam: Array | None, w: Array | None) -> None:
    for name, x in densities.items() if w is None else (*densities.items(), ("weights", w)):
        good = x >= 0
        if not bool(xp.all(good)):
            kind = name if x is w else f"density {name}"
            raise ValueError(f"{kind} must be >= 0, got {first_bad(xp, x, good)}")
    for name, x in densities.items():
        total = _integral(xp, x, w)
        good = total == 1 if total.dtype == object else xp.abs(total - 1) <= _tolerance(xp, total)
        if not bool(xp.all(good)):
            raise ValueError(
                f"density {name} must integrate to 1, got {first_bad(xp, total, good)}")
    if lam is not None:
        good = (lam >= 0) & (lam <= 1)
        if not bool(xp.all(good)):
            raise ValueError(f"lambda must lie in [0, 1], got {first_bad(xp, lam, good)}")


def _tolerance(xp: Any, x: Array) -> float:
    """How far a density's integral may be from one: 1e-6 in float64, room for quadrature."""
    return max(1e-6, 1e3 * float(xp.finfo(x.dtype).eps))
