"""Reading a page without a browser: structure, names of controls, colours and their contrast."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "hr", "input", "path", "rect"}
FIELDS = ("input", "select", "textarea")


class Page(HTMLParser):
    """Checks nesting; collects ids, addresses, headings, words, and what controls are called."""

    def __init__(self, text):
        super().__init__()
        self.stack, self.ids, self.addresses, self.levels, self.words = [], [], [], [], []
        self.alts, self.refers, self.nameless, self.scripts, self.elements = [], [], [], [], []
        self._open = []  # the elements that are open: tag, attributes, text inside
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.elements.append((tag, attrs))
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.addresses += [(tag, v) for k, v in attrs.items()
                           if k in ("src", "href", "xlink:href", "action", "srcset", "poster", "data")]
        for name in ("aria-labelledby", "aria-describedby", "for"):
            self.refers += attrs.get(name, "").split()
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag == "img":
            self.alts.append(attrs.get("alt", ""))
        if tag == "script":
            self.scripts.append(attrs)
        if tag in FIELDS and "aria-label" not in attrs and not any(t == "label" for t, _, _ in self._open):
            self.nameless.append((tag, attrs))
        if "svg" in (tag, *self.stack) and attrs.get("role") == "img" and not attrs.get("aria-label"):
            self.nameless.append((tag, attrs))
        assert tag not in ("iframe", "object", "embed")
        if tag not in VOID:
            self.stack.append(tag)
            self._open.append([tag, attrs, ""])

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag
        name, attrs, inside = self._open.pop()
        named = inside.strip() or attrs.get("aria-label")
        if name in ("a", "button", "label", "summary", "h1", "h2", "h3", "h4", "th") and not named:
            self.nameless.append((name, attrs))
        if self._open:
            self._open[-1][2] += inside

    def handle_data(self, data):
        self.words.append(data)
        if self._open:
            self._open[-1][2] += data


def contrast(first: str, second: str) -> float:
    """The contrast ratio of two colours ``#rrggbb``, from 1 to 21 (WCAG 2).

    >>> round(contrast("#ffffff", "#000000"), 6), contrast("#777777", "#777777")
    (21.0, 1.0)
    """
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def luminance(color: str) -> float:
    """Relative luminance of ``#rrggbb``."""
    parts = [int(color[k:k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def palettes(css: str) -> dict[str, dict[str, str]]:
    """The custom properties of a stylesheet that are colours: ``light``, and ``dark`` with what it changes."""
    light: dict[str, str] = {}
    dark: dict[str, str] = {}
    for media, body in _blocks(css):
        found = {name: _long(value) for name, value in re.findall(r"(--[\w-]+):\s*(#[0-9a-fA-F]{3,6})\b", body)}
        if "dark" in media:
            dark.update(found)
        elif "print" not in media:
            light.update(found)
    return {"light": light, "dark": {**light, **dark}}


def _long(color: str) -> str:
    return color if len(color) == 7 else "#" + "".join(2 * c for c in color[1:])


def _blocks(css: str) -> list[tuple[str, str]]:
    """``(media query or "", text)`` of the top level of a stylesheet."""
    out, at = [], 0
    for match in re.finditer(r"@media([^{]*)\{", css):
        if match.start() < at:
            continue
        depth, end = 1, match.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(css[end], 0)
            end += 1
        out += [("", css[at:match.start()]), (match[1], css[match.end():end - 1])]
        at = end
    return [*out, ("", css[at:])]
