"""Running a simulation: its cells on one process or many, rows to disk as they come, resumable.

A simulation is a module with ``PRESETS``, ``cells(preset, seed)`` (dicts with ``kind`` and ``key``)
and ``compute(cell)`` (a dict of numbers that depends on nothing but the cell).  Rows are in the
order in which cells were completed, which differs from run to run as soon as there are two workers;
their numbers do not.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
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
        Simulation("theorem-1", "Theorem 1: coverage, slack and the memorising adversary",
                   "sims.theorem_1_cells"),
        Simulation("relevance",
                   "relevance level against limits on areas: exact, axis-aligned and rotated",
                   "sims.relevance_cells"),
        Simulation("theorem-2",
                   "Theorem 2: the sandwich, its tightness and the largest non-monotone gap",
                   "sims.theorem_2_cells"),
        Simulation("injectivity", "collisions of the attention module found by optimisation",
                   "sims.injectivity_cells"),
        Simulation("theorem-3", "Theorem 3: coverage on classes of known complexity",
                   "sims.theorem_3_cells"),
        Simulation("coverage",
                   "coverage and tightness of held-out, Occam and PAC-Bayes bounds",
                   "sims.coverage_cells"),
    )
}


@dataclass(frozen=True)
class Outcome:
    """How a run went.

    Attributes:
        written: rows written.
        found: cells that were done already.
        seconds: wall time.
        failures: the cells without a row, each as ``"KEY: why"``.
    """

    written: int
    found: int
    seconds: float
    failures: tuple[str, ...] = ()


def run(
    name: str, preset: str, out: str | Path, seed: int = 0, *,
    workers: int = 1, scheduler: str | None = None,
) -> Outcome:
    """Run the cells of a preset that the file ``out/NAME.jsonl`` does not hold yet.

    A row counts as done if quadrat's version, its code (:func:`sims.rows.code_hash`) and the
    libraries are still those that wrote it.  A cell that fails does not stop the others.

    Args:
        name: one of ``SIMULATIONS``.
        preset: one of its presets.
        out: the folder of the files of rows.
        seed: an integer >= 0.
        workers: processes on this machine; 1 computes in this process.
        scheduler: the address of a Dask scheduler whose workers compute instead.

    Raises:
        ValueError: an unknown simulation or preset, a negative seed, less than one worker, an
            ``out`` that is no folder, a file that holds no rows (:class:`sims.rows.RowsError`).
        sims.workers.WorkersError: no workers that compute the same numbers as this process.
    """
    from sims.rows import RowWriter, code_hash, libraries, provenance
    from theory.families.base import require_integer

    path = rows_file(name, out)
    module = importlib.import_module(SIMULATIONS[name].module)
    if preset not in module.PRESETS:
        raise ValueError(f"preset must be one of {tuple(module.PRESETS)}, got {preset!r}")
    seed = require_integer("seed", seed, 0)
    workers = require_integer("workers", workers, 1)
    start = time.perf_counter()
    origin = {**provenance(), **({"workers": workers} if scheduler is None else
                                 {"scheduler": scheduler})}
    cells = module.cells(preset, seed)
    if len({cell["key"] for cell in cells}) < len(cells):
        raise ValueError(f"{name}: keys of cells must differ")
    failures = []
    with RowWriter(path, {"code": code_hash(), "libraries": libraries()}) as writer:
        todo = [cell for cell in cells if cell["key"] not in writer.keys]
        found = len(cells) - len(todo)
        with (closing(_results(module.__name__, todo, workers, scheduler)) as results,
              closing(track(range(len(todo)), name, done=found)) as steps):
            for _, result in zip(steps, results, strict=True):
                if result.numbers is None:
                    failures.append(f"{result.cell['key']}: {result.error}")
                    continue
                writer.append({**result.cell, "seed": seed, **result.numbers,
                               "seconds": round(result.seconds, 6),
                               "provenance": {**origin, **result.origin}})
    return Outcome(len(todo) - len(failures), found, time.perf_counter() - start, tuple(failures))


def rows_file(name: str, out: str | Path) -> Path:
    """The file of a simulation's rows in the folder ``out``.

    Raises:
        ValueError: an unknown simulation, an ``out`` that is or looks like a file.
    """
    if name not in SIMULATIONS:
        raise ValueError(f"simulation must be one of {tuple(SIMULATIONS)}, got {name!r}")
    folder = Path(out)
    if folder.suffix == ".jsonl" or folder.is_file():
        raise ValueError(f"out must be a folder (rows go to FOLDER/{name}.jsonl), got {out}")
    return folder / f"{name}.jsonl"


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


def _results(
    module: str, todo: list[dict[str, Any]], workers: int, scheduler: str | None
) -> Iterator[Any]:
    """The :class:`sims.workers.Result` of every cell, computed as asked."""
    if not todo:
        return
    if scheduler is not None:
        from sims.workers_dask import on_scheduler

        yield from on_scheduler(module, todo, scheduler)
    elif workers > 1:
        from sims.workers_local import in_processes

        yield from in_processes(module, todo, workers)
    else:
        from sims.workers import in_this_process

        yield from in_this_process(module, todo)
