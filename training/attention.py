r"""Rectangular and position-wise attention as torch modules  [section 4, App. G].

Equations 1-7 are those of ``theory``; here are the heads, which map features to the five
parameters (rectangular) or to one logit a position (position-wise).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

import theory.attention
from theory.rectangle import (
    Rectangle,
    grid,
    hard_mask,
    log_sigmoid,
    log_soft_rectangle,
    logit_soft_rectangle,
)
from training.heads import HEADS


@dataclass(frozen=True, eq=False)
class AttentionMap:
    """What a module looked at: ``log_f (n, H, W)``, and the rectangle if there is one.

    ``logit()`` is ``log(f / (1 - f))``, for losses on the map.
    """

    log_f: Tensor
    rectangle: Rectangle | None
    logit: Callable[[], Tensor]

    @property
    def f(self) -> Tensor:
        """The map, in [0, 1], never the rescaled one."""
        return torch.exp(self.log_f)

    def threshold_mask(self) -> Tensor:
        """The mask ``{f >= 1/2}``, int8 with values -1 and +1."""
        return 2 * (self.log_f >= math.log(0.5)).to(torch.int8) - 1

    def hard_mask(self) -> Tensor:
        """The primary mask: the hard rectangle; ``{f >= 1/2}`` where there is no rectangle."""
        if self.rectangle is None:
            return self.threshold_mask()
        return hard_mask(self.rectangle, *self.log_f.shape[-2:])


def apply_map(x: Tensor, log_f: Tensor, *, residual: bool = True, rescale: bool = True) -> Tensor:
    r"""Features ``x (n, C, H, W)`` under the map ``log_f (n, H, W)``  [Eqs. 6, 7].

    :math:`x + \tilde f\odot x`; f in place of f~ without ``rescale``, no ``x +`` without
    ``residual``.
    """
    f = theory.attention.rescale_log(log_f) if rescale else torch.exp(log_f)
    combine = theory.attention.residual if residual else theory.attention.without_residual
    return combine(x.movedim(1, -1), f.to(x.dtype)).movedim(-1, 1)


class SpatialAttention(nn.Module, ABC):
    """What the modules share: features in, features out, the map on request.

    ``last`` holds the :class:`AttentionMap` of the last call, detached from the graph.
    """

    def __init__(self, channels: int, *, residual: bool, rescale: bool) -> None:
        super().__init__()
        if int(channels) != channels or channels < 1:
            raise ValueError(f"channels must be a positive integer, got {channels}")
        self.channels, self.residual, self.rescale = channels, residual, rescale
        self.last: AttentionMap | None = None

    @abstractmethod
    def look(self, x: Tensor) -> AttentionMap:
        """The map of features ``x (n, C, H, W)``."""

    def forward(self, x: Tensor, return_map: bool = False) -> Tensor | tuple[Tensor, AttentionMap]:
        """Attended features, shaped like ``x``; with ``return_map`` also the map."""
        if x.ndim != 4 or x.shape[1] != self.channels:
            raise ValueError(
                f"features must have shape (n, {self.channels}, H, W): the module was built for "
                f"{self.channels} channels, got {tuple(x.shape)}"
            )
        found = self.look(x)
        self.last = _detached(found)
        out = apply_map(x, found.log_f, residual=self.residual, rescale=self.rescale)
        return (out, found) if return_map else out


class RectangularAttention(SpatialAttention):
    r"""Attention on one rectangle  [Eqs. 1-7].

    Args:
        channels: of the features.
        head: "coords" (keeps positions: coordinate channels, the moments of one saliency map) or
            "paper" (App. G: 576 C + 370 373 parameters; global average pooling, blind to position
            but for zero padding; sides of at least 4).
        s: the scale factor of Eq. 1; the attribute ``s`` may be changed while training.
        residual, rescale: Eqs. 6 and 7.
        min_half_width: floor of the half-widths, in units of the pitch of the grid (of its shorter
            side): below it the map falls between the cells and the gradient dies.
        start_half_width: half-widths at the start, in grid coordinates (where the grid is 1 wide).
        hidden: channels of the coords head; the paper head has its own.
    """

    def __init__(
        self,
        channels: int,
        *,
        head: str = "coords",
        s: float = 6.0,
        residual: bool = True,
        rescale: bool = True,
        min_half_width: float = 0.75,
        start_half_width: float = 0.45,
        hidden: int | None = None,
    ) -> None:
        super().__init__(channels, residual=residual, rescale=rescale)
        if head not in HEADS:
            raise ValueError(f"head must be one of {sorted(HEADS)}, got {head!r}")
        if head == "paper" and hidden is not None:
            raise ValueError(f"hidden belongs to the coords head, got head='paper', hidden={hidden}")
        for name, value in (("s", s), ("min_half_width", min_half_width),
                            ("start_half_width", start_half_width)):
            if not (value > 0 and math.isfinite(value)):
                raise ValueError(f"{name} must be positive and finite, got {value}")
        self.s, self.min_half_width = s, min_half_width
        options = {} if hidden is None else {"hidden": hidden}
        self.head = HEADS[head](channels, start_half_width, **options)

    def look(self, x: Tensor) -> AttentionMap:
        height, width = x.shape[-2:]
        center, raw, angle = self.head(x)
        with torch.autocast(x.device.type, enabled=False):
            center, raw, angle = center.float(), raw.float(), angle.float()
            pitch = 1 / (min(height, width) - 1)
            floor = self.min_half_width * pitch
            half_widths = floor + nn.functional.softplus((raw - floor) / pitch) * pitch
            rectangle = Rectangle(center, half_widths, angle)
            points = grid(height, width, like=center)
            s = self.s
            log_f = log_soft_rectangle(rectangle, points, s)
        return AttentionMap(log_f, rectangle, lambda: logit_soft_rectangle(rectangle, points, s))


class PositionwiseAttention(SpatialAttention):
    """The paper's baseline: one logit a position, from dilated convolutions  [App. G].

    Args:
        channels: of the features.
        width: channels of the inner layers, 80 in the paper (80 C + 116 161 parameters).
        dilation: of the three 3x3 layers, 4 in the paper.
        residual, rescale: Eqs. 6 and 7.
    """

    def __init__(
        self,
        channels: int,
        *,
        width: int = 80,
        dilation: int = 4,
        residual: bool = True,
        rescale: bool = True,
    ) -> None:
        super().__init__(channels, residual=residual, rescale=rescale)
        for name, value in (("width", width), ("dilation", dilation)):
            if int(value) != value or value < 1:
                raise ValueError(f"{name} must be a positive integer, got {value}")
        wide = {"padding": dilation, "dilation": dilation}
        self.head = nn.Sequential(
            nn.Conv2d(channels, width, 1), nn.ReLU(),
            nn.Conv2d(width, width, 3, **wide), nn.ReLU(),
            nn.Conv2d(width, width, 3, **wide), nn.ReLU(),
            nn.Conv2d(width, 1, 3, **wide),
        )

    def look(self, x: Tensor) -> AttentionMap:
        logit = self.head(x)[:, 0].float()
        return AttentionMap(log_sigmoid(logit), None, lambda: logit)


def truth_map(mask: Tensor) -> AttentionMap:
    """The map of a known mask (-1, +1): f = 1 inside, e^-30 outside; the oracle's attention."""
    log_f = torch.where(mask == 1, 0.0, -30.0)
    return AttentionMap(log_f, None, lambda: torch.where(mask == 1, 30.0, -30.0))


def _detached(found: AttentionMap) -> AttentionMap:
    r = found.rectangle
    if r is not None:
        r = Rectangle(r.center.detach(), r.half_widths.detach(), r.angle.detach())
    return AttentionMap(found.log_f.detach(), r, lambda: found.logit().detach())
