"""Proposition 1, Definition 5.3 and Eqs. 19-21: the fitting rate is the Jaccard index."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from theory.claims.model import Claim, Proof, Undefined
from theory.rates import catching_rate_exact, fitting_rate_exact

TEST = "tests/separation/test_claims.py"
CODE = "theory.rates.fitting_rate"
GRIDS = ((1, 1), (1, 2), (2, 1), (1, 3), (3, 1), (2, 2))
UP_TO = "all pairs of masks on 1x1, 1x2, 2x1, 1x3, 3x1 and 2x2"


def _jaccard(a: np.ndarray, b: np.ndarray) -> Fraction:
    """|S(a) & S(b)| / |S(a) | S(b)| by counting sets of positions."""
    s, t = ({k for k, v in enumerate(m.ravel()) if v == 1} for m in (a, b))
    if not s | t:
        raise Undefined("both supports are empty: |intersection| / |union| is 0/0")
    return Fraction(len(s & t), len(s | t))


def _rate(instance: dict[str, Any]) -> Fraction:
    if np.all(instance["a"] == -1) and np.all(instance["b"] == -1):
        raise Undefined("both masks are -1 everywhere: the fitting rate is 0/0")
    return fitting_rate_exact(instance["a"], instance["b"])


def _pairs(*, union: bool = False, side: int = 4) -> Any:
    from theory.strategies import mask_pairs

    pairs = mask_pairs(side)
    return pairs.filter(_union) if union else pairs


def _union(instance: dict[str, Any]) -> bool:
    return bool(np.any(instance["a"] == 1) or np.any(instance["b"] == 1))


def _small(grids: tuple[tuple[int, int], ...] = GRIDS, *, union: bool = False) -> Iterator[Any]:
    for grid in grids:
        masks = [np.array(v, dtype=np.int8).reshape(grid)
                 for v in product((-1, 1), repeat=grid[0] * grid[1])]
        for a, b in product(masks, repeat=2):
            if not union or _union({"a": a, "b": b}):
                yield {"a": a, "b": b}


# --- Proposition 1


def _prop_1_margin(instance: dict[str, Any]) -> Fraction:
    return _jaccard(instance["a"], instance["b"]) - _rate(instance)


def _prop_1_proof() -> Proof:
    import z3

    from theory.claims.proofs import induction

    a, f = z3.Reals("a f")  # values of the new position
    n, both, either, s_in, s_out = z3.Reals("n both either s_in s_out")
    mask = z3.And(z3.Or(a == -1, a == 1), z3.Or(f == -1, f == 1))
    # invariant: sum of (a+1)/2 (f+1)/2 counts the intersection, n - sum of (1-a)/2 (1-f)/2 the union
    before = z3.And(s_in == both, n - s_out == either)
    one = z3.RealVal(1)
    after = z3.And(
        s_in + (a + 1) / 2 * ((f + 1) / 2) == both + z3.If(z3.And(a == 1, f == 1), one, 0),
        n + 1 - (s_out + (1 - a) / 2 * ((1 - f) / 2))
        == either + z3.If(z3.Or(a == 1, f == 1), one, 0))
    psi, phi = s_in / n, (1 - s_out / n) / 2
    end = z3.Implies(z3.And(before, n > 0, either > 0), psi / (2 * phi) == both / either)
    zero = z3.And(*(v == 0 for v in (n, both, either, s_in, s_out)))
    return induction(
        "The numerator counts positions in both supports, 1 - Psi of the complements those in "
        "either; with n > 0 positions and a non-empty union the quotient is the Jaccard index.",
        z3.Implies(zero, before), z3.Implies(z3.And(mask, before), after), end)


PROP_1_AMENDED = Claim(
    id="prop-1-amended", title="The fitting rate is the Jaccard index of the supports",
    source="Proposition 1, Eq. 20, App. D",
    statement=r"\frac{|S(a)\cap S(b)|}{|S(a)\cup S(b)|}=\frac{\Psi((a+1)/2,(b+1)/2)}"
              r"{2\Phi((1-a)/2,(1-b)/2)}\quad\text{if } S(a)\cup S(b)\neq\emptyset",
    words="On two masks that are not both empty, the quotient of rates is intersection over union.",
    assumptions="at least one of the two supports is not empty",
    kind="equality", instances=lambda: _pairs(union=True), margin=_prop_1_margin,
    exhaustive=lambda: _small(union=True), exhaustive_range=UP_TO + ", not both empty",
    proof=_prop_1_proof, origin="amended", code=CODE, test=TEST)

PROP_1 = Claim(
    id="prop-1", title="The fitting rate is the Jaccard index, for all pairs of masks",
    source="Proposition 1, Eq. 20",
    statement=r"\frac{|S\cap\hat S|}{|S\cup\hat S|}=\frac{\Psi((a+1)/2,(f+1)/2)}"
              r"{2\Phi((1-a)/2,(1-f)/2)}\quad\text{for all masks } a, f",
    words="The quotient of rates is intersection over union, whatever the two masks.  (No sentence "
          "excludes empty masks; section 5.2 assumes eta to be defined, an integral over inputs.)",
    assumptions="none besides values -1 and +1: both masks may be empty, then both sides are 0/0",
    kind="equality", instances=lambda: _pairs(union=True), margin=_prop_1_margin,
    domain=lambda: _pairs(side=2), amendment=PROP_1_AMENDED, origin="paper", code=CODE, test=TEST)

# --- Definition 5.3


def _range_margin(instance: dict[str, Any], rate: Fraction) -> Fraction:
    """Slack of 0 <= rate <= 1, and of rate = 1 iff the masks are equal.

    Unequal masks are at least 1/(HW) below 1: |union| - |intersection| is an integer.
    """
    if np.array_equal(instance["a"], instance["b"]):
        return -abs(1 - rate)
    return min(rate, 1 - rate - Fraction(1, instance["a"].size))


def _def_5_3_proof() -> Proof:
    import z3

    from theory.claims.proofs import induction

    both, either, differ = z3.Ints("both either differ")
    a, b = z3.Bools("a b")
    before = z3.And(0 <= both, 0 <= differ, either == both + differ)
    new = [z3.If(c, 1, 0) for c in (z3.And(a, b), z3.Or(a, b), a != b)]
    step = z3.And(0 <= both + new[0], 0 <= differ + new[2],
                  either + new[1] == both + new[0] + differ + new[2])
    rate = z3.If(either == 0, z3.RealVal(1), z3.ToReal(both) / z3.ToReal(either))
    end = z3.Implies(before, z3.And(0 <= rate, rate <= 1, (rate == 1) == (differ == 0)))
    zero = z3.And(both == 0, either == 0, differ == 0)
    return induction(
        "The union is the intersection and the positions that differ; so the rate lies in [0, 1] "
        "and is 1 iff no position differs, with 0/0 read as 1.",
        z3.Implies(zero, before), z3.Implies(before, step), end)


DEF_5_3_AMENDED = Claim(
    id="def-5.3-amended", title="With 0/0 = 1 the fitting rate is in [0,1], and 1 iff equal",
    source="Definition 5.3, Eq. 21",
    statement=r"0\le\tilde\Psi(a,b)\le 1,\quad \tilde\Psi(a,b)=1\iff a=b,"
              r"\quad\tilde\Psi(-\mathbf{1},-\mathbf{1}):=1",
    words="Two empty masks count as equal (zero_division = 1); no other value keeps the equivalence.",
    assumptions="none: any two masks on one grid",
    kind="inequality", instances=_pairs,
    margin=lambda i: _range_margin(i, fitting_rate_exact(i["a"], i["b"], zero_division=1)),
    exhaustive=_small, exhaustive_range=UP_TO, proof=_def_5_3_proof,
    origin="amended", code=CODE, test=TEST)

DEF_5_3 = Claim(
    id="def-5.3", title="The fitting rate is in [0,1], and 1 iff the masks are equal",
    source="Definition 5.3, Eq. 21",
    statement=r"0\le\tilde\Psi(a,b)\le 1,\quad \tilde\Psi(a,b)=1\iff a=b",
    words="The fitting rate lies between 0 and 1, and 1 means the same mask.  Definition 5.3 is made "
          "for all pairs of masks.",
    assumptions="none: two masks that are equal and empty are in the domain, and give 0/0",
    kind="inequality", instances=lambda: _pairs(union=True),
    margin=lambda i: _range_margin(i, _rate(i)), domain=lambda: _pairs(side=2),
    amendment=DEF_5_3_AMENDED, origin="paper", code=CODE, test=TEST)

EQ_19 = Claim(
    id="eq-19", title="lambda is a number in [0,1] for every input",
    source="Eq. 19", statement=r"\lambda=\frac{|S\cap\hat S|}{|S\cup\hat S|}\in[0,1]",
    words="The weight of the pure density is the fitting rate of truth and prediction.  (That eta is "
          "assumed to be defined asks for lambda at almost every input, under densities that the "
          "paper leaves open; that an image has a semantic part does not say that its mask has.)",
    assumptions="none: truth and prediction may both be empty, where lambda is 0/0",
    kind="inequality", instances=lambda: _pairs(union=True),
    margin=lambda i: min(_jaccard(i["a"], i["b"]), 1 - _jaccard(i["a"], i["b"])),
    domain=lambda: _pairs(side=2), amendment=DEF_5_3_AMENDED, origin="paper", code=CODE, test=TEST)

# --- "gets larger as the masks get more similar"


def _similar_margin(instance: dict[str, Any]) -> Fraction:
    """Rate of the pair with the larger catching rate minus the other one's."""
    a, b, c = (instance[k] for k in ("truth", "worse", "better"))
    return fitting_rate_exact(a, c) - fitting_rate_exact(a, b)


def _by_catching_rate(masks: tuple[np.ndarray, ...]) -> dict[str, Any]:
    a, b, c = masks
    if catching_rate_exact(a, b) > catching_rate_exact(a, c):
        b, c = c, b
    return {"truth": a, "worse": b, "better": c}


def _corrected(masks: tuple[np.ndarray, ...]) -> dict[str, Any]:
    a, b, where = masks
    return {"truth": a, "worse": b, "better": np.where(where == 1, a, b).astype(np.int8)}


def _triples(build: Any) -> Any:
    from theory.strategies import grids, masks

    def on(grid: tuple[int, int]) -> Any:
        from hypothesis import strategies as st

        return st.tuples(masks(*grid, empty=False), masks(*grid), masks(*grid)).map(build)

    return grids(3).flatmap(on)


def _small_triples(build: Any) -> Iterator[dict[str, Any]]:
    for grid in ((1, 2), (1, 3)):
        masks = [np.array(v, dtype=np.int8).reshape(grid)
                 for v in product((-1, 1), repeat=grid[0] * grid[1])]
        for triple in product(masks, repeat=3):
            if np.any(triple[0] == 1):
                yield build(triple)


def _similar_proof() -> Proof:
    import z3

    from theory.claims.proofs import smt

    i, u = z3.Reals("i u")
    known = z3.And(0 <= i, i <= u, u >= 1)
    return smt(
        "Correcting a missed position adds one to the intersection and keeps the union; correcting "
        "a false one removes it from the union (which the truth keeps non-empty).  Both raise "
        "i/u or leave it at 0; several corrections are done one after the other.",
        z3.Implies(z3.And(known, i + 1 <= u), (i + 1) / u >= i / u),
        z3.Implies(z3.And(known, u - 1 >= 1, i <= u - 1), i / (u - 1) >= i / u))


SIMILAR_AMENDED = Claim(
    id="def-5.3-similar-amended", title="Correcting wrong positions never lowers the fitting rate",
    source="Definition 5.3, last sentence",
    statement=r"\{b'\neq a\}\subseteq\{b\neq a\}\Rightarrow\tilde\Psi(a,b')\ge\tilde\Psi(a,b)",
    words="If the better map is wrong only where the worse one is, its fitting rate is no smaller.",
    assumptions="the true mask a is not empty; the errors of b' are among those of b",
    kind="inequality", instances=lambda: _triples(_corrected), margin=_similar_margin,
    exhaustive=lambda: _small_triples(_corrected),
    exhaustive_range="all triples of masks on 1x2 and 1x3, the truth not empty", proof=_similar_proof,
    origin="amended", code=CODE, test=TEST)

SIMILAR = Claim(
    id="def-5.3-similar", title="The fitting rate grows with similarity (the catching rate)",
    source="Definition 5.3, last sentence",
    statement=r"\Psi(a,b')>\Psi(a,b)\Rightarrow\tilde\Psi(a,b')\ge\tilde\Psi(a,b)",
    words="Similarity read as the paper's own catching rate: the two rates would order maps alike.",
    assumptions="the true mask a is not empty; b' has strictly the larger catching rate",
    assumes=lambda i: catching_rate_exact(i["truth"], i["better"]) > catching_rate_exact(
        i["truth"], i["worse"]),
    kind="inequality", instances=lambda: _triples(_by_catching_rate), margin=_similar_margin,
    exhaustive=lambda: _small_triples(_by_catching_rate),
    exhaustive_range="all triples of masks on 1x2 and 1x3, the truth not empty",
    amendment=SIMILAR_AMENDED, origin="paper", code=CODE, test=TEST)

# --- Eq. 21 as printed


def _printed_margin(instance: dict[str, Any]) -> Fraction:
    a, b = (instance[k].astype(int).ravel() for k in ("a", "b"))
    n = len(a)
    numerator = Fraction(int(((a + 1) // 2 * ((b + 1) // 2)).sum()), n)
    denominator = 1 - Fraction(int(((2 - a) * (2 - b)).sum()), 4 * n)  # 2 Phi(1 - a/2, 1 - b/2)
    if denominator == 0:
        raise Undefined("2 Phi(1 - a/2, 1 - b/2) is 0")
    return numerator / denominator - _jaccard(instance["a"], instance["b"])


EQ_21 = Claim(
    id="eq-21-typography", title="Eq. 21 with its parentheses as printed is the Jaccard index",
    source="Eq. 21",
    statement=r"\frac{\Psi((a+1)/2,(b+1)/2)}{2\Phi(1-a/2,\,1-b/2)}=\frac{|S(a)\cap S(b)|}"
              r"{|S(a)\cup S(b)|}",
    words="Parentheses are missing in Eq. 21; read as they stand, 1 - a/2 replaces (1 - a)/2.",
    assumptions="not both supports empty; at most three positions, where the denominator is not 0",
    kind="equality", margin=_printed_margin,
    exhaustive=lambda: _small(((1, 1), (1, 2), (2, 1), (1, 3), (3, 1)), union=True),
    exhaustive_range="all pairs of masks of up to three positions, not both empty",
    amendment=PROP_1_AMENDED, origin="paper", code=CODE, test=TEST)

CLAIMS = [PROP_1, PROP_1_AMENDED, DEF_5_3, DEF_5_3_AMENDED, SIMILAR, SIMILAR_AMENDED, EQ_19, EQ_21]
