"""The sandwich of Theorem 2, and better maps that separate two classes less."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from paper_figures.fields import FieldError, get, number, of_kind
from paper_figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, PAGE, PURPLE, RED, SKY
from theory.rates import fitting_rate_exact
from theory.separation import mixture_density, separation_bounds, total_variation

LINE, MIXTURES, FALL = "theorem-2-line", "theorem-2-mixtures", "theorem-2-fall"
DISTANCE = 2.0
SHAPES = {"constant": ("constant λ", BLUE, "o"), "window": ("λ a window", ORANGE, "s"),
          "bump": ("λ a bump, wider p′", GREEN, "^")}
ATOMS = {2: (BLACK, "x"), 3: (RED, "o"), 4: (BLUE, "s"), 6: (SKY, "^")}

TRUTH = ("....", ".##.", ".##.", "....")
"""The object in each of the three images of the example."""
MAPS = {
    "worse": (("....", ".##.", ".#..", "...."), ("#...", "#...", "#...", "...."),
              ("...#", "...#", "...#", "....")),
    "better": (("....", ".##.", ".#..", "...."), ("....", ".##.", ".#..", "...."),
               ("...#", "...#", "...#", "....")),
}
"""Maps of the three images; the better ones differ in the second image only, where they find it."""
PURE, OTHER, BACKGROUND = ((Fraction(2, 3), Fraction(1, 3), Fraction(0)),
                           (Fraction(0), Fraction(0), Fraction(1)),
                           (Fraction(2, 3), Fraction(1, 3), Fraction(0)))
"""How often each image shows its object in class y, in class y', and in neither."""

DENSITIES = (r"$p_y^{\mathrm{pure}}$", r"$p_{y'}^{\mathrm{pure}}$", r"$p_{\mathrm{bg}}$")
"""What the three are called under the images."""


def layout(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """Above what simulations found, below the example."""
    return 2, 3


def size(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Inches."""
    return PAGE, 5.2


def plot(rows: list[dict[str, Any]], ax: Any) -> Any:
    """Draw the sandwich, the position in it, the falls; then maps and classes of the example."""
    above, below = ax
    plot_sandwich(rows, above[0])
    plot_position(rows, above[1])
    plot_falls(rows, above[2])
    draw_maps(below[0])
    for panel, name in zip(below[1:], MAPS, strict=True):
        plot_classes(name, panel)
    below[2].set(yticklabels=[], ylabel="")
    return ax


def plot_sandwich(rows: list[dict[str, Any]], ax: Any) -> Any:
    """TV between its two ends while all errors 1 - lambda shrink by one factor."""
    found = gaussians(rows)
    keeps = sorted({keep for _, keep in found}, reverse=True)
    shapes = [shape for shape in SHAPES if any(s == shape for s, _ in found)]
    for i, shape in enumerate(shapes):
        label, colour, marker = SHAPES[shape]
        x = np.array([keeps.index(k) for s, k in found if s == shape]) + 0.22 * (i - 1)
        some = [r for (s, _), r in found.items() if s == shape]
        ax.vlines(x, [number(r, "low") for r in some], [number(r, "high") for r in some], color=colour,
                  lw=4, alpha=0.35)
        ax.plot(x, [number(r, "tv") for r in some], ls=":", lw=0.8, marker=marker, color=colour,
                label=label)
    ax.set_xticks(range(len(keeps)), [f"{k:g}" for k in keeps])
    ax.set(xlabel="errors 1 − λ, times", ylabel="total variation", ylim=(0, 1.05),
           title="min(A₊,A₋) ≤ TV ≤ max(A₊,A₋)")
    ax.legend(loc="upper left", fontsize=6.5, handlelength=1.2)
    return ax


def gaussians(rows: list[dict[str, Any]]) -> dict[tuple[str, float], dict[str, Any]]:
    """``(shape of lambda, factor) -> row`` for Gaussian classes at the distance that is drawn."""
    found = {}
    for row in of_kind(rows, LINE):
        model = get(row, "model")
        if "keep" in model and get(row, "model.distance") == DISTANCE and model["shape"] in SHAPES:
            found[model["shape"], float(model["keep"])] = row
    if not found:
        raise FieldError(f"no rows of kind {LINE!r} with distance {DISTANCE:g} and a factor 'keep'")
    return dict(sorted(found.items(), key=lambda f: (f[0][0], -f[0][1])))


def plot_position(rows: list[dict[str, Any]], ax: Any) -> Any:
    """Where TV lies between its ends in random models, by the number of atoms."""
    from sims.theorem_2_mixtures import QUANTILES

    found = positions(rows)
    middle = QUANTILES.index(0.5)
    edges = [QUANTILES.index(q) for q in (0.05, 0.95)]
    x = np.arange(len(found))
    values = np.array([get(r, "position_quantiles") for r in found.values()], dtype=float)
    ax.axhspan(0, 1, color=GREY, alpha=0.08, lw=0)
    ax.errorbar(x, values[:, middle], yerr=abs(values[:, edges] - values[:, [middle]]).T, ls="",
                marker="o", color=PURPLE, capsize=2, elinewidth=1)
    ax.set_xticks(x, [str(a) for a in found])
    ax.set_yticks([0, 0.5, 1], ["min", "half-way", "max"], rotation=90, va="center")
    ax.set(xlabel="atoms", ylim=(-0.1, 1.1), title="where TV lies, random models")
    return ax


def positions(rows: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """``atoms -> row`` of models with uniform lambda and full supports, of one concentration.

    It is the one nearest to 1, at which densities are uniform on the simplex.
    """
    some = [r for r in of_kind(rows, MIXTURES) if (get(r, "law"), get(r, "supports"))
            == ("uniform", "full") and get(r, "position_quantiles")]
    if not some:
        raise FieldError(f"no rows of kind {MIXTURES!r} with law uniform and full supports")
    one = min({number(r, "concentration") for r in some}, key=lambda c: (abs(np.log(c)), c))
    found = {int(number(r, "atoms")): r for r in some if r["concentration"] == one}
    return dict(sorted(found.items()))


def plot_falls(rows: list[dict[str, Any]], ax: Any) -> Any:
    """The largest fall of TV that a search found when maps got better, against its bound."""
    best: dict[tuple[int, float], float] = {}
    for row in free_searches(rows):
        cell = int(number(row, "atoms")), round(_bound(row), 6)
        best[cell] = max(best.get(cell, 0.0), number(row, "gap"))
    ax.plot([0, 1], [0, 1], color=GREY, lw=1)
    for atoms in sorted({a for a, _ in best}):
        colour, marker = ATOMS.get(atoms, (PURPLE, "D"))
        points = sorted((b, gap) for (a, b), gap in best.items() if a == atoms)
        ax.plot(*zip(*points, strict=True), ls="", marker=marker, color=colour, label=f"{atoms} atoms",
                mfc="none", ms=4 + 1.2 * (atoms - 2))
    ax.set(xlabel="bound for maps in [l, u]", ylabel="largest fall found", xlim=(-0.04, 1.08),
           ylim=(-0.04, 1.08), title="better maps, smaller TV")
    ax.legend(loc="upper left", fontsize=6.5, handletextpad=0.2)
    return ax


def free_searches(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The searches that are limited by [l, u] alone."""
    found = [r for r in of_kind(rows, FALL) if set(get(r, "limits")) == {"low", "high"}]
    if not found:
        raise FieldError(f"no rows of kind {FALL!r} with the limits low and high alone")
    return found


def _bound(row: dict[str, Any]) -> float:
    from theory.separation_gap import gap_bound

    return gap_bound(number(row, "limits.low"), number(row, "limits.high"))


def fitting(name: str) -> np.ndarray:
    """Fitting rates (IoU) of the maps of the example, exact, one an image."""
    return np.array([fitting_rate_exact(_mask(m), _mask(TRUTH)) for m in MAPS[name]], dtype=object)


def classes(name: str) -> tuple[np.ndarray, np.ndarray]:
    """What the two classes look like through the maps: densities over the three images, exact."""
    given = [np.array(d, dtype=object) for d in (PURE, OTHER, BACKGROUND)]
    return tuple(mixture_density(d, given[2], fitting(name)) for d in given[:2])


def draw_maps(ax: Any) -> Any:
    """Truths and maps of the three images, worse above better, and how often a class has each."""
    step, small = 6.0, {"ha": "center", "fontsize": 7.5}
    for line, name in enumerate(MAPS):
        for image, (text, value) in enumerate(zip(MAPS[name], fitting(name), strict=True)):
            _picture(text, 5 * image, step * line, ax)
            ax.text(5 * image + 2, step * line + 4.2, f"λ = {value}", va="top", **small)
        ax.text(-0.4, step * line + 2, name, rotation=90, ha="right", va="center", fontsize=8.5)
    for image, (p, other, back) in enumerate(zip(PURE, OTHER, BACKGROUND, strict=True)):
        ax.text(5 * image + 2, -0.3, f"image {image + 1}", va="bottom", **small)
        for line, value in enumerate((p, other, back)):
            ax.text(5 * image + 2, 2 * step + 0.6 + 1.5 * line, str(value), va="center", **small)
    for line, density in enumerate(DENSITIES):
        ax.text(-0.1, 2 * step + 0.6 + 1.5 * line, density, va="center", **{**small, "ha": "right"})
    ax.set(xlim=(-2.2, 14.2), ylim=(2 * step + 4.4, -1.4), aspect="equal",
           title="truth (outline), map (filled)")
    ax.set_axis_off()
    return ax


def _picture(text: tuple[str, ...], left: float, top: float, ax: Any) -> None:
    """One map as filled cells, and the outline of the truth."""
    marked = _mask(text) == 1
    for i, j in np.ndindex(marked.shape):
        x, y = left + j, top + i
        ax.fill([x, x + 1, x + 1, x], [y, y, y + 1, y + 1], ec="#D0D0D0", lw=0.5,
                fc=SKY if marked[i, j] else "white")
    cells = np.argwhere(_mask(TRUTH) == 1)
    (i, j), (k, m) = cells.min(axis=0), cells.max(axis=0) + 1
    ax.plot(left + np.array([j, m, m, j, j]), top + np.array([i, i, k, k, i]), color=RED, lw=1.5)


def plot_classes(name: str, ax: Any) -> Any:
    """The densities of both classes through the maps, and their total variation."""
    first, second = classes(name)
    x = np.arange(len(first))
    for shift, density, colour, hatch, label in ((-0.2, first, BLUE, None, "class y"),
                                                 (0.2, second, ORANGE, "////", "class y′")):
        ax.bar(x + shift, density.astype(float), 0.38, color=colour, hatch=hatch, ec="white", lw=0,
               label=label)
    ax.set_xticks(x, [f"image {i + 1}" for i in x])
    ax.set(ylim=(0, 1.05), ylabel="probability", title=f"{name} maps: TV = {separation(name)}")
    ax.grid(axis="x", visible=False)
    ax.legend(loc="upper left", fontsize=6.5)
    return ax


def separation(name: str) -> Fraction:
    """Total variation of the two classes through the maps, exact."""
    return Fraction(total_variation(*classes(name)))


def caption(rows: list[dict[str, Any]]) -> str:
    """What is drawn, how many models, bars, and the statements behind it."""
    mixtures = of_kind(rows, MIXTURES)
    models = sum(int(number(r, "repeats")) for r in mixtures)
    broken = sum(int(number(r, "violations.sandwich")) for r in mixtures)
    falls = free_searches(rows)
    near = max((_bound(r) - number(r, "gap") for r in falls if r["atoms"] == 3), default=np.nan)
    two = [r for r in falls if r["atoms"] == 2]
    some = positions(rows)
    draws = sorted({int(number(r, "repeats")) for r in some.values()})
    ends = separation_bounds(*(np.array(d, dtype=object) for d in (PURE, OTHER)), fitting("better"))
    return (
        f"Above left: two Gaussian classes at distance {DISTANCE:g}; bars: from min(A₊, A₋) to "
        "max(A₊, A₋), the two ends of TV; A± = ∫ λ (p − p′)±. All errors shrink by one factor, and TV "
        f"does not fall. Over {models} random models on {min(r['atoms'] for r in mixtures)} to "
        f"{max(r['atoms'] for r in mixtures)} atoms the sandwich was broken {broken} times. Middle: "
        "position of TV between its ends, λ uniform, densities Dirichlet with parameter "
        f"{some[min(some)]['concentration']:g}, {' or '.join(map(str, draws))} models each; points: "
        "median, bars: 5 % to 95 %. Right: "
        "largest fall of TV found by a search when every λ grows inside [l, u], against the sharp "
        f"bound (√(1−l) − √(1−u))²/u: with two atoms {sum(r['gap'] > 1e-9 for r in two)} of {len(two)} "
        f"searches found one, with three all came within {near:.1g} of the bound. Below: three images "
        "on which it falls, with their pure densities in both classes and the background's, p_bg; "
        "bars: λ p^pure + η (1 − λ) p_bg (Eq. 18). λ is the fitting rate (IoU); the better maps find "
        f"the object of image 2 and change nothing else, and the classes, {separation('worse')} "
        "apart before, become equal: image 3 of class y′ is missed by both maps, and what is "
        "missed is redrawn from where the background is missed. The "
        f"sandwich allows it: {min(ends)} ≤ TV ≤ {max(ends)}. No error bars below.")


def _mask(text: tuple[str, ...]) -> np.ndarray:
    return np.array([[1 if cell == "#" else -1 for cell in line] for line in text])
