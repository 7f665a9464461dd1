"""The claims of TV's closed form and of its falls: margins by a second route, proofs that can fail."""

from __future__ import annotations

from fractions import Fraction as F
from random import Random

import numpy as np
import pytest
import sympy

from tests.separation.test_claims import BY_ID, plain_tv
from theory.arrays import DivisionUndefined
from theory.claims.draws import draw
from theory.claims.ledger_5_2 import gap
from theory.claims.ledger_5_2 import instances as ranges
from theory.separation_gap import absorbed, gap_bound, gap_witness, proportional, witness_atoms

IDS = ("sec-5.2-tv-exact", "sec-5.2-gap-bound", "sec-5.2-gap-attained", "sec-5.2-proportional",
       "sec-5.2-binary-worse")


def instances(strategy, count, seed=0):
    rng = Random(seed)
    return [draw(strategy, rng).instance for _ in range(count)]


def tv(instance, key="fitting"):
    """Eq. 18 and Def. 5.4 by all events, without the toolkit."""
    return plain_tv(*(instance[k] for k in ("pure", "other", "background")), instance[key])


def absorbed_by_hand(instance):
    p, q, g, lam = (instance[k] for k in ("pure", "other", "background", "fitting"))
    change = [a * (b - c) for a, b, c in zip(lam, p, q, strict=True)]
    moved = sum(change)
    free = sum((1 - a) * b for a, b in zip(lam, g, strict=True))
    sign = 1 if moved > 0 else -1
    return sum(min(abs(moved) * (1 - a) * b / free, max(sign * c, F(0)))
               for a, b, c in zip(lam, g, change, strict=True))


def test_the_closed_form_by_hand():
    strict = 0
    for i in instances(ranges.defined_mixtures(), 150):
        taken = absorbed(i["pure"], i["other"], i["background"], i["fitting"])
        assert taken == absorbed_by_hand(i)
        plus = sum(a * max(p - q, 0) for a, p, q in zip(i["fitting"], i["pure"], i["other"], strict=True))
        minus = sum(a * max(q - p, 0) for a, p, q in zip(i["fitting"], i["pure"], i["other"], strict=True))
        assert tv(i) == max(plus, minus) - taken
        assert BY_ID["sec-5.2-tv-exact"].margin(i) == 0
        strict += 0 < taken < abs(plus - minus)
    assert strict > 10  # away from both ends too


def test_boxed_maps_lie_in_their_box_and_fall_within_the_bound():
    falls = 0
    for i in instances(ranges.boxed_maps(), 300, seed=1):
        low, high = 1 - i["a"] ** 2, 1 - i["b"] ** 2
        assert all(low <= s <= t <= high for s, t in zip(i["low"], i["high"], strict=True))
        assert ranges.defined(i, "high")
        pure = sum(abs(p - q) for p, q in zip(i["pure"], i["other"], strict=True)) / 2
        margin = BY_ID["sec-5.2-gap-bound"].margin(i)
        fall = tv(i, "low") - tv(i, "high")
        assert margin >= 0
        assert float(margin) == pytest.approx(
            gap_bound(float(low), float(high), float(pure)) - float(fall), abs=1e-12)
        falls += fall > 0
    assert falls > 5


def test_the_small_boxes_hold_the_witness_and_nothing_falls_further():
    margins = [BY_ID["sec-5.2-gap-bound"].margin(i) for i in ranges.small_boxed_maps()]
    assert len(margins) == 4 * 10 * 27 and min(margins) == 0
    tight = {tuple(map(str, i["pure"])) + tuple(map(str, i["background"]))
             for i, m in zip(ranges.small_boxed_maps(), margins, strict=True)
             if m == 0 and any(i["low"] != i["high"])}
    assert ("2/3", "1/3", "0", "2/3", "1/3", "0") in tight


def test_a_smaller_bound_is_refuted():
    """The sharp constant: with 99/100 of the bound the witness is a counterexample."""
    w = gap_witness(F(1), F(1, 2))
    fall = tv(w, "low") - tv(w, "high")
    assert fall == F(1, 3) > F(99, 100) * F(1, 3)
    assert tv(w, "high") == 0 and tv(w, "low") == F(1, 3)


@pytest.mark.parametrize("a,b", [(F(1), F(1, 9)), (F(4, 5), F(3, 5)), (F(1, 3), F(1, 4))])
def test_the_witness_takes_its_two_values(a, b):
    w = gap_witness(a, b)
    low, high = 1 - a * a, 1 - b * b
    assert tv(w, "low") == low + (a - b) ** 2 / high and tv(w, "high") == low
    assert BY_ID["sec-5.2-gap-attained"].margin({"a": a, "b": b}) == 0
    assert {k: tuple(v) for k, v in w.items()} == witness_atoms(a, b)


def test_attained_margin_sees_a_model_outside_its_box(monkeypatch):
    def outside(a, b):
        w = gap_witness(a, b)
        return {**w, "high": w["high"] + np.array([F(0), F(0), F(1, 100)], dtype=object)}

    monkeypatch.setattr(gap, "gap_witness", outside)
    assert BY_ID["sec-5.2-gap-attained"].margin({"a": F(1), "b": F(1, 2)}) > 0


def test_proportional_and_binary_instances():
    strict = {"kept": 0, "binary": 0}
    for i in instances(ranges.kept_errors(), 150, seed=2):
        assert 0 < i["keep"] <= 1
        better = [1 - i["keep"] * (1 - v) for v in i["fitting"]]
        np.testing.assert_array_equal(proportional(i["fitting"], i["keep"]), better)
        gain = tv({**i, "fitting": better}) - tv(i)
        assert gain == BY_ID["sec-5.2-proportional"].margin(i) >= 0
        strict["kept"] += gain > 0
    for i in instances(ranges.binary_then_better(), 150, seed=3):
        assert set(i["low"]) <= {0, 1} and all(s <= t <= 1 for s, t in zip(i["low"], i["high"], strict=True))
        gain = tv(i, "high") - tv(i, "low")
        assert gain == BY_ID["sec-5.2-binary-worse"].margin(i) >= 0
        strict["binary"] += gain > 0
    assert min(strict.values()) > 30


def test_uneven_improvement_of_a_soft_map_does_fall():
    """What the two monotone cases exclude: the margins see a fall where there is one."""
    w = gap_witness(F(1), F(1, 2))
    assert BY_ID["sec-5.2-binary-worse"].margin(w) == -F(1, 3)
    assert BY_ID["sec-5.2-monotone"].margin(w) == -F(1, 3)


@pytest.mark.parametrize("identity", IDS)
def test_proofs_hold(identity):
    proof = BY_ID[identity].proof()
    assert proof.result is True, proof.text


def test_lemmas_of_the_bound_fail_when_weakened():
    """Without the upper limit u on b2, or without m1 > 0, the steps are not valid."""
    import z3

    from theory.claims.proofs import smt

    b1, b2, big_q, r, t, low, high, on_x = z3.Reals("b1 b2 Q R t l u B")
    rest = b1 * (big_q - 1) + b2 * (t - r)
    box = z3.And(0 <= low, low <= high, high <= 1, 0 <= big_q, big_q <= 1, 0 <= r, r <= big_q, t >= r,
                 on_x >= 0, low * on_x <= b1, b1 <= b2, high > 0)
    exact_t = high * t == low + big_q * (high - low)
    goal = rest <= high * on_x * (big_q - r)
    assert smt("", z3.Implies(z3.And(box, exact_t, b2 <= high * on_x), goal)).result is True
    assert smt("", z3.Implies(z3.And(box, exact_t), goal)).result is None
    assert smt("", z3.Implies(z3.And(box, t <= 1, b2 <= high * on_x), goal)).result is None


HALVES = np.array([F(1, 2), F(1, 2)], dtype=object)
FIRST, SECOND = (np.array(v, dtype=object) for v in ((F(1), F(0)), (F(0), F(1))))


@pytest.mark.parametrize("to", [np.asarray, lambda x: np.asarray(x, dtype=np.float64)], ids=["exact", "float"])
def test_the_absorbed_part_exists_where_eq_18_does(to):
    pure, other, half = to(FIRST), to(SECOND), to(HALVES)
    with pytest.raises(DivisionUndefined, match="Eq. 18 needs lambda < 1"):
        absorbed(pure, other, half, to(FIRST + SECOND))
    with pytest.raises(DivisionUndefined, match="Eq. 18 needs lambda < 1"):
        absorbed(pure, other, pure, pure)
    for wrong in (-half, 3 * half):
        with pytest.raises(ValueError, match=r"lambda must lie in \[0, 1\], got"):
            absorbed(pure, other, half, wrong)
    with pytest.raises(ValueError, match="must integrate to 1"):
        absorbed(pure, 2 * other, half, half)
    assert absorbed(pure, other, half, pure) == 0


@pytest.mark.parametrize("keep", [F(-1, 10), F(11, 10), 1.5, np.nan, np.array([0.5, 2.0])], ids=str)
def test_kept_errors_are_no_larger(keep):
    with pytest.raises(ValueError, match=r"keep must lie in \[0, 1\], got"):
        proportional(HALVES, keep)


def test_the_ends_of_proportional_maps():
    assert proportional(HALVES, 1).tolist() == HALVES.tolist() and proportional(HALVES, 0).tolist() == [1, 1]
    np.testing.assert_array_equal(proportional(np.zeros((2, 2)), np.array([0.0, 0.25])), [[1, 0.75]] * 2)


@pytest.mark.parametrize("a,b", [(1.0, F(1, 2)), (1, 0.5), (np.float64(1), F(1, 2)), (1, sympy.Float("0.5"))])
def test_the_witness_refuses_floats(a, b):
    with pytest.raises(TypeError, match="must be exact"):
        gap_witness(a, b)


def test_the_witness_of_ints_and_symbolic_numbers():
    assert gap_witness(1, F(1, 2))["pure"].tolist() == [F(2, 3), F(1, 3), 0]
    root = sympy.sqrt(3) / 2
    w = gap_witness(root, sympy.Rational(1, 2))
    assert w["low"].tolist() == [sympy.Rational(3, 4)] + [sympy.Rational(1, 4)] * 2
    assert sympy.simplify(sum(w["pure"]) - 1) == 0
