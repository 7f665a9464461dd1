"""Axis-aligned rectangles on a grid."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from theory.families.base import Family, require_draws, require_integer
from theory.families.limits import describe_zone, no_rectangle, parse_areas, parse_zone

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

MAX_BOXES = 2**24
"""The most boxes :meth:`Rectangles.boxes` writes out."""


class Rectangles(Family):
    r"""Masks that are +1 on whole rows-by-columns blocks, -1 elsewhere.

    Without limits there are :math:`\binom{H+1}{2}\binom{W+1}{2}` of them.

    Args:
        height, width: the grid.
        min_area, max_area: limits on the number of pixels (None: no limit).
        min_side, max_side: limits on the number of rows AND on the number of columns.
        zone: where the rectangle must lie: a boolean array ``(H, W)`` or a half-open box
            ``(top, bottom, left, right)``.
        empty: whether the empty mask is a member (the limits do not concern it).

    Raises:
        ValueError: bad limits, a bad zone, limits that no rectangle meets (for a zone that is not a
            box at the first use).

    >>> Rectangles(3, 3).size, Rectangles(3, 3, max_area=1).size
    (36, 9)
    """

    def __init__(
        self,
        height: int,
        width: int,
        *,
        min_area: int = 1,
        max_area: int | None = None,
        min_side: int = 1,
        max_side: int | None = None,
        zone: Any = None,
        empty: bool = False,
    ) -> None:
        super().__init__(height, width, empty=empty)
        place = parse_zone(zone, self.height, self.width)
        min_area, max_area = parse_areas(min_area, max_area, place)
        min_side = require_integer("min_side", min_side, 0)
        max_side = None if max_side is None else require_integer("max_side", max_side, 1)
        if max_side is not None and min_side > max_side:
            raise ValueError(f"min_side must be at most max_side, got {min_side} > {max_side}")
        self._set(min_area=min_area, max_area=max_area, min_side=min_side, max_side=max_side,
                  zone=place.box if place.cells is None else place.cells, _zone=place)
        if next(self._row_ranges(), None) is None:
            raise self._no_member()

    @cached_property
    def size(self) -> int:
        """The exact number of members.

        A box is a smaller grid: for each number of rows h the admissible numbers of columns are an
        interval, and the placements sum in closed form.  Any other zone is counted with an integral
        image, shape by shape.
        """
        if self._zone.cells is not None:
            self._require_member()
            return int(self._counts.sum()) + self.empty
        rows, columns = self._zone.sides
        total = 0
        for h, low, high in self._row_ranges():
            placements = (high - low + 1) * (2 * columns + 2 - low - high) // 2
            total += (rows - h + 1) * placements
        return total + self.empty

    def __iter__(self) -> Iterator[np.ndarray]:
        """By rows, columns, top, left."""
        self._require_member()
        if self.empty:
            yield self._empty_mask()
        for h, w in self._shapes():
            for top, left in self._placements(h, w):
                mask = self._empty_mask()
                mask[top:top + h, left:left + w] = 1
                yield mask

    def boxes(self) -> np.ndarray:
        """All rectangles (not the empty mask) as ``(m, 4)`` half-open boxes, in iteration order.

        Columns: top, bottom, left, right.

        Raises:
            ValueError: more than ``MAX_BOXES`` (2**24) of them.
        """
        self._require_member()
        if self.size > MAX_BOXES:
            raise ValueError(f"boxes() writes out at most {MAX_BOXES} boxes, {self!r} has "
                             f"{self.size}")
        parts = []
        for h, w in self._shapes():
            corner = self._placements(h, w)
            top, left = corner[:, 0], corner[:, 1]
            parts.append(np.stack([top, top + h, left, left + w], axis=1))
        return np.concatenate(parts)

    def sample(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """Uniform over the members: an index, unranked to shape and placement."""
        n = require_draws(generator, n)
        shapes, ends = self._shape_table, np.cumsum(self._counts)
        self._require_member()
        index = generator.integers(self.size, size=n) - self.empty
        out = np.full((n, *self.shape), -1, dtype=np.int8)
        which = np.searchsorted(ends, index, side="right")
        rank = index - (ends - self._counts)[which]
        for k in np.unique(which[index >= 0]):
            h, w = (int(x) for x in shapes[k])
            for draw in np.flatnonzero((which == k) & (index >= 0)):
                top, left = self._placement(h, w, int(rank[draw]))
                out[draw, top:top + h, left:left + w] = 1
        return out

    def strategy(self) -> SearchStrategy[np.ndarray]:
        """The index of the shape (by area) and the place; shrinks to small rectangles, top left."""
        from hypothesis import strategies as st

        self._require_member()
        shapes, counts = self._shape_table, self._counts
        order = np.argsort(shapes[:, 0] * shapes[:, 1], kind="stable")
        order = order[counts[order] > 0]

        @st.composite
        def members(draw: Any) -> np.ndarray:
            k = order[draw(st.integers(0, len(order) - 1))]
            h, w = (int(x) for x in shapes[k])
            if self._zone.cells is None:
                top0, bottom, left0, right = self._zone.box
                top = draw(st.integers(top0, bottom - h))
                left = draw(st.integers(left0, right - w))
            else:
                rank = draw(st.integers(0, int(counts[k]) - 1))
                top, left = self._placement(h, w, rank)
            mask = self._empty_mask()
            mask[top:top + h, left:left + w] = 1
            return mask

        return self._with_empty(members())

    def _has(self, support: np.ndarray) -> bool:
        area = int(support.sum())
        rows, columns = np.flatnonzero(support.any(axis=1)), np.flatnonzero(support.any(axis=0))
        h, w = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
        return area == h * w and self._admits(h, w) and self._zone.covers(support)

    def _admits(self, h: int, w: int) -> bool:
        return ((self.max_area is None or h * w <= self.max_area) and h * w >= self.min_area
                and min(h, w) >= self.min_side
                and (self.max_side is None or max(h, w) <= self.max_side))

    def _row_ranges(self) -> Iterator[tuple[int, int, int]]:
        """``(h, low, high)``: h rows go with ``low..high`` columns, inside the zone's box."""
        rows, columns = self._zone.sides
        top = rows if self.max_side is None else min(rows, self.max_side)
        for h in range(max(self.min_side, 1), top + 1):
            low = max(self.min_side, 1, -(-self.min_area // h))
            high = columns if self.max_side is None else min(columns, self.max_side)
            if self.max_area is not None:
                high = min(high, self.max_area // h)
            if low <= high:
                yield h, low, high

    def _shapes(self) -> Iterator[tuple[int, int]]:
        for h, low, high in self._row_ranges():
            for w in range(low, high + 1):
                yield h, w

    @cached_property
    def _shape_table(self) -> np.ndarray:
        return np.array(list(self._shapes()), dtype=np.int64)

    @cached_property
    def _counts(self) -> np.ndarray:
        """Number of placements of each row of ``_shape_table``."""
        shapes = self._shape_table
        if self._zone.cells is None:
            rows, columns = self._zone.sides
            return (rows - shapes[:, 0] + 1) * (columns - shapes[:, 1] + 1)
        return np.array([int(self._free(int(h), int(w)).sum()) for h, w in shapes])

    @cached_property
    def _integral(self) -> np.ndarray:
        """Integral image of the zone, with a leading row and column of zeros."""
        return np.pad(self._zone.cells.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))

    def _free(self, h: int, w: int) -> np.ndarray:
        """Where (top, left) of an h x w rectangle inside the zone may be."""
        s = self._integral
        return s[h:, w:] - s[:-h, w:] - s[h:, :-w] + s[:-h, :-w] == h * w

    def _placements(self, h: int, w: int) -> np.ndarray:
        """``(m, 2)`` places (top, left), row by row."""
        if self._zone.cells is not None:
            return np.argwhere(self._free(h, w))
        top, bottom, left, right = self._zone.box
        grid = np.indices((bottom - top - h + 1, right - left - w + 1)).reshape(2, -1).T
        return grid + np.array([top, left])

    def _placement(self, h: int, w: int, rank: int) -> tuple[int, int]:
        """The ``rank``-th of :meth:`_placements`."""
        if self._zone.cells is not None:
            free = self._free(h, w)
            top, left = divmod(int(np.flatnonzero(free)[rank]), free.shape[1])
            return top, left
        top, _, left, right = self._zone.box
        row, column = divmod(rank, right - left - w + 1)
        return top + row, left + column

    def _all_masks(self) -> np.ndarray:
        boxes = self.boxes()
        row, column = np.arange(self.height), np.arange(self.width)
        rows = (row >= boxes[:, :1]) & (row < boxes[:, 1:2])
        columns = (column >= boxes[:, 2:3]) & (column < boxes[:, 3:])
        masks = 2 * (rows[:, :, None] & columns[:, None, :]).astype(np.int8) - 1
        return np.concatenate([self._empty_mask()[None], masks]) if self.empty else masks

    def _require_member(self) -> None:
        if self._zone.cells is not None and not self._counts.any():
            raise self._no_member()

    def _no_member(self) -> ValueError:
        return no_rectangle(self._options() | {"grid": f"{self.height}x{self.width}"})

    def _options(self) -> dict[str, Any]:
        options = {"min_area": self.min_area if self.min_area > 1 else None,
                   "max_area": self.max_area,
                   "min_side": self.min_side if self.min_side > 1 else None,
                   "max_side": self.max_side,
                   "zone": describe_zone(self._zone, *self.shape)}
        return {name: value for name, value in options.items() if value is not None}
