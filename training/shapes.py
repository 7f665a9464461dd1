r"""The dials of ShapeField: what is drawn, where the label is, and what tells where to look.

Configuration only (no torch): the images are drawn by :class:`training.shapes_field.ShapeField`.

Every image is a mosaic of four textures and shows one object, some distractors and a cue.  The
class is what prevails inside the object.  Distractors show classes too, so the label is known only
to who knows where the object is, which the cue tells.  The default is the regime in which attention
is needed: the cue is further from the object than one cell of the attention grid reaches, the
distractors say nothing of the label, and every part of the object tells a little of it and every
part outside is noise, so that the right extent pays (the background of Eq. 18, common to all
classes).  :data:`REGIMES` names the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

SPLITS = {"train": 0, "test": 1, "pilot": 2, "validation": 3}
TEXTURES = 4  # classes: gratings (or glyphs) at 0, 45, 90 and 135 (0, 90, 180 and 270) degrees
CUE_COLOUR = (0.9, 0.1, 0.1)
DECOY_COLOURS = ((0.1, 0.9, 0.1), (0.1, 0.1, 0.9), (0.9, 0.9, 0.1), (0.1, 0.9, 0.9))
STAR_INNER = 0.5  # inner over outer radius of the star's ten corners
BLOB_WAVES = (2, 3, 5)  # harmonics of the blob's contour
BLOB_SWING = 0.15  # largest amplitude of each
CORNERS = 40  # of the polygon that an ellipse or a blob is drawn as

TRUTHS = ("axis-aligned", "rotated", "ellipse", "star", "l", "blob")
REALISABLE = ("axis-aligned", "rotated")


def inscribed(truth: str) -> tuple[float, float]:
    """A disc inside the contour, where the object's frame is the square [-1, 1]^2.

    Returns:
        its centre's coordinate (the same on both axes) and its radius.
    """
    chord = math.cos(math.pi / CORNERS)
    tenth = math.pi / 5
    swing = len(BLOB_WAVES) * BLOB_SWING
    radii = {
        "ellipse": chord,
        "star": STAR_INNER * math.sin(tenth)
        / math.sqrt(1 + STAR_INNER**2 - 2 * STAR_INNER * math.cos(tenth)),
        "l": 2 - math.sqrt(2),
        "blob": chord * (1 - swing) / (1 + swing),
    }
    radius = radii.get(truth, 1.0)
    return (radius - 1 if truth == "l" else 0.0), radius


@dataclass(frozen=True)
class ShapesConfig:
    r"""The dials of the distribution.

    Args:
        image: (height, width) in pixels, multiples of ``stride``.
        stride: pixels per cell of the attention grid.
        truth: "axis-aligned" or "rotated" rectangles (realisable), or a misspecified contour in
            such a rotated frame: "ellipse", "star" (five points), "l" (the frame less one
            quadrant), "blob" (a smooth random radial contour).
        half_widths: least and largest half-width of the object's frame in grid coordinates (where
            the grid is 1 wide): one is drawn from the upper half of this interval, the other from
            the lower half.
        aspect: 0, or the ratio of the long side to the short one, which then is not drawn.
        max_angle: the frame's angle is uniform within this many radians of 0, either side first
            (pi/4: every orientation); of no effect on "axis-aligned".
        pull: 0: the object lies anywhere where it fits, uniformly; 1: always at the centre; its
            offset from the centre is multiplied by ``1 - pull``.
        content: "texture": class k is a grating at k * 45 degrees; "glyph": a T turned
            anticlockwise by k * 90 degrees, which has the same ink for every class.
        cue: "outline" follows the contour of the truth, "ring" is a circle about its frame (which
            says nothing of extent and angle), "none" leaves nothing to tell object from distractor.
        binding: "far" puts the cue ``gap`` pixels away from the object, beyond the receptive field
            of a trunk that sees patches; "local" puts it next to the object.
        distractors: of the object's law with "independent" classes, "balanced" (the three other
            classes, once each, so that their complement is the label) or "none".
        n_distractors: how many, for "independent".
        background: "textured" (random tiles) or "plain" (gray).
        purity: probability of a tile of a patch to show the patch's own class, else any of four.
        tile: side of the tiles, pixels.
        contrast: amplitude of the textures.
        noise: standard deviation of the pixel noise (uniform where it is white).
        noise_correlation: 0 for white noise, else the standard deviation in pixels of the Gaussian
            window that smooths it (the level stays).
        blur: standard deviation in pixels of a Gaussian blur of the finished image.  It carries
            the object's texture ``blur_radius`` pixels over its border.
        occlusion: 0, or the sides of a rectangle of background that covers a part of the object's
            frame, as a fraction of the frame's; the truth's mask is the same.
        label_noise: probability of a label to be drawn anew, whatever the image shows (1: random
            labels).
        decoy: 0, or how strongly a coloured mark in the corner furthest from the object follows
            the label: of the label's colour with this probability, else of any class's.  It
            breaks the premise that the background is common to all classes.
        period: of the gratings, pixels.
        gap, line: distance of a far cue from the object and thickness of the cue, pixels.

    Raises:
        TypeError: an integer dial that is none.
        ValueError: a dial outside its range; the message says the rule and the value.
    """

    image: tuple[int, int] = (64, 64)
    stride: int = 4
    truth: str = "rotated"
    half_widths: tuple[float, float] = (0.09, 0.17)
    aspect: float = 0.0
    max_angle: float = math.pi / 4
    pull: float = 0.0
    content: str = "texture"
    cue: str = "outline"
    binding: str = "far"
    distractors: str = "independent"
    n_distractors: int = 2
    background: str = "textured"
    purity: float = 0.6
    tile: int = 4
    contrast: float = 0.3
    noise: float = 0.1
    noise_correlation: float = 0.0
    blur: float = 0.0
    occlusion: float = 0.0
    label_noise: float = 0.0
    decoy: float = 0.0
    period: float = 4.0
    gap: float = 5.0
    line: float = 2.0

    def __post_init__(self) -> None:
        self._check_values()
        self._check_sizes()
        if self.binding == "far" and not self.gap > self.reach + 2 * self.blur_radius:
            raise ValueError(
                f"a far cue must be more than {self.reach + 2 * self.blur_radius:.3g} pixels away, "
                f"the diagonal of a patch of {self.stride} pixels and twice the reach of the blur, "
                f"got gap {self.gap}")

    def _check_values(self) -> None:
        choices = {"truth": TRUTHS, "content": ("texture", "glyph"),
                   "cue": ("outline", "ring", "none"), "binding": ("far", "local"),
                   "distractors": ("independent", "balanced", "none"),
                   "background": ("textured", "plain")}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, got {getattr(self, name)!r}")
        integers = {"image": self.image, "stride": (self.stride,), "tile": (self.tile,),
                    "n_distractors": (self.n_distractors,)}
        for name, values in integers.items():
            if not all(isinstance(v, int) and not isinstance(v, bool) for v in values):
                raise TypeError(f"{name} must be of integers, got {getattr(self, name)!r}")
        for name in ("n_distractors", "contrast", "noise", "noise_correlation", "blur", "gap"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("purity", "pull", "label_noise", "decoy"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        if not 0 <= self.occlusion < 1:
            raise ValueError(f"occlusion must be in [0, 1), got {self.occlusion}")
        if not 0 <= self.max_angle <= math.pi / 4:
            raise ValueError(f"max_angle must be in [0, pi/4], got {self.max_angle}")
        for name in ("period", "line", "tile"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")

    def _check_sizes(self) -> None:
        if (len(self.image) != 2 or self.stride < 1
                or any(n % self.stride or n < 2 * self.stride for n in self.image)):
            raise ValueError(
                f"image sides must be multiples of the stride and at least two cells, got "
                f"{self.image} and stride {self.stride}")
        low, high = self.half_widths
        least = 2**-0.5 / (min(self.grid) - 1) / inscribed(self.truth)[1]
        if not least <= low <= high <= 0.5:
            raise ValueError(
                f"half_widths must satisfy {least:.3g} <= low <= high <= 0.5 for truth "
                f"{self.truth!r} (the least keeps the truth from being empty), got "
                f"{self.half_widths}")
        if self.aspect and not 1 <= self.aspect <= (low + high) / 2 / least:
            raise ValueError(
                f"aspect must be 0 or in [1, {(low + high) / 2 / least:.3g}] (the most keeps the "
                f"truth from being empty), got {self.aspect}")

    @property
    def grid(self) -> tuple[int, int]:
        """Sides of the attention grid."""
        return self.image[0] // self.stride, self.image[1] // self.stride

    @property
    def reach(self) -> float:
        """The largest distance of two pixels of one patch of ``stride`` x ``stride``."""
        return 2**0.5 * (self.stride - 1)

    @property
    def blur_radius(self) -> int:
        """How many pixels the blur reaches: three standard deviations."""
        return math.ceil(3 * self.blur)

    @property
    def patches(self) -> int:
        """The object and its distractors."""
        return 1 + {"independent": self.n_distractors, "balanced": TEXTURES - 1,
                    "none": 0}[self.distractors]


_PURE = {"purity": 1.0}
_WIDE = {"half_widths": (0.13, 0.24)}  # room for contours that fill a part of their frame
REGIMES: dict[str, dict[str, Any]] = {
    # attention is needed, and the right extent pays
    "needed": {},
    "axis-aligned": {"truth": "axis-aligned"},
    "small": {"image": (96, 96), "half_widths": (0.05, 0.1)},
    "large": {"half_widths": (0.15, 0.25)},
    "central": {"pull": 0.7},
    "elongated": {"half_widths": (0.05, 0.3), "aspect": 3.0},
    "many": {"n_distractors": 5},
    # one tile of the object tells the class: any part of it will do
    "pure": dict(_PURE),
    "glyph": {**_PURE, "content": "glyph"},
    # the cue says where, not how large; or says nothing
    "ring": {**_PURE, "cue": "ring", "n_distractors": 3},
    "uncued": {"cue": "none"},
    # the trunk binds cue and class by itself, or need not choose
    "local": {**_PURE, "binding": "local"},
    "local-large": {**_PURE, "binding": "local", "half_widths": (0.2, 0.3)},
    "alone": {**_PURE, "distractors": "none", "background": "plain"},
    # the label can be read outside the object
    "balanced": {**_PURE, "cue": "ring", "distractors": "balanced"},
    "decoy": {"decoy": 0.9},
    # the same dials, one at a time, where one tile does not tell the class
    "ring-mixed": {"cue": "ring"},
    "local-mixed": {"binding": "local"},
    "alone-mixed": {"distractors": "none", "background": "plain"},
    "balanced-mixed": {"distractors": "balanced"},
    # harder images
    "noisy": {"noise": 0.2},
    "correlated-noise": {"noise_correlation": 1.5},
    "blurred": {"blur": 0.5, "gap": 9.0},
    "occluded": {"occlusion": 0.6},
    # labels that are not what the image shows
    "label-noise": {"label_noise": 0.2},
    "random-labels": {"label_noise": 1.0},
    # truths that no rectangle is
    "ellipse": {**_WIDE, "truth": "ellipse"},
    "star": {**_WIDE, "truth": "star"},
    "l": {**_WIDE, "truth": "l"},
    "blob": {**_WIDE, "truth": "blob"},
}
"""Changes to the default for each named regime.  Of the trials that shaped the default, "local" is
a frame next to the object, "balanced" a ring and a bag of classes whose complement is the label,
"ring" the same with independent distractors, "pure" an outline with pure patches."""


def regime(name: str, **changes: Any) -> ShapesConfig:
    """The configuration of a named regime, with further changes.

    >>> regime("ring", noise=0.2).cue
    'ring'

    Raises:
        ValueError: an unknown name, or a bad dial.
    """
    if name not in REGIMES:
        raise ValueError(f"regime must be one of {tuple(REGIMES)}, got {name!r}")
    return ShapesConfig(**{**REGIMES[name], **changes})
