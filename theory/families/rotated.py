"""Rotated rectangles on a grid, in pixel units and in the coordinates of Eq. 5."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from theory.families.base import Family, require_draws
from theory.families.bits import codes_of_masks, masks_of_codes
from theory.families.lattice import enumeration, fits_rectangle
from theory.families.limits import (
    describe_zone,
    no_rectangle,
    parse_areas,
    parse_real_sides,
    parse_zone,
)
from theory.rectangle import Rectangle, grid, hard_rectangle

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

MAX_SIDE = 7
"""The largest H and W for which rotated families are enumerated."""

_THINNEST = 1e-3
_TRIES = 200


class _Rotated(Family):
    """What :class:`RotatedRectangles` and :class:`Parallelograms` share.

    The points of the grid are ``(i * steps[0], j * steps[1])``; a member is the set of points in a
    closed rectangle, rotated in those coordinates.
    """

    _steps: tuple[int, int]
    _sides: tuple[float, float]

    def _limit(self, min_area: Any, max_area: Any, zone: Any) -> None:
        place = parse_zone(zone, self.height, self.width)
        min_area, max_area = parse_areas(min_area, max_area, place)
        self._set(min_area=min_area, max_area=max_area, _zone=place,
                  zone=place.box if place.cells is None else place.cells)

    @property
    @abstractmethod
    def _limited(self) -> bool:
        """Whether the area or the zone is limited."""

    @property
    def enumerable(self) -> bool:
        """Whether the exact size and iteration are available: H and W at most 7."""
        return max(self.shape) <= MAX_SIDE

    @property
    def size(self) -> int:
        """The exact number of members; ``ValueError`` beyond 7x7."""
        return len(self._codes) + self.empty

    def __iter__(self) -> Iterator[np.ndarray]:
        """Direction by direction, from the exact enumeration; ``ValueError`` beyond 7x7."""
        self._require_enumerable("iteration")
        return self._iterate()

    def _iterate(self) -> Iterator[np.ndarray]:
        found = False
        for codes in enumeration(*self.shape, self._steps, *self._sides):
            codes = self._within(codes)
            if codes.size and self.empty and not found:
                yield self._empty_mask()
            found = found or codes.size > 0
            for start in range(0, len(codes), 1024):
                for mask in masks_of_codes(codes[start:start + 1024], *self.shape):
                    yield mask.copy()
        if not found:
            raise self._no_member()

    def bits(self) -> np.ndarray:
        """The whole family as uint64 codes ``(size,)``, in the order of iteration."""
        return np.concatenate([np.zeros(int(self.empty), dtype=np.uint64), self._codes])

    def sample(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """Independent draws: uniform over the members up to 7x7, not uniform beyond.

        Beyond 7x7 the parameters are uniform: a position of the zone that the rectangle must hold,
        its place in the rectangle, both sides (within their limits) and the angle; draws that break
        the limits on area or zone are drawn again.  The empty mask then has probability 1/2 where
        it is a member.

        Raises:
            ValueError: no member found in 200 rounds of draws.
        """
        n = require_draws(generator, n)
        if self.enumerable:
            codes = self.bits()
            return masks_of_codes(codes[generator.integers(len(codes), size=n)], *self.shape)
        masks = np.full((n, *self.shape), -1, dtype=np.int8)
        missing = np.arange(n)
        if self.empty:
            missing = missing[generator.integers(0, 2, size=n) == 1]
        step = max(1, 2**20 // (self.height * self.width))
        for _ in range(_TRIES * (1 + n // step)):
            if not missing.size:
                return masks
            count = min(len(missing), step)
            drawn = self._rasterise(self._cells[generator.integers(len(self._cells), size=count)],
                                    *generator.random((5, count)))
            good = np.array([self._meets(mask == 1) for mask in drawn], dtype=bool)
            masks[missing[:count][good]] = drawn[good]
            missing = np.concatenate([missing[:count][~good], missing[count:]])
        if missing.size:
            raise self._no_member("found no member by random draws: ")
        return masks

    def strategy(self) -> SearchStrategy[np.ndarray]:
        """A position in the rectangle, and five floats in [0, 1]: its place, both sides, the angle.

        Up to 5x5 half of the draws are the index of the mask, by area, so that no member is rare;
        up to 7x7 with limits on area or zone all of them are (no draw is lost).
        """
        from hypothesis import strategies as st

        members = None
        if self.enumerable and (self._limited or len(self._cells) <= 25):
            codes = self._codes[np.argsort(np.bitwise_count(self._codes), kind="stable")]
            members = st.integers(0, len(codes) - 1).map(
                lambda k: masks_of_codes(codes[k:k + 1], *self.shape)[0])
            if self._limited:
                return self._with_empty(members)
        place = st.floats(0.0, 1.0, allow_subnormal=False)
        draws = st.tuples(st.integers(0, len(self._cells) - 1), *[place] * 5)
        masks = draws.map(
            lambda d: self._rasterise(self._cells[d[:1]], *np.array(d[1:])[:, None])[0])
        if self._limited:
            masks = masks.filter(lambda mask: self._meets(mask == 1))
        return self._with_empty(masks if members is None else members | masks)

    def _rasterise(
        self, held: np.ndarray, x: np.ndarray, y: np.ndarray, s1: np.ndarray, s2: np.ndarray,
        turn: np.ndarray,
    ) -> np.ndarray:
        """Masks ``(m, H, W)`` of rectangles through the positions ``held`` ``(m, 2)``.

        ``x, y`` in [0, 1] place ``held`` in the rectangle, ``s1, s2`` choose the sides, ``turn``
        the angle in [0, 90] degrees.
        """
        reach = math.hypot(*(k * s for k, s in zip(self.shape, self._steps, strict=True)))
        low = max(self._sides[0], _THINNEST * reach)
        high = max(min(self._sides[1], reach), self._sides[0])
        low = min(low, high)
        half = np.stack([low + (high - low) * s1, low + (high - low) * s2], axis=-1) / 2
        angle = turn * (math.pi / 2)
        off1, off2 = (2 * x - 1) * half[:, 0], (2 * y - 1) * half[:, 1]
        cos, sin = np.cos(angle), np.sin(angle)
        center = held * np.array(self._steps) + np.stack(
            [cos * off1 - sin * off2, sin * off1 + cos * off2], axis=-1)
        points = grid(*self.shape, unit=False) * np.array(self._steps)
        return hard_rectangle(Rectangle(center, half, angle), points, tolerance=1e-10)

    @cached_property
    def _cells(self) -> np.ndarray:
        """Positions ``(m, 2)`` of the zone."""
        return np.argwhere(self._zone.where(*self.shape))

    @cached_property
    def _codes(self) -> np.ndarray:
        """Codes of the non-empty members, in the order of iteration."""
        self._require_enumerable("the exact size")
        parts = [self._within(c) for c in enumeration(*self.shape, self._steps, *self._sides)]
        codes = np.concatenate([np.empty(0, dtype=np.uint64), *parts])
        if not codes.size:
            raise self._no_member()
        return codes

    def _within(self, codes: np.ndarray) -> np.ndarray:
        """The codes that meet the limits on area and zone."""
        area = np.bitwise_count(codes)
        zone = codes_of_masks(2 * self._zone.where(*self.shape)[None].astype(np.int8) - 1)[0]
        good = (area >= self.min_area) & (codes & ~zone == 0)
        if self.max_area is not None:
            good &= area <= self.max_area
        return codes[good]

    def _meets(self, support: np.ndarray) -> bool:
        """Whether a support meets the limits on area and zone."""
        area = int(support.sum())
        return (self.min_area <= area and (self.max_area is None or area <= self.max_area)
                and self._zone.covers(support))

    def _all_masks(self) -> np.ndarray:
        return masks_of_codes(self.bits(), *self.shape)

    def _require_enumerable(self, what: str) -> None:
        if not self.enumerable:
            raise ValueError(f"{what} of {type(self).__name__} is computed up to "
                             f"{MAX_SIDE}x{MAX_SIDE}, got {self.height}x{self.width} "
                             "(membership, sample and strategy work on any grid)")

    def _no_member(self, prefix: str = "") -> ValueError:
        error = no_rectangle(self._options() | {"grid": f"{self.height}x{self.width}"})
        return ValueError(f"{prefix}{error}") if prefix else error

    def _options(self) -> dict[str, Any]:
        options = {"min_area": self.min_area if self.min_area > 1 else None,
                   "max_area": self.max_area,
                   "zone": describe_zone(self._zone, *self.shape)}
        return {name: value for name, value in options.items() if value is not None}


class RotatedRectangles(_Rotated):
    r"""Masks of the pixel centres inside a closed rectangle rotated in pixel units.

    Args:
        height, width: the grid, any H, W >= 1.
        min_area, max_area: limits on the number of pixels (None: no limit).
        min_side, max_side: limits on the lengths of BOTH sides of the rectangle, in pixel units
            (real numbers, met to 1e-9).  A mask is a member if some admissible rectangle gives it.
        zone: where the +1 positions must lie: a boolean array ``(H, W)`` or a half-open box
            ``(top, bottom, left, right)``.
        empty: whether the empty mask is a member (the limits do not concern it).

    Size and iteration are exact up to 7x7 (in integers without limits on the sides).  Membership
    works on any grid, with ``min_side`` up to 7x7.

    Raises:
        ValueError: bad limits, a bad zone; limits that no rectangle meets (what is not seen from
            the areas: at the first use).

    >>> RotatedRectangles(2, 2).size, RotatedRectangles(3, 3).size
    (15, 201)
    """

    def __init__(
        self,
        height: int,
        width: int,
        *,
        min_area: int = 1,
        max_area: int | None = None,
        min_side: float = 0.0,
        max_side: float | None = None,
        zone: Any = None,
        empty: bool = False,
    ) -> None:
        super().__init__(height, width, empty=empty)
        self._limit(min_area, max_area, zone)
        sides = parse_real_sides(min_side, max_side)
        self._set(_steps=(1, 1), _sides=sides, min_side=sides[0],
                  max_side=None if max_side is None else sides[1])

    @property
    def _limited(self) -> bool:
        return bool(_Rotated._options(self))

    def _has(self, support: np.ndarray) -> bool:
        if not self._meets(support):
            return False
        if self.min_side == 0:
            return fits_rectangle(support, high=self._sides[1])
        if not self.enumerable:
            raise ValueError(f"membership with min_side is computed up to {MAX_SIDE}x{MAX_SIDE}, "
                             f"got {self.height}x{self.width}")
        code = codes_of_masks(2 * support[None].astype(np.int8) - 1)[0]
        place = np.searchsorted(self._sorted_codes, code)
        return bool(place < len(self._sorted_codes) and self._sorted_codes[place] == code)

    @cached_property
    def _sorted_codes(self) -> np.ndarray:
        return np.sort(self._codes)

    def _options(self) -> dict[str, Any]:
        sides = {"min_side": self.min_side or None, "max_side": self.max_side}
        return super()._options() | {k: v for k, v in sides.items() if v is not None}


class Parallelograms(_Rotated):
    r"""The hard version of Eq. 4 on the grid of Eq. 5, where a cell (i, j) counted from 0 sits at
    :math:`(i/(H-1), j/(W-1))`: the cells inside a closed rectangle rotated in THOSE coordinates.

    In pixel units it is a parallelogram.  On square grids this is :class:`RotatedRectangles`
    (without limits on sides).  Off them the families differ (2x3 and 2x4 aside); on 3x5, for one,
    neither holds the other.

    Args:
        height, width: the grid, H, W >= 2 (Eq. 5 divides by H - 1 and W - 1).
        min_area, max_area, zone, empty: as :class:`RotatedRectangles`.

    >>> Parallelograms(3, 3).size
    201
    """

    def __init__(
        self,
        height: int,
        width: int,
        *,
        min_area: int = 1,
        max_area: int | None = None,
        zone: Any = None,
        empty: bool = False,
    ) -> None:
        super().__init__(height, width, empty=empty)
        for name, n in (("H", self.height), ("W", self.width)):
            if n == 1:
                raise ValueError(
                    f"Eq. 5 needs H >= 2 and W >= 2 (it divides by {name} - 1), got 1")
        self._limit(min_area, max_area, zone)
        common = math.gcd(self.height - 1, self.width - 1)
        self._set(_steps=((self.width - 1) // common, (self.height - 1) // common),
                  _sides=(0.0, math.inf))

    @property
    def _limited(self) -> bool:
        return bool(self._options())

    def _has(self, support: np.ndarray) -> bool:
        return self._meets(support) and fits_rectangle(support, self._steps)
