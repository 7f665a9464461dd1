"""Image files as samples: reading by content, resizing, masks, splits, and errors that name the file.

Shared by the sources that read files (:mod:`training.folder`, :mod:`training.pets`).  An image
becomes float32 RGB in [0, 1]; a mask becomes int8 with +1 in the object, -1 outside, 0 ignored.
"""

from __future__ import annotations

import hashlib
import math
import struct
import warnings
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image

from training.samples import IGNORED, Samples, cell_masks

_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error,
               Image.DecompressionBombError)
_TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
          4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
          6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90}


class UnreadableFile(ValueError):
    """A file that is no image or mask, or only a part of one; the message names it."""


@dataclass(frozen=True)
class Entry:
    """One sample on disk: its name, its image, its mask (None: nobody knows) and its label."""

    name: str
    image: Path
    mask: Path | None
    label: int


class FileSource(ABC):
    """Samples from files (a :class:`training.samples.Source`), read when they are drawn.

    Args:
        splits: the entries of each split.
        classes: number of labels.
        image, grid: (height, width) that images are resized to, and of the attention grid.

    Subclasses say how a mask is read.

    Raises:
        ValueError: sides that are not positive, or a grid finer than the image.
    """

    upright = True

    def __init__(self, splits: Mapping[str, Sequence[Entry]], classes: int,
                 image: tuple[int, int], grid: tuple[int, int]) -> None:
        check_sides(image, grid)
        self.classes, self.image, self.grid = classes, image, grid
        self.entries = {split: tuple(entries) for split, entries in splits.items()}

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits."""
        return tuple(self.entries)

    def size(self, split: str) -> int:
        """Number of samples of a split."""
        return len(self._of(split))

    def labels(self, split: str) -> list[int]:
        """The labels of a split, in its order, without reading an image."""
        return [entry.label for entry in self._of(split)]

    def draw(self, split: str, indices: Sequence[int] | range,
             device: torch.device | str = "cpu") -> Samples:
        """Samples ``indices`` of a split; ``rectangle`` is None, ``names`` are those of the files.

        Raises:
            ValueError: an unknown split, an index outside it, a file that cannot be used.
        """
        entries = self._of(split)
        for i in indices:
            if not 0 <= i < len(entries):
                raise ValueError(f"split {split!r} has indices 0 to {len(entries) - 1}, got {i}")
        chosen = [entries[i] for i in indices]
        height, width = self.image
        images = np.zeros((len(chosen), 3, height, width), dtype=np.float32)
        masks = np.zeros((len(chosen), height, width), dtype=np.int8)
        for k, entry in enumerate(chosen):
            images[k], masks[k] = self._read(entry)
        image_masks = torch.from_numpy(masks)
        labels = torch.tensor([entry.label for entry in chosen], dtype=torch.int64)
        cells = cell_masks(image_masks, self.grid)
        return Samples(torch.from_numpy(images), labels, cells, image_masks,
                       names=tuple(entry.name for entry in chosen)).to(device)

    @abstractmethod
    def read_mask(self, path: Path) -> np.ndarray:
        """The mask of a file, ``(height, width)`` int8, in the file's own size."""

    def _read(self, entry: Entry) -> tuple[np.ndarray, np.ndarray]:
        """The resized image ``(3, H, W)`` and mask ``(H, W)`` of an entry."""
        picture = open_image(entry.image, upright=self.upright)
        pixels = resize_image(picture, self.image)
        if entry.mask is None:
            return pixels, np.full(self.image, IGNORED, dtype=np.int8)
        mask = self.read_mask(entry.mask)
        if mask.shape != (picture.height, picture.width):
            raise ValueError(f"a mask must have the size of its image, got "
                             f"{mask.shape[0]} x {mask.shape[1]} in {entry.mask} and "
                             f"{picture.height} x {picture.width} in {entry.image} (height x width)")
        return pixels, resize_mask(mask, self.image)

    def _of(self, split: str) -> tuple[Entry, ...]:
        if split not in self.entries:
            raise ValueError(f"split must be one of {', '.join(self.entries)}, got {split!r}")
        return self.entries[split]


def check_sides(image: tuple[int, int], grid: tuple[int, int]) -> None:
    """Sides of images and grids are positive whole numbers, and no cell is less than a pixel.

    Raises:
        ValueError: anything else.
    """
    for name, sides in (("image", image), ("grid", grid)):
        if len(sides) != 2 or any(int(n) != n or n < 1 for n in sides):
            raise ValueError(f"{name} must be (height, width) in whole numbers of at least 1, "
                             f"got {sides}")
    if any(cells > pixels for cells, pixels in zip(grid, image, strict=True)):
        raise ValueError(f"grid must not be finer than the image {image}, got {grid}")


def open_image(path: Path, *, upright: bool) -> Image.Image:
    """An image as 8-bit RGB, whatever its name ends in and its mode is; decoded to the end.

    Transparent pixels are shown on white, 16-bit gray is scaled to 8 bits, of several frames the
    first counts.

    Args:
        upright: turned as its EXIF orientation says (ignored where the EXIF block is corrupt);
            False keeps the pixels as stored.

    Raises:
        UnreadableFile: no image, a truncated one, or floating-point pixels, which have no scale.
    """
    picture = _decode(path, upright)
    if picture.mode == "F":
        raise UnreadableFile(f"pixels must be integers of 8 or 16 bits, got floats in {path}")
    if picture.mode.startswith("I"):
        wide = np.asarray(picture).astype(np.int64)
        if wide.min() < 0 or wide.max() > 65535:
            raise UnreadableFile(f"pixels must be integers of 8 or 16 bits, got {wide.min()} to "
                                 f"{wide.max()} in {path}")
        picture = Image.fromarray(np.round(wide / 257).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")


def resize_image(picture: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """The picture at ``size`` = (height, width), antialiased: ``(3, H, W)`` float32 in [0, 1].

    The aspect ratio is not kept, as usual in classification.
    """
    small = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(small, dtype=np.float32).transpose(2, 0, 1) / np.float32(255)


def resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The mask at ``size`` = (height, width): each pixel takes the value at its centre."""
    rows, columns = ((np.arange(new) * 2 + 1) * old // (2 * new)
                     for new, old in zip(size, mask.shape, strict=True))
    return mask[np.ix_(rows, columns)]


def raw_mask(path: Path) -> np.ndarray:
    """The numbers of a mask file, ``(height, width)``: of ``.npy``, else of an image's one channel.

    A palette image gives its indices; several channels count as one where they are equal.

    Raises:
        UnreadableFile: no such file, or a truncated one.
        ValueError: channels that differ, or not two axes.
    """
    if path.suffix.lower() == ".npy":
        try:
            values = np.load(path, allow_pickle=False)
        except _UNREADABLE as error:
            raise UnreadableFile(f"cannot read the mask {path}: {error}") from error
        if not isinstance(values, np.ndarray):
            raise UnreadableFile(f"a mask in a .npy file is one array, got an archive in {path}")
    else:
        values = np.asarray(_decode(path, upright=False))
        if values.ndim == 3:
            colours = values[..., : 1 if values.shape[-1] == 2 else 3]
            if (colours != colours[..., :1]).any():
                raise ValueError(f"a mask has one channel or equal ones, got colours in {path}")
            values = colours[..., 0]
    if values.ndim != 2:
        raise ValueError(f"a mask has two axes, got shape {values.shape} in {path}")
    return values


def stratified(names: Sequence[str], labels: Sequence[int], fractions: Sequence[Fraction],
               seed: int) -> list[list[int]]:
    """Positions of ``names`` cut into parts, each class by the same fractions.

    The names of a class are ordered by a hash of (seed, name), and part k ends at the fraction
    ``f_1 + ... + f_k`` of them, rounded half up.  So the parts depend on no other order, and with
    larger first fractions the first part only grows.  A part is in the order of the hash.

    Raises:
        ValueError: fractions that are negative or do not sum to 1, a negative seed.
    """
    if any(f < 0 for f in fractions) or abs(sum(fractions) - 1) > 1e-9:
        shown = ", ".join(str(f) for f in fractions)
        raise ValueError(f"fractions must be at least 0 and sum to 1, got {shown}")
    if seed < 0:
        raise ValueError(f"seed must not be negative, got {seed}")
    order = sorted(range(len(names)), key=lambda i: _hash(seed, names[i]))
    parts: list[list[int]] = [[] for _ in fractions]
    for label in sorted(set(labels)):
        members = [i for i in order if labels[i] == label]
        begin, reached = 0, Fraction(0)
        for part, fraction in zip(parts, fractions, strict=True):
            reached += fraction
            end = math.floor(reached * len(members) + Fraction(1, 2))
            part.extend(members[begin:end])
            begin = end
    place = {i: k for k, i in enumerate(order)}
    return [sorted(part, key=place.__getitem__) for part in parts]


def listed(names: Iterable[object], most: int = 3) -> str:
    """The first few names, and how many more there are, for a message."""
    names = [str(name) for name in names]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _hash(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}/{name}".encode()).digest()


def _decode(path: Path, upright: bool) -> Image.Image:
    """The first frame, decoded to the end and turned if asked; the format is told by the content."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
        try:
            with Image.open(path) as picture:
                picture.load()
                return _turned(picture) if upright else picture.copy()
        except _UNREADABLE as error:
            raise UnreadableFile(f"cannot read the image {path}: {error}") from error


def _turned(picture: Image.Image) -> Image.Image:
    """A copy turned as the EXIF orientation says, where it can be read; other tags do not matter."""
    try:
        orientation = picture.getexif().get(ExifTags.Base.Orientation)
    except _UNREADABLE:
        orientation = None
    turn = _TURNS.get(orientation)
    return picture.copy() if turn is None else picture.transpose(turn)
