"""Measurements for empirical claims, read from the committed rows (JSONL) when there are any.

Rows of ``training.jsonl`` are those of ``python -m training``, rows of ``latency.jsonl`` those of
``python -m training bench``.  Without usable rows a measurement is None and the claim unchecked.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from theory.claims.model import Measurement
from theory.methods import RECTANGLES, TIMED_COORDS, is_rectangle

ROWS = Path(__file__).resolve().parents[2] / "paper_figures" / "rows"


def rows(name: str) -> list[dict[str, Any]]:
    """The rows of one committed file; none when the file is not there.

    Raises:
        ValueError: a line that is no JSON object.
    """
    path = ROWS / f"{name}.jsonl"
    if not path.is_file():
        return []
    out = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path.name}, line {number} is no JSON: {error}") from error
        if not isinstance(row, dict):
            raise ValueError(f"{path.name}, line {number} is no JSON object")
        out.append(row)
    return out


def finite(value: Any) -> bool:
    """Whether ``value`` is a finite number (None, text and NaN are not)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def spread(values: list[float]) -> str:
    """Median, range and number of runs, in words."""
    return (f"median {median(values):.3g}, {min(values):.3g} to {max(values):.3g} over "
            f"{len(values)} run{'s' * (len(values) != 1)}")


def by_training(values: Callable[[dict[str, Any]], Iterator[float]]) -> dict[str, list[float]]:
    """Numbers of the training rows of a rectangle, by head and supervision."""
    out: dict[str, list[float]] = {}
    for row in rows("training"):
        if not is_rectangle(row.get("method")) or (row.get("config") or {}).get(
                "data", "shapes") != "shapes":
            continue
        found = list(values(row))
        if found and all(map(finite, found)):
            name = f"{row['method']}, {row.get('supervision', '?')} loss"
            out.setdefault(name, []).append(sum(found) / len(found))
    return out


def gradient_ratio() -> Measurement | None:
    """Norm of the indirect over the direct term of Eq. 8, at the start and at the end."""
    moments = {"start": "gradient_ratio_start", "end": "gradient_ratio_end"}
    numbers, told = {}, []
    for moment, field in moments.items():
        for name, values in by_training(lambda row, field=field: iter([row.get(field)])).items():
            numbers[f"{moment} ({name})"] = median(values)
            told.append(f"at the {moment} {spread(values)} ({name})")
    if not told:
        return None
    return Measurement(numbers, "norm of the indirect over the direct term on the trunk's "
                                f"parameters: {'; '.join(told)}.  Small networks, synthetic images.")


def _centres(field: str, text: str) -> Callable[[], Measurement | None]:
    def measure() -> Measurement | None:
        found = by_training(lambda row: iter((row.get("test") or {}).get(field) or []))
        if not found:
            return None
        told = "; ".join(f"{spread(values)} ({name})" for name, values in found.items())
        return Measurement({name: median(v) for name, v in found.items()},
                           f"{text}, mean of both axes, test images: {told}.  Small networks, "
                           "synthetic images; other training sizes count as runs too.")

    return measure


centre_order = _centres("centre_spearman", "rank correlation of predicted and true centres")
following = _centres("centre_slope", "slope of predicted on true centres (1 follows, 0 ignores)")


def latency(what: str, base: str) -> Callable[[], Measurement | None]:
    """Times of the rectangle heads (what "module") or networks ("network") over those of ``base``.

    From the ``milliseconds`` of rows of ``python -m training bench``.
    """

    def measure() -> Measurement | None:
        ratios = {}
        for row in rows("latency"):
            times = row.get("milliseconds")
            if row.get("what") != what or not isinstance(times, dict) or not finite(
                    times.get(base)) or times[base] <= 0:
                continue
            size = "x".join(map(str, row.get("features", []))) or "the small network"
            for name in (*RECTANGLES, TIMED_COORDS):
                if finite(times.get(name)):
                    ratios[f"{name}, {size}, batch {row.get('batch', '?')}"] = (
                        times[name] / times[base])
        if not ratios:
            return None
        told = "; ".join(f"{ratio:.2f} ({place})" for place, ratio in ratios.items())
        return Measurement(ratios, f"median time of a forward pass over that of {base}, one thread "
                                   f"of a CPU: {told}.")

    return measure
