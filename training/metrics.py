"""How well maps hit the truth, beside predictors that do not look at the image."""

from __future__ import annotations

from typing import Any

import numpy as np

from theory.rates import fitting_rate, missing_rate


def rates(predicted: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Missing rate (mean, sd and standard error over images) and mean IoU of masks ``(n, H, W)``.

    IoU is the fitting rate with 0/0 = 0: an empty prediction earns nothing.
    """
    missing = np.asarray(missing_rate(predicted, truth, check=False))
    iou = np.asarray(fitting_rate(predicted, truth, zero_division=0.0, check=False))
    sd = float(missing.std(ddof=1)) if len(missing) > 1 else 0.0
    return {
        "missing_rate": float(missing.mean()),
        "missing_rate_sd": sd,
        "missing_rate_se": sd / len(missing) ** 0.5,
        "iou": float(iou.mean()),
    }


def centre_prior(masks: np.ndarray) -> np.ndarray:
    """The one mask of the cells most often inside, as many as give the best mean IoU on ``masks``.

    Ties in frequency go to the cell that comes first.
    """
    inside = (masks.reshape(len(masks), -1) == 1).astype(np.int64)
    order = np.argsort(-inside.sum(0), kind="stable")
    hits = np.cumsum(inside[:, order], axis=1)
    taken = np.arange(1, inside.shape[1] + 1)
    iou = (hits / (taken + inside.sum(1, keepdims=True) - hits)).mean(0)
    mask = np.full(inside.shape[1], -1, dtype=np.int8)
    mask[order[: int(iou.argmax()) + 1]] = 1
    return mask.reshape(masks.shape[1:])


def trivial_predictors(train: np.ndarray, test: np.ndarray) -> dict[str, dict[str, float]]:
    """Rates on ``test`` of the empty, the full and the centre mask (fitted on ``train``)."""
    shape = test.shape[1:]
    masks = {
        "all_background": np.full(shape, -1, dtype=np.int8),
        "all_foreground": np.full(shape, 1, dtype=np.int8),
        "centre_prior": centre_prior(train),
    }
    out = {}
    for name, mask in masks.items():
        found = rates(np.broadcast_to(mask, test.shape), test)
        out[name] = {k: found[k] for k in ("missing_rate", "iou")}
    return out


def centre_agreement(predicted: np.ndarray, true: np.ndarray) -> dict[str, list[float | None]]:
    """Spearman correlation and least-squares slope of predicted on true centres, by axis.

    None where a coordinate is constant.
    """
    from scipy.stats import rankdata

    out: dict[str, list[Any]] = {"centre_spearman": [], "centre_slope": []}
    for p, t in zip(predicted.T.astype(np.float64), true.T.astype(np.float64), strict=True):
        flat = np.ptp(p) == 0 or np.ptp(t) == 0
        ranks = (rankdata(p), rankdata(t))
        out["centre_spearman"].append(None if flat else float(np.corrcoef(*ranks)[0, 1]))
        out["centre_slope"].append(
            None if flat else float(((p - p.mean()) * (t - t.mean())).mean() / t.var()))
    return out
