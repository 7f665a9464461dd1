"""Drawing, mutating and replaying instances of a Hypothesis strategy.

An instance is a function of the *choices* (numbers and booleans) its strategy makes.  Working on
the choices instead of the instance keeps every mutated instance inside the strategy.  This is the
only module that touches Hypothesis below its public interface: the documented ``PrimitiveProvider``
and ``ConjectureData`` with a provider.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import strategies as st
from hypothesis.control import BuildContext
from hypothesis.errors import StopTest, UnsatisfiedAssumption
from hypothesis.internal.conjecture.data import ConjectureData
from hypothesis.internal.conjecture.providers import HypothesisProvider, PrimitiveProvider

BIG = 1e6  # the range taken for an unbounded number


@dataclass(frozen=True)
class Choice:
    """One choice: its type (boolean, integer, float, string, bytes), value and limits."""

    type: str
    value: Any
    low: Any = None
    high: Any = None
    simplest: Any = 0


@dataclass(frozen=True)
class Draw:
    """An instance and the choices that made it."""

    instance: Any
    choices: tuple[Choice, ...]


class _Provider(PrimitiveProvider):
    """Plays back given values where they fit; draws uniformly (or most simply) elsewhere."""

    lifetime = "test_case"

    def __init__(self, random: Random, values: list[Choice] | None, fill: str) -> None:
        super().__init__(None)
        self.random, self.values, self.fill, self.index = random, values or [], fill, 0

    def _next(self, kind: str) -> Any:
        index, self.index = self.index, self.index + 1
        if index < len(self.values) and self.values[index].type == kind:
            return self.values[index].value
        return None

    def draw_boolean(self, p: float = 0.5) -> bool:
        value = self._next("boolean")
        if p <= 0 or p >= 1:
            return p >= 1
        if value is not None:
            return value
        return self.random.random() < p if self.fill == "random" else False

    def draw_integer(self, min_value=None, max_value=None, *, weights=None, shrink_towards=0):
        low, high = _limits(min_value, max_value, int(BIG))
        value = self._next("integer")
        if value is None:
            value = self._fresh_integer(low, high, weights, shrink_towards)
        if min_value is not None:
            value = max(value, min_value)
        return value if max_value is None else min(value, max_value)

    def _fresh_integer(self, low: int, high: int, weights: Any, simplest: int) -> int:
        if self.fill != "random":
            return min(max(simplest, low), high)
        roll = self.random.random()
        if roll < 0.06:
            return self.random.choice((low, high, min(max(simplest, low), high)))
        if roll < 0.2 and high - low > 64:  # small numbers of a large range
            return min(high, max(simplest, low) + int(2 ** (self.random.random() * 6)) - 1)
        return self.random.randint(low, high)

    def draw_float(self, *, min_value=-math.inf, max_value=math.inf, allow_nan=True,
                   smallest_nonzero_magnitude=0.0):
        low, high = _limits(min_value, max_value, BIG)
        value = self._next("float")
        if value is None:
            value = self._fresh_float(low, high)
        if not math.isnan(value):
            value = min(max(value, min_value), max_value)
            if 0 < abs(value) < smallest_nonzero_magnitude:
                value = 0.0 if min_value <= 0 <= max_value else min_value
        elif not allow_nan:
            value = low
        return float(value)

    def _fresh_float(self, low: float, high: float) -> float:
        if self.fill != "random":
            return min(max(0.0, low), high)
        roll = self.random.random()
        if roll < 0.12:
            middle = 0.0 if low < 0 < high else (low + high) / 2
            return self.random.choice((low, high, middle))
        width = high - low
        if width >= BIG:  # unbounded: every scale
            size = 10 ** self.random.uniform(-6, 6)
            return min(max(size if self.random.random() < 0.5 else -size, low), high)
        if roll < 0.24:  # close to an end, on every scale
            gap = width * 10 ** self.random.uniform(-8, -1)
            return low + gap if self.random.random() < 0.5 else high - gap
        return self.random.uniform(low, high)

    def draw_string(self, intervals, *, min_size=0, max_size=1000):
        value = self._next("string")
        if value is not None and min_size <= len(value) <= max_size and all(
                ord(c) in intervals for c in value):
            return value
        size = min_size if self.fill != "random" else min(max_size, min_size
                                                          + self.random.randint(0, 6))
        return "".join(chr(intervals[self.random.randrange(len(intervals))]) for _ in range(size))

    def draw_bytes(self, min_size=0, max_size=1000):
        value = self._next("bytes")
        if value is not None and min_size <= len(value) <= max_size:
            return value
        size = min_size if self.fill != "random" else min(max_size, min_size
                                                          + self.random.randint(0, 6))
        return self.random.randbytes(size)


def _limits(low: Any, high: Any, big: Any) -> tuple[Any, Any]:
    if low is None or low == -math.inf:
        low = -big if high is None or high == math.inf else high - 2 * big
    if high is None or high == math.inf:
        high = max(low, 0) + big
    return low, high


def draw(
    strategy: st.SearchStrategy[Any],
    random: Random,
    *,
    values: list[Choice] | None = None,
    fill: str = "random",
    edgy: bool = False,
) -> Draw | None:
    """One instance, or None when the strategy rejects the choices (filters, ``assume``).

    Args:
        values: choices to play back; None draws everything afresh.
        fill: ``"random"`` or ``"simple"``, for choices beyond those given.
        edgy: use Hypothesis's own distribution, fond of edge cases, instead of uniform draws.
    """
    provider = HypothesisProvider if edgy and not values else _Provider(random, values, fill)
    data = ConjectureData(random=random, provider=provider)
    try:
        with BuildContext(data, wrapped_test=_nothing):
            instance = data.draw(strategy)
    except (StopTest, UnsatisfiedAssumption):
        return None
    return Draw(instance, tuple(_choice(node) for node in data.nodes if not node.was_forced))


def _nothing() -> None:
    """Stands for the test function in Hypothesis's build context."""


def _choice(node: Any) -> Choice:
    limits = node.constraints
    if node.type in ("integer", "float"):
        return Choice(node.type, node.value, limits.get("min_value"), limits.get("max_value"),
                      limits.get("shrink_towards", 0))
    if node.type == "boolean":
        return Choice("boolean", node.value, False, True, False)
    return Choice(node.type, node.value)


def fresh_instance(strategy: st.SearchStrategy[Any], made: Draw) -> Any:
    """The instance of the same choices, not touched by any margin yet."""
    again = draw(strategy, Random(0), values=list(made.choices), fill="simple")
    return made.instance if again is None else again.instance


def strategy_of(given: Any) -> st.SearchStrategy[Any]:
    """A strategy, or what a function without arguments returns; ``TypeError`` for anything else."""
    strategy = given() if callable(given) and not hasattr(given, "is_empty") else given
    if not hasattr(strategy, "is_empty"):
        raise TypeError(f"instances and domain must be Hypothesis strategies, got {strategy!r}")
    strategy.validate()
    return strategy


# --- products of independent strategies ----------------------------------------------------------


@dataclass(frozen=True)
class Product:
    """A strategy whose instance is ``build(parts)`` of independently drawn parts."""

    parts: tuple[st.SearchStrategy[Any], ...]
    build: Callable[[list[Any]], Any]


def product(strategy: st.SearchStrategy[Any]) -> Product | None:
    """``strategy`` as a product of independent strategies, or None.

    Understands tuples, fixed dictionaries and maps of them.  Visible shared strategies make parts
    dependent and rule a product out; hidden ones are caught because every recombined failure is
    replayed through the whole strategy before it counts.
    """
    try:
        if "shared(" in repr(strategy):
            return None
        found = _product(strategy)
    except (AttributeError, TypeError):  # a strategy built otherwise than expected is no product
        return None
    return found if found is not None and len(found.parts) >= 2 else None


def _product(strategy: Any) -> Product | None:
    strategy = getattr(strategy, "wrapped_strategy", strategy)
    name = type(strategy).__name__
    if name == "TupleStrategy":
        return Product(tuple(strategy.element_strategies), tuple)
    if name == "FixedDictStrategy":
        if getattr(strategy, "optional", None):
            return None
        mapping = getattr(strategy, "mapping", None)
        if mapping is None:
            return None
        keys = list(mapping)
        return Product(tuple(mapping.values()), lambda parts: dict(zip(keys, parts, strict=True)))
    if name == "MappedStrategy":
        inner = _product(strategy.mapped_strategy)
        pack = getattr(strategy, "pack", None)
        if inner is None or pack is None:
            return None
        return Product(inner.parts, lambda parts: pack(inner.build(parts)))
    return None
