"""Figures 6 to 9: what is in the panels is what stands in the rows; broken rows are named."""

from __future__ import annotations

import base64
import copy

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from paper_figures import fig06_maps, fig07_depth, fig08_sequences, fig09_extremes
from paper_figures.fields import FieldError
from paper_figures.gallery import scenes, scenes_row, views, views_of
from paper_figures.gallery_panels import STRENGTH, cell_borders
from paper_figures.registry import COMMITTED
from paper_figures.style import PAGE, draw
from sims.rows import read_rows
from tests.paper_figures import gallery_rows as made
from theory.rectangle import Rectangle, grid, hard_rectangle

FIGURES = (fig06_maps, fig07_depth, fig08_sequences, fig09_extremes)


def panels(module, rows):
    """The panels of a figure as its lines and columns."""
    figure = draw(module, rows)
    return np.array(figure.axes, dtype=object).reshape(module.layout(rows))


def picture_of(panel):
    """The number of the scene in a panel, from its first pixel."""
    return round(float(np.asarray(panel.images[0].get_array())[0, 0, 0]) * 255)


def light_of(panel):
    """The map in a panel."""
    return 1 - np.asarray(panel.images[1].get_array())[..., 3] / STRENGTH


def lines_of(panel, label):
    return [line.get_xydata()[:, ::-1] for line in panel.lines if line.get_label() == label]


def expected_light(k):
    return np.maximum(0, 255 - 10 * np.abs(np.arange(24) - k)).reshape(made.GRID) / 255


def shown(panel, k, rectangle):
    """Whether a panel shows scene k and what a method found in it, with both outlines."""
    assert picture_of(panel) == k
    assert np.allclose(light_of(panel), expected_light(k), atol=1e-9)
    (true,) = lines_of(panel, "true")
    on_its_border(true, [0.3 + 0.01 * k, 0.6, 0.2, 0.1, 0.1 * k])
    found = lines_of(panel, "found")
    borders = [c for c in panel.collections if isinstance(c, LineCollection)]
    if rectangle:
        on_its_border(found[0], [0.5, 0.4 + 0.01 * k, 0.3, 0.1, 0.2])
        assert not borders
    else:
        assert not found and len(borders) == 1
    assert panel.get_ylim()[0] > panel.get_ylim()[1]  # axis 1 points downwards


def on_its_border(points, parameters):
    rectangle = Rectangle.from_array(np.array(parameters))
    middle = np.array(parameters[:2])
    assert (hard_rectangle(rectangle, middle + 0.999 * (points - middle)) == 1).all()
    assert (hard_rectangle(rectangle, middle + 1.001 * (points - middle)) == -1).all()
    assert len(points) == 5 and (points[0] == points[-1]).all()


def test_fig06_has_images_then_maps_of_each_method():
    rows = made.gallery_rows()
    axes = panels(fig06_maps, rows)
    assert axes.shape == (3, 5)
    for k in range(5):
        assert picture_of(axes[0, k]) == k and len(axes[0, k].images) == 1
        shown(axes[1, k], k, rectangle=False)
        shown(axes[2, k], k, rectangle=True)
        lead, miss = "IoU " if k == 0 else "", " ×" if k % 2 else ""
        assert axes[2, k].get_xlabel() == f"{lead}{0.01 * k:.2f}{miss}"
    assert [a.get_ylabel() for a in axes[:, 0]] == ["image", "position-wise", "rectangle"]


def test_pictures_lie_where_the_pixels_are_on_the_grid():
    panel = panels(fig06_maps, made.gallery_rows())[1, 0]
    left, right, bottom, top = panel.images[0].get_extent()
    # the stride divides the image: cell i has its centre at i * stride + (stride - 1) / 2 pixels
    for low, high, pixels, cells in ((top, bottom, made.SIDES[0], made.GRID[0]),
                                     (left, right, made.SIDES[1], made.GRID[1])):
        at = [low + (i * made.STRIDE + made.STRIDE / 2) * (high - low) / pixels for i in range(cells)]
        assert at == pytest.approx(np.linspace(0, 1, cells))
    assert panel.images[1].get_extent() == pytest.approx([left, right, bottom, top])
    ratio = panel.get_aspect() * abs(bottom - top) / (right - left)
    assert ratio == pytest.approx(made.SIDES[0] / made.SIDES[1])  # square pixels


def test_the_border_of_a_mask_is_where_it_ends():
    mask = np.zeros((4, 6), dtype=bool)
    mask[1, 2] = mask[3, 5] = True
    segments = {tuple(map(tuple, s)) for s in np.round(cell_borders(mask) * [3, 5], 6)}
    assert segments == {((i, 1.5), (i, 2.5)) for i in (0.5, 1.5)} | {
        ((0.5, j), (1.5, j)) for j in (1.5, 2.5)} | {((i, 4.5), (i, 5.5)) for i in (2.5, 3.5)} | {
        ((2.5, j), (3.5, j)) for j in (4.5, 5.5)}
    assert cell_borders(np.zeros((2, 3), dtype=bool)).shape == (0, 2, 2)


def test_fig07_takes_the_ends_of_the_depths_of_one_network():
    rows = made.gallery_rows()
    chosen = [(r["method"], r["layers"], r["depth"]) for r in fig07_depth.select(rows)]
    assert chosen == [("positionwise", 2, 0), ("rectangle", 2, 0), ("positionwise", 2, 2),
                      ("rectangle", 2, 2)]
    axes = panels(fig07_depth, rows)
    assert axes.shape == (4, 5)
    for k in range(4):
        for column, rectangle in enumerate((False, True, False, True), start=1):
            shown(axes[k, column], k, rectangle)
    assert axes[0, 4].get_title() == "rectangle\nafter 2 of 2 layers"
    with pytest.raises(FieldError, match="two places"):
        fig07_depth.select([r for r in rows if not r.get("depth")])


def test_fig08_shows_every_step_of_every_image():
    rows = made.gallery_rows()
    axes = panels(fig08_sequences, rows)
    steps = made.STEPS + 1
    assert axes.shape == (6, steps)
    for line in range(6):
        for step in range(steps):
            shown(axes[line, step], line // 3 * steps + step, rectangle=line % 3 > 0)
    names = ["position-wise", "rectangle", "rectangle\n+ EQVC"]
    assert [a.get_ylabel() for a in axes[:, 0]] == 2 * names
    without = [r for r in rows if r.get("eqvc") != "quotient"]
    assert fig08_sequences.layout(without) == (4, steps)
    broken = copy.deepcopy(rows)
    scenes_row(broken, fig08_sequences.select(broken)[0])["scenes"][2]["step"] = 0
    with pytest.raises(FieldError, match="step 2 expected at scene 2, got 0"):
        draw(fig08_sequences, broken)


def test_fig09_puts_each_image_at_its_end():
    rows = made.gallery_rows()
    axes = panels(fig09_extremes, rows)
    assert axes.shape == (3, 4)
    held = next(r for r in rows if r["key"] == "scenes-extremes")["scenes"]
    for line, name in enumerate(("mu1", "mu2", "mu1+mu2")):
        for column, panel in enumerate(axes[line]):
            note = held[picture_of(panel)]
            assert (note["of"], note["end"]) == (name, "least" if column < 2 else "largest")
            assert panel.get_xlabel() == f"{note['value']:.2f} ({note['true']:.2f})"
            shown(panel, note["index"], rectangle=True)
        assert axes[line, 0].get_title(loc="left").startswith("least")
    with pytest.raises(FieldError, match="as many scenes"):
        fig09_extremes.groups({"key": "a", "scenes": held[:-1]})


def test_a_truth_without_a_rectangle_is_its_mask():
    rows = made.gallery_rows()
    for row in rows:
        for scene in row.get("scenes", []) if row["part"] == "scenes" else []:
            scene["rectangle"] = None
    panel = panels(fig06_maps, rows)[2, 1]
    assert not lines_of(panel, "true")
    drawn = [c for c in panel.collections if not isinstance(c, LineCollection)]
    (path,) = [p for c in drawn for p in c.get_paths() if len(p.vertices)]
    left, right, bottom, top = panel.images[0].get_extent()
    line = (path.vertices[:, 0] - left) / (right - left) * made.SIDES[1]
    assert np.unique(np.round(line, 6)).max() == pytest.approx(made.SIDES[1] / 2)  # between two pixels
    found = scenes(rows[2])[0].truth
    assert set(np.unique(found)) == {-1, 0, 1} and (found[0] == 0).all()
    assert (found[1:, :15] == 1).all() and (found[1:, 15:] == -1).all()


def test_captions_take_their_numbers_from_all_test_images_and_seeds():
    rows = made.gallery_rows()
    text = fig06_maps.caption(rows)
    assert "IoU 0.38 against 0.62;" in text and "missing rate 0.250 against 0.125;" in text
    assert "all 64 test images" in text and "the red outline" in text and "one network each." in text
    row = fig06_maps.select(rows)[1]
    seeds = [made.training_row(row, k, iou=v) for k, v in enumerate((0.625, 0.5, 0.75))]
    other = made.training_row(fig07_depth.select(rows)[3], 5, iou=0.0)
    text = fig06_maps.caption([*rows, *seeds, other])
    assert "against 0.62 (0.50 to 0.75);" in text
    text = fig07_depth.caption([*rows, *seeds, other])
    assert "after 0 of 2 layers position-wise IoU 0.38, at" in text and "(0.50" not in text
    text = fig08_sequences.caption(rows)
    assert "with the moved truth 0.25" in text and "leaves 0.75" in text and "by 29°" in text
    text = fig09_extremes.caption(rows)
    assert "0.50 for μ₁, 0.25 for μ₂" in text and "leftmost 2, rightmost 3" in text
    assert text.startswith("The extremes ones by μ₁")
    for module in FIGURES:
        assert "error bars" in module.caption(rows)
    for row in rows:
        row["sequences"] = None
    assert "IoU with the moved" not in fig08_sequences.caption(rows)


@pytest.mark.parametrize(("part", "change", "message"), [
    ("views", {"map": "AAAA"}, "'map' must hold 24 values .* got 3"),
    ("views", {"mask": "AAAAAAAA"}, "'mask' must hold 24 values .* got 48"),
    ("views", {"map": "no text of bytes"}, "'map' cannot be read"),
    ("views", {"rectangle": [0.5, 0.5, 0.1, 0.1]}, "must be five numbers"),
    ("views", {"rectangle": [0.5, 0.5, -0.1, 0.1, 0.0]}, "'rectangle' cannot be read"),
    ("views", {"rectangle": ...}, "lacks the field 'rectangle'"),
    ("scenes", {"picture": base64.b64encode(b"no picture").decode()}, "'picture' cannot be read"),
    ("scenes", {"truth": ...}, "lacks the field 'truth'"),
])
def test_broken_rows_are_named(part, change, message):
    rows = made.gallery_rows()
    row = fig06_maps.select(rows)[1]
    row = row if part == "views" else scenes_row(rows, row)
    for name, value in change.items():
        if value is ...:
            del row[part][1][name]
        else:
            row[part][1][name] = value
    with pytest.raises(FieldError, match=message):
        views(row) if part == "views" else scenes(row)


@pytest.mark.parametrize("sides", [None, "x", 64, [64], [64, 1], [64, "x"], ...])
def test_the_sides_of_the_images_are_two_numbers(sides):
    rows = made.gallery_rows()
    held = scenes_row(rows, fig06_maps.select(rows)[1])
    held["sides"] = sides
    if sides is ...:
        del held["sides"]
    with pytest.raises(FieldError, match=f"{held['key']}.*'sides'"):
        draw(fig06_maps, rows)


def test_rows_that_do_not_belong_together():
    rows = made.gallery_rows()
    del fig06_maps.select(rows)[1]["views"][1]["iou"]
    with pytest.raises(FieldError, match="lacks the field 'iou'"):
        draw(fig06_maps, rows)
    rows = made.gallery_rows()
    with pytest.raises(FieldError, match="no gallery rows with views of 'first'"):
        views_of([r for r in rows if r["what"] != "first"], "first")
    with pytest.raises(FieldError, match="'positionwise'"):
        fig06_maps.select([r for r in rows if r.get("method") != "positionwise"])
    with pytest.raises(FieldError, match="not there"):
        draw(fig06_maps, [r for r in rows if r["part"] == "views"])
    rows[0]["images"] = "other"
    with pytest.raises(FieldError, match="different test images"):
        views_of(rows, "first")
    rows = made.gallery_rows()
    rows[0]["views"].pop()
    with pytest.raises(FieldError, match="has 4 views of 5 scenes"):
        scenes_row(rows, rows[0])


def test_the_committed_rows_draw_and_agree_with_the_trainings():
    path = COMMITTED / "gallery.jsonl"
    rows = read_rows(path)
    assert path.stat().st_size <= 400_000
    for name, module in (("training", fig06_maps), ("depth", fig07_depth), ("sequences", fig08_sequences)):
        others = {r["key"]: r for r in read_rows(COMMITTED / f"{name}.jsonl")}
        for row in module.select(rows):
            same = [r for r in others.values() if r["config"]["seed"] == row["seed"]
                    and r["test"]["iou"] == row["test"]["iou"]
                    and r["test"]["missing_rate"] == row["test"]["missing_rate"]]
            assert same and all(r["n"] == row["n"] for r in same)
            assert "in brackets" in module.caption([*rows, *others.values()])
    for module in FIGURES:
        lines, columns = module.layout(rows)
        figure = draw(module, rows)
        assert len(figure.axes) == lines * columns and module.size(rows)[0] <= PAGE
    for row in views_of(rows, "first"):
        for view, scene in zip(views(row), scenes(scenes_row(rows, row)), strict=True):
            truth = hard_rectangle(scene.rectangle, grid(16, 16)) == 1
            both, either = (truth & view.mask).sum(), (truth | view.mask).sum()
            assert view.note["iou"] == pytest.approx(both / either, abs=1e-6)
            assert view.note["missing_rate"] == pytest.approx((truth != view.mask).mean(), abs=1e-6)
            cells = (scene.truth == 1).reshape(16, 4, 16, 4).mean((1, 3))
            assert (cells[truth] > 0.3).mean() > 0.9  # the picture's truth is the same object


def test_captions_on_photographs_say_so():
    rows = made.gallery_rows()
    for row in rows:
        if row["part"] == "scenes":
            row |= {"data": "pets", "classes": ["a", None, "b"], "truth": None}
            continue
        row["config"] |= {"data": "pets", "backbone": "mobilenetv3-large", "pretrained": "package",
                          "freeze": True, "at": "x", "split": 3, "ratio": 70}
        row["test"]["iou_chosen"] = None
        row["sequences"]["composed"]["iou_truth"] = None
    words = ("photographs of Oxford-IIIT Pet, split 3 with 70 % for training", "2 classes, 20 × 30 pixels",
             "MobileNetV3-large, pretrained, frozen up to ")
    for module in FIGURES:
        text = module.caption(rows)
        assert all(w in text for w in words)
        assert "ShapeField" not in text and "red outline" not in text and "chosen on validation" not in text
    assert "frozen up to the attention" in fig07_depth.caption(rows)
    assert "frozen up to x" in fig06_maps.caption(rows)
    assert "no object stays wholly in the image" in fig08_sequences.caption(rows)
    rows[2]["data"] = "magic"
    with pytest.raises(FieldError, match="'data' must be one of shapes, .*got 'magic'"):
        fig06_maps.caption(rows)
