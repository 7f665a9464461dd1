"""What a trained network looks at in a folder of images: maps, parameters, overlays  [section 6.5].

The five parameters of a rectangle describe where the object is, how large it is and how it is
turned: images sorted by mu2 begin with the leftmost objects, by mu1 with the uppermost ones.
"""

from __future__ import annotations

import csv
import html
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from theory.rectangle import Rectangle
from training.attention_base import AttentionMap
from training.folder import IMAGE_SUFFIXES
from training.images import UnreadableFile, listed, open_image, resize_image
from training.overlays import Frames, half_turn, outline, overlay, pixel_parameters
from training.progress import Progress

BATCH = 8
NAMES = ("mu1", "mu2", "sigma1", "sigma2", "alpha")


@dataclass(frozen=True, eq=False)
class Predictor:
    """A finished network, as far as :func:`predict` needs to know it.

    Args:
        net: images ``(n, 3, H, W)`` float32 in [0, 1] to class logits and the attention map; in
            evaluation mode.
        image: (height, width) of the images it takes.
        grid: cells of the attention map.
        stride: pixels from cell to cell.
        classes: names of the classes; numbers where there are none.
        device: where the network is.
    """

    net: Callable[[Tensor], tuple[Tensor, AttentionMap | None]]
    image: tuple[int, int]
    grid: tuple[int, int]
    stride: int
    classes: Sequence[str] = ()
    device: torch.device | str = "cpu"


@dataclass(frozen=True)
class Outcome:
    """Where the files are, how many images were written, and which were left out and why."""

    out: Path
    written: int
    skipped: tuple[str, ...] = ()


def predict(
    predictor: Predictor,
    images: str | Path,
    out: str | Path,
    *,
    sort: str = "file",
    skip_bad: bool = False,
) -> Outcome:
    """Write what a network looks at in every image below a folder.

    ``out`` gets ``maps/FILE.npy`` (the map on the attention grid, float32), ``maps/FILE.png`` (the
    map on the image's pixels), ``overlays/FILE.png``, ``parameters.csv`` and ``contact.html`` (the
    overlays in the order of the CSV); FILE is the path below ``images``, so that equal names in two
    folders stay apart.  The parameters are in grid coordinates (Eq. 5, alpha modulo pi) and, as
    ``mu1_px`` and so on, in pixels of the image file (:func:`training.overlays.pixel_parameters`);
    of several rectangles the second one's columns end in ``.2``.  ``area_fraction`` is the share of
    the cells in the hard mask.  All or nothing: an ``out`` that is there is complete.

    Args:
        sort: a column, ascending; ``-mu2`` descending; ``mu1+mu2`` by the sum (lower right last).
        skip_bad: leave out images that cannot be read, instead of an error.

    Raises:
        ValueError: no images, an ``out`` that holds files or lies in ``images``, an unknown column,
            a network without a map or with one that is not finite.
        training.images.UnreadableFile: an image that cannot be read; it is named.
    """
    images, out = Path(images), Path(out)
    files = find_images(images)
    made = not out.exists()
    _require_empty(out, images)
    out.mkdir(parents=True, exist_ok=True)
    partial = out / ".partial"
    try:
        partial.mkdir()
        rows, skipped = _rows(predictor, images, files, partial, sort, skip_bad)
        if not rows:
            raise UnreadableFile(f"no image below {images} can be read: {listed(skipped)}")
        rows.sort(key=_order(sort, rows[0]), reverse=sort.startswith("-"))
        _write_csv(partial / "parameters.csv", rows)
        _write_html(partial / "contact.html", rows, sort, skipped)
        for path in partial.iterdir():
            path.rename(out / path.name)
        partial.rmdir()
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        if made:
            out.rmdir()
        raise
    return Outcome(out, len(rows), tuple(skipped))


def find_images(folder: str | Path) -> list[Path]:
    """The image files below a folder, sorted by path; hidden files and folders are left out.

    Raises:
        ValueError: no such folder, or no image in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"images must be a folder, got {folder}")
    found = [path for path in folder.rglob("*")
             if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
             and not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    if not found:
        raise ValueError(f"no images ({' '.join(IMAGE_SUFFIXES)}) in {folder}")
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def _require_empty(out: Path, images: Path) -> None:
    if out.exists() and not out.is_dir():
        raise ValueError(f"out must be a folder, got the file {out}")
    if out.is_dir() and any(out.iterdir()):
        raise ValueError(f"out must be a new or empty folder, nothing is overwritten: {out} holds "
                         f"{listed(sorted(path.name for path in out.iterdir()))}")
    if out.resolve().is_relative_to(images.resolve()):
        raise ValueError(f"out must not lie in the folder of images: {out} is in {images}")


def _rows(
    predictor: Predictor, folder: Path, files: list[Path], out: Path, sort: str, skip_bad: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    """Write maps and overlays; the rows of the CSV, and what was left out."""
    rows: list[dict[str, Any]] = []
    skipped: list[str] = []
    with Progress(len(files), "predict", unit="images") as progress:
        for start in range(0, len(files), BATCH):
            part = files[start:start + BATCH]
            pictures = dict(_readable(part, skip_bad, skipped))
            if pictures:
                names = [path.relative_to(folder).as_posix() for path in pictures]
                rows += _see(predictor, names, list(pictures.values()), out)
                _order(sort, rows[0])  # an unknown column is an error now, not at the end
            progress.tell(start + len(part))
    return rows, skipped


def _readable(
    files: list[Path], skip_bad: bool, skipped: list[str]
) -> Iterator[tuple[Path, Image.Image]]:
    for path in files:
        try:
            yield path, open_image(path, upright=True)
        except UnreadableFile as error:
            if not skip_bad:
                raise UnreadableFile(f"{error} (--skip-bad leaves such images out)") from error
            skipped.append(str(error))


def _see(
    predictor: Predictor, names: list[str], pictures: list[Image.Image], out: Path
) -> Iterator[dict[str, Any]]:
    """The rows of a batch; writes its files."""
    batch = np.stack([resize_image(picture, predictor.image) for picture in pictures])
    with torch.no_grad():
        logits, found = predictor.net(torch.from_numpy(batch).to(predictor.device))
        if found is None:
            raise ValueError("the network has no attention map: nothing to show")
        maps, masks = found.f.float().cpu().numpy(), found.hard_mask().cpu().numpy()
    if maps.shape[1:] != tuple(predictor.grid):
        raise ValueError(f"the map must have {predictor.grid} cells, got {maps.shape[1:]}")
    parameters = None if found.rectangle is None else found.rectangle.to_array().double().cpu().numpy()
    labels = logits.argmax(1).tolist()
    for i, (name, picture) in enumerate(zip(names, pictures, strict=True)):
        shapes = [] if parameters is None else list(parameters[i].reshape(-1, 5))
        if not (np.isfinite(maps[i]).all() and np.isfinite(shapes).all()):
            raise ValueError(f"the map of {name} is not finite")
        frames = Frames(predictor.grid, predictor.stride, predictor.image,
                        (picture.height, picture.width))
        rectangles = [Rectangle.unchecked(p[0:2], p[2:4], p[4]) for p in shapes]
        large = np.clip(frames.upsample(maps[i].astype(np.float64)), 0, 1)
        for kind in ("maps", "overlays"):
            (out / kind / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(out / "maps" / f"{name}.npy", maps[i])
        Image.fromarray(np.rint(255 * large).astype(np.uint8)).save(out / "maps" / f"{name}.png")
        lines = [outline(r, found.shape) for r in rectangles]
        overlay(picture, large, frames, lines).save(out / "overlays" / f"{name}.png")
        label = predictor.classes[labels[i]] if predictor.classes else labels[i]
        yield {"file": name, "label": label, "area_fraction": float((masks[i] == 1).mean()),
               **_columns(rectangles, frames)}


def _columns(rectangles: list[Rectangle], frames: Frames) -> dict[str, float]:
    out: dict[str, float] = {}
    for k, rectangle in enumerate(rectangles, start=1):
        end = "" if k == 1 else f".{k}"
        values = dict(zip(NAMES, rectangle.to_array().tolist(), strict=True))
        values["alpha"] = half_turn(values["alpha"])
        pixels = pixel_parameters(rectangle, frames)
        out |= {f"{name}{end}": float(value) for name, value in values.items()}
        out |= {f"{name}_px{end}": float(value) for name, value in pixels.items()}
    return out


def _order(sort: str, row: dict[str, Any]) -> Callable[[dict[str, Any]], Any]:
    """The key that ``sort`` names, for rows such as ``row``."""
    columns = sort.removeprefix("-").split("+")
    unknown = [c for c in columns if c not in row]
    if unknown:
        raise ValueError(f"no column {unknown[0]!r} to sort by; known: {', '.join(row)}")
    if len(columns) == 1:
        return lambda r: r[columns[0]]
    words = [c for c in columns if isinstance(row[c], str)]
    if words:
        raise ValueError(f"only columns of numbers can be added up, got {words[0]!r}")
    return lambda r: sum(r[c] for c in columns)


def _write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file)
        writer.writerow(rows[0])
        writer.writerows([f"{v:.9g}" if isinstance(v, float) else v for v in row.values()]
                         for row in rows)


def _write_html(path: Path, rows: list[dict[str, Any]], sort: str, skipped: list[str]) -> None:
    """The overlays in order, each with its file, its label and what it was sorted by."""
    columns = [c for c in sort.removeprefix("-").split("+") if c not in ("file", "label")]
    figures = []
    for row in rows:
        shown = [f"label {row['label']}", *(f"{c} {row[c]:.3g}" for c in columns)]
        source = quote(os.fsencode(f"overlays/{row['file']}.png"))
        figures.append(f'<figure><img src="{source}" loading="lazy" alt="">'
                       f"<figcaption>{html.escape(row['file'])}<br>{html.escape(', '.join(shown))}"
                       "</figcaption></figure>")
    left = "".join(f"<li>{html.escape(text)}</li>" for text in skipped)
    page = [
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Attention maps</title>',
        "<style>body{font:14px sans-serif}figure{display:inline-block;width:200px;margin:6px;"
        "vertical-align:top}img{width:200px}figcaption{overflow-wrap:anywhere}</style>",
        f"<h1>{len(rows)} images, sorted by {html.escape(sort)}</h1>", *figures,
        *([f"<h2>{len(skipped)} files left out</h2><ul>{left}</ul>"] if skipped else []), "</html>"]
    path.write_text("\n".join(page) + "\n", encoding="utf-8", errors="surrogateescape")
