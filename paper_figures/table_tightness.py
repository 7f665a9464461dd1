"""A table: upper ends on held-out losses, side by side, from the simulation of coverage."""

from __future__ import annotations

from typing import Any

from paper_figures.fields import FieldError, get, number
from paper_figures.tables import Table

DELTA = 0.05
LAWS = {("bernoulli 0.05", 200): "Bernoulli(0.05)", ("beta 2 18", 200): "Beta(2, 18)",
        ("beta 2 18", 1000): "Beta(2, 18)"}
BOUNDS = {"hoeffding": "Hoeffding", "chernoff": "kl", "clopper_pearson": "Clopper-Pearson",
          "maurer_pontil": "Maurer-Pontil", "betting": "betting"}
NONE = "–"


def table(rows: list[dict[str, Any]]) -> Table:
    """The mean upper end of each bound, for each law and N."""
    found = {(get(r, "law"), get(r, "n"), get(r, "bound")): r for r in rows
             if r.get("part") == "held-out" and get(r, "delta") == DELTA and get(r, "side") == "upper"
             and get(r, "order") == "drawn"}
    lines = []
    for (law, n), name in LAWS.items():
        here = {b: found[law, n, b] for b in BOUNDS if (law, n, b) in found}
        if not here:
            raise FieldError(f"no rows of part 'held-out' with law {law!r} and n {n}")
        some = next(iter(here.values()))
        lines.append((name, f"{n}", f"{number(some, 'mean'):.3f}",
                      *(f"{number(here[b], 'upper_mean'):.3f}" if b in here else NONE for b in BOUNDS),
                      f"{number(some, 'theorem_3_term'):.3f}"))
    return Table(("losses", "N", "mean", *BOUNDS.values(), "3√(ln(2/δ)/2N)"), tuple(lines), heads=2)


def caption(rows: list[dict[str, Any]]) -> str:
    """What the numbers are."""
    repeats = {int(get(r, "repeats")) for r in rows if r.get("part") == "held-out"
               and (r.get("law"), r.get("n")) in LAWS and r.get("delta") == DELTA}
    return (f"Mean of the upper ends at δ = {DELTA:g} on N held-out losses, over "
            f"{min(repeats)} samples or more each (simulation coverage); no error bars: the standard "
            "errors are below the last digit. The last column is the confidence term of Theorem 3 "
            f"alone. Clopper-Pearson takes losses that are 0 or 1 ({NONE}: they are not).")
