"""The figures by name, and the rows they are drawn from."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMITTED = Path(__file__).parent / "rows"
"""Rows in the repository, from which every figure can be rebuilt."""


@dataclass(frozen=True)
class Entry:
    """A figure.

    Attributes:
        name: the module ``paper_figures.NAME``; it has ``layout(rows)``, ``size(rows)``,
            ``plot(rows, ax) -> ax`` (``ax`` an array of axes when the layout has several) and
            ``caption(rows)``.
        title: one line.
        rows: name of the file of rows it is drawn from, None when it needs none.
    """

    name: str
    title: str
    rows: str | None = None

    def module(self) -> Any:
        """The figure's module, imported now."""
        return importlib.import_module(f"paper_figures.{self.name}")


FIGURES = {
    e.name: e for e in (
        Entry("fig02_window", "Figure 2: the window function"),
        Entry("fig03_maps", "Figure 3: soft rectangles"),
        Entry("fig10_sigmoids", "Figure 10: from the sigmoid to the window"),
        Entry("rademacher_vs_n", "Rademacher complexity against N", "rademacher.jsonl"),
        Entry("bound_vs_data", "The bounds of section 5.1 against data", "training.jsonl"),
        Entry("certificates", "Bounds that say something, against data", "certificates.jsonl"),
        Entry("slack", "Where the bounds lose", "certificates.jsonl"),
    )
}


def load_rows(entry: Entry, folder: str | Path) -> list[dict[str, Any]] | None:
    """The rows of a figure in a folder; None when it needs none.

    Raises:
        FileNotFoundError: the folder does not hold the file.
        sims.rows.RowsError: the file cannot be read; says which line.
    """
    if entry.rows is None:
        return None
    from sims.rows import RowsError, read_rows

    path = Path(folder) / entry.rows
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there")
    rows = read_rows(path)
    if not rows:
        raise RowsError(f"{path}: no complete row")
    return rows
