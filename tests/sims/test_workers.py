"""Worker processes of this machine: equal numbers, deaths, failures, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sims import workers_local
from sims.__main__ import main
from sims.rows import code_hash, machine, read_rows
from sims.run import run
from sims.supremum.threads import thread_count
from sims.workers import (
    Result,
    WorkersError,
    compute_cell,
    in_this_process,
    require_equal,
    signature,
)
from sims.workers_local import MOST_DEATHS, in_processes, threads_environment
from tests.sims.workers_cells import (
    TOY,
    alive,
    begun,
    cells,
    compute,
    numbers,
    register,
    soon,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """Call it with acts: they become the cells of "toy"; gives the folder of their marks."""
    return register(monkeypatch, tmp_path)


def test_rows_do_not_depend_on_the_number_of_workers(toy, tmp_path):
    folder = toy(*["work"] * 9)
    for n in (1, 2, 3):
        assert run("toy", "quick", tmp_path / str(n), 4, workers=n).written == 9
    one, two, three = (numbers(tmp_path / str(n) / "toy.jsonl") for n in (1, 2, 3))
    assert one == two == three and len(one) == 9
    pids = {pid for i in range(9) for pid in begun(folder, i)}
    assert os.getpid() in pids and len(pids) > 2
    row = read_rows(tmp_path / "2" / "toy.jsonl")[0]
    assert row["provenance"]["workers"] == 2 and row["seed"] == 4 and row["code"] == code_hash()
    assert set(row["provenance"]) >= set(machine())


@pytest.mark.parametrize("act", ["exit once", "killed once"])
def test_cells_of_a_worker_that_dies_are_run_again(act, toy, tmp_path):
    folder = toy("work", act, "work", "work", act, "work")
    outcome = run("toy", "quick", tmp_path / "a", workers=2)
    assert (outcome.written, outcome.failures) == (6, ())
    assert [len(begun(folder, i)) for i in range(6)] == [1, 2, 1, 1, 2, 1]
    expected = {c["key"]: compute(dict(c, folder=None)) for c in cells("quick", 0)}
    rows = numbers(tmp_path / "a" / "toy.jsonl")
    assert {k: {n: rows[k][n] for n in v} for k, v in expected.items()} == expected


def test_a_cell_that_kills_every_worker_is_given_up(toy, tmp_path, capsys):
    folder = toy("killed", "work", "exit", "work")
    assert main(["run", "toy", "--out", str(tmp_path / "a"), "--workers", "2"]) == 1
    seen = capsys.readouterr()
    assert "cell failed: toy/0/killed/seed=0: its worker process died 3 times (signal 9)" in seen.err
    assert "cell failed: toy/2/exit/seed=0: its worker process died 3 times (exit code 7)" in seen.err
    assert "2 rows written" in seen.out
    assert set(numbers(tmp_path / "a" / "toy.jsonl")) == {"toy/1/work/seed=0", "toy/3/work/seed=0"}
    assert [len(begun(folder, i)) for i in range(4)] == [MOST_DEATHS, 1, MOST_DEATHS, 1]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_cell_that_raises_does_not_stop_the_others(workers, toy, tmp_path, capsys):
    toy("work", "raise", "nan", "work")
    out = tmp_path / "a"
    assert main(["run", "toy", "--out", str(out), "--workers", str(workers)]) == 1
    seen = capsys.readouterr()
    assert "toy/1/raise/seed=0: ValueError: no such luck (workers_cells.py:" in seen.err
    assert "toy/2/nan/seed=0: numbers that JSON cannot hold: Out of range float" in seen.err
    assert "2 rows written" in seen.out and len(numbers(out / "toy.jsonl")) == 2
    toy("work", "work", "work", "work")  # mended: keys 1 and 2 are new, 0 and 3 are there
    outcome = run("toy", "quick", out, workers=workers)
    assert (outcome.found, outcome.written, outcome.failures) == (2, 2, ())


def test_many_failures_are_counted_not_printed(toy, tmp_path, capsys):
    toy(*["raise"] * 14)
    assert main(["run", "toy", "--out", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert err.count("cell failed:") == 10 and "14 cells failed in all" in err


def test_a_worker_killed_from_outside(toy, tmp_path):
    folder = toy("wait", "wait", "work", "work")

    def kill():
        soon(lambda: begun(folder, 0))
        os.kill(begun(folder, 0)[0], signal.SIGKILL)
        soon(lambda: len(begun(folder, 0)) == 2)
        (folder / "go").touch()

    killer = threading.Thread(target=kill)
    killer.start()
    outcome = run("toy", "quick", tmp_path / "a", workers=2)
    killer.join()
    assert outcome.written == 4 and len(numbers(tmp_path / "a" / "toy.jsonl")) == 4
    assert [len(begun(folder, i)) for i in range(4)] == [2, 1, 1, 1]


def test_closing_the_results_ends_the_workers(toy):
    folder = toy("wait", "work", "wait", "wait")
    results = in_processes(TOY, cells("quick", 0), 2)
    assert next(results).cell["index"] == 1
    soon(lambda: begun(folder, 0) and begun(folder, 2))
    pids = {begun(folder, i)[0] for i in range(3)}
    assert len(pids) == 2 and all(alive(pid) for pid in pids)
    results.close()
    assert not any(alive(pid) for pid in pids)


SCRIPT = """
import sys
from sims.__main__ import main
from sims.run import SIMULATIONS, Simulation
from tests.sims.workers_cells import PRESETS
SIMULATIONS["toy"] = Simulation("toy", "for tests", "tests.sims.workers_cells")
PRESETS["quick"] = {"acts": ["work", "wait", "wait", "wait"], "folder": sys.argv[1]}
sys.exit(main(["run", "toy", "--out", sys.argv[2], "--workers", sys.argv[3]]))
"""


def _listen_to_interrupts():
    """Whoever started the tests in the background may have had interrupts ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def command(folder, out, workers):
    """The command line in a process group of its own."""
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(folder), str(out), str(workers)],
                            cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True,
                            preexec_fn=_listen_to_interrupts)


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_keeps_rows_and_leaves_no_process(workers, toy, tmp_path):
    folder, out = toy(), tmp_path / "a"
    process = command(folder, out, workers)
    soon(lambda: all(begun(folder, i) for i in range(workers + 1)))
    soon(lambda: (out / "toy.jsonl").exists() and (out / "toy.jsonl").read_text().count("\n") == 1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of the group
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130 and "Traceback" not in err and "goes on where it was" in err
    assert set(numbers(out / "toy.jsonl")) == {"toy/0/work/seed=0"}
    assert not any(alive(pid) for i in range(workers + 1) for pid in begun(folder, i))


def test_ctrl_c_while_workers_start(toy, tmp_path):
    process = command(toy(), tmp_path / "a", 2)
    soon(lambda: (tmp_path / "a" / "toy.jsonl").exists())
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130 and "Traceback" not in err


def test_interrupts_are_held_while_a_process_starts(request):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    show = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    held = []
    with pytest.raises(KeyboardInterrupt):
        with workers_local._interrupts_held():
            os.kill(os.getpid(), signal.SIGINT)
            held.append(subprocess.run([sys.executable, "-c", show], capture_output=True, text=True))
    assert held[0].stdout == "True\n"
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_workers_do_not_survive_a_parent_that_is_killed(toy, tmp_path):
    folder = toy()
    process = command(folder, tmp_path / "a", 2)
    soon(lambda: begun(folder, 1) and begun(folder, 2))
    pids = {begun(folder, 1)[0], begun(folder, 2)[0]}
    process.kill()
    process.communicate(timeout=20)
    soon(lambda: not any(alive(pid) for pid in pids), seconds=5)


def test_workers_of_other_code_are_refused(toy, monkeypatch):
    toy("work", "work")
    monkeypatch.setattr(workers_local, "signature", lambda: dict(signature(), code="0123"))
    with pytest.raises(WorkersError, match=f"a worker process has code {code_hash()} instead of 0123"):
        list(in_processes(TOY, cells("quick", 0), 2))


def test_workers_that_do_not_start(toy, monkeypatch):
    toy("work", "work")
    monkeypatch.setattr(workers_local, "_work", os.abort)  # wants no arguments: dies at once
    with pytest.raises(WorkersError, match="end before their first cell \\(exit code 1\\)"):
        list(in_processes(TOY, cells("quick", 0), 2))


def test_signatures_name_every_difference():
    mine = signature()
    assert set(mine) == {"quadrat", "code", "numpy", "scipy", "numba"} and mine["code"] == code_hash()
    require_equal(mine, dict(mine), "w")
    with pytest.raises(WorkersError, match="w has quadrat 0 instead of [^,]*, scipy None instead of [^,]*: w"):
        require_equal(mine, {"quadrat": "0", **{k: v for k, v in mine.items()
                                                if k not in ("quadrat", "scipy")}}, "w")


def test_the_threads_are_divided(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("QUADRAT_THREADS", "8")
    shares = [threads_environment(n)["QUADRAT_THREADS"] for n in (1, 2, 3, 8, 9)]
    assert shares == ["8", "4", "2", "1", "1"]
    assert threads_environment(3)["OMP_NUM_THREADS"] == "1"
    monkeypatch.delenv("QUADRAT_THREADS")
    assert int(threads_environment(1)["QUADRAT_THREADS"]) == thread_count()


def test_workers_see_their_share_and_the_parent_keeps_its_own(toy, monkeypatch):
    toy("environment", "environment")
    monkeypatch.setenv("QUADRAT_THREADS", "10")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    found = [r.numbers for r in in_processes(TOY, cells("quick", 0), 7)]
    assert found == [{"QUADRAT_THREADS": "5", "OMP_NUM_THREADS": "1"}] * 2  # two cells, two workers
    assert os.environ["QUADRAT_THREADS"] == "10" and "OMP_NUM_THREADS" not in os.environ


def test_results_are_what_json_reads_back(toy):
    toy("work", "raise")
    good, bad = in_this_process(TOY, cells("quick", 0))
    assert isinstance(good, Result) and good.numbers == json.loads(json.dumps(good.numbers))
    assert good.error is None and good.seconds > 0 and good.origin == machine()
    assert bad.numbers is None and bad.error.startswith("ValueError: no such luck")
    missing = compute_cell("tests.sims.nothing_here", {"key": "a"})
    assert "ModuleNotFoundError" in missing.error


@pytest.mark.parametrize("workers", ["0", "-1", "x"])
def test_bad_numbers_of_workers(workers, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["run", "rademacher", "--workers", workers])
    assert stop.value.code == 2 and "workers" in capsys.readouterr().err
    with pytest.raises(ValueError, match="workers must be an integer of at least 1, got 0"):
        run("rademacher", "quick", "runs/nowhere", workers=0)
