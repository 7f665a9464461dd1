"""A run in its folder: what is there, resuming after a kill, several processes, loading it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from sims.rows import read_rows
from tests.training.tiny import TINY, numbers, variant
from training.checkpoint import CheckpointError
from training.fit import one_thread
from training.run import run_cell
from training.single import load, run

ROOT = Path(__file__).parents[2]
SETTINGS = ["n=20", "steps=12", "batch=8", "n_test=16", "width=8", "tail=8", "positionwise_width=4",
            "shapes.image=(32,32)", "shapes.half_widths=(0.12,0.26)"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def command(out, *settings, launcher=(), every=4):
    more = [f"--set={s}" for s in (*SETTINGS, *settings)]
    return [sys.executable, *launcher, "-m", "training", "run", "--preset", "cpu",
            "--every", str(every), "--out", str(out), *more]


def weights(folder):
    from safetensors.torch import load_file

    return load_file(folder / "weights.safetensors")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "one"
    with one_thread():
        row = run(TINY, folder, every=4)
    return folder, row


def test_the_row_is_that_of_the_cell(finished):
    folder, row = finished
    alone = numbers(run_cell(TINY))
    mine = numbers(row)
    assert mine["test"] == alone["test"] and mine["history"] == alone["history"]
    assert mine["processes"] == 1 and read_rows(folder / "row.jsonl")[0]["key"] == TINY.key
    assert json.loads((folder / "config.json").read_text())["steps"] == 12


def test_a_finished_run_is_not_repeated(finished):
    folder, row = finished
    before = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    assert run(TINY, folder)["test"] == row["test"]
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()} == before


def test_loading_gives_the_same_network(finished):
    folder, row = finished
    config, predictor = load(folder)
    assert config == TINY and predictor.stride == 4 and predictor.grid == (8, 8)
    from training.shapes_field import ShapeField

    samples = ShapeField(TINY.shapes, TINY.seed).draw("test", range(16))
    logits, found = predictor.net(samples.images)
    right = (logits.argmax(1) == samples.labels).double().mean()
    assert float(right) == pytest.approx(row["test"]["accuracy"])
    wrong = (found.hard_mask() != samples.masks).double().mean()
    assert float(wrong) == pytest.approx(row["test"]["missing_rate"])


def test_another_configuration_is_refused_and_nothing_touched(finished):
    folder, _ = finished
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    with pytest.raises(CheckpointError, match=r"another configuration: lr \(lr is 0.01 there, 0.02"):
        run(variant(lr=0.02), folder)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="not empty and holds no run"):
        run(TINY, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_run_that_never_began_leaves_its_folder_free(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"steps": 3}))
    assert run(TINY, tmp_path)["key"] == TINY.key


def test_an_oracle_cannot_look_at_images_alone(tmp_path):
    run(variant(method="oracle", steps=1), tmp_path / "run")
    with pytest.raises(CheckpointError, match="is given the true masks"):
        load(tmp_path / "run")


def test_truncated_files_are_named(finished, tmp_path):
    import shutil

    folder, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    data = (copy / "weights.safetensors").read_bytes()
    (copy / "weights.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match="weights.safetensors: cannot be read"):
        load(copy)
    (copy / "config.json").write_text('{"steps": ')
    with pytest.raises(CheckpointError, match="config.json: cannot be read"):
        load(copy)
    with pytest.raises(CheckpointError, match="holds no finished run"):
        load(tmp_path / "nowhere")


def test_killed_and_resumed_is_bitwise_the_same(tmp_path):
    """2k steps == k steps, kill -9, the rest, with k = 100 or so."""
    long = ["steps=200", "starts=1", "n=64"]
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    subprocess.run(command(whole, *long, every=20), cwd=ROOT, check=True, capture_output=True,
                   env=ENVIRONMENT)
    child = subprocess.Popen(command(stopped, *long, every=20), cwd=ROOT, env=ENVIRONMENT,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pointer = stopped / "checkpoints" / "start0.json"
    for _ in range(3000):
        if pointer.is_file() and json.loads(pointer.read_text())["step"] >= 60:
            break
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (stopped / "row.jsonl").exists()
    subprocess.run(command(stopped, *long, every=20), cwd=ROOT, check=True, capture_output=True,
                   env=ENVIRONMENT)
    a, b = weights(whole), weights(stopped)
    assert a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)
    rows = [numbers(read_rows(f / "row.jsonl")[0]) for f in (whole, stopped)]
    assert rows[0] == rows[1]


def test_two_processes_train_on_the_batches_of_one(tmp_path, finished):
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    done = subprocess.run(command(tmp_path / "two", launcher=launcher), cwd=ROOT, env=ENVIRONMENT,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    folder, row = finished
    (two,) = read_rows(tmp_path / "two" / "row.jsonl")
    assert two["processes"] == 2
    for moment, other in zip(row["history"], two["history"], strict=True):
        assert moment["step"] == other["step"]
        assert moment["loss"] == pytest.approx(other["loss"], rel=1e-3)
    for split in ("train", "test"):
        assert two[split]["images"] == row[split]["images"]
        assert two[split]["missing_rate"] == pytest.approx(row[split]["missing_rate"], abs=0.02)
    a, b = weights(folder), weights(tmp_path / "two")
    for name, value in a.items():
        torch.testing.assert_close(value, b[name], rtol=0.05, atol=0.02)


def test_evaluation_by_shares_is_exact(finished):
    """Counts of two processes add up to those of one: the parts are summed as integers."""
    from training.data import prepare
    from training.evaluate import evaluate, plain
    from training.fit import build
    from training.parallel import World

    class Second(World):
        """Rank r of two, without a process group: what a process alone counts."""

        def sum_counts(self, state):
            return state

        def sum_scalar(self, value):
            return float(value)

        def gather_rows(self, rows):
            return rows

    config = variant(n_test=600)
    data = prepare(config)
    net = build(config, data)
    net.eval()
    _, whole = evaluate(plain(net), data.test)
    parts = [evaluate(plain(net), data.test, world=Second(rank, 2))[1] for rank in (0, 1)]
    assert torch.equal(parts[0].merge(parts[1]).state, whole.state)
