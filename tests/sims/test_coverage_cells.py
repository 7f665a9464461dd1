"""The cells of coverage: all bounds judged, all made a fifth smaller caught, orders, tightness."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.stats import binomtest

from sims import coverage_cells
from sims.coverage import CLASS, HELD_OUT, IN_ORDER, ORDERS, bound_of, law, outcomes
from sims.coverage_cells import (
    ALARM,
    DRAWN,
    LARGE,
    PRESETS,
    TABLE,
    TWO_SIDED,
    UPPER,
    cells,
    compute,
    judge,
    side_by_side,
)
from sims.run import SIMULATIONS, Simulation, run
from tests.sims.judge import coverage_p_value
from tests.sims.keys import check_keys
from theory.bounds import confidence_term

ONE_TEST = 1e-6
"""False-alarm rate of one statistical test."""

ONLY_EXACT = {"pac_bayes_quadratic", "pac_bayes_lambda"}
"""Made a fifth smaller they are caught by exact probabilities only: 1e30 predictors are not drawn."""

ELSEWHERE = {  # mean upper ends at level 0.05 from a few hundred other samples, three digits
    ("bernoulli 0.05", 200): {"hoeffding": 0.136, "chernoff": 0.095, "clopper_pearson": 0.082,
                              "maurer_pontil": 0.134, "betting": 0.090, "theorem_3_term": 0.288},
    ("beta 2 18", 200): {"hoeffding": 0.187, "chernoff": 0.160, "maurer_pontil": 0.157,
                         "betting": 0.128, "theorem_3_term": 0.288},
    ("beta 2 18", 1000): {"hoeffding": 0.139, "chernoff": 0.125, "maurer_pontil": 0.115,
                          "betting": 0.107, "theorem_3_term": 0.129},
}


@pytest.fixture(scope="module")
def rows():
    """The quick cells but the largest one."""
    return [{**cell, **compute(cell)} for cell in cells("quick", 0) if cell["n"] != LARGE[1]]


def of(rows, **settings):
    return [r for r in rows if all(r.get(k) == v for k, v in settings.items())]


@pytest.mark.parametrize("preset", PRESETS)
def test_keys_are_unique_and_hold_the_configuration(preset):
    made = cells(preset, 2)
    check_keys(made, "coverage", 2)
    assert {c["bound"] for c in made} == {*HELD_OUT, *CLASS}
    assert {c["bound"] for c in made if c["part"] == "exact"} == {*HELD_OUT, *CLASS}
    assert {c.get("side") for c in made if c["part"] == "held-out"} == {UPPER, TWO_SIDED}
    assert {c.get("order") for c in made if c["bound"] in IN_ORDER and c["part"] == "held-out"} == set(ORDERS)
    for name, n in TABLE:
        assert of(made, law=name, n=n, delta=0.05, side=UPPER, order=DRAWN)


def test_the_judge_s_alarm_is_shared_by_the_rows():
    from scipy.stats import binom

    for repeats, delta in [(100, 0.05), (10000, 0.001)]:
        row = {"repeats": repeats, "delta": delta}
        for count in (1, 50):
            limit = next(k for k in range(repeats) if binom.sf(k - 1, repeats, delta) < ALARM / count)
            verdicts = [judge([{**row, "misses": k}] * count)[0] for k in (limit - 1, limit)]
            assert verdicts == ["unrefuted", "refuted"]
    exact = {"worst_probability": 0.0501, "worst_probability_smaller": 0.05, "delta": 0.05}
    assert judge([exact]) == ["refuted"] and judge([exact], "misses_smaller") == ["unrefuted"]
    with pytest.raises(ValueError, match=r"alarm must be in \(0, 1\), got 1"):
        judge([], alarm=1)


def test_every_bound_that_promises_something_is_unrefuted(rows):
    promised = of(rows, guaranteed=True)
    assert len(promised) > 500 and {r["bound"] for r in promised} == {*HELD_OUT, *CLASS}
    assert set(judge(promised)) == {"unrefuted"}
    for row in promised:
        if "misses" in row:
            assert coverage_p_value(row["misses"], row["repeats"], row["delta"]) > ALARM / len(promised)
            assert row["rate_low"] <= row["miss_rate"] <= row["rate_high"]
            assert row["misses"] <= row["misses_smaller"]
        else:
            assert row["worst_probability"] <= row["delta"] * (1 + 1e-9)


def test_every_bound_made_a_fifth_smaller_is_refuted_somewhere(rows):
    promised = of(rows, guaranteed=True)
    found = dict.fromkeys(("sampled", "exact"))
    for kind in found:
        some = [r for r in promised if ("misses" in r) == (kind == "sampled")]
        found[kind] = {r["bound"] for r, v in zip(some, judge(some, "misses_smaller"), strict=True)
                       if v == "refuted"}
    everywhere = {*HELD_OUT, *CLASS}
    assert found["sampled"] == everywhere - ONLY_EXACT - {"maurer_pontil"}
    assert found["exact"] == everywhere - {"maurer_pontil"}


def test_maurer_and_pontil_made_a_fifth_smaller_is_refuted_by_a_large_sample():
    """By bisection over the counts: the smaller bound grows with them up to half of the sample."""
    name, n, delta, _ = LARGE
    bound, p = bound_of("maurer_pontil", delta), law(*LARGE[:3]).mean
    from scipy.stats import binom

    chance = {}
    for factor in (1.0, 0.8):
        low, high = 0, int(n * p)
        while high - low > 1:
            k = (low + high) // 2
            upper = float(bound.upper(losses=(np.arange(n) < k).astype(float)))
            low, high = (k, high) if k / n + factor * (upper - k / n) < p else (low, k)
        chance[factor] = binom.cdf(low, n, p)
    assert chance[1.0] < 0.1 * delta and chance[0.8] > 2 * delta
    row = {"misses": int(1e7 * chance[0.8]), "repeats": 10**7, "delta": delta}
    assert judge([row] * 2000) == ["refuted"] * 2000


@pytest.mark.deep
def test_the_largest_cell_agrees():
    cell = of(cells("quick", 0), n=LARGE[1])[0]
    row = {**cell, **compute(cell)}
    assert judge([row] * 1000)[0] == "unrefuted" and judge([row] * 1000, "misses_smaller")[0] == "refuted"
    assert binomtest(row["misses_smaller"], row["repeats"],
                     row["miss_probability_smaller"]).pvalue > ONE_TEST
    assert row["miss_probability_smaller"] == pytest.approx(2.136e-5, rel=1e-2)


def test_how_much_smaller_before_it_is_caught(rows):
    """The least distance from the tightest possible, bound by bound, at level 0.05."""
    best = {}
    for row in of(rows, part="exact", delta=0.05, members=1.0):
        best[row["bound"]] = max(best.get(row["bound"], 0), row["factor_caught"])
    assert [best[b] for b in ("chernoff", "clopper_pearson", "occam")] == pytest.approx([1] * 3, abs=1e-9)
    assert 0.86 < best["hoeffding"] < 0.87 and 0.8 < best["betting"] < 0.82
    assert 0.39 < best["maurer_pontil"] < 0.4 and 0.7 < best["pac_bayes_kl"] < 0.75
    large = of(rows, part="exact", bound="pac_bayes_quadratic")[-1]
    assert large["members"] == 1e30 and 0.84 < large["factor_caught"] < 0.85


def test_an_order_chosen_after_seeing_the_losses_voids_the_guarantee(rows):
    for name in ("bernoulli 0.5", "beta 2 18"):
        some = {r["order"]: r for r in of(rows, bound="betting", law=name, n=200, delta=0.05, side=UPPER)}
        assert set(some) == set(ORDERS)
        verdicts = {order: judge([row])[0] for order, row in some.items()}
        assert verdicts == {order: "refuted" if order == "ascending" else "unrefuted" for order in ORDERS}
        assert {order for order, row in some.items() if not row["guaranteed"]} == {"ascending", "descending"}
        assert some["ascending"]["miss_rate"] > 2 * 0.05 and some["descending"]["misses"] == 0
        assert some["reversed"]["upper_mean"] == pytest.approx(some[DRAWN]["upper_mean"], abs=0.005)


def test_counts_agree_with_their_probability(rows):
    told = missing = 0
    for row in rows:
        for suffix in ("", "_smaller"):
            chance = row.get(f"miss_probability{suffix}")
            if chance is not None:
                count = row[f"misses{suffix}"]
                assert binomtest(count, row["repeats"], min(chance, 1.0)).pvalue > ONE_TEST, row["key"]
                told, missing = told + 1, missing + count
                assert suffix or not row["guaranteed"] or chance <= row["delta"] * (1 + 1e-9)
    assert told > 300 and missing > 10000


def test_both_sides_hold_at_half_the_level(rows):
    some = of(rows, side=TWO_SIDED)
    assert {r["bound"] for r in some} == set(HELD_OUT)
    for row in some:
        for count in (row["misses_above"], row["misses"] - row["misses_above"]):
            assert coverage_p_value(count, row["repeats"], row["delta"] / 2) > ALARM / (2 * len(some))
        one = of(rows, bound=row["bound"], law=row["law"], n=row["n"], delta=0.05, side=UPPER, order=DRAWN,
                 repeats=row["repeats"])[0]
        same = row["law"].startswith("edge") or one["upper_mean"] == 1 or row["law"] == "point 1"
        assert row["upper_mean"] > one["upper_mean"] or same
        assert 0 <= row["width_mean"] <= row["upper_mean"] + 1e-12
    assert any(r["misses"] > r["misses_above"] for r in some)


def test_masses_at_a_point_are_never_missed(rows):
    for name in ("point 0", "point 1"):
        some = of(rows, law=name)
        assert {r["bound"] for r in some} == set(HELD_OUT)
        assert not any(r["misses"] or r["misses_smaller"] for r in some)
    assert all(r["upper_mean"] == 1 == r["at_one"] / r["repeats"] for r in of(rows, law="point 1"))
    ends = {r["bound"]: r["upper_mean"] for r in of(rows, law="point 0", n=200, delta=0.05, side=UPPER)}
    assert ends["chernoff"] == pytest.approx(1 - 0.05 ** (1 / 200))
    assert ends["maurer_pontil"] == pytest.approx(7 * math.log(40) / (3 * 199))


def test_a_rare_loss_of_one_breaks_a_bound_by_the_variance_alone(rows):
    """Maurer and Pontil without the last term, on losses 0.1 that are 1 once in N examples."""
    for row in of(rows, law="rare 1", bound="maurer_pontil", side=UPPER):
        n, delta = row["n"], row["delta"]
        counts = np.random.default_rng(0).binomial(n, 1 / n, 2000)
        losses = np.where(np.arange(n) < counts[:, None], 1.0, 0.1)
        last = 7 * math.log(2 / delta) / (3 * (n - 1))
        upper = bound_of("maurer_pontil", delta).upper(losses=losses)
        short = int((upper - last < row["mean"]).sum())
        assert judge([{"misses": short, "repeats": 2000, "delta": delta}]) == ["refuted"]
        assert row["misses"] == 0 and short > 0.3 * 2000


def test_side_by_side_is_what_was_measured_elsewhere(rows):
    table = side_by_side(rows)
    assert list(table) == list(TABLE) == list(ELSEWHERE)
    for (name, n), found in table.items():
        line = {bound: row["upper_mean"] for bound, row in found.items()}
        line["theorem_3_term"] = found["betting"]["theorem_3_term"]
        assert set(line) == set(ELSEWHERE[name, n])
        for bound, value in ELSEWHERE[name, n].items():
            assert line[bound] == pytest.approx(value, abs=0.0021), bound
        assert line["theorem_3_term"] == confidence_term(n, 0.05)
        assert line["betting"] < min(line["chernoff"], line["maurer_pontil"]) < line["hoeffding"]
    assert side_by_side([]) == side_by_side([{"bound": "betting"}]) == dict.fromkeys(TABLE, {})


def test_cells_depend_on_nothing_but_themselves():
    todo = [c for c in cells("quick", 4) if c["n"] <= 200][::23]
    assert {c["part"] for c in todo} == {"held-out", "class", "exact"}
    forward = [compute(c) for c in todo]
    coverage_cells._losses.cache_clear()
    assert [compute(json.loads(json.dumps(c))) for c in reversed(todo)] == forward[::-1]
    assert json.loads(json.dumps(forward, allow_nan=False)) == forward
    other = [compute({**c, "seed": 5}) for c in todo]
    assert all((a == b) for a, b, c in zip(forward, other, todo, strict=True) if c["part"] == "exact")
    assert sum(a != b for a, b in zip(forward, other, strict=True)) > len(todo) / 2


def test_bounds_of_one_law_see_the_same_samples(monkeypatch):
    seen = {}
    for bound in ("chernoff", "betting"):
        cell = {**of(cells("quick", 0), bound=bound, law="uniform", n=20, delta=0.05, side=UPPER)[0],
                "repeats": 50}

        def note(_bound, losses, side, bound=bound):
            seen[bound] = losses.copy()
            return np.zeros(len(losses)), np.ones(len(losses))

        monkeypatch.setattr("sims.coverage.ends", note)
        compute(cell)
    assert np.array_equal(seen["chernoff"], seen["betting"]) and seen["betting"].shape == (50, 20)


def test_the_exact_rows_are_those_of_outcomes():
    cell = of(cells("quick", 0), part="exact", bound="hoeffding", n=8, delta=0.05)[0]
    row, some = compute(cell), outcomes("hoeffding", 8, 0.05)
    assert row["worst_probability"] == pytest.approx(some.miss_probability(row["worst_mean"] * (1 + 1e-9)))
    assert row["worst_probability_smaller"] >= some.miss_probability(row["factor_mean"], 0.8) > 0.05
    assert row["miss_probability_there"] == some.miss_probability(row["factor_mean"]) < 0.05
    assert row["upper_of_zero"] == some.upper[0]


def test_a_run_writes_rows(tmp_path, monkeypatch):
    chosen = [c for c in cells("quick", 3) if c["n"] == 20][:4]
    monkeypatch.setattr(coverage_cells, "cells", lambda preset, seed: chosen)
    monkeypatch.setitem(SIMULATIONS, "coverage", Simulation("coverage", "", "sims.coverage_cells"))
    assert run("coverage", "quick", tmp_path, 3).written == 4
    assert run("coverage", "quick", tmp_path, 3).found == 4
    assert "code" in json.loads((tmp_path / "coverage.jsonl").read_text().splitlines()[0])
