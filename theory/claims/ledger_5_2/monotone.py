"""Do better maps separate the classes better?  Section 5.2's text and Remark 3's last sentence."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from theory.claims import simulated_5_2 as rows
from theory.claims.ledger_5_2 import instances as ranges
from theory.claims.ledger_5_2.instances import arguments, classes, separation
from theory.claims.model import Claim, Proof
from theory.separation import optimal_accuracy, separation_bounds

TEST = "tests/separation/test_claims.py"
PAIRS = "p = (1,0,0), p' = (0,1,0), p_bg = (0,1/2,1/2), lambda in {0, 1/2, 1}"
CLEAN = ("p_bg = (0,0,1/2,1/2), p != p' in halves on the other two atoms, lambda in {0, 1/2, 1} there "
         "and in {0, 1/2} on the background")
APART = ("p_bg (p - p') = 0: no background where the pure classes differ (with p_bg p = p_bg p' = 0 "
         "no background in the classes' supports); eta is defined")


def _lower_bound_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    low, high, part, a, b, c, d = z3.Reals("low high part a b c d")
    return smt(
        "lambda_low d_+- <= lambda_high d_+- at every point, so A+ and A- do not fall, nor does "
        "the smaller one.",
        z3.Implies(z3.And(low <= high, part >= 0), low * part <= high * part),
        z3.Implies(z3.And(a <= c, b <= d), z3.If(a < b, a, b) <= z3.If(c < d, c, d)))


LOWER_BOUND_MONOTONE = Claim(
    id="lower-bound-monotone", title="The guaranteed separation grows with lambda",
    source="section 5.2, Theorem 2",
    statement=r"\lambda_1\le\lambda_2\Rightarrow\min(A_+,A_-)(\lambda_1)\le "
              r"\min(A_+,A_-)(\lambda_2)",
    words="Not TV itself but its lower bound (and that of the accuracy, (1 + bound)/2) increases as "
          "maps get better.", assumptions="lambda_1 <= lambda_2 at every point",
    kind="inequality", instances=ranges.ordered_maps,
    margin=lambda i: (separation_bounds(*arguments(i, "high"))[0]
                      - separation_bounds(*arguments(i, "low"))[0]),
    exhaustive=ranges.small_ordered_maps,
    exhaustive_range=PAIRS,
    proof=_lower_bound_proof, origin="amended",
    figure="sandwich",
    code="theory.separation.separation_bounds",
    test=TEST)


def _apart_lemmas() -> list[Any]:
    """Lemmas 1 and 2: where the background lives d is 0, so its term leaves (lambda d)_+ alone."""
    import z3

    lam, d, g, free, m, r, a, b = z3.Reals("lam d g free m r a b")
    given = z3.And(0 <= lam, lam <= 1, g >= 0, g * d == 0, free > 0, m >= 0, r * free == (1 - lam) * g)
    both = lam * d - m * r
    return [z3.Implies(given, z3.If(both > 0, both, 0) == z3.If(lam * d > 0, lam * d, 0)),
            z3.Implies(a >= b, z3.If(a < b, b, a) == a)]


APART_TEXT = (
    "As for sec-5.2-tv-exact p_y - p_y' = lambda d - m r with d the pure difference, m = A+ - A-, "
    "r = (1 - lambda)p_bg/N and N = int (1 - lambda)p_bg > 0; let m >= 0, else swap the classes.  "
    "p_bg d = 0 makes the positive part (lambda d)_+ at every point (lemma 1), so TV = A+, the larger "
    "of A+ and A- (lemma 2).")


def _apart_proof() -> Proof:
    from theory.claims.proofs import smt

    return smt(APART_TEXT, *_apart_lemmas())


def _apart_monotone_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    low, high, part, a, b, c, d = z3.Reals("low high part a b c d")
    return smt(
        APART_TEXT + "  lambda_low d_+- <= lambda_high d_+- at every point, so A+ and A- do not fall, "
        "nor does the larger one.", *_apart_lemmas(),
        z3.Implies(z3.And(low <= high, part >= 0), low * part <= high * part),
        z3.Implies(z3.And(a <= c, b <= d), z3.If(a < b, b, a) <= z3.If(c < d, d, c)))


def _apart_margin(instance: dict[str, Any]) -> Fraction:
    """The larger difference |TV - max(A+, A-)| of the two maps."""
    return max(abs(separation(instance, key) - separation_bounds(*arguments(instance, key))[1])
               for key in ("low", "high"))


APART_EXACT = Claim(
    id="sec-5.2-apart", title="If the background lives where the pure classes agree, TV = max(A+, A-)",
    source="beyond the paper (section 5.2)",
    statement=r"p_{bg}\,(p^{pure}_y-p^{pure}_{y'})=0\Rightarrow d_{TV}(D_y,D_{y'})=\max(A_+,A_-)",
    words="The background absorbs nothing of the separation (sec-5.2-tv-exact) if it has no mass where "
          "the pure classes differ: TV is then its upper end.",
    assumptions=APART, kind="equality", instances=ranges.clean_backgrounds,
    margin=_apart_margin, exhaustive=ranges.small_clean_backgrounds, exhaustive_range=CLEAN,
    proof=_apart_proof, origin="beyond", figure="sandwich",
    code="theory.separation.separation_bounds", test=TEST)

MONOTONE_APART = Claim(
    id="sec-5.2-monotone-apart",
    title="Better maps never separate less if the background lives where the pure classes agree",
    source="section 5.2, text before Eq. 18",
    statement=r"p_{bg}\,(p^{pure}_y-p^{pure}_{y'})=0,\ \lambda_1\le\lambda_2\Rightarrow "
              r"d_{TV}(D_y,D_{y'})(\lambda_1)\le d_{TV}(D_y,D_{y'})(\lambda_2)",
    words="The paper says that the background 'does not contain relevant information to distinguish "
          "one class from another'.  Read as: it has no mass where the pure classes differ, better "
          "maps do separate them at least as much, and the optimal accuracy (1 + TV)/2 does not fall.",
    assumptions="lambda_1 <= lambda_2 at every point; " + APART + " for both",
    kind="inequality", instances=ranges.clean_backgrounds,
    margin=lambda i: separation(i, "high") - separation(i, "low"),
    exhaustive=ranges.small_clean_backgrounds, exhaustive_range=CLEAN,
    proof=_apart_monotone_proof, origin="amended", figure="sandwich",
    code="theory.separation.total_variation", test=TEST)

MONOTONE = Claim(
    id="sec-5.2-monotone", title="Better maps separate the classes more",
    source="section 5.2, text before Eq. 17 and before Theorem 2",
    statement=r"\lambda_1\le\lambda_2\Rightarrow d_{TV}(D_y,D_{y'})(\lambda_1)\le "
              r"d_{TV}(D_y,D_{y'})(\lambda_2)",
    words="'Get closer' read as: the fitting rate falls at no input.  The counterexample needs a "
          "background that has mass where the pure classes differ; if it has none, the sentence "
          "holds (sec-5.2-monotone-apart).  The model, Eq. 18, does not ask for that: it asks for one "
          "background for all classes.  The sentence also holds if all errors shrink by one factor "
          "(sec-5.2-proportional) or the worse map is binary (sec-5.2-binary-worse); TV's lower bound "
          "never falls (lower-bound-monotone); by how much TV can fall else: sec-5.2-gap-bound.",
    assumptions="lambda_1 <= lambda_2 at every point; eta is defined for both",
    kind="inequality", instances=ranges.ordered_maps,
    margin=lambda i: separation(i, "high") - separation(i, "low"),
    exhaustive=ranges.small_ordered_maps,
    exhaustive_range=PAIRS,
    amendment=MONOTONE_APART, simulated=rows.monotone, origin="paper",
    figure="sandwich", code="theory.separation.total_variation", test=TEST)

REMARK_3_INCREASES = Claim(
    id="remark-3-increases", title="The optimal accuracy increases with better maps",
    source="Remark 3",
    statement=r"\lambda_1\le\lambda_2\Rightarrow\frac{1+d_{TV}(\lambda_1)}{2}\le "
              r"\frac{1+d_{TV}(\lambda_2)}{2}",
    words="'Approach' read as for sec-5.2-monotone, of which this is (1 + TV)/2: it fails only where "
          "the background has mass where the pure classes differ, and holds else "
          "(sec-5.2-monotone-apart).  The accuracy's lower bound never falls.",
    assumptions="lambda_1 <= lambda_2 at every point; eta is defined for both",
    kind="inequality", instances=ranges.ordered_maps,
    margin=lambda i: optimal_accuracy(*classes(i, "high")) - optimal_accuracy(*classes(i, "low")),
    exhaustive=ranges.small_ordered_maps,
    exhaustive_range=PAIRS,
    amendment=LOWER_BOUND_MONOTONE, origin="paper", code="theory.separation.optimal_accuracy",
    test=TEST)


def _two_atoms_proof() -> Proof:
    import sympy
    import z3

    from theory.claims.proofs import smt, symbolic

    a, b, l1, l2, g1, g2 = sympy.symbols("a b l1 l2 g1 g2")
    free = (1 - l1) * g1 + (1 - l2) * g2
    first = [l1 * p + ((1 - l1) * p + (1 - l2) * (1 - p)) / free * (1 - l1) * g1 for p in (a, b)]
    share = (l1 * (1 - l2) * g2 + l2 * (1 - l1) * g1) / free
    identities = symbolic(
        "", first[0] - first[1] - (a - b) * share,
        sympy.diff(share, l1) - (1 - l2) ** 2 * g2 * (g1 + g2) / free**2,
        sympy.diff(share, l2) - (1 - l1) ** 2 * g1 * (g1 + g2) / free**2)
    if not identities.result:
        return identities
    x1, x2, y1, y2 = z3.Reals("l1 l2 g1 g2")
    given = z3.And(0 <= x1, x1 <= 1, 0 <= x2, x2 <= 1, y1 >= 0, y2 >= 0)
    return smt(
        "On two atoms with p = (a, 1-a), p' = (b, 1-b): TV = |a - b| s with s = (l1(1-l2)g2 + "
        "l2(1-l1)g1)/N, N = (1-l1)g1 + (1-l2)g2, and ds/dl1 = (1-l2)^2 g2 (g1+g2)/N^2, likewise "
        "ds/dl2 (3 identities by SymPy).  Both are >= 0, s >= 0, and N > 0 at the better map keeps "
        "N > 0 on the way from the worse one, as N falls in l1 and l2.",
        z3.Implies(given, (1 - x2) * (1 - x2) * (y2 * (y1 + y2)) >= 0),
        z3.Implies(given, x1 * ((1 - x2) * y2) + x2 * ((1 - x1) * y1) >= 0))


TWO_ATOMS = Claim(
    id="sec-5.2-two-atoms", title="With two atoms TV does grow with lambda",
    source="beyond the paper (section 5.2)",
    statement=r"|\mathcal X|=2,\ \lambda_1\le\lambda_2\Rightarrow d_{TV}(\lambda_1)\le "
              r"d_{TV}(\lambda_2)",
    words="The counterexamples to monotonicity need three atoms: two never suffice.",
    assumptions="two atoms; lambda_1 <= lambda_2; eta is defined for both", kind="inequality",
    instances=lambda: ranges.ordered_maps(2, 2),
    margin=lambda i: separation(i, "high") - separation(i, "low"), proof=_two_atoms_proof,
    simulated=rows.two_atoms, origin="beyond",
    figure="sandwich",
    code="theory.separation.total_variation", test=TEST)


def gap_family(e: Fraction) -> dict[str, Any]:
    """Three atoms, ``low <= high``, whose TV falls from (1-e)/(1+e) to 0, for e in (0, 1]."""
    zero, one = Fraction(0), Fraction(1)
    return {"pure": ranges.density([1, 0, 0]), "other": ranges.density([0, 1, 0]),
            "background": ranges.density([0, 1, 1]),
            "low": np.array([zero, 1 - e, zero], dtype=object),
            "high": np.array([zero, 1 - e, one], dtype=object)}


def _gap_margin(instance: dict[str, Fraction]) -> Fraction:
    e = instance["e"]
    family = gap_family(e)
    return max(abs(separation(family, "low") - (1 - e) / (1 + e)), separation(family, "high"))


def _gap_proof() -> Proof:
    import sympy

    from theory.claims.proofs import symbolic

    e = sympy.symbols("e", positive=True)
    half, identities = sympy.Rational(1, 2), []
    for lam, tv in (([0, 1 - e, 0], (1 - e) / (1 + e)), ([0, 1 - e, 1], 0)):
        g = [0, half, half]
        free = sum((1 - a) * b for a, b in zip(lam, g, strict=True))
        y, other = ([a * p + sum((1 - s) * r for s, r in zip(lam, pure, strict=True)) / free
                     * (1 - a) * b for a, p, b in zip(lam, pure, g, strict=True)]
                    for pure in ([1, 0, 0], [0, 1, 0]))
        for got, sign in zip(y, (0, -1, 1), strict=True):
            identities.append(got - other.pop(0) - sign * tv)
    return symbolic("p_y - p_y' is (0, -t, t) with t = (1-e)/(1+e) under the low map and 0 under "
                    "the high one; t >= 0 for e in (0, 1], so it is the TV.", *identities)


def _levels() -> Any:
    from hypothesis import strategies as st

    pair = st.tuples(st.integers(1, 10**4), st.integers(0, 10**4))
    return pair.map(lambda t: {"e": Fraction(t[0], t[0] + t[1])})


GAP = Claim(
    id="sec-5.2-gap", title="A better map can undo nearly all separation",
    source="beyond the paper (section 5.2)",
    statement=r"\lambda_1=(0,1-e,0),\ \lambda_2=(0,1-e,1):\ d_{TV}=\frac{1-e}{1+e}\ "
              r"\text{and}\ 0\quad\text{for } p=(1,0,0),\ p'=(0,1,0),\ p_{bg}=(0,\frac12,\frac12)",
    words="A family of three-atom models in which improving the map on one background atom drops "
          "TV from nearly 1 to 0: as far as fitting rates between 0 and 1 allow (sec-5.2-gap-bound).",
    assumptions="0 < e <= 1", kind="equality", instances=_levels, margin=_gap_margin,
    proof=_gap_proof, origin="beyond",
    figure="sandwich",
    code="theory.separation.total_variation", test=TEST)

CLAIMS = [MONOTONE, MONOTONE_APART, APART_EXACT, LOWER_BOUND_MONOTONE, REMARK_3_INCREASES,
          TWO_ATOMS, GAP]
