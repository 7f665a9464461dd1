"""One self-contained HTML page: what was found, an instrument, the ledger of claims, the figures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paper_figures import ledger as ledgers
from paper_figures.claim_sections import PARTS, sections, statements
from paper_figures.drawings import Drawing, drawings
from paper_figures.findings import Card, cards
from paper_figures.instrument import context
from paper_figures.registry import COMMITTED, ENTRIES

TEMPLATES = Path(__file__).parent / "templates"
SHOWN_NOTES = 6
"""Notes on one figure that the page lists; the others are counted."""


@dataclass(frozen=True)
class Report:
    """A report that was written.

    Attributes:
        path: the page.
        summary: the ledger's counts, or what is missing.
        missing: inputs that were not there.
        broken: inputs that were there and could not be read or drawn, whole or in part.
        notes: what is odd but readable, with file and line.
        elsewhere: files of rows that the run lacks; what they hold is shown from committed rows.
    """

    path: Path
    summary: str
    missing: tuple[str, ...]
    broken: tuple[str, ...]
    notes: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()


def write_report(run: str | Path, out: str | Path, rows: str | Path = COMMITTED) -> Report:
    """Build the page from a run and from committed rows; each figure says which.

    Args:
        run: folder with ``ledger.json`` and rows; what it lacks is marked in place.
        out: folder that gets ``index.html``.
        rows: folder with committed rows.

    Raises:
        NotADirectoryError: ``run`` or ``rows`` is no folder.
    """
    from theory.files import write_whole

    run, rows, out = Path(run), Path(rows), Path(out)
    if not run.is_dir():
        raise NotADirectoryError(f"the run directory {run} does not exist")
    if not rows.is_dir():
        raise NotADirectoryError(f"the folder of rows {rows} does not exist")
    ledger, why, broken = _ledger(run / "ledger.json")
    shown = [d for entry in ENTRIES.values() for d in drawings(entry, run, rows)]
    first = cards(run, rows, {c["id"]: c["status"] for c in ledger["verdicts"]} if ledger else {})
    page = _page(ledger, why, shown, first)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "index.html"
    write_whole(path, page.encode("utf-8"))
    missing = [why] if why and not broken else []
    missing += [d.missing for d in shown if d.missing and not d.broken]
    elsewhere = {file for d in shown if d.absent for file in d.absent.split(", ")}
    bad = [why] if broken else []
    bad += [d.missing or f"{d.entry.name}: {note}" for d in shown if d.broken
            for note in (d.notes or ("",))[:1]]
    told = {note for d in shown for note in (*d.notes, d.missing)}
    bad += [f"{c.drawing.entry.name}: {note}" for c in first for note in c.left_out if note not in told]
    notes = [note for d in shown if not d.broken for note in d.notes]
    text = ledgers.summary(ledger) if ledger else why
    return Report(path, text, *(tuple(dict.fromkeys(v)) for v in (missing, bad, notes)),
                  tuple(sorted(elsewhere)))


def _ledger(path: Path) -> tuple[dict[str, Any] | None, str, bool]:
    """The ledger, or why there is none and whether that is because it cannot be read."""
    try:
        return ledgers.load(path), "", False
    except FileNotFoundError:
        why = f"{path} is not there: no ledger in this report (python -m theory verify --json)"
        return None, why, False
    except (ledgers.LedgerError, OSError) as error:
        return None, f"the ledger could not be read: {error}", True


def _page(
    ledger: dict[str, Any] | None, why: str, shown: list[Drawing], first: list[Card]
) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True,
                              undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    claims = sections(ledger) if ledger else []
    names = {d.entry.name: d.entry.title for d in shown}
    return environment.get_template("report.html").render(
        ledger=ledger, why=why, claims=claims, ids={c["id"] for c in claims},
        tally=_tally(claims), main=statements(claims),
        parts=[(key, title, [c for c in claims if c["part"] == key]) for key, title in PARTS.items()
               if any(c["part"] == key for c in claims)],
        changed=ledgers.changed(ledger) if ledger else [],
        unrecorded=ledgers.unrecorded(ledger) if ledger else [],
        meaning=ledgers.STATUSES, origins=ledgers.ORIGINS, drawings=shown, figures=names,
        cards=first,
        facts=_facts(ledger) if ledger else [], most_notes=SHOWN_NOTES, **context())


def _tally(claims: list[dict[str, Any]]) -> dict[str, Any]:
    """Claims by status and origin: ``lines`` hold ``(status, counts, total)``, one a status.

    ``own`` is what the paper says itself, None without any, ``main`` its theorems and propositions by
    status; ``besides`` the other origins, one each.
    """
    found = Counter((c["status"], c["origin"]) for c in claims)
    origins = [o for o in ledgers.ORIGINS if any(c["origin"] == o for c in claims)]
    lines = [(s, [found[s, o] for o in origins], sum(c["status"] == s for c in claims))
             for s in ledgers.STATUSES]
    apart = {o: {"words": ledgers.ORIGINS.get(o, o) or "of no stated origin",
                 "total": sum(c["origin"] == o for c in claims),
                 "lines": [(s, found[s, o]) for s in ledgers.STATUSES if found[s, o]]}
             for o in dict.fromkeys((*origins, *(c["origin"] for c in claims)))}
    main = Counter(c["status"] for c in statements(claims))
    return {"own": apart.pop("paper", None), "besides": list(apart.values()),
            "main": [(s, main[s]) for s in ledgers.STATUSES if main[s]],
            "origins": origins, "lines": [line for line in lines if line[2]],
            "totals": [sum(c["origin"] == o for c in claims) for o in origins]}


def _facts(ledger: dict[str, Any]) -> list[tuple[str, str]]:
    """Provenance of the ledger as names and values."""
    facts = [("version", ledger.get("version")), ("seed", ledger.get("seed")),
             ("mode", ledger.get("mode"))]
    if isinstance(ledger.get("seconds"), int | float):
        facts.append(("wall time of the ledger", f"{ledger['seconds']:.1f} s"))
    origin = ledger.get("provenance")
    facts += list(origin.items()) if isinstance(origin, dict) else []
    return [(name, str(value)) for name, value in facts if value not in (None, "")]
