"""Section 5.1, first half: the rates, the relevance level and what raises it."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, product
from typing import Any

import numpy as np

from theory.claims import simulated_5_1 as rows
from theory.claims.model import Claim, Proof
from theory.claims.proofs import induction, smt
from theory.rates import catching_rate_exact, missing_rate_exact

RATES = "tests/test_rates.py"
RHO = "tests/test_relevance.py"


def _pairs() -> Any:
    from theory.strategies import mask_pairs

    return mask_pairs(4)


def _all_pairs() -> Any:
    from theory.families import AllMasks

    for height, width in ((1, 1), (1, 2), (2, 1), (1, 3), (2, 2), (2, 3)):
        masks = list(AllMasks(height, width, empty=True))
        yield from ({"a": a, "b": b} for a, b in product(masks, masks))


PAIRS_RANGE = "all pairs of masks on 1x1, 1x2, 2x1, 1x3, 2x2 and 2x3"


def _remark_1_margin(pair: dict[str, Any]) -> Fraction:
    a, b = pair["a"], pair["b"]
    psi = catching_rate_exact(a, b)
    facts = [psi == catching_rate_exact(b, a), (psi == 1) == bool((a == b).all()),
             (psi == -1) == bool((a == -b).all())]
    return min(1 - psi, psi + 1) if all(facts) else Fraction(-1)


def _remark_1_proof() -> Proof:
    """S = sum of products, d = number of positions that differ: S = k - 2 d, 0 <= d <= k."""
    import z3

    a, b, s, d, k = z3.Ints("a b s d k")
    sign = z3.And(z3.Or(a == 1, a == -1), z3.Or(b == 1, b == -1))
    inv = z3.And(s == k - 2 * d, d >= 0, d <= k, k >= 0)
    new = (s + a * b, d + z3.If(a != b, 1, 0), k + 1)
    step = z3.Implies(z3.And(inv, sign), z3.And(
        new[0] == new[2] - 2 * new[1], new[1] >= 0, new[1] <= new[2]))
    base = z3.Implies(z3.And(s == 0, d == 0, k == 0), inv)
    end = z3.Implies(z3.And(inv, k > 0), z3.And(
        s <= k, s >= -k, (s == k) == (d == 0), (s == -k) == (d == k)))
    return induction("After k positions the sum S of the products and the number d of positions "
                     "where the masks differ satisfy S = k - 2d, 0 <= d <= k. So Psi = 1 - 2d/n "
                     "lies in [-1, 1], is 1 iff d = 0 and -1 iff d = n; d is symmetric.",
                     base, step, end)


remark_1 = Claim(
    id="remark-1", origin="paper", source="Remark 1", kind="inequality",
    title="The catching rate is symmetric, in [-1, 1], 1 iff equal, -1 iff opposite",
    statement=r"\Psi(a,b)=\Psi(b,a)\in[-1,1],\quad \Psi=1\iff a=b,\quad \Psi=-1\iff a=-b",
    words="The catching rate is symmetric and bounded; its extremes mark equal and opposite masks.",
    assumptions="a, b masks on one grid", instances=_pairs, margin=_remark_1_margin,
    exhaustive=_all_pairs, exhaustive_range=PAIRS_RANGE, proof=_remark_1_proof,
    code="theory.rates.catching_rate", test=RATES)

eq_12 = Claim(
    id="eq-12", origin="paper", source="Eq. 12", kind="inequality",
    title="The missing rate lies in [0, 1] and is the normalised Hamming distance",
    statement=r"\Phi(a,b)=\tfrac12(1-\Psi(a,b))=\#\{a\ne b\}/n\in[0,1]",
    words="0 in case of no missing, 1 in case of total missing.",
    assumptions="a, b masks on one grid", instances=_pairs,
    margin=lambda p: (lambda phi: min(phi, 1 - phi) if phi == Fraction(
        int((p["a"] != p["b"]).sum()), p["a"].size) else Fraction(-1))(
            missing_rate_exact(p["a"], p["b"])),
    exhaustive=_all_pairs, exhaustive_range=PAIRS_RANGE, proof=_remark_1_proof,
    code="theory.rates.missing_rate", test=RATES)


def _rho(family: Any, inputs: Any) -> Fraction:
    n = family[0].size
    table = family.reshape(len(family), n).astype(np.int64) @ inputs.reshape(len(inputs), n).T.astype(
        np.int64)
    return Fraction(int(table.min()), n)


def _mask_sets(empty: bool = True) -> Any:
    """``{"small", "extra", "inputs"}``: lists of masks on one grid."""
    from hypothesis import strategies as st

    from theory.strategies import masks

    def on(grid: tuple[int, int]) -> Any:
        some = st.lists(masks(*grid, empty=empty), min_size=1, max_size=4).map(np.array)
        return st.fixed_dictionaries({"small": some, "extra": some, "inputs": some})

    return st.sampled_from([(1, 2), (2, 2), (2, 3), (3, 3)]).flatmap(on)


def _eq_15_proof() -> Proof:
    import z3

    mask = z3.DeclareSort("Mask")
    low = z3.Function("low", mask, z3.RealSort())  # min over A_in of Psi(b, .)
    one, two = (z3.Function(f"in_A{i}", mask, z3.BoolSort()) for i in (1, 2))
    b, c = z3.Consts("b c", mask)
    r1, r2 = z3.Reals("r1 r2")
    subset = z3.ForAll([b], z3.Implies(one(b), two(b)))
    attained = z3.Exists([b], z3.And(one(b), low(b) == r1))
    below = z3.ForAll([c], z3.Implies(two(c), r2 <= low(c)))
    return smt("rho(A1) is attained at some b in A1, since A1 is finite; b lies in A2, where rho(A2) "
               "is a lower bound.", z3.Implies(z3.And(subset, attained, below), r1 >= r2))


eq_15 = Claim(
    id="eq-15", origin="paper", source="Eq. 15", kind="inequality",
    title="A smaller family has the larger relevance level",
    statement=r"\mathcal A_1\subseteq\mathcal A_2\Rightarrow\rho(\mathcal A_1)\ge\rho(\mathcal A_2)",
    words="Removing masks from a family cannot lower its relevance level.",
    assumptions="A1 not empty, the same A_in", instances=_mask_sets,
    margin=lambda i: _rho(i["small"], i["inputs"]) - _rho(
        np.concatenate([i["small"], i["extra"]]), i["inputs"]),
    proof=_eq_15_proof, code="theory.relevance.relevance_level", test=RHO)


# --- does a rectangular family have a higher relevance level? -------------------------------------


def _grids(largest: int) -> Any:
    sides = range(1, largest + 1)
    return ({"height": h, "width": w} for h in sides for w in sides if h * w > 1)


def _grid_strategy() -> Any:
    from hypothesis import strategies as st

    side = st.integers(1, 6)
    return st.fixed_dictionaries({"height": side, "width": side}).filter(
        lambda g: g["height"] * g["width"] > 1)


def _gain(grid: dict[str, int]) -> Fraction:
    """rho(A_ours) - rho(A_pw) for A_in = A_ours; a strict increase is claimed."""
    from theory.families import Rectangles
    from theory.relevance import relevance_level_exact

    family = Rectangles(grid["height"], grid["width"])
    gain = relevance_level_exact(family, family) - Fraction(-1)
    return gain if gain > 0 else Fraction(-1, grid["height"] * grid["width"])


def _limited(i: dict[str, Any]) -> Fraction:
    from theory.families import Rectangles
    from theory.relevance import relevance_closed_form, relevance_level_exact

    first = Rectangles(i["height"], i["width"], max_area=i["area"])
    second = Rectangles(i["height"], i["width"], max_area=i["area_in"])
    return relevance_closed_form(first, second) - relevance_level_exact(first, second)


def _two_fit(i: dict[str, Any]) -> bool:
    """Whether the closed form speaks of these limits."""
    from theory.families import Rectangles
    from theory.relevance import relevance_closed_form

    first = Rectangles(i["height"], i["width"], max_area=i["area"])
    return relevance_closed_form(
        first, Rectangles(i["height"], i["width"], max_area=i["area_in"])) is not None


def _limits(largest: int) -> Any:
    for g in _grids(largest):
        n = g["height"] * g["width"]
        yield from ({**g, "area": k, "area_in": k2} for k, k2 in product(range(1, n + 1), repeat=2))


def _limit_strategy() -> Any:
    from hypothesis import strategies as st

    return st.fixed_dictionaries({"height": st.integers(2, 6), "width": st.integers(2, 6),
                                  "area": st.integers(1, 18), "area_in": st.integers(1, 18)})


def _disjoint_proof() -> Proof:
    import z3

    s, t, both, k1, k2, n = z3.Ints("s t both k1 k2 n")
    sizes = z3.And(s <= k1, t <= k2, both >= 0, both <= s, both <= t)
    return smt("n Psi = n - 2 |S xor T| and |S xor T| = |S| + |T| - 2 |S and T| <= k1' + k2', with "
               "equality for two disjoint rectangles of the largest areas attained.",
               z3.Implies(sizes, n - 2 * (s + t - 2 * both) >= n - 2 * (k1 + k2)),
               z3.Implies(z3.And(s == k1, t == k2, both == 0),
                          n - 2 * (s + t - 2 * both) == n - 2 * (k1 + k2)))


rho_limited = Claim(
    id="rho-limited", origin="amended", source="section 5.1, amended", kind="equality",
    title="Area limits on BOTH families raise the relevance level, to 1 - 2(k1'+k2')/n",
    statement=r"\rho=1-\tfrac{2}{n}(k_1'+k_2')",
    words="With areas at most k1 in A and k2 in A_in, and k1', k2' the largest areas attained, the "
          "relevance level has this value if two disjoint rectangles of k1' and k2' positions fit.",
    assumptions="axis-aligned rectangles; two disjoint ones of the largest areas fit",
    instances=_limit_strategy, assumes=_two_fit, margin=_limited, exhaustive=lambda: _limits(3),
    exhaustive_range="every grid up to 3x3 and every pair of area limits", proof=_disjoint_proof,
    simulated=rows.limited,
    figure="relevance_vs_limit",
    code="theory.relevance.relevance_closed_form", test=RHO)

sec_5_1_rho = Claim(
    id="sec-5.1-rho", origin="paper", source="section 5.1, after Remark 2", kind="inequality",
    title="Rectangles increase the relevance level over position-wise masks",
    statement=r"\rho(\mathcal A_{ours})>\rho(\mathcal A_{pw})",
    words="Constraining the maps to rectangles reduces the output space and 'thus' increases the "
          "relevance level (checked for targets that are rectangles themselves).  'Increasing' is "
          "read as strictly larger; that it is not smaller is Eq. 15.",
    assumptions="A_in = A_ours: every rectangle is a possible truth; more than one position",
    instances=_grid_strategy, margin=_gain, exhaustive=lambda: _grids(4),
    exhaustive_range="every grid up to 4x4 with more than one position", amendment=rho_limited,
    simulated=rows.unlimited,
    figure="relevance_vs_limit",
    code="theory.relevance.relevance_level", test=RHO)


def _inputs_strategy() -> Any:
    from hypothesis import strategies as st

    from theory.strategies import masks

    return st.sampled_from([(1, 2), (2, 2), (2, 3), (3, 3)]).flatmap(
        lambda g: st.fixed_dictionaries(
            {"inputs": st.lists(masks(*g), min_size=1, max_size=4).map(np.array)}))


def _small_inputs() -> Any:
    from theory.families import AllMasks

    for grid in ((1, 2), (2, 1), (1, 3), (2, 2)):
        masks = list(AllMasks(*grid, empty=True))
        for size in (1, 2):
            yield from ({"inputs": np.array(c)} for c in combinations(masks, size))


SMALL_INPUTS = "all A_in of one or two masks on 1x2, 2x1, 1x3 and 2x2"


def _shape(inputs: np.ndarray) -> tuple[int, int]:
    return inputs.shape[1], inputs.shape[2]


def _rho_of(family_name: str, inputs: np.ndarray) -> Fraction:
    from theory.families import AllMasks, Rectangles
    from theory.relevance import relevance_level_exact

    shape = _shape(inputs)
    family = Rectangles(*shape) if family_name == "ours" else AllMasks(*shape, empty=True)
    return relevance_level_exact(family, inputs)


rho_pw = Claim(
    id="rho-pw", origin="beyond", source="section 5.1", kind="equality",
    title="Position-wise maps have relevance level -1 whatever the truths are",
    statement=r"\rho(\mathcal A_{pw})=-1\quad\text{for every }\mathcal A_{in}",
    words="The complement of any truth is a position-wise mask.",
    assumptions="A_pw = all masks; A_in not empty", instances=_inputs_strategy,
    margin=lambda i: _rho_of("pw", i["inputs"]) + 1, exhaustive=_small_inputs,
    exhaustive_range=SMALL_INPUTS, figure="relevance_vs_limit", code="theory.relevance", test=RHO,
    proof=lambda: _opposite_proof("For any truth a the mask -a is position-wise and Psi(-a, a) = -1, "
                                  "the smallest value.")())


def _opposite_proof(argument: str) -> Any:
    """The facts of Remark 1 on extremes of Psi, joined to a statement by ``argument``."""
    def prove() -> Proof:
        known = _remark_1_proof()
        return Proof(known.result, f"{argument} That Psi >= -1, with -1 only at opposite masks, is "
                                   f"remark-1: {known.text}", known.method)

    return prove


def _singleton_margin(i: dict[str, Any]) -> Fraction:
    """min over ALL masks a of Psi(b, a), enumerated, for a single map b; plus 1."""
    from theory.families import AllMasks

    mask = i["inputs"][0]
    every = AllMasks(*mask.shape, empty=True).masks()
    return _rho(mask[None], every) + 1


def _whole_grid_proof() -> Proof:
    import z3

    size, n, rho = z3.Ints("size n rho")
    return smt("The whole grid is a rectangle, and n Psi(1, a) = |S| - (n - |S|); the minimum over "
               "b is no larger.", z3.Implies(z3.And(rho <= size - (n - size)), rho <= -n + 2 * size))


rho_whole_grid = Claim(
    id="rho-whole-grid", origin="beyond", source="section 5.1", kind="inequality",
    title="Without limits, rho of the rectangles is at most -1 + 2 min|S(a)|/n",
    statement=r"\rho(\mathcal A_{ours})\le -1+\tfrac{2}{n}\min_{a\in\mathcal A_{in}}|S(a)|",
    words="The whole grid is a rectangle; it catches a small truth badly. For every A_in.",
    assumptions="axis-aligned or rotated rectangles without limits", instances=_inputs_strategy,
    margin=lambda i: Fraction(2 * int((i["inputs"] == 1).sum(axis=(1, 2)).min()),
                              i["inputs"][0].size) - 1 - _rho_of("ours", i["inputs"]),
    exhaustive=_small_inputs, exhaustive_range=SMALL_INPUTS, proof=_whole_grid_proof,
    figure="relevance_vs_limit", code="theory.relevance", test=RHO)


def _iff_margin(i: dict[str, Any]) -> int:
    from theory.families import Rectangles

    family = Rectangles(*_shape(i["inputs"]))
    opposite = any(-a in family for a in i["inputs"])
    return 0 if (_rho_of("ours", i["inputs"]) == -1) == opposite else -1


rho_minus_one = Claim(
    id="rho-minus-one", origin="beyond", source="section 5.1", kind="inequality",
    title="rho(A_ours) = -1 exactly when some truth's complement is a rectangle",
    statement=r"\rho(\mathcal A_{ours})=-1\iff\exists a\in\mathcal A_{in}:\ -a\in\mathcal A_{ours}",
    words="Psi is -1 only between opposite masks. Two half-grids are opposite rectangles.",
    assumptions="A_in not empty", instances=_inputs_strategy, margin=_iff_margin,
    exhaustive=_small_inputs, exhaustive_range=SMALL_INPUTS, proof=_opposite_proof(
        "rho is attained at some pair, A and A_in being finite, and Psi(b, a) = -1 iff b = -a: so "
        "rho = -1 iff some truth's opposite is in the family."),
    figure="relevance_vs_limit", code="theory.relevance", test=RHO)

rho_all_inputs = Claim(
    id="rho-all-inputs", origin="beyond", source="section 5.1", kind="equality",
    title="If every mask can be the truth, rho = -1 even for a single map",
    statement=r"\mathcal A_{in}=\Omega\Rightarrow\rho(\mathcal A)=-1\quad\forall\mathcal A\ne\emptyset",
    words="Reducing A alone, down to a singleton, does not raise the relevance level.",
    assumptions="A_in = all masks; checked with the single map inputs[0]",
    instances=_inputs_strategy, margin=_singleton_margin, exhaustive=_small_inputs,
    exhaustive_range=SMALL_INPUTS, proof=_opposite_proof(
        "If every mask is a possible truth, so is -b for any map b of A, and Psi(b, -b) = -1."),
    code="theory.relevance", test=RHO)


def _zone_margin(i: dict[str, Any]) -> Fraction:
    from theory.families import Rectangles
    from theory.relevance import relevance_level_exact

    top, bottom, left, right = i["zone"]
    family = Rectangles(i["height"], i["width"], zone=i["zone"])
    z = (bottom - top) * (right - left)
    return relevance_level_exact(family, family) - (1 - Fraction(2 * z, i["height"] * i["width"]))


def _boxed(t: tuple[int, ...]) -> dict[str, Any]:
    h, w = t[0], t[1]
    top, left = t[2] % h, t[3] % w
    zone = (top, top + 1 + t[4] % (h - top), left, left + 1 + t[5] % (w - left))
    return {"height": h, "width": w, "zone": zone}


def _zone_strategy() -> Any:
    from hypothesis import strategies as st

    side, small = st.integers(1, 6), st.integers(0, 5)
    return st.tuples(side, side, small, small, small, small).map(_boxed).filter(
        lambda i: (i["zone"][1] - i["zone"][0]) * (i["zone"][3] - i["zone"][2]) > 1)


def _zone_proof() -> Proof:
    import z3

    s, t, both, z, n, rows = z3.Ints("s t both z n rows")
    return smt("Both supports lie in the zone, so |S xor T| <= |S or T| <= z and n Psi >= n - 2z "
               "(lemma 1), with equality for two disjoint rectangles that fill the zone (lemma 2). A "
               "box of z > 1 positions has a side of at least 2 and splits there into a first row "
               "(or column) and the rest, neither empty (lemma 3).",
               z3.Implies(z3.And(both >= 0, s + t - both <= z),
                          n - 2 * (s + t - 2 * both) >= n - 2 * z),
               z3.Implies(z3.And(both == 0, s + t == z),
                          n - 2 * (s + t - 2 * both) == n - 2 * z),
               z3.Implies(rows >= 2, z3.And(rows - 1 >= 1, 1 + (rows - 1) == rows)))


rho_zone = Claim(
    id="rho-zone", origin="beyond", source="section 5.1 (zones)", kind="equality",
    title="In a rectangular zone of z > 1 positions rho = 1 - 2z/n",
    statement=r"\rho=1-2z/n",
    words="The paper proposes to limit the rectangle to a zone: two halves of the zone are the worst "
          "pair. Both A and A_in must be limited.",
    assumptions="A = A_in = the rectangles inside one box of z > 1 positions",
    instances=_zone_strategy, margin=_zone_margin, proof=_zone_proof,
    code="theory.relevance.relevance_closed_form", test=RHO)

CLAIMS = [remark_1, eq_12, eq_15, sec_5_1_rho, rho_limited, rho_pw, rho_whole_grid, rho_minus_one,
          rho_all_inputs, rho_zone]
