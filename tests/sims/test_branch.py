"""The certified interval for rotated rectangles against brute force over the family, and its laws."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sims.streams import stream
from sims.supremum import branch
from sims.supremum.branch import NoneFound, max_weight_rotated_interval
from theory.families import RotatedRectangles
from theory.rectangle import Rectangle, grid, hard_rectangle

GRIDS = [(1, 1), (1, 5), (2, 3), (3, 3), (3, 5), (4, 4), (5, 2), (5, 5)]
LIMITS = [
    {}, {"max_area": 4}, {"min_area": 3, "max_area": 5}, {"min_area": 6}, {"max_side": 2.0},
    {"max_side": 1.0, "max_area": 3}, {"min_side": 1.5}, {"min_side": 2.0, "max_side": 2.0},
    {"min_side": 1.0, "max_side": math.sqrt(5)}, {"zone": "random"},
    {"zone": "random", "min_area": 2, "max_area": 6, "min_side": 0.5, "max_side": 2.7},
]


def limited(height, width, limits, generator):
    """The limits with their zone drawn, and the family; None where no rectangle meets them."""
    limits = dict(limits)
    if "zone" in limits:
        limits["zone"] = generator.random((height, width)) < 0.75
        limits["zone"][0, 0] = True
    try:
        return limits, RotatedRectangles(height, width, **limits).masks()
    except ValueError:
        return limits, None


def brute_force(weights, masks):
    flat = weights.reshape(len(weights), -1)
    products = flat @ (masks.reshape(len(masks), -1) == 1).T.astype(flat.dtype)
    return products.max(axis=1), products.min(axis=1)


def fields(height, width, generator, count):
    yield generator.integers(-5, 6, size=(count, height, width))
    yield generator.choice([-1, 1], size=(count, height, width))
    yield generator.normal(size=(count, height, width))


def check_witness(weights, parameters, value, *, min_area=1, max_area=None, min_side=0.0,
                  max_side=None, zone=None):
    height, width = weights.shape
    half = parameters[2:4]
    assert (2 * half >= min_side - 1e-9).all()
    assert max_side is None or (2 * half <= max_side + 1e-9).all()
    assert 0 <= parameters[4] < math.pi / 2
    for tolerance in (1e-9, 1e-10):
        inside = hard_rectangle(Rectangle.from_array(parameters), grid(height, width, unit=False), tolerance) == 1
        assert inside.sum() >= max(min_area, 1)
        assert max_area is None or inside.sum() <= max_area
        assert zone is None or not np.any(inside & ~zone)
        if weights.dtype.kind == "f":
            assert math.fsum(weights[inside].tolist()) == value
        else:
            assert weights[inside].sum() == value


@pytest.mark.parametrize("limits", LIMITS, ids=str)
@pytest.mark.parametrize("height,width", GRIDS)
def test_the_interval_closes_on_the_brute_force_value(height, width, limits):
    g = stream(f"branch/{height}x{width}/{limits}", 0)
    limits, masks = limited(height, width, limits, g)
    for w in fields(height, width, g, 6):
        if masks is None:
            with pytest.raises(ValueError, match="no rectangle"):
                max_weight_rotated_interval(w, **limits)
            continue
        found, (top, bottom) = max_weight_rotated_interval(w, **limits), brute_force(w, masks)
        if w.dtype.kind == "i":
            assert found.exact and found.maximum.dtype == np.int64
            assert np.array_equal(found.maximum, top) and np.array_equal(found.minimum, bottom)
        else:
            assert np.allclose(found.maximum, top, atol=1e-12) and np.allclose(found.minimum, bottom, atol=1e-12)
            assert (found.upper >= top).all() and (found.upper <= found.maximum + 1e-11).all()
            assert (found.lower <= bottom).all() and (found.lower >= found.minimum - 1e-11).all()
        for one, *rest in zip(w, found.argmax, found.maximum, found.argmin, found.minimum, strict=True):
            check_witness(one, *rest[:2], **limits)
            check_witness(one, *rest[2:], **limits)


@pytest.mark.parametrize("limits", LIMITS, ids=str)
def test_small_budgets_contain_the_exact_value_and_grow_tighter(limits):
    g = stream(f"branch/budgets/{limits}", 0)
    limits, masks = limited(5, 4, limits, g)
    for w in fields(5, 4, g, 12):
        top, bottom = brute_force(w, masks)
        before = None
        wide = 0
        for nodes in (1, 2, 8, 30, 80, 200, 20_000):
            try:
                found = max_weight_rotated_interval(w, nodes=nodes, **limits)
            except NoneFound:
                assert nodes < 200
                continue
            rounding = 0 if w.dtype.kind == "i" else 1e-12
            assert (found.maximum <= top + rounding).all() and (top <= found.upper).all()
            assert (found.lower <= bottom).all() and (bottom - rounding <= found.minimum).all()
            wide += (found.upper > found.maximum + 1e-9).sum()
            if before is not None:
                assert (before.maximum <= found.maximum).all() and (found.minimum <= before.minimum).all()
                assert (found.upper <= before.upper + rounding).all() and (before.lower - rounding <= found.lower).all()
            before = found
        assert wide > 0
        assert np.allclose(before.maximum, top) and np.allclose(before.upper, top)


def test_real_rectangles_with_extreme_sides_do_not_exceed_the_bound():
    """Sides met with equality, boundaries through positions: drawn, not enumerated."""
    g = stream("branch/real", 0)
    height, width, low, high = 6, 9, 1.5, math.sqrt(10)
    w = g.integers(-3, 4, size=(5, height, width))
    n = 60_000
    side = g.uniform(low, high, size=(n, 2))
    side[g.random((n, 2)) < 0.4] = high
    side[g.random((n, 2)) < 0.2] = low
    held = np.stack([g.integers(height, size=n), g.integers(width, size=n)], axis=1)
    lattice = g.integers(1, 5, size=(n, 2))
    angle = np.where(g.random(n) < 0.5, g.random(n) * np.pi / 2, np.arctan2(*lattice.T))
    place = np.where(g.random((n, 2)) < 0.5, g.integers(0, 2, size=(n, 2)), g.random((n, 2)))
    off = (2 * place - 1) * side / 2
    c, s = np.cos(angle), np.sin(angle)
    center = held + np.stack([c * off[:, 0] - s * off[:, 1], s * off[:, 0] + c * off[:, 1]], axis=1)
    inside = hard_rectangle(Rectangle(center, side / 2, angle), grid(height, width, unit=False), 1e-10) == 1
    area = inside.sum(axis=(1, 2))
    inside = inside[(area >= 3) & (area <= 9)].reshape(-1, height * width)
    drawn = w.reshape(5, -1) @ inside.T.astype(int)
    limits = {"min_area": 3, "max_area": 9, "min_side": low, "max_side": high}
    for nodes in (20, 200_000):
        found = max_weight_rotated_interval(w, nodes=nodes, **limits)
        assert (drawn.max(axis=1) <= found.upper).all() and (found.lower <= drawn.min(axis=1)).all()
    assert found.exact
    assert (drawn.max(axis=1) >= found.maximum - 2).all()  # the draws come near


@pytest.mark.parametrize("limits", [
    {}, {"min_area": 4, "max_area": 11}, {"min_side": 1.2, "max_side": 4.0}])
@pytest.mark.parametrize("turn", [
    lambda w: w[:, ::-1], lambda w: w[:, :, ::-1], lambda w: w.transpose(0, 2, 1),
    lambda w: np.rot90(w, axes=(1, 2))])
def test_flips_and_turns_leave_the_values(limits, turn):
    w = stream("branch/turns", 0).integers(-4, 5, size=(4, 6, 8))
    before = max_weight_rotated_interval(w, **limits)
    after = max_weight_rotated_interval(turn(w), **limits)
    assert before.exact and after.exact
    assert np.array_equal(before.maximum, after.maximum) and np.array_equal(before.minimum, after.minimum)


def test_negating_scaling_and_nested_limits():
    w = stream("branch/laws", 0).integers(-4, 5, size=(4, 7, 7))
    plain, negated, tripled = (max_weight_rotated_interval(x) for x in (w, -w, 3 * w))
    assert np.array_equal(negated.maximum, -plain.minimum) and np.array_equal(tripled.maximum, 3 * plain.maximum)
    tight, loose = (max_weight_rotated_interval(w, max_area=a) for a in (6, 12))
    assert (tight.maximum <= loose.maximum).all() and (loose.maximum <= plain.maximum).all()
    assert (tight.maximum < plain.maximum).any()


def test_a_planted_rectangle_is_found_and_certified_at_14_x_14():
    g = stream("branch/planted", 0)
    masks = [hard_rectangle(Rectangle(c, h, a), grid(14, 14, unit=False)) == 1 for c, h, a in (
        ([5.0, 6.0], [4.2, 2.0], 0.5), ([10.0, 9.0], [1.5, 4.0], 1.1))]
    w = np.where(masks[0] | masks[1], 1, -1) * np.where(g.random((14, 14)) < 0.1, -1, 1)
    found = max_weight_rotated_interval(w, nodes=60_000)
    assert found.exact and found.maximum >= max(w[m].sum() for m in masks)
    limits = {"max_area": 20, "max_side": 8.0, "min_side": 2.0}
    small = max_weight_rotated_interval(w, **limits)
    assert small.exact and found.maximum > small.maximum >= 15
    check_witness(w, small.argmax, small.maximum, **limits)


def test_ceiling_and_floor_cap_the_bounds_and_end_the_search(monkeypatch):
    w = stream("branch/ceiling", 0).choice([-1, 1], size=(3, 8, 8))
    plain = max_weight_rotated_interval(w)
    limits = {"max_area": 20}
    exact = max_weight_rotated_interval(w, **limits)
    alone = max_weight_rotated_interval(w, nodes=3, **limits)
    capped = max_weight_rotated_interval(w, nodes=3, ceiling=plain.maximum, floor=plain.minimum - 0.5, **limits)
    assert (alone.upper > plain.maximum).all()
    assert np.array_equal(capped.upper, plain.maximum) and np.array_equal(capped.lower, plain.minimum)
    told, spent = {"ceiling": exact.maximum, "floor": exact.minimum}, {}
    search = branch.search
    for name, known in (("alone", {}), ("told", told)):
        total = spent.setdefault(name, [])
        monkeypatch.setattr(branch, "search", lambda *a, total=total: (search(*a), total.append(a[3].counts[1]))[0])
        assert max_weight_rotated_interval(w, **known, **limits).exact
    assert 1.5 * sum(spent["told"]) < sum(spent["alone"])
    for wrong in ({"ceiling": -30}, {"floor": 30.5}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} .* contradicts"):
            max_weight_rotated_interval(w, **wrong, **limits)


def test_gap_stops_earlier_with_an_interval_of_at_most_the_gap():
    w = stream("branch/gap", 0).integers(-9, 10, size=(4, 10, 10))
    exact, rough = max_weight_rotated_interval(w), max_weight_rotated_interval(w, gap=12.5)
    assert (rough.upper - rough.maximum <= 12).all() and (rough.upper > rough.maximum).any()
    assert (rough.maximum <= exact.maximum).all() and (exact.maximum <= rough.upper).all()


def test_seconds_stop_the_search_and_pausing_does_not_change_it(monkeypatch):
    w = stream("branch/seconds", 0).choice([-1, 1], size=(28, 28))
    hurried = max_weight_rotated_interval(w, seconds=1e-9)
    assert not hurried.exact and hurried.maximum <= hurried.upper
    monkeypatch.setattr(branch, "_ROUND", 7)
    w = w[:9, :9]
    for nodes in (100, 1001):
        straight, paused = (max_weight_rotated_interval(w, nodes=nodes, **k) for k in ({}, {"seconds": 1e6}))
        assert straight.upper == paused.upper and np.array_equal(straight.argmax, paused.argmax)


def test_a_full_heap_keeps_the_bound_of_what_it_drops(monkeypatch):
    w = stream("branch/heap", 0).integers(-9, 10, size=(4, 7, 7))
    exact = max_weight_rotated_interval(w, max_area=9)
    monkeypatch.setattr(branch, "HEAP", 4)
    small = max_weight_rotated_interval(w, max_area=9)
    assert (small.maximum <= exact.maximum).all() and (exact.maximum <= small.upper).all()
    assert (small.lower <= exact.minimum).all() and not small.exact


def test_integers_stay_exact_and_floats_keep_their_dtype():
    w = np.array([[2**60, 1], [-(2**60), 0]])
    found = max_weight_rotated_interval(w)
    assert int(found.maximum) == 2**60 + 1 == int(found.upper) and int(found.minimum) == -(2**60)
    assert int(max_weight_rotated_interval(np.full((3, 3), 127, dtype=np.int8)).maximum) == 9 * 127
    single = max_weight_rotated_interval(np.full((3, 3), 0.1, dtype=np.float32))
    assert single.maximum.dtype == single.upper.dtype == np.float32
    whole = 9 * float(np.float32(0.1))
    assert float(single.maximum) <= whole <= float(single.upper) < whole + 1e-6


@pytest.mark.parametrize("limits", [{}, {"min_area": 5}, {"max_area": 97}, {"max_side": 4.0}])
def test_constant_fields_close_at_once(limits):
    w = np.ones((14, 14), dtype=int)
    found = max_weight_rotated_interval(w, nodes=20_000, **limits)
    assert found.exact and found.minimum == limits.get("min_area", 1)
    assert found.maximum == limits.get("max_area", 25 if "max_side" in limits else 196)


def test_batch_shapes():
    w = stream("branch/batch", 0).integers(-4, 5, size=(2, 3, 4, 5))
    found = max_weight_rotated_interval(w)
    assert found.upper.shape == (2, 3) and found.argmin.shape == (2, 3, 5)
    single = max_weight_rotated_interval(w[1, 2])
    assert single.maximum.shape == () and single.maximum == found.maximum[1, 2]


def test_a_budget_too_small_to_find_any_member():
    zone = np.zeros((9, 9), dtype=bool)
    zone[2, 3] = zone[7, 5] = True
    limits = {"zone": zone, "min_side": 1.2, "max_side": 1.3}
    with pytest.raises(NoneFound, match="no rectangle found .* nodes"):
        max_weight_rotated_interval(np.ones((9, 9), dtype=int), nodes=2, **limits)
    assert max_weight_rotated_interval(np.ones((9, 9), dtype=int), **limits).exact


@pytest.mark.parametrize("bad,error,words", [
    ({"weights": np.zeros((0, 2, 2))}, ValueError, "without a 0"),
    ({"weights": np.array([[np.nan, 1.0]])}, ValueError, "finite, got nan"),
    ({"weights": np.array([[2**62, 2**62]])}, ValueError, "2\\*\\*62"),
    ({"weights": np.array([[True]])}, TypeError, "bool"),
    ({"weights": np.ones((2, 2), dtype=np.longdouble)}, TypeError, "float16, 32 or 64, got"),
    ({"nodes": 0}, ValueError, "nodes must be an integer of at least 1, got 0"),
    ({"nodes": 1.5}, ValueError, "nodes must be an integer"),
    ({"seconds": 0}, ValueError, "seconds must be positive, got 0"),
    ({"gap": -1}, ValueError, "gap must be at least 0 and finite, got -1"),
    ({"ceiling": np.nan}, ValueError, "ceiling must be finite numbers"),
    ({"floor": np.zeros(3)}, ValueError, r"floor must have the batch shape \(\), got \(3,\)"),
    ({"min_area": 5, "max_area": 4}, ValueError, "min_area must be at most max_area"),
    ({"min_side": 3.0, "max_side": 2.0}, ValueError, "min_side must be at most max_side"),
    ({"zone": (0, 5, 0, 5)}, ValueError, "zone must satisfy"),
    ({"min_area": 8, "max_side": 1.0}, ValueError, "no rectangle meets the limits min_area=8.*3x3"),
])
def test_bad_input(bad, error, words):
    with pytest.raises(error, match=words):
        max_weight_rotated_interval(**({"weights": np.ones((3, 3), dtype=int)} | bad))


def test_a_grid_too_large_for_the_tables():
    with pytest.raises(ValueError, match="tables of a grid .* 120x120"):
        max_weight_rotated_interval(np.ones((120, 120), dtype=int))
