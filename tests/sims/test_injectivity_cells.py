"""The cells of injectivity: keys, rows that depend on the cell alone, thresholds in the rows."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sims.injectivity_cells import PRESETS, cells, compute, lowest
from sims.injectivity_predictors import CRITICAL_GAIN
from tests.sims.keys import check_keys
from theory.injectivity import module

QUICK = cells("quick", 0)


def chosen(**settings):
    return [c for c in QUICK if all(c.get(k) == v for k, v in settings.items())]


@pytest.mark.parametrize("preset", PRESETS)
def test_keys_are_unique_and_hold_the_configuration(preset):
    check_keys(cells(preset, 2), "injectivity", 2)



def test_rows_depend_on_the_cell_alone():
    for cell in (chosen(name="common")[-1], chosen(name="threshold")[0]):
        row = compute(cell)
        assert json.loads(json.dumps(row, allow_nan=False)) == row
        assert row == compute(json.loads(json.dumps(cell)))


@pytest.mark.parametrize("name", ["common", "pixelwise"])
def test_rows_change_at_the_critical_gain(name):
    for cell in chosen(name=name, rescaled=False):
        row, above = compute(cell), cell["gain"] > CRITICAL_GAIN
        assert row["collision"] == above == (row["least_determinant"] < 0) == (row["largest_row_sum"] > 1)
        if not above:
            assert row["scalings_violating"] == 0 and row["largest_ratio"] < 1
            assert row["smallest_stretch"] > 0.999 * (1 - row["largest_row_sum"])
            continue
        x, y = (np.reshape(row[k], cell["shape"]) for k in "xy")
        assert row["decimal"]["residual"] < 1e-40 and row["decimal"]["determinant"] < 0
        assert row["sign_change"] is (True if name == "common" else None)
        assert row["prop_4_ratio"] == pytest.approx(1, abs=1e-6)  # at a collision f x moves as far as x
        assert row["distance"] == pytest.approx(abs(x - y).max() / abs(x).max())
        assert row["smallest_singular_value_on_path"] <= row["smallest_singular_value"] + 1e-12


def test_blind_rows_have_no_collision_and_a_stretch_of_one():
    row = compute(chosen(name="blind-network", rescaled=True)[-1])
    assert not row["collision"] and row["least_determinant"] == pytest.approx(1)
    assert row["smallest_stretch"] == pytest.approx(1) and row["largest_ratio"] < 1e-9
    assert "decimal" not in row and row["scalings"] == 100


def test_binary_rows_count():
    row = compute(chosen(name="threshold")[0])
    assert row["repeats"] == 60 and row["collisions"] >= row["inputs_with_collision"] > 0
    assert row["collisions_verified"] == row["collisions"] and row["collisions_that_meet_prop_3"] == 0
    assert compute(chosen(name="rising-own")[0])["collisions"] == 0


def test_lowest_finds_a_minimum_in_the_box():
    z, value = lowest(lambda z: float(((z - 1) ** 2).sum()), (1, 2), 2, 30, np.random.default_rng(0))
    np.testing.assert_allclose(z, 1, atol=1e-3)
    assert value == pytest.approx(0, abs=1e-6)
    z, _ = lowest(lambda z: float(z.sum()), (1, 2), 1, 30, np.random.default_rng(0), reach=0.5)
    np.testing.assert_allclose(z, -0.5, atol=1e-4)


def test_a_row_s_collision_stands_on_its_own():
    """The two inputs of a row, taken from JSON, have one output under theory's module."""
    from sims.injectivity_predictors import soft
    from sims.streams import stream

    cell = chosen(name="network", rescaled=True)[-1]
    row = compute(cell)
    f = soft("network", cell["gain"], tuple(cell["shape"]), stream(
        f"injectivity/weights/network/{cell['shape']}/sample=0", cell["seed"]))
    x, y = (np.reshape(json.loads(json.dumps(row[k])), cell["shape"]) for k in "xy")
    np.testing.assert_allclose(module(f, x, rescaled=True), module(f, y, rescaled=True), rtol=1e-9)
    assert abs(x - y).max() > 1e-2
