"""Runs of cells: rows, resuming, streams, the command line."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import sims.rademacher_cells
import sims.rows
from sims.__main__ import main
from sims.rademacher import empirical_rademacher
from sims.rademacher_cells import PRESETS, cells, compute
from sims.rows import (
    SCHEMA,
    RowsError,
    RowWriter,
    code_hash,
    end_of_whole_lines,
    libraries,
    machine,
    provenance,
    read_rows,
)
from sims.run import SIMULATIONS, rows_file, run, track
from sims.streams import stream

ROOT = Path(__file__).parents[2]
FIELDS = {"schema", "version", "kind", "key", "family", "predictors", "grid", "n", "value", "low",
          "high", "exact", "draws", "delta", "seconds", "provenance"}


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(PRESETS, "quick",
                        {"grids": (3,), "largest": 2, "samples": 1, "draws": 100})


def numbers(path):
    drop = ("seconds", "provenance")
    return [{k: v for k, v in row.items() if k not in drop} for row in read_rows(path)]


def test_a_run_writes_rows_as_the_design_says(tiny, tmp_path):
    out = tmp_path / "new"
    outcome = run("rademacher", "quick", out)
    rows = read_rows(out / "rademacher.jsonl")
    assert outcome.written == len(rows) == 12 and outcome.found == 0
    for row in rows:
        assert set(row) >= FIELDS and row["schema"] == SCHEMA and row["kind"] == "rademacher"
        assert set(row["provenance"]) >= {"command", "machine", "python", "numpy", "torch"}
        assert row["provenance"]["workers"] == 1 and row["code"] == code_hash() and row["seed"] == 0
        assert 0 <= row["low"] <= row["value"] <= row["high"] <= 0.5
        assert (row["low"] == row["high"]) is row["exact"]
    assert {r["exact"] for r in rows if r["n"] == 16 and r["predictors"] == "constant"} == {False}


def test_a_second_run_does_nothing_and_an_interrupted_one_goes_on(tiny, tmp_path):
    whole, part = (tmp_path / name / "rademacher.jsonl" for name in "ab")
    run("rademacher", "quick", whole.parent)
    before = whole.read_bytes()
    assert run("rademacher", "quick", whole.parent).found == 12 and whole.read_bytes() == before
    lines = before.decode().splitlines(keepends=True)
    part.parent.mkdir()
    part.write_text("".join(lines[:5]) + lines[5][:37])  # cut while writing
    outcome = run("rademacher", "quick", part.parent)
    assert (outcome.found, outcome.written) == (5, 7)
    assert numbers(part) == numbers(whole)


def test_a_last_line_without_newline_but_whole_is_kept(tiny, tmp_path):
    out = tmp_path / "rademacher.jsonl"
    run("rademacher", "quick", tmp_path)
    out.write_text(out.read_text().rstrip("\n"))
    assert run("rademacher", "quick", tmp_path).written == 0
    assert len(read_rows(out)) == 12


def test_the_end_of_whole_lines_at_every_cut():
    data = b'{"key": "a"}\n{"key": "b", "value": [1, 2]}\n'
    first = data.index(b"\n") + 1
    for cut in range(len(data) + 1):
        whole = cut if cut in (0, first - 1, first, len(data) - 1, len(data)) else first * (cut > first)
        assert end_of_whole_lines(data[:cut]) == whole
    assert end_of_whole_lines(data + b"\xff\xfe") == len(data)


def test_interruption_between_cells(tiny, tmp_path, monkeypatch):
    done = []

    def stop_after_three(cell):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(cell)
        return compute(cell)

    monkeypatch.setattr(sims.rademacher_cells, "compute", stop_after_three)
    assert main(["run", "rademacher", "--out", str(tmp_path)]) == 130
    assert len(read_rows(tmp_path / "rademacher.jsonl")) == 3


def test_cells_do_not_depend_on_order_or_on_each_other(tiny):
    todo = cells("quick", 5)
    forward = [compute(c) for c in todo]
    backward = [compute(c) for c in reversed(todo)]
    assert forward == backward[::-1]
    assert len({c["key"] for c in todo}) == len(todo)
    assert [compute(c) for c in cells("quick", 6)] != forward


def test_families_of_one_sample_see_the_same_targets(tiny, monkeypatch):
    seen = []

    def note(targets, *args, **kwargs):
        seen.append(targets.tobytes())
        return empirical_rademacher(targets, *args, **kwargs)

    monkeypatch.setattr("sims.rademacher.empirical_rademacher", note)
    for cell in cells("quick", 0):
        compute(cell)
    assert len(seen) == 12 and len(set(seen)) == 3  # one sample per N


@pytest.mark.parametrize("field,value", [("version", "0.0.1"), ("code", "0123"), ("code", None)])
def test_rows_of_another_version_or_code_are_computed_again(field, value, tiny, tmp_path):
    out = tmp_path / "rademacher.jsonl"
    run("rademacher", "quick", tmp_path)
    old = [json.loads(line) for line in out.read_text().splitlines()]
    for row in old[:9]:  # three rows stay as they are
        row.update({field: value, "value": 9})
        if value is None:
            del row[field]  # committed before rows said which code
    out.write_text("".join(json.dumps(row) + "\n" for row in old))
    outcome = run("rademacher", "quick", tmp_path)
    assert (outcome.written, outcome.found) == (9, 3)
    assert all(row["value"] <= 0.5 for row in read_rows(out)) and len(read_rows(out)) == 12
    assert run("rademacher", "quick", tmp_path).written == 0


def test_code_in_rows_only_where_it_is_known(tmp_path):
    path = tmp_path / "a.jsonl"
    with RowWriter(path) as writer:
        writer.append({"key": "a"})
    assert "code" not in read_rows(path)[0]
    with RowWriter(path) as writer:
        assert writer.keys == {"a"}
    with RowWriter(path, {"code": "c1"}) as writer:
        assert writer.keys == set()
        writer.append({"key": "a"})
    with RowWriter(path, {"code": "c1"}) as writer:
        assert writer.keys == {"a"}
    assert [row["code"] for row in read_rows(path)] == ["c1"]


def test_the_hash_of_the_code_sees_every_file_that_simulations_run(monkeypatch, tmp_path):
    for room in ("theory/claims", "sims/supremum"):
        (tmp_path / room).mkdir(parents=True)
    files = [tmp_path / f for f in ("theory/a.py", "sims/rows.py", "sims/supremum/c.py")]
    others = [tmp_path / "theory/claims/b.py", tmp_path / "sims/notes.txt"]
    for file in files + others:
        file.write_text("1")
    monkeypatch.setattr(sims.rows, "__file__", str(files[1]))
    fresh = code_hash.__wrapped__  # without the memory of the process
    hashes = {fresh()}
    for file in files:
        file.write_text("2")
        hashes.add(fresh())
    assert len(hashes) == 4 and {len(h) for h in hashes} == {16}
    for file in others:
        file.write_text("2")
    assert fresh() in hashes and code_hash() == code_hash()


def test_rows_say_what_made_them(tmp_path):
    run("relevance", "quick", tmp_path)
    row = read_rows(tmp_path / "relevance.jsonl")[0]
    assert row["libraries"] == libraries() and set(row["libraries"]) == {"numpy", "scipy", "numba"}
    where = row["provenance"]
    assert where["cpu"] and where["scipy"] == libraries()["scipy"]
    assert where["commit"] is None or len(where["commit"].removesuffix("+changes")) == 12
    assert run("relevance", "quick", tmp_path).written == 0


def test_rows_of_other_libraries_are_computed_again(tmp_path):
    out = tmp_path / "relevance.jsonl"
    written = run("relevance", "quick", tmp_path).written
    out.write_text(out.read_text().replace(f'"numpy": "{libraries()["numpy"]}"', '"numpy": "1.26.0"', 1))
    assert run("relevance", "quick", tmp_path).written == 1 < written


@pytest.mark.parametrize("name", ["rademacher", "theorem-1", "theorem-2", "theorem-3", "relevance",
                                  "injectivity"])
def test_committed_rows_come_from_one_state_of_the_code(name):
    rows = read_rows(ROOT / "paper_figures" / "rows" / f"{name}.jsonl")
    assert len({row["code"] for row in rows}) == 1
    assert len({json.dumps(row["libraries"], sort_keys=True) for row in rows}) == 1
    commits = {row["provenance"]["commit"] for row in rows}
    assert len(commits) == 1 and "+" not in commits.pop()


@pytest.mark.parametrize("text,words", [
    ('{"key": "a", "schema": 1}\n{"broken\n{"key": "b", "schema": 1}\n', ":2: not a JSON row"),
    ('[1]\n', ":1: a row is an object"),
    ('{"schema": 1}\n', ":1: a row is an object"),
    ('{"key": "a", "schema": 7}\n', ":1: schema must be 1, got 7"),
    ("{broken\n", ":1: not a JSON row"),
])
def test_broken_rows_name_file_and_line(tmp_path, text, words, capsys):
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(RowsError, match="rows.jsonl" + words):
        read_rows(path)
    path = path.rename(tmp_path / "rademacher.jsonl")
    assert main(["run", "rademacher", "--out", str(tmp_path)]) == 2
    assert "rademacher.jsonl" in capsys.readouterr().err and path.read_text() == text


def test_rows_refuse_nan(tmp_path):
    with RowWriter(tmp_path / "a.jsonl") as writer, pytest.raises(ValueError, match="JSON compliant"):
        writer.append({"key": "a", "value": float("nan")})
    assert read_rows(tmp_path / "a.jsonl") == []


def test_streams_are_counter_based_and_differ_by_name_and_seed():
    draws = {(name, seed): stream(name, seed).integers(2**62)
             for name in ("a", "b") for seed in (0, 1)}
    assert len(set(draws.values())) == 4
    assert stream("a", 0).bit_generator.state["bit_generator"] == "Philox"
    with pytest.raises(ValueError, match="seed must be a non-negative integer, got -1"):
        stream("a", -1)


def test_progress_is_plain_off_a_terminal(capsys):
    assert list(track(list(range(25)), "x", done=5)) == list(range(25))
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("x: 30/30 cells") and len(lines) <= 13


def test_progress_is_a_bar_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(track([1, 2], "x")) == [1, 2]
    assert "2/2" in capsys.readouterr().err


def test_command_line(tiny, tmp_path, capsys, monkeypatch):
    assert main(["list"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in SIMULATIONS)
    out = tmp_path / "b"
    assert main(["run", "rademacher", "--preset", "quick", "--out", str(out), "--seed", "2"]) == 0
    seen = capsys.readouterr().out
    assert "12 rows written" in seen and str(out / "rademacher.jsonl") in seen
    assert {row["seed"] for row in read_rows(out / "rademacher.jsonl")} == {2}
    (tmp_path / "rademacher.jsonl").mkdir()
    assert main(["run", "rademacher", "--out", str(tmp_path)]) == 1  # a folder in the file's place
    monkeypatch.chdir(tmp_path)
    assert main(["run", "rademacher"]) == 0
    assert len(read_rows("runs/sims/quick/rademacher.jsonl")) == 12


def test_out_is_a_folder(tiny, tmp_path, capsys):
    file = tmp_path / "rows"
    file.write_text("")
    for out in (tmp_path / "a.jsonl", file):
        assert main(["run", "rademacher", "--out", str(out)]) == 2
        assert ("out must be a folder (rows go to FOLDER/rademacher.jsonl), got "
                f"{out}\n") in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == [file] and file.read_text() == ""
    assert rows_file("rademacher", "a/b") == Path("a/b/rademacher.jsonl")


def test_every_simulation_has_both_presets_and_a_module():
    assert set(SIMULATIONS) == {"rademacher", "theorem-1", "relevance", "theorem-2", "injectivity",
                                "theorem-3", "coverage"}
    for name, simulation in SIMULATIONS.items():
        module = importlib.import_module(simulation.module)
        assert simulation.name == name and set(module.PRESETS) >= {"quick", "full"}
        for preset in ("quick", "full"):
            found = module.cells(preset, 3)
            assert len({c["key"] for c in found}) == len(found) > 0
            assert all("seed=3" in c["key"] and c["kind"] for c in found)
            assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_what_run_refuses(monkeypatch, tmp_path):
    monkeypatch.setattr(sims.rademacher_cells, "cells", lambda *_: [{"key": "a"}] * 2)
    with pytest.raises(ValueError, match="rademacher: keys of cells must differ"):
        run("rademacher", "quick", tmp_path)
    with pytest.raises(ValueError, match="simulation must be one of .*, got 'nothing'"):
        run("nothing", "quick", tmp_path)
    with pytest.raises(ValueError, match="preset must be one of .*, got 'huge'"):
        run("rademacher", "huge", tmp_path)
    with pytest.raises(ValueError, match="seed must be an integer of at least 0, got -1"):
        run("rademacher", "quick", tmp_path, -1)


def test_provenance_is_the_command_and_the_machine():
    assert provenance() == {"command": provenance()["command"], **machine()}
    assert "pytest" in provenance()["command"] or "-c" in provenance()["command"]


@pytest.mark.parametrize("arguments", [
    [], ["run"], ["run", "nothing"], ["run", "rademacher", "--preset", "huge"],
    ["run", "rademacher", "--seed", "-1"], ["run", "rademacher", "--seed", "x"],
    ["run", "rademacher", "--workers", "2", "--scheduler", "tcp://127.0.0.1:9"],
])
def test_bad_arguments_exit_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2 and "error" in capsys.readouterr().err


def test_help_answers_without_heavy_imports():
    code = ("import sys; from sims.__main__ import main\n"
            "try: main(['--help'])\nexcept SystemExit as e: assert e.code == 0\n"
            "bad = {'numpy', 'torch', 'matplotlib', 'scipy'} & set(sys.modules)\n"
            "assert not bad, bad")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "exit codes" in done.stdout


def test_presets_cover_what_they_promise():
    quick, full = cells("quick", 0), cells("full", 0)
    assert {c["n"] for c in quick} == {4**k for k in range(7)}
    assert {tuple(c["grid"]) for c in quick} == {(7, 7), (14, 14)}
    assert {c["n"] for c in full} > {c["n"] for c in quick}
