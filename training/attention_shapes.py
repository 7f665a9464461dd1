r"""Soft and hard shapes on the grid, one or several, as graphs that can be traced  [Eqs. 1-5].

``theory`` works on any array library, which ``torch.compile`` cannot look into: here its functions
enter the graph whole, and s may be a tensor, so that a schedule does not compile anew at each step.

With the window logits :math:`u_i=s\,(1-((R_{-\alpha}(t-\mu))_i/\sigma_i)^2)` of both axes the
shapes are

* rectangle: :math:`f=\Lambda(u_1)\,\Lambda(u_2)`  [Eqs. 1-4], hard :math:`u_1,u_2\ge0`;
* ellipse: :math:`f=\Lambda(u_1+u_2-s)`, one window of the sum of squares, hard
  :math:`u_1+u_2\ge s`: the ellipse with half-axes sigma, where f = 1/2 exactly on the boundary.
  (The map of the rectangle is 1/2 a little inside its boundary.)

Several shapes are one by the soft union :math:`1-\prod_i(1-f_i)`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

import theory.attention
from theory.rectangle import Rectangle, grid, hard_mask, window_logits

Scale = float | Tensor
EDGE = 4 * torch.finfo(torch.float32).eps  # keeps boundary points inside, as in theory


def positions(like: Tensor, height: int, width: int) -> Tensor:
    """The grid of Eq. 5, ``(H, W, 2)``, on the device of a tensor and at least in float32.

    Kept from call to call, but for calls that are traced.

    Raises:
        ValueError: sides below 2, where Eq. 5 divides by zero.
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    make = _grid if torch.compiler.is_compiling() else _kept_grid
    return make(height, width, dtype, like.device)


@torch.compiler.allow_in_graph
def _grid(height: int, width: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return grid(height, width, like=torch.empty(0, dtype=dtype, device=device))


@functools.lru_cache(maxsize=64)
def _kept_grid(height: int, width: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # also used by calls that are not for inference
        return _grid(height, width, dtype, device)


@torch.compiler.allow_in_graph
def rescaled(log_f: Tensor) -> Tensor:
    """Eq. 7 from ``log f (n, H, W)``."""
    return theory.attention.rescale_log(log_f)


@torch.compiler.allow_in_graph
def traced_logits(
    center: Tensor, half_widths: Tensor, angle: Tensor, points: Tensor, s: Scale
) -> tuple[Tensor, Tensor]:
    r""":math:`s\,(1-((R_{-\alpha}(t-\mu))_i/\sigma_i)^2)` at points ``(H, W, 2)``, i = 1, 2;
    ``(..., H, W)`` each  [Eqs. 1-3]."""
    rectangle = Rectangle.unchecked(center, half_widths, angle)
    if not isinstance(s, Tensor):
        return window_logits(rectangle, points, s)
    u, v = window_logits(rectangle, points, 1.0)  # theory looks at the value of s
    return s * u, s * v


@dataclass(frozen=True)
class Shape:
    """A shape as functions of the window logits and s: ``log f``, ``log(1 - f)``; and its mask."""

    log_inside: Callable[[Tensor, Tensor, Scale], Tensor]
    log_outside: Callable[[Tensor, Tensor, Scale], Tensor]
    hard: Callable[[Rectangle, int, int], Tensor]


def _log_inside_rectangle(u: Tensor, v: Tensor, s: Scale) -> Tensor:
    return logsigmoid(u) + logsigmoid(v)


def _log_outside_rectangle(u: Tensor, v: Tensor, s: Scale) -> Tensor:
    return torch.logaddexp(logsigmoid(-u), logsigmoid(u) + logsigmoid(-v))


def _log_inside_ellipse(u: Tensor, v: Tensor, s: Scale) -> Tensor:
    return logsigmoid(u + v - s)


def _log_outside_ellipse(u: Tensor, v: Tensor, s: Scale) -> Tensor:
    return logsigmoid(s - u - v)


def _hard_ellipse(r: Rectangle, height: int, width: int) -> Tensor:
    a, b = _logits(r, height, width, 1.0)
    return 2 * (a + b >= 1 - EDGE).to(torch.int8) - 1


SHAPES = {
    "rectangle": Shape(_log_inside_rectangle, _log_outside_rectangle, hard_mask),
    "ellipse": Shape(_log_inside_ellipse, _log_outside_ellipse, _hard_ellipse),
}


def log_map(r: Rectangle, height: int, width: int, s: Scale, shape: str) -> Tensor:
    """``log f``, ``(n, H, W)``, of shapes ``(n)``, or of the unions of k each: ``(n, k)``."""
    u, v = _logits(r, height, width, s)
    inside = SHAPES[shape].log_inside(u, v, s)
    if inside.ndim == 3:
        return inside
    return union(inside, SHAPES[shape].log_outside(u, v, s))[0]


def logit_map(r: Rectangle, height: int, width: int, s: Scale, shape: str) -> Tensor:
    """``log(f / (1 - f))`` of the map of :func:`log_map`, stable near 0 and near 1."""
    u, v = _logits(r, height, width, s)
    inside, outside = SHAPES[shape].log_inside(u, v, s), SHAPES[shape].log_outside(u, v, s)
    if inside.ndim == 4:
        inside, outside = union(inside, outside)
    return inside - outside


def _logits(r: Rectangle, height: int, width: int, s: Scale) -> tuple[Tensor, Tensor]:
    points = positions(r.center, height, width)
    return traced_logits(r.center, r.half_widths, r.angle, points, s)


def union(inside: Tensor, outside: Tensor) -> tuple[Tensor, Tensor]:
    r"""``log f`` and ``log(1 - f)`` of :math:`f=1-\prod_i(1-f_i)` from those of the parts ``(n, k,
    ...)``.

    As :math:`f=\sum_i f_i\prod_{j<i}(1-f_j)`, a sum of positive terms: nothing cancels.
    """
    log_f, log_not_f = inside[:, 0], outside[:, 0]
    for i in range(1, inside.shape[1]):
        log_f = torch.logaddexp(log_f, log_not_f + inside[:, i])
        log_not_f = log_not_f + outside[:, i]
    return log_f, log_not_f
