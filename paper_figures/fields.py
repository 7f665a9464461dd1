"""Reading values out of rows, with errors that name the row and the field that lacks."""

from __future__ import annotations

import math
import traceback
from pathlib import Path
from typing import Any


class FieldError(ValueError):
    """A row lacks a field that a figure needs, or holds another kind of value there."""


def row_name(row: dict[str, Any]) -> str:
    """A row in a message: its key, after file and line where it was read from a file.

    >>> row_name({"key": "a"})
    "row 'a'"
    """
    place = getattr(row, "place", "")
    return f"{place + ': ' if place else ''}row {row.get('key', '?')!r}"


def explain(error: Exception, rows: list[Any] | None) -> str:
    """The message of an error, with file and line of the row it names by its key.

    An error that is no refusal also tells its type and where it arose.
    """
    text = str(error)
    if not isinstance(error, OSError | ValueError):
        last = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {text} ({Path(last.filename).name}:{last.lineno})"
    for row in rows or ():
        place = getattr(row, "place", "")
        if place and place not in text and f"row {row['key']!r}" in text:
            return f"{place}: {text}"
    return text


def get(row: dict[str, Any], path: str, default: Any = ...) -> Any:
    """The value at a dotted path.

    >>> get({"key": "a", "test": {"missing_rate": 0.25}}, "test.missing_rate")
    0.25
    """
    value: Any = row
    for part in path.split("."):
        if not isinstance(value, dict) or part not in value:
            if default is not ...:
                return default
            raise FieldError(f"{row_name(row)} lacks the field {path!r}")
        value = value[part]
    return value


def number(row: dict[str, Any], path: str) -> float:
    """The finite number at a dotted path."""
    value = get(row, path)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise FieldError(f"{row_name(row)}: {path!r} must be a number, got {value!r}")
    return value


def words(row: dict[str, Any], path: str, default: Any = ...) -> str:
    """The text at a dotted path, not empty.

    >>> words({"key": "a", "rule": "the first"}, "rule"), words({"key": "a"}, "rule", "none stated")
    ('the first', 'none stated')
    """
    value = get(row, path, default)
    if not isinstance(value, str) or not value.strip():
        raise FieldError(f"{row_name(row)}: {path!r} must be words, got {value!r}")
    return value


def of_kind(rows: list[dict[str, Any]], *kinds: str) -> list[dict[str, Any]]:
    """The rows of these kinds, in order.

    Raises:
        FieldError: none is there, or a row has no kind.

    >>> of_kind([{"kind": "a"}, {"kind": "b", "n": 1}], "b")
    [{'kind': 'b', 'n': 1}]
    """
    found = [row for row in rows if get(row, "kind") in kinds]
    if not found:
        raise FieldError(f"no rows of kind {' or '.join(map(repr, kinds))}")
    return found


def plural(count: int, noun: str) -> str:
    """A count and its noun.

    >>> plural(1, "seed"), plural(2, "seed")
    ('1 seed', '2 seeds')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"
