"""Figures and tables as files, each written whole, and only where something changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from paper_figures.fields import explain
from paper_figures.registry import ENTRIES, Entry, load
from paper_figures.sources import ROOT, sources

MANIFEST = "manifest.json"
SCHEMA = 1
TABLE_FORMATS = ("tex", "csv", "txt")
LIBRARIES = ("matplotlib", "numpy", "scipy")
"""Those whose versions a picture depends on."""


@dataclass(frozen=True)
class Outcome:
    """What became of one figure or table.

    Attributes:
        name: its name.
        paths: the files that are there now; empty when it failed.
        state: ``"written"``, ``"unchanged"`` or ``"failed"``.
        why: the reason of a failure, which leaves older files as they were.
        notes: what is odd about its rows, with file and line.
    """

    name: str
    paths: tuple[Path, ...]
    state: str
    why: str = ""
    notes: tuple[str, ...] = ()


def build(names: Sequence[str], rows: str | Path, out: str | Path, format: str = "png",
          force: bool = False) -> Iterator[Outcome]:
    """Draw the named figures and set the named tables, one at a time.

    What was built from the same rows, code and libraries is left alone, as long as its files still
    hold what was written.  ``manifest.json`` in ``out`` keeps the hashes that tell.

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
                yield Outcome(name, paths, "unchanged")
                continue
            reading = load(entry, rows)
            contents = _contents(entry, reading and reading.rows, format)
        except Exception as error:  # one figure's failure is no reason to lose the others
            yield Outcome(name, (), "failed", explain(error, reading and reading.rows))
            continue
        _write(dict(zip(paths, contents, strict=True)), inputs, out / MANIFEST, manifest)
        yield Outcome(name, paths, "written", notes=reading.notes if reading else ())


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
    for file in entry.files:
        path = Path(rows) / file
        if not path.is_file():
            raise FileNotFoundError(f"{path} is not there")
        digest.update(f"{file} {_sha(path)}\n".encode())
    return digest.hexdigest()


def _contents(entry: Entry, rows: list[Any] | None, format: str) -> list[bytes]:
    """The contents of the files of an entry."""
    if entry.kind == "table":
        table = entry.module().table(rows)
        return [text.encode() for text in (table.latex(), table.csv(), table.text() + "\n")]
    from paper_figures.style import draw, rendered

    return [rendered(draw(entry.module(), rows), format)]


def _write(contents: dict[Path, bytes], inputs: str, place: Path, manifest: dict[str, object]) -> None:
    from sims.files import write_whole

    for path, data in contents.items():
        write_whole(path, data)
        manifest[path.name] = {"inputs": inputs, "output": hashlib.sha256(data).hexdigest()}
    body = {"schema": SCHEMA, "files": dict(sorted(manifest.items()))}
    write_whole(place, (json.dumps(body, indent=1) + "\n").encode())


def _read_manifest(path: Path) -> dict[str, object]:
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
    """Does a file hold what was built from these inputs?"""
    return path.is_file() and record == {"inputs": inputs, "output": _sha(path)}


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
