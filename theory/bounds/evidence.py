"""From a row of a training run to what bounds are made of.

A row holds several predictors, each with its own ingredients: the network that was trained, and (with
the analysis "certificate") posteriors on its weights, its last layer, the best constant mask.  A bound
is asked for every predictor that has what it needs; what is missing is named.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from theory import methods
from theory.bounds.all_functions import RHO
from theory.bounds.binary_kl import kl_upper
from theory.bounds.contraction import norm_on_grid
from theory.bounds.occam import log_size_of_heads

LEAST_NORM = 2.0**-20  # a norm below it is taken for this one
BITS = 32  # of a weight: a network in float32 is one of finitely many
PREDICTORS = {
    "trained": "the network that was trained",
    "split": "prior of the first half, posterior the same, bound on the second half",
    "split-trained": "prior of a quarter, with masks; posterior trained for its bound on the rest",
    "initial": "prior at the initialisation, posterior at the network that was trained",
    "initial-trained": "prior at the initialisation, posterior on the attention trained for its bound",
    "one-position": "the network that was trained, asked for one random position of each image",
    "empty": "the empty map, chosen before the sample",
    "constant": "the best constant mask of the family",
    "few-bits": "last layer rounded to few bits, on the network of the first half",
    "last-layer": "last layer of bounded norm, soft missing rate",
    "last-layer-ramp": "the same, ramp loss above the missing rate of {f >= 1/2}",
    "near-layer": "last layer near that of the first half, soft missing rate",
    "near-layer-ramp": "the same, ramp loss",
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
    if given["losses"] is not None:
        yield Evidence("one-position", {"losses": _one_position(given["losses"], row)}, rate, rate)
    areas = row.get("train_areas")
    if areas:
        yield _empty(areas, row)
    for name, found in (row.get("certificate") or {}).items():
        yield from OTHERS.get(name, _posterior)(name, found, row)


def _empty(areas: Mapping[str, int], row: Mapping[str, Any]) -> Evidence:
    """One predictor, nothing learnt: its missing rate is the share of positions in the objects."""
    height, width = field(row, "grid")
    images = sum(areas.values())
    empirical = sum(int(k) * v for k, v in areas.items()) / (images * height * width)
    test = row.get("trivial", {}).get("all_background", {}).get("missing_rate")
    return Evidence("empty", {"empirical": empirical, "n_samples": images, "log_size": 0.0}, test, test)


def _posterior(name: str, found: Mapping[str, Any], row: Mapping[str, Any]) -> Iterator[Evidence]:
    given = {key: field(found, key, row) for key in POSTERIOR}
    given["losses"] = None
    if name == "split":  # the prior itself has not seen these images: they are held out
        given["losses"] = _where_known(found.get("drawn_counts"), row, given["n_samples"],
                                       given["drawn"])
    yield Evidence(name, given, found.get("test_gibbs"), found.get("test_drawn"))


def _constant(name: str, found: Mapping[str, Any], row: Mapping[str, Any]) -> Iterator[Evidence]:
    given = {key: field(found, key, row) for key in ("empirical", "n_samples", "log_size")}
    yield Evidence(name, given, found.get("test"), found.get("test"))


def _last_layer(name: str, found: Mapping[str, Any], row: Mapping[str, Any]) -> Iterator[Evidence]:
    n_samples, weights = field(found, "n_samples", row), field(found, "weights", row)
    bits = field(found, "bits", row)
    if bits:
        yield _few_bits(bits, n_samples, weights, row)
    norms = found.get("norms")
    if norms is None:
        return
    for size, who in (("weight_norm", name), ("distance", "near-layer")):
        norm, nats = norm_on_grid(max(field(norms, size, row), LEAST_NORM))
        for loss, ending in (("soft", ""), ("ramp", "-ramp")):
            constant = field(norms, f"lipschitz_{loss}", row)
            given = {"empirical": field(norms, loss, row), "n_samples": n_samples,
                     "weight_norm": float(norm), "norm_choices": float(nats),
                     "feature_norm": field(norms, "feature_norm", row)}
            if field(norms, "shared", row):
                given["slope"] = constant
            else:
                given |= {"lipschitz": constant, "outputs": field(norms, "outputs", row)}
            test = norms.get(f"test_{loss}")
            yield Evidence(who + ending, given, test, test)


def _few_bits(
    bits: Sequence[Mapping[str, Any]], n_samples: int, weights: int, row: Mapping[str, Any]
) -> Evidence:
    """The number of bits with the smallest bound; all that were tried are paid for."""
    tried = []
    for each in bits:
        paid = (log_size_of_heads(weights, field(each, "bits", row)) + math.log(len(bits))
                + field(each, "range_nats", row))
        hard = field(each, "hard", row)
        tried.append((float(kl_upper(hard, paid / n_samples)), hard, paid, each.get("test_hard")))
    _, hard, paid, test = min(tried, key=lambda found: found[:3])
    return Evidence("few-bits", {"empirical": hard, "n_samples": n_samples, "log_size": paid},
                    test, test)


OTHERS = {"constant": _constant, "last-layer": _last_layer}
"""The entries of a certificate that are no posteriors."""


def _one_position(losses: np.ndarray, row: Mapping[str, Any]) -> np.ndarray:
    """0 or 1 for each image: whether one position, drawn at random, is wrong; its mean is the missing
    rate.  The seed is the row's own."""
    seed = zlib.crc32(f"position {row.get('key', '')}".encode())
    return (np.random.default_rng(seed).random(len(losses)) < losses).astype(np.float64)


def one_rectangle(row: Mapping[str, Any]) -> bool:
    """Whether the maps of a row are single rectangles; ellipses and unions of several are not."""
    config = row.get("config", {})
    return methods.one_rectangle(field(row, "method"), config.get("shape", "rectangle"),
                                 config.get("count", 1))


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
