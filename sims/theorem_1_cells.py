"""The cells of the simulation of Theorem 1: coverage and slack of its bounds against the exact gap.

Three kinds of cells.  ``theorem-1``: for many samples, how often each bound fails, its slack against
the exact supremum over all functions, how often it exceeds 1.  ``theorem-1-noise``: the largest risk
against the randomness of the target given the input, exact.  ``theorem-1-memoriser``: the adversary as
a predictor, its missing rates by counting.  All cells of one setting, N and seed see the same samples.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

from sims.family_names import ALL_MASKS, RECTANGLES, ROTATED
from sims.theorem_1_laws import ONE_MAP

KIND, NOISE, MEMORISER = "theorem-1", "theorem-1-noise", "theorem-1-memoriser"
DELTAS = (0.5, 0.1, 0.05, 0.01)
NOISES = ("0", "1/8", "1/4", "1/2", "3/4", "1")
ALPHA = 1e-3
"""Level of the Hoeffding interval around the memoriser's risk on fresh draws."""
EXACT_N = 64
"""Largest N for which the sharp bound's failure probability is computed exactly."""

# family, side, limit on maps, limit on targets, law
SMALL = (
    (RECTANGLES, 7, None, None, "uniform"),
    (RECTANGLES, 7, 12, 12, "uniform"),
    (RECTANGLES, 7, 12, 12, "small"),
    (RECTANGLES, 7, 12, None, "uniform"),
    (RECTANGLES, 7, 4, 4, "two masks"),
    (ALL_MASKS, 7, None, None, "uniform"),
    (ONE_MAP, 7, None, None, "two masks"),
    (ROTATED, 4, None, None, "uniform"),
    (ROTATED, 4, 4, 4, "small"),
)
LARGE = (
    (RECTANGLES, 7, None, None, "small"),
    (RECTANGLES, 7, 4, 4, "uniform"),
    (RECTANGLES, 7, 24, 24, "uniform"),
    (RECTANGLES, 14, None, None, "uniform"),
    (RECTANGLES, 14, 49, 49, "uniform"),
    (RECTANGLES, 14, 49, 49, "small"),
    (ROTATED, 5, None, None, "uniform"),
    (ROTATED, 5, 8, 8, "small"),
)
HUGE = (
    (ROTATED, 7, None, None, "uniform"),
    (ROTATED, 7, 12, 12, "small"),
)
"""Settings whose noise would take an enumeration of weights: deterministic targets only."""

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"settings": SMALL, "noiseless": (), "powers": range(5), "repeats": 400,
              "noises": ("0", "1/2"), "fresh": 4000, "memoriser_n": (64,)},
    "full": {"settings": SMALL + LARGE, "noiseless": HUGE, "powers": range(7), "repeats": 10000,
             "noises": ("0", "1/4", "1"), "fresh": 40000, "memoriser_n": (16, 256, 4096)},
}


def cells(preset: str, seed: int) -> list[dict[str, Any]]:
    """The configurations of a preset, setting by setting, each with its key."""
    p, out = PRESETS[preset], []
    for one in p["settings"] + p["noiseless"]:
        still = one in p["noiseless"]
        noises = ("0",) if still else p["noises"]
        out += [_cell(KIND, one, noise, seed, n=4**power, delta=delta, repeats=p["repeats"])
                for power in p["powers"] for noise in noises for delta in DELTAS]
        if not still:
            out += [_cell(NOISE, one, noise, seed) for noise in NOISES]
            out += [_cell(MEMORISER, one, noise, seed, n=n, fresh=p["fresh"])
                    for n in p["memoriser_n"] for noise in p["noises"]]
    return out


def compute(cell: dict[str, Any]) -> dict[str, Any]:
    """The numbers of one cell."""
    from sims.theorem_1 import expected_worst_exact, supremum_risk_exact

    setting, noise = _setting(cell), Fraction(cell["noise"])
    supremum, worst = supremum_risk_exact(setting, noise), expected_worst_exact(setting)
    exact = {"rho": str(setting.rho), "supremum": float(supremum), "supremum_exact": str(supremum),
             "expected_worst": float(worst), "expected_worst_exact": str(worst),
             "ceiling": float((1 - setting.rho) / 2), "targets_in_family": setting.fits,
             "targets": len(setting.targets)}
    more = {KIND: _coverage, NOISE: lambda *_: {}, MEMORISER: _memoriser}[cell["kind"]]
    return {**exact, **more(cell, setting, supremum)}


def _coverage(cell: dict[str, Any], setting: Any, supremum: Fraction) -> dict[str, Any]:
    from sims.theorem_1 import BOUNDS, sharp_failure_exact, slacks, smallest_bounds
    from sims.theorem_1_coverage import LEVEL, summary, vacuity

    n, delta = cell["n"], cell["delta"]
    samples = _samples(*_place(cell), n, cell["repeats"], cell["seed"])
    slack = slacks(setting, samples, supremum, delta)
    value = smallest_bounds(setting, samples, delta)
    out: dict[str, Any] = {"level": LEVEL}
    for name in BOUNDS:
        out |= summary(name, slack[name]) | vacuity(name, value[name])
    chance = sharp_failure_exact(setting, n, supremum, delta) if n <= EXACT_N else None
    return out | {"sharp_failure_probability": None if chance is None else float(chance)}


def _memoriser(cell: dict[str, Any], setting: Any, supremum: Fraction) -> dict[str, Any]:
    from sims.streams import stream
    from sims.theorem_1_memoriser import Memoriser, World, hoeffding_half_width, missed_positions

    generator, world = stream(cell["key"], cell["seed"]), World(setting, Fraction(cell["noise"]))
    inputs, targets = world.draw(generator, cell["n"])
    predictor = Memoriser(world, inputs, targets)
    fresh, truths = world.draw(generator, cell["fresh"])
    missed = missed_positions(setting, predictor(fresh), truths)
    risk = missed / (cell["fresh"] * setting.positions)
    half = hoeffding_half_width(cell["fresh"], ALPHA)
    fitted = missed_positions(setting, predictor(inputs), targets)
    return {"empirical_missed": fitted, "empirical": fitted / (cell["n"] * setting.positions),
            "least_missed": int(setting.least[targets].sum()), "fresh_missed": missed,
            "risk": risk, "risk_low": max(0.0, risk - half), "risk_high": min(1.0, risk + half),
            "alpha": ALPHA}


def _setting(cell: dict[str, Any]) -> Any:
    from sims.theorem_1_laws import setting

    return setting(*_place(cell))


def _place(cell: dict[str, Any]) -> tuple[Any, ...]:
    return (cell["family"], *cell["grid"], cell["max_area"], cell["max_area_in"], cell["law"])


@lru_cache(maxsize=2)
def _samples(*place: Any) -> Any:
    """The samples that all noises and all delta of a setting share."""
    from sims.streams import stream
    from sims.theorem_1 import draw_samples
    from sims.theorem_1_laws import setting

    *which, n, repeats, seed = place
    name = f"{KIND}/" + "/".join(map(str, which)) + f"/n={n}/repeats={repeats}"
    return draw_samples(setting(*which), n, repeats, stream(name, seed))


def _cell(kind: str, place: tuple[Any, ...], noise: str, seed: int, **rest: Any) -> dict[str, Any]:
    family, side, limit, limit_in, law = place
    key = (f"{kind}/{family}/{side}x{side}/max_area={limit}/max_area_in={limit_in}/{law}"
           f"/noise={noise}/" + "".join(f"{k}={v}/" for k, v in rest.items()) + f"seed={seed}")
    return {"kind": kind, "key": key, "family": family, "grid": [side, side], "max_area": limit,
            "max_area_in": limit_in, "law": law, "noise": noise, **rest, "seed": seed}
