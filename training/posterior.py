r"""Gaussian laws on the weights that an attention map depends on: trunk and attention.

A map is a function of the weights of the trunk and of the attention; tail and classifier have no part
in it, so that no bound on the missing rate needs to pay for them.  :class:`GaussianWeights` is a
diagonal Gaussian on those weights (scope "whole") or on the attention's alone ("head", with the trunk
as it is, which must then not depend on the images that a bound counts).  Networks are drawn by the
batch, one for each image: independent pairs of network and image are many, and cost one pass.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from theory.rates import missing_rate
from training.model import AttentionNet
from training.samples import IGNORED

SCOPES = {"whole": ("trunk.", "attention."), "head": ("attention.",)}
NO_PART = ("attention.gate",)  # mixes features with attended ones; the map is without it
LEAST_SCALE = 1e-3


class GaussianWeights(nn.Module):
    r"""A posterior on weights beside its prior, both with independent normal weights.

    The prior is :math:`N(\mu_i,\sigma_i^2)`, the posterior
    :math:`N(\mu_i+\sigma_iu_i,\sigma_i^2e^{2v_i})`: shifts u and log ratios v are what is learnt, in
    the prior's own units, and 0 at the start, where both are the same law.

    Args:
        means, deviations: of the prior, by the weights' names.

    Raises:
        ValueError: names or shapes that differ, deviations that are not positive.
    """

    def __init__(self, means: dict[str, Tensor], deviations: dict[str, Tensor]) -> None:
        super().__init__()
        if list(means) != list(deviations):
            raise ValueError(f"means and deviations must have the same names, got {list(means)} and "
                             f"{list(deviations)}")
        for name, mean in means.items():
            if mean.shape != deviations[name].shape:
                raise ValueError(f"{name}: shapes {tuple(mean.shape)} and "
                                 f"{tuple(deviations[name].shape)} differ")
            if not bool((deviations[name] > 0).all()):
                raise ValueError(f"{name}: deviations must be positive, got "
                                 f"{float(deviations[name].min()):g}")
        self.names = tuple(means)
        self.means = [means[n].detach().clone() for n in self.names]
        self.deviations = [deviations[n].detach().clone() for n in self.names]
        self.shifts = nn.ParameterList([torch.zeros_like(m) for m in self.means])
        self.log_ratios = nn.ParameterList([torch.zeros_like(m) for m in self.means])

    def draw(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """``count`` draws of the posterior, each weight ``(count, ...)``; differentiable in it."""
        noise = [torch.randn((count, *m.shape), generator=generator, dtype=m.dtype).to(m.device)
                 for m in self.means]
        return self._at([u + v.exp() * e
                         for u, v, e in zip(self.shifts, self.log_ratios, noise, strict=True)])

    def center(self) -> dict[str, Tensor]:
        """The posterior's mean weights."""
        return self._at(list(self.shifts))

    def move_to(self, weights: dict[str, Tensor], deviations: dict[str, Tensor]) -> None:
        """Make the posterior :math:`N(` weights, deviations :math:`^2)`."""
        with torch.no_grad():
            for i, name in enumerate(self.names):
                self.shifts[i].copy_((weights[name] - self.means[i]) / self.deviations[i])
                self.log_ratios[i].copy_((deviations[name] / self.deviations[i]).log())

    def divergence(self) -> Tensor:
        r""":math:`KL(Q\|P)=\frac12\sum_i(e^{2v_i}-1-2v_i+u_i^2)`, nats, float64; differentiable."""
        terms = [torch.expm1(2 * v.double()) - 2 * v.double() + u.double() ** 2
                 for u, v in zip(self.shifts, self.log_ratios, strict=True)]
        return 0.5 * torch.stack([t.sum() for t in terms]).sum()

    def log_ratio(self, weights: dict[str, Tensor]) -> float:
        r""":math:`\log(dQ/dP)` at given weights, in float64."""
        total = 0.0
        for i, name in enumerate(self.names):
            away = weights[name].detach().double() - self.means[i].double()
            z = away / self.deviations[i].double()
            u, v = self.shifts[i].detach().double(), self.log_ratios[i].detach().double()
            total += float((0.5 * z**2 - 0.5 * ((z - u) / v.exp()) ** 2 - v).sum())
        return total

    def _at(self, units: list[Tensor]) -> dict[str, Tensor]:
        return {name: m + d * z for name, m, d, z in
                zip(self.names, self.means, self.deviations, units, strict=True)}


def weights_of(net: AttentionNet, scope: str = "whole") -> dict[str, Tensor]:
    """The weights of a scope that the map depends on, by name.

    Raises:
        ValueError: an unknown scope, a network whose attention has no weights, or one that learns
            numbers beside its weights (running statistics): no law on the weights knows of them.
    """
    if scope not in SCOPES:
        raise ValueError(f"scope must be one of {sorted(SCOPES)}, got {scope!r}")
    beside = [n for n, _ in net.named_buffers()
              if n.startswith(SCOPES["whole"]) and n.rpartition(".")[2].startswith("running_")]
    if beside:
        raise ValueError(f"a network that learns its weights alone is needed, got {beside[0]!r}")
    found = {n: p.detach() for n, p in net.named_parameters()
             if n.startswith(SCOPES[scope]) and n not in NO_PART}
    if not any(n.startswith("attention.") for n in found):
        raise ValueError("a network whose attention has weights is needed")
    return found


def scales_of(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The root mean square of each tensor, in its shape; that of its layer's largest where it is 0.

    At least ``LEAST_SCALE``.
    """
    rms = {n: float(w.double().square().mean().sqrt()) for n, w in weights.items()}
    out = {}
    for name, w in weights.items():
        layer = name.rsplit(".", 1)[0]
        beside = [v for n, v in rms.items() if n.rsplit(".", 1)[0] == layer]
        out[name] = torch.full_like(w, max(rms[name] or max(beside), LEAST_SCALE))
    return out


class Looker(nn.Module):
    """Images to maps, as a module of the weights alone: ``log f`` or the hard mask."""

    def __init__(self, net: AttentionNet, hard: bool) -> None:
        super().__init__()
        self.net, self.hard = net, hard

    def forward(self, images: Tensor) -> Tensor:
        found = self.net.look(self.net.features(images))
        return found.hard_mask() if self.hard else found.log_f


def maps(look: Looker, weights: dict[str, Tensor], images: Tensor) -> Tensor:
    """Image i seen by network i: weights ``(n, ...)`` each, images ``(n, 3, H, W)``."""

    def one(chosen: dict[str, Tensor], image: Tensor) -> Tensor:
        named = {f"net.{name}": w for name, w in chosen.items()}
        return functional_call(look, named, (image[None],))[0]

    return vmap(one)(weights, images)


def hard_losses(masks: Tensor, predicted: Tensor) -> Tensor:
    """Missing rate of each image, ``(n,)`` in float64, over the positions that are known  [Eq. 12].

    Raises:
        ValueError: an image without a known position.
    """
    return missing_rate(predicted, masks, where=masks != IGNORED)
