r"""The two attention heads as data, with exact counts of parameters and multiply-adds  [App. G].

Counted are weights and biases as parameters, and one multiply-add for each product of a weight and
an input, padded inputs included (the usual convention).  Biases, pooling and activations cost no
multiply-adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Convolution:
    """A square convolution of stride 1 with bias; ``padding`` zeros on each side."""

    outputs: int
    kernel: int
    padding: int = 0
    dilation: int = 1


@dataclass(frozen=True)
class MaxPool:
    """Max-pooling with stride equal to its kernel; sides are rounded down."""

    kernel: int = 2


@dataclass(frozen=True)
class GlobalAveragePool:
    """The mean over all positions."""


@dataclass(frozen=True)
class Linear:
    """A linear layer with bias."""

    outputs: int


Layer = Convolution | MaxPool | GlobalAveragePool | Linear
Head = tuple[Layer, ...]

RECTANGLE_HEAD: Head = (
    Convolution(64, 3, padding=1),
    MaxPool(2),
    Convolution(128, 3, padding=1),
    MaxPool(2),
    Convolution(256, 3, padding=1),
    GlobalAveragePool(),
    Linear(5),
)
"""Predicts the five parameters of the rectangle."""

POSITION_WISE_HEAD: Head = (
    Convolution(80, 1),
    Convolution(80, 3, padding=4, dilation=4),
    Convolution(80, 3, padding=4, dilation=4),
    Convolution(1, 3, padding=4, dilation=4),
)
"""Predicts the attention value of every position."""


@dataclass(frozen=True)
class Place:
    """Where the paper attaches the heads: the size of the features there."""

    name: str
    channels: int
    height: int
    width: int


PLACES = (
    Place("EfficientNet-b0, after block 15", 320, 10, 10),
    Place("MobileNetV3 (large), after features", 960, 10, 10),
)
"""Images of 300 x 300 and a stride of 32 give 10 x 10.  That MobileNetV3 is the large one is
inferred: the paper does not say."""


@dataclass(frozen=True)
class LayerCost:
    """What one layer costs, and the size ``(channels, height, width)`` of its output."""

    layer: Layer
    channels: int
    height: int
    width: int
    parameters: int
    multiply_adds: int


def costs(head: Sequence[Layer], channels: int, height: int, width: int) -> tuple[LayerCost, ...]:
    """The cost of every layer for inputs of ``channels`` x ``height`` x ``width``.

    Raises:
        ValueError: sizes that are not positive integers, or a layer whose output would be empty
            (the rectangle head needs sides of at least 4).

    >>> [(c.channels, c.height) for c in costs(RECTANGLE_HEAD, 320, 10, 10)]
    [(64, 10), (64, 5), (128, 5), (128, 2), (256, 2), (256, 1), (5, 1)]
    """
    for name, n in (("channels", channels), ("height", height), ("width", width)):
        if int(n) != n or n < 1:
            raise ValueError(f"{name} must be a positive integer, got {n}")
    out = []
    for layer in head:
        parameters = multiply_adds = 0
        before = (height, width)
        if isinstance(layer, Convolution):
            shrink = layer.dilation * (layer.kernel - 1) - 2 * layer.padding
            height, width = height - shrink, width - shrink
            weights = layer.kernel**2 * channels * layer.outputs
            parameters = weights + layer.outputs
            multiply_adds = weights * height * width
            channels = layer.outputs
        elif isinstance(layer, MaxPool):
            height, width = height // layer.kernel, width // layer.kernel
        elif isinstance(layer, GlobalAveragePool):
            height = width = 1
        else:
            weights = channels * height * width * layer.outputs
            parameters, multiply_adds = weights + layer.outputs, weights
            channels, height, width = layer.outputs, 1, 1
        if height < 1 or width < 1:
            raise ValueError(f"{layer} leaves nothing of a map of {before[0]} x {before[1]}")
        out.append(LayerCost(layer, channels, height, width, parameters, multiply_adds))
    return tuple(out)


@dataclass(frozen=True)
class ReceptiveField:
    """Which rows (or columns) of the features a cell of a layer sees, padding included.

    Cell ``j`` sees the rows from ``step * j + first`` on, ``size`` of them.
    """

    first: int = 0
    size: int = 1
    step: int = 1


def receptive_fields(head: Sequence[Layer]) -> tuple[ReceptiveField, ...]:
    """The receptive field after each layer, up to the global average pool.

    >>> [field.size for field in receptive_fields(RECTANGLE_HEAD)]
    [3, 4, 8, 10, 18]
    >>> receptive_fields(RECTANGLE_HEAD)[-1]
    ReceptiveField(first=-7, size=18, step=4)
    """
    field, out = ReceptiveField(), []
    for layer in head:
        if isinstance(layer, Convolution):
            field = ReceptiveField(field.first - layer.padding * field.step,
                                   field.size + layer.dilation * (layer.kernel - 1) * field.step,
                                   field.step)
        elif isinstance(layer, MaxPool):
            field = ReceptiveField(field.first, field.size + (layer.kernel - 1) * field.step,
                                   field.step * layer.kernel)
        else:
            break
        out.append(field)
    return tuple(out)


def cells_off_the_border(head: Sequence[Layer], side: int) -> tuple[int, ...]:
    """Cells of the last convolution or pooling, along one side, that see no padding.

    On the paper's 10 cells each sees a border, as on every side up to 18.

    >>> [cells_off_the_border(RECTANGLE_HEAD, side) for side in (10, 18, 19, 38)]
    [(), (), (2,), (2, 3, 4, 5, 6)]
    """
    fields = receptive_fields(head)
    if not fields:
        raise ValueError(f"a head without a convolution or pooling sees no grid: {head}")
    last = fields[-1]
    cells = costs(head[:len(fields)], 1, side, side)[-1].height
    starts = ((j, last.step * j + last.first) for j in range(cells))
    return tuple(j for j, start in starts if start >= 0 and start + last.size <= side)


def parameters(head: Sequence[Layer], channels: int) -> int:
    """Parameters of a head on features of ``channels`` channels, whatever their grid.

    >>> parameters(RECTANGLE_HEAD, 320), parameters(POSITION_WISE_HEAD, 320)
    (554693, 141761)
    """
    return sum(c.parameters for c in costs(head, channels, 4, 4))


def multiply_adds(head: Sequence[Layer], channels: int, height: int, width: int) -> int:
    """Multiply-adds of one forward pass on one feature map.

    >>> multiply_adds(RECTANGLE_HEAD, 320, 10, 10), multiply_adds(POSITION_WISE_HEAD, 320, 10, 10)
    (21456128, 14152000)
    """
    return sum(c.multiply_adds for c in costs(head, channels, height, width))


def parameters_formula(head: Sequence[Layer], channels: int) -> int:
    """``576 C + 370373`` (rectangle) or ``80 C + 116161`` (position-wise), in closed form."""
    slope, constant = _pick(head, (576, 370_373), (80, 116_161))
    return slope * channels + constant


def multiply_adds_formula(head: Sequence[Layer], channels: int, height: int, width: int) -> int:
    """:func:`multiply_adds` of the two heads in closed form.

    Rectangle: ``576 C HW + 73728 [H/2][W/2] + 294912 [H/4][W/4] + 1280`` ([ ] rounds down);
    position-wise: ``(80 C + 115920) HW``.
    """
    rectangle = (576 * channels * height * width + 73_728 * (height // 2) * (width // 2)
                 + 294_912 * (height // 4) * (width // 4) + 1280)
    return _pick(head, rectangle, (80 * channels + 115_920) * height * width)


def threshold(height: int, width: int, factor: int = 1) -> int:
    """The largest C at which ``factor`` rectangle heads cost less than one position-wise head.

    In multiply-adds, on a grid of ``height`` x ``width``; 0 where no C does.  The difference is
    linear in C with a negative slope, so the heads are cheaper exactly up to this C.

    >>> threshold(10, 10), threshold(10, 10, factor=2), threshold(16, 16), threshold(16, 16, 2)
    (172, 51, 159, 39)
    """
    if factor < 1:
        raise ValueError(f"factor must be at least 1, got {factor}")

    def saved(channels: int) -> int:
        return (multiply_adds(POSITION_WISE_HEAD, channels, height, width)
                - factor * multiply_adds(RECTANGLE_HEAD, channels, height, width))

    slope = saved(2) - saved(1)
    at_zero = saved(1) - slope
    return max(0, (at_zero - 1) // -slope)


def _pick(head: Sequence[Layer], rectangle, position_wise):
    if tuple(head) == RECTANGLE_HEAD:
        return rectangle
    if tuple(head) == POSITION_WISE_HEAD:
        return position_wise
    raise ValueError("closed forms are known for RECTANGLE_HEAD and POSITION_WISE_HEAD only")
