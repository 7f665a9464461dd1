"""Figure 4: the rectangle follows translation, rotation and scaling; and where the formula does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from paper_figures.fig03_maps import corners
from paper_figures.methods import one_legend
from paper_figures.style import BLACK, GREY, PAGE, RED
from theory.equivariance import Similarity
from theory.rectangle import Rectangle, attention_map, rotation

S = 10.0
CELLS = 81
CENTER = np.array([0.5, 0.5])
LOOK = Rectangle([0.42, 0.36], [0.20, 0.11], np.deg2rad(20))
"""What the attention marks in the first image."""
TURN, SCALE, SHIFT = np.deg2rad(-30), 1.5, (0.15, 0.25)
ARROW = np.array([[-0.8, -0.3], [0.1, -0.3], [0.1, -0.75], [0.8, 0.0], [0.1, 0.75], [0.1, 0.3],
                  [-0.8, 0.3], [-0.8, -0.3]])
"""The object, an outline in units of the half-widths: unlike a rectangle, it shows a wrong turn."""


@dataclass(frozen=True)
class Panel:
    """One moved image.

    Attributes:
        title: what was done to it.
        image: the map that its points follow.
        formula: the five parameters that the paper's formula gives.
    """

    title: str
    image: Similarity
    formula: Rectangle


def panels() -> list[Panel]:
    """The six images: four that the formula follows, two readings that it does not."""
    moves = {"the image": Similarity(), "translation by δμ": Similarity(shift=SHIFT),
             "rotation by δα about c": Similarity(angle=TURN),
             "scaling by δσ about the origin": Similarity(scale=SCALE)}
    out = [Panel(title, move, move.act(LOOK)) for title, move in moves.items()]
    scaled = moves["scaling by δσ about the origin"]
    about = Similarity(scale=SCALE, shift=(1 - SCALE) * CENTER)
    turned = moves["rotation by δα about c"]
    good = turned.act(LOOK)
    literal = Rectangle(turned_about_itself(LOOK.center, TURN), good.half_widths, good.angle)
    return [*out, Panel("scaling by δσ about c", about, scaled.act(LOOK)),
            Panel("rotation, R of Eq. 3 as written", turned, literal)]


def turned_about_itself(center: np.ndarray, angle: float) -> np.ndarray:
    """The centre if Eq. 3, which turns about mu, is applied to mu - c, and c added: section 4.4 read
    to the letter."""
    cos, sin = rotation(angle)
    return np.array([[cos, -sin], [sin, cos]]) @ -CENTER + center + CENTER


def layout(rows: Any) -> tuple[int, int]:
    """Two lines of three images."""
    return 2, 3


def size(rows: Any) -> tuple[float, float]:
    """Inches."""
    return PAGE, 5.0


def plot(rows: Any, ax: Any) -> Any:
    """Draw object, attention map and the rectangle of the formula in each image."""
    for panel, axes in zip(panels(), np.asarray(ax).flat, strict=True):
        plot_panel(panel, axes)
    for axes in ax[-1]:
        axes.set_xlabel("$t_2$")
    for axes in ax[:, 0]:
        axes.set_ylabel("$t_1$ (downwards)")
    one_legend(ax, 4)
    return ax


def plot_panel(panel: Panel, ax: Any) -> Any:
    """One image: the map that moved with it, in grey; the object; the formula's rectangle."""
    true = panel.image.act(LOOK)
    wrong = not np.allclose(true.to_array(), panel.formula.to_array())
    half = 0.5 / (CELLS - 1)
    ax.imshow(attention_map(true, CELLS, CELLS, S), cmap="Greys", vmin=0, vmax=1.6,
              extent=(-half, 1 + half, 1 + half, -half), interpolation="nearest")
    arrow = panel.image.apply(outline(LOOK))
    ax.fill(arrow[:, 1], arrow[:, 0], fc="white", ec=BLACK, lw=0.9, label="object")
    box = corners(panel.formula)
    ax.plot(box[:, 1], box[:, 0], ls="--" if wrong else "-", color=RED, lw=1.4,
            label="rectangle of the formula")
    mu = panel.formula.center
    ax.plot(mu[1], mu[0], ls="", marker="o", ms=4, color=RED, label="its centre μ̂")
    ax.plot(CENTER[1], CENTER[0], ls="", marker="+", ms=6, color=GREY,
            label="image centre c")
    title = panel.title
    if wrong:
        row, column = panel.formula.center - true.center
        title += f"\noff by ({row:+.2f}, {column:+.2f})".replace("-", "−")
    ax.set_title(title, color=RED if wrong else BLACK)
    ax.set(xlim=(0, 1), ylim=(1, 0), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], aspect="equal")
    ax.spines[:].set_visible(True)
    ax.grid(False)
    return ax


def outline(rectangle: Rectangle) -> np.ndarray:
    """The arrow inside a rectangle, ``(k, 2)`` points (t1, t2)."""
    cos, sin = rotation(rectangle.angle)
    return rectangle.center + ARROW * rectangle.half_widths @ np.array([[cos, sin], [-sin, cos]])


def caption(rows: Any) -> str:
    """What is drawn and which readings of section 4.4 fail."""
    about = panels()[4]
    off = about.formula.center - about.image.act(LOOK).center
    return (f"Equivariance of the five parameters (section 4.4). Arrow: the object; grey: the soft map "
            f"(s = {S:g}) that moved with it; vermilion: the rectangle of the paper's μ̂, σ̂, α̂. "
            f"Translation by δμ = ({SHIFT[0]:g}, {SHIFT[1]:g}), rotation by {_degrees(TURN)} about the "
            f"image centre c and scaling by {SCALE:g} about the origin, the first cell: the formula "
            "follows exactly. Scaling about c, as image libraries do: μ̂ is off by (δσ − 1) c = "
            f"({off[0]:g}, {off[1]:g}) whatever the object (claim sec-4.4-centre). R of Eq. 3 turns "
            "about μ; put into section 4.4 as it is written, it gives another centre (claim "
            "eq-3-about-c). Axis 1 points downwards. No data, no error bars.")


def _degrees(angle: float) -> str:
    return f"{np.rad2deg(angle):.0f}°".replace("-", "−")
