"""Eq. 18: what the contamination model is, and where it is defined."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from theory.claims.ledger_5_2 import instances as ranges
from theory.claims.model import Claim, Proof, Undefined
from theory.separation import mixture_density, normalization, redraw_density

TEST = "tests/separation/test_claims.py"
EQ_18_TEXT = r"p_y=\lambda p^{pure}_y+\eta_y(1-\lambda)p_{bg}"


def contaminated(instance: dict[str, Any]) -> np.ndarray:
    """Eq. 18's density of class y; ``Undefined`` where eta is 0/0."""
    if not ranges.defined(instance):
        raise Undefined("lambda is 1 wherever the background has mass: eta's denominator is 0")
    return mixture_density(instance["pure"], instance["background"], instance["fitting"])


def eta(instance: dict[str, Any]) -> Fraction:
    """The factor of class y."""
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
    kind="inequality", instances=ranges.defined_mixtures, margin=lambda i: _is_density(contaminated(i)),
    proof=_density_proof, origin="paper", code="theory.separation.mixture_density", test=TEST)


def _defined_margin(instance: dict[str, Any]) -> int:
    free = sum(g for lam, g in zip(instance["fitting"], instance["background"], strict=True)
               if lam < 1)
    try:
        eta(instance)
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
        gaps.append(abs(by_matrix - contaminated(instance)).max())
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

CLAIMS = [EQ_18, EQ_18_DEFINED, EQ_18_KERNEL]
