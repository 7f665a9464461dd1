r"""Bounds for the last layer of a head: norms for Rademacher bounds, few bits for Occam's.

The class: heads whose last layer has other weights, on the trunk, the inner layers and the biases of
the network that the run's recipe makes of the FIRST half of its training images.  The member: that
network with the last layer trained further on the SECOND half as the run is (labels alone, or masks).
The bounds count the second half; they hold for all members at once, so that this training is free.

* Norms (:mod:`theory.bounds.contraction`): of layers that are linear in features and give the five
  outputs of a rectangle ("rectangle-paper") or, as a convolution, one logit a cell ("positionwise").
  Norms of the weights (about 0) and of what the second half has changed (about the first half's).
* Bits (:mod:`theory.bounds.occam`): each weight is one of 2^k values.  This takes heads of moments
  too, whose angle jumps, so that they have no Lipschitz constant.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from theory.bounds.contraction import SIGMOID_SLOPE, norm_on_grid, ramp_missing_rate
from theory.bounds.evidence import LEAST_NORM
from theory.bounds.lipschitz import rectangle_constants
from theory.methods import one_rectangle
from theory.rates import missing_rate
from training.attention_base import AttentionMap, set_scale
from training.attention_heads import PaperHead
from training.config import RunConfig
from training.data import Part, Prepared
from training.fit import TrainingLoss
from training.model import AttentionNet
from training.pac_bayes import soft_missing_rate
from training.samples import IGNORED

LAST = {
    "rectangle": ("attention.head.saliency", "attention.head.size"),
    "rectangle-light": ("attention.head.saliency", "attention.head.size"),
    "rectangle-softargmax": ("attention.head.saliency", "attention.head.out"),
    "rectangle-paper": ("attention.head.out",),
    "positionwise": ("attention.head.6",),
    "cbam": ("attention.head",),
}
"""The last layers of each method."""

STEPS, SLOWER = 200, 0.3  # of the training on the second half; its learning rate beside the head's
MARGIN = 1.0  # of the ramp, in units of the logit
BITS = (2, 3, 4, 6, 8)


def last_layer(
    config: RunConfig, data: Prepared, half: AttentionNet, indices: Tensor
) -> dict[str, Any]:
    """What the bounds of :mod:`theory.bounds` need of the last layer, trained on ``indices``.

    ``norms`` is None where the layer has no Lipschitz constant, or not one map of an image.
    """
    net, before = copy.deepcopy(half), _weights(half, config)
    set_scale(net, config.s)
    refit(net, config, data.train, indices)
    after = _weights(net, config)
    return {
        "n_samples": len(indices), "weights": sum(w.numel() for w in after.values()),
        "norms": _norms(net, config, data, indices, before, after),
        "bits": [quantised(net, config, data, indices, bits) for bits in BITS],
    }


def refit(net: AttentionNet, config: RunConfig, part: Part, indices: Tensor) -> None:
    """Train the weights (not the biases) of the last layer in place, nothing else."""
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    chosen = [w.requires_grad_(True) for w in _weights(net, config).values()]
    optimizer = torch.optim.Adam(chosen, lr=0.0)
    loss, steps = TrainingLoss(net, config), min(STEPS, config.steps)
    generator = torch.Generator().manual_seed(config.seed)
    order = torch.empty(0, dtype=torch.int64)
    size = min(config.batch, len(indices))
    for step in range(steps):
        if len(order) < size:
            order = torch.randperm(len(indices), generator=generator)
        batch, order = indices[order[:size]], order[size:]
        samples = part.take(batch)
        for group in optimizer.param_groups:
            group["lr"] = SLOWER * config.head_lr * (1 + math.cos(math.pi * step / steps)) / 2
        optimizer.zero_grad()
        (loss(samples.images, samples.labels, samples.masks) / size).backward()
        optimizer.step()
    for weight in chosen:
        weight.requires_grad_(False)


def quantised(
    net: AttentionNet, config: RunConfig, data: Prepared, indices: Tensor, bits: int
) -> dict[str, Any]:
    """The network with 2^bits values a weight: its missing rates, and the nats for their range."""
    coarse, nats = copy.deepcopy(net), 0.0
    with torch.no_grad():
        for weight in _weights(coarse, config).values():
            reach, paid = norm_on_grid(max(float(weight.abs().max()), LEAST_NORM))
            weight.copy_(rounded(weight, float(reach), bits))
            nats += float(paid)
    rates = {name: _mean(coarse, part, chosen, lambda found, masks: _rate(found.hard_mask(), masks))
             for name, part, chosen in (("hard", data.train, indices),
                                        ("test_hard", data.test, torch.arange(data.test.n)))}
    return {"bits": bits, "range_nats": nats, **rates}


def rounded(weights: Tensor, reach: float, bits: int) -> Tensor:
    """Each weight to the nearest of the 2^bits values in the middles of equal parts of
    [-reach, reach].

    >>> rounded(torch.tensor([-1.0, 0.1, 0.9]), 1.0, 1)
    tensor([-0.5000,  0.5000,  0.5000])
    """
    step = 2 * reach / 2**bits
    place = torch.floor(weights / step).clamp(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return (place + 0.5) * step


def _weights(net: AttentionNet, config: RunConfig) -> dict[str, Tensor]:
    """The weights of the last layers, by name."""
    return {f"{name}.weight": net.get_submodule(name).weight for name in LAST[config.method]}


def _norms(
    net: AttentionNet, config: RunConfig, data: Prepared, indices: Tensor,
    before: dict[str, Tensor], after: dict[str, Tensor],
) -> dict[str, Any] | None:
    """Norms, Lipschitz constants, losses on the counted and on the test images."""
    constants = lipschitz(config, *data.source.grid)
    if constants is None:
        return None
    (name,) = LAST[config.method]
    out: dict[str, Any] = {**constants, "margin": MARGIN,
                           "feature_norm": feature_norm(net, data.train, indices)}
    losses = {"soft": lambda found, masks: soft_missing_rate(found.log_f, masks),
              "ramp": lambda found, masks: ramp(found, masks, MARGIN).mean(),
              "threshold": lambda found, masks: _rate(found.threshold_mask(), masks)}
    test = torch.arange(data.test.n)
    for key, loss in losses.items():
        out[key] = _mean(net, data.train, indices, loss)
        out[f"test_{key}"] = _mean(net, data.test, test, loss)
    own, old = (w[f"{name}.weight"].detach().double() for w in (after, before))
    return {**out, "weight_norm": float(own.norm()),
            "distance": float((own - old).norm())}


def lipschitz(config: RunConfig, height: int, width: int) -> dict[str, Any] | None:
    """Of the soft loss and the ramp in the layer's outputs; None where there are none.

    For a rectangle in the best units of its five raw outputs
    (:meth:`theory.bounds.lipschitz.RectangleConstants.raw`); position-wise the slope in one logit.
    """
    if config.method == "positionwise":
        return {"outputs": height * width, "shared": True, "lipschitz_soft": SIGMOID_SLOPE,
                "lipschitz_ramp": 1 / MARGIN}
    single = one_rectangle(config.method, config.shape, config.count)
    if config.method != "rectangle-paper" or not single or config.half_range != "floor":
        return None
    least = config.min_half_width / (min(height, width) - 1)
    soft, cut = (rectangle_constants(height, width, config.s, least, margin=margin).raw().weighted
                 for margin in (None, MARGIN))
    return {"outputs": 5, "shared": False, "lipschitz_soft": soft, "lipschitz_ramp": cut}


def feature_norm(net: AttentionNet, part: Part, indices: Tensor) -> float:
    """B: the root mean square of what each output of the last layer sees: the features of an image, or
    the patch of a cell (with its padding of zeros)."""
    head, total, count = net.attention.head, 0.0, 0
    with torch.no_grad():
        for place in indices.split(256):
            x = net.features(part.take(place).images)
            if isinstance(head, PaperHead):
                squares = head.pooled(x).double().square().sum(dim=-1)
            else:
                squares = _patches(head[-1], head[:-1](x).double().square().sum(dim=1, keepdim=True))
            total, count = total + float(squares.sum()), count + squares.numel()
    return math.sqrt(total / count)


def _patches(layer: nn.Conv2d, x: Tensor) -> Tensor:
    """The sum of x ``(n, 1, H, W)`` over what each output of a convolution sees."""
    ones = torch.ones((1, 1, *layer.kernel_size), dtype=x.dtype, device=x.device)
    return nn.functional.conv2d(x, ones, padding=layer.padding, dilation=layer.dilation)


def ramp(found: AttentionMap, masks: Tensor, margin: float) -> Tensor:
    """The ramp loss of each map, ``(n,)``  [:func:`theory.bounds.contraction.ramp_missing_rate`].

    Raises:
        ValueError: masks with unknown positions.
    """
    losses = ramp_missing_rate(found.logit().detach().double().cpu().numpy(), masks.cpu().numpy(),
                               margin)
    return torch.as_tensor(losses)


def _rate(predicted: Tensor, masks: Tensor) -> Tensor:
    return missing_rate(predicted, masks, where=masks != IGNORED).mean()


def _mean(net: AttentionNet, part: Part, indices: Tensor, loss: Any) -> float:
    """The mean of a mean loss over images, taken in parts."""
    total = 0.0
    with torch.no_grad():
        for place in indices.split(256):
            samples = part.take(place)
            total += float(loss(net.look(net.features(samples.images)), samples.masks)) * len(place)
    return total / len(indices)
