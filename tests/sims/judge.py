"""The judge of coverage: whether a count of failures is too large for the promised level."""

from __future__ import annotations

from scipy.stats import binom


def coverage_p_value(failures: int, repeats: int, delta: float) -> float:
    """P(Binomial(repeats, delta) >= failures): small if the bound fails more often than delta."""
    return float(binom.sf(failures - 1, repeats, delta))
