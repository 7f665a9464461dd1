"""Axis-aligned suprema of torch tensors (on the CPU) against the compiled kernel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sims.streams import stream
from sims.supremum import max_weight_rectangle, tensors
from tests.sims.test_supremum_routes import draw, in_box

NAMES = ("maximum", "minimum", "argmax", "argmin")


def assert_same(found, tensor_found):
    """Identical dtype, shape, values and witnesses."""
    for name in NAMES:
        x, y = getattr(found, name), getattr(tensor_found, name)
        assert isinstance(y, torch.Tensor) and y.device.type == "cpu"
        y = y.numpy()
        assert x.dtype == y.dtype and x.shape == y.shape and np.array_equal(x, y), name


def random_limits(pick, height, width):
    limits, n = {}, height * width
    if pick.random() < 0.4:
        limits["min_area"] = int(pick.integers(0, n // 2 + 2))
    if pick.random() < 0.4:
        limits["max_area"] = int(pick.integers(max(1, limits.get("min_area", 1)), n + 2))
    if pick.random() < 0.3:
        limits["min_side"] = int(pick.integers(1, 4))
    if pick.random() < 0.3:
        limits["max_side"] = int(pick.integers(limits.get("min_side", 1), 6))
    if pick.random() < 0.4:
        limits["zone"] = pick.random((height, width)) < 0.8
    return limits


@pytest.mark.parametrize("trial", range(50))
def test_random_limits_and_dtypes(trial):
    pick = stream("supremum tests/tensors", trial)
    height, width = (int(x) for x in pick.integers(1, 8, size=2))
    limits = random_limits(pick, height, width) if trial % 4 else {}
    dtype = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.float16, np.float32, np.float64][trial % 8]
    low = 0 if dtype == np.uint8 else -4
    w = draw("tensors", (2, 5, height, width), low, 4, seed=trial, dtype=dtype)
    try:
        found = max_weight_rectangle(w, **limits)
    except ValueError as error:
        with pytest.raises(ValueError) as other:
            max_weight_rectangle(torch.from_numpy(w), **limits)
        assert str(other.value) == str(error)
        return
    assert_same(found, max_weight_rectangle(torch.from_numpy(w), **limits))


@pytest.mark.parametrize("limits", [{}, {"max_area": 9}, {"zone": (1, 6, 0, 4)}], ids=str)
def test_batch_shapes_views_and_chunks(limits, monkeypatch):
    w = draw("tensor views", (3, 4, 7, 5), -1, 1)
    for view in (lambda x: x, lambda x: x[1, 2], lambda x: x[::2, 1:], lambda x: x[:1, :1]):
        assert_same(max_weight_rectangle(view(w), **limits),
                    max_weight_rectangle(view(torch.from_numpy(w)), **limits))
    tensor = torch.from_numpy(w)
    turned = tensor.permute(1, 0, 3, 2)[..., :7]
    assert not turned.is_contiguous()
    if "zone" not in limits:
        assert_same(max_weight_rectangle(turned.numpy(), **limits), max_weight_rectangle(turned, **limits))
    spread = torch.from_numpy(w[0, 0]).expand(6, 7, 5)
    assert_same(max_weight_rectangle(spread.numpy(), **limits), max_weight_rectangle(spread, **limits))
    whole = max_weight_rectangle(tensor, **limits)
    monkeypatch.setattr(tensors, "ENTRIES", 1)
    one_by_one = max_weight_rectangle(tensor, **limits)
    assert all(torch.equal(getattr(whole, name), getattr(one_by_one, name)) for name in NAMES)


def test_gradients_are_cut_and_parameters_are_tensors():
    w = torch.tensor([[1.0, -2.0], [3.0, 1.0]], requires_grad=True)
    for tensor in (w, 1.0 * w, torch.nn.Parameter(w.detach())):
        found = max_weight_rectangle(tensor)
        assert float(found.maximum) == 4 and not found.maximum.requires_grad
        assert found.argmax.tolist() == [0, 2, 0, 1]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("limits", [{}, {"max_area": 8}], ids=str)
def test_halves_are_summed_in_float32(dtype, limits):
    w = draw("halves", (30, 6, 7), -4, 4)
    found = max_weight_rectangle(torch.from_numpy(w).to(dtype), **limits)
    whole = max_weight_rectangle(w, **limits)
    assert found.maximum.dtype == found.minimum.dtype == torch.float32
    assert np.array_equal(found.maximum.numpy(), whole.maximum)
    assert np.array_equal(found.argmin.numpy(), whole.argmin)
    assert float(max_weight_rectangle(torch.full((30, 30), 200.0, dtype=dtype)).maximum) == 180000


@pytest.mark.parametrize("limits", [{}, {"min_side": 2, "max_area": 30}], ids=str)
def test_floats_agree_up_to_rounding(limits):
    w = stream("supremum tests/tensor normal", 0).normal(size=(20, 9, 8))
    found, whole = max_weight_rectangle(torch.from_numpy(w), **limits), max_weight_rectangle(w, **limits)
    assert np.abs(found.maximum.numpy() - whole.maximum).max() < 1e-13
    assert np.abs(found.minimum.numpy() - whole.minimum).max() < 1e-13
    for one, place, value in zip(w, found.argmax.numpy(), found.maximum.numpy(), strict=True):
        assert abs(in_box(one, place) - value) < 1e-13


@pytest.mark.parametrize("limits", [{}, {"max_area": 3}], ids=str)
@pytest.mark.parametrize("value", [2**29 - 1, 2**29, 2**59, -(2**29), 2**60 - 1])
def test_dtypes_of_sums_at_their_ends(value, limits):
    w = np.full((2, 2, 2), value)
    w[1] = -w[1]
    assert_same(max_weight_rectangle(w, **limits), max_weight_rectangle(torch.from_numpy(w), **limits))


def test_a_single_large_weight_is_not_refused():
    """Refused are sums of 2**62, not a large weight on a grid of several positions."""
    w = np.array([[2**61, 0, 1, -5]])
    assert_same(max_weight_rectangle(w), max_weight_rectangle(torch.from_numpy(w)))
    assert int(max_weight_rectangle(torch.from_numpy(w)).maximum) == 2**61 + 1


def test_without_witnesses_the_values_are_the_same():
    w = torch.from_numpy(draw("tensor none", (9, 5, 4)))
    for limits in ({}, {"max_area": 5}):
        found, bare = max_weight_rectangle(w, **limits), max_weight_rectangle(w, witnesses=False, **limits)
        assert bare.argmax is None and bare.argmin is None
        assert torch.equal(found.maximum, bare.maximum) and torch.equal(found.minimum, bare.minimum)


@pytest.mark.parametrize("bad,error,words", [
    (torch.zeros(0, 2, 2), ValueError, r"without a 0, got \(0, 2, 2\)"),
    (torch.zeros(2, 0, 3, 3), ValueError, r"without a 0, got \(2, 0, 3, 3\)"),
    (torch.zeros(3), ValueError, r"shape \(..., H, W\) without a 0, got \(3,\)"),
    (torch.tensor([[float("nan"), 1.0]]), ValueError, "finite, got nan"),
    (torch.tensor([[1.0, -float("inf")]]), ValueError, "finite, got -inf"),
    (torch.tensor([[2**61, -(2**61)]]), ValueError, r"below 2\*\*62, got up to 4.61e\+18"),
    (torch.full((2, 2), 1e308, dtype=torch.float64), ValueError, "finite in torch.float64, got inf"),
    (torch.full((2, 2), 2e38), ValueError, "finite in torch.float32, got 8e\\+38"),
    (torch.tensor([[True, False]]), TypeError, "integers or floats, got torch.bool"),
    (torch.tensor([[1j]]), TypeError, "integers or floats, got torch.complex64"),
])
def test_bad_weights(bad, error, words):
    for limits in ({}, {"max_area": 1}):
        with pytest.raises(error, match=words):
            max_weight_rectangle(bad, **limits)


@pytest.mark.parametrize("limits,words", [
    ({"max_area": 0, "min_area": 0}, "max_area=0"), ({"min_side": 3}, "min_side=3"),
    ({"zone": np.eye(2, dtype=bool), "min_area": 2}, "no rectangle meets the limits .*<2 of 4"),
    ({"zone": np.zeros((2, 2), dtype=bool)}, "at least one position, got none")])
def test_bad_limits(limits, words):
    with pytest.raises(ValueError, match=words):
        max_weight_rectangle(torch.ones(2, 2), **limits)


def test_unsigned_types_that_torch_barely_knows():
    w = np.random.default_rng(11).integers(0, 60000, (5, 4, 6))
    for dtype in (np.uint16, np.uint32):
        tensor = torch.from_numpy(w.astype(dtype))
        assert np.array_equal(max_weight_rectangle(tensor).maximum, max_weight_rectangle(w).maximum)
    with pytest.raises(TypeError, match="uint64"):
        max_weight_rectangle(torch.from_numpy(w.astype(np.uint64)))
