"""Looking for the instance with the smallest margin.

Four routes, each with its own share of the effort: fresh draws (uniform and edge-loving), random
recombination of independent parts (many instances at the price of few draws), local optimisation on
the choices from the worst instances, and Nelder-Mead on the real choices.  The worst instances are
kept; a refuting one is made small (:func:`shrink`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product as product_of
from random import Random
from typing import Any

import numpy as np
from hypothesis.errors import UnsatisfiedAssumption

from theory.claims.draws import BIG, Choice, Draw, draw, product
from theory.claims.model import FEW, Unrepresentable

KEEP = 12  # worst instances kept as starting points
RESERVE = 8  # instances kept at random, so that climbing starts in other basins too


@dataclass
class Found:
    """What a search has met so far."""

    evaluated: int = 0
    attempts: int = 0
    accepted: int = 0
    undefined: int = 0
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
            found.undefined += 1
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
            except Exception:  # a map that rejects: such parts are not combinable
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
                      and _width(c) > 0]
            if not 1 <= len(places) <= 16 or self.done or time.perf_counter() > deadline:
                return
            base = candidate.choices
            start = np.array([base[i].value for i in places])

            def value(x: np.ndarray, base=base, places=places) -> float:
                if self.done or time.perf_counter() > deadline:
                    raise TimeoutError
                choices = list(base)
                for i, v in zip(places, x, strict=True):
                    choices[i] = replace(base[i], value=_clip(base[i], float(v)))
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
        step = 0.03 * min(_width(choice), 10 * max(abs(choice.value), 1.0))
        return step if _clip(choice, choice.value + step) != choice.value else -step


def _scatter(total: int, count: int, random: Random) -> Iterator[int]:
    """Up to ``count`` different numbers below ``total``, in random order."""
    if total <= 2_000_000:
        order = list(range(total))
        random.shuffle(order)
        yield from order[:count]
        return
    for _ in range(count):
        yield random.randrange(total)


def mutate(
    choices: tuple[Choice, ...], random: Random, scale: float, pool: list[tuple[float, Draw]]
) -> list[Choice]:
    """Choices near the given ones: one, a few or all of them moved by about ``scale``."""
    out = list(choices)
    roll = random.random()
    movable = [i for i, c in enumerate(choices) if c.type != "string"]
    if roll < 0.55 or not movable:
        places = [random.choice(movable)] if movable else []
    elif roll < 0.8:
        places = random.sample(movable, min(len(movable), random.randint(2, 3)))
    elif roll < 0.93:
        places = movable
    else:  # a stretch of another good instance
        other = random.choice(pool)[1].choices
        cut = random.randrange(min(len(other), len(out)) or 1)
        end = random.randint(cut, len(other))
        out[cut:end] = other[cut:end]
        return out
    for i in places:
        out[i] = _moved(choices[i], random, scale, choices)
    return out


def _moved(c: Choice, random: Random, scale: float, choices: tuple[Choice, ...]) -> Choice:
    roll = random.random()
    if c.type == "boolean":
        return replace(c, value=not c.value)
    if c.type == "float":
        if not math.isfinite(c.value):
            return replace(c, value=_clip(c, random.uniform(-1, 1)))
        if roll < 0.06:
            return replace(c, value=_clip(c, random.choice((c.low, c.high, 0.0, 0.5, 1.0))))
        if roll < 0.12:  # ties matter: take another choice's value
            twin = random.choice([d for d in choices if d.type == "float"])
            return replace(c, value=_clip(c, twin.value))
        step = random.gauss(0.0, 1.0) * scale * _width(c)
        return replace(c, value=_clip(c, c.value + step))
    if c.type == "integer":
        low = c.low if c.low is not None else c.value - int(BIG)
        high = c.high if c.high is not None else c.value + int(BIG)
        if roll < 0.4:
            value = c.value + random.choice((-1, 1))
        elif roll < 0.55:
            value = random.randint(low, high)
        elif roll < 0.7 and high > low:  # masks are integers of bits
            value = c.value ^ (1 << random.randrange(max(1, (high - low).bit_length())))
        elif roll < 0.8:
            value = random.choice([d.value for d in choices if d.type == "integer"])
        elif roll < 0.85:
            value = random.choice((low, high))
        else:
            reach = max(1, (high - low) * int(scale * 1000) // 1000)
            value = c.value + random.randint(-reach, reach)
        return replace(c, value=min(max(value, low), high))
    return c


def _width(c: Choice) -> float:
    low = c.low if c.low is not None and math.isfinite(c.low) else None
    high = c.high if c.high is not None and math.isfinite(c.high) else None
    if low is None or high is None:
        return max(1.0, abs(c.value)) if math.isfinite(c.value) else 1.0
    return float(high - low)


def _clip(c: Choice, value: Any) -> float:
    if value is None or not math.isfinite(value):
        value = 0.0
    low = -math.inf if c.low is None else c.low
    high = math.inf if c.high is None else c.high
    return float(min(max(value, low), high))


# --- making a counterexample small ---------------------------------------------------------------


def shrink(
    strategy: Any, start: Draw, fails: Callable[[Any], bool], *, tries: int = 1500,
    seconds: float = 1.5,
) -> Draw:
    """A smaller instance on which ``fails`` is still true.

    Smaller: fewer choices, then simpler ones (zero, integers, short decimals).  The result is
    locally minimal (no single simplification tried keeps failing) unless the tries ran out.
    """
    end = time.perf_counter() + seconds
    left = tries
    best = start
    random = Random(0)

    def attempt(values: list[Choice]) -> bool:
        nonlocal left, best
        left -= 1
        made = draw(strategy, random, values=values, fill="simple")
        if made is None or _complexity(made) >= _complexity(best) or not fails(made.instance):
            return False
        best = made
        return True

    if not start.choices:
        return best
    attempt([])
    improved = True
    while improved and left > 0 and time.perf_counter() < end:
        improved = False
        for length in (8, 4, 2, 1):
            i = 0
            while i + length <= len(best.choices) and left > 0 and time.perf_counter() < end:
                values = list(best.choices)
                if attempt(values[:i] + values[i + length:]):
                    improved = True
                else:
                    i += 1
        i = 0
        while i < len(best.choices) and left > 0 and time.perf_counter() < end:
            for simpler in _simpler(best.choices[i]):
                values = list(best.choices)
                values[i] = simpler
                if attempt(values):
                    improved = True
                    break
            i += 1
    return best


def _simpler(c: Choice) -> list[Choice]:
    values: list[Any] = []
    if c.type == "boolean" and c.value:
        values = [False]
    elif c.type == "integer":
        target = c.simplest
        target = max(target, c.low) if c.low is not None else target
        target = min(target, c.high) if c.high is not None else target
        gap = c.value - target
        values = [target]
        while abs(gap) > 1:
            gap = gap // 2 if gap > 0 else -(-gap // 2)
            values.append(c.value - gap)
        if c.value != target:
            values.append(c.value - (1 if c.value > target else -1))
        if c.value > 0:  # clear single bits: smaller masks
            values += [c.value & ~(1 << b) for b in range(c.value.bit_length())
                       if c.value >> b & 1][:64]
    elif c.type == "float" and math.isfinite(c.value):
        values = [0.0, 1.0, 0.5, float(round(c.value))]
        values += [round(c.value, digits) for digits in range(1, 7)]
        if c.value == round(c.value):
            values += [float(int(c.value / 2)), c.value - math.copysign(1.0, c.value)]
    out = []
    for value in values:
        clipped = _clip(c, value) if c.type == "float" else value
        if clipped != c.value and clipped not in [d.value for d in out]:
            out.append(replace(c, value=clipped))
    return out


def _complexity(d: Draw) -> tuple[Any, ...]:
    return (len(d.choices), sum(_cost(c) for c in d.choices),
            [abs(c.value - c.simplest) if c.type == "integer" else 0 for c in d.choices])


def _cost(c: Choice) -> float:
    if c.type == "boolean":
        return float(c.value)
    if c.type == "integer":
        gap = abs(c.value - c.simplest)
        if c.low is not None and c.high is not None and c.high - c.low <= 4096:
            return math.log2(1 + gap)
        return gap.bit_count() + gap.bit_length() / 64
    if c.type == "float":
        if not math.isfinite(c.value):
            return 100.0
        size = math.log2(1 + abs(c.value)) / 1100
        return float(len(repr(abs(c.value)))) + (0.5 if c.value < 0 else 0.0) - 3.0 + size
    return float(len(c.value))
