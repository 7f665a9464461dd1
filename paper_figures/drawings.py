"""Figures and tables of the report: from this run and from committed rows, or what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any

from paper_figures.assumptions import Check, checks
from paper_figures.fields import explain, plural
from paper_figures.registry import Entry, load
from paper_figures.salvage import attempt

RUN, COMMITTED_ROWS, NO_ROWS = "this run", "committed rows", "no rows"


@dataclass(frozen=True)
class Drawing:
    """A figure or a table on the page, or what is missing.

    Attributes:
        entry: what it is.
        label: where its rows are from.
        caption: what is drawn; empty when it is missing.
        image: a figure as a ``data:`` address, with its width in ``inches``.
        table: a table as HTML.
        checks: the assumptions of the statements that its rows meet or not.
        facts: provenance of its rows, names and values.
        notes: what was left out, with file and line.
        missing: why there is nothing to show.
        absent: files of rows that this run lacks, where the committed ones are shown.
        broken: there were rows, but some or all cannot be used.
    """

    entry: Entry
    label: str
    caption: str = ""
    image: str = ""
    inches: float = 0.0
    table: str = ""
    checks: tuple[Check, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    missing: str = ""
    absent: str = ""
    broken: bool = False


def drawings(entry: Entry, run: Path, committed: Path) -> list[Drawing]:
    """The figure from the committed rows and from this run, where both are there."""
    if entry.rows is None:
        return [_draw(entry, None, NO_ROWS)]
    out: list[Drawing] = []
    absent: dict[str, str] = {}
    for label, folder in ((COMMITTED_ROWS, committed), (RUN, run)):
        try:
            reading = load(entry, folder, strict=False)
        except FileNotFoundError as error:
            absent[label] = f"{label}: {error}"
        except (ValueError, OSError) as error:
            out.append(Drawing(entry, label, missing=f"{label}: {error}", broken=True))
        else:
            out.append(_draw(entry, reading.rows, label, reading.notes))
    if not out:
        return [Drawing(entry, NO_ROWS, missing="; ".join(absent.values()))]
    # committed rows are an extra: their absence is no gap when this run has the figure
    lacking = [f for f in entry.files if f not in entry.more and not (run / f).is_file()]
    return [replace(out[0], absent=", ".join(lacking)), *out[1:]]


def _draw(entry: Entry, rows: list[Any] | None, label: str, notes: tuple[str, ...] = ()) -> Drawing:
    module = entry.module()
    damaged = any(note.endswith("left out") and "unfinished" not in note for note in notes)
    try:
        (caption, *shown), _, gaps = attempt(lambda usable: _parts(entry, module, usable), rows)
    except Exception as error:  # one figure's failure is no reason to lose the page
        return Drawing(entry, label, missing=f"{label}: not drawn, {explain(error, rows)}", notes=notes,
                       broken=True)
    return Drawing(entry, label, caption, *shown, (*notes, *gaps),
                   broken=damaged or bool(gaps))


def _parts(entry: Entry, module: Any, rows: list[Any] | None) -> tuple[Any, ...]:
    """Caption, image, inches, table, checks and facts of a drawing."""
    drawn = drawn_rows(module, rows)
    return (module.caption(rows), *_show(entry, module, rows), tuple(checks(drawn)), facts(drawn))


def drawn_rows(module: Any, rows: list[Any] | None) -> list[Any] | None:
    """The rows that a figure draws: by its ``drawn(rows)``, else its ``select(rows)``, else all.

    Raises:
        TypeError: the module's function gives no list of rows.
    """
    choose = getattr(module, "drawn", None) or getattr(module, "select", None)
    if rows is None or choose is None:
        return rows
    found = choose(rows)
    if not isinstance(found, list) or not all(isinstance(r, dict) for r in found):
        raise TypeError(f"{choose.__module__}.{choose.__name__} must give a list of rows, got "
                        f"{type(found).__name__}")
    return found


def _show(entry: Entry, module: Any, rows: list[Any] | None) -> tuple[str, float, str]:
    """Image, its width in inches, and table; what does not apply is empty."""
    if entry.kind == "table":
        return "", 0.0, module.table(rows).html()
    from paper_figures.compact_svg import page_address
    from paper_figures.style import draw

    return page_address(draw(module, rows)), module.size(rows)[0], ""


def facts(rows: Iterable[dict[str, Any]] | None) -> tuple[tuple[str, str], ...]:
    """Provenance of rows, as names and values: how many, version, commit, machine, seeds, wall time."""
    rows = list(rows or ())
    if not rows:
        return (("rows", "none: computed from the definitions in theory"),)
    origin = [r["provenance"] for r in rows if isinstance(r.get("provenance"), dict)]
    found = [("rows", str(len(rows)) + _files(rows))]
    found += [(name, _values(r.get(field) for r in rows)) for name, field in (
        ("version", "version"), ("seeds", "seed"), ("preset", "preset"))]
    found += [(field, _values(o.get(field) for o in origin)) for field in (
        "commit", "machine", "cpu", "device", "python", "numpy", "torch", "command")]
    without = len(rows) - len(origin)
    if without:
        found.append(("no provenance", f"{without} of {plural(len(rows), 'row')}"))
    seconds = [s for r in rows if isinstance(s := r.get("seconds"), int | float) and isfinite(s)]
    if seconds:
        drawn = any(r.get("kind") == "gallery" for r in rows)  # views of networks trained elsewhere
        found.append(("wall time of these rows",
                      f"{_clock(sum(seconds))} in all, at most {_clock(max(seconds))} a row"
                      + (" (of the views, not of training the networks)" if drawn else "")))
    return tuple((name, value) for name, value in found if value)


def _files(rows: list[dict[str, Any]]) -> str:
    places = {Path(p.rsplit(":", 1)[0]).name for r in rows if (p := getattr(r, "place", ""))}
    return f" of {', '.join(sorted(places))}" if places else ""


def _values(values: Iterable[Any], most: int = 6) -> str:
    """Distinct values in order, the later ones counted only."""
    found = list(dict.fromkeys(str(v) for v in values if v not in (None, "")))
    if all(v.isascii() and v.isdigit() for v in found):
        found.sort(key=int)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ("; " if any(" " in v for v in found) else ", ").join(found[:most]) + more


def _clock(seconds: float) -> str:
    """A time in words.

    >>> _clock(0.004), _clock(0.25), _clock(75), _clock(7300)
    ('4 ms', '0.2 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 0.1:
        return f"{1000 * seconds:.2g} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
