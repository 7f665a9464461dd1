"""Which test images a gallery shows, by rules: the first ones, a sequence of moved ones, extreme ones.

Section 6.5 reads the object's place off the predicted centre: the images with the least mu2 should
show the leftmost objects (axes are those of ``theory.rectangle``: mu1 downwards, mu2 to the right).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from training.analyses import SEQUENCE_IMAGES, SEQUENCE_STEPS
from training.attention import AttentionMap
from training.data import Prepared, joined
from training.equivariance import pixel_points, share_inside, warp
from training.pictures import picture, truth_picture
from training.samples import Samples
from training.sequences import PATHS, moved_truth

FIRST, FOLLOWED, EXTREME = 8, 2, 4
"""Pictures of "first", images of "sequence", pictures at each end of "extremes"."""
PATH = "composed"
TAIL = 0.05
"""The share of the test images at each end that the ranking is judged by."""
DIRECTIONS = {"mu1": (1.0, 0.0), "mu2": (0.0, 1.0), "mu1+mu2": (1.0, 1.0)}


@dataclass(frozen=True, eq=False)
class Sight:
    """A finished network and its data: ``look`` takes images to logits and map, ``images`` names the
    test images and ``run`` the network."""

    look: Callable[[Tensor], tuple[Tensor, AttentionMap]]
    data: Prepared
    images: str
    run: str

    def samples(self, indices: Tensor) -> Samples:
        """Test images as they come from the source (not the features of a frozen trunk)."""
        return self.data.test.drawn(indices)


@dataclass(frozen=True, eq=False)
class Scenes:
    """Pictures to show, their truths, and what is said of each.

    Args:
        key: of the row.
        rule: how they were chosen, in words.
        samples: as the network gets them.
        notes: one dict a picture, at least its ``index`` among the test images.
        facts: of all of them.
    """

    key: str
    rule: str
    samples: Samples
    notes: list[dict[str, Any]]
    facts: dict[str, Any] = field(default_factory=dict)

    def encoded(self) -> list[dict[str, Any]]:
        """One JSON object a picture."""
        s = self.samples
        return [{**note, "label": int(s.labels[i]), "picture": picture(s.images[i]),
                 "truth": truth_picture(s.image_masks[i]),
                 "rectangle": None if s.rectangle is None else
                 [round(float(v), 6) for v in s.rectangle.to_array()[i]]}
                for i, note in enumerate(self.notes)]


def first(sight: Sight) -> Scenes:
    """The first test images."""
    indices = torch.arange(min(FIRST, sight.data.test.n))
    return Scenes(f"scenes-first-{sight.images}", f"the first {len(indices)} test images",
                  sight.samples(indices), [{"index": int(i)} for i in indices])


def sequence(sight: Sight) -> Scenes:
    """Images moved step by step along the composed path of :mod:`training.sequences`."""
    data = sight.data
    seen = torch.arange(min(SEQUENCE_IMAGES, data.test.n))
    samples = sight.samples(seen)
    grid = tuple(samples.masks.shape[-2:])
    moves = [PATHS[PATH].at(k / SEQUENCE_STEPS) for k in range(SEQUENCE_STEPS + 1)]
    stay = torch.stack([share_inside(samples.image_masks, m, grid, data.stride) >= 1
                        for m in moves]).all(dim=0)
    chosen = torch.cat([seen[stay], seen[~stay]])[:FOLLOWED]
    parts = [_moved(samples[chosen], move, grid, data.stride) for move in moves]
    count, steps = len(chosen), len(moves)
    order = torch.arange(count * steps).reshape(steps, count).T.flatten()
    notes = [{"index": int(chosen[i % count]), "step": i // count} for i in order.tolist()]
    end = PATHS[PATH]
    facts = {"path": PATH, "steps": SEQUENCE_STEPS, "angle": end.angle, "scale": end.scale,
             "shift": list(end.shift)}
    key = f"scenes-sequence-{sight.images}-{grid[0]}x{grid[1]}"
    rule = sequence_rule(count, len(seen), int(stay.sum()))
    return Scenes(key, rule, joined(parts)[order], notes, facts)


def sequence_rule(count: int, seen: int, staying: int) -> str:
    """How ``count`` images of a sequence were chosen from ``seen``: first of the ``staying`` ones.

    >>> sequence_rule(2, 8, 0)
    'the first 2 of 8 test images, whose objects all leave the image in part along the path'
    """
    whole = "stay wholly in the image along the path"
    if staying >= count:
        return (f"the first {count} of the first {seen} test images whose objects {whole} ({staying} "
                "do)")
    if staying:
        return (f"of the first {seen} test images the {staying} whose objects {whole}, and the first "
                f"{count - staying} of the others")
    return (f"the first {count} of {seen} test images, whose objects all leave the image in part along "
            "the path")


def extremes(sight: Sight) -> Scenes:
    """The test images with the least and the largest predicted mu1, mu2 and mu1 + mu2.

    ``ends`` says of each end how many of the 5 % of the test images that the prediction puts there
    are among the 5 % that the truth puts there (None where no truth is known).
    """
    test = sight.data.test
    found, true = centres(sight)
    count, tail = min(EXTREME, test.n), max(1, round(TAIL * test.n))
    chosen, notes, ends = [], [], []
    for name, direction in DIRECTIONS.items():
        along, truly = (v @ torch.tensor(direction, dtype=v.dtype) for v in (found, true))
        for end in ("least", "largest"):
            order = ranked(along, end)
            known = bool(truly.isfinite().all())
            hits = len(set(order[:tail].tolist()) & set(ranked(truly, end)[:tail].tolist()))
            ends.append({"of": name, "end": end, "tail": tail, "hits": hits if known else None})
            for i in order[:count].tolist():
                chosen.append(i)
                notes.append({"index": i, "of": name, "end": end, "value": round(float(along[i]), 6),
                              "true": round(float(truly[i]), 6) if known else None})
    rule = (f"the {count} of all {test.n} test images with the least and the largest predicted "
            "mu1, mu2 and mu1 + mu2")
    return Scenes(f"scenes-extremes-{sight.run}", rule, sight.samples(torch.tensor(chosen)), notes,
                  {"network": sight.run, "ends": ends})


def ranked(values: Tensor, end: str) -> Tensor:
    """Indices in ascending order ("least") or descending ("largest"); of equals the first one first."""
    return torch.argsort(values if end == "least" else -values, stable=True)


def centres(sight: Sight) -> tuple[Tensor, Tensor]:
    """Predicted and true centres of all test images in grid coordinates, ``(n, 2)`` each.

    True is the centre of the true rectangle, or else of the true mask's pixels; NaN where nobody
    knows any.
    """
    found, true = [], []
    with torch.no_grad():
        for indices in torch.arange(sight.data.test.n).split(256):
            samples = sight.samples(indices)
            found.append(sight.look(samples.images)[1].rectangle.center.double().cpu())
            true.append(_true_centres(samples, sight.data.stride))
    return torch.cat(found), torch.cat(true)


def _true_centres(samples: Samples, stride: int) -> Tensor:
    if samples.rectangle is not None:
        return samples.rectangle.center.double().cpu()
    inside = (samples.image_masks == 1).double()
    points = pixel_points(tuple(inside.shape[-2:]), tuple(samples.masks.shape[-2:]), stride, inside)
    return torch.einsum("nhw,hwk->nk", inside, points) / inside.sum((-2, -1))[:, None]


def _moved(samples: Samples, move: Any, grid: tuple[int, int], stride: int) -> Samples:
    """Images and truths moved as :func:`training.sequences.follow` moves them."""
    masks = warp(samples.image_masks.float()[:, None], move, grid, stride, padding="zeros",
                 mode="nearest")[:, 0].round().to(torch.int8)
    return replace(samples, images=warp(samples.images, move, grid, stride), image_masks=masks,
                   masks=moved_truth(samples, move, stride),
                   rectangle=None if samples.rectangle is None else move.act(samples.rectangle))

