"""A row with one damaged field costs that row at most, in every figure, table and finding."""

from __future__ import annotations

import random

import pytest

from paper_figures.fields import FieldError, words
from paper_figures.findings import modules
from paper_figures.registry import COMMITTED, ENTRIES, Entry, load
from tests.paper_figures.damage import DAMAGES, complaint, fields, maker

FINDINGS = [Entry(m.__name__.rsplit(".", 1)[1], "a finding", m.ROWS) for m in modules()]
DRAWN = {e.name: e for e in (*ENTRIES.values(), *FINDINGS) if e.rows is not None}
TRIED, TRIED_DEEP = 4, 40
"""Damages of each figure: a field and what is wrong with it."""


def _cases(name, most):
    entry = DRAWN[name]
    rows, make = load(entry, COMMITTED).rows, maker(entry)
    if any("certificates" in file for file in entry.files):  # bounds take time
        rows = [r for r in rows if r.get("n") == max(q.get("n", 0) for q in rows)]
    cases = [(path, k, kind) for path, k in fields(make, rows).items() for kind in DAMAGES]
    random.Random(name).shuffle(cases)
    return make, rows, cases[:most]


def _complaints(name, most):
    make, rows, cases = _cases(name, most)
    assert cases
    whole = make(rows)
    found = {(path, kind): complaint(make, rows, k, path, DAMAGES[kind], whole)
             for path, k, kind in cases}
    return {case: said for case, said in found.items() if said}


@pytest.mark.parametrize("name", DRAWN)
def test_a_damaged_field_costs_its_row_at_most(name):
    assert _complaints(name, TRIED) == {}


@pytest.mark.parametrize("odd", [None, 3, "", "  ", ["x"]])
def test_words_are_words(odd):
    with pytest.raises(FieldError, match="row 'a': 'rule' must be words, got "):
        words({"key": "a", "rule": odd}, "rule")


@pytest.mark.deep
@pytest.mark.parametrize("name", DRAWN)
def test_any_damaged_field_costs_its_row_at_most(name):
    assert _complaints(name, TRIED_DEEP) == {}
