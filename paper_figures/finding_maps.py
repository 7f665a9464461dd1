"""Finding: what the rectangle buys, in overlap and missing rate, over position-wise attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from paper_figures.bound_vs_data import select as of_one_configuration
from paper_figures.data_sets import images
from paper_figures.fields import FieldError, get, number, plural
from paper_figures.findings import Finding, span
from paper_figures.methods import COMPARED, Row, axis_of_sizes, draw_means, method_look
from paper_figures.style import COLUMN, GREY
from theory.repeats import t_interval, with_interval

ROWS = "training.jsonl"
MORE = ("depth.jsonl", "regimes.jsonl")
"""Used where they are there: what the finding depends on."""
CLAIMS = ("table-1-shapes", "sec-6.3", "app-G-params")
_TRIVIAL = {"all_background": "an empty map", "all_foreground": "the whole grid",
            "centre_prior": "the centre prior"}


def select(rows: list[Row]) -> list[Row]:
    """Label-only rows of rectangles and position-wise maps, of the configuration that most share."""
    found = of_one_configuration([r for r in rows if get(r, "supervision", None) == "label"
                                  and get(r, "experiment", "") not in ("depth", "regimes")])
    if {get(r, "method") for r in found} != set(COMPARED):
        raise FieldError(f"needs label-only rows of both methods, {' and '.join(COMPARED)}")
    return found


def cells(rows: list[Row], path: str) -> dict[str, dict[int, list[float]]]:
    """A number by method and N, one a run."""
    out: dict[str, dict[int, list[float]]] = {m: {} for m in COMPARED}
    for row in select(rows):
        out[get(row, "method")].setdefault(int(number(row, "n")), []).append(number(row, path))
    return out


def common(rows: list[Row]) -> int:
    """The largest N that both methods have."""
    by_method = cells(rows, "n")
    shared = set.intersection(*(set(v) for v in by_method.values()))
    if not shared:
        raise FieldError("the methods share no N")
    return max(shared)


def finding(rows: list[Row], statuses: Mapping[str, str]) -> Finding:
    """Overlap and missing rate at the largest N, beside the best trivial map."""
    n = common(rows)
    iou, missed, right = ({m: v[n] for m, v in cells(rows, f"test.{name}").items()}
                          for name in ("iou", "missing_rate", "accuracy"))
    fits = all(get(r, "floor", None) == 0 for r in select(rows))
    head = ("Trained on labels alone, the rectangle "
            + verdict(iou["rectangle"], iou["positionwise"])
            + (" where objects are rectangles" if fits else ""))
    name, trivial = best_trivial(rows, n)
    small, at_small = least_iou(rows)
    text = (f"Test missing rate {mean(missed['rectangle']):.3f} against "
            f"{mean(missed['positionwise']):.3f} of position-wise attention; {name} has {trivial:.3f}. "
            f"Accuracy {mean(right['rectangle']):.2f} against {mean(right['positionwise']):.2f}, on "
            f"{images(select(rows))}. With {small} images the IoU is {span(at_small)}. "
            + " ".join(filter(None, (of_the_papers_head(rows, n), of_other_shapes(rows, n),
                                     of_depth(rows), of_regimes(rows)))))
    seeds = sorted({len(v) for v in iou.values()})
    return Finding(head, with_interval(iou["rectangle"], 2),
                   f"test IoU; position-wise {with_interval(iou['positionwise'], 2)}", text.rstrip(),
                   f"N = {n}, {' or '.join(map(str, seeds))} seed{'' if seeds == [1] else 's'}"
                   + (", ± half of the 95 % t interval" if min(seeds) > 2 else ""))


def of_the_papers_head(rows: list[Row], n: int) -> str:
    """The IoU of the paper's head, and how many parameters the three attentions have; "" without."""
    shared = get(select(rows)[0], "config.shapes", None)
    theirs = [r for r in rows if get(r, "method", "") == "rectangle-paper" and r.get("n") == n
              and get(r, "supervision", "") == "label" and get(r, "config.shapes", None) == shared]
    if not theirs:
        return ""
    ours, other = (next(r for r in select(rows) if r["method"] == m) for m in COMPARED)
    counts = [f"{int(number(r, 'parameters_attention')):,}" for r in (ours, theirs[0], other)]
    return (f"The rectangle is predicted by a head of ours ({counts[0]} parameters); the paper's "
            f"({counts[1]}) reaches {with_interval([number(r, 'test.iou') for r in theirs], 2)} "
            f"({plural(len(theirs), 'seed')}), the position-wise one has {counts[2]}.")


def of_other_shapes(rows: list[Row], n: int) -> str:
    """The IoU where no rectangle is the truth (L shapes); "" without rows."""
    found = [[number(r, "test.iou") for r in rows if r.get("n") == n and get(r, "method", "") == m
              and get(r, "supervision", "") == "label" and get(r, "truth", "") == "l"
              and get(r, "experiment", "") not in ("depth", "regimes")] for m in COMPARED]
    if not all(found):
        return ""
    return f"For L shapes {mean(found[0]):.2f} against {mean(found[1]):.2f}."


def of_depth(rows: list[Row]) -> str:
    """The IoU after the deepest attention, at 1/2 and at chosen thresholds; "" without rows."""
    mine = [r for r in rows if get(r, "experiment", "") == "depth"]
    deep = max((int(number(r, "config.depth")) for r in mine), default=0)
    found = [[r for r in mine if r["config"]["depth"] == deep and get(r, "method") == m]
             for m in COMPARED]
    if not deep or not all(found):
        return ""
    at_half, chosen = ([mean(number(r, f"test.{name}") for r in v) for v in found]
                       for name in ("iou", "iou_chosen"))
    return (f"It needs a shallow place: after {plural(deep, 'layer')} of 3 × 3 (N = "
            f"{int(number(found[0][0], 'n'))}) {at_half[0]:.2f} against {at_half[1]:.2f}, and "
            f"{chosen[0]:.2f} against {chosen[1]:.2f} at thresholds chosen on validation images.")


def of_regimes(rows: list[Row]) -> str:
    """In how many kinds of images position-wise maps have the higher mean IoU; "" without rows."""
    mine = [r for r in rows if get(r, "experiment", "") == "regimes"]
    iou: dict[str, dict[str, list[float]]] = {}
    for row in mine:
        if get(row, "method") in COMPARED:
            by_method = iou.setdefault(get(row, "regime"), {m: [] for m in COMPARED})
            by_method[row["method"]].append(number(row, "test.iou"))
    both = [v for v in iou.values() if all(v.values())]
    ahead = sum(mean(v["positionwise"]) > mean(v["rectangle"]) for v in both)
    return (f"In {ahead} of {len(both)} kinds of images the position-wise map has the higher mean IoU."
            if both else "")


def verdict(mine: Sequence[float], others: Sequence[float]) -> str:
    """What numbers of two methods, larger is better, say of the first one in words.

    It is better or worse only when both 95 % t intervals are there, from three values on, and apart.

    >>> verdict([0.8, 0.81, 0.82], [0.1, 0.11, 0.12]), verdict([0.8, 0.9], [0.1, 0.2])
    ('finds the object better', 'is not shown to find the object better')
    """
    if min(len(mine), len(others)) >= 3:
        a, b = t_interval(list(mine)), t_interval(list(others))
        if a.low > b.high:
            return "finds the object better"
        if a.high < b.low:
            return "finds the object no better"
    return "is not shown to find the object better"


def layout(rows: list[Row]) -> tuple[int, int]:
    """One panel."""
    return 1, 1


def size(rows: list[Row]) -> tuple[float, float]:
    """Inches."""
    return COLUMN, 2.3


def plot(rows: list[Row], ax: Any) -> Any:
    """Test IoU of both methods against N."""
    sizes: set[int] = set()
    for method, by_n in cells(rows, "test.iou").items():
        look = method_look(method)
        draw_means(sorted(by_n), [by_n[n] for n in sorted(by_n)], ax, ms=5, label=COMPARED[method],
                   **look.line_style())
        sizes |= set(by_n)
    prior = [v for r in select(rows) if (v := get(r, "trivial.centre_prior.iou", None)) is not None]
    if prior:
        ax.axhline(mean(prior), color=GREY, ls=":", label="centre prior")
    axis_of_sizes(sorted(sizes), ax)
    ax.set(ylim=(0, 1), ylabel="test IoU of the map")
    ax.legend(loc="upper left")
    return ax


def caption(rows: list[Row]) -> str:
    """What is drawn, n, bars."""
    mine = select(rows)
    seeds = len({get(r, "seed") for r in mine})
    tests = sorted({int(number(r, "n_test")) for r in mine})
    return ("IoU (fitting rate) of predicted and true mask on the attention grid, mean over "
            f"{', '.join(map(str, tests))} test images ({images(mine)}), of networks trained on labels "
            "alone. Points: "
            "mean over "
            f"{plural(seeds, 'seed')}; bars: from the smallest to the largest. Dotted: the mean mask "
            "as map.")


def best_trivial(rows: list[Row], n: int) -> tuple[str, float]:
    """The trivial map with the smallest mean test missing rate at N = n, in words, and that rate."""
    at_n = [r for r in select(rows) if r["n"] == n]
    found = {name: mean(number(r, f"trivial.{name}.missing_rate") for r in at_n)
             for name in get(at_n[0], "trivial")}
    best = min(found, key=found.__getitem__)
    return _TRIVIAL.get(best, best.replace("_", " ")), found[best]


def least_iou(rows: list[Row]) -> tuple[int, list[float]]:
    """The smallest N of the rectangles, and their test IoU there, one a run."""
    iou = cells(rows, "test.iou")["rectangle"]
    return min(iou), iou[min(iou)]
