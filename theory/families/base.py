"""What every family of masks can do."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from theory.arrays import to_numpy
from theory.families.bits import codes_of_masks

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

MAX_ENTRIES = 2**28
"""The most entries (masks times positions) :meth:`Family.masks` writes out: 256 MiB."""


class Family(ABC):
    """A finite, frozen set of masks on one grid.

    Masks are int8 arrays ``(H, W)`` with values -1 (outside) and +1 (inside).  The empty mask (all
    -1) is a member iff ``empty`` is True.  No family is empty: limits that no mask meets are a
    ``ValueError``, at construction where that is cheap to see, else at the first use.

    Attributes:
        height, width: the grid.
        empty: whether the empty mask is a member.
    """

    height: int
    width: int
    empty: bool

    def __init__(self, height: int, width: int, *, empty: bool = False) -> None:
        if not isinstance(empty, bool | np.bool_):
            raise TypeError(f"empty must be True or False, got {empty!r}")
        self._set(height=require_integer("height", height, 1),
                  width=require_integer("width", width, 1), empty=bool(empty))

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)``."""
        return self.height, self.width

    @property
    @abstractmethod
    def size(self) -> int:
        """The exact number of members, an ``int`` of any size."""

    @abstractmethod
    def __iter__(self) -> Iterator[np.ndarray]:
        """Members one by one, lazily, without repeats; the empty mask (if a member) comes first."""

    @abstractmethod
    def sample(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """``(n, H, W)`` int8 independent draws, uniform over the members unless it says else."""

    @abstractmethod
    def strategy(self) -> SearchStrategy[np.ndarray]:
        """A Hypothesis strategy of members, drawn as integers and bounded floats."""

    @abstractmethod
    def _has(self, support: np.ndarray) -> bool:
        """Whether a non-empty boolean support ``(H, W)`` is a member."""

    @abstractmethod
    def _options(self) -> dict[str, Any]:
        """Constructor arguments other than the grid that differ from the default (for repr)."""

    def __len__(self) -> int:
        """:attr:`size`, where it fits (``OverflowError`` elsewhere)."""
        return self.size

    def __bool__(self) -> bool:
        return True

    def __contains__(self, mask: object) -> bool:
        """Whether ``mask`` is a member; other shapes or values than -1 and +1: False."""
        try:
            array = to_numpy(mask)
        except ValueError:  # ragged lists
            return False
        if array.shape != self.shape or array.dtype.kind not in "iuf":
            return False
        support = array == 1
        if not np.all(support | (array == -1)):
            return False
        return self._has(support) if support.any() else self.empty

    def masks(self) -> np.ndarray:
        """The whole family ``(size, H, W)``, int8, in the order of iteration.

        Raises:
            ValueError: more than ``MAX_ENTRIES`` (2**28) entries.
        """
        entries = self.size * self.height * self.width
        if entries > MAX_ENTRIES:
            raise ValueError(f"masks() writes out at most {MAX_ENTRIES} entries, {self!r} has "
                             f"{self.size} masks of {self.height * self.width} positions")
        return self._all_masks()

    def bits(self) -> np.ndarray:
        """The whole family as uint64 codes ``(size,)`` (bit p is position p, row by row).

        Raises:
            ValueError: more than 64 positions, or as :meth:`masks`.
        """
        return codes_of_masks(self.masks())

    def _all_masks(self) -> np.ndarray:
        return np.stack(list(self))

    def _empty_mask(self) -> np.ndarray:
        return np.full(self.shape, -1, dtype=np.int8)

    def _with_empty(self, members: SearchStrategy[np.ndarray]) -> SearchStrategy[np.ndarray]:
        """``members``, and the empty mask if this family has it."""
        from hypothesis import strategies as st

        if not self.empty:
            return members
        return st.one_of(st.builds(self._empty_mask), members)

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"families are frozen, cannot set {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"families are frozen, cannot delete {name!r}")

    def __repr__(self) -> str:
        options = self._options()
        if self.empty:
            options["empty"] = True
        rest = "".join(f", {name}={value!r}" for name, value in options.items())
        return f"{type(self).__name__}({self.height}, {self.width}{rest})"


def require_integer(name: str, value: object, minimum: int) -> int:
    """``value`` as an int of at least ``minimum``, or ``ValueError``."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or number < minimum:
        raise ValueError(f"{name} must be an integer of at least {minimum}, got {value!r}")
    return number


def require_draws(generator: object, n: int) -> int:
    """The number of draws; ``TypeError`` unless ``generator`` is a NumPy Generator."""
    if not isinstance(generator, np.random.Generator):
        raise TypeError("sample needs a numpy.random.Generator, got "
                        f"{type(generator).__name__}")
    return require_integer("n", n, 0)
