"""From a configuration to a network: small, pretrained and frozen, or pretrained and fine-tuned."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.attach import find_layer, run_until
from training.backbones import PRETRAINED, Backbone, backbone
from training.config import RunConfig
from training.methods import make_attention
from training.model import AttentionNet, MeanPool, small_net

FROZEN_TAIL, HIDDEN = 128, 512  # channels of the convolutions behind a frozen trunk; App. G's 512


def make_network(config: RunConfig, classes: int, channels: int | None = None) -> AttentionNet:
    """The untrained network (but for pretrained weights) of a configuration.

    Random weights come from torch's global generator: seed it (in a fork) before.  Of a frozen
    backbone the trunk is left out: its features, of ``channels`` channels, are what the network is
    given.
    """
    if config.backbone == "small":
        return small_net(config, classes)
    if config.freeze:
        tail = nn.Sequential(
            nn.Conv2d(channels, FROZEN_TAIL, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(FROZEN_TAIL, FROZEN_TAIL, 3, padding=1), nn.ReLU(), MeanPool(),
            nn.Linear(FROZEN_TAIL, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, classes))
        return AttentionNet(nn.Identity(), make_attention(config, channels), tail)
    made = make_backbone(config, classes, int(torch.randint(2**31, ())))
    return AttentionNet(BackboneTrunk(made), make_attention(config, made.channels),
                        BackboneTail(made))


def make_backbone(config: RunConfig, classes: int | None, seed: int = 0) -> Backbone:
    """The backbone of a configuration, with its pretrained weights if it asks for any."""
    weights = PRETRAINED if config.pretrained == "package" else config.pretrained or None
    return backbone(config.backbone, classes=classes, weights=weights, seed=seed,
                    image=config.side or None)


class BackboneTrunk(nn.Module):
    """Images to the features at the place of the attention, with gradients."""

    def __init__(self, made: Backbone) -> None:
        super().__init__()
        self.backbone = made

    def forward(self, images: Tensor) -> Tensor:
        made = self.backbone
        return run_until(made.model, find_layer(made.model, made.at), made.normalise(images))


class BackboneTail(nn.Module):
    """The layers of a backbone after the place of the attention."""

    def __init__(self, made: Backbone) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({name: getattr(made.model, name) for name in made.design.tail})
        self._made = (made,)  # out of sight of parameters(): the trunk is not the tail's

    def forward(self, x: Tensor) -> Tensor:
        (made,) = self._made
        return made.design.run_tail(made.model, x)
