"""Strategies of pairs of inputs with their maps, in exact arithmetic.

An instance is a dict: ``x`` and ``y``, object arrays of Fractions ``(H, W, C)``, with ``map_x`` and
``map_y`` ``(H, W)``, the values a predictor takes at them.  A predictor is any function, so at two
distinct inputs any two maps are possible.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

SHAPES = ((1, 1, 1), (1, 2, 1), (1, 1, 2), (2, 1, 2), (2, 2, 1))
TOP = 12  # map values are multiples of 1/12


def predictor(instance: dict[str, Any]) -> Callable[[Any], Any]:
    """A predictor with the instance's maps at its two inputs."""
    def f(x: Any) -> Any:
        return instance["map_x"] if np.array_equal(x, instance["x"]) else instance["map_y"]

    return f


def gap(left: np.ndarray, right: np.ndarray) -> Any:
    """Largest absolute difference."""
    return abs(left - right).max()


def colliding(x: np.ndarray, map_x: np.ndarray, map_y: np.ndarray) -> np.ndarray:
    """The only input that can collide with x: ``(1 + f(x)) / (1 + f(y)) x``."""
    ratio = np.array([[(1 + Fraction(a)) / (1 + Fraction(b)) for a, b in zip(*rows, strict=True)]
                      for rows in zip(map_x, map_y, strict=True)], dtype=object)
    return x * ratio[..., None]


def any_pairs(*, binary: bool) -> Any:
    """Distinct inputs; every other pair collides or nearly does."""
    def repair(i: dict[str, Any], roll: int) -> dict[str, Any]:
        if roll >= 2:
            y = colliding(i["x"], i["map_x"], i["map_y"])
            if roll == 2:  # off by a little at one entry
                y[0, 0, 0] += Fraction(1, 100)
            i["y"] = y
        return i

    return _pairs(binary, repair)


def condition_pairs() -> Any:
    """Binary maps; the pair differs where the maps agree (the condition of Prop. 3)."""
    def repair(i: dict[str, Any], roll: int) -> dict[str, Any]:
        if roll >= 2:
            i["y"] = colliding(i["x"], i["map_x"], i["map_y"])
        i["map_y"][0, 0] = i["map_x"][0, 0]
        if i["y"][0, 0, 0] == i["x"][0, 0, 0]:
            i["y"][0, 0, 0] += 1
        return i

    return _pairs(True, repair)


def violating_pairs() -> Any:
    """Binary maps that differ wherever the inputs do (the condition of Prop. 3 fails)."""
    def repair(i: dict[str, Any], roll: int) -> dict[str, Any]:
        i["map_y"][0, 0] = 1 - i["map_x"][0, 0]
        same = (i["map_x"] == i["map_y"])[..., None]
        i["y"] = np.where(same, i["x"], i["y"])
        if i["y"][0, 0, 0] == i["x"][0, 0, 0]:
            i["y"][0, 0, 0] += 1
        return i

    return _pairs(True, repair)


def colliding_pairs(*, binary: bool) -> Any:
    """Distinct inputs with one output."""
    def repair(i: dict[str, Any], roll: int) -> dict[str, Any]:
        if i["map_y"][0, 0] == i["map_x"][0, 0]:
            i["map_y"][0, 0] = 0 if i["map_x"][0, 0] else 1
        i["x"][0, 0, 0] = i["x"][0, 0, 0] or Fraction(1)
        i["y"] = colliding(i["x"], i["map_x"], i["map_y"])
        return i

    return _pairs(binary, repair)


def of_shapes(counts: Callable[[int, int, int], int], build: Any, low: int, high: int) -> Any:
    """``build(shape, numbers)`` of integers in [low, high], over the small shapes."""
    from hypothesis import strategies as st

    def of(shape: tuple[int, int, int]) -> Any:
        return st.tuples(*[st.integers(low, high)] * counts(*shape)).map(
            lambda flat: build(shape, flat))

    return st.one_of([of(shape) for shape in SHAPES])


def _pairs(binary: bool, repair: Any) -> Any:
    def build(shape: tuple[int, int, int], flat: tuple[int, ...]) -> dict[str, Any]:
        size, cells = shape[0] * shape[1] * shape[2], shape[0] * shape[1]
        x, y = (np.array([Fraction(v - 6, 2) for v in part], dtype=object).reshape(shape)
                for part in (flat[:size], flat[size:2 * size]))
        maps = [np.array([int(v > TOP // 2) if binary else Fraction(v, TOP) for v in part],
                         dtype=object).reshape(shape[:2])
                for part in (flat[2 * size:2 * size + cells], flat[2 * size + cells:-1])]
        made = repair({"x": x, "y": y, "map_x": maps[0], "map_y": maps[1]}, flat[-1] % 4)
        if np.array_equal(made["x"], made["y"]):
            made["y"] = made["y"].copy()
            made["y"][0, 0, 0] += 1
        return made

    return of_shapes(lambda h, w, c: 2 * h * w * c + 2 * h * w + 1, build, 0, TOP)
