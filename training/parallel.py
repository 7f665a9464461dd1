"""The same program on one process or on several that ``torchrun`` started.

All processes draw the same global batch and take a part of it each (:meth:`World.shard`); a process
back-propagates the SUM of its losses over the global batch size, and :meth:`World.sum_gradients`
adds up: the gradient of the global mean, to rounding.  Integer counts add up exactly.

Layers that look across the batch (batch normalisation while training) see their own part only.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

FIELDS = ("RANK", "WORLD_SIZE", "LOCAL_RANK")


@dataclass(frozen=True)
class World:
    """A process among ``size``.

    Every method but :meth:`shard` is a meeting: all processes must call it, in the same order.

    Args:
        rank: of this process, from 0; rank 0 alone writes files.
        size: number of processes.
        local_rank: of this process on its machine.
        device: what it computes on.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.size:
            raise ValueError(f"rank must be in 0 to size - 1 = {self.size - 1}, got {self.rank}")
        if self.local_rank < 0:
            raise ValueError(f"local_rank must not be negative, got {self.local_rank}")

    @classmethod
    def single(cls, device: torch.device | str = "cpu") -> World:
        """One process alone; needs no process group."""
        return cls(device=torch.device(device))

    @classmethod
    def from_environment(cls, device: torch.device | str = "cpu") -> World:
        """The world that ``torchrun`` says this process is in; alone where it says nothing.

        Args:
            device: "cpu", or "cuda": then the GPU numbered ``LOCAL_RANK``.

        Raises:
            ValueError: an environment that says half of it, or no number; more processes on the
                machine than GPUs.
        """
        device = torch.device(device)
        given = {name: os.environ[name] for name in FIELDS if name in os.environ}
        if given and len(given) < len(FIELDS):
            raise ValueError(f"torchrun sets {', '.join(FIELDS)} together, got only {given}")
        try:
            rank, size, local = (int(given.get(name, d)) for name, d in zip(FIELDS, (0, 1, 0),
                                                                            strict=True))
        except ValueError as error:
            raise ValueError(f"{', '.join(FIELDS)} must be integers, got {given}") from error
        if device.type == "cuda" and device.index is None:
            if local >= torch.cuda.device_count():
                raise ValueError(f"LOCAL_RANK {local} needs {local + 1} GPUs, this machine has "
                                 f"{torch.cuda.device_count()}")
            device = torch.device("cuda", local)
        return cls(rank, size, local, device)

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def shard(self, indices: Any) -> Any:
        """This process's part of a global batch: contiguous, sizes that differ by at most 1.

        ``indices`` is anything with a length and slices; the parts in order of rank are the whole.

        >>> [World(rank, 3).shard(range(7)) for rank in range(3)]
        [range(0, 3), range(3, 5), range(5, 7)]
        """
        share, more = divmod(len(indices), self.size)
        start = self.rank * share + min(self.rank, more)
        return indices[start:start + share + (self.rank < more)]

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Add up the gradients of all processes, in one message.

        A gradient that is None in some processes counts as 0; None in all stays None, as it would
        be with one process.
        """
        if self.size == 1:
            return
        parameters = [p for p in parameters if p.requires_grad]
        if not parameters:
            return
        dtype = torch.float32
        for p in parameters:
            dtype = torch.promote_types(dtype, p.dtype)
        zero = torch.zeros((), dtype=dtype, device=self.device)
        parts = [(zero.expand(p.numel()) if p.grad is None else p.grad.flatten().to(dtype))
                 for p in parameters]
        there = torch.tensor([p.grad is not None for p in parameters], device=self.device)
        bucket = torch.cat([there.to(dtype), *parts])
        dist.all_reduce(bucket)
        there, *sums = bucket.split([len(parameters), *(p.numel() for p in parameters)])
        for p, total, known in zip(parameters, sums, (there > 0).tolist(), strict=True):
            if known:
                if p.grad is None:
                    p.grad = torch.empty_like(p)
                p.grad.copy_(total.view_as(p))

    def sum_scalar(self, value: Tensor | float) -> float:
        """The sum over the processes of one number, in float64; NaN in one is NaN in all."""
        total = torch.as_tensor(value, dtype=torch.float64, device=self.device).clone()
        if self.size > 1:
            dist.all_reduce(total)
        return float(total)

    def sum_counts(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Add up integer tensors of all processes, exactly, in one message; int64.

        Raises:
            ValueError: a tensor that is not of integers or booleans (floating sums would depend on
                the number of processes), or names or shapes that differ between processes.
        """
        names = sorted(state)
        for name in names:
            if state[name].is_floating_point() or state[name].is_complex():
                raise ValueError(f"counts must be integers, got {state[name].dtype} for {name!r}")
        if self.size == 1:
            return {name: state[name].to(torch.int64) for name in state}
        layout = repr([(name, tuple(state[name].shape)) for name in names]).encode()
        if not self._same(layout):
            raise ValueError("counts must have the same names and shapes in all processes, got "
                             f"{layout.decode()} in rank {self.rank}")
        flat = torch.cat([torch.empty(0, dtype=torch.int64, device=self.device),
                          *(state[name].to(self.device, torch.int64).flatten() for name in names)])
        dist.all_reduce(flat)
        sums = dict(zip(names, flat.split([state[name].numel() for name in names]), strict=True))
        return {name: sums[name].view(state[name].shape) for name in state}

    def gather_rows(self, rows: list[Any]) -> list[Any]:
        """The rows of all processes in order of rank, in every process.

        Rows about the parts of :meth:`shard` come out in the order of the global batch.
        """
        if self.size == 1:
            return list(rows)
        gathered: list[Any] = [None] * self.size
        dist.all_gather_object(gathered, rows)
        return [row for part in gathered for row in part]

    def same_everywhere(self, tensor: Tensor) -> bool:
        """Whether all processes hold the same bits, shape and dtype."""
        if self.size == 1:
            return True
        value = tensor.detach().cpu().contiguous()
        head = repr((value.dtype, tuple(value.shape))).encode()
        return self._same(head + value.reshape(-1).view(torch.uint8).numpy().tobytes())

    def wait(self) -> None:
        """Go on when all processes are here."""
        if self.size > 1:
            self.sum_scalar(0.0)

    def _same(self, data: bytes) -> bool:
        number = int.from_bytes(hashlib.sha256(data).digest()[:8], "big", signed=True) >> 1
        ends = torch.tensor([number, -number], dtype=torch.int64, device=self.device)
        dist.all_reduce(ends, dist.ReduceOp.MAX)  # the largest, and minus the smallest
        return int(ends[0]) == -int(ends[1])


@contextlib.contextmanager
def world(device: torch.device | str = "cpu", *, timeout: float = 600.0) -> Iterator[World]:
    """The world of this process, with a process group (gloo on the CPU, NCCL on CUDA) inside.

    Args:
        device: "cpu" or "cuda", as in :meth:`World.from_environment`.
        timeout: seconds after which a meeting that not all come to is an error.
    """
    here = World.from_environment(device)
    if here.size == 1:
        yield here
        return
    # Optimisers import it.  Were it imported inside, it would keep the group and its threads alive
    # after the group is destroyed, and they abort Python now and then at its end.
    importlib.import_module("torch._dynamo")
    kwargs: dict[str, Any] = {"timeout": timedelta(seconds=timeout)}
    if here.device.type == "cuda":
        torch.cuda.set_device(here.device)
        kwargs["device_id"] = here.device
    dist.init_process_group("nccl" if here.device.type == "cuda" else "gloo", **kwargs)
    try:
        yield here
    finally:
        dist.destroy_process_group()
