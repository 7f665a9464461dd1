"""Claims of section 4.2 on the residual and the rescaling  [Eqs. 6-7]."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from theory.attention import rescale, rescale_log, residual
from theory.claims.model import Claim, Proof
from theory.claims.proofs import induction, symbolic
from theory.rectangle import Rectangle, grid, log_soft_rectangle, soft_rectangle


def exact_map(values: list[Fraction]) -> np.ndarray:
    """A map of one row as an object array."""
    return np.array([values], dtype=object)


def _maps() -> Any:
    from hypothesis import strategies as st

    from theory.strategies import unit

    value = unit(exact=True)
    return st.fixed_dictionaries({"f": st.tuples(
        st.lists(value, max_size=5), unit(exact=True).map(lambda v: v if v else Fraction(1)))
        .map(lambda pair: [*pair[0], pair[1]])})


# --- Eq. 6 ---------------------------------------------------------------------------------------


def _features() -> Any:
    from hypothesis import strategies as st

    number = st.floats(-10.0, 10.0, allow_subnormal=False)
    share = st.floats(0.0, 1.0, allow_subnormal=False)
    four = lambda x: st.lists(x, min_size=4, max_size=4)  # noqa: E731
    return st.fixed_dictionaries({"x": four(st.tuples(number, number)), "f": four(share)})


def _residual_margin(i: dict[str, Any]) -> float:
    x, f = np.array(i["x"]).reshape(2, 2, 2), np.array(i["f"]).reshape(2, 2)
    return float(np.max(np.abs(residual(x, f) - (1 + f)[..., None] * x)))


def _residual_proof() -> Proof:
    import sympy as sp

    x, f = sp.symbols("x f", real=True)
    return symbolic("x + f x = (1 + f) x at every position and channel.", x + f * x - (1 + f) * x)


EQ_6 = Claim(
    id="eq-6",
    title="The residual module multiplies features by 1 + f",
    source="Eq. 6, Eq. 26",
    statement=r"\hat x_{ijc}=x_{ijc}+f(x)_{ij}x_{ijc}=(1+f(x)_{ij})\,x_{ijc}",
    words="Every channel of a position gets the same factor, between 1 and 2.",
    assumptions="none",
    kind="equality",
    instances=_features,
    margin=_residual_margin,
    proof=_residual_proof,
    origin="paper",
    code="theory.attention.residual",
    test="tests/rectangle/test_module.py::test_residual_is_a_factor_one_plus_f",
)


# --- Eq. 7: mean and maximum ---------------------------------------------------------------------


def _mean_margin(i: dict[str, Any]) -> Fraction:
    scaled = rescale(exact_map(i["f"]))
    return Fraction(scaled.sum()) / scaled.size - 1


def _mean_proof() -> Proof:
    import z3

    total, part, f = z3.Reals("S part f")
    n, scaled_part, scaled = z3.Reals("n scaled_part scaled")
    return induction(
        "Each f~_i = n f_i / S.  If the first k rescaled values sum to n/S times the sum of the "
        "first k values, so do the first k + 1; all of them sum to n S / S = n, mean 1.",
        z3.Implies(z3.And(total > 0, scaled * total == n * f), scaled == n * f / total),
        z3.Implies(z3.And(total > 0, scaled_part == n * part / total, scaled == n * f / total),
                   scaled_part + scaled == n * (part + f) / total),
        z3.Implies(z3.And(total > 0, n > 0, scaled_part == n * total / total),
                   scaled_part / n == 1))


EQ_7_MEAN = Claim(
    id="eq-7-mean",
    title="The rescaled map has mean 1",
    source="Eq. 7",
    statement=r"\frac1{HW}\sum_{ij}\tilde f_{ij}=1",
    words="Dividing by the mean makes the mean 1, whatever the rectangle's size.",
    assumptions="f >= 0, sum f > 0",
    kind="equality",
    instances=_maps,
    margin=_mean_margin,
    proof=_mean_proof,
    origin="paper",
    code="theory.attention.rescale",
    test="tests/rectangle/test_module.py::test_rescaled_map_has_mean_one",
)


def _max_margin(i: dict[str, Any]) -> Fraction:
    scaled = rescale(exact_map(i["f"]))
    top = max(scaled.ravel())
    constant = len(set(i["f"])) == 1
    if constant:
        return -abs(top - 1)
    return top - 1 if top > 1 else Fraction(-1)  # strictly above 1 unless constant


def _max_proof() -> Proof:
    import z3

    k, top, part, f = z3.Reals("k top part f")
    return induction(
        "Let M be the largest value.  The first k values sum to at most k M, with equality only if "
        "each is M; at k = HW the mean (1 for f~) is at most M, with equality only for constants.",
        z3.Implies(f <= top, f <= 1 * top),
        z3.Implies(z3.And(k >= 1, part <= k * top, f <= top), z3.And(
            part + f <= (k + 1) * top,
            z3.Implies(part + f == (k + 1) * top, z3.And(part == k * top, f == top)))),
        z3.Implies(z3.And(k >= 1, part <= k * top, part == k), top >= 1))


EQ_7_MAP_AMENDED = Claim(
    id="eq-7-map-amended",
    title="The rescaled map exceeds 1 unless it is constant",
    source="Eq. 7 (amended)",
    statement=r"\max_{ij}\tilde f_{ij}\ge1,\quad =1 \iff f \text{ constant}",
    words="A map with mean 1 has a maximum of at least 1.",
    assumptions="f >= 0, sum f > 0",
    kind="inequality",
    instances=_maps,
    margin=_max_margin,
    proof=_max_proof,
    origin="amended",
    code="theory.attention.rescale",
    test="tests/rectangle/test_module.py::test_rescaled_map_leaves_the_unit_interval",
)

EQ_7_MAP = Claim(
    id="eq-7-map",
    title="The rescaled map is an attention map",
    source="Eq. 7, section 3",
    statement=r"\tilde f(x)\in[0,1]^{H\times W}",
    words="Section 3 defines attention maps as valued in [0, 1], and later sections use f~ in the "
          "place of f.  Masks must be read off f, never off f~.",
    assumptions="f >= 0, sum f > 0",
    kind="inequality",
    instances=_maps,
    margin=lambda i: 1 - max(rescale(exact_map(i["f"])).ravel()),
    exhaustive=lambda: [{"f": [Fraction(1), Fraction(0)]}],
    exhaustive_range="one half-covered map",
    amendment=EQ_7_MAP_AMENDED,
    origin="paper",
    code="theory.attention.rescale",
    test="tests/rectangle/test_module.py::test_rescaled_map_leaves_the_unit_interval",
)


# --- Eq. 7: where it is defined ------------------------------------------------------------------


def _small_rectangles(smallest: float) -> Any:
    from hypothesis import strategies as st

    place = st.floats(0.0, 1.0, allow_subnormal=False)
    half = st.floats(smallest, 0.5)
    return st.fixed_dictionaries({
        "center": st.tuples(place, place), "half_widths": st.tuples(half, half),
        "angle": st.floats(-3.2, 3.2, allow_subnormal=False)})


def _on_seven_cells(i: dict[str, Any]) -> tuple[Rectangle, np.ndarray]:
    single = np.float32
    r = Rectangle(np.array(i["center"], single), np.array(i["half_widths"], single),
                  np.asarray(i["angle"], single))
    return r, grid(7, 7, like=r.center)


def _rescale_margin(i: dict[str, Any]) -> float:
    r, points = _on_seven_cells(i)
    return float(rescale(soft_rectangle(r, points, 6.0)).mean(dtype=np.float64)) - 1


def _rescale_log_margin(i: dict[str, Any]) -> float:
    r, points = _on_seven_cells(i)
    return float(rescale_log(log_soft_rectangle(r, points, 6.0)).mean(dtype=np.float64)) - 1


def _log_proof() -> Proof:
    import sympy as sp

    f, total, shift, n = sp.symbols("f S m n", positive=True)
    scaled = n * sp.exp(sp.log(f) - shift) / (total * sp.exp(-shift))
    return symbolic("n exp(log f_i - m) / sum_j exp(log f_j - m) = n f_i / S for every shift m; "
                    "with m = max log f the sum is at least 1.", scaled - n * f / total)


EQ_7_DEFINED_AMENDED = Claim(
    id="eq-7-defined-amended",
    title="The rescaled map from logarithms",
    source="Eq. 7 (amended)",
    statement=r"\tilde f=HW\cdot\mathrm{softmax}(\log f)",
    words="The same map wherever Eq. 7 is defined, and defined (with mean 1) for every rectangle, "
          "also where f underflows.",
    assumptions="half-widths from 0.001, 7 x 7 cells, s = 6, float32 (mean within 1e-5)",
    kind="equality",
    instances=lambda: _small_rectangles(0.001),
    margin=_rescale_log_margin,
    tolerance=1e-5,
    proof=_log_proof,
    origin="amended",
    code="theory.attention.rescale_log",
    test="tests/rectangle/test_module.py::test_log_form_survives_underflow",
)

EQ_7_DEFINED = Claim(
    id="eq-7-defined",
    title="Eq. 7 rescales every predicted map",
    source="Eq. 7",
    statement=r"\sum_{ij}f(x)_{ij}>0\ \text{in float32, for every predicted rectangle}",
    words="0/0 for f = 0, which section 3 allows.  The soft rectangle is positive in exact "
          "arithmetic, but its sum underflows for a small rectangle between the cells.",
    assumptions="half-widths from 0.001, 7 x 7 cells, s = 6, float32 (the type of training)",
    kind="equality",
    instances=lambda: _small_rectangles(0.1),
    margin=_rescale_margin,
    tolerance=1e-5,
    domain=lambda: _small_rectangles(0.001),
    amendment=EQ_7_DEFINED_AMENDED,
    origin="paper",
    code="theory.attention.rescale",
    test="tests/rectangle/test_module.py::test_log_form_survives_underflow",
)


# --- Eq. 7: which distribution is stable ---------------------------------------------------------


def _fractions() -> Any:
    from hypothesis import strategies as st

    return st.integers(1, 64).flatmap(lambda n: st.fixed_dictionaries(
        {"cells": st.just(n), "covered": st.integers(1, n)}))


def _binary(i: dict[str, int]) -> np.ndarray:
    ones = [Fraction(int(k < i["covered"])) for k in range(i["cells"])]
    return rescale(exact_map(ones)).ravel()


def _moment(i: dict[str, int], order: int) -> Fraction:
    return sum(v**order for v in _binary(i)) / Fraction(i["cells"])


def _moments_margin(i: dict[str, int]) -> Fraction:
    q = Fraction(i["covered"], i["cells"])
    return max(abs(_moment(i, 1) - 1), abs(_moment(i, 2) - 1 / q))


def _moments_proof() -> Proof:
    import sympy as sp

    n, k = sp.symbols("n k", positive=True)
    value = n / k  # f~ on the k covered cells
    return symbolic("A binary map with k of n cells has f~ = n/k on its support: mean 1, mean of "
                    "squares n/k = 1/q.", k * value / n - 1, k * value**2 / n - n / k)


EQ_7_DISTRIBUTION_AMENDED = Claim(
    id="eq-7-distribution-amended",
    title="Rescaling keeps the mean, not the second moment",
    source="Eq. 7 (amended)",
    statement=r"\overline{\tilde f}=1,\qquad \overline{\tilde f^2}=\frac1q",
    words="q is the share of the grid that a binary map covers.",
    assumptions="binary map, q > 0",
    kind="equality",
    instances=_fractions,
    margin=_moments_margin,
    proof=_moments_proof,
    origin="amended",
    code="theory.attention.rescale",
    test="tests/rectangle/test_module.py::test_second_moment_of_a_rescaled_binary_map",
)

EQ_7_DISTRIBUTION = Claim(
    id="eq-7-distribution",
    title="Rescaling keeps the distribution stable when the rectangle's size varies",
    source="section 4.2, after Eq. 7",
    statement=r"\overline{\tilde f^2}\ \text{does not depend on the size of the support}",
    words="'In some sense ... a stable distribution' read as: the scale of the output, its second "
          "moment, is stable; that of a full map is 1.  A map covering a share q has second moment "
          "1/q, so that the output's energy grows as the rectangle shrinks.  In another sense, the "
          "mean, it is stable (eq-7-mean).",
    assumptions="binary map, q > 0",
    kind="equality",
    instances=_fractions,
    margin=lambda i: _moment(i, 2) - 1,
    exhaustive=lambda: ({"cells": n, "covered": k} for n in range(1, 5) for k in range(1, n + 1)),
    exhaustive_range="up to 4 cells",
    amendment=EQ_7_DISTRIBUTION_AMENDED,
    origin="paper",
    code="theory.attention.rescale",
    test="tests/rectangle/test_module.py::test_second_moment_of_a_rescaled_binary_map",
)

CLAIMS: list[Claim] = [EQ_6, EQ_7_MEAN, EQ_7_MAP, EQ_7_MAP_AMENDED, EQ_7_DEFINED,
                       EQ_7_DEFINED_AMENDED, EQ_7_DISTRIBUTION, EQ_7_DISTRIBUTION_AMENDED]
