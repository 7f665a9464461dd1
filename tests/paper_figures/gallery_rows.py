"""Rows of kind "gallery" written by hand: pictures, truths and maps that tests know."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

GRID, STRIDE = (4, 6), 5
SIDES = (20, 30)
STEPS = 3
ENDS = [(of, end) for of in ("mu1", "mu2", "mu1+mu2") for end in ("least", "largest")]


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def png(values: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(values.astype(np.uint8)).save(buffer, "PNG")
    return text(buffer.getvalue())


def scene(k: int, **note: Any) -> dict[str, Any]:
    """A picture whose first pixel names it, half of it object; the true rectangle moves with k."""
    picture = np.full((*SIDES, 3), 90)
    picture[0, 0] = (k, 2 * k, 255 - k)
    truth = np.zeros(SIDES)
    truth[:, : SIDES[1] // 2] = 255
    truth[0] = 128
    return {"index": k, "label": k % 2, "picture": png(picture), "truth": png(truth),
            "rectangle": [0.3 + 0.01 * k, 0.6, 0.2, 0.1, 0.1 * k], **note}


def view(k: int, rectangle: bool) -> dict[str, Any]:
    """A map that falls from its k-th cell, its mask, and scores that name it."""
    f = np.maximum(0, 255 - 10 * np.abs(np.arange(24) - k)).astype(np.uint8)
    return {"map": text(f.tobytes()), "peak": 0.5, "mask": text(np.packbits(f > 230).tobytes()),
            "prediction": 0, "iou": 0.01 * k, "missing_rate": 0.02 * k,
            "rectangle": [0.5, 0.4 + 0.01 * k, 0.3, 0.1, 0.2] if rectangle else None}


def scenes_row(what: str, count: int) -> dict[str, Any]:
    notes: list[dict[str, Any]] = [{} for _ in range(count)]
    facts: dict[str, Any] = {}
    if what == "sequence":
        notes = [{"step": k % (STEPS + 1)} for k in range(count)]
        facts = {"path": "composed", "steps": STEPS, "angle": 0.5, "scale": 0.8, "shift": [0.1, -0.1]}
    if what == "extremes":
        per = count // len(ENDS)
        notes = [{"of": ENDS[k // per][0], "end": ENDS[k // per][1], "value": 0.1 + 0.03 * k,
                  "true": 0.2 + 0.03 * k} for k in range(count)][::-1]
        facts = {"network": "net", "ends": [
            {"of": of, "end": end, "tail": 11, "hits": k} for k, (of, end) in enumerate(ENDS)]}
    return {"schema": 1, "kind": "gallery", "part": "scenes", "key": f"scenes-{what}", "what": what,
            "images": "abc", "rule": f"the {what} ones by mu1", "data": "shapes", "truth": "rotated",
            "n_test": 64, "seed": 0, "classes": None, "sides": list(SIDES), **facts,
            "scenes": [scene(k, **note) for k, note in enumerate(notes)]}


def views_row(what: str, count: int, method: str, **changes: Any) -> dict[str, Any]:
    name = "-".join([what, method, *(f"{k}={v}" for k, v in changes.items())])
    rectangle = method == "rectangle"
    base = {"method": method, "eqvc": "none", "layers": 0, "depth": 0, "at": "", **changes}
    config = {**base, "seed": 0, "analyses": ["sequences"], "shapes": {"cue": "outline"}}
    numbers = {"images": 64, "accuracy": 0.75, "missing_rate": 0.125 if rectangle else 0.25,
               "iou": 0.625 if rectangle else 0.375, "iou_chosen": 0.5, "threshold_chosen": 0.5,
               "iou_best": 0.5, "energy_pointing": 0.875, "centre_spearman": [0.5, 0.25]}
    followed = {"composed": {"iou": 0.5, "iou_truth": 0.25, "iou_ceiling": 0.75, "correlation": 0.125,
                             "second_difference_map": 0.375}}
    return {"schema": 1, "kind": "gallery", "part": "views", "key": f"views-{name}", "what": what,
            "images": "abc", "scenes": f"scenes-{what}", "run": name, "supervision": "label", "n": 32,
            "seed": 0, **base, "grid": list(GRID), "stride": STRIDE, "rescale": True, "test": numbers,
            "sequences": followed, "config": config, "views": [view(k, rectangle) for k in range(count)]}


def gallery_rows() -> list[dict[str, Any]]:
    """Rows for all four figures."""
    moved, ends = 2 * (STEPS + 1), 2 * len(ENDS)
    out = [scenes_row("first", 5), scenes_row("sequence", moved), scenes_row("extremes", ends)]
    for depth in (2, 0, 1):  # as they may come
        out += [views_row("first", 5, m, layers=2, depth=depth) for m in ("rectangle", "positionwise")]
    out = [views_row("first", 5, m) for m in ("rectangle", "positionwise")] + out
    out += [views_row("sequence", moved, m) for m in ("rectangle", "positionwise")]
    return [*out, views_row("sequence", moved, "rectangle", eqvc="quotient"),
            views_row("extremes", ends, "rectangle")]


def training_row(row: dict[str, Any], seed: int, **test: Any) -> dict[str, Any]:
    """A row of the same training with another seed."""
    return {"schema": 1, "kind": "training", "key": f"{row['run']}-{seed}", "seed": seed,
            "config": {**row["config"], "seed": seed, "analyses": []}, "test": {**row["test"], **test},
            "sequences": {"steps": [], "summary": row["sequences"]}}
