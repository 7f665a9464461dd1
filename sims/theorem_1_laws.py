"""Laws of targets on families of masks: what the coverage of Theorem 1 is measured on.

A setting is a family A of maps, and a law of the target A with integer weights on the masks of a
family A_in, so that every expectation is a fraction.  X has no atoms; given X, the target is a(X) with
probability ``1 - noise`` and a fresh draw from the same law otherwise.  Whatever the noise, targets of
a sample are independent draws from the law.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from sims.family_names import ALL_MASKS, RECTANGLES, ROTATED, family_of
from sims.relevance_codes import extreme_code_differences, orbits
from sims.supremum import extremes_of
from theory.families import AllMasks, Family, FiniteFamily, Rectangles
from theory.families.bits import codes_of_masks

ONE_MAP = "one map"
FAMILIES = (RECTANGLES, ROTATED, ALL_MASKS, ONE_MAP)
LAWS = ("uniform", "small", "two masks")


@dataclass(frozen=True, eq=False)
class Setting:
    """A family of maps, a law of targets, and how far each target is from the family.

    Attributes:
        family: A.
        targets: the masks of A_in, int8 ``(m, H, W)``.
        weights: int64 ``(m,)``, positive; the law gives mask j the probability weights[j] / sum.
        most, least: int64 ``(m,)``, the most and fewest positions where a mask of A differs from
            each target: ``n g(a)`` and ``n min_b Phi(b, a)``.
    """

    family: Family
    targets: np.ndarray
    weights: np.ndarray
    most: np.ndarray
    least: np.ndarray

    @property
    def positions(self) -> int:
        """n = H W."""
        return self.family.height * self.family.width

    @property
    def rho(self) -> Fraction:
        """Relevance level of A and the targets of the law  [Eq. 14], exact."""
        return 1 - Fraction(2 * int(self.most.max()), self.positions)

    @property
    def fits(self) -> bool:
        """Whether every target is in A."""
        return not self.least.any()

    def draw(self, generator: np.random.Generator, shape: int | tuple[int, ...]) -> np.ndarray:
        """Indices of independent targets; exact, from integers."""
        return indices_of(generator.integers(int(self.weights.sum()), size=shape), self.weights)


def indices_of(ticket: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The index whose share of 0..sum - 1 holds the ticket: index j has ``weights[j]`` of them.

    Args:
        ticket: whole numbers from 0 to sum(weights) - 1, of any shape, uniform for a draw.
        weights: positive integers ``(m,)``.

    Returns:
        int64, the shape of ``ticket``.

    >>> indices_of(np.arange(4), np.array([1, 3]))
    array([0, 1, 1, 1])
    """
    ends = np.cumsum(weights)
    return np.searchsorted(ends, ticket, side="right")


@lru_cache(maxsize=4)
def setting(family: str, height: int, width: int, max_area: int | None, max_area_in: int | None,
            law: str) -> Setting:
    """The setting of a name.

    Args:
        family: A, a name of ``FAMILIES``; ``one map`` is the whole grid alone.
        height, width: the grid.
        max_area: limit on the maps (rectangles of both kinds).
        max_area_in: limit on the targets: rotated rectangles for A rotated, else axis-aligned ones.
        law: ``uniform`` over A_in; ``small``: proportional to n // area; ``two masks``: the first
            mask of largest area and the first of smallest, 1/2 each.

    Raises:
        ValueError: an unknown name, a limit on a family that has none.

    >>> setting("all masks", 2, 2, None, None, "uniform").rho
    Fraction(-1, 1)
    """
    if law not in LAWS:
        raise ValueError(f"law must be one of {LAWS}, got {law!r}")
    maps = _maps(family, height, width, max_area)
    kind = ROTATED if family == ROTATED else RECTANGLES
    targets = family_of(kind, height, width, max_area=max_area_in).masks()
    area = (targets == 1).sum(axis=(1, 2))
    weights = np.ones(len(targets), dtype=np.int64)
    if law == "small":
        weights = height * width // area
    elif law == "two masks":
        targets = targets[[area.argmax(), area.argmin()]]
        weights = weights[:2]
    most, least = extreme_differences(maps, targets)
    for array in (targets, weights, most, least):
        array.flags.writeable = False
    return Setting(maps, targets, weights, most, least)


def extreme_differences(family: Family, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Most and fewest positions where a mask of the family differs from each target; exact.

    Args:
        family: on the targets' grid; families without an algorithm of their own are gone through
            code by code up to 64 positions.
        targets: masks ``(m, H, W)``.

    Returns:
        two int64 arrays ``(m,)``.
    """
    targets = np.asarray(targets)
    if isinstance(family, AllMasks | Rectangles) or family.height * family.width > 64:
        found = extremes_of(family, targets.astype(np.int64))
        area = (targets == 1).sum(axis=(1, 2))
        # |a ^ b| = |a| - <weight of S(b) under a>: +1 inside a, -1 outside
        return area - found.minimum, area - found.maximum
    members, codes = family.bits(), codes_of_masks(targets)
    some, back = orbits(codes, members, family.shape)
    most, least = extreme_code_differences(some, members).T
    return most[back], least[back]


def _maps(family: str, height: int, width: int, max_area: int | None) -> Family:
    if family not in FAMILIES:
        raise ValueError(f"family must be one of {FAMILIES}, got {family!r}")
    if family in (RECTANGLES, ROTATED):
        return family_of(family, height, width, max_area=max_area)
    if max_area is not None:
        raise ValueError(f"max_area limits rectangles only, got {max_area} for {family!r}")
    if family == ALL_MASKS:
        return family_of(family, height, width)
    return FiniteFamily(np.ones((1, height, width), dtype=np.int8))
