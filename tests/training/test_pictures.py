"""Pictures as text: sizes, levels, and what is lost."""

import base64
import io

import numpy as np
import torch
from PIL import Image

from training.pictures import (
    COLOURS,
    SIDE,
    base64_of_bits,
    base64_of_bytes,
    picture,
    reduced,
    truth_picture,
)


def opened(text):
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_an_image_of_few_colours_is_kept_exactly():
    image = torch.zeros(3, 5, 7)
    image[0, 1], image[1, :, 2], image[2, 3, 3] = 1.0, 0.4, 2.0
    out = opened(picture(image))
    assert out.size == (7, 5)
    assert (np.asarray(out.convert("RGB")) == (image.clamp(0, 1) * 255).round().permute(1, 2, 0).numpy()).all()


def test_an_image_of_many_colours_has_few_and_a_large_one_is_reduced():
    random = torch.Generator().manual_seed(0)
    out = opened(picture(torch.rand(3, 2 * SIDE, 300, generator=random)))
    assert len(out.getcolors()) <= COLOURS and max(out.size) == SIDE
    assert out.size[::-1] == reduced(2 * SIDE, 300) == (109, 128)


def test_a_truth_keeps_its_three_values_when_it_is_reduced():
    mask = torch.full((2 * SIDE, 2 * SIDE), -1, dtype=torch.int8)
    mask[:, :SIDE], mask[:SIDE] = 1, 0
    gray = np.asarray(opened(truth_picture(mask)))
    assert gray.shape == (SIDE, SIDE)
    half = SIDE // 2
    assert (gray[:half] == 128).all() and (gray[half:, :half] == 255).all() and (gray[half:, half:] == 0).all()


def test_bytes_and_bits():
    unit = torch.tensor([[0.0, 0.5], [1.0, 0.1]])
    assert list(base64.b64decode(base64_of_bytes(unit))) == [0, 128, 255, 26]
    inside = torch.tensor([[True, False, True], [False, False, True], [True, True, False]])
    assert list(base64.b64decode(base64_of_bits(inside))) == [0b10100111, 0b00000000]
