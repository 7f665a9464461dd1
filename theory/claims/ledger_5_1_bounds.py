"""Section 5.1, second half: Theorem 1, Prop. 2, Theorem 3 and the sharp statements."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from theory.claims import problems as P
from theory.claims.model import Claim, Measurement, Proof, Undefined
from theory.claims.proofs import smt, symbolic
from theory.families import FiniteFamily
from theory.rates import missing_rate_exact
from theory.relevance import extreme_products

BOUNDS = "tests/test_bounds.py"
LEDGER = "tests/test_ledger_5_1.py"


def _mixing_proof(text: str) -> Proof:
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
    proof=lambda: _mixing_proof("Phi <= (1 - rho)/2 pointwise by Eq. 14; an expectation is built "
                                "from two-point mixtures, which keep the bound."),
    code="theory.bounds.ceiling", test=BOUNDS, figure="bound_vs_data")


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
    instances=_sharp_strategy, margin=_sharp_margin, code="theory.bounds.sharp_bound", test=BOUNDS,
    figure="bound_vs_data")

thm_1 = Claim(
    id="thm-1", origin="paper", source="Theorem 1, Eq. 16", kind="inequality",
    title="Generalization of the missing rate",
    statement=r"R(f)\le\hat R(f)+\tfrac{1-\rho}{2}+3\sqrt{\tfrac{\log(2/\delta)}{2N}}",
    words="With probability 1 - delta, for all f at once. True, and never informative: the ceiling "
          "(1 - rho)/2 is below the right-hand side and holds with certainty for any N.",
    assumptions="A in A_in almost surely, i.i.d. sample, delta in (0, 1)",
    instances=P.problems, margin=_theorem_1, implied_by=ceiling, amendment=sharp_bound,
    code="theory.bounds.theorem_1", test=BOUNDS, figure="bound_vs_data")


def _any_delta() -> Any:
    from hypothesis import strategies as st

    return st.tuples(P.problems(), st.floats(0.01, 5)).map(lambda t: {**t[0], "delta": t[1]})


thm_1_any_delta = Claim(
    id="thm-1-any-delta", origin="paper", source="Theorem 1", kind="inequality",
    title="Theorem 1 'for any delta > 0'",
    statement=r"\forall\delta>0:\ R(f)\le\hat R(f)+\tfrac{1-\rho}{2}+3\sqrt{\log(2/\delta)/(2N)}",
    words="For delta > 2 the root is not real; for delta in [1, 2] 'probability at least 1 - delta' "
          "says nothing.", assumptions="as the paper states them",
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
    code="theory.rademacher", test=LEDGER, figure="rademacher_vs_n")


def _closed_form(p: dict[str, Any]) -> Fraction:
    phi = P.missing(p)
    columns = [[row[p["atoms"][i][1]] for row in phi] for i in p["sample"]]
    return sum((max(c) - min(c) for c in columns), Fraction(0)) / (2 * len(columns))


def _separable_proof() -> Proof:
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
    margin=lambda p: P.complexity(p, distinct=True) - _closed_form(p), proof=_separable_proof,
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
    code="theory.bounds.theorem_3", test=BOUNDS)


# --- the sharp statements -------------------------------------------------------------------------

sharp_risk = Claim(
    id="sharp-risk", origin="beyond", source="Theorem 1, sharpened", kind="inequality",
    title="R(f) <= E g <= (1 - rho)/2 for every f in F_A",
    statement=r"R(f)\le\mathbb E\,g(A)\le\tfrac{1-\rho}{2},\quad g(a)=\max_{b\in\mathcal A}\Phi(b,a)",
    words="Between the risk and the ceiling lies the mean of the worst missing rate.",
    assumptions="A in A_in almost surely, f measurable", instances=P.problems,
    margin=lambda p: min(P.expected_worst(p) - P.risk(p),
                         (1 - P.relevance(p)) / 2 - P.expected_worst(p)),
    proof=lambda: _mixing_proof("Pointwise Phi(f(x), a) <= g(a) <= (1 - rho)/2; expectations keep "
                                "the order."),
    code="theory.bounds.sharp_bound", test=LEDGER, figure="bound_vs_data")


def _targets_in_family(p: dict[str, Any]) -> dict[str, Any]:
    return {**p, "family": np.concatenate([p["family"], p["targets"]])}


def _mean_worst(p: dict[str, Any]) -> Fraction:
    g = P.worst(p)
    values = [g[p["atoms"][i][1]] for i in p["sample"]]
    return sum(values, Fraction(0)) / len(values)


sharp_complexity = Claim(
    id="sharp-complexity", origin="beyond", source="Theorem 1, sharpened", kind="equality",
    title="2 R_S = mean g(a_i) when the targets are in A and the inputs distinct",
    statement=r"2\hat{\mathcal R}_S=\tfrac1N\sum_i g(a_i)",
    words="The complexity term is the mean worst missing rate on the sample: it cannot shrink.",
    assumptions="targets in A, distinct inputs", instances=P.problems,
    margin=lambda p: 2 * P.complexity(_targets_in_family(p), distinct=True)
    - _mean_worst(_targets_in_family(p)),
    proof=_separable_proof, code="theory.rademacher", test=LEDGER)


def _adversary(i: dict[str, Any]) -> Fraction:
    """Build the predictor on M equally likely inputs and evaluate it: |R^| + |R - E[g 1(unseen)]|.

    With the share of seen inputs going to 0 (no atoms) the risk is E g.
    """
    family = list(i["targets"]) + list(i["family"])  # targets lie in A
    truths = [i["targets"][t % len(i["targets"])] for t in i["truth"]]
    seen = {x % len(truths) for x in i["sample"]}
    table = [truths[x] if x in seen else max(family, key=lambda b, x=x: missing_rate_exact(
        b, truths[x])) for x in range(len(truths))]
    losses = [missing_rate_exact(table[x], truths[x]) for x in range(len(truths))]
    empirical = sum((losses[x] for x in seen), Fraction(0))
    risk = sum(losses, Fraction(0)) / len(truths)
    _, low = extreme_products(FiniteFamily(family, empty=True), np.array(truths))
    g = [(1 - Fraction(int(v), truths[0].size)) / 2 for v in low]
    return empirical + abs(risk - sum((g[x] for x in range(len(g)) if x not in seen), Fraction(0))
                           / len(g))


def _adversary_strategy() -> Any:
    from hypothesis import strategies as st

    from theory.strategies import masks

    def on(grid: tuple[int, int]) -> Any:
        some = st.lists(masks(*grid), min_size=1, max_size=3).map(np.array)
        index = st.integers(0, 9)
        return st.fixed_dictionaries({
            "family": some, "targets": some, "truth": st.lists(index, min_size=2, max_size=8),
            "sample": st.lists(index, min_size=1, max_size=4)})

    return st.sampled_from([(1, 2), (2, 2), (2, 3)]).flatmap(on)


def _adversary_proof() -> Proof:
    import z3

    seen, risk_seen, risk_new, total = z3.Reals("seen risk_seen risk_new total")
    return smt("Give every sampled input its own target (in A) and every other input x the mask of "
               "A that misses a(x) most. The empirical missing rate is 0; the sampled inputs have "
               "probability 0, so R = E g.",
               z3.Implies(z3.And(seen == 0, total == seen * risk_seen + (1 - seen) * risk_new),
                          total == risk_new))


adversary = Claim(
    id="adversary", origin="beyond", source="Theorem 1, sharpened", kind="equality",
    title="The memorising adversary: empirical missing rate 0, risk E g",
    statement=r"\exists f\in\mathcal F_{\mathcal A}:\ \hat R(f)=0,\ R(f)=\mathbb E\,g",
    words="For the class of all functions nothing better than E g can be proved from the sample.",
    assumptions="X without atoms, A = a(X) deterministic, targets in A; in the instances M equally "
                "likely inputs stand for X, and R = E[g 1(unseen)]",
    instances=_adversary_strategy, margin=_adversary, proof=_adversary_proof,
    code="theory.bounds.adversary_risk", test=LEDGER)


def _choose_proof() -> Proof:
    """The separable supremum once more, for the risk instead of the signed sum."""
    known = _separable_proof()
    return Proof(known.result, "R(f) is the sum over x of P(x) E[Phi(f(x), A) | X = x], and f(x) is "
                 "free for each x: the supremum of the separable sum is the sum of the suprema (lemmas "
                 "1 and 2 of the same argument as prop-2-exact, two inputs, then one by one). "
                 "(z3: lemmas valid)", known.method)


def _supremum(p: dict[str, Any]) -> Fraction:
    """max over all predictors of R minus E max_b E[Phi(b, A) | X]."""
    phi, total = P.missing(p), sum(w for *_, w in p["atoms"])
    best = max(P.risk(p, list(f)) for f in product(range(len(p["family"])), repeat=3))
    formula = sum((max(sum((Fraction(w, total) * row[t] for y, t, w in p["atoms"] if y == x),
                           Fraction(0)) for row in phi) for x in range(3)), Fraction(0))
    return best - formula


sup_risk = Claim(
    id="sup-risk", origin="beyond", source="Theorem 1, sharpened", kind="equality",
    title="The largest risk in F_A is E max_b E[Phi(b, A) | X]",
    statement=r"\sup_{f\in\mathcal F_{\mathcal A}}R(f)=\mathbb E\max_b\mathbb E[\Phi(b,A)\mid X]",
    words="Equal to E g only when the target is a function of the input. By all predictors.",
    assumptions="finite A, finitely many inputs", instances=P.problems, margin=_supremum,
    proof=_choose_proof, code="theory.bounds", test=LEDGER)


def _constant(p: dict[str, Any]) -> Fraction:
    family, masks = p["family"], [p["targets"][p["atoms"][i][1]] for i in p["sample"]]
    n, size = family[0].size, len(masks)
    flat = family.reshape(len(family), n).astype(np.int64)
    total = 0
    for signs in product((-1, 1), repeat=size):
        field = sum(s * a.reshape(n).astype(np.int64) for s, a in zip(signs, masks, strict=True))
        total += int((flat @ field).max())
    return P.complexity(p, constant=True) - Fraction(total, 2**size * 2 * size * n)


def _constant_proof() -> Proof:
    import sympy

    sign, psi = sympy.symbols("s psi")
    return symbolic("s Phi = s/2 - s Psi/2: the first part has mean 0 over the signs and does not "
                    "depend on b; replacing s by -s turns the supremum of -<b, sum s a>/(2Nn) into "
                    "that of +<b, sum s a>/(2Nn).",
                    sign * (1 - psi) / 2 - (sign / 2 - sign * psi / 2))


constant_predictors = Claim(
    id="constant-predictors", origin="beyond", source="Def. C.1", kind="equality",
    title="Constant predictors: one maximum-weight rectangle per draw of signs",
    statement=r"\hat{\mathcal R}_S=\mathbb E_s\max_{b\in\mathcal A}"
              r"\frac{\langle b,\sum_i s_ia_i\rangle}{2Nn}",
    words="A class for which the shape of the mask matters and the complexity shrinks with N.",
    assumptions="one mask for all inputs", instances=P.problems, margin=_constant,
    proof=_constant_proof, code="theory.rademacher", test=LEDGER, figure="rademacher_vs_n")


def _hull_strategy() -> Any:
    from hypothesis import strategies as st

    weights = st.lists(st.integers(0, 9), min_size=8, max_size=8)
    return st.tuples(P.problems(), weights, weights).map(
        lambda t: {**t[0], "weights": t[1], "weights_in": t[2]})


def _hull_margin(i: dict[str, Any]) -> Fraction:
    phi, used = P.missing(i), P.used_targets(i)
    u = [w + (k == 0) for k, w in enumerate(i["weights"][:len(phi)])]
    v = [w + (k == 0) for k, w in enumerate(i["weights_in"][:len(used)])]
    psi = sum((Fraction(a * b) * (1 - 2 * phi[r][t]) for r, a in enumerate(u)
               for t, b in zip(used, v, strict=True)), Fraction(0)) / (sum(u) * sum(v))
    return psi - P.relevance(i)


soft_hull = Claim(
    id="soft-hull", origin="beyond", source="section 5.1 (binary simplification)", kind="inequality",
    title="Soft maps in the convex hull have the same relevance level",
    statement=r"\min_{b\in\mathrm{conv}\mathcal A,\,a\in\mathrm{conv}\mathcal A_{in}}\Psi(b,a)=\rho",
    words="Psi is bilinear, so the minimum over the hulls is attained at masks: the binary "
          "simplification is not needed for rho, Prop. 2 and Theorem 1.",
    assumptions="maps in the convex hulls of A and A_in", instances=_hull_strategy,
    margin=_hull_margin,
    proof=lambda: _mixing_proof("Psi is linear in each argument; a convex combination of values "
                                "that are >= rho (<= with signs turned) stays so, first in one "
                                "argument, then in the other."),
    code="theory.relevance", test=LEDGER)


def _two_sizes() -> Any:
    from hypothesis import strategies as st

    return st.fixed_dictionaries({"first": P.problems(), "second": P.problems(),
                                  "weight": st.integers(0, 10)})


sec_5_1_sizes = Claim(
    id="sec-5.1-sizes", origin="paper", source="section 5.1", kind="inequality",
    title="The arguments remain true for arbitrary input sizes",
    statement=r"R(f)\le\tfrac{1-\rho}{2},\quad\rho=\inf_{H,W}\rho_{H,W}",
    words="For inputs of several sizes rho is the infimum over the sizes.",
    assumptions="finitely many sizes", instances=_two_sizes,
    margin=lambda i: (1 - min(P.relevance(i["first"]), P.relevance(i["second"]))) / 2
    - (i["weight"] * P.risk(i["first"]) + (10 - i["weight"]) * P.risk(i["second"])) / 10,
    proof=lambda: _mixing_proof("The law is a mixture over sizes; each part obeys its own ceiling, "
                                "which is at most that of the infimum."),
    code="theory.bounds.ceiling", test=LEDGER)

# --- Remark 2 -------------------------------------------------------------------------------------

remark_2_decreasing = Claim(
    id="remark-2-decreasing", origin="paper", source="Remark 2", kind="inequality",
    title="The bound of Theorem 1 decreases with the relevance level",
    statement=r"\rho_1\ge\rho_2\Rightarrow B(\rho_1)\le B(\rho_2)",
    words="Of the right-hand side, with the empirical missing rate fixed.", assumptions="",
    instances=lambda: _two_rhos(), margin=lambda i: _bound_drop(i),
    proof=lambda: _decreasing_proof(), code="theory.bounds.theorem_1", test=BOUNDS)


def _two_rhos() -> Any:
    from hypothesis import strategies as st

    rho = st.floats(-1, 1)
    return st.fixed_dictionaries({"rhos": st.tuples(rho, rho), "empirical": st.floats(0, 1),
                                  "n": st.integers(1, 1000), "delta": st.floats(0.001, 0.999)})


def _bound_drop(i: dict[str, Any]) -> float:
    """The bound at the smaller rho minus the bound at the larger one."""
    from theory.bounds import theorem_1

    low, high = (theorem_1(i["empirical"], rho, i["n"], i["delta"]) for rho in sorted(i["rhos"]))
    return float(low - high)


def _decreasing_proof() -> Proof:
    import z3

    r1, r2, rest = z3.Reals("r1 r2 rest")
    return smt("The bound is linear in rho with slope -1/2.", z3.Implies(
        r1 >= r2, rest + (1 - r1) / 2 <= rest + (1 - r2) / 2))


def _nested(p: dict[str, Any]) -> Fraction:
    smaller = {**p, "family": p["family"][:1]}
    return P.expected_worst(p) - P.expected_worst(smaller)


remark_2_nested = Claim(
    id="remark-2-nested", origin="amended", source="Remark 2, amended", kind="inequality",
    title="A family inside another has the smaller worst-case risk",
    statement=r"\mathcal A_1\subseteq\mathcal A_2\Rightarrow\mathbb E g_1\le\mathbb E g_2",
    words="Inclusion, not a larger rho by itself, lowers the largest gap R - R^ that the class "
          "allows (the adversary's, E g).", assumptions="the same law of (X, A)",
    instances=P.problems, margin=_nested,
    proof=lambda: _mixing_proof("A maximum over fewer masks is no larger, pointwise; expectations "
                                "keep the order."),
    code="theory.bounds.adversary_risk", test=LEDGER)


def _larger(i: dict[str, Any], name: str) -> dict[str, Any]:
    """The problem with A = the targets and the family of that name."""
    return {**i, "family": np.concatenate([i["targets"], i[name]])}


def _explains(i: dict[str, Any]) -> Fraction:
    """E g of the family with the smaller rho minus E g of the other one."""
    one, two = (_larger(i, name) for name in ("first", "second"))
    gap = P.expected_worst(two) - P.expected_worst(one)
    return gap if P.relevance(one) > P.relevance(two) else -gap


def _two_families() -> Any:
    from hypothesis import strategies as st

    from theory.strategies import masks

    def on(grid: tuple[int, int]) -> Any:
        some = st.lists(masks(*grid), min_size=1, max_size=2).map(np.array)
        pair = st.lists(masks(*grid), min_size=2, max_size=2).map(np.array)
        return st.fixed_dictionaries({
            "first": some, "second": some, "targets": pair,
            "atoms": st.tuples(st.integers(1, 9), st.integers(1, 9)).map(
                lambda w: [(0, 0, w[0]), (1, 1, w[1])])})

    return st.sampled_from([(1, 3), (1, 4), (2, 2)]).flatmap(on)


def _four_cells() -> list[dict[str, Any]]:
    """Targets (1,1,1,1), (1,-1,1,-1) with weights 2 : 3, and one more map for each family."""
    row = lambda *v: np.array([v], dtype=np.int8)  # noqa: E731
    return [{"first": row(-1, -1, -1, 1)[None], "second": row(-1, -1, -1, -1)[None],
             "targets": np.array([row(1, 1, 1, 1), row(1, -1, 1, -1)]),
             "atoms": [(0, 0, 2), (1, 1, 3)]}]


remark_2_explains = Claim(
    id="remark-2-explains", origin="paper", source="Remark 2", kind="inequality",
    title="A higher relevance level explains better generalization",
    statement=r"\rho(\mathcal A_1)>\rho(\mathcal A_2)\Rightarrow\sup_f(R-\hat R)\text{ is smaller}",
    words="Read as a statement about the families (the largest gap E g), not about the bound, which "
          "lies above the ceiling for every family.",
    assumptions="the same law of (X, A), targets in both families, X without atoms and A = a(X) (so "
                "that the largest gap R - R^ is E g); rho differs",
    instances=_two_families, margin=_explains, amendment=remark_2_nested,
    assumes=lambda i: P.relevance(_larger(i, "first")) != P.relevance(_larger(i, "second")),
    exhaustive=_four_cells, exhaustive_range="one problem on four cells",
    code="theory.bounds", test=LEDGER)


# --- (H1) -----------------------------------------------------------------------------------------


def _h1_measure() -> Measurement | None:
    from theory.claims.rows import h1_measurement

    return h1_measurement()


h1 = Claim(
    id="h1", origin="paper", source="(H1), Eq. 10", kind="empirical",
    title="A small main loss on the training set implies a small empirical missing rate",
    statement=r"L_{main}\text{ small}\Rightarrow\hat R(f)\text{ small}",
    words="An assumption about training, not a theorem: measured on label-only runs with known "
          "masks.", assumptions="the runs named in the evidence", measure=_h1_measure,
    code="training", test="tests/training", figure="bound_vs_data")

CLAIMS = [thm_1_any_delta, thm_1, ceiling, sharp_bound, sharp_risk, sharp_complexity, adversary,
          sup_risk, prop_2, prop_2_exact, prop_2_repeats, prop_2_all_masks, constant_predictors,
          soft_hull, thm_3, sec_5_1_sizes, remark_2_decreasing, remark_2_explains, remark_2_nested,
          h1]
