"""Cells on a real Dask scheduler with real workers on loopback."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import distributed
import pytest

from sims import workers_dask
from sims.__main__ import main
from sims.rows import code_hash, read_rows
from sims.run import run
from sims.workers import WorkersError, signature
from sims.workers_dask import compute_remote
from tests.sims.workers_cells import TOY, begun, cells, compute, numbers, register, soon

ROOT = Path(__file__).parents[2]


class Cluster:
    """A scheduler process and worker processes of one thread each, no dashboard, free ports."""

    def __init__(self, folder):
        self.folder, self.workers = folder, []
        file = folder / "scheduler.json"
        self.scheduler = self._start(ROOT, "dask_scheduler", "--host", "127.0.0.1", "--port", "0",
                                     "--scheduler-file", str(file), "--idle-timeout", "300s")
        soon(lambda: file.exists() and file.read_text().endswith("}"))
        self.address = json.loads(file.read_text())["address"]

    def worker(self, *options, root=ROOT):
        self.workers.append(self._start(
            root, "dask_worker", self.address, "--nthreads", "1", "--memory-limit", "0",
            "--local-directory", str(self.folder), "--death-timeout", "60", *options))
        return self.workers[-1]

    def ensure(self, count, *options):
        """Exactly ``count`` new workers."""
        while self.workers:
            self.end(self.workers.pop())
        with self.client() as client:
            soon(lambda: not client.nthreads())
            for _ in range(count):
                self.worker(*options or ("--no-nanny",))
            if count:
                client.wait_for_workers(count, timeout=30)

    def client(self):
        return distributed.Client(self.address, timeout=20, set_as_default=False)

    def close(self):
        for process in (*self.workers, self.scheduler):
            self.end(process)

    def _start(self, root, program, *options):
        with (self.folder / "log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{program}", "--no-dashboard", *options],
                cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, stdout=log, stderr=log,
                start_new_session=True)

    @staticmethod
    def end(process):
        try:
            os.killpg(process.pid, signal.SIGKILL)  # a nanny and its worker
        except ProcessLookupError:
            pass
        process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    found = Cluster(tmp_path_factory.mktemp("cluster"))
    yield found
    found.close()


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """Call it with acts: they become the cells of "toy"; gives the folder of their marks."""
    return register(monkeypatch, tmp_path)


def test_rows_are_those_of_one_process_also_when_a_worker_is_killed(cluster, toy, tmp_path, capsys):
    cluster.ensure(2)
    folder = toy(*["work"] * 10)
    out = {n: tmp_path / n for n in ("one", "two", "scheduler", "killed")}
    run("toy", "quick", out["one"], 3)
    run("toy", "quick", out["two"], 3, workers=2)
    here = {pid for i in range(10) for pid in begun(folder, i)}
    assert main(["run", "toy", "--seed", "3", "--out", str(out["scheduler"]),
                 "--scheduler", cluster.address]) == 0
    assert "10 rows written" in capsys.readouterr().out
    rows = numbers(out["one"] / "toy.jsonl")
    assert len(rows) == 10
    assert rows == numbers(out["two"] / "toy.jsonl") == numbers(out["scheduler"] / "toy.jsonl")
    there = {pid for i in range(10) for pid in begun(folder, i)} - here
    assert there and there <= {w.pid for w in cluster.workers}
    origin = read_rows(out["scheduler"] / "toy.jsonl")[0]["provenance"]
    assert origin["scheduler"] == cluster.address and origin["host"] == platform.node()

    for mark in folder.iterdir():
        mark.unlink()
    folder = toy("wait", "wait", *["work"] * 8)

    def kill():
        soon(lambda: begun(folder, 0) and begun(folder, 1))
        os.kill(begun(folder, 0)[0], signal.SIGKILL)
        (folder / "go").touch()

    killer = threading.Thread(target=kill)
    killer.start()
    outcome = run("toy", "quick", out["killed"], 3, scheduler=cluster.address)
    killer.join()
    assert (outcome.written, outcome.failures) == (10, ())
    again = numbers(out["killed"] / "toy.jsonl")  # no row twice
    expected = {c["key"]: compute(dict(c, folder=None)) for c in cells("quick", 3)}
    assert {k: {n: again[k][n] for n in v} for k, v in expected.items()} == expected
    first, second = begun(folder, 0)  # the killed worker, then the other one
    assert begun(folder, 1) == [second] and {first, second} == {w.pid for w in cluster.workers}


def test_a_cell_that_kills_takes_no_other_with_it(cluster, toy, tmp_path, capsys):
    cluster.ensure(1, "--nanny")
    with cluster.client() as client:
        client.run_on_scheduler(lambda dask_scheduler: setattr(dask_scheduler, "allowed_failures", 0))
    folder = toy("killed", "work", "raise")
    assert main(["run", "toy", "--out", str(tmp_path), "--scheduler", cluster.address]) == 1
    err = capsys.readouterr().err
    assert "toy/0/killed/seed=0: the workers that computed it died; given up" in err
    assert "toy/2/raise/seed=0: ValueError: no such luck" in err and err.count("cell failed") == 2
    assert set(numbers(tmp_path / "toy.jsonl")) == {"toy/1/work/seed=0"}
    assert len(begun(folder, 0)) == 2  # with others, then alone


def test_workers_of_another_quadrat_are_refused(cluster, toy, tmp_path, monkeypatch, capsys):
    other = tmp_path / "other"
    for room in ("theory", "sims", "tests"):
        shutil.copytree(ROOT / room, other / room, ignore=shutil.ignore_patterns("__pycache__"))
    init = other / "theory" / "__init__.py"
    init.write_text(init.read_text().replace('__version__ = "', '__version__ = "9.'))
    cluster.ensure(0)
    worker = cluster.worker("--no-nanny", root=other)
    folder = toy("work", "work")
    assert main(["run", "toy", "--out", str(tmp_path), "--scheduler", cluster.address]) == 1
    err = capsys.readouterr().err
    assert "the worker tcp://127.0.0.1:" in err and "has quadrat 9." in err and f"instead of {code_hash()}" in err
    assert "workers must run the same code" in err and not list(folder.iterdir())
    # one that joins after the look at the workers is seen by its first cell
    monkeypatch.setattr(workers_dask, "_require_workers", lambda *_: None)
    with pytest.raises(WorkersError, match="the worker on .* has quadrat"):
        run("toy", "quick", tmp_path, scheduler=cluster.address)
    assert worker.poll() is None and not list(folder.iterdir())


def test_workers_that_lack_quadrat_are_refused(cluster, toy, tmp_path, monkeypatch):
    cluster.ensure(1)
    toy("work")
    parent, mine = os.getpid(), signature()

    def lacking():
        if os.getpid() != parent:
            raise ModuleNotFoundError("No module named 'sims'")
        return mine

    monkeypatch.setattr(workers_dask, "signature", lacking)
    with pytest.raises(WorkersError, match="cannot run this quadrat: ModuleNotFoundError: No module"):
        run("toy", "quick", tmp_path, scheduler=cluster.address)


def test_other_libraries_are_refused():
    with pytest.raises(WorkersError, match=f"numpy {signature()['numpy']} instead of 1.0"):
        compute_remote(TOY, {"key": "a"}, dict(signature(), numpy="1.0"))


def test_without_workers_and_when_the_scheduler_goes(toy, tmp_path, monkeypatch, caplog):
    small = Cluster(tmp_path)
    try:
        toy("work")
        monkeypatch.setattr(workers_dask, "PATIENCE", 0.5)
        with pytest.raises(WorkersError, match="has had no worker for 0 s"):
            run("toy", "quick", tmp_path / "a", scheduler=small.address)
        monkeypatch.undo()
        folder = register(monkeypatch, tmp_path / "x")("work", "wait")
        small.ensure(1)
        rows = tmp_path / "a" / "toy.jsonl"

        def end():
            soon(lambda: begun(folder, 1) and rows.read_text().endswith("\n"))
            small.end(small.scheduler)

        ender = threading.Thread(target=end)
        ender.start()
        monkeypatch.setattr(workers_dask, "CONNECT", 1.0)
        with pytest.raises(WorkersError, match="went away"):
            run("toy", "quick", tmp_path / "a", scheduler=small.address)
        ender.join()
        assert set(numbers(rows)) == {"toy/0/work/seed=0"}
        assert not caplog.records  # one line, not Dask's tracebacks
    finally:
        small.close()


def test_no_scheduler_there(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(workers_dask, "CONNECT", 0.5)
    arguments = ["run", "rademacher", "--out", str(tmp_path), "--scheduler"]
    assert main([*arguments, "tcp://127.0.0.1:9"]) == 1
    err = capsys.readouterr().err
    assert "no Dask scheduler at tcp://127.0.0.1:9" in err and err.count("\n") == 1
    assert main([*arguments, "nonsense"]) == 2
    assert "scheduler must be an address such as tcp://HOST:8786, got 'nonsense'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*arguments, "tcp://127.0.0.1:9", "--workers", "2"])


def test_dask_is_an_extra(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["run", "rademacher", "--out", str(tmp_path), "--scheduler", "tcp://127.0.0.1:9"]) == 1
    assert "pip install 'quadrat[cluster]'" in capsys.readouterr().err
