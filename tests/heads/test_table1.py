"""Table 1: gains, Welch's tests and Holm's correction."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from theory.claims.ledger_6 import SEC_6_RUNTIME
from theory.table1 import METHODS, MODELS, RATIOS, TABLE, Cell, Comparison, comparisons, holm, welch


def test_the_table_is_complete():
    assert set(TABLE) == {(m, k, r) for m in MODELS for k in METHODS for r in RATIOS}
    assert sum(c.mean for c in TABLE.values()) == Fraction("2238.174")  # from the printed table
    assert sum(c.sd for c in TABLE.values()) == Fraction("9.103")


def test_gains():
    ours = comparisons("rectangle+EQVC")
    assert len(ours) == 12 and all(c.gain > 0 for c in ours)
    assert (min(c.gain for c in ours), max(c.gain for c in ours)) == (
        Fraction("0.244"), Fraction("0.670"))
    plain = comparisons("rectangle")
    assert len(plain) == 12 and all(c.gain > 0 for c in plain)
    assert sorted(float(c.gain) for c in comparisons("rectangle+EQVC", ["rectangle"])) == [
        0, 0.04, 0.061, 0.068, 0.144, 0.176]


def test_signs_of_the_position_wise_module():
    signs = [int(np.sign(float(c.gain))) for c in comparisons("position-wise", ["none"])]
    assert signs == [1, -1, 1, -1, -1, -1]


@pytest.mark.parametrize("c", comparisons("rectangle+EQVC"), ids=str)
def test_welch_against_scipy(c):
    a, b = (TABLE[c.model, m, c.ratio] for m in (c.method, c.baseline))
    wanted = stats.ttest_ind_from_stats(float(a.mean), float(a.sd), 5, float(b.mean), float(b.sd), 5,
                                        equal_var=False)
    found = welch(a, b)
    assert found.statistic == pytest.approx(wanted.statistic, rel=1e-10)
    assert found.p_value == pytest.approx(wanted.pvalue, rel=1e-9) == c.p_value


def test_welch_against_scipy_on_samples_with_its_degrees():
    random = np.random.default_rng(4)
    x, y = random.normal(0, 1, 9), random.normal(0.4, 3, 9)
    cells = [Cell(Fraction(float(v.mean())), Fraction(float(v.std(ddof=1)))) for v in (x, y)]
    wanted = stats.ttest_ind(x, y, equal_var=False)
    found = welch(*cells, n=9)
    assert (found.p_value, found.degrees) == pytest.approx((wanted.pvalue, wanted.df), rel=1e-10)


def test_three_small_p_values_none_after_holm():
    p_values = [c.p_value for c in comparisons("rectangle+EQVC")]
    assert sorted(f"{p:.3f}" for p in p_values if p < 0.05) == ["0.011", "0.017", "0.039"]
    assert min(holm(p_values)) == pytest.approx(12 * min(p_values)) and min(holm(p_values)) > 0.1


def test_holm_against_the_step_down_rule():
    random = np.random.default_rng(0)
    for _ in range(200):
        p = random.uniform(0, 1, 7) ** 3
        level = random.uniform(0.01, 0.5)
        order, rejected = np.argsort(p), set()
        for rank, i in enumerate(order):
            if p[i] > level / (7 - rank):
                break
            rejected.add(int(i))
        assert {i for i, q in enumerate(holm(list(p))) if q <= level} == rejected


def test_cited_sizes():
    measurement = SEC_6_RUNTIME.measure()
    assert measurement.method == "cited" and "1.78" in measurement.text
    ratios = list(measurement.numbers.values())
    assert ratios == pytest.approx([390 / 219, 5.3 / 5.4])


def test_bad_input():
    with pytest.raises(ValueError, match="a method is one of"):
        comparisons("ours")
    with pytest.raises(ValueError, match="n >= 2"):
        welch(Cell(Fraction(1), Fraction(1)), Cell(Fraction(1), Fraction(1)), n=1)
    with pytest.raises(ValueError, match="not both 0"):
        welch(Cell(Fraction(1), Fraction(0)), Cell(Fraction(1), Fraction(0)))
    with pytest.raises(ValueError, match="p-values must lie"):
        holm([0.1, math.nan])
    assert Comparison("MobileNetV3", "6:4", "rectangle", "none").gain == Fraction("0.602")
