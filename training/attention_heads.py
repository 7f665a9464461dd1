r"""Heads that predict rectangles: centres, raw half-widths and angles from features  [App. G].

A head is ``head(channels, start_half_width, count, ...)`` and gives ``center (n, k, 2)``, ``raw
half-widths (n, k, 2)`` and ``angle (n, k)`` for k = count rectangles an image; the raw half-widths
pass through :mod:`training.attention_ranges`.

The angle is either the raw output of a linear layer (paper), which has no jump, or half of the angle
of a vector (the others), which jumps by a half turn only, and that leaves every rectangle and
ellipse where it is.  What remains are the points where that vector is 0 (an isotropic saliency): the
angle is arbitrary there, and turns fast beside them.  A path through features meets none of them but
by chance, and no angle that is invariant under half turns is without them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear

from training.attention_ranges import (
    at_least_float32,
    bounded_logits,
    full_precision,
    inside_image,
)
from training.attention_shapes import positions

UNIFORM_SPREAD = 12**-0.5  # standard deviation of the uniform distribution on [0, 1]
Parameters = tuple[Tensor, Tensor, Tensor]


class PaperHead(nn.Module):
    """Three 3x3 convolutions (64, 128, 256), max-pool 2 after the first two, global average
    pooling, linear to 5 (for each rectangle)  [App. G].

    The pooling is blind to position but for the zero padding of the convolutions.

    Args:
        center: "inside" keeps the centre in the image, "linear" takes the raw output for it, as the
            paper does: a centre that has left the image gets next to no gradient back.
    """

    def __init__(
        self, channels: int, start_half_width: float, count: int = 1, *, center: str = "inside"
    ) -> None:
        super().__init__()
        if center not in CENTERS:
            raise ValueError(f"center must be one of {sorted(CENTERS)}, got {center!r}")
        self.center = center
        self.features = nn.Sequential(
            nn.Conv2d(channels, 64, 3, padding=1), nn.ReLU(), Halve(),
            nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), Halve(),
            nn.Conv2d(128, 256, 3, padding=1), nn.ReLU(),
        )
        self.out = nn.Linear(256, 5 * count)
        middle = {"inside": 0.0, "linear": 0.5}[center]
        with torch.no_grad():
            start = [middle, middle, start_half_width, start_half_width, 0.0]
            self.out.bias.copy_(torch.tensor(start * count))

    def forward(self, x: Tensor) -> Parameters:
        pooled = self.pooled(x)
        with full_precision(pooled):
            out = _linear(self.out, pooled).unflatten(-1, (-1, 5))
        return CENTERS[self.center](out[..., 0:2]), out[..., 2:4], out[..., 4]

    def pooled(self, x: Tensor) -> Tensor:
        """The features that the last layer is linear in, ``(n, 256)``."""
        if min(x.shape[-2:]) < 4:
            raise ValueError(
                "the paper head pools by 2 twice and needs sides of at least 4, got "
                f"{tuple(x.shape[-2:])}"
            )
        return at_least_float32(self.features(x)).mean(dim=(-2, -1))


class Halve(nn.Module):
    """Max-pooling by 2; odd last rows and columns are dropped.

    As a maximum of four slices, because the backward of torch's own pooling is not deterministic on
    a GPU.
    """

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2] // 2 * 2, x.shape[-1] // 2 * 2
        rows = torch.maximum(x[..., 0:height:2, :width], x[..., 1:height:2, :width])
        return torch.maximum(rows[..., 0::2], rows[..., 1::2])


class _MomentsHead(nn.Module):
    r"""Rectangles of the moments of saliency maps, computed from ``hidden`` channels.

    A saliency p (softmax over the positions) has a mean, inside the image whatever the weights, and
    a covariance.  The mean is the centre; the principal axes give the angle, the spreads along them
    the half-widths, through a small linear layer.  At the start p is almost uniform, and the layer
    takes the mean of both spreads: the rectangle is a square that follows p.  (Were it elongated
    from the start, a saliency that avoids the cue could aim a long bar at it by the angle alone: a
    local minimum met in pilots.)
    """

    def __init__(self, start_half_width: float, count: int, hidden: int) -> None:
        super().__init__()
        self.saliency = nn.Conv2d(hidden, count, 1)
        self.size = nn.Linear(4, 2)
        with torch.no_grad():
            nn.init.normal_(self.saliency.weight, std=0.05)
            nn.init.zeros_(self.saliency.bias)
            self.size.weight.copy_(torch.tensor([[0.75, 0.75, 0.0, 0.0], [0.75, 0.75, 0.0, 0.0]]))
            self.size.bias.fill_(start_half_width - 1.5 * UNIFORM_SPREAD)

    def rectangles(self, hidden: Tensor, points: Tensor) -> Parameters:
        """The parameters from hidden features ``(n, hidden, H, W)``; points ``(H, W, 2)``."""
        with full_precision(hidden):
            z = bounded_logits(_by_position(self.saliency, at_least_float32(hidden).flatten(2)))
            mean, spread, angle = moments(z, points.flatten(0, 1))
            return mean, _linear(self.size, torch.cat([spread, mean], dim=-1)), angle


class CoordsHead(_MomentsHead):
    """Moments of a saliency from a 1x1 network on features and coordinates."""

    def __init__(
        self, channels: int, start_half_width: float, count: int = 1, *, hidden: int = 16
    ) -> None:
        mix = nn.Conv2d(channels + 2, hidden, 1)  # first, so that seeds give the weights they gave
        super().__init__(start_half_width, count, hidden)
        self.mix = mix

    def forward(self, x: Tensor) -> Parameters:
        points = positions(x, *x.shape[-2:])
        channels = x.shape[1]  # the layer of [x, coordinates] without their concatenation
        weight = self.mix.weight
        mixed = conv2d(x, weight[:, :channels], self.mix.bias)
        mixed = mixed + conv2d(points.movedim(-1, 0)[None].to(x.dtype), weight[:, channels:])
        return self.rectangles(torch.relu(mixed), points)


class LightHead(_MomentsHead):
    """A 1x1 reduction to few channels, then moments of a saliency from a 3x3 network on them and
    coordinates: next to the reduction, the head costs nothing."""

    def __init__(
        self, channels: int, start_half_width: float, count: int = 1, *, hidden: int = 8
    ) -> None:
        super().__init__(start_half_width, count, hidden)
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.context = nn.Conv2d(hidden + 2, hidden, 3, padding=1)

    def forward(self, x: Tensor) -> Parameters:
        points = positions(x, *x.shape[-2:])
        reduced = torch.relu(self.reduce(x))
        coordinates = points.movedim(-1, 0).to(reduced.dtype).expand(x.shape[0], -1, -1, -1)
        mixed = self.context(torch.cat([reduced, coordinates], dim=1))
        return self.rectangles(torch.relu(mixed), points)


class SoftArgmaxHead(nn.Module):
    r"""The centre follows a saliency map, size and angle are read from what is salient.

    Convolutions without coordinates give features h and a saliency p (softmax over positions):
    where the image moves, and padding is out of reach, both move with it.  The centre is the soft
    argmax :math:`\sum_t p(t)\,t`.  A linear layer on the pooled features :math:`\sum_t p(t)\,h(t)`
    and on the covariance of p, none of which a translation changes, gives the raw half-widths and
    :math:`(q_1,q_2)=r(\cos2\alpha,\sin2\alpha)`.
    """

    def __init__(
        self, channels: int, start_half_width: float, count: int = 1, *, hidden: int = 16
    ) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, hidden, 1), nn.ReLU(),
            nn.Conv2d(hidden, hidden, 3, padding=1), nn.ReLU(),
            nn.Conv2d(hidden, hidden, 3, padding=2, dilation=2), nn.ReLU(),
        )
        self.saliency = nn.Conv2d(hidden, count, 1)
        self.out = nn.Linear(hidden + 3, 4)
        with torch.no_grad():
            self.out.weight.mul_(0.1)
            self.out.bias.copy_(torch.tensor([start_half_width, start_half_width, 0.1, 0.0]))

    def forward(self, x: Tensor) -> Parameters:
        points = positions(x, *x.shape[-2:])
        h = self.features(x)
        with full_precision(h):
            h = at_least_float32(h).flatten(2)
            p = torch.softmax(bounded_logits(_by_position(self.saliency, h)), dim=-1)
            center, *covariance = covariances(p, points.flatten(0, 1))
            pooled = p @ h.mT
            spread = torch.stack(covariance, dim=-1) / UNIFORM_SPREAD**2
            out = _linear(self.out, torch.cat([pooled, spread], dim=-1))
            return center, out[..., 0:2], half_angle(out[..., 2], out[..., 3])


def covariances(p: Tensor, points: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Mean ``(..., 2)`` and covariances v11, v22, v12 ``(...)`` of weights ``p (..., m)`` on
    ``points (m, 2)``, in one product.

    Second moments are taken about the middle of the grid, so that little cancels.
    """
    d = points - 0.5
    basis = torch.cat([d, d * d, d[:, :1] * d[:, 1:]], dim=-1)
    mean, squares, product = (p @ basis).split([2, 2, 1], dim=-1)
    (m1, m2), (v11, v22) = mean.unbind(-1), (squares - mean * mean).unbind(-1)
    return mean + 0.5, v11, v22, product.squeeze(-1) - m1 * m2


def half_angle(first: Tensor, second: Tensor) -> Tensor:
    """Half of the angle of a vector, in [-pi/2, pi/2]; a small constant keeps 0 off the origin."""
    return torch.atan2(second, first + 1e-6) / 2


def moments(logits: Tensor, points: Tensor) -> Parameters:
    """Mean ``(..., 2)``, spreads along the principal axes ``(..., 2)`` and angle ``(...)`` of the
    softmax weights of ``logits (..., m)`` on ``points (m, 2)``.

    The first axis is the longer one.  Where both spreads agree the angle is arbitrary; small
    constants keep its gradient finite there.
    """
    mean, v11, v22, v12 = covariances(torch.softmax(logits, dim=-1), points)
    half, middle = (v11 - v22) / 2, (v11 + v22) / 2
    radius = torch.sqrt(half**2 + v12**2 + 1e-8)
    spread = torch.stack([middle + radius, (middle - radius).clamp_min(1e-4)], dim=-1).sqrt()
    return mean, spread, half_angle(half, v12)


def _by_position(layer: nn.Conv2d, x: Tensor) -> Tensor:
    """A 1x1 convolution as a matrix on positions ``(n, channels, m)``, which is faster for few
    channels; in the precision of x."""
    return layer.weight.to(x.dtype).flatten(1) @ x + layer.bias.to(x.dtype)[:, None]


def _linear(layer: nn.Linear, x: Tensor) -> Tensor:
    """The layer in the precision of x: float32 also in a module kept in half precision."""
    return linear(x, layer.weight.to(x.dtype), layer.bias.to(x.dtype))


CENTERS = {"inside": inside_image, "linear": lambda raw: raw}
HEADS = {"coords": CoordsHead, "paper": PaperHead, "softargmax": SoftArgmaxHead, "light": LightHead}
