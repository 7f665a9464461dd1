"""The soft and the hard rectangle [Eqs. 2-5]: printed formulas, libraries, batches, gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.rectangle import oracles
from tests.rectangle.oracles import DTYPES, LIBRARIES, some_parameters, to_numpy
from tests.tolerances import ABSOLUTE
from theory import strategies as S
from theory.rectangle import (
    Rectangle,
    attention_map,
    grid,
    hard_mask,
    hard_rectangle,
    log_soft_rectangle,
    logit_soft_rectangle,
    soft_rectangle,
)

each_library = pytest.mark.parametrize("library", LIBRARIES)
place = st.floats(-0.5, 1.5, allow_subnormal=False)


@given(S.rectangle_parameters(0.1, 1.0), place, place, st.floats(1, 20))
def test_soft_rectangle_is_the_printed_formula(p, t1, t2, s):
    value = float(soft_rectangle(Rectangle.from_array(p), [t1, t2], s))
    assert value == pytest.approx(oracles.soft(p, [t1, t2], s), abs=1e-10)
    assert 0 <= value <= oracles.sigmoid(s) ** 2 + 1e-12


@given(S.rectangle_parameters(0.1, 1.0), place, place)
def test_rotating_the_map_rotates_its_values(p, t1, t2):
    upright = p.copy()
    upright[4] = 0
    moved = oracles.turned([t1, t2], p[:2], p[4])
    assert float(soft_rectangle(Rectangle.from_array(p), moved, 6.0)) == pytest.approx(
        float(soft_rectangle(Rectangle.from_array(upright), [t1, t2], 6.0)), abs=1e-10)


def test_a_quarter_turn_takes_axis_one_to_axis_two():
    tall = Rectangle([0.5, 0.5], [0.4, 0.1], 0.0)
    wide = Rectangle([0.5, 0.5], [0.4, 0.1], math.pi / 2)
    assert (hard_mask(tall, 9, 9).sum(axis=1) > 0 - 9).sum() == 7  # rows touched
    np.testing.assert_array_equal(hard_mask(wide, 9, 9), hard_mask(tall, 9, 9).T)


def test_positive_angles_turn_down_towards_the_right():
    slanted = hard_rectangle(Rectangle([0.0, 0.0], [1.0, 0.2], math.pi / 4),
                             np.array([[0.6, 0.6], [0.6, -0.6]]))
    assert slanted.tolist() == [1, -1]


@each_library
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_libraries_agree_and_keep_dtype_and_shape(library, dtype):
    p = some_parameters(1)
    r = Rectangle.from_array(LIBRARIES[library](p.astype(dtype)))
    for value in (attention_map(r, 4, 6, 6.0), logit_soft_rectangle(
            r, grid(4, 6, like=r.center), 6.0), grid(4, 6, like=r.center)):
        assert value.dtype == getattr(DTYPES[library], dtype)
    result = to_numpy(attention_map(r, 4, 6, 6.0))
    wanted = [[[oracles.soft(q, [i / 3, j / 5], 6.0) for j in range(6)] for i in range(4)] for q in p]
    np.testing.assert_allclose(result, wanted, atol=20 * ABSOLUTE[dtype])
    mask = hard_mask(r, 4, 6)
    assert mask.dtype == DTYPES[library].int8
    np.testing.assert_array_equal(to_numpy(mask), hard_mask(Rectangle.from_array(p), 4, 6))


def test_batches_equal_a_loop():
    p = some_parameters(2, 6).reshape(2, 3, 5)
    batch = attention_map(Rectangle.from_array(p), 5, 4, 6.0)
    masks = hard_mask(Rectangle.from_array(p), 5, 4)
    assert batch.shape == masks.shape == (2, 3, 5, 4)
    for k in np.ndindex(2, 3):
        one = Rectangle.from_array(p[k])
        np.testing.assert_allclose(batch[k], attention_map(one, 5, 4, 6.0), atol=1e-14)
        np.testing.assert_array_equal(masks[k], hard_mask(one, 5, 4))


def test_parameters_make_the_round_trip_and_broadcast():
    p = some_parameters(3)
    np.testing.assert_array_equal(Rectangle.from_array(p).to_array(), p)
    shared = Rectangle(p[:, :2], [0.2, 0.3], 0.1).to_array()
    assert shared.shape == p.shape and (shared[:, 2:] == [0.2, 0.3, 0.1]).all()


def test_autograd_is_finite_differences():
    start = torch.tensor(some_parameters(4, 1)[0])
    points = grid(5, 5, like=start)

    def loss(p):
        return (logit_soft_rectangle(Rectangle.from_array(p), points, 6.0) * 0.01
                + soft_rectangle(Rectangle.from_array(p), points, 6.0)).sum()

    p = start.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(p), p)
    step = 1e-6
    for k in range(5):
        e = torch.zeros(5, dtype=torch.float64)
        e[k] = step
        slope = float(loss(start + e) - loss(start - e)) / (2 * step)
        assert float(gradient[k]) == pytest.approx(slope, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_logit_is_stable_where_the_map_saturates(dtype):
    p = torch.tensor([0.5, 0.5, 0.004, 0.004, 0.3], dtype=dtype, requires_grad=True)
    r = Rectangle.from_array(p)
    points = torch.tensor([[0.5, 0.5], [0.5, 0.504], [0.0, 1.0]], dtype=dtype)
    logit, log = logit_soft_rectangle(r, points, 60.0), log_soft_rectangle(r, points, 60.0)
    assert torch.isfinite(logit).all() and torch.isfinite(log).all()
    (gradient,) = torch.autograd.grad(logit.sum(), p, retain_graph=True)
    assert torch.isfinite(gradient).all()
    logit, log = logit.detach(), log.detach()
    assert float(soft_rectangle(r, points, 60.0).detach()[2]) == 0  # the map itself underflows
    assert float(log[2]) == pytest.approx(float(logit[2]), rel=1e-6) and float(log[2]) < -1e5
    assert float(logit[0]) == pytest.approx(60 - math.log(2), rel=1e-5)  # 1 - f = 2 exp(-s)


@given(S.rectangle_parameters(0.2, 1.0), place, place)
def test_logit_and_log_agree_with_the_map(p, t1, t2):
    r = Rectangle.from_array(p)
    f = oracles.soft(p, [t1, t2], 3.0)
    assert math.exp(float(log_soft_rectangle(r, [t1, t2], 3.0))) == pytest.approx(f, rel=1e-9)
    logit = float(logit_soft_rectangle(r, [t1, t2], 3.0))
    assert logit == pytest.approx(math.log(f / (1 - f)), rel=1e-9, abs=1e-9)


@given(S.rectangle_parameters(0.05, 0.8), st.integers(2, 7), st.integers(2, 7))
def test_hard_mask_is_where_both_local_coordinates_fit(p, height, width):
    mask = hard_mask(Rectangle.from_array(p), height, width)
    for i, j in np.ndindex(height, width):
        local = oracles.turned([i / (height - 1), j / (width - 1)], p[:2], -p[4]) - p[:2]
        excess = max(abs(local[0]) / p[2], abs(local[1]) / p[3]) - 1
        if abs(excess) > 1e-6:
            assert mask[i, j] == (1 if excess < 0 else -1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_hard_rectangle_is_closed(dtype):
    r = Rectangle(np.array([0.5, 0.5], dtype), np.array([0.3, 0.3], dtype), dtype(0.0))
    edge = np.array([[0.2, 0.5], [0.8, 0.8], [0.85, 0.5]], dtype)
    assert hard_rectangle(r, edge).tolist() == [1, 1, -1]


def test_a_steep_soft_rectangle_is_the_hard_one_off_the_boundary():
    r = Rectangle.from_array(np.array([0.45, 0.52, 0.31, 0.17, 0.4]))
    soft = attention_map(r, 12, 12, 4000.0)
    np.testing.assert_array_equal(np.where(soft > 0.5, 1, -1), hard_mask(r, 12, 12))
