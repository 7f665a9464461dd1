"""App. F: the module, its conditions and the finder of collisions."""

from __future__ import annotations

import math
from fractions import Fraction as F
from itertools import product

import array_api_strict as strict
import numpy as np
import pytest
import torch

from theory.injectivity import (
    binary_collisions,
    collides,
    find_collision,
    log_scale_limit,
    log_scale_margin,
    module,
    prop3_condition,
    prop4_ratio,
)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def steep(x):
    """Falls so fast in x that (1 + f(x)) x is not monotone: collides."""
    return sigmoid(-10 * (x.mean(-1) - 1))


def gentle(x):
    """|d log(1+f) / d log x| < 1 near the unit scale: injective."""
    return sigmoid(0.3 * x.mean(-1))


def blind(x):
    """Depends on directions only."""
    return sigmoid((x / np.linalg.norm(x, axis=-1, keepdims=True)).sum(-1))


def below(x):
    """Binary: attention where the first channel is below 2."""
    return 1.0 * (x[..., 0] < 2)


INPUT = np.random.default_rng(0).uniform(0.6, 1.3, (2, 2, 2))


def pixel(value):
    return np.array([[[float(value)]]])


# --- the module and the pairwise conditions


def test_module_by_loops_and_in_fractions():
    got, f = module(steep, INPUT), steep(INPUT)
    for i, j, k in np.ndindex(INPUT.shape):
        assert got[i, j, k] == pytest.approx(INPUT[i, j, k] + f[i, j] * INPUT[i, j, k])
    rescaled = module(steep, INPUT, rescaled=True)
    factor = rescaled / INPUT - 1
    assert factor[..., 0].mean() == pytest.approx(1)
    x = np.array([[[F(1, 3), F(2)]]], dtype=object)
    half = module(lambda v: np.array([[F(1, 2)]], dtype=object), x)
    assert list(half.ravel()) == [F(1, 2), F(3)]


@pytest.mark.parametrize("to", [torch.tensor, strict.asarray])
def test_libraries_agree(to):
    xp_exp = torch.exp if to is torch.tensor else strict.exp

    def f(x):
        return 1 / (1 + xp_exp(10 * (x[..., 0] - 1)))

    def g(x):
        return sigmoid(-10 * (x[..., 0] - 1))

    x, y = INPUT, INPUT * 1.3
    np.testing.assert_allclose(np.asarray(module(f, to(x))), module(g, x))
    assert prop4_ratio(f, to(x), to(y)) == pytest.approx(prop4_ratio(g, x, y))
    t = np.full((2, 2), 0.2)
    assert log_scale_margin(f, to(x), t) == pytest.approx(log_scale_margin(g, x, t))
    found = find_collision(f, to(pixel(0.8)))
    assert type(found.y) is type(to(x)) and found.residual < 1e-12


def test_exact_condition_is_equality_of_outputs():
    values = (0.0, 0.75, 1.5, 3.0, -1.5)
    pairs = collisions = 0
    for a, b in product(product(values, repeat=2), repeat=2):
        if a == b:
            continue
        x, y = (np.array(v).reshape(1, 2, 1) for v in (a, b))
        equal = np.array_equal(module(below, x), module(below, y))
        assert collides(below, x, y) == equal
        if equal:
            assert not prop3_condition(below, x, y)
            assert np.all((below(x) != below(y))[..., None] | (x == y))
        pairs, collisions = pairs + 1, collisions + equal
    assert collisions > 0 and pairs > collisions
    assert not collides(below, pixel(1), pixel(1))


def test_prop4_ratio_by_hand_and_its_limits():
    def f(x):
        return 1 - np.abs(x[..., 0]) / 2

    assert prop4_ratio(f, pixel(0.5), pixel(0)) == 0.75
    for a, b in product(np.linspace(-1, 1, 21), repeat=2):
        if a != b:
            assert prop4_ratio(f, pixel(a), pixel(b)) < 1
    assert prop4_ratio(f, pixel(1e-9), pixel(0)) > 1 - 1e-8  # no constant below 1
    assert prop4_ratio(lambda x: 0.3 * np.ones(x.shape[:2]), INPUT, 2 * INPUT) == pytest.approx(0.3)
    assert prop4_ratio(below, pixel(1e-200), pixel(0)) == 1.0


def test_rescaled_ratio_is_at_least_one_at_zero():
    def positive(x):
        return 0.1 + 0.8 * sigmoid(3 * x.mean(-1))

    rng = np.random.default_rng(4)
    for _ in range(50):
        x = rng.normal(size=(3, 3, 2))
        x = x / np.linalg.norm(x, axis=-1, keepdims=True)
        assert prop4_ratio(positive, x, np.zeros_like(x), rescaled=True) >= 1
        assert prop4_ratio(positive, x, np.zeros_like(x)) < 1


def test_log_scale_margin_by_hand():
    x, t = pixel(1), np.array([[0.3]])
    expected = 0.3 - abs(math.log((1 + steep(pixel(math.exp(0.3)))[0, 0])
                                  / (1 + steep(x)[0, 0])))
    assert log_scale_margin(steep, x, t) == pytest.approx(expected)
    assert log_scale_margin(blind, INPUT, np.full((2, 2), 0.1)) == pytest.approx(0.1)
    assert log_scale_margin(steep, INPUT, np.zeros((2, 2))) == 0
    dead = INPUT.copy()
    dead[0, 0] = 0
    t = np.array([[5.0, 0.1], [0.0, 0.0]])  # 5 stands on a zero position
    assert log_scale_margin(lambda v: 0.5 * np.ones((2, 2)), dead, t) == pytest.approx(0.1)
    assert log_scale_margin(lambda v: 0.5 * np.ones((2, 2)), np.zeros((2, 2, 1)), t) == 0
    assert log_scale_limit(2, 2) == math.log(2)
    assert log_scale_limit(2, 2, rescaled=True) == math.log(5)


def test_a_collision_has_no_positive_margin():
    found = find_collision(steep, INPUT)
    t = np.log(found.y / found.x)[..., 0]
    assert log_scale_margin(steep, INPUT, t) == pytest.approx(0, abs=1e-9)
    assert np.abs(t).max() <= math.log(2)
    margins = [log_scale_margin(gentle, pixel(1), np.array([[s]])) for s in (-0.6, -0.1, 0.1, 0.6)]
    assert min(margins) > 0


# --- the finder


@pytest.mark.parametrize("value", [0.7, 0.9, 1.2, 1.5])
def test_finder_on_one_pixel_agrees_with_a_root_finder(value):
    from scipy.optimize import brentq

    def height(v):
        return float(module(steep, pixel(v))[0, 0, 0])

    found = find_collision(steep, pixel(value))
    goal = height(value)
    grid = np.linspace(value / 2, value * 2, 400)
    roots = [brentq(lambda v: height(v) - goal, a, b, xtol=1e-14)
             for a, b in zip(grid, grid[1:], strict=False)
             if (height(a) - goal) * (height(b) - goal) < 0]
    roots = [r for r in roots if abs(r - value) > 1e-6]
    assert min(abs(found.y.item() - r) for r in roots) < 1e-9
    assert found.residual <= 1e-12 and found.distance > 0.1


def test_finder_on_many_pixels_returns_a_verified_pair():
    found = find_collision(steep, INPUT)
    left, right = module(steep, found.x), module(steep, found.y)
    assert np.abs(left - right).max() == found.residual < 1e-12
    assert np.abs(found.x - found.y).max() == found.distance > 0.01
    rescaled = find_collision(steep, INPUT, rescaled=True)
    np.testing.assert_allclose(module(steep, rescaled.x, rescaled=True),
                               module(steep, rescaled.y, rescaled=True), atol=1e-12)


def test_finder_finds_nothing_where_the_module_is_injective():
    assert find_collision(gentle, pixel(1)) is None
    assert find_collision(blind, INPUT) is None
    assert find_collision(blind, INPUT, rescaled=True) is None
    assert find_collision(steep, pixel(3)) is None  # beyond the fold
    assert find_collision(steep, np.zeros((1, 2, 1))) is None


def test_same_seed_same_collision():
    np.random.seed(1)  # noqa: NPY002
    first = find_collision(steep, INPUT, seed=5)
    np.random.seed(2)  # noqa: NPY002
    np.testing.assert_array_equal(first.y, find_collision(steep, INPUT, seed=5).y)


def test_binary_collisions_against_brute_force():
    x = np.array([[[1.0], [1.5], [0.25], [0.0]]])
    found = {tuple(c.y.ravel()) for c in binary_collisions(below, x)}
    expected = set()
    for exponents in product((-1, 0, 1), repeat=4):
        y = x * 2.0 ** np.array(exponents).reshape(1, 4, 1)
        if not np.array_equal(x, y) and np.array_equal(module(below, x), module(below, y)):
            expected.add(tuple(y.ravel()))
    assert found == expected == {(2.0, 1.5, 0.25, 0.0), (1.0, 3.0, 0.25, 0.0),
                                 (2.0, 3.0, 0.25, 0.0)}
    one = find_collision(below, x, binary=True)
    assert one.residual == 0 and np.array_equal(module(below, one.x), module(below, one.y))
    back = np.array([[[2.0], [3.0], [0.25], [0.0]]])
    assert (1.0, 1.5, 0.25, 0.0) in {tuple(c.y.ravel()) for c in binary_collisions(below, back)}


def test_binary_predictors_without_collisions():
    def signs(x):
        return 1.0 * (x[..., 0] > 0)

    assert find_collision(signs, INPUT, binary=True) is None
    assert find_collision(lambda x: 1.0 * (x[..., 0] > 2), pixel(1.5), binary=True) is None
    exact = np.array([[[F(1, 3)]]], dtype=object)
    assert find_collision(lambda x: 1 * (x[..., 0] > 0), exact, binary=True) is None
    found = find_collision(lambda x: 1 * (x[..., 0] < F(1, 2)), exact, binary=True)
    assert found.y.item() == F(2, 3) and isinstance(found.y.item(), F)
    tensor = find_collision(lambda x: (x[..., 0] < 2).to(x.dtype), torch.tensor(pixel(1)),
                            binary=True)
    assert tensor.y.item() == 2.0


def test_binary_finder_at_the_edge_of_the_floats():
    half = find_collision(lambda x: 1.0 * (x[..., 0] < 1e308), pixel(1.5e308), binary=True)
    assert half.y.item() == 7.5e307
    assert not collides(lambda x: np.ones((1, 1)), pixel(1.7e308), pixel(1.6e308))
    assert find_collision(lambda x: np.ones((1, 1)), pixel(1.7e308), binary=True) is None


# --- bad input


BAD = [
    (np.array([[[math.nan]]]), steep, "finite, got nan"),
    (np.ones((2, 2)), steep, r"shape \(H, W, C\), none of them 0, got \(2, 2\)"),
    (np.ones((0, 2, 1)), steep, "none of them 0"),
    (INPUT, lambda x: np.ones((3, 3)), r"grid \(2, 2\), got shape \(3, 3\)"),
    (INPUT, lambda x: np.full((2, 2), 1.5), r"values in \[0, 1\], got 1.5"),
    (INPUT, lambda x: np.full((2, 2), -0.5), r"values in \[0, 1\], got -0.5"),
    (INPUT, lambda x: np.full((2, 2), np.nan), "finite, got nan"),
]


@pytest.mark.parametrize(("x", "f", "message"), BAD)
@pytest.mark.parametrize("fun", [module, find_collision])
def test_bad_input_names_rule_and_value(fun, x, f, message):
    with pytest.raises(ValueError, match=message):
        fun(f, x)


def test_bad_input_of_conditions():
    with pytest.raises(ValueError, match="two distinct inputs"):
        prop4_ratio(steep, INPUT, INPUT)
    with pytest.raises(ValueError, match="one shape"):
        prop3_condition(steep, INPUT, pixel(1))
    with pytest.raises(ValueError, match="values 0 and 1, got 0."):
        collides(steep, INPUT, 2 * INPUT)
    with pytest.raises(ValueError, match=r"grid \(2, 2\) of x, got \(3,\)"):
        log_scale_margin(steep, INPUT, np.zeros(3))
    with pytest.raises(ValueError, match="t must be finite, got inf"):
        log_scale_margin(steep, pixel(1), np.array([[math.inf]]))
    with pytest.raises(ValueError, match="exp.t. . x must be finite"):
        log_scale_margin(steep, pixel(1), np.array([[1000.0]]))
    with pytest.raises(ValueError, match="not binary"):
        find_collision(below, INPUT, binary=True, rescaled=True)
    with pytest.raises(ValueError, match="up to n = 16 non-zero positions, got 25"):
        find_collision(below, np.ones((5, 5, 1)), binary=True)
    with pytest.raises(ValueError, match="starts must be at least 1, got 0"):
        find_collision(steep, INPUT, starts=0)
    with pytest.raises(TypeError, match="real"):
        module(steep, np.ones((1, 1, 1), dtype=complex))
    with pytest.raises(ValueError, match="divides by sum f"):
        module(lambda x: np.zeros((2, 2)), INPUT, rescaled=True)
