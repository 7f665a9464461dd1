"""The determinant criterion and its certificates: derivatives by two routes, known thresholds, collisions."""

from __future__ import annotations

import math
from fractions import Fraction as F

import numpy as np
import pytest

from sims.injectivity import (
    Pair,
    collision_from,
    determinant,
    module_jacobian,
    row_sum,
    scale_jacobian,
    sign_change,
    verified,
)
from sims.injectivity_predictors import (
    BINARY,
    CRITICAL_GAIN,
    SOFT,
    STEEPNESS,
    Binary,
    Soft,
    binary,
    soft,
)
from theory.attention import rescale
from theory.injectivity import binary_collisions, module
from theory.rectangle import Rectangle, soft_rectangle

SHAPE = (1, 2, 2)


def point(seed, shape=SHAPE):
    return np.exp(np.random.default_rng(seed).uniform(-1, 1, shape))


def made(name, gain, shape=SHAPE, seed=1):
    return soft(name, gain, shape, np.random.default_rng(seed))


@pytest.mark.parametrize("name", SOFT)
@pytest.mark.parametrize("rescaled", [False, True])
def test_jacobians_against_differences_and_one_another(name, rescaled):
    f, x = made(name, 3.0, (2, 2, 2)), point(0, (2, 2, 2))

    def log(t):
        values = f(x * np.exp(t)[..., None])
        return np.log1p(rescale(values) if rescaled else values).ravel()

    jacobian = scale_jacobian(f, x, rescaled=rescaled)
    for k, position in enumerate(np.ndindex(2, 2)):
        t = np.zeros((2, 2))
        t[position] = 1e-5
        np.testing.assert_allclose(jacobian[:, k], (log(t) - log(-t)) / 2e-5, atol=1e-8)
    full = module_jacobian(f, x, rescaled=rescaled)
    step = np.random.default_rng(5).standard_normal(x.shape)
    ends = [module(f, x + s * 1e-5 * step, rescaled=rescaled) for s in (1, -1)]
    np.testing.assert_allclose(full @ step.ravel(), ((ends[0] - ends[1]) / 2e-5).ravel(), atol=1e-7)
    scales = 1 + (rescale(f(x)) if rescaled else f(x))
    assert np.linalg.det(full) == pytest.approx(
        determinant(f, x, rescaled=rescaled) * float(np.prod(scales**2)), rel=1e-9)
    assert row_sum(f, x, rescaled=rescaled) == pytest.approx(abs(jacobian).sum(axis=1).max())


@pytest.mark.parametrize("name", ["blind-network", "blind-rectangle"])
@pytest.mark.parametrize("rescaled", [False, True])
def test_scale_blind_predictors_have_determinant_one(name, rescaled):
    f = made(name, 30.0)
    for seed in range(5):
        assert determinant(f, point(seed), rescaled=rescaled) == pytest.approx(1, abs=1e-12)
        assert row_sum(f, point(seed), rescaled=rescaled) < 1e-10


def test_critical_gain_by_maximising_over_one_number():
    def largest(gain):
        v = np.linspace(0.01, 3, 300001)
        s = 1 / (1 + np.exp(-gain * (1 - v)))
        return float((gain * v * s * (1 - s) / (1 + s)).max())

    assert largest(CRITICAL_GAIN) == pytest.approx(1, abs=1e-8)
    assert largest(CRITICAL_GAIN - 0.05) < 1 < largest(CRITICAL_GAIN + 0.05)


@pytest.mark.parametrize("name", ["common", "pixelwise"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 2), (2, 2, 1)])
def test_the_threshold_is_the_critical_gain_for_any_grid(name, shape):
    """At <w, x> = 1 + log 2 / g everywhere: row sum 1 and determinant 0 exactly at the gain."""
    for factor in (0.98, 1.02):
        f = made(name, factor * CRITICAL_GAIN, shape)
        least, most = 9.0, 0.0
        for v in np.linspace(1.0, 1.3, 61):
            x = np.ones(shape)
            if name == "pixelwise":  # all other positions small: their factor is nearly 1
                x[:] = 1e-6
                x[0, 0] = v
            else:
                x = x * v
            least, most = min(least, determinant(f, x)), max(most, row_sum(f, x))
        assert (least > 0) == (most < 1) == (factor < 1)
        assert most == pytest.approx(1 - least, abs=1e-4)
        near = x * (1 + math.log(2) / CRITICAL_GAIN) / v
        assert collision_from(f, near) is None or factor > 1


def test_a_collision_and_its_certificates():
    f, x = made("common", 8.0), np.full(SHAPE, 1.1)
    assert determinant(f, x) < 0
    pair = collision_from(f, x)
    out = [module(f, v) for v in (pair.x, pair.y)]
    np.testing.assert_allclose(out[0], out[1], rtol=1e-12)
    assert pair.distance > 0.05 and pair.relative_residual < 1e-12
    assert pair.relative_residual == pytest.approx(abs(out[0] - out[1]).max() / abs(out[0]).max())
    checked = verified(f, pair)
    assert checked["residual"] < 1e-40 and checked["moved"] < 1e-10
    assert checked["distance"] == pytest.approx(abs(np.log(pair.y / pair.x)).max(), abs=1e-10)
    assert checked["determinant"] == pytest.approx(determinant(f, x), abs=1e-12)
    assert sign_change(f, pair)
    off = Pair(pair.x, pair.y * 1.001, 0.0, 1.0)
    assert not sign_change(f, off)  # no root there
    assert not sign_change(f, Pair(pair.x, pair.x * (1 + 1e-13), 0.0, 1.0))  # the root t = 0


@pytest.mark.parametrize("name,gain,rescaled", [("network", 30.0, False), ("rectangle", 30.0, False),
                                                ("pixelwise", 2.0, True), ("rectangle", 2.0, True)])
def test_a_negative_determinant_leads_to_a_collision(name, gain, rescaled):
    generator, tried = np.random.default_rng(3), 0
    for seed in range(6):
        f = made(name, gain, seed=seed)
        for x in np.exp(generator.uniform(-2, 2, (100, *SHAPE))):
            if tried == 8 or determinant(f, x, rescaled=rescaled) > -0.05:
                continue
            tried += 1
            pair = collision_from(f, x, rescaled=rescaled)
            assert pair is not None and pair.distance > 1e-3
            left, right = (module(f, v, rescaled=rescaled) for v in (pair.x, pair.y))
            np.testing.assert_allclose(left, right, rtol=1e-9)
            assert verified(f, pair, rescaled=rescaled)["residual"] < 1e-30
    assert tried >= 4


@pytest.mark.parametrize("name", ["common", "pixelwise"])
def test_collisions_are_found_just_above_the_threshold(name):
    f, x = made(name, 1.001 * CRITICAL_GAIN), np.full(SHAPE, 1 + math.log(2) / CRITICAL_GAIN)
    if name == "pixelwise":
        x[0, 1] = 0.1
    assert -1e-3 < determinant(f, x) < 0
    pair = collision_from(f, x)
    assert pair is not None and pair.distance > 1e-3 and verified(f, pair)["residual"] < 1e-40


def test_increasing_maps_are_injective_though_the_log_scale_condition_fails():
    f, generator = made("increasing", 20.0), np.random.default_rng(0)
    inputs = np.exp(generator.uniform(-2, 2, (300, *SHAPE)))
    assert max(row_sum(f, x) for x in inputs) > 1.5
    assert min(determinant(f, x) for x in inputs) >= 1
    assert collision_from(f, np.full(SHAPE, 1.05)) is None


def test_no_partner_where_there_is_none():
    assert collision_from(made("common", 0.9 * CRITICAL_GAIN), np.full(SHAPE, 1.13)) is None


def test_sign_change_needs_multiples():
    x = point(0)
    with pytest.raises(ValueError, match="multiple"):
        sign_change(made("common", 8.0), Pair(x, x * np.array([[[1.0, 1.2], [1.0, 1.0]]]), 0.0, 1.0))


# --- predictors


@pytest.mark.parametrize("name", SOFT)
def test_values_shapes_and_gain(name):
    x = point(4, (2, 3, 2))
    f, g = made(name, 2.0, (2, 3, 2)), made(name, 9.0, (2, 3, 2))
    for values in (f(x), g(x)):
        assert values.shape == (2, 3) and (values > 0).all() and (values < 1).all()
    assert not np.allclose(f(x), g(x))
    assert all(np.array_equal(f.weights[k], g.weights[k]) for k in f.weights)
    stretched = x * np.array([1.0, 2.0, 3.0])[None, :, None]
    assert np.allclose(f(stretched), f(x)) == name.startswith("blind")


@pytest.mark.parametrize("name", SOFT)
def test_far_inputs_do_not_overflow(name):
    for x in (np.full(SHAPE, 1e6), np.full(SHAPE, 1e-6)):
        f = made(name, 40.0)
        assert ((f(x) >= 0) & (f(x) <= 1)).all()
        assert np.isfinite(scale_jacobian(f, x)).all()


def test_formulas_of_the_linear_predictors():
    x = point(6)
    for name, sign in (("common", 1), ("increasing", -1)):
        f = made(name, 3.0)
        expected = 1 / (1 + math.exp(-3.0 * sign * (1 - float((f.weights["linear"] * x.ravel()).sum()))))
        np.testing.assert_allclose(f(x), expected, rtol=1e-14)
        assert f.weights["linear"].sum() == pytest.approx(1)
    f = made("pixelwise", 3.0)
    for i in range(2):
        z = 3.0 * (1 - sum(f.weights["pixel"][0, i, c] * x[0, i, c] for c in range(2)))
        assert f(x)[0, i] == pytest.approx(1 / (1 + math.exp(-z)), rel=1e-14)


def test_the_rectangle_is_the_papers():
    f, x = made("rectangle", 5.0, (3, 3, 2)), point(2, (3, 3, 2))
    w = f.weights
    head = w["head"] @ np.tanh(w["first"] @ x.ravel() + w["bias"])
    rectangle = Rectangle(center=np.tanh(5.0 * head[:2] / 4), half_widths=1 / (1 + np.exp(-head[2:])) + 0.2,
                          angle=np.array(0.0))
    rows, columns = np.meshgrid(w["rows"], w["columns"], indexing="ij")
    expected = soft_rectangle(rectangle, np.stack([rows, columns], axis=-1), STEEPNESS)
    np.testing.assert_allclose(f(x), expected, rtol=1e-12)


def test_bad_predictors():
    generator = np.random.default_rng(0)
    for args, message in ((("x", 1.0, SHAPE), "name"), (("common", -1.0, SHAPE), "gain"),
                          (("common", math.inf, SHAPE), "gain must be finite"),
                          (("blind-network", 1.0, (1, 2, 1)), "two channels")):
        with pytest.raises(ValueError, match=message):
            soft(*args, generator)
    with pytest.raises(ValueError, match="name"):
        binary("x", SHAPE, generator)
    assert isinstance(made("common", 0.0), Soft)


@pytest.mark.parametrize("name", BINARY)
def test_binary_predictors_collide_only_where_they_may(name):
    collided = 0
    for seed in range(6):
        generator = np.random.default_rng(seed)
        f = binary(name, SHAPE, generator)
        for _ in range(40):
            values = generator.integers(0 if name.startswith("rising") else -6, 7, size=SHAPE)
            x = np.array([F(int(v)) for v in values.ravel()], dtype=object).reshape(SHAPE)
            assert set(f(x).ravel()) <= {0, 1}
            for found in binary_collisions(f, x):
                assert np.all(module(f, x) == module(f, found.y)) and np.any(found.y != x)
                collided += 1
    if name != "rising":  # whose positions may switch one another: rare collisions
        assert (collided > 0) == (name == "threshold")


def test_a_rising_predictor_can_collide():
    """Doubling one position and halving the other: each is switched by the other one."""
    weight = np.array([[[0, 1], [1, 0]]], dtype=object)
    f = Binary("rising", weight, np.array([[2, 2]], dtype=object))
    x, y = (np.array(v, dtype=object).reshape(1, 2, 1) for v in ((F(1), F(2)), (F(2), F(1))))
    assert f(x).tolist() == [[1, 0]] and f(y).tolist() == [[0, 1]]
    assert np.array_equal(module(f, x), module(f, y))
    assert len(list(binary_collisions(f, x))) == 1


def test_binary_formulas():
    x = np.array([[[F(1), F(-2)], [F(0), F(3)]]], dtype=object)
    generator = np.random.default_rng(0)
    for name in BINARY:
        f = binary(name, SHAPE, generator)
        flat = [1, -1, 0, 1] if name == "blind-signs" else [1, -2, 0, 3]
        for i in range(2):
            product = sum(int(a) * b for a, b in zip(f.weight[0, i], flat, strict=True))
            want = product >= f.bias[0, i] if name.startswith("rising") else product < f.bias[0, i]
            assert f(x)[0, i] == int(want)
    rising = binary("rising-own", SHAPE, generator)
    assert rising.weight.min() >= 0 and not rising.weight[0, 0, 2:].any() and not rising.weight[0, 1, :2].any()
