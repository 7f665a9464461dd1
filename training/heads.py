r"""Heads that predict a rectangle: ``(centre, raw half-widths, angle)`` from features.

A head is ``head(channels, start_half_width)``; the raw half-widths pass through a floor in
:class:`training.attention.RectangularAttention`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from theory.rectangle import grid

UNIFORM_SPREAD = 12**-0.5  # standard deviation of the uniform distribution on [0, 1]


class PaperHead(nn.Module):
    """Three 3x3 convolutions (64, 128, 256), max-pool 2 after the first two, global average
    pooling, linear to 5  [App. G].

    The centre is ``(1 + r / (1 + |r|)) / 2`` of the raw output r: always inside, and the gradient
    back falls off like ``1/r^2`` only.  The angle is the raw output, which has no jump.
    """

    def __init__(self, channels: int, start_half_width: float) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(128, 256, 3, padding=1), nn.ReLU(),
        )
        self.out = nn.Linear(256, 5)
        with torch.no_grad():
            self.out.bias.copy_(torch.tensor([0.0, 0.0, start_half_width, start_half_width, 0.0]))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if min(x.shape[-2:]) < 4:
            raise ValueError(
                "the paper head pools by 2 twice and needs sides of at least 4, got "
                f"{tuple(x.shape[-2:])}"
            )
        out = self.out(self.features(x).mean(dim=(-2, -1)))
        return (1 + nn.functional.softsign(out[:, 0:2])) / 2, out[:, 2:4], out[:, 4]


class CoordsHead(nn.Module):
    r"""The rectangle of the moments of a saliency map.

    A saliency p (softmax over the positions of a 1x1 network on features and coordinates) has a
    mean, inside the image whatever the weights, and a covariance.  The mean is the centre; the
    principal axes give the angle :math:`\frac12\mathrm{atan2}(2 v_{12}, v_{11}-v_{22})`, which
    jumps only by a half turn, and that leaves the rectangle where it is; the spreads along the axes
    give the half-widths through a small linear layer.  At the start p is almost uniform, and the
    layer takes the mean of both spreads: the rectangle is a square that follows p.  (Were it
    elongated from the start, a saliency that avoids the cue could aim a long bar at it by the angle
    alone: a local minimum met in pilots.)
    """

    def __init__(self, channels: int, start_half_width: float, hidden: int = 16) -> None:
        super().__init__()
        self.mix = nn.Conv2d(channels + 2, hidden, 1)
        self.saliency = nn.Conv2d(hidden, 1, 1)
        self.size = nn.Linear(4, 2)
        with torch.no_grad():
            nn.init.normal_(self.saliency.weight, std=0.05)
            nn.init.zeros_(self.saliency.bias)
            self.size.weight.copy_(torch.tensor([[0.75, 0.75, 0.0, 0.0], [0.75, 0.75, 0.0, 0.0]]))
            self.size.bias.fill_(start_half_width - 1.5 * UNIFORM_SPREAD)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        points = grid(*x.shape[-2:], like=x)
        coordinates = points.movedim(-1, 0).expand(len(x), -1, -1, -1)
        z = self.saliency(torch.relu(self.mix(torch.cat([x, coordinates], dim=1))))
        with torch.autocast(x.device.type, enabled=False):
            mean, spread, angle = moments(z.float().flatten(1), points.float().flatten(0, 1))
            return mean, self.size(torch.cat([spread, mean], dim=1)), angle


def moments(logits: Tensor, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean ``(n, 2)``, spreads along the principal axes ``(n, 2)`` and angle ``(n,)`` of softmax
    weights ``(n, m)`` on ``points (m, 2)``.

    The first axis is the longer one.  Where both spreads agree the angle is arbitrary; small
    constants keep its gradient finite there.
    """
    p = torch.softmax(logits, dim=1)
    mean = p @ points
    d = points - mean[:, None]
    v11, v22 = (p * d[..., 0] ** 2).sum(1), (p * d[..., 1] ** 2).sum(1)
    v12 = (p * d[..., 0] * d[..., 1]).sum(1)
    half, middle = (v11 - v22) / 2, (v11 + v22) / 2
    radius = torch.sqrt(half**2 + v12**2 + 1e-8)
    angle = torch.atan2(v12, half + 1e-6) / 2
    spread = torch.stack([middle + radius, (middle - radius).clamp_min(1e-4)], dim=1).sqrt()
    return mean, spread, angle


HEADS = {"coords": CoordsHead, "paper": PaperHead}
