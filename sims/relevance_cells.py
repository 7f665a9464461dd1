"""The cells of the relevance simulation: rho against limits on the area, exact, by family.

Three schemes: ``both`` limits maps and truths to area k; ``maps`` limits the maps alone, truths being
all members; ``share`` limits maps to k and truths to a quarter of the grid.  Position-wise maps have
rho = -1 whatever the truths are, so ``rho > -1`` is where rectangles do raise it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sims.family_names import RECTANGLES, ROTATED, family_of
from sims.relevance import (
    attained_areas,
    farthest_pair,
    relevance_lower_bound,
    relevance_under_limits,
)
from theory.relevance import relevance_closed_form

KIND = "relevance"

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {RECTANGLES: ((4, 4), (5, 7), (7, 7)), ROTATED: ((3, 5), (4, 4), (5, 5))},
    "full": {RECTANGLES: ((4, 4), (5, 7), (7, 7), (10, 10), (14, 14)),
             ROTATED: ((3, 5), (4, 4), (5, 5), (6, 6), (6, 7), (7, 7))},
}
SCHEMES = ("both", "maps", "share")


def cells(preset: str, seed: int) -> list[dict[str, Any]]:
    """One cell a family, grid, scheme and attained area; nothing is random, whatever the seed."""
    out = []
    for family, grids in PRESETS[preset].items():
        for grid in grids:
            n = grid[0] * grid[1]
            # the areas of a preset must not cost an enumeration: limits 1..n for rotated rectangles
            limits = attained_areas(family, *grid) if family == RECTANGLES else range(1, n + 1)
            out += [_cell(family, grid, scheme, limit, n, seed) for scheme in SCHEMES
                    for limit in limits]
    return out


def compute(cell: dict[str, Any]) -> dict[str, Any]:
    """rho as a fraction, the closed form where there is one, sizes, and a pair that attains rho."""
    family, (height, width) = cell["family"], cell["grid"]
    limits = cell["limit"], cell["limit_in"]
    rho = relevance_under_limits(family, height, width, *limits)
    areas = attained_areas(family, height, width)
    largest = [max(s for s in areas if s <= k) for k in limits]
    maps, truths = (family_of(family, height, width, max_area=k) for k in limits)
    closed = relevance_closed_form(maps, truths)
    pair = farthest_pair(family, height, width, *limits)
    return {"rho": float(rho), "fraction": str(rho),
            "closed_form": None if closed is None else str(closed),
            "lower_bound": float(relevance_lower_bound(*largest, height * width)),
            "largest_area": largest[0], "largest_area_in": largest[1],
            "members": maps.size, "members_in": truths.size,
            "witness": [_rows(mask) for mask in pair]}


def _rows(mask: np.ndarray) -> list[str]:
    return ["".join("#" if v == 1 else "." for v in row) for row in mask]


def _cell(family: str, grid: tuple[int, int], scheme: str, limit: int, n: int, seed: int
          ) -> dict[str, Any]:
    limit_in = {"both": limit, "maps": n, "share": max(1, n // 4)}[scheme]
    key = (f"{KIND}/{family}/{grid[0]}x{grid[1]}/{scheme}/limit={limit}/limit_in={limit_in}"
           f"/seed={seed}")
    return {"kind": KIND, "key": key, "family": family, "grid": list(grid), "scheme": scheme,
            "limit": limit, "limit_in": limit_in, "seed": seed}
