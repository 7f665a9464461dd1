"""What an SVG paints, one shape after the other in page coordinates: a second route to its meaning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np

SVG, HREF = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
PAINT = ("fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray",
         "stroke-linecap", "stroke-linejoin")
START = {"fill": "#000000", "stroke": "none", "stroke-width": "1", "stroke-linecap": "butt",
         "stroke-linejoin": "miter"}


@dataclass(frozen=True)
class Shape:
    """A subpath or a picture: ``points`` (k, 2) with all controls, ``paint`` in words, clip as numbers,
    and the picture, or with how many others a subpath is painted where one sees through."""

    kind: str
    points: np.ndarray
    paint: tuple[tuple[str, str], ...]
    clip: tuple[float, ...]
    extra: str = ""


def flat(text: str | bytes) -> list[Shape]:
    """All that is painted, in order."""
    root = ElementTree.fromstring(text)
    ids = {e.get("id"): e for e in root.iter() if e.get("id")}
    rules: dict[str, dict[str, str]] = {}
    for style in root.iter(f"{SVG}style"):
        for name, body in re.findall(r"([^{}]+)\{([^}]*)\}", style.text or ""):
            rules[name.strip()] = _pairs(body)
    return list(_paint(root, np.eye(3), dict(START), (), ids, rules))


def _paint(e, at, paint, clip, ids, rules) -> Iterator[Shape]:
    kind = e.tag.removeprefix(SVG)
    if kind in ("defs", "metadata", "style", "clipPath", "pattern", "marker"):
        return
    own = {**rules.get("*", {}), **rules.get(kind, {}), **{k: e.get(k) for k in PAINT if e.get(k)},
           **rules.get("." + e.get("class", ""), {}), **_pairs(e.get("style", ""))}
    if kind == "g" and "opacity" in own:  # of all in it together
        own["opacity"] = f"group {own['opacity']}"
    paint = {**paint, **own}
    at = at @ _matrix(e.get("transform", ""))
    if e.get("clip-path"):
        box = ids[e.get("clip-path")[5:-1]][0]
        clip = tuple(float(box.get(k)) for k in ("x", "y", "width", "height"))
    told = _told(paint, ids)
    address = e.get("href") or e.get(HREF)
    if kind == "use":
        moved = at @ _shift(float(e.get("x", 0)), float(e.get("y", 0)))
        yield from _paint(ids[address[1:]], moved, paint, clip, ids, rules)
    elif kind == "image":
        x, y, w, h = (float(e.get(k, 0)) for k in ("x", "y", "width", "height"))
        yield Shape(kind, _moved(at, [(x, y), (x + w, y), (x, y + h)]), told, clip, address)
    elif kind == "path":
        parts = list(subpaths(e.get("d", "")))
        seen_through = any("opacity" in name for name, _ in told)
        for points in parts:
            if e.get("marker-mid"):
                marker = ids[e.get("marker-mid")[5:-1]]
                assert {e.get(f"marker-{k}") for k in ("start", "end")} == {e.get("marker-mid")}
                assert (marker.get("markerUnits"), marker.get("overflow")) == ("userSpaceOnUse", "visible")
                assert len(points) > 1  # the only one would be painted twice
                shape = marker[0]
                own = {**START, **rules.get("svg", {})}  # a marker inherits from where it is defined
                for x, y in points:
                    yield from _paint(shape, at @ _shift(x, y), own, clip, ids, rules)
            elif (paint["fill"], paint["stroke"]) != ("none", "none"):
                together = f"one of {len(parts)}" if seen_through else ""
                yield Shape(kind, _moved(at, points), told, clip, together)
    else:
        for child in e:
            yield from _paint(child, at, paint, clip, ids, rules)


def subpaths(d: str) -> Iterator[np.ndarray]:
    """The points of each subpath with the controls of curves; a closed one ends where it starts."""
    tokens = re.findall(r"[A-Za-z]|-?(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?", d)
    counts = {"M": 2, "L": 2, "H": 1, "V": 1, "Q": 4, "C": 6}
    points: list[tuple[float, float]] = []
    k, letter = 0, ""
    while k < len(tokens):
        if tokens[k].isalpha():
            letter, k = tokens[k], k + 1
        big = letter.upper()
        if big == "Z":
            points.append(points[0])
            continue
        given = [float(v) for v in tokens[k:k + counts[big]]]
        k += counts[big]
        x, y = points[-1] if points and letter.islower() else (0.0, 0.0)
        if big == "M" and points:
            yield np.array(points)
            points = []
        if big == "H":
            points.append((x + given[0], points[-1][1]))
        elif big == "V":
            points.append((points[-1][0], y + given[0]))
        else:
            points += [(x + a, y + b) for a, b in zip(given[::2], given[1::2], strict=True)]
    if points:
        yield np.array(points)


def _told(paint: dict[str, str], ids) -> tuple[tuple[str, str], ...]:
    """Paint in comparable words; of hatches only that they are."""
    out = {}
    for name, value in paint.items():
        value = re.sub(r"^#(\w)(\w)(\w)$", r"#\1\1\2\2\3\3", value)
        if value.startswith("url(#"):
            assert value[5:-1] in ids
            value = "hatch"
        if re.fullmatch(r"[-\d., ]+", value):
            value = ",".join(f"{float(v):.3f}" for v in value.split(","))
        out[name] = value
    if out["stroke"] == "none":  # nothing of it is seen
        out = {k: v for k, v in out.items() if not k.startswith("stroke")}
    if out.get("stroke-dashoffset") == "0.000":
        del out["stroke-dashoffset"]
    return tuple(sorted(out.items()))


def _pairs(style: str) -> dict[str, str]:
    return {k.strip(): v.strip() for k, _, v in (p.partition(":") for p in style.split(";")) if v}


def _shift(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


def _matrix(text: str) -> np.ndarray:
    out = np.eye(3)
    for name, held in re.findall(r"(\w+)\(([^)]*)\)", text):
        v = [float(n) for n in held.replace(",", " ").split()]
        if name == "translate":
            step = _shift(v[0], (v + [0])[1])
        elif name == "scale":
            step = np.diag([v[0], (v + v)[1], 1])
        elif name == "rotate":
            c, s = np.cos(np.deg2rad(v[0])), np.sin(np.deg2rad(v[0]))
            step = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        else:
            assert name == "matrix", name
            step = np.array([[v[0], v[2], v[4]], [v[1], v[3], v[5]], [0, 0, 1]])
        out = out @ step
    return out


def _moved(at: np.ndarray, points) -> np.ndarray:
    return np.asarray(points) @ at[:2, :2].T + at[:2, 2]
