r"""Is a trained module injective?  Singular values, Prop. 4's ratio, collisions searched  [App. F]

Modules, points and costs are those of :mod:`training.jacobian`.  Nothing here is verified: a collision
found in floating point is a candidate only, and none found proves nothing.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from theory.injectivity import log_scale_limit
from training.jacobian import Module, orientation, sigma_min_exact, sigma_min_lanczos

CANDIDATE = 1e-4  # residual over distance
ROUNDING = 1e-5  # relative, of the sign of a determinant whose entries come from float32


def prop4_ratios(module: Module, x: Tensor, y: Tensor) -> Tensor:
    r""":math:`\|f(x)x-f(x')x'\|/\|x-x'\|` of pairs ``x, y (n, C, H, W)``, ``(n,)``  [Prop. 4].

    :math:`f(x)x = M(x)-x`.  No collision where every ratio is below 1.  One pass a sample.

    Raises:
        ValueError: other shapes, a pair of equal inputs.
    """
    if x.ndim != 4 or x.shape != y.shape:
        raise ValueError(f"pairs must have one shape (n, C, H, W), got {tuple(x.shape)} and "
                         f"{tuple(y.shape)}")
    distance = (x - y).flatten(1).norm(dim=1)
    if not bool((distance > 0).all()):
        raise ValueError("the ratio of Prop. 4 needs two distinct inputs, got equal ones")
    return ((module(x) - x) - (module(y) - y)).flatten(1).norm(dim=1) / distance


def prop4_search(
    module: Module,
    x: Tensor,
    generator: torch.Generator,
    *,
    pairs: int = 64,
    climbed: int = 8,
    steps: int = 100,
    rate: float = 0.05,
    least: float = 0.01,
) -> dict[str, Any]:
    r"""The largest ratios of Prop. 4 among random pairs of data, and by gradient ascent from them.

    The climb moves both inputs inside the ball about 0 that holds the data, and keeps them apart by
    about ``least`` times its radius.  ``at_zero`` is the ratio of a point with the same norm at every
    position and 0: with the rescaled map it is at least 1 for any module (Cauchy-Schwarz), so the
    hypothesis of Prop. 4 never holds there.  What is found is a lower bound of the supremum: above 1
    the hypothesis of Prop. 4 fails, which does not mean that the module is not injective.  Cost:
    ``2 pairs`` passes and ``6 climbed steps``.

    Args:
        x: data points ``(n, C, H, W)``, n >= 2.
        climbed: how many pairs, the largest first, the climb starts from.
        steps, rate: of Adam; the rate in units of the root mean square of the data.

    Raises:
        ValueError: fewer than two points, counts below 1, least outside (0, 1), a module whose
            attribute ``residual`` is False.
    """
    _require_residual(module)
    if x.ndim != 4 or len(x) < 2:
        raise ValueError(f"pairs need at least 2 points (n, C, H, W), got {tuple(x.shape)}")
    for name, value in (("pairs", pairs), ("climbed", climbed), ("steps", steps)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if not 0 < least < 1:
        raise ValueError(f"least must be in (0, 1), got {least}")
    x = x.detach()
    first = torch.randint(len(x), (pairs,), generator=generator, device=generator.device)
    other = torch.randint(1, len(x), (pairs,), generator=generator, device=generator.device)
    first, second = first.to(x.device), ((first + other) % len(x)).to(x.device)
    with torch.no_grad():
        random = prop4_ratios(module, x[first], x[second])
        level = x.square().mean().sqrt()
        even = torch.full_like(x[:1], float(level))
        at_zero = float(prop4_ratios(module, even, torch.zeros_like(even)))
    radius = float(x.flatten(1).norm(dim=1).max())
    start = torch.topk(random, min(climbed, pairs)).indices
    a, b = (x[i[start]].clone().requires_grad_() for i in (first, second))
    optimizer = torch.optim.Adam([a, b], lr=rate * float(level))
    best = random[start].clone()
    for _ in range(steps):
        optimizer.zero_grad()
        ratios = prop4_ratios(module, a, b)
        best = torch.maximum(best, ratios.detach())
        (-ratios.log().sum()).backward(inputs=[a, b])
        optimizer.step()
        with torch.no_grad():
            _keep_apart(a, b, least * radius, generator)
            _keep_inside(a, b, radius)
    return {"pairs": pairs, "random_median": float(random.median()),
            "random_max": float(random.max()), "climbed_max": float(best.max()),
            "at_zero": at_zero, "radius": radius, "below_one": bool(best.max() < 1)}


def _require_residual(module: Module) -> None:
    if not getattr(module, "residual", True):
        raise ValueError("App. F is about M(x) = x + f(x) x: the module must have residual=True, got "
                         "False")


def _keep_apart(a: Tensor, b: Tensor, least: float, generator: torch.Generator) -> None:
    """Move pairs nearer than ``least`` apart, about their middle; equal ones in a random direction."""
    away, middle = b - a, (a + b) / 2
    noise = torch.randn(away.shape, generator=generator, device=generator.device).to(away)
    norm = _norms(away)
    away = torch.where(norm > 0, away / norm.clamp_min(1e-30), noise / _norms(noise))
    near = norm < least
    a.copy_(torch.where(near, middle - away * (least / 2), a))
    b.copy_(torch.where(near, middle + away * (least / 2), b))


def _keep_inside(a: Tensor, b: Tensor, radius: float) -> None:
    """Shrink pairs that reach out of the ball, both points by one factor: they stay apart."""
    shrink = (radius / torch.maximum(_norms(a), _norms(b)).clamp_min(1e-30)).clamp_max(1.0)
    a.mul_(shrink)
    b.mul_(shrink)


def _norms(x: Tensor) -> Tensor:
    return x.flatten(1).norm(dim=1)[:, None, None, None]


def collision_search(
    module: Module,
    x: Tensor,
    generator: torch.Generator,
    *,
    rescaled: bool,
    starts: int = 16,
    steps: int = 300,
    rate: float = 0.05,
    least: float = 0.05,
    tolerance: float = CANDIDATE,
) -> dict[str, Any]:
    r"""The input that comes nearest to a collision with x, over positive multiples by position.

    Colliding inputs are :math:`x'=e^t\odot x` with :math:`|t|_\infty\le\log 2`, or :math:`\log(1+HW)`
    with the rescaled map (:mod:`theory.injectivity`).  Minimises :math:`|M(e^tx)-M(x)|/|e^tx-x|` over
    t with :math:`\texttt{least}\,l\le|t|_\infty\le l`, l that limit, by Adam (with steps that
    shrink to 0) from several starts at once: common scalings of all positions, then random ones.
    Cost: ``2 starts steps`` passes.

    ``ratio`` is the best one found, at ``t_max`` (largest :math:`|t|`), ``distance`` is
    :math:`|e^tx-x|/|x|`.  A ``candidate`` has a ratio below ``tolerance``; it is no proof of a
    collision, and no candidate is no proof of injectivity.  Where x is 0 at a position t counts
    nothing and is left out.

    Args:
        x: a point ``(C, H, W)``.
        rescaled: whether the module rescales its map (Eq. 7).

    Raises:
        ValueError: another shape, a point that is 0 everywhere, least outside (0, 1), counts below 1,
            a module whose attribute ``residual`` is False.
    """
    _require_residual(module)
    if not 0 < least < 1:
        raise ValueError(f"least must be in (0, 1), got {least}")
    for name, value in (("starts", starts), ("steps", steps)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if x.ndim != 3:
        raise ValueError(f"a point has shape (C, H, W), got {tuple(x.shape)}")
    live = (x != 0).any(dim=0).to(x)
    if not bool(live.any()):
        raise ValueError("x is 0 everywhere: no input collides with it")
    x = x.detach()[None]
    limit = log_scale_limit(*x.shape[-2:], rescaled=rescaled)
    with torch.no_grad():
        target = module(x)
    shape = (starts, *x.shape[-2:])
    z = 2 * torch.rand(shape, generator=generator, device=generator.device) - 1
    size = torch.rand(starts, generator=generator, device=generator.device)
    common = torch.linspace(-1, 1, starts // 2 + 1)[: starts // 2]  # signs and sizes of half of them
    for k, value in enumerate(common.tolist()):
        z[k], size[k] = math.copysign(1.0, value), abs(value)
    z = z.to(x).requires_grad_()
    size = torch.logit(size.to(x), eps=1e-3).requires_grad_()
    optimizer = torch.optim.Adam([z, size], lr=rate)
    best, kept = torch.full((starts,), math.inf).to(x), torch.zeros(shape).to(x)
    for k in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (1 - k / steps) ** 2
        t = _log_scales(z, size, live, limit, least)
        ratio = _residual(module, x, target, t)
        better = ratio.detach() < best
        best = torch.where(better, ratio.detach(), best)
        kept = torch.where(better[:, None, None], t.detach(), kept)
        optimizer.zero_grad()
        ratio.clamp_min(1e-12).log().sum().backward(inputs=[z, size])
        optimizer.step()
    winner = int(best.argmin())
    t, ratio = kept[winner], float(best[winner])
    distance = float((torch.expm1(t) * x).norm() / x.norm())
    return {"ratio": ratio, "t_max": float(t.abs().max()), "limit": limit, "distance": distance,
            "starts": starts, "steps": steps, "candidate": ratio < tolerance, "tolerance": tolerance}


def _log_scales(z: Tensor, size: Tensor, live: Tensor, limit: float, least: float) -> Tensor:
    """t of the direction z and the logit of its size: ``|t|_inf`` from ``least limit`` to limit."""
    z = z * live
    norm = z.abs().amax(dim=(-2, -1), keepdim=True).clamp_min(1e-12)
    largest = limit * (least + (1 - least) * torch.sigmoid(size))
    return z / norm * largest[:, None, None]


def _residual(module: Module, x: Tensor, target: Tensor, t: Tensor) -> Tensor:
    """``|M(exp(t) x) - M(x)| / |exp(t) x - x|`` for every t ``(k, H, W)``."""
    step = torch.expm1(t)[:, None] * x
    gap = module(x + step) - target
    return gap.flatten(1).norm(dim=1) / step.flatten(1).norm(dim=1).clamp_min(1e-30)


def study(
    module: Module,
    x: Tensor,
    generator: torch.Generator,
    *,
    rescaled: bool,
    points: int = 4,
    rows: int = 512,
    steps: int = 200,
    **collisions: Any,
) -> dict[str, Any]:
    """Experiment (h) of one trained module at data points ``x (n, C, H, W)``: a plain dict.

    Singular values and collisions at the first ``points`` points, orientations and Prop. 4's ratios
    over all; where the Jacobian has at most ``rows`` rows, also the smallest singular value from all
    of them at the first point, the second route to Lanczos' number.
    ``reversed`` counts the points of orientation -1 whose sign is above rounding.  Cost: HW passes for
    each of the n points, and those of the parts.

    Args:
        steps: of both searches.
        collisions: further options of :func:`collision_search`.

    Raises:
        ValueError: points < 1, and what the parts raise.
    """
    if points < 1:
        raise ValueError(f"points must be at least 1, got {points}")
    spectra = [sigma_min_lanczos(module, p, generator) for p in x[:points]]
    signs = [orientation(module, p) for p in x]
    found = [collision_search(module, p, generator, rescaled=rescaled, steps=steps, **collisions)
             for p in x[:points]]
    return {
        "points": len(spectra),
        "sigma_min": min(s["sigma_min"] for s in spectra),
        "sigma_max": max(s["sigma_max"] for s in spectra),
        "lanczos": spectra,
        "rows": sigma_min_exact(module, x[0]) if x[0].numel() <= rows else None,
        "orientations": signs,
        "reversed": sum(s["sign"] < 0 and s["distance"] > ROUNDING for s in signs),
        "prop4": prop4_search(module, x, generator, steps=steps),
        "collisions": found,
        "candidates": sum(c["candidate"] for c in found),
    }
