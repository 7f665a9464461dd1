"""Figure 5 on our data: accuracy of the methods on every split, for three ratios of the splits."""

from __future__ import annotations

from typing import Any

import numpy as np

from paper_figures.fields import FieldError, get, number, plural
from paper_figures.methods import METHODS, Row, rows_where
from paper_figures.style import BLACK, GREY, PAGE
from theory.claims.ledger_6_trained import split_scores, variant_of

SHORT = {"none": "none", "positionwise": "position-\nwise", "rectangle": "rect-\nangle",
         "rectangle+EQVC": "rect.\n+ EQVC", "oracle": "oracle"}
"""Under the axis, in the paper's order; the oracle is ours."""


def layout(rows: list[Row]) -> tuple[int, int]:
    """One column a ratio."""
    return 1, len(scores(rows))


def size(rows: list[Row]) -> tuple[float, float]:
    """Inches."""
    return 0.6 + (PAGE - 0.6) * layout(rows)[1] / 3, 3.0


def scores(rows: list[Row]) -> dict[str, dict[str, list[float]]]:
    """Test accuracies ``{ratio: {method: by split}}``, every method on the same splits.

    Raises:
        FieldError: no rows of splits, or a method that lacks one.
    """
    mine = rows_where(rows, "training", experiment="splits")
    seen: dict[tuple[int, str], list[int]] = {}
    for row in mine:
        number(row, "test.accuracy")
        cell = int(number(row, "config.ratio")), variant_of(row)
        seen.setdefault(cell, []).append(int(number(row, "config.split")))
    for ratio, method in seen:
        splits = sorted(seen[ratio, method])
        asked = sorted({s for (r, _), v in seen.items() if r == ratio for s in v})
        if splits != asked:
            raise FieldError(f"every method needs the splits {asked} of ratio {ratio}, {method!r} has "
                             f"{splits}")
    return split_scores("test", "accuracy", mine)


def plot(rows: list[Row], ax: Any) -> Any:
    """A panel a ratio: a grey line a split, a bar at the mean."""
    found = scores(rows)
    panels = np.asarray(ax, dtype=object).reshape(-1)
    for panel, (ratio, by_method) in zip(panels, found.items(), strict=True):
        plot_panel(by_method, panel)
        panel.set_title(f"{ratio}")
        panel.label_outer()
    low = min(p.get_ylim()[0] for p in panels)
    for panel in panels:
        panel.set_ylim(low, 101.5)
    panels[0].set_ylabel("test accuracy (%)")
    return ax


def plot_panel(by_method: dict[str, list[float]], ax: Any) -> Any:
    """The accuracies of one ratio in percent, methods from left to right."""
    names = [m for m in SHORT if m in by_method]
    values = 100 * np.array([by_method[m] for m in names])
    aside = 0.09 * (np.arange(values.shape[1]) - (values.shape[1] - 1) / 2)
    for split, dx in zip(values.T, aside, strict=True):
        ax.plot(np.arange(len(names)) + dx, split, color=GREY, lw=0.5, zorder=1)
    for k, (name, mine) in enumerate(zip(names, values, strict=True)):
        look = METHODS[name]
        ax.plot(k + aside, mine, ls="none", marker=look.marker, color=look.color,
                label=look.label, **look.marker_style())
        ax.plot([k - 0.32, k + 0.32], [mine.mean()] * 2, color=BLACK, lw=1.6)
    ax.set_xticks(range(len(names)), [SHORT[m] for m in names], fontsize=6.5)
    ax.set_xlim(-0.5, len(names) - 0.5)
    ax.grid(axis="x", visible=False)
    return ax


def caption(rows: list[Row]) -> str:
    """What is drawn, how many splits, and how often the rectangle wins."""
    found = scores(rows)
    n = sorted({len(v) for by in found.values() for v in by.values()})
    pools = sorted({int(number(r, "config.pool")) for r in rows_where(rows, "training",
                                                                    experiment="splits")})
    text = (
        f"Figure 5 on our data: test accuracy over {' or '.join(map(str, n))} random splits of one "
        f"pool of {' or '.join(map(str, pools))} synthetic images, training to test "
        f"{', '.join(found)}. A grey line is one split, on which all methods are compared; black bars: "
        "the means over the splits; no error bars, every run is drawn. ")
    for method in ("rectangle", "rectangle+EQVC"):
        wins = [(a > b) for by in found.values() if {method, "positionwise"} <= set(by)
                for a, b in zip(by[method], by["positionwise"], strict=True)]
        if wins:
            text += (f"{METHODS[method].label[0].upper() + METHODS[method].label[1:]}: above "
                     f"position-wise attention on {sum(wins)} of {plural(len(wins), 'split')}. ")
    seeds = len({get(r, "seed") for r in rows_where(rows, "training", experiment="splits")})
    return text + (f"The splits overlap; {plural(seeds, 'seed')} of the networks. Oracle: the true "
                   "mask in place of the map.")
