"""Measured speed of the exact suprema beside other solvers: times a matrix, ratios within one run."""

from __future__ import annotations

from paper_figures.fields import get, number, words
from paper_figures.methods import Row, rows_where
from paper_figures.tables import Table
from sims.bench_report import duration


def table(rows: list[Row]) -> Table:
    """A line a solver and family, a column a side: time a matrix, and times as long as ours.

    Raises:
        FieldError: no rows of the bench, or one without its numbers.
    """
    found = rows_where(rows, "supremum-speed")
    sides = sorted({int(number(r, "side")) for r in found})
    cells = {(get(r, "family"), get(r, "solver"), r["side"]): r for r in found}
    families = list(dict.fromkeys(family for family, _, _ in cells))
    names = sorted(dict.fromkeys((family, solver) for family, solver, _ in cells),
                   key=lambda name: families.index(name[0]))
    lines = tuple((family, solver, *(_cell(cells.get((family, solver, s))) for s in sides))
                  for family, solver in names)
    rules = [k for k in range(1, len(names)) if names[k][0] != names[k - 1][0]]
    return Table(("rectangles", "solver", *(f"{s} x {s}" for s in sides)), lines, heads=2,
                 rules=tuple(rules))


def caption(rows: list[Row]) -> str:
    """How times were taken, whether all solvers agree, and by how much ours is faster."""
    found = rows_where(rows, "supremum-speed")
    counts = [int(number(r, "matrices")) for r in found]
    cpus = sorted({words(r, "cpu") for r in found})
    wrong = [get(r, "key") for r in found if get(r, "agree") is False]
    compared = sum(r["agree"] is not None for r in found)
    kadane = [number(r, "times_ours") for r in found if get(r, "solver") == "numba Kadane"]
    text = (
        "Exact maximum of the inner product with a rectangle: time a matrix, in brackets times as long "
        f"as ours in the same run (random ±1 fields, {min(counts):,} to {max(counts):,} matrices a "
        f"call, best of the turns, no error bars; {', '.join(cpus)}; processor time of one thread but "
        f"where wall time is named). The maxima agree in {compared - len(wrong)} of {compared} "
        "comparisons; solvers with limits answer another question and are not compared. ")
    if kadane:
        text += (f"Ours is {min(kadane):.0f} to {max(kadane):.0f} times as fast as Kadane's algorithm "
                 "compiled by numba.")
    return text.strip()


def _cell(row: Row | None) -> str:
    if row is None:
        return "–"
    return f"{duration(number(row, 'microseconds'))} ({number(row, 'times_ours'):.3g})"
