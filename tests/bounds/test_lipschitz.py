"""The Lipschitz constants of a rectangle's map: humps, lattice points, and maxima from below."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from theory.bounds import lipschitz as L
from theory.bounds.contraction import ramp_missing_rate
from theory.rates import missing_rate
from theory.rectangle import (
    Rectangle,
    attention_map,
    grid,
    hard_mask,
    logit_soft_rectangle,
)
from theory.strategies import rectangle_parameters

SCALES = [0.1, 1.0, 6.0, 40.0]


def window(x, s):
    return np.exp(-np.logaddexp(0, -s * (1 - x * x)))


def slope(x, s):
    return 2 * s * x * window(x, s) * np.exp(-np.logaddexp(0, s * (1 - x * x)))


# --- profiles ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("s", SCALES)
def test_integrals_by_quadrature(s):
    far = math.sqrt(1 + 60 / s)
    p = L.soft_profile(s)
    for value, f in ((p.edge, slope), (p.moment, lambda y, s: y * window(y, s))):
        assert value == pytest.approx(quad(f, 0, far, args=(s,), points=[1.0], limit=200)[0], rel=1e-7)
    exact = quad(window, 0, far, args=(s,), points=[1.0], limit=200)[0]
    for value in (p.stretch, p.width / 2):  # Jensen: above, by less the sharper the window
        assert exact < value * (1 + 1e-9) and value < exact * (1 + 0.6 / s)
    assert exact == pytest.approx(quad(lambda x: x * slope(x, s), 0, far, points=[1.0], limit=200)[0], rel=1e-6)


@pytest.mark.parametrize("s", SCALES)
def test_integral_of_the_window_by_mpmath(s):
    """2 int w = sqrt(pi / s) (-Li_{1/2}(-e^s)), the Fermi-Dirac integral."""
    import mpmath as mp

    exact = mp.sqrt(mp.pi / s) * -mp.polylog(mp.mpf(1) / 2, -mp.exp(s))
    assert float(mp.re(exact)) < L.soft_profile(s).width < float(mp.re(exact)) * (1 + 0.6 / s)


@pytest.mark.parametrize("s", SCALES)
def test_maxima_on_a_fine_grid(s):
    x = np.linspace(0, math.sqrt(1 + 60 / s), 400_001)
    p = L.soft_profile(s)
    for value, f in ((p.edge_max, slope(x, s)), (p.stretch_max, x * slope(x, s)),
                     (p.moment_max, x * window(x, s)), (p.peak, window(x, s))):
        assert f.max() <= value * (1 + 1e-14) and value <= f.max() * (1 + 1e-6)


@pytest.mark.parametrize("s", SCALES)
def test_every_factor_has_one_hump(s):
    x = np.linspace(1e-6, math.sqrt(1 + 30 / s), 20_001)
    for f in (slope(x, s), x * slope(x, s), x * window(x, s)):
        turns = np.diff(np.sign(np.diff(f)))
        assert np.count_nonzero(turns) == 1 and turns.min() == -2


@pytest.mark.parametrize("s", [2.0, 6.0])
@pytest.mark.parametrize("margin", [0.3, 1.0, 4.0, 9.0])
def test_margin_profile_is_above_the_derivative(s, margin):
    """|d clip(z) / dx| / margin <= A(x) B(y) at every point; A has the integral and maximum stated."""
    x, y = np.meshgrid(np.linspace(0, 2.5, 1201), np.linspace(0, 2.5, 601), indexing="ij")
    wx, wy = window(x, s), window(y, s)
    f = wx * wy
    # 1 - f without cancellation
    rest = np.exp(-np.logaddexp(0, s * (1 - x * x))) + wx * np.exp(-np.logaddexp(0, s * (1 - y * y)))
    z = np.log(f) - np.log(rest)
    derivative = np.where(np.abs(z) < margin, 2 * s * x * (1 - wx) / rest, 0) / margin

    def across(t):
        low = 1 / (1 + math.exp(margin))
        inside = t * t <= 1 + margin / s
        return 2 * s * t / margin * np.minimum(1, (1 - window(t, s)) / low) * inside

    reach = math.sqrt(1 + margin / s)
    assert (derivative <= across(x) * (y <= reach) * (1 + 1e-9) + 1e-12).all()
    p = L.margin_profile(s, margin)
    bend = [math.sqrt(1 - margin / s)] if margin < s else None
    assert quad(across, 0, reach, points=bend, limit=200)[0] == pytest.approx(p.edge, rel=1e-6)
    assert quad(lambda t: t * across(t), 0, reach, points=bend, limit=200)[0] <= p.stretch
    assert across(np.array(reach * (1 - 1e-12))) == pytest.approx(p.edge_max, rel=1e-6)
    assert p.stretch_max == pytest.approx(reach * p.edge_max) and p.width == pytest.approx(2 * reach)
    assert (p.moment, p.moment_max) == (pytest.approx(reach**2 / 2), pytest.approx(reach))


# --- lattice points in turned boxes -----------------------------------------------------------------


def count(first, second, angle, center, height, width):
    half = np.maximum(np.array([first, second]) / 2, 1e-12)
    return int((hard_mask(Rectangle(np.array(center), half, angle), height, width) == 1).sum())


def test_upright_boxes_attain_the_bound():
    for k in range(8):
        for m in range(8):
            got = count(k / 7, m / 7, 0.0, (k / 14, m / 14), 8, 8)
            assert got == (k + 1) * (m + 1) == round(float(L.lattice_count(k / 7, m / 7, 8, 8)))


@pytest.mark.parametrize("height, width", [(3, 12), (12, 3), (2, 9)])
def test_segments_along_the_finer_axis_attain_the_bound(height, width):
    for k in range(1, max(height, width)):
        long = k / (max(height, width) - 1)
        sides = (long, 0.0) if height > width else (0.0, long)
        center = (long / 2, 0.0) if height > width else (0.0, long / 2)
        assert count(*sides, 0.0, center, height, width) == k + 1 == round(float(
            L.lattice_count(*sides, height, width)))


def test_diagonal_segment_is_within_the_bound_and_shorter_ones_are_not_missed():
    """Three points on a diagonal of length 2 sqrt 2 pitches: 3 <= 2 sqrt 2 + 1, not <= length."""
    assert count(math.sqrt(8) / 7, 0.0, math.pi / 4, (1 / 7, 1 / 7), 8, 8) == 3
    assert 3 > math.sqrt(8) and L.lattice_count(math.sqrt(8) / 7, 0.0, 8, 8) == pytest.approx(1 + math.sqrt(8))


@given(st.floats(0, 1.4), st.floats(0, 1.4), st.floats(0, math.pi),
       st.tuples(st.floats(0, 1), st.floats(0, 1)), st.sampled_from([(9, 9), (3, 12), (12, 5), (2, 2)]))
def test_no_box_holds_more(first, second, angle, center, shape):
    assert count(first, second, angle, center, *shape) <= L.lattice_count(first, second, *shape) + 1e-6


# --- derivatives ------------------------------------------------------------------------------------


def parameters(count_, seed, least=0.05, most=1.5):
    rng = np.random.default_rng(seed)
    half = np.exp(rng.uniform(math.log(least), math.log(most), (count_, 2)))
    return np.concatenate([rng.random((count_, 2)), half, rng.uniform(0, math.pi, (count_, 1))], axis=1)


def test_gradient_by_autograd():
    import torch

    p = torch.tensor(parameters(20, 1), requires_grad=True)
    maps = attention_map(Rectangle.from_array(p), 7, 9, 6.0).flatten(1)
    exact = L.gradients(p.detach().numpy(), 7, 9, 6.0)
    for t in range(maps.shape[1]):
        (by,) = torch.autograd.grad(maps[:, t].sum(), p, retain_graph=True)
        np.testing.assert_allclose(exact[..., t], by.numpy(), atol=1e-11)


@pytest.mark.parametrize("margin", [0.5, 3.0])
def test_gradient_of_the_cut_logit_by_differences(margin):
    p, h = parameters(30, 2), 1e-6
    g = L.gradients(p, 6, 6, 4.0, margin)

    def cut(q):
        z = logit_soft_rectangle(Rectangle.from_array(q), grid(6, 6), 4.0).reshape(len(q), -1)
        return z.clip(-margin, margin) / margin, np.abs(np.abs(z) - margin) > 1e-3

    for k in range(5):
        step = h * np.eye(5)[k]
        (up, away), (down, _) = cut(p + step), cut(p - step)
        difference = (up - down) / (2 * h)
        assert np.abs(np.where(away, g[:, k] - difference, 0)).max() < 1e-4 * max(1, np.abs(g[:, k]).max())


def own_axes(p, g):
    """Derivatives by the centre along the rectangle's own axes."""
    cos, sin = np.cos(p[:, 4:5]), np.sin(p[:, 4:5])
    return cos * g[:, 0] + sin * g[:, 1], cos * g[:, 1] - sin * g[:, 0]


@pytest.mark.parametrize("margin", [None, 1.0, 5.0])
@pytest.mark.parametrize("shape", [(16, 16), (5, 12)])
def test_sums_over_the_cells_one_rectangle_at_a_time(margin, shape):
    """Each of the five mean derivatives is below its own bound, not only below the worst one."""
    p = parameters(400, 3)
    p[:100, 4] = 0.0
    p[100:200, 4] = math.pi / 4
    p[:200, :2] = np.round(p[:200, :2] * 15) / 15
    g = L.gradients(p, *shape, 6.0, margin)
    across, along = own_axes(p, g)
    got = [np.abs(v).mean(axis=-1) for v in (across, along, g[:, 2], g[:, 3], g[:, 4])]
    profile = L.soft_profile(6.0) if margin is None else L.margin_profile(6.0, margin)
    ratios = []
    for i, half in enumerate(p[:, 2:4]):
        center, stretch, angle = L._sums(profile, *shape, half, half)
        bounds = [center[0, 1], center[1, 0], stretch[0, 1], stretch[1, 0], angle[0, 1] + angle[1, 0]]
        ratios.append([v[i] / b for v, b in zip(got, bounds, strict=True)])
    worst = np.max(ratios, axis=0)
    assert (worst <= 1 + 1e-9).all()
    assert (worst[:4] > 0.2).all() and worst[4] > 0.08


# --- constants --------------------------------------------------------------------------------------


def climbed(value, least, most, seed, start=400, rounds=25):
    """The largest value found by random search and climbing, from below."""
    rng, p = np.random.default_rng(seed), parameters(start, seed, least, most)
    p[: start // 2, 4] = rng.choice([0.0, math.pi / 4, math.pi / 2], start // 2)
    kept = np.argsort(-value(p))[:40]
    p, best, size = p[kept], value(p[kept]), 0.1
    for _ in range(rounds):
        q = p + size * rng.normal(size=p.shape) * [1, 1, 0.3, 0.3, 1]
        q[:, :2], q[:, 2:4] = q[:, :2].clip(0, 1), q[:, 2:4].clip(least, most)
        new = value(q)
        p, best, size = np.where((new > best)[:, None], q, p), np.maximum(best, new), size * 0.9
    return best.max()


@pytest.mark.parametrize("case", [
    (16, 16, 6.0, 0.05, 1.5, None), (16, 16, 6.0, 0.2, 0.5, None), (6, 12, 3.0, 0.1, 1.0, None),
    (16, 16, 6.0, 0.1, 0.5, 1.0), (16, 16, 6.0, 0.1, 0.5, 5.0)])
def test_constants_against_the_largest_values_found(case):
    height, width, s, least, most, margin = case
    c = L.rectangle_constants(*case)

    def largest(rows):
        return climbed(lambda p: L.steepest(L.gradients(p, height, width, s, margin)[:, rows], 6),
                       least, most, 7)

    for bound, rows, factor in ((c.center, slice(0, 2), 4.5), (c.half_width, slice(2, 4), 4.5),
                                (c.angle, slice(4, 5), 7.0), (c.euclidean, slice(0, 5), 5.5)):
        found = largest(rows)
        assert found <= bound <= factor * found


@given(rectangle_parameters(0.1, 1.0), rectangle_parameters(0.1, 1.0), st.sampled_from([1.0, 0.1, 1e-3]),
       st.sampled_from([None, 1.0, 6.0]), st.integers(0, 99))
def test_the_losses_change_no_faster(p, q, step, margin, seed):
    q = p + step * (q - p)
    c = L.rectangle_constants(10, 10, 6.0, 0.1, 1.0, margin)
    d = p - q
    allowed = min(c.center * math.hypot(*d[:2]) + c.half_width * math.hypot(*d[2:4]) + c.angle * abs(d[4]),
                  c.euclidean * np.linalg.norm(d))
    rectangles = Rectangle.from_array(np.stack([p, q]))
    maps, z = attention_map(rectangles, 10, 10, 6.0), logit_soft_rectangle(rectangles, grid(10, 10), 6.0)
    for target in (np.where(np.random.default_rng(seed).random((10, 10)) < 0.5, -1, 1),
                   np.where(z[0] < z[1], 1, -1)):
        rates = missing_rate(2 * maps - 1, target) if margin is None else ramp_missing_rate(z, target, margin)
        assert abs(rates[0] - rates[1]) <= allowed + 1e-12
        if margin is None:
            assert abs(rates[0] - rates[1]) <= np.abs(maps[0] - maps[1]).mean() + 1e-12


def test_worst_target_attains_the_mean_change():
    maps = attention_map(Rectangle.from_array(parameters(2, 5)), 10, 10, 6.0)
    rates = missing_rate(2 * maps - 1, np.where(maps[0] > maps[1], 1, -1))
    assert rates[1] - rates[0] == pytest.approx(np.abs(maps[0] - maps[1]).mean(), abs=1e-14)


def test_no_growth_with_the_number_of_cells():
    """Finer grids lower the constants to the continuum's: twice sqrt 2, squared peaks, both axes."""
    values = [L.rectangle_constants(side, side, 6.0, 0.1).center for side in (8, 16, 64, 512, 4096)]
    assert values == sorted(values, reverse=True)
    assert values[-1] == pytest.approx(4 * L.soft_profile(6.0).peak ** 2, rel=0.02)


def test_the_rate_is_the_perimeter():
    """The mean of the map grows with both half-widths at the rate of the perimeter, 4 (s1 + s2)."""
    p = parameters(200, 8, 0.15, 0.3) * [0.2, 0.2, 1, 1, 1] + [0.4, 0.4, 0, 0, 0]
    cells = 225 / 256  # a cell's share of the unit square
    rate = L.gradients(p, 16, 16, 6.0)[:, 2:4].mean(axis=-1).sum(axis=-1)
    np.testing.assert_allclose(rate, 4 * p[:, 2:4].sum(axis=1) * cells, rtol=0.25)
    assert rate.mean() == pytest.approx(4 * p[:, 2:4].sum(axis=1).mean() * cells, rel=0.05)


def test_ranges():
    full = L.rectangle_constants(16, 16, 6.0, 0.05)
    for least, most in ((0.1, math.inf), (0.05, 0.5), (0.2, 0.2)):
        part = L.rectangle_constants(16, 16, 6.0, least, most)
        assert all(getattr(part, name) <= getattr(full, name) * (1 + 1e-9)
                   for name in ("center", "half_width", "angle", "euclidean"))
    assert L.rectangle_constants(16, 16, 6.0, 0.05, 3.9).euclidean <= full.euclidean
    one = L.rectangle_constants(16, 16, 6.0, 0.2, 0.2)
    center, _, angle = L._sums(L.soft_profile(6.0), 16, 16, np.array([0.2]), np.array([0.2]))
    assert one.center == pytest.approx(math.sqrt(2) * center[0, 0], rel=1e-6)
    assert one.angle == pytest.approx(2 * angle[0, 0], rel=1e-6)


def test_transposed_grids_agree():
    a, b = (L.rectangle_constants(*shape, 6.0, 0.1) for shape in ((6, 20), (20, 6)))
    assert a == b


def test_weighted_is_the_best_choice_of_units():
    """Against a search over units: L_c sqrt(sum c^2) / sqrt 5."""
    c = L.RectangleConstants(3.0, 2.0, 0.5, math.sqrt(9 + 4 + 0.25))
    units = np.exp(np.random.default_rng(0).normal(size=(200_000, 3)) * 0.7)
    parts = ((np.array([3.0, 2.0, 0.5]) / units) ** 2).sum(axis=1)
    size = parts * (2 * units[:, 0] ** 2 + 2 * units[:, 1] ** 2 + units[:, 2] ** 2)
    assert c.weighted <= math.sqrt(size.min() / 5) <= c.weighted * 1.01
    assert c.weighted == pytest.approx((math.sqrt(2) * 5 + 0.5) / math.sqrt(5)) and c.weighted < c.euclidean


def test_raw_outputs_have_the_slopes_of_the_ranges():
    import torch

    from training.attention_ranges import TAIL, floored, inside_image

    raw = torch.linspace(-8, 8, 200_001, dtype=torch.float64, requires_grad=True)
    (by,) = torch.autograd.grad(inside_image(raw).sum(), raw)
    assert float(by.max()) == pytest.approx(0.5, abs=1e-9)
    (by,) = torch.autograd.grad(floored(raw, 0.05, 1 / 15).sum(), raw)
    assert 1 < by.max() <= 1 + TAIL == 1.01
    c = L.RectangleConstants(2.0, 3.0, 4.0, 5.0)
    raw = c.raw()
    assert (raw.center, raw.angle, raw.euclidean) == (1.0, 4.0, 1.01 * 5.0) and raw.half_width == pytest.approx(3.03)
    assert L.RectangleConstants(2.0, 0.1, 0.1, 2.1).raw().euclidean == pytest.approx(math.hypot(1, 0.101, 0.1))


def test_steepest_against_all_signs():
    rng = np.random.default_rng(4)
    g = rng.normal(size=(30, 3, 8))
    signs = np.array(np.meshgrid(*[[-1, 1]] * 8)).reshape(8, -1).T
    exact = np.linalg.norm(np.einsum("bt,mkt->mbk", signs, g) / 8, axis=-1).max(axis=1)
    found = L.steepest(g)
    assert (found <= exact + 1e-12).all() and np.mean(found > exact * (1 - 1e-9)) > 0.5
    np.testing.assert_allclose(L.steepest(g[:, :1]), np.abs(g[:, 0]).mean(axis=-1))


@pytest.mark.parametrize("arguments, message", [
    ((1, 16, 6.0, 0.1), "H must be an integer >= 2, got 1"),
    ((16, 2.5, 6.0, 0.1), "W must be an integer >= 2, got 2.5"),
    ((16, 16, 0.0, 0.1), "s must be positive and finite, got 0.0"),
    ((16, 16, math.inf, 0.1), "s must be positive and finite, got inf"),
    ((16, 16, 6.0, 0.0), "half-widths need 0 < least <= most, got"),
    ((16, 16, 6.0, 0.3, 0.2), "half-widths need 0 < least <= most, got"),
    ((16, 16, 6.0, math.nan), "half-widths need 0 < least <= most, got"),
    ((16, 16, 6.0, 0.1, 0.5, -1.0), "margin must be positive and finite, got -1.0")])
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        L.rectangle_constants(*arguments)


def test_bad_margin_in_gradients():
    with pytest.raises(ValueError, match="margin must be positive and finite, got 0"):
        L.gradients(parameters(1, 0), 4, 4, 6.0, 0)
