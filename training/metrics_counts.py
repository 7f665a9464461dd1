"""Localization metrics as sums of integers: streaming, on the device, exact in any order.

The state is ONE int64 tensor, so that a run over several processes ends with
``torch.distributed.all_reduce(counts.state)``; batches, processes and their order change no bit of
the result.  Per-image fractions are rounded to 2^-33 first (:data:`training.metrics_maps.UNIT`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from theory.rectangle import Rectangle, hard_mask
from training.metrics_boxes import parameter_errors, rotated_iou
from training.metrics_components import threshold_ious
from training.metrics_maps import (
    UNIT,
    above,
    average_precision,
    energy_inside,
    fixed,
    fraction,
    pointing,
    soft_wrong,
    threshold_grid,
)
from training.samples import IGNORED

BOX_IOUS = (0.3, 0.5, 0.7)
RECTANGLE_ERRORS = ("rotated_iou", "centre_error", "log_size_error", "angle_error")
_ONE = ("images", "unknown", "empty", "known", "known_squared", "wrong", "wrong_squared", "rate",
        "rate_squared", "soft", "soft_rate", "iou", "pointing", "energy", "labelled",
        "correct", "rectangles", *RECTANGLE_ERRORS)


class LocalizationCounts:
    """How well maps hit known masks, summed over images.

    An image without a known position (all 0) is left out and counted in ``images_unknown``; one
    whose object is empty stays, and nothing is a hit there (``images_empty``).  The threshold 0,
    where every map is the whole image, serves PxAP alone.

    Args:
        threshold: the fixed threshold on f, one of the grid's.
        steps: of the grid of thresholds (:func:`training.metrics_maps.threshold_grid`).
        box_steps: of the coarser grid for boxes; 0 leaves MaxBoxAcc out.  Its components are found
            on the CPU, which is quick on attention grids and slow on images (take 32 there).
        device: of the state; batches are moved there.  It needs float64 and int64.

    Raises:
        ValueError: steps that are not powers of two, a threshold off the grid.
    """

    def __init__(self, *, threshold: float = 0.5, steps: int = 1024, box_steps: int = 128,
                 device: torch.device | str = "cpu") -> None:
        self.thresholds = threshold_grid(steps).to(device)
        self.box_thresholds = threshold_grid(box_steps)[1:].to(device) if box_steps else None
        boxes = 0 if self.box_thresholds is None else len(self.box_thresholds)
        sizes = dict.fromkeys(_ONE, 1)
        sizes |= dict.fromkeys(("hits_at", "false_at", "iou_at", "rate_at"), len(self.thresholds))
        sizes["box_hits"] = 2 * boxes * len(BOX_IOUS)
        self.state = torch.zeros(sum(sizes.values()), dtype=torch.int64, device=device)
        self._parts = dict(zip(sizes, self.state.split(list(sizes.values())), strict=True))
        self.threshold = threshold
        self._fixed_index = self._index(threshold)

    def update(
        self,
        masks: Tensor,
        attention: Tensor | None = None,
        *,
        hard: Tensor | None = None,
        rectangle: Rectangle | None = None,
        true_rectangle: Rectangle | None = None,
        correct: Tensor | None = None,
    ) -> None:
        """Add a batch.

        Args:
            masks: the truth, ``(n, h, w)`` int8 with values +1, -1, 0 (ignored).
            attention: the map f ``(n, h, w)`` in [0, 1], never the rescaled one.  Without it the
                primary mask serves; without that too, only ``correct`` is counted.
            hard: the primary mask ``(n, h, w)``, +1 and -1.  Without it: the hard rectangle where
                there is a ``rectangle``, else f at or above the fixed threshold.
            rectangle: predicted parameters in grid coordinates (Eq. 5); compared with
                ``true_rectangle`` where that is given.
            correct: boolean ``(n,)``, whether the predicted label is right.

        Raises:
            ValueError: shapes that do not agree, masks with other values, f outside [0, 1] or NaN.
        """
        device = self.state.device
        masks, attention, hard = (None if v is None else v.detach().to(device)
                                  for v in (masks, attention, hard))
        n = len(masks)
        if correct is not None:
            if correct.shape != (n,) or correct.dtype != torch.bool:
                raise ValueError(f"correct must be boolean of shape ({n},), got {correct.dtype} "
                                 f"{tuple(correct.shape)}")
            self._add(labelled=n, correct=correct.sum())
        if hard is None and rectangle is not None:
            hard = hard_mask(rectangle, *masks.shape[-2:]).to(device)
        if attention is None and hard is not None:
            attention = (hard == 1).double()
        if attention is None:
            return
        if hard is None:
            hard = 2 * (attention >= self.threshold).to(torch.int8) - 1
        _check(masks, attention, hard)
        seen = (masks != IGNORED).flatten(1).any(1)
        self._add(unknown=n - seen.sum())
        self._add_maps(masks[seen], attention[seen], hard[seen])
        if rectangle is not None and true_rectangle is not None:
            errors = parameter_errors(rectangle, true_rectangle)
            errors["rotated_iou"] = rotated_iou(rectangle, true_rectangle)
            self._add(rectangles=n, **{k: fixed(v).sum() for k, v in errors.items()})

    def merge(self, other: LocalizationCounts) -> LocalizationCounts:
        """Add what another has counted; returns self.  ValueError where the settings differ."""
        if self._settings() != other._settings():
            raise ValueError(f"counts of other settings: {self._settings()}, {other._settings()}")
        self.state += other.state.to(self.state.device)
        return self

    def choose_threshold(self) -> float:
        """The threshold above 0 of the best mean IoU (of equals the nearest to the fixed one).

        To be called on validation images; the result goes to :meth:`result` of the test images.
        """
        self._need_images()
        iou, thresholds = self._parts["iou_at"][1:], self.thresholds[1:]
        distance = (thresholds - self.threshold).abs()
        distance[iou < iou.max()] = torch.inf
        return float(thresholds[distance.argmin()])

    def result(self, threshold: float | None = None) -> dict[str, float | None]:
        """All metrics as plain numbers, None where there was nothing to measure.

        Args:
            threshold: one that was chosen on validation images, for ``iou_chosen``.

        Returns:
            ``missing_rate`` with ``_sd`` and ``_se`` (mean over images, primary mask),
            ``missing_rate_pooled`` (wrong positions by known ones over all images; the same where
            all images have equally many known ones), ``missing_rate_soft``; ``iou`` (primary mask);
            ``missing_rate_threshold`` and ``iou_threshold`` (fixed threshold), ``iou_chosen``,
            ``iou_best`` (best threshold on these very images: an optimistic number),
            ``threshold_chosen``, ``threshold_best``; ``max_box_acc_v2`` (best of all components,
            mean over IoU 0.3, 0.5, 0.7 of the best threshold of each), ``max_box_acc_largest`` (the
            same with the largest component); ``pxap``, ``pointing``, ``energy_pointing``;
            ``accuracy``; means of ``rotated_iou``, ``centre_error``, ``log_size_error``,
            ``angle_error``; numbers of ``images`` and of those left out or empty.
        """
        count = self._int
        out: dict[str, float | None] = {"images": count("images"), "images_empty": count("empty"),
                                        "images_unknown": count("unknown")}
        out["accuracy"] = self._mean("correct", "labelled", 1)
        for name in RECTANGLE_ERRORS:
            out[name] = self._mean(name, "rectangles", UNIT)
        for name, part in (("iou", "iou"), ("pointing", "pointing"), ("energy_pointing", "energy")):
            out[name] = self._mean(part, "images", UNIT)
        out["missing_rate_pooled"] = self._mean("wrong", "known", 1)
        out |= self._missing_rates()
        out["iou_threshold"] = self._iou_at(self._fixed_index)
        chosen = None if threshold is None else self._index(threshold)
        out["threshold_chosen"], out["iou_chosen"] = threshold, self._iou_at(chosen)
        best = self.choose_threshold() if count("images") else None
        out["threshold_best"] = best
        out["iou_best"] = self._iou_at(None if best is None else self._index(best))
        out["pxap"] = average_precision(self._parts["hits_at"], self._parts["false_at"])
        out |= self._box_accuracies()
        return out

    def _add_maps(self, masks: Tensor, f: Tensor, hard: Tensor) -> None:
        inside, known = masks == 1, masks != IGNORED
        taken = (hard == 1) & known
        shared, union = _sum(taken & inside), _sum(taken | inside)
        wrong, positions, size = union - shared, _sum(known), _sum(inside)
        rate = fraction(wrong, positions)
        soft = soft_wrong(f, inside, known)
        self._add(
            images=len(masks), empty=(size == 0).sum(),
            known=positions.sum(), known_squared=positions.square().sum(),
            wrong=wrong.sum(), wrong_squared=wrong.square().sum(),
            rate=rate.sum(), rate_squared=fixed((rate.double() / UNIT).square()).sum(),
            soft=soft.sum(), soft_rate=torch.round(soft / positions.double()).long().sum(),
            iou=fraction(shared, union).sum(), pointing=pointing(f, inside, known).sum(),
            energy=energy_inside(f, inside, known).sum(),
        )
        hits, alarms = above(f, inside, known, self.thresholds)
        missed = size[:, None] - hits + alarms
        self._add(hits_at=hits.sum(0), false_at=alarms.sum(0),
                  iou_at=fraction(hits, size[:, None] + alarms).sum(0),
                  rate_at=fraction(missed, positions[:, None]).sum(0))
        if self.box_thresholds is not None and len(masks):
            iou = threshold_ious(f, known, inside, self.box_thresholds)
            right = torch.stack([(iou >= level).sum(1) for level in BOX_IOUS])
            self._add(box_hits=right.flatten())

    def _missing_rates(self) -> dict[str, float | None]:
        """Means over images; from the exact counts where all have equally many known positions."""
        count, n = self._int, self._int("images")
        if not n:
            return dict.fromkeys(("missing_rate", "missing_rate_sd", "missing_rate_se",
                                  "missing_rate_soft", "missing_rate_threshold"))
        known, at = count("known"), self._fixed_index
        if n * count("known_squared") == known**2:  # Cauchy-Schwarz: all are equal
            whole, total, squares = known // n, count("wrong"), count("wrong_squared")
            hits, alarms = (int(self._parts[k][at]) for k in ("hits_at", "false_at"))
            at_threshold = int(self._parts["hits_at"][0]) - hits + alarms
            soft = count("soft") / (known * UNIT)
        else:
            whole, total, squares = UNIT, count("rate"), count("rate_squared") * UNIT
            at_threshold = int(self._parts["rate_at"][at])
            soft = count("soft_rate") / (n * UNIT)
        variance = (n * squares - total**2) / (n * max(n - 1, 1) * whole**2)
        sd = max(variance, 0.0) ** 0.5
        return {
            "missing_rate": total / (n * whole), "missing_rate_sd": sd,
            "missing_rate_se": sd / n**0.5, "missing_rate_soft": soft,
            "missing_rate_threshold": at_threshold / (n * whole),
        }

    def _box_accuracies(self) -> dict[str, float | None]:
        n = self._int("images")
        if self.box_thresholds is None or not n:
            return dict.fromkeys(("max_box_acc_v2", "max_box_acc_largest"))
        best = self._parts["box_hits"].reshape(len(BOX_IOUS), 2, -1).amax(-1).sum(0)
        largest, any_box = (int(v) / (n * len(BOX_IOUS)) for v in best)
        return {"max_box_acc_v2": any_box, "max_box_acc_largest": largest}

    def _iou_at(self, index: int | None) -> float | None:
        if index is None or not self._int("images"):
            return None
        return int(self._parts["iou_at"][index]) / (self._int("images") * UNIT)

    def _mean(self, part: str, by: str, unit: int) -> float | None:
        return self._int(part) / (self._int(by) * unit) if self._int(by) else None

    def _int(self, name: str) -> int:
        return int(self._parts[name])

    def _add(self, **values: Any) -> None:
        for name, value in values.items():
            self._parts[name] += torch.as_tensor(value, device=self.state.device)

    def _index(self, threshold: float) -> int:
        found = (self.thresholds == threshold).nonzero().flatten().tolist()
        if not found:
            raise ValueError(f"threshold must be on the grid (0, ..., 1 - 1/steps, 1), got {threshold}")
        return found[0]

    def _need_images(self) -> None:
        if not self._int("images"):
            raise ValueError("a threshold is chosen on at least one image with a known mask, got none")

    def _settings(self) -> dict[str, float]:
        boxes = 0 if self.box_thresholds is None else len(self.box_thresholds)
        return {"threshold": self.threshold, "thresholds": len(self.thresholds),
                "box_thresholds": boxes}


def _sum(cells: Tensor) -> Tensor:
    return cells.flatten(1).sum(1)


def _check(masks: Tensor, f: Tensor, hard: Tensor) -> None:
    shapes = [tuple(v.shape) for v in (masks, f, hard)]
    if masks.ndim != 3 or 0 in masks.shape[1:] or len(set(shapes)) > 1:
        raise ValueError(f"masks, attention and hard must share one shape (n, h, w), got {shapes}")
    if not bool(((masks == 1) | (masks == -1) | (masks == IGNORED)).all()):
        raise ValueError(f"masks hold +1, -1 and 0 (ignored), got {masks.unique().tolist()[:5]}")
    if not bool(((hard == 1) | (hard == -1)).all()):
        raise ValueError(f"a hard mask holds +1 and -1, got {hard.unique().tolist()[:5]}")
    if not bool(((f >= 0) & (f <= 1)).all()):
        bad = f[~((f >= 0) & (f <= 1))][0].item()
        raise ValueError(f"attention must lie in [0, 1] (not rescaled, no NaN), got {bad}")
