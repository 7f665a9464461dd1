"""From a configuration to images: the source, what is held in memory, and the split of a pool."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from theory.equivariance import Similarity
from theory.rectangle import Rectangle
from training.config import RunConfig
from training.counter import streams, uniforms
from training.equivariance import similarity_of_uniforms, warp
from training.samples import Samples, Source

HELD_BYTES = 2**30  # training images above this are drawn when they are needed
CHUNK = 256
VIEWS = 4  # of each image, for the equivariance loss behind a frozen trunk


class Part:
    """The images of one split of a run: held on the device, or drawn when they are needed.

    Args:
        source, split, indices: which samples of which source.
        device: where they are wanted.
    """

    def __init__(self, source: Source, split: str, indices: np.ndarray, device: str) -> None:
        self.source, self.split, self.indices, self.device = source, split, indices, device
        size = 4 * 3 * source.image[0] * source.image[1] * len(indices)
        self.held: Samples | None = None
        if size <= HELD_BYTES:
            self.held = self._draw(np.arange(len(indices)))

    @property
    def n(self) -> int:
        """Number of images."""
        return len(self.indices)

    def take(self, which: Tensor) -> Samples:
        """Samples number ``which`` of this part."""
        if self.held is not None:
            return self.held[which.to(self.held.labels.device)]
        return self._draw(which.cpu().numpy())

    def head(self, count: int) -> Samples:
        """The first ``count``, or all if there are fewer."""
        return self.take(torch.arange(min(count, self.n)))

    def chunks(self) -> Iterator[Samples]:
        """All samples, in order, in parts that fit, one at a time (photographs are large)."""
        return (self.take(part) for part in torch.arange(self.n).split(CHUNK))

    def all_masks(self) -> Tensor:
        """The true masks on the attention grid of all samples, in order, on the CPU."""
        return torch.cat([part.masks.cpu() for part in self.chunks()])

    def hold(self, samples: Samples | None) -> None:
        """Keep these in place of the drawn ones (features of a frozen trunk)."""
        self.held = samples

    def drawn(self, which: Tensor) -> Samples:
        """Samples number ``which`` as they come from the source, whatever is held."""
        return self._draw(which.cpu().numpy())

    def _draw(self, which: np.ndarray) -> Samples:
        return self.source.draw(self.split, self.indices[which], device=self.device)


@dataclass(frozen=True, eq=False)
class Prepared:
    """Training, validation and test images of a run.

    ``trunk`` is the frozen trunk that has run already on all of them, if there is one; then
    ``channels`` are those of its features.
    """

    source: Source
    train: Part
    validation: Part
    test: Part
    stride: int = 1
    seed: int = 0
    trunk: FrozenTrunk | None = None
    channels: int | None = None
    views: dict[int, tuple[Tensor, ...]] = field(default_factory=dict)

    @property
    def classes(self) -> int:
        """Number of labels."""
        return self.source.classes

    def second_views(
        self, indices: Tensor, moves: Similarity, step: int
    ) -> tuple[Tensor, ...]:
        """Moved views of training images and how they were moved: views, then angle, scale, shift
        and centre.

        Behind a frozen trunk every image has four moved views, whose features are computed once,
        and ``step`` says which of them are taken.
        """
        if self.trunk is None:
            samples = self.train.take(indices)
            second = _moved(samples, moves, self.stride)
            return second, moves.angle, moves.scale, moves.shift, moves.center
        view = step % VIEWS
        if view not in self.views:
            u = uniforms(streams(self.seed, 3 + view, np.arange(self.train.n)), 0, 4)
            fixed = similarity_of_uniforms(torch.from_numpy(u).float())
            features = [
                self.trunk.features(_moved(self.train.drawn(part), fixed_part(fixed, part),
                                           self.stride))
                for part in torch.arange(self.train.n).split(CHUNK)]
            self.views[view] = (torch.cat(features), fixed.angle, fixed.scale, fixed.shift,
                                fixed.center)
        *views, center = self.views[view]
        return (*(v[indices.to(v.device)] for v in views), center)


@lru_cache(maxsize=2)
def _kept(config: RunConfig) -> Prepared:
    source = make_source(config)
    if config.data == "pets":  # the source has the paper's split: no test images beside
        parts = [("train", np.arange(source.size("train"))), ("train", np.arange(0)),
                 ("validation", np.arange(source.size("validation")))]
    elif config.pool:
        train, test = pool_split(source, config)
        parts = [("train", train), ("train", train[:0]), ("train", test)]
    else:
        parts = [("train", np.arange(_at_most(source, "train", config.n))),
                 ("validation", np.arange(_at_most(source, "validation", config.n_test))),
                 ("test", np.arange(_at_most(source, "test", config.n_test)))]
    for what, (_, chosen) in (("training", parts[0]), ("test", parts[2])):
        if not len(chosen):
            asked = f"pool {config.pool}, ratio {config.ratio}, n {config.n}, n_test {config.n_test}"
            if config.data == "pets":
                total = sum(len(indices) for _, indices in parts)
                asked = f"ratio {config.ratio} of {total} images, class by class"
            raise ValueError(f"no {what} images are left ({asked})")
    made = [Part(source, name, chosen, config.device) for name, chosen in parts]
    stride = stride_of(config, source.image, source.grid)
    if not config.freeze:
        return Prepared(source, *made, stride, config.seed)
    trunk = frozen_trunk(config)
    for part in made:
        part.hold(trunk(part.chunks()))
    return Prepared(source, *made, stride, config.seed, trunk, made[0].held.images.shape[1])


class FrozenTrunk:
    """Features of a pretrained trunk that is not trained, in place of images."""

    def __init__(self, made: Any, at: str, device: str) -> None:
        self.made, self.at = made.to(device).eval(), at or made.at

    def __call__(self, chunks: Iterable[Samples]) -> Samples | None:
        """One batch of features and truths; None of none."""
        out = [replace(part, images=self.features(part.images)) for part in chunks]
        return joined(out) if out else None

    def features(self, images: Tensor) -> Tensor:
        """``(n, C, h, w)`` of ``(n, 3, H, W)``."""
        from training.attach import find_layer, run_until

        model = self.made.model
        with torch.no_grad():
            return torch.cat([
                run_until(model, find_layer(model, self.at), self.made.normalise(part))
                for part in images.split(32)])


def frozen_trunk(config: RunConfig) -> FrozenTrunk:
    """The pretrained trunk of a configuration."""
    from training.networks import make_backbone

    return FrozenTrunk(make_backbone(config, None), config.at, config.device)


def joined(parts: list[Samples]) -> Samples:
    """Several batches as one, in their order."""
    tensors = (torch.cat([getattr(p, name) for p in parts])
               for name in ("images", "labels", "masks", "image_masks"))
    rectangles = [p.rectangle for p in parts]
    rectangle = None
    if rectangles[0] is not None:
        rectangle = Rectangle(*(torch.cat([getattr(r, name) for r in rectangles])
                                for name in ("center", "half_widths", "angle")))
    return Samples(*tensors, rectangle, tuple(n for p in parts for n in p.names))


def prepare(config: RunConfig) -> Prepared:
    """The images of a configuration; the last ones are kept for the next cell on the same data.

    Raises:
        ValueError: a folder without images, or fewer than asked for.
    """
    return _kept(data_of(config))


def data_of(config: RunConfig) -> RunConfig:
    """The configuration with all but the data's settings at their defaults."""
    keep = {name: getattr(config, name) for name in
            ("n", "seed", "n_test", "data", "root", "skip_bad", "pool", "ratio", "split", "device",
             "shapes")}
    if config.backbone != "small":
        keep |= {name: getattr(config, name) for name in ("backbone", "side", "freeze", "at")}
        if config.freeze:
            keep["pretrained"] = config.pretrained
    return RunConfig(method="none", **keep)


def fixed_part(moves: Similarity, part: Tensor) -> Similarity:
    """The similarities number ``part``."""
    return Similarity(moves.angle[part], moves.scale[part], moves.shift[part], moves.center)


def _moved(samples: Samples, moves: Similarity, stride: int) -> Tensor:
    return warp(samples.images, moves, tuple(samples.masks.shape[-2:]), stride)


def make_source(config: RunConfig) -> Source:
    """The source of images a configuration names."""
    if config.data == "shapes":
        from training.shapes_field import ShapeField

        return ShapeField(config.shapes, 0 if config.pool else config.seed)
    image, grid = sizes(config)
    if config.data == "digits":
        from training.digits import Digits

        return Digits(config.seed, image=image, grid=grid)
    if config.data == "pets":
        from training.pets import OxfordPets

        return OxfordPets(config.root, image=image, grid=grid, ratio=config.ratio,
                          split=config.split)
    from training.folder import ImageFolder

    return ImageFolder(config.root, image=image, grid=grid, seed=config.seed, skip_bad=config.skip_bad)


def sizes(config: RunConfig) -> tuple[tuple[int, int], tuple[int, int]]:
    """(height, width) of images and of the attention grid for the backbone."""
    if config.backbone == "small":
        return config.shapes.image, config.shapes.grid
    from training.backbones import DESIGNS

    design = DESIGNS[config.backbone]
    side = config.side or design.image
    if config.at:
        trunk = frozen_trunk(config)
        cells = trunk.features(torch.zeros(1, 3, side, side, device=config.device)).shape[-1]
    else:
        cells = -(-side // design.stride)
    return (side, side), (cells, cells)


def stride_of(config: RunConfig, image: tuple[int, int], grid: tuple[int, int]) -> int:
    """Pixels from cell to cell of the attention grid (of 300 pixels and 10 cells: 32, not 30)."""
    if config.backbone == "small":
        return config.shapes.stride
    return 2 ** round(np.log2(image[0] / grid[0]))


def pool_split(source: Source, config: RunConfig) -> tuple[np.ndarray, np.ndarray]:
    """Indices for training and for the test: ``ratio`` percent of each class, at random.

    The random order is that of (split, class), the same for every ratio.
    """
    total, size = config.pool, source.size("train")
    if size is not None and total > size:
        raise ValueError(f"pool must be at most {size}, the training images of data={config.data}, got "
                         f"{total}")
    labels = np.concatenate([source.draw("train", part).labels.numpy()
                             for part in np.array_split(np.arange(total), -(-total // CHUNK))])
    train, test = [], []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        order = np.argsort(streams(config.split, 1000 + int(label), members), kind="stable")
        cut = round(len(members) * config.ratio / 100)
        train.append(members[order[:cut]])
        test.append(members[order[cut:]])
    return np.sort(np.concatenate(train)), np.sort(np.concatenate(test))


def _at_most(source: Source, split: str, wanted: int) -> int:
    """``wanted`` of a split; all of it for "validation" and "test" where it has fewer."""
    size = source.size(split)
    if size is None or size >= wanted:
        return wanted
    if split == "train":
        raise ValueError(f"n must be at most {size}, the images of split {split!r}, got {wanted}")
    return size
