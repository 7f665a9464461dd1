"""Renew the references of figures, after a look at the figures themselves.

    python -m tests.paper_figures.renew [NAME ...]     those named, or all that differ or have none

Says what changed in each, and removes references of figures that are no more.
"""

from __future__ import annotations

import sys

from paper_figures.registry import COMMITTED, FIGURES, load_rows
from paper_figures.style import draw
from tests.paper_figures.likeness import REFERENCES, differences, record


def main(names: list[str]) -> int:
    """Write references; the exit code is 2 for a name that is no figure."""
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        print(f"a figure must be one of {', '.join(FIGURES)}, got {unknown[0]!r}", file=sys.stderr)
        return 2
    REFERENCES.mkdir(exist_ok=True)
    for name in names or FIGURES:
        entry = FIGURES[name]
        rows = load_rows(entry, COMMITTED)
        found = differences(draw(entry.module(), rows), name)
        if not found:
            print(f"{name}: as it was")
            continue
        text, image = record(draw(entry.module(), rows))
        (REFERENCES / f"{name}.json").write_text(text, encoding="utf-8")
        (REFERENCES / f"{name}.png").write_bytes(image)
        print("\n  ".join([f"{name}: renewed", *found]))
    for path in sorted(REFERENCES.iterdir()):
        if path.stem not in FIGURES:
            path.unlink()
            print(f"{path.name}: removed, no figure has this name")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
