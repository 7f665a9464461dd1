"""What a claim, a proof, a measurement, a piece of evidence and a verdict are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

STATUSES = ("holds", "unrefuted", "refuted", "vacuous", "ill-posed", "measured", "unchecked")
KINDS = ("inequality", "equality", "empirical", "cited")
ORIGINS = ("paper", "amended", "beyond", "user")

FEW = 20  # fewer accepted instances than this are no search


class Undefined(ArithmeticError):
    """Raised by a margin where the claim's quantities are not defined (say what and where)."""


class Unrepresentable(Exception):
    """A margin overflowed the floating-point range: neither a counterexample nor undefined."""


@dataclass(frozen=True)
class Proof:
    """The outcome of a machine-checked proof.

    Args:
        result: True (proved), False (disproved), None (not decided).
        text: the argument in words, with what the machine checked.
        method: ``"symbolic"`` (SymPy) or ``"SMT"`` (z3).
        counterexample: an instance, when ``result`` is False and one is known.
    """

    result: bool | None
    text: str
    method: str = "symbolic"
    counterexample: Any = None


@dataclass(frozen=True)
class Measurement:
    """Numbers for an empirical claim.

    Args:
        numbers: name -> value.
        text: one sentence with the numbers, n and what the interval means.
        method: ``"measured"`` (a run or committed rows), ``"Monte Carlo"`` (state n and level),
            ``"counted"`` (exact arithmetic on published figures) or ``"cited"``.
    """

    numbers: Mapping[str, Any]
    text: str
    method: str = "measured"


@dataclass(frozen=True, kw_only=True)
class Claim:
    r"""A statement and how to check it.

    Args:
        id: short name, unique in a ledger.
        title: one line.
        source: where it is stated.
        statement: LaTeX, without dollar signs.
        words: the statement in plain words.
        assumptions: in plain words.
        kind: ``"inequality"`` (holds iff margin >= 0), ``"equality"`` (iff margin == 0),
            ``"empirical"`` (has ``measure``), ``"cited"``.
        instances: Hypothesis strategy of instances that meet the assumptions, or a function without
            arguments that returns one (so that listing a ledger needs no Hypothesis).
        margin: instance -> number (int, Fraction, float).  NaN, ``Undefined``, an
            ``ArithmeticError`` or a "math domain error" mean that the claim is not defined at the
            instance; an ``OverflowError`` that it can't be evaluated there.
        assumes: optional test of assumptions that ``instances`` (and ``domain``, ``exhaustive``)
            do not guarantee; the share of instances that pass is reported.
        exhaustive: () -> iterable of instances of a small range, checked one by one.
        exhaustive_range: what ``exhaustive`` runs through, in words.
        whole_domain: True if that range is the whole stated domain (then it is a proof).
        proof: () -> True | False | None | :class:`Proof`; a bare bool takes the docstring as text.
        domain: strategy (or function returning one) of instances of the STATED domain that may
            break definedness; finding one makes the claim ill-posed.  Here any ``ValueError`` of
            the margin (a function refusing its input) means "not defined".
        implied_by: another claim of the same kind that already implies this one (its margin never
            exceeds this one's).
        unsatisfiable: () -> True | False | None | Proof that no instance meets the assumptions.
        measure: () -> :class:`Measurement` (or a mapping of numbers).
        simulated: () -> :class:`Measurement`: what rows of simulations say of it; further evidence,
            which decides no status.
        tolerance: float margins above ``-tolerance`` count as holding; Fractions and ints get 0.
        amendment: the statement that holds instead, a claim of its own.
        origin: ``paper``, ``amended``, ``beyond`` (not in the paper) or ``user``.
        code, test, figure: where it is implemented, tested, drawn.
    """

    id: str
    title: str
    source: str
    statement: str
    kind: str
    instances: Any = None
    margin: Callable[[Any], Any] | None = None
    words: str = ""
    assumptions: str = ""
    assumes: Callable[[Any], bool] | None = None
    exhaustive: Callable[[], Iterable[Any]] | None = None
    exhaustive_range: str = ""
    whole_domain: bool = False
    proof: Callable[[], Any] | None = None
    domain: Any = None
    implied_by: Claim | None = None
    unsatisfiable: Callable[[], Any] | None = None
    measure: Callable[[], Any] | None = None
    simulated: Callable[[], Any] | None = None
    tolerance: float = 1e-9
    amendment: Claim | None = None
    origin: str = "user"
    code: str = ""
    test: str = ""
    figure: str = ""

    def __post_init__(self) -> None:
        if not self.id or not isinstance(self.id, str):
            raise ValueError(f"a claim's id must be a non-empty string, got {self.id!r}")
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {KINDS}, got {self.kind!r}")
        if self.origin not in ORIGINS:
            raise ValueError(f"origin must be one of {ORIGINS}, got {self.origin!r}")
        if not 0 <= self.tolerance < float("inf"):
            raise ValueError(f"tolerance must be >= 0 and finite, got {self.tolerance}")
        searchable = any(x is not None for x in (self.instances, self.exhaustive, self.domain))
        if searchable and self.margin is None:
            raise ValueError(f"claim {self.id}: instances, exhaustive and domain need a margin")
        if self.whole_domain and self.exhaustive is None:
            raise ValueError(f"claim {self.id}: whole_domain needs exhaustive")
        for name in ("margin", "assumes", "exhaustive", "proof", "unsatisfiable", "measure",
                     "simulated"):
            value = getattr(self, name)
            if value is not None and not callable(value):
                raise TypeError(f"claim {self.id}: {name} must be callable, got {value!r}")


@dataclass(frozen=True)
class Evidence:
    """One piece of evidence.

    ``kind``: symbolic, SMT, exhaustive (a range gone through), counterexample (one found on the way
    through such a range, which ends there), property-based, definedness, implication, Monte Carlo,
    measured, counted or cited.  ``text`` states its range.
    """

    kind: str
    text: str
    instances: int | None = None
    closest: Any = None

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass(frozen=True)
class Verdict:
    """The outcome of :func:`theory.claims.verify`.

    Attributes:
        claim: the claim.
        status: one of ``STATUSES``.
        evidence: tuple of :class:`Evidence`.
        counterexample: the smallest refuting instance found, or None.  ``claim.margin`` of it gives
            ``counterexample_margin`` again: it can be replayed in any process.
        worst_margin: the smallest margin met (for equalities the one farthest from 0), or None.
        undefined_at: the instance where the claim is not defined, for ``ill-posed``.
        undefined_why: what was not defined there.
        amendment: the amended claim's verdict, when there is one and it was asked for.
        seconds: wall time.
    """

    claim: Claim
    status: str
    evidence: tuple[Evidence, ...] = ()
    counterexample: Any = None
    counterexample_margin: Any = None
    worst_margin: Any = None
    undefined_at: Any = None
    undefined_why: str = ""
    amendment: Verdict | None = None
    seconds: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{self.claim.id}: {self.status}"]
        lines += [f"  {e}" for e in self.evidence]
        if self.counterexample is not None:
            lines.append(f"  counterexample (margin {self.counterexample_margin}):")
            lines.append(f"    {self.counterexample!r}")
        return "\n".join(lines)
