"""Many cells: worker processes compute, the parent writes rows as they come."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from sims.run import Outcome, track
from training.config import RunConfig
from training.rows import TrainingRows, machine


def sweep(
    configs: Sequence[RunConfig], out: str | Path, jobs: int = 2, preset: str | None = None
) -> Outcome:
    """Compute the cells whose key ``out`` does not hold yet, and append their rows.

    The rows do not depend on ``jobs``; their order may.  ``preset`` is written into them.

    Raises:
        ValueError: fewer than one job; ``out`` is no file of rows.
        training.run.TrainingError: a cell failed.  Rows that came before it are kept.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    start, origin = time.perf_counter(), machine()
    with TrainingRows(out) as writer:
        todo = [c for c in configs if c.key not in writer.keys]
        found = len(configs) - len(todo)
        steps = track(range(len(todo)), "training", done=found)
        for _, row in zip(steps, _rows(todo, min(jobs, len(todo))), strict=True):
            writer.append({**row, "preset": preset, "provenance": origin})
    return Outcome(len(todo), found, time.perf_counter() - start)


def _rows(todo: list[RunConfig], jobs: int) -> Iterator[dict[str, Any]]:
    if not todo:
        return
    from training.run import TrainingError, run_cell

    if jobs <= 1:
        yield from map(run_cell, todo)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context)
    try:
        for future in as_completed([pool.submit(run_cell, c) for c in todo]):
            try:
                yield future.result()
            except BrokenProcessPool as error:
                raise TrainingError("a worker process died (out of memory?)") from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
