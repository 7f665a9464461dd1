"""The cells of ``python -m sims run rademacher``: complexity against N, by family and predictors.

Targets are drawn uniformly from the non-empty axis-aligned rectangles of the grid, and every cell
of one (grid, n, sample) sees the same targets.  Inputs are distinct, but for the predictors
``"all, inputs repeated 4 times"``: all functions, samples 4k to 4k + 3 share an input.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from theory.bounds import DELTA

KIND = "rademacher"

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"grids": (7, 14), "largest": 6, "samples": 1, "draws": 2000,
              "rotated_grids": (7,), "repeats": 4},
    "full": {"grids": (7, 14, 28), "largest": 7, "samples": 5, "draws": 4000,
             "rotated_grids": (7, 14), "repeats": 4},
}


def cells(preset: str, seed: int) -> list[dict[str, Any]]:
    """The configurations of a preset, smallest samples first, each with its key.

    A preset may leave out ``rotated_grids`` (default: none) and ``repeats`` (default: no cells with
    repeated inputs; samples smaller than ``repeats`` have none either).
    """
    from sims.family_names import ALL_MASKS, RECTANGLES, ROTATED
    from sims.rademacher import PREDICTORS

    p = PRESETS[preset]
    rotated, repeats = p.get("rotated_grids", ()), p.get("repeats")
    found = []
    for n in (4**power for power in range(p["largest"] + 1)):
        kinds = [(predictors, 1) for predictors in PREDICTORS]
        if repeats and n >= repeats:
            kinds.append((f"all, inputs repeated {repeats} times", repeats))
        for grid in dict.fromkeys((*p["grids"], *rotated)):
            families = [RECTANGLES, ALL_MASKS] if grid in p["grids"] else []
            families += [ROTATED] if grid in rotated else []
            found += [
                _cell(family, predictors, grid, n, sample, p["draws"], seed, times)
                for sample in range(p["samples"])
                for family in families
                for predictors, times in kinds
            ]
    return found


def compute(cell: dict[str, Any]) -> dict[str, Any]:
    """The numbers of one cell."""
    from sims.rademacher import empirical_rademacher
    from sims.streams import stream

    height, width = cell["grid"]
    shared = f"targets/{height}x{width}/n={cell['n']}/sample={cell['sample']}"
    targets = random_rectangles(stream(shared, cell["seed"]), cell["n"], height, width)
    times = cell.get("repeats", 1)
    estimate = empirical_rademacher(
        targets, cell["family"],
        inputs=None if times == 1 else np.arange(cell["n"]) // times,
        predictors="constant" if cell["predictors"] == "constant" else "all",
        draws=cell["draws"], delta=DELTA, seed=cell["seed"], name=cell["key"])
    fraction = None if estimate.fraction is None else str(estimate.fraction)
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high,
            "exact": estimate.exact, "fraction": fraction, "draws": estimate.draws,
            "delta": estimate.delta, "method": estimate.method, "error": estimate.error,
            "variance": estimate.variance}


def random_rectangles(
    generator: np.random.Generator, count: int, height: int, width: int
) -> np.ndarray:
    """``count`` masks, uniform over the non-empty axis-aligned rectangles, int8 (count, H, W)."""
    inside = []
    for side in (height, width):
        first, last = np.triu_indices(side)  # every non-empty run of cells once
        pick = generator.integers(len(first), size=count)
        cell = np.arange(side)
        inside.append((cell >= first[pick, None]) & (cell <= last[pick, None]))
    rows, columns = inside
    return (2 * (rows[:, :, None] & columns[:, None, :]).astype(np.int8) - 1).astype(np.int8)


def _cell(
    family: str, predictors: str, grid: int, n: int, sample: int, draws: int, seed: int, times: int
) -> dict[str, Any]:
    key = (f"{KIND}/{family}/{predictors}/{grid}x{grid}/n={n}/sample={sample}"
           f"/draws={draws}/delta={DELTA}/seed={seed}")
    repeated = {} if times == 1 else {"repeats": times}
    return {"kind": KIND, "key": key, "family": family, "predictors": predictors,
            "grid": [grid, grid], "n": n, "sample": sample, "draws": draws, "seed": seed,
            **repeated}
