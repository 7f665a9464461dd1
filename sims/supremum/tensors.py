"""Axis-aligned rectangles for torch tensors, on the tensor's own device (a GPU or not).

The same values and the same witnesses as the compiled kernel: integers exactly, floats up to the
rounding of sums in another order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sims.supremum.axis_aligned import side_limits
from sims.supremum.extremes import Extremes
from theory.families import Rectangles
from theory.families.limits import parse_zone

ENTRIES = 2**24
"""Positions (matrices times H times W) solved at a time; the memory is about 8 times these sums."""


def max_weight_rectangle_tensor(weights: Any, *, witnesses: bool = True, **limits: Any) -> Extremes:
    """As :func:`sims.supremum.max_weight_rectangle`, with tensors in and out.

    Without limits, for each top row, the prefix sums of all strips and their cumulative minima:
    O(H^2 W) a matrix in H rounds of a few kernels.  With limits, all rectangles of one shape at a
    time: O(H^2 W^2).

    >>> import torch
    >>> best = max_weight_rectangle_tensor(torch.tensor([[1, -2], [3, 1]]))
    >>> int(best.maximum), best.argmax.tolist(), int(best.minimum), best.argmin.tolist()
    (4, [0, 2, 0, 1], -2, [0, 1, 1, 2])
    """
    import torch

    weights = weights.detach()
    _check(torch, weights)
    if weights.dtype in (torch.uint16, torch.uint32):  # PyTorch has little arithmetic for them
        weights = weights.to(torch.int64)
    grid, batch = weights.shape[-2:], weights.shape[:-2]
    family = Rectangles(*grid, **limits)
    dtype = _dtype_of_sums(torch, weights)
    place = parse_zone(family.zone, *grid)
    top, bottom, left, right = place.box
    inner = weights.reshape(-1, *grid)[:, top:bottom, left:right].to(dtype)
    outside = np.zeros((bottom - top, right - left), dtype=bool)
    if place.cells is not None:
        outside = ~place.cells[top:bottom, left:right]
    swap = inner.shape[1] > inner.shape[2]
    if swap:
        inner, outside = inner.transpose(1, 2), outside.T
    bounds = side_limits(family, *inner.shape[1:])
    free = bool(np.all((bounds[1:, 0] <= 1) & (bounds[1:, 1] >= inner.shape[2])) and not outside.any())
    allowed = None if free else _allowed(torch, bounds, outside, weights.device)
    if allowed == []:
        raise ValueError(f"no rectangle meets the limits of {family!r}")
    step = max(1, ENTRIES // (inner.shape[1] * inner.shape[2]))
    values, places = [], []
    for start in range(0, len(inner), step):
        prefix = torch.nn.functional.pad(inner[start:start + step], (1, 0, 1, 0))
        prefix = prefix.cumsum(1, dtype=dtype).cumsum(2, dtype=dtype)
        for sign in (1, -1):
            found = (_unlimited if free else _limited)(torch, sign * prefix, allowed)
            values.append(sign * found[0])
            places.append(found[1])
    out = torch.int64 if not weights.is_floating_point() else dtype
    ends = [torch.cat(values[k::2]).to(out).reshape(batch) for k in (0, 1)]
    if not witnesses:
        return Extremes(*ends, None, None)
    shift = torch.tensor([top, top, left, left], device=weights.device)
    boxes = [torch.cat(places[k::2]) for k in (0, 1)]
    boxes = [(box[:, [2, 3, 0, 1]] if swap else box) + shift for box in boxes]
    return Extremes(*ends, *(box.reshape(*batch, 4) for box in boxes))


def _unlimited(torch: Any, prefix: Any, allowed: None) -> tuple[Any, Any]:
    """Largest weights ``(B,)`` and boxes ``(B, 4)`` from prefix sums ``(B, H + 1, W + 1)``."""
    count, height, width = prefix.shape
    lane = torch.arange(count, device=prefix.device)
    best = top = bottom = None
    for t in range(height - 1):
        strips = prefix[:, t + 1:] - prefix[:, t:t + 1]
        gains = (strips[..., 1:] - strips.cummin(-1).values[..., :-1]).amax(-1)
        value = gains.amax(-1)
        where = _first(gains == value[:, None]) + t + 1
        if best is None:
            best, top, bottom = value, torch.zeros_like(where), where
        better = value > best
        best = torch.where(better, value, best)
        top = torch.where(better, torch.full_like(top, t), top)
        bottom = torch.where(better, where, bottom)
    run = prefix[lane, bottom] - prefix[lane, top]
    least = run.cummin(-1).values[:, :-1]
    right = _first(run[:, 1:] - least == best[:, None]) + 1
    left = _first(run[:, :-1] == least[lane, right - 1][:, None])
    return best, torch.stack([top, bottom, left, right], dim=-1)


def _limited(torch: Any, prefix: Any, allowed: list[tuple[int, int, Any]]) -> tuple[Any, Any]:
    """The same with limits: for each shape (h, w), where its top left corner may be."""
    count, height, width = prefix.shape
    lowest = -torch.inf if prefix.is_floating_point() else torch.iinfo(prefix.dtype).min
    best = prefix.new_full((count,), lowest)
    beyond = height * height * width * width
    key = torch.full((count,), beyond, dtype=torch.int64, device=prefix.device)
    for h, w, free in allowed:
        sums = (prefix[:, h:, w:] - prefix[:, :-h, w:]) - (prefix[:, h:, :-w] - prefix[:, :-h, :-w])
        sums = torch.where(free, sums, lowest)
        value = sums.amax((1, 2))
        top = torch.arange(height - h, device=prefix.device)[:, None]
        left = torch.arange(width - w, device=prefix.device)
        keys = ((top * height + top + h) * width + left + w) * width + left
        mine = torch.where((sums == value[:, None, None]) & free, keys, beyond).amin((1, 2))
        key = torch.where(value > best, mine, torch.where(value == best, key.minimum(mine), key))
        best = torch.maximum(value, best)
    left, rest = key % width, key // width
    right, rest = rest % width, rest // width
    return best, torch.stack([rest // height, rest % height, left, right], dim=-1)


def _allowed(torch: Any, bounds: np.ndarray, outside: np.ndarray, device: Any) -> list[Any]:
    """For each shape (h, w) within the limits: the free places of its top left corner."""
    held = np.pad(outside.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    out = []
    for h in range(1, len(bounds)):
        for w in range(bounds[h, 0], bounds[h, 1] + 1):
            free = (held[h:, w:] - held[:-h, w:] - held[h:, :-w] + held[:-h, :-w]) == 0
            if free.any():
                out.append((h, w, torch.from_numpy(free).to(device)))
    return out


def _first(hits: Any) -> Any:
    """Index of the first True along the last axis."""
    return hits.int().argmax(-1)


def _check(torch: Any, weights: Any) -> None:
    if weights.dtype in (torch.bool, torch.uint64) or weights.is_complex():
        raise TypeError(f"weights must be integers or floats, got {weights.dtype}")
    if weights.ndim < 2 or 0 in weights.shape:
        raise ValueError(f"weights need shape (..., H, W) without a 0, got {tuple(weights.shape)}")
    if weights.is_floating_point() and not bool(torch.isfinite(weights).all()):
        raise ValueError(f"weights must be finite, got {float(weights[~torch.isfinite(weights)][0])}")


def _dtype_of_sums(torch: Any, weights: Any) -> Any:
    if weights.is_floating_point():
        dtype = weights.dtype if weights.dtype in (torch.float32, torch.float64) else torch.float32
        bound = float(weights.double().abs().sum((-2, -1)).max())
        if not bound < torch.finfo(dtype).max:
            raise ValueError(f"sums of absolute weights must stay finite in {dtype}, got {bound:g}")
        return dtype
    reach = max(abs(int(weights.max())), abs(int(weights.min())))
    bound = reach * weights.shape[-2] * weights.shape[-1]
    if bound < 2**31:
        return torch.int32
    if bound >= 2**62:
        flat = weights.reshape(-1, weights.shape[-2] * weights.shape[-1])
        bound = max(sum(map(abs, one)) for one in flat.tolist())
    if bound >= 2**62:
        raise ValueError(f"sums of integer weights must stay below 2**62, got up to {bound:.3g}")
    return torch.int64
