"""Measured speed of the attention modules: ratios within one run of the bench, with intervals."""

from __future__ import annotations

from typing import Any

from paper_figures.fields import FieldError, get, number, row_name, words
from paper_figures.methods import METHODS, Row, method_look, rows_where
from paper_figures.tables import Table
from theory.methods import TIMED_COORDS

WHAT = {
    "module": "module, forward",
    "learning module": "module, forward + backward",
    "network": "small network, forward",
    "backbone": "MobileNetV3-large, forward",
    "backbone step": "MobileNetV3-large, training step",
}
"""What is timed, as in rows of ``python -m training bench``, in this order."""

COMPILED = "-compiled"
HEADS = {
    name: method_look(name.removesuffix(COMPILED)).short + ", compiled" * name.endswith(COMPILED)
    for name in (TIMED_COORDS, "rectangle-softargmax", "rectangle-light", "rectangle-light-compiled",
                 "rectangle-paper", "positionwise", "cbam", "simam")
}
"""Columns; the first five are rectangles, and "rectangle" in a network is "rectangle-coords"."""


def table(rows: list[Row]) -> Table:
    """A line a measurement: median times over that of the base.

    Raises:
        FieldError: no timings, or one without its numbers.
    """
    found = select(rows)
    heads = [h for h in HEADS if any(_name(h, r) for r in found)]
    lines, rules = [], []
    for k, row in enumerate(found):
        if k and row["what"] != found[k - 1]["what"]:
            rules.append(k)
        base = get(row, "ratio_base")
        lines.append((WHAT[row["what"]], _size(row), f"{number(row, 'batch')}",
                      METHODS[base].label if base in METHODS else base,
                      f"{number(row, f'milliseconds.{base}'):.3g}",
                      *(_ratio(row, _name(h, row)) for h in heads)))
    columns = ("timed", "input", "images", "against", "its time (ms)", *(HEADS[h] for h in heads))
    return Table(columns, tuple(lines), heads=3, rules=tuple(rules))


def select(rows: list[Row]) -> list[Row]:
    """The timings that the table shows, in its order."""
    mine = [r for r in rows_where(rows, "latency") if get(r, "what") in WHAT]
    if not mine:
        raise FieldError(f"no timings of {', '.join(WHAT)}")
    return sorted(mine, key=lambda r: list(WHAT).index(r["what"]))


def caption(rows: list[Row]) -> str:
    """How times were taken, and what stands outside of the columns."""
    found = select(rows)
    turns = sorted({int(number(r, "repeats")) for r in found})
    machines = sorted({words(r, "provenance.cpu", "unknown") for r in found})
    torches = sorted({words(r, "provenance.torch", "unknown") for r in found})
    text = (
        "Speed of the attention modules: median time over that of the base in the same turns, ± the "
        "larger distance to an end of its 95 % bootstrap interval (no other error bars). "
        f"{' or '.join(map(str, turns))} turns; {_device(found)}; {', '.join(machines)}; torch "
        f"{', '.join(torches)}. Ratios of one run are comparable, times of two machines are not. ")
    overhead = {r["batch"]: r for r in found if r["what"] == "backbone"}
    for batch, row in sorted(overhead.items()):
        cost = ", ".join(f"{method_look(h).label} {100 * (number(row, f'ratio.{h}') - 1):+.1f} %"
                         for h in ("rectangle-light", "rectangle-paper"))
        text += f"Overhead on MobileNetV3-large at {batch} images: {cost}. ".replace(
            " 1 images", " 1 image")
    for row in (r for r in rows_where(rows, "latency") if r.get("what") == "ShapeField"):
        side = " x ".join(map(str, get(row, "image")))
        text += (f"ShapeField renders {number(row, 'images_per_second_median'):,.0f} images of {side} "
                 "pixels a second (median). ")
    return text.strip()


def _name(head: str, row: Row) -> str | None:
    """A head's name among the timed of a row; None where it was not timed."""
    names = [head] if head != TIMED_COORDS else [head, "rectangle"]
    return next((n for n in names if n in get(row, "ratio")), None)


def _ratio(row: Row, name: str | None) -> str:
    if name is None:
        return ""
    value = number(row, f"ratio.{name}")
    if name == get(row, "ratio_base"):
        return "1"
    ends = get(row, f"ratio_interval.{name}")
    if not isinstance(ends, list) or len(ends) != 2:
        raise FieldError(f"{row_name(row)}: 'ratio_interval.{name}' must be two numbers, got {ends!r}")
    apart = max(value - ends[0], ends[1] - value)
    digits = 2 if apart >= 0.01 else 3
    return f"{value:.{digits}f} ± {apart:.{digits}f}"


def _size(row: Row) -> str:
    """Channels x height x width of the features, or the image's side from the row's key."""
    features: Any = get(row, "features", None)
    if features:
        return " x ".join(map(str, features))
    side = next((p for p in get(row, "key").split("-") if p.replace("x", "").isdigit()), "")
    if not side:
        raise FieldError(f"{row_name(row)} must name the image's side in its key")
    return " x ".join(side.split("x")) + " px" if "x" in side else f"{side} x {side} px"


def _device(found: list[Row]) -> str:
    clocks = {"thread_time": "processor time of one thread", "perf_counter": "wall time"}
    seen = sorted({(get(r, "device"), get(r, "clock")) for r in found})
    return ", ".join(f"{device}, {clocks.get(clock, clock)}" for device, clock in seen)
