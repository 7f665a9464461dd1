"""Parameters and multiply-adds of the two heads, counted a second time on torch modules."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from theory.heads import (
    PLACES,
    POSITION_WISE_HEAD,
    RECTANGLE_HEAD,
    Convolution,
    GlobalAveragePool,
    Linear,
    costs,
    multiply_adds,
    multiply_adds_formula,
    parameters,
    parameters_formula,
    threshold,
)

HEADS = {"rectangle": RECTANGLE_HEAD, "position-wise": POSITION_WISE_HEAD}
each_head = pytest.mark.parametrize("name", HEADS)


def module(name, channels):
    """The heads written out in torch, from App. G's text and not from theory.heads."""
    if name == "rectangle":
        return nn.Sequential(
            nn.Conv2d(channels, 64, 3, padding=1), nn.MaxPool2d(2),
            nn.Conv2d(64, 128, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(128, 256, 3, padding=1),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 5))
    return nn.Sequential(
        nn.Conv2d(channels, 80, 1), nn.Conv2d(80, 80, 3, padding=4, dilation=4),
        nn.Conv2d(80, 80, 3, padding=4, dilation=4), nn.Conv2d(80, 1, 3, padding=4, dilation=4))


def counted(name, channels, height, width):
    """(parameters, multiply-adds, output shape), by numel and forward hooks."""
    total = 0

    def hook(layer, inputs, output):
        nonlocal total
        per_output = layer.weight[0].numel()  # products summed for one number of the output
        total += per_output * output[0].numel()

    net = module(name, channels)
    for layer in net:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(hook)
    with torch.no_grad():
        out = net(torch.zeros(1, channels, height, width))
    return sum(p.numel() for p in net.parameters()), total, tuple(out.shape[1:])


@each_head
@pytest.mark.parametrize(("channels", "height", "width"), [
    (320, 10, 10), (960, 10, 10), (1, 4, 4), (7, 5, 11), (40, 12, 8)])
def test_counts_against_torch_modules(name, channels, height, width):
    head = HEADS[name]
    numel, products, shape = counted(name, channels, height, width)
    assert parameters(head, channels) == numel == parameters_formula(head, channels)
    assert multiply_adds(head, channels, height, width) == products
    assert multiply_adds_formula(head, channels, height, width) == products
    last = costs(head, channels, height, width)[-1]
    assert (last.channels, last.height, last.width)[:len(shape)] == shape


def test_the_papers_places():
    found = {}
    for place in PLACES:
        size = place.channels, place.height, place.width
        found[place.channels] = [
            (parameters(h, place.channels), multiply_adds(h, *size)) for h in HEADS.values()]
    assert found == {320: [(554_693, 21_456_128), (141_761, 14_152_000)],
                     960: [(923_333, 58_320_128), (192_961, 19_272_000)]}
    assert all((p.height, p.width) == (10, 10) for p in PLACES)  # 300 px halved five times, up
    side = 300
    for _ in range(5):
        side = -(-side // 2)
    assert side == 10


@pytest.mark.parametrize(("height", "width"), [(10, 10), (4, 4), (16, 16), (8, 12), (7, 9), (56, 56)])
@pytest.mark.parametrize("factor", [1, 2])
def test_thresholds_by_trying_every_channel_number(height, width, factor):
    channels = np.arange(1, 400)
    cheaper = [factor * multiply_adds_formula(RECTANGLE_HEAD, int(c), height, width)
               < multiply_adds_formula(POSITION_WISE_HEAD, int(c), height, width) for c in channels]
    limit = threshold(height, width, factor)
    assert cheaper == [bool(c <= limit) for c in channels]
    if (height, width) == (10, 10):
        assert limit == (172, 51)[factor - 1]
    elif height % 4 == width % 4 == 0:
        assert limit == (159, 39)[factor - 1]


def test_parameters_are_never_fewer():
    assert all(parameters_formula(RECTANGLE_HEAD, c) > parameters_formula(POSITION_WISE_HEAD, c)
               for c in range(1, 3000))


def test_sides_below_four_leave_nothing():
    for side in (1, 2, 3):
        with pytest.raises(ValueError, match="leaves nothing of a map of"):
            costs(RECTANGLE_HEAD, 8, side, 9)
        with pytest.raises(RuntimeError, match="[Oo]utput size is too small"):
            module("rectangle", 8)(torch.zeros(1, 8, side, 9))
    assert costs(RECTANGLE_HEAD, 8, 4, 4)[-1].channels == 5
    assert costs(POSITION_WISE_HEAD, 8, 1, 1)[-1].height == 1


def test_bad_sizes_and_heads():
    with pytest.raises(ValueError, match="channels must be a positive integer, got 0"):
        costs(RECTANGLE_HEAD, 0, 4, 4)
    with pytest.raises(ValueError, match="width must be a positive integer, got 2.5"):
        costs(RECTANGLE_HEAD, 1, 4, 2.5)
    with pytest.raises(ValueError, match="closed forms are known"):
        parameters_formula((Linear(5),), 3)
    with pytest.raises(ValueError, match="factor must be at least 1"):
        threshold(10, 10, 0)


def test_a_convolution_without_padding_shrinks_its_map():
    (cost,) = costs((Convolution(2, 3, dilation=2),), 1, 9, 7)
    assert (cost.height, cost.width, cost.multiply_adds) == (5, 3, 2 * 9 * 15)
    assert costs((GlobalAveragePool(),), 3, 9, 7)[0].multiply_adds == 0
