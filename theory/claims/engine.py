"""``verify``: from a claim to a verdict."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from fractions import Fraction
from numbers import Rational
from random import Random
from typing import Any

import numpy as np

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


class ClaimError(RuntimeError):
    """The claim itself is broken: its margin fails with a programming error."""


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
        examples: fresh random instances; recombination, local optimisation and polishing evaluate
            up to about 25 times as many more.
        seed: the same seed gives the same search as long as the clock does not cut it short
            (the evidence says when it did).
        budget: seconds for everything but the claim's own proof and measurement.
        amendment: verify the amended claim too, with half of the budget, when the status asks
            for it (refuted, vacuous, ill-posed).

    Raises:
        ValueError: examples < 1, budget <= 0.
        ClaimError: the margin is no number, or fails on every instance.
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
        object.__setattr__(verdict, "amendment", amended)
    return verdict


class _Verification:
    def __init__(self, claim: Claim, examples: int, seed: int, budget: float) -> None:
        self.claim, self.examples, self.seed = claim, examples, seed
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
        self.asking_definedness = False  # over ``domain`` every ValueError is an answer
        self.too_few = False
        self.empty = False
        self.sample: list[Any] = []

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
            unmet = bool(shown.result) and self.searched == 0
            if shown.result and self.searched:
                self.evidence.append(Evidence(
                    "symbolic", f"yet {self.searched} instances meet the assumptions: the proof "
                    "that none does is not accepted"))
        implied = False
        if claim.implied_by is not None and not self.refuted:
            implied = self._implied(claim.implied_by)
        measured = self._measure() if claim.measure is not None else False
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

    # --- margins --------------------------------------------------------------------------------

    def margin(self, claim: Claim, instance: Any) -> Any:
        """The margin as a number, or ``Undefined``."""
        from hypothesis.errors import InvalidArgument

        try:
            with np.errstate(all="ignore"):
                value = claim.margin(instance)
        except OverflowError as error:
            raise Unrepresentable(str(error)) from error
        except InvalidArgument as error:
            raise ClaimError(f"claim {claim.id}: a margin cannot draw; draw in instances "
                             f"({error})") from error
        except ArithmeticError as error:
            raise Undefined(f"{type(error).__name__}: {error}" if not isinstance(error, Undefined)
                            else str(error)) from error
        except ValueError as error:
            if not (self.asking_definedness or _domain_error(error)):
                raise ClaimError(f"claim {claim.id}: the margin failed: {type(error).__name__}: "
                                 f"{error} (raise Undefined where quantities are not defined)"
                                 ) from error
            raise Undefined(f"{type(error).__name__}: {error}") from error
        if hasattr(value, "item") and np.prod(getattr(value, "shape", ())) == 1:
            value = value.item()
        if isinstance(value, bool | np.bool_):
            raise ClaimError(f"claim {claim.id}: margin must be a number, got the truth value "
                             f"{value}; return e.g. 1 or -1")
        if value is None or isinstance(value, complex | str | bytes):
            raise ClaimError(f"claim {claim.id}: margin must be a number, got "
                             f"{type(value).__name__}")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf if value > 0 else -math.inf
        except (TypeError, ValueError) as error:
            raise ClaimError(f"claim {claim.id}: margin must be a number, got "
                             f"{type(value).__name__}") from error
        if math.isnan(number):
            raise Undefined("the margin is NaN")
        return value

    def assumed(self, instance: Any) -> bool:
        """Whether the instance passes ``assumes``."""
        if self.claim.assumes is None:
            return True
        try:
            return bool(self.claim.assumes(instance))
        except (ArithmeticError, ValueError) as error:
            raise ClaimError(f"claim {self.claim.id}: assumes failed: {type(error).__name__}: "
                             f"{error}") from error

    def objective(self, instance: Any) -> tuple[float, Any]:
        """``(value, margin)``; value < 0 iff the claim fails at the instance."""
        margin = self.margin(self.claim, instance)
        return self.value(margin), margin

    def value(self, margin: Any) -> float:
        exact = isinstance(margin, Rational) or (
            not isinstance(margin, float) and getattr(margin, "is_Rational", False))
        slack = 0.0 if exact else self.claim.tolerance
        distance = -abs(margin) if self.claim.kind == "equality" else margin
        if exact and distance < 0:
            return min(_float(distance), -5e-324)
        return _float(distance) + slack

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
        claim, count, whole = self.claim, 0, True
        now = time.perf_counter()
        limit = self.end if claim.instances is None else now + 0.5 * (self.end - now)
        closest = None
        for tried, instance in enumerate(claim.exhaustive()):
            if tried % 64 == 63 and time.perf_counter() > limit:
                whole = False
                break
            if not self.assumed(instance):
                continue
            try:
                value, margin = self.objective(deepcopy(instance))
            except Unrepresentable:
                whole = False
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
        share = "" if whole else " (cut short by the clock)"
        if self.refuted:
            share = " (stopped at the first counterexample in this order)"
        self.searched += count
        self.evidence.append(Evidence(
            "exhaustive", f"{count} instances: {name}{share}", count,
            None if closest is None else closest[1]))
        return whole and not self.refuted and count > 0

    def _search(self) -> None:
        from theory.claims.search import Search, shrink

        strategy = _strategy(self.claim.instances)
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
        search.climb(2 * n, left(0.3))
        search.polish(n, left(0.3))
        search.recombine(30 * n, left(0.5))
        search.climb(4 * n, left(0.5))
        search.polish(n, left(0.4))
        if found.enumerated is None:
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
            self._refute(strategy, found, shrink)

    def _report(self, found: Any) -> None:
        rate = found.accepted / max(1, found.attempts)
        routes = ", ".join(f"{n} {route}" for route, n in sorted(found.routes.items()))
        text = f"{found.evaluated} instances ({routes or 'none'})"
        if found.worst is not None:
            word = "farthest from 0" if self.claim.kind == "equality" else "closest"
            text += f", {word} margin {_short(found.worst_margin)}"
        if rate < 0.5:
            text += f"; {found.accepted} of {found.attempts} draws met the assumptions"
        if found.enumerated is not None:
            text += f"; all {found.enumerated} choice sequences of the strategy were tried"
        if found.overflowed:
            text += f"; {found.overflowed} overflowed"
        if found.unconfirmed:
            text += (f"; {found.unconfirmed} apparent failures did not recur on a fresh instance "
                     "(dependent parts, or a margin that changes its instance)")
        if found.out_of_time:
            text += "; stopped by the clock"
        if (found.accepted < FEW and 5 * found.accepted <= found.attempts
                and found.worst_value >= 0):
            self.too_few = True
            text += ": too few to count as a search"
        self.evidence.append(Evidence(
            "property-based", text, found.evaluated, found.worst_margin))

    def _refute(self, strategy: Any, found: Any, shrink: Any) -> None:
        clear = min(-10 * self.claim.tolerance, 1e-3 * found.worst_value)
        bar = max(found.worst_value, clear) if found.worst_value < clear else found.worst_value
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
        from theory.claims.search import Search, shrink

        strategy = _strategy(self.claim.domain)
        search = Search(strategy, self.objective, random=self.random,
                        deadline=time.perf_counter() + 0.25 * self.budget,
                        assumes=None if self.claim.assumes is None else self.assumed,
                        stop_on_undefined=True)
        found = search.found
        search.draw_fresh(self.examples, time.perf_counter() + 0.15 * self.budget)
        search.recombine(2 * self.examples, search.deadline)
        text = f"{found.evaluated} instances of the stated domain evaluated"
        if found.undefined_draw is not None:
            small = shrink(strategy, found.undefined_draw, self._is_undefined, tries=400,
                           seconds=min(0.7, 0.06 * self.budget))
            self._undefined(small.instance, found.undefined_why)
        else:
            text += ", defined at all of them"
            self.evidence.append(Evidence("definedness", text, found.evaluated))
        if found.worst_value < 0 and not self.refuted:
            self._note(found.worst_value, found.worst_margin)
            self._refute(strategy, found, shrink)

    def _undefined(self, instance: Any, why: str) -> None:
        if not self.undefined:
            try:
                self.objective(instance)
            except Undefined as error:
                why = str(error)
            self.undefined, self.undefined_at, self.undefined_why = True, instance, why
            self.evidence.append(Evidence("definedness", f"not defined at {_short(instance)}: "
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
                f"{check.details['instances']} instances (closest {_short(check.worst_margin)})"
                if shown else f"{trivial.id} was given as implying it, but at "
                f"{_short(check.counterexample)} its margin is the larger one")
        self.evidence.append(Evidence("implication", text, check.details["instances"]))
        return shown

    def _gap(self, trivial: Claim, instance: Any) -> Any:
        mine, other = self.margin(self.claim, instance), self.margin(trivial, instance)
        if self.claim.kind == "equality":
            return abs(other) - abs(mine)
        return mine - other

    def _measure(self) -> bool:
        outcome = self.claim.measure()
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


def _domain_error(error: ValueError) -> bool:
    """Whether a ValueError says that a function has no value there, not that the code is wrong."""
    text = str(error)
    return ("math domain error" in text or ("expected a" in text and "input" in text)
            or isinstance(error, np.linalg.LinAlgError))


def fresh_instance(strategy: Any, made: Any) -> Any:
    """The instance of the same choices, not touched by any margin yet."""
    from theory.claims.draws import draw

    again = draw(strategy, Random(0), values=list(made.choices), fill="simple")
    return made.instance if again is None else again.instance


def _strategy(given: Any) -> Any:
    strategy = given() if callable(given) and not hasattr(given, "is_empty") else given
    if not hasattr(strategy, "is_empty"):
        raise TypeError(f"instances and domain must be Hypothesis strategies, got {strategy!r}")
    strategy.validate()
    return strategy


def _float(x: Any) -> float:
    try:
        return float(x)
    except OverflowError:
        return math.inf if x > 0 else -math.inf


def _short(x: Any, width: int = 200) -> str:
    if isinstance(x, float):
        return f"{x:.4g}"
    if isinstance(x, Fraction):
        return str(x)
    with np.printoptions(threshold=64, precision=6):
        text = " ".join(repr(x).split())
    return text if len(text) <= width else text[: width - 3] + "..."
