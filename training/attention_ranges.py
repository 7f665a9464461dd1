r"""From raw outputs to centres, half-widths and logits that always have a gradient back."""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor
from torch.nn.functional import softplus, softsign

TAIL = 0.01  # so small that a rectangle is where softplus alone would put it
REACH = 20.0  # logits this far below the largest fall off slowly: e^-20 on 256 cells is 5e-7


def inside_image(raw: Tensor) -> Tensor:
    r"""A centre :math:`(1 + r/(1+|r|))/2` in [0, 1] from any number r.

    The gradient falls off like :math:`1/(2r^2)` only: a centre at the border comes back.
    """
    return (1 + softsign(raw)) / 2


def floored(raw: Tensor, floor: float, pitch: float) -> Tensor:
    r"""Half-widths above ``floor``: :math:`\mathrm{floor}+\mathrm{pitch}\,
    (\mathrm{softplus}(u)+\epsilon\,(1+u/(1+|u|)))` of the raw output r, with
    ``u = (r - floor) / pitch`` and epsilon = 0.01.

    Tends to r above (to 2 % of a pitch) and to the floor below.  The second term keeps the gradient
    above :math:`\epsilon/(1+|u|)^2`; that of softplus alone is 0 in float32 a hundred pitches down.
    """
    u = (raw - floor) / pitch
    return floor + pitch * (softplus(u) + TAIL * (1 + softsign(u)))


def linear(raw: Tensor, pitch: float) -> Tensor:
    r"""The paper's raw half-widths r up to their sign: :math:`\sqrt{r^2+(\mathrm{pitch}/100)^2}`.

    The map is even in each half-width (Eq. 1), so the sign is a symmetry; at r = 0 Eq. 1 divides by
    0, which the small constant prevents.  There is no floor: between the cells the map is 0 on all
    of them and the gradient dies.
    """
    return torch.sqrt(raw**2 + (pitch / 100) ** 2)


def bounded_logits(logits: Tensor) -> Tensor:
    """Logits ``(..., m)`` less their maximum, unchanged down to -20 and logarithmic below.

    Their softmax is that of the logits to 2e-9 a position, but no weight underflows: a saliency
    that has put all on one cell still has a gradient back, small as it is.  (From -12 on, where it
    is less small, a hundred far cells widen a narrow saliency, and pilots found objects worse.)
    """
    below = logits.amax(dim=-1, keepdim=True) - logits
    return -(below.clamp_max(REACH) + torch.log1p(torch.relu(below - REACH)))


def at_least_float32(x: Tensor) -> Tensor:
    """Half precision to float32; float32 and float64 as they are."""
    return x if x.dtype == torch.float64 else x.float()


def full_precision(x: Tensor) -> contextlib.AbstractContextManager:
    """No autocast inside, on the device of x; costs nothing where there is none."""
    if torch.is_autocast_enabled(x.device.type):
        return torch.autocast(x.device.type, enabled=False)
    return contextlib.nullcontext()
