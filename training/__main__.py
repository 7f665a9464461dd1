"""``python -m training``: train a network, run the experiments, time the modules, look at images."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from theory.bounds import DELTA
from training.config import METHODS, RunConfig
from training.experiments import EXPERIMENTS, PRESETS, SIZES, with_changes
from training.settings import changed, from_file

EXIT_CODES = """\
exit codes:
  0  done
  1  training failed, or a file could not be written
  2  bad arguments, or what is there belongs to something else
  130  interrupted; run, sweep and gallery go on where they were
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    style = {"epilog": EXIT_CODES, "formatter_class": argparse.RawDescriptionHelpFormatter}
    p = argparse.ArgumentParser(
        prog="python -m training", **style,
        description="Trains networks with rectangular attention where the true masks are known.")
    commands = p.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("experiments", help="list the experiments and the sizes of their presets")
    run = commands.add_parser(
        "run", help="train and test one network; keeps its weights and goes on after a stop", **style)
    run.add_argument("--method", choices=METHODS, help="(default: rectangle)")
    run.add_argument("--n", type=int, help="training images (default: 1024)")
    run.add_argument("--seed", type=int, help="integer >= 0 (default: 0)")
    run.add_argument("--config", metavar="FILE",
                     help="a .json or .toml file of settings, laid over the preset's")
    run.add_argument("--every", type=int, default=200, help="steps between checkpoints (default: 200)")
    run.add_argument("--tensorboard", metavar="DIR", help="also write the loss there")
    run.add_argument("--out", metavar="DIR", help="(default: runs/training/KEY OF THE RUN)")
    sweep = commands.add_parser("sweep", help="the cells of experiments, a row each", **style)
    sweep.add_argument("--experiment", action="append", choices=(*EXPERIMENTS, "all"), default=None,
                       help="may be repeated (default: theorem-1, or none with --grid)")
    sweep.add_argument("--grid", action="append", default=[], metavar="KEY=V1,V2",
                       help="an axis of a grid of your own, e.g. n=64,256 or shapes.noise=0.1,0.3; "
                            "may be repeated; with --experiment, changes each of its cells")
    sweep.add_argument("--jobs", type=int, default=2,
                       help="worker processes of one thread; rows do not depend on it (default: 2)")
    sweep.add_argument("--ensemble", type=int, default=None, metavar="K",
                       help="cells trained together that differ in the seed alone (default: 1; 8 on "
                            "a GPU)")
    sweep.add_argument("--out", metavar="DIR", default="runs/training",
                       help="rows are appended to DIR/EXPERIMENT.jsonl; cells whose key is there are "
                            "skipped (default: runs/training)")
    for command in (run, sweep):
        command.add_argument("--preset", choices=PRESETS, default="cpu",
                             help="size: steps, seeds, images, device (default: cpu)")
        command.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                             help="change a field of training.config.RunConfig (shapes.FIELD: of "
                                  "training.shapes.ShapesConfig), e.g. steps=100 or "
                                  "shapes.noise=0.2; may be repeated")
    bench = commands.add_parser("bench", help="latency of the modules; ratios", **style)
    bench.add_argument("--repeats", type=int, default=50, help="(default: 50)")
    bench.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="(default: cpu)")
    bench.add_argument("--part", action="append", metavar="PART",
                       help="module, learning-module, network, backbone, step or shapes; may be "
                            "repeated (default: all)")
    bench.add_argument("--out", metavar="FILE", default="runs/training/latency.jsonl",
                       help="rows are appended here; the newest row of a key counts "
                            "(default: runs/training/latency.jsonl)")
    predict = commands.add_parser("predict", help="maps and parameters for a folder of images",
                                  **style)
    predict.add_argument("run", metavar="RUN", help="the folder of a finished run")
    predict.add_argument("--images", required=True, metavar="DIR")
    predict.add_argument("--out", required=True, metavar="DIR", help="a new or empty folder")
    predict.add_argument("--sort", default="file", metavar="COLUMN", help="of parameters.csv")
    predict.add_argument("--skip-bad", action="store_true", help="leave out unreadable images")
    certify = commands.add_parser(
        "certify", help="bounds on the missing rate of finished runs, and what each pays for", **style)
    certify.add_argument("what", metavar="RUN_OR_ROWS", type=Path,
                         help="the folder of a run (trains what its certificate needs) or a file of "
                              "rows")
    certify.add_argument("--delta", type=float, default=DELTA,
                         help=f"in (0, 1) (default: {DELTA:g})")
    certify.add_argument("--out", metavar="FILE", type=Path,
                         help="tables are appended here (default for a folder: RUN/bounds.jsonl)")
    gallery = commands.add_parser(
        "gallery", help="what finished runs look at in their test images, as rows to draw", **style)
    gallery.add_argument("runs", metavar="RUN", nargs="*", type=Path,
                         help="folders of finished runs on the same test images, those with the "
                              "attention at a shallower place first where there are several places "
                              "(default: trains a few networks on shapes)")
    gallery.add_argument("--preset", choices=PRESETS, default=None,
                         help="size of those networks (default: cpu)")
    gallery.add_argument("--keep", metavar="DIR", type=Path, default=Path("runs/gallery"),
                         help="where they are kept (default: runs/gallery)")
    gallery.add_argument("--out", metavar="FILE", type=Path, default=Path("runs/gallery/gallery.jsonl"),
                         help="rows are appended here, but for those that are there (default: "
                              "runs/gallery/gallery.jsonl)")
    doctor = commands.add_parser("doctor", help="device, versions, extras, expected wall times",
                                 **style)
    doctor.add_argument("--preset", choices=PRESETS, default="cpu",
                        help="whose wall times are expected (default: cpu)")
    doctor.add_argument("--experiment", action="append", choices=(*EXPERIMENTS, "all"), default=None,
                        help="may be repeated (default: theorem-1)")
    doctor.add_argument("--jobs", type=int, default=2, help="worker processes (default: 2)")
    doctor.add_argument("--json", action="store_true", help="as JSON")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    args = parser().parse_args(argv)
    try:
        return COMMANDS[args.command](args)
    except KeyboardInterrupt:
        again = ("the same command goes on where it was" if args.command in ("run", "sweep", "gallery")
                 else "nothing more was written")
        print(f"\ninterrupted: {again}", file=sys.stderr)
        return 130
    except ValueError as error:
        print(f"python -m training: error: {error}", file=sys.stderr)
        return 2
    except (OSError, RuntimeError, ImportError, MemoryError) as error:
        print(f"python -m training: error: {error}", file=sys.stderr)
        return 1


def _experiments(args: argparse.Namespace) -> int:
    for e in EXPERIMENTS.values():
        sizes = ", ".join(f"{preset} {len(e.cells(preset))}" for preset in PRESETS)
        print(f"({e.letter}) {e.name}: {e.question}\n    cells: {sizes}")
    return 0


def configuration(args: argparse.Namespace) -> RunConfig:
    """The configuration of ``run``: preset, then file, then options, then --set."""
    base = RunConfig(**SIZES[args.preset])
    if args.config:
        base = from_file(args.config, base)
    named = {name: getattr(args, name) for name in ("method", "n", "seed")
             if getattr(args, name) is not None}
    changes = changed(base, args.set)
    twice = sorted(set(named) & set(changes))
    if twice:
        raise ValueError(f"{twice[0]} is set twice: by --{twice[0]} and by --set")
    return _replaced(base, {**named, **changes})


def _run(args: argparse.Namespace) -> int:
    if args.every < 1:
        raise ValueError(f"every must be at least 1, got {args.every}")
    config = configuration(args)
    require_device(config.device)
    from training.single import run

    folder = Path(args.out or f"runs/training/{config.key}")
    row = run(config, folder, every=args.every, tensorboard=args.tensorboard)
    if row is not None:
        for name in row["skipped"]:
            print(f"skipped: {name}", file=sys.stderr)
        test = row["test"]
        shown = [f"{name} {test[name]:.3f}" for name in ("accuracy", "missing_rate", "iou")
                 if test.get(name) is not None]
        print(f"{config.key}: test {', '.join(shown)}; {folder}")
    return 0


def _sweep(args: argparse.Namespace) -> int:
    axes = [_axis(text) for text in args.grid]
    names = args.experiment or ([] if axes else ["theorem-1"])
    names = list(EXPERIMENTS) if "all" in names else list(dict.fromkeys(names))
    changes = changed(RunConfig(), args.set)
    plans = [(name, EXPERIMENTS[name].file, EXPERIMENTS[name].cells(args.preset, **changes))
             for name in names]
    if not names:
        plans = [("grid", "grid", [_replaced(RunConfig(**SIZES[args.preset]), changes)])]
    plans = [(name, file, _on_axes(configs, axes)) for name, file, configs in plans]
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError("sweep has worker processes of its own (--jobs): start it without torchrun, "
                         "which is for run")
    devices = {config.device for _, _, configs in plans for config in configs}
    for device in devices:
        require_device(device)
    on_gpu = devices != {"cpu"}
    size = args.ensemble if args.ensemble is not None else (8 if on_gpu else 1)
    jobs = 1 if on_gpu else args.jobs
    from training.sweep import processes, sweep

    with processes(jobs) as workers:
        for name, file, configs in plans:
            out = Path(args.out) / f"{file}.jsonl"
            done = sweep(configs, out, jobs, size, workers, experiment=name, preset=args.preset)
            print(f"{name}: {done.written} rows written, {done.found} already there, "
                  f"{done.seconds:.1f} s: {out}", flush=True)
    return 0


def require_device(device: str) -> None:
    """ValueError where the device is a GPU and this machine has none."""
    if device == "cpu":
        return
    import torch

    if not torch.cuda.is_available():
        raise ValueError(f"device={device} needs a GPU that this torch ({torch.__version__}) can use, "
                         "and there is none: take --preset cpu or --set device=cpu")


def _axis(text: str) -> tuple[str, list[str]]:
    key, equals, values = text.partition("=")
    if not equals or not values:
        raise ValueError(f"a grid axis is key=value,value, got {text!r}")
    return key, values.split(",")


def _on_axes(configs: list[RunConfig], axes: list[tuple[str, list[str]]]) -> list[RunConfig]:
    for key, values in axes:
        configs = [_replaced(config, changed(config, [f"{key}={value}"]))
                   for config in configs for value in values]
    return list({config.key: config for config in configs}.values())


def _replaced(config: RunConfig, changes: dict) -> RunConfig:
    return with_changes([config], **{name: (value,) for name, value in changes.items()})[0]


def _bench(args: argparse.Namespace) -> int:
    from training.bench import bench
    from training.rows import TrainingRows, machine

    with TrainingRows(args.out) as writer:
        rows = bench(args.repeats, args.device, tuple(args.part) if args.part else None)
        for row in rows:
            writer.append({**row, "provenance": machine()})
    for row in rows:
        if "ratio" in row:
            shown = ", ".join(f"{n} {v:.3g}" for n, v in row["ratio"].items())
            print(f"{row['key']}: time / {row['ratio_base']}: {shown}")
        else:
            print(f"{row['key']}: {row['images_per_second']:.0f} images/s")
    return 0


def _predict(args: argparse.Namespace) -> int:
    from training.predict import predict
    from training.single import load

    config, predictor = load(args.run)
    done = predict(predictor, args.images, args.out, sort=args.sort, skip_bad=args.skip_bad)
    for line in done.skipped:
        print(f"skipped: {line}", file=sys.stderr)
    print(f"{config.key}: {done.written} images, {len(done.skipped)} skipped: {done.out}")
    return 0


def _certify(args: argparse.Namespace) -> int:
    from training.certify import certify, rows_of, text_of

    if not 0 < args.delta < 1:
        raise ValueError(f"delta must be in (0, 1), got {args.delta:g}")
    out = args.out or (args.what / "bounds.jsonl" if args.what.is_dir() else None)
    made = certify(rows_of(args.what), args.delta, out)
    if not made:
        raise ValueError(f"{args.what}: no row has a missing rate (methods without a map)")
    print("\n\n".join(map(text_of, made)))
    return 0


def _gallery(args: argparse.Namespace) -> int:
    if args.runs and args.preset:
        raise ValueError("--preset is for networks that are trained here: give it, or RUN ...")
    from training.gallery import gallery, networks, trained

    folders = args.runs
    if not folders:
        configs = networks(args.preset or "cpu")
        for device in {config.device for config in configs}:
            require_device(device)
        folders = trained(configs, args.keep)
    written = gallery(folders, args.out)
    print(f"{len(folders)} runs: {len(written)} rows written: {args.out}")
    return 0


def _doctor(args: argparse.Namespace) -> int:
    if args.jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {args.jobs}")
    from training.calibration import alike, calibrate
    from training.doctor import report, text

    names = args.experiment or ["theorem-1"]
    names = list(EXPERIMENTS) if "all" in names else list(dict.fromkeys(names))
    presets = {f"{name} {args.preset}": EXPERIMENTS[name].cells(args.preset) for name in names}
    found = report(presets, calibrate, jobs=args.jobs, alike=alike)
    print(json.dumps(found, indent=1) if args.json else text(found))
    return 0


COMMANDS = {"experiments": _experiments, "run": _run, "sweep": _sweep, "bench": _bench,
            "predict": _predict, "certify": _certify, "gallery": _gallery, "doctor": _doctor}


if __name__ == "__main__":
    sys.exit(main())
