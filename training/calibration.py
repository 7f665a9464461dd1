"""One gradient step of a configuration on a few of its images, for the doctor to time."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace

from training.config import RunConfig
from training.data import prepare
from training.fit import Training, one_thread


def alike(config: RunConfig) -> Hashable:
    """Configurations of equal value have steps of about equal length."""
    return (config.method, config.supervision, config.eqvc != "none", min(config.batch, config.n),
            config.layers, config.width, config.backbone, config.freeze, config.side,
            config.shapes.image, config.shapes.stride, config.device, config.precision)


def calibrate(config: RunConfig) -> Callable[[], None]:
    """Makes one gradient step each time it is called."""
    few = replace(config, n=min(config.n, 2 * config.batch), n_test=8, pool=0, compile=False)
    run = Training(few, prepare(few))

    def step() -> None:
        with one_thread():
            run.advance(run.step + 1)

    return step
