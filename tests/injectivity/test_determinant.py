"""det(I + J) < 0 and collisions: exact determinants and collisions against the numerical routes."""

from __future__ import annotations

from fractions import Fraction as F
from random import Random

import numpy as np
import pytest

from sims.injectivity import collision_from
from sims.injectivity import determinant as numerical
from theory.claims.draws import draw
from theory.claims.ledger_f import determinant as D
from theory.injectivity import find_collision, module


def smooth(instance):
    weights = instance["weights"].astype(float)

    def f(x):
        return 1 / (1 + D.levels({**instance, "weights": weights, "x": x}) ** instance["power"])

    return f


def some(kinds, count, seed=0):
    rng = Random(seed)
    return [draw(D._instances(kinds), rng).instance for _ in range(count)]


@pytest.mark.parametrize("kind", ["common", "pixelwise"])
def test_determinants_against_complex_steps(kind):
    signs = set()
    for i in some((kind,), 60):
        got = float(D.determinant(i))
        assert got == pytest.approx(numerical(smooth(i), i["x"].astype(float)), rel=1e-9, abs=1e-9)
        signs.add(got > 0)
    assert signs == {True, False}


@pytest.mark.parametrize("kind", ["common", "pixelwise"])
def test_certified_collisions_are_found_numerically_too(kind):
    seen = 0
    for i in some((kind,), 150, seed=1):
        if not -1 < D.determinant(i) < -F(1, 50):
            continue
        low, high = D.collision_interval(i)
        assert 1 < low < high == 2 and D.COMMON.margin(i) == low - 1
        f, x = smooth(i), i["x"].astype(float)
        pair = collision_from(f, x) or find_collision(f, x)
        assert pair is not None and pair.distance > 1e-6
        seen += 1
    assert seen >= 8


def test_the_interval_holds_a_collision_by_bisection():
    i = next(i for i in some(("common",), 60, seed=2) if D.determinant(i) < -F(1, 10))
    f, x = D.predictor(i), i["x"]
    low, high = D.collision_interval(i)
    level = 1 + f(x)[0, 0]
    for _ in range(60):
        middle = (low + high) / 2
        below = middle * (1 + f(middle * x)[0, 0]) < level
        low, high = (middle, high) if below else (low, middle)
    y = float(high) * x.astype(float)
    out = [module(smooth(i), v) for v in (x.astype(float), y)]
    np.testing.assert_allclose(out[0], out[1], rtol=1e-12)
    assert abs(y - x.astype(float)).max() > 1e-3


def test_a_positive_determinant_gives_no_certificate():
    for i in some(("common",), 60, seed=3):
        if D.determinant(i) > F(1, 20):
            found = D.collision_interval(i)
            # far from x a collision may exist; right after x the output grows
            assert found is None or found[0] > 1 + F(1, 64)


def test_known_numbers_at_one_position():
    """k = 6, z = 1: 1 - 6/(2*3) = 0; k = 12: -1, and s = 2 is above the level."""
    base = {"kind": "common", "x": np.array([[[F(1)]]], dtype=object),
            "weights": np.array([[[F(1)]]], dtype=object)}
    assert D.determinant({**base, "power": 6}) == 0
    steep = {**base, "power": 12}
    assert D.determinant(steep) == -1
    low, _ = D.collision_interval(steep)
    assert low * (1 + 1 / (1 + low**12)) < F(3, 2) <= 2 * (1 + F(1, 4097))
    two = {"kind": "pixelwise", "power": 12, "x": np.array([[[F(1)], [F(2)]]], dtype=object),
           "weights": np.array([[[F(1)], [F(1)]]], dtype=object)}
    z = F(2) ** 12
    assert D.determinant(two) == -1 * (1 - 12 * z / ((1 + z) * (2 + z)))
    assert D.collision_interval(two)[0] == low

