r"""From scenes to pixels: mosaics, gratings, glyphs, cue, noise, blur.

Pixel work is products, sums, comparisons and square roots in float32, one after the other: each is
rounded alike on every device and in every batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from training.counter import halves
from training.shapes import CUE_COLOUR, DECOY_COLOURS, TEXTURES, ShapesConfig
from training.shapes_geometry import covered, distance, frame_distance
from training.shapes_scene import Scene

PLAIN, INK = TEXTURES, TEXTURES + 1  # what a pixel shows beside the four gratings
MARK, MARGIN = 6, 2  # side of the decoy and its distance from the corner, pixels
_TILES, _NOISE = 1 << 32, 1 << 48  # counters of the first draws


@dataclass(frozen=True, eq=False)
class Canvas:
    """What all images share: positions of rows and columns, their tiles, sine and cosine of each
    texture's grating without phase, ``(4, H * W)``, and the colours of the cue and of the decoys."""

    rows: Tensor
    columns: Tensor
    tile_rows: Tensor
    tile_columns: Tensor
    sine: Tensor
    cosine: Tensor
    cue: Tensor
    decoys: Tensor


def canvas(config: ShapesConfig, device: torch.device | str) -> Canvas:
    """The canvas, computed in float64 on the CPU: the same on every device."""
    i, j = (torch.arange(n, dtype=torch.float64) for n in config.image)
    turns = torch.arange(TEXTURES, dtype=torch.float64)[:, None, None] * (math.pi / TEXTURES)
    turn = (turns.cos() * i[:, None] + turns.sin() * j) * (2 * math.pi / config.period)
    tiles = (v // config.tile for v in (i, j))
    waves = (v.flatten(1).to(torch.float32) for v in (turn.sin(), turn.cos()))
    colours = (torch.tensor(v) for v in ((CUE_COLOUR,), DECOY_COLOURS))
    axes = (v.to(torch.float32) for v in (i, j))
    parts = (*axes, *(v.long() for v in tiles), *waves, *colours)
    return Canvas(*(v.to(device) for v in parts))


def paint(config: ShapesConfig, on: Canvas, scene: Scene, images: Tensor, masks: Tensor) -> None:
    """Write images ``(n, 3, H, W)`` float32 and their truth ``(n, H, W)`` int8 of a scene.

    Later things cover earlier ones: background, distractors, a clearing of background up to the
    cue, the truth, its occluder; then noise, the decoy and the cue, which keep their colours.
    """
    background, *mosaics = _mosaics(config, on, scene)
    shown = background
    for k in range(1, config.patches):
        inside = covered(scene.things[:, k], on.rows, on.columns)
        shown = _over(shown, _content(config, on, scene, k, mosaics[k]), inside)
    far = distance(scene.things[:, 0], on.rows, on.columns)
    truth = far <= 0
    near, cue = _cue(config, on, scene, far)
    shown = _over(shown, background, near)
    shown = _over(shown, _content(config, on, scene, 0, mosaics[0]), truth)
    if config.occlusion:
        shown = _over(shown, background, frame_distance(scene.occluder, on.rows, on.columns) <= 0)
    gray = _gray(config, on, scene, shown.reshape(masks.shape))
    if config.noise:
        gray += _noise(config, scene)
    images.copy_(gray[:, None])
    if config.decoy:
        mark = _decoy(config, on, scene).logical_and_(~truth)
        _colour(images, mark, on.decoys[scene.marks])
    if config.cue != "none":
        _colour(images, cue, on.cue)
    if config.blur:
        images.copy_(_blurred(config, images))
    torch.add(truth.view(torch.int8), truth.view(torch.int8), out=masks).sub_(1)


def _over(under: Tensor, over: Tensor, inside: Tensor) -> Tensor:
    """``over`` where ``inside``, else ``under``: uint8, of shapes that broadcast.

    By bits, which takes a quarter of the time of ``torch.where``.
    """
    bits = inside.view(torch.uint8).neg().view(over.shape)
    return bits.bitwise_and_(under ^ over).bitwise_xor_(under)


def _colour(images: Tensor, where: Tensor, colours: Tensor) -> None:
    """Paint a region ``(n, H, W)`` in the images' colours ``(n, 3)`` or ``(1, 3)``.

    By products with 0 and 1, exact, which takes a quarter of the time of ``masked_fill_``.
    """
    paint = where.to(images.dtype)[:, None]
    images *= 1 - paint
    for channel in range(3):
        images[:, channel] += paint[:, 0] * colours[:, channel, None, None]


def _mosaics(config: ShapesConfig, on: Canvas, scene: Scene) -> tuple[Tensor, ...]:
    """The classes by pixels: of the background, then inside each object.

    Each tile draws once, u in [0, 1): below the purity it shows the object's class, else class
    ``floor(4 (u - purity) / (1 - purity))``, which is any of the four.

    Returns:
        uint8 ``(n, A, B, W)`` where A * B is the height and rows b of one a are the same.
    """
    high, wide = (-(-n // config.tile) for n in config.image)
    draws = halves(scene.state, _TILES, (1 + config.patches) * high * wide)
    u = (draws >> 8).to(torch.float32).mul_(2.0**-24).add_(0.5)
    u = u.view(-1, 1 + config.patches, high, wide)
    plain = config.background == "plain"
    tiles = [torch.full_like(u[:, 0], PLAIN) if plain else u[:, 0] * TEXTURES]
    scale = TEXTURES / (1 - config.purity) if config.purity < 1 else 0.0
    for k in range(config.patches):
        v = u[:, 1 + k]
        other = ((v - config.purity) * scale).clamp_(max=TEXTURES - 0.5)
        tiles.append(torch.where(v < config.purity, scene.classes[:, k, None, None], other))
    codes = torch.stack(tiles, dim=1).to(torch.uint8).index_select(-1, on.tile_columns)
    if config.image[0] % config.tile:
        return codes.index_select(-2, on.tile_rows)[:, :, :, None].unbind(1)
    return codes[:, :, :, None].expand(-1, -1, -1, config.tile, -1).unbind(1)


def _content(config: ShapesConfig, on: Canvas, scene: Scene, k: int, mosaic: Tensor) -> Tensor:
    """What object k shows at each pixel: a grating, or the glyph of the pixel's class."""
    if config.content == "texture":
        return mosaic
    shape, mosaic = mosaic.shape, mosaic.reshape(len(scene), *config.image)
    first, second, radius = (v[:, None] for v in scene.glyphs[:, k].unbind(-1))
    y = ((on.rows - first) / radius)[:, :, None]
    x = ((on.columns - second) / radius)[:, None, :]
    ink = torch.zeros_like(mosaic, dtype=torch.bool)
    for turn in range(TEXTURES):
        ink |= (mosaic == turn) & _letter(y, x)
        y, x = x, -y
    return torch.where(ink, INK, PLAIN).to(torch.uint8).view(shape)


def _letter(y: Tensor, x: Tensor) -> Tensor:
    """A T inside the unit disc, its bar upwards."""
    bar = (y >= -0.75) & (y <= -0.25) & (x.abs() <= 0.65)
    stem = (y >= -0.25) & (y <= 0.85) & (x.abs() <= 0.25)
    return bar | stem


def _gray(config: ShapesConfig, on: Canvas, scene: Scene, shown: Tensor) -> Tensor:
    """The gray image of what is shown: 1/2 plus a wave, one phase a texture and image."""
    n, (height, width) = len(scene), config.image
    waves = torch.empty((n, TEXTURES + 2, height * width), device=shown.device)
    waves[:, PLAIN], waves[:, INK] = 0.0, config.contrast
    cos, sin = (scene.phases * config.contrast).unbind(-1)
    part = waves[:, :TEXTURES]
    torch.mul(on.sine, cos[:, :, None], out=part)
    part += on.cosine * sin[:, :, None]
    return waves.gather(1, shown.view(n, 1, -1).long()).view(n, height, width).add_(0.5)


def _cue(config: ShapesConfig, on: Canvas, scene: Scene, far: Tensor) -> tuple[Tensor, Tensor]:
    """The region inside the cue, which is cleared of distractors, and the cue, as booleans.

    ``far`` is the distance to the truth's contour; a ring takes that to the circle about its frame.
    """
    gap = config.gap if config.binding == "far" else 0.0
    if config.cue == "ring":
        first, second, radius = (v[:, None] for v in scene.ring.unbind(-1))
        square = (on.rows - first).square()[:, :, None] + (on.columns - second).square()[:, None]
        far = square.sqrt_().sub_(radius[:, :, None])
    near = far <= gap
    return near, (far <= gap + config.line).logical_xor_(near)


def _decoy(config: ShapesConfig, on: Canvas, scene: Scene) -> Tensor:
    """A square near the corner furthest from the truth, as booleans."""
    sides = []
    for k, points in enumerate((on.rows, on.columns)):
        end = scene.corner[:, k, None]
        off = torch.where(end, config.image[k] - 1 - points, points)
        sides.append((off >= MARGIN) & (off < MARGIN + MARK))
    return sides[0][:, :, None] & sides[1][:, None, :]


def _noise(config: ShapesConfig, scene: Scene) -> Tensor:
    """Uniform noise, white or smoothed by a window, of the same standard deviation."""
    weights = _window(config.noise_correlation)
    height, width = (n + len(weights) - 1 for n in config.image)
    draws = halves(scene.state, _NOISE, height * width).to(torch.float32)
    norm = math.sqrt(sum(w**2 for w in weights))
    noise = _smooth(draws.view(-1, height, width), [w / norm for w in weights])
    return noise.mul_(config.noise * math.sqrt(12) * 2.0**-32)


def _blurred(config: ShapesConfig, images: Tensor) -> Tensor:
    """Gaussian blur; beyond the border the border's pixels go on."""
    weights = _window(config.blur)
    padded = torch.nn.functional.pad(images, [len(weights) // 2] * 4, mode="replicate")
    return _smooth(padded, weights)


def _window(deviation: float) -> list[float]:
    """Gaussian weights up to three standard deviations, of sum 1; one weight for deviation 0."""
    if deviation == 0:
        return [1.0]
    radius = math.ceil(3 * deviation)
    weights = [math.exp(-((k / deviation) ** 2) / 2) for k in range(-radius, radius + 1)]
    return [w / sum(weights) for w in weights]


def _smooth(values: Tensor, weights: list[float]) -> Tensor:
    """Weighted sums along rows and columns, in a fixed order; shorter by ``len(weights) - 1``."""
    if len(weights) == 1:
        return values
    for axis in (-1, -2):
        length = values.shape[axis] - len(weights) + 1
        values = sum(values.narrow(axis, k, length) * w for k, w in enumerate(weights))
    return values
