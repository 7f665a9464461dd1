"""Measurements from committed rows: absent, unusable and usable files."""

from __future__ import annotations

import json

import pytest

from theory.claims import ledger_4_measured as measured

MEASURES = [measured.gradient_ratio, measured.following, measured.centre_order,
            measured.latency("network", "none"), measured.latency("module", "positionwise")]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(measured, "ROWS", tmp_path)
    return tmp_path


def write(path, *found):
    path.write_text("".join(json.dumps(row) + "\n" for row in found) + "\n")


def test_without_rows_nothing_is_measured(folder):
    assert [measure() for measure in MEASURES] == [None] * 5


def test_unusable_rows_measure_nothing(folder):
    write(folder / "training.jsonl", {"kind": "training"}, {"method": "none"},
          {"method": "rectangle", "gradient_ratio_start": None, "test": None},
          {"method": "rectangle", "test": {"centre_slope": [None, 0.5], "centre_spearman": None}},
          {"method": "positionwise", "gradient_ratio_end": 0.5})
    write(folder / "latency.jsonl", {"what": "module"}, {"what": "network", "milliseconds": {
        "none": 0.0, "rectangle": 1.0}}, {"what": "module", "milliseconds": {"positionwise": 1}})
    assert [measure() for measure in MEASURES] == [None] * 5


def test_training_rows_are_summarised(folder):
    def row(seed, ratio, spearman, slope, method="rectangle"):
        return {"method": method, "supervision": "label", "seed": seed, "gradient_ratio_end": ratio,
                "test": {"centre_spearman": spearman, "centre_slope": slope}}

    write(folder / "training.jsonl", row(0, 0.1, [0.5, 0.7], [1.0, 0.8]),
          row(1, 0.4, [0.8, 0.8], [0.5, 0.5]), row(2, 0.2, [0.9, 0.9], [0.1, 0.3]),
          row(0, 9.0, [-1.0, -1.0], [0.0, 0.0], "positionwise"))
    name = "rectangle, label loss"
    assert measured.gradient_ratio().numbers == {f"end ({name})": 0.2}
    order = measured.centre_order()
    assert order.numbers == {name: pytest.approx(0.8)}
    assert "median 0.8, 0.6 to 0.9 over 3 runs" in order.text
    assert measured.following().numbers == {name: pytest.approx(0.5)}


def test_latency_is_a_ratio_row_by_row(folder):
    write(folder / "latency.jsonl",
          {"what": "module", "features": [320, 10, 10], "batch": 1, "milliseconds": {
              "rectangle-paper": 3.0, "positionwise": 2.0}},
          {"what": "network", "batch": 16, "milliseconds": {"none": 4.0, "rectangle": 5.0}})
    assert measured.latency("module", "positionwise")().numbers == {
        "rectangle-paper, 320x10x10, batch 1": 1.5}
    network = measured.latency("network", "none")()
    assert network.numbers == {"rectangle, the small network, batch 16": 1.25}
    assert "1.25 (rectangle, the small network, batch 16)" in network.text


def test_broken_rows_are_named(folder):
    (folder / "training.jsonl").write_text('{"method": "rectangle"}\n{"method": \n')
    with pytest.raises(ValueError, match="training.jsonl, line 2 is no JSON"):
        measured.centre_order()
    (folder / "training.jsonl").write_text("[1]\n")
    with pytest.raises(ValueError, match="line 1 is no JSON object"):
        measured.centre_order()
