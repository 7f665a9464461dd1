"""One run in a folder of its own: configuration, checkpoints, final weights, row; and loading it.

``config.json`` comes first, ``checkpoints/`` while it trains, ``weights.safetensors`` and
``row.jsonl`` at the end.  The same command goes on where a stopped run was; several processes under
``torchrun`` share every batch.
"""

from __future__ import annotations

import json
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from theory.files import write_whole
from training.attention import AttentionMap
from training.attention_base import set_scale
from training.checkpoint import CheckpointError
from training.config import RunConfig, as_dict, from_dict
from training.data import Prepared, frozen_trunk, make_source, prepare, sizes, stride_of
from training.fit import build, fit
from training.model import AttentionNet
from training.parallel import World, world
from training.predict import Predictor
from training.progress import Progress
from training.rows import TrainingRows, machine
from training.run import row_of

ROW = "row.jsonl"


def run(
    config: RunConfig,
    folder: Path,
    *,
    every: int = 200,
    tensorboard: str | None = None,
) -> dict[str, Any] | None:
    """Train, test and keep everything in ``folder``; the row (None but in the first process).

    A run that has finished is not repeated: its row is returned.

    Raises:
        CheckpointError: the folder holds another configuration, or is damaged.
        TrainingError: the loss is not finite; the last good checkpoint stays.
    """
    with world(config.device) as here:
        _check(config, folder)
        if (folder / ROW).is_file():
            return read_json(folder / ROW) if here.first else None
        if here.device.type == "cuda":
            torch.cuda.set_device(here.device)
        start = time.perf_counter()
        data = prepare(config)
        build(config, data)
        here.wait()
        _claim(config, folder, here)
        with Progress(config.gradient_steps, config.key) if here.first else nullcontext() as shown:
            done = fit(config, data, world=here, folder=folder / "checkpoints", every=every,
                       tell=_Teller(shown) if here.first else None)
        row = row_of(done, data, time.perf_counter() - start, here)
        if not here.first:
            return None
        if tensorboard is not None:
            from training.logs import TensorBoard

            with TensorBoard(tensorboard) as board:
                board.add_history(done.history)
        _write_weights(folder, done.net.state_dict())
        row |= {"seconds": round(time.perf_counter() - start, 3), "processes": here.size,
                "experiment": None, "preset": None, "provenance": machine()}
        with TrainingRows(folder / ROW) as writer:
            writer.append(row)
        return row


def finished(folder: str | Path) -> tuple[RunConfig, AttentionNet]:
    """The configuration and the network of a finished run, in evaluation mode.

    Raises:
        CheckpointError: no finished run there, or weights that cannot be read.
    """
    folder = Path(folder)
    if not (folder / ROW).is_file():
        raise CheckpointError(f"{folder} holds no finished run (no {ROW})")
    config = from_dict(read_json(folder / "config.json"))
    source, channels = make_source(config), None
    if config.freeze:
        image, _ = sizes(config)
        channels = frozen_trunk(config).features(
            torch.zeros(1, 3, *image, device=config.device)).shape[1]
    net = build(config, Prepared(source, None, None, None, channels=channels))
    weights = folder / "weights.safetensors"
    try:
        from safetensors.torch import load_file

        net.load_state_dict(load_file(weights, device=config.device))
    except Exception as error:  # safetensors and torch have errors of their own
        raise CheckpointError(f"{weights}: cannot be read: {error}") from error
    set_scale(net, config.s)
    return config, net.eval()


def load(folder: str | Path) -> tuple[RunConfig, Predictor]:
    """The configuration of a finished run, and its network for images of any size.

    Raises:
        CheckpointError: as :func:`finished`; a run of the oracle.
    """
    config, net = finished(folder)
    if config.method == "oracle":
        raise CheckpointError(f"{folder} is a run of the oracle, which is given the true masks: it "
                              "cannot look at images without")
    image, grid = sizes(config)
    trunk = frozen_trunk(config) if config.freeze else None

    def call(images: Tensor) -> tuple[Tensor, AttentionMap | None]:
        with torch.no_grad():
            return net(images if trunk is None else trunk.features(images))

    return config, Predictor(call, image, grid, stride_of(config, image, grid),
                             device=config.device)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file.

    Raises:
        CheckpointError: it is missing or truncated; names it.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from error


class _Teller:
    """Steps of all starts together, to the progress line."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.done = progress, 0

    def __call__(self, step: int, loss: float) -> None:
        self.done = max(self.done + 1, step)  # a start that was resumed begins later
        self.progress.tell(self.done, loss)


def _check(config: RunConfig, folder: Path) -> None:
    """Whether the folder is free or this run's.  One whose run has not begun is free."""
    path = folder / "config.json"
    if not path.is_file():
        if folder.is_dir() and any(folder.iterdir()):
            raise CheckpointError(f"{folder} is not empty and holds no run (no config.json)")
        return
    held, wanted = read_json(path), as_dict(config)
    differ = [k for k in wanted if held.get(k) != wanted[k]]
    if differ and {p.name for p in folder.iterdir()} != {"config.json"}:
        name = differ[0]
        raise CheckpointError(f"{folder} holds another configuration: {', '.join(differ)} "
                              f"({name} is {held.get(name)!r} there, {wanted[name]!r} here)")


def _claim(config: RunConfig, folder: Path, here: World) -> None:
    if here.first:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "config.json", (json.dumps(as_dict(config), indent=1) + "\n").encode())
    here.wait()


def _write_weights(folder: Path, weights: dict[str, Tensor]) -> None:
    from safetensors.torch import save

    tensors = {n: v.detach().cpu().clone(memory_format=torch.contiguous_format)
               for n, v in weights.items()}
    write_whole(folder / "weights.safetensors", save(tensors))
