"""Finding: (H1), that a small main loss means a small missing rate, by kind of image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paper_figures.fields import FieldError, number, plural
from paper_figures.findings import Finding, span
from paper_figures.h1 import OUTCOMES, of_regimes, outcomes, relative_miss, shade_failure
from paper_figures.methods import COMPARED, method_look
from paper_figures.style import COLUMN
from theory.claims.ledger_5_1_h1 import SMALL_LOSS, SMALL_MISS
from theory.claims.ledger_5_1_trained import small_beside

ROWS = "regimes.jsonl"
CLAIMS = ("h1-regimes", "h1", "h1-random-labels")
FLOOR = 1e-3
"""Excess losses below are drawn here: the axis is logarithmic."""
LEAST = 0.05
"""Shares of the empty map's missing rate below are drawn here."""

LIMITS = (0.4, 0.8)
"""Shares of the empty map's missing rate, beside that of the claim, at which the count is told too."""


def runs(rows: list[dict[str, Any]], method: str) -> dict[str, list[dict[str, Any]]]:
    """The runs of a method by kind of image, each with what its loss and missing rate are beside.

    Raises:
        FieldError: none, or a run lacks a field of its missing rate relative to the empty map's.
    """
    found = of_regimes(rows, method)
    if not found:
        raise FieldError(f"no rows of the method {method!r} with a regime")
    for mine in found.values():
        for row in mine:
            share(row)
    return found


def share(row: dict[str, Any]) -> float:
    """Training missing rate over that of the empty map, both above the family's floor."""
    return relative_miss(row, number(row, "train.missing_rate"))


def excess(row: dict[str, Any], oracle: Mapping[str, list[dict[str, Any]]]) -> float:
    """The training loss, in nats above the mean of networks that are given the true masks there."""
    return number(row, "train.loss") - small_beside(oracle.get(row["regime"], ())) + SMALL_LOSS


def sorted_kinds(rows: list[dict[str, Any]], method: str) -> dict[str, list[str]]:
    """Kinds of image by what (H1) does there, the keys of :data:`paper_figures.h1.OUTCOMES`."""
    runs(rows, method)  # refuses rows without what is counted
    said = outcomes(rows, method)
    return {group: [kind for kind, what in said.items() if what == group] for group in OUTCOMES}


def finding(rows: list[dict[str, Any]], statuses: Mapping[str, str]) -> Finding:
    """In how many kinds of image (H1) holds for rectangles."""
    kinds, other = sorted_kinds(rows, "rectangle"), sorted_kinds(rows, "positionwise")
    blind = [number(r, "test.iou") for kind in kinds["none"] for r in runs(rows, "rectangle")[kind]]
    seen = f" (IoU {span(blind)})" if blind else ""
    partly = f", in {len(kinds['some'])} some do" if kinds["some"] else ""
    silent = plural(len(kinds["silent"]), "kind")
    untested = f"; in {silent} more no run reaches it, which tests nothing" if kinds["silent"] else ""
    others = " or ".join(f"{v:g}" for v in LIMITS)
    text = ("There every rectangle that reaches a small loss covers the object, in "
            f"{len(kinds['none'])} none does{seen}{partly}{untested}. Covers: misses less than "
            f"{SMALL_MISS:g} of what the empty map misses; with {others} in place of that it is "
            f"{' or '.join(str(covered(rows, v)) for v in LIMITS)} kinds. Position-wise maps: "
            f"{len(other['all'])} of {reached(other)}. What training makes small is the main loss; "
            "whether that makes the missing rate small, of which Theorem 1 speaks, depends on data, "
            "trunk and maps together.")
    limited = kinds["none"] or kinds["some"]
    head = ("(H1), that a small loss means a small missing rate, "
            + ("holds on some images only" if limited else "failed on no kind of image tried"))
    mine = [r for found in runs(rows, "rectangle").values() for r in found]
    counts = sorted({len(found) for found in runs(rows, "rectangle").values()})
    n = sorted({int(number(r, "n")) for r in mine})
    return Finding(head, f"{len(kinds['all'])} of {reached(kinds)}",
                   "kinds of image where rectangles reach a small loss", text,
                   f"N = {' or '.join(map(str, n))}, {' or '.join(map(str, counts))} "
                   f"run{'' if counts == [1] else 's'} of each kind and method")


def reached(kinds: Mapping[str, list[str]]) -> int:
    """How many kinds of image have a run with a small loss."""
    return sum(len(found) for group, found in kinds.items() if group != "silent")


def covered(rows: list[dict[str, Any]], limit: float) -> int:
    """In how many kinds all rectangles with a small loss miss below ``limit`` of the empty map's."""
    oracle = of_regimes(rows, "oracle")
    small = [[share(r) for r in found if excess(r, oracle) < SMALL_LOSS]
             for found in runs(rows, "rectangle").values()]
    return sum(bool(shares) and max(shares) < limit for shares in small)


def layout(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """One panel."""
    return 1, 1


def size(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Inches."""
    return COLUMN, 2.3


def plot(rows: list[dict[str, Any]], ax: Any) -> Any:
    """A point a run: loss above the oracle's, and missing rate over the empty map's."""
    oracle = of_regimes(rows, "oracle")
    for method in COMPARED:
        look = method_look(method)
        mine = [r for found in runs(rows, method).values() for r in found]
        ax.plot([max(excess(r, oracle), FLOOR) for r in mine],
                [max(share(r), LEAST) for r in mine], ls="", ms=4, marker=look.marker, color=look.color,
                mfc="none", label=COMPARED[method])
    ax.axvline(SMALL_LOSS, color="0.35", lw=0.8, ls="--")
    ax.axhline(SMALL_MISS, color="0.35", lw=0.8, ls="--")
    ax.set(xscale="log", yscale="log", xlim=(FLOOR / 1.6, None), ylim=(LEAST / 1.3, None),
           xlabel="training loss above the oracle's (nats)", ylabel="missing rate / empty map's")
    ticks = (0.1, 0.5, 1, 10)
    ax.set_yticks(ticks, [f"{v:g}" for v in ticks])
    ax.minorticks_off()
    shade_failure(ax)
    ax.legend(loc="lower right")
    return ax


def caption(rows: list[dict[str, Any]]) -> str:
    """What is drawn, n, that there are no bars."""
    kinds = len(runs(rows, "rectangle"))
    points = sum(len(v) for m in COMPARED for v in runs(rows, m).values())
    return (f"Each point is one of {plural(points, 'training run')} on {plural(kinds, 'kind')} of "
            "image; no error "
            f"bars. Left of the upright line the loss is small, within {SMALL_LOSS:g} nats of that of "
            "networks that "
            f"are given the true masks (losses below {FLOOR:g} and ratios below {LEAST:g} are drawn "
            "there). Below the level line the map "
            f"finds the object: its training missing rate is below {SMALL_MISS:g} of the empty map's, "
            "both above "
            "the family's floor. In the shaded corner above left (H1) fails: it holds for a kind "
            "of image when none of its points lies there and some left of the line.")
