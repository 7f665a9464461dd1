"""Code blocks and commands of the Markdown documents, for the tests that run them."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(document: str) -> list[tuple[str, str]]:
    """(language, text) of the code blocks of a document, named from the root of the project."""
    return _BLOCK.findall((ROOT / document).read_text(encoding="utf-8"))


def commands(document: str) -> list[str]:
    """The command lines of the ``sh`` blocks, without their comments."""
    lines = [line for language, text in blocks(document) if language == "sh"
             for line in text.splitlines()]
    return [re.split(r"\s+#", line)[0].strip() for line in lines if line.strip()]


def run_python(text: str, name: str, namespace: dict[str, object]) -> str:
    """What a block prints; it leaves torch's generator as it was."""
    printed = io.StringIO()
    with torch.random.fork_rng(devices=[]), contextlib.redirect_stdout(printed):
        exec(compile(text, name, "exec"), namespace)
    return printed.getvalue()
