"""One cell: draw the images, train, test, and give the row.

A row depends on the configuration alone (but for ``seconds`` and ``images_per_second``): weights
and order come from generators of the cell's own, and training runs on one thread.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from training.config import RunConfig, learnt
from training.counter import streams
from training.metrics import centre_agreement, rates, trivial_predictors
from training.model import SmallNet, gradient_ratio
from training.shapes import Samples, draw

HISTORY, HISTORY_IMAGES, CHUNK, RECENT = 10, 256, 256, 25


class TrainingError(RuntimeError):
    """Training cannot go on; says which cell and which step."""


def run_cell(config: RunConfig) -> dict[str, Any]:
    """The row of one cell, without version and provenance.

    Raises:
        TrainingError: the loss or the parameters are not finite.
    """
    with one_thread():
        start = time.perf_counter()
        train = draw(config.shapes, config.seed, "train", range(config.n))
        test = draw(config.shapes, config.seed, "test", range(config.n_test))
        images, labels = (torch.from_numpy(v[:64]) for v in (train.images, train.labels))
        began = time.perf_counter()
        done = fit(config, train)
        seconds, net = time.perf_counter() - began, done.net
        fresh = build(config, done.start)
        net_s(fresh, config.s_start)
        row = {
            "kind": "training",
            "key": config.key,
            "method": config.method,
            "supervision": config.supervision,
            "n": config.n,
            "seed": config.seed,
            "n_test": config.n_test,
            "grid": list(config.shapes.grid),
            **facts(config, train, test),
            "train": evaluate(net, train),
            "test": evaluate(net, test),
            "trivial": trivial_predictors(train.masks, test.masks),
            "gradient_ratio_start": gradient_ratio(fresh, images, labels),
            "gradient_ratio_end": gradient_ratio(net, images, labels),
            "history": done.history,
            "start": done.start,
            "steps": config.steps,
            "parameters": sum(p.numel() for p in net.parameters()),
            "images_per_second": round(
                config.gradient_steps * min(config.batch, config.n) / seconds, 1),
            "seconds": round(time.perf_counter() - start, 3),
            "config": dataclasses.asdict(config),
        }
    return row


def facts(config: RunConfig, train: Samples, test: Samples) -> dict[str, Any]:
    """What the theory needs of the sample: areas of the truths and limits of the distribution."""
    areas = (train.masks == 1).sum(axis=(1, 2))
    test_areas = (test.masks == 1).sum(axis=(1, 2))
    cells = min(config.shapes.grid) - 1
    low, high = config.shapes.half_widths
    counts = dict(zip(*(v.tolist() for v in np.unique(areas, return_counts=True)), strict=True))
    return {
        "area_fraction": float(test_areas.mean() / train.masks[0].size),
        "max_area": int(max(areas.max(), test_areas.max())),
        "max_half_widths_cells": [round(v * cells, 9) for v in (high, (low + high) / 2)],
        "train_areas": {str(k): v for k, v in counts.items()},
    }


def build(config: RunConfig, start: int = 0) -> SmallNet:
    """The network with the weights of (seed, start); the global random state is untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(streams(config.seed, 0, np.array([start]))[0] >> np.uint64(1)))
        return SmallNet(config)


def fit(config: RunConfig, train: Samples) -> Training:
    """Train from several starts for the first ``trial`` of the steps; the one with the lowest loss
    on the training batches of late goes on to the end."""
    starts = config.starts if learnt(config) else 1
    runs = [Training(config, train, start) for start in range(starts)]
    if len(runs) > 1:
        until = max(1, round(config.trial * config.steps))
        for run in runs:
            run.advance(until)
        runs = [min(runs, key=lambda run: run.recent_loss)]  # the first of equals
    runs[0].advance(config.steps)
    runs[0].finish()
    return runs[0]


class Training:
    """One network in training: advances to a step, keeps the history.

    ``history`` holds step, loss and missing rate on fixed training images.
    """

    def __init__(self, config: RunConfig, train: Samples, start: int) -> None:
        self.config, self.start, self.step = config, start, 0
        self.net = build(config, start)
        self.optimizer = _optimizer(self.net, config)
        self.rates = [(group["lr"], group["warmup"]) for group in self.optimizer.param_groups]
        self.generator = torch.Generator().manual_seed(config.seed)
        self.batches: Iterator[Tensor] = iter(())
        self.arrays = [torch.from_numpy(v) for v in (train.images, train.labels, train.masks)]
        few = (v[:HISTORY_IMAGES] for v in (train.images, train.labels, train.masks))
        self.few = Samples(*few, None)
        self.history: list[dict[str, Any]] = []
        self.losses: list[float] = []

    @property
    def recent_loss(self) -> float:
        """Mean loss of the last batches."""
        return float(np.mean(self.losses[-RECENT:]))

    def advance(self, until: int) -> None:
        """Gradient steps up to ``until``."""
        config = self.config
        for step in range(self.step, until):
            if step % max(1, config.steps // HISTORY) == 0:
                self.history.append(_moment(self.net, config, self.few, step))
            done = step / config.steps
            rise = min(1.0, done / config.s_rise)
            net_s(self.net, config.s_start + (config.s - config.s_start) * rise)
            for group, (lr, warmup) in zip(self.optimizer.param_groups, self.rates, strict=True):
                warm = min(1.0, (step + 1) / max(1, warmup))
                group["lr"] = lr * warm * (1 + math.cos(math.pi * done)) / 2
            chosen = next(self.batches, None)
            if chosen is None:
                self.batches = _epoch(config, self.generator)
                chosen = next(self.batches)
            loss = _loss(self.net, config, *(v[chosen] for v in self.arrays), step)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.losses.append(loss.item())
        self.step = until

    def finish(self) -> None:
        """Set the final s and close the history."""
        net_s(self.net, self.config.s)
        self.history.append(_moment(self.net, self.config, self.few, self.step))


def evaluate(net: SmallNet, samples: Samples) -> dict[str, Any]:
    """Loss, accuracy, and how well the map hits: hard rectangle first, ``{f >= 1/2}`` second."""
    losses, right, hard, threshold, centres = [], [], [], [], []
    with torch.no_grad():
        for start in range(0, len(samples.labels), CHUNK):
            part = slice(start, start + CHUNK)
            labels = torch.from_numpy(samples.labels[part])
            logits, found = net(torch.from_numpy(samples.images[part]),
                                torch.from_numpy(samples.masks[part]))
            losses.append(nn.functional.cross_entropy(logits, labels, reduction="none"))
            right.append(logits.argmax(1) == labels)
            if found is not None:
                hard.append(found.hard_mask().numpy())
                threshold.append(found.threshold_mask().numpy())
                centres.append(_centre(found).numpy())
    out: dict[str, Any] = {
        "loss": float(torch.cat(losses).double().mean()),
        "accuracy": float(torch.cat(right).double().mean()),
    }
    if hard:
        out |= rates(np.concatenate(hard), samples.masks)
        soft = rates(np.concatenate(threshold), samples.masks)
        out |= {f"{k}_threshold": soft[k] for k in ("missing_rate", "iou")}
        if samples.rectangle is not None:
            out |= centre_agreement(np.concatenate(centres), samples.rectangle.center)
    else:
        keys = ("missing_rate", "missing_rate_sd", "missing_rate_se", "iou",
                "missing_rate_threshold", "iou_threshold", "centre_spearman", "centre_slope")
        out |= dict.fromkeys(keys)
    return out


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One torch thread inside, whatever was set before."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def net_s(net: SmallNet, s: float) -> None:
    """Set the scale factor of the rectangle, if the network has one."""
    if hasattr(net.attention, "s"):
        net.attention.s = s


def _optimizer(net: SmallNet, config: RunConfig) -> torch.optim.Optimizer:
    head = list(net.attention.parameters()) if net.attention is not None else []
    inside = {id(p) for p in head}
    rest = [p for p in net.parameters() if id(p) not in inside]
    groups: list[dict[str, Any]] = [{"params": rest, "lr": config.lr, "warmup": config.warmup}]
    if head:
        lr = {"rectangle": config.coords_lr, "rectangle-paper": config.paper_lr,
              "positionwise": config.positionwise_lr}[config.method]
        groups.append({"params": head, "lr": lr, "warmup": config.head_warmup})
    return torch.optim.Adam(groups)


def _epoch(config: RunConfig, generator: torch.Generator) -> Iterator[Tensor]:
    order = torch.randperm(config.n, generator=generator)
    size = min(config.batch, config.n)
    return iter(order[: config.n // size * size].split(size))


def _loss(
    net: SmallNet, config: RunConfig, images: Tensor, labels: Tensor, masks: Tensor, step: int
) -> Tensor:
    with _named(config, step):
        logits, found = net(images, masks)
    loss = nn.functional.cross_entropy(logits, labels)
    if config.supervision == "mask":
        inside = (masks == 1).to(logits.dtype)
        bce = nn.functional.binary_cross_entropy_with_logits(found.logit(), inside)
        loss = loss + config.mask_weight * bce
    if not bool(torch.isfinite(loss)):
        raise TrainingError(f"{config.key}: step {step}: the loss is {loss.item()}")
    return loss


def _moment(net: SmallNet, config: RunConfig, few: Samples, step: int) -> dict[str, Any]:
    with _named(config, step):
        found = evaluate(net, few)
    if not math.isfinite(found["loss"]):
        raise TrainingError(f"{config.key}: step {step}: the loss is {found['loss']}")
    return {"step": step, "loss": found["loss"], "missing_rate": found["missing_rate"]}


@contextlib.contextmanager
def _named(config: RunConfig, step: int) -> Iterator[None]:
    """Say where: a rectangle refuses parameters that are not finite."""
    try:
        yield
    except ValueError as error:
        raise TrainingError(f"{config.key}: step {step}: {error}") from error


def _centre(found: Any) -> Tensor:
    """The centre of the rectangle; of mass where there is none."""
    if found.rectangle is not None:
        return found.rectangle.center
    from theory.rectangle import grid

    f = torch.softmax(found.log_f.flatten(1), dim=1)
    return f @ grid(*found.log_f.shape[-2:], like=f).flatten(0, 1)
