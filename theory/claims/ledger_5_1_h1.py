"""(H1), the premise of Theorem 1's use: measured on the committed rows of training runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from theory.claims.ledger_4_measured import finite
from theory.claims.model import Claim, Measurement
from theory.claims.trained import trained
from theory.methods import is_rectangle

SMALL_LOSS = 0.1  # nats; a "small" main loss on the training set
SMALL_MISS = 0.5  # a "small" missing rate: below half of what the empty map gets


def train_area(row: dict[str, Any]) -> float:
    """The mean area fraction of the training truths: the empty map's training missing rate."""
    height, width = row["grid"]
    areas = {int(k): v for k, v in row["train_areas"].items()}
    return sum(k * v for k, v in areas.items()) / (sum(areas.values()) * height * width)


def family_floor(row: dict[str, Any]) -> float:
    """The row's floor (the best rectangle's missing rate); 0 for maps that may be any mask."""
    return (row.get("floor") or 0.0) if is_rectangle(row["method"]) else 0.0


def finds_the_object(row: dict[str, Any]) -> bool:
    """Whether the training missing rate, above the family's floor, is below half of the empty
    map's: ``miss - floor < (area - floor) / 2``."""
    floor = family_floor(row)
    return row["train"]["missing_rate"] - floor < SMALL_MISS * (train_area(row) - floor)


def premise_and_conclusion(
    found: Iterable[dict[str, Any]], bar: float = SMALL_LOSS
) -> tuple[int, int]:
    """How many runs have a training loss below ``bar``, and how many of those find the object."""
    fits = [r for r in found if finite(r["train"]["loss"]) and r["train"]["loss"] < bar]
    return len(fits), sum(finds_the_object(r) for r in fits)


def h1_measurement() -> Measurement | None:
    """Label-only runs by method, truth and N: how many reach a small main loss, and how many of
    these a small missing rate.

    Nothing is pooled over N: the loss falls where N is small, by memory, and so does the chance to
    find the object, which would show as a correlation of the wrong sign.
    """
    numbers: dict[str, Any] = {}
    told = []
    for method in ("rectangle", "positionwise"):
        runs = trained("training", method=method, supervision="label")
        if len(runs) < 3:
            continue
        parts = []
        for truth, n in sorted({(r.get("truth", "rotated"), r["n"]) for r in runs}):
            cell = [r for r in runs if (r.get("truth", "rotated"), r["n"]) == (truth, n)]
            fits, hits = premise_and_conclusion(cell)
            name = f"{truth}, N = {n}"
            numbers[f"{method}, {name}"] = {"runs": len(cell), "premise": fits, "conclusion": hits}
            parts.append(f"{name}: {hits} of {fits} ({len(cell)} runs)")
        told.append(f"{method}: {'; '.join(parts)}")
    if not told:
        return None
    return Measurement(
        numbers, "runs that find the object among those that reach a main loss below "
        f"{SMALL_LOSS} nats on the training set. {'. '.join(told)}. Finding: training missing rate, "
        "above the family's floor, below half of the empty map's. Committed rows "
        "paper_figures/rows/training.jsonl.")


h1 = Claim(
    id="h1", origin="paper", source="(H1), Eq. 10", kind="empirical",
    title="A small main loss on the training set implies a small empirical missing rate",
    statement=r"L_{main}\text{ small}\Rightarrow\hat R(f)\text{ small}",
    words="An assumption about training, not a theorem: measured on label-only runs with known "
          "masks.", assumptions="the runs named in the evidence", measure=h1_measurement,
    code="training", test="tests/test_trained_claims.py", figure="h1, learning_curves")

CLAIMS = [h1]
