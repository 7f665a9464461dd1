"""One cell computed, wherever it is computed: in this process, in a worker process, on a cluster.

``compute(cell)`` of a simulation depends on nothing but the cell, so its numbers are equal bit for
bit on every worker that runs the same code with the same libraries.  :func:`signature` says which
those are; workers whose signature differs are refused.  The libraries' versions belong to it because
NumPy may change the numbers of a generator, and all of them the last bits of a function, from one
version to the next.  The processor does not: on another kind of processor the last bits may differ,
and a search (of collisions, of falls) may then end elsewhere; :attr:`Result.origin` says on which
machine and processor a cell was computed.
"""

from __future__ import annotations

import importlib
import json
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from sims.rows import code_hash, libraries, machine
from theory import __version__


class WorkersError(RuntimeError):
    """Workers that cannot be used: none there, other code, or they do not start."""


@dataclass(frozen=True)
class Result:
    """What became of a cell.

    Attributes:
        cell: the cell as ``cells(preset, seed)`` gave it.
        numbers: what ``compute(cell)`` returned, as JSON reads it back; None if it failed.
        error: why there are no numbers; None if there are.
        seconds: wall time of ``compute``.
        origin: the machine and the versions it was computed with (:func:`sims.rows.machine`).
    """

    cell: dict[str, Any]
    numbers: dict[str, Any] | None = None
    error: str | None = None
    seconds: float = 0.0
    origin: dict[str, Any] = field(default_factory=dict)


def compute_cell(module: str, cell: dict[str, Any]) -> Result:
    """The result of a cell of a simulation module; an exception becomes its ``error``.

    Numbers that JSON cannot hold (NaN, infinities, arrays) are an error of the cell too.
    """
    start = time.perf_counter()
    try:
        found = importlib.import_module(module).compute(cell)
    except Exception as error:
        return Result(cell, error=_describe(error), seconds=time.perf_counter() - start)
    seconds = time.perf_counter() - start
    try:
        numbers = json.loads(json.dumps(found, allow_nan=False))
    except (TypeError, ValueError) as error:
        return Result(cell, error=f"numbers that JSON cannot hold: {error}", seconds=seconds)
    return Result(cell, numbers, seconds=seconds, origin=machine())


def in_this_process(module: str, cells: Sequence[dict[str, Any]]) -> Iterator[Result]:
    """The results of the cells, one after the other."""
    for cell in cells:
        yield compute_cell(module, cell)


@cache
def signature() -> dict[str, str]:
    """What decides a cell's numbers besides the cell: quadrat, its code, and the libraries.

    It is taken once a process, so that a process that was started before the code was edited
    keeps the signature of the code that it runs.
    """
    return {"quadrat": __version__, "code": code_hash(), **libraries()}


def require_equal(expected: dict[str, str], found: dict[str, str], where: str) -> None:
    """Refuse a worker that would compute other numbers.

    Raises:
        WorkersError: a part of the signature differs; says which, where, and both values.
    """
    wrong = [f"{part} {found.get(part)} instead of {value}" for part, value in expected.items()
             if found.get(part) != value]
    if wrong:
        raise WorkersError(f"{where} has {', '.join(wrong)}: workers must run the same code and "
                           "libraries as this process (restart those that ran before an edit)")


def _describe(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    return text if last is None else f"{text} ({Path(last.filename).name}:{last.lineno})"
