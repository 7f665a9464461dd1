"""Cells on a cluster: a Dask scheduler hands them to workers on any number of machines.

The scheduler runs the cells of a worker that dies elsewhere.  A cell whose workers died more often
than the scheduler allows (its setting ``distributed.scheduler.allowed-failures``, 3 unless changed)
may only have shared them with the one that kills: it is tried once more, alone, before it is
given up.

Needs the extra ``quadrat[cluster]``, here and on the workers, and quadrat itself there.  Start
workers as Dask does by default, with a nanny: it starts them again when they die, and gives them one
thread of BLAS (``OMP_NUM_THREADS``), on which the last bits of a sum depend.  A machine whose
workers have ``--nthreads 1`` computes one cell a process; the threads inside a cell are
``QUADRAT_THREADS`` of the worker's environment.
"""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from typing import Any

from sims.workers import Result, WorkersError, compute_cell, require_equal, signature

CONNECT = 5.0
"""Seconds to find the scheduler."""
PATIENCE = 30.0
"""Seconds that a run waits for a worker when the scheduler has none."""
BEAT = 0.05
"""Seconds between two looks at what is done."""


def on_scheduler(
    module: str, cells: Sequence[dict[str, Any]], address: str
) -> Iterator[Result]:
    """The results of the cells as they come, computed by the workers of a Dask scheduler.

    Close the iterator to leave: cells that have not begun are dropped; one that a worker is
    computing runs to its end there and its result is thrown away.

    Raises:
        ValueError: an address that is none.
        WorkersError: no scheduler at the address within ``CONNECT`` seconds, no worker within
            ``PATIENCE`` seconds, workers with another :func:`sims.workers.signature`, a scheduler
            that goes away, or Dask is not installed.
    """
    log = logging.getLogger("distributed.client")
    level = log.level
    client = _connect(address)
    log.setLevel(logging.CRITICAL)  # that the scheduler went away is said in one line, below
    try:
        expected = signature()
        _require_workers(client, address, expected)
        suspects = []
        for cell, result in _completed(client, address, module, cells, expected):
            if result is None:
                suspects.append(cell)
            else:
                yield result
        for suspect in suspects:
            for cell, result in _completed(client, address, module, [suspect], expected):
                yield result or Result(cell, error="the workers that computed it died; given up")
    finally:
        client.close()
        log.setLevel(level)


def compute_remote(module: str, cell: dict[str, Any], expected: dict[str, str]) -> Result:
    """What a worker of the cluster does with a cell; its host is added to the origin.

    Raises:
        WorkersError: this worker's signature is not the expected one.
    """
    require_equal(expected, signature(), f"the worker on {platform.node()}")
    result = compute_cell(module, cell)
    result.origin["host"] = platform.node()
    return result


def _connect(address: str) -> Any:
    try:
        import distributed
    except ImportError as error:
        raise WorkersError("a scheduler needs Dask: pip install 'quadrat[cluster]'") from error
    try:
        distributed.comm.get_address_host_port(address)
    except ValueError as error:
        raise ValueError(f"scheduler must be an address such as tcp://HOST:8786, got {address!r}: "
                         f"{error}") from error
    try:
        return distributed.Client(address, timeout=CONNECT, set_as_default=False)
    except OSError as error:
        raise WorkersError(f"no Dask scheduler at {address}: {error}") from error


def _require_workers(client: Any, address: str, expected: dict[str, str]) -> None:
    """Wait for a first worker, and refuse any that would compute other numbers."""
    deadline = time.monotonic() + PATIENCE
    while not _has_worker(client, address, deadline):
        time.sleep(0.2)
    for worker, found in client.run(signature, on_error="return").items():
        if isinstance(found, Exception):
            raise WorkersError(f"the worker {worker} cannot run this quadrat: "
                               f"{type(found).__name__}: {found}")
        require_equal(expected, found, f"the worker {worker}")


def _completed(
    client: Any, address: str, module: str, cells: Sequence[dict[str, Any]],
    expected: dict[str, str],
) -> Iterator[tuple[dict[str, Any], Result | None]]:
    """Cells and results as they come; None where the workers of a cell died too often."""
    from distributed import KilledWorker

    pending = {}
    for cell in cells:
        future = client.submit(compute_remote, module, cell, expected, pure=False)
        pending[future.key] = cell, future
    deadline = time.monotonic() + PATIENCE
    while pending:
        done = [key for key, (_, future) in pending.items() if future.done()]
        if not done:
            if _has_worker(client, address, deadline):
                deadline = time.monotonic() + PATIENCE
            time.sleep(BEAT)
        for key in done:
            cell, future = pending[key]
            try:
                result = future.result(timeout=PATIENCE)
            except TimeoutError:  # its worker died with it: the scheduler computes it again
                continue
            except KilledWorker:
                result = None
            except CancelledError as error:
                raise WorkersError(f"the scheduler at {address} went away") from error
            except WorkersError:
                raise
            except Exception as error:
                result = Result(cell, error=f"{type(error).__name__}: {error}")
            del pending[key]
            yield cell, result


def _has_worker(client: Any, address: str, deadline: float) -> bool:
    """Has the scheduler a worker?  Refuses to go on if there is none at the deadline."""
    try:
        there = bool(client.nthreads())
    except OSError as error:
        raise WorkersError(f"the scheduler at {address} went away") from error
    if not there and time.monotonic() > deadline:
        raise WorkersError(f"the scheduler at {address} has had no worker for {PATIENCE:.0f} s")
    return there
