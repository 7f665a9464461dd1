"""A folder of images: every mode and size, masks, labels, splits, and every broken layout named."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from PIL import Image

from training.folder import ImageFolder
from training.images import (
    UnreadableFile,
    check_sides,
    raw_mask,
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
