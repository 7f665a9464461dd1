"""The scale factor s of Eq. 1 along training: soft maps reach far, sharp maps fit."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class ScaleSchedule:
    """s rises (or falls) linearly from ``start`` to ``end`` and stays there.

    Args:
        start, end: values of s, positive.
        fraction: of the steps that the change takes, in (0, 1].

    >>> schedule = ScaleSchedule(start=1.0, end=6.0, fraction=0.5)
    >>> [schedule(progress) for progress in (0.0, 0.25, 0.5, 1.0)]
    [1.0, 3.5, 6.0, 6.0]
    """

    start: float = 1.0
    end: float = 6.0
    fraction: float = 0.5

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise ValueError(f"{name} must be positive and finite, got {value}")
        if not 0 < self.fraction <= 1:
            raise ValueError(f"fraction must be in (0, 1], got {self.fraction}")

    def __call__(self, progress: float) -> float:
        """s after this part of the steps, which is in [0, 1]."""
        if not 0 <= progress <= 1:
            raise ValueError(f"progress must be in [0, 1], got {progress}")
        return self.start + (self.end - self.start) * min(1.0, progress / self.fraction)
