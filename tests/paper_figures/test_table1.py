"""The paper's Table 1 re-tested, against scipy; our paired comparisons, against arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from paper_figures import table1
from paper_figures.fields import FieldError
from paper_figures.registry import COMMITTED
from sims.rows import read_rows
from tests.paper_figures.test_fig05_accuracy import BASE, rows
from theory.table1 import TABLE

THREE = (60, 70, 80)


def cell(found, line, column):
    (mine,) = [x for x in found.lines if x[:3] == line]
    return mine[found.columns.index(column)]


def test_the_papers_cells_by_scipy():
    found = table1.table(rows(THREE))
    assert len(found.lines) == 12 and found.heads == 3 and found.rules == (3, 6, 9)
    for model in ("MobileNetV3", "EfficientNet-b0"):
        for method, baseline, ratio in {x[:3] for x in found.lines}:
            a, b = TABLE[model, method, ratio], TABLE[model, baseline, ratio]
            test = stats.ttest_ind_from_stats(float(a.mean), float(a.sd), 5, float(b.mean), float(b.sd), 5,
                                              equal_var=False)
            line = method, baseline, ratio
            assert cell(found, line, f"{model}: p") == table1.probability(test.pvalue)
            gain = float(cell(found, line, f"{model}: gain").replace("−", "-"))
            assert gain == pytest.approx(float(a.mean - b.mean), abs=0.005001)


def test_holm_is_over_the_twelve_comparisons_of_a_method():
    printed = table1.paper_tests()
    for method in table1.METHODS:
        mine = [v for k, v in printed.items() if k[1] == method]
        assert len(mine) == 12
        least = min(mine, key=lambda v: v[1])
        assert least[2] == pytest.approx(12 * least[1])
    assert min(v[2] for v in printed.values()) > 0.05


def test_our_cells_by_arithmetic():
    found = table1.table(rows(THREE))
    line = "rectangle", "position-wise", "7:3"
    differences = [0.1 + 0.001 * s for s in range(len(BASE))]
    assert cell(found, line, "ours: gain") == f"+{100 * np.mean(differences):.1f}"
    assert cell(found, line, "ours: splits won") == "4/4"
    worse = "rectangle+EQVC", "position-wise", "6:4"
    assert cell(found, worse, "ours: gain") == "−5.0" and cell(found, worse, "ours: splits won") == "0/4"


def test_our_p_is_corrected_for_the_overlap():
    wide = [r | {"test": {"accuracy": r["test"]["accuracy"] + 0.06 * r["config"]["split"]}}
            if r["key"].startswith("rectangle7") else r for r in rows(THREE)]
    found = table1.table(wide)
    line = "rectangle", "position-wise", "7:3"
    differences = [0.1 + 0.061 * s for s in range(len(BASE))]
    statistic = np.mean(differences) / (np.std(differences, ddof=1) * np.sqrt(1 / 4 + 3 / 7))
    assert cell(found, line, "ours: p") == table1.probability(2 * stats.t.sf(statistic, 3))
    assert 0.05 < float(cell(found, line, "ours: p")) < 0.5


def test_differences_that_do_not_vary_have_no_p():
    flat = [r | {"test": r["test"] | {"accuracy": 0.5 + 0.25 * (r["method"] == "rectangle")}}
            for r in rows(THREE)]
    assert cell(table1.table(flat), ("rectangle", "none", "6:4"), "ours: p") == "–"
    assert "12 of 12 gains positive, 0 with p < 0.05, 0 after Holm. No error" in table1.caption(flat)


def test_a_ratio_without_rows_stays_empty():
    found = table1.table(rows((60,)))
    assert found.lines[0][-4:] != ("–",) * 4 and found.lines[1][-4:] == ("–",) * 4


def test_probabilities_for_people():
    assert [table1.probability(p) for p in (0.0004, 0.0006, 0.0994, 0.0996, 1.0)] == [
        "<0.001", "0.001", "0.099", "0.10", "1.00"]


def test_committed_rows():
    found = read_rows(COMMITTED / "splits.jsonl")
    text = table1.caption(found)
    ours = table1.our_tests(found)
    assert f"{sum(f['holm_t'] < 0.05 for f in ours.values())} after Holm. No error" in text
    assert all(f["n"] == 5 for f in ours.values()) and "cannot go below 0.0625" in text
    for form in ("latex", "csv", "html", "text"):
        assert "EfficientNet-b0" in getattr(table1.table(found), form)()


def test_too_few_splits_or_methods_are_refused():
    with pytest.raises(FieldError, match="lacks the field 'test.accuracy'"):
        table1.table([{**rows()[0], "test": {}}])
    with pytest.raises(ValueError, match="not 'rectangle'"):
        table1.table([r for r in rows() if r["method"] == "none"])
