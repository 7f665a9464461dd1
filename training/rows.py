"""Rows of training runs on disk: those of ``sims.rows``, synced, with word of a damaged end."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any

from sims.rows import RowWriter, end_of_whole_lines, provenance


class TrainingRows(RowWriter):
    """A :class:`sims.rows.RowWriter` that puts every row on the disk before it goes on.

    A last line that a kill left unfinished is moved to ``FILE.damaged``, with a message.
    """

    def __init__(self, path: str | Path) -> None:
        set_aside_damage(Path(path))
        super().__init__(path)

    def append(self, row: dict[str, Any]) -> None:
        super().append(row)
        os.fsync(self._file.fileno())


def set_aside_damage(path: Path) -> None:
    """Copy an unfinished last line of ``path`` to ``path.damaged``, if there is one, and say so.

    ``RowWriter`` then cuts it off.
    """
    if not path.is_file():
        return
    data = path.read_bytes()
    end = end_of_whole_lines(data)
    if end < len(data):
        aside = path.with_name(path.name + ".damaged")
        with aside.open("ab") as file:
            file.write(data[end:] + b"\n")
        print(f"{path}: the last line was unfinished; moved to {aside}", file=sys.stderr)


def machine() -> dict[str, Any]:
    """Provenance: command, machine, processor, versions, and torch threads of a cell."""
    return {**provenance(), "platform": platform.platform(), "threads": 1}
