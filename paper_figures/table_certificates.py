"""A table: every bound of the certificates' runs beside the measured rate, by method and N."""

from __future__ import annotations

from typing import Any

import numpy as np

from paper_figures.certificates import select, tables
from paper_figures.fields import get, number, plural
from paper_figures.methods import COMPARED
from paper_figures.tables import Table
from theory.bounds import DELTA

SHOWN = {
    ("theorem_1", "trained"): "Theorem 1", ("sharp_bound", "trained"): "exact complexity",
    ("contraction", "near-layer"): "norm (L)", ("cellwise", "near-layer"): "norm (L)",
    ("occam", "empty"): "empty map", ("occam", "few-bits"): "few bits",
    ("occam", "constant"): "constant mask",
    ("pac_bayes_kl", "initial"): "start, kl",
    ("pac_bayes_kl", "initial-trained"): "start, trained, kl", ("pac_bayes_kl", "split"): "half, kl",
    ("disintegrated", "split"): "half, one drawn", ("betting", "split"): "half, betting",
    ("pac_bayes_kl", "split-trained"): "quarter with masks, trained, kl",
    ("betting", "trained"): "held out, betting",
}
NONE = "–"


def table(rows: list[dict[str, Any]]) -> Table:
    """Means over the seeds."""
    found, lines, rules = select(rows), [], []
    columns = list(dict.fromkeys(SHOWN.values()))
    for method, words in COMPARED.items():
        sizes = sorted({int(number(r, "n")) for r in found if r["method"] == method})
        rules += [len(lines)] if lines and sizes else []
        for n in sizes:
            here = [r for r in found if r["method"] == method and r["n"] == n]
            known = tables(rows, here)
            cells = dict.fromkeys(columns, NONE)
            for key, name in SHOWN.items():
                if all(key in each for each in known):
                    cells[name] = f"{np.mean([each[key]['upper'] for each in known]):.3f}"
            measured = np.mean([number(r, "test.missing_rate") for r in here])
            lines.append((words, f"{n}", f"{measured:.3f}", *cells.values()))
    return Table(("maps", "N", "measured", *columns), tuple(lines), heads=2, rules=tuple(rules))


def caption(rows: list[dict[str, Any]]) -> str:
    """What the numbers are."""
    seeds = len({get(r, "seed") for r in select(rows)})
    return (f"Upper bounds on the missing rate (δ = {DELTA:g}, each by itself), means over "
            f"{plural(seeds, 'seed')}, beside the rate of the trained network on test images; their "
            "ranges, as bars: figure certificates. (L): the soft missing rate of the last layer near "
            "that of the first half, for rectangles of the paper's head. Start: the prior is the "
            "initialisation; half, quarter: the network of that part of the sample, counted on the "
            "rest.")
