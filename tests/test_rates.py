"""Catching, missing and fitting rate: two routes to each number, laws, bad input."""

from __future__ import annotations

from fractions import Fraction

import array_api_strict as strict
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import distance
from sklearn.metrics import hamming_loss, jaccard_score

from tests.tolerances import close
from theory import strategies as S
from theory.masks import binary, signed, support_size
from theory.rates import (
    catching_rate,
    catching_rate_exact,
    fitting_rate,
    fitting_rate_exact,
    missing_rate,
    missing_rate_exact,
)

LIBRARIES = {"numpy": np.asarray, "torch": torch.as_tensor, "strict": strict.asarray}


def as_numpy(x):
    return np.from_dlpack(x) if type(x).__module__.startswith("array_api_strict") else np.asarray(x)


def some_masks(seed=0, shape=(40, 5, 6)):
    return (2 * np.random.default_rng(seed).integers(0, 2, size=shape) - 1).astype(np.int8)


# --- against other libraries ----------------------------------------------------------------------


def test_missing_rate_is_sklearn_hamming_loss():
    for a, b in zip(some_masks(1), some_masks(2), strict=True):
        assert missing_rate(a, b) == pytest.approx(hamming_loss(a.ravel(), b.ravel()), abs=1e-15)


def test_missing_rate_is_scipy_hamming():
    for a, b in zip(some_masks(3), some_masks(4), strict=True):
        assert missing_rate(a, b) == pytest.approx(distance.hamming(a.ravel(), b.ravel()), abs=1e-15)


@pytest.mark.parametrize("zero_division", [0.0, 1.0])
def test_fitting_rate_is_sklearn_jaccard(zero_division):
    a, b = some_masks(5, (200, 2, 2)), some_masks(6, (200, 2, 2))
    assert (((a == 1) | (b == 1)).sum(axis=(1, 2)) == 0).any(), "some pair must be 0/0"
    for x, y in zip(a, b, strict=True):
        want = jaccard_score(x.ravel(), y.ravel(), zero_division=zero_division)
        assert fitting_rate(x, y, zero_division=zero_division) == pytest.approx(want, abs=1e-15)


def test_one_minus_fitting_rate_is_scipy_jaccard():
    for a, b in zip(some_masks(7), some_masks(8), strict=True):
        want = distance.jaccard((a == 1).ravel(), (b == 1).ravel())
        assert 1 - fitting_rate(a, b) == pytest.approx(want, abs=1e-15)


def test_catching_rate_is_scipy_product():
    for a, b in zip(some_masks(9), some_masks(10), strict=True):
        assert catching_rate(a, b) == pytest.approx(np.vdot(a, b) / a.size, abs=1e-15)


# --- exact route ----------------------------------------------------------------------------------


@given(S.mask_pairs(5))
def test_float_rates_are_the_rounded_fractions(pair):
    a, b = pair["a"], pair["b"]
    assert catching_rate(a, b) == float(catching_rate_exact(a, b))
    assert missing_rate(a, b) == pytest.approx(float(missing_rate_exact(a, b)), abs=1e-15)
    assert fitting_rate(a, b) == pytest.approx(float(fitting_rate_exact(a, b)), abs=1e-14)


@given(S.mask_pairs(5))
def test_exact_rates_by_counting(pair):
    a, b = pair["a"] == 1, pair["b"] == 1
    n, same = a.size, int((a == b).sum())
    assert catching_rate_exact(pair["a"], pair["b"]) == Fraction(2 * same - n, n)
    assert missing_rate_exact(pair["a"], pair["b"]) == Fraction(n - same, n)
    union = int((a | b).sum())
    want = Fraction(int((a & b).sum()), union) if union else 1
    assert fitting_rate_exact(pair["a"], pair["b"]) == want


# --- laws -----------------------------------------------------------------------------------------


@given(S.mask_pairs(4))
def test_symmetry_flips_and_complement(pair):
    a, b = pair["a"], pair["b"]
    for rate in (catching_rate, missing_rate, fitting_rate):
        assert rate(a, b) == rate(b, a)
        assert rate(a[::-1], b[::-1]) == rate(a.T, b.T) == rate(a, b)
    assert catching_rate(-a, b) == -catching_rate(a, b)
    assert missing_rate(-a, b) == pytest.approx(1 - missing_rate(a, b), abs=1e-15)


@given(S.soft_maps(3, 4), S.soft_maps(3, 4), S.soft_maps(3, 4), st.floats(0, 1))
def test_catching_rate_is_bilinear_on_soft_maps(a, b, c, t):
    mix = t * a + (1 - t) * b
    assert close(catching_rate(mix, c), t * catching_rate(a, c) + (1 - t) * catching_rate(b, c))


def test_prop_1_takes_binary_arrays():
    a, b = some_masks(11), some_masks(12)
    inside = catching_rate(binary(a), binary(b))
    union = 2 * missing_rate(binary(-a), binary(-b))
    assert close(fitting_rate(a, b), inside / union)


def test_soft_fitting_rate_is_sum_pq_over_sum_p_plus_q_minus_pq():
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, (2, 6, 7))
    p, q = (a + 1) / 2, (b + 1) / 2
    assert close(fitting_rate(a, b, soft=True), (p * q).sum() / (p + q - p * q).sum())


def test_int8_does_not_overflow():
    ones = np.ones((300, 300), dtype=np.int8)
    assert catching_rate(ones, ones) == 1.0 and missing_rate(ones, -ones) == 1.0


# --- batches, libraries, where --------------------------------------------------------------------


def test_batch_broadcasts_like_a_loop():
    a, b = some_masks(13, (4, 1, 3, 3)), some_masks(14, (5, 3, 3))
    got = fitting_rate(a, b)
    assert got.shape == (4, 5)
    for i in range(4):
        for j in range(5):
            assert got[i, j] == fitting_rate(a[i, 0], b[j])


@pytest.mark.parametrize("library", ["torch", "strict"])
@pytest.mark.parametrize("dtype", ["int8", "float32", "float64"])
def test_libraries_agree(library, dtype):
    make = LIBRARIES[library]
    a, b = some_masks(15).astype(dtype), some_masks(16).astype(dtype)
    for rate in (catching_rate, missing_rate, fitting_rate):
        got = rate(make(a), make(b))
        assert type(got).__module__.split(".")[0] == type(make(a)).__module__.split(".")[0]
        assert close(as_numpy(got), rate(a, b), "float32" if dtype == "float32" else "float64")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floating_dtype_is_kept(dtype):
    a = torch.as_tensor(some_masks(17)).to(getattr(torch, dtype))
    assert catching_rate(a, a).dtype == a.dtype and fitting_rate(a, a).dtype == a.dtype


def test_autograd_of_the_catching_rate():
    a = torch.rand(3, 4, dtype=torch.float64, requires_grad=True)
    b = torch.as_tensor(some_masks(18, (3, 4)).astype(np.float64))
    missing_rate(a, b).backward()
    assert close(a.grad, -b / 24)


def test_where_equals_cutting_out():
    a, b = some_masks(19, (3, 6, 6)), some_masks(20, (3, 6, 6))
    keep = np.zeros((6, 6), dtype=bool)
    keep[1:4, 2:6] = True
    for rate in (catching_rate, missing_rate, fitting_rate):
        assert close(rate(a, b, where=keep), rate(a[:, 1:4, 2:6], b[:, 1:4, 2:6]))


def test_where_ignores_values_there():
    a, b = some_masks(21, (4, 4)), some_masks(22, (4, 4))
    keep = np.ones((4, 4), dtype=bool)
    keep[0, 0] = False
    other = a.copy()
    other[0, 0] *= -1
    assert catching_rate(a, b, where=keep) == catching_rate(other, b, where=keep)
    assert catching_rate(a, b) != catching_rate(other, b)


# --- zero division and bad input ------------------------------------------------------------------

EMPTY = -np.ones((2, 2), dtype=np.int8)


def test_zero_division():
    assert fitting_rate(EMPTY, EMPTY) == 1.0
    assert fitting_rate(EMPTY, EMPTY, zero_division=0.0) == 0.0
    assert fitting_rate_exact(EMPTY, EMPTY, zero_division=0) == 0
    for rate in (fitting_rate, fitting_rate_exact):
        with pytest.raises(ValueError, match="0/0"):
            rate(EMPTY, EMPTY, zero_division="raise")
    with pytest.raises(ValueError, match="zero_division must be a number or 'raise', got 'warn'"):
        fitting_rate(EMPTY, EMPTY, zero_division="warn")


@pytest.mark.parametrize(("bad", "error", "message"), [
    (np.full((2, 2), 2), ValueError, r"\[-1, 1\], got 2"),
    (np.full((2, 2), -1.5), ValueError, r"got -1.5"),
    (np.full((2, 2), np.nan), ValueError, "finite, got nan"),
    (np.full((2, 2), np.inf), ValueError, "finite, got inf"),
    (np.ones((2, 2), dtype=bool), TypeError, "ambiguous"),
    (np.ones((2, 2), dtype=complex), TypeError, "real"),
    (np.ones((2, 3)), ValueError, "share their grid"),
    (np.ones(2), ValueError, r"\(..., H, W\)"),
    (np.ones((0, 2)), ValueError, "share their grid|at least one"),
])
def test_bad_masks(bad, error, message):
    for rate in (catching_rate, missing_rate, fitting_rate):
        with pytest.raises(error, match=message):
            rate(bad, np.ones((2, 2)))


def test_bad_batches_and_where():
    with pytest.raises(ValueError, match="broadcast"):
        catching_rate(np.ones((2, 3, 3)), np.ones((4, 3, 3)))
    with pytest.raises(ValueError, match="at least one position"):
        catching_rate(EMPTY, EMPTY, where=np.zeros((2, 2), dtype=bool))
    with pytest.raises(TypeError, match="boolean"):
        catching_rate(EMPTY, EMPTY, where=np.ones((2, 2)))
    with pytest.raises(ValueError, match="broadcast"):
        catching_rate(EMPTY, EMPTY, where=np.ones((3, 3), dtype=bool))


def test_fitting_rate_refuses_binary_and_soft_maps():
    with pytest.raises(ValueError, match="values -1 and .1.*got 0"):
        fitting_rate(np.array([[0, 1]]), np.array([[1, 1]]))
    with pytest.raises(ValueError, match="got 0.5"):
        fitting_rate(np.array([[0.5, 1]]), np.array([[1.0, 1]]))


# --- encodings ------------------------------------------------------------------------------------


def test_signed_and_binary_are_inverse():
    a = some_masks(23)
    assert (signed(binary(a)) == a).all() and (signed(a == 1) == a).all() and signed(a).dtype == a.dtype
    assert (signed(binary(a).astype(np.uint8)) == a).all()
    assert (support_size(a) == (a == 1).sum(axis=(1, 2))).all()
    assert (signed(torch.as_tensor(binary(a))).numpy() == a).all()
    with pytest.raises(ValueError, match="got 3"):
        signed(np.array([[0, 3]]))
    with pytest.raises(ValueError, match="got 2"):
        binary(np.array([[1, 2]]))


@given(arrays(np.float64, (2, 3), elements=st.floats(-1, 1)), S.masks(2, 3))
def test_no_nan_comes_out(a, b):
    assert np.isfinite(catching_rate(a, b)) and np.isfinite(fitting_rate(a, b, soft=True))


# --- precision ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [7, 14, 30, 100])
@pytest.mark.parametrize("dtype", ["int8", "float16", "float32", "float64", "bfloat16"])
def test_identical_masks_fit_exactly(size, dtype):
    """No rounding may keep the fitting rate of a mask with itself from 1."""
    masks = torch.as_tensor(some_masks(size, (50, size, size))).to(getattr(torch, dtype))
    assert bool((fitting_rate(masks, masks, zero_division=0.0) == 1).all())
    one = -torch.ones(size, size, dtype=masks.dtype)
    one[0, 0] = 1
    assert float(fitting_rate(one, one, zero_division=0.0)) == 1
    assert float(fitting_rate(one, -one)) == 0


def test_one_cell_of_sixteen_million():
    a = -np.ones((1, 4097 * 4097), dtype=np.float32)
    a[0, 0] = 1
    assert fitting_rate(a, a, zero_division=0.0) == 1
    b = a.copy()
    b[0, 1] = 1
    assert fitting_rate(a, b) == 0.5


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_does_not_overflow(dtype):
    ones = torch.ones(300, 300).to(getattr(torch, dtype))
    got = catching_rate(ones, ones)
    assert got.dtype == ones.dtype and float(got) == 1 and float(missing_rate(ones, -ones)) == 1
    assert catching_rate(np.ones((300, 300), np.float16), np.ones((300, 300), np.float16)) == 1


@given(S.soft_maps(3, 3), S.soft_maps(3, 3))
def test_soft_fitting_rate_stays_in_the_unit_interval(a, b):
    for dtype in (np.float64, np.float32):
        rate = fitting_rate(a.astype(dtype), b.astype(dtype), soft=True)
        assert 0 <= rate <= 1 + 1e-6 and rate.dtype == dtype
