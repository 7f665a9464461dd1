"""``python -m training gallery``: what trained networks look at, as small rows for Figs. 6 to 9.

Figures are drawn where no network can run, so everything in them stands in rows of kind "gallery":
"scenes" (pictures, their truths, and the rule that chose them) and "views" (what one network finds in
them, beside its numbers over ALL test images).  Pictures are chosen by rules, never by their looks.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sims.rows import read_rows
from theory.methods import one_rectangle
from theory.rates import fitting_rate, missing_rate
from training.attention import AttentionMap
from training.checkpoint import CheckpointError
from training.config import RunConfig, as_dict, digest, from_dict
from training.data import Prepared, data_of, prepare
from training.experiments import EXPERIMENTS
from training.fit import one_thread
from training.gallery_scenes import Sight, extremes, first, sequence
from training.pictures import base64_of_bits, base64_of_bytes
from training.rows import TrainingRows, machine
from training.samples import IGNORED, Samples
from training.single import ROW, finished, read_json, run

KIND = "gallery"
SHOWN = (("rectangle", "none"), ("positionwise", "none"), ("rectangle", "quotient"))
"""Methods and equivariance losses of the networks that are trained for the gallery."""
TEST = ("images", "accuracy", "missing_rate", "iou", "iou_chosen", "threshold_chosen", "iou_best",
        "energy_pointing", "centre_spearman")


def networks(preset: str) -> list[RunConfig]:
    """The networks of Figs. 6 to 9 on ShapeField: cells of the experiments (e) and (d) with seed 0.

    The rectangle, position-wise attention and the rectangle with the equivariance loss; and the
    first two again before and after the 3x3 layers of experiment (d).
    """
    cells = {(c.method, c.eqvc): c for c in EXPERIMENTS["sequences"].cells(preset) if c.seed == 0}
    depths = [c for c in EXPERIMENTS["depth"].cells(preset)
              if c.seed == 0 and c.depth in (0, c.layers)]
    depths.sort(key=lambda c: (c.depth, c.method != "rectangle"))
    return [*(cells[name] for name in SHOWN), *depths]


def trained(configs: Sequence[RunConfig], folder: Path) -> list[Path]:
    """Folders of finished runs; those that are not there yet are trained, on one thread, like the
    cells of a sweep."""
    folders = [folder / config.key for config in configs]
    with one_thread():
        for config, place in zip(configs, folders, strict=True):
            run(config, place)
    return folders


def gallery(folders: Sequence[Path], out: Path) -> list[dict[str, Any]]:
    """Rows of finished runs on the same test images, appended to ``out`` but for those that are there.

    Every run is shown the first test images; those with the attention at the same place as the first
    run also a sequence of moved ones (Fig. 8); and the first one with a rectangle the images in which
    its own centre is extreme (Fig. 9).

    Returns:
        what was written.

    Raises:
        ValueError: a run without a map of its own, runs on other test images than the first, ``out``
            with other rows.
        training.checkpoint.CheckpointError: a folder without a finished run.
    """
    configs = [_config(folder) for folder in folders]
    images = {images_of(c): folder for folder, c in zip(folders, configs, strict=True)}
    if len(images) > 1:
        raise ValueError("a gallery shows runs on the same test images, got others in "
                         + " and ".join(map(str, list(images.values())[:2])))
    _check_out(out, images_of(configs[0]))
    rectangles = [c.key for c in configs if one_rectangle(c.method, c.shape, c.count)]
    written = []
    origin = machine()
    with TrainingRows(out) as writer, one_thread():
        for folder, config in zip(folders, configs, strict=True):
            whats = ["first"] + ["sequence"] * (place_of(config) == place_of(configs[0]))
            whats += ["extremes"] * (config.key == next(iter(rectangles), None))
            if {f"views-{what}-{config.key}" for what in whats} <= writer.keys:
                continue
            for row in rows_of(folder, whats):
                if row["key"] not in writer.keys:
                    writer.append({**row, "provenance": origin})
                    written.append(row)
    return written


def rows_of(folder: Path, whats: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows of one finished run: scenes and views of "first", "sequence" and "extremes"."""
    config, net = finished(folder)
    row, data = read_json(folder / ROW), prepare(config)
    sight = Sight(_caller(net, data), data, images_of(config), config.key)
    make = {"first": first, "sequence": sequence, "extremes": extremes}
    for what in whats:
        start = time.perf_counter()
        scenes = make[what](sight)
        yield {"kind": KIND, "part": "scenes", "key": scenes.key, "what": what,
               "images": images_of(config), "rule": scenes.rule, **_of_data(config, data),
               **scenes.facts, "scenes": scenes.encoded(),
               "seconds": round(time.perf_counter() - start, 3)}
        start = time.perf_counter()
        views = seen(sight.look, scenes.samples)
        yield {"kind": KIND, "part": "views", "key": f"views-{what}-{config.key}", "what": what,
               "images": images_of(config), "scenes": scenes.key, **_of_run(config, data, row),
               "views": views, "seconds": round(time.perf_counter() - start, 3)}


def seen(look: Any, samples: Samples) -> list[dict[str, Any]]:
    """What a network finds in each image, and how well that hits the truth on the attention grid.

    ``map`` is f divided by its largest value ``peak`` (Eq. 7 removes that factor), in 255ths, line by
    line; ``mask`` the bits of the primary mask; ``rectangle`` its five parameters, if it has them.
    ``missing_rate`` and ``iou`` are None where nobody knows the truth.
    """
    logits, found = look(samples.images)
    hard, log_f = found.hard_mask(), found.log_f.double()
    known = samples.masks != IGNORED
    missing = missing_rate(hard, samples.masks, where=known, check=False)
    iou = fitting_rate(hard, samples.masks, zero_division=0.0, where=known, check=False)
    out = []
    for i in range(len(samples)):
        peak = log_f[i].max()
        told = bool(known[i].any())
        out.append({
            "map": base64_of_bytes(torch.exp(log_f[i] - peak)), "peak": float(peak.exp()),
            "mask": base64_of_bits(hard[i] == 1), "prediction": int(logits[i].argmax()),
            "rectangle": _parameters(found, i),
            "missing_rate": round(float(missing[i]), 6) if told else None,
            "iou": round(float(iou[i]), 6) if told else None})
    return out


def images_of(config: RunConfig) -> str:
    """Names the test images of a run: equal for runs that are tested on the same ones."""
    return digest(replace(data_of(config), n=RunConfig().n, device="cpu", freeze=False, at="",
                          pretrained=""))


def place_of(config: RunConfig) -> dict[str, Any]:
    """Where the attention stands: in a network of how many layers, after how many of them (of a
    backbone the name of the layer, empty for that of App. G)."""
    if config.backbone == "small":
        return {"layers": config.layers, "depth": config.depth, "at": ""}
    return {"layers": None, "depth": None, "at": config.at}


def _config(folder: Path) -> RunConfig:
    if not (Path(folder) / ROW).is_file():
        raise CheckpointError(f"{folder} holds no finished run (no {ROW})")
    config = from_dict(read_json(Path(folder) / "config.json"))
    if config.method in ("none", "oracle"):
        raise ValueError(f"a gallery shows maps that a network finds by itself, and {folder} is a run "
                         f"of method {config.method!r}")
    return config


def _check_out(out: Path, images: str) -> None:
    if not out.is_file():
        return
    for row in read_rows(out):
        if row.get("kind") != KIND or row.get("images") != images:
            raise ValueError(f"{out} holds the row {row['key']!r}, which is not about these test "
                             "images: take another --out")


def _caller(net: Any, data: Prepared) -> Any:
    """Images ``(n, 3, H, W)`` to logits and map, through the frozen trunk if there is one."""

    def call(images: Tensor) -> tuple[Tensor, AttentionMap]:
        with torch.no_grad():
            return net(images if data.trunk is None else data.trunk.features(images))

    return call


def _of_data(config: RunConfig, data: Prepared) -> dict[str, Any]:
    names = getattr(data.source, "names", None)
    return {"data": config.data, "truth": config.shapes.truth if config.data == "shapes" else None,
            "n_test": data.test.n, "seed": config.seed, "classes": list(names) if names else None,
            "sides": list(data.source.image)}


def _of_run(config: RunConfig, data: Prepared, row: dict[str, Any]) -> dict[str, Any]:
    followed = row.get("sequences")
    return {"run": config.key, "method": config.method, "supervision": config.supervision,
            "n": data.train.n, "seed": config.seed, "eqvc": config.eqvc, **place_of(config),
            "grid": list(data.source.grid), "stride": data.stride, "rescale": config.rescale,
            "test": {name: row["test"].get(name) for name in TEST},
            "sequences": followed["summary"] if followed else None,
            "training_seconds": row["seconds"], "config": as_dict(config)}


def _parameters(found: AttentionMap, i: int) -> list[float] | None:
    """The five parameters of image i, where the map is that of one rectangle."""
    r = found.rectangle
    if r is None or found.shape != "rectangle" or r.angle.ndim != 1:
        return None
    return [round(float(v), 6) for v in r.to_array()[i]]
