"""Coverage of a bound over repeated samples: counts, exact binomial intervals, slack."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

LEVEL = 0.95
"""Level of the exact binomial (Clopper-Pearson) interval of every failure rate."""


def summary(name: str, slack: np.ndarray) -> dict[str, Any]:
    """Failures of a bound and its slack over samples, as fields ``name_...`` of a row.

    Args:
        name: prefix of the fields.
        slack: ``(repeats,)``, the bound less what it bounds; the bound fails where it is negative.

    Returns:
        ``failures`` and its exact 95% interval ``rate_low``, ``rate_high``; ``slack_mean``,
        ``slack_min`` and the quantiles ``slack_q05``, ``slack_q50``, ``slack_q95``.

    Raises:
        ValueError: no samples, a slack that is not finite.
    """
    slack = np.asarray(slack, dtype=np.float64)
    if not slack.size or not np.isfinite(slack).all():
        raise ValueError(f"slacks must be finite numbers, at least one, got {slack.size} with "
                         f"{int((~np.isfinite(slack)).sum())} not finite")
    failures = int((slack < 0).sum())
    low, high = binomial_interval(failures, len(slack))
    q05, q50, q95 = np.quantile(slack, (0.05, 0.5, 0.95))
    fields = {"failures": failures, "rate_low": low, "rate_high": high,
              "slack_mean": math.fsum(slack) / len(slack), "slack_min": float(slack.min()),
              "slack_q05": float(q05), "slack_q50": float(q50), "slack_q95": float(q95)}
    return {f"{name}_{key}": value for key, value in fields.items()}


def vacuity(name: str, value: np.ndarray) -> dict[str, Any]:
    """How many samples give a bound above 1, and by how much on average (0 where it is below)."""
    excess = np.maximum(np.asarray(value, dtype=np.float64) - 1, 0)
    return {f"{name}_above_one": int((excess > 0).sum()),
            f"{name}_excess_mean": math.fsum(excess) / len(excess),
            f"{name}_excess_max": float(excess.max())}


def binomial_interval(failures: int, repeats: int, level: float = LEVEL) -> tuple[float, float]:
    """Clopper-Pearson interval: holds the failure rate with probability at least ``level``.

    Rounded outwards to nine digits, so that no rounding of a special function shows.

    >>> binomial_interval(0, 100)
    (0.0, 0.036216693)
    """
    from scipy.special import betaincinv

    if not 0 <= failures <= repeats or repeats < 1:
        raise ValueError(f"failures must be in [0, repeats], repeats >= 1, got {failures} of "
                         f"{repeats}")
    if not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1), got {level}")
    tail = (1 - level) / 2
    low = 0.0 if failures == 0 else betaincinv(failures, repeats - failures + 1, tail)
    high = 1.0 if failures == repeats else betaincinv(failures + 1, repeats - failures, 1 - tail)
    return math.floor(low * 1e9) / 1e9, math.ceil(high * 1e9) / 1e9
