r"""What a PAC-Bayes certificate of a trained network is made from: posteriors, losses, divergences.

Bounded is the hard missing rate of the map, a function of trunk and attention.  Four posteriors:

* "split": the prior is the network that the same recipe makes of the first half of the training
  sample (its weights, deviations in proportion to their size); the posterior is the prior; the bound
  counts the second half.  The divergence is 0: all is spent on confidence.
* "split-trained": the prior is the network that the recipe, with masks, makes of the first quarter;
  the posterior is trained on the other three for its own bound, which counts them.
* "initial": the prior sits at the initialisation, the posterior at the network of the run, trained on
  labels alone; the bound counts the whole sample.  What a run costs that nobody kept close to where
  it began.
* "initial-trained": the prior at the initialisation, the posterior trained for its own bound on the
  whole sample.  The trunk stays as it began: random features, the same in prior and posterior, cost
  nothing, and the law is on the attention alone.

The first and the third are made of what the run is made of (labels alone, but for supervision by
masks); the trained ones see masks.  No held-out image enters: the test figures beside them are for
comparison.  The initialisation of the run was picked out of ``starts`` by its training loss, which
costs ``log(starts)`` nats (``prior_choices``), and the prior's deviation out of a grid, which costs the
log of its length.  The starts of the split prior cost nothing: the second half has no part in them.

All of this needs images that are drawn independently, so that those of a run of half the size are the
first half of the run's (sources without end), and weights that are all that is learnt (no running
statistics).  The risk is that of the law of the training images.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from theory.bounds.pac_bayes_kl import PacBayesKl
from theory.methods import is_rectangle
from training.attention_base import set_scale
from training.config import RunConfig
from training.constant import best_constant
from training.counter import streams
from training.data import Prepared, prepare
from training.fit import Training, build, fit
from training.gibbs import gibbs_losses, losses_of
from training.last_layer import LAST, last_layer
from training.model import AttentionNet
from training.pac_bayes import PosteriorTraining, train_posterior
from training.posterior import GaussianWeights, scales_of, weights_of

PRIOR_SHARE = 0.5
MASK_SHARE = 0.25  # of the sample makes the prior of "split-trained"
NOISE = 0.01  # deviations of the prior of "split", relative to the size of the weights
MASK_NOISE = 0.02  # of "split-trained"
WIDE, WIDE_CELLS = 3.0, 1.0  # of "initial-trained": of rectangles and of maps with a logit a cell
LOGITS, LENGTHS = 3.0, 0.15  # of its last layers, absolute: what gives logits, what gives lengths
GRID = tuple(2.0**k for k in range(-6, 4))  # deviations of the prior of "initial", relative
ROUNDS, TEST_ROUNDS = 20, 4
MOST_WEIGHTS = 100_000  # of a law: a network is drawn for each image and round
TRAININGS = {  # steps: at most those of the run
    "split-trained": PosteriorTraining(steps=300, lr=0.05),
    "initial-trained": PosteriorTraining(steps=1200, lr=0.05),
}
DICE = (0.6, 0.0)  # shares of the Dice loss with which "initial-trained" is trained; the better is kept


@dataclass(frozen=True)
class Certified:
    """A network, a law on its weights and the images its bound counts."""

    net: AttentionNet
    law: GaussianWeights
    data: Prepared
    indices: Tensor
    prior_choices: float


def certificate(run: Training, data: Prepared) -> dict[str, Any] | None:
    """Ingredients by posterior (:data:`POSTERIORS`, for at most ``MOST_WEIGHTS`` weights), of the last
    layer (:mod:`training.last_layer`) and of the best constant mask (:mod:`training.constant`); None
    where :func:`possible` says no.

    ``seconds`` are those of making a posterior, with the training of its prior.
    """
    if not possible(run.config, data):
        return None
    start = time.perf_counter()
    half, out = half_network(run), {}
    prior = time.perf_counter() - start
    size = sum(w.numel() for w in weights_of(half).values())
    for name, make in POSTERIORS.items() if size <= MOST_WEIGHTS else ():
        start = time.perf_counter()
        made = make(run, data, half)
        spent = time.perf_counter() - start + prior * (made.net is half)
        out[name] = _measure(made, run.config, spent)
    second = torch.arange(_first(run.config), data.train.n)
    out["last-layer"] = last_layer(run.config, data, half, second)
    out["constant"] = best_constant(run.config.method, data)
    return out


def possible(config: RunConfig, data: Prepared) -> bool:
    """Whether certificates can be made: a learnt map, at least 4 training images that are drawn
    independently (no folder, no split of a pool), weights that are all that is learnt."""
    endless = data.source.size("train") is None and not config.pool
    weights_alone = config.backbone == "small" or config.freeze
    return config.learnt and data.train.n >= 4 and endless and weights_alone


def half_network(run: Training) -> AttentionNet:
    """The network that the run's recipe makes of the first half of its training images."""
    return _network(replace(run.config, n=_first(run.config), analyses=()))


def split(run: Training, data: Prepared, half: AttentionNet) -> Certified:
    """Prior: the recipe's network of the first half.  Posterior: the same."""
    weights = weights_of(half)
    law = GaussianWeights(weights, _times(scales_of(weights), NOISE))
    return Certified(half, law, data, torch.arange(_first(run.config), data.train.n), 0.0)


def split_trained(run: Training, data: Prepared, half: AttentionNet) -> Certified:
    """Prior: the recipe with masks on the first quarter; the posterior trained on the rest."""
    first = math.ceil(run.config.n * MASK_SHARE)
    net = _network(replace(run.config, n=first, supervision="mask", analyses=()))
    weights = weights_of(net)
    law = GaussianWeights(weights, _times(scales_of(weights), MASK_NOISE))
    made = Certified(net, law, data, torch.arange(first, data.train.n), 0.0)
    train_posterior(made.net, made.law, data.train, made.indices,
                    _training(run.config, "split-trained"), _generator(run.config, 1))
    return made


def initial(run: Training, data: Prepared, half: AttentionNet) -> Certified:
    """Prior: the start of the run that was chosen.  Posterior: the run's network, noise about it."""
    fresh, net = build(run.config, data, run.start), run.net.eval()
    start, end = weights_of(fresh), weights_of(net)
    noise, sizes = _times(scales_of(end), NOISE), scales_of(start)
    laws = []
    for factor in GRID:
        law = GaussianWeights(start, _times(sizes, factor))
        law.move_to(end, noise)
        laws.append(law)
    best = min(laws, key=lambda law: float(law.divergence().detach()))
    paid = math.log(len(GRID)) + math.log(run.config.starts)
    return Certified(net, best, data, torch.arange(data.train.n), paid)


def initial_trained(run: Training, data: Prepared, half: AttentionNet) -> Certified:
    """Prior: the attention of the first start, its trunk as it is.  Posterior: trained for its bound on
    the whole sample.

    It is trained with each share of :data:`DICE`, and the one with the smaller bound is kept.  That
    choice costs nothing: a bound holds for all posteriors of one prior at once.
    """
    net = build(run.config, data).eval()
    set_scale(net, run.config.s)
    weights, indices = weights_of(net, "head"), torch.arange(data.train.n)
    how, generator = _training(run.config, "initial-trained"), _generator(run.config, 2)
    found = []
    for dice in DICE:
        law = GaussianWeights(weights, wide_deviations(weights, run.config.method))
        train_posterior(net, law, data.train, indices, replace(how, dice=dice), generator)
        losses = gibbs_losses(net, law, data.train, indices, 1, generator)
        upper = PacBayesKl(delta=how.delta).upper(
            gibbs=float(losses.mean()), draws=losses.numel(), n_samples=len(indices),
            kl=max(float(law.divergence().detach()), 0.0), prior_choices=0.0)
        found.append((float(upper), law))
    _, best = min(found, key=lambda pair: pair[0])
    return Certified(net, best, data, indices, 0.0)


POSTERIORS = {"split": split, "split-trained": split_trained, "initial": initial,
              "initial-trained": initial_trained}
"""How each posterior is made from a finished run, its data and the network of the first half."""


def _measure(made: Certified, config: RunConfig, seconds: float) -> dict[str, Any]:
    """Losses of the posterior's networks on the counted images and on the test images."""
    data, law, net = made.data, made.law, made.net
    generator = _generator(config, 3)
    one = {name: w[0].detach() for name, w in law.draw(1, generator).items()}
    pairs = gibbs_losses(net, law, data.train, made.indices, ROUNDS, generator)
    drawn = losses_of(net, one, data.train, made.indices)
    test = torch.arange(data.test.n)
    fresh = gibbs_losses(net, law, data.test, test, TEST_ROUNDS, generator)
    with torch.no_grad():
        center = law.center()
    cells = data.source.grid[0] * data.source.grid[1]
    return {
        "n_samples": len(made.indices),
        "weights": sum(m.numel() for m in law.means),
        "kl": max(float(law.divergence().detach()), 0.0),
        "prior_choices": made.prior_choices,
        "gibbs": float(pairs.mean()),
        "draws": pairs.numel(),
        "drawn": float(drawn.mean()),
        "drawn_counts": _counts(drawn, cells),
        "log_ratio": law.log_ratio(one),
        "center": float(losses_of(net, center, data.train, made.indices).mean()),
        "test_gibbs": float(fresh.mean()),
        "test_drawn": float(losses_of(net, one, data.test, test).mean()),
        "test_center": float(losses_of(net, center, data.test, test).mean()),
        "seconds": round(seconds, 3),
    }


def wide_deviations(weights: dict[str, Tensor], method: str) -> dict[str, Tensor]:
    """Deviations of the prior of "initial-trained", for the weights of an attention by name.

    The last layers of a new network are so small that no map is within reach of deviations in
    proportion to them: theirs are in units of what they give.  Of a logit a cell that is the bias
    alone, because wide weights would be noise on every cell.
    """
    boxes = is_rectangle(method)
    out = _times(scales_of(weights), WIDE if boxes else WIDE_CELLS)
    for name, weight in weights.items():
        layer, _, kind = name.rpartition(".")
        if layer in LAST[method] and (boxes or kind == "bias"):
            lengths = boxes and not layer.endswith("saliency")
            out[name] = torch.full_like(weight, LENGTHS if lengths else LOGITS)
    return out


def _network(config: RunConfig) -> AttentionNet:
    """What the recipe of a configuration makes of its images."""
    return fit(config, prepare(config)).net.eval()


def _training(config: RunConfig, name: str) -> PosteriorTraining:
    how = TRAININGS[name]
    return replace(how, steps=min(how.steps, config.steps))


def _first(config: RunConfig) -> int:
    """Size of the first half."""
    return math.ceil(config.n * PRIOR_SHARE)


def _counts(losses: Tensor, cells: int) -> dict[str, int]:
    """How many images have how many wrong positions (where all positions are known)."""
    wrong = torch.round(losses * cells).long()
    return {str(k): v for k, v in enumerate(torch.bincount(wrong).tolist()) if v}


def _times(scales: dict[str, Tensor], factor: float) -> dict[str, Tensor]:
    return {name: factor * v for name, v in scales.items()}


def _generator(config: RunConfig, what: int) -> torch.Generator:
    seed = int(streams(config.seed, 7, np.array([what]))[0] >> np.uint64(1))
    return torch.Generator().manual_seed(seed)
