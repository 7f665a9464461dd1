"""Verifying many claims: shared time, two processes, progress, JSON, comparison with the record."""

from __future__ import annotations

import hashlib
import json
import platform
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

from theory.files import write_whole

SCHEMA = 1


@dataclass(frozen=True)
class Effort:
    """How hard to look: examples a claim, seconds a claim at most, seconds for all on two cores."""

    name: str
    examples: int
    most: float
    total: float


QUICK = Effort("quick", examples=500, most=10.0, total=60.0)
DEEP = Effort("deep", examples=12_000, most=60.0, total=700.0)
SINGLE = Effort("single", examples=2000, most=10.0, total=1e9)


def budget(effort: Effort, claims: int, jobs: int) -> float:
    """Seconds one claim may take: a little over its share (most take far less than theirs)."""
    return min(effort.most, max(0.3, 1.2 * effort.total * jobs / max(1, claims)))


def run(
    ids: Iterable[str],
    *,
    file: Path | None = None,
    effort: Effort = QUICK,
    seed: int = 0,
    jobs: int = 2,
) -> Iterator[dict[str, Any]]:
    """Verify claims of the ledger (or of a user's file) and yield encoded verdicts as they come."""
    ids = list(ids)
    share = budget(effort, len(ids), jobs)
    tasks = [(name, None if file is None else str(file), effort.examples, seed, share)
             for name in ids]
    if jobs <= 1 or len(tasks) <= 1:
        for task in tasks:
            yield _verify(task)
        return
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), mp_context=get_context("spawn"),
                               initializer=_ignore_interrupts)
    try:
        for future in as_completed([pool.submit(_verify, task) for task in tasks]):
            yield future.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in active_children():
            worker.terminate()
        raise
    pool.shutdown()


def _ignore_interrupts() -> None:
    """Workers leave Ctrl-C to the parent, which ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _verify(task: tuple[str, str | None, int, int, float]) -> dict[str, Any]:
    from theory.claims import verify
    from theory.claims.encode import encode_verdict
    from theory.claims.ledger import claims_of_file, ledger, recorded

    name, file, examples, seed, share = task
    path = None if file is None else Path(file)
    claims = ledger() if path is None else claims_of_file(path)
    verdict = verify(claims[name], examples, seed, budget=share, amendment=False)
    return encode_verdict(verdict, recorded(path).get(name))


def provenance(command: list[str]) -> dict[str, Any]:
    """Machine, versions and commit."""
    import numpy
    import scipy

    from theory.provenance import commit, machine

    return {"command": " ".join(command), "machine": machine(),
            "system": platform.platform(), "python": platform.python_version(),
            "numpy": numpy.__version__, "scipy": scipy.__version__, "commit": commit("theory"),
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def code_hash(*others: Path) -> str:
    """A hash of the theory package and of other files that verdicts depend on."""
    digest = hashlib.sha256()
    root = Path(__file__).parents[1]
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    for path in others:
        digest.update(b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


class Log:
    """The JSON file of a run: kept complete after every verdict, so that a run can go on."""

    def __init__(self, path: Path | None, effort: Effort, seed: int, order: list[str],
                 file: Path | None = None) -> None:
        from theory.claims.ledger_4_measured import ROWS

        self.path, self.order, self.start = path, order, time.perf_counter()
        self.before = 0.0
        self.verdicts: dict[str, dict[str, Any]] = {}
        self.head = {"schema": SCHEMA, "version": _version(), "seed": seed, "mode": effort.name,
                     "examples": effort.examples,
                     "code": code_hash(*sorted(ROWS.glob("*.jsonl")),
                                       *([] if file is None else [file]))}
        self.provenance = provenance(["python", "-m", "theory", *sys.argv[1:]])

    def resume(self) -> int:
        """Take over the verdicts of an earlier run of the same code, seed and mode; how many.

        Verdicts on claims that are not asked for now stay in the file.

        Raises:
            ValueError: the file is there and is no file of verdicts.
        """
        if self.path is None or not self.path.exists():
            return 0
        try:
            old = json.loads(self.path.read_text())
            found = {v["id"]: v for v in old["verdicts"]}
        except (OSError, ValueError, TypeError, KeyError, UnicodeDecodeError) as error:
            raise ValueError(f"{self.path} is no file of verdicts, so --resume leaves it alone: "
                             f"{error!r}") from error
        if any(old.get(k) != v for k, v in self.head.items()):
            return 0
        wanted = len([i for i in self.order if i in found])
        self.verdicts = found
        self.order = [*self.order, *(i for i in found if i not in self.order)]
        self.before = float(old.get("seconds", 0.0))
        return wanted

    def check(self) -> None:
        """``ValueError`` if the file cannot be written: known before the work, not after."""
        if self.path is None:
            return
        if self.path.is_dir():
            raise ValueError(f"{self.path} is a directory, give a file")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(f"cannot write to {self.path.parent}: {error.strerror}") from error

    def add(self, verdict: dict[str, Any]) -> None:
        self.verdicts[verdict["id"]] = verdict
        self.write()

    def write(self) -> None:
        """Write all verdicts so far; the file is replaced in one step."""
        if self.path is None:
            return
        body = {**self.head,
                "seconds": round(self.before + time.perf_counter() - self.start, 2),
                "provenance": self.provenance,
                "verdicts": [self.verdicts[i] for i in self.order if i in self.verdicts]}
        write_whole(self.path, (json.dumps(body, indent=1, allow_nan=False) + "\n").encode())


def _version() -> str:
    import theory

    return theory.__version__
