"""Bounds on risks: for all functions, for held-out data, for the network that was trained."""

from theory.bounds.all_functions import (
    ASSUMPTIONS,
    adversary_risk,
    ceiling,
    confidence_term,
    sharp_bound,
    theorem_1,
    theorem_3,
)
from theory.bounds.base import INGREDIENTS, Assumptions, Bound

__all__ = [
    "ASSUMPTIONS", "INGREDIENTS", "Assumptions", "Bound", "adversary_risk", "ceiling",
    "confidence_term", "sharp_bound", "theorem_1", "theorem_3",
]
