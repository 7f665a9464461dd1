"""All bounds against the measured missing rate: rectangles and position-wise maps, from real runs."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from paper_figures.certificates_one import bounds_of, plot_lines
from paper_figures.fields import FieldError, get, number, plural
from paper_figures.methods import (
    COMPARED,
    axis_of_rates,
    axis_of_sizes,
    draw_means,
    legend_entries,
)
from paper_figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, PAGE, PURPLE, RED, SKY
from theory.bounds import DELTA, adversary_risk
from theory.bounds.table import table

LINEAR = {"rectangle": "rectangle-paper"}
"""Whose rows have the norms of a panel: the last layer of the coords head is not linear in features."""

Key = tuple[str, str]


@dataclass(frozen=True)
class Group:
    """A line of panels: the curves by (bound, predictor), with label and look."""

    title: str
    curves: dict[Key, tuple[str, dict[str, Any]]]


ADVERSARY = ("memorises the sample: its risk", {"color": BLACK, "ls": ":", "marker": "x"})
GROUPS = (
    Group("classes", {
        ("theorem_1", "trained"): ("Theorem 1", {"color": GREY, "ls": "--", "marker": "v"}),
        ("ceiling", "trained"): ("ceiling (1 − ρ)/2", {"color": BLACK, "ls": "-", "marker": ""}),
        ("sharp_bound", "trained"): ("exact complexity", {"color": GREY, "ls": "-.", "marker": "^"}),
        ("occam", "trained"): ("Occam, 32 bits a weight",
                               {"color": PURPLE, "ls": ":", "marker": "s"}),
        ("contraction", "near-layer"): ("last layer, norm, near half (L)",
                                        {"color": ORANGE, "ls": "-", "marker": "D"}),
        ("contraction", "last-layer"): ("last layer, norm, near 0 (L)",
                                        {"color": ORANGE, "ls": ":", "marker": "d"}),
        ("cellwise", "near-layer"): ("last layer, norm, near half (L)",
                                     {"color": ORANGE, "ls": "-", "marker": "D"}),
        ("cellwise", "last-layer"): ("last layer, norm, near 0 (L)",
                                     {"color": ORANGE, "ls": ":", "marker": "d"}),
        ("occam", "few-bits"): ("last layer, few bits", {"color": PURPLE, "ls": "-", "marker": "P"}),
        ("occam", "empty"): ("empty map, known beforehand",
                             {"color": BLUE, "ls": "-.", "marker": "1"}),
        ("occam", "constant"): ("best constant mask", {"color": GREEN, "ls": "--", "marker": "*"}),
    }),
    Group("PAC-Bayes", {
        ("pac_bayes_kl", "initial"): ("from the start", {"color": ORANGE, "ls": ":", "marker": "D"}),
        ("pac_bayes_kl", "initial-trained"): ("from the start, trained",
                                              {"color": ORANGE, "ls": "--", "marker": "d"}),
        ("pac_bayes_quadratic", "split"): ("half, quadratic = λ",
                                           {"color": PURPLE, "ls": "-.", "marker": "^"}),
        ("pac_bayes_catoni", "split"): ("half, Catoni", {"color": SKY, "ls": ":", "marker": "v"}),
        ("pac_bayes_kl", "split"): ("half, kl", {"color": GREEN, "ls": "-", "marker": "s"}),
        ("pac_bayes_kl", "split-trained"): ("quarter with masks, trained",
                                            {"color": GREEN, "ls": "--", "marker": "s", "mfc": "none"}),
        ("disintegrated", "split"): ("half, one drawn network",
                                     {"color": BLUE, "ls": "-", "marker": "P"}),
    }),
    Group("held out", {
        ("hoeffding", "trained"): ("Hoeffding", {"color": SKY, "ls": ":", "marker": "1"}),
        ("clopper_pearson", "one-position"): ("Clopper-Pearson (P)",
                                              {"color": PURPLE, "ls": "-.", "marker": "x"}),
        ("chernoff", "trained"): ("kl (Chernoff)", {"color": GREEN, "ls": "--", "marker": "2"}),
        ("maurer_pontil", "trained"): ("Maurer-Pontil", {"color": ORANGE, "ls": "-.", "marker": "+"}),
        ("betting", "trained"): ("betting", {"color": BLUE, "ls": "-", "marker": "3"}),
        ("betting", "split"): ("betting, second half (S)",
                               {"color": BLACK, "ls": "-", "marker": "s", "mfc": "none"}),
    }),
)
"""What is drawn."""

MEASURED = ("trained network, on test images", {"color": RED, "ls": "-", "marker": "o", "lw": 2.0})
TOP = 1.7


def layout(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """One column a method and one for the legends; one line a group of bounds.  With one number of
    training images a panel a method."""
    if one_size(rows):
        return 1, len(compared(select(rows)))
    return len(GROUPS), len(compared(select(rows))) + 1


def select(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of methods with panels that have a certificate."""
    found = [r for r in rows if get(r, "method") in COMPARED and r.get("certificate")]
    if not found:
        raise FieldError("no rows with a certificate (experiment certificates)")
    return found


def one_size(rows: list[dict[str, Any]]) -> bool:
    """Whether all rows have one number of training images: there are no curves then."""
    return len({number(r, "n") for r in select(rows)}) == 1


def compared(rows: list[dict[str, Any]]) -> list[str]:
    """The methods that rows have, of the two with panels, in the order of the panels."""
    found = {get(r, "method") for r in rows}
    return [m for m in COMPARED if m in found]


def size(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Inches."""
    return PAGE, 5.0 if one_size(rows) else 7.4


def plot(rows: list[dict[str, Any]], ax: Any) -> Any:
    """Draw the groups of bounds line by line, a column for each method."""
    found, methods = select(rows), compared(select(rows))
    if one_size(rows):
        plot_lines(rows, np.atleast_1d(np.asarray(ax, dtype=object)), methods, GROUPS)
        return ax
    panels = np.asarray(ax, dtype=object).reshape(len(GROUPS), len(methods) + 1)
    least = min(number(r, "test.missing_rate") for r in found)
    for group, line in zip(GROUPS, panels, strict=True):
        for method, panel in zip(methods, line[:-1], strict=True):
            plot_panel(rows, panel, method, group)
            panel.set_ylim(0.8 * least, TOP)
            panel.set_ylabel("missing rate" if panel is line[0] else "")
            panel.tick_params(labelleft=panel is line[0], labelbottom=group is GROUPS[-1])
            panel.set_xlabel("$N$ (training images)" if group is GROUPS[-1] else "")
            if group is GROUPS[0]:
                panel.set_title(COMPARED[method])
        entries = legend_entries(line[:-1])
        line[-1].axis("off")
        line[-1].legend(entries.values(), entries.keys(), loc="center left", title=group.title,
                        borderaxespad=0, alignment="left")
    return ax


def plot_panel(rows: list[dict[str, Any]], ax: Any, method: str, group: Group) -> Any:
    """One group's bounds and the measured rate of one method against N; bars from the smallest to the
    largest over the seeds."""
    found = [r for r in select(rows) if r["method"] == method]
    sizes = sorted({int(number(r, "n")) for r in found})
    uppers: dict[Key, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row, lines in zip(found, tables(rows, found), strict=True):
        for key, bound in lines.items():
            uppers[key][row["n"]].append(bound["upper"])
    if group is GROUPS[0]:
        adversary = [[adversary_rate(r) for r in found if r["n"] == n] for n in sizes]
        _curve(sizes, adversary, ax, *ADVERSARY)
    for key, (label, look) in group.curves.items():
        if set(uppers[key]) == set(sizes):
            _curve(sizes, [uppers[key][n] for n in sizes], ax, label, look)
    measured = [[number(r, "test.missing_rate") for r in found if r["n"] == n] for n in sizes]
    _curve(sizes, measured, ax, *MEASURED)
    axis_of_rates(ax)
    axis_of_sizes(sizes, ax)
    ax.set_ylabel("missing rate")
    return ax


def caption(rows: list[dict[str, Any]]) -> str:
    """What is drawn, n, bars, and what each curve is a bound of."""
    found = select(rows)
    seeds = len({get(r, "seed") for r in found})
    tests = ", ".join(str(n) for n in sorted({int(get(r, "n_test")) for r in found}))
    return (
        f"Upper bounds on the missing rate (δ = {DELTA:g}, each by itself) and what was measured, for "
        "networks trained on labels alone on images with rotated rectangles as truths. Points: mean "
        f"over {plural(seeds, 'seed')}; bars: from the smallest to the largest. "
        f"{_one(rows)}{_not_drawn(rows)}Classes: Theorem 1, "
        "ceiling and exact complexity hold for all functions into the family (ρ = −1); the function "
        "that memorises the sample has empirical rate 0 and the risk drawn, so that nothing below it "
        "can hold for that class. (L): Rademacher bound on the SOFT missing rate of heads whose last "
        "layer has bounded norm, by vector contraction for the paper's head (rectangle; its own runs) "
        "and cell by cell (position-wise), about 0 and about the layer of the first half; they stand "
        f"at the end of the axis when they say nothing (above {TOP:g} they are cut). Few bits: the "
        "last layer rounded, Occam. Constant mask: the best one of the family; the empty map pays "
        "for no class. "
        "PAC-Bayes: hard masks of networks with Gaussian weights in trunk and attention, with the "
        "prior at the start of training and all N images counted, or learned on the first half (or, "
        "with masks, on a quarter) and the rest counted; no image beyond the N. Dashed (trained): the "
        f"posterior was trained on masks for its bound. Held out: the trained network on {tests} test "
        "images, (P) asked for one random position of each; (S) a network drawn from the prior of the "
        "first half, on the second. What is bounded is not always the trained network: the networks of "
        "half of the images or of a quarter with masks, the rounded layer and the soft rate have rates "
        "of their own (figure slack, diamonds).")


def tables(rows: list[dict[str, Any]], of: list[dict[str, Any]]) -> list[dict[Key, dict[str, Any]]]:
    """The bounds of each row of ``of`` by (bound, predictor); those by norms of a rectangle are taken
    from the row of the linear head with the same N and seed, where ``rows`` has it."""
    norms = {(r["method"], get(r, "n"), get(r, "seed")): r for r in rows
             if r.get("method") in LINEAR.values() and r.get("certificate")}
    out = []
    for row in of:
        lines = {(b["bound"], b["predictor"]): b for b in table(row, DELTA)}
        other = norms.get((LINEAR.get(row["method"]), get(row, "n"), get(row, "seed")))
        for bound in table(other, DELTA) if other else ():
            if bound["bound"] == "contraction":
                lines[bound["bound"], bound["predictor"]] = bound
        out.append(lines)
    return out


def adversary_rate(row: dict[str, Any]) -> float:
    """The risk of a predictor of the row's family that memorises its sample."""
    # 1 for all masks: every truth has an opposite
    return float(adversary_risk(number(row, "mean_g") if row["method"] == "rectangle" else 1.0))


def _one(rows: list[dict[str, Any]]) -> str:
    if not one_size(rows):
        return ""
    return (f"These rows have one N, {get(select(rows)[0], 'n')}: a line a bound, in each group the "
            "largest first; upright lines: the measured rate, and 1. ")


def _not_drawn(rows: list[dict[str, Any]]) -> str:
    """The bounds that some rows of a method lack, as a sentence."""
    out = []
    methods = compared(select(rows))
    found = bounds_of(rows, methods, GROUPS)
    for method in methods:
        lost = [label for g in GROUPS for label in dict.fromkeys(la for la, _ in g.curves.values())
                if (g.title, label) not in found[method]]
        out += [f"of {COMPARED[method]} {', '.join(f'“{label}”' for label in lost)}"] if lost else []
    return f"Not drawn, for lack of their runs: {'; '.join(out)}. " if out else ""


def _curve(
    sizes: list[int], values: list[list[float]], ax: Any, label: str, look: dict[str, Any]
) -> None:
    draw_means(sizes, values, ax, label=label, **{"elinewidth": 0.7, "lw": 1.2, "ms": 5, **look})
