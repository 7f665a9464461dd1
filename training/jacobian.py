r"""The Jacobian of an attention module at a point, and the ends of its spectrum  [App. F].

A module here is a function of features ``(n, C, H, W)`` to attended features of the same shape, each
sample by itself, that multiplies every position by a number: :math:`M(x)=x+f(x)\odot x`, f rescaled
or not  [Eq. 26].  So its Jacobian J is a diagonal matrix plus one of rank HW (:class:`Jacobian`).
Costs are in passes: one forward and backward pass of the module for one sample.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Module = Callable[[Tensor], Tensor]
AT_ONCE = 64  # passes in one batch


def pull_back(module: Module, x: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """``M(x)`` and ``J^T u`` at ``x (C, H, W)`` for each u of ``weights (k, C, H, W)``, that shape.

    One pass each, ``AT_ONCE`` at a time.

    Raises:
        ValueError: a point of another shape, a module that does not keep it.
    """
    if x.ndim != 3:
        raise ValueError(f"a point has shape (C, H, W), got {tuple(x.shape)}")
    pulled = []
    for part in weights.split(AT_ONCE):
        with torch.enable_grad():
            copies = x.detach().expand(len(part), *x.shape).clone().requires_grad_()
            out = module(copies)
            if out.shape != copies.shape:
                raise ValueError(f"a module keeps the shape {tuple(x.shape)} of a point, got "
                                 f"{tuple(out.shape[1:])}")
            pulled.append(torch.autograd.grad(out, copies, part)[0])
    return out[0].detach(), torch.cat(pulled)


def sigma_min_exact(
    module: Module, x: Tensor, *, rows: int | None = None, generator: torch.Generator | None = None
) -> dict[str, Any]:
    """The smallest (and largest) singular value of the Jacobian at x, from its rows.

    Cost: d passes, memory d^2, time d^3.  With ``rows`` only so many, at random: the smallest singular
    value of that part is an upper bound of the whole one's (``bound`` says so).

    Raises:
        ValueError: rows that are not 1 to d; rows drawn without a generator.
    """
    chosen = torch.arange(x.numel())
    if rows is not None:
        if not 1 <= rows <= x.numel():
            raise ValueError(f"rows must be in 1 to {x.numel()}, got {rows}")
        if generator is None:
            raise ValueError("rows are drawn at random: pass a generator")
        chosen = torch.randperm(x.numel(), generator=generator, device=generator.device)[:rows]
    units = torch.nn.functional.one_hot(chosen, x.numel()).to(x).view(-1, *x.shape)
    _, pulled = pull_back(module, x, units)
    values = torch.linalg.svdvals(pulled.flatten(1).double())
    return {"sigma_min": float(values[-1]), "sigma_max": float(values[0]), "size": x.numel(),
            "rows": len(chosen), "bound": len(chosen) < x.numel()}


class Jacobian:
    r"""J at ``x (C, H, W)``, as ``D + X F``: the level 1 + f of every position on the diagonal D, x
    in the columns of X (one a position), the gradient of f in the rows of F.  Float64.

    J takes changes :math:`s\odot x`, one number s a position, to such changes, by the matrix
    :math:`A=\mathrm{diag}(1+f)+FX` (``scales``, HW x HW), and is D on what is left: so det J has the
    sign of det A, and both are singular together.  Cost: HW passes, memory ``HW d``.

    Raises:
        ValueError: another shape, a module that does not multiply every position by a number.
    """

    def __init__(self, module: Module, x: Tensor) -> None:
        flat = x.detach().flatten(1)
        size = flat.square().sum(0)
        probe = flat / torch.where(size > 0, size, 1.0)
        probe[0] = torch.where(size > 0, probe[0], 1.0)  # at a zero any channel tells the level
        cells = torch.arange(flat.shape[1], device=x.device)
        weights = x.new_zeros(len(cells), *flat.shape)
        weights[cells, :, cells] = probe.T
        out, rows = pull_back(module, x, weights.view(-1, *x.shape))
        out, rows = out.flatten(1), rows.flatten(2)
        level = torch.where(size > 0, (out * probe).sum(0), rows[cells, 0, cells])
        if not torch.allclose(out, flat * level, rtol=1e-3, atol=1e-5):
            raise ValueError("the module must multiply all channels of a position by one number")
        rows[cells, :, cells] -= (level * probe).T
        self.x, self.level = flat.double(), level.double()
        self.gradient = rows.flatten(1).double()
        self.scales = torch.diag(self.level) + (rows.double() * self.x).sum(1)
        self.size = x.numel()

    def apply(self, v: Tensor) -> Tensor:
        """``J v`` of a vector ``(d,)``."""
        return self._diagonal(v) + (self.x * (self.gradient @ v)).flatten()

    def transposed(self, u: Tensor) -> Tensor:
        """``J^T u``."""
        return self._diagonal(u) + self.gradient.T @ (u.view_as(self.x) * self.x).sum(0)

    def inverse_gram(self, u: Tensor) -> Tensor:
        """``(J^T J)^-1 u``, by Woodbury's formula with the matrix ``scales D^-1`` of side HW."""
        small = self.scales / self.level
        inner = (self._diagonal(u, -1).view_as(self.x) * self.x).sum(0)
        u = self._diagonal(u - self.gradient.T @ torch.linalg.solve(small.T, inner), -1)
        inner = self.gradient @ self._diagonal(u, -1)
        return self._diagonal(u - (self.x * torch.linalg.solve(small, inner)).flatten(), -1)

    def _diagonal(self, v: Tensor, power: int = 1) -> Tensor:
        return (v.view_as(self.x) * self.level**power).flatten()


def sigma_min_lanczos(
    module: Module, x: Tensor, generator: torch.Generator, *, steps: int = 60,
    tolerance: float = 1e-6,
) -> dict[str, Any]:
    r"""The ends of the spectrum of the Jacobian at x by Lanczos' method on :math:`(J^TJ)^{-1}` and
    :math:`J^TJ`, from :class:`Jacobian`.

    ``sigma_min`` and ``sigma_max`` are :math:`|Jv|` for unit vectors v: never outside the true range.
    ``converged`` if the residual of the smallest is below ``tolerance`` of its eigenvalue.  J itself
    has the precision of the module: ``1e-7 sigma_max`` or so in float32.  Cost: HW passes, ``4 steps``
    products of HW x d.

    Args:
        x: a point ``(C, H, W)``.
        generator: of the first vector.
        steps: at most so many (at most d).

    Raises:
        ValueError: steps < 1, and those of :class:`Jacobian`.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    jacobian = Jacobian(module, x)
    start = torch.randn(jacobian.size, generator=generator, device=generator.device).to(x.device)
    top, _, _ = _lanczos(lambda v: jacobian.transposed(jacobian.apply(v)), start, steps)
    out = {"sigma_max": float(jacobian.apply(top).norm()), "size": jacobian.size}
    try:
        bottom, residual, done = _lanczos(jacobian.inverse_gram, start, steps)
    except torch.linalg.LinAlgError:  # exactly singular
        return {"sigma_min": 0.0, **out, "steps": 0, "converged": True}
    return {"sigma_min": float(jacobian.apply(bottom).norm()), **out, "steps": done,
            "converged": residual <= tolerance}


def _lanczos(apply: Callable[[Tensor], Tensor], start: Tensor, steps: int) -> tuple[Tensor, float, int]:
    """The unit vector of the largest eigenvalue found, its residual over the eigenvalue, and the
    number of steps (fewer than asked for where the space has become invariant)."""
    basis, images = [start.double() / start.double().norm()], []
    for k in range(min(steps, len(start))):
        images.append(apply(basis[k]))
        space, rest = torch.stack(basis), images[k]
        for _ in range(2):  # once more against rounding
            rest = rest - space.T @ (space @ rest)
        if float(rest.norm()) <= 1e-10 * float(images[k].norm()):
            break
        basis.append(rest / rest.norm())
    space, moved = torch.stack(basis[: len(images)]), torch.stack(images)
    small = space @ moved.T
    values, vectors = torch.linalg.eigh((small + small.T) / 2)
    best = vectors[:, -1] @ space
    residual = float((vectors[:, -1] @ moved - values[-1] * best).norm() / values[-1])
    return best / best.norm(), residual, len(images)


def orientation(module: Module, x: Tensor) -> dict[str, Any]:
    """The sign of the Jacobian's determinant at ``x (C, H, W)``, with residual.

    At x = 0 it is positive, and an injective map keeps the sign wherever J is regular (invariance of
    domain): a point where it is negative says that M is not injective on the whole space, up to
    rounding.

    ``distance`` is the smallest over the largest singular value of ``Jacobian.scales``: of the order of
    rounding (1e-7 in float32) it says that the sign means nothing.  Cost: HW passes and HW cubed.
    """
    scales = Jacobian(module, x).scales
    values = torch.linalg.svdvals(scales)
    return {"sign": int(torch.linalg.slogdet(scales).sign), "distance": float(values[-1] / values[0])}
