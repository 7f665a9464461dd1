"""Drawing what can be drawn: rows that a figure cannot use are left out, each with the reason."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any, TypeVar

from paper_figures.fields import FieldError, explain, row_name

T = TypeVar("T")
Rows = list[dict[str, Any]]
LIMIT = 25
"""More unusable rows than this, and the file as a whole is taken to be of another kind."""
TRIALS = 40
"""Drawings, at most, in search of one row that no message names."""


def attempt(make: Callable[[Any], T], rows: Rows | None) -> tuple[T, Rows | None, list[str]]:
    """What ``make`` makes of the rows, of as many as it can use.

    A ``ValueError`` that names a row by key or place leaves that row out, and it is tried again.  After
    any other error that row is left out which :func:`culprit` finds.

    Returns:
        what was made, the rows it was made of, and a note for every row left out.

    Raises:
        FieldError: a row was to blame, and none is left or more than ``LIMIT`` would be left out; the
            first reason.
        Exception: the first error of ``make``, where no row is to blame for it.

    >>> rows = [{"key": "a", "v": 1}, {"key": "b"}]
    >>> from paper_figures.fields import number
    >>> attempt(lambda rows: sum(number(r, "v") for r in rows), rows)
    (1, [{'key': 'a', 'v': 1}], ["row 'b' lacks the field 'v'; left out"])
    >>> _, _, notes = attempt(lambda rows: sum(r["v"] for r in rows), rows)
    >>> notes[0].split(" (")[0]
    "row 'b': KeyError: 'v'"
    """
    notes: list[str] = []
    first: Exception | None = None
    while True:
        try:
            return make(rows), rows, notes
        except Exception as error:
            blamed, reason = _blamed(make, rows or [], error)
            first = first or (FieldError(reason) if blamed else error)
            left = [r for r in rows or () if not any(r is b for b in blamed)]
            if not blamed or not left or len(notes) >= LIMIT:
                raise first from (None if first is error else error)
            notes.append(f"{reason}; left out")
            rows = left


def culprit(
    make: Callable[[Any], Any], rows: Rows, error: Exception
) -> tuple[dict[str, Any] | None, bool]:
    """The row to blame for an error that names none, and whether all is well without it.

    The row that was read last is tried first.  If the error is a crash, and no refusal
    (``FieldError``), that row is suspected even when something else fails without it, because a figure
    may need every row.

    Returns:
        the row, None where no row alone is to blame or ``TRIALS`` drawings did not tell.
    """
    without = _Without(make, rows, error)
    last = _read_last(make, rows, error)
    if last is not None:
        said = without([last])
        if said == "drawn" or said == "another" and not isinstance(error, FieldError):
            return last, said == "drawn"
    return _search(rows, without), True


def _search(suspects: Rows, without: Callable[[Rows], str]) -> dict[str, Any] | None:
    """One of the suspects whose absence alone mends all, by leaving out ever smaller parts of them.

    A part without which the same error arises holds no culprit.
    """
    parts = 2
    while len(suspects) > 1:
        for k in range(parts):
            part = suspects[k::parts]
            said = without(part)
            if said == "drawn":
                return _search(part, without)
            if said == "same":
                suspects = [r for j, r in enumerate(suspects) if j % parts != k]
                break
        else:
            if parts >= len(suspects):
                return None
            parts *= 2
        parts = min(parts, len(suspects))
    return suspects[0] if suspects and without(suspects) == "drawn" else None


class _Without:
    """What follows when rows are left out: "drawn", the "same" error, "another", or "" after
    ``TRIALS`` of them."""

    def __init__(self, make: Callable[[Any], Any], rows: Rows, error: Exception) -> None:
        self.make, self.rows, self.error, self.left = make, rows, _origin(error), TRIALS

    def __call__(self, part: Rows) -> str:
        self.left -= 1
        if self.left < 0:
            return ""
        out = {id(r) for r in part}
        try:
            self.make([r for r in self.rows if id(r) not in out])
        except Exception as error:
            return "same" if _origin(error) == self.error else "another"
        return "drawn"


def _origin(error: Exception) -> tuple[type, str, int]:
    """What tells two errors apart: the type, and where they arose."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return type(error), last.filename, last.lineno or 0


class _Watched(dict[str, Any]):
    """A row that notes when it is read."""

    def __init__(self, row: dict[str, Any], read: list[dict[str, Any]]) -> None:
        super().__init__(row)
        self.place, self.row, self.read = getattr(row, "place", ""), row, read

    def __getitem__(self, field: str) -> Any:
        self.read[:] = [self.row]
        return super().__getitem__(field)

    def get(self, field: str, default: Any = None) -> Any:
        self.read[:] = [self.row]
        return super().get(field, default)


def _read_last(make: Callable[[Any], Any], rows: Rows, error: Exception) -> dict[str, Any] | None:
    """The row that ``make`` read last before it failed as in ``error``; None if it fails otherwise."""
    read: list[dict[str, Any]] = []
    try:
        make([_Watched(row, read) for row in rows])
    except Exception as again:  # the caller has the error itself, and raises it if no row is to blame
        return read[0] if read and type(again) is type(error) else None
    return None


def _blamed(make: Callable[[Any], Any], rows: Rows, error: Exception) -> tuple[Rows, str]:
    """The rows to blame for an error, none or more, and the reason."""
    named = [r for r in rows if isinstance(error, ValueError) and _names(error, r)]
    if named:
        return named, explain(error, rows)
    found, sure = culprit(make, rows, error)
    if found is None:
        return [], ""
    return [found], f"{row_name(found)}{'' if sure else ' was read last'}: {explain(error, None)}"


def _names(error: ValueError, row: dict[str, Any]) -> bool:
    place, text = getattr(row, "place", ""), str(error)
    return f"row {row.get('key')!r}" in text or bool(place) and f"{place}:" in text
