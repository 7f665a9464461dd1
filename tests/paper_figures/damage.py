"""Rows with one field damaged: which fields a figure reads, and what becomes of it."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

from paper_figures.assumptions import checks
from paper_figures.drawings import drawn_rows, facts
from paper_figures.fields import FieldError
from paper_figures.registry import Entry
from paper_figures.salvage import attempt
from paper_figures.style import draw
from sims.rows import Row

ABSENT = object()
DAMAGES = {"absent": ABSENT, "null": None, "words": "x", "negative": -3, "list": [1]}
NO_WORDS = re.compile(r"\bnan\b|\bNone\b")


class Noted(dict):
    """A row, or a part of one, that notes in ``read`` the dotted paths that are read."""

    def __init__(self, held: dict[str, Any], read: dict[str, None], path: str = "") -> None:
        super().__init__(held)
        self.place, self._read, self._path = getattr(held, "place", ""), read, path

    def _note(self, field: Any, value: Any) -> Any:
        path = f"{self._path}.{field}" if self._path else str(field)
        self._read[path] = None
        return Noted(value, self._read, path) if isinstance(value, dict) else value

    def __getitem__(self, field: Any) -> Any:
        return self._note(field, super().__getitem__(field))

    def get(self, field: Any, default: Any = None) -> Any:
        return self[field] if field in self else default

    def items(self) -> Any:
        return [(k, self[k]) for k in self]

    def values(self) -> Any:
        return [self[k] for k in self]


def maker(entry: Entry) -> Callable[[list[Row]], str]:
    """What draws a figure or sets a table as the page does, but for the file; gives all its words."""
    module = entry.module()

    def make(rows: list[Row]) -> str:
        drawn = drawn_rows(module, rows)
        words = [module.caption(rows), *(check.why for check in checks(drawn)), str(facts(drawn))]
        if entry.kind == "table":
            return " ".join((*words, module.table(rows).html()))
        draw(module, rows)
        return " ".join(words)

    return make


def fields(make: Callable[[list[Row]], str], rows: list[Row]) -> dict[str, int]:
    """The paths that are read, each with the middle one of the rows that it is read from.

    Numbers at the end of a path (a histogram) count as one path.
    """
    read: list[dict[str, None]] = [{} for _ in rows]
    make([Noted(row, notes) for row, notes in zip(rows, read, strict=True)])
    found: dict[str, list[tuple[int, str]]] = {}
    for k, notes in enumerate(read):
        for path in notes:
            found.setdefault(re.sub(r"\.\d+$", ".#", path), []).append((k, path))
    middle = [places[len(places) // 2] for name, places in found.items() if name != "key"]
    return {path: k for k, path in middle}


def damaged(row: Row, path: str, value: Any) -> Row:
    """A copy of a row with another value at a path, or none there."""
    out = Row(copy.deepcopy(dict(row)))
    out.place = row.place
    *heads, last = path.split(".")
    at: Any = out
    for head in heads:
        at = at[head]
    if value is ABSENT:
        del at[last]
    else:
        at[last] = value
    return out


def complaint(
    make: Callable[[list[Row]], str], rows: list[Row], k: int, path: str, value: Any, whole: str
) -> str:
    """What is wrong about how row ``k``, damaged, is dealt with; empty where nothing is.

    Right are: it is of use all the same, it alone is left out with a note that says where it stands, or
    nothing can be drawn without it and that is said.

    Args:
        whole: what ``make`` says of the rows as they are.
    """
    bad = damaged(rows[k], path, value)
    mixed = [*rows[:k], bad, *rows[k + 1:]]
    try:
        said, used, notes = attempt(make, mixed)
    except Exception as error:
        try:
            make([*rows[:k], *rows[k + 1:]])
        except FieldError:
            known = bad.place in str(error) or isinstance(error, FieldError)
            return "" if known else f"does not name {bad.place}: {error!r}"
        return f"costs the whole: {error!r}"
    lost = [row for row in mixed if not any(row is u for u in used)]
    if lost:
        right = len(lost) == len(notes) == 1 and lost[0] is bad and bad.place in notes[0]
        return "" if right else f"leaves out {len(lost)} rows: {notes}"
    odd = len(NO_WORDS.findall(said)) - len(NO_WORDS.findall(whole))
    return "" if odd <= 0 else f"says nan or None: {NO_WORDS.findall(said)}"
