"""Training: starts, schedules, losses, resumption to the bit, and what stops it."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from tests.training.tiny import SHAPES, TINY, variant
from theory.equivariance import Similarity, quotient_loss
from training.data import prepare
from training.evaluate import brief
from training.fit import Training, TrainingError, TrainingLoss, build, fit, one_thread


def weights(run):
    return torch.cat([p.detach().flatten() for p in run.net.parameters()])


def test_training_learns_and_the_mask_loss_teaches_the_map():
    shapes = dataclasses.replace(SHAPES, purity=1.0)
    before = variant(n=64, steps=80, shapes=shapes, s_start=6.0)
    data = prepare(before)
    everything = data.train.head(64)
    found = {}
    for supervision in ("label", "mask"):
        config = dataclasses.replace(before, supervision=supervision)
        with one_thread():
            start = brief(build(config, data), everything)
            found[supervision] = brief(fit(config, data).net, everything)
        assert found[supervision]["loss"] < start["loss"]
    assert found["mask"]["iou"] > max(0.3, found["label"]["iou"])


def test_the_start_with_the_lowest_training_loss_goes_on():
    data = prepare(TINY)
    with one_thread():
        chosen = fit(variant(trial=1.0), data)
        each = [Training(variant(trial=1.0), data, start) for start in range(3)]
        for run in each:
            run.advance(12)
    losses = [run.trial_loss for run in each]
    assert len(set(losses)) == 3 and chosen.start == int(np.argmin(losses))
    assert chosen.trial_loss == min(losses)
    assert variant(trial=1.0).gradient_steps == 36 and TINY.gradient_steps == 12 + 2 * 3
    assert variant(method="oracle").gradient_steps == 12


def test_s_rises_and_ends_at_its_value():
    with one_thread():
        run = Training(TINY, prepare(TINY))
        seen = []
        for step in range(12):
            run.advance(step + 1)
            seen.append(run.net.attention.s)
        run.finish()
    assert seen == pytest.approx([1 + 5 * min(1, k / 6) for k in range(12)])
    assert run.net.attention.s == 6.0


def test_learning_rates_warm_up_and_follow_a_cosine():
    run = Training(variant(warmup=3, head_warmup=6), prepare(TINY))
    for step in range(12):
        run.advance(step + 1)
        cosine = (1 + np.cos(np.pi * step / 12)) / 2
        rates = [group["lr"] for group in run.optimizer.param_groups]
        assert rates == pytest.approx([0.01 * min(1, (step + 1) / 3) * cosine,
                                       0.015 * min(1, (step + 1) / 6) * cosine])


def test_epochs_go_through_all_images():
    run = Training(variant(n=20, batch=4), prepare(TINY))
    seen = []
    for step in range(5):
        run.prepared_batch(step)
        seen.append(len(run.order))
    assert seen == [16, 12, 8, 4, 0]


@pytest.mark.parametrize("supervision", ["label", "mask"])
def test_the_loss_against_its_parts(supervision):
    config = variant(supervision=supervision, mask_weight=3.0)
    data = prepare(config)
    net = build(config, data)
    s = data.train.head(8)
    logits, found = net(s.images)
    expected = nn.functional.cross_entropy(logits, s.labels) * 8
    if supervision == "mask":
        f, truth = found.f.double(), (s.masks == 1).double()
        bce = -(truth * f.log() + (1 - truth) * (1 - f).log()).mean((1, 2))
        expected = expected.double() + 3 * bce.sum()
    total = TrainingLoss(net, config)(s.images, s.labels, s.masks)
    assert float(total.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)


def test_ignored_positions_do_not_count_in_the_mask_loss():
    config = variant(supervision="mask", mask_weight=2.0)
    data = prepare(config)
    net, s = build(config, data), data.train.head(4)
    masks = s.masks.clone()
    masks[:, :4] = 0
    with torch.no_grad():
        logits, found = net(s.images)
        f, truth = found.f[:, 4:].double(), (s.masks[:, 4:] == 1).double()
        bce = -(truth * f.log() + (1 - truth) * (1 - f).log()).mean((1, 2))
        expected = nn.functional.cross_entropy(logits, s.labels, reduction="sum") + 2 * bce.sum()
        assert float(TrainingLoss(net, config)(s.images, s.labels, masks)) == pytest.approx(
            float(expected), rel=1e-5)


@pytest.mark.parametrize("kind", ["paper", "quotient"])
def test_the_equivariance_loss_enters_with_its_weight_and_runs_the_trunk_alone(kind):
    config = variant(eqvc=kind, eqvc_weight=0.5)
    data = prepare(config)
    run = Training(config, data)
    calls = {"trunk": 0, "tail": 0}
    for name in calls:
        getattr(run.net, name).register_forward_hook(
            lambda *_, name=name: calls.__setitem__(name, calls[name] + 1))
    batch = run.prepared_batch(0)
    total = float(run.loss(*batch).detach())
    assert calls == {"trunk": 2, "tail": 1}
    images, labels, _, second, *moves = batch
    with torch.no_grad():
        main = nn.functional.cross_entropy(run.net(images)[0], labels, reduction="sum")
        first, then = (run.net.look(run.net.features(v)).rectangle for v in (images, second))
    hat = Similarity(*moves).act(first)
    if kind == "paper":
        departure = ((then.to_array() - hat.to_array()) ** 2).sum()
    else:
        departure = sum(quotient_loss(a, b) for a, b in zip(then.to_array(), hat.to_array(),
                                                            strict=True))
    assert total == pytest.approx(float(main + 0.5 * departure), rel=1e-5)


def test_second_views_are_drawn_anew_and_depend_on_the_step_alone():
    data = prepare(TINY)
    run = Training(variant(eqvc="paper"), data)
    _, _, _, second, *moves = run.prepared_batch(0)
    assert second.shape == (8, 3, 32, 32) and len(moves[0]) == 8
    assert float(moves[1].std()) > 0
    again = Training(variant(eqvc="paper"), data).prepared_batch(0)
    assert all(torch.equal(a, b) for a, b in zip(again[3:], (second, *moves), strict=True))
    assert not torch.equal(run.prepared_batch(1)[4], moves[0])


@pytest.mark.parametrize("change", [{"method": "rectangle"}, {"method": "positionwise"},
                                    {"eqvc": "quotient"}])
def test_resuming_is_bitwise(change, tmp_path):
    config = variant(**change, starts=2)
    data = prepare(config)
    with one_thread():
        whole = fit(config, data)
        for until in (2, 3, 7):  # stopped within the first trial, at its end, and after it
            folder = tmp_path / str(until)
            first = Training(config, data, 0, folder=folder, every=1)
            first.advance(until)
            resumed = fit(config, data, folder=folder, every=5)
            assert resumed.start == whole.start
            assert torch.equal(weights(resumed), weights(whole))
            assert resumed.history == whole.history and resumed.losses == whole.losses


def test_a_checkpoint_of_another_configuration_is_refused(tmp_path):
    data = prepare(TINY)
    Training(TINY, data, folder=tmp_path, every=1).advance(2)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="lr"):
        Training(variant(lr=0.02), data, folder=tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize("method", ["rectangle", "positionwise"])
def test_a_loss_that_is_not_finite_stops_names_the_step_and_keeps_the_checkpoint(method, tmp_path):
    config = variant(method=method, lr=1e30, warmup=0, steps=40, starts=1)
    run = Training(config, prepare(config), folder=tmp_path, every=1)
    with pytest.raises(TrainingError, match=rf"{method}-label-n20-seed0-\w+: step [1-3]: the loss is "
                                            r"(nan|inf); the last good checkpoint is in"):
        run.advance(40)
    kept = Training(config, prepare(config), folder=tmp_path)
    assert kept.step >= 1 and all(np.isfinite(kept.losses))


def test_before_the_first_checkpoint_there_is_none_to_name(tmp_path):
    config = variant(method="positionwise", lr=1e30, warmup=0, steps=40, starts=1)
    with pytest.raises(TrainingError, match="there is no checkpoint yet"):
        Training(config, prepare(config), folder=tmp_path).advance(40)


def test_weights_that_are_not_finite_overwrite_no_checkpoint(tmp_path):
    config = variant(starts=1)
    run = Training(config, prepare(config), folder=tmp_path, every=1)
    run.advance(2)
    with torch.no_grad():
        run.net.tail[0].bias[0] = float("nan")
    with pytest.raises(TrainingError, match="step 2: tail.0.bias is not finite; the last good"):
        run.save()
    assert Training(config, prepare(config), folder=tmp_path).step == 2


def test_a_last_step_that_ruins_the_weights_is_noticed():
    config = variant(method="positionwise", lr=1e30, warmup=0, steps=1, starts=1)
    with pytest.raises(TrainingError, match="step 1: the loss is (nan|inf)"):
        fit(config, prepare(config))


def test_bfloat16_and_channels_last_train():
    for change in ({"precision": "bfloat16"}, {"channels_last": True}):
        config = variant(**change, steps=3, starts=1)
        with one_thread():
            run = fit(config, prepare(config))
        plain = fit(variant(steps=3, starts=1), prepare(config))
        assert run.losses == pytest.approx(plain.losses, rel=2e-2)
    assert not torch.equal(weights(fit(variant(precision="bfloat16", steps=3, starts=1),
                                       prepare(config))), weights(plain))
