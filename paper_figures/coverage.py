"""How often each bound misses, against its level: as it is, and made 20 % too small."""

from __future__ import annotations

from typing import Any

import numpy as np

from paper_figures.fields import FieldError, get, number, of_kind, words
from paper_figures.style import BLACK, BLUE, ORANGE, PAGE, RED

KINDS = ("coverage-held-out", "coverage-class", "coverage-exact")
LANES = {
    "hoeffding": "Hoeffding", "chernoff": "kl (Chernoff)", "clopper_pearson": "Clopper–Pearson",
    "maurer_pontil": "Maurer–Pontil", "betting": "betting", "occam": "Occam, kl",
    "occam_hoeffding": "Occam, Hoeffding", "pac_bayes_kl": "PAC-Bayes-kl",
    "pac_bayes_quadratic": "PAC-Bayes quadratic", "pac_bayes_lambda": "PAC-Bayes-λ",
    "pac_bayes_catoni": "PAC-Bayes, Catoni", "disintegrated": "one drawn predictor",
}
"""Bounds, from the top; held out first, then those on the predictors of a class."""
SORTED = "order chosen after\nseeing the losses"
COLOURS = {"unrefuted": BLUE, "refuted": RED, "": ORANGE}
FILL = 0.8
"""Share of a lane's height that its cells take."""


def layout(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """The bounds as they are, and the same made too small."""
    return 1, 2


def size(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Inches."""
    return PAGE, 1.3 + 0.37 * len(lanes(rows))


def lanes(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Label -> cells: one lane a bound, the last for cells without a guarantee."""
    out: dict[str, list[dict[str, Any]]] = {}
    found = of_kind(rows, *KINDS)
    unknown = {get(r, "bound") for r in found} - set(LANES)
    if unknown:
        raise FieldError(f"bound must be one of {tuple(LANES)}, got {sorted(unknown)}")
    for name, label in LANES.items():
        some = [r for r in found if r["bound"] == name and get(r, "guaranteed")]
        if some:
            out[label] = some
    free = [r for r in found if not r["guaranteed"]]
    return {**out, SORTED: free} if free else out


def plot(rows: list[dict[str, Any]], ax: Any) -> Any:
    """Draw one lane a bound; every cell by its interval, or its exact probability of a miss."""
    panels = np.asarray(ax).ravel()
    titles = ("as they are", f"made {_percent()} smaller on purpose")
    for panel, smaller, title in zip(panels, (False, True), titles, strict=True):
        plot_panel(rows, panel, smaller=smaller)
        panel.set_title(title)
        panel.label_outer()
    _legend(panels[0].figure, bool(lanes(rows).get(SORTED)))
    return ax


def plot_panel(rows: list[dict[str, Any]], ax: Any, *, smaller: bool) -> Any:
    """Miss rates in units of delta; red where a guarantee is refuted."""
    from matplotlib.collections import LineCollection

    found = lanes(rows)
    told = verdicts(rows, smaller=smaller)
    for place, (label, cells) in enumerate(found.items()):
        cells = sorted(cells, key=lambda r: rate(r, smaller=smaller))
        y = place + FILL * (np.arange(len(cells)) + 0.5 - len(cells) / 2) / -len(cells)
        said = [told.get(id(r), "") for r in cells]
        colours = [COLOURS[v] for v in said]
        drawn = [(i, interval(r, smaller=smaller)) for i, r in enumerate(cells)]
        ax.add_collection(LineCollection(
            [[(low, y[i]), (high, y[i])] for i, (low, high) in drawn if low < high],
            colors=[colours[i] for i, (low, high) in drawn if low < high], lw=0.9))
        for shown, marker in (([i for i, (a, b) in drawn if a < b], "o"),
                              ([i for i, (a, b) in drawn if a == b], "D")):
            ax.scatter([rate(cells[i], smaller=smaller) for i in shown], y[shown], marker=marker,
                       s=5 if marker == "o" else 9, lw=0, color=[colours[i] for i in shown], zorder=3)
        ax.annotate(_count(label, said, smaller), (1.0, place), (2, 0), color=BLACK, fontsize=7,
                    xycoords=("axes fraction", "data"), textcoords="offset points", va="center")
    ax.axvline(1, color=BLACK, lw=1.2, zorder=4)
    for place in range(len(found) - 1):
        ax.axhline(place + 0.5, color="#E3E3E3", lw=0.6)
    ax.set_xscale("symlog", linthresh=1, linscale=1.6)
    ticks = (0, 0.5, 1, 10, 100)
    ax.set_xticks(ticks, [f"{v:g}" for v in ticks])
    ax.minorticks_off()
    ax.set_yticks(range(len(found)), list(found))
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", visible=False)
    ax.set(xlabel="probability of a miss, in units of δ", xlim=(-0.05, 100),
           ylim=(len(found) - 0.5, -0.5))
    return ax


def rate(row: dict[str, Any], *, smaller: bool) -> float:
    """Miss rate of a cell over delta; where there are no samples, the largest exact probability."""
    if row["kind"] == "coverage-exact":
        return number(row, "worst_probability" + "_smaller" * smaller) / number(row, "delta")
    return number(row, "misses" + "_smaller" * smaller) / number(row, "repeats") / number(row, "delta")


def interval(row: dict[str, Any], *, smaller: bool) -> tuple[float, float]:
    """Ends of the exact binomial interval over delta; twice the rate for an exact probability."""
    if row["kind"] == "coverage-exact":
        return (rate(row, smaller=smaller),) * 2
    delta = number(row, "delta")
    if not smaller:
        return number(row, "rate_low") / delta, number(row, "rate_high") / delta
    from sims.theorem_1_coverage import binomial_interval

    low, high = binomial_interval(int(number(row, "misses_smaller")), int(number(row, "repeats")),
                                  number(row, "level"))
    return low / delta, high / delta


def verdicts(rows: list[dict[str, Any]], *, smaller: bool) -> dict[int, str]:
    """``id(row) -> refuted or unrefuted`` for the cells with a guarantee, judged all together."""
    from sims.coverage_cells import judge

    some = [r for label, cells in lanes(rows).items() if label != SORTED for r in cells]
    for row in some:
        rate(row, smaller=smaller)  # says which field a row lacks
    told = judge(some, "misses_smaller" if smaller else "misses")
    return {id(row): verdict for row, verdict in zip(some, told, strict=True)}


def caption(rows: list[dict[str, Any]]) -> str:
    """What is drawn, how it is judged, and what it says."""
    from sims.coverage_cells import ALARM

    found = lanes(rows)
    free = found.pop(SORTED, [])
    cells = [r for some in found.values() for r in some]
    plain, small = (verdicts(rows, smaller=s) for s in (False, True))
    bad, fooled = (list(told.values()).count("refuted") for told in (plain, small))
    sampled = [r for r in cells if r["kind"] != "coverage-exact"]
    caught = sum(any(small[id(r)] == "refuted" for r in some) for some in found.values())
    level = ", ".join(f"{100 * v:g} %" for v in sorted({number(r, "level") for r in sampled}))
    text = (f"How often each bound misses, over its level δ, in {len(cells)} cells with a guarantee "
            f"(laws of losses, N, δ). Left: {bad} refuted, by exact binomial tails "
            f"at a false-alarm rate of {ALARM:g} for all cells together; "
            f"{sum(number(r, 'rate_low') > r['delta'] for r in sampled)} of {len(sampled)} intervals "
            f"lie wholly above δ. Right: with the distance to the empirical mean made {_percent()} "
            f"smaller, {fooled} cells are refuted, and {caught} of {len(found)} "
            "bounds in at least one of theirs. Dots: counted in samples, bars: exact binomial "
            f"intervals ({level}); diamonds: no samples, the largest probability of a miss over all "
            "laws of losses 0 and 1. Cells are sorted within a lane. Linear up to 1, then "
            "logarithmic.")
    if free:
        worst = max(free, key=lambda r: rate(r, smaller=False))
        text += (f" Last lane: betting on losses sorted after they were seen, which promises nothing: "
                 f"{worst['misses']} misses in {worst['repeats']} at δ = {worst['delta']:g} when "
                 f"{words(worst, 'order')}.")
    return text


def _count(label: str, said: list[str], smaller: bool) -> str:
    if label == SORTED:
        return "no\nguarantee"
    return f"{said.count('refuted')} of {len(said)}\n{'caught' if smaller else 'refuted'}"


def _legend(figure: Any, free: bool) -> None:
    from matplotlib.lines import Line2D

    entries = [("not refuted", BLUE, "o"), ("refuted", RED, "o"), ("exact probability", BLUE, "D")]
    if free:
        entries.append(("no guarantee", ORANGE, "o"))
    handles = [Line2D([], [], color=c, marker=m, ms=3.5, lw=0 if m == "D" else 1, label=text)
               for text, c, m in entries]
    handles.append(Line2D([], [], color=BLACK, lw=1.2, label="δ"))
    figure.legend(handles=handles, ncols=len(handles), loc="outside lower center")


def _percent() -> str:
    from sims.coverage import FACTOR

    return f"{100 * (1 - FACTOR):.0f} %"
