"""Figure 10: the sigmoid, the sigmoid scaled by s = 10, and the window made of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from paper_figures.style import BLUE, GREY, PAGE
from theory.rectangle import log_sigmoid, window

S, SIGMA = 10.0, 2.0


def layout(rows: Any) -> tuple[int, int]:
    """Three panels side by side."""
    return 1, 3


def size(rows: Any) -> tuple[float, float]:
    """Inches."""
    return PAGE, 2.1


def plot(rows: Any, ax: Any) -> Any:
    """Draw (a) the sigmoid, (b) the scaled sigmoid, (c) the window."""
    t = np.linspace(-6, 6, 1201)
    curves = (("(a) $\\Lambda(t)$", np.exp(log_sigmoid(t))),
              (f"(b) $\\Lambda(st)$, $s={S:g}$", np.exp(log_sigmoid(S * t))),
              (f"(c) window, $s={S:g}$, $\\sigma={SIGMA:g}$", window(t, 0.0, SIGMA, S)))
    for panel, (title, values) in zip(ax, curves, strict=True):
        panel.axhline(0.5, color=GREY, lw=0.7, ls=":")
        panel.plot(t, values, color=BLUE, label=title)
        panel.set_title(title)
        panel.set(xlabel="$t$", xlim=(-6, 6), ylim=(-0.04, 1.08), yticks=[0, 0.5, 1],
                  xticks=[-5, 0, 5])
    return ax


def caption(rows: Any) -> str:
    """What is drawn."""
    return (f"(a) The logistic sigmoid; (b) scaled by s = {S:g}; (c) the window of Eq. 1 made of "
            f"it, with s = {S:g}, σ = {SIGMA:g}, centre 0. Dotted line: height 1/2. One range of t "
            "for all three. No data, no error bars.")
