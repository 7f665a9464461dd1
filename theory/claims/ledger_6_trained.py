"""What the committed trainings of networks show: Table 1's design, depth, Fig. 8, App. F, digits.

Every measurement reads committed rows of ``python -m training sweep``; without them it is None.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import mean
from typing import Any

from theory.claims.ledger_4_measured import finite
from theory.claims.model import Claim, Measurement
from theory.claims.trained import Row, measured, trained, values_of
from theory.repeats import compare, with_interval

# --- Table 1's design ------------------------------------------------------------------------------


def variant_of(row: Row) -> str:
    """The column's name of a method: the rectangle with the equivariance loss is one of its own."""
    eqvc = (row.get("config") or {}).get("eqvc", "none")
    return row["method"] + {"none": "", "quotient": "+EQVC"}.get(eqvc, f"+EQVC ({eqvc})")


def split_scores(
    part: str, name: str, rows: Iterable[Row] | None = None
) -> dict[str, dict[str, list[float]]]:
    """``{ratio: {method: values by split}}`` of the rows (by default the committed ones) of the
    experiment on splits.

    Raises:
        ValueError: two rows of one ratio, method and split: they are of several data sets or networks.
    """
    found: dict[str, dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in trained("splits") if rows is None else rows:
        value = (row.get(part) or {}).get(name)
        config = row["config"]
        if finite(value):
            by_split = found[column_of(config["ratio"])][variant_of(row)]
            if config["split"] in by_split:
                raise ValueError(f"one row each of a ratio, method and split, got two of "
                                 f"{config['ratio']}, {variant_of(row)!r}, {config['split']}")
            by_split[config["split"]] = value
    return {ratio: {m: [v for _, v in sorted(by.items())] for m, by in methods.items()}
            for ratio, methods in sorted(found.items())}


def column_of(ratio: int) -> str:
    """A training share in percent as Table 1's columns have it, training to test.

    >>> column_of(60), column_of(75)
    ('6:4', '75:25')
    """
    unit = 1 if ratio % 10 else 10
    return f"{ratio // unit}:{(100 - ratio) // unit}"


def split_comparisons(scores: dict[str, dict[str, list[float]]]) -> list[dict[str, Any]]:
    """Rectangles with and without EQVC against no attention and position-wise attention, by ratio:
    :func:`theory.repeats.compare` with the overlap of the splits, Holm over all of them."""
    parts = {ratio: [int(part) for part in ratio.split(":")] for ratio in scores}
    overlap = {ratio: test / train for ratio, (train, test) in parts.items()}
    return compare(scores, ("rectangle", "rectangle+EQVC"), ("none", "positionwise"), overlap)


def splits_measurement() -> Measurement | None:
    """Paired comparisons of test accuracy over the splits, corrected for their overlap, Holm."""
    scores = split_scores("test", "accuracy")
    wanted = ("rectangle", "rectangle+EQVC", "positionwise", "none")
    if not scores or any(len({len(by.get(m, ())) for m in wanted}) != 1 or not by.get(wanted[0])
                         for by in scores.values()):
        return None
    if min(len(by["none"]) for by in scores.values()) < 2:
        return None
    found = split_comparisons(scores)
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
          "read at the object only; the same small network for all methods, but learnt maps have "
          "three starts (the best on training loss goes on) and the others one.  EQVC is the loss "
          "on the quotient: the paper's own charges the coords head for its choice of angle.",
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
            iou, miss = values_of(runs, "test", "iou"), values_of(runs, "test", "missing_rate")
            best, accuracy = values_of(runs, "test", "iou_best"), values_of(runs, "test", "accuracy")
            numbers[f"{method}, after {depth} of {runs[0]['config']['layers']} layers"] = {
                "IoU": mean(iou), "missing rate": mean(miss), "best IoU": mean(best)}
            told.append(f"{method} after {depth} of {runs[0]['config']['layers']} 3x3 layers: IoU "
                        f"{with_interval(iou)}, at its best threshold {with_interval(best)}, missing "
                        f"rate {with_interval(miss, 3)}, accuracy {with_interval(accuracy)}")
    return measured(numbers, told, after=". Small networks, synthetic images, test images.")


def sequences_measurement() -> Measurement | None:
    """How maps follow a composed path of rotation, scaling and translation, by method."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in trained("sequences"):
        if isinstance(row.get("sequences"), dict):
            groups[variant_of(row)].append(row["sequences"]["summary"]["composed"])
    numbers: dict[str, Any] = {}
    told = []
    for name, ends in sorted(groups.items()):
        values = {k: [e[k] for e in ends if finite(e.get(k))]
                  for k in ("iou_truth", "correlation", "centre_error", "second_difference_centre")}
        if not all(values.values()):
            continue
        numbers[name] = {k: mean(v) for k, v in values.items()}
        told.append(f"{name}: IoU with the moved truth {with_interval(values['iou_truth'])}, "
                    "correlation with its own first map, moved, "
                    f"{with_interval(values['correlation'])}, centre off by "
                    f"{with_interval(values['centre_error'], 3)}, its second difference "
                    f"{with_interval(values['second_difference_centre'], 4)}")
    return measured(
        numbers, told, "along rotation by 60 degrees, scaling to 0.8 and translation: ",
        ". A map that does not look at the image (centre) is smooth and follows nothing: only the "
        "IoU with the moved truth tells. Small networks, synthetic images.")


SEC_64_SEQUENCES = Claim(
    id="sec-6.4-sequences",
    title="Which maps follow sequences of transforms, and how exactly?",
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
        told.append(f"{name}: det J < 0 at {turned} of {seen} points, least singular value found "
                    f"{sigma:.2g}, Prop. 4's ratio up to {ratio:.3g}, {candidates} candidates for a "
                    "collision")
    return measured(
        numbers, told, "trained modules at features of test images: ",
        ". det J < 0 at one point shows that a continuous module is not injective on R^d; det J > 0 "
        "at all of them shows nothing, and neither does a search without candidates.")


APP_F_TRAINED = Claim(
    id="app-F-trained",
    title="Trained modules: injective?",
    source="App. F, Props. 3 and 4",
    statement=r"\text{sign of det }J_M(x)=+1\ \text{for all }x\ \text{if }M\text{ is injective}",
    words="Prop. 4 asks for a ratio below 1.  The sign of det J decides in one direction: by "
          "invariance of domain a continuous injective M of R^d has one orientation, that of x = 0, "
          "where det J > 0.  Of the heads, paper and position-wise are continuous; the others are "
          "but where the vector of the angle vanishes (codimension 2, which leaves the rest "
          "connected, so that an M injective there has one orientation too).  Nothing is said of "
          "inputs that the trunk cannot produce being told apart.",
    assumptions="trained modules with the residual; all of R^d as inputs; the sign is computed in "
                "floating point and counted only where it is above rounding",
    kind="empirical", measure=trained_injectivity_measurement, origin="beyond",
    figure="injectivity", code="training.injective", test="tests/test_trained_claims.py")


# --- digits on photographs -------------------------------------------------------------------------


def digits_measurement() -> Measurement | None:
    """Accuracy and IoU of the methods on digits over photographs, frozen pretrained trunk."""
    numbers: dict[str, Any] = {}
    told = []
    found = trained("digits", data="digits")
    for name in sorted({variant_of(r) for r in found}):
        runs = [r for r in found if variant_of(r) == name]
        accuracy, iou = values_of(runs, "test", "accuracy"), values_of(runs, "test", "iou")
        numbers[name] = {"accuracy": mean(accuracy), "IoU": mean(iou) if iou else None}
        seen = values_of(runs, "gradcam", "iou_best")
        told.append(f"{name}: accuracy {with_interval(accuracy)}"
                    + (f", IoU {with_interval(iou)}" if iou else "")
                    + (f", Grad-CAM's best IoU {with_interval(seen)}" if seen else ""))
    return measured(numbers, told, after=". Real digits on photographs, EfficientNet-Lite0 "
                    "pretrained on ImageNet and frozen up to block 10; chance 0.10.")


DIGITS = Claim(
    id="sec-6-digits",
    title="The four methods on real digits over photographs, pretrained backbone",
    source="section 6",
    statement=r"\bar a_{rect}>\bar a_{b}\ \text{and}\ \mathrm{IoU}_{rect}>\mathrm{IoU}_{b}",
    words="Real handwritten digits, turned and scaled, put on real photographs and textures beside "
          "marks without class; digits and backgrounds of the test are not those of the training "
          "(three backgrounds a seed).  Two convolutions and the classifier behind the trunk are "
          "trained; EQVC is the loss on the quotient, with four fixed moved views an image.",
    assumptions="the committed rows: a frozen trunk on the CPU",
    kind="empirical", measure=digits_measurement, origin="beyond", code="training.digits",
    test="tests/test_trained_claims.py")

CLAIMS: list[Claim] = [TABLE_1_SHAPES, SEC_64_SEQUENCES, APP_F_TRAINED, DIGITS]
