"""(H1), the premise of Theorem 1's use: measured on the committed rows of training runs."""

from __future__ import annotations

from typing import Any

from theory.claims.ledger_4_measured import rows
from theory.claims.model import Claim, Measurement

SMALL_LOSS = 0.1  # nats; a "small" main loss on the training set
SMALL_MISS = 0.5  # a "small" missing rate: below half of what the empty map gets


def h1_measurement() -> Measurement | None:
    """Main loss against empirical missing rate over label-only runs, by method.

    A run meets the premise if its training loss is below ``SMALL_LOSS`` nats and the conclusion if
    its training missing rate is below half of the all-background map's.
    """
    numbers: dict[str, Any] = {}
    told = []
    for method in ("rectangle", "positionwise"):
        runs = [r for r in rows("training") if r.get("kind") == "training"
                and r.get("method") == method and r.get("supervision") == "label"]
        if len(runs) < 3:
            continue
        loss = [r["train"]["loss"] for r in runs]
        miss = [r["train"]["missing_rate"] for r in runs]
        bars = [SMALL_MISS * r["area_fraction"] for r in runs]
        premise = [k for k in range(len(runs)) if loss[k] < SMALL_LOSS]
        met = sum(miss[k] < bars[k] for k in premise)
        rank = _spearman(loss, miss)
        numbers |= {f"{method}_runs": len(runs), f"{method}_premise": len(premise),
                    f"{method}_conclusion": met, f"{method}_spearman": rank}
        told.append(f"{method}: of {len(runs)} label-only runs {len(premise)} reach a main loss below "
                    f"{SMALL_LOSS} on the training set, and {met} of these have a missing rate "
                    f"below half of the all-background map's; rank correlation of loss and missing "
                    f"rate {'undefined' if rank is None else format(rank, '.2f')}")
    if not told:
        return None
    return Measurement(numbers, "; ".join(told) + ". Committed rows paper_figures/rows/training.jsonl.")


def _spearman(x: list[float], y: list[float]) -> float | None:
    from scipy.stats import spearmanr

    if len(set(x)) < 2 or len(set(y)) < 2:
        return None
    return float(spearmanr(x, y).statistic)


h1 = Claim(
    id="h1", origin="paper", source="(H1), Eq. 10", kind="empirical",
    title="A small main loss on the training set implies a small empirical missing rate",
    statement=r"L_{main}\text{ small}\Rightarrow\hat R(f)\text{ small}",
    words="An assumption about training, not a theorem: measured on label-only runs with known "
          "masks.", assumptions="the runs named in the evidence", measure=h1_measurement,
    code="training", test="tests/training", figure="bound_vs_data")

CLAIMS = [h1]
