"""``python -m sims``: list the simulations, run one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from sims.run import SIMULATIONS, run

EXIT_CODES = """\
exit codes:
  0  done
  1  a cell failed, or the file of rows could not be written
  2  bad arguments, or --out is not a file of rows
  130  interrupted; the same command goes on where it was
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(
        prog="python -m sims", epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Exact and Monte-Carlo computations on top of the theory; rows to disk.")
    commands = p.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("list", help="the simulations, one a line")
    r = commands.add_parser(
        "run", help="run a simulation", epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Runs the cells of a simulation and appends one JSON row a cell to FILE. "
                    "Cells whose key FILE already holds are skipped.")
    r.add_argument("name", metavar="NAME", choices=tuple(SIMULATIONS),
                   help=f"one of: {', '.join(SIMULATIONS)}")
    r.add_argument("--preset", choices=("quick", "full"), default="quick",
                   help="quick: seconds; full: minutes (default: quick)")
    r.add_argument("--out", metavar="FILE",
                   help="rows are appended here (default: runs/sims/NAME-PRESET.jsonl)")
    r.add_argument("--seed", type=_seed, default=0, help="integer >= 0 (default: 0)")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    args = parser().parse_args(argv)
    if args.command == "list":
        for simulation in SIMULATIONS.values():
            print(f"{simulation.name:12} {simulation.about}")
        return 0
    out = args.out or f"runs/sims/{args.name}-{args.preset}.jsonl"
    try:
        outcome = run(args.name, args.preset, out, args.seed)
    except KeyboardInterrupt:
        print("\ninterrupted: the same command goes on where it was", file=sys.stderr)
        return 130
    except ValueError as error:
        print(f"python -m sims: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"python -m sims: error: {error}", file=sys.stderr)
        return 1
    print(f"{args.name}: {outcome.written} rows written, {outcome.found} already there, "
          f"{outcome.seconds:.1f} s: {out}")
    return 0


def _seed(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"seed must be a non-negative integer, got {value}")
    return value


if __name__ == "__main__":
    sys.exit(main())
