"""One self-contained HTML page: the ledger of claims and the figures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paper_figures import ledger as ledgers
from paper_figures.encoding import items
from paper_figures.registry import COMMITTED, FIGURES, Entry, load_rows
from paper_figures.typeset import statement

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Drawing:
    """A figure on the page: an image with its caption, or what is missing.

    ``source`` says which rows it was drawn from; ``inches`` is its width in print.
    """

    entry: Entry
    source: str
    caption: str = ""
    image: str = ""
    inches: float = 0.0
    missing: str = ""
    broken: bool = False


@dataclass(frozen=True)
class Report:
    """A report that was written.

    Attributes:
        path: the page.
        summary: the ledger's counts, or what is missing.
        missing: inputs that were not there.
        broken: inputs that were there and could not be read.
    """

    path: Path
    summary: str
    missing: tuple[str, ...]
    broken: tuple[str, ...]


def write_report(run: str | Path, out: str | Path, rows: str | Path = COMMITTED) -> Report:
    """Build the page from a run and from committed rows; each figure says which.

    Args:
        run: folder with ``ledger.json`` and rows; what it lacks is marked in place.
        out: folder that gets ``index.html``.
        rows: folder with committed rows.

    Raises:
        NotADirectoryError: ``run`` or ``rows`` is no folder.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    run, rows = Path(run), Path(rows)
    if not run.is_dir():
        raise NotADirectoryError(f"the run directory {run} does not exist")
    if not rows.is_dir():
        raise NotADirectoryError(f"the folder of rows {rows} does not exist")
    missing: list[str] = []
    broken: list[str] = []
    ledger, why = _ledger(run / "ledger.json", missing, broken)
    drawings = [d for entry in FIGURES.values() for d in _drawings(entry, run, rows)]
    missing += [d.missing for d in drawings if d.missing and not d.broken]
    broken += [d.missing for d in drawings if d.broken]
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True,
                              undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page = environment.get_template("report.html").render(
        ledger=ledger, why=why, sections=_sections(ledger) if ledger else [],
        counts=ledgers.counts(ledger) if ledger else {},
        changed=ledgers.changed(ledger) if ledger else [],
        unrecorded=ledgers.unrecorded(ledger) if ledger else [],
        meaning=ledgers.STATUSES, drawings=drawings, facts=_facts(ledger) if ledger else [])
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "index.html"
    path.write_text(page, encoding="utf-8")
    text = ledgers.summary(ledger) if ledger else why
    return Report(path, text, tuple(missing), tuple(broken))


def _ledger(
    path: Path, missing: list[str], broken: list[str]
) -> tuple[dict[str, Any] | None, str]:
    try:
        return ledgers.load(path), ""
    except FileNotFoundError:
        why = f"{path} is not there: no ledger in this report (python -m theory verify --json)"
        missing.append(why)
    except (ledgers.LedgerError, OSError) as error:
        why = f"the ledger could not be read: {error}"
        broken.append(why)
    return None, why


def _drawings(entry: Entry, run: Path, committed: Path) -> list[Drawing]:
    """The figure from this run and from the committed rows, where both are there."""
    if entry.rows is None:
        return [_draw(entry, None, "computed from the definitions in theory; no rows")]
    out: list[Drawing] = []
    absent: list[str] = []
    for label, folder in (("this run", run), ("committed rows", committed)):
        try:
            loaded = load_rows(entry, folder)
        except FileNotFoundError as error:
            absent.append(f"{label}: {error}")
        except (ValueError, OSError) as error:
            out.append(Drawing(entry, label, missing=f"{label}: {error}", broken=True))
        else:
            out.append(_draw(entry, loaded, f"{label}, {entry.rows}: {_origin(loaded)}"))
    if not out:
        return [Drawing(entry, "no rows", missing="; ".join(absent))]
    # committed rows are an extra: their absence is no gap when this run has the figure
    gaps = [why for why in absent if why.startswith("this run")]
    return [Drawing(entry, "this run", missing=why) for why in gaps] + out


def _draw(entry: Entry, rows: list[dict[str, Any]] | None, source: str) -> Drawing:
    from paper_figures.style import data_uri, draw

    module = entry.module()
    try:
        return Drawing(entry, source, module.caption(rows), data_uri(draw(module, rows)),
                       module.size(rows)[0])
    except (ValueError, KeyError, TypeError) as error:
        return Drawing(entry, source, missing=f"{source.split(':')[0]}: not drawn, {error}",
                       broken=True)


def _origin(rows: list[dict[str, Any]]) -> str:
    """Rows in words: how many, versions, machines, seeds, time."""
    parts = [f"{len(rows)} rows"]
    for name, field in (("version", "version"), ("seed", "seed")):
        values = sorted({str(r[field]) for r in rows if field in r})
        parts += [f"{name}{'s' if len(values) > 1 else ''} {', '.join(values)}"] if values else []
    for field in ("machine", "python", "numpy", "torch"):
        values = sorted({str(r["provenance"].get(field)) for r in rows
                         if isinstance(r.get("provenance"), dict)
                         and r["provenance"].get(field)})
        label = "" if field == "machine" else f"{field} "
        parts += [label + ", ".join(values)] if values else []
    seconds = sum(r["seconds"] for r in rows if isinstance(r.get("seconds"), int | float))
    return "; ".join([*parts, f"{seconds:.0f} s of work" if seconds >= 1 else f"{seconds:.1f} s"])


def _facts(ledger: dict[str, Any]) -> list[tuple[str, str]]:
    """Provenance of the ledger as names and values."""
    facts = [("version", ledger.get("version")), ("seed", ledger.get("seed")),
             ("mode", ledger.get("mode"))]
    if isinstance(ledger.get("seconds"), int | float):
        facts.append(("wall time of the ledger", f"{ledger['seconds']:.1f} s"))
    origin = ledger.get("provenance")
    facts += list(origin.items()) if isinstance(origin, dict) else []
    return [(name, str(value)) for name, value in facts if value not in (None, "")]


def _sections(ledger: dict[str, Any]) -> list[dict[str, Any]]:
    """What the template shows of every claim."""
    from markupsafe import Markup

    ids = {v["id"] for v in ledger["verdicts"]}
    amends: dict[str, list[str]] = {}
    for v in ledger["verdicts"]:
        if v.get("amendment"):
            amends.setdefault(v["amendment"], []).append(v["id"])
    sections = []
    for v in ledger["verdicts"]:
        evidence = [e for e in v.get("evidence") or [] if isinstance(e, dict)]
        sections.append({
            **{name: v.get(name) or "" for name in (
                "id", "source", "kind", "words", "assumptions", "code", "test", "undefined_why",
                "counterexample_repr")},
            "title": v.get("title") or v["id"], "status": v["status"],
            "origin": ledgers.ORIGINS.get(str(v.get("origin")), str(v.get("origin") or "")),
            "statement": Markup(statement(str(v.get("statement") or ""))),
            "recorded": v.get("recorded"), "changed": v.get("recorded") != v["status"],
            "evidence": [_evidence(e) for e in evidence],
            "kinds": ", ".join(dict.fromkeys(str(e.get("kind", "")) for e in evidence)),
            "margin": ledgers.margin_text(v.get("worst_margin")),
            "seconds": v.get("seconds"),
            "counterexample": _instance(v.get("counterexample")),
            "counterexample_margin": ledgers.margin_text(v.get("counterexample_margin")),
            "undefined_at": _instance(v.get("undefined_at")),
            "amendment": v.get("amendment") or "", "amendment_known": v.get("amendment") in ids,
            "amends": amends.get(v["id"], []),
            "figures": _figures(str(v.get("figure") or "")),
            "equality": v.get("kind") == "equality",
            "replay": f"python -m theory verify {v['id']} --seed {ledger.get('seed', 0)}"
                      + (" --deep" if ledger.get("mode") == "deep" else ""),
        })
    return sections


def _evidence(e: dict[str, Any]) -> dict[str, str]:
    text, notes = str(e.get("text", "")), []
    if isinstance(e.get("instances"), int) and f"{e['instances']} instance" not in text:
        notes.append(f"{e['instances']} instances")
    if e.get("closest") is not None and "margin" not in text and "from 0" not in text:
        notes.append(f"closest margin {ledgers.margin_text(e['closest'])}")
    return {"kind": str(e.get("kind", "")), "text": text, "notes": "; ".join(notes)}


def _figures(field: str) -> list[tuple[str, str]]:
    """``(words, name)`` of the figures a claim names; the name is empty where there is none here.

    >>> _figures("Fig. 2, rademacher_vs_n, Fig. 4")
    [('Fig. 2', 'fig02_window'), ('rademacher_vs_n', 'rademacher_vs_n'), ('Fig. 4', '')]
    """
    out = []
    for words in filter(None, (part.strip() for part in field.split(","))):
        number = re.fullmatch(r"(?:Fig\.|Figure)\s*(\d+)", words)
        start = f"fig{int(number[1]):02d}_" if number else words.removesuffix(".py").split("/")[-1]
        found = [n for n in FIGURES if n == start or (number and n.startswith(start))]
        out.append((words, found[0] if found else ""))
    return out


def _instance(value: Any) -> dict[str, Any] | None:
    """Drawings and table rows of an instance, or None."""
    from markupsafe import Markup

    if value is None:
        return None
    parts = items(value)
    return {"drawn": [(i.name, Markup(i.svg)) for i in parts if i.svg],
            "masks": any("cells are +1" in i.svg for i in parts),
            "table": [(i.name, i.text) for i in parts if not i.svg]}
