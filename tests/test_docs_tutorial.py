"""The tutorial runs as it stands and prints what it says it prints."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from tests.documents import ROOT, blocks, run_python
from theory.claims.ledger import ledger

TUTORIAL = "docs/tutorial.md"


def run_through(parts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """(printed, shown) for every Python block, one namespace for all."""
    namespace: dict[str, object] = {}
    out = []
    for (language, text), (after, shown) in pairwise([*parts, ("", "")]):
        if language == "python":
            assert after == "text", f"no output is shown for {text.splitlines()[0]!r}"
            out.append((run_python(text, TUTORIAL, namespace), shown))
    return out


def test_every_block_prints_what_is_shown():
    for printed, shown in run_through(blocks(TUTORIAL)):
        assert printed == shown


def test_a_wrong_output_is_seen():
    printed, shown = run_through([("python", "print(1 + 1)\n"), ("text", "3\n")])[0]
    assert (printed, shown) == ("2\n", "3\n")
    with pytest.raises(AssertionError, match="no output is shown"):
        run_through([("python", "x = 1\n")])


def test_all_blocks_are_known():
    languages = [language for language, _ in blocks(TUTORIAL)]
    assert set(languages) == {"python", "text", "sh"}
    assert languages.count("python") == languages.count("text") >= 7
    assert (ROOT / TUTORIAL).read_text().count("```") == 2 * len(languages)


def test_claims_and_files_it_names_are_there():
    text = (ROOT / TUTORIAL).read_text()
    assert {"sec-5.1-rho", "rho-limited"} <= set(ledger())
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (ROOT / "docs" / link).exists(), link
