r"""How far two masks of enumerated families can differ, from their bit codes; exact integers.

The relevance level is :math:`\rho = 1 - \frac2n \max_{a, b} |a \,\triangle\, b|`  [Eq. 14], with
:math:`|a \triangle b|` the number of positions where two masks differ.  For codes of at most 64
positions that number is the bit count of ``a ^ b``: all pairs are gone through, none is skipped.  The
only saving is symmetry: flips (and the transpose of a square grid) that map the family of b onto
itself leave the extremes of a unchanged, so one a an orbit is enough.
"""

from __future__ import annotations

import numpy as np

from theory.families.bits import codes_of_masks, masks_of_codes

_ENTRIES = 2**19
"""Pairs held in memory at a time: 4 MiB of codes, about a second-level cache."""


def extreme_code_differences(targets: np.ndarray, members: np.ndarray) -> np.ndarray:
    r"""Most and fewest positions where a member differs from each target.

    Args:
        targets: uint64 codes ``(m,)``.
        members: uint64 codes ``(k,)``, k >= 1.

    Returns:
        int64 ``(m, 2)``: ``max_b |a ^ b|`` and ``min_b |a ^ b|``.

    Raises:
        ValueError: no members.

    >>> extreme_code_differences(np.array([5], np.uint64), np.array([1, 2], np.uint64)).tolist()
    [[3, 1]]
    """
    targets, members = _codes(targets), _codes(members)
    if not members.size:
        raise ValueError("a family needs at least one mask, got none")
    out = np.empty((len(targets), 2), dtype=np.int64)
    for part, counts in _pairs(targets, members):
        out[part, 0] = counts.max(axis=1)
        out[part, 1] = counts.min(axis=1)
    return out


def differences_by_area(targets: np.ndarray, members: np.ndarray, positions: int) -> np.ndarray:
    r"""Most positions where a target differs from a member of area t, for t = 0..n.

    Args:
        targets: uint64 codes ``(m,)``.
        members: uint64 codes ``(k,)``, k >= 1.
        positions: n.

    Returns:
        int64 ``(m, n + 1)``; -1 where no member has that area.

    >>> differences_by_area(np.array([1], np.uint64), np.array([2, 3], np.uint64), 2).tolist()
    [[-1, 2, 1]]
    """
    targets, members = _codes(targets), _codes(members)
    if not members.size:
        raise ValueError("a family needs at least one mask, got none")
    members = members[np.argsort(np.bitwise_count(members), kind="stable")]
    areas, starts = np.unique(np.bitwise_count(members), return_index=True)
    out = np.full((len(targets), positions + 1), -1, dtype=np.int64)
    for part, counts in _pairs(targets, members):
        out[part, areas] = np.maximum.reduceat(counts, starts, axis=1)
    return out


def orbits(codes: np.ndarray, members: np.ndarray, shape: tuple[int, int]
           ) -> tuple[np.ndarray, np.ndarray]:
    """One code an orbit under the symmetries of the grid that keep ``members``, and the way back.

    Args:
        codes: uint64 ``(m,)``.
        members: uint64 ``(k,)``: a symmetry that does not map this set onto itself is not used.
        shape: the grid.

    Returns:
        ``(representatives, inverse)``: the orbit of ``codes[i]`` is that of
        ``representatives[inverse[i]]``.
    """
    moves = [lambda x: x[:, ::-1], lambda x: x[:, :, ::-1]]
    if shape[0] == shape[1]:
        moves.append(lambda x: x.transpose(0, 2, 1))
    members = np.sort(_codes(members))
    kept = [move for move in moves
            if np.array_equal(np.sort(codes_of_masks(move(masks_of_codes(members, *shape)))), members)]
    least = _codes(codes).copy()
    images = [masks_of_codes(least, *shape)]
    for move in kept:  # flips and transpose: every element of the group is one product of a subset
        images += [move(image) for image in images]
    for image in images:
        np.minimum(least, codes_of_masks(image), out=least)
    return np.unique(least, return_inverse=True)


def difference_table(members: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    r"""Most positions where members of areas s and t differ, ``(n + 1, n + 1)``; -1 for no pair.

    >>> difference_table(np.array([1, 2, 3], np.uint64), (1, 2))[1:, 1:].tolist()
    [[2, 1], [1, 0]]
    """
    members = _codes(members)
    n = shape[0] * shape[1]
    some, _ = orbits(members, members, shape)
    rows = differences_by_area(some, members, n)
    table = np.full((n + 1, n + 1), -1, dtype=np.int64)
    np.maximum.at(table, np.bitwise_count(some).astype(np.int64), rows)
    return table


def _codes(codes: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(codes, dtype=np.uint64)


def _pairs(targets: np.ndarray, members: np.ndarray):
    """Slices of the targets with the bit counts ``(rows, k)`` of all their pairs."""
    step = max(1, _ENTRIES // len(members))
    for start in range(0, len(targets), step):
        part = slice(start, start + step)
        yield part, np.bitwise_count(targets[part, None] ^ members)
