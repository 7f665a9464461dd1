"""Many cells: worker processes compute, the parent writes rows as they come."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import Any

from sims.run import Outcome, track
from training.config import RunConfig
from training.rows import TrainingRows, machine


def sweep(
    configs: Sequence[RunConfig],
    out: str | Path,
    jobs: int = 2,
    ensemble: int = 1,
    workers: Executor | None = None,
    **more: Any,
) -> Outcome:
    """Compute the cells whose key ``out`` does not hold yet, and append their rows.

    Rows do not depend on ``jobs``; their order may.

    Args:
        jobs: worker processes, one torch thread each.
        ensemble: cells that differ in the seed alone and are trained together, at most this many
            (for a GPU; equal to training them alone up to rounding).
        workers: processes that are there already (:func:`processes`), in place of ``jobs`` new ones.
        more: written into every row (experiment, preset).

    Raises:
        ValueError: fewer than one job or member; ``out`` is no file of rows.
        training.fit.TrainingError: a cell failed.  Rows that came before it are kept.
    """
    for name, value in (("jobs", jobs), ("ensemble", ensemble)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    start, origin = time.perf_counter(), machine()
    with TrainingRows(out) as writer:
        todo = [c for c in configs if c.key not in writer.keys]
        found = len(configs) - len(todo)
        steps = track(range(len(todo)), str(more.get("experiment", "training")), done=found)
        for _, row in zip(steps, _rows(groups(todo, ensemble), jobs, workers), strict=True):
            writer.append({**row, **more, "provenance": origin})
    return Outcome(len(todo), found, time.perf_counter() - start)


def groups(configs: Sequence[RunConfig], size: int) -> list[list[RunConfig]]:
    """The configurations in groups of at most ``size`` that differ in the seed alone.

    >>> [len(g) for g in groups([RunConfig(seed=s) for s in range(5)], 2)]
    [2, 2, 1]
    """
    alike: dict[str, list[RunConfig]] = {}
    for config in configs:
        alike.setdefault(replace(config, seed=0).key, []).append(config)
    return [group[k : k + size] for group in alike.values() for k in range(0, len(group), size)]


@contextlib.contextmanager
def processes(jobs: int) -> Iterator[Executor | None]:
    """``jobs`` worker processes that stay for several sweeps; None for one job."""
    if jobs <= 1:
        yield None
        return
    pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _rows(
    todo: list[list[RunConfig]], jobs: int, workers: Executor | None
) -> Iterator[dict[str, Any]]:
    if not todo:
        return
    from training.fit import TrainingError
    from training.run import run_cells

    with contextlib.ExitStack() as stack:
        if workers is None:
            workers = stack.enter_context(processes(min(jobs, len(todo))))
        if workers is None:
            for group in todo:
                yield from run_cells(group)
            return
        for future in as_completed([workers.submit(run_cells, group) for group in todo]):
            try:
                yield from future.result()
            except BrokenProcessPool as error:
                raise TrainingError("a worker process died (out of memory?)") from error
