r"""Objects and their distances to points, in the pixel units of the image.

An object has a frame, a rectangle in the coordinates of the ATTENTION grid (Eq. 5); it is the frame
itself, or a polygon in it.  What depends on a sample alone is computed in float64 and rounded to
float32 once; what depends on pixels uses only products, sums, comparisons and square roots in
float32, which are rounded alike on every device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from theory.rectangle import Rectangle, grid_to_image, hard_mask
from training.shapes import (
    BLOB_SWING,
    BLOB_WAVES,
    CORNERS,
    REALISABLE,
    STAR_INNER,
    ShapesConfig,
    inscribed,
)

DRAWS = 14  # uniform draws that an object takes


@dataclass(frozen=True, eq=False)
class Objects:
    r"""Objects of any batch shape ``(...)``.

    Args:
        frame: in the coordinates of the attention grid (Eq. 5), float32.
        sides: ``(..., 2, 4)``: numbers (p, q, r, w) of both pairs of opposite sides of the frame,
            such that pixel (i, j) lies between them where :math:`|pi + qj - r| \le w` and its
            distance to the nearer of the two lines is the difference.
        edges: numbers of the edges of the contour, ``(..., M, 9)`` in pixels: unit direction (p, q)
            and offset of the position along it, length, offset of the position across it; row of
            start and end, column of the start, columns a row.  None where the contour is the frame.
    """

    frame: Rectangle
    sides: Tensor
    edges: Tensor | None

    def __getitem__(self, part: object) -> Objects:
        """The objects of a part of the batch."""
        r = self.frame
        frame = Rectangle.unchecked(r.center[part], r.half_widths[part], r.angle[part])
        edges = None if self.edges is None else self.edges[part]
        return Objects(frame, self.sides[part], edges)


def objects(config: ShapesConfig, u: Tensor) -> Objects:
    """The objects of uniform draws ``u``, float64 ``(..., DRAWS)``."""
    frame = _frame(config, u)
    edges = None
    if config.truth not in REALISABLE:
        edges = _edges(to_pixels(config, _corners(config, frame, u)))
    return Objects(frame, sides(config, frame), edges)


def _frame(config: ShapesConfig, u: Tensor) -> Rectangle:
    """Long and short side in either order, wholly inside the grid; draws 0-5."""
    low, high = config.half_widths
    middle = (low + high) / 2
    long = middle + u[..., 0] * (high - middle)
    short = long / config.aspect if config.aspect else low + u[..., 1] * (middle - low)
    turned = u[..., 2] < 0.5
    first, second = torch.where(turned, long, short), torch.where(turned, short, long)
    angle = (2 * u[..., 3] - 1) * config.max_angle
    if config.truth == "axis-aligned":
        angle = torch.zeros_like(angle)
    cos, sin = angle.cos().abs(), angle.sin().abs()
    reach = torch.stack([cos * first + sin * second, sin * first + cos * second], dim=-1)
    free = (1 - 2 * reach).clamp(min=0)
    center = 0.5 + (u[..., 4:6] - 0.5) * free * (1 - config.pull)
    half_widths = torch.stack([first, second], dim=-1)
    return Rectangle.unchecked(*(v.to(torch.float32) for v in (center, half_widths, angle)))


def _corners(config: ShapesConfig, frame: Rectangle, u: Tensor) -> Tensor:
    """The contour's corners on the grid of Eq. 5; draws 7-13."""
    kind = {"dtype": u.dtype, "device": u.device}
    if config.truth == "l":
        unit = torch.tensor([(-1, -1), (1, -1), (1, 0), (0, 0), (0, 1), (-1, 1)], **kind)
        unit = unit.expand(*u.shape[:-1], *unit.shape)
    else:
        number = 10 if config.truth == "star" else CORNERS
        theta = torch.arange(number, **kind) * (2 * math.pi / number)
        radius = torch.ones((*u.shape[:-1], number), **kind)
        if config.truth == "star":
            radius[..., 1::2] = STAR_INNER
        if config.truth == "blob":
            swing = BLOB_SWING * u[..., 8:11]
            for k, m in enumerate(BLOB_WAVES):
                wave = torch.cos(m * theta + 2 * math.pi * u[..., 11 + k, None])
                radius += swing[..., k, None] * wave
            radius /= 1 + swing.sum(-1, keepdim=True)
        unit = radius[..., None] * torch.stack([theta.cos(), theta.sin()], dim=-1)
    unit = _turn(unit, *(v[..., None] for v in _quarter(u)))
    center, half, angle = (v[..., None, :] for v in (frame.center, frame.half_widths,
                                                     frame.angle[..., None]))
    return frame_point(Rectangle.unchecked(center, half, angle[..., 0]), unit)


def _quarter(u: Tensor) -> tuple[Tensor, Tensor]:
    """``(cos, sin)`` of a contour's turn within its frame, one of four; draw 7."""
    angle = (4 * u[..., 7]).floor() * (math.pi / 2)
    return angle.cos().round(), angle.sin().round()


def _turn(points: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """The rotation of Eq. 3 on points ``(..., 2)``."""
    first, second = points.unbind(-1)
    return torch.stack([cos * first - sin * second, sin * first + cos * second], dim=-1)


def to_pixels(config: ShapesConfig, points: Tensor) -> Tensor:
    """Points ``(..., 2)`` of the attention grid (Eq. 5) in pixels of the image."""
    axes = [grid_to_image(points[..., k], config.image[k], config.grid[k], config.stride)
            * (config.image[k] - 1) for k in range(2)]
    return torch.stack(axes, dim=-1)


def frame_point(frame: Rectangle, local: Tensor) -> Tensor:
    """The point ``(..., 2)`` given in units of the frame's half-widths, in the frame's coordinates."""
    angle = frame.angle.double()
    scaled = local * frame.half_widths.double()
    return frame.center.double() + _turn(scaled, angle.cos(), angle.sin())


def inner_discs(config: ShapesConfig, frame: Rectangle, u: Tensor) -> Tensor:
    """Centre and radius of a disc inside each object, ``(..., 3)`` float32, pixels; draw 7."""
    at, share = inscribed(config.truth)
    corner = torch.full_like(u[..., :2], at)
    center = to_pixels(config, frame_point(frame, _turn(corner, *_quarter(u))))
    radius = share * half_pixels(config, frame).amin(-1, keepdim=True)
    return torch.cat([center, radius], dim=-1).to(torch.float32)


def half_pixels(config: ShapesConfig, frame: Rectangle) -> Tensor:
    """Half-widths in pixels along the image's axes' scales, ``(..., 2)`` float64."""
    scale = [config.stride * (n - 1) for n in config.grid]
    return frame.half_widths.double() * torch.tensor(scale, dtype=torch.float64,
                                                     device=frame.angle.device)


def sides(config: ShapesConfig, frame: Rectangle) -> Tensor:
    """:attr:`Objects.sides` of a frame.

    Off square grids the frame is a parallelogram in pixels; each pair of sides keeps its own
    scale, so that distances to lines are in pixels there too.
    """
    angle, center = frame.angle.double(), to_pixels(config, frame.center.double())
    cos, sin = angle.cos(), angle.sin()
    scale = [config.stride * (n - 1) for n in config.grid]
    out = []
    for k, (a, b) in enumerate(((cos, sin), (-sin, cos))):
        p, q = a / scale[0], b / scale[1]
        slope = (p**2 + q**2).sqrt()
        p, q = p / slope, q / slope
        half = frame.half_widths[..., k].double() / slope
        out.append(torch.stack([p, q, p * center[..., 0] + q * center[..., 1], half], dim=-1))
    return torch.stack(out, dim=-2).to(torch.float32)


def frame_distance(sides: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    r"""Signed distance to the frame with mitred corners, ``(n, len(rows), len(columns))`` pixels.

    The larger of the distances to both pairs of lines: negative inside; its level sets are frames
    parallel to the object (beyond a corner it is below the Euclidean distance).
    """
    far = [_strip(sides[:, k], rows, columns) for k in range(2)]
    return torch.maximum(far[0], far[1], out=far[0])


def _strip(lines: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    p, q, r, w = (v[:, None] for v in lines.unbind(-1))
    across = (p * rows - r)[:, :, None] + (q * columns)[:, None, :]
    return across.abs_().sub_(w[:, :, None])


def polygon_distance(edges: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Signed Euclidean distance to simple polygons ``(n, M, 9)``, negative inside, pixels."""
    nearest: Tensor | None = None
    for edge in edges.unbind(-2):
        p, q, r, length, s = (v[:, None] for v in edge[:, :5].unbind(-1))
        along = (p * rows - r)[:, :, None] + (q * columns)[:, None, :]
        along -= along.clamp(torch.zeros_like(length)[..., None], length[..., None])
        across = (-q * rows - s)[:, :, None] + (p * columns)[:, None, :]
        square = along.square_().add_(across.square_())
        nearest = square if nearest is None else torch.minimum(nearest, square, out=nearest)
    distance = nearest.sqrt_()
    return torch.where(in_polygon(edges, rows, columns), -distance, distance)


def in_polygon(edges: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Which points lie in simple polygons ``(n, M, 9)``: an odd number of edges to their right."""
    odd = torch.zeros((len(edges), len(rows), len(columns)), dtype=torch.bool, device=edges.device)
    for edge in edges.unbind(-2):
        start, end, column, slope = (v[:, None] for v in edge[:, 5:].unbind(-1))
        met = column + slope * (rows - start)
        met = torch.where((start <= rows) != (end <= rows), met, -math.inf)
        odd ^= columns < met[:, :, None]
    return odd


def _edges(corners: Tensor) -> Tensor:
    """:attr:`Objects.edges` of corners ``(..., M, 2)`` in pixels."""
    step = corners.roll(-1, dims=-2) - corners
    length = step.square().sum(-1).sqrt()
    (a1, a2), (p, q) = corners.unbind(-1), (step / length[..., None]).unbind(-1)
    level = step[..., 0] == 0
    slope = torch.where(level, 0, step[..., 1] / torch.where(level, 1, step[..., 0]))
    numbers = [p, q, p * a1 + q * a2, length, -q * a1 + p * a2,
               a1, corners.roll(-1, dims=-2)[..., 0], a2, slope]
    return torch.stack(numbers, dim=-1).to(torch.float32)


def cell_points(config: ShapesConfig, axis: int, device: torch.device | str) -> Tensor:
    """Centres of the attention grid's cells along an axis, in pixels, float32."""
    cells = torch.arange(config.grid[axis], dtype=torch.float32, device=device)
    return cells * config.stride + (config.stride - 1) / 2


def covered(objects: Objects, rows: Tensor, columns: Tensor) -> Tensor:
    """Which points lie in the objects ``(n,)``: ``(n, len(rows), len(columns))`` booleans."""
    if objects.edges is not None:
        return in_polygon(objects.edges, rows, columns)
    return frame_distance(objects.sides, rows, columns) <= 0


def distance(objects: Objects, rows: Tensor, columns: Tensor) -> Tensor:
    """Signed distance of points to the objects' contours, pixels, negative inside."""
    if objects.edges is not None:
        return polygon_distance(objects.edges, rows, columns)
    return frame_distance(objects.sides, rows, columns)


def grid_masks(config: ShapesConfig, objects: Objects) -> Tensor:
    """The truth on the attention grid, int8 ``(n, h, w)``: cells whose centre lies inside."""
    if objects.edges is None:
        return hard_mask(objects.frame, *config.grid)
    axes = (cell_points(config, k, objects.edges.device) for k in range(2))
    return 2 * in_polygon(objects.edges, *axes).to(torch.int8) - 1
