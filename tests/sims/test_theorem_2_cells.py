"""The cells: unique keys that hold every number, rows of finite numbers, order does not matter."""

from __future__ import annotations

import json

import pytest

from sims.theorem_2_cells import PRESETS, cells, compute
from tests.sims.keys import check_keys
from theory.separation_gap import gap_bound

QUICK = cells("quick", 0)


def first(part, **settings):
    return next(c for c in QUICK if c["part"] == part and all(c[k] == v for k, v in settings.items()))


@pytest.mark.parametrize("preset", PRESETS)
def test_keys_are_unique_and_hold_the_configuration(preset):
    made = cells(preset, 3)
    check_keys(made, "theorem-2", 3)
    assert {c["part"] for c in made} == {"mixtures", "fall", "end", "line", "plane"}


@pytest.mark.parametrize("part", ["mixtures", "fall", "end", "line", "plane"])
def test_rows_depend_on_the_cell_alone(part):
    cell = first(part)
    row = compute(cell)
    assert json.loads(json.dumps(row, allow_nan=False)) == row == compute(json.loads(json.dumps(cell)))


def test_another_seed_draws_other_models():
    cell = first("mixtures")
    other = next(c for c in cells("quick", 1) if c["part"] == "mixtures")
    assert compute(cell)["mean"] != compute(other)["mean"]


def test_a_row_of_mixtures_has_its_counts():
    row = compute(first("mixtures", atoms=3, law="uniform", supports="disjoint"))
    assert row["repeats"] == 1000 and row["exact_repeats"] == 5
    assert all(v == 0 for v in row["violations"].values())
    assert row["mean"]["low"] <= row["mean"]["range_low"] <= row["mean"]["tv"] <= row["mean"]["range_high"] <= row["mean"]["high"]


def test_a_row_of_falls_states_the_bound():
    row = compute(first("fall", atoms=3, limits={"low": 0.2, "high": 0.7}))
    assert row["bound"] == gap_bound(0.2, 0.7) and 0.8 * row["bound"] < row["gap"] <= row["bound"]
    assert compute(first("fall", atoms=2))["bound"] == 0.0
    shared = compute(first("fall", limits={"low": 0.0, "high": 0.9, "overlap": 0.7}))
    assert shared["bound"] == gap_bound(0.0, 0.9, 1 - 0.7) and shared["gap"] <= shared["bound"]


def test_lines_hold_the_sandwich_and_sweep_towards_the_pure_distance():
    chosen = [c for c in QUICK if c["part"] == "line" and c["model"].get("shape") == "window" and "keep" in c["model"]
              and c["model"]["distance"] == 2.0]
    rows = [compute(c) for c in chosen]
    assert [c["model"]["keep"] for c in chosen] == [1.0, 0.5, 0.1, 0.01]
    assert all(r["low"] <= r["tv"] <= r["high"] for r in rows)
    assert [r["tv"] for r in rows] == sorted(r["tv"] for r in rows)
    assert rows[-1]["tv"] == pytest.approx(rows[-1]["pure"], abs=0.01)
