r"""Counter-based random numbers: a draw is a function of its address, not of what came before.

The address is (seed, split, index, counter); the numbers are those of the SplitMix64 generator
started at a hash of (seed, split, index) and read at ``counter``.  Nothing depends on the order of
the calls, the batch, the number of workers or the device, and the global random state is neither
read nor set.  Torch has no unsigned 64-bit arithmetic: words are int64 that wrap around, which is
the same arithmetic modulo 2^64 once the right shifts are masked.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_WORD = 1 << 64


def signed(word: int) -> int:
    """The int64 with the bits of ``word`` modulo 2^64.

    >>> signed(2**64 - 1)
    -1
    """
    word %= _WORD
    return word - _WORD if word >= _WORD // 2 else word


GOLDEN = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def mix(words: Tensor) -> Tensor:
    """The output function of SplitMix64, a bijection of 64-bit integers; elementwise, in place.

    >>> hex(mix(torch.tensor([signed(GOLDEN)])).item() % 2**64)  # first output for seed 0
    '0xe220a8397b1dcdaf'
    """
    spare = torch.empty_like(words)
    for shift, factor in ((30, _FIRST), (27, _SECOND), (31, None)):
        torch.bitwise_right_shift(words, shift, out=spare)
        words ^= spare.bitwise_and_((1 << (64 - shift)) - 1)
        if factor is not None:
            words *= signed(factor)
    return words


def states(seed: int, split: int, indices: Tensor) -> Tensor:
    """One 64-bit state per sample, int64, of the shape and on the device of ``indices``.

    Raises:
        TypeError: indices that are no integers.
        ValueError: a negative seed, split or index, a seed of more than 64 bits.
    """
    if indices.is_floating_point() or indices.is_complex() or indices.dtype == torch.bool:
        raise TypeError(f"indices must be integers, got {indices.dtype}")
    least = int(indices.min()) if indices.numel() else 0
    for name, value in (("seed", seed), ("split", split), ("index", least)):
        if value < 0:
            raise ValueError(f"{name} must not be negative, got {value}")
    if seed >= _WORD:
        raise ValueError(f"seed must be below 2^64, got {seed}")
    state = _mix_number(int(seed) + GOLDEN)
    state = _mix_number(state + int(split) * GOLDEN + _SECOND)
    return mix(indices.to(torch.int64) * signed(GOLDEN) + signed(state + _FIRST))


def streams(seed: int, split: int, indices: np.ndarray) -> np.ndarray:
    """:func:`states` as a NumPy uint64 array: seeds for other generators."""
    given = torch.from_numpy(np.atleast_1d(np.asarray(indices)))
    return states(seed, split, given).numpy().view(np.uint64).reshape(np.shape(indices))


def words(state: Tensor, first: int, count: int) -> Tensor:
    """Draws ``first .. first+count-1`` of every stream: int64 ``(*state.shape, count)``."""
    steps = torch.arange(count, device=state.device) * signed(GOLDEN)
    return mix(state[..., None] + (steps + signed((first + 1) * GOLDEN)))


def uniforms(state: Tensor | np.ndarray, first: int, count: int) -> Tensor | np.ndarray:
    """Draws ``first .. first+count-1`` as float64 in [0, 1), 53 bits: ``(*state.shape, count)``.

    Of a tensor of :func:`states`, or of a NumPy array of :func:`streams`: then a NumPy array.
    """
    if isinstance(state, np.ndarray):
        return uniforms(torch.from_numpy(state.view(np.int64)), first, count).numpy()
    bits = words(state, first, count).bitwise_right_shift_(11).bitwise_and_((1 << 53) - 1)
    return bits.to(torch.float64).mul_(2.0**-53)


def halves(state: Tensor, first: int, count: int) -> Tensor:
    """``count`` signed 32-bit numbers of every stream, two a draw: int32 ``(*state.shape, count)``.

    They are the low, then the high half of the draws from ``first`` on, ``(count + 1) // 2`` in
    number.
    """
    return words(state, first, (count + 1) // 2).view(torch.int32)[..., :count]


def _mix_number(word: int) -> int:
    return int(mix(torch.tensor([signed(word)])).item()) % _WORD
