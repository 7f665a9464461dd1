"""What the doctor says of a machine and of the time that a preset takes."""

import json
import time
from dataclasses import dataclass, replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training import doctor


@dataclass(frozen=True)
class Config:
    method: str = "a"
    n: int = 64
    batch: int = 32
    seed: int = 0
    steps: int = 100

    @property
    def gradient_steps(self):
        return 2 * self.steps


COST = {"a": 0.002, "b": 0.006}
CELLS = [Config(m, seed=s) for m in COST for s in range(3)]


class Fake:
    """Cells on a clock that only they move, so that a busy machine changes nothing."""

    def __init__(self, monkeypatch):
        self.now, self.calls = 0.0, []
        original = doctor.timing
        monkeypatch.setattr(doctor, "timing", lambda *a: original(*a, clock=lambda: self.now))

    def calibrate(self, config):
        self.calls.append(config.method)
        if config.method == "none":
            raise RuntimeError("no GPU here\nsecond line")
        return lambda: self.pass_time(COST[config.method])

    def around(self, config):
        self.pass_time(0.5)

    def pass_time(self, seconds):
        self.now += seconds


def test_expected_wall_time(monkeypatch):
    fake, timed = Fake(monkeypatch), {}
    for jobs, seconds in ((1, 3 * 200 * 0.008), (2, 2 * 200 * 0.006 + 1 * 200 * 0.002), (9, 200 * 0.006)):
        found = doctor.expected(CELLS, fake.calibrate, None, jobs, doctor.same_pace, timed)
        assert found["seconds"] == pytest.approx(seconds), jobs
        assert (found["cells"], found["steps"], found["problem"]) == (6, 1200, None)
    assert fake.calls == ["a", "b"]  # one of each kind, once
    found = doctor.expected(CELLS, fake.calibrate, fake.around, 1, doctor.same_pace, {})
    assert found["seconds"] == pytest.approx(3 * 200 * 0.008 + 6 * 0.5)


def test_what_cannot_run_here_is_said(monkeypatch):
    cells = [*CELLS, Config("none"), Config("b", batch=1)]
    found = doctor.expected(cells, Fake(monkeypatch).calibrate, None, 1, doctor.same_pace, {})
    assert found["seconds"] is None and found["problem"] == "RuntimeError: no GPU here"


def test_the_pace_is_measured():
    assert 0.004 < doctor.pace(lambda: time.sleep(0.004)) < 0.2
    spent, steps = [0.0], [0]

    def step():
        steps[0] += 1
        spent[0] += 100.0 if steps[0] <= 2 else steps[0]  # the first two are slow: not counted

    assert doctor.pace(step, clock=lambda: spent[0], budget=1e9) == 7.5 and steps[0] == 12
    steps[0] = 2
    assert doctor.pace(step, warm=0, clock=lambda: spent[0], budget=2.0) == 4 and steps[0] == 5


def test_configurations_of_the_same_pace():
    c = Config()
    assert doctor.same_pace(c) == doctor.same_pace(replace(c, seed=3, steps=7))
    for other in (replace(c, method="b"), replace(c, batch=16), replace(c, n=8)):
        assert doctor.same_pace(c) != doctor.same_pace(other)


@given(lengths=st.lists(st.floats(0, 100), max_size=12), jobs=st.integers(1, 5))
def test_makespan(lengths, jobs):
    found = doctor.makespan(lengths, jobs)
    lower = max([sum(lengths) / jobs, *lengths])
    assert lower - 1e-9 <= found <= sum(lengths) / jobs + max(lengths, default=0) + 1e-9
    assert doctor.makespan(lengths, 1) == pytest.approx(sum(lengths))
    assert doctor.makespan([1.0] * len(lengths), jobs) == -(-len(lengths) // jobs)


def package(folder, name, source, version=None):
    (folder / f"{name}.py").write_text(source)
    if version is not None:
        info = folder / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def test_extras(tmp_path, monkeypatch):
    package(tmp_path, "qgood", "print('{noise')", "1.2")
    package(tmp_path, "qhalf", "import qmissing_inner", "0.1")
    package(tmp_path, "qnms", "raise RuntimeError('operator torchvision::nms does not exist')", "0.28")
    package(tmp_path, "qexit", "raise SystemExit('no')")
    package(tmp_path, "qcrash", "import os; os._exit(7)", "3")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    names = ("qgood", "qhalf", "qnms", "qexit", "qnone", "qcrash", "qlater")
    found = doctor.extras({name: (name, "a test") for name in names})
    assert list(found) == list(names) and all(f["for"] == "a test" for f in found.values())
    assert found["qgood"] == {"for": "a test", "version": "1.2", "problem": None}
    assert found["qhalf"]["problem"] == "No module named 'qmissing_inner'"
    assert found["qnms"]["problem"].startswith("operator torchvision::nms does not exist: this torchvision")
    assert torch.__version__ in found["qnms"]["problem"] and found["qnms"]["version"] == "0.28"
    assert found["qexit"]["problem"] == "SystemExit: no" and found["qnone"]["problem"] == "not installed"
    for name in ("qcrash", "qlater"):
        assert found[name]["problem"] == "not known: an import ended python (exit code 7)"


def test_the_report_and_its_text(monkeypatch):
    monkeypatch.setattr(doctor, "EXTRAS", {"json": ("no-such-distribution", "x"), "qnone": ("qnone", "y")})
    fake = Fake(monkeypatch)
    presets = {"quick": CELLS, "gpu": [Config("none")]}
    found = doctor.report(presets, fake.calibrate, jobs=2)
    assert json.loads(json.dumps(found)) == found
    assert found["devices"][0]["device"] == "cpu" and found["threads"]["torch"] == torch.get_num_threads()
    assert len(found["devices"]) == 1 + torch.cuda.device_count()
    if found["memory"]["total"] is not None:
        assert 2**28 < found["memory"]["available"] <= found["memory"]["total"]
    shown = doctor.text(found)
    for part in (f"torch {torch.__version__}", "quick: 6 cells, 1200 steps, 2 at a time: 2.8 s",
                 "gpu: 1 cells, 200 steps, 2 at a time: cannot run here: RuntimeError: no GPU here",
                 "json (x): present", "qnone (y): not installed", "GiB", "gradient steps alone"):
        assert part in shown
    found = doctor.report(presets, fake.calibrate, around=fake.around)
    assert found["presets"]["quick"]["seconds"] == pytest.approx(7.8) and "whole cells" in doctor.text(found)
    with pytest.raises(ValueError, match="jobs must be at least 1, got 0"):
        doctor.report({}, fake.calibrate, jobs=0)


def test_groups_of_the_caller(monkeypatch):
    monkeypatch.setattr(doctor, "EXTRAS", {})
    calls = []

    def calibrate(config):
        calls.append(config)
        return lambda: None

    doctor.report({"x": CELLS}, calibrate, alike=lambda c: c.seed)
    assert [c.seed for c in calls] == [0, 1, 2]
