"""Masks and their encodings: signed {-1, +1}, binary {0, 1}, boolean supports."""

from __future__ import annotations

import numpy as np

from theory.arrays import Array, as_arrays, first_bad


def signed(mask: Array) -> Array:
    """A boolean or {0, 1} array as a mask with values -1 and +1 (a mask passes unchanged).

    An array of ones only is already a mask.  Boolean and unsigned input gives int8.

    >>> signed(np.array([[True, False]]))
    array([[ 1, -1]], dtype=int8)
    """
    xp, mask = as_arrays(mask)
    if xp.isdtype(mask.dtype, "bool"):
        return 2 * xp.astype(mask, xp.int8) - 1
    if bool(xp.any(mask == 0)):
        require_values(mask, (0, 1), "a binary mask")
        mask = xp.astype(mask, xp.int8) if xp.isdtype(mask.dtype, "unsigned integer") else mask
        return 2 * mask - 1
    require_values(mask, (-1, 1), "a mask")
    return xp.astype(mask, xp.int8) if xp.isdtype(mask.dtype, "unsigned integer") else mask


def binary(mask: Array) -> Array:
    """The {0, 1} array ``(mask + 1) / 2`` of a mask, in the mask's dtype.

    >>> binary(np.array([[1, -1]]))
    array([[1, 0]])
    """
    xp, mask = as_arrays(mask)
    require_values(mask, (-1, 1), "a mask")
    return xp.astype(mask == 1, mask.dtype)


def support_size(mask: Array) -> Array:
    """Number of +1 positions, ``(..., H, W) -> (...)``."""
    xp, mask = as_arrays(mask)
    require_values(mask, (-1, 1), "a mask")
    return xp.sum(xp.astype(mask == 1, xp.int64), axis=(-2, -1))


def require_values(mask: Array, allowed: tuple[int, ...], name: str) -> None:
    """``ValueError`` naming the value unless every entry is one of ``allowed``."""
    xp, mask = as_arrays(mask)
    good = mask == allowed[0]
    for value in allowed[1:]:
        good = good | (mask == value)
    if not bool(xp.all(good)):
        raise ValueError(f"{name} has values in {set(allowed)}, got {first_bad(xp, mask, good)}")


def require_masks(masks: Array, name: str = "masks") -> np.ndarray:
    """``masks`` as an int8 NumPy array ``(n, H, W)`` of -1 and +1, or ``ValueError``."""
    out = np.asarray(masks)
    if out.ndim == 2:
        out = out[None]
    if out.ndim != 3:
        raise ValueError(f"{name} must have shape (n, H, W), got {out.shape}")
    if out.dtype == bool:
        raise TypeError(f"{name} must have values -1 and +1, got booleans: use theory.signed")
    require_values(out, (-1, 1), name)
    return out.astype(np.int8)
