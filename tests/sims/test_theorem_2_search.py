"""Searches for falls and ends: limits hold exactly, known suprema are neared and never passed."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest

from sims.theorem_2_search import Limits, fall, largest_fall, maximize, model_at, nearest_to_end
from theory.separation import separation_bounds
from theory.separation_gap import gap_bound, gap_inside_bound, separation


def witness(found):
    return {k: np.array([F(v) for v in values], dtype=object) for k, values in found["witness"].items()}


def test_maximize_finds_a_known_maximum():
    z, count = maximize(lambda z: -abs(z - 0.3).sum(axis=0), 3, 60, np.random.default_rng(0))
    np.testing.assert_allclose(z, 0.3, atol=1e-5)
    assert count > 1000


@pytest.mark.parametrize("limits", [
    Limits(), Limits(0.2, 0.7), Limits(0.0, 0.9, floor=0.1), Limits(inside=0.3), Limits(overlap=0.4),
    Limits(0.1, 0.9, floor=0.05, inside=0.5, overlap=0.2)])
def test_models_meet_their_limits(limits):
    z = np.random.default_rng(1).random((24, 50))
    m = model_at(z, 4, limits)
    p, q, g = m["pure"], m["other"], m["background"]
    for x in (p, q, g):
        np.testing.assert_allclose(x.sum(axis=-1), 1, atol=1e-12)
    assert (g >= limits.floor - 1e-12).all()
    assert (limits.low <= m["low"]).all() and (m["low"] <= m["high"]).all() and (m["high"] <= limits.high + 1e-15).all()
    assert (abs(p - q).sum(axis=-1) / 2 <= 1 - limits.overlap + 1e-12).all()
    inside = np.where(p != q, g, 0).sum(axis=-1)
    assert (inside <= limits.inside + 4 * limits.floor + 1e-12).all()
    one = model_at(z[:, 0], 4, limits, exact=True)
    assert all(sum(one[k]) == 1 for k in ("pure", "other", "background"))
    assert all(F(str(limits.low)) <= a <= b <= F(str(limits.high)) for a, b in zip(one["low"], one["high"], strict=True))
    for key, values in one.items():
        np.testing.assert_allclose(values.astype(float), m[key][0], atol=1e-7)


def test_fall_by_the_definitions_and_where_undefined():
    z = np.random.default_rng(2).random((18, 40))
    m = model_at(z, 3, Limits())
    got = fall(m)
    p, q, g = (m[k] for k in ("pure", "other", "background"))
    expected = separation(p, q, g, m["low"]) - separation(p, q, g, m["high"])
    np.testing.assert_allclose(got, expected, atol=1e-12)
    z[12:] = 1.0  # both maps 1 everywhere
    assert (fall(model_at(z, 3, Limits())) == -1).all()
    assert fall(model_at(z[:, 0], 3, Limits(), exact=True)) == -1


def test_empty_squares_give_a_density():
    m = model_at(np.zeros((18, 2)), 3, Limits(inside=0.5))
    np.testing.assert_array_equal(m["pure"], [[0, 0, 1]] * 2)


@pytest.mark.parametrize("low,high", [(0.0, 0.5), (0.3, 0.9)])
def test_three_atoms_near_the_bound_and_never_pass_it(low, high):
    found = largest_fall(3, Limits(low, high), 120, np.random.default_rng(0))
    bound = gap_bound(low, high)
    assert 0.97 * bound < found["gap"] <= bound
    m = witness(found)
    assert F(found["gap_exact"]) == fall(m) and found["ordered"]
    assert float(fall(m)) == pytest.approx(found["tv_low"] - found["tv_high"], abs=1e-12)
    assert found["pure_separation"] == pytest.approx(float(abs(m["pure"] - m["other"]).sum() / 2))


def test_two_atoms_never_fall():
    for seed in range(3):
        assert F(largest_fall(2, Limits(0.1, 0.9), 40, np.random.default_rng(seed))["gap_exact"]) <= 0


def test_overlap_and_inside_shrink_the_fall():
    free = largest_fall(3, Limits(0.0, 0.9), 100, np.random.default_rng(0))["gap"]
    shared = largest_fall(3, Limits(0.0, 0.9, overlap=0.5), 100, np.random.default_rng(0))["gap"]
    assert 0.9 * 0.5 * free < shared <= 0.5 * gap_bound(0.0, 0.9)
    outside = largest_fall(3, Limits(0.0, 0.9, inside=0.1), 100, np.random.default_rng(0))["gap"]
    assert 0.25 * gap_inside_bound(0.0, 0.9, 0.1) < outside <= gap_inside_bound(0.0, 0.9, 0.1)


@pytest.mark.parametrize("difference", [0.2, 0.6])
def test_nearest_models_of_two_atoms_against_a_closed_form(difference):
    """With background at least b at each of two atoms: position >= b/(b + (1-difference)(1-b))."""
    floor = 0.1
    found = nearest_to_end(2, difference, Limits(floor=floor), False, 80, np.random.default_rng(0))
    least = floor / (floor + (1 - difference) * (1 - floor))
    assert least - 1e-6 <= found["position"] <= least + 0.01
    m = witness(found)
    low, high = separation_bounds(m["pure"], m["other"], m["low"])
    tv = separation(m["pure"], m["other"], m["background"], m["low"])
    assert high - low >= difference and float((tv - low) / (high - low)) == found["position"]
    assert "high" not in m


def test_three_atoms_go_below_the_closed_form_of_two():
    """5/69 < 10/91 with b = difference = 1/10; the search finds such a model too."""
    p, q, g, lam = (np.array([F(v) for v in text.split()], dtype=object) for text in (
        "1/2 1/2 0", "0 0 1", "1/10 8/10 1/10", "1 1/5 1/2"))
    low, high = separation_bounds(p, q, lam)
    assert (low, high, min(g)) == (F(1, 2), F(3, 5), F(1, 10))
    b, difference = F(1, 10), high - low
    position = (separation(p, q, g, lam) - low) / difference
    assert position == F(5, 69) < b / (b + (1 - difference) * (1 - b)) == F(10, 91)
    limits = Limits(floor=0.1)
    found = nearest_to_end(3, 0.1, limits, False, 60, np.random.default_rng(0))
    assert found["position"] < 10 / 91 and found["ends_differ"] >= 0.1


@pytest.mark.parametrize("upper,end", [(False, 0.0), (True, 1.0)])
def test_both_ends_are_reached_without_a_floor(upper, end):
    found = nearest_to_end(2, 0.5, Limits(), upper, 60, np.random.default_rng(1))
    assert found["position"] == pytest.approx(end, abs=1e-6) and found["ends_differ"] >= 0.5


def test_bad_limits():
    for kwargs, message in (({"low": 0.5, "high": 0.5}, "low < high"), ({"floor": 2.0}, "floor"),
                            ({"inside": -0.1}, "inside"), ({"overlap": 1.1}, "overlap")):
        with pytest.raises(ValueError, match=message):
            Limits(**kwargs)
    for search in (largest_fall, lambda k, *rest: nearest_to_end(k, 0.5, rest[0], True, *rest[1:])):
        with pytest.raises(ValueError, match="floor must be at most 1/atoms, got 0.3 with 4 atoms"):
            search(4, Limits(floor=0.3), 5, np.random.default_rng(0))
    with pytest.raises(ValueError, match="floor must be at most"):
        model_at(np.zeros((24, 1)), 4, Limits(floor=0.3))
    assert model_at(np.zeros(24), 4, Limits(floor=0.25), exact=True)["background"].tolist() == [F(1, 4)] * 4
    with pytest.raises(ValueError, match="ends can differ"):
        nearest_to_end(2, 1.0, Limits(), True, 5, np.random.default_rng(0))
