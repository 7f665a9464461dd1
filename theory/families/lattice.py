r"""Which sets of grid points a rotated closed rectangle can hold, exactly.

A rectangle turned by theta holds the points whose projection on the axis
:math:`u = (\cos\theta, \sin\theta)` lies in one closed interval and whose projection on
:math:`v = (-\sin\theta, \cos\theta)` lies in another: a range of ranks in the order of each
projection.  Turning by 90 degrees swaps the axes, so theta in [0, 90) degrees is enough.  The two
orders change only at the *critical* angles, where u or v is orthogonal to the difference of two
points.  Between two neighbours they are constant, and the mediant of two neighbouring critical
directions (integer vectors) is an integer vector strictly between, where all projections are
distinct integers.  Without limits on the sides what is held at a critical angle is also held right
beside it (ties are neighbours in rank), so the mediants give everything, in integer arithmetic.

With limits m <= side <= M an interval holds exactly the ranks i..j iff a length L in [m, M] exists
with v_j - v_i <= L < v_{j+1} - v_{i-1}.  That changes at critical angles and where a difference of
two projections equals m or M; these angles and the midpoints between them are examined in floating
point, with ties and lengths taken to ``TOLERANCE`` pixels.

Sets of at most 64 points are uint64 codes (:mod:`theory.families.bits`).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache

import numpy as np

TOLERANCE = 1e-9
"""Pixels within which two projections tie and a limit on a side is met."""

_ANGLES_APART = 1e-12
_CHUNK = 2**21


def lattice_points(height: int, width: int, steps: tuple[int, int] = (1, 1)) -> np.ndarray:
    """Points ``(i * steps[0], j * steps[1])`` of the grid, row by row, ``(H W, 2)`` int64."""
    return np.indices((height, width)).reshape(2, -1).T * np.array(steps, dtype=np.int64)


@lru_cache(maxsize=32)
def critical_directions(
    height: int, width: int, steps: tuple[int, int] = (1, 1)
) -> tuple[tuple[int, int], ...]:
    """Coprime integer directions of the critical angles in [0, 90) degrees, sorted exactly.

    >>> critical_directions(2, 2)
    ((1, 0), (1, 1))
    """
    d = np.indices((height, width)).reshape(2, -1).T[1:] * np.array(steps, dtype=np.int64)
    d //= np.gcd(d[:, 0], d[:, 1])[:, None]
    # u along d or orthogonal to its mirror image: (a, b) and (b, a); 90 degrees is 0 again.
    found = {(1, 0)}
    found.update((x, y) for a, b in set(map(tuple, d.tolist())) for x, y in ((a, b), (b, a)) if x)
    return tuple(sorted(found, key=lambda v: Fraction(v[1], v[0])))


def open_directions(height: int, width: int, steps: tuple[int, int] = (1, 1)) -> np.ndarray:
    """One exact direction strictly between each two neighbouring critical ones, ``(m, 2)`` int64.

    >>> open_directions(2, 2).tolist()
    [[2, 1], [1, 2]]
    """
    ends = np.array([*critical_directions(height, width, steps), (0, 1)], dtype=np.int64)
    return ends[:-1] + ends[1:]


def critical_angles(height: int, width: int) -> np.ndarray:
    """The critical angles of the unit grid and 90 degrees, radians, increasing."""
    ends = np.array([*critical_directions(height, width), (0, 1)], dtype=np.float64)
    return np.arctan2(ends[:, 1], ends[:, 0])


def event_angles(height: int, width: int, lengths: tuple[float, ...]) -> np.ndarray:
    """Angles in [0, 90) degrees where a projected difference on u or v equals a length > 0."""
    a, b = np.indices((height, width)).reshape(2, -1)
    norm = np.hypot(a, b)
    found = [np.empty(0)]
    for length in lengths:
        long = norm >= length
        if length <= 0:
            continue
        spread = np.arccos(length / norm[long])
        for sign in (1, -1):
            phi = np.arctan2(sign * b[long], a[long])
            found += [phi + spread, phi - spread]
    return np.mod(np.concatenate(found), math.pi / 2)


def with_midpoints(angles: np.ndarray) -> np.ndarray:
    """Sorted distinct angles, with the midpoint of each two neighbours between them."""
    angles = np.sort(angles)
    angles = angles[np.diff(angles, prepend=-1.0) > _ANGLES_APART]
    out = np.empty(2 * len(angles) - 1)
    out[::2], out[1::2] = angles, (angles[:-1] + angles[1:]) / 2
    return out


def candidate_directions(height: int, width: int, low: float, high: float) -> np.ndarray:
    """Unit vectors at which everything that limits ``[low, high]`` admit is seen, ``(m, 2)``."""
    lengths = tuple(x for x in (low, high) if 0 < x < math.inf)
    events = np.concatenate([critical_angles(height, width), event_angles(height, width, lengths)])
    angles = with_midpoints(events)[:-1]  # 90 degrees is 0 again
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def range_codes(values: np.ndarray, tie: float, low: float, high: float) -> np.ndarray:
    """Codes of the sets of points that a closed interval of length in [low, high] holds.

    Args:
        values: projections of at most 64 points; ``tie``: the gap up to which they count as equal.

    >>> sorted(range_codes(np.array([0, 1, 2]), 0, 1, 1).tolist())
    [1, 2, 3, 4, 6]
    """
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    starts = np.flatnonzero(np.diff(ranked, prepend=-math.inf) > tie)
    first, last = ranked[starts], ranked[np.append(starts[1:], len(ranked)) - 1]
    single = np.left_shift(np.uint64(1), order.astype(np.uint64))
    before = np.concatenate([[np.uint64(0)], np.cumsum(single, dtype=np.uint64)])
    below = before[starts]
    upto = before[np.append(starts[1:], len(ranked))]
    i, j = np.triu_indices(len(starts))
    need = np.maximum(last[j] - first[i], low)
    gap = np.append(first[1:], math.inf)[j] - np.insert(last[:-1].astype(float), 0, -math.inf)[i]
    good = (need <= high + tie) & (need < gap - tie)
    return upto[j[good]] - below[i[good]]


def new_codes(
    points: np.ndarray, directions: np.ndarray, tie: float, low: float, high: float
) -> Iterator[np.ndarray]:
    """Codes of the non-empty sets, direction by direction, sorted, each code once over all.

    From one direction to the next few ranges are new, and only pairs with a new range are formed.
    """
    seen = np.empty(0, dtype=np.uint64)
    old1 = old2 = seen
    for x, y in directions:
        on_u = range_codes(points @ np.array([x, y]), tie, low, high)
        on_v = range_codes(points @ np.array([-y, x]), tie, low, high)
        fresh1 = ~np.isin(on_u, old1)
        fresh2 = ~np.isin(on_v, old2)
        pairs = np.concatenate([(on_u[fresh1][:, None] & on_v).ravel(),
                                (on_u[~fresh1][:, None] & on_v[fresh2]).ravel()])
        old1, old2 = on_u, on_v
        found = np.unique(pairs[pairs > 0])
        place = np.searchsorted(seen, found)
        known = np.zeros(len(found), dtype=bool)
        inner = place < len(seen)
        known[inner] = seen[place[inner]] == found[inner]
        if not known.all():
            seen = np.insert(seen, place[~known], found[~known])
            yield found[~known]


class Enumeration:
    """The codes of all masks of one grid, found lazily and kept; safe to iterate twice at once."""

    def __init__(self, height: int, width: int, steps: tuple[int, int], low: float, high: float):
        points = lattice_points(height, width, steps)
        if low == 0 and high == math.inf:
            self._source = new_codes(points, open_directions(height, width, steps), 0, 0, math.inf)
        else:
            directions = candidate_directions(height, width, low, high)
            self._source = new_codes(points.astype(float), directions, TOLERANCE, low, high)
        self._chunks: list[np.ndarray] = []
        self._done = False
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[np.ndarray]:
        index = 0
        while self._advance(index):
            yield self._chunks[index]
            index += 1

    def _advance(self, index: int) -> bool:
        """Whether there is a chunk ``index``, computing it when it is the next."""
        with self._lock:
            if index == len(self._chunks) and not self._done:
                chunk = next(self._source, None)
                if chunk is None:
                    self._done = True
                else:
                    self._chunks.append(chunk)
            return index < len(self._chunks)


@lru_cache(maxsize=16)
def enumeration(
    height: int, width: int, steps: tuple[int, int], low: float, high: float
) -> Enumeration:
    """The shared :class:`Enumeration` of a grid (``low``, ``high``: limits on the sides)."""
    return Enumeration(height, width, steps, low, high)


def tight_boxes(
    points: np.ndarray, inside: np.ndarray, directions: np.ndarray, tie: float, high: float
) -> np.ndarray:
    """For each direction: whether the tight box of ``points[inside]`` holds no other point.

    The sides of the box must also be at most ``high``.  Exact for integers with ``tie=0``.
    """
    good = np.empty(len(directions), dtype=bool)
    step = max(1, _CHUNK // len(points))
    for start in range(0, len(directions), step):
        u = directions[start:start + step]
        v = np.stack([-u[:, 1], u[:, 0]], axis=1)
        held = np.ones((len(u), int((~inside).sum())), dtype=bool)
        short = np.ones(len(u), dtype=bool)
        for axis in (u, v):
            mine, other = axis @ points[inside].T, axis @ points[~inside].T
            lo, hi = mine.min(axis=1), mine.max(axis=1)
            short &= hi - lo <= high + tie
            held &= (other >= lo[:, None] - tie) & (other <= hi[:, None] + tie)
        good[start:start + step] = short & ~held.any(axis=1)
    return good


def fits_rectangle(
    support: np.ndarray, steps: tuple[int, int] = (1, 1), high: float = math.inf
) -> bool:
    """Whether a rotated closed rectangle with sides of at most ``high`` holds just ``support``.

    Args:
        support: boolean ``(H, W)``, not empty; any grid size.
        steps: as :func:`lattice_points`; ``high`` is for steps ``(1, 1)``.
    """
    height, width = support.shape
    points, inside = lattice_points(height, width, steps), support.ravel()
    good = tight_boxes(points, inside, open_directions(height, width, steps), 0, math.inf)
    if high == math.inf or not good.any():
        return bool(good.any())
    # Limits only shrink what an interval holds: look for events inside the intervals that do.
    rows, columns = np.flatnonzero(support.any(axis=1)), np.flatnonzero(support.any(axis=0))
    spans = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
    ends = critical_angles(height, width)
    events = np.concatenate([ends, event_angles(*spans, (high,))])
    angles = with_midpoints(events)
    interval = np.searchsorted(ends, angles, side="right") - 1
    low_ok = good[np.clip(interval, 0, len(good) - 1)]
    high_ok = good[np.clip(np.searchsorted(ends, angles, side="left") - 1, 0, len(good) - 1)]
    angles = angles[low_ok | high_ok]
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return bool(tight_boxes(points.astype(float), inside, directions, TOLERANCE, high).any())
