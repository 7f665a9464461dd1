r"""Missing rates of networks that are drawn from a law on the weights.

The Gibbs loss :math:`\hat R(Q)=E_{h\sim Q}\hat R(h)` on a sample is the mean over its images of
:math:`E_h\Phi(h(x_i),a_i)`.  Here every pair of an image and a round gets a network of its own: m
rounds on n images are mn INDEPENDENT losses in [0, 1] whose means average to the Gibbs loss, so that
the Chernoff bound holds with mn in place of the number of networks (for independent variables with
means p_i, :math:`\prod_i(1+p_i(e^t-1))\le(1+\bar p\,(e^t-1))^{mn}` by concavity of the logarithm:
Hoeffding 1963, Theorem 1).  All of this is given the sample: the images are not drawn again.
Langford and Caruana (2001) draw one network for all images, and have m only.
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.data import Part
from training.model import AttentionNet
from training.posterior import GaussianWeights, Looker, hard_losses, maps

CHUNK = 128  # networks abreast
NUMBERS = 2**24  # of all their weights, which bounds the memory


def gibbs_losses(
    net: AttentionNet, law: GaussianWeights, part: Part, indices: Tensor, rounds: int,
    generator: torch.Generator,
) -> Tensor:
    """Hard missing rates ``(rounds, n)``, each of a network of its own, float64 on the CPU.

    Args:
        net: what the law's weights are put into; in evaluation mode.
        indices: images of ``part``.
        rounds: at least 1.

    Raises:
        ValueError: no rounds, no images, images without a known position.
    """
    if rounds < 1 or not len(indices):
        raise ValueError(f"needs rounds and images, got {rounds} rounds and {len(indices)} images")
    look = Looker(net, hard=True)
    out = torch.empty(rounds, len(indices), dtype=torch.float64)
    with torch.no_grad():
        for place in torch.arange(len(indices)).split(_abreast(law)):
            samples = part.take(indices[place])
            for k in range(rounds):
                drawn = law.draw(len(place), generator)
                found = maps(look, drawn, samples.images)
                out[k, place] = hard_losses(samples.masks, found).cpu()
    return out


def losses_of(net: AttentionNet, weights: dict[str, Tensor], part: Part, indices: Tensor) -> Tensor:
    """Hard missing rates ``(n,)`` of ONE network with these weights, float64 on the CPU."""
    look, out = Looker(net, hard=True), []
    named = {f"net.{name}": w for name, w in weights.items()}
    with torch.no_grad():
        for place in indices.split(CHUNK):
            samples = part.take(place)
            found = torch.func.functional_call(look, named, (samples.images,))
            out.append(hard_losses(samples.masks, found).cpu())
    return torch.cat(out)


def _abreast(law: GaussianWeights) -> int:
    """How many networks are drawn at once."""
    return max(1, min(CHUNK, NUMBERS // sum(m.numel() for m in law.means)))
