"""``python -m training certify``: all bounds of finished runs, beside what was measured.

A folder of a run gets the posteriors that its row lacks (:mod:`training.certificate`), which trains
networks on parts of its training sample; a file of rows is taken as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from theory.bounds.table import lacking, table
from training.rows import TrainingRows, machine


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows to certify: those of a file, or the one of a run's folder, with its posteriors.

    Raises:
        FileNotFoundError: nothing there.
        ValueError: a file that holds no rows; says which line.
        training.checkpoint.CheckpointError: a folder without a finished run.
    """
    if path.is_dir():
        return [_with_posteriors(path)]
    out = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{path}:{number}: no row: {error}") from error
        if not isinstance(row, dict) or row.get("kind") != "training":
            raise ValueError(f"{path}:{number}: rows of kind 'training' are certified, got "
                             f"{row.get('kind') if isinstance(row, dict) else type(row).__name__!r}")
        out.append(row)
    if not out:
        raise ValueError(f"{path} holds no rows")
    return out


def certify(rows: Iterable[dict[str, Any]], delta: float, out: Path | None) -> list[dict[str, Any]]:
    """The tables of rows, as rows of kind "bounds"; appended to ``out`` but for those that are there.

    Rows without a map are left out.
    """
    origin, made = machine(), []
    for row in rows:
        if row["train"].get("missing_rate") is None:
            continue
        made.append({
            "kind": "bounds", "key": f"bounds-{delta:g}-{row['key']}", "of": row["key"],
            "method": row["method"], "supervision": row["supervision"], "n": row["n"],
            "seed": row["seed"], "delta": delta, "bounds": table(row, delta),
            "lacking": {k: list(v) for k, v in lacking(row).items()}, "seconds": 0.0})
    if out is not None:
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
    head = (f"{row['of']}: {row['method']}, trained on {row['supervision']}, N = {row['n']}; each bound "
            f"by itself with probability {1 - row['delta']:g}")
    return "\n".join([head, *body, *([f"not given: {'; '.join(lacks)}"] if lacks else [])])


def _with_posteriors(folder: Path) -> dict[str, Any]:
    from training.certificate import certificate
    from training.data import prepare
    from training.single import ROW, finished, read_json

    config, net = finished(folder)
    row = read_json(folder / ROW)
    if row.get("certificate") is None:
        run = SimpleNamespace(config=config, net=net, start=row["start"])
        row["certificate"] = certificate(run, prepare(config))
    return row
