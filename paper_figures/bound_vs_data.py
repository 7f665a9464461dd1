"""Test missing rate of trained networks beside the bounds of section 5.1."""

from __future__ import annotations

from typing import Any

import numpy as np

from paper_figures.fields import FieldError, get, number, plural, row_name
from paper_figures.methods import COMPARED, axis_of_sizes, draw_means, most_common, one_legend
from paper_figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, PAGE, PURPLE, RED
from theory.bounds import DELTA, RHO, ceiling, sharp_bound, theorem_1

BAND = "sharp bound with exact g: in this band"
LEGEND = ("test missing rate", "training missing rate", "best trivial predictor (test)",
          "ceiling (1 − ρ)/2", "Theorem 1", "sharp bound", BAND)

SUPERVISIONS = {"label": "label-only", "mask": "mask-supervised"}
_AXES = ("method", "supervision", "n", "seed")


def layout(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """Lines: supervision; columns: method."""
    drawn = select(rows)
    return len(_present(drawn, "supervision", SUPERVISIONS)), len(
        _present(drawn, "method", COMPARED))


def select(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that are drawn: methods with a map, of the configuration that most rows share.

    Configurations are equal when they differ in method, supervision, n and seed only.
    """
    mine = [r for r in rows if get(r, "method") in COMPARED and get(r, "supervision")
            in SUPERVISIONS]
    if not mine:
        raise FieldError(f"no rows of the methods {tuple(COMPARED)}")
    return most_common(mine, _AXES)


def size(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Inches."""
    lines, columns = layout(rows)
    return 1.2 + (PAGE - 1.2) * columns / 2, 0.9 + 2.3 * lines


def plot(rows: list[dict[str, Any]], ax: Any) -> Any:
    """Draw the rates and the bounds, one panel per supervision and method."""
    rows = select(rows)
    supervisions = _present(rows, "supervision", SUPERVISIONS)
    methods = _present(rows, "method", COMPARED)
    panels = np.asarray(ax, dtype=object).reshape(len(supervisions), len(methods))
    for i, supervision in enumerate(supervisions):
        for j, method in enumerate(methods):
            panel = panels[i, j]
            mine = [r for r in rows
                    if r.get("supervision") == supervision and r.get("method") == method]
            panel.set_title(f"{COMPARED[method]}, {SUPERVISIONS[supervision]}")
            if mine:
                plot_panel(mine, panel)
            else:
                panel.text(0.5, 0.5, "no rows", transform=panel.transAxes, ha="center")
            panel.label_outer()
    top = max(panel.get_ylim()[1] for panel in panels.flat)
    for panel in panels.flat:
        panel.set_ylim(0, top)
    one_legend(panels, 3, LEGEND)
    return ax


def plot_panel(rows: list[dict[str, Any]], ax: Any) -> Any:
    """One panel from the rows of one method and supervision."""
    sizes = sorted({int(number(r, "n")) for r in rows})
    by_n = {n: [r for r in rows if r["n"] == n] for n in sizes}
    x = np.array(sizes, dtype=float)
    _rates(by_n, x, "train.missing_rate", ax, BLUE, "s", "training missing rate", "--")
    _rates(by_n, x, "test.missing_rate", ax, RED, "o", "test missing rate", "-")
    trivial = [_trivial(r) for r in rows]
    if all(t is not None for t in trivial):
        ax.axhline(float(np.mean(trivial)), color=PURPLE, ls=(0, (1, 1)), lw=1.2,
                   label="best trivial predictor (test)")
    ax.axhline(float(ceiling(RHO)), color=BLACK, lw=1.2, label="ceiling (1 − ρ)/2")
    first = [float(np.mean([theorem_1(number(r, "train.missing_rate"), RHO, n, DELTA)
                            for r in by_n[n]])) for n in sizes]
    ax.plot(x, first, color=GREY, ls="--", marker="v", label="Theorem 1")
    low, high = (np.array(v) for v in zip(*(_sharp(by_n[n], n) for n in sizes), strict=True))
    ax.plot(x, high, color=GREEN, ls="-.", marker="^", label="sharp bound")
    if not np.allclose(low, high):
        ax.fill_between(x, low, high, color=ORANGE, alpha=0.25, lw=0, label=BAND)
    axis_of_sizes(sizes, ax)
    ax.set_ylabel("missing rate")
    return ax


def mean_g_interval(row: dict[str, Any]) -> tuple[float, float]:
    r"""An interval that holds the mean over the sample of ``g(a) = max_b Phi(b, a)``.

    Position-wise: b ranges over all masks and g = 1.  Rectangles: the row's exact ``mean_g``; in
    rows without it, from the areas k of the truths, where b = the whole grid gives
    ``g >= (n - k)/n``, b = one position outside gives ``g >= (k + 1)/n`` for k < n, and g <= 1.
    """
    if get(row, "method") == "positionwise":
        return 1.0, 1.0
    if get(row, "mean_g", None) is not None:
        exact = number(row, "mean_g")
        return exact, exact
    areas = {int(k): int(v) for k, v in get(row, "train_areas").items()}
    height, width = get(row, "grid")
    n = height * width
    if not areas or not all(0 <= k <= n for k in areas) or sum(areas.values()) < 1:
        raise FieldError(f"{row_name(row)}: 'train_areas' must count areas in 0..{n}")
    low = sum(v * max(n - k, k + 1 if k < n else 0) / n for k, v in areas.items())
    return low / sum(areas.values()), 1.0


def caption(rows: list[dict[str, Any]]) -> str:
    """What is drawn, n, bars, and for which family each curve is a bound."""
    total, rows = len(rows), select(rows)
    sizes = sorted({int(number(r, "n")) for r in rows})
    seeds = len({get(r, "seed") for r in rows})
    tests = sorted({int(v) for r in rows if (v := get(r, "n_test", None)) is not None})
    errors = [v for r in rows if (v := get(r, "test.missing_rate_se", None)) is not None]
    text = (f"Missing rates (of masks on the attention grid) of networks trained on N = "
            f"{', '.join(map(str, sizes))} images. Points: mean over "
            f"{plural(seeds, 'seed')}; bars: from the smallest to the largest over seeds.")
    if tests:
        text += f" Test rates on {', '.join(map(str, tests))} fresh images each"
        text += f", standard error at most {max(errors):.2g}." if errors else "."
    if total > len(rows):
        text += f" {total - len(rows)} rows of other methods or configurations are not drawn."
    text += (f" Bounds at δ = {DELTA:g}, each with ρ = −1: for position-wise, A is every mask; "
             "for the rectangle, A is the rotated rectangles without limits and A_in may hold "
             "half-grids (with smaller sets of truths ρ only rises). Ceiling: (1 − ρ)/2 = 1, "
             "certain. Theorem 1: training rate + ceiling + 3√(log(2/δ)/2N), mean over seeds; "
             "never below the ceiling. Sharp bound: mean g(a_i) + ceiling·√(log(1/δ)/2N), with "
             "g(a) = max_b Φ(b, a); the smaller of it and the ceiling is a bound. "
             "Position-wise: g = 1 exactly.")
    rectangle = [r for r in rows if r.get("method") == "rectangle"]
    if rectangle and all(get(r, "mean_g", None) is not None for r in rectangle):
        text += " Rectangle: g from the exact supremum over the rotated rectangles of the grid."
    elif rectangle:
        text += (" Rectangle: the rows hold the areas of the truths but not g. The curve takes g ≤ 1 "
                 "and is a bound; the lower edge of the band takes b = the whole grid or one "
                 "position, below which the curve with exact g cannot lie, and is no bound.")
    return text


def _rates(by_n: dict[int, list[dict[str, Any]]], x: np.ndarray, path: str, ax: Any,
           color: str, marker: str, label: str, line: str) -> None:
    values = [[number(r, path) for r in by_n[int(n)]] for n in x]
    draw_means(x, values, ax, color=color, marker=marker, ls=line, label=label,
               **({"ms": 7, "mfc": "none"} if marker == "s" else {}))


def _sharp(rows: list[dict[str, Any]], n: int) -> tuple[float, float]:
    ends = [mean_g_interval(r) for r in rows]
    return tuple(float(np.mean([sharp_bound(g[k], RHO, n, DELTA) for g in ends])) for k in (0, 1))


def _trivial(row: dict[str, Any]) -> float | None:
    """The smallest missing rate of a trivial predictor on the test images, if the row has any."""
    names = get(row, "trivial", None) or {}
    return min((number(row, f"trivial.{name}.missing_rate") for name in names), default=None)


def _present(rows: list[dict[str, Any]], field: str, order: dict[str, str]) -> list[str]:
    found = {get(row, field) for row in rows}
    return [v for v in order if v in found]
