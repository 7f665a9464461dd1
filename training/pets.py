"""The Oxford-IIIT Pet data set in its published layout.

Layout: ``ROOT/images/NAME.jpg``, ``ROOT/annotations/list.txt``, ``trainval.txt``, ``test.txt`` and
``ROOT/annotations/trimaps/NAME.png``.  A line of a list reads "NAME CLASS-ID SPECIES BREED-ID",
with class ids 1 to 37; lines that begin with # are comments.  A trimap holds 1 (pet), 2 (background)
and 3 (border), which is ignored here.  Only listed names are read, so that other files of the
archives (hidden ones, ``.mat``) do no harm.  Images are opened by their content, because some are
GIF or PNG files in spite of their name, and taken as stored: the trimaps follow the stored pixels.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from training.images import Entry, FileSource, listed, raw_mask, stratified

CLASSES = 37
PIXELS = (300, 300)
"""Size of all images in the paper, for training and testing [section 6]."""

_MEANING = np.array([0, 1, -1, 0], dtype=np.int8)  # by the number in the trimap; 0 does not occur


class OxfordPets(FileSource):
    """Pets with trimaps and 37 breeds.

    The paper's protocol [section 6.1]: all images of ``list.txt``, ``ratio`` percent of every class
    for training and the rest for validation, in several independent splits, numbered by ``split``.
    (With one number the training images of a smaller ratio are among those of a larger one.)  With
    ``ratio=None`` the official parts: "train" is ``trainval.txt`` and "test" is ``test.txt``.

    Args:
        root: holds ``images/`` and ``annotations/``.
        image, grid: (height, width) to resize to (the paper: 300 x 300), and of the grid.
        ratio: percent for training (60, 70 and 80 in the paper), or None.
        split: number of the split; 0 where there is one only, ``ratio=None``.

    Attributes:
        names: of the breeds, by label (class id - 1); None where a class has no image.

    Raises:
        ValueError: files that are not there, a line that does not follow the format, a class id
            outside 1..37, a name listed twice or in both official parts, ratio outside 1..99.  When
            drawing: an image or trimap that cannot be read or of another size, other numbers.
    """

    upright = False

    def __init__(self, root: str | Path, image: tuple[int, int] = PIXELS,
                 grid: tuple[int, int] = (10, 10), *, ratio: int | None = 80,
                 split: int = 0) -> None:
        root = Path(root)
        for needed in ("images", "annotations/trimaps"):
            if not (root / needed).is_dir():
                raise ValueError(f"Oxford-IIIT Pet holds images/ and annotations/trimaps/, but there "
                                 f"is no {root / needed}")
        if ratio is None:
            if split:
                raise ValueError(f"the official parts have no other split than 0, got {split}")
            parts = {"train": _entries(root, "trainval.txt"), "test": _entries(root, "test.txt")}
            both = {e.name for e in parts["train"]} & {e.name for e in parts["test"]}
            if both:
                raise ValueError(f"trainval.txt and test.txt must not share images, they share "
                                 f"{listed(sorted(both))}")
        else:
            parts = _paper_parts(_entries(root, "list.txt"), ratio, split)
        super().__init__(parts, CLASSES, image, grid)
        breeds = {e.label: e.name.rpartition("_")[0] for part in parts.values() for e in part}
        self.names = tuple(breeds.get(label) for label in range(CLASSES))

    def read_mask(self, path: Path) -> np.ndarray:
        """A trimap: 1 becomes +1, 2 becomes -1, 3 is ignored.

        Raises:
            ValueError: other numbers.
        """
        values = raw_mask(path)
        if not np.isin(values, (1, 2, 3)).all():
            raise ValueError(f"a trimap holds 1 (pet), 2 (background) and 3 (border), got "
                             f"{listed(np.unique(values).tolist(), 5)} in {path}")
        return _MEANING[values.astype(np.uint8)]


def _paper_parts(entries: list[Entry], ratio: int, split: int) -> dict[str, list[Entry]]:
    if int(ratio) != ratio or not 1 <= ratio <= 99:
        raise ValueError(f"ratio is a whole percentage in 1..99, got {ratio}")
    fractions = (Fraction(int(ratio), 100), 1 - Fraction(int(ratio), 100))
    parts = stratified([e.name for e in entries], [e.label for e in entries], fractions, split)
    return {name: [entries[i] for i in part]
            for name, part in zip(("train", "validation"), parts, strict=True)}


def _entries(root: Path, table: str) -> list[Entry]:
    """The entries of one list, each with its files."""
    path = root / "annotations" / table
    if not path.is_file():
        raise ValueError(f"Oxford-IIIT Pet lists its images in annotations/{table}, there is no {path}")
    entries: dict[str, Entry] = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        where = f"line {number} of {path}"
        fields = line.split()
        if len(fields) != 4 or not all(field.isdecimal() for field in fields[1:]):
            raise ValueError(f"a line reads NAME CLASS-ID SPECIES BREED-ID, got {line!r} in {where}")
        name, label = fields[0], int(fields[1])
        if not 1 <= label <= CLASSES:
            raise ValueError(f"class ids are 1..{CLASSES}, got {label} in {where}")
        if name in entries:
            raise ValueError(f"an image is listed once, {name} again in {where}")
        entries[name] = Entry(name, root / "images" / f"{name}.jpg",
                              root / "annotations" / "trimaps" / f"{name}.png", label - 1)
    if not entries:
        raise ValueError(f"no image is listed in {path}")
    missing = [file for e in entries.values() for file in (e.image, e.mask) if not file.is_file()]
    if missing:
        raise ValueError(f"every listed image needs its file and its trimap, there is no "
                         f"{listed(missing)}")
    return list(entries.values())
