"""All trainings as a table, also in ``docs/training.md``: method, supervision, N, rates over seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from paper_figures.data_sets import data_of, title
from paper_figures.fields import FieldError, get, number, plural, row_name
from paper_figures.methods import Row, rows_where, starts
from paper_figures.tables import Table

ORDER = ("rectangle", "rectangle-softargmax", "rectangle-light", "rectangle-paper", "positionwise",
         "cbam", "simam", "centre", "none", "oracle", "Grad-CAM of none")
HEAD = ("method, supervision, truth", "N", "seeds", "train missing rate", "test missing rate",
        "test IoU", "best threshold on test", "IoU on pixels", "accuracy")
NUMBERS = (("train", "missing_rate", 3), ("test", "missing_rate", 3), ("test", "iou", 2),
           ("test", "iou_best", 2), ("test", "iou_image", 2), ("test", "accuracy", 2))
"""Part, number and digits of the columns from the fourth on."""

Cell = tuple[str, str, str, int]


def table(rows: list[Row]) -> Table:
    """A line a method, supervision, truth and N: mean over the seeds, smallest and largest in brackets.

    Raises:
        FieldError: no rows of trainings, an unknown method, a row that lacks a number.
    """
    found = cells(rows)
    keys = sorted(found, key=lambda k: (k[2] != "rotated", k[2], ORDER.index(k[0]), *k[1:]))
    lines, rules = [], []
    for i, key in enumerate(keys):
        if i and key[2] != keys[i - 1][2]:
            rules.append(i)
        values = [spread([_number(r, f"{part}.{name}") for r in found[key]], digits)
                  for part, name, digits in NUMBERS]
        lines.append((", ".join(key[:3]), f"{key[3]}", f"{len(found[key])}", *values))
    return Table(HEAD, tuple(lines), heads=2, rules=tuple(rules))


def cells(rows: list[Row]) -> dict[Cell, list[Row]]:
    """Rows by method, supervision, truth and N; Grad-CAM's maps count as a method."""
    out: dict[Cell, list[Row]] = defaultdict(list)
    for row in rows_where(rows, "training"):
        key = tuple(get(row, name) for name in ("method", "supervision", "truth", "n"))
        if data_of(row) != "shapes":  # files have one kind of truth, but networks differ
            key = (*key[:2], title(row), key[3])
        if key[0] not in ORDER:
            raise FieldError(f"{row_name(row)}: a method is one of {', '.join(ORDER)}, got {key[0]!r}")
        out[key].append(row)
        if "gradcam" in row:
            seen = {**row, "train": dict.fromkeys(n for _, n, _ in NUMBERS), "test": row["gradcam"]}
            out["Grad-CAM of none", *key[1:]].append(seen)
    return dict(out)


def caption(rows: list[Row]) -> str:
    """What the columns are, and over how many runs."""
    found = cells(rows)
    runs = len(rows_where(rows, "training"))
    tests = sorted({int(number(r, "n_test")) for mine in found.values() for r in mine})
    return (f"All {plural(runs, 'run')} of the experiments on labels and on masks: mean over the "
            "seeds, in brackets the smallest and the largest (no other error bars). "
            f"{starts(rows_where(rows, 'training'))}Missing rates and "
            "IoU on the attention grid, of the hard rectangle or of {f ≥ 1/2}; best threshold: chosen "
            f"on the {' or '.join(map(str, tests))} test images; pixels: on the whole image.")


def markdown(rows: Iterable[Row]) -> str:
    """:func:`table` in Markdown."""
    found = table(list(rows))
    lines = (found.columns, *found.lines)
    text = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([text[0], "|" + "---|" * len(found.columns), *text[1:]])


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


def _number(row: Row, path: str) -> Any:
    """A number, or None where the row says that there is none."""
    return None if get(row, path) is None else number(row, path)
