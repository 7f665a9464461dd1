"""Building: only what changed, whole files, and a reason for what could not be drawn."""

from __future__ import annotations

import json
import shutil
import sys
import time
from types import SimpleNamespace

import pytest
from matplotlib.figure import Figure

from paper_figures import build as building
from paper_figures import fig02_window, registry
from paper_figures.__main__ import main
from paper_figures.registry import COMMITTED, ENTRIES, Entry, load
from paper_figures.style import PAGE, save
from paper_figures.tables import Table

BUDGET = 120.0
"""Seconds of processor time for all figures: what the README promises of a laptop, of which they take a part."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Everything, built as PDF from the committed rows; the folder, the outcomes and the time it took."""
    out = tmp_path_factory.mktemp("whole")
    start = time.process_time()
    done = list(building.build(list(ENTRIES), COMMITTED, out, "pdf"))
    return SimpleNamespace(out=out, done=done, seconds=time.process_time() - start)


def test_everything_builds_from_the_committed_rows_within_the_budget(whole):
    assert [(o.name, o.state, o.why) for o in whole.done] == [(n, "written", "") for n in ENTRIES]
    print(f"{len(whole.done)} figures and tables in {whole.seconds:.1f} s of processor time")
    assert whole.seconds < BUDGET


@pytest.mark.parametrize("name", registry.FIGURES)
def test_a_pdf_has_its_fonts_in_it_and_fits_a_page(whole, name):
    data = (whole.out / f"{name}.pdf").read_bytes()
    assert b"/FontFile2" in data and b"/Type3" not in data
    width = float(data.split(b"/MediaBox [ ")[1].split()[2])
    assert 0 < width <= PAGE * 72 + 0.01


def test_nothing_is_built_twice(whole, capsys):
    before = {p: p.stat().st_mtime_ns for p in whole.out.iterdir()}
    assert main(["build", "--rows", str(COMMITTED), "--out", str(whole.out), "--format", "pdf"]) == 0
    assert f"0 written, {len(ENTRIES)} unchanged, 0 failed" in capsys.readouterr().out
    assert {p: p.stat().st_mtime_ns for p in whole.out.iterdir()} == before


@pytest.fixture
def out(tmp_path):
    """A folder in which Figures 2 and 10 are built, and a command that builds them."""
    def run(*more):
        return main(["build", "fig02_window", "fig10_sigmoids", "--out", str(tmp_path / "out"), *more])
    assert run() == 0
    return SimpleNamespace(path=tmp_path / "out", run=run)


def test_what_was_deleted_or_edited_is_built_again(out, capsys):
    first, other = out.path / "fig02_window.png", out.path / "fig10_sigmoids.png"
    content = first.read_bytes()
    for damage in (first.unlink, lambda: first.write_bytes(content[:-1])):
        damage()
        capsys.readouterr()
        assert out.run() == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].split() == [str(first)] and lines[1].split() == [str(other), "(unchanged)"]
        assert lines[2].startswith("1 written, 1 unchanged, 0 failed")
        assert first.read_bytes() == content


def test_force_and_another_format_build_and_keep_what_is_there(out, capsys):
    capsys.readouterr()
    assert out.run("--force") == 0 and "2 written" in capsys.readouterr().out
    assert out.run("--format", "svg") == 0 and "2 written" in capsys.readouterr().out
    assert out.run() == 0 and "2 unchanged" in capsys.readouterr().out
    assert sorted(p.name for p in out.path.iterdir()) == [
        "fig02_window.png", "fig02_window.svg", "fig10_sigmoids.png", "fig10_sigmoids.svg", "manifest.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 3}', '{"schema": 2, "files": []}',
                                  '{"schema": 2, "files": {"fig02_window.png": {}}}',
                                  '{"schema": 2, "files": {"fig02_window.png": [], "fig10_sigmoids.png": 1}}'])
def test_a_manifest_that_says_nothing_means_build_all(out, text, capsys):
    (out.path / building.MANIFEST).write_text(text)
    capsys.readouterr()
    assert out.run() == 0 and "2 written" in capsys.readouterr().out
    assert out.run() == 0 and "2 unchanged" in capsys.readouterr().out


@pytest.mark.parametrize("field,value", [
    ("notes", None), ("damaged", None), ("notes", "note"), ("damaged", [1]), ("inputs", ""), ("output", "")])
def test_a_record_that_lacks_its_notes_or_hashes_means_build_again(out, field, value, capsys):
    path = out.path / building.MANIFEST
    body = json.loads(path.read_text())
    body["files"]["fig02_window.png"][field] = value
    path.write_text(json.dumps(body))
    capsys.readouterr()
    assert out.run() == 0 and "1 written, 1 unchanged" in capsys.readouterr().out


def test_other_versions_of_the_libraries_mean_build_again(out, monkeypatch, capsys):
    real = building.metadata.version
    monkeypatch.setattr(building.metadata, "version", lambda n: "9" if n == "matplotlib" else real(n))
    capsys.readouterr()
    assert out.run() == 0 and "2 written" in capsys.readouterr().out


@pytest.fixture
def rows(tmp_path):
    folder = tmp_path / "rows"
    folder.mkdir()
    shutil.copy(COMMITTED / "certificates.jsonl", folder)
    return folder


def test_other_rows_are_drawn_and_damaged_lines_are_left_out(rows, tmp_path, capsys):
    path, file = tmp_path / "certificates.png", rows / "certificates.jsonl"
    run = ["build", "certificates", "fig02_window", "--rows", str(rows), "--out", str(tmp_path)]
    assert main(run) == 0
    first, lines = path.read_bytes(), file.read_text().splitlines(keepends=True)

    file.write_text("".join(lines[:2]) + lines[2][:50] + "\n" + "".join(lines[3:]))
    capsys.readouterr()
    assert main(run) == 1
    seen = capsys.readouterr()
    assert seen.err.startswith(f"note: certificates: {file}:3: not a JSON row") and "left out" in seen.err
    assert "fig02_window.png (unchanged)" in seen.out and "1 written, 1 unchanged, 0 failed" in seen.out
    damaged = path.read_bytes()
    file.write_text("".join(lines[:2] + lines[3:]))
    assert main(run) == 0 and path.read_bytes() == damaged  # the picture of the other lines

    file.write_text("".join(lines))
    assert main(run) == 0 and path.read_bytes() == first

    k = next(i for i, text in enumerate(lines) if json.loads(text)["method"] == "rectangle")
    row = json.loads(lines[k])
    row["test"]["missing_rate"] = 0.5
    file.write_text("".join([*lines[:k], json.dumps(row) + "\n", *lines[k + 1:]]))
    assert main(run) == 0 and "1 written" in capsys.readouterr().out
    assert path.read_bytes() != first


def test_an_unfinished_end_is_drawn_and_said(rows, tmp_path, capsys):
    file = rows / "certificates.jsonl"
    file.write_text(file.read_text()[:-30])
    last = len(file.read_text().splitlines())
    assert main(["build", "certificates", "--rows", str(rows), "--out", str(tmp_path)]) == 0
    assert f"note: certificates: {file}:{last}: the last line is unfinished" in capsys.readouterr().err


@pytest.mark.parametrize("damage,code", [
    (lambda lines: [*lines[:-1], lines[-1][:-30]], 0),
    (lambda lines: [*lines[:-1], lines[-1].replace('"version": "', '"version": "9.')], 0),
    (lambda lines: [lines[0], "{\n", *lines[1:]], 1),
    (lambda lines: [lines[0], '{"key": "a", "schema": 1.0}\n', *lines[1:]], 1)])
def test_notes_are_said_again_when_nothing_changed(rows, tmp_path, damage, code, capsys):
    """Also of rows that were moved, and with the same exit code."""
    file = rows / "certificates.jsonl"
    file.write_text("".join(damage(file.read_text().splitlines(keepends=True))))
    run = ["build", "certificates", "--out", str(tmp_path / "out"), "--rows"]
    assert main([*run, str(rows)]) == code
    first = capsys.readouterr().err
    assert first.count("\n") == 1 and first.startswith(f"note: certificates: {file}:")
    assert main([*run, str(rows)]) == code
    seen = capsys.readouterr()
    assert "0 written, 1 unchanged" in seen.out and seen.err == first
    rows.rename(tmp_path / "moved")
    assert main([*run, str(tmp_path / "moved")]) == code
    seen = capsys.readouterr()
    assert "0 written, 1 unchanged" in seen.out and seen.err == first.replace(str(rows), str(tmp_path / "moved"))


def test_after_a_failure_the_earlier_picture_is_there_and_said(rows, tmp_path, capsys):
    path, file = tmp_path / "certificates.png", rows / "certificates.jsonl"
    run = ["build", "certificates", "--rows", str(rows), "--out", str(tmp_path)]
    good = file.read_text()
    assert main(run) == 0
    first, lines = path.read_bytes(), good.splitlines(keepends=True)
    for bad, words in (("{\n" * 3, "no complete row"), ("".join(["{\n", *(
            json.dumps({k: v for k, v in json.loads(t).items() if k != "test"}) + "\n" for t in lines)]), "'test")):
        file.write_text(bad)
        capsys.readouterr()
        assert main(run) == 1
        seen = capsys.readouterr()
        assert words in seen.err and f"{file}:1: not a JSON row" in seen.err and path.read_bytes() == first
        assert seen.out.startswith(f"{path} (of an earlier build, kept)\n0 written, 0 unchanged, 1 failed")
    path.unlink()
    assert main(run) == 1 and capsys.readouterr().out.startswith("0 written")  # there is none to speak of


@pytest.mark.parametrize("field", ["test", "train", "method"])
def test_a_row_without_a_field_is_named_with_file_and_line(rows, tmp_path, field, capsys):
    """Also where the theory says it, which knows rows but no files."""
    file = rows / "certificates.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    number = next(k for k, row in enumerate(lines) if row["n"] == max(r["n"] for r in lines))
    del lines[number][field]
    file.write_text("".join(json.dumps(row) + "\n" for row in lines))
    assert main(["build", "slack", "--rows", str(rows), "--out", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert f"slack: {file}:{number + 1}: row {lines[number]['key']!r}" in error and f"'{field}" in error
    assert not (tmp_path / "slack.png").exists()


def test_rows_that_are_not_there_are_named(tmp_path, capsys):
    assert main(["build", "slack", "--rows", str(tmp_path), "--out", str(tmp_path)]) == 1
    assert f"slack: {tmp_path / 'certificates.jsonl'} is not there" in capsys.readouterr().err
    two = Entry("x", "two files", ("a.jsonl", "b.jsonl"))
    with pytest.raises(FileNotFoundError, match=r"a\.jsonl, .*b\.jsonl are not there"):
        load(two, tmp_path)


def test_several_files_follow_each_other(tmp_path):
    for name, keys in (("a", "xy"), ("b", "xz")):
        (tmp_path / f"{name}.jsonl").write_text("".join(
            json.dumps({"schema": 1, "version": "0.1.0", "key": k, "kind": name}) + "\n" for k in keys))
    reading = load(Entry("x", "two files", ("b.jsonl", "a.jsonl")), tmp_path)
    assert [(r["kind"], r["key"]) for r in reading.rows] == [("b", "x"), ("b", "z"), ("a", "x"), ("a", "y")]
    (tmp_path / "a.jsonl").write_text('{"key": "a", "sch')
    with pytest.raises(ValueError, match=r"a\.jsonl: no complete row"):
        load(Entry("x", "two files", ("b.jsonl", "a.jsonl")), tmp_path)


def test_an_error_in_a_figure_is_named_and_the_rest_is_drawn(tmp_path, monkeypatch, capsys):
    def plot(rows, ax):
        raise KeyError("depth")
    monkeypatch.setattr(fig02_window, "plot", plot)
    assert main(["build", "fig02_window", "fig10_sigmoids", "--out", str(tmp_path)]) == 1
    assert "fig02_window: KeyError: 'depth' (test_build.py:" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fig10_sigmoids.png", "manifest.json"]


def test_a_full_disk_leaves_the_old_file(out, monkeypatch, capsys):
    from theory import files

    old = (out.path / "fig02_window.png").read_bytes()
    real = fig02_window.plot
    monkeypatch.setattr(fig02_window, "plot", lambda rows, ax: real(rows, ax).set_xlim(-9, 9) and ax)

    def full(*_):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(files.os, "replace", full)
    assert out.run("--force") == 2
    assert "No space left on device" in capsys.readouterr().err
    monkeypatch.undo()
    assert (out.path / "fig02_window.png").read_bytes() == old


def test_bad_arguments(tmp_path, monkeypatch, capsys):
    assert main(["build", "nothing"]) == 2
    assert "got 'nothing'" in capsys.readouterr().err
    assert main(["build", "--rows", str(tmp_path / "no")]) == 2
    assert "does not exist" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["build", "fig02_window", "--out", str(tmp_path / "file")]) == 2
    assert "cannot write to" in capsys.readouterr().err

    def stop(rows, ax):
        raise KeyboardInterrupt
    monkeypatch.setattr(fig02_window, "plot", stop)
    assert main(["build", "fig02_window", "--out", str(tmp_path)]) == 130
    with pytest.raises(ValueError, match="kind must be one of"):
        Entry("x", "x", kind="picture")
    with pytest.raises(ValueError, match="rows must be None or name a file"):
        Entry("x", "x", ())


def test_a_table_is_written_in_three_forms(tmp_path, monkeypatch, capsys):
    table = Table(("head", "MAC"), (("paper", "1,024"), ("light", "−3")))
    module = SimpleNamespace(table=lambda rows: table, caption=lambda rows: "")
    monkeypatch.setitem(sys.modules, "paper_figures.heads_table", module)
    monkeypatch.setitem(ENTRIES, "heads_table", Entry("heads_table", "Heads", kind="table"))
    monkeypatch.setattr(building, "sources", lambda *modules: ())
    run = ["build", "heads_table", "--out", str(tmp_path), "--format"]
    assert main([*run, "svg"]) == 0
    assert {p.suffix: p.read_bytes().decode() for p in tmp_path.iterdir() if p.suffix != ".json"} == {
        ".tex": table.latex(), ".csv": "head,MAC\r\npaper,1024\r\nlight,-3\r\n", ".txt": table.text() + "\n"}
    capsys.readouterr()
    assert main([*run, "png"]) == 0 and "0 written, 1 unchanged" in capsys.readouterr().out
    (tmp_path / "heads_table.csv").unlink()
    assert main([*run, "png"]) == 0 and "1 written" in capsys.readouterr().out


@pytest.mark.parametrize("format,magic", [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_build_writes_equal_bytes_twice(tmp_path, format, magic):
    folders = [tmp_path / str(i) for i in (0, 1)]
    for folder in folders:
        assert main(["build", "fig02_window", "--out", str(folder), "--format", format]) == 0
    first, second = ((f / f"fig02_window.{format}").read_bytes() for f in folders)
    assert first.startswith(magic) and first == second
    with pytest.raises(ValueError, match="format must be one of"):
        save(Figure(), tmp_path / "x", "gif")


def test_list_names_everything_with_its_rows(capsys):
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [[e.name, e.kind] for e in ENTRIES.values()]
    assert all(file in line for line, e in zip(lines, ENTRIES.values(), strict=True) for file in e.files)


def test_files_that_only_add_may_be_absent(tmp_path, capsys):
    shutil.copy(COMMITTED / "gallery.jsonl", tmp_path)
    call = ["build", "fig06_maps", "--rows", str(tmp_path), "--out", str(tmp_path / "out")]
    entry = ENTRIES["fig06_maps"]
    assert entry.files == ("gallery.jsonl", "training.jsonl") and main(call) == 0
    alone = len(load(entry, tmp_path).rows)
    capsys.readouterr()
    shutil.copy(COMMITTED / "depth.jsonl", tmp_path / "training.jsonl")
    assert len(load(entry, tmp_path).rows) > alone
    assert main(call) == 0 and "1 written" in capsys.readouterr().out  # other rows: drawn again
    (tmp_path / "gallery.jsonl").unlink()
    assert main(call) == 1 and "gallery.jsonl is not there" in capsys.readouterr().err
