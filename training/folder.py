"""A folder of the user's own images, with masks or without.

Layout::

    ROOT/images/...      the images, in sub-folders or not
    ROOT/masks/...       masks, optional: the same path and stem, .png or .npy
    ROOT/labels.csv      optional: columns file (below images/) and label

Without ``labels.csv`` the label is the first sub-folder of ``images/``.  Where there is no mask,
nobody knows: the mask is 0 everywhere.  Hidden files are no images.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from training.images import (
    Entry,
    FileSource,
    UnreadableFile,
    listed,
    raw_mask,
    stratified,
)

SPLITS = ("train", "validation", "test")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
MASK_SUFFIXES = (".png", ".npy")


class ImageFolder(FileSource):
    """The images, labels and masks of a folder, split by the names of the files.

    The files of each class are ordered by a hash of (seed, name) and cut at ``fractions``: another
    order of the folder or another machine gives the same split.  All images are decoded once when
    the source is made, so that a bad file is found before training and not during it.

    Args:
        root: the folder that holds ``images/``.
        image, grid: (height, width) to resize to (antialiased; masks: nearest), and of the grid.
        fractions: of train, validation and test; they sum to 1 (decimals count as written).
        seed: of the split.
        skip_bad: leave out images that cannot be read (or whose mask cannot); ``skipped`` names
            them.  The others stay in the split they had.
        classes: how many labels there are, where labels are numbers; default the largest + 1, and
            at most as many as there are images.

    Attributes:
        names: of the classes, by label.
        skipped: names of the files left out.
        masked: how many images have a mask.

    Raises:
        ValueError: no ``images/`` or none in it, an unreadable or truncated image, a mask of
            another size, with other values or without image, a label that is missing, out of range
            or given twice, two images of one stem; the message names the file and the rule.
    """

    def __init__(self, root: str | Path, image: tuple[int, int], grid: tuple[int, int], *,
                 fractions: Sequence[float] = (0.7, 0.15, 0.15), seed: int = 0,
                 skip_bad: bool = False, classes: int | None = None) -> None:
        root = Path(root)
        if len(fractions) != len(SPLITS):
            raise ValueError(f"fractions are of train, validation and test, got {fractions}")
        images = _images(root)
        stems = _by_stem(images, root / "images")
        masks = _masks(root, stems)
        names = [path.relative_to(root / "images").as_posix() for path in images]
        labels, self.names = _labels(root, names, classes)
        entries = [Entry(name, path, masks.get(_stem(path, root / "images")), label)
                   for name, path, label in zip(names, images, labels, strict=True)]
        parts = stratified(names, labels, [Fraction(str(f)) for f in fractions], seed)
        splits = {split: [entries[i] for i in part]
                  for split, part in zip(SPLITS, parts, strict=True)}
        super().__init__(splits, len(self.names), image, grid)
        bad = self._unreadable(entries, skip_bad)
        self.entries = {split: tuple(entry for entry in part if entry.name not in bad)
                        for split, part in self.entries.items()}
        self.skipped = tuple(sorted(bad))
        self.masked = sum(e.mask is not None for part in self.entries.values() for e in part)
        if not any(self.entries.values()):
            raise ValueError(f"no image can be read in {root / 'images'}: {listed(self.skipped)}")

    def read_mask(self, path: Path) -> np.ndarray:
        """0 and one other number (1, 255 or 65535), or -1 and +1 with 0 for ignored (``.npy``).

        Raises:
            ValueError: other numbers.
        """
        values = raw_mask(path)
        found = np.unique(values).tolist()
        if found and found[0] < 0 and set(found) <= {-1, 0, 1}:
            return values.astype(np.int8)
        if not any(set(found) <= {0, top} for top in (1, 255, 65535)):
            raise ValueError(f"a mask holds 0 and 1, 0 and 255, or -1, 0 and 1, got "
                             f"{listed(found, 5)} in {path}")
        return np.where(values > 0, 1, -1).astype(np.int8)

    def _unreadable(self, entries: Iterable[Entry], skip_bad: bool) -> set[str]:
        """Reads every file once: the names of those that cannot be, if they may be left out."""
        bad = set()
        for entry in entries:
            try:
                self._read(entry)
            except UnreadableFile:
                if not skip_bad:
                    raise
                bad.add(entry.name)
        return bad


def _files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """The files below a folder that end in one of ``suffixes``, sorted, without hidden ones."""
    return sorted(path for path in folder.rglob("*")
                  if path.suffix.lower() in suffixes and path.is_file()
                  and not any(part.startswith(".") for part in path.relative_to(folder).parts))


def _images(root: Path) -> list[Path]:
    folder = root / "images"
    if not folder.is_dir():
        raise ValueError(f"a folder of images holds images/, but there is no {folder}")
    images = _files(folder, IMAGE_SUFFIXES)
    if not images:
        raise ValueError(f"images/ must hold images ({' '.join(IMAGE_SUFFIXES)}), none in {folder}")
    return images


def _stem(path: Path, folder: Path) -> str:
    """The path below ``folder`` without its ending."""
    return path.relative_to(folder).with_suffix("").as_posix()


def _by_stem(paths: Iterable[Path], folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        stem = _stem(path, folder)
        if stem in found:
            raise ValueError(f"stems must differ (masks are found by them), got {found[stem]} "
                             f"and {path}")
        found[stem] = path
    return found


def _masks(root: Path, images: dict[str, Path]) -> dict[str, Path]:
    """The masks by stem; every one belongs to an image."""
    folder = root / "masks"
    masks = _by_stem(_files(folder, MASK_SUFFIXES), folder) if folder.is_dir() else {}
    alone = [path for stem, path in masks.items() if stem not in images]
    if alone:
        raise ValueError(f"a mask needs an image of the same path and stem, none for {listed(alone)}")
    return masks


def _labels(root: Path, names: list[str], classes: int | None) -> tuple[list[int], tuple[str, ...]]:
    """The label of every image, and the names of the classes; numbers of a table count as such."""
    table = root / "labels.csv"
    given = _read_table(table, names) if table.is_file() else _by_folder(root, names)
    if table.is_file() and all(re.fullmatch(r"-?\d+", text) for text in given):
        numbers = [int(text) for text in given]
        count = min(max(numbers) + 1, len(numbers)) if classes is None else classes
        for name, number in zip(names, numbers, strict=True):
            if not 0 <= number < count:
                raise ValueError(f"labels must be in 0..{count - 1}, got {number} for {name}")
        return numbers, tuple(str(k) for k in range(count))
    known = sorted(set(given))
    if classes is not None and classes != len(known):
        raise ValueError(f"there are {len(known)} labels ({listed(known)}), but classes = {classes}")
    return [known.index(text) for text in given], tuple(known)


def _by_folder(root: Path, names: list[str]) -> list[str]:
    for name in names:
        if "/" not in name:
            raise ValueError(f"the label is the sub-folder of images/ or stands in "
                             f"{root / 'labels.csv'}; neither for {name}")
    return [name.split("/")[0] for name in names]


def _read_table(table: Path, names: list[str]) -> list[str]:
    """The labels of ``names`` in a table with columns file and label."""
    labels: dict[str, str] = {}
    known = set(names)
    try:
        lines = table.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{table} must be text in UTF-8: {error}") from error
    rows = csv.DictReader(lines)
    if not {"file", "label"} <= set(rows.fieldnames or ()):
        raise ValueError(f"{table} needs the columns file and label, got {rows.fieldnames}")
    for row in rows:
        name, label = ((row[key] or "").strip() for key in ("file", "label"))
        name = name.replace("\\", "/")
        where = f"line {rows.line_num} of {table}"
        if not label:
            raise ValueError(f"every file needs a label, none for {name!r} in {where}")
        if name in labels:
            raise ValueError(f"a file is listed once, {name} again in {where}")
        if name not in known:
            raise ValueError(f"a file of the table is an image below images/, {name!r} in "
                             f"{where} is not")
        labels[name] = label
    missing = [name for name in names if name not in labels]
    if missing:
        raise ValueError(f"every image needs a label in {table}, none for {listed(missing)}")
    return [labels[name] for name in names]
