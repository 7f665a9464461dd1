"""The ledger: every claim of the paper, its amendments and what goes beyond it, in order."""

from __future__ import annotations

import importlib
import importlib.util
import json
import traceback
from pathlib import Path

from theory.claims.model import Claim

MODULES = (
    "theory.claims.ledger_4",
    "theory.claims.ledger_5_1_relevance",
    "theory.claims.ledger_5_1_rotated",
    "theory.claims.ledger_5_1_bounds",
    "theory.claims.ledger_5_1_sharp",
    "theory.claims.ledger_5_1_contraction",
    "theory.claims.ledger_5_1_constants",
    "theory.claims.ledger_5_1_held_out",
    "theory.claims.ledger_5_1_betting",
    "theory.claims.ledger_5_1_moment",
    "theory.claims.ledger_5_1_pac_bayes",
    "theory.claims.ledger_5_1_draws",
    "theory.claims.ledger_5_1_h1",
    "theory.claims.ledger_5_1_trained",
    "theory.claims.ledger_5_2",
    "theory.claims.ledger_f",
    "theory.claims.ledger_6",
    "theory.claims.ledger_6_trained",
)
RECORDED = Path(__file__).with_name("recorded.json")


def ledger() -> dict[str, Claim]:
    """All claims by id.  Importing them imports neither Hypothesis, SymPy, z3 nor torch."""
    return collect(*(importlib.import_module(name) for name in MODULES))


def collect(*modules: object) -> dict[str, Claim]:
    """The claims of modules: their ``CLAIMS`` lists, or else every ``Claim`` they define."""
    claims: dict[str, Claim] = {}
    for module in modules:
        found = getattr(module, "CLAIMS", None)
        if found is None:
            found = [value for value in vars(module).values() if isinstance(value, Claim)]
        for claim in found:
            if claims.get(claim.id, claim) is not claim:
                raise ValueError(f"two claims have the id {claim.id!r}")
            claims[claim.id] = claim
    for claim in list(claims.values()):
        if claim.amendment is not None:
            claims.setdefault(claim.amendment.id, claim.amendment)
    return claims


def claims_of_file(path: Path) -> dict[str, Claim]:
    """The claims of a user's Python file."""
    spec = importlib.util.spec_from_file_location(f"claims_file_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        line = getattr(error, "lineno", None) or last.lineno
        raise ValueError(f"{path} fails when imported: {type(error).__name__}: {error} "
                         f"({Path(last.filename).name}, line {line})") from error
    claims = collect(module)
    if not claims:
        raise ValueError(f"{path} defines no Claim")
    return claims


def recorded_path(path: Path | None) -> Path:
    """Where the recorded verdicts of the ledger, or of a user's file, are kept."""
    return RECORDED if path is None else path.with_suffix(".verdicts.json")


def recorded(path: Path | None = None) -> dict[str, str]:
    """Recorded statuses by id; empty when nothing was recorded."""
    file = recorded_path(path)
    if not file.exists():
        return {}
    try:
        return dict(json.loads(file.read_text())["verdicts"])
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{file} is no record of verdicts: {error!r}") from error
