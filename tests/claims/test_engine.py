"""``verify``: statuses, evidence, broken claims."""

from __future__ import annotations

import math
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st

from tests.claims.make import claim
from theory.claims import ClaimError, Measurement, Proof, Undefined, verify

# --- statuses -------------------------------------------------------------------------------------

ROOT = claim(id="root", instances=st.integers(1, 9), margin=lambda k: math.sqrt(k) - 1)


def test_proof_gives_holds_and_keeps_its_text():
    verdict = verify(claim(proof=lambda: Proof(True, "by Euclid", "SMT")))
    assert verdict.status == "holds" and "by Euclid" in str(verdict)


def test_bare_proof_takes_its_docstring():
    def prove():
        """Obvious from the picture."""
        return True

    assert "Obvious from the picture" in verify(claim(proof=prove)).evidence[0].text
    assert verify(claim(proof=lambda: None)).status == "unchecked"


def test_a_counterexample_beats_a_proof():
    verdict = verify(claim(instances=st.integers(0, 9), margin=lambda k: 5 - k, proof=lambda: True))
    assert verdict.status == "refuted" and "the proof is wrong" in str(verdict)


def test_disproof_with_and_without_a_counterexample():
    both = verify(claim(instances=st.integers(0, 3), margin=lambda k: 5 - k,
                        proof=lambda: Proof(False, "at 9", "SMT", counterexample=9)))
    assert both.status == "refuted" and both.counterexample == 9 and both.counterexample_margin == -4
    assert verify(claim(proof=lambda: False)).status == "refuted"


def test_exhaustive_range_is_no_proof_unless_it_is_the_domain():
    part = verify(claim(exhaustive=lambda: range(5), margin=lambda k: k, exhaustive_range="0..4"))
    whole = verify(claim(exhaustive=lambda: range(5), margin=lambda k: k, whole_domain=True))
    assert part.status == "unrefuted" and "0..4" in str(part) and whole.status == "holds"
    bad = verify(claim(exhaustive=lambda: range(5), margin=lambda k: 3 - k, whole_domain=True))
    assert bad.status == "refuted" and bad.counterexample == 4


def test_a_range_that_ends_at_a_counterexample_is_not_called_exhaustive():
    """One instance in the singular; kind "exhaustive" only for a range gone through."""
    first = verify(claim(exhaustive=lambda: range(5), margin=lambda k: -1, exhaustive_range="0..4"))
    (evidence,) = first.evidence
    assert evidence.kind == "counterexample" and evidence.instances == 1
    assert evidence.text.startswith("1 instance: 0..4 (stopped at the first")
    third = verify(claim(exhaustive=lambda: range(5), margin=lambda k: 1 - k)).evidence[0]
    assert third.kind == "counterexample" and third.text.startswith("3 instances: ")
    through = verify(claim(exhaustive=lambda: range(5), margin=lambda k: k)).evidence[0]
    assert through.kind == "exhaustive" and through.text.startswith("5 instances: ")
    single = verify(claim(instances=st.just(1), margin=lambda k: -k)).evidence[0]
    assert single.text.startswith("1 instance (")


def test_exhaustive_cut_short_is_no_proof():
    def slow():
        yield from range(10**9)

    verdict = verify(claim(exhaustive=slow, margin=lambda k: 1, whole_domain=True), budget=0.3)
    assert verdict.status == "unrefuted" and "cut short" in str(verdict)


def test_ill_posed_says_where():
    verdict = verify(claim(
        instances=st.integers(1, 9), domain=st.integers(0, 9), margin=lambda k: Fraction(1, k)))
    assert verdict.status == "ill-posed" and verdict.undefined_at == 0
    assert "ZeroDivisionError" in verdict.undefined_why


@pytest.mark.parametrize("margin", [
    lambda k: math.nan if k == 7 else 1.0,
    lambda k: math.log(7 - k) + 10 if k <= 7 else 1.0,
    lambda k: np.log(np.float64(abs(k - 7))) * 0 + 1,
    lambda k: Fraction(1, abs(k - 7)),
])
def test_every_kind_of_undefined(margin):
    verdict = verify(claim(instances=st.integers(0, 9), margin=margin))
    assert verdict.status == "ill-posed" and verdict.undefined_at == 7


def test_a_refusal_on_the_stated_domain_is_undefined():
    """A function that refuses its input with a ValueError: ill-posed there, an error elsewhere."""
    from theory.bounds import confidence_term

    bound = {"instances": st.floats(0.1, 0.9), "margin": lambda delta: confidence_term(10, delta)}
    verdict = verify(claim(domain=st.floats(0.1, 5), **bound), examples=100)
    assert verdict.status == "ill-posed" and verdict.undefined_at >= 1
    assert "delta must be in (0, 1)" in verdict.undefined_why
    with pytest.raises(ClaimError, match="delta must be in"):
        verify(claim(instances=st.floats(0.1, 5), margin=bound["margin"]), examples=100)


def test_refuted_on_the_stated_domain():
    verdict = verify(claim(instances=st.integers(1, 9), domain=st.integers(-9, 9), margin=lambda k: k))
    assert verdict.status == "refuted" and verdict.counterexample == -1


def test_vacuous_by_implication_only_if_it_implies():
    trivial = claim(id="trivial", instances=st.integers(0, 9), margin=lambda k: k, proof=lambda: True)
    weaker = claim(instances=st.integers(0, 9), margin=lambda k: k + 1, implied_by=trivial)
    stronger = claim(instances=st.integers(0, 9), margin=lambda k: k / 2, implied_by=trivial)
    assert verify(weaker).status == "vacuous"
    verdict = verify(stronger)
    assert verdict.status == "unrefuted" and "its margin is the larger one" in str(verdict)
    refuted = claim(id="false", instances=st.integers(0, 9), margin=lambda k: 5 - k)
    assert verify(claim(instances=st.integers(0, 9), margin=lambda k: 9, implied_by=refuted)).status == (
        "unrefuted")


def test_a_false_claim_is_not_vacuous():
    trivial = claim(id="trivial", instances=st.integers(0, 9), margin=lambda k: k)
    verdict = verify(claim(instances=st.integers(0, 9), margin=lambda k: 3 - k, implied_by=trivial))
    assert verdict.status == "refuted"


def test_vacuous_by_an_unmeetable_hypothesis():
    assert verify(claim(instances=st.nothing(), margin=lambda k: k)).status == "vacuous"
    proof = claim(instances=st.integers(0, 9), assumes=lambda k: k > 9, margin=lambda k: k,
                  unsatisfiable=lambda: Proof(True, "no digit exceeds 9"))
    assert verify(proof).status == "vacuous"


def test_a_hypothesis_almost_nothing_meets_is_reported_not_passed():
    rare = verify(claim(instances=st.floats(0, 1), assumes=lambda x: 0.4 < x < 0.4 + 1e-7,
                        margin=lambda x: 1.0), budget=2)
    assert rare.status == "unchecked" and "too few" in str(rare)
    filtered = verify(claim(instances=st.integers(0, 10**9).filter(lambda k: k % 99_991 == 77),
                            margin=lambda k: 1), budget=2)
    assert filtered.status == "unchecked" and "draws met the assumptions" in str(filtered)


def test_the_share_of_accepted_draws_is_reported():
    verdict = verify(claim(instances=st.integers(0, 99), assumes=lambda k: k < 20, margin=lambda k: 1))
    assert verdict.status == "unrefuted" and "draws met the assumptions" in str(verdict)


def test_measured_and_unchecked():
    verdict = verify(claim(kind="empirical", measure=lambda: Measurement({"x": 1.5}, "x = 1.5, n = 3")))
    assert verdict.status == "measured" and "n = 3" in str(verdict)
    assert verify(claim(kind="empirical", measure=lambda: {"x": 2})).status == "measured"
    assert verify(claim(kind="empirical", measure=lambda: None)).status == "unchecked"
    assert verify(claim(kind="empirical")).status == "unchecked"


def test_amendments_get_their_own_verdict():
    amended = claim(id="amended", instances=st.integers(0, 5), margin=lambda k: 5 - k, origin="amended")
    verdict = verify(claim(instances=st.integers(0, 9), margin=lambda k: 5 - k, amendment=amended))
    assert verdict.amendment.claim is amended and verdict.amendment.status == "unrefuted"
    assert verify(ROOT).amendment is None


def test_tolerance_is_for_floats_only():
    assert verify(claim(instances=st.integers(0, 3), margin=lambda k: -1e-12)).status == "unrefuted"
    assert verify(claim(instances=st.integers(0, 3),
                        margin=lambda k: Fraction(-1, 10**12))).status == "refuted"
    strict = claim(instances=st.integers(0, 3), margin=lambda k: -1e-12, tolerance=0.0)
    assert verify(strict).status == "refuted"
    tiny = claim(instances=st.integers(0, 3), margin=lambda k: Fraction(-1, 10**400))
    assert verify(tiny).status == "refuted"
    huge = claim(instances=st.integers(0, 3), margin=lambda k: -(10**400))
    assert verify(huge).status == "refuted"


# --- broken claims --------------------------------------------------------------------------------


def test_programming_errors_are_not_verdicts():
    with pytest.raises(KeyError):
        verify(claim(instances=st.fixed_dictionaries({"a": st.integers()}), margin=lambda i: i["b"]))
    with pytest.raises(ClaimError, match="truth value"):
        verify(claim(instances=st.integers(), margin=lambda k: k == k))
    with pytest.raises(ClaimError, match="must be a number, got str"):
        verify(claim(instances=st.integers(), margin=lambda k: "no"))
    with pytest.raises(ClaimError, match="the margin failed: ValueError: matmul"):
        verify(claim(instances=st.integers(), margin=lambda k: np.ones(2) @ np.ones(3)))
    with pytest.raises(TypeError, match="Hypothesis strategies"):
        verify(claim(instances=[1, 2], margin=lambda k: k))


@pytest.mark.parametrize(("fields", "error", "message"), [
    ({"id": ""}, ValueError, "non-empty"),
    ({"kind": "theorem"}, ValueError, "kind must be one of"),
    ({"origin": "mine"}, ValueError, "origin must be one of"),
    ({"instances": st.integers()}, ValueError, "need a margin"),
    ({"whole_domain": True}, ValueError, "whole_domain needs exhaustive"),
    ({"tolerance": -1.0}, ValueError, "tolerance must be >= 0"),
    ({"tolerance": math.inf}, ValueError, "tolerance must be >= 0 and finite"),
    ({"proof": True}, TypeError, "proof must be callable"),
])
def test_bad_claims(fields, error, message):
    with pytest.raises(error, match=message):
        claim(**fields)


def test_bad_arguments():
    with pytest.raises(ValueError, match="examples must be at least 1, got 0"):
        verify(ROOT, examples=0)
    with pytest.raises(ValueError, match="budget must be positive, got 0"):
        verify(ROOT, budget=0)
    with pytest.raises(ClaimError, match="a proof returns"):
        verify(claim(proof=lambda: "yes"))


def test_lazy_strategies():
    assert verify(claim(instances=lambda: st.integers(0, 9), margin=lambda k: 5 - k)).status == "refuted"


def test_undefined_message_survives():
    def margin(k):
        if k == 3:
            raise Undefined("eta is 0/0")
        return 1

    assert verify(claim(instances=st.integers(0, 9), margin=margin)).undefined_why == "eta is 0/0"


def test_a_failed_lemma_is_no_disproof():
    import z3

    from theory.claims.proofs import smt

    x = z3.Real("x")
    assert verify(claim(instances=st.floats(0, 1), margin=lambda t: t * t,
                        proof=lambda: smt("too strong", x * x >= x)), examples=100).status == "unrefuted"
    wrong = claim(instances=st.floats(0, 1), margin=lambda t: t,
                  proof=lambda: Proof(False, "no", counterexample=0.5))
    assert verify(wrong, examples=100).status == "unrefuted"


def test_truth_values_in_arrays_and_tensors_are_no_margins():
    import torch

    for margin in (lambda x: torch.tensor([x]).ge(2).all(), lambda x: np.array(x >= 2), lambda x: "1.0"):
        with pytest.raises(ClaimError, match="must be a number"):
            verify(claim(instances=st.floats(0, 1), margin=margin))
    assert verify(claim(instances=st.floats(0, 1), margin=lambda x: torch.tensor([x - 1])),
                  examples=50).status == "refuted"


def test_domain_is_read_under_the_assumptions():
    outside = claim(instances=st.floats(-1, 1), assumes=lambda x: x >= 0, domain=st.floats(-1, 1),
                    margin=lambda x: 1 / x if x < 0 else x)
    assert verify(outside, examples=200).status == "unrefuted"


def test_vacuous_needs_another_statement_of_the_same_kind():
    margin = st.integers(0, 9)
    trivial = claim(id="trivial", instances=margin, margin=lambda k: 1.0, proof=lambda: True)
    equal = claim(kind="equality", instances=margin, margin=lambda k: 0.0, implied_by=trivial)
    assert verify(equal, examples=100).status == "unrefuted"

    def same(k):
        return k

    assert verify(claim(instances=margin, margin=same, implied_by=claim(
        id="again", instances=margin, margin=same)), examples=100).status == "unrefuted"
    met = claim(instances=margin, margin=lambda k: k, unsatisfiable=lambda: True)
    verdict = verify(met, examples=100)
    assert verdict.status == "unrefuted" and "meet the assumptions" in str(verdict)
    both = claim(instances=st.nothing(), exhaustive=lambda: range(3), margin=lambda k: k)
    assert verify(both).status == "unrefuted"


def test_overflow_is_neither_false_nor_undefined():
    grows = claim(instances=st.floats(-1000, 1000), margin=lambda x: math.exp(x) - 1 - x)
    verdict = verify(grows, examples=200)
    assert verdict.status == "unrefuted" and "overflowed" in str(verdict)


def test_drawing_and_assuming_in_a_margin():
    with pytest.raises(ClaimError, match="a margin cannot draw"):
        verify(claim(instances=st.data(), margin=lambda d: d.draw(st.integers())))
    with warnings.catch_warnings():  # Hypothesis says that assume() belongs into strategies
        warnings.simplefilter("ignore")
        late = claim(instances=st.integers(0, 9), margin=lambda k: assume(k > 3) and k - 4)
        assert verify(late, examples=50).status == "unrefuted"
    with pytest.raises(ClaimError, match="assumes failed"):
        verify(claim(instances=st.integers(0, 9), assumes=lambda k: 1 / k > 0, margin=lambda k: k))


def test_evidence_says_what_happened():
    overflows = verify(claim(exhaustive=lambda: range(3), margin=lambda k: math.exp(1e9) if k else 1))
    assert "(2 overflowed)" in str(overflows) and "clock" not in str(overflows)
    empty = verify(claim(instances=st.nothing(), margin=lambda k: k, unsatisfiable=lambda: None))
    assert empty.status == "vacuous"
    tried = verify(claim(instances=st.integers(0, 9), margin=lambda k: k))
    assert tried.evidence[0].instances <= 2000 + 10, "nothing is left to climb once all was tried"
