"""Curves for TensorBoard, an extra: the history of a run as scalars."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any


class TensorBoard:
    """Writes scalars that ``tensorboard --logdir FOLDER`` shows.  Use as a context manager.

    Args:
        folder: of the event files; made if it is not there.
        resume: the step from which a resumed run goes on: what an earlier file says of it and of
            later steps is not shown.

    Raises:
        ImportError: the package tensorboard is not installed.
    """

    def __init__(self, folder: str | Path, *, resume: int | None = None) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ImportError("curves for TensorBoard need the package tensorboard "
                              "(pip install tensorboard)") from error
        self.writer = SummaryWriter(str(folder), purge_step=resume)

    def add(self, step: int, values: Mapping[str, Any], prefix: str = "") -> None:
        """Every number of ``values`` at ``step``, named ``prefix/name``; others are left out."""
        for name, value in values.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
                self.writer.add_scalar(f"{prefix}/{name}" if prefix else name, value, step)

    def add_history(self, history: Iterable[Mapping[str, Any]], prefix: str = "") -> None:
        """A history: mappings with ``step``, and numbers or None."""
        for moment in history:
            values = {name: value for name, value in moment.items() if name != "step"}
            self.add(moment["step"], values, prefix)

    def __enter__(self) -> TensorBoard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.writer.close()
