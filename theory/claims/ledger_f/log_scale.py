"""Conditions for both modules: the form of collisions, the logarithmic scale, scale blindness."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from theory.claims import simulated_f as rows
from theory.claims.ledger_f import instances as pairs
from theory.claims.model import Claim, Proof
from theory.injectivity import log_scale_limit, log_scale_margin, module

TEST = "tests/injectivity/test_claims.py"

# --- the form of a collision ----------------------------------------------------------------------


def _form_margin(instance: dict[str, Any]) -> int:
    """-1 where "M(x) = M(x')" and "x' = (1 + f(x))/(1 + f(x')) x" disagree, or a ratio leaves."""
    f, x, y = pairs.predictor(instance), instance["x"], instance["y"]
    equal = np.array_equal(module(f, x), module(f, y))
    multiple = np.array_equal(y, pairs.colliding(x, instance["map_x"], instance["map_y"]))
    ratios = [b / a for a, b in zip(x.ravel(), y.ravel(), strict=True) if a != 0]
    inside = all(Fraction(1, 2) <= r <= 2 for r in ratios)
    return 0 if equal == multiple and (inside or not equal) else -1


def _form_lemmas() -> list[Any]:
    import z3

    x, y, f, g, n = z3.Reals("x y f g n")
    given = z3.And(0 <= f, f <= n, 0 <= g, g <= n, n > 0)
    equal = (1 + f) * x == (1 + g) * y
    return [z3.Implies(given, equal == (y == (1 + f) / (1 + g) * x)),
            z3.Implies(given, z3.And((1 + f) / (1 + g) <= 1 + n, (1 + f) / (1 + g) * (1 + n) >= 1))]


def _form_proof() -> Proof:
    from theory.claims.proofs import smt

    return smt("Entry by entry (1 + f)x = (1 + f')x' iff x' = (1 + f)/(1 + f') x, one positive "
               "ratio for all channels of a position, in [1/(1+n), 1+n] for maps in [0, n]: n = 1, "
               "or n = HW for the rescaled map.", *_form_lemmas())


COLLISION_FORM = Claim(
    id="collision-form", title="Colliding inputs are positive multiples at every position",
    source="beyond the paper (App. F)",
    statement=r"M(x)=M(x')\iff x'_{ij}=\frac{1+f(x)_{ij}}{1+f(x')_{ij}}\,x_{ij},\quad"
              r"\frac12\le\frac{1+f(x)_{ij}}{1+f(x')_{ij}}\le 2",
    words="Only the scale of a position can be lost by the module, and at most by a factor 2.",
    assumptions="f has values in [0, 1]", kind="equality",
    instances=lambda: pairs.any_pairs(binary=False), margin=_form_margin, proof=_form_proof,
    origin="beyond", figure="injectivity", code="theory.injectivity", test=TEST)

# --- the condition on the logarithmic scale -------------------------------------------------------


def _scalings() -> Any:
    from hypothesis import strategies as st

    shapes = ((1, 1, 1), (1, 2, 1), (2, 2, 1), (1, 3, 2))

    def of(shape: tuple[int, int, int]) -> Any:
        cells, size = shape[0] * shape[1], shape[0] * shape[1] * shape[2]
        one = st.floats(0.0, 1.0, allow_subnormal=False)
        step = st.floats(-2.0, 2.0, allow_subnormal=False)
        return st.tuples(
            st.tuples(*[st.integers(-4, 4)] * size), st.tuples(*[step] * cells),
            st.tuples(*[one] * cells), st.tuples(*[one] * cells), st.integers(0, 3),
        ).map(lambda v: _scaling(shape, *v))

    return st.one_of([of(shape) for shape in shapes])


def _scaling(shape: tuple[int, int, int], x: Any, t: Any, f: Any, g: Any, roll: int) -> Any:
    grid = shape[:2]
    x = np.array(x, dtype=np.float64).reshape(shape) / 2
    t, f, g = (np.array(v).reshape(grid) for v in (t, f, g))
    f, g = np.maximum(f, 1e-3), np.maximum(g, 1e-3)
    if roll == 0:  # a collision of the plain module
        t = np.log1p(f) - np.log1p(g)
    return {"x": x, "t": np.where(np.any(x != 0, axis=-1), t, 0.0), "map_x": f, "map_tx": g}


def _scaling_predictor(instance: dict[str, Any]) -> Any:
    def f(x: Any) -> Any:
        return instance["map_x"] if np.array_equal(x, instance["x"]) else instance["map_tx"]

    return f


def _log_scale_gap(instance: dict[str, Any], *, rescaled: bool) -> float:
    """Largest |log(M(e^t x) / M(x))| over non-zero entries, minus the condition's margin."""
    f, x = _scaling_predictor(instance), instance["x"]
    y = np.exp(instance["t"])[..., None] * x
    live = x != 0
    if not live.any():
        return 0.0
    left, right = (module(f, v, rescaled=rescaled)[live] for v in (x, y))
    moved = float(np.abs(np.log(right / left)).max())
    return moved - log_scale_margin(f, x, instance["t"], rescaled=rescaled)


def _within_limit(instance: dict[str, Any], *, rescaled: bool) -> float:
    """How far the margin exceeds |t| - limit: beyond the limit the condition holds by itself."""
    t = instance["t"]
    limit = log_scale_limit(*t.shape, rescaled=rescaled)
    margin = log_scale_margin(_scaling_predictor(instance), instance["x"], t, rescaled=rescaled)
    return margin - (float(np.abs(t).max()) - limit)


def _log_scale_margin(instance: dict[str, Any], *, rescaled: bool = False) -> float:
    gaps = [_log_scale_gap(instance, rescaled=rescaled)]
    if np.any(instance["x"] != 0):
        gaps.append(_within_limit(instance, rescaled=rescaled))
    return min(gaps)


def _log_scale_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    t, step, size, most, a, b, n = z3.Reals("t step size most a b n")
    absolute = {v: z3.If(v >= 0, v, -v) for v in (t, step)}
    both = t + step
    moved = z3.If(both >= 0, both, -both)
    return smt(
        "Colliding inputs are x' = e^t x with t = L(x) - L(x') (lemmas 1, 2).  At the position with "
        "|t| largest the logarithm of the output moves by |t + L(x') - L(x)| >= |t|_inf - |L(x') - "
        "L(x)|_inf, which is positive under the condition: no collision.  L lies in [0, log(1+n)], "
        "so |L(x') - L(x)| <= log(1+n) and beyond this limit of |t| the condition is met by itself; "
        "n = 1, or HW for the rescaled map, whose values sum to HW.",
        *_form_lemmas(),
        z3.Implies(z3.And(absolute[t] == size, absolute[step] <= most), moved >= size - most),
        z3.Implies(z3.And(0 <= a, a <= n, 0 <= b, b <= n), z3.And(a - b <= n, b - a <= n)))


LOG_SCALE = Claim(
    id="log-scale", title="A condition on the logarithmic scale that makes M injective",
    source="beyond the paper (App. F)",
    statement=r"\|L(e^t\odot x)-L(x)\|_\infty<\|t\|_\infty\ (0<\|t\|_\infty\le\log 2)\Rightarrow "
              r"M\text{ injective},\quad L=\log(1+f)",
    words="If scaling positions by e^t moves log(1 + f) by less than t, the outputs differ: their "
          "logarithms move by at least the difference.",
    assumptions="f in [0, 1]; suprema over positions where x is not zero; both points in the domain",
    kind="inequality", instances=_scalings, margin=_log_scale_margin, proof=_log_scale_proof,
    simulated=rows.log_scale, origin="beyond", code="theory.injectivity.log_scale_margin", test=TEST)

LOG_SCALE_RESCALED = Claim(
    id="log-scale-rescaled", title="The logarithmic condition for the rescaled map",
    source="beyond the paper (App. F, Eq. 7)",
    statement=r"\|L(e^t\odot x)-L(x)\|_\infty<\|t\|_\infty\ (0<\|t\|_\infty\le\log(1+HW))"
              r"\Rightarrow M\text{ injective},\quad L=\log(1+\tilde f)",
    words="The same with f~ in [0, HW]; unlike Proposition 4's, this condition can be met.",
    assumptions="f >= 0, not 0 everywhere; suprema over positions where x is not zero",
    kind="inequality", instances=_scalings,
    margin=lambda i: _log_scale_margin(i, rescaled=True), proof=_log_scale_proof,
    simulated=rows.log_scale_rescaled, origin="amended",
    code="theory.injectivity.log_scale_margin", test=TEST)

# --- scale blindness ------------------------------------------------------------------------------


def _blind_pairs() -> Any:
    def build(shape: tuple[int, int, int], flat: tuple[int, ...]) -> dict[str, Any]:
        cells, size = shape[0] * shape[1], math.prod(shape)
        x, y = (np.array([Fraction(v - 6, 2) for v in part], dtype=object).reshape(shape)
                for part in (flat[:size], flat[size:2 * size]))
        factors = [Fraction(1 + v, 7) for v in flat[2 * size:2 * size + cells]]
        table = [Fraction(v, 12) for v in flat[2 * size + cells:-1]]
        made = {"x": x, "y": y, "table": table}
        if flat[-1] % 2:
            made["y"] = x * np.array(factors, dtype=object).reshape(shape[:2])[..., None]
        elif flat[-1] % 3:
            f = blind_predictor(table)
            made["y"] = pairs.colliding(x, f(x), f(y))
        return made

    return pairs.of_shapes(lambda h, w, c: 2 * h * w * c + h * w + 6, build, 0, 12)


def blind_predictor(table: list[Fraction]) -> Any:
    """A predictor that depends on the signs of x alone, hence not on the scale of its positions."""
    def f(x: Any) -> Any:
        positive = int(np.sum(x > 0))
        height, width = x.shape[:2]
        return np.array([[table[(positive + i * width + j) % len(table)] for j in range(width)]
                         for i in range(height)], dtype=object)

    return f


def _blind_margin(instance: dict[str, Any]) -> Fraction:
    """|M(x) - M(y)|, less |x - y| where the maps agree; -1 for a collision."""
    f, x, y = blind_predictor(instance["table"]), instance["x"], instance["y"]
    apart, distance = pairs.gap(module(f, x), module(f, y)), pairs.gap(x, y)
    if distance > 0 and apart == 0:
        return Fraction(-1)
    return apart - distance if np.array_equal(f(x), f(y)) else apart


def _blind_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    x, y, f = z3.Reals("x y f")
    return smt(
        "Colliding inputs are positive multiples at every position (lemmas 1, 2), so a predictor "
        "that ignores such scales gives both one map f; then (1 + f)x = (1 + f)x' entry by entry "
        "gives x = x'.", *_form_lemmas(),
        z3.Implies(z3.And(f >= 0, (1 + f) * x == (1 + f) * y), x == y))


SCALE_BLIND = Claim(
    id="scale-blind", title="A predictor that ignores the scale of positions makes M injective",
    source="beyond the paper (App. F)",
    statement=r"f(s\odot x)=f(x)\ \forall s>0\Rightarrow M\text{ injective}",
    words="If the map does not depend on how long the feature vector of each position is, no two "
          "inputs collide; the same holds for the rescaled map.",
    assumptions="f in [0, 1] (or non-negative), unchanged under positive scaling of positions",
    kind="inequality", instances=_blind_pairs, margin=_blind_margin, proof=_blind_proof,
    simulated=rows.scale_blind, origin="beyond",
    figure="injectivity",
    code="theory.injectivity.find_collision", test=TEST)

CLAIMS = [COLLISION_FORM, LOG_SCALE, LOG_SCALE_RESCALED, SCALE_BLIND]
