"""The two gradient terms [Eqs. 8-9, App. B]."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from theory.attention import gradient_terms, rescale, residual, without_residual
from theory.rectangle import Rectangle, attention_map, grid, hard_rectangle
from theory.rectangle_analysis import tail_value_bound

RANDOM = np.random.default_rng(1)
BASE, SLOPE = RANDOM.standard_normal((2, 4, 3, 2))[0], RANDOM.standard_normal((4, 3, 2))
FIRST, LAST = np.array([0.4, 0.5, 0.3, 0.4, 0.2]), np.array([0.2, -0.1, 0.1, 0.05, 0.5])


def features(theta):
    return torch.as_tensor(BASE) + theta * torch.as_tensor(SLOPE) + theta**2


def plain_map(theta):
    p = torch.as_tensor(FIRST) + theta * torch.as_tensor(LAST)
    return attention_map(Rectangle.from_array(p), 4, 3, 4.0)


def loss(theta, attention, use_residual):
    module = residual if use_residual else without_residual
    return torch.sin(module(features(theta), attention(theta))).sum()


@pytest.mark.parametrize("use_residual", [True, False])
@pytest.mark.parametrize("rescaled", [False, True])
def test_terms_add_up_to_autograd_and_finite_differences(use_residual, rescaled):
    def attention(t):
        return rescale(plain_map(t)) if rescaled else plain_map(t)

    theta = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    (whole,) = torch.autograd.grad(loss(theta, attention, use_residual), theta)
    step = 1e-5
    t = theta.detach()

    def slope(function):
        return (function(t + step) - function(t - step)) / (2 * step)

    module = residual if use_residual else without_residual
    outer = torch.cos(module(features(t), attention(t)))
    direct, indirect = gradient_terms(outer, features(t), slope(features), attention(t),
                                      slope(attention), use_residual=use_residual)
    assert float(direct + indirect) == pytest.approx(float(whole), rel=1e-7)
    difference = float(slope(lambda v: loss(v, attention, use_residual)))
    assert float(whole) == pytest.approx(difference, rel=1e-7)
    assert abs(float(indirect)) > 1e-3 and abs(float(direct)) > 1e-3


def test_terms_are_the_printed_sums():
    outer, x, dx = RANDOM.standard_normal((3, 2, 3, 2, 4))
    f, df = RANDOM.uniform(0, 1, (2, 2, 3, 2))
    first = second = 0.0
    for i, j, k, c in np.ndindex(x.shape):
        first += outer[i, j, k, c] * (1 + f[i, j, k]) * dx[i, j, k, c]
        second += outer[i, j, k, c] * x[i, j, k, c] * df[i, j, k]
    direct, indirect = gradient_terms(outer, x, dx, f, df)
    assert direct.shape == (2,)
    assert direct.sum() == pytest.approx(first) and indirect.sum() == pytest.approx(second)


def signals(n, channels=2, seed=3):
    random = np.random.default_rng(seed)
    return random.standard_normal((2, n, n, channels))


def test_restriction_to_the_support_of_a_binary_map():
    mask = hard_rectangle(Rectangle([0.4, 0.5], [0.3, 0.2], 0.5), grid(9, 9))
    f, (outer, dx) = (mask == 1).astype(float), signals(9)
    direct, _ = gradient_terms(outer, dx, dx, f, 0 * f, use_residual=False)
    assert direct == pytest.approx((outer * dx)[mask == 1].sum())


def test_restriction_of_a_soft_map_leaves_a_tail():
    r = Rectangle([0.4, 0.5], [0.3, 0.2], 0.5)
    f, inside = attention_map(r, 9, 9, 6.0), hard_rectangle(r, grid(9, 9)) == 1
    outer, dx = signals(9)
    direct, _ = gradient_terms(outer, dx, dx, f, 0 * f, use_residual=False)
    tail = direct - (outer * dx * f[..., None])[inside].sum()
    size = np.abs(outer * dx)[~inside].sum()
    assert 1e-3 < abs(tail) <= tail_value_bound(6.0, 0.0) * size


def test_tail_bound_is_reached_at_the_boundary():
    r = Rectangle([0.5, 0.5], [0.25 * (1 - 1e-9)] * 2, 0.0)  # cells a hair outside at mid-edge
    f = attention_map(r, 5, 5, 6.0)
    outer, dx = np.zeros((5, 5, 1)), np.ones((5, 5, 1))
    outer[1, 2] = 2.0
    direct, _ = gradient_terms(outer, dx, dx, f, 0 * f, use_residual=False)
    assert direct == pytest.approx(2 * tail_value_bound(6.0, 0.0), rel=1e-7)


def test_residual_keeps_the_outside_in_the_gradient():
    f = np.array([[1.0, 0.0]])
    outer, dx = np.array([[[0.0], [3.0]]]), np.ones((1, 2, 1))
    with_it, _ = gradient_terms(outer, dx, dx, f, 0 * f)
    without, _ = gradient_terms(outer, dx, dx, f, 0 * f, use_residual=False)
    assert with_it == 3 and without == 0
    silent, _ = gradient_terms(np.array([[[5.0], [0.0]]]), dx, dx, f, 0 * f)
    assert silent == 10  # all of it from inside: no guarantee
