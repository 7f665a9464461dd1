"""``python -m training``: train one cell, a sweep of cells, or time the modules."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from training.config import METHODS, PRESETS, SUPERVISIONS, RunConfig, cells, changed

EXIT_CODES = """\
exit codes:
  0  done
  1  training failed, or the file of rows could not be written
  2  bad arguments, or --out is not a file of rows
  130  interrupted; run and sweep go on where they were
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    style = {"epilog": EXIT_CODES, "formatter_class": argparse.RawDescriptionHelpFormatter}
    p = argparse.ArgumentParser(
        prog="python -m training", **style,
        description="Trains small networks with rectangular attention on shapes with known masks.")
    commands = p.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="train and test one cell; one row", **style)
    run.add_argument("--method", choices=METHODS, default="rectangle", help="(default: rectangle)")
    run.add_argument("--n", type=int, default=1024, help="training images (default: 1024)")
    run.add_argument("--seed", type=int, default=0, help="integer >= 0 (default: 0)")
    run.add_argument("--supervision", choices=SUPERVISIONS, default="label",
                     help="label: cross-entropy alone; mask: and the map's (default: label)")
    sweep = commands.add_parser("sweep", help="all cells of a preset; a row each", **style)
    sweep.add_argument("--preset", choices=tuple(PRESETS), default="quick",
                       help="quick: two minutes on two cores; cpu: about 20 minutes")
    sweep.add_argument("--jobs", type=int, default=2,
                       help="worker processes of one thread; rows do not depend on it (default: 2)")
    for command in (run, sweep):
        command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                             help="change a field of the configuration, e.g. steps=100 or "
                                  "shapes.noise=0.2; may be repeated")
    bench = commands.add_parser("bench", help="latency of the modules; ratios", **style)
    bench.add_argument("--repeats", type=int, default=50, help="(default: 50)")
    for command, name in ((run, "run"), (sweep, "sweep"), (bench, "latency")):
        held = "; the newest row of a key counts" if command is bench else (
            "; cells whose key it holds are skipped")
        command.add_argument("--out", metavar="FILE", default=f"runs/training/{name}.jsonl",
                             help=f"rows are appended here{held} "
                                  f"(default: runs/training/{name}.jsonl)")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    args = parser().parse_args(argv)
    try:
        return _bench(args) if args.command == "bench" else _train(args)
    except KeyboardInterrupt:
        again = ("nothing was written" if args.command == "bench"
                 else "the same command goes on where it was")
        print(f"\ninterrupted: {again}", file=sys.stderr)
        return 130
    except ValueError as error:
        print(f"python -m training: error: {error}", file=sys.stderr)
        return 2
    except (OSError, RuntimeError) as error:
        print(f"python -m training: error: {error}", file=sys.stderr)
        return 1


def _train(args: argparse.Namespace) -> int:
    changes = changed(RunConfig(), args.set)
    named = sorted({"method", "n", "seed", "supervision"} & set(changes))
    if named:
        raise ValueError(f"set {', '.join(named)} by the option of that name, not by --set")
    if args.command == "run":
        configs = [RunConfig(args.method, args.n, args.seed, args.supervision, **changes)]
        jobs, preset = 1, None
    else:
        configs, jobs, preset = cells(args.preset, **changes), args.jobs, args.preset
    from training.sweep import sweep

    outcome = sweep(configs, args.out, jobs, preset)
    print(f"training: {outcome.written} rows written, {outcome.found} already there, "
          f"{outcome.seconds:.1f} s: {args.out}")
    return 0


def _bench(args: argparse.Namespace) -> int:
    from training.bench import bench
    from training.rows import TrainingRows, machine

    with TrainingRows(args.out) as writer:
        rows = bench(args.repeats)
        for row in rows:
            writer.append({**row, "provenance": machine()})
    for row in rows:
        shown = ", ".join(f"{n} {v:.3g}" for n, v in row["ratio"].items())
        print(f"{row['key']}: time / {row['ratio_base']}: {shown}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
