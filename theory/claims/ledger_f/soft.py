"""Proposition 4, its proof, its rescaled version, and Theorem 4: soft maps."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from theory.attention import rescale
from theory.claims.ledger_f import instances as pairs
from theory.claims.ledger_f.log_scale import LOG_SCALE_RESCALED
from theory.claims.model import Claim, Proof
from theory.injectivity import module

TEST = "tests/injectivity/test_claims.py"


def _norm(v: Any) -> float:
    return math.sqrt(sum(Fraction(a) ** 2 for a in np.ravel(v)))


def _prop_4_margin(instance: dict[str, Any], *, rescaled: bool = False) -> float:
    """|M(x) - M(x')| - (|x - x'| - |f(x)x - f(x')x'|): positive hypothesis, positive distance."""
    f, x, y = pairs.predictor(instance), instance["x"], instance["y"]
    left, right = (module(f, v, rescaled=rescaled) for v in (x, y))
    return _norm(left - right) - (_norm(x - y) - _norm((left - x) - (right - y)))


def _prop_4_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    d, h, total, a, b = z3.Reals("d h total a b")
    return smt(
        "If M(x) = M(x') then f(x)x - f(x')x' = -(x - x') entry by entry, so the two squared norms "
        "are equal (sums of equal squares), against the strict hypothesis.",
        z3.Implies(d + h == 0, h * h == d * d),
        z3.Implies(z3.And(a == total, b == total), z3.Not(a < b)))


PROP_4 = Claim(
    id="prop-4", title="If x -> f(x)x shrinks every distance, M is injective",
    source="Proposition 4",
    statement=r"\|f(x)x-f(x')x'\|<\|x-x'\|\Rightarrow M(x)\neq M(x')",
    words="The statement needs no fixed point theorem: equal outputs would make both norms equal.",
    assumptions="the strict inequality at the pair; the margin states |M(x) - M(x')| >= |x - x'| - "
                "|f(x)x - f(x')x'|, which needs none", kind="inequality",
    instances=lambda: pairs.any_pairs(binary=False), margin=_prop_4_margin, proof=_prop_4_proof,
    origin="paper", figure="injectivity", code="theory.injectivity.prop4_ratio", test=TEST)

# --- the paper's proof ----------------------------------------------------------------------------


def shrinking(x: Fraction) -> Fraction:
    """``H(x) = f(x) x`` for ``f(x) = 1 - |x|/2`` on [-1, 1]: shrinks all distances, no contraction.

    >>> shrinking(Fraction(1, 2))
    Fraction(3, 8)
    """
    return x - x * abs(x) / 2


def _challenges() -> Any:
    from hypothesis import strategies as st

    def answer(pair: tuple[int, int]) -> dict[str, Fraction]:
        alpha = Fraction(pair[0], pair[0] + pair[1])
        return {"alpha": alpha, "x": 1 - alpha, "y": Fraction(0)}

    return st.tuples(st.integers(1, 10**6), st.integers(1, 10**3)).map(answer)


def _contraction_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    x, y, alpha = z3.Reals("x y alpha")
    hx, hy = (v - v * z3.If(v >= 0, v, -v) / 2 for v in (x, y))
    shown = smt(
        "One pixel, f(x) = 1 - |x|/2 on [-1, 1], H(x) = f(x)x.  H shrinks every distance strictly, "
        "and for every alpha in (0, 1) the pair x = 1 - alpha, x' = 0 has |H(x) - H(x')| = "
        "(1 + alpha)/2 |x - x'| > alpha |x - x'|: no constant serves.",
        z3.Implies(z3.And(-1 <= y, y < x, x <= 1), z3.And(hx - hy < x - y, hy - hx < x - y)),
        z3.Implies(z3.And(0 < alpha, alpha < 1, x == 1 - alpha), hx > alpha * x))
    if shown.result is not True:
        return shown
    alpha = Fraction(1, 2)
    return Proof(False, shown.text, "SMT", {"alpha": alpha, "x": 1 - alpha, "y": Fraction(0)})


PROP_4_PROOF = Claim(
    id="prop-4-proof", title="The hypothesis of Proposition 4 makes x -> f(x)x a contraction",
    source="App. F, proof of Proposition 4",
    statement=r"(\forall x\neq x':\|H(x)-H(x')\|<\|x-x'\|)\Rightarrow\exists\alpha<1\,\forall x,x':"
              r"\|H(x)-H(x')\|\le\alpha\|x-x'\|",
    words="Theorem 4 asks for one constant alpha < 1.  Distances may shrink strictly and yet by a "
          "factor as close to 1 as you like; an instance is a proposed alpha and a pair that "
          "defeats it.",
    assumptions="the hypothesis of Proposition 4, met here by f(x) = 1 - |x|/2 on [-1, 1]",
    kind="inequality", instances=_challenges,
    margin=lambda i: (i["alpha"] * abs(i["x"] - i["y"])
                      - abs(shrinking(i["x"]) - shrinking(i["y"]))),
    proof=_contraction_proof, amendment=PROP_4, origin="paper",
    code="theory.injectivity.prop4_ratio", test=TEST)

# --- rescaled maps --------------------------------------------------------------------------------


def _maps() -> Any:
    def build(shape: tuple[int, int, int], flat: tuple[int, ...]) -> dict[str, Any]:
        values = flat if any(flat) else (1,) * len(flat)
        grid = (shape[0], shape[1] * shape[2])
        return {"map": np.array([Fraction(v, 12) for v in values], dtype=object).reshape(grid)}

    return pairs.of_shapes(lambda h, w, c: h * w * c, build, 0, 12)


def _rescaled_gain(instance: dict[str, Any]) -> Fraction:
    """|f~ x|^2 - |x|^2 for x = 1 at every position."""
    f = rescale(instance["map"])
    return sum(v * v for v in f.ravel()) - f.size


def _rescaled_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    v, total, n = z3.Reals("v total n")
    return smt(
        "(f~ - 1)^2 >= 0 gives f~^2 >= 2 f~ - 1 at every position; summed over the HW = n positions "
        "with sum f~ = n: sum f~^2 >= n.  So for x of norm m > 0 at every position and x' = 0, both "
        "in the ball for small m, |f~(x)x - f~(x')x'|^2 = m^2 sum f~^2 >= m^2 n = |x - x'|^2: the "
        "strict inequality fails at this pair, whatever f.",
        v * v >= 2 * v - 1, z3.Implies(total >= 2 * n - n, total >= n))


PROP_4_RATIO = Claim(
    id="prop-4-rescaled-ratio", title="A rescaled map never shrinks an input of equal norms",
    source="beyond the paper (Prop. 4, Eq. 7)", statement=r"\sum_{ij}\tilde f_{ij}^2\ge HW",
    words="For an input with the same norm at every position, |f~(x)x| >= |x|.",
    assumptions="f is non-negative, not 0 everywhere", kind="inequality", instances=_maps,
    margin=_rescaled_gain, proof=_rescaled_proof, origin="beyond", code="theory.attention.rescale",
    test=TEST)


def _positive_pairs() -> Any:
    def positive(instance: dict[str, Any]) -> dict[str, Any]:
        maps = {k: (instance[k] + Fraction(1, 12)) * Fraction(12, 13) for k in ("map_x", "map_y")}
        return {**instance, **maps}

    return pairs.any_pairs(binary=False).map(positive)


PROP_4_RESCALED = Claim(
    id="prop-4-rescaled", title="Proposition 4 for the rescaled map",
    source="Proposition 4, last sentence",
    statement=r"(\forall x\neq x'\in S(0,\delta):\|\tilde f(x)x-\tilde f(x')x'\|<\|x-x'\|)"
              r"\Rightarrow M\text{ is injective}",
    words="True, but no rescaled map meets the hypothesis on any ball.",
    assumptions="the strict inequality for all pairs of a ball around 0", kind="inequality",
    unsatisfiable=_rescaled_proof, amendment=LOG_SCALE_RESCALED, origin="paper",
    figure="injectivity", code="theory.injectivity.prop4_ratio", test=TEST)

# --- Theorem 4 ------------------------------------------------------------------------------------


def _operators() -> Any:
    from hypothesis import strategies as st

    turn = st.floats(0.0, 2 * math.pi, allow_subnormal=False)
    share = st.floats(0.0, 1.0, allow_subnormal=False)

    def build(v: tuple[float, ...]) -> dict[str, Any]:
        a, b, s1, s2, part, d_at, length, h_at, use = v
        rotations = [np.array([[math.cos(t), -math.sin(t)], [math.sin(t), math.cos(t)]])
                     for t in (a, b)]
        alpha = part * min(s1, s2)
        d = length * np.array([math.cos(d_at), math.sin(d_at)])
        h = use * alpha * length * np.array([math.cos(h_at), math.sin(h_at)])
        return {"A": rotations[0] @ np.diag([s1, s2]) @ rotations[1], "alpha": alpha,
                "x - y": d, "Gx - Gy": h}

    size = st.floats(0.05, 4.0)
    return st.tuples(turn, turn, size, size, share, turn, size, turn, share).map(build)


def _theorem_4_margin(instance: dict[str, Any]) -> float:
    """|Fx - Fy| - (1/beta - alpha)|x - y|, with 1/beta the smallest singular value of A."""
    a, d, h = (instance[k] for k in ("A", "x - y", "Gx - Gy"))
    least = float(np.linalg.svd(a, compute_uv=False).min())
    return float(np.linalg.norm(a @ d - h) - (least - instance["alpha"]) * np.linalg.norm(d))


THM_4 = Claim(
    id="thm-4", title="A - G is a homeomorphism if alpha < 1/|A^-1|",
    source="Theorem 4 (Ortega and Rheinboldt, ch. 5)",
    statement=r"\|Gx-Gy\|\le\alpha\|x-y\|,\ \alpha<\beta^{-1}\Rightarrow F=A-G\text{ is a "
              r"homeomorphism onto its image}",
    words="Quoted.  Searched here: the bound |Fx - Fy| >= (1/beta - alpha)|x - y| that makes F "
          "injective with a continuous inverse.",
    assumptions="A is non-singular, beta = |A^-1|; G has the constant alpha on a closed ball",
    kind="cited", instances=_operators, margin=_theorem_4_margin, origin="paper",
    code="theory.injectivity", test=TEST)


def _theorem_4_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    f, a, g, d, low, alpha = z3.Reals("f a g d low alpha")
    given = z3.And(f >= a - g, a >= low * d, g <= alpha * d, d > 0)
    return smt(
        "With f = |Fx - Fy|, a = |A(x - y)|, g = |Gx - Gy|, d = |x - y| and low = 1/beta: the "
        "triangle inequality f >= a - g, a >= d/beta (as d = |A^-1 A(x - y)| <= beta a) and g <= "
        "alpha d give f >= (1/beta - alpha) d, positive for alpha < 1/beta.",
        z3.Implies(given, f >= (low - alpha) * d),
        z3.Implies(z3.And(given, alpha < low), f > 0))


THM_4_INJECTIVE = Claim(
    id="thm-4-injective", title="The part of Theorem 4 that injectivity needs",
    source="beyond the paper (Theorem 4)",
    statement=r"\|Fx-Fy\|\ge(\beta^{-1}-\alpha)\|x-y\|",
    words="F stretches distances at least by 1/beta - alpha, so with alpha < 1/beta it is injective.",
    assumptions="A is non-singular, beta = |A^-1|; G has the constant alpha at the pair",
    kind="inequality", instances=_operators, margin=_theorem_4_margin, proof=_theorem_4_proof,
    origin="beyond", code="theory.injectivity", test=TEST)

CLAIMS = [PROP_4, PROP_4_PROOF, PROP_4_RESCALED, PROP_4_RATIO, THM_4, THM_4_INJECTIVE]
