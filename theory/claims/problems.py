"""Finite learning problems on which section 5.1 can be computed exactly.

A problem is a dict: ``family`` (m, H, W) masks of A; ``targets`` (k, H, W) masks of A_in; ``atoms``,
a list of ``(x, target index, weight)`` with integer weights, the law of (X, A); ``predictor``, the
index in A that f gives to each x; ``sample``, a list of atom indices; ``delta``.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np


def problems(max_sample: int = 5) -> Any:
    """A Hypothesis strategy of problems on grids of up to 2 x 3."""
    from hypothesis import strategies as st

    from theory.strategies import masks

    inputs = 3

    def on(grid: tuple[int, int]) -> Any:
        mask = masks(*grid)
        atom = st.tuples(st.integers(0, inputs - 1), st.integers(0, 2), st.integers(1, 20))
        return st.fixed_dictionaries({
            "family": st.lists(mask, min_size=1, max_size=4).map(np.array),
            "targets": st.lists(mask, min_size=3, max_size=3).map(np.array),
            "atoms": st.lists(atom, min_size=1, max_size=4),
            "predictor": st.lists(st.integers(0, 3), min_size=inputs, max_size=inputs),
            "sample": st.lists(st.integers(0, 3), min_size=1, max_size=max_sample),
            "delta": st.floats(1e-6, 1 - 1e-6),
        }).map(_repair)

    return st.sampled_from([(1, 1), (1, 2), (2, 2), (1, 3), (2, 3)]).flatmap(on)


def _repair(problem: dict[str, Any]) -> dict[str, Any]:
    m, atoms = len(problem["family"]), len(problem["atoms"])
    problem = dict(problem)
    problem["predictor"] = [p % m for p in problem["predictor"]]
    problem["sample"] = [s % atoms for s in problem["sample"]]
    return problem


def missing(problem: dict[str, Any]) -> list[list[Fraction]]:
    """``Phi(b, a)`` for b in the family (rows) and a among the targets (columns)."""
    family, targets = problem["family"], problem["targets"]
    n = family[0].size
    products = np.tensordot(family.astype(np.int64), targets.astype(np.int64), ((1, 2), (1, 2)))
    return [[(1 - Fraction(int(v), n)) / 2 for v in row] for row in products]


def used_targets(problem: dict[str, Any]) -> list[int]:
    """A_in: the targets that occur in the law."""
    return sorted({t for _, t, _ in problem["atoms"]})


def relevance(problem: dict[str, Any]) -> Fraction:
    """rho over A and A_in, from ``Phi``."""
    phi = missing(problem)
    return 1 - 2 * max(row[t] for row in phi for t in used_targets(problem))


def risk(problem: dict[str, Any], predictor: list[int] | None = None) -> Fraction:
    """R(f), exactly."""
    phi, total = missing(problem), sum(w for *_, w in problem["atoms"])
    f = problem["predictor"] if predictor is None else predictor
    return sum((Fraction(w, total) * phi[f[x]][t] for x, t, w in problem["atoms"]), Fraction(0))


def empirical(problem: dict[str, Any]) -> Fraction:
    """The empirical missing rate of the predictor on the sample."""
    phi, f = missing(problem), problem["predictor"]
    losses = [phi[f[problem["atoms"][i][0]]][problem["atoms"][i][1]] for i in problem["sample"]]
    return sum(losses, Fraction(0)) / len(losses)


def worst(problem: dict[str, Any]) -> list[Fraction]:
    """``g(a) = max_b Phi(b, a)`` for every target."""
    phi = missing(problem)
    return [max(row[t] for row in phi) for t in range(len(problem["targets"]))]


def expected_worst(problem: dict[str, Any]) -> Fraction:
    """``E g(A)``."""
    g, total = worst(problem), sum(w for *_, w in problem["atoms"])
    return sum((Fraction(w, total) * g[t] for _, t, w in problem["atoms"]), Fraction(0))


def complexity(problem: dict[str, Any], *, distinct: bool = False, constant: bool = False
               ) -> Fraction:
    """Empirical Rademacher complexity of ``(x, a) -> Phi(f(x), a)``, by all sign vectors.

    Args:
        distinct: treat the sample's inputs as distinct, whatever their x.
        constant: predictors that give one mask to every x.
    """
    phi, sample = missing(problem), problem["sample"]
    pairs = [problem["atoms"][i][:2] for i in sample]
    if constant:
        groups = [list(range(len(pairs)))]
    elif distinct:
        groups = [[i] for i in range(len(pairs))]
    else:
        groups = [[i for i, (x, _) in enumerate(pairs) if x == y] for y in {x for x, _ in pairs}]
    total = Fraction(0)
    for signs in product((-1, 1), repeat=len(pairs)):
        for group in groups:
            total += max(sum(signs[i] * row[pairs[i][1]] for i in group) for row in phi)
    return total / (2 ** len(pairs) * len(pairs))
