"""The image warp and the action on parameters are one map; the second view runs the trunk only."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.training.tiny import generator
from theory.equivariance import Similarity, paper_loss, quotient_loss
from theory.rectangle import Rectangle, hard_rectangle, soft_rectangle
from training.attention import AttentionMap, PositionwiseAttention, RectangularAttention
from training.equivariance import (
    Ranges,
    about_center,
    compare,
    equivariance_loss,
    inverse,
    look_only,
    map_loss,
    parameter_loss,
    pixel_points,
    random_similarity,
    share_inside,
    similarity_of_uniforms,
    warp,
    warp_map,
)

N = 60
LAYOUTS = (((64, 64), (16, 16), 4), ((64, 96), (16, 24), 4), ((60, 90), (10, 9), 6),
           ((48, 48), (48, 48), 1))


def rectangles(n=N, seed=0, spread=0.1):
    u = torch.rand(n, 5, generator=generator(seed))
    return Rectangle(0.5 + spread * (u[:, 0:2] - 0.5), 0.1 + 0.08 * u[:, 2:4], 3 * u[:, 4])


def moments(images, points):
    """Area, centroid and covariance of images (n, H, W), by a second route than the drawing."""
    images, points = images.double().numpy(), points.double().numpy()
    area = images.sum((1, 2))
    mean = np.einsum("nij,ijk->nk", images, points) / area[:, None]
    d = points - mean[:, None, None]
    return area, mean, np.einsum("nij,nijk,nijl->nkl", images, d, d) / area[:, None, None]


def orientation(covariance):
    return 0.5 * np.arctan2(2 * covariance[:, 0, 1], covariance[:, 0, 0] - covariance[:, 1, 1])


@pytest.mark.parametrize("about", ["center", "origin"])
@pytest.mark.parametrize(("image", "grid", "stride"), LAYOUTS)
def test_the_warped_drawing_is_the_drawing_of_the_acted_parameters(image, grid, stride, about):
    """To 0.05 pixels, 1 % of the area and 1 degree (soft); 0.5 pixels and 15 % rasterised."""
    r = rectangles()
    ranges = Ranges(math.pi, (0.8, 1.25), 0.05, about)
    move = random_similarity(N, generator(1), ranges)
    points = pixel_points(image, grid, stride, r.center)
    pitch = stride * (np.array(grid) - 1)
    kept = share_inside((hard_rectangle(r, points)), move, grid, stride).numpy() == 1
    assert kept.sum() > N / 2
    for draw, pixels, area in ((lambda r: soft_rectangle(r, points, 4.0), 0.05, 0.01),
                               (lambda r: (hard_rectangle(r, points) == 1).float(), 0.5, 0.15)):
        moved = warp(draw(r)[:, None], move, grid, stride, padding="zeros")[:, 0]
        (a, mean, v), (b, mean_acted, v_acted) = (
            moments(x[kept], points) for x in (moved, draw(move.act(r))))
        assert (np.abs(mean - mean_acted) * pitch).max() < pixels
        assert np.abs(a / b - 1).max() < area
        if area == 0.01:
            long = (r.half_widths.amax(1) / r.half_widths.amin(1)).numpy()[kept] > 1.2
            turn = (orientation(v) - orientation(v_acted))[long]
            turn = (turn + math.pi / 2) % math.pi - math.pi / 2
            assert np.abs(turn).max() < math.radians(1)


def test_known_moves_of_single_pixels():
    """A turn by +90 degrees takes axis 1 to axis 2: below the centre goes to the right of it."""
    x = torch.zeros(1, 1, 5, 5)
    x[0, 0, 3, 2] = 1.0
    turned = warp(x, about_center(torch.tensor(math.pi / 2), torch.ones(()), torch.zeros(2)), (5, 5))
    assert turned[0, 0].round().nonzero().tolist() == [[2, 3]]
    shifted = warp(x, Similarity(shift=(-0.5, 0.25)), (5, 5), padding="zeros")
    assert shifted[0, 0].round().nonzero().tolist() == [[1, 3]]
    grown = warp(x, Similarity(scale=4 / 3), (5, 5))  # about the corner: row 3 -> 4
    assert int(grown[0, 0, :, 3].argmax()) == 4


def test_the_grid_has_its_own_unit():
    """A shift by one pitch of a grid of 4 cells is 4 pixels of a stride-4 image."""
    x = torch.rand(1, 1, 16, 24, generator=generator())
    moved = warp(x, Similarity(shift=(1 / 3, -1 / 5)), (4, 6), padding="zeros")
    assert torch.allclose(moved[..., 4:, :20], x[..., :12, 4:], atol=1e-4)
    assert float(moved[..., :3, :].abs().max()) == 0


@given(st.floats(-3, 3), st.floats(0.3, 3), st.floats(-1, 1), st.floats(-1, 1))
def test_the_inverse_undoes_and_about_center_keeps_the_centre(angle, scale, first, second):
    angle, scale, shift = (torch.tensor(v, dtype=torch.float64)
                           for v in (angle, scale, (first, second)))
    points = torch.rand(7, 2, dtype=torch.float64, generator=generator())
    middle = torch.tensor([0.5, 0.5], dtype=torch.float64)
    for move in (Similarity(angle, scale, shift), about_center(angle, scale, shift)):
        assert torch.allclose(inverse(move).apply(move.apply(points)), points, atol=1e-9)
    assert torch.allclose(move.apply(middle), middle + shift, atol=1e-9)


def test_paddings_fill_from_outside_and_refuse_other_names():
    x = torch.arange(25.0).view(1, 1, 5, 5) + 1
    move = Similarity(shift=(0.5, 0.0))  # two rows down
    rows = {p: warp(x, move, (5, 5), padding=p)[0, 0, 0] for p in ("zeros", "border", "reflection")}
    assert torch.allclose(rows["zeros"], torch.zeros(5), atol=1e-4)
    assert torch.allclose(rows["border"], x[0, 0, 0], atol=1e-4)
    assert torch.allclose(rows["reflection"], x[0, 0, 2], atol=1e-4)
    with pytest.raises(ValueError, match="padding must be one of"):
        warp(x, move, (5, 5), padding="wrap")


def test_warp_keeps_dtype_and_takes_one_similarity_for_all():
    x = torch.rand(3, 2, 8, 8, generator=generator())
    one = warp(x, Similarity(angle=0.3), (4, 4))
    three = warp(x, Similarity(angle=torch.full((3,), 0.3)), (4, 4))
    assert torch.allclose(one, three, atol=1e-6)
    half = warp(x.bfloat16(), Similarity(angle=0.3), (4, 4))
    assert half.dtype == torch.bfloat16 and torch.allclose(half.float(), one, atol=2e-2)
    assert not warp(x.requires_grad_(), Similarity(angle=0.3), (4, 4)).requires_grad
    nearest = warp(torch.eye(8)[None, None], Similarity(angle=0.3), (4, 4), mode="nearest")
    assert set(nearest.unique().tolist()) <= {0.0, 1.0}


def test_ranges_bound_the_draws_and_a_generator_repeats_them():
    ranges = Ranges(0.5, (0.7, 1.5), 0.2)
    move = random_similarity(500, generator(3), ranges)
    again = random_similarity(500, generator(3), ranges)
    assert torch.equal(move.shift, again.shift) and torch.equal(move.angle, again.angle)
    middle = move.apply(torch.full((500, 2), 0.5)) - 0.5
    for values, low, high in ((move.angle, -0.5, 0.5), (move.scale, 0.7, 1.5), (middle, -0.2, 0.2)):
        assert low <= float(values.min()) < low + 0.03 and high - 0.03 < float(values.max()) <= high
    about = random_similarity(500, generator(3), Ranges(0.5, (0.7, 1.5), 0.2, "origin"))
    assert float(about.shift.abs().max()) <= 0.2
    assert float((about.shift - move.shift).abs().max()) > 0.1


@pytest.mark.parametrize("about", ["center", "origin"])
def test_the_safe_disc_stays_in_the_grid(about):
    """No draw takes it out, and the extreme draws do take out a disc 5 % larger."""
    ranges = Ranges(math.pi, (0.8, 1.2), 0.1, about)
    ends = torch.cartesian_prod(*[torch.tensor([0.0, 1.0 - 1e-7])] * 4)
    move = similarity_of_uniforms(torch.cat([torch.rand(400, 4, generator=generator()), ends]), ranges)
    around = torch.linspace(0, 2 * math.pi, 73)
    circle = torch.stack([around.cos(), around.sin()], dim=-1)
    out = [max(float((move.act(Rectangle(0.5 + r * p.expand(416, 2), torch.ones(2), torch.zeros(416)))
                      .center - 0.5).abs().max()) for p in circle) - 0.5
           for r in (ranges.safe_radius, 1.05 * ranges.safe_radius)]
    assert out[0] <= 1e-6 < out[1]


@pytest.mark.parametrize(("change", "message"), [
    ({"angle": 4.0}, "angle must be in .0, pi., got 4.0"), ({"scale": (1.2, 1.0)}, "scale must be"),
    ({"shift": -0.1}, "shift must not be negative"), ({"about": "corner"}, "about must be"),
])
def test_ranges_are_checked(change, message):
    with pytest.raises(ValueError, match=message):
        Ranges(**change)


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: warp(torch.zeros(1, 5, 5), Similarity(), (5, 5)), ValueError, "shape .n, C, H, W."),
    (lambda: warp(torch.zeros(1, 1, 5, 5, dtype=torch.int8), Similarity(), (5, 5)), TypeError,
     "floating, got torch.int8"),
    (lambda: warp(torch.zeros(1, 1, 5, 5), Similarity(), (2, 2)), ValueError, "pass the stride"),
    (lambda: warp(torch.zeros(1, 1, 4, 8), Similarity(), (2, 2)), ValueError, "pass the stride"),
    (lambda: warp(torch.zeros(1, 1, 4, 4), Similarity(), (2, 2), 0), ValueError, "stride must be"),
    (lambda: warp(torch.zeros(1, 1, 4, 4), Similarity(), (1, 1), 4), ValueError, "2 cells"),
    (lambda: similarity_of_uniforms(torch.zeros(3, 3)), ValueError, "shape .n, 4."),
    (lambda: parameter_loss(rectangles(), rectangles(), Similarity(), "map"), ValueError, "kind must"),
])
def test_errors(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_share_inside_counts_pixels():
    mask = torch.full((3, 8, 8), -1, dtype=torch.int8)
    mask[0, 0:4, 2] = 1  # four rows; a shift up by two rows leaves two of them
    mask[1, 5, 5] = 1
    share = share_inside(mask, Similarity(shift=(-2 / 7, 0.0)), (8, 8))
    assert share.tolist() == [0.5, 1.0, 1.0]


def test_map_loss_knows_what_it_cannot_know():
    first = torch.rand(2, 6, 6, generator=generator())
    move = Similarity(shift=(2 / 5, 0.0))  # two rows down
    moved, known = warp_map(first, move)
    assert torch.allclose(moved[:, 2:], first[:, :4], atol=1e-5)
    assert bool(known[:, 2:].all()) and not bool(known[:, :2].any())
    second = torch.rand(2, 6, 6, generator=generator(1), requires_grad=True)
    expected = ((second[:, 2:] - first[:, :4]) ** 2).mean()
    loss = map_loss(second, first.requires_grad_(), move)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)
    loss.backward()
    assert first.grad is None and float(second.grad[:, 2:].abs().min()) > 0
    assert float(second.grad[:, :2].abs().max()) == 0
    assert map_loss(second, first, Similarity(shift=(2.0, 0.0))).item() == 0


def test_losses_are_those_of_theory_and_agree_near_equality():
    first, second, move = rectangles(), rectangles(seed=5), random_similarity(N, generator(2))
    target = move.act(first).to_array().double().numpy()
    for kind, loss in (("paper", paper_loss), ("quotient", quotient_loss)):
        found = parameter_loss(second, first, move, kind)
        np.testing.assert_allclose(found, loss(second.to_array().double().numpy(), target), rtol=1e-3)
        near = move.act(first)
        near = Rectangle(near.center + 1e-2, near.half_widths, near.angle)
        np.testing.assert_allclose(parameter_loss(near, first, move, kind), 2e-4, rtol=1e-3)


def test_only_the_quotient_forgives_another_name_of_the_same_rectangle():
    first, move = rectangles(), random_similarity(N, generator(2))
    acted = move.act(first)
    same = Rectangle(acted.center, acted.half_widths.flip(-1), acted.angle + math.pi / 2)
    assert float(parameter_loss(same, first, move, "quotient").max()) < 1e-9
    assert float(parameter_loss(same, first, move, "paper").min()) > 2.4


class Net(torch.nn.Module):
    """Trunk, attention, tail; counts the runs of each."""

    def __init__(self, attention):
        super().__init__()
        self.trunk = torch.nn.Conv2d(3, 4, 4, stride=4)
        self.attention = attention
        self.tail, self.classify = torch.nn.Conv2d(4, 8, 1), torch.nn.Linear(8, 4)
        self.runs = {"trunk": 0, "attention": 0, "tail": 0, "classify": 0}
        for name in self.runs:
            getattr(self, name).register_forward_hook(self.count(name))

    def count(self, name):
        def hook(*_):
            self.runs[name] += 1
        return hook

    def features(self, images):
        return torch.relu(self.trunk(images))

    def forward(self, images):
        return self.classify(self.tail(self.attention(self.features(images))).mean((-2, -1)))


def net(attention=RectangularAttention):
    torch.manual_seed(0)
    return Net(attention(4))


@pytest.mark.parametrize("kind", ["paper", "quotient", "map"])
def test_the_second_view_runs_trunk_and_head_only(kind):
    model, images = net(), torch.rand(5, 3, 32, 32, generator=generator())
    move = random_similarity(5, generator(1))
    first = model.attention.look(model.features(images))
    model.runs.update(dict.fromkeys(model.runs, 0))
    second = warp(images, move, (8, 8))
    loss = equivariance_loss(model.attention.look, model.features(second), first, move, kind)
    assert model.runs == {"trunk": 1, "attention": 0, "tail": 0, "classify": 0}
    loss.backward()
    for part in (model.trunk, model.attention.head):
        assert any(float(p.grad.abs().sum()) > 0 for p in part.parameters())
    assert all(p.grad is None for part in (model.tail, model.classify) for p in part.parameters())
    model.runs.update(dict.fromkeys(model.runs, 0))
    hooked = look_only(model, model.attention, second)
    assert model.runs == {"trunk": 1, "attention": 0, "tail": 0, "classify": 0}
    assert compare(hooked, first, move, kind).item() == pytest.approx(loss.item(), rel=1e-5)
    assert hooked.log_f.requires_grad


def test_the_gradient_goes_through_both_views_unless_the_first_is_detached():
    model, images = net(), torch.rand(5, 3, 32, 32, generator=generator())
    move = random_similarity(5, generator(1))
    r = model.attention.look(model.features(images)).rectangle
    leaf = Rectangle(r.center.detach().requires_grad_(), r.half_widths.detach(), r.angle.detach())
    features = model.features(warp(images, move, (8, 8)))
    equivariance_loss(model.attention.look, features, AttentionMap(torch.zeros(5, 8, 8), leaf, lambda: None),
                      move).backward()
    assert float(leaf.center.grad.abs().min()) > 0


def test_identity_costs_nothing_and_needs_no_rectangle_for_maps():
    for attention, kinds in ((RectangularAttention, ("paper", "quotient", "map")),
                             (PositionwiseAttention, ("map",))):
        model, images = net(attention), torch.rand(3, 3, 32, 32, generator=generator())
        first = look_only(model, model.attention, images)
        for kind in kinds:
            assert equivariance_loss(model.attention.look, model.features(images), first,
                                     Similarity(), kind).item() < 1e-10
    with pytest.raises(ValueError, match="kind='map'"):
        compare(first, first, Similarity(), "quotient")
    with pytest.raises(ValueError, match="kind must be one of"):
        equivariance_loss(None, images, first, Similarity(), "square")


def test_several_shapes_are_compared_one_by_one():
    """A pair of rectangles costs the mean of what each of them costs alone."""
    first, second, move = rectangles(2 * N), rectangles(2 * N, seed=4), random_similarity(N, generator())
    pairs = [AttentionMap(torch.zeros(N, 8, 8), Rectangle(r.center.view(N, 2, 2),
             r.half_widths.view(N, 2, 2), r.angle.view(N, 2)), lambda: None) for r in (second, first)]
    alone = [compare(*(AttentionMap(p.log_f, Rectangle(p.rectangle.center[:, k],
             p.rectangle.half_widths[:, k], p.rectangle.angle[:, k]), lambda: None) for p in pairs), move)
             for k in (0, 1)]
    assert float(compare(*pairs, move)) == pytest.approx(float(sum(alone)) / 2, rel=1e-5)


def test_the_hook_is_gone_after_use_and_after_errors():
    model, images = net(), torch.rand(2, 3, 32, 32, generator=generator())
    before = model(images)
    look_only(model, model.attention, images)
    assert torch.equal(model(images), before)
    with pytest.raises(RuntimeError):
        look_only(model, model.attention, images[:, :2])
    assert not model.attention._forward_pre_hooks
    with pytest.raises(ValueError, match="never called the attention module .PositionwiseAttention."):
        look_only(model, PositionwiseAttention(4), images)
