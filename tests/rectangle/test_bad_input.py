"""Bad parameters and sizes: the error names the rule and the value."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from theory.equivariance import Similarity, quotient_loss
from theory.rectangle import (
    Rectangle,
    attention_map,
    grid,
    grid_to_image,
    hard_mask,
    image_to_grid,
    logit_soft_rectangle,
    soft_rectangle,
    window,
)

GOOD = Rectangle([0.5, 0.5], [0.3, 0.2], 0.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("make", [np.asarray, torch.tensor])
def test_parameters_must_be_finite(bad, make):
    for k, name in enumerate(["center", "center", "half_widths", "half_widths", "angle"]):
        p = [0.5, 0.5, 0.2, 0.2, 0.0]
        p[k] = bad
        with pytest.raises(ValueError, match=f"{name} must be finite, got {bad}"):
            Rectangle.from_array(make(p))


@pytest.mark.parametrize("bad", [0.0, -0.25])
def test_half_widths_must_be_positive(bad):
    with pytest.raises(ValueError, match=f"half_widths must be positive, got {bad}"):
        Rectangle([0.5, 0.5], [0.2, bad], 0.0)


def test_shapes_are_named():
    with pytest.raises(ValueError, match=r"center must have shape \(..., 2\), got \(3,\)"):
        Rectangle([0.5, 0.5, 0.5], [0.2, 0.2], 0.0)
    with pytest.raises(ValueError, match=r"5 parameters \(..., 5\), got shape \(4,\)"):
        Rectangle.from_array(np.zeros(4))
    with pytest.raises(ValueError, match=r"points must have shape \(..., 2\), got \(3,\)"):
        soft_rectangle(GOOD, np.zeros(3), 6.0)


def test_eq_5_needs_two_cells_a_side():
    for height, width, name in ((1, 5, "H"), (5, 1, "W")):
        for call in (grid, lambda h, w: attention_map(GOOD, h, w, 6.0),
                     lambda h, w: hard_mask(GOOD, h, w)):
            with pytest.raises(ValueError, match=rf"divides by {name} - 1\), got 1"):
                call(height, width)


@pytest.mark.parametrize("bad", [0, -2, 2.5])
def test_sides_must_be_positive_integers(bad):
    with pytest.raises(ValueError, match=f"H must be a positive integer, got {bad}"):
        grid(bad, 4)


@pytest.mark.parametrize("s", [0.0, -6.0, math.nan, math.inf])
def test_the_scale_must_be_positive_and_finite(s):
    for call in (soft_rectangle, logit_soft_rectangle):
        with pytest.raises(ValueError, match="s must be positive and finite"):
            call(GOOD, [0.5, 0.5], s)
    with pytest.raises(ValueError, match="s must be positive and finite"):
        window(0.0, 0.0, 1.0, s)


@pytest.mark.parametrize("sigma", [0.0, -1.0])
def test_the_window_needs_a_positive_half_width(sigma):
    with pytest.raises(ValueError, match="sigma must be positive"):
        window(0.5, 0.0, sigma, 6.0)


def test_conversions_need_two_cells():
    for call in (image_to_grid, grid_to_image):
        with pytest.raises(ValueError, match="at least 2 cells, got 1"):
            call(0.5, 32, 1, 32)


@pytest.mark.parametrize("scale", [0.0, -1.0])
def test_similarities_need_a_positive_scale(scale):
    with pytest.raises(ValueError, match=f"scale must be positive, got {scale}"):
        Similarity(scale=scale)
    with pytest.raises(ValueError, match="finite"):
        Similarity(shift=[math.nan, 0.0])


def test_losses_refuse_nan_and_wrong_shapes():
    with pytest.raises(ValueError, match="finite"):
        quotient_loss(np.array([0.5, 0.5, 0.2, math.nan, 0.0]), np.zeros(5))
    with pytest.raises(ValueError, match="5 parameters"):
        quotient_loss(np.zeros(4), np.zeros(4))
