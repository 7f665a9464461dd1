"""Names of a package that are imported when they are first used, so that the package costs nothing."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def lazy(package: str, home: Mapping[str, Sequence[str]]) -> tuple[Callable[[str], Any], list[str]]:
    """``__getattr__`` and ``__all__`` of a package whose names live in the modules of ``home``.

    >>> find, names = lazy("shapes", {"math": ("pi", "tau")})
    >>> names, round(find("pi"), 2)
    (['pi', 'tau'], 3.14)
    """
    module_of = {name: module for module, names in home.items() for name in names}

    def find(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(module_of[name]), name)

    return find, sorted(module_of)
