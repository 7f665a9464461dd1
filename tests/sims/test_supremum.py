"""The exact suprema against brute force over the families, and their laws."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from sims.supremum import inner_product_extremes, max_weight_mask, max_weight_rectangle
from theory.families import AllMasks, Rectangles

SMALL = list(product(range(1, 6), repeat=2))


def brute_force(weights, family):
    """Largest and smallest ``<b, w>`` over every mask of the family."""
    masks = family.masks().reshape(-1, family.height * family.width).astype(np.int64)
    products = weights.reshape(len(weights), -1) @ masks.T
    return products.max(axis=1), products.min(axis=1)


def weight_of(weights, place):
    top, bottom, left, right = place
    assert 0 <= top < bottom <= weights.shape[0] and 0 <= left < right <= weights.shape[1]
    return weights[top:bottom, left:right].sum()


@pytest.mark.parametrize("height,width", SMALL)
def test_rectangles_against_enumeration(height, width):
    w = np.random.default_rng(1).integers(-4, 5, size=(60, height, width))
    found = inner_product_extremes(w, max_weight_rectangle(w))
    expected = brute_force(w, Rectangles(height, width))
    assert np.array_equal(found[0], expected[0]) and np.array_equal(found[1], expected[1])


@pytest.mark.parametrize("height,width", [s for s in SMALL if s[0] * s[1] <= 12])
def test_all_masks_against_enumeration(height, width):
    w = np.random.default_rng(2).integers(-4, 5, size=(60, height, width))
    found = inner_product_extremes(w, max_weight_mask(w))
    expected = brute_force(w, AllMasks(height, width, empty=True))
    assert np.array_equal(found[0], expected[0]) and np.array_equal(found[1], expected[1])


@pytest.mark.parametrize("height,width", [(1, 1), (1, 9), (9, 1), (6, 11), (14, 14)])
def test_witnesses_attain_the_values(height, width):
    w = np.random.default_rng(3).integers(-9, 10, size=(200, height, width))
    e = max_weight_rectangle(w)
    for i in range(len(w)):
        assert weight_of(w[i], e.argmax[i]) == e.maximum[i]
        assert weight_of(w[i], e.argmin[i]) == e.minimum[i]
    m = max_weight_mask(w)
    assert np.array_equal((w * (m.argmax == 1)).sum(axis=(1, 2)), m.maximum)
    assert np.array_equal((w * (m.argmin == 1)).sum(axis=(1, 2)), m.minimum)


def test_larger_grids_against_prefix_sums():
    """A second algorithm: all corners of all rectangles from one integral image."""
    w = np.random.default_rng(4).integers(-3, 4, size=(5, 9, 13))
    e = max_weight_rectangle(w)
    for one, top, low in zip(w, e.maximum, e.minimum, strict=True):
        s = np.zeros((10, 14), dtype=int)
        s[1:, 1:] = one.cumsum(0).cumsum(1)
        every = [s[b, r] - s[t, r] - s[b, left] + s[t, left]
                 for t in range(9) for b in range(t + 1, 10)
                 for left in range(13) for r in range(left + 1, 14)]
        assert (max(every), min(every)) == (top, low)


@pytest.mark.parametrize("turn", [
    lambda w: w[:, ::-1], lambda w: w[:, :, ::-1], lambda w: w.transpose(0, 2, 1),
    lambda w: np.rot90(w, axes=(1, 2)),
])
@pytest.mark.parametrize("solver", [max_weight_rectangle, max_weight_mask])
def test_flips_transposes_and_turns_leave_the_values(turn, solver):
    w = np.random.default_rng(5).integers(-6, 7, size=(40, 5, 8))
    before, after = solver(w), solver(turn(w))
    assert np.array_equal(before.maximum, after.maximum)
    assert np.array_equal(before.minimum, after.minimum)


@pytest.mark.parametrize("solver", [max_weight_rectangle, max_weight_mask])
def test_negating_and_scaling_weights(solver):
    w = np.random.default_rng(6).integers(-6, 7, size=(40, 6, 5))
    e, negated, tripled = solver(w), solver(-w), solver(3 * w)
    assert np.array_equal(negated.maximum, -e.minimum)
    assert np.array_equal(tripled.maximum, 3 * e.maximum)


def test_all_negative_weights_take_one_cell_and_no_empty_rectangle():
    e = max_weight_rectangle(np.array([[-5, -2], [-7, -3]]))
    assert (int(e.maximum), e.argmax.tolist()) == (-2, [0, 1, 1, 2])
    assert int(max_weight_mask(np.array([[-5, -2]])).maximum) == 0  # the empty mask


def test_integers_stay_exact_where_floats_would_not():
    w = np.array([[2**53, 1], [-(2**54), 0]])
    e = max_weight_rectangle(w)
    assert int(e.maximum) == 2**53 + 1 and e.maximum.dtype == np.int64
    assert int(max_weight_rectangle(np.full((3, 3), 127, dtype=np.int8)).maximum) == 9 * 127
    assert int(max_weight_rectangle(np.full((2, 2), 2**14)).maximum) == 2**16


def test_floats_stay_floats_and_agree_with_integers():
    w = np.random.default_rng(7).integers(-6, 7, size=(50, 7, 7))
    whole, real = max_weight_rectangle(w), max_weight_rectangle(w / 4)
    assert real.maximum.dtype == np.float64
    assert np.array_equal(real.maximum * 4, whole.maximum)
    assert np.array_equal(real.argmax, whole.argmax)


def test_float_witnesses_attain_the_values_up_to_rounding():
    w = np.random.default_rng(8).normal(size=(300, 6, 9))
    e = max_weight_rectangle(w)
    for i in range(len(w)):
        assert abs(weight_of(w[i], e.argmax[i]) - e.maximum[i]) < 1e-12
        assert abs(weight_of(w[i], e.argmin[i]) - e.minimum[i]) < 1e-12


def test_batch_shapes_and_chunks_do_not_matter(monkeypatch):
    w = np.random.default_rng(9).integers(-6, 7, size=(3, 4, 6, 5))
    e = max_weight_rectangle(w)
    assert e.maximum.shape == (3, 4) and e.argmax.shape == (3, 4, 4)
    monkeypatch.setattr("sims.supremum.CACHE_BYTES", 1)
    one_by_one = max_weight_rectangle(w)
    assert np.array_equal(e.maximum, one_by_one.maximum)
    assert np.array_equal(e.argmin, one_by_one.argmin)
    single = max_weight_rectangle(w[1, 2])
    assert single.maximum.shape == () and int(single.maximum) == e.maximum[1, 2]


@pytest.mark.parametrize("solver", [max_weight_rectangle, max_weight_mask])
@pytest.mark.parametrize("bad,error,words", [
    (np.zeros((0, 2, 2)), ValueError, "without a 0"),
    (np.zeros((2, 0)), ValueError, "without a 0"),
    (np.zeros(3), ValueError, "shape"),
    (np.array([[np.nan, 1.0]]), ValueError, "finite, got nan"),
    (np.array([[np.inf, 1.0]]), ValueError, "finite, got inf"),
    (np.array([[2**62, 2**62]]), ValueError, "2\\*\\*62"),
    (np.array([[True, False]]), TypeError, "bool"),
    (np.array([[1j]]), TypeError, "complex"),
])
def test_bad_weights(solver, bad, error, words):
    with pytest.raises(error, match=words):
        solver(bad)
