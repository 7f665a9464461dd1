"""What is measured on a trained network beside its rates: sequences, injectivity, Grad-CAM."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from training import sequences
from training.attention import AttentionMap
from training.certificate import certificate
from training.counter import streams
from training.data import Prepared
from training.evaluate import evaluate
from training.fit import Training
from training.gradcam import grad_cam, to_unit
from training.injective import study
from training.model import MeanPool
from training.samples import Samples

SEQUENCE_IMAGES, SEQUENCE_STEPS, POINTS = 128, 8, 4
LEAST = 1e-30


def analyse(run: Training, data: Prepared) -> dict[str, Any]:
    """The analyses that the configuration names, each under its name."""
    return {name: ANALYSES[name](run, data) for name in run.config.analyses}


def follow_sequences(run: Training, data: Prepared) -> dict[str, Any]:
    """Experiment (e), Fig. 8: rows by path and step, and their means by path."""
    net, trunk = run.net, data.trunk

    def look(images: Tensor) -> AttentionMap:
        return net.look(net.features(images if trunk is None else trunk.features(images)))

    images = data.test.drawn(torch.arange(min(SEQUENCE_IMAGES, data.test.n)))
    with torch.no_grad():
        rows = sequences.follow(look, images, SEQUENCE_STEPS, stride=data.stride)
    return {"steps": rows, "summary": sequences.summary(rows)}


def injectivity(run: Training, data: Prepared) -> dict[str, Any]:
    """Experiment (h), App. F, of the attention module at features of test images."""
    with torch.no_grad():
        x = run.net.features(data.test.head(32).images)
    return study(run.net.attention, x, _generator(run.config.seed),
                 rescaled=run.config.rescale, points=POINTS, steps=run.config.search_steps)


def gradcam(run: Training, data: Prepared) -> dict[str, Any]:
    """Grad-CAM of the plain network for the class it predicts, at the trunk and at the last
    convolution: as :func:`evaluate`; the better one (by its best threshold on the test images: a
    generous choice) stands first, all under ``at``.

    The scale of the maps and the threshold are chosen on validation images (on training images
    where there are none).
    """
    places = {"trunk": "trunk", "tail": f"tail.{_last_relu(run.net.tail)}"}
    found = {name: _gradcam_at(run, data, layer) for name, layer in places.items()}
    best = max(found, key=lambda name: found[name]["iou_best"])
    return {**found[best], "best_at": best, "at": found}


def _last_relu(tail: torch.nn.Module) -> int:
    """The number of the tail's last activation that still has positions."""
    kinds = [type(layer) for layer in tail]
    return max(k for k in range(kinds.index(MeanPool)) if kinds[k] is torch.nn.ReLU)


def _gradcam_at(run: Training, data: Prepared, layer: str) -> dict[str, Any]:
    source = data.validation if data.validation.n else data.train
    largest = max(float(_raw(run, part, layer).amax()) for part in source.chunks())
    scale = torch.tensor(largest)

    def call(samples: Samples) -> tuple[Tensor, AttentionMap]:
        with torch.no_grad():
            logits, _ = run.net(samples.images, samples.masks)
        f = to_unit(_raw(run, samples, layer), scale)
        log_f = torch.log(f.clamp_min(LEAST))  # a map of zeros has a centre too: the middle
        return logits, AttentionMap(log_f, None, lambda: torch.logit(f))

    _, counts = evaluate(call, source, boxes=False)
    test, _ = evaluate(call, data.test, threshold=counts.choose_threshold())
    return {**test, "scale": largest}


def _raw(run: Training, samples: Samples, layer: str) -> Tensor:
    """Maps on the attention grid, bilinear where the layer's grid is coarser."""
    with torch.no_grad():
        classes = run.net(samples.images, samples.masks)[0].argmax(1)
    raw = grad_cam(run.net, samples.images, classes, at=layer, logits=lambda out: out[0])
    if raw.shape[1:] == samples.masks.shape[1:]:
        return raw
    return torch.nn.functional.interpolate(raw[:, None], samples.masks.shape[1:], mode="bilinear",
                                           align_corners=False)[:, 0]


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(int(streams(seed, 2, np.array([0]))[0] >> np.uint64(1)))


ANALYSES = {"sequences": follow_sequences, "injectivity": injectivity, "gradcam": gradcam,
            "certificate": certificate}
