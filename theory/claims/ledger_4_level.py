"""Claims of section 4.1 on the soft rectangle: its 1/2 level set and its rotation  [Eqs. 2-4]."""

from __future__ import annotations

import math
from typing import Any

from theory.claims.ledger_4_window import both, sigmoid_increases
from theory.claims.model import Claim, Measurement, Proof
from theory.claims.proofs import smt, symbolic
from theory.rectangle import Rectangle, soft_rectangle
from theory.rectangle_analysis import EMPTY_BELOW, level_set_iou, level_set_iou_polar, sigmoid

UNIT = Rectangle([0.0, 0.0], [1.0, 1.0], 0.0)


def map_value(u1: float, u2: float, s: float) -> float:
    """The soft rectangle in its own coordinates (units: half-widths)."""
    return float(soft_rectangle(UNIT, [u1, u2], s))


# --- the 1/2 level set ---------------------------------------------------------------------------


def _level_instances() -> Any:
    from hypothesis import strategies as st

    place = st.floats(-1.6, 1.6, allow_subnormal=False)
    return st.fixed_dictionaries({"s": st.floats(0.1, 20.0), "u1": place, "u2": place})


def _level_margin(i: dict[str, float]) -> int:
    high = map_value(i["u1"], i["u2"], i["s"]) >= 0.5
    inside = max(abs(i["u1"]), abs(i["u2"])) <= 1
    return int(high) - int(inside)


def _level_amended_margin(i: dict[str, float]) -> float:
    s, u1, u2 = i["s"], i["u1"], i["u2"]
    biggest = max(abs(u1), abs(u2))
    parts = [-abs(map_value(1.0, 0.0, s) - sigmoid(s) / 2),
             -abs(map_value(0.0, -1.0, s) - sigmoid(s) / 2),
             -abs(map_value(1.0, 1.0, s) - 0.25)]
    if biggest >= 1:
        parts.append(0.5 - map_value(u1, u2, s))
    top = map_value(0.0, 0.0, s)
    if s != EMPTY_BELOW:
        parts.append(0.5 - top if s < EMPTY_BELOW else top - 0.5)
    return min(parts)


def _level_amended_proof() -> Proof:
    import sympy as sp
    import z3

    a, b, c, d = z3.Reals("a b c d")
    outside = smt("", z3.Implies(
        z3.And(0 < a, a <= 0.5, 0 < b, b < 1), a * b < 0.5),
        z3.Implies(z3.And(0 < c, c < d), c * c < d * d))
    s = sp.symbols("s", positive=True)
    sig = lambda z: 1 / (1 + sp.exp(-z))  # noqa: E731
    values = symbolic(
        "", sig(s) * sig(0) - sig(s) / 2, sig(0) * sig(0) - sp.Rational(1, 4),
        sig(sp.log(1 + sp.sqrt(2))) ** 2 - sp.Rational(1, 2))
    return both(
        "On the boundary one window is Lambda(0) = 1/2, beyond it less; the other lies below 1, so "
        "the product is below 1/2 (z3).  Mid-edge Lambda(s) Lambda(0), corner Lambda(0)^2.  The "
        "peak Lambda(s)^2 increases with s and is 1/2 at s = log(1 + sqrt 2) (SymPy).",
        outside, values, sigmoid_increases())


EQ_2_LEVEL_AMENDED = Claim(
    id="eq-2-level-amended",
    title="The 1/2 level set lies strictly inside the rectangle",
    source="Eq. 2 (amended)",
    statement=r"\{f\ge\tfrac12\}\subset\text{interior},\quad f(\text{mid-edge})=\tfrac{\Lambda(s)}"
              r"{2},\quad f(\text{corner})=\tfrac14,\quad \{f\ge\tfrac12\}=\emptyset\iff "
              r"s<\log(1+\sqrt2)",
    words="On the boundary and outside f is below 1/2; Lambda(s)/2 at mid-edge, 1/4 at a corner.  "
          "Below s = 0.8814 no point reaches 1/2.",
    assumptions="s > 0",
    kind="inequality",
    instances=_level_instances,
    margin=_level_amended_margin,
    proof=_level_amended_proof,
    origin="amended",
    code="theory.rectangle_analysis",
    test="tests/rectangle/test_level_set.py",
    figure="Fig. 3",
)

EQ_2_LEVEL = Claim(
    id="eq-2-level",
    title="The 1/2 level set of the soft rectangle is the rectangle",
    source="section 4.1, Eq. 2",
    statement=r"\{t:\hat\Lambda^0_{s,\mu,\sigma}(t)\ge\tfrac12\}=[\mu_1\pm\sigma_1]\times"
              r"[\mu_2\pm\sigma_2]",
    words="The reading of 'rectangular support' by which masks are read off at 1/2.  One window "
          "crosses 1/2 at the ends, but the product of two does not cross at the boundary.",
    assumptions="s > 0; coordinates in half-widths about the centre",
    kind="equality",
    instances=_level_instances,
    margin=_level_margin,
    exhaustive=lambda: ({"s": s, "u1": u1, "u2": u2} for s in (6.0, 10.0)
                        for u1 in (0.0, 1.0) for u2 in (0.0, 1.0)),
    exhaustive_range="centre, mid-edges and corner at s = 6 and 10",
    amendment=EQ_2_LEVEL_AMENDED,
    origin="paper",
    code="theory.rectangle_analysis",
    test="tests/rectangle/test_level_set.py::test_the_boundary_is_below_one_half",
    figure="Fig. 3",
)


def _curve_instances() -> Any:
    from hypothesis import strategies as st

    place = st.floats(-0.999, 0.999, allow_subnormal=False)
    return st.fixed_dictionaries({"s": st.floats(0.5, 12.0), "u1": place, "u2": place})


def _curve_margin(i: dict[str, float]) -> float:
    """Positive product of two quantities that must share their sign."""
    s = i["s"]
    a, b = s * (1 - i["u1"] ** 2), s * (1 - i["u2"] ** 2)
    return (map_value(i["u1"], i["u2"], s) - 0.5) * math.tanh(
        math.log(math.sinh(a)) + math.log(math.sinh(b)))


def _curve_proof() -> Proof:
    import sympy as sp
    import z3

    p, q = sp.symbols("p q", positive=True)  # e^-u, e^-v
    sinh = lambda x: (1 / x - x) / 2  # noqa: E731
    identity = symbolic("", 4 * p * q * (sinh(p) * sinh(q) - 1)
                        - (1 - p * q - p - q) * (1 - p * q + p + q))
    a, b = z3.Reals("a b")
    signs = smt("", z3.Implies(z3.And(0 < a, a < 1, 0 < b, b < 1), z3.And(
        1 - a * b + a + b > 0, ((1 + a) * (1 + b) <= 2) == (1 - a * b - a - b >= 0))))
    return both(
        "With p = e^-u, q = e^-v in (0, 1): f = 1/((1+p)(1+q)) >= 1/2 iff 1 - pq - p - q >= 0, and "
        "4pq (sinh u sinh v - 1) = (1 - pq - p - q)(1 - pq + p + q) with a positive second factor.",
        identity, signs)


EQ_2_CURVE = Claim(
    id="eq-2-curve",
    title="The 1/2 level curve in closed form",
    source="Eq. 2",
    statement=r"f\ge\tfrac12\iff\sinh\big(s(1-u_1^2)\big)\,\sinh\big(s(1-u_2^2)\big)\ge1",
    words="u1, u2 are the coordinates in half-widths, inside the rectangle.",
    assumptions="|u1|, |u2| < 1, s > 0",
    kind="inequality",
    instances=_curve_instances,
    margin=_curve_margin,
    proof=_curve_proof,
    origin="beyond",
    code="theory.rectangle_analysis.level_set_height",
    test="tests/rectangle/test_level_set.py::test_the_level_curve_is_where_the_map_is_one_half",
    figure="Fig. 3",
)


def _floor() -> Measurement:
    scales = (1.0, 2.0, 3.0, 6.0, 10.0)
    numbers = {f"s={s:g}": level_set_iou(s) for s in scales}
    gap = max(abs(level_set_iou(s) - level_set_iou_polar(s)) for s in scales)
    listed = ", ".join(f"{v:.4f} at {k}" for k, v in numbers.items())
    return Measurement(
        {**numbers, "largest gap between two routes": gap},
        f"IoU of the set f >= 1/2 with its rectangle, areas in continuous coordinates: {listed}; "
        f"0 for s <= {EMPTY_BELOW:.4f}.  Two quadratures agree to {gap:.0e}.", "counted")


EQ_2_FLOOR = Claim(
    id="eq-2-floor",
    title="Reading a perfect soft map off at 1/2 costs IoU",
    source="Eq. 2",
    statement=r"\mathrm{IoU}\big(\{f\ge\tfrac12\},\text{rectangle}\big)=\int_0^1"
              r"\sqrt{\big(1+\tfrac1s\log\tanh\tfrac{s(1-x^2)}2\big)_+}\,dx<1",
    words="Whatever the rectangle's size and angle, the map of the true parameters thresholded at "
          "1/2 misses part of the rectangle: a ceiling on IoU, a floor under the error.",
    assumptions="continuous coordinates (a fine grid)",
    kind="empirical",
    measure=_floor,
    origin="beyond",
    code="theory.rectangle_analysis.level_set_iou",
    test="tests/rectangle/test_level_set.py::test_iou_by_two_quadratures_and_by_counting",
    figure="Fig. 3",
)


# --- Eqs. 3-4 ------------------------------------------------------------------------------------


def _rotated_instances() -> Any:
    from hypothesis import strategies as st

    from theory.strategies import rectangle_parameters

    place = st.floats(-1.0, 2.0, allow_subnormal=False)
    return st.fixed_dictionaries({
        "parameters": rectangle_parameters(0.05, 1.0), "s": st.floats(1.0, 30.0),
        "point": st.tuples(place, place)})


def _rotated_margin(i: dict[str, Any]) -> float:
    p, (t1, t2) = i["parameters"], i["point"]
    mu1, mu2, _, _, angle = (float(x) for x in p)
    upright = p.copy()
    upright[4] = 0.0
    cos, sin = math.cos(angle), math.sin(angle)
    turned = [cos * (t1 - mu1) - sin * (t2 - mu2) + mu1, sin * (t1 - mu1) + cos * (t2 - mu2) + mu2]
    after = float(soft_rectangle(Rectangle.from_array(p), turned, i["s"]))
    return after - float(soft_rectangle(Rectangle.from_array(upright), [t1, t2], i["s"]))


def _rotated_proof() -> Proof:
    import sympy as sp

    a, d1, d2 = sp.symbols("a d1 d2", real=True)
    turn = lambda x: sp.Matrix([[sp.cos(x), -sp.sin(x)], [sp.sin(x), sp.cos(x)]])  # noqa: E731
    back = turn(-a) * turn(a) * sp.Matrix([d1, d2])
    return symbolic("R_{-alpha}(R_alpha(t)) = t for the rotation of Eq. 3, so the map of Eq. 4 at "
                    "the turned point is the map of Eq. 2 at the point: every level set, and the "
                    "support, turns by +alpha.", back[0] - d1, back[1] - d2)


EQ_4 = Claim(
    id="eq-4",
    title="The inverse rotation of the input turns the support by alpha",
    source="Eqs. 3-4",
    statement=r"\hat\Lambda_{s,\mu,\sigma,\alpha}(\mathcal R_\alpha(t))="
              r"\hat\Lambda^0_{s,\mu,\sigma}(t)",
    words="The rotated map at the rotated point equals the upright map at the point.",
    assumptions="sigma > 0, s > 0, rotation about mu as in Eq. 3",
    kind="equality",
    instances=_rotated_instances,
    margin=_rotated_margin,
    proof=_rotated_proof,
    origin="paper",
    code="theory.rectangle.soft_rectangle",
    test="tests/rectangle/test_soft_rectangle.py::test_rotating_the_map_rotates_its_values",
    figure="Fig. 3",
)

CLAIMS: list[Claim] = [EQ_2_LEVEL, EQ_2_LEVEL_AMENDED, EQ_2_CURVE, EQ_2_FLOOR, EQ_4]
