"""Section 5.1, beyond the paper: which held-out bound is never looser, and for which losses."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from theory.bounds.binary_kl import binary_kl
from theory.bounds.chernoff import chernoff_upper
from theory.bounds.clopper_pearson import clopper_pearson_upper
from theory.bounds.hoeffding import hoeffding_upper
from theory.bounds.maurer_pontil import maurer_pontil_upper
from theory.claims.coins import binomial, parts
from theory.claims.model import Claim, Proof
from theory.claims.proofs import smt, symbolic

TEST = "tests/claims/test_ledger_held_out.py"
EXACT = "theory.bounds.clopper_pearson.clopper_pearson_upper"

# --- the divergence against squares ----------------------------------------------------------------


def _pairs() -> Any:
    from hypothesis import strategies as st

    unit = st.one_of(st.floats(1e-6, 1 - 1e-6), st.integers(1, 19).map(lambda k: k / 20))
    return st.tuples(unit, unit)


def _squares_margin(pair: tuple[float, float]) -> float:
    q, p = pair
    gap = (p - q) ** 2
    return float(binary_kl(q, p)) - max(2 * gap, gap / (2 * max(p, q)), gap / (2 * (1 - min(p, q))))


def _squares_proof() -> Proof:
    import z3

    t, low, high = z3.Reals("t low high")
    inside = z3.And(low > 0, low <= t, t <= high, high < 1)
    return smt("kl(q||p) is the integral over t between q and p of |t - q|/(t(1-t)), and t(1-t) is "
               "at most 1/4, the larger of the two, and one minus the smaller (lemmas 1 to 3): pull "
               "that out; the integral of |t - q| is (p-q)^2/2.",
               t * (1 - t) <= z3.RealVal("1/4"), z3.Implies(inside, t * (1 - t) <= high),
               z3.Implies(inside, t * (1 - t) <= 1 - low))


squares = Claim(
    id="pinsker-refined", origin="beyond", source="Pinsker; Boucheron et al. 2013", kind="inequality",
    title="kl is at least each of three squares",
    statement=r"\mathrm{kl}(q\|p)\ge(p-q)^2\max\bigl(2,\frac1{2\max(p,q)},\frac1{2(1-\min(p,q))}\bigr)",
    words="The first makes the kl bound never looser than Hoeffding's, the second, at p > q, never "
          "looser than the quadratic PAC-Bayes bound (which beats Hoeffding's form where p < 1/4).",
    assumptions="p, q in (0, 1)", instances=_pairs, margin=_squares_margin, proof=_squares_proof,
    code="theory.bounds.binary_kl.binary_kl", test=TEST)

one_side = Claim(
    id="pinsker-one-side", origin="beyond", source="Boucheron et al. 2013", kind="inequality",
    title="kl is at least (p - q)^2/(2p) on both sides of q",
    statement=r"\mathrm{kl}(q\|p)\ge\frac{(p-q)^2}{2p}",
    words="True for p >= q, where the upper bounds use it; below q the larger of the two belongs "
          "there, so a lower end may not be made from it.",
    assumptions="p, q in (0, 1)", instances=_pairs,
    margin=lambda i: float(binary_kl(*i)) - (i[1] - i[0]) ** 2 / (2 * i[1]),
    exhaustive=lambda: [(0.1, 0.01)], exhaustive_range="q = 0.1, p = 0.01", amendment=squares,
    code="theory.bounds.pac_bayes_quadratic.quadratic_form", test=TEST)

# --- the order of the bounds -----------------------------------------------------------------------


def _counts() -> Any:
    from hypothesis import strategies as st

    return st.integers(2, 400).flatmap(lambda n: st.fixed_dictionaries({
        "n": st.just(n), "ones": st.integers(0, n), "delta": st.floats(1e-6, 0.99)}))


def _losses(i: dict[str, Any]) -> np.ndarray:
    """``ones`` losses of value ``high`` (1 if not given), the others of value ``low`` (0)."""
    return np.where(np.arange(i["n"]) < i["ones"], i.get("high", 1.0), i.get("low", 0.0))


def _order_margin(i: dict[str, Any]) -> float:
    losses, delta = _losses(i), i["delta"]
    ends = [f(losses, delta) for f in (clopper_pearson_upper, chernoff_upper, hoeffding_upper)]
    return float(min(ends[1] - ends[0], ends[2] - ends[1]))


def _order_proof() -> Proof:
    import sympy as sp

    p, q = sp.symbols("p q", positive=True)
    kl = q * sp.log(q / p) + (1 - q) * sp.log((1 - q) / (1 - p))
    return symbolic("Beyond the kl end P(Bin(n, p) <= k) <= e^(-n kl(k/n||p)) < delta "
                    "(chernoff-unequal with equal chances), so such p are not in Clopper-Pearson's "
                    "set. kl - 2(p-q)^2 is 0 at p = q and has the derivative (p-q)(1-2p)^2/(p(1-p)) "
                    "(identity), so kl is at least 2(p-q)^2.",
                    sp.diff(kl - 2 * (p - q) ** 2, p) - (p - q) * (1 - 2 * p) ** 2 / (p * (1 - p)))


order = Claim(
    id="held-out-order", origin="beyond", source="section 5.1, held-out bounds", kind="inequality",
    title="Clopper-Pearson is never looser than kl, and kl never than Hoeffding",
    statement=r"U_{\mathrm{CP}}\le U_{\mathrm{kl}}\le U_{\mathrm{Hoeffding}}",
    words="The first for 0/1 losses, the second for all losses in [0, 1] (both use the mean only).",
    assumptions="the same losses and delta",
    instances=_counts, margin=_order_margin, proof=_order_proof,
    figure="table_tightness", code="theory.bounds.held_out.HeldOut", test=TEST)


def _variance_margin(i: dict[str, Any]) -> float:
    """Maurer and Pontil's end less the kl end."""
    losses, delta = _losses(i), i["delta"]
    return float(maurer_pontil_upper(losses, delta) - chernoff_upper(losses, delta))


def _variance_proof() -> Proof:
    import z3

    q, d, c, v, r = z3.Reals("q d c v r")
    return smt("Between q and p = q + d, t(1-t) <= q(1-q) + d (lemma 1), so kl(q||p) >= "
               "d^2/(2(q(1-q) + d)) as in pinsker-refined: kl <= c gives d^2 <= 2c(v + d), v = "
               "q(1-q), hence d <= 2c + sqrt(2cv) (lemma 2, r the root). Maurer and Pontil have V = "
               "v n/(n-1), log(2/delta), and 7/3 for 2: all larger.",
               z3.Implies(z3.And(q >= 0, q <= 1, d >= 0, v >= q, v <= q + d),
                          v * (1 - v) <= q * (1 - q) + d),
               z3.Implies(z3.And(d >= 0, c >= 0, v >= 0, r >= 0, r * r == 2 * c * v,
                                 d * d <= 2 * c * (v + d)),
                          d <= 2 * c + r))


coins = Claim(
    id="kl-maurer-pontil-coins", origin="beyond", source="section 5.1, held-out bounds",
    kind="inequality",
    title="For 0/1 losses kl is never looser than Maurer-Pontil",
    statement=r"U_{\mathrm{kl}}\le U_{\mathrm{MP}}",
    words="Losses 0 and 1 have the largest variance for their mean; a variance below that is what "
          "Maurer and Pontil's bound needs to win.",
    assumptions="0/1 losses, n >= 2", instances=_counts, margin=_variance_margin, proof=_variance_proof,
    code="theory.bounds.maurer_pontil.maurer_pontil_upper", test=TEST)


def _two_values() -> Any:
    from hypothesis import strategies as st

    unit = st.integers(0, 20).map(lambda k: k / 20)
    return st.tuples(_counts(), unit, unit).map(
        lambda t: {**t[0], "low": min(t[1:]), "high": max(t[1:])})


kl_first = Claim(
    id="kl-maurer-pontil", origin="beyond", source="section 5.1, held-out bounds", kind="inequality",
    title="kl is never looser than Maurer-Pontil",
    statement=r"U_{\mathrm{kl}}\le U_{\mathrm{MP}}",
    words="Losses that hardly vary: kl knows the mean only and takes them for coins.",
    assumptions="losses in [0, 1] of at most two values",
    instances=_two_values, margin=_variance_margin,
    exhaustive=lambda: [{"n": 200, "ones": 0, "low": 0.5, "high": 0.5, "delta": 0.05}],
    exhaustive_range="200 losses 1/2, delta = 0.05", amendment=coins,
    figure="table_tightness", code="theory.bounds.chernoff.chernoff_upper", test=TEST)

variance_first = Claim(
    id="maurer-pontil-kl", origin="beyond", source="section 5.1, held-out bounds", kind="inequality",
    title="Maurer-Pontil is never looser than kl",
    statement=r"U_{\mathrm{MP}}\le U_{\mathrm{kl}}",
    words="Without any error it pays 7 log(2/delta)/(3(n-1)) where kl pays log(1/delta)/n.",
    assumptions="losses in [0, 1] of at most two values", instances=_two_values,
    margin=lambda i: -_variance_margin(i),
    exhaustive=lambda: [{"n": 100, "ones": 0, "delta": 0.05}], exhaustive_range="100 losses 0, delta "
                                                                                "= 0.05",
    amendment=coins,
    figure="table_tightness",
    code="theory.bounds.maurer_pontil.maurer_pontil_upper", test=TEST)

# --- Clopper-Pearson for losses that are not 0 or 1 ------------------------------------------------


def _sum_law(law: list[tuple[int, int]], n: int) -> dict[int, Fraction]:
    """The law of the sum, in twelfths, of n independent losses; ``law`` has (twelfths, weight)."""
    total, out = sum(w for _, w in law), {0: Fraction(1)}
    for _ in range(n):
        new: dict[int, Fraction] = {}
        for s, chance in out.items():
            for v, w in law:
                new[s + v] = new.get(s + v, Fraction(0)) + chance * Fraction(w, total)
        out = new
    return out


def _is_below(s: int, n: int, p: Fraction, delta: Fraction, count: str) -> bool:
    """Whether the upper end for the sum s/12 is below p: the tail at its count is below delta."""
    k = Fraction(s, 12)
    if count == "nearest":
        k = Fraction((2 * s + 12) // 24)
    if k.denominator == 1:
        return sum(binomial(n, p)[:int(k) + 1]) < delta
    from scipy.special import betainc

    return float(betainc(float(n - k), float(k + 1), float(1 - p))) < float(delta) * (1 - 1e-12)


def exact_coverage(i: dict[str, Any], count: str) -> Fraction:
    """Coverage of Clopper-Pearson's upper end with a count made from losses in [0, 1].

    ``count``: ``nearest`` (the sum to the nearest integer), ``sum`` (the sum itself, by the incomplete
    beta function), ``rounded`` (each loss to 0 or 1 at random, of the same mean).
    """
    law, n, delta = i["law"], i["n"], i["delta"]
    p = Fraction(sum(v * w for v, w in law), 12 * sum(w for _, w in law))
    if count == "rounded":
        ones = sum(Fraction(v, 12) * w for v, w in law) / sum(w for _, w in law)
        law = [(0, ones.denominator - ones.numerator), (12, ones.numerator)]
    return sum((w for s, w in _sum_law(law, n).items() if not _is_below(s, n, p, delta, count)),
               Fraction(0))


def _margin_of(count: str) -> Any:
    return lambda i: exact_coverage(i, count) - (1 - i["delta"])


def _unit_losses(top: int = 19) -> Any:
    from hypothesis import strategies as st

    law = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 40)), min_size=1, max_size=3)
    return st.fixed_dictionaries({"law": law, "n": st.integers(1, 5), "delta": parts(1, top, 20)})


def _two_point_laws() -> Iterator[dict[str, Any]]:
    for n in (1, 2, 3, 5):
        for low in (0, 3, 4, 6, 8):
            for w in (1, 5, 10, 20, 40):
                for delta in (Fraction(1, 20), Fraction(1, 4), Fraction(1, 2)):
                    yield {"law": [(low, w), (12, 10)], "n": n, "delta": delta}


def _rounded_proof() -> Proof:
    import sympy as sp

    x, y, w = sp.symbols("x y w")
    return symbolic("Given L the rounded loss is 1 with probability L, so it is 1 with probability E "
                    "L = R (identity: a mixture of two values; then any law), and independent of the "
                    "others: the count is binomial with R, for which P(U < R) <= delta.",
                    w * x + (1 - w) * y - (w * (x * 1 + (1 - x) * 0) + (1 - w) * (y * 1 + (1 - y) * 0)))


rounded = Claim(
    id="clopper-pearson-rounded", origin="beyond", source="section 5.1, held-out bounds",
    kind="inequality",
    title="Clopper-Pearson holds for losses in [0, 1] that are rounded at random",
    statement=r"P(R\le U(K))\ge1-\delta,\quad K=\sum_iB_i,\ P(B_i=1\mid L_i)=L_i",
    words="The probability is over the losses and the rounding; rounding again until the bound is "
          "good is not covered.",
    assumptions="independent losses in [0, 1] of mean R", instances=_unit_losses,
    margin=_margin_of("rounded"), proof=_rounded_proof, code=EXACT, test=TEST)

nearest = Claim(
    id="clopper-pearson-nearest", origin="beyond", source="section 5.1, held-out bounds",
    kind="inequality",
    title="Clopper-Pearson holds for losses in [0, 1] with the sum rounded to the nearest integer",
    statement=r"P(R\le U(K))\ge1-\delta,\quad|K-\sum_iL_i|\le\tfrac12",
    words="One loss 5/12 or 1: 5/12 counts as no error, and is likelier than the bound allows.",
    assumptions="independent losses in [0, 1] of mean R", instances=_unit_losses, margin=_margin_of(""
                                                                                                    "nearest"),
    exhaustive=lambda: [{"law": [(5, 2), (12, 25)], "n": 1, "delta": Fraction(1, 20)}],
    exhaustive_range="one loss, 5/12 with weight 2, 1 with weight 25, delta = 1/20", amendment=rounded,
    code=EXACT, test=TEST)

between = Claim(
    id="clopper-pearson-sum", origin="beyond", source="section 5.1, held-out bounds", kind="inequality",
    title="Clopper-Pearson holds for losses in [0, 1] with the sum in place of the count, at every "
          "delta",
    statement=r"P(R\le U(\sum_iL_i))\ge1-\delta,\quad I_{1-U(k)}(n-k,k+1)=\delta",
    words="Two losses 1/2 or 1 at delta = 7/10: a sum of 1 is likelier than at most one of two "
          "coins. Any rule that rounds the sum and leaves integers alone fails with it.",
    assumptions="independent losses in [0, 1] of mean R", instances=_unit_losses, margin=_margin_of(""
                                                                                                    "sum"),
    exhaustive=lambda: [{"law": [(6, 9), (12, 1)], "n": 2, "delta": Fraction(7, 10)}],
    exhaustive_range="two losses, 1/2 with weight 9, 1 with weight 1, delta = 7/10", amendment=rounded,
    code=EXACT, test=TEST)

half = Claim(
    id="clopper-pearson-sum-half", origin="beyond", source="section 5.1, held-out bounds",
    kind="inequality",
    title="For delta <= 1/2 no losses in [0, 1] were found where Clopper-Pearson with the sum fails",
    statement=r"P(R\le U(\sum_iL_i))\ge1-\delta,\quad\delta\le\tfrac12",
    words="Searched, not proved: the code takes losses 0 and 1 only.",
    assumptions="up to 5 independent losses, multiples of 1/12, of mean R",
    instances=lambda: _unit_losses(10),
    margin=_margin_of("sum"), exhaustive=_two_point_laws,
    exhaustive_range="losses of two values, one of them 1, n up to 5; delta = 1/20, 1/4, 1/2",
    code=EXACT,
    test=TEST)

CLAIMS = [squares, one_side, order, kl_first, variance_first, coins, nearest, between, half]
