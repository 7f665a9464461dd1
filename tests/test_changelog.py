"""The changelog has Keep a Changelog's form and agrees with the version of the package."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path

import pytest

import theory

ROOT = Path(__file__).parents[1]
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def releases(text: str) -> list[tuple[str, str]]:
    """(version, date or "") of the headings, in order.

    Raises:
        ValueError: a heading of another form, or a section that is none of the six kinds.
    """
    found = []
    for mark, heading in re.findall(r"^(#{2,}) (.*)$", text, re.M):
        release = re.fullmatch(r"\[(Unreleased|\d+\.\d+\.\d+)\](?: - (\d{4}-\d\d-\d\d))?", heading)
        if mark == "##" and release and (release[1] == "Unreleased") == (release[2] is None):
            found.append((release[1], release[2] or ""))
        elif mark != "###" or heading not in KINDS:
            raise ValueError(f"no heading of a changelog: {heading!r}")
    return found


def test_the_form():
    found = releases((ROOT / "CHANGELOG.md").read_text())
    assert found[0] == ("Unreleased", "")
    versions = [tuple(map(int, version.split("."))) for version, _ in found[1:]]
    days = [date.fromisoformat(day) for _, day in found[1:]]
    assert versions == sorted(set(versions), reverse=True)
    assert days == sorted(days, reverse=True)


def test_one_version_everywhere():
    version, day = releases((ROOT / "CHANGELOG.md").read_text())[1]
    citation = (ROOT / "CITATION.cff").read_text()
    assert version == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert version == theory.__version__ == re.search(r"^version: (\S+)$", citation, re.M)[1]
    assert day == re.search(r'^date-released: "(\S+)"$', citation, re.M)[1]


@pytest.mark.parametrize("heading", ["## 0.2.0", "## [0.2.0]", "## [Unreleased] - 2026-01-01", "### News"])
def test_other_headings_are_seen(heading):
    with pytest.raises(ValueError, match="no heading"):
        releases(heading)
