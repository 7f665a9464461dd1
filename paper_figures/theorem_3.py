"""Theorem 3 where complexity and gap are exact: what its two terms are worth."""

from __future__ import annotations

from typing import Any

import numpy as np

from paper_figures.fields import FieldError, get, number, of_kind
from paper_figures.methods import one_legend
from paper_figures.style import BLACK, BLUE, GREY, ORANGE, PAGE, RED
from theory.bounds import DELTA

KIND = "theorem-3"
FREE = "all functions"
LEAST = 4
"""A panel needs as many sizes of samples."""
PANELS = 4
GAP, COMPLEXITY = "largest gap R − R̂ over the class", "2 × complexity"
TERM, BOUND = "confidence term", "Theorem 3: both"

Setting = tuple[str, int]


def layout(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """One panel a class, in two columns where their number is even."""
    count = len(settings(rows))
    return (count, 1) if count % 2 else (count // 2, 2)


def size(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Inches."""
    lines, columns = layout(rows)
    return PAGE * columns / 2, 0.7 + 2.1 * lines


def select(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows at the level that is drawn."""
    found = [r for r in of_kind(rows, KIND) if number(r, "delta") == DELTA]
    if not found:
        raise FieldError(f"no rows of kind {KIND!r} with delta = {DELTA:g}")
    return found


def settings(rows: list[dict[str, Any]]) -> list[Setting]:
    """Classes and atoms with enough sizes: all functions last, by atoms; the last four."""
    sizes: dict[Setting, set[int]] = {}
    for row in select(rows):
        sizes.setdefault((get(row, "class"), int(number(row, "atoms"))), set()).add(number(row, "n"))
    found = sorted((s for s, n in sizes.items() if len(n) >= LEAST), key=_order)
    if not found:
        raise FieldError(f"no class with {LEAST} sizes of samples")
    return found[-PANELS:]


def plot(rows: list[dict[str, Any]], ax: Any) -> Any:
    """Draw one panel a class."""
    panels = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
    for (name, atoms), panel in zip(settings(rows), panels, strict=True):
        plot_panel([r for r in select(rows) if (r["class"], r["atoms"]) == (name, atoms)], panel)
        panel.set_title(f"{name}, {atoms} inputs")
    limits = [panel.get_ylim() for panel in panels]
    for panel in panels:
        panel.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
    columns = layout(rows)[1]
    for panel in panels[::columns]:
        panel.set_ylabel("gap and bounds")
    for panel in panels[-columns:]:
        panel.set_xlabel("$N$")
    one_legend(panels, 2 * columns)
    return ax


def plot_panel(rows: list[dict[str, Any]], ax: Any) -> Any:
    """Mean gap with a bar up to the largest, the two terms, and their sum."""
    rows = sorted(rows, key=lambda r: number(r, "n"))
    n = np.array([number(r, "n") for r in rows])
    gap, most = (np.array([number(r, f"gap_{k}") for r in rows]) for k in ("mean", "max"))
    complexity, term = terms(rows)
    ax.plot(n, complexity + term, color=BLACK, ls="-", marker="v", label=BOUND)
    ax.plot(n, complexity, color=BLUE, ls="--", marker="s", mfc="none", ms=6, label=COMPLEXITY)
    ax.plot(n, term, color=ORANGE, ls=":", marker="x", label=TERM)
    ax.errorbar(n, gap, yerr=[np.zeros(len(n)), most - gap], color=RED, ls="-", marker="o", ms=3,
                capsize=2, elinewidth=0.9, label=GAP)
    ax.axhline(1, color=GREY, lw=0.8)
    ax.set(xscale="log", yscale="log")
    ax.set_xticks(n, [f"{int(v)}" for v in n])
    ax.yaxis.set_major_formatter("{x:g}")
    ax.minorticks_off()
    return ax


def terms(rows: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """``2 R_S`` in the mean over the samples, and the confidence term, at each row."""
    from theory.bounds import confidence_term

    complexity = np.array([2 * number(r, "complexity_mean") for r in rows])
    return complexity, np.array([float(confidence_term(number(r, "n"), r["delta"])) for r in rows])


def caption(rows: list[dict[str, Any]]) -> str:
    """What is drawn, how many samples, bars, and how often the bound fails."""
    found = select(rows)
    repeats = sorted({int(number(r, "repeats")) for r in found})
    samples = sum(r["repeats"] for r in found)
    failures = sum(int(number(r, "theorem_3_failures")) for r in found)
    bare = [r for r in found if number(r, "failures_without_complexity") == r["repeats"]]
    text = (f"Theorem 3 at δ = {DELTA:g} on classes of predictors of axis-aligned rectangles whose "
            "empirical Rademacher complexity and largest gap between risk and empirical risk are "
            f"exact. Circles: mean of the gap over {' or '.join(map(str, repeats))} samples per N, "
            "bars: up to the largest. Squares: twice the complexity, mean; crosses: 3 √(ln(2/δ)/2N). "
            f"Their sum was below the gap in {failures} of {samples} samples of all {len(found)} "
            f"settings of class, inputs and N{_apart(rows)}. ")
    if bare:
        sizes = sorted({int(r["n"]) for r in bare})
        text += (f"Without the complexity it fails in every sample for {_classes(bare, rows)} at N = "
                 f"{', '.join(map(str, sizes))}. ")
    return text + ("For all functions on inputs that rarely repeat the complexity is the whole gap and "
                   "the rest slack. Grey: 1, above which a bound on a rate says nothing.")


def _apart(rows: list[dict[str, Any]]) -> str:
    """How many settings have no panel, in words."""
    shown = settings(rows)
    left = sum((r["class"], r["atoms"]) not in shown for r in select(rows))
    return f" ({left} of them in no panel)" if left else ""


def _classes(some: list[dict[str, Any]], rows: list[dict[str, Any]]) -> str:
    names, shown = sorted({(r["class"], r["atoms"]) for r in some}, key=_order), settings(rows)
    return " and ".join(f"{name} on {atoms} inputs" + ("" if (name, atoms) in shown else " (no panel)")
                        for name, atoms in names)


def _order(setting: Setting) -> tuple[bool, int, str, int]:
    name, atoms = setting
    count = int(name.split()[0]) if name.split()[0].isdigit() else 0
    return name == FREE, count, name, atoms
