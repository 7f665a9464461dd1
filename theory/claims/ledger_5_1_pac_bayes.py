"""Section 5.1, beyond the paper: what PAC-Bayes bounds may choose after the sample, and what not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import combinations, product
from typing import Any

import numpy as np

from theory.claims.coins import binomial, exp_kl, moment, parts
from theory.claims.ledger_5_1_bounds import mixing_proof
from theory.claims.model import Claim, Proof
from theory.claims.proofs import smt, symbolic

TEST = "tests/claims/test_ledger_pac_bayes.py"
CATONI = "theory.bounds.pac_bayes_catoni.pac_bayes_catoni_grid"
DRAWN = "theory.bounds.disintegrated.disintegrated"

# --- Catoni's C ------------------------------------------------------------------------------------


def _free_moment(i: dict[str, Any]) -> Fraction:
    n, p = i["n"], i["p"]
    return 1 - sum(w * (exp_kl(k, n, p) if k < n * p else 1) for k, w in enumerate(binomial(n, p)))


def _small_coins() -> Any:
    from hypothesis import strategies as st

    return st.fixed_dictionaries({"n": st.integers(1, 8), "p": parts(1, 19, 20)})


def toys(top: int = 3) -> Any:
    """Finite classes with 0/1 losses: rows are predictors, columns the points of the law."""
    from hypothesis import strategies as st

    def of(shape: tuple[int, int]) -> Any:
        m, z = shape
        row = st.lists(st.integers(0, 1), min_size=z, max_size=z)
        return st.fixed_dictionaries({
            "losses": st.lists(row, min_size=m, max_size=m), "n": st.integers(1, top),
            "law": st.lists(st.integers(1, 9), min_size=z, max_size=z),
            "prior": st.lists(st.integers(1, 9), min_size=m, max_size=m),
            "tilt": st.integers(0, 5), "delta": parts(1, 19, 20)})

    return st.sampled_from([(1, 2), (2, 2), (2, 3), (3, 3)]).flatmap(of)


def samples(toy: dict[str, Any]) -> Iterator[tuple[Fraction, list[int], list[Fraction]]]:
    """Each sample's probability, the predictors' numbers of errors and the posterior.

    The posterior is P 2^(-tilt k) / norm; at tilt 5 only the best predictors keep their weight.
    """
    total, prior, tilt = sum(toy["law"]), toy["prior"], toy["tilt"]
    for sample in product(range(len(toy["law"])), repeat=toy["n"]):
        chance = Fraction(math.prod(toy["law"][z] for z in sample), total ** toy["n"])
        errors = [sum(row[z] for z in sample) for row in toy["losses"]]
        weights = [Fraction(w, 2 ** (tilt * k)) if tilt < 5 else Fraction(w * (k == min(errors)))
                   for w, k in zip(prior, errors, strict=True)]
        yield chance, errors, [w / sum(weights) for w in weights]


def risks(toy: dict[str, Any]) -> list[Fraction]:
    """The risk of each predictor."""
    return [Fraction(sum(w for w, loss in zip(toy["law"], row, strict=True) if loss), sum(toy["law"]))
            for row in toy["losses"]]


def _grid_margin(toy: dict[str, Any]) -> float:
    """Coverage at two values of C, each at level delta/2, minus 1 - delta."""
    n, covered, prior = toy["n"], Fraction(0), toy["prior"]
    for chance, errors, q in samples(toy):
        gibbs = float(sum(w * k for w, k in zip(q, errors, strict=True)) / n)
        risk = float(sum(w * r for w, r in zip(q, risks(toy), strict=True)))
        kl = sum(float(w) * math.log(w * sum(prior) / p) for w, p in zip(q, prior, strict=True) if w)
        paid = (kl + math.log(2 / toy["delta"])) / n
        if all(-math.log1p(risk * math.expm1(-c)) <= c * gibbs + paid + 1e-12 for c in (0.5, 4.0)):
            covered += chance
    return float(covered - (1 - toy["delta"]))


def _grid_proof() -> Proof:
    import sympy as sp

    p, r, f, w, x = sp.symbols("p r f w x", positive=True)
    return symbolic(
        "For one C, r = e^-C: e^(-Cx) is below its chord 1 - x(1-r), so a loss of mean p has E r^L "
        "<= 1 - p + p r, equal for coins (identity 1): M_C = E_P e^(N[G_C(R) - C R^]) has mean at "
        "most 1. log E_P e^F >= E_Q F - KL(Q||P) for all Q, as log is concave: log E_Q[e^F P/Q] >= "
        "E_Q[F - log(Q/P)] (identity 2). Markov for each C of the grid at delta/J; the union; G_C is "
        "convex (identity 3).",
        (1 - p) * r**0 + p * r - (1 - p * (1 - r)),
        sp.expand_log(sp.log(sp.exp(f) * p / w), force=True) - (f - (sp.log(w) - sp.log(p))),
        sp.diff(-sp.log(1 - x * (1 - r)), x, 2) - (1 - r) ** 2 / (1 - x * (1 - r)) ** 2)


grid = Claim(
    id="catoni-grid", origin="beyond", source="Catoni 2007, with a union", kind="inequality",
    title="Catoni's bound holds for all C of a grid of J at the price of log J",
    statement=r"\forall Q,j:\ G_{C_j}(R(Q))\le C_j\hat R(Q)+\frac{\mathrm{KL}(Q\|P)+\log(J/\delta)}{N},"
              r"\quad G_C(p)=-\log(1-p(1-e^{-C}))",
    words="With probability at least 1 - delta over the sample, for all posteriors and all C of the "
          "grid at once. Coverage of Gibbs posteriors by enumeration of all samples, J = 2.",
    assumptions="i.i.d. sample; prior and grid fixed before it; losses in [0, 1] (0/1 in the "
                "instances)",
    instances=toys, margin=_grid_margin, proof=_grid_proof, code=CATONI, test=TEST)

best = Claim(
    id="catoni-best", origin="beyond", source="Catoni 2007", kind="inequality",
    title="The moment of Catoni's bound is at most 1 for the best C as well",
    statement=r"\mathbb E\,\sup_{C>0}e^{N[G_C(R)-C\hat R]}\le1",
    words="It is 1 for each C, and 1 + R for the supremum at N = 1: the proof does not survive a C "
          "chosen after the sample, which must be paid for.",
    assumptions="one predictor, 0/1 losses",
    instances=_small_coins, margin=_free_moment, amendment=grid,
    exhaustive=lambda: [{"n": 1, "p": Fraction(1, 2)}], exhaustive_range="N = 1, p = 1/2",
    code=CATONI, test=TEST)


def _classes() -> Any:
    """Weights of all predictors that are right on d of m equally likely points."""
    from hypothesis import strategies as st

    def of(shape: tuple[int, int, int]) -> Any:
        m, d, _ = shape
        count = math.comb(m, d)
        weights = st.lists(st.integers(0, 20), min_size=count, max_size=count).filter(any)
        return st.tuples(st.just(shape), weights)

    shapes = [(3, 1, 2), (4, 2, 2), (4, 2, 3), (4, 3, 2), (5, 2, 2), (5, 3, 3)]
    return st.sampled_from(shapes).flatmap(of)


def free_parameter(case: tuple[tuple[int, int, int], list[int]]) -> list[tuple[float, float]]:
    """``(t, P(sup_C M_C >= t))`` for every value t > 1 of the supremum over a fine grid of C."""
    (m, d, n), weights = case
    right = np.array([[z in c for z in range(m)] for c in combinations(range(m), d)])
    counts = np.array([c for c in product(range(n + 1), repeat=m) if sum(c) == n])
    ways = [math.factorial(n) / math.prod(map(math.factorial, c)) for c in counts]
    chance = np.array(ways) / float(m) ** n
    errors, r = counts @ ~right.T, np.concatenate([[0.0], np.geomspace(1e-3, 1, 40)])
    tilted = r[:, None, None] ** errors @ (np.array(weights) / sum(weights))
    largest = (tilted / (1 - (1 - d / m) * (1 - r[:, None])) ** n).max(axis=0)
    values = np.unique(largest[largest > 1 + 1e-9])
    return [(float(t), float(chance[largest >= t - 1e-12].sum())) for t in values]


free = Claim(
    id="catoni-free", origin="beyond", source="Catoni 2007", kind="inequality",
    title="For classes of equal risks no law was found where a free C fails",
    statement=r"P\bigl(\exists Q,C:\ G_C(R)>C\hat R(Q)"
              r"+\frac{\mathrm{KL}(Q\|P)+\log(1/\delta)}{N}\bigr)\le\delta",
    words="Searched, not proved: for one predictor it is Chernoff's bound. The most that was found "
          "is delta itself (the best C infinite). quadrat's bound does not use it.",
    assumptions="all predictors of a class have the risk R; 0/1 losses on 3 to 5 equally likely "
                "points; N = 2, 3; every delta below 1",
    instances=_classes, margin=lambda i: 1 - max((t * p for t, p in free_parameter(i)), default=0.0),
    code=CATONI, test=TEST)

# --- one drawn predictor ---------------------------------------------------------------------------


def _ratio_margin(toy: dict[str, Any]) -> Fraction:
    n, prior, mean = toy["n"], toy["prior"], Fraction(0)
    for chance, errors, q in samples(toy):
        mean += chance * sum(w * Fraction(p, sum(prior)) / w * exp_kl(k, n, r)
                             for w, p, k, r in zip(q, prior, errors, risks(toy), strict=True) if w)
    return moment(n) - mean


def _ratio_proof() -> Proof:
    import z3

    q, p, f, rest = z3.Reals("q p f rest")
    return smt("One predictor's part of the mean under Q_S is q (p/q) f = p f where q > 0, else 0 <= "
               "p f: the sum is at most that under P (lemma, one predictor at a time), which does "
               "not depend on S; exchange the means, and kl-moment-losses bounds that over S for "
               "each predictor.",
               z3.Implies(z3.And(p >= 0, f >= 0, q >= 0),
                          rest + z3.If(q > 0, q * (p / q) * f, 0) <= rest + p * f))


ratio = Claim(
    id="disintegrated-moment", origin="beyond", source="Rivasplata et al. 2020", kind="inequality",
    title="The moment of one drawn predictor, weighted by dP/dQ, is at most that under the prior",
    statement=r"\mathbb E_S\mathbb E_{h\sim Q_S}\bigl[\frac{dP}{dQ_S}(h)\,"
              r"e^{N\mathrm{kl}(\hat R(h)\|R(h))}\bigr]\le\xi(N)",
    words="Equal for 0/1 losses of risks in (0, 1) where every Q_S gives every predictor some "
          "weight. By all samples of finite classes, in fractions.",
    assumptions="i.i.d. sample, prior P fixed before it, one rule that makes Q_S", instances=toys,
    margin=_ratio_margin, proof=_ratio_proof, code=DRAWN, test=TEST)


def _drawn_margin(toy: dict[str, Any]) -> Fraction:
    """Coverage over sample and draw minus 1 - delta; squares keep 2 sqrt(N) rational."""
    n, prior, delta, covered = toy["n"], toy["prior"], toy["delta"], Fraction(0)
    for chance, errors, q in samples(toy):
        for w, p, k, r in zip(q, prior, errors, risks(toy), strict=True):
            allowed = max(Fraction(1), (w * sum(prior) / p) ** 2 * 4 * n / delta**2)
            covered += chance * w * (exp_kl(k, n, r) ** 2 <= allowed)
    return covered - (1 - delta)


def _drawn_proof() -> Proof:
    known = _ratio_proof()
    return Proof(known.result, "By disintegrated-moment and Markov's inequality for sample and draw "
                               "together e^(N kl) dP/dQ exceeds 2 sqrt(N)/delta >= xi(N)/delta "
                               "(kl-moment-size) with probability at most "
                 f"delta; taking logs. Of the moment: {known.text}", known.method)


drawn = Claim(
    id="disintegrated", origin="beyond", source="Rivasplata et al. 2020", kind="inequality",
    title="One drawn predictor: kl is at most the log-ratio at that predictor and log(2 sqrt(N)/delta)",
    statement=r"\mathrm{kl}(\hat R(h)\|R(h))"
              r"\le\frac1N\bigl[\log\frac{dQ_S}{dP}(h)+\log\frac{2\sqrt N}{\delta}\bigr]_+",
    words="With probability at least 1 - delta over the sample and one draw h from Q_S. Coverage by "
          "enumeration of all samples and draws, in fractions.",
    assumptions="i.i.d. sample, prior P fixed before it, one rule that makes Q_S", instances=toys,
    margin=_drawn_margin, proof=_drawn_proof, code=DRAWN, test=TEST)


def mean_ratio_fails(size: int, weight: Fraction, delta: Fraction) -> Callable[[int], bool]:
    """Whether the bound with KL for the log-ratio fails for the drawn predictor (0: the good one).

    N = 1. One good predictor of risk 0 and prior 1/2; ``size`` others, each right at its own of
    ``size`` equally likely points; Q_S gives ``weight`` to the one that is right at z, the rest to the
    good one.
    """
    kl = sum(float(w) * math.log(2 * w * share) for w, share in ((weight, size), (1 - weight, 1)) if w)
    return lambda h: h > 0 and math.log(size) > kl + math.log(2 / delta) + 1e-12  # kl(0 || 1 - 1/size)


def _mean_margin(i: dict[str, Any]) -> Fraction:
    fails = mean_ratio_fails(i["size"], i["weight"], i["delta"])
    return i["delta"] - (1 - i["weight"]) * fails(0) - i["weight"] * fails(1)


def _needles() -> Any:
    from hypothesis import strategies as st

    return st.fixed_dictionaries({"size": st.integers(2, 500), "weight": parts(0, 20, 20),
                                  "delta": parts(1, 19, 20)})


mean = Claim(
    id="disintegrated-kl", origin="beyond", source="Rivasplata et al. 2020", kind="inequality",
    title="For one drawn predictor the mean of the log-ratio, KL, will do",
    statement=r"\mathrm{kl}(\hat R(h)\|R(h))"
              r"\le\frac1N\bigl[\mathrm{KL}(Q_S\|P)+\log\frac{2\sqrt N}{\delta}\bigr]",
    words="KL averages over draws; the predictor that was tuned to the sample pays less than its own "
          "ratio. With 30 needles drawn half of the time coverage is 1/2 at delta = 2/5.",
    assumptions="N = 1; a good predictor and needles that are right at one point each; probability "
                "over sample and draw", instances=_needles, margin=_mean_margin, amendment=drawn,
    exhaustive=lambda: [{"size": 30, "weight": Fraction(1, 2), "delta": Fraction(2, 5)}],
    exhaustive_range="30 needles, weight 1/2, delta = 2/5", code=DRAWN, test=TEST)

# --- a prior learned on half of the sample ---------------------------------------------------------


def memoriser_coverage(points: int, half: int, delta: Fraction, *, whole: bool) -> Fraction:
    """Coverage of the bound for the predictor that is right on the first half of the sample only.

    ``points`` equally likely points; prior and posterior sit on that predictor (KL = 0).
    ``whole``: the bound counts both halves, N = 2 half; else the second half only, N = half.
    """
    n, seen, covered = half * (2 if whole else 1), [Fraction(0), Fraction(1)], Fraction(0)
    zero = [Fraction(0)]
    for _ in range(half - 1):  # the law of the number of different points
        seen = [Fraction(d, points) * a + Fraction(points - d + 1, points) * b
                for d, (a, b) in enumerate(zip(seen + zero, zero + seen, strict=True))]
    for d, chance in enumerate(seen[:points + 1]):
        risk = 1 - Fraction(d, points)
        for k, w in enumerate(binomial(half, risk)):
            if chance * w and exp_kl(k, n, risk) ** 2 <= Fraction(4 * n) / delta**2:
                covered += chance * w
    return covered


def _memoriser_margin(i: dict[str, Any], *, whole: bool) -> Fraction:
    return memoriser_coverage(i["points"], i["half"], i["delta"], whole=whole) - (1 - i["delta"])


def _halves() -> Any:
    from hypothesis import strategies as st

    return st.fixed_dictionaries({"points": st.integers(2, 300), "half": st.integers(1, 4),
                                  "delta": parts(1, 19, 20)})


second = Claim(
    id="prior-second-half", origin="beyond", source="PAC-Bayes with a learned prior", kind="inequality",
    title="A prior learned on the first half is valid if the bound counts the second half",
    statement=r"\mathrm{kl}(\hat R_2(Q)\|R(Q))"
              r"\le\frac{\mathrm{KL}(Q\|P_{S_1})+\log(2\sqrt{N_2}/\delta)}{N_2}",
    words="With probability at least 1 - delta, for all Q, which may depend on both halves.",
    assumptions="independent halves, N_2 the size of the second; in the instances a predictor that "
                "memorises the first", instances=_halves,
    margin=lambda i: _memoriser_margin(i, whole=False),
    proof=lambda: mixing_proof("Given the first half the prior is fixed and the second half is an "
                               "i.i.d. sample: the conditional probability of a miss is at most "
                               "delta, hence its mean is."),
    figure="certificates", code="theory.bounds.pac_bayes_kl.pac_bayes_kl", test=TEST)

whole = Claim(
    id="prior-whole-sample", origin="beyond", source="PAC-Bayes with a learned prior",
    kind="inequality",
    title="A prior learned on the first half may be used in a bound that counts the whole sample",
    statement=r"\mathrm{kl}(\hat R(Q)\|R(Q))\le\frac{\mathrm{KL}(Q\|P_{S_1})+\log(2\sqrt N/\delta)}{N}",
    words="The predictor that remembers the first half has KL = 0 from such a prior and is wrong "
          "elsewhere: with 250 points and one example a half the bound fails with certainty at delta "
          "= 1/20.",
    assumptions="two halves of N/2 examples each, equally likely points", instances=_halves,
    margin=lambda i: _memoriser_margin(i, whole=True),
    exhaustive=lambda: [{"points": 250, "half": 1, "delta": Fraction(1, 20)}],
    exhaustive_range="250 points, halves of one example, delta = 1/20", amendment=second,
    code="theory.bounds.pac_bayes_kl.pac_bayes_kl", test=TEST)

CLAIMS = [best, grid, free, ratio, drawn, mean, whole, second]
