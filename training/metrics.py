"""How well masks hit the truth, beside predictors that do not look at the image.

Masks are int8: +1, -1, and 0 in the truth where nobody knows; such positions count nowhere, and
images without any other are left out.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from theory.rates import fitting_rate, missing_rate
from training.samples import IGNORED

CELLS = 1 << 24


def rates(predicted: Tensor, truth: Tensor) -> dict[str, float]:
    """Missing rate (mean, sd and standard error over images) and mean IoU of masks ``(n, h, w)``.

    IoU is the fitting rate with 0/0 = 0: an empty prediction earns nothing.

    Raises:
        ValueError: no image has a known position.
    """
    predicted, truth = _with_known(torch.as_tensor(predicted), torch.as_tensor(truth))
    known = truth != IGNORED
    missing = missing_rate(predicted, truth, where=known, check=False)
    iou = fitting_rate(predicted, truth, zero_division=0.0, where=known, check=False)
    sd = float(missing.std()) if len(missing) > 1 else 0.0
    return {
        "missing_rate": float(missing.mean()),
        "missing_rate_sd": sd,
        "missing_rate_se": sd / len(missing) ** 0.5,
        "iou": float(iou.mean()),
    }


def centre_prior(masks: Tensor) -> Tensor:
    """The one mask ``(h, w)`` of the cells most often inside, as many as give the best mean IoU.

    How often is counted among the ``masks (n, h, w)`` that know the cell; ties go to the cell that
    comes first.
    """
    masks = torch.as_tensor(masks)
    (flat,) = (v.flatten(1) for v in _with_known(masks))
    inside, known = flat == 1, flat != IGNORED
    often = inside.sum(0).double() / known.sum(0).clamp(min=1)
    order = torch.argsort(often, descending=True, stable=True)
    total = torch.zeros(flat.shape[1], dtype=torch.float64, device=flat.device)
    for part in torch.arange(len(flat)).split(max(1, CELLS // flat.shape[1])):
        hits = inside[part][:, order].cumsum(1)
        union = known[part][:, order].cumsum(1) + hits[:, -1:] - hits
        total += (hits / union.clamp(min=1).double()).sum(0)
    mask = torch.full((flat.shape[1],), -1, dtype=torch.int8, device=flat.device)
    mask[order[: int(total.argmax()) + 1]] = 1
    return mask.reshape(masks.shape[1:])


def trivial_predictors(train: Tensor, test: Tensor) -> dict[str, dict[str, float]]:
    """Rates on ``test`` of the empty, the full and the centre mask (fitted on ``train``)."""
    train, test = torch.as_tensor(train), torch.as_tensor(test)
    masks = {
        "all_background": torch.full_like(test[0], -1),
        "all_foreground": torch.full_like(test[0], 1),
        "centre_prior": centre_prior(train).to(test.device),
    }
    out = {}
    for name, mask in masks.items():
        found = rates(mask.expand_as(test), test)
        out[name] = {k: found[k] for k in ("missing_rate", "iou")}
    return out


def centre_agreement(predicted: Tensor, true: Tensor) -> dict[str, list[float | None]]:
    """Spearman correlation and least-squares slope of predicted on true centres ``(n, 2)``, by axis.

    None where a coordinate is constant.
    """
    from scipy.stats import rankdata

    out: dict[str, list[Any]] = {"centre_spearman": [], "centre_slope": []}
    pairs = (torch.as_tensor(v).detach().double().cpu().unbind(1) for v in (predicted, true))
    for p, t in zip(*pairs, strict=True):
        flat = bool((p == p[0]).all() or (t == t[0]).all())
        ranks = torch.stack([torch.from_numpy(rankdata(v.numpy())) for v in (p, t)])
        slope = ((p - p.mean()) * (t - t.mean())).mean() / t.var(correction=0)
        out["centre_spearman"].append(None if flat else float(torch.corrcoef(ranks)[0, 1]))
        out["centre_slope"].append(None if flat else float(slope))
    return out


def _with_known(*masks: Tensor) -> tuple[Tensor, ...]:
    """The images whose truth (the last argument) has a known position."""
    seen = (masks[-1] != IGNORED).flatten(1).any(1)
    if not bool(seen.any()):
        raise ValueError(f"rates need an image with a known position, got none in {len(seen)}")
    return tuple(v[seen] for v in masks)
