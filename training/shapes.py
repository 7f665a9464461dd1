r"""Images of textured rectangles with known masks, drawn on the fly.

Every image is a mosaic of four textures and shows one object, some distractors and a cue.  The
label is the texture that prevails inside the object.  Distractors have prevailing textures too, so
the label is known only to who knows where the object is, which the cue tells.  The truth is
realisable: a rectangle in the coordinates of the ATTENTION grid (Eq. 5), rasterised there by
:func:`theory.rectangle.hard_mask`; the image is drawn from the same rectangle through
:func:`theory.rectangle.image_to_grid`.  Dials turn the regime (``binding``, ``distractors``,
``cue``); the default is the one in which attention is needed, and in which every part of the object
tells something of the label and every part outside is noise, so that the right extent pays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from theory.rectangle import Rectangle, grid, hard_mask, hard_rectangle, image_to_grid
from training.counter import streams, uniforms

SPLITS = {"train": 0, "test": 1, "pilot": 2}
TEXTURES = 4  # gratings at 0, 45, 90 and 135 degrees
CUE_COLOUR = (0.9, 0.1, 0.1)
_PER_PATCH = 16  # draws reserved for each patch
_BACKGROUND, _NOISE, _MOSAIC = 1 << 16, 1 << 24, 1 << 32  # counters of the first draws


@dataclass(frozen=True)
class ShapesConfig:
    r"""The dials of the distribution.

    Args:
        image: (height, width) in pixels, multiples of ``stride``.
        stride: pixels per cell of the attention grid.
        half_widths: least and largest half-width in grid coordinates (where the grid is 1 wide):
            one is drawn from the upper half of this interval, the other from the lower half.
        axis_aligned: angle 0 (or a quarter turn) only; otherwise uniform.
        cue: "outline" is a frame parallel to the object, "ring" a circle about it (which says
            nothing of extent and angle), "none" leaves nothing to tell object from distractor.
        binding: "far" puts the cue ``gap`` pixels away from the object, beyond the receptive field
            of a trunk that sees patches; "local" puts it next to the object.
        distractors: "independent" textures, "balanced" (the three other textures, once each, so
            that their complement is the label) or "none".
        n_distractors: how many, for "independent".
        background: "textured" (random tiles) or "plain" (gray).
        purity: probability of a tile of a patch to show the patch's own texture, else any of four.
        tile: side of the tiles, pixels.
        contrast: amplitude of the textures.
        noise: standard deviation of the (uniform) pixel noise.
        period: of the gratings, pixels.
        gap, line: distance of a far cue from the object and thickness of the cue, pixels.
    """

    image: tuple[int, int] = (64, 64)
    stride: int = 4
    half_widths: tuple[float, float] = (0.09, 0.17)
    axis_aligned: bool = False
    cue: str = "outline"
    binding: str = "far"
    distractors: str = "independent"
    n_distractors: int = 2
    background: str = "textured"
    purity: float = 0.6
    tile: int = 4
    contrast: float = 0.3
    noise: float = 0.1
    period: float = 4.0
    gap: float = 5.0
    line: float = 2.0

    def __post_init__(self) -> None:
        choices = {"cue": ("outline", "ring", "none"), "binding": ("far", "local"),
                   "distractors": ("independent", "balanced", "none"),
                   "background": ("textured", "plain")}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, got {getattr(self, name)!r}")
        if self.stride < 1 or any(n % self.stride or n < 2 * self.stride for n in self.image):
            raise ValueError(
                f"image sides must be multiples of the stride and at least two cells, got "
                f"{self.image} and stride {self.stride}"
            )
        low, high = self.half_widths
        least = 2**-0.5 / (min(self.grid) - 1)
        if not least <= low <= high <= 0.5:
            raise ValueError(
                f"half_widths must satisfy {least:.3g} <= low <= high <= 0.5 (the least keeps the "
                f"truth from being empty), got {self.half_widths}"
            )
        for name in ("n_distractors", "contrast", "noise", "gap"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if not 0 <= self.purity <= 1:
            raise ValueError(f"purity must be in [0, 1], got {self.purity}")
        if self.binding == "far" and not self.gap > self.reach:
            raise ValueError(
                f"a far cue must be more than {self.reach:.3g} pixels away, the diagonal of a patch "
                f"of {self.stride} pixels, got gap {self.gap}"
            )
        for name in ("period", "line", "tile"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")

    @property
    def grid(self) -> tuple[int, int]:
        """Sides of the attention grid."""
        return self.image[0] // self.stride, self.image[1] // self.stride

    @property
    def reach(self) -> float:
        """The largest distance of two pixels of one patch of ``stride`` x ``stride``."""
        return 2**0.5 * (self.stride - 1)


@dataclass(frozen=True, eq=False)
class Samples:
    """A batch: ``images (n, 3, H, W)`` float32 in [0, 1] about 0.5 (noise may leave the interval),
    ``labels (n,)``, the truth ``masks (n, h, w)`` (int8, -1 and +1) and its ``rectangle``."""

    images: np.ndarray
    labels: np.ndarray
    masks: np.ndarray
    rectangle: Rectangle


def draw(config: ShapesConfig, seed: int, split: str, indices: np.ndarray | range) -> Samples:
    """Samples ``indices`` of the stream (seed, split): the same in any batch and any order.

    Raises:
        ValueError: an unknown split, a negative index.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {sorted(SPLITS)}, got {split!r}")
    state = streams(seed, SPLITS[split], np.asarray(indices, dtype=np.int64))
    u = uniforms(state, 0, _PER_PATCH)
    truth, labels = _rectangle(config, u), _texture(u[:, 6])
    points = pixel_points(config)
    background = _tiles(config, state, _BACKGROUND)
    if config.background == "plain":
        background[:] = -1
    shown = background.copy()  # the texture of every pixel, -1 for none
    for k, texture in enumerate(_distractor_textures(config, labels), start=1):
        v = uniforms(state, k * _PER_PATCH, _PER_PATCH)
        inside = hard_rectangle(_rectangle(config, v), points) == 1
        texture = _texture(v[:, 6]) if texture is None else texture
        _cover(shown, inside, _mosaic(config, state, k, texture))
    within, cue = _cue(config, truth, points)
    _cover(shown, within, background)
    _cover(shown, hard_rectangle(truth, points) == 1, _mosaic(config, state, 0, labels))
    gray = _gratings(config, shown, u[:, 8 : 8 + TEXTURES])
    if config.noise:
        noise = (uniforms(state, _NOISE, gray[0].size) - 0.5) * (config.noise * 12**0.5)
        gray += noise.reshape(gray.shape).astype(np.float32)
    images = np.repeat(gray[:, None], 3, axis=1)
    for channel, value in enumerate(CUE_COLOUR):
        images[:, channel][cue] = value
    return Samples(images, labels.astype(np.int64), hard_mask(truth, *config.grid), truth)


def pixel_points(config: ShapesConfig) -> np.ndarray:
    """Positions of the image's pixels in the coordinates of the attention grid, float32."""
    points = grid(*config.image)
    axes = [
        image_to_grid(points[..., k], config.image[k], config.grid[k], config.stride)
        for k in range(2)
    ]
    return np.stack(axes, axis=-1).astype(np.float32)


def _rectangle(config: ShapesConfig, u: np.ndarray) -> Rectangle:
    """The rectangle of draws 0-5: long and short side in either order, wholly inside the grid."""
    low, high = config.half_widths
    middle = (low + high) / 2
    long, short = middle + u[:, 0] * (high - middle), low + u[:, 1] * (middle - low)
    turned = u[:, 2] < 0.5
    first, second = np.where(turned, long, short), np.where(turned, short, long)
    angle = np.zeros(len(u)) if config.axis_aligned else (u[:, 3] - 0.5) * (np.pi / 2)
    cos, sin = np.abs(np.cos(angle)), np.abs(np.sin(angle))
    reach = np.stack([cos * first + sin * second, sin * first + cos * second], axis=-1)
    reach = np.minimum(reach, 0.5)
    center = reach + u[:, 4:6] * (1 - 2 * reach)
    return Rectangle(*(x.astype(np.float32) for x in
                       (center, np.stack([first, second], axis=-1), angle)))


def _texture(u: np.ndarray) -> np.ndarray:
    return (u * TEXTURES).astype(np.int8)


def _distractor_textures(config: ShapesConfig, labels: np.ndarray) -> list[np.ndarray | None]:
    """The prevailing textures of the distractors; None where the patch's own draw decides."""
    if config.distractors == "none":
        return []
    if config.distractors == "independent":
        return [None] * config.n_distractors
    return [((labels + k) % TEXTURES).astype(np.int8) for k in range(1, TEXTURES)]


def _tiles(config: ShapesConfig, state: np.ndarray, first: int) -> np.ndarray:
    """A random texture for every tile, by pixels ``(n, H, W)``."""
    high, wide = (-(-n // config.tile) for n in config.image)
    tiles = _texture(uniforms(state, first, high * wide)).reshape(-1, high, wide)
    pixels = tiles.repeat(config.tile, axis=1).repeat(config.tile, axis=2)
    return pixels[:, : config.image[0], : config.image[1]]


def _mosaic(config: ShapesConfig, state: np.ndarray, patch: int, texture: np.ndarray) -> np.ndarray:
    """The textures inside a patch: ``texture`` with probability ``purity``, else any, by tiles."""
    prevailing = np.broadcast_to(texture[:, None, None], (texture.size, *config.image))
    if config.purity == 1:
        return prevailing
    high, wide = (-(-n // config.tile) for n in config.image)
    first = _MOSAIC + 2 * patch * high * wide
    pure = uniforms(state, first, high * wide).reshape(-1, high, wide) < config.purity
    pure = pure.repeat(config.tile, axis=1).repeat(config.tile, axis=2)
    pure = pure[:, : config.image[0], : config.image[1]]
    return np.where(pure, prevailing, _tiles(config, state, first + high * wide))


def _cover(shown: np.ndarray, inside: np.ndarray, textures: np.ndarray) -> None:
    shown[inside] = textures[inside]


def _gratings(config: ShapesConfig, shown: np.ndarray, phases: np.ndarray) -> np.ndarray:
    """The gray image of the textures ``shown``: 1/2 plus a wave, one phase per texture."""
    turns = np.arange(TEXTURES) * (np.pi / TEXTURES)
    wave = 2 * np.pi / config.period
    down, right = (np.float32(wave * f(turns)) for f in (np.cos, np.sin))
    i, j = np.indices(config.image, dtype=np.float32)
    gray = np.full(shown.shape, 0.5, dtype=np.float32)
    for k in range(TEXTURES):
        turn = down[k] * i + right[k] * j
        shift = (2 * np.pi * phases[:, k, None, None]).astype(np.float32)
        gray += np.where(shown == k, config.contrast * np.sin(turn + shift), np.float32(0))
    return gray


def _cue(
    config: ShapesConfig, truth: Rectangle, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The region inside the cue, which is cleared of distractors, and the cue, as booleans."""
    cells = np.array([n - 1 for n in config.grid], dtype=np.float32)
    gap = (config.gap if config.binding == "far" else 0.0) / (config.stride * cells)
    line = config.line / (config.stride * cells)
    if config.cue == "ring":
        reach = np.linalg.norm(truth.half_widths * cells, axis=-1)[:, None] / cells
        d = points[None] - truth.center[:, None, None]
        inner = (((d / (reach + gap)[:, None, None]) ** 2).sum(-1)) <= 1
        outer = (((d / (reach + gap + line)[:, None, None]) ** 2).sum(-1)) <= 1
    else:
        inner, outer = (
            hard_rectangle(Rectangle(truth.center, truth.half_widths + grow, truth.angle),
                           points) == 1
            for grow in (gap, gap + line)
        )
    if config.cue == "none":
        return inner, np.zeros_like(inner)
    return inner, outer & ~inner
