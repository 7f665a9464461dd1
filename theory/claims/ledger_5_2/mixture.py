"""Eq. 18 and its four interpretations: what the contamination model is, and where it is defined."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from theory.claims.ledger_5_2 import instances as ranges
from theory.claims.model import Claim, Proof, Undefined
from theory.rates import fitting_rate_exact
from theory.separation import mixture_density, normalization, redraw_density

TEST = "tests/separation/test_claims.py"
EQ_18_TEXT = r"p_y=\lambda p^{pure}_y+\eta_y(1-\lambda)p_{bg}"


def _density(instance: dict[str, Any]) -> np.ndarray:
    if not ranges.defined(instance):
        raise Undefined("lambda is 1 wherever the background has mass: eta's denominator is 0")
    return mixture_density(instance["pure"], instance["background"], instance["fitting"])


def _eta(instance: dict[str, Any]) -> Fraction:
    return normalization(instance["pure"], instance["background"], instance["fitting"])


def _is_density(p: np.ndarray) -> Fraction:
    """Slack of p >= 0 and total mass one."""
    return min(min(p), -abs(1 - sum(p)))


# --- Eq. 18


def _density_proof() -> Proof:
    import sympy
    import z3

    from theory.claims.proofs import smt, symbolic

    m, b = sympy.symbols("m b")  # integrals of lambda p and lambda p_bg
    mass = symbolic("", m + (1 - m) / (1 - b) * (1 - b) - 1)
    lam, p, g, mz, bz = z3.Reals("lam p g m b")
    given = z3.And(0 <= lam, lam <= 1, p >= 0, g >= 0, 0 <= mz, mz <= 1, 0 <= bz, bz < 1)
    eta = z3.Real("eta")
    positive = smt(
        "By linearity of the integral the total mass is m + eta (1 - b) with m, b the integrals of "
        "lambda against the two densities, and eta = (1-m)/(1-b) makes it 1 (SymPy); eta >= 0, and "
        "lambda p + eta (1 - lambda) p_bg >= 0 at every point.",
        z3.Implies(given, (1 - mz) / (1 - bz) >= 0),
        z3.Implies(z3.And(given, eta >= 0), lam * p + eta * ((1 - lam) * g) >= 0))
    return positive if mass.result else mass


EQ_18 = Claim(
    id="eq-18", title="The contaminated class density is a density", source="Eq. 18",
    statement=EQ_18_TEXT + r"\ge 0,\quad\int p_y\,d\nu=1",
    words="Mixing the pure density with the background and normalising gives a density.",
    assumptions="eta is defined, as the paper assumes: lambda < 1 on a set of positive background "
                "mass",
    kind="inequality", instances=ranges.defined_mixtures, margin=lambda i: _is_density(_density(i)),
    proof=_density_proof, origin="paper", code="theory.separation.mixture_density", test=TEST)


def _defined_margin(instance: dict[str, Any]) -> int:
    free = sum(g for lam, g in zip(instance["fitting"], instance["background"], strict=True)
               if lam < 1)
    try:
        _eta(instance)
    except ValueError:
        return int(free == 0) - 1
    return int(free > 0) - 1


def _defined_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    lam, g = z3.Reals("lam g")
    return smt(
        "The denominator of eta is the integral of (1 - lambda) p_bg >= 0, which is 0 iff the "
        "integrand is 0 almost everywhere; pointwise this means lambda = 1 or p_bg = 0.",
        z3.Implies(z3.And(0 <= lam, lam <= 1, g >= 0),
                   z3.And((1 - lam) * g >= 0, ((1 - lam) * g == 0) == z3.Or(lam == 1, g == 0))))


EQ_18_DEFINED = Claim(
    id="eq-18-defined", title="Where Eq. 18 is defined", source="Eq. 18, the assumption on eta",
    statement=r"\eta_y\text{ is defined}\iff P_{bg}(\lambda<1)>0",
    words="The normalisation exists exactly if the map is imperfect somewhere the background lives; "
          "a map that is perfect everywhere is excluded.",
    assumptions="none: any densities and any lambda in [0, 1]",
    kind="inequality", instances=ranges.mixtures, margin=_defined_margin, proof=_defined_proof,
    origin="beyond", code="theory.separation.normalization", test=TEST)


def _kernel(instance: dict[str, Any]) -> np.ndarray:
    """``p_pure K`` with the n x n matrix K[x, x'] = lambda(x) [x = x'] + (1 - lambda(x)) q(x')."""
    lam, g, p = (list(instance[k]) for k in ("fitting", "background", "pure"))
    n, free = len(p), sum((1 - a) * b for a, b in zip(lam, g, strict=True))
    q = [(1 - a) * b / free for a, b in zip(lam, g, strict=True)] if free else g
    rows = [[lam[x] * (x == y) + (1 - lam[x]) * q[y] for y in range(n)] for x in range(n)]
    return np.array([sum(p[x] * rows[x][y] for x in range(n)) for y in range(n)], dtype=object)


def _kernel_margin(instance: dict[str, Any]) -> Fraction:
    by_matrix = _kernel(instance)
    by_redraw = redraw_density(instance["pure"], instance["background"], instance["fitting"])
    gaps = [abs(by_matrix - by_redraw).max(), abs(sum(by_redraw) - 1), -min(0, min(by_redraw))]
    if ranges.defined(instance):
        gaps.append(abs(by_matrix - _density(instance)).max())
    return -max(gaps)


def _kernel_proof() -> Proof:
    import sympy

    from theory.claims.proofs import symbolic

    lam, p, g, m, b, mass = sympy.symbols("lam p g m b Q")
    eq_18 = lam * p + (1 - m) / (1 - b) * (1 - lam) * g
    q = (1 - lam) * g / (1 - b)
    return symbolic(
        "With m, b the integrals of lambda against p_pure and p_bg, a share 1 - m is redrawn from "
        "q = (1 - lambda) p_bg/(1 - b): pointwise lambda p + (1 - m) q is Eq. 18.  For any density "
        "q (integral Q = 1), also where Eq. 18 is 0/0, the kernel keeps the mass m + (1 - m) Q = 1.",
        eq_18 - (lam * p + (1 - m) * q), (m + (1 - m) * mass).subs(mass, 1) - 1)


EQ_18_KERNEL = Claim(
    id="eq-18-kernel", title="Eq. 18 is a Markov kernel applied to the pure density",
    source="beyond the paper (Eq. 18)",
    statement=r"p_y(x)=\int p^{pure}_y(u)\,[\lambda(u)\delta_u(x)+(1-\lambda(u))q(x)]\,d\nu(u),"
              r"\quad q\propto(1-\lambda)p_{bg}",
    words="Keep the point with probability lambda, else redraw it from q.  The kernel is the same "
          "for all classes, and with q = p_bg where q is 0/0 it is defined for every lambda.",
    assumptions="none; equal to Eq. 18 wherever that is defined, a density everywhere",
    kind="equality", instances=ranges.mixtures, margin=_kernel_margin, proof=_kernel_proof,
    exhaustive=ranges.small_mixtures,
    exhaustive_range="two atoms, densities in halves, lambda in {0, 1/2, 1}",
    origin="beyond", code="theory.separation.redraw_density", test=TEST)

# --- Interpretation 1: perfect maps


def _perfect(build: Any = None) -> Any:
    def perfect(instance: dict[str, Any]) -> dict[str, Any]:
        ones = np.array([Fraction(1)] * len(instance["pure"]), dtype=object)
        return {**instance, "fitting": ones}

    return ranges.mixtures().map(perfect)


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
    id="interp-1-amended", title="In the kernel form a perfect map leaves the pure density",
    source="section 5.2, Interpretation 1", statement=r"\lambda\equiv 1\Rightarrow p_y=p^{pure}_y",
    words="Read through the redraw kernel, which needs no eta, the first interpretation is true.",
    assumptions="lambda is 1 at every point; Eq. 18 read as the redraw kernel",
    kind="equality", instances=_perfect,
    margin=lambda i: -abs(redraw_density(i["pure"], i["background"], i["fitting"])
                          - i["pure"]).max(),
    proof=_kernel_perfect_proof, origin="amended", code="theory.separation.redraw_density",
    test=TEST)

INTERP_1 = Claim(
    id="interp-1", title="Where the map is perfect everywhere, the density is the pure one",
    source="section 5.2, Interpretation 1", statement=r"\lambda\equiv 1\Rightarrow p_y=p^{pure}_y",
    words="A perfect prediction for every input leaves no background.  But eta is then 0/0: the "
          "case is outside Eq. 18's own domain.",
    assumptions="truth and prediction agree for every input",
    kind="equality", margin=lambda i: -abs(_density(i) - i["pure"]).max(), domain=_perfect,
    amendment=INTERP_1_KERNEL, origin="paper", code="theory.separation.mixture_density", test=TEST)


def _where(instance: dict[str, Any], level: int, expected: np.ndarray) -> Fraction:
    gaps = [abs(p - e) for p, e, lam in zip(_density(instance), expected, instance["fitting"],
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
    coefficient = _eta(instance) * (1 - lam)
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
    eta = _eta(instance)
    weights = [eta * (1 - lam) for lam in instance["fitting"] if lam < 1]
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
    words="Where the map is imperfect some background contaminates the density.  Not if class y has "
          "no mass where maps are imperfect: then eta_y = 0 and no background enters anywhere.",
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
    margin=lambda i: _where(i, 0, _eta(i) * i["background"]),
    proof=lambda: _pointwise_proof("Eq. 18 at lambda(x) = 0.", 0), exhaustive=ranges.small_mixtures,
    exhaustive_range="two atoms, densities in halves, lambda in {0, 1/2, 1}",
    origin="paper", code="theory.separation.mixture_density", test=TEST)


def _information_margin(instance: dict[str, Any]) -> Fraction:
    other = {**instance, "pure": instance["other"]}
    return -_where(instance, 0, _density(other))


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
    return max(abs(_density(i) - instance["background"]).max() for i in (instance, swapped))


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

CLAIMS = [EQ_18, EQ_18_DEFINED, EQ_18_KERNEL, INTERP_1, INTERP_1_KERNEL, INTERP_1_POINTWISE,
          INTERP_2, INTERP_2_AMENDED, INTERP_3, INTERP_3_INFORMATION,
          INTERP_3_INFORMATION_AMENDED, INTERP_4]
