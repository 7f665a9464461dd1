"""A simulation for the tests of workers: its cells can wait, fail, and kill their process.

Every time a cell begins, it leaves a mark in its folder: a file ``INDEX-PID-TIME``.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sims.run import SIMULATIONS, Simulation
from sims.streams import stream

TOY = "tests.sims.workers_cells"

PRESETS: dict[str, dict[str, Any]] = {"quick": {"acts": ["work"] * 12, "folder": None}}


def cells(preset: str, seed: int) -> list[dict[str, Any]]:
    """One cell for each act of the preset."""
    p = PRESETS[preset]
    return [{"kind": "toy", "key": f"toy/{index}/{act}/seed={seed}", "index": index, "act": act,
             "folder": p["folder"], "seed": seed} for index, act in enumerate(p["acts"])]


def compute(cell: dict[str, Any]) -> dict[str, Any]:
    """Numbers of the cell's stream, after its act."""
    if cell["folder"] is not None:
        folder = Path(cell["folder"])
        first = not list(folder.glob(f"{cell['index']}-*"))
        (folder / f"{cell['index']}-{os.getpid()}-{time.monotonic_ns()}").touch()
        _act(cell["act"], folder, first)
    if cell["act"] == "environment":
        return {name: os.environ.get(name) for name in ("QUADRAT_THREADS", "OMP_NUM_THREADS")}
    if cell["act"] == "nan":
        return {"value": float("nan")}
    x = stream(cell["key"], cell["seed"]).standard_normal((64, 512))
    return {"sum_of_products": float((x @ x.T).sum()), "draws": x[0, :3].tolist(),
            "count": int(x.size), "exact": bool(np.isfinite(x).all()), "nothing": None}


def begun(folder: Path, index: int) -> list[int]:
    """The processes in which a cell began, in order of time."""
    files = [f.name.split("-") for f in folder.glob(f"{index}-*")]
    return [int(pid) for _, pid, _ in sorted(files, key=lambda f: int(f[2]))]


def register(monkeypatch: Any, tmp_path: Path) -> Callable[..., Path]:
    """A function that makes acts the cells of the simulation "toy" and returns their folder."""
    folder = tmp_path / "begun"
    folder.mkdir(parents=True)

    def prepare(*acts: str) -> Path:
        monkeypatch.setitem(SIMULATIONS, "toy", Simulation("toy", "for tests", TOY))
        monkeypatch.setitem(PRESETS, "quick", {"acts": list(acts), "folder": str(folder)})
        return folder

    return prepare


def numbers(path: Path) -> dict[str, dict[str, Any]]:
    """Rows by key without what may differ from run to run; every key once."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    found = {row["key"]: {k: v for k, v in row.items() if k not in ("seconds", "provenance")}
             for row in lines}
    assert len(found) == len(lines), "a row twice"
    return found


def alive(pid: int) -> bool:
    """Does the process run (a zombie does not)?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def soon(condition: Callable[[], Any], seconds: float = 20.0) -> None:
    """Wait until the condition is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "too late"
        time.sleep(0.02)


def _act(act: str, folder: Path, first: bool) -> None:
    if act == "raise":
        raise ValueError("no such luck")
    if act == "exit" or (act == "exit once" and first):
        os._exit(7)
    if act == "killed" or (act == "killed once" and first):
        os.kill(os.getpid(), signal.SIGKILL)
    deadline = time.monotonic() + 30
    while act == "wait" and not (folder / "go").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
