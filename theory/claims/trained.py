"""Committed rows of trainings: picking them, and means with intervals in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from theory.claims.ledger_4_measured import finite, rows
from theory.claims.model import Measurement

Row = dict[str, Any]


def trained(name: str, data: str = "shapes", **where: Any) -> list[Row]:
    """The training rows of a file whose fields (or those of their configuration) have these values.

    ``data`` is the source of their images: no claim is about several.  Rows that do not name it are
    of the first one, "shapes".
    """
    return [r for r in rows(name) if r.get("kind") == "training"
            and (r.get("config") or {}).get("data", "shapes") == data
            and all(r.get(k, (r.get("config") or {}).get(k)) == v for k, v in where.items())]


def values_of(found: Iterable[Row], part: str, name: str) -> list[float]:
    """The finite values of a number in a part ("train", "test") of rows."""
    values = [(r.get(part) or {}).get(name) for r in found]
    return [v for v in values if finite(v)]


def measured(
    numbers: dict[str, Any], told: list[str], before: str = "", after: str = ""
) -> Measurement | None:
    """A measurement whose sentence is ``before``, what was told of each group, and ``after``; None
    where no group had rows."""
    return Measurement(numbers, before + "; ".join(told) + after) if told else None
