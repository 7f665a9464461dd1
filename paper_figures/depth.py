"""What the depth of the attention layer does: IoU and accuracy, rectangle against position-wise."""

from __future__ import annotations

from typing import Any

import numpy as np

from paper_figures.data_sets import images, one_data_set
from paper_figures.fields import FieldError, get, number
from paper_figures.methods import COMPARED, METHODS, Row, draw_means, one_legend, rows_where
from paper_figures.style import GREY, PAGE

PANELS = {
    "iou": "IoU of {f ≥ 1/2}",
    "iou_chosen": "IoU, chosen threshold",
    "pointing": "peak on the object",
    "accuracy": "accuracy",
}
"""Numbers of the test images: field and title."""

PRIOR = "centre prior"


def layout(rows: list[Row]) -> tuple[int, int]:
    """A panel a number."""
    return 1, len(PANELS)


def size(rows: list[Row]) -> tuple[float, float]:
    """Inches."""
    return PAGE, 2.5


def select(rows: list[Row]) -> list[Row]:
    """The runs of the experiment on depth with a map that is drawn.

    Raises:
        FieldError: one of the two methods has none, or rows of several data sets.
    """
    mine = rows_where(rows, "training", experiment="depth")
    one_data_set(mine)
    return [r for method in COMPARED for r in rows_where(mine, "training", method=method)]


def plot(rows: list[Row], ax: Any) -> Any:
    """Draw all panels on one scale from 0 to 1."""
    panels, found = np.asarray(ax, dtype=object).reshape(-1), select(rows)
    for (name, title), panel in zip(PANELS.items(), panels, strict=True):
        plot_panel(found, name, panel)
        panel.set(title=title, ylim=(0, 1.04))
        panel.label_outer()
    panels[0].set_ylabel("test images")
    one_legend(panels, 3, [METHODS[m].label for m in COMPARED])
    return ax


def plot_panel(rows: list[Row], name: str, ax: Any) -> Any:
    """One number against the layers before the attention: means, and bars from run to run."""
    for method, aside in zip(COMPARED, (-0.06, 0.06), strict=True):
        look, mine = METHODS[method], [r for r in rows if r["method"] == method]
        depths = sorted({int(number(r, "config.depth")) for r in mine})
        groups = [[number(r, f"test.{name}") for r in mine if r["config"]["depth"] == d]
                  for d in depths]
        draw_means(np.array(depths) + aside, groups, ax, label=look.label, **look.line_style())
    if name.startswith("iou"):
        prior = np.mean([number(r, "trivial.centre_prior.iou") for r in rows])
        ax.axhline(float(prior), color=GREY, ls="--", lw=1, label=PRIOR)
    ax.set_xticks(sorted({int(r["config"]["depth"]) for r in rows}))
    ax.set_xlabel("layers before")
    return ax


def caption(rows: list[Row]) -> str:
    """What is drawn, n, bars, and the numbers of the first and the last place."""
    found = select(rows)
    layers = sorted({int(number(r, "config.layers")) for r in found})
    seeds = sorted({get(r, "seed") for r in found})
    n, tests = (sorted({int(number(r, name)) for r in found}) for name in ("n", "n_test"))
    if len(layers) != 1:
        raise FieldError(f"the networks must have the same number of layers, got {layers}")
    text = (
        "The attention after 0 to all of the "
        f"{layers[0]} layers of 3 x 3 behind the patches ({images(found)}; labels alone, N = "
        f"{', '.join(map(str, n))}, {', '.join(map(str, tests))} test images). Points: mean over "
        f"{len(seeds)} seeds; bars: from the smallest to the largest. "
        "Chosen threshold: on validation images. ")
    for method in COMPARED:
        runs = [r for r in found if r["method"] == method]
        ends = []
        for depth in (0, layers[0]):
            mine = [r for r in runs if r["config"]["depth"] == depth]
            if mine:
                iou, chosen, right = (np.mean([number(r, f"test.{k}") for r in mine])
                                      for k in ("iou", "iou_chosen", "accuracy"))
                ends.append(f"after {depth} layers IoU {iou:.2f} ({chosen:.2f} at the chosen "
                            f"threshold), accuracy {right:.2f}")
        name = METHODS[method].label
        text += f"{name[0].upper() + name[1:]}: {'; '.join(ends)}. "
    return text + "A map may keep its peak on the object and lose its extent."
