"""Residual and rescaling [Eqs. 6-7]."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.rectangle.oracles import DTYPES, LIBRARIES, to_numpy
from tests.tolerances import ABSOLUTE
from theory.attention import rescale, rescale_log, residual, without_residual
from theory.rectangle import Rectangle, grid, log_soft_rectangle, soft_rectangle

RANDOM = np.random.default_rng(0)
X, F = RANDOM.standard_normal((2, 3, 4, 5)), RANDOM.uniform(0.01, 1, (2, 3, 4))
maps = st.lists(st.integers(0, 20), min_size=1, max_size=9).filter(any)


def test_residual_is_a_factor_one_plus_f():
    for b, i, j, c in np.ndindex(X.shape):
        assert residual(X, F)[b, i, j, c] == pytest.approx((1 + F[b, i, j]) * X[b, i, j, c])
        assert without_residual(X, F)[b, i, j, c] == pytest.approx(F[b, i, j] * X[b, i, j, c])


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_libraries_agree_and_keep_the_dtype(library, dtype):
    make = LIBRARIES[library]
    x, f = make(X.astype(dtype)), make(F.astype(dtype))
    log_f = make(np.log(F).astype(dtype))
    for value, wanted in ((residual(x, f), X * (1 + F[..., None])),
                          (without_residual(x, f), X * F[..., None]),
                          (rescale(f), F / F.mean(axis=(1, 2), keepdims=True)),
                          (rescale_log(log_f), F / F.mean(axis=(1, 2), keepdims=True))):
        assert value.dtype == getattr(DTYPES[library], dtype)
        np.testing.assert_allclose(to_numpy(value), wanted, atol=20 * ABSOLUTE[dtype])


@given(maps)
def test_rescaled_map_has_mean_one(values):
    f = np.array([[Fraction(v, 20) for v in values]], dtype=object)
    scaled = rescale(f)
    assert sum(scaled.ravel()) == len(values)
    np.testing.assert_allclose(rescale(f.astype(float)), scaled.astype(float), rtol=1e-12)


@given(maps)
def test_rescaled_map_leaves_the_unit_interval(values):
    top = max(rescale(np.array([[Fraction(v, 20) for v in values]], dtype=object)).ravel())
    assert (top == 1) == (len(set(values)) == 1) and top >= 1


@pytest.mark.parametrize("covered", [1, 3, 12])
def test_second_moment_of_a_rescaled_binary_map(covered):
    f = np.zeros((3, 4))
    f.flat[:covered] = 1
    assert rescale(f).mean() == pytest.approx(1)
    assert (rescale(f) ** 2).mean() == pytest.approx(12 / covered)


def test_rescaling_batches_equal_a_loop_and_ignore_the_scale():
    np.testing.assert_allclose(rescale(F), [rescale(f) for f in F], atol=1e-14)
    np.testing.assert_allclose(rescale(0.2 * F), rescale(F), atol=1e-13)
    np.testing.assert_allclose(rescale_log(np.log(F) - 900), rescale(F), atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_log_form_survives_underflow(dtype):
    p = torch.tensor([0.42, 0.58, 0.003, 0.003, 0.2], dtype=dtype, requires_grad=True)
    r = Rectangle.from_array(p)
    points = grid(7, 7, like=p)
    assert float(soft_rectangle(r, points, 6.0).detach().sum()) == 0
    with pytest.raises(ValueError, match="Eq. 7 divides by sum f, which is 0"):
        rescale(soft_rectangle(r, points, 6.0))
    scaled = rescale_log(log_soft_rectangle(r, points, 6.0))
    assert torch.isfinite(scaled).all() and float(scaled.detach().mean()) == pytest.approx(1)
    nearest = int(((points - torch.tensor([0.42, 0.58], dtype=dtype)) ** 2).sum(-1).argmin())
    assert int(scaled.argmax()) == nearest
    (gradient,) = torch.autograd.grad(scaled.square().sum(), p)
    assert torch.isfinite(gradient).all()


def test_bad_maps_are_refused():
    with pytest.raises(ValueError, match="no negative values"):
        rescale(np.array([[0.5, -0.1]]))
    with pytest.raises(ValueError, match="finite"):
        rescale(np.array([[0.5, np.nan]]))
    with pytest.raises(ValueError, match=r"share the grid.*\(2, 2, 1\).*\(2, 3\)"):
        residual(np.zeros((2, 2, 1)), np.zeros((2, 3)))
