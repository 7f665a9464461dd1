"""The attention modules against theory, NumPy and finite differences."""

import math

import numpy as np
import pytest
import torch

import theory
from theory.attention import rescale
from theory.heads import POSITION_WISE_HEAD, RECTANGLE_HEAD
from theory.rectangle import Rectangle, grid, log_soft_rectangle
from training.attention import (
    AttentionMap,
    PositionwiseAttention,
    RectangularAttention,
    apply_map,
    truth_map,
)
from training.attention_heads import CoordsHead, moments

HEADS = ("coords", "paper")


def features(n=3, channels=5, height=8, width=8, seed=0):
    return torch.randn(n, channels, height, width, generator=torch.Generator().manual_seed(seed))


def module(head="coords", channels=5, **options):
    torch.manual_seed(0)
    return RectangularAttention(channels, head=head, **options)


@pytest.mark.parametrize("channels", [1, 32, 320, 960])
def test_parameter_counts_of_the_paper(channels):
    count = {
        "rectangle": sum(p.numel() for p in module("paper", channels).parameters()),
        "positionwise": sum(p.numel() for p in PositionwiseAttention(channels).parameters()),
    }
    assert count["rectangle"] == 576 * channels + 370373
    assert count["positionwise"] == 80 * channels + 116161


def test_layers_are_those_counted_in_theory():
    shapes = [m.weight.shape for m in module("paper").head.modules() if hasattr(m, "weight")]
    assert [s[0] for s in shapes] == [v.outputs for v in RECTANGLE_HEAD if hasattr(v, "outputs")]
    convolutions = [m for m in PositionwiseAttention(5).head if isinstance(m, torch.nn.Conv2d)]
    assert [(m.out_channels, m.kernel_size[0], m.padding[0], m.dilation[0])
            for m in convolutions] == [(v.outputs, v.kernel, v.padding, v.dilation)
                                       for v in POSITION_WISE_HEAD]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("sides", [(8, 8), (5, 9)])
def test_map_and_output_are_those_of_theory(head, sides):
    x = features(height=sides[0], width=sides[1])
    attention = module(head)
    out, found = attention(x, return_map=True)
    f = theory.attention_map(found.rectangle, *sides, s=6.0)
    assert torch.allclose(found.f, f, atol=1e-6)
    scaled = rescale(f.detach().double().numpy())  # Eq. 7 as it stands, in NumPy
    expected = x.numpy() * (1 + scaled[:, None])
    np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("rescaled", [True, False])
def test_options_of_the_equations(residual, rescaled):
    x, f = features(1, 2, 3, 4), torch.rand(1, 3, 4, generator=torch.Generator().manual_seed(1))
    out = apply_map(x, f.log(), residual=residual, rescale=rescaled)
    factor = (f * 12 / f.sum() if rescaled else f) + (1 if residual else 0)
    assert torch.allclose(out, x * factor[:, None], atol=1e-6)


@pytest.mark.parametrize("head", HEADS)
def test_gradient_reaches_all_five_parameters(head):
    attention = module(head, start_half_width=0.3)
    x = features().requires_grad_()
    out, found = attention(x, return_map=True)
    weights = features(seed=9)
    parts = (found.rectangle.center, found.rectangle.half_widths, found.rectangle.angle)
    for gradient in torch.autograd.grad((out * weights).sum(), parts, retain_graph=True):
        assert bool((gradient != 0).all())
    (out * weights).sum().backward()
    for name, parameter in attention.named_parameters():
        if name != "head.saliency.bias":  # softmax does not feel a constant
            assert float(parameter.grad.abs().sum()) > 0, name


def test_gradient_of_the_rendering_against_finite_differences():
    logits = torch.randn(2, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    points = grid(4, 5, like=logits).flatten(0, 1)

    def rendered(logits):
        mean, spread, angle = moments(logits, points)
        return log_soft_rectangle(Rectangle(mean, spread, angle), points, 6.0)

    assert torch.autograd.gradcheck(rendered, logits.requires_grad_())


def test_moments_against_an_eigendecomposition():
    logits = torch.randn(50, 24, dtype=torch.float64,
                             generator=torch.Generator().manual_seed(4))
    points = grid(4, 6, like=logits).flatten(0, 1)
    mean, spread, angle = (v.numpy() for v in moments(logits, points))
    for i, p in enumerate(torch.softmax(logits, 1).numpy()):
        np.testing.assert_allclose(mean[i], np.average(points.numpy(), axis=0, weights=p))
        values, vectors = np.linalg.eigh(np.cov(points.numpy().T, aweights=p, ddof=0))
        np.testing.assert_allclose(spread[i], np.sqrt(np.maximum(values[::-1], 1e-4)), rtol=1e-3)
        along = np.array([math.cos(angle[i]), math.sin(angle[i])])
        assert abs(along @ vectors[:, 1]) == pytest.approx(1, abs=1e-3)


def test_angle_jumps_leave_the_map_where_it_is():
    points = grid(9, 9, like=torch.zeros(1)).flatten(0, 1)
    before, jumps = None, 0
    for turn in torch.linspace(0, 2 * math.pi, 2001):
        along = torch.stack([turn.cos(), turn.sin()])
        d = points - 0.5
        logits = -20 * (d @ torch.stack([-along[1], along[0]])) ** 2 - 3 * (d @ along) ** 2
        mean, spread, angle = moments(logits[None], points)
        f = theory.soft_rectangle(Rectangle(mean, spread, angle), points, 6.0)
        if before is not None:
            assert float((f - before[0]).abs().max()) < 0.02
            jumps += float((angle - before[1]).abs()) > 1
        before = f, angle
    assert jumps == 2  # the parameter did jump, twice a turn, by pi


@pytest.mark.parametrize("head", HEADS)
def test_centres_stay_inside_and_half_widths_above_the_floor(head):
    attention = module(head, min_half_width=0.6)
    with torch.no_grad():
        for parameter in attention.head.parameters():
            parameter.mul_(300.0)
    x = features(n=64, seed=2)
    attention(x)
    found = attention.last.rectangle
    assert float(found.center.min()) >= 0 and float(found.center.max()) <= 1 + 1e-6
    assert float(found.half_widths.min()) >= 0.6 / 7 - 1e-6


@pytest.mark.parametrize("head", HEADS)
def test_start_is_large_and_central(head):
    _, found = module(head, channels=32, start_half_width=0.4)(
        features(8, 32, 16, 16) / 10, return_map=True)
    assert torch.allclose(found.rectangle.half_widths, torch.tensor(0.4), atol=0.06)
    assert torch.allclose(found.rectangle.center, torch.tensor(0.5), atol=0.06)


CHANGES = {"head": "paper", "s": 3.0, "residual": False, "rescale": False, "min_half_width": 4.0,
           "start_half_width": 0.2, "hidden": 8}


@pytest.mark.parametrize("name", CHANGES)
def test_every_argument_of_the_rectangle_changes_the_output(name):
    x = features()
    assert not torch.allclose(module()(x), module(**{name: CHANGES[name]})(x), atol=1e-4)


@pytest.mark.parametrize("change", [{"width": 8}, {"dilation": 1}, {"residual": False},
                                    {"rescale": False}])
def test_every_argument_of_positionwise_changes_the_output(change):
    outs = []
    for options in ({}, change):
        torch.manual_seed(0)
        outs.append(PositionwiseAttention(5, **options)(features()))
    assert not torch.allclose(*outs, atol=1e-6)


def test_hard_masks_come_from_the_parameters_then_the_threshold():
    points = grid(9, 9, like=torch.zeros(1))
    r = Rectangle(torch.tensor([[0.5, 0.5]]), torch.tensor([[0.26, 0.26]]), torch.zeros(1))
    found = AttentionMap(log_soft_rectangle(r, points, 1.0), r, lambda: None)
    assert int((found.hard_mask() == 1).sum()) == 25
    inside = theory.soft_rectangle(r, points, 1.0) >= 0.5
    assert int(inside.sum()) == int((found.threshold_mask() == 1).sum()) == 1
    without = AttentionMap(found.log_f, None, lambda: None)
    assert torch.equal(without.hard_mask(), found.threshold_mask())


def test_logit_is_that_of_the_map():
    for attention in (module(), PositionwiseAttention(5)):
        _, found = attention(features(), return_map=True)
        assert torch.allclose(torch.sigmoid(found.logit()), found.f, atol=1e-5)


def test_last_map_is_detached():
    attention = module()
    _, found = attention(features(), return_map=True)
    assert not attention.last.log_f.requires_grad and found.log_f.requires_grad
    assert torch.equal(attention.last.rectangle.angle, found.rectangle.angle)


def test_oracle_map_of_a_mask():
    mask = torch.tensor([[[1, -1], [-1, -1]]], dtype=torch.int8)
    assert torch.equal(truth_map(mask).hard_mask(), mask)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: module()(features(channels=4)), "5 channels, got .3, 4, 8, 8."),
        (lambda: PositionwiseAttention(5)(features(channels=7)), "5 channels, got .3, 7"),
        (lambda: module("paper")(features(height=3)), "at least 4, got .3, 8."),
        (lambda: module()(features(height=1)), "Eq. 5 needs"),
        (lambda: module("square"), "head must be one of"),
        (lambda: module(s=0.0), "s must be positive"),
        (lambda: module(min_half_width=-1.0), "min_half_width must be positive"),
        (lambda: module("paper", hidden=3), "hidden belongs to the coords head"),
        (lambda: RectangularAttention(0), "channels must be a positive integer, got 0"),
        (lambda: PositionwiseAttention(5, width=0), "width must be a positive integer"),
        (lambda: module()(features() * math.nan), "finite"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_coords_head_sees_position():
    """A bright cell moves the centre: what global average pooling alone cannot do."""
    torch.manual_seed(0)
    head = CoordsHead(1, 0.4)
    with torch.no_grad():
        head.saliency.weight.fill_(1.0)
        head.mix.weight.zero_()
        head.mix.weight[:, 0] = 1.0
    x = torch.zeros(2, 1, 8, 8)
    x[0, 0, 1, 2], x[1, 0, 6, 5] = 1.0, 1.0
    center, _, _ = head(x)
    expected = torch.tensor([[1.0, 2.0], [6.0, 5.0]]) / 7
    assert torch.allclose(center, expected, atol=1e-3)
