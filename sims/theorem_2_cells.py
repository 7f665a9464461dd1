r"""The cells of Theorem 2: random mixtures, searches for falls and for ends, Gaussian classes.

``mixtures`` draws models and counts what they break; ``fall`` searches the largest fall of TV when
a map gets better, under limits, beside :func:`theory.separation_gap.gap_bound`; ``end`` searches
models near one end of the sandwich; ``line`` and ``plane`` integrate Gaussian models.
"""

from __future__ import annotations

import math
from typing import Any

KIND = "theorem-2"

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"atoms": (2, 3, 8, 64), "concentrations": (0.2, 2.0), "draws": 1000, "exact": 5,
              "search_atoms": (2, 3), "end_atoms": (2,), "generations": 60, "repeats": 1,
              "plane_draws": 20000, "panels": 24},
    "full": {"atoms": (2, 3, 4, 8, 16, 32, 64), "concentrations": (0.1, 0.5, 1.0, 10.0),
             "draws": 20000, "exact": 40, "search_atoms": (2, 3, 4, 6), "end_atoms": (2, 3, 4),
             "generations": 600, "repeats": 2, "plane_draws": 2000000, "panels": 48},
}
BOXES = ((0.0, 1.0), (0.0, 0.5), (0.0, 0.9), (0.2, 0.7), (0.5, 0.9), (0.8, 1.0))
FLOORS = (0.01, 0.05, 0.1)
INSIDES = (0.02, 0.1, 0.3)
OVERLAPS = (0.3, 0.7)
DIFFERENCES = (0.1, 0.3, 0.6)
DISTANCES = (0.5, 2.0)
KEEPS = (1.0, 0.5, 0.1, 0.01)
FURTHER = [[-7.5, 2.5], [-11.0, 2.5], [-15.0, 3.0]]
PANELS = 800


def cells(preset: str, seed: int) -> list[dict[str, Any]]:
    """The configurations of a preset, each with its key."""
    p = PRESETS[preset]
    return [*_mixtures(p, seed), *_falls(p, seed), *_ends(p, seed), *_lines(seed),
            *_planes(p, seed)]


def compute(cell: dict[str, Any]) -> dict[str, Any]:
    """The numbers of one cell."""
    from sims.streams import stream

    if cell["part"] == "line":
        return _line_numbers(cell)
    generator = stream(cell["key"], cell["seed"])
    return {"mixtures": _mixture_numbers, "fall": _fall_numbers, "end": _end_numbers,
            "plane": _plane_numbers}[cell["part"]](cell, generator)


def _mixtures(p: dict[str, Any], seed: int) -> list[dict[str, Any]]:
    from sims.theorem_2_mixtures import LAWS, SUPPORTS

    return [_cell("mixtures", seed, atoms=atoms, concentration=concentration, law=law,
                  supports=supports, draws=p["draws"], exact=p["exact"])
            for atoms in p["atoms"] for concentration in p["concentrations"] for law in LAWS
            for supports in SUPPORTS]


def _falls(p: dict[str, Any], seed: int) -> list[dict[str, Any]]:
    limits = [{"low": low, "high": high} for low, high in BOXES]
    base = {"low": 0.0, "high": 0.9}
    limits += [{**base, name: value}
               for name, values in (("floor", FLOORS), ("inside", INSIDES), ("overlap", OVERLAPS))
               for value in values]
    return [_cell("fall", seed, atoms=atoms, limits=limit, generations=p["generations"],
                  repeat=repeat)
            for limit in limits for atoms in p["search_atoms"]
            if atoms > 2 or set(limit) == {"low", "high"} for repeat in range(p["repeats"])]


def _ends(p: dict[str, Any], seed: int) -> list[dict[str, Any]]:
    return [_cell("end", seed, atoms=atoms, difference=difference, limits={"floor": floor},
                  upper=upper, generations=p["generations"], repeat=repeat)
            for atoms in p["end_atoms"] for difference in DIFFERENCES
            for floor in (0.0, 0.1) for upper in (False, True) for repeat in range(p["repeats"])]


def _lines(seed: int) -> list[dict[str, Any]]:
    models: list[dict[str, Any]] = []
    for distance in DISTANCES:
        for keep in KEEPS:
            models += [{"distance": distance, "shape": "constant", "top": 0.6, "keep": keep},
                       {"distance": distance, "shape": "window", "top": 0.95, "center": 1.0,
                        "width": 1.5, "background": [1.0, 1.5], "keep": keep},
                       {"distance": distance, "other_sigma": 2.0, "shape": "bump", "top": 0.9,
                        "center": -1.0, "background": [-1.0, 0.5], "keep": keep}]
    # each further window makes the map better everywhere, on the background left of class y
    models += [{"distance": 6.0, "shape": "window", "top": 0.95, "center": -3.0, "width": 3.0,
                "background": [-6.0, 2.0], "more": FURTHER[:count]}
               for count in range(len(FURTHER) + 1)]
    return [_cell("line", seed, model=model, panels=PANELS) for model in models]


def _planes(p: dict[str, Any], seed: int) -> list[dict[str, Any]]:
    return [_cell("plane", seed, distance=distance, angle=angle, half=half,
                  draws=p["plane_draws"], panels=p["panels"])
            for distance in DISTANCES for angle in (0.0, round(math.pi / 5, 6))
            for half in (1.0, 3.0)]


def _mixture_numbers(cell: dict[str, Any], generator: Any) -> dict[str, Any]:
    from sims.theorem_2_mixtures import summarize

    return summarize(generator, cell["draws"], cell["exact"], cell["atoms"],
                     cell["concentration"], cell["law"], cell["supports"])


def _fall_numbers(cell: dict[str, Any], generator: Any) -> dict[str, Any]:
    from sims.theorem_2_search import Limits, largest_fall
    from theory.separation_gap import gap_bound, gap_inside_bound

    limits = Limits(**cell["limits"])
    found = largest_fall(cell["atoms"], limits, cell["generations"], generator)
    bound = min(gap_bound(limits.low, limits.high, 1 - limits.overlap),
                gap_inside_bound(limits.low, limits.high, limits.inside))
    return {**found, "bound": bound if cell["atoms"] > 2 else 0.0}


def _end_numbers(cell: dict[str, Any], generator: Any) -> dict[str, Any]:
    from sims.theorem_2_search import Limits, nearest_to_end

    return nearest_to_end(cell["atoms"], cell["difference"], Limits(**cell["limits"]),
                          cell["upper"], cell["generations"], generator)


def _line_numbers(cell: dict[str, Any]) -> dict[str, Any]:
    from sims.theorem_2_gaussian import Model, by_panels, by_sign_changes, closed_form

    model = Model(**cell["model"])
    adaptive = by_sign_changes(model)
    return {**by_panels(model, cell["panels"]), "adaptive": adaptive["tv"],
            "adaptive_error": adaptive["error"], "sign_changes": adaptive["sign_changes"],
            "closed_form": closed_form(model)}


def _plane_numbers(cell: dict[str, Any], generator: Any) -> dict[str, Any]:
    from sims.theorem_2_gaussian import in_the_plane

    return in_the_plane(cell["distance"], cell["angle"], cell["half"], cell["draws"],
                        cell["panels"], generator)


def _cell(part: str, seed: int, **settings: Any) -> dict[str, Any]:
    text = "/".join(f"{k}={_plain(v)}" for k, v in settings.items())
    return {"kind": f"{KIND}-{part}", "key": f"{KIND}/{part}/{text}/seed={seed}", "part": part,
            "seed": seed, **settings}


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{k}:{_plain(v)}" for k, v in value.items())
    return str(value).replace(" ", "")
