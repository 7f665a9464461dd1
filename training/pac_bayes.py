r"""Posteriors trained for their own certificate.

Minimised is the quadratic PAC-Bayes bound (Perez-Ortiz et al. 2021)
:math:`(\sqrt{L+c}+\sqrt c)^2`, :math:`c=(KL+\log(2\sqrt n/\delta))/(2n)`, of the SOFT missing rate L:
the mean over the cells of :math:`|f-1_{a=1}|`, which has a gradient.  What is certified afterwards is
the hard missing rate; the surrogate only says where to go.

Where objects are small the soft missing rate has a local minimum at the empty map, and a posterior
that starts far from good maps ends there.  A share of the steps may therefore take the soft Dice loss
in its place (one minus the soft F1 score: the empty map has the greatest), which looks for the object
first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from theory.bounds import DELTA
from theory.rates import missing_rate
from training.data import Part
from training.fit import TrainingError
from training.model import AttentionNet
from training.posterior import GaussianWeights, Looker, maps
from training.samples import IGNORED


@dataclass(frozen=True)
class PosteriorTraining:
    """How a posterior is trained: Adam on shifts and log ratios, in the prior's units.

    Args:
        steps, batch: gradient steps, images (each with a network of its own) a step.
        lr: in units of the prior's deviation a step, falling to 0 by a cosine.
        delta: level of the bound that is minimised.
        dice: the share of the steps, the first ones, with the Dice loss in place of the missing rate.
    """

    steps: int = 300
    batch: int = 64
    lr: float = 0.02
    delta: float = DELTA
    dice: float = 0.0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "lr"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if not 0 < self.delta < 1:
            raise ValueError(f"delta must be in (0, 1), got {self.delta}")
        if not 0 <= self.dice <= 1:
            raise ValueError(f"dice is a share in [0, 1], got {self.dice}")


def train_posterior(
    net: AttentionNet, law: GaussianWeights, part: Part, indices: Tensor,
    how: PosteriorTraining, generator: torch.Generator,
) -> None:
    """Train a posterior in place, on the images of ``part`` that its bound counts.

    Raises:
        TrainingError: a bound or a divergence that is not finite; says which step.
    """
    look, n = Looker(net, hard=False), len(indices)
    paid = math.log(2 * math.sqrt(n) / how.delta)
    optimizer = torch.optim.Adam(law.parameters(), lr=how.lr)
    order = torch.empty(0, dtype=torch.int64)
    for step in range(how.steps):
        if len(order) < min(how.batch, n):
            order = torch.randperm(n, generator=generator)
        batch, order = order[: how.batch], order[how.batch:]
        samples = part.take(indices[batch])
        for group in optimizer.param_groups:
            group["lr"] = how.lr * (1 + math.cos(math.pi * step / how.steps)) / 2
        found = maps(look, law.draw(len(batch), generator), samples.images)
        surrogate = soft_dice_loss if step < how.dice * how.steps else soft_missing_rate
        loss = surrogate(found, samples.masks)
        bound = quadratic(loss, (law.divergence() + paid) / (2 * n))
        if not math.isfinite(float(bound.detach())):
            raise TrainingError(f"posterior: step {step}: the bound is {float(bound.detach())}")
        optimizer.zero_grad()
        bound.backward()
        optimizer.step()
    kl = float(law.divergence().detach())
    if not math.isfinite(kl):
        raise TrainingError(f"posterior: step {how.steps}: the divergence is {kl}")


def soft_missing_rate(log_f: Tensor, masks: Tensor) -> Tensor:
    """The mean missing rate of the maps 2f - 1 over known positions, ``|f - 1{a = +1}|``  [Eq. 12]."""
    soft = 2 * log_f.exp() - 1
    return missing_rate(soft, masks.to(soft.dtype), where=masks != IGNORED, check=False).mean()


def soft_dice_loss(log_f: Tensor, masks: Tensor) -> Tensor:
    r"""The mean over the images of :math:`1-2\sum_tf(t)1_{a(t)=1}/(\sum_tf(t)+\sum_t1_{a(t)=1})`.

    Over known positions.  0 where map and truth are both empty.
    """
    known, truth = (masks != IGNORED).to(log_f.dtype), (masks == 1).to(log_f.dtype)
    f = log_f.exp() * known
    sizes = (f + truth).sum((1, 2))
    both = 2 * (f * truth).sum((1, 2))
    return ((sizes - both) / sizes.clamp_min(torch.finfo(sizes.dtype).tiny)).mean()


def quadratic(loss: Tensor, c: Tensor) -> Tensor:
    r""":math:`(\sqrt{L+c}+\sqrt c)^2`."""
    return ((loss + c).sqrt() + c.sqrt()) ** 2
