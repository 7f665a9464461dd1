"""``python -m training certify``: all bounds of finished runs, beside what was measured.

A folder of a run gets the posteriors that its row lacks (:mod:`training.certificate`), which trains
networks on parts of its training sample; they are kept in the folder.  A file of rows is taken as it
is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sims.rows import read_rows
from theory.bounds.evidence import field
from theory.bounds.table import lacking, table
from training.rows import TrainingRows, machine

KEPT = "certificate.json"
"""What of a run's folder holds the posteriors that its row lacks."""


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows to certify: those of a file (the last of each key), or the one of a run's folder, with
    its posteriors.

    Raises:
        ValueError: nothing there; a file that holds no rows, or others than of trainings; names them.
        training.checkpoint.CheckpointError: a folder without a finished run.
    """
    if path.is_dir():
        return [_with_posteriors(path)]
    if not path.exists():
        raise ValueError(f"{path}: no such folder of a run or file of rows")
    out = read_rows(path)
    _require_kind("training", out, path)
    if not out:
        raise ValueError(f"{path} holds no rows")
    return out


def certify(rows: Iterable[dict[str, Any]], delta: float, out: Path | None) -> list[dict[str, Any]]:
    """The tables of rows, as rows of kind "bounds"; appended to ``out`` but for those that are there.

    Rows without a map are left out.

    Raises:
        ValueError: delta outside (0, 1), a row that lacks a field, ``out`` with rows of another kind.
    """
    if out is not None and out.is_file():
        _require_kind("bounds", read_rows(out), out)
    made = [_tabled(row, delta) for row in rows
            if field(row, "train").get("missing_rate") is not None]
    if out is not None and made:
        origin = machine()
        with TrainingRows(out) as writer:
            for row in made:
                if row["key"] not in writer.keys:
                    writer.append({**row, "provenance": origin})
    return made


def text_of(row: dict[str, Any]) -> str:
    """A row of kind "bounds" as a table for a terminal."""
    lines = [("bound", "predictor", "upper", "test", "start", "slack")]
    for line in sorted(row["bounds"], key=lambda b: b["upper"]):
        slack = ", ".join(f"{k} {v:.4f}" for k, v in sorted(line["slack"].items(),
                                                           key=lambda item: -item[1]) if v > 5e-5)
        lines.append((line["title"], line["predictor"], f"{line['upper']:.4f}",
                      "" if line["test"] is None else f"{line['test']:.4f}",
                      f"{line['start']:.4f}", slack or "none"))
    widths = [max(len(line[i]) for line in lines) for i in range(5)]
    body = ["  ".join([*(cell.ljust(w) for cell, w in zip(line, widths, strict=False)), line[5]])
            for line in lines]
    lacks = [f"{name} needs {', '.join(v)}" for name, v in row["lacking"].items()]
    head = (f"{row['of']}: {row['method']}, trained on {row['supervision']}, N = {row['n']}; each "
            f"bound by itself with probability {1 - row['delta']:g}")
    return "\n".join([head, *body, *([f"not given: {'; '.join(lacks)}"] if lacks else [])])


def _tabled(row: dict[str, Any], delta: float) -> dict[str, Any]:
    start = time.perf_counter()
    named = {name: field(row, name) for name in ("method", "supervision", "n", "seed")}
    key = field(row, "key")
    return {"kind": "bounds", "key": f"bounds-{delta!r}-{key}", "of": key, **named, "delta": delta,
            "bounds": table(row, delta),
            "lacking": {name: list(missing) for name, missing in lacking(row).items()},
            "seconds": round(time.perf_counter() - start, 3)}


def _require_kind(kind: str, rows: list[dict[str, Any]], path: Path) -> None:
    for row in rows:
        if row.get("kind") != kind:
            raise ValueError(f"{path}: rows of kind {kind!r} belong here, got {row.get('kind')!r} "
                             f"(key {row['key']!r})")


def _with_posteriors(folder: Path) -> dict[str, Any]:
    """On one thread, like the rows of sweeps: the same posteriors wherever they are made."""
    from theory.files import write_whole
    from training.certificate import certificate
    from training.data import prepare
    from training.fit import one_thread
    from training.single import ROW, finished, read_json

    config, net = finished(folder)
    row, kept = read_json(folder / ROW), folder / KEPT
    if row.get("certificate") is None and kept.is_file():
        row["certificate"] = read_json(kept)
    if row.get("certificate") is None:
        run = SimpleNamespace(config=config, net=net, start=field(row, "start"))
        with one_thread():
            row["certificate"] = certificate(run, prepare(config))
        if row["certificate"] is not None:
            write_whole(kept, (json.dumps(row["certificate"], indent=1) + "\n").encode())
    return row
