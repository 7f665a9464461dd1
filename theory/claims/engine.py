"""``verify``: from a claim to a verdict."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from numbers import Rational
from random import Random
from typing import Any

from theory.claims.margins import ClaimError, Evaluation, counted, short
from theory.claims.model import (
    FEW,
    Claim,
    Evidence,
    Measurement,
    Proof,
    Undefined,
    Unrepresentable,
    Verdict,
)


def verify(
    claim: Claim,
    examples: int = 2000,
    seed: int = 0,
    *,
    budget: float = 10.0,
    amendment: bool = True,
) -> Verdict:
    """The verdict on a claim.

    Evidence is gathered by every route the claim offers (exhaustive range, proof, search over
    ``instances``, definedness over ``domain``, implication, measurement); see ``docs/claims.md``
    for how they make a status.  A counterexample beats a proof.

    Args:
        examples: fresh random instances; the other routes evaluate up to about 50 times as many
            more, as long as the budget lasts.
        seed: the same seed gives the same search as long as the clock does not cut it short
            (the evidence says when it did).
        budget: seconds for everything but the claim's own proof and measurement.
        amendment: verify the amended claim too, with half of the budget, when the status asks
            for it (refuted, vacuous, ill-posed).

    Raises:
        ValueError: examples < 1, budget <= 0.
        ClaimError: the claim is broken: its margin is no number or fails with an error of its own.
    """
    if examples < 1:
        raise ValueError(f"examples must be at least 1, got {examples}")
    if not budget > 0:
        raise ValueError(f"budget must be positive, got {budget}")
    own = budget / 2 if amendment and claim.amendment is not None else budget
    verdict = _Verification(claim, examples, seed, own).run()
    if amendment and claim.amendment is not None and verdict.status in (
            "refuted", "vacuous", "ill-posed"):
        amended = verify(claim.amendment, examples, seed, budget=budget / 2, amendment=False)
        verdict = replace(verdict, amendment=amended)
    return verdict


class _Verification(Evaluation):
    def __init__(self, claim: Claim, examples: int, seed: int, budget: float) -> None:
        super().__init__(claim)
        self.examples, self.seed = examples, seed
        if claim.instances is not None or claim.domain is not None:
            import theory.claims.search  # noqa: F401  (imports are not search time)
        self.start = time.perf_counter()
        self.end = self.start + budget
        self.budget = budget
        self.random = Random(f"{seed}:{claim.id}")
        self.evidence: list[Evidence] = []
        self.counterexample: Any = None
        self.counter_margin: Any = None
        self.refuted = False
        self.worst: Any = None
        self.worst_value = math.inf
        self.undefined_at: Any = None
        self.undefined_why = ""
        self.undefined = False
        self.searched = 0
        self.too_few = False
        self.empty = False

    def run(self) -> Verdict:
        claim = self.claim
        proof = self._proof(claim.proof) if claim.proof is not None else None
        share = 0.8 - 0.3 * (claim.domain is not None) - 0.35 * (claim.implied_by is not None)
        if proof is not None and proof.result:  # a proof needs a check, not a hunt
            share *= 0.45
        self.end = time.perf_counter() + max(0.15, share) * self.budget
        exhausted = self._exhaust() if claim.exhaustive is not None else False
        if claim.instances is not None and not self.refuted:
            self._search()
        if claim.domain is not None:
            self.asking_definedness = True
            self._definedness()
            self.asking_definedness = False
        if proof is not None and proof.result is False:
            self._disproved(proof)
        elif proof is not None and proof.result and self.refuted:
            self.evidence.append(Evidence(
                "symbolic", "the proof given claims the statement, yet a counterexample was found: "
                "the proof is wrong or is about something else"))
        unmet = self.empty and self.searched == 0
        if claim.unsatisfiable is not None:
            shown = self._proof(claim.unsatisfiable)
            unmet = unmet or (bool(shown.result) and self.searched == 0)
            if shown.result and self.searched:
                self.evidence.append(Evidence(
                    "symbolic", f"yet {counted(self.searched, 'instance')} found to meet the "
                    "assumptions: the proof that none does is not accepted"))
        implied = False
        if claim.implied_by is not None and not self.refuted:
            implied = self._implied(claim.implied_by)
        measured = claim.measure is not None and self._measure(claim.measure)
        if claim.simulated is not None:
            self._measure(claim.simulated)
        status = self._status(proof, exhausted, unmet, implied, measured)
        return Verdict(
            claim=claim, status=status, evidence=tuple(self.evidence),
            counterexample=self.counterexample, counterexample_margin=self.counter_margin,
            worst_margin=self.worst, undefined_at=self.undefined_at,
            undefined_why=self.undefined_why, seconds=time.perf_counter() - self.start,
            details={"seed": self.seed, "examples": self.examples, "instances": self.searched},
        )

    def _status(
        self, proof: Proof | None, exhausted: bool, unmet: bool, implied: bool, measured: bool
    ) -> str:
        if self.refuted:
            return "refuted"
        if self.undefined:
            return "ill-posed"
        if unmet or implied:
            return "vacuous"
        if (proof is not None and proof.result) or (exhausted and self.claim.whole_domain):
            return "holds"
        if measured:
            return "measured"
        if self.too_few:
            return "unchecked"
        return "unrefuted" if self.searched else "unchecked"

    def _note(self, value: float, margin: Any) -> None:
        if value < self.worst_value:
            self.worst_value, self.worst = value, margin

    # --- routes ---------------------------------------------------------------------------------

    def _proof(self, prove: Callable[[], Any]) -> Proof | None:
        outcome = prove()
        if not isinstance(outcome, Proof):
            if outcome not in (True, False, None):
                raise ClaimError(f"claim {self.claim.id}: a proof returns True, False, None or "
                                 f"Proof, got {outcome!r}")
            text = inspect.getdoc(prove) if inspect.isfunction(prove) else None
            outcome = Proof(outcome, text or "proof given by the claim, without a text")
        word = {True: "proved", False: "disproved", None: "not decided"}[outcome.result]
        self.evidence.append(Evidence(outcome.method, f"{word}. {outcome.text}"))
        return outcome

    def _disproved(self, proof: Proof) -> None:
        """A proof of the contrary refutes, unless it names a counterexample that does not."""
        if self.refuted:
            return
        if proof.counterexample is None or self.claim.margin is None:
            self.refuted, self.counterexample = True, proof.counterexample
            return
        try:
            value, margin = self.objective(proof.counterexample)
        except (Undefined, Unrepresentable):
            value, margin = 0.0, None
        if value < 0:
            self.refuted = True
            self.counterexample, self.counter_margin = proof.counterexample, margin
            self._note(value, margin)
        else:
            self.evidence.append(Evidence(
                proof.method, "the proof's counterexample does not refute when replayed "
                f"(margin {margin}): the disproof is not accepted"))

    def _exhaust(self) -> bool:
        claim, count, whole, overflowed, cut = self.claim, 0, True, 0, False
        now = time.perf_counter()
        limit = self.end if claim.instances is None else now + 0.5 * (self.end - now)
        closest = None
        for tried, instance in enumerate(claim.exhaustive()):
            if tried % 64 == 63 and time.perf_counter() > limit:
                whole, cut = False, True
                break
            if not self.assumed(instance):
                continue
            try:
                value, margin = self.objective(deepcopy(instance))
            except Unrepresentable:
                whole, overflowed = False, overflowed + 1
                continue
            except Undefined as error:
                self._undefined(instance, str(error))
                count += 1
                continue
            count += 1
            if closest is None or value < closest[0]:
                closest = (value, margin)
            self._note(value, margin)
            if value < 0:
                self.refuted = True
                self.counterexample, self.counter_margin = instance, margin
                break
        name = claim.exhaustive_range or "the range given by the claim"
        share = " (cut short by the clock)" * cut
        share += f" ({overflowed} overflowed)" if overflowed else ""
        if self.refuted:
            share = " (stopped at the first counterexample in this order)"
        self.searched += count
        self.evidence.append(Evidence(
            "counterexample" if self.refuted else "exhaustive",
            f"{counted(count, 'instance')}: {name}{share}", count,
            None if closest is None else closest[1]))
        return whole and not self.refuted and count > 0

    def _search(self) -> None:
        from theory.claims.draws import strategy_of
        from theory.claims.search import Search
        from theory.claims.shrink import shrink

        strategy = strategy_of(self.claim.instances)
        if strategy.is_empty:
            self.empty = True
            self.evidence.append(Evidence(
                "property-based", "the strategy of instances is empty: nothing meets the "
                "assumptions", 0))
            return
        search = Search(strategy, self.objective, random=self.random, deadline=self.end,
                        assumes=None if self.claim.assumes is None else self.assumed)
        found, left = search.found, lambda share: (
            time.perf_counter() + share * max(0.0, self.end - time.perf_counter()))
        n = self.examples
        search.draw_fresh(n, left(0.3))
        search.enumerate_choices(25 * n, left(0.7))
        if found.enumerated is None:  # else nothing is left to look at
            search.climb(2 * n, left(0.3))
            search.polish(n, left(0.3))
            search.recombine(30 * n, left(0.5))
            search.climb(4 * n, left(0.5))
            search.polish(n, left(0.4))
            search.draw_fresh(12 * n, left(0.97))
        if found.undefined_draw is not None:
            small = shrink(strategy, found.undefined_draw, self._is_undefined, tries=300,
                           seconds=min(0.5, 0.06 * self.budget))
            self._undefined(small.instance, found.undefined_why)
        if found.worst is not None:
            self._note(found.worst_value, found.worst_margin)
        self.searched += found.evaluated
        self._report(found)
        if found.worst_value < 0:
            self._refute(strategy, found)

    def _report(self, found: Any) -> None:
        self.too_few = found.too_few
        word = "farthest from 0" if self.claim.kind == "equality" else "closest"
        margin = "" if found.worst is None else f", {word} margin {short(found.worst_margin)}"
        self.evidence.append(Evidence(
            "property-based", found.text(margin), found.evaluated, found.worst_margin))

    def _refute(self, strategy: Any, found: Any) -> None:
        """Make the worst instance small and keep it as the counterexample."""
        from theory.claims.draws import fresh_instance
        from theory.claims.shrink import shrink

        clear = min(-10 * self.claim.tolerance, 1e-3 * found.worst_value)
        bar = max(found.worst_value, clear)
        exact = isinstance(found.worst_margin, Rational)

        def fails(instance: Any) -> bool:
            if not self.assumed(instance):
                return False
            try:
                value = self.objective(instance)[0]
            except (Undefined, Unrepresentable):
                return False
            return value < 0 if exact else value <= bar

        small = shrink(strategy, found.worst, fails, seconds=min(1.5, 0.12 * self.budget))
        self.refuted = True
        self.counterexample = fresh_instance(strategy, small)  # margins may change what they get
        value, self.counter_margin = self.objective(fresh_instance(strategy, small))
        self._note(value, self.counter_margin)

    def _is_undefined(self, instance: Any) -> bool:
        if not self.assumed(instance):
            return False
        try:
            self.objective(instance)
        except Unrepresentable:
            return False
        except Undefined:
            return True
        return False

    def _definedness(self) -> None:
        from theory.claims.draws import strategy_of
        from theory.claims.search import Search
        from theory.claims.shrink import shrink

        strategy = strategy_of(self.claim.domain)
        search = Search(strategy, self.objective, random=self.random,
                        deadline=time.perf_counter() + 0.25 * self.budget,
                        assumes=None if self.claim.assumes is None else self.assumed,
                        stop_on_undefined=True)
        found = search.found
        search.draw_fresh(self.examples, time.perf_counter() + 0.15 * self.budget)
        search.recombine(2 * self.examples, search.deadline)
        text = f"{counted(found.evaluated, 'instance')} of the stated domain evaluated"
        if found.undefined_draw is not None:
            small = shrink(strategy, found.undefined_draw, self._is_undefined, tries=400,
                           seconds=min(0.7, 0.06 * self.budget))
            self._undefined(small.instance, found.undefined_why)
        else:
            few = found.evaluated < FEW and found.enumerated is None
            text += ": too few to count" if few else ", defined at all of them"
            self.evidence.append(Evidence("definedness", text, found.evaluated))
        if found.worst_value < 0 and not self.refuted:
            self._note(found.worst_value, found.worst_margin)
            self._refute(strategy, found)

    def _undefined(self, instance: Any, why: str) -> None:
        if not self.undefined:
            try:
                self.objective(instance)
            except Undefined as error:
                why = str(error)
            self.undefined, self.undefined_at, self.undefined_why = True, instance, why
            self.evidence.append(Evidence("definedness", f"not defined at {short(instance)}: "
                                                         f"{why}"))

    def _implied(self, trivial: Claim) -> bool:
        """Whether ``trivial`` holds and its margin never exceeds this claim's."""
        same = trivial.id == self.claim.id or trivial.margin is self.claim.margin
        if same or trivial.kind != self.claim.kind or trivial.margin is None:
            why = "is this claim again" if same else (
                f"is of kind {trivial.kind!r}, this claim of kind {self.claim.kind!r}"
                if trivial.margin is not None else "has no margin to compare")
            self.evidence.append(Evidence("implication", f"{trivial.id} {why}: no implication"))
            return False
        other = _Verification(trivial, max(50, self.examples // 4), self.seed,
                              0.12 * self.budget).run()
        if other.status not in ("holds", "unrefuted"):
            self.evidence.append(Evidence(
                "implication", f"{trivial.id} is {other.status}, so it implies nothing"))
            return False
        gap = Claim(id=f"{trivial.id}=>{self.claim.id}", title="implication", source="", kind=(
            "inequality"), statement="", instances=self.claim.instances, assumes=self.claim.assumes,
            exhaustive=self.claim.exhaustive, tolerance=self.claim.tolerance,
            margin=lambda inst: self._gap(trivial, inst))
        try:
            check = _Verification(gap, max(50, self.examples // 4), self.seed,
                                  0.2 * self.budget).run()
        except (ClaimError, KeyError, TypeError, AttributeError, IndexError) as error:
            self.evidence.append(Evidence(
                "implication", f"{trivial.id} could not be compared on these instances: {error}"))
            return False
        shown = check.status == "unrefuted"
        text = (f"{trivial.id} ({other.status}) implies it: its margin is never the larger one, on "
                f"{counted(check.details['instances'], 'instance')} (closest "
                f"{short(check.worst_margin)})"
                if shown else f"{trivial.id} was given as implying it, but at "
                f"{short(check.counterexample)} its margin is the larger one"
                if check.status == "refuted" else
                f"{trivial.id} was given as implying it; the comparison is {check.status}")
        self.evidence.append(Evidence("implication", text, check.details["instances"]))
        return shown

    def _gap(self, trivial: Claim, instance: Any) -> Any:
        mine, other = self.margin(self.claim, instance), self.margin(trivial, instance)
        if self.claim.kind == "equality":
            return abs(other) - abs(mine)
        return mine - other

    def _measure(self, source: Callable[[], Any]) -> bool:
        outcome = source()
        if outcome is None:
            self.evidence.append(Evidence("measured", "no measurement available here"))
            return False
        if isinstance(outcome, Mapping):
            outcome = Measurement(outcome, ", ".join(f"{k} = {v}" for k, v in outcome.items()))
        if not isinstance(outcome, Measurement):
            raise ClaimError(f"claim {self.claim.id}: measure returns a Measurement or a mapping, "
                             f"got {outcome!r}")
        self.evidence.append(Evidence(outcome.method, outcome.text))
        return True
