"""A family given by the list of its masks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from theory.arrays import is_array, to_numpy
from theory.families.base import Family, require_draws
from theory.masks import require_masks

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


class FiniteFamily(Family):
    """The masks given, each once, in the order of their first appearance.

    Args:
        masks: ``(m, H, W)``, or an iterable of masks ``(H, W)``; values -1 and +1.
        empty: whether the empty mask may be among them (the attribute ``empty`` says whether it
            is).

    Raises:
        ValueError: no mask, masks of different shapes, other values, the empty mask without
            ``empty=True``.

    >>> FiniteFamily([[[1, -1]], [[1, 1]], [[1, -1]]]).size
    2
    """

    def __init__(self, masks: Any, *, empty: bool = False) -> None:
        members = _distinct(_stack(masks))
        blank = ~(members == 1).any(axis=(1, 2))
        super().__init__(*members.shape[1:], empty=empty)
        if blank.any() and not self.empty:
            raise ValueError("the empty mask (all -1) is a member only with empty=True, got it at "
                             f"index {int(np.argmax(blank))} of the distinct masks")
        members.flags.writeable = False
        self._set(_members=members, _keys={mask.tobytes() for mask in members},
                  empty=bool(blank.any()))

    @property
    def size(self) -> int:
        """The number of distinct masks."""
        return len(self._members)

    def __iter__(self) -> Iterator[np.ndarray]:
        """In the order given."""
        for mask in self._members:
            yield mask.copy()

    def sample(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """Uniform over the distinct masks."""
        n = require_draws(generator, n)
        return self._members[generator.integers(self.size, size=n)]

    def strategy(self) -> SearchStrategy[np.ndarray]:
        """The index of a mask."""
        from hypothesis import strategies as st

        return st.integers(0, self.size - 1).map(lambda k: self._members[k].copy())

    def _has(self, support: np.ndarray) -> bool:
        return np.where(support, 1, -1).astype(np.int8).tobytes() in self._keys

    def _all_masks(self) -> np.ndarray:
        return self._members.copy()

    def _options(self) -> dict[str, Any]:
        return {}

    def __repr__(self) -> str:
        tail = ", empty=True" if self.empty else ""
        return f"FiniteFamily(<{self.size} masks of {self.height}x{self.width}>{tail})"


def _stack(masks: Any) -> np.ndarray:
    if is_array(masks):
        array = to_numpy(masks)
    elif isinstance(masks, Iterable):
        rows = [to_numpy(mask) for mask in masks]
        shapes = sorted({row.shape for row in rows})
        if len(shapes) > 1:
            raise ValueError(f"the masks of a family have one shape, got {shapes}")
        array = np.stack(rows) if rows else np.empty((0, 1, 1), dtype=np.int8)
    else:
        raise TypeError(f"masks must be an array or an iterable, got {type(masks).__name__}")
    if array.ndim == 3 and 0 in array.shape:
        raise ValueError(f"a finite family needs at least one mask, got shape {array.shape}")
    return require_masks(array)


def _distinct(masks: np.ndarray) -> np.ndarray:
    _, first = np.unique(masks.reshape(len(masks), -1), axis=0, return_index=True)
    return np.ascontiguousarray(masks[np.sort(first)])
