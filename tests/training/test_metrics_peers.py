"""Metrics against scikit-learn and torchmetrics, and the defects of public code that ours must not have."""

import ast
import importlib
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, jaccard_score

from tests.timm_on_cpu import allow_timm
from tests.training.test_metrics_counts import batch, counted
from training.metrics_counts import LocalizationCounts

FINE = {"steps": 1024, "box_steps": 128}


@pytest.mark.parametrize("unknown", [0.0, 0.3])
def test_pxap_is_average_precision_of_pooled_pixels(unknown):
    masks, f = batch(25, 20, unknown, levels=1024)
    known = masks != 0
    truth, score = (masks[known] == 1).numpy(), f[known].numpy()
    found = counted(masks, f, settings=FINE).result()
    assert found["pxap"] == pytest.approx(average_precision_score(truth, score), abs=1e-12)


def test_pxap_of_a_continuous_map_is_near():
    masks, f = batch(25, 21)
    exact = average_precision_score((masks == 1).numpy().ravel(), f.numpy().ravel())
    errors = [abs(counted(masks, f, settings={"steps": s, "box_steps": 0}).result()["pxap"] - exact)
              for s in (16, 1024, 65536)]
    assert errors[0] > errors[1] > errors[2] and errors[1] < 1e-3 and errors[2] < 1e-5


def test_iou_is_the_jaccard_score_of_each_image():
    masks, f = batch(25, 22, 0.2)
    each = [jaccard_score(m[m != 0] == 1, x[m != 0] >= 0.5) for m, x in zip(masks, f, strict=True)]
    assert counted(masks, f).result()["iou"] == pytest.approx(np.mean(each), abs=1e-9)


def torchmetrics_functional():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        allow_timm()
        return importlib.import_module("torchmetrics.functional.classification")


def test_against_torchmetrics():
    peer = torchmetrics_functional()
    masks, f = batch(20, 23, levels=1024)
    counts = counted(masks, f, settings=FINE)
    found, truth = counts.result(), (masks == 1).long()
    grid = counts.thresholds.float()
    assert found["pxap"] == pytest.approx(
        peer.binary_average_precision(f.flatten(), truth.flatten(), thresholds=grid).item(), abs=1e-5)
    each = [peer.binary_jaccard_index(x, m, threshold=0.4999).item() for x, m in zip(f, truth, strict=True)]
    assert found["iou_threshold"] == pytest.approx(np.mean(each), abs=1e-6)
    wrong = [1 - peer.binary_accuracy(x, m, threshold=0.4999).item() for x, m in zip(f, truth, strict=True)]
    assert found["missing_rate_threshold"] == pytest.approx(np.mean(wrong), abs=1e-6)


def test_a_perfect_object_of_four_pixels_scores_one():
    """A +1 at the far edge of the predicted box alone gives 16/25 = 0.64 here."""
    masks = torch.full((1, 8, 8), -1, dtype=torch.int8)
    masks[0, 2:6, 3:7] = 1
    found = counted(masks, (masks == 1).double(), settings=FINE).result()
    assert found["max_box_acc_v2"] == found["max_box_acc_largest"] == found["iou"] == 1.0


def test_nothing_is_normalised_by_image():
    """One image's map at a third of its height is another answer."""
    masks, f = batch(6, 24)
    f = torch.where(masks == 1, 0.6 + 0.4 * f, 0.3 * f)
    scaled = f.clone()
    scaled[0] /= 3
    perfect, found = (counted(masks, x, settings=FINE).result() for x in (f, scaled))
    assert perfect["pxap"] == pytest.approx(1) and perfect["iou_threshold"] == 1
    assert found["pxap"] < 0.995 and found["iou_threshold"] == pytest.approx(5 / 6)
    assert found["iou_best"] < 1 and found["missing_rate_soft"] > perfect["missing_rate_soft"]
    together = counted(masks, f / 4, settings=FINE).result()  # all by one factor: the same order
    assert together["pxap"] == perfect["pxap"] and together["iou_best"] == 1


def test_empty_masks_are_no_hits():
    masks, f = batch(4, 25)
    empty = -torch.ones_like(masks)
    for truth, attention in ((masks, 0 * f), (-empty, 0 * f), (empty, f), (empty, 0 * f)):
        found = counted(truth, attention).result()
        hits = ("iou", "iou_threshold", "iou_best", "pointing", "energy_pointing", "max_box_acc_v2",
                "max_box_acc_largest")
        assert [found[k] for k in hits] == [0.0] * 7
    assert found["pxap"] is None and found["images_empty"] == 4 and found["missing_rate"] == 0


def test_ties_of_the_highest_position_share_the_point():
    masks = torch.tensor([[[1, 1, -1, -1, 0]]], dtype=torch.int8)
    for f, part in (([.9, .9, .9, .1, 1.], 2 / 3), ([.9, .8, .1, .1, 1.], 1.0), ([.1, .1, .9, 0., 1.], 0.0)):
        counts = LocalizationCounts(box_steps=0)
        counts.update(masks, torch.tensor([[f]]))
        assert counts.result()["pointing"] == pytest.approx(part, abs=1e-9)


def test_no_alias_that_numpy_has_dropped():
    folder = Path(__file__).parents[2] / "training"
    paths = sorted(folder.glob("metrics*.py"))
    assert len(paths) >= 5
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "np":
                assert hasattr(np, node.attr), f"{path.name}: np.{node.attr}"
