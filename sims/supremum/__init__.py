r"""Exact suprema over families of masks: the member of largest (and of smallest) total weight.

Every empirical Rademacher complexity over masks averages suprema :math:`\sup_b \langle b, w\rangle`
for a signed weight matrix w.  With values -1 and +1,
:math:`\langle b, w\rangle = 2\sum_{S(b)} w - \sum w`: it is enough to know the largest and smallest
total weight of a support.

* :func:`max_weight_rectangle`: axis-aligned rectangles, with limits on area, sides and zone;
* :func:`max_weight_rotated_rectangle`: ALL rotated rectangles on the pixel grid;
* :func:`max_weight_mask`: all masks (sums of positive and of negative parts);
* :func:`extremes_of`: any :class:`theory.families.Family`, the empty mask included where it is a
  member.
"""

from sims.supremum.axis_aligned import max_weight_rectangle
from sims.supremum.extremes import Extremes, inner_product_extremes
from sims.supremum.families import extremes_of
from sims.supremum.masks import max_weight_mask
from sims.supremum.rotated import max_weight_rotated_rectangle, rasterise

__all__ = [
    "Extremes",
    "extremes_of",
    "inner_product_extremes",
    "max_weight_mask",
    "max_weight_rectangle",
    "max_weight_rotated_rectangle",
    "rasterise",
]
