r"""Empirical Rademacher complexity of the class of missing rates  [Def. C.1, Prop. 2].

For a class F of functions X -> A and a sample :math:`S = ((x_i, a_i))`, i = 1..N, let
:math:`\mathcal{G} = \{(x, a) \mapsto \Phi(f(x), a) : f \in F\}` and

.. math:: \widehat{\mathcal{R}}_S(\mathcal{G})
          = E_s \sup_{f} \frac1N \sum_i s_i \Phi(f(x_i), a_i), \qquad s_i = \pm 1.

Conventions: the supremum is signed (no absolute value); n = HW is the number of positions; A is the
array of its masks, ``(m, H, W)`` with values -1 and +1, or any object with ``masks()``.

Since :math:`\Phi = (1-\Psi)/2`, every route below follows from one sentence: the functions of F_A
(all functions X -> A) choose one mask per distinct input, freely.

* Distinct inputs: :math:`\frac1{4N}\sum_i [\max_b\Psi(b,a_i) - \min_b\Psi(b,a_i)]`.
* Repeated inputs: with :math:`W_g = \sum_{i \in g} s_i a_i` over a group g of equal inputs,
  :math:`\frac1{2Nn}\sum_g E \max_b \langle b, W_g \rangle`.
* Constant predictors (one mask for every x): the same with a single group.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from numbers import Rational
from typing import Any

import numpy as np

from theory.arrays import Array, as_arrays, first_bad
from theory.masks import require_masks

MAX_SIGNS = 2**20
"""Sign vectors that an exact enumeration goes through at most."""

MAX_FUNCTIONS = 2**20
"""Functions that the brute-force route goes through at most."""


def rademacher_all_functions(max_catching: Array, min_catching: Array) -> Array:
    r"""Complexity of F_A on a sample of distinct inputs, from its N pairs of extremes.

    :math:`\frac1{4N}\sum_i [\max_b\Psi(b,a_i) - \min_b\Psi(b,a_i)]`: the exact value of
    Def. C.1; Prop. 2 bounds it by :math:`(1-\rho)/4`.

    Args:
        max_catching, min_catching: ``(..., N)``, the largest and smallest catching rate of the
            masks of A with each target; in [-1, 1].

    Returns:
        ``(...)``, in [0, 1/2].

    Raises:
        ValueError: N < 1, values outside [-1, 1], a maximum below its minimum, shapes.

    >>> float(rademacher_all_functions([1.0, 1.0], [-1.0, 0.0]))
    0.375
    """
    xp, high, low = as_arrays(max_catching, min_catching)
    if high.shape != low.shape or high.ndim == 0:
        raise ValueError(
            f"extremes must share a shape (..., N), got {tuple(high.shape)}, {tuple(low.shape)}")
    if high.shape[-1] < 1:
        raise ValueError("N must be at least 1, got 0")
    for value in (high, low):
        good = (value >= -1) & (value <= 1)
        if not bool(xp.all(good)):
            bad = first_bad(xp, value, good)
            raise ValueError(f"catching rates must lie in [-1, 1], got {bad}")
    if not bool(xp.all(high >= low)):
        bad = first_bad(xp, high - low, high >= low)
        raise ValueError(f"max_catching must be at least min_catching, got a difference of {bad}")
    span = high - low
    if not xp.isdtype(span.dtype, "real floating"):
        span = xp.astype(span, xp.float64)
    return xp.mean(span, axis=-1) / 4


def rademacher_all_functions_exact(
    max_catching: Sequence[Rational], min_catching: Sequence[Rational]
) -> Fraction:
    """:func:`rademacher_all_functions` of one sample in exact arithmetic.

    >>> rademacher_all_functions_exact([1, 1], [Fraction(-1, 3), 0])
    Fraction(7, 24)
    """
    high, low = _fractions(max_catching), _fractions(min_catching)
    if len(high) != len(low):
        raise ValueError(f"extremes must have one length, got {len(high)} and {len(low)}")
    if not high:
        raise ValueError("N must be at least 1, got 0")
    for top, bottom in zip(high, low, strict=True):
        if not -1 <= bottom <= top <= 1:
            raise ValueError(f"extremes must satisfy -1 <= min <= max <= 1, got {bottom}, {top}")
    return (sum(high, Fraction()) - sum(low, Fraction())) / (4 * len(high))


def catching_extremes_exact(
    family: Any, targets: Array
) -> tuple[list[Fraction], list[Fraction]]:
    """Largest and smallest catching rate of a family with each target, by enumeration.

    >>> corner = np.array([[[1, -1]], [[-1, 1]]])
    >>> catching_extremes_exact(corner, corner[:1])
    ([Fraction(1, 1)], [Fraction(-1, 1)])
    """
    members, sample, n = _flat(family, targets)
    products = sample @ members.T
    return ([Fraction(int(v), n) for v in products.max(axis=1)],
            [Fraction(int(v), n) for v in products.min(axis=1)])


def rademacher_grouped_exact(family: Any, targets: Array, inputs: Array | None = None) -> Fraction:
    r"""Complexity of F_A when inputs may repeat, group by group, over all signs of each group.

    :math:`\frac1{2Nn}\sum_g E\max_b\langle b, \sum_{i\in g} s_i a_i\rangle`; the groups separate
    because a function may choose its mask at each distinct input.

    Args:
        family: masks of A, ``(m, H, W)``, or an object with ``masks()``.
        targets: ``(N, H, W)``.
        inputs: ``(N,)`` labels, equal for equal inputs; all distinct when None.

    Raises:
        ValueError: an empty family, N < 1, a group too large to enumerate.

    >>> corner = np.array([[[1, -1]], [[-1, 1]]])
    >>> rademacher_grouped_exact(corner, corner, inputs=[0, 0])
    Fraction(1, 4)
    """
    members, sample, n = _flat(family, targets)
    groups = _groups(inputs, len(sample))
    total = Fraction()
    for g in range(groups.max() + 1):
        mine = sample[groups == g]
        total += Fraction(_sum_of_maxima(members, mine), 2 ** len(mine))
    return total / (2 * len(sample) * n)


def rademacher_constant_exact(family: Any, targets: Array) -> Fraction:
    r"""Complexity of the constant predictors: :math:`E\max_b\langle b,\sum_i s_i a_i\rangle/(2Nn)`.

    Over all :math:`2^N` signs.  Arguments and errors as :func:`rademacher_grouped_exact`.

    >>> rademacher_constant_exact(np.array([[[1, -1]]]), np.array([[[1, -1]], [[1, 1]]]))
    Fraction(0, 1)
    """
    members, sample, n = _flat(family, targets)
    return Fraction(_sum_of_maxima(members, sample), 2 ** len(sample) * 2 * len(sample) * n)


def rademacher_brute_force_exact(
    family: Any, targets: Array, inputs: Array | None = None
) -> Fraction:
    """Def. C.1 word for word: the mean over all signs of the maximum over all functions.

    The slow second route to every other function of this module.  Arguments as
    :func:`rademacher_grouped_exact`; ``inputs`` of zeros gives the constant predictors.

    >>> corner = np.array([[[1, -1]], [[-1, 1]]])
    >>> rademacher_brute_force_exact(corner, corner)
    Fraction(1, 2)
    """
    members, sample, n = _flat(family, targets)
    groups = _groups(inputs, len(sample))
    functions = len(members) ** int(groups.max() + 1)
    if functions > MAX_FUNCTIONS:
        raise ValueError(f"brute force takes at most {MAX_FUNCTIONS} functions, got {functions}")
    choices = np.indices((len(members),) * int(groups.max() + 1)).reshape(groups.max() + 1, -1)
    # missed[f, i] = 2 n Phi(f(x_i), a_i), an integer
    missed = np.stack([n - (members @ sample[i])[choices[g]] for i, g in enumerate(groups)], axis=1)
    total = sum(int((missed @ signs).max()) for signs in sign_vectors(len(sample)))
    return Fraction(total, 2 ** len(sample) * len(sample) * 2 * n)


def sign_vectors(count: int) -> np.ndarray:
    """All vectors of ``count`` signs, int64 ``(2**count, count)``.

    >>> sign_vectors(1).tolist()
    [[1], [-1]]
    """
    if count < 1 or 2**count > MAX_SIGNS:
        raise ValueError(f"signs are enumerated for 1 <= N <= 20, got N = {count}")
    bits = np.arange(2**count)[:, None] >> np.arange(count)
    return 1 - 2 * (bits & 1)


def _sum_of_maxima(members: np.ndarray, sample: np.ndarray) -> int:
    """Sum over all signs of ``max_b <b, sum_i s_i a_i>``."""
    signs = sign_vectors(len(sample))
    chunk = max(1, 2**22 // len(members))
    return sum(int((signs[k:k + chunk] @ sample @ members.T).max(axis=1).sum())
               for k in range(0, len(signs), chunk))


def _flat(family: Any, targets: Array) -> tuple[np.ndarray, np.ndarray, int]:
    members = family.masks() if hasattr(family, "masks") else family
    members, sample = require_masks(members, "family"), require_masks(targets, "targets")
    if len(members) == 0:
        raise ValueError("a family needs at least one mask, got none")
    if len(sample) == 0:
        raise ValueError("N must be at least 1, got 0")
    if members.shape[1:] != sample.shape[1:] or members[0].size == 0:
        raise ValueError(
            f"family and targets must share a grid, got {members.shape[1:]}, {sample.shape[1:]}")
    flat = [x.reshape(len(x), -1).astype(np.int64) for x in (members, sample)]
    return flat[0], flat[1], flat[0].shape[1]


def _groups(inputs: Array | None, count: int) -> np.ndarray:
    if inputs is None:
        return np.arange(count)
    inputs = np.asarray(inputs)
    if inputs.shape != (count,):
        raise ValueError(f"inputs must have shape ({count},), got {inputs.shape}")
    return np.unique(inputs, return_inverse=True)[1]


def _fractions(values: Sequence[Rational]) -> list[Fraction]:
    out = []
    for value in values:
        if not isinstance(value, Rational | np.integer):
            raise TypeError(f"exact extremes are Fractions or integers, got {value!r}")
        out.append(Fraction(int(value)) if isinstance(value, np.integer) else Fraction(value))
    return out
