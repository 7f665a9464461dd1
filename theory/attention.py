r"""The attention module as a function of the map: residual and rescaling  [Eqs. 6-9, App. B]."""

from __future__ import annotations

from theory.arrays import Array, DivisionUndefined, as_arrays, namespace


def residual(x: Array, f: Array) -> Array:
    r""":math:`\hat x = x + f(x)\odot x`  [Eqs. 6, 26].

    Args:
        x: features ``(..., H, W, C)``, channels last as in the paper.
        f: attention map ``(..., H, W)``.
    """
    return x + without_residual(x, f)


def without_residual(x: Array, f: Array) -> Array:
    r""":math:`f(x)\odot x`: every channel of a position times its attention value  [section 3]."""
    if tuple(x.shape[:-1])[-2:] != tuple(f.shape)[-2:]:
        raise ValueError(
            f"x (..., H, W, C) and f (..., H, W) must share the grid, got {tuple(x.shape)} and "
            f"{tuple(f.shape)}"
        )
    return x * f[..., None]


def rescale(f: Array) -> Array:
    r""":math:`\tilde f = f\cdot HW/\sum_{ij} f_{ij}`  [Eq. 7], ``(..., H, W)``.

    The mean of the result is exactly 1, hence its maximum is at least 1: it is no attention map.

    Raises:
        ValueError: negative or non-finite values, or a sum of 0 (also by underflow), where Eq. 7
            is 0/0; :func:`rescale_log` is defined there.
    """
    xp, f = as_arrays(f)
    total = xp.sum(f, axis=(-2, -1), keepdims=True)
    if bool(xp.any(f < 0)):
        raise ValueError("an attention map has no negative values")
    if not bool(xp.all(total > 0)):
        raise DivisionUndefined("Eq. 7 divides by sum f, which is 0 here: use rescale_log(log f)")
    return f / total * (f.shape[-1] * f.shape[-2])


def rescale_log(log_f: Array) -> Array:
    r""":math:`HW\cdot\mathrm{softmax}(\log f)`, the stable form of Eq. 7.

    Takes ``log f`` (:func:`theory.rectangle.log_soft_rectangle`), where ``sum f`` may underflow.
    """
    xp = namespace(log_f)
    shifted = xp.exp(log_f - xp.max(log_f, axis=(-2, -1), keepdims=True))
    cells = log_f.shape[-1] * log_f.shape[-2]
    return shifted / xp.sum(shifted, axis=(-2, -1), keepdims=True) * cells


def gradient_terms(
    outer: Array, x: Array, dx: Array, f: Array, df: Array, *, use_residual: bool = True
) -> tuple[Array, Array]:
    r"""The two terms of Eq. 8 (with the residual) or Eq. 9 (without) for one parameter theta_k.

    direct = :math:`\sum \partial_{\hat x}L\,(1+f)\,\partial_k x` (factor f without residual),
    indirect = :math:`\sum \partial_{\hat x}L\,x\,\partial_k f`.

    Args:
        outer, x, dx: ``(..., H, W, C)``; f, df: ``(..., H, W)``.
    """
    xp = namespace(x)
    factor = 1 + f if use_residual else f
    axes = (-3, -2, -1)
    direct = xp.sum(outer * factor[..., None] * dx, axis=axes)
    indirect = xp.sum(outer * x * df[..., None], axis=axes)
    return direct, indirect
