r"""What each image shows, before any pixel: objects, classes, labels, marks."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from theory.rectangle import Rectangle
from training.counter import uniforms
from training.shapes import TEXTURES, ShapesConfig
from training.shapes_geometry import (
    DRAWS,
    Objects,
    frame_point,
    half_pixels,
    inner_discs,
    objects,
    sides,
    to_pixels,
)

PER_OBJECT = 32  # draws reserved for each object, those of the image among the first one's
_CLASS, _PHASES, _OCCLUDER = 6, slice(16, 20), slice(24, 26)
_NEW_LABEL, _LABEL, _HONEST, _MARK = 20, 21, 22, 23


@dataclass(frozen=True, eq=False)
class Scene:
    r"""A batch of n images in numbers.

    Args:
        state: addresses of the random numbers, ``(n,)`` int64.
        things: the objects, ``(n, K)``: the one that is the truth first, then its distractors.
        classes: of all of them, ``(n, K)`` int64.
        labels: of the images, ``(n,)``: the first class, unless label noise drew another.
        phases: (cos, sin) of the gratings' phases, ``(n, 4, 2)`` float32.
        ring: centre and radius of the circle about the truth's frame, ``(n, 3)`` float32, pixels.
        glyphs: centre and radius of the disc for each object's glyph, ``(n, K, 3)``.
        occluder: sides of the covering rectangle as :attr:`Objects.sides`, ``(n, 2, 4)``.
        corner: whether the corner furthest from the truth is at the end of each axis, ``(n, 2)``.
        marks: the decoy's class, ``(n,)``.
    """

    state: Tensor
    things: Objects
    classes: Tensor
    labels: Tensor
    phases: Tensor
    ring: Tensor
    glyphs: Tensor
    occluder: Tensor
    corner: Tensor
    marks: Tensor

    def __len__(self) -> int:
        return len(self.state)

    def __getitem__(self, part: slice) -> Scene:
        """The images of a slice."""
        return Scene(*(getattr(self, f.name)[part] for f in fields(self)))


def scene(config: ShapesConfig, state: Tensor) -> Scene:
    """The scenes of the streams ``state``: each a function of its own state."""
    u = uniforms(state, 0, config.patches * PER_OBJECT).view(-1, config.patches, PER_OBJECT)
    things, first = objects(config, u[..., :DRAWS]), u[:, 0]
    classes = _class(u[..., _CLASS])
    if config.distractors == "balanced":
        others = torch.arange(TEXTURES, device=state.device)
        classes = (classes[:, :1] + others) % TEXTURES
    labels = torch.where(first[:, _NEW_LABEL] < config.label_noise, _class(first[:, _LABEL]),
                         classes[:, 0])
    phases = 2 * math.pi * first[:, _PHASES]
    centre = to_pixels(config, things.frame.center.double())
    half = half_pixels(config, things.frame)
    radius = half.square().sum(-1, keepdim=True).sqrt()
    middle = (torch.tensor(config.image, device=state.device) - 1) / 2
    return Scene(
        state, things, classes, labels,
        phases=torch.stack([phases.cos(), phases.sin()], dim=-1).to(torch.float32),
        ring=torch.cat([centre, radius], dim=-1)[:, 0].to(torch.float32),
        glyphs=inner_discs(config, things.frame, u),
        occluder=_occluder(config, things.frame, first[:, _OCCLUDER]),
        corner=centre[:, 0] < middle,
        marks=torch.where(first[:, _HONEST] < config.decoy, labels, _class(first[:, _MARK])),
    )


def _class(u: Tensor) -> Tensor:
    return (u * TEXTURES).long()


def _occluder(config: ShapesConfig, frames: Rectangle, u: Tensor) -> Tensor:
    """A smaller copy of the truth's frame, anywhere within it."""
    truth = Rectangle.unchecked(frames.center[:, 0], frames.half_widths[:, 0], frames.angle[:, 0])
    center = frame_point(truth, (2 * u - 1) * (1 - config.occlusion))
    half = truth.half_widths.double() * config.occlusion
    return sides(config, Rectangle.unchecked(center, half, truth.angle))
