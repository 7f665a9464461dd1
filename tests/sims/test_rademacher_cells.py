"""The cells: keys, targets, kinds of predictors, the committed values."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from sims.rademacher_cells import PRESETS, cells, compute, random_rectangles
from sims.rows import read_rows
from sims.streams import stream
from theory.families import AllMasks, Rectangles, RotatedRectangles
from theory.rademacher import rademacher_constant_exact, rademacher_grouped_exact

COMMITTED = Path(__file__).parents[2] / "paper_figures" / "rows" / "rademacher.jsonl"
FAMILY = {"axis-aligned rectangles": Rectangles(3, 3), "rotated rectangles": RotatedRectangles(3, 3),
          "all masks": AllMasks(3, 3, empty=True)}
REPEATED = "all, inputs repeated 4 times"


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(PRESETS, "quick", {"grids": (3,), "largest": 2, "samples": 2, "draws": 64,
                                           "rotated_grids": (3,), "repeats": 4})


@pytest.mark.parametrize("preset", PRESETS)
def test_keys_are_unique_and_say_what_is_computed(preset):
    todo = cells(preset, 3)
    assert len({cell["key"] for cell in todo}) == len(todo)
    for cell in todo:
        words = cell["key"].split("/")
        assert words[:4] == ["rademacher", cell["family"], cell["predictors"],
                             f"{cell['grid'][0]}x{cell['grid'][1]}"]
        assert words[4:] == [f"n={cell['n']}", f"sample={cell['sample']}",
                             f"draws={cell['draws']}", "delta=0.05", "seed=3"]
        assert cell["grid"][0] in PRESETS[preset]["rotated_grids"] or cell["family"] != "rotated rectangles"
        assert cell["n"] >= cell.get("repeats", 1)
    assert [cell["n"] for cell in todo] == sorted(cell["n"] for cell in todo)
    kinds = {(cell["family"], cell["predictors"]) for cell in todo}
    assert kinds == {(f, p) for f in FAMILY for p in ("all", "constant", REPEATED)}


def test_a_preset_may_leave_the_extras_out(monkeypatch):
    monkeypatch.setitem(PRESETS, "quick", {"grids": (3,), "largest": 1, "samples": 1, "draws": 9})
    todo = cells("quick", 0)
    assert len(todo) == 8 and {cell["family"] for cell in todo} == set(FAMILY) - {"rotated rectangles"}
    monkeypatch.setitem(PRESETS, "quick", PRESETS["quick"] | {"rotated_grids": (2,)})
    extra = [cell for cell in cells("quick", 0) if cell["grid"] == [2, 2]]
    assert {cell["family"] for cell in extra} == {"rotated rectangles"} and len(extra) == 4


def test_exact_cells_against_enumeration(tiny):
    """Every exact cell by theory's enumeration of the family, and which cells are exact."""
    for cell in cells("quick", 1):
        n, family = cell["n"], FAMILY[cell["family"]]
        row = compute(cell)
        assert row["exact"] is not (cell["predictors"] == "constant" and n == 16)
        targets = random_rectangles(stream(f"targets/3x3/n={n}/sample={cell['sample']}", 1), n, 3, 3)
        if row["exact"]:
            inputs = {"all": np.arange(n), "constant": np.zeros(n), REPEATED: np.arange(n) // 4}
            expected = rademacher_grouped_exact(family, targets, inputs[cell["predictors"]])
            assert Fraction(row["fraction"]) == expected and row["value"] == float(expected)
            assert row["low"] == row["high"] == row["value"] and row["variance"] == 0
            assert row["error"] == "none" and row["delta"] == 0
        else:
            assert row["low"] < row["value"] < row["high"] and row["variance"] > 0
            assert row["draws"] == 64 and row["delta"] == 0.05
            if cell["sample"] == 0:
                exact = float(rademacher_constant_exact(family, targets))
                assert abs(row["value"] - exact) < 5 * (row["variance"] / 64) ** 0.5


def test_more_freedom_and_more_masks_are_more_complexity(tiny):
    value = {(c["family"], c["predictors"], c["n"], c["sample"]): compute(c) for c in cells("quick", 2)}
    small, middle, large = FAMILY
    for (family, predictors, *rest), row in value.items():
        assert 0 <= row["low"] <= row["value"] <= row["high"] <= 0.5
        if predictors == REPEATED:
            assert value[family, "constant", *rest]["low"] <= row["value"]
            assert row["value"] <= value[family, "all", *rest]["value"]
        if family == small:
            assert row["low"] <= value[middle, predictors, *rest]["high"]
        if family == middle:
            assert row["low"] <= value[large, predictors, *rest]["high"]


def test_signs_of_a_cell_are_those_of_its_key():
    """The committed values (not the intervals, which may improve), bit for bit."""
    again = 0
    for row in read_rows(COMMITTED):
        if (row["n"] in (4, 16, 64) and row["grid"] == [7, 7] and row["sample"] == 2
                and row["family"] in ("all masks", "axis-aligned rectangles")
                and row["predictors"] in ("all", "constant")):
            cell = {name: row[name] for name in ("key", "family", "predictors", "grid", "n",
                                                 "sample", "seed")} | {"draws": 4000}
            numbers = compute(cell)
            assert all(row[name] == numbers[name] for name in ("value", "fraction", "draws"))
            again += 1
    assert again == 12
