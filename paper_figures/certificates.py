"""All bounds against the measured missing rate: rectangles and position-wise maps, from real runs."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from paper_figures.fields import FieldError, get, number, plural
from paper_figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, PAGE, PURPLE, RED, SKY
from theory.bounds.table import table

DELTA = 0.05
METHODS = {"rectangle": "rectangle", "positionwise": "position-wise"}
CURVES: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("theorem_1", "trained"): ("Theorem 1", {"color": GREY, "ls": "--", "marker": "v"}),
    ("ceiling", "trained"): ("ceiling (1 − ρ)/2", {"color": BLACK, "ls": "-", "marker": ""}),
    ("sharp_bound", "trained"): ("all functions, exact complexity",
                                 {"color": GREY, "ls": "-.", "marker": "^"}),
    ("occam", "trained"): ("Occam, 32 bits a weight", {"color": PURPLE, "ls": ":", "marker": "x"}),
    ("pac_bayes_kl", "initial"): ("PAC-Bayes-kl, prior at the start",
                                  {"color": ORANGE, "ls": ":", "marker": "D"}),
    ("pac_bayes_kl", "initial-trained"): ("PAC-Bayes-kl, prior at the start, trained for it",
                                          {"color": ORANGE, "ls": "--", "marker": "D"}),
    ("pac_bayes_kl", "split"): ("PAC-Bayes-kl, prior of the first half",
                                {"color": GREEN, "ls": "-", "marker": "s"}),
    ("pac_bayes_kl", "split-trained"): ("PAC-Bayes-kl, the same, trained for it",
                                        {"color": GREEN, "ls": "--", "marker": "s", "mfc": "none"}),
    ("disintegrated", "split"): ("one drawn network, prior of the first half",
                                 {"color": GREEN, "ls": ":", "marker": "+"}),
    ("hoeffding", "trained"): ("held out: Hoeffding", {"color": SKY, "ls": ":", "marker": "1"}),
    ("chernoff", "trained"): ("held out: kl", {"color": BLUE, "ls": "--", "marker": "2"}),
    ("betting", "trained"): ("held out: betting", {"color": BLUE, "ls": "-", "marker": "3"}),
}
"""What is drawn, by bound and predictor: label and look."""


def layout(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """One column a method."""
    return 1, len(_methods(select(rows)))


def select(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with a certificate."""
    found = [r for r in rows if get(r, "method") in METHODS and r.get("certificate")]
    if not found:
        raise FieldError("no rows with a certificate (experiment certificates)")
    return found


def size(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Inches."""
    return 0.8 + (PAGE - 0.8) * layout(rows)[1] / 2, 4.9


def plot(rows: list[dict[str, Any]], ax: Any) -> Any:
    """Draw one panel a method."""
    rows = select(rows)
    panels = np.atleast_1d(np.asarray(ax, dtype=object))
    for method, panel in zip(_methods(rows), panels, strict=True):
        plot_panel([r for r in rows if r["method"] == method], panel)
        panel.set_title(METHODS[method])
        panel.label_outer()
    low = min(panel.get_ylim()[0] for panel in panels)
    for panel in panels:
        panel.set_ylim(low, 1.6)
    handles, labels = panels[0].get_legend_handles_labels()
    panels[0].figure.legend(handles, labels, ncols=2, loc="outside lower center")
    return ax


def plot_panel(rows: list[dict[str, Any]], ax: Any) -> Any:
    """Bounds and rates of one method against N; bars and bands from the smallest to the largest."""
    sizes = sorted({int(number(r, "n")) for r in rows})
    x = np.array(sizes, dtype=float)
    measured = [[number(r, "test.missing_rate") for r in rows if r["n"] == n] for n in sizes]
    uppers: dict[tuple[str, str], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for line in table(row, DELTA):
            uppers[line["bound"], line["predictor"]][row["n"]].append(line["upper"])
    for key, (label, look) in CURVES.items():
        if set(uppers[key]) == set(sizes):
            _curve(x, [uppers[key][n] for n in sizes], ax, label, look)
    _curve(x, measured, ax, "measured on test images",
           {"color": RED, "ls": "-", "marker": "o", "lw": 2.0})
    ax.set(xscale="log", yscale="log", xlabel="$N$ (training images)", ylabel="missing rate")
    ax.set_xticks(x, [f"{n}" for n in sizes])
    ticks = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
    ax.set_yticks(ticks, [f"{v:g}" for v in ticks])
    ax.set_ylim(0.8 * min(map(min, measured)), 1.6)
    ax.minorticks_off()
    return ax


def caption(rows: list[dict[str, Any]]) -> str:
    """What is drawn, n, bars, and what each curve is a bound of."""
    rows = select(rows)
    seeds = len({get(r, "seed") for r in rows})
    tests = sorted({int(get(r, "n_test")) for r in rows})
    return (
        f"Upper bounds on the missing rate (δ = {DELTA:g}, each by itself) and what was measured, for "
        "networks trained on labels alone on images with rotated rectangles as truths. Points: mean "
        f"over {plural(seeds, 'seed')}; bars: from the smallest to the largest. Ceiling, Theorem 1 "
        "and exact complexity hold for all functions into the family (ρ = −1); the adversary that "
        "memorises the sample has empirical rate 0 and risk E g, to which the exact complexity tends, "
        "so that nothing below it holds for that class. Occam: the class of all networks with 32 bits "
        "a weight. PAC-Bayes: the hard masks of networks with Gaussian weights in trunk and "
        "attention; prior at the initialisation and bound on the whole sample, or prior learned on "
        "the first half and bound on the second half; no held-out image. Dashed: the posterior was "
        "trained on masks for its bound. Held out: the trained network on "
        f"{', '.join(map(str, tests))} test images, which the others do not use.")


def _methods(rows: list[dict[str, Any]]) -> list[str]:
    found = {get(r, "method") for r in rows}
    return [m for m in METHODS if m in found]


def _curve(x: np.ndarray, values: list[list[float]], ax: Any, label: str, look: dict[str, Any]) -> None:
    mean = np.array([np.mean(v) for v in values])
    bars = [mean - [min(v) for v in values], [max(v) for v in values] - mean]
    ax.errorbar(x, mean, yerr=np.maximum(bars, 0), label=label, capsize=2, elinewidth=0.7,
                **{"lw": 1.2, "ms": 5, **look})
