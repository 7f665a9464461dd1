r"""ShapeField: unlimited labelled images of known masks, on any device.

Sample i of a split is a function of (configuration, seed, split, i): the same in any batch, order,
number of processes and on any device, with no files and without the global random state.  Labels,
classes and all random words are equal bit for bit.  On one machine the images are too; between
CPU and GPU what the pixels are computed from may differ in the last place of float32 (with
probability about 2^-29 a number, where float64 cosines round apart), so an image may differ by
1e-4 in a value, and at a pixel whose centre is that near to a contour in what it shows.  A device
needs float64 for the numbers of a sample (the CPU and CUDA have it).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from training.counter import states
from training.samples import Samples
from training.shapes import REALISABLE, SPLITS, TEXTURES, ShapesConfig
from training.shapes_geometry import grid_masks
from training.shapes_render import Canvas, canvas, paint
from training.shapes_scene import Scene, scene

CACHED = 16  # images of a chunk for each thread of a CPU: their planes stay in the second cache
ABREAST = 2048  # images of a chunk on other devices
PIXELS = 64 * 64  # of the image that these chunks are meant for


class ShapeField:
    """Images of the distribution ``config``, a :class:`training.samples.Source`.

    Args:
        config: the dials.
        seed: of the stream; other seeds give independent samples.

    Raises:
        ValueError: a seed that is negative or has more than 64 bits.

    >>> field = ShapeField(ShapesConfig(), seed=0)
    >>> batch = field.draw("train", range(4))
    >>> batch.images.shape, batch.masks.shape, batch.image_masks.shape
    (torch.Size([4, 3, 64, 64]), torch.Size([4, 16, 16]), torch.Size([4, 64, 64]))
    >>> bool((batch.images[2] == field.draw("train", [2]).images[0]).all())
    True
    """

    classes = TEXTURES

    def __init__(self, config: ShapesConfig, seed: int) -> None:
        states(seed, 0, torch.zeros(1, dtype=torch.int64))
        self.config, self.seed = config, seed
        self.image, self.grid = config.image, config.grid
        self._canvases: dict[torch.device, Canvas] = {}

    def size(self, split: str) -> None:
        """None: there is no end.

        Raises:
            ValueError: an unknown split.
        """
        _split(split)

    def scene(self, split: str, indices: Sequence[int] | range | np.ndarray | Tensor,
              device: torch.device | str = "cpu") -> Scene:
        """What samples show, in numbers: frames, the classes inside, labels (see :class:`Scene`).

        Raises:
            TypeError: indices that are no integers.
            ValueError: an unknown split, a negative index, indices that are no list.
        """
        state = states(self.seed, _split(split), _as_tensor(indices).to(device))
        return scene(self.config, state)

    @torch.no_grad()
    def draw(self, split: str, indices: Sequence[int] | range | np.ndarray | Tensor,
             device: torch.device | str = "cpu") -> Samples:
        """Samples ``indices`` of a split, made on ``device``.

        ``rectangle`` holds the truth's frame where the truth is a rectangle; the frames of other
        truths are in :meth:`scene`.  Errors as there.
        """
        shown = self.scene(split, indices, device)
        n, device = len(shown), shown.state.device
        if device not in self._canvases:
            self._canvases[device] = canvas(self.config, device)
        on = self._canvases[device]
        images = torch.empty((n, 3, *self.image), device=device)
        image_masks = torch.empty((n, *self.image), dtype=torch.int8, device=device)
        step = chunk(self.config, device)
        for start in range(0, n, step):
            part = slice(start, start + step)
            paint(self.config, on, shown[part], images[part], image_masks[part])
        truths = shown.things[:, 0]
        frame = truths.frame if self.config.truth in REALISABLE else None
        return Samples(images, shown.labels, grid_masks(self.config, truths), image_masks, frame)


def chunk(config: ShapesConfig, device: torch.device) -> int:
    """How many images are painted together; says nothing about the result."""
    number = CACHED * torch.get_num_threads() if device.type == "cpu" else ABREAST
    return max(1, number * PIXELS // (config.image[0] * config.image[1]))


def throughput(config: ShapesConfig, n: int = 512, device: torch.device | str = "cpu",
               repeats: int = 20) -> dict[str, Any]:
    """Finished images a second: the best of ``repeats`` draws of ``n`` images, after one to warm up.

    Uses torch's threads as they are set (``threads`` in the row).

    Raises:
        ValueError: n or repeats below 1.
    """
    for name, value in (("n", n), ("repeats", repeats)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    field, seconds = ShapeField(config, 0), []
    for turn in range(repeats + 1):
        start = time.perf_counter()
        batch = field.draw("pilot", range(turn * n, (turn + 1) * n), device)
        batch.labels.sum().item()  # waits for the device
        seconds.append(time.perf_counter() - start)
    return {
        "what": "ShapeField",
        "image": list(config.image),
        "n": n,
        "device": str(device),
        "threads": torch.get_num_threads(),
        "repeats": repeats,
        "images_per_second": round(n / min(seconds[1:]), 1),
        "images_per_second_median": round(n / float(np.median(seconds[1:])), 1),
    }


def _split(name: str) -> int:
    if name not in SPLITS:
        raise ValueError(f"split must be one of {sorted(SPLITS)}, got {name!r}")
    return SPLITS[name]


def _as_tensor(indices: Sequence[int] | range | np.ndarray | Tensor) -> Tensor:
    if isinstance(indices, range):
        return torch.arange(indices.start, indices.stop, indices.step)
    given = indices if isinstance(indices, Tensor) else torch.as_tensor(np.asarray(indices))
    if given.ndim != 1:
        raise ValueError(f"indices must be a list, got shape {tuple(given.shape)}")
    return given if given.numel() else given.to(torch.int64)
