"""The finite search space behind all rotated rectangles of a grid: directions and orders.

Between two neighbouring critical angles the orders of the grid points along both axes are constant
(:mod:`theory.families.lattice`): a *sector*.  Every mask is a range of ranks along u and a range of
ranks along v in one of the sectors.  Without limits on the sides one direction a sector is enough;
with them the candidate directions of the theory are, each filed under the sector whose closure
holds it: there the sector's orders are valid too, with ties next to each other.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from theory.families.lattice import (
    TOLERANCE,
    candidate_directions,
    critical_angles,
    lattice_points,
    open_directions,
)

BYTES = 2**30
"""Largest size of the tables of one grid; about ``10 (H W)^2`` bytes on a square grid."""

_AT_THE_ANGLE = 1e-11


class Tables(NamedTuple):
    """The search space of one grid and one pair of limits on the sides.

    Attributes:
        points: ``(n, 2)`` float64, pixel units, row by row.
        directions: ``(C, 2)`` float64 unit vectors (cos, sin), angles in [0, 90) degrees.
        starts: ``(G + 1,)`` int64; sector g has the directions ``starts[g]:starts[g + 1]``.
        order: ``(2, G, n)`` int32; ``order[axis, g, r]`` is the point of rank r along u (axis 0)
            or v (axis 1).
        cross: ``(2, G, n)`` int32; the rank of ``order[axis, g, r]`` along the OTHER axis.
        sided: whether the sides are limited.
        low, high: the limits on both sides.
        tie: pixels within which projections tie and limits on sides are met.
    """

    points: np.ndarray
    directions: np.ndarray
    starts: np.ndarray
    order: np.ndarray
    cross: np.ndarray
    sided: bool
    low: float
    high: float
    tie: float


@lru_cache(maxsize=8)
def tables(height: int, width: int, low: float, high: float) -> Tables:
    """The tables of a grid; ``low`` and ``high`` limit both sides (0 and inf: no limit).

    Raises:
        ValueError: tables of more than :data:`BYTES` bytes (a square grid beyond 100x100).

    >>> found = tables(2, 2, 0.0, math.inf)
    >>> found.order[0].tolist()  # the directions (2, 1) and (1, 2)
    [[0, 1, 2, 3], [0, 2, 1, 3]]
    """
    mediants = open_directions(height, width)
    size = 16 * len(mediants) * height * width
    if size > BYTES:
        raise ValueError(f"the tables of a grid may have {BYTES} bytes, {height}x{width} needs {size}")
    points = lattice_points(height, width)
    order = np.empty((2, len(mediants), len(points)), dtype=np.int32)
    cross = np.empty_like(order)
    for g, (x, y) in enumerate(mediants):
        for axis, along in enumerate((np.array([x, y]), np.array([-y, x]))):
            order[axis, g] = np.argsort(points @ along)  # distinct integers
        rank = np.empty_like(order[:, g])
        for axis in range(2):
            rank[axis, order[axis, g]] = np.arange(len(points))
        for axis in range(2):
            cross[axis, g] = rank[1 - axis, order[axis, g]]
    sided = low > 0 or high < math.inf
    if sided:
        directions = candidate_directions(height, width, low, high)
        angles = np.arctan2(directions[:, 1], directions[:, 0])
        ends = critical_angles(height, width)[:-1]
        sector = np.searchsorted(ends, angles + _AT_THE_ANGLE, side="right") - 1
        starts = np.searchsorted(sector, np.arange(len(mediants) + 1))
    else:
        directions = mediants / np.hypot(*mediants.T)[:, None]
        starts = np.arange(len(mediants) + 1)
    return Tables(points.astype(np.float64), directions, starts.astype(np.int64), order, cross,
                  sided, low, high, TOLERANCE)


def held(tables: Tables, place: np.ndarray) -> np.ndarray:
    """The points that a place (sector, direction, i, j, k, l) holds, boolean ``(n,)``.

    Ranks i..j along u and k..l along v, both ends included.
    """
    sector, _, i, j, k, last = place
    inside = np.zeros(len(tables.points), dtype=bool)
    strip = slice(i, j + 1)
    across = tables.cross[0, sector, strip]
    inside[tables.order[0, sector, strip][(across >= k) & (across <= last)]] = True
    return inside


def witness(tables: Tables, place: np.ndarray) -> np.ndarray:
    """Five numbers (centre row, centre column, half-side 1, half-side 2, angle) of a place.

    Each side starts as far outside the outermost points as half a pixel, or halfway to the next
    point, and is lengthened or shortened to meet the limits where it breaks them.
    """
    sector, direction, *ranks = (int(x) for x in place)
    cos, sin = tables.directions[direction]
    middle, half = np.empty(2), np.empty(2)
    for axis, along in enumerate(((cos, sin), (-sin, cos))):
        values = tables.points[tables.order[axis, sector]] @ np.array(along)
        first, last = ranks[2 * axis:2 * axis + 2]
        # neighbours closer than the tolerance tie with the ends (sorted but for rounding)
        low, high = values[first], values[last]
        below = values[:first][values[:first] < low - tables.tie].max(initial=-math.inf)
        above = values[last + 1:][values[last + 1:] > high + tables.tie].min(initial=math.inf)
        start, end = _side(low, high, below, above, tables.low, tables.high)
        middle[axis], half[axis] = (start + end) / 2, (end - start) / 2
    center = cos * middle[0] - sin * middle[1], sin * middle[0] + cos * middle[1]
    return np.array([*center, *half, math.atan2(sin, cos)])


def _side(
    low: float, high: float, below: float, above: float, shortest: float, longest: float
) -> tuple[float, float]:
    """An interval that holds [low, high], not ``below`` nor ``above``, of admissible length."""
    room = low - below, above - high
    out = [min(0.5, r / 2) for r in room]
    span = high - low
    if span + sum(out) > longest:
        scale = max(0.0, longest - span) / sum(out)
        out = [x * scale for x in out]
    elif span + sum(out) < shortest:
        lacking = shortest - span
        if math.isinf(room[0]) or math.isinf(room[1]):
            side = 0 if math.isinf(room[0]) else 1
            out[side] = lacking - out[1 - side]
        else:
            out = [lacking * r / sum(room) for r in room]
    return low - out[0], high + out[1]
