"""What is painted: the object and its class inside the truth, the cue outside, and the dials."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import binomtest, chisquare

from training.counter import halves
from training.shapes import CUE_COLOUR, DECOY_COLOURS, ShapesConfig, regime
from training.shapes_field import ShapeField
from training.shapes_geometry import distance

PLAIN = ShapesConfig(background="plain", purity=1.0, noise=0.0, cue="none", distractors="none")
WIDE = {"half_widths": (0.13, 0.24)}


def colour_pixels(samples, colour):
    return (samples.images == torch.tensor(colour)[:, None, None]).all(1)


def painted(samples):
    """Pixels that are neither the plain background's gray nor coloured."""
    image = samples.images
    return ((image[:, 1] - 0.5).abs() > 1e-6) & (image[:, 0] == image[:, 1])


def blocks(mask, stride):
    n, h, w = mask.shape
    return mask.view(n, h // stride, stride, w // stride, stride).any(4).any(2)


@pytest.mark.parametrize("truth", ["rotated", "ellipse", "star", "l", "blob"])
@pytest.mark.parametrize("content", ["texture", "glyph"])
def test_the_object_is_painted_inside_the_truth_only(truth, content):
    samples = ShapeField(dataclasses.replace(PLAIN, truth=truth, content=content, **WIDE), 0).draw(
        "pilot", range(100))
    shown, inside = painted(samples), samples.image_masks == 1
    assert not shown[~inside].any() and shown.any(2).any(1).all()
    share = 0.7 if content == "texture" else 0.05  # a wave has zeros; a glyph is a few strokes
    assert shown[inside].float().mean() > share


@pytest.mark.parametrize("truth", ["rotated", "star", "l", "blob"])
@pytest.mark.parametrize("cue", ["outline", "ring"])
def test_no_patch_sees_both_a_far_cue_and_the_object(cue, truth):
    config = dataclasses.replace(PLAIN, cue=cue, truth=truth, **WIDE)
    both = {}
    for binding in ("far", "local"):
        samples = ShapeField(dataclasses.replace(config, binding=binding), 0).draw("pilot", range(150))
        cues, inside = colour_pixels(samples, CUE_COLOUR), samples.image_masks == 1
        assert cues.any(2).any(1).all() and not (cues & inside).any()
        both[binding] = (blocks(cues, 4) & blocks(inside, 4)).any(2).any(1).float().mean()
    assert both["far"] == 0 and both["local"] > (0.9 if cue == "outline" else 0.02)


@pytest.mark.parametrize("truth", ["rotated", "star", "l"])
def test_an_outline_runs_at_the_gap_and_says_where_the_contour_is(truth):
    config = dataclasses.replace(PLAIN, truth=truth, cue="outline", gap=6.0, line=1.5, **WIDE)
    field = ShapeField(config, 0)
    samples, things = field.draw("pilot", range(30)), field.scene("pilot", range(30)).things[:, 0]
    far = distance(things, *(torch.arange(64.0),) * 2)
    assert torch.equal(colour_pixels(samples, CUE_COLOUR), (far > 6) & (far <= 7.5))


def test_a_ring_is_a_circle_about_the_frame():
    field = ShapeField(dataclasses.replace(PLAIN, cue="ring", gap=6.0, line=1.5), 0)
    samples = field.draw("pilot", range(30))
    cues, r = colour_pixels(samples, CUE_COLOUR), samples.rectangle
    centre, i = r.center * 60 + 1.5, torch.arange(64.0)
    radius = torch.hypot(i[:, None] - centre[:, :1, None], i - centre[:, 1:, None])
    beyond = radius - (r.half_widths * 60).norm(dim=1)[:, None, None]
    assert ((beyond[cues] > 6 - 1e-3) & (beyond[cues] <= 7.5 + 1e-3)).all()
    assert cues[(beyond > 6 + 1e-3) & (beyond < 7.5 - 1e-3)].all()


def test_inside_the_cue_only_background_and_object():
    """Distractors are cleared there: with a plain background it is gray."""
    config = dataclasses.replace(PLAIN, cue="outline", distractors="independent", n_distractors=8)
    field = ShapeField(config, 0)
    samples, things = field.draw("pilot", range(50)), field.scene("pilot", range(50)).things[:, 0]
    far = distance(things, *(torch.arange(64.0),) * 2)
    shown = painted(samples)
    assert not shown[(far > 0) & (far <= 5)].any()
    assert shown[far > 7].float().mean() > 0.2


def tile_classes(samples):
    """The class of each 4 x 4 tile by its grating, of images without noise."""
    n, i, j = len(samples), *np.indices((4, 4))
    patches = (samples.images[:, 1].numpy() - 0.5).reshape(n, 16, 4, 16, 4).transpose(0, 1, 3, 2, 4)
    energy = [np.abs((patches * np.exp(0.5j * np.pi * (np.cos(t) * i + np.sin(t) * j))).sum((3, 4)))
              for t in np.arange(4) * np.pi / 4]
    return np.stack(energy).argmax(0)


@pytest.mark.parametrize("purity", [0.0, 0.6, 1.0])
def test_tiles_show_the_class_with_probability_purity(purity):
    """Exact binomial test; rest and background uniform by chi-square; false alarm 1e-3 each."""
    config = ShapesConfig(purity=purity, noise=0.0, cue="none", distractors="none", contrast=0.4,
                          half_widths=(0.3, 0.4))
    samples = ShapeField(config, 1).draw("pilot", range(150))
    shown = (tile_classes(samples) - samples.labels.numpy()[:, None, None]) % 4
    tiles = samples.image_masks.numpy().reshape(-1, 16, 4, 16, 4)
    inside, outside = tiles.min((2, 4)) == 1, tiles.max((2, 4)) == -1
    counts = np.bincount(shown[inside], minlength=4)
    share = purity + (1 - purity) / 4
    assert binomtest(int(counts[0]), int(counts.sum()), share).pvalue > 1e-3 or purity == 1
    if purity == 1:  # phases make some tiles weak
        assert counts[0] / counts.sum() > 0.97
    else:
        assert chisquare(counts[1:]).pvalue > 1e-3
    assert chisquare(np.bincount(shown[outside], minlength=4)).pvalue > 1e-3


def test_glyphs_have_the_same_ink_for_every_class():
    """One glyph turned: mean number of inked pixels equal over classes (5 standard errors)."""
    config = dataclasses.replace(PLAIN, content="glyph", half_widths=(0.2, 0.25), contrast=0.25)
    samples = ShapeField(config, 0).draw("pilot", range(2000))
    ink = painted(samples)
    assert (samples.images[:, 0][ink] == 0.75).all()
    size = ink.sum((1, 2)).double()
    by_class = [size[samples.labels == k] for k in range(4)]
    error = size.std() * (2 / 500) ** 0.5
    assert max(s.mean() for s in by_class) - min(s.mean() for s in by_class) < 5 * error
    for k in range(4):  # the bar of class 0 is above its stem; each next class is a quarter turn on
        glyph = ink[samples.labels == k].double()
        rows = (glyph.sum(2) * torch.arange(64)).sum(1) / glyph.sum((1, 2))
        columns = (glyph.sum(1) * torch.arange(64)).sum(1) / glyph.sum((1, 2))
        mean = samples.rectangle.center[samples.labels == k].double() * 60 + 1.5
        lean = torch.stack([rows - mean[:, 0], columns - mean[:, 1]], dim=1).mean(0)
        axis, sign = ((0, -1), (1, -1), (0, 1), (1, 1))[k]
        assert sign * lean[axis] > 0.3 and lean[1 - axis].abs() < 0.2


def test_white_noise_has_its_level_and_is_uniform():
    config = dataclasses.replace(PLAIN, noise=0.2)
    field = ShapeField(config, 0)
    noise = field.draw("pilot", range(50)).images - ShapeField(PLAIN, 0).draw("pilot", range(50)).images
    assert abs(noise[:, 0].std() / 0.2 - 1) < 0.01
    assert noise.abs().max() <= 0.2 * 3**0.5 + 1e-6 and noise.abs().max() > 0.34
    assert torch.equal(noise[:, 0], noise[:, 2])
    words = halves(field.scene("pilot", [3]).state, 1 << 48, 4096).double().view(64, 64)
    assert (noise[3, 0] - 0.2 * 12**0.5 * words * 2.0**-32).abs().max() < 1e-6


def test_correlated_noise_keeps_the_level_and_the_stated_window():
    """Autocorrelation of a Gaussian window of deviation d at distance k: exp(-k^2 / 4 d^2)."""
    config = dataclasses.replace(PLAIN, noise=0.2, noise_correlation=2.0)
    noise = (ShapeField(config, 0).draw("pilot", range(200)).images
             - ShapeField(PLAIN, 0).draw("pilot", range(200)).images)[:, 0].double()
    assert abs(noise.square().mean() / 0.04 - 1) < 0.03
    for k in (1, 3):
        for a, b in ((noise[:, k:], noise[:, :-k]), (noise[:, :, k:], noise[:, :, :-k])):
            assert abs((a * b).mean() / 0.04 - np.exp(-(k**2) / 16)) < 0.03
    edges = noise[:, :3].square().mean() / noise[:, 30:33].square().mean()
    assert abs(edges - 1) < 0.1  # stationary up to the border


def test_blur_is_a_gaussian_filter_of_the_finished_image():
    config = ShapesConfig(gap=11.0)
    sharp = ShapeField(config, 0).draw("pilot", range(4))
    blurred = ShapeField(dataclasses.replace(config, blur=1.0), 0).draw("pilot", range(4))
    expected = gaussian_filter(sharp.images.double().numpy(), 1.0, axes=(2, 3), mode="nearest", radius=3)
    assert np.abs(blurred.images.numpy() - expected).max() < 1e-5
    assert torch.equal(sharp.masks, blurred.masks)


def test_an_occluder_covers_its_share_of_the_object_and_leaves_the_mask():
    config = dataclasses.replace(PLAIN, half_widths=(0.2, 0.3), content="texture")
    full = ShapeField(config, 0).draw("pilot", range(400))
    part = ShapeField(dataclasses.replace(config, occlusion=0.6), 0).draw("pilot", range(400))
    assert torch.equal(full.masks, part.masks) and torch.equal(full.image_masks, part.image_masks)
    shown = painted(full)
    hidden = shown & ~painted(part)
    assert abs(hidden.sum() / shown.sum() - 0.36) < 0.01
    assert not (painted(part) & ~shown).any()
    assert not (hidden.all(0)).any()


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_a_decoy_follows_the_label_as_strongly_as_stated(strength):
    """It agrees with probability strength + (1 - strength) / 4: exact test, false alarm 1e-4."""
    samples = ShapeField(regime("decoy", decoy=strength), 0).draw("pilot", range(1000))
    marks = torch.stack([colour_pixels(samples, c) for c in DECOY_COLOURS], dim=1)
    sizes = marks.sum((2, 3))
    assert ((sizes > 0).sum(1) == 1).all() and sizes.max() == 36 and sizes.sum(1).min() > 10
    agree = int((sizes.argmax(1) == samples.labels).sum())
    assert binomtest(agree, 1000, strength + (1 - strength) / 4).pvalue > 1e-4
    assert not (marks.any(1) & (samples.image_masks == 1)).any()
    i = torch.arange(64.0)
    mark = marks.any(1).double()
    at = torch.stack([(mark.sum(2) * i).sum(1), (mark.sum(1) * i).sum(1)], dim=1) / mark.sum((1, 2))[:, None]
    centre = samples.rectangle.center * 60 + 1.5
    assert (((at < 31.5) == (centre > 31.5)) | ((centre - 31.5).abs() < 1e-3)).all()


def test_balanced_distractors_are_the_three_other_classes():
    shown = ShapeField(regime("balanced"), 0).scene("pilot", range(200)).classes
    assert torch.equal(shown.sort(1).values, torch.arange(4).expand(200, 4))
    independent = ShapeField(regime("needed"), 0).scene("pilot", range(3000)).classes
    counts = (4 * independent[:, 1] + independent[:, 2]).bincount(minlength=16)
    assert chisquare(counts).pvalue > 1e-3
