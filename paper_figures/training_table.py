"""The table of training rows in ``docs/training.md``: method, supervision, N, rates over seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

ORDER = ("rectangle", "rectangle-paper", "positionwise", "none", "oracle")
HEAD = ("method, supervision", "N", "seeds", "train missing rate", "test missing rate", "test IoU",
        "accuracy")


def markdown(rows: Iterable[Mapping[str, Any]]) -> str:
    """Mean over seeds with the smallest and the largest in brackets, as a Markdown table."""
    cells: dict[tuple[str, str, int], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        if row.get("kind") == "training":
            cells[row["method"], row["supervision"], row["n"]].append(row)
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    for key in sorted(cells, key=lambda k: (ORDER.index(k[0]), k[1], k[2])):
        found = cells[key]
        values = [spread([r[part][name] for r in found], digits) for part, name, digits in (
            ("train", "missing_rate", 3), ("test", "missing_rate", 3), ("test", "iou", 2),
            ("test", "accuracy", 2))]
        lines.append(f"| {key[0]}, {key[1]} | {key[2]} | {len(found)} | " + " | ".join(values) + " |")
    return "\n".join(lines)


def spread(values: list[float | None], digits: int) -> str:
    """``mean (least to most)``; empty where there is nothing to average.

    >>> spread([0.1, 0.3], 1)
    '0.2 (0.1 to 0.3)'
    """
    known = [v for v in values if v is not None]
    if not known:
        return ""
    mean = sum(known) / len(known)
    return f"{mean:.{digits}f} ({min(known):.{digits}f} to {max(known):.{digits}f})"
