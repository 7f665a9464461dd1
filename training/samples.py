"""A batch of images with labels and known masks, and the sources that batches come from.

Masks are int8: +1 in the object, -1 outside, 0 where nobody knows (the border of a trimap): such
positions count nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from theory.rectangle import Rectangle

IGNORED = 0


@dataclass(frozen=True, eq=False)
class Samples:
    """A batch of n.

    Args:
        images: ``(n, 3, H, W)`` float32, about [0, 1] (noise may leave the interval).
        labels: ``(n,)`` int64.
        masks: the truth on the attention grid, ``(n, h, w)`` int8.
        image_masks: the truth on the image's pixels, ``(n, H, W)`` int8.
        rectangle: the true parameters in the coordinates of the attention grid (Eq. 5), where the
            truth is a rectangle.
        names: of files, or of what was drawn; empty where the index says all.
    """

    images: Tensor
    labels: Tensor
    masks: Tensor
    image_masks: Tensor
    rectangle: Rectangle | None = None
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, part: slice | Tensor) -> Samples:
        """The samples of a slice, or of a tensor of indices."""
        r = self.rectangle
        if r is not None:
            r = Rectangle(r.center[part], r.half_widths[part], r.angle[part])
        chosen = torch.arange(len(self))[part].tolist() if self.names else ()
        return Samples(self.images[part], self.labels[part], self.masks[part],
                       self.image_masks[part], r, tuple(self.names[i] for i in chosen))

    def to(self, device: torch.device | str) -> Samples:
        """The same batch on another device."""
        r = self.rectangle
        if r is not None:
            r = Rectangle(r.center.to(device), r.half_widths.to(device), r.angle.to(device))
        moved = (v.to(device) for v in (self.images, self.labels, self.masks, self.image_masks))
        return Samples(*moved, r, self.names)


class Source(Protocol):
    """Where samples come from: stateless, so that any process may draw any of them.

    ``classes`` is the number of labels, ``image`` and ``grid`` are (height, width) of the images
    and of the attention grid.
    """

    classes: int
    image: tuple[int, int]
    grid: tuple[int, int]

    def size(self, split: str) -> int | None:
        """Number of samples of a split; None where there is no end."""

    def draw(self, split: str, indices: Sequence[int] | range) -> Samples:
        """Samples ``indices`` of a split: the same in any batch and any order."""


def cell_masks(image_masks: Tensor, grid: tuple[int, int]) -> Tensor:
    """Image masks ``(n, H, W)`` on the attention grid ``(n, h, w)``: each cell by its majority.

    A cell is the block of pixels it covers (adaptive, where sides do not divide).  Ignored where
    half of its pixels or more are; else +1 if most of the others are, ties to -1.

    Raises:
        ValueError: a grid finer than the image.
    """
    height, width = image_masks.shape[-2:]
    if not (1 <= grid[0] <= height and 1 <= grid[1] <= width):
        raise ValueError(f"grid must have 1 to {height} x 1 to {width} cells, got {grid}")
    mean = torch.nn.functional.adaptive_avg_pool2d
    known = mean((image_masks != IGNORED).float()[:, None], grid)[:, 0]
    vote = mean(image_masks.float()[:, None], grid)[:, 0]
    cells = torch.where(vote > 1e-6, 1, -1).to(torch.int8)
    return torch.where(known > 0.5 + 1e-6, cells, torch.zeros_like(cells))
