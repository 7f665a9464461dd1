r"""Small predictors with a gain: maps f of positive inputs (H, W, C), for the study of collisions.

A soft predictor is a function ``f(x, number)`` written with +, *, / and ``np.exp`` alone, so it
takes real, complex (complex-step derivatives) and decimal arrays; ``number`` converts its weights
to the arithmetic of x.  The gain multiplies the logit.  A binary predictor has integer weights and
takes exact inputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Number = Callable[[Any], Any]
SOFT = ("common", "increasing", "pixelwise", "network", "rectangle", "blind-network",
        "blind-rectangle")
BINARY = ("threshold", "rising", "rising-own", "blind-signs")
LARGEST = 700.0
STEEPNESS = 4.0  # of the rectangle's windows; the gain moves its centre
# The gain above which ``common`` and ``pixelwise`` are not injective, and up to which they are.
#
# With v = <w, x> (of all x, or of one position), z = g (1 - v) and s = sigmoid(z), the rows of J sum
# to -(g - z) h(s), h = s(1-s)/(1+s): the row sum of |J| and 1 - det(I + J) (or 1 minus one factor of
# it) are one number.  It is largest where (g - z) h' s(1-s) = h; at (g - z) h = 1 this reads
# 1 - 2s = 2h, so s = 1/3, h = 1/6, z = -log 2 and g = 6 - log 2.
CRITICAL_GAIN = 6 - math.log(2)


@dataclass(frozen=True)
class Soft:
    """A predictor with values in (0, 1).

    Attributes:
        name: ``common`` sigmoid(g (1 - <w, x>)), one number for all positions, w > 0 sums to 1;
            ``increasing``, the same of g (<w, x> - 1); ``pixelwise`` sigmoid(g (1 - <w, x_ij>));
            ``network``, a layer of tanh and a sigmoid of g times its output, for each position;
            ``rectangle``, Eq. 2 without rotation, whose centre and half-widths are functions of x;
            ``blind-...``, the same of x divided by its sum over channels at each position, which
            ignores the scale of positions.
        gain: g >= 0.
        shape: of the inputs, (H, W, C); at least two channels for ``blind-...``.
        weights: from :func:`soft`.
    """

    name: str
    gain: float
    shape: tuple[int, int, int]
    weights: dict[str, np.ndarray]

    def __call__(self, x: np.ndarray, number: Number = np.asarray) -> np.ndarray:
        """The map (H, W) of a positive input."""
        w = {k: number(v) for k, v in self.weights.items()}
        gain = number(self.gain)
        if self.name.startswith("blind"):
            x = x / x.sum(axis=-1, keepdims=True)
        kind = self.name.removeprefix("blind-")
        height, width, _ = self.shape
        if kind in ("common", "increasing"):
            sign = 1 if kind == "common" else -1
            value = _sigmoid(gain * sign * (1 - (w["linear"] * x.ravel()).sum()))
            return value + 0 * x[..., 0]
        if kind == "pixelwise":
            return _sigmoid(gain * (1 - (w["pixel"] * x).sum(axis=-1)))
        hidden = _tanh(w["first"] @ x.ravel() + w["bias"])
        if kind == "network":
            return _sigmoid(gain * (w["second"] @ hidden)).reshape(height, width)
        head = w["head"] @ hidden
        half = [_sigmoid(head[2 + axis]) + w["least"] for axis in (0, 1)]
        middle = [_tanh(gain * head[axis] / 4) for axis in (0, 1)]
        sides = [_sigmoid(w["steepness"] * (1 - ((w[axis] - c) / s) * ((w[axis] - c) / s)))
                 for axis, c, s in zip(("rows", "columns"), middle, half, strict=True)]
        return sides[0][:, None] * sides[1][None, :]


def soft(name: str, gain: float, shape: tuple[int, int, int], generator: np.random.Generator) -> Soft:
    """A soft predictor with random weights.

    Raises:
        ValueError: an unknown name, a gain that is negative or not finite, a shape with one channel
            for ``blind-...``.
    """
    if name not in SOFT:
        raise ValueError(f"name must be one of {SOFT}, got {name!r}")
    if not 0 <= gain < math.inf:
        raise ValueError(f"gain must be finite and >= 0, got {gain}")
    if name.startswith("blind") and shape[2] < 2:
        raise ValueError(f"a scale-blind predictor needs two channels, got shape {shape}")
    height, width, channels = shape
    size, hidden = height * width * channels, 4
    linear = generator.random(size) + 0.1
    pixel = generator.random((height, width, channels)) + 0.1
    weights = {
        "linear": linear / linear.sum(),
        "pixel": pixel / pixel.sum(axis=-1, keepdims=True),
        "first": generator.standard_normal((hidden, size)) / np.sqrt(size),
        "bias": 0.5 * generator.standard_normal(hidden),
        "second": generator.standard_normal((height * width, hidden)) / np.sqrt(hidden),
        "head": generator.standard_normal((4, hidden)),
        "rows": np.linspace(-1, 1, height), "columns": np.linspace(-1, 1, width),
        "least": np.array(0.2), "steepness": np.array(STEEPNESS),
    }
    return Soft(name, gain, shape, weights)


@dataclass(frozen=True)
class Binary:
    """A predictor with values 0 and 1 and integer weights.

    Attributes:
        name: ``threshold`` [<w_ij, x> < b_ij]; ``rising`` [<w_ij, x> >= b_ij] with w >= 0, which
            never falls when an input >= 0 grows; ``rising-own``, the same of x_ij alone: doubling a
            position never turns it off, so no inputs >= 0 collide; ``blind-signs``
            [<w_ij, sign x> < b_ij], which ignores all scales.
        weight: ``(H, W, HWC)``.
        bias: ``(H, W)``.
    """

    name: str
    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The map (H, W) of an input of ints, Fractions or floats."""
        flat = x.ravel()
        if self.name == "blind-signs":
            flat = np.array([int(v > 0) - int(v < 0) for v in flat], dtype=object)
        products = (self.weight * flat).sum(axis=-1)
        hit = products >= self.bias if self.name.startswith("rising") else products < self.bias
        return hit.astype(np.int64)


def binary(name: str, shape: tuple[int, int, int], generator: np.random.Generator) -> Binary:
    """A binary predictor with random integer weights.

    Raises:
        ValueError: an unknown name.
    """
    if name not in BINARY:
        raise ValueError(f"name must be one of {BINARY}, got {name!r}")
    height, width, channels = shape
    size = height * width * channels
    rising = name.startswith("rising")
    weight = generator.integers(0 if rising else -3, 4, size=(height, width, size)).astype(object)
    if name == "rising-own":
        weight *= np.kron(np.eye(height * width, dtype=int), np.ones(channels, dtype=int)).reshape(
            height, width, size)
    top = 6 * weight.sum(axis=-1).max() // 2 + 1 if rising else 4
    bias = generator.integers(0, top, size=(height, width)).astype(object)
    return Binary(name, weight, bias)


def _sigmoid(z: Any) -> Any:
    return 1 / (1 + _exp(-z))


def _tanh(z: Any) -> Any:
    return 1 - 2 / (1 + _exp(2 * z))


def _exp(z: Any) -> Any:
    """exp, in floating point cut off at LARGEST: beyond it 1/(1 + exp) is 0 to 300 digits."""
    z = np.asarray(z)
    return np.exp(z if z.dtype == object else np.where(z.real > LARGEST, LARGEST, z))
