"""Training: one network forward in steps, several starts of which the best goes on.

What a network becomes depends on the configuration alone: weights and order come from generators
of the cell's own.  A run that is stopped and goes on from its checkpoint becomes bitwise the same
network on the CPU.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from theory.equivariance import Similarity
from training import checkpoint
from training.attention_base import set_scale
from training.attention_schedule import ScaleSchedule
from training.config import RunConfig, as_dict
from training.counter import streams, uniforms
from training.data import Prepared, fixed_part
from training.equivariance import LOSSES, similarity_of_uniforms
from training.evaluate import brief
from training.model import AttentionNet
from training.networks import make_network
from training.parallel import World

HISTORY, HISTORY_IMAGES, RECENT = 10, 256, 25


class TrainingError(RuntimeError):
    """Training cannot go on; says which cell and which step."""


def build(config: RunConfig, data: Prepared, start: int = 0) -> AttentionNet:
    """The network with the weights of (seed, start); the global random state is untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(streams(config.seed, 0, np.array([start]))[0] >> np.uint64(1)))
        net = make_network(config, data.classes, data.channels)
    return net.to(config.device)


def fit(
    config: RunConfig,
    data: Prepared,
    *,
    world: World | None = None,
    folder: Path | None = None,
    every: int = 200,
    tell: Callable[[int, float], None] | None = None,
) -> Training:
    """Train from several starts for ``config.trial`` of the steps; the one with the lowest loss on
    the late training batches goes on to the end.

    Args:
        folder: where checkpoints are kept, one of each start, every ``every`` steps; a fit that
            finds them goes on from there.
        tell: called with the step and the loss.
    """
    runs = [Training(config, data, start, world=world, folder=folder, every=every, tell=tell)
            for start in range(config.starts if config.learnt else 1)]
    if len(runs) > 1:
        for run in runs:
            run.advance(config.trial_steps)
        runs = [min(runs, key=lambda run: run.trial_loss)]  # the first of equals
    runs[0].advance(config.steps)
    runs[0].finish()
    return runs[0]


class Training:
    """One network in training: advances to a step, keeps the history, can be saved and resumed.

    ``history`` holds step, loss, missing rate and IoU on fixed training images.
    """

    def __init__(
        self,
        config: RunConfig,
        data: Prepared,
        start: int = 0,
        *,
        world: World | None = None,
        folder: Path | None = None,
        every: int = 200,
        tell: Callable[[int, float], None] | None = None,
    ) -> None:
        self.config, self.data, self.start, self.step = config, data, start, 0
        self.world, self.folder, self.every, self.tell = world or World.single(), folder, every, tell
        self.net = build(config, data, start)
        if config.channels_last:
            self.net = self.net.to(memory_format=torch.channels_last)
        loss = TrainingLoss(self.net, config)
        self.loss = torch.compile(loss) if config.compile else loss
        self.optimizer = make_optimizer(self.net, config)
        self.rates = [(group["lr"], group["warmup"]) for group in self.optimizer.param_groups]
        self.generator = torch.Generator().manual_seed(config.seed)
        self.order = torch.empty(0, dtype=torch.int64)  # what is left of this epoch
        self.few = data.train.head(HISTORY_IMAGES)
        self.history: list[dict[str, Any]] = []
        self.losses: list[float] = []
        self.trial_loss = math.inf
        if folder is not None:
            self._resume()

    def advance(self, until: int) -> None:
        """Gradient steps up to ``until``.

        Raises:
            TrainingError: the loss is not finite; the last checkpoint stays.
        """
        config = self.config
        for step in range(self.step, until):
            if step % max(1, config.steps // HISTORY) == 0:
                self.remember(step)
            set_schedules(self.net, self.optimizer, self.rates, config, step)
            loss = self._step(step)
            self.losses = [*self.losses[1 - RECENT:], loss]
            self.step = step + 1
            if self.step == config.trial_steps:
                self.trial_loss = float(np.mean(self.losses))
            if self.folder is not None and (self.step % self.every == 0 or self.step == until):
                self.save()
            if self.tell is not None:
                self.tell(self.step, loss)

    def finish(self) -> None:
        """Set the final s and close the history."""
        set_scale(self.net, self.config.s)
        if not self.history or self.history[-1]["step"] != self.step:
            self.remember(self.step)

    def save(self) -> None:
        """A checkpoint of all that the next step depends on (rank 0 alone writes)."""
        bad = [n for n, v in self.net.named_parameters() if not bool(torch.isfinite(v).all())]
        if bad:
            raise TrainingError(f"{self.config.key}: step {self.step}: {bad[0]} is not finite"
                                f"{self._kept()}")
        if self.world.rank == 0:
            checkpoint.save(self.folder, f"start{self.start}", key=self.config.key, step=self.step,
                            weights=self.net.state_dict(), state=self.state(),
                            config=as_dict(self.config))

    def state(self) -> dict[str, Any]:
        """Everything but the weights, in plain types and tensors."""
        return {"optimizer": self.optimizer.state_dict(), "generator": self.generator.get_state(),
                "order": self.order, "history": self.history, "losses": self.losses,
                "trial_loss": self.trial_loss}

    def restore(self, step: int, weights: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Go back to what was saved."""
        self.net.load_state_dict(weights)
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.order, self.history = state["order"], state["history"]
        self.losses, self.trial_loss, self.step = state["losses"], state["trial_loss"], step

    def _resume(self) -> None:
        found = checkpoint.load(self.folder, f"start{self.start}", key=self.config.key,
                                config=as_dict(self.config))
        if found is not None:
            self.restore(found.step, found.weights, found.state)

    def prepared_batch(self, step: int) -> tuple[Tensor, ...]:
        """This process's share of the next global batch: images, labels, masks, and for the
        equivariance loss the second views and how they were moved.

        Every process draws the same global batch and the same moves.
        """
        config = self.config
        size = min(config.batch, self.data.train.n)
        if len(self.order) < size:
            self.order = torch.randperm(self.data.train.n, generator=self.generator)
        batch, self.order = self.order[:size], self.order[size:]
        share = self.world.shard(torch.arange(size))
        samples = self.data.train.take(batch[share])
        first = (samples.images, samples.labels, samples.masks)
        if config.eqvc == "none":
            return first
        u = uniforms(streams(config.seed, 1, np.arange(step * size, (step + 1) * size)), 0, 4)
        moves = similarity_of_uniforms(torch.from_numpy(u).float())
        mine = fixed_part(moves, share)
        own = Similarity(*(v.to(config.device) for v in
                           (mine.angle, mine.scale, mine.shift, mine.center)))
        return (*first, *self.data.second_views(batch[share], own, step))

    def _step(self, step: int) -> float:
        batch = self.prepared_batch(step)
        size = min(self.config.batch, self.data.train.n)
        loss = self.loss(*batch) / size
        mean = self.world.sum_scalar(loss.detach())
        if not math.isfinite(mean):
            raise TrainingError(f"{self.config.key}: step {step}: the loss is {mean}{self._kept()}")
        self.optimizer.zero_grad()
        loss.backward()
        self.world.sum_gradients(self.net.parameters())
        self.optimizer.step()
        return mean

    def _kept(self) -> str:
        if self.folder is None:
            return ""
        if not (self.folder / f"start{self.start}.json").is_file():
            return "; there is no checkpoint yet"
        return f"; the last good checkpoint is in {self.folder}"

    def remember(self, step: int) -> None:
        """One more moment of the history."""
        set_scale(self.net, scale_at(self.config, step))
        found = brief(self.net, self.few)
        if not math.isfinite(found["loss"]):
            raise TrainingError(f"{self.config.key}: step {step}: the loss is {found['loss']}")
        self.history.append({"step": step, **found})


class TrainingLoss(nn.Module):
    """The SUM over the samples of cross-entropy, mask loss and equivariance loss.

    One forward pass of the whole network; where ``second`` views are given the trunk and the
    attention (not the tail) run on them too.
    """

    def __init__(self, net: AttentionNet, config: RunConfig) -> None:
        super().__init__()
        self.net, self.config = net, config

    def forward(
        self,
        images: Tensor,
        labels: Tensor,
        masks: Tensor,
        second: Tensor | None = None,
        *moves: Tensor,
    ) -> Tensor:
        config = self.config
        with autocast(config):
            logits, found = self.net(images, masks)
        loss = nn.functional.cross_entropy(logits.float(), labels, reduction="sum")
        if config.supervision == "mask":
            known = (masks != 0).float()
            bce = nn.functional.binary_cross_entropy_with_logits(
                found.logit().float(), (masks == 1).float(), reduction="none")
            per_image = (bce * known).sum((1, 2)) / known.sum((1, 2)).clamp_min(1)
            loss = loss + config.mask_weight * per_image.sum()
        if second is not None:
            with autocast(config):
                seen = self.net.look(self.net.features(second))
            expected = Similarity.unchecked(*moves).act(found.rectangle)
            departure = LOSSES[config.eqvc](seen.rectangle.to_array(), expected.to_array(),
                                            check=False)
            loss = loss + config.eqvc_weight * departure.sum()
        return loss


def autocast(config: RunConfig) -> contextlib.AbstractContextManager:
    """bfloat16 autocast, if the configuration asks for it."""
    device = torch.device(config.device).type
    return torch.autocast(device, torch.bfloat16, enabled=config.precision == "bfloat16")


def make_optimizer(net: AttentionNet, config: RunConfig) -> torch.optim.Optimizer:
    """Adam, with a learning rate of its own for the attention."""
    head = list(net.attention.parameters()) if net.attention is not None else []
    inside = {id(p) for p in head}
    rest = [p for p in net.parameters() if id(p) not in inside and p.requires_grad]
    groups: list[dict[str, Any]] = [{"params": rest, "lr": config.lr, "warmup": config.warmup}]
    if head:
        groups.append({"params": head, "lr": config.head_lr, "warmup": config.head_warmup})
    return torch.optim.Adam(groups)


def set_schedules(
    net: AttentionNet, optimizer: torch.optim.Optimizer, rates: list[tuple[float, int]],
    config: RunConfig, step: int,
) -> None:
    """Learning rates (linear warm-up times a cosine) and the scale factor s of this step."""
    done = step / config.steps
    set_scale(net, scale_at(config, step))
    for group, (lr, warmup) in zip(optimizer.param_groups, rates, strict=True):
        warm = min(1.0, (step + 1) / max(1, warmup))
        group["lr"] = lr * warm * (1 + math.cos(math.pi * done)) / 2


def scale_at(config: RunConfig, step: int) -> float:
    """The scale factor s of a step."""
    return ScaleSchedule(config.s_start, config.s, config.s_rise)(step / config.steps)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One torch thread inside, whatever was set before."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
