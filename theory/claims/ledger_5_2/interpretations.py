"""The four interpretations of Eq. 18: perfect, imperfect, missed and oversized maps."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from theory.claims.ledger_5_2 import instances as ranges
from theory.claims.ledger_5_2.mixture import contaminated, eta
from theory.claims.model import Claim, Proof
from theory.rates import fitting_rate_exact
from theory.separation import redraw_density

TEST = "tests/separation/test_claims.py"

# --- Interpretation 1: perfect maps


def _perfect() -> Any:
    """lambda = 1 at every point: outside Eq. 18's domain."""
    def perfect(instance: dict[str, Any]) -> dict[str, Any]:
        ones = np.array([Fraction(1)] * len(instance["pure"]), dtype=object)
        return {**instance, "fitting": ones}

    return ranges.mixtures().map(perfect)


def _perfect_on_the_class(instance: dict[str, Any]) -> bool:
    pairs = zip(instance["pure"], instance["fitting"], strict=True)
    return ranges.defined(instance) and all(lam == 1 for p, lam in pairs if p > 0)


def _small_perfect() -> Iterator[dict[str, Any]]:
    return (i for i in ranges.small_mixtures() if _perfect_on_the_class(i))


def _pointwise_proof(text: str, value: int) -> Proof:
    import sympy

    from theory.claims.proofs import symbolic

    lam, p, g, eta = sympy.symbols("lam p g eta")
    expected = p if value == 1 else eta * g
    return symbolic(text, (lam * p + eta * (1 - lam) * g).subs(lam, value) - expected)


def _kernel_perfect_proof() -> Proof:
    return _pointwise_proof("No point is redrawn: lambda p + (redrawn mass) q = p with lambda = 1, "
                            "whatever q is.", 1)


INTERP_1_KERNEL = Claim(
    id="interp-1-kernel", title="In the kernel form a perfect map leaves the pure density",
    source="beyond the paper (section 5.2, Interpretation 1)",
    statement=r"\lambda\equiv 1\Rightarrow p_y=p^{pure}_y",
    words="A map that is perfect for every input has eta = 0/0, which the paper excludes by assuming "
          "eta to be defined.  Read through the redraw kernel, which needs no eta, the first "
          "interpretation is true of it too.",
    assumptions="lambda is 1 at every point; Eq. 18 read as the redraw kernel",
    kind="equality", instances=_perfect,
    margin=lambda i: -abs(redraw_density(i["pure"], i["background"], i["fitting"])
                          - i["pure"]).max(),
    proof=_kernel_perfect_proof, origin="beyond", code="theory.separation.redraw_density",
    test=TEST)

def _perfect_class_proof() -> Proof:
    import sympy
    import z3

    from theory.claims.proofs import smt, symbolic

    b, g, lam = sympy.symbols("b g lam")
    weight = symbolic("", (1 - 1) / (1 - b) * (1 - lam) * g)
    p, level = z3.Reals("p lam")
    proof = smt(
        "lambda p = p at every point, since lambda = 1 where p > 0 (lemma); its integral is 1, so "
        "eta_y = (1 - 1)/(1 - b) = 0, b < 1 being the integral of lambda p_bg, and the background's "
        "weight is 0 everywhere (SymPy): p_y = p.",
        z3.Implies(z3.And(p >= 0, z3.Implies(p > 0, level == 1)), level * p == p))
    return proof if weight.result else weight


INTERP_1 = Claim(
    id="interp-1", title="Where the map is perfect for a class, its density is the pure one",
    source="section 5.2, Interpretation 1",
    statement=r"\lambda=1\ \text{where }p^{pure}_y>0\ \Rightarrow\ p_y=p^{pure}_y",
    words="No background contaminates a class whose maps are perfect.  Read with the paper's "
          "assumption that eta is defined: some input of the background has an imperfect map.  Point "
          "by point it is true as well (interp-1-pointwise); for a map that is perfect for every "
          "input, which the assumption excludes, in the kernel form (interp-1-kernel).",
    assumptions="eta is defined, as the paper assumes; truth and prediction agree for every input of "
                "class y",
    kind="equality", instances=ranges.perfect_classes,
    margin=lambda i: -abs(contaminated(i) - i["pure"]).max(), proof=_perfect_class_proof,
    exhaustive=_small_perfect,
    exhaustive_range="two atoms, densities in halves, lambda in {0, 1/2, 1}, 1 on the class",
    origin="paper", code="theory.separation.mixture_density", test=TEST)


def _where(instance: dict[str, Any], level: int, expected: np.ndarray) -> Fraction:
    gaps = [abs(p - e) for p, e, lam in zip(contaminated(instance), expected, instance["fitting"],
                                            strict=True) if lam == level]
    return max(gaps, default=Fraction(0))


INTERP_1_POINTWISE = Claim(
    id="interp-1-pointwise", title="At a point with a perfect map the density is the pure one",
    source="section 5.2, Interpretation 1", kind="equality",
    statement=r"\lambda(x)=1\Rightarrow p_y(x)=p^{pure}_y(x)",
    words="Read one input at a time, with eta defined by the others, the interpretation is true.",
    assumptions="eta is defined", instances=ranges.defined_mixtures,
    margin=lambda i: _where(i, 1, i["pure"]),
    proof=lambda: _pointwise_proof("Eq. 18 at lambda(x) = 1, for any eta.", 1),
    exhaustive=ranges.small_mixtures,
    exhaustive_range="two atoms, densities in halves, lambda in {0, 1/2, 1}",
    origin="paper", code="theory.separation.mixture_density", test=TEST)

# --- Interpretation 2: imperfect maps


def _contaminated_margin(instance: dict[str, Any]) -> Fraction:
    """Smallest slack of eta (1 - lambda(x)) >= (1 - lambda(x)) E_pure[1 - lambda]."""
    lam, p = instance["fitting"], instance["pure"]
    lost = sum((1 - lam) * p)
    coefficient = eta(instance) * (1 - lam)
    return min(coefficient - (1 - lam) * lost)


def _contaminated_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    lam, lost, free, eta = z3.Reals("lam lost free eta")
    return smt(
        "eta = E_pure[1 - lambda] / E_bg[1 - lambda] and the denominator is in (0, 1], so eta is at "
        "least the numerator; multiply by 1 - lambda(x).  If class y has mass where lambda < 1 the "
        "numerator is positive, and so is the weight wherever lambda(x) < 1.",
        z3.Implies(z3.And(0 <= lam, lam <= 1, lost >= 0, 0 < free, free <= 1, eta * free == lost),
                   eta * (1 - lam) >= lost * (1 - lam)),
        z3.Implies(z3.And(lam < 1, lost > 0), lost * (1 - lam) > 0))


def _enters_margin(instance: dict[str, Any]) -> Fraction:
    """The smallest weight of the background among imperfect points; it has to be positive."""
    factor = eta(instance)
    weights = [factor * (1 - lam) for lam in instance["fitting"] if lam < 1]
    least = min(weights, default=Fraction(1))
    return least if least > 0 else Fraction(-1)


INTERP_2_AMENDED = Claim(
    id="interp-2-amended", title="How much background an imperfect map lets in, at least",
    source="section 5.2, Interpretation 2",
    statement=r"\eta_y(1-\lambda(x))\ge(1-\lambda(x))\,E_{D^{pure}_y}[1-\lambda]",
    words="Where lambda < 1 the background enters with positive weight, provided the class itself "
          "has mass where maps are imperfect (else eta is 0); the weight has this lower bound.",
    assumptions="eta is defined", kind="inequality", instances=ranges.defined_mixtures,
    margin=_contaminated_margin, proof=_contaminated_proof, origin="amended",
    code="theory.separation.normalization", test=TEST)

INTERP_2 = Claim(
    id="interp-2", title="An imperfect map lets some background in",
    source="section 5.2, Interpretation 2",
    statement=r"\lambda(x)<1\Rightarrow\eta_y(1-\lambda(x))>0",
    words="'Some background contaminates' read as: where the map is imperfect the background's weight "
          "is positive.  Not if class y has no mass where maps are imperfect: then eta_y = 0 and no "
          "background enters anywhere.",
    assumptions="eta is defined", kind="inequality", instances=ranges.defined_mixtures,
    margin=_enters_margin, exhaustive=lambda: (
        i for i in ranges.small_mixtures() if ranges.defined(i)),
    exhaustive_range="two atoms, densities in halves, lambda in {0, 1/2, 1}, eta defined",
    amendment=INTERP_2_AMENDED, origin="paper", code="theory.separation.normalization", test=TEST)

# --- Interpretation 3: missed objects

INTERP_3 = Claim(
    id="interp-3", title="Where the map misses the object only background is left",
    source="section 5.2, Interpretation 3", kind="equality",
    statement=r"\lambda(x)=0\Rightarrow p_y(x)=\eta_y\,p_{bg}(x)",
    words="Where truth and prediction do not meet, the density is a multiple of the background's.",
    assumptions="eta is defined", instances=ranges.defined_mixtures,
    margin=lambda i: _where(i, 0, eta(i) * i["background"]),
    proof=lambda: _pointwise_proof("Eq. 18 at lambda(x) = 0.", 0), exhaustive=ranges.small_mixtures,
    exhaustive_range="two atoms, densities in halves, lambda in {0, 1/2, 1}",
    origin="paper", code="theory.separation.mixture_density", test=TEST)


def _information_margin(instance: dict[str, Any]) -> Fraction:
    other = {**instance, "pure": instance["other"]}
    return -_where(instance, 0, contaminated(other))


def _missed_proof() -> Proof:
    return _pointwise_proof("With lambda = 0 everywhere eta_y = (1-0)/(1-0) = 1 for every class, "
                            "and Eq. 18 is eta p_bg = p_bg.", 0)


def _missed(height: int = 4) -> Any:
    def missed(instance: dict[str, Any]) -> dict[str, Any]:
        zeros = np.array([Fraction(0)] * len(instance["pure"]), dtype=object)
        return {**instance, "fitting": zeros}

    return ranges.mixtures(height).map(missed)


def _missed_margin(instance: dict[str, Any]) -> Fraction:
    swapped = {**instance, "pure": instance["other"]}
    return max(abs(contaminated(i) - instance["background"]).max() for i in (instance, swapped))


INTERP_3_INFORMATION_AMENDED = Claim(
    id="interp-3-no-information-amended",
    title="If the maps miss everywhere, every class is the background",
    source="section 5.2, Interpretation 3", kind="equality",
    statement=r"\lambda\equiv 0\Rightarrow p_y=p_{y'}=p_{bg}",
    words="No information about the class is left when every map misses its object.",
    assumptions="lambda is 0 at every point", instances=_missed, margin=_missed_margin,
    proof=_missed_proof, origin="amended", code="theory.separation.mixture_density", test=TEST)

INTERP_3_INFORMATION = Claim(
    id="interp-3-no-information", title="Where the map misses the object the class leaves no trace",
    source="section 5.2, Interpretation 3", kind="equality",
    statement=r"\lambda(x)=0\Rightarrow p_y(x)=p_{y'}(x)",
    words="Read one input at a time: a missed object would make the classes equally likely.  They "
          "are not, since eta depends on the class.",
    assumptions="eta is defined", instances=ranges.defined_mixtures, margin=_information_margin,
    exhaustive=ranges.small_mixtures,
    exhaustive_range="two atoms, densities in halves, lambda in {0, 1/2, 1}",
    amendment=INTERP_3_INFORMATION_AMENDED, origin="paper",
    code="theory.separation.mixture_density", test=TEST)

# --- Interpretation 4: oversized maps


def _nested() -> Any:
    from hypothesis import strategies as st

    from theory.strategies import grids, masks

    def nest(pair: tuple[np.ndarray, np.ndarray]) -> dict[str, Any]:
        return {"truth": np.minimum(*pair), "prediction": pair[1]}

    return grids(4).flatmap(lambda hw: st.tuples(masks(*hw), masks(*hw, empty=False)).map(nest))


def _small_nested() -> Iterator[dict[str, Any]]:
    for grid in ((1, 1), (1, 2), (2, 2), (2, 3)):
        for cells in product((0, 1, 2), repeat=grid[0] * grid[1]):
            kinds = np.array(cells).reshape(grid)
            if kinds.any():
                yield {"truth": np.where(kinds == 2, 1, -1).astype(np.int8),
                       "prediction": np.where(kinds > 0, 1, -1).astype(np.int8)}


def _nested_proof() -> Proof:
    import z3

    from theory.claims.proofs import induction

    s, t, both, either = z3.Ints("s t both either")
    a, b = z3.Bools("a b")
    count = {k: z3.If(c, 1, 0) for k, c in (("s", a), ("t", b), ("both", z3.And(a, b)),
                                            ("either", z3.Or(a, b)))}
    before = z3.And(both == s, either == t)
    after = z3.And(both + count["both"] == s + count["s"],
                   either + count["either"] == t + count["t"])
    return induction(
        "If every true position is predicted, the intersection counts the truth and the union the "
        "prediction, so lambda = |S|/|S^| by Proposition 1.",
        z3.Implies(z3.And(s == 0, t == 0, both == 0, either == 0), before),
        z3.Implies(z3.And(before, z3.Implies(a, b)), after))


INTERP_4 = Claim(
    id="interp-4", title="An oversized prediction has lambda = |S|/|S^|",
    source="section 5.2, Interpretation 4", kind="equality",
    statement=r"S\subseteq\hat S\neq\emptyset\Rightarrow\lambda=|S|/|\hat S|",
    words="If the prediction covers the object and much more, lambda is the ratio of areas, hence "
          "small: a map that covers everything is no good map.",
    assumptions="the true support lies in the predicted one, which is not empty",
    instances=_nested,
    margin=lambda i: fitting_rate_exact(i["truth"], i["prediction"]) - Fraction(
        int((i["truth"] == 1).sum()), int((i["prediction"] == 1).sum())),
    exhaustive=_small_nested, exhaustive_range="all nested pairs on 1x1, 1x2, 2x2 and 2x3",
    proof=_nested_proof, origin="paper", code="theory.rates.fitting_rate", test=TEST)

CLAIMS = [INTERP_1, INTERP_1_POINTWISE, INTERP_1_KERNEL, INTERP_2, INTERP_2_AMENDED, INTERP_3,
          INTERP_3_INFORMATION, INTERP_3_INFORMATION_AMENDED, INTERP_4]
