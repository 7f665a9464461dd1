"""The coordinates of Eq. 5, what they do off square grids, and image against feature coordinates."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from theory.rectangle import Rectangle, grid, grid_to_image, hard_mask, image_to_grid


@pytest.mark.parametrize(("height", "width"), [(2, 2), (3, 5), (7, 4)])
def test_coordinates_are_those_of_eq_5(height, width):
    points = grid(height, width)
    assert points.shape == (height, width, 2)
    for i in range(1, height + 1):
        for j in range(1, width + 1):
            wanted = [Fraction(i - 1, height - 1), Fraction(j - 1, width - 1)]
            np.testing.assert_allclose(points[i - 1, j - 1], [float(x) for x in wanted], atol=1e-15)
    assert points.min() == 0 and points.max() == 1


def test_pixel_units():
    points = grid(1, 3, unit=False)
    assert points.tolist() == [[[0, 0], [0, 1], [0, 2]]]


def test_off_square_grids_the_mask_is_a_parallelogram():
    height, width, angle = 5, 17, 0.6
    r = Rectangle([0.5, 0.5], [0.4, 0.2], angle)
    h, w = height - 1, width - 1
    # in pixels: centre + a D R e1 + b D R e2 with |a| <= sigma_1, |b| <= sigma_2
    axes = np.array([[h * math.cos(angle), -h * math.sin(angle)],
                     [w * math.sin(angle), w * math.cos(angle)]])
    pixels = np.stack(np.meshgrid(range(height), range(width), indexing="ij"), -1)
    a, b = np.moveaxis(np.linalg.solve(axes, (pixels - [h / 2, w / 2])[..., None])[..., 0], -1, 0)
    inside = (abs(a) <= 0.4) & (abs(b) <= 0.2)
    np.testing.assert_array_equal(hard_mask(r, height, width), np.where(inside, 1, -1))
    assert 3 < inside.sum() < 60
    assert axes[:, 0] @ axes[:, 1] == pytest.approx(
        math.sin(angle) * math.cos(angle) * (w**2 - h**2))  # no right angle
    assert np.linalg.det(axes) == pytest.approx(h * w)  # areas are kept


def test_image_and_feature_coordinates():
    image, cells, stride = 224, 7, 32
    assert image_to_grid(1.0, image, cells, stride) - 0.5 == pytest.approx(0.5 * 1.1615, abs=1e-4)
    for k in range(cells):  # centre of the block of pixels that cell k stands for
        block = np.arange(k * stride, (k + 1) * stride).mean() / (image - 1)
        assert image_to_grid(block, image, cells, stride) == pytest.approx(k / (cells - 1), abs=1e-14)
    u = np.linspace(-0.2, 1.2, 9)
    np.testing.assert_allclose(grid_to_image(image_to_grid(u, 300, 10, 32), 300, 10, 32), u)


def test_same_size_is_the_identity():
    u = np.linspace(0, 1, 5)
    np.testing.assert_allclose(image_to_grid(u, 7, 7, 1), u, atol=1e-15)
