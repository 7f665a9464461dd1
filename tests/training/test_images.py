"""Image files: reading by content in every mode, resizing, and splits by the hash of the name."""

from __future__ import annotations

import io
import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from training.images import (
    UnreadableFile,
    open_image,
    resize_image,
    resize_mask,
    stratified,
)

IMAGE, GRID = (16, 24), (4, 6)


def picture(seed=0, height=30, width=40) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


class TestReading:
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"])
    def test_the_content_decides_and_every_cut_is_seen(self, tmp_path, kind):
        buffer = io.BytesIO()
        picture().save(buffer, kind)
        whole, path = buffer.getvalue(), tmp_path / "x.jpg"
        path.write_bytes(whole)
        assert open_image(path, upright=True).size == (40, 30)
        for part in (0, 0.02, 0.3, 0.6, 0.9, 0.99):
            path.write_bytes(whole[: int(part * len(whole))])
            with pytest.raises(UnreadableFile, match=r"cannot read the image .*x\.jpg"):
                open_image(path, upright=True)

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I;16"])
    def test_modes_keep_what_is_seen(self, tmp_path, mode):
        gray = np.tile(np.linspace(0, 255, 40).astype(np.uint8), (30, 1))
        original = Image.fromarray((gray > 127).astype(np.uint8) * 255 if mode == "1" else gray)
        if mode == "I;16":
            stored = Image.fromarray(gray.astype(np.uint16) * 257)
        else:
            stored = original.convert("RGB").convert(mode) if mode in ("CMYK", "YCbCr") else original.convert(mode)
        path = tmp_path / ("x.tif" if mode in ("CMYK", "YCbCr") else "x.png")
        stored.save(path)
        read = open_image(path, upright=True)
        assert read.mode == "RGB"
        assert np.abs(np.asarray(read).astype(int) - np.asarray(original.convert("RGB"))).max() <= 3

    def test_transparency_is_white(self, tmp_path):
        rgba = np.zeros((4, 4, 4), dtype=np.uint8)
        rgba[:2] = (10, 20, 30, 255)
        Image.fromarray(rgba).save(tmp_path / "x.png")
        palette = Image.fromarray(np.repeat([0, 1], 8).reshape(4, 4).astype(np.uint8))
        palette.putpalette([10, 20, 30, 0, 0, 0])
        palette.save(tmp_path / "p.png", transparency=1)
        for name in ("x.png", "p.png"):
            pixels = np.asarray(open_image(tmp_path / name, upright=True))
            assert (pixels[:2] == (10, 20, 30)).all() and (pixels[2:] == 255).all()

    def test_floats_and_wide_integers_have_no_scale(self, tmp_path):
        Image.fromarray(np.zeros((4, 4), dtype=np.float32)).save(tmp_path / "f.tif")
        Image.fromarray(np.full((4, 4), 70000, dtype=np.int32)).save(tmp_path / "i.tif")
        for name, rule in (("f.tif", "got floats in"), ("i.tif", "got 70000 to 70000 in")):
            with pytest.raises(UnreadableFile, match=f"8 or 16 bits, {rule}"):
                open_image(tmp_path / name, upright=False)

    @pytest.mark.parametrize("orientation", range(10))
    def test_orientation(self, tmp_path, orientation):
        exif = Image.Exif()
        exif[0x0112] = orientation
        original = Image.fromarray(np.add.outer(np.arange(30) * 7, np.arange(40)).astype(np.uint8))
        original.save(tmp_path / "x.jpg", exif=exif)
        stored = Image.open(tmp_path / "x.jpg")
        assert np.array_equal(open_image(tmp_path / "x.jpg", upright=False), stored.convert("RGB"))
        turned = ImageOps.exif_transpose(stored).convert("RGB")
        assert np.array_equal(open_image(tmp_path / "x.jpg", upright=True), turned)
        assert (stored.size == turned.size) == (orientation not in (5, 6, 7, 8))

    @pytest.mark.parametrize("text", ["\nexif\n4\nno hex", "\nexif\n4\n00"])
    def test_corrupt_exif_in_a_png(self, tmp_path, text):
        info = PngInfo()
        info.add_text("Raw profile type exif", text)
        picture().save(tmp_path / "x.png", pnginfo=info)
        assert np.array_equal(open_image(tmp_path / "x.png", upright=True), picture())

    @pytest.mark.parametrize("block", [b"Exif\0\0", b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff",
                                       b"Exif\0\0II*\0\x08\0\0\0\xff\x00\x12\x01\x03\0\x01"])
    def test_corrupt_exif_does_no_harm(self, tmp_path, block):
        buffer = io.BytesIO()
        picture().save(buffer, "JPEG")
        jpeg = buffer.getvalue()
        size = (len(block) + 2).to_bytes(2, "big")
        (tmp_path / "x.jpg").write_bytes(jpeg[:2] + b"\xff\xe1" + size + block + jpeg[2:])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read = open_image(tmp_path / "x.jpg", upright=True)
        assert np.array_equal(read, Image.open(io.BytesIO(jpeg)))

    def test_the_first_frame_counts(self, tmp_path):
        frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
        frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
        assert np.asarray(open_image(tmp_path / "x.gif", upright=True))[0, 0].tolist() == [255, 0, 0]

    def test_resizing_is_antialiased(self):
        stripes = Image.fromarray(np.tile(np.array([0, 255], dtype=np.uint8), (64, 32)))
        small = resize_image(stripes.convert("RGB"), (8, 8))
        assert small.shape == (3, 8, 8) and np.abs(small - 0.5).max() < 0.05

    @given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 12), st.integers(1, 12), st.integers(0, 9))
    def test_masks_take_the_value_at_the_centre(self, h, w, new_h, new_w, seed):
        mask = np.random.default_rng(seed).integers(-1, 2, (h, w)).astype(np.int8)
        small = resize_mask(mask, (new_h, new_w))
        assert small.shape == (new_h, new_w) and small.dtype == np.int8
        for i in range(new_h):
            for j in range(new_w):
                row, column = (Fraction(2 * k + 1, 2 * new) * old for k, new, old in ((i, new_h, h), (j, new_w, w)))
                assert small[i, j] == mask[int(row), int(column)]
        assert np.array_equal(resize_mask(mask, (h, w)), mask)


class TestStratified:
    @given(st.lists(st.integers(0, 3), max_size=40), st.integers(1, 9), st.integers(0, 5))
    def test_law(self, labels, tenths, seed):
        names = [f"n{k}" for k in range(len(labels))]
        fractions = (Fraction(tenths, 10), 1 - Fraction(tenths, 10))
        first, second = stratified(names, labels, fractions, seed)
        assert sorted(first + second) == list(range(len(labels)))
        for label in set(labels):
            share = sum(labels[i] == label for i in first)
            assert abs(share - tenths * labels.count(label) / 10) <= 0.5
        order = np.random.default_rng(seed).permutation(len(labels))
        moved = stratified([names[i] for i in order], [labels[i] for i in order], fractions, seed)
        assert [order[i] for i in moved[0]] == first
        whole = stratified(names, [0] * len(names), [Fraction(1)], seed)[0]  # classes are not grouped
        assert first == [i for i in whole if i in first]

    def test_seeds_are_independent(self):
        """Two seeds share about p^2 of the names: a binomial interval at 1e-6, both sides."""
        from scipy.stats import hypergeom

        names = [str(k) for k in range(1000)]
        half = [Fraction(1, 2)] * 2
        parts = [set(stratified(names, [0] * 1000, half, seed)[0]) for seed in range(4)]
        low, high = hypergeom(1000, 500, 500).ppf([5e-7, 1 - 5e-7])
        for a in range(4):
            for b in range(a):
                assert low <= len(parts[a] & parts[b]) <= high
