"""The table of training rows, and that docs/training.md shows the committed ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from paper_figures.training_table import markdown

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
