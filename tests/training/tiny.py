"""A configuration small enough for tests, and rows without what the clock decides."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import torch

from training.config import RunConfig
from training.shapes import ShapesConfig

SHAPES = ShapesConfig(image=(32, 32), half_widths=(0.12, 0.26))
TINY = RunConfig(n=20, steps=12, batch=8, n_test=16, width=8, tail=8, positionwise_width=4,
                 shapes=SHAPES)
CLOCK = ("seconds", "images_per_second", "provenance")


def variant(**changes: Any) -> RunConfig:
    """TINY with changes."""
    return dataclasses.replace(TINY, **changes)


def numbers(row: dict[str, Any]) -> dict[str, Any]:
    """What of a row depends on the configuration alone."""
    return json.loads(json.dumps({k: v for k, v in row.items() if k not in CLOCK}, allow_nan=False))


def generator(seed: int = 0) -> torch.Generator:
    """A generator of a test's own."""
    return torch.Generator().manual_seed(seed)
