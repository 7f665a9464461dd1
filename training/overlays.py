r"""Attention maps and rectangles carried from the grid to an image of any size, and drawn there.

Three frames: the attention grid in the coordinates of Eq. 5; the network's input, whose centre is
the grid's (``theory.rectangle.grid_to_image``); the image as it is on disk, which was resized to
the network's input, edges onto edges.  Pixels are counted from 0 at their centres.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from theory.rectangle import Rectangle, grid_to_image, image_to_grid, rotation

TINT, OUTLINE, BORDER = (20, 24, 60), (230, 159, 0), (0, 0, 0)
STRENGTH = 0.65
SMALLEST = 256
_TURN = np.linspace(0, 2 * math.pi, 73)[:-1]
OUTLINES = {"rectangle": np.array([(1.0, 1), (1, -1), (-1, -1), (-1, 1)]),
            "ellipse": np.stack([np.cos(_TURN), np.sin(_TURN)], axis=-1)}
"""Points around each shape, in units of its half-sides or half-axes."""


@dataclass(frozen=True)
class Frames:
    """How the three frames lie on each other; all sizes are (height, width).

    Args:
        grid: cells of the attention map.
        stride: pixels of the network's input from cell to cell.
        network: the network's input, in pixels.
        image: the image on disk, in pixels.
    """

    grid: tuple[int, int]
    stride: int
    network: tuple[int, int]
    image: tuple[int, int]

    def to_pixels(self, points: np.ndarray) -> np.ndarray:
        """Grid coordinates ``(..., 2)`` as (row, column) pixels of the image."""
        out = []
        for k in (0, 1):
            unit = grid_to_image(points[..., k], self.network[k], self.grid[k], self.stride)
            inside = unit * (self.network[k] - 1)
            out.append((inside + 0.5) * (self.image[k] / self.network[k]) - 0.5)
        return np.stack(out, axis=-1)

    def upsample(self, f: np.ndarray) -> np.ndarray:
        """A map ``(h, w)`` at the image's pixels ``(H, W)``: bilinear between the cells' centres,
        constant beyond the outer ones."""
        rows, columns = (self._weights(k) for k in (0, 1))
        return rows @ f @ columns.T

    def _weights(self, k: int) -> np.ndarray:
        """How much of each cell a pixel shows along axis k, ``(pixels, cells)``."""
        cells = self.grid[k]
        inside = (np.arange(self.image[k]) + 0.5) * (self.network[k] / self.image[k]) - 0.5
        unit = image_to_grid(inside / (self.network[k] - 1), self.network[k], cells, self.stride)
        place = np.clip(unit * (cells - 1), 0, cells - 1)
        return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(cells)))


def outline(rectangle: Rectangle, shape: str = "rectangle") -> np.ndarray:
    """Points around one rectangle (its corners), or around the ellipse with its half-widths as
    half-axes, ``(n, 2)``, in its own coordinates.

    Raises:
        ValueError: another shape.
    """
    if shape not in OUTLINES:
        raise ValueError(f"shape must be one of {tuple(OUTLINES)}, got {shape!r}")
    center, ends = _axes(rectangle)
    return center + OUTLINES[shape] @ ends


def pixel_parameters(rectangle: Rectangle, frames: Frames) -> dict[str, float]:
    """The five parameters in pixels of the image, and ``skew``.

    The map between the frames scales each axis by its own factor, so that the image of a rectangle
    may be a parallelogram: sigma1 and sigma2 are half the lengths of its sides, alpha is the
    direction of the first one (axis 1 towards axis 2, in [-pi/2, pi/2)), and skew is how far the
    angle between them is from a right one (radians; 0 for a rectangle).  (Of an ellipse these are
    two conjugate half-diameters, its half-axes where skew is 0.)
    """
    center, ends = _axes(rectangle)
    middle = frames.to_pixels(center)
    first, second = frames.to_pixels(center + ends) - middle
    angle = math.atan2(first[1], first[0])
    between = math.atan2(second[1], second[0]) - angle
    skew = half_turn(between) - math.copysign(math.pi / 2, half_turn(between))
    return {"mu1": middle[0], "mu2": middle[1], "sigma1": math.hypot(*first),
            "sigma2": math.hypot(*second), "alpha": half_turn(angle), "skew": skew}


def half_turn(angle: float) -> float:
    """An angle modulo pi, in [-pi/2, pi/2): a half turn leaves every rectangle where it is."""
    return angle - math.pi * math.floor(angle / math.pi + 0.5)


def overlay(image: Any, f: np.ndarray, frames: Frames, outlines: Sequence[np.ndarray]) -> Any:
    """The image in a dark tint that the map takes away, with outlines.

    Args:
        image: a PIL image in RGB; small ones are enlarged by a whole factor.
        f: the map on the image's pixels, in [0, 1].
        outlines: of :func:`outline`, in grid coordinates.
    """
    from PIL import Image, ImageDraw

    share = STRENGTH * (1 - f[..., None])
    mixed = (1 - share) * np.asarray(image, dtype=np.float64) + share * np.array(TINT)
    factor = max(1, SMALLEST // min(frames.image))
    out = Image.fromarray(np.rint(mixed).astype(np.uint8).repeat(factor, 0).repeat(factor, 1))
    pen, width = ImageDraw.Draw(out), max(3, min(out.size) // 100)
    for points in outlines:
        points = (frames.to_pixels(points) + 0.5) * factor - 0.5
        path = [(column, row) for row, column in (*points, points[0], points[1])]
        for colour, thick in ((BORDER, 2 * width), (OUTLINE, width)):
            pen.line(path, fill=colour, width=thick, joint="curve")
    return out


def _axes(rectangle: Rectangle) -> tuple[np.ndarray, np.ndarray]:
    """Centre ``(2,)`` and the two half-sides as rows ``(2, 2)``: columns of R_alpha (Eq. 3)."""
    m1, m2, s1, s2, angle = np.asarray(rectangle.to_array(), dtype=np.float64)
    cos, sin = (float(v) for v in rotation(np.asarray(angle)))
    return np.array([m1, m2]), np.array([[s1 * cos, s1 * sin], [-s2 * sin, s2 * cos]])
