"""Empirical Rademacher complexity against N, by family, kind of predictor and grid."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from paper_figures.fields import get, number, plural
from paper_figures.style import BLACK, BLUE, GREEN, PAGE, RED

Series = dict[int, tuple[float, float, float]]

LOOKS = {  # colour by family, line and marker by predictors
    "axis-aligned rectangles": BLUE,
    "rotated rectangles": GREEN,
    "all masks": RED,
}
LINES = {"all": ("-", "o"), "constant": ("--", "s")}  # repeated inputs: dash-dotted, triangles
WORDS = {"all": "all functions", "constant": "constant predictors"}
BOUND = 0.5
"""Prop. 2 with rho = -1, the level of both families without limits."""


def layout(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """One panel per grid."""
    return 1, len(_grids(rows))


def size(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Inches."""
    return PAGE, 3.4


def plot(rows: list[dict[str, Any]], ax: Any) -> Any:
    """Draw one curve per family and kind of predictor, with bars, in one panel per grid."""
    grids = _grids(rows)
    for panel, grid in zip(np.atleast_1d(ax), grids, strict=True):
        for (family, predictors), points in series(rows, grid).items():
            n = np.array(sorted(points))
            value, low, high = (np.array([points[k][j] for k in n]) for j in range(3))
            line, marker = LINES.get(predictors, ("-.", "^"))
            panel.errorbar(n, value, yerr=[value - low, high - value], ls=line, marker=marker,
                           color=LOOKS.get(family, BLACK), capsize=2, elinewidth=0.8,
                           label=f"{family}, {WORDS.get(predictors, predictors)}")
        panel.axhline(BOUND, color=BLACK, ls=":", lw=1, label="Prop. 2: (1 − ρ)/4, ρ = −1")
        panel.set(xscale="log", yscale="log", xlabel="$N$", title=f"{grid[0]} × {grid[1]}")
    first = np.atleast_1d(ax)[0]
    first.set_ylabel("empirical Rademacher complexity")
    bottom = min(panel.get_ylim()[0] for panel in np.atleast_1d(ax))
    for panel in np.atleast_1d(ax):
        panel.set_ylim(bottom, 1)
    found = {label: handle for panel in np.atleast_1d(ax)
             for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)}
    names = sorted(found, key=lambda label: label.startswith("Prop. 2"))  # the bound last
    columns = max(1, len({name.split(", ", 1)[1] for name in names[:-1]}))
    first.figure.legend([found[name] for name in names], names, loc="outside lower center",
                        ncols=min(columns, 3))
    return ax


def series(
    rows: list[dict[str, Any]], grid: tuple[int, int]
) -> dict[tuple[str, str], Series]:
    """``(family, predictors) -> {N: (mean, lowest low, highest high)}`` over samples, one grid."""
    found: dict[tuple[str, str], dict[int, list[dict[str, Any]]]] = defaultdict(
        lambda: defaultdict(list))
    for row in rows:
        if tuple(get(row, "grid")) == grid:
            found[get(row, "family"), get(row, "predictors")][int(number(row, "n"))].append(row)
    order = [*LOOKS, *sorted({family for family, _ in found} - set(LOOKS))]
    return {
        name: {n: (float(np.mean([number(r, "value") for r in cell])),
                   min(number(r, "low") for r in cell), max(number(r, "high") for r in cell))
               for n, cell in by_n.items()}
        for name, by_n in sorted(found.items(), key=lambda f: (order.index(f[0][0]), f[0][1]))
    }


def caption(rows: list[dict[str, Any]]) -> str:
    """What is drawn, n, bars."""
    samples = sorted({get(r, "sample", 0) for r in rows})
    sampled = [r for r in rows if not get(r, "exact")]
    repeated = any(get(r, "repeats", 1) != 1 for r in rows)
    text = ("Empirical Rademacher complexity of {Φ(f(x), a)} (Def. C.1); targets uniform over the "
            "axis-aligned rectangles of the grid. Solid: all functions X → A on distinct inputs, "
            "closed form, exact. "
            + ("Dash-dotted: all functions, every input repeated. " if repeated else "")
            + "Dashed: constant predictors (one mask for every "
            f"input). Points: mean over {plural(len(samples), 'sample')} per N; bars: from the "
            "lowest to the highest end of the samples' intervals.")
    if sampled:
        draws = sorted({int(number(r, "draws")) for r in sampled})
        delta = max(number(r, "delta") for r in sampled)
        text += (f" Points that are not exact come from {_words(draws)} antithetic pairs of sign "
                 f"vectors with an exact supremum each (all 2^N signs where that is fewer); an "
                 f"interval holds its value with probability at least {1 - delta:g} (McDiarmid, or "
                 "empirical Bernstein where that is narrower by facts known before the draws).")
    return text + " Dotted: the bound of Prop. 2 with ρ = −1, the relevance level of every family here."


def _grids(rows: list[dict[str, Any]]) -> list[tuple[int, int]]:
    return sorted({tuple(get(row, "grid")) for row in rows})


def _words(values: list[int]) -> str:
    return " or ".join(str(v) for v in values)
