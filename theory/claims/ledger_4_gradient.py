"""Claims of section 4.5 and App. B: what reaches the parameters before the module  [Eqs. 8-9]."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from theory.attention import gradient_terms, rescale, residual, without_residual
from theory.claims.ledger_4_measured import gradient_ratio
from theory.claims.model import Claim, Proof
from theory.claims.proofs import induction, smt, symbolic
from theory.rectangle import Rectangle, soft_rectangle
from theory.rectangle_analysis import sigmoid, tail_value_bound

# --- Eq. 8: the product rule ---------------------------------------------------------------------


def _curves() -> Any:
    """Features and rectangle parameters as polynomials of one parameter theta."""
    from hypothesis import strategies as st

    number = st.integers(-20, 20).map(lambda k: k / 10)
    return st.fixed_dictionaries({
        "x": st.tuples(*[st.tuples(number, number)] * 4),
        "parameters": st.tuples(*[number] * 3),
        "theta": st.floats(-1.0, 1.0, allow_subnormal=False)})


def _features_and_map(i: dict[str, Any], theta: Any) -> tuple[Any, Any]:
    """x(theta) (2, 2, 1) and the soft rectangle f(theta) (2, 2), torch or NumPy."""
    from theory.arrays import namespace

    xp = namespace(theta)
    x = xp.stack([a + b * theta for a, b in i["x"]])
    p1, p2, p3 = i["parameters"]
    half = 0.3 * theta
    r = Rectangle(xp.stack([0.5 + 0.2 * p1 * theta, 0.5 + 0.2 * p2 * theta]),
                  xp.stack([0.5 + half * half, 0.6 + half * half]), p3 * theta)
    places = xp.asarray([[[0.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]]], dtype=xp.float64)
    return xp.reshape(x, (2, 2, 1)), soft_rectangle(r, places, 2.0)


def _derivative(values: Any, theta: Any) -> Any:
    """The derivative of every entry, one backward pass each."""
    import torch

    flat = [torch.autograd.grad(v, theta, retain_graph=True)[0] for v in values.reshape(-1)]
    return torch.stack(flat).reshape(values.shape)


def _product_rule_margin(
    i: dict[str, Any], attention: Callable[[Any], Any], *, use_residual: bool = True
) -> float:
    """Autograd through the module minus the two terms, for the loss sum (x^ + x^ ^2 / 2)."""
    import torch

    theta = torch.tensor(i["theta"], dtype=torch.float64, requires_grad=True)
    module = residual if use_residual else without_residual
    x, f = _features_and_map(i, theta)
    f = attention(f)
    output = module(x, f)
    loss = (output + output**2 / 2).sum()
    (whole,) = torch.autograd.grad(loss, theta, retain_graph=True)
    dx, df = _derivative(x, theta), _derivative(f, theta)
    direct, indirect = gradient_terms(1 + output, x, dx, f, df, use_residual=use_residual)
    return float((whole - direct - indirect).detach())


def _product_rule_proof() -> Proof:
    import sympy as sp

    theta = sp.symbols("theta", real=True)
    x, f = sp.Function("x")(theta), sp.Function("f")(theta)
    other_x, other_f = sp.Function("y")(theta), sp.Function("h")(theta)
    a, b = sp.symbols("a b")
    loss = sp.Function("L")(a, b)
    first, second = x + f * x, other_x + other_f * other_x
    outer = [sp.diff(loss, v).subs({a: first, b: second}, simultaneous=True) for v in (a, b)]
    whole = (outer[0] * sp.diff(first, theta) + outer[1] * sp.diff(second, theta))
    terms = sum(o * ((1 + g) * sp.diff(z, theta) + z * sp.diff(g, theta))
                for o, z, g in zip(outer, (x, other_x), (f, other_f), strict=True))
    plain = sp.diff(f * x, theta) - (f * sp.diff(x, theta) + x * sp.diff(f, theta))
    return symbolic(
        "Chain rule over the positions and channels, product rule at each: d(x + f x) = (1 + f) dx "
        "+ x df, d(f x) = f dx + x df, for an arbitrary loss, features and map (the map may be f "
        "or f~: only its derivative enters).", sp.expand(whole - terms), plain)


EQ_8 = Claim(
    id="eq-8",
    title="The gradient with the residual has two terms",
    source="Eq. 8, Eq. 23",
    statement=r"\partial_k L=\sum\frac{\partial L}{\partial\hat x}(1+f)\frac{\partial x}"
              r"{\partial\theta_k}+\sum\frac{\partial L}{\partial\hat x}\,x\,\frac{\partial f}"
              r"{\partial\theta_k}",
    words="The direct term has factor 1 + f everywhere, the indirect one passes through the "
          "rectangle's parameters.",
    assumptions="x, f and L differentiable",
    kind="equality",
    instances=_curves,
    margin=lambda i: _product_rule_margin(i, lambda f: f),
    proof=_product_rule_proof,
    origin="paper",
    code="theory.attention.gradient_terms",
    test="tests/rectangle/test_gradient.py::test_terms_add_up_to_autograd_and_finite_differences",
)

EQ_8_RESCALED = Claim(
    id="eq-8-rescaled",
    title="The gradient formula with the rescaled map",
    source="section 4.5",
    statement=r"\partial_k L=\sum\frac{\partial L}{\partial\hat x}(1+\tilde f)\frac{\partial x}"
              r"{\partial\theta_k}+\sum\frac{\partial L}{\partial\hat x}\,x\,\frac{\partial"
              r"\tilde f}{\partial\theta_k}",
    words="The product rule holds with f~ in the place of f.  (Other statements about f do not "
          "carry over by replacing it: see eq-7-map.)",
    assumptions="x, f and L differentiable, sum f > 0",
    kind="equality",
    instances=_curves,
    margin=lambda i: _product_rule_margin(i, rescale),
    proof=_product_rule_proof,
    origin="paper",
    code="theory.attention.gradient_terms",
    test="tests/rectangle/test_gradient.py::test_terms_add_up_to_autograd_and_finite_differences",
)


# --- Eq. 9: restricting the sum to the support ---------------------------------------------------


def _cells(map_value: Any, signal: Any) -> Any:
    from hypothesis import strategies as st

    return st.fixed_dictionaries({
        "f": st.tuples(*[map_value] * 6), "outer": st.tuples(*[signal] * 6),
        "dx": st.tuples(*[signal] * 6)})


def _binary_cells() -> Any:
    from hypothesis import strategies as st

    return _cells(st.integers(0, 1), st.integers(-9, 9))


def _direct(i: dict[str, Any], keep: Callable[[int], bool]) -> Any:
    return sum(g * f * d for k, (g, f, d) in enumerate(
        zip(i["outer"], i["f"], i["dx"], strict=True)) if keep(k))


def _binary_margin(i: dict[str, Any]) -> int:
    return _direct(i, lambda k: True) - _direct(i, lambda k: i["f"][k] == 1)


def _binary_proof() -> Proof:
    import z3

    whole, inside, g, f, d = z3.Reals("whole inside g f d")
    return induction(
        "A position outside the support of a binary map adds g 0 dx = 0 to the whole sum.",
        z3.Implies(f == 0, g * f * d == 0),
        z3.Implies(z3.And(whole == inside, z3.Or(f == 0, f == 1)),
                   whole + g * f * d == inside + z3.If(f == 1, g * f * d, z3.RealVal(0))))


EQ_9 = Claim(
    id="eq-9",
    title="Without the residual only the support counts: binary maps",
    source="Eq. 9, Eq. 24",
    statement=r"\sum_{ijc}\frac{\partial L}{\partial\hat x}f\,\frac{\partial x}{\partial\theta_k}="
              r"\sum_c\sum_{(i,j)\in\mathcal S}\frac{\partial L}{\partial\hat x}f\,"
              r"\frac{\partial x}{\partial\theta_k},\quad \mathcal S=\{f=1\}",
    words="Exact for maps with values 0 and 1.  (Eqs. 9 and 24 print the outer derivative without "
          "its second d; read as here.)",
    assumptions="f in {0, 1} at every position",
    kind="equality",
    instances=_binary_cells,
    margin=_binary_margin,
    proof=_binary_proof,
    origin="paper",
    code="theory.attention.gradient_terms",
    test="tests/rectangle/test_gradient.py::test_restriction_to_the_support_of_a_binary_map",
)


def _soft_instances() -> Any:
    from hypothesis import strategies as st

    place, signal = st.floats(-2.0, 2.0, allow_subnormal=False), st.floats(
        -3.0, 3.0, allow_subnormal=False)
    return st.fixed_dictionaries({
        "s": st.floats(0.5, 20.0), "h": st.floats(0.0, 2.0, allow_subnormal=False),
        "points": st.tuples(*[st.tuples(place, place)] * 3),
        "signal": st.tuples(*[signal] * 3)})


UNIT = Rectangle([0.0, 0.0], [1.0, 1.0], 0.0)


def _left_out(i: dict[str, Any], h: float) -> tuple[float, float]:
    """Sum of f g dx and of |g dx| over the points outside S_h (points in half-widths)."""
    points, signal = np.array(i["points"]), np.array(i["signal"])
    f = soft_rectangle(UNIT, points, i["s"])
    outside = np.max(points**2, axis=-1) > 1 + h
    return float(np.sum(f * signal, where=outside)), float(np.sum(np.abs(signal), where=outside))


def _soft_amended_margin(i: dict[str, Any]) -> float:
    left_out, size = _left_out(i, i["h"])
    return tail_value_bound(i["s"], i["h"]) * size - abs(left_out)


def _soft_proof() -> Proof:
    import z3

    s, h, square, other, f, bound, g = z3.Reals("s h square other f bound g")
    whole, size = z3.Reals("whole size")
    absolute = lambda v: z3.If(v >= 0, v, -v)  # noqa: E731
    a, b, top_a, top_b = z3.Reals("a b top_a top_b")
    return smt(
        "Outside S_h one squared coordinate exceeds 1 + h: its logit is at most -s h and the "
        "other's at most s, so f <= Lambda(-s h) Lambda(s) as the sigmoid increases; by induction "
        "over the positions the sum is at most that times the sum of absolute values.",
        z3.Implies(z3.And(s > 0, h >= 0, square > 1 + h, other >= 0),
                   z3.And(s * (1 - square) <= -s * h, s * (1 - other) <= s)),
        z3.Implies(z3.And(0 < a, a <= top_a, 0 < b, b <= top_b), a * b <= top_a * top_b),
        z3.Implies(z3.And(f >= 0, f <= bound, absolute(whole) <= bound * size),
                   absolute(whole + f * g) <= bound * (size + absolute(g))))


EQ_9_SOFT_AMENDED = Claim(
    id="eq-9-soft-amended",
    title="The tail that the restriction leaves out",
    source="Eq. 9 (amended)",
    statement=r"\Big|\sum_{\notin S_h}\frac{\partial L}{\partial\hat x}f\frac{\partial x}{\partial"
              r"\theta_k}\Big|\le\Lambda(-sh)\Lambda(s)\sum_{\notin S_h}\Big|\frac{\partial L}"
              r"{\partial\hat x}\frac{\partial x}{\partial\theta_k}\Big|",
    words="S_h is the rectangle with half-widths times sqrt(1 + h); at h = 0 it is the rectangle "
          "itself and the factor is Lambda(s)/2: outside positions still pass up to half.",
    assumptions="s > 0, h >= 0",
    kind="inequality",
    instances=_soft_instances,
    margin=_soft_amended_margin,
    proof=_soft_proof,
    origin="amended",
    code="theory.rectangle_analysis.tail_value_bound",
    test="tests/rectangle/test_gradient.py::test_tail_bound_is_reached_at_the_boundary",
)

EQ_9_SOFT = Claim(
    id="eq-9-soft",
    title="Without the residual only the support counts: soft maps",
    source="Eq. 9, Eq. 24",
    statement=r"\sum_{\notin\mathcal S}\frac{\partial L}{\partial\hat x}f\,\frac{\partial x}"
              r"{\partial\theta_k}=0,\quad\mathcal S\text{ the rectangle}",
    words="The soft rectangle is positive everywhere.  With S its rectangle the sum over the rest "
          "is left out; with S the set where f is not 0 the restriction says nothing.",
    assumptions="points in half-widths about the centre",
    kind="equality",
    instances=_soft_instances,
    margin=lambda i: _left_out(i, 0.0)[0],
    exhaustive=lambda: [{"s": 6.0, "h": 0.0, "points": ((0.0, 1.1), (0.0, 0.0), (0.0, 0.5)),
                         "signal": (1.0, 0.0, 0.0)}],
    exhaustive_range="one position a tenth of a half-width outside, s = 6",
    amendment=EQ_9_SOFT_AMENDED,
    origin="paper",
    code="theory.attention.gradient_terms",
    test="tests/rectangle/test_gradient.py::test_restriction_of_a_soft_map_leaves_a_tail",
)


# --- App. B: guarantee and weakness --------------------------------------------------------------


def _outside_margin(i: dict[str, Any]) -> int:
    outside = sum(g * d for g, f, d in zip(i["outer"], i["f"], i["dx"], strict=True) if f == 0)
    return abs(outside) if outside else -1


def _with_a_background() -> Any:
    return _binary_cells().filter(lambda i: 0 in i["f"] and any(i["dx"]))


def _factors() -> Any:
    from hypothesis import strategies as st

    place = st.floats(-3.0, 3.0, allow_subnormal=False)
    return st.fixed_dictionaries({"s": st.floats(0.5, 20.0), "u1": place, "u2": place})


def _factor_margin(i: dict[str, float]) -> float:
    f = float(soft_rectangle(UNIT, [i["u1"], i["u2"]], i["s"]))
    parts = [(1 + f) - 1, 2 - (1 + f)]
    if max(abs(i["u1"]), abs(i["u2"])) > 1:
        parts.append(sigmoid(i["s"]) / 2 - f)
    return min(parts)


def _factor_proof() -> Proof:
    import z3

    f, a, b = z3.Reals("f a b")
    return smt(
        "0 < f < 1 gives 1 < 1 + f < 2.  Outside the rectangle one window is at most 1/2 and the "
        "other at most Lambda(s), so f <= Lambda(s)/2.",
        z3.Implies(z3.And(0 < f, f < 1), z3.And(1 + f > 1, 1 + f < 2)),
        z3.Implies(z3.And(0 < a, a <= 0.5, 0 < b, b <= f), a * b <= f / 2))


APP_B_GUARANTEE_AMENDED = Claim(
    id="app-B-guarantee-amended",
    title="The residual keeps the factor of every position above 1",
    source="section 4.5, App. B (amended)",
    statement=r"1<1+f\le2\ \text{everywhere},\qquad f\le\Lambda(s)/2\ \text{outside the rectangle}",
    words="Where the outer gradient is not 0, a position's direct contribution is never damped "
          "with the residual; without it, it is damped by f, to less than half outside.",
    assumptions="soft rectangle, coordinates in half-widths",
    kind="inequality",
    instances=_factors,
    margin=_factor_margin,
    proof=_factor_proof,
    origin="amended",
    code="theory.attention.gradient_terms",
    test="tests/rectangle/test_gradient.py::test_residual_keeps_the_outside_in_the_gradient",
)

APP_B_GUARANTEE = Claim(
    id="app-B-guarantee",
    title="The residual guarantees information from outside the support",
    source="section 4.5, App. B",
    statement=r"\sum_{(i,j)\notin\mathcal S,c}\frac{\partial L}{\partial\hat x}\frac{\partial x}"
              r"{\partial\theta_k}\ne0",
    words="'We always have the information outside the support': the supplementary term of Eq. 8 "
          "is not 0 outside.  It is 0 where the outer gradient vanishes there (a head that reads "
          "only the support, a saturated loss) and where contributions cancel.  Margin: its size, "
          "or -1 where it is 0.",
    assumptions="binary map with a position outside, x depends on theta somewhere",
    kind="inequality",
    instances=_with_a_background,
    margin=_outside_margin,
    exhaustive=lambda: [
        {"f": (1, 0, 0, 0, 0, 0), "outer": (1, 0, 0, 0, 0, 0), "dx": (1,) * 6},
        {"f": (1, 0, 0, 1, 1, 1), "outer": (0, 1, -1, 0, 0, 0), "dx": (1,) * 6}],
    exhaustive_range="an outer gradient that vanishes outside, one that cancels",
    amendment=APP_B_GUARANTEE_AMENDED,
    origin="paper",
    code="theory.attention.gradient_terms",
    test="tests/rectangle/test_gradient.py::test_residual_keeps_the_outside_in_the_gradient",
)

APP_B_WEAK = Claim(
    id="app-B-weak",
    title="Moving the support gives very weak information",
    source="section 4.5, App. B",
    statement=r"\Big\|\sum\frac{\partial L}{\partial\hat x}\,x\,\frac{\partial f}{\partial\theta}"
              r"\Big\|\ll\Big\|\sum\frac{\partial L}{\partial\hat x}(1+f)\frac{\partial x}"
              r"{\partial\theta}\Big\|",
    words="The size of the indirect term against the direct one, at the start and at the end of "
          "training, on the toolkit's own images.",
    assumptions="the committed training runs: small networks, synthetic images",
    kind="empirical",
    measure=gradient_ratio,
    origin="paper",
    code="training",
    test="tests/heads/test_measured.py",
)

CLAIMS: list[Claim] = [EQ_8, EQ_8_RESCALED, EQ_9, EQ_9_SOFT, EQ_9_SOFT_AMENDED, APP_B_GUARANTEE,
                       APP_B_GUARANTEE_AMENDED, APP_B_WEAK]
