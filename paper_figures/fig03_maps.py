"""Figure 3: soft rectangles of Eq. 4 with s = 10 for several (mu, sigma, alpha)."""

from __future__ import annotations

from typing import Any

import numpy as np

from paper_figures.style import PAGE
from theory.rectangle import Rectangle, attention_map, rotation

S = 10.0
CELLS = 121
PARAMETERS = (  # mu1, mu2, sigma1, sigma2, alpha in degrees
    (0.50, 0.50, 0.30, 0.20, 0),
    (0.30, 0.65, 0.15, 0.25, 0),
    (0.50, 0.50, 0.30, 0.12, 30),
    (0.50, 0.50, 0.30, 0.12, -45),
    (0.65, 0.35, 0.22, 0.22, 45),
    (0.25, 0.25, 0.35, 0.15, 60),
)


def layout(rows: Any) -> tuple[int, int]:
    """Two lines of three maps."""
    return 2, 3


def size(rows: Any) -> tuple[float, float]:
    """Inches."""
    return PAGE, 4.6


def plot(rows: Any, ax: Any) -> Any:
    """Draw the maps on the unit square, the level 1/2 and the rectangle they soften."""
    unit = np.linspace(0, 1, CELLS)
    for panel, (mu1, mu2, sigma1, sigma2, degrees) in zip(ax.flat, PARAMETERS, strict=True):
        rectangle = Rectangle([mu1, mu2], [sigma1, sigma2], np.deg2rad(degrees))
        values = attention_map(rectangle, CELLS, CELLS, S)
        half = 0.5 / (CELLS - 1)  # cell centres at 0 and 1
        image = panel.imshow(values, vmin=0, vmax=1, extent=(-half, 1 + half, 1 + half, -half),
                             interpolation="nearest")
        panel.contour(unit, unit, values, levels=[0.5], colors="black", linewidths=0.9)
        outline = corners(rectangle)
        panel.plot(outline[:, 1], outline[:, 0], "--", color="white", lw=1.0)
        panel.set_title(f"$\\mu=({mu1:.2f}, {mu2:.2f})$, $\\alpha={degrees}$°\n"
                        f"$\\sigma=({sigma1:.2f}, {sigma2:.2f})$", fontsize=7.5)
        panel.set(xlim=(-half, 1 + half), ylim=(1 + half, -half), xticks=[0, 0.5, 1],
                  yticks=[0, 0.5, 1])
        panel.grid(False)
    for panel in ax[-1]:
        panel.set_xlabel("$t_2$ (columns)")
    for panel in ax[:, 0]:
        panel.set_ylabel("$t_1$ (rows, downwards)")
    ax.flat[0].figure.colorbar(image, ax=ax, shrink=0.7, label="attention", ticks=[0, 0.5, 1])
    return ax


def corners(rectangle: Rectangle) -> np.ndarray:
    """The closed outline of one rectangle, ``(5, 2)`` points (t1, t2)."""
    cos, sin = rotation(rectangle.angle)
    local = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1], [1, 1]]) * rectangle.half_widths
    return rectangle.center + local @ np.array([[cos, sin], [-sin, cos]])


def caption(rows: Any) -> str:
    """What is drawn."""
    return (f"Soft rectangles of Eq. 4 with s = {S:g} on a {CELLS} × {CELLS} grid, for six "
            "choices of (μ, σ, α). White dashes: the rectangle of the five parameters; black: "
            "the level 1/2 of the map, which lies strictly inside it. Axis 1 points downwards; "
            "α turns axis 1 towards axis 2. No data, no error bars.")
