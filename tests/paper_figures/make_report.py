"""A small run folder, and reports with few figures, whatever the registry holds by now."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from paper_figures.registry import ENTRIES
from sims.rademacher_cells import cells, compute
from tests.paper_figures.make_ledger import ledger, training_rows
from tests.paper_figures.test_certificates import rows as certificate_rows

NAMES = ("fig02_window", "rademacher_vs_n", "bound_vs_data", "certificates", "slack")
"""One figure without rows, four from three files."""
FILES = ("rademacher", "training", "certificates")


def fill(run: Path, *, with_ledger: bool = True, with_rows: bool = True) -> Path:
    """Make the folder of a run."""
    run.mkdir()
    if with_ledger:
        (run / "ledger.json").write_text(json.dumps(ledger()))
    if with_rows:
        rows = [{"schema": 1, "version": "0.1.0", **c, **compute(c), "seconds": 0.01}
                for c in cells("quick", 0) if c["n"] <= 4]
        for name, lines in zip(FILES, (rows, training_rows(), certificate_rows()), strict=True):
            write(run / f"{name}.jsonl", lines)
    return run


def write(path: Path, rows: list) -> None:
    """Rows, one a line."""
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))


@contextmanager
def few(names: tuple[str, ...] = NAMES) -> Iterator[None]:
    """Within, a report has these figures only."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("report", "claim_sections"):
            patch.setattr(f"paper_figures.{module}.ENTRIES", {n: ENTRIES[n] for n in names})
        yield
