"""What the heads can see, follow and learn; what the paper's head cannot."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import theory
from tests.training.test_attention import HEADS, features, module
from theory.rectangle import Rectangle, grid, hard_mask, log_soft_rectangle
from training.attention_heads import CoordsHead, Halve, PaperHead, SoftArgmaxHead, half_angle, moments

SALIENCY_HEADS = ("coords", "softargmax", "light")


def head_of(cls, channels, **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return cls(channels, 0.3, **options)


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


def test_moments_in_single_precision_of_narrow_saliencies():
    """One product for all moments: little may cancel."""
    points = grid(28, 28, like=torch.zeros((), dtype=torch.float64)).flatten(0, 1)
    at = torch.tensor([[0.05, 0.9], [0.95, 0.02], [0.5, 0.5]], dtype=torch.float64)
    logits = -((points - at[:, None]) ** 2).sum(-1) / (2 * 0.03**2)
    for single, double in zip(moments(logits.float(), points.float()), moments(logits, points),
                              strict=True):
        assert torch.allclose(single[..., :2].double(), double[..., :2], atol=1e-4) or single.ndim == 1


def test_moments_of_a_point_and_of_nothing_have_a_gradient():
    points = grid(5, 5, like=torch.zeros(1)).flatten(0, 1)
    logits = torch.zeros(2, 25)
    logits[1, 7] = 1e3
    found = moments(logits.requires_grad_(), points)
    gradient = torch.autograd.grad(sum(v.sum() for v in found), logits)[0]
    assert bool(torch.isfinite(gradient).all())
    assert torch.allclose(found[0], torch.stack([torch.tensor([0.5, 0.5]), points[7]]))


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


def largest_step(attention, a, b, steps):
    t = torch.linspace(0, 2 * math.pi, steps + 1)[:, None, None, None]
    with torch.no_grad():
        _, found = attention(torch.cos(t) * a + torch.sin(t) * b, return_map=True)
    angle = found.rectangle.angle.diff().abs()
    return float(found.f.diff(dim=0).abs().max()), float(angle.max())


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("seed", [0, 1])
def test_map_is_continuous_along_a_loop_of_features(head, seed):
    """Where a map jumps, the largest step does not shrink with the size of the steps.

    (On loops that miss the points where a saliency is isotropic: there the angle has no limit.)
    """
    attention = module(head, channels=3)
    with torch.no_grad():
        for name, parameter in attention.head.named_parameters():
            parameter.mul_(2.0 if "saliency" in name else 1.2)
        if hasattr(attention.head, "size"):  # an elongated rectangle, which feels its angle
            attention.head.size.bias += torch.tensor([0.15, -0.15])
        elif head == "softargmax":  # turns about the origin
            attention.head.out.weight[2:] *= 10
            attention.head.out.bias.copy_(torch.tensor([0.4, 0.1, 0.0, 0.0]))
    a, b = features(1, 3, seed=seed), features(1, 3, seed=seed + 10)
    coarse, fine = (largest_step(attention, a, b, steps)[0] for steps in (400, 1600))
    assert fine < 0.5 * coarse + 1e-4


def test_the_angle_of_a_vector_turns_with_the_map():
    """A full turn of (q1, q2) is a half turn of the rectangle: the angle jumps, the map does not."""
    turn = torch.linspace(0, 2 * math.pi, 4001)
    angle = half_angle(turn.cos(), turn.sin())
    assert float(angle.diff().abs().max()) == pytest.approx(math.pi, abs=0.01)
    n = len(turn)
    r = Rectangle(torch.full((n, 2), 0.5), torch.tensor([0.4, 0.1]).expand(n, 2), angle)
    f = theory.attention_map(r, 9, 9, s=6.0)
    assert float(f.diff(dim=0).abs().max()) < 0.01
    assert torch.allclose(f[0], f[-1], atol=1e-4) and not torch.allclose(f[0], f[n // 2], atol=0.5)
    zero = torch.zeros(1, requires_grad=True)
    assert bool(torch.isfinite(torch.autograd.grad(half_angle(zero, zero).sum(), zero)[0]).all())


def test_coords_head_sees_position():
    """A bright cell moves the centre: what global average pooling alone cannot do."""
    head = head_of(CoordsHead, 1)
    with torch.no_grad():
        head.saliency.weight.fill_(1.0)
        head.mix.weight.zero_()
        head.mix.weight[:, 0] = 1.0
    x = torch.zeros(2, 1, 8, 8)
    x[0, 0, 1, 2], x[1, 0, 6, 5] = 1.0, 1.0
    center, _, _ = head(x)
    expected = torch.tensor([[1.0, 2.0], [6.0, 5.0]]) / 7
    assert torch.allclose(center[:, 0], expected, atol=1e-3)


def test_coords_head_is_a_network_on_features_and_coordinates():
    head, x = head_of(CoordsHead, 5), features(height=4, width=7)
    joined = torch.cat([x, grid(4, 7, like=x).movedim(-1, 0).expand(3, -1, -1, -1)], dim=1)
    z = head.saliency(torch.relu(head.mix(joined))).flatten(1)
    center, _, angle = head(x)
    expected = moments(z, grid(4, 7, like=x).flatten(0, 1))
    assert torch.allclose(center[:, 0], expected[0], atol=1e-5)
    assert torch.allclose(angle[:, 0], expected[2], atol=1e-4)


def test_softargmax_head_follows_translations():
    """Away from borders centre moves with the image; half-widths and angle stay."""
    head = head_of(SoftArgmaxHead, 3)
    with torch.no_grad():
        head.saliency.weight.abs_().mul_(100)  # all on the pattern, nothing on the background
    pattern = 5 * features(1, 3, 5, 5, seed=4)
    x = torch.zeros(2, 3, 32, 24)
    x[0, :, 9:14, 8:13], x[1, :, 16:21, 6:11] = pattern[0], pattern[0]
    center, raw, angle = head(x)
    moved = (center[1, 0] - center[0, 0]) * torch.tensor([31.0, 23.0])
    assert torch.allclose(moved, torch.tensor([7.0, -2.0]), atol=0.05)
    assert torch.allclose(raw[0], raw[1], atol=1e-3) and torch.allclose(angle[0], angle[1], atol=1e-2)


def test_softargmax_head_reads_size_and_angle_where_it_is_salient():
    head = head_of(SoftArgmaxHead, 3)
    with torch.no_grad():
        head.saliency.weight.abs_().mul_(100)
    x = torch.zeros(3, 3, 32, 24)
    x[:, :, 9:14, 8:13] = 5 * features(1, 3, 5, 5, seed=4)
    x[1, :, 24:29, 16:21] = features(1, 3, 5, 5, seed=5)[0]  # weak, elsewhere
    x[2, :, 9:14, 8:13] += features(1, 3, 5, 5, seed=5)[0]
    _, raw, angle = head(x)
    elsewhere, there = ((raw[i] - raw[0]).detach().abs().max() for i in (1, 2))
    assert 0 < float(there) > 20 * float(elsewhere)
    assert torch.allclose(angle[1], angle[0], atol=1e-2)


def pattern_at(row, column, sides):
    x = torch.zeros(1, 4, *sides)
    x[..., row:row + 4, column:column + 4] = features(1, 4, 4, 4, seed=5)
    return x


def test_paper_head_is_blind_to_position_away_from_borders():
    """Its receptive field is 18: shifts by 4 that stay 15 from the borders change nothing at all."""
    head = head_of(PaperHead, 4)
    with torch.no_grad():
        outs = [torch.cat([v.flatten() for v in head(pattern_at(r, c, (48, 52)))])
                for r, c in ((16, 16), (20, 16), (24, 24), (28, 32), (17, 16), (0, 16), (16, 48))]
        effect = float((outs[0] - torch.cat([v.flatten() for v in head(torch.zeros(1, 4, 48, 52))])).norm())
    for out in outs[1:4]:
        assert float((out - outs[0]).norm()) < 1e-4 * effect
    for out in outs[4:]:  # a shift by 1, which pooling feels, and places at the border
        assert float((out - outs[0]).norm()) > 0.05 * effect


@pytest.mark.parametrize("sides", [(8, 8), (16, 16)])
def test_what_the_paper_head_sees_of_position_comes_through_padding(sides):
    """With circular padding a shift by 4 changes nothing even on small grids, with zeros it does."""
    head, x = head_of(PaperHead, 4), features(2, 4, *sides)
    shifted = torch.roll(x, (4, 4), dims=(-2, -1))
    with torch.no_grad():
        zeros = [torch.cat([v.flatten(1) for v in head(v)], dim=1) for v in (x, shifted)]
        for layer in head.features:
            if isinstance(layer, nn.Conv2d):
                layer.padding_mode, layer._reversed_padding_repeated_twice = "circular", [1, 1, 1, 1]
        circular = [torch.cat([v.flatten(1) for v in head(v)], dim=1) for v in (x, shifted)]
    assert torch.allclose(*circular, atol=1e-6)
    assert not torch.allclose(*zeros, atol=1e-3)


@pytest.mark.parametrize("sides", [(4, 4), (5, 7), (6, 9)])
def test_halving_is_max_pooling(sides):
    x = features(height=sides[0], width=sides[1]).requires_grad_()
    y = x.detach().clone().requires_grad_()
    a, b = Halve()(x), torch.nn.functional.max_pool2d(y, 2)
    assert torch.equal(a, b)
    weights = torch.randn(a.shape, generator=torch.Generator().manual_seed(0))
    (a * weights).sum().backward()
    (b * weights).sum().backward()
    assert torch.equal(x.grad, y.grad)


@pytest.mark.parametrize("head", SALIENCY_HEADS)
def test_several_rectangles_are_each_of_their_own_saliency(head):
    """Rectangle i of k is what a head with that saliency alone gives."""
    several, one, x = module(head, count=3), module(head), features()
    state = {k: v.clone() for k, v in several.state_dict().items()}
    parameters = several.look(x).parameters
    for i in range(3):
        for part in ("weight", "bias"):
            state[f"head.saliency.{part}"] = several.head.saliency.state_dict()[part][i:i + 1]
        one.load_state_dict(state)
        assert torch.allclose(one.look(x).parameters, parameters[:, i], atol=1e-5)


def squares(n, seed):
    """Rectangles drawn as features, with their masks: two channels, noise."""
    g = torch.Generator().manual_seed(seed)
    center, half = 0.3 + 0.4 * torch.rand(n, 2, generator=g), 0.12 + 0.18 * torch.rand(n, 2, generator=g)
    r = Rectangle(center, half, math.pi * torch.rand(n, generator=g))
    masks = hard_mask(r, 12, 12)
    x = torch.stack([(masks == 1).float(), torch.zeros(n, 12, 12)], dim=1)
    return x + 0.1 * torch.randn(x.shape, generator=g), masks, r


@pytest.mark.parametrize("head", HEADS)
def test_heads_learn_place_and_extent(head):
    """Under supervision by masks, on fresh images: IoU, and half-widths that vary with the truth."""
    attention = module(head, channels=2, start_half_width=0.25, s=3.0)
    optimizer = torch.optim.Adam(attention.parameters(), lr=1e-3 if head == "paper" else 1e-2)
    x, masks, _ = squares(256, 0)
    for step in range(70 if head == "paper" else 150):
        part = slice(32 * (step % 8), 32 * (step % 8) + 32)
        logit = attention.look(x[part]).logit()
        loss = nn.functional.binary_cross_entropy_with_logits(logit, (masks[part] == 1).float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x, masks, truth = squares(128, 1)
    with torch.no_grad():
        found = attention.look(x)
    hit, inside = found.hard_mask() == 1, masks == 1
    iou = float(((hit & inside).sum((1, 2)) / (hit | inside).sum((1, 2))).mean())
    sizes = [torch.log(v.prod(-1)) for v in (found.rectangle.half_widths, truth.half_widths)]
    assert iou > 0.5
    assert float(torch.corrcoef(torch.stack(sizes))[0, 1]) > 0.7
