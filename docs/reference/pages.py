"""The pages: what pdoc reads from the modules, with the paper's numbers and claims beside the names."""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docs.reference.layout import first_paragraph, listed, set_up
from docs.reference.markup import typeset
from docs.reference.numbers import numbers, sort_key
from paper_figures.typeset import NotTypeset
from theory.claims.ledger import ledger
from theory.claims.model import Claim
from theory.files import write_whole

ROOMS = ("theory", "sims", "training", "paper_figures")


@dataclass(frozen=True)
class Name:
    """A public name of a module, as the page of all names lists it.

    Attributes:
        module, qualname: where it is; ``qualname`` is empty for the module itself.
        kind: ``module``, ``class``, ``function`` or ``variable``.
        first: the first sentence of its docstring, formulas as words of :func:`protect`.
        numbers: the paper's numbers in its docstring.
    """

    module: str
    qualname: str
    kind: str
    first: str
    numbers: tuple[str, ...]

    @property
    def full(self) -> str:
        """The dotted name."""
        return f"{self.module}.{self.qualname}".rstrip(".")

    @property
    def link(self) -> str:
        """The address from the folder of the reference."""
        return self.module.replace(".", "/") + ".html" + (f"#{self.qualname}" if self.qualname else "")


def module_names() -> list[str]:
    """All modules of the four rooms but the doors (``__main__``), in the order of the rooms."""
    found = []
    for room in ROOMS:
        package = importlib.import_module(room)
        inner = pkgutil.walk_packages(package.__path__, f"{room}.")
        found += [room, *sorted(m.name for m in inner if not m.name.endswith("__main__"))]
    return found


def write(out: Path) -> list[Name]:
    """Write all pages into a folder; returns the names that are in them.

    A process that has called this is spoilt for other uses: ``__all__`` is taken from the packages,
    so that pdoc lists a name where it is defined and not where it is passed on.

    Raises:
        NotTypeset: a formula that cannot be typeset; names the module.
        ModuleNotFoundError: pdoc is missing.
    """
    import pdoc.doc
    import pdoc.render

    warnings.filterwarnings("ignore", "Error parsing type annotation")  # of named tuples
    exports = {}
    for name in module_names():
        inside = importlib.import_module(name).__dict__
        exports[name] = inside.pop("__all__", ())
        inside.pop("__dir__", None)
    modules = {name: pdoc.doc.Module.from_name(name) for name in exports}
    set_up(pdoc.render, exports, modules)
    names = list(_names(modules.values()))
    for name, module in modules.items():
        page = out / (name.replace(".", "/") + ".html")
        page.parent.mkdir(parents=True, exist_ok=True)
        _save(page, name, pdoc.render.html_module(module, modules))
    for page, values in (("index", {"names": names}), ("paper", {"entries": by_number(names)})):
        template = pdoc.render.env.get_template(f"{page}.html.jinja2")
        _save(out / f"{page}.html", page, template.render(all_modules=modules, rooms=ROOMS, **values))
    return names


def by_number(names: list[Name]) -> list[tuple[str, list[Name], list[Claim]]]:
    """For each number of the paper the names and the claims that refer to it, as the paper counts."""
    table: dict[str, tuple[list[Name], list[Claim]]] = {}
    for name in names:
        for number in name.numbers:
            table.setdefault(number, ([], []))[0].append(name)
    for claim in ledger().values():
        for number in numbers(claim.source):
            table.setdefault(number, ([], []))[1].append(claim)
    return [(number, *table[number]) for number in sorted(table, key=sort_key)]


def _names(modules: Any) -> Iterator[Name]:
    for module in modules:
        yield Name(module.modulename, "", "module", first_paragraph(module.docstring),
                   tuple(numbers(module.docstring)))
        for doc in module.flattened_own_members:
            inner = doc.own_members if doc.kind == "class" else ()
            for one in (doc, *(m for m in inner if m.kind != "class")):
                if listed(one) and listed(doc):
                    yield Name(module.modulename, one.qualname, one.kind,
                               first_paragraph(one.docstring), tuple(numbers(one.docstring)))


def _save(path: Path, name: str, html: str) -> None:
    try:
        text = typeset(html)
    except NotTypeset as error:
        raise NotTypeset(f"{name}: {error}") from error
    write_whole(path, text.encode("utf-8"))
