"""A folder of images: every mode and size, masks, labels, splits, and every broken layout named."""

from __future__ import annotations

import io
import re
import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from training.folder import ImageFolder
from training.images import (
    UnreadableFile,
    check_sides,
    open_image,
    raw_mask,
    resize_image,
    resize_mask,
    stratified,
)

IMAGE, GRID = (16, 24), (4, 6)


def picture(seed=0, height=30, width=40) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.fixture
def root(tmp_path):
    """Two classes of ten, by sub-folders; masks show the left half."""
    mask = np.zeros((30, 40), dtype=np.uint8)
    mask[:, :20] = 255
    for c, name in enumerate(("cat", "dog")):
        (tmp_path / "images" / name).mkdir(parents=True)
        (tmp_path / "masks" / name).mkdir(parents=True)
        for k in range(10):
            picture(10 * c + k).save(tmp_path / "images" / name / f"{k}.png")
            Image.fromarray(mask).save(tmp_path / "masks" / name / f"{k}.png")
    return tmp_path


def table(root, rows, header="file,label"):
    (root / "labels.csv").write_text("\n".join([header, *rows]) + "\n")


def every(source):
    return {split: source.draw(split, range(source.size(split))).names for split in source.splits}


class TestFolder:
    def test_the_batch(self, root):
        source = ImageFolder(root, IMAGE, GRID)
        assert (source.classes, source.names, source.image, source.grid) == (2, ("cat", "dog"), IMAGE, GRID)
        batch = source.draw("train", [3, 0, 3])
        assert batch.images.shape == (3, 3, 16, 24) and batch.images.dtype == torch.float32
        assert torch.equal(batch.images[0], batch.images[2])
        assert not torch.equal(batch.images[0], batch.images[1]) and batch.rectangle is None
        for name, label, image in zip(batch.names, batch.labels, batch.images, strict=True):
            assert source.names[label] == name.split("/")[0]
            stored = np.asarray(Image.open(root / "images" / name).resize((24, 16), Image.Resampling.BILINEAR))
            assert image.permute(1, 2, 0).numpy() == pytest.approx(stored / 255, abs=1e-6)
        left = torch.where(torch.arange(24) < 12, 1, -1).to(torch.int8)
        assert torch.equal(batch.image_masks, left.expand(3, 16, 24))
        assert torch.equal(batch.masks, left[::4].expand(3, 4, 6))
        assert source.masked == 20 and source.skipped == ()
        assert source.labels("train") == source.draw("train", range(14)).labels.tolist()

    def test_splits_are_stratified_disjoint_and_complete(self, root):
        source = ImageFolder(root, IMAGE, GRID)
        names = every(source)
        assert {split: len(v) for split, v in names.items()} == {"train": 14, "validation": 4, "test": 2}
        assert len(set(sum(names.values(), ()))) == 20
        for split, share in (("train", 7), ("validation", 2), ("test", 1)):
            assert sorted(source.labels(split)) == [0] * share + [1] * share
        assert every(ImageFolder(root, IMAGE, GRID)) == names
        assert every(ImageFolder(root, IMAGE, GRID, seed=1)) != names
        wide = every(ImageFolder(root, IMAGE, GRID, fractions=(0.8, 0.2, 0)))
        assert set(names["train"]) < set(wide["train"]) and wide["test"] == ()

    def test_another_place_keeps_the_split(self, root, tmp_path_factory):
        before, other = every(ImageFolder(root, IMAGE, GRID)), tmp_path_factory.mktemp("copy")
        (root / "images").rename(other / "images")
        assert every(ImageFolder(str(other), IMAGE, GRID)) == before

    def test_without_masks_nobody_knows(self, root):
        (root / "masks").rename(root / "elsewhere")
        source = ImageFolder(root, IMAGE, GRID)
        batch = source.draw("test", [0, 1])
        assert source.masked == 0 and (batch.masks == 0).all() and (batch.image_masks == 0).all()

    def test_single_masks_may_be_missing(self, root):
        source = ImageFolder(root, IMAGE, GRID)
        name = source.draw("train", [0]).names[0]
        (root / "masks" / name).unlink()
        source = ImageFolder(root, IMAGE, GRID)
        masks = source.draw("train", [0, 1]).image_masks
        assert (masks[0] == 0).all() and (masks[1] != 0).all() and source.masked == 19

    def test_hidden_and_other_files_are_no_images(self, root):
        (root / "images" / "cat" / "._0.png").write_bytes(b"\0")
        (root / "images" / ".thumbs").mkdir()
        (root / "images" / ".thumbs" / "a.png").write_bytes(b"\0")
        (root / "images" / "cat" / "notes.txt").write_text("no image")
        (root / "masks" / "._x.png").write_bytes(b"\0")
        assert sum(ImageFolder(root, IMAGE, GRID).size(s) for s in ("train", "validation", "test")) == 20

    def test_the_device_is_obeyed(self, root):
        assert ImageFolder(root, IMAGE, GRID).draw("test", [0], device="meta").images.is_meta


class TestLabels:
    def test_numbers_of_a_table_are_labels(self, root):
        names = [f"{c}/{k}.png" for c in ("cat", "dog") for k in range(10)]
        table(root, [f"{name},{3 * (i % 2)}" for i, name in enumerate(names)])
        source = ImageFolder(root, IMAGE, GRID)
        assert source.classes == 4 and set(source.labels("train")) == {0, 3}
        assert ImageFolder(root, IMAGE, GRID, classes=7).classes == 7
        with pytest.raises(ValueError, match=re.escape("labels must be in 0..1, got 3 for cat/1.png")):
            ImageFolder(root, IMAGE, GRID, classes=2)

    def test_words_of_a_table_are_sorted(self, root):
        names = [f"{c}/{k}.png" for c in ("cat", "dog") for k in range(10)]
        table(root, [f"word,{name},5" for name in names[:10]] + [f" air ,{name},5" for name in names[10:]],
              header="\ufefflabel,file,more")
        source = ImageFolder(root, IMAGE, GRID)
        assert source.names == ("air", "word")
        batch = source.draw("train", range(14))
        assert [name.startswith("dog") for name in batch.names] == (batch.labels == 0).tolist()
        with pytest.raises(ValueError, match=re.escape("there are 2 labels (air, word), but classes = 3")):
            ImageFolder(root, IMAGE, GRID, classes=3)

    def test_folders_named_by_numbers_are_names(self, tmp_path):
        for name in ("2019", "2020"):
            (tmp_path / "images" / name).mkdir(parents=True)
            picture().save(tmp_path / "images" / name / "a.png")
        source = ImageFolder(tmp_path, IMAGE, GRID)
        assert source.classes == 2 and source.names == ("2019", "2020")

    @pytest.mark.parametrize("rows, header, rule", [
        (["a.png,0"], "name,label", "needs the columns file and label, got ['name', 'label']"),
        (["a.png,0", "b.png,"], "file,label", "every file needs a label, none for 'b.png' in line 3"),
        (["a.png,0", "b.png"], "file,label", "every file needs a label, none for 'b.png' in line 3"),
        (["a.png,0"], "file,label", "labels.csv, none for b.png"),
        (["a.png,0", "a.png,1", "b.png,0"], "file,label", "a file is listed once, a.png again in line 3"),
        (["a.png,0", "b.png,0", "c.png,1"], "file,label", "an image below images/, 'c.png' in line 4"),
        (["a.png,0", "b.png,-1"], "file,label", "labels must be in 0..0, got -1 for b.png"),
    ])
    def test_bad_tables(self, tmp_path, rows, header, rule):
        (tmp_path / "images").mkdir()
        for name in "ab":
            picture().save(tmp_path / "images" / f"{name}.png")
        table(tmp_path, rows, header)
        with pytest.raises(ValueError, match=re.escape(rule)):
            ImageFolder(tmp_path, IMAGE, GRID)

    def test_tables_of_another_encoding(self, root):
        (root / "labels.csv").write_bytes("file,label\ncat/0.png,é\n".encode("latin-1"))
        with pytest.raises(ValueError, match=r"labels\.csv must be text in UTF-8"):
            ImageFolder(root, IMAGE, GRID)

    def test_an_image_without_a_label(self, root):
        picture().save(root / "images" / "stray.png")
        with pytest.raises(ValueError, match=r"the sub-folder of images/ or stands in .*; neither for stray.png"):
            ImageFolder(root, IMAGE, GRID)


class TestMasks:
    @pytest.mark.parametrize("values", [
        np.array([[0, 1]]), np.array([[0, 255]], dtype=np.uint8), np.array([[False, True]]),
        np.array([[0.0, 1.0]]), np.array([[-1, 1]]), np.array([[0, 65535]]),
    ], ids=lambda v: f"{v.dtype}{v.max()}")
    def test_arrays(self, root, values):
        path = root / "m.npy"
        np.save(path, np.repeat(np.repeat(values, 30, 0), 20, 1))
        mask = ImageFolder(root, IMAGE, GRID).read_mask(path)
        assert mask.dtype == np.int8 and mask.shape == (30, 40)
        assert (mask[:, :20] == -1).all() and (mask[:, 20:] == 1).all()

    def test_arrays_may_ignore(self, root):
        np.save(root / "m.npy", np.array([[-1, 0, 1]]))
        np.save(root / "all.npy", np.zeros((2, 3)))
        source = ImageFolder(root, IMAGE, GRID)
        assert source.read_mask(root / "m.npy").tolist() == [[-1, 0, 1]]
        assert (source.read_mask(root / "all.npy") == -1).all()

    @pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
    def test_images(self, root, mode):
        half = np.zeros((30, 40), dtype=np.uint8)
        half[:, 20:] = 1 if mode == "P" else 255
        if mode == "P":
            mask = Image.fromarray(half)
            mask.putpalette([0, 0, 0, 128, 0, 0])
        elif mode == "I;16":
            mask = Image.fromarray(half.astype(np.uint16) * 257)
        else:
            mask = Image.fromarray(half).convert(mode)
        assert mask.mode == mode
        mask.save(root / "m.png")
        found = ImageFolder(root, IMAGE, GRID).read_mask(root / "m.png")
        assert (found[:, :20] == -1).all() and (found[:, 20:] == 1).all() and found.shape == (30, 40)

    @pytest.mark.parametrize("array, rule", [
        (np.array([[0, 3, 255]]), "0 and 1, 0 and 255, or -1, 0 and 1, got 0, 3, 255 in"),
        (np.array([[0, np.nan]]), "got 0.0, nan in"), (np.array([[-1, 2]]), "got -1, 2 in"),
        (np.array([0, 1]), "two axes, got shape (2,) in"), (np.zeros((2, 2, 3)), "two axes"),
    ])
    def test_bad_values(self, root, array, rule):
        (root / "masks" / "cat" / "0.png").unlink()
        np.save(root / "masks" / "cat" / "0.npy", array)
        with pytest.raises(ValueError, match=re.escape(rule)) as error:
            ImageFolder(root, IMAGE, GRID, skip_bad=True)
        assert "0.npy" in str(error.value) and not isinstance(error.value, UnreadableFile)

    def test_colours_are_no_mask(self, root):
        picture().save(root / "masks" / "cat" / "0.png")
        with pytest.raises(ValueError, match=r"one channel or equal ones, got colours in .*0\.png"):
            ImageFolder(root, IMAGE, GRID)

    def test_another_size(self, root):
        Image.new("L", (41, 30)).save(root / "masks" / "dog" / "4.png")
        with pytest.raises(ValueError, match=r"30 x 41 in .*masks.dog.4\.png and 30 x 40 in .*images.dog.4\.png"):
            ImageFolder(root, IMAGE, GRID, skip_bad=True)

    def test_a_mask_without_image(self, root):
        (root / "images" / "dog" / "4.png").unlink()
        with pytest.raises(ValueError, match=r"needs an image of the same path and stem, none for .*dog.4\.png"):
            ImageFolder(root, IMAGE, GRID)

    @pytest.mark.parametrize("content", ["archive", "pickle", "cut", "text"])
    def test_unreadable_arrays(self, tmp_path, content):
        path = tmp_path / "m.npy"
        np.save(path, np.zeros((4, 4)))
        if content == "archive":
            with path.open("wb") as file:
                np.savez(file, a=np.zeros(3))
        elif content == "pickle":
            np.save(path, np.array([[{}]], dtype=object))
        else:
            path.write_bytes(path.read_bytes()[:-9] if content == "cut" else b"0 1")
        with pytest.raises(UnreadableFile, match=r"m\.npy"):
            raw_mask(path)


class TestBadImages:
    def test_nothing_there(self, tmp_path):
        with pytest.raises(ValueError, match=r"holds images/, but there is no .*images"):
            ImageFolder(tmp_path, IMAGE, GRID)
        (tmp_path / "images" / "cat").mkdir(parents=True)
        with pytest.raises(ValueError, match=r"images/ must hold images \(.*\), none in"):
            ImageFolder(tmp_path, IMAGE, GRID)

    @pytest.mark.parametrize("folder, first, second", [("images", "0.png", "0.jpg"), ("masks", "0.png", "0.npy")])
    def test_stems_twice(self, root, folder, first, second):
        (root / folder / "cat" / second).write_bytes((root / folder / "cat" / first).read_bytes())
        with pytest.raises(ValueError, match=r"stems must differ .*cat.0\.(png|jpg|npy) and .*cat.0\.(png|jpg|npy)"):
            ImageFolder(root, IMAGE, GRID)

    @pytest.mark.parametrize("kind", ["truncated", "empty", "text", "mask"])
    def test_unreadable_files_are_named_or_skipped_and_counted(self, root, kind):
        before = every(ImageFolder(root, IMAGE, GRID))
        bad = root / ("masks" if kind == "mask" else "images") / "cat" / "7.png"
        whole = bad.read_bytes()
        bad.write_bytes({"truncated": whole[: len(whole) // 2], "empty": b"", "text": b"not an image",
                         "mask": whole[: len(whole) // 2]}[kind])
        with pytest.raises(UnreadableFile, match=r"cannot read .*cat.7\.png"):
            ImageFolder(root, IMAGE, GRID)
        source = ImageFolder(root, IMAGE, GRID, skip_bad=True)
        assert source.skipped == ("cat/7.png",)
        after = every(source)
        for split in before:  # the others keep their split and their order
            assert after[split] == tuple(n for n in before[split] if n != "cat/7.png")

    def test_all_bad(self, tmp_path):
        (tmp_path / "images" / "a").mkdir(parents=True)
        (tmp_path / "images" / "a" / "b.png").write_bytes(b"no")
        with pytest.raises(ValueError, match=r"no image can be read in .*: a/b\.png"):
            ImageFolder(tmp_path, IMAGE, GRID, skip_bad=True)

    def test_arguments(self, root):
        for fractions, rule in (((0.5, 0.5), "fractions are of train"), ((0.5, 0.2, 0.2), "sum to 1"),
                                ((1.2, -0.2, 0), "at least 0")):
            with pytest.raises(ValueError, match=rule):
                ImageFolder(root, IMAGE, GRID, fractions=fractions)
        with pytest.raises(ValueError, match="seed must not be negative, got -1"):
            ImageFolder(root, IMAGE, GRID, seed=-1)
        for image, grid, rule in (((16,), (2, 2), "image must be"), ((16, 0), (2, 2), "image must be"),
                                  ((16, 16), (2, 2.5), "grid must be"), ((16, 8), (2, 9), "finer than the image")):
            with pytest.raises(ValueError, match=rule):
                check_sides(image, grid)
            with pytest.raises(ValueError, match=rule):
                ImageFolder(root, image, grid)

    def test_splits_and_indices(self, root):
        source = ImageFolder(root, IMAGE, GRID)
        with pytest.raises(ValueError, match="split must be one of train, validation, test, got 'pilot'"):
            source.draw("pilot", [0])
        for index in (2, -1):
            with pytest.raises(ValueError, match=f"split 'test' has indices 0 to 1, got {index}"):
                source.draw("test", [0, index])


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
