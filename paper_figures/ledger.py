"""Reading ``ledger.json`` and what the report says of it: counts, changes, closest margins."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from paper_figures.fields import plural

SCHEMA = 1

STATUSES = {  # order of the summary, and what each means
    "holds": "proved, or checked on its whole stated domain",
    "unrefuted": "searched for counterexamples, none found",
    "refuted": "a counterexample is shown",
    "vacuous": "true, but nothing follows from it that was not known",
    "ill-posed": "undefined somewhere in its stated domain",
    "measured": "empirical, with numbers",
    "unchecked": "not checked",
}

ORIGINS = {"paper": "the paper", "amended": "amended", "beyond": "beyond the paper",
           "user": "a user's claim"}


class LedgerError(ValueError):
    """A ``ledger.json`` that cannot be read; says what is wrong with it."""


def load(path: str | Path) -> dict[str, Any]:
    """The ledger, its verdicts checked for the fields that the report cannot do without.

    Raises:
        FileNotFoundError: no such file.
        LedgerError: not JSON, another schema, a verdict without id or status, an id twice.
    """
    try:
        ledger = json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise LedgerError(f"{path}: not JSON ({error})") from error
    if not isinstance(ledger, dict) or ledger.get("schema") != SCHEMA:
        found = ledger.get("schema") if isinstance(ledger, dict) else type(ledger).__name__
        raise LedgerError(f"{path}: schema must be {SCHEMA}, got {found!r}")
    verdicts = ledger.get("verdicts")
    if not isinstance(verdicts, list) or not verdicts:
        raise LedgerError(f"{path}: 'verdicts' must be a list of at least one verdict")
    seen: set[str] = set()
    for i, verdict in enumerate(verdicts):
        if not isinstance(verdict, dict):
            raise LedgerError(f"{path}: verdict {i} is no object")
        for field in ("id", "status"):
            if not isinstance(verdict.get(field), str) or not verdict[field]:
                raise LedgerError(f"{path}: verdict {i} lacks {field!r}")
        if verdict["status"] not in STATUSES:
            raise LedgerError(f"{path}: {verdict['id']}: status must be one of "
                              f"{tuple(STATUSES)}, got {verdict['status']!r}")
        if verdict["id"] in seen:
            raise LedgerError(f"{path}: id {verdict['id']!r} stands twice")
        seen.add(verdict["id"])
    return ledger


def counts(ledger: dict[str, Any]) -> dict[str, int]:
    """Verdicts by status, in the order of ``STATUSES``, those that occur."""
    found = Counter(v["status"] for v in ledger["verdicts"])
    return {status: found[status] for status in STATUSES if found[status]}


def changed(ledger: dict[str, Any]) -> list[str]:
    """Ids whose status is not the recorded one."""
    return [v["id"] for v in ledger["verdicts"] if v.get("recorded") not in (None, v["status"])]


def unrecorded(ledger: dict[str, Any]) -> list[str]:
    """Ids without a recorded status."""
    return [v["id"] for v in ledger["verdicts"] if v.get("recorded") is None]


def summary(ledger: dict[str, Any]) -> str:
    """One line: counts by status and the number of verdicts that changed.

    >>> summary({"verdicts": [{"id": "a", "status": "holds", "recorded": "holds"}]})
    '1 claim: 1 holds; 0 verdicts changed'
    """
    parts = ", ".join(f"{n} {status}" for status, n in counts(ledger).items())
    new = len(unrecorded(ledger))
    return (f"{plural(len(ledger['verdicts']), 'claim')}: {parts}; "
            f"{plural(len(changed(ledger)), 'verdict')} changed"
            + (f", {new} not recorded yet" if new else ""))


def margin_text(value: Any) -> str:
    """A margin as it is shown: exact numbers as they are, floats to three digits."""
    if value is None:
        return "–"
    if isinstance(value, dict) and "fraction" in value:
        return str(value["fraction"])
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value)
