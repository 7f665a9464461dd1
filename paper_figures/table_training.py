"""The table of training rows in ``docs/training.md``: method, supervision, N, rates over seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

ORDER = ("rectangle", "rectangle-softargmax", "rectangle-light", "rectangle-paper", "positionwise",
         "cbam", "simam", "centre", "none", "oracle")
HEAD = ("method, supervision, truth", "N", "seeds", "train missing rate", "test missing rate",
        "test IoU", "best threshold on test", "IoU on pixels", "accuracy")


def markdown(rows: Iterable[Mapping[str, Any]]) -> str:
    """Mean over seeds with the smallest and the largest in brackets, as a Markdown table."""
    cells: dict[tuple[str, str, str, int], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        if row.get("kind") == "training":
            cells[row["method"], row["supervision"], row["truth"], row["n"]].append(row)
            if "gradcam" in row:
                seen = {**row, "train": {"missing_rate": None}, "test": row["gradcam"]}
                cells["Grad-CAM of none", "label", row["truth"], row["n"]].append(seen)
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    order = {name: k for k, name in enumerate((*ORDER, "Grad-CAM of none"))}
    for key in sorted(cells, key=lambda k: (k[2] != "rotated", k[2], order[k[0]], *k[1:])):
        found = cells[key]
        values = [spread([r[part].get(name) for r in found], digits) for part, name, digits in (
            ("train", "missing_rate", 3), ("test", "missing_rate", 3), ("test", "iou", 2),
            ("test", "iou_best", 2), ("test", "iou_image", 2), ("test", "accuracy", 2))]
        lines.append(f"| {', '.join(key[:3])} | {key[3]} | {len(found)} | " + " | ".join(values) + " |")
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
