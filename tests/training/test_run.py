"""Cells and their rows: determinism, every method, the numbers in a row."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.tiny import SHAPES, TINY, numbers, variant
from theory.rates import missing_rate
from training.config import LEARNT, METHODS
from training.data import prepare
from training.evaluate import evaluate, plain
from training.fit import build
from training.model import gradient_ratio
from training.run import run_cell
from training.shapes_field import ShapeField


@pytest.fixture(scope="module")
def row():
    return run_cell(TINY)


def test_a_row_depends_on_the_configuration_alone(row):
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002
    state = torch.get_rng_state()
    threads = torch.get_num_threads()
    assert numbers(run_cell(TINY)) == numbers(row)
    assert torch.equal(torch.get_rng_state(), state) and torch.get_num_threads() == threads
    assert numbers(run_cell(variant(seed=1)))["test"] != row["test"]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_a_row(method):
    row = numbers(run_cell(variant(method=method, steps=2)))
    assert 0 <= row["test"]["accuracy"] <= 1
    assert (row["test"]["missing_rate"] is None) == (method == "none")
    if method == "oracle":
        assert row["test"]["missing_rate"] == 0 and row["train"]["iou"] == 1
    with_terms = method in LEARNT and method != "cbam"
    assert (row["gradient_ratio_start"] is not None) == with_terms
    assert (row["parameters_attention"] > 0) == (method in LEARNT)


def test_fields_of_a_row(row):
    assert row["grid"] == [8, 8] and row["n_test"] == 16 and row["key"] == TINY.key
    field = ShapeField(SHAPES, 0)
    truth = [field.draw(split, range(n)).masks == 1 for split, n in (("train", 20), ("test", 16))]
    assert sum(row["train_areas"].values()) == 20
    assert sum(int(k) * v for k, v in row["train_areas"].items()) == int(truth[0].sum())
    assert row["area_fraction"] == pytest.approx(float(truth[1].double().mean()))
    assert row["max_area"] == max(int(t.sum((1, 2)).max()) for t in truth)
    assert row["trivial"]["all_background"]["missing_rate"] == pytest.approx(row["area_fraction"])
    steps = [h["step"] for h in row["history"]]
    assert steps[0] == 0 and steps[-1] == 12 and len(steps) >= 10
    assert row["history"][-1]["missing_rate"] == pytest.approx(row["train"]["missing_rate"])
    assert row["config"]["shapes"]["gap"] == 5.0 and row["truth"] == "rotated"
    wrong = {int(k): v for k, v in row["test"]["wrong_counts"].items()}
    assert sum(wrong.values()) == 16
    assert sum(k * v for k, v in wrong.items()) / 16 / 64 == pytest.approx(
        row["test"]["missing_rate"])


def test_mean_g_and_floor_by_going_through_every_rotated_rectangle():
    from theory.families import RotatedRectangles
    from training.facts import facts

    config = variant(shapes=dataclasses.replace(SHAPES, image=(16, 16), truth="l",
                                                half_widths=(0.42, 0.48)))
    masks = ShapeField(config.shapes, 3).draw("train", range(6)).masks
    family = np.stack(list(RotatedRectangles(4, 4).masks()))
    every = np.stack([missing_rate(family, a) for a in masks.numpy()[:, None]])
    found = facts(config, masks, masks)
    assert found["mean_g"] == pytest.approx(every.max(1).mean())
    assert found["floor"] == pytest.approx(every.min(1).mean())
    assert found["floor"] > 0


def test_the_floor_of_realisable_truths_is_zero(row):
    assert row["floor"] == 0 and 0.5 < row["mean_g"] <= 1


def test_evaluation_against_the_network_itself():
    config = variant(n_test=300)  # more than one chunk
    data = prepare(config)
    net = build(config, data)
    net.eval()
    samples = data.test.take(torch.arange(300))
    found, _ = evaluate(plain(net), data.test)
    logits, attention = net(samples.images)
    hard = attention.hard_mask()
    assert found["missing_rate"] == pytest.approx(float((hard != samples.masks).double().mean()))
    right = logits.argmax(1) == samples.labels
    assert found["accuracy"] == pytest.approx(float(right.double().mean()))
    expected = -torch.log_softmax(logits, 1)[torch.arange(300), samples.labels].mean()
    assert found["loss"] == pytest.approx(expected.item(), rel=1e-5)
    assert 0 < found["iou_image"] < 1 and found["iou_image"] != found["iou"]


def test_the_oracle_on_pixels_is_its_cells():
    data = prepare(variant(method="oracle"))
    net = build(variant(method="oracle"), data)
    found, _ = evaluate(plain(net), data.test)
    samples = data.test.take(torch.arange(16))
    blocks = samples.masks.repeat_interleave(4, 1).repeat_interleave(4, 2) == 1
    truth = samples.image_masks == 1
    iou = (blocks & truth).sum((1, 2)) / (blocks | truth).sum((1, 2))
    assert found["iou"] == 1 and found["iou_image"] == pytest.approx(float(iou.mean()))


def test_gradient_ratio_against_a_second_route():
    """Indirect term: backpropagation through the map alone, features held fixed."""
    from training.attention import apply_map

    data = prepare(TINY)
    net, samples = build(TINY, data), data.train.head(20)
    x = net.features(samples.images)
    log_f = net.look(x).log_f
    parameters = list(net.trunk.parameters())
    norms = []
    for features, f in ((x.detach(), log_f), (x, log_f.detach())):
        loss = nn.functional.cross_entropy(net.tail(apply_map(features, f)), samples.labels)
        found = torch.autograd.grad(loss, parameters, retain_graph=True)
        norms.append(float(torch.cat([g.flatten() for g in found]).norm()))
    assert gradient_ratio(net, samples.images, samples.labels) == pytest.approx(
        norms[0] / norms[1], rel=1e-3)


def test_analyses_stand_in_the_row():
    row = numbers(run_cell(variant(method="none", steps=2, analyses=("gradcam",))))
    assert 0 <= row["gradcam"]["iou_chosen"] <= row["gradcam"]["iou_best"] <= 1
    assert row["gradcam"]["accuracy"] == row["test"]["accuracy"]
    both = row["gradcam"]["at"]
    assert row["gradcam"]["iou_best"] == max(v["iou_best"] for v in both.values()) and len(both) == 2
    row = numbers(run_cell(variant(steps=2, starts=1, analyses=("sequences",))))
    first = [r for r in row["sequences"]["steps"] if r["step"] == 0]
    assert len(first) == 4 and all(r["iou_parameters"] == 1 for r in first)
    assert set(row["sequences"]["summary"]) == {"rotation", "scaling", "translation", "composed"}


@pytest.mark.parametrize("change", [{"gate": True}, {"shape": "ellipse"}, {"count": 2},
                                    {"hidden": 4}, {"half_range": "linear"}])
def test_options_of_the_module_change_the_run(change, row):
    found = numbers(run_cell(variant(**change)))
    assert found["history"][-1] != numbers(row)["history"][-1]
    assert found["key"] != row["key"]


def test_regimes_are_named():
    from training.run import regime_of
    from training.shapes import REGIMES, ShapesConfig

    for name, changes in REGIMES.items():
        assert regime_of(variant(shapes=ShapesConfig(**changes))) == name
    assert regime_of(TINY) is None and regime_of(variant(data="digits")) is None


def test_grad_cam_of_a_network_that_sees_nothing():
    """Maps of zeros: no number in the row is NaN."""
    from training.analyses import gradcam
    from training.fit import fit

    config = variant(method="none", steps=1)
    data = prepare(config)
    run = fit(config, data)
    with torch.no_grad():
        run.net.tail[-1].weight.abs_().mul_(-1)  # every feature speaks against every class
    found = numbers(gradcam(run, data))
    assert found["iou"] == 0 and found["pxap"] is not None


def test_layers_before_and_after_the_attention():
    data = prepare(TINY)
    nets = [build(variant(layers=2, depth=d), data) for d in range(3)]
    counts = [sum(p.numel() for p in net.parameters()) for net in nets]
    assert len(set(counts)) == 1
    pixels = torch.rand(1, 3, 32, 32, requires_grad=True)
    reach = []
    for net in nets:  # how many pixels one feature of the attention's input sees
        (g,) = torch.autograd.grad(net.features(pixels)[0, :, 4, 4].sum(), pixels)
        rows = (g[0].abs().sum((0, 2)) > 0).nonzero().flatten()
        reach.append(int(rows.max() - rows.min()) + 1)
    assert reach[0] <= 4 < reach[1] <= 12 < reach[2] <= 20


def test_the_oracle_needs_the_truth():
    net = build(variant(method="oracle"), prepare(TINY))
    with pytest.raises(ValueError, match="the oracle needs the true masks"):
        net(torch.zeros(1, 3, 32, 32))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_not_a_number_never_reaches_a_row(value, row):
    import json

    with pytest.raises(ValueError, match="not JSON compliant"):
        json.dumps({**row, "x": value}, allow_nan=False)
