"""True complexities of small classes of linear heads: enumerated, optimised, below the bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.bounds import contraction as C
from theory.bounds.lipschitz import gradients, rectangle_constants
from theory.rates import missing_rate
from theory.rectangle import Rectangle, attention_map, hard_mask


def climb(value, size, e, starts):
    """Mean over the sign vectors of the largest value found in the ball of radius ``size``.

    Random search and shrinking steps from several starts: a lower bound on the mean supremum.
    """
    rng = np.random.default_rng(0)
    total = 0.0
    for signs in e:
        w = np.stack([s * size / np.linalg.norm(s) for s in starts(signs)])
        best, step = value(w, signs), 0.7 * size
        for _ in range(25):
            new = w + step * rng.normal(size=w.shape) / math.sqrt(w[0].size)
            norm = np.sqrt((new**2).sum(axis=(1, 2), keepdims=True))
            new *= np.minimum(1, size / norm)
            got = value(new, signs)
            w, best, step = np.where((got > best)[:, None, None], new, w), np.maximum(best, got), 0.85 * step
        total += best.max()
    return total / len(e)


@pytest.mark.parametrize("size", [0.01, 0.2])
def test_rectangle_heads_by_optimisation(size):
    """The bound is above the complexity found by optimisation, which the linear limit explains."""
    rng = np.random.default_rng(2)
    n, d, side = 5, 3, 8
    x, bias = rng.normal(size=(n, d)), np.array([0.5, 0.45, 0.3, 0.35, 0.3])
    truths = np.stack([hard_mask(Rectangle(bias[:2] + m, bias[2:4], bias[4]), side, side)
                       for m in rng.normal(size=(n, 2)) * 0.2])

    def losses(w):
        p = np.einsum("skd,id->sik", w, x) + bias
        p[..., :2], p[..., 2:4] = p[..., :2].clip(0, 1), np.maximum(p[..., 2:4], 0.1)
        return missing_rate(2 * attention_map(Rectangle.from_array(p), side, side, 6.0) - 1, truths)

    slopes = -(gradients(bias, side, side, 6.0)[None] * truths.reshape(n, 1, -1)).mean(axis=-1)

    def starts(signs):
        linear = np.einsum("i,ik,id->kd", signs, slopes, x)
        return [linear, linear + 0.3 * np.linalg.norm(linear) * rng.normal(size=(5, d)), rng.normal(size=(5, d))]

    found = climb(lambda w, signs: losses(w) @ signs, size, C.signs_of(n), starts) / n
    limit = size * C.small_weights_complexity(slopes, x)
    constant = rectangle_constants(side, side, 6.0, 0.1).weighted
    bound = C.contraction_complexity(constant, size, C.feature_norm(x), 5, n)
    assert 0 < found < bound
    if size == 0.01:
        assert found == pytest.approx(limit, rel=0.05)


def test_positionwise_heads_by_optimisation():
    """The ascent of the module and a random search agree, below the bound; tight for small norms."""
    rng = np.random.default_rng(3)
    n, d, cells = 4, 2, 3
    x, a = rng.normal(size=(n, d)), rng.choice([-1.0, 1.0], (n, cells))
    bias = rng.normal(size=cells)
    for norm in (0.05, 1.0, 4.0):
        size = norm * math.sqrt(cells)

        def value(w, signs):
            z = np.einsum("std,id->sit", w, x) + bias
            return (0.5 - a * np.tanh(z / 2) / 2).mean(axis=-1) @ signs

        def starts(signs):
            return [-np.einsum("i,it,id->td", signs, a, x), rng.normal(size=(cells, d))]

        searched = climb(value, size, C.signs_of(n), starts) / n
        ascended = C.cellwise_from_below(x, a, bias, norm, steps=20)
        bound = C.cellwise_complexity(0.25, norm, C.feature_norm(x), n)
        assert max(searched, ascended) < bound
        assert ascended == pytest.approx(searched, rel=0.05 if norm <= 1 else 0.2)


@given(st.integers(1, 5), st.integers(1, 4), st.floats(0.01, 8), st.integers(0, 999))
def test_orthonormal_features_have_a_closed_form(n, cells, norm, seed):
    a = np.random.default_rng(seed).choice([-1.0, 1.0], (n, cells))
    exact = math.tanh(norm / (2 * math.sqrt(n))) / 2
    bound = C.cellwise_complexity(0.25, norm, 1.0, n)
    assert C.cellwise_from_below(np.eye(n), a, np.zeros(cells), norm) == pytest.approx(exact, abs=1e-12)
    assert exact < bound
    if norm < 0.1:
        assert exact > bound * (1 - norm**2 / 12 / n - 1e-12)


def test_equal_cells_share_without_loss():
    """Features, targets and biases that do not depend on the cell: the shared vector costs the same."""
    x = np.random.default_rng(5).normal(size=(4, 3))
    a = np.repeat(np.array([[1.0], [-1.0], [1.0], [1.0]]), 6, axis=1)
    zero = np.zeros(6)
    assert C.cellwise_from_below(x, a, zero, 1.3, shared=True) == pytest.approx(
        C.cellwise_from_below(x, a, zero, 1.3)) == pytest.approx(C.cellwise_from_below(x, a[:, :1], zero[:1], 1.3))


def test_sharing_helps_where_targets_differ():
    """Half of the targets turned: for small weights the cells' losses cancel."""
    x, a = np.eye(3), np.ones((3, 4)) * [1, 1, -1, -1]
    assert C.cellwise_from_below(x, a, np.zeros(4), 0.01, shared=True) < 1e-9
    assert C.cellwise_from_below(x, a, np.zeros(4), 0.01) > 1e-3


@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(0, 999))
def test_small_weights_by_enumeration(n, k, d, seed):
    rng = np.random.default_rng(seed)
    g, x = rng.normal(size=(n, k)), rng.normal(size=(n, d))
    each = [np.linalg.norm(sum(e * np.outer(u, v) for e, u, v in zip(s, g, x, strict=True)))
            for s in C.signs_of(n)]
    got = C.small_weights_complexity(g, x)
    assert got == pytest.approx(np.mean(each) / n)
    assert C.small_weights_complexity(g, np.repeat(x[:, None], k, axis=1)) == pytest.approx(got)
    size = math.sqrt(np.sum(g**2 * np.sum(x**2, axis=1, keepdims=True))) / n
    assert size / math.sqrt(2) <= got * (1 + 1e-12) and got <= size * (1 + 1e-12)  # Khintchine, Jensen


def test_positionwise_limit_is_the_bound_with_one_over_root_n():
    """Norm of all weights: 1 / (4 sqrt(n N)) is attained in the limit, vector contraction misses sqrt n."""
    n, cells = 6, 16
    g = np.random.default_rng(6).choice([-1.0, 1.0], (n, cells)) / (4 * cells)
    limit = C.small_weights_complexity(g, np.eye(n))
    c = C.complexity_constants(4, 4, 6.0, 0.2)
    assert limit == pytest.approx(c["cellwise_all"] / math.sqrt(n))
    assert c["cellwise_all_contracted"] / c["cellwise_all"] == pytest.approx(C.GAUSSIAN * 4)


def test_gaussian_factor_on_finite_classes():
    """E sup e h(f) <= sqrt(pi/2) E sup g f by Monte Carlo, at five standard errors (false alarm 3e-7)."""
    rng = np.random.default_rng(7)
    for n, k in ((2, 2), (4, 3), (6, 5)):
        values, anchors = rng.normal(size=(12, n, k)), rng.normal(size=(n, k))
        left = (C.signs_of(n) @ np.linalg.norm(values - anchors, axis=-1).T).max(axis=1).mean()
        draws = (rng.normal(size=(20_000, n * k)) @ values.reshape(12, -1).T).max(axis=1)
        assert left <= C.GAUSSIAN * (draws.mean() + 5 * draws.std() / math.sqrt(len(draws)))


def test_gaussian_factor_cannot_be_left_out():
    """One example, the identity: E sup e f = 1 = sqrt(pi/2) E|g|, above E|g| = 0.798."""
    assert (C.signs_of(1) @ np.array([[1.0, -1.0]])).max(axis=1).mean() == 1
    assert C.GAUSSIAN * math.sqrt(2 / math.pi) == pytest.approx(1)
