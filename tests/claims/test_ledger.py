"""The ledger as a whole: complete entries, amendments, light import, verdicts as recorded."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from theory.claims import runner
from theory.claims.ledger import ledger, recorded
from theory.claims.model import STATUSES
from theory.cli import markdown_table, summary

ROOT = Path(__file__).parents[2]
CLAIMS = ledger()
IDS = sorted(CLAIMS)


@pytest.mark.parametrize("name", IDS)
def test_entries_are_complete(name):
    claim = CLAIMS[name]
    assert claim.title and claim.source and claim.statement and claim.words
    assert claim.origin in ("paper", "amended", "beyond")
    assert "$" not in claim.statement
    if claim.test:
        assert (ROOT / claim.test.split("::")[0]).exists(), claim.test
    module, _, attribute = claim.code.rpartition(".")
    path = ROOT / claim.code.replace(".", "/")
    parent = ROOT / module.replace(".", "/")
    assert path.is_dir() or path.with_suffix(".py").exists() or (
        re.search(rf"^(def|class) {attribute}\b|^{attribute}\b", "".join(
            p.read_text() for p in [parent.with_suffix(".py"), *parent.glob("*.py")] if p.exists()),
            re.M)), claim.code


@pytest.mark.parametrize("name", IDS)
def test_statements_typeset(name):
    from latex2mathml.converter import convert

    assert "<math" in convert(CLAIMS[name].statement)


@pytest.mark.parametrize("name", IDS)
def test_what_fails_carries_an_amendment(name):
    claim, status = CLAIMS[name], recorded()[name]
    assert status in STATUSES
    if claim.origin == "paper" and status in ("refuted", "vacuous", "ill-posed"):
        assert claim.amendment is not None
        assert recorded()[claim.amendment.id] not in ("refuted", "ill-posed"), claim.amendment.id


def test_theorem_1_comes_before_its_variants():
    order = list(CLAIMS)
    assert order.index("thm-1") + 1 == order.index("thm-1-any-delta")


def test_a_refuted_claim_does_not_call_its_range_exhaustive():
    """Its evidence ends at a counterexample, unless another route (a proof, the search) refutes."""
    from theory.claims import verify

    verdict = verify(CLAIMS["app-G-params"], examples=20, budget=1.0, amendment=False)
    assert verdict.status == "refuted"
    assert "exhaustive" not in {e.kind for e in verdict.evidence}


def test_the_record_covers_the_ledger():
    assert set(recorded()) == set(CLAIMS)


def test_the_readme_shows_the_table():
    readme = (ROOT / "README.md").read_text()
    assert markdown_table(list(CLAIMS.values()), recorded()) in readme
    assert summary(recorded().values()) in readme


def test_quick_verification_gives_the_recorded_verdicts(tmp_path):
    """The whole ledger, as `make reproduce` runs it; 60 s is the goal on two free cores."""
    start = time.perf_counter()
    got = {v["id"]: v for v in runner.run(IDS, effort=runner.QUICK, jobs=1)}
    seconds = time.perf_counter() - start
    changed = {i: (recorded()[i], got[i]["status"]) for i in IDS if got[i]["status"] != recorded()[i]}
    assert not changed
    json.dumps(list(got.values()), allow_nan=False)
    assert seconds < 240, f"{seconds:.0f} s in one process beside other tests"


@pytest.mark.parametrize("name", [i for i in IDS if recorded().get(i) == "refuted"])
def test_counterexamples_replay(name):
    """Another seed finds a counterexample too, and its margin is negative (or not zero)."""
    from theory.claims import verify

    verdict = verify(CLAIMS[name], examples=300, seed=1, budget=4, amendment=False)
    assert verdict.status == "refuted"
    if verdict.counterexample is not None:
        margin = CLAIMS[name].margin(verdict.counterexample)
        assert margin == verdict.counterexample_margin
        assert margin != 0 if CLAIMS[name].kind == "equality" else margin < 0


COMMANDS = set("""Big Gamma Lambda Omega Phi Psi Rightarrow alpha approx bar beta big bigl bigr cap cdot cos cup delta
    emptyset equiv eta exists forall frac ge hat iff in inf infty int lambda langle le lesssim
    lfloor ll log mapsto mathbb mathbf mathcal mathrm max mid min mu ne neq notin nu odot overline
    partial pi pm prod propto qquad quad rangle rfloor rho sigma sim sin sinh sqrt subset subseteq sum sup
    tanh text tfrac theta tilde times xi""".split())


@pytest.mark.parametrize("name", IDS)
def test_statements_use_known_commands(name):
    r"""A missing space makes words like ``\led``; they typeset as raw text."""
    assert set(re.findall(r"\\([a-zA-Z]+)", CLAIMS[name].statement)) <= COMMANDS
