"""``python -m paper_figures``: list and build figures, write the report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from paper_figures.registry import COMMITTED, ENTRIES

EXIT_CODES = """\
exit codes:
  0  done (a report marks in place what the run lacks)
  1  an input, or a line of it, could not be read or drawn; what could be drawn was written
  2  bad arguments, a folder that does not exist or cannot be written to
130  interrupted; the files that are there are whole
"""
STATES = {"written": "", "unchanged": "(unchanged)", "failed": "(of an earlier build, kept)"}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(
        prog="python -m paper_figures", epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Figures and the report, from saved rows.")
    commands = p.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("list", help="figures and tables, one a line, with the rows each needs")
    b = commands.add_parser("build", help="write figures and tables to files")
    b.add_argument("names", nargs="*", metavar="NAME", help="figures and tables (default: all)")
    b.add_argument("--rows", metavar="DIR", default=str(COMMITTED),
                   help="folder with rows (default: the committed ones)")
    b.add_argument("--out", metavar="DIR", default="reports/figures",
                   help="folder for the files (default: reports/figures)")
    b.add_argument("--format", choices=("png", "svg", "pdf"), default="png",
                   help="of figures (default: png); a table is written as LaTeX, CSV and text")
    b.add_argument("--force", action="store_true", help="build also what has not changed")
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
        width = max(map(len, ENTRIES))
        for entry in ENTRIES.values():
            print(f"{entry.name:{width}}  {entry.kind:6}  {entry.title} "
                  f"[{', '.join(entry.files) or 'no rows'}]")
        return 0
    try:
        return build(args) if args.command == "build" else report(args)
    except KeyboardInterrupt:
        return _fail(130, "interrupted")


def build(args: argparse.Namespace) -> int:
    """Write the named figures and tables to files."""
    import time
    from collections import Counter
    from pathlib import Path

    from paper_figures import build as files

    unknown = [name for name in args.names if name not in ENTRIES]
    if unknown:
        return _fail(2, f"NAME must be one of {', '.join(ENTRIES)}, got {unknown[0]!r}")
    if not Path(args.rows).is_dir():
        return _fail(2, f"the folder of rows {args.rows} does not exist")
    start, states, damaged = time.perf_counter(), Counter[str](), 0
    names = list(dict.fromkeys(args.names or ENTRIES))
    try:
        for done in files.build(names, args.rows, args.out, args.format, args.force):
            states[done.state] += 1
            damaged += len(done.damaged)
            for note in done.notes:
                print(f"note: {done.name}: {note}", file=sys.stderr)
            for path in done.paths:
                print(path, STATES[done.state])
            if done.state == "failed":
                _fail(1, f"{done.name}: {done.why}")
    except OSError as error:
        return _fail(2, f"cannot write to {args.out}: {error.strerror or error}")
    counts = ", ".join(f"{states[s]} {s}" for s in ("written", "unchanged", "failed"))
    print(f"{counts} in {time.perf_counter() - start:.1f} s")
    return 1 if states["failed"] or damaged else 0


def report(args: argparse.Namespace) -> int:
    """Write the report; the last line says where it is and what the ledger found."""
    from paper_figures.report import write_report

    try:
        done = write_report(args.run, args.out, args.rows)
    except OSError as error:
        return _fail(2, str(error))
    if done.elsewhere:
        print(f"from committed rows alone, this run has none: {', '.join(done.elsewhere)}")
    for line in done.missing:
        print(f"missing: {line}", file=sys.stderr)
    for line in done.broken:
        print(f"unreadable: {line}", file=sys.stderr)
    for line in done.notes:
        print(f"note: {line}", file=sys.stderr)
    print(f"{done.path}: {done.summary}")
    return 1 if done.broken else 0


def _fail(code: int, message: str) -> int:
    print(f"python -m paper_figures: error: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
