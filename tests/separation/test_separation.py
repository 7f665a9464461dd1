"""Eqs. 18-19, total variation and Theorem 2: every number by two routes, laws, bad input."""

from __future__ import annotations

import math
from fractions import Fraction as F

import array_api_strict as strict
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from scipy import integrate
from scipy.stats import norm

from theory.separation import (
    mixture_density,
    normalization,
    optimal_accuracy,
    redraw_density,
    separation_bounds,
    separation_parts,
    theorem_2_1,
    theorem_2_2,
    total_variation,
    total_variation_by_events,
)
from theory.strategies import mixtures

PAIRWISE = (separation_parts, separation_bounds, theorem_2_1, theorem_2_2)


def frac(*values: str | int) -> np.ndarray:
    return np.array([F(v) for v in values], dtype=object)


EXAMPLE = {"pure": frac("1/2", "1/2", 0), "other": frac(0, "1/4", "3/4"),
           "background": frac("1/3", "1/3", "1/3"), "fitting": frac("1/2", "1/4", 1)}


def random_batch(seed: int = 0, shape: tuple[int, ...] = (4, 3), atoms: int = 6):
    rng = np.random.default_rng(seed)
    p, q, g = rng.dirichlet(np.ones(atoms), size=(3, *shape))
    return p, q, g, rng.random((*shape, atoms))


# --- by hand and by a second route


def test_eq_18_by_hand():
    # E_p[1 - lam] = 1/2*1/2 + 1/2*3/4 = 5/8; E_bg[1 - lam] = (1/2 + 3/4 + 0)/3 = 5/12
    p, _, g, lam = EXAMPLE.values()
    assert normalization(p, g, lam) == F(3, 2)
    assert list(mixture_density(p, g, lam)) == [F(1, 2), F(1, 2), F(0)]


@given(mixtures(4, exact=True))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_eta_is_the_papers_quotient(instance):
    p, g, lam = (instance[k] for k in ("pure", "background", "fitting"))
    if all(a == 1 or b == 0 for a, b in zip(lam, g, strict=True)):
        with pytest.raises(ValueError, match="lambda < 1"):
            normalization(p, g, lam)
        return
    eta = (1 - sum(lam * p)) / (1 - sum(lam * g))  # the quotient below Eq. 18
    assert normalization(p, g, lam) == eta
    assert list(mixture_density(p, g, lam)) == [
        a * b + eta * (1 - a) * c for a, b, c in zip(lam, p, g, strict=True)]
    assert list(redraw_density(p, g, lam)) == list(mixture_density(p, g, lam))


@given(mixtures(5, exact=True))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_total_variation_by_three_routes(instance):
    p, q = instance["pure"], instance["other"]
    tv = total_variation(p, q)
    assert tv == total_variation_by_events(p, q) == 1 - sum(np.minimum(p, q))
    assert isinstance(tv, F)


def gaussians(nodes: int = 4001):
    x = np.linspace(-12, 13, nodes)
    weights = np.full(nodes, x[1] - x[0])
    return x, weights, norm.pdf(x), norm.pdf(x, loc=1), norm.pdf(x, loc=0.5, scale=3)


def lam_of(x):
    return 1 / (1 + np.exp(-x)) * 0.9


def test_total_variation_of_two_gaussians():
    x, weights, p, q, _ = gaussians()
    exact = 2 * norm.cdf(0.5) - 1
    assert float(total_variation(p, q, weights)) == pytest.approx(exact, abs=1e-5)
    by_quad = integrate.quad(lambda v: max(norm.pdf(v) - norm.pdf(v, 1), 0), -12, 13,
                             points=[0.5], limit=200)[0]
    assert by_quad == pytest.approx(exact, abs=1e-7)
    assert float(total_variation(p, q, float(weights[0]))) == float(total_variation(p, q, weights))


def test_eta_and_separation_of_gaussians_by_quadrature():
    x, weights, p, q, g = gaussians()
    lam = lam_of(x)

    def quad(fun):
        return integrate.quad(fun, -12, 13, points=[0.5], limit=200)[0]

    def bg(v):
        return norm.pdf(v, 0.5, 3)

    eta = [quad(lambda v, m=m: (1 - lam_of(v)) * norm.pdf(v, m)) / quad(
        lambda v: (1 - lam_of(v)) * bg(v)) for m in (0, 1)]
    got = [normalization(d / (d * weights).sum(), g / (g * weights).sum(), lam, weights)
           for d in (p, q)]
    np.testing.assert_allclose(got, eta, atol=1e-4)
    plus, minus = separation_parts(p, q, lam, weights)
    assert plus == pytest.approx(quad(lambda v: lam_of(v) * max(norm.pdf(v) - norm.pdf(v, 1), 0)),
                                 abs=1e-5)
    assert minus == pytest.approx(quad(lambda v: lam_of(v) * max(norm.pdf(v, 1) - norm.pdf(v), 0)),
                                  abs=1e-5)
    g = g / (g * weights).sum()
    densities = [mixture_density(d / (d * weights).sum(), g, lam, weights) for d in (p, q)]
    for d in densities:
        assert float((d * weights).sum()) == pytest.approx(1, abs=1e-12)
    tv = float(total_variation(*densities, weights))
    assert min(plus, minus) - 1e-6 <= tv <= max(plus, minus) + 1e-6
    assert min(plus, minus) < max(plus, minus) - 1e-3


def test_bounds_by_hand():
    p, q, _, lam = EXAMPLE.values()
    # differences 1/2, 1/4, -3/4
    assert separation_parts(p, q, lam) == (F(5, 16), F(3, 4))
    assert separation_bounds(p, q, lam) == (F(5, 16), F(3, 4))
    assert separation_bounds(q, p, lam) == (F(5, 16), F(3, 4))
    assert theorem_2_1(p, q, lam) == F(1, 4) * F(3, 4)
    assert theorem_2_2(p, q, lam) == min(F(3, 8), F(1, 16) + F(3, 4))
    assert optimal_accuracy(p, q) == F(7, 8)


# --- laws


def test_no_contamination_is_constant_lambda_and_lambda_0_is_background():
    p, q, g, _ = random_batch()
    np.testing.assert_allclose(mixture_density(p, g, 0.0), g, atol=1e-15)
    np.testing.assert_allclose(mixture_density(p, g, 0.25), 0.25 * p + 0.75 * g, atol=1e-15)
    np.testing.assert_allclose(normalization(p, g, 0.99), 1, atol=1e-12)
    np.testing.assert_array_equal(redraw_density(p, g, 1.0), p)


def test_splitting_an_atom_changes_nothing():
    p, q, g, lam = (EXAMPLE[k] for k in EXAMPLE)
    halves = np.array([0, 0, 1, 2])
    weights = frac("1/2", "1/2", 1, 1)
    split = [v[halves] for v in (p, q, g, lam)]
    assert normalization(split[0], split[2], split[3], weights) == normalization(p, g, lam)
    mixed = [mixture_density(d, split[2], split[3], weights) for d in split[:2]]
    assert list(mixed[0]) == list(mixture_density(p, g, lam)[halves])
    whole = [mixture_density(d, g, lam) for d in (p, q)]
    assert total_variation(*mixed, weights) == total_variation(*whole)
    assert total_variation_by_events(*mixed, weights) == total_variation(*whole)
    assert separation_parts(split[0], split[1], split[3], weights) == separation_parts(p, q, lam)
    assert theorem_2_1(split[0], split[1], split[3], weights) == theorem_2_1(p, q, lam)
    assert theorem_2_2(split[0], split[1], split[3], weights) == theorem_2_2(p, q, lam)
    assert list(redraw_density(split[0], split[2], split[3], weights)) == list(
        redraw_density(p, g, lam)[halves])


def test_order_of_atoms_and_of_classes():
    p, q, g, lam = random_batch()
    order = np.random.default_rng(1).permutation(p.shape[-1])
    np.testing.assert_allclose(mixture_density(p, g, lam)[..., order],
                               mixture_density(p[..., order], g[..., order], lam[..., order]))
    np.testing.assert_array_equal(total_variation(p, q), total_variation(q, p))
    plus, minus = separation_parts(p, q, lam)
    again = separation_parts(q, p, lam)
    np.testing.assert_array_equal(plus, again[1])
    np.testing.assert_array_equal(minus, again[0])
    np.testing.assert_array_equal(theorem_2_2(p, q, lam), theorem_2_2(q, p, lam))


def test_sandwich_on_floats_and_its_tight_ends():
    p, q, g, lam = random_batch(3, (500,), 5)
    tv = total_variation(mixture_density(p, g, lam), mixture_density(q, g, lam))
    low, high = separation_bounds(p, q, lam)
    assert np.all(low <= tv + 1e-12) and np.all(tv <= high + 1e-12)
    assert np.any(tv - low > 0.01) and np.any(high - tv > 0.01)
    # equality on the left: all background where the pure difference is negative
    p, q, g = np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), np.array([0, 1.0, 0])
    for lam in ([0.2, 0.8, 0.1], [0.8, 0.2, 0.1]):
        tv = total_variation(mixture_density(p, g, lam), mixture_density(q, g, lam))
        assert float(tv) == pytest.approx(lam[0])


def test_total_variation_is_a_metric_with_values_in_0_1():
    p, q, r, _ = random_batch(5, (200,), 4)
    assert np.all(total_variation(p, q) <= total_variation(p, r) + total_variation(r, q) + 1e-12)
    np.testing.assert_array_equal(total_variation(p, p), 0)
    far = np.eye(2)[[0] * 50 + [1] * 50].T  # disjoint, and rounded above 1
    p, q = far * 0.02 * (1 + 1e-9)
    assert float(np.sum(np.abs(p - q)) / 2) > 1
    assert float(total_variation(p, q)) == 1.0


def test_fallback_of_the_kernel():
    p, g = frac("1/2", "1/2", 0), frac(1, 0, 0)
    lam = frac(1, "1/2", "1/2")  # 1 wherever the background lives: Eq. 18 is c/0
    with pytest.raises(ValueError, match="eta is 1/4/0"):
        mixture_density(p, g, lam)
    assert list(redraw_density(p, g, lam)) == [F(3, 4), F(1, 4), F(0)]
    third = frac(0, 0, 1)
    assert list(redraw_density(p, g, lam, fallback=third)) == [F(1, 2), F(1, 4), F(1, 4)]
    # the default is the limit of Eq. 18 along (1 - eps)
    near = mixture_density(p.astype(float), g.astype(float), np.array([1 - 1e-9, 0.5, 0.5]))
    np.testing.assert_allclose(near, [0.75, 0.25, 0], atol=1e-8)


def test_no_nan_from_extreme_input():
    p, g = np.array([0.0, 1.0]), np.array([1 - 1e-300, 1e-300])
    lam = np.array([1.0, 0.5])
    assert np.all(np.isfinite(mixture_density(p, g, lam)))
    tiny = np.array([1.0, 5e-324])
    with pytest.raises(ValueError, match="eta must be finite, .* as small as 5e-324"):
        mixture_density(p, tiny, np.array([1.0, 0.0]))
    out = redraw_density(p, tiny, np.array([1.0, 0.0]))
    assert np.all(np.isfinite(out)) and out.sum() == pytest.approx(1)


# --- batch, libraries, gradients


def all_functions(p, q, g, lam, w=None):
    out = [mixture_density(p, g, lam, w), redraw_density(p, g, lam, w),
           normalization(p, g, lam, w), total_variation(p, q, w),
           total_variation_by_events(p, q, w), optimal_accuracy(p, q, w),
           theorem_2_1(p, q, lam, w), theorem_2_2(p, q, lam, w)]
    return out + [*separation_parts(p, q, lam, w), *separation_bounds(p, q, lam, w)]


def test_batch_is_the_loop():
    batch = random_batch()
    whole = all_functions(*batch)
    for i, j in np.ndindex(4, 3):
        for one, many in zip(all_functions(*(v[i, j] for v in batch)), whole, strict=True):
            np.testing.assert_allclose(many[i, j], one, rtol=1e-13)


@pytest.mark.parametrize("lib", ["torch", "strict"])
def test_libraries_agree(lib):
    batch = random_batch()
    weights = np.linspace(0.5, 2, 6)
    batch = [b / weights if k < 3 else b for k, b in enumerate(batch)]
    to = torch.tensor if lib == "torch" else strict.asarray
    expected = all_functions(*batch, weights)
    for a, b in zip(all_functions(*map(to, batch), to(weights)), expected, strict=True):
        assert isinstance(a, torch.Tensor if lib == "torch" else type(to(weights)))
        np.testing.assert_allclose(np.asarray(a), b, rtol=1e-12)


def test_float32_and_mixed_input():
    p, q, g, lam = (v.astype(np.float32) for v in random_batch())
    out = mixture_density(torch.tensor(p), torch.tensor(g), torch.tensor(lam))
    assert out.dtype == torch.float32
    np.testing.assert_allclose(out, mixture_density(*(v.astype(np.float64) / v.astype(
        np.float64).sum(-1, keepdims=True) for v in (p, g)), lam.astype(np.float64)), atol=1e-6)
    mixed = mixture_density(torch.tensor(p), g, 0.5)
    assert isinstance(mixed, torch.Tensor)


def test_gradient_of_total_variation_in_lambda():
    p, q, g, lam = (torch.tensor(v) for v in random_batch(2, (), 4))
    lam.requires_grad_(True)

    def tv(level):
        return total_variation(mixture_density(p, g, level), mixture_density(q, g, level))

    (slope,) = torch.autograd.grad(tv(lam), lam)
    for k in range(4):
        step = torch.zeros(4, dtype=torch.float64)
        step[k] = 1e-6
        numeric = (tv(lam + step) - tv(lam - step)).detach() / 2e-6
        assert float(slope[k]) == pytest.approx(float(numeric), abs=1e-7)


# --- bad input


GOOD = ([0.5, 0.5], [0.25, 0.75], [0.5, 0.2])
BAD = [
    (([0.5, 0.6], *GOOD[1:]), ValueError, "density pure must integrate to 1, got 1.1"),
    ((GOOD[0], [0.5, 0.4], GOOD[2]), ValueError, "density background must integrate to 1, got 0.9"),
    (([-0.5, 1.5], *GOOD[1:]), ValueError, "density pure must be >= 0, got -0.5"),
    ((*GOOD[:2], [0.5, 1.2]), ValueError, r"lambda must lie in \[0, 1\], got 1.2"),
    ((*GOOD[:2], [-0.1, 1.0]), ValueError, r"lambda must lie in \[0, 1\], got -0.1"),
    ((*GOOD[:2], [0.5, math.nan]), ValueError, "finite, got nan"),
    (([0.5, math.inf], *GOOD[1:]), ValueError, "finite, got inf"),
    ((*GOOD[:2], [1.0, 1.0]), ValueError, "eta is 0.0/0.0"),
    (([1.0, 0.0], [0.0, 1.0], [0.5, 1.0]), ValueError, "eta is 0.5/0.0"),
    ((*GOOD[:2], [0.5, 0.5, 0.5]), ValueError, "do not broadcast"),
    ((0.5, 0.5, 0.5), ValueError, r"shape \(..., atoms\)"),
    (([], [], []), ValueError, "atoms >= 1"),
    ((np.array([True, False]), *GOOD[1:]), TypeError, "pure must hold real numbers, got bool"),
    ((np.array([1j, 1]), *GOOD[1:]), TypeError, "complex"),
    ((frac(1, 0), np.array([0.5, 0.5]), frac(0, 0)), TypeError, "background is float64"),
    ((np.array([F(1), 0.0], dtype=object), frac(1, 0), frac(0, 0)), TypeError, "pure has 0.0"),
    ((frac(1, "1/9"), frac(1, 0), frac(0, 0)), ValueError, "integrate to 1, got 10/9"),
]


@pytest.mark.parametrize(("args", "error", "message"), BAD)
@pytest.mark.parametrize("fun", [normalization, mixture_density])
def test_bad_input_names_rule_and_value(fun, args, error, message):
    with pytest.raises(error, match=message):
        fun(*args)


def test_bad_weights_events_and_second_density():
    with pytest.raises(ValueError, match="weights must be >= 0, got -1.0"):
        total_variation([1.0, 0.0], [1.0, 0.0], [1.0, -1.0])
    with pytest.raises(ValueError, match="density q must integrate to 1, got 2.0"):
        optimal_accuracy([1.0, 0.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="up to 16 atoms, got 17"):
        total_variation_by_events(np.full(17, 1 / 17), np.full(17, 1 / 17))
    with pytest.raises(ValueError, match="density fallback must integrate to 1"):
        redraw_density([1.0], [1.0], [1.0], fallback=[0.5])
    for fun in PAIRWISE:
        with pytest.raises(ValueError, match="density other must integrate to 1, got 0.9"):
            fun([0.5, 0.5], [0.4, 0.5], [0.5, 0.5])
        with pytest.raises(ValueError, match="lambda must lie"):
            fun([0.5, 0.5], [0.5, 0.5], [0.5, 1.5])


def test_batch_with_one_bad_row_is_refused():
    p = np.array([[0.5, 0.5], [0.5, 0.4]])
    with pytest.raises(ValueError, match="got 0.9"):
        total_variation(p, [0.5, 0.5])
    lam = np.array([[0.5, 0.5], [1.0, 1.0]])
    with pytest.raises(ValueError, match="eta is 0.0/0.0"):
        mixture_density([0.5, 0.5], [0.5, 0.5], lam)


def test_integers_and_unchecked_input():
    np.testing.assert_array_equal(mixture_density([1, 0], [0, 1], [1, 0]), [1.0, 0.0])
    assert float(total_variation([2.0, 0.0], [0.0, 0.0], check=False)) == 1.0
