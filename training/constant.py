"""The best constant mask: the class of predictors that do not look, counted exactly.

The case of Occam's bound for the families themselves, whose sizes are known.  (What a bound must beat
to say that a network has learnt something is less: the empty map is known before the sample and pays
for no class.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from sims.supremum import extremes_of
from theory.bounds.occam import log_size_of_constant_masks
from theory.families import AllMasks, Family, Rectangles
from theory.methods import is_rectangle
from theory.rates import missing_rate
from training.data import Part, Prepared
from training.samples import IGNORED


def family_of(method: str, height: int, width: int) -> Family:
    """Axis-aligned rectangles for methods of rectangles, all masks (the empty one too) for others."""
    if is_rectangle(method):
        return Rectangles(height, width)
    return AllMasks(height, width, empty=True)


def best_constant(method: str, data: Prepared) -> dict[str, Any]:
    """The member of the family that misses least on the training images, and its missing rates.

    Missing least is the largest inner product with the sum of the truths, found exactly
    (:mod:`sims.supremum`).
    """
    truths = data.train.all_masks()
    family = family_of(method, *truths.shape[-2:])
    weights = truths.to(torch.int64).sum(dim=0).numpy()
    mask = extremes_of(family, weights, witnesses=True).argmax
    best = torch.from_numpy(np.ascontiguousarray(mask))
    return {"n_samples": len(truths), "family": repr(family),
            "log_size": log_size_of_constant_masks(family),
            "area": int((best == 1).sum()), "empirical": _rate(best, data.train),
            "test": _rate(best, data.test)}


def _rate(mask: torch.Tensor, part: Part) -> float:
    truths = part.all_masks()
    return float(missing_rate(mask.expand_as(truths), truths, where=truths != IGNORED).mean())
