"""Test missing rate and IoU against N: every method, trivial predictors, the approximation floor."""

from __future__ import annotations

from typing import Any

import numpy as np

from paper_figures.fields import FieldError, get, number, plural
from paper_figures.methods import (
    COMPARED,
    METHODS,
    Row,
    axis_of_rates,
    axis_of_sizes,
    draw_means,
    most_common,
    one_legend,
    rows_where,
    starts,
)
from paper_figures.style import BLACK, GREY, PAGE

TRUTHS = {"rotated": "rotated rectangles", "l": "L shapes", "axis-aligned": "axis-aligned rectangles"}
LEFT_OUT = ("none", "oracle")
"""Methods without a map of their own, and the one that is given the truth."""

GRADCAM = "Grad-CAM of no attention"
FLOOR = "approximation floor of rectangles"
TRIVIAL = {
    "all_background": ("empty map", {"color": BLACK, "ls": (0, (1, 1))}),
    "centre_prior": ("centre prior", {"color": GREY, "ls": (0, (4, 1, 1, 1, 1, 1))}),
}
"""Trivial predictors: label and line; the whole grid is what SimAM marks."""

ASIDE = 0.03
"""Between neighbouring methods, in logarithms of N, so that their bars do not hide one another."""

METRICS = {"missing_rate": "test missing rate", "iou": "test IoU"}
_FREE = ("method", "supervision", "n", "seed", "analyses")


def layout(rows: list[Row]) -> tuple[int, int]:
    """Lines: missing rate and IoU; columns: kind of truth, those in the family first."""
    return len(METRICS), len(truths(select(rows)))


def size(rows: list[Row]) -> tuple[float, float]:
    """Inches."""
    return 0.5 + (PAGE - 0.5) * layout(rows)[1] / 2, 6.3


def select(rows: list[Row]) -> list[Row]:
    """Trainings on labels alone; of each kind of truth the configuration most of them share.

    Raises:
        FieldError: there is none with a map.
    """
    mine = rows_where(rows, "training", supervision="label")
    found = [r for truth in dict.fromkeys(get(r, "truth") for r in mine)
             for r in most_common([r for r in mine if r["truth"] == truth], _FREE)]
    if not any(get(r, "method") not in LEFT_OUT for r in found):
        raise FieldError("no rows of a method with a map")
    return found


def truths(rows: list[Row]) -> list[str]:
    """The kinds of truth, realisable ones (floor 0) first."""
    return sorted({get(r, "truth") for r in rows}, key=lambda t: (not _realisable(rows, t), t))


def plot(rows: list[Row], ax: Any) -> Any:
    """Draw all panels."""
    chosen = select(rows)
    columns = truths(chosen)
    panels = np.asarray(ax, dtype=object).reshape(len(METRICS), len(columns))
    for j, truth in enumerate(columns):
        mine = [r for r in chosen if r["truth"] == truth]
        for metric, panel in zip(METRICS, panels[:, j], strict=True):
            plot_panel(mine, metric, panel)
        fits = "realisable" if _realisable(chosen, truth) else "misspecified"
        panels[0, j].set_title(f"{TRUTHS.get(truth, truth)} ({fits})")
    for line in panels:
        limits = np.array([p.get_ylim() for p in line])
        for panel in line:
            panel.set_ylim(limits[:, 0].min(), limits[:, 1].max())
            panel.label_outer()
    order = [look.label for look in METHODS.values()] + [GRADCAM]
    one_legend(panels, 3, order)
    return ax


def plot_panel(rows: list[Row], metric: str, ax: Any) -> Any:
    """One metric for one kind of truth."""
    if metric == "missing_rate":
        axis_of_rates(ax)
    sizes = sorted({int(number(r, "n")) for r in rows})
    drawn = [m for m in METHODS if m not in LEFT_OUT and any(get(r, "method") == m for r in rows)]
    aside = np.exp(ASIDE * (np.arange(len(drawn)) - (len(drawn) - 1) / 2))
    for method, factor in zip(drawn, aside, strict=True):
        look = METHODS[method]
        _curve([r for r in rows if r["method"] == method], f"test.{metric}", factor, ax,
               label=look.label, **look.line_style())
    found = "iou_chosen" if metric == "iou" else metric
    _curve([r for r in rows if r.get("gradcam")], f"gradcam.{found}", 1.0, ax, label=GRADCAM,
           color=BLACK, marker="x", ls="-.", lw=0.9)
    for name, (label, look) in TRIVIAL.items():
        # a run's predictor is fitted on its training truths, all have the same test law
        y = [np.mean([number(r, f"trivial.{name}.{metric}") for r in rows if r["n"] == n])
             for n in sizes]
        alone = len(sizes) == 1
        ax.plot([sizes[0] / 2, sizes[0] * 2] if alone else sizes, y * 2 if alone else y, lw=1.2,
                label=label, **look)
    floors = [number(r, "floor") for r in rows]
    if metric == "missing_rate" and max(floors) > 0:
        ax.axhline(float(np.mean(floors)), color=GREY, lw=1.6, label=FLOOR)
    axis_of_sizes(sizes, ax)
    ax.set_ylabel(METRICS[metric])
    return ax


def caption(rows: list[Row]) -> str:
    """What is drawn, n, bars, the floor, and who comes how near to it."""
    chosen = select(rows)
    columns = truths(chosen)
    tests = sorted({int(number(r, "n_test")) for r in chosen})
    seeds = sorted({len({r["seed"] for r in chosen if (r["method"], r["n"], r["truth"]) == key})
                    for key in {(r["method"], r["n"], r["truth"]) for r in chosen}})
    text = (
        "Learning curves of networks trained on labels alone: missing rate and IoU of the maps on "
        f"the attention grid, {' or '.join(map(str, tests))} test images a run. Points: mean over "
        f"{' or '.join(map(str, seeds))} seeds; bars: from the smallest to the largest. Masks are the "
        "hard rectangle, {f ≥ 1/2} where there is none; Grad-CAM's IoU is at a threshold chosen on "
        "validation images. The centre prior is the best constant mask of the training truths; the "
        "whole grid, not drawn, is what SimAM marks. Points of one N are set apart a little. "
        f"{starts(chosen)}")
    for truth in columns:
        mine = [r for r in chosen if r["truth"] == truth]
        floor = float(np.mean([number(r, "floor") for r in mine]))
        top = max(int(r["n"]) for r in mine)
        name = TRUTHS.get(truth, truth)
        text += (f"{name[0].upper() + name[1:]}: the best rectangle misses "
                 f"{'nothing' if floor == 0 else f'{floor:.3f} (exact, on the first test images)'}; "
                 f"at N = {top} ")
        ends = [(METHODS[m].label, [number(r, "test.missing_rate") for r in mine
                                    if (r["method"], r["n"]) == (m, top)])
                for m in COMPARED]
        text += " and ".join(f"{label} {np.mean(v):.3f} (n = {len(v)})" for label, v in ends if v)
        text += ". "
    left = len([r for r in rows if r.get("kind") == "training"]) - len(chosen)
    return text + (f"{plural(left, 'row')} of other supervisions or configurations not drawn."
                   if left else "")


def _curve(rows: list[Row], path: str, aside: float, ax: Any, **look: Any) -> None:
    if not rows:
        return
    sizes = sorted({int(number(r, "n")) for r in rows})
    groups = [[number(r, path) for r in rows if r["n"] == n] for n in sizes]
    draw_means(np.array(sizes) * aside, groups, ax, **look)


def _realisable(rows: list[Row], truth: str) -> bool:
    """Whether every floor of that kind of truth is 0."""
    return all(number(r, "floor") == 0 for r in rows if r["truth"] == truth)
