"""Claims of section 4.4: how the parameters move under similarities, and the loss on them."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from theory.claims.model import Claim, Proof, Undefined
from theory.claims.proofs import symbolic
from theory.equivariance import Similarity, paper_loss, quotient_loss, symmetries
from theory.rectangle import Rectangle, soft_rectangle

HALF = Fraction(1, 2)


def turn_matrix(angle: Any) -> Any:
    """The linear part of Eq. 3 in SymPy."""
    import sympy as sp

    return sp.Matrix([[sp.cos(angle), -sp.sin(angle)], [sp.sin(angle), sp.cos(angle)]])


# --- the action on parameters --------------------------------------------------------------------


def _moves() -> Any:
    from hypothesis import strategies as st

    from theory.strategies import rectangle_parameters, similarities

    place = st.floats(-0.5, 1.5, allow_subnormal=False)
    return st.fixed_dictionaries({
        "parameters": rectangle_parameters(0.05, 1.0), "move": similarities(),
        "point": st.tuples(place, place), "s": st.floats(1.0, 20.0)})


def _action_margin(i: dict[str, Any]) -> float:
    move, r = Similarity(**i["move"]), Rectangle.from_array(i["parameters"])
    point = np.array(i["point"])
    before = soft_rectangle(r, point, i["s"])
    return float(soft_rectangle(move.act(r), move.apply(point), i["s"]) - before)


def _action_proof() -> Proof:
    import sympy as sp

    a, da = sp.symbols("alpha delta_alpha", real=True)
    scale, s1, s2 = sp.symbols("delta sigma_1 sigma_2", positive=True)
    t, mu, c, shift = (sp.Matrix(sp.symbols(f"{n}1 {n}2")) for n in ("t", "m", "c", "d"))
    back = turn_matrix(-a - da) * turn_matrix(da) - turn_matrix(-a)
    turn, unturn = (sp.Matrix(2, 2, sp.symbols(f"{n}1:5")) for n in "rq")
    move = lambda p: scale * (turn * (p - c) + c) + shift  # noqa: E731
    moved = sp.diag(1 / (scale * s1), 1 / (scale * s2)) * unturn * (move(t) - move(mu))
    still = sp.diag(1 / s1, 1 / s2) * unturn * turn * (t - mu)
    return symbolic(
        "With T(t) = d (R(t - c) + c) + d_mu: T(t) - T(mu) = d R (t - mu), so in half-widths d "
        "sigma and after R_{-alpha-delta_alpha}, where R_{-alpha-delta_alpha} R_{delta_alpha} = "
        "R_{-alpha}, the coordinates of T(t) in the moved rectangle are those of t in the old one; "
        "the map depends on them alone.",
        *(sp.expand_trig(x) for x in back), *(sp.expand(x) for x in moved - still))


SEC_44_ACTION = Claim(
    id="sec-4.4-action",
    title="The parameters of the transformed map",
    source="section 4.4",
    statement=r"T(t)=\delta_\sigma(R_{\delta\alpha}(t-c)+c)+\delta\mu:\quad "
              r"\hat\Lambda_{\hat\mu,\hat\sigma,\hat\alpha}(T(t))=\hat\Lambda_{\mu,\sigma,\alpha}"
              r"(t),\ \hat\mu=T(\mu),\ \hat\sigma=\delta_\sigma\sigma,\ \hat\alpha=\alpha+"
              r"\delta\alpha",
    words="Exact if the scaling keeps the origin of the coordinates of Eq. 5 fixed (the first "
          "cell), R is the linear part of Eq. 3 and delta_s is delta_sigma.",
    assumptions="scaling about the origin; an image warp has to use the same map",
    kind="equality",
    instances=_moves,
    margin=_action_margin,
    proof=_action_proof,
    origin="paper",
    code="theory.equivariance.Similarity",
    test="tests/rectangle/test_equivariance.py::test_moved_parameters_render_the_moved_map",
    figure="Fig. 4",
)


def _exact_moves() -> Any:
    from hypothesis import strategies as st

    share = st.integers(0, 20).map(lambda k: Fraction(k, 20))
    return st.fixed_dictionaries({
        "center": st.tuples(share, share), "scale": st.integers(1, 40).map(
            lambda k: Fraction(k, 10)),
        "tan half angle": st.integers(-12, 12).map(lambda k: Fraction(k, 4)),
        "shift": st.tuples(share, share)})


def _turned(i: dict[str, Any], point: Any) -> tuple[Fraction, Fraction]:
    """R (point - 1/2) + 1/2, exact."""
    t = Fraction(i["tan half angle"])
    cos, sin = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
    d1, d2 = point[0] - HALF, point[1] - HALF
    return cos * d1 - sin * d2 + HALF, sin * d1 + cos * d2 + HALF


def _gap(first: Any, second: Any) -> Fraction:
    return max((a - b for a, b in zip(first, second, strict=True)), key=abs)


def _paper_centre(i: dict[str, Any]) -> tuple[Fraction, Fraction]:
    turned = _turned(i, i["center"])
    return tuple(i["scale"] * x + d for x, d in zip(turned, i["shift"], strict=True))


def _centre_margin(i: dict[str, Any]) -> Fraction:
    """Paper's centre minus that of the image rotated AND scaled about its own centre, shifted."""
    turned = _turned(i, i["center"])
    about = [i["scale"] * (x - HALF) + HALF + d for x, d in zip(turned, i["shift"], strict=True)]
    return _gap(_paper_centre(i), about)


def _about_c_margin(i: dict[str, Any]) -> Fraction:
    """Eq. 3 taken literally on mu - c turns it about mu: R(mu - c - mu) + mu."""
    t = Fraction(i["tan half angle"])
    cos, sin = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
    mu1, mu2 = i["center"]
    literal = (cos * -HALF - sin * -HALF + mu1, sin * -HALF + cos * -HALF + mu2)
    moved = [i["scale"] * (x + HALF) + d for x, d in zip(literal, i["shift"], strict=True)]
    return _gap(moved, _paper_centre(i))


_EXAMPLE = {"center": (HALF, HALF), "scale": Fraction(2), "tan half angle": Fraction(0),
            "shift": (Fraction(0), Fraction(0))}

SEC_44_CENTRE = Claim(
    id="sec-4.4-centre",
    title="The formula for the centre when the image is scaled about its centre",
    source="section 4.4",
    statement=r"\delta_\sigma(R(\mu-c)+c)+\delta\mu=\delta_\sigma R(\mu-c)+c+\delta\mu",
    words="Image libraries scale about the image centre c; the paper's formula is then off by "
          "(delta_sigma - 1) c: half an image at a scale of 2.",
    assumptions="c = (1/2, 1/2); rational rotations, so the margin is exact",
    kind="equality",
    instances=_exact_moves,
    margin=_centre_margin,
    exhaustive=lambda: [_EXAMPLE],
    exhaustive_range="a centred object, scale 2, no rotation or shift",
    amendment=SEC_44_ACTION,
    origin="paper",
    code="theory.equivariance.Similarity",
    test="tests/rectangle/test_equivariance.py::test_scaling_about_the_centre_is_another_map",
    figure="Fig. 4",
)

EQ_3_ABOUT_C = Claim(
    id="eq-3-about-c",
    title="R of Eq. 3 reused in section 4.4",
    source="Eq. 3 and section 4.4",
    statement=r"\mathcal R_{\delta\alpha}\ \text{of Eq. 3 (about } \mu\text{) applied to } \mu-c"
              r"\ \text{gives}\ R_{\delta\alpha}(\mu-c)",
    words="Eq. 3 defines R with its centre mu built in; section 4.4 applies it to mu - c and means "
          "the linear part.  Taken literally the centre lands elsewhere even without a rotation.",
    assumptions="c = (1/2, 1/2)",
    kind="equality",
    instances=_exact_moves,
    margin=_about_c_margin,
    exhaustive=lambda: [{**_EXAMPLE, "scale": Fraction(1), "tan half angle": Fraction(1)},
                        {**_EXAMPLE, "center": (Fraction(0), HALF), "scale": Fraction(1),
                         "tan half angle": Fraction(1)}],
    exhaustive_range="a quarter turn, an object at the centre and one at the upper edge",
    amendment=SEC_44_ACTION,
    origin="paper",
    figure="fig04_equivariance", code="theory.equivariance.Similarity",
    test="tests/rectangle/test_equivariance.py::test_moved_parameters_render_the_moved_map",
)


def _scales() -> Any:
    from hypothesis import strategies as st

    return st.fixed_dictionaries({"delta_sigma": st.floats(0.2, 4.0), "sigma": st.floats(0.1, 1.0)})


def _delta_s_margin(i: dict[str, float]) -> float:
    if "delta_s" not in i:
        raise Undefined("delta_s: section 4.4 introduces delta_alpha, delta_sigma and delta_mu only")
    return i["delta_s"] * i["sigma"] - i["delta_sigma"] * i["sigma"]


TYPOGRAPHY_DELTA = Claim(
    id="typography-delta",
    title="delta_s in the formula for the half-widths",
    source="section 4.4",
    statement=r"\hat\sigma=\delta_s\,\sigma",
    words="The formula uses delta_s, which no sentence defines; it is read as delta_sigma.",
    assumptions="the parameters that section 4.4 introduces",
    kind="equality",
    margin=_delta_s_margin,
    domain=_scales,
    amendment=SEC_44_ACTION,
    origin="paper",
    code="theory.equivariance.Similarity",
    test="tests/rectangle/test_equivariance.py::test_moved_parameters_render_the_moved_map",
)


# --- symmetries and losses -----------------------------------------------------------------------


def _twins() -> Any:
    from hypothesis import strategies as st

    from theory.strategies import rectangle_parameters

    place = st.floats(-0.5, 1.5, allow_subnormal=False)
    return st.fixed_dictionaries({
        "parameters": rectangle_parameters(0.05, 1.0), "quarter turns": st.integers(0, 3),
        "full turns": st.integers(-1, 1), "signs": st.tuples(*[st.sampled_from([1, -1])] * 2),
        "point": st.tuples(place, place), "s": st.floats(1.0, 20.0)})


def _twin(i: dict[str, Any]) -> np.ndarray:
    """Other parameters of the same map."""
    twin = symmetries(i["parameters"])[i["quarter turns"]].copy()
    twin[2:4] *= i["signs"]
    twin[4] += 2 * math.pi * i["full turns"]
    return twin


def _symmetry_margin(i: dict[str, Any]) -> float:
    twin, point = _twin(i), np.array(i["point"])
    twin[2:4] = np.abs(twin[2:4])  # Rectangle asks for positive half-widths; Eq. 1 squares them
    other = soft_rectangle(Rectangle.from_array(twin), point, i["s"])
    return float(other - soft_rectangle(Rectangle.from_array(i["parameters"]), point, i["s"]))


def _symmetry_proof() -> Proof:
    import sympy as sp

    a, d1, d2 = sp.symbols("a d1 d2", real=True)
    s1, s2 = sp.symbols("s1 s2", nonzero=True)
    local = lambda angle, k1, k2: [  # noqa: E731
        ((sp.cos(angle) * d1 + sp.sin(angle) * d2) / k1) ** 2,
        ((-sp.sin(angle) * d1 + sp.cos(angle) * d2) / k2) ** 2]
    own, swapped = local(a, s1, s2), local(a + sp.pi / 2, s2, s1)
    flipped = local(a, -s1, -s2)
    return symbolic(
        "(sigma_1, sigma_2, alpha) -> (sigma_2, sigma_1, alpha + pi/2) exchanges the two squared "
        "coordinates, signs of sigma drop out, and the map is symmetric in the two.",
        own[0] - swapped[1], own[1] - swapped[0], own[0] - flipped[0], own[1] - flipped[1])


SEC_44_SYMMETRIES = Claim(
    id="sec-4.4-symmetries",
    title="Parameters of identical maps",
    source="Eqs. 1-4",
    statement=r"(\sigma_1,\sigma_2,\alpha)\mapsto(\sigma_2,\sigma_1,\alpha+\tfrac\pi2),\ "
              r"\sigma_i\mapsto-\sigma_i\quad\text{leave the map unchanged}",
    words="Quarter turns with exchanged half-widths (order 4; twice is alpha + pi) and the signs of "
          "the half-widths.",
    assumptions="s > 0",
    kind="equality",
    instances=_twins,
    margin=_symmetry_margin,
    proof=_symmetry_proof,
    origin="beyond",
    code="theory.equivariance.symmetries",
    test="tests/rectangle/test_equivariance.py::test_symmetries_render_the_same_map",
)


def _quotient_proof() -> Proof:
    import sympy as sp

    a = sp.symbols("a", real=True)
    turns = sp.symbols("n", integer=True)
    identities = []
    for k in range(4):
        back = (4 - k) % 4  # the candidate that undoes k quarter turns
        rest = (a + k * sp.pi / 2 + 2 * sp.pi * turns + back * sp.pi / 2) - a
        identities.append(rest - 2 * sp.pi * sp.floor((rest + sp.pi) / (2 * sp.pi)))
    return symbolic(
        "Of the four candidates of the twin one has the half-widths in the old order (up to sign, "
        "which the loss ignores) and an angle that differs by a multiple of 2 pi, which wraps to "
        "0: the minimum is 0.  Conversely a sum of squares is 0 only if centre, |sigma| and angle "
        "mod 2 pi of a candidate agree, and then the maps do (sec-4.4-symmetries).", *identities)


SEC_44_LOSS_AMENDED = Claim(
    id="sec-4.4-loss-amended",
    title="A loss on the quotient by the symmetries",
    source="section 4.4 (amended)",
    statement=r"\min_{g}\|g(\tilde\mu,\tilde\sigma,\tilde\alpha)-(\hat\mu,\hat\sigma,\hat\alpha)"
              r"\|^2=0\ \text{between parameters of identical maps}",
    words="The minimum runs over the quarter turns, with |sigma| and wrapped angles.",
    assumptions="none",
    kind="equality",
    instances=_twins,
    margin=lambda i: float(quotient_loss(_twin(i), i["parameters"])),
    proof=_quotient_proof,
    origin="amended",
    code="theory.equivariance.quotient_loss",
    test="tests/rectangle/test_equivariance.py::test_quotient_loss_is_zero_only_on_the_orbit",
)

SEC_44_LOSS = Claim(
    id="sec-4.4-loss",
    title="The equivariance loss measures a departure from equivariance",
    source="section 4.4",
    statement=r"\|(\tilde\mu,\tilde\sigma,\tilde\alpha)-(\hat\mu,\hat\sigma,\hat\alpha)\|^2=0\ "
              r"\text{between parameters of identical maps}",
    words="Two predictions that render the same map, and thus respect the constraint perfectly, "
          "are penalised, by up to pi^2 and more for full turns.  (The property is read as one of the "
          "maps, as section 4.4 introduces it; the paper leaves room for other discrepancies.)",
    assumptions="none",
    kind="equality",
    instances=_twins,
    margin=lambda i: float(paper_loss(_twin(i), i["parameters"])),
    exhaustive=lambda: [{"parameters": np.array([0.5, 0.5, 0.2, 0.2, 0.0]), "quarter turns": k,
                         "full turns": 0, "signs": (1, 1), "point": (0.5, 0.5), "s": 6.0}
                        for k in range(4)],
    exhaustive_range="the quarter turns of one square",
    amendment=SEC_44_LOSS_AMENDED,
    origin="paper",
    code="theory.equivariance.paper_loss",
    test="tests/rectangle/test_equivariance.py::test_paper_loss_is_positive_on_the_orbit",
)

CLAIMS: list[Claim] = [SEC_44_ACTION, SEC_44_CENTRE, EQ_3_ABOUT_C, TYPOGRAPHY_DELTA,
                       SEC_44_SYMMETRIES, SEC_44_LOSS, SEC_44_LOSS_AMENDED]
