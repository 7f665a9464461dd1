"""Claims of section 4.2 on the grid: Eq. 5 and what its units mean."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from theory.claims.model import Claim, Proof
from theory.claims.proofs import smt, symbolic
from theory.rectangle import image_to_grid


def coordinate(i: int, size: int) -> Fraction:
    """The coordinate of Eq. 5 along one axis; the division by 0 at size 1 is not caught."""
    return Fraction(i - 1, size - 1)


def _cells(low: int) -> Any:
    from hypothesis import strategies as st

    size = st.integers(low, 40)
    return st.tuples(size, size).flatmap(lambda hw: st.fixed_dictionaries({
        "H": st.just(hw[0]), "W": st.just(hw[1]),
        "i": st.integers(1, hw[0]), "j": st.integers(1, hw[1])}))


def _range_margin(c: dict[str, int]) -> Fraction:
    pair = (coordinate(c["i"], c["H"]), coordinate(c["j"], c["W"]))
    return min(min(t, 1 - t) for t in pair)


def _range_proof() -> Proof:
    import z3

    i, size = z3.Ints("i H")
    t = z3.Real("t")
    return smt(
        "For H >= 2 and 1 <= i <= H the number t with t (H - 1) = i - 1 exists and lies in [0, 1]; "
        "it is 0 at i = 1 and 1 at i = H.",
        z3.Implies(z3.And(size >= 2, i >= 1, i <= size, t * z3.ToReal(size - 1)
                          == z3.ToReal(i - 1)), z3.And(t >= 0, t <= 1)),
        z3.Implies(z3.And(size >= 2, t * z3.ToReal(size - 1) == z3.ToReal(size - 1)), t == 1),
        z3.Implies(z3.And(size >= 2, t * z3.ToReal(size - 1) == 0), t == 0))


EQ_5_AMENDED = Claim(
    id="eq-5-amended",
    title="Positions lie in the unit square when both sides have two cells",
    source="Eq. 5 (amended)",
    statement=r"H,W\ge2:\quad \big(\tfrac{i-1}{H-1},\tfrac{j-1}{W-1}\big)\in[0,1]^2",
    words="The centres of the first and the last cell sit at 0 and 1 of each axis.",
    assumptions="H >= 2, W >= 2, 1 <= i <= H, 1 <= j <= W",
    kind="inequality",
    instances=lambda: _cells(2),
    margin=_range_margin,
    proof=_range_proof,
    origin="amended",
    code="theory.rectangle.grid",
    test="tests/rectangle/test_grid.py::test_coordinates_are_those_of_eq_5",
)

EQ_5 = Claim(
    id="eq-5",
    title="Positions are rescaled to the unit square",
    source="Eq. 5",
    statement=r"\big(\tfrac{i-1}{H-1},\tfrac{j-1}{W-1}\big)\in[0,1]^2",
    words="Stated for every feature map; 0/0 on maps with a single row or column.",
    assumptions="1 <= i <= H, 1 <= j <= W",
    kind="inequality",
    instances=lambda: _cells(2),
    margin=_range_margin,
    domain=lambda: _cells(1),
    amendment=EQ_5_AMENDED,
    origin="paper",
    code="theory.rectangle.grid",
    test="tests/rectangle/test_bad_input.py::test_eq_5_needs_two_cells_a_side",
)


# --- rotation off square grids -------------------------------------------------------------------


def _turns() -> Any:
    from hypothesis import strategies as st

    size, tangent = st.integers(2, 12), st.integers(-6, 6)
    return st.fixed_dictionaries({
        "H": size, "W": size, "tan half angle": st.builds(Fraction, tangent, st.integers(1, 6)),
        "pixels": st.tuples(st.integers(-9, 9), st.integers(-9, 9))})


def _turn(i: dict[str, Any]) -> tuple[Fraction, Fraction]:
    """(cos, sin), exact."""
    t = Fraction(i["tan half angle"])
    return (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)


def _in_pixels(i: dict[str, Any], d1: Any, d2: Any) -> tuple[Any, Any]:
    """A displacement in pixels after the rotation in the coordinates of Eq. 5: D R D^-1."""
    cos, sin = _turn(i)
    height, width = i["H"] - 1, i["W"] - 1
    u1, u2 = Fraction(d1, height), Fraction(d2, width)
    return height * (cos * u1 - sin * u2), width * (sin * u1 + cos * u2)


def _length_margin(i: dict[str, Any]) -> Fraction:
    d1, d2 = i["pixels"]
    e1, e2 = _in_pixels(i, d1, d2)
    return e1 * e1 + e2 * e2 - (d1 * d1 + d2 * d2)


def _axes_margin(i: dict[str, Any]) -> Fraction:
    """Inner product, in pixels, of the two axes of a rectangle of unit coordinates."""
    cos, sin = _turn(i)
    height, width = i["H"] - 1, i["W"] - 1
    first, second = _in_pixels(i, height, 0), _in_pixels(i, 0, width)
    product = first[0] * second[0] + first[1] * second[1]
    return product - sin * cos * (width**2 - height**2)


def _axes_proof() -> Proof:
    import sympy as sp

    a = sp.symbols("a", real=True)
    h, w, s1, s2, scale = sp.symbols("h w s1 s2 scale", positive=True)
    turn = sp.Matrix([[sp.cos(a), -sp.sin(a)], [sp.sin(a), sp.cos(a)]])
    pixels = sp.diag(h, w)
    first, second = pixels * turn * sp.Matrix([s1, 0]), pixels * turn * sp.Matrix([0, s2])
    linear = pixels * turn * pixels.inv()
    square = (sp.diag(scale, scale) * turn * sp.diag(scale, scale).inv() - turn)
    return symbolic(
        "The rectangle's half-axes D R (sigma_1, 0) and D R (0, sigma_2), D = diag(H-1, W-1), have "
        "inner product sigma_1 sigma_2 sin cos ((W-1)^2 - (H-1)^2): a parallelogram with right "
        "angles only if H = W or sin(2 alpha) = 0; for H = W, D R D^-1 = R.",
        first.dot(second) - s1 * s2 * sp.sin(a) * sp.cos(a) * (w**2 - h**2),
        linear.det() - 1, *list(square))


EQ_5_ROTATION_AMENDED = Claim(
    id="eq-5-rotation-amended",
    title="Off square grids the rectangle is a parallelogram",
    source="Eqs. 3-5 (amended)",
    statement=r"D R_\alpha D^{-1},\ D=\mathrm{diag}(H-1,W-1):\quad \langle D R_\alpha e_1\sigma_1, "
              r"D R_\alpha e_2\sigma_2\rangle=\sigma_1\sigma_2\sin\alpha\cos\alpha"
              r"\,\big((W-1)^2-(H-1)^2\big)",
    words="In pixels Eq. 3 acts as D R D^-1.  It keeps areas; it keeps right angles only on square "
          "grids or at multiples of a quarter turn.",
    assumptions="H, W >= 2",
    kind="equality",
    instances=_turns,
    margin=_axes_margin,
    proof=_axes_proof,
    origin="amended",
    code="theory.rectangle.hard_mask",
    test="tests/rectangle/test_grid.py::test_off_square_grids_the_mask_is_a_parallelogram",
    figure="Fig. 3",
)

EQ_5_ROTATION = Claim(
    id="eq-5-rotation",
    title="Eq. 3 rotates the support in the image",
    source="Eqs. 3-5",
    statement=r"\|D R_\alpha D^{-1}d\|=\|d\|\quad\text{for every displacement } d \text{ in pixels}",
    words="A rotation keeps lengths in pixels.  The coordinates of Eq. 5 stretch the axes "
          "differently when H and W differ; the angle alpha is then none of the image's.",
    assumptions="H, W >= 2 (rational angles in the search, so the margin is exact)",
    kind="equality",
    instances=_turns,
    margin=_length_margin,
    exhaustive=lambda: [{"H": 3, "W": 5, "tan half angle": Fraction(1), "pixels": (1, 0)}],
    exhaustive_range="a quarter turn on the 3 x 5 grid",
    amendment=EQ_5_ROTATION_AMENDED,
    origin="paper",
    code="theory.rectangle.hard_mask",
    test="tests/rectangle/test_grid.py::test_off_square_grids_the_mask_is_a_parallelogram",
)


# --- coordinates of the image and of the features ------------------------------------------------


def _axes() -> Any:
    from hypothesis import strategies as st

    return st.fixed_dictionaries({
        "stride": st.sampled_from([2, 4, 8, 16, 32]), "cells": st.integers(2, 32),
        "u": st.floats(0.0, 1.0, allow_subnormal=False)})


def _cells_margin(i: dict[str, Any]) -> float:
    size = i["stride"] * i["cells"]
    return float(image_to_grid(i["u"], size, i["cells"], i["stride"])) - i["u"]


def _centre_margin(i: dict[str, Any]) -> float:
    """Conversion of the centre of a feature cell, whose image coordinate is known exactly."""
    stride, cells = i["stride"], i["cells"]
    k = math.floor(i["u"] * (cells - 1) + 0.5)
    pixel = k * stride + Fraction(stride - 1, 2)
    image = float(Fraction(pixel, stride * cells - 1))
    return float(image_to_grid(image, stride * cells, cells, stride)) - k / (cells - 1)


def _centre_proof() -> Proof:
    import sympy as sp

    k, n, stride = sp.symbols("k n stride", positive=True)
    half = sp.Rational(1, 2)
    image = (k * stride + (stride - 1) / 2) / (stride * n - 1)
    converted = (image - half) * (stride * n - 1) / (stride * (n - 1)) + half
    return symbolic("Feature cell k covers pixels k r .. k r + r - 1, so its centre has the image "
                    "coordinate (k r + (r-1)/2) / (n r - 1), which the formula takes to "
                    "k/(n-1), the coordinate of Eq. 5.", converted - k / (n - 1))


EQ_5_CELLS_AMENDED = Claim(
    id="eq-5-cells-amended",
    title="From image coordinates to feature coordinates",
    source="Eq. 5 (amended)",
    statement=r"u_{feat}-\tfrac12=\big(u_{img}-\tfrac12\big)\frac{n_{img}-1}{r\,(n_{feat}-1)}",
    words="Both grids put the centres of their outer cells at 0 and 1; r is the stride.  The factor "
          "is 1.16 for 224 pixels on 7 cells: image borders lie outside the feature square.",
    assumptions="n_img = r n_feat (else the offset of the padding has to be added), n_feat >= 2",
    kind="equality",
    instances=_axes,
    margin=_centre_margin,
    proof=_centre_proof,
    origin="amended",
    code="theory.rectangle.image_to_grid",
    test="tests/rectangle/test_grid.py::test_image_and_feature_coordinates",
)

EQ_5_CELLS = Claim(
    id="eq-5-cells",
    title="Unit coordinates of image and feature map agree",
    source="Eq. 5, section 4.4",
    statement=r"u_{feat}=u_{img}",
    words="Section 4.4 moves the image in unit coordinates and the parameters in those of the "
          "feature grid; read as taking them for the same (it says nothing of a conversion).",
    assumptions="n_img = r n_feat, n_feat >= 2, u in [0, 1]",
    kind="equality",
    instances=_axes,
    margin=_cells_margin,
    exhaustive=lambda: [{"stride": 32, "cells": 7, "u": 1.0}, {"stride": 32, "cells": 7, "u": 0.0}],
    exhaustive_range="the borders of a 224-pixel image on 7 cells",
    amendment=EQ_5_CELLS_AMENDED,
    origin="paper",
    code="theory.rectangle.image_to_grid",
    test="tests/rectangle/test_grid.py::test_image_and_feature_coordinates",
)

CLAIMS: list[Claim] = [EQ_5, EQ_5_AMENDED, EQ_5_ROTATION, EQ_5_ROTATION_AMENDED, EQ_5_CELLS,
                       EQ_5_CELLS_AMENDED]
