"""Rademacher bounds for linear heads: the formulas, the objects, the claims."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from theory.bounds import contraction as C
from theory.bounds import theorem_3
from theory.bounds.lipschitz import rectangle_constants
from theory.claims import verify
from theory.claims.ledger_5_1_contraction import CLAIMS, rectangle_from_below
from theory.rates import missing_rate
from theory.rectangle import Rectangle, attention_map, hard_mask

RECTANGLE = {"empirical": 0.1, "n_samples": 4096, "lipschitz": 1.2, "weight_norm": 0.4,
             "feature_norm": 1.5, "outputs": 5, "norm_choices": 0.0}
CELLS = {name: value for name, value in RECTANGLE.items() if name not in ("outputs", "lipschitz")} | {"slope": 0.25}
BOTH = [(C.Contraction, RECTANGLE), (C.Cellwise, CELLS)]


def test_values_by_hand():
    assert C.contraction_complexity(3.0, 2.0, 0.5, 4, 100) == pytest.approx(math.sqrt(math.pi / 2) * 3 * 0.2)
    assert C.contraction_complexity(3.0, 2.0, 0.5, 4, 100, C.MAURER) == pytest.approx(math.sqrt(2) * 0.6)
    assert C.cellwise_complexity(0.25, 2.0, 3.0, 9) == 0.5
    assert math.sqrt(2 / math.pi) * C.GAUSSIAN == pytest.approx(1) and C.GAUSSIAN < C.MAURER


@given(st.lists(st.tuples(st.floats(0.01, 10), st.floats(0.01, 10)), min_size=1, max_size=5))
def test_rows_by_minimising_over_the_units(pairs):
    """min over c of sqrt(sum (L_k / c_k)^2) sum c_k W_k, by a numerical minimiser (convex in log c)."""
    lip, norms = np.array(pairs).T

    def bound(log_c):
        c = np.exp(log_c)
        return math.log(math.sqrt(np.sum((lip / c) ** 2)) * np.sum(c * norms))

    best = minimize(bound, np.zeros(len(lip)), method="BFGS").fun
    got = C.contraction_complexity_rows(lip, norms, 2.0, 16)
    assert got == pytest.approx(C.GAUSSIAN * math.exp(best) * 2 / 4, rel=1e-5)
    assert got <= C.GAUSSIAN * math.exp(bound(np.zeros(len(lip)))) / 2 * (1 + 1e-12)


def test_rows_of_one_kind():
    """K equal outputs: sqrt(K) from the constant and K from the norms."""
    for k in (1, 2, 5):
        got = C.contraction_complexity_rows(np.full(k, 0.7), np.full(k, 3.0), 1.0, 50)
        assert got == pytest.approx(C.contraction_complexity(0.7 * math.sqrt(k), 3 * math.sqrt(k), 1.0, k, 50))


def test_batched_is_one_by_one():
    rng = np.random.default_rng(0)
    lip, w, b = rng.random((3, 4))
    n = np.array([8, 64, 512, 4096])
    got = C.contraction_complexity(lip, w, b, 5, n)
    assert got.shape == (4,)
    for i in range(4):
        assert got[i] == C.contraction_complexity(lip[i], w[i], b[i], 5, int(n[i]))
        assert C.cellwise_complexity(lip, w, b, n)[i] == C.cellwise_complexity(lip[i], w[i], b[i], int(n[i]))
    rows = C.contraction_complexity_rows(np.stack([lip, w]), np.stack([w, b]), np.array([1.0, 2.0]), 7)
    assert rows[1] == C.contraction_complexity_rows(w, b, 2.0, 7)


def test_feature_norm():
    x = np.random.default_rng(1).normal(size=(6, 4, 3))
    assert C.feature_norm(x) == pytest.approx(math.sqrt(sum(float(v @ v) for v in x.reshape(-1, 3)) / 24))


OTHER = {"vector-contraction": "unrefuted", "perimeter-against-slope": "unrefuted", "fewer-outputs": "refuted"}


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: c.id)
def test_claims(claim):
    verdict = verify(claim, examples=60, budget=3.0, amendment=False)
    assert verdict.status == OTHER.get(claim.id, "holds")


def test_counterexample_to_fewer_outputs_by_other_formulas():
    """The rectangle's rate at small norms is |g|_1, above 1/4: as the limit of both complexities."""
    p = np.array([0.5, 0.45, 0.2, 0.25, 0.3])
    truth = hard_mask(Rectangle(p[:2], p[2:4] * 4 / 3, p[4]), 16, 16)
    h, g = 1e-5, []
    for k in range(5):
        maps = attention_map(Rectangle.from_array(np.stack([p + h * np.eye(5)[k], p - h * np.eye(5)[k]])),
                             16, 16, 6.0)
        g.append(np.subtract(*missing_rate(2 * maps - 1, truth)) / (2 * h))
    rate = np.abs(g).sum()
    small = {"rectangle": p, "norm": 1e-4, "n": 9}
    assert rectangle_from_below(small) == pytest.approx(1e-4 / 3 * rate, rel=1e-3)
    assert rate > 4 * 0.25


@given(st.lists(st.floats(-9, 9), min_size=4, max_size=4), st.lists(st.sampled_from([-1, 1]), min_size=4, max_size=4),
       st.floats(0.01, 10))
def test_ramp_above_the_hard_rate(z, a, margin):
    z, a = np.array(z).reshape(2, 2), np.array(a).reshape(2, 2)
    got = C.ramp_missing_rate(z, a, margin)
    hard = missing_rate(np.where(z >= 0, 1, -1), a)
    assert hard <= got <= 1
    by_cell = [min(1, max(0, 1 - s * v / margin)) for s, v in zip(a.flat, z.flat, strict=True)]
    assert got == pytest.approx(sum(by_cell) / 4)
    assert got <= C.ramp_missing_rate(z, a, 2 * margin) + 1e-15


def test_ramp_meets_the_hard_rate_beyond_the_margin():
    z, a = np.array([[3.0, -3.0, 0.0, 0.0]]), np.array([[1, 1, 1, -1]])
    assert C.ramp_missing_rate(z, a, 2.0) == pytest.approx(0.75)  # at z = 0 it is 1 on either side
    assert missing_rate(np.where(z >= 0, 1, -1), a) == 0.5
    assert C.ramp_missing_rate(z[:, :2], a[:, :2], 2.0) == missing_rate(np.sign(z[:, :2]).astype(int), a[:, :2])


@pytest.mark.parametrize("kind, given_", BOTH)
def test_stages_add_up_to_theorem_3(kind, given_):
    bound = kind(0.02)
    stages = bound.stages(**given_)
    assert list(stages) == ["empirical", "complexity", "norm choice", "confidence"]
    complexity = (stages["complexity"] - stages["empirical"]) / 2
    assert bound.upper(**given_) == pytest.approx(theorem_3(0.1, complexity, 4096, 0.02))
    assert sum(bound.slack(**given_).values()) + stages["empirical"] == pytest.approx(bound.upper(**given_))
    nats = 3.0
    paid = bound.upper(**given_ | {"norm_choices": nats})
    assert paid == pytest.approx(theorem_3(0.1, complexity, 4096, 0.02 * math.exp(-nats)))
    grown = list(bound.stages(**given_ | {"norm_choices": nats}).values())
    assert all(a < b for a, b in zip(grown, grown[1:], strict=False))


def test_complexities_of_the_objects():
    assert C.Contraction().slack(**RECTANGLE)["complexity"] == pytest.approx(
        2 * math.sqrt(math.pi / 2) * 1.2 * 0.4 * 1.5 * math.sqrt(5 / 4096))
    assert C.Contraction(factor=C.MAURER).slack(**RECTANGLE)["complexity"] == pytest.approx(
        2 * math.sqrt(2) * 1.2 * 0.4 * 1.5 * math.sqrt(5 / 4096))
    assert C.Cellwise().slack(**CELLS)["complexity"] == pytest.approx(2 * 0.25 * 0.4 * 1.5 / 64)


@pytest.mark.parametrize("kind, given_", BOTH)
def test_monotone(kind, given_):
    n = 4 ** np.arange(1, 12)
    falling = kind().upper(**given_ | {"n_samples": n})
    assert falling.shape == n.shape and (np.diff(falling) < 0).all()
    assert falling[-1] == pytest.approx(0.1, abs=0.01)
    for i, one in enumerate(n):
        assert falling[i] == kind().upper(**given_ | {"n_samples": int(one)})
    for name in set(given_) - {"n_samples", "outputs"}:
        assert kind().upper(**given_ | {name: given_[name] + 0.1}) > kind().upper(**given_)
    assert kind(0.01).upper(**given_) > kind(0.1).upper(**given_)


@pytest.mark.parametrize("kind, given_", BOTH)
def test_limits(kind, given_):
    """Norm 0 is Hoeffding's world; a huge norm is capped at complexity 1/2."""
    none = kind().upper(**given_ | {"weight_norm": 0.0})
    assert none == pytest.approx(theorem_3(0.1, 0.0, 4096, 0.05))
    assert kind().upper(**given_ | {"weight_norm": 1e9}) == pytest.approx(theorem_3(0.1, 0.5, 4096, 0.05))


def test_coverage_on_a_known_law():
    """Trained heads on 12 equally likely inputs: the risk is exact; at most delta misses by the binomial
    test at false alarm 1e-6."""
    from scipy.stats import binom

    rng = np.random.default_rng(8)
    x, a = rng.normal(size=(12, 3)), rng.choice([-1.0, 1.0], (12, 5))
    n, norm, repeats, delta = 40, 2.0, 150, 0.2
    misses, gaps = 0, []
    for _ in range(repeats):
        i = rng.integers(0, 12, n)
        w = np.zeros((5, 3))
        for _ in range(40):
            w = w + 2.0 * np.einsum("it,id->td", a[i] / np.cosh(x[i] @ w.T / 2) ** 2, x[i]) / n
            w *= min(1, norm * math.sqrt(5) / np.linalg.norm(w))
        loss = (0.5 - a * np.tanh(x @ w.T / 2) / 2).mean(axis=1)
        upper = C.Cellwise(delta).upper(empirical=loss[i].mean(), n_samples=n, slope=0.25, weight_norm=norm,
                                      feature_norm=C.feature_norm(x[i]), norm_choices=0.0)
        misses += loss.mean() > upper
        gaps.append(loss.mean() - loss[i].mean())
    assert binom.sf(misses - 1, repeats, delta) > 1e-6
    # twice the complexity, without the confidence term, already covers the mean gap
    assert 0 < np.mean(gaps) < 2 * C.cellwise_complexity(0.25, norm, C.feature_norm(x), n)


# --- the norm's grid, the constants, bad input ------------------------------------------------------


def test_grid_of_norms_spends_delta_once():
    """sum over j of exp(-nats_j) = 1: by sympy, and numerically with the tail 2 / m of sum 1 / j^2."""
    import sympy as sp

    j = sp.symbols("j", positive=True, integer=True)
    whole = 2 * sp.summation(1 / j**2, (j, 1, sp.oo)) - 1
    assert sp.simplify(whole - (sp.pi**2 / 3 - 1)) == 0
    norms = 2.0 ** np.arange(-500, 501)
    value, nats = C.norm_on_grid(norms)
    assert (value == norms).all()
    spent = np.exp(-nats).sum()
    assert spent < 1 < spent + 2 * 2 / 500 / (math.pi**2 / 3 - 1)


@given(st.floats(1e-6, 1e6), st.floats(1e-3, 1e3))
def test_grid_of_norms_rounds_up(norm, base):
    value, nats = C.norm_on_grid(norm, base)
    assert norm <= value <= 2 * norm * (1 + 1e-12)
    j = round(math.log2(value / base))
    assert value == base * 2.0**j and nats == pytest.approx(2 * math.log(1 + abs(j)) + math.log(math.pi**2 / 3 - 1))


def test_constants_of_the_heads():
    for side in (4, 16, 64):
        c = C.complexity_constants(side, side, 6.0, 0.2)
        assert c["cellwise"] == 0.25 and c["cellwise_all"] == 0.25 / side
        assert c["shared_contracted"] == pytest.approx(C.GAUSSIAN / 4)
        assert c["cellwise_rows_contracted"] == pytest.approx(C.GAUSSIAN / 4 * side)
        assert c["rectangle"] == pytest.approx(
            C.GAUSSIAN * math.sqrt(5) * rectangle_constants(side, side, 6.0, 0.2).weighted)
        assert c["rectangle_rows"] == pytest.approx(math.sqrt(5) * c["rectangle"])
        assert c["rectangle"] > c["cellwise"] > c["cellwise_all"]
    sharp = C.complexity_constants(16, 16, 6.0, 0.2, margin=2.0)
    assert sharp["cellwise"] == 0.5 and sharp["rectangle"] > C.complexity_constants(16, 16, 6.0, 0.2)["rectangle"]


def test_the_recorded_numbers():
    """The table of docs/bounds.md."""
    got = {case: C.complexity_constants(16, 16, 6.0, *case)["rectangle_rows"]
           for case in ((0.05, math.inf), (0.05, 0.5), (0.1, 0.5), (0.2, 0.5), (0.1, 0.1))}
    expected = {(0.05, math.inf): 108.4, (0.05, 0.5): 82.8, (0.1, 0.5): 49.9, (0.2, 0.5): 35.5, (0.1, 0.1): 16.5}
    assert got == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("call, message", [
    (lambda: C.contraction_complexity(-1.0, 1, 1, 5, 10), "lipschitz must be finite and >= 0, got -1"),
    (lambda: C.contraction_complexity(1.0, math.nan, 1, 5, 10), "weight_norm must be finite and >= 0, got nan"),
    (lambda: C.contraction_complexity(1.0, 1, math.inf, 5, 10), "feature_norm must be finite and >= 0, got inf"),
    (lambda: C.contraction_complexity(1.0, 1, 1, 0, 10), "outputs must be a positive integer, got 0"),
    (lambda: C.contraction_complexity(1.0, 1, 1, 2.5, 10), "outputs must be a positive integer, got 2.5"),
    (lambda: C.contraction_complexity(1.0, 1, 1, 5, 0), "N must be a positive integer, got 0"),
    (lambda: C.contraction_complexity(1.0, 1, 1, 5, 10, 1.0), "factor must be at least"),
    (lambda: C.feature_norm([1.0, 2.0]), "features must have shape"),
    (lambda: C.feature_norm([[math.inf]]), "features must be finite"),
    (lambda: C.norm_on_grid(0.0), "norm and base must be positive and finite"),
    (lambda: C.norm_on_grid(1.0, math.inf), "norm and base must be positive and finite"),
    (lambda: C.ramp_missing_rate([[1.0]], [[1]], 0.0), "margin must be positive and finite, got 0.0"),
    (lambda: C.ramp_missing_rate([[1.0]], [[0]], 1.0), "targets must be masks of -1 and"),
    (lambda: C.ramp_missing_rate([[math.nan]], [[1]], 1.0), "logits must be numbers, got NaN"),
    (lambda: C.small_weights_complexity(np.ones((3, 2)), np.ones((2, 2))), "gradients .N, K. and features"),
    (lambda: C.signs_of(17), "N must be at most 16 to go through all signs, got 17"),
    (lambda: C.Contraction(1.5), "delta must be in .0, 1., got 1.5"),
    (lambda: C.Contraction(factor=0.9).upper(**RECTANGLE), "factor must be at least"),
    (lambda: C.Cellwise().upper(**CELLS | {"empirical": 1.2}), "empirical loss must be in .0, 1., got 1.2"),
    (lambda: C.Cellwise().upper(**CELLS | {"norm_choices": -1.0}), "norm_choices must be finite and >= 0, got -1"),
    (lambda: C.Cellwise().upper(**CELLS | {"empirical": None}), "the bound 'cellwise' needs empirical")])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_constants_of_the_ledger():
    from theory.claims.ledger_5_1_constants import sizes

    numbers = sizes.measure().numbers
    wide, narrow = numbers["half-widths 0.05 to inf"], numbers["half-widths 0.1 to 0.1"]
    assert wide == pytest.approx(C.rectangle_constants(16, 16, 6.0, 0.05).weighted * 5 * C.GAUSSIAN)
    assert 60 * 0.25 < narrow < wide
