"""Margins of a claim at an instance: what counts as a number, as undefined, as an error."""

from __future__ import annotations

import math
from fractions import Fraction
from numbers import Rational
from typing import Any

import numpy as np

from theory.claims.model import Claim, Undefined, Unrepresentable


def counted(number: int, noun: str) -> str:
    """A count with its noun.

    >>> counted(1, "instance"), counted(0, "instance")
    ('1 instance', '0 instances')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class ClaimError(RuntimeError):
    """The claim itself is broken: its margin fails with a programming error."""


class Evaluation:
    """Evaluates a claim's margin and assumptions."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.asking_definedness = False  # over ``domain`` every ValueError is an answer

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


def _domain_error(error: ValueError) -> bool:
    """Whether a ValueError says that a function has no value there, not that the code is wrong."""
    text = str(error)
    return ("math domain error" in text or ("expected a" in text and "input" in text)
            or isinstance(error, np.linalg.LinAlgError))


def _float(x: Any) -> float:
    try:
        return float(x)
    except OverflowError:
        return math.inf if x > 0 else -math.inf


def short(x: Any, width: int = 200) -> str:
    """A number or an instance in one line of evidence."""
    if isinstance(x, float):
        return f"{x:.4g}"
    if isinstance(x, Fraction):
        return str(x)
    with np.printoptions(threshold=64, precision=6):
        text = " ".join(repr(x).split())
    return text if len(text) <= width else text[: width - 3] + "..."
