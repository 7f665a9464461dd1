"""Checks of what goes into a bound: levels, sample sizes, losses; all in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from theory.arrays import to_numpy


def float64(value: Any) -> np.ndarray:
    """float64 before any arithmetic: N in uint8 would wrap around."""
    return to_numpy(value).astype(np.float64)


def check_open(name: str, value: Any, low: float, high: float) -> np.ndarray:
    """Numbers in (low, high)."""
    array = float64(value)
    for number in np.ravel(array):
        if not low < number < high:
            raise ValueError(f"{name} must be in ({low:g}, {high:g}), got {number:g}")
    return array


def check_delta(delta: Any) -> np.ndarray:
    """Levels in (0, 1)."""
    return check_open("delta", delta, 0, 1)


def check_samples(n_samples: Any, least: int = 1) -> np.ndarray:
    """Integers that are at least ``least``."""
    n_samples = float64(n_samples)
    for value in np.ravel(n_samples):
        if not (value >= 1 and float(value).is_integer()):
            raise ValueError(f"N must be a positive integer, got {value:g}")
        if value < least:
            raise ValueError(f"N must be at least {least} here, got {value:g}")
    return n_samples


def check_range(name: str, value: Any, low: float, high: float) -> np.ndarray:
    """Numbers in [low, high]."""
    array = float64(value)
    for number in np.ravel(array):
        if not low <= number <= high:
            raise ValueError(f"{name} must be in [{low}, {high}], got {number:g}")
    return array


def check_losses(losses: Any, least: int = 1) -> np.ndarray:
    """Losses ``(..., n)`` in [0, 1] of at least ``least`` examples."""
    array = float64(losses)
    if array.ndim == 0:
        raise ValueError(f"losses must have shape (..., n), got a number, {float(array):g}")
    if array.shape[-1] < least:
        raise ValueError(f"needs at least {least} losses a row, got {array.shape[-1]}")
    bad = ~((array >= 0) & (array <= 1))
    if bad.any():
        raise ValueError(f"losses must be in [0, 1], got {array[bad][0]:g}")
    return array


def check_nats(name: str, value: Any) -> np.ndarray:
    """Nats: finite and not negative."""
    array = float64(value)
    for number in np.ravel(array):
        if not 0 <= number < np.inf:
            raise ValueError(f"{name} must be finite and >= 0, got {number:g}")
    return array
