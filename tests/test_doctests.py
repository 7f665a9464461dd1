"""Examples in docstrings are tests: every one that is written is one that pytest runs."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("theory", "sims", "training", "paper_figures", "docs")
PROMPT = ">>> "
FILES = [p for room in ROOMS for p in sorted((ROOT / room).rglob("*.py")) if PROMPT in p.read_text()]


def written(path: Path) -> int:
    """Prompts in the text of a file (a string that only mentions one does not begin a line)."""
    return sum(line.lstrip(' r"').startswith(PROMPT) for line in path.read_text().splitlines())


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_every_example_is_found(path):
    """Python's own finder leaves out what a decorator hides, such as compiled functions."""
    module = importlib.import_module(module_of(path))
    found = sum(len(test.examples) for test in doctest.DocTestFinder().find(module))
    assert found == written(path)


@pytest.mark.parametrize("room", ROOMS)
def test_pytest_collects_the_room(room):
    """One item for each docstring with examples, none skipped."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "-n0", room],
        cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    lines = [line for line in done.stdout.splitlines() if ".py: " in line or "::" in line]
    if any("::" in line for line in lines):
        collected = Counter(line.split("::")[0] for line in lines)
    else:
        collected = Counter({line.split(": ")[0]: int(line.split(": ")[1]) for line in lines})
    files = [p for p in FILES if p.relative_to(ROOT).parts[0] == room]
    assert set(collected) == {str(p.relative_to(ROOT)) for p in files}
    for path in files:
        tests = doctest.DocTestFinder().find(importlib.import_module(module_of(path)))
        assert collected[str(path.relative_to(ROOT))] == sum(bool(t.examples) for t in tests), path


def test_a_plain_run_goes_through_all_rooms():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert set(ROOMS) <= set(options["testpaths"])
    assert "--doctest-modules" in options["addopts"]


def test_nothing_is_skipped():
    assert [p for p in FILES if "doctest: +SKIP" in p.read_text()] == []


def test_there_are_examples_in_every_room():
    rooms = Counter(p.relative_to(ROOT).parts[0] for p in FILES)
    assert set(rooms) == set(ROOMS)
    assert sum(written(p) for p in FILES if "training" in p.parts) >= 20
