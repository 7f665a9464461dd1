"""Choices near given ones: how the search moves."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random
from typing import Any

from theory.claims.draws import BIG, Choice, Draw


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
            return replace(c, value=clip(c, random.uniform(-1, 1)))
        if roll < 0.06:
            return replace(c, value=clip(c, random.choice((c.low, c.high, 0.0, 0.5, 1.0))))
        if roll < 0.12:  # ties matter: take another choice's value
            twin = random.choice([d for d in choices if d.type == "float"])
            return replace(c, value=clip(c, twin.value))
        step = random.gauss(0.0, 1.0) * scale * width(c)
        return replace(c, value=clip(c, c.value + step))
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


def width(c: Choice) -> float:
    """The range of a number; its size where it is unbounded."""
    low = c.low if c.low is not None and math.isfinite(c.low) else None
    high = c.high if c.high is not None and math.isfinite(c.high) else None
    if low is None or high is None:
        return max(1.0, abs(c.value)) if math.isfinite(c.value) else 1.0
    return float(high - low)


def clip(c: Choice, value: Any) -> float:
    """``value`` as a finite float within the limits of the choice."""
    if value is None or not math.isfinite(value):
        value = 0.0
    low = -math.inf if c.low is None else c.low
    high = math.inf if c.high is None else c.high
    return float(min(max(value, low), high))
