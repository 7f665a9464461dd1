"""Section 5.1, beyond the paper: the moment under the PAC-Bayes bounds, and how their forms compare."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product
from typing import Any

from theory.bounds.binary_kl import binary_kl
from theory.claims.coins import binomial, exp_kl, moment, parts
from theory.claims.model import Claim, Proof
from theory.claims.proofs import smt, symbolic

TEST = "tests/claims/test_ledger_pac_bayes.py"
MOMENT = "theory.bounds.pac_bayes.kl_moment"
PI_ABOVE = Fraction(355, 113)


def _coins() -> Any:
    from hypothesis import strategies as st

    return st.fixed_dictionaries({"n": st.integers(1, 12), "p": parts(1, 19, 20)})


def _exact_margin(i: dict[str, Any]) -> Fraction:
    n, p = i["n"], i["p"]
    mean = sum(w * exp_kl(k, n, p) for k, w in enumerate(binomial(n, p)))
    return mean - moment(n)


def _exact_proof() -> Proof:
    import sympy as sp

    p, r, q, t = sp.symbols("p r q t", positive=True)
    n, k, x, y = sp.symbols("N k x y", positive=True)
    ident = [p**k * r ** (n - k) * (q / p) ** k * (t / r) ** (n - k) - q**k * t ** (n - k),
             sp.gammasimp((k * sp.binomial(n, k) - n * sp.binomial(n - 1, k - 1)).rewrite(sp.gamma)),
             sp.gammasimp(((n - k) * sp.factorial(n) / sp.factorial(n - k)
                           - n * sp.factorial(n - 1) / sp.factorial(n - 1 - k)).rewrite(sp.gamma))]
    for size in range(1, 5):
        left = sum(sp.binomial(size, j) * (x + j) ** j * (y + size - j) ** (size - j)
                   for j in range(size + 1))
        right = sum(sp.ff(size, j) * (x + y + size) ** (size - j) for j in range(size + 1))
        ident.append(sp.expand(left - right))
    return symbolic(
        "p cancels term by term (identity 1): the mean is sum C(N,k)(k/N)^k(1-k/N)^(N-k). Abel: "
        "A_N(x,y) = sum C(N,k)(x+k)^k(y+N-k)^(N-k) and B_N = sum N!/(N-j)! (x+y+N)^(N-j) have the "
        "derivative N times themselves at (N-1; x+1, y) (identities 2, 3), likewise in y; where "
        "x+y+N = 0 both are N! (an N-th difference of a power N). So A_N = B_N by induction (written "
        "out for N = 1..4); x = y = 0, divided by N^N.", *ident)


exact = Claim(
    id="kl-moment", origin="beyond", source="Maurer 2004, made exact", kind="equality",
    title="The moment of N kl for 0/1 losses is one number for every risk",
    statement=r"\mathbb E\,e^{N\mathrm{kl}(K/N\|p)}=\xi(N)=\sum_{k=0}^N\frac{N!}{(N-k)!\,N^k}",
    words="K is binomial. What the kl bounds pay for the freedom to look at any deviation.",
    assumptions="p in (0, 1), N >= 1", instances=_coins, margin=_exact_margin, proof=_exact_proof,
    code=MOMENT, test=TEST)


def _sizes() -> Any:
    from hypothesis import strategies as st

    return st.integers(1, 400)


def _size_margin(n: int) -> Fraction:
    """Of the squares, with a rational number above pi."""
    square = moment(n) ** 2
    return min(4 * n - square, square - PI_ABOVE * n / 2)


def _size_proof() -> Proof:
    import sympy as sp

    u, n, x = sp.symbols("u N x", positive=True)
    j = 4
    few = max(moment(size) ** 2 - 4 * size for size in range(1, 8))
    enough = 2 * sp.sqrt(8) - sp.sqrt(4 * sp.pi) - 2
    known = symbolic(
        "Below: k! is the integral of x^k e^-x (identity 1, k = 4), so xi(N) is that of (1+x/N)^N "
        "e^-x, and (1+u)e^-u >= e^(-u^2/2), as log(1+u)-u+u^2/2 has the derivative u^2/(1+u) "
        "(identity 2): xi >= sqrt(pi N/2) (identity 3, x = N u). Above: xi = 1 + sum_j prod_(i<j) "
        "(1-i/N) <= 2 + sum e^(-j^2/2N) <= 2 + sqrt(pi N/2), since 1-x <= e^-x and the sum of a "
        "falling function is below its integral; that is at most 2 sqrt(N) from N = 8 on, being so "
        "at 8 with a gap growing like sqrt(N). N = 1..7: exact fractions.",
        sp.integrate(x**j * sp.exp(-x), (x, 0, sp.oo)) - sp.factorial(j),
        sp.diff(sp.log(1 + u) - u + u**2 / 2, u) - u**2 / (1 + u),
        n * sp.integrate(sp.exp(-n * u**2 / 2), (u, 0, sp.oo)) - sp.sqrt(sp.pi * n / 2))
    good = known.result and few <= 0 and bool(enough > 0) and bool(sp.sqrt(sp.pi / 2) < 2)
    return Proof(True if good else None, known.text, known.method)


size = Claim(
    id="kl-moment-size", origin="beyond", source="Maurer 2004, for every N", kind="inequality",
    title="The moment lies between sqrt(pi N/2) and 2 sqrt(N), for every N >= 1",
    statement=r"\sqrt{\pi N/2}\le\xi(N)\le2\sqrt N",
    words="Maurer's proof of the upper end is for N >= 8. It is attained at N = 1, and nearly sharp "
          "everywhere: 2 sqrt(N) is at most 1.6 times the lower end, half a nat too much.",
    assumptions="N >= 1", instances=_sizes, margin=_size_margin, proof=_size_proof,
    exhaustive=lambda: range(1, 101), exhaustive_range="N = 1 to 100", code=MOMENT, test=TEST)


def laws(high: int) -> Any:
    """Independent losses, up to ``high`` of them: each a list of (quarters, weight)."""
    from hypothesis import strategies as st

    atom = st.tuples(st.integers(0, 4), st.integers(1, 9))
    return st.lists(st.lists(atom, min_size=1, max_size=3), min_size=1, max_size=high)


def mean_of(law: list[tuple[int, int]]) -> Fraction:
    """The mean of such a loss."""
    return Fraction(sum(v * w for v, w in law), 4 * sum(w for _, w in law))


def _losses_margin(case: list[list[tuple[int, int]]]) -> float:
    n = len(case)
    p, total = sum(map(mean_of, case)) / n, math.prod(sum(w for _, w in law) for law in case)
    mean = 0.0
    for choice in product(*case):
        weight = math.prod(w for _, w in choice) / total
        mean += weight * math.exp(n * float(binary_kl(sum(v for v, _ in choice) / (4 * n), float(p))))
    return float(moment(n)) - mean


def _losses_proof() -> Proof:
    import z3

    x, y, f, g, w, f0, f1, f2, a, b = z3.Reals("x y f g w f0 f1 f2 a b")
    unit = z3.And(a >= 0, a <= 1, b >= 0, b <= 1)
    pair = lambda s, t: ((1 - s) * (1 - t) * f0 + (s * (1 - t) + t * (1 - s)) * f1  # noqa: E731
                         + s * t * f2)
    return smt("kl is convex in its first argument (second derivative 1/(q(1-q))), and so is e^(N "
               "kl): as a function of one loss it lies below its chord, so a coin of the same mean "
               "has no smaller moment (lemma 1, laws of two points; mixtures for the others); one by "
               "one. Of two coins the moment is linear in the product of their chances for a given "
               "sum, with a second difference >= 0 as coefficient: two equal ones have no smaller "
               "moment (lemma 2). A largest one exists (compactness), and all coins equal attain it.",
               z3.Implies(z3.And(f <= (1 - x) * f0 + x * f1, g <= (1 - y) * f0 + y * f1, w >= 0,
                                 w <= 1),
                          w * f + (1 - w) * g <= f0 + (w * x + (1 - w) * y) * (f1 - f0)),
               z3.Implies(z3.And(unit, f0 + f2 >= 2 * f1),
                          pair(a, b) <= pair((a + b) / 2, (a + b) / 2)))


losses = Claim(
    id="kl-moment-losses", origin="beyond", source="Maurer 2004; Hoeffding 1956", kind="inequality",
    title="No losses in [0, 1] have a larger moment than equal coins",
    statement=r"\mathbb E\,e^{N\mathrm{kl}(\bar L\|p)}\le\xi(N)",
    words="So the bounds proved for 0/1 losses hold for all, also where the laws of the losses differ.",
    assumptions="L_1, ..., L_N independent, in [0, 1], with means that average to p",
    instances=lambda: laws(4), margin=_losses_margin, proof=_losses_proof, code=MOMENT, test=TEST)

# --- the forms of the bound ------------------------------------------------------------------------


def _lambdas() -> Any:
    from hypothesis import strategies as st

    return st.fixed_dictionaries({"lam": parts(1, 79, 40), "v": parts(1, 40, 40),
                                  "more": parts(0, 40, 20)})


def _lambda_margin(i: dict[str, Any]) -> Fraction:
    v, lam = i["v"], i["lam"]
    u = v + i["more"]  # the roots of q + c/2 and of c/2
    q, c, p = u**2 - v**2, 2 * v**2, (u + v) ** 2
    return (q + c / lam) / (1 - lam / 2) - p - (2 * v - lam * (u + v)) ** 2 / (2 * lam * (1 - lam / 2))


def _lambda_proof() -> Proof:
    import sympy as sp

    u, v, lam = sp.symbols("u v lambda", positive=True)
    return symbolic("With u, v the roots of q + c/2 and c/2; the last term is a square and vanishes at "
                    "lambda = 2v/(u + v), which is in (0, 1].",
                    _lambda_margin({"v": v, "more": u - v, "lam": lam}))


lam = Claim(
    id="lambda-quadratic", origin="beyond", source="Thiemann et al. 2017", kind="equality",
    title="The best lambda gives the quadratic bound: they are one bound",
    statement=r"\frac{q+c/\lambda}{1-\lambda/2}"
              r"=p+\frac{(\sqrt{2c}-\lambda\sqrt p)^2}{2\lambda(1-\lambda/2)},"
              r"\quad p=\bigl(\sqrt{q+c/2}+\sqrt{c/2}\bigr)^2",
    words="What any other lambda gives is more by the last term.",
    assumptions="q >= 0, c > 0, 0 < lambda < 2, before the cap at 1", instances=_lambdas,
    margin=_lambda_margin, proof=_lambda_proof,
    figure="certificates",
    code="theory.bounds.pac_bayes_lambda.best_lambda",
    test=TEST)


def _catonis() -> Any:
    from hypothesis import strategies as st

    return st.fixed_dictionaries({"q": parts(0, 40, 40), "p": parts(1, 39, 40), "s": parts(1, 80, 40)})


def _catoni_margin(i: dict[str, Any]) -> float:
    q, p, s = float(i["q"]), float(i["p"]), float(i["s"])
    norm = 1 - p + p * s
    left = -math.log(norm) + q * math.log(s)
    return float(left - binary_kl(q, p) + binary_kl(q, p * s / norm))


def _catoni_proof() -> Proof:
    import sympy as sp

    q, p, s = sp.symbols("q p s", positive=True)
    norm = 1 - p + p * s
    kl_change = q * sp.log(s / norm) - (1 - q) * sp.log(norm)  # logs of p_C/p and (1-p_C)/(1-p)
    return symbolic("p_C/p = s/(1-p+ps) and (1-p_C)/(1-p) = 1/(1-p+ps), s = e^-C (identity 1), so "
                    "kl(q||p) - kl(q||p_C) is the left-hand side (identity 2). p_C runs through (0, "
                    "1), and p_C = q at the best C, positive iff q < p.",
                    1 - p * s / norm - (1 - p) / norm,
                    sp.expand_log(-sp.log(norm) + q * sp.log(s) - kl_change, force=True))


catoni = Claim(
    id="catoni-kl", origin="beyond", source="Catoni 2007", kind="equality",
    title="Catoni's bound at the best C is the inverse of kl",
    statement=r"-\log(1-p(1-e^{-C}))-Cq=\mathrm{kl}(q\|p)-\mathrm{kl}(q\|p_C),\quad"
              r" p_C=\frac{pe^{-C}}{1-p+pe^{-C}}",
    words="The supremum over C is kl(q||p): at equal nats no C says more than the kl bound.",
    assumptions="p in (0, 1), q in [0, 1], C real", instances=_catonis, margin=_catoni_margin,
    proof=_catoni_proof, code="theory.bounds.pac_bayes_catoni.catoni_form", test=TEST)

CLAIMS = [exact, size, losses, lam, catoni]
