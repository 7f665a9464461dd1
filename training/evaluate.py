"""What a trained network gets right: loss, accuracy, and how well its map hits the known masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from theory.rates import fitting_rate
from theory.rectangle import hard_rectangle
from training.attention import AttentionMap
from training.data import Part
from training.equivariance import pixel_points
from training.metrics import centre_agreement, rates
from training.metrics_counts import LocalizationCounts
from training.parallel import World
from training.samples import IGNORED, Samples

BOX_STEPS = 32
Call = Callable[[Samples], tuple[Tensor, AttentionMap | None]]


def plain(net: nn.Module) -> Call:
    """A network as :func:`evaluate` calls it: samples to logits and map."""
    return lambda samples: net(samples.images, samples.masks)


def brief(net: nn.Module, samples: Samples) -> dict[str, Any]:
    """Mean loss, and missing rate and IoU of the primary mask, on one batch (for histories)."""
    was = net.training
    net.eval()
    with torch.no_grad():
        logits, found = net(samples.images, samples.masks)
        loss = nn.functional.cross_entropy(logits.float(), samples.labels)
    net.train(was)
    out = {"loss": float(loss), "missing_rate": None, "iou": None}
    if found is not None and bool((samples.masks != IGNORED).any()):
        hit = rates(found.hard_mask().cpu(), samples.masks.cpu())
        out |= {"missing_rate": hit["missing_rate"], "iou": hit["iou"]}
    return out


def evaluate(
    call: Call,
    part: Part,
    *,
    threshold: float | None = None,
    boxes: bool = True,
    world: World | None = None,
) -> tuple[dict[str, Any], LocalizationCounts]:
    """All numbers about one split, and the counts they come from.

    Integer counts are summed over the processes of ``world``, each of which evaluates its share.

    Args:
        call: samples to logits and map (None where there is none), e.g. :func:`plain`.
        threshold: chosen on other images, for ``iou_chosen``.
        boxes: whether to count MaxBoxAccV2.

    Returns:
        Those of :meth:`LocalizationCounts.result`, ``loss``, ``iou_image`` (on the image's pixels),
        ``wrong_counts`` (how many images have how many wrong positions, where all positions are
        known: from it follow all held-out bounds), ``centre_spearman`` and ``centre_slope``.
    """
    world = world or World.single()
    counts = LocalizationCounts(box_steps=BOX_STEPS if boxes else 0)
    loss, images, sums = 0.0, 0, torch.zeros(2, dtype=torch.float64)
    cells = part.source.grid[0] * part.source.grid[1]
    wrong, centres = torch.zeros(cells + 1, dtype=torch.int64), []
    with torch.no_grad():
        for indices in world.shard(torch.arange(part.n).split(256)):
            samples = part.take(indices)
            logits, found = call(samples)
            loss += float(nn.functional.cross_entropy(logits.float(), samples.labels,
                                                      reduction="sum"))
            images += len(samples)
            correct = logits.argmax(1) == samples.labels
            if found is None:
                counts.update(samples.masks, correct=correct)
                continue
            hard = found.hard_mask()
            rectangle = found.rectangle if _single(found) else None
            counts.update(samples.masks, found.f.float(), hard=hard, correct=correct,
                          rectangle=rectangle, true_rectangle=samples.rectangle)
            wrong += _wrong(hard, samples.masks)
            sums += _image_iou(found, samples)
            if samples.rectangle is not None:
                centres.append(torch.cat([found.centre(), samples.rectangle.center], dim=1).cpu())
    counts.state.copy_(world.sum_counts({"state": counts.state})["state"])
    out: dict[str, Any] = counts.result(threshold)
    out["loss"] = world.sum_scalar(loss) / world.sum_scalar(float(images))
    total = [world.sum_scalar(v) for v in sums]
    out["iou_image"] = total[0] / total[1] if total[1] else None
    wrong = world.sum_counts({"wrong": wrong})["wrong"]
    out["wrong_counts"] = {str(k): v for k, v in enumerate(wrong.tolist()) if v} or None
    out |= {"centre_spearman": None, "centre_slope": None}
    gathered = world.gather_rows(centres)
    if gathered:
        both = torch.cat(gathered)
        out |= centre_agreement(both[:, :2], both[:, 2:])
    return out, counts


def _single(found: AttentionMap) -> bool:
    """Whether the map is that of one rectangle (not an ellipse, not a union)."""
    return found.is_one_shape and found.shape == "rectangle"


def _wrong(hard: Tensor, masks: Tensor) -> Tensor:
    """How many images have 0, 1, ... wrong known positions."""
    wrong = ((hard != masks) & (masks != IGNORED)).flatten(1).sum(1).cpu()
    return torch.bincount(wrong, minlength=masks[0].numel() + 1)


def _image_iou(found: AttentionMap, samples: Samples) -> Tensor:
    """Sum of the IoU on the image's pixels, and number of images whose mask is known there.

    A rectangle is drawn on the pixels; any other mask takes its cells as blocks of pixels.
    """
    truth, sides = samples.image_masks, tuple(samples.image_masks.shape[-2:])
    cells = tuple(samples.masks.shape[-2:])
    if sides[0] % cells[0] or sides[1] % cells[1]:
        return torch.zeros(2, dtype=torch.float64)
    if _single(found):
        points = pixel_points(sides, cells, sides[0] // cells[0], found.log_f)
        predicted = hard_rectangle(found.rectangle, points)
    else:
        predicted = found.hard_mask().repeat_interleave(sides[0] // cells[0], 1)
        predicted = predicted.repeat_interleave(sides[1] // cells[1], 2)
    known = truth != IGNORED
    seen = known.flatten(1).any(1)
    if not bool(seen.any()):
        return torch.zeros(2, dtype=torch.float64)
    iou = fitting_rate(predicted[seen], truth[seen], zero_division=0.0, where=known[seen],
                       check=False)
    return torch.tensor([float(iou.double().sum()), float(seen.sum())], dtype=torch.float64)
