"""``python -m sims bench``: the suprema side by side with what else there is, on this machine.

Random sums of +-1; CPU seconds of one thread, the best of several turns in which all methods take
part.  What to read are the ratios within one run.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from sims.streams import stream
from theory.provenance import cpu

KIND = "supremum-speed"
SIZES = (7, 14, 28, 56, 224)
ROTATED = (7, 10, 14, 20, 28)
TURNS = 5
BUDGET = 3.0
FIELDS = 256
"""Fields of a batch of the rotated solver: its :data:`sims.supremum.rotated.GROUPS` vectors."""
GOALS = {"axis-aligned": {"kadane": {14: 10.0, 28: 20.0}, "pyscan": {14: 100.0, 28: 100.0}},
         "microseconds": {14: 0.2, 28: 1.0, 224: 1000.0},
         "rotated": {14: 3000.0, 28: 200_000.0}, "limits": 3.0}
"""The aims: times faster than a peer, microseconds a matrix, times slower with limits."""


def rows(quick: bool = False, seed: int = 0) -> Iterator[dict[str, Any]]:
    """A row for every solver and grid side, without provenance.

    Numbers: ``microseconds`` a matrix; ``agree``: whether the maxima equal ours.  ``quick``: sides
    of at most 28 (axis-aligned) and 14 (rotated).
    """
    from sims.bench_peers import vector_peak

    peak = vector_peak()
    machine = {"cpu": cpu(), "peak_vector_operations": round(peak)}
    for side in SIZES[:3] if quick else SIZES:
        for row in axis_aligned(side, peak, seed):
            yield {**_key(row, seed), **machine}
    for side in ROTATED[:3] if quick else ROTATED:
        for row in rotated(side, seed):
            yield {**_key(row, seed), **machine}


def axis_aligned(side: int, peak: float, seed: int) -> list[dict[str, Any]]:
    """All ways to the axis-aligned supremum on one grid."""
    from sims.bench_peers import kadane, kadane_without_branches, maxima, pyscan_seconds
    from sims.supremum import max_weight_rectangle
    from sims.supremum.lanes import lane_count
    from sims.supremum.plain import max_weight_rectangle as plain

    lanes = lane_count(np.int16)
    count = max(2 * lanes, min(2**15, 2**26 // side**3) // lanes * lanes)
    weights = _signs(f"axis-aligned/{side}", seed, count, side)
    zone = np.arange(side * side).reshape(side, side) % 97 != 5
    ours: dict[str, Callable[[], Any]] = {
        name: lambda options=options: max_weight_rectangle(weights, threads=1, **options).maximum
        for name, options in {
            "ours": {"witnesses": False}, "ours, with witnesses": {},
            "ours, area at most a quarter": {"witnesses": False, "max_area": side * side // 4},
            "ours, sides from 2 to a half": {"witnesses": False, "min_side": 2,
                                             "max_side": side // 2},
            "ours, zone with holes": {"witnesses": False, "zone": zone},
        }.items()}
    few = {"numba Kadane": max(8, 2**21 // side**3),
           "numba Kadane without branches": max(8, 2**21 // side**3),
           "NumPy": max(8, 2**20 // side**3),
           "PyTorch (CPU)": max(8, 2**20 // side**3)}
    peers = {"numba Kadane": lambda w: maxima(kadane, w),
             "numba Kadane without branches": lambda w: maxima(kadane_without_branches, w),
             "NumPy": lambda w: plain(w).maximum, "PyTorch (CPU)": _torch_maxima}
    calls = ours | {name: lambda name=name: peers[name](weights[:few[name]]) for name in peers}
    seconds, values = _turns(calls)
    out = []
    for name in calls:
        size = few.get(name, count)
        same = None if name.startswith("ours,") and "witnesses" not in name else bool(
            np.array_equal(values[name], values["ours"][:size]))
        out.append({"solver": name, "family": "axis-aligned", "side": side, "matrices": size,
                    "microseconds": 1e6 * seconds[name] / size, "agree": same})
    if importlib.util.find_spec("pyscan"):
        size = max(8, 2**17 // side**3)
        best = min(pyscan_seconds(weights[:size])[0] for _ in range(2))
        found = pyscan_seconds(weights[:size])[1]
        near = np.isnan(found) | (np.abs(found - values["ours"][:size]) < 1e-6)
        out.append({"solver": "pyscan-stats (maximum only)", "family": "axis-aligned",
                    "side": side, "matrices": size, "microseconds": 1e6 * best / size,
                    "agree": bool(near.all()), "exact": bool(np.all(found == np.round(found)))})
    out.append(_all_cores("axis-aligned", weights, values["ours"], lambda: max_weight_rectangle(
        weights, witnesses=False).maximum))
    out = _with_ratios(out)
    strips = 7 * side * (side + 1) / 2 * side / lanes
    out[0]["vector_operations"] = strips
    out[0]["fraction_of_peak"] = strips / (out[0]["microseconds"] * 1e-6 * peak)
    out[0] |= _shares(weights, side)
    return out


def rotated(side: int, seed: int) -> list[dict[str, Any]]:
    """The exact supremum over all rotated rectangles, and enumeration where it can be had."""
    from sims.supremum import max_weight_rotated_rectangle
    from sims.supremum.enumerated import extremes_by_enumeration
    from theory.families import RotatedRectangles
    from theory.families.lattice import open_directions

    weights = _signs(f"rotated/{side}", seed, FIELDS, side)
    calls: dict[str, Callable[[], Any]] = {
        "ours": lambda: max_weight_rotated_rectangle(weights, threads=1, witnesses=False).maximum}
    if side <= 14:
        calls["ours, with witnesses"] = lambda: max_weight_rotated_rectangle(
            weights, threads=1).maximum
    if side <= 7:
        family = RotatedRectangles(side, side)
        family.masks()
        calls["all masks, matrix product"] = lambda: extremes_by_enumeration(
            family, weights, witnesses=False).maximum
    seconds, values = _turns(calls, least=TURNS if side <= 14 else 1)
    out = [{"solver": name, "family": "rotated", "side": side, "matrices": FIELDS,
            "microseconds": 1e6 * seconds[name] / FIELDS,
            "agree": bool(np.array_equal(values[name], values["ours"])),
            "directions": len(open_directions(side, side))} for name in calls]
    if side <= 14:
        out.append(_all_cores("rotated", weights, values["ours"], lambda: max_weight_rotated_rectangle(
            weights, witnesses=False).maximum))
    return _with_ratios(out)


def _with_ratios(out: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with their time over that of the first one."""
    return [{**row, "times_ours": row["microseconds"] / out[0]["microseconds"]} for row in out]


def _all_cores(
    family: str, weights: np.ndarray, maxima: np.ndarray, call: Callable[[], Any]
) -> dict[str, Any]:
    """Wall time of a call that may use every core, the least of the turns."""
    from sims.supremum.threads import thread_count

    best = np.inf
    for _ in range(TURNS):
        start = time.perf_counter()
        found = call()
        best = min(best, time.perf_counter() - start)
    return {"solver": f"ours, wall time on {thread_count()} cores", "family": family,
            "side": weights.shape[-1], "matrices": len(weights),
            "microseconds": 1e6 * best / len(weights),
            "agree": bool(np.array_equal(found, maxima))}


def _key(row: dict[str, Any], seed: int) -> dict[str, Any]:
    key = f"{KIND}/{row['family']}/{row['side']}/{row['solver']}/seed={seed}"
    return {"kind": KIND, "key": key, **row, "seed": seed}


def _signs(name: str, seed: int, count: int, side: int) -> np.ndarray:
    bits = stream(f"bench/{name}", seed).integers(0, 2, size=(count, side, side), dtype=np.int8)
    return (2 * bits - 1).astype(np.int32)


def _turns(
    calls: dict[str, Callable[[], Any]], least: int = TURNS
) -> tuple[dict[str, float], dict[str, Any]]:
    """Least CPU seconds of each call, and what it returns; all take turns, for :data:`BUDGET` s."""
    values = {name: call() for name, call in calls.items()} if least > 1 else {}
    seconds = dict.fromkeys(calls, np.inf)
    begun, turn = time.perf_counter(), 0
    while turn < least or (least > 1 and time.perf_counter() - begun < BUDGET):
        turn += 1
        for name, call in calls.items():
            start = time.thread_time()
            values[name] = call()
            seconds[name] = min(seconds[name], time.thread_time() - start)
    return seconds, values


def _torch_maxima(weights: np.ndarray) -> np.ndarray:
    import torch

    from sims.supremum import max_weight_rectangle

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return max_weight_rectangle(torch.from_numpy(weights), witnesses=False).maximum.numpy()
    finally:
        torch.set_num_threads(threads)


def _shares(weights: np.ndarray, side: int) -> dict[str, float]:
    """Time of the kernel alone, and the share of packing (transposition and prefix sums) in it."""
    from sims.bench_peers import pack_all
    from sims.supremum import axis_kernel
    from sims.supremum.lanes import aligned, lane_count

    count = lane_count(np.int16)
    some = weights[:16 * count]
    some = some[:len(some) // count * count].reshape(-1, side * side).astype(np.int16)
    work = aligned((axis_kernel.work_size(side, side, count),), np.int16)
    ends, codes = aligned((2 * count,), np.int16), aligned((2 * count,), np.int16)
    limits = np.tile([1, side], (side + 1, 1))
    values, places = np.empty((2, len(some)), np.int16), np.empty((2, 0, 4), np.int64)
    info = np.iinfo(np.int16)
    size = (side + 1) ** 2 * count
    calls = {
        "all": lambda: axis_kernel.solve(some, np.zeros((0, 0), bool), limits, info.min, info.max,
                                         work, ends, codes, values, places),
        "pack": lambda: pack_all(some, side, work[:size], work[size:]),
    }
    repeats = max(1, 10**6 // (side**3 * len(some) // count))
    seconds, _ = _turns({name: lambda call=call: [call() for _ in range(repeats)]
                         for name, call in calls.items()}, least=3)
    return {"kernel_microseconds": seconds["all"] / repeats / len(some) * 1e6,
            "packing_share": seconds["pack"] / seconds["all"]}
