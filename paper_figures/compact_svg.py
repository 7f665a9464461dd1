"""The SVG of a figure as a page carries it: drawn alike, in a fraction of the bytes.

Matplotlib writes coordinates to a millionth of a point, a style on every mark and a group around it.
:func:`compact` keeps what is drawn and in which order, and rounds it to what neither screen nor printer
resolves: lines to 1/100 point, glyphs to 1/1000 of the size of their font; pictures keep every pixel.
Files for papers (:func:`paper_figures.style.rendered`) do not come through here and keep all digits.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from paper_figures.compact_path import decimal, relative
from paper_figures.compact_png import repacked
from paper_figures.style import rendered

SVG, HREF = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
GLYPH = 10
"""Steps a unit of text: Matplotlib's units are 1/100 of the size of the font."""
_OUTLINE = re.compile(r"scale\(([0-9.]+)\)")
_SEEN_THROUGH = re.compile(r"(?<![a-z-])opacity:")
_JOINABLE = re.compile(r"fill:none;(?!.*opacity)")


class UnknownShape(ValueError):
    """An SVG holds what Matplotlib does not write for lines, text and pictures."""


@dataclass(frozen=True)
class Mark:
    """Something drawn: ``start`` and ``end`` of its element around the attributes of clip and style.

    ``path`` is what it draws where neighbours alike may be drawn in one with it; ``marker`` what stands
    at the point ``at``.
    """

    clip: str
    style: str
    start: str = ""
    end: str = "/>"
    path: str = ""
    marker: str = ""
    at: tuple[str, str] = ("0", "0")


def page_address(figure: Any) -> str:
    """A figure as the ``data:`` address of an SVG for a page.

    Pictures whose pixels are drawn as squares are carried in their own pixels.  A figure that holds
    what :func:`compact` does not know is carried as Matplotlib writes it.
    """
    for axes in figure.axes:
        for image in axes.get_images():
            if image.get_interpolation() == "nearest":
                image.set_interpolation("none")
    svg = rendered(figure, "svg").decode()
    try:
        return address(compact(svg))
    except UnknownShape:
        return address(svg)


def address(svg: str) -> str:
    """An SVG as a ``data:`` address that may stand between double quotes as it is.

    >>> address("<svg fill='#fff'/>")
    "data:image/svg+xml,%3Csvg fill='%23fff'/%3E"
    """
    for character in '%#<>"&':
        svg = svg.replace(character, f"%{ord(character):02X}")
    return "data:image/svg+xml," + " ".join(svg.split())


def compact(svg: str | bytes) -> str:
    """A figure's SVG by Matplotlib, smaller: on one line, its attributes in single quotes.

    Raises:
        UnknownShape: it holds what Matplotlib does not write for lines, text and pictures.
    """
    return _Compact(ElementTree.fromstring(svg)).text()


class _Compact:
    """One drawing: what of it is referred to gets a short name, in the order in which it is met."""

    def __init__(self, root: Element) -> None:
        self.root = root
        self.found = {e.attrib["id"]: e for d in root.iter(f"{SVG}defs") for e in d if "id" in e.attrib}
        self.names: dict[str, str] = {}
        self.styles: dict[str, str] = {}
        self.defined: dict[str, str] = {}
        texts = [self.glyphs(g) for g in root.iter(f"{SVG}g") if "transform" in g.attrib]
        self.pictures = {e.attrib[HREF]: repacked(e.attrib[HREF]) for e in root.iter(f"{SVG}image")}
        pictures = [self.pictures[e.attrib[HREF]] for e in root.iter(f"{SVG}image")]
        self.repeated = {k for k, n in Counter(texts + pictures).items() if n > 1 and len(k) > 60}

    def text(self) -> str:
        """The whole."""
        body = "".join(self.groups(self.marks(self.root, "")))
        size = [decimal(float(v)) for v in self.root.attrib["viewBox"].split()[2:]]
        rules = "".join(f".{name}{{{style}}}" for style, name in self.styles.items())
        return (f"<svg xmlns='http://www.w3.org/2000/svg' width='{size[0]}pt' height='{size[1]}pt' "
                f"viewBox='0 0 {' '.join(size)}'><style>svg{{stroke-linejoin:round}}{rules}</style>"
                f"<defs>{''.join(self.defined.values())}</defs>{body}</svg>")

    def marks(self, parent: Element, clip: str) -> Iterator[Mark]:
        """What is drawn in an element, in order."""
        for e in parent:
            kind = e.tag.removeprefix(SVG)
            inside = self.reference(e.get("clip-path", ""), clip)
            if kind in ("defs", "metadata"):
                continue
            if kind == "g" and "transform" not in e.attrib:
                yield from self.marks(e, inside)
            elif kind in ("g", "use", "path", "image"):
                yield from getattr(self, f"_{kind}")(e, inside)
            else:
                raise UnknownShape(f"the element {kind!r} is not known in a figure")

    def groups(self, marks: Iterable[Mark]) -> Iterator[str]:
        """Elements, with clip and style written once for neighbours that share them."""
        for clip, within in groupby(marks, lambda m: m.clip):
            parts = [list(g) for _, g in groupby(within, lambda m: (m.style, bool(m.path), m.marker))]
            drawn = "".join(self.styled(part) for part in parts)
            yield f"<g clip-path='{clip}'>{drawn}</g>" if clip else drawn

    def styled(self, marks: list[Mark]) -> str:
        """Elements of one style."""
        first = marks[0]
        name = f" class='{self.style(first.style)}'" if first.style else ""
        if first.path:
            return f"<path{name} d='{''.join(m.path for m in marks)}'/>"
        if first.marker and len(marks) > 1:
            points = " L ".join(" ".join(m.at) for m in marks)
            reference = self.marker(first.marker, name)
            return (f"<path fill='none' marker-start='{reference}' marker-mid='{reference}' "
                    f"marker-end='{reference}' d='{relative('M ' + points)}'/>")
        if len(marks) < 2 or _SEEN_THROUGH.search(first.style):
            return "".join(f"{m.start}{name}{m.end}" for m in marks)
        inner = "".join(m.start + m.end for m in marks)
        return f"<g{name}>{inner}</g>" if name else inner

    def _path(self, e: Element, clip: str) -> Iterator[Mark]:
        d, style = relative(e.get("d", "")), _short_style(e.get("style", ""))
        if d and style != "fill:none":
            alone = not _JOINABLE.match(style)
            yield Mark(clip, style, f"<path d='{d}'") if alone else Mark(clip, style, path=d)

    def _use(self, e: Element, clip: str) -> Iterator[Mark]:
        x, y = e.get("x", "0"), e.get("y", "0")
        name = self.reference(e.attrib[HREF])
        yield Mark(clip, _short_style(e.get("style", "")), marker=name, at=(x, y),
                   start=f"<use href='{name}' x='{decimal(float(x))}' y='{decimal(float(y))}'")

    def _g(self, e: Element, clip: str) -> Iterator[Mark]:
        """Text."""
        words, style = self.glyphs(e), _short_style(e.get("style", ""))
        turn = _transform(e.attrib["transform"], last=1 / GLYPH)
        if words in self.repeated:
            name = self.define(words, lambda n: f"<g id='{n}'>{words}</g>")
            yield Mark(clip, style, f"<use href='#{name}' transform='{turn}'")
        elif words:
            yield Mark(clip, style, f"<g transform='{turn}'", f">{words}</g>")

    def _image(self, e: Element, clip: str) -> Iterator[Mark]:
        picture, style = self.pictures[e.attrib[HREF]], _short_style(e.get("style", ""))
        if "opacity" in e.attrib:
            style += f";opacity:{e.attrib['opacity']}"
        turn = _transform(e.attrib["transform"])
        place = "".join(f" {k}='{decimal(float(e.attrib[k]))}'" for k in ("x", "y", "width", "height")
                        if k in e.attrib)
        element = f"{place} href='{picture}'"
        if picture in self.repeated:
            name = self.define(picture + place, lambda n: f"<image id='{n}'{element}/>")
            element = f"<use href='#{name}'"
        else:
            element = f"<image{element}"
        yield Mark(clip, style.lstrip(";"), f"{element} transform='{turn}'")

    def glyphs(self, e: Element) -> str:
        """The letters of a text, in tenths of Matplotlib's units."""
        out = []
        for part in e:
            if part.tag == f"{SVG}defs":
                continue
            if part.tag == f"{SVG}path":
                out.append(f"<path d='{relative(part.attrib['d'], 1, GLYPH)}'/>")
            elif part.tag != f"{SVG}use":
                raise UnknownShape(f"the element {part.tag!r} is not known in a text")
            elif self.found[part.attrib[HREF][1:]].get("d"):
                x, y, size = _placed(part.get("transform", ""))
                place = "".join(f" {k}='{v}'" for k, v in (("x", x), ("y", y)) if v)
                if size:
                    place = f" transform='translate({x} {y})scale({size})'"
                out.append(f"<use href='{self.reference(part.attrib[HREF])}'{place}/>")
        return "".join(out)

    def reference(self, given: str, otherwise: str = "") -> str:
        """``#id`` or ``url(#id)`` by its short name, which is defined now; another text as it is."""
        before, mark, after = given.partition("#")
        if not mark:
            return otherwise
        old = after.rstrip(")")
        name = self.define(old, lambda n: self.definition(self.found[old], n))
        return f"{before}#{name}{after[len(old):]}"

    def define(self, key: str, text: Any) -> str:
        """The short name of a key; ``text(name)`` is what it stands for."""
        if key not in self.names:
            self.names[key] = _letters(len(self.names))
            self.defined[key] = text(self.names[key])
        return self.names[key]

    def marker(self, reference: str, name: str) -> str:
        """The address of a marker, drawn at every point of a path: one element for all."""
        shape = f"<use href='{reference}'{name}/>"
        return "url(#{})".format(self.define(shape, lambda n: (
            f"<marker id='{n}' markerUnits='userSpaceOnUse' overflow='visible'>{shape}</marker>")))

    def definition(self, e: Element, name: str) -> str:
        """What is drawn by reference: a glyph, a marker, a clip, a hatch."""
        kind = e.tag.removeprefix(SVG)
        if kind == "path":
            scale = _OUTLINE.fullmatch(e.get("transform", ""))  # of a glyph; a marker has none
            grid = (1, GLYPH * float(scale[1])) if scale else (100, 1.0)
            return f"<path id='{name}' d='{relative(e.get('d', ''), *grid)}'/>"
        if kind not in ("clipPath", "pattern"):
            raise UnknownShape(f"the definition {kind!r} is not known in a figure")
        outer = "".join(f" {k}='{v}'" for k, v in e.attrib.items() if k != "id")
        return f"<{kind} id='{name}'{outer}>{''.join(_plain(part) for part in e)}</{kind}>"

    def style(self, text: str) -> str:
        """The class of a style."""
        text = re.sub(r"url\(#[^)]*\)", lambda m: self.reference(m[0]), text)
        return self.styles.setdefault(text, _letters(len(self.styles)))


def _plain(e: Element) -> str:
    """A rectangle or path of a clip or a hatch."""
    held = {k: decimal(float(v)) if k in ("x", "y", "width", "height") else v for k, v in e.items()}
    if "d" in held:
        held["d"] = relative(held["d"])
    return f"<{e.tag.removeprefix(SVG)}" + "".join(f" {k}='{v}'" for k, v in held.items()) + "/>"


def _short_style(style: str) -> str:
    """A style without blanks and defaults.

    >>> _short_style("fill: none; stroke: #000000; stroke-dashoffset: 0; stroke-width: 0.8")
    'fill:none;stroke:#000;stroke-width:.8'
    """
    out = []
    for part in filter(None, (p.strip() for p in style.split(";"))):
        name, _, value = (p.strip() for p in part.partition(":"))
        value = re.sub(r"^#(.)\1(.)\2(.)\3$", r"#\1\2\3", value)
        if name in ("stroke-width", "stroke-dasharray", "stroke-dashoffset", "opacity", "fill-opacity"):
            value = ",".join(decimal(float(v), 1000) for v in value.split(","))
        if (name, value) != ("stroke-dashoffset", "0"):
            out.append(f"{name}:{value}")
    return ";".join(out)


def _transform(text: str, last: float = 1.0) -> str:
    """A transform in its shortest form; ``last`` multiplies a final scale.

    >>> _transform("translate(34.7493 192.6951) scale(0.075 -0.075)", 0.1)
    'translate(34.75 192.7)scale(.0075 -.0075)'
    """
    out = []
    steps = re.findall(r"(\w+)\(([^)]*)\)", text)
    for k, (name, held) in enumerate(steps):
        numbers = [float(v) for v in held.replace(",", " ").split()]
        if last != 1 and k == len(steps) - 1:
            if name != "scale":
                raise UnknownShape(f"a text must end with a scale, got {text!r}")
            numbers = [v * last for v in numbers]
        fine = 100 if name in ("translate", "rotate") else 1_000_000
        out.append(f"{name}({' '.join(decimal(v, fine) for v in numbers)})")
    return "".join(out)


def _placed(text: str) -> tuple[int, int, str]:
    """Where a glyph stands, in steps, and its scale where that is not 1."""
    held = dict(re.findall(r"(\w+)\(([^)]*)\)", text))
    if set(held) - {"translate", "scale"}:
        raise UnknownShape(f"a glyph is placed by translate and scale, got {text!r}")
    x, y = ([round(float(v) * GLYPH) for v in held.get("translate", "0 0").split()] + [0])[:2]
    scale = float(held.get("scale", "1"))
    return x, y, "" if scale == 1 else decimal(scale, 10_000)


def _letters(number: int) -> str:
    """A short name: a, b, ..., z, A, ..., Z, aa, ..."""
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    out = ""
    number += 1
    while number:
        number, digit = divmod(number - 1, len(alphabet))
        out = alphabet[digit] + out
    return out
