"""The methods in figures and tables: names, colours, markers; means against N; one legend."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paper_figures.fields import FieldError, get
from paper_figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY
from theory.methods import TIMED_COORDS

Row = dict[str, Any]


@dataclass(frozen=True)
class Look:
    """How a method is called and drawn; ``hollow``: the markers have no fill."""

    label: str
    color: str
    marker: str
    line: str
    hollow: bool = False

    @property
    def short(self) -> str:
        """The label of a rectangle's head without the word "rectangle"."""
        return self.label.removeprefix("rectangle, ")

    def line_style(self) -> dict[str, Any]:
        """Keywords of a line with markers."""
        return {"color": self.color, "marker": self.marker, "ls": self.line, **self.marker_style()}

    def marker_style(self) -> dict[str, Any]:
        """Keywords that leave the marker empty, or none."""
        return {"mfc": "white"} if self.hollow else {}


METHODS: dict[str, Look] = {
    "rectangle": Look("rectangle, coords", BLUE, "o", "-"),
    "rectangle+EQVC": Look("rectangle, coords + EQVC", BLUE, "s", "--", hollow=True),
    "rectangle+EQVC (paper)": Look("rectangle, coords + EQVC as in the paper", BLUE, "d", ":",
                                   hollow=True),
    "rectangle-softargmax": Look("rectangle, softargmax", SKY, "D", "--"),
    "rectangle-light": Look("rectangle, light", PURPLE, "^", "-."),
    "rectangle-paper": Look("rectangle, the paper's head", ORANGE, "v", (0, (5, 1, 1, 1))),
    "positionwise": Look("position-wise", RED, "X", "-"),
    "cbam": Look("CBAM", GREEN, "P", "--"),
    "simam": Look("SimAM", GREY, "h", ":"),
    "centre": Look("fixed rectangle", BLACK, "<", ":", hollow=True),
    "none": Look("no attention", GREY, "x", "--"),
    "oracle": Look("oracle", BLACK, "*", "-"),
}
"""Names as in rows (``theory.claims.ledger_6_trained.variant_of``), in the order of legends."""

COMPARED = {"rectangle": "rectangle", "positionwise": METHODS["positionwise"].label}
"""The two methods that the paper compares, as they are called where no other head is drawn."""

RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Ticks of a logarithmic axis of missing rates."""


def method_look(name: str) -> Look:
    """The look of a method; "rectangle-coords" (in timings) is "rectangle" (in trainings).

    >>> method_look("rectangle-coords").label
    'rectangle, coords'
    """
    known = "rectangle" if name == TIMED_COORDS else name
    if known not in METHODS:
        raise FieldError(f"a method is one of {', '.join(METHODS)}, got {name!r}")
    return METHODS[known]


def rows_where(rows: Iterable[Row], kind: str, **where: Any) -> list[Row]:
    """The rows of a kind whose fields have these values.

    Raises:
        FieldError: there is none.
    """
    found = [r for r in rows if r.get("kind") == kind
             and all(get(r, name) == value for name, value in where.items())]
    if not found:
        wanted = "".join(f", {k} {v!r}" for k, v in where.items())
        raise FieldError(f"no rows of kind {kind!r}{wanted}")
    return found


def most_common(rows: Sequence[Row], free: Iterable[str]) -> list[Row]:
    """The rows of the configuration that most of them share, up to its fields ``free``."""
    free = set(free)
    shared = [json.dumps({k: v for k, v in get(r, "config", {}).items() if k not in free},
                         sort_keys=True) for r in rows]
    most = Counter(shared).most_common(1)[0][0]
    return [r for r, c in zip(rows, shared, strict=True) if c == most]


def starts(rows: Iterable[Row]) -> str:
    """How many networks were tried where the map is learnt and where it is not, as a sentence; empty
    where rows do not say, or all had one.

    >>> starts([{"method": "cbam", "parameters_attention": 9, "config": {"starts": 3}},
    ...         {"method": "none", "parameters_attention": 0, "config": {"starts": 3}}])
    'Learnt maps had 3 starts (the best on training loss went on), the others one (no attention). '
    """
    known = [r for r in rows if isinstance(r.get("config"), dict) and "starts" in r["config"]
             and "parameters_attention" in r and r.get("method") in METHODS]
    tried = sorted({int(r["config"]["starts"]) for r in known if r["parameters_attention"]})
    if not tried or tried == [1]:
        return ""
    single = {r["method"] for r in known if not r["parameters_attention"]}
    named = ", ".join(METHODS[m].label for m in METHODS if m in single)
    return (f"Learnt maps had {' or '.join(map(str, tried))} starts (the best on training loss went "
            + (f"on), the others one ({named}). " if named else "on). "))


def mean_and_bars(groups: Sequence[Sequence[float]]) -> tuple[np.ndarray, np.ndarray]:
    """Means of groups ``(n,)``, and bars from the smallest to the largest as lengths ``(2, n)``.

    >>> mean, bars = mean_and_bars([[0.2, 0.4], [0.5]])
    >>> mean.round(3).tolist(), bars.round(3).tolist()
    ([0.3, 0.5], [[0.1, 0.0], [0.1, 0.0]])
    """
    mean = np.array([np.mean(v) for v in groups])
    bars = np.array([mean - [min(v) for v in groups], [max(v) for v in groups] - mean])
    return mean, np.maximum(bars, 0)


def draw_means(x: Any, groups: Sequence[Sequence[float]], ax: Any, **look: Any) -> None:
    """The means of groups against ``x``, with bars from the smallest to the largest."""
    mean, bars = mean_and_bars(groups)
    ax.errorbar(x, mean, yerr=bars, **{"capsize": 2, "elinewidth": 0.8, **look})


def axis_of_sizes(sizes: Sequence[int], ax: Any) -> None:
    """Make x a logarithmic axis of numbers of training images, with ticks at ``sizes`` alone; one size
    stands in the middle."""
    ax.set(xscale="log", xlabel="$N$ (training images)")
    ax.set_xticks(sizes, [f"{n}" for n in sizes])
    ax.minorticks_off()
    if len(sizes) == 1:
        ax.set_xlim(sizes[0] / 2, sizes[0] * 2)


def axis_of_rates(ax: Any) -> None:
    """Make y a logarithmic axis of missing rates, with ticks at :data:`RATES`."""
    ax.set_yscale("log")
    ax.set_yticks(RATES, [f"{v:g}" for v in RATES])


def legend_entries(panels: Any) -> dict[str, Any]:
    """Label -> handle of all panels, each label once."""
    handles: dict[str, Any] = {}
    for panel in np.asarray(panels, dtype=object).flat:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    return handles


def one_legend(
    panels: Any, columns: int, order: Iterable[str] = (), loc: str = "outside lower center"
) -> Any:
    """The labels of all panels once, those of ``order`` first, below the figure or at ``loc``."""
    handles = legend_entries(panels)
    labels = [k for k in order if k in handles]
    labels += [k for k in handles if k not in labels]
    figure = np.asarray(panels, dtype=object).flat[0].figure
    return figure.legend([handles[k] for k in labels], labels, ncols=columns, loc=loc)
