r"""Do maps follow a sequence of transforms of the image?  [section 6.4, Fig. 8]

A path leads from the identity to a rotation, a scaling, a translation or all three, in equal steps.
At every step the image is moved (:func:`training.equivariance.warp`), the network looks at it, and
what it finds is held against its first map, moved in the same way, and against the moved truth.
Lengths are in grid coordinates (Eq. 5).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from theory.equivariance import Similarity, quotient_loss, symmetries
from theory.rates import fitting_rate
from theory.rectangle import hard_mask
from training.attention import AttentionMap
from training.equivariance import about_center, for_shapes, inverse, share_inside, warp, warp_map
from training.samples import IGNORED, Samples, cell_masks

Look = Callable[[Tensor], AttentionMap]


@dataclass(frozen=True)
class Path:
    """Where a sequence of transforms about the image's centre ends.

    Args:
        angle: of the rotation, radians.
        scale: factor, positive.
        shift: of the translation, in grid coordinates.
    """

    angle: float = 0.0
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if not 0 < self.scale < math.inf:
            raise ValueError(f"scale must be positive and finite, got {self.scale}")

    def at(self, part: float, device: torch.device | str = "cpu") -> Similarity:
        """The transform after the fraction ``part`` of the way: ``(part angle, scale^part, part
        shift)``."""
        numbers = torch.tensor([part * self.angle, self.scale**part, part * self.shift[0],
                                part * self.shift[1]], dtype=torch.float32, device=device)
        return about_center(numbers[0], numbers[1], numbers[2:4])


PATHS: Mapping[str, Path] = {
    "rotation": Path(angle=math.pi / 2),
    "scaling": Path(scale=0.7),
    "translation": Path(shift=(0.15, -0.15)),
    "composed": Path(angle=math.pi / 3, scale=0.8, shift=(0.1, -0.1)),
}


@dataclass(frozen=True)
class _Step:
    """What is known of one step, sample by sample."""

    found: AttentionMap
    move: Similarity
    kept: Tensor


def follow(
    look: Look,
    samples: Samples,
    n_steps: int,
    *,
    paths: Mapping[str, Path] = PATHS,
    stride: int | None = None,
    padding: str = "border",
) -> list[dict[str, Any]]:
    r"""One row for each path and each step 0 ... n_steps, in that order.

    Each row is a mean over the samples whose truth is still wholly in the image (``kept`` of them;
    the numbers are None where none is):

    * ``iou``: of the mask found and the first mask, moved as a map (0/1 values, bilinear, at 1/2),
      over the cells whose old place lies in the grid.  The same for all methods; ``iou_ceiling`` is
      what the truth itself gets, which resampling on few cells keeps below 1.
    * ``correlation``: of the map f found and the first one, moved, over the same cells (0 if one is
      constant there): needs no threshold.
    * ``iou_parameters``: of the hard shape found and that of the moved parameters, over all cells.
      None without parameters, as is
    * ``parameter_error``: the distance of these two on the quotient by the symmetries (where there
      are several shapes, their mean, in the module's order).
    * ``centre_error``: of the centres (the one rectangle's, else the mean position of f).
    * ``iou_truth``: of the mask found and the moved truth, over the cells that are known in it.
    * ``second_difference_centre``, ``_map``, ``_parameters``: how smoothly it follows: centre, map f
      (root mean square over its cells, as a share of the map's own) and parameters, taken back to
      the first image, at steps k-1, k, k+1: size of ``z_{k-1} - 2 z_k + z_{k+1}``.  0 for the centre
      and parameters of who follows exactly or drifts steadily (resampling keeps a map's above 0);
      None at the ends of the path.

    What does not look at the image (the whole grid, a fixed rectangle) is smooth and may even have an
    ``iou`` above ``iou_ceiling``: ``iou_truth`` tells it from what follows.

    Two empty masks have IoU 0 (``empty`` is their share among the masks found): nothing follows.

    Args:
        look: images ``(n, 3, H, W)`` to the map, e.g. ``lambda x: net.look(net.features(x))``.
        samples: one batch; all of it is looked at at once.
        stride, padding: as :func:`training.equivariance.warp`.

    Raises:
        ValueError: n_steps < 1, no samples, maps on another grid than the masks.
    """
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, got {n_steps}")
    if not len(samples):
        raise ValueError("samples must not be empty, got 0")
    rows = []
    for name, path in paths.items():
        steps: list[_Step] = []
        measured = []
        for k in range(n_steps + 1):
            move = path.at(k / n_steps, samples.images.device)
            step = _look(look, samples, move, stride, padding)
            steps.append(step)
            measured.append(_measure(steps[0].found, step, samples, stride))
        for k, (step, found) in enumerate(zip(steps, measured, strict=True)):
            bends = dict.fromkeys(BENDS)
            if 0 < k < n_steps:
                bends = _bends(steps[k - 1 : k + 2])
            rows.append({"path": name, "step": k, "part": k / n_steps, "n": len(samples),
                         "kept": int(step.kept.sum()), **found, **bends})
    return rows


BENDS = ("second_difference_centre", "second_difference_map", "second_difference_parameters")


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Means of :func:`follow` over the steps of each path (without step 0, where nothing has moved),
    weighted by the number of samples kept; None where a number is never there."""
    numbers = [k for k in rows[0] if k not in ("path", "step", "part", "n", "kept")] if rows else []
    out: dict[str, dict[str, float | None]] = {}
    for name in dict.fromkeys(row["path"] for row in rows):
        mine = [row for row in rows if row["path"] == name and row["step"] > 0]
        out[name] = {}
        for number in numbers:
            there = [(row[number], row["kept"]) for row in mine if row[number] is not None]
            weight = sum(kept for _, kept in there)
            out[name][number] = sum(v * kept for v, kept in there) / weight if weight else None
    return out


def _look(
    look: Look, samples: Samples, move: Similarity, stride: int | None, padding: str
) -> _Step:
    grid = tuple(samples.masks.shape[-2:])
    with torch.no_grad():
        found = look(warp(samples.images, move, grid, stride, padding=padding))
    if tuple(found.log_f.shape[-2:]) != grid:
        raise ValueError(f"maps must be on the grid {grid} of the masks, got "
                         f"{tuple(found.log_f.shape[-2:])}")
    return _Step(found, move, share_inside(samples.image_masks, move, grid, stride) >= 1)


def _measure(
    first: AttentionMap, step: _Step, samples: Samples, stride: int | None
) -> dict[str, float | None]:
    found, move = step.found, step.move
    mask, truth = found.hard_mask(), moved_truth(samples, move, stride)
    moved, known = _moved_mask(first.hard_mask(), move)
    truth_known = truth != IGNORED
    by_map, _ = _moved_mask(samples.masks, move)
    out: dict[str, Tensor] = {
        "iou": _iou(mask, moved, known),
        "iou_ceiling": _iou(by_map, torch.where(truth_known, truth, -1), known & truth_known),
        "correlation": _correlation(found.f, *warp_map(first.f, move)),
        "iou_truth": _iou(mask, torch.where(truth_known, truth, -1), truth_known),
        "empty": (mask != 1).all(dim=-1).all(dim=-1).float(),
        "centre_error": (found.centre() - move.apply(first.centre())).norm(dim=-1),
    }
    if found.rectangle is not None and first.rectangle is not None:
        acted = for_shapes(first, move).act(first.rectangle)
        error = quotient_loss(found.rectangle.to_array(), acted.to_array()).sqrt()
        out["parameter_error"] = error.reshape(len(mask), -1).mean(dim=1)
        out["iou_parameters"] = _iou(mask, replace(first, rectangle=acted).hard_mask(),
                                     torch.ones_like(known))
    means = {key: _mean(value, step.kept) for key, value in out.items()}
    return {"iou_parameters": None, "parameter_error": None, **means}


def moved_truth(samples: Samples, move: Similarity, stride: int | None = None) -> Tensor:
    """The truth of the moved images on the attention grid, int8 ``(n, h, w)``.

    The hard rectangle of the moved parameters, where the truth is a rectangle; else the moved mask
    of the image's pixels, by cells, ignored where it comes from outside.
    """
    grid = tuple(samples.masks.shape[-2:])
    if samples.rectangle is not None:
        return hard_mask(move.act(samples.rectangle), *grid)
    pixels = warp(samples.image_masks.float()[:, None], move, grid, stride, padding="zeros",
                  mode="nearest")
    return cell_masks(pixels[:, 0].round().to(torch.int8), grid)


def _moved_mask(mask: Tensor, move: Similarity) -> tuple[Tensor, Tensor]:
    """A mask moved as a map, and where that is known."""
    moved, known = warp_map((mask == 1).float(), move)
    return torch.where(moved >= 0.5, 1, -1).to(torch.int8), known


def _bends(steps: Sequence[_Step]) -> dict[str, float | None]:
    """The second differences of three neighbouring steps, taken back to the first image."""
    kept = steps[0].kept & steps[1].kept & steps[2].kept
    back = [inverse(step.move) for step in steps]
    centre = _second([b.apply(s.found.centre()) for b, s in zip(back, steps, strict=True)])
    maps, known = zip(*(warp_map(s.found.f.float(), b) for b, s in zip(back, steps, strict=True)),
                      strict=True)
    there = (known[0] & known[1] & known[2]).float()
    bend, size = ((v**2 * there).sum((-2, -1)) for v in (_second(maps), maps[1]))
    relative = (bend / size.clamp_min(1e-30)).sqrt()
    out = {"second_difference_centre": _mean(centre.norm(dim=-1), kept),
           "second_difference_map": _mean(relative, kept),
           "second_difference_parameters": None}
    if all(s.found.rectangle is not None for s in steps):
        before, here, after = (for_shapes(s.found, b).act(s.found.rectangle).to_array()
                               for b, s in zip(back, steps, strict=True))
        bend = _second([_nearest(before, here), here, _nearest(after, here)]).norm(dim=-1)
        out["second_difference_parameters"] = _mean(bend.reshape(len(kept), -1).mean(dim=1), kept)
    return out


def _nearest(parameters: Tensor, target: Tensor) -> Tensor:
    """Of the parameter vectors ``(..., 5)`` with the same map, those nearest to ``target``."""
    same, target = symmetries(parameters), target[..., None, :]
    turns = torch.round((target[..., 4] - same[..., 4]) / (2 * math.pi))
    same = torch.cat([same[..., :4], (same[..., 4] + 2 * math.pi * turns)[..., None]], dim=-1)
    best = ((same - target) ** 2).sum(-1).argmin(dim=-1)
    return torch.take_along_dim(same, best[..., None, None], dim=-2).squeeze(-2)


def _second(z: Sequence[Tensor]) -> Tensor:
    return z[0] - 2 * z[1] + z[2]


def _iou(a: Tensor, b: Tensor, where: Tensor) -> Tensor:
    return fitting_rate(a, b, zero_division=0.0, where=where, check=False)


def _correlation(a: Tensor, b: Tensor, where: Tensor) -> Tensor:
    """Pearson's, over the cells of each sample; 0 where a map is constant."""
    w = where.double() / where.sum((-2, -1), keepdim=True).clamp_min(1)
    a, b = (v.double() - (v * w).sum((-2, -1), keepdim=True) for v in (a, b))
    ab, aa, bb = ((u * v * w).sum((-2, -1)) for u, v in ((a, b), (a, a), (b, b)))
    return torch.where((aa > 0) & (bb > 0), ab / (aa * bb).clamp_min(1e-300).sqrt(), 0.0)


def _mean(values: Tensor, kept: Tensor) -> float | None:
    return float(values[kept].double().mean()) if bool(kept.any()) else None
