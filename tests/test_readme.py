"""The README's Python runs as it stands, and its commands run or say why they do not."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.documents import ROOT, blocks, commands, run_python

README = "README.md"
PYTHON = ".venv/bin/python "
BLOCKS = [text for language, text in blocks(README) if language == "python"]
SMALL = " --preset smoke"


@dataclass(frozen=True)
class Step:
    """A command as the README has it, what is added to make it small, and what it must print."""

    command: str
    says: str
    added: str = ""


CHAINS = {  # steps of a chain run in one folder, in order
    "claims": [
        Step("-m theory verify examples/my_claims.py", r"iou-bounds-hits +refuted")],
    "list": [Step("-m theory list", r"\d+ claims; recorded: \d+ holds")],
    "show": [Step("-m theory show thm-1", r"amended by: +sharp-bound")],
    "verify": [Step("-m theory verify thm-2.2", r"thm-2.2: counterexample")],
    "bound": [Step("-m theory bound --masks DIR --predictions DIR --delta 0.05", r"empirical missing rate: 0\.0000")],
    "doctor": [Step("-m training doctor", r"expected wall time")],
    "experiments": [Step("-m training experiments", r"^\(a\) theorem-1: .*\n.*smoke \d+")],
    "grid": [Step("-m training sweep --grid method=rectangle,positionwise --grid n=256,1024 "
                  "--grid shapes.noise=0.1,0.2", r"8 rows written", SMALL)],
    "run": [
        Step("-m training run --method rectangle --n 1024 --out runs/mine", r"test accuracy", SMALL),
        Step("-m training certify runs/mine", r"Theorem 1 "),
        Step("-m training predict runs/mine --images DIR --out OUT --sort mu2", r"OUT")],
    "share": [Step("-m torch.distributed.run --nproc-per-node 2 -m training run --out runs/two",
                   r"test accuracy", SMALL)],
}
LONG = {  # run by --deep
    "build": [Step("-m paper_figures build --format pdf", r"\d+ written, 0 unchanged, 0 failed")],
    "deep": [Step("-m theory verify thm-3 --deep", r"thm-3: Monte Carlo")],
    "smoke": [Step("-m training sweep --experiment all --preset smoke", r"rows written")],
    "sweep": [Step("-m training sweep --experiment theorem-1 --preset cpu", r"15 rows written", SMALL)],
}
NOT_RUN = {
    "-m training gallery --out gallery.jsonl": "seven networks of up to 4096 images, six minutes; tests/training/test_gallery.py",
    "make reproduce": "minutes; its four parts are tested on their own and by hand before a release",
    "make test": "it is what runs this test",
    "make docs": "tests/test_docs_reference.py runs its command",
}


def steps() -> list[Step]:
    return [step for chain in (*CHAINS.values(), *LONG.values()) for step in chain]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.splitlines()[0][:40])
def test_block(block):
    run_python(block, README, {})


def test_there_are_blocks():
    assert len(BLOCKS) == 3


def test_every_command_is_run_or_says_why_not():
    written = [command.removeprefix(PYTHON) for command in commands(README)]
    known = [*(step.command for step in steps()), *NOT_RUN]
    assert set(written) - set(known) == set(), "a command of the README that nothing runs"
    assert set(known) - set(written) == set(), "a command that the README no longer has"
    assert all(len(reason) > 10 for reason in NOT_RUN.values())


def test_counts_of_the_papers_own_statements():
    from collections import Counter

    from theory.claims.ledger import ledger, recorded

    found = Counter(recorded()[i] for i, claim in ledger().items() if claim.origin == "paper")
    line = re.search(r"the paper's own (\d+) statements: (.*?)\.", (ROOT / README).read_text())
    said = {words.split()[1]: int(words.split()[0]) for words in line[2].split(", ")}
    assert said == dict(found) and int(line[1]) == sum(found.values())


def fill(folder: Path, command: str) -> None:
    """What a reader would have in DIR: images, or masks of the two folders (here one)."""
    from PIL import Image

    (folder / "DIR").mkdir(exist_ok=True)
    generator = np.random.default_rng(0)
    for k in range(3):
        image = generator.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        mask = np.zeros((8, 8), np.uint8)
        mask[k:k + 3, 2:6] = 255
        Image.fromarray(image if "--images" in command else mask).save(folder / "DIR" / f"{k}.png")


def run_chain(chain: list[Step], folder: Path, environment: dict[str, str]) -> None:
    (folder / "examples").symlink_to(ROOT / "examples")
    for step in chain:
        if "DIR" in step.command:
            fill(folder, step.command)
        done = subprocess.run([sys.executable, *shlex.split(step.command + step.added)], cwd=folder,
                              env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (step, done.stderr[-2000:])
        assert re.search(step.says, done.stdout), (step, done.stdout[-2000:])


@pytest.fixture
def environment(monkeypatch) -> dict[str, str]:
    import os

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return dict(os.environ)


@pytest.mark.parametrize("chain", CHAINS)
def test_commands(chain, tmp_path, environment):
    run_chain(CHAINS[chain], tmp_path, environment)
    if chain == "run":
        made = {p.name for p in (tmp_path / "OUT").rglob("*")}
        assert "parameters.csv" in made
        assert len((tmp_path / "OUT" / "parameters.csv").read_text().splitlines()) == 4


@pytest.mark.deep
@pytest.mark.parametrize("chain", LONG)
def test_long_commands(chain, tmp_path, environment):
    run_chain(LONG[chain], tmp_path, environment)


def test_a_command_that_fails_is_seen(tmp_path, environment):
    with pytest.raises(AssertionError, match="thm-99"):
        run_chain([Step("-m theory show thm-99", "")], tmp_path, environment)


def test_commands_in_sentences_exist(environment):
    """`python -m ROOM COMMAND` of the running text answers --help; `make TARGET` is a target."""
    prose = re.sub(r"```.*?```", "", (ROOT / README).read_text(), flags=re.S)
    called = {tuple(found.split()) for found in re.findall(r"`python -m ([\w. ]*\w)[^`]*`", prose)}
    assert {room for room, *_ in called} >= {"theory", "sims", "training", "paper_figures"}
    for room, *rest in sorted(called):
        command = [word for word in rest[:1] if word.islower()]
        done = subprocess.run([sys.executable, "-m", room, *command, "--help"], cwd=ROOT,
                              env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and "usage" in done.stdout, (room, rest, done.stderr)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"`make ([a-z-]+)", prose)) | {c.split()[1] for c in NOT_RUN if c.startswith("make")}
    assert named and named <= targets


def test_every_example_file_is_in_the_commands():
    written = " ".join(commands(README))
    examples = sorted((ROOT / "examples").glob("*.py"))
    assert examples and all(f"examples/{p.name}" in written for p in examples)


def test_links_lead_to_files():
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / README).read_text())
    assert links and [link for link in links if not (ROOT / link).exists()] == []
