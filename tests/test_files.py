"""Files are whole or not there, whatever fails, and nothing is left beside them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from theory import files
from theory.claims.runner import QUICK, Log
from theory.files import write_whole

ROOT = Path(__file__).parents[1]


def test_a_target_that_is_a_folder_leaves_nothing_beside_it(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(OSError):
        write_whole(tmp_path / "x", b"data")
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, call, error):
    path = tmp_path / "x"
    write_whole(path, b"old")

    def fail(*_):
        raise error
    monkeypatch.setattr(files.os, call, fail)
    with pytest.raises(type(error)):
        write_whole(path, b"new")
    assert list(tmp_path.iterdir()) == [path] and path.read_bytes() == b"old"


def test_a_folder_that_is_not_there_is_the_error_that_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="no/"):
        write_whole(tmp_path / "no" / "x", b"data")


WRITER = """
import sys
from pathlib import Path
from theory.files import write_whole
for _ in range(300):
    write_whole(Path(sys.argv[1]), sys.argv[2].encode() * 5000)
"""


def test_two_processes_write_the_same_file(tmp_path):
    """With one name for both, one would rename the file away under the other, or mix the two."""
    path = tmp_path / "x"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), letter], cwd=ROOT,
                                stderr=subprocess.PIPE, text=True) for letter in "ab"]
    said = [w.communicate(timeout=60)[1] for w in writers]
    assert [w.returncode for w in writers] == [0, 0], said
    assert path.read_bytes() in (b"a" * 5000, b"b" * 5000) and list(tmp_path.iterdir()) == [path]


def test_the_file_of_verdicts_is_whole_after_a_failure(tmp_path, monkeypatch):
    log = Log(tmp_path / "ledger.json", QUICK, 0, ["a", "b"])
    log.add({"id": "a"})
    before = log.path.read_bytes()
    assert [v["id"] for v in json.loads(before)["verdicts"]] == ["a"]

    def fail(*_):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        log.add({"id": "b"})
    assert list(tmp_path.iterdir()) == [log.path] and log.path.read_bytes() == before


def test_the_name_beside_it_tells_the_process(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(files.os, "replace", lambda a, b: seen.append(a.name))
    write_whole(tmp_path / "x", b"data")
    assert seen == [f".x.{os.getpid()}.part"]
