"""The table of a row: its numbers are those of the objects, none is below its start, levels count."""

import copy
import json
import time

import numpy as np
import pytest

from tests.bounds.rows import POSTERIORS, REAL, row_of
from theory.bounds.betting import Betting
from theory.bounds.chernoff import Chernoff
from theory.bounds.disintegrated import Disintegrated, disintegrated
from theory.bounds.evidence import evidence
from theory.bounds.hoeffding import Hoeffding
from theory.bounds.occam import occam
from theory.bounds.pac_bayes import gibbs_upper
from theory.bounds.pac_bayes_kl import PacBayesKl, pac_bayes_kl
from theory.bounds.statements import SharpBound, TheoremOne
from theory.bounds.table import BOUNDS, lacking, table

HELD_OUT = {"hoeffding", "chernoff", "maurer_pontil", "betting"}
CLASSES = ("empty", "constant", "few-bits", "last-layer", "last-layer-ramp", "near-layer", "near-layer-ramp")
FIELDS = {"bound", "title", "predictor", "delta", "start", "upper", "slack", "largest", "test"}


def cells(row, delta=0.05):
    return {(line["bound"], line["predictor"]): line for line in table(row, delta)}


def test_every_bound_is_there_for_every_predictor_that_has_its_ingredients():
    found = cells(row_of())
    assert {name for name, who in found if who == "trained"} == {
        "ceiling", "theorem_1", "sharp_bound", "occam", *HELD_OUT}
    for who in POSTERIORS:
        mine = {name for name, w in found if w == who}
        assert mine - HELD_OUT == {"pac_bayes_kl", "pac_bayes_quadratic", "pac_bayes_lambda", "pac_bayes_catoni", "disintegrated"}
        assert (HELD_OUT & mine) == (HELD_OUT if who == "split" else set())
    assert {name for name, who in found if who == "one-position"} == {*HELD_OUT, "clopper_pearson"}
    assert {who: {name for name, w in found if w == who} for who in CLASSES} == {
        who: {"occam" if who in CLASSES[:3] else "contraction"} for who in CLASSES}
    assert {name for name, _ in found} | {"cellwise"} == {kind.name for kind in BOUNDS} and len(BOUNDS) == len({b.name for b in BOUNDS})


@pytest.mark.parametrize("delta", [0.05, 0.3])
def test_numbers_are_those_of_the_objects(delta):
    row = row_of()
    found, kinds = cells(row, delta), {kind.name: kind for kind in BOUNDS}
    given = {e.predictor: e.given for e in evidence(row)}
    for (name, who), line in found.items():
        bound = kinds[name](delta=delta)
        assert line["upper"] == float(bound.upper(**given[who])) and line["delta"] == delta
        slack = bound.slack(**given[who])
        assert line["slack"] == {k: float(v) for k, v in slack.items()}
        assert line["title"] == bound.title and set(line) == FIELDS


def test_numbers_are_those_of_the_formulas():
    """The second route, from the row's own fields."""
    row = row_of()
    found, own = cells(row), row["certificate"]
    assert found["theorem_1", "trained"]["upper"] == pytest.approx(0.05 + 1 + 3 * np.sqrt(np.log(40) / 80), rel=1e-12)
    assert found["sharp_bound", "trained"]["upper"] == pytest.approx(0.9 + np.sqrt(np.log(20) / 80), rel=1e-12)
    assert found["ceiling", "trained"]["upper"] == 1
    assert found["occam", "trained"]["upper"] == pytest.approx(float(occam(0.05, 500 * 32 * np.log(2), 40, 0.05)))
    assert found["hoeffding", "trained"]["upper"] == pytest.approx(0.0625 + np.sqrt(np.log(20) / 120), rel=1e-12)
    assert found["hoeffding", "split"]["upper"] == pytest.approx(0.1 + np.sqrt(np.log(20) / 40), rel=1e-12)
    for who in POSTERIORS:
        c = own[who]
        gibbs = gibbs_upper(c["gibbs"], c["draws"], 0.01)
        assert found["pac_bayes_kl", who]["upper"] == pytest.approx(
            float(pac_bayes_kl(gibbs, c["kl"], c["n_samples"], 0.04, c["prior_choices"])), rel=1e-12)
        assert found["disintegrated", who]["upper"] == pytest.approx(
            float(disintegrated(c["drawn"], c["log_ratio"], c["n_samples"], 0.05, c["prior_choices"])), rel=1e-12)


@pytest.mark.parametrize("method", ["rectangle", "positionwise"])
def test_no_bound_is_below_its_start_and_the_slack_sums_up(method):
    for line in table(row_of(method)):
        assert line["upper"] >= line["start"] >= 0 and min(line["slack"].values()) >= 0
        assert line["start"] + sum(line["slack"].values()) == pytest.approx(line["upper"], abs=1e-12)
        assert line["slack"][line["largest"]] == max(line["slack"].values())


def test_where_the_bounds_start():
    row = row_of()
    for (name, who), line in cells(row).items():
        own = row["certificate"].get(who, {})
        if name in ("ceiling", "sharp_bound"):
            assert line["start"] == 0
        elif who in CLASSES:
            assert line["start"] == {"empty": 120 / 640, "constant": 0.2, "few-bits": 0.1}.get(who, 0.2 if "ramp" in who else 0.15)
        elif who == "one-position":
            assert line["start"] * 60 == pytest.approx(round(line["start"] * 60)) and line["start"] <= 20 / 60
        elif name in HELD_OUT:
            assert line["start"] == pytest.approx(0.0625 if who == "trained" else own["drawn"], abs=1e-15)
        elif name == "disintegrated":
            assert line["start"] == own["drawn"]
        else:
            assert line["start"] == (0.05 if who == "trained" else own["gibbs"])


def test_the_test_figure_is_of_what_is_bounded():
    """Beside a bound of one drawn network stands that network's test missing rate."""
    for (name, who), line in cells(row_of()).items():
        one = name in HELD_OUT | {"disintegrated"}
        classes = dict(zip(CLASSES, (0.19, 0.21, 0.12, 0.16, 0.22, 0.16, 0.22), strict=True))
        if who in ("trained", "one-position"):
            assert line["test"] == 0.0625
        else:
            assert line["test"] == classes.get(who, 0.11 if one else 0.13)


def test_a_level_that_is_not_kept_is_seen():
    """All but the ceiling fall as delta grows, strictly where they are not capped."""
    levels = [cells(row_of(), delta) for delta in (0.001, 0.05, 0.5, 0.999)]
    for key, line in levels[0].items():
        uppers = [found[key]["upper"] for found in levels]
        assert uppers == sorted(uppers, reverse=True)
        if key[0] != "ceiling" and line["upper"] != 1 and uppers[1] != 1:
            assert uppers[3] < uppers[1] < uppers[0]
    assert levels[3]["hoeffding", "trained"]["upper"] < levels[1]["hoeffding", "trained"]["upper"] - 0.1


def test_ingredients_count():
    """More divergence, choices, parameters or loss raise the bounds that pay for them; draws and N lower them."""
    large = row_of()
    large["certificate"]["split-trained"]["n_samples"] = 500
    base = cells(large)
    for path, value, keys in [
        ("kl", 9.0, [("pac_bayes_kl", "split-trained")]), ("prior_choices", 5.0, [("pac_bayes_kl", "split-trained"), ("disintegrated", "split-trained")]),
        ("log_ratio", 5.0, [("disintegrated", "split-trained")]), ("gibbs", 0.2, [("pac_bayes_catoni", "split-trained")]),
        ("draws", 20, [("pac_bayes_quadratic", "split-trained")]), ("n_samples", 400, [("pac_bayes_lambda", "split-trained")]),
    ]:
        row = copy.deepcopy(large)
        row["certificate"]["split-trained"][path] = value
        found = cells(row)
        assert all(found[key]["upper"] > base[key]["upper"] for key in keys), path
        assert all(found[k] == base[k] for k in base if k[1] != "split-trained")


def test_the_price_of_the_starts_is_paid():
    row = row_of()
    row["certificate"]["initial"] |= {"kl": 3.0, "log_ratio": 3.0}
    paid = cells(row)
    row["certificate"]["initial"]["prior_choices"] = 0.0
    free = cells(row)
    for name in ("pac_bayes_kl", "disintegrated"):
        assert paid[name, "initial"]["upper"] > free[name, "initial"]["upper"]
        assert paid[name, "initial"]["slack"]["prior choice"] > 0 == free[name, "initial"]["slack"]["prior choice"]


def test_rectangles_have_the_better_complexity_and_nothing_else():
    rectangle, free = cells(row_of("rectangle")), cells(row_of("positionwise"))
    norms = {("contraction", who) for who in CLASSES[3:]}
    assert rectangle.keys() - norms == free.keys() - {("cellwise", who) for who in CLASSES[3:]}
    assert {k for k in free.keys() & rectangle.keys() if rectangle[k] != free[k]} == {("sharp_bound", "trained")}
    assert rectangle["sharp_bound", "trained"]["upper"] < free["sharp_bound", "trained"]["upper"]


def test_what_is_lacking_is_named():
    row = row_of()
    assert lacking(row) == {"cellwise": ("slope",)}
    row["certificate"]["last-layer"]["norms"] = None
    assert set(lacking(row)) == {"cellwise", "contraction"}
    row["certificate"] = None
    found = lacking(row)
    assert set(found) == {"pac_bayes_kl", "pac_bayes_quadratic", "pac_bayes_lambda", "pac_bayes_catoni", "disintegrated",
                          "contraction", "cellwise"}
    assert found["pac_bayes_kl"] == ("gibbs", "draws", "kl", "prior_choices") and "log_ratio" in found["disintegrated"]
    row["mean_g"], row["test"]["wrong_counts"] = None, None
    found = lacking(row)
    assert found["sharp_bound"] == ("mean_g",) and found["betting"] == found["clopper_pearson"] == ("losses",) and "theorem_1" not in found
    assert {line["bound"] for line in table(row)} == {"ceiling", "theorem_1", "occam"}


@pytest.mark.parametrize(("path", "value", "message"), [
    ("train.missing_rate", 1.5, r"must be in \[0, 1\], got 1.5"), ("train.images", 0, "N must be a positive integer, got 0"),
    ("certificate.split.kl", -1.0, r"KL\(Q \|\| P\) must be finite and >= 0, got -1"),
    ("certificate.split.kl", float("nan"), r"KL\(Q \|\| P\) must be finite and >= 0, got nan"),
    ("certificate.initial.log_ratio", float("inf"), "log_ratio must be finite, got inf"),
    ("certificate.initial.gibbs", -0.1, r"Gibbs loss must be in \[0, 1\], got -0.1"), ("parameters", -3, "parameters must be"),
])
def test_numbers_out_of_range_are_refused(path, value, message):
    row = copy.deepcopy(row_of())
    *outer, last = path.split(".")
    inner = row
    for name in outer:
        inner = inner[name]
    inner[last] = value
    with pytest.raises(ValueError, match=message):
        table(row)


@pytest.mark.parametrize("delta", [0.0, 1.0, 1.2, float("nan")])
def test_levels_out_of_range_are_refused(delta):
    with pytest.raises(ValueError, match=r"delta must be in \(0, 1\)"):
        table(row_of(), delta)


def test_tables_are_plain_json():
    made = table(row_of())
    assert json.loads(json.dumps(made, allow_nan=False)) == made


@pytest.mark.parametrize("index", [0, 60, 120, -1])
def test_real_rows(index):
    rows = [json.loads(line) for line in REAL.read_text().splitlines()]
    row = [r for r in rows if r["train"]["missing_rate"] is not None][index]
    start = time.perf_counter()
    found = cells(row)
    assert time.perf_counter() - start < 10
    test = row["test"]["missing_rate"]
    for name in HELD_OUT:
        assert test < found[name, "trained"]["upper"] < test + 0.1
    assert found["theorem_1", "trained"]["upper"] > found["ceiling", "trained"]["upper"] >= test
    assert found["chernoff", "trained"]["upper"] < found["hoeffding", "trained"]["upper"]
    assert {Hoeffding.name, Chernoff.name, Betting.name, TheoremOne.name, SharpBound.name} <= {n for n, _ in found}
    assert PacBayesKl.name in lacking(row) and Disintegrated.name in lacking(row)
