"""One process and several: the same global batches, gradients to rounding, counts exactly."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from training.parallel import FIELDS, World, world

ROOT = Path(__file__).parents[2]
BATCH, STEPS = 7, 4


def tiny():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
        return net, nn.Linear(2, 2)  # the second one is used by the last image of a batch alone


def job(here):
    """What every process does: train on global batches, count, and say what it saw."""
    torch.set_num_threads(1)
    net, extra = tiny()
    unused = nn.Parameter(torch.ones(3))
    parameters = [*net.parameters(), *extra.parameters(), unused]
    optimizer = torch.optim.Adam(parameters, 0.01)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(20, 3, 6, 6, generator=generator)
    labels = torch.randint(3, (20,), generator=generator)
    order, losses, seen, gradients = generator, [], [], None
    right = {"right": torch.zeros(3, dtype=torch.int64), "images": torch.tensor(0, dtype=torch.int32),
             "big": torch.tensor(2**53 + here.rank)}
    for _ in range(STEPS):
        chosen = torch.randperm(20, generator=order)[:BATCH]
        part = here.shard(chosen)
        seen += here.gather_rows(part.tolist())
        logits = net(images[part])
        total = nn.functional.cross_entropy(logits, labels[part], reduction="sum")
        if chosen[-1] in part:
            total = total + extra(images[chosen[-1], 0, 0, :2]).square().sum()
        loss = total / len(chosen)
        optimizer.zero_grad()
        loss.backward()
        here.sum_gradients(parameters)
        gradients = torch.cat([p.grad.flatten() for p in parameters[:-1]])
        assert here.same_everywhere(gradients) and unused.grad is None
        optimizer.step()
        losses.append(here.sum_scalar(loss.detach()))
        hits = logits.argmax(1) == labels[part]
        right["right"] += torch.bincount(labels[part][hits], minlength=3)
        right["images"] += len(part)
    counts = here.sum_counts(right)
    weights = nn.utils.parameters_to_vector(parameters).detach()
    assert here.same_everywhere(weights)
    return {"losses": losses, "seen": seen, "gradients": gradients.tolist(), "weights": weights.tolist(),
            "counts": {k: v.tolist() for k, v in counts.items()}, "dtype": str(counts["images"].dtype)}


def meetings(here):
    """The checks that need several processes to fail."""
    assert here.same_everywhere(torch.zeros(2)) and here.same_everywhere(torch.empty(0))
    assert not here.same_everywhere(torch.tensor([0.0, float(here.rank)]))
    assert not here.same_everywhere(torch.tensor([float(here.rank == here.size - 1)]))
    assert not here.same_everywhere(torch.zeros(2, dtype=torch.int32 if here.rank else torch.float32))
    assert not here.same_everywhere(torch.zeros((1, 2) if here.rank else (2, 1)))
    assert here.same_everywhere(torch.full((2,), float("nan")))  # bits, not numbers
    assert not here.same_everywhere(torch.tensor(-0.0 if here.rank else 0.0))
    assert here.gather_rows([{"rank": here.rank}] * here.rank) == [
        {"rank": r} for r in range(here.size) for _ in range(r)]
    assert here.sum_scalar(here.rank) == sum(range(here.size))
    assert here.sum_scalar(float("nan") if here.rank else 1.0) != here.sum_scalar(1.0)
    for state in ({"a" if here.rank else "b": torch.tensor(1)},
                  {"a": torch.zeros(here.rank + 1, dtype=torch.int64)}):
        with pytest.raises(ValueError, match="same names and shapes"):
            here.sum_counts(state)
    wide = nn.Parameter(torch.ones(2, dtype=torch.float64))
    wide.grad = torch.full((2,), 1 + 1e-12, dtype=torch.float64)
    half = nn.Parameter(torch.ones(2, dtype=torch.bfloat16))
    half.grad = torch.ones(2, dtype=torch.bfloat16)
    here.sum_gradients([wide, half, nn.Parameter(torch.ones(1), requires_grad=False)])
    assert wide.grad[0] == here.size * (1 + 1e-12) and half.grad.dtype == torch.bfloat16
    assert here.sum_counts({}) == {}
    here.sum_gradients([])
    here.wait()


def main(path):
    with world(timeout=60) as here:
        result = job(here)
        if here.size > 1:
            meetings(here)
        if here.first:
            Path(path).write_text(json.dumps(result))
    assert not torch.distributed.is_initialized()
    names = [task.joinpath("comm").read_text() for task in Path("/proc/self/task").glob("*")]
    assert not [name for name in names if "gloo" in name]  # else Python may abort at its end


def environment(**more):
    kept = {k: v for k, v in os.environ.items() if k not in FIELDS}
    return kept | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | more


def processes(size, path):
    """``size`` processes with the environment that torchrun gives them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size)}
    command = [sys.executable, "-m", "tests.training.test_parallel", str(path)]
    running = [subprocess.Popen(command, env=environment(RANK=str(r), LOCAL_RANK=str(r), **group),
                                stderr=subprocess.PIPE, text=True, cwd=ROOT) for r in range(size)]
    ends = [(p.communicate(timeout=120)[1], p.returncode) for p in running]
    assert all(code == 0 for _, code in ends), ends
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def alone():
    return job(World.single())


def agree(result, alone):
    assert result["seen"] == alone["seen"] and len(alone["seen"]) == BATCH * STEPS
    for name in ("losses", "gradients", "weights"):
        there, here = torch.tensor(result[name]), torch.tensor(alone[name])
        assert torch.allclose(there, here, rtol=1e-4, atol=2e-6), name
    assert {k: v for k, v in result["counts"].items() if k != "big"} == {
        k: v for k, v in alone["counts"].items() if k != "big"}
    assert alone["counts"]["images"] == BATCH * STEPS and result["dtype"] == "torch.int64"


def test_three_processes(tmp_path, alone):
    result = processes(3, tmp_path / "out.json")
    agree(result, alone)
    assert result["counts"]["big"] == 3 * 2**53 + 3  # no float64 holds it


def test_torchrun_with_two_processes(tmp_path, alone):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
               "-m", "tests.training.test_parallel", str(tmp_path / "out.json")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, cwd=ROOT,
                          check=False, timeout=150)
    assert done.returncode == 0, done.stderr
    agree(json.loads((tmp_path / "out.json").read_text()), alone)


def test_the_gradient_alone_is_that_of_the_mean_loss(alone):
    net, _ = tiny()
    images = torch.randn(20, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    assert alone["gradients"] and len(alone["losses"]) == STEPS
    part = World.single().shard(torch.arange(5))
    assert torch.equal(part, torch.arange(5))
    before = net(images[:1]).sum()
    before.backward()
    kept = [p.grad.clone() for p in net.parameters()]
    World.single().sum_gradients(net.parameters())
    assert all(torch.equal(p.grad, k) for p, k in zip(net.parameters(), kept, strict=True))


@given(n=st.integers(0, 50), size=st.integers(1, 9))
def test_the_parts_are_the_whole(n, size):
    parts = [World(rank, size).shard(list(range(n))) for rank in range(size)]
    assert sum(parts, []) == list(range(n))
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1 and sizes == sorted(sizes, reverse=True)
    assert torch.equal(torch.cat([World(r, size).shard(torch.arange(n)) for r in range(size)]),
                       torch.arange(n))


def test_counts_must_be_integers():
    here = World.single()
    with pytest.raises(ValueError, match="counts must be integers, got torch.float32 for 'soft'"):
        here.sum_counts({"n": torch.tensor(1), "soft": torch.tensor(0.5)})
    counts = here.sum_counts({"b": torch.tensor([True, False]), "a": torch.tensor(3, dtype=torch.int8)})
    assert counts["b"].tolist() == [1, 0] and counts["a"].dtype == torch.int64
    assert list(counts) == ["b", "a"] and here.same_everywhere(torch.ones(1)) and here.first
    assert here.gather_rows([1, 2]) == [1, 2] and here.sum_scalar(torch.tensor(0.5)) == 0.5
    here.wait()


def test_the_environment(monkeypatch):
    for name in FIELDS:
        monkeypatch.delenv(name, raising=False)
    assert World.from_environment() == World.single() == World()
    with world() as here:
        assert here.size == 1 and not torch.distributed.is_initialized()
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(ValueError, match="together, got only {'WORLD_SIZE': '4'}"):
        World.from_environment()
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("RANK", "three")
    with pytest.raises(ValueError, match="must be integers"):
        World.from_environment()
    monkeypatch.setenv("RANK", "3")
    assert World.from_environment() == World(3, 4, 1) and not World(3, 4, 1).first
    monkeypatch.setenv("RANK", "4")
    with pytest.raises(ValueError, match="rank must be in 0 to size - 1 = 3, got 4"):
        World.from_environment()
    with pytest.raises(ValueError, match="local_rank must not be negative"):
        World(0, 1, -1)


def test_a_gpu_of_its_own(monkeypatch):
    for name, value in zip(FIELDS, "351", strict=True):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert World.from_environment("cuda").device == torch.device("cuda", 1)
    assert World.from_environment("cuda:0").device == torch.device("cuda", 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="LOCAL_RANK 1 needs 2 GPUs, this machine has 1"):
        World.from_environment("cuda")


if __name__ == "__main__":
    main(sys.argv[1])
