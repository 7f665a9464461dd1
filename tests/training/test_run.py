"""Cells, sweeps and their rows: determinism, resumption, errors, the numbers in a row."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from sims.rows import read_rows
from training.config import METHODS, PRESETS, RunConfig, cells, changed
from training.model import SmallNet, gradient_ratio
from training.run import Training, TrainingError, build, evaluate, fit, one_thread, run_cell
from training.shapes import ShapesConfig, draw
from training.sweep import sweep

SHAPES = ShapesConfig(image=(32, 32), half_widths=(0.12, 0.26))
TINY = RunConfig(n=20, steps=12, batch=8, n_test=16, width=8, tail=8, positionwise_width=4,
                 shapes=SHAPES)
TIMES = ("seconds", "images_per_second")


def variant(**changes):
    return dataclasses.replace(TINY, **changes)


def numbers(row):
    row = {k: v for k, v in row.items() if k not in (*TIMES, "provenance")}
    return json.loads(json.dumps(row, allow_nan=False))


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
    learnt = method not in ("none", "oracle")
    assert (row["gradient_ratio_start"] is not None) == learnt


def test_fields_of_a_row(row):
    assert row["grid"] == [8, 8] and row["n_test"] == 16 and row["key"] == TINY.key
    truth = [draw(SHAPES, 0, split, range(n)).masks == 1 for split, n in (("train", 20),
                                                                          ("test", 16))]
    assert sum(row["train_areas"].values()) == 20
    assert sum(int(k) * v for k, v in row["train_areas"].items()) == truth[0].sum()
    assert row["area_fraction"] == pytest.approx(truth[1].mean())
    assert row["max_area"] == max(t.sum(axis=(1, 2)).max() for t in truth)
    assert row["trivial"]["all_background"]["missing_rate"] == pytest.approx(truth[1].mean())
    steps = [h["step"] for h in row["history"]]
    assert steps[0] == 0 and steps[-1] == 12 and len(steps) >= 10
    assert row["history"][-1]["missing_rate"] == pytest.approx(row["train"]["missing_rate"])
    assert row["config"]["shapes"]["gap"] == 5.0


def test_evaluation_against_the_network_itself():
    net, samples = build(TINY), draw(SHAPES, 0, "test", range(300))  # more than one chunk
    found = evaluate(net, samples)
    logits, attention = net(torch.from_numpy(samples.images))
    labels = torch.from_numpy(samples.labels)
    hard = attention.hard_mask().numpy()
    assert found["missing_rate"] == pytest.approx((hard != samples.masks).mean())
    assert found["accuracy"] == pytest.approx(float((logits.argmax(1) == labels).double().mean()))
    expected = -torch.log_softmax(logits, 1)[torch.arange(300), labels].mean()
    assert found["loss"] == pytest.approx(expected.item(), rel=1e-5)


def test_gradient_ratio_against_a_second_route():
    """Indirect term: backpropagation through the map alone, features held fixed."""
    net, samples = build(TINY), draw(SHAPES, 0, "train", range(20))
    images, labels = torch.from_numpy(samples.images), torch.from_numpy(samples.labels)
    x = net.features(images)
    log_f = net.look(x).log_f
    parameters = list(net.trunk.parameters())
    norms = []
    for features, f in ((x.detach(), log_f), (x, log_f.detach())):
        loss = nn.functional.cross_entropy(net.logits(features, f), labels)
        found = torch.autograd.grad(loss, parameters, retain_graph=True)
        norms.append(float(torch.cat([g.flatten() for g in found]).norm()))
    assert gradient_ratio(net, images, labels) == pytest.approx(norms[0] / norms[1], rel=1e-3)


def test_training_learns_and_the_mask_loss_teaches_the_map():
    shapes = dataclasses.replace(SHAPES, purity=1.0)
    before = variant(n=64, steps=80, shapes=shapes, s_start=6.0)
    train = draw(shapes, 0, "train", range(64))
    found = {}
    for supervision in ("label", "mask"):
        config = dataclasses.replace(before, supervision=supervision)
        with one_thread():
            start = evaluate(build(config), train)
            found[supervision] = evaluate(fit(config, train).net, train)
        assert found[supervision]["loss"] < start["loss"]
    assert found["mask"]["iou"] > max(0.3, found["label"]["iou"])


def test_the_start_with_the_lowest_training_loss_goes_on():
    train = draw(SHAPES, 0, "train", range(20))
    with one_thread():
        chosen = fit(variant(trial=1.0), train)
        each = [Training(TINY, train, start) for start in range(3)]
        for run in each:
            run.advance(12)
    losses = [run.recent_loss for run in each]
    assert len(set(losses)) == 3 and chosen.start == int(np.argmin(losses))
    assert chosen.recent_loss == min(losses)
    assert variant(trial=1.0).gradient_steps == 36 and TINY.gradient_steps == 12 + 2 * 3
    assert variant(method="oracle").gradient_steps == 12


def test_the_oracle_needs_the_truth():
    with pytest.raises(ValueError, match="the oracle needs the true masks"):
        SmallNet(variant(method="oracle"))(torch.zeros(1, 3, 32, 32))


def test_s_rises_and_ends_at_its_value():
    with one_thread():
        run = fit(TINY, draw(SHAPES, 0, "train", range(20)))
    assert run.net.attention.s == 6.0
    low = variant(s_start=6.0)
    assert numbers(run_cell(low))["train"] != numbers(run_cell(TINY))["train"]


@pytest.mark.parametrize("change", [{"lr": 1e30}, {"lr": math.inf}])
def test_a_loss_that_is_not_finite_stops_and_names_the_step(change):
    with pytest.raises(TrainingError, match=r"rectangle-label-n20-seed0-\w+: step [1-5]: "):
        run_cell(variant(**change, warmup=0))


def test_positionwise_loss_that_is_not_finite():
    """At once, and not only when the history is next written (every fourth step)."""
    with pytest.raises(TrainingError, match="step [1-3]: the loss is (nan|inf)"):
        run_cell(variant(method="positionwise", lr=1e30, warmup=0, steps=40, starts=1))


def test_a_last_step_that_ruins_the_weights_is_noticed():
    with pytest.raises(TrainingError, match="step 1: the loss is (nan|inf)"):
        run_cell(variant(method="positionwise", lr=1e30, warmup=0, steps=1, starts=1))


def test_two_workers_give_the_rows_of_one(tmp_path):
    configs = [variant(seed=s, method=m, steps=3) for s in (0, 1)
               for m in ("rectangle", "positionwise")]
    found = []
    for jobs in (1, 2):
        outcome = sweep(configs, tmp_path / f"{jobs}.jsonl", jobs)
        assert (outcome.written, outcome.found) == (4, 0)
        rows = sorted(read_rows(tmp_path / f"{jobs}.jsonl"), key=lambda r: r["key"])
        found.append([numbers(r) for r in rows])
    assert found[0] == found[1] and len(found[0]) == 4


def test_resume_after_a_kill(tmp_path, capsys):
    out = tmp_path / "rows.jsonl"
    configs = [variant(seed=s, steps=2) for s in range(3)]
    sweep(configs, out, 1)
    whole = out.read_bytes()
    lines = whole.splitlines(keepends=True)
    out.write_bytes(lines[0] + lines[1] + lines[2][:100])  # killed while writing the third
    outcome = sweep(configs, out, 1)
    assert (outcome.written, outcome.found) == (1, 2)
    assert out.read_bytes().startswith(lines[0] + lines[1])
    assert numbers(read_rows(out)[2]) == numbers(json.loads(lines[2]))
    assert "unfinished; moved to" in capsys.readouterr().err
    assert (tmp_path / "rows.jsonl.damaged").read_bytes() == lines[2][:100] + b"\n"
    assert sweep(configs, out, 1).written == 0


def test_a_last_row_without_its_newline_is_kept(tmp_path):
    out = tmp_path / "rows.jsonl"
    sweep([variant(steps=2)], out, 1)
    out.write_bytes(out.read_bytes().rstrip(b"\n"))
    sweep([variant(steps=2), variant(steps=2, seed=1)], out, 1)
    assert len(read_rows(out)) == 2 and not (tmp_path / "rows.jsonl.damaged").exists()


def test_rows_of_cells_before_a_failure_are_kept(tmp_path):
    out = tmp_path / "rows.jsonl"
    with pytest.raises(TrainingError):
        sweep([variant(steps=2), variant(lr=1e30, warmup=0)], out, 1)
    assert len(read_rows(out)) == 1


def test_keys_tell_configurations_apart():
    assert TINY.key == variant().key
    others = [variant(seed=1), variant(lr=0.02), variant(n=21), variant(supervision="mask"),
              variant(shapes=dataclasses.replace(SHAPES, noise=0.2))]
    assert len({c.key for c in (TINY, *others)}) == 6


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_have_every_method_and_both_supervisions(preset):
    configs = cells(preset)
    assert len({c.key for c in configs}) == len(configs)
    for method in ("rectangle", "positionwise"):
        found = [c for c in configs if c.method == method]
        assert {c.supervision for c in found} == {"label", "mask"}
        assert len({c.n for c in found}) >= 3 and len({c.seed for c in found}) >= 2
    assert {"none", "oracle"} <= {c.method for c in configs}


def test_settings():
    out = changed(RunConfig(), ["lr=1", "residual=false", "shapes.image=(32, 32)",
                                "shapes.half_widths=(0.12,0.2)", "shapes.cue=ring"])
    assert out["lr"] == 1.0 and out["residual"] is False
    assert out["shapes"] == ShapesConfig(image=(32, 32), half_widths=(0.12, 0.2), cue="ring")
    for setting, message in (("lr", "key=value"), ("speed=3", "unknown setting 'speed'"),
                             ("steps=1.5", "steps must be a int"), ("shapes=3", "unknown setting"),
                             ("shapes.colour=3", "unknown setting 'shapes.colour'"),
                             ("shapes.image=(1.5, 2)", "shapes.image must be a tuple"),
                             ("residual=1", "residual must be a bool")):
        with pytest.raises(ValueError, match=message):
            changed(RunConfig(), [setting])


@pytest.mark.parametrize(("change", "message"), [
    ({"method": "magic"}, "method must be one of"), ({"n": 0}, "n must be at least 1, got 0"),
    ({"supervision": "mask", "method": "none"}, "has no map to supervise"),
    ({"lr": -1.0}, "lr must be positive"), ({"trial": 0.0}, "trial must be in"),
    ({"starts": 0}, "starts must be at least 1"), ({"seed": -1}, "seed must not be negative"),
])
def test_bad_configurations(change, message):
    with pytest.raises(ValueError, match=message):
        variant(**change)
