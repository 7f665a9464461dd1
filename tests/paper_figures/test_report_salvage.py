"""Rows that a figure cannot use are left out one by one, and never in silence."""

from __future__ import annotations

import json

import pytest

from paper_figures.fields import FieldError, number
from paper_figures.salvage import LIMIT, TRIALS, attempt, culprit
from sims.rows import RowsError, read_rows, scan_rows


def total(rows):
    return sum(number(r, "v") for r in rows)


def test_named_rows_are_left_out():
    rows = [{"key": "a", "v": 1}, {"key": "b"}, {"key": "c", "v": "x"}, {"key": "d", "v": 5}]
    made, used, notes = attempt(total, rows)
    assert made == 6 and [r["key"] for r in used] == ["a", "d"]
    assert len(notes) == 2 and "'b'" in notes[0] and "'c'" in notes[1] and all("left out" in n for n in notes)


def test_other_rows_with_like_keys_stay():
    rows = [{"key": "n1"}, {"key": "n10", "v": 2}, {"key": "n", "v": 3}]
    assert attempt(total, rows)[0] == 5


def test_errors_that_name_no_row_all_rows_or_too_many_pass():
    with pytest.raises(ValueError, match="of the whole"):
        attempt(lambda rows: (_ for _ in ()).throw(ValueError("of the whole")), [{"key": "a"}])
    with pytest.raises(FieldError, match="'a' lacks"):  # the first reason
        attempt(total, [{"key": "a"}, {"key": "b"}])
    with pytest.raises(FieldError, match="'0' lacks"):
        attempt(total, [{"key": str(k)} for k in range(LIMIT + 2)] + [{"key": "x", "v": 1}])
    with pytest.raises(ZeroDivisionError):
        attempt(lambda rows: 1 / 0, [{"key": "a"}])
    assert attempt(lambda rows: 7, None) == (7, None, [])


def hidden(rows):
    """Reads fields without naming the row."""
    if len({r["kind"] for r in rows}) < 2:
        raise FieldError("two kinds are needed")
    return sorted(r["v"] for r in rows)


@pytest.mark.parametrize("bad", [{}, {"v": "x"}, {"v": None}, {"v": [1]}])
@pytest.mark.parametrize("where", [0, 7, 29])
def test_a_row_that_no_message_names_is_found(bad, where):
    rows = [{"key": str(k), "kind": k % 2, "v": k} for k in range(30)]
    rows[where] = {"key": str(where), "kind": where % 2, **bad}
    made, used, notes = attempt(hidden, rows)
    assert made == [k for k in range(30) if k != where] and len(used) == 29
    assert len(notes) == 1 and notes[0].startswith(f"row '{where}': ") and "Error: " in notes[0]


def test_two_rows_of_two_kinds_of_damage_are_found():
    rows = [{"key": str(k), "kind": k % 2, "v": k} for k in range(30)]
    del rows[3]["v"], rows[20]["kind"]
    made, _, notes = attempt(hidden, rows)
    assert len(made) == 28 and sorted(n[:8] for n in notes) == ["row '20'", "row '3':"]


def test_a_row_without_which_nothing_can_be_drawn_is_named_all_the_same():
    rows = [{"key": "a", "kind": 0, "v": 1}, {"key": "b", "kind": 1}]
    with pytest.raises(FieldError, match="row 'b' was read last: KeyError: 'v'"):
        attempt(hidden, rows)


@pytest.mark.parametrize("other", [TypeError, KeyError])
def test_the_search_ends(other):
    """Whether the same error follows without some rows or another one."""
    calls = []

    def never(rows):
        calls.append(len(rows))
        raise (TypeError if len(rows) == 2000 else other)(f"always {len(calls)}")
    with pytest.raises(TypeError, match="always 1"):
        attempt(never, [{"key": str(k)} for k in range(2000)])
    assert len(calls) <= TRIALS + 2


def test_refusals_of_the_whole_blame_no_row():
    rows = [{"key": str(k), "kind": 0, "v": k} for k in range(9)]
    with pytest.raises(FieldError, match="two kinds are needed") as caught:
        attempt(hidden, rows)
    assert culprit(hidden, rows, caught.value) == (None, True)


def lines(path, *rows):
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows))
    return path


def test_damaged_lines_are_left_out_where_that_is_asked_for(tmp_path):
    good = {"schema": 1, "version": "0.1.0", "key": "a"}
    path = lines(tmp_path / "x.jsonl", good, '{"key": ', {**good, "schema": 9, "key": "b"}, "[1]",
                 {**good, "key": "c"}, "")
    with pytest.raises(RowsError, match="x.jsonl:2"):
        read_rows(path)
    reading = scan_rows(path, strict=False)
    assert [r["key"] for r in reading.rows] == ["a", "c"]
    assert [n.split(": ")[0].rsplit(":", 1)[1] for n in reading.notes] == ["2", "3", "4"]
    assert "written by a newer quadrat" in reading.notes[1] and all("left out" in n for n in reading.notes)


def test_an_unfinished_end_reads_alike_both_ways(tmp_path):
    path = lines(tmp_path / "x.jsonl", {"schema": 1, "version": "0.1.0", "key": "a"}, '{"key": "b')
    assert scan_rows(path) == scan_rows(path, strict=False)
    assert "x.jsonl:2: the last line is unfinished" in scan_rows(path).notes[0]
