"""Latency of the attention modules, and of a small CNN with and without one.

Times are medians of repeats, taken in turns so that a slow spell of the machine hits all alike;
what to read are the ratios.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from training.attention import PositionwiseAttention, RectangularAttention
from training.config import RunConfig
from training.run import build, one_thread
from training.shapes import ShapesConfig

PLACES = ((320, 10, 10), (960, 7, 7))  # App. G: EfficientNet-b0 after block 15, MobileNetV3
BATCHES = (1, 16)
MODULES: dict[str, Callable[[int], torch.nn.Module]] = {
    "rectangle-paper": lambda channels: RectangularAttention(channels, head="paper"),
    "rectangle-coords": lambda channels: RectangularAttention(channels, head="coords"),
    "positionwise": PositionwiseAttention,
}
NETWORKS = ("rectangle", "positionwise", "rectangle-paper")


def modules(repeats: int) -> list[dict[str, Any]]:
    """A row for every place and batch: seconds a forward pass and ratios to position-wise."""
    rows = []
    for channels, height, width in PLACES:
        built = {name: make(channels).eval() for name, make in MODULES.items()}
        for batch in BATCHES:
            x = torch.randn(batch, channels, height, width,
                            generator=torch.Generator().manual_seed(0))
            rows.append({
                "kind": "latency",
                "key": f"latency-module-{channels}x{height}x{width}-batch{batch}",
                "what": "module",
                "features": [channels, height, width],
                "batch": batch,
                **_compare({n: _call(m, x) for n, m in built.items()}, "positionwise", repeats),
                "parameters": {n: sum(p.numel() for p in m.parameters()) for n, m in built.items()},
            })
    return rows


def networks(repeats: int) -> list[dict[str, Any]]:
    """A row for every batch: the small CNN with each attention, and ratios to none."""
    names = ("none", *NETWORKS)
    built = {name: build(RunConfig(method=name)).eval() for name in names}
    rows = []
    for batch in BATCHES:
        x = torch.rand(batch, 3, *ShapesConfig().image, generator=torch.Generator().manual_seed(0))
        rows.append({
            "kind": "latency",
            "key": f"latency-network-{x.shape[2]}x{x.shape[3]}-batch{batch}",
            "what": "network",
            "batch": batch,
            **_compare({n: _call(net, x) for n, net in built.items()}, "none", repeats),
            "parameters": {n: sum(p.numel() for p in m.parameters()) for n, m in built.items()},
        })
    return rows


def bench(repeats: int = 50) -> list[dict[str, Any]]:
    """All rows, on one thread."""
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    start = time.perf_counter()
    with one_thread(), torch.no_grad():
        rows = modules(repeats) + networks(repeats)
    return [{**row, "seconds": round(time.perf_counter() - start, 3)} for row in rows]


def _call(module: torch.nn.Module, x: torch.Tensor) -> Callable[[], Any]:
    return lambda: module(x)


def _compare(calls: dict[str, Callable[[], Any]], base: str, repeats: int) -> dict[str, Any]:
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 2):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn >= 2:  # the first two warm up
                times[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(v) for name, v in times.items()}
    return {
        "repeats": repeats,
        "milliseconds": {n: round(1e3 * v, 5) for n, v in medians.items()},
        "ratio_base": base,
        "ratio": {n: round(v / medians[base], 4) for n, v in medians.items()},
    }
