"""Simulations of section 5.2: random contamination models and searches for falls of TV."""

from __future__ import annotations

from collections.abc import Callable

from theory.claims.model import Measurement
from theory.claims.simulated import Row, exact_failures, field, fraction, usable, verdict

NAME, MIXTURES, FALL, END = "theorem-2", "theorem-2-mixtures", "theorem-2-fall", "theorem-2-end"
EXCESS = 1e-12  # of a gap over a bound, both rounded


def _exact(statement: str, what: str, where: Callable[[Row], bool] | None = None
           ) -> Callable[[], Measurement | None]:
    return lambda: exact_failures(NAME, MIXTURES, statement, what, where)


closed_form = _exact("closed-form", "TV against its closed form")
proportional = _exact("proportional", "TV when all errors are halved against TV before")
theorem_2_1 = _exact("theorem-2.1", "TV against inf lambda times the pure TV")
theorem_2_2_disjoint = _exact("theorem-2.2", "disjoint supports, TV against min E[lambda]",
                              lambda row: row.get("supports") == "disjoint")


def sandwich() -> Measurement | None:
    """Models outside the sandwich, at its ends, and how much its lower end gains on Theorem 2(1)."""
    broken = exact_failures(NAME, MIXTURES, "sandwich", "TV against its two ends")
    found = usable(NAME, MIXTURES, "repeats", "equal_ends", "at_low", "at_high", "mean/low",
                   "mean/theorem_2_1", "sandwich_exceeds_2_1")
    draws = sum(r["repeats"] for r in found)
    if broken is None or not draws:
        return broken

    def mean(path: str) -> float:
        return sum(r["repeats"] * field(r, path) for r in found) / draws

    equal, low, high, sharper = (sum(r[k] for r in found) for k in (
        "equal_ends", "at_low", "at_high", "sandwich_exceeds_2_1"))
    numbers = {"equal ends": equal, "at the lower end": low, "at the upper end": high,
               "above Theorem 2(1)": sharper, "mean lower end": mean("mean/low"),
               "mean Theorem 2(1)": mean("mean/theorem_2_1")}
    ends = usable(NAME, END, "position")
    searched = ""
    if ends:
        numbers["smallest position found"] = min(r["position"] for r in ends)
        numbers["largest position found"] = max(r["position"] for r in ends)
        searched = (f"  {len(ends)} searches came as near as "
                    f"{numbers['smallest position found']:.2g} to the lower end and "
                    f"{1 - numbers['largest position found']:.2g} to the upper one, in shares of the "
                    "width.")
        outside = sum(not 0 <= r["position"] <= 1 for r in ends)
        searched = verdict(searched, [(outside, "models found by search leave it")])
    return Measurement(
        {**broken.numbers, **numbers},
        f"{broken.text}  Of {draws:,} models both ends are equal in {equal:,}; of the others TV is "
        f"at the lower end in {low:,} and at the upper one in {high:,}.  The lower end exceeds the "
        f"right-hand side of Theorem 2(1) in {sharper / draws:.1%}; their means are "
        f"{mean('mean/low'):.3f} and {mean('mean/theorem_2_1'):.3f}.{searched}", "Monte Carlo")


def theorem_2_2() -> Measurement | None:
    """How often Theorem 2(2) fails when the supports are merely distinct."""
    found = usable(NAME, MIXTURES, "repeats", "violations/theorem-2.2", "shortfall_2_2",
                   where=lambda row: row.get("supports") == "distinct" and row["repeats"] > 0)
    if not found:
        return None
    draws = sum(r["repeats"] for r in found)
    broken = sum(field(r, "violations/theorem-2.2") for r in found)
    most = max(r["shortfall_2_2"] for r in found)
    share = [field(r, "violations/theorem-2.2") / r["repeats"] for r in found]
    return Measurement(
        {"draws": draws, "failures": broken, "largest shortfall": most},
        f"supports that are merely distinct: Theorem 2(2) fails in {broken:,} of {draws:,} random "
        f"models ({broken / draws:.1%}; {min(share):.1%} to {max(share):.1%} over {len(found)} "
        f"settings), by up to {most:.3f}.", "Monte Carlo")


def _falls(where: Callable[[Row], bool]) -> tuple[int, int, float]:
    """Models, falls and the largest fall when each error shrinks by its own random factor."""
    found = usable(NAME, MIXTURES, "repeats", "falls", "largest_fall", where=where)
    return (sum(r["repeats"] for r in found), sum(r["falls"] for r in found),
            max((r["largest_fall"] for r in found), default=0.0))


def monotone() -> Measurement | None:
    """How often TV falls when a map gets better at random, and the largest fall a search finds."""
    draws, falls, most = _falls(lambda row: row.get("atoms") != 2)
    if not draws:
        return None
    numbers = {"draws": draws, "falls": falls, "largest random fall": most}
    text = (f"more than two atoms: when each error shrinks by its own random factor TV falls in "
            f"{falls:,} of {draws:,} random models ({falls / draws:.1%}), by up to {most:.3f}.")
    found = _searches()
    if found:
        numbers["largest fall found"] = top = max(r["gap"] for r in found)
        text += f"  The largest fall found by search is {top:.6g}."
    return Measurement(numbers, text, "Monte Carlo")


def _searches() -> list[Row]:
    """Searches for falls with more than two atoms, under any limits."""
    return usable(NAME, FALL, "gap", "bound", "evaluations", where=lambda r: r.get("atoms") != 2)


def gap_bound() -> Measurement | None:
    """The largest falls found by search against the bound, in exact models."""
    found = [r for r in _searches() if r["bound"] > 0]
    if not found:
        return None
    free = [r for r in found if set(r.get("limits", ())) == {"low", "high"}]
    over = sum(r["gap"] > r["bound"] + EXCESS for r in found)
    ratios = [r["gap"] / r["bound"] for r in free] or [r["gap"] / r["bound"] for r in found]
    text = (f"{len(found)} searches ({sum(r['evaluations'] for r in found):,} models) for the "
            f"largest fall, in {len({str(r.get('limits')) for r in found})} sets of limits: "
            f"{len(found) - over} stay within the bound; where l and u are the only limits they reach "
            f"{min(ratios):.1%} to {max(ratios):.1%} of it.")
    return Measurement({"searches": len(found), "within": len(found) - over, "smallest share":
                        min(ratios), "largest share": max(ratios)},
                       verdict(text, [(over, "falls found exceed the bound")]), "Monte Carlo")


def two_atoms() -> Measurement | None:
    """Falls of TV with two atoms: random improvements and searches, exact at the end."""
    draws, falls, _ = _falls(lambda row: row.get("atoms") == 2)
    found = [r for r in usable(NAME, FALL, "evaluations", where=lambda r: r.get("atoms") == 2)
             if fraction(r, "gap_exact") is not None]
    if not draws and not found:
        return None
    positive = sum((fraction(r, "gap_exact") or 0) > 0 for r in found)
    text = (f"two atoms: TV falls in {falls:,} of {draws:,} random models whose errors shrink by "
            f"factors of their own, and {len(found)} searches "
            f"({sum(r['evaluations'] for r in found):,} models) "
            f"found {positive or 'no'} fall.")
    return Measurement({"draws": draws, "falls": falls, "searches": len(found),
                        "falls found": positive}, verdict(text, [(falls, "models fall"), (
                            positive, "searches found a fall")]), "Monte Carlo")


def binary_worse() -> Measurement | None:
    """Maps of 0 and 1: how often a better map lowers TV."""
    draws, falls, _ = _falls(lambda row: row.get("law") == "binary")
    if not draws:
        return None
    text = (f"the worse map has values 0 and 1: a better map, by random factors, lowers TV in "
            f"{falls:,} of {draws:,} random models (tolerance 1e-9).")
    return Measurement({"draws": draws, "falls": falls}, verdict(text, [(falls, "models fall")]),
                       "Monte Carlo")
