"""ShapeField: counter-based, the same however it is drawn, and equal to a second renderer."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from theory.rectangle import Rectangle, grid, hard_mask, hard_rectangle, image_to_grid
from training.counter import halves, states, uniforms
from training.shapes import CUE_COLOUR, REGIMES, SPLITS, TEXTURES, ShapesConfig, regime
from training.shapes_field import ShapeField, throughput
from training.shapes_geometry import grid_masks
from training.shapes_render import canvas, paint
from training.shapes_scene import scene

SMALL = ShapesConfig(image=(32, 32), half_widths=(0.12, 0.26))
STRANGE = ShapesConfig(image=(32, 48), half_widths=(0.29, 0.3), truth="blob", content="glyph", tile=5,
                       noise_correlation=1.0, blur=0.3, gap=7.0, occlusion=0.4, label_noise=0.3,
                       decoy=0.7, distractors="balanced", cue="ring")
CONFIGS = {"small": SMALL, "default": ShapesConfig(), "strange": STRANGE,
           "star": regime("star", background="plain", stride=2, line=1.0)}


def tensors(samples):
    r = samples.rectangle
    frame = () if r is None else (r.center, r.half_widths, r.angle)
    return (samples.images, samples.labels, samples.masks, samples.image_masks, *frame)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_sample_is_the_same_in_any_batch_order_and_chunk(name, monkeypatch):
    field = ShapeField(CONFIGS[name], 5)
    together = tensors(field.draw("train", range(37)))
    torch.manual_seed(1)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    backwards = tensors(field.draw("train", torch.arange(37).flip(0)))
    alone = tensors(ShapeField(CONFIGS[name], 5).draw("train", [7]))
    strided = tensors(field.draw("train", np.arange(1, 37, 3)))
    monkeypatch.setattr("training.shapes_field.CACHED", 3)
    chunked = tensors(field.draw("train", range(37)))
    for t, b, a, s, c in zip(together, backwards, alone, strided, chunked, strict=True):
        assert torch.equal(t, b.flip(0)) and torch.equal(t[7:8], a)
        assert torch.equal(t[1::3], s) and torch.equal(t, c)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


@pytest.mark.parametrize("other", [(6, "train", 0), (5, "test", 0), (5, "train", 12),
                                   (5, "validation", 0), (5, "pilot", 0)])
def test_seed_split_and_index_give_other_samples(other):
    seed, split, first = other
    one = ShapeField(SMALL, 5).draw("train", range(12)).images
    two = ShapeField(SMALL, seed).draw(split, range(first, first + 12)).images
    assert not (one == two).all(3).all(2).all(1).any()


def test_it_is_a_source():
    field = ShapeField(STRANGE, 0)
    assert (field.classes, field.image, field.grid) == (4, (32, 48), (8, 12))
    assert field.size("validation") is None
    samples = field.draw("test", range(5))
    assert samples.images.dtype == torch.float32 and samples.labels.dtype == torch.int64
    assert samples.masks.dtype == samples.image_masks.dtype == torch.int8
    assert samples.masks.shape == (5, 8, 12) and samples.image_masks.shape == (5, 32, 48)
    assert set(samples.masks.unique().tolist()) == set(samples.image_masks.unique().tolist()) == {-1, 1}
    empty = field.draw("test", [])
    assert len(empty) == 0 and empty.images.shape == (0, 3, 32, 48)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda f: f.draw("exam", range(2)), ValueError, "split must be one of .*got 'exam'"),
    (lambda f: f.size("exam"), ValueError, "split must be one of"),
    (lambda f: f.draw("test", [-1, 3]), ValueError, "index must not be negative, got -1"),
    (lambda f: f.draw("test", range(3, -2, -1)), ValueError, "index must not be negative, got -1"),
    (lambda f: f.draw("test", [0.5]), TypeError, "indices must be integers"),
    (lambda f: f.draw("test", [[1]]), ValueError, "indices must be a list, got shape"),
    (lambda f: ShapeField(SMALL, -2), ValueError, "seed must not be negative, got -2"),
    (lambda f: throughput(SMALL, 0), ValueError, "n must be at least 1, got 0"),
])
def test_bad_calls(call, error, message):
    with pytest.raises(error, match=message):
        call(ShapeField(SMALL, 0))


def reference(config, seed, index):
    """The default kind of image by NumPy in float64, one sample, without the renderer's code.

    Returns the image, the boundary distance in units of half-widths (least over the objects) and
    the rectangle.
    """
    state = states(seed, SPLITS["pilot"], torch.tensor([index]))
    k = 1 + config.n_distractors
    u = uniforms(state, 0, 32 * k)[0].numpy().reshape(k, 32)
    low, high = config.half_widths
    middle = (low + high) / 2
    points = image_to_grid(grid(*config.image), config.image[0], config.grid[0], config.stride)
    side = -(-config.image[0] // config.tile)
    draws = halves(state, 1 << 32, (1 + k) * side**2)[0].numpy().astype(np.int64)
    draws = (((draws >> 8) + 2**23) / 2**24).reshape(1 + k, side, side)
    tile = np.arange(config.image[0]) // config.tile
    shown = (4 * draws[0]).astype(int)[tile][:, tile]
    background, truth, edge = shown, None, np.full(config.image, np.inf)
    for n in (*range(1, k), 0):
        sizes = [middle + u[n, 0] * (high - middle), low + u[n, 1] * (middle - low)]
        half = np.array(sizes if u[n, 2] < 0.5 else sizes[::-1])
        angle = (u[n, 3] - 0.5) * np.pi / 2
        c, s = abs(np.cos(angle)), abs(np.sin(angle))
        reach = np.array([[c, s], [s, c]]) @ half
        r = Rectangle(reach + u[n, 4:6] * (1 - 2 * reach), half, angle)
        gap, line = (v / (config.stride * (config.grid[0] - 1)) for v in (config.gap, config.line))
        grown = [Rectangle(r.center, r.half_widths + g, angle) for g in (0, gap, gap + line)]
        inside = [hard_rectangle(g, points) == 1 for g in grown]
        d = points - r.center
        c, s = np.cos(angle), np.sin(angle)
        local = np.abs(np.stack([c * d[..., 0] + s * d[..., 1], -s * d[..., 0] + c * d[..., 1]], -1))
        for g in grown[: 1 if n else 3]:
            edge = np.minimum(edge, np.abs((local - g.half_widths).max(-1)))
        draw, own = draws[1 + n], int(4 * u[n, 6])
        mosaic = np.where(draw < config.purity, own, 4 * (draw - config.purity) / (1 - config.purity))
        if n == 0:
            shown, truth, cue = np.where(inside[1], background, shown), r, inside[2] & ~inside[1]
        shown = np.where(inside[0], mosaic.astype(int)[tile][:, tile], shown)
    i, j = np.indices(config.image)
    gray = np.zeros(config.image)
    for t in range(TEXTURES):
        turn = t * np.pi / TEXTURES
        wave = 2 * np.pi * ((np.cos(turn) * i + np.sin(turn) * j) / config.period + u[0, 16 + t])
        gray[shown == t] = 0.5 + config.contrast * np.sin(wave[shown == t])
    noise = halves(state, 1 << 48, gray.size)[0].numpy().reshape(gray.shape) / 2**32
    gray += config.noise * np.sqrt(12) * noise
    image = np.stack([np.where(cue, value, gray) for value in CUE_COLOUR])
    return image, edge, truth


@pytest.mark.parametrize("config", [ShapesConfig(), regime("many", period=5.3, tile=8, noise=0.2)])
def test_images_equal_those_of_a_second_renderer(config):
    """Away from contours (1e-5 grid units): there float32 may put a pixel on the other side."""
    samples = ShapeField(config, 4).draw("pilot", range(100, 130))
    for n in range(30):
        image, edge, truth = reference(config, 4, 100 + n)
        clear = edge > 1e-5
        assert clear.mean() > 0.99
        assert np.abs(samples.images[n].numpy() - image)[:, clear].max() < 2e-5
        assert np.array_equal(samples.masks[n].numpy(), hard_mask(truth, *config.grid))
        r = samples.rectangle
        found = torch.cat([r.center[n], r.half_widths[n], r.angle[n : n + 1]]).numpy()
        assert np.allclose(found, truth.to_array(), atol=1e-7)


def test_labels_are_balanced():
    counts = ShapeField(SMALL, 0).draw("pilot", range(4000)).labels.bincount(minlength=4)
    assert (counts - 1000).abs().max() < 5 * (4000 * 3 / 16) ** 0.5  # false alarm 3e-6


@pytest.mark.parametrize("probability", [0.0, 0.2, 1.0])
def test_label_noise_draws_labels_anew(probability):
    """Same images; a label differs from the class inside with probability 3/4 p (exact binomial
    test, false alarm 1e-4 each); where it was drawn anew it is independent of that class."""
    field = ShapeField(dataclasses.replace(SMALL, label_noise=probability), 1)
    clean = ShapeField(SMALL, 1)
    shown = field.scene("train", range(4000))
    assert torch.equal(shown.classes[:, 0], clean.scene("train", range(4000)).labels)
    few = field.draw("train", range(50))
    assert torch.equal(few.images, clean.draw("train", range(50)).images)
    assert torch.equal(few.labels, shown.labels[:50])
    other = int((shown.labels != shown.classes[:, 0]).sum())
    assert binomtest(other, 4000, 0.75 * probability).pvalue > 1e-4
    shifts = ((shown.labels - shown.classes[:, 0]) % 4).bincount(minlength=4)[1:]
    assert (shifts - other / 3).abs().max() <= 5 * (other * 2 / 9) ** 0.5


@pytest.mark.parametrize("name", [*REGIMES, "strange"])
def test_everything_is_made_on_the_device_of_the_state(name):
    """On torch's meta device, where a tensor of the CPU among the others is an error."""
    config = STRANGE if name == "strange" else regime(name)
    shown = scene(config, torch.zeros(3, dtype=torch.int64, device="meta"))
    images = torch.empty((3, 3, *config.image), device="meta")
    masks = torch.empty((3, *config.image), dtype=torch.int8, device="meta")
    paint(config, canvas(config, "meta"), shown, images, masks)
    assert grid_masks(config, shown.things[:, 0]).is_meta and shown.labels.is_meta


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", CONFIGS)
def test_gpu_and_cpu_draw_the_same(name):
    """Labels equal; pixels but for those on a contour, to 1e-4."""
    field = ShapeField(CONFIGS[name], 2)
    cpu, gpu = field.draw("test", range(500)), field.draw("test", range(500), "cuda").to("cpu")
    assert torch.equal(cpu.labels, gpu.labels)
    assert ((cpu.images - gpu.images).abs() > 1e-4).float().mean() < 1e-5
    assert (cpu.masks != gpu.masks).float().mean() < 1e-4
    assert (cpu.image_masks != gpu.image_masks).float().mean() < 1e-5


def test_throughput_is_a_row():
    row = throughput(SMALL, 8, repeats=2)
    assert row["n"] == 8 and row["threads"] == torch.get_num_threads() and row["device"] == "cpu"
    assert row["images_per_second"] >= row["images_per_second_median"] > 0
