"""Small pictures as text: PNG in base64 for images and truths, bytes and bits for maps and masks.

What :mod:`paper_figures.gallery` reads back.
"""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image
from torch import Tensor

from training.images import resize_mask

SIDE = 128
"""Largest side of a picture in a row, in pixels; larger ones are reduced."""
COLOURS = 64
TRUTH_LEVELS = {-1: 0, 0: 128, 1: 255}
"""Gray of the background, of what nobody knows, and of the object."""


def picture(image: Tensor) -> str:
    """An image ``(3, H, W)`` in [0, 1] as a PNG of at most 64 colours; values outside are clipped."""
    pixels = (image.detach().cpu().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    out = Image.fromarray(pixels)
    height, width = reduced(*pixels.shape[:2])
    if (height, width) != pixels.shape[:2]:
        out = out.resize((width, height), Image.Resampling.LANCZOS)
    few = out.quantize(COLOURS, Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE)
    return _png(few)


def truth_picture(mask: Tensor) -> str:
    """A true mask ``(H, W)`` int8 as a gray PNG of the same size as :func:`picture`."""
    values = mask.detach().cpu().numpy()
    values = resize_mask(values, reduced(*values.shape))
    gray = np.select([values == k for k in TRUTH_LEVELS], list(TRUTH_LEVELS.values())).astype(np.uint8)
    return _png(Image.fromarray(gray))


def reduced(height: int, width: int) -> tuple[int, int]:
    """Sides of a picture whose larger side is at most SIDE, with about the same ratio.

    >>> reduced(64, 64), reduced(300, 200)
    ((64, 64), (128, 85))
    """
    factor = min(1.0, SIDE / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))


def base64_of_bytes(unit: Tensor) -> str:
    """Numbers in [0, 1] as 255ths, one byte each, line by line."""
    return _text((unit.detach().cpu().double() * 255).round().byte().numpy().tobytes())


def base64_of_bits(inside: Tensor) -> str:
    """Booleans as bits, eight to a byte, line by line."""
    return _text(np.packbits(inside.detach().cpu().numpy()).tobytes())


def _png(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return _text(buffer.getvalue())


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
