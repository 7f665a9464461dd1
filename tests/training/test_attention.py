"""The rectangular module against theory, NumPy and finite differences."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import theory
from theory.attention import rescale
from theory.heads import RECTANGLE_HEAD
from theory.rectangle import Rectangle, grid, log_soft_rectangle, logit_soft_rectangle
from training.attention import (
    AttentionMap,
    PositionwiseAttention,
    RectangularAttention,
    ScaleSchedule,
    apply_map,
    set_scale,
    truth_map,
)

HEADS = ("coords", "paper", "softargmax", "light")


def features(n=3, channels=5, height=8, width=8, seed=0):
    return torch.randn(n, channels, height, width, generator=torch.Generator().manual_seed(seed))


def module(head="coords", channels=5, **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return RectangularAttention(channels, head=head, **options)


@pytest.mark.parametrize("channels", [1, 32, 320, 960])
def test_parameter_counts_of_the_paper(channels):
    count = sum(p.numel() for p in module("paper", channels).parameters())
    assert count == 576 * channels + 370373


def test_layers_are_those_counted_in_theory():
    shapes = [m.weight.shape for m in module("paper").head.modules() if hasattr(m, "weight")]
    assert [s[0] for s in shapes] == [v.outputs for v in RECTANGLE_HEAD if hasattr(v, "outputs")]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("sides", [(8, 8), (5, 9)])
def test_map_and_output_are_those_of_theory(head, sides):
    x = features(height=sides[0], width=sides[1])
    attention = module(head)
    out, found = attention(x, return_map=True)
    f = theory.attention_map(found.rectangle, *sides, s=6.0)
    assert torch.allclose(found.f, f, atol=1e-6)
    assert torch.allclose(found.log_f, log_soft_rectangle(
        found.rectangle, grid(*sides, like=f), 6.0), rtol=1e-4, atol=1e-5)
    scaled = rescale(f.detach().double().numpy())  # Eq. 7 as it stands, in NumPy
    expected = x.numpy() * (1 + scaled[:, None])
    np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("head", ["coords", "softargmax", "light"])
@pytest.mark.parametrize("sides", [(2, 2), (2, 7), (9, 2)])
def test_small_grids(head, sides):
    out, found = module(head)(features(height=sides[0], width=sides[1]), return_map=True)
    assert found.f.shape == (3, *sides) and bool(torch.isfinite(out).all())


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("rescaled", [True, False])
@pytest.mark.parametrize("gate", [None, 0.0, 0.3, 1.0])
def test_options_of_the_equations(residual, rescaled, gate):
    x, f = features(1, 2, 3, 4), torch.rand(1, 3, 4, generator=torch.Generator().manual_seed(1))
    g = None if gate is None else torch.tensor(gate)
    out = apply_map(x, f.log(), residual=residual, rescale=rescaled, gate=g)
    factor = (f * 12 / f.sum() if rescaled else f) + (1 if residual else 0)
    y = x * factor[:, None]
    assert torch.allclose(out, y if gate is None else (1 - gate) * x + gate * y, atol=1e-6)


def test_gradient_of_apply_map_against_finite_differences():
    x, log_f = features(2, 3, 2, 3).double(), torch.randn(2, 2, 3, dtype=torch.float64)
    gate = torch.tensor(0.4, dtype=torch.float64)
    leaves = [v.requires_grad_() for v in (x, log_f, gate)]
    assert torch.autograd.gradcheck(lambda x, f, g: apply_map(x, f, gate=g), leaves)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("options", [{"gate": True}, {"gate": True, "residual": False}])
def test_gate_is_the_identity_at_the_start_and_learns(head, options):
    x, weights = features(), features(seed=9)
    gated, plain = module(head, **options), module(head, **{**options, "gate": False})
    out = gated(x)
    assert torch.equal(out, x)
    (out * weights).sum().backward()
    expected = ((plain(x) - x) * weights).sum().detach()  # d/dg of (1 - g) x + g y
    assert float(gated.gate.grad) == pytest.approx(float(expected), rel=1e-4) != 0
    with torch.no_grad():
        gated.gate.fill_(1.0)
    assert torch.allclose(gated(x), plain(x), atol=1e-5)
    assert torch.equal(gated.combine(x, gated.look(x).log_f), gated(x))


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("options", [{}, {"count": 2}, {"shape": "ellipse"}])
def test_gradient_reaches_all_five_parameters(head, options):
    attention = module(head, start_half_width=0.3, **options)
    out, found = attention(features(), return_map=True)
    weights = features(seed=9)
    parts = (found.rectangle.center, found.rectangle.half_widths, found.rectangle.angle)
    if "shape" in options:
        parts = parts[:2]  # the ellipse starts as a circle, which has no angle
    for gradient in torch.autograd.grad((out * weights).sum(), parts, retain_graph=True):
        assert bool((gradient != 0).all())
    (out * weights).sum().backward()
    for name, parameter in attention.named_parameters():
        if name != "head.saliency.bias":  # softmax does not feel a constant
            assert float(parameter.grad.abs().sum()) > 0, name


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("factor", [30.0, 300.0])
def test_centres_stay_inside_and_half_widths_above_the_floor(head, factor):
    attention = module(head, min_half_width=0.6)
    with torch.no_grad():
        for parameter in attention.head.parameters():
            parameter.mul_(factor)
    out = attention(features(n=64, seed=2))
    found = attention.last.rectangle
    assert float(found.center.min()) >= 0 and float(found.center.max()) <= 1 + 1e-6
    assert float(found.half_widths.min()) >= 0.6 / 7 - 1e-6
    out.sum().backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in attention.parameters())


@pytest.mark.parametrize("head", HEADS)
def test_start_is_large_and_central(head):
    _, found = module(head, channels=32, start_half_width=0.4)(
        features(8, 32, 16, 16) / 10, return_map=True)
    assert torch.allclose(found.rectangle.half_widths, torch.tensor(0.4), atol=0.06)
    assert torch.allclose(found.rectangle.center, torch.tensor(0.5), atol=0.06)


CHANGES = {"head": "light", "s": 3.0, "residual": False, "rescale": False, "gate": True,
           "half_widths": "linear", "min_half_width": 4.0, "start_half_width": 0.2,
           "center": "linear", "shape": "ellipse", "count": 2, "hidden": 8}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("head", HEADS)
def test_every_argument_changes_the_output(name, head):
    options = {"head": head} if name != "center" else {"head": "paper"}
    if name == "half_widths":
        options["start_half_width"] = 0.1
    if (name, head) in (("hidden", "paper"), ("head", "light")):
        return
    changed = module(**{**options, name: CHANGES[name] if name != "hidden" else 6})
    assert not torch.allclose(module(**options)(features()), changed(features()), atol=1e-4)


def test_linear_centre_is_the_raw_output_and_may_leave():
    attention = module("paper", center="linear")
    assert torch.allclose(attention.head.out.bias[:2], torch.tensor(0.5))
    with torch.no_grad():
        attention.head.out.bias[0] += 3
    assert float(attention.look(features()).rectangle.center[:, 0].detach().min()) > 2


def test_parameters_of_one_and_of_several():
    one = module()(features(), return_map=True)[1]
    several = module(count=3)(features(), return_map=True)[1]
    assert one.parameters.shape == (3, 5) and several.parameters.shape == (3, 3, 5)
    assert torch.equal(one.parameters[:, 2:4], one.rectangle.half_widths)
    assert several.hard_masks().shape == (3, 3, 8, 8) and several.hard_mask().shape == (3, 8, 8)
    assert torch.equal(one.hard_masks(), one.hard_mask())
    assert AttentionMap(one.log_f, None, lambda: one.log_f).parameters is None


@pytest.mark.parametrize("shape", ["rectangle", "ellipse"])
def test_the_centre_is_that_of_the_one_shape_else_of_the_mass_of_f(shape):
    r = Rectangle(torch.tensor([[0.2, 0.7]]), torch.tensor([[0.1, 0.2]]), torch.tensor([0.3]))
    one = AttentionMap.of_shapes(r, 5, 9, 6.0, shape)
    assert one.is_one_shape and torch.equal(one.centre(), r.center)
    two = Rectangle(torch.tensor([[[0.2, 0.7], [0.6, 0.1]]]), torch.full((1, 2, 2), 0.1), torch.zeros(1, 2))
    union = AttentionMap.of_shapes(two, 5, 9, 6.0, shape)
    for found in (union, AttentionMap(one.log_f, None, lambda: None)):
        assert not found.is_one_shape
        f = found.f[0].double().numpy()
        rows, columns = np.linspace(0, 1, 5), np.linspace(0, 1, 9)
        mean = [(f.sum(1) * rows).sum() / f.sum(), (f.sum(0) * columns).sum() / f.sum()]
        assert found.centre()[0].numpy() == pytest.approx(mean, abs=1e-5)


def test_hard_masks_come_from_the_parameters_then_the_threshold():
    points = grid(9, 9, like=torch.zeros(1))
    r = Rectangle(torch.tensor([[0.5, 0.5]]), torch.tensor([[0.26, 0.26]]), torch.zeros(1))
    found = AttentionMap(log_soft_rectangle(r, points, 1.0), r, lambda: None)
    assert int((found.hard_mask() == 1).sum()) == 25
    inside = theory.soft_rectangle(r, points, 1.0) >= 0.5
    assert int(inside.sum()) == int((found.threshold_mask() == 1).sum()) == 1
    without = AttentionMap(found.log_f, None, lambda: None)
    assert torch.equal(without.hard_mask(), found.threshold_mask())
    with pytest.raises(ValueError, match="no hard shapes"):
        without.hard_masks()


@pytest.mark.parametrize("make", [module, lambda: PositionwiseAttention(5)],
                         ids=["rectangle", "positionwise"])
def test_logit_is_that_of_the_map(make):
    _, found = make()(features(), return_map=True)
    assert torch.allclose(torch.sigmoid(found.logit()), found.f, atol=1e-5)
    assert torch.equal(found.detach().logit(), found.logit().detach())


def test_logit_of_a_rectangle_is_that_of_theory():
    _, found = module()(features(), return_map=True)
    expected = logit_soft_rectangle(found.rectangle, grid(8, 8, like=found.f), 6.0)
    assert torch.allclose(found.logit(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("make", [module, lambda: PositionwiseAttention(5)])
def test_last_map_has_no_graph(make):
    attention = make()
    _, found = attention(features(), return_map=True)
    last = attention.last
    assert found.log_f.requires_grad and not last.log_f.requires_grad
    assert not last.logit().requires_grad and torch.equal(last.f, found.f)
    if found.rectangle is not None:
        assert torch.equal(last.parameters, found.parameters)
        assert not last.parameters.requires_grad
        assert last.rectangle.center.data_ptr() != found.rectangle.center.data_ptr()


def test_module_is_copied_and_saved_without_its_last_map():
    attention = module(gate=True)
    out = attention(features())
    for twin in (copy.deepcopy(attention), pickle.loads(pickle.dumps(attention))):
        assert twin.last is None and torch.equal(twin(features()), out) and twin.s == attention.s
    assert attention.last is not None


def test_state_of_the_coords_head_keeps_its_names():
    assert set(module().state_dict()) == {f"head.{layer}.{part}" for layer in (
        "mix", "saliency", "size") for part in ("weight", "bias")}


def test_oracle_map_of_a_mask():
    mask = torch.tensor([[[1, -1], [-1, 0]]], dtype=torch.int8)
    expected = torch.tensor([[[1, -1], [-1, -1]]], dtype=torch.int8)
    assert torch.equal(truth_map(mask).hard_mask(), expected)
    assert torch.equal(truth_map(mask).logit() > 0, mask == 1)


def test_scale_is_set_everywhere():
    model = torch.nn.Sequential(module(), torch.nn.ReLU(), module("paper"))
    set_scale(model, 2.0)
    assert [model[0].s, model[2].s] == [2.0, 2.0]
    _, found = model[0](features(), return_map=True)
    assert torch.allclose(found.f, theory.attention_map(found.rectangle, 8, 8, s=2.0), atol=1e-6)
    with pytest.raises(ValueError, match="s must be positive and finite, got 0"):
        model[0].s = 0.0


@given(st.floats(0.01, 50), st.floats(0.01, 50), st.floats(0.01, 1), st.floats(0, 1))
def test_schedule_is_linear_then_constant(start, end, fraction, progress):
    schedule = ScaleSchedule(start, end, fraction)
    expected = np.interp(progress, [0, fraction], [start, end])
    assert schedule(progress) == pytest.approx(expected)
    assert schedule(0.0) == start and schedule(1.0) == pytest.approx(end)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: module()(features(channels=4)), "5 channels, got .3, 4, 8, 8."),
        (lambda: module()(features()[0]), "got .5, 8, 8."),
        (lambda: module("paper")(features(height=3)), "at least 4, got .3, 8."),
        (lambda: module()(features(height=1)), "Eq. 5 needs"),
        (lambda: module("light")(features(width=1)), "Eq. 5 needs"),
        (lambda: module("softargmax")(features(width=1)), "Eq. 5 needs"),
        (lambda: module("square"), "head must be one of"),
        (lambda: module(shape="star"), "shape must be one of"),
        (lambda: module(half_widths="soft"), "half_widths must be one of"),
        (lambda: module(center="left"), "center must be one of"),
        (lambda: module(center="linear"), "belongs to the paper head"),
        (lambda: module(s=0.0), "s must be positive"),
        (lambda: module(s=math.nan), "s must be positive"),
        (lambda: module(min_half_width=-1.0), "min_half_width must be positive"),
        (lambda: module(half_widths="linear", min_half_width=1.0), "belongs to half_widths='floor'"),
        (lambda: module(start_half_width=0.0), "start_half_width must be positive"),
        (lambda: module(count=0), "count must be a positive integer, got 0"),
        (lambda: module(hidden=0), "hidden must be a positive integer, got 0"),
        (lambda: module("paper", hidden=3), "hidden belongs to the other heads"),
        (lambda: RectangularAttention(0), "channels must be a positive integer, got 0"),
        (lambda: ScaleSchedule(start=0.0), "start must be positive and finite, got 0.0"),
        (lambda: ScaleSchedule(end=math.inf), "end must be positive and finite, got inf"),
        (lambda: ScaleSchedule(fraction=0.0), "fraction must be in .0, 1., got 0.0"),
        (lambda: ScaleSchedule()(1.5), "progress must be in .0, 1., got 1.5"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
