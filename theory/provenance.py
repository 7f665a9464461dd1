"""Where numbers come from: the machine, its processor, the commit."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from pathlib import Path


def machine() -> str:
    """System, architecture and cores."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu() -> str:
    """The processor's name and its widest vectors, as far as the system tells."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in text.splitlines()
             if line.startswith("model name")]
    wide = "AVX-512BW" if " avx512bw" in text else "AVX2" if " avx2" in text else platform.machine()
    return f"{names[0] if names else platform.machine()}, {wide}"


@cache
def commit(*folders: str) -> str | None:
    """Twelve digits of the commit, ``+changes`` when files of these folders differ from it.

    Args:
        folders: of the repository that quadrat lies in, such as ``"theory"``.

    Returns:
        None outside a repository.
    """
    git = ["git", "-C", str(Path(__file__).parents[1])]
    try:
        head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True,
                              text=True, check=True, timeout=10).stdout.strip()
        changed = subprocess.run([*git, "status", "--porcelain", "--", *folders], check=True,
                                 capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{head}+changes" if changed else head
