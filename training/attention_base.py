"""What all attention modules share: the map, how features are attended, the interface  [Eqs. 6, 7]."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import theory.attention
from theory.rectangle import Rectangle, grid
from training.attention_shapes import SHAPES, Scale, log_map, logit_map, rescaled


@dataclass(frozen=True, eq=False)
class AttentionMap:
    """What a module looked at: ``log_f (n, H, W)``, and the rectangles if there are any.

    Args:
        log_f: the logarithm of the map, never the rescaled one.
        rectangle: of shape ``(n)``, or ``(n, k)`` where the map is a union of k; its values are not
            checked.
        logit: gives ``log(f / (1 - f))``, for losses on the map.
        shape: what the five parameters describe, "rectangle" or "ellipse".
        s: their scale factor, where the map was rendered from them (:meth:`of_shapes`).
    """

    log_f: Tensor
    rectangle: Rectangle | None
    logit: Callable[[], Tensor]
    shape: str = "rectangle"
    s: Scale | None = None

    @classmethod
    def of_shapes(
        cls, rectangle: Rectangle, height: int, width: int, s: Scale, shape: str = "rectangle"
    ) -> AttentionMap:
        """The map on the grid of Eq. 5 of shapes ``(n)``, or of unions of k shapes ``(n, k)``."""
        log_f = log_map(rectangle, height, width, s, shape)
        return cls(log_f, rectangle, lambda: logit_map(rectangle, height, width, s, shape), shape, s)

    @property
    def f(self) -> Tensor:
        """The map, in [0, 1], never the rescaled one."""
        return torch.exp(self.log_f)

    @property
    def parameters(self) -> Tensor | None:
        """``(mu1, mu2, sigma1, sigma2, alpha)``: ``(n, 5)`` or ``(n, k, 5)``; None without them."""
        return None if self.rectangle is None else self.rectangle.to_array()

    @property
    def is_one_shape(self) -> bool:
        """Whether each map is that of one rectangle or ellipse, not of a union or of none."""
        return self.rectangle is not None and self.rectangle.angle.ndim == 1

    def centre(self) -> Tensor:
        """The centre of the one shape, else the mean position of f, ``(n, 2)`` float32."""
        if self.is_one_shape:
            return self.rectangle.center.float()
        weights = torch.softmax(self.log_f.float().flatten(1), dim=1)
        return weights @ grid(*self.log_f.shape[-2:], like=weights).flatten(0, 1)

    def threshold_mask(self) -> Tensor:
        """The mask ``{f >= 1/2}``, int8 with values -1 and +1."""
        return 2 * (self.log_f >= math.log(0.5)).to(torch.int8) - 1

    def hard_masks(self) -> Tensor:
        """The hard shapes of the parameters, each by itself: ``(n, H, W)`` or ``(n, k, H, W)``.

        Raises:
            ValueError: a map without parameters.
        """
        if self.rectangle is None:
            raise ValueError("a map without parameters has no hard shapes: use threshold_mask")
        return SHAPES[self.shape].hard(self.rectangle, *self.log_f.shape[-2:])

    def hard_mask(self) -> Tensor:
        """The primary mask ``(n, H, W)``: the union of the hard shapes; ``{f >= 1/2}`` where there
        are no parameters."""
        if self.rectangle is None:
            return self.threshold_mask()
        masks = self.hard_masks()
        return masks if masks.ndim == 3 else masks.amax(dim=1)

    def detach(self) -> AttentionMap:
        """The same map without its graph."""
        log_f, r = _free(self.log_f), self.rectangle
        if r is not None:
            r = Rectangle.unchecked(_free(r.center), _free(r.half_widths), _free(r.angle))
        if r is None or self.s is None:
            logit = _free(self.logit())
            return AttentionMap(log_f, r, lambda: logit, self.shape)
        height, width = log_f.shape[-2:]
        s, shape = self.s, self.shape
        return AttentionMap(log_f, r, lambda: logit_map(r, height, width, s, shape), shape, s)


def apply_map(
    x: Tensor, log_f: Tensor, *, residual: bool = True, rescale: bool = True, gate: Tensor | None = None
) -> Tensor:
    r"""Features ``x (n, C, H, W)`` under the map ``log_f (n, H, W)``  [Eqs. 6, 7].

    :math:`x + \tilde f\odot x = (1 + \tilde f)\odot x`; f in place of f~ without ``rescale``, no
    ``1 +`` without ``residual``.  A ``gate`` g mixes the result y with the features:
    ``(1 - g) x + g y``.
    """
    f = rescaled(log_f) if rescale else torch.exp(log_f)
    factor = 1 + f if residual else f
    if gate is not None:
        factor = 1 + gate * (factor - 1)
    attended = theory.attention.without_residual(x.movedim(1, -1), factor.to(x.dtype))
    return attended.movedim(-1, 1)


class SpatialAttention(nn.Module, ABC):
    """Features in, attended features out, the map on request.

    ``last`` holds the :class:`AttentionMap` of the last call, detached from the graph (not of calls
    under ``torch.func`` and ``torch.export``); it is not saved with the module.

    Args:
        channels: of the features.
        residual, rescale: Eqs. 6 and 7.
        gate: a learnt number that mixes features (0) and attended features (1).  It starts at 0: a
            pretrained network is the same at the start.
    """

    def __init__(self, channels: int, *, residual: bool, rescale: bool, gate: bool = False) -> None:
        super().__init__()
        self.channels = positive_integer("channels", channels)
        self.residual, self.rescale = residual, rescale
        self.gate = nn.Parameter(torch.zeros(())) if gate else None
        self.last: AttentionMap | None = None

    @abstractmethod
    def look(self, x: Tensor) -> AttentionMap:
        """The map of features ``x (n, C, H, W)``."""

    def combine(self, x: Tensor, log_f: Tensor) -> Tensor:
        """Features under a map, with the module's own options  [Eqs. 6, 7]."""
        return apply_map(x, log_f, residual=self.residual, rescale=self.rescale, gate=self.gate)

    def attend(self, x: Tensor) -> tuple[Tensor, AttentionMap]:
        """Attended features and the map."""
        found = self.look(x)
        return self.combine(x, found.log_f), found

    def forward(self, x: Tensor, return_map: bool = False) -> Tensor | tuple[Tensor, AttentionMap]:
        """Attended features, shaped like ``x``; with ``return_map`` also the map.

        Raises:
            ValueError: features of another shape than the module was built for.
        """
        if x.ndim != 4 or x.shape[1] != self.channels:
            raise ValueError(
                f"features must have shape (n, {self.channels}, H, W): the module was built for "
                f"{self.channels} channels, got {tuple(x.shape)}"
            )
        out, found = self.attend(x)
        if _outlives_the_call(found.log_f):
            self.last = found.detach()
        return (out, found) if return_map else out

    def __getstate__(self) -> dict[str, Any]:
        """The module without the last map, which belongs to a call."""
        return {**self.__dict__, "last": None}


class ScaledAttention(SpatialAttention):
    """Attention with a scale factor ``s`` (Eq. 1), a number that may be set while training.

    Raises:
        ValueError: s that is not positive and finite.
    """

    def __init__(
        self, channels: int, *, s: float, residual: bool, rescale: bool, gate: bool = False
    ) -> None:
        super().__init__(channels, residual=residual, rescale=rescale, gate=gate)
        self.s = s

    @property
    def s(self) -> float:
        """The scale factor of Eq. 1."""
        return self._s

    @s.setter
    def s(self, value: float) -> None:
        self._s = positive("s", value)
        self._s_tensor = torch.tensor(self._s, dtype=torch.float64)

    @property
    def scale(self) -> Scale:
        """s: a tensor in a compiled graph, which would be compiled anew for every other number."""
        return self._s_tensor if torch.compiler.is_dynamo_compiling() else self._s


def set_scale(model: nn.Module, s: float) -> None:
    """Set the scale factor of every attention module in a model that has one."""
    for module in model.modules():
        if isinstance(module, ScaledAttention):
            module.s = s


def truth_map(mask: Tensor) -> AttentionMap:
    """The map of a known mask: f = 1 where it is +1, e^-30 elsewhere; the oracle's attention."""
    log_f = torch.where(mask == 1, 0.0, -30.0)
    return AttentionMap(log_f, None, lambda: torch.where(mask == 1, 30.0, -30.0))


def positive(name: str, value: float) -> float:
    """A positive finite number, checked."""
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} must be positive and finite, got {value}")
    return float(value)


def positive_integer(name: str, value: int) -> int:
    """A positive integer, checked."""
    if int(value) != value or value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value}")
    return int(value)


def _free(x: Tensor) -> Tensor:
    """Detached, and no view: compiled graphs mix up detached views among their outputs."""
    return x.detach().clone()


def _outlives_the_call(x: Tensor) -> bool:
    """Whether a tensor may be kept: those of ``torch.func`` and of an export may not."""
    if torch.compiler.is_dynamo_compiling():
        return True
    return not (torch.compiler.is_compiling() or torch._C._functorch.is_functorch_wrapped_tensor(x))

