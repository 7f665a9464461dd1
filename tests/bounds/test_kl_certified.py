"""The inverses of the divergence, certified with interval arithmetic: outside, and hardly outside."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mpmath import iv

from theory.bounds.binary_kl import binary_kl, kl_lower, kl_upper

SMALL = [10.0**-k for k in range(1, 15)]
PROBABILITIES = [*SMALL, 0.3, 0.5, 0.7, *(1 - x for x in SMALL)]
NATS = [10.0**k for k in range(-16, 3)]
TIGHT = 1e-13
GRID = [(q, c) for q in PROBABILITIES for c in NATS]


@pytest.fixture(autouse=True)
def sixty_digits():
    before = iv.dps
    iv.dps = 60
    yield
    iv.dps = before


def enclosure(q, p):
    """Two numbers of 60 digits with the divergence between them; p may be an interval."""
    q, p = iv.mpf(q), iv.mpf(p)
    return q * iv.log(q / p) + (1 - q) * iv.log((1 - q) / (1 - p))


def ends(function):
    q, c = np.array(GRID).T
    return zip(GRID, function(q, c), strict=True)


def test_the_upper_end_is_outside():
    for (q, c), p in ends(kl_upper):
        assert q < p <= 1
        assert p == 1 or enclosure(q, float(p)).a >= c, (q, c)


def test_the_upper_end_is_hardly_outside():
    for (q, c), p in ends(kl_upper):
        inner = iv.mpf(float(p)) * (1 - iv.mpf(TIGHT))
        assert inner.b <= q or enclosure(q, inner).b <= c, (q, c)


def test_the_lower_end_is_outside():
    for (q, c), p in ends(kl_lower):
        assert 0 <= p < q
        assert p == 0 or enclosure(q, float(p)).a >= c, (q, c)


def test_the_lower_end_is_hardly_outside():
    """Of its logarithm the same part: it is as small as exp(-c/q)."""
    for (q, c), p in ends(kl_lower):
        if p == 0:
            assert q * math.log(5e-324) > -1.01 * c
            continue
        if p < 1e-290:  # subnormal, or near it
            continue
        inner = iv.mpf(float(p)) * (1 + iv.mpf(TIGHT) * max(1.0, math.log(q / p)))
        assert inner.a >= q or enclosure(q, inner).b <= c, (q, c)


@pytest.mark.parametrize("c", [1e-300, *NATS, 700.0])
def test_closed_ends_are_certified(c):
    upper, lower = float(kl_upper(0.0, c)), float(kl_lower(1.0, c))
    at_zero, at_one = 1 - iv.exp(-iv.mpf(c)), iv.exp(-iv.mpf(c))
    if c < 1e-40:  # 60 digits do not tell exp(-c) from 1
        at_zero = iv.mpf(c)
    assert at_zero.b <= upper <= min(1, at_zero.b * (1 + 4e-15))
    assert at_one.a >= lower >= at_one.a * (1 - 4e-15)


def test_the_divergence_itself_is_enclosed():
    """Its relative error is far below what the inverses allow for."""
    rng = np.random.default_rng(3)
    q = rng.choice(PROBABILITIES, 2000)
    gap = 1 + rng.choice([-1, 1], 2000) * 10.0 ** rng.uniform(-15, 0, 2000)
    p = np.where(rng.random(2000) < 0.5, np.clip(q * gap, 1e-15, 1 - 1e-15), rng.choice(PROBABILITIES, 2000))
    for x, y, found in zip(q.tolist(), p.tolist(), binary_kl(q, p).tolist(), strict=True):
        exact = enclosure(x, y)
        assert exact.a * (1 - 2e-15) <= found <= exact.b * (1 + 2e-15), (x, y)
