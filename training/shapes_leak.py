r"""Leak tests: can the label be read where the theory says it cannot?

In Eq. 18 the background is common to all classes.  Three tests hold a source of images to it: a
classifier that is shown each image without its object must stay at chance; statistics of what lies
outside the object must have one law for all classes; and so must the cue.  Each gives rows with a
stated false-alarm rate; all need images whose truth has no ignored pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from training.samples import Samples, Source

GRAY = 0.5  # what fills the hole: its shape is that of the truth, which is independent of the class
RED = 0.4  # a pixel of the cue has so much more red than green


def cut(samples: Samples, margin: int = 0) -> Tensor:
    """The images ``(n, 3, H, W)`` with the truth, grown by ``margin`` pixels, painted gray.

    Raises:
        ValueError: a negative margin, ignored pixels in a mask.
    """
    return torch.where(hole(samples, margin)[:, None], GRAY, samples.images)


def hole(samples: Samples, margin: int = 0) -> Tensor:
    """The pixels of the truth grown by ``margin`` (a square window), ``(n, H, W)`` booleans."""
    if margin < 0:
        raise ValueError(f"margin must not be negative, got {margin}")
    if (samples.image_masks == 0).any():
        raise ValueError("a leak test needs masks without ignored pixels, got some")
    inside = (samples.image_masks == 1).float()[:, None]
    return nn.functional.max_pool2d(inside, 2 * margin + 1, stride=1, padding=margin)[:, 0] > 0


class WideNet(nn.Module):
    """A small CNN that sees the whole image: means and maxima over all positions.

    Args:
        classes: number of labels.
        width: channels of the first layer.
    """

    def __init__(self, classes: int, width: int = 24) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(3, width, 5, stride=2, padding=2), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.BatchNorm2d(2 * width), nn.ReLU(),
        )
        self.tail = nn.Sequential(nn.Linear(4 * width, 2 * width), nn.ReLU(),
                                  nn.Linear(2 * width, classes))

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``(n, classes)`` of images ``(n, 3, H, W)``."""
        z = self.trunk(x)
        return self.tail(torch.cat([z.mean((2, 3)), z.amax((2, 3))], dim=1))


def classifier_row(source: Source, *, n_train: int = 4096, n_test: int = 2048, steps: int = 1500,
                   batch: int = 64, seed: int = 0, margin: int = 0, false_alarm: float = 1e-3,
                   device: torch.device | str = "cpu") -> dict[str, Any]:
    r"""Train :class:`WideNet` on images without their object and test it on others.

    If the label is independent of what is left and each class has probability ``1 / classes``, the
    number of right answers is binomial, whatever was learnt: ``leak`` (the exact interval of the
    accuracy lies above chance) is true with probability at most ``false_alarm``.  No leak found is
    no proof of none: a better classifier may find it.

    Args:
        margin: pixels cut beyond the truth (the reach of a blur).
        false_alarm: the interval has confidence ``1 - 2 false_alarm``.

    Raises:
        ValueError: counts below 1, a false-alarm rate outside (0, 1/2).
    """
    from scipy.stats import binomtest

    for name, value in (("n_train", n_train), ("n_test", n_test), ("steps", steps), ("batch", batch)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if not 0 < false_alarm < 0.5:
        raise ValueError(f"false_alarm must be in (0, 1/2), got {false_alarm}")
    net = _fit(source, n_train, steps, batch, seed, margin, device).eval()
    right = 0
    with torch.no_grad():
        for first in range(0, n_test, 256):
            part = source.draw("test", range(first, min(first + 256, n_test))).to(device)
            right += int((net(cut(part, margin)).argmax(1) == part.labels).sum())
    found = binomtest(right, n_test, 1 / source.classes)
    low, high = found.proportion_ci(1 - 2 * false_alarm, method="exact")
    return {"test": "classifier", "accuracy": right / n_test, "low": float(low), "high": float(high),
            "chance": 1 / source.classes, "n_train": n_train, "n_test": n_test, "steps": steps,
            "seed": seed, "margin": margin, "false_alarm": false_alarm,
            "leak": bool(low > 1 / source.classes)}


def _fit(source: Source, n: int, steps: int, batch: int, seed: int, margin: int,
         device: torch.device | str) -> WideNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = WideNet(source.classes).to(device)
    samples = source.draw("train", range(n)).to(device)
    images, generator = cut(samples, margin), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 3e-3 * (1 - step / steps)
        chosen = torch.randint(n, (batch,), generator=generator).to(device)
        loss = nn.functional.cross_entropy(net(images[chosen]), samples.labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net


def outside_statistics(samples: Samples, period: float = 4.0, margin: int = 0) -> dict[str, np.ndarray]:
    """Numbers of what lies outside the truth, ``(n,)`` each: level, spread, colours, textures.

    ``texture k`` is the energy of the grating at k * 45 degrees and of this period in windows of
    8 x 8 pixels.
    """
    outside = (~hole(samples, margin)).float()[:, None]
    x = (samples.images - GRAY) * outside
    count = outside.sum((1, 2, 3))
    red, green, blue = x.unbind(1)
    gray = x.mean(1)
    out = {"level": gray.sum((1, 2)) / count, "spread": gray.square().sum((1, 2)) / count,
           "red": (red - green).sum((1, 2)) / count, "blue": (blue - green).sum((1, 2)) / count}
    rows, columns = (torch.arange(n, device=x.device) * (2 * np.pi / period) for n in gray.shape[1:])
    for k in range(4):
        turn = rows[:, None] * np.cos(k * np.pi / 4) + columns * np.sin(k * np.pi / 4)
        parts = torch.stack([gray * turn.cos(), gray * turn.sin()], dim=1)
        windows = nn.functional.avg_pool2d(parts, 8, stride=4)
        out[f"texture {k}"] = windows.square().sum((1, 2, 3)) / count
    return {name: value.double().cpu().numpy() for name, value in out.items()}


def cue_statistics(samples: Samples) -> dict[str, np.ndarray]:
    """Size, place and spread of the cue's pixels (red), ``(n,)`` each; zero where there are none."""
    shown = (samples.images[:, 0] - samples.images[:, 1] > RED).double()
    size = shown.sum((1, 2))
    out, many = {"cue size": size}, size.clamp(min=1)
    for axis, name in ((1, "row"), (2, "column")):
        line = shown.sum(3 - axis)
        at = torch.arange(line.shape[1], dtype=torch.float64, device=line.device)
        mean = (line * at).sum(1) / many
        out[f"cue {name}"] = mean
        out[f"cue {name} spread"] = (line * (at - mean[:, None]) ** 2).sum(1) / many
    return {name: value.cpu().numpy() for name, value in out.items()}


def law_rows(statistics: dict[str, np.ndarray], labels: Tensor,
             false_alarm: float = 1e-3) -> list[dict[str, Any]]:
    """Kruskal-Wallis over the labels for each statistic: one row each.

    If no statistic depends on the label, some row has ``leak`` true with probability at most about
    ``false_alarm`` (Bonferroni over the rows; the test's p-value is its chi-square limit).

    Raises:
        ValueError: fewer than two labels among the samples.
    """
    from scipy.stats import kruskal

    kinds = np.unique(labels.cpu().numpy())
    if len(kinds) < 2:
        raise ValueError(f"a comparison needs at least two labels, got {kinds.tolist()}")
    at = [labels.cpu().numpy() == k for k in kinds]
    rows = []
    for name, values in statistics.items():
        p = 1.0 if np.ptp(values) == 0 else float(kruskal(*(values[here] for here in at)).pvalue)
        rows.append({"test": "law", "statistic": name, "n": len(values), "p": p,
                     "false_alarm": false_alarm, "leak": p < false_alarm / len(statistics)})
    return rows


def leak_rows(source: Source, *, n: int = 4096, margin: int = 0, false_alarm: float = 1e-3,
              **classifier: Any) -> list[dict[str, Any]]:
    """All three tests of a source: laws of outside and cue on n pilot samples, and the classifier.

    ``classifier`` goes to :func:`classifier_row`.
    """
    samples = source.draw("pilot", range(n))
    found = outside_statistics(samples, margin=margin) | cue_statistics(samples)
    return [*law_rows(found, samples.labels, false_alarm),
            classifier_row(source, margin=margin, false_alarm=false_alarm, **classifier)]
