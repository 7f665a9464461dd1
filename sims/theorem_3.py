r"""Theorem 3 on classes whose Rademacher complexity, risks and largest gap are all exact.

The law lives on J atoms :math:`z_j = (x_j, a_j)` with integer weights, and a sample is the vector of
its counts :math:`c_j`.  For losses :math:`L_{f,j} = n\,\Phi(f(x_j), a_j)`, integers:

.. math:: \sup_f [R(f) - \hat R(f)] = \max_f \sum_j (p_j - c_j/N) L_{f,j} / n, \qquad
          \hat{\mathcal R}_S = E \max_f \sum_j T_j L_{f,j} / (N n),

where :math:`T_j` is a sum of :math:`c_j` signs, binomial.  Two kinds of class: a list of losses (all
:math:`\prod (c_j + 1)` values of T are gone through), and all functions on distinct inputs, where the
maximum is taken input by input and only :math:`E|T_j|` is needed.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from sims.theorem_1_laws import indices_of

MAX_SIGNS = 2**24
"""Values of the sums of signs gone through at most, times the functions of the class."""


@dataclass(frozen=True, eq=False)
class LossClass(ABC):
    """A class of predictors on finitely many atoms.

    Attributes:
        weights: int64 ``(J,)``, positive; atom j has probability weights[j] / sum.
        positions: n; losses are counted in positions missed, 0..n.
    """

    weights: np.ndarray
    positions: int

    @abstractmethod
    def largest(self, coefficients: np.ndarray) -> int:
        """``max_f sum_j coefficients[j] L[f, j]`` for integers ``(J,)``; exact."""

    @abstractmethod
    def complexity(self, counts: np.ndarray) -> float:
        """Empirical Rademacher complexity of a sample with these counts, up to rounding."""

    def gap_exact(self, counts: np.ndarray) -> Fraction:
        """The largest R(f) - R^(f) over the class; exact.

        Args:
            counts: int64 ``(J,)``, how often each atom is in the sample; N = their sum >= 1.

        Raises:
            ValueError: counts of another shape, negative, or all 0.
        """
        counts = self._check(counts)
        n, total = int(counts.sum()), int(self.weights.sum())
        return Fraction(self.largest(n * self.weights - total * counts),
                        n * total * self.positions)

    def draw(self, generator: np.random.Generator, n_samples: int, repeats: int) -> np.ndarray:
        """Counts ``(repeats, J)`` of independent samples of size N."""
        atoms, total = len(self.weights), int(self.weights.sum())
        out = np.empty((repeats, atoms), dtype=np.int64)
        for k in range(repeats):
            ticket = generator.integers(total, size=n_samples)
            out[k] = np.bincount(indices_of(ticket, self.weights), minlength=atoms)
        return out

    def _check(self, counts: np.ndarray) -> np.ndarray:
        counts = np.asarray(counts, dtype=np.int64)
        if counts.shape != self.weights.shape or (counts < 0).any() or not counts.any():
            raise ValueError(f"counts must be {self.weights.shape} numbers >= 0, not all 0, got "
                             f"{counts.tolist()}")
        return counts


@dataclass(frozen=True, eq=False)
class ListedClass(LossClass):
    """A class given by the losses of its functions: few atoms, any functions.

    Attributes:
        losses: int64 ``(K, J)``, positions missed by function f at atom j.
    """

    losses: np.ndarray

    @cached_property
    def _distinct(self) -> np.ndarray:
        return np.unique(np.asarray(self.losses, dtype=np.int64), axis=0)

    def largest(self, coefficients: np.ndarray) -> int:
        """The maximum over the list."""
        return int((self._distinct @ coefficients).max())

    def complexity(self, counts: np.ndarray) -> float:
        """By all values of the sums of signs, with their binomial probabilities.

        Raises:
            ValueError: counts as :meth:`gap_exact`; more than ``MAX_SIGNS`` products.
        """
        counts = self._check(counts)
        values = math.prod(int(c) + 1 for c in counts)
        if values * len(self._distinct) > MAX_SIGNS:
            raise ValueError(f"at most {MAX_SIGNS} values of the sums of signs times functions, got "
                             f"{values} x {len(self._distinct)}")
        sums = [2 * np.arange(c + 1) - c for c in counts]
        chance = np.ones(())
        for c in counts:
            chance = chance[..., None] * np.array(
                [math.comb(int(c), k) / 2 ** int(c) for k in range(c + 1)])
        best = np.full(chance.shape, -(2**62), dtype=np.int64)
        for losses in self._distinct:
            value = np.zeros((), dtype=np.int64)
            for loss, axis in zip(losses, sums, strict=True):
                value = value[..., None] + loss * axis
            np.maximum(best, value, out=best)
        mean = math.fsum((chance * best).ravel())
        return mean / (int(counts.sum()) * self.positions)


@dataclass(frozen=True, eq=False)
class FreeClass(LossClass):
    """All functions on J inputs with one target each: a loss is chosen at every input freely.

    Attributes:
        most, least: int64 ``(J,)``, the largest and smallest loss at each input.
    """

    most: np.ndarray
    least: np.ndarray

    def largest(self, coefficients: np.ndarray) -> int:
        """The sum of the maxima, input by input."""
        return int(np.maximum(coefficients * self.most, coefficients * self.least).sum())

    def complexity(self, counts: np.ndarray) -> float:
        r""":math:`\sum_j (\max L_j - \min L_j)\, E|T_j| / (2 N n)`."""
        counts = self._check(counts)
        sizes, back = np.unique(counts, return_inverse=True)
        spans = np.bincount(back, weights=self.most - self.least)
        total = math.fsum(s * mean_absolute_sum(int(c)) for s, c in zip(spans, sizes, strict=True))
        return total / (2 * int(counts.sum()) * self.positions)


def mean_absolute_sum(signs: int) -> float:
    r"""E|T| for a sum of c signs: :math:`c\binom{c-1}{\lfloor (c-1)/2\rfloor} / 2^{c-1}`.

    >>> [mean_absolute_sum(c) for c in range(5)]
    [0.0, 1.0, 1.0, 1.5, 1.5]
    """
    if signs == 0:
        return 0.0
    return signs * math.comb(signs - 1, (signs - 1) // 2) / 2 ** (signs - 1)
