"""What the suprema accept and refuse: layouts, byte orders, dtypes at their ends, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from sims.supremum import (
    extremes_of,
    max_weight_mask,
    max_weight_rectangle,
    max_weight_rotated_rectangle,
)
from sims.supremum.axis_aligned import dtype_of_sums, sentinels
from tests.sims.test_supremum_routes import draw
from theory.families import FiniteFamily


def over_finite(weights, **keywords):
    """The whole grid and each position: through the door for families that are written out."""
    shape = np.shape(weights)
    height, width = shape[-2:] if len(shape) >= 2 and 0 not in shape else (1, 1)
    singles = 2 * np.eye(height * width, dtype=np.int8).reshape(-1, height, width) - 1
    masks = np.concatenate([singles, np.ones((1, height, width), dtype=np.int8)])
    return extremes_of(FiniteFamily(masks), weights, **keywords)


SOLVERS = [max_weight_rectangle, max_weight_rotated_rectangle, max_weight_mask, over_finite]
COMPILED = SOLVERS[:2]
IDS = {"ids": lambda f: f.__name__}


def assert_same(found, other):
    for name in ("maximum", "minimum", "argmax", "argmin"):
        x, y = getattr(found, name), getattr(other, name)
        assert x is y is None or (x.dtype == y.dtype and np.array_equal(x, y)), name


LAYOUTS = {
    "negative strides": lambda w: w[::-1, ::-1, ::-1][::-1, ::-1, ::-1],
    "Fortran order": np.asfortranarray,
    "transposed twice": lambda w: np.ascontiguousarray(w.transpose(2, 0, 1)).transpose(1, 2, 0),
    "every other": lambda w: np.repeat(np.repeat(w, 2, axis=2), 2, axis=0)[::2, :, ::2],
    "offset by a byte": lambda w: np.frombuffer(b"\0" + w.tobytes(), dtype=w.dtype, offset=1).reshape(w.shape),
}


@pytest.mark.parametrize("solver", SOLVERS, **IDS)
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("scale", [1, 10**4])
def test_layouts_do_not_matter(solver, layout, scale):
    w = draw("layouts", (35, 4, 5), -9, 9) * scale
    for kind in (np.int64, np.float32):
        view = layout(w.astype(kind))
        assert np.array_equal(view, w)
        assert_same(solver(w.astype(kind)), solver(view))


@pytest.mark.parametrize("solver", SOLVERS, **IDS)
@pytest.mark.parametrize("scale", [1, 10**4])
def test_read_only_and_repeated_input(solver, scale):
    w = draw("read only", (3, 4), -9, 9) * scale
    fixed = w.copy()
    fixed.flags.writeable = False
    assert_same(solver(w), solver(fixed))
    found = solver(np.broadcast_to(fixed, (2, 40, 3, 4)))
    assert found.maximum.shape == (2, 40) and np.all(found.maximum == solver(w).maximum)
    assert np.array_equal(solver(w.tolist()).maximum, solver(w).maximum)
    assert np.array_equal(fixed, w)


@pytest.mark.parametrize("solver", SOLVERS, **IDS)
@pytest.mark.parametrize("code", ["i2", "i4", "i8", "u2", "u8", "f2", "f4", "f8"])
def test_byte_order_does_not_matter(solver, code):
    w = np.abs(draw("byte order", (9, 4, 3), 0, 5000))
    if code[0] != "u":
        w[::2] *= -1
    native = solver(w.astype(f"={code}"))
    assert_same(native, solver(w.astype(f">{code}")))
    assert native.maximum.dtype.isnative


@pytest.mark.parametrize("solver", SOLVERS, **IDS)
@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
def test_integers_of_every_width_up_to_their_ends(solver, dtype):
    """Corners -128, 127, 255, ... of the dtype beside small weights; beyond int64 they are refused."""
    info = np.iinfo(dtype)
    for end in (info.min, info.max):
        w = np.array([[end, 1], [0, 1]], dtype=dtype)
        if abs(end) >= 2**62 - 2:
            with pytest.raises(ValueError, match=r"below 2\*\*62, got up to (9.22e\+18|1.84e\+19)"):
                solver(w)
            continue
        assert_same(solver(w.astype(np.int64)), solver(w))
        assert int(max(solver(w).maximum, -solver(w).minimum)) >= abs(end)


@pytest.mark.parametrize("bound,dtype", [
    (32766, "int16"), (32767, "int32"), (32768, "int32"),
    (2**31 - 2, "int32"), (2**31 - 1, "int64"), (2**31, "int64"), (2**61, "int64"), (2**62 - 4, "int64")])
@pytest.mark.parametrize("solver", COMPILED, **IDS)
@pytest.mark.parametrize("both", [True, False])
def test_the_dtype_of_sums_changes_where_sums_would_leave_it(solver, bound, dtype, both):
    """Sums of positive, and of negative, parts at each bound: exact, in the narrowest dtype.

    ``both``: one matrix holds both, and the sum of absolute values is twice the bound.
    """
    w = np.full((2, 3, 3), 0)
    w[0, 1] = bound - 2, 1, 1
    w[1] = -w[0]
    if both and 2 * bound < 2**62:
        w[:, 2] = -w[:, 1]
    assert dtype_of_sums(w, 7) == np.dtype(dtype)
    found = solver(w)
    assert found.maximum.tolist()[0] == bound and found.minimum.tolist()[1] == -bound
    assert found.maximum.dtype == np.int64


def test_codes_that_do_not_fit_widen_the_dtype():
    w = np.ones((2, 3, 3), dtype=np.int8)
    assert [dtype_of_sums(w, bits) for bits in (15, 16, 31, 32)] == [
        np.dtype(np.int16), np.dtype(np.int32), np.dtype(np.int32), np.dtype(np.int64)]


@pytest.mark.parametrize("dtype", ["int16", "int32", "int64", "float32", "float64"])
def test_sentinels_lie_beyond_every_admitted_sum(dtype):
    low, high = sentinels(np.dtype(dtype))
    assert type(low) is type(high) is np.dtype(dtype).type
    reach = 2**62 - 1 if dtype == "int64" else np.iinfo(dtype).max - 1 if dtype[0] == "i" else np.finfo(dtype).max
    assert low < -reach and high > reach


def test_a_sum_of_2_to_the_62_is_refused_and_one_less_is_not():
    for solver in SOLVERS:
        assert int(solver(np.array([[2**61, 2**61 - 1]])).maximum) == 2**62 - 1
        for w in ([[2**61, 2**61]], [[2**62, 0]], [[-(2**62), 0]], [[2**61, -(2**61)]]):
            with pytest.raises(ValueError, match=r"below 2\*\*62, got up to 4.61e\+18"):
                solver(np.array(w))


@pytest.mark.parametrize("solver", SOLVERS, **IDS)
def test_zeros_of_either_sign(solver):
    found = solver(np.array([[-0.0, 0.0], [0.0, -0.0]]))
    assert float(found.maximum) == float(found.minimum) == 0


@pytest.mark.parametrize("solver", SOLVERS, **IDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tiny_and_huge_floats(solver, dtype):
    info = np.finfo(dtype)
    tiny = np.array([[info.smallest_subnormal, 0], [0, 0]], dtype=dtype)
    assert solver(tiny).maximum == info.smallest_subnormal
    huge = np.array([[info.max / 4, info.max / 4], [0, -1]], dtype=dtype)
    assert solver(huge).maximum >= info.max / 2 - info.max * info.eps


@pytest.mark.parametrize("shape", [(3, 4), (1, 3, 4), (2, 5, 3, 4), (1, 1, 1, 3, 4)])
@pytest.mark.parametrize("solver", SOLVERS, **IDS)
def test_batch_shapes(solver, shape):
    w = draw("shapes", shape)
    found = solver(w) if solver is not over_finite else solver(w, witnesses=True)
    flat = solver(w.reshape(-1, 3, 4)) if solver is not over_finite else solver(w.reshape(-1, 3, 4), witnesses=True)
    for name in ("maximum", "minimum", "argmax", "argmin"):
        x, y = getattr(found, name), getattr(flat, name)
        assert isinstance(x, np.ndarray) and x.shape == (*shape[:-2], *y.shape[1:])
        assert np.array_equal(x.reshape(y.shape), y)


@pytest.mark.parametrize("solver", SOLVERS, **IDS)
@pytest.mark.parametrize("bad,error,words", [
    (np.zeros((0, 2, 2)), ValueError, r"without a 0, got \(0, 2, 2\)"),
    (np.zeros((2, 0, 3, 3)), ValueError, r"without a 0, got \(2, 0, 3, 3\)"),
    (np.zeros((2, 0)), ValueError, r"without a 0, got \(2, 0\)"),
    (np.zeros(3), ValueError, r"shape \(..., H, W\) without a 0, got \(3,\)"),
    (np.float64(3), ValueError, r"shape \(..., H, W\) without a 0, got \(\)"),
    (np.array([[np.nan, 1.0]]), ValueError, "finite, got nan"),
    (np.array([[1.0, np.inf]]), ValueError, "finite, got inf"),
    (np.array([[[1.0, 2.0]], [[-np.inf, 1.0]]], dtype=np.float16), ValueError, "finite, got -inf"),
    (np.full((2, 2), 1e308), ValueError, "finite in float64, got inf"),
    (np.full((2, 2), -2e38, dtype=np.float32), ValueError, r"finite in float32, got 8e\+38"),
    (np.array([[True, False]]), TypeError, "integers or floats, got bool"),
    (np.array([[1j]]), TypeError, "integers or floats, got complex128"),
    (np.array([[1, None]]), TypeError, "integers or floats, got object"),
    (np.ones((2, 2), dtype=np.longdouble), TypeError, "float16, 32 or 64, got float128"),
])
def test_bad_weights(solver, bad, error, words):
    with pytest.raises(error, match=words):
        solver(bad)
