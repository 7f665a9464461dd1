"""All bounds of a row, each with where its slack goes: what ``certify`` prints and figures draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from theory.bounds import DELTA
from theory.bounds.base import Bound, added
from theory.bounds.betting import Betting
from theory.bounds.chernoff import Chernoff
from theory.bounds.clopper_pearson import ClopperPearson
from theory.bounds.contraction import Cellwise, Contraction
from theory.bounds.disintegrated import Disintegrated
from theory.bounds.evidence import Evidence, evidence
from theory.bounds.hoeffding import Hoeffding
from theory.bounds.maurer_pontil import MaurerPontil
from theory.bounds.occam import Occam
from theory.bounds.pac_bayes_catoni import PacBayesCatoni
from theory.bounds.pac_bayes_kl import PacBayesKl
from theory.bounds.pac_bayes_lambda import PacBayesLambda
from theory.bounds.pac_bayes_quadratic import PacBayesQuadratic
from theory.bounds.statements import Ceiling, SharpBound, TheoremOne

BOUNDS: tuple[type[Bound], ...] = (
    Ceiling, TheoremOne, SharpBound, Hoeffding, Chernoff, ClopperPearson, MaurerPontil, Betting,
    Occam, PacBayesKl, PacBayesQuadratic, PacBayesLambda, PacBayesCatoni, Disintegrated,
    Contraction, Cellwise,
)
"""In the order of the table.  Another bound is another entry; it is asked for every predictor that has
its ingredients."""


def table(row: Mapping[str, Any], delta: float = DELTA) -> list[dict[str, Any]]:
    """One dict for each bound and predictor: ``bound``, ``predictor``, ``upper``, ``start``, ``slack``
    (by cause), ``largest`` (the cause with the most), ``test`` (the measured missing rate: of the one
    network where the bound is of one, else the mean over the predictor's law).

    Each bound holds by itself at level delta; taking the best of several needs a union.

    Raises:
        ValueError: delta outside (0, 1); a row without missing rates or with numbers out of range.
    """
    out = []
    for found in evidence(row):
        for kind in BOUNDS:
            if not kind.lacks(found.given):
                out.append(_line(kind(delta=delta), found))
    return out


def lacking(row: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The bounds that no predictor of a row has the ingredients for, and what the nearest one lacks."""
    all_found = list(evidence(row))
    out = {}
    for kind in BOUNDS:
        missing = min((kind.lacks(found.given) for found in all_found), key=len)
        if missing:
            out[kind.name] = missing
    return out


def _line(bound: Bound, found: Evidence) -> dict[str, Any]:
    stages = {name: float(v) for name, v in bound.stages(**bound.take(found.given)).items()}
    values, slack = list(stages.values()), added(stages)
    single = bool({"drawn", "losses"} & set(bound.needs()))
    return {"bound": bound.name, "title": bound.title, "predictor": found.predictor,
            "delta": bound.delta, "start": values[0], "upper": values[-1], "slack": slack,
            "largest": max(slack, key=slack.__getitem__),
            "test": found.test_drawn if single else found.test}
