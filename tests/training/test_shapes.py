"""The dials of ShapeField: regimes, limits, bad input; and that configuration stays light."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch

from training.shapes import REALISABLE, REGIMES, TRUTHS, ShapesConfig, inscribed, regime
from training.shapes_field import ShapeField

SMALL = ShapesConfig(image=(32, 32), half_widths=(0.12, 0.26))


def test_configuration_needs_no_torch():
    code = "import sys, training.shapes; assert 'torch' not in sys.modules, 'torch'"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", REGIMES)
def test_every_regime_is_drawn_and_only_the_first_is_the_default(name):
    config = regime(name)
    assert (config == ShapesConfig()) == (name == "needed")
    samples = ShapeField(config, 0).draw("pilot", range(3))
    assert samples.images.shape == (3, 3, *config.image) and samples.images.isfinite().all()
    assert ((samples.masks == 1).sum((1, 2)) >= 1).all()
    assert (samples.rectangle is None) == (config.truth not in REALISABLE)


def test_a_regime_takes_further_changes():
    assert regime("ring", noise=0.3) == ShapesConfig(cue="ring", purity=1.0, n_distractors=3, noise=0.3)
    with pytest.raises(ValueError, match="regime must be one of .*'needed'.*got 'easy'"):
        regime("easy")


@pytest.mark.parametrize("change", [
    {"truth": "axis-aligned"}, {"truth": "ellipse"}, {"truth": "star"}, {"truth": "l"},
    {"truth": "blob"}, {"aspect": 1.5}, {"max_angle": 0.1}, {"pull": 0.5}, {"content": "glyph"},
    {"cue": "ring"}, {"cue": "none"}, {"binding": "local"}, {"distractors": "balanced"},
    {"distractors": "none"}, {"n_distractors": 5}, {"background": "plain"}, {"purity": 0.9},
    {"tile": 8}, {"tile": 5}, {"contrast": 0.1}, {"noise": 0.0}, {"noise_correlation": 1.0},
    {"blur": 0.3, "gap": 7.0}, {"occlusion": 0.5}, {"decoy": 0.5}, {"period": 5.0}, {"gap": 7.0},
    {"line": 3.0}, {"half_widths": (0.14, 0.2)}, {"stride": 8, "gap": 11.0}, {"image": (32, 40)},
], ids=str)
def test_every_dial_changes_the_image(change):
    base = ShapesConfig(half_widths=(0.13, 0.2), gap=change.get("gap", 5.0) + 0.5)
    one = ShapeField(base, 0).draw("pilot", range(8)).images
    two = ShapeField(dataclasses.replace(base, **change), 0).draw("pilot", range(8)).images
    assert one.shape != two.shape or not torch.equal(one, two)


@pytest.mark.parametrize(("change", "message"), [
    ({"truth": "disc"}, "truth must be one of"),
    ({"content": "word"}, "content must be one of"),
    ({"cue": "arrow"}, "cue must be one of"),
    ({"background": "sky"}, "background must be one of .*got 'sky'"),
    ({"image": (30, 32)}, "multiples of the stride"),
    ({"image": (32, 4)}, "at least two cells"),
    ({"stride": 0}, "multiples of the stride"),
    ({"half_widths": (0.09, 0.2)}, "half_widths must satisfy 0.101"),
    ({"half_widths": (0.3, 0.2)}, "half_widths"),
    ({"half_widths": (0.3, 0.6)}, "half_widths"),
    ({"truth": "star"}, "half_widths must satisfy 0.228 .* for truth 'star'"),
    ({"aspect": 0.5}, r"aspect must be 0 or in \[1, 1.88\].*got 0.5"),
    ({"aspect": 2.0}, "aspect must be 0 or in"),
    ({"max_angle": 1.0}, "max_angle must be in"),
    ({"pull": 1.5}, r"pull must be in \[0, 1\], got 1.5"),
    ({"noise": -1.0}, "noise must not be negative, got -1.0"),
    ({"noise": float("nan")}, "noise must not be negative, got nan"),
    ({"noise_correlation": float("inf")}, "noise_correlation must not be negative, got inf"),
    ({"purity": 1.5}, "purity must be in"),
    ({"label_noise": -0.1}, "label_noise must be in"),
    ({"decoy": 1.1}, "decoy must be in"),
    ({"occlusion": 1.0}, "occlusion must be in"),
    ({"gap": 4.0}, "more than 4.24 pixels away"),
    ({"blur": 0.5}, "more than 8.24 pixels away"),
    ({"line": 0.0}, "line must be positive"),
    ({"tile": 0}, "tile must be positive"),
    ({"period": 0.0}, "period must be positive"),
    ({"n_distractors": -1}, "n_distractors must not be negative"),
])
def test_bad_dials(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SMALL, **change)


@pytest.mark.parametrize("change", [{"tile": 4.0}, {"stride": True}, {"n_distractors": 1.5},
                                    {"image": (32.0, 32)}])
def test_integer_dials_are_integers(change):
    with pytest.raises(TypeError, match="must be of integers, got"):
        dataclasses.replace(SMALL, **change)


@pytest.mark.parametrize("truth", TRUTHS)
def test_inscribed_discs_are_in_the_square(truth):
    at, radius = inscribed(truth)
    assert 0 < radius <= 1 and abs(at) + radius <= 1 + 1e-12
    if truth == "l":  # the disc touches two sides and the inner corner, the origin
        assert np.isclose(at - radius, -1) and np.isclose(np.hypot(at, at), radius)
