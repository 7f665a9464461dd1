"""Section 5.1, beyond the paper: what (network, image) pairs count for in the Monte-Carlo step."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from theory.claims.coins import binomial, count_law, exp_kl, parts
from theory.claims.model import Claim, Proof
from theory.claims.proofs import smt

TEST = "tests/claims/test_ledger_held_out.py"
GIBBS = "theory.bounds.pac_bayes.gibbs_upper"
EXACT = "theory.bounds.clopper_pearson.clopper_pearson_upper"


def _unequal() -> Any:
    from hypothesis import strategies as st

    return st.lists(parts(0, 20, 20), min_size=1, max_size=8)


def _chernoff_margin(chances: list[Fraction]) -> Fraction:
    """The least of ``e^(-m kl(k/m || p)) - P(count <= k)`` over the k below the mean."""
    m, mean, law = len(chances), sum(chances), count_law(chances)
    return min((1 / exp_kl(k, m, mean / m) - sum(law[:k + 1]) for k in range(m) if k < mean < m),
               default=Fraction(0))


def _chernoff_proof() -> Proof:
    import z3

    a, b, s, x, u, v = z3.Reals("a b s x u v")
    return smt("For 0 < s < 1: 1(K <= k) <= s^(K-k), and E s^K is the product of 1 - p_i (1 - s), "
               "which two equal chances of the same sum do not lower (lemma 1): it is at most (1 - p "
               "+ p s)^m. Losses in [0, 1]: s^L lies below its chord, of mean at most 1 - p_i (1 - "
               "s) (lemma 2). By catoni-kl the best s gives e^(-m kl(k/m || p)).",
               (1 - a * (1 - s)) * (1 - b * (1 - s))
               <= (1 - (a + b) / 2 * (1 - s)) * (1 - (a + b) / 2 * (1 - s)),
               z3.Implies(z3.And(u <= 1 - a * (1 - s), v <= 1 - b * (1 - s), x >= 0, x <= 1),
                          x * u + (1 - x) * v <= 1 - (x * a + (1 - x) * b) * (1 - s)))


chernoff = Claim(
    id="chernoff-unequal", origin="beyond", source="Hoeffding 1963, Theorem 1", kind="inequality",
    title="Independent losses of different means count like equal ones in the kl bound",
    statement=r"P\bigl(\sum_{i\le m}L_i\le k\bigr)\le e^{-m\,\mathrm{kl}(k/m\|p)},\quad k\le mp",
    words="So mn (network, image) pairs, each with a network of its own drawn from Q, count as mn "
          "draws, not as m: given the sample their means average to the Gibbs loss. With equal "
          "chances it also says that Clopper-Pearson is never looser than kl.",
    assumptions="L_i independent, in [0, 1] (0/1 in the instances), with means that average to p",
    instances=_unequal, margin=_chernoff_margin, proof=_chernoff_proof, code=GIBBS, test=TEST)


def _shared() -> Any:
    from hypothesis import strategies as st

    return st.fixed_dictionaries({"networks": st.integers(1, 5), "images": st.integers(1, 6),
                                  "p": parts(1, 19, 20), "delta": parts(1, 19, 20)})


def _shared_margin(i: dict[str, Any]) -> Fraction:
    """Coverage minus 1 - delta of networks that are wrong on all images (with chance p) or on none."""
    m, n, p, missed = i["networks"], i["images"], i["p"], Fraction(0)
    for k, w in enumerate(binomial(m, p)):
        missed += w * (k < m * p and exp_kl(k * n, m * n, p) > 1 / i["delta"])
    return i["delta"] - missed


shared = Claim(
    id="draws-shared", origin="beyond", source="Langford and Caruana 2001", kind="inequality",
    title="m networks, each on all n images, count as mn draws",
    statement=r"P\bigl(\mathrm{kl}(\bar L\|\hat R(Q))\le\tfrac{\log(1/\delta)}{mn}\ \mathrm{or}\ "
              r"\bar L\ge\hat R(Q)\bigr)\ge1-\delta",
    words="Losses of one network on several images move together: then only the m networks are "
          "independent.",
    assumptions="m networks drawn from Q, the same for all images",
    instances=_shared, margin=_shared_margin,
    exhaustive=lambda: [{"networks": 1, "images": 2, "p": Fraction(4, 5), "delta": Fraction(1, 10)}],
    exhaustive_range="one network, two images, chance 4/5, delta = 1/10",
    amendment=chernoff, code=GIBBS,
    test=TEST)


def exact_misses(chances: list[Fraction], delta: Fraction, *, patched: bool) -> Fraction:
    """P(Clopper-Pearson's upper end is below the mean chance) minus delta, for independent coins.

    ``patched``: after m - 1 ones of m the end is at least 1 - delta/m.
    """
    m, p = len(chances), sum(chances) / len(chances)
    missed, tail = Fraction(0), Fraction(0)
    for k, (w, equal) in enumerate(zip(count_law(chances), binomial(m, p), strict=True)):
        tail += equal
        saved = patched and k == m - 1 and p <= 1 - delta / m
        missed += w * (tail < delta and not saved)
    return missed - delta


def _exact_cases(top: int) -> Any:
    """``top``: delta up to top/20."""
    from hypothesis import strategies as st

    return st.fixed_dictionaries({
        "chances": st.lists(parts(0, 40, 40), min_size=1, max_size=7), "delta": parts(1, top, 20)})


def extremes() -> Iterator[dict[str, Any]]:
    """Some coins 0, some 1, the others equal: where the tails are largest (Hoeffding 1956)."""
    for m in range(1, 6):
        for none in range(m):
            for one in range(m - none):
                for k in range(1, 10):
                    chances = [Fraction(0)] * none + [Fraction(1)] * one
                    chances += [Fraction(k, 10)] * (m - none - one)
                    for delta in (Fraction(1, 100), Fraction(1, 20), Fraction(1, 4)):
                        yield {"chances": chances, "delta": delta}


exact_patched = Claim(
    id="clopper-pearson-unequal-amended", origin="beyond", source="Hoeffding 1956", kind="inequality",
    title="Clopper-Pearson for unequal means needs one change: after m - 1 ones, 1 - delta/m",
    statement=r"P(p\le U')\ge1-\delta,\quad U'(m-1)=\max(U(m-1),1-\delta/m),\quad\delta\le\tfrac14",
    words="For k <= mp - 1 equal coins have the largest tail P(K <= k) (Hoeffding 1956, quoted). Up "
          "to m - 2 ones, U(k) < p implies that for delta <= 1/4, as P(Bin(m, (k+1)/m) <= k) was "
          "never found below 1/4; at m - 1 the union over the m coins gives m(1 - p).",
    assumptions="independent 0/1 losses whose means average to p", instances=lambda: _exact_cases(5),
    margin=lambda i: -exact_misses(i["chances"], i["delta"], patched=True), exhaustive=extremes,
    exhaustive_range="m up to 5 coins: some 0, some 1, the others equal (1/10 to 9/10); delta = "
                     "1/100, 1/20, 1/4", code=EXACT, test=TEST)

exact = Claim(
    id="clopper-pearson-unequal", origin="beyond", source="Hoeffding 1956", kind="inequality",
    title="Clopper-Pearson holds for independent 0/1 losses of different means",
    statement=r"P(p\le U(K))\ge1-\delta,\quad U(k)=\max\{p:P(\mathrm{Bin}(m,p)\le k)\ge\delta\}",
    words="All coins certain but one: the chance of a zero is m(1 - p), more than the 1 - p^m of "
          "equal coins. So the Monte-Carlo step uses kl.",
    assumptions="K the sum of m independent coins whose means average to p",
    instances=lambda: _exact_cases(19),
    margin=lambda i: -exact_misses(i["chances"], i["delta"], patched=False),
    exhaustive=lambda: [{"chances": [Fraction(1), Fraction(1899, 2000)], "delta": Fraction(1, 20)}],
    exhaustive_range="coins 1 and 0.9495, delta = 1/20", amendment=exact_patched, code=EXACT, test=TEST)

CLAIMS = [chernoff, shared, exact]
