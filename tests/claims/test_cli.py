"""The door of ``theory``: exit codes, messages, files, resuming, user files, bounds of a folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from theory.cli import main

ROOT = Path(__file__).parents[2]

CLAIMS = '''
from hypothesis import strategies as st
from theory.claims import Claim
good = Claim(id="good", title="t", source="s", statement="x", kind="inequality",
             instances=st.integers(0, 9), margin=lambda k: k)
bad = Claim(id="bad", title="t", source="s", statement="x", kind="inequality",
            instances=st.integers(0, 9), margin=lambda k: 5 - k)
'''


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(CLAIMS)
    return path


def test_user_file_table_record_and_change(mine, capsys, tmp_path):
    out = tmp_path / "v.json"
    assert main(["verify", str(mine), "--jobs", "1", "--examples", "50", "--json", str(out)]) == 0
    text = capsys.readouterr().out
    assert "good" in text and "unrefuted" in text and "bad: counterexample 6 (margin -1" in text
    data = json.loads(out.read_text())
    assert [v["status"] for v in data["verdicts"]] == ["unrefuted", "refuted"]
    assert data["provenance"]["python"] and data["schema"] == 1
    assert main(["verify", str(mine), "--jobs", "1", "--examples", "50", "--record"]) == 0
    assert json.loads((tmp_path / "mine.verdicts.json").read_text())["verdicts"]["bad"] == "refuted"
    mine.write_text(CLAIMS.replace("5 - k", "9 - k"))
    capsys.readouterr()
    assert main(["verify", str(mine), "--jobs", "1", "--examples", "50"]) == 1
    assert "CHANGED bad: recorded refuted, now unrefuted" in capsys.readouterr().out


def test_two_processes_find_the_same(mine, tmp_path):
    files = [tmp_path / f"{jobs}.json" for jobs in (1, 2)]
    for jobs, path in zip(("1", "2"), files, strict=True):
        main(["verify", str(mine), "--jobs", jobs, "--examples", "40", "--json", str(path)])
    one, two = (json.loads(p.read_text())["verdicts"] for p in files)
    for a, b in zip(one, two, strict=True):
        assert {**a, "seconds": 0} == {**b, "seconds": 0}


def test_resume_keeps_verdicts_of_the_same_code(tmp_path, capsys):
    out = tmp_path / "v.json"
    args = ["verify", "remark-1", "eq-12", "--jobs", "1", "--examples", "20", "--json", str(out)]
    assert main(args) == 0
    data = json.loads(out.read_text())
    data["verdicts"] = [{**data["verdicts"][0], "seconds": 12345.0}]
    out.write_text(json.dumps(data))
    assert main([*args, "--resume"]) == 0
    assert "kept 1 of 2 verdicts" in capsys.readouterr().out
    kept = json.loads(out.read_text())["verdicts"]
    assert kept[0]["seconds"] == 12345.0 and len(kept) == 2
    assert main([*args, "--resume", "--jobs", "2"]) == 0  # nothing is left to do
    assert "kept 2 of 2 verdicts" in capsys.readouterr().out
    data["code"] = "other"
    out.write_text(json.dumps(data))
    assert main([*args, "--resume"]) == 0
    assert "kept" not in capsys.readouterr().out
    for text in (out.read_text()[:100], "[]", '{"schema": 1}', "\xff"):
        out.write_text(text, encoding="latin-1")  # what is no file of verdicts is left alone
        assert main([*args, "--resume"]) == 2
        assert "is no file of verdicts" in capsys.readouterr().err
        assert out.read_text(encoding="latin-1") == text


def test_resume_of_a_part_keeps_the_rest(tmp_path):
    out = tmp_path / "v.json"
    args = ["--jobs", "1", "--examples", "20", "--json", str(out)]
    assert main(["verify", "remark-1", "eq-12", *args]) == 0
    assert main(["verify", "eq-15", "eq-15", *args, "--resume"]) == 0
    assert [v["id"] for v in json.loads(out.read_text())["verdicts"]] == ["eq-15", "remark-1", "eq-12"]


def test_targets_are_checked_before_the_work(tmp_path, capsys):
    assert main(["verify", "eq-12", "--json", str(tmp_path)]) == 2
    assert "is a directory" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["verify", "eq-12", "--json", str(tmp_path / "file" / "x.json")]) == 2
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "message"), [
    ("x = (", "fails when imported: SyntaxError"),
    ("raise RuntimeError('no')", "fails when imported: RuntimeError: no (broken.py, line 1)"),
    ("import sys; sys.exit(7)", "fails when imported: SystemExit"),
    ("import not_there", "fails when imported: ModuleNotFoundError"),
    (CLAIMS.replace("lambda k: k)", "lambda k: None)"), "margin must be a number, got NoneType"),
])
def test_broken_files_get_a_short_message(tmp_path, text, message, capsys):
    path = tmp_path / "broken.py"
    path.write_text(text)
    assert main(["verify", str(path), "--jobs", "1", "--examples", "20"]) == 2
    assert message in capsys.readouterr().err


def test_broken_record(mine, tmp_path, capsys):
    (tmp_path / "mine.verdicts.json").write_text("{}")
    assert main(["verify", str(mine), "--jobs", "1", "--examples", "20"]) == 2
    assert "mine.verdicts.json is no record of verdicts" in capsys.readouterr().err


def test_an_interrupt_exits_130(monkeypatch, capsys):
    from theory.claims import runner

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(runner, "run", interrupted)
    assert main(["verify", "eq-12"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_evidence_is_printed_for_a_few_claims(capsys):
    assert main(["verify", "eq-12", "--jobs", "1", "--examples", "20"]) == 0
    assert "eq-12: SMT: proved. Induction" in capsys.readouterr().out


def test_show(capsys):
    assert main(["show", "thm-1"]) == 0
    text = capsys.readouterr().out
    assert "amended by:  sharp-bound" in text and "python -m theory verify thm-1" in text


@pytest.mark.parametrize(("args", "message"), [
    (["show", "thm1"], "no claim 'thm1'; did you mean thm-1"),
    (["verify", "nothing-like-it-at-all"], "no claim"),
    (["verify", "no_such_file.py"], "no file no_such_file.py"),
    (["verify", "eq-12", "--jobs", "0"], "jobs must be at least 1, got 0"),
    (["verify", "eq-12", "--examples", "0"], "examples must be at least 1, got 0"),
    (["bound", "--masks", "nowhere", "--predictions", "nowhere"], "no directory nowhere"),
])
def test_bad_input_exits_2_with_a_short_message(args, message, capsys):
    assert main(args) == 2
    error = capsys.readouterr().err
    assert message in error and len(error) < 300


def test_a_file_without_claims(tmp_path, capsys):
    (tmp_path / "empty.py").write_text("x = 1\n")
    assert main(["verify", str(tmp_path / "empty.py")]) == 2
    assert "defines no Claim" in capsys.readouterr().err


def test_the_template_does_what_it_says(capsys):
    assert main(["verify", str(ROOT / "examples" / "my_claims.py"), "--jobs", "1", "--examples",
                 "150"]) == 0
    out = capsys.readouterr().out
    assert "1 unrefuted, 1 refuted" in out and "iou-bounds-hits: counterexample" in out


# --- bound ----------------------------------------------------------------------------------------


@pytest.fixture
def folders(tmp_path):
    rng = np.random.default_rng(0)
    masks, predictions = tmp_path / "masks", tmp_path / "predictions"
    masks.mkdir()
    predictions.mkdir()
    truths, guesses = rng.integers(0, 2, (2, 12, 6, 5)).astype(np.uint8)
    for k in range(12):
        if k % 2:
            Image.fromarray(truths[k] * 255).save(masks / f"i{k:02}.png")
            np.save(predictions / f"i{k:02}.npy", guesses[k].astype(bool))
        else:
            np.save(masks / f"i{k:02}.npy", 2 * truths[k].astype(np.int8) - 1)
            Image.fromarray(guesses[k]).save(predictions / f"i{k:02}.png")
    return masks, predictions, 2 * truths.astype(int) - 1, 2 * guesses.astype(int) - 1


def test_bound_numbers(folders, tmp_path, capsys):
    masks, predictions, a, b = folders
    out = tmp_path / "sub" / "bound.json"
    assert main(["bound", "--masks", str(masks), "--predictions", str(predictions), "--delta", "0.1",
                 "--json", str(out)]) == 0
    assert "optimistic" in capsys.readouterr().out
    data = json.loads(out.read_text())
    bounds = {r["name"]: r["value"] for r in data["bounds"]}
    phi = (a != b).mean(axis=(1, 2))
    pairs = np.array([[(x == y).mean() * 2 - 1 for y in b] for x in a])
    rho, c = pairs.min(), (1 - pairs.min()) / 2
    assert np.allclose([i["missing_rate"] for i in data["images"]], phi)
    assert bounds["empirical missing rate"] == pytest.approx(phi.mean())
    assert bounds["relevance level (observed)"] == pytest.approx(rho)
    assert bounds["ceiling (1 - rho)/2"] == pytest.approx(c)
    assert bounds["Theorem 1"] == pytest.approx(phi.mean() + c + 3 * np.sqrt(np.log(20) / 24))
    worst = ((1 - pairs.min(axis=1)) / 2).mean()
    assert bounds["sharp bound"] == pytest.approx(worst + c * np.sqrt(np.log(10) / 24))


def spoil_value(masks, predictions):
    Image.fromarray(np.full((6, 5), 7, dtype=np.uint8)).save(masks / "i01.png")


def spoil_truncated(masks, predictions):
    (masks / "i01.png").write_bytes((masks / "i01.png").read_bytes()[:30])


def spoil_size(masks, predictions):
    np.save(masks / "i02.npy", np.ones((6, 6)))


def spoil_partner(masks, predictions):
    (predictions / "i03.npy").unlink()


def spoil_pickle(masks, predictions):
    np.save(masks / "i02.npy", np.array([[object()]]), allow_pickle=True)


def spoil_nan(masks, predictions):
    np.save(masks / "i02.npy", np.full((6, 5), np.nan))


@pytest.mark.parametrize(("spoil", "message"), [
    (spoil_value, "i01.png: a PNG mask has the values 0 and 255 (or 0 and 1), got 7"),
    (spoil_truncated, "i01.png"),
    (spoil_size, "i02.npy is (6, 6), the first is (6, 5)"),
    (spoil_partner, "without a partner: i03"),
    (spoil_pickle, "i02.npy"),
    (spoil_nan, "i02.npy: array must be finite, got nan"),
])
def test_bound_bad_folders(folders, spoil, message, capsys):
    masks, predictions, *_ = folders
    spoil(masks, predictions)
    assert main(["bound", "--masks", str(masks), "--predictions", str(predictions)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("delta", ["0", "1", "1.5", "nan"])
def test_bound_bad_delta(folders, delta, capsys):
    masks, predictions, *_ = folders
    args = ["bound", "--masks", str(masks), "--predictions", str(predictions), "--delta", delta]
    assert main(args) == 2
    assert "delta must be in (0, 1), got" in capsys.readouterr().err


def test_resume_forgets_verdicts_of_a_changed_file(mine, tmp_path, capsys):
    args = ["verify", str(mine), "--jobs", "1", "--examples", "30", "--json", str(tmp_path / "o.json"), "--resume"]
    assert main(args) == 0
    mine.write_text(CLAIMS.replace("margin=lambda k: k)", "margin=lambda k: -k)"))
    assert main(args) == 0
    assert "kept" not in capsys.readouterr().out
    found = {v["id"]: v["status"] for v in json.loads((tmp_path / "o.json").read_text())["verdicts"]}
    assert found["good"] == "refuted"
