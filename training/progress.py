"""How far a run is: a bar on a terminal, now and then a plain line elsewhere; on stderr."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

EVERY = 10.0


class Progress:
    """Tells how far a run of ``total`` steps is.  Use as a context manager.

    On a terminal that can move its cursor a bar (rich); else lines such as
    ``cell: 300/1200 steps, 12.0 s, 36 s left, loss 0.412``, the first after ``every`` seconds, at
    most one in ``every`` seconds, and one at the end.

    Args:
        total: number of steps, at least 1.
        name: written first.
        unit: what is counted.
        every: seconds between lines.
        stream: where to; ``sys.stderr`` at the time of the call.
        clock: seconds, for tests.

    Raises:
        ValueError: fewer than one step, or ``every`` that is not positive.
    """

    def __init__(
        self,
        total: int,
        name: str,
        *,
        unit: str = "steps",
        every: float = EVERY,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if total < 1:
            raise ValueError(f"total must be at least 1, got {total}")
        if not every > 0:
            raise ValueError(f"every must be positive, got {every}")
        self.total, self.name, self.unit, self.every, self.clock = total, name, unit, every, clock
        self.stream = sys.stderr if stream is None else stream
        self.step, self.values, self.bar = 0, {}, None
        self.start = self.spoke = self.last = clock()
        self.first: int | None = None

    def __enter__(self) -> Progress:
        if self.stream.isatty():
            self.bar = _bar(self.stream)
        if self.bar is not None:
            self.bar.start()
            self.task = self.bar.add_task(self.name, total=self.total, values="")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()
        elif self.first is not None:
            self._line("" if kind is None else ", stopped")

    def tell(self, step: int, loss: float | None = None, **values: float) -> None:
        """``step`` steps are done; ``loss`` and other numbers are shown beside.

        A run that was resumed begins with a larger step, one with several starts goes back.
        """
        now = self.clock()
        if self.first is None or step < self.step:
            self.first, self.start = step - 1, self.last
        self.step, self.last = step, now
        self.values = ({} if loss is None else {"loss": loss}) | values
        if self.bar is not None:
            self.bar.update(self.task, completed=step, values=self._values())
        elif now - self.spoke >= self.every and step < self.total:
            self.spoke = now
            self._line("")

    def _line(self, end: str) -> None:
        seconds = self.clock() - self.start
        done = self.step - (self.first or 0)
        left = seconds / done * (self.total - self.step) if done > 0 else math.nan
        parts = [f"{self.name}: {self.step}/{self.total} {self.unit}", f"{seconds:.1f} s"]
        if self.step < self.total and not end:
            parts.append(f"{left:.0f} s left")
        if self.values:
            parts.append(self._values())
        print(", ".join(parts) + end, file=self.stream, flush=True)

    def _values(self) -> str:
        return ", ".join(f"{name} {value:.4g}" for name, value in self.values.items())


def _bar(stream: TextIO) -> Any:
    """A bar of rich, or None where the terminal cannot show one."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(file=stream)
    if console.is_dumb_terminal:
        return None
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.fields[values]}"))
    return Progress(*columns, console=console)
