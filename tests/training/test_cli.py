"""``python -m training``: exit codes, short errors, a fast door."""

import json
import subprocess
import sys

import pytest

from sims.rows import read_rows
from training.__main__ import main
from training.config import RunConfig
from training.experiments import EXPERIMENTS, SIZES

TINY = [f"--set={s}" for s in ("steps=2", "n_test=8", "batch=8", "width=4", "tail=4", "starts=1",
                               "shapes.image=(32,32)", "shapes.half_widths=(0.12,0.26)")]


def test_run_writes_a_folder_and_then_leaves_it(tmp_path, capsys):
    out = tmp_path / "deep" / "one"
    command = ["run", "--n", "8", "--method", "positionwise", "--out", str(out), *TINY]
    assert main(command) == 0
    assert "positionwise-label-n8-seed0" in capsys.readouterr().out
    (row,) = read_rows(out / "row.jsonl")
    assert row["kind"] == "training" and row["schema"] == 1 and row["preset"] is None
    assert row["provenance"]["torch"] and row["config"]["method"] == "positionwise"
    before = (out / "row.jsonl").read_bytes()
    assert main(command) == 0
    assert (out / "row.jsonl").read_bytes() == before


def test_predict_on_a_finished_run(tmp_path, capsys):
    import numpy as np
    from PIL import Image

    run, images, out = (tmp_path / name for name in ("run", "images", "out"))
    assert main(["run", "--n", "8", "--out", str(run), *TINY]) == 0
    images.mkdir()
    for k in range(3):
        Image.fromarray(np.full((40, 50, 3), 60 * k, np.uint8)).save(images / f"{k}.png")
    (images / "bad.png").write_bytes(b"no image")
    command = ["predict", str(run), "--images", str(images), "--out", str(out), "--sort", "mu2"]
    assert main(command) == 2
    assert "bad.png" in capsys.readouterr().err and not out.exists()
    assert main([*command, "--skip-bad"]) == 0
    assert "3 images, 1 skipped" in capsys.readouterr().out
    lines = (out / "parameters.csv").read_text().splitlines()
    assert len(lines) == 4 and "mu2" in lines[0]
    assert main(["predict", str(tmp_path / "none"), "--images", str(images), "--out", str(out)]) == 2
    assert "holds no finished run" in capsys.readouterr().err


def test_a_grid_of_ones_own(tmp_path, capsys):
    assert main(["sweep", "--grid", "n=8,12", "--grid", "method=none,oracle", "--grid",
                 "shapes.noise=0.1,0.2", "--jobs", "1", "--out", str(tmp_path), *TINY]) == 0
    rows = read_rows(tmp_path / "grid.jsonl")
    assert len(rows) == 8 and {r["n"] for r in rows} == {8, 12}
    assert {r["config"]["shapes"]["noise"] for r in rows} == {0.1, 0.2}
    assert "8 rows written, 0 already there" in capsys.readouterr().out


def test_an_experiment(tmp_path, capsys):
    command = ["sweep", "--experiment", "masks", "--preset", "smoke", "--jobs", "1", "--out",
               str(tmp_path), *TINY]
    assert main(command) == 0
    rows = read_rows(tmp_path / f"{EXPERIMENTS['masks'].file}.jsonl")
    assert {r["supervision"] for r in rows} == {"mask"}
    assert {(r["experiment"], r["preset"]) for r in rows} == {("masks", "smoke")}
    capsys.readouterr()
    assert main(command) == 0
    assert f"0 rows written, {len(rows)} already there" in capsys.readouterr().out


def test_configuration_files_and_options(tmp_path):
    from training.__main__ import configuration, parser

    path = tmp_path / "c.json"
    path.write_text(json.dumps({"steps": 7, "method": "cbam"}))
    read = parser().parse_args
    found = configuration(read(["run", "--config", str(path), "--seed", "3", "--set", "batch=5"]))
    preset = {**SIZES["cpu"], "steps": 7}
    assert found == RunConfig(**preset, method="cbam", seed=3, batch=5)
    assert configuration(read(["run", "--preset", "gpu"])).device == "cuda"


@pytest.mark.parametrize(("arguments", "message"), [
    (["--set", "speed=3"], "unknown setting 'speed'"),
    (["--set", "seed=3", "--seed", "2"], "seed is set twice"),
    (["--n", "0"], "n must be positive, got 0"),
    (["--every", "0"], "every must be at least 1, got 0"),
    (["--method", "oracle", "--set", "supervision=mask"], "needs a map to learn"),
    (["--set", "data=folder"], "needs root=FOLDER"),
    (["--preset", "gpu"], "needs a GPU"),
    (["--set", "device=tpu"], "device must be cpu, cuda or cuda:NUMBER"),
    (["--set", "backbone=efficientnet-lite0"], "data=shapes goes with backbone=small"),
    (["--set", "pool=1"], "images are left (pool 1"),
    (["--config", "nowhere.json"], "nowhere.json"),
])
def test_bad_arguments(arguments, message, tmp_path, capsys):
    assert main(["run", *arguments, "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("arguments", [["--grid", "n"], ["--grid", "speed=1"], ["--jobs", "0"],
                                       ["--ensemble", "0"], ["--preset", "gpu"]])
def test_bad_sweeps(arguments, tmp_path, capsys):
    assert main(["sweep", *arguments, "--out", str(tmp_path), *TINY]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_file_that_holds_no_rows(tmp_path, capsys):
    out = tmp_path / "grid.jsonl"
    out.write_text("hello\nworld\n")
    assert main(["sweep", "--grid", "n=8", "--out", str(tmp_path), *TINY]) == 2
    assert "grid.jsonl:1: not a JSON row" in capsys.readouterr().err
    assert out.read_text() == "hello\nworld\n"


def test_failures_exit_with_1(tmp_path, capsys):
    assert main(["run", "--n", "8", *TINY, "--method", "positionwise", "--set", "lr=1e30", "--set",
                 "warmup=0", "--set", "steps=9", "--out", str(tmp_path / "run")]) == 1
    assert "step" in capsys.readouterr().err


def test_sweeps_are_not_for_torchrun(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["sweep", "--grid", "n=8", "--out", str(tmp_path), *TINY]) == 2
    assert "start it without torchrun" in capsys.readouterr().err


def test_a_folder_without_masks_gives_accuracies_alone(tmp_path, capsys):
    import numpy as np
    from PIL import Image

    for k in range(24):
        path = tmp_path / "data" / "images" / "ab"[k % 2] / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((32, 32, 3), 120 * (k % 2) + k, np.uint8)).save(path)
    (tmp_path / "data" / "images" / "a" / "bad.png").write_bytes(b"no image")
    command = ["run", "--n", "8", "--out", str(tmp_path / "run"), *TINY, "--set", "data=folder",
               "--set", f"root={tmp_path / 'data'}"]
    assert main(command) == 2
    assert "bad.png" in capsys.readouterr().err and not (tmp_path / "run").exists()
    assert main([*command, "--set", "skip_bad=true"]) == 0
    assert "skipped: " in capsys.readouterr().err
    (row,) = read_rows(tmp_path / "run" / "row.jsonl")
    assert row["test"]["missing_rate"] is None and 0 <= row["test"]["accuracy"] <= 1
    assert row["trivial"] is None and row["area_fraction"] is None and len(row["skipped"]) == 1


def test_argparse_refuses_with_2():
    for arguments in (["sweep", "--preset", "huge"], ["run", "--method", "magic"], []):
        with pytest.raises(SystemExit) as error:
            main(arguments)
        assert error.value.code == 2


def test_experiments_are_listed(capsys):
    assert main(["experiments"]) == 0
    out = capsys.readouterr().out
    assert all(f"({e.letter}) {e.name}: " in out for e in EXPERIMENTS.values())


def test_the_door_does_not_import_torch():
    code = ("import sys, training.__main__ as m; m.parser().format_help(); m.main(['experiments']); "
            "print('torch' in sys.modules)")
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip().endswith("False")
