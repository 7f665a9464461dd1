"""Making a counterexample small."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from theory.claims.draws import Choice, Draw, draw
from theory.claims.mutation import clip


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
        clipped = clip(c, value) if c.type == "float" else value
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
