r"""Attention of others behind the same interface, and an upper and a lower row.

Position-wise (the paper's baseline), the spatial part of CBAM, SimAM; the oracle, which is given
the true masks, and a rectangle that never moves.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from theory.rectangle import Rectangle
from training.attention_base import (
    AttentionMap,
    ScaledAttention,
    SpatialAttention,
    positive,
    positive_integer,
    truth_map,
)
from training.attention_ranges import at_least_float32


class PositionwiseAttention(SpatialAttention):
    """The paper's baseline: one logit a position, from dilated convolutions  [App. G].

    Args:
        channels: of the features.
        width: channels of the inner layers, 80 in the paper (80 C + 116 161 parameters).
        dilation: of the three 3x3 layers, 4 in the paper.
        residual, rescale, gate: as in :class:`training.attention_base.SpatialAttention`.
    """

    def __init__(
        self,
        channels: int,
        *,
        width: int = 80,
        dilation: int = 4,
        residual: bool = True,
        rescale: bool = True,
        gate: bool = False,
    ) -> None:
        super().__init__(channels, residual=residual, rescale=rescale, gate=gate)
        width, dilation = positive_integer("width", width), positive_integer("dilation", dilation)
        wide = {"padding": dilation, "dilation": dilation}
        self.head = nn.Sequential(
            nn.Conv2d(channels, width, 1), nn.ReLU(),
            nn.Conv2d(width, width, 3, **wide), nn.ReLU(),
            nn.Conv2d(width, width, 3, **wide), nn.ReLU(),
            nn.Conv2d(width, 1, 3, **wide),
        )

    def look(self, x: Tensor) -> AttentionMap:
        logit = at_least_float32(self.head(x)[:, 0])
        return AttentionMap(logsigmoid(logit), None, lambda: logit)


class CBAMSpatialAttention(SpatialAttention):
    r"""The spatial part of CBAM: :math:`f=\Lambda(\mathrm{conv}_{7\times7}[\mathrm{mean}_c x;
    \max_c x])`, multiplied to the features.

    As in the article: no residual, no rescaling, no batch normalisation (the authors' code has one
    after the convolution).

    Args:
        channels: of the features.
        kernel: side of the convolution, odd.
        residual, rescale, gate: as in :class:`training.attention_base.SpatialAttention`.
    """

    def __init__(
        self,
        channels: int,
        *,
        kernel: int = 7,
        residual: bool = False,
        rescale: bool = False,
        gate: bool = False,
    ) -> None:
        super().__init__(channels, residual=residual, rescale=rescale, gate=gate)
        if positive_integer("kernel", kernel) % 2 == 0:
            raise ValueError(f"kernel must be odd, got {kernel}")
        self.head = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)

    def look(self, x: Tensor) -> AttentionMap:
        pooled = torch.stack([x.mean(dim=1), x.amax(dim=1)], dim=1)
        logit = at_least_float32(self.head(pooled)[:, 0])
        return AttentionMap(logsigmoid(logit), None, lambda: logit)


class SimAM(SpatialAttention):
    r"""SimAM: every value of the features weighted by how far it is from its channel's mean.

    :math:`\hat x = x\odot\Lambda\!\left(\frac{(x-m)^2}{4(v+\lambda)}+\frac12\right)` with mean m
    and variance v (over HW - 1) of a channel's positions.  No parameters, no residual, no
    rescaling.  The weights differ between channels; the map, for localisation, is their mean over
    the channels, and by this definition it is above 1/2 everywhere.

    Args:
        channels: of the features.
        regularization: lambda.
    """

    def __init__(self, channels: int, *, regularization: float = 1e-4) -> None:
        super().__init__(channels, residual=False, rescale=False)
        self.regularization = positive("regularization", regularization)

    def look(self, x: Tensor) -> AttentionMap:
        return self._map(simam_weights(x, self.regularization))

    def attend(self, x: Tensor) -> tuple[Tensor, AttentionMap]:
        weights = simam_weights(x, self.regularization)
        return x * weights, self._map(weights)

    def _map(self, weights: Tensor) -> AttentionMap:
        f = at_least_float32(weights.mean(dim=1))
        return AttentionMap(torch.log(f), None, lambda: torch.logit(f))


def simam_weights(x: Tensor, regularization: float = 1e-4) -> Tensor:
    """The weights of :class:`SimAM` for features ``(n, C, H, W)``, of the same shape.

    Raises:
        ValueError: a single position, which has no variance.
    """
    free = x.shape[-2] * x.shape[-1] - 1
    if free < 1:
        raise ValueError(f"SimAM needs at least 2 positions, got {tuple(x.shape[-2:])}")
    d = x - x.mean(dim=(-2, -1), keepdim=True)
    squares = d * d
    variance = squares.sum(dim=(-2, -1), keepdim=True) / free
    return torch.sigmoid(squares * (0.25 / (variance + regularization)) + 0.5)


class OracleAttention(SpatialAttention):
    """Attends to the true masks it is given: what a perfect map is worth.

    Set ``truth``, masks ``(n, H, W)`` with +1 in the object, before each call; ignored positions
    (0) count as outside.

    Raises:
        ValueError: no masks, or masks of another shape than the features.
    """

    def __init__(self, channels: int, *, residual: bool = True, rescale: bool = True) -> None:
        super().__init__(channels, residual=residual, rescale=rescale)
        self.truth: Tensor | None = None

    def look(self, x: Tensor) -> AttentionMap:
        wanted = (len(x), *x.shape[-2:])
        if self.truth is None or tuple(self.truth.shape) != wanted:
            got = None if self.truth is None else f"shape {tuple(self.truth.shape)}"
            raise ValueError("the oracle needs the true masks (attribute truth) of shape "
                             f"{wanted}, got {got}")
        return truth_map(self.truth)


class FixedRectangle(ScaledAttention):
    """The same upright rectangle in the middle of every image: what looking is worth, at least.

    Args:
        channels: of the features.
        half_widths: vertical and horizontal, in grid coordinates (where the grid is 1 wide).
        s: the scale factor of Eq. 1.
        residual, rescale: Eqs. 6 and 7.
    """

    def __init__(
        self,
        channels: int,
        *,
        half_widths: tuple[float, float] = (0.25, 0.25),
        s: float = 6.0,
        residual: bool = True,
        rescale: bool = True,
    ) -> None:
        super().__init__(channels, s=s, residual=residual, rescale=rescale)
        first, second = (positive("half_widths", value) for value in half_widths)
        self.register_buffer("rectangle", torch.tensor([0.5, 0.5, first, second, 0.0]),
                             persistent=False)

    def look(self, x: Tensor) -> AttentionMap:
        p = at_least_float32(self.rectangle).expand(x.shape[0], 5)
        rectangle = Rectangle.unchecked(p[:, 0:2], p[:, 2:4], p[:, 4])
        return AttentionMap.of_shapes(rectangle, *x.shape[-2:], self.scale)
