"""Finding: what Theorem 1 promises, what needs no theorem, what informs, and what is measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from statistics import mean
from typing import Any

import numpy as np

from paper_figures.certificates import select
from paper_figures.fields import get, number, plural
from paper_figures.findings import Finding, span, status_of
from paper_figures.methods import COMPARED, mean_and_bars, method_look
from paper_figures.slack import largest
from paper_figures.style import COLUMN
from theory.bounds import DELTA
from theory.bounds.table import table

ROWS = "certificates.jsonl"
CLAIMS = ("thm-1", "ceiling", "sharp-bound")
SHOWN = {
    ("theorem_1", "trained"): "Theorem 1",
    ("ceiling", "trained"): "ceiling, certain",
    ("pac_bayes_kl", "split"): "in sample,\nPAC-Bayes",
    ("betting", "trained"): "held out,\nbetting",
    ("measured", ""): "measured",
}
SHIFTS = {"rectangle": -0.14, "positionwise": 0.14}


def values(rows: list[dict[str, Any]]) -> dict[str, dict[tuple[str, str], list[float]]]:
    """By method, the upper bounds of ``SHOWN`` and the measured rates at the largest N, one a run."""
    out: dict[str, dict[tuple[str, str], list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in largest(select(rows)):
        mine = out[get(row, "method")]
        for line in table(row, DELTA):
            key = line["bound"], line["predictor"]
            if key in SHOWN:
                mine[key].append(line["upper"])
        mine["measured", ""].append(number(row, "test.missing_rate"))
    return {method: dict(found) for method, found in out.items()}


def below_ceiling(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """How many rows have a bound of Theorem 1 below the ceiling, and how many rows there are."""
    found = [{line["bound"]: line["upper"] for line in table(row, DELTA)} for row in select(rows)]
    return sum(v["theorem_1"] < v["ceiling"] for v in found), len(found)


def finding(rows: list[dict[str, Any]], statuses: Mapping[str, str]) -> Finding:
    """Theorem 1 against ceiling, bound and data, for rectangles (or the one method there is)."""
    found = values(rows)
    method = next(m for m in COMPARED if m in found)
    mine = found[method]
    theorem, roof = mean(mine["theorem_1", "trained"]), mean(mine["ceiling", "trained"])
    informs, total = below_ceiling(rows)
    status = status_of(statuses, "thm-1")
    verdict = {"vacuous": "is true and says nothing"}.get(status, f"is {status}")
    n = max(int(number(r, "n")) for r in select(rows))
    text = (f"It promises a missing rate of at most {theorem:.2f} at N = {n}; none can exceed "
            f"{roof:.2f} anyway, and {span(mine['measured', ''])} is measured. It is below that "
            "ceiling "
            f"in {informs} of {plural(total, 'run')}. ")
    better = [f"{span(mine[key])} {words}" for key, words in (
        (("pac_bayes_kl", "split"), "for networks of half of the images, counted on the other "
                                    "half (PAC-Bayes)"),
        (("betting", "trained"), "for these networks on held-out images (betting)")) if key in mine]
    if better:
        text += f"Bounds that inform give {' and '.join(better)}."
    return Finding(f"Theorem 1 {verdict}", f"{theorem:.2f}",
                   f"promised; measured {mean(mine['measured', '']):.3f}", text)


def layout(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """One panel."""
    return 1, 1


def size(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Inches."""
    return COLUMN, 2.3


def plot(rows: list[dict[str, Any]], ax: Any) -> Any:
    """A line a bound, a point a method, on a logarithmic axis."""
    found = values(rows)
    keys = [k for k in SHOWN if all(k in mine for mine in found.values())]
    for method, mine in sorted(found.items(), key=lambda item: list(COMPARED).index(item[0])):
        look = method_look(method)
        middle, bars = mean_and_bars([mine[k] for k in keys])
        ax.errorbar(middle, np.arange(len(keys)) + SHIFTS[method], xerr=bars,
                    fmt=look.marker, color=look.color, ms=5, capsize=2, elinewidth=0.8,
                    label=COMPARED[method])
    ax.axvline(1.0, color="0.35", lw=0.8, ls="--")
    ax.set(xscale="log", xlabel="missing rate, or bound on it", ylim=(len(keys) - 0.5, -0.5))
    ax.set_yticks(range(len(keys)), [SHOWN[k] for k in keys])
    ticks = (0.01, 0.03, 0.1, 0.3, 1.0)
    ax.set_xticks(ticks, [f"{v:g}" for v in ticks])
    ax.minorticks_off()
    ax.grid(axis="y", visible=False)
    ax.legend(loc="upper left")
    return ax


def caption(rows: list[dict[str, Any]]) -> str:
    """What is drawn, n, bars."""
    mine = largest(select(rows))
    return (f"Upper bounds (δ = {DELTA:g}) and measured missing rates of networks trained on labels "
            "with N = "
            f"{int(number(mine[0], 'n'))} images. Points: mean over "
            f"{plural(len({get(r, 'seed') for r in mine}), 'seed')}; bars: from the smallest to the "
            "largest. "
            "Dashed: 1, which no rate exceeds.")
