"""Vector lanes against NumPy, operation by operation, in every dtype of the kernels."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from sims.streams import stream
from sims.supremum import lanes

DTYPES = ["int16", "int32", "int64", "float32", "float64"]


@njit
def operate(a, b, x, y, number, code, out, codes):
    """Each operation on one vector: rows of ``out``, lane by lane."""
    count = lanes.width(a)
    p, q = lanes.load(a, 0), lanes.load(b, 0)
    lanes.store(out, 0, lanes.add(p, q))
    lanes.store(out, count, lanes.sub(p, q))
    lanes.store(out, 2 * count, lanes.maximum(p, q))
    lanes.store(out, 3 * count, lanes.minimum(p, q))
    lanes.store(out, 4 * count, lanes.pick(p, q, lanes.load(x, 0), lanes.load(y, 0)))
    lanes.store(out, 5 * count, lanes.spread(p, number))
    lanes.store(out, 6 * count, lanes.load(a, count))
    lanes.store(codes, 0, lanes.spread_integer(p, code))
    return count


@njit
def turn(source, start, stride, out, at):
    """One transposition."""
    lanes.transpose(source, start, stride, out, at)


def numbers(name, size, dtype):
    """Small numbers with ties, the ends of the dtype among them; in aligned memory."""
    out = lanes.aligned((size,), dtype)
    out[:] = stream(f"supremum tests/lanes {name}", 0).integers(-3, 4, size=size)
    if out.dtype.kind == "i":
        info = np.iinfo(dtype)
        out[:4] = info.min, info.max, info.min, info.max
    return out


@pytest.mark.parametrize("dtype", DTYPES)
def test_each_operation_lane_by_lane(dtype):
    count = lanes.lane_count(dtype)
    a, b, x, y = (numbers(name, 2 * count, dtype) for name in "abxy")
    b[:2] = b[1::-1].copy()  # the ends against each other
    out, codes = lanes.aligned((7 * count,), dtype), lanes.aligned((count,), f"i{np.dtype(dtype).itemsize}")
    out[:] = 77
    assert operate(a, b, x, y, np.dtype(dtype).type(-5), 2**15 + 3, out, codes) == count
    p, q = a[:count], b[:count]
    expected = [p + q, p - q, np.maximum(p, q), np.minimum(p, q), np.where(p > q, x[:count], y[:count]),
                np.full(count, -5), a[count:]]
    assert np.array_equal(out.reshape(7, count), np.array(expected))
    assert np.array_equal(codes, np.full(count, 2**15 + 3).astype(codes.dtype))
    assert np.any(p == q) and np.any(p > q) and np.any(p < q)


@pytest.mark.parametrize("dtype", DTYPES)
def test_transposition(dtype):
    """Any start and stride, aligned or not: number k of run m to lane m of vector k."""
    count = lanes.lane_count(dtype)
    for start, stride in ((0, count), (3, count + 5), (1, 2 * count)):
        source = np.arange(start + stride * count).astype(dtype)
        out = lanes.aligned(((count + 1) * count,), dtype)
        out[:] = -1
        turn(source, start, stride, out, count)
        runs = np.array([source[start + m * stride:][:count] for m in range(count)])
        assert np.array_equal(out[count:].reshape(count, count), runs.T)
        assert np.all(out[:count] == -1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(0,), (1,), (7,), (3, 5), (2, 3, 4)])
def test_aligned_arrays(dtype, shape):
    arrays = [lanes.aligned(shape, dtype) for _ in range(5)]
    for array in arrays:
        assert array.shape == shape and array.dtype == dtype and array.flags.c_contiguous
        assert array.size == 0 or array.ctypes.data % lanes.BYTES == 0
        assert array.flags.writeable


def test_lane_counts():
    assert [lanes.lane_count(dtype) for dtype in DTYPES] == [32, 16, 8, 16, 8]
