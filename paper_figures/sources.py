"""Which files of this repository a module is made of: itself and all it imports, however deep."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("theory", "sims", "paper_figures")


def sources(*modules: str) -> tuple[Path, ...]:
    """The files of the modules and of everything of ours that they import, sorted.

    Found by reading, not by importing, so that it costs little.  Imports inside functions count; of a
    package whose names are imported when first used, only the homes of the names asked for.

    Raises:
        ModuleNotFoundError: a module that has no file.

    >>> [p.name for p in sources("theory.lazy")]
    ['__init__.py', 'lazy.py']
    """
    found: set[str] = set()
    ahead = list(modules)
    for module in modules:
        if _path(module) is None:
            raise ModuleNotFoundError(f"{module} has no file in {ROOT}")
    while ahead:
        module = ahead.pop()
        if module not in found:
            found.add(module)
            ahead += _imports(module)
    return tuple(sorted(path for m in found if (path := _path(m)) is not None))


@cache
def _path(module: str) -> Path | None:
    if module.split(".")[0] not in ROOMS:
        return None
    base = ROOT.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def _imports(module: str) -> tuple[str, ...]:
    """Our modules that a module names, and the packages it lies in."""
    path = _path(module)
    if path is None:
        return ()
    parts = module.split(".")
    found = [".".join(parts[:k]) for k in range(1, len(parts))]
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
            homes = _homes(node.module)
            for alias in node.names:
                found += [f"{node.module}.{alias.name}", homes.get(alias.name, "")]
    return tuple(m for m in dict.fromkeys(found) if _path(m) is not None)


@cache
def _homes(package: str) -> dict[str, str]:
    """The modules of the lazy names of a package, as its table ``_HOME`` has them."""
    path = _path(package)
    if path is None or path.name != "__init__.py":
        return {}
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_HOME":
            table = ast.literal_eval(node.value)
            return {name: home for home, names in table.items() for name in names}
    return {}
