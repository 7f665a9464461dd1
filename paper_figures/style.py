"""One look for all figures: colour-blind safe, readable in grey print, no global state."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito; they differ in lightness too, and every series has its own line or marker
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, GREY, BLACK = "#CC79A7", "#56B4E9", "#6B6B6B", "#1A1A1A"
MAP = "cividis"

COLUMN = 3.35  # inches, one column of a paper
PAGE = 6.9

RC = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.edgecolor": BLACK,
    "axes.grid": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "image.cmap": MAP,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "quadrat",
}

FORMATS = ("png", "svg", "pdf")


def draw(module: Any, rows: list[dict[str, Any]] | None) -> Figure:
    """The figure of a module: its axes by ``layout(rows)``, filled by ``plot(rows, ax)``."""
    with matplotlib.rc_context(RC):
        lines, columns = module.layout(rows)
        figure = Figure(figsize=module.size(rows), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(lines, columns, squeeze=True)
        module.plot(rows, axes)
    return figure


def save(figure: Figure, target: str | Path | io.BytesIO, format: str) -> None:
    """Write a figure; equal figures give equal bytes in every format."""
    if format not in FORMATS:
        raise ValueError(f"format must be one of {FORMATS}, got {format!r}")
    undated = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with matplotlib.rc_context(RC):
        figure.savefig(target, format=format, metadata=undated[format])


def rendered(figure: Figure, format: str) -> bytes:
    """A figure as the content of a file, for papers: vectors with all digits, fonts inside.

    A page carries :func:`paper_figures.compact_svg.page_address` instead.
    """
    buffer = io.BytesIO()
    save(figure, buffer, format)
    return buffer.getvalue()
