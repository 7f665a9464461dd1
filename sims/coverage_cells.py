"""The cells of coverage: held-out bounds, bounds on predictors of a class, and exact tightness.

``coverage-held-out`` counts misses over samples of a law; ``coverage-class`` over samples that a
posterior on predictors of known risk is fitted to; ``coverage-exact`` has no samples: the largest
probability of a miss over all laws of losses 0 and 1, and how much smaller a bound must be made before
one of them refutes it.  Cells of one law, N and order see the same samples where all losses are drawn;
losses of two values are drawn as counts where the order does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from theory.bounds import DELTA

KIND = "coverage"
UPPER, TWO_SIDED, DRAWN = "upper", "two-sided", "drawn"
ALARM = 1e-3
"""False-alarm rate of the judge over all rows that it is given."""

LAWS = ("bernoulli 0.01", "bernoulli 0.05", "bernoulli 0.5", "bernoulli 0.9", "edge 0.85",
        "edge 1.001", "beta 2 18", "beta 0.1 0.9", "beta 5 1", "uniform", "point 0", "point 1",
        "rare 1", "rare 3")
TABLE = (("bernoulli 0.05", 200), ("beta 2 18", 200), ("beta 2 18", 1000))
"""The settings of :func:`side_by_side`, at level ``DELTA``."""
NEAR = ("bernoulli 0.49", 4, 0.05), ("bernoulli 0.5", 50, 0.01)
"""Where Hoeffding and betting are so tight that a fifth less is caught (law, N, delta)."""
LARGE = ("bernoulli 0.377", 100000, 1e-5, 10_000_000)
"""Where Maurer and Pontil are (and samples): their last term has to be small against the second."""
SORTED = ("bernoulli 0.5", "beta 2 18")
EQUAL = (0.606, 0.88)
"""Risks of 16 predictors at N = 8 for which bounds on classes are as tight (best one taken)."""
CROWDS = ((8, 16.0), (50, 1e6), (1000, 1e6), (1000, 1e12))
HUGE = (20000, 1e30)

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"laws": LAWS, "sizes": (20, 200), "deltas": (0.05, 0.01), "repeats": 4000,
              "in_order": 1000, "near": 20000, "class_sizes": (50,), "class": 500,
              "exact_sizes": (4, 8, 20, 100), "exact_deltas": (0.05, 0.01), "sequence": 8,
              "crowds": CROWDS[:2]},
    "full": {"laws": LAWS, "sizes": (20, 200, 1000), "deltas": (0.1, 0.05, 0.01), "repeats": 20000,
             "in_order": 5000, "near": 100000, "class_sizes": (50, 500),
             "class": 4000, "exact_sizes": (4, 8, 20, 100, 1000), "sequence": 12,
             "exact_deltas": (0.1, 0.05, 0.01, 1e-3), "crowds": CROWDS},
}


def cells(preset: str, seed: int) -> list[dict[str, Any]]:
    """The configurations of a preset, each with its key."""
    p = PRESETS[preset]
    made = [*_held_out(p, seed), *_near(p, seed), *_ordered(p, seed), *_classes(p, seed),
            *_exact(p, seed)]
    return list({cell["key"]: cell for cell in made}.values())


def compute(cell: dict[str, Any]) -> dict[str, Any]:
    """The numbers of one cell."""
    return {"held-out": _held_out_numbers, "class": _class_numbers,
            "exact": _exact_numbers}[cell["part"]](cell)


def judge(rows: Sequence[Mapping[str, Any]], misses: str = "misses", alarm: float = ALARM
          ) -> list[str]:
    """``unrefuted`` or ``refuted``, row by row.

    A row is refuted if Binomial(repeats, delta) is at least its misses with probability below
    alarm / len(rows), so that all rows together are free of false alarms with probability at least
    1 - alarm (Bonferroni: they may share samples).  A row without samples is refuted if its exact
    probability of a miss exceeds delta.

    Args:
        rows: of one or more runs; those without a guarantee are judged as if they had one.
        misses: the field of counts; ``misses_smaller`` judges the bounds made too small.
        alarm: in (0, 1).

    Raises:
        ValueError: alarm outside (0, 1).

    >>> judge([{"misses": count, "repeats": 100, "delta": 0.05} for count in (9, 20)])
    ['unrefuted', 'refuted']
    """
    from scipy.stats import binom

    if not 0 < alarm < 1:
        raise ValueError(f"alarm must be in (0, 1), got {alarm:g}")
    exact = {"misses": "worst_probability", "misses_smaller": "worst_probability_smaller"}
    found = []
    for row in rows:
        if misses in row:
            bad = binom.sf(row[misses] - 1, row["repeats"], row["delta"]) < alarm / len(rows)
        else:
            bad = row[exact[misses]] > row["delta"] * (1 + 1e-9)
        found.append("refuted" if bad else "unrefuted")
    return found


def side_by_side(
    rows: Iterable[Mapping[str, Any]]
) -> dict[tuple[str, int], dict[str, Mapping[str, Any]]]:
    """The rows of upper ends at level ``DELTA`` in each setting of ``TABLE``, by their bound.

    A setting that has no rows has an empty dict.
    """
    rows = list(rows)
    return {(name, n): {r["bound"]: r for r in rows if tuple(
        map(r.get, ("law", "n", "delta", "side", "order"))) == (name, n, DELTA, UPPER, DRAWN)}
        for name, n in TABLE}


def _held_out(p: dict[str, Any], seed: int) -> list[dict[str, Any]]:
    grid = [(name, n, delta, side) for name in p["laws"] for n in p["sizes"]
            for delta in p["deltas"] for side in (UPPER, TWO_SIDED)
            if side == UPPER or delta == DELTA]
    grid += [(name, n, DELTA, UPPER) for name, n in TABLE]
    return [_sampled(p, seed, bound, *place) for place in grid for bound in _bounds_for(place[0])]


def _near(p: dict[str, Any], seed: int) -> list[dict[str, Any]]:
    out = [_cell("held-out", seed, bound=bound, law=name, n=n, delta=delta, side=UPPER, order=DRAWN,
                 repeats=p["near"]) for name, n, delta in NEAR for bound in _bounds_for(name)]
    name, n, delta, repeats = LARGE
    return out + [_cell("held-out", seed, bound="maurer_pontil", law=name, n=n, delta=delta,
                        side=UPPER, order=DRAWN, repeats=repeats)]


def _ordered(p: dict[str, Any], seed: int) -> list[dict[str, Any]]:
    from sims.coverage import IN_ORDER, ORDERS

    return [_sampled(p, seed, bound, name, 200, 0.05, UPPER, order)
            for bound in IN_ORDER for name in SORTED for order in ORDERS if order != DRAWN]


def _classes(p: dict[str, Any], seed: int) -> list[dict[str, Any]]:
    from sims.coverage import CLASS

    places = [(f"spread 16 {low} {high}", n, beta, draws) for low, high in ((0.05, 0.5), (0.2, 0.25))
              for n in p["class_sizes"] for beta, draws in ((0.0, 20), (0.3, 1000), (None, None))]
    places += [(f"spread 16 {risk} {risk}", 8, None, None) for risk in EQUAL]
    return [_cell("class", seed, bound=bound, law=name, n=n, delta=delta, beta=beta, draws=draws,
                  repeats=p["class"] * (10 if n == 8 else 1))
            for name, n, beta, draws in places for delta in (0.05, 0.01) for bound in CLASS]


def _exact(p: dict[str, Any], seed: int) -> list[dict[str, Any]]:
    from sims.coverage import CLASS, HELD_OUT, IN_ORDER

    some = [(bound, n, delta, 1.0) for bound in HELD_OUT if bound not in IN_ORDER
            for n in p["exact_sizes"] for delta in p["exact_deltas"]]
    some += [(bound, p["sequence"], delta, 1.0) for bound in IN_ORDER for delta in p["exact_deltas"]]
    some += [(bound, n, 0.05, members) for bound in CLASS for n, members in ((8, 1.0), *p["crowds"])]
    some += [(bound, HUGE[0], 0.05, HUGE[1]) for bound in ("pac_bayes_quadratic", "pac_bayes_lambda")]
    return [_cell("exact", seed, bound=bound, n=n, delta=delta, members=members)
            for bound, n, delta, members in some]


def _bounds_for(name: str) -> list[str]:
    from sims.coverage import HELD_OUT, ONE_ZERO, law

    two = law(name, 100, 0.05).two
    return [b for b in HELD_OUT if b not in ONE_ZERO or (two is not None and {*two[:2]} <= {0.0, 1.0})]


def _held_out_numbers(cell: dict[str, Any]) -> dict[str, Any]:
    from sims.coverage import IN_ORDER, ORDERS, bound_of, ends, law, tally
    from theory.bounds import confidence_term

    some = law(cell["law"], cell["n"], cell["delta"])
    bound = bound_of(cell["bound"], cell["delta"])
    head = {"mean": some.mean, "guaranteed": ORDERS[cell["order"]][0],
            "theorem_3_term": float(confidence_term(cell["n"], cell["delta"]))}
    if some.two is not None and cell["bound"] not in IN_ORDER:
        return {**head, **_by_counts(cell, some, bound)}
    losses = ORDERS[cell["order"]][1](_losses(cell["law"], some.mean, cell["n"], cell["delta"],
                                              cell["repeats"], cell["seed"]))
    lower, upper = ends(bound, losses, cell["side"])
    return {**head, **tally(some.mean, losses.mean(axis=1), lower, upper)}


def _by_counts(cell: dict[str, Any], some: Any, bound: Any) -> dict[str, Any]:
    """Losses of two values: what was drawn, and the exact probability of a miss."""
    from sims.coverage import FACTOR, ends_of_counts, likely_counts, missed, tally
    from sims.streams import stream

    n, (low, high, chance) = cell["n"], some.two
    name = f"{KIND}/counts/{cell['law']}/mean={some.mean!r}/n={n}/repeats={cell['repeats']}"
    drawn = np.bincount(stream(name, cell["seed"]).binomial(n, chance, cell["repeats"]),
                        minlength=n + 1)
    likely, mass = likely_counts(n, chance)
    counts = np.union1d(likely, np.flatnonzero(drawn))
    centre = low + (high - low) * counts / n
    lower, upper = ends_of_counts(bound, some, counts, n, cell["side"])
    found = tally(some.mean, centre, lower, upper, drawn[counts])
    chances = np.zeros(len(counts))
    chances[np.searchsorted(counts, likely)] = mass
    exact = {f"miss_probability{name}": float(chances[missed(some.mean, centre, lower, upper, f)].sum())
             for name, f in (("", 1.0), ("_smaller", FACTOR))}
    return {**found, **exact}


def _class_numbers(cell: dict[str, Any]) -> dict[str, Any]:
    from sims.coverage import Spread, bound_of, tally
    from sims.streams import stream

    _, members, low, high = cell["law"].split(" ")
    risks = np.linspace(float(low), float(high), int(members))
    name = "/".join(f"{k}={cell[k]}" for k in ("law", "n", "beta", "draws", "repeats"))
    risk, centre, upper = Spread(risks, cell["beta"], cell["draws"]).sample(
        stream(f"{KIND}/class/{name}", cell["seed"]), cell["n"], cell["repeats"],
        bound_of(cell["bound"], cell["delta"]))
    return {"guaranteed": True, "mean": float(risk.mean()),
            **tally(risk, centre, np.zeros_like(upper), upper)}


def _exact_numbers(cell: dict[str, Any]) -> dict[str, Any]:
    from sims.coverage import FACTOR, largest_factor_caught, outcomes, worst_case

    some = outcomes(cell["bound"], cell["n"], cell["delta"], cell["members"])
    factor, mean = largest_factor_caught(some, cell["delta"])
    (worst, at), (smaller, at_smaller) = worst_case(some), worst_case(some, FACTOR)
    return {"guaranteed": True, "worst_probability": worst, "worst_mean": at,
            "worst_probability_smaller": smaller, "worst_mean_smaller": at_smaller,
            "factor_caught": factor, "factor_mean": mean,
            "miss_probability_there": some.miss_probability(mean),
            "upper_of_zero": float(some.upper[0])}


@lru_cache(maxsize=2)
def _losses(name: str, mean: float, n: int, delta: float, repeats: int, seed: int) -> np.ndarray:
    """The losses that all bounds of a law, N and order share; an edge has another mean a delta."""
    from sims.coverage import law
    from sims.streams import stream

    generator = stream(f"{KIND}/losses/{name}/mean={mean!r}/n={n}/repeats={repeats}", seed)
    losses = law(name, n, delta).draw(generator, (repeats, n))
    losses.flags.writeable = False
    return losses


def _sampled(p: dict[str, Any], seed: int, bound: str, name: str, n: int, delta: float, side: str,
             order: str = DRAWN) -> dict[str, Any]:
    from sims.coverage import IN_ORDER

    return _cell("held-out", seed, bound=bound, law=name, n=n, delta=delta, side=side, order=order,
                 repeats=p["in_order" if bound in IN_ORDER else "repeats"])


def _cell(part: str, seed: int, **settings: Any) -> dict[str, Any]:
    text = "/".join(f"{k}={v}" for k, v in settings.items())
    return {"kind": f"{KIND}-{part}", "key": f"{KIND}/{part}/{text}/seed={seed}", "part": part,
            **settings, "seed": seed}
