"""What a run holds: independent draws, the split of a pool, drawing on demand, frozen trunks."""

import dataclasses

import numpy as np
import pytest
import torch

from tests.training.tiny import SHAPES, TINY, variant
from training import data
from training.data import data_of, pool_split, prepare
from training.shapes_field import ShapeField


def test_parts_are_the_first_samples_of_their_splits():
    held = prepare(TINY)
    field = ShapeField(SHAPES, 0)
    for part, split, n in ((held.train, "train", 20), (held.validation, "validation", 16),
                           (held.test, "test", 16)):
        assert part.n == n
        assert torch.equal(part.take(torch.tensor([3, 1])).images, field.draw(split, [3, 1]).images)
    assert not torch.equal(held.train.head(4).images, held.test.head(4).images)


def test_drawn_on_demand_is_the_same_as_held(monkeypatch):
    held = prepare(TINY)
    monkeypatch.setattr(data, "HELD_BYTES", 1000)
    data._kept.cache_clear()
    drawn = prepare(TINY)
    data._kept.cache_clear()
    assert drawn.train.held is None and held.train.held is not None
    which = torch.tensor([5, 0, 19])
    for name in ("images", "labels", "masks", "image_masks"):
        assert torch.equal(getattr(drawn.train.take(which), name), getattr(held.train.take(which), name))
    assert torch.equal(drawn.test.all_masks(), held.test.all_masks())


def test_runs_on_the_same_images_share_them():
    assert prepare(TINY) is prepare(variant(method="none", lr=0.5, steps=3, eqvc="none"))
    assert data_of(TINY) != data_of(variant(n=21))


@pytest.mark.parametrize("ratio", [60, 70, 80])
def test_a_pool_is_split_by_class(ratio):
    config = variant(pool=203, ratio=ratio, split=2)
    source = ShapeField(SHAPES, 0)
    train, test = pool_split(source, config)
    assert sorted([*train, *test]) == list(range(203))
    labels = source.draw("train", range(203)).labels.numpy()
    for label in range(4):
        members = labels == label
        assert (labels[train] == label).sum() == round(members.sum() * ratio / 100)
    again, _ = pool_split(source, config)
    other, _ = pool_split(source, dataclasses.replace(config, split=3))
    assert np.array_equal(train, again) and not np.array_equal(train, other)


def test_splits_share_one_pool():
    def images(split):
        held = prepare(variant(pool=40, ratio=60, split=split, seed=split))
        return {tuple(part.masks[k].flatten().tolist()) + (float(part.images[k].sum()),)
                for part in (held.train.head(99), held.test.head(99)) for k in range(len(part))}

    assert images(0) == images(1) and len(images(0)) == 40


def test_a_larger_ratio_only_adds_images():
    source = ShapeField(SHAPES, 0)
    small, large = (set(pool_split(source, variant(pool=100, ratio=r))[0]) for r in (60, 80))
    assert small < large


def test_a_pool_gives_a_row():
    from training.run import run_cell

    row = run_cell(variant(pool=60, ratio=60, split=1, steps=2, starts=1))
    assert row["n"] + row["n_test"] == 60 and row["test"]["iou_chosen"] is None


def test_more_than_there_is():
    class Few:
        classes, image, grid = 2, (8, 8), (2, 2)

        def size(self, split):
            return 5

    assert data._at_most(Few(), "test", 9) == 5
    with pytest.raises(ValueError, match="n must be at most 5"):
        data._at_most(Few(), "train", 9)
    with pytest.raises(ValueError, match="pool must be at most 5, the training images of data=shapes, got 9"):
        pool_split(Few(), variant(pool=9))
