"""Oxford-IIIT Pet in its published layout, made small; and broken in the ways that occur."""

from __future__ import annotations

import io
import re
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from training import sequences
from training.config import RunConfig
from training.data import prepare
from training.images import UnreadableFile, stratified
from training.pets import OxfordPets
from training.run import classes_of, run_cell
from training.shapes import ShapesConfig
from training.shapes_field import ShapeField

BREEDS = {"Abyssinian": (1, 1, 1), "american_bulldog": (2, 2, 1), "yorkshire_terrier": (37, 2, 25)}
PER_BREED, SIZE = 10, (45, 60)
IMAGE, GRID = (30, 30), (5, 5)


def trimap():
    """A pet in the middle of the left half with a border around it."""
    values = np.full(SIZE, 2, dtype=np.uint8)
    values[9:36, 3:27] = 3
    values[12:33, 6:24] = 1
    return values


@pytest.fixture
def root(tmp_path):
    images, notes = tmp_path / "images", tmp_path / "annotations"
    images.mkdir()
    (notes / "trimaps").mkdir(parents=True)
    rng, lines = np.random.default_rng(0), []
    for breed, ids in BREEDS.items():
        for k in range(1, PER_BREED + 1):
            name = f"{breed}_{k}"
            Image.fromarray(rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)).save(images / f"{name}.jpg")
            Image.fromarray(trimap()).save(notes / "trimaps" / f"{name}.png")
            (notes / "trimaps" / f"._{name}.png").write_bytes(b"\0\5\x16\7")
            lines.append(f"{name} {ids[0]} {ids[1]} {ids[2]}")
    (images / "Abyssinian_100.mat").write_bytes(b"MATLAB 5.0")
    head = "#Image CLASS-ID SPECIES BREED ID\n#ID: 1:37 Class ids\n"
    (notes / "list.txt").write_text(head + "\n".join(lines) + "\n")
    (notes / "trainval.txt").write_text("\n".join(lines[::2]) + "\n")
    (notes / "test.txt").write_text("\n".join(lines[1::2]) + "\n")
    return tmp_path


def names(source):
    return {s: {e.name for e in source.entries[s]} for s in source.splits}


class TestProtocols:
    @pytest.mark.parametrize("ratio", [60, 70, 80])
    def test_the_papers_ratios_hold_in_every_class(self, root, ratio):
        source = OxfordPets(root, IMAGE, GRID, ratio=ratio)
        assert source.splits == ("train", "validation") and source.classes == 37
        share = ratio // 10
        assert sorted(source.labels("train")) == [0] * share + [1] * share + [36] * share
        parts = names(source)
        assert len(parts["train"] | parts["validation"]) == 30
        assert not parts["train"] & parts["validation"]

    def test_splits_are_numbered_and_ratios_nested(self, root):
        parts = [names(OxfordPets(root, IMAGE, GRID, split=k))["train"] for k in range(5)]
        assert len(set(map(frozenset, parts))) == 5
        assert names(OxfordPets(root, IMAGE, GRID, split=2))["train"] == parts[2]
        assert names(OxfordPets(root, IMAGE, GRID, split=2, ratio=60))["train"] < parts[2]

    def test_the_order_of_the_list_does_not_matter(self, root):
        before = OxfordPets(root, IMAGE, GRID, ratio=70).entries
        path = root / "annotations" / "list.txt"
        path.write_text("\n".join(reversed(path.read_text().splitlines())))
        assert OxfordPets(root, IMAGE, GRID, ratio=70).entries == before

    def test_the_official_parts(self, root):
        source = OxfordPets(root, IMAGE, GRID, ratio=None)
        assert source.splits == ("train", "test") and source.size("train") == source.size("test") == 15
        listed = (root / "annotations" / "trainval.txt").read_text().split("\n")[:-1]
        assert [e.name for e in source.entries["train"]] == [line.split()[0] for line in listed]

    def test_classes_of_any_size_are_cut_at_the_nearest(self):
        """0.6 of 199 is 119.4, 0.8 of 184 is 147.2, 0.7 of 195 is 136.5 and goes up."""
        cuts = [len(stratified([str(k) for k in range(n)], [0] * n, (Fraction(r, 100), 1 - Fraction(r, 100)), 0)[0])
                for n, r in ((200, 60), (199, 60), (198, 70), (184, 80), (195, 70))]
        assert cuts == [120, 119, 139, 147, 137]


class TestDraw:
    def test_the_batch(self, root):
        source = OxfordPets(root, grid=(15, 15))
        assert source.image == (300, 300) and source.grid == (15, 15)
        source = OxfordPets(root, IMAGE, GRID)
        batch = source.draw("train", range(24))
        assert batch.images.shape == (24, 3, 30, 30) and batch.images.dtype == torch.float32
        assert batch.labels.tolist() == [BREEDS[n.rpartition("_")[0]][0] - 1 for n in batch.names]
        assert source.names[0] == "Abyssinian" and source.names[1] == "american_bulldog"
        assert source.names[36] == "yorkshire_terrier" and source.names[2:36] == (None,) * 34

    def test_trimaps_become_masks_with_the_border_ignored(self, root):
        masks = OxfordPets(root, IMAGE, GRID).draw("validation", [0]).image_masks[0].numpy()
        expected = np.full((30, 30), -1)
        expected[6:24, 1:13] = 0  # pixels of 45 x 60 at 3/2 (i + 1/2) and 2 (j + 1/2)
        expected[8:22, 3:12] = 1
        assert (masks == expected).all()
        by_pillow = np.asarray(Image.fromarray(trimap()).resize((30, 30), Image.Resampling.NEAREST))
        assert (masks == np.array([9, 1, -1, 0])[by_pillow]).all()

    def test_cells(self, root):
        cells = OxfordPets(root, IMAGE, GRID).draw("validation", [0]).masks[0]
        assert cells.dtype == torch.int8 and cells[2, 1] == 1 and cells[2, 4] == -1

    @pytest.mark.parametrize("kind", ["GIF", "PNG", "palette", "gray", "cmyk", "rgba"])
    def test_images_that_are_no_rgb_jpeg(self, root, kind):
        path = root / "images" / "Abyssinian_3.jpg"
        ramp = np.tile(np.linspace(0, 255, SIZE[1]).astype(np.uint8), (SIZE[0], 1))
        image = Image.fromarray(ramp)
        image = {"palette": image.convert("P"), "cmyk": image.convert("RGB").convert("CMYK"),
                 "rgba": image.convert("RGBA"), "gray": image}.get(kind, image.convert("RGB"))
        image.save(path, {"GIF": "GIF", "PNG": "PNG", "gray": "JPEG", "cmyk": "JPEG"}.get(kind, "PNG"))
        source = OxfordPets(root, IMAGE, GRID)
        split = next(s for s in source.splits if "Abyssinian_3" in names(source)[s])
        where = [e.name for e in source.entries[split]].index("Abyssinian_3")
        pixels = source.draw(split, [where]).images[0]
        assert pixels == pytest.approx(np.broadcast_to(np.linspace(0, 1, 30), (3, 30, 30)), abs=0.03)

    def test_pixels_are_taken_as_stored(self, root):
        """Trimaps follow the stored pixels, so an orientation in the file turns nothing."""
        exif = Image.Exif()
        exif[0x0112] = 6
        for path in (root / "images").glob("*.jpg"):
            Image.open(path).save(path, exif=exif)
        assert len(OxfordPets(root, IMAGE, GRID).draw("train", range(3))) == 3


class TestBadInput:
    def change(self, root, old, new, table="list.txt"):
        path = root / "annotations" / table
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    @pytest.mark.parametrize("new, rule", [
        ("Abyssinian_3 1 1", "a line reads NAME CLASS-ID SPECIES BREED-ID, got 'Abyssinian_3 1 1' in line 5"),
        ("Abyssinian_3 one 1 1", "a line reads NAME CLASS-ID"),
        ("Abyssinian_3 38 1 1", "class ids are 1..37, got 38 in line 5"),
        ("Abyssinian_3 0 1 1", "class ids are 1..37, got 0 in line 5"),
        ("Abyssinian_2 1 1 1", "an image is listed once, Abyssinian_2 again in line 5"),
        ("Abyssinian_99 1 1 1", "every listed image needs its file and its trimap, there is no"),
    ])
    def test_bad_lines(self, root, new, rule):
        self.change(root, "Abyssinian_3 1 1 1", new)
        with pytest.raises(ValueError, match=re.escape(rule)):
            OxfordPets(root, IMAGE, GRID)

    @pytest.mark.parametrize("gone, rule", [
        ("images", "holds images/ and annotations/trimaps/"), ("annotations/trimaps", "holds images/ and"),
        ("annotations/list.txt", "lists its images in annotations/list.txt"),
    ])
    def test_parts_that_are_missing(self, root, gone, rule):
        (root / gone).rename(root / "elsewhere")
        with pytest.raises(ValueError, match=rule):
            OxfordPets(root, IMAGE, GRID)

    def test_files_that_are_missing(self, root):
        (root / "annotations" / "trimaps" / "Abyssinian_4.png").unlink()
        with pytest.raises(ValueError, match=r"there is no .*trimaps.Abyssinian_4\.png"):
            OxfordPets(root, IMAGE, GRID)

    def test_empty_lists_and_shared_names(self, root):
        (root / "annotations" / "list.txt").write_text("# nothing\n\n")
        with pytest.raises(ValueError, match=r"no image is listed in .*list\.txt"):
            OxfordPets(root, IMAGE, GRID)
        self.change(root, "Abyssinian_2 1 1 1", "Abyssinian_3 1 1 1", "test.txt")
        with pytest.raises(ValueError, match="must not share images, they share Abyssinian_3"):
            OxfordPets(root, IMAGE, GRID, ratio=None)

    def test_arguments(self, root):
        for ratio in (0, 100, 60.5):
            with pytest.raises(ValueError, match=f"whole percentage in 1..99, got {ratio}"):
                OxfordPets(root, IMAGE, GRID, ratio=ratio)
        with pytest.raises(ValueError, match="seed must not be negative, got -1"):
            OxfordPets(root, IMAGE, GRID, split=-1)
        with pytest.raises(ValueError, match="no other split than 0, got 1"):
            OxfordPets(root, IMAGE, GRID, ratio=None, split=1)
        with pytest.raises(ValueError, match="split must be one of train, validation, got 'test'"):
            OxfordPets(root, IMAGE, GRID).size("test")

    def test_bad_trimaps_and_images_are_named_when_drawn(self, root):
        trimaps = root / "annotations" / "trimaps"
        Image.fromarray(trimap() * 127).save(trimaps / "Abyssinian_1.png")
        with pytest.raises(ValueError, match=r"holds 1 \(pet\), 2 .*, got 125, 127, 254 in .*Abyssinian_1\.png"):
            OxfordPets(root, IMAGE, GRID, ratio=None).draw("train", range(3))
        Image.fromarray(trimap()[:, 1:]).save(trimaps / "Abyssinian_1.png")
        with pytest.raises(ValueError, match=r"must have the size of its image, got 45 x 59 in .*Abyssinian_1\.png"):
            OxfordPets(root, IMAGE, GRID, ratio=None).draw("train", range(3))
        Image.fromarray(trimap()).save(trimaps / "Abyssinian_1.png")
        path = root / "images" / "Abyssinian_1.jpg"
        buffer = io.BytesIO(path.read_bytes())
        path.write_bytes(buffer.getvalue()[:-200])
        with pytest.raises(UnreadableFile, match=r"cannot read the image .*Abyssinian_1\.jpg"):
            OxfordPets(root, IMAGE, GRID, ratio=None).draw("train", range(3))


class TestRuns:
    """Trainings on the folder."""

    def test_a_ratio_that_leaves_nothing_is_named(self, root):
        for ratio, what in ((99, "test"), (4, "training")):
            with pytest.raises(ValueError, match=f"no {what} images are left .ratio {ratio} of 30 images"):
                prepare(RunConfig(data="pets", root=str(root), ratio=ratio))

    def test_classes_are_those_with_images(self, root):
        assert classes_of(OxfordPets(root, IMAGE, GRID)) == 3
        assert classes_of(ShapeField(ShapesConfig(), 0)) == 4

    def test_sequences_move_the_photographs_and_not_the_features_of_a_frozen_trunk(self, root, monkeypatch):
        config = RunConfig(data="pets", root=str(root), backbone="efficientnet-lite0", freeze=True, side=64,
                           at="_blocks.4", steps=1, starts=1, analyses=("sequences",))
        seen = []

        def follow(look, samples, steps, *, stride):
            found = look(samples.images)
            seen.append((samples.images, found.f, stride))
            return [{"path": "composed", "step": 0, "kept": 1, "iou": 1.0}]

        monkeypatch.setattr(sequences, "follow", follow)
        run_cell(config)
        (images, f, stride), data = seen[0], prepare(config)
        source = data.source
        assert stride == 8 and source.grid == (8, 8) == tuple(f.shape[-2:])
        assert torch.equal(images, source.draw("validation", range(6)).images)
        assert data.test.held.images.shape[1] != 3  # features are what is held
