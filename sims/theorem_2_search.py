r"""Searches over contamination models: the largest fall of TV, the models nearest to an end.

A model of k atoms is a point of the unit cube ``[0, 1]^(6k)``: four densities (squares, divided by
their sum), the worse map and the step to the better one.  Nothing of the theory of
:mod:`theory.separation_gap` is used: the searches are its adversary.  A found model is rounded to
Fractions, so that its numbers are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from theory.separation import mixture_density, separation_bounds, total_variation

Objective = Callable[[np.ndarray], np.ndarray]
DENOMINATOR = 10**9
LEAST_FREE = 1e-6  # int (1 - lambda) p_bg below which eta counts as undefined in a search


@dataclass(frozen=True)
class Limits:
    """What the models of a search must satisfy.

    Attributes:
        low, high: bounds of both maps, 0 <= low < high <= 1.
        floor: least background mass of every atom, at most 1/k (a search tests it, as it knows k).
        inside: most background mass on the atoms where the pure densities differ.
        overlap: mass the two pure densities share at least (their TV is at most 1 - overlap).
    """

    low: float = 0.0
    high: float = 1.0
    floor: float = 0.0
    inside: float = 1.0
    overlap: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high <= 1:
            raise ValueError(f"0 <= low < high <= 1 must hold, got {self.low}, {self.high}")
        for name in ("floor", "inside", "overlap"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in [0, 1], got {getattr(self, name)}")


def maximize(
    objective: Objective, dimension: int, generations: int, generator: np.random.Generator
) -> tuple[np.ndarray, int]:
    """A point of ``[0, 1]^dimension`` with a large objective, and the number of evaluations.

    Differential evolution (8 points a dimension), then Nelder-Mead three times from the best point.

    Args:
        objective: ``(dimension, batch) -> (batch,)``.
    """
    from scipy.optimize import differential_evolution, minimize

    count = 0

    def loss(z: np.ndarray) -> Any:
        nonlocal count
        columns = z.reshape(dimension, -1)
        count += columns.shape[1]
        values = -objective(columns)
        return values if z.ndim == 2 else float(values[0])

    box = [(0.0, 1.0)] * dimension
    best = differential_evolution(loss, box, popsize=8, maxiter=generations, tol=0.0,
                                  vectorized=True, updating="deferred", polish=False,
                                  seed=generator)
    x, least = best.x, float(best.fun)
    for _ in range(3):
        polished = minimize(loss, x, method="Nelder-Mead", bounds=box,
                            options={"maxfev": 10 * generations, "adaptive": True,
                                     "xatol": 1e-10, "fatol": 1e-13})
        if polished.fun < least:
            x, least = polished.x, float(polished.fun)
    return x, count


def model_at(z: np.ndarray, atoms: int, limits: Limits, exact: bool = False) -> dict[str, np.ndarray]:
    """The models at points ``(6 atoms, batch)`` of the cube, arrays (batch, atoms).

    ``exact`` takes one point ``(6 atoms,)`` to the nearest model in Fractions, arrays (atoms,);
    the limits then hold exactly.  If ``limits.inside`` is below 1 atom 0 is neutral: both pure
    densities are 0 there, and the background has at least 1 - inside.

    Raises:
        ValueError: a floor above 1/atoms.
    """
    _require_room(atoms, limits)
    number = (lambda v: Fraction(str(v))) if exact else (lambda v: v)
    parts = np.moveaxis(z.reshape(6, atoms, -1), -1, 1)
    if exact:
        parts = np.vectorize(lambda v: Fraction(int(round(v * DENOMINATOR)), DENOMINATOR),
                             otypes=[object])(parts)[:, 0]
    if limits.inside < 1:
        parts[:3, ..., 0] = 0 * parts[:3, ..., 0]
    p, q, h, g = (_density(part) for part in parts[:4])
    shared, inside = number(limits.overlap), number(limits.inside)
    p, q = (1 - shared) * p + shared * h, (1 - shared) * q + shared * h
    low, high = number(limits.low), number(limits.high)
    first = low + (high - low) * parts[4]
    second = first + (high - first) * parts[5]
    if limits.inside < 1:
        g = inside * g
        g[..., 0] += 1 - inside
    floor, size = number(limits.floor), g.shape[-1]
    g = floor + (1 - size * floor) * g
    return {"pure": p, "other": q, "background": g, "low": first, "high": second}


def fall(model: dict[str, np.ndarray]) -> np.ndarray:
    """TV under ``low`` minus TV under ``high``; -1 where Eq. 18 is (nearly) undefined."""
    p, q, g = (model[k] for k in ("pure", "other", "background"))
    free = ((1 - model["high"]) * g).sum(axis=-1)
    good = free > (0 if g.dtype == object else LEAST_FREE)
    if g.dtype == object:
        return _separation(p, q, g, model["low"]) - _separation(p, q, g, model["high"]) if good else -1
    low, high = (np.where(good[:, None], model[k], 0.0) for k in ("low", "high"))
    return np.where(good, _variation(p, q, g, low) - _variation(p, q, g, high), -1.0)


def largest_fall(
    atoms: int, limits: Limits, generations: int, generator: np.random.Generator
) -> dict[str, Any]:
    """The largest exact fall of TV found for k atoms, and its model in Fractions (as text).

    Raises:
        ValueError: a floor above 1/k.
    """
    _require_room(atoms, limits)
    z, evaluations = maximize(lambda z: fall(model_at(z, atoms, limits)), 6 * atoms, generations,
                              generator)
    model = model_at(z, atoms, limits, exact=True)
    p, q, g = (model[k] for k in ("pure", "other", "background"))
    gap = fall(model)
    held = all(Fraction(str(limits.low)) <= a <= b <= Fraction(str(limits.high))
               for a, b in zip(model["low"], model["high"], strict=True))
    return {"gap": float(gap), "gap_exact": str(gap), "ordered": held,
            "pure_separation": float(abs(p - q).sum() / 2),
            "tv_low": float(_separation(p, q, g, model["low"])),
            "tv_high": float(_separation(p, q, g, model["high"])),
            "evaluations": evaluations, "witness": _text(model)}


def nearest_to_end(
    atoms: int, difference: float, limits: Limits, upper: bool, generations: int,
    generator: np.random.Generator,
) -> dict[str, Any]:
    """The model nearest to one end of the sandwich whose ends differ by at least ``difference``.

    ``position`` is (TV - min)/(max - min) of a model in Fractions, as small (``upper``: as large)
    as found.  Both ends are attained if the background is free.  For models of two atoms with
    background at least b at each (and low = 0) the smallest position is
    b/(b + (1 - difference)(1 - b)); more atoms can go below it: with b = 1/10 and difference 1/10,
    p = (1/2, 1/2, 0), p' = (0, 0, 1), p_bg = (1/10, 8/10, 1/10) and lambda = (1, 1/5, 1/2) have
    position 5/69 < 10/91.

    Raises:
        ValueError: a difference outside (0, high - low); a floor above 1/k.
    """
    if not 0 < difference < limits.high - limits.low:
        raise ValueError("the ends can differ by a number in (0, high - low), got "
                         f"{difference}")
    _require_room(atoms, limits)

    def objective(z: np.ndarray) -> np.ndarray:
        model = model_at(z, atoms, limits)
        free = ((1 - model["low"]) * model["background"]).sum(axis=-1)
        good = free > LEAST_FREE
        lam = np.where(good[:, None], model["low"], 0.0)
        change = lam * (model["pure"] - model["other"])
        sides = np.maximum(change, 0).sum(axis=-1), np.maximum(-change, 0).sum(axis=-1)
        least, most = np.minimum(*sides), np.maximum(*sides)
        tv = _variation(model["pure"], model["other"], model["background"], lam)
        wide = most - least
        position = (tv - least) / np.where(wide > 0, wide, 1.0)
        short = np.maximum(1.000001 * difference - wide, 0)
        aim = position if upper else 1 - position
        return np.where(good, np.where(short > 0, -1 - short, aim), -3.0)

    z, evaluations = maximize(objective, 6 * atoms, generations, generator)
    model = model_at(z, atoms, limits, exact=True)
    p, q, g, lam = (model[k] for k in ("pure", "other", "background", "low"))
    least, most = separation_bounds(p, q, lam)
    tv = _separation(p, q, g, lam)
    return {"position": float((tv - least) / (most - least)), "ends_differ": float(most - least),
            "tv": float(tv), "evaluations": evaluations,
            "witness": _text({k: v for k, v in model.items() if k != "high"})}


def _require_room(atoms: int, limits: Limits) -> None:
    if Fraction(str(limits.floor)) * atoms > 1:
        raise ValueError(f"floor must be at most 1/atoms, got {limits.floor} with {atoms} atoms")


def _density(part: np.ndarray) -> np.ndarray:
    """Squares over their sum; where that is 0, all mass on the last atom."""
    square = part * part
    total = square.sum(axis=-1, keepdims=True)
    square[..., -1:] += np.where(total > 0, 0 * total, 0 * total + 1)
    return square / np.where(total > 0, total, 0 * total + 1)


def _separation(p: np.ndarray, q: np.ndarray, g: np.ndarray, lam: np.ndarray) -> Any:
    return total_variation(*(mixture_density(pure, g, lam) for pure in (p, q)))


def _variation(p: np.ndarray, q: np.ndarray, g: np.ndarray, lam: np.ndarray) -> np.ndarray:
    """TV for a batch, without the tests of :mod:`theory.separation` (it runs millions of times)."""
    d, free = lam * (p - q), (1 - lam) * g
    moved = d.sum(axis=-1, keepdims=True)
    return abs(d - moved * free / free.sum(axis=-1, keepdims=True)).sum(axis=-1) / 2


def _text(model: dict[str, np.ndarray]) -> dict[str, list[str]]:
    return {k: [str(v) for v in values] for k, values in model.items()}
