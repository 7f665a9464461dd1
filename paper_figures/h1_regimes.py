"""The map of regimes: in which kinds of images a small main loss comes with a small missing rate."""

from __future__ import annotations

from typing import Any

import numpy as np

from paper_figures.fields import FieldError, number
from paper_figures.h1 import OUTCOMES, of_regimes, outcomes, relative_miss
from paper_figures.methods import COMPARED, Row, one_legend, rows_where
from paper_figures.style import BLACK, PAGE
from theory.claims.ledger_5_1_h1 import SMALL_LOSS, SMALL_MISS
from theory.claims.ledger_5_1_trained import small_beside

TICKS = (0.01, 0.03, 0.1, 0.3, 0.5, 1, 2, 5, 10, 20, 50, 100)


def layout(rows: list[Row]) -> tuple[int, int]:
    """One column a method."""
    return 1, len(COMPARED)


def size(rows: list[Row]) -> tuple[float, float]:
    """Inches."""
    return PAGE, 1.4 + 0.165 * len(order(rows))


def order(rows: list[Row]) -> list[str]:
    """The regimes from above: by what the rectangles say of (H1), then by their missing rates.

    Raises:
        FieldError: no rows of regimes, or a method without.
    """
    rows_where(rows, "training", experiment="regimes")
    by_method = {m: of_regimes(rows, m) for m in COMPARED}
    for method, found in by_method.items():
        if set(found) != set(by_method["rectangle"]) or not found:
            raise FieldError(f"both methods need the same regimes, {method} has {sorted(found)}")
    said = outcomes(rows, "rectangle")
    mean = {name: np.mean([relative_miss(r, number(r, "train.missing_rate")) for r in runs])
            for name, runs in by_method["rectangle"].items()}
    return sorted(mean, key=lambda name: (list(OUTCOMES).index(said[name]), mean[name]))


def plot(rows: list[Row], ax: Any) -> Any:
    """A line a regime, a point a run: filled where the loss is small, hollow where it is not."""
    panels, names = np.asarray(ax, dtype=object).reshape(-1), order(rows)
    for (method, title), panel in zip(COMPARED.items(), panels, strict=True):
        plot_panel(rows, method, names, panel)
        panel.set_title(title)
    low = min(p.get_xlim()[0] for p in panels)
    high = max(p.get_xlim()[1] for p in panels)
    ticks = [t for t in TICKS if low <= t <= high]
    for panel in panels:
        panel.set_xticks(ticks, [f"{t:g}" for t in ticks])
        panel.minorticks_off()
        panel.set_xlim(low, high)
    panels[0].set_yticks(range(len(names)), names)
    panels[1].set_yticks(range(len(names)), [])
    one_legend(panels, 2, [label for label, _, _ in OUTCOMES.values()])
    return ax


def plot_panel(rows: list[Row], method: str, names: list[str], ax: Any) -> Any:
    """The runs of one method."""
    found, oracle = of_regimes(rows, method), of_regimes(rows, "oracle")
    said = outcomes(rows, method)
    for kind, (label, color, marker) in OUTCOMES.items():
        for small in (True, False):
            points = [(relative_miss(r, number(r, "train.missing_rate")), names.index(name))
                      for name, runs in found.items() if said[name] == kind for r in runs
                      if (number(r, "train.loss") < small_beside(oracle.get(name, ()))) == small]
            if points:
                x, y = np.array(points).T
                ax.plot(x, y, ls="none", marker=marker, ms=5, color=color, mew=0.9,
                        mfc=color if small else "none",
                        label=label if small or kind == "silent" else "_hollow")
    ax.axvline(SMALL_MISS, color=BLACK, lw=0.8, ls="--")
    ax.axvline(1, color=BLACK, lw=0.8, ls=":")
    ax.set(xscale="log", xlabel="missing rate / empty map's", ylim=(len(names) - 0.4, -0.6))
    return ax


def caption(rows: list[Row]) -> str:
    """What is drawn and how often each outcome is found."""
    names = order(rows)
    runs = {len(v) for m in COMPARED for v in of_regimes(rows, m).values()}
    n = sorted({int(number(r, "n")) for m in COMPARED for v in of_regimes(rows, m).values() for r in v})
    text = (
        f"(H1) in {len(names)} kinds of images, {' or '.join(map(str, sorted(runs)))} runs of each "
        f"method on labels alone, N = {', '.join(map(str, n))}. Missing rate on the training images "
        "above the family's floor, over that of the empty map (dotted: 1). Filled or upright: a main "
        f"loss within {SMALL_LOSS:g} nats of the oracle's; hollow: a larger one. The object is found "
        f"left of the dashed line ({SMALL_MISS:g}). ")
    for method, title in COMPARED.items():
        said = list(outcomes(rows, method).values())
        text += (f"Of the {title} runs with a small loss every one finds it in {said.count('all')} "
                 f"kinds, some do in {said.count('some')}, none does in {said.count('none')}; no loss "
                 f"is small in {said.count('silent')}. ")
    return text + "No error bars: every run is drawn, and so few say what can happen, not how often."
