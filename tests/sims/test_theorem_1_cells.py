"""Cells of Theorem 1: coverage judged, bounds made too small caught, the memoriser counted."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

from sims import theorem_1_cells
from sims.family_names import ALL_MASKS, RECTANGLES, ROTATED
from sims.supremum import extremes_of
from sims.theorem_1 import BOUNDS, draw_samples, expected_worst_exact, slacks, supremum_risk_exact
from sims.theorem_1_cells import DELTAS, KIND, MEMORISER, NOISE, cells, compute
from sims.theorem_1_laws import ONE_MAP, setting
from sims.theorem_1_memoriser import Memoriser, World, hoeffding_half_width, missed_positions
from tests.sims.judge import coverage_p_value
from theory.bounds import confidence_term

ALARM = 1e-6
"""False-alarm rate of one coverage test."""


@pytest.fixture(scope="module")
def rows():
    """Quick cells on small grids of every kind, family and law."""
    return [{**cell, **compute(cell)} for cell in cells("quick", 0)]


def of(rows, kind):
    return [r for r in rows if r["kind"] == kind]


def test_every_bound_fails_no_more_often_than_delta(rows):
    some = of(rows, KIND)
    assert {r["delta"] for r in some} == set(DELTAS) and len(some) > 200
    for row in some:
        for name in BOUNDS:
            p = coverage_p_value(row[f"{name}_failures"], row["repeats"], row["delta"])
            assert p > ALARM, (row["key"], name)
            low, high = row[f"{name}_rate_low"], row[f"{name}_rate_high"]
            assert low <= row[f"{name}_failures"] / row["repeats"] <= high


def test_the_ceiling_and_theorem_1_never_fail_and_theorem_1_says_less(rows):
    for row in of(rows, KIND):
        assert row["ceiling_failures"] == row["theorem_1_failures"] == 0
        assert row["ceiling_slack_min"] >= 0
        assert row["theorem_1_slack_min"] >= row["ceiling_slack_min"] + confidence_term(
            row["n"], row["delta"]) - 1e-12
        assert row["supremum"] <= row["expected_worst"] <= row["ceiling"]


def test_failures_agree_with_their_probability(rows):
    """The sharp bound on one map and two targets, where it does fail."""
    from scipy.stats import binomtest

    failing = 0
    for row in of(rows, KIND):
        chance = row["sharp_failure_probability"]
        assert (chance is None) == (row["n"] > 64)
        if chance is not None:
            assert chance <= row["delta"]
            assert binomtest(row["sharp_failures"], row["repeats"], chance).pvalue > ALARM
            failing += row["sharp_failures"]
    assert failing > 100


def drawn(place, n, repeats=400):
    some = setting(*place)
    return some, draw_samples(some, n, repeats, np.random.default_rng(5))


@pytest.mark.parametrize("place", [(RECTANGLES, 5, 5, None, None, "uniform"),
                                   (RECTANGLES, 5, 5, 6, 6, "small"),
                                   (RECTANGLES, 5, 5, 6, None, "uniform"),
                                   (ALL_MASKS, 5, 5, None, None, "uniform"),
                                   (ROTATED, 4, 4, None, None, "uniform")])
def test_bounds_made_too_small_are_caught_by_the_same_judge(place):
    """Theorem 3 without 2 R_S, Theorem 1 without the ceiling, the sharp bound with 80% of mean g."""
    some, samples = drawn(place, 4096)
    top, delta = supremum_risk_exact(some, Fraction(0)), 0.1
    slack, scale = slacks(some, samples, top, delta), 4096 * some.positions
    too_small = {"theorem_3": (samples.most - samples.least) / scale,
                 "theorem_1": float((1 - some.rho) / 2), "sharp": 0.2 * samples.most / scale}
    for name, missing in too_small.items():
        sound, broken = ((s < 0).sum() for s in (slack[name], slack[name] - missing))
        assert coverage_p_value(int(sound), 400, delta) > ALARM
        assert coverage_p_value(int(broken), 400, delta) < ALARM, name


def test_a_bound_whose_second_term_is_halved_is_caught_where_it_is_tight():
    """One map, two targets: half of the sharp bound's second term fails more often than delta."""
    some, samples = drawn((ONE_MAP, 5, 5, None, None, "two masks"), 256, repeats=4000)
    top, delta = expected_worst_exact(some), 0.1
    slack = slacks(some, samples, top, delta)["sharp"]
    mean_g = samples.most / (256 * 25)
    half = mean_g - float(top) + (slack - (mean_g - float(top))) / 2
    assert coverage_p_value(int((slack < 0).sum()), 4000, delta) > ALARM
    assert coverage_p_value(int((half < 0).sum()), 4000, delta) < ALARM


def test_vacuous_where_the_statement_says_so(rows):
    """Theorem 1 for rho = -1 is above 1 in every sample, at every N and delta."""
    for row in of(rows, KIND):
        if row["rho"] == "-1":
            assert row["theorem_1_above_one"] == row["repeats"]
            assert row["theorem_1_excess_mean"] >= confidence_term(row["n"], row["delta"]) - 1e-12
    assert any(r["theorem_1_above_one"] == 0 for r in of(rows, KIND))


def test_noise_curves(rows):
    curves = {}
    for row in of(rows, NOISE):
        place = row["family"], row["max_area"], row["max_area_in"], row["law"], tuple(row["grid"])
        curves.setdefault(place, []).append((Fraction(row["noise"]), Fraction(row["supremum_exact"]),
                                             Fraction(row["expected_worst_exact"])))
    assert len(curves) == 9
    for place, curve in curves.items():
        risks = [risk for _, risk, _ in sorted(curve)]
        assert risks[0] == curve[0][2] and risks == sorted(risks, reverse=True)
        if "two masks" not in place:  # there one b misses both as much as any
            assert risks[0] > risks[-1]


def test_memorisers_fit_the_sample_and_miss_as_much_as_any_function(rows):
    """Hoeffding intervals at 1e-3 each; 18 of them."""
    some = of(rows, MEMORISER)
    assert len(some) == 18
    for row in some:
        assert row["empirical_missed"] == row["least_missed"]
        assert row["empirical"] == 0 or not row["targets_in_family"]
        assert row["risk_low"] <= row["supremum"] <= row["risk_high"]
        assert abs(row["risk"] - row["supremum"]) < 0.02


@pytest.mark.parametrize("place", [(RECTANGLES, 3, 3, 4, None, "small"), (ALL_MASKS, 3, 3, None, None, "small"),
                                   (ROTATED, 3, 3, 3, 3, "uniform"), (ONE_MAP, 3, 3, None, None, "two masks")])
@pytest.mark.parametrize("noise", ["0", "1/2", "1"])
def test_the_memoriser_mask_by_mask(place, noise):
    some, world = setting(*place), World(setting(*place), Fraction(noise))
    rng = np.random.default_rng(0)
    inputs, targets = world.draw(rng, 30)
    inputs = inputs / 2 + 0.25  # inputs below, between and above the stored ones are new
    f = Memoriser(world, inputs, targets)
    stored = f(inputs)
    assert missed_positions(some, stored, targets) == some.least[targets].sum()
    off = rng.random(200)
    answers = f(off)
    assert all(a in some.family for a in answers) and all(a in some.family for a in stored)
    mean = np.average(some.targets, axis=0, weights=some.weights)
    lam = float(Fraction(noise))
    weights = (1 - lam) * some.targets[world.truth(off)] + lam * mean
    products = np.tensordot(weights, some.family.masks().astype(float), ((1, 2), (1, 2)))
    assert np.allclose((answers * weights).sum(axis=(1, 2)), products.min(axis=1), atol=1e-12)


def test_pairs_follow_the_joint_law():
    """Targets equal a(x) with probability 1 - noise + noise P(a); the marginal is the law."""
    some = setting(RECTANGLES, 2, 2, None, None, "small")
    p = some.weights / some.weights.sum()
    for noise in (Fraction(0), Fraction(1, 4), Fraction(1)):
        world = World(some, noise)
        inputs, targets = world.draw(np.random.default_rng(2), 40000)
        truth = world.truth(inputs)
        agree = 1 - float(noise) + float(noise) * (p**2).sum()
        assert abs((truth == targets).mean() - agree) < hoeffding_half_width(40000, ALARM)
        for index in (truth, targets):
            share = np.bincount(index, minlength=len(p)) / 40000
            assert np.abs(share - p).max() < hoeffding_half_width(40000, ALARM)


def test_ends_of_the_shares():
    some = setting(RECTANGLES, 2, 2, None, None, "small")
    world, ends = World(some, Fraction(0)), np.cumsum(some.weights) / some.weights.sum()
    assert world.truth(np.array([0.0, np.nextafter(1.0, 0.0)])).tolist() == [0, len(ends) - 1]
    assert world.truth(np.array([ends[0] - 1e-9, ends[0] + 1e-9])).tolist() == [0, 1]


def test_stored_inputs_only_differ_from_the_rest():
    """One ulp away from a stored input the answer is the one off the sample."""
    some = setting(RECTANGLES, 3, 3, None, None, "uniform")
    world = World(some, Fraction(0))
    inputs, targets = world.draw(np.random.default_rng(4), 10)
    f, near = Memoriser(world, inputs, targets), np.nextafter(inputs, 1)
    missed = [missed_positions(some, f(x), targets) for x in (inputs, near)]
    assert missed == [0, int(some.most[targets].sum())]
    with pytest.raises(ValueError, match="inputs of a sample must be distinct, got 2 with 1"):
        Memoriser(world, np.array([0.5, 0.5]), targets[:2])
    with pytest.raises(ValueError, match="draws >= 1"):
        hoeffding_half_width(0, 0.1)


def test_witnesses_of_the_adversary_are_the_minimum():
    some = setting(RECTANGLES, 3, 3, None, None, "uniform")
    found = extremes_of(some.family, some.targets.astype(np.int64), witnesses=True)
    assert np.array_equal((found.argmin != some.targets).sum(axis=(1, 2)), some.most)


def test_cells_name_everything_and_share_their_samples(rows):
    for preset in ("quick", "full"):
        todo = cells(preset, 1)
        assert len({c["key"] for c in todo}) == len(todo)
        for cell in todo[::50]:
            for field in ("n", "delta", "repeats", "fresh", "noise", "law", "max_area", "max_area_in"):
                if field in cell:
                    assert f"{field}={cell[field]}/" in cell["key"] or f"/{cell[field]}/" in cell["key"]
            assert cell["key"].endswith("seed=1") and cell["kind"] in cell["key"]
    shared = {}
    for row in of(rows, KIND):
        if row["delta"] == 0.1 and row["targets_in_family"]:
            place = (row["family"], row["max_area"], row["law"], tuple(row["grid"]), row["n"])
            mean_g = row["sharp_slack_mean"] + row["supremum"]
            assert shared.setdefault(place, mean_g) == pytest.approx(mean_g, abs=1e-12)


def test_cells_depend_on_nothing_but_themselves():
    todo = cells("quick", 7)[::23]
    forward = [compute(c) for c in todo]
    theorem_1_cells._samples.cache_clear()
    setting.cache_clear()
    supremum_risk_exact.cache_clear()
    backward = [compute(json.loads(json.dumps(c))) for c in reversed(todo)]
    assert forward == backward[::-1]
    assert json.loads(json.dumps(forward, allow_nan=False)) == forward
    assert [compute({**c, "seed": 8}) for c in todo if c["kind"] != MEMORISER] != [
        x for x, c in zip(forward, todo, strict=True) if c["kind"] != MEMORISER]
