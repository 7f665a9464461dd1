"""All rotated rectangles on the pixel grid, with limits, any grid: a certified interval at any time.

With limits on area, sides or zone (or on a large grid) the exact maximum may be too dear.  Branch
and bound stops when it is told to and says what it knows: the best rectangle found and a bound that
no rectangle exceeds.  The family is that of :class:`theory.families.RotatedRectangles`, the
tolerance of 1e-9 pixels for ties and sides included.

What makes it fast: at one of the finitely many directions that matter, a strip (a range of ranks
along u) leaves a one-dimensional problem along v, solved exactly in one pass; only sector,
direction and the two ends of the strip are branched on (:mod:`sims.supremum.branch_kernel`).
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from sims.supremum.branch_kernel import Heap, Limits, Work, search
from sims.supremum.branch_tables import Tables, held, tables, witness
from sims.supremum.extremes import Extremes, check_sums, check_weights
from theory.families.base import require_integer
from theory.families.limits import no_rectangle, parse_areas, parse_real_sides, parse_zone

HEAP = 2**19
"""Open nodes kept at most beside one a sector (64 bytes each); beyond, the worse half is dropped and
its largest bound stays in the certificate."""

_ROUND = 2048


class NoneFound(RuntimeError):
    """The budget ended before any rectangle was found that meets the limits."""


def max_weight_rotated_interval(
    weights: np.ndarray,
    *,
    min_area: int = 1,
    max_area: int | None = None,
    min_side: float = 0.0,
    max_side: float | None = None,
    zone: Any = None,
    seconds: float | None = None,
    nodes: int = 200_000,
    gap: float = 0,
    ceiling: Any = None,
    floor: Any = None,
) -> Extremes:
    r"""Largest and smallest weight over rotated rectangles: best found, and certified bounds.

    ``maximum <= sup <= upper`` and ``lower <= inf <= minimum`` at every budget, over the non-empty
    members of :class:`theory.families.RotatedRectangles` with these limits.  Integers are exact;
    for floats the bounds leave room for rounding (about ``4 H W eps sum |w|``), so that upper and
    maximum differ by that much even when nothing is left open.

    Args:
        weights: ``(..., H, W)``, integers or floats.
        min_area, max_area, min_side, max_side, zone: as :class:`theory.families.RotatedRectangles`.
        nodes: budget of bounded nodes for each field and each end (one more may be bounded); the
            result is the same wherever it is computed, and the interval for a larger budget lies
            within that for a smaller one (for floats up to rounding).
        seconds: stop earlier, after about so many seconds for the whole call, shared equally.  What
            is found then depends on the machine.
        gap: stop when the bound is at most the best found plus this.
        ceiling: ``(...)``, numbers that the suprema are known not to exceed, such as the suprema
            without limits; they cap ``upper`` and end the search once they are reached.
        floor: ``(...)``, numbers that the infima are known not to fall below.

    Returns:
        :class:`Extremes` with witnesses ``(..., 5)``.

    Raises:
        ValueError: bad weights, limits or budgets; limits that no rectangle meets; a ceiling below
            the weight of a rectangle found (a floor above); a grid too large for the tables.
        TypeError: boolean, complex, object or long double weights.
        NoneFound: the budget ended before any rectangle was found that meets the limits.

    >>> w = np.array([[-9, 2, -9], [2, -9, 2], [-9, 2, 1]])
    >>> found = max_weight_rotated_interval(w, max_area=3)
    >>> int(found.maximum), int(found.upper), found.exact
    (5, 5, True)
    """
    weights = check_weights(weights)
    if weights.dtype.itemsize > 8:
        raise TypeError(f"weights must be integers or float16, 32 or 64, got {weights.dtype}")
    height, width = weights.shape[-2:]
    place = parse_zone(zone, height, width)
    low, high = parse_areas(min_area, max_area, place)
    sides = parse_real_sides(min_side, max_side)
    whole = weights.dtype.kind != "f"
    if whole:
        check_sums(weights)
    flat = weights.reshape(-1, height * width).astype(np.int64 if whole else np.float64)
    batch = weights.shape[:-2]
    caps = _caps("ceiling", ceiling, batch, 1, whole), _caps("floor", floor, batch, -1, whole)
    budget = require_integer("nodes", nodes, 1)
    if not 0 <= gap < math.inf:
        raise ValueError(f"gap must be at least 0 and finite, got {gap!r}")
    if seconds is not None and not seconds > 0:
        raise ValueError(f"seconds must be positive, got {seconds!r}")
    found = tables(height, width, *sides)
    inside = place.where(height, width).ravel()
    plain = low <= 1 and high is None and not found.sided and bool(inside.all())
    limits = Limits(max(low, 1), height * width if high is None else high, inside, plain)
    clock = _Clock(seconds, 2 * len(flat))
    text = {"min_area": min_area, "max_area": max_area, "min_side": min_side, "max_side": max_side,
            "zone": None if zone is None else f"<{place.area} positions>",
            "grid": f"{height}x{width}"}
    values, uppers, places = [], [], []
    for one, *known in zip(flat, *caps, strict=True):
        for sign, cap in zip((1, -1), known, strict=True):
            solved = _solve(sign * one, found, limits, budget, gap, cap, clock)
            if solved is None:
                raise no_rectangle(text)
            value, upper, where = solved
            if cap is not None and value > upper:
                name = "ceiling" if sign > 0 else "floor"
                raise ValueError(f"{name} {sign * cap} contradicts a rectangle of {sign * value}")
            values.append(sign * value)
            uppers.append(sign * upper)
            places.append(witness(found, where))
    dtype = np.dtype(np.int64) if whole else np.result_type(weights.dtype, np.float32)
    top, bottom = (_as(dtype, values[k::2], towards).reshape(batch)
                   for k, towards in ((0, -math.inf), (1, math.inf)))
    upper, lower = (_as(dtype, uppers[k::2], towards).reshape(batch)
                    for k, towards in ((0, math.inf), (1, -math.inf)))
    argmax, argmin = (np.array(places[k::2]).reshape(*batch, 5) for k in (0, 1))
    return Extremes(top, bottom, argmax, argmin, upper, lower)


def _solve(
    weights: np.ndarray, found: Tables, limits: Limits, budget: int, gap: float, cap: Any,
    clock: _Clock,
) -> tuple[Any, Any, np.ndarray] | None:
    """(value found, upper bound, place) for the maximum of one field; None if there is no member."""
    n, whole = len(weights), weights.dtype.kind == "i"
    rounding = 0 if whole else 4 * n * np.finfo(np.float64).eps * math.fsum(np.abs(weights))
    work = Work(np.empty(n + 1, weights.dtype), *np.empty((2, n + 1), np.int64),
                *np.empty((2, n), np.int64), *np.empty((2, n)))
    heap = _roots(weights, found, limits, budget, cap)
    step = min(math.floor(gap), 2**61) if whole else float(gap)
    clock.start()
    done = 0
    while done < budget:
        done = budget if clock.seconds is None else min(budget, done + _ROUND)
        search(weights, found, limits, heap, work, done, weights.dtype.type(step))
        if heap.counts[1] < done or clock.over():
            break
    clock.stop()
    open_nodes = heap.counts[0] > 0
    if heap.place[0] < 0:
        if open_nodes or heap.counts[2]:
            raise NoneFound(f"no rectangle found that meets the limits in {heap.counts[1]} nodes: "
                            "raise nodes or seconds")
        return None
    upper = heap.values[0]
    if open_nodes:
        upper = max(upper, heap.bounds[0])
    if heap.counts[2]:
        upper = max(upper, heap.values[1])
    points = weights[held(found, heap.place)]
    value = int(points.sum()) if whole else math.fsum(points)
    upper = int(upper) if whole else float(upper) + rounding
    if cap is not None:  # a value above cap and rounding stays above the bound returned
        upper = min(upper, cap if value <= cap else cap + rounding)
    return value, upper, heap.place.copy()


def _roots(
    weights: np.ndarray, found: Tables, limits: Limits, budget: int, cap: Any
) -> Heap:
    """One node a sector, bounded by the best choice of min_area..max_area weights of the zone."""
    n = len(weights)
    mine = np.sort(weights[limits.zone])[::-1]
    bound = mine[:np.clip((mine > 0).sum(), limits.min_area, limits.max_area)].sum()
    if cap is not None:
        bound = min(bound, cap)
    sectors = np.flatnonzero(np.diff(found.starts))
    capacity = len(sectors) + min(HEAP, budget)
    heap = Heap(np.empty(capacity, weights.dtype), np.empty((capacity, 7), np.int64),
                np.zeros(3, np.int64), np.zeros(2, weights.dtype), np.full(6, -1, np.int64))
    for g in sectors:
        heap.nodes[heap.counts[0]] = (g, found.starts[g], found.starts[g + 1] - 1,
                                      0, n - 1, 0, n - 1)
        heap.bounds[heap.counts[0]] = bound
        heap.counts[0] += 1
    return heap


@dataclass
class _Clock:
    """Seconds for ``tasks`` tasks, what is left shared equally among those to come."""

    seconds: float | None
    tasks: int

    def start(self) -> None:
        self._begun = time.perf_counter()
        self._share = None if self.seconds is None else self.seconds / max(self.tasks, 1)

    def over(self) -> bool:
        return self._share is not None and time.perf_counter() - self._begun >= self._share

    def stop(self) -> None:
        if self.seconds is not None:
            self.seconds -= time.perf_counter() - self._begun
            self.tasks -= 1


def _caps(name: str, given: Any, batch: tuple[int, ...], sign: int, whole: bool) -> list[Any]:
    """For each field the known bound, as an upper bound of ``sign`` times the field; or None."""
    if given is None:
        return [None] * math.prod(batch)
    array = np.asarray(given)
    if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite numbers, got {given!r}")
    try:
        values = np.broadcast_to(array, batch).ravel().tolist()
    except ValueError:
        raise ValueError(f"{name} must have the batch shape {batch}, got {array.shape}") from None
    if whole:  # sums are integers below 2**62
        values = [min(max((math.floor if sign > 0 else math.ceil)(v), -2**62), 2**62) for v in values]
    return [sign * v for v in values]


def _as(dtype: np.dtype, values: list[Any], towards: float) -> np.ndarray:
    """The values in ``dtype``, rounded in the direction of ``towards`` where they do not fit."""
    out = np.array(values).astype(dtype)
    exact = np.array(values)
    wrong = out < exact if towards > 0 else out > exact
    return out if dtype.kind == "i" else np.where(wrong, np.nextafter(out, dtype.type(towards)), out)
