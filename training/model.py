"""Networks in three parts: trunk -> attention -> tail.

The small CNN sees patches of ``stride`` x ``stride`` pixels and nothing around them, so that it
cannot bind a far cue to the texture it marks; its tail has 1x1 convolutions only.  Binding is left
to the attention.  ``layers`` 3x3 convolutions, of which ``depth`` come before the attention, take
that away, which is what the experiment on the layer's depth turns.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.attention import (
    AttentionMap,
    PositionwiseAttention,
    RectangularAttention,
    SpatialAttention,
)
from training.config import RunConfig
from training.methods import make_attention

PIXEL_SCALE = 4.0  # images are gray +- 0.3: brought to order 1


class AttentionNet(nn.Module):
    """Trunk, attention, tail and classifier.

    Args:
        trunk: images ``(n, 3, H, W)`` to features ``(n, C, h, w)``.
        attention: a :class:`SpatialAttention` of C channels, or None.
        tail: attended features to class logits ``(n, classes)``.
    """

    def __init__(self, trunk: nn.Module, attention: SpatialAttention | None, tail: nn.Module) -> None:
        super().__init__()
        self.trunk, self.attention, self.tail = trunk, attention, tail

    def features(self, images: Tensor) -> Tensor:
        """What the attention looks at."""
        return self.trunk(images)

    def look(self, x: Tensor, truth: Tensor | None = None) -> AttentionMap | None:
        """The attention map of features x; ``truth`` (masks) is for the oracle alone."""
        if self.attention is None:
            return None
        self._tell(truth)
        return self.attention.look(x)

    def forward(
        self, images: Tensor, truth: Tensor | None = None
    ) -> tuple[Tensor, AttentionMap | None]:
        """Class logits ``(n, classes)`` and the attention map, if there is one."""
        x, found = self.features(images), None
        if self.attention is not None:
            self._tell(truth)
            x, found = self.attention(x, return_map=True)
        return self.tail(x), found

    def _tell(self, truth: Tensor | None) -> None:
        if hasattr(self.attention, "truth"):
            if truth is None:
                raise ValueError("the oracle needs the true masks, got None")
            self.attention.truth = truth


class Scaled(nn.Module):
    """Images about 1/2 brought to order 1."""

    def forward(self, images: Tensor) -> Tensor:
        return (images - 0.5) * PIXEL_SCALE


class MeanPool(nn.Module):
    """The mean over all positions, whose backward is deterministic."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(-2, -1))


def small_net(config: RunConfig, classes: int) -> AttentionNet:
    """The small CNN of a configuration."""
    width, patch = config.width, config.shapes.stride
    layers = [layer for _ in range(config.layers)
              for layer in (nn.Conv2d(width, width, 3, padding=1), nn.ReLU())]
    before, after = layers[: 2 * config.depth], layers[2 * config.depth:]
    trunk = nn.Sequential(Scaled(), nn.Conv2d(3, width, patch, stride=patch), nn.ReLU(),
                          nn.Conv2d(width, width, 1), nn.ReLU(), *before)
    tail = nn.Sequential(*after, nn.Conv2d(width, config.tail, 1), nn.ReLU(), MeanPool(),
                         nn.Linear(config.tail, classes))
    return AttentionNet(trunk, make_attention(config, width), tail)


def gradient_ratio(net: AttentionNet, images: Tensor, labels: Tensor) -> float | None:
    """``|indirect| / |direct|``: the norms of the two terms of Eq. 8 on the trunk's parameters.

    Of the mean cross-entropy.  Direct is the gradient with the map detached; indirect, the rest,
    comes through the map.  None but for rectangular and position-wise attention behind a trunk that
    is trained, and where the direct term is 0.
    """
    parameters = [p for p in net.trunk.parameters() if p.requires_grad]
    if not isinstance(net.attention, RectangularAttention | PositionwiseAttention) or not parameters:
        return None
    x = net.features(images)
    log_f = net.look(x).log_f
    whole, direct = (
        torch.cat([g.flatten() for g in torch.autograd.grad(
            nn.functional.cross_entropy(net.tail(net.attention.combine(x, f)), labels),
            parameters, retain_graph=True)])
        for f in (log_f, log_f.detach())
    )
    norm = float(direct.norm())
    return float((whole - direct).norm()) / norm if norm > 0 else None
