"""Theorem 1 simulated against the exact supremum: true, above the ceiling, its slack by cause."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import log10
from typing import Any

import numpy as np

from paper_figures.fields import FieldError, get, number, of_kind, row_name
from paper_figures.methods import one_legend
from paper_figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, PAGE, PURPLE, RED, SKY
from theory.bounds import DELTA

KIND, NOISE, MEMORISER = "theorem-1", "theorem-1-noise", "theorem-1-memoriser"
SHOWN = ("axis-aligned rectangles", (7, 7), 12, 12, "uniform")
"""The setting whose bounds are drawn against N; the first with noise 0 where the rows lack it."""

BOUNDS: dict[str, tuple[str, dict[str, Any]]] = {
    "theorem_1": ("Theorem 1", {"color": GREY, "ls": "--", "marker": "v"}),
    "theorem_3": ("Theorem 3, exact complexity", {"color": SKY, "ls": ":", "marker": "s"}),
    "sharp": ("sharp bound", {"color": GREEN, "ls": "-.", "marker": "^"}),
    "ceiling": ("ceiling (1 − ρ)/2", {"color": BLACK, "ls": "-", "marker": ""}),
}
SUPREMUM = "largest risk of any f, exact"
MEMORISES = "risk of a predictor that stores the sample"
ALLOWED = "allowed: δ"
CAUSES = {
    "confidence": ("confidence term", {"color": BLUE}),
    "relevance": ("ρ: worst target, not the mean", {"color": "#B8B8B8"}),
    "outside": ("targets outside the family", {"color": PURPLE}),
    "noise": ("more if the target is random", {"color": "white", "ec": ORANGE, "hatch": "//////"}),
}
"""What lies between the largest risk and Theorem 1, in the order drawn."""

LAWS = ("uniform", "two masks")
"""The laws of targets whose settings are drawn by cause and against the noise."""

WORDS = {"axis-aligned rectangles": "rectangles", "rotated rectangles": "rotated"}
LINES = ((BLUE, "-", "o"), (RED, "--", "s"), (PURPLE, "-.", "D"), (GREEN, ":", "^"), (BLACK, "-", "v"),
         (ORANGE, "--", "P"), (SKY, "-.", "X"), (GREY, ":", "*"))

Row = dict[str, Any]
Place = tuple[str, tuple[int, int], int | None, int | None, str]


def layout(rows: list[Row]) -> tuple[int, int]:
    """Bounds against N and their failures; below, slack by cause and the largest risk."""
    return 2, 2


def size(rows: list[Row]) -> tuple[float, float]:
    """Inches."""
    return PAGE, 6.4


def select(rows: list[Row]) -> list[Row]:
    """The rows of the three kinds of cells.

    Raises:
        FieldError: no samples at the level that is drawn, or none with a target that is a function
            of the input.
    """
    found = of_kind(rows, KIND, NOISE, MEMORISER)
    if not any(r["kind"] == KIND and number(r, "delta") == DELTA and not noise(r) for r in found):
        raise FieldError(f"no rows of kind {KIND!r} with delta = {DELTA:g} and noise 0")
    return found


def plot(rows: list[Row], ax: Any) -> Any:
    """Draw the four panels."""
    found = select(rows)
    (against_n, failures), (causes, risks) = np.asarray(ax, dtype=object)
    plot_bounds(found, against_n)
    plot_failures(found, failures)
    plot_causes(found, causes)
    plot_risks(found, risks)
    order = (*(label for label, _ in BOUNDS.values()), SUPREMUM, MEMORISES)
    one_legend(against_n, 3, order, loc="outside upper center")
    return ax


def plot_bounds(rows: list[Row], ax: Any) -> Any:
    """The bounds on the risk of the f that fits best, and what they bound, of one setting against N."""
    where = shown(rows)
    some = sorted((r for r in samples(rows) if place(r) == where), key=lambda r: number(r, "n"))
    n = np.array([number(r, "n") for r in some])
    risk = np.array([number(r, "supremum") for r in some])
    for bound, (label, look) in BOUNDS.items():
        mean, low, high = (np.array([number(r, f"{bound}_slack_{k}") for r in some]) + risk
                           for k in ("mean", "q05", "q95"))
        bars = np.maximum([mean - low, high - mean], 0)  # below 0 by rounding where all are equal
        ax.errorbar(n, mean, yerr=bars if bars.max() > 1e-9 else None, capsize=2, elinewidth=0.9,
                    label=label, **look)
    ax.plot(n, risk, color=RED, ls="-", lw=2, label=SUPREMUM)
    stored = [r for r in of_noise(rows, MEMORISER, Fraction(0)) if place(r) == where]
    if stored:
        x, mean, low, high = (np.array([number(r, k) for r in stored])
                              for k in ("n", "risk", "risk_low", "risk_high"))
        ax.errorbar(x, mean, yerr=[mean - low, high - mean], color=BLACK, ls="", marker="x", ms=5,
                    capsize=2, elinewidth=0.9, zorder=3, label=MEMORISES)
    ax.axhline(1, color=GREY, lw=0.8)
    ax.set(xscale="log", yscale="log", xlabel="$N$", ylabel="risk and bounds",
           title=f"{words(where)}; ρ = {get(some[0], 'rho')}".replace("-", "−"))
    ax.set_xticks(n, [f"{int(v)}" for v in n])
    ax.yaxis.set_major_locator(_steps(*ax.get_ylim()))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.minorticks_off()
    return ax


def plot_failures(rows: list[Row], ax: Any) -> Any:
    """The share of samples in which each bound fails, of the worst setting at each delta."""
    deltas = sorted({number(r, "delta") for r in of_kind(rows, KIND)})
    ax.plot(deltas, deltas, color=BLACK, lw=0.9, ls=(0, (6, 2)))
    ax.annotate(ALLOWED, (deltas[-1], deltas[-1]), xytext=(-4, 3), textcoords="offset points",
                ha="right", fontsize=7.5)
    for k, (bound, (label, look)) in enumerate(BOUNDS.items()):
        worst = [worst_failures(rows, bound, delta) for delta in deltas]
        x = np.array(deltas) * 1.15 ** (k - 1.5)
        rate, low, high = (np.array([w[j] for w in worst]) for j in range(3))
        some = rate > 0
        style = {**look, "marker": look["marker"] or "d"}
        if some.any():
            ax.errorbar(x[some], rate[some], yerr=[(rate - low)[some], (high - rate)[some]], capsize=2,
                        label=label, **style)
        if not some.all():  # no failure: the upper end of the interval, with an arrow down
            ax.errorbar(x[~some], high[~some], yerr=0.4 * high[~some], uplims=True, capsize=2,
                        elinewidth=0.9, label=None if some.any() else label, mfc="none",
                        **{**style, "ls": ""})
    ax.set(xscale="log", yscale="log", xlabel="$\\delta$", ylabel="share of samples",
           title="how often a bound fails, worst setting")
    ax.set_ylim(top=1)
    ax.set_xticks(deltas, [f"{d:g}" for d in deltas])
    ax.minorticks_off()
    return ax


def plot_causes(rows: list[Row], ax: Any) -> Any:
    """Theorem 1 less the largest risk at the largest N, by cause, a bar for each setting."""
    found = causes(rows)
    order = sorted(found, key=lambda p: sum(found[p].values()) - found[p].get("noise", 0))
    left = np.zeros(len(order))
    for cause, (label, look) in CAUSES.items():
        width = np.array([found[p].get(cause, 0) for p in order])
        ax.barh(range(len(order)), width, left=left, height=0.7, lw=0, label=label, **look)
        left += width
    for y, (end, where) in enumerate(zip(left, order, strict=True)):
        ax.annotate(words(where), (end, y), xytext=(3, 0), textcoords="offset points", va="center",
                    fontsize=7)
    ax.set(xlabel="Theorem 1 − largest risk", xlim=(0, 2.05 * left.max()), yticks=[],
           title=f"slack by cause, $N$ = {largest_n(rows)}")
    ax.grid(axis="y", visible=False)
    ax.legend(loc="upper left", bbox_to_anchor=(0, -0.2), borderaxespad=0)
    return ax


def plot_risks(rows: list[Row], ax: Any) -> Any:
    """The exact largest risk over the ceiling against the noise of the target, a line for each kind of
    setting."""
    for (where, points), (color, ls, marker) in zip(risks(rows).items(), LINES, strict=False):
        ax.plot([float(v) for v in points], list(points.values()), color=color, ls=ls, marker=marker,
                mfc="none", label=words(where))
    ax.set(xlabel="noise: share of targets drawn anew", ylabel="largest risk / ceiling",
           ylim=(None, 1.04), title="the largest risk, exact")
    ax.legend(loc="upper center", bbox_to_anchor=(0.44, -0.2), ncols=2, borderaxespad=0,
              fontsize=7, columnspacing=1, handlelength=2.2)
    return ax


def shown(rows: list[Row]) -> Place:
    """The setting drawn against N."""
    places = [place(r) for r in samples(rows)]
    return SHOWN if SHOWN in places else places[0]


def samples(rows: list[Row]) -> list[Row]:
    """The cells with samples at the level drawn whose target is a function of the input."""
    return [r for r in of_noise(rows, KIND, Fraction(0)) if number(r, "delta") == DELTA]


def of_noise(rows: list[Row], kind: str, level: Fraction) -> list[Row]:
    """The rows of a kind at a noise of the target."""
    return [r for r in rows if get(r, "kind") == kind and noise(r) == level]


def worst_failures(rows: list[Row], bound: str, delta: float) -> tuple[float, float, float]:
    """The largest share of failing samples of any setting at a level, and the ends of its interval."""
    some = [r for r in of_kind(rows, KIND) if number(r, "delta") == delta]
    return max((share(r, bound), number(r, f"{bound}_rate_low"), number(r, f"{bound}_rate_high"))
               for r in some)


def share(row: Row, bound: str) -> float:
    """The share of a row's samples in which a bound fails."""
    if number(row, "repeats") < 1:
        raise FieldError(f"{row_name(row)}: 'repeats' must be at least 1, got {row['repeats']!r}")
    return number(row, f"{bound}_failures") / row["repeats"]


def largest_n(rows: list[Row]) -> int:
    """The largest N with samples at the level drawn."""
    return int(max(number(r, "n") for r in samples(rows)))


def causes(rows: list[Row]) -> dict[Place, dict[str, float]]:
    """Of each setting drawn: what each cause adds to the slack of Theorem 1 at the largest N.

    With c = (1 − ρ)/2, g(a) the largest and m(a) the smallest missing rate of a mask of A against a,
    Theorem 1 at the f that fits best is mean m + c + term, so its slack is the term, the mean of m (0
    for targets in the family), ``c − E g`` (rho is an infimum over targets) and ``E g − sup R`` (0 if
    the target is a function of the input).
    """
    from theory.bounds import confidence_term

    out = {}
    noisiest = {place(r): r for r in sorted(rows, key=noise) if noise(r)}
    top = largest_n(rows)
    for row in samples(rows):
        where = place(row)
        if row["n"] != top or where[-1] not in LAWS or where not in noisiest:
            continue
        most = noisiest[where]
        term = float(confidence_term(row["n"], DELTA))
        level = number(row, "ceiling") - number(row, "expected_worst")
        out[where] = {"confidence": term, "relevance": level,
                      "outside": number(row, "theorem_1_slack_mean") - term - level,
                      "noise": number(most, "expected_worst") - number(most, "supremum")}
    if not out:
        raise FieldError(f"no setting with laws {LAWS} has rows with noise and, at the largest N, "
                         "without")
    return out


def risks(rows: list[Row]) -> dict[Place, dict[Fraction, float]]:
    """Of one setting of each kind drawn: the largest risk over the ceiling, by noise.

    Settings are of a kind when they share family, law, and which of maps and targets are limited;
    the first of each kind is drawn.
    """
    out: dict[Place, dict[Fraction, float]] = {}
    kinds: dict[tuple[Any, ...], Place] = {}
    for row in rows:
        family, _, limit, limit_in, law = where = place(row)
        if get(row, "kind") == NOISE and law in LAWS:
            first = kinds.setdefault((family, limit is None, limit_in is None, law), where)
            if where == first:
                out.setdefault(where, {})[noise(row)] = number(row, "supremum") / number(row, "ceiling")
    if not out:
        raise FieldError(f"no rows of kind {NOISE!r} with laws {LAWS}")
    return {where: dict(sorted(points.items())) for where, points in out.items()}


def caption(rows: list[Row]) -> str:
    """What is drawn, how many samples, bars, how often each bound fails, and where the slack is."""
    found = select(rows)
    cells = of_kind(found, KIND)
    repeats = sorted({int(number(r, "repeats")) for r in cells})
    worst = max(share(r, "sharp") / number(r, "delta") for r in cells)
    failures = {b: sum(int(number(r, f"{b}_failures")) for r in cells) for b in BOUNDS}
    levels = sorted({100 * number(r, "level") for r in cells})
    return (
        "Theorem 1 where the largest R − R̂ over all functions is exact: "
        f"{' or '.join(f'{r:,}' for r in repeats)} samples in each of {len(cells)} cells "
        f"({len({place(r) for r in cells})} settings of family, grid, limits and law of the targets; "
        f"noise, N, δ). {_of_bounds(found)} Top right: bars: "
        f"{' or '.join(f'{v:g}' for v in levels)} % interval (exact binomial) of the setting that "
        "fails most; hollow, with an arrow: no failure in any sample, upper end. Failures in all "
        f"cells: {_counts(failures)}; the sharp bound's share is {worst:.2g} δ at most. "
        + _of_risks(found))


def _of_bounds(rows: list[Row]) -> str:
    """What the caption says of the first panel."""
    over = min(number(r, "theorem_1_slack_min") - number(r, "ceiling_slack_mean")
               for r in of_kind(rows, KIND))
    most = largest_n(rows)
    top = [r for r in samples(rows) if r["n"] == most]
    above = sum(number(r, "theorem_1_above_one") == r["repeats"] for r in top)
    text = (f"Top left: the bounds at δ = {DELTA:g} for the f that fits its sample best, means over "
            "samples, bars: from the 5 % to the 95 % quantile; the target is a function of the input. ")
    stored = [r for r in rows if r["kind"] == MEMORISER]
    if stored:
        held = sum(number(r, "risk_low") <= number(r, "supremum") <= number(r, "risk_high")
                   for r in stored)
        alpha = max(number(r, "alpha") for r in stored)
        text += (f"Crosses: a predictor that stores its sample, bars: {100 * (1 - alpha):g} % interval "
                 f"of its risk, which holds the exact largest risk in {held} of {len(stored)} cells. ")
    return text + (f"Grey: 1. Theorem 1 is never less than {over:.2g} above the ceiling, which needs "
                   f"no sample, and at N = {most} above 1 in every sample in {above} of "
                   f"{len(top)} settings.")


def _of_risks(rows: list[Row]) -> str:
    """What the caption says of the slack and of the largest risk."""
    falls: dict[Place, float] = {}
    for row in (r for r in rows if noise(r)):
        fall = number(row, "expected_worst") - number(row, "supremum")
        falls[place(row)] = max(fall, falls.get(place(row), 0.0))
    still = sum(fall < 1e-12 for fall in falls.values())
    return ("Bottom left: mean slack of Theorem 1 by cause, settings with noise (≤: limits on the "
            "areas of maps and targets; law uniform if not named); hatched: what is added when the "
            "target is drawn anew, whatever the input. Bottom right: the largest risk, exact; 0: the "
            "target is a function of the input. Random targets lower it by "
            f"{max(falls.values()):.2g} at most, and in {still} of {len(falls)} settings not at all: "
            "one mask is the worst for every target.")


def _counts(failures: dict[str, int]) -> str:
    return ", ".join(f"{BOUNDS[b][0].split(',')[0].split(' (')[0]} {count:,}"
                     for b, count in failures.items())


def noise(row: Row) -> Fraction:
    """The probability that the target is a fresh draw.

    >>> noise({"key": "a", "noise": "1/4"})
    Fraction(1, 4)
    """
    value = get(row, "noise")
    try:
        if isinstance(value, str) and 0 <= Fraction(value) <= 1:
            return Fraction(value)
    except (ValueError, ZeroDivisionError):
        pass
    raise FieldError(f"{row_name(row)}: 'noise' must be a fraction from 0 to 1 in a string, got "
                     f"{value!r}")


def place(row: Row) -> Place:
    """Family, grid, limits on maps and targets, law."""
    grid = get(row, "grid")
    if not isinstance(grid, list) or len(grid) != 2 or not all(isinstance(v, int) for v in grid):
        raise FieldError(f"{row_name(row)}: 'grid' must be two whole numbers, got {grid!r}")
    limits = [get(row, k) for k in ("max_area", "max_area_in")]
    if not all(v is None or isinstance(v, int) for v in limits):
        raise FieldError(f"{row_name(row)}: limits must be whole numbers or null, got {limits!r}")
    return str(get(row, "family")), (grid[0], grid[1]), limits[0], limits[1], str(get(row, "law"))


def words(where: Place) -> str:
    """A setting in short.

    >>> words(("rotated rectangles", (5, 5), 8, 8, "small"))
    'rotated 5×5 ≤ 8, small'
    """
    family, (height, width), limit, limit_in, law = where
    text = f"{WORDS.get(family, family)} {height}×{width}"
    if limit == limit_in and limit is not None:
        text += f" ≤ {limit}"
    else:
        text += "".join(f", {part} ≤ {k}" for part, k in (("maps", limit), ("targets", limit_in))
                        if k is not None)
    return text if law == "uniform" else f"{text}, {law}"


def _steps(low: float, high: float) -> Any:
    """Ticks at 1, 2 and 5 times powers of ten."""
    from matplotlib.ticker import FixedLocator

    powers: Iterable[int] = range(int(log10(low)) - 2, int(log10(high)) + 2)
    return FixedLocator([d * 10.0**p for p in powers for d in (1, 2, 5) if low <= d * 10.0**p <= high])
