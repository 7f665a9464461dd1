"""Running a simulation: its cells one by one, rows to disk as they come, resumable by key.

A simulation is a module with ``PRESETS``, ``cells(preset, seed)`` (dicts with ``kind`` and ``key``)
and ``compute(cell)`` (a dict of numbers that depends on nothing but the cell).
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Simulation:
    """A name of ``python -m sims``, what it computes, and the module that does."""

    name: str
    about: str
    module: str


SIMULATIONS = {
    s.name: s for s in (
        Simulation("rademacher",
                   "exact empirical Rademacher complexity of rectangles and of all masks against N",
                   "sims.rademacher_cells"),
    )
}


@dataclass(frozen=True)
class Outcome:
    """How a run went: rows written, cells found done, wall time."""

    written: int
    found: int
    seconds: float


def run(name: str, preset: str, out: str | Path, seed: int = 0) -> Outcome:
    """Run the cells of a preset that ``out`` does not hold yet.

    Raises:
        ValueError: an unknown simulation or preset, a negative seed, an ``out`` that is no file of
            rows (:class:`sims.rows.RowsError`).
    """
    from sims.rows import RowWriter, provenance

    if name not in SIMULATIONS:
        raise ValueError(f"simulation must be one of {tuple(SIMULATIONS)}, got {name!r}")
    module = importlib.import_module(SIMULATIONS[name].module)
    if preset not in module.PRESETS:
        raise ValueError(f"preset must be one of {tuple(module.PRESETS)}, got {preset!r}")
    if seed < 0:
        raise ValueError(f"seed must be a non-negative integer, got {seed}")
    start, origin = time.perf_counter(), provenance()
    cells = module.cells(preset, seed)
    with RowWriter(out) as writer:
        todo = [cell for cell in cells if cell["key"] not in writer.keys]
        for cell in track(todo, name, done=len(cells) - len(todo)):
            began = time.perf_counter()
            numbers = module.compute(cell)
            writer.append({**cell, **numbers, "seconds": round(time.perf_counter() - began, 6),
                           "provenance": origin})
    return Outcome(len(todo), len(cells) - len(todo), time.perf_counter() - start)


def track(todo: Sequence[Any], name: str, done: int = 0) -> Iterator[Any]:
    """The items, with a progress bar on a terminal and a line every tenth otherwise (stderr)."""
    total = done + len(todo)
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

        with Progress("{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                      console=Console(stderr=True)) as progress:
            task = progress.add_task(name, total=total, completed=done)
            for item in todo:
                yield item
                progress.advance(task)
        return
    start = time.perf_counter()
    step = max(1, len(todo) // 10)
    for i, item in enumerate(todo, start=1):
        yield item
        if i % step == 0 or i == len(todo):
            seconds = time.perf_counter() - start
            print(f"{name}: {done + i}/{total} cells, {seconds:.1f} s", file=sys.stderr)
