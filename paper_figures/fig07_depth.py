"""Figure 7: attention maps after a shallower and after a deeper layer of one network."""

from __future__ import annotations

from typing import Any

from paper_figures.fields import FieldError, get, number
from paper_figures.gallery import named, place, scenes, scenes_row, views, views_of
from paper_figures.gallery_panels import GAP, NOTE, legend, note_score, show
from paper_figures.gallery_words import NAMES, SCORES, how_shown, no_bars, of_images, with_seeds

METHODS = ("positionwise", "rectangle")
IMAGES = 4
SIDE = 1.05


def select(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of views of both methods at the shallowest place, then at the deepest.

    Of networks that differ in the place alone: of small ones those with as many layers.  Places are
    ordered by the pixels a cell and the layers before the attention; the names of backbones' layers
    have no order, so that there the order of the file counts.

    Raises:
        FieldError: fewer than two places with both methods in one kind of network.
    """
    found = views_of(rows, "first")
    kinds: dict[Any, dict[Any, list[dict[str, Any]]]] = {}
    for row in found:
        if get(row, "eqvc") == "none" and get(row, "method") in METHODS:
            kinds.setdefault(get(row, "layers"), {}).setdefault(place(row), []).append(row)
    for places in kinds.values():
        whole = [held for held in places.values() if {r["method"] for r in held} == set(METHODS)]
        if len(whole) > 1:
            whole.sort(key=lambda held: (held[0]["stride"], held[0]["depth"] or 0))
            return [named(held, m) for held in (whole[0], whole[-1]) for m in METHODS]
    raise FieldError("Figure 7 needs both methods at two places of one network: no such gallery rows")


def layout(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """A line an image; the image, then a column a place and method."""
    return min(IMAGES, len(get(select(rows)[0], "views"))), 5


def size(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Inches."""
    lines, columns = layout(rows)
    return columns * (SIDE + GAP), lines * (SIDE + GAP + NOTE) + 0.55


def plot(rows: list[dict[str, Any]], ax: Any) -> Any:
    """Draw each image and the four maps over it."""
    found = select(rows)
    held = scenes_row(rows, found[0])
    shown = scenes(held)
    for row, column in zip((None, *found), ax.T, strict=True):
        seen = None if row is None else views(row)
        for k, panel in enumerate(column):
            show(panel, row or found[0], shown[k], held["sides"], seen and seen[k])
            if seen:
                note_score(panel, seen[k], "IoU " if k == 0 else "", shown[k])
        column[0].set_title("image" if row is None else
                            f"{NAMES[row['method'], 'none']}\n{where(row)}", fontsize=8)
    legend(ax[0, 0].figure)
    return ax


def where(row: dict[str, Any]) -> str:
    """The place of the attention in words.

    >>> where({"layers": 3, "depth": 1, "at": "", "stride": 4}), where(
    ...     {"layers": None, "depth": None, "at": "blocks.5", "stride": 16})
    ('after 1 of 3 layers', 'after blocks.5')
    """
    layers, depth, at, _ = place(row)
    if layers is not None:
        return f"after {depth} of {layers} layers"
    return f"after {at}" if at else "at App. G's place"


def caption(rows: list[dict[str, Any]]) -> str:
    """What is drawn, what the paper says of it, and the numbers over all test images."""
    found = select(rows)
    held = scenes_row(rows, found[0])
    lines = []
    for pair in (found[:2], found[2:]):
        said = [f"{NAMES[row['method'], 'none']} {_numbers(rows, row)}" for row in pair]
        lines.append(f"{where(pair[0])} {', and '.join(said)}")
    return (
        f"Maps at two places of one kind of network, on the first {layout(rows)[0]} test images "
        f"({of_images(found[0], held, place=False)}). {how_shown(found[0], found[2])} {SCORES}; ×: "
        "wrong class. The paper says that at the shallower place position-wise maps fail and the "
        "rectangle still locates the object, and that at the deeper one both do more or less well. "
        f"Over all {number(found[0], 'test.images')} test images: {'; '.join(lines)}. "
        f"{no_bars(rows, found)}")


def _numbers(rows: list[dict[str, Any]], row: dict[str, Any]) -> str:
    chosen = ""
    if get(row, "test.iou_chosen") is not None:  # a split of a pool has no validation images
        chosen = (", at the threshold chosen on validation images "
                  f"{with_seeds(rows, row, 'test.iou_chosen')}")
    return (f"IoU {with_seeds(rows, row, 'test.iou')}{chosen}, missing rate "
            f"{with_seeds(rows, row, 'test.missing_rate', 3)}, accuracy "
            f"{with_seeds(rows, row, 'test.accuracy')}")
