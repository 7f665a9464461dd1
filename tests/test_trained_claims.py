"""What the ledger reads off committed trainings: made-up rows with known answers, and no rows."""

import json

import pytest

from theory.claims import ledger_4_measured as measured
from theory.claims import ledger_6_trained as trained
from theory.repeats import paired

SHAPES = {"truth": "rotated", "noise": 0.1, "binding": "far", "image": [64, 64]}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "ROWS", tmp_path)
    return tmp_path


def row(method="rectangle", seed=0, loss=0.01, miss=0.02, iou=0.5, accuracy=0.9, config=None, **more):
    part = {"loss": loss, "missing_rate": miss, "iou": iou, "iou_best": None if iou is None else iou + 0.1,
            "accuracy": accuracy}
    return {"kind": "training", "method": method, "seed": seed, "n": 64, "area_fraction": 0.06,
            "train": part, "test": part,
            "config": {"shapes": SHAPES, "eqvc": "none", "rescale": True, **(config or {})}, **more}


def write(folder, name, *found):
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in found))


def test_without_rows_nothing_is_measured(folder):
    assert [measure() for measure in trained.MEASURES] == [None] * len(trained.MEASURES)


def test_regimes_are_told_apart_by_what_differs_from_the_default(folder):
    local = {**SHAPES, "binding": "local"}
    noisy = {**SHAPES, "noise": 0.4}
    rows = []
    for method in ("rectangle", "positionwise"):
        rows += [row(method, seed, miss=0.01) for seed in range(3)]  # holds
        rows += [row(method, seed, miss=0.05, config={"shapes": local}) for seed in range(2)]  # fails
        rows += [row(method, 0, loss=1.3, config={"shapes": noisy})]  # silent
    write(folder, "regimes", *rows)
    found = trained.regimes_measurement()
    assert found.numbers["rectangle, default: fits"] == found.numbers["rectangle, default: hits"] == 3
    assert found.numbers["positionwise, binding local: fits"] == 2
    assert found.numbers["positionwise, binding local: hits"] == 0
    assert found.numbers["rectangle, noise 0.4: fits"] == 0
    assert "in 1 of 3 regimes" in found.text and "1 fewer (binding local)" in found.text


def test_a_tie_at_the_bar_is_no_hit(folder):
    assert trained.premise_and_conclusion([row(miss=0.03)]) == (1, 0)  # half of 0.06, not below
    assert trained.premise_and_conclusion([row(miss=0.0299)]) == (1, 1)
    assert trained.premise_and_conclusion([row(loss=0.1, miss=0.0)]) == (0, 0)


def test_splits_are_paired(folder):
    rng = [0.1, 0.4, 0.2, 0.3, 0.25]
    rows, scores = [], {"rectangle": [], "none": []}
    for ratio in (60, 80):
        for split in (4, 2, 0, 1, 3):  # out of order
            base = 0.5 + rng[split]
            for method, gain, eqvc in (("none", 0, "none"), ("positionwise", 0.01, "none"),
                                       ("rectangle", 0.05 + 0.01 * split, "none"),
                                       ("rectangle", 0.06, "paper")):
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
        return {"summary": {"composed": {"iou": value, "iou_ceiling": 0.8, "correlation": value,
                                         "second_difference_map": 1 - value}}}

    write(folder, "sequences", row(sequences=sequence(0.5)),
          row(config={"eqvc": "paper"}, sequences=sequence(0.6)),
          row(config={"eqvc": "quotient"}, sequences=sequence(0.7)),
          row("positionwise", sequences={"summary": {"composed": {
              "iou": None, "iou_ceiling": None, "correlation": None, "second_difference_map": None}}}))
    found = trained.sequences_measurement()
    assert {k: v["IoU"] for k, v in found.numbers.items()} == {
        "rectangle": 0.5, "rectangle+EQVC": 0.6, "rectangle+EQVC (quotient)": 0.7}


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
    write(folder, "digits", row("none", gradcam={"iou_best": 0.3}), row("rectangle", accuracy=0.8))
    numbers = trained.digits_measurement().numbers
    assert numbers["rectangle"] == {"accuracy": 0.8, "IoU": 0.5}
    assert "Grad-CAM's best IoU 0.30" in trained.digits_measurement().text
    write(folder, "random_labels", row(accuracy=0.25), row("none", accuracy=0.3, iou=None))
    numbers = trained.random_labels_measurement().numbers
    assert numbers["none, N = 64"]["test IoU"] is None
    assert numbers["rectangle, N = 64"]["test accuracy"] == 0.25
