"""What a supremum returns, and what it accepts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

PART_POSITIONS = 2**16
"""Positions of the batch looked at together before it is solved."""


@dataclass(frozen=True, eq=False)
class Extremes:
    """Largest and smallest total weight over a family, with witnesses.

    Attributes:
        maximum, minimum: ``(...)``; int64 for integer weights, else the weights' dtype (float32 for
            float16).  Attained, floats up to rounding.
        argmax, argmin: witnesses, or None when they were not asked for.  Axis-aligned rectangles:
            int64 ``(..., 4)``, rows (top, bottom, left, right), half-open: the support is
            ``[top:bottom, left:right]``.  Rotated rectangles: float64 ``(..., 5)``, rows (centre
            row, centre column, half-side 1, half-side 2, angle) in pixel units, as
            :class:`theory.rectangle.Rectangle` takes them.  All masks and finite families: int8
            ``(..., H, W)`` with values -1 and +1.
        upper, lower: certified bounds, ``maximum <= sup <= upper`` and
            ``lower <= inf <= minimum``; None where ``maximum`` and ``minimum`` are exact.
    """

    maximum: np.ndarray
    minimum: np.ndarray
    argmax: np.ndarray | None
    argmin: np.ndarray | None
    upper: np.ndarray | None = None
    lower: np.ndarray | None = None

    @property
    def exact(self) -> bool:
        """Whether maximum and minimum are the supremum and infimum for the whole batch."""
        return self.upper is None or bool(
            np.all(self.upper == self.maximum) and np.all(self.lower == self.minimum))


def inner_product_extremes(weights: np.ndarray, extremes: Extremes) -> tuple[np.ndarray, ...]:
    r"""``(max_b <b, w>, min_b <b, w>)`` from the extremes of the supports' weights.

    >>> from sims.supremum import max_weight_mask
    >>> w = np.array([[1, -2], [3, 1]])
    >>> [int(v) for v in inner_product_extremes(w, max_weight_mask(w))]
    [7, -7]
    """
    weights = np.asarray(weights)
    total = weights.sum(axis=(-2, -1), dtype=extremes.maximum.dtype)
    return 2 * extremes.maximum - total, 2 * extremes.minimum - total


def check_weights(weights: np.ndarray) -> np.ndarray:
    """The weights as an array ``(..., H, W)`` of integers or finite floats.

    Raises:
        ValueError: an empty batch or grid, NaN or infinite weights.
        TypeError: boolean, complex or object weights.
    """
    weights = np.asarray(weights)
    if weights.dtype.kind not in "iuf":
        raise TypeError(f"weights must be integers or floats, got {weights.dtype}")
    if weights.ndim < 2 or 0 in weights.shape:
        raise ValueError(f"weights need shape (..., H, W) without a 0, got {weights.shape}")
    if weights.dtype.kind == "f" and not np.isfinite([weights.min(), weights.max()]).all():
        raise ValueError(f"weights must be finite, got {weights[~np.isfinite(weights)][0]}")
    return weights


def dtype_of_float_sums(weights: np.ndarray) -> np.dtype:
    """The native dtype in which floats are summed: theirs, float32 for float16.

    Raises:
        ValueError: sums of absolute values that leave the finite floats.
        TypeError: long doubles.
    """
    dtype = np.result_type(weights.dtype.newbyteorder("="), np.float32)
    if dtype.itemsize > 8:
        raise TypeError(f"weights must be integers or float16, 32 or 64, got {weights.dtype}")
    with np.errstate(over="ignore"):
        bound = max(float(np.abs(part, dtype=np.float64).sum(axis=(-2, -1)).max())
                    for part in parts_of(weights))
    if not bound < float(np.finfo(dtype).max):
        raise ValueError(f"sums of absolute weights must stay finite in {dtype}, got {bound:g}")
    return dtype


def parts_of(weights: np.ndarray) -> Iterator[np.ndarray]:
    """The batch as views ``(b, H, W)`` of few matrices: what is made of one stays small."""
    flat = weights.reshape(-1, *weights.shape[-2:])
    step = max(1, PART_POSITIONS // _positions(weights))
    return (flat[start:start + step] for start in range(0, len(flat), step))


def largest_sum(weights: np.ndarray) -> int:
    """The number of positions times the largest absolute value of integer weights, exactly."""
    reach = max(abs(int(weights.max())), abs(int(weights.min())))
    return reach * weights.shape[-2] * weights.shape[-1]


def check_sums(weights: np.ndarray) -> None:
    """Refuse integer weights whose sums could leave int64.

    Raises:
        ValueError: a sum of absolute values, doubled, of 2**63 or more.
    """
    if largest_sum(weights) < 2**62:
        return
    bound = max(sum(map(abs, one)) for part in parts_of(weights)
                for one in part.reshape(len(part), -1).tolist())
    if bound >= 2**62:
        raise ValueError(f"sums of integer weights must stay below 2**62, got up to {bound:.3g}")


def _positions(weights: np.ndarray) -> int:
    return weights.shape[-2] * weights.shape[-1]
