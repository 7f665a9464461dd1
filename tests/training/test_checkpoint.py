"""Checkpoints: bitwise resume, kills at any moment, damage, and what must not be overwritten."""

import json
import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from theory import files
from theory.files import write_whole
from training.checkpoint import CheckpointError, collect, load, restore, save

CONFIG = {"seed": 3, "lr": 0.01, "shapes": {"noise": 0.1, "image": (32, 32)}}


def put(folder, step, name="a", key="k", config=None, size=50):
    """A checkpoint whose whole content follows from its step."""
    return save(folder, name, key=key, step=step, config=config,
                weights={"w": torch.full((size,), float(step)), "n": torch.tensor(step)},
                state={"history": [{"step": step, "loss": 0.5, "iou": None}], "order": torch.arange(step)})


def whole(found):
    """The step of a checkpoint, after a look at every part of it."""
    step = found.step
    assert torch.equal(found.weights["w"], torch.full_like(found.weights["w"], float(step)))
    assert int(found.weights["n"]) == step and len(found.state["order"]) == step
    assert found.state["history"] == [{"step": step, "loss": 0.5, "iou": None}]
    return step


def test_what_is_saved_comes_back(tmp_path):
    weights = {"a.weight": torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0)),
               "half": torch.randn(3).bfloat16(), "count": torch.tensor(7), "empty": torch.empty(0, 2),
               "p": nn.Parameter(torch.ones(2))}
    weights["last"] = weights["a.weight"].to(memory_format=torch.channels_last)
    weights["view"] = weights["a.weight"][0].permute(2, 0, 1)
    state = {"nested": {0: [torch.arange(3), (1, 2.5, None, True, "x")]}}
    path = save(tmp_path / "new" / "folder", "start0", key="cell", step=12, weights=weights, state=state)
    found = load(path.parent, "start0", key="cell")
    assert (found.key, found.step) == ("cell", 12) and found.versions["torch"] == torch.__version__
    assert found.weights.keys() == weights.keys()
    for name, value in weights.items():
        assert found.weights[name].dtype == value.dtype and torch.equal(found.weights[name], value), name
    assert torch.equal(found.state["nested"][0][0], torch.arange(3))
    assert found.state["nested"][0][1] == (1, 2.5, None, True, "x")


def test_files_are_those_of_the_formats_and_no_older_ones_stay(tmp_path):
    from safetensors.torch import load_file

    put(tmp_path, 0, name="ab")
    for step in range(3):
        put(tmp_path, step)
    kinds = sorted(p.suffix for p in tmp_path.iterdir())
    assert kinds == [".json", ".json", ".pt", ".pt", ".safetensors", ".safetensors"]
    head = json.loads((tmp_path / "a.json").read_text())
    assert head["step"] == 2 and head["key"] == "k"
    assert torch.equal(load_file(tmp_path / head["weights"]["file"])["w"], torch.full((50,), 2.0))
    torch.load(tmp_path / head["state"]["file"], weights_only=True)
    assert whole(load(tmp_path, "ab")) == 0 and whole(load(tmp_path, "a")) == 2


def test_none_where_there_is_none(tmp_path):
    assert load(tmp_path, "a") is None and load(tmp_path / "nowhere", "a", key="k") is None


def small(seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 1))
    return net, torch.optim.Adam(net.parameters(), 0.05), torch.Generator().manual_seed(seed)


def go(net, optimizer, generator, steps):
    for _ in range(steps):
        x = torch.randn(8, 5, generator=generator)
        loss = (net(x) - x.sum(1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return nn.utils.parameters_to_vector(net.parameters()).detach().clone()


def test_resume_is_bitwise(tmp_path):
    straight = go(*small(1), 40)
    net, optimizer, generator = small(1)
    go(net, optimizer, generator, 20)
    save(tmp_path, "a", key="k", step=20, weights=net.state_dict(),
         state=collect(optimizer, generator, losses=[0.1, 0.2]))
    net, optimizer, generator = small(2)  # another start altogether
    found = load(tmp_path, "a", key="k")
    net.load_state_dict(found.weights)
    assert restore(found.state, optimizer, generator) == {"losses": [0.1, 0.2]}
    assert torch.equal(go(net, optimizer, generator, 20), straight)
    fresh = small(2)
    fresh[0].load_state_dict(found.weights)
    assert not torch.equal(go(*fresh, 20), straight)  # the weights alone do not do


def test_collected_state_does_not_move_with_the_run():
    net, optimizer, generator = small(1)
    go(net, optimizer, generator, 3)
    state = collect(optimizer, generator)
    before = {i: v["exp_avg"].clone() for i, v in state["optimizer"]["state"].items()}
    go(net, optimizer, generator, 3)
    assert all(torch.equal(state["optimizer"]["state"][i]["exp_avg"], v) for i, v in before.items())
    restore(state, optimizer, generator)
    go(net, optimizer, generator, 3)
    assert all(torch.equal(state["optimizer"]["state"][i]["exp_avg"], v) for i, v in before.items())


def test_a_state_that_does_not_fit():
    _, optimizer, generator = small(1)
    state = collect(optimizer, generator)
    other = torch.optim.Adam([nn.Parameter(torch.ones(1))])
    with pytest.raises(CheckpointError, match="does not fit"):
        restore(state, other, generator)
    with pytest.raises(CheckpointError, match="generator"):
        restore({"optimizer": optimizer.state_dict()}, optimizer, generator)


def test_another_configuration_is_named_and_kept(tmp_path):
    put(tmp_path, 5, config=CONFIG)
    other = {**CONFIG, "seed": 4, "shapes": {"noise": 0.2, "image": (32, 32), "blur": 1}}
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    for act in (lambda: load(tmp_path, "a", key="other", config=other),
                lambda: put(tmp_path, 6, key="other", config=other)):
        with pytest.raises(CheckpointError, match="another configuration") as caught:
            act()
        for part in ("seed was 3, is 4", "shapes.noise was 0.1, is 0.2", "shapes.blur was 'not there', is 1",
                     "a.json"):
            assert part in str(caught.value)
        assert "lr" not in str(caught.value) and "image" not in str(caught.value)
    with pytest.raises(CheckpointError, match="its key is k, not other$"):
        load(tmp_path, "a", key="other")
    with pytest.raises(CheckpointError, match="other code"):
        load(tmp_path, "a", key="other", config=CONFIG)
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before
    assert whole(load(tmp_path, "a")) == 5


@pytest.mark.parametrize("suffix, harm", [(s, h) for s in (".json", ".pt", ".safetensors")
                                          for h in ("cut", "empty", "flip", "gone")
                                          if (s, h) != (".json", "gone")])
def test_damage_is_named_and_not_overwritten(tmp_path, suffix, harm):
    put(tmp_path, 5)
    path = next(p for p in tmp_path.iterdir() if p.suffix == suffix)
    data = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        changed = {"cut": data[:-9], "empty": b"", "flip": data[:40] + bytes([data[40] ^ 64]) + data[41:]}
        path.write_bytes(changed[harm])
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    for act in (lambda: load(tmp_path, "a", key="k"), lambda: put(tmp_path, 6)):
        with pytest.raises(CheckpointError) as caught:
            act()
        assert str(path) in str(caught.value)
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_file_of_another_schema_is_no_checkpoint(tmp_path):
    (tmp_path / "a.json").write_text('{"schema": 9}')
    with pytest.raises(CheckpointError, match="schema must be 1, got 9"):
        load(tmp_path, "a")
    for text in ("[]", "3", "{}", '{"schema": 1, "key": 3}'):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(CheckpointError, match="a.json"):
            put(tmp_path, 1)


def test_bad_arguments(tmp_path):
    for name in ("", ".a", "a/b", "../a", "a b"):
        with pytest.raises(ValueError, match="name must be"):
            put(tmp_path, 1, name=name)
    with pytest.raises(ValueError, match="step must be an integer >= 0, got -1"):
        save(tmp_path, "a", key="k", step=-1, weights={}, state={})
    for state, where in (({"h": [1, {2}]}, r"state\['h'\]\[1\]"), ({(1,): 2}, "keys must be"),
                         ({"f": CheckpointError}, r"state\['f'\]")):
        with pytest.raises(TypeError, match=where):
            save(tmp_path, "a", key="k", step=1, weights={}, state=state)
    assert list(tmp_path.iterdir()) == []


class Stop(BaseException):
    """A crash between two calls of the system."""


def crashing(monkeypatch, moment):
    """Let the ``moment``-th call that changes the disk be the one that never returns."""
    count = iter(range(10_000))

    def watched(original):
        def call(*args, **kwargs):
            if next(count) == moment:
                raise Stop
            return original(*args, **kwargs)
        return call

    for name in ("replace", "fsync", "unlink"):
        monkeypatch.setattr(files.os, name, watched(getattr(os, name)))
    return count


def test_a_crash_at_every_call_leaves_the_old_or_the_new(tmp_path, monkeypatch):
    seen = []
    for moment in range(100):
        folder = tmp_path / str(moment)
        put(folder, 1)
        with monkeypatch.context() as patch:
            crashing(patch, moment)
            try:
                put(folder, 2)
                done = True
            except Stop:
                done = False
        seen.append(whole(load(folder, "a", key="k")))
        put(folder, 3)  # and the next one works, and clears up
        assert whole(load(folder, "a")) == 3 and len(list(folder.glob("*a-*"))) == 2
        if done:
            break
    assert seen == sorted(seen) and {1, 2} == set(seen) and 9 <= moment < 99
    assert seen.index(2) >= 7  # six calls for the pair, then the pointer


def test_a_crash_while_the_same_step_is_saved_again(tmp_path, monkeypatch):
    seen = []
    for moment in range(9):
        folder = tmp_path / str(moment)
        put(folder, 1)
        with monkeypatch.context() as patch, pytest.raises(Stop):
            crashing(patch, moment)
            put(folder, 1, size=60)  # other content, as on a GPU
        found = load(folder, "a")
        assert whole(found) == 1
        seen.append(len(found.weights["w"]))
    assert seen == [50] * 8 + [60]


def test_the_first_one_is_lost_whole_or_not_at_all(tmp_path, monkeypatch):
    for moment in range(9):
        folder = tmp_path / str(moment)
        with monkeypatch.context() as patch, pytest.raises(Stop):
            crashing(patch, moment)
            put(folder, 2)
        found = load(folder, "a")
        assert found is None if moment < 8 else whole(found) == 2
        put(folder, 3)
        assert whole(load(folder, "a")) == 3 and len(list(folder.iterdir())) == 3


def test_what_a_killed_process_left_goes_and_what_others_have_stays(tmp_path):
    put(tmp_path, 1)
    stem = f"a-00000001-{'0' * 16}"
    left = [f".{stem}.pt.77.part", f".{stem}.safetensors.8.part", ".a.json.77.part", f"{stem}.pt"]
    others = [f".b{stem}.pt.77.part", ".b.json.77.part", "a.json.77.part", f".{stem}.pt.x.part", ".a.jsonl"]
    for name in left + others:
        (tmp_path / name).write_bytes(b"half")
    put(tmp_path, 2)
    names = {p.name for p in tmp_path.iterdir()}
    assert not names & set(left) and names >= set(others) and len(names) == 3 + len(others)


def test_every_file_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    put(tmp_path, 1)
    calls = []
    for name in ("replace", "fsync", "unlink"):
        monkeypatch.setattr(files.os, name, lambda *a, name=name, call=getattr(os, name), **k: (
            calls.append(name), call(*a, **k))[1])
    put(tmp_path, 2)
    assert calls == ["fsync", "replace", "fsync"] * 3 + ["unlink"] * 2


KILLER = """
import os, random, signal, sys, time
import torch
from tests.training.test_checkpoint import put, whole
from training.checkpoint import load
torch.set_num_threads(1)
folder, dice, steps, cut = sys.argv[1], random.Random(0), 0, 0
for round in range(int(sys.argv[2])):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        found = load(folder, "a", key="k")
        step = 0 if found is None else whole(found)
        while True:
            step += 1
            put(folder, step, size=20000)
            os.write(write, f"{step}\\n".encode())
    os.close(write)
    said = os.read(read, 100)  # waits for the first one
    time.sleep(dice.uniform(0, 0.02))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    steps = int((said + os.fdopen(read, "rb").read()).split()[-1])
    found = load(folder, "a", key="k")
    now = 0 if found is None else whole(found)
    assert steps <= now <= steps + 1, (steps, now)
    steps, cut = now, cut + any(n.endswith(".part") for n in os.listdir(folder))
print(steps, cut)
"""


def test_kill_9_never_loses_the_last_good_one(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLER, str(tmp_path / "x"), "40"],
                          capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    steps, cut = map(int, done.stdout.split())
    assert steps >= 40 and cut >= 1  # it went on through the kills, and some hit a write


@given(old=st.binary(max_size=300), new=st.binary(max_size=300))
def test_write_whole(tmp_path_factory, old, new):
    path = tmp_path_factory.mktemp("w") / "f"
    path.write_bytes(old)
    write_whole(path, new)
    assert path.read_bytes() == new and list(path.parent.iterdir()) == [path]
