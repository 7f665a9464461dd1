"""Counterexamples as ``ledger.json`` encodes them, and drawings of them.

An instance is JSON: objects, lists, numbers, strings, ``{"fraction": "1/3"}`` and
``{"array": nested lists, "dtype": name}``; ``{"float": "inf"}`` and ``{"repr": text}`` where JSON
has no number.  :func:`items` walks it into named leaves; masks become pixel grids, one-dimensional
arrays bar charts, and the rest a table.
"""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

MAX_CELLS = 4096
"""Larger arrays are described, not drawn."""


@dataclass(frozen=True)
class Item:
    """A named part of an instance: ``svg`` when it was drawn, ``text`` in any case."""

    name: str
    text: str
    svg: str = ""


Scales = dict[int, tuple[float, float]]
"""The ends of the bars of arrays, by how many values they have."""


def items(value: Any, name: str = "", scales: Scales | None = None) -> list[Item]:
    """The parts of an instance, depth first, with dotted names.

    Bars of one instance have one scale, from 0 to 1 where all values lie there; else one for arrays
    of the same length (``scales``, found from the instance itself).

    >>> [(i.name, i.text) for i in items({"k": {"fraction": "1/3"}, "grid": [2, 3]})]
    [('k', '1/3'), ('grid', '[2, 3]')]
    """
    scales = bar_scales(value) if scales is None else scales
    if _is_leaf(value):
        return [Item(name or "value", text(value))]
    if isinstance(value, dict) and "array" in value and set(value) <= {"array", "dtype"}:
        return _array(value["array"], str(value.get("dtype", "")), name or "value", scales)
    if isinstance(value, list):
        if all(_is_leaf(v) for v in value):
            return [Item(name or "value", text(value))]
        parts = {str(i): v for i, v in enumerate(value)}
    else:
        parts = {k: v for k, v in value.items() if k != "type"}
        if "type" in value:
            name = f"{name} ({value['type']})" if name else str(value["type"])
    out = []
    for key, part in parts.items():
        out += items(part, f"{name}.{key}" if name else key, scales)
    return out


def bar_scales(value: Any) -> Scales:
    """The common scales of the one-dimensional arrays of an instance, by their length.

    >>> bar_scales([{"array": [0.5, 0]}, {"array": [1]}]), bar_scales([{"array": [3]}, {"array": [-2]}])
    ({2: (0.0, 1.0), 1: (0.0, 1.0)}, {1: (-2.0, 3.0)})
    """
    found: dict[int, list[float]] = {}
    ahead = [value]
    while ahead:
        part = ahead.pop(0)
        if isinstance(part, dict) and isinstance(part.get("array"), list):
            numbers = [_number(v) for v in part["array"]] if len(_shape(part["array"])) == 1 else []
            if None not in numbers:
                found.setdefault(len(numbers), []).extend(v for v in numbers if v is not None)
        elif isinstance(part, dict | list):
            ahead += part.values() if isinstance(part, dict) else part
    found = {length: values for length, values in found.items() if values}
    unit = all(0 <= v <= 1 for values in found.values() for v in values)
    return {length: (0.0, 1.0) if unit else (min(0.0, *values), max(0.0, *values))
            for length, values in found.items()}


def text(value: Any) -> str:
    """A leaf in words."""
    if isinstance(value, dict) and _is_leaf(value):
        return str(next(iter(value.values())))
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return "[" + ", ".join(text(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {text(v)}" for k, v in value.items()) + "}"
    return str(value)


def mask_svg(rows: list[list[float]], name: str) -> str:
    """A grid of cells: of a mask, filled is +1 and empty -1; else 1 and 0, with shades between."""
    height, width = len(rows), len(rows[0])
    cell = max(4, min(22, 176 // max(height, width)))
    flat = [v for row in rows for v in row]
    is_mask = _is_mask(flat)
    cells = []
    for i, row in enumerate(rows):
        for j, v in enumerate(row):
            shade = (v + 1) / 2 if is_mask else v
            opacity = "" if shade in (0, 1) else f' fill-opacity="{shade:.3f}"'
            kind = "off" if shade == 0 else "on"
            cells.append(f'<rect class="{kind}" x="{j * cell + 1}" y="{i * cell + 1}" '
                         f'width="{cell}" height="{cell}"{opacity}/>')
    if is_mask:
        words = f"{flat.count(1)} of {height * width} cells are +1"
    else:
        words = "values " + ", ".join(f"{v:.3g}" for v in flat[:64])
    label = f"{name}: {height} by {width} grid, {words}"
    return _svg(width * cell + 2, height * cell + 2, label, "".join(cells))


def bars_svg(
    values: list[float], labels: list[str], name: str, ends: tuple[float, float] = (0.0, 0.0)
) -> str:
    """A small bar chart with its values written beside the bars; ``ends`` are on the scale too."""
    top, bottom = max(0.0, *ends, *values), min(0.0, *ends, *values)
    scale = 110 / ((top - bottom) or 1.0)
    zero = 30 - bottom * scale
    parts = []
    for i, (v, label) in enumerate(zip(values, labels, strict=True)):
        x, width = (zero, v * scale) if v >= 0 else (zero + v * scale, -v * scale)
        y = 16 * i
        parts.append(f'<text class="tick" x="24" y="{y + 12}" text-anchor="end">{i}</text>'
                     f'<rect class="on" x="{x:.2f}" y="{y + 3}" width="{max(width, 0.6):.2f}" '
                     f'height="10"/><text class="tick" x="{34 + 110}" y="{y + 12}">'
                     f"{html.escape(label)}</text>")
    parts.append(f'<line class="axis" x1="{zero:.2f}" x2="{zero:.2f}" y1="0" '
                 f'y2="{16 * len(values)}"/>')
    wide = 150 + 7 * max(len(label) for label in labels)
    label = f"{name}: " + ", ".join(labels)
    return _svg(wide, 16 * len(values) + 2, label, "".join(parts))


def _array(nested: Any, dtype: str, name: str, scales: Scales) -> list[Item]:
    shape = _shape(nested)
    flat = _flatten(nested)
    numbers = [_number(v) for v in flat]
    words = text(nested) if len(flat) <= 64 else f"{dtype} array of shape {list(shape)}"
    if not flat or len(flat) > MAX_CELLS or any(v is None for v in numbers):
        return [Item(name, words)]
    if len(shape) == 1 and len(flat) <= 64:
        labels = [text(v) for v in flat]
        return [Item(name, words, bars_svg(numbers, labels, name, scales.get(len(flat), (0.0, 0.0))))]
    drawable = _is_mask(numbers) or all(0 <= v <= 1 for v in numbers)
    if len(shape) == 2 and drawable:
        height, width = shape
        rows = [numbers[i * width:(i + 1) * width] for i in range(height)]
        shown = name if _is_mask(numbers) else f"{name} (1 filled, 0 empty)"
        return [Item(shown, words, mask_svg(rows, name))]
    if len(shape) > 2 and shape[0] <= 16 and drawable:
        return [item for i, part in enumerate(nested)
                for item in _array(part, dtype, f"{name}[{i}]", scales)]
    return [Item(name, words)]


def _svg(width: float, height: float, label: str, body: str) -> str:
    label = html.escape(label, quote=True)
    return (f'<svg class="drawn" role="img" aria-label="{label}" width="{width:g}" '
            f'height="{height:g}" viewBox="0 0 {width:g} {height:g}">{body}</svg>')


def _number(value: Any) -> float | None:
    try:
        out = float(Fraction(value["fraction"]) if isinstance(value, dict) else value)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return out if math.isfinite(out) else None


def _is_mask(values: list[float]) -> bool:
    return set(values) <= {-1, 1}


def _is_leaf(value: Any) -> bool:
    if isinstance(value, dict):
        return len(value) == 1 and next(iter(value)) in ("fraction", "float", "repr")
    return not isinstance(value, list)


def _shape(nested: Any) -> tuple[int, ...]:
    shape = []
    while isinstance(nested, list):
        shape.append(len(nested))
        nested = nested[0] if nested else None
    return tuple(shape)


def _flatten(nested: Any) -> list[Any]:
    if not isinstance(nested, list):
        return [nested]
    return [v for part in nested for v in _flatten(part)]
