"""Vector lanes for numba: one matrix a lane, so that a whole vector unit works on as many draws.

``load`` reads one vector of :data:`BYTES` bytes from an aligned one-dimensional array; ``add``,
``sub``, ``maximum``, ``minimum`` and ``pick`` work lane by lane.  LLVM turns them into single
instructions where the machine has vectors of that width and splits them where it has not, so the
results are the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

BYTES = 64
"""Bytes of a vector."""


class LanesType(types.Type):
    """The numba type of a vector of ``count`` numbers of one type."""

    def __init__(self, dtype: types.Type) -> None:
        self.dtype = dtype
        self.count = BYTES * 8 // dtype.bitwidth
        super().__init__(name=f"Lanes({dtype})")


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: LanesType) -> None:
        super().__init__(manager, kind, ir.VectorType(_element(kind.dtype), kind.count))


def lane_count(dtype: Any) -> int:
    """Lanes of a vector of this NumPy dtype.

    >>> lane_count("int16")
    32
    """
    return BYTES // np.dtype(dtype).itemsize


def aligned(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An uninitialised C-ordered array whose data starts at a multiple of :data:`BYTES`."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    raw = np.empty(size + BYTES, dtype=np.uint8)
    start = -raw.ctypes.data % BYTES
    return raw[start:start + size].view(dtype).reshape(shape)


@intrinsic
def load(typing_context: Any, array: Any, index: Any) -> Any:
    """The vector at ``array[index : index + lanes]``; ``index`` is a multiple of the lanes."""
    signature = LanesType(array.dtype)(array, types.intp)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = context.get_value_type(signature.return_type)
        return builder.load(_address(context, builder, signature, args, kind), align=BYTES)

    return signature, generate


@intrinsic
def width(typing_context: Any, array: Any) -> Any:
    """Lanes of a vector of the array's dtype, a constant of the compiled code."""
    count = LanesType(array.dtype).count

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.get_constant(types.intp, count)

    return types.intp(array), generate


@intrinsic
def store(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    """Write a vector to ``array[index : index + lanes]``."""
    signature = types.void(array, types.intp, value)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = context.get_value_type(signature.args[2])
        builder.store(args[2], _address(context, builder, signature, args, kind), align=BYTES)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def spread(typing_context: Any, like: Any, number: Any) -> Any:
    """``number`` in every lane of a vector of the type of ``like``."""
    return like(like, number), _spread


@intrinsic
def spread_integer(typing_context: Any, like: Any, number: Any) -> Any:
    """``number`` in every lane of an integer vector with as many lanes as ``like``."""
    kind = LanesType(types.Integer.from_bitwidth(like.dtype.bitwidth, True))
    return kind(like, number), _spread


@intrinsic
def pick(typing_context: Any, a: Any, b: Any, x: Any, y: Any) -> Any:
    """``x`` in the lanes where ``a > b``, ``y`` in the others."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        a, b, x, y = args
        return builder.select(_compare(builder, signature.args[0], ">", a, b), x, y)

    return x(a, b, x, x), generate


def _binary(name: str, about: str, emit: Callable[[Any, Any, Any, Any], Any]) -> Any:
    def typed(typing_context: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return emit(builder, signature.args[0], *args)

        return a(a, a), generate

    typed.__name__, typed.__doc__ = name, about
    return intrinsic(typed)


def _compare(builder: Any, kind: LanesType, sign: str, a: Any, b: Any) -> Any:
    if isinstance(kind.dtype, types.Float):
        return builder.fcmp_ordered(sign, a, b)
    return builder.icmp_signed(sign, a, b)


def _add(builder: Any, kind: LanesType, a: Any, b: Any) -> Any:
    return (builder.fadd if isinstance(kind.dtype, types.Float) else builder.add)(a, b)


def _sub(builder: Any, kind: LanesType, a: Any, b: Any) -> Any:
    return (builder.fsub if isinstance(kind.dtype, types.Float) else builder.sub)(a, b)


def _maximum(builder: Any, kind: LanesType, a: Any, b: Any) -> Any:
    return builder.select(_compare(builder, kind, ">", a, b), a, b)


def _minimum(builder: Any, kind: LanesType, a: Any, b: Any) -> Any:
    return builder.select(_compare(builder, kind, "<", a, b), a, b)


add = _binary("add", "``a + b``, integers modulo 2**bits.", _add)
sub = _binary("sub", "``a - b``, integers modulo 2**bits.", _sub)
maximum = _binary("maximum", "The larger one, lane by lane.", _maximum)
minimum = _binary("minimum", "The smaller one, lane by lane.", _minimum)


@intrinsic
def transpose(typing_context: Any, source: Any, start: Any, stride: Any, out: Any, at: Any) -> Any:
    """``lanes`` runs of ``lanes`` numbers, ``stride`` apart in ``source``, as vectors of ``out``.

    Number k of run m becomes lane m of the vector at ``out[at + k * lanes]``.
    """
    signature = types.void(source, types.intp, types.intp, out, types.intp)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source_type, _, _, out_type, _ = signature.args
        kind = context.get_value_type(LanesType(out_type.dtype))
        first = context.make_array(source_type)(context, builder, args[0]).data
        last = context.make_array(out_type)(context, builder, args[3]).data
        size, item = kind.count, out_type.dtype.bitwidth // 8
        rows = []
        for m in range(size):
            place = builder.add(args[1], builder.mul(args[2], ir.Constant(args[2].type, m)))
            address = builder.bitcast(builder.gep(first, [place]), kind.as_pointer())
            rows.append(builder.load(address, align=item))
        half = 1
        while half < size:  # swap the off-diagonal blocks of ever larger squares
            low = [k if not k & half else k - half + size for k in range(size)]
            high = [k + half if not k & half else k + size for k in range(size)]
            for m in (m for m in range(size) if not m & half):
                pair = rows[m], rows[m + half]
                rows[m], rows[m + half] = (
                    builder.shuffle_vector(*pair, _indices(lanes)) for lanes in (low, high))
            half *= 2
        for k in range(size):
            place = builder.add(args[4], ir.Constant(args[4].type, k * size))
            address = builder.bitcast(builder.gep(last, [place]), kind.as_pointer())
            builder.store(rows[k], address, align=BYTES)
        return context.get_dummy_value()

    return signature, generate


def _element(dtype: types.Type) -> Any:
    if isinstance(dtype, types.Float):
        return ir.FloatType() if dtype.bitwidth == 32 else ir.DoubleType()
    return ir.IntType(dtype.bitwidth)


def _address(context: Any, builder: Any, signature: Any, args: Any, kind: Any) -> Any:
    data = context.make_array(signature.args[0])(context, builder, args[0]).data
    return builder.bitcast(builder.gep(data, [args[1]]), kind.as_pointer())


def _spread(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    kind = context.get_value_type(signature.return_type)
    number = context.cast(builder, args[1], signature.args[1], signature.return_type.dtype)
    empty = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(empty, number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, empty, _indices([0] * kind.count))


def _indices(lanes: list[int]) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
