"""Figure 5 on our data: accuracy of the methods on every split, for three ratios of the splits."""

from __future__ import annotations

from typing import Any

import numpy as np

from paper_figures.data_sets import TITLES, by_data_set, images, one_data_set, pool_of
from paper_figures.fields import FieldError, get, number, plural
from paper_figures.methods import METHODS, Row, rows_where, starts
from paper_figures.style import BLACK, GREY, PAGE
from theory.claims.ledger_6_trained import split_scores, variant_of

SHORT = {"none": "none", "positionwise": "position-\nwise", "rectangle": "rect-\nangle",
         "rectangle+EQVC": "rect.\n+ EQVC", "oracle": "oracle"}
"""Under the axis, in the paper's order; the oracle is ours."""


def layout(rows: list[Row]) -> tuple[int, int]:
    """A line a data set, a column a ratio."""
    found = scores_by_set(rows)
    return len(found), len(_ratios(found))


def size(rows: list[Row]) -> tuple[float, float]:
    """Inches."""
    lines, columns = layout(rows)
    return 0.6 + (PAGE - 0.6) * columns / 3, 0.4 + 2.6 * lines


def select(rows: list[Row]) -> list[Row]:
    """The rows of the experiment on splits.

    Raises:
        FieldError: there is none, or one lacks its accuracy, ratio or split.
    """
    found = rows_where(rows, "training", experiment="splits")
    for row in found:
        for needed in ("test.accuracy", "config.ratio", "config.split"):
            number(row, needed)
    return found


def scores(rows: list[Row]) -> dict[str, dict[str, list[float]]]:
    """Test accuracies ``{ratio: {method: by split}}`` of one data set, methods on the same splits.

    Raises:
        FieldError: no rows of splits, several data sets, or a method that lacks a split.
    """
    mine = select(rows)
    one_data_set(mine)
    seen: dict[tuple[int, str], list[int]] = {}
    for row in mine:
        cell = int(get(row, "config.ratio")), variant_of(row)
        seen.setdefault(cell, []).append(int(get(row, "config.split")))
    for ratio, method in seen:
        splits = sorted(seen[ratio, method])
        asked = sorted({s for (r, _), v in seen.items() if r == ratio for s in v})
        if splits != asked:
            raise FieldError(f"every method needs the splits {asked} of ratio {ratio}, {method!r} has "
                             f"{splits}")
    return split_scores("test", "accuracy", mine)


def scores_by_set(rows: list[Row]) -> dict[str, dict[str, dict[str, list[float]]]]:
    """:func:`scores` by data set, each under its title."""
    return {title: scores(mine) for title, mine in by_data_set(select(rows)).items()}


def plot(rows: list[Row], ax: Any) -> Any:
    """A panel a data set and ratio: a grey line a split, a bar at the mean."""
    found = scores_by_set(rows)
    panels = np.asarray(ax, dtype=object).reshape(layout(rows))
    for line, (title, by_ratio) in zip(panels, found.items(), strict=True):
        for ratio, panel in zip(_ratios(found), line, strict=True):
            panel.set_visible(ratio in by_ratio)
            if ratio in by_ratio:
                plot_panel(by_ratio[ratio], panel)
                panel.set_title(ratio)
        shown = [panel for panel in line if panel.get_visible()]
        low = min(panel.get_ylim()[0] for panel in shown)
        for panel in shown:
            panel.set_ylim(low, 101.5)
            panel.tick_params(labelleft=panel is shown[0])
        named = "" if title == TITLES["shapes"] and len(found) == 1 else f"{title}\n"
        shown[0].set_ylabel(f"{named}test accuracy (%)")
    return ax


def _ratios(found: dict[str, dict[str, Any]]) -> list[str]:
    """The ratios of all data sets, in order."""
    return sorted({ratio for by_ratio in found.values() for ratio in by_ratio})


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
    """What is drawn, of which images, how many splits, and how often the rectangle wins."""
    found, mine = scores_by_set(rows), by_data_set(select(rows))
    drawn = "; ".join(f"{splits_of(by)} of {pool(mine[title])} (training to test {', '.join(by)})"
                      for title, by in found.items())
    text = (
        f"Figure 5 redrawn: test accuracy over {drawn}. A grey line is one split, on which all "
        "methods are compared; black bars: the means over the splits; no error bars, every run is "
        "drawn. ")
    for title, by_ratio in found.items():
        text += "".join(told[0].upper() + told[1:] + (f" of {title}. " if len(found) > 1 else ". ")
                        for told in _wins(by_ratio))
    seeds = len({get(r, "seed") for r in select(rows)})
    return text + (f"The splits overlap; {plural(seeds, 'seed')} of the networks. "
                   f"{starts(select(rows))}Oracle: the true mask in place of the map.")


def splits_of(by_ratio: dict[str, dict[str, list[float]]]) -> str:
    """How many splits there are, in words.

    >>> splits_of({"6:4": {"none": [0.5, 0.6]}})
    '2 random splits'
    """
    n = sorted({len(v) for by in by_ratio.values() for v in by.values()})
    return f"{' or '.join(map(str, n))} random split{'' if n == [1] else 's'}"


def pool(rows: list[Row]) -> str:
    """What is split, in words: how many images of what, for which network."""
    sizes = sorted({pool_of(r) for r in rows})
    return f"one pool of {' or '.join(map(str, sizes))} {images(rows)}"


def _wins(by_ratio: dict[str, dict[str, list[float]]]) -> list[str]:
    out = []
    for method in ("rectangle", "rectangle+EQVC"):
        wins = [(a > b) for by in by_ratio.values() if {method, "positionwise"} <= set(by)
                for a, b in zip(by[method], by["positionwise"], strict=True)]
        if wins:
            out.append(f"{METHODS[method].label}: above position-wise attention on {sum(wins)} of "
                       f"{plural(len(wins), 'split')}")
    return out
