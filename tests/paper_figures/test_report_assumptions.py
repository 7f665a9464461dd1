"""Assumptions read off rows: each state is reached by rows that differ in what decides it."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest

from paper_figures.assumptions import ASKED, MET, NOT_MET, UNKNOWN, Check, checks
from paper_figures.drawings import drawn_rows, facts
from paper_figures.registry import COMMITTED, ENTRIES, load_rows
from sims.rows import read_rows
from theory.methods import is_rectangle


def trained(**changes) -> dict:
    row = {"kind": "training", "key": "a", "method": "rectangle", "supervision": "label", "grid": [8, 8],
           "floor": 0.0, "train": {"loss": 0.01, "missing_rate": 0.02}, "train_areas": {"8": 4},
           "config": {"data": "shapes", "shapes": {"noise": 0.1}}}
    for path, value in changes.items():
        at = row
        *above, last = path.split("__")
        for name in above:
            at = at[name]
        at[last] = value
    return row


def states(*rows) -> dict[str, str]:
    return {c.assumption: c.state for c in checks(list(rows))}


def test_a_run_that_meets_what_can_be_seen():
    assert states(trained()) == {"no atoms": MET, "deterministic target": UNKNOWN, "(H1)": MET,
                                 "realisable": MET, "grid": MET}
    assert list(ASKED) == [c.assumption for c in checks([trained()])]


@pytest.mark.parametrize("name,change,state", [
    ("no atoms", {"config__shapes__noise": 0.0}, UNKNOWN),
    ("no atoms", {"config__data": "folder"}, UNKNOWN),
    ("no atoms", {"config__shapes": {}}, UNKNOWN),
    ("(H1)", {"train__missing_rate": 0.07}, NOT_MET),  # the empty map's is 8/64 = 0.125
    ("(H1)", {"train__missing_rate": 0.0624}, MET),
    ("(H1)", {"train__missing_rate": 0.0626}, NOT_MET),
    ("(H1)", {"train__loss": 0.5}, UNKNOWN),
    ("(H1)", {"train_areas": None}, UNKNOWN),
    ("realisable", {"floor": 0.01}, NOT_MET),
    ("realisable", {"floor": None}, UNKNOWN),
    ("realisable", {"floor": 0.01, "method": "positionwise"}, MET),
    ("grid", {"grid": [8, 1]}, NOT_MET),
    ("grid", {"grid": [8, 9]}, NOT_MET),
])
def test_one_change_decides(name, change, state):
    assert states(trained(**change))[name] == state
    if state == NOT_MET:
        assert states(trained(), trained(**change))[name] == NOT_MET  # also beside a row that meets it


def test_the_premise_is_asked_of_label_only_runs_with_a_map():
    for change in ({"supervision": "mask"}, {"method": "oracle"}, {"method": "none"},
                   {"train__missing_rate": None}):
        assert "(H1)" not in states(trained(**change))


def test_simulations_and_complexities():
    row = {"kind": "theorem-1", "key": "a", "noise": "0", "grid": [7, 7], "targets_in_family": True}
    assert states(row) == {"no atoms": MET, "deterministic target": MET, "realisable": MET, "grid": MET}
    assert states(row, {**row, "noise": "1/4"})["deterministic target"] == NOT_MET
    assert states(row, {**row, "targets_in_family": False})["realisable"] == NOT_MET
    complexity = {"kind": "rademacher", "key": "a", "predictors": "all", "grid": [7, 7]}
    assert states(complexity) == {"no atoms": MET, "grid": MET}
    assert states({**complexity, "predictors": "all, inputs repeated 4 times"})["no atoms"] == NOT_MET


def test_kinds_are_asked_apart_and_the_worst_counts():
    found = checks([trained(), {"kind": "theorem-1", "noise": "1", "grid": [5, 5], "targets_in_family": True}])
    by_name = {c.assumption: c for c in found}
    assert by_name["deterministic target"].state == NOT_MET and ";" in by_name["deterministic target"].why
    assert by_name["grid"].state == MET and "8 × 8" in by_name["grid"].why and "5 × 5" in by_name["grid"].why


def test_nothing_is_asked_of_timings_or_of_no_rows():
    assert checks([{"kind": "supremum-speed", "key": "a", "side": 7}]) == checks(None) == checks([]) == []


FIELDS = ("kind", "method", "supervision", "grid", "floor", "train", "train_areas", "config", "noise",
          "targets_in_family", "predictors", "regime", "seconds", "provenance", "version", "seed")
ODD = (..., None, "x", 3, -1.5, float("nan"), True, [], [3], ["a", 1], [0, 0], {}, {"loss": "small"})


@pytest.mark.parametrize("field", FIELDS)
def test_one_odd_field_never_raises(field):
    """``...``: the field is not there."""
    for good in (trained(), {"kind": "theorem-1", "key": "b", "noise": "0", "grid": [7, 7],
                             "targets_in_family": True, "predictors": "all"}):
        for value in ODD:
            bad = {k: v for k, v in {**good, field: value}.items() if v is not ...}
            for rows in ([bad], [good, bad], [bad, good]):
                assert all(c.state in (MET, NOT_MET, UNKNOWN) and c.why for c in checks(rows))
                facts(rows)


@pytest.mark.parametrize("field", ["grid", "floor", "train_areas"])
def test_a_row_that_lacks_what_is_counted_makes_the_premise_unknown(field):
    bad = trained()
    del bad[field]
    found = {c.assumption: c for c in checks([trained(), bad])}["(H1)"]
    assert found.state == UNKNOWN and f"lacks the field '{field}'" in found.why
    if field == "grid":
        odd = {c.assumption: c for c in checks([trained(), trained(grid=["a", 1])])}
        assert odd["(H1)"].state == odd["grid"].state == UNKNOWN and "1 of 2 rows" in odd["grid"].why


def test_in_a_regime_a_small_loss_is_one_near_the_oracles():
    run = trained(train__loss=0.25)
    run |= {"experiment": "regimes", "regime": "hard"}
    oracle = {**trained(method="oracle", train__loss=0.2), "experiment": "regimes", "regime": "hard"}
    assert states({**run, "experiment": "grid"}, oracle)["(H1)"] == UNKNOWN
    assert states(run)["(H1)"] == UNKNOWN and states(run, oracle)["(H1)"] == MET
    assert states(run, {**oracle, "regime": "easy"})["(H1)"] == UNKNOWN


@pytest.mark.parametrize("entry", [e for e in ENTRIES.values() if e.rows], ids=lambda e: e.name)
def test_what_a_figure_draws_is_rows_of_its_files(entry):
    rows = load_rows(entry, COMMITTED)
    known = {id(r) for r in rows}
    found = drawn_rows(entry.module(), rows)
    assert found and all(id(r) in known for r in found)


def test_rows_drawn_by_a_second_count():
    def drawn(name):
        return drawn_rows(ENTRIES[name].module(), load_rows(ENTRIES[name], COMMITTED))

    assert len(drawn("fig09_extremes")) == 1
    rows = load_rows(ENTRIES["slack"], COMMITTED)
    assert {r["n"] for r in drawn("slack")} == {max(r["n"] for r in rows)}
    assert {r["method"] for r in drawn("h1") if r["experiment"] == "regimes"} == {
        "rectangle", "positionwise", "oracle"}
    assert all(r["sequences"] for r in drawn("sequences"))
    with pytest.raises(TypeError, match="list of rows, got dict"):
        drawn_rows(SimpleNamespace(select=no_list), rows)


def no_list(rows):
    return {}


def test_states_are_those_three():
    with pytest.raises(ValueError, match="must be one of.*'yes'"):
        Check("grid", "yes", "why")


def test_committed_rows_by_a_second_count():
    rows = read_rows(COMMITTED / "training.jsonl")
    found = {c.assumption: c for c in checks(rows)}
    shaped = [r for r in rows if is_rectangle(r["method"])]
    assert f"{sum(r['truth'] == 'l' for r in shaped)} of {len(shaped)} rows" in found["realisable"].why
    assert found["realisable"].state == NOT_MET and found["no atoms"].state == MET
    less = copy.deepcopy([r for r in rows if r["truth"] == "rotated"])
    assert {c.assumption: c.state for c in checks(less)}["realisable"] == MET


def test_photographs_are_not_drawn_from_their_masks():
    ours, pets = trained(), trained(config__data="pets", train__missing_rate=0.07)
    (alone,) = [c for c in checks([pets]) if c.assumption == "deterministic target"]
    assert "a person drew the mask" in alone.why and "noisy image" not in alone.why
    both = {c.assumption: c for c in checks([ours, pets])}
    assert "noisy image from it; a person" in both["deterministic target"].why
    assert "(1 of 2 rows)" in both["deterministic target"].why
    assert "1 of 2 rows on images from files (Oxford-IIIT Pet)" in both["no atoms"].why
    assert both["(H1)"].state == NOT_MET and both["(H1)"].why.endswith(
        "rectangle on ShapeField 1 of 1, rectangle on Oxford-IIIT Pet 0 of 1")
    assert "on ShapeField" not in next(c.why for c in checks([ours]) if c.assumption == "(H1)")
