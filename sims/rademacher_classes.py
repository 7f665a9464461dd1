r"""Classes of predictors as spans of signed sums, and what bounds their complexity beforehand.

With :math:`S(s) = \sum_g \operatorname{span}(\sum_{i\in g} s_i v_i)` of
:mod:`sims.rademacher_signs`, the complexity of each class below is :math:`E S/(4Nn)`:

* all functions into a family (groups of equal inputs), constant predictors (one group): the vectors
  are the targets and the span is that of :math:`\langle b, w\rangle` over the family;
* a finite class (one group): the vectors are the inner products
  :math:`(n\Psi(f_k(x_i), a_i))_k`, and the span is the largest entry less the smallest.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sims.rademacher_found import require_predictor
from sims.rademacher_signs import SignedSpans
from sims.supremum import extremes_of
from theory.families import Family


def mask_spans(targets: np.ndarray, groups: np.ndarray, family: Family) -> SignedSpans:
    """All functions into ``family`` that are constant on the groups; targets int8 ``(N, H, W)``."""

    def span(weights: np.ndarray) -> np.ndarray:
        # <b, w> = 2 sum of w over the support - sum of w
        found = extremes_of(family, weights.reshape(-1, *family.shape))
        return 2 * (found.maximum - found.minimum)

    return SignedSpans(targets.reshape(len(targets), -1), groups, span)


def mask_bounds(sums: SignedSpans, n: int) -> np.ndarray:
    r"""What the groups' parts of the complexity are at most, ``(G,)``.

    The lesser of :math:`\sum_{i\in g} d_i/(4N)`, :math:`d_i = \max_b\Psi-\min_b\Psi`, and
    :math:`E\sum_p|W_p|/(2Nn) \le \sqrt{N_g}/(2N)`, by Jensen's inequality.
    """
    count = len(sums.vectors)
    free = np.bincount(sums.groups, weights=sums.ranges) / (4 * count * n)
    return np.minimum(free, np.sqrt(np.bincount(sums.groups)) / (2 * count))


def inner_products(
    predictors: Any, targets: np.ndarray, groups: np.ndarray, family: Family
) -> np.ndarray:
    """``n Psi(f_k(x_i), a_i)``, int64 ``(K, N)``, of a finite class's masks ``(K, N, H, W)``.

    Raises:
        ValueError: another shape, no predictor, masks outside the family, other masks for equal
            inputs.
        TypeError: no array.
    """
    if not isinstance(predictors, np.ndarray | list | tuple):
        raise TypeError("predictors must be a name, an array of masks (K, N, H, W) or an object "
                        f"with maximise(signs), got {type(predictors).__name__}")
    predictors = np.asarray(predictors)
    if predictors.ndim != 4 or 0 in predictors.shape:
        raise ValueError(f"a finite class has shape (K, N, H, W), K >= 1, got {predictors.shape}")
    return np.stack([
        (require_predictor(one, targets.shape, groups, family) * targets).sum(
            axis=(1, 2), dtype=np.int64)
        for one in predictors])


def finite_spans(inner: np.ndarray) -> SignedSpans:
    """A finite class from its inner products ``(K, N)``.

    Taken relative to one predictor: the spans are the same, and fewer columns differ.
    """
    vectors = np.unique(inner, axis=0)
    vectors = (vectors - vectors[0]).T
    return SignedSpans(vectors, np.zeros(len(vectors), dtype=np.int64),
                       lambda sums: (sums.max(axis=1) - sums.min(axis=1)).astype(np.int64))


def finite_bounds(inner: np.ndarray, n: int) -> np.ndarray:
    r"""What the complexity of a finite class is at most, ``(1,)``.

    The lesser of :math:`\sum_i d_i/(4N)` and Massart's lemma for the K rates, centred at the middles
    of their ranges: :math:`\max_k\|\Psi_k-c\|_2\sqrt{2\log K}/(2N)`.
    """
    high, low = inner.max(axis=0), inner.min(axis=0)
    radius = math.sqrt(float(((2 * inner - high - low) ** 2).sum(axis=1).max())) / (2 * n)
    count = inner.shape[1]
    massart = radius * math.sqrt(2 * math.log(len(inner))) / (2 * count)
    return np.array([min(float((high - low).sum()) / (4 * count * n), massart)])
