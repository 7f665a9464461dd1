"""Section 5.1 for rotated rectangles: the relevance level under limits on the area."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

from theory.claims import simulated_5_1 as rows
from theory.claims.model import Claim, Proof
from theory.claims.proofs import smt


def _rotated_limits(i: dict[str, Any]) -> tuple[Any, Any]:
    from theory.families import RotatedRectangles

    return tuple(RotatedRectangles(i["height"], i["width"], max_area=i[name])
                 for name in ("area", "area_in"))


def _rotated_margin(i: dict[str, Any]) -> Fraction:
    from theory.relevance import relevance_level_exact

    n = i["height"] * i["width"]
    formula = max(Fraction(-1), 1 - Fraction(2 * (min(i["area"], n) + min(i["area_in"], n)), n))
    return relevance_level_exact(*_rotated_limits(i)) - formula


def _rotated_strategy() -> Any:
    from hypothesis import strategies as st

    side, area = st.integers(1, 4), st.integers(1, 16)
    return st.fixed_dictionaries({"height": side, "width": side, "area": area, "area_in": area}).filter(
        lambda i: i["height"] * i["width"] > 1)


def _rotated_proof() -> Proof:
    import z3

    s, t, both, k1, k2, n = z3.Ints("s t both k1 k2 n")
    sizes = z3.And(s >= 0, t >= 0, both >= 0, both <= s, both <= t, s + t - both <= n, s <= k1, t <= k2,
                   k1 <= n, k2 <= n)
    worst = z3.If(k1 + k2 <= n, n - 2 * (k1 + k2), -n)
    return smt("n Psi = n - 2 |S xor T|, and |S xor T| is at most k1 + k2 and at most n (lemma 1). "
               "In a direction in which no two positions tie, a half-plane and a half-plane from the "
               "other side hold any number of positions, and a large rectangle holds what a "
               "half-plane holds: the first s = min(k1, n - 1) and the last min(k2, n - s) positions "
               "are disjoint members, not empty, that attain it (lemma 2).",
               z3.Implies(sizes, n - 2 * (s + t - 2 * both) >= worst),
               z3.Implies(z3.And(n >= 2, k1 >= 1, k2 >= 1, k1 <= n, k2 <= n,
                                 s == z3.If(k1 < n, k1, n - 1),
                                 t == z3.If(k2 < n - s, k2, n - s), both == 0),
                          z3.And(s >= 1, t >= 1, n - 2 * (s + t - 2 * both) == worst)))


rho_rotated = Claim(
    id="rho-rotated", origin="beyond", source="section 5.1", kind="equality",
    title="With rotated rectangles of areas at most k and k', rho = max(-1, 1 - 2(k+k')/n)",
    statement=r"\rho=\max\bigl(-1,\,1-\tfrac{2}{n}(k+k')\bigr)",
    words="For rotated rectangles no condition is needed that two disjoint ones fit: every number of "
          "positions is attained, from two opposite sides of the grid.",
    assumptions="rotated rectangles, areas at most k in A and k' in A_in, 1 <= k, k' <= n, n > 1",
    instances=_rotated_strategy, margin=_rotated_margin,
    exhaustive=lambda: ({"height": h, "width": w, "area": k, "area_in": k2}
                        for h, w in ((1, 2), (1, 3), (2, 2), (2, 3), (3, 3))
                        for k, k2 in product(range(1, h * w + 1), repeat=2)),
    exhaustive_range="1x2, 1x3, 2x2, 2x3 and 3x3 and every pair of area limits",
    proof=_rotated_proof, simulated=rows.rotated,
    figure="relevance_vs_limit",
    code="theory.relevance.relevance_closed_form",
    test="tests/test_relevance.py")

CLAIMS = [rho_rotated]
