"""Drawing what can be drawn: rows that a figure cannot use are left out, each with the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from paper_figures.fields import explain

T = TypeVar("T")
LIMIT = 25
"""More unusable rows than this, and the file as a whole is taken to be of another kind."""


def attempt(make: Callable[[Any], T], rows: list[Any] | None) -> tuple[T, list[Any] | None, list[str]]:
    """What ``make`` makes of the rows, of as many as it can use.

    A ``ValueError`` that names a row by key or place leaves that row out, and it is tried again.

    Returns:
        what was made, the rows it was made of, and a note for every row left out.

    Raises:
        ValueError: no row is named, none is left, or more than ``LIMIT`` would be left out; the first
            reason.  Errors of other types pass through.

    >>> rows = [{"key": "a", "v": 1}, {"key": "b"}]
    >>> from paper_figures.fields import number
    >>> attempt(lambda rows: sum(number(r, "v") for r in rows), rows)
    (1, [{'key': 'a', 'v': 1}], ["row 'b' lacks the field 'v'; left out"])
    """
    notes: list[str] = []
    first: ValueError | None = None
    while True:
        try:
            return make(rows), rows, notes
        except ValueError as error:
            first = first or error
            blamed = [r for r in rows or () if _names(error, r)]
            left = [r for r in rows or () if not _names(error, r)]
            if not blamed or not left or len(notes) >= LIMIT:
                raise first from error
            notes.append(f"{explain(error, rows)}; left out")
            rows = left


def _names(error: ValueError, row: dict[str, Any]) -> bool:
    place, text = getattr(row, "place", ""), str(error)
    return f"row {row.get('key')!r}" in text or bool(place) and f"{place}:" in text
