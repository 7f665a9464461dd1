"""Section 5.1: the ledger's exact arithmetic against second routes."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given

from theory import rademacher
from theory.claims import problems as P
from theory.claims.ledger_5_1_bounds import _sharp_margin, _thm_3_margin, _two_point_coverage
from theory.rates import missing_rate


def complexity_by_functions(problem, *, distinct=False, constant=False):
    """Def. C.1 as it stands: all sign vectors times all functions on the sample's inputs."""
    phi = P.missing(problem)
    pairs = [problem["atoms"][i][:2] for i in problem["sample"]]
    inputs = list(range(len(pairs))) if distinct else sorted({x for x, _ in pairs})
    keys = inputs if distinct else [x for x, _ in pairs]
    total, m = Fraction(0), len(phi)
    functions = [dict.fromkeys(inputs, b) for b in range(m)] if constant else [
        dict(zip(inputs, f, strict=True)) for f in product(range(m), repeat=len(inputs))]
    for signs in product((-1, 1), repeat=len(pairs)):
        total += max(sum(s * phi[f[k]][t] for s, k, (_, t) in zip(signs, keys, pairs, strict=True))
                     for f in functions)
    return total / (2 ** len(pairs) * len(pairs))


@given(P.problems(max_sample=3))
def test_complexity_by_groups_is_complexity_by_functions(problem):
    for kind in ({}, {"distinct": True}, {"constant": True}):
        assert P.complexity(problem, **kind) == complexity_by_functions(problem, **kind)


@given(P.problems(max_sample=4))
def test_closed_form_of_theory_rademacher(problem):
    n = problem["family"][0].size
    flat = problem["family"].reshape(-1, n).astype(int)
    targets = [problem["targets"][problem["atoms"][i][1]].reshape(n).astype(int)
               for i in problem["sample"]]
    psi = np.array([flat @ t for t in targets]) / n
    got = rademacher.rademacher_all_functions(psi.max(axis=1), psi.min(axis=1))
    assert got == pytest.approx(float(P.complexity(problem, distinct=True)), abs=1e-12)


@given(P.problems())
def test_risks_by_monte_carlo_free_loops(problem):
    phi = np.array([[float(missing_rate(b, a)) for a in problem["targets"]] for b in problem["family"]])
    weights = np.array([w for *_, w in problem["atoms"]], dtype=float)
    losses = np.array([phi[problem["predictor"][x], t] for x, t, _ in problem["atoms"]])
    assert float(P.risk(problem)) == pytest.approx((weights * losses).sum() / weights.sum(), abs=1e-12)
    assert float(P.empirical(problem)) == pytest.approx(losses[problem["sample"]].mean(), abs=1e-12)
    worst = np.array([phi[:, t].max() for _, t, _ in problem["atoms"]])
    assert float(P.expected_worst(problem)) == pytest.approx(
        (weights * worst).sum() / weights.sum(), abs=1e-12)
    assert float(P.relevance(problem)) == pytest.approx(1 - 2 * worst.max(), abs=1e-12)


def test_two_point_coverage_by_scipy():
    from scipy.stats import binom

    good = np.arange(21) % 3 == 0
    assert _two_point_coverage(20, 0.3, good) == pytest.approx(binom.pmf(np.arange(21)[good], 20, 0.3).sum())


def test_exact_coverage_of_the_sharp_bound_by_simulation():
    """Exact coverage against 40 000 samples, at five standard errors (false alarm 6e-7)."""
    case = {"rho": -0.4, "low": 0.1, "high": 0.9, "probability": 0.4, "n": 9, "delta": 0.3}
    c = 0.7
    rng = np.random.default_rng(5)
    draws = np.where(rng.random((40_000, 9)) < 0.4, 0.9 * c, 0.1 * c)
    risk = c * (0.6 * 0.1 + 0.4 * 0.9)
    covered = (risk <= draws.mean(axis=1) + c * np.sqrt(np.log(1 / 0.3) / 18) + 1e-12).mean()
    exact = _sharp_margin(case) + 1 - 0.3
    assert abs(covered - exact) < 5 * np.sqrt(exact * (1 - exact) / 40_000)


def test_exact_coverage_of_theorem_3_by_simulation():
    """The complexity of two functions on two points, by signs drawn at random."""
    case = {"losses": [(0.0, 1.0), (1.0, 0.0)], "probability": 0.5, "n": 12, "delta": 0.9}
    got = _thm_3_margin(case) + 1 - 0.9
    rng = np.random.default_rng(6)
    covered = []
    for _ in range(400):
        z = rng.integers(0, 2, 12)
        g = np.stack([z, 1 - z]).astype(float)
        signs = rng.choice((-1, 1), (2000, 12))
        complexity = (signs @ g.T / 12).max(axis=1).mean()
        slack = g.mean(axis=1) + 2 * complexity + 3 * np.sqrt(np.log(2 / 0.9) / 24)
        covered.append((slack >= 0.5).all())
    assert abs(np.mean(covered) - got) <= 5 * np.sqrt(max(got * (1 - got), 1 / 400) / 400)
