r"""Counter-based random numbers: a draw is a function of its address, not of what came before.

The address is (seed, split, index, counter); the numbers are those of the SplitMix64 generator
started at a hash of (seed, split, index) and read at ``counter``.  Nothing depends on the order of
the calls, the batch or the number of workers, and the global random state is neither read nor set.
"""

from __future__ import annotations

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def mix(z: np.ndarray) -> np.ndarray:
    """The output function of SplitMix64, a bijection of 64-bit integers; elementwise.

    >>> hex(mix(np.array([0x9E3779B97F4A7C15], dtype=np.uint64))[0])  # first output for seed 0
    '0xe220a8397b1dcdaf'
    """
    z = np.array(z, dtype=np.uint64)  # a copy: the steps below work in place
    z ^= z >> np.uint64(30)
    z *= _FIRST
    z ^= z >> np.uint64(27)
    z *= _SECOND
    z ^= z >> np.uint64(31)
    return z


def streams(seed: int, split: int, indices: np.ndarray) -> np.ndarray:
    """One 64-bit state per sample, shape of ``indices``.

    Raises:
        ValueError: a negative seed, split or index.
    """
    indices = np.asarray(indices)
    for name, value in (("seed", seed), ("split", split), ("index", indices.min(initial=0))):
        if value < 0:
            raise ValueError(f"{name} must not be negative, got {value}")
    state = mix(np.array([seed], dtype=np.uint64) + _GOLDEN)
    state = mix(state + np.array([split], dtype=np.uint64) * _GOLDEN + _SECOND)
    return mix(state + indices.astype(np.uint64) * _GOLDEN + _FIRST)


def uniforms(state: np.ndarray, first: int, count: int) -> np.ndarray:
    """Draws ``first .. first+count-1`` of every stream, in [0, 1), ``(*state.shape, count)``."""
    counters = np.arange(first + 1, first + count + 1, dtype=np.uint64) * _GOLDEN
    bits = mix(state[..., None] + counters)
    return (bits >> np.uint64(11)) * 2.0**-53
