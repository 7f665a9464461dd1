"""What the ledger reads off committed trainings: made-up rows with known answers, and no rows."""

import json

import pytest

from theory.claims import ledger_4_measured as measured
from theory.claims import ledger_5_1_h1 as premise
from theory.claims import ledger_5_1_trained as h1
from theory.claims import ledger_6_trained as trained
from theory.repeats import paired

MEASURES = [h1.regimes_measurement, h1.random_labels_measurement, h1.masks_measurement,
            trained.splits_measurement, trained.depth_measurement, trained.sequences_measurement,
            trained.trained_injectivity_measurement, trained.digits_measurement,
            premise.h1_measurement]
DIGITS = {"data": "digits"}
SHAPES = {"truth": "rotated", "noise": 0.1, "binding": "far", "image": [64, 64]}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "ROWS", tmp_path)
    return tmp_path


def row(method="rectangle", seed=0, loss=0.01, miss=0.02, iou=0.5, accuracy=0.9, config=None, **more):
    part = {"loss": loss, "missing_rate": miss, "iou": iou, "iou_best": None if iou is None else iou + 0.1,
            "accuracy": accuracy}
    return {"kind": "training", "method": method, "seed": seed, "n": 64, "grid": [8, 8],
            "train_areas": {"2": 1, "6": 1}, "floor": None,
            "train": part, "test": part,
            "config": {"shapes": SHAPES, "eqvc": "none", "rescale": True, **(config or {})}, **more}


def write(folder, name, *found):
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in found))


def test_without_rows_nothing_is_measured(folder):
    assert [measure() for measure in MEASURES] == [None] * len(MEASURES)


def test_regimes_by_what_the_oracle_reaches(folder):
    rows = [row("oracle", loss=0.5, regime="noisy"), row("oracle", loss=0.0, regime="needed")]
    for method in ("rectangle", "positionwise"):
        rows += [row(method, seed, miss=0.01, regime="needed") for seed in range(3)]  # all
        rows += [row(method, seed, miss=0.05, regime="local") for seed in range(2)]  # none
        rows += [row(method, 0, loss=0.55, miss=0.01, regime="noisy")]  # small beside the oracle's
        rows += [row(method, 1, loss=0.61, miss=0.01, regime="noisy")]  # not small
        rows += [row(method, 0, loss=1.3, regime="ring")]  # silent
        rows += [row(method, seed, miss=0.01 + 0.04 * seed, regime="many") for seed in range(2)]
    write(folder, "regimes", *rows)
    found = h1.regimes_measurement()
    counts = {k: (v["runs"], v["premise"], v["conclusion"]) for k, v in found.numbers.items()}
    assert counts["rectangle, needed"] == (3, 3, 3)
    assert counts["positionwise, local"] == (2, 2, 0)
    assert counts["rectangle, noisy"] == (2, 1, 1)
    assert counts["rectangle, ring"] == (1, 0, 0)
    assert counts["rectangle, many"] == (2, 2, 1)
    assert "in 2 (needed, noisy)" in found.text and "some do in 1 (many)" in found.text
    assert "none does in 1 (local)" in found.text and "small loss in 1" in found.text


def test_correlation_along_training():
    history = [{"step": k, "loss": 1 / (k + 1), "missing_rate": 0.1 - 0.01 * k} for k in range(5)]
    assert h1.along_training({"history": history}) == pytest.approx(1)
    turned = [{**h, "missing_rate": 0.1 - h["missing_rate"]} for h in history]
    assert h1.along_training({"history": turned}) == pytest.approx(-1)
    assert h1.along_training({"history": [{"loss": 0.1, "missing_rate": None}] * 5}) is None


def test_a_tie_at_the_bar_is_no_hit():
    assert premise.premise_and_conclusion([row(miss=0.03125)]) == (1, 0)  # half of 4/64, not below
    assert premise.premise_and_conclusion([row(miss=0.0312)]) == (1, 1)
    assert premise.premise_and_conclusion([row(loss=0.1, miss=0.0)]) == (0, 0)


def test_the_floor_counts_for_rectangles_only():
    """Area 4/64, floor 0.02: the bar is 0.02 + (0.0625 - 0.02) / 2 = 0.04125 for rectangles."""
    assert premise.finds_the_object(row(miss=0.041, floor=0.02))
    assert not premise.finds_the_object(row(miss=0.0415, floor=0.02))
    assert not premise.finds_the_object(row("positionwise", miss=0.041, floor=0.02))


def test_h1_is_counted_by_truth_and_size(folder):
    write(folder, "training", *(row(m, s, miss=0.01 if n == 64 else 0.05, n=n, supervision="label",
                                    truth="rotated")
                                for m in ("rectangle", "positionwise") for s in (0, 1) for n in (64, 256)))
    numbers = premise.h1_measurement().numbers
    assert numbers["rectangle, rotated, N = 64"] == {"runs": 2, "premise": 2, "conclusion": 2}
    assert numbers["positionwise, rotated, N = 256"]["conclusion"] == 0


def test_masks_beside_labels(folder):
    write(folder, "training", *(row(m, s, miss=v, n=64, supervision=u, truth="rotated")
                                for m in ("rectangle", "positionwise") for s in (0, 1)
                                for u, v in (("label", 0.06), ("mask", 0.02))))
    found = h1.masks_measurement().numbers["rectangle, N = 64"]
    assert found["missing rate, label"] == pytest.approx(0.06)
    assert found["missing rate, mask"] == pytest.approx(0.02)


def test_splits_are_paired(folder):
    rng = [0.1, 0.4, 0.2, 0.3, 0.25]
    rows, scores = [], {"rectangle": [], "none": []}
    for ratio in (60, 80):
        for split in (4, 2, 0, 1, 3):  # out of order
            base = 0.5 + rng[split]
            for method, gain, eqvc in (("none", 0, "none"), ("positionwise", 0.01, "none"),
                                       ("rectangle", 0.05 + 0.01 * split, "none"),
                                       ("rectangle", 0.06, "quotient")):
                rows.append(row(method, split, accuracy=base + gain,
                                config={"ratio": ratio, "split": split, "eqvc": eqvc}))
    write(folder, "splits", *rows)
    scores = trained.split_scores("test", "accuracy")
    assert set(scores) == {"6:4", "8:2"} and set(scores["6:4"]) == {
        "none", "positionwise", "rectangle", "rectangle+EQVC"}
    assert scores["6:4"]["none"] == pytest.approx([0.5 + v for v in rng])
    found = trained.splits_measurement()
    assert found.numbers["6:4 rectangle - none"] == pytest.approx(0.07)
    assert "8 of 8 means positive" in found.text and "0.0625" in found.text
    assert paired(scores["6:4"]["rectangle"], scores["6:4"]["none"], 4 / 6).p_t < 0.05


def test_splits_that_are_not_complete_measure_nothing(folder):
    write(folder, "splits", row("none", config={"ratio": 60, "split": 0}),
          row("rectangle", config={"ratio": 60, "split": 0}))
    assert trained.splits_measurement() is None


def test_depths(folder):
    write(folder, "depth", *(row(m, s, iou=0.2 * d + 0.1 * s, config={"depth": d, "layers": 3})
                             for m in ("rectangle", "positionwise") for d in (0, 2) for s in (0, 1)))
    found = trained.depth_measurement()
    assert found.numbers["rectangle, after 2 of 3 layers"]["IoU"] == pytest.approx(0.45)
    assert found.numbers["positionwise, after 0 of 3 layers"]["best IoU"] == pytest.approx(0.15)


def test_sequences_tell_the_losses_apart(folder):
    def sequence(value):
        return {"summary": {"composed": {"iou_truth": value, "correlation": value, "centre_error": 0.1,
                                         "second_difference_centre": 1 - value}}}

    write(folder, "sequences", row(sequences=sequence(0.5)),
          row(config={"eqvc": "paper"}, sequences=sequence(0.6)),
          row(config={"eqvc": "quotient"}, sequences=sequence(0.7)),
          row("positionwise", sequences={"summary": {"composed": {
              "iou_truth": None, "correlation": None, "centre_error": None,
              "second_difference_centre": None}}}))
    found = trained.sequences_measurement()
    assert {k: v["iou_truth"] for k, v in found.numbers.items()} == {
        "rectangle": 0.5, "rectangle+EQVC (paper)": 0.6, "rectangle+EQVC": 0.7}


def test_orientations_are_counted(folder):
    def found(turned, sigma, ratio):
        return {"reversed": turned, "orientations": [1] * 8, "sigma_min": sigma, "candidates": 0,
                "prop4": {"climbed_max": ratio}}

    write(folder, "injectivity_trained", row("positionwise", 0, injectivity=found(3, 0.2, 2.0)),
          row("positionwise", 1, injectivity=found(0, 0.1, 5.0)),
          row(config={"rescale": False}, injectivity=found(0, 0.3, 0.9)))
    numbers = trained.trained_injectivity_measurement().numbers
    assert numbers["positionwise, rescaled"] == {
        "modules": 2, "points": 16, "reversed": 3, "sigma_min": 0.1, "largest ratio": 5.0,
        "candidates": 0}
    assert numbers["rectangle, not rescaled"]["reversed"] == 0


def test_digits_and_random_labels(folder):
    write(folder, "digits", row("none", gradcam={"iou_best": 0.3}, config=DIGITS),
          row("rectangle", accuracy=0.8, config=DIGITS), row("rectangle", accuracy=0.1))
    numbers = trained.digits_measurement().numbers
    assert numbers["rectangle"] == {"accuracy": 0.8, "IoU": 0.5}
    assert "Grad-CAM's best IoU 0.30" in trained.digits_measurement().text
    write(folder, "random_labels", row(accuracy=0.25), row("none", accuracy=0.3, iou=None))
    numbers = h1.random_labels_measurement().numbers
    assert numbers["none, N = 64"]["test IoU"] is None
    assert numbers["rectangle, N = 64"]["test accuracy"] == 0.25


def test_claims_on_shapes_do_not_see_other_images(folder):
    pets = {"data": "pets", "depth": 0, "layers": 3, "ratio": 60, "split": 0}
    own = [row(m, s, config={**pets, "data": "shapes", "split": s}) for m in ("rectangle", "positionwise")
           for s in (0, 1)]
    write(folder, "depth", *own, *(row("rectangle", s, iou=0.9, config=pets) for s in (0, 1)))
    assert trained.depth_measurement().numbers["rectangle, after 0 of 3 layers"]["IoU"] == 0.5
    write(folder, "training", *own, *(row("rectangle", s, miss=0.9, config=pets) for s in range(5)))
    found = premise.h1_measurement()
    assert found is None  # two runs a method on ShapeField; five more on pets are not theirs
    write(folder, "splits", *own, *(row("rectangle", s, accuracy=0.0, config=pets) for s in (0, 1)))
    assert trained.split_scores("test", "accuracy")["6:4"]["rectangle"] == [0.9, 0.9]
    with pytest.raises(ValueError, match="got two of 60, 'rectangle', 0"):
        trained.split_scores("test", "accuracy", [own[0], row(config=pets)])


def test_any_ratio_has_a_column_of_its_own():
    rows = [row(accuracy=r / 100, config={"ratio": r, "split": 0}) for r in (60, 65, 75)]
    assert trained.split_scores("test", "accuracy", rows) == {
        "6:4": {"rectangle": [0.6]}, "65:35": {"rectangle": [0.65]}, "75:25": {"rectangle": [0.75]}}
    scores = {"75:25": {m: [0.1 * k, 0.2, 0.4] for k, m in enumerate(
        ("none", "positionwise", "rectangle", "rectangle+EQVC"))}}
    found = trained.split_comparisons(scores)[0]
    assert found["p_t"] == paired(scores["75:25"]["rectangle"], scores["75:25"]["none"], 1 / 3).p_t
