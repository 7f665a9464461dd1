"""The sandwich's closed form, the range over backgrounds, the sharp bound on falls: two routes each."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest

from sims.theorem_2_mixtures import LAWS, SUPPORTS, draw, exact, summarize, violations
from theory.separation import separation_bounds, theorem_2_1, theorem_2_2, total_variation_by_events
from theory.separation_gap import (
    absorbed,
    background_range,
    gap_bound,
    gap_inside_bound,
    gap_witness,
    proportional,
    separation,
)


def models(seed, count=400, atoms=4, law="uniform", supports="full", concentration=0.5):
    return draw(np.random.default_rng(seed), count, atoms, concentration, law, supports)


def kernel_separation(p, q, g, lam):
    """Route 2: push both classes through the Markov kernel as a matrix, sup over all events."""
    free = (1 - lam) * g
    redrawn = free / free.sum()
    matrix = np.diag(lam) + np.outer(1 - lam, redrawn)
    return total_variation_by_events(p @ matrix, q @ matrix)


def test_the_absorbed_part_against_events_of_a_markov_kernel():
    m = models(0)
    p, q, g, lam = (m[k] for k in ("pure", "other", "background", "fitting"))
    _, high = separation_bounds(p, q, lam)
    expected = [kernel_separation(*rows) for rows in zip(p, q, g, lam, strict=True)]
    np.testing.assert_allclose(high - absorbed(p, q, g, lam), expected, atol=1e-13)
    np.testing.assert_allclose(separation(p, q, g, lam), expected, atol=1e-13)


def test_both_ends_are_attained_where_the_docstring_says():
    p, q = np.array([F(1), F(0)]), np.array([F(0), F(1)])
    lam = np.array([F(3, 4), F(1, 4)])
    low, high = separation_bounds(p, q, lam)
    assert (low, high) == (F(1, 4), F(3, 4))
    assert separation(p, q, np.array([F(1), F(0)]), lam) == low  # q below lambda d_s / m
    assert separation(p, q, np.array([F(0), F(1)]), lam) == high  # q off lambda d_s > 0
    inside = separation(p, q, np.array([F(1, 2), F(1, 2)]), lam)
    assert low < inside == high - absorbed(p, q, np.array([F(1, 2), F(1, 2)]), lam) < high


@pytest.mark.parametrize("law", ["uniform", "nearly-binary", "binary"])
def test_range_over_backgrounds_holds_all_and_is_attained(law):
    m = models(1, count=30, law=law)
    some = (m["fitting"] < 1).any(axis=-1)
    p, q, lam = (m[k][some] for k in ("pure", "other", "fitting"))
    worst, best = background_range(p, q, lam)
    generator = np.random.default_rng(2)
    for i in range(len(p)):
        values = []
        corners = [*np.eye(4), *generator.dirichlet([0.3] * 4, size=60)]
        moved = float((lam[i] * (p[i] - q[i])).sum())
        side = np.maximum(np.sign(moved) * lam[i] * (p[i] - q[i]), 0) * (lam[i] < 1)
        if side.sum() > 0:  # the background that makes q proportional to lambda d_s
            corners.append(np.where(lam[i] < 1, side / np.where(lam[i] < 1, 1 - lam[i], 1), 0))
        for g in corners:
            if ((1 - lam[i]) * g).sum() > 1e-12:
                values.append(separation(p[i], q[i], g / g.sum(), lam[i]))
        assert worst[i] - 1e-12 <= min(values) and max(values) <= best[i] + 1e-12
        assert max(values) == pytest.approx(best[i], abs=1e-12)
        assert min(values) == pytest.approx(worst[i], abs=1e-12)


def test_range_needs_a_map_below_one():
    with pytest.raises(ValueError, match="lambda = 1 at every atom"):
        background_range(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.ones(2))


@pytest.mark.parametrize("a,b", [(F(1), F(1, 2)), (F(1), F(1, 10)), (F(9, 10), F(1, 3)), (F(3, 5), F(2, 5))])
def test_the_witness_falls_by_exactly_the_bound(a, b):
    w = gap_witness(a, b)
    low, high = 1 - a * a, 1 - b * b
    for key in ("pure", "other", "background"):
        assert sum(w[key]) == 1 and min(w[key]) >= 0
    assert all(low <= x <= y <= high for x, y in zip(w["low"], w["high"], strict=True))
    tv = [separation(w["pure"], w["other"], w["background"], w[k]) for k in ("low", "high")]
    assert tv[0] - tv[1] == (a - b) ** 2 / high
    assert gap_bound(float(low), float(high)) == pytest.approx(float((a - b) ** 2 / high), rel=1e-12)


def test_falls_scale_with_the_pure_separation():
    """TV depends on p - p' alone, so sharing mass multiplies every fall by the pure TV."""
    w = gap_witness(F(1), F(1, 2))
    shared = np.array([F(1, 5), F(1, 2), F(3, 10)])
    p, q = (F(1, 4) * w[k] + F(3, 4) * shared for k in ("pure", "other"))
    tv = [separation(p, q, w["background"], w[k]) for k in ("low", "high")]
    assert tv[0] - tv[1] == F(1, 4) * F(1, 3)
    assert gap_bound(0.0, 0.75, 0.25) == pytest.approx(1 / 12)


@pytest.mark.parametrize("low,high", [(0.0, 1.0), (0.0, 0.5), (0.3, 0.8), (0.7, 0.95)])
def test_no_random_pair_of_maps_falls_further(low, high):
    generator = np.random.default_rng(5)
    worst = -1.0
    for atoms in (3, 4, 6):
        m = models(atoms, count=4000, atoms=atoms, concentration=0.3)
        first = low + (high - low) * np.round(generator.random((4000, atoms)) * 2) / 2
        second = first + (high - first) * np.round(generator.random((4000, atoms)))
        first, second = (np.minimum(x, high - 1e-4 * (high - low)) for x in (first, second))
        p, q, g = (m[k] for k in ("pure", "other", "background"))
        pure = abs(p - q).sum(axis=-1) / 2
        fall = separation(p, q, g, first) - separation(p, q, g, second)
        assert (fall <= gap_bound(low, high) * pure + 1e-12).all()
        worst = max(worst, float((fall / pure).max()))
    assert worst > 0.1 * gap_bound(low, high)  # the bound is not idle


def test_bound_at_its_limits():
    assert gap_bound(0.4, 0.4) == gap_bound(0.0, 0.0) == 0.0
    assert gap_bound(0.25, 1.0) == pytest.approx(0.75)
    assert gap_bound(0.0, 1e-9) == pytest.approx(2.5e-10, rel=1e-6)  # u/4 near 0
    levels = np.linspace(0, 1, 21)
    for low in levels:
        for high in levels[levels >= low]:
            assert gap_bound(low, high) <= high - low + 1e-15  # max - min of the two sandwiches
            assert gap_inside_bound(low, high, 1.0) == pytest.approx(gap_bound(low, high))
            assert gap_inside_bound(low, high, 0.0) == 0.0


@pytest.mark.parametrize("inside", [0.02, 0.2, 0.6])
def test_little_background_inside_limits_falls(inside):
    generator = np.random.default_rng(8)
    low, high = 0.1, 0.9
    m = models(3, count=4000, atoms=4, concentration=0.3)
    p, q, g = (m[k].copy() for k in ("pure", "other", "background"))
    p[:, 0] = q[:, 0] = 0
    p, q = (x / x.sum(axis=-1, keepdims=True) for x in (p, q))
    g = inside * g
    g[:, 0] += 1 - inside
    first = low + (high - low) * np.round(generator.random((4000, 4)))
    second = first + (high - first) * np.round(generator.random((4000, 4)))
    fall = separation(p, q, g, first) - separation(p, q, g, second)
    assert (fall <= gap_inside_bound(low, high, inside) + 1e-12).all()
    assert fall.max() > 0.05 * gap_inside_bound(low, high, inside)


def test_background_outside_the_classes_means_the_upper_end():
    m = models(4)
    p, q, g, lam = (m[k].copy() for k in ("pure", "other", "background", "fitting"))
    g[:, 1:] = 0
    g[:, 0] = 1
    p[:, 0] = q[:, 0] = 0
    p, q = (x / x.sum(axis=-1, keepdims=True) for x in (p, q))
    np.testing.assert_allclose(separation(p, q, g, lam), separation_bounds(p, q, lam)[1], atol=1e-13)


def test_binary_maps_reach_the_upper_end_and_any_better_map_helps():
    m = models(7, count=3000, law="binary", concentration=0.3)
    free = ((1 - m["fitting"]) * m["background"]).sum(axis=-1) > 1e-9
    p, q, g, lam = (m[k][free] for k in ("pure", "other", "background", "fitting"))
    before = separation(p, q, g, lam)
    np.testing.assert_allclose(before, separation_bounds(p, q, lam)[1], atol=1e-13)
    better = 1 - np.random.default_rng(0).random(lam.shape) ** 3 * (1 - lam)
    assert (separation(p, q, g, better) >= before - 1e-12).all()


def test_equal_improvement_of_all_errors_never_lowers_tv():
    m = models(6, count=2000, concentration=0.2, law="nearly-binary")
    p, q, g, lam = (m[k] for k in ("pure", "other", "background", "fitting"))
    before = separation(p, q, g, lam)
    for keep in (0.9, 0.5, 0.1):
        after = separation(p, q, g, proportional(lam, keep))
        assert (after >= before - 1e-12).all()
        before = after
    assert float(proportional(np.array(0.5), 0.5)) == 0.75


@pytest.mark.parametrize("args,message", [((0.5, 0.4), "low <= high"), ((-0.1, 0.4), "low <= high"),
                                          ((0.0, 0.5, 1.5), "total variation")])
def test_bad_boxes(args, message):
    with pytest.raises(ValueError, match=message):
        gap_bound(*args)


def test_other_bad_input():
    with pytest.raises(ValueError, match="0 < b < a <= 1"):
        gap_witness(F(1, 2), F(1, 2))
    with pytest.raises(ValueError, match="inside"):
        gap_inside_bound(0.0, 0.5, 2.0)
    generator = np.random.default_rng(0)
    for args, message in (((1, 1.0, "uniform", "full"), "2 atoms"), ((3, 0.0, "uniform", "full"), "concentration"),
                          ((3, 1.0, "x", "full"), "law"), ((3, 1.0, "uniform", "x"), "supports")):
        with pytest.raises(ValueError, match=message):
            draw(generator, 5, *args)


# --- random mixtures


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("supports", SUPPORTS)
def test_draws_are_what_they_say(law, supports):
    m = models(9, count=300, law=law, supports=supports, concentration=0.2)
    for key in ("pure", "other", "background"):
        np.testing.assert_allclose(m[key].sum(axis=-1), 1, atol=1e-12)
        assert (m[key] >= 0).all()
    p, q, lam = m["pure"], m["other"], m["fitting"]
    assert ((p * q == 0).all() if supports == "disjoint" else (q[:, 1:] > 0).all())
    assert ((p[:, 0] == 0).all() and (q[:, 0] > 0).all()) == (supports == "distinct")
    assert {"constant": (lam == lam[:, :1]).all(), "binary": set(np.unique(lam)) == {0, 1},
            "nearly-binary": set(np.unique(lam)) == {0.01, 0.99}, "good": (lam >= 0.8).all(),
            "uniform": 0.45 < lam.mean() < 0.55}[law]


def test_exact_models_are_near_and_exact():
    m = {k: v[0] for k, v in models(3, atoms=5).items()}
    one = exact(m)
    for key, values in one.items():
        assert all(isinstance(v, F) for v in values)
        np.testing.assert_allclose(values.astype(float), m[key], atol=2e-5)
    assert all(sum(one[k]) == 1 for k in ("pure", "other", "background"))


def test_violations_see_what_is_broken():
    p, q = np.array([F(1, 2), F(1, 2), F(0)]), np.array([F(0), F(1, 2), F(1, 2)])
    model = {"pure": p, "other": q, "background": np.array([F(0), F(1), F(0)]),
             "fitting": np.array([F(9, 10)] * 3)}
    found = violations(model)
    assert found["theorem-2.2"] and not any(v for k, v in found.items() if k != "theorem-2.2")
    assert not violations({**model, "other": np.array([F(0), F(0), F(1)])})["theorem-2.2"]
    one = violations(model, tolerance=F(-1, 100))  # now equality counts as broken
    assert one["sandwich"] and one["closed-form"] and one["theorem-2.1"]


def test_summary_against_a_second_count():
    args = (500, 10, 3, 0.5, "uniform", "distinct")
    got = summarize(np.random.default_rng(1), *args)
    generator = np.random.default_rng(1)
    m = draw(generator, 500, 3, 0.5, "uniform", "distinct")
    step = generator.random((500, 3))
    below = falls = 0
    positions = []
    for p, q, g, lam, s in zip(*(m[k] for k in ("pure", "other", "background", "fitting")), step, strict=True):
        tv = kernel_separation(p, q, g, lam)
        low, high = separation_bounds(p, q, lam)
        positions.append((tv - low) / (high - low))
        below += tv < theorem_2_2(p, q, lam) - 1e-12
        falls += tv > kernel_separation(p, q, g, 1 - s * (1 - lam)) + 1e-12
        assert tv >= theorem_2_1(p, q, lam) - 1e-12
    assert got["violations"] == {"sandwich": 0, "closed-form": 0, "theorem-2.1": 0,
                                 "theorem-2.2": below, "proportional": 0, "range": 0}
    assert below > 0 and got["falls"] == falls > 0
    assert got["repeats"] == 500 and got["undefined"] == 0 and got["exact_repeats"] == 10
    assert got["position_quantiles"][3] == pytest.approx(np.median(positions), abs=1e-9)
    assert got["at_high"] == sum(v > 1 - 1e-9 for v in positions)
    assert all(v == 0 for k, v in got["exact_violations"].items() if k != "theorem-2.2")


def test_summary_counts_undefined_models_and_equal_ends():
    got = summarize(np.random.default_rng(2), 400, 3, 2, 0.5, "binary", "disjoint")
    assert got["repeats"] + got["undefined"] == 400 and 60 < got["undefined"] < 140
    constant = summarize(np.random.default_rng(2), 50, 3, 4, 0.5, "constant", "full")
    assert constant["equal_ends"] == 50 and constant["position_quantiles"] is None
    assert constant["falls"] > 0 or constant["largest_fall"] == 0
