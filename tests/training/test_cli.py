"""``python -m training``: exit codes, short errors, a fast door."""

import json
import subprocess
import sys

import pytest

from sims.rows import read_rows
from training.__main__ import main

TINY = [f"--set={s}" for s in ("steps=2", "n_test=8", "batch=8", "width=4", "tail=4",
                               "shapes.image=(32,32)", "shapes.half_widths=(0.12,0.26)")]


def test_run_writes_a_row_and_then_skips_it(tmp_path, capsys):
    out = tmp_path / "deep" / "rows.jsonl"
    command = ["run", "--n", "8", "--out", str(out), *TINY]
    assert main(command) == 0
    assert "1 rows written, 0 already there" in capsys.readouterr().out
    assert main(command) == 0
    assert "0 rows written, 1 already there" in capsys.readouterr().out
    (row,) = read_rows(out)
    assert row["kind"] == "training" and row["schema"] == 1 and row["preset"] is None
    assert row["provenance"]["torch"] and row["provenance"]["threads"] == 1


@pytest.mark.parametrize(("arguments", "message"), [
    (["--set", "speed=3"], "unknown setting 'speed'"),
    (["--set", "seed=3"], "set seed by the option of that name"),
    (["--n", "0"], "n must be at least 1, got 0"),
    (["--method", "oracle", "--supervision", "mask"], "has no map to supervise"),
])
def test_bad_arguments(arguments, message, tmp_path, capsys):
    assert main(["run", *arguments, "--out", str(tmp_path / "rows.jsonl")]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_a_file_that_holds_no_rows(tmp_path, capsys):
    out = tmp_path / "rows.jsonl"
    out.write_text("hello\nworld\n")
    assert main(["run", *TINY, "--out", str(out)]) == 2
    assert "rows.jsonl:1: not a JSON row" in capsys.readouterr().err
    assert out.read_text() == "hello\nworld\n"


def test_failures_exit_with_1(tmp_path, capsys):
    out = str(tmp_path / "rows.jsonl")
    assert main(["run", "--n", "8", *TINY, "--set", "lr=1e30", "--set", "warmup=0",
                 "--set", "steps=9", "--out", out]) == 1
    assert "step" in capsys.readouterr().err
    assert main(["run", *TINY, "--out", str(tmp_path)]) == 1


def test_argparse_refuses_with_2():
    for arguments in (["sweep", "--preset", "huge"], ["run", "--method", "magic"], []):
        with pytest.raises(SystemExit) as error:
            main(arguments)
        assert error.value.code == 2


def test_bench(tmp_path, capsys):
    out = tmp_path / "latency.jsonl"
    assert main(["bench", "--repeats", "1", "--out", str(out)]) == 0
    rows = read_rows(out)
    assert len(rows) == 6 and all(r["kind"] == "latency" for r in rows)
    for row in rows:
        assert row["ratio"][row["ratio_base"]] == 1 and min(row["milliseconds"].values()) > 0
    places = {tuple(r["features"]): r["parameters"] for r in rows if r["what"] == "module"}
    assert places[(320, 10, 10)]["rectangle-paper"] == 554693
    assert places[(960, 7, 7)]["positionwise"] == 192961
    assert "time / positionwise" in capsys.readouterr().out
    json.dumps(rows, allow_nan=False)


def test_the_door_does_not_import_torch():
    code = "import sys, training.__main__ as m; m.parser().format_help(); print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
