"""Overlap of boxes against shapely, counting and hand; errors of parameters modulo symmetries."""

import math

import numpy as np
import pytest
import shapely
import torch
from hypothesis import given
from hypothesis import strategies as st

from theory.equivariance import symmetries
from theory.rectangle import Rectangle, hard_rectangle
from training.metrics_boxes import box_iou, corners, parameter_errors, rotated_iou, tight_boxes

parts = st.tuples(*[st.floats(0, 1)] * 2, *[st.floats(0.01, 2)] * 2, st.floats(-7, 7))


def rectangle(*numbers):
    return Rectangle.from_array(torch.tensor(numbers, dtype=torch.float64))


def drawn(n, seed, low=0.03, high=0.7):
    g = torch.Generator().manual_seed(seed)
    u = torch.rand(n, 5, generator=g, dtype=torch.float64)
    return Rectangle(u[:, :2], low + (high - low) * u[:, 2:4], 12 * u[:, 4] - 6)


def by_shapely(a, b):
    a, b = (shapely.polygons(corners(r).numpy()) for r in (a, b))
    shared = shapely.area(shapely.intersection(a, b))
    return shared / (shapely.area(a) + shapely.area(b) - shared)


@pytest.mark.parametrize("sizes", [(0.03, 0.7), (1e-3, 1e-2), (0.3, 5.0)])
def test_rotated_iou_against_shapely(sizes):
    a, b = drawn(3000, 0), drawn(3000, 1, *sizes)
    found, expected = rotated_iou(a, b).numpy(), by_shapely(a, b)
    assert np.abs(found - expected).max() < 1e-12
    assert 0.01 < (expected > 0).mean()
    assert np.abs(found - rotated_iou(b, a).numpy()).max() < 1e-12


@given(parts, parts)
def test_rotated_iou_of_any_two(a, b):
    a, b = rectangle(*a), rectangle(*b)
    found = rotated_iou(a, b).item()
    assert 0 <= found <= 1 + 1e-12
    assert found == pytest.approx(rotated_iou(b, a).item(), abs=1e-9)
    assert found == pytest.approx(by_shapely(a, b), abs=1e-9)


def test_equal_touching_and_nested_rectangles():
    a = drawn(500, 2)
    same = Rectangle.from_array(symmetries(a.to_array())[:, 1])
    for e in (0.0, 1e-16, 1e-12):
        assert (rotated_iou(a, Rectangle(a.center + e, same.half_widths, same.angle)) > 1 - 1e-9).all()
    half = Rectangle(a.center, a.half_widths / 2, a.angle)
    assert torch.allclose(rotated_iou(a, half), torch.tensor(0.25, dtype=torch.float64))
    unit = rectangle(0, 0, 1, 1, 0)
    assert rotated_iou(unit, rectangle(2, 0, 1, 1, 0)) == 0  # a common edge has no area
    assert rotated_iou(unit, rectangle(1, 0, 1, 1, 0)).item() == pytest.approx(1 / 3)
    octagon = 8 * (math.sqrt(2) - 1)
    assert rotated_iou(unit, rectangle(0, 0, 1, 1, math.pi / 4)).item() == pytest.approx(
        octagon / (8 - octagon))


def test_rotated_iou_is_an_affine_invariant():
    """In pixels of a grid that is not square the shapes are parallelograms of the same IoU."""
    a, b = drawn(50, 3), drawn(50, 4)
    scale = np.array([7.0, 31.0])
    pixels = [shapely.polygons(corners(r).numpy() * scale) for r in (a, b)]
    shared = shapely.area(shapely.intersection(*pixels))
    expected = shared / (shapely.area(pixels[0]) + shapely.area(pixels[1]) - shared)
    assert np.abs(rotated_iou(a, b).numpy() - expected).max() < 1e-12


def test_batches_broadcast_and_float32_is_widened():
    a, b = drawn(4, 5), drawn(1, 6)
    one = Rectangle(b.center[0], b.half_widths[0], b.angle[0])
    assert torch.equal(rotated_iou(a, one), rotated_iou(a, b)) and rotated_iou(a, one).shape == (4,)
    single = Rectangle(a.center.float(), a.half_widths.float(), a.angle.float())
    assert rotated_iou(single, single).dtype == torch.float64
    assert (rotated_iou(single, single) - 1).abs().max() < 1e-12


def test_corners_lie_on_the_edge_of_the_hard_rectangle():
    """The convention of theory.rectangle: angle from axis 1 to axis 2, half-widths."""
    r = drawn(200, 7)
    for factor, sign in ((1 - 1e-6, 1), (1 + 1e-6, -1)):
        points = r.center[:, None] + factor * (corners(r) - r.center[:, None])
        for k in range(200):
            alone = Rectangle(r.center[k], r.half_widths[k], r.angle[k])
            assert (hard_rectangle(alone, points[k]) == sign).all()


boxes = st.tuples(*[st.integers(0, 6)] * 4)


@given(boxes, boxes)
def test_box_iou_counts_cells(a, b):
    cells = np.zeros((2, 13, 13), dtype=bool)
    edges = [(t, left, t + h, left + w) for t, left, h, w in (a, b)]
    for k, (top, left, bottom, right) in enumerate(edges):
        cells[k, top:bottom, left:right] = True
    union = (cells[0] | cells[1]).sum()
    expected = (cells[0] & cells[1]).sum() / union if union else 0.0
    assert box_iou(*(torch.tensor(e) for e in edges)).item() == expected
    for k in range(2):
        tight = tight_boxes(torch.from_numpy(cells[k : k + 1]))[0]
        assert tight.tolist() == (list(edges[k]) if cells[k].any() else [0, 0, 0, 0])


def test_a_box_is_its_rectangle():
    a, b = torch.tensor([0.0, 1.0, 3.0, 5.0]), torch.tensor([1.0, 0.0, 4.0, 3.0])
    turned = [Rectangle((x[:2] + x[2:]) / 2, (x[2:] - x[:2]) / 2, torch.zeros(())) for x in (a, b)]
    assert box_iou(a, b).item() == pytest.approx(rotated_iou(*turned).item()) == pytest.approx(4 / 17)


@given(parts, st.integers(0, 3))
def test_symmetric_parameters_have_no_error(numbers, turns):
    a = rectangle(*numbers)
    b = Rectangle.from_array(symmetries(a.to_array())[turns])
    assert all(v.item() < 1e-9 for v in parameter_errors(b, a).values())


def test_each_error_by_hand():
    a, b = rectangle(0.5, 0.5, 0.1, 0.3, 0.2), rectangle(0.53, 0.54, 0.2, 0.3, 0.2)
    found = {k: v.item() for k, v in parameter_errors(b, a).items()}
    assert found == {"centre_error": pytest.approx(0.05), "log_size_error": pytest.approx(
        math.log(2) / 2), "angle_error": pytest.approx(0, abs=1e-12)}
    swapped = rectangle(0.5, 0.5, 0.3, 0.1, 0.2 + math.pi / 2 + 0.3 - 3 * math.pi)
    found = parameter_errors(swapped, a)
    assert found["angle_error"].item() == pytest.approx(0.3)
    assert found["log_size_error"].item() == pytest.approx(0, abs=1e-12)
    across = parameter_errors(rectangle(0.5, 0.5, 0.001, 0.4, math.pi / 2), rectangle(
        0.5, 0.5, 0.001, 0.4, 0.0))  # long and thin: turned, not of another shape
    assert across["angle_error"].item() == pytest.approx(math.pi / 2)
    square = parameter_errors(rectangle(0, 0, 1, 1, 1.5), rectangle(0, 0, 1, 1, 0))
    assert square["angle_error"].item() == pytest.approx(math.pi / 2 - 1.5)


@given(parts, parts, st.floats(0.1, 50))
def test_size_and_angle_errors_have_no_unit(a, b, unit):
    small = parameter_errors(rectangle(*a), rectangle(*b))
    big = parameter_errors(*(rectangle(*(unit * v for v in r[:4]), r[4]) for r in (a, b)))
    assert big["centre_error"].item() == pytest.approx(unit * small["centre_error"].item(), abs=1e-9)
    total = [e["log_size_error"].item() + e["angle_error"].item() for e in (small, big)]
    assert total[0] == pytest.approx(total[1], abs=1e-6)
    assert 0 <= small["angle_error"].item() <= math.pi / 2 + 1e-9


def test_boxes_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"4 edges \(..., 4\), got shape \(3,\)"):
        box_iou(torch.zeros(3), torch.zeros(4))
