r"""Random contamination models on k atoms, and what Theorem 2 and its sandwich say of them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from theory.separation import separation_bounds, theorem_2_1, theorem_2_2
from theory.separation_gap import absorbed, background_range, proportional, separation

LAWS = ("constant", "binary", "nearly-binary", "uniform", "good")
SUPPORTS = ("full", "distinct", "disjoint")
TOLERANCE = 1e-12
EXACT_TOP = 10**6
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def draw(
    generator: np.random.Generator, count: int, atoms: int, concentration: float, law: str,
    supports: str,
) -> dict[str, np.ndarray]:
    """Random models: ``pure``, ``other``, ``background``, ``fitting``, each (count, atoms).

    Densities are Dirichlet with one concentration.  Supports: ``full``; ``distinct``, where class
    y lacks atom 0 and all else overlaps; ``disjoint``, where each atom has one owner.  Laws of
    lambda: ``constant`` (one uniform number a model), ``binary`` (0 or 1), ``nearly-binary`` (0.01
    or 0.99), ``uniform`` and ``good`` (uniform on [0.8, 1]).

    Raises:
        ValueError: fewer than two atoms, a concentration that is not positive, an unknown law or
            kind of supports.
    """
    if atoms < 2:
        raise ValueError(f"two classes need at least 2 atoms, got {atoms}")
    if not concentration > 0:
        raise ValueError(f"concentration must be positive, got {concentration}")
    if law not in LAWS:
        raise ValueError(f"law must be one of {LAWS}, got {law!r}")
    if supports not in SUPPORTS:
        raise ValueError(f"supports must be one of {SUPPORTS}, got {supports!r}")
    shape = (count, atoms)
    mass = generator.gamma(concentration, size=(3, *shape)) + 1e-12
    if supports == "distinct":
        mass[0, :, 0] = 0
    elif supports == "disjoint":
        owner = generator.integers(0, 2, size=shape)
        owner[:, 0], owner[:, 1] = 0, 1
        mass[0] *= owner == 0
        mass[1] *= owner == 1
    mass /= mass.sum(axis=-1, keepdims=True)
    return {"pure": mass[0], "other": mass[1], "background": mass[2],
            "fitting": _fitting(generator, shape, law)}


def exact(model: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """One model in Fractions: densities proportional to integers, values of lambda in millionths."""
    def density(x: np.ndarray) -> np.ndarray:
        weights = [int(w) for w in np.ceil(x * EXACT_TOP)]
        return np.array([Fraction(w, sum(weights)) for w in weights], dtype=object)

    made = {k: density(model[k]) for k in ("pure", "other", "background")}
    levels = [Fraction(int(round(float(v) * EXACT_TOP)), EXACT_TOP) for v in model["fitting"]]
    return {**made, "fitting": np.array(levels, dtype=object)}


def violations(model: dict[str, np.ndarray], tolerance: Any = 0) -> dict[str, np.ndarray]:
    """Which models break a statement by more than ``tolerance``, a boolean (...) each.

    ``sandwich``: TV outside [min(A+, A-), max(A+, A-)]; ``closed-form``: TV is not max(A+, A-) less
    the absorbed part; ``theorem-2.1``, ``theorem-2.2``: TV below the right-hand side (part 2 taken
    for any supports); ``proportional``: TV falls when all errors are halved; ``range``: TV outside
    what some background gives.
    """
    p, q, g, lam = (model[k] for k in ("pure", "other", "background", "fitting"))
    tv = separation(p, q, g, lam)
    low, high = separation_bounds(p, q, lam)
    worst, best = background_range(p, q, lam)
    half = Fraction(1, 2) if lam.dtype == object else 0.5
    return {
        "sandwich": (tv < low - tolerance) | (tv > high + tolerance),
        "closed-form": abs(tv - (high - absorbed(p, q, g, lam))) > tolerance,
        "theorem-2.1": tv < theorem_2_1(p, q, lam) - tolerance,
        "theorem-2.2": tv < theorem_2_2(p, q, lam) - tolerance,
        "proportional": separation(p, q, g, proportional(lam, half)) < tv - tolerance,
        "range": (tv < worst - tolerance) | (tv > best + tolerance),
    }


def summarize(
    generator: np.random.Generator, count: int, exact_count: int, atoms: int,
    concentration: float, law: str, supports: str,
) -> dict[str, Any]:
    """Counts and distributions over ``count`` random models, ``exact_count`` of them exactly too.

    ``position`` is (TV - min)/(max - min): quantiles over the models whose ends differ, and counts
    at 0 and 1 (within 1e-9).  ``falls`` counts models whose TV falls when each error 1 - lambda is
    multiplied by its own uniform number.
    """
    model = draw(generator, count, atoms, concentration, law, supports)
    step = generator.random((count, atoms))
    free = ((1 - model["fitting"]) * model["background"]).sum(axis=-1) > TOLERANCE
    model = {k: v[free] for k, v in model.items()}
    p, q, g, lam = (model[k] for k in ("pure", "other", "background", "fitting"))
    if not free.any():
        raise ValueError("no model of this cell has eta defined: draw more")
    tv = separation(p, q, g, lam)
    low, high = separation_bounds(p, q, lam)
    wide = high - low > 1e-9
    position = ((tv - low) / np.where(wide, high - low, 1.0))[wide]
    fall = tv - separation(p, q, g, 1 - step[free] * (1 - lam))
    parts = [theorem_2_1(p, q, lam), theorem_2_2(p, q, lam)]
    worst, best = background_range(p, q, lam)
    broken = {k: int(v.sum()) for k, v in violations(model, TOLERANCE).items()}
    return {
        "repeats": int(free.sum()), "undefined": int(count - free.sum()), "violations": broken,
        **_exactly(model, exact_count),
        "equal_ends": int((~wide).sum()), "at_low": int((position < 1e-9).sum()),
        "at_high": int((position > 1 - 1e-9).sum()),
        "position_quantiles": _quantiles(position),
        "mean": {"tv": _mean(tv), "low": _mean(low), "high": _mean(high),
                 "theorem_2_1": _mean(parts[0]), "theorem_2_2": _mean(parts[1]),
                 "range_low": _mean(worst), "range_high": _mean(best)},
        "sandwich_exceeds_2_1": int((low > parts[0] + TOLERANCE).sum()),
        "sandwich_exceeds_2_2": int((low > parts[1] + TOLERANCE).sum()),
        "shortfall_2_2": float(np.maximum(parts[1] - tv, 0).max()),
        "falls": int((fall > TOLERANCE).sum()), "largest_fall": float(max(fall.max(), 0.0)),
    }


def _exactly(model: dict[str, np.ndarray], count: int) -> dict[str, Any]:
    """The same counts in Fractions for the first models whose rounded lambda leaves eta defined."""
    counts: dict[str, int] = {}
    done = 0
    for index in range(len(model["fitting"])):
        if done == count:
            break
        one = exact({k: v[index] for k, v in model.items()})
        if not sum((1 - one["fitting"]) * one["background"]) > 0:
            continue
        for name, broken in violations(one).items():
            counts[name] = counts.get(name, 0) + int(broken)
        done += 1
    return {"exact_repeats": done, "exact_violations": counts}


def _fitting(generator: np.random.Generator, shape: tuple[int, int], law: str) -> np.ndarray:
    if law == "constant":
        return np.repeat(generator.random((shape[0], 1)), shape[1], axis=1)
    values = generator.random(shape)
    if law == "good":
        return 0.8 + 0.2 * values
    if law == "uniform":
        return values
    low, high = (0.0, 1.0) if law == "binary" else (0.01, 0.99)
    return np.where(values < 0.5, low, high)


def _mean(x: np.ndarray) -> float:
    return float(np.mean(x))


def _quantiles(position: np.ndarray) -> list[float] | None:
    """Quantiles at :data:`QUANTILES`; None if the ends of every model are equal."""
    return [float(v) for v in np.quantile(position, QUANTILES)] if len(position) else None
