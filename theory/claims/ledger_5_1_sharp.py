"""Section 5.1, third part: the sharp statements beside Theorem 1, and Remark 2."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from theory.claims import problems as P
from theory.claims import simulated_5_1 as rows
from theory.claims.ledger_5_1_bounds import BOUNDS, LEDGER, mixing_proof, separable_proof
from theory.claims.model import Claim, Proof
from theory.claims.proofs import smt, symbolic
from theory.families import FiniteFamily
from theory.rates import missing_rate_exact
from theory.relevance import extreme_products

sharp_risk = Claim(
    id="sharp-risk", origin="beyond", source="Theorem 1, sharpened", kind="inequality",
    title="R(f) <= E g <= (1 - rho)/2 for every f in F_A",
    statement=r"R(f)\le\mathbb E\,g(A)\le\tfrac{1-\rho}{2},\quad g(a)=\max_{b\in\mathcal A}\Phi(b,a)",
    words="Between the risk and the ceiling lies the mean of the worst missing rate.",
    assumptions="A in A_in almost surely, f measurable", instances=P.problems,
    margin=lambda p: min(P.expected_worst(p) - P.risk(p),
                         (1 - P.relevance(p)) / 2 - P.expected_worst(p)),
    proof=lambda: mixing_proof("Pointwise Phi(f(x), a) <= g(a) <= (1 - rho)/2; expectations keep "
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
    proof=separable_proof, figure="rademacher_vs_n", code="theory.rademacher", test=LEDGER)


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
    simulated=rows.adversary, figure="certificates, theorem_1",
    code="theory.bounds.adversary_risk", test=LEDGER)


def _choose_proof() -> Proof:
    """The separable supremum once more, for the risk instead of the signed sum."""
    known = separable_proof()
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
    proof=_choose_proof, simulated=rows.sup_risk,
    figure="certificates, theorem_1",
    code="theory.bounds", test=LEDGER)


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
    proof=lambda: mixing_proof("Psi is linear in each argument; a convex combination of values "
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
    proof=lambda: mixing_proof("The law is a mixture over sizes; each part obeys its own ceiling, "
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
    proof=lambda: mixing_proof("A maximum over fewer masks is no larger, pointwise; expectations "
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

CLAIMS = [sharp_risk, sharp_complexity, adversary, sup_risk, constant_predictors, soft_hull,
          sec_5_1_sizes, remark_2_decreasing, remark_2_explains, remark_2_nested]
