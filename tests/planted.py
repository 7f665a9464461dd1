"""Plant errors, one at a time, and see the tests that guard the place go red.

    python -m tests.planted [TEXT]      all plants, or those whose file or tests contain TEXT

Each plant replaces one text in a copy of the tree and runs the named tests there; a plant that no test
notices is reported, and the exit code is 1.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import (
    plants,
    plants_bounds,
    plants_claims,
    plants_figures,
    plants_last_layer,
    plants_page,
    plants_pets,
    plants_referee,
    plants_report,
    plants_shared,
    plants_sims,
    plants_theorem_1,
    plants_training,
)
from tests.plants import Plant

ROOT = Path(__file__).parents[1]
PLANTS = [*plants.PLANTS, *plants_sims.PLANTS, *plants_training.PLANTS, *plants_bounds.PLANTS,
          *plants_last_layer.PLANTS, *plants_claims.PLANTS,
          *plants_figures.PLANTS, *plants_report.PLANTS, *plants_shared.PLANTS,
          *plants_theorem_1.PLANTS, *plants_pets.PLANTS,
          *plants_referee.PLANTS, *plants_page.PLANTS]
PARTS = ("theory", "sims", "training", "paper_figures", "tests", "examples", "docs", "conftest.py",
         "pyproject.toml", "README.md", "CHANGELOG.md", "CITATION.cff", "constraints.txt", "Makefile")


def run(plant: Plant, tree: Path) -> str:
    """``"caught"``, ``"NOT CAUGHT"``, or what is wrong with the plant."""
    path = tree / plant.file
    original = path.read_text()
    if original.count(plant.old) != 1:
        return f"BAD PLANT: the text occurs {original.count(plant.old)} times"
    path.write_text(original.replace(plant.old, plant.new))
    if path.name == "lanes.py":  # numba does not notice: the kernels compiled with it are elsewhere
        _forget_compiled(tree)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *plant.tests.split()],
            cwd=tree, capture_output=True, text=True, timeout=600, check=False)
    except subprocess.TimeoutExpired:
        return "TIMEOUT"
    finally:
        path.write_text(original)
        if path.name == "lanes.py":
            _forget_compiled(tree)
    if done.returncode == 1:
        return "caught"
    if done.returncode == 0:
        return "NOT CAUGHT"
    return f"BAD TEST SELECTION (pytest exit {done.returncode}): {done.stdout[-300:]}"


def _forget_compiled(tree: Path) -> None:
    for kept in tree.rglob("*.nb[ic]"):
        kept.unlink()


def main(argv: list[str]) -> int:
    """Run the plants; exit code 1 if one was not caught."""
    chosen = [p for p in PLANTS if not argv or any(a in p.file or a in p.tests for a in argv)]
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        tree.mkdir()
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, tree / part)
        wanted = sorted({t for p in chosen for t in p.tests.split() if t.endswith(".py")})
        green = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *wanted],
            cwd=tree, capture_output=True, text=True, check=False)
        if green.returncode:
            print(f"the tests are red without a plant:\n{green.stdout[-1500:]}")
            return 1
        for number, plant in enumerate(chosen, 1):
            start = time.perf_counter()
            outcome = run(plant, tree)
            bad += outcome != "caught"
            print(f"[{number}/{len(chosen)}] {outcome:<10} {time.perf_counter() - start:5.1f} s  "
                  f"{plant.file}: {plant.old.strip()!r} -> {plant.new.strip()!r}", flush=True)
    print(f"{len(chosen) - bad} of {len(chosen)} planted errors caught")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
