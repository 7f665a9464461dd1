"""Pictures in fewer bytes, every pixel kept."""

from __future__ import annotations

import base64
import io

import numpy as np

HEAD = "data:image/png;base64,"


def repack(png: bytes) -> bytes:
    """A PNG of the same pixels: with a palette where there are at most 256 colours, without alpha where
    nothing is seen through; the one given where that is no smaller.

    Raises:
        ValueError: not a PNG.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
            pixels = np.asarray(image.convert("RGBA"))
    except OSError as error:
        raise ValueError(f"not a PNG: {error}") from error
    colours, index = np.unique(np.ascontiguousarray(pixels).view(np.uint32), return_inverse=True)
    if len(colours) <= 256:
        found = Image.fromarray(index.reshape(pixels.shape[:2]).astype(np.uint8))
        found.putpalette(colours.tobytes(), "RGBA")
    else:
        opaque = pixels[..., 3].min() == 255
        found = Image.fromarray(pixels[..., :3].copy() if opaque else pixels)
    buffer = io.BytesIO()
    found.save(buffer, "PNG", optimize=True)
    return min(png, buffer.getvalue(), key=len)


def repacked(address: str) -> str:
    """The ``data:`` address of a PNG, repacked.

    Raises:
        ValueError: another kind of address.
    """
    text = "".join(address.split())
    if not text.startswith(HEAD):
        raise ValueError(f"a picture must be at an address {HEAD}..., got {address[:40]!r}")
    return HEAD + base64.b64encode(repack(base64.b64decode(text[len(HEAD):]))).decode("ascii")
