"""Limits on a family of rectangles: area, sides, zone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from theory.families.base import require_integer


@dataclass(frozen=True, eq=False)
class Zone:
    """The positions a mask may cover.

    Attributes:
        box: ``(top, bottom, left, right)``, half-open, the smallest box that holds the zone.
        cells: boolean ``(H, W)``, or None when the zone is its box.
        area: number of positions.
    """

    box: tuple[int, int, int, int]
    cells: np.ndarray | None
    area: int

    def covers(self, support: np.ndarray) -> bool:
        """Whether a boolean support ``(H, W)`` lies in the zone."""
        if self.cells is not None:
            return not bool(np.any(support & ~self.cells))
        top, bottom, left, right = self.box
        return int(support.sum()) == int(support[top:bottom, left:right].sum())

    def where(self, height: int, width: int) -> np.ndarray:
        """The zone as a boolean array ``(H, W)``."""
        if self.cells is not None:
            return self.cells
        out = np.zeros((height, width), dtype=bool)
        top, bottom, left, right = self.box
        out[top:bottom, left:right] = True
        return out

    @property
    def sides(self) -> tuple[int, int]:
        """Rows and columns of the box."""
        top, bottom, left, right = self.box
        return bottom - top, right - left


def parse_zone(zone: Any, height: int, width: int) -> Zone:
    """The zone given as None (everything), a box ``(top, bottom, left, right)`` or an array.

    Raises:
        ValueError: a shape other than ``(4,)`` and ``(H, W)``, a box outside the grid, no position.
    """
    if zone is None:
        return Zone((0, height, 0, width), None, height * width)
    array = np.asarray(zone)
    if array.ndim == 1 and array.shape == (4,):
        return _parse_box(array, height, width)
    if array.shape != (height, width):
        raise ValueError("zone must be a box (top, bottom, left, right) or boolean of shape "
                         f"{(height, width)}, got shape {array.shape}")
    if array.dtype != bool:
        raise ValueError(f"a zone of shape (H, W) must be boolean, got {array.dtype}")
    rows, columns = np.flatnonzero(array.any(axis=1)), np.flatnonzero(array.any(axis=0))
    if not rows.size:
        raise ValueError("zone must keep at least one position, got none")
    box = (int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)
    area = int(array.sum())
    if area == (box[1] - box[0]) * (box[3] - box[2]):
        return Zone(box, None, area)
    cells = array.copy()
    cells.flags.writeable = False
    return Zone(box, cells, area)


def _parse_box(array: np.ndarray, height: int, width: int) -> Zone:
    top, bottom, left, right = (require_integer("zone", value, 0) for value in array.tolist())
    if not (top < bottom <= height and left < right <= width):
        raise ValueError(f"zone must satisfy 0 <= top < bottom <= {height} and 0 <= left < right "
                         f"<= {width}, got {(top, bottom, left, right)}")
    return Zone((top, bottom, left, right), None, (bottom - top) * (right - left))


def parse_areas(min_area: Any, max_area: Any, zone: Zone) -> tuple[int, int | None]:
    """Checked limits on the number of pixels."""
    low = require_integer("min_area", min_area, 0)
    high = None if max_area is None else require_integer("max_area", max_area, 0)
    if high is not None and low > high:
        raise ValueError(f"min_area must be at most max_area, got {low} > {high}")
    if low > zone.area or high == 0:
        raise no_rectangle({"min_area": low, "max_area": high, "positions": zone.area})
    return low, high


def parse_real_sides(min_side: Any, max_side: Any) -> tuple[float, float]:
    """Checked limits on side lengths in pixel units; no upper limit is ``inf``."""
    low, high = _length("min_side", min_side), math.inf
    if max_side is not None:
        high = _length("max_side", max_side)
        if high == 0:
            raise ValueError(f"max_side must be positive, got {max_side!r}")
    if low > high:
        raise ValueError(f"min_side must be at most max_side, got {low} > {high}")
    return low, high


def _length(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not (math.isfinite(number) and number >= 0):
        raise ValueError(f"{name} must be a finite length of at least 0, got {value!r}")
    return number


def no_rectangle(limits: dict[str, Any]) -> ValueError:
    """The error for limits that no mask meets."""
    text = ", ".join(f"{name}={value!r}" for name, value in limits.items() if value is not None)
    return ValueError(f"no rectangle meets the limits {text}")


def describe_zone(zone: Zone, height: int, width: int) -> Any:
    """The zone for a repr: None, its box, or the number of its positions."""
    if zone.cells is not None:
        return _Text(f"<{zone.area} of {height * width} positions>")
    return None if zone.box == (0, height, 0, width) else zone.box


class _Text(str):
    def __repr__(self) -> str:
        return str(self)
