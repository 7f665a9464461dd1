"""From a row of a training run to what bounds are made of.

A row holds several predictors, each with its own ingredients: the network that was trained, and (with
the analysis "certificate") posteriors on its weights.  A bound is asked for every predictor that has
what it needs; what is missing is named.
"""

from __future__ import annotations

import zlib
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
        test_drawn: that of the one network drawn from it, for the bounds of one network (those that
            need "drawn" or "losses").
    """

    predictor: str
    given: Mapping[str, Any]
    test: float | None
    test_drawn: float | None = None


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
    rate = test.get("missing_rate")
    given = {
        "empirical": train["missing_rate"],
        "n_samples": train.get("images", field(row, "n")),  # those with a known position
        "rho": RHO,
        "mean_g": row.get("mean_g") if one_rectangle(row) else 1.0,
        "log_size": log_size(row),
        "losses": _where_known(test.get("wrong_counts"), row, test.get("images"), rate),
    }
    yield Evidence("trained", given, rate, rate)
    for name, found in (row.get("certificate") or {}).items():
        given = {key: field(found, key, row) for key in POSTERIOR}
        given["losses"] = None
        if name == "split":  # the prior itself has not seen these images: they are held out
            given["losses"] = _where_known(found.get("drawn_counts"), row, given["n_samples"],
                                           given["drawn"])
        yield Evidence(name, given, found.get("test_gibbs"), found.get("test_drawn"))


def one_rectangle(row: Mapping[str, Any]) -> bool:
    """Whether the maps of a row are single rectangles; ellipses and unions of several are not."""
    config = row.get("config", {})
    return (str(field(row, "method")).startswith("rectangle")
            and config.get("shape", "rectangle") == "rectangle" and config.get("count", 1) == 1)


def log_size(row: Mapping[str, Any]) -> float | None:
    """ln of the number of networks; None where running statistics are learnt beside the weights."""
    config = row.get("config", {})
    if config.get("backbone", "small") != "small" and not config.get("freeze", False):
        return None
    return log_size_of_heads(int(field(row, "parameters")), BITS)


def losses_of_counts(counts: Mapping[str, int] | None, row: Mapping[str, Any]) -> np.ndarray | None:
    """Missing rates ``(n,)`` from how many images have how many wrong positions; None of None.

    Where all positions are known.  The order is drawn at random, of a seed that is the row's own and
    knows nothing of the losses: an i.i.d. sample in a random order is one, so a bound that looks at
    the order holds with its probability over sample and order.
    """
    if not counts:
        return None
    height, width = field(row, "grid")
    wrong = np.repeat([int(k) for k in counts], [int(v) for v in counts.values()])
    seed = zlib.crc32(str(row.get("key", "")).encode())
    return np.random.default_rng(seed).permutation(np.sort(wrong)) / (height * width)


def field(row: Mapping[str, Any], name: str, whole: Mapping[str, Any] | None = None) -> Any:
    """A field of a row.

    Raises:
        Lacking: it is missing; names the row and the field.
    """
    if name not in row:
        raise Lacking(f"row {(whole or row).get('key', '?')!r} lacks {name!r}")
    return row[name]


def _where_known(
    counts: Mapping[str, int] | None, row: Mapping[str, Any], images: int | None, mean: float | None
) -> np.ndarray | None:
    """:func:`losses_of_counts` if they are those of all images, with this mean; else None.

    With ignored positions an image's missing rate is more than its wrong positions by the grid's.
    """
    losses = losses_of_counts(counts, row)
    if losses is None or mean is None or len(losses) != images or abs(losses.mean() - mean) > 1e-9:
        return None
    return losses
