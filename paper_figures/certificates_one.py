"""All bounds at one number of training images: a line a bound, its value on a logarithmic axis."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from paper_figures.fields import number
from paper_figures.methods import COMPARED, RATES, Row, mean_and_bars
from paper_figures.style import GREY

if TYPE_CHECKING:
    from paper_figures.certificates import Group

Values = dict[tuple[str, str], list[float]]
"""The values of the rows by group and label."""


def bounds_of(rows: list[Row], methods: Sequence[str], groups: Sequence[Group]) -> dict[str, Values]:
    """For each method the values of every bound that it has at each number of training images."""
    from paper_figures.certificates import ADVERSARY, GROUPS, adversary_rate, select, tables

    out: dict[str, Values] = {}
    for method in methods:
        found = [r for r in select(rows) if r["method"] == method]
        uppers: Values = defaultdict(list)
        if GROUPS[0] in groups:
            uppers[GROUPS[0].title, ADVERSARY[0]] = [adversary_rate(r) for r in found]
        sizes = {key: {r["n"] for r in found} for key in uppers}
        for row, bounds in zip(found, tables(rows, found), strict=True):
            for group in groups:
                for key in group.curves.keys() & bounds.keys():
                    place = group.title, group.curves[key][0]
                    uppers[place].append(bounds[key]["upper"])
                    sizes.setdefault(place, set()).add(row["n"])
        out[method] = {key: v for key, v in uppers.items() if sizes[key] == {r["n"] for r in found}}
    return out


def places(found: dict[str, Values], groups: Sequence[Group]) -> dict[tuple[str, str], int]:
    """The line of every bound and, with an empty label, of every group's title, from the top: the
    largest bound of a group first, by the mean over methods."""
    out: dict[tuple[str, str], int] = {}
    for group in groups:
        means = {key: np.mean([np.mean(v[key]) for v in found.values() if key in v])
                 for key in {k for v in found.values() for k in v} if key[0] == group.title}
        for key in [(group.title, ""), *sorted(means, key=lambda k: (-means[k], k))]:
            out[key] = len(out)
    return out


def plot_lines(rows: list[Row], panels: Sequence[Any], methods: Sequence[str],
               groups: Sequence[Group]) -> None:
    """Draw a panel a method: a marker a bound, bars from the smallest to the largest over the rows,
    the measured rate as an upright line."""
    from paper_figures.certificates import ADVERSARY, MEASURED, TOP, select

    found = bounds_of(rows, methods, groups)
    rank = places(found, groups)
    looks = {(g.title, label): look for g in groups for label, look in g.curves.values()}
    looks[groups[0].title, ADVERSARY[0]] = ADVERSARY[1]
    least = min(number(r, "test.missing_rate") for r in select(rows))
    for method, ax in zip(methods, panels, strict=True):
        for key, values in found[method].items():
            mean, bars = mean_and_bars([values])
            look = {**looks[key], "marker": looks[key]["marker"] or "|", "ls": ""}
            bars = bars if len(values) > 1 else None
            ax.errorbar(mean, [rank[key]], xerr=bars, capsize=2, elinewidth=0.8, label=key[1], **look)
        rate = np.mean([number(r, "test.missing_rate") for r in select(rows) if r["method"] == method])
        label, look = MEASURED
        ax.axvline(rate, color=look["color"], ls=look["ls"], lw=1.2, label=label)
        ax.axvline(1, color=GREY, lw=0.8)
        ax.set(xscale="log", xlim=(0.8 * least, TOP), xlabel="missing rate", title=COMPARED[method],
               ylim=(len(rank) - 0.5, -0.5))
        ax.set_xticks(RATES, [f"{v:g}" for v in RATES])
        ax.minorticks_off()
        ax.set_xlim(0.8 * least, TOP)
        ax.set_yticks(list(rank.values()), [label or title for title, label in rank])
        for tick, (_, label) in zip(ax.get_yticklabels(), rank, strict=True):
            tick.set_fontweight("normal" if label else "bold")
        ax.tick_params(axis="y", length=0, labelleft=ax is panels[0])
