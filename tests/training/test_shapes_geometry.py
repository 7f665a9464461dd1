"""Contours, distances and masks: against theory's rectangles and against shapely's polygons."""

import dataclasses

import numpy as np
import pytest
import shapely
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.rectangle import Rectangle, grid, grid_to_image, hard_mask, hard_rectangle, image_to_grid
from training.counter import states, uniforms
from training.shapes import BLOB_SWING, BLOB_WAVES, TRUTHS, ShapesConfig
from training.shapes_field import ShapeField
from training.shapes_geometry import (
    DRAWS,
    covered,
    distance,
    frame_distance,
    grid_masks,
    inner_discs,
    objects,
)

CONTOURS = ("ellipse", "star", "l", "blob")
WIDE = {"half_widths": (0.15, 0.3)}


def some(config, n, seed=0):
    u = uniforms(states(seed, 0, torch.arange(n)), 0, DRAWS)
    return objects(config, u), u


def axes(config):
    return tuple(torch.arange(n, dtype=torch.float32) for n in config.image)


def polygons(config, things):
    """The contours by their edges, in pixels, as shapely polygons."""
    starts = np.stack([things.edges[..., 5], things.edges[..., 7]], axis=-1)
    return [shapely.Polygon(p) for p in starts.astype(np.float64)]


def image_points(config):
    points = grid(*config.image)
    return np.stack([image_to_grid(points[..., k], config.image[k], config.grid[k], config.stride)
                     for k in range(2)], axis=-1)


@pytest.mark.parametrize("image", [(64, 64), (32, 48), (40, 24)])
def test_frames_are_the_rectangles_of_theory(image):
    config = ShapesConfig(image=image, half_widths=(0.2, 0.4))
    things, _ = some(config, 200)
    r = things.frame
    exact = Rectangle(*(v.double().numpy() for v in (r.center, r.half_widths, r.angle)))
    inside = covered(things, *axes(config)).numpy()
    larger, smaller = (
        hard_rectangle(Rectangle(exact.center, exact.half_widths * f, exact.angle),
                       image_points(config)) == 1 for f in (1 + 1e-5, 1 - 1e-5))
    assert (smaller <= inside).all() and (inside <= larger).all() and (larger != smaller).mean() < 1e-3
    assert torch.equal(grid_masks(config, things), hard_mask(r, *config.grid))


def test_frame_distance_is_mitred():
    """Its level sets are frames with half-widths grown by the distance: shapely's mitred buffer."""
    things, _ = some(ShapesConfig(**WIDE), 20)
    points = axes(ShapesConfig())
    d = frame_distance(things.sides, *points).numpy()
    r = things.frame
    for n in range(20):
        center = grid_to_image(r.center[n].double().numpy(), 64, 16, 4) * 63
        half, angle = r.half_widths[n].double().numpy() * 60, float(r.angle[n])
        cos, sin = np.cos(angle), np.sin(angle)
        turn = np.array([[cos, -sin], [sin, cos]])
        box = shapely.Polygon([center + turn @ (half * s) for s in ((1, 1), (1, -1), (-1, -1), (-1, 1))])
        for level in (-2.0, 0.0, 5.0, 7.0):
            grown = box.buffer(level, join_style="mitre", mitre_limit=10)
            inside = shapely.contains_xy(grown, *np.indices((64, 64)).astype(float))
            sure = np.abs(d[n] - level) > 1e-3
            assert (inside == (d[n] < level))[sure].all()


@given(p=st.tuples(*[st.floats(0, 1)] * 8), at=st.tuples(*[st.floats(-10, 80)] * 2))
def test_frame_distance_off_square_grids_is_to_the_nearer_line_in_pixels(p, at):
    config = ShapesConfig(image=(40, 64), half_widths=(0.1, 0.3))
    u = torch.tensor([*p[:6], 0, 0] + [0.0] * 6, dtype=torch.float64)[None]
    thing = objects(config, u)
    r, scale = thing.frame, np.array([36.0, 60.0])
    cos, sin = np.cos(float(r.angle)), np.sin(float(r.angle))
    center = np.array([grid_to_image(float(r.center[0, k]), config.image[k], config.grid[k], 4)
                       * (config.image[k] - 1) for k in range(2)])
    far = []
    for k, normal in enumerate(((cos, sin), (-sin, cos))):
        for sign in (-1, 1):  # the line normal . (x - c) / scale = sign * half, by two points of it
            point = center + sign * float(r.half_widths[0, k]) * np.array(normal) * scale
            along = np.array([-normal[1], normal[0]]) * scale
            d = np.array(at) - point
            outward = sign * (d @ (np.array(normal) / scale))
            far.append(np.sign(outward) * abs(along[0] * d[1] - along[1] * d[0]) / np.hypot(*along))
    found = frame_distance(thing.sides, torch.tensor([at[0]]), torch.tensor([at[1]]))
    assert abs(float(found) - max(far)) < 2e-4


@pytest.mark.parametrize("truth", CONTOURS)
@pytest.mark.parametrize("image", [(64, 64), (60, 64)])
def test_contours_are_measured_as_shapely_does(truth, image):
    config = ShapesConfig(image=image, truth=truth, **WIDE)
    things, _ = some(config, 12)
    d, inside = distance(things, *axes(config)).numpy(), covered(things, *axes(config)).numpy()
    i, j = np.indices(config.image).astype(float)
    for n, polygon in enumerate(polygons(config, things)):
        assert polygon.is_valid
        expected = shapely.distance(polygon.exterior, shapely.points(i, j))
        within = shapely.contains_xy(polygon, i, j)
        assert np.abs(d[n] - np.where(within, -expected, expected)).max() < 2e-3
        sure = expected > 1e-3
        assert (inside[n] == within)[sure].all()
    ci, cj = np.meshgrid(*(4 * np.arange(n) + 1.5 for n in config.grid), indexing="ij")
    cells = np.stack([shapely.contains_xy(p, ci, cj) for p in polygons(config, things)])
    assert np.array_equal(grid_masks(config, things).numpy() == 1, cells)


@pytest.mark.parametrize("truth", CONTOURS)
def test_contours_lie_in_their_frames_and_contain_their_discs(truth):
    config = ShapesConfig(truth=truth, **WIDE)
    things, u = some(config, 300)
    corners = torch.stack([things.edges[..., 5], things.edges[..., 7]], dim=-1)
    for n in range(300):
        far = frame_distance(things.sides[n : n + 1], corners[n, :, 0], corners[n, :, 1])
        assert far[0].diagonal().max() < 1e-3
    discs = inner_discs(config, things.frame, u).double().numpy()
    for disc, polygon in zip(discs, polygons(config, things), strict=True):
        assert polygon.contains(shapely.Point(disc[:2]))
        assert polygon.exterior.distance(shapely.Point(disc[:2])) > disc[2] - 1e-3


def test_an_ellipse_is_an_ellipse():
    config = ShapesConfig(truth="ellipse", **WIDE)
    things, _ = some(config, 100)
    r = things.frame
    d = image_points(config)[None] - r.center.double().numpy()[:, None, None]
    cos, sin = (f(r.angle.double().numpy())[:, None, None] for f in (np.cos, np.sin))
    half = r.half_widths.double().numpy()[:, None, None]
    radius = np.hypot((cos * d[..., 0] + sin * d[..., 1]) / half[..., 0],
                      (-sin * d[..., 0] + cos * d[..., 1]) / half[..., 1])
    inside = covered(things, *axes(config)).numpy()
    assert inside[radius < 0.996].all() and not inside[radius > 1.0001].any()


def test_areas_of_star_and_l():
    """L: three quarters of the frame; star: ten triangles of area sin(36 degrees) / 4."""
    for truth, share in (("l", 3 / 4), ("star", 10 * np.sin(np.pi / 5) / 4 / 4)):
        config = ShapesConfig(truth=truth, **WIDE)
        things, _ = some(config, 50)
        areas = [p.area for p in polygons(config, things)]
        frames = 4 * (things.frame.half_widths.double() * 60).prod(-1).numpy()
        assert np.allclose(areas, share * frames, rtol=1e-4)


def test_a_blob_is_smooth_and_star_shaped():
    config = ShapesConfig(truth="blob", half_widths=(0.25, 0.25))
    things, _ = some(config, 200)
    centre = things.frame.center.double() * 60 + 1.5
    corners = torch.stack([things.edges[..., 5], things.edges[..., 7]], dim=-1).double()
    radius = (corners - centre[:, None]).norm(dim=-1) / 15
    least = (1 - 3 * BLOB_SWING) / (1 + 3 * BLOB_SWING)
    assert radius.min() > least - 1e-4 and radius.max() < 1 + 1e-4
    assert radius.std(dim=1).mean() > 0.05  # and no disc
    spectrum = torch.fft.rfft(radius).abs() / radius.shape[1]
    others = [m for m in range(1, spectrum.shape[1]) if m not in BLOB_WAVES]
    assert spectrum[:, others].max() < 1e-5


@settings(max_examples=20)
@given(truth=st.sampled_from(TRUTHS), seed=st.integers(0, 10**6))
def test_no_truth_is_empty_at_the_least_size_and_all_lie_in_the_grid(truth, seed):
    low = {"star": 0.1066, "l": 0.0805, "blob": 0.1247}.get(truth, 0.0473)
    config = ShapesConfig(truth=truth, half_widths=(low, low))
    with pytest.raises(ValueError, match="half_widths"):
        dataclasses.replace(config, half_widths=(low - 0.0003, low))
    things, _ = some(config, 100, seed)
    assert ((grid_masks(config, things) == 1).sum((1, 2)) >= 1).all()
    points = tuple(torch.tensor([-0.51, 63.51]) + s for s in (-1.0, 1.0))
    assert not covered(things, *points).any()


def test_sizes_angles_and_places_follow_the_dials():
    base = ShapesConfig(half_widths=(0.1, 0.3))
    frames = some(base, 4000)[0].frame
    long, short = frames.half_widths.amax(-1), frames.half_widths.amin(-1)
    assert (short >= 0.1).all() and (short <= 0.2).all() and (long <= 0.3).all()
    assert abs(long.mean() - 0.25) < 3e-3 and abs(short.mean() - 0.15) < 3e-3  # 6 standard errors
    assert abs(frames.angle.abs().max() - np.pi / 4) < 1e-3
    first = frames.half_widths[:, 0] > frames.half_widths[:, 1]
    assert abs(first.double().mean() - 0.5) < 0.04  # 5 standard errors
    thin = some(dataclasses.replace(base, aspect=1.7), 500)[0].frame.half_widths
    assert torch.allclose(thin.amax(-1) / thin.amin(-1), torch.tensor(1.7))
    little = some(dataclasses.replace(base, max_angle=0.2), 500)[0].frame.angle
    assert 0.19 < little.abs().max() <= 0.2
    straight = some(dataclasses.replace(base, truth="axis-aligned"), 500)[0].frame.angle
    assert not straight.any()
    pulled = some(dataclasses.replace(base, pull=0.75), 4000)[0].frame.center
    assert torch.allclose(pulled - 0.5, (frames.center - 0.5) / 4, atol=1e-6)
    assert not (some(dataclasses.replace(base, pull=1.0), 50)[0].frame.center - 0.5).any()


def test_truths_and_samples_agree():
    config = ShapesConfig(truth="star", **WIDE)
    field = ShapeField(config, 3)
    samples, things = field.draw("test", range(20)), field.scene("test", range(20)).things[:, 0]
    assert torch.equal(samples.masks, grid_masks(config, things))
    assert torch.equal(samples.image_masks == 1, covered(things, *axes(config)))
