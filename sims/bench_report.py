"""The benchmark's rows as a table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sims.bench import GOALS, rows


def bench(out: str | Path, *, quick: bool = False) -> str:
    """Measure, write the rows to ``out`` as they come, and return the table.

    Rows of an earlier run with the same keys are superseded (ratios are of one run).

    Raises:
        ValueError: ``out`` is a folder, or no file of rows.
    """
    from sims.rows import RowWriter, provenance

    if Path(out).is_dir():
        raise ValueError(f"--out must be a file of rows, got the folder {out}")
    origin = provenance()
    found: list[dict[str, Any]] = []
    with RowWriter(out) as writer:
        for row in rows(quick):
            found.append(row)
            writer.append({**row, "provenance": origin})
            print(f"{row['family']} {row['side']}x{row['side']}, {row['solver']}: "
                  f"{duration(row['microseconds'])}", file=sys.stderr)
    return f"{table(found, origin['machine'])}\nrows: {out}"


def table(found: Sequence[dict[str, Any]], machine: str) -> str:
    """The side-by-side table, with the machine, the goals and the fraction of the peak."""
    first = found[0]
    lines = [f"machine: {first['cpu']} ({machine})",
             f"vector peak, measured: {first['peak_vector_operations'] / 1e9:.1f} G vector "
             "operations a second on int16 lanes, one core",
             "CPU time of one thread; best of the turns; random +-1 fields", ""]
    for family in dict.fromkeys(row["family"] for row in found):
        mine = [row for row in found if row["family"] == family]
        sides = sorted({row["side"] for row in mine})
        cells = {(row["solver"], row["side"]): row for row in mine}
        solvers = list(dict.fromkeys(row["solver"] for row in mine))
        width = max(len(name) for name in solvers) + 2
        lines.append(f"{family} rectangles, time a matrix (times ours)")
        lines.append(" " * width + "".join(f"{f'{s}x{s}':>20}" for s in sides))
        for name in solvers:
            texts = [_cell(cells.get((name, side))) for side in sides]
            lines.append(f"{name:<{width}}" + "".join(f"{text:>20}" for text in texts))
        lines.append("")
    lines += _fractions(found) + _verdicts(found)
    wrong = [row["key"] for row in found if row["agree"] is False]
    lines.append(f"disagreements about a maximum: {', '.join(wrong) or 'none'}")
    return "\n".join(lines)


def _fractions(found: Sequence[dict[str, Any]]) -> list[str]:
    out = ["fraction of the vector peak (7 operations a column and strip, 32 matrices a vector)"]
    for row in found:
        if "fraction_of_peak" in row:
            inside = row["vector_operations"] / (row["kernel_microseconds"] * 1e-6
                                                 * row["peak_vector_operations"])
            out.append(f"  {row['side']}x{row['side']}: {row['fraction_of_peak']:.0%} of the call, "
                       f"{inside:.0%} of the kernel, {row['packing_share']:.0%} of which packs")
    out.append("  not more, because: each 7 operations need 2 loads (and above the first cache's "
               "48 KiB wait for the second);")
    out.append("  every strip ends with 6 operations for value and place; matrices are converted, "
               "checked and transposed first.")
    return [*out, ""]


def _verdicts(found: Sequence[dict[str, Any]]) -> list[str]:
    cells = {(row["family"], row["solver"], row["side"]): row for row in found}
    out = ["goals"]
    peers = {"kadane": "numba Kadane", "pyscan": "pyscan-stats (maximum only)"}
    for peer, goals in GOALS["axis-aligned"].items():
        for side, goal in goals.items():
            row = cells.get(("axis-aligned", peers[peer], side))
            if row is not None:
                out.append(_verdict(f"{side}x{side}: {row['times_ours']:.0f} times faster than "
                                    f"{peers[peer]}, aim {goal:.0f}", row["times_ours"] >= goal))
    for family, goals in (("axis-aligned", GOALS["microseconds"]), ("rotated", GOALS["rotated"])):
        for side, goal in goals.items():
            row = cells.get((family, "ours", side))
            if row is not None:
                out.append(_verdict(f"{family} {side}x{side}: {duration(row['microseconds'])}, aim "
                                    f"{duration(goal)}", row["microseconds"] <= goal))
    limited = [row for row in found if row["solver"].startswith("ours, ") and row["agree"] is None]
    if limited:
        worst = max(limited, key=lambda row: row["times_ours"])
        out.append(_verdict(f"with limits at most {worst['times_ours']:.1f} times as long "
                            f"({worst['side']}x{worst['side']}, {worst['solver'][6:]}), aim "
                            f"{GOALS['limits']:.0f}", worst["times_ours"] <= GOALS["limits"]))
    return [*out, ""]


def _verdict(text: str, reached: bool) -> str:
    return f"  {'reached' if reached else 'MISSED '}  {text}"


def _cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return "-"
    return f"{duration(row['microseconds'])} ({row['times_ours']:.3g})"


def duration(microseconds: float) -> str:
    """A time with three digits, in the unit that suits it.

    >>> duration(0.107), duration(787.5), duration(2_500_000)
    ('107 ns', '788 us', '2.5 s')
    """
    for unit, size in (("s", 1e6), ("ms", 1e3), ("us", 1.0)):
        if microseconds >= size:
            return f"{microseconds / size:.3g} {unit}"
    return f"{microseconds * 1e3:.3g} ns"
