"""Any family that can be written out: the largest and smallest product over its masks."""

from __future__ import annotations

import numpy as np

from sims.supremum.extremes import (
    Extremes,
    check_sums,
    check_weights,
    dtype_of_float_sums,
    largest_sum,
)
from theory.families import Family

CHUNK_BYTES = 2**26
"""Products held in memory at a time."""


def extremes_by_enumeration(
    family: Family, weights: np.ndarray, *, witnesses: bool = True
) -> Extremes:
    """Exact largest and smallest support weight, by a matrix product with all masks of the family.

    Args:
        family: :meth:`theory.families.Family.masks` must be able to write it out.
        weights: ``(..., H, W)``; integers are summed exactly (as floats where these hold every sum).
        witnesses: whether to return the masks that attain the values, int8 ``(..., H, W)``.  Ties:
            the first in the order of iteration.

    Raises:
        ValueError: a family that cannot be written out, bad weights.

    >>> from theory.families import Rectangles
    >>> int(extremes_by_enumeration(Rectangles(1, 3), np.array([[1, -2, 3]])).maximum)
    3
    """
    weights = check_weights(weights)
    masks = family.masks()
    batch = weights.shape[:-2]
    dtype, out = weights.dtype, weights.dtype
    if dtype.kind != "f":
        check_sums(weights)
        reach = largest_sum(weights)
        dtype = np.dtype(np.float32 if reach < 2**24 else np.float64 if reach < 2**53 else np.int64)
        out = np.dtype(np.int64)
    else:
        dtype = out = dtype_of_float_sums(weights)
    members = (masks.reshape(len(masks), -1) == 1).astype(dtype).T
    flat = weights.reshape(-1, len(members)).astype(dtype)
    values = np.empty((2, len(flat)), dtype=out)
    places = np.empty((2, len(flat)), dtype=np.int64)
    exact_order = weights.dtype.kind == "f"  # a BLAS rounds otherwise in another batch
    step = max(1, CHUNK_BYTES // (dtype.itemsize * len(masks)))
    for start in range(0, len(flat), step):
        part = slice(start, start + step)
        products = (_products if exact_order else np.matmul)(flat[part], members)
        for k, where in enumerate((products.argmax(axis=1), products.argmin(axis=1))):
            places[k, part] = where
            values[k, part] = np.take_along_axis(products, where[:, None], axis=1)[:, 0]
    found = [masks[k].reshape(*batch, *family.shape) if witnesses else None for k in places]
    return Extremes(values[0].reshape(batch), values[1].reshape(batch), *found)


def _products(weights: np.ndarray, members: np.ndarray) -> np.ndarray:
    """``weights @ members`` summed in the order of the positions, whatever the batch."""
    out = np.zeros((len(weights), members.shape[1]), dtype=members.dtype)
    term = np.empty(members.shape[1], dtype=members.dtype)
    for total, field in zip(out, weights, strict=True):
        for weight, member in zip(field, members, strict=True):
            np.multiply(member, weight, out=term)
            total += term
    return out
