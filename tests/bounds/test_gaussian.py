"""Gaussian divergences and log-ratios by quadrature, another library and simulation; the grid of priors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp
from scipy.stats import multivariate_normal, norm

from theory.bounds.disintegrated import disintegrated
from theory.bounds.gaussian import PriorScales, kl_gaussians, log_ratio_gaussians
from theory.bounds.pac_bayes_kl import pac_bayes_kl

MEAN = st.floats(-20, 20, allow_subnormal=False)
VARIANCE = st.floats(1e-9, 1e6)


def kl_mp(m, v, m0, v0):
    m, v, m0, v0 = (mp.mpf(float(x)) for x in (m, v, m0, v0))
    return (v / v0 - 1 - mp.log(v / v0) + (m - m0) ** 2 / v0) / 2


@given(MEAN, VARIANCE, MEAN, VARIANCE)
def test_kl_in_40_digits(m, v, m0, v0):
    with mp.workdps(40):
        want = kl_mp(m, v, m0, v0)
        got = mp.mpf(float(kl_gaussians(m, v, m0, v0)))
        assert got >= 0 and abs(got - want) <= 1e-300 + 1e-13 * (want + (m - m0) ** 2 / v0 + abs(mp.log(mp.mpf(v) / v0)))


@pytest.mark.parametrize("step", [1e-3, 1e-6, 1e-9, -1e-6, -1e-12, 0.49, 0.51, -0.49, -0.51])
def test_variances_that_nearly_agree_keep_their_digits(step):
    """KL is about step^2 / 4: v/v0 - 1 - ln(v/v0) must not cancel to nothing or below 0."""
    v = 3.0 * (1 + step)
    with mp.workdps(60):
        want = kl_mp(0.0, v, 0.0, 3.0)
        assert abs(mp.mpf(float(kl_gaussians(0.0, v, 0.0, 3.0))) - want) <= 3e-16 * abs(mp.mpf(v) / 3 - 1)


def test_far_apart_variances():
    with mp.workdps(40):
        for v, v0 in ((1e-300, 1.0), (1e-200, 1e100), (1.0, 1e-200)):
            assert float(kl_gaussians(0.0, v, 0.0, v0)) == pytest.approx(float(kl_mp(0, v, 0, v0)), rel=1e-13)


@pytest.mark.parametrize(("m", "v", "m0", "v0"), [(0.3, 0.5, -0.2, 1.5), (0.0, 2.0, 0.0, 1.0), (1.0, 1.0, 0.0, 4.0)])
def test_kl_is_the_integral(m, v, m0, v0):
    """By quadrature of q ln(q/p) on the line."""
    def term(x):
        q = mp.npdf(x, m, mp.sqrt(v))
        return q * mp.log(q / mp.npdf(x, m0, mp.sqrt(v0)))

    want = float(mp.quad(term, [m - 12 * math.sqrt(v), m, m + 12 * math.sqrt(v)]))
    assert kl_gaussians(m, v, m0, v0) == pytest.approx(want, rel=1e-11)
    point = m + 0.7
    ratio = norm.logpdf(point, m, math.sqrt(v)) - norm.logpdf(point, m0, math.sqrt(v0))
    assert log_ratio_gaussians(point, m, v, m0, v0) == pytest.approx(ratio, rel=1e-12)


def laws(d, seed, rows=()):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(*rows, d)), rng.gamma(2.0, size=(*rows, d)), rng.normal(size=(*rows, d)),
            rng.gamma(2.0, size=(*rows, d)))


def test_against_another_library():
    import torch

    m, v, m0, v0 = laws(7, 1, rows=(3,))
    q, p = (torch.distributions.Normal(torch.tensor(a), torch.tensor(b).sqrt()) for a, b in ((m, v), (m0, v0)))
    want = torch.distributions.kl_divergence(q, p).sum(-1).numpy()
    assert np.allclose(kl_gaussians(m, v, m0, v0), want, rtol=1e-12)
    assert np.allclose(kl_gaussians(torch.tensor(m), torch.tensor(v), m0, v0), want, rtol=1e-12)
    w = np.random.default_rng(2).normal(size=(3, 7))
    for i in range(3):
        ratio = (multivariate_normal.logpdf(w[i], m[i], np.diag(v[i]))
                 - multivariate_normal.logpdf(w[i], m0[i], np.diag(v0[i])))
        assert log_ratio_gaussians(w[i], m[i], v[i], m0[i], v0[i]) == pytest.approx(ratio, rel=1e-11)


def test_the_mean_of_the_log_ratio_is_the_divergence():
    """200,000 draws of Q; the normal interval at a false-alarm rate of 1e-6.  Under P it is minus KL(P||Q)."""
    m, v, m0, v0 = laws(4, 3)
    rng = np.random.default_rng(9)
    for (a, b), want in (((m, v), kl_gaussians(m, v, m0, v0)), ((m0, v0), -kl_gaussians(m0, v0, m, v))):
        w = a + np.sqrt(b) * rng.standard_normal((200_000, 4))
        ratio = log_ratio_gaussians(w, m, v, m0, v0)
        assert abs(ratio.mean() - want) <= norm.isf(5e-7) * ratio.std(ddof=1) / math.sqrt(len(ratio))


def test_the_density_ratio_integrates_to_one():
    """E_P dQ/dP = 1: 400,000 draws, false-alarm rate 1e-6 (Q narrower than P: bounded ratio)."""
    w = 1.5 * np.random.default_rng(10).standard_normal((400_000, 2))
    ratio = np.exp(log_ratio_gaussians(w, [0.3, -0.2], [0.8, 1.0], [0.0, 0.0], 2.25))
    assert abs(ratio.mean() - 1) <= norm.isf(5e-7) * ratio.std(ddof=1) / math.sqrt(len(ratio))


@given(MEAN, VARIANCE, MEAN, VARIANCE, st.floats(-5, 5), st.floats(0.1, 10))
def test_shifts_and_scales_change_nothing(m, v, m0, v0, shift, scale):
    here = kl_gaussians(m, v, m0, v0)
    moved = kl_gaussians(scale * m, scale**2 * v, scale * m0, scale**2 * v0)
    assert moved == pytest.approx(float(here), rel=1e-9, abs=1e-12)
    w = m + 0.5 * math.sqrt(v)
    ratio = log_ratio_gaussians(w, m, v, m0, v0)
    moved = log_ratio_gaussians(w + shift, m + shift, v, m0 + shift, v0)
    room = 1e-12 * (abs(m) + abs(m0) + 6) * (abs(m - m0) + math.sqrt(v) + 1) / min(v, v0)
    assert abs(moved - ratio) <= room + 1e-10 * abs(ratio) + 1e-10


def test_it_is_zero_only_for_equal_laws_and_adds_over_weights():
    m, v, m0, v0 = laws(6, 5)
    assert kl_gaussians(m, v, m, v) == 0 and (log_ratio_gaussians(m0, m, v, m, v) == 0).all()
    assert kl_gaussians(m, v, m0, v0) == pytest.approx(sum(
        float(kl_gaussians(*x)) for x in zip(m, v, m0, v0, strict=True)), rel=1e-13)
    assert kl_gaussians(m, v, m0, v0) > kl_gaussians(m[:5], v[:5], m0[:5], v0[:5]) > 0
    assert kl_gaussians(m, v, m0, v0) != pytest.approx(float(kl_gaussians(m0, v0, m, v)))


def test_batched_is_one_by_one():
    m, v, m0, v0 = laws(5, 6, rows=(2, 3))
    got = kl_gaussians(m, v, m0[0, 0], 1.5)
    assert got.shape == (2, 3)
    assert got[1, 2] == kl_gaussians(m[1, 2], v[1, 2], m0[0, 0], 1.5)
    ratio = log_ratio_gaussians(m0, m, v, m0[0, 0], 1.5)
    assert ratio[1, 2] == log_ratio_gaussians(m0[1, 2], m[1, 2], v[1, 2], m0[0, 0], 1.5)


def test_a_weight_that_both_fix_counts_nothing():
    got = kl_gaussians([1.0, 7.0], [0.5, 0.0], [0.0, 7.0], [2.0, 0.0])
    assert got == kl_gaussians(1.0, 0.5, 0.0, 2.0)
    ratio = log_ratio_gaussians([0.3, 7.0], [1.0, 7.0], [0.5, 0.0], [0.0, 7.0], [2.0, 0.0])
    assert ratio == log_ratio_gaussians(0.3, 1.0, 0.5, 0.0, 2.0)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: kl_gaussians([0.0, 1.0], 1.0, 0.0, [1.0, 0.0]),
     "must have a density under the prior, got prior variance 0 and posterior variance 1 at weight 1"),
    (lambda: kl_gaussians([0.0, 1.0], [1.0, 0.0], 0.0, 1.0),
     "must have a density under the prior, got prior variance 1 and posterior variance 0 at weight 1"),
    (lambda: kl_gaussians([2.0], [0.0], [1.0], [0.0]), r"at weight 0 \(means 1 and 2\)"),
    (lambda: log_ratio_gaussians([0.0], [0.0], [1.0], [0.0], [0.0]), "must have a density under the prior"),
    (lambda: log_ratio_gaussians([3.0], [2.0], [0.0], [2.0], [0.0]), "a weight fixed at 2 is 3"),
    (lambda: kl_gaussians(0.0, -1.0, 0.0, 1.0), "variance must be >= 0, got -1"),
    (lambda: kl_gaussians(0.0, 1.0, 0.0, -2.0), "prior variance must be >= 0, got -2"),
    (lambda: kl_gaussians(math.nan, 1.0, 0.0, 1.0), "mean must be finite, got nan"),
    (lambda: kl_gaussians(0.0, math.inf, 0.0, 1.0), "variance must be finite, got inf"),
    (lambda: log_ratio_gaussians(math.inf, 0.0, 1.0, 0.0, 1.0), "point must be finite, got inf"),
    (lambda: kl_gaussians(1e200, 1.0, 0.0, 1.0), r"KL\(Q \|\| P\) must be finite, got inf"),
    (lambda: log_ratio_gaussians(1e200, 0.0, 1.0, 1.0, 2.0), "log-ratio must be finite"),
    (lambda: PriorScales(top=0.0), r"top must be in \(0, inf\), got 0"),
    (lambda: PriorScales(steps=math.inf), r"steps must be in \(0, inf\), got inf"),
    (lambda: PriorScales().scale(0), "j must be an integer of at least 1, got 0"),
    (lambda: PriorScales().nats(1.5), "j must be an integer of at least 1, got 1.5"),
    (lambda: PriorScales(steps=1.0).scale(2000), "j = 2000 is 0 in float64"),
    (lambda: PriorScales().nearest(0.0), r"prior variance must be in \(0, inf\), got 0"),
    (lambda: PriorScales().nearest(math.nan), "got nan"),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# The grid of prior scales.

def test_the_levels_of_the_grid_sum_to_delta():
    """Partial sums stay below 1 and miss less than the tail's upper bound 6 / (pi^2 J)."""
    j = np.arange(1, 20001)
    weights = np.exp([-PriorScales().nats(int(k)) for k in j])
    assert weights.sum() < 1 < weights.sum() + 6 / (math.pi**2 * 20000)
    with mp.workdps(30):
        for k in (1, 2, 230, 10**6):
            got, want = mp.mpf(PriorScales().nats(k)), mp.log(mp.pi**2 * mp.mpf(k) ** 2 / 6)
            assert want <= got <= want * (1 + mp.mpf(1e-13))


@pytest.mark.parametrize("grid", [PriorScales(), PriorScales(top=3.0, steps=10), PriorScales(top=1.0, steps=1.0)], ids=repr)
def test_scales_fall_by_a_constant_factor_and_are_found_again(grid):
    scales = np.array([grid.scale(j) for j in range(1, 200)])
    assert np.allclose(scales[1:] / scales[:-1], math.exp(-1 / grid.steps), rtol=1e-12)
    assert grid.scale(1) < grid.top and [grid.nearest(s) for s in scales] == list(range(1, 200))


@given(st.floats(1e-12, 0.0999), st.sampled_from([1.0, 7.5, 100.0]))
def test_nearest_is_the_nearest_in_the_logarithm(variance, steps):
    grid = PriorScales(top=0.1, steps=steps)
    j = grid.nearest(variance)
    gap = abs(math.log(grid.scale(j) / variance))
    for other in (j - 1, j + 1):
        assert other < 1 or gap <= abs(math.log(grid.scale(other) / variance)) + 1e-12


def test_variances_above_the_grid_take_its_first():
    assert PriorScales().nearest(5.0) == 1 and PriorScales().nearest(0.1) == 1


def test_the_divergence_at_the_rounded_scale_is_what_counts():
    """The KL of the optimal scale is less than that on the grid: used with it the bound would be too small."""
    grid, rng = PriorScales(top=1.0, steps=2.0), np.random.default_rng(12)
    m, v = rng.normal(0, 0.1, size=50), np.full(50, 0.01)
    best = float(np.mean(m**2 + v))
    j = grid.nearest(best)
    assert kl_gaussians(m, v, 0.0, grid.scale(j)) > kl_gaussians(m, v, 0.0, best)
    assert all(kl_gaussians(m, v, 0.0, best) <= kl_gaussians(m, v, 0.0, grid.scale(k)) for k in range(1, 20))


def test_the_bounds_take_what_these_give():
    m, v, m0, v0 = laws(3, 8)
    grid = PriorScales()
    kl = kl_gaussians(m, v, m0, v0)
    assert pac_bayes_kl(0.1, kl, 100, 0.05, grid.nats(4)) > pac_bayes_kl(0.1, kl, 100, 0.05)
    ratio = log_ratio_gaussians(m, m, v, m0, v0)
    assert disintegrated(0.1, ratio, 100, 0.05, grid.nats(4)) >= disintegrated(0.1, ratio, 100, 0.05)
