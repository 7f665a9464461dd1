"""Claims of section 4.1 and App. A on the window and what sigma is  [Eqs. 1-2]."""

from __future__ import annotations

import math
from typing import Any

from theory.claims.model import Claim, Proof
from theory.claims.proofs import smt, symbolic
from theory.rectangle import window
from theory.rectangle_analysis import sigmoid

NEARLY = 0.9  # what "nearly 1" is read as; any number above 1/2 gives the same verdict


def sigmoid_increases() -> Proof:
    """The derivative of the sigmoid is sigmoid (1 - sigmoid) > 0."""
    import sympy as sp

    z = sp.symbols("z", real=True)
    value = 1 / (1 + sp.exp(-z))
    slope = sp.exp(-z) / (1 + sp.exp(-z)) ** 2  # a quotient of positive numbers
    return symbolic("", sp.diff(value, z) - slope, slope - value * (1 - value))


def both(text: str, *proofs: Proof) -> Proof:
    """One proof out of several lemmas by SymPy and z3."""
    results = [p.result for p in proofs]
    if all(results):
        return Proof(True, text, "SMT" if any(p.method == "SMT" for p in proofs) else "symbolic")
    return Proof(None, " ".join(p.text for p in proofs if not p.result))


# --- Eq. 1 ---------------------------------------------------------------------------------------


def _scales() -> Any:
    from hypothesis import strategies as st

    return st.floats(6.0, 1000.0)


def _window_instances() -> Any:
    from hypothesis import strategies as st

    return st.fixed_dictionaries(
        {"s": _scales(), "t": st.floats(-3.0, 3.0, allow_subnormal=False)})


def _eq_1_margin(i: dict[str, float]) -> float:
    value = float(window(i["t"], 0.0, 1.0, i["s"]))
    return value - NEARLY if abs(i["t"]) <= 1 else (1 - NEARLY) - value


def _eq_1_amended_instances() -> Any:
    from hypothesis import strategies as st

    share = st.floats(0.0, 1.0, allow_subnormal=False)
    return st.fixed_dictionaries(
        {"s": st.floats(0.05, 1000.0), "h": share, "part": share, "inside": st.booleans()})


def _eq_1_amended_margin(i: dict[str, Any]) -> float:
    s, h = i["s"], i["h"]
    if i["inside"]:
        t = math.sqrt((1 - h) * i["part"])
        return float(window(t, 0.0, 1.0, s)) - sigmoid(s * h)
    t = math.sqrt(1 + h) / max(i["part"], 0.05)
    return sigmoid(-s * h) - float(window(t, 0.0, 1.0, s))


def _eq_1_amended_proof() -> Proof:
    import z3

    s, h, square = z3.Reals("s h square")
    lemmas = smt(
        "", z3.Implies(z3.And(s > 0, square <= 1 - h), s * (1 - square) >= s * h),
        z3.Implies(z3.And(s > 0, square >= 1 + h), s * (1 - square) <= -s * h))
    return both(
        "With u = (t - t0)/sigma: u^2 <= 1 - h gives s(1 - u^2) >= s h, and u^2 >= 1 + h gives "
        "s(1 - u^2) <= -s h (z3); the sigmoid increases, as its derivative "
        "e^-z / (1 + e^-z)^2 is positive (SymPy).", lemmas, sigmoid_increases())


EQ_1_AMENDED = Claim(
    id="eq-1-amended",
    title="The window away from its ends",
    source="Eq. 1, App. A (amended)",
    statement=r"\big(\tfrac{t-t_0}{\sigma}\big)^2\le 1-h \Rightarrow \hat\Lambda_{s,t_0,\sigma}(t)"
              r"\ge\Lambda(sh),\qquad \big(\tfrac{t-t_0}{\sigma}\big)^2\ge 1+h \Rightarrow "
              r"\hat\Lambda_{s,t_0,\sigma}(t)\le\Lambda(-sh)",
    words="At a distance h (in squared half-widths) from the ends the window is within "
          "Lambda(-sh) of 1 inside and of 0 outside; h > 0 cannot be dropped.",
    assumptions="s > 0, h >= 0 (h <= 1 inside)",
    kind="inequality",
    instances=_eq_1_amended_instances,
    margin=_eq_1_amended_margin,
    proof=_eq_1_amended_proof,
    origin="amended",
    code="theory.rectangle.window",
    test="tests/rectangle/test_window.py::test_window_is_near_one_and_zero_away_from_the_ends",
    figure="Fig. 2",
)

EQ_1 = Claim(
    id="eq-1",
    title="The window is nearly 1 on its interval and nearly 0 outside",
    source="Eq. 1, App. A",
    statement=r"\hat\Lambda_{s,t_0,\sigma}(t)\approx 1 \text{ on } [t_0-\sigma,t_0+\sigma],\quad "
              r"\approx 0 \text{ outside}",
    words="Taken uniformly: at least 0.9 on the closed interval, at most 0.1 outside, for some s "
          "large enough.  At the ends the value is exactly 1/2 whatever s, so that no threshold "
          "above 1/2 is ever met there; pointwise limits s -> infinity hold off the ends.",
    assumptions="s >= 6 (the paper's value), sigma = 1, t0 = 0 (no loss of generality)",
    kind="inequality",
    instances=_window_instances,
    margin=_eq_1_margin,
    exhaustive=lambda: ({"s": s, "t": t} for s in (6.0, 10.0, 1000.0) for t in (1.0, -1.0)),
    exhaustive_range="both ends, s in {6, 10, 1000}",
    amendment=EQ_1_AMENDED,
    origin="paper",
    code="theory.rectangle.window",
    test="tests/rectangle/test_window.py::test_window_is_half_at_the_ends",
    figure="Fig. 2, Fig. 10",
)


def _peak_proof() -> Proof:
    import z3

    s, square = z3.Reals("s square")
    lemma = smt("", z3.Implies(z3.And(s > 0, square >= 0), s * (1 - square) <= s))
    return both("s(1 - u^2) <= s (z3), the sigmoid increases and lies below 1 because "
                "1 - Lambda(s) = e^-s / (1 + e^-s) > 0 (SymPy).", lemma, sigmoid_increases())


EQ_1_PEAK = Claim(
    id="eq-1-peak",
    title="The peak of the window stays below 1",
    source="Eq. 1",
    statement=r"\max_t\hat\Lambda_{s,t_0,\sigma}(t)=\hat\Lambda_{s,t_0,\sigma}(t_0)=\Lambda(s)<1",
    words="The largest value is taken at the centre; it is 0.9975 at the paper's s = 6.",
    assumptions="0 < s <= 30 in the search, so that Lambda(s) < 1 in float64; s > 0 in the proof",
    kind="inequality",
    instances=lambda: _peak_instances(),
    margin=lambda i: min(float(window(0.0, 0.0, 1.0, i["s"])) - float(
        window(i["t"], 0.0, 1.0, i["s"])), 1 - float(window(0.0, 0.0, 1.0, i["s"]))),
    proof=_peak_proof,
    origin="beyond",
    code="theory.rectangle.window",
    test="tests/rectangle/test_window.py::test_the_peak_is_below_one",
    figure="Fig. 2",
)


def _peak_instances() -> Any:
    from hypothesis import strategies as st

    return st.fixed_dictionaries(
        {"s": st.floats(0.05, 30.0), "t": st.floats(-3.0, 3.0, allow_subnormal=False)})


# --- Eq. 2 ---------------------------------------------------------------------------------------


def _sides() -> Any:
    from hypothesis import strategies as st

    return st.fixed_dictionaries({
        "t0": st.floats(-1.0, 1.0, allow_subnormal=False),
        "sigma": st.floats(0.02, 4.0), "s": st.floats(1.0, 30.0)})


def _half_crossing_proof() -> Proof:
    import sympy as sp

    t0, sigma, s = sp.symbols("t0 sigma s", positive=True)
    t = sp.symbols("t", real=True)
    value = 1 / (1 + sp.exp(-s * (1 - ((t - t0) / sigma) ** 2)))
    half = sp.Rational(1, 2)
    return symbolic(
        "Substituting t = t0 +- sigma in Eq. 1 gives 1/2; elsewhere the argument of the "
        "increasing sigmoid is not 0.",
        value.subs(t, t0 + sigma) - half, value.subs(t, t0 - sigma) - half)


EQ_2_WIDTH_AMENDED = Claim(
    id="eq-2-width-amended",
    title="sigma is half of each side",
    source="Eqs. 1-2 (amended)",
    statement=r"\hat\Lambda_{s,t_0,\sigma}(t_0\pm\sigma)=\tfrac12",
    words="The window falls through 1/2 at t0 - sigma and t0 + sigma: its interval is 2 sigma "
          "long, so the sides of the rectangle are 2 sigma_1 and 2 sigma_2.",
    assumptions="sigma > 0, s > 0",
    kind="equality",
    instances=_sides,
    margin=lambda i: max(
        (float(window(i["t0"] + e * i["sigma"], i["t0"], i["sigma"], i["s"])) - 0.5
         for e in (-1, 1)), key=abs),
    proof=_half_crossing_proof,
    origin="amended",
    code="theory.rectangle.Rectangle",
    test="tests/rectangle/test_window.py::test_window_is_half_at_the_ends",
    figure="Fig. 2",
)

EQ_2_WIDTH = Claim(
    id="eq-2-width",
    title="sigma_1 and sigma_2 are the height and the width",
    source="section 4.1, before Eq. 2",
    statement=r"\text{height}=\sigma_1,\quad \text{width}=\sigma_2",
    words="If sigma were the full side, the window would fall through 1/2 at t0 +- sigma/2.  It is "
          "Lambda(3s/4) there: sigma is the half-width.",
    assumptions="sigma > 0, s >= 1",
    kind="equality",
    instances=_sides,
    margin=lambda i: float(window(
        i["t0"] + i["sigma"] / 2, i["t0"], i["sigma"], i["s"])) - 0.5,
    exhaustive=lambda: [{"t0": 0.0, "sigma": 1.0, "s": 6.0}],
    exhaustive_range="sigma = 1 at the paper's s = 6",
    amendment=EQ_2_WIDTH_AMENDED,
    origin="paper",
    code="theory.rectangle.Rectangle",
    test="tests/rectangle/test_window.py::test_sigma_is_a_half_width",
    figure="Fig. 3",
)

CLAIMS: list[Claim] = [EQ_1, EQ_1_AMENDED, EQ_1_PEAK, EQ_2_WIDTH, EQ_2_WIDTH_AMENDED]
