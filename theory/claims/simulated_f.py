"""Simulations of Appendix F: collisions of small predictors whose gain is swept."""

from __future__ import annotations

from collections.abc import Callable

from theory.claims.ledger_4_measured import finite
from theory.claims.model import Measurement
from theory.claims.simulated import Row, field, usable, verdict

NAME, SOFT, BINARY = "injectivity", "injectivity-soft", "injectivity-binary"
EXACT = 1e-40  # residual of a collision in 60 digits


def proposition_3() -> Measurement | None:
    """Collisions of binary predictors, all patterns tried, and those that meet Prop. 3's condition."""
    found = usable(NAME, BINARY, "repeats", "inputs_with_collision", "collisions",
                   "collisions_verified", "collisions_that_meet_prop_3")
    if not found:
        return None
    inputs, hit, pairs, sure, against = (sum(r[k] for r in found) for k in (
        "repeats", "inputs_with_collision", "collisions", "collisions_verified",
        "collisions_that_meet_prop_3"))
    text = (f"all patterns of doublings for {inputs:,} integer inputs of {len(found)} binary "
            f"predictors: {hit:,} inputs collide, {sure:,} of {pairs:,} pairs have equal outputs "
            f"exactly, and {against:,} of them meet the condition.")
    return Measurement({"inputs": inputs, "inputs with a collision": hit, "collisions": pairs,
                        "exact": sure, "meet the condition": against},
                       verdict(text, [(against, "collisions meet the condition")]), "counted")


def _soft(where: Callable[[Row], bool], *numbers: str) -> list[Row]:
    return [r for r in usable(NAME, SOFT, *numbers, where=where)
            if isinstance(r.get("collision"), bool)]


def _log_scale(rescaled: bool) -> Callable[[], Measurement | None]:
    def measure() -> Measurement | None:
        found = _soft(lambda r: r.get("rescaled") is rescaled, "largest_row_sum", "scalings",
                      "scalings_violating", "smallest_stretch")
        if not found:
            return None
        holds = [r for r in found if r["largest_row_sum"] < 1 and not r["scalings_violating"]]
        fails = [r for r in found if r not in holds]
        against = sum(r["collision"] for r in holds)
        text = (f"{len(found)} smooth predictors, {sum(r['scalings'] for r in found):,} random "
                f"scalings and a search: where no failure of the condition is found ({len(holds)}) "
                f"there {'is no collision' if not against else f'are {against} collisions'}")
        if holds:
            text += (f" and log M moves by at least "
                     f"{min(r['smallest_stretch'] for r in holds):.2g} times |t|")
        text += (f"; where it fails ({len(fails)}) collisions are found in "
                 f"{sum(r['collision'] for r in fails)}.")
        return Measurement(
            {"predictors": len(found), "condition not seen to fail": len(holds),
             "collisions there": against, "condition fails": len(fails),
             "collisions where it fails": sum(r["collision"] for r in fails)},
            verdict(text, [(against, "collisions where the condition was not seen to fail")]),
            "Monte Carlo")

    return measure


log_scale = _log_scale(False)
log_scale_rescaled = _log_scale(True)


def scale_blind() -> Measurement | None:
    """Predictors that ignore the scale of positions: determinants, stretches, collisions."""
    found = _soft(lambda r: str(r.get("name", "")).startswith("blind"), "least_determinant",
                  "smallest_stretch")
    if not found:
        return None
    binary = usable(NAME, BINARY, "repeats", "collisions",
                    where=lambda r: str(r.get("name", "")).startswith("blind"))
    hit = sum(r["collision"] for r in found) + sum(r["collisions"] for r in binary)
    inputs, least = sum(r["repeats"] for r in binary), min(r["smallest_stretch"] for r in found)
    short = sum(r["smallest_stretch"] < 1 - 1e-6 for r in found)
    text = (f"{len(found)} smooth predictors that ignore scale, with and without rescaling, and "
            f"{inputs:,} inputs of {len(binary)} binary ones: {hit} collisions; scaling by e^t moves "
            f"log M of the "
            f"smooth ones by at least {least:.6g} times |t|.")
    return Measurement(
        {"predictors": len(found), "binary inputs": inputs, "collisions": hit,
         "smallest stretch": least},
        verdict(text, [(hit, "collisions"), (short, "predictors stretch by less than 1")]),
        "Monte Carlo")


def determinant() -> Measurement | None:
    """Predictors with det(I + J) < 0 somewhere: collisions found, and verified in 60 digits."""
    found = _soft(lambda r: True, "least_determinant", "attempts")
    if not found:
        return None
    negative = [r for r in found if r["least_determinant"] < 0]
    hit = [r for r in negative if r["collision"]]
    sure = [r for r in hit if all(finite(field(r, f"decimal/{k}")) for k in (
        "residual", "distance", "determinant")) and field(r, "decimal/residual") < EXACT
        and field(r, "decimal/distance") > 0 > field(r, "decimal/determinant")]
    positive = [r for r in found if r["least_determinant"] > 0]
    against = sum(r["collision"] for r in positive)
    text = (f"{len(found)} smooth predictors: a search finds det(I + J) < 0 in {len(negative)}; from "
            f"there a collision is found in {len(hit)}, {len(sure)} of them again in 60 digits with "
            f"the sign of the determinant (the other {len(negative) - len(hit)} are not decided).")
    return Measurement({"predictors": len(found), "negative determinant": len(negative),
                        "collisions": len(hit), "in 60 digits": len(sure)},
                       verdict(text, [(against, "collisions where no determinant below 0 was found")]),
                       "Monte Carlo")
