"""Finding: what the rectangle buys, in overlap and missing rate, over position-wise attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from paper_figures.bound_vs_data import select as of_one_configuration
from paper_figures.data_sets import images
from paper_figures.fields import FieldError, get, number, plural
from paper_figures.findings import Finding
from paper_figures.methods import COMPARED, axis_of_sizes, draw_means, method_look
from paper_figures.style import COLUMN, GREY
from theory.repeats import t_interval, with_interval

ROWS = "training.jsonl"
CLAIMS = ("table-1-shapes", "sec-6.3", "app-G-params")
_TRIVIAL = {"all_background": "an empty map", "all_foreground": "the whole grid",
            "centre_prior": "the centre prior"}


def select(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Label-only rows of rectangles and position-wise maps, of the configuration that most share."""
    found = of_one_configuration([r for r in rows if get(r, "supervision", None) == "label"])
    if {get(r, "method") for r in found} != set(COMPARED):
        raise FieldError(f"needs label-only rows of both methods, {' and '.join(COMPARED)}")
    return found


def cells(rows: list[dict[str, Any]], path: str) -> dict[str, dict[int, list[float]]]:
    """A number by method and N, one a run."""
    out: dict[str, dict[int, list[float]]] = {m: {} for m in COMPARED}
    for row in select(rows):
        out[get(row, "method")].setdefault(int(number(row, "n")), []).append(number(row, path))
    return out


def common(rows: list[dict[str, Any]]) -> int:
    """The largest N that both methods have."""
    by_method = cells(rows, "n")
    shared = set.intersection(*(set(v) for v in by_method.values()))
    if not shared:
        raise FieldError("the methods share no N")
    return max(shared)


def finding(rows: list[dict[str, Any]], statuses: Mapping[str, str]) -> Finding:
    """Overlap and missing rate at the largest N, beside the best trivial map."""
    n = common(rows)
    iou, missed, right = ({m: v[n] for m, v in cells(rows, f"test.{name}").items()}
                          for name in ("iou", "missing_rate", "accuracy"))
    head = ("Trained on labels alone, the rectangle "
            + verdict(iou["rectangle"], iou["positionwise"]))
    name, trivial = best_trivial(rows, n)
    small, at_small = least_iou(rows)
    text = (f"Test missing rate {mean(missed['rectangle']):.3f} against "
            f"{mean(missed['positionwise']):.3f} of position-wise attention; {name} has {trivial:.3f}. "
            f"Accuracy {mean(right['rectangle']):.2f} against {mean(right['positionwise']):.2f}, at "
            f"N = {n}, on {images(select(rows))}. It needs data: with {small} images its IoU is "
            f"{at_small:.2f}.")
    return Finding(head, with_interval(iou["rectangle"], 2),
                   f"test IoU; position-wise {with_interval(iou['positionwise'], 2)}", text)


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


def layout(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """One panel."""
    return 1, 1


def size(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Inches."""
    return COLUMN, 2.3


def plot(rows: list[dict[str, Any]], ax: Any) -> Any:
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


def caption(rows: list[dict[str, Any]]) -> str:
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


def best_trivial(rows: list[dict[str, Any]], n: int) -> tuple[str, float]:
    """The trivial map with the smallest mean test missing rate at N = n, in words, and that rate."""
    at_n = [r for r in select(rows) if r["n"] == n]
    found = {name: mean(number(r, f"trivial.{name}.missing_rate") for r in at_n)
             for name in get(at_n[0], "trivial")}
    best = min(found, key=found.__getitem__)
    return _TRIVIAL.get(best, best.replace("_", " ")), found[best]


def least_iou(rows: list[dict[str, Any]]) -> tuple[int, float]:
    """The smallest N of the rectangles, and their mean test IoU there."""
    iou = cells(rows, "test.iou")["rectangle"]
    return min(iou), mean(iou[min(iou)])
