"""``python -m sims``: list the simulations, run one, time the suprema."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from sims.run import SIMULATIONS, rows_file, run
from sims.workers import WorkersError

EXIT_CODES = """\
exit codes:
  0  done
  1  a cell failed (the others are done), the file of rows could not be written, or the
     scheduler or its workers could not be used
  2  bad arguments, or DIR/NAME.jsonl is not a file of rows
  130  interrupted; the same command goes on where it was
"""
SHOWN = 10
"""How many failures are printed."""
STYLE = {"epilog": EXIT_CODES, "formatter_class": argparse.RawDescriptionHelpFormatter}


def parser() -> argparse.ArgumentParser:
    """The command line; the chosen command's function is in ``action``."""
    p = argparse.ArgumentParser(
        prog="python -m sims", **STYLE,
        description="Exact and Monte-Carlo computations on top of the theory; rows to disk.")
    commands = p.add_subparsers(dest="command", required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="the simulations, one a line")
    listing.set_defaults(action=_list)
    r = commands.add_parser(
        "run", help="run a simulation", **STYLE,
        description="Runs the cells of a simulation and appends one JSON row a cell to "
                    "DIR/NAME.jsonl. Cells that this file holds, computed by the same code, are "
                    "skipped. The numbers of a row do not depend on where it was computed.")
    r.add_argument("name", metavar="NAME", choices=tuple(SIMULATIONS),
                   help=f"one of: {', '.join(SIMULATIONS)}")
    r.add_argument("--preset", choices=("quick", "full"), default="quick",
                   help="quick: seconds; full: minutes (default: quick)")
    r.add_argument("--out", metavar="DIR",
                   help="rows are appended to DIR/NAME.jsonl (default: runs/sims/PRESET)")
    r.add_argument("--seed", type=_integer("seed", 0), default=0, help="integer >= 0 (default: 0)")
    where = r.add_mutually_exclusive_group()
    where.add_argument("--workers", type=_integer("workers", 1), default=1, metavar="N",
                       help="processes on this machine (default: 1)")
    where.add_argument("--scheduler", metavar="ADDRESS",
                       help="compute on the workers of this Dask scheduler, e.g. "
                            "tcp://10.0.0.1:8786 (needs quadrat[cluster])")
    r.set_defaults(action=_run)
    b = commands.add_parser(
        "bench", help="time the suprema side by side with what else there is", **STYLE,
        description="Prints the side-by-side table of the exact suprema, a plain numba Kadane, "
                    "NumPy, PyTorch and pyscan-stats (needs quadrat[bench]), with the machine.")
    b.add_argument("--quick", action="store_true",
                   help="sides up to 28 (axis-aligned) and 14 (rotated): a minute")
    b.add_argument("--out", metavar="FILE", default="runs/sims/bench.jsonl",
                   help="rows are written here (default: runs/sims/bench.jsonl)")
    b.set_defaults(action=_bench)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    args = parser().parse_args(argv)
    return args.action(args)


def _list(_: argparse.Namespace) -> int:
    for simulation in SIMULATIONS.values():
        print(f"{simulation.name:12} {simulation.about}")
    return 0


def _run(args: argparse.Namespace) -> int:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as in workers: sums of BLAS depend on it
    out = args.out or f"runs/sims/{args.preset}"
    try:
        outcome = run(args.name, args.preset, out, args.seed,
                      workers=args.workers, scheduler=args.scheduler)
    except KeyboardInterrupt:
        print("\ninterrupted: the same command goes on where it was", file=sys.stderr)
        return 130
    except (ValueError, OSError, WorkersError) as error:
        print(f"python -m sims: error: {error}", file=sys.stderr)
        return 2 if isinstance(error, ValueError) else 1
    for failure in outcome.failures[:SHOWN]:
        print(f"python -m sims: cell failed: {failure}", file=sys.stderr)
    if len(outcome.failures) > SHOWN:
        print(f"python -m sims: {len(outcome.failures)} cells failed in all", file=sys.stderr)
    print(f"{args.name}: {outcome.written} rows written, {outcome.found} already there, "
          f"{outcome.seconds:.1f} s: {rows_file(args.name, out)}")
    return 1 if outcome.failures else 0


def _bench(args: argparse.Namespace) -> int:
    from sims.bench_report import bench

    try:
        print(bench(args.out, quick=args.quick))
    except KeyboardInterrupt:
        print("\ninterrupted: the rows so far are kept", file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:
        print(f"python -m sims: error: {error}", file=sys.stderr)
        return 2 if isinstance(error, ValueError) else 1
    return 0


def _integer(name: str, least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{name} must be an integer >= {least}, got {value}")
        return value

    parse.__name__ = name  # argparse shows it
    return parse


if __name__ == "__main__":
    sys.exit(main())
