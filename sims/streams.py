"""One counter-based random stream a cell: equal names, equal numbers, on any machine."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(name: str, seed: int) -> np.random.Generator:
    """The stream of a name: Philox with the key SHA-256(name, seed).

    Streams of different names are independent for all practical purposes, whatever the order in
    which, or the number of processes on which, cells are computed.

    >>> bool(stream("a", 0).integers(2**60) == stream("a", 0).integers(2**60))
    True
    """
    if int(seed) != seed or seed < 0:
        raise ValueError(f"seed must be a non-negative integer, got {seed}")
    digest = hashlib.sha256(f"{name}\n{int(seed)}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))
