r"""Boxes: overlap of axis-aligned and of rotated ones, and errors of parameters modulo symmetries.

Everything is computed in float64, batched over leading axes.  No box has a ``+1`` anywhere: an
axis-aligned box is given by its edges, a rotated one by :class:`theory.rectangle.Rectangle`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from theory.equivariance import symmetries
from theory.rectangle import Rectangle, rotation

_SIGNS = ((1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0))


def box_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of axis-aligned boxes ``(..., 4)``; ``(...)`` float64.

    A box is ``(top, left, bottom, right)``, the positions of its edges: cells i..j of an axis have
    the edges i and j + 1.  A box without area has IoU 0, also with itself.

    >>> box_iou(torch.tensor([0, 0, 4, 4]), torch.tensor([0, 0, 4, 2])).item()
    0.5
    """
    for box in (a, b):
        if box.ndim == 0 or box.shape[-1] != 4:
            raise ValueError(f"a box has 4 edges (..., 4), got shape {tuple(box.shape)}")
    a, b = a.double(), b.double()
    low = torch.maximum(a[..., :2], b[..., :2])
    high = torch.minimum(a[..., 2:], b[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    areas = [(x[..., 2:] - x[..., :2]).clamp(min=0).prod(-1) for x in (a, b)]
    return _ratio(shared, areas[0] + areas[1] - shared)


def tight_boxes(masks: Tensor) -> Tensor:
    """The smallest boxes around the cells of boolean masks ``(n, h, w)``; ``(n, 4)`` int64.

    Edges as in :func:`box_iou`; four zeros for an empty mask.
    """
    edges = []
    for axis in (1, 2):
        hit = masks.any(dim=3 - axis).long()
        size = hit.shape[1]
        edges.append((hit.argmax(1), size - hit.flip(1).argmax(1)))
    (top, bottom), (left, right) = edges
    box = torch.stack([top, left, bottom, right], dim=1)
    return torch.where(masks.flatten(1).any(1)[:, None], box, 0)


def corners(rectangle: Rectangle) -> Tensor:
    r"""The corners :math:`\mu + R_\alpha(\pm\sigma_1, \pm\sigma_2)` in cyclic order ``(..., 4, 2)``."""
    center, half, angle = _wide(rectangle)
    offset = half[..., None, :] * torch.tensor(_SIGNS, dtype=half.dtype, device=half.device)
    return center[..., None, :] + _turn(offset, angle[..., None])


def rotated_iou(a: Rectangle, b: Rectangle) -> Tensor:
    r"""Intersection over union of two rectangles; ``(...)`` float64, batches broadcast.

    In the frame where b is :math:`[-1,1]^2`, the field :math:`(c(x)\,1_{|y|<1}, 0)` with c the
    clamp to [-1, 1] has divergence 1 inside b and 0 outside, so by Green's theorem

    .. math:: |a\cap b| = \sigma_1\sigma_2 \Bigl|\sum_e \int_{e\cap\{|y|<1\}} c(x)\,dy\Bigr|

    over the four edges e of a.  On an edge c(x) is piecewise linear: each integral is a sum of
    trapezoids between the places where the edge crosses b.  Nothing is decided by the order of
    vertices, so touching and equal edges cost no accuracy.

    In the coordinates of Eq. 5 of grids that are not square this is the IoU of the parallelograms
    in pixels too: areas change by one factor.
    """
    center, half, angle = _wide(b)
    local = corners(a) - center[..., None, :]
    local = _turn(local, -angle[..., None]) / half[..., None, :]
    scale = half.prod(-1)
    area_a, area_b = 4 * _wide(a)[1].prod(-1), 4 * scale
    shared = scale * _area_in_unit_box(local)
    shared = torch.minimum(shared, torch.minimum(area_a, area_b))
    return _ratio(shared, area_a + area_b - shared)


def parameter_errors(predicted: Rectangle, true: Rectangle) -> dict[str, Tensor]:
    r"""How far the five parameters are off, modulo the symmetries of a rectangle; ``(...)`` each.

    Of the representatives of ``predicted`` (:func:`theory.equivariance.symmetries`) the one nearest
    in :math:`\sum_k\Delta_k^2 + \Delta\alpha^2`, :math:`\Delta_k = \log\sigma_k - \log\sigma^*_k`,
    is compared; the choice does not depend on units.

    Returns:
        ``centre_error``: Euclidean distance of the centres, in the rectangles' units;
        ``log_size_error``: :math:`(|\Delta_1|+|\Delta_2|)/2`;
        ``angle_error``: :math:`|\Delta\alpha|` in [0, pi/2], radians.
    """
    wide = [Rectangle(*_wide(r)).to_array() for r in (predicted, true)]
    candidates, target = symmetries(wide[0]), wide[1][..., None, :]
    sizes = candidates[..., 2:4].log() - target[..., 2:4].log()
    turn = candidates[..., 4] - target[..., 4]
    turn = torch.atan2(turn.sin(), turn.cos())
    nearest = (sizes.square().sum(-1) + turn.square()).argmin(-1, keepdim=True)
    return {
        "centre_error": torch.linalg.vector_norm(wide[0][..., :2] - wide[1][..., :2], dim=-1),
        "log_size_error": sizes.abs().mean(-1).gather(-1, nearest)[..., 0],
        "angle_error": turn.abs().gather(-1, nearest)[..., 0],
    }


def _area_in_unit_box(polygon: Tensor) -> Tensor:
    """Area of a polygon ``(..., K, 2)`` inside ``[-1, 1]^2``, by the integral above."""
    x0, y0 = polygon.unbind(-1)
    x1, y1 = polygon.roll(-1, dims=-2).unbind(-1)
    rise = y1 - y0
    enter, leave = _crossings(y0, rise)
    x0, run = x0 + enter * (x1 - x0), (leave - enter) * (x1 - x0)
    first, second = _crossings(x0, run)
    ends = torch.stack([torch.zeros_like(first), first, second, torch.ones_like(first)], dim=-1)
    clamped = (x0[..., None] + ends * run[..., None]).clamp(-1, 1)
    mean = ((clamped[..., 1:] + clamped[..., :-1]) / 2 * ends.diff(dim=-1)).sum(-1)
    return (mean * rise * (leave - enter)).sum(-1).abs()


def _crossings(start: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
    """The part of [0, 1] where ``|start + t change| < 1``, as ``(from, to)``; empty if from = to.

    Any part serves where ``change`` is 0: the integral above is 0 there, or constant in t.
    """
    step = torch.where(change == 0, 1.0, change)
    at = torch.stack([(-1 - start) / step, (1 - start) / step], dim=-1)
    return at.amin(-1).clamp(0, 1), at.amax(-1).clamp(0, 1)


def _turn(points: Tensor, angle: Tensor) -> Tensor:
    """R of Eq. 3 on points ``(..., 2)``."""
    cos, sin = rotation(angle)
    t1, t2 = points.unbind(-1)
    return torch.stack([cos * t1 - sin * t2, sin * t1 + cos * t2], dim=-1)


def _wide(rectangle: Rectangle) -> tuple[Tensor, Tensor, Tensor]:
    return tuple(torch.as_tensor(v).double()
                 for v in (rectangle.center, rectangle.half_widths, rectangle.angle))


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """``part / whole``, 0 where whole is 0."""
    return torch.where(whole > 0, part / torch.where(whole > 0, whole, 1.0), 0.0)
