"""Rows on disk: JSON objects, one a line, appended as they come and found again by their key."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from theory import __version__
from theory import provenance as origin

SCHEMA = 1
LIBRARIES = ("numpy", "scipy", "numba")
"""Those whose versions a simulation's numbers depend on."""


class RowsError(ValueError):
    """A file of rows that cannot be read; says which file and line."""


def provenance() -> dict[str, Any]:
    """Command, machine, commit and versions of this process."""
    return {"command": " ".join(["python -m " + _module_name(), *sys.argv[1:]]), **machine()}


@cache
def machine() -> dict[str, Any]:
    """The machine, the commit, and the versions that this process computes with.

    torch is looked up, not imported.  ``commit`` ends in ``+changes`` when files of ``theory`` or
    ``sims`` differ from it, and is None outside a repository.
    """
    try:
        torch = metadata.version("torch")
    except metadata.PackageNotFoundError:
        torch = None
    return {
        "machine": origin.machine(),
        "cpu": origin.cpu(),
        "python": platform.python_version(),
        **libraries(),
        "torch": torch,
        "commit": origin.commit("theory", "sims"),
    }


def libraries() -> dict[str, str]:
    """Versions of the libraries that a simulation's numbers depend on."""
    return {name: metadata.version(name) for name in LIBRARIES}


@cache
def code_hash() -> str:
    """A short hash of the source files that simulations run, taken once a process.

    These are ``sims`` and ``theory`` without ``theory/claims``, which no simulation calls.
    """
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted((root / "theory").rglob("*.py")) + sorted((root / "sims").rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if not name.startswith("theory/claims/"):
            digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


class Row(dict[str, Any]):
    """A row that knows where it stands: ``place`` is ``FILE:LINE``, for messages."""

    place: str = ""


@dataclass(frozen=True)
class Reading:
    """What a file of rows holds.

    Attributes:
        rows: the last row of every key, in the order of the lines.
        notes: what was left out or is mixed, each with file and line; empty for a file that is whole
            and of one version.
        damaged: those of the notes that tell of a damaged line, which was left out.
    """

    rows: list[Row]
    notes: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()


def read_rows(path: str | Path) -> list[Row]:
    """The rows of a file, the last one of every key; a truncated last line is left out.

    Raises:
        RowsError: a line that is not a JSON object with a ``key``, a schema other than ``SCHEMA``.
        FileNotFoundError: no such file.
    """
    return scan_rows(path).rows


def scan_rows(path: str | Path, strict: bool = True) -> Reading:
    """The rows of a file as :func:`read_rows` finds them, with notes on what is odd but readable.

    Every row states its schema; no version of quadrat wrote rows without one, so a row that lacks it is
    damaged or not ours.

    Args:
        strict: False leaves damaged lines out, each with a note, where True refuses the file.

    Raises:
        RowsError: a line that is not a JSON object with a ``key``, a schema other than ``SCHEMA``.
        FileNotFoundError: no such file.
    """
    rows: dict[str, Row] = {}
    notes: list[str] = []
    damaged: list[str] = []
    lines = Path(path).read_text(encoding="utf-8", errors="replace").split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = _row(line, f"{path}:{number}")
        except RowsError as error:
            if isinstance(error.__cause__, json.JSONDecodeError):
                if number == len(lines):  # no newline after it: a run was cut off while writing
                    notes.append(f"{path}:{number}: the last line is unfinished and was left out")
                    break
            if strict:
                raise
            damaged.append(f"{error}; left out")
            notes.append(damaged[-1])
            continue
        rows.pop(row["key"], None)
        rows[row["key"]] = Row(row)
        rows[row["key"]].place = f"{path}:{number}"
    return Reading(list(rows.values()), (*notes, *_mixed(rows.values())), tuple(damaged))


def _row(line: str, place: str) -> dict[str, Any]:
    """The object on a line, its head checked."""
    try:
        row = json.loads(line, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise RowsError(f"{place}: not a JSON row ({error.msg})") from error
    except ValueError as error:
        raise RowsError(f"{place}: {error}") from error
    if not isinstance(row, dict) or not isinstance(row.get("key"), str):
        raise RowsError(f"{place}: a row is an object with a string 'key'")
    schema = row.get("schema")
    if type(schema) is not int or schema != SCHEMA:  # True and 1.0 equal 1
        newer = isinstance(schema, int) and schema > SCHEMA
        raise RowsError(f"{place}: schema must be {SCHEMA}, got {schema!r}"
                        + (", written by a newer quadrat" if newer else ""))
    return row


def _no_number(name: str) -> float:
    """NaN and the infinities, which JSON lacks and :class:`RowWriter` does not write."""
    raise ValueError(f"a row holds finite numbers, got {name}")


def _mixed(rows: Iterable[Row]) -> list[str]:
    """A note for each version of quadrat after the first: where its rows begin."""
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(str(row.get("version")), row)
    versions = list(first)
    return [f"{first[new].place}: rows of version {new} after rows of version {versions[0]}"
            for new in versions[1:]]


def end_of_whole_lines(data: bytes) -> int:
    """Where the last line of a file of rows starts if a kill left it half written, else the end.

    >>> end_of_whole_lines(b'{"key": "a"}\\n{"key": "b')
    13
    >>> end_of_whole_lines(b'{"key": "a"}\\n{"key": "b"}')
    25
    """
    end = data.rfind(b"\n") + 1
    try:
        json.loads(data[end:])
    except ValueError:
        return end
    return len(data)


class RowWriter:
    """Appends rows to a file and knows the keys that are there.

    Rows of another version of quadrat, or made by something else than ``made_by`` says, do not
    count as there: their cells are run again, and :func:`read_rows` takes the newer row.  A line
    that an interrupted run left half written is cut off.  Use as a context manager.

    Args:
        path: the file; it and its folder are made if they are not there.
        made_by: what the numbers depend on besides the cell, such as the hash of the code; written
            into each row.
    """

    def __init__(self, path: str | Path, made_by: Mapping[str, Any] | None = None) -> None:
        self.path = Path(path)
        self.head: dict[str, Any] = {"schema": SCHEMA, "version": __version__, **(made_by or {})}
        self.keys: set[str] = set()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self.keys = {row["key"] for row in read_rows(self.path)
                         if all(row.get(name) == value for name, value in self.head.items())}
            self._mend()
        self._file = self.path.open("a", encoding="utf-8")

    def append(self, row: dict[str, Any]) -> None:
        """Write one row and flush it to disk."""
        self._file.write(json.dumps({**self.head, **row}, allow_nan=False) + "\n")
        self._file.flush()
        self.keys.add(row["key"])

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _mend(self) -> None:
        data = self.path.read_bytes()
        end = end_of_whole_lines(data)
        if end < len(data):
            with self.path.open("r+b") as file:
                file.truncate(end)
        elif data and not data.endswith(b"\n"):
            with self.path.open("ab") as file:
                file.write(b"\n")


def _module_name() -> str:
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    name = spec.name if spec is not None else Path(sys.argv[0] or "python").stem
    return name.removesuffix(".__main__")
