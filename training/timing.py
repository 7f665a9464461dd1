"""Times of several calls, taken in turns; what to read are the ratios.

Every turn runs each call once, and each turn starts with another one: a slow spell of the machine,
or what one call leaves in the caches for the next, hits all alike.  On the CPU the clock is the
processor time of the calling thread, which other programs do not lengthen (torch must be on one
thread); elsewhere it is wall time with the device waited for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

WARM_UP = 2
RESAMPLES = 1000
LEVEL = 0.95


def turns(
    calls: Mapping[str, Callable[[], Any]], repeats: int, device: torch.device
) -> dict[str, np.ndarray]:
    """Seconds of each call in each of ``repeats`` turns, by name; warm-up turns left out."""
    clock = _clock(device)
    names, times = list(calls), {name: [] for name in calls}
    for turn in range(WARM_UP + repeats):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            start = clock()
            calls[name]()
            times[name].append(clock() - start)
    return {name: np.array(values[WARM_UP:]) for name, values in times.items()}


def compared(
    times: Mapping[str, np.ndarray], base: str, rng: np.random.Generator
) -> dict[str, Any]:
    """Medians, their ratios to that of ``base``, and an interval of each ratio: fields of a row.

    ``ratio_interval`` is the percentile interval of the bootstrap over turns (a turn is drawn as a
    whole): with probability about 0.95, of many turns on this machine.

    Raises:
        ValueError: no ``base`` among the times, or no turns.
    """
    if base not in times or not len(times[base]):
        raise ValueError(f"{base!r} must be among the timed calls, got {sorted(times)}")
    repeats = len(times[base])
    drawn = rng.integers(repeats, size=(RESAMPLES, repeats))
    tails = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    medians = {name: float(np.median(v)) for name, v in times.items()}
    again = {name: np.median(v[drawn], axis=1) for name, v in times.items()}
    return {
        "repeats": repeats,
        "milliseconds": {name: round(1e3 * v, 5) for name, v in medians.items()},
        "ratio_base": base,
        "ratio": {name: round(v / medians[base], 4) for name, v in medians.items()},
        "ratio_interval": {
            name: [round(float(q), 4) for q in np.quantile(v / again[base], tails)]
            for name, v in again.items()},
    }


def clock_name(device: torch.device) -> str:
    """What was read: "thread_time" (processor time of one thread) or "perf_counter" (wall)."""
    return "thread_time" if device.type == "cpu" else "perf_counter"


def _clock(device: torch.device) -> Callable[[], float]:
    if device.type == "cpu":
        return time.thread_time
    synchronize = getattr(torch, device.type).synchronize

    def clock() -> float:
        synchronize()
        return time.perf_counter()

    return clock
