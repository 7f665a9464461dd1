"""Commit, machine and processor: what git says of a repository of our own, and where there is none."""

import os
import shutil
import subprocess
import sys

import pytest

from sims import rows
from theory import provenance
from theory.claims import runner


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with the folders a and b, which the module takes for its own."""
    def git(*words):
        done = subprocess.run(["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", *words],
                              check=True, capture_output=True, text=True)
        return done.stdout.strip()

    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "a" / "provenance.py"))
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("1")
    git("init", "-q"), git("add", "."), git("commit", "-qm", "one")
    provenance.commit.cache_clear()
    yield tmp_path, git
    provenance.commit.cache_clear()


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_changes_of_the_folders_are_marked(repository):
    folder, git = repository
    assert provenance.commit("a") == git("rev-parse", "HEAD")[:12]
    (folder / "b" / "file").write_text("2")
    provenance.commit.cache_clear()
    assert provenance.commit("a") == git("rev-parse", "HEAD")[:12]
    assert provenance.commit("a", "b") == git("rev-parse", "HEAD")[:12] + "+changes"


def test_outside_a_repository_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "a" / "provenance.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.commit.__wrapped__("a") is None
    monkeypatch.setenv("PATH", "")
    assert provenance.commit.__wrapped__("a") is None


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs a mask of cores")
def test_cores_that_this_process_may_use():
    code = ("import os; from theory.provenance import usable_cores; first = min(os.sched_getaffinity(0)); "
            "os.sched_setaffinity(0, {first}); assert usable_cores() == 1")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert 1 <= provenance.usable_cores() <= os.cpu_count()


def test_ledger_and_rows_say_the_same():
    ledger, row = runner.provenance(["theory"]), rows.machine()
    assert ledger["machine"] == row["machine"] == provenance.machine()
    assert f"{os.cpu_count()} cores" in row["machine"] and row["cpu"] == provenance.cpu() != ""
    both = [str(found["commit"]).removesuffix("+changes") for found in (ledger, row)]
    assert both[0] == both[1] and ledger["python"] == row["python"] and ledger["numpy"] == row["numpy"]
