"""Counter-based random numbers: SplitMix64 in two arithmetics, addressed and not remembered."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.counter import GOLDEN, halves, mix, signed, states, streams, uniforms, words

WORD = 2**64
ADDRESS = st.tuples(st.integers(0, WORD - 1), st.integers(0, 20), st.integers(0, 2**62))


def splitmix(z):
    """The output function in Python's integers."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % WORD
    return z ^ (z >> 31)


def state_of(seed, split, index):
    state = splitmix((seed + GOLDEN) % WORD)
    state = splitmix((state + split * GOLDEN + 0x94D049BB133111EB) % WORD)
    return splitmix((state + index * GOLDEN + 0xBF58476D1CE4E5B9) % WORD)


def test_the_outputs_of_splitmix64_for_seed_1234567():
    """The first outputs as published with the generator."""
    state = torch.tensor([1234567])
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert [w % WORD for w in words(state, 0, 3)[0].tolist()] == known


@given(ADDRESS, st.integers(0, 2**50))
def test_words_are_those_of_integer_arithmetic(address, first):
    state = state_of(*address)
    expected = [splitmix((state + (first + k + 1) * GOLDEN) % WORD) for k in range(3)]
    seed, split, index = address
    found = words(states(seed, split, torch.tensor([index])), first, 3)[0]
    assert [w % WORD for w in found.tolist()] == expected
    assert streams(seed, split, np.array([index])).tolist() == [state]
    low_high = [half for w in expected for half in (w % 2**32, w >> 32)]
    state = states(seed, split, torch.tensor([index]))
    assert [h % 2**32 for h in halves(state, first, 5)[0].tolist()] == low_high[:5]
    assert uniforms(state, first, 3)[0].tolist() == [(w >> 11) * 2.0**-53 for w in expected]


def test_streams_stay_what_weights_were_started_from():
    """Regression: seeds of committed rows."""
    assert streams(0, 0, np.array([0, 1])).tolist() == [state_of(0, 0, 0), state_of(0, 0, 1)]
    assert int(streams(0, 0, np.array(3))) == 9220437987334779309


@given(st.integers(-(2**70), 2**70))
def test_signed_keeps_the_bits(word):
    assert -(2**63) <= signed(word) < 2**63 and (signed(word) - word) % WORD == 0


def test_mix_is_a_bijection_on_a_sample():
    words = torch.arange(-2000, 2000) * signed(GOLDEN)
    assert len(mix(words.clone()).unique()) == 4000


def test_uniforms_are_uniform_and_addressed_by_counter():
    state = states(3, 1, torch.arange(1000))
    u = uniforms(state, 0, 40)
    assert torch.equal(uniforms(state[7:9], 5, 3), u[7:9, 5:8])
    assert u.min() >= 0 and u.max() < 1 and u.dtype == torch.float64
    assert abs(u.mean() - 0.5) < 5 * (12 * u.numel()) ** -0.5  # false alarm 6e-7
    assert abs(np.corrcoef(u[:, 0], u[:, 1])[0, 1]) < 5 / 1000**0.5


def test_numpy_streams_give_the_same_uniforms():
    indices = np.arange(6).reshape(2, 3)
    expected = uniforms(states(3, 1, torch.from_numpy(indices)), 4, 5)
    found = uniforms(streams(3, 1, indices), 4, 5)
    assert isinstance(found, np.ndarray) and np.array_equal(found, expected.numpy())


def test_halves_are_uniform_on_32_bits():
    """Each bit is a fair coin: 2^16 draws, 32 bits, false alarm 4e-5 by the union bound."""
    h = halves(states(9, 0, torch.arange(64)), 1 << 48, 1024)
    assert h.dtype == torch.int32
    bits = (h[..., None] >> torch.arange(32)) & 1
    assert (bits.double().mean((0, 1)) - 0.5).abs().max() < 5 * 0.5 / h.numel() ** 0.5


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ((-2, 0, torch.tensor([3])), ValueError, "seed must not be negative, got -2"),
    ((2**64, 0, torch.tensor([3])), ValueError, "seed must be below 2"),
    ((0, -1, torch.tensor([3])), ValueError, "split must not be negative, got -1"),
    ((0, 0, torch.tensor([4, -1])), ValueError, "index must not be negative, got -1"),
    ((0, 0, torch.tensor([0.5])), TypeError, "indices must be integers, got torch.float32"),
])
def test_bad_addresses(arguments, error, message):
    with pytest.raises(error, match=message):
        states(*arguments)
