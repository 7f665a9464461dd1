r"""Table 1 as data, with Welch's tests and Holm's correction.

Validation accuracy in percent on Oxford-IIIT Pet, mean and standard deviation of n = 5 splits.  The
figures are exact as printed (three decimals, kept as fractions).  The paper does not say which
standard deviation it prints; the tests take it as the one with n - 1, the choice that favours
significance (with n it would have to be enlarged first).  The splits are shared by the methods, so
paired tests would be the right ones, but the accuracies per split are only drawn (Fig. 5).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

RUNS = 5
RATIOS = ("6:4", "7:3", "8:2")
MODELS = ("MobileNetV3", "EfficientNet-b0")
METHODS = ("none", "position-wise", "rectangle", "rectangle+EQVC")


@dataclass(frozen=True)
class Cell:
    """Mean and standard deviation of one cell, in percent."""

    mean: Fraction
    sd: Fraction


def _row(text: str) -> tuple[Cell, ...]:
    pairs = (entry.split("+-") for entry in text.split())
    return tuple(Cell(Fraction(mean), Fraction(sd)) for mean, sd in pairs)


_ROWS = {
    ("MobileNetV3", "none"): "91.153+-0.305 92.344+-0.442 92.630+-0.515",
    ("MobileNetV3", "position-wise"): "91.525+-0.170 92.218+-0.345 92.981+-0.561",
    ("MobileNetV3", "rectangle"): "91.755+-0.201 92.678+-0.198 93.185+-0.632",
    ("MobileNetV3", "rectangle+EQVC"): "91.823+-0.335 92.822+-0.277 93.225+-0.620",
    ("EfficientNet-b0", "none"): "93.459+-0.229 94.085+-0.364 94.577+-0.327",
    ("EfficientNet-b0", "position-wise"): "93.290+-0.320 93.922+-0.567 94.455+-0.245",
    ("EfficientNet-b0", "rectangle"): "93.811+-0.319 94.355+-0.396 94.739+-0.406",
    ("EfficientNet-b0", "rectangle+EQVC"): "93.872+-0.414 94.355+-0.422 94.915+-0.493",
}

TABLE: dict[tuple[str, str, str], Cell] = {
    (model, method, ratio): cell
    for (model, method), text in _ROWS.items()
    for ratio, cell in zip(RATIOS, _row(text), strict=True)
}
"""``(model, method, ratio) -> Cell``."""


@dataclass(frozen=True)
class Comparison:
    """One method against another in one column of the table."""

    model: str
    ratio: str
    method: str
    baseline: str

    @property
    def gain(self) -> Fraction:
        """Difference of the means, in points of percent."""
        return (TABLE[self.model, self.method, self.ratio].mean
                - TABLE[self.model, self.baseline, self.ratio].mean)

    @property
    def p_value(self) -> float:
        """Two-sided p-value of Welch's test."""
        return welch(TABLE[self.model, self.method, self.ratio],
                     TABLE[self.model, self.baseline, self.ratio]).p_value


def comparisons(
    method: str, baselines: Sequence[str] = ("none", "position-wise")
) -> list[Comparison]:
    """``method`` against every baseline, model and ratio: 6 comparisons for each baseline.

    >>> sum(c.gain > 0 for c in comparisons("rectangle+EQVC"))
    12
    """
    for name in (method, *baselines):
        if name not in METHODS:
            raise ValueError(f"a method is one of {METHODS}, got {name!r}")
    return [Comparison(model, ratio, method, baseline)
            for model in MODELS for baseline in baselines for ratio in RATIOS]


@dataclass(frozen=True)
class Welch:
    """Statistic, degrees of freedom and two-sided p-value."""

    statistic: float
    degrees: float
    p_value: float


def welch(a: Cell, b: Cell, n: int = RUNS) -> Welch:
    r"""Welch's test of equal means from means and standard deviations of n runs each.

    :math:`t = (m_a-m_b)/\sqrt{(s_a^2+s_b^2)/n}` with
    :math:`\nu = (n-1)(s_a^2+s_b^2)^2/(s_a^4+s_b^4)` degrees of freedom;
    :math:`p = I_{\nu/(\nu+t^2)}(\nu/2, 1/2)`.

    >>> round(welch(Cell(Fraction(3), Fraction(1)), Cell(Fraction(1), Fraction(1))).p_value, 4)
    0.0133
    """
    if n < 2:
        raise ValueError(f"Welch's test needs n >= 2 runs, got {n}")
    if a.sd < 0 or b.sd < 0 or a.sd + b.sd == 0:
        raise ValueError(f"standard deviations must be >= 0 and not both 0, got {a.sd}, {b.sd}")
    from scipy.special import betainc

    variance = (a.sd**2 + b.sd**2) / n
    statistic = float(a.mean - b.mean) / math.sqrt(variance)
    degrees = float((n - 1) * (a.sd**2 + b.sd**2) ** 2 / (a.sd**4 + b.sd**4))
    p = float(betainc(degrees / 2, 0.5, degrees / (degrees + statistic**2)))
    return Welch(statistic, degrees, p)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given: controls the family-wise error rate.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    if any(not 0 <= p <= 1 for p in p_values):
        raise ValueError(f"p-values must lie in [0, 1], got {list(p_values)}")
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted
