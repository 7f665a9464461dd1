"""The figures and tables by name, and the rows they are drawn from."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sims.rows import Reading

COMMITTED = Path(__file__).parent / "rows"
"""Rows in the repository, from which every figure can be rebuilt."""

KINDS = ("figure", "table")


@dataclass(frozen=True)
class Entry:
    """A figure or a table.

    Attributes:
        name: the module ``paper_figures.NAME``.  That of a figure has ``layout(rows)``,
            ``size(rows)``, ``plot(rows, ax) -> ax`` (``ax`` an array of axes when the layout has
            several) and ``caption(rows)``; that of a table has ``table(rows)``, a
            :class:`paper_figures.tables.Table`, and ``caption(rows)``.
        title: one line.
        rows: the file of rows it is drawn from, or several (their rows follow each other; each says
            its ``kind``), None when it needs none.
        kind: ``"figure"`` or ``"table"``.
        more: files whose rows it uses where they are there, and does without otherwise.

    Raises:
        ValueError: another kind, an empty tuple of files.
    """

    name: str
    title: str
    rows: str | tuple[str, ...] | None = None
    kind: str = "figure"
    more: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {KINDS}, got {self.kind!r}")
        if self.rows == ():
            raise ValueError("rows must be None or name a file, got ()")

    @property
    def files(self) -> tuple[str, ...]:
        """The names of its files of rows."""
        return ((self.rows,) if isinstance(self.rows, str) else self.rows or ()) + self.more

    def paths(self, folder: str | Path) -> list[Path]:
        """Its files of rows in a folder, without those of ``more`` that are not there.

        Raises:
            FileNotFoundError: the folder lacks one of the others; names all that it lacks.
        """
        paths = [Path(folder) / file for file in self.files]
        absent = [path for path in paths if not path.is_file()]
        lost = [str(path) for path in absent if path.name not in self.more]
        if lost:
            raise FileNotFoundError(f"{', '.join(lost)} {'is' if len(lost) == 1 else 'are'} not there")
        return [path for path in paths if path not in absent]

    def module(self) -> Any:
        """The figure's module, imported now."""
        return importlib.import_module(f"paper_figures.{self.name}")


ENTRIES = {
    e.name: e for e in (
        Entry("fig02_window", "Figure 2: the window function"),
        Entry("fig03_maps", "Figure 3: soft rectangles"),
        Entry("fig04_equivariance",
              "Figure 4: equivariance of the five parameters, and two readings that fail"),
        Entry("fig05_accuracy", "Figure 5: accuracy by split, on our data", "splits.jsonl"),
        Entry("fig06_maps", "Figure 6: maps over test images", "gallery.jsonl",
              more=("training.jsonl",)),
        Entry("fig07_depth", "Figure 7: maps after a shallower and a deeper layer",
              "gallery.jsonl", more=("depth.jsonl",)),
        Entry("fig08_sequences", "Figure 8: maps along a sequence of transforms",
              "gallery.jsonl", more=("sequences.jsonl",)),
        Entry("fig09_extremes", "Figure 9: images with extreme predicted centres",
              "gallery.jsonl", more=("training.jsonl",)),
        Entry("fig10_sigmoids", "Figure 10: from the sigmoid to the window"),
        Entry("table1", "Table 1 re-tested, beside our splits", "splits.jsonl", "table"),
        Entry("bound_vs_data", "The bounds of section 5.1 against data", "training.jsonl"),
        Entry("certificates", "Bounds that say something, against data", "certificates.jsonl"),
        Entry("slack", "Where the bounds lose", "certificates.jsonl"),
        Entry("table_certificates", "Every bound beside the measured rate", "certificates.jsonl",
              "table"),
        Entry("coverage", "How often each bound misses, and made 20 % too small", "coverage.jsonl"),
        Entry("table_tightness", "Bounds on held-out losses, side by side", "coverage.jsonl", "table"),
        Entry("relevance_vs_limit", "Relevance level against the limit on the area",
              "relevance.jsonl"),
        Entry("rademacher_vs_n", "Rademacher complexity against N", "rademacher.jsonl"),
        Entry("theorem_1", "Theorem 1 simulated: coverage, slack by cause, the largest risk",
              "theorem-1.jsonl"),
        Entry("theorem_3", "Theorem 3 where complexity and gap are exact", "theorem-3.jsonl"),
        Entry("sandwich", "The sandwich of Theorem 2, and better maps that separate less",
              "theorem-2.jsonl"),
        Entry("injectivity", "Injectivity: ratios, singular values, a collision",
              ("injectivity.jsonl", "injectivity_trained.jsonl")),
        Entry("h1", "(H1): main loss against missing rate", ("training.jsonl", "regimes.jsonl")),
        Entry("h1_regimes", "(H1), regime by regime", "regimes.jsonl"),
        Entry("learning_curves", "Learning curves, trivial predictors and the floor",
              "training.jsonl"),
        Entry("depth", "Depth of the attention layer", "depth.jsonl"),
        Entry("sequences", "How far maps follow sequences of transforms", "sequences.jsonl"),
        Entry("head_costs", "Cost of the heads against channels", "latency.jsonl"),
        Entry("table_speed", "Speed of the attention modules", "latency.jsonl", "table"),
        Entry("table_suprema", "Speed of the exact suprema", "bench.jsonl", "table"),
        Entry("table_training", "All trainings on labels and masks", "training.jsonl", "table"),
    )
}
FIGURES = {name: e for name, e in ENTRIES.items() if e.kind == "figure"}
TABLES = {name: e for name, e in ENTRIES.items() if e.kind == "table"}


def load(entry: Entry, folder: str | Path, strict: bool = True) -> Reading | None:
    """The rows of a figure in a folder with notes on what is odd there; None when it needs none.

    ``strict=False`` leaves damaged lines out, each with a note.

    Raises:
        FileNotFoundError: the folder lacks one of the files; names all that it lacks.
        sims.rows.RowsError: a file cannot be read; says which line.
    """
    if entry.rows is None:
        return None
    from sims.rows import Reading, RowsError, scan_rows

    paths = entry.paths(folder)
    readings = [scan_rows(path, strict) for path in paths]
    for path, reading in zip(paths, readings, strict=True):
        if not reading.rows:
            raise RowsError("; ".join((f"{path}: no complete row", *reading.notes[:3])))
    return Reading([row for r in readings for row in r.rows],
                   tuple(note for r in readings for note in r.notes),
                   tuple(note for r in readings for note in r.damaged))


def load_rows(entry: Entry, folder: str | Path) -> list[Any] | None:
    """The rows of :func:`load`, without the notes."""
    reading = load(entry, folder)
    return None if reading is None else reading.rows
