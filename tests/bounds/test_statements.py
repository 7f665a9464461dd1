"""The statements about all functions as objects: the formulas, their order, their slack."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from tests.bounds.strategies import DELTA, RHO, SIZE, UNIT
from theory.bounds import all_functions
from theory.bounds.base import INGREDIENTS, Bound
from theory.bounds.statements import Ceiling, SharpBound, TheoremOne, TheoremThree

BOUNDS = (Ceiling, TheoremOne, SharpBound, TheoremThree)
GIVEN = {"empirical": 0.1, "rho": -0.2, "n_samples": 300, "mean_g": 0.4, "complexity": 0.25}


@given(UNIT, RHO, SIZE, DELTA, UNIT, UNIT)
def test_upper_is_the_formula(r, rho, n, delta, complexity, share):
    given_ = {"empirical": r, "rho": rho, "n_samples": n, "complexity": complexity,
              "mean_g": share * (1 - rho) / 2}
    want = {"ceiling": all_functions.ceiling(rho),
            "theorem_1": all_functions.theorem_1(r, rho, n, delta),
            "sharp_bound": all_functions.sharp_bound(given_["mean_g"], rho, n, delta),
            "theorem_3": all_functions.theorem_3(r, complexity, n, delta)}
    for cls in BOUNDS:
        assert cls(delta=delta).upper(**given_) == want[cls.name]


@given(UNIT, RHO, SIZE, DELTA)
def test_theorem_1_is_never_below_the_ceiling_and_is_theorem_3_with_prop_2(r, rho, n, delta):
    one = TheoremOne(delta).upper(empirical=r, rho=rho, n_samples=n)
    assert one > Ceiling(delta).upper(rho=rho)
    three = TheoremThree(delta).upper(empirical=r, complexity=(1 - rho) / 4, n_samples=n)
    assert one == pytest.approx(three, abs=1e-14)


@pytest.mark.parametrize(("cls", "names", "slack"), [
    (Ceiling, ["start", "relevance"], {"relevance": 0.6}),
    (TheoremOne, ["empirical", "relevance", "confidence"], {"relevance": 0.6, "confidence": 0.2352}),
    (SharpBound, ["start", "worst maps", "confidence"], {"worst maps": 0.4, "confidence": 0.0424}),
    (TheoremThree, ["empirical", "complexity", "confidence"], {"complexity": 0.5, "confidence": 0.2352}),
])
def test_stages_and_slack(cls, names, slack):
    stages = cls().stages(**cls().take(GIVEN))
    assert list(stages) == names
    assert all(b >= a for a, b in zip(list(stages.values()), list(stages.values())[1:], strict=False))
    got = cls().slack(**GIVEN)
    assert got == pytest.approx(slack, abs=1e-4)
    assert stages[names[0]] + sum(got.values()) == pytest.approx(cls().upper(**GIVEN), abs=1e-15)


def test_certainty_costs_nothing():
    assert Ceiling(delta=1e-9).upper(rho=0.3) == Ceiling(delta=0.9).upper(rho=0.3)


@pytest.mark.parametrize("cls", BOUNDS)
def test_it_says_what_it_is(cls):
    assert issubclass(cls, Bound) and set(cls.needs()) <= set(INGREDIENTS)
    assert cls.title and cls.source and cls.statement and cls.assumptions.random and cls.assumptions.uniform
    assert len({other.name for other in BOUNDS}) == len(BOUNDS)


@pytest.mark.parametrize("cls", BOUNDS)
def test_batched_is_one_by_one(cls):
    rows = {"empirical": np.array([0.0, 0.1, 1.0]), "rho": np.array([-1.0, -0.2, 0.1]),
            "n_samples": np.array([1, 20, 3000]), "mean_g": np.array([0.3, 0.5, 0.2]),
            "complexity": np.array([0.0, 0.5, 0.1])}
    stages = cls().stages(**cls().take(rows))
    for i in range(3):
        one = cls().stages(**cls().take({k: v[i] for k, v in rows.items()}))
        assert {k: float(v[i]) for k, v in stages.items()} == {k: float(v) for k, v in one.items()}
    grown = cls().stages(**cls().take(rows | {"n_samples": np.array([[5], [50]])}))
    shape = (3,) if cls is Ceiling else (2, 3)
    assert {value.shape for value in grown.values()} == {shape}


@pytest.mark.parametrize(("call", "message"), [
    (lambda: Ceiling().upper(empirical=0.1), "'ceiling' needs rho"),
    (lambda: TheoremOne().upper(empirical=0.1, rho=0.0), "'theorem_1' needs n_samples"),
    (lambda: SharpBound().upper(mean_g=None, rho=0.0, n_samples=5), "'sharp_bound' needs mean_g"),
    (lambda: SharpBound().upper(mean_g=0.7, rho=0.0, n_samples=5), "cannot exceed the ceiling"),
    (lambda: TheoremThree().upper(empirical=0.1, complexity=2.0, n_samples=5), "complexity must be"),
    (lambda: TheoremOne(delta=1.2), r"delta must be in \(0, 1\), got 1.2"),
    (lambda: TheoremOne().upper(empirical=-0.1, rho=0.0, n_samples=5), "got -0.1"),
])
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
