"""Runs of cells: rows, resuming, streams, the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sims.__main__ import main
from sims.rademacher import empirical_rademacher
from sims.rademacher_cells import PRESETS, cells, compute
from sims.rows import SCHEMA, RowsError, RowWriter, read_rows
from sims.run import SIMULATIONS, run, track
from sims.streams import stream

COMMITTED = Path(__file__).parents[2] / "paper_figures" / "rows" / "rademacher.jsonl"
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
    out = tmp_path / "new" / "rows.jsonl"
    outcome = run("rademacher", "quick", out)
    rows = read_rows(out)
    assert outcome.written == len(rows) == 12 and outcome.found == 0
    for row in rows:
        assert set(row) >= FIELDS and row["schema"] == SCHEMA and row["kind"] == "rademacher"
        assert set(row["provenance"]) >= {"command", "machine", "python", "numpy", "torch"}
        assert 0 <= row["low"] <= row["value"] <= row["high"] <= 0.5
        assert (row["low"] == row["high"]) is row["exact"]
    assert {r["exact"] for r in rows if r["n"] == 16 and r["predictors"] == "constant"} == {False}


def test_a_second_run_does_nothing_and_an_interrupted_one_goes_on(tiny, tmp_path):
    whole, part = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    run("rademacher", "quick", whole)
    before = whole.read_bytes()
    assert run("rademacher", "quick", whole).found == 12 and whole.read_bytes() == before
    lines = before.decode().splitlines(keepends=True)
    part.write_text("".join(lines[:5]) + lines[5][:37])  # cut while writing
    outcome = run("rademacher", "quick", part)
    assert (outcome.found, outcome.written) == (5, 7)
    assert numbers(part) == numbers(whole)


def test_a_last_line_without_newline_but_whole_is_kept(tiny, tmp_path):
    out = tmp_path / "a.jsonl"
    run("rademacher", "quick", out)
    out.write_text(out.read_text().rstrip("\n"))
    assert run("rademacher", "quick", out).written == 0
    assert len(read_rows(out)) == 12


def test_interruption_between_cells(tiny, tmp_path, monkeypatch):
    import sims.rademacher_cells as module

    done = []

    def stop_after_three(cell):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(cell)
        return compute(cell)

    monkeypatch.setattr(module, "compute", stop_after_three)
    out = tmp_path / "a.jsonl"
    assert main(["run", "rademacher", "--out", str(out)]) == 130
    assert len(read_rows(out)) == 3


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


def test_committed_rows_come_from_this_code():
    """A few rows computed again, bit for bit (integer sums, one division)."""
    again = 0
    for row in read_rows(COMMITTED):
        if row["n"] in (1, 16, 64) and row["grid"] == [7, 7] and row["sample"] == 3:
            numbers = compute({k: row[k] for k in ("key", "family", "predictors", "grid", "n",
                                                   "sample", "seed")} | {"draws": 4000})
            assert {k: row[k] for k in numbers} == numbers
            again += 1
    assert again == 12


def test_rows_of_another_version_are_computed_again(tiny, tmp_path):
    out = tmp_path / "a.jsonl"
    run("rademacher", "quick", out)
    old = [dict(json.loads(line), version="0.0.1", value=9) for line in out.read_text().split("\n")
           if line]
    out.write_text("".join(json.dumps(row) + "\n" for row in old))
    assert run("rademacher", "quick", out).written == 12
    assert all(row["value"] <= 0.5 for row in read_rows(out)) and len(read_rows(out)) == 12


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
    assert main(["run", "rademacher", "--out", str(path)]) == 2
    assert "rows.jsonl" in capsys.readouterr().err and path.read_text() == text


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


def test_command_line(tiny, tmp_path, capsys):
    assert main(["list"]) == 0
    assert all(name in capsys.readouterr().out for name in SIMULATIONS)
    out = str(tmp_path / "a.jsonl")
    assert main(["run", "rademacher", "--preset", "quick", "--out", out, "--seed", "2"]) == 0
    assert "12 rows written" in capsys.readouterr().out
    assert {row["seed"] for row in read_rows(out)} == {2}
    assert main(["run", "rademacher", "--out", str(tmp_path)]) == 1  # a folder


@pytest.mark.parametrize("arguments", [
    [], ["run"], ["run", "nothing"], ["run", "rademacher", "--preset", "huge"],
    ["run", "rademacher", "--seed", "-1"], ["run", "rademacher", "--seed", "x"],
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
