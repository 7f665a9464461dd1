"""What the committed trainings of networks show: regimes, Table 1's design, depth, Fig. 8, App. F.

Every measurement reads committed rows of ``python -m training sweep``; without them it is None.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from statistics import mean
from typing import Any

from theory.claims.ledger_4_measured import finite, rows
from theory.claims.ledger_5_1_h1 import SMALL_LOSS, SMALL_MISS
from theory.claims.model import Claim, Measurement
from theory.repeats import compare

Row = dict[str, Any]
ENOUGH = 0.5  # of the runs of a regime: (H1) holds there if so many of the fits find the object


def trained(name: str, **where: Any) -> list[Row]:
    """The training rows of a file whose fields (or those of their configuration) have these values."""
    return [r for r in rows(name) if r.get("kind") == "training" and all(
        r.get(k, (r.get("config") or {}).get(k)) == v for k, v in where.items())]


def _span(values: list[float], digits: int = 2) -> str:
    return f"{mean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def _of(found: Iterable[Row], part: str, name: str) -> list[float]:
    values = [(r.get(part) or {}).get(name) for r in found]
    return [v for v in values if finite(v)]


# --- (H1), regime by regime ------------------------------------------------------------------------


def regime_of(row: Row, names: dict[str, dict[str, Any]]) -> str | None:
    """The name of a row's regime among ``names``."""
    return next((n for n, held in names.items() if row["config"]["shapes"] == held), None)


def by_regime(method: str) -> dict[str, list[Row]]:
    """The rows of a method by regime, named by what differs from the default."""
    found = trained("regimes", method=method)
    out: dict[str, list[Row]] = defaultdict(list)
    default = _default(trained("regimes"))
    for row in found:
        shapes = row["config"]["shapes"]
        changes = {k: v for k, v in shapes.items() if default.get(k) != v}
        name = ", ".join(f"{k} {v}" for k, v in changes.items() if k != "image") or "default"
        out[name].append(row)
    return dict(out)


def _default(found: list[Row]) -> dict[str, Any]:
    """The most common value of every dial: those of the default regime."""
    values: dict[str, list[str]] = defaultdict(list)
    raw: dict[str, Any] = {}
    for row in found:
        for k, v in row["config"]["shapes"].items():
            values[k].append(repr(v))
            raw[k, repr(v)] = v
    return {k: raw[k, max(set(v), key=v.count)] for k, v in values.items()}


def premise_and_conclusion(found: list[Row]) -> tuple[int, int]:
    """How many runs have a small training loss, and how many of those a small missing rate."""
    fits = [r for r in found if finite(r["train"]["loss"]) and r["train"]["loss"] < SMALL_LOSS]
    return len(fits), sum(r["train"]["missing_rate"] < SMALL_MISS * r["area_fraction"] for r in fits)


def regimes_measurement() -> Measurement | None:
    """For each regime: runs that meet the premise of (H1), and how many of them its conclusion."""
    numbers: dict[str, Any] = {}
    told = []
    for method in ("rectangle", "positionwise"):
        found = by_regime(method)
        if not found:
            return None
        holds, fails, silent = [], [], []
        for name, runs in found.items():
            fits, hits = premise_and_conclusion(runs)
            numbers[f"{method}, {name}: fits"], numbers[f"{method}, {name}: hits"] = fits, hits
            group = silent if not fits else holds if hits >= ENOUGH * fits else fails
            group.append(name)
        told.append(
            f"{method}: in {len(holds)} of {len(found)} regimes at least half of the runs with a "
            f"small loss find the object, in {len(fails)} fewer ({'; '.join(fails) or 'none'}), in "
            f"{len(silent)} no run reaches a small loss")
    return Measurement(numbers, ". ".join(told) + f". Small: training loss below {SMALL_LOSS} nats; "
                       "training missing rate below half of the empty map's. Committed rows "
                       "paper_figures/rows/regimes.jsonl.")


H1_REGIMES = Claim(
    id="h1-regimes",
    title="Where a small main loss comes with a small missing rate, and where not",
    source="(H1), Eq. 10",
    statement=r"L_{main}\text{ small}\Rightarrow\hat R(f)\text{ small, regime by regime}",
    words="(H1) asks that the loss can only fall by looking at the object.  Where the trunk binds "
          "cue and class, where something outside tells the label or where the labels are "
          "memorised, it falls without.",
    assumptions="label-only training of small networks on the named regimes of ShapeField",
    kind="empirical", measure=regimes_measurement, origin="beyond", code="training",
    test="tests/test_trained_claims.py", figure="bound_vs_data")


def random_labels_measurement() -> Measurement | None:
    """The control: labels that say nothing of the image."""
    numbers: dict[str, Any] = {}
    told = []
    for method in ("rectangle", "positionwise", "none", "oracle"):
        found = trained("random_labels", method=method)
        for n in sorted({r["n"] for r in found}):
            runs = [r for r in found if r["n"] == n]
            train, test = _of(runs, "train", "accuracy"), _of(runs, "test", "accuracy")
            iou = _of(runs, "test", "iou")
            numbers[f"{method}, N = {n}"] = {"train accuracy": mean(train),
                                             "test accuracy": mean(test),
                                             "test IoU": mean(iou) if iou else None}
            told.append(f"{method}, N = {n}: training accuracy {_span(train)}, test {_span(test)}"
                        + (f", IoU {_span(iou)}" if iou and method != "oracle" else ""))
    if not told:
        return None
    return Measurement(numbers, "; ".join(told) + ". Labels drawn anew, chance 0.25.")


H1_RANDOM = Claim(
    id="h1-random-labels",
    title="Random labels: a small loss by memory, no object found",
    source="(H1), Eq. 10: control",
    statement=r"y\perp x:\ L_{main}\text{ small},\ \hat R(f)\text{ large}",
    words="If the labels are independent of the images, whatever loss is reached is memory and the "
          "map has no reason to hit the object.",
    assumptions="label-only training of small networks on ShapeField with random labels",
    kind="empirical", measure=random_labels_measurement, origin="beyond", code="training",
    test="tests/test_trained_claims.py")


# --- Table 1's design ------------------------------------------------------------------------------


def variant_of(row: Row) -> str:
    """The column's name of a method: the rectangle with the equivariance loss is one of its own."""
    eqvc = (row.get("config") or {}).get("eqvc", "none")
    return row["method"] + ("+EQVC" if eqvc != "none" else "")


def split_scores(part: str, name: str) -> dict[str, dict[str, list[float]]]:
    """``{ratio: {method: values by split}}`` of the rows of the experiment on splits."""
    found: dict[str, dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in trained("splits"):
        value = (row.get(part) or {}).get(name)
        config = row["config"]
        if finite(value):
            found[f"{config['ratio'] // 10}:{10 - config['ratio'] // 10}"][variant_of(row)][
                config["split"]] = value
    return {ratio: {m: [v for _, v in sorted(by.items())] for m, by in methods.items()}
            for ratio, methods in sorted(found.items())}


def splits_measurement() -> Measurement | None:
    """Paired comparisons of test accuracy over the splits, corrected for their overlap, Holm."""
    scores = split_scores("test", "accuracy")
    wanted = ("rectangle", "rectangle+EQVC", "positionwise", "none")
    if not scores or any(len({len(by.get(m, ())) for m in wanted}) != 1 or not by.get(wanted[0])
                         for by in scores.values()):
        return None
    if min(len(by["none"]) for by in scores.values()) < 2:
        return None
    overlap = {ratio: int(ratio[-1]) / int(ratio[0]) for ratio in scores}
    found = compare(scores, ("rectangle", "rectangle+EQVC"), ("none", "positionwise"), overlap)
    small = [f for f in found if f["holm_t"] is not None and f["holm_t"] < 0.05 and f["mean"] > 0]
    means = "; ".join(
        f"{ratio}: " + ", ".join(f"{m} {100 * mean(by[m]):.1f}" for m in sorted(by))
        for ratio, by in scores.items())
    n = len(next(iter(scores.values()))["none"])
    text = (f"test accuracy (%) over {n} splits each: {means}. Paired differences of the rectangle "
            f"with and without EQVC from none and position-wise: {sum(f['mean'] > 0 for f in found)} "
            f"of {len(found)} means positive, {len(small)} significant at 0.05 by the t-test "
            f"corrected for overlapping splits and by Holm. The least p of the exact sign-flip test "
            f"with {n} splits is {found[0]['p_least']:.3g}.")
    return Measurement({f"{f['column']} {f['method']} - {f['baseline']}": f["mean"] for f in found},
                       text)


TABLE_1_SHAPES = Claim(
    id="table-1-shapes",
    title="Table 1's design where attention is needed",
    source="Table 1, section 6.1",
    statement=r"\bar a_{rect}>\bar a_{b},\ b\in\{\text{none},\text{position-wise}\}",
    words="Three split ratios, five splits of one set of synthetic images in which the label can be "
          "read at the object only; the same small network for all methods.",
    assumptions="ShapeField's default regime; splits of one pool overlap, which the t-test corrects",
    kind="empirical", measure=splits_measurement, origin="beyond", code="theory.repeats",
    test="tests/test_trained_claims.py", figure="Table 1")


# --- depth, sequences ------------------------------------------------------------------------------


def depth_measurement() -> Measurement | None:
    """Test IoU and missing rate by the depth of the layer, both methods."""
    numbers: dict[str, Any] = {}
    told = []
    for method in ("rectangle", "positionwise"):
        found = trained("depth", method=method)
        for depth in sorted({r["config"]["depth"] for r in found}):
            runs = [r for r in found if r["config"]["depth"] == depth]
            iou, miss = _of(runs, "test", "iou"), _of(runs, "test", "missing_rate")
            best, accuracy = _of(runs, "test", "iou_best"), _of(runs, "test", "accuracy")
            numbers[f"{method}, after {depth} of {runs[0]['config']['layers']} layers"] = {
                "IoU": mean(iou), "missing rate": mean(miss), "best IoU": mean(best)}
            told.append(f"{method} after {depth} of {runs[0]['config']['layers']} 3x3 layers: IoU "
                        f"{_span(iou)}, at its best threshold {_span(best)}, missing rate "
                        f"{_span(miss, 3)}, accuracy {_span(accuracy)}")
    if not told:
        return None
    return Measurement(numbers, "; ".join(told) + ". Small networks, synthetic images, test images.")


def sequences_measurement() -> Measurement | None:
    """How maps follow a composed path of rotation, scaling and translation, by method."""
    numbers: dict[str, Any] = {}
    told = []
    found = trained("sequences")
    for name in sorted({variant_of(r) + ("" if r["config"]["eqvc"] != "quotient" else " (quotient)")
                        for r in found}):
        runs = [r for r in found if variant_of(r) + (
            "" if r["config"]["eqvc"] != "quotient" else " (quotient)") == name]
        ends = [r["sequences"]["summary"]["composed"] for r in runs if "sequences" in r]
        follows, ceiling, agree, bend = (
            [e[k] for e in ends if finite(e[k])]
            for k in ("iou", "iou_ceiling", "correlation", "second_difference_map"))
        if not follows or not agree or not bend:
            continue
        numbers[name] = {"IoU": mean(follows), "correlation": mean(agree), "bend": mean(bend)}
        told.append(f"{name}: IoU with the moved first mask {_span(follows)} of at most "
                    f"{mean(ceiling):.2f}, correlation of maps {_span(agree)}, relative second "
                    f"difference {_span(bend)}")
    if not told:
        return None
    return Measurement(numbers, "along rotation by 60 degrees, scaling to 0.8 and translation: "
                                + "; ".join(told) + ". Small networks, synthetic images.")


SEC_64_SEQUENCES = Claim(
    id="sec-6.4-sequences",
    title="Rectangles follow sequences of transforms more exactly than position-wise maps",
    source="section 6.4, Fig. 8",
    statement=r"\mathrm{IoU}(f(T_kx),T_kf(x))\ \text{and second differences along a path}",
    words="The paper shows a few sequences.  Here each map found in the moved image is held against "
          "the first map moved alike, over 128 test images and eight steps.",
    assumptions="small networks trained on ShapeField's default regime; objects wholly in the image",
    kind="empirical", measure=sequences_measurement, origin="beyond", code="training.sequences",
    test="tests/test_trained_claims.py", figure="Fig. 8")


# --- App. F ----------------------------------------------------------------------------------------


def trained_injectivity_measurement() -> Measurement | None:
    """Orientation, singular values, Prop. 4's ratios and collision candidates of trained modules."""
    groups: dict[tuple[str, bool], list[dict[str, Any]]] = defaultdict(list)
    for row in trained("injectivity_trained"):
        if isinstance(row.get("injectivity"), dict):
            groups[row["method"], row["config"]["rescale"]].append(row["injectivity"])
    if not groups:
        return None
    numbers: dict[str, Any] = {}
    told = []
    for (method, rescaled), found in sorted(groups.items()):
        turned = sum(f["reversed"] for f in found)
        seen = sum(len(f["orientations"]) for f in found)
        ratio = max(f["prop4"]["climbed_max"] for f in found)
        sigma = min(f["sigma_min"] for f in found)
        candidates = sum(f["candidates"] for f in found)
        name = f"{method}, {'rescaled' if rescaled else 'not rescaled'}"
        numbers[name] = {"modules": len(found), "points": seen, "reversed": turned,
                         "sigma_min": sigma, "largest ratio": ratio, "candidates": candidates}
        told.append(f"{name}: det J < 0 at {turned} of {seen} points, least singular value "
                    f"{sigma:.2g}, Prop. 4's ratio up to {ratio:.3g}, {candidates} candidates")
    return Measurement(numbers, "trained modules at features of test images: " + "; ".join(told)
                       + ". A continuous injective map of R^d keeps the sign of det J, which is "
                         "positive at 0: a module with det J < 0 anywhere is not injective.")


APP_F_TRAINED = Claim(
    id="app-F-trained",
    title="Trained modules: injective?",
    source="App. F, Props. 3 and 4",
    statement=r"\mathrm{sign}\det J_M(x)=+1\ \text{for all }x\ \text{if }M\text{ is injective}",
    words="Prop. 4 asks for a ratio below 1, which trained modules exceed.  The sign of det J "
          "decides in one direction: by invariance of domain an injective M has one orientation, "
          "that of x = 0.",
    assumptions="trained modules with the residual; the sign is computed in floating point and "
                "counted only where it is above rounding",
    kind="empirical", measure=trained_injectivity_measurement, origin="beyond",
    code="training.injective", test="tests/test_trained_claims.py")


# --- digits on photographs -------------------------------------------------------------------------


def digits_measurement() -> Measurement | None:
    """Accuracy and IoU of the methods on digits over photographs, frozen pretrained trunk."""
    numbers: dict[str, Any] = {}
    told = []
    found = trained("digits")
    for name in sorted({variant_of(r) for r in found}):
        runs = [r for r in found if variant_of(r) == name]
        accuracy, iou = _of(runs, "test", "accuracy"), _of(runs, "test", "iou")
        numbers[name] = {"accuracy": mean(accuracy), "IoU": mean(iou) if iou else None}
        seen = _of(runs, "gradcam", "iou_best")
        told.append(f"{name}: accuracy {_span(accuracy)}"
                    + (f", IoU {_span(iou)}" if iou else "")
                    + (f", Grad-CAM's best IoU {_span(seen)}" if seen else ""))
    if not told:
        return None
    return Measurement(numbers, "; ".join(told) + ". Real digits on photographs, EfficientNet-Lite0 "
                       "pretrained on ImageNet and frozen up to block 10; chance 0.10.")


DIGITS = Claim(
    id="sec-6-digits",
    title="The four methods on real digits over photographs, pretrained backbone",
    source="section 6",
    statement=r"\bar a_{rect}>\bar a_{b}\ \text{and}\ \mathrm{IoU}_{rect}>\mathrm{IoU}_{b}",
    words="Images that nobody drew for the purpose: handwritten digits, turned and scaled, on "
          "photographs, split over digits and backgrounds.",
    assumptions="the committed rows: a frozen trunk on the CPU",
    kind="empirical", measure=digits_measurement, origin="beyond", code="training.digits",
    test="tests/test_trained_claims.py")

CLAIMS: list[Claim] = [H1_REGIMES, H1_RANDOM, TABLE_1_SHAPES, SEC_64_SEQUENCES, APP_F_TRAINED, DIGITS]
MEASURES: list[Callable[[], Measurement | None]] = [
    regimes_measurement, random_labels_measurement, splits_measurement, depth_measurement,
    sequences_measurement, trained_injectivity_measurement, digits_measurement]
