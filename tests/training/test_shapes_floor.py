"""The approximation floor: by enumeration, by hand, and zero for rectangles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from theory.families import Rectangles, RotatedRectangles
from theory.rates import fitting_rate, missing_rate
from training.shapes import REGIMES, regime
from training.shapes_field import ShapeField
from training.shapes_floor import approximation_floor, floor_row

MASKS = {"rotated": RotatedRectangles(4, 4).masks(), "axis-aligned": Rectangles(4, 4).masks()}
MASKS = {name: masks[(masks == 1).any(axis=(1, 2))] for name, masks in MASKS.items()}


@pytest.mark.parametrize("family", MASKS)
@given(bits=st.lists(st.sampled_from([-1, 1, 1, 0]), min_size=16, max_size=16))
def test_the_floor_is_the_best_of_all_rectangles(family, bits):
    truth = np.array(bits, dtype=np.int8).reshape(4, 4)
    truth[1, 2] = 1
    known = truth != 0
    masks = MASKS[family]
    missing = float(missing_rate(masks, truth, where=known).min())
    shared = ((masks == 1) & (truth == 1)).sum(axis=(1, 2))
    iou = (shared / (((masks == 1) & known) | (truth == 1)).sum(axis=(1, 2))).max()
    found = approximation_floor(truth[None], family)
    assert abs(found.missing_rate[0] - missing) < 1e-12
    assert found.iou[0] == iou


def test_iou_agrees_with_theory_where_all_is_known():
    truth = np.where(np.add.outer(np.arange(5), np.arange(5)) % 3 == 0, 1, -1).astype(np.int8)
    masks = [m for m in Rectangles(5, 5).masks() if (m == 1).any()]
    best = max(float(fitting_rate(m, truth)) for m in masks)
    assert np.isclose(approximation_floor(truth[None], "axis-aligned").iou[0], best)


@pytest.mark.parametrize("name", ["needed", "axis-aligned", "elongated"])
def test_realisable_truths_have_no_floor(name):
    floor = approximation_floor(ShapeField(regime(name), 0).draw("test", range(40)).masks)
    assert (floor.missing_rate == 0).all() and (floor.iou == 1).all()


def test_rotated_truths_have_a_floor_among_axis_aligned_rectangles():
    floor = approximation_floor(ShapeField(regime("large"), 0).draw("test", range(40)).masks, "axis-aligned")
    assert floor.missing_rate.mean() > 0.01 and floor.iou.mean() < 0.9
    assert (floor.missing_rate >= 0).all()


@pytest.mark.parametrize(("truth", "missing", "iou"), [("star", 0.003, 0.95), ("l", 0.01, 0.9)])
def test_misspecified_truths_have_one(truth, missing, iou):
    assert truth in REGIMES
    row = floor_row(ShapeField(regime(truth), 0), 32, "test")
    assert row["floor_missing_rate"] > missing and row["best_iou"] < iou
    assert row["floor_missing_rate_max"] >= row["floor_missing_rate"]
    assert row["best_iou_min"] <= row["best_iou"] and row["n"] == 32


@pytest.mark.parametrize(("masks", "family", "message"), [
    (np.ones((1, 3, 3)), "oblique", "family must be one of"),
    (np.ones((3, 3)), "rotated", r"masks must be \(n, h, w\)"),
    (np.full((1, 3, 3), 2), "rotated", "of -1, 0 and"),
    (np.stack([np.ones((3, 3)), -np.ones((3, 3))]), "rotated", "empty, got mask 1 without"),
    (np.ones((1, 3, 4)), "rotated", "need a square grid, got 3x4"),
])
def test_bad_masks(masks, family, message):
    with pytest.raises(ValueError, match=message):
        approximation_floor(masks, family)


def test_no_masks_no_floors():
    assert len(approximation_floor(np.ones((0, 3, 3))).iou) == 0
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        floor_row(ShapeField(regime("needed"), 0), 0)
