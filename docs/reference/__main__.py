"""``python -m docs.reference``: write the API reference."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0: written; 1: a page could not be made; 2: bad arguments, or pdoc is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m docs.reference",
        description="Writes the API reference: one HTML page a module, readable offline.",
        epilog="exit codes: 0 written; 1 a page could not be made; 2 bad arguments, or pdoc is missing")
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path("reports/reference"),
                        help="folder that gets index.html (default: reports/reference)")
    args = parser.parse_args(argv)
    if importlib.util.find_spec("pdoc") is None:
        return _fail(2, "it needs pdoc: pip install 'quadrat[docs]'")
    if args.out.exists() and not args.out.is_dir():
        return _fail(2, f"{args.out} is no folder")
    from docs.reference.pages import write

    try:
        names = write(args.out)
    except (OSError, ValueError) as error:
        return _fail(1, str(error))
    print(f"{args.out / 'index.html'}: {sum(n.kind == 'module' for n in names)} modules, "
          f"{len(names)} names")
    return 0


def _fail(code: int, message: str) -> int:
    print(f"python -m docs.reference: error: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
