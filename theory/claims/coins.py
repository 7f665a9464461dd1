"""Coins in exact arithmetic: their laws, their divergence, and the moment of the kl bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from theory.claims.model import Undefined


def count_law(chances: Sequence[Fraction]) -> list[Fraction]:
    """Probabilities of 0, 1, ..., m heads of m independent coins.

    >>> count_law([Fraction(1, 2), Fraction(1, 4)])
    [Fraction(3, 8), Fraction(1, 2), Fraction(1, 8)]

    Raises:
        ValueError: a chance outside [0, 1].
    """
    for p in chances:
        if not 0 <= p <= 1:
            raise ValueError(f"a chance must be in [0, 1], got {p}")
    law = [Fraction(1)]
    for p in chances:
        law = [a * (1 - p) + b * p for a, b in zip([*law, 0], [0, *law], strict=True)]
    return law


def binomial(n: int, p: Fraction) -> list[Fraction]:
    """:func:`count_law` of n equal coins."""
    return [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]


def exp_kl(k: int, n: int, p: Fraction) -> Fraction:
    r""":math:`e^{n\,\mathrm{kl}(k/n\|p)}`, a rational number.

    >>> exp_kl(1, 2, Fraction(1, 4))
    Fraction(4, 3)

    Raises:
        Undefined: the divergence is infinite.
    """
    if (p == 0 and k > 0) or (p == 1 and k < n):
        raise Undefined(f"kl({k}/{n} || {p}) is infinite")
    ones = (Fraction(k, n) / p) ** k if k else Fraction(1)
    zeros = (Fraction(n - k, n) / (1 - p)) ** (n - k) if k < n else Fraction(1)
    return ones * zeros


def moment(n: int) -> Fraction:
    r""":math:`\xi(n)=\sum_k n!/((n-k)!\,n^k)`, exactly.

    >>> [str(moment(n)) for n in (1, 2, 4)]
    ['2', '5/2', '103/32']

    Raises:
        ValueError: n < 1.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    term, total = n**n, 0
    for k in range(n + 1):
        total += term
        term = term * (n - k) // n
    return Fraction(total, n**n)


def parts(low: int, high: int, of: int) -> Any:
    """A Hypothesis strategy of the fractions low/of, ..., high/of."""
    from hypothesis import strategies as st

    return st.integers(low, high).map(lambda k: Fraction(k, of))
