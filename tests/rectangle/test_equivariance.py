"""The action on parameters, the symmetries and the two losses [section 4.4]."""

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
from theory.equivariance import Similarity, paper_loss, quotient_loss, symmetries, translation
from theory.rectangle import Rectangle, grid, hard_rectangle, soft_rectangle


@given(S.rectangle_parameters(0.1, 1.0), S.similarities())
def test_moved_parameters_render_the_moved_map(p, move):
    similarity, r = Similarity(**move), Rectangle.from_array(p)
    points = grid(4, 4)
    np.testing.assert_allclose(
        soft_rectangle(similarity.act(r), similarity.apply(points), 6.0),
        soft_rectangle(r, points, 6.0), atol=1e-9)
    turn = oracles.turned(p[:2], np.array([0.5, 0.5]), move["angle"])
    np.testing.assert_allclose(similarity.act(r).center, move["scale"] * turn + move["shift"],
                               atol=1e-12)
    np.testing.assert_allclose(similarity.act(r).to_array()[2:], [
        *(move["scale"] * p[2:4]), p[4] + move["angle"]], atol=1e-12)


def test_scaling_about_the_centre_is_another_map():
    double = Similarity(scale=2.0)
    np.testing.assert_allclose(double.apply(np.zeros(2)), [0, 0])  # the origin stays
    np.testing.assert_allclose(double.apply(np.array([0.5, 0.5])), [1, 1])  # the centre does not
    about = Similarity(scale=2.0, shift=[-0.5, -0.5])
    np.testing.assert_allclose(about.apply(np.array([0.5, 0.5])), [0.5, 0.5])


def test_rotation_keeps_the_image_centre_and_turns_axis_one_to_axis_two():
    quarter = Similarity(angle=math.pi / 2)
    np.testing.assert_allclose(quarter.apply(np.array([1.0, 0.5])), [0.5, 1.0], atol=1e-15)
    np.testing.assert_allclose(translation(np.array([0.1, 0.2])).apply(np.zeros(2)), [0.1, 0.2])


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_libraries_agree_batched_and_keep_the_dtype(library, dtype):
    make, p, q = LIBRARIES[library], some_parameters(5), some_parameters(6)
    xp = DTYPES[library]
    a, b = make(p.astype(dtype)), make(q.astype(dtype))
    tolerance = 50 * ABSOLUTE[dtype]
    for value, wanted in (
        (paper_loss(a, b), [sum((x - y) ** 2) for x, y in zip(p, q, strict=True)]),
        (quotient_loss(a, b), [float(quotient_loss(x, y)) for x, y in zip(p, q, strict=True)]),
        (symmetries(a), [symmetries(x) for x in p]),
    ):
        assert value.dtype == getattr(xp, dtype)
        np.testing.assert_allclose(to_numpy(value), wanted, atol=tolerance)
    move = Similarity(angle=make(p[:, 4].astype(dtype)), scale=make(p[:, 2].astype(dtype)),
                      shift=make(p[:, :2].astype(dtype)), center=make(q[0, :2].astype(dtype)))
    acted = move.act(Rectangle.from_array(b)).to_array()
    assert acted.dtype == getattr(xp, dtype) and acted.shape == (5, 5)
    for k in range(5):
        one = Similarity(p[k, 4], p[k, 2], p[k, :2], q[0, :2]).act(Rectangle.from_array(q[k]))
        np.testing.assert_allclose(to_numpy(acted)[k], one.to_array(), atol=tolerance)


@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_plain_numbers_take_the_dtype_of_the_arrays(make, dtype):
    p = make(some_parameters(9).astype(dtype))
    move = Similarity(angle=1, scale=2, shift=[0.25, 0.5])
    acted = move.act(Rectangle.from_array(p)).to_array()
    assert acted.dtype == p.dtype == Rectangle(p[:, :2], [0.2, 0.3], 0.1).to_array().dtype
    wanted = 2 * math.sin(1.0) * (np.asarray(p)[:, 0] - 0.5)
    found = np.asarray(acted)[:, 1] - 2 * math.cos(1.0) * (np.asarray(p)[:, 1] - 0.5) - 1 - 0.5
    np.testing.assert_allclose(found, wanted, atol=20 * ABSOLUTE[dtype])


@given(S.rectangle_parameters(0.1, 1.0))
def test_symmetries_render_the_same_map(p):
    points = grid(5, 5)
    own = soft_rectangle(Rectangle.from_array(p), points, 6.0)
    twins = symmetries(p)
    assert twins.shape == (4, 5)
    for twin in twins:
        np.testing.assert_allclose(soft_rectangle(Rectangle.from_array(twin), points, 6.0), own,
                                   atol=1e-10)
    np.testing.assert_allclose(twins[2] - twins[0], [0, 0, 0, 0, math.pi], atol=1e-12)
    np.testing.assert_allclose(twins[1], [p[0], p[1], p[3], p[2], p[4] + math.pi / 2], atol=1e-12)


@given(S.rectangle_parameters(0.1, 1.0), st.integers(0, 3), st.integers(-2, 2))
def test_quotient_loss_is_zero_only_on_the_orbit(p, k, turns):
    twin = symmetries(p)[k] * np.array([1, 1, -1, 1, 1])
    twin[4] += 2 * math.pi * turns
    assert float(quotient_loss(twin, p)) < 1e-20
    assert float(quotient_loss(p, twin)) < 1e-20
    for delta in np.eye(5) * 0.05:
        assert float(quotient_loss(twin + delta, p)) == pytest.approx(
            0.0025, rel=1e-6) or p[2] == pytest.approx(p[3], abs=0.2)
        assert float(quotient_loss(twin + delta, p)) > 1e-6


def test_paper_loss_is_positive_on_the_orbit():
    p = np.array([0.5, 0.5, 0.2, 0.2, 0.0])
    assert float(paper_loss(symmetries(p)[1], p)) == pytest.approx((math.pi / 2) ** 2)
    assert float(paper_loss(symmetries(p)[2], p)) == pytest.approx(math.pi**2)


def test_quotient_loss_is_the_papers_loss_near_equality_with_its_gradient():
    p = torch.tensor([0.4, 0.6, 0.3, 0.1, 0.2], dtype=torch.float64)
    q = p + torch.tensor([0.02, -0.01, 0.03, 0.01, 0.1], dtype=torch.float64)
    assert float(quotient_loss(q, p)) == pytest.approx(float(paper_loss(q, p)), rel=1e-12)
    q.requires_grad_()
    (gradient,) = torch.autograd.grad(quotient_loss(q, p), q)
    np.testing.assert_allclose(gradient, 2 * (q - p).detach(), atol=1e-12)


def test_quotient_loss_against_a_search_over_the_whole_orbit():
    p, q = some_parameters(7, 20), some_parameters(8, 20)
    for a, b in zip(p, q, strict=True):
        orbit = [[a[0], a[1], *(a[2:4] if k % 2 == 0 else a[3:1:-1]), a[4] + k * math.pi / 2]
                 for k in range(-8, 9)]
        assert float(quotient_loss(a, b)) == pytest.approx(
            min(float(paper_loss(o, b)) for o in np.array(orbit)), abs=1e-12)


def test_hard_rectangles_follow_too():
    r = Rectangle([0.4, 0.55], [0.3, 0.15], 0.3)
    move = Similarity(angle=1.1, scale=0.8, shift=[0.1, -0.05])
    points = grid(15, 15)
    np.testing.assert_array_equal(hard_rectangle(move.act(r), move.apply(points)),
                                  hard_rectangle(r, points))
