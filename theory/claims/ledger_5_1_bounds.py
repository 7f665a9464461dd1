"""Section 5.1, second part: Theorem 1 and its ceiling, Prop. 2, Theorem 3."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from theory.claims import problems as P
from theory.claims import simulated_5_1 as rows
from theory.claims.model import Claim, Proof, Undefined
from theory.claims.proofs import smt, symbolic

BOUNDS = "tests/test_bounds.py"
LEDGER = "tests/test_ledger_5_1.py"


def mixing_proof(text: str) -> Proof:
    """Averages keep bounds: the two-point step of every expectation over a finite law."""
    import z3

    u, v, w, c = z3.Reals("u v w c")
    return smt(text, z3.Implies(z3.And(u <= c, v <= c, w >= 0, w <= 1),
                                w * u + (1 - w) * v <= c))


ceiling = Claim(
    id="ceiling", origin="beyond", source="Def. 5.2", kind="inequality",
    title="The trivial ceiling: R(f) <= (1 - rho)/2 with certainty",
    statement=r"R(f)\le\tfrac{1-\rho}{2}",
    words="rho is defined as the smallest catching rate, so no missing rate exceeds (1 - rho)/2.",
    assumptions="A in A_in almost surely", instances=P.problems,
    margin=lambda p: (1 - P.relevance(p)) / 2 - P.risk(p),
    proof=lambda: mixing_proof("Phi <= (1 - rho)/2 pointwise by Eq. 14; an expectation is built "
                                "from two-point mixtures, which keep the bound."),
    simulated=rows.ceiling, code="theory.bounds.ceiling", test=BOUNDS,
    figure="bound_vs_data, theorem_1")


def _theorem_1(p: dict[str, Any]) -> float:
    n, delta = len(p["sample"]), p["delta"]
    if 2 / delta < 1:
        raise Undefined(f"log(2/delta) < 0 under the root for delta = {delta:g}")
    slack = 3 * math.sqrt(math.log(2 / delta) / (2 * n))
    return float(P.empirical(p) + (1 - P.relevance(p)) / 2 - P.risk(p)) + slack


def _sharp_strategy() -> Any:
    from hypothesis import strategies as st

    return st.fixed_dictionaries({
        "rho": st.floats(-1, 1), "low": st.floats(0, 1), "high": st.floats(0, 1),
        "probability": st.floats(0, 1), "n": st.integers(1, 60), "delta": st.floats(1e-4, 0.999)})


def _two_point_coverage(n: int, p: float, bounded: np.ndarray) -> float:
    """P(count in bounded) for a Binomial(n, p) count."""
    k = np.arange(n + 1)
    if p in (0.0, 1.0):
        return float(bounded[n if p == 1.0 else 0])
    logs = np.array([math.lgamma(n + 1) - math.lgamma(j + 1) - math.lgamma(n - j + 1) for j in k])
    mass = np.exp(logs + k * math.log(p) + (n - k) * math.log1p(-p))
    return float(mass[bounded].sum() / mass.sum())


def _sharp_margin(i: dict[str, Any]) -> float:
    """Exact coverage minus 1 - delta, for g taking two values in [0, (1 - rho)/2]."""
    c = (1 - i["rho"]) / 2
    g0, g1, n, p = c * i["low"], c * i["high"], i["n"], i["probability"]
    means = g0 + (g1 - g0) * np.arange(n + 1) / n
    risk = (1 - p) * g0 + p * g1
    good = risk <= means + c * math.sqrt(math.log(1 / i["delta"]) / (2 * n)) + 1e-12
    return _two_point_coverage(n, p, good) - (1 - i["delta"])


sharp_bound = Claim(
    id="sharp-bound", origin="amended", source="Theorem 1, sharpened", kind="inequality",
    title="R(f) <= mean g + (1-rho)/2 sqrt(log(1/delta)/2N), uniformly, with probability 1 - delta",
    statement=r"R(f)\le \mathbb E\,g\le \tfrac1N\sum_i g(a_i)+\tfrac{1-\rho}{2}"
              r"\sqrt{\tfrac{\log(1/\delta)}{2N}},\qquad g(a)=\max_{b\in\mathcal A}\Phi(b,a)",
    words="The exact-complexity version of Theorem 1 without the empirical missing rate; coverage is "
          "computed exactly for g with two values. The step is Hoeffding's inequality (cited).",
    assumptions="A in A_in a.s.; i.i.d. sample; delta in (0, 1); mean g equals 2 R_S if targets lie "
                "in A and X has no atoms",
    instances=_sharp_strategy, margin=_sharp_margin, simulated=rows.sharp,
    code="theory.bounds.sharp_bound", test=BOUNDS, figure="bound_vs_data, theorem_1")

thm_1 = Claim(
    id="thm-1", origin="paper", source="Theorem 1, Eq. 16", kind="inequality",
    title="Generalization of the missing rate",
    statement=r"R(f)\le\hat R(f)+\tfrac{1-\rho}{2}+3\sqrt{\tfrac{\log(2/\delta)}{2N}}",
    words="With probability 1 - delta, for all f at once. True, and never informative: the ceiling "
          "(1 - rho)/2 is below the right-hand side and holds with certainty for any N.",
    assumptions="A in A_in almost surely, i.i.d. sample, delta in (0, 1)",
    instances=P.problems, margin=_theorem_1, implied_by=ceiling, amendment=sharp_bound,
    simulated=rows.theorem_1, code="theory.bounds.theorem_1", test=BOUNDS,
    figure="bound_vs_data, theorem_1")


def _any_delta() -> Any:
    from hypothesis import strategies as st

    return st.tuples(P.problems(), st.floats(0.01, 5)).map(lambda t: {**t[0], "delta": t[1]})


thm_1_any_delta = Claim(
    id="thm-1-any-delta", origin="paper", source="Theorem 1", kind="inequality",
    title="Theorem 1 'for any delta > 0'",
    statement=r"\forall\delta>0:\ R(f)\le\hat R(f)+\tfrac{1-\rho}{2}+3\sqrt{\log(2/\delta)/(2N)}",
    words="Read to the letter: for delta > 2 the root is not real; for delta in [1, 2] 'probability "
          "at least 1 - delta' says nothing.  Read with delta in (0, 1), as usual, it is thm-1.",
    assumptions="as the paper states them",
    instances=P.problems, margin=_theorem_1, domain=_any_delta, amendment=thm_1,
    code="theory.bounds.theorem_1", test=BOUNDS)


def _prop_2_proof() -> Proof:
    import z3

    hi, lo, rho, x, y, top_x, top_y = z3.Reals("hi lo rho x y X Y")
    return smt("A supremum of a sum is at most the sum of the suprema (lemma 1); for one index "
               "E sup_b s Phi(b, a) = (max Phi - min Phi)/2 over the sign s, and 0 <= min Phi <= "
               "max Phi <= (1 - rho)/2 gives (1 - rho)/4 (lemma 2).",
               z3.Implies(z3.And(x <= top_x, y <= top_y), x + y <= top_x + top_y),
               z3.Implies(z3.And(0 <= lo, lo <= hi, hi <= (1 - rho) / 2),
                          (hi - lo) / 2 <= (1 - rho) / 4))


prop_2 = Claim(
    id="prop-2", origin="paper", source="Prop. 2", kind="inequality",
    title="The empirical Rademacher complexity is at most (1 - rho)/4",
    statement=r"\hat{\mathcal R}_S(\mathcal G)\le\tfrac{1-\rho}{4}",
    words="Checked with repeated inputs too, by all sign vectors in exact arithmetic.",
    assumptions="all functions into A; A in A_in almost surely", instances=P.problems,
    margin=lambda p: (1 - P.relevance(p)) / 4 - P.complexity(p), proof=_prop_2_proof,
    simulated=rows.complexities, code="theory.rademacher", test=LEDGER, figure="rademacher_vs_n")


def _closed_form(p: dict[str, Any]) -> Fraction:
    phi = P.missing(p)
    columns = [[row[p["atoms"][i][1]] for row in phi] for i in p["sample"]]
    return sum((max(c) - min(c) for c in columns), Fraction(0)) / (2 * len(columns))


def separable_proof() -> Proof:
    """The supremum of a separable sum over free choices is the sum of the suprema."""
    import z3

    mask = z3.DeclareSort("Mask")
    u, v = (z3.Function(name, mask, z3.RealSort()) for name in "uv")
    b, c = z3.Consts("b c", mask)
    top_u, top_v, hi, lo = z3.Reals("U V hi lo")
    sup = z3.And(z3.ForAll([b], u(b) <= top_u), z3.Exists([b], u(b) == top_u),
                 z3.ForAll([c], v(c) <= top_v), z3.Exists([c], v(c) == top_v))
    return smt("On distinct inputs F_A is every choice of one mask an input, so the supremum of the "
               "sum is the sum of the suprema (lemmas 1, 2: bound and attainment for two inputs, "
               "then one by one); averaging over the sign of one index gives (max Phi - min Phi)/2 "
               "= (max Psi - min Psi)/4.",
               z3.Implies(sup, z3.ForAll([b, c], u(b) + v(c) <= top_u + top_v)),
               z3.Implies(sup, z3.Exists([b, c], u(b) + v(c) == top_u + top_v)),
               ((1 - lo) / 2 - (1 - hi) / 2) / 2 == (hi - lo) / 4)


prop_2_exact = Claim(
    id="prop-2-exact", origin="beyond", source="Prop. 2, sharpened", kind="equality",
    title="Exact empirical Rademacher complexity for distinct inputs",
    statement=r"\hat{\mathcal R}_S=\tfrac{1}{4N}\sum_i\bigl[\max_b\Psi(b,a_i)-\min_b\Psi(b,a_i)\bigr]",
    words="No sampling needed. Against the enumeration of all sign vectors.",
    assumptions="all functions into A, distinct inputs", instances=P.problems,
    margin=lambda p: P.complexity(p, distinct=True) - _closed_form(p), proof=separable_proof,
    code="theory.rademacher", test=LEDGER, figure="rademacher_vs_n")

def _repeats_proof() -> Proof:
    import z3

    mask = z3.DeclareSort("Mask")
    u, v = (z3.Function(name, mask, z3.RealSort()) for name in "uv")
    b = z3.Const("b", mask)
    top_u, top_v = z3.Reals("U V")
    return smt("For two equal inputs one mask b serves both signs: u(b) + v(b) is at most sup u + "
               "sup v, which distinct inputs attain; for more inputs one by one, for every sign "
               "vector, hence in the mean; the right-hand side is prop-2-exact.",
               z3.Implies(z3.And(z3.ForAll([b], u(b) <= top_u), z3.ForAll([b], v(b) <= top_v)),
                          z3.ForAll([b], u(b) + v(b) <= top_u + top_v)))


prop_2_repeats = Claim(
    id="prop-2-repeats", origin="beyond", source="Prop. 2, sharpened", kind="inequality",
    title="Repeated inputs only lower the complexity",
    statement=r"\hat{\mathcal R}_S\le\tfrac{1}{4N}\sum_i[\max_b\Psi(b,a_i)-\min_b\Psi(b,a_i)]",
    words="Equal inputs must get equal maps: the supremum is over fewer choices.",
    assumptions="all functions into A", instances=P.problems,
    margin=lambda p: P.complexity(p, distinct=True) - P.complexity(p), proof=_repeats_proof,
    code="theory.rademacher", test=LEDGER)


def _all_masks_problem() -> Any:
    from hypothesis import strategies as st

    from theory.families import AllMasks
    from theory.strategies import masks

    def on(grid: tuple[int, int]) -> Any:
        family = AllMasks(*grid, empty=True).masks()
        targets = st.lists(masks(*grid), min_size=1, max_size=4).map(np.array)
        return targets.map(lambda t: {
            "family": family, "targets": t, "atoms": [(k, k, 1) for k in range(len(t))],
            "predictor": [0] * len(t), "sample": list(range(len(t))), "delta": 0.05})

    return st.sampled_from([(1, 1), (1, 2), (2, 2)]).flatmap(on)


def _half_proof() -> Proof:
    import sympy

    total, half = sympy.symbols("N half", positive=True)
    return symbolic("For A = all masks max Psi(b, a) = 1 at b = a and min Psi(b, a) = -1 at b = -a "
                    "(remark-1), so the closed form is N (1 + 1)/(4N).",
                    total * (1 - (-1)) / (4 * total) - sympy.Rational(1, 2))


prop_2_all_masks = Claim(
    id="prop-2-all-masks", origin="beyond", source="Prop. 2, sharpened", kind="equality",
    title="All masks: the complexity is exactly 1/2, at every N",
    statement=r"\hat{\mathcal R}_S(\mathcal F_{\mathcal A_{pw}})=\tfrac12",
    words="It does not shrink with N.", assumptions="distinct inputs",
    instances=_all_masks_problem, margin=lambda p: P.complexity(p) - Fraction(1, 2),
    proof=_half_proof, code="theory.rademacher", test=LEDGER, figure="rademacher_vs_n")


def _class_strategy() -> Any:
    from hypothesis import strategies as st

    value = st.floats(0, 1)
    return st.fixed_dictionaries({
        "losses": st.lists(st.tuples(value, value), min_size=1, max_size=4),
        "probability": st.floats(0, 1), "n": st.integers(1, 24), "delta": st.floats(1e-3, 0.999)})


def _binomial(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Values and probabilities of a sum of n signs."""
    k = np.arange(n + 1)
    weights = np.array([math.comb(n, int(j)) for j in k], dtype=np.float64) / 2.0**n
    return 2 * k - n, weights


def _thm_3_margin(i: dict[str, Any]) -> float:
    """Exact coverage minus 1 - delta, for a finite class on two points."""
    g, n, p = np.array(i["losses"]), i["n"], i["probability"]
    term = 3 * math.sqrt(math.log(2 / i["delta"]) / (2 * n))
    if term >= 1:
        return i["delta"]
    risk = (1 - p) * g[:, 0] + p * g[:, 1]
    good = np.zeros(n + 1, dtype=bool)
    for ones in range(n + 1):
        s0, w0 = _binomial(n - ones)
        s1, w1 = _binomial(ones)
        values = g[:, 0, None, None] * s0[:, None] + g[:, 1, None, None] * s1
        complexity = float((values.max(axis=0) * w0[:, None] * w1).sum()) / n
        mean = ((n - ones) * g[:, 0] + ones * g[:, 1]) / n
        good[ones] = bool((risk <= mean + 2 * complexity + term + 1e-12).all())
    return _two_point_coverage(n, p, good) - (1 - i["delta"])


thm_3 = Claim(
    id="thm-3", origin="paper", source="Theorem 3 (Mohri et al., Theorem 3.3)", kind="cited",
    title="Rademacher bound for a class of [0, 1]-valued functions",
    statement=r"\mathbb E g\le\tfrac1N\sum_i g(z_i)+2\hat{\mathcal R}_S(\mathcal G)"
              r"+3\sqrt{\tfrac{\log(2/\delta)}{2N}}",
    words="Quoted. Its coverage is computed exactly for finite classes on two points.",
    assumptions="i.i.d. sample, delta in (0, 1)", instances=_class_strategy, margin=_thm_3_margin,
    simulated=rows.theorem_3, figure="theorem_3", code="theory.bounds.theorem_3", test=BOUNDS)

CLAIMS = [thm_1, thm_1_any_delta, ceiling, sharp_bound, prop_2, prop_2_exact, prop_2_repeats,
          prop_2_all_masks, thm_3]
