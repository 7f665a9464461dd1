"""Rates and bounds for a user's own masks and predictions (``python -m theory bound``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from theory import bounds
from theory.masks import signed
from theory.rates import catching_rate, fitting_rate, missing_rate

SUFFIXES = (".png", ".npy")


def read_mask(path: Path) -> np.ndarray:
    """A mask file as an int8 array of -1 and +1.

    NPY: booleans, {0, 1}, {0, 255} or {-1, +1}, two-dimensional.  PNG: one channel (or equal ones)
    with the two values 0 and 255, or 0 and 1.

    Raises:
        ValueError: unreadable file, other values, other shape; names the file and the value.
    """
    try:
        if path.suffix.lower() == ".npy":
            raw = np.load(path, allow_pickle=False)
            if raw.dtype == np.uint8 and raw.size and np.isin(raw, (0, 255)).all():
                raw = raw == 255
        else:
            from PIL import Image

            with Image.open(path) as image:
                raw = np.asarray(image.convert("RGB") if image.mode in ("P", "RGBA", "LA")
                                 else image)
            if raw.ndim == 3:
                if not (raw == raw[..., :1]).all():
                    raise ValueError("a mask has one channel, got colours")
                raw = raw[..., 0]
            if raw.dtype != bool and raw.size and raw.max() > 1:
                bad = raw[(raw != 0) & (raw != 255)]
                if bad.size:
                    raise ValueError(f"a PNG mask has the values 0 and 255 (or 0 and 1), got "
                                     f"{bad[0]}")
                raw = raw == 255
        if raw.ndim != 2 or raw.size == 0:
            raise ValueError(f"a mask has shape (H, W), got {raw.shape}")
        if np.issubdtype(raw.dtype, np.unsignedinteger):
            raw = raw.astype(np.int16)
        if not (np.issubdtype(raw.dtype, np.number) or raw.dtype == bool):
            raise ValueError(f"a mask is numeric, got {raw.dtype}")
        if np.isfinite(raw).all() and not np.isin(raw, (-1, 0, 1)).all():
            bad = raw[~np.isin(raw, (-1, 0, 1))].flat[0]
            raise ValueError(f"a mask is binary (0 and 1, or -1 and +1; threshold soft maps first, "
                             f"e.g. f >= 0.5), got {bad}")
        return signed(raw).astype(np.int8)
    except (OSError, SyntaxError, EOFError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def read_pairs(masks: Path, predictions: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names, true masks and predictions ``(N, H, W)`` of two folders with equal file stems."""
    found = []
    for folder in (masks, predictions):
        if not folder.is_dir():
            raise NotADirectoryError(f"no directory {folder}")
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
        if not files:
            raise ValueError(f"{folder} has no PNG or NPY file")
        named: dict[str, Path] = {}
        for path in files:
            if path.stem in named:
                raise ValueError(f"{folder} has two files for {path.stem!r}")
            named[path.stem] = path
        found.append(named)
    true, predicted = found
    lonely = sorted(set(true) ^ set(predicted))
    if lonely:
        raise ValueError(f"every mask needs a prediction of the same name; without a partner: "
                         f"{', '.join(lonely[:5])}{' ...' if len(lonely) > 5 else ''}")
    names = sorted(true)
    stacks = [[read_mask(f[name]) for name in names] for f in (true, predicted)]
    shape = stacks[0][0].shape
    for stack, named in zip(stacks, found, strict=True):
        for name, mask in zip(names, stack, strict=True):
            if mask.shape != shape:
                raise ValueError(f"masks must share one grid: {named[name]} is {mask.shape}, the "
                                 f"first is {shape}")
    return names, np.stack(stacks[0]), np.stack(stacks[1])


def observed_extremes(predictions: np.ndarray, masks: np.ndarray) -> tuple[int, np.ndarray]:
    """``min <b, a>`` over all pairs, and ``max_b`` missing rate g(a) for each true mask."""
    n = masks[0].size
    family = np.unique(predictions.reshape(len(predictions), n), axis=0).astype(np.float32)
    low = np.empty(len(masks), dtype=np.int64)
    for start in range(0, len(masks), 512):
        block = masks[start:start + 512].reshape(-1, n).astype(np.float32)
        low[start:start + 512] = (block @ family.T).min(axis=1).astype(np.int64)
    return int(low.min()), (1 - low / n) / 2


def report(masks_dir: Path, predictions_dir: Path, delta: float) -> tuple[str, dict[str, Any]]:
    """The text and the numbers of ``python -m theory bound``."""
    if not 0 < delta < 1:
        raise ValueError(f"delta must be in (0, 1), got {delta:g}")
    names, masks, predictions = read_pairs(masks_dir, predictions_dir)
    size, n = len(names), masks[0].size
    if n >= 2**24:
        raise ValueError(f"masks of {n} positions are too large for exact sums (limit 2^24)")
    phi = missing_rate(predictions, masks)
    psi, fit = catching_rate(predictions, masks), fitting_rate(predictions, masks)
    low, g = observed_extremes(predictions, masks)
    rho, empirical, mean_g = low / n, float(phi.mean()), float(g.mean())
    rows = [
        ("empirical missing rate", empirical, "the mean of the rates above"),
        ("relevance level (observed)", rho, "minimum over the masks and predictions SEEN: "
         "optimistic, the families' own level can only be lower"),
        ("mean_g, the mean over the masks of g(a) = max_b Phi(b, a)", mean_g,
         "b runs over the predictions seen"),
        ("ceiling (1 - rho)/2", bounds.ceiling(rho), bounds.ASSUMPTIONS["ceiling"]),
        ("Theorem 1", bounds.theorem_1(empirical, rho, size, delta),
         bounds.ASSUMPTIONS["theorem_1"]),
        ("sharp bound", bounds.sharp_bound(mean_g, rho, size, delta),
         bounds.ASSUMPTIONS["sharp_bound"]),
    ]
    lines = [f"{size} images on a {masks.shape[1]} x {masks.shape[2]} grid, delta = {delta:g}", "",
             ]
    width = max(len("image"), *(len(name) for name in names))
    lines.append(f"{'image':<{width}}  missing  catching  fitting")
    lines += [f"{name:<{width}}  {m:7.4f}  {c:8.4f}  {f:7.4f}"
              for name, m, c, f in zip(names, phi, psi, fit, strict=True)]
    lines.append("")
    for name, value, note in rows:
        lines += [f"{name}: {value:.4f}", f"    {note}"]
    best = min(rows[3:], key=lambda row: row[1])
    lines.append(f"Smallest of the three bounds: {best[1]:.4f} ({best[0]}).")
    lines.append("F_A: all functions into the family A (here the predictions seen); A_in: the masks "
                 "seen; R_S: empirical Rademacher complexity.")
    lines.append("All bounds speak of predictors into the observed family of predictions and of "
                 "truths among the observed masks. The fitting rate of two empty masks counts as 1.")
    data = {
        "n": size, "grid": list(masks.shape[1:]), "delta": delta,
        "images": [{"name": name, "missing_rate": float(m), "catching_rate": float(c),
                    "fitting_rate": float(f)}
                   for name, m, c, f in zip(names, phi, psi, fit, strict=True)],
        "bounds": [{"name": name, "value": float(value), "assumptions": note}
                   for name, value, note in rows],
    }
    return "\n".join(lines), data
