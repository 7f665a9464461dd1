"""Figure 8: attention maps along a sequence of rotations, scalings and translations of an image."""

from __future__ import annotations

from typing import Any

import numpy as np

from paper_figures.fields import FieldError, get, number, words
from paper_figures.gallery import named, scenes, scenes_row, views, views_of
from paper_figures.gallery_panels import fitted, legend, note_score, rule, show
from paper_figures.gallery_words import NAMES, SCORES, how_shown, no_bars, of_images, with_seeds

METHODS = (("positionwise", "none"), ("rectangle", "none"), ("rectangle", "quotient"))
NEEDED = METHODS[:2]
MEASURED = {"iou": "IoU with the moved first mask", "iou_truth": "with the moved truth",
            "correlation": "correlation with the moved first map",
            "second_difference_map": "second difference from step to step as a share of the map"}


def select(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of views of the methods that are there; the first two must be."""
    found = views_of(rows, "sequence")
    there = {(get(r, "method"), get(r, "eqvc")) for r in found}
    return [named(found, *name) for name in METHODS if name in NEEDED or name in there]


def layout(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """For each image a line a method; a column a step."""
    found = select(rows)
    held = scenes_row(rows, found[0])
    columns = int(get(held, "steps")) + 1
    return len(held["scenes"]) // columns * len(found), columns


def size(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Inches."""
    lines, columns = layout(rows)
    return fitted(lines, columns, notes=lines, rest=0.36, label=0.35)


def plot(rows: list[dict[str, Any]], ax: Any) -> Any:
    """Draw the moved images and the maps over them."""
    found = select(rows)
    held = scenes_row(rows, found[0])
    shown, seen = scenes(held), [views(row) for row in found]
    columns = ax.shape[1]
    for count, line in enumerate(ax):
        image, method = divmod(count, len(found))
        for step, panel in enumerate(line):
            k = image * columns + step
            if shown[k].note["step"] != step:
                raise FieldError(f"row {held['key']!r}: step {step} expected at scene {k}, got "
                                 f"{shown[k].note['step']}")
            show(panel, found[method], shown[k], held["sides"], seen[method][k])
            note_score(panel, seen[method][k], "IoU " if count + step == 0 else "")
            if method + 1 == len(found) and count + 1 < len(ax):
                rule(panel, (-0.07, 1.07), (-0.27, -0.27))
        row = found[method]
        line[0].set_ylabel(NAMES[row["method"], row["eqvc"]].replace(" + ", "\n+ "), fontsize=7.5)
    for step, panel in enumerate(ax[0]):
        panel.set_title("step 0" if step == 0 else f"{step}", fontsize=8)
    legend(ax[0, 0].figure)
    return ax


def caption(rows: list[dict[str, Any]]) -> str:
    """What is drawn, what the paper says of it, and the numbers over many sequences."""
    found = select(rows)
    held = scenes_row(rows, found[0])
    shift = ", ".join(f"{v:g}" for v in get(held, "shift"))
    return (
        f"Maps along a path of {held['steps']} equal steps to a rotation by "
        f"{np.rad2deg(number(held, 'angle')):.0f}°, a scaling by {number(held, 'scale'):g} and a shift "
        f"by ({shift}) of the grid's sides, about the image's centre; images: {words(held, 'rule')}. "
        f"({of_images(found[1], held)}.) {how_shown(found[1])} {SCORES} moved alike. The paper "
        "says that the rectangle's maps follow quite smoothly and position-wise maps vary drastically. "
        f"{_measured(rows, found)}{no_bars(rows, found)}")


def _measured(rows: list[dict[str, Any]], found: list[dict[str, Any]]) -> str:
    """Means over sequences of all images that stay; nothing where the runs have not measured them."""
    if not all(get(row, "sequences") for row in found):
        return ""
    if any(get(row, f"sequences.composed.{name}") is None for row in found
           for name in (*MEASURED, "iou_ceiling")):
        return "No mean over sequences: no object stays wholly in the image along the path. "
    lines = []
    for row in found:
        numbers = [f"{label} {with_seeds(rows, row, f'sequences.composed.{name}')}"
                   for name, label in MEASURED.items()]
        lines.append(f"{NAMES[row['method'], row['eqvc']]}: {', '.join(numbers)}")
    ceiling = with_seeds(rows, found[0], "sequences.composed.iou_ceiling")
    return (f"Means over the steps, of all sequences that the runs measured: "
            f"{'; '.join(lines)}. (Resampling alone leaves {ceiling} of the IoU with the moved first "
            "mask.) ")
