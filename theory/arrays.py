"""One namespace for NumPy, PyTorch and any other array-API library.

Every definition of ``theory`` is written once against the namespace that
:func:`namespace` returns.  Checks of values read the data and therefore force a
device synchronisation; functions on a hot path take ``check=False``.
"""

from __future__ import annotations

from typing import Any

import array_api_compat
import numpy as np

Array = Any


class DivisionUndefined(ValueError, ZeroDivisionError):
    """A quantity is 0/0 for this input: bad input, and a point where a claim is not defined."""


def is_array(x: object) -> bool:
    """Whether ``x`` belongs to an array library (NumPy scalars count)."""
    return isinstance(x, np.generic) or array_api_compat.is_array_api_obj(x)


def namespace(*arrays: object) -> Any:
    """The array namespace of the arguments; plain numbers and lists count as NumPy.

    >>> namespace([1.0], 2).__name__
    'array_api_compat.numpy'
    """
    found = [a for a in arrays if is_array(a) and not isinstance(a, np.generic)]
    foreign = [a for a in found if not isinstance(a, np.ndarray)]
    if not foreign:
        return array_api_compat.array_namespace(np.zeros(1))
    return array_api_compat.array_namespace(*foreign)


def as_arrays(*values: object, check_finite: bool = True) -> tuple[Any, ...]:
    """``(xp, *arrays)``: the namespace, and every value on it and on one device.

    A NumPy array beside a torch tensor is taken over to the tensor's device.  Object arrays (of
    ``fractions.Fraction``) pass unchanged.  Raises ``ValueError`` on NaN or infinity.
    """
    xp = namespace(*values)
    like = next((v for v in values if is_array(v) and not isinstance(v, np.ndarray | np.generic)),
                None)
    out = []
    for value in values:
        if not is_array(value) or (like is not None and isinstance(value, np.ndarray | np.generic)):
            kwargs = {} if like is None else {"device": array_api_compat.device(like)}
            value = xp.asarray(value, **kwargs)
        elif isinstance(value, np.generic):
            value = xp.asarray(value)
        out.append(value)
    if check_finite:
        for value in out:
            require_finite(xp, value, "array")
    return (xp, *out)


def is_floating(xp: Any, x: Array) -> bool:
    """Whether ``x`` has a real floating dtype."""
    return x.dtype != object and xp.isdtype(x.dtype, "real floating")


def require_finite(xp: Any, x: Array, name: str) -> None:
    """``ValueError`` naming the first bad value when ``x`` holds NaN or infinity."""
    if x.dtype == object or not is_floating(xp, x):
        return
    good = xp.isfinite(x)
    if not bool(xp.all(good)):
        raise ValueError(f"{name} must be finite, got {first_bad(xp, x, good)}")


def first_bad(xp: Any, x: Array, good: Array) -> float | int:
    """The first entry of ``x`` where ``good`` is False, as a Python number."""
    flat = xp.reshape(xp.broadcast_to(x, good.shape), (-1,))
    index = int(xp.argmin(xp.astype(xp.reshape(good, (-1,)), xp.int8)))
    value = flat[index]
    return value.item() if hasattr(value, "item") else value


def to_numpy(x: object) -> np.ndarray:
    """A NumPy copy of any array (detached, on the CPU)."""
    if hasattr(x, "detach"):
        x = x.detach().cpu()
        if str(x.dtype) == "torch.bfloat16":  # NumPy has no such type
            x = x.float()
        x = x.numpy()
    return np.asarray(x)
