"""The rectangle head of App. G does not see shifts by 4 cells."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.heads.test_counts import module
from theory.claims.ledger_4_follow import head_output, head_weights


def circular_head(channels):
    torch.manual_seed(3)
    layers = []
    for layer in module("rectangle", channels):
        if isinstance(layer, nn.Conv2d):
            layer.padding_mode = "circular"
            layer._reversed_padding_repeated_twice = [1, 1, 1, 1]
            layers += [layer, nn.ReLU()]
        else:
            layers.append(layer)
    return nn.Sequential(*layers).double()


@pytest.mark.parametrize("shift", [(4, 0), (0, -4), (8, 4)])
def test_invariant_under_circular_padding_at_full_width(shift):
    state = torch.random.get_rng_state()
    head = circular_head(6)
    torch.random.set_rng_state(state)
    x = torch.as_tensor(np.random.default_rng(0).standard_normal((1, 6, 12, 16)))
    with torch.no_grad():
        still, moved = head(x), head(torch.roll(x, shift, dims=(-2, -1)))
        other = head(torch.roll(x, (2, 0), dims=(-2, -1)))
    assert float((still - moved).abs().max()) < 1e-12
    assert float((still - other).abs().max()) > 1e-6  # not a constant head


@pytest.mark.parametrize(("padding", "mode"), [("constant", "constant"), ("wrap", "circular")])
def test_the_ledgers_head_is_torchs(padding, mode):
    x = np.random.default_rng(2).standard_normal((3, 11, 8))
    y, weights = torch.as_tensor(x)[None], head_weights(3, 7)
    for k, (weight, bias) in enumerate(weights[:-1]):
        y = functional.pad(y, (1, 1, 1, 1), mode=mode)
        y = torch.relu(functional.conv2d(y, torch.as_tensor(weight), torch.as_tensor(bias)))
        y = functional.max_pool2d(y, 2) if k < 2 else y
    wanted = functional.linear(y.mean(dim=(-2, -1)), *map(torch.as_tensor, weights[-1]))[0]
    np.testing.assert_allclose(head_output(x, 7, padding=padding), wanted, atol=1e-12)
    assert [len(bias) for _, bias in weights] == [8, 16, 32, 5]


def at(row, column, side=40):
    x = np.zeros((2, side, side))
    x[:, row:row + 2, column:column + 2] = np.random.default_rng(1).standard_normal((2, 2, 2))
    return x


def test_invariant_with_zero_padding_away_from_the_borders():
    still = head_output(at(19, 19), 5, padding="constant")
    for row, column in ((23, 19), (15, 15), (19, 23)):
        np.testing.assert_allclose(head_output(at(row, column), 5, padding="constant"), still,
                                   atol=1e-12)
    assert np.abs(head_output(at(21, 19), 5, padding="constant") - still).max() > 1e-6
    assert np.abs(head_output(at(0, 0), 5, padding="constant") - still).max() > 1e-6


def test_zero_padding_lets_position_in_on_the_papers_grid():
    small = [head_output(at(row, 4, side=10), 5, padding="constant") for row in (2, 6)]
    assert np.abs(small[0] - small[1]).max() > 1e-6
