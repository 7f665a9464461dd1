"""A row of a training, made up but consistent, for the tests of what is read from rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

REAL = Path(__file__).parents[2] / "paper_figures" / "rows" / "training.jsonl"
POSTERIORS = ("split", "split-trained", "initial", "initial-trained")


def posterior(**changes: Any) -> dict[str, Any]:
    """What :mod:`training.certificate` writes of one posterior; the drawn network misses 0.1 on average."""
    return {"n_samples": 20, "weights": 30, "kl": 1.5, "prior_choices": 0.0, "gibbs": 0.12, "draws": 400,
            "drawn": 0.1, "drawn_counts": {"0": 10, "1": 6, "8": 3, "2": 1},
            "log_ratio": 1.2, "center": 0.1,
            "test_gibbs": 0.13, "test_drawn": 0.11, "test_center": 0.1, "seconds": 1.0, **changes}


def last_layer(**changes: Any) -> dict[str, Any]:
    """What :mod:`training.last_layer` writes; ``changes`` go into the norms."""
    return {"n_samples": 20, "weights": 6, "norms": {
                "outputs": 5, "shared": False, "lipschitz_soft": 2.0, "lipschitz_ramp": 5.0, "margin": 1.0,
                "feature_norm": 0.5, "soft": 0.15, "test_soft": 0.16, "ramp": 0.2, "test_ramp": 0.22, "threshold": 0.1,
                "test_threshold": 0.11, "weight_norm": 1.5, "distance": 0.2, **changes},
            "bits": [{"bits": 2, "range_nats": 1.7, "hard": 0.3, "test_hard": 0.31},
                     {"bits": 4, "range_nats": 1.7, "hard": 0.1, "test_hard": 0.12},
                     {"bits": 8, "range_nats": 1.7, "hard": 0.1, "test_hard": 0.11}]}


def row_of(method: str = "rectangle") -> dict[str, Any]:
    """A row of a run of 40 images on a 4 x 4 grid, with all four posteriors."""
    return {
        "schema": 1, "kind": "training", "key": "cell", "method": method, "supervision": "label", "n": 40, "seed": 0,
        "grid": [4, 4], "train_areas": {"2": 30, "6": 10}, "trivial": {"all_background": {"missing_rate": 0.19}},
        "mean_g": 0.9, "parameters": 500, "start": 0,
        "config": {"shape": "rectangle", "count": 1, "backbone": "small", "freeze": False},
        "train": {"missing_rate": 0.05, "images": 40},
        "test": {"missing_rate": 0.0625, "images": 60, "wrong_counts": {"0": 40, "2": 10, "4": 10}},
        "certificate": {
            "split": posterior(kl=0.0, log_ratio=0.0),
            "split-trained": posterior(),
            "initial": posterior(n_samples=40, draws=800, kl=900.0, log_ratio=880.0, prior_choices=3.4),
            "initial-trained": posterior(n_samples=40, draws=800, kl=30.0, log_ratio=28.0),
            "last-layer": last_layer(shared=method == "positionwise"),
            "constant": {"n_samples": 40, "family": "Rectangles(4, 4)", "log_size": 4.61, "area": 1, "empirical": 0.2,
                         "test": 0.21},
        },
    }
