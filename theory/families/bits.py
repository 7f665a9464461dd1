"""Masks as integers: position p, row by row, is +1 iff bit p is set."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def masks_of_codes(codes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Masks ``(m, H, W)`` int8 of uint64 codes ``(m,)``; at most 64 positions.

    >>> masks_of_codes(np.array([5], dtype=np.uint64), 1, 3)
    array([[[ 1, -1,  1]]], dtype=int8)
    """
    raw = np.ascontiguousarray(codes, dtype="<u8").view(np.uint8).reshape(-1, 8)
    return _signed(np.unpackbits(raw, axis=1, count=height * width, bitorder="little"),
                   height, width)


def masks_of_ints(codes: Iterable[int], height: int, width: int) -> np.ndarray:
    """Masks ``(m, H, W)`` int8 of Python integers, for any number of positions."""
    size = (height * width + 7) // 8
    raw = np.frombuffer(b"".join(k.to_bytes(size, "little") for k in codes), dtype=np.uint8)
    return _signed(np.unpackbits(raw.reshape(-1, size), axis=1, count=height * width,
                                 bitorder="little"), height, width)


def codes_of_masks(masks: np.ndarray) -> np.ndarray:
    """The uint64 codes ``(m,)`` of masks ``(m, H, W)``; ``ValueError`` beyond 64 positions.

    >>> codes_of_masks(np.array([[[1, -1, 1]]]))
    array([5], dtype=uint64)
    """
    masks = np.asarray(masks)
    n = masks.shape[-2] * masks.shape[-1]
    if n > 64:
        raise ValueError(f"codes of 64 bits need at most 64 positions, got {n}")
    ones = np.zeros((len(masks), 64), dtype=np.uint8)
    ones[:, :n] = masks.reshape(-1, n) == 1
    return np.packbits(ones, axis=1, bitorder="little").view("<u8").astype(np.uint64).reshape(-1)


def _signed(ones: np.ndarray, height: int, width: int) -> np.ndarray:
    masks = ones.astype(np.int8)
    masks *= 2
    masks -= 1
    return masks.reshape(-1, height, width)
