"""Latency of the attention modules, of a small CNN and of MobileNetV3-large with and without them.

Each part below gives rows; :data:`PARTS` lists them, and another part is another entry there.  Rows
of kind "latency" hold medians and ratios (:mod:`training.timing`); parameters; and multiply-adds of
one input where convolutions and linear layers have any (those of the heads of App. G by
``theory.heads``).
"""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from theory import heads
from training.attach import attach
from training.attention import PositionwiseAttention, RectangularAttention
from training.attention_heads import HEADS
from training.attention_peers import CBAMSpatialAttention, SimAM
from training.backbones import DESIGNS, backbone
from training.config import RunConfig
from training.fit import one_thread
from training.model import small_net
from training.shapes import ShapesConfig
from training.shapes_field import throughput
from training.timing import clock_name, compared, turns

Make = Callable[[int], nn.Module]
Row = dict[str, Any]

PLACES = ((320, 10, 10), (960, 7, 7))  # App. G: EfficientNet-b0 after block 15, MobileNetV3
BATCHES = (1, 16)
CHANNELS = (16, 32, 64, 128, 320, 640, 960)  # at the grid of App. G's first place
LEARNING_BATCH = {"cpu": 32, "cuda": 256}
STEP_BATCH = {"cpu": 8, "cuda": 256}
MODULES: dict[str, Make] = {
    **{f"rectangle-{head}": lambda channels, head=head: RectangularAttention(channels, head=head)
       for head in sorted(HEADS)},
    "positionwise": PositionwiseAttention,
    "cbam": CBAMSpatialAttention,
    "simam": SimAM,
}
COUNTED = {"rectangle-paper": heads.RECTANGLE_HEAD, "positionwise": heads.POSITION_WISE_HEAD}
NETWORKS = ("none", "rectangle", "rectangle-paper", "rectangle-light", "rectangle-softargmax",
            "positionwise", "cbam", "simam")
CLASSES = 4
BACKBONE, IN_BACKBONE = "mobilenetv3-large", ("rectangle-light", "rectangle-paper")


class LeftOut(RuntimeError):
    """A part that cannot run here, and why."""


def modules(repeats: int, device: torch.device) -> Iterator[Row]:
    """A forward pass of each module alone, at the places of App. G: ratios to position-wise."""
    yield from _forwards("module", PLACES, BATCHES, repeats, device)


def modules_by_channels(repeats: int, device: torch.device) -> Iterator[Row]:
    """The same for one image on one grid, with few to many channels."""
    places = tuple((channels, *PLACES[0][1:]) for channels in CHANNELS)
    yield from _forwards("module by channels", places, BATCHES[:1], repeats, device)


def _forwards(what: str, places: tuple[tuple[int, int, int], ...], batches: tuple[int, ...],
              repeats: int, device: torch.device) -> Iterator[Row]:
    for channels, height, width in places:
        built = {name: make(channels).eval().to(device) for name, make in MODULES.items()}
        for batch in batches:
            x = _uniform(batch, channels, height, width, device) - 0.5
            calls = {name: _inference(module, x) for name, module in built.items()}
            yield {
                "key": f"{what.replace(' ', '-')}-{channels}x{height}x{width}-batch{batch}",
                "what": what,
                "features": [channels, height, width],
                "batch": batch,
                **_compare(calls, "positionwise", repeats, device),
                **_sizes(built, x[:1]),
            }


def learning_modules(repeats: int, device: torch.device) -> Iterator[Row]:
    """Forward and backward of each module alone at 960 x 7 x 7: ratios to SimAM."""
    channels, height, width = PLACES[-1]
    batch = LEARNING_BATCH[device.type]
    built = {name: make(channels).to(device) for name, make in MODULES.items()}
    x = (_uniform(batch, channels, height, width, device) - 0.5).requires_grad_()
    slope = torch.ones_like(x)
    yield {
        "key": f"learning-module-{channels}x{height}x{width}-batch{batch}",
        "what": "learning module",
        "features": [channels, height, width],
        "batch": batch,
        **_compare({n: _both_ways(m, x, slope) for n, m in built.items()}, "simam", repeats, device),
        **_sizes(built, x[:1].detach()),
    }


def networks(repeats: int, device: torch.device) -> Iterator[Row]:
    """A forward pass of the small CNN with each attention: ratios to none."""
    built = {name: small_net(RunConfig(method=name), CLASSES).eval().to(device) for name in NETWORKS}
    side = RunConfig().shapes.image
    for batch in BATCHES:
        x = _uniform(batch, 3, *side, device)
        yield {
            "key": f"network-{side[0]}x{side[1]}-batch{batch}",
            "what": "network",
            "batch": batch,
            **_compare({n: _inference(m, x) for n, m in built.items()}, "none", repeats, device),
            **_sizes(built, x[:1]),
        }


def backbones(repeats: int, device: torch.device) -> Iterator[Row]:
    """A forward pass of MobileNetV3-large at 224 px, plain and with heads: ratios to plain.

    "rectangle-light-compiled" is the eager backbone with a head that ``Module.compile`` fused: the
    head is many small operators, and for one image they cost more to start than to run.
    """
    built = {name: net.eval() for name, net in _with_attention(device).items()}
    reason = _why_not_compiled()
    if reason is None:
        net = built[f"{IN_BACKBONE[0]}-compiled"] = copy.deepcopy(built[IN_BACKBONE[0]])
        (head,) = net.model.attached.values()
        head.compile(dynamic=False)
    else:
        print(f"bench: the compiled head is left out: {reason}", file=sys.stderr)
    side = DESIGNS[BACKBONE].image
    for batch in BATCHES:
        x = _uniform(batch, 3, side, side, device).to(memory_format=torch.channels_last)
        few = repeats if batch == 1 else max(1, repeats // 5)
        yield {
            "key": f"backbone-{BACKBONE}-{side}-batch{batch}",
            "what": "backbone",
            "batch": batch,
            "precision": _precision(device),
            **_compare({n: _inference(m, x) for n, m in built.items()}, "none", few, device),
            **_sizes({n: m for n, m in built.items() if not n.endswith("compiled")}, x[:1]),
        }


def backbone_steps(repeats: int, device: torch.device) -> Iterator[Row]:
    """A step of training (forward, backward, SGD) of the same networks: ratios to plain."""
    built = {name: net.train() for name, net in _with_attention(device).items()}
    side, batch = DESIGNS[BACKBONE].image, STEP_BATCH[device.type]
    x = _uniform(batch, 3, side, side, device).to(memory_format=torch.channels_last)
    yield {
        "key": f"step-{BACKBONE}-{side}-batch{batch}",
        "what": "backbone step",
        "batch": batch,
        "precision": _precision(device),
        **_compare({n: _step(m, x) for n, m in built.items()}, "none", max(1, repeats // 5), device),
    }


def shapes(repeats: int, device: torch.device) -> Iterator[Row]:
    """Finished images a second of ShapeField's default regime."""
    n = 512 if device.type == "cpu" else 4096
    yield {"key": "shapes-64x64", **throughput(ShapesConfig(), n, device, repeats)}


PARTS: dict[str, Callable[[int, torch.device], Iterator[Row]]] = {
    "module": modules,
    "channels": modules_by_channels,
    "learning-module": learning_modules,
    "network": networks,
    "backbone": backbones,
    "step": backbone_steps,
    "shapes": shapes,
}
"""What can be timed, by name."""


def bench(
    repeats: int = 50, device: str = "cpu", parts: tuple[str, ...] | None = None
) -> list[Row]:
    """The rows of ``parts`` (all of them if None), on one thread of the CPU or on a GPU.

    A part that needs a package that is missing is left out, with a message.

    Raises:
        ValueError: no repeats, an unknown part, a device that is neither "cpu" nor "cuda".
    """
    chosen = tuple(PARTS) if parts is None else tuple(parts)
    unknown = sorted(set(chosen) - set(PARTS))
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")
    if unknown:
        raise ValueError(f"parts must be among {', '.join(PARTS)}, got {unknown[0]!r}")
    place = torch.device(device)
    if place.type not in LEARNING_BATCH:
        raise ValueError(f"device must be one of {', '.join(LEARNING_BATCH)}, got {device!r}")
    rows = []
    with one_thread():
        for part in chosen:
            start = time.perf_counter()
            try:
                for row in PARTS[part](repeats, place):
                    seconds = round(time.perf_counter() - start, 3)
                    named = f"latency-{row['key']}" + ("" if place.type == "cpu" else f"-{place.type}")
                    rows.append({"kind": "latency", **row, "key": named, "device": place.type,
                                 "clock": clock_name(place), "seconds": seconds})
                    start = time.perf_counter()
            except LeftOut as reason:
                print(f"bench: {part} left out: {reason}", file=sys.stderr)
    return rows


def multiply_adds(module: nn.Module, x: torch.Tensor) -> int:
    """Multiply-adds of one pass on ``x``: of convolutions and matrix products, padding included."""
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        module(x)
    return counter.get_total_flops() // 2


def _why_not_compiled() -> str | None:
    """Why ``torch.compile`` fails on a small function (no C++ compiler, say); None if it works."""
    try:
        torch.compile(lambda x: x.sin() + 1)(torch.zeros(8))
    except Exception as error:  # whatever the backend raises: it is told
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
    return None


def _with_attention(device: torch.device) -> dict[str, nn.Module]:
    try:
        plain = backbone(BACKBONE)
    except RuntimeError as error:
        raise LeftOut(str(error)) from error
    built: dict[str, nn.Module] = {"none": plain}
    for name in IN_BACKBONE:
        built[name] = copy.deepcopy(plain)
        attach(built[name].model, at=plain.at, attention=MODULES[name])
    return {name: net.to(device, memory_format=torch.channels_last) for name, net in built.items()}


def _sizes(built: dict[str, nn.Module], x: torch.Tensor) -> Row:
    """Fields ``parameters`` and ``multiply_adds`` (of one input ``x``), by name."""
    counts = {}
    for name, module in built.items():
        if name in COUNTED and x.shape[1] == getattr(module, "channels", None):
            counts[name] = heads.multiply_adds(COUNTED[name], *x.shape[1:])
        else:
            counts[name] = multiply_adds(module, x)
    return {"parameters": {n: sum(p.numel() for p in m.parameters()) for n, m in built.items()},
            "multiply_adds": counts}


def _compare(calls: dict[str, Callable[[], Any]], base: str, repeats: int,
             device: torch.device) -> Row:
    return compared(turns(calls, repeats, device), base, np.random.default_rng(0))


def _uniform(n: int, channels: int, height: int, width: int, device: torch.device) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(n, channels, height, width, generator=generator).to(device)


def _precision(device: torch.device) -> str:
    """bfloat16 pays on a GPU; networks with depthwise convolutions are slower in it on a CPU."""
    return "float32" if device.type == "cpu" else "bfloat16"


def _autocast(device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=_precision(device) == "bfloat16")


def _inference(module: nn.Module, x: torch.Tensor) -> Callable[[], Any]:
    def call() -> None:
        with torch.no_grad(), _autocast(x.device):
            module(x)

    return call


def _both_ways(module: nn.Module, x: torch.Tensor, slope: torch.Tensor) -> Callable[[], Any]:
    wanted = [x, *module.parameters()]

    def call() -> None:
        torch.autograd.grad(module(x), wanted, slope)

    return call


def _step(net: nn.Module, x: torch.Tensor) -> Callable[[], Any]:
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4)
    labels = torch.arange(len(x), device=x.device)

    def call() -> None:
        with _autocast(x.device):
            loss = nn.functional.cross_entropy(net(x), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return call
