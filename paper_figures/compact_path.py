"""Paths of an SVG in few characters: rounded to a grid, relative, without what may be left out."""

from __future__ import annotations

import re

COUNTS = {"M": 2, "L": 2, "Q": 4, "C": 6, "Z": 0}
"""Commands that Matplotlib writes, and how many numbers follow each."""
_TOKEN = re.compile(r"([A-Za-z])|(-?[0-9.]+(?:e-?\d+)?)")


def decimal(value: float, steps: int = 100) -> str:
    """A number rounded to a multiple of 1/steps, a power of ten, in its shortest form.

    >>> decimal(12.3449), decimal(-0.5), decimal(3.0), decimal(0.001), decimal(1234.5)
    ('12.34', '-.5', '3', '0', '1234.5')
    """
    return _text(round(value * steps), steps)


def relative(path: str, steps: int = 100, scale: float = 1.0) -> str:
    """A path of absolute commands M, L, Q, C, Z as relative ones, on a grid of ``steps`` a unit.

    Every point lies within half a step of where it was: differences are taken between points of the
    grid, so that errors do not add up.

    Args:
        scale: the path is multiplied by this first.

    Raises:
        ValueError: another command, or too few numbers after one.

    >>> relative("M 1 2 L 3.004 2 L 3.004 4.5 z", 100)
    'M1 2h2v2.5z'
    """
    points = [t for t in _TOKEN.findall(path)]
    out: list[str] = []
    at = start = (0, 0)
    last = ""
    position = 0
    while position < len(points):
        command = points[position][0].upper()
        count = COUNTS.get(command)
        given = [number for letter, number in points[position + 1:position + 1 + (count or 0)]]
        if count is None or len(given) != count or not all(given):
            raise ValueError(f"a path must be of the commands {', '.join(COUNTS)}, got {path[:60]!r}")
        grid = [round(float(v) * scale * steps) for v in given]
        ends = list(zip(grid[::2], grid[1::2], strict=True))
        letter, numbers = _step(command, at, ends)
        last = _append(out, last, letter, [_text(n, steps) for n in numbers])
        at = ends[-1] if ends else start
        start = at if command == "M" else start
        position += 1 + count
    return "".join(out)


def _step(command: str, at: tuple[int, int], ends: list[tuple[int, int]]) -> tuple[str, list[int]]:
    """A relative command and its numbers; moves stay absolute, so that paths can be joined."""
    if command == "M":
        return "M", list(ends[0])
    if command == "L":
        across, along = ends[0][0] - at[0], ends[0][1] - at[1]
        if not along:
            return "h", [across]
        return ("l", [across, along]) if across else ("v", [along])
    return command.lower(), [v - at[k] for end in ends for k, v in enumerate(end)]


def _append(out: list[str], last: str, letter: str, numbers: list[str]) -> str:
    """Add a command, its letter only where it changes; returns the letter."""
    if letter != last or letter in "Mz":
        out.append(letter)
        before = letter
    else:
        before = out[-1]
    for number in numbers:
        glued = before[-1].isalpha() or number[0] == "-" or number[0] == "." and "." in before
        out.append(number if glued else " " + number)
        before = number
    return letter


def _text(value: int, steps: int) -> str:
    whole, rest = divmod(abs(value), steps)
    digits = len(str(steps)) - 1
    part = f".{rest:0{digits}d}".rstrip("0") if rest else ""
    return ("-" if value < 0 else "") + (f"{whole or '' if part else whole}{part}")
