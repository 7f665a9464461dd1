"""Figure 6: attention maps of position-wise attention and of the rectangle on test images."""

from __future__ import annotations

from typing import Any

from paper_figures.fields import get, number, words
from paper_figures.gallery import named, scenes, scenes_row, views, views_of
from paper_figures.gallery_panels import fitted, legend, note_score, show
from paper_figures.gallery_words import NAMES, SCORES, how_shown, no_bars, of_images, with_seeds

METHODS = ("positionwise", "rectangle")


def select(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of views of the two methods."""
    found = views_of(rows, "first")
    return [named(found, method) for method in METHODS]


def layout(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """The images, then a line a method; a column an image."""
    return 1 + len(METHODS), len(get(select(rows)[0], "views"))


def size(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Inches."""
    return fitted(*layout(rows), notes=len(METHODS), rest=0.22)


def plot(rows: list[dict[str, Any]], ax: Any) -> Any:
    """Draw the images and the maps over them."""
    found = select(rows)
    held = scenes_row(rows, found[0])
    shown = scenes(held)
    for panel, scene in zip(ax[0], shown, strict=True):
        show(panel, found[0], scene, held["sides"])
    for row, line in zip(found, ax[1:], strict=True):
        seen = views(row)
        for k, (panel, scene, view) in enumerate(zip(line, shown, seen, strict=True)):
            show(panel, row, scene, held["sides"], view)
            note_score(panel, view, "IoU " if k == 0 else "", scene)
    names = ("image", *(NAMES[row["method"], "none"] for row in found))
    for name, panel in zip(names, ax[:, 0], strict=True):
        panel.set_ylabel(name)
    legend(ax[0, 0].figure)
    return ax


def caption(rows: list[dict[str, Any]]) -> str:
    """What is drawn, what the paper says of it, and the numbers over all test images."""
    found = select(rows)
    held = scenes_row(rows, found[0])

    def both(path: str, digits: int = 2) -> str:
        return " against ".join(with_seeds(rows, row, path, digits) for row in found)

    return (
        f"Maps on {words(held, 'rule')} ({of_images(found[1], held)}). {how_shown(found[1])} {SCORES}; "
        "×: wrong class. The paper says that position-wise maps are irregular and mark background, and "
        "that the rectangle's support adapts very well. Over all "
        f"{number(found[0], 'test.images')} test images, position-wise against rectangle: IoU "
        f"{both('test.iou')}; missing rate "
        f"{both('test.missing_rate', 3)}; share of the map's mass inside the object "
        f"{both('test.energy_pointing')}; accuracy {both('test.accuracy')}. {no_bars(rows, found)}")
