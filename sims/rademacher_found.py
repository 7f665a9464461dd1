r"""Lower estimates of the complexity of a class that can only be searched, e.g. trained networks.

Whatever a search returns for signs s is a member of the class, so what it attains is at most the
supremum.  For the antithetic pair (s, -s) the predictors f and f' found for the two give

.. math:: \tfrac12\Big[\sup_h \tfrac1N\sum_i s_i\Phi(h(x_i),a_i)
          + \sup_h \tfrac1N\sum_i (-s_i)\Phi(h(x_i),a_i)\Big]
          \ge \frac1{4N}\Big|\sum_i s_i\,[\Psi(f(x_i),a_i) - \Psi(f'(x_i),a_i)]\Big| ,

since both are members and may serve either sign.  The mean of the right-hand side is at most the
complexity, and needs no guarantee about the search.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

import numpy as np

from theory.families import Family
from theory.masks import require_masks


@runtime_checkable
class Maximiser(Protocol):
    """A class of predictors that can be searched on a fixed sample.

    ``maximise`` must not depend on earlier calls: no warm start from what was found before, and no
    random state carried on (seed it by the signs).  The limits of :mod:`sims.rademacher_errors` are
    for independent draws, and what a row of signs gives is one only as a function of that row.
    """

    def maximise(self, signs: np.ndarray) -> np.ndarray:
        r"""The masks of the member found for the largest :math:`\sum_i s_i \Phi(f(x_i), a_i)`.

        Args:
            signs: ``(N,)`` int8, values -1 and +1.

        Returns:
            ``(N, H, W)`` masks :math:`f(x_i)` with values -1 and +1, members of the family.
        """
        ...


def found_spans(
    maximiser: Maximiser, targets: np.ndarray, groups: np.ndarray, family: Family,
    signs: Iterable[np.ndarray],
) -> np.ndarray:
    r"""``4 N n`` times the lower bound of the module, an exact integer, for every row of signs.

    Args:
        maximiser: called twice a row, for s and for -s.
        targets: ``(N, H, W)`` int8.
        groups: ``(N,)``, equal for equal inputs.
        family: what the masks found must belong to.
        signs: rows ``(N,)``.

    Returns:
        int64 ``(rows,)``.

    Raises:
        ValueError: masks of another shape or outside the family, or different masks for equal
            inputs.
    """
    flat = targets.reshape(len(targets), -1).astype(np.int64)
    out = []
    for row in signs:
        pair = [require_predictor(maximiser.maximise(s), targets.shape, groups, family)
                for s in (row, -row)]
        difference = pair[0].astype(np.int64) - pair[1]
        inner = (difference.reshape(flat.shape) * flat).sum(axis=1)
        out.append(abs(int(row.astype(np.int64) @ inner)))
    return np.array(out, dtype=np.int64)


def require_predictor(
    masks: np.ndarray, shape: tuple[int, ...], groups: np.ndarray, family: Family
) -> np.ndarray:
    """The masks of one predictor on the sample, int8 ``shape``, or ``ValueError``."""
    masks = require_masks(masks, "a predictor's masks")
    if masks.shape != shape:
        raise ValueError(f"a predictor gives masks of shape {shape}, got {masks.shape}")
    first = np.unique(groups, return_index=True)[1][groups]
    differ = (masks != masks[first]).any(axis=(1, 2))
    if differ.any():
        i = int(np.argmax(differ))
        raise ValueError("a predictor gives equal inputs equal masks, got different ones at "
                         f"samples {int(first[i])} and {i}")
    for mask in np.unique(masks, axis=0):
        if mask not in family:
            raise ValueError(f"a predictor's masks must belong to {family!r}, got "
                             f"{mask.tolist()}")
    return masks
