"""Empirical Rademacher complexity against N, by family, kind of predictor and grid."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from paper_figures.fields import get, number, plural
from paper_figures.style import BLACK, BLUE, GREEN, GREY, PAGE, RED

Series = dict[int, tuple[float, float, float]]

ALL_MASKS = "all masks"
LOOKS = {  # colour by family, line and marker by predictors
    "axis-aligned rectangles": BLUE,
    "rotated rectangles": GREEN,
    ALL_MASKS: RED,
}
LINES = {"all": ("-", "o"), "constant": ("--", "s")}  # repeated inputs: dash-dotted, triangles
WORDS = {"all": "all functions", "constant": "constant predictors"}
BOUND = 0.5
"""Prop. 2 with rho = -1, the level of all these families without limits."""
PROP_2 = "Prop. 2: (1 − ρ)/4, ρ = −1"


def layout(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """One column per grid: the complexities, and below their ratio to that of all masks."""
    return 2, len(_grids(rows))


def size(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Inches."""
    return PAGE, 4.8


def plot(rows: list[dict[str, Any]], ax: Any) -> Any:
    """Draw one curve per family and kind of predictor, with bars, in one column per grid."""
    grids = _grids(rows)
    above, below = np.atleast_2d(ax) if len(grids) > 1 else np.reshape(ax, (2, 1))
    drawn: set[tuple[str, str]] = set()
    for top, low, grid in zip(above, below, grids, strict=True):
        found = series(rows, grid)
        drawn |= set(found)
        for (family, predictors), points in found.items():
            n = np.array(sorted(points))
            value, least, most = (np.array([points[k][j] for k in n]) for j in range(3))
            look = _look(family, predictors)
            top.errorbar(n, value, yerr=[value - least, most - value], capsize=2, elinewidth=0.8,
                         label=f"{family}, {WORDS.get(predictors, predictors)}", **look)
            base = found.get((ALL_MASKS, predictors), {})
            shared = [k for k in n if k in base and base[k][0] > 0]
            if family != ALL_MASKS and shared:
                low.plot(shared, [points[k][0] / base[k][0] for k in shared], **look)
        top.axhline(BOUND, color=BLACK, ls=":", lw=1, label=PROP_2)
        top.set(xscale="log", yscale="log", title=f"{grid[0]} × {grid[1]}")
        low.set(xscale="log", xlabel="$N$")
        low.axhline(1, color=LOOKS[ALL_MASKS], lw=1)
    above[0].set_ylabel("empirical Rademacher\ncomplexity")
    below[0].set_ylabel("times that of\nall masks")
    for panels, ceiling in ((above, 1.0), (below, 1.02)):
        floor = min(panel.get_ylim()[0] for panel in panels)
        for panel in panels:
            panel.set_ylim(floor, ceiling)
    _legend(above[0], drawn)
    return ax


def _look(family: str, predictors: str) -> dict[str, Any]:
    line, marker = LINES.get(predictors, ("-.", "^"))
    return {"ls": line, "marker": marker, "color": LOOKS.get(family, BLACK)}


def _legend(panel: Any, drawn: set[tuple[str, str]]) -> None:
    """Families by colour, predictors by line and marker, and the bound."""
    from matplotlib.lines import Line2D

    families = [f for f in [*LOOKS, *sorted({f for f, _ in drawn} - set(LOOKS))]
                if f in {g for g, _ in drawn}]
    kinds = sorted({p for _, p in drawn}, key=lambda p: (p not in LINES, p))
    handles = [Line2D([], [], color=LOOKS.get(f, BLACK), lw=3, label=f) for f in families]
    handles += [Line2D([], [], color=GREY, label=WORDS.get(p, p),
                       **{k: v for k, v in _look("", p).items() if k != "color"}) for p in kinds]
    handles.append(Line2D([], [], color=BLACK, ls=":", lw=1, label=PROP_2))
    panel.figure.legend(handles=handles, loc="outside lower center", ncols=3)


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
    return text + (" Below: the ratio to all masks. Dotted: the bound of Prop. 2 with ρ = −1, the "
                   "relevance level of every family here.")


def _grids(rows: list[dict[str, Any]]) -> list[tuple[int, int]]:
    return sorted({tuple(get(row, "grid")) for row in rows})


def _words(values: list[int]) -> str:
    return " or ".join(str(v) for v in values)
