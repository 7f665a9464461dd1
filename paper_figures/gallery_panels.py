"""How Figs. 6 to 9 show pictures: a map as light, the true outline dashed, what was found in orange.

Panels are in grid coordinates (Eq. 5), so that rectangles are drawn as they stand in the rows; pictures
are laid under them by ``theory.rectangle.image_to_grid``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke

from paper_figures.fields import get
from paper_figures.fig03_maps import corners
from paper_figures.gallery import Scene, View
from paper_figures.style import BLACK, GREY, ORANGE, PAGE
from theory.rectangle import image_to_grid

TINT, STRENGTH = (0.05, 0.06, 0.20), 0.7
"""The shade that a map takes away, and how dark it is where the map is 0."""
CASING = [Stroke(linewidth=2.0, foreground=BLACK), Normal()]
TRUE_LOOK: dict[str, Any] = {"color": "white", "lw": 1.1, "ls": (0, (2.2, 1.4))}
FOUND_LOOK: dict[str, Any] = {"color": ORANGE, "lw": 1.1}
GAP, NOTE = 0.08, 0.15
"""Between panels, and of a line of text below them, inches."""


def show(panel: Any, row: dict[str, Any], scene: Scene, sides: Sequence[int],
         view: View | None = None) -> Any:
    """One picture with its truth's outline; with a view also the map (light where it is high) and the
    outline of what was found.

    Args:
        row: of views: says how the grid lies on the images.
        sides: (height, width) of the network's images.
    """
    grid, stride = get(row, "grid"), get(row, "stride")
    low, high = zip(*(_ends(n, cells, stride) for n, cells in zip(sides, grid, strict=True)),
                    strict=True)
    panel.imshow(scene.picture, extent=(low[1], high[1], high[0], low[0]), interpolation="nearest")
    if view is not None:
        half = [0.5 / (cells - 1) for cells in grid]
        shade = np.empty((*view.f.shape, 4))
        shade[..., :3], shade[..., 3] = TINT, STRENGTH * (1 - view.f)
        panel.imshow(shade, extent=(-half[1], 1 + half[1], 1 + half[0], -half[0]),
                     interpolation="nearest")
        _found(panel, view, grid)
    _true(panel, scene, low, high)
    panel.set(xlim=(low[1], high[1]), ylim=(high[0], low[0]), xticks=[], yticks=[],
              aspect=(grid[0] - 1) / (grid[1] - 1))
    panel.grid(False)
    for spine in panel.spines.values():
        spine.set_visible(False)
    return panel


def note_score(panel: Any, view: View, lead: str = "", scene: Scene | None = None) -> None:
    """The IoU of a view below its panel, and with a scene a cross where its class is missed."""
    iou = get(view.note, "iou")
    text = "" if iou is None else f"{lead}{iou:.2f}"
    if scene is not None and get(view.note, "prediction") != get(scene.note, "label"):
        text += " ×"
    note(panel, text)


def note(panel: Any, text: str) -> None:
    """A small text below a panel."""
    panel.set_xlabel(text, fontsize=7, labelpad=1.5)


def rule(panel: Any, x: tuple[float, float], y: tuple[float, float]) -> None:
    """A grey line beside a panel, whose sides are 1 long, that takes no room of its own."""
    line = Line2D(x, y, transform=panel.transAxes, color=GREY, lw=0.8)
    line.set_clip_on(False)
    line.set_in_layout(False)
    panel.add_artist(line)


def fitted(
    lines: int, columns: int, notes: int, rest: float, label: float = 0.25
) -> tuple[float, float]:
    """The size in inches of a page-wide figure of square panels.

    Args:
        notes: lines of panels with a number below.
        rest: height of titles and legend.
        label: width of the lines' names.
    """
    side = (PAGE - label) / columns - GAP
    return PAGE, lines * (side + GAP) + notes * NOTE + rest


def legend(figure: Any, found: str = "found: rectangle, or cells with f ≥ 1/2") -> None:
    """What the two outlines are, below a figure."""
    figure.legend([Line2D([], [], path_effects=CASING, **look) for look in (TRUE_LOOK, FOUND_LOOK)],
                  ["true object", found], ncols=2, loc="outside lower center", handlelength=3)


def cell_borders(mask: np.ndarray) -> np.ndarray:
    """The sides of cells that lie between a cell of the mask and one outside it (or the edge).

    ``(k, 2, 2)``: segments with their ends (t1, t2) in grid coordinates.
    """
    wide = np.pad(mask, 1)
    height, width = mask.shape
    across = np.argwhere(wide[1:, 1:-1] != wide[:-1, 1:-1])  # between lines i-1 and i
    along = np.argwhere(wide[1:-1, 1:] != wide[1:-1, :-1])
    segments = [[(i - 0.5, j - 0.5), (i - 0.5, j + 0.5)] for i, j in across]
    segments += [[(i - 0.5, j - 0.5), (i + 0.5, j - 0.5)] for i, j in along]
    return np.array(segments).reshape(-1, 2, 2) / [height - 1, width - 1]


def _ends(pixels: int, cells: int, stride: int) -> tuple[float, float]:
    """The edges of an image along one axis, half a pixel beyond its outer pixels, on the grid."""
    low = image_to_grid(np.array(-0.5 / (pixels - 1)), pixels, cells, stride)
    return float(low), float(1 - low)


def _found(panel: Any, view: View, grid: Sequence[int]) -> None:
    if view.rectangle is not None:
        outline = corners(view.rectangle)
        panel.plot(outline[:, 1], outline[:, 0], path_effects=CASING, label="found", **FOUND_LOOK)
        return
    lines = LineCollection(cell_borders(view.mask)[..., ::-1], path_effects=CASING, label="found",
                           capstyle="projecting", **FOUND_LOOK)
    panel.add_collection(lines, autolim=False)


def _true(panel: Any, scene: Scene, low: Sequence[float], high: Sequence[float]) -> None:
    if scene.rectangle is not None:
        outline = corners(scene.rectangle)
        panel.plot(outline[:, 1], outline[:, 0], path_effects=CASING, label="true", **TRUE_LOOK)
        return
    inside = (scene.truth == 1).astype(float)
    if inside.min() == inside.max():
        return
    t1, t2 = (a + (np.arange(n) + 0.5) * (b - a) / n
              for a, b, n in zip(low, high, inside.shape, strict=True))
    drawn = panel.contour(t2, t1, inside, levels=[0.5], colors=TRUE_LOOK["color"],
                          linewidths=TRUE_LOOK["lw"], linestyles=[TRUE_LOOK["ls"]])
    drawn.set_path_effects(CASING)
