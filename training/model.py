"""A small CNN: patches -> attention -> position-wise tail -> mean -> classes.

The trunk sees patches of ``stride`` x ``stride`` pixels and nothing around them, so that it cannot
bind a far cue to the texture it marks; the tail has 1x1 convolutions only.  Binding is left to the
attention.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.attention import (
    AttentionMap,
    PositionwiseAttention,
    RectangularAttention,
    apply_map,
    truth_map,
)
from training.config import RunConfig
from training.shapes import TEXTURES

PIXEL_SCALE = 4.0  # images are gray +- 0.3: brought to order 1


class SmallNet(nn.Module):
    """The network of a :class:`training.config.RunConfig`.

    ``method`` "none" has no attention, "oracle" attends to the true mask it is given.
    """

    def __init__(self, config: RunConfig) -> None:
        super().__init__()
        self.method, width, patch = config.method, config.width, config.shapes.stride
        self.flags = {"residual": config.residual, "rescale": config.rescale}
        self.trunk = nn.Sequential(
            nn.Conv2d(3, width, patch, stride=patch), nn.ReLU(), nn.Conv2d(width, width, 1), nn.ReLU()
        )
        self.tail = nn.Sequential(nn.Conv2d(width, config.tail, 1), nn.ReLU())
        self.classify = nn.Linear(config.tail, TEXTURES)
        self.attention = _attention(config)

    def features(self, images: Tensor) -> Tensor:
        """Trunk features ``(n, width, h, w)`` of images ``(n, 3, H, W)``."""
        return self.trunk((images - 0.5) * PIXEL_SCALE)

    def look(self, x: Tensor, truth: Tensor | None = None) -> AttentionMap | None:
        """The attention map of features x; ``truth`` (masks) is for the oracle alone."""
        if self.method == "oracle":
            if truth is None:
                raise ValueError("the oracle needs the true masks, got None")
            return truth_map(truth)
        return None if self.attention is None else self.attention.look(x)

    def logits(self, x: Tensor, log_f: Tensor | None) -> Tensor:
        """Class logits of features x under the map."""
        if log_f is not None:
            x = apply_map(x, log_f, **self.flags)
        return self.classify(self.tail(x).mean(dim=(-2, -1)))

    def forward(
        self, images: Tensor, truth: Tensor | None = None
    ) -> tuple[Tensor, AttentionMap | None]:
        """Class logits ``(n, 4)`` and the attention map, if there is one."""
        x = self.features(images)
        found = self.look(x, truth)
        return self.logits(x, None if found is None else found.log_f), found


def gradient_ratio(net: SmallNet, images: Tensor, labels: Tensor) -> float | None:
    """``|indirect| / |direct|``: the norms of the two terms of Eq. 8 on the trunk's parameters.

    Of the mean cross-entropy.  Direct is the gradient with the map detached; indirect, the rest,
    comes through the map.  None without a learnt map or where the direct term is 0.
    """
    if net.attention is None:
        return None
    parameters = list(net.trunk.parameters())
    x = net.features(images)
    log_f = net.look(x).log_f
    whole, direct = (
        torch.cat([g.flatten() for g in torch.autograd.grad(
            nn.functional.cross_entropy(net.logits(x, f), labels), parameters, retain_graph=True)])
        for f in (log_f, log_f.detach())
    )
    norm = float(direct.norm())
    return float((whole - direct).norm()) / norm if norm > 0 else None


def _attention(config: RunConfig) -> nn.Module | None:
    flags = {"residual": config.residual, "rescale": config.rescale}
    if config.method == "positionwise":
        return PositionwiseAttention(config.width, width=config.positionwise_width, **flags)
    if config.method in ("rectangle", "rectangle-paper"):
        head = "paper" if config.method == "rectangle-paper" else "coords"
        return RectangularAttention(config.width, head=head, s=config.s,
                                    start_half_width=config.start_half_width, **flags)
    return None
