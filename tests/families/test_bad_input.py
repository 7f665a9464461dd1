"""Bad arguments: an error that names the rule and the value."""

from __future__ import annotations

import numpy as np
import pytest

from theory.families import AllMasks, FiniteFamily, Parallelograms, Rectangles, RotatedRectangles

GRID = [AllMasks, Rectangles, RotatedRectangles, Parallelograms]
LIMITED = [Rectangles, RotatedRectangles, Parallelograms]


@pytest.mark.parametrize("family", GRID)
@pytest.mark.parametrize("bad", [0, -1, 2.5, 3.0, "3", None, True, float("nan")])
def test_grid_sizes(family, bad):
    with pytest.raises(ValueError, match="height must be an integer of at least 1, got"):
        family(bad, 3)
    with pytest.raises(ValueError, match="width must be an integer of at least 1, got"):
        family(3, bad)


@pytest.mark.parametrize("family", GRID)
def test_numpy_integers_are_integers(family):
    assert family(np.int64(2), np.uint8(3)).shape == (2, 3)
    with pytest.raises(TypeError, match="empty must be True or False, got 1"):
        family(2, 2, empty=1)


@pytest.mark.parametrize("family", LIMITED)
@pytest.mark.parametrize(("limits", "message"), [
    ({"min_area": -1}, "min_area must be an integer of at least 0, got -1"),
    ({"max_area": 2.5}, "max_area must be an integer of at least 0, got 2.5"),
    ({"min_area": 5, "max_area": 4}, "min_area must be at most max_area, got 5 > 4"),
    ({"min_area": 13}, "no rectangle meets the limits min_area=13"),
    ({"max_area": 0, "min_area": 0}, "no rectangle meets the limits"),
    ({"min_area": 5, "zone": (0, 2, 0, 2)}, "no rectangle meets the limits min_area=5"),
    ({"zone": (0, 4, 0, 4)}, r"bottom <= 3 .* got \(0, 4, 0, 4\)"),
    ({"zone": (1, 1, 0, 4)}, r"got \(1, 1, 0, 4\)"),
    ({"zone": (0, 2, 3, 5)}, "right <= 4"),
    ({"zone": (-1, 2, 0, 3)}, "zone must be an integer of at least 0, got -1"),
    ({"zone": (0, 2.5, 0, 3)}, "zone must be"),
    ({"zone": np.ones((4, 3), dtype=bool)}, r"got shape \(4, 3\)"),
    ({"zone": np.ones((3, 4))}, "boolean"),
    ({"zone": np.zeros((3, 4), dtype=bool)}, "at least one position"),
    ({"zone": (0, 1)}, r"got shape \(2,\)"),
])
def test_areas_and_zones(family, limits, message):
    with pytest.raises(ValueError, match=message):
        family(3, 4, **limits)


@pytest.mark.parametrize("bad", [-1, float("nan"), float("inf"), "a", True])
@pytest.mark.parametrize("name", ["min_side", "max_side"])
def test_sides(name, bad):
    for family in (Rectangles, RotatedRectangles):
        with pytest.raises(ValueError, match=f"{name} must be"):
            family(3, 3, **{name: bad})


def test_sides_of_rectangles_are_integers_and_positive():
    with pytest.raises(ValueError, match="min_side must be an integer of at least 0, got 1.5"):
        Rectangles(3, 3, min_side=1.5)
    with pytest.raises(ValueError, match="max_side must be an integer of at least 1, got 0"):
        Rectangles(3, 3, max_side=0)
    with pytest.raises(ValueError, match="max_side must be positive, got 0"):
        RotatedRectangles(3, 3, max_side=0)
    for family in (Rectangles, RotatedRectangles):
        with pytest.raises(ValueError, match="min_side must be at most max_side, got 3"):
            family(3, 3, min_side=3, max_side=2)


def test_impossible_limits_of_rectangles():
    for limits in ({"min_side": 4}, {"min_area": 7, "max_area": 7},
                   {"min_side": 2, "max_area": 3}, {"max_side": 1, "min_area": 2}):
        with pytest.raises(ValueError, match="no rectangle meets the limits"):
            Rectangles(3, 4, **limits)
    family = Rectangles(2, 2, zone=np.eye(2, dtype=bool), min_area=2, empty=True)
    for use in (lambda: family.size, lambda: list(family), family.boxes, family.strategy,
                lambda: family.sample(np.random.default_rng(0), 1), family.masks):
        with pytest.raises(ValueError, match="no rectangle meets the limits min_area=2"):
            use()


def test_impossible_limits_of_rotated_rectangles():
    family = RotatedRectangles(3, 3, zone=(1, 2, 1, 2), min_side=2, empty=True)
    for use in (lambda: family.size, lambda: list(family), family.strategy, family.bits,
                lambda: family.sample(np.random.default_rng(0), 1), family.masks):
        with pytest.raises(ValueError, match="no rectangle meets the limits .*min_side=2.0"):
            use()
    large = RotatedRectangles(9, 9, zone=(4, 5, 4, 5), min_side=2)
    with pytest.raises(ValueError, match="random draws: no rectangle meets the limits"):
        large.sample(np.random.default_rng(0), 2)


@pytest.mark.parametrize("shape", [(1, 4), (4, 1)])
def test_parallelograms_name_equation_5(shape):
    with pytest.raises(ValueError, match="Eq. 5 needs H >= 2 and W >= 2"):
        Parallelograms(*shape)
    assert RotatedRectangles(*shape).size == Rectangles(*shape).size == 10


@pytest.mark.parametrize("family", [AllMasks(2, 2), Rectangles(2, 2), RotatedRectangles(2, 2),
                                    FiniteFamily([[[1]]])])
def test_sample(family):
    for bad in (0, None, np.random.RandomState(0), np.random):  # noqa: NPY002
        with pytest.raises(TypeError, match="numpy.random.Generator"):
            family.sample(bad, 3)
    for bad in (-1, 1.5):
        with pytest.raises(ValueError, match="n must be an integer of at least 0, got"):
            family.sample(np.random.default_rng(0), bad)
