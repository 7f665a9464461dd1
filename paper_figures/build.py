"""Figures and tables as files, each written whole, and only where something changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paper_figures.fields import explain
from paper_figures.registry import ENTRIES, Entry, load
from paper_figures.sources import ROOT, sources

if TYPE_CHECKING:
    from sims.rows import Reading

MANIFEST = "manifest.json"
SCHEMA = 2
TABLE_FORMATS = ("tex", "csv", "txt")
LIBRARIES = ("matplotlib", "numpy", "scipy")
"""Those whose versions a picture depends on."""


@dataclass(frozen=True)
class Outcome:
    """What became of one figure or table.

    Attributes:
        name: its name.
        paths: the files that are there now; after a failure those of an earlier build, which are
            left as they were.
        state: ``"written"``, ``"unchanged"`` or ``"failed"``.
        why: the reason of a failure.
        notes: what is odd about its rows, with file and line.
        damaged: those of the notes that tell of a damaged line, without which it was drawn.
    """

    name: str
    paths: tuple[Path, ...]
    state: str
    why: str = ""
    notes: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()


def build(names: Sequence[str], rows: str | Path, out: str | Path, format: str = "png",
          force: bool = False) -> Iterator[Outcome]:
    """Draw the named figures and set the named tables, one at a time.

    What was built from the same rows, code and libraries is left alone, as long as its files still
    hold what was written.  ``manifest.json`` in ``out`` keeps the hashes that tell, and the notes on
    the rows.  Damaged lines are left out, each with a note.

    Args:
        names: of :data:`paper_figures.registry.ENTRIES`.
        rows: folder of the files of rows.
        out: folder for the files, made if it is not there.
        format: of figures: png, svg or pdf.  A table is always written as LaTeX, CSV and text.
        force: build also what has not changed.

    Raises:
        OSError: ``out`` cannot be made or written to.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    manifest = _read_manifest(out / MANIFEST)
    for name in names:
        entry = ENTRIES[name]
        paths, reading = outputs(entry, out, format), None
        try:
            inputs = fingerprint(entry, rows, format)
            if not force and all(_is_new(manifest.get(p.name), inputs, p) for p in paths):
                yield Outcome(name, paths, "unchanged", "", *_kept_notes(manifest[paths[0].name], rows))
                continue
            reading = load(entry, rows, strict=False)
            contents = _contents(entry, reading and reading.rows, format)
        except Exception as error:  # one figure's failure is no reason to lose the others
            yield Outcome(name, tuple(p for p in paths if p.is_file()), "failed",
                          explain(error, reading and reading.rows), *_notes(reading))
            continue
        record = {"inputs": inputs, **_record_of_notes(reading, rows)}
        _write(dict(zip(paths, contents, strict=True)), record, out / MANIFEST, manifest)
        yield Outcome(name, paths, "written", "", *_notes(reading))


def outputs(entry: Entry, out: Path, format: str) -> tuple[Path, ...]:
    """The files of an entry."""
    formats = TABLE_FORMATS if entry.kind == "table" else (format,)
    return tuple(out / f"{entry.name}.{ending}" for ending in formats)


def fingerprint(entry: Entry, rows: str | Path, format: str) -> str:
    """A hash of all that the files of an entry depend on: rows, sources, versions, format.

    Raises:
        FileNotFoundError: a file of rows is not there.
    """
    digest = hashlib.sha256(f"{entry.kind} {format if entry.kind == 'figure' else ''}".encode())
    for library in LIBRARIES:
        digest.update(f"{library} {metadata.version(library)}\n".encode())
    look = "paper_figures.tables" if entry.kind == "table" else "paper_figures.style"
    for path in sources(f"paper_figures.{entry.name}", look, "sims.rows"):
        digest.update(f"{path.relative_to(ROOT).as_posix()} {_sha(path)}\n".encode())
    for path in entry.paths(rows):
        digest.update(f"{path.name} {_sha(path)}\n".encode())
    return digest.hexdigest()


def _contents(entry: Entry, rows: list[Any] | None, format: str) -> list[bytes]:
    """The contents of the files of an entry."""
    if entry.kind == "table":
        table = entry.module().table(rows)
        return [text.encode() for text in (table.latex(), table.csv(), table.text() + "\n")]
    from paper_figures.style import draw, rendered

    return [rendered(draw(entry.module(), rows), format)]


def _notes(reading: Reading | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Notes, and those on damaged lines."""
    return (reading.notes, reading.damaged) if reading else ((), ())


def _record_of_notes(reading: Reading | None, rows: str | Path) -> dict[str, list[str]]:
    """The notes as the manifest keeps them: without the folder of the rows, which may move."""
    here = _folder(rows)
    return {kind: [note.removeprefix(here) for note in notes]
            for kind, notes in zip(("notes", "damaged"), _notes(reading), strict=True)}


def _kept_notes(record: dict[str, Any], rows: str | Path) -> tuple[tuple[str, ...], ...]:
    """The notes of a record of the manifest."""
    return tuple(tuple(_folder(rows) + note for note in record[kind]) for kind in ("notes", "damaged"))


def _folder(rows: str | Path) -> str:
    """What stands before the names of the files of rows in notes."""
    return str(Path(rows) / "x")[:-1]


def _write(contents: dict[Path, bytes], record: dict[str, object], place: Path,
           manifest: dict[str, Any]) -> None:
    from theory.files import write_whole

    for path, data in contents.items():
        write_whole(path, data)
        manifest[path.name] = {**record, "output": hashlib.sha256(data).hexdigest()}
    body = {"schema": SCHEMA, "files": dict(sorted(manifest.items()))}
    write_whole(place, (json.dumps(body, indent=1) + "\n").encode())


def _read_manifest(path: Path) -> dict[str, Any]:
    """What was built before; nothing if the manifest is not there or not readable."""
    try:
        body = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(body, dict) or body.get("schema") != SCHEMA:
        return {}
    files = body.get("files")
    return files if isinstance(files, dict) else {}


def _is_new(record: object, inputs: str, path: Path) -> bool:
    """Does a file hold what was built from these inputs, and are its notes known?"""
    return (isinstance(record, dict) and path.is_file()
            and (record.get("inputs"), record.get("output")) == (inputs, _sha(path))
            and all(isinstance(record.get(k), list) and all(isinstance(n, str) for n in record[k])
                    for k in ("notes", "damaged")))


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
