"""Rows know their file and line; what is odd in a file of rows is said, what is broken is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sims.rows import SCHEMA, Reading, RowsError, RowWriter, read_rows, scan_rows

COMMITTED = sorted((Path(__file__).parents[2] / "paper_figures" / "rows").glob("*.jsonl"))


def line(key, version="0.1.0", **more):
    return json.dumps({"schema": SCHEMA, "version": version, "key": key, **more}) + "\n"


@pytest.mark.parametrize("path", COMMITTED, ids=lambda p: p.name)
def test_every_committed_row_says_its_schema_version_and_kind(path):
    reading = scan_rows(path)
    assert reading.notes == ()
    for row in reading.rows:
        assert row["schema"] == SCHEMA and row["version"].count(".") == 2 and row["kind"]
    raw = [json.loads(text) for text in path.read_text().splitlines()]
    assert list(reading.rows) == [r for k, r in enumerate(raw) if r["key"] not in {x["key"] for x in raw[k + 1:]}]


def test_a_row_knows_its_line_and_is_a_dict_else(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(line("a", n=1) + "\n" + line("b") + line("a", n=2))
    b, a = read_rows(path)
    assert (b.place, a.place) == (f"{path}:3", f"{path}:4")
    assert a == json.loads(line("a", n=2)) and isinstance(a, dict) and json.dumps(a) == line("a", n=2).strip()


def test_an_unfinished_end_is_left_out_and_said(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(line("a") + line("b")[:20])
    reading = scan_rows(path)
    assert [r["key"] for r in reading.rows] == ["a"]
    assert reading.notes == (f"{path}:2: the last line is unfinished and was left out",)
    assert read_rows(path) == reading.rows


def test_mixed_versions_are_said_with_the_line_where_each_begins(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(line("a") + line("b") + line("c", "0.2.0") + line("d", "0.2.0") + line("e", "0.3.0"))
    assert scan_rows(path).notes == (f"{path}:3: rows of version 0.2.0 after rows of version 0.1.0",
                                     f"{path}:5: rows of version 0.3.0 after rows of version 0.1.0")
    path.write_text(line("a") + line("a", "0.2.0"))  # the older one does not count any more
    assert scan_rows(path) == Reading(read_rows(path), ())


@pytest.mark.parametrize("schema,words", [
    (SCHEMA + 1, f"schema must be {SCHEMA}, got {SCHEMA + 1}, written by a newer quadrat"),
    (0, f"schema must be {SCHEMA}, got 0"), ("1", f"schema must be {SCHEMA}, got '1'"),
    (None, f"schema must be {SCHEMA}, got None"), (True, f"schema must be {SCHEMA}, got True"),
    (float(SCHEMA), f"schema must be {SCHEMA}, got {float(SCHEMA)}"),
])
def test_another_schema_is_an_error_with_file_and_line(tmp_path, schema, words):
    path = tmp_path / "a.jsonl"
    path.write_text(line("a") + json.dumps({"key": "b", "schema": schema}) + "\n")
    with pytest.raises(RowsError) as caught:
        read_rows(path)
    assert str(caught.value) == f"{path}:2: {words}"
    if schema != SCHEMA + 1:
        assert "newer" not in str(caught.value)


def test_a_row_half_written_in_the_middle_is_an_error_with_its_line(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(line("a") + line("b")[:15] + line("c") + line("d"))
    with pytest.raises(RowsError, match=r"a\.jsonl:2: not a JSON row"):
        scan_rows(path)


@pytest.mark.parametrize("odd", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_of_json_is_an_error_with_its_line(tmp_path, odd):
    path = tmp_path / "a.jsonl"
    path.write_text(line("a") + line("b", value=1.5).replace("1.5", odd) + line("c"))
    with pytest.raises(RowsError, match=rf"a\.jsonl:2: a row holds finite numbers, got {odd}"):
        scan_rows(path)
    reading = scan_rows(path, strict=False)
    assert [r["key"] for r in reading.rows] == ["a", "c"] and reading.damaged == reading.notes != ()


def test_what_is_written_states_schema_and_version(tmp_path):
    with RowWriter(tmp_path / "a.jsonl") as writer:
        writer.append({"key": "a"})
    row = json.loads((tmp_path / "a.jsonl").read_text())
    assert row["schema"] == SCHEMA and row["version"]
