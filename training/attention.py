r"""Attention on rectangles as a torch module: Eqs. 1-7 behind one of four heads  [section 4].

Equations 1-7 are those of ``theory``; what the modules share is in
:mod:`training.attention_base`, the heads in :mod:`training.attention_heads`, the modules of others in
:mod:`training.attention_peers`.
"""

from __future__ import annotations

from torch import Tensor

from theory.rectangle import Rectangle
from training.attention_base import (
    AttentionMap,
    ScaledAttention,
    SpatialAttention,
    apply_map,
    positive,
    positive_integer,
    set_scale,
    truth_map,
)
from training.attention_heads import CENTERS, HEADS
from training.attention_peers import PositionwiseAttention
from training.attention_ranges import floored, linear
from training.attention_schedule import ScaleSchedule
from training.attention_shapes import SHAPES

__all__ = [
    "AttentionMap", "PositionwiseAttention", "RectangularAttention", "ScaleSchedule",
    "ScaledAttention", "SpatialAttention", "apply_map", "set_scale", "truth_map",
]

HALF_WIDTHS = ("floor", "linear")
MIN_HALF_WIDTH = 0.75


class RectangularAttention(ScaledAttention):
    r"""Attention on a rectangle, or on a union of several  [Eqs. 1-7].

    Args:
        channels: of the features.
        head: "coords" (moments of one saliency map from features and coordinates), "paper" (App. G:
            576 C + 370 373 parameters; global average pooling, blind to position but for zero
            padding; sides of at least 4), "softargmax" (convolutions without coordinates: follows
            translations) or "light" (1x1 reduction first: the cheapest).
        s: the scale factor of Eq. 1; the attribute ``s`` may be changed while training
            (:class:`training.attention_schedule.ScaleSchedule`).
        residual, rescale: Eqs. 6 and 7.
        gate: a learnt gate that starts at 0, where the module is the identity.
        half_widths: "floor" keeps them above ``min_half_width``; "linear" is the paper's raw output.
        min_half_width: floor of the half-widths, in units of the pitch of the grid (of its shorter
            side), 0.75 if None: below it the map falls between the cells and the gradient dies.
        start_half_width: half-widths at the start, in grid coordinates (where the grid is 1 wide).
        center: "inside" the image, or "linear", the raw output of the paper's head.
        shape: "rectangle" or "ellipse" (:mod:`training.attention_shapes`).
        count: k, the number of shapes an image; their soft union is the map.
        hidden: channels of the head; the paper head has its own.

    Raises:
        ValueError: an argument out of range, or one that the chosen head does not have; in the call,
            features of other channels or smaller than the head can take.
    """

    def __init__(
        self,
        channels: int,
        *,
        head: str = "coords",
        s: float = 6.0,
        residual: bool = True,
        rescale: bool = True,
        gate: bool = False,
        half_widths: str = "floor",
        min_half_width: float | None = None,
        start_half_width: float = 0.45,
        center: str = "inside",
        shape: str = "rectangle",
        count: int = 1,
        hidden: int | None = None,
    ) -> None:
        super().__init__(channels, s=s, residual=residual, rescale=rescale, gate=gate)
        for name, value, allowed in (("head", head, HEADS), ("half_widths", half_widths, HALF_WIDTHS),
                                     ("center", center, CENTERS), ("shape", shape, SHAPES)):
            if value not in allowed:
                raise ValueError(f"{name} must be one of {sorted(allowed)}, got {value!r}")
        if head == "paper" and hidden is not None:
            raise ValueError(f"hidden belongs to the other heads, got head='paper', hidden={hidden}")
        if head != "paper" and center != "inside":
            raise ValueError("center='linear' belongs to the paper head: the centres of the others "
                             f"are means over the image, got head={head!r}")
        if half_widths == "linear" and min_half_width is not None:
            raise ValueError("min_half_width belongs to half_widths='floor', got "
                             f"half_widths='linear', min_half_width={min_half_width}")
        self.half_widths, self.shape = half_widths, shape
        self.min_half_width = positive(
            "min_half_width", MIN_HALF_WIDTH if min_half_width is None else min_half_width)
        self.count = positive_integer("count", count)
        options = {"center": center} if head == "paper" else {}
        if hidden is not None:
            options["hidden"] = positive_integer("hidden", hidden)
        start = positive("start_half_width", start_half_width)
        self.head = HEADS[head](channels, start, self.count, **options)

    def look(self, x: Tensor) -> AttentionMap:
        center, raw, angle = self.head(x)  # at least float32, as is all that follows
        if self.count == 1:
            center, raw, angle = center.squeeze(1), raw.squeeze(1), angle.squeeze(1)
        rectangle = Rectangle.unchecked(center, self._half_widths(raw, *x.shape[-2:]), angle)
        return AttentionMap.of_shapes(rectangle, *x.shape[-2:], self.scale, self.shape)

    def _half_widths(self, raw: Tensor, height: int, width: int) -> Tensor:
        pitch = 1 / max(min(height, width) - 1, 1)  # a side of 1 is refused by the grid
        if self.half_widths == "linear":
            return linear(raw, pitch)
        return floored(raw, self.min_half_width * pitch, pitch)
