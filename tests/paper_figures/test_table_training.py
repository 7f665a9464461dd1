"""The table of training rows, and that docs/training.md shows the committed ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from paper_figures import table_training
from paper_figures.fields import FieldError
from paper_figures.table_training import markdown
from tests.paper_figures.made_up import run

ROOT = Path(__file__).parents[2]
ROWS = [json.loads(line) for line in
        (ROOT / "paper_figures" / "rows" / "training.jsonl").read_text().splitlines()]


def test_the_page_shows_the_committed_rows():
    assert markdown(ROWS) in (ROOT / "docs" / "training.md").read_text()


def test_numbers_by_numpy():
    line = next(x for x in markdown(ROWS).splitlines() if x.startswith("| rectangle, label, rotated | 4096 |"))
    iou = [r["test"]["iou"] for r in ROWS
           if (r["method"], r["supervision"], r["truth"], r["n"]) == ("rectangle", "label", "rotated", 4096)]
    assert f"{np.mean(iou):.2f} ({np.min(iou):.2f} to {np.max(iou):.2f})" in line
    assert f"| {len(iou)} |" in line


def test_lines_of_the_table():
    rows = [run(seed=s, test={"iou": 0.5 + 0.1 * s}, n_test=32) for s in (0, 1)]
    rows.append(run("none", test=dict.fromkeys(("missing_rate", "iou", "iou_best", "iou_image")),
                    train={"missing_rate": None}, gradcam=rows[0]["test"]))
    rows.append(run(truth="l"))
    found = table_training.table(rows)
    assert [x[:3] for x in found.lines] == [
        ("rectangle, label, rotated", "64", "2"), ("none, label, rotated", "64", "1"),
        ("Grad-CAM of none, label, rotated", "64", "1"), ("rectangle, label, l", "64", "1")]
    assert found.lines[0][5] == "0.55 (0.50 to 0.60)" and found.rules == (3,)
    assert found.lines[1][3:8] == ("",) * 5 and found.lines[2][3] == "" != found.lines[2][4]
    assert "All 4 runs" in table_training.caption(rows) and "32 test images" in table_training.caption(rows)


def test_rows_without_numbers_say_which():
    with pytest.raises(FieldError, match="'rectangle-64-0' lacks the field 'test.iou_best'"):
        table_training.table([{**run(), "test": {"missing_rate": 0.1, "iou": 0.2}}])
    with pytest.raises(FieldError, match="'new-64-0': a method is one of"):
        table_training.table([run("new")])
