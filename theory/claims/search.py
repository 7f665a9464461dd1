"""Looking for the instance with the smallest margin.

Four routes, each with its own share of the effort: fresh draws (uniform and edge-loving), random
recombination of independent parts (many instances at the price of few draws), local optimisation on
the choices from the worst instances, and Nelder-Mead on the real choices.  The worst instances are
kept; a refuting one is made small (:mod:`theory.claims.shrink`).
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product as product_of
from random import Random
from typing import Any

import numpy as np
from hypothesis.errors import UnsatisfiedAssumption

from theory.claims.draws import Choice, Draw, draw, product
from theory.claims.margins import counted
from theory.claims.model import FEW, Unrepresentable
from theory.claims.mutation import clip, mutate, width

KEEP = 12  # worst instances kept as starting points
RESERVE = 8  # instances kept at random, so that climbing starts in other basins too


@dataclass
class Found:
    """What a search has met so far."""

    evaluated: int = 0
    attempts: int = 0
    accepted: int = 0
    overflowed: int = 0
    unconfirmed: int = 0
    enumerated: int | None = None
    worst: Draw | None = None
    worst_value: float = math.inf
    worst_margin: Any = None
    undefined_draw: Draw | None = None
    undefined_why: str = ""
    pool: list[tuple[float, Draw]] = field(default_factory=list)
    routes: dict[str, int] = field(default_factory=dict)
    out_of_time: bool = False
    values: set[float] = field(default_factory=set)

    @property
    def too_few(self) -> bool:
        """Whether the assumptions rejected nearly everything and nothing was refuted."""
        return (self.accepted < FEW and 5 * self.accepted <= self.attempts
                and self.worst_value >= 0)

    def text(self, margin: str) -> str:
        """The search in one line of evidence."""
        routes = ", ".join(f"{n} {route}" for route, n in sorted(self.routes.items()))
        text = f"{counted(self.evaluated, 'instance')} ({routes or 'none'}){margin}"
        if 2 * self.accepted < self.attempts:
            text += f"; {self.accepted} of {self.attempts} draws met the assumptions"
        if self.enumerated is not None:
            text += f"; all {self.enumerated} choice sequences of the strategy were tried"
        if self.overflowed:
            text += f"; {self.overflowed} overflowed"
        if self.unconfirmed:
            text += (f"; {self.unconfirmed} recombinations did not fit or did not fail again on a "
                     "fresh instance (dependent parts, or a margin that changes its instance)")
        if self.out_of_time:
            text += "; stopped by the clock"
        return text + (": too few to count as a search" if self.too_few else "")


class Search:
    """Minimises ``objective`` over a strategy.

    Args:
        strategy: the instances.
        objective: instance -> ``(value, margin)``; the value is a float to be minimised, below 0
            iff the claim fails there; raises ``ArithmeticError`` where undefined.
        assumes: test of further assumptions, or None.
        deadline: ``time.perf_counter()`` after which to stop.
        stop_on_undefined: stop at the first undefined instance (the question was definedness).
    """

    def __init__(
        self,
        strategy: Any,
        objective: Callable[[Any], tuple[float, Any]],
        *,
        random: Random,
        deadline: float,
        assumes: Callable[[Any], bool] | None = None,
        stop_on_undefined: bool = False,
    ) -> None:
        self.strategy, self.objective, self.assumes = strategy, objective, assumes
        self.random, self.deadline, self.found = random, deadline, Found()
        self.stop_on_undefined = stop_on_undefined
        self.shape: tuple[Any, ...] | None = None
        self.reserve: list[Draw] = []

    @property
    def done(self) -> bool:
        """Refuted, out of time, or (if that was the question) undefined somewhere."""
        found = self.found
        if found.worst_value < 0 or (self.stop_on_undefined and found.undefined_draw is not None):
            return True
        if time.perf_counter() > self.deadline:
            found.out_of_time = True
        return found.out_of_time

    def consider(self, candidate: Draw, route: str) -> float:
        """Evaluate an instance and remember it; ``inf`` where rejected or undefined."""
        found = self.found
        try:
            if self.assumes is not None and not self.assumes(candidate.instance):
                return math.inf
            found.accepted += route == "drawn"
            value, margin = self.objective(candidate.instance)
        except Unrepresentable:
            found.overflowed += 1
            return math.inf
        except UnsatisfiedAssumption:
            return math.inf
        except ArithmeticError as error:
            if found.undefined_draw is None and self._same_again(candidate) is None:
                found.undefined_draw, found.undefined_why = candidate, str(error)
            return math.inf
        if value < 0:  # counts only if a fresh instance of the same choices fails too
            again = self._same_again(candidate)
            if again is None or again[0] >= 0:
                found.unconfirmed += 1
                return math.inf
            value, margin = again
        found.evaluated += 1
        found.routes[route] = found.routes.get(route, 0) + 1
        if value < found.worst_value:
            found.worst, found.worst_value, found.worst_margin = candidate, value, margin
        self._keep(value, candidate)
        return value

    def _same_again(self, candidate: Draw) -> tuple[float, Any] | None:
        """The objective at a fresh instance of the same choices; None where there is none."""
        fresh = draw(self.strategy, self.random, values=list(candidate.choices), fill="simple")
        if fresh is None:
            return (math.inf, None)
        try:
            if self.assumes is not None and not self.assumes(fresh.instance):
                return (math.inf, None)
            return self.objective(fresh.instance)
        except Unrepresentable:
            return (math.inf, None)
        except ArithmeticError:
            return None

    def _keep(self, value: float, candidate: Draw) -> None:
        pool = self.found.pool
        if not candidate.choices or (len(pool) >= KEEP and value >= pool[-1][0]):
            return
        if value in self.found.values:  # one start for each value: variety
            return
        self.found.values.add(value)
        pool.append((value, candidate))
        pool.sort(key=lambda item: item[0])
        for dropped, _ in pool[KEEP:]:
            self.found.values.discard(dropped)
        del pool[KEEP:]

    # --- routes ---------------------------------------------------------------------------------

    def draw_fresh(self, count: int, deadline: float) -> None:
        """Fresh instances; every third with Hypothesis's own distribution.

        The first ``FEW`` may go beyond ``deadline``, up to the search's own.
        """
        found = self.found
        got, tried = 0, 0
        while got < count and tried < 10 * count + 100 and not self.done:
            if time.perf_counter() > deadline and got >= FEW:
                return
            tried += 1
            found.attempts += 1
            if tried == 1:
                candidate = draw(self.strategy, self.random, values=[], fill="simple")
            else:
                candidate = draw(self.strategy, self.random, edgy=tried % 3 == 0)
            if candidate is None:
                continue
            self._note_shape(candidate)
            before = found.accepted
            self.consider(candidate, "drawn")
            got += found.accepted - before
            if self.random.random() < RESERVE / max(RESERVE, got) and candidate.choices:
                self.reserve.append(candidate)
                del self.reserve[:-RESERVE]

    def _note_shape(self, candidate: Draw) -> None:
        """Whether all draws so far make the same finite choices (integers and booleans)."""
        shape = tuple((c.type, c.low, c.high) for c in candidate.choices)
        if self.shape is None:
            self.shape = shape
        elif self.shape != shape:
            self.shape = ()

    def enumerate_choices(self, most: int, deadline: float) -> None:
        """Every choice sequence of a strategy whose choices are few, finite and always the same."""
        shape = self.shape
        if not shape or any(t not in ("integer", "boolean") or low is None or high is None
                            for t, low, high in shape):
            return
        if math.prod(int(high) - int(low) + 1 for _, low, high in shape) > most:
            return
        count = 0
        for values in product_of(*(range(int(low), int(high) + 1) for _, low, high in shape)):
            if self.done or (count % 16 == 0 and time.perf_counter() > deadline):
                return
            count += 1
            choices = [Choice(t, bool(v) if t == "boolean" else v, low, high)
                       for (t, low, high), v in zip(shape, values, strict=True)]
            made = draw(self.strategy, self.random, values=choices, fill="simple")
            if made is not None:
                self._note_shape(made)
                self.consider(made, "enumerated")
        if self.shape == shape:
            self.found.enumerated = count

    def recombine(self, count: int, deadline: float) -> None:
        """Instances put together from pools of parts of a product strategy."""
        parts = product(self.strategy)
        if parts is None:
            return
        pools: list[list[Draw]] = [[] for _ in parts.parts]
        size = int(min(900, max(8, 3 * math.sqrt(count))))
        for pool, part in zip(pools, parts.parts, strict=True):
            seen: set[Any] = set()
            for k in range(size):
                if time.perf_counter() > deadline or self.done:
                    return
                made = draw(part, self.random, edgy=k % 5 == 0)
                key = None if made is None else tuple((c.type, c.value) for c in made.choices)
                if made is not None and key not in seen:
                    seen.add(key)
                    pool.append(made)
            if not pool:
                return
        total = math.prod(len(pool) for pool in pools)
        for k, place in enumerate(_scatter(total, count, self.random)):
            if self.done or (k % 16 == 0 and time.perf_counter() > deadline):
                return
            if self.found.unconfirmed > 20:  # parts that depend on one another
                return
            chosen = []
            for pool in pools:
                place, index = divmod(place, len(pool))
                chosen.append(pool[index])
            try:
                instance = parts.build([d.instance for d in chosen])
            except Exception:  # parts that do not fit together: reported, and a few end the route
                self.found.unconfirmed += 1
                continue
            choices = tuple(c for d in chosen for c in d.choices)
            self.consider(Draw(instance, choices), "recombined")

    def climb(self, count: int, deadline: float) -> None:
        """Local optimisation from the worst instances, one after the other, then around again."""
        start = self.found.evaluated
        attempts = 0
        while self.found.pool and not self.done and time.perf_counter() < deadline:
            starts = [*self.found.pool, *((math.inf, d) for d in self.reserve)]
            for value, candidate in starts:
                left = count - (self.found.evaluated - start)
                if left <= 0 or self.done or attempts > 4 * count:
                    return
                attempts += self._climb_from(value, candidate, min(left, 60 + count // KEEP),
                                             deadline)
            if attempts == 0:
                return

    def _climb_from(self, value: float, candidate: Draw, count: int, deadline: float) -> int:
        scale, stale, tried = 0.1, 0, 0
        if not any(c.type != "string" for c in candidate.choices):
            return count
        if value == math.inf:  # a start that is not among the worst: find out where it stands
            value = self.consider(candidate, "climbed")
        while tried < count and stale < 80 and not self.done and time.perf_counter() < deadline:
            tried += 1
            made = draw(self.strategy, self.random,
                        values=mutate(candidate.choices, self.random, scale, self.found.pool))
            if made is None:
                stale += 1
                continue
            new = self.consider(made, "climbed")
            if new <= value and new < math.inf:
                stale = 0 if new < value else stale + 1
                scale = min(0.5, scale * 1.5) if new < value else scale
                value, candidate = new, made
            else:
                stale += 1
                scale = max(1e-9, scale * 0.9)
                if stale % 25 == 0:
                    scale = 10 ** self.random.uniform(-7, -0.5)
        return max(tried, 1)

    def polish(self, count: int, deadline: float) -> None:
        """Nelder-Mead on the real choices of the worst instances."""
        from scipy.optimize import minimize

        for _, candidate in list(self.found.pool)[:3]:
            places = [i for i, c in enumerate(candidate.choices) if c.type == "float"
                      and width(c) > 0]
            if not 1 <= len(places) <= 16 or self.done or time.perf_counter() > deadline:
                return
            base = candidate.choices
            start = np.array([base[i].value for i in places])

            def value(x: np.ndarray, base=base, places=places) -> float:
                if self.done or time.perf_counter() > deadline:
                    raise TimeoutError
                choices = list(base)
                for i, v in zip(places, x, strict=True):
                    choices[i] = replace(base[i], value=clip(base[i], float(v)))
                made = draw(self.strategy, self.random, values=choices, fill="simple")
                result = math.inf if made is None else self.consider(made, "polished")
                return result if result < math.inf else 1e300

            simplex = np.vstack([start, *(start + e for e in np.diag(
                [self._step(base[i]) for i in places]))])
            try:
                minimize(value, start, method="Nelder-Mead", options={
                    "maxfev": count // 3, "initial_simplex": simplex, "xatol": 1e-12,
                    "fatol": 1e-15, "adaptive": len(places) > 4})
            except TimeoutError:
                return

    def _step(self, choice: Choice) -> float:
        step = 0.03 * min(width(choice), 10 * max(abs(choice.value), 1.0))
        return step if clip(choice, choice.value + step) != choice.value else -step


def _scatter(total: int, count: int, random: Random) -> Iterator[int]:
    """Up to ``count`` numbers below ``total`` in random order, different ones up to sys.maxsize."""
    if total <= sys.maxsize:
        yield from random.sample(range(total), min(count, total))
        return
    for _ in range(count):
        yield random.randrange(total)
