"""The accumulator against plain definitions image by image; exact in any order of batches."""

import copy
import json
import math

import numpy as np
import pytest
import torch

from theory.rates import fitting_rate, missing_rate
from theory.rectangle import Rectangle, attention_map, hard_mask
from training.metrics import rates, trivial_predictors
from training.metrics_boxes import parameter_errors, rotated_iou
from training.metrics_counts import LocalizationCounts
from training.metrics_maps import UNIT, threshold_grid

SMALL = {"steps": 16, "box_steps": 8}


def batch(n, seed, unknown=0.0, side=(5, 6), levels=None):
    rng = np.random.default_rng(seed)
    truth = np.where(rng.random((n, *side)) < 0.3, 1, -1)
    truth[rng.random(truth.shape) < unknown] = 0
    f = rng.random((n, *side)).astype(np.float32)
    if levels:
        f = np.round(f * levels) / levels
    f = np.where(truth == 1, np.maximum(f, rng.random(f.shape) < 0.5), f)  # better than chance
    return torch.from_numpy(truth.astype(np.int8)), torch.from_numpy(f.astype(np.float32))


def counted(masks, f, *, size=None, settings=SMALL, **more):
    counts = LocalizationCounts(**settings)
    for part in torch.arange(len(masks)).split(size or len(masks)):
        counts.update(masks[part], f[part], **{k: v[part] for k, v in more.items()})
    return counts


def plain(masks, f, hard, thresholds, fixed=0.5):
    """The metrics image by image, from theory's rates and sums of floats."""
    known = masks != 0
    keep = known.flatten(1).any(1)
    masks, f, hard, known = masks[keep], f[keep].double(), hard[keep], known[keep]
    ious, missing = [], []
    for t in [*thresholds[1:], fixed]:
        at = torch.where(f >= t, 1, -1)
        ious.append(fitting_rate(at, masks, zero_division=0.0, where=known, check=False).mean().item())
        missing.append(missing_rate(at, masks, where=known).mean().item())
    out = rates(hard, masks)
    out |= {"iou_best": max(ious), "iou_threshold": ious[-1], "missing_rate_threshold": missing[-1]}
    out["missing_rate_soft"] = missing_rate(2 * f - 1, masks.double(), where=known).mean().item()
    out["missing_rate_pooled"] = (hard != masks)[known].double().mean().item()
    energy, pointing = [], []
    for m, x, k in zip(masks, f, known, strict=True):
        energy.append((x[m == 1].sum() / x[k].sum()).item() if x[k].sum() else 0.0)
        top = x[k].max()
        pointing.append(((x == top) & (m == 1)).sum().item() / ((x == top) & k).sum().item()
                        if top else 0.0)
    return out | {"energy_pointing": np.mean(energy), "pointing": np.mean(pointing)}


@pytest.mark.parametrize("unknown", [0.0, 0.4])
@pytest.mark.parametrize("levels", [None, 4])
def test_against_the_definitions(unknown, levels):
    masks, f = batch(30, 0, unknown, levels=levels)
    masks[3] = 0  # nobody knows
    masks[4], f[5], f[6] = -1, 0, torch.where(masks[6] == 1, 1.0, 0.0)
    hard = batch(30, 9)[0]
    counts = counted(masks, f, hard=hard)
    found = counts.result()
    expected = plain(masks, f, hard, counts.thresholds.tolist())
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-8), name
    assert (found["images"], found["images_unknown"], found["images_empty"]) == (29, 1, 1)
    assert 0.3 < found["iou_best"] < 1 and found["iou_best"] > found["iou_threshold"]


def test_missing_rate_is_exact_where_all_positions_are_known():
    masks, f = batch(7, 1)
    hard = batch(7, 2)[0]
    found = counted(masks, f, hard=hard).result()
    wrong = (hard != masks).sum().item()
    assert found["missing_rate"] == found["missing_rate_pooled"] == wrong / (7 * 30)
    masks[0, 0] = 0
    found = counted(masks, f, hard=hard).result()
    assert found["missing_rate"] != found["missing_rate_pooled"]


@pytest.mark.parametrize("unknown", [0.0, 0.4])
def test_order_batches_and_merging_change_no_bit(unknown):
    masks, f = batch(23, 3, unknown)
    u = torch.rand(23, 5, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.1
    more = {"correct": u[:, 0] > 0.3}
    one = counted(masks, f, **more)
    order = torch.randperm(23, generator=torch.Generator().manual_seed(1))
    shuffled = counted(masks[order], f[order], size=4, **{k: v[order] for k, v in more.items()})
    halves = counted(masks[:9], f[:9], size=2, **{k: v[:9] for k, v in more.items()}).merge(
        counted(masks[9:], f[9:], **{k: v[9:] for k, v in more.items()}))
    assert torch.equal(one.state, shuffled.state) and torch.equal(one.state, halves.state)
    assert one.state.dtype == torch.int64
    assert one.result() == shuffled.result() == halves.result()


def test_the_state_is_all_there_is_to_reduce():
    masks, f = batch(12, 4)
    parts = [counted(masks[:5], f[:5]), counted(masks[5:], f[5:])]
    total = parts[0].state + parts[1].state
    with torch.no_grad():
        parts[0].state.copy_(total)  # what all_reduce does, in place
    assert parts[0].result() == counted(masks, f).result()
    assert copy.deepcopy(parts[0]).merge(parts[1]).result() != parts[0].result()


def test_a_result_is_plain_numbers():
    masks, f = batch(4, 5)
    found = counted(masks, f, correct=torch.tensor([True, True, True, False])).result(0.25)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["accuracy"] == 0.75 and found["threshold_chosen"] == 0.25
    assert all(type(v) in (int, float, type(None)) for v in found.values())


def test_three_numbers_for_iou():
    masks, f = batch(40, 6)
    f = (f + 0.2 * (masks == 1)).clamp(max=1) ** 4
    validation, test = counted(masks[:3], f[:3]), counted(masks[3:], f[3:])
    chosen = validation.choose_threshold()
    found = test.result(chosen)
    at = torch.where(f[3:] >= chosen, 1, -1).to(torch.int8)
    assert found["iou_chosen"] == pytest.approx(rates(at, masks[3:])["iou"], abs=1e-9)
    assert validation.result()["iou_best"] == validation.result(chosen)["iou_chosen"]
    assert found["iou_threshold"] < found["iou_chosen"] < found["iou_best"]
    assert found["threshold_best"] != chosen == found["threshold_chosen"]
    assert test.result()["iou_chosen"] is None
    fixed = counted(masks, f, settings={**SMALL, "threshold": 0.25}).result()
    at = torch.where(f >= 0.25, 1, -1).to(torch.int8)
    assert fixed["iou_threshold"] == fixed["iou"] == pytest.approx(rates(at, masks)["iou"], abs=1e-9)


def test_of_equal_thresholds_the_nearest_to_the_fixed_one():
    masks = batch(5, 7)[0]
    assert counted(masks, (masks == 1).double()).choose_threshold() == 0.5
    assert counted(masks, (masks == 1) * 0.3).choose_threshold() == 4 / 16  # the last below 0.3


def test_the_primary_mask_is_the_hard_rectangle():
    truth = Rectangle(torch.tensor([[0.4, 0.5], [0.6, 0.3]]), torch.tensor([[0.3, 0.2], [0.2, 0.4]]),
                      torch.tensor([0.4, -0.2]))
    found = Rectangle(truth.center + 0.05, truth.half_widths * 1.2, truth.angle + 0.1)
    masks, f = hard_mask(truth, 9, 9), attention_map(found, 9, 9, 6.0)
    counts = LocalizationCounts(**SMALL)
    counts.update(masks, f, rectangle=found, true_rectangle=truth)
    result = counts.result()
    assert result["iou"] == pytest.approx(rates(hard_mask(found, 9, 9), masks)["iou"], abs=1e-9)
    assert result["iou_threshold"] == pytest.approx(rates(
        torch.where(f >= 0.5, 1, -1).to(torch.int8), masks)["iou"], abs=1e-9)
    for name, value in parameter_errors(found, truth).items():
        assert result[name] == pytest.approx(value.mean().item(), abs=1e-9)
    assert result["rotated_iou"] == pytest.approx(rotated_iou(found, truth).mean().item(), abs=1e-9)
    alone = LocalizationCounts(**SMALL)
    alone.update(masks, rectangle=found)
    assert alone.result()["iou"] == alone.result()["iou_threshold"] == result["iou"]
    assert alone.result()["rotated_iou"] is None


def test_without_a_map_only_labels_are_counted():
    counts = LocalizationCounts(**SMALL)
    counts.update(batch(4, 8)[0], correct=torch.tensor([True, False, False, False]))
    found = counts.result()
    assert found.pop("accuracy") == 0.25
    assert all(v is None or v == 0 for v in found.values()) and found["iou"] is None
    with pytest.raises(ValueError, match="chosen on at least one image"):
        counts.choose_threshold()


def test_images_nobody_knows_are_counted_apart():
    masks, f = batch(3, 9)
    counts = counted(masks, f)
    before = counts.state.clone()
    counts.update(torch.zeros_like(masks), f)
    assert counts.result()["images_unknown"] == 3 and counts.result()["images"] == 3
    assert (counts.state != before).sum() == 1


def test_beside_the_trivial_predictors():
    masks = batch(20, 10)[0]
    trivial = trivial_predictors(masks, masks)
    for name, value in (("all_background", 0.0), ("all_foreground", 1.0)):
        found = counted(masks, torch.full(masks.shape, value)).result()
        assert found["missing_rate"] == pytest.approx(trivial[name]["missing_rate"])
        assert found["iou"] == pytest.approx(trivial[name]["iou"], abs=1e-9)
    area = (masks == 1).double().mean().item()
    assert found["pointing"] == pytest.approx(area, abs=1e-9)  # a constant map points at chance
    assert found["energy_pointing"] == pytest.approx(area, abs=1e-9)
    assert found["pxap"] == pytest.approx(area)


def test_sums_of_a_million_images_do_not_overflow():
    masks, f = batch(2, 11)
    counts = counted(masks, f)
    one = counts.result()
    counts.state *= 1_000_000
    many = counts.result()
    assert int(counts.state.max()) < 2**62 and many["images"] == 2_000_000
    for name in ("iou", "missing_rate_soft", "pxap", "max_box_acc_v2"):
        assert many[name] == one[name]


def test_threshold_grid():
    grid = threshold_grid(1024)
    assert (grid.diff() > 0).all() and grid[0] == 0 and grid[-1] == 1
    assert grid[1] == 2**-24 and torch.equal(grid.float().double(), grid)
    assert torch.equal(grid[-1024:], torch.arange(1, 1025, dtype=torch.float64) / 1024)
    assert (grid[2:] / grid[1:-1]).max() <= 2
    for steps in (0, 3, 1000, 1 << 17):
        with pytest.raises(ValueError, match=f"power of two from 2 to 65536, got {steps}"):
            threshold_grid(steps)


def test_a_dim_map_has_a_threshold_too():
    masks = batch(6, 12)[0]
    dim = torch.where(masks == 1, 1e-5, 2e-6)
    found = counted(masks, dim).result()
    assert found["iou_best"] == 1 and found["pxap"] == pytest.approx(1) and found["iou_threshold"] == 0


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_floats(dtype):
    masks, f = batch(9, 13, levels=4)
    assert counted(masks, f.to(dtype)).result() == counted(masks, f).result()


def test_fixed_point_is_fine_enough():
    assert UNIT == 2**32
    masks, f = batch(50, 14, unknown=0.3)
    exact = missing_rate(torch.where(f >= 0.5, 1, -1), masks, where=masks != 0).mean().item()
    assert abs(counted(masks, f).result()["missing_rate"] - exact) <= 2**-33


@pytest.mark.parametrize(("change", "message"), [
    ({"attention": torch.full((2, 3, 3), 1.5)}, r"attention must lie in \[0, 1\].*got 1.5"),
    ({"attention": torch.full((2, 3, 3), math.nan)}, "no NaN.*got nan"),
    ({"attention": torch.zeros(2, 3, 4)}, "must share one shape"),
    ({"masks": torch.full((2, 3, 3), 2, dtype=torch.int8)}, r"masks hold \+1, -1 and 0"),
    ({"hard": torch.zeros(2, 3, 3)}, r"a hard mask holds \+1 and -1, got \[0"),
    ({"correct": torch.ones(3, dtype=torch.bool)}, r"boolean of shape \(2,\)"),
    ({"correct": torch.ones(2)}, "correct must be boolean"),
])
def test_bad_input(change, message):
    given = {"masks": torch.ones(2, 3, 3, dtype=torch.int8), "attention": torch.zeros(2, 3, 3), **change}
    with pytest.raises(ValueError, match=message):
        LocalizationCounts(**SMALL).update(**given)


def test_bad_settings():
    with pytest.raises(ValueError, match="threshold must be on the grid.*got 0.3"):
        LocalizationCounts(threshold=0.3)
    counts = LocalizationCounts(**SMALL)
    with pytest.raises(ValueError, match="on the grid"):
        counts.result(0.3)
    for other in ({"threshold": 0.25}, {"steps": 32}, {"box_steps": 0}):
        with pytest.raises(ValueError, match="counts of other settings"):
            counts.merge(LocalizationCounts(**{**SMALL, **other}))
