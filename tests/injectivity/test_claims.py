"""The ledger of Appendix F: verdicts, and the facts behind them computed without the toolkit."""

from __future__ import annotations

from fractions import Fraction as F
from random import Random

import numpy as np
import pytest

from tests.separation.test_claims import collect_lemmas
from theory.claims import verify
from theory.claims.draws import draw
from theory.claims.ledger_f import CLAIMS, log_scale, soft
from theory.claims.ledger_f import instances as pairs

BY_ID = {c.id: c for c in CLAIMS}
STATUS = {
    "eq-26-typography": "ill-posed", "eq-26": "holds", "prop-3": "holds", "prop-3-exact": "holds",
    "prop-3-necessary": "refuted", "remark-4": "holds", "prop-4": "holds",
    "prop-4-proof": "refuted", "prop-4-rescaled": "vacuous", "prop-4-rescaled-ratio": "holds",
    "thm-4": "unrefuted", "thm-4-injective": "holds", "collision-form": "holds",
    "log-scale": "holds", "log-scale-rescaled": "holds", "scale-blind": "holds",
    "app-F-determinant": "unrefuted", "app-F-determinant-common": "holds",
}


def test_every_claim_has_its_expected_status_here():
    assert set(BY_ID) == set(STATUS) and len(CLAIMS) == len(STATUS)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: c.id)
def test_verdict(claim):
    verdict = verify(claim, examples=20, budget=2.0, amendment=False)
    assert verdict.status == STATUS[claim.id], str(verdict)
    if verdict.status == "refuted":
        replayed = claim.margin(verdict.counterexample)
        assert replayed == verdict.counterexample_margin < 0
    if verdict.status in ("refuted", "ill-posed", "vacuous"):
        assert claim.amendment is not None and STATUS[claim.amendment.id] == "holds"


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: c.id)
def test_claim_is_fully_described(claim):
    from latex2mathml.converter import convert

    assert claim.words and claim.assumptions and claim.source and claim.code and claim.test
    assert convert(claim.statement).startswith("<math")
    assert claim.amendment is None or claim.amendment.id in BY_ID


@pytest.mark.parametrize("claim", [c for c in CLAIMS if c.proof or c.unsatisfiable],
                         ids=lambda c: c.id)
def test_no_lemma_is_vacuous(claim, monkeypatch):
    import z3

    for lemma in collect_lemmas(monkeypatch, claim):
        if z3.is_implies(lemma):
            solver = z3.Solver()
            solver.add(lemma.arg(0))
            assert solver.check() == z3.sat, lemma


def test_strategies_give_what_they_say():
    rng = Random(2)
    collisions = 0
    for _ in range(80):
        i = draw(pairs.any_pairs(binary=True), rng).instance
        assert not np.array_equal(i["x"], i["y"])
        out = [i[a] * (1 + i[m])[..., None] for a, m in (("x", "map_x"), ("y", "map_y"))]
        collisions += np.array_equal(*out)
        i = draw(pairs.colliding_pairs(binary=False), rng).instance
        assert not np.array_equal(i["x"], i["y"])
        assert np.array_equal(i["x"] * (1 + i["map_x"])[..., None],
                              i["y"] * (1 + i["map_y"])[..., None])
        assert BY_ID["prop-3"].assumes(draw(pairs.condition_pairs(), rng).instance)
        assert BY_ID["prop-3-necessary"].assumes(draw(pairs.violating_pairs(), rng).instance)
    assert 5 <= collisions <= 60


def test_margins_see_what_they_test():
    """Each margin turns negative when its subject is made wrong."""
    x, y = (np.array([[[v]]], dtype=object) for v in (F(1), F(2)))
    maps = {k: np.array([[v]], dtype=object) for k, v in (("map_x", 1), ("map_y", 0))}
    collision = {"x": x, "y": y, **maps}
    assert BY_ID["prop-3-exact"].margin(collision) == 0
    assert BY_ID["collision-form"].margin(collision) == 0
    assert BY_ID["remark-4"].margin(collision) == 0
    assert BY_ID["prop-3-necessary"].margin(collision) == 0
    assert BY_ID["prop-4"].margin(collision) == pytest.approx(0)
    assert BY_ID["remark-4"].margin({**collision, "map_y": maps["map_x"]}) == -1
    wrong = {"A": np.eye(2), "alpha": 0.5, "x - y": np.array([1.0, 0]),
             "Gx - Gy": np.array([0.9, 0])}
    assert BY_ID["thm-4"].margin(wrong) == pytest.approx(-0.4)  # 0.9 > alpha


def test_shrinking_map_shrinks_strictly_and_has_no_constant():
    points = [F(k, 20) for k in range(-20, 21)]
    for a in points:
        for b in points:
            if a != b:
                assert abs(soft.shrinking(a) - soft.shrinking(b)) < abs(a - b)
    for alpha in (F(1, 2), F(999, 1000)):
        x = 1 - alpha
        assert abs(soft.shrinking(x)) > alpha * x


def test_rescaled_gain_is_a_variance():
    values = np.array([[F(1), F(0), F(1, 2)]], dtype=object)
    # f~ = 2, 0, 1: sum of squares 5, HW = 3, n times the variance = 2
    assert BY_ID["prop-4-rescaled-ratio"].margin({"map": values}) == 2
    assert BY_ID["prop-4-rescaled-ratio"].margin({"map": values * 0 + 1}) == 0


def test_blind_predictor_is_blind():
    table = [F(k, 12) for k in range(5)]
    x = np.array([[[F(1), F(-2)], [F(3), F(0)]]], dtype=object)
    f = log_scale.blind_predictor(table)
    scaled = x * np.array([[F(7), F(1, 9)]], dtype=object)[..., None]
    assert np.array_equal(f(x), f(scaled))
    assert not np.array_equal(f(x), f(-x))
