"""``python -m paper_figures``: list and build figures, write the report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from paper_figures.registry import COMMITTED, FIGURES, load_rows

EXIT_CODES = """\
exit codes:
  0  done (a report marks in place what the run lacks)
  1  an input could not be read or drawn; what could be drawn was written
  2  bad arguments, or a folder that does not exist
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(
        prog="python -m paper_figures", epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Figures and the report, from saved rows.")
    commands = p.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("list", help="the figures, one a line, with the rows each needs")
    b = commands.add_parser("build", help="draw figures to files")
    b.add_argument("names", nargs="*", metavar="NAME", help="figures (default: all)")
    b.add_argument("--rows", metavar="DIR", default=str(COMMITTED),
                   help="folder with rows (default: the committed ones)")
    b.add_argument("--out", metavar="DIR", default="reports/figures",
                   help="folder for the files (default: reports/figures)")
    b.add_argument("--format", choices=("png", "svg", "pdf"), default="png")
    r = commands.add_parser("report", help="write one self-contained HTML page")
    r.add_argument("--run", metavar="DIR", required=True,
                   help="folder of a run: ledger.json, rademacher.jsonl, training.jsonl")
    r.add_argument("--out", metavar="DIR", required=True, help="folder that gets index.html")
    r.add_argument("--rows", metavar="DIR", default=str(COMMITTED),
                   help="folder with committed rows, shown beside the run's")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    args = parser().parse_args(argv)
    if args.command == "list":
        for entry in FIGURES.values():
            print(f"{entry.name:18} {entry.title} [{entry.rows or 'no rows'}]")
        return 0
    return build(args) if args.command == "build" else report(args)


def build(args: argparse.Namespace) -> int:
    """Draw the named figures to files."""
    from pathlib import Path

    from paper_figures.style import draw, save

    unknown = [name for name in args.names if name not in FIGURES]
    if unknown:
        return _fail(2, f"figure must be one of {', '.join(FIGURES)}, got {unknown[0]!r}")
    if not Path(args.rows).is_dir():
        return _fail(2, f"the folder of rows {args.rows} does not exist")
    out, code = Path(args.out), 0
    out.mkdir(parents=True, exist_ok=True)
    for name in dict.fromkeys(args.names or FIGURES):
        entry = FIGURES[name]
        try:
            rows = load_rows(entry, args.rows)
            path = out / f"{name}.{args.format}"
            save(draw(entry.module(), rows), path, args.format)
        except (OSError, ValueError) as error:
            code = _fail(1, f"{name}: {error}")
            continue
        print(path)
    return code


def report(args: argparse.Namespace) -> int:
    """Write the report; the last line says where it is and what the ledger found."""
    from paper_figures.report import write_report

    try:
        done = write_report(args.run, args.out, args.rows)
    except OSError as error:
        return _fail(2, str(error))
    for line in done.missing:
        print(f"missing: {line}", file=sys.stderr)
    for line in done.broken:
        print(f"unreadable: {line}", file=sys.stderr)
    print(f"{done.path}: {done.summary}")
    return 1 if done.broken else 0


def _fail(code: int, message: str) -> int:
    print(f"python -m paper_figures: error: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
