r"""Relevance levels of rectangles under every limit on the area at once  [Eq. 14, section 5.1].

With D(s, t) the most positions where a mask of area s and one of area t differ, limits k on the area
of maps and k' on that of truths give :math:`\rho = 1 - \frac2n\max_{s\le k,\,t\le k'} D(s, t)`.  D is
computed once and exactly:

* axis-aligned rectangles, any grid: two shapes overlap least in opposite corners, in
  :math:`(h + h' - H)_+ (w + w' - W)_+` positions;
* rotated rectangles, up to 7 x 7: every pair of the enumerated family
  (:mod:`sims.relevance_codes`).

For rotated rectangles :func:`relevance_lower_bound` is attained, on any grid: sweep a line across the
grid in a direction in which no two positions tie; the first k positions and the last k' are the
positions of two large rectangles, disjoint if k + k' <= n (else take n - k').
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from numbers import Integral

import numpy as np

from sims.family_names import RECTANGLES, ROTATED, family_of
from sims.relevance_codes import difference_table

FAMILIES = (RECTANGLES, ROTATED)


@lru_cache(maxsize=8)
def area_differences(family: str, height: int, width: int) -> np.ndarray:
    """D: most positions where members of areas s and t differ, ``(n + 1, n + 1)``, read-only.

    Args:
        family: a name of ``FAMILIES``.
        height, width: the grid; rotated rectangles up to 7 x 7.

    Returns:
        int64; -1 where no member has area s or t.

    Raises:
        ValueError: an unknown family, a side below 1, rotated rectangles beyond 7 x 7.
    """
    members = family_of(family, height, width, among=FAMILIES)
    table = (_box_table(height, width) if family == RECTANGLES
             else difference_table(members.bits(), members.shape))
    table.flags.writeable = False
    return table


def relevance_under_limits(family: str, height: int, width: int, limit: int, limit_in: int
                           ) -> Fraction:
    r"""rho of maps of area at most ``limit`` and truths of area at most ``limit_in``; exact.

    >>> relevance_under_limits(RECTANGLES, 4, 4, 4, 4)
    Fraction(0, 1)

    Raises:
        ValueError: as :func:`area_differences`; a limit that is no integer from 1 to n.
    """
    table = _limited(family, height, width, limit, limit_in)
    return 1 - Fraction(2 * int(table.max()), height * width)


def relevance_lower_bound(area: int, area_in: int, positions: int) -> Fraction:
    r""":math:`\max(-1, 1 - 2(k + k')/n) \le \rho` for areas up to k and k', whatever the shapes.

    Two masks differ in at most k + k' positions, and in at most n.

    >>> relevance_lower_bound(2, 3, 20), relevance_lower_bound(9, 9, 16)
    (Fraction(1, 2), Fraction(-1, 1))
    """
    return 1 - Fraction(2 * min(area + area_in, positions), positions)


def attained_areas(family: str, height: int, width: int) -> list[int]:
    """The areas that some member has, in increasing order: the limits that make a difference."""
    table = area_differences(family, height, width)
    return [int(s) for s in np.flatnonzero(table.max(axis=1) >= 0)]


def farthest_pair(family: str, height: int, width: int, limit: int, limit_in: int
                  ) -> tuple[np.ndarray, np.ndarray]:
    """A map of area at most ``limit`` and a truth of area at most ``limit_in`` that attain rho.

    Returns:
        two masks int8 ``(H, W)``.

    Raises:
        ValueError: as :func:`relevance_under_limits`.
    """
    table = _limited(family, height, width, limit, limit_in)
    most = int(table.max())
    s, t = np.argwhere(table == most)[0]
    first, second = (family_of(family, height, width, min_area=int(k), max_area=int(k)).masks()
                     for k in (s, t))
    flat = second.reshape(len(second), -1)
    for mask in first:
        differs = (flat != mask.reshape(-1)).sum(axis=1)
        if differs.max() == most:
            return mask, second[differs.argmax()]
    raise RuntimeError(f"no pair of areas {s} and {t} differs in {most} positions")


def _limited(family: str, height: int, width: int, limit: int, limit_in: int) -> np.ndarray:
    """D up to areas ``limit`` and ``limit_in``."""
    table = area_differences(family, height, width)
    for name, value in (("limit", limit), ("limit_in", limit_in)):
        if not isinstance(value, Integral) or not 1 <= value < len(table):
            raise ValueError(f"{name} must be an integer in [1, {len(table) - 1}], got {value!r}")
    return table[:limit + 1, :limit_in + 1]


def _box_table(height: int, width: int) -> np.ndarray:
    h, w = (side.ravel() for side in np.indices((height, width)) + 1)
    rows = np.maximum(0, h[:, None] + h - height)
    columns = np.maximum(0, w[:, None] + w - width)
    area = h * w
    differ = area[:, None] + area - 2 * rows * columns
    table = np.full((height * width + 1,) * 2, -1, dtype=np.int64)
    np.maximum.at(table, (area[:, None], area), differ)
    return table
