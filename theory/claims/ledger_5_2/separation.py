"""Property 1, Remark 3 and Theorem 2, and the single inequality that both its parts follow from."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from typing import Any

from theory.claims import simulated_5_2 as rows
from theory.claims.ledger_5_2 import instances as ranges
from theory.claims.ledger_5_2.instances import SMALL, arguments, separation
from theory.claims.model import Claim, Proof
from theory.separation import (
    optimal_accuracy,
    separation_bounds,
    theorem_2_1,
    theorem_2_2,
    total_variation,
    total_variation_by_events,
)

TEST = "tests/separation/test_claims.py"
TV = "d_{TV}(D_y,D_{y'})"
PURE_TV = "d_{TV}(D^{pure}_y,D^{pure}_{y'})"


# --- Property 1 and Remark 3


def _small_pairs() -> Iterator[dict[str, Any]]:
    thirds = [ranges.density(list(w)) for w in product(range(4), repeat=3) if sum(w) == 3]
    yield from ({"p": p, "q": q} for p, q in product(thirds, repeat=2))


def _property_1_margin(instance: dict[str, Any]) -> Fraction:
    p, q = instance["p"], instance["q"]
    first = sum(a - b for a, b in zip(p, q, strict=True) if a >= b)
    second = sum(b - a for a, b in zip(p, q, strict=True) if b >= a)
    supremum = total_variation_by_events(p, q)
    return max(abs(supremum - v) for v in (first, second, total_variation(p, q)))


def _property_1_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    d, t, plus, minus = z3.Reals("d t plus minus")
    up, down = z3.If(d > 0, d, 0), z3.If(d < 0, -d, 0)
    return smt(
        "With d = p - q: every event, as an indicator t in {0, 1}, has -d_- <= t d <= d_+ at each "
        "point, with equality on the right for t = [d >= 0] and on the left for t = [d <= 0].  The "
        "integral of d = d_+ - d_- is 0, so both parts have one integral, which is the supremum.",
        z3.Implies(z3.Or(t == 0, t == 1), z3.And(-down <= t * d, t * d <= up)),
        z3.And(z3.If(d >= 0, d, 0) == up, z3.If(d <= 0, d, 0) == -down, d == up - down),
        z3.Implies(plus - minus == 0, plus == minus))


PROPERTY_1 = Claim(
    id="property-1", title="Total variation is the integral of the positive part",
    source="Property 1, App. E",
    statement=r"\sup_\Gamma|D_1(\Gamma)-D_2(\Gamma)|=\int(p_1-p_2)_+\,d\nu=\int(p_2-p_1)_+\,d\nu",
    words="The largest difference of probabilities is met on the set where one density exceeds the "
          "other.", assumptions="two densities with respect to one measure",
    kind="equality", instances=ranges.density_pairs, margin=_property_1_margin, exhaustive=_small_pairs,
    exhaustive_range="three atoms, densities in thirds; all events", proof=_property_1_proof,
    origin="paper", code="theory.separation.total_variation", test=TEST)


def _accuracy_margin(instance: dict[str, Any]) -> Fraction:
    """Formula minus the best of the 2^n classifiers."""
    p, q = instance["p"], instance["q"]
    best = max(sum(p[k] if c else q[k] for k, c in enumerate(choice))
               for choice in product((0, 1), repeat=len(p)))
    return optimal_accuracy(p, q) - best / 2


def _accuracy_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    p, q, t = z3.Reals("p q t")
    top, gap = z3.If(p > q, p, q), z3.If(p > q, p - q, q - p)
    return smt(
        "A classifier that says y with probability t at a point is right with density "
        "(t p + (1 - t) q)/2 <= max(p, q)/2, with equality for t = [p >= q]; and max(p, q) = "
        "(p + q + |p - q|)/2 integrates to 1 + TV.  Randomised classifiers gain nothing.",
        z3.Implies(z3.And(0 <= t, t <= 1), t * p + (1 - t) * q <= top),
        z3.If(p >= q, p, q) == top, top == (p + q + gap) / 2)


REMARK_3 = Claim(
    id="remark-3", title="Optimal accuracy of two equiprobable classes", source="Remark 3",
    statement=r"\max_c P(c(X)=Y)=\frac{1+d_{TV}(D_y,D_{y'})}{2}",
    words="The best classifier of two equally likely classes is right with this probability.",
    assumptions="two classes of probability 1/2 each", kind="equality", instances=ranges.density_pairs,
    margin=_accuracy_margin, exhaustive=_small_pairs,
    exhaustive_range="three atoms, densities in thirds; all classifiers", proof=_accuracy_proof,
    origin="paper", code="theory.separation.optimal_accuracy", test=TEST)

# --- the single inequality, and Theorem 2


def _sandwich_lemmas() -> list[Any]:
    """Pointwise: with D = lambda d + k, k >= 0: D_+ >= lambda d_+ and D_- <= lambda d_-."""
    import z3

    lam, d, k = z3.Reals("lam d k")
    both = lam * d + k
    given = z3.And(0 <= lam, lam <= 1, k >= 0)
    return [z3.Implies(given, z3.If(both > 0, both, 0) >= lam * z3.If(d > 0, d, 0)),
            z3.Implies(given, z3.If(both < 0, -both, 0) <= lam * z3.If(d < 0, -d, 0))]


SANDWICH_TEXT = (
    "D = p_y - p_y' = lambda d + k with d the pure difference and k = (eta_y - eta_y')(1-lambda)"
    "p_bg.  If eta_y >= eta_y' then D_+ >= lambda d_+ and D_- <= lambda d_- at every point; "
    "integrated, and since both parts of D integrate to TV, A+ <= TV <= A-.  Else swap the classes.")


def _sandwich_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    a, b, tv = z3.Reals("a b tv")
    low, high = z3.If(a < b, a, b), z3.If(a < b, b, a)
    return smt(SANDWICH_TEXT, *_sandwich_lemmas(), z3.Implies(
        z3.Or(z3.And(a <= tv, tv <= b), z3.And(b <= tv, tv <= a)), z3.And(low <= tv, tv <= high)))


def _sandwich_margin(instance: dict[str, Any]) -> Fraction:
    low, high = separation_bounds(*arguments(instance))
    tv = separation(instance)
    return min(tv - low, high - tv)


SANDWICH = Claim(
    id="sandwich", title="TV lies between A- and A+", source="beyond the paper (Theorem 2)",
    statement=r"\min(A_+,A_-)\le " + TV + r"\le\max(A_+,A_-),\quad A_\pm=\int\lambda "
              r"(p^{pure}_y-p^{pure}_{y'})_\pm\,d\nu",
    words="One inequality from which both parts of Theorem 2 and an upper bound follow.",
    assumptions="eta is defined", kind="inequality", instances=ranges.defined_mixtures,
    margin=_sandwich_margin, exhaustive=ranges.small_mixtures, exhaustive_range=SMALL,
    proof=_sandwich_proof, simulated=rows.sandwich, origin="beyond",
    figure="sandwich", code="theory.separation.separation_bounds", test=TEST)


def _theorem_2_1_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    lam, least, part, a, b, tv, low = z3.Reals("lam least part a b tv low")
    return smt(
        SANDWICH_TEXT + "  And lambda d_+- >= (inf lambda) d_+- pointwise, so A+ and A- are both "
        "at least inf lambda times the pure TV.", *_sandwich_lemmas(),
        z3.Implies(z3.And(lam >= least, part >= 0), lam * part >= least * part),
        z3.Implies(z3.And(a >= low, b >= low, tv >= z3.If(a < b, a, b)), tv >= low))


THM_2_1 = Claim(
    id="thm-2.1", title="TV is at least inf lambda times the pure TV", source="Theorem 2(1)",
    statement=TV + r"\ge\inf\lambda\cdot " + PURE_TV,
    words="Classes stay separated up to the worst fitting rate.", assumptions="eta is defined",
    kind="inequality", instances=ranges.defined_mixtures,
    margin=lambda i: separation(i) - theorem_2_1(*arguments(i)),
    exhaustive=ranges.small_mixtures, exhaustive_range=SMALL, proof=_theorem_2_1_proof,
    simulated=rows.theorem_2_1, origin="paper",
    figure="sandwich",
    code="theory.separation.theorem_2_1", test=TEST)


def _constant_proof() -> Proof:
    import sympy

    from theory.claims.proofs import symbolic

    c, p, q, g = sympy.symbols("c p q g")
    eta = (1 - c) / (1 - c)
    y, other = (c * r + eta * (1 - c) * g for r in (p, q))
    return symbolic("For constant lambda = c < 1, eta is (1-c)/(1-c) = 1 for both classes and the "
                    "difference of densities is c (p - p') at every point.", y - other - c * (p - q))


THM_2_1_CONSTANT = Claim(
    id="thm-2.1-constant", title="Equality in Theorem 2(1) for constant lambda",
    source="beyond the paper (Theorem 2(1))",
    statement=r"\lambda\equiv c<1\Rightarrow " + TV + r"=c\cdot " + PURE_TV,
    words="If all maps are equally good, the first bound is an equality.",
    assumptions="lambda is one number below 1", kind="equality",
    instances=ranges.constant_mixtures,
    margin=lambda i: separation(i) - theorem_2_1(*arguments(i)), proof=_constant_proof,
    origin="beyond", code="theory.separation.theorem_2_1", test=TEST)


def _theorem_2_2_margin(instance: dict[str, Any]) -> Fraction:
    return separation(instance) - theorem_2_2(*arguments(instance))


def _disjoint_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    p, q = z3.Reals("p q")
    given = z3.And(p >= 0, q >= 0, p * q == 0)
    return smt(
        SANDWICH_TEXT + "  With disjoint supports (p - p')_+ = p and (p - p')_- = p', so A+ and A- "
        "are the two expectations of lambda.", *_sandwich_lemmas(),
        z3.Implies(given, z3.And(z3.If(p > q, p - q, 0) == p, z3.If(q > p, q - p, 0) == q)))


def _small_apart() -> Iterator[dict[str, Any]]:
    for instance in ranges.small_mixtures():
        if any((p > 0) != (q > 0) for p, q in zip(instance["pure"], instance["other"],
                                                   strict=True)):
            yield instance


THM_2_2_DISJOINT = Claim(
    id="thm-2.2-disjoint",
    title="For disjoint pure supports, as its proof uses, TV >= min E[lambda]",
    source="Theorem 2(2)",
    statement=r"p^{pure}_y\,p^{pure}_{y'}=0\Rightarrow " + TV
              + r"\ge\min_{\hat y}E_{D^{pure}_{\hat y}}[\lambda]",
    words="If no point belongs to both pure classes, the mean fitting rate bounds the separation.  "
          "The paper's own proof reads 'distinct supports' so: it drops the other class's pure "
          "density on the support of the first.",
    assumptions="the pure supports are disjoint; eta is defined", kind="inequality",
    instances=lambda: ranges.apart_mixtures(disjoint=True), margin=_theorem_2_2_margin,
    proof=_disjoint_proof, simulated=rows.theorem_2_2_disjoint, origin="amended",
    figure="sandwich", code="theory.separation.theorem_2_2", test=TEST)

THM_2_2 = Claim(
    id="thm-2.2", title="For distinct pure supports TV >= min E[lambda]", source="Theorem 2(2)",
    statement=r"supp\,D^{pure}_y\neq supp\,D^{pure}_{y'}\Rightarrow " + TV
              + r"\ge\min_{\hat y}E_{D^{pure}_{\hat y}}[\lambda]",
    words="'Distinct' read to the letter: supports that are not the same set.  They may overlap, and "
          "then lambda near 1 everywhere cannot separate what the pure classes do not.  The paper's "
          "proof uses disjoint supports, and for these the theorem holds (thm-2.2-disjoint).",
    assumptions="the pure supports are different sets; eta is defined", kind="inequality",
    instances=lambda: ranges.apart_mixtures(disjoint=False), margin=_theorem_2_2_margin,
    exhaustive=_small_apart, exhaustive_range=SMALL + ", supports not equal",
    amendment=THM_2_2_DISJOINT, simulated=rows.theorem_2_2, origin="paper",
    figure="sandwich", code="theory.separation.theorem_2_2", test=TEST)


def _stronger_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    lam, least, p, mean, tv = z3.Reals("lam least p mean tv")
    return smt(
        "lambda p >= (inf lambda) p at every point, so each expectation is at least inf lambda, "
        "and inf lambda >= inf lambda times TV since TV <= 1.",
        z3.Implies(z3.And(lam >= least, p >= 0), lam * p >= least * p),
        z3.Implies(z3.And(mean >= least, least >= 0, tv <= 1), mean >= least * tv))


REMARK_3_STRONGER = Claim(
    id="remark-3-stronger", title="Part 2 of Theorem 2 is stronger than part 1",
    source="Remark 3",
    statement=r"\min_{\hat y}E_{D^{pure}_{\hat y}}[\lambda]\ge\inf\lambda\cdot " + PURE_TV,
    words="Where part 2 applies, its right-hand side is at least that of part 1.",
    assumptions="the pure supports are disjoint (the inequality itself needs no such condition)",
    kind="inequality", instances=lambda: ranges.apart_mixtures(disjoint=True),
    margin=lambda i: theorem_2_2(*arguments(i)) - theorem_2_1(*arguments(i)),
    proof=_stronger_proof, origin="paper", code="theory.separation.theorem_2_2", test=TEST)


def _upper_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    lam, most, part = z3.Reals("lam most part")
    return smt(
        SANDWICH_TEXT + "  And lambda d_+- <= (sup lambda) d_+- pointwise, so max(A+, A-) is at "
        "most sup lambda times the pure TV.", *_sandwich_lemmas(),
        z3.Implies(z3.And(lam <= most, part >= 0), lam * part <= most * part))


TV_UPPER = Claim(
    id="tv-upper", title="TV is at most sup lambda times the pure TV",
    source="beyond the paper (Theorem 2)", statement=TV + r"\le\sup\lambda\cdot " + PURE_TV,
    words="Contamination never helps, by more than the data-processing inequality says.",
    assumptions="eta is defined", kind="inequality", instances=ranges.defined_mixtures,
    margin=lambda i: max(i["fitting"]) * ranges.pure_separation(i) - separation(i),
    exhaustive=ranges.small_mixtures, exhaustive_range=SMALL, proof=_upper_proof, origin="beyond",
    figure="sandwich", code="theory.separation.separation_bounds", test=TEST)

CLAIMS = [PROPERTY_1, REMARK_3, SANDWICH, THM_2_1, THM_2_1_CONSTANT, THM_2_2, THM_2_2_DISJOINT,
          REMARK_3_STRONGER, TV_UPPER]
