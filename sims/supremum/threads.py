"""Compiled work over the cores of this process."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from theory.provenance import usable_cores

VARIABLE = "QUADRAT_THREADS"
"""The environment variable that limits the threads of one process."""


def thread_count(threads: int | None = None) -> int:
    """``threads``, or the environment variable ``QUADRAT_THREADS``, or the usable cores.

    Raises:
        ValueError: a number below 1.
    """
    given: Any = os.environ.get(VARIABLE) or None if threads is None else threads
    if given is None:
        return usable_cores()
    try:
        number = int(given) if isinstance(given, str) else operator.index(given)
    except (TypeError, ValueError):
        number = 0
    if number < 1:
        name = VARIABLE if threads is None else "threads"
        raise ValueError(f"{name} must be an integer of at least 1, got {given!r}")
    return number


def split(total: int, multiple: int, threads: int | None) -> list[range]:
    """``range(total)`` as one part a thread, all but the last of a multiple of ``multiple``.

    >>> split(70, 32, 2)
    [range(0, 64), range(64, 70)]
    """
    units = -(-total // multiple)
    number = min(thread_count(threads), units)
    cuts = [min(total, -(-units * k // number) * multiple) for k in range(number + 1)]
    return [range(a, b) for a, b in zip(cuts[:-1], cuts[1:], strict=True)]


def in_threads(solve: Callable[[Any], Any], parts: Sequence[Any]) -> list[Any]:
    """``[solve(part) for part in parts]``, each in a thread of its own."""
    if len(parts) == 1:
        return [solve(parts[0])]
    with ThreadPoolExecutor(len(parts)) as pool:
        return list(pool.map(solve, parts))
