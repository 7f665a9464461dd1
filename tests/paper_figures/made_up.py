"""Rows of trainings and timings with known numbers, for the tests of the figures drawn from them."""

from __future__ import annotations

from typing import Any


def run(method: str = "rectangle", seed: int = 0, n: int = 64, **more: Any) -> dict[str, Any]:
    """A training on 4 x 4 cells whose truths have 2 cells: the empty map misses 1/8."""
    config = {"eqvc": "none", "depth": 0, "layers": 3, "ratio": 60, "split": 0, "pool": 40,
              "method": method, "n": n, "seed": seed, "supervision": "label", **more.pop("config", {})}
    numbers = {"loss": 0.01, "missing_rate": 0.05, "iou": 0.5, "iou_chosen": 0.6, "iou_best": 0.7,
               "iou_image": 0.4, "accuracy": 0.9, "pointing": 1.0}
    row = {
        "schema": 1, "version": "0.1.0", "kind": "training", "key": f"{method}-{n}-{seed}", "seed": seed,
        "method": method, "supervision": "label", "n": n, "n_test": 32, "truth": "rotated",
        "regime": "needed", "grid": [4, 4], "floor": 0.0, "train_areas": {"2": n},
        "train": {**numbers, **more.pop("train", {})}, "test": {**numbers, **more.pop("test", {})},
        "trivial": {"all_background": {"missing_rate": 0.125, "iou": 0.0},
                    "centre_prior": {"missing_rate": 0.2, "iou": 0.1}},
        "history": [{"step": 0, "loss": 1.4, "missing_rate": 0.25},
                    {"step": 9, "loss": 0.01, "missing_rate": 0.05}],
        "experiment": "theorem-1", "config": config,
    }
    return {**row, **more}


def timing(what: str = "module", features: tuple[int, ...] = (320, 10, 10), batch: int = 1,
           base: str = "positionwise", **ratio: float) -> dict[str, Any]:
    """A timing; the intervals end 0.1 below and 0.3 above the ratios."""
    names = ("rectangle-coords", "rectangle-softargmax", "rectangle-light", "rectangle-paper",
             "positionwise", "cbam", "simam")
    ratios = {name: 0.25 + 0.25 * k for k, name in enumerate(names)} | {base: 1.0} | {
        name.replace("_", "-"): v for name, v in ratio.items()}
    counts = {name: 100 * (k + 1) * features[0] for k, name in enumerate(names)}
    return {
        "schema": 1, "kind": "latency", "what": what, "features": list(features), "batch": batch,
        "key": f"latency-{what}-{'x'.join(map(str, features))}-batch{batch}", "repeats": 7,
        "ratio_base": base, "ratio": ratios, "milliseconds": {k: 2.0 * v for k, v in ratios.items()},
        "ratio_interval": {k: [v - 0.1, v + 0.3] for k, v in ratios.items()},
        "parameters": counts, "multiply_adds": {k: 10 * v for k, v in counts.items()},
        "device": "cpu", "clock": "thread_time", "provenance": {"cpu": "a processor", "torch": "2.0"},
    }
