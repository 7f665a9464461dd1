"""What rows of simulations say of claims: reading them, counting failures, judging the counts.

The functions of ``simulated_5_1``, ``simulated_5_2`` and ``simulated_f`` take no argument and return a
:class:`Measurement`, or None without usable rows.  Rows that lack a field are left out.  If the rows
speak against a claim the text says CONTRADICTS: more failures than a binomial test at ``LEVEL`` allows
for a statement with a probability, one failure for an exact one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from theory.claims.ledger_4_measured import finite, rows
from theory.claims.model import Measurement

LEVEL = 1e-6
Row = dict[str, Any]


def field(row: Row, path: str) -> Any:
    """The value at a path of a row, keys parted by slashes; None where there is none.

    >>> field({"mean": {"tv": 0.5}}, "mean/tv")
    0.5
    """
    value: Any = row
    for name in path.split("/"):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def usable(name: str, kind: str, *numbers: str, where: Callable[[Row], bool] | None = None
           ) -> list[Row]:
    """The committed rows of a kind whose fields ``numbers`` (paths) are finite numbers."""
    found = [row for row in rows(name) if row.get("kind") == kind
             and all(finite(field(row, path)) for path in numbers)]
    return found if where is None else [row for row in found if where(row)]


def fraction(row: Row, path: str) -> Fraction | None:
    """The exact number a row states as text, None where it does not."""
    value = field(row, path)
    if isinstance(value, int) and not isinstance(value, bool):
        return Fraction(value)
    try:
        return Fraction(value) if isinstance(value, str) else None
    except (ValueError, ZeroDivisionError):
        return None


@dataclass(frozen=True)
class Coverage:
    """Failures of a statement that may fail with probability delta, over settings.

    Attributes:
        settings, samples, failures: how many.
        worst: the largest failure rate over delta of a setting.
        broken: settings that failed more often than a binomial law with rate delta allows at
            ``LEVEL``.
    """

    settings: int
    samples: int
    failures: int
    worst: float
    broken: int

    def text(self) -> str:
        """The counts in words."""
        return (f"{self.failures:,} failures on {self.samples:,} samples of {self.settings} settings, "
                f"at most {self.worst:.3g} times delta in a setting")


def coverage(found: list[Row], failures: str) -> Coverage:
    """The failures of field ``failures`` in ``repeats`` samples at level ``delta``, row by row."""
    broken, worst = 0, 0.0
    for row in found:
        k, n, delta = row[failures], row["repeats"], row["delta"]
        worst = max(worst, k / n / delta)
        broken += too_many(k, n, delta)
    return Coverage(len(found), sum(r["repeats"] for r in found), sum(r[failures] for r in found),
                    worst, broken)


def too_many(failures: int, repeats: int, rate: float) -> bool:
    """Whether P(Binomial(repeats, rate) >= failures) is below ``LEVEL``.

    >>> too_many(12, 100, 0.1), too_many(40, 100, 0.1)
    (False, True)
    """
    if failures <= rate * repeats:
        return False
    if rate <= 0:
        return True
    logs = [math.lgamma(repeats + 1) - math.lgamma(k + 1) - math.lgamma(repeats - k + 1)
            + k * math.log(rate) + (repeats - k) * math.log1p(-rate)
            for k in range(failures, repeats + 1)]
    return math.fsum(map(math.exp, logs)) < LEVEL


def verdict(text: str, contradictions: Iterable[tuple[int, str]]) -> str:
    """The text, with what contradicts the claim: pairs of a count and of what it counts."""
    against = [f"CONTRADICTS the claim: {count:,} {what}" for count, what in contradictions if count]
    return "  ".join([text, *against])


def exact_failures(name: str, kind: str, statement: str, what: str,
                   where: Callable[[Row], bool] | None = None) -> Measurement | None:
    """Draws that break an exact statement of the mixtures: none may, in floats or in Fractions.

    Args:
        statement: the key in ``violations`` and ``exact_violations``.
        what: the statement in words.
    """
    float_path, exact_path = f"violations/{statement}", f"exact_violations/{statement}"
    found = usable(name, kind, float_path, "repeats", where=where)
    if not found:
        return None
    draws, broken = sum(r["repeats"] for r in found), sum(field(r, float_path) for r in found)
    exactly = [r for r in found if finite(field(r, exact_path)) and finite(r.get("exact_repeats"))]
    again = sum(r["exact_repeats"] for r in exactly)
    exact_broken = sum(field(r, exact_path) for r in exactly)
    text = (f"{what}: broken in {broken:,} of {draws:,} random models of {len(found)} settings "
            f"(tolerance 1e-9), in {exact_broken:,} of {again:,} in exact arithmetic.")
    return Measurement(
        {"settings": len(found), "draws": draws, "violations": broken, "exact draws": again,
         "exact violations": exact_broken},
        verdict(text, [(broken, "models break it"), (exact_broken, "exact models break it")]),
        "Monte Carlo")
