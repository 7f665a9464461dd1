"""Rows of the bench, how they are timed and compared, and what is left out."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.timm_on_cpu import allow_timm
from theory import heads
from theory.claims import ledger_4_measured
from training import bench as module
from training.bench import COUNTED, MODULES, PARTS, PLACES, bench, multiply_adds
from training.timing import WARM_UP, clock_name, compared, turns

allow_timm()

CPU = torch.device("cpu")
LIGHT_PARTS = ("module", "learning-module", "network")


@pytest.fixture(scope="module")
def rows():
    return bench(2, parts=LIGHT_PARTS)


def test_rows_of_the_parts_that_need_nothing_else(rows):
    assert [r["key"] for r in rows] == [
        "latency-module-320x10x10-batch1", "latency-module-320x10x10-batch16",
        "latency-module-960x7x7-batch1", "latency-module-960x7x7-batch16",
        "latency-learning-module-960x7x7-batch32",
        "latency-network-64x64-batch1", "latency-network-64x64-batch16"]
    for row in rows:
        assert (row["kind"], row["clock"], row["device"], row["repeats"]) == (
            "latency", "thread_time", "cpu", 2)
        assert row["seconds"] > 0 and row["ratio"][row["ratio_base"]] == 1
        for name, value in row["milliseconds"].items():
            base = row["milliseconds"][row["ratio_base"]]
            assert value > 0 and row["ratio"][name] == pytest.approx(value / base, rel=1e-2)
            low, high = row["ratio_interval"][name]
            assert 0 < low <= high
    json.dumps(rows, allow_nan=False)


def test_the_same_modules_by_channels():
    rows = bench(1, parts=("channels",))
    assert [r["features"] for r in rows] == [[c, 10, 10] for c in module.CHANNELS]
    assert len({r["key"] for r in rows}) == len(rows) and {r["batch"] for r in rows} == {1}
    for row in rows:
        assert row["what"] == "module by channels" and row["ratio"]["positionwise"] == 1
        for name, head in COUNTED.items():
            assert row["parameters"][name] == heads.parameters(head, row["features"][0])


def test_all_heads_and_peers_are_timed(rows):
    named = {"rectangle-coords", "rectangle-paper", "rectangle-light", "rectangle-softargmax",
             "positionwise", "cbam", "simam"}
    for row in rows:
        if row["what"] == "network":
            assert {n for n in named if n != "rectangle-coords"} | {"none", "rectangle"} == set(row["ratio"])
        else:
            assert set(row["ratio"]) == named
            assert row["ratio_base"] == {"module": "positionwise", "learning module": "simam"}[row["what"]]


def test_parameters_are_those_of_the_theory(rows):
    for row in rows[:5]:
        channels = row["features"][0]
        for name, head in COUNTED.items():
            assert row["parameters"][name] == heads.parameters(head, channels)
            assert row["multiply_adds"][name] == heads.multiply_adds(head, *row["features"])
        assert row["parameters"]["simam"] == row["multiply_adds"]["simam"] == 0


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", COUNTED)
def test_multiply_adds_are_counted_as_in_the_theory(name, place):
    counted = multiply_adds(MODULES[name](place[0]), torch.zeros(1, *place))
    assert counted == heads.multiply_adds(COUNTED[name], *place)


def test_multiply_adds_of_one_convolution():
    assert multiply_adds(nn.Conv2d(3, 5, 3, padding=1), torch.zeros(2, 3, 6, 7)) == 2 * 3 * 5 * 9 * 42
    assert multiply_adds(nn.Linear(4, 6), torch.zeros(3, 4)) == 3 * 24


def test_the_ledger_reads_the_rows(rows, tmp_path, monkeypatch):
    monkeypatch.setattr(ledger_4_measured, "ROWS", tmp_path)
    (tmp_path / "latency.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    found = ledger_4_measured.latency("module", "positionwise")().numbers
    assert set(found) == {f"{n}, {'x'.join(map(str, p))}, batch {b}" for p in PLACES for b in (1, 16)
                          for n in ("rectangle-paper", "rectangle-coords", "rectangle-light",
                                    "rectangle-softargmax")}
    network = ledger_4_measured.latency("network", "none")().numbers
    assert {"rectangle, the small network, batch 1", "rectangle-paper, the small network, batch 16"} <= set(
        network)


def test_the_head_in_mobilenet(monkeypatch):
    assert module.BATCHES == (1, 16)
    monkeypatch.setattr(module, "BATCHES", (1,))
    monkeypatch.setattr(module, "STEP_BATCH", {"cpu": 2})
    rows = bench(1, parts=("backbone", "step"))
    assert [r["key"] for r in rows] == [
        "latency-backbone-mobilenetv3-large-224-batch1", "latency-step-mobilenetv3-large-224-batch2"]
    for row in rows:
        heads_timed = {"none", "rectangle-light", "rectangle-paper"}
        assert set(row["ratio"]) - {"rectangle-light-compiled"} == heads_timed
        assert row["ratio_base"] == "none" and row["precision"] == "float32"
    counts, weights = rows[0]["multiply_adds"], rows[0]["parameters"]
    added = counts["rectangle-paper"] - counts["none"]
    assert added == heads.multiply_adds(heads.RECTANGLE_HEAD, 960, 7, 7)
    assert 0.12 < added / counts["none"] < 0.135
    assert weights["rectangle-paper"] - weights["none"] == heads.parameters(heads.RECTANGLE_HEAD, 960)
    assert counts["rectangle-light"] - counts["none"] < 0.003 * counts["none"]


def test_the_head_is_compiled_where_there_is_a_compiler(monkeypatch, capsys):
    monkeypatch.setattr(module, "BATCHES", (1,))
    compiled = module._why_not_compiled() is None
    (row,) = bench(1, parts=("backbone",))
    assert ("rectangle-light-compiled" in row["ratio"]) == compiled


    def broken(function):
        raise RuntimeError("no compiler here\nand a long tale")

    monkeypatch.setattr(torch, "compile", broken)
    (row,) = bench(1, parts=("backbone",))
    assert "rectangle-light-compiled" not in row["ratio"]
    assert "the compiled head is left out: RuntimeError: no compiler here\n" in capsys.readouterr().err


def test_without_timm_the_part_is_left_out_and_says_so(monkeypatch, capsys):
    def missing(name):
        raise RuntimeError("this backbone needs timm")

    monkeypatch.setattr(module, "backbone", missing)
    assert bench(1, parts=("backbone", "step")) == []
    told = capsys.readouterr().err.splitlines()
    assert told == [f"bench: {p} left out: this backbone needs timm" for p in ("backbone", "step")]


def test_another_part_is_one_entry(monkeypatch):
    monkeypatch.setitem(PARTS, "data", lambda repeats, device: iter(
        [{"key": f"data-{repeats}-{device}", "what": "data", "images_per_second": 1.0}]))
    threads = torch.get_num_threads()
    (row,) = bench(3, parts=("data",))
    assert row["key"] == "latency-data-3-cpu" and row["images_per_second"] == 1 and row["seconds"] >= 0
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(("arguments", "said"), [
    ({"repeats": 0}, "repeats must be at least 1, got 0"),
    ({"parts": ("module", "disk")}, "parts must be among module, .*, got 'disk'"),
    ({"device": "meta"}, "device must be one of cpu, cuda, got 'meta'"),
])
def test_arguments_that_will_not_do(arguments, said):
    with pytest.raises(ValueError, match=said):
        bench(**arguments)


def test_both_directions_reach_every_weight_and_a_step_changes_them():
    x = torch.rand(2, 12, 5, 5, requires_grad=True)
    attention = MODULES["positionwise"](12)
    seen = []
    for p in (x, *attention.parameters()):
        p.register_hook(lambda g: seen.append(g.abs().sum() > 0))
    module._both_ways(attention, x, torch.ones_like(x))()
    assert len(seen) == 1 + len(list(attention.parameters())) and all(seen)
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 4))
    before = net[1].weight.clone()
    module._step(net, torch.rand(2, 3, 2, 2))()
    assert not torch.equal(net[1].weight, before) and net[1].weight.grad is None


@given(st.integers(1, 30), st.floats(0.1, 10), st.integers(0, 1000))
def test_turns_are_drawn_as_a_whole(repeats, factor, seed):
    """However the machine wavers, twice the time is a ratio of 2 in every resample."""
    base = np.random.default_rng(seed).lognormal(sigma=1.0, size=repeats)
    found = compared({"a": base, "b": factor * base}, "a", np.random.default_rng(0))
    assert found["ratio"] == {"a": 1.0, "b": pytest.approx(factor, abs=1e-4)}
    assert found["ratio_interval"]["b"] == pytest.approx([factor, factor], abs=1e-4)
    assert found["milliseconds"]["a"] == pytest.approx(1e3 * np.median(base), abs=1e-5)
    assert found["repeats"] == repeats and found["ratio_base"] == "a"


def test_the_interval_is_that_of_the_ratio_of_medians():
    """Against the normal approximation: the median of n draws N(m, s) has deviation s sqrt(pi/2n)."""
    rng = np.random.default_rng(1)
    n, s = 400, 0.05
    times = {"a": 1 + s * rng.standard_normal(n), "b": 1.3 * (1 + s * rng.standard_normal(n))}
    found = compared(times, "a", np.random.default_rng(0))
    low, high = found["ratio_interval"]["b"]
    width = 2 * 1.96 * 1.3 * s * np.sqrt(np.pi / 2 / n) * np.sqrt(2)
    assert low < found["ratio"]["b"] < high and low < 1.3 < high
    assert high - low == pytest.approx(width, rel=0.35)
    with pytest.raises(ValueError, match=r"'c' must be among the timed calls, got \['a', 'b'\]"):
        compared(times, "c", rng)


def test_calls_take_turns_and_the_first_rotates():
    order = []
    times = turns({n: (lambda n=n: order.append(n)) for n in "abc"}, 2, CPU)
    assert WARM_UP == 2 and "".join(order) == "abc" "bca" "cab" "abc"
    assert {n: len(v) for n, v in times.items()} == {"a": 2, "b": 2, "c": 2}


def test_the_clock_of_the_cpu_counts_work_and_not_waiting():
    def work():
        end = time.thread_time() + 0.02
        while time.thread_time() < end:
            pass

    times = turns({"wait": lambda: time.sleep(0.03), "work": work}, 2, CPU)
    assert times["wait"].max() < 0.01 < 0.019 < times["work"].min()
    assert clock_name(CPU) == "thread_time" and clock_name(torch.device("cuda")) == "perf_counter"
