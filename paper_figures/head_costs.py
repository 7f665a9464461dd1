"""Parameters, multiply-adds and measured time of the heads against channels, and the paper's claim."""

from __future__ import annotations

from typing import Any

import numpy as np

from paper_figures.fields import FieldError, get, number, plural, words
from paper_figures.methods import METHODS, Row, method_look, one_legend, rows_where
from paper_figures.style import BLACK, GREY, PAGE
from theory.heads import (
    PLACES,
    POSITION_WISE_HEAD,
    RECTANGLE_HEAD,
    multiply_adds,
    parameters,
    threshold,
)

GRID = (PLACES[0].height, PLACES[0].width)
FACTOR = 2
"""App. G: the rectangle head is "approximately twice smaller" than the position-wise one."""

TIMED = ("rectangle-coords", "rectangle-softargmax", "rectangle-light", "rectangle-paper", "cbam")
"""In the panel of times, beside position-wise, which is 1."""

CLAIM = "the paper's claim: half of position-wise"
CLAIMED: dict[str, Any] = {"color": BLACK, "ls": (0, (1, 1)), "lw": 1.2}
WIDEST = 2048


def layout(rows: list[Row]) -> tuple[int, int]:
    """Parameters, multiply-adds, time."""
    return 1, 3


def size(rows: list[Row]) -> tuple[float, float]:
    """Inches."""
    return PAGE, 3.6


def select(rows: list[Row]) -> list[Row]:
    """Timings of a forward pass of the modules on one image and the grid of App. G, by channels.

    Raises:
        FieldError: there is none, or one lacks a head of App. G.
    """
    mine = [r for r in rows_where(rows, "latency") if get(r, "what") in ("module", "module by channels")
            and tuple(get(r, "features")[1:]) == GRID and get(r, "batch") == 1]
    found = {get(r, "features")[0]: r for r in sorted(mine, key=lambda r: r["what"])}
    if not found:
        raise FieldError(f"no timings of modules on {GRID[0]} x {GRID[1]} cells, one image")
    return [found[c] for c in sorted(found)]


def plot(rows: list[Row], ax: Any) -> Any:
    """Draw the three panels."""
    panels, found = np.asarray(ax, dtype=object).reshape(-1), select(rows)
    plot_counts(found, "parameters", panels[0])
    plot_counts(found, "multiply_adds", panels[1])
    plot_times(found, panels[2])
    for panel in panels:
        panel.set(xscale="log", xlabel="channels")
        ticks = sorted({16, 64, *(p.channels for p in PLACES)})
        panel.set_xticks(ticks, [f"{c}" for c in ticks])
        panel.minorticks_off()
        panel.set_xlim(10, 1500)
    one_legend(panels, 2, [look.label for look in METHODS.values()])
    return ax


def plot_counts(rows: list[Row], what: str, ax: Any) -> Any:
    """Exact counts of the two heads of App. G as lines; of all timed modules as points.

    Multiply-adds are those of one feature map of ``GRID``.
    """
    channels = np.unique(np.geomspace(8, WIDEST, 60).round().astype(int))
    for name, head in (("rectangle-paper", RECTANGLE_HEAD), ("positionwise", POSITION_WISE_HEAD)):
        look = method_look(name)
        counts = [_count(what, head, int(c)) for c in channels]
        ax.plot(channels, counts, color=look.color, ls=look.line, lw=1.2)
        if name == "positionwise":
            ax.plot(channels, np.array(counts) / FACTOR, label=CLAIM, **CLAIMED)
    for name in ("positionwise", *TIMED):
        look = method_look(name)
        points = [(get(r, "features")[0], number(r, f"{what}.{name}")) for r in rows]
        ax.plot(*np.array(points).T, color=look.color, ls="none", marker=look.marker, label=look.label)
    if what == "multiply_adds":
        for factor in (1, FACTOR):
            most = threshold(*GRID, factor)
            ax.axvline(most, color=GREY, lw=0.8, ls="--")
            ax.text(most, 0.99, f" {most}", transform=ax.get_xaxis_transform(), va="top", fontsize=7)
    ax.set(yscale="log", title=what.replace("_", "-"))
    return ax


def plot_times(rows: list[Row], ax: Any) -> Any:
    """Ratios of the median times to that of position-wise, bars: 95 % bootstrap intervals."""
    base = {get(r, "ratio_base") for r in rows}
    if base != {"positionwise"}:
        raise FieldError(f"times must be ratios to 'positionwise', got {sorted(base)}")
    x = np.array([get(r, "features")[0] for r in rows], dtype=float)
    for name in TIMED:
        look = method_look(name)
        ratio = np.array([number(r, f"ratio.{name}") for r in rows])
        ends = np.array([get(r, f"ratio_interval.{name}") for r in rows]).T
        ax.errorbar(x, ratio, yerr=np.maximum([ratio - ends[0], ends[1] - ratio], 0), capsize=2,
                    elinewidth=0.8, label=look.label, **look.line_style())
    ax.axhline(1, color=method_look("positionwise").color, lw=1.2)
    ax.axhline(1 / FACTOR, **CLAIMED)
    ax.set(title="time / position-wise's", ylim=(0, None))
    return ax


def caption(rows: list[Row]) -> str:
    """What is drawn, how times were taken, and where the claim holds."""
    found = select(rows)
    places = []
    for place in PLACES:
        counts = [_count(what, head, place.channels) for what in ("parameters", "multiply_adds")
                  for head in (RECTANGLE_HEAD, POSITION_WISE_HEAD)]
        places.append(f"{place.channels} channels {counts[0]:,} against {counts[1]:,} parameters, "
                      f"{counts[2] / 1e6:.1f} M against {counts[3] / 1e6:.1f} M multiply-adds")
    ratios = [number(r, "ratio.rectangle-paper") for r in found]
    below = sum(v <= 1 / FACTOR for v in ratios)
    span = " to ".join(dict.fromkeys(f"{f(ratios):.2f}" for f in (min, max)))
    turns = sorted({int(number(r, "repeats")) for r in found})
    cpus = sorted({words(r, "provenance.cpu", "unknown processor") for r in found})
    return (
        f"Cost of the attention modules against channels, {GRID[0]} x {GRID[1]} cells. Lines: the two "
        "heads of App. G, exact counts; points: modules as built. Dotted: half of the position-wise "
        f"head, which the paper claims. The paper's places: {'; '.join(places)}. Multiply-adds are "
        f"fewer up to {threshold(*GRID)} channels and half up to {threshold(*GRID, FACTOR)} (dashed). "
        "Right: median time of a forward pass on one image over that of position-wise; bars: 95 % "
        f"bootstrap intervals over {' or '.join(map(str, turns))} turns (one thread, "
        f"{', '.join(cpus)}). The paper's head takes {span} times as long at "
        f"{plural(len(found), 'number')} of channels, at most half at {below} of them.")


def _count(what: str, head: Any, channels: int) -> int:
    return (parameters(head, channels) if what == "parameters"
            else multiply_adds(head, channels, *GRID))
