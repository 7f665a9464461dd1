"""Boxes of the connected components of thresholded maps, for MaxBoxAcc and MaxBoxAccV2 (CPU)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from training.metrics_boxes import box_iou, tight_boxes

CELLS = 1 << 20


def component_ious(masks: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """IoU of each box with the boxes around the components of a mask: of the largest, and the best.

    Components are 8-connected, the largest is the one of most cells (the first, row by row, of
    equals).

    Args:
        masks: boolean ``(p, h, w)``.
        boxes: ``(p, 4)`` of edges (:func:`training.metrics_boxes.box_iou`).

    Returns:
        Two float64 ``(p,)`` on the CPU; 0 where the mask is empty.
    """
    from scipy import ndimage

    flat = np.zeros((3, 3, 3), dtype=bool)
    flat[1] = True
    labels, count = ndimage.label(masks.cpu().numpy(), structure=flat)
    plane, row, column = np.nonzero(labels)
    name = labels[plane, row, column] - 1
    cells = np.bincount(name, minlength=count)
    low = np.full((2, count), np.iinfo(np.int64).max)
    high, owner = np.zeros((2, count), dtype=np.int64), np.zeros(count, dtype=np.int64)
    owner[name] = plane
    for axis, position in enumerate((row, column)):
        np.minimum.at(low[axis], name, position)
        np.maximum.at(high[axis], name, position + 1)
    found = torch.from_numpy(np.concatenate([low, high]).T)
    iou = box_iou(found, boxes.cpu()[torch.from_numpy(owner)]).numpy()
    largest, best = np.zeros(len(masks)), np.zeros(len(masks))
    np.maximum.at(best, owner, iou)
    order = np.lexsort((-np.arange(count), cells))  # the last of a plane is its largest
    largest[owner[order]] = iou[order]
    return torch.from_numpy(largest), torch.from_numpy(best)


def threshold_ious(f: Tensor, known: Tensor, inside: Tensor, thresholds: Tensor) -> Tensor:
    r"""IoU of the truth's box with boxes of :math:`\{f\ge\tau\}`, ``(2, n, T)`` float64 on the CPU.

    First the box of the largest component, then the best of all components' boxes.  The truth's
    box is the tight one around all cells inside; no cell outside ``known`` is predicted.

    Args:
        f: ``(n, h, w)`` in [0, 1].
        known, inside: boolean ``(n, h, w)``.
        thresholds: ``(T,)``, ascending, in [0, 1].
    """
    n, steps = len(f), len(thresholds)
    f = torch.where(known, f.double(), -1.0)
    level = torch.bucketize(f, thresholds, right=True).flatten(1)
    bins = torch.arange(n, device=f.device)[:, None] * (steps + 1) + level
    taken = torch.bincount(bins.flatten(), minlength=n * (steps + 1)).reshape(n, steps + 1)
    below = taken.cumsum(1)[:, :-1]  # cells under each threshold: equal numbers, equal masks
    new = torch.ones_like(below, dtype=torch.bool)
    new[:, 1:] = below.diff(dim=1) != 0
    image, step = new.nonzero(as_tuple=True)
    boxes = tight_boxes(inside)
    parts: list[tuple[Tensor, Tensor]] = []
    size = max(1, CELLS // f[0].numel())
    for i, k in zip(image.split(size), step.split(size), strict=True):
        parts.append(component_ious(f[i] >= thresholds[k][:, None, None], boxes[i]))
    where = (new.flatten().cumsum(0) - 1).cpu()
    return torch.stack([torch.cat(side)[where].reshape(n, steps) for side in zip(*parts, strict=True)])
