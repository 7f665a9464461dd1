"""Beyond section 5.2: TV in closed form, how far a better map can lower it, and when it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from theory.claims import simulated_5_2 as rows
from theory.claims.ledger_5_2 import instances as ranges
from theory.claims.ledger_5_2.instances import SMALL, arguments, pure_separation, separation
from theory.claims.model import Claim, Proof
from theory.separation import separation_bounds
from theory.separation_gap import absorbed, gap_witness, proportional, witness_atoms

TEST = "tests/separation/test_gap.py"
SOURCE = "beyond the paper (section 5.2, Theorem 2)"
FALL = r"d_{TV}(\lambda_1)-d_{TV}(\lambda_2)"


# --- TV in closed form


def _exact_margin(instance: dict[str, Any]) -> Fraction:
    _, high = separation_bounds(*arguments(instance))
    p, q, lam = arguments(instance)
    return separation(instance) - (high - absorbed(p, q, instance["background"], lam))


def _exact_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    lam, p, q, g, free, eta, other, m, redrawn, a, k = z3.Reals("lam p q g free eta other m r a k")
    difference = lam * p + eta * (1 - lam) * g - (lam * q + other * (1 - lam) * g)
    return smt(
        "The integrals of (1 - lambda)p_y and (1 - lambda)p_y' differ by -m, so eta_y - eta_y' = "
        "-m/N with N = int (1 - lambda)p_bg, and p_y - p_y' = lambda d - m q with q = "
        "(1 - lambda)p_bg/N (lemma 1).  Let m >= 0, else swap the classes.  TV is the integral of the "
        "positive part, and (a - k)_+ = a_+ - min(a_+, k) for k = m q >= 0 (lemma 2); the integral "
        "of (lambda d)_+ is A+, the larger of A+ and A-.",
        z3.Implies(z3.And(free > 0, (eta - other) * free == -m, redrawn * free == (1 - lam) * g),
                   difference == lam * (p - q) - m * redrawn),
        z3.Implies(k >= 0, z3.If(a - k > 0, a - k, 0) == z3.If(a > 0, a, 0)
                   - z3.If(z3.If(a > 0, a, 0) < k, z3.If(a > 0, a, 0), k)))


TV_EXACT = Claim(
    id="sec-5.2-tv-exact", title="TV is its upper end less what the background absorbs", source=SOURCE,
    statement=r"d_{TV}(D_y,D_{y'})=\max(A_+,A_-)-\int\min(|m|\,q,\,\lambda d_s)\,d\nu,\quad "
              r"d=p^{pure}_y-p^{pure}_{y'},\ m=\int\lambda d,\ q\propto(1-\lambda)p_{bg}",
    words="d_s is the part of d with the sign of m.  The redrawn points of both classes have one "
          "density q; TV is below its upper end by what q shares with the class that keeps more.",
    assumptions="eta is defined", kind="equality", instances=ranges.defined_mixtures,
    margin=_exact_margin, exhaustive=ranges.small_mixtures, exhaustive_range=SMALL,
    proof=_exact_proof, simulated=rows.closed_form, origin="beyond",
    code="theory.separation_gap.absorbed", test=TEST)


# --- how far TV can fall


def _gap_bound_margin(instance: dict[str, Any]) -> Fraction:
    """(a - b)^2/u times the pure TV, less the fall; a^2 = 1 - l and b^2 = 1 - u."""
    a, b = instance["a"], instance["b"]
    bound = (a - b) ** 2 / (1 - b * b) if b < 1 else Fraction(0)
    return bound * pure_separation(instance) - (separation(instance, "low")
                                                - separation(instance, "high"))


def _signs() -> list[Any]:
    """Lemmas 1-3: opposite signs of m never lower TV; test functions; D1 <= 0 where d <= 0."""
    import z3

    plus1, minus1, plus2, minus2, tv1, tv2, phi, d, lam, k = z3.Reals("p1 n1 p2 n2 v1 v2 phi d lam k")
    ends = z3.And(tv1 <= z3.If(plus1 > minus1, plus1, minus1),
                  tv2 >= z3.If(plus2 < minus2, plus2, minus2), plus1 <= plus2, minus1 <= minus2)
    opposite = z3.Or(z3.And(plus1 >= minus1, plus2 <= minus2), z3.And(plus1 <= minus1,
                                                                      plus2 >= minus2))
    return [z3.Implies(z3.And(ends, opposite), tv1 <= tv2),
            z3.Implies(z3.And(0 <= phi, phi <= 1), -phi * d <= z3.If(d < 0, -d, 0)),
            z3.Implies(z3.And(lam >= 0, d <= 0, k >= 0), lam * d - k <= 0)]


def _fall_lemmas() -> list[Any]:
    """Lemmas 4-9: the fall in terms of the parts of m on the three sets, by the size of R."""
    import z3

    a1, a2, b1, b2, c1, c2, big_q, r, t = z3.Reals("a1 a2 b1 b2 c1 c2 Q R t")
    low, high, total, on_x, gain, e, x = z3.Reals("l u T B gain e x")
    fall = ((a1 + b1 - c1) * big_q - b1 + c1 - (a2 + b2 - c2) * r - c2 + t * b2)
    rest = b1 * (big_q - 1) + b2 * (t - r)
    box = z3.And(0 <= low, low <= high, high <= 1, 0 <= big_q, big_q <= 1, 0 <= r, r <= 1)
    parts = z3.And(low * on_x <= b1, b1 <= b2, b2 <= high * on_x, on_x >= 0)
    given_t = high * t == low + big_q * (high - low)
    return [
        z3.Implies(z3.And(box, a1 <= a2, c1 <= c2), fall <= (a1 - c1) * (big_q - r) + rest),
        z3.Implies(z3.And(box, r <= big_q, gain >= a1 - c1), (a1 - c1) * (big_q - r)
                   <= gain * (big_q - r)),
        z3.Implies(z3.And(box, parts, high > 0, given_t, r <= big_q, t >= r),
                   rest <= high * on_x * (big_q - r)),
        z3.Implies(z3.And(box, parts, high > 0, given_t, r <= big_q, t <= r),
                   rest <= high * on_x * (big_q - r)),
        # R <= Q fails: t is lowered to R = Q, or, where even t = 0 leaves R = e > Q, to 0
        z3.Implies(z3.And(box, parts, high > 0, given_t, x <= t, r == big_q),
                   b1 * (big_q - 1) + b2 * (x - r) <= 0),
        z3.Implies(z3.And(box, r == e, e > big_q, a1 + b1 - c1 > 0, b1 >= 0, b2 >= 0),
                   (a1 - c1) * (big_q - e) + b1 * (big_q - 1) - b2 * e <= 0),
        # what remains: (u (T - B) - l T) (Q - R) + u B (Q - R) = (u - l) T (Q - R)
        (high * (total - on_x) - low * total) * (big_q - r) + high * on_x * (big_q - r)
        == (high - low) * total * (big_q - r),
    ]


def _odds_lemmas() -> list[Any]:
    """The last lemmas: t <= 1, R >= t q2(E), the odds of q2(E), and the maximum over Q."""
    import z3

    low, high, t, e, x, big_q, s, on, off, one, two = z3.Reals("l u t e x Q S g1 g2 k n")
    a, b, w = z3.Reals("a b w")
    return [
        z3.Implies(z3.And(0 <= low, low <= high, 0 < high, 0 <= big_q, big_q <= 1,
                          high * t == low + big_q * (high - low)), z3.And(0 <= t, t <= 1)),
        z3.Implies(z3.And(0 <= t, t <= 1, e >= 0), e + t * x >= t * (e + x)),
        # on E: first mass <= (1-l) g1, second >= (1-u) g1; off E: the second is at most the first
        z3.Implies(z3.And(0 <= low, low <= high, high <= 1, on >= 0, off >= 0, 0 <= two, two <= off,
                          one <= (1 - low) * on, s >= (1 - high) * on, one >= 0, s >= 0),
                   s * off * (1 - low) >= (1 - high) * one * two),
        # (a^2 - w)(w - b^2) <= (a - b)^2 w, which AM-GM gives at w = ab
        (a - b) * (a - b) * w - (a * a - w) * (w - b * b) == (w - a * b) * (w - a * b),
        z3.Implies(z3.And(0 <= s, 0 <= t), big_q - t * s <= big_q),
    ]


def _gap_bound_proof() -> Proof:
    import sympy

    from theory.claims.proofs import smt, symbolic

    a, b, w = sympy.symbols("a b w", positive=True)
    low, high, kappa = 1 - a**2, 1 - b**2, b**2 / a**2
    share = (a**2 - w) / (a**2 - b**2)
    t = (low + share * (high - low)) / high
    least = kappa * share / (1 - share + kappa * share)
    identities = symbolic("", (high - low) * (share - t * least)
                          - (a**2 - w) * (w - b**2) / (high * w))
    if not identities.result:
        return identities
    return smt(
        "Write m_i, q_i, D_i = lambda_i d - m_i q_i for the two maps, T for the pure TV.  If m_1 and "
        "m_2 have no common sign the sandwich gives TV(1) <= TV(2) (lemma 1); else let both be "
        "positive (swap the classes).  Let E be where D_1 < 0 or d <= 0, X its part with d > 0, Q = "
        "q_1(E), e = q_2(E without X), R = e + t q_2(X), t = (l + Q(u - l))/u, B = d(X).  TV(1) is the "
        "integral of -D_1 over E (lemma 3), TV(2) at least that of -D_2 against the function 1 on E "
        "without X, t on X, 0 elsewhere (lemma 2).  With a, b the integrals of lambda d off E and on "
        "X, and -c that where d <= 0, the fall is at most (a1 - c1)(Q - R) + b1(Q - 1) + b2(t - R) "
        "(lemma 4).  R <= Q: a1 <= u(T - B) and c1 >= l T make it at most (u - l) T (Q - R) (lemmas "
        "5-7, 10).  R > Q: a smaller t with R = Q, or t = 0 if e > Q, makes it at most 0 (lemmas 8, 9; "
        "m_1 > 0 is used).  As t <= 1, R >= t q_2(E) (lemmas 11, 12), and the odds of q_2(E) are at "
        "least (1-u)/(1-l) times those of Q (lemma 13; u = 1: q_2(E) >= 0, and (u - l)Q <= 1 - l is "
        "the bound, lemma 15).  With w = a^2 - Q(a^2 - b^2), a^2 = 1 - l, b^2 = 1 - u: (u - l)(Q - t "
        "q_2(E)) <= (a^2 - w)(w - b^2)/(u w) (1 identity by SymPy) <= (a - b)^2/u (lemma 14).",
        *_signs(), *_fall_lemmas(), *_odds_lemmas())


GAP_BOUND = Claim(
    id="sec-5.2-gap-bound", title="How far a better map can lower the separation", source=SOURCE,
    statement=r"l\le\lambda_1\le\lambda_2\le u\Rightarrow " + FALL
              + r"\le\frac{(\sqrt{1-l}-\sqrt{1-u})^2}{u}\,d_{TV}(D^{pure}_y,D^{pure}_{y'})",
    words="Fitting rates in a narrow band, or all near 0, leave little room to fall; for l = 0, u = 1 "
          "the right-hand side is the pure separation itself.  Three atoms attain it "
          "(sec-5.2-gap-attained).",
    assumptions="l <= lambda_1 <= lambda_2 <= u at every point, u > 0 (both sides are 0 for u = 0); "
                "eta is defined for both; the instances have square numbers 1 - l and 1 - u",
    kind="inequality", instances=ranges.boxed_maps, margin=_gap_bound_margin,
    exhaustive=ranges.small_boxed_maps, exhaustive_range=ranges.SMALL_BOXES,
    proof=_gap_bound_proof, simulated=rows.gap_bound, origin="beyond",
    figure="sandwich", code="theory.separation_gap.gap_bound", test=TEST)


def _attained_margin(instance: dict[str, Fraction]) -> Fraction:
    """How far the witness is from its two values and from being a model with l <= low <= high <= u."""
    a, b = instance["a"], instance["b"]
    model = gap_witness(a, b)
    low, high = 1 - a * a, 1 - b * b
    outside = max(max(low - s, s - t, t - high) for s, t in zip(model["low"], model["high"],
                                                                strict=True))
    return max(abs(separation(model, "low") - low - (a - b) ** 2 / high),
               abs(separation(model, "high") - low), outside, pure_separation(model) - 1)


def _attained_proof() -> Proof:
    import sympy

    from theory.claims.proofs import symbolic

    a, b = sympy.symbols("a b", positive=True)
    model = witness_atoms(a, b)
    low, fall = 1 - a**2, (a - b) ** 2 / (1 - b**2)
    identities = []
    for lam, expected in ((model["low"], (low + fall, -fall, -low)), (model["high"], (low, 0, -low))):
        free = sum((1 - s) * g for s, g in zip(lam, model["background"], strict=True))
        change = [s * (p - q) for s, p, q in zip(lam, model["pure"], model["other"], strict=True)]
        identities += [c - sum(change) * (1 - s) * g / free - want for c, s, g, want in zip(
            change, lam, model["background"], expected, strict=True)]
    return symbolic("p_y - p_y' is (l + t, -t, -l) with t = (a - b)^2/u under the worse map and (l, 0, "
                    "-l) under the better one; l and t are >= 0, so TV falls from l + t to l.  The "
                    "pure classes do not meet: their TV is 1.", *identities)


def _roots() -> Any:
    from hypothesis import strategies as st

    whole = st.integers(1, 1000)
    return st.tuples(whole, whole, whole).map(lambda v: {
        "a": Fraction(v[0] + v[1], sum(v) - 1), "b": Fraction(v[0], sum(v) - 1)})


GAP_ATTAINED = Claim(
    id="sec-5.2-gap-attained", title="Three atoms whose separation falls by exactly the bound",
    source=SOURCE,
    statement=r"d_{TV}(\lambda_1)=l+t,\ d_{TV}(\lambda_2)=l,\quad t=\frac{(a-b)^2}{u},\ a^2=1-l,\ "
              r"b^2=1-u\quad\text{for } p=(1-s,s,0),\ p'=(0,0,1),\ s=\frac{(a-b)b}{u},\ "
              r"p_{bg}\propto(a,b,0),\ \lambda_1=(u,l,l),\ \lambda_2=(u,u,l)",
    words="The bound on the fall (sec-5.2-gap-bound) is sharp for every band l < u < 1; for u = 1 it "
          "is the limit b -> 0.",
    assumptions="0 < b < a <= 1", kind="equality", instances=_roots, margin=_attained_margin,
    proof=_attained_proof, origin="beyond",
    figure="sandwich",
    code="theory.separation_gap.gap_witness", test=TEST)


# --- when a better map never lowers TV


def _proportional_margin(instance: dict[str, Any]) -> Fraction:
    better = {**instance, "fitting": proportional(instance["fitting"], instance["keep"])}
    return separation(better) - separation(instance)


def _proportional_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    lam, d, m, q, s = z3.Reals("lam d m q s")
    before = lam * d - m * q
    after = (1 - s * (1 - lam)) * d - s * m * q
    return smt(
        "q does not change, and int lambda' d = s int lambda d as d integrates to 0: the difference of "
        "the classes becomes D' = (1 - s)d + s D (lemma 1).  Let m >= 0 (else swap the classes).  "
        "Where D = lambda d - m q > 0, d >= D (lemma 2) and so D' >= D; integrated over {D > 0}: TV' "
        ">= TV.",
        after == (1 - s) * d + s * before,
        z3.Implies(z3.And(0 <= lam, lam <= 1, m >= 0, q >= 0, before > 0, 0 < s, s <= 1),
                   z3.And(d >= before, (1 - s) * d + s * before >= before)))


PROPORTIONAL = Claim(
    id="sec-5.2-proportional", title="Shrinking all errors by one factor never lowers TV",
    source=SOURCE,
    statement=r"1-\lambda'=s(1-\lambda),\ 0<s\le 1\Rightarrow d_{TV}(\lambda')\ge d_{TV}(\lambda)",
    words="Maps that get better everywhere in proportion do separate the classes more: the falls of "
          "sec-5.2-monotone need uneven improvement.",
    assumptions="eta is defined", kind="inequality", instances=ranges.kept_errors,
    margin=_proportional_margin,
    exhaustive=lambda: ({**i, "keep": Fraction(1, 2)} for i in ranges.small_mixtures()),
    exhaustive_range=SMALL + ", s = 1/2", proof=_proportional_proof, simulated=rows.proportional,
    origin="beyond", code="theory.separation_gap.proportional", test=TEST)


def _binary_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    lam, better, d, k, low, tv, more = z3.Reals("lam better d k A tv more")
    side = z3.If(d > 0, lam * d, 0)
    binary = z3.And(z3.Or(lam == 0, lam == 1), lam <= better, better <= 1)
    redrawn, again = k * (1 - lam), k * (1 - better)
    return smt(
        "Let A+ >= A- for the binary map (else swap the classes), F = {lambda_1 = 1, d > 0}.  The "
        "redrawn points never meet F, so nothing is absorbed (lemma 1) and TV(1) = A+ = d(F) "
        "(sec-5.2-tv-exact).  lambda_2 = 1 on F, so D_2 = d there (lemma 2), and TV(2) is at least the "
        "integral of D_2 over F (lemma 3).",
        z3.Implies(z3.And(binary, k >= 0), z3.If(side < redrawn, side, redrawn) == 0),
        z3.Implies(z3.And(binary, lam == 1), better * d - again == d),
        z3.Implies(z3.And(tv == low, more >= low), more >= tv))


def _binary_small() -> Iterator[dict[str, Any]]:
    for instance in ranges.small_ordered_maps():
        if all(v in (0, 1) for v in instance["low"]):
            yield instance


BINARY_WORSE = Claim(
    id="sec-5.2-binary-worse", title="A map better than a binary one never lowers TV", source=SOURCE,
    statement=r"\lambda_1\in\{0,1\},\ \lambda_1\le\lambda_2\Rightarrow d_{TV}(\lambda_1)\le "
              r"d_{TV}(\lambda_2)",
    words="With fitting rates 0 and 1 the separation is at its upper end; no better map, binary or "
          "not, lowers it.",
    assumptions="lambda_1 <= lambda_2 at every point, lambda_1 is 0 or 1; eta is defined for both",
    kind="inequality", instances=ranges.binary_then_better,
    margin=lambda i: separation(i, "high") - separation(i, "low"), exhaustive=_binary_small,
    exhaustive_range="p = (1,0,0), p' = (0,1,0), p_bg = (0,1/2,1/2), lambda_1 in {0, 1}, lambda_2 in "
                     "{0, 1/2, 1}",
    proof=_binary_proof, simulated=rows.binary_worse, origin="beyond",
    code="theory.separation_gap", test=TEST)

CLAIMS = [TV_EXACT, GAP_BOUND, GAP_ATTAINED, PROPORTIONAL, BINARY_WORSE]
