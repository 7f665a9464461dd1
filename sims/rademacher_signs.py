r"""Spans of signed sums: their mean over all signs, and their values at drawn signs; exact integers.

The missing rates of every class of this package lead to

.. math:: S(s) = \sum_g \operatorname{span}\Big(\sum_{i \in g} s_i v_i\Big), \qquad s_i = \pm 1,

with integer vectors :math:`v_i` (targets, or a finite class's inner products), groups g of samples
(equal inputs) and :math:`\operatorname{span}(w) = \max_b \langle b, w\rangle - \min_b \langle b,
w\rangle`.  A span is even, so the means need

* one of s and -s, each standing for its antithetic pair;
* one of v and -v, and of equal vectors only how many of them have the sign +1: k equal vectors
  give k + 1 sums with binomial weights, not :math:`2^k`;
* one of any groups with the same vectors.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

_SIGNS = 2**22
"""Signs drawn by one call of the generator; part of the definition of the stream of draws."""

_ENTRIES = 2**22
"""Entries of signed sums held in memory at a time; changes no result."""

_SUMS = 2**16
"""Weighted sums enumerated at a time; changes no result."""

Multiset = tuple[tuple[int, int], ...]
"""A group's vectors up to sign: pairs (index of the vector, how many), indices increasing; no 0."""


@dataclass(frozen=True, eq=False)
class SignedSpans:
    """The random variable S of the module, S(s) for uniform signs s.

    Attributes:
        vectors: integers ``(N, D)``.
        groups: ``(N,)``, 0 .. G-1.
        span: ``(B, D)`` integers to ``(B,)`` int64; even, 0 at 0, subadditive.
    """

    vectors: np.ndarray
    groups: np.ndarray
    span: Callable[[np.ndarray], np.ndarray]

    @cached_property
    def ranges(self) -> np.ndarray:
        """``span(v_i)``, int64 ``(N,)``: S at one sample, and half of what one sign can change."""
        distinct, places = self._distinct
        step = max(1, _ENTRIES // distinct.shape[1])
        parts = [self.span(distinct[k:k + step]) for k in range(0, len(distinct), step)]
        return np.concatenate(parts)[places]

    @cached_property
    def multisets(self) -> list[Multiset]:
        """The multiset of every group, in the order of the groups, without zero vectors."""
        distinct, places = self._distinct
        members = np.split(places[np.argsort(self.groups, kind="stable")],
                           np.cumsum(np.bincount(self.groups))[:-1])
        counts = [Counter(group.tolist()) for group in members]
        for zero in np.flatnonzero(~distinct.any(axis=1)).tolist():
            for count in counts:
                del count[zero]
        return [tuple(sorted(count.items())) for count in counts]

    def mean_exact(self, multisets: Sequence[Multiset]) -> Fraction:
        """Sum of the groups' mean spans over all their signs.

        >>> sums = SignedSpans(np.array([[1], [1]]), np.zeros(2, int), lambda w: 2 * abs(w[:, 0]))
        >>> sums.mean_exact(sums.multisets)      # spans 4, 0, 0, 4
        Fraction(2, 1)
        """
        by_counts: dict[tuple[int, ...], Counter[tuple[int, ...]]] = {}
        for multiset in filter(None, multisets):
            which, counts = zip(*multiset, strict=True)
            by_counts.setdefault(counts, Counter())[which] += 1
        return sum((Fraction(2 * self._half_sum(counts, groups), 2 ** sum(counts))
                    for counts, groups in by_counts.items()), Fraction())

    def draw(self, members: np.ndarray, generator: np.random.Generator, draws: int) -> np.ndarray:
        """S over the samples ``members`` alone (whole groups) at random signs, int64 ``(draws,)``.

        The signs depend on the generator, ``draws`` and the number of members, on nothing else.
        """
        vectors = self.vectors[members]
        dtype = _product_dtype(vectors)
        vectors, integer = vectors.astype(dtype), np.int32 if dtype is np.float32 else np.int64
        order = np.argsort(self.groups[members], kind="stable")
        columns = np.split(order, np.flatnonzero(np.diff(self.groups[members][order])) + 1)
        step = max(1, _ENTRIES // (vectors.shape[1] * len(columns)))
        values = np.empty(draws, dtype=np.int64)
        done, waiting, sums = 0, 0, [[] for _ in columns]
        for block in random_signs(generator, draws, len(members)):
            for start in range(0, len(block), step):
                signs = block[start:start + step].astype(dtype)
                for part, c in zip(sums, columns, strict=True):
                    part.append((signs[:, c] @ vectors[c]).astype(integer))
                waiting += len(signs)
                if waiting >= step or done + waiting == draws:  # spans of many sums at a time
                    values[done:done + waiting] = sum(self.span(np.concatenate(p)) for p in sums)
                    done, waiting, sums = done + waiting, 0, [[] for _ in columns]
        return values

    @cached_property
    def _distinct(self) -> tuple[np.ndarray, np.ndarray]:
        """The distinct vectors up to sign ``(M, D)``, and the place of each sample's ``(N,)``."""
        lead = np.take_along_axis(self.vectors, (self.vectors != 0).argmax(axis=1)[:, None], axis=1)
        distinct, places = np.unique(np.where(lead < 0, -self.vectors, self.vectors), axis=0,
                                     return_inverse=True)
        return distinct, places.ravel()

    def _half_sum(self, counts: tuple[int, ...], groups: Counter[tuple[int, ...]]) -> int:
        """Weighted sum of the spans of half of the sums (the other half mirrors it), all groups."""
        distinct = self._distinct[0].astype(np.int64)
        sides = [k + 1 for k in counts]
        half = math.prod(sides) // 2  # of an odd number the one in the middle is 0
        which, times = np.array(list(groups)), np.array(list(groups.values()), dtype=object)
        total = 0
        step = max(1, min(_SUMS, _ENTRIES // distinct.shape[1]))
        for start in range(0, half * len(which), step):
            group, rank = np.divmod(np.arange(start, min(start + step, half * len(which))), half)
            minus = np.unravel_index(rank, sides)
            sums = sum(((k - 2 * m)[:, None] * distinct[which[group, j]]
                        for j, (k, m) in enumerate(zip(counts, minus, strict=True))))
            weights = times[group]
            for k, m in zip(counts, minus, strict=True):
                if k > 1:
                    weights = weights * np.array([math.comb(k, j) for j in range(k + 1)],
                                                 dtype=object)[m]
            total += int(np.dot(weights, self.span(sums).astype(object)))
        return total


def antithetic_pairs(multiset: Multiset) -> int:
    """Suprema that the mean over all signs of a group costs.

    >>> antithetic_pairs(((0, 1), (1, 1), (4, 1))), antithetic_pairs(((0, 5),))
    (4, 3)
    """
    return math.prod(k + 1 for _, k in multiset) // 2


def random_signs(generator: np.random.Generator, draws: int, count: int) -> Iterator[np.ndarray]:
    """``draws`` rows of ``count`` fair signs, int8, in blocks that depend on ``count`` alone."""
    block = max(1, _SIGNS // count)
    for start in range(0, draws, block):
        size = (min(block, draws - start), count)
        yield 2 * generator.integers(0, 2, size=size, dtype=np.int8) - 1


def _product_dtype(vectors: np.ndarray) -> type[np.floating]:
    """A float type in which every signed sum of the vectors is exact, in any order."""
    reach = int(np.abs(vectors.astype(np.int64)).max(axis=1).sum())
    if reach >= 2**53:
        raise ValueError(f"signed sums are exact below 2**53, got up to {reach}")
    return np.float32 if reach < 2**24 else np.float64
