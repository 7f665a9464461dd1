"""Every mask of a grid: the position-wise family A_pw  [section 5.1]."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from theory.families.base import Family, require_draws
from theory.families.bits import masks_of_ints

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_CHUNK = 1024


class AllMasks(Family):
    r"""All masks of a grid, :math:`\{-1,+1\}^{H \times W}`; without the empty one by default.

    Args:
        height, width: the grid.
        empty: whether the empty mask is a member.

    >>> AllMasks(2, 2).size, AllMasks(2, 2, empty=True).size
    (15, 16)
    """

    @property
    def size(self) -> int:
        """``2**(H W)``, less one without the empty mask."""
        return 2 ** (self.height * self.width) - (not self.empty)

    def __iter__(self) -> Iterator[np.ndarray]:
        """In the order of the codes (bit p is position p, row by row)."""
        codes = iter(range(0 if self.empty else 1, 2 ** (self.height * self.width)))
        while chunk := list(islice(codes, _CHUNK)):
            for mask in masks_of_ints(chunk, *self.shape):
                yield mask.copy()

    def sample(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """Uniform over the members: fair bits, the empty mask drawn again if it is no member."""
        n = require_draws(generator, n)
        masks = _fair(generator, n, self.shape)
        while not self.empty and (bad := np.flatnonzero(~(masks == 1).any(axis=(1, 2)))).size:
            masks[bad] = _fair(generator, len(bad), self.shape)
        return masks

    def strategy(self) -> SearchStrategy[np.ndarray]:
        """One integer, the code of the mask."""
        from theory import strategies

        return strategies.masks(self.height, self.width, empty=self.empty)

    def _has(self, support: np.ndarray) -> bool:
        return True

    def _all_masks(self) -> np.ndarray:
        stop = 2 ** (self.height * self.width)
        return masks_of_ints(range(0 if self.empty else 1, stop), *self.shape)

    def _options(self) -> dict[str, Any]:
        return {}


def _fair(generator: np.random.Generator, n: int, shape: tuple[int, int]) -> np.ndarray:
    return 2 * generator.integers(0, 2, size=(n, *shape), dtype=np.int8) - 1
