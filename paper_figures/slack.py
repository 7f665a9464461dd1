"""Where the bounds lose: the slack of each between the empirical and the bound, by cause."""

from __future__ import annotations

from typing import Any

import numpy as np

from paper_figures.certificates import compared, select, tables
from paper_figures.fields import get, number, plural
from paper_figures.methods import COMPARED, one_legend
from paper_figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, PAGE, PURPLE, RED, SKY
from theory.bounds import DELTA

SHOWN = (
    ("theorem_1", "trained", "Theorem 1"),
    ("sharp_bound", "trained", "exact complexity"),
    ("contraction", "near-layer", "last layer, norm (L)"),
    ("cellwise", "near-layer", "last layer, norm (L)"),
    ("occam", "few-bits", "last layer, few bits"),
    ("pac_bayes_kl", "initial", "PAC-Bayes, start"),
    ("pac_bayes_kl", "initial-trained", "PAC-Bayes, start, trained"),
    ("pac_bayes_kl", "split-trained", "PAC-Bayes, quarter, masks"),
    ("pac_bayes_kl", "split", "PAC-Bayes, half"),
    ("disintegrated", "split", "one drawn, half"),
    ("chernoff", "trained", "held out: kl"),
    ("betting", "trained", "held out: betting"),
)
OTHERS = {"rectangle": ("cellwise", "near-layer"), "positionwise": ("contraction", "near-layer")}
"""The norm bound that a method does not have."""

NEAR = SHOWN[7:]
"""Those that are near the measured rate."""

CAUSES = {
    "empirical": ("empirical loss", RED),
    "relevance": ("relevance level", BLACK),
    "worst maps": ("worst maps of the class", GREY),
    "class size": ("size of the class", PURPLE),
    "complexity": ("complexity of the class", GREEN),
    "norm choice": ("choice of the norm", "#999933"),
    "divergence": ("divergence KL(Q‖P)", ORANGE),
    "prior choice": ("choice of the prior", "#F0E442"),
    "draws": ("Monte Carlo", SKY),
    "confidence": ("confidence", BLUE),
}


def drawn(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that are drawn: those at the largest N."""
    return largest(select(rows))


def layout(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """One column a method; below, the short bars once more, larger."""
    return 2, len(compared(drawn(rows)))


def size(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Inches."""
    return 1.6 + (PAGE - 1.6) * layout(rows)[1] / 2, 5.6


def plot(rows: list[dict[str, Any]], ax: Any) -> Any:
    """Stacked bars at the largest N, one a bound; a line where the measured rate is."""
    found = largest(select(rows))
    methods = compared(found)
    panels = np.asarray(ax, dtype=object).reshape(2, len(methods))
    for shown, line in zip((SHOWN, NEAR), panels, strict=True):
        for method, panel in zip(methods, line, strict=True):
            plot_panel(rows, panel, method, shown)
            panel.set_title(COMPARED[method] + ("" if shown is SHOWN else ", the short ones"))
            if panel is not line[0]:
                panel.set_yticklabels([])
        most = max(panel.get_xlim()[1] for panel in line)
        for panel in line:
            panel.set_xlim(0, most)
    for panel in panels[0]:
        panel.set_xlabel("")
    one_legend(panels, 3)
    return ax


def largest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with the most training images."""
    top = max(int(number(r, "n")) for r in rows)
    return [r for r in rows if r["n"] == top]


def plot_panel(
    rows: list[dict[str, Any]], ax: Any, method: str,
    shown: tuple[tuple[str, str, str], ...] = SHOWN,
) -> Any:
    """The bars of one method at the largest N: means over the seeds of each stage's share."""
    found = [r for r in largest(select(rows)) if r["method"] == method]
    known = tables(rows, found)
    shown = tuple(s for s in shown if s[:2] != OTHERS.get(method))
    left, seen = np.zeros(len(shown)), set()
    for i, (bound, who, _) in enumerate(shown):
        if not all((bound, who) in lines for lines in known):
            continue
        lines = [each[bound, who] for each in known]
        parts = {"empirical": np.mean([line["start"] for line in lines])}
        for line in lines:
            for cause, value in line["slack"].items():
                parts[cause] = parts.get(cause, 0.0) + value / len(lines)
        for cause, value in parts.items():
            label, color = CAUSES[cause]
            ax.barh(i, value, left=left[i], color=color, height=0.7, lw=0,
                    label=label if cause not in seen else None)
            seen.add(cause)
            left[i] += value
        own = [line["test"] for line in lines if line["test"] is not None]
        if own:
            ax.plot(np.mean(own), i, ls="", marker="D", ms=4, mfc="white", mec=BLACK, mew=0.9,
                    label=None if "own" in seen else "of what is bounded, on test images")
            seen.add("own")
    measured = float(np.mean([number(r, "test.missing_rate") for r in found]))
    ax.axvline(measured, color=BLACK, lw=1.2, ls="--", label="the trained network on test images")
    ax.set_yticks(range(len(shown)), [name for _, _, name in shown])
    ax.invert_yaxis()
    ax.set(xlabel="missing rate")
    ax.grid(axis="y", visible=False)
    return ax


def caption(rows: list[dict[str, Any]]) -> str:
    """What is drawn, and how a share is defined."""
    found = largest(select(rows))
    seeds = len({get(r, "seed") for r in found})
    return (f"Bounds at N = {found[0]['n']} (δ = {DELTA:g}) taken apart: the empirical loss, then "
            "what each step adds, in the order in which it is paid (means over "
            f"{plural(seeds, 'seed')}). The shares depend on that order: the same nats cost more or "
            "less on the curved scale of an inverse divergence. (L): the soft missing rate, for the "
            "rectangle of the paper's head. Dashed line: the missing rate of the trained "
            "network on test images; diamonds: the rate of what each bound is of (networks of half of "
            "the images or of a quarter with masks, a rounded layer, the soft rate). No error bars: "
            "the spread between seeds is that of the figure before.")
