"""Steps of the paper's proof of Theorem 2, checked as claims of their own."""

from __future__ import annotations

from typing import Any

from theory.claims.ledger_5_2 import instances as ranges
from theory.claims.ledger_5_2.instances import SMALL, arguments, classes, pure_separation
from theory.claims.model import Claim, Proof
from theory.separation import normalization

TEST = "tests/separation/test_claims.py"


def _ordered(instance: dict[str, Any], *, larger: bool = True) -> dict[str, Any]:
    """The instance with classes swapped if needed so that eta_y >= eta_y' (or <=)."""
    eta, other = (normalization(instance[k], instance["background"], instance["fitting"])
                  for k in ("pure", "other"))
    if eta == other or (eta > other) == larger:
        return instance
    return {**instance, "pure": instance["other"], "other": instance["pure"]}


def _on(event: Any, values: Any) -> Any:
    return sum(v for e, v in zip(event, values, strict=True) if e)


# --- part 2: the support


def _support_margin(instance: dict[str, Any], *, pure: bool) -> Any:
    """D_y(G) - D_y'(G) - int_G lambda p_pure, G the support of D_y or of its pure part."""
    p_y, p_other = classes(instance)
    event = instance["pure"] > 0 if pure else p_y > 0
    return _on(event, p_y - p_other) - _on(event, instance["fitting"] * instance["pure"])


def _support_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    lam, p, q, k = z3.Reals("lam p q k")
    return smt(
        "On the support of p_pure of class y the other pure density is 0, so p_y - p_y' = lambda p "
        "+ k with k = (eta_y - eta_y')(1-lambda)p_bg >= 0 at each of its points; integrate.",
        z3.Implies(z3.And(0 <= lam, lam <= 1, p > 0, q >= 0, p * q == 0, k >= 0),
                   lam * (p - q) + k >= lam * p))


def _disjoint() -> Any:
    return ranges.apart_mixtures(disjoint=True).map(_ordered)


APP_E_AMENDED = Claim(
    id="app-E-proof-amended", title="The step of part 2 holds on the support of the pure density",
    source="App. E, proof of Theorem 2(2)",
    statement=r"\Gamma=supp\,D^{pure}_y:\quad D_y(\Gamma)-D_{y'}(\Gamma)\ge\int_\Gamma\lambda "
              r"p^{pure}_y\,d\nu=E_{D^{pure}_y}[\lambda]",
    words="With the pure support for the event, the argument for part 2 is complete.",
    assumptions="disjoint pure supports; eta is defined, eta_y >= eta_y'", kind="inequality",
    instances=_disjoint, margin=lambda i: _support_margin(i, pure=True), proof=_support_proof,
    origin="amended", code="theory.separation.theorem_2_2", test=TEST)


def _small_disjoint() -> Any:
    for instance in ranges.small_mixtures():
        if all(p * q == 0 for p, q in zip(instance["pure"], instance["other"], strict=True)):
            yield _ordered(instance)


APP_E = Claim(
    id="app-E-proof", title="The step of part 2 on the support of the contaminated class",
    source="App. E, proof of Theorem 2(2)",
    statement=r"\Gamma_y=supp\,D_y:\quad D_y(\Gamma_y)-D_{y'}(\Gamma_y)\ge\int_{\Gamma_y}\lambda "
              r"p^{pure}_y\,d\nu",
    words="The proof's event is the support of D_y, which holds the background too: there the other "
          "class need not vanish, and the left side can be 0.",
    assumptions="disjoint pure supports; eta is defined, eta_y >= eta_y'", kind="inequality",
    instances=_disjoint, margin=lambda i: _support_margin(i, pure=False),
    exhaustive=_small_disjoint, exhaustive_range=SMALL + ", disjoint pure supports",
    amendment=APP_E_AMENDED, origin="paper", code="theory.separation.theorem_2_2", test=TEST)

# --- part 1: the other sign


def _sign_margin(instance: dict[str, Any], *, complement: bool) -> Any:
    """D_y'(G) - D_y(G) - inf lambda TV, G = {p_pure >= p_pure'} or {p_pure' >= p_pure}."""
    p_y, p_other = classes(instance)
    pure, other, lam = arguments(instance)
    event = other >= pure if complement else pure >= other
    return _on(event, p_other - p_y) - min(lam) * pure_separation(instance)


def _sign_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    lam, least, d, k = z3.Reals("lam least d k")
    return smt(
        "On {p' >= p}, with d = p' - p >= 0 and k = (eta_y' - eta_y)(1-lambda)p_bg >= 0, the "
        "density p_y' - p_y = lambda d + k is at least (inf lambda) d; by Property 1 d integrates "
        "to the pure TV there.",
        z3.Implies(z3.And(lam >= least, least >= 0, d >= 0, k >= 0), lam * d + k >= least * d))


def _lower() -> Any:
    return ranges.defined_mixtures().map(lambda i: _ordered(i, larger=False))


APP_E_SIGN_AMENDED = Claim(
    id="app-E-sign-amended", title="Part 1 for eta_y <= eta_y' on the other half of the space",
    source="App. E, proof of Theorem 2(1)",
    statement=r"\Gamma=\{p^{pure}_{y'}\ge p^{pure}_y\}:\quad D_{y'}(\Gamma)-D_y(\Gamma)\ge"
              r"\inf\lambda\cdot d_{TV}(D^{pure}_y,D^{pure}_{y'})",
    words="The second case needs the event where the other pure density is the larger one.",
    assumptions="eta is defined, eta_y <= eta_y'", kind="inequality", instances=_lower,
    margin=lambda i: _sign_margin(i, complement=True), proof=_sign_proof, origin="amended",
    code="theory.separation.theorem_2_1", test=TEST)

APP_E_SIGN = Claim(
    id="app-E-sign", title="Part 1 for eta_y <= eta_y' on the same event",
    source="App. E, proof of Theorem 2(1)",
    statement=r"\Gamma^o=\{p^{pure}_y\ge p^{pure}_{y'}\}:\quad D_{y'}(\Gamma^o)-D_y(\Gamma^o)\ge"
              r"\inf\lambda\cdot d_{TV}(D^{pure}_y,D^{pure}_{y'})",
    words="The proof keeps the event of the first case and only swaps the two classes; the pure "
          "difference is then negative on it.",
    assumptions="eta is defined, eta_y <= eta_y'", kind="inequality", instances=_lower,
    margin=lambda i: _sign_margin(i, complement=False),
    exhaustive=lambda: (_ordered(i, larger=False) for i in ranges.small_mixtures()),
    exhaustive_range=SMALL, amendment=APP_E_SIGN_AMENDED, origin="paper",
    code="theory.separation.theorem_2_1", test=TEST)

CLAIMS = [APP_E, APP_E_AMENDED, APP_E_SIGN, APP_E_SIGN_AMENDED]
