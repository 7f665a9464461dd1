"""From the name of a method to its attention module."""

from __future__ import annotations

from theory.methods import HEAD_OF, is_rectangle
from training.attention import PositionwiseAttention, RectangularAttention, SpatialAttention
from training.attention_peers import (
    CBAMSpatialAttention,
    FixedRectangle,
    OracleAttention,
    SimAM,
)
from training.config import RunConfig


def make_attention(config: RunConfig, channels: int) -> SpatialAttention | None:
    """The attention module of a configuration for features of ``channels`` channels, untrained.

    Peers that were published without residual and rescaling (CBAM, SimAM) keep their own form.
    """
    flags = {"residual": config.residual, "rescale": config.rescale}
    if is_rectangle(config.method):
        options = {} if config.half_range == "linear" else {"min_half_width": config.min_half_width}
        if config.hidden:
            options["hidden"] = config.hidden
        return RectangularAttention(
            channels, head=HEAD_OF[config.method], s=config.s, gate=config.gate, shape=config.shape,
            count=config.count, half_widths=config.half_range,
            start_half_width=config.start_half_width, **options, **flags)
    if config.method == "positionwise":
        return PositionwiseAttention(channels, width=config.positionwise_width,
                                     gate=config.gate, **flags)
    if config.method == "cbam":
        return CBAMSpatialAttention(channels)
    if config.method == "simam":
        return SimAM(channels)
    if config.method == "oracle":
        return OracleAttention(channels, **flags)
    if config.method == "centre":
        return FixedRectangle(channels, half_widths=(config.start_half_width,) * 2, **flags)
    return None
