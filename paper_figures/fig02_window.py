"""Figure 2: the window function of Eq. 1 with s = 10, sigma = 2."""

from __future__ import annotations

from typing import Any

import numpy as np

from paper_figures.style import BLUE, COLUMN, GREY, RED
from theory.rectangle import window

S, SIGMA, CENTER = 10.0, 2.0, 0.0


def layout(rows: Any) -> tuple[int, int]:
    """One panel."""
    return 1, 1


def size(rows: Any) -> tuple[float, float]:
    """Inches."""
    return COLUMN, 2.2


def plot(rows: Any, ax: Any) -> Any:
    """Draw the window, its two ends at height 1/2, and the interval it stands for."""
    t = np.linspace(-4, 4, 801)
    ax.axvspan(CENTER - SIGMA, CENTER + SIGMA, color=GREY, alpha=0.12, lw=0)
    ax.plot(t, window(t, CENTER, SIGMA, S), color=BLUE)
    ends = np.array([CENTER - SIGMA, CENTER + SIGMA])
    ax.plot(ends, window(ends, CENTER, SIGMA, S), "o", color=RED)
    ax.annotate("1/2 at $\\pm\\sigma$", (ends[1], 0.5), xytext=(5, -3),
                textcoords="offset points", color=RED)
    ax.set(xlabel="$t$", ylabel="window", xlim=(-4, 4), ylim=(-0.04, 1.08), yticks=[0, 0.5, 1])
    return ax


def caption(rows: Any) -> str:
    """What is drawn."""
    return (f"The window of Eq. 1 with s = {S:g}, σ = {SIGMA:g}, centre 0, computed from "
            "theory.rectangle.window. Grey: the interval [−σ, σ]. Dots: the value is exactly 1/2 "
            "at its ends, whatever s; σ is a half-width. No data, no error bars.")
