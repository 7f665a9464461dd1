"""The command line of ``theory``: list, show, verify, bound."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from theory.bounds import DELTA

EXIT_SAME, EXIT_CHANGED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130


def main(argv: list[str] | None = None) -> int:
    """Exit code 0: verdicts as recorded; 1: one changed; 2: bad input."""
    args = _parser().parse_args(argv)
    try:
        return args.run(args)
    except KeyboardInterrupt:
        more = ("; verdicts written so far are kept, and the same command with --json FILE --resume "
                "goes on" if args.command == "verify" else "")
        print(f"theory {args.command}: interrupted{more}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_SAME
    except (ValueError, TypeError, OSError) as error:
        print(f"theory {args.command}: {error}", file=sys.stderr)
        return EXIT_USAGE
    except RuntimeError as error:
        if type(error).__name__ != "ClaimError":
            raise
        print(f"theory {args.command}: {error}", file=sys.stderr)
        return EXIT_USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m theory", description="The theory of rectangular attention, checked.",
        epilog="exit codes: 0 every verdict equals the recorded one (or none is recorded for your "
               "own claims); 1 one changed; 2 bad input or a broken claim; 130 interrupted")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="the claims of the ledger and recorded verdicts")
    listing.add_argument("--origin", choices=("paper", "amended", "beyond"))
    listing.add_argument("--markdown", action="store_true", help="the table of the README")
    listing.set_defaults(run=_list)

    show = commands.add_parser("show", help="one claim in full")
    show.add_argument("id")
    show.set_defaults(run=_show)

    verify = commands.add_parser("verify", help="verify claims, of the ledger or of your own file")
    verify.add_argument("ids", nargs="*", metavar="ID|FILE.py",
                        help="claim ids, or one Python file that defines claims; all by default")
    verify.add_argument("--deep", action="store_true",
                        help="look harder: up to 15 minutes for the whole ledger")
    verify.add_argument("--json", type=Path, metavar="FILE", help="write the verdicts to FILE")
    verify.add_argument("--seed", type=int, default=0, help="of the search (default 0)")
    verify.add_argument("--examples", type=int, help="fresh random instances a claim")
    verify.add_argument("--jobs", type=int, default=2, help="processes (default 2)")
    verify.add_argument("--resume", action="store_true",
                        help="keep the verdicts that FILE has from the same code, seed and mode")
    verify.add_argument("--record", action="store_true",
                        help="make the statuses found the recorded ones")
    verify.set_defaults(run=_verify)

    bound = commands.add_parser(
        "bound", help="rates and bounds for your own masks and predictions",
        description="Rates for each image, the observed families' relevance level, and the bounds. "
                    "Files of the two folders belong together by name (without the suffix). PNG: "
                    "one channel with values 0 and 255, or 0 and 1. NPY: booleans, {0, 1}, {0, 255} "
                    "or {-1, 1}, two-dimensional. Soft maps: threshold them first.")
    bound.add_argument("--masks", type=Path, required=True, metavar="DIR",
                       help="true masks, one PNG or NPY file an image")
    bound.add_argument("--predictions", type=Path, required=True, metavar="DIR",
                       help="predicted masks, files of the same names")
    bound.add_argument("--delta", type=float, default=DELTA,
                       help=f"the bounds fail with at most this probability (default {DELTA:g})")
    bound.add_argument("--json", type=Path, metavar="FILE")
    bound.set_defaults(run=_bound)
    return parser


# --- list, show -----------------------------------------------------------------------------------


def _list(args: argparse.Namespace) -> int:
    from theory.claims.ledger import ledger, recorded

    known = recorded()
    claims = [c for c in ledger().values() if args.origin in (None, c.origin)]
    if args.markdown:
        print(markdown_table(claims, known))
        return EXIT_SAME
    width = max(len(c.id) for c in claims)
    for c in claims:
        print(f"{c.id:<{width}}  {known.get(c.id, '-'):<10} {c.origin:<8} {c.title}")
    print(f"{len(claims)} claims; recorded: {summary(known.get(c.id, '-') for c in claims)}")
    return EXIT_SAME


def markdown_table(claims: list[Any], known: dict[str, str]) -> str:
    """claim -> code -> test -> figure -> status, as Markdown."""
    rows = ["| claim | what it says | code | test | figure | status |", "|---|---|---|---|---|---|"]
    for c in claims:
        title = c.title.replace("|", r"\|")
        mark = "" if c.origin == "paper" else f" *({c.origin})*"
        cells = [f"`{c.id}`{mark}", title, f"`{c.code}`" if c.code else "",
                 f"`{c.test}`" if c.test else "", f"`{c.figure}`" if c.figure else "",
                 f"**{known.get(c.id, 'unchecked')}**"]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def summary(statuses: Any) -> str:
    """``"40 holds, 12 refuted, ..."`` in the fixed order of statuses."""
    from collections import Counter

    from theory.claims.model import STATUSES

    counts = Counter(statuses)
    order = [*STATUSES, *(s for s in counts if s not in STATUSES)]
    return ", ".join(f"{counts[s]} {s}" for s in order if counts[s])


def _show(args: argparse.Namespace) -> int:
    from theory.claims.ledger import ledger, recorded

    claims = ledger()
    claim = claims.get(args.id)
    if claim is None:
        raise ValueError(_unknown(args.id, claims))
    known = recorded()
    for name in ("id", "title", "source", "origin", "kind", "statement", "words", "assumptions",
                 "code", "test", "figure"):
        if getattr(claim, name):
            print(f"{name + ':':<13}{getattr(claim, name)}")
    routes = [n for n in ("exhaustive", "proof", "instances", "domain", "implied_by",
                          "unsatisfiable", "measure") if getattr(claim, n) is not None]
    print(f"{'checked by:':<13}{', '.join(routes) or 'nothing'}")
    print(f"{'recorded:':<13}{known.get(claim.id, '-')}")
    if claim.amendment is not None:
        amended = claim.amendment
        print(f"{'amended by:':<13}{amended.id} ({known.get(amended.id, '-')}): {amended.title}")
    print(f"{'replay:':<13}python -m theory verify {claim.id}   (prints the evidence)")
    return EXIT_SAME


def _unknown(name: str, claims: Any) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, list(claims), n=3, cutoff=0.4)
    return f"no claim {name!r}" + (f"; did you mean {', '.join(near)}?" if near else "")


# --- verify ---------------------------------------------------------------------------------------


def _verify(args: argparse.Namespace) -> int:
    from theory.claims import runner
    from theory.claims.ledger import claims_of_file, ledger, recorded

    file = None
    if any(name.endswith(".py") for name in args.ids):
        if len(args.ids) != 1:
            raise ValueError("give one file of claims, or ids of the ledger, not both")
        file = Path(args.ids[0])
        if not file.is_file():
            raise FileNotFoundError(f"no file {file}")
    if args.jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {args.jobs}")
    if args.examples is not None and args.examples < 1:
        raise ValueError(f"examples must be at least 1, got {args.examples}")
    claims = ledger() if file is None else claims_of_file(file)
    wanted = list(claims) if file is not None or not args.ids else list(dict.fromkeys(args.ids))
    for name in wanted:
        if name not in claims:
            raise ValueError(_unknown(name, claims))
    effort = _effort(args, len(wanted))
    log = runner.Log(args.json, effort, args.seed, wanted, file)
    log.check()
    kept = log.resume() if args.resume else 0
    if kept:
        print(f"kept {kept} of {len(wanted)} verdicts from {args.json}")
    todo = [name for name in wanted if name not in log.verdicts]
    known = recorded(file)
    _go(runner.run(todo, file=file, effort=effort, seed=args.seed, jobs=args.jobs), log, len(todo))
    log.write()
    return _close(args, [log.verdicts[i] for i in wanted], known, file, log)


def _effort(args: argparse.Namespace, count: int) -> Any:
    from dataclasses import replace

    from theory.claims import runner

    effort = runner.DEEP if args.deep else runner.QUICK if count > 6 else runner.SINGLE
    return effort if args.examples is None else replace(effort, examples=args.examples)


def _go(results: Any, log: Any, count: int) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        for number, verdict in enumerate(results, 1):
            log.add(verdict)
            print(f"[{number}/{count}] {verdict['id']}: {verdict['status']} "
                  f"({verdict['seconds']:.1f} s)", file=sys.stderr, flush=True)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("claims", total=count)
        for verdict in results:
            log.add(verdict)
            progress.update(task, advance=1, description=f"{verdict['id'][:24]:<24}")


def _close(
    args: argparse.Namespace, verdicts: list[Any], known: dict[str, str], file: Path | None, log: Any
) -> int:
    from theory.claims.ledger import recorded_path

    _table(verdicts, known)
    seconds = log.before + time.perf_counter() - log.start
    print(f"{len(verdicts)} claim{'s' * (len(verdicts) != 1)} in {seconds:.0f} s: "
          f"{summary(v['status'] for v in verdicts)}")
    if file is not None or len(verdicts) <= 3:
        for v in verdicts:
            _details(v)
    if args.json is not None:
        print(f"verdicts written to {args.json}")
    if args.record:
        target = recorded_path(file)
        body = {"schema": 1, "verdicts": {**known, **{v["id"]: v["status"] for v in verdicts}}}
        if file is None and not args.ids:
            body["verdicts"] = {v["id"]: v["status"] for v in verdicts}
        target.write_text(json.dumps(body, indent=1) + "\n")
        print(f"recorded {len(verdicts)} verdicts in {target}")
        return EXIT_SAME
    changed = [v for v in verdicts if v["id"] in known and v["status"] != known[v["id"]]]
    for v in changed:
        print(f"CHANGED {v['id']}: recorded {known[v['id']]}, now {v['status']}")
    new = [v["id"] for v in verdicts if v["id"] not in known]
    if new and file is None:
        print(f"not recorded yet: {', '.join(new)}")
    elif new:
        print(f"{len(new)} without a recorded verdict (--record makes one)")
    return EXIT_CHANGED if changed or (new and file is None) else EXIT_SAME


def _details(v: dict[str, Any]) -> None:
    """The evidence of one verdict, and its counterexample."""
    print()
    for e in v["evidence"]:
        print(f"{v['id']}: {e['kind']}: {e['text']}")
    if v["undefined_why"]:
        print(f"{v['id']}: undefined: {v['undefined_why']}")
    if v["counterexample"] is not None:
        small = "" if v["worst_margin"] == v["counterexample_margin"] else (
            f", made small; the worst margin met was {v['worst_margin']}")
        print(f"{v['id']}: counterexample {v['counterexample_repr']} "
              f"(margin {v['counterexample_margin']}{small})")


def _table(verdicts: list[Any], known: dict[str, str]) -> None:
    rows = [("id", "status", "evidence", "closest margin", "time")]
    for v in verdicts:
        kinds = list(dict.fromkeys(e["kind"] for e in v["evidence"]))
        margin = v["worst_margin"]
        text = "" if margin is None else f"{margin:.3g}" if isinstance(margin, float) else str(margin)
        mark = "" if known.get(v["id"], v["status"]) == v["status"] else " (changed)"
        rows.append((v["id"], v["status"] + mark, ", ".join(kinds), text[:14],
                     f"{v['seconds']:.1f} s"))
    widths = [max(len(row[k]) for row in rows) for k in range(5)]
    for number, row in enumerate(rows):
        print("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())
        if number == 0:
            print("  ".join("-" * w for w in widths))


# --- bound ----------------------------------------------------------------------------------------


def _bound(args: argparse.Namespace) -> int:
    from theory.observed import report

    if args.json is not None and args.json.is_dir():
        raise ValueError(f"{args.json} is a directory, give a file")
    text, data = report(args.masks, args.predictions, args.delta)
    print(text)
    if args.json is not None:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(data, indent=1, allow_nan=False) + "\n")
    return EXIT_SAME
