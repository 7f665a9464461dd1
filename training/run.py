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

from training.config import RunConfig
from training.metrics import centre_agreement, rates, trivial_predictors
from training.model import SmallNet, gradient_ratio
from training.shapes import Samples, draw

HISTORY, HISTORY_IMAGES, CHUNK = 10, 256, 256


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
        net = build(config)
        images, labels = torch.from_numpy(train.images), torch.from_numpy(train.labels)
        first = slice(0, min(config.n, 64))
        net_s(net, config.s_start)
        ratio_start = gradient_ratio(net, images[first], labels[first])
        began = time.perf_counter()
        history = fit(net, config, train)
        seconds = time.perf_counter() - began
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
            "gradient_ratio_start": ratio_start,
            "gradient_ratio_end": gradient_ratio(net, images[first], labels[first]),
            "history": history,
            "steps": config.steps,
            "parameters": sum(p.numel() for p in net.parameters()),
            "images_per_second": round(config.steps * min(config.batch, config.n) / seconds, 1),
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


def build(config: RunConfig) -> SmallNet:
    """The network with the weights of ``config.seed``; the global random state is untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return SmallNet(config)


def fit(net: SmallNet, config: RunConfig, train: Samples) -> list[dict[str, Any]]:
    """Train ``net`` in place; the history: step, loss and missing rate on fixed training images."""
    images, labels, masks = (
        torch.from_numpy(v) for v in (train.images, train.labels, train.masks))
    few = Samples(*(v[:HISTORY_IMAGES] for v in (train.images, train.labels, train.masks)), None)
    optimizer = _optimizer(net, config)
    rates_of = [(group["lr"], group["warmup"]) for group in optimizer.param_groups]
    generator = torch.Generator().manual_seed(config.seed)
    history, batches = [], iter(())
    for step in range(config.steps):
        if step % max(1, config.steps // HISTORY) == 0:
            history.append(_moment(net, config, few, step))
        done = step / config.steps
        net_s(net, config.s_start + (config.s - config.s_start) * min(1.0, done / config.s_rise))
        for group, (lr, warmup) in zip(optimizer.param_groups, rates_of, strict=True):
            rise = min(1.0, (step + 1) / max(1, warmup))
            group["lr"] = lr * rise * (1 + math.cos(math.pi * done)) / 2
        chosen = next(batches, None)
        if chosen is None:
            batches = _epoch(config, generator)
            chosen = next(batches)
        loss = _loss(net, config, images[chosen], labels[chosen], masks[chosen], step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net_s(net, config.s)
    history.append(_moment(net, config, few, config.steps))
    return history


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
