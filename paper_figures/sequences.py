"""How far maps follow an image that is turned, scaled and shifted, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np

from paper_figures.data_sets import images, one_data_set
from paper_figures.fields import FieldError, get, number
from paper_figures.methods import METHODS, Row, mean_and_bars, one_legend, rows_where
from paper_figures.style import BLACK, PAGE
from theory.claims.ledger_6_trained import variant_of

PATHS = {"rotation": "turned", "scaling": "scaled", "translation": "shifted",
         "composed": "all three"}
MEASURES = {"iou_truth": "IoU with the moved truth", "iou": "IoU with itself, moved"}
CEILING = "the truth with itself, moved"


def layout(rows: list[Row]) -> tuple[int, int]:
    """Lines: what the map is held against; columns: paths."""
    return len(MEASURES), len(PATHS)


def size(rows: list[Row]) -> tuple[float, float]:
    """Inches."""
    return PAGE, 4.9


def select(rows: list[Row]) -> dict[str, list[Row]]:
    """The runs with sequences by variant of method, in the order of legends.

    Raises:
        FieldError: there is none, a variant without a look, or rows of several data sets.
    """
    mine = [r for r in rows_where(rows, "training", experiment="sequences")
            if get(r, "sequences", None) is not None]
    found = {name: [r for r in mine if variant_of(r) == name] for name in METHODS}
    known = [r for runs in found.values() for r in runs]
    if not mine or len(known) < len(mine):
        lost = sorted({variant_of(r) for r in mine} - set(METHODS))
        raise FieldError(f"no rows with sequences of a known method, got {lost}")
    one_data_set(mine)
    return {name: runs for name, runs in found.items() if runs}


def drawn(rows: list[Row]) -> list[Row]:
    """The rows that are drawn."""
    return [row for runs in select(rows).values() for row in runs]


def plot(rows: list[Row], ax: Any) -> Any:
    """Draw all panels on one scale."""
    panels, found = np.asarray(ax, dtype=object).reshape(layout(rows)), select(rows)
    for (measure, title), line in zip(MEASURES.items(), panels, strict=True):
        for path, panel in zip(PATHS, line, strict=True):
            plot_panel(found, path, measure, panel)
            panel.set(ylim=(0, 1.04), xlabel="part of the path")
            panel.set_xticks((0, 0.5, 1), ("0", "½", "1"))
            panel.label_outer()
        line[0].set_ylabel(title)
    for name, panel in zip(PATHS.values(), panels[0], strict=True):
        panel.set_title(name)
    one_legend(panels, 3)
    return ax


def plot_panel(found: dict[str, list[Row]], path: str, measure: str, ax: Any) -> Any:
    """One path: the mean of each variant over its runs at every step, and the ceiling."""
    for name, runs in found.items():
        look = METHODS[name]
        part, mean, _ = along(runs, path, measure)
        ax.plot(part, mean, label=look.label, lw=1.1, **{"ms": 3.2, **look.line_style()})
    if measure == "iou":
        part, mean, _ = along([r for runs in found.values() for r in runs], path, "iou_ceiling")
        ax.plot(part, mean, color=BLACK, lw=2.2, alpha=0.35, label=CEILING)
    return ax


def along(rows: list[Row], path: str, measure: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parts of a path ``(k,)``, means over the runs ``(k,)`` and bars ``(2, k)`` of a measure."""
    values: dict[float, list[float]] = {}
    for row in rows:
        for step in get(row, "sequences.steps"):
            if get(step, "path") == path:
                named = {**step, "key": f"{row.get('key', '?')}, step {step.get('step', '?')}"}
                values.setdefault(number(named, "part"), []).append(number(named, measure))
    parts = sorted(values)
    if not parts or any(len(values[p]) != len(rows) for p in parts):
        raise FieldError(f"every run needs the same steps of the path {path!r}, got "
                         f"{[len(values[p]) for p in parts]} for {len(rows)} runs")
    return np.array(parts), *mean_and_bars([values[p] for p in parts])


def caption(rows: list[Row]) -> str:
    """What is drawn, n, the spread between seeds, and who follows how far."""
    found = select(rows)
    everything = [r for runs in found.values() for r in runs]
    seeds = len({get(r, "seed") for r in everything})
    steps = [s for r in everything for s in get(r, "sequences.steps")]
    counts = sorted({int(number(s, "n")) for s in steps})
    kept = min(int(number(s, "kept")) for s in steps)
    bars = [along(runs, path, measure)[2].sum(axis=0).max()
            for runs in found.values() for path in PATHS for measure in MEASURES]
    text = (
        "Do maps follow a moving image? Test images turned, scaled, shifted, or all three, step by "
        f"step ({' or '.join(map(str, counts))} images, those whose object is still wholly inside: at "
        f"least {kept}; {images(everything)}). Above: IoU of the map with the moved truth. Below: with "
        "its own first map, moved alike; the grey band is what the truth itself gets on these cells. "
        f"Lines: means over {seeds} seeds; no error bars are drawn: the seeds differ by at most "
        f"{max(bars):.2f}, half of the time by less than {np.median(bars):.2f}. All three, IoU with "
        "the truth at the start and the mean over the later steps: ")
    parts = []
    for name, runs in found.items():
        start = along(runs, "composed", "iou_truth")[1][0]
        later = np.mean([number(r, "sequences.summary.composed.iou_truth") for r in runs])
        parts.append(f"{METHODS[name].label} {start:.2f}, {later:.2f}")
    return (text + "; ".join(parts) + ". What does not look at the image (a fixed rectangle, the whole "
            "grid of SimAM) follows itself and not the object.")
