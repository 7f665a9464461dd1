"""(H1): main loss against missing rate on the training images, along trainings and over regimes."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from paper_figures.fields import FieldError, get, number, plural, row_name
from paper_figures.methods import COMPARED, Row, most_common, one_legend, rows_where
from paper_figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, PAGE, PURPLE, RED
from theory.claims.ledger_5_1_h1 import SMALL_LOSS, SMALL_MISS, family_floor, train_area
from theory.claims.ledger_5_1_trained import outcome, small_beside

LEAST_LOSS = 1e-4
"""Nats; smaller losses, and those at or below the oracle's, are drawn here."""

SIZES = ((BLUE, "o"), (GREEN, "s"), (ORANGE, "^"), (PURPLE, "D"))
"""Colour and marker by the number of training images, from the smallest."""

OUTCOMES = {
    "all": ("every run with a small loss finds the object", GREEN, "o"),
    "some": ("some do", ORANGE, "D"),
    "none": ("none does", RED, "X"),
    "silent": ("no run reaches a small loss", GREY, "+"),
}
"""What the runs of a regime say of (H1): label, colour, marker."""

_FREE = ("method", "supervision", "n", "seed", "analyses")


def layout(rows: list[Row]) -> tuple[int, int]:
    """Lines: along trainings, and regimes where rows have them; columns: method."""
    return 1 + bool(_of_regimes(rows)), len(COMPARED)


def size(rows: list[Row]) -> tuple[float, float]:
    """Inches."""
    return PAGE, 0.9 + 2.6 * layout(rows)[0]


def select(rows: list[Row]) -> list[Row]:
    """The trainings on labels alone, outside the regimes, of the configuration most of them share.

    Raises:
        FieldError: there is none of one of the two methods.
    """
    mine = [r for r in rows_where(rows, "training", supervision="label")
            if r.get("experiment") != "regimes" and get(r, "method") in COMPARED]
    found = most_common(mine, _FREE) if mine else []
    for method in COMPARED:
        rows_where(found, "training", method=method)
    return found


def drawn(rows: list[Row]) -> list[Row]:
    """The rows that are drawn: the trainings, and the regimes with the oracles beside them."""
    return select(rows) + [r for r in _of_regimes(rows) if get(r, "method") in (*COMPARED, "oracle")]


def of_regimes(rows: list[Row], method: str) -> dict[str, list[Row]]:
    """The rows of the experiment on regimes by regime, one method that has a loss and a map."""
    out: dict[str, list[Row]] = defaultdict(list)
    for row in _of_regimes(rows):
        if get(row, "method") == method:
            number(row, "train.loss"), number(row, "train.missing_rate")
            out[str(get(row, "regime"))].append(row)
    return dict(out)


def outcomes(rows: list[Row], method: str) -> dict[str, str]:
    """For each regime what its runs say of (H1): a key of :data:`OUTCOMES`."""
    oracle = of_regimes(rows, "oracle")
    return {name: outcome(runs, small_beside(oracle.get(name, ())))
            for name, runs in of_regimes(rows, method).items()}


def relative_miss(row: Row, rate: float) -> float:
    """A training missing rate above the family's floor, over that of the empty map: 1 for the empty
    map, 0 for the best map of the family.

    Raises:
        FieldError: the row lacks its grid, floor or areas, or the empty map is the family's best.
    """
    for name in ("grid", "floor", "train_areas"):
        get(row, name)
    floor, area = family_floor(row), train_area(row)
    if area <= floor:
        raise FieldError(f"{row_name(row)}: the empty map misses {area:g}, which must be above "
                         f"the floor {floor:g}")
    return (rate - floor) / (area - floor)


def plot(rows: list[Row], ax: Any) -> Any:
    """Draw all panels; the corner where (H1) fails is shaded."""
    panels = np.asarray(ax, dtype=object).reshape(layout(rows))
    chosen = select(rows)
    for j, (method, title) in enumerate(COMPARED.items()):
        plot_trainings([r for r in chosen if r["method"] == method], panels[0, j])
        panels[0, j].set_title(f"{title}, along trainings")
        if len(panels) > 1:
            plot_regimes(rows, method, panels[1, j])
            panels[1, j].set_title(f"{title}, ends in {len(of_regimes(rows, method))} regimes")
            panels[1, j].set_xlabel("main loss above the oracle's (nats)")
        panels[0, j].set_xlabel("main loss (nats)")
    for line in panels:
        low = min(p.get_ylim()[0] for p in line) / 1.3  # room for the words below
        high = max(p.get_ylim()[1] for p in line)
        for panel in line:
            panel.set(xscale="log", yscale="log", xlim=(LEAST_LOSS / 1.5, 3), ylim=(low, high))
            _corners(panel)
        line[0].set_ylabel("missing rate / empty map's")
        line[1].yaxis.set_tick_params(which="both", labelleft=False)
    one_legend(panels, 2)
    return ax


def plot_trainings(rows: list[Row], ax: Any) -> Any:
    """A line a run, from its first moment to its last, which has the marker."""
    sizes = sorted({int(number(r, "n")) for r in rows})
    if len(sizes) > len(SIZES):
        raise FieldError(f"at most {len(SIZES)} numbers of training images are drawn, got {sizes}")
    ax.set(xscale="log", yscale="log")
    for n, (color, marker) in zip(sizes, SIZES, strict=False):
        label: str | None = f"N = {n}"
        for row in (r for r in rows if r["n"] == n):
            moments = [(number(h, "loss"), relative_miss(row, number(h, "missing_rate")))
                       for h in get(row, "history")]
            x, y = np.array(moments).T
            ax.plot(np.maximum(x, LEAST_LOSS), y, color=color, lw=0.7, alpha=0.75, marker=marker,
                    markevery=[len(x) - 1], ms=5, mec="white", mew=0.5, label=label)
            label = None
    return ax


def plot_regimes(rows: list[Row], method: str, ax: Any) -> Any:
    """A point a run where it ended; its marker says what the runs of its regime say of (H1)."""
    said, oracle = outcomes(rows, method), of_regimes(rows, "oracle")
    ax.set(xscale="log", yscale="log")
    for kind, (label, color, marker) in OUTCOMES.items():
        points = [(number(r, "train.loss") - small_beside(oracle.get(name, ())) + SMALL_LOSS,
                   relative_miss(r, number(r, "train.missing_rate")))
                  for name, runs in of_regimes(rows, method).items() if said[name] == kind
                  for r in runs]
        if points:
            x, y = np.array(points).T
            ax.plot(np.maximum(x, LEAST_LOSS), y, ls="none", marker=marker, color=color, ms=5,
                    mec=color if marker == "+" else "white", mew=1.1 if marker == "+" else 0.4,
                    label=label)
    return ax


def caption(rows: list[Row]) -> str:
    """What is drawn, how many runs, and which regimes speak against (H1)."""
    chosen = select(rows)
    seeds = len({get(r, "seed") for r in chosen})
    moments = sorted({len(get(r, "history")) for r in chosen})
    text = (
        "(H1) says: a small main loss comes with a small missing rate. Networks trained on labels "
        f"alone. Above: a line a run ({len(chosen)} runs, {plural(seeds, 'seed')} a size), at "
        f"{' or '.join(map(str, moments))} moments on a fixed part of its training images; the marker "
        "is its end. Missing rates, above the family's floor, are divided by that of the empty map. "
        f"Small: a loss below {SMALL_LOSS:g} nats, a missing rate below {SMALL_MISS:g} of the empty "
        "map's (dashed); in the shaded corner above left (H1) fails. ")
    if layout(rows)[0] > 1:
        runs = len([r for r in _of_regimes(rows) if r["method"] in COMPARED])
        text += (f"Below: the ends of {runs} runs on all their training images in "
                 f"{len(of_regimes(rows, 'rectangle'))} kinds of images, the loss less the mean loss "
                 "of networks that are given the true masks there. ")
        for method, name in COMPARED.items():
            fails = [k for k, v in outcomes(rows, method).items() if v == "none"]
            text += (f"None of the small losses finds the object, {name}: "
                     f"{', '.join(fails) or 'nowhere'}. ")
    return text + (f"Losses below {LEAST_LOSS:g} are drawn there. No error bars: every run is drawn.")


def _of_regimes(rows: list[Row]) -> list[Row]:
    return [r for r in rows if r.get("kind") == "training" and r.get("experiment") == "regimes"]


def shade_failure(ax: Any) -> None:
    """Shade where (H1) fails: a small loss, a large missing rate, up to the limits of the axes."""
    left, top = ax.get_xlim()[0], ax.get_ylim()[1]
    ax.fill_between([left, SMALL_LOSS], SMALL_MISS, top, color=RED, alpha=0.09, lw=0, zorder=0)


def _corners(ax: Any) -> None:
    """The lines of what is small, and the corner of small loss and large missing rate."""
    shade_failure(ax)
    ax.axvline(SMALL_LOSS, color=BLACK, lw=0.8, ls="--")
    ax.axhline(SMALL_MISS, color=BLACK, lw=0.8, ls="--")
    place = ax.get_xaxis_transform()
    ax.text(0.9 * SMALL_LOSS, 0.97, "(H1) fails", transform=place, color=RED, va="top", ha="right")
    ax.text(0.9 * SMALL_LOSS, 0.02, "(H1) holds", transform=place, color=GREEN, ha="right")
