"""timm beside a CPU build of torch, for tests and for runs on this machine.

    python -m tests.timm_on_cpu training bench ...     a door, with timm usable

The torchvision of the package registry is linked to CUDA.  Beside a CPU build of torch its C++
operators do not load, and its import (and timm's) stops at the first of them that it describes.
Models need none of these operators: with their schemas declared the imports go through.
"""

from __future__ import annotations

import importlib
import importlib.util
import runpy
import sys

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_LIBRARIES = []  # a schema lives as long as the library object that declared it


def allow_timm() -> None:
    """Make ``import timm`` work; does nothing where torchvision imports, or is not installed."""
    if importlib.util.find_spec("torchvision") is None:
        return
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        import torch

        library = torch.library.Library("torchvision", "DEF")
        for schema in SCHEMAS:
            library.define(schema)
        _LIBRARIES.append(library)
        importlib.import_module("torchvision")


def main(argv: list[str]) -> None:
    """Run the module ``argv[0]`` as a program with the arguments that follow."""
    if not argv:
        raise SystemExit("usage: python -m tests.timm_on_cpu MODULE [ARGUMENT ...]")
    allow_timm()
    sys.argv = argv
    runpy.run_module(argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
