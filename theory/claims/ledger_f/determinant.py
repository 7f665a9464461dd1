r"""A determinant that is negative somewhere makes the module collide  [beyond App. F].

Instances: x > 0 of shape (1, n, C) and :math:`f=1/(1+v^k)`, with v = <w, x> of all entries (``common``,
one number for all positions) or of each position's own (``pixelwise``).  With :math:`z=v^k` a common
scaling moves log(1 + f) by the rate :math:`-kz/((1+z)(2+z))`; I + J has the determinant 1 plus it, or
the product of such numbers, one a position.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from theory.claims import simulated_f as rows
from theory.claims.model import Claim, Proof

TEST = "tests/injectivity/test_determinant.py"
SOURCE = "beyond the paper (App. F)"
HALVINGS = 200  # steps 2^-j off the input that are tried


def levels(instance: dict[str, Any]) -> np.ndarray:
    """``v`` at every position, ``(H, W)``; the same number everywhere for ``common``."""
    product = instance["weights"] * instance["x"]
    height, width = product.shape[:2]
    own = product.sum(axis=-1)
    return own if instance["kind"] == "pixelwise" else np.full((height, width), own.sum())


def predictor(instance: dict[str, Any]) -> Any:
    """The map of an instance, as a function of inputs ``(H, W, C)``."""
    def f(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + levels({**instance, "x": x}) ** instance["power"])

    return f


def factors(instance: dict[str, Any]) -> np.ndarray:
    """What det(I + J) is the product of: one number for ``common``, else one a position."""
    power = instance["power"]
    z = levels(instance).ravel() ** power
    one = 1 - power * z / ((1 + z) * (2 + z))
    return one if instance["kind"] == "pixelwise" else one[:1]


def determinant(instance: dict[str, Any]) -> Fraction:
    """det(I + J) at the input, exact."""
    return math.prod(factors(instance), start=Fraction(1))


def collision_interval(instance: dict[str, Any]) -> tuple[Fraction, Fraction] | None:
    """An interval (s, 2] of scales, s > 1, that holds one where the scaled input collides with x.

    All positions (``common``) or the one with the least factor are scaled; the output there, divided
    by its first value, is continuous in the scale, below 1 at s and at least 1 at 2.
    """
    f, x = predictor(instance), instance["x"]
    place = ... if instance["kind"] == "common" else np.unravel_index(
        int(np.argmin(factors(instance))), x.shape[:2])

    def rise(scale: Fraction) -> Fraction:
        other = x.copy()
        other[place] = scale * other[place]
        spot = (0, 0) if place is ... else place
        return scale * (1 + f(other)[spot]) - (1 + f(x)[spot])

    for j in range(1, HALVINGS):
        scale = 1 + Fraction(1, 2**j)
        if rise(scale) < 0 <= rise(Fraction(2)):
            return scale, Fraction(2)
    return None


def _margin(instance: dict[str, Any]) -> Fraction:
    """How far apart, at least, the scales of the two colliding inputs are; -1 if none was found."""
    found = collision_interval(instance)
    return Fraction(-1) if found is None else found[0] - 1


def _instances(kinds: tuple[str, ...]) -> Any:
    from hypothesis import strategies as st

    def of(kind: str, positions: int, channels: int) -> Any:
        size = positions * channels

        def build(flat: tuple[int, ...]) -> dict[str, Any]:
            shape = (1, positions, channels)
            x, w = (np.array([Fraction(v) for v in part], dtype=object).reshape(shape)
                    for part in (flat[:size], flat[size:2 * size]))
            axes = None if kind == "common" else -1
            # weights that make v near 1, where the map is steep
            w = w * Fraction(flat[-2], 60) / (w * x).sum(axis=axes, keepdims=True)
            return {"kind": kind, "x": x, "weights": w, "power": flat[-1]}

        return st.tuples(*[st.integers(1, 9)] * (2 * size), st.integers(40, 80),
                         st.integers(6, 24)).map(build)

    shapes = ((1, 1), (1, 2), (2, 1), (2, 2), (3, 1))
    return st.one_of([of(kind, *shape) for kind in kinds for shape in shapes])


def _common_proof() -> Proof:
    import sympy
    import z3

    from theory.claims.proofs import smt, symbolic

    rates, f = sympy.symbols("v1:4"), sympy.Function("f")
    s = sympy.symbols("s", positive=True)
    matrix = sympy.eye(3) + sympy.Matrix([rates] * 3)
    slope = sympy.diff(s * (1 + f(s)), s) - (1 + f(s)) * (1 + s * sympy.diff(sympy.log(1 + f(s)), s))
    identities = symbolic("", matrix.det() - 1 - sum(rates), slope)
    if not identities.result:
        return identities
    here, there = z3.Reals("f g")
    return smt(
        "With one map value f(x) for all positions every row of J is the same, so det(I + J) = 1 + the "
        "rate of log(1 + f) along s x at s = 1, and d/ds s(1 + f(sx)) = (1 + f(x)) det(I + J) there (2 "
        "identities by SymPy, n = 3).  If it is negative, s(1 + f(sx)) is below 1 + f(x) for some s "
        "> 1; at s = 2 it is at least 1 + f(x) (lemma).  By the intermediate value theorem it equals "
        "1 + "
        "f(x) at some s > 1, and M(sx) = s(1 + f(sx))x = M(x).",
        z3.Implies(z3.And(0 <= here, here <= 1, 0 <= there, there <= 1), 2 * (1 + there) >= 1 + here))


COMMON = Claim(
    id="app-F-determinant-common", title="One map value for all positions: det(I + J) < 0 gives a "
                                         "collision", source=SOURCE,
    statement=r"f_{ij}=f,\ 1+\sum_{k}\partial_{t_k}\log(1+f(e^t\odot x))_{t=0}<0"
              r"\Rightarrow\exists s\in(1,2]:\ M(sx)=M(x)",
    words="If scaling the input up lowers the map fast enough, a larger input has the same output.  "
          "The collision is between the input and at most twice it.",
    assumptions="f in [0, 1] is differentiable, one number for all positions, and defined along s x; "
                "det < 0 at x",
    kind="inequality", instances=lambda: _instances(("common",)), margin=_margin,
    assumes=lambda i: determinant(i) < 0, proof=_common_proof, origin="beyond",
    code="theory.injectivity", test=TEST)

DETERMINANT = Claim(
    id="app-F-determinant", title="det(I + J) < 0 at one input makes M collide", source=SOURCE,
    statement=r"\exists x:\ \mathrm{det}(I+J(x))<0\Rightarrow M\text{ is not injective},\quad "
              r"J=\partial_t\log(1+f(e^t\odot x))_{t=0}",
    words="t + log(1 + f(e^t x)) is a bounded change of the identity, of degree 1; a single preimage "
          "of negative sign would make it -1.  The degree argument is not machine-checked; the "
          "instances "
          "have collisions that are certain by a change of sign in exact arithmetic.",
    assumptions="f in [0, 1] is smooth on a domain closed under positive scaling of positions; x has "
                "no zero position; det < 0 at x; in the instances f is one number, or depends on its "
                "own "
                "position",
    kind="inequality", instances=lambda: _instances(("common", "pixelwise")), margin=_margin,
    assumes=lambda i: determinant(i) < 0, simulated=rows.determinant, origin="beyond",
    figure="injectivity", code="theory.injectivity", test=TEST)

CLAIMS = [DETERMINANT, COMMON]
