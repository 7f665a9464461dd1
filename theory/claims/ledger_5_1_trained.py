"""(H1) in committed trainings: regime by regime, with random labels, and against mask supervision.

Every measurement reads committed rows of ``python -m training sweep``; without them it is None.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import mean
from typing import Any

from theory.claims.ledger_4_measured import finite
from theory.claims.ledger_5_1_h1 import SMALL_LOSS, premise_and_conclusion
from theory.claims.model import Claim, Measurement
from theory.claims.trained import Row, measured, trained, values_of
from theory.repeats import with_interval


def by_regime(method: str) -> dict[str, list[Row]]:
    """The rows of a method by regime, in the order of the file."""
    out: dict[str, list[Row]] = defaultdict(list)
    for row in trained("regimes", method=method):
        out[str(row.get("regime"))].append(row)
    return dict(out)


def bar_of(regime: str) -> float:
    """What counts as a small loss in a regime: ``SMALL_LOSS`` above the mean training loss of the
    networks that are given the true masks there."""
    return small_beside(by_regime("oracle").get(regime, ()))


def small_beside(oracle: Iterable[Row]) -> float:
    """A small training loss where the networks of these rows were given the true masks:
    ``SMALL_LOSS`` above their mean, which is taken as 0 where there are none."""
    losses = [r["train"]["loss"] for r in oracle]
    return SMALL_LOSS + (mean(losses) if losses else 0.0)


def outcome(runs: Iterable[Row], bar: float) -> str:
    """What runs say of (H1): "all", "some" or "none" of those with a loss below ``bar`` find the
    object; "silent" where no loss is."""
    fits, hits = premise_and_conclusion(runs, bar)
    return "silent" if not fits else "all" if hits == fits else "some" if hits else "none"


def along_training(row: Row) -> float | None:
    """Rank correlation of main loss and training missing rate along one run's history."""
    from scipy.stats import spearmanr

    pairs = [(h["loss"], h["missing_rate"]) for h in row.get("history", ())
             if finite(h.get("loss")) and finite(h.get("missing_rate"))]
    if len({p[0] for p in pairs}) < 3 or len({p[1] for p in pairs}) < 3:
        return None
    return float(spearmanr(*zip(*pairs, strict=True)).statistic)


def regimes_measurement() -> Measurement | None:
    """For each regime: runs that meet the premise of (H1), and how many of them its conclusion."""
    numbers: dict[str, Any] = {}
    told = []
    plain = by_regime("none")
    for method in ("rectangle", "positionwise"):
        found = by_regime(method)
        if not found:
            return None
        groups: dict[str, list[str]] = {"all": [], "some": [], "none": [], "silent": []}
        for name, runs in found.items():
            fits, hits = premise_and_conclusion(runs, bar_of(name))
            turns = [v for v in map(along_training, runs) if v is not None]
            without = values_of(plain.get(name, ()), "test", "accuracy")
            numbers[f"{method}, {name}"] = {
                "runs": len(runs), "premise": fits, "conclusion": hits,
                "correlation along training": mean(turns) if turns else None,
                "accuracy without attention": mean(without) if without else None}
            groups[outcome(runs, bar_of(name))].append(name)
        told.append(
            f"{method}, {len(found)} regimes: every run with a small loss finds the object in "
            f"{len(groups['all'])} ({', '.join(groups['all']) or 'none'}), some do in "
            f"{len(groups['some'])} ({', '.join(groups['some']) or 'none'}), none does in "
            f"{len(groups['none'])} ({', '.join(groups['none']) or 'none'}); no run reaches a small "
            f"loss in {len(groups['silent'])}")
    runs = max(len(v) for v in by_regime("rectangle").values())
    return Measurement(numbers, ". ".join(told) + f". Small: training loss within {SMALL_LOSS} nats "
                       "of the oracle's in that regime; finding as in h1. At most "
                       f"{runs} runs a regime and method: a regime where all find it is not one "
                       "where all always will. Committed rows paper_figures/rows/regimes.jsonl.")


H1_REGIMES = Claim(
    id="h1-regimes",
    title="Where a small main loss comes with a small missing rate, and where not",
    source="(H1), Eq. 10",
    statement=r"L_{main}\text{ small}\Rightarrow\hat R(f)\text{ small, regime by regime}",
    words="(H1) asks that the loss can only fall by looking at the whole object and at nothing else.  "
          "Where a part of it is enough, where nothing else is in the image or where the labels are "
          "memorised, it falls without.",
    assumptions="label-only training of small networks on the named regimes of ShapeField",
    kind="empirical", measure=regimes_measurement, origin="beyond", code="training",
    test="tests/test_trained_claims.py", figure="h1_regimes, h1")


def random_labels_measurement() -> Measurement | None:
    """The control: labels that say nothing of the image."""
    numbers: dict[str, Any] = {}
    told = []
    for method in ("rectangle", "positionwise", "none", "oracle"):
        found = trained("random_labels", method=method)
        for n in sorted({r["n"] for r in found}):
            runs = [r for r in found if r["n"] == n]
            train, test = values_of(runs, "train", "accuracy"), values_of(runs, "test", "accuracy")
            iou = values_of(runs, "test", "iou")
            numbers[f"{method}, N = {n}"] = {"train accuracy": mean(train),
                                             "test accuracy": mean(test),
                                             "test IoU": mean(iou) if iou else None}
            told.append(f"{method}, N = {n}: training accuracy {with_interval(train)}, "
                        f"test {with_interval(test)}"
                        + (f", IoU {with_interval(iou)}" if iou and method != "oracle" else ""))
    return measured(numbers, told, after=". Labels drawn anew, chance 0.25.")


H1_RANDOM = Claim(
    id="h1-random-labels",
    title="Random labels: what is fitted by memory, and does the map hit the object?",
    source="(H1), Eq. 10: control",
    statement=r"y\text{ independent of }x",
    words="If the labels are independent of the images, whatever training accuracy is above chance "
          "is memory, and the map has no reason to hit the object.",
    assumptions="label-only training of small networks on ShapeField with random labels",
    kind="empirical", measure=random_labels_measurement, origin="beyond",
    figure="h1_regimes",
    code="training",
    test="tests/test_trained_claims.py")


def masks_measurement() -> Measurement | None:
    """Test IoU and missing rate with and without the true masks in the loss, by method and N."""
    numbers: dict[str, Any] = {}
    told = []
    for method in ("rectangle", "positionwise"):
        found = trained("training", method=method, truth="rotated")
        for n in sorted({r["n"] for r in found}):
            runs = {s: [r for r in found if (r["n"], r["supervision"]) == (n, s)]
                    for s in ("label", "mask")}
            miss, iou = ({s: values_of(mine, "test", name) for s, mine in runs.items()}
                         for name in ("missing_rate", "iou"))
            if not all((*miss.values(), *iou.values())):
                continue
            numbers[f"{method}, N = {n}"] = {
                f"{name}, {s}": mean(v[s]) for name, v in (("missing rate", miss), ("IoU", iou))
                for s in ("label", "mask")}
            told.append(f"{method}, N = {n}: missing rate {with_interval(miss['label'], 3)} and "
                        f"{with_interval(miss['mask'], 3)}, IoU {with_interval(iou['label'])} and "
                        f"{with_interval(iou['mask'])}")
    return measured(numbers, told, "on test images, from labels alone and with the masks in the loss: ",
                    ". Small networks, synthetic images.")


MASKS = Claim(
    id="h1-masks",
    title="What the mask loss learns, the label need not",
    source="(H1), Eq. 10, section 5.1",
    statement=r"\hat R_{mask}(f)\text{ small}\text{ does not imply }\hat R_{label}(f)\text{ small}",
    words="A bound on the missing rate of networks that were trained on masks says nothing of "
          "networks that were trained on labels, unless (H1) holds.",
    assumptions="small networks trained on ShapeField's default regime",
    kind="empirical", measure=masks_measurement, origin="beyond",
    figure="table_training",
    code="training",
    test="tests/test_trained_claims.py")

CLAIMS: list[Claim] = [H1_REGIMES, H1_RANDOM, MASKS]
