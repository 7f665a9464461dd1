"""What claims say of committed rows: counts by a second route, missing rows, rows that contradict."""

from __future__ import annotations

import importlib
import json
import math
from fractions import Fraction as F

import pytest

from theory.claims import ledger_4_measured, simulated, verify
from theory.claims import simulated_5_1 as bounds
from theory.claims import simulated_5_2 as mixtures
from theory.claims import simulated_f as collisions
from theory.claims.ledger import ledger

ATTACHED = {i: c for i, c in ledger().items() if c.simulated is not None}
SIMULATIONS = {
    "theorem-1": ("sims.theorem_1_cells", lambda c: (c["grid"] == [4, 4] and c.get("n", 64) == 64)
                  or (c["law"] == "two masks" and c.get("n", 64) == 64)),
    "theorem-2": ("sims.theorem_2_cells", lambda c: c["part"] != "plane" and c.get("atoms", 3) in (2, 3)
                  and c.get("law", "binary") in ("binary", "good", "nearly-binary")),
    "theorem-3": ("sims.theorem_3_cells", lambda c: c["class"] in ("constant", "all functions")
                  and c["n"] == 16),
    "relevance": ("sims.relevance_cells", lambda c: c["grid"] == [4, 4]),
    "injectivity": ("sims.injectivity_cells", lambda c: c["name"] in ("common", "blind-network", "threshold",
                                                                      "blind-signs")),
    "rademacher": ("sims.rademacher_cells", lambda c: c["grid"] == [7, 7] and c["n"] <= 16
                   and c["predictors"] != "constant"),
}


@pytest.fixture(scope="module")
def computed():
    """Rows of some quick cells, as a run writes them."""
    made = {}
    for name, (module, keep) in SIMULATIONS.items():
        cells = importlib.import_module(module)
        short = [{**c, **({"generations": 12} if "generations" in c else {})}
                 for c in cells.cells("quick", 0) if keep(c)]
        made[name] = [json.loads(json.dumps({**c, **cells.compute(c)})) for c in short]
    return made


@pytest.fixture
def put(tmp_path, monkeypatch):
    """Writes rows where the ledger reads them."""
    monkeypatch.setattr(ledger_4_measured, "ROWS", tmp_path)

    def write(name, rows):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))

    return write


@pytest.fixture
def all_rows(computed, put):
    for name, rows in computed.items():
        put(name, rows)
    return computed


def doctored(rows, change, where=lambda r: True):
    """The rows with a change to the first that fits."""
    copy = json.loads(json.dumps(rows))
    change(next(r for r in copy if where(r)))
    return copy


def test_what_is_attached():
    assert set(ATTACHED) == {
        "thm-1", "ceiling", "sharp-bound", "prop-2", "thm-3", "adversary", "sup-risk", "sec-5.1-rho",
        "rho-limited", "rho-rotated", "sandwich", "thm-2.1", "thm-2.2", "thm-2.2-disjoint",
        "sec-5.2-monotone", "sec-5.2-two-atoms", "sec-5.2-tv-exact", "sec-5.2-gap-bound",
        "sec-5.2-proportional", "sec-5.2-binary-worse", "prop-3", "log-scale", "log-scale-rescaled",
        "scale-blind", "app-F-determinant"}


@pytest.mark.parametrize("name", sorted(ATTACHED))
def test_rows_support_every_claim(name, all_rows):
    got = ATTACHED[name].simulated()
    assert got.method in ("Monte Carlo", "counted")
    assert "CONTRADICTS" not in got.text and any(ch.isdigit() for ch in got.text)
    assert all(math.isfinite(v) for v in got.numbers.values())


@pytest.mark.parametrize("name", sorted(ATTACHED))
def test_without_rows_or_with_partial_rows_there_is_none(name, put):
    assert ATTACHED[name].simulated() is None
    for simulation in SIMULATIONS:
        put(simulation, [{"kind": k, "key": "x", "repeats": 5} for k in (
            simulation, f"{simulation}-mixtures", f"{simulation}-fall", f"{simulation}-soft",
            f"{simulation}-binary", f"{simulation}-memoriser", f"{simulation}-noise")])
    assert ATTACHED[name].simulated() is None


def test_partial_rows_are_left_out(all_rows, put):
    whole = bounds.theorem_1()
    put("theorem-1", [*all_rows["theorem-1"], {"kind": "theorem-1", "repeats": 7, "delta": 0.1},
                      {**all_rows["theorem-1"][0], "theorem_1_failures": None}])
    assert bounds.theorem_1() == whole


def test_it_is_evidence_and_decides_nothing(all_rows, put):
    claim = ATTACHED["sec-5.2-two-atoms"]
    shown = verify(claim, examples=20, budget=1.0, amendment=False)
    assert shown.status == "holds" and any(e.kind == "Monte Carlo" for e in shown.evidence)
    put("theorem-2", doctored(all_rows["theorem-2"], lambda r: r.update(falls=3), lambda r: "falls" in r
                              and r["atoms"] == 2))
    against = verify(claim, examples=20, budget=1.0, amendment=False)
    assert against.status == "holds" and "CONTRADICTS" in str(against)


# --- counts by a second route


def test_coverage_by_hand(all_rows):
    rows = [r for r in all_rows["theorem-1"] if r["kind"] == "theorem-1"]
    got = bounds.sharp().numbers
    assert got["settings"] == len(rows) and got["samples"] == 400 * len(rows)
    assert got["failures"] == sum(r["sharp_failures"] for r in rows) > 0
    assert got["worst rate over delta"] == max(r["sharp_failures"] / 400 / r["delta"] for r in rows)
    above = sum(r["theorem_1_above_one"] == 400 for r in rows)
    assert bounds.theorem_1().numbers["settings above 1"] == above > 0
    assert f"in {above} of the {len(rows)} settings" in bounds.theorem_1().text
    ceiling = bounds.ceiling()
    gaps = {(str(r["max_area"]), r["law"], r["noise"]): (1 - F(r["rho"])) / 2 - F(r["supremum_exact"])
            for r in all_rows["theorem-1"]}
    assert ceiling.numbers["laws"] == len(gaps)
    assert ceiling.numbers["smallest slack"] == float(min(gaps.values()))


def test_mixture_counts_by_hand(all_rows):
    drawn = [r for r in all_rows["theorem-2"] if r["kind"] == "theorem-2-mixtures"]
    apart = [r for r in drawn if r["supports"] == "distinct"]
    got = mixtures.theorem_2_2().numbers
    assert got["failures"] == sum(r["violations"]["theorem-2.2"] for r in apart) > 0
    assert got["draws"] == sum(r["repeats"] for r in apart)
    ends = mixtures.sandwich().numbers
    assert ends["draws"] == sum(r["repeats"] for r in drawn)
    assert ends["at the upper end"] == sum(r["at_high"] for r in drawn) > 0
    assert ends["mean lower end"] == pytest.approx(
        sum(r["repeats"] * r["mean"]["low"] for r in drawn) / ends["draws"])
    searches = [r for r in all_rows["theorem-2"] if r["kind"] == "theorem-2-fall" and r["atoms"] == 3]
    found = mixtures.gap_bound().numbers
    assert found["searches"] == found["within"] == len(searches)
    assert 0.3 < found["largest share"] == max(r["gap"] / r["bound"] for r in searches
                                         if set(r["limits"]) == {"low", "high"})
    assert mixtures.monotone().numbers["largest fall found"] == max(r["gap"] for r in searches)
    assert mixtures.two_atoms().numbers["draws"] == sum(r["repeats"] for r in drawn if r["atoms"] == 2)


def test_other_counts_by_hand(all_rows):
    ratio = bounds.theorem_3().numbers
    rows = all_rows["theorem-3"]
    assert ratio["failures without 2 R_S"] == sum(r["failures_without_complexity"] for r in rows)
    assert bounds.limited().numbers["agree"] == sum(
        r["closed_form"] == r["fraction"] for r in all_rows["relevance"] if r["family"].startswith("axis"))
    assert bounds.rotated().numbers["cells"] == sum(
        r["family"].startswith("rotated") for r in all_rows["relevance"])
    free = bounds.unlimited().numbers
    assert free["without limits"] == 2 and free["without limits and rho > -1"] == 0
    assert free["maps limited"] == len({(r["family"], r["limit"]) for r in all_rows["relevance"] if
                                        r["limit_in"] == 16 > r["limit"]})
    exact = bounds.complexities().numbers
    assert exact["largest"] == 0.5 and exact["equal to 1/2"] > 0
    soft = [r for r in all_rows["injectivity"] if r["part"] == "soft"]
    assert collisions.determinant().numbers["in 60 digits"] == sum(r["collision"] for r in soft) == 2


@pytest.mark.parametrize("failures,repeats,rate", [(12, 100, 0.1), (30, 100, 0.1), (38, 100, 0.1),
                                                   (3, 1000, 1e-3), (20, 1000, 1e-3), (1, 50, 0.5)])
def test_the_binomial_test_against_scipy(failures, repeats, rate):
    from scipy.stats import binom

    expected = binom.sf(failures - 1, repeats, rate) < simulated.LEVEL
    assert simulated.too_many(failures, repeats, rate) == expected


# --- rows that speak against a claim

CONTRADICTIONS = [
    ("thm-1", "theorem-1", lambda r: r.update(theorem_1_failures=390), lambda r: "theorem_1_failures" in r),
    ("sharp-bound", "theorem-1", lambda r: r.update(sharp_failures=200),
     lambda r: r.get("delta") == 0.1),
    ("sharp-bound", "theorem-1", lambda r: r.update(sharp_failure_probability=0.2),
     lambda r: r.get("delta") == 0.1),
    ("ceiling", "theorem-1", lambda r: r.update(supremum_exact="101/100"), lambda r: True),
    ("adversary", "theorem-1", lambda r: r.update(empirical_missed=1),
     lambda r: r.get("noise") == "0" and "risk" in r),
    ("sup-risk", "theorem-1", lambda r: r.update(empirical_missed=r["least_missed"] + 1),
     lambda r: "risk" in r),
    ("thm-3", "theorem-3", lambda r: r.update(theorem_3_failures=250), lambda r: r["delta"] == 0.5),
    ("prop-2", "rademacher", lambda r: r.update(fraction="51/100"), lambda r: r["exact"]),
    ("rho-limited", "relevance", lambda r: r.update(fraction="7/8"),
     lambda r: r["closed_form"] is not None and r["family"].startswith("axis")),
    ("rho-rotated", "relevance", lambda r: r.update(fraction="15/16"),
     lambda r: r["family"].startswith("rotated")),
    ("sandwich", "theorem-2", lambda r: r["violations"].update({"sandwich": 1}), lambda r: "violations" in r),
    ("sandwich", "theorem-2", lambda r: r["exact_violations"].update({"sandwich": 1}),
     lambda r: "violations" in r),
    ("sandwich", "theorem-2", lambda r: r.update(position=-0.01), lambda r: r["part"] == "end"),
    ("thm-2.1", "theorem-2", lambda r: r["violations"].update({"theorem-2.1": 1}),
     lambda r: "violations" in r),
    ("thm-2.2-disjoint", "theorem-2", lambda r: r["violations"].update({"theorem-2.2": 1}),
     lambda r: r.get("supports") == "disjoint"),
    ("sec-5.2-tv-exact", "theorem-2", lambda r: r["violations"].update({"closed-form": 2}),
     lambda r: "violations" in r),
    ("sec-5.2-proportional", "theorem-2", lambda r: r["exact_violations"].update({"proportional": 1}),
     lambda r: "violations" in r),
    ("sec-5.2-binary-worse", "theorem-2", lambda r: r.update(falls=1), lambda r: r.get("law") == "binary"),
    ("sec-5.2-gap-bound", "theorem-2", lambda r: r.update(gap=r["bound"] + 1e-9),
     lambda r: r["part"] == "fall" and r["atoms"] == 3),
    ("sec-5.2-two-atoms", "theorem-2", lambda r: r.update(gap_exact="1/1000000"),
     lambda r: r["part"] == "fall" and r["atoms"] == 2),
    ("prop-3", "injectivity", lambda r: r.update(collisions_that_meet_prop_3=1),
     lambda r: r["part"] == "binary"),
    ("log-scale", "injectivity", lambda r: r.update(collision=True),
     lambda r: r.get("largest_row_sum", 2) < 1 and not r["rescaled"]),
    ("log-scale-rescaled", "injectivity", lambda r: r.update(collision=True),
     lambda r: r.get("largest_row_sum", 2) < 1 and r["rescaled"]),
    ("scale-blind", "injectivity", lambda r: r.update(collisions=1), lambda r: r["name"] == "blind-signs"),
    ("scale-blind", "injectivity", lambda r: r.update(smallest_stretch=0.5),
     lambda r: r["name"] == "blind-network"),
    ("app-F-determinant", "injectivity", lambda r: r.update(collision=True),
     lambda r: r.get("least_determinant", -1) > 0),
]


@pytest.mark.parametrize("name,simulation,change,where", CONTRADICTIONS,
                         ids=[f"{k}-{c[0]}" for k, c in enumerate(CONTRADICTIONS)])
def test_doctored_rows_contradict(name, simulation, change, where, all_rows, put):
    put(simulation, doctored(all_rows[simulation], change, where))
    assert "CONTRADICTS" in ATTACHED[name].simulated().text


def test_a_few_misses_of_a_statement_with_a_probability_do_not(all_rows, put):
    put("theorem-1", doctored(all_rows["theorem-1"], lambda r: r.update(theorem_1_failures=50),
                              lambda r: r.get("delta") == 0.1))
    got = bounds.theorem_1()
    assert got.numbers["failures"] == 50 and "CONTRADICTS" not in got.text
    assert got.numbers["worst rate over delta"] == 1.25


def test_intervals_that_miss_the_risk(all_rows, put):
    """One miss at level 1e-3 may happen; all do not."""
    rows = all_rows["theorem-1"]
    put("theorem-1", doctored(rows, lambda r: r.update(supremum=0.0), lambda r: "risk" in r))
    one = bounds.sup_risk()
    assert one.numbers["in the interval"] == one.numbers["settings"] - 1
    assert "CONTRADICTS" not in one.text
    put("theorem-1", [{**r, "supremum": 0.0} for r in rows])
    assert "CONTRADICTS" in bounds.sup_risk().text


def test_claims_without_a_counterpart_never_contradict():
    """These two are refuted by the ledger: their rows illustrate, there is nothing to test."""
    assert {"thm-2.2", "sec-5.2-monotone", "sec-5.1-rho"} == set(ATTACHED) - {
        c[0] for c in CONTRADICTIONS}
