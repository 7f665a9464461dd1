"""Is the module injective?  Where collisions begin, what trained modules say, and a collision drawn."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from paper_figures.data_sets import one_data_set
from paper_figures.fields import FieldError, get, number, of_kind
from paper_figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, PAGE, RED
from theory.injectivity import Collision, find_collision, module

SOFT, BINARY, TRAINED = "injectivity-soft", "injectivity-binary", "training"
PREDICTORS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "falls with ⟨w, x⟩": (("common", "pixelwise"), {"color": BLUE, "ls": "-", "marker": "o"}),
    "small network": (("network",), {"color": ORANGE, "ls": "--", "marker": "s"}),
    "soft rectangle": (("rectangle",), {"color": GREEN, "ls": "-.", "marker": "^"}),
    "rises, or blind to scale": (("increasing", "blind-network", "blind-rectangle"),
                                 {"color": GREY, "ls": ":", "marker": "x"}),
}
"""Soft predictors, not rescaled, by what their maps do when the input grows."""
METHODS = {"rectangle": "coords head", "rectangle-softargmax": "softargmax head",
           "rectangle-light": "light head", "rectangle-paper": "paper's head",
           "positionwise": "position-wise"}
RESCALED = {False: ("f", BLUE, "o"), True: ("f rescaled", RED, "s")}

IMAGE = np.array([[3.0, 3.0, 4.0, 4.0], [1.0, 3.0, 4.0, 2.0], [1.0, 3.0, 4.0, 2.0]])
"""The first input of the example; its left half is darker."""


def darker_half(x: np.ndarray) -> np.ndarray:
    """A binary rectangular map: 1 on the half, left or right, whose sum is smaller.

    >>> darker_half(np.array([[[1.0], [2.0]]]))
    array([[1., 0.]])
    """
    middle = x.shape[1] // 2
    left = bool(x[:, :middle].sum() <= x[:, middle:].sum())
    out = np.zeros(x.shape[:2])
    out[:, slice(0, middle) if left else slice(middle, None)] = 1
    return out


@cache
def example() -> Collision:
    """The input and the one that collides with it, exactly: both have one output."""
    found = find_collision(darker_half, IMAGE[..., None], binary=True)
    if found is None:
        raise RuntimeError("the example has lost its collision")
    return found


def layout(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """Above what rows tell, below the collision."""
    return 2, 3


def size(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Inches."""
    return PAGE, 4.6


def plot(rows: list[dict[str, Any]], ax: Any) -> Any:
    """Draw collisions against the gain, ratios and singular values of trained modules, a collision."""
    above, below = ax
    plot_gains(rows, above[0])
    plot_ratios(rows, above[1])
    plot_spectra(rows, above[2])
    above[2].set_yticklabels([])
    draw_collision(below)
    above[1].legend(loc="upper right", fontsize=6.5, ncols=2, handletextpad=0.2, columnspacing=1)
    return ax


def plot_gains(rows: list[dict[str, Any]], ax: Any) -> Any:
    """Share of random modules for which a collision was found and verified, against the gain."""
    from sims.injectivity_predictors import CRITICAL_GAIN

    for label, (names, look) in PREDICTORS.items():
        found = shares(rows, names)
        if found:
            ax.plot(list(found), [hit / of for hit, of in found.values()], label=label, ms=3.5, **look)
    ax.vlines(CRITICAL_GAIN, -0.05, 1.05, color=BLACK, lw=0.9)
    ax.text(CRITICAL_GAIN, 1.08, "6 − ln 2", fontsize=6.5, ha="center", va="bottom")
    ax.set(xscale="log", xlabel="gain", ylabel="share with a collision", ylim=(-0.05, 1.8),
           yticks=[0, 0.5, 1], title="small modules")
    ax.set_xticks([0.5, 1, 2, 5, 10, 20, 40], ["0.5", "1", "2", "5", "10", "20", "40"])
    ax.minorticks_off()
    ax.legend(loc="upper left", fontsize=6.5)
    return ax


def shares(rows: list[dict[str, Any]], names: tuple[str, ...]) -> dict[float, tuple[int, int]]:
    """``gain -> (modules with a collision, modules)`` of these predictors, not rescaled."""
    found: dict[float, tuple[int, int]] = {}
    for row in of_kind(rows, SOFT):
        if get(row, "name") in names and not get(row, "rescaled"):
            hit, of = found.get(number(row, "gain"), (0, 0))
            found[row["gain"]] = hit + bool(get(row, "collision")), of + 1
    return dict(sorted(found.items()))


def trained(rows: list[dict[str, Any]]) -> dict[tuple[str, bool], list[dict[str, Any]]]:
    """``(method, rescaled) -> rows`` of trained modules that were examined, in order."""
    found: dict[tuple[str, bool], list[dict[str, Any]]] = {}
    for row in of_kind(rows, TRAINED):
        if get(row, "method") in METHODS and get(row, "injectivity", None):
            found.setdefault((row["method"], bool(get(row, "config.rescale"))), []).append(row)
    if not found:
        raise FieldError(f"no rows of kind {TRAINED!r} with 'injectivity'")
    one_data_set([row for mine in found.values() for row in mine])
    return {key: found[key] for key in sorted(found, key=lambda k: (list(METHODS).index(k[0]), k[1]))}


def plot_ratios(rows: list[dict[str, Any]], ax: Any) -> Any:
    """Prop. 4's ratio: median of random pairs, their maximum, and the largest that a climb found."""
    for y, row, (label, colour, marker) in _lanes(rows, ax):
        ends = [number(row, f"injectivity.prop4.{k}") for k in ("random_median", "climbed_max")]
        ax.plot(ends, [y, y], color=colour, lw=0.9)
        ax.plot(number(row, "injectivity.prop4.random_max"), y, ls="", marker="|", ms=4, color=colour)
        ax.plot(ends, [y, y], ls="", marker=marker, ms=2.5, color=colour, label=label)
    ax.axvline(1, color=BLACK, lw=1)
    ax.set(xscale="log", xlabel="‖f(x)x − f(x′)x′‖ / ‖x − x′‖", title="Prop. 4 asks for < 1")
    return ax


def plot_spectra(rows: list[dict[str, Any]], ax: Any) -> Any:
    """Smallest and largest singular value of the Jacobian; at how many points it turns space over."""
    for y, row, (label, colour, marker) in _lanes(rows, ax):
        ends = [number(row, f"injectivity.sigma_{k}") for k in ("min", "max")]
        ax.plot(ends, [y, y], color=colour, lw=0.9, marker=marker, ms=2.5, label=label)
    for place, method in enumerate(_methods(rows)):
        some = [r for (m, _), found in trained(rows).items() if m == method for r in found]
        turned, points = reversed_points(some)
        ax.annotate(f"{turned} of {points}", (1.0, place), (2, 0), va="center", fontsize=6.5,
                    xycoords=("axes fraction", "data"), textcoords="offset points")
    ax.annotate("det < 0", (1.0, -0.95), (2, 0), va="center", fontsize=6.5, annotation_clip=False,
                xycoords=("axes fraction", "data"), textcoords="offset points")
    ax.set(xscale="log", xlabel="singular values", title="Jacobians of M")
    return ax


def reversed_points(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """At how many points, of how many, the Jacobian's determinant is negative."""
    return (sum(int(number(r, "injectivity.reversed")) for r in rows),
            sum(len(get(r, "injectivity.orientations")) for r in rows))


def draw_collision(panels: Any) -> Any:
    """x with its map, x' with its map, and the output of both."""
    pair = example()
    for ax, x, name in zip(panels, (pair.x, pair.y), ("x", "x′"), strict=False):
        _cells(x[..., 0], ax, f"{name} and its darker half")
        marked = np.argwhere(darker_half(x) == 1)
        (top, left), (bottom, right) = marked.min(axis=0), marked.max(axis=0) + 1
        ax.plot(np.array([left, right, right, left, left]), [top, top, bottom, bottom, top],
                color=RED, lw=3, clip_on=False)
    _cells(module(darker_half, pair.x)[..., 0], panels[2], "M(x) = M(x′)")
    return panels


def caption(rows: list[dict[str, Any]]) -> str:
    """What is drawn, how many modules, bars, and what follows."""
    from sims.injectivity import DIGITS

    rescaled = [r for r in of_kind(rows, SOFT) if get(r, "rescaled")]
    binary = of_kind(rows, BINARY)
    each = sorted({of for names, _ in PREDICTORS.values() for _, of in shares(rows, names).values()})
    examined = [r for found in trained(rows).values() for r in found]
    below = sum(bool(get(r, "injectivity.prop4.below_one")) for r in examined)
    turned = sum(number(r, "injectivity.reversed") > 0 for r in examined)
    bad, points = reversed_points(examined)
    met = sum(int(number(r, "collisions_that_meet_prop_3")) for r in binary)
    candidates = sum(int(number(r, "injectivity.candidates")) for r in examined)
    return (
        "Injectivity of M(x) = x + f(x) x (App. F). Above left: share of "
        f"{' or '.join(map(str, each))} random small modules at each gain with two inputs of one "
        f"output, found by a search and verified in {DIGITS} digits; for σ(g(1 − ⟨w, x⟩)) they begin "
        "at g = 6 − ln 2. "
        f"With the rescaled maps (not drawn) {sum(bool(r['collision']) for r in rescaled)} of "
        f"{len(rescaled)} cells have one; of "
        f"{sum(int(number(r, 'collisions')) for r in binary)} exact collisions of binary maps {met} "
        f"meet the condition of Prop. 3. Middle: {len(examined)} trained modules, one line each, from "
        "the median ratio of random pairs of features (tick: their maximum) to the largest that a "
        f"climb found; above 1 for {len(examined) - below} of them, of which Prop. 4 says nothing. "
        "Right: from the smallest to the largest singular value of the Jacobian over "
        f"{' or '.join(str(v) for v in sorted({get(r, 'injectivity.points') for r in examined}))} "
        f"test images each; its determinant is negative at {bad} of {points} points, in {turned} "
        "modules, which (up to rounding) are therefore not injective on the whole space, although the "
        f"search found {candidates} candidates for a collision. Below: a collision with rectangular "
        "maps, exact: the left half is doubled, the right one halved, the other half becomes the "
        "darker one, and the outputs are equal. No error bars: every module is drawn.")


def _lanes(
    rows: list[dict[str, Any]], ax: Any
) -> list[tuple[float, dict[str, Any], tuple[str, str, str]]]:
    """``(height, row, look)`` of every trained module; labels once, lanes on the axis."""
    methods, out, seen = _methods(rows), [], set()
    for (method, rescaled), found in trained(rows).items():
        label, colour, marker = RESCALED[rescaled]
        for k, row in enumerate(found):
            shift = (0.12 if rescaled else -0.28) + 0.32 * k / max(2, len(found))
            out.append((methods.index(method) + shift,
                        row, ("_" if label in seen else label, colour, marker)))
            seen.add(label)
    ax.set_yticks(range(len(methods)), [METHODS[m] for m in methods])
    ax.set_ylim(len(methods) - 0.4, -1.35)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", visible=False)
    return out


def _methods(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(method for method, _ in trained(rows)))


def _cells(values: np.ndarray, ax: Any, title: str) -> None:
    height, width = values.shape
    ax.imshow(values, cmap="Greys_r", vmin=-1, vmax=9, extent=(0, width, height, 0))
    for i, j in np.ndindex(values.shape):
        ax.text(j + 0.5, i + 0.5, f"{values[i, j]:g}", ha="center", va="center", fontsize=8.5,
                color="white" if values[i, j] < 4 else BLACK)
    ax.set(xticks=[], yticks=[], title=title)
    ax.grid(False)
    ax.spines[:].set_visible(False)
