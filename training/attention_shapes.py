r"""Soft and hard shapes on the grid, one or several, as graphs that can be traced  [Eqs. 1-5].

``theory`` works on any array library, which ``torch.compile`` cannot look into: here its functions
enter the graph whole, and s may be a tensor, so that a schedule does not compile anew at each step.

With the margins :math:`a_i=1-((R_{-\alpha}(t-\mu))_i/\sigma_i)^2` of both axes the shapes are

* rectangle: :math:`f=\Lambda(s\,a_1)\,\Lambda(s\,a_2)`  [Eqs. 1-4], hard :math:`a_1,a_2\ge0`;
* ellipse: :math:`f=\Lambda(s\,(a_1+a_2-1))`, one window of the sum of squares, hard
  :math:`a_1+a_2\ge1`: the ellipse with half-axes sigma, where f = 1/2 exactly on the boundary.
  (The rectangle's map is 1/2 a little inside its boundary.)

Several shapes are one by the soft union :math:`1-\prod_i(1-f_i)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

import theory.attention
from theory.rectangle import Rectangle, _window_logits, grid, hard_mask
from training.attention_ranges import at_least_float32

Scale = float | Tensor
EDGE = 4 * torch.finfo(torch.float32).eps  # keeps boundary points inside, as in theory


@torch.compiler.allow_in_graph
def positions(like: Tensor, height: int, width: int) -> Tensor:
    """The grid of Eq. 5, ``(H, W, 2)``, at least in float32; sides of at least 2."""
    return grid(height, width, like=at_least_float32(like.new_empty(0)))


@torch.compiler.allow_in_graph
def rescaled(log_f: Tensor) -> Tensor:
    """Eq. 7 from ``log f (n, H, W)``."""
    return theory.attention.rescale_log(log_f)


@torch.compiler.allow_in_graph
def margins(
    center: Tensor, half_widths: Tensor, angle: Tensor, height: int, width: int
) -> tuple[Tensor, Tensor]:
    r""":math:`1-((R_{-\alpha}(t-\mu))_i/\sigma_i)^2` on the grid, i = 1, 2; ``(..., H, W)`` each."""
    rectangle = Rectangle.unchecked(center, half_widths, angle)
    return _window_logits(rectangle, grid(height, width, like=center), 1.0)


@dataclass(frozen=True)
class Shape:
    """A shape as functions of the margins: ``log f`` and ``log(1 - f)`` at scale s, and the mask."""

    log_inside: Callable[[Tensor, Tensor, Scale], Tensor]
    log_outside: Callable[[Tensor, Tensor, Scale], Tensor]
    hard: Callable[[Rectangle, int, int], Tensor]


def _log_inside_rectangle(a: Tensor, b: Tensor, s: Scale) -> Tensor:
    return logsigmoid(s * a) + logsigmoid(s * b)


def _log_outside_rectangle(a: Tensor, b: Tensor, s: Scale) -> Tensor:
    return torch.logaddexp(logsigmoid(-s * a), logsigmoid(s * a) + logsigmoid(-s * b))


def _hard_ellipse(r: Rectangle, height: int, width: int) -> Tensor:
    a, b = margins(r.center, r.half_widths, r.angle, height, width)
    return 2 * (a + b >= 1 - EDGE).to(torch.int8) - 1


SHAPES = {
    "rectangle": Shape(_log_inside_rectangle, _log_outside_rectangle, hard_mask),
    "ellipse": Shape(lambda a, b, s: logsigmoid(s * (a + b - 1)),
                     lambda a, b, s: logsigmoid(-s * (a + b - 1)), _hard_ellipse),
}


def log_map(r: Rectangle, height: int, width: int, s: Scale, shape: str) -> Tensor:
    """``log f``, ``(n, H, W)``, of shapes ``(n)``, or of the unions of k each: ``(n, k)``."""
    a, b = margins(r.center, r.half_widths, r.angle, height, width)
    inside = SHAPES[shape].log_inside(a, b, s)
    if inside.ndim == 3:
        return inside
    return union(inside, SHAPES[shape].log_outside(a, b, s))[0]


def logit_map(r: Rectangle, height: int, width: int, s: Scale, shape: str) -> Tensor:
    """``log(f / (1 - f))`` of the map of :func:`log_map`, stable near 0 and near 1."""
    a, b = margins(r.center, r.half_widths, r.angle, height, width)
    inside, outside = SHAPES[shape].log_inside(a, b, s), SHAPES[shape].log_outside(a, b, s)
    if inside.ndim == 4:
        inside, outside = union(inside, outside)
    return inside - outside


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
