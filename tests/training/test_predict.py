"""Maps, parameters and overlays of a folder of images: geometry by two routes, order, bad input."""

import csv
import html
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from shapely.geometry import LinearRing, Point, Polygon

from theory.rectangle import Rectangle, hard_rectangle, log_soft_rectangle, logit_soft_rectangle
from theory.rectangle import grid as eq5_grid
from theory.rectangle import image_to_grid as to_grid
from training.attention_base import AttentionMap
from training.images import UnreadableFile
from training.overlays import (
    OUTLINE,
    STRENGTH,
    TINT,
    Frames,
    half_turn,
    outline,
    overlay,
    pixel_parameters,
)
from training.predict import Predictor, find_images, predict

GRID, STRIDE, SIZE = (8, 8), 4, (32, 32)
frames_of = st.builds(
    Frames, st.tuples(st.integers(2, 9), st.integers(2, 9)), st.sampled_from([1, 4, 7]),
    st.tuples(st.integers(16, 64), st.integers(16, 64)), st.tuples(st.integers(8, 90), st.integers(8, 90)))
rectangles = st.builds(lambda a, b, c, d, e: Rectangle([a, b], [c, d], e), *(
    st.floats(*ends) for ends in ((0.1, 0.9), (0.1, 0.9), (0.05, 0.5), (0.05, 0.5), (-7, 7))))


@given(frames=frames_of, i=st.floats(-1, 9), j=st.floats(-1, 9))
def test_cells_on_the_image(frames, i, j):
    cells = np.array([i, j]) / (np.array(frames.grid) - 1)
    for k, place in ((0, i), (1, j)):
        inside = (frames.network[k] - 1) / 2 + frames.stride * (place - (frames.grid[k] - 1) / 2)
        pixel = (inside + 0.5) * frames.image[k] / frames.network[k] - 0.5
        assert frames.to_pixels(cells)[k] == pytest.approx(pixel, abs=1e-9)


def test_the_first_cell_is_in_the_middle_of_its_pixels():
    frames = Frames(GRID, STRIDE, SIZE, SIZE)
    assert frames.to_pixels(np.zeros(2)) == pytest.approx([1.5, 1.5])
    assert frames.to_pixels(np.ones(2)) == pytest.approx([29.5, 29.5])
    assert Frames(GRID, STRIDE, SIZE, (64, 96)).to_pixels(np.zeros(2)) == pytest.approx([3.5, 5.5])


@pytest.mark.parametrize("image", [(32, 40), (64, 80), (77, 51)])
def test_upsampling_is_bilinear_between_the_centres(image):
    f = torch.rand(8, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    want = torch.nn.functional.interpolate(f[None, None], image, mode="bilinear", align_corners=False)[0, 0]
    got = Frames((8, 10), 4, (32, 40), image).upsample(f.numpy())
    assert np.allclose(got, want.numpy(), atol=1e-12)


def test_a_grid_that_reaches_over_the_image():
    frames = Frames((10, 10), 32, (300, 300), (300, 300))  # App. G: 10 cells of 32 pixels on 300
    f = np.tile(np.arange(10.0)[:, None], (1, 10))
    got = frames.upsample(f)
    for pixel in (6, 38, 70, 149, 293):
        assert got[pixel, 5] == pytest.approx((pixel - 149.5) / 32 + 4.5, abs=1e-9)
    assert got[0, 0] == got[4, 0] == 0.0 and got[299, 0] == 9.0


@given(frames=frames_of, rectangle=rectangles)
def test_the_outline_holds_the_pixels_of_the_hard_rectangle(frames, rectangle):
    polygon = Polygon(frames.to_pixels(outline(rectangle)))
    ring = LinearRing(polygon.exterior)
    rows, columns = np.linspace(0, frames.image[0] - 1, 6), np.linspace(0, frames.image[1] - 1, 6)
    for row in rows:
        for column in columns:
            cell = [to_grid(((p + 0.5) * n / m - 0.5) / (n - 1), n, g, frames.stride) for p, n, m, g in
                    zip((row, column), frames.network, frames.image, frames.grid, strict=True)]
            inside = int(hard_rectangle(rectangle, np.array(cell))) == 1
            if ring.distance(Point(row, column)) > 1e-6:
                assert polygon.contains(Point(row, column)) == inside


@given(rectangle=rectangles, scale=st.sampled_from([0.5, 1, 3]))
def test_pixels_are_those_of_a_rectangle_where_the_axes_scale_alike(rectangle, scale):
    image = (round(32 * scale), round(32 * scale))
    frames = Frames(GRID, STRIDE, SIZE, image)
    p = pixel_parameters(rectangle, frames)
    pixels = Rectangle([p["mu1"], p["mu2"]], [p["sigma1"], p["sigma2"]], p["alpha"])
    assert p["skew"] == pytest.approx(0, abs=1e-9) and -math.pi / 2 <= p["alpha"] < math.pi / 2
    assert p["sigma1"] == pytest.approx(float(rectangle.half_widths[0]) * 28 * scale)
    a, b = Polygon(outline(pixels)), Polygon(frames.to_pixels(outline(rectangle)))
    assert a.symmetric_difference(b).area == pytest.approx(0, abs=1e-6 * b.area)


def test_a_parallelogram_says_so():
    frames = Frames(GRID, STRIDE, SIZE, (32, 64))  # twice as wide as high
    p = pixel_parameters(Rectangle([0.5, 0.5], [0.2, 0.2], math.pi / 4), frames)
    side = 0.2 * 28 * math.sqrt(0.5)
    assert p["sigma1"] == pytest.approx(math.hypot(side, 2 * side)) == pytest.approx(p["sigma2"])
    assert p["alpha"] == pytest.approx(math.atan(2))
    assert p["skew"] == pytest.approx(math.pi / 2 - 2 * math.atan(2))  # sides at (1, 2) and (-1, 2)
    p = pixel_parameters(Rectangle([0.5, 0.25], [0.2, 0.1], 0.0), frames)
    assert (p["sigma1"], p["sigma2"], p["alpha"], p["skew"]) == pytest.approx((5.6, 5.6, 0, 0))
    assert p["mu2"] == pytest.approx((1.5 + 7 + 0.5) * 2 - 0.5)


@given(st.floats(-20, 20))
def test_half_turns(angle):
    wrapped = half_turn(angle)
    assert -math.pi / 2 <= wrapped < math.pi / 2 + 1e-12
    assert math.cos(2 * wrapped) == pytest.approx(math.cos(2 * angle), abs=1e-9)
    assert math.sin(2 * wrapped) == pytest.approx(math.sin(2 * angle), abs=1e-9)


def test_an_ellipse_has_its_half_axes():
    r = Rectangle([0.4, 0.5], [0.1, 0.3], 0.0)
    d = (outline(r, "ellipse") - np.array([0.4, 0.5])) / np.array([0.1, 0.3])
    assert np.allclose((d**2).sum(-1), 1) and len(d) > 40
    with pytest.raises(ValueError, match="shape must be one of .*got 'star'"):
        outline(r, "star")


def test_what_is_drawn():
    frames = Frames(GRID, STRIDE, SIZE, (300, 200))
    r = Rectangle([0.4, 0.6], [0.15, 0.3], 0.5)
    gray = Image.new("RGB", (200, 300), (100, 100, 100))
    pixels = np.asarray(overlay(gray, np.zeros((300, 200)), frames, [outline(r)]))
    blue = np.argwhere((pixels == OUTLINE).all(-1))
    ring = LinearRing(frames.to_pixels(outline(r)))
    assert max(ring.distance(Point(p)) for p in blue) < 3
    for s in np.linspace(0, ring.length, 40):
        at = ring.interpolate(s)
        assert np.min(np.hypot(*(blue - [at.x, at.y]).T)) < 1.5
    f = np.zeros((300, 200))
    f[:100], f[100:200] = 1.0, 0.5
    pixels = np.asarray(overlay(gray, f, frames, []))
    for row, share in ((50, 0), (150, STRENGTH / 2), (250, STRENGTH)):
        assert np.abs(pixels[row, 0] - ((1 - share) * 100 + share * np.array(TINT))).max() <= 0.5
    small = overlay(Image.new("RGB", (20, 30)), np.zeros((30, 20)), Frames(GRID, STRIDE, SIZE, (30, 20)), [])
    assert small.size == (20 * 12, 30 * 12)


class Bright:
    """A network that looks at the bright spot: the centre is the mean of the red channel, the label
    says whether there is green, alpha is a whole turn and a little."""

    def __init__(self, many=1, shape="rectangle", rectangle=True, spoil=None):
        self.many, self.shape, self.rectangle, self.spoil, self.sizes = many, shape, rectangle, spoil, []

    def __call__(self, images):
        self.sizes.append(tuple(images.shape))
        assert images.dtype == torch.float32 and not torch.is_grad_enabled()
        weight = images[:, 0] / images[:, 0].sum((1, 2), keepdim=True)
        size, cells = images.shape[-2:], [n // STRIDE for n in images.shape[-2:]]
        place = torch.einsum("nhw,hwk->nk", weight, eq5_grid(*size, like=images))
        center = torch.stack([to_grid(place[:, k], size[k], cells[k], STRIDE) for k in (0, 1)], dim=1)
        half = torch.tensor([[0.2, 0.1]]).expand_as(center)
        angle = torch.full((len(center),), math.pi + 0.3)
        if self.spoil is not None:
            center = center + self.spoil
        r = Rectangle.unchecked(center, half, angle)
        points = eq5_grid(*cells, like=images)
        log_f = log_soft_rectangle(r, points, 6.0)
        if self.many > 1:
            r = Rectangle.unchecked(*(torch.stack([v] * self.many, dim=1) for v in (center, half, angle)))
        found = AttentionMap(log_f, r if self.rectangle else None,
                             lambda: logit_soft_rectangle(r, points, 6.0), self.shape)
        return torch.stack([torch.full_like(angle, 0.1), images[:, 1].amax((1, 2))], dim=1), found


def predictor(**options):
    return Predictor(Bright(**options), SIZE, GRID, STRIDE, classes=("plain", "green"))


def spot(path, row, column, size=(64, 48), green=0):
    """An image with a bright spot around (row, column)."""
    pixels = np.zeros((*size, 3), np.uint8)
    pixels[row - 2:row + 3, column - 2:column + 3] = (255, green, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"quality": 100, "subsampling": 0} if path.suffix == ".jpg" else {}
    options = {"lossless": True} if path.suffix == ".webp" else options
    Image.fromarray(pixels).save(path, **options)


@pytest.fixture
def folder(tmp_path):
    places = {"a/x.png": (40, 10), "b/x.png": (20, 40), "b/x.jpg": (10, 20), "y.webp": (50, 30),
              "z <&>.BMP": (30, 15)}
    for name, (row, column) in places.items():
        spot(tmp_path / "in" / name, row, column, green=255 if column == 40 else 0)
    (tmp_path / "in" / "notes.txt").write_text("no image")
    (tmp_path / "in" / ".hidden.png").write_bytes(b"")
    return tmp_path / "in", places


def pixels_of(path):
    with Image.open(path) as image:
        return np.asarray(image)


def table(out):
    with (out / "parameters.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_files_parameters_and_order(folder, tmp_path):
    images, places = folder
    outcome = predict(predictor(), images, tmp_path / "out", sort="mu2")
    assert (outcome.written, outcome.skipped, outcome.out) == (5, (), tmp_path / "out")
    rows = table(outcome.out)
    assert [r["file"] for r in rows] == sorted(places, key=lambda name: places[name][1])
    for r in rows:
        row, column = places[r["file"]]
        near = 0.5 if r["file"].endswith("jpg") else 0.15
        assert abs(float(r["mu1_px"]) - row) < near and abs(float(r["mu2_px"]) - column) < near
        inside = ((column + 0.5) * 32 / 48 - 0.5)
        assert float(r["mu2"]) == pytest.approx((inside - 1.5) / 28, abs=0.02)
        assert (float(r["sigma1"]), float(r["sigma2"])) == pytest.approx((0.2, 0.1))
        assert float(r["alpha"]) == pytest.approx(0.3, abs=1e-5)
        assert r["label"] == ("green" if column == 40 else "plain")
        f = np.load(outcome.out / "maps" / f"{r['file']}.npy")
        assert f.dtype == np.float32 and f.shape == GRID
        peak = np.unravel_index(f.argmax(), GRID)
        assert abs(peak[0] * 8 + 3.5 - row) <= 5 and abs(peak[1] * 6 + 2.5 - column) <= 4
        shown = pixels_of(outcome.out / "maps" / f"{r['file']}.png")
        assert shown.shape == (64, 48) and shown.dtype == np.uint8
        assert np.abs(shown - 255 * Frames(GRID, STRIDE, SIZE, (64, 48)).upsample(f)).max() <= 0.51
        hard = hard_rectangle(Rectangle([float(r["mu1"]), float(r["mu2"])], [0.2, 0.1], 0.3), eq5_grid(*GRID))
        assert float(r["area_fraction"]) == pytest.approx((hard == 1).mean())
        assert pixels_of(outcome.out / "overlays" / f"{r['file']}.png").shape == (64 * 5, 48 * 5, 3)
    page = (outcome.out / "contact.html").read_text()
    shown = [page.index(html.escape(r["file"]) + "<br>") for r in rows]
    assert shown == sorted(shown) and "z%20%3C%26%3E.BMP.png" in page and "z <&>" not in page
    assert sorted(p.name for p in outcome.out.iterdir()) == ["contact.html", "maps", "overlays",
                                                             "parameters.csv"]


def test_every_order(folder, tmp_path):
    images, places = folder
    by = {"-mu1": lambda n: -places[n][0], "file": lambda n: n, "-file": None,
          "mu1+mu2": lambda n: places[n][0] / 64 + places[n][1] / 48}
    for k, (sort, key) in enumerate(by.items()):
        rows = table(predict(predictor(), images, tmp_path / str(k), sort=sort).out)
        want = sorted(places, reverse=True) if key is None else sorted(places, key=key)
        assert [r["file"] for r in rows] == want, sort
    rows = table(predict(predictor(), images, tmp_path / "same", sort="-sigma1").out)
    assert [r["file"] for r in rows] == sorted(places)  # equal ones in the order of the files
    for sort, message in (("mu3", "no column 'mu3' to sort by; known: file, label, area_fraction, mu1"),
                          ("mu1+label", "only columns of numbers can be added up, got 'label'")):
        with pytest.raises(ValueError, match=message):
            predict(predictor(), images, tmp_path / "bad", sort=sort)
        assert not (tmp_path / "bad").exists()


def test_many_images_go_through_in_batches(tmp_path):
    for k in range(19):
        spot(tmp_path / "in" / f"{k:02}.png", 5 + 2 * k, 20)
    net = Bright()
    rows = table(predict(Predictor(net, SIZE, GRID, STRIDE), tmp_path / "in", tmp_path / "out").out)
    assert [size[0] for size in net.sizes] == [8, 8, 3] and net.sizes[0][1:] == (3, *SIZE)
    assert np.allclose([float(r["mu1_px"]) for r in rows], 5 + 2 * np.arange(19), atol=0.2)
    assert {r["label"] for r in rows} == {"0"}


def test_a_network_for_wide_images(tmp_path):
    spot(tmp_path / "in" / "x.png", 40, 10)
    net = Bright()
    rows = table(predict(Predictor(net, (32, 48), (8, 12), STRIDE), tmp_path / "in", tmp_path / "out").out)
    assert net.sizes == [(1, 3, 32, 48)]
    assert (float(rows[0]["mu1_px"]), float(rows[0]["mu2_px"])) == pytest.approx((40, 10), abs=0.15)
    assert np.load(tmp_path / "out" / "maps" / "x.png.npy").shape == (8, 12)


def test_several_shapes_and_none(folder, tmp_path):
    images, _ = folder
    rows = table(predict(predictor(many=2, shape="ellipse"), images, tmp_path / "two", sort="mu2.2").out)
    assert rows[0]["mu1"] == rows[0]["mu1.2"] and rows[0]["mu1_px.2"]
    rows = table(predict(predictor(rectangle=False), images, tmp_path / "no", sort="area_fraction").out)
    assert list(rows[0]) == ["file", "label", "area_fraction"]
    f = np.load(tmp_path / "no" / "maps" / "a" / "x.png.npy")
    shown = {r["file"]: float(r["area_fraction"]) for r in rows}
    assert shown["a/x.png"] == pytest.approx((f >= 0.5).mean())


def test_unreadable_images_are_named_or_left_out(folder, tmp_path):
    images, _ = folder
    whole = (images / "a" / "x.png").read_bytes()
    (images / "a" / "cut.png").write_bytes(whole[:len(whole) // 2])
    (images / "text.jpg").write_text("no image at all")
    with pytest.raises(UnreadableFile, match=r"a/cut.png.*--skip-bad"):
        predict(predictor(), images, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    outcome = predict(predictor(), images, tmp_path / "out", skip_bad=True)
    assert outcome.written == 5 and len(outcome.skipped) == 2
    assert "cut.png" in outcome.skipped[0] and "text.jpg" in outcome.skipped[1]
    assert "2 files left out" in (tmp_path / "out" / "contact.html").read_text()
    for path in images.rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    with pytest.raises(UnreadableFile, match="no image below .* can be read"):
        predict(predictor(), images, tmp_path / "none", skip_bad=True)
    assert not (tmp_path / "none").exists()


def test_nothing_is_overwritten(folder, tmp_path):
    images, _ = folder
    out = tmp_path / "out"
    out.mkdir()
    (out / "precious.txt").write_text("mine")
    for bad, message in ((out, "nothing is overwritten: .*out holds precious.txt"),
                         (out / "precious.txt", "got the file"),
                         (images / "maps", "must not lie in the folder of images"),
                         (images, "new or empty folder")):
        with pytest.raises(ValueError, match=message):
            predict(predictor(), images, bad)
    assert [p.name for p in out.iterdir()] == ["precious.txt"] and not (images / "maps").exists()
    (tmp_path / "empty").mkdir()
    assert predict(predictor(), images, tmp_path / "empty").written == 5
    with pytest.raises(ValueError, match="nothing is overwritten"):
        predict(predictor(), images, tmp_path / "empty")


def test_what_is_there_stays_when_it_fails(folder, tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(ValueError, match="no column"):
        predict(predictor(), folder[0], tmp_path / "out", sort="x")
    assert list((tmp_path / "out").iterdir()) == []


def test_folders_without_images(tmp_path):
    with pytest.raises(ValueError, match="images must be a folder"):
        find_images(tmp_path / "nowhere")
    (tmp_path / ".thumbs").mkdir()
    (tmp_path / ".thumbs" / "x.png").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"no images \(.png .*\) in "):
        predict(predictor(), tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_networks_that_show_nothing(folder, tmp_path):
    images, _ = folder
    for net, message in ((lambda x: (x.mean((2, 3)), None), "has no attention map"),
                         (Bright(spoil=math.nan), "the map of a/x.png is not finite")):
        with pytest.raises(ValueError, match=message):
            predict(Predictor(net, SIZE, GRID, STRIDE), images, tmp_path / "out")
    with pytest.raises(ValueError, match=r"must have \(4, 4\) cells, got \(8, 8\)"):
        predict(Predictor(Bright(), SIZE, (4, 4), STRIDE), images, tmp_path / "out")
