"""Shapes, their unions, and the ranges of their parameters."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from theory.rectangle import Rectangle, grid, hard_mask, log_soft_rectangle, logit_soft_rectangle
from training.attention import AttentionMap
from training.attention_ranges import (
    REACH,
    at_least_float32,
    bounded_logits,
    floored,
    inside_image,
    linear,
)
from training.attention_shapes import log_map, logit_map, union

POSITIVE = st.floats(0.05, 1.5)
NUMBER = st.floats(-1e4, 1e4)


def shapes(*batch, seed=0, dtype=torch.float64):
    g = torch.Generator().manual_seed(seed)
    center = torch.rand(*batch, 2, generator=g, dtype=dtype)
    half = 0.1 + 0.4 * torch.rand(*batch, 2, generator=g, dtype=dtype)
    return Rectangle(center, half, 7 * torch.rand(*batch, generator=g, dtype=dtype) - 3)


@pytest.mark.parametrize("s", [0.5, 6.0, 40.0])
@pytest.mark.parametrize("tensor", [False, True])
def test_rectangle_is_that_of_theory(s, tensor):
    r, points = shapes(20), grid(7, 11, like=torch.zeros((), dtype=torch.float64))
    scale = torch.tensor(s, dtype=torch.float64) if tensor else s
    assert torch.allclose(log_map(r, 7, 11, scale, "rectangle"), log_soft_rectangle(r, points, s))
    assert torch.allclose(logit_map(r, 7, 11, scale, "rectangle"), logit_soft_rectangle(r, points, s))


def test_ellipse_by_its_formula():
    r, s = shapes(20), 5.0
    f, logit = torch.exp(log_map(r, 6, 9, s, "ellipse")).numpy(), logit_map(r, 6, 9, s, "ellipse")
    hard = AttentionMap.of_shapes(r, 6, 9, s, "ellipse").hard_mask()
    rows, columns = np.linspace(0, 1, 6), np.linspace(0, 1, 9)
    for i in range(20):
        (m1, m2), (h1, h2), a = (v[i].numpy() for v in (r.center, r.half_widths, r.angle))
        d1, d2 = rows[:, None] - m1, columns[None] - m2
        q = ((np.cos(a) * d1 + np.sin(a) * d2) / h1) ** 2 + ((np.cos(a) * d2 - np.sin(a) * d1) / h2) ** 2
        np.testing.assert_allclose(f[i], 1 / (1 + np.exp(-s * (1 - q))), rtol=1e-9)
        np.testing.assert_allclose(logit[i], s * (1 - q), rtol=1e-9, atol=1e-9)
        np.testing.assert_array_equal(hard[i] == 1, q <= 1)


def test_the_hard_ellipse_is_closed_and_inside_the_rectangle():
    r = Rectangle(torch.tensor([[0.5, 0.5]]), torch.tensor([[0.25, 0.5]]), torch.zeros(1))
    hard = AttentionMap.of_shapes(r, 9, 9, 6.0, "ellipse").hard_mask()[0]
    assert int((hard[4] == 1).sum()) == 9 and int((hard[:, 4] == 1).sum()) == 5  # on the boundary
    assert int((hard == 1).sum()) < int((hard_mask(r, 9, 9) == 1).sum()) == 45
    many = shapes(200)
    ellipse = AttentionMap.of_shapes(many, 8, 8, 6.0, "ellipse")
    assert bool((ellipse.hard_mask() <= hard_mask(many, 8, 8)).all())
    assert torch.equal(ellipse.hard_mask(), ellipse.threshold_mask())  # f = 1/2 on the boundary


@pytest.mark.parametrize("shape", ["rectangle", "ellipse"])
def test_a_half_turn_and_the_signs_of_half_widths_leave_shapes_where_they_are(shape):
    r = shapes(10)
    same = (Rectangle(r.center, r.half_widths, r.angle + math.pi),
            Rectangle(r.center, r.half_widths.flip(-1), r.angle - math.pi / 2),
            Rectangle.unchecked(r.center, -r.half_widths, r.angle))
    for other in same:
        assert torch.allclose(log_map(r, 5, 5, 6.0, shape), log_map(other, 5, 5, 6.0, shape))


@pytest.mark.parametrize("shape", ["rectangle", "ellipse"])
def test_union_by_products(shape):
    r = shapes(6, 3)
    parts = torch.exp(log_map(Rectangle(r.center.flatten(0, 1), r.half_widths.flatten(0, 1),
                                        r.angle.flatten()), 6, 7, 4.0, shape)).unflatten(0, (6, 3))
    f = 1 - (1 - parts).prod(dim=1)
    assert torch.allclose(torch.exp(log_map(r, 6, 7, 4.0, shape)), f)
    clear = f > 1e-6  # below, 1 - prod(1 - f_i) cancels
    assert torch.allclose(logit_map(r, 6, 7, 4.0, shape)[clear], torch.logit(f)[clear], rtol=1e-6)
    found = AttentionMap.of_shapes(r, 6, 7, 4.0, shape)
    expected = (found.hard_masks() == 1).any(dim=1)
    assert torch.equal(found.hard_mask() == 1, expected)


@given(st.lists(st.floats(-300, -1e-6), min_size=1, max_size=5))
def test_union_on_the_log_scale(logs):
    """Against 60 digits: nothing is lost where all parts are near 0 or near 1."""
    import mpmath

    inside = torch.tensor(logs, dtype=torch.float64)[None]
    outside = torch.log(-torch.expm1(inside))
    log_f, log_not_f = union(inside, outside)
    with mpmath.workdps(200):
        product = mpmath.mpf(1)
        for v in logs:
            product *= 1 - mpmath.exp(mpmath.mpf(v))
        expected = float(mpmath.log(1 - product)), float(mpmath.log(product))
    assert float(log_f) == pytest.approx(expected[0], rel=1e-9, abs=1e-12)
    assert float(log_not_f) == pytest.approx(expected[1], rel=1e-9, abs=1e-12)
    assert float(log_f) >= max(logs) - 1e-12  # a union covers each of its parts


@pytest.mark.parametrize("shape", ["rectangle", "ellipse"])
@pytest.mark.parametrize("batch", [(2,), (2, 2)])
def test_gradient_of_shapes_against_finite_differences(shape, batch):
    r = shapes(*batch)
    leaves = [v.requires_grad_() for v in (r.center, r.half_widths, r.angle)]

    def render(*parameters):
        given_shape = Rectangle.unchecked(*parameters)
        return log_map(given_shape, 3, 4, 3.0, shape), logit_map(given_shape, 3, 4, 3.0, shape)

    assert torch.autograd.gradcheck(render, leaves)


@given(NUMBER, st.floats(0.01, 1), st.floats(0.01, 1))
def test_floored_half_widths(raw, floor, pitch):
    value = torch.tensor(raw, dtype=torch.float64, requires_grad=True)
    out = floored(value, floor, pitch)
    (slope,) = torch.autograd.grad(out, value)
    assert float(out.detach()) > floor * (1 - 1e-12) and 0 < float(slope) <= 1.01
    u = (raw - floor) / pitch
    plus = np.logaddexp(0, u) + 0.01 * (1 + u / (1 + abs(u)))
    assert float(out.detach()) == pytest.approx(floor + pitch * plus)
    assert float(slope) == pytest.approx(expit(u) + 0.01 / (1 + abs(u)) ** 2)
    assert 0 < float(out.detach()) - floor - pitch * np.logaddexp(0, u) + 1e-9 <= 0.021 * pitch


@pytest.mark.parametrize("raw", [-1e6, -10.0, 0.0, 10.0, 1e6])
def test_gradients_of_extreme_raw_outputs_do_not_die(raw):
    """In float32, for half-widths and centres; where softplus is flat."""
    for transform in (lambda r: floored(r, 0.05, 1 / 15), inside_image):
        value = torch.tensor(raw, requires_grad=True)
        (slope,) = torch.autograd.grad(transform(value), value)
        assert float(slope) > 1e-20 and math.isfinite(float(slope))
    u = torch.tensor(-10.0 * 15, requires_grad=True)
    assert float(torch.autograd.grad(torch.nn.functional.softplus(u), u)[0]) == 0


@given(NUMBER)
def test_centres_stay_inside(raw):
    value = torch.tensor([raw, -raw], dtype=torch.float64)
    inside = inside_image(value)
    assert 0 <= float(inside.min()) and float(inside.sum()) == pytest.approx(1)
    assert float(inside[0]) == pytest.approx(0.5 + 0.5 * raw / (1 + abs(raw)))


@given(st.floats(0.02, 1e3), st.floats(0.01, 1))
def test_linear_half_widths_forget_the_sign_only(raw, pitch):
    value = torch.tensor([raw, -raw], dtype=torch.float64)
    out = linear(value, pitch)
    assert float(out[0]) == float(out[1]) >= raw
    assert float(out[0]) == pytest.approx(raw, abs=pitch / 100)
    assert float(linear(torch.tensor(0.0), pitch)) == pytest.approx(pitch / 100)


@pytest.mark.parametrize("shape", ["rectangle", "ellipse"])
def test_linear_half_widths_at_zero_give_no_nan(shape):
    raw = torch.tensor([[0.0, 0.3], [0.0, 0.0], [-0.2, 1e-20]], requires_grad=True)
    center = torch.tensor([[0.5, 0.5], [0.37, 0.5], [0.0, 0.0]])
    r = Rectangle.unchecked(center, linear(raw, 1 / 8), torch.tensor([0.0, 0.3, 0.0]))
    found = AttentionMap.of_shapes(r, 9, 9, 6.0, shape)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(found.logit(), found.f.detach())
    (slope,) = torch.autograd.grad(loss + found.log_f.exp().sum(), raw)
    assert bool(torch.isfinite(found.log_f).all()) and bool(torch.isfinite(slope).all())


def test_bounded_logits_leave_small_differences_alone():
    logits = torch.randn(5, 3, 40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.allclose(torch.softmax(bounded_logits(logits), -1), torch.softmax(logits, -1))
    edge = torch.tensor([0.0, -REACH, -REACH - 1, -1e4], dtype=torch.float64)
    expected = torch.tensor([0.0, -REACH, -REACH - math.log(2), -REACH - math.log(1e4 - REACH + 1)])
    assert torch.allclose(bounded_logits(edge + 5), expected.double())


def test_a_saturated_saliency_has_a_gradient_back():
    logits = torch.zeros(64)
    logits[0] = 1e4
    position = torch.linspace(0, 1, 64)
    for bounded, alive in ((bounded_logits, True), (lambda z: z, False)):
        z = logits.clone().requires_grad_()
        mean = torch.softmax(bounded(z), 0) @ position
        assert float(mean.detach()) < 1e-6
        (slope,) = torch.autograd.grad(mean, z)
        assert bool((slope[1:] != 0).any()) == alive == bool(slope[0] != 0)


@pytest.mark.parametrize(("given_dtype", "wanted"), [
    (torch.bfloat16, torch.float32), (torch.float32, torch.float32), (torch.float64, torch.float64)])
def test_at_least_float32(given_dtype, wanted):
    assert at_least_float32(torch.zeros(1, dtype=given_dtype)).dtype == wanted
