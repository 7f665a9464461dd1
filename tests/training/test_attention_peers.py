"""The modules of others against their formulas; the oracle and the fixed rectangle."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

import theory
from tests.training.test_attention import features
from theory.heads import POSITION_WISE_HEAD
from theory.rectangle import Rectangle
from training.attention import PositionwiseAttention, SpatialAttention, apply_map, truth_map
from training.attention_peers import (
    CBAMSpatialAttention,
    FixedRectangle,
    OracleAttention,
    SimAM,
    simam_weights,
)

PEERS = {
    "positionwise": PositionwiseAttention,
    "cbam": CBAMSpatialAttention,
    "simam": SimAM,
    "fixed": FixedRectangle,
    "oracle": OracleAttention,
}


def peer(name, **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = PEERS[name](5, **options)
    if name == "oracle":
        g = torch.Generator().manual_seed(3)
        made.truth = 2 * torch.randint(0, 2, (3, 8, 6), generator=g).to(torch.int8) - 1
    return made


@pytest.mark.parametrize("channels", [1, 32, 320, 960])
def test_parameter_counts_of_the_paper(channels):
    count = sum(p.numel() for p in PositionwiseAttention(channels).parameters())
    assert count == 80 * channels + 116161


def test_layers_are_those_counted_in_theory():
    convolutions = [m for m in PositionwiseAttention(5).head if isinstance(m, torch.nn.Conv2d)]
    assert [(m.out_channels, m.kernel_size[0], m.padding[0], m.dilation[0])
            for m in convolutions] == [(v.outputs, v.kernel, v.padding, v.dilation)
                                       for v in POSITION_WISE_HEAD]


@pytest.mark.parametrize("name", PEERS)
def test_the_interface_is_the_same(name):
    module, x = peer(name), features(width=6)
    assert isinstance(module, SpatialAttention)
    out, found = module(x, return_map=True)
    assert out.shape == x.shape and torch.equal(module(x), out)
    assert found.f.shape == (3, 8, 6) and bool(((found.f >= 0) & (found.f <= 1)).all())
    assert torch.equal(module.look(x).f, found.f) and torch.equal(module.last.f, found.f)
    assert torch.allclose(torch.sigmoid(found.logit()), found.f, atol=1e-6)
    assert found.hard_mask().shape == (3, 8, 6)
    with pytest.raises(ValueError, match="built for 5 channels, got .3, 4, 8, 6."):
        module(features(channels=4, width=6))


@pytest.mark.parametrize(("name", "options"), [
    ("positionwise", {"width": 8}), ("positionwise", {"dilation": 1}),
    ("positionwise", {"residual": False}), ("positionwise", {"rescale": False}),
    ("positionwise", {"gate": True}), ("cbam", {"kernel": 3}), ("cbam", {"residual": True}),
    ("cbam", {"rescale": True}), ("cbam", {"gate": True}), ("simam", {"regularization": 1.0}),
    ("fixed", {"half_widths": (0.25, 0.4)}), ("fixed", {"half_widths": (0.4, 0.25)}),
    ("fixed", {"s": 2.0}), ("fixed", {"residual": False}), ("fixed", {"rescale": False}),
    ("oracle", {"residual": False}), ("oracle", {"rescale": False})])
def test_every_argument_changes_the_output(name, options):
    x = features(width=6)
    assert not torch.allclose(peer(name)(x), peer(name, **options)(x), atol=1e-6)


def test_cbam_by_its_formula():
    module, x = peer("cbam"), features(width=6).double()
    module = module.double()
    kernels = module.head.weight[0].detach().numpy()
    for i, image in enumerate(x.numpy()):
        z = (correlate2d(image.mean(0), kernels[0], mode="same")
             + correlate2d(image.max(0), kernels[1], mode="same"))
        f = 1 / (1 + np.exp(-z))
        np.testing.assert_allclose(module(x)[i].detach(), image * f, rtol=1e-9)
        np.testing.assert_allclose(module.look(x).f[i].detach(), f, rtol=1e-9)


def test_simam_by_its_formula():
    x = features(width=6).double()
    out, found = SimAM(5)(x, return_map=True)
    image = x.numpy()
    m, v = image.mean((2, 3), keepdims=True), image.var((2, 3), ddof=1, keepdims=True)
    weights = 1 / (1 + np.exp(-((image - m) ** 2 / (4 * (v + 1e-4)) + 0.5)))
    np.testing.assert_allclose(out, image * weights, rtol=1e-9)
    np.testing.assert_allclose(found.f, weights.mean(1), rtol=1e-9)
    assert float(found.f.min()) > 0.5  # for localisation a threshold of 1/2 says nothing
    assert not list(SimAM(5).parameters())


def test_simam_weights_do_not_feel_scale_and_shift_of_a_channel():
    x = features()
    moved = x * torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])[:, None, None] + 7
    assert torch.allclose(simam_weights(x, 1e-9), simam_weights(moved, 1e-9), atol=1e-4)


@pytest.mark.parametrize("mask_type", [torch.int8, torch.int64])
def test_the_oracle_attends_to_the_truth(mask_type):
    oracle, x = OracleAttention(5), features()
    truth = torch.full((3, 8, 8), -1, dtype=mask_type)
    truth[:, 2:4, 1:7] = 1
    truth[:, 5] = 0  # nobody knows: outside
    oracle.truth = truth
    out, found = oracle(x, return_map=True)
    assert torch.equal(found.hard_mask() == 1, truth == 1)
    factor = 1 + (truth == 1) * 64 / 12
    assert torch.allclose(out, x * factor[:, None], atol=1e-5)
    assert torch.equal(out, apply_map(x, truth_map(truth).log_f))


def test_the_fixed_rectangle_does_not_look():
    fixed = FixedRectangle(5, half_widths=(0.2, 0.4), s=5.0)
    r = Rectangle([0.5, 0.5], [0.2, 0.4], 0.0)
    for x in (features(), features(1, height=5, width=12, seed=1)):
        _, found = fixed(x, return_map=True)
        f = theory.attention_map(r, *x.shape[-2:], s=5.0)
        np.testing.assert_allclose(found.f, np.broadcast_to(f, found.f.shape), atol=1e-6)
        assert found.parameters.shape == (len(x), 5)
    assert not list(fixed.parameters()) and not fixed.state_dict()
    fixed.s = 1.0
    assert fixed.look(features()).s == 1.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PositionwiseAttention(5)(features(channels=7)), "5 channels, got .3, 7"),
        (lambda: PositionwiseAttention(5, width=0), "width must be a positive integer"),
        (lambda: PositionwiseAttention(5, dilation=1.5), "dilation must be a positive integer"),
        (lambda: CBAMSpatialAttention(5, kernel=4), "kernel must be odd, got 4"),
        (lambda: CBAMSpatialAttention(5, kernel=-1), "kernel must be a positive integer"),
        (lambda: SimAM(5, regularization=0.0), "regularization must be positive"),
        (lambda: SimAM(5)(features(height=1, width=1)), "at least 2 positions, got .1, 1."),
        (lambda: OracleAttention(5)(features()), "needs the true masks .* got None"),
        (lambda: peer("oracle")(features()), r"of shape \(3, 8, 8\), got shape \(3, 8, 6\)"),
        (lambda: FixedRectangle(5, half_widths=(0.2, 0.0)), "half_widths must be positive"),
        (lambda: FixedRectangle(5, s=math.inf), "s must be positive and finite, got inf"),
        (lambda: FixedRectangle(5)(features(height=1)), "Eq. 5 needs"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
