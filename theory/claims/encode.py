"""Verdicts as JSON, and instances as JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from theory.claims.model import Verdict


def encode(value: Any) -> Any:
    """An instance as JSON: arrays with their dtype, Fractions as strings, no NaN.

    >>> encode({"a": np.array([1, -1], dtype=np.int8), "rate": Fraction(1, 3)})
    {'a': {'array': [1, -1], 'dtype': 'int8'}, 'rate': {'fraction': '1/3'}}
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Fraction):
        return {"fraction": str(value)}
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else {"float": repr(float(value))}
    if isinstance(value, np.bool_ | np.integer):
        return value.item()
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        return {"array": encode(value.tolist()), "dtype": str(value.dtype)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}
    if isinstance(value, Mapping):
        return {str(k): encode(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [encode(v) for v in value]
    return {"repr": repr(value)}


def encode_margin(value: Any) -> Any:
    """A margin as a JSON number, or a string for Fractions."""
    if value is None:
        return None
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, int):
        return value
    number = float(value)
    return number if math.isfinite(number) else repr(number)


def encode_verdict(verdict: Verdict, recorded: str | None) -> dict[str, Any]:
    """One entry of the ``verdicts`` list of ``verify --json``."""
    claim = verdict.claim
    return {
        **{name: getattr(claim, name) for name in (
            "id", "title", "source", "origin", "kind", "statement", "words", "assumptions", "code",
            "test", "figure")},
        "status": verdict.status,
        "recorded": recorded,
        "evidence": [{"kind": e.kind, "text": e.text, "instances": e.instances,
                      "closest": encode_margin(e.closest)} for e in verdict.evidence],
        "worst_margin": encode_margin(verdict.worst_margin),
        "counterexample": encode(verdict.counterexample),
        "counterexample_repr": (
            "" if verdict.counterexample is None else repr(verdict.counterexample)),
        "counterexample_margin": encode_margin(verdict.counterexample_margin),
        "undefined_at": encode(verdict.undefined_at),
        "undefined_why": verdict.undefined_why,
        "amendment": None if claim.amendment is None else claim.amendment.id,
        "seconds": round(verdict.seconds, 3),
    }
