"""How pdoc lays out a page of ours: templates, and what they ask of the modules and the ledger."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from docs.reference.markup import protect
from theory.claims.ledger import RECORDED, ledger
from theory.claims.model import Claim

TEMPLATES = Path(__file__).with_name("templates")

_HEADING = re.compile(r"<h6[^>]*>(.*?)</h6>")  # "Arguments:" heads no part of the page
_EXAMPLE = re.compile(r"(<pre>.*?</pre>)", re.DOTALL)
_PLAIN_CODE = re.compile(r"<code>([\w.]+)(?:\(\))?</code>(?!</a>)")


def set_up(render: Any, exports: dict[str, Any], modules: dict[str, Any]) -> None:
    """Put our templates, filters, tests and globals into pdoc's environment.

    Args:
        render: the module ``pdoc.render``.
        exports: module -> the names in its ``__all__``.
        modules: module -> what pdoc read of it.
    """
    from pdoc.render_helpers import relative_link

    render.configure(docformat="google", search=False, show_source=False, template_directory=TEMPLATES)
    home = {(m.modulename, n): m for m in modules.values() for n in m.members}
    passed_on = {name: _exported(modules[name], names, home) for name, names in exports.items()}
    claims = _claims_by_code(passed_on)
    render.env.filters["protect"] = protect
    render.env.filters["latex"] = lambda latex: protect(f".. math:: {latex}").strip()
    render.env.filters["first"] = first_paragraph
    render.env.filters["prose"] = lambda text: Markup(render.env.filters["to_html"](text))
    render.env.filters["plain_headings"] = lambda html: _HEADING.sub(r'<p class="part">\1</p>', html)
    render.env.filters["anchor"] = lambda number: re.sub(r"[^a-z0-9]+", "-", number.lower())
    render.env.filters["relative"] = lambda target, current: relative_link(current, target)
    render.env.filters["link_prose"] = _link_prose
    render.env.filters["link"] = _link_if_public
    render.env.filters["passed_on"] = lambda html, module: _PLAIN_CODE.sub(
        lambda m: _link_passed_on(m, module.modulename, passed_on), html)
    render.env.tests["listed"] = lambda doc: (listed(doc)
                                              and (doc.kind != "module" or doc.fullname in modules))
    render.env.tests["documented"] = lambda doc: bool(
        doc.docstring and (doc.name != "__init__" or doc.obj.__doc__))  # not its parent's words
    render.env.tests["a_formula"] = lambda doc: (
        doc.kind == "variable" and doc.name == "statement" and "\\" in str(doc.default_value))
    render.env.tests["a_claim"] = lambda doc: isinstance(getattr(doc, "default_value", None), Claim)
    render.env.globals |= {
        "claims_of": lambda doc: claims.get(doc.fullname, ()),
        "recorded": json.loads(RECORDED.read_text())["verdicts"],
        "exported": lambda module: passed_on[module.modulename],
    }


def _claims_by_code(passed_on: dict[str, dict[str, str]]) -> dict[str, list[Claim]]:
    """The claims of the ledger by the place that defines the code they name."""
    out: dict[str, list[Claim]] = {}
    for claim in ledger().values():
        package, _, name = claim.code.rpartition(".")
        home = passed_on.get(package, {}).get(name)
        out.setdefault(f"{home}.{name}" if home else claim.code, []).append(claim)
    return out


@pass_context
def _link_prose(context: Context, html: str, namespace: str) -> str:
    """pdoc's links, but not in examples: there it takes ``.images`` for a module beside this one."""
    from pdoc.render_helpers import linkify

    parts = _EXAMPLE.split(html)
    return "".join(part if _EXAMPLE.match(part) else linkify(context, part, namespace, shorten=False)
                   for part in parts)


@pass_context
def _link_if_public(context: Context, spec: tuple[str, str], text: str | None = None) -> str:
    """pdoc's link to (module, name), or the bare name where the page does not show it."""
    from pdoc.render_helpers import link

    hidden = any(part.startswith("_") for part in spec[1].split("."))
    return text or spec[1] if hidden else link(context, spec, text)


def _exported(module: Any, names: Any, home: dict[tuple[str, str], Any]) -> dict[str, str]:
    """Name -> the module that defines it, for what a package passes on; own names are left out."""
    out = {}
    for name in names:
        value = getattr(module.obj, name)
        where = getattr(value, "__module__", None)
        if (where, name) not in home:  # a constant does not know where it lives
            where = next((m for (m, n), doc in home.items() if n == name
                          and m.startswith(module.modulename) and getattr(doc.obj, n) is value),
                         module.modulename)
        if where != module.modulename:
            out[name] = where
    return out


def _link_passed_on(found: re.Match[str], here: str, passed_on: dict[str, dict[str, str]]) -> str:
    """``package.name`` as a link to where the name is defined."""
    from pdoc.render_helpers import relative_link

    package, _, name = found[1].rpartition(".")
    home = passed_on.get(package, {}).get(name)
    return f'<a href="{relative_link(here, home)}#{name}">{found[0]}</a>' if home else found[0]


def listed(doc: Any) -> bool:
    """Whether a page shows a member: public, defined here; constructors that take something."""
    if doc.name == "__init__":
        return doc.kind == "function" and bool(doc.signature_without_self.parameters)
    elsewhere = doc.kind in ("class", "function") and doc.taken_from[0] != doc.modulename
    return not doc.name.startswith("_") and not elsewhere


def first_paragraph(docstring: str) -> str:
    """The first paragraph of a docstring in one line, formulas as words of :func:`protect`."""
    return " ".join(protect(docstring.partition("\n\n")[0]).split())
