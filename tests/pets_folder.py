"""A small folder in the published layout of Oxford-IIIT Pet: drawn animals, trimaps, lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

BREEDS = {"Abyssinian": (1, 1, 1), "american_bulldog": (2, 2, 1), "Egyptian_Mau": (12, 1, 5),
          "yorkshire_terrier": (37, 2, 25)}
"""Class id, species (1 cat, 2 dog) and breed id, as in ``list.txt``."""

FURS = {"Abyssinian": (196, 120, 60), "american_bulldog": (235, 232, 225), "Egyptian_Mau": (90, 90, 100),
        "yorkshire_terrier": (60, 45, 35)}
SIZES = ((90, 120), (120, 90), (100, 100), (75, 133))
"""(height, width) in turn: no image of the archive has a size that is agreed on."""

HEAD = """\
#Image CLASS-ID SPECIES BREED ID
#ID: 1:37 Class ids
#SPECIES: 1:Cat 2:Dog
#BREED ID: 1-25:Cat 1:12:Dog
#All images with 1st letter as captial are cat images
#images with small first letter are dog images
"""


def make_pets(root: Path, per_breed: int = 10) -> Path:
    """The folder, with ``per_breed`` images of each of :data:`BREEDS`; the first half is trainval."""
    images, notes = root / "images", root / "annotations"
    (notes / "trimaps").mkdir(parents=True)
    images.mkdir()
    rng, lines = np.random.default_rng(0), []
    for breed, ids in BREEDS.items():
        for k in range(1, per_breed + 1):
            name = f"{breed}_{k}"
            picture, trimap = _pet(rng, SIZES[len(lines) % len(SIZES)], FURS[breed])
            picture.save(images / f"{name}.jpg", quality=92)
            trimap.save(notes / "trimaps" / f"{name}.png")
            (notes / "trimaps" / f"._{name}.png").write_bytes(b"\0\5\x16\7")  # as the archive has them
            lines.append(f"{name} {ids[0]} {ids[1]} {ids[2]}")
    (images / "Abyssinian_100.mat").write_bytes(b"MATLAB 5.0")
    (notes / "list.txt").write_text(HEAD + "\n".join(lines) + "\n")
    (notes / "trainval.txt").write_text("\n".join(lines[::2]) + "\n")
    (notes / "test.txt").write_text("\n".join(lines[1::2]) + "\n")
    return root


def _pet(rng: np.random.Generator, size: tuple[int, int],
         fur: tuple[int, int, int]) -> tuple[Image.Image, Image.Image]:
    """A body and a head somewhere on a green noise, and its trimap: 1 pet, 2 background, 3 border."""
    height, width = size
    noise = rng.normal(0, 12, (height, width, 3)) + (110, 135, 95)
    picture = Image.fromarray(noise.clip(0, 255).astype(np.uint8))
    trimap = Image.new("L", (width, height), 2)
    side = min(size) * rng.uniform(0.36, 0.5)
    left = rng.uniform(3, width - 1.25 * side - 3)
    top = rng.uniform(0.2 * side + 3, height - 0.8 * side - 3)
    body = (left, top, left + side, top + 0.75 * side)
    head = (left + 0.7 * side, top - 0.2 * side, left + 1.25 * side, top + 0.35 * side)
    for grown, value in ((1.5, 3), (-1.5, 1)):
        draw = ImageDraw.Draw(trimap)
        for x0, y0, x1, y1 in (body, head):
            draw.ellipse((x0 - grown, y0 - grown, x1 + grown, y1 + grown), fill=value)
    draw = ImageDraw.Draw(picture)
    for part in (body, head):
        draw.ellipse(part, fill=tuple(int(v + rng.integers(-15, 16)) for v in fur))
    return picture, trimap
