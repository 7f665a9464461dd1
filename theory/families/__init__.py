"""Families of masks: sets A of possible outputs of a predictor  [section 5.1, Eq. 13].

Area is a number of pixels.  The empty mask (all -1) is in no family unless asked for.  Coordinates
are those of :class:`theory.rectangle.Rectangle`.
"""

from theory.families.all_masks import AllMasks
from theory.families.axis_aligned import Rectangles
from theory.families.base import Family
from theory.families.finite import FiniteFamily
from theory.families.rotated import Parallelograms, RotatedRectangles

__all__ = [
    "AllMasks",
    "Family",
    "FiniteFamily",
    "Parallelograms",
    "Rectangles",
    "RotatedRectangles",
]
