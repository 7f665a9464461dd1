"""Leak tests: silent where the background is common to all classes, and loud where it is not.

All seeds are fixed.  A test of a regime without a leak would fail with probability at most 1e-3 on
another seed.
"""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.stats import binom

from training.samples import Samples
from training.shapes import regime
from training.shapes_field import ShapeField
from training.shapes_leak import (
    WideNet,
    classifier_row,
    cue_statistics,
    cut,
    hole,
    law_rows,
    leak_rows,
    outside_statistics,
)

SMALL = {"image": (32, 32), "half_widths": (0.12, 0.22)}
LEARN = {"n_train": 1000, "n_test": 500, "steps": 150, "batch": 32}


def laws(config, n=500, seed=0, margin=0):
    samples = ShapeField(config, seed).draw("pilot", range(n))
    statistics = outside_statistics(samples, margin=margin) | cue_statistics(samples)
    return {row["statistic"]: row for row in law_rows(statistics, samples.labels)}


@pytest.mark.parametrize("name", ["needed", "glyph", "local", "ring", "occluded", "correlated-noise",
                                  "label-noise", "l"])
def test_outside_and_cue_have_one_law_for_all_classes(name):
    assert not [row for row in laws(regime(name)).values() if row["leak"]]


def test_blur_leaks_over_the_border_unless_the_cut_is_wider():
    """A blurred object of pure textures on gray is read off its halo."""
    config = regime("alone", blur=1.0, gap=11.0, noise=0.02, cue="none")
    assert any(row["leak"] for row in laws(config).values())
    assert not any(row["leak"] for row in laws(config, margin=config.blur_radius).values())


def test_leaking_distributions_are_found_by_their_laws():
    decoy, balanced = laws(regime("decoy")), laws(regime("balanced"))
    assert decoy["red"]["leak"] and decoy["blue"]["leak"]
    assert all(balanced[f"texture {k}"]["leak"] for k in range(4))
    assert not any(row["leak"] for name, row in balanced.items() if name.startswith("cue"))


def test_a_cue_that_carries_the_label_is_found():
    samples = ShapeField(regime("needed"), 0).draw("pilot", range(600))
    shifted = samples.images.clone()
    for k in range(1, 4):
        here = samples.labels == k
        shifted[here] = shifted[here].roll(2 * k, dims=2)
    told = dataclasses.replace(samples, images=shifted)
    rows = {r["statistic"]: r for r in law_rows(cue_statistics(told), told.labels)}
    assert not any(r["leak"] for r in law_rows(cue_statistics(samples), samples.labels))
    assert rows["cue row"]["leak"] or rows["cue row spread"]["leak"]


def test_random_labels_leak_nothing_even_with_the_object():
    samples = ShapeField(regime("random-labels", **SMALL), 0).draw("pilot", range(600))
    whole = dataclasses.replace(samples, image_masks=-torch.ones_like(samples.image_masks))
    assert not any(r["leak"] for r in law_rows(outside_statistics(whole), whole.labels))
    clean = ShapeField(regime("needed", **SMALL), 0).draw("pilot", range(600))
    whole = dataclasses.replace(clean, image_masks=-torch.ones_like(clean.image_masks))
    assert any(r["leak"] for r in law_rows(outside_statistics(whole), whole.labels))


def test_a_classifier_stays_at_chance_without_the_object():
    row = classifier_row(ShapeField(regime("needed", **SMALL), 0), **LEARN)
    assert not row["leak"] and row["low"] <= row["chance"] <= row["high"]


@pytest.mark.parametrize("config", [
    regime("decoy", **SMALL, decoy=0.8),
    regime("balanced", image=(48, 48), half_widths=(0.09, 0.15), background="plain"),
], ids=["decoy", "balanced"])
def test_a_classifier_finds_a_leak(config):
    row = classifier_row(ShapeField(config, 0), **{**LEARN, "steps": 200})
    assert row["leak"] and row["accuracy"] > 0.35


def test_a_classifier_reads_the_object_where_nothing_is_cut():
    """The classifier is able: on conspicuous objects, uncut, it is right."""

    class Uncut(ShapeField):
        def draw(self, split, indices, device="cpu"):
            samples = super().draw(split, indices, device)
            return dataclasses.replace(samples, image_masks=-torch.ones_like(samples.image_masks))

    config = regime("alone", **SMALL)
    assert classifier_row(Uncut(config, 0), **LEARN)["accuracy"] > 0.8
    assert not classifier_row(ShapeField(config, 0), **LEARN)["leak"]


def test_the_interval_is_exact():
    """Clopper-Pearson: at its ends the tails beyond the count found have the stated mass."""
    row = classifier_row(ShapeField(regime("decoy", **SMALL), 0), n_train=64, n_test=100, steps=2,
                         false_alarm=0.01)
    right = round(row["accuracy"] * 100)
    assert np.isclose(binom.sf(right - 1, 100, row["low"]), 0.01)
    assert np.isclose(binom.cdf(right, 100, row["high"]), 0.01)


def test_training_depends_on_its_seed_alone():
    field = ShapeField(regime("decoy", **SMALL), 0)
    few = {"n_train": 64, "n_test": 64, "steps": 5}
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one, two = classifier_row(field, **few), classifier_row(field, **few)
    assert one == two and torch.equal(torch.get_rng_state(), before)


def test_the_hole_is_gray_and_grows():
    samples = ShapeField(regime("needed"), 0).draw("pilot", range(20))
    inside = samples.image_masks == 1
    assert torch.equal(hole(samples), inside)
    filled = cut(samples).permute(0, 2, 3, 1)
    assert (filled[inside] == 0.5).all()
    assert torch.equal(filled[~inside], samples.images.permute(0, 2, 3, 1)[~inside])
    i, j = torch.nonzero(hole(samples, 2)[0], as_tuple=True)
    points = torch.nonzero(inside[0])
    far = (torch.stack([i, j], 1)[:, None] - points[None]).abs().amax(2).amin(1)
    assert far.max() == 2


def test_rows_of_all_three_tests():
    field = ShapeField(regime("decoy", **SMALL), 0)
    rows = leak_rows(field, n=300, n_train=64, n_test=64, steps=2)
    assert {row["test"] for row in rows} == {"law", "classifier"} and len(rows) == 8 + 5 + 1
    assert WideNet(4)(torch.zeros(2, 3, 32, 32)).shape == (2, 4)


@pytest.mark.parametrize(("call", "message"), [
    (lambda f: classifier_row(f, n_train=0), "n_train must be at least 1, got 0"),
    (lambda f: classifier_row(f, steps=0), "steps must be at least 1, got 0"),
    (lambda f: classifier_row(f, false_alarm=0.5), "false_alarm must be in"),
    (lambda f: cut(f.draw("test", [0]), -1), "margin must not be negative, got -1"),
    (lambda f: law_rows({}, torch.zeros(3)), "at least two labels, got"),
])
def test_bad_calls(call, message):
    with pytest.raises(ValueError, match=message):
        call(ShapeField(regime("needed", **SMALL), 0))


def test_ignored_pixels_are_refused():
    masks = torch.zeros((1, 4, 4), dtype=torch.int8)
    samples = Samples(torch.zeros(1, 3, 4, 4), torch.zeros(1).long(), masks, masks)
    with pytest.raises(ValueError, match="without ignored pixels"):
        hole(samples)
