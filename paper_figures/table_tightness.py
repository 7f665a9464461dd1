"""A table: upper ends on held-out losses, side by side, from the simulation of coverage."""

from __future__ import annotations

from typing import Any

from paper_figures.fields import FieldError, number
from paper_figures.tables import Table
from sims.coverage_cells import side_by_side
from theory.bounds import DELTA

LAWS = {"bernoulli 0.05": "Bernoulli(0.05)", "beta 2 18": "Beta(2, 18)"}
BOUNDS = {"hoeffding": "Hoeffding", "chernoff": "kl", "clopper_pearson": "Clopper-Pearson",
          "maurer_pontil": "Maurer-Pontil", "betting": "betting"}
NONE = "–"


def table(rows: list[dict[str, Any]]) -> Table:
    """The mean upper end of each bound, for each law and N."""
    lines = []
    for (law, n), found in side_by_side(rows).items():
        here = {b: found[b] for b in BOUNDS if b in found}
        if not here:
            raise FieldError(f"no rows of part 'held-out' with law {law!r} and n {n}")
        some = next(iter(here.values()))
        lines.append((LAWS[law], f"{n}", f"{number(some, 'mean'):.3f}",
                      *(f"{number(here[b], 'upper_mean'):.3f}" if b in here else NONE for b in BOUNDS),
                      f"{number(some, 'theorem_3_term'):.3f}"))
    return Table(("losses", "N", "mean", *BOUNDS.values(), "3√(ln(2/δ)/2N)"), tuple(lines), heads=2)


def caption(rows: list[dict[str, Any]]) -> str:
    """What the numbers are."""
    drawn: dict[int, set[str]] = {}
    for found in side_by_side(rows).values():
        for bound in BOUNDS:
            if bound in found:
                drawn.setdefault(int(number(found[bound], "repeats")), set()).add(bound)
    samples = " and ".join(f"{repeats} ({', '.join(BOUNDS[b] for b in BOUNDS if b in drawn[repeats])})"
                           for repeats in sorted(drawn))
    return (f"Mean of the upper ends at δ = {DELTA:g} on N held-out losses, over {samples} samples "
            "each (simulation coverage); no error bars: the rows hold no standard errors of these "
            "means. The last column is the confidence term of Theorem 3 alone. Clopper-Pearson takes "
            f"losses that are 0 or 1 ({NONE}: they are not).")
