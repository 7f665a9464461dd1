"""The findings that open the report, each in words and numbers computed from rows and verdicts."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

MODULES = ("finding_bound", "finding_maps", "finding_premise")
"""In the order of the page.  Each is a figure's module with ``ROWS`` (a file's name), perhaps ``MORE``
(files used where they are there), ``CLAIMS`` (ids) and ``finding(rows, statuses)``."""


@dataclass(frozen=True)
class Finding:
    """What the first screen says.

    Attributes:
        headline: one sentence.
        number: the number that matters most, and ``against``, what to compare it with.
        text: a few sentences more.
        basis: N and the number of seeds behind the number, and what ± is.
    """

    headline: str
    number: str
    against: str
    text: str
    basis: str = ""


def modules() -> tuple[Any, ...]:
    """The modules of the findings, imported now."""
    return tuple(importlib.import_module(f"paper_figures.{name}") for name in MODULES)


def span(values: Sequence[float]) -> str:
    """From the smallest to the largest, to two significant digits.

    >>> span([0.0189, 0.0204, 0.019]), span([0.5])
    ('0.019 to 0.020', '0.50')
    """
    low, high = (f"{v:#.2g}" for v in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def status_of(statuses: Mapping[str, str], claim: str) -> str:
    """The verdict of a claim in words; says so where the ledger has none.

    >>> status_of({"thm-1": "vacuous"}, "thm-1"), status_of({}, "thm-1")
    ('vacuous', 'not in this ledger')
    """
    return statuses.get(claim, "not in this ledger")


@dataclass(frozen=True)
class Card:
    """A finding on the page: its words, its picture, where both are from, and the claims behind it.

    ``also`` is that number from the other source of rows; ``drawing`` says what is missing or was
    left out.  ``left_out`` are the notes on rows of both sources that words or picture do without.
    """

    finding: Finding | None
    drawing: Any
    claims: tuple[str, ...]
    also: str = ""
    left_out: tuple[str, ...] = ()


def cards(run: Path, committed: Path, statuses: Mapping[str, str]) -> list[Card]:
    """The findings, from the committed rows where they are there, else from the run."""
    return [_card(module, run, committed, statuses) for module in modules()]


def _card(module: Any, run: Path, committed: Path, statuses: Mapping[str, str]) -> Card:
    from paper_figures.drawings import COMMITTED_ROWS, drawings
    from paper_figures.registry import Entry

    name = module.__name__.rsplit(".", 1)[1]
    entry = Entry(name, (module.__doc__ or name).splitlines()[0], module.ROWS,
                  more=getattr(module, "MORE", ()))
    found, told = [], {}
    for d in drawings(entry, run, committed):
        folder = committed if d.label == COMMITTED_ROWS else run
        said, gaps = _say(module, folder, entry, statuses) if d.image else (None, [])
        if said:
            told[d.label] = said
        found.append(replace(d, notes=tuple(dict.fromkeys((*d.notes, *gaps))),
                             broken=d.broken or bool(gaps)))
    order = sorted(found, key=lambda d: (d.label not in told, d.label != COMMITTED_ROWS))
    best = order[0]
    also = "; ".join(f"{label} ({f.basis}): {f.number} {f.against}" for label, f in told.items()
                     if label != best.label)
    left_out = [note for d in found if d.broken and d.image for note in d.notes]
    left_out += [best.missing] if best.broken and best.missing else []
    return Card(told.get(best.label), best, tuple(c for c in module.CLAIMS if c in statuses), also,
                tuple(left_out))


def _say(
    module: Any, folder: Path, entry: Any, statuses: Mapping[str, str]
) -> tuple[Finding | None, list[str]]:
    """The finding of a folder's rows, and notes on those that it does without."""
    from paper_figures.registry import load
    from paper_figures.salvage import attempt

    try:
        reading = load(entry, folder, strict=False)
        said, _, gaps = attempt(lambda rows: module.finding(rows, statuses), reading.rows)
    except Exception:  # the card says that rows lack what it needs
        return None, []
    return said, gaps
