r"""What one map scores on one image, as integers or as fractions of them; batched, on any device.

A threshold tau gives the mask :math:`\{f\ge\tau\}` of the map f itself: nothing is normalised by
image, since maps that differ by a factor are different answers.  Ignored positions count nowhere.
Floating values become integers of resolution 1/UNIT before anything is summed, so that sums do not
depend on their order.
"""

from __future__ import annotations

import torch
from torch import Tensor

UNIT = 1 << 32
"""Fixed-point resolution: a number in [0, 1] is kept to 2^-33."""


def threshold_grid(steps: int) -> Tensor:
    """``k / steps`` for k = 0..steps, and below 1/steps four a factor of 2 down to 2^-24.

    Maps of a module with rescaling (Eq. 7) are free up to a factor and may be small everywhere.
    ``steps`` must be a power of two (at most 2^16): then every threshold is exact in float32.
    """
    if not (2 <= steps <= 1 << 16 and steps & (steps - 1) == 0):
        raise ValueError(f"steps must be a power of two from 2 to 65536, got {steps}")
    fine = [m / (4 * steps * 2**e) for e in range(1, 26 - steps.bit_length()) for m in range(4, 8)]
    return torch.tensor([0.0, *sorted(fine), *(k / steps for k in range(1, steps + 1))],
                        dtype=torch.float64)


def fixed(x: Tensor) -> Tensor:
    """``round(x UNIT)`` as int64."""
    return torch.round(x.double() * UNIT).long()


def fraction(part: Tensor, whole: Tensor) -> Tensor:
    """``part / whole`` of integers in fixed point; 0 where whole is 0."""
    return torch.where(whole > 0, fixed(part / whole.clamp(min=1).double()), 0)


def above(f: Tensor, inside: Tensor, known: Tensor, thresholds: Tensor) -> tuple[Tensor, Tensor]:
    """For each image and threshold, the known positions with f at or above it, in and outside.

    Args:
        f: ``(n, h, w)`` in [0, 1]; inside, known: boolean, the object and the positions to count.
        thresholds: ``(T,)`` float64, ascending from 0.

    Returns:
        Hits and false alarms, ``(n, T)`` int64.
    """
    n, steps = len(f), len(thresholds)
    level = torch.bucketize(f.double(), thresholds, right=True) - 1
    rows = torch.arange(n, device=f.device)[:, None, None]
    cell = (rows * 2 + inside.long()) * steps + level
    counts = torch.bincount(cell[known], minlength=2 * n * steps).reshape(n, 2, steps)
    outside, hits = counts.flip(2).cumsum(2).flip(2).unbind(1)
    return hits, outside


def pointing(f: Tensor, inside: Tensor, known: Tensor) -> Tensor:
    """Pointing game: the part of the map's highest positions that lies inside; fixed point ``(n,)``.

    With one highest position this is 1 or 0.  A map that is 0 everywhere points nowhere: 0.
    """
    f = torch.where(known, f.double(), 0.0).flatten(1)
    top = f.amax(1, keepdim=True)
    highest = (f == top) & known.flatten(1) & (top > 0)
    return fraction((highest & inside.flatten(1)).sum(1), highest.sum(1))


def energy_inside(f: Tensor, inside: Tensor, known: Tensor) -> Tensor:
    r"""Energy-based pointing game :math:`\sum_{inside} f / \sum f`; fixed point ``(n,)``, 0/0 = 0."""
    mass = torch.where(known, fixed(f), 0)
    return fraction(torch.where(inside, mass, 0).flatten(1).sum(1), mass.flatten(1).sum(1))


def soft_wrong(f: Tensor, inside: Tensor, known: Tensor) -> Tensor:
    r"""HW times the missing rate of the soft map :math:`2f-1`  [Eq. 12], in fixed point ``(n,)``.

    Psi is bilinear: a position of value f counts f outside the object and 1 - f inside.
    """
    mass = fixed(f)
    return torch.where(known, torch.where(inside, UNIT - mass, mass), 0).flatten(1).sum(1)


def average_precision(hits: Tensor, false_alarms: Tensor) -> float | None:
    r"""PxAP: :math:`\sum_k P_k (R_k - R_{k+1})` over ascending thresholds; None without positives.

    Args:
        hits, false_alarms: pooled over all pixels of all images, ``(T,)``, as of :func:`above`
            (the first threshold takes everything).
    """
    if not int(hits[0]):
        return None
    precision = hits / (hits + false_alarms).clamp(min=1).double()
    gained = hits - torch.cat([hits[1:], hits.new_zeros(1)])
    return float((precision * gained).sum() / hits[0])
