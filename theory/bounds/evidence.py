"""From a row of a training run to what bounds are made of.

A row holds several predictors, each with its own ingredients: the network that was trained, and (with
the analysis "certificate") posteriors on its weights.  A bound is asked for every predictor that has
what it needs; what is missing is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from theory.bounds.occam import log_size_of_heads

BITS = 32  # of a weight: a network in float32 is one of finitely many
RHO = -1.0
"""Relevance level of all masks with any A_in, and of rectangles without limits when A_in holds
half-grids.  Smaller sets of truths only raise it (Eq. 15)."""

PREDICTORS = {
    "trained": "the network that was trained",
    "split": "prior of the first half, posterior the same, bound on the second half",
    "split-trained": "prior of the first half, posterior trained for its bound on the second half",
    "initial": "prior at the initialisation, posterior at the network that was trained",
    "initial-trained": "prior at the initialisation, posterior trained for its bound",
}
POSTERIOR = ("gibbs", "draws", "drawn", "log_ratio", "n_samples", "kl", "prior_choices")


@dataclass(frozen=True)
class Evidence:
    """A predictor of a row and the ingredients of its bounds (:data:`theory.bounds.INGREDIENTS`).

    Args:
        predictor: a key of :data:`PREDICTORS`.
        given: ingredients by name.
        test: its missing rate on test images, beside which the bounds are read; None if unknown.
    """

    predictor: str
    given: Mapping[str, Any]
    test: float | None


class Lacking(ValueError):
    """A row lacks a field that bounds are made from."""


def evidence(row: Mapping[str, Any]) -> Iterator[Evidence]:
    """The predictors of a row of a method with a map.

    Raises:
        Lacking: no missing rates, or a field that is missing; names the row and the field.
    """
    train, test = field(row, "train"), field(row, "test")
    if train.get("missing_rate") is None:
        raise Lacking(f"row {row.get('key', '?')!r}: no training missing rate (method "
                      f"{row.get('method', '?')!r} has no map, or the data no masks)")
    free = not str(field(row, "method")).startswith("rectangle")
    given = {
        "empirical": train["missing_rate"],
        "n_samples": field(row, "n"),
        "rho": RHO,
        "mean_g": 1.0 if free else row.get("mean_g"),
        "log_size": log_size_of_heads(int(field(row, "parameters")), BITS),
        "losses": losses_of_counts(test.get("wrong_counts"), row),
    }
    yield Evidence("trained", given, test.get("missing_rate"))
    for name, found in (row.get("certificate") or {}).items():
        given = {key: field(found, key, row) for key in POSTERIOR}
        given["losses"] = (losses_of_counts(found.get("drawn_counts"), row) if name == "split" else None)
        yield Evidence(name, given, found.get("test_gibbs"))


def losses_of_counts(counts: Mapping[str, int] | None, row: Mapping[str, Any]) -> np.ndarray | None:
    """Missing rates ``(n,)`` from how many images have how many wrong positions; None of None.

    In a random order (of a fixed seed): given which losses there are, all orders of an i.i.d. sample
    are equally likely, so this one is as good as that in which they were drawn.
    """
    if not counts:
        return None
    height, width = field(row, "grid")
    wrong = np.repeat([int(k) for k in counts], [int(v) for v in counts.values()])
    return np.random.default_rng(0).permutation(wrong) / (height * width)


def field(row: Mapping[str, Any], name: str, whole: Mapping[str, Any] | None = None) -> Any:
    """A field of a row.

    Raises:
        Lacking: it is missing; names the row and the field.
    """
    if name not in row:
        raise Lacking(f"row {(whole or row).get('key', '?')!r} lacks {name!r}")
    return row[name]
