r"""Is a trained module injective?  Singular values, Prop. 4's ratio, collisions searched  [App. F]

A module here is a function of features ``(n, C, H, W)`` to attended features of the same shape, each
sample by itself: :math:`M(x)=x+f(x)\odot x`, f rescaled or not  [Eq. 26].  Nothing here proves that a
module is injective; a singular Jacobian or a pair of inputs with one output would prove that it is
not, and in floating point both are candidates only.  Costs are in passes: one forward or backward pass
of the module for one sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from theory.injectivity import log_scale_limit

Module = Callable[[Tensor], Tensor]
CANDIDATE = 1e-4  # residual over distance, in float32


class Linearised:
    """The Jacobian J of a module at one point ``x (C, H, W)``, as products with vectors.

    Products ``J v`` come from two backward passes (the second one through the first, which is linear
    in the vector), so any module with a second derivative will do.
    """

    def __init__(self, module: Module, x: Tensor) -> None:
        if x.ndim != 3:
            raise ValueError(f"a point has shape (C, H, W), got {tuple(x.shape)}")
        with torch.enable_grad():
            self.x = x.detach()[None].clone().requires_grad_()
            self.out = module(self.x)
            if self.out.shape != self.x.shape:
                raise ValueError(f"a module keeps the shape {tuple(self.x.shape)} of its input, got "
                                 f"{tuple(self.out.shape)}")
            self.weights = torch.zeros_like(self.out, requires_grad=True)
            (self.pulled,) = torch.autograd.grad(self.out, self.x, self.weights, create_graph=True)
        self.size = x.numel()

    def forward(self, v: Tensor) -> Tensor:
        """``J v`` of a vector ``(d,)``; about two passes."""
        (out,) = torch.autograd.grad(self.pulled, self.weights, v.view_as(self.x), retain_graph=True)
        return out.detach().flatten()

    def backward(self, u: Tensor) -> Tensor:
        """``J^T u`` of a vector ``(d,)``; one pass."""
        (out,) = torch.autograd.grad(self.out, self.x, u.view_as(self.x), retain_graph=True)
        return out.detach().flatten()

    def columns(self, coordinates: Tensor) -> Tensor:
        """The columns ``(d, m)`` of J at these coordinates; about two passes a column."""
        v, out = torch.zeros_like(self.x).flatten(), []
        for i in coordinates.tolist():
            v.zero_()[i] = 1.0
            out.append(self.forward(v))
        return torch.stack(out, dim=1)


def sigma_min_exact(
    module: Module, x: Tensor, *, columns: int | None = None,
    generator: torch.Generator | None = None,
) -> dict[str, Any]:
    """The smallest (and largest) singular value of the Jacobian at x, from its columns.

    Cost: about two passes for each of the ``d = C H W`` columns, memory d^2, time d^3.  With
    ``columns`` only so many, at random: the smallest singular value of that part is an upper bound of
    the whole one's (``bound`` says so).

    Raises:
        ValueError: columns that are not 1 to d; columns drawn without a generator.
    """
    jacobian = Linearised(module, x)
    chosen = torch.arange(jacobian.size)
    if columns is not None:
        if not 1 <= columns <= jacobian.size:
            raise ValueError(f"columns must be in 1 to {jacobian.size}, got {columns}")
        if generator is None:
            raise ValueError("columns are drawn at random: pass a generator")
        chosen = torch.randperm(jacobian.size, generator=generator,
                                device=generator.device)[:columns]
    values = torch.linalg.svdvals(jacobian.columns(chosen).double())
    return {"sigma_min": float(values[-1]), "sigma_max": float(values[0]), "size": jacobian.size,
            "columns": len(chosen), "bound": len(chosen) < jacobian.size}


def sigma_min_lanczos(
    module: Module, x: Tensor, generator: torch.Generator, *, steps: int = 100,
    tolerance: float = 1e-4,
) -> dict[str, Any]:
    r"""The ends of the spectrum of the Jacobian at x by Lanczos' method on :math:`J^TJ`.

    ``sigma_min`` is :math:`|Jv|` for a unit v, hence never below the true value (but by rounding).
    ``residual`` is :math:`|J^TJv-\sigma^2v|`: some squared singular value is that close to
    :math:`\sigma^2`.  ``converged`` if it is below ``tolerance`` times the largest squared singular
    value.  Cost: about three passes a step, memory ``steps * d``.

    Args:
        x: a point ``(C, H, W)``.
        generator: of the first vector.
        steps: at most so many (at most d).

    Raises:
        ValueError: steps < 1.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    jacobian = Linearised(module, x)
    v = torch.randn(jacobian.size, generator=generator, device=generator.device).to(x)
    basis = [v / v.norm()]
    images: list[Tensor] = []  # J^T J of the basis: the projected matrix is formed as it is
    for _ in range(min(steps, jacobian.size)):
        image = jacobian.backward(jacobian.forward(basis[-1]))
        images.append(image)
        space = torch.stack(basis)
        rest = image
        for _ in range(2):  # once more against rounding
            rest = rest - space.T @ (space @ rest)
        if float(rest.norm()) <= 1e-5 * float(image.norm()):
            break  # the space is invariant
        if len(images) < min(steps, jacobian.size):
            basis.append(rest / rest.norm())
    space, applied = torch.stack(basis).double(), torch.stack(images).double()
    small = space @ applied.T
    values, vectors = torch.linalg.eigh((small + small.T) / 2)
    best = vectors[:, 0] @ space
    best = best / best.norm()
    sigma = float(jacobian.forward(best.to(x.dtype)).double().norm())
    pulled = jacobian.backward(jacobian.forward(best.to(x.dtype))).double()
    residual = float((pulled - sigma**2 * best).norm())
    top = math.sqrt(max(float(values[-1]), 0.0))
    return {"sigma_min": sigma, "sigma_max": top, "residual": residual, "steps": len(images),
            "size": jacobian.size, "converged": residual <= tolerance * top**2}


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
    if x.ndim != 3:
        raise ValueError(f"a point has shape (C, H, W), got {tuple(x.shape)}")
    if not 0 < least < 1:
        raise ValueError(f"least must be in (0, 1), got {least}")
    for name, value in (("starts", starts), ("steps", steps)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    x = x.detach()[None]
    live = (x != 0).any(dim=1).float()
    if not bool(live.any()):
        raise ValueError("x is 0 everywhere: no input collides with it")
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
    t = kept[winner]
    distance = float(((torch.exp(t) - 1) * x).norm() / x.norm())
    return {"ratio": float(best[winner]), "t_max": float(t.abs().max()), "limit": limit,
            "distance": distance, "starts": starts, "steps": steps,
            "candidate": bool(best[winner] < tolerance), "tolerance": tolerance}


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
    points: int = 8,
    columns: int = 128,
    lanczos_steps: int = 100,
    **collisions: Any,
) -> dict[str, Any]:
    """Experiment (h) of one trained module at data points ``x (n, C, H, W)``: a plain dict.

    Singular values and collisions at the first ``points`` points, Prop. 4's ratios over all; at the
    first point also the smallest singular value from columns of the Jacobian (all of them up to
    ``columns``, else that many: an upper bound), the second route to Lanczos' number.

    Args:
        collisions: options of :func:`collision_search`.

    Raises:
        ValueError: points < 1, and what the parts raise.
    """
    if points < 1:
        raise ValueError(f"points must be at least 1, got {points}")
    some = x[:points]
    spectra = [sigma_min_lanczos(module, p, generator, steps=lanczos_steps) for p in some]
    part = min(columns, some[0].numel())
    found = [collision_search(module, p, generator, rescaled=rescaled, **collisions) for p in some]
    nearest = min(found, key=lambda c: c["ratio"])
    return {
        "points": len(some),
        "sigma_min": min(s["sigma_min"] for s in spectra),
        "sigma_max": max(s["sigma_max"] for s in spectra),
        "lanczos": spectra,
        "columns": sigma_min_exact(module, x[0], columns=part, generator=generator),
        "prop4": prop4_search(module, x, generator),
        "collision": nearest,
        "candidates": sum(c["candidate"] for c in found),
    }
