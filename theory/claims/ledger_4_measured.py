"""Measurements for empirical claims, read from the committed rows (JSONL) when there are any."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median
from typing import Any

from theory.claims.model import Measurement

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


def numbers(found: Iterable[dict[str, Any]], field: str) -> list[float]:
    """The finite numbers of one field, also where it lies under ``"result"`` or ``"numbers"``."""
    out = []
    for row in found:
        for place in (row, row.get("result"), row.get("numbers")):
            if isinstance(place, dict) and isinstance(place.get(field), int | float):
                value = float(place[field])
                if value - value == 0:
                    out.append(value)
                break
    return out


def spread(values: list[float]) -> str:
    """Median, range and number of runs, in words."""
    return (f"median {median(values):.3g}, from {min(values):.3g} to {max(values):.3g} over "
            f"{len(values)} runs")


def measured(name: str, fields: dict[str, str], text: str) -> Callable[[], Measurement | None]:
    """A measurement of one or more fields (field -> what it is, in words) of a file of rows."""

    def measure() -> Measurement | None:
        found = rows(name)
        values = {field: numbers(found, field) for field in fields}
        values = {field: v for field, v in values.items() if v}
        if not values:
            return None
        told = "; ".join(f"{fields[field]}: {spread(v)}" for field, v in values.items())
        return Measurement({f: median(v) for f, v in values.items()}, f"{told}.  {text}")

    return measure


gradient_ratio = measured(
    "training",
    {"gradient_ratio_start": "indirect over direct gradient norm at the start",
     "gradient_ratio_end": "the same at the end"},
    "Small networks on the toolkit's synthetic images; 'runs' are the committed rows.")

centre_order = measured(
    "training",
    {"spearman": "rank correlation of predicted and true centres",
     "centre_spearman": "rank correlation of predicted and true centres"},
    "Synthetic images with known positions.")

following = measured(
    "training",
    {"slope": "slope of predicted against true centres",
     "centre_slope": "slope of predicted against true centres",
     "equivariance_error": "equivariance error (quotient loss)"},
    "A slope of 1 follows the object, 0 ignores it.")


_TIMES = ("ms", "milliseconds", "median_ms", "ms_median")
_NAMES = ("module", "head", "attention", "method")


def latency(*wanted: str) -> Callable[[], Measurement | None]:
    """Ratios of the times of two heads (the first over the second), size by size.

    Takes rows of ``latency.jsonl`` with a name (``module``, ``head`` ...) and milliseconds.
    """

    def measure() -> Measurement | None:
        cells: dict[str, dict[str, float]] = {}
        for row in rows("latency"):
            name = next((row[k] for k in _NAMES if isinstance(row.get(k), str)), None)
            time = next((row[k] for k in _TIMES if isinstance(row.get(k), int | float)), None)
            if name is None or time is None:
                continue
            place = ", ".join(f"{k} {row[k]}" for k in (
                "device", "backbone", "channels", "height", "width", "batch", "mode") if k in row)
            cells.setdefault(place, {})[name] = float(time)
        first, second = wanted
        ratios = {place: times[first] / times[second] for place, times in cells.items()
                  if first in times and second in times and times[second] > 0}
        if not ratios:
            return None
        told = "; ".join(f"{ratio:.3g} ({place})" for place, ratio in ratios.items())
        return Measurement(ratios, f"time of {first} over {second}: {told}")

    return measure
