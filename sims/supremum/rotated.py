"""All rotated rectangles on the pixel grid: exact, or a certified interval where that is too dear."""

from __future__ import annotations

from typing import Any

import numpy as np

from sims.supremum.axis_aligned import dtype_of_sums, sentinels
from sims.supremum.extremes import PART_POSITIONS, Extremes, check_weights
from sims.supremum.threads import in_threads, split, thread_count
from theory.families import RotatedRectangles
from theory.families.lattice import lattice_points, open_directions
from theory.families.limits import parse_zone

EXACT_POSITIONS = 32 * 32
"""Grids of at most so many positions are solved exactly by default."""

GROUPS = 8
"""Vectors of fields that share one pass over the geometry."""


def max_weight_rotated_rectangle(
    weights: Any,
    *,
    min_area: int = 1,
    max_area: int | None = None,
    min_side: float = 0.0,
    max_side: float | None = None,
    zone: Any = None,
    exact: bool | None = None,
    nodes: int = 200_000,
    seconds: float | None = None,
    witnesses: bool = True,
    threads: int | None = None,
) -> Extremes:
    r"""Maximum and minimum weight over ALL non-empty rotated rectangles on the pixel grid.

    The family and the limits are those of :class:`theory.families.RotatedRectangles`.

    * Without limits: exact, by one direction in each interval between critical angles (116 for
      14x14, 460 for 28x28) and the maximum-weight box of ranks in each, O(n^2 log n) a direction
      for n positions (:mod:`sims.supremum.rotated_kernel`).
    * With limits, up to 7x7: exact, over all masks of the family.
    * With limits on larger grids, and without limits beyond :data:`EXACT_POSITIONS` positions:
      branch and bound (:mod:`sims.supremum.branch`), which returns the best found and certified
      bounds ``upper`` and ``lower`` when its budget ends.

    Args:
        weights: ``(..., H, W)``, integers or floats.
        min_area, max_area: limits on the number of positions.
        min_side, max_side: limits on the lengths of both sides, in pixel units.
        zone: where the mask must lie: boolean ``(H, W)`` or a half-open box.
        exact: True: exact without limits on a grid of any size; False: branch and bound; None: as
            above.
        nodes, seconds: budget of the branch and bound, each field and each end.
        witnesses: whether to return ``argmax`` and ``argmin``.
        threads: as :func:`sims.supremum.max_weight_rectangle`.

    Returns:
        :class:`Extremes`; witnesses are the five parameters, and :func:`rasterise` gives their mask.
        Ties: the smallest angle, then the largest first rank (deterministic).  Without limits the
        memory beside input and output is :func:`working_bytes` a thread and eight numbers a field
        (where there are fewer than eight vectors of fields a thread: for each share of the angles).

    Raises:
        ValueError: bad weights or limits; limits that no rectangle meets; ``exact=True`` where there
            is no exact way; a grid too large for branch and bound (a square beyond 100x100).
        TypeError: boolean, complex or object weights.
        sims.supremum.branch.NoneFound: the budget ended before a rectangle was found.

    >>> w = np.array([[-1, 2, -1], [2, -9, 2], [-1, 2, -1]])
    >>> best = max_weight_rotated_rectangle(w)
    >>> int(best.maximum), rasterise(best.argmax, 3, 3).tolist()
    (4, [[-1, -1, -1], [-1, -1, 1], [-1, 1, -1]])
    """
    weights = check_weights(weights)
    thread_count(threads)
    height, width = weights.shape[-2:]
    limits = {"min_area": min_area, "max_area": max_area, "min_side": min_side,
              "max_side": max_side, "zone": zone}
    family = RotatedRectangles(height, width, **limits)
    limited = is_limited(family)
    if exact is not False:
        if not limited and (exact or height * width <= EXACT_POSITIONS):
            return _exact(weights, witnesses, threads)
        if limited and family.enumerable:
            return _enumerated(family, weights, witnesses)
        if exact:
            raise ValueError(f"with limits the supremum is exact up to 7x7, got {height}x{width} "
                             "(exact=None gives a certified interval)")
    return _interval(weights, limits, nodes, seconds, witnesses, threads)


def is_limited(family: RotatedRectangles) -> bool:
    """Whether some limit of the family excludes a rectangle.

    >>> is_limited(RotatedRectangles(3, 3, max_area=9)), is_limited(RotatedRectangles(3, 3, max_area=8))
    (False, True)
    """
    n = family.height * family.width
    return (family.min_area > 1 or (family.max_area is not None and family.max_area < n)
            or family.min_side > 0 or family.max_side is not None
            or parse_zone(family.zone, *family.shape).area < n)


def rasterise(parameters: Any, height: int, width: int) -> np.ndarray:
    """The masks of witnesses ``(..., 5)``: int8 ``(..., H, W)`` with values -1 and +1."""
    from theory.rectangle import Rectangle, grid, hard_rectangle

    parameters = np.asarray(parameters, dtype=np.float64)
    rectangle = Rectangle(parameters[..., :2], parameters[..., 2:4], parameters[..., 4])
    return hard_rectangle(rectangle, grid(height, width, unit=False))


def working_bytes(height: int, width: int, count: int = GROUPS) -> int:
    """Memory of one thread beside input and output, in bytes, at most: with ``count`` vectors of 64
    bytes a position of input, less than 3 times these.

    >>> round(working_bytes(28, 28, 8) / (8 * 64 * 28 * 28), 1)
    2.4
    """
    from sims.supremum.rotated_kernel import BUCKET, tree_leaves

    n, leaves = height * width, tree_leaves(height * width)
    solving = 64 * count * (n + 1 + 5 * leaves + 8) + 8 * (BUCKET * leaves + 8 * n)
    return max(solving, 9 * max(n, PART_POSITIONS))  # else: the dtype of sums, the witnesses


def _exact(weights: np.ndarray, witnesses: bool, threads: int | None) -> Extremes:
    from sims.supremum.lanes import lane_count
    from sims.supremum.rotated_kernel import STATE

    height, width = weights.shape[-2:]
    n, batch = height * width, weights.shape[:-2]
    points, directions = lattice_points(height, width), open_directions(height, width)
    dtype = dtype_of_sums(weights, max(n, len(directions)).bit_length())
    flat = weights.reshape(-1, n)
    count = lane_count(dtype)
    units = -(-len(flat) // count)
    chunks = _cut(units, max(-(-units // GROUPS), min(thread_count(threads), units)))
    # fewer chunks than threads: each chunk's directions are shared out too
    shares = _cut(len(directions), min(len(directions), max(1, thread_count(threads) // len(chunks))))
    tasks = [(chunk, k) for chunk in chunks for k in range(len(shares))]
    states = np.empty((len(shares), STATE, units * count), dtype=dtype)

    def solve(part: range) -> None:
        for chunk, k in (tasks[place] for place in part):
            fields = slice(chunk.start * count, chunk.stop * count)
            states[k, :, fields] = _solve(_pack(flat[fields], dtype), shares[k], points, directions)

    in_threads(solve, _cut(len(tasks), min(thread_count(threads), len(tasks))))
    state = _best(states)[:, :len(flat)]
    out = np.dtype(np.int64) if dtype.kind == "i" else dtype
    values = [state[k].astype(out) for k in range(2)]
    places: list[Any] = [None, None]
    if witnesses:
        for k, sign in enumerate((1, -1)):
            places[k] = _witnesses(flat, points, directions, state[4 + k::2], sign, out, threads)
            places[k] = places[k].reshape(*batch, 5)
    return Extremes(values[0].reshape(batch), values[1].reshape(batch), *places)


def _cut(total: int, parts: int) -> list[range]:
    cuts = [total * k // parts for k in range(parts + 1)]
    return [range(a, b) for a, b in zip(cuts[:-1], cuts[1:], strict=True)]


def _pack(flat: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """``(n + 1, groups, lanes)`` of fields ``(B, n)``; lanes without a field and the last row are 0."""
    from sims.supremum.lanes import aligned, lane_count

    count = lane_count(dtype)
    groups = -(-len(flat) // count)
    out = aligned((flat.shape[1] + 1, groups, count), dtype)
    out[:] = 0
    out.reshape(len(out), -1)[:-1, :len(flat)] = flat.T
    return out


def _solve(
    weights: np.ndarray, share: range, points: np.ndarray, directions: np.ndarray
) -> np.ndarray:
    """State ``(STATE, fields)`` after a share of the directions."""
    from sims.supremum import rotated_kernel as kernel
    from sims.supremum.lanes import aligned

    _, groups, count = weights.shape
    leaves = kernel.tree_leaves(len(points))
    pairs = aligned((2 * leaves * groups * 2 * count,), weights.dtype)
    sums = aligned((leaves * groups * count,), weights.dtype)
    state = aligned((groups * kernel.STATE * count,), weights.dtype)
    kernel.solve(weights.reshape(-1), points, directions[share.start:share.stop], share.start,
                 *sentinels(weights.dtype), pairs, sums, state)
    return state.reshape(groups, kernel.STATE, count).transpose(1, 0, 2).reshape(kernel.STATE, -1)


def _best(states: np.ndarray) -> np.ndarray:
    """The states of several shares of the directions as one, the first; ties go to the first."""
    best = states[0]
    for state in states[1:]:
        for k, better in enumerate((state[0] > best[0], state[1] < best[1])):
            rows = [k, 4 + k, 6 + k]
            best[rows] = np.where(better, state[rows], best[rows])
    return best


def _witnesses(
    flat: np.ndarray, points: np.ndarray, directions: np.ndarray, codes: np.ndarray, sign: int,
    dtype: np.dtype, threads: int | None,
) -> np.ndarray:
    """Parameters ``(B, 5)``: the best rectangle in direction ``codes[0]`` from u-rank ``codes[1]``."""
    from sims.supremum import rotated_kernel as kernel

    out = np.empty((len(flat), 5))
    step = max(1, PART_POSITIONS // (len(points) + 2))

    def solve(part: range) -> None:
        for start in range(part.start, part.stop, step):
            mine = slice(start, min(start + step, part.stop))
            numbers, starts = codes[:, mine].astype(np.int64)
            kernel.witnesses(flat[mine].astype(dtype), points, directions, numbers, starts, sign,
                             out[mine])

    in_threads(solve, split(len(flat), 1, threads))
    return out


def _enumerated(family: RotatedRectangles, weights: np.ndarray, witnesses: bool) -> Extremes:
    """Values over all masks; the parameters from a search that ends where it attains them."""
    from sims.supremum.branch import max_weight_rotated_interval
    from sims.supremum.enumerated import extremes_by_enumeration

    found = extremes_by_enumeration(family, weights, witnesses=False)
    if not witnesses:
        return found
    limits = {name: getattr(family, name)
              for name in ("min_area", "max_area", "min_side", "max_side", "zone")}
    places = max_weight_rotated_interval(weights, ceiling=found.maximum, floor=found.minimum,
                                         nodes=2**24, **limits)
    return Extremes(found.maximum, found.minimum, places.argmax, places.argmin)


def _interval(
    weights: np.ndarray, limits: dict[str, Any], nodes: int, seconds: float | None,
    witnesses: bool, threads: int | None,
) -> Extremes:
    from sims.supremum.branch import max_weight_rotated_interval

    caps: dict[str, Any] = {}
    height, width = weights.shape[-2:]
    if height * width <= EXACT_POSITIONS // 4:
        free = _exact(weights, False, threads)
        caps = {"ceiling": free.maximum, "floor": free.minimum}
    found = max_weight_rotated_interval(weights, nodes=nodes, seconds=seconds, **limits, **caps)
    if witnesses:
        return found
    return Extremes(found.maximum, found.minimum, None, None, found.upper, found.lower)
