"""Second routes to the families: brute force over masks, over boxes, and over parameters."""

from __future__ import annotations

import math
from itertools import product

import numpy as np

from theory.families import (
    AllMasks,
    Family,
    FiniteFamily,
    Parallelograms,
    Rectangles,
    RotatedRectangles,
)
from theory.rectangle import Rectangle, grid, hard_rectangle

RING = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], dtype=bool)
CORNER = np.array([[1, 0, 0], [1, 0, 0], [1, 1, 1]], dtype=bool)

CATALOGUE: list[Family] = [
    AllMasks(2, 3),
    AllMasks(2, 2, empty=True),
    Rectangles(3, 3),
    Rectangles(1, 4, empty=True),
    Rectangles(3, 4, min_area=2, max_area=6, min_side=1, max_side=3),
    Rectangles(3, 4, min_side=2, zone=(0, 2, 1, 3)),
    Rectangles(3, 3, zone=RING, empty=True),
    RotatedRectangles(3, 3),
    RotatedRectangles(1, 5),
    RotatedRectangles(1, 1, empty=True),
    RotatedRectangles(3, 3, min_area=2, max_area=5, empty=True),
    RotatedRectangles(2, 4, zone=(0, 2, 1, 4)),
    RotatedRectangles(3, 3, zone=CORNER),
    RotatedRectangles(3, 3, max_side=1.3),
    RotatedRectangles(3, 3, min_side=1, max_side=2),
    RotatedRectangles(3, 4, min_side=2.2, min_area=3),
    Parallelograms(2, 5),
    Parallelograms(3, 4, min_area=3, max_area=8, empty=True),
    Parallelograms(3, 4, zone=(0, 3, 0, 2)),
    FiniteFamily([[[1, -1, 1]], [[-1, -1, -1]], [[1, -1, 1]], [[1, 1, 1]]], empty=True),
]


def all_masks(height: int, width: int) -> np.ndarray:
    """Every mask, by Cartesian product."""
    n = height * width
    return np.array(list(product((-1, 1), repeat=n)), dtype=np.int8).reshape(-1, height, width)


def keys(masks: np.ndarray) -> set[bytes]:
    """Masks as a set of hashable keys."""
    return {np.asarray(mask, dtype=np.int8).tobytes() for mask in masks}


def boxes(
    height: int,
    width: int,
    min_area: int = 1,
    max_area: int = 10**9,
    min_side: int = 1,
    max_side: int = 10**9,
    zone: np.ndarray | None = None,
) -> list[tuple[int, int, int, int]]:
    """Admissible boxes by four loops."""
    zone = np.ones((height, width), dtype=bool) if zone is None else zone
    out = []
    for top, left in product(range(height), range(width)):
        for bottom, right in product(range(top + 1, height + 1), range(left + 1, width + 1)):
            h, w = bottom - top, right - left
            sides = min_side <= h <= max_side and min_side <= w <= max_side
            if sides and min_area <= h * w <= max_area and zone[top:bottom, left:right].all():
                out.append((top, bottom, left, right))
    return out


def random_masks(
    height: int,
    width: int,
    count: int,
    seed: int,
    low: float = 0.0,
    high: float = math.inf,
    steps: tuple[float, float] = (1.0, 1.0),
) -> np.ndarray:
    """Distinct non-empty masks of random rectangles with sides in [low, high].

    Half of the angles are critical, many sides are equal to a limit and many edges pass through a
    point, so that closed boundaries and limits are met exactly.
    """
    rng = np.random.default_rng(seed)
    points = grid(height, width, unit=False) * np.array(steps)
    flat = points.reshape(-1, 2)
    reach = math.hypot(height * steps[0], width * steps[1])
    low, high = max(low, 1e-3 * reach), min(high, max(reach, low))
    ends = flat[rng.integers(len(flat), size=(2, count))]
    difference = ends[1] - ends[0]
    angle = np.where(rng.random(count) < 0.5, rng.uniform(0, math.pi / 2, count),
                     np.mod(np.arctan2(difference[:, 1], difference[:, 0]), math.pi / 2))
    side = np.where(rng.random((count, 2)) < 0.6, rng.uniform(low, high, (count, 2)),
                    np.where(rng.random((count, 2)) < 0.5, low, high))
    cos, sin = np.cos(angle), np.sin(angle)
    axes = np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], axis=1)
    near = flat[rng.integers(len(flat), size=(count, 2))]
    place = rng.choice([-1.0, 1.0, np.nan], size=(count, 2))
    place = np.where(np.isnan(place), rng.uniform(-1, 1, (count, 2)), place) * side / 2
    center = (((near * axes).sum(-1) + place)[:, :, None] * axes).sum(axis=1)
    masks = hard_rectangle(Rectangle(center, side / 2, angle), points, tolerance=1e-10)
    masks = np.unique(masks, axis=0)
    return masks[(masks == 1).any(axis=(1, 2))]
