"""The cells of the simulation of Theorem 3: coverage where complexity and gap are exact.

Classes, all on axis-aligned rectangles: ``K predictors`` (each gives every input a random rectangle),
``constant`` (one rectangle for all inputs), ``all functions`` on J inputs that repeat in large samples.
All functions on inputs without atoms are in :mod:`sims.theorem_1_cells`.  All delta of a class and N
see the same samples.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

KIND = "theorem-3"
CONSTANT, FREE = "constant", "all functions"
DELTAS = (0.5, 0.1, 0.05, 0.01)

# class, side of the grid, atoms, sizes of the sample
PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"repeats": 300, "classes": (
        ("2 predictors", 5, 3, (1, 4, 16)), ("16 predictors", 5, 3, (1, 4, 16)),
        (CONSTANT, 5, 3, (1, 4, 16)), (CONSTANT, 5, 2, (64,)),
        (FREE, 5, 16, (1, 4, 16, 64, 256)), (FREE, 5, 256, (16, 256)))},
    "full": {"repeats": 2000, "classes": (
        ("2 predictors", 7, 3, (1, 4, 16, 64)), ("16 predictors", 7, 3, (1, 4, 16, 64)),
        ("128 predictors", 7, 3, (1, 4, 16)), ("16 predictors", 7, 2, (256, 512)),
        (CONSTANT, 7, 3, (1, 4, 16)), (CONSTANT, 7, 2, (64, 256)),
        (FREE, 7, 2, (1, 4, 16, 64, 256, 1024)), (FREE, 7, 64, (1, 4, 16, 64, 256, 1024, 4096)),
        (FREE, 7, 4096, (16, 64, 256, 1024, 4096)))},
}


def cells(preset: str, seed: int) -> list[dict[str, Any]]:
    """The configurations of a preset, class by class, each with its key."""
    p = PRESETS[preset]
    return [_cell(name, side, atoms, n, delta, p["repeats"], seed)
            for name, side, atoms, sizes in p["classes"] for n in sizes for delta in DELTAS]


def compute(cell: dict[str, Any]) -> dict[str, Any]:
    """Failures and slack of Theorem 3, and what is left of it without its complexity term."""
    from sims.theorem_1_coverage import LEVEL, summary, vacuity
    from theory.bounds import theorem_3

    gap, complexity = _sampled(cell["class"], cell["grid"][0], cell["atoms"], cell["n"],
                               cell["repeats"], cell["seed"])
    bound = theorem_3(0.0, complexity, cell["n"], cell["delta"])
    return {"level": LEVEL, **summary("theorem_3", bound - gap), **vacuity("theorem_3", bound),
            "failures_without_complexity": int((bound - 2 * complexity < gap).sum()),
            "failures_of_complexity_alone": int((2 * complexity < gap).sum()),
            "gap_mean": math.fsum(gap) / len(gap), "gap_max": float(gap.max()),
            "complexity_mean": math.fsum(complexity) / len(complexity),
            "complexity_max": float(complexity.max())}


@lru_cache(maxsize=2)
def _sampled(name: str, side: int, atoms: int, n: int, repeats: int, seed: int
             ) -> tuple[np.ndarray, np.ndarray]:
    """Exact gaps and complexities of many samples, which all delta share."""
    from sims.streams import stream

    model = loss_class(name, side, atoms, seed)
    key = f"{KIND}/samples/{name}/{side}x{side}/atoms={atoms}/n={n}/repeats={repeats}"
    counts = model.draw(stream(key, seed), n, repeats)
    distinct, back = np.unique(counts, axis=0, return_inverse=True)
    gap = np.array([float(model.gap_exact(c)) for c in distinct])
    complexity = np.array([model.complexity(c) for c in distinct])
    return gap[back.ravel()], complexity[back.ravel()]


def loss_class(name: str, side: int, atoms: int, seed: int) -> Any:
    """A class on random targets: rectangles of a square grid, weights from 1 to 9.

    Args:
        name: ``constant``, ``all functions`` or ``K predictors``.
        side: of the grid.
        atoms: J, the number of inputs; each has one target.
        seed: of the targets, the weights and the predictors.

    Returns:
        a :class:`sims.theorem_3.LossClass`.

    Raises:
        ValueError: another name.
    """
    from sims.streams import stream
    from sims.theorem_1_laws import extreme_differences
    from sims.theorem_3 import FreeClass, ListedClass
    from theory.families import Rectangles

    family = Rectangles(side, side)
    generator = stream(f"{KIND}/class/{name}/{side}x{side}/atoms={atoms}", seed)
    targets = family.sample(generator, atoms)
    weights = generator.integers(1, 10, size=atoms)
    if name == FREE:
        return FreeClass(weights, side * side, *extreme_differences(family, targets))
    if name == CONSTANT:
        answers = np.broadcast_to(family.masks()[:, None], (family.size, atoms, side, side))
    else:
        count = _predictors(name)
        answers = family.sample(generator, count * atoms).reshape(count, atoms, side, side)
    return ListedClass(weights, side * side, (answers != targets).sum(axis=(2, 3)))


def _predictors(name: str) -> int:
    number, _, word = name.partition(" ")
    if word != "predictors" or not (number.isascii() and number.isdigit()) or int(number) < 1:
        raise ValueError(f"class must be {CONSTANT!r}, {FREE!r} or 'K predictors', got {name!r}")
    return int(number)


def _cell(name: str, side: int, atoms: int, n: int, delta: float, repeats: int, seed: int
          ) -> dict[str, Any]:
    key = (f"{KIND}/{name}/{side}x{side}/atoms={atoms}/n={n}/delta={delta}/repeats={repeats}"
           f"/seed={seed}")
    return {"kind": KIND, "key": key, "class": name, "grid": [side, side], "atoms": atoms, "n": n,
            "delta": delta, "repeats": repeats, "seed": seed}
