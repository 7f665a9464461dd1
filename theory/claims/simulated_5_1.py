"""Simulations of section 5.1: coverage of the bounds, the memoriser, complexities, relevance."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from statistics import fmean

from theory.claims.ledger_4_measured import finite
from theory.claims.model import Measurement
from theory.claims.simulated import Row, coverage, fraction, too_many, usable, verdict

BOUND = ("repeats", "delta")


def _possible(row: Row) -> bool:
    return row["repeats"] > 0 and 0 < row["delta"] < 1



def theorem_1() -> Measurement | None:
    """Failures of Theorem 1 against the exact largest gap, its slack, and how often it exceeds 1."""
    found = usable("theorem-1", "theorem-1", *BOUND, "theorem_1_failures", "theorem_1_slack_min",
                   "theorem_1_slack_mean", "theorem_1_above_one", where=_possible)
    if not found:
        return None
    cover = coverage(found, "theorem_1_failures")
    above = sum(r["theorem_1_above_one"] == r["repeats"] for r in found)
    slack = [r["theorem_1_slack_mean"] for r in found]
    text = (f"Theorem 1 against the exact supremum of R - R^ over all functions: {cover.text()}; its "
            f"right-hand side is above it by {min(slack):.3g} to {max(slack):.3g} in the mean over "
            f"samples, never less than {min(r['theorem_1_slack_min'] for r in found):.3g}.  Even for "
            f"the best-fitting f it is above 1 on every sample in {above} of the {len(found)} settings "
            "(family, law, noise, N, delta).")
    return Measurement(
        {"settings": cover.settings, "samples": cover.samples, "failures": cover.failures,
         "worst rate over delta": cover.worst, "settings above 1": above,
         "smallest mean slack": min(slack), "largest mean slack": max(slack)},
        verdict(text, [(cover.broken, "settings fail more often than delta allows")]), "Monte Carlo")


def sharp() -> Measurement | None:
    """Failures of the sharp bound, and its exact failure probability where N is small."""
    found = usable("theorem-1", "theorem-1", *BOUND, "sharp_failures", "sharp_slack_mean",
                   "theorem_1_slack_mean", "sharp_above_one", where=_possible)
    if not found:
        return None
    cover = coverage(found, "sharp_failures")
    exact = [r for r in found if finite(r.get("sharp_failure_probability"))]
    over = sum(r["sharp_failure_probability"] > r["delta"] * (1 + 1e-12) for r in exact)
    slack = fmean(r["sharp_slack_mean"] for r in found)
    paper = fmean(r["theorem_1_slack_mean"] for r in found)
    above = sum(r["sharp_above_one"] > 0 for r in found)
    text = (f"the sharp bound against the exact largest risk: {cover.text()}; mean slack {slack:.3g}, "
            f"that of Theorem 1 {paper:.3g}; above 1 on some sample in {above} settings.")
    if exact:
        top = max(r["sharp_failure_probability"] / r["delta"] for r in exact)
        text += (f"  Its failure probability is exact in {len(exact)} settings: at most {top:.3g} "
                 "times delta.")
    return Measurement(
        {"settings": cover.settings, "samples": cover.samples, "failures": cover.failures,
         "worst rate over delta": cover.worst, "exact settings": len(exact), "mean slack": slack},
        verdict(text, [(cover.broken, "settings fail more often than delta allows"),
                       (over, "exact failure probabilities exceed delta")]), "Monte Carlo")


def ceiling() -> Measurement | None:
    """The exact largest risk of all functions against (1 - rho)/2, law by law."""
    laws: dict[tuple[str, ...], Fraction] = {}
    for kind in ("theorem-1", "theorem-1-noise", "theorem-1-memoriser"):
        for row in usable("theorem-1", kind):
            rho, risk = fraction(row, "rho"), fraction(row, "supremum_exact")
            if rho is not None and risk is not None:
                names = ("family", "grid", "max_area", "max_area_in", "law", "noise")
                law, slack = tuple(str(row.get(k)) for k in names), (1 - rho) / 2 - risk
                laws[law] = min(slack, laws.get(law, slack))
    if not laws:
        return None
    least, most = min(laws.values()), max(laws.values())
    attained, over = sum(v == 0 for v in laws.values()), sum(v < 0 for v in laws.values())
    text = (f"the exact largest risk of all functions is below the ceiling (1 - rho)/2 by "
            f"{float(least):.3g} to {float(most):.3g} over {len(laws)} laws of (X, A), and equal to "
            f"it in {attained}.")
    return Measurement({"laws": len(laws), "attained": attained, "smallest slack": float(least),
                        "largest slack": float(most)},
                       verdict(text, [(over, "laws exceed the ceiling")]), "counted")


def _memoriser(where: Callable[[Row], bool], exact: str, words: str, *, fits: bool
               ) -> Callable[[], Measurement | None]:
    def measure() -> Measurement | None:
        found = usable("theorem-1", "theorem-1-memoriser", "empirical_missed", "least_missed", "risk",
                       "risk_low", "risk_high", "alpha", "fresh", exact, where=where)
        if not found:
            return None
        off = sum(not r["risk_low"] <= r[exact] <= r["risk_high"] for r in found)
        alpha = max(r["alpha"] for r in found)
        missed = sum(r["empirical_missed"] != (0 if fits else r["least_missed"]) for r in found)
        largest = max(abs(r["risk"] - r[exact]) for r in found)
        fitted = "0" if fits else "the least possible"
        text = (f"a predictor that stores its sample, {len(found)} settings, at least "
                f"{min(r['fresh'] for r in found):,} fresh draws: its empirical missing rate is "
                f"{fitted} in {len(found) - missed}; {words}, exact, lies in the interval (level "
                f"{1 - alpha:g}) around its risk in {len(found) - off}, {largest:.2g} away at most.")
        return Measurement(
            {"settings": len(found), "fitting": len(found) - missed, "in the interval":
             len(found) - off, "largest difference": largest},
            verdict(text, [(missed, "samples are not fitted"),
                           (off * too_many(off, len(found), alpha),
                            "intervals miss the exact risk")]), "Monte Carlo")

    return measure


adversary = _memoriser(lambda r: r.get("noise") == "0" and r.get("targets_in_family") is True,
                       "expected_worst", "E g", fits=True)
sup_risk = _memoriser(lambda r: True, "supremum", "E max_b E[Phi(b, A) | X]", fits=False)


def theorem_3() -> Measurement | None:
    """Coverage of Theorem 3 on classes of known complexity; failures without its complexity."""
    found = usable("theorem-3", "theorem-3", *BOUND, "theorem_3_failures", "theorem_3_slack_mean",
                   "failures_without_complexity", where=_possible)
    if not found:
        return None
    cover, bare = (coverage(found, k) for k in ("theorem_3_failures", "failures_without_complexity"))
    slack = [r["theorem_3_slack_mean"] for r in found]
    text = (f"classes whose complexity and largest gap are exact: {cover.text()}; mean slack "
            f"{min(slack):.3g} to {max(slack):.3g}.  Without the term 2 R_S it fails on "
            f"{bare.failures:,} samples, in {bare.broken} settings more often than delta allows.")
    return Measurement(
        {"settings": cover.settings, "samples": cover.samples, "failures": cover.failures,
         "worst rate over delta": cover.worst, "failures without 2 R_S": bare.failures,
         "settings failing without 2 R_S": bare.broken},
        verdict(text, [(cover.broken, "settings fail more often than delta allows")]), "Monte Carlo")


def complexities() -> Measurement | None:
    """Exact complexities of all functions against 1/2, the bound of Prop. 2 for rho = -1."""
    def whole(row: Row) -> bool:
        return row.get("exact") is True and str(row.get("predictors", "")).startswith("all")

    found = usable("rademacher", "rademacher", "value", "n", where=whole)
    if not found:
        return None
    exact = [fraction(r, "fraction") for r in found]
    values = [v if v is not None else Fraction(r["value"]) for r, v in zip(found, exact, strict=True)]
    over = sum(v > Fraction(1, 2) for v in values)
    equal = sum(v == Fraction(1, 2) for v in values)
    apart = [v for r, v in zip(found, values, strict=True) if r["predictors"] == "all"]
    top = max(r["n"] for r in found)
    text = (f"complexities of all functions on random rectangles (rho >= -1, so Prop. 2 says at most "
            f"1/2), {len(found)} samples of up to N = {top}, exact: {float(min(values)):.3g} to "
            f"{float(max(values)):.3g}, equal to 1/2 in {equal}; on distinct inputs never below "
            f"{float(min(apart, default=max(values))):.3g}.")
    return Measurement({"samples": len(found), "smallest": float(min(values)),
                        "largest": float(max(values)), "equal to 1/2": equal},
                       verdict(text, [(over, "complexities exceed (1 - rho)/4 <= 1/2")]), "counted")


def _relevance(family: str) -> list[tuple[Row, Fraction]]:
    found = usable("relevance", "relevance", "limit", "limit_in",
                   where=lambda r: r.get("family") == family)
    return [(r, rho) for r in found if (rho := fraction(r, "fraction")) is not None]


def _positions(row: Row) -> int:
    height, width = row["grid"]
    return height * width


def limited() -> Measurement | None:
    """The closed form for axis-aligned rectangles under limits, against exact relevance levels."""
    found = _relevance("axis-aligned rectangles")
    formed = [(r, rho, closed) for r, rho in found
              if (closed := fraction(r, "closed_form")) is not None]
    if not formed:
        return None
    off = sum(rho != closed for _, rho, closed in formed)
    raised = sum(rho > -1 for _, rho, _ in formed)
    other = [float(rho - r["lower_bound"]) for r, rho in found
             if fraction(r, "closed_form") is None and "lower_bound" in r]
    above = sum(v > 1e-12 for v in other)
    text = (f"exact relevance levels under area limits: the closed form agrees in "
            f"{len(formed) - off} of the {len(formed)} cells (grid, limits) where two disjoint "
            f"rectangles fit, rho > -1 in {raised} of them; in {above} of the {len(other)} other "
            f"cells rho is above the same formula.")
    return Measurement({"cells": len(formed), "agree": len(formed) - off, "rho > -1": raised,
                        "cells without a closed form": len(other)},
                       verdict(text, [(off, "cells disagree")]), "counted")


def rotated() -> Measurement | None:
    """The closed form for rotated rectangles under limits, against exact relevance levels."""
    found = _relevance("rotated rectangles")
    if not found:
        return None
    off = sum(rho != max(Fraction(-1), 1 - Fraction(2 * (r["limit"] + r["limit_in"]), _positions(r)))
              for r, rho in found)
    grids = sorted({tuple(r["grid"]) for r, _ in found})
    text = (f"exact relevance levels of all rotated rectangles: max(-1, 1 - 2(k + k')/n) in "
            f"{len(found) - off} of {len(found)} cells, {len(grids)} grids up to "
            f"{grids[-1][0]} x {grids[-1][1]}.")
    return Measurement({"cells": len(found), "agree": len(found) - off},
                       verdict(text, [(off, "cells disagree")]), "counted")


def unlimited() -> Measurement | None:
    """rho where truths are not limited, and where nothing is: rectangles against -1."""
    found = {(family, *r["grid"], r["limit"]): (r["limit"] == _positions(r), rho)
             for family in ("axis-aligned rectangles", "rotated rectangles")
             for r, rho in _relevance(family) if r["limit_in"] == _positions(r)}
    whole = [rho for unlimited, rho in found.values() if unlimited]
    maps = [rho for unlimited, rho in found.values() if not unlimited]
    if not whole or not maps:
        return None
    text = (f"exact: without limits rho = -1 in {sum(rho == -1 for rho in whole)} of {len(whole)} "
            f"families "
            f"and grids (as for position-wise maps); with limits on the maps alone and every "
            f"rectangle a "
            f"possible truth it is above -1 in {sum(rho > -1 for rho in maps)} of {len(maps)}, at most "
            f"{float(max(maps)):.3g}.")
    return Measurement({"without limits": len(whole), "without limits and rho > -1":
                        sum(rho > -1 for rho in whole), "maps limited": len(maps),
                        "maps limited and rho > -1": sum(rho > -1 for rho in maps)}, text, "counted")
