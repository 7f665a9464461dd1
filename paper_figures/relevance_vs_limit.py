"""Relevance level against the limit on the area: axis-aligned and rotated rectangles, exact."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from paper_figures.fields import FieldError, get, number, of_kind, row_name
from paper_figures.methods import one_legend
from paper_figures.style import BLACK, BLUE, GREY, ORANGE, PAGE, RED, SKY

KIND = "relevance"
FAMILIES = ("axis-aligned rectangles", "rotated rectangles")
SCHEMES: dict[str, tuple[str, dict[str, Any]]] = {
    "both": ("maps and truths up to area k", {"color": BLUE, "ls": "-", "marker": "o"}),
    "share": ("maps up to k, truths up to n/4", {"color": ORANGE, "ls": "--", "marker": "s"}),
    "maps": ("maps up to k, any truth", {"color": RED, "ls": "-.", "marker": "^"}),
}
OTHERS = "maps and truths up to k, smaller grids"
LOWER = "1 − 2(k + k′)/n, not below −1"
POSITIONWISE = "position-wise maps, any limit on truths"
MAP, TRUTH = BLUE, ORANGE  # of the pair that is drawn


def layout(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """One column a family."""
    return 1, len(families(rows))


def size(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Inches."""
    return PAGE * layout(rows)[1] / 2, 3.5


def families(rows: list[dict[str, Any]]) -> list[str]:
    """The families that the rows have, axis-aligned first."""
    found = {get(row, "family") for row in of_kind(rows, KIND)}
    if found - set(FAMILIES):
        raise FieldError(f"family must be one of {FAMILIES}, got {sorted(found - set(FAMILIES))}")
    return [name for name in FAMILIES if name in found]


def plot(rows: list[dict[str, Any]], ax: Any) -> Any:
    """Draw one panel a family, with a pair of masks that attains the level."""
    panels = np.atleast_1d(np.asarray(ax, dtype=object))
    for family, panel in zip(families(rows), panels, strict=True):
        plot_panel([r for r in of_kind(rows, KIND) if r["family"] == family], panel)
        panel.set_title(f"{family}, {_name(largest_grid(rows, family))}")
        panel.label_outer()
    one_legend(panels, 2, [*(label for label, _ in SCHEMES.values()), OTHERS, LOWER, POSITIONWISE])
    return ax


def plot_panel(rows: list[dict[str, Any]], ax: Any) -> Any:
    """The levels of one family on its largest grid; those of smaller grids where both are limited."""
    grid = largest_grid(rows, get(rows[0], "family"))
    ax.axhline(-1, color=GREY, alpha=0.35, lw=4, label=POSITIONWISE)
    other = [r for r in rows if r["scheme"] == "both" and tuple(r["grid"]) != grid]
    if other:
        ax.plot([_share(r) for r in other], [number(r, "rho") for r in other], ls="", marker="x",
                color=SKY, ms=3.5, mew=0.8, label=OTHERS)
    for scheme, (label, look) in SCHEMES.items():
        some = curve(rows, scheme, grid)
        if some:
            x = [_share(r) for r in some]
            ax.plot(x, [number(r, "rho") for r in some], label=label, ms=3, lw=1.2, **look)
            ax.plot(x, [number(r, "lower_bound") for r in some], color=BLACK, ls=":", lw=1.1,
                    zorder=3, label=LOWER if scheme == "both" else None)
    ax.set(xlabel="limit on the area, k/n", ylabel="relevance level ρ", xlim=(0, 1),
           ylim=(-1.08, 1.05), yticks=[-1, -0.5, 0, 0.5, 1])
    both = curve(rows, "both", grid)
    if both:
        draw_pair(min(both, key=lambda r: abs(r["limit"] - grid[0] * grid[1] / 4)), ax)
    return ax


def curve(rows: list[dict[str, Any]], scheme: str, grid: tuple[int, int]) -> list[dict[str, Any]]:
    """The rows of one scheme and grid, by increasing limit."""
    some = [r for r in rows if get(r, "scheme") == scheme and tuple(get(r, "grid")) == grid]
    return sorted(some, key=lambda r: number(r, "limit"))


def largest_grid(rows: list[dict[str, Any]], family: str) -> tuple[int, int]:
    """The grid of a family with the most positions."""
    grids = {tuple(get(r, "grid")) for r in of_kind(rows, KIND) if get(r, "family") == family}
    return max(grids, key=lambda grid: (grid[0] * grid[1], grid))


def draw_pair(row: dict[str, Any], ax: Any) -> Any:
    """The map and the truth that attain the level of a row, in one small picture."""
    first, second = masks(row)
    inset = ax.inset_axes((0.56, 0.5, 0.36, 0.36))
    from matplotlib.colors import ListedColormap

    colors = ListedColormap(["white", MAP, TRUTH, BLACK])  # black where both are
    inset.pcolormesh((first + 2 * second)[::-1], cmap=colors, vmin=0, vmax=3, edgecolors="#D0D0D0",
                     lw=0.4)
    inset.set(xticks=[], yticks=[], aspect="equal")
    inset.grid(False)
    inset.spines[:].set_visible(False)
    inset.set_title(f"map and truth at k = {row['limit']}:\nρ = {Fraction(get(row, 'fraction'))}",
                    fontsize=7.5, pad=3)
    return inset


def masks(row: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The two supports of a row's witness, booleans ``(H, W)``."""
    pair = [np.array([[cell == "#" for cell in line] for line in text])
            for text in get(row, "witness")]
    if len(pair) != 2 or any(mask.shape != tuple(row["grid"]) for mask in pair):
        raise FieldError(f"{row_name(row)}: 'witness' must be two masks of the grid {row['grid']}")
    return pair[0], pair[1]


def caption(rows: list[dict[str, Any]]) -> str:
    """What is drawn, how it was found, and what each scheme shows."""
    found = of_kind(rows, KIND)
    text = ("Relevance level ρ (Eq. 14) when the areas of maps (and truths) are at most k, as a share "
            "of the n positions; exact, from every pair of members. ")
    for family in families(rows):
        grid = largest_grid(rows, family)
        grids = sorted({tuple(r["grid"]) for r in found if r["family"] == family}, key=np.prod)
        alone = curve(_of(found, family), "maps", grid)
        every = [r for r in _of(found, family) if r["scheme"] == "both"]
        both = curve(every, "both", grid)
        text += (f"{family.capitalize()}: curves for {_name(grid)} (n = {np.prod(grid)}), crosses for "
                 f"{', '.join(_name(g) for g in grids if g != grid) or 'no other grid'}; with limits "
                 f"on both, ρ equals the lower bound in {_equal(both)} of {len(both)} limits on "
                 f"{_name(grid)}, and in {_equal(every)} of {len(every)} over all grids. ")
        if alone:
            most = max(Fraction(get(r, "fraction")) for r in alone)
            text += (f"On {_name(grid)} limiting the maps alone gives at most {most}, whatever k"
                     f"{_elsewhere(_of(found, family), grid)}. ").replace("-", "−")
    return text + ("Dotted: the lower bound from the largest areas k and k′ that members have, "
                   "whatever their shapes; −1 at least. Grey: position-wise maps, ρ = −1. Small "
                   "pictures: a map (blue) and a truth (orange) that attain ρ. Nothing is random, no "
                   f"error bars. {len(found)} rows.")


def _equal(rows: list[dict[str, Any]]) -> int:
    return sum(r["rho"] == r["lower_bound"] for r in rows)


def _elsewhere(rows: list[dict[str, Any]], grid: tuple[int, int]) -> str:
    """The largest level with limits on maps alone, on other grids than the one drawn."""
    others = [r for r in rows if r["scheme"] == "maps" and tuple(r["grid"]) != grid]
    if not others:
        return ""
    most = max(Fraction(get(r, "fraction")) for r in others)
    return f" (on the other grids at most {most})"


def _of(rows: list[dict[str, Any]], family: str) -> list[dict[str, Any]]:
    return [r for r in rows if r["family"] == family]


def _share(row: dict[str, Any]) -> float:
    height, width = get(row, "grid")
    return number(row, "limit") / (height * width)


def _name(grid: tuple[int, int]) -> str:
    return f"{grid[0]} × {grid[1]}"
