"""Section 5.1, beyond the paper: what five outputs buy against one a cell, by contraction."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from theory.bounds import contraction as C
from theory.bounds import lipschitz as L
from theory.claims.ledger_5_1_bounds import separable_proof
from theory.claims.model import Claim, Proof
from theory.claims.proofs import smt, symbolic
from theory.rates import missing_rate
from theory.rectangle import Rectangle, attention_map, grid, hard_mask, logit_soft_rectangle

LIPSCHITZ, CONTRACTION = "tests/bounds/test_lipschitz.py", "tests/bounds/test_contraction.py"
SOURCE = "section 5.1, norm-bounded heads"
S, LEAST = 6.0, 0.05
constants = lru_cache(maxsize=64)(L.rectangle_constants)


def _boxes() -> Any:
    from hypothesis import strategies as st

    side = st.one_of(st.floats(0, 1.5, allow_subnormal=False), st.integers(0, 8).map(lambda k: k / 7))
    place = st.integers(0, 28).map(lambda k: k / 28)
    return st.fixed_dictionaries({
        "grid": st.sampled_from([(8, 8), (3, 3), (4, 8), (8, 2)]), "sides": st.tuples(side, side),
        "center": st.tuples(place, place),
        "angle": st.one_of(st.floats(0, math.pi), st.sampled_from([0, math.pi / 4, math.atan2(1, 2)]))})


def _count_margin(i: dict[str, Any]) -> float:
    half = np.maximum(np.array(i["sides"]) / 2, 1e-12)
    mask = hard_mask(Rectangle(np.array(i["center"]), half, i["angle"]), *i["grid"])
    return float(L.lattice_count(*(2 * half), *i["grid"]) - int((mask == 1).sum()))


def _count_proof() -> Proof:
    import z3

    count, area, hull, edge, around, first, second = z3.Reals("N A H b P a c")
    return smt("In units of the pitch: the hull of the lattice points in the box is a lattice polygon "
               "with N = H + b/2 + 1 points (Pick); its area H is at most the box's, and b, neighbours "
               "being 1 apart, at most its perimeter, which is at most the box's (convex in convex). "
               "Points on one line: N <= length + 1.",
               z3.Implies(z3.And(count == hull + edge / 2 + 1, hull <= area, edge <= around,
                                 around == 2 * (first + second), area == first * second),
                          count <= first * second + first + second + 1))


lattice = Claim(
    id="lattice-count", origin="beyond", source=SOURCE, kind="inequality", tolerance=1e-6,
    title="A turned box of sides l1, l2 holds at most (l1/h + 1)(l2/h + 1) cell centres",
    statement=r"|R\cap h\mathbf Z^2|\le(l_1/h+1)(l_2/h+1)",
    words="No more than the upright box can hold. So the sum over the cells of a product A(X)B(Y) with "
          "one hump each is at most (integral/h + maximum) of A times that of B.",
    assumptions="pitch h (off square grids the smaller pitch stands in the linear terms)",
    instances=_boxes, margin=_count_margin, proof=_count_proof,
    code="theory.bounds.lipschitz.lattice_count", test=LIPSCHITZ)


def _pairs() -> Any:
    """Two rectangles, the second anywhere or near the first."""
    from hypothesis import strategies as st

    from theory.strategies import rectangle_parameters

    return st.fixed_dictionaries({
        "first": rectangle_parameters(LEAST, 1.5), "second": rectangle_parameters(LEAST, 1.5),
        "step": st.sampled_from([1.0, 0.1, 1e-3]), "grid": st.sampled_from([(16, 16), (8, 8), (6, 16)]),
        "margin": st.sampled_from([0.5, 2.0, 5.0])})


def _both(i: dict[str, Any]) -> Rectangle:
    step = i["step"] * (i["second"] - i["first"])
    return Rectangle.from_array(np.stack([i["first"], i["first"] + step]))


def _spare(i: dict[str, Any], change: float, margin: float | None = None) -> float:
    """What the constants allow beyond the change, per unit of the way."""
    d = np.diff(_both(i).to_array(), axis=0)[0]
    c, size = constants(*i["grid"], S, LEAST, math.inf, margin), float(np.linalg.norm(d))
    parts = c.center * math.hypot(*d[:2]) + c.half_width * math.hypot(*d[2:4]) + c.angle * abs(d[4])
    return min(parts, c.euclidean * size) / size - change / size if size > 1e-9 else 1.0


def _change_margin(i: dict[str, Any]) -> float:
    maps = attention_map(_both(i), *i["grid"], S)
    rates = missing_rate(2 * maps - 1, np.where(maps[0] > maps[1], 1, -1))  # the worst target
    return _spare(i, float(rates[1] - rates[0]))


def _change_proof() -> Proof:
    import sympy as sp

    d1, d2, a, x, s = sp.symbols("d1 d2 a x s", positive=True)
    first, second = sp.cos(a) * d1 + sp.sin(a) * d2, sp.cos(a) * d2 - sp.sin(a) * d1
    window = 1 / (1 + sp.exp(-s * (1 - x**2)))
    return symbolic("The derivatives are sums of products A(X)B(Y) (the angle moves X by Y and "
                    "Y by -X: identities 1, 2); each factor has one hump on either side (log w is "
                    "concave; |w'| rises up to one point beyond 1, then falls), of the integrals in "
                    "soft_profile (the moment's: identity 3). lattice-count, added over the level "
                    "sets, bounds their sums over the cells; integrate along the segment from p to q, "
                    "which stays in the range. |Phi - Phi'| <= mean |f - f'| since |a| <= 1.",
                    sp.diff(first, a) - second, sp.diff(second, a) + first,
                    sp.diff(sp.log(1 + sp.exp(s * (1 - x**2))) / (2 * s), x) + x * window)


change = Claim(
    id="rectangle-change", origin="beyond", source=SOURCE, kind="inequality",
    title="The soft missing rate is Lipschitz in the five outputs, at a perimeter's rate",
    statement=r"|\Phi(2f_p-1,a)-\Phi(2f_q-1,a)|\le\tfrac1n\sum_t|f_p(t)-f_q(t)|\le L_\mu|\mu-\mu'|"
              r"+L_\sigma|\sigma-\sigma'|+L_\alpha|\alpha-\alpha'|",
    words="The constants do not grow with the number of cells: (10.2, 10.3, 9.7) at 16 x 16, s = 6, "
          "half-widths >= 0.05, and (4.0, 4.0, 4.0) at 1000 x 1000. The hard rate is a step function.",
    assumptions="centres in [0, 1]^2, half-widths >= 0.05, s = 6", instances=_pairs,
    margin=_change_margin, proof=_change_proof,
    code="theory.bounds.lipschitz.rectangle_constants", test=LIPSCHITZ)


def _ramp_margin(i: dict[str, Any]) -> float:
    z = logit_soft_rectangle(_both(i), grid(*i["grid"]), S)
    target = np.where(z[0] < z[1], 1, -1)  # all cells push one way
    rates = C.ramp_missing_rate(z, target, i["margin"])
    above = float((rates - missing_rate(np.where(z >= 0, 1, -1), target)).min())
    return min(above, _spare(i, float(abs(rates[0] - rates[1])), i["margin"]))


def _ramp_proof() -> Proof:
    import z3

    z, a, width, w, v, low = z3.Reals("z a gamma w v low")
    ramp = 1 - a * z / width
    ramp = z3.If(ramp <= 0, 0, z3.If(ramp >= 1, 1, ramp))
    windows = z3.And(w > 0, w < 1, v > 0, v < 1)
    return smt("Cell by cell: where the mask misses, a z <= 0 and the ramp is 1; elsewhere it is not "
               "negative (lemma 1). Where |z| < gamma both windows are above L(-gamma) (lemma 2); in "
               "the derivative of z by x, 2 s |x| (1 - w)/(1 - f), 1 - w <= 1 - f (lemma 3) and 1 - f "
               ">= L(-gamma): a bound with one hump on either side, as in rectangle-change.",
               z3.Implies(z3.And(width > 0, z3.Or(a == 1, a == -1)),
                          ramp >= z3.If((z >= 0) == (a == 1), 0, 1)),
               z3.Implies(z3.And(windows, w * v >= low), z3.And(w >= low, v >= low)),
               z3.Implies(windows, 1 - w <= 1 - w * v))


ramp = Claim(
    id="ramp-change", origin="beyond", source=SOURCE, kind="inequality",
    title="The ramp of the logit lies above the hard missing rate and is Lipschitz in the outputs",
    statement=r"\Phi(b_p,a)\le r(p,a)=\tfrac1n\sum_t\min(1,\max(0,1-a_tz_t/m)),\quad"
              r"|r(p,a)-r(q,a)|\le L_\mu|\mu-\mu'|+L_\sigma|\sigma-\sigma'|+L_\alpha|\alpha-\alpha'|",
    words="A margin loss, for the mask {f >= 1/2}. An edge has an integral of order 1 also for wide "
          "margins; its height on the grid grows like 1/margin.",
    assumptions="margin m > 0; centres in [0, 1]^2, half-widths >= 0.05, s = 6", instances=_pairs,
    margin=_ramp_margin, proof=_ramp_proof, code="theory.bounds.lipschitz.margin_profile",
    test=LIPSCHITZ)

# --- contraction -----------------------------------------------------------------------------------


def _finite_class() -> Any:
    from hypothesis import strategies as st

    value = st.integers(-10, 10).map(lambda v: v / 10)

    def of(shape: tuple[int, int]) -> Any:
        point = st.lists(value, min_size=math.prod(shape), max_size=math.prod(shape)).map(
            lambda v: np.array(v).reshape(shape))
        return st.fixed_dictionaries({
            "class": st.lists(point, min_size=2, max_size=6), "anchors": point,
            "lift": st.lists(value, min_size=6, max_size=6)})

    return st.sampled_from([(1, 2), (2, 2), (3, 2), (2, 3), (3, 3), (4, 2)]).flatmap(of)


def _vector_margin(i: dict[str, Any]) -> float:
    """sqrt(2) E sup sum e_ik f_k - E sup sum e_i |f - anchor_i|."""
    values = np.array(i["class"])
    losses = np.linalg.norm(values - i["anchors"], axis=-1)
    n, k = values.shape[1:]
    right = (C.signs_of(n * k) @ values.reshape(len(values), -1).T).max(axis=1).mean()
    return float(C.MAURER * right - (C.signs_of(n) @ losses.T).max(axis=1).mean())


vector = Claim(
    id="vector-contraction", origin="beyond", source="Maurer 2016", kind="inequality",
    title="Vector contraction with sqrt(2), over all signs of finite classes",
    statement=r"\mathbb E\sup_f\sum_is_ih_i(f(x_i))\le\sqrt2\,L\,\mathbb E\sup_f"
              r"\sum_{i,k}s_{ik}f_k(x_i)",
    words="Quoted; checked with distances to points for h. With Gaussians on the right the factor is "
          "sqrt(pi/2), the smaller one (Sudakov and Fernique).",
    assumptions="h_i L-Lipschitz for the Euclidean norm", instances=_finite_class,
    margin=_vector_margin,
    figure="certificates",
    code="theory.bounds.contraction.contraction_complexity", test=CONTRACTION)


def _penalty_margin(i: dict[str, Any]) -> float:
    values, lift = np.array(i["class"])[..., 0], np.array(i["lift"])[:len(i["class"])]
    squashed, e = np.abs(values - i["anchors"][:, 0]), C.signs_of(len(i["anchors"]))
    return float((e @ values.T + lift).max(axis=1).mean() - (e @ squashed.T + lift).max(axis=1).mean())


def _penalty_proof() -> Proof:
    import z3

    c, d, u, v, p, q = z3.Reals("c d u v p q")
    size = lambda t: z3.If(t >= 0, t, -t)  # noqa: E731
    return smt("One sign at a time, all else in c and d: the sum of the suprema at +1 and at -1 is, "
               "for any two functions, at most that with h_i left out (lemma).",
               z3.Implies(size(p - q) <= size(u - v), z3.Or(
                   (c + p) + (d - q) <= (c + u) + (d - v), (c + p) + (d - q) <= (d + v) + (c - u))))


penalty = Claim(
    id="contraction-penalty", origin="beyond", source="Meir and Zhang 2003", kind="inequality",
    title="Scalar contraction beside a term without signs",
    statement=r"\mathbb E\sup_f[c(f)+\sum_is_ih_i(f_i)]\le\mathbb E\sup_f[c(f)+\sum_is_if_i]",
    words="c may be any function; a penalty on the norm makes the cells separate.",
    assumptions="h_i 1-Lipschitz", instances=_finite_class, margin=_penalty_margin,
    proof=_penalty_proof, code="theory.bounds.contraction.cellwise_complexity", test=CONTRACTION)


def _cell_classes() -> Any:
    from hypothesis import strategies as st

    def of(size: int) -> Any:
        row = st.lists(st.integers(0, 12), min_size=size, max_size=size)
        return st.lists(st.lists(row, min_size=1, max_size=3), min_size=1, max_size=3)

    return st.integers(1, 4).flatmap(of)


def _complexity(losses: Any) -> Fraction:
    """Of integer losses ``(functions, N)``, exact."""
    n = len(losses[0])
    suprema = (C.signs_of(n) @ np.array(losses).T).max(axis=1)
    return Fraction(int(suprema.sum()), 2**n * n)


def _cells_margin(classes: list[list[list[int]]]) -> Fraction:
    joint = [np.sum(choice, axis=0) for choice in product(*classes)]
    return _complexity(joint) - sum((_complexity(cell) for cell in classes), Fraction(0))


def _cells_proof() -> Proof:
    known = separable_proof()
    return Proof(known.result, "Cells with weights of their own choose freely: for every sign vector "
                 "the supremum of the sum over the cells is the sum of the cells' suprema (lemmas 1, 2 "
                 "of prop-2-exact, two cells, then one by one).", known.method)


cells = Claim(
    id="cells-separate", origin="beyond", source=SOURCE, kind="equality",
    title="n cells with weights of their own are as complex as one: the mean over the cells",
    statement=r"\hat{\mathcal R}_S(\tfrac1n\sum_tl_t)=\tfrac1n\sum_t\hat{\mathcal R}_S(l_t)",
    words="For every class of cells, bounded in norm or not: the number of outputs H W does not enter.",
    assumptions="the loss is a mean over the cells, each with weights of its own",
    instances=_cell_classes, margin=_cells_margin, proof=_cells_proof,
    code="theory.bounds.contraction.cellwise_complexity", test=CONTRACTION)


def _heads() -> Any:
    """Features (N, d), targets (N, n), biases (n,), a norm."""
    from hypothesis import strategies as st

    def of(shape: tuple[int, int, int]) -> Any:
        n, cells_, d = shape
        value = st.integers(-20, 20).map(lambda v: v / 10)
        table = lambda r, c: st.lists(value, min_size=r * c, max_size=r * c).map(  # noqa: E731
            lambda v: np.array(v).reshape(r, c))
        return st.fixed_dictionaries({
            "features": table(n, d), "bias": table(1, cells_).map(lambda t: t[0]),
            "targets": table(n, cells_).map(lambda t: np.where(t < 0, -1.0, 1.0)),
            "norm": st.sampled_from([0.01, 0.3, 1.0, 5.0])})

    return st.sampled_from([(1, 2, 1), (2, 3, 2), (3, 2, 2), (4, 4, 2), (4, 1, 3)]).flatmap(of)


def _from_below(i: dict[str, Any], shared: bool = False) -> float:
    return C.cellwise_from_below(i["features"], i["targets"], i["bias"], i["norm"], shared=shared)


def _heads_margin(i: dict[str, Any]) -> float:
    bound = C.cellwise_complexity(0.25, i["norm"], C.feature_norm(i["features"]), len(i["features"]))
    return float(bound) - max(_from_below(i), _from_below(i, shared=True))


def _heads_proof() -> Proof:
    import sympy as sp

    lam, n, w, b, size, slope = sp.symbols("lambda n W B N l", positive=True)
    total = lam * n * w**2 / 2 + slope**2 * b**2 * size / (2 * lam * n)
    best = slope * b * sp.sqrt(size) / (n * w)
    return symbolic("For lambda > 0 the supremum is at most lambda n W^2/2 + the sum over the cells of "
                    "sup_w [sum_i e_i l_it(<w, x_i>)/n - lambda |w|^2/2]; by contraction-penalty l_it "
                    "becomes l times its argument, and the supremum |l sum e_i x_i/n|^2/(2 lambda), of "
                    "mean l^2 B^2 N/(2 lambda n^2) a cell. The best lambda gives l W B sqrt(N) "
                    "(identity). Shared weights: the supremum of a mean is at most the suprema's mean.",
                    total.subs(lam, best) - slope * w * b * sp.sqrt(size))


heads = Claim(
    id="cellwise-norm", origin="beyond", source=SOURCE, kind="inequality",
    title="Position-wise heads: R_S <= l W B / sqrt(N), whatever the number of cells",
    statement=r"\hat{\mathcal R}_S\le\frac{lWB}{\sqrt N},\quad W^2=\tfrac1n\sum_t|w_t|^2",
    words="Also for one w shared by all cells. Vector contraction loses a factor sqrt(pi/2) for a "
          "shared vector, and sqrt(pi n/2) for weights of the cells' own.",
    assumptions="linear heads on fixed features, fixed biases, slope l (1/4 for the soft rate)",
    instances=_heads, margin=_heads_margin, proof=_heads_proof,
    figure="certificates", code="theory.bounds.contraction.cellwise_complexity", test=CONTRACTION)


def _upright() -> Any:
    """Heads with orthonormal features and no biases."""
    return _heads().map(lambda i: {**i, "features": np.eye(len(i["features"])), "bias": 0 * i["bias"]})


def _tight_proof() -> Proof:
    import sympy as sp

    r = sp.symbols("r", positive=True)
    slope = sp.diff(sp.tanh(r / 2) / 2, r) / (2 * r)  # by r^2
    return symbolic("The logits are free up to the mean of their squares, W^2/N; tanh(r/2)/2 is "
                    "concave in r^2: its slope sech^2(r/2)/(8 r) falls (identity). So equal sizes win.",
                    slope - 1 / (8 * r * sp.cosh(r / 2) ** 2))


tight = Claim(
    id="cellwise-tight", origin="beyond", source=SOURCE, kind="equality",
    title="Orthonormal features: the complexity is tanh(W / (2 sqrt N)) / 2, so l = 1/4 is sharp",
    statement=r"\hat{\mathcal R}_S=\tfrac12\tanh\frac{W}{2\sqrt N}\le\frac{W}{4\sqrt N}",
    words="Against the largest value that ascent finds, for every sign vector.",
    assumptions="soft missing rate, no biases", instances=_upright, proof=_tight_proof,
    margin=lambda i: _from_below(i) - math.tanh(i["norm"] / (2 * math.sqrt(len(i["features"])))) / 2,
    code="theory.bounds.contraction.cellwise_from_below", test=CONTRACTION)


def _larger_truths() -> Any:
    from hypothesis import strategies as st

    place, half = st.floats(0.3, 0.7), st.floats(0.15, 0.4)
    return st.fixed_dictionaries({
        "rectangle": st.tuples(place, place, half, half, st.floats(0, math.pi)).map(np.array),
        "norm": st.floats(1e-3, 0.01), "n": st.integers(1, 50)})


def rectangle_from_below(i: dict[str, Any]) -> float:
    """A lower bound on the complexity of heads with five rows of norm at most w; N orthonormal
    features, the bias the rectangle, every truth the rectangle with sides a third longer."""
    p = i["rectangle"]
    truth = hard_mask(Rectangle(p[:2], p[2:4] * 4 / 3, p[4]), 16, 16)
    slope = -(L.gradients(p, 16, 16, S) * truth.reshape(-1)).mean(axis=-1)
    step = i["norm"] / math.sqrt(i["n"]) * np.sign(slope)
    maps = attention_map(Rectangle.from_array(np.stack([p + step, p - step])), 16, 16, S)
    rates = missing_rate(2 * maps - 1, truth)
    return float(rates[0] - rates[1]) / 2


def _excess(i: dict[str, Any]) -> float:
    """The rectangle's complexity, from below, over the position-wise one, from above."""
    return rectangle_from_below(i) - float(C.cellwise_complexity(0.25, i["norm"], 1.0, i["n"]))


equal = Claim(
    id="perimeter-against-slope", origin="beyond", source=SOURCE, kind="inequality",
    title="At equal small norms per output the rectangle is the more complex head",
    statement=r"\hat{\mathcal R}_S(\text{5 outputs})\ge\hat{\mathcal R}_S(HW\text{ outputs})",
    words="Per unit of weight the rectangle changes its area at rate |g|_1 (for a truth around it: its "
          "perimeter), a logit its cell at rate 1/4. Five outputs win where |g|_1 < 1/4: at perimeters "
          "below a quarter of the image's side.",
    assumptions="orthonormal features, norms of each output's weights at most w <= 0.01, half-widths "
                "0.15 to 0.4, truths a third larger, 16 x 16 cells; any biases of the logits",
    instances=_larger_truths, margin=_excess,
    code="theory.bounds.contraction.complexity_constants", test=CONTRACTION)

fewer = Claim(
    id="fewer-outputs", origin="beyond", source=SOURCE, kind="inequality",
    title="Five outputs instead of H W lower the complexity at equal norms of their weights",
    statement=r"\hat{\mathcal R}_S(\text{5 outputs})\le\hat{\mathcal R}_S(HW\text{ outputs})",
    words="The number of outputs cancels (cells-separate); what counts is how far the map moves per "
          "unit of weight.", assumptions="as for perimeter-against-slope", instances=_larger_truths,
    margin=lambda i: -_excess(i), amendment=equal,
    figure="certificates", code="theory.bounds.contraction.complexity_constants", test=CONTRACTION)

CLAIMS = [lattice, change, ramp, vector, penalty, cells, heads, tight, fewer, equal]
