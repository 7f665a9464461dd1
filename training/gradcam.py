r"""Grad-CAM: a map from a plain network, what a user has without training any attention.

At a layer with features :math:`A_k`, for the logit :math:`z_c` of a class c,

.. math:: \alpha_k = \frac{1}{HW}\sum_{ij}\frac{\partial z_c}{\partial A_{k,ij}}, \qquad
          m = \mathrm{relu}\Big(\sum_k \alpha_k A_k\Big).

m has no scale of its own: logits of another size give another m.  :func:`to_unit` divides by one
number for a whole set of images, so that one threshold means the same in each of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from training.attach import evaluating, find_layer, require_features


def grad_cam(
    model: nn.Module,
    images: Tensor,
    classes: Tensor,
    *,
    at: str,
    logits: Callable[[Any], Tensor] | None = None,
) -> Tensor:
    """The maps m of the formula above, not normalised.

    The model runs in evaluation mode (in training mode, batch statistics would mix the images) and
    is left as it was: modes, gradients of its parameters, hooks.  Works for frozen models and under
    ``torch.no_grad``.

    Args:
        images: ``(n, 3, H, W)``.
        classes: ``(n,)``, the class c of each image, on any device.
        at: a layer whose output is ``(n, C, h, w)``; it must run once in a forward pass.
        logits: takes the logits ``(n, k)`` from what the model returns, where that is not they.

    Returns:
        ``(n, h, w)``, float32, no negative values.

    Raises:
        ValueError: as :func:`training.attach.find_layer`; features, logits or classes of another
            shape; classes that are no integers or out of range; a layer that runs not at all, more
            than once, or without effect on the logits.
    """
    layer = find_layer(model, at)
    n = len(images)
    if classes.shape != (n,) or classes.dtype.is_floating_point or classes.dtype == torch.bool:
        raise ValueError(f"classes must be {n} integers, one an image, got {classes.dtype} of shape "
                         f"{tuple(classes.shape)}")
    seen: list[Tensor] = []

    def cut(module: nn.Module, inputs: Any, output: Any) -> Tensor:
        require_features(output, at)
        seen.append(output.detach().requires_grad_())
        return seen[-1].clone()  # a layer that works in place may not change a leaf

    hook = layer.register_forward_hook(cut)
    try:
        with torch.inference_mode(False), torch.enable_grad(), evaluating(model):
            out = model(images.clone() if images.is_inference() else images)
            z = out if logits is None else logits(out)
            if len(seen) != 1:
                raise ValueError(f"layer {at!r} must run once in a forward pass, it ran {len(seen)} "
                                 "times")
            features = seen[0]
            chosen = _chosen(z, classes).sum()
            if not chosen.requires_grad:
                raise ValueError(f"the logits do not depend on layer {at!r}")
            (slope,) = torch.autograd.grad(chosen, features, allow_unused=True)
    finally:
        hook.remove()
    if slope is None:
        raise ValueError(f"the logits do not depend on layer {at!r}")
    alpha = slope.float().mean(dim=(2, 3), keepdim=True)
    return (alpha * features.detach().float()).sum(dim=1).relu()


def to_unit(raw: Tensor, scale: Tensor | float | None = None) -> Tensor:
    """``raw / scale`` in [0, 1]: one scale for all maps of the set.

    A scale of each image's own would give every image, also one without evidence, a maximum of 1:
    pass ``per_image_scale(raw)`` to have that.

    Args:
        raw: ``(n, h, w)``, of :func:`grad_cam`.
        scale: the largest value of the set; default that of ``raw``.  Of a set that comes in
            batches, the largest over all of them; larger values are cut at 1.  Or ``(n, 1, 1)``.

    Raises:
        ValueError: negative or non-finite values, a negative scale.

    >>> to_unit(torch.tensor([[[0.0, 1.0]], [[2.0, 4.0]]])).tolist()
    [[[0.0, 0.25]], [[0.5, 1.0]]]
    """
    if raw.ndim != 3:
        raise ValueError(f"maps must have shape (n, h, w), got {tuple(raw.shape)}")
    if not bool((torch.isfinite(raw) & (raw >= 0)).all()):
        raise ValueError("maps must be finite and not negative: give those of grad_cam")
    scale = torch.as_tensor(raw.amax() if scale is None else scale, dtype=raw.dtype, device=raw.device)
    if not bool((torch.isfinite(scale) & (scale >= 0)).all()):
        raise ValueError(f"scale must be finite and not negative, got {scale}")
    return torch.where(scale > 0, raw / scale, torch.zeros_like(raw)).clamp(max=1)


def per_image_scale(raw: Tensor) -> Tensor:
    """The largest value of each map, ``(n, 1, 1)``."""
    return raw.amax(dim=(1, 2), keepdim=True)


def _chosen(z: Any, classes: Tensor) -> Tensor:
    """The logit of its class for each image, ``(n,)``."""
    if not isinstance(z, Tensor) or z.ndim != 2 or len(z) != len(classes):
        got = f"shape {tuple(z.shape)}" if isinstance(z, Tensor) else type(z).__name__
        raise ValueError(f"the logits must have shape ({len(classes)}, k), got {got}: take them from "
                         "what the model returns with logits=")
    low, high = int(classes.min()), int(classes.max())
    if low < 0 or high >= z.shape[1]:
        raise ValueError(f"classes must be in 0 ... {z.shape[1] - 1}, got {low if low < 0 else high}")
    return z.gather(1, classes.to(z.device, torch.int64)[:, None])[:, 0]
