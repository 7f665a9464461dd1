"""Following a sequence of transforms: known followers get the numbers they must."""

from __future__ import annotations

import json
import math

import pytest
import torch

from theory.rectangle import Rectangle, grid, hard_mask, hard_rectangle, log_soft_rectangle
from training.attention import AttentionMap, truth_map
from training.equivariance import pixel_points, warp
from training.samples import Samples, cell_masks
from training.sequences import PATHS, Path, follow, moved_truth, summary

GRID, IMAGE, STRIDE = (16, 16), (64, 64), 4
SMALL = {"rotation": PATHS["rotation"], "composed": PATHS["composed"]}


def samples(n=12, spread=0.2, realisable=True, seed=0):
    """Images that show the truth itself: three channels of its mask."""
    u = torch.rand(n, 5, generator=torch.Generator().manual_seed(seed))
    r = Rectangle(0.5 + spread * (u[:, :2] - 0.5), 0.12 + 0.1 * u[:, 2:4], u[:, 4])
    masks = hard_rectangle(r, pixel_points(IMAGE, GRID, STRIDE, u))
    images = (masks == 1).float()[:, None].expand(-1, 3, -1, -1).clone()
    on_grid = hard_mask(r, *GRID)
    return Samples(images, torch.zeros(n, dtype=torch.int64), on_grid, masks,
                   r if realisable else None)


def map_of(r, s=6.0):
    return AttentionMap(log_soft_rectangle(r, grid(*GRID, like=r.center), s), r, lambda: None)


def scripted(batch, path, n_steps, change=lambda r, k: r):
    """A look that answers the acted truth, changed, whatever the images are."""
    answers = iter(range(n_steps + 1))

    def look(images):
        k = next(answers)
        return map_of(change(path.at(k / n_steps).act(batch.rectangle), k))
    return look


def bright(images):
    """Position-wise: attends where the image is bright, cell by cell."""
    mean = torch.nn.functional.adaptive_avg_pool2d(images[:, :1], GRID)[:, 0]
    return AttentionMap(torch.log(mean.clamp(1e-6, 1)), None, lambda: None)


def moments_look(images):
    """The square with the image's centre of mass: finds the centre in any moved image."""
    points = pixel_points(IMAGE, GRID, STRIDE, images)
    w = images[:, 0] / images[:, 0].sum((1, 2), keepdim=True)
    center = torch.einsum("nij,ijk->nk", w, points)
    return map_of(Rectangle(center, torch.full_like(center, 0.2), torch.zeros(len(images))))


def test_who_follows_exactly_has_no_error():
    batch = samples()
    for name, path in PATHS.items():
        rows = follow(scripted(batch, path, 4), batch, 4, paths={name: path})
        assert [row["step"] for row in rows] == [0, 1, 2, 3, 4]
        for row in rows:
            assert row["parameter_error"] < 1e-3 and row["centre_error"] < 1e-6
            assert row["iou_parameters"] > 0.999 and row["iou_truth"] > 0.999
            assert row["correlation"] > 0.93
            assert row["iou"] == pytest.approx(row["iou_ceiling"]) and row["iou"] > 0.7
            if 0 < row["step"] < 4:
                assert row["second_difference_centre"] < 1e-6
                assert row["second_difference_parameters"] < 1e-5
                assert row["second_difference_map"] < 0.4  # of the resampling
            else:
                assert row["second_difference_centre"] is None
    assert rows[0]["iou"] == 1


def test_a_rectangle_under_another_name_follows_as_well():
    batch, path = samples(), PATHS["composed"]

    def renamed(r, k):
        if k % 2:
            return Rectangle(r.center, r.half_widths.flip(-1), r.angle - math.pi / 2)
        return r if k < 2 else Rectangle(r.center, r.half_widths, r.angle + 3 * math.pi)

    for row in follow(scripted(batch, path, 3, renamed), batch, 3, paths={"composed": path}):
        assert row["parameter_error"] < 2e-3 and row["iou_parameters"] > 0.99
        assert (row["second_difference_parameters"] or 0) < 1e-5


@pytest.mark.parametrize("name", ["rotation", "translation", "composed"])
def test_who_stays_behind_misses_by_what_was_moved(name):
    """A map that ignores the image: the errors are those of the move itself."""
    batch, path = samples(), PATHS[name]
    rows = follow(lambda images: map_of(batch.rectangle), batch, 5, paths={name: path})
    for k, row in enumerate(rows):
        acted = path.at(k / 5).act(batch.rectangle)
        kept = row["kept"] == len(batch)
        if kept:
            moved = (acted.center - batch.rectangle.center).norm(dim=-1).mean()
            assert row["centre_error"] == pytest.approx(float(moved), abs=1e-6)
    assert rows[-1]["iou"] < 0.75 * rows[0]["iou"]
    assert rows[-1]["iou_truth"] < rows[0]["iou_truth"] == 1
    if name == "translation":
        assert rows[-1]["parameter_error"] == pytest.approx(0.15 * 2**0.5, rel=1e-4)
        # taken back to the first image the centre moves steadily: no second difference
        assert rows[2]["second_difference_centre"] < 1e-6


def test_drift_is_smooth_and_jitter_is_not():
    batch, path = samples(), Path(shift=(0.1, 0.0))

    def with_offset(offset):
        def change(r, k):
            return Rectangle(r.center + torch.tensor([0.0, offset(k)]), r.half_widths, r.angle)
        return follow(scripted(batch, path, 4, change), batch, 4, paths={"p": path})

    drift, jitter = with_offset(lambda k: 0.02 * k), with_offset(lambda k: 0.02 * (k % 2))
    for row in drift[1:-1]:
        assert row["second_difference_centre"] < 1e-6
    for row in jitter[1:-1]:
        assert row["second_difference_centre"] == pytest.approx(0.04, rel=1e-3)
        assert row["second_difference_parameters"] == pytest.approx(0.04, rel=1e-3)
    assert drift[4]["centre_error"] == pytest.approx(0.08, rel=1e-3)
    assert jitter[2]["second_difference_map"] > 2 * drift[2]["second_difference_map"]


def test_pairs_of_shapes_follow_like_one():
    batch, path = samples(), PATHS["composed"]

    def paired(r):
        """The rectangle and its right neighbour, as one map."""
        side = torch.tensor([0.0, 0.2])
        return Rectangle(torch.stack([r.center, r.center + side], dim=1),
                         torch.stack([r.half_widths / 2] * 2, dim=1), torch.stack([r.angle] * 2, dim=1))

    pair, answers = paired(batch.rectangle), iter(range(4))

    def look(images):
        k = next(answers)
        move = path.at(k / 3)
        acted = Rectangle(*(torch.stack(v, dim=1) for v in zip(
            *((r.center, r.half_widths, r.angle) for r in (
                move.act(Rectangle(pair.center[:, i], pair.half_widths[:, i], pair.angle[:, i]))
                for i in (0, 1))), strict=True)))
        return AttentionMap.of_shapes(acted, *GRID, 6.0)

    for row in follow(look, batch, 3, paths={"composed": path}):
        assert row["parameter_error"] < 1e-3 and row["iou_parameters"] > 0.99
        assert row["centre_error"] < 0.02 and (row["second_difference_parameters"] or 0) < 1e-5


@pytest.mark.parametrize("look", [bright, moments_look])
def test_methods_that_see_the_image_follow_it(look):
    """End to end through the warp: both see the object in the moved image."""
    batch = samples()
    found = summary(follow(look, batch, 3, paths=SMALL))
    for path in SMALL:
        assert found[path]["centre_error"] < 0.01  # a hundredth of the grid
        if look is bright:
            assert found[path]["iou"] > 0.75 and found[path]["iou_truth"] > 0.75
            assert found[path]["parameter_error"] is None
        else:
            assert found[path]["parameter_error"] > 0.2  # its angle does not follow


def test_rows_are_plain_and_the_summary_weighs_by_samples_kept():
    rows = follow(bright, samples(spread=0.7), 3, paths=SMALL)
    assert json.loads(json.dumps(rows)) == rows
    assert len(rows) == 8 and {row["path"] for row in rows} == set(SMALL)
    mine = [row for row in rows if row["path"] == "rotation" and row["step"] > 0]
    assert len({row["kept"] for row in mine}) > 1  # objects near the edge leave
    by_hand = sum(r["iou"] * r["kept"] for r in mine) / sum(r["kept"] for r in mine)
    assert summary(rows)["rotation"]["iou"] == pytest.approx(by_hand)
    assert summary([]) == {}


def test_nothing_kept_gives_none_and_empty_masks_earn_nothing():
    batch = samples()
    gone = follow(bright, batch, 1, paths={"away": Path(shift=(3.0, 0.0))})
    assert gone[1]["kept"] == 0 and gone[1]["iou"] is None
    assert summary(gone)["away"]["iou"] is None
    empty = follow(lambda x: truth_map(torch.full((len(x), *GRID), -1)), batch, 1, paths=SMALL)
    assert all(row["iou"] == 0 and row["empty"] == 1 for row in empty)
    assert all(row["correlation"] == 0 for row in empty)  # a constant map


def test_correlation_needs_no_threshold():
    """A map a hundred times darker has no mask, and follows as well as before."""
    def dark(images):
        return AttentionMap(bright(images).log_f - math.log(100), None, lambda: None)

    light, faint = (summary(follow(look, samples(), 2, paths=SMALL))["composed"]
                    for look in (bright, dark))
    assert faint["iou"] == 0 and faint["empty"] == 1
    assert faint["second_difference_map"] == pytest.approx(light["second_difference_map"], rel=0.02)
    assert faint["correlation"] == pytest.approx(light["correlation"], abs=1e-4) and light["correlation"] > 0.9


def test_the_truth_of_pixels_moves_like_the_rectangle():
    """Without a rectangle the moved truth is that of the moved pixels; ignored from outside."""
    known, pixels = samples(), samples(realisable=False)
    move = PATHS["composed"].at(1.0)
    a, b = moved_truth(known, move), moved_truth(pixels, move)
    inside = b != 0
    agreement = ((a == b) & inside).sum() / inside.sum()
    assert float(agreement) > 0.97
    away = moved_truth(pixels, Path(shift=(0.5, 0.0)).at(1.0))
    assert bool((away[:, :7] == 0).all()) and bool((away[:, 9:] != 0).all())
    moved = warp(pixels.images, move, GRID, padding="zeros")[:, 0]
    by_hand = cell_masks(torch.where(moved >= 0.5, 1, -1).to(torch.int8), GRID)
    assert float(((by_hand == b) | ~inside).float().mean()) > 0.97
    assert summary(follow(bright, pixels, 2, paths=SMALL))["composed"]["iou_truth"] > 0.75


def test_at_the_end_of_a_path_is_the_transform_it_names():
    path = Path(angle=0.6, scale=0.5, shift=(0.1, -0.2))
    half, end = path.at(0.5), path.at(1.0)
    assert float(end.scale) == pytest.approx(0.5) and float(half.scale) == pytest.approx(0.5**0.5)
    assert float(half.angle) == pytest.approx(0.3)
    middle = torch.tensor([0.5, 0.5])
    assert torch.allclose(half.apply(middle), middle + torch.tensor([0.05, -0.1]), atol=1e-6)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: follow(bright, samples(), 0), "n_steps must be at least 1, got 0"),
    (lambda: follow(bright, samples()[:0], 2), "samples must not be empty"),
    (lambda: follow(lambda x: truth_map(torch.ones(len(x), 8, 8)), samples(), 2), "grid .16, 16."),
    (lambda: Path(scale=0.0), "scale must be positive"),
])
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
