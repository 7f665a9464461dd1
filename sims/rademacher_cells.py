"""The cells of ``python -m sims run rademacher``: complexity against N, by family and predictors.

Targets are drawn uniformly from the non-empty axis-aligned rectangles of the grid, and every cell
of one (grid, n, sample) sees the same targets.  Inputs are distinct.
"""

from __future__ import annotations

from typing import Any

import numpy as np

KIND = "rademacher"

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"grids": (7, 14), "largest": 6, "samples": 1, "draws": 2000},
    "full": {"grids": (7, 14, 28), "largest": 7, "samples": 5, "draws": 4000},
}
DELTA = 0.05


def cells(preset: str, seed: int) -> list[dict[str, Any]]:
    """The configurations of a preset, smallest samples first, each with its key."""
    from sims.rademacher import FAMILIES, PREDICTORS

    p = PRESETS[preset]
    return [
        _cell(family, predictors, grid, 4**power, sample, p["draws"], seed)
        for power in range(p["largest"] + 1)
        for grid in p["grids"]
        for sample in range(p["samples"])
        for family in FAMILIES
        for predictors in PREDICTORS
    ]


def compute(cell: dict[str, Any]) -> dict[str, Any]:
    """The numbers of one cell."""
    from sims.rademacher import empirical_rademacher
    from sims.streams import stream

    height, width = cell["grid"]
    shared = f"targets/{height}x{width}/n={cell['n']}/sample={cell['sample']}"
    targets = random_rectangles(stream(shared, cell["seed"]), cell["n"], height, width)
    estimate = empirical_rademacher(
        targets, cell["family"], cell["predictors"], draws=cell["draws"], delta=DELTA,
        generator=stream(cell["key"], cell["seed"]))
    fraction = None if estimate.fraction is None else str(estimate.fraction)
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high,
            "exact": estimate.exact, "fraction": fraction, "draws": estimate.draws,
            "delta": estimate.delta, "method": estimate.method}


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
    family: str, predictors: str, grid: int, n: int, sample: int, draws: int, seed: int
) -> dict[str, Any]:
    key = (f"{KIND}/{family}/{predictors}/{grid}x{grid}/n={n}/sample={sample}"
           f"/draws={draws}/delta={DELTA}/seed={seed}")
    return {"kind": KIND, "key": key, "family": family, "predictors": predictors,
            "grid": [grid, grid], "n": n, "sample": sample, "draws": draws, "seed": seed}
