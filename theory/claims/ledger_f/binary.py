"""Eq. 26, Proposition 3 and Remark 4: binary maps."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from theory.attention import residual
from theory.claims import simulated_f as rows
from theory.claims.ledger_f import instances as pairs
from theory.claims.model import Claim, Proof, Undefined
from theory.injectivity import collides, module, prop3_condition

TEST = "tests/injectivity/test_claims.py"


def _outputs(instance: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    f = pairs.predictor(instance)
    return module(f, instance["x"]), module(f, instance["y"])


# --- Eq. 26 ---------------------------------------------------------------------------------------


def _features(channels: tuple[int, ...]) -> Any:
    from hypothesis import strategies as st

    def build(shape: tuple[int, int, int], flat: tuple[int, ...]) -> dict[str, Any]:
        size = shape[0] * shape[1] * shape[2]
        x = np.array([Fraction(v - 6, 2) for v in flat[:size]], dtype=object).reshape(shape)
        f = np.array([Fraction(v, 12) for v in flat[size:]], dtype=object).reshape(shape[:2])
        return {"x": x, "map_x": f}

    def of(c: int) -> Any:
        shape = (1, 2, c)
        return st.tuples(*[st.integers(0, 12)] * (2 * c + 2)).map(lambda v: build(shape, v))

    return st.one_of([of(c) for c in channels])


def _eq_26_margin(instance: dict[str, Any]) -> Fraction:
    x, f = instance["x"], instance["map_x"]
    got = residual(x, f)
    return max(abs(got[p] - (x[p] + f[p[:2]] * x[p])) + abs(got[p] - (1 + f[p[:2]]) * x[p])
               for p in np.ndindex(x.shape))


def _eq_26_proof() -> Proof:
    import sympy

    from theory.claims.proofs import symbolic

    x, f = sympy.symbols("x f")
    return symbolic("Entry (i,j,k) involves x_ijk and f_ij alone; the identity is the distributive "
                    "law.", x + f * x - (1 + f) * x)


EQ_26 = Claim(
    id="eq-26", title="Every channel of a position is multiplied by 1 + f", source="Eq. 26",
    statement=r"M(x)_{ijk}=x_{ijk}+f(x)_{ij}\,x_{ijk}=(1+f(x)_{ij})\,x_{ijk}",
    words="With the channel index restored, the module scales each position by a number in [1, 2].",
    assumptions="x is (H, W, C), f(x) is (H, W)", kind="equality",
    instances=lambda: _features((1, 2, 3)), margin=_eq_26_margin, proof=_eq_26_proof,
    origin="amended", code="theory.attention.residual", test=TEST)


def _printed_margin(instance: dict[str, Any]) -> Fraction:
    x, f = instance["x"], instance["map_x"]
    if x.shape[2] != 1:
        raise Undefined(f"x_ij is a vector of {x.shape[2]} channels, added to the number "
                        "f_ij x_ijk")
    got = residual(x, f)
    return max(abs(got[i, j, 0] - (x[i, j].item() + f[i, j] * x[i, j, 0]))
               for i, j in np.ndindex(f.shape))


EQ_26_TYPOGRAPHY = Claim(
    id="eq-26-typography", title="The entries of Eq. 26 as printed", source="Eq. 26, second line",
    statement=r"\hat x_{ijk}=x_{ij}+f(x)_{ij}\,x_{ijk}",
    words="The first x has lost its channel index, so for C > 1 a vector stands beside a number.",
    assumptions="x is (H, W, C) with any number of channels", kind="equality",
    margin=_printed_margin, domain=lambda: _features((1, 2, 3)), amendment=EQ_26, origin="paper",
    code="theory.attention.residual", test=TEST)

# --- Proposition 3 --------------------------------------------------------------------------------


def _prop_3_margin(instance: dict[str, Any]) -> Fraction:
    """max |M(x) - M(x')| minus the largest difference of entries with equal attention (> 0)."""
    same = (instance["map_x"] == instance["map_y"])[..., None]
    kept = np.where(same, abs(instance["x"] - instance["y"]), Fraction(0)).max()
    return pairs.gap(*_outputs(instance)) - kept


def _prop_3_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    x, y, f = z3.Reals("x y f")
    return smt(
        "At an entry with x != x' and equal attention f in {0, 1}, the outputs differ by (1 + f)|x "
        "- x'| >= |x - x'| > 0.",
        z3.Implies(z3.And(z3.Or(f == 0, f == 1), x != y),
                   z3.And(x + f * x != y + f * y,
                          z3.If(x > y, (1 + f) * (x - y) >= x - y, (1 + f) * (y - x) >= y - x))))


def _condition(instance: dict[str, Any]) -> bool:
    return prop3_condition(pairs.predictor(instance), instance["x"], instance["y"])


def _exact_margin(instance: dict[str, Any]) -> int:
    """-1 where "M(x) = M(x')" and the exact condition disagree."""
    x, y, f, g = (instance[k] for k in ("x", "y", "map_x", "map_y"))
    by_output = np.array_equal(*_outputs(instance))
    by_power = all(y[p] == Fraction(2) ** (int(f[p[:2]]) - int(g[p[:2]])) * x[p]
                   for p in np.ndindex(x.shape))
    by_code = collides(pairs.predictor(instance), x, y)
    return 0 if by_output == by_power == by_code else -1


def _exact_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    x, y, f, g = z3.Reals("x y f g")
    power = z3.If(f > g, z3.RealVal(2), z3.If(f < g, z3.RealVal(1) / 2, z3.RealVal(1)))
    bits = z3.And(z3.Or(f == 0, f == 1), z3.Or(g == 0, g == 1))
    return smt(
        "Entry by entry, (1 + f) x = (1 + f') x' iff x' = 2^(f - f') x, for f, f' in {0, 1}; M is "
        "injective iff no two distinct inputs meet this at all entries.",
        z3.Implies(bits, ((1 + f) * x == (1 + g) * y) == (y == power * x)))


def _small_pairs() -> Iterator[dict[str, Any]]:
    entries = [Fraction(v) for v in (0, 1, 2)]
    for values in product(entries, repeat=4):
        if values[:2] == values[2:]:
            continue
        x, y = (np.array(v, dtype=object).reshape(1, 2, 1) for v in (values[:2], values[2:]))
        for bits in product((0, 1), repeat=4):
            maps = [np.array(b, dtype=object).reshape(1, 2) for b in (bits[:2], bits[2:])]
            yield {"x": x, "y": y, "map_x": maps[0], "map_y": maps[1]}


PROP_3_EXACT = Claim(
    id="prop-3-exact", title="Exactly when two inputs of a binary predictor collide",
    source="beyond the paper (Prop. 3)",
    statement=r"M(x)=M(x')\iff x'_{ijk}=2^{f(x)_{ij}-f(x')_{ij}}\,x_{ijk}\ \forall i,j,k",
    words="Collisions double, keep or halve whole positions; M is injective iff no two distinct "
          "inputs are related so.",
    assumptions="f has values 0 and 1; x and x' are distinct", kind="equality",
    instances=lambda: pairs.any_pairs(binary=True), margin=_exact_margin,
    exhaustive=_small_pairs,
    exhaustive_range="1x2 positions, one channel, entries in {0, 1, 2}, all binary maps",
    proof=_exact_proof, origin="beyond", code="theory.injectivity.collides", test=TEST)

PROP_3 = Claim(
    id="prop-3", title="Inputs that differ where attention agrees do not collide",
    source="Proposition 3",
    statement=r"\exists i,j,k:\ x_{ijk}\neq x'_{ijk},\ f(x)_{ij}=f(x')_{ij}\Rightarrow "
              r"M(x)\neq M(x')",
    words="If each pair of distinct inputs differs somewhere with equal attention, M is injective.",
    assumptions="f has values 0 and 1; the condition holds at the pair", kind="inequality",
    instances=pairs.condition_pairs, margin=_prop_3_margin, assumes=_condition,
    proof=_prop_3_proof, simulated=rows.proposition_3, origin="paper",
    code="theory.injectivity.prop3_condition", test=TEST)

PROP_3_NECESSARY = Claim(
    id="prop-3-necessary", title="The condition of Proposition 3 is necessary",
    source="Proposition 3, its converse",
    statement=r"M(x)\neq M(x')\Rightarrow\exists i,j,k:\ x_{ijk}\neq x'_{ijk},\ "
              r"f(x)_{ij}=f(x')_{ij}",
    words="Without the condition two inputs would collide.  They need not: it is sufficient only.",
    assumptions="f has values 0 and 1; the condition fails at the pair", kind="inequality",
    instances=pairs.violating_pairs, margin=lambda i: -pairs.gap(*_outputs(i)),
    assumes=lambda i: not _condition(i), exhaustive=_small_pairs,
    exhaustive_range="1x2 positions, one channel, entries in {0, 1, 2}, condition not met",
    amendment=PROP_3_EXACT, origin="beyond", code="theory.injectivity.prop3_condition", test=TEST)


def _remark_4_margin(instance: dict[str, Any]) -> int:
    """Minus the number of entries with x != x' and equal attention, at a collision."""
    same = (instance["map_x"] == instance["map_y"])[..., None]
    return -int(np.sum((instance["x"] != instance["y"]) & same))


def _remark_4_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    x, y, f, g = z3.Reals("x y f g")
    bits = z3.And(z3.Or(f == 0, f == 1), z3.Or(g == 0, g == 1))
    return smt("Contrapositive of Proposition 3, entry by entry.",
               z3.Implies(z3.And(bits, x + f * x == y + g * y, x != y), f != g))


REMARK_4 = Claim(
    id="remark-4", title="At a collision attention differs wherever the inputs do",
    source="Remark 4",
    statement=r"M(x)=M(x')\Rightarrow\forall i,j,k:\ (x_{ijk}\neq x'_{ijk}\Rightarrow "
              r"f(x)_{ij}\neq f(x')_{ij})",
    words="A necessary condition for two inputs to have one output.",
    assumptions="f has values 0 and 1; x and x' are distinct and collide", kind="equality",
    instances=lambda: pairs.colliding_pairs(binary=True), margin=_remark_4_margin,
    assumes=lambda i: pairs.gap(*_outputs(i)) == 0, proof=_remark_4_proof, origin="paper",
    code="theory.injectivity.prop3_condition", test=TEST)

CLAIMS = [EQ_26_TYPOGRAPHY, EQ_26, PROP_3, PROP_3_EXACT, PROP_3_NECESSARY, REMARK_4]
