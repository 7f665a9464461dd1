"""Axis-aligned suprema against written-out families, plain NumPy and integral images."""

from __future__ import annotations

import numpy as np
import pytest

from sims.supremum import inner_product_extremes, max_weight_rectangle
from sims.supremum.plain import max_weight_rectangle as plain
from tests.sims.test_supremum_routes import (
    SMALL,
    box_weights,
    boxes_in_order,
    draw,
    in_box,
    over_masks,
)
from theory.families import Rectangles

TURNS = {
    "rows": lambda w: w[..., ::-1, :], "columns": lambda w: w[..., ::-1],
    "transpose": lambda w: w.swapaxes(-2, -1), "quarter turn": lambda w: np.rot90(w, axes=(-2, -1)),
    "half turn": lambda w: np.rot90(w, 2, axes=(-2, -1)),
}


def attained(w, found):
    """Whether both witnesses of every matrix have exactly the weights returned."""
    flat = w.reshape(-1, *w.shape[-2:])
    return all(in_box(one, place) == value
               for places, values in ((found.argmax, found.maximum), (found.argmin, found.minimum))
               for one, place, value in zip(flat, places.reshape(-1, 4), values.ravel(), strict=True))


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("height,width", SMALL)
def test_every_small_grid_against_the_written_out_family(height, width, dtype):
    w = draw("small", (67, height, width), dtype=dtype)
    w[0], w[1] = -3, 3
    found = max_weight_rectangle(w)
    high, low = over_masks(w, Rectangles(height, width).masks())
    assert np.array_equal(found.maximum, high) and np.array_equal(found.minimum, low)
    assert attained(w.astype(float), found)


@pytest.mark.parametrize("scale,dtype", [(1, "int16"), (10**5, "int32"), (10**12, "int64")])
@pytest.mark.parametrize("height,width", [(5, 5), (2, 4), (4, 1), (1, 5)])
def test_sums_in_every_integer_dtype(height, width, scale, dtype):
    from sims.supremum.axis_aligned import dtype_of_sums

    w = draw("scales", (70, height, width), -9, 9) * scale
    assert dtype_of_sums(w, 8) == np.dtype(dtype)
    found = max_weight_rectangle(w)
    high, low = over_masks(w, Rectangles(height, width).masks())
    assert np.array_equal(found.maximum, high) and np.array_equal(found.minimum, low)
    assert attained(w, found)


@pytest.mark.parametrize("shape", [(33, 6, 7), (5, 9, 13), (3, 13, 9), (2, 1, 40), (2, 40, 1),
                                   (1, 3, 31), (2, 16, 17)])
def test_larger_grids_against_all_boxes_of_an_integral_image(shape):
    """Values, and witnesses: the first box in the stated order."""
    w = draw("larger", shape, -2, 2)
    boxes = boxes_in_order(*shape[1:])
    sums = box_weights(w, boxes)
    found = max_weight_rectangle(w)
    for k in range(len(w)):
        assert (sums[k].max(), sums[k].min()) == (found.maximum[k], found.minimum[k])
        assert boxes[sums[k].argmax()] == tuple(found.argmax[k])
        assert boxes[sums[k].argmin()] == tuple(found.argmin[k])


@pytest.mark.parametrize("scale,dtype", [(1, np.int16), (3000, np.int16), (10**6, np.int64), (1, np.float64)])
@pytest.mark.parametrize("shape", [(300, 7, 7), (40, 14, 14), (9, 14, 31), (9, 31, 14), (3, 28, 28), (1, 56, 56)])
def test_against_plain_numpy(shape, scale, dtype):
    w = draw("plain", shape, -1, 1, dtype=dtype) * dtype(scale)
    w[0] = -np.abs(w[0]) - 1
    found, other = max_weight_rectangle(w), plain(w)
    assert np.array_equal(found.maximum, other.maximum)
    assert np.array_equal(found.minimum, other.minimum)
    assert attained(w.astype(float), found)
    if shape[1] <= shape[2]:
        assert np.array_equal(found.argmax, other.argmax)
        assert np.array_equal(found.argmin, other.argmin)


@pytest.mark.parametrize("side", [181, 182, 200, 254, 255, 256])
def test_codes_of_strips_on_many_rows(side):
    """Strips are numbered by (top, bottom): beyond 181 rows not in signed, 254 in unsigned int16."""
    w = np.zeros((3, side, side + 1), dtype=np.int8)  # few others: the sums fit into int16
    planted = [((side - 3, side - 1, side - 5, side), 7), ((side - 1, side, side, side + 1), 100),
               ((3, side - 2, 5, 6), 3)]
    for one, ((top, bottom, left, right), value) in zip(w, planted, strict=True):
        one[top - 1:bottom + 1, left - 1:right + 1] = -1
        one[top:bottom, left:right] = value
    found = max_weight_rectangle(w)
    assert found.argmax.tolist() == [list(box) for box, _ in planted]
    assert found.maximum.tolist() == [70, 100, 3 * (side - 5)]
    assert attained(w.astype(int), found)


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
@pytest.mark.parametrize("shape", [(40, 5, 8), (9, 9, 3), (70, 4, 4)])
def test_flips_transposes_and_turns_leave_the_values(turn, shape):
    w = draw("turns", shape, -6, 6)
    before, after = max_weight_rectangle(w), max_weight_rectangle(turn(w))
    assert np.array_equal(before.maximum, after.maximum)
    assert np.array_equal(before.minimum, after.minimum)
    assert attained(turn(w), after)


def test_negating_and_scaling_weights():
    w = draw("sign", (40, 6, 5), -6, 6)
    found, negated, tripled = (max_weight_rectangle(x) for x in (w, -w, 3 * w))
    assert np.array_equal(negated.maximum, -found.minimum)
    assert np.array_equal(negated.argmax, found.argmin)
    assert np.array_equal(negated.argmin, found.argmax)
    assert np.array_equal(tripled.maximum, 3 * found.maximum)
    assert np.array_equal(tripled.argmin, found.argmin)


def test_all_negative_weights_take_one_cell_and_no_empty_rectangle():
    found = max_weight_rectangle(np.array([[-5, -2], [-7, -3]]))
    assert (int(found.maximum), found.argmax.tolist()) == (-2, [0, 1, 1, 2])
    assert (int(found.minimum), found.argmin.tolist()) == (-17, [0, 2, 0, 2])


def test_inner_products_against_masks_of_signs():
    w = draw("inner", (60, 4, 5))
    masks = Rectangles(4, 5).masks().reshape(-1, 20).astype(np.int64)
    products = w.reshape(60, 20) @ masks.T
    high, low = inner_product_extremes(w, max_weight_rectangle(w))
    assert np.array_equal(high, products.max(axis=1)) and np.array_equal(low, products.min(axis=1))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_of_quarters_agree_with_integers(dtype):
    w = draw("quarters", (50, 7, 6), -6, 6)
    whole, real = max_weight_rectangle(w), max_weight_rectangle((w / 4).astype(dtype))
    assert real.maximum.dtype == (np.float64 if dtype == np.float64 else np.float32)
    assert np.array_equal(real.maximum * 4, whole.maximum)
    assert np.array_equal(real.minimum * 4, whole.minimum)
    assert np.array_equal(real.argmax, whole.argmax) and np.array_equal(real.argmin, whole.argmin)


@pytest.mark.parametrize("dtype,close", [(np.float32, 2e-5), (np.float64, 4e-14)])
@pytest.mark.parametrize("shape", [(70, 6, 9), (5, 20, 20), (70, 9, 4)])
def test_floats_are_exact_up_to_rounding(shape, dtype, close):
    from sims.streams import stream

    w = stream("supremum tests/normal", 0).normal(size=shape).astype(dtype)
    found = max_weight_rectangle(w)
    sums = box_weights(w.astype(np.float64), boxes_in_order(*shape[1:]))
    assert found.maximum.dtype == found.minimum.dtype == dtype
    assert np.abs(found.maximum - sums.max(axis=1)).max() < close
    assert np.abs(found.minimum - sums.min(axis=1)).max() < close
    for k, one in enumerate(w.astype(np.float64)):
        assert abs(in_box(one, found.argmax[k]) - found.maximum[k]) < close
        assert abs(in_box(one, found.argmin[k]) - found.minimum[k]) < close


@pytest.mark.parametrize("shape", [(9, 9, 11), (9, 4, 5), (3, 9, 2)])
def test_without_witnesses_the_values_are_the_same(shape):
    w = draw("none", shape)
    with_, without = max_weight_rectangle(w), max_weight_rectangle(w, witnesses=False)
    assert without.argmax is None and without.argmin is None
    assert np.array_equal(with_.maximum, without.maximum)
    assert np.array_equal(with_.minimum, without.minimum)
    assert with_.exact and with_.upper is None
