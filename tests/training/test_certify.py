"""``python -m training certify``: from a run's folder or a file of rows to tables; exit codes; nothing lost."""

import json
from types import SimpleNamespace

import pytest
import torch

import training.certificate
from sims.rows import read_rows
from tests.bounds.rows import row_of
from tests.training.tiny import variant
from theory.bounds.table import table
from training.__main__ import main
from training.certificate import certificate
from training.certify import KEPT, certify, rows_of, text_of
from training.checkpoint import CheckpointError
from training.config import as_dict
from training.data import prepare
from training.fit import fit, one_thread
from training.rows import TrainingRows
from training.single import finished, run

CONFIG = variant(n=12, n_test=10, steps=4, starts=2, trial=0.5)


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def plain(row):
    return {k: v for k, v in row.items() if k not in ("seconds", "provenance", "schema", "version")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with one_thread():
        path = tmp_path_factory.mktemp("runs") / "one"
        run(CONFIG, path)
        before = files(path)
        assert main(["certify", str(path)]) == 0
        after = files(path)
    assert {name: data for name, data in after.items() if name in before} == before
    assert set(after) - set(before) == {KEPT, "bounds.jsonl"}
    return path


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    with TrainingRows(path) as writer:
        for name, row in {"a": row_of(), "b": row_of("positionwise")}.items():
            writer.append({**row, "key": name})
        writer.append({"kind": "training", "key": "c", "method": "none", "train": {"missing_rate": None}, "test": {}})
    return path


def test_a_run_gets_all_bounds(folder):
    (row,) = read_rows(folder / "bounds.jsonl")
    assert row["kind"] == "bounds" and row["key"] == f"bounds-0.05-{CONFIG.key}" and row["of"] == CONFIG.key
    assert (row["n"], row["seed"], row["method"], row["supervision"], row["delta"]) == (12, 0, "rectangle", "label", 0.05)
    assert set(row["lacking"]) == {"contraction", "cellwise"} and row["provenance"]["torch"] and row["seconds"] > 0
    lines = {(line["bound"], line["predictor"]) for line in row["bounds"]}
    assert {("pac_bayes_kl", "initial-trained"), ("betting", "split"), ("betting", "trained"), ("occam", "trained")} <= lines
    assert all(line["upper"] >= line["start"] for line in row["bounds"])
    held = {**read_rows(folder / "row.jsonl")[0], "certificate": json.loads((folder / KEPT).read_text())}
    assert row["bounds"] == table(held, 0.05)


def test_its_posteriors_are_those_of_the_same_run_in_memory(folder):
    data = prepare(CONFIG)
    made = certificate(fit(CONFIG, data), data)
    kept = json.loads((folder / KEPT).read_text())
    assert made.keys() == kept.keys()
    for name, found in made.items():
        assert {**found, "seconds": 0} == {**kept[name], "seconds": 0}


def test_a_second_call_trains_nothing_and_adds_no_row(folder, monkeypatch, capsys):
    monkeypatch.setattr(training.certificate, "certificate", None)
    before = files(folder)
    assert main(["certify", str(folder)]) == 0
    assert files(folder) == before
    assert "PAC-Bayes-kl" in capsys.readouterr().out


def test_another_level_adds_a_row(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(training.certificate, "certificate", None)
    out = tmp_path / "deep" / "tables.jsonl"
    for delta in ("0.05", "0.999", "0.0500001", "0.05"):
        assert main(["certify", str(folder), "--delta", delta, "--out", str(out)]) == 0
    found = {row["delta"]: row for row in read_rows(out)}
    assert sorted(found) == [0.05, 0.0500001, 0.999] and len(out.read_text().splitlines()) == 3
    for line, loose in zip(found[0.05]["bounds"], found[0.999]["bounds"], strict=True):
        assert loose["upper"] <= line["upper"]
        if line["bound"] in ("hoeffding", "theorem_1"):
            assert loose["upper"] < line["upper"]


def test_a_finished_run_is_loaded_ready_for_it(folder):
    config, net = finished(folder)
    assert config == CONFIG and not net.training and net.attention.s == CONFIG.s
    data = prepare(CONFIG)
    alone = fit(CONFIG, data).net.state_dict()
    assert all(torch.equal(v, alone[n]) for n, v in net.state_dict().items())


def test_a_row_that_has_posteriors_is_taken_as_it_is(folder, tmp_path, monkeypatch):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / KEPT).unlink()
    row = {**json.loads((folder / "row.jsonl").read_text()), "certificate": row_of()["certificate"]}
    (copy / "row.jsonl").write_text(json.dumps(row) + "\n")
    monkeypatch.setattr(training.certificate, "certificate", None)
    assert rows_of(copy) == [row]


def test_methods_that_need_no_posterior_keep_none(tmp_path, capsys):
    run(variant(method="centre", n=8, n_test=8, steps=1), tmp_path / "centre")
    assert main(["certify", str(tmp_path / "centre")]) == 0
    assert not (tmp_path / "centre" / KEPT).exists()
    (row,) = read_rows(tmp_path / "centre" / "bounds.jsonl")
    assert row["lacking"]["pac_bayes_kl"] and "not given: pac_bayes_kl needs gibbs" in capsys.readouterr().out
    run(variant(method="none", n=8, n_test=8, steps=1), tmp_path / "none")
    before = files(tmp_path / "none")
    assert main(["certify", str(tmp_path / "none")]) == 2
    assert "no row has a missing rate" in capsys.readouterr().err and files(tmp_path / "none") == before


def test_a_file_of_rows(rows, tmp_path, capsys):
    before = rows.read_bytes()
    assert main(["certify", str(rows)]) == 0  # printed alone
    shown = capsys.readouterr().out
    assert shown.count("each bound by itself with probability 0.95") == 2 and "c: none" not in shown
    assert [p.name for p in tmp_path.iterdir()] == ["rows.jsonl"]
    out = tmp_path / "bounds.jsonl"
    for _ in range(2):
        assert main(["certify", str(rows), "--out", str(out)]) == 0
    found = read_rows(out)
    assert [row["of"] for row in found] == ["a", "b"] and len(out.read_text().splitlines()) == 2
    assert found[0]["bounds"] == table({**row_of(), "key": "a"}) and rows.read_bytes() == before


def test_the_newest_row_of_a_key_counts(rows):
    with TrainingRows(rows) as writer:
        writer.append({**row_of(), "key": "a", "train": {"missing_rate": 0.25, "images": 40}})
    found = {row["key"]: row for row in rows_of(rows)}
    assert len(found) == 3 and found["a"]["train"]["missing_rate"] == 0.25


def test_an_unfinished_last_line_is_left_out(rows):
    with rows.open("a") as file:
        file.write('{"kind": "training", "key": "d", "tr')
    assert [row["key"] for row in rows_of(rows)] == ["a", "b", "c"]


def test_the_text_names_every_bound_and_its_slack():
    (row,) = certify([row_of()], 0.05, None)
    text = text_of(row)
    head, names, *body, last = text.splitlines()
    assert last == "not given: cellwise needs slope"
    assert head.startswith("cell: rectangle, trained on label, N = 40; each bound by itself")
    assert names.split() == ["bound", "predictor", "upper", "test", "start", "slack"] and len(body) == len(row["bounds"])
    uppers = [float(line[names.index("upper"):].split()[0]) for line in body]
    assert uppers == sorted(uppers)
    assert {line[names.index("predictor"):].split()[0] for line in body} == {b["predictor"] for b in row["bounds"]}
    (theorem,) = [line for line in body if line.startswith("Theorem 1")]
    assert "relevance 1.0000" in theorem and "confidence" in theorem and "0.0625" in theorem


def test_rows_are_made_of_rows():
    (row,) = certify([row_of()], 0.1, None)
    assert plain(row) == {"kind": "bounds", "key": "bounds-0.1-cell", "of": "cell", "method": "rectangle", "supervision": "label",
                          "n": 40, "seed": 0, "delta": 0.1, "bounds": table(row_of(), 0.1), "lacking": {"cellwise": ["slope"]}}
    assert certify([{"train": {"missing_rate": None}}], 0.1, None) == []


@pytest.mark.parametrize("name", ["train", "test", "method", "supervision", "n", "seed", "key", "parameters", "grid"])
def test_a_field_that_is_missing_is_named(name, tmp_path):
    row = row_of()
    del row[name]
    out = tmp_path / "out.jsonl"
    with pytest.raises(ValueError, match=f"lacks '{name}'"):
        certify([row_of(), row], 0.05, out)
    assert not out.exists()


@pytest.mark.parametrize(("content", "message"), [
    (None, "no such folder of a run or file of rows"), ("", "holds no rows"), ("hello\nworld\n", ":1: not a JSON row"),
    ('{"schema": 1, "kind": "simulation", "key": "k"}\n', "rows of kind 'training' belong here, got 'simulation' (key 'k')"),
    ('{"schema": 1, "kind": "training", "key": "k"}\n', "row 'k' lacks 'train'"),
    ('{"schema": 1, "kind": "training", "key": "k", "train": {"missing_rate": null}}\n', "no row has a missing rate"),
])
def test_bad_files(content, message, tmp_path, capsys):
    path = tmp_path / "what.jsonl"
    if content is not None:
        path.write_text(content)
    assert main(["certify", str(path)]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert content is None or path.read_text() == content


@pytest.mark.parametrize("delta", ["0", "1", "1.2", "nan"])
def test_bad_levels(delta, rows, capsys):
    assert main(["certify", str(rows), "--delta", delta]) == 2
    assert f"delta must be in (0, 1), got {delta}" in capsys.readouterr().err


def test_folders_without_a_run(tmp_path, capsys):
    with pytest.raises(CheckpointError, match="holds no finished run"):
        rows_of(tmp_path)
    assert main(["certify", str(tmp_path)]) == 2
    assert "holds no finished run" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_rows_of_another_kind_are_not_mixed_with_tables(rows, capsys):
    before = rows.read_bytes()
    assert main(["certify", str(rows), "--out", str(rows)]) == 2
    assert "rows of kind 'bounds' belong here, got 'training'" in capsys.readouterr().err
    assert rows.read_bytes() == before


def test_a_place_that_cannot_be_written_exits_with_1(rows, tmp_path, capsys):
    (tmp_path / "taken").mkdir()
    assert main(["certify", str(rows), "--out", str(tmp_path / "taken")]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_the_configuration_of_the_folder_decides(folder, monkeypatch):
    """What is certified is what was trained: the folder's configuration and start."""
    seen = {}

    def spied(run, data):
        seen.update(vars(run), n=data.train.n)
        return None

    monkeypatch.setattr(training.certificate, "certificate", spied)
    kept = (folder / KEPT).read_bytes()
    (folder / KEPT).unlink()
    try:
        (row,) = rows_of(folder)
        assert not (folder / KEPT).exists()
    finally:
        (folder / KEPT).write_bytes(kept)
    assert as_dict(seen["config"]) == as_dict(CONFIG) and seen["n"] == 12 and seen["start"] == row["start"]
    assert isinstance(seen["net"], torch.nn.Module) and SimpleNamespace(**seen)
