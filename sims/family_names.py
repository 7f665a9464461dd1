"""The families of masks that cells and rows name in words."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from theory.families import AllMasks, Family, Rectangles, RotatedRectangles

RECTANGLES = "axis-aligned rectangles"
ROTATED = "rotated rectangles"
ALL_MASKS = "all masks"
FAMILIES: dict[str, Callable[..., Family]] = {
    RECTANGLES: Rectangles,
    ROTATED: RotatedRectangles,
    ALL_MASKS: lambda height, width: AllMasks(height, width, empty=True),
}


def family_of(
    name: str, height: int, width: int, *, among: Collection[str] = tuple(FAMILIES), **limits: Any
) -> Family:
    """The family of a name, with limits as its constructor takes them.

    Rectangles are non-empty, all masks include the empty one (and take no limits).

    Raises:
        ValueError: a name that is not ``among`` those allowed, bad limits.

    >>> family_of(RECTANGLES, 2, 2, max_area=1).size, family_of(ALL_MASKS, 2, 2).size
    (4, 16)
    """
    if name not in among:
        raise ValueError(f"family must be one of {tuple(among)}, got {name!r}")
    return FAMILIES[name](height, width, **limits)
