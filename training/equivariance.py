r"""Equivariance of the attention under rotation, scaling and translation  [section 4.4].

The image is moved by :func:`warp`, the parameters by :meth:`theory.equivariance.Similarity.act`, and
:func:`equivariance_loss` compares what the network finds in the moved image with what it found in the
first.  Both moves are the SAME map of the plane, in the coordinates of the attention grid (Eq. 5);
pixels are converted by :func:`theory.rectangle.image_to_grid`, which puts the centres of image and
grid on one point.  Where grid or image are not square the map is a similarity in those coordinates,
not in pixels: the five parameters know no other.

The second view needs the trunk and the head of the attention only: see :func:`equivariance_loss` for
networks in parts, :func:`look_only` for any other model.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from theory.equivariance import Similarity, paper_loss, quotient_loss
from theory.rectangle import Rectangle, grid_to_image, image_to_grid
from theory.rectangle import grid as grid_points
from training.attention import AttentionMap

LOSSES = {"paper": paper_loss, "quotient": quotient_loss}
KINDS = (*LOSSES, "map")
PADDINGS = ("reflection", "border", "zeros")
MIDDLE = 0.5  # of the image and of the grid, on both axes
EDGE = 1e-5  # rounding of points on the boundary of the image, float32


@dataclass(frozen=True)
class Ranges:
    r"""The law of :func:`random_similarity`; lengths in grid coordinates (where the grid is 1 wide).

    Args:
        angle: :math:`\delta\alpha` is uniform on [-angle, angle], radians, at most pi.
        scale: :math:`\delta_s` is log-uniform between these two.
        shift: both components of the translation are uniform on [-shift, shift].
        about: what scaling keeps in place: "center" (of the image) or "origin" (of the coordinates
            of Eq. 5: its first corner), where the paper's formula has it.  "center" is the same
            family of maps with another shift.

    Raises:
        ValueError: an angle outside [0, pi], scales that are not 0 < least <= largest, a negative
            shift, an unknown ``about``.
    """

    angle: float = math.pi / 4
    scale: tuple[float, float] = (0.8, 1.25)
    shift: float = 0.1
    about: str = "center"

    def __post_init__(self) -> None:
        if not 0 <= self.angle <= math.pi:
            raise ValueError(f"angle must be in [0, pi], got {self.angle}")
        if len(self.scale) != 2 or not 0 < self.scale[0] <= self.scale[1] < math.inf:
            raise ValueError(f"scale must be 0 < least <= largest, got {self.scale}")
        if not 0 <= self.shift < math.inf:
            raise ValueError(f"shift must not be negative, got {self.shift}")
        if self.about not in ("center", "origin"):
            raise ValueError(f"about must be 'center' or 'origin', got {self.about!r}")

    @property
    def safe_radius(self) -> float:
        """What lies within this distance of the image's centre stays in the grid under every draw.

        0 where nothing does.  What lies further out may leave: :func:`share_inside` says how much.
        """
        drift = 0.0 if self.about == "center" else MIDDLE * max(abs(v - 1) for v in self.scale)
        return max(0.0, (MIDDLE - self.shift - drift) / self.scale[1])


DEFAULT_RANGES = Ranges()


def about_center(angle: Tensor, scale: Tensor, shift: Tensor) -> Similarity:
    r""":math:`t\mapsto\delta_s R_{\delta\alpha}(t-c)+c+v`: the scaling, too, is about the centre.

    As a :class:`Similarity`, whose scaling is about the origin, with :math:`\delta\mu = v +
    (1-\delta_s)c`.  ``angle (...)``, ``scale (...)``, ``shift (..., 2)`` (v above).
    """
    return Similarity(angle, scale, shift + (1 - scale[..., None]) * MIDDLE)


def similarity_of_uniforms(u: Tensor, ranges: Ranges = DEFAULT_RANGES) -> Similarity:
    """The similarities of numbers ``u (n, 4)`` in [0, 1): angle, scale and the two shifts.

    For draws that come from an address (:mod:`training.counter`) and so do not depend on how many
    processes share a batch; :func:`random_similarity` takes them from a generator.

    Raises:
        ValueError: another shape.
    """
    if u.ndim != 2 or u.shape[1] != 4:
        raise ValueError(f"u must have shape (n, 4), got {tuple(u.shape)}")
    low, high = (math.log(v) for v in ranges.scale)
    angle = (2 * u[:, 0] - 1) * ranges.angle
    scale = torch.exp(low + (high - low) * u[:, 1])
    shift = (2 * u[:, 2:4] - 1) * ranges.shift
    if ranges.about == "center":
        return about_center(angle, scale, shift)
    return Similarity(angle, scale, shift)


def random_similarity(
    n: int,
    generator: torch.Generator,
    ranges: Ranges = DEFAULT_RANGES,
    device: torch.device | str | None = None,
) -> Similarity:
    """n independent similarities by the law ``ranges``: rotation about the centre, then scaling,
    then translation.

    The numbers are drawn where the generator lives and taken to ``device`` (default: left there).
    """
    u = torch.rand(n, 4, generator=generator, device=generator.device)
    return similarity_of_uniforms(u if device is None else u.to(device), ranges)


def inverse(similarity: Similarity) -> Similarity:
    r""":math:`T^{-1}`, a similarity with the same centre."""
    turn, scale, center = -similarity.angle, 1 / similarity.scale, similarity.center
    back = Similarity(turn, scale, 0 * similarity.shift, center)
    middle = similarity.apply(center)
    return Similarity(turn, scale, center - back.apply(middle), center)


def warp(
    images: Tensor,
    similarity: Similarity,
    grid: tuple[int, int],
    stride: int | None = None,
    *,
    padding: str = "border",
    mode: str = "bilinear",
) -> Tensor:
    r"""The images moved by T: the new image at T(t) is the old one at t.

    An attention map that follows moves its parameters by ``similarity.act``.  Runs without a
    gradient: none is needed for a view, and that of ``grid_sample`` is not deterministic on CUDA.
    Shrinking does not filter: detail finer than ``1 / scale`` pixels aliases.

    Args:
        images: ``(n, C, H, W)``, floating.
        similarity: one for all, or n of them, in the coordinates of the attention grid.
        grid: (height, width) of the attention grid.
        stride: pixels a cell; None where the grid divides the image.
        padding: what comes in from outside: "border" (the nearest pixel of the edge), "reflection"
            (about the edge's pixels; an object near the edge may come in twice) or "zeros".
        mode: "bilinear" or "nearest".

    Raises:
        TypeError: images that are not floating.
        ValueError: another shape, an unknown padding, no stride that fits, grids of one cell.
    """
    if images.ndim != 4:
        raise ValueError(f"images must have shape (n, C, H, W), got {tuple(images.shape)}")
    if not images.is_floating_point():
        raise TypeError(f"images must be floating, got {images.dtype}")
    if padding not in PADDINGS:
        raise ValueError(f"padding must be one of {PADDINGS}, got {padding!r}")
    sides = tuple(images.shape[-2:])
    stride = _stride(sides, grid, stride)
    with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
        wide = images if images.dtype == torch.float64 else images.float()
        points = pixel_points(sides, grid, stride, wide)
        source = _apply(inverse(similarity), points)
        u = [grid_to_image(source[..., k], sides[k], grid[k], stride) for k in (0, 1)]
        where = 2 * torch.stack([u[1], u[0]], dim=-1) - 1  # grid_sample: columns first, [-1, 1]
        where = where.expand(len(images), *where.shape[-3:])
        out = nn.functional.grid_sample(wide, where, mode, padding, align_corners=True)
    return out.to(images.dtype)


def warp_map(f: Tensor, similarity: Similarity) -> tuple[Tensor, Tensor]:
    """Maps ``(n, h, w)`` on the attention grid moved by T (0 comes in from outside), and where the
    move is known: booleans, True where the old place lies in the grid."""
    moved = warp(f[:, None], similarity, tuple(f.shape[-2:]), 1, padding="zeros")[:, 0]
    source = _apply(inverse(similarity), grid_points(*f.shape[-2:], like=f))
    return moved, _within(source).expand(f.shape)


def share_inside(
    image_masks: Tensor, similarity: Similarity, grid: tuple[int, int], stride: int | None = None
) -> Tensor:
    """The share of the pixels of masks ``(n, H, W)`` (int8, +1 inside) that are still in the image
    after the move, ``(n,)``; 1 for an empty mask."""
    sides = tuple(image_masks.shape[-2:])
    stride = _stride(sides, grid, stride)
    like = torch.zeros((), device=image_masks.device)
    moved = _apply(similarity, pixel_points(sides, grid, stride, like))
    u = [grid_to_image(moved[..., k], sides[k], grid[k], stride) for k in (0, 1)]
    inside = image_masks == 1
    kept = (inside & _within(torch.stack(u, dim=-1))).sum(dim=(-2, -1))
    total = inside.sum(dim=(-2, -1))
    return torch.where(total > 0, kept / total.clamp_min(1), 1.0)


def parameter_loss(
    second: Rectangle, first: Rectangle, similarity: Similarity, kind: str = "quotient"
) -> Tensor:
    r""":math:`\|(\tilde\mu,\tilde\sigma,\tilde\alpha)-(\hat\mu,\hat\sigma,\hat\alpha)\|^2` a sample.

    ``second`` is what was found in the moved image, the hats are ``similarity.act(first)``.  Any
    leading axes (ensembles), result ``(...)``.

    Args:
        kind: "paper" (as it stands: positive between parameters of one and the same map) or
            "quotient" (the squared distance modulo the symmetries of the rectangle).

    Raises:
        ValueError: another kind, parameters that are not finite.
    """
    if kind not in LOSSES:
        raise ValueError(f"kind must be one of {tuple(LOSSES)} for parameters, got {kind!r}")
    return LOSSES[kind](second.to_array(), similarity.act(first).to_array())


def map_loss(second: Tensor, first: Tensor, similarity: Similarity) -> Tensor:
    """The mean squared difference of maps ``second (n, h, w)`` and the moved ``first``.

    An extension of section 4.4 to maps without parameters.  Counts the positions whose old place
    lies in the grid (0 if none does).  ``first`` is a target: no gradient reaches it.
    """
    target, known = warp_map(first, similarity)
    known = known.to(second.dtype)
    return ((second - target) ** 2 * known).sum() / known.sum().clamp_min(1)


def equivariance_loss(
    look: Callable[[Tensor], AttentionMap],
    features_second: Tensor,
    found_first: AttentionMap,
    similarity: Similarity,
    kind: str = "quotient",
) -> Tensor:
    """The loss of section 4.4, mean over the batch: only trunk and head run for the second view.

    Args:
        look: features to the map, e.g. ``net.look``.
        features_second: trunk features of the moved images, e.g. ``net.features(warp(...))``.
        found_first: what the first view found, as it came out of its forward pass; the gradient
            goes through it unless it is detached (and never for kind "map").
        similarity: n of them, or one for all.
        kind: "paper", "quotient" (see :func:`parameter_loss`; shape by shape, where there are
            several) or "map" (:func:`map_loss`), which alone takes maps without a rectangle.

    Raises:
        ValueError: an unknown kind; a map without a rectangle for a loss on parameters.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}, got {kind!r}")
    return compare(look(features_second), found_first, similarity, kind)


def compare(
    second: AttentionMap, first: AttentionMap, similarity: Similarity, kind: str = "quotient"
) -> Tensor:
    """:func:`equivariance_loss` of two maps that are there, for instance from :func:`look_only`."""
    if kind == "map":
        return map_loss(second.f, first.f, similarity)
    if second.rectangle is None or first.rectangle is None:
        raise ValueError(f"kind {kind!r} compares rectangles and this map has none: use kind='map'")
    return parameter_loss(second.rectangle, first.rectangle, for_shapes(first, similarity), kind).mean()


def for_shapes(found: AttentionMap, similarity: Similarity) -> Similarity:
    """The similarities of n images with room for the k shapes that each of them may have.

    With them ``act`` takes the parameters of ``found``, shaped ``(n)`` or ``(n, k)``.
    """
    return _spread(similarity, found.rectangle.angle.ndim - (found.log_f.ndim - 2))


class _Seen(Exception):
    """Carries the map out of a forward pass that need not go on."""

    def __init__(self, found: AttentionMap) -> None:
        super().__init__()
        self.found = found


def look_only(model: nn.Module, attention: nn.Module, images: Tensor) -> AttentionMap:
    """What ``attention``, somewhere inside ``model``, sees in ``images``; nothing after it runs.

    A hook on the module looks at its input and breaks off the forward pass; it is gone afterwards.
    The map keeps its graph.  Batch-norm layers before it see the images as in any forward pass.
    Under DistributedDataParallel pass the wrapped module, under ``torch.compile`` the original one:
    an exception cannot leave a compiled graph.

    Raises:
        ValueError: a model that does not call the module.
    """

    def stop(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        raise _Seen(module.look(inputs[0]))

    hook = attention.register_forward_pre_hook(stop)
    try:
        model(images)
    except _Seen as seen:
        return seen.found
    finally:
        hook.remove()
    raise ValueError(f"the model never called the attention module ({type(attention).__name__})")


def pixel_points(
    image: tuple[int, int], grid: tuple[int, int], stride: int, like: Tensor
) -> Tensor:
    """The pixels of an image in the coordinates of the attention grid, ``(H, W, 2)``."""
    points = grid_points(*image, like=like)
    axes = [image_to_grid(points[..., k], image[k], grid[k], stride) for k in (0, 1)]
    return torch.stack(axes, dim=-1)


def _stride(image: tuple[int, ...], grid: tuple[int, int], stride: int | None) -> int:
    if stride is None:
        stride = image[0] // grid[0]
        if stride < 1 or (stride * grid[0], stride * grid[1]) != image:
            raise ValueError(f"a grid of {grid} does not divide images of {image}: pass the stride")
    if stride < 1:
        raise ValueError(f"stride must be at least 1, got {stride}")
    return stride


def _spread(similarity: Similarity, axes: int) -> Similarity:
    """The similarity with room for ``axes`` axes of points after its batch axes."""
    room = (None,) * axes
    return Similarity(similarity.angle[(..., *room)], similarity.scale[(..., *room)],
                      similarity.shift[(..., *room, slice(None))],
                      similarity.center[(..., *room, slice(None))])


def _apply(similarity: Similarity, points: Tensor) -> Tensor:
    """T of points ``(H, W, 2)`` for every similarity of the batch, ``(..., H, W, 2)``."""
    return _spread(similarity, 2).apply(points)


def _within(u: Tensor) -> Tensor:
    return ((u >= -EDGE) & (u <= 1 + EDGE)).all(dim=-1)
