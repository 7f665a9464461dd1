"""The images: counter-based, realisable, and mute about the label outside the truth."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import chi2_contingency, kruskal

from theory.rectangle import grid_to_image
from training.counter import streams, uniforms
from training.shapes import CUE_COLOUR, TEXTURES, ShapesConfig, draw

SMALL = ShapesConfig(image=(32, 32), half_widths=(0.12, 0.26))
PLAIN = ShapesConfig(background="plain", purity=1.0, noise=0.0, cue="none", distractors="none")


def arrays(samples):
    return (samples.images, samples.labels, samples.masks, samples.rectangle.to_array())


def cue_pixels(samples):
    return (samples.images == np.float32(CUE_COLOUR)[:, None, None]).all(axis=1)


def test_uniforms_are_uniform_and_addressed_by_counter():
    state = streams(3, 1, np.arange(1000))
    u = uniforms(state, 0, 40)
    assert np.array_equal(uniforms(state[7:9], 5, 3), u[7:9, 5:8])
    assert u.min() >= 0 and u.max() < 1
    assert abs(u.mean() - 0.5) < 5 * (12 * u.size) ** -0.5  # false alarm 6e-7
    assert abs(np.corrcoef(u[:, 0], u[:, 1])[0, 1]) < 5 / 1000**0.5


@pytest.mark.parametrize("config", [SMALL, dataclasses.replace(SMALL, cue="ring", purity=1.0)])
def test_a_sample_is_the_same_in_any_batch_and_any_order(config):
    together = arrays(draw(config, 5, "train", range(12)))
    np.random.seed(1)  # noqa: NPY002  the global state must not matter
    backwards = arrays(draw(config, 5, "train", np.arange(12)[::-1]))
    alone = arrays(draw(config, 5, "train", [7]))
    for t, b, a in zip(together, backwards, alone, strict=True):
        assert np.array_equal(t, b[::-1]) and np.array_equal(t[7:8], a)


@pytest.mark.parametrize("other", [(6, "train", 0), (5, "test", 0), (5, "train", 12)])
def test_seed_split_and_index_give_other_samples(other):
    seed, split, first = other
    one = draw(SMALL, 5, "train", range(12)).images
    two = draw(SMALL, seed, split, range(first, first + 12)).images
    assert not (one == two).all(axis=(1, 2, 3)).any()


@pytest.mark.parametrize("axis_aligned", [False, True])
@pytest.mark.parametrize("image", [(64, 64), (32, 48)])
def test_truth_is_never_empty_and_lies_in_the_limits(axis_aligned, image):
    config = ShapesConfig(image=image, half_widths=(0.12, 0.2), axis_aligned=axis_aligned)
    samples = draw(config, 0, "pilot", range(2000))
    areas = (samples.masks == 1).sum(axis=(1, 2))
    assert areas.min() >= 1
    half = samples.rectangle.half_widths
    assert half.min() >= np.float32(0.12) and half.max() <= np.float32(0.2)
    if axis_aligned:
        h, w = config.grid
        assert areas.max() <= (2 * 0.2 * (h - 1) + 1) * (2 * 0.2 * (w - 1) + 1)
        assert not samples.rectangle.angle.any()


def test_image_and_truth_are_one_rectangle():
    """Painted pixels lie in the rectangle taken to pixel units, a route of its own."""
    samples = draw(PLAIN, 0, "pilot", range(50))
    i, j = np.indices(PLAIN.image)
    for image, r in zip(samples.images[:, 0], samples.rectangle.to_array(), strict=True):
        center = grid_to_image(r[:2].astype(float), 64, 16, 4) * 63
        half = r[2:4] * 60  # 15 steps of 4 pixels
        cos, sin = np.cos(r[4]), np.sin(r[4])
        d1, d2 = i - center[0], j - center[1]
        reach = np.maximum(abs(cos * d1 + sin * d2) / half[0], abs(-sin * d1 + cos * d2) / half[1])
        painted = np.abs(image - 0.5) > 1e-6
        assert not painted[reach > 1.001].any()
        assert painted[reach < 0.999].mean() > 0.7  # a wave has zeros
        assert painted.any()


def test_truth_cells_are_patches_with_their_centre_in_the_object():
    samples = draw(PLAIN, 1, "pilot", range(200))
    painted = np.abs(samples.images[:, 0] - 0.5) > 1e-6
    cells = painted.reshape(200, 16, 4, 16, 4).mean(axis=(2, 4))
    inside = samples.masks == 1
    assert cells[inside].mean() > 0.7 and cells[inside].min() > 0.2
    assert cells[~inside].mean() < 0.02


@pytest.mark.parametrize("cue", ["outline", "ring"])
def test_no_patch_sees_both_a_far_cue_and_the_object(cue):
    config = dataclasses.replace(PLAIN, cue=cue)
    both = {}
    for binding in ("far", "local"):
        samples = draw(dataclasses.replace(config, binding=binding), 0, "pilot", range(300))
        shown = cue_pixels(samples)
        painted = (np.abs(samples.images[:, 0] - 0.5) > 1e-6) & ~shown
        assert shown.any(axis=(1, 2)).all()
        seen = [m.reshape(300, 16, 4, 16, 4).any(axis=(2, 4)) for m in (shown, painted)]
        both[binding] = (seen[0] & seen[1]).any(axis=(1, 2)).mean()
    assert both["far"] == 0 and both["local"] > 0.9


def texture_outside(samples):
    """The texture with most energy in the patches that hold no pixel of the object."""
    n, i, j = len(samples.labels), *np.indices((4, 4))
    gray = np.where(cue_pixels(samples), 0.5, samples.images[:, 1]) - 0.5
    patches = gray.reshape(n, 16, 4, 16, 4).transpose(0, 1, 3, 2, 4)
    energy = []
    for k in range(TEXTURES):
        turn = k * np.pi / TEXTURES
        wave = np.exp(0.5j * np.pi * (np.cos(turn) * i + np.sin(turn) * j))
        energy.append(np.abs((patches * wave).sum(axis=(-2, -1))) ** 2)
    grown = np.pad(samples.masks == 1, ((0, 0), (1, 1), (1, 1)))
    near = np.logical_or.reduce(
        [grown[:, a : a + 16, b : b + 16] for a in range(3) for b in range(3)])
    return np.stack([np.where(near, 0, e).sum(axis=(1, 2)) for e in energy], axis=1)


def association(config, n=1500):
    """p-value of independence: label against the texture that leads outside the object.

    Energies are centred over images first (textures differ in energy for any label).
    """
    samples = draw(config, 11, "pilot", range(n))
    energy = texture_outside(samples)
    leading = ((energy - energy.mean(0)) / energy.std(0)).argmax(axis=1)
    table = np.zeros((TEXTURES, TEXTURES))
    np.add.at(table, (samples.labels, leading), 1)
    return chi2_contingency(table).pvalue


def test_label_is_independent_of_everything_outside():
    """Chi-square on 1500 images, seed fixed; false alarm rate 1e-3.  Positive control: balanced
    distractors, whose complement is the label, are found out by the same test."""
    assert association(ShapesConfig()) > 1e-3
    assert association(ShapesConfig(distractors="balanced", purity=1.0)) < 1e-9


def test_cue_and_extent_are_independent_of_the_label():
    """Kruskal-Wallis over labels, false alarm rate 1e-3 each."""
    samples = draw(ShapesConfig(), 12, "pilot", range(3000))
    for value in (cue_pixels(samples).sum(axis=(1, 2)), (samples.masks == 1).sum(axis=(1, 2)),
                  *samples.rectangle.to_array().T):
        assert kruskal(*(value[samples.labels == k] for k in range(TEXTURES))).pvalue > 1e-3


def test_labels_are_balanced():
    counts = np.bincount(draw(SMALL, 0, "pilot", range(4000)).labels, minlength=4)
    assert np.abs(counts - 1000).max() < 5 * (4000 * 3 / 16) ** 0.5  # false alarm 3e-6


@pytest.mark.parametrize("change", [
    {"axis_aligned": True}, {"cue": "ring"}, {"cue": "none"}, {"binding": "local"},
    {"distractors": "balanced"}, {"distractors": "none"}, {"n_distractors": 5},
    {"background": "plain"}, {"purity": 0.9}, {"tile": 8}, {"contrast": 0.1}, {"noise": 0.0},
    {"period": 5.0}, {"gap": 7.0}, {"line": 3.0}, {"half_widths": (0.13, 0.26)},
    {"stride": 8}, {"image": (32, 40)},
])
def test_every_dial_changes_the_image(change):
    base = dataclasses.replace(SMALL, half_widths=(0.25, 0.3))
    if change.get("stride") == 8:
        change = {**change, "gap": 11.0, "half_widths": (0.25, 0.3)}
        base = dataclasses.replace(base, gap=11.0)
    one = draw(base, 0, "pilot", range(8)).images
    two = draw(dataclasses.replace(base, **change), 0, "pilot", range(8)).images
    assert one.shape != two.shape or not np.array_equal(one, two)


@pytest.mark.parametrize(("change", "message"), [
    ({"cue": "arrow"}, "cue must be one of"),
    ({"image": (30, 32)}, "multiples of the stride"),
    ({"half_widths": (0.01, 0.2)}, "half_widths must satisfy 0.101"),
    ({"half_widths": (0.3, 0.2)}, "half_widths"),
    ({"noise": -1.0}, "noise must not be negative, got -1.0"),
    ({"noise": float("nan")}, "noise must not be negative, got nan"),
    ({"purity": 1.5}, "purity must be in"),
    ({"gap": 4.0}, "more than 4.24 pixels away"),
    ({"line": 0.0}, "line must be positive"),
])
def test_bad_dials(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SMALL, **change)


def test_bad_addresses():
    with pytest.raises(ValueError, match="split must be one of"):
        draw(SMALL, 0, "exam", range(2))
    with pytest.raises(ValueError, match="index must not be negative, got -1"):
        draw(SMALL, 0, "test", [-1, 3])
    with pytest.raises(ValueError, match="seed must not be negative, got -2"):
        draw(SMALL, -2, "test", [3])
