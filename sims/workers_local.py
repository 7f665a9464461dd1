"""Cells in worker processes of this machine; a worker that dies loses nothing.

The parent gives every worker one cell at a time over a pipe of its own, so it knows which cell a
dead worker had: that cell is computed again, at the end, and no other is touched.
"""

from __future__ import annotations

import os
import signal
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from threading import Thread, current_thread, main_thread
from typing import Any

from sims.workers import Result, WorkersError, compute_cell, require_equal, signature

MOST_DEATHS = 3
"""A cell whose worker has died this often is given up."""


def in_processes(
    module: str, cells: Sequence[dict[str, Any]], workers: int
) -> Iterator[Result]:
    """The results of the cells as they come, computed by ``workers`` processes.

    Close the iterator to end the processes.  They divide among them the threads that this process
    may use (environment variable ``QUADRAT_THREADS``, or the usable cores), at least one each; BLAS
    uses one (``OMP_NUM_THREADS``, unless it is set already).

    Raises:
        WorkersError: processes do not start, or would run other code than this one.
    """
    crew = _Crew(module, cells, workers)
    try:
        while crew.unfinished():
            crew.fill()
            for worker in crew.reporting():
                result = crew.hear(worker)
                if result is not None:
                    yield result
    finally:
        crew.dismiss()


def threads_environment(workers: int) -> dict[str, str]:
    """The variables that divide the threads of this process among worker processes.

    >>> threads_environment(10_000)["QUADRAT_THREADS"]
    '1'
    """
    from sims.supremum.threads import VARIABLE, thread_count

    return {VARIABLE: str(max(1, thread_count() // workers)),
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}


class _Crew:
    """The workers, the cells that wait for one, and how often each cell lost its worker."""

    def __init__(self, module: str, cells: Sequence[dict[str, Any]], workers: int) -> None:
        self.module = module
        self.waiting = deque(cells)
        self.size = min(workers, len(cells))
        self.deaths: Counter[str] = Counter()
        self.stillborn = 0
        self.workers: list[_Worker] = []

    def unfinished(self) -> bool:
        """Are there cells without a result?"""
        return bool(self.waiting) or self._busy() > 0

    def fill(self) -> None:
        """Start workers where some are missing."""
        while len(self.workers) < min(self.size, self._busy() + len(self.waiting)):
            with _interrupts_held(), _environment(threads_environment(self.size)):
                self.workers.append(_Worker(self.module))

    def reporting(self) -> list[_Worker]:
        """Wait for workers that have a message or are dead."""
        ready = set(wait([handle for w in self.workers for handle in (w.pipe, w.process.sentinel)]))
        return [w for w in self.workers if w.pipe in ready or w.process.sentinel in ready]

    def hear(self, worker: _Worker) -> Result | None:
        """Take a worker's message and give it the next cell; a result, if that is what came."""
        try:
            message = worker.receive()
        except (EOFError, OSError):
            return self._bury(worker)
        worker.cell = None
        if not isinstance(message, Result):
            self.stillborn = 0
            require_equal(signature(), message, "a worker process")
        if self.waiting:
            worker.send(self.waiting.popleft())
        return message if isinstance(message, Result) else None

    def dismiss(self) -> None:
        """End all workers."""
        for worker in self.workers:
            worker.end(patience=0.2 if worker.cell is None else 0.0)

    def _busy(self) -> int:
        return sum(w.cell is not None for w in self.workers)

    def _bury(self, worker: _Worker) -> Result | None:
        """Put the cell of a dead worker back, or give it up."""
        self.workers.remove(worker)
        how = worker.end(patience=5.0)
        if worker.cell is None:
            self.stillborn += 1
            if self.stillborn == MOST_DEATHS:
                raise WorkersError(f"worker processes end before their first cell ({how})")
            return None
        key = worker.cell["key"]
        self.deaths[key] += 1
        if self.deaths[key] == MOST_DEATHS:
            return Result(worker.cell, error=f"its worker process died {MOST_DEATHS} times ({how}); "
                                             "given up")
        self.waiting.append(worker.cell)
        return None


class _Worker:
    """A worker process and this side of its pipe; its first message is its signature."""

    def __init__(self, module: str) -> None:
        context = get_context("spawn")
        self.cell: dict[str, Any] | None = None
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, module), daemon=True)
        self.process.start()
        theirs.close()

    def send(self, cell: dict[str, Any]) -> None:
        self.cell = cell
        with suppress(OSError):  # it died while idle: found out on the next look
            self.pipe.send(cell)

    def receive(self) -> Any:
        """Its message; EOFError or OSError if it is dead and left none."""
        if not self.pipe.poll():
            raise EOFError
        return self.pipe.recv()

    def end(self, patience: float) -> str:
        """Give it ``patience`` seconds to end by itself, end it, and say how it ended."""
        self.pipe.close()
        self.process.join(patience)
        self.process.terminate()
        self.process.join(5)
        self.process.kill()
        self.process.join()
        code = self.process.exitcode
        self.process.close()
        return f"exit code {code}" if code >= 0 else f"signal {-code}"


def _work(pipe: Connection, module: str) -> None:
    """The life of a worker process: cells in, results out, until the pipe or the parent ends."""
    Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):
        pipe.send(signature())
        while True:
            pipe.send(compute_cell(module, pipe.recv()))


def _end_with_parent() -> None:
    """A parent that was killed ends nobody: end with it, also in the middle of a cell."""
    parent_process().join()
    os._exit(1)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C waits; processes started meanwhile never see one, not even while they start (POSIX)."""
    resource_tracker.ensure_running()  # it would end the hold if it were started within
    caught: list[int] = []
    here = current_thread() is main_thread()
    # the mask is for the processes (they inherit it), the handler for other threads of this one
    handler = signal.signal(signal.SIGINT, lambda number, _: caught.append(number)) if here else None
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if here:
            signal.signal(signal.SIGINT, handler)
        if caught:
            signal.raise_signal(signal.SIGINT)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables for the processes started meanwhile."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
