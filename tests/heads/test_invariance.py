"""The rectangle head of App. G does not see shifts by 4 cells."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.heads.test_counts import module
from theory.claims import ledger_4_follow as follow
from theory.claims import verify
from theory.claims.ledger_4_follow import head_output, head_weights
from theory.heads import (
    POSITION_WISE_HEAD,
    RECTANGLE_HEAD,
    GlobalAveragePool,
    cells_off_the_border,
    receptive_fields,
)


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


def sums(x, padded):
    """Third layer's cells if every weight is 1 and pools sum: what a cell is made of."""
    ones = torch.ones(1, 1, 3, 3, dtype=torch.float64)
    for k in range(3):
        x = functional.conv2d(functional.pad(x, (1, 1, 1, 1), value=padded), ones)
        x = functional.avg_pool2d(x, 2) if k < 2 else x
    return x[0, 0]


def test_the_receptive_field_by_autograd():
    x = torch.zeros(1, 1, 64, 64, dtype=torch.float64, requires_grad=True)
    for j in (4, 7):
        (slope,) = torch.autograd.grad(sums(x, 0.0)[j, j], x)
        seen = slope[0, 0].abs().sum(dim=1).nonzero().ravel().tolist()
        field = receptive_fields(RECTANGLE_HEAD)[-1]
        assert seen == list(range(field.step * j + field.first, field.step * j + field.first + 18))
        assert field.size == len(seen) == 18
    sizes = [field.size for field in receptive_fields(POSITION_WISE_HEAD)]
    assert sizes == [1, 9, 17, 25]  # dilation 4: 8 more each
    with pytest.raises(ValueError, match="sees no grid"):
        cells_off_the_border((GlobalAveragePool(),), 10)


@pytest.mark.parametrize("side", [4, 10, 17, 18, 19, 20, 22, 23, 27, 34, 35, 38, 41])
def test_which_cells_see_a_border(side):
    """The padding is changed from 0 to 1: a cell that notices sees a border."""
    x = torch.zeros(1, 1, side, side, dtype=torch.float64)
    noticed = sums(x, 1.0)
    middle = noticed.shape[0] // 2
    quiet = (noticed == 0).any(dim=1).nonzero().ravel().tolist()
    assert tuple(quiet) == cells_off_the_border(RECTANGLE_HEAD, side)
    assert bool(quiet) == (side > 18) == bool(noticed[middle, middle] == 0)


@pytest.mark.parametrize(("side", "more"), [(33, []), (34, [15]), (35, []), (38, [16, 17, 18, 19])])
def test_where_an_object_may_be_shifted_unnoticed(side, more):
    """By the head itself: the places whose shift by 4 changes nothing.

    ``more``: the first layer's padding, zeros, can't be told from an empty background, so that a row
    beyond the lower border is noticed by later layers only.
    """
    rows = follow.rows_off_the_border(side)
    free = [r for r in rows if r + 4 in rows]
    assert free == ([] if side < 35 else [15])
    unmoved = [r for r in range(side - 6) if follow.movement(
        {"padding": "constant", "seed": 3, "side": side, "at": (r, 15), "shift": (4, 0)}) < 1e-12]
    assert unmoved == free + more


def test_the_refutation_is_about_finer_grids_than_the_papers():
    instance = {"padding": "constant", "seed": 0, "side": follow.SIDE,
                "at": (follow.START, follow.START), "shift": (4, 4)}
    assert follow.SEC_44_FOLLOW.margin(instance) < 0
    paper = {**instance, "side": follow.PAPER_SIDE, "at": (2, 2)}
    assert follow.PAPER_SIDE == 10 and follow.SEC_44_FOLLOW.margin(paper) > 1e-4
    assert follow.rows_off_the_border(18) == ()


def test_the_instance_of_the_border_claim_in_torch():
    weights = head_weights(2, 0, integers=True)
    assert all(np.array_equal(v, np.round(v)) and np.abs(v).max() <= 2 for p in weights for v in p)

    def output(row, column):
        y = torch.zeros(1, 2, 10, 10, dtype=torch.float64)
        y[:, :, row:row + 2, column:column + 2] = 1
        for k, (weight, bias) in enumerate(weights[:-1]):
            y = torch.relu(functional.conv2d(y, *map(torch.as_tensor, (weight, bias)), padding=1))
            y = functional.max_pool2d(y, 2) if k < 2 else y
        y = y.mean(dim=(-2, -1))
        return tuple(functional.linear(y, *map(torch.as_tensor, weights[-1]))[0].tolist())

    outputs = {(r, c): output(r, c) for r in range(9) for c in range(9)}
    assert outputs == {place: follow.border_output(*place) for place in outputs}
    assert len(set(outputs.values())) == 81
    assert all(4 * v == int(4 * v) and abs(v) < 2**40 for o in outputs.values() for v in o)  # exact


def test_the_verdicts_on_following():
    status = {c.id: verify(c, examples=40, budget=2.0, amendment=False) for c in follow.CLAIMS}
    assert {k: v.status for k, v in status.items()} == {
        "sec-4.4-follow": "refuted", "sec-4.4-follow-amended": "holds",
        "sec-4.4-follow-border": "holds"}
    border = {e.kind: e for e in status["sec-4.4-follow-border"].evidence}
    assert border["exhaustive"].instances == 81 * 80 // 2 and "n = 20" in border["measured"].text
