r"""The adversary of Theorem 1 as a predictor, its missing rates on the sample and on fresh draws.

It stores the sample: on a stored input it answers with the mask of A nearest to the target seen
there.  Elsewhere it answers :math:`\operatorname{argmax}_b E[\Phi(b, A) \mid X = x]`, which needs the
law but not the sample.
Its empirical missing rate is the smallest any f attains, its risk the largest.

An input is a number u, uniform on the 53-bit grid of [0, 1); a(u) is the mask in whose share of
[0, 1) u falls, shares being proportional to the weights of the law.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from sims.supremum import extremes_of
from sims.theorem_1 import conditional_means
from sims.theorem_1_laws import Setting, indices_of


@dataclass(frozen=True, eq=False)
class World:
    """The joint law of (X, A): a setting, and the probability that a target is a fresh draw."""

    setting: Setting
    noise: Fraction

    def draw(self, generator: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        """``count`` independent pairs: inputs float64 and indices of their targets."""
        inputs = generator.random(count)
        fresh = generator.integers(self.noise.denominator, size=count) < self.noise.numerator
        return inputs, np.where(fresh, self.setting.draw(generator, count), self.truth(inputs))

    def truth(self, inputs: np.ndarray) -> np.ndarray:
        """The index of a(x)."""
        weights = self.setting.weights
        return indices_of(np.floor(inputs * weights.sum()), weights)


@dataclass(frozen=True, eq=False)
class Memoriser:
    """A function X -> A that fits one sample and misses most off it.

    Args:
        world: the law.
        inputs, targets: the sample, ``(N,)`` numbers and ``(N,)`` indices of targets.

    Raises:
        ValueError: an input that occurs twice (X has no atoms).
    """

    world: World
    inputs: np.ndarray
    targets: np.ndarray

    def __post_init__(self) -> None:
        if len(np.unique(self.inputs)) < len(self.inputs):
            raise ValueError(f"inputs of a sample must be distinct, got {len(self.inputs)} with "
                             f"{len(np.unique(self.inputs))} values")

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """The masks it answers with, int8 ``(m, H, W)``."""
        answers = self._off_sample[self.world.truth(inputs)]
        order = np.argsort(self.inputs)
        place = np.searchsorted(self.inputs[order], inputs) % len(order)
        stored = self.inputs[order][place] == inputs
        answers[stored] = self._on_sample[order][place[stored]]
        return answers

    @cached_property
    def _off_sample(self) -> np.ndarray:
        """For each a(x) the mask that misses most on average; the same if a(x) says nothing."""
        weights, _ = conditional_means(self.world.setting, self.world.noise)
        found = extremes_of(self.world.setting.family, weights, witnesses=True).argmin
        return np.broadcast_to(found, self.world.setting.targets.shape)

    @cached_property
    def _on_sample(self) -> np.ndarray:
        """For each stored input the mask of A nearest to its target."""
        seen, back = np.unique(self.targets, return_inverse=True)
        masks = self.world.setting.targets[seen].astype(np.int64)
        return extremes_of(self.world.setting.family, masks, witnesses=True).argmax[back]


def missed_positions(setting: Setting, answers: np.ndarray, targets: np.ndarray) -> int:
    """Sum over pairs of the positions where an answer differs from its target."""
    return int((answers != setting.targets[targets]).sum())


def hoeffding_half_width(draws: int, alpha: float) -> float:
    """Half-width of a two-sided interval for the mean of ``draws`` values in [0, 1].

    The interval holds the mean with probability at least ``1 - alpha``.

    >>> round(hoeffding_half_width(200, 0.05), 3)
    0.096
    """
    if draws < 1 or not 0 < alpha < 1:
        raise ValueError(f"draws >= 1 and alpha in (0, 1) are needed, got {draws} and {alpha}")
    return math.sqrt(math.log(2 / alpha) / (2 * draws))
