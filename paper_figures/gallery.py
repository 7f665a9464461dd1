"""Pictures, truths and maps out of rows of kind "gallery" (``python -m training gallery``)."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from paper_figures.fields import FieldError, get
from theory.rectangle import Rectangle


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture ``(H, W, 3)`` in [0, 1], its truth ``(H, W)`` (1, -1, 0 where nobody knows), the true
    rectangle if there is one, and what its row says of it."""

    picture: np.ndarray
    truth: np.ndarray
    rectangle: Rectangle | None
    note: dict[str, Any]


@dataclass(frozen=True, eq=False)
class View:
    """What a network finds: the map ``(h, w)`` relative to its largest value, the mask, the rectangle
    if it has one, and what its row says of it."""

    f: np.ndarray
    mask: np.ndarray
    rectangle: Rectangle | None
    note: dict[str, Any]


def views_of(rows: Sequence[dict[str, Any]], what: str) -> list[dict[str, Any]]:
    """The rows of views of "first", "sequence" or "extremes", in the order of the file.

    Raises:
        FieldError: there are none, or they are about different test images.
    """
    found = [r for r in rows if r.get("kind") == "gallery" and get(r, "part") == "views"
             and get(r, "what") == what]
    if not found:
        raise FieldError(f"no gallery rows with views of {what!r} (python -m training gallery)")
    if len({get(r, "images") for r in found}) > 1:
        raise FieldError("gallery rows are about different test images: "
                         + " and ".join(sorted({get(r, 'run') for r in found})))
    return found


def named(rows: Sequence[dict[str, Any]], method: str, eqvc: str = "none") -> dict[str, Any]:
    """The first row of views with a method and an equivariance loss; FieldError if there is none."""
    for row in rows:
        if (get(row, "method"), get(row, "eqvc")) == (method, eqvc):
            return row
    raise FieldError(f"no gallery row with views of the method {method!r} (eqvc {eqvc!r})")


def place(row: dict[str, Any]) -> tuple[Any, ...]:
    """Where the attention of a row's network stands: equal for networks with it at the same place."""
    return tuple(get(row, name) for name in ("layers", "depth", "at", "stride"))


def scenes_row(rows: Sequence[dict[str, Any]], views: dict[str, Any]) -> dict[str, Any]:
    """The row of scenes that views belong to; FieldError if it is not there or has another length."""
    for row in rows:
        if row.get("key") == get(views, "scenes"):
            if len(get(row, "scenes")) != len(get(views, "views")):
                raise FieldError(f"row {views['key']!r} has {len(views['views'])} views of "
                                 f"{len(row['scenes'])} scenes in {row['key']!r}")
            sides = get(row, "sides")
            if not (isinstance(sides, list) and len(sides) == 2
                    and all(isinstance(n, int) and n > 1 for n in sides)):
                raise FieldError(f"row {row['key']!r}: 'sides' must be two numbers of pixels from 2 "
                                 f"on, got {sides!r}")
            return row
    raise FieldError(f"row {get(views, 'key')!r} is about the scenes {views['scenes']!r}, which are "
                     "not there")


def scenes(row: dict[str, Any]) -> list[Scene]:
    """The pictures of a row of scenes."""
    out = []
    for note in get(row, "scenes"):
        inside = {"key": row["key"], **note}
        gray = _png(inside, "truth", "L").astype(int)
        truth = np.where(gray == 255, 1, np.where(gray == 0, -1, 0)).astype(np.int8)
        colours = _png(inside, "picture", "RGB") / 255
        out.append(Scene(colours, truth, _rectangle(inside), note))
    return out


def views(row: dict[str, Any]) -> list[View]:
    """What the network of a row of views finds, scene by scene."""
    height, width = get(row, "grid")
    out = []
    for note in get(row, "views"):
        inside = {"key": row["key"], **note}
        f = np.frombuffer(_bytes(inside, "map"), dtype=np.uint8)
        mask = np.unpackbits(np.frombuffer(_bytes(inside, "mask"), dtype=np.uint8))
        for name, held, needed in (("map", f.size, height * width),
                                   ("mask", mask.size, -(-height * width // 8) * 8)):
            if held != needed:
                raise FieldError(f"row {row['key']!r}: {name!r} must hold {needed} values for a grid "
                                 f"of {height} x {width}, got {held}")
        cells = mask[: height * width].reshape(height, width).astype(bool)
        out.append(View(f.reshape(height, width) / 255, cells, _rectangle(inside), note))
    return out


def _rectangle(note: dict[str, Any]) -> Rectangle | None:
    held = get(note, "rectangle")
    if held is None:
        return None
    if not isinstance(held, list) or len(held) != 5:
        raise FieldError(f"row {note['key']!r}: 'rectangle' must be five numbers, got {held!r}")
    return _read(note, "rectangle", lambda: Rectangle.from_array(np.array(held, dtype=float)))


def _bytes(note: dict[str, Any], name: str) -> bytes:
    return _read(note, name, lambda: base64.b64decode(get(note, name), validate=True))


def _png(note: dict[str, Any], name: str, mode: str) -> np.ndarray:
    data = _bytes(note, name)
    return _read(note, name, lambda: np.asarray(Image.open(io.BytesIO(data)).convert(mode)))


def _read(note: dict[str, Any], name: str, how: Callable[[], Any]) -> Any:
    try:
        return how()
    except FieldError:
        raise
    except (binascii.Error, ValueError, TypeError, OSError, SyntaxError) as error:
        raise FieldError(f"row {note['key']!r}: {name!r} cannot be read: {error}") from error
