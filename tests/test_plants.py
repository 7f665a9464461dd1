"""The planted errors fit the code: each text stands once in its file, and what must turn red is there."""

from __future__ import annotations

import ast

import pytest

from tests.planted import PLANTS, ROOT


@pytest.mark.parametrize("plant", PLANTS, ids=lambda p: f"{p.file}: {p.old.strip()[:40]}")
def test_a_plant_fits_its_file(plant):
    text = (ROOT / plant.file).read_text()
    assert text.count(plant.old) == 1 and plant.new != plant.old
    if plant.file.endswith(".py"):
        ast.parse(text.replace(plant.old, plant.new))
    chosen = [t for t in plant.tests.split() if ".py" in t]
    assert chosen and all((ROOT / t.split("::")[0]).is_file() for t in chosen)


def test_no_error_is_planted_twice():
    assert len({(p.file, p.old, p.new) for p in PLANTS}) == len(PLANTS)
