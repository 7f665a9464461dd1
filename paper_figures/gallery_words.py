"""What the captions of Figs. 6 to 9 have in common: names, how maps are shown, numbers over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from paper_figures.data_sets import KINDS, TITLES, network
from paper_figures.fields import FieldError, get, number, words

NAMES = {("rectangle", "none"): "rectangle", ("rectangle", "quotient"): "rectangle + EQVC",
         ("rectangle", "paper"): "rectangle + EQVC (paper)", ("positionwise", "none"): "position-wise"}
"""How methods with their equivariance loss are called."""
SCORES = "Numbers: IoU of that mask with the truth on the grid"
NOT_THE_NETWORK = ("seed", "analyses", "search_steps")


def alike(rows: Sequence[dict[str, Any]], row: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of trainings whose configuration is that of a row of views but for the seed."""
    wanted = _network(get(row, "config"))
    return [r for r in rows if r.get("kind") == "training" and _network(get(r, "config")) == wanted]


def with_seeds(rows: Sequence[dict[str, Any]], row: dict[str, Any], path: str, digits: int = 2,
               axis: int | None = None) -> str:
    """A number of a row of views, and in brackets the least and the most over seeds, if rows of the
    same training with other seeds are there.

    ``axis`` picks one of two numbers where the path leads to one for each axis.

    >>> row = {"key": "a", "config": {"seed": 0}, "test": {"iou": 0.5}}
    >>> more = [{**row, "kind": "training", "config": {"seed": k}, "test": {"iou": v}}
    ...         for k, v in enumerate((0.5, 0.625))]
    >>> with_seeds(more, row, "test.iou"), with_seeds([], row, "test.iou")
    ('0.50 (0.50 to 0.62)', '0.50')
    """
    text = f"{_number(row, path, axis):.{digits}f}"
    found = alike(rows, row)
    if seeds(rows, row) < 2:
        return text
    values = [_number(r, _elsewhere(path), axis) for r in found]
    return f"{text} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def seeds(rows: Sequence[dict[str, Any]], row: dict[str, Any]) -> int:
    """Of how many seeds there are rows of the same training as that of a row of views."""
    return len({get(r, "config.seed") for r in alike(rows, row)})


def no_bars(rows: Sequence[dict[str, Any]], found: Sequence[dict[str, Any]]) -> str:
    """What stands in place of error bars, in a sentence.

    >>> no_bars([], [{"key": "a", "config": {"seed": 0}}])
    'No error bars: one network each.'
    """
    counts = sorted({seeds(rows, row) for row in found})
    if counts[0] < 2:
        return "No error bars: one network each."
    many = " or ".join(map(str, counts))
    return f"No error bars: one network each; in brackets the least and the most over {many} seeds."


def of_images(row: dict[str, Any], scenes: dict[str, Any], place: bool = True) -> str:
    """What the images are, how large, of how many classes, and what was trained on them.

    ``place`` says up to which layer a network is frozen: not where several places are shown.
    """
    data = get(scenes, "data")
    if data not in TITLES:
        raise FieldError(f"row {scenes.get('key', '?')!r}: 'data' must be one of {', '.join(TITLES)}, "
                         f"got {data!r}")
    kind = f"ShapeField, truths: {words(scenes, 'truth')}" if data == "shapes" else KINDS[data]
    cue = words(row, "config.shapes.cue") if data == "shapes" else "none"
    if cue != "none":
        kind += f"; the red {cue} belongs to the image: the cue"
    if data == "pets":
        kind += (f", split {get(row, 'config.split')} with {get(row, 'config.ratio')} % for training; "
                 "the border of a trimap counts nowhere")
    named = [name for name in get(scenes, "classes", None) or () if name is not None]
    classes = f"{len(named)} classes, " if named else ""
    height, width = get(scenes, "sides")
    told = "labels alone" if get(row, "supervision") == "label" else "labels and masks"
    return (f"{kind}; {classes}{height} × {width} pixels, {network(row, place)}; "
            f"N = {number(row, 'n')}, {told}, seed {number(row, 'seed')}")


def how_shown(row: dict[str, Any], *more: dict[str, Any]) -> str:
    """How a map and the outlines are drawn, in two sentences; ``more`` rows may be on other grids."""
    grids = dict.fromkeys(f"{h} × {w}" for h, w in (get(r, "grid") for r in (row, *more)))
    why = " (a factor that Eq. 7 removes)" if get(row, "rescale") else ""
    return ("Light: where the map is high, each map relative to its largest value"
            f"{why}; one square is one cell of the {' or '.join(grids)} grid. "
            "White dashes: the true object; orange: the rectangle of the five parameters, or for maps "
            "without parameters the border of the cells with f ≥ 1/2.")


def _number(row: dict[str, Any], path: str, axis: int | None) -> float:
    if axis is None:
        return number(row, path)
    pair = get(row, path)
    if not isinstance(pair, list) or len(pair) != 2:
        raise FieldError(f"row {row.get('key', '?')!r}: {path!r} must be two numbers, got {pair!r}")
    return number({"key": row.get("key", "?"), "axis": pair[axis]}, "axis")


def _elsewhere(path: str) -> str:
    """Where a training row has what a row of views has at ``path``."""
    return path.replace("sequences.", "sequences.summary.", 1)


def _network(config: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in config.items() if k not in NOT_THE_NETWORK}
