"""What a figure looks like in a few kilobytes, the same on every machine and in every font.

Two records of a figure, kept in ``references/``: ``NAME.png``, the figure without its text, 64 pixels
wide; ``NAME.json``, what its axes hold: words, scales, limits, and of each line, bar, area and image the
colours and a few numbers of its place.  A changed curve, colour, scale or legend changes one of them; a
font or its hinting changes neither, because text counts as words and not as pixels.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.collections import Collection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator
from matplotlib.transforms import Bbox
from PIL import Image

from paper_figures.style import RC

REFERENCES = Path(__file__).parent / "references"
WIDTH = 64
SHADES = 12
"""Of 255: how far a channel of a pixel of the small picture may move; another rasteriser moves it a little."""

NUMBERS = 2e-3
"""How far a recorded number may move: places are shares of the axes, limits count relative to the larger."""

OVERHANG = 0.02
"""What may stick out of the figure, as a share of its size: another font is a little wider."""


def signature(figure: Figure) -> dict[str, Any]:
    """What a figure holds, as JSON."""
    return {"size": [_short(v) for v in figure.get_size_inches()],
            "words": [_words(t) for t in figure.texts],
            "legends": [_legend(legend) for legend in figure.legends],
            "axes": [_axes(ax) for ax in figure.axes]}


def picture(figure: Figure) -> np.ndarray:
    """The figure without text and legends, 64 pixels wide: ``(height, 64, 3)``, 8 bits.

    The figure is changed: draw it anew for any other use.
    """
    for ax in figure.axes:
        ax.tick_params(which="both", labelbottom=False, labeltop=False, labelleft=False, labelright=False)
    for legend in figure.findobj(Legend):  # hidden ones would still take their room
        legend.remove()
    for text in figure.findobj(Text):
        text.set_visible(False)
        text.set_in_layout(False)
    with matplotlib.rc_context(RC):
        figure.set_dpi(200)
        figure.canvas.draw()
    image = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")
    height = max(1, round(WIDTH * image.height / image.width))
    return np.asarray(image.resize((WIDTH, height), Image.Resampling.BOX))


def overhang(figure: Figure) -> float:
    """How far the ink of a figure, legends and text too, passes its edge, as a share of its size."""
    with matplotlib.rc_context(RC):
        figure.canvas.draw()
        renderer = figure.canvas.get_renderer()
        boxes = [figure.get_tightbbox(renderer).transformed(figure.dpi_scale_trans)]
        for artist in (*figure.findobj(Legend), *figure.texts, *(t for ax in figure.axes for t in ax.texts)):
            if artist.get_visible():  # also those that the layout does not make room for
                boxes.append(artist.get_window_extent(renderer))
    box, page = Bbox.union(boxes), figure.bbox
    return max(-box.x0 / page.width, box.x1 / page.width - 1, -box.y0 / page.height, box.y1 / page.height - 1)


def record(figure: Figure) -> tuple[str, bytes]:
    """Both records of a figure as the contents of their files; the figure is used up."""
    text = as_text(signature(figure))
    buffer = io.BytesIO()
    Image.fromarray(picture(figure)).save(buffer, "png", optimize=True)
    return text, buffer.getvalue()


def differences(figure: Figure, name: str, folder: Path = REFERENCES) -> list[str]:
    """How a figure differs from its records, in words; empty if it does not.  The figure is used up."""
    kept, image = folder / f"{name}.json", folder / f"{name}.png"
    if not (kept.is_file() and image.is_file()):
        return [f"no reference: look at the figure, then python -m tests.paper_figures.renew {name}"]
    found = compare(json.loads(kept.read_text(encoding="utf-8")), json.loads(as_text(signature(figure))))
    past = overhang(figure)
    if past > OVERHANG:
        found.append(f"something sticks out of the figure by {past:.1%} of its size")
    return found + compare_pictures(np.asarray(Image.open(image).convert("RGB")), picture(figure))


def compare(old: Any, new: Any, path: str = "") -> list[str]:
    """Where two signatures differ; shares are equal within :data:`NUMBERS`, limits relative to the larger."""
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        return [d for k in old for d in compare(old[k], new[k], f"{path}.{k}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        if old and all(isinstance(v, int | float) for v in (*old, *new)):
            scale = max(map(abs, old)) if path.endswith("limits") else 1.0
            return [] if np.allclose(new, old, rtol=0, atol=NUMBERS * scale) else [f"{path}: {old} became {new}"]
        return [d for k, (a, b) in enumerate(zip(old, new, strict=True))
                for d in compare(a, b, f"{path}[{k}]")]
    return [] if old == new else [f"{path}: {_brief(old)} became {_brief(new)}"]


def compare_pictures(old: np.ndarray, new: np.ndarray) -> list[str]:
    """Whether two small pictures differ: in shape, or in a pixel by more than :data:`SHADES`."""
    if old.shape != new.shape:
        return [f"picture: shape {old.shape} became {new.shape}"]
    gap = np.abs(old.astype(int) - new).max(axis=2)
    if gap.max() <= SHADES:
        return []
    y, x = np.unravel_index(gap.argmax(), gap.shape)
    return [f"picture: {int((gap > SHADES).sum())} of {gap.size} pixels differ, most at ({x}, {y}): "
            f"{old[y, x].tolist()} became {new[y, x].tolist()}"]


def as_text(found: dict[str, Any]) -> str:
    """A signature as JSON, an artist a line."""
    def dump(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    lines = [f"{dump(k)}:{dump(found[k])}" for k in ("size", "words", "legends")]
    axes = ",\n".join("{" + ",\n ".join(
        f"{dump(k)}:" + ("[" + ",\n  ".join(map(dump, v)) + "]" if k in _ARTISTS else dump(v))
        for k, v in ax.items()) + "}" for ax in found["axes"])
    return "{" + ",\n".join([*lines, f'"axes":[{axes}]']) + "}\n"


_ARTISTS = ("lines", "areas", "patches", "images")


def _axes(ax: Any) -> dict[str, Any]:
    drawn = [a for a in ax.get_children() if a.get_visible()]
    frame = {id(a) for a in (ax.patch, *ax.spines.values())}
    titles = (ax.title, ax._left_title, ax._right_title, ax.xaxis.label, ax.yaxis.label)
    legend = ax.get_legend()
    return {
        "words": [_words(t) for t in (*titles, *ax.texts)],
        "scales": [ax.get_xscale(), ax.get_yscale()],
        "x limits": [_short(v) for v in ax.get_xlim()], "y limits": [_short(v) for v in ax.get_ylim()],
        "ticks": [_fixed_ticks(ax.xaxis), _fixed_ticks(ax.yaxis)],
        "grid": [any(g.get_visible() for g in a.get_gridlines()) for a in (ax.xaxis, ax.yaxis)],
        "legend": _legend(legend) if legend and legend.get_visible() else None,
        "lines": [_line(a, ax) for a in drawn if isinstance(a, Line2D)],
        "areas": [_collection(a, ax) for a in drawn if isinstance(a, Collection)],
        "patches": [_patch(a, ax) for a in drawn if isinstance(a, Patch) and id(a) not in frame],
        "images": [_image(a) for a in drawn if isinstance(a, AxesImage)],
    }


def _line(line: Line2D, ax: Any) -> list[Any]:
    points = line.get_transform().transform(np.column_stack(line.get_data()).astype(float))
    return [f"{_label(line)} {_pen(line)} {_short(line.get_linewidth())} {len(points)}", _place(points, ax)]


def _collection(found: Collection, ax: Any) -> list[Any]:
    if isinstance(found, PathCollection):
        points = found.get_offset_transform().transform(np.ma.getdata(found.get_offsets()))
    else:
        paths = [p.vertices for p in found.get_paths() if len(p.vertices)]
        points = found.get_transform().transform(np.concatenate(paths)) if paths else np.empty((0, 2))
    return [f"{type(found).__name__} {_label(found)} {_pen(found)} {len(points)}", _place(points, ax),
            [] if found.get_array() is None else _shades(found)]


def _patch(patch: Patch, ax: Any) -> list[Any]:
    points = patch.get_transform().transform(patch.get_path().vertices)
    return [f"{_label(patch)} {_pen(patch)} {patch.get_hatch() or ''}", _place(points, ax)]


def _image(image: AxesImage) -> dict[str, Any]:
    return {"kind": f"{np.shape(image.get_array())} {image.get_cmap().name}",
            "limits": [_short(v) for v in image.get_clim()], "shades": _shades(image)}


def _shades(artist: Any) -> list[float]:
    """Values as shares of the range of the colours; pictures made of colours as they are."""
    values = np.ma.getdata(artist.get_array())
    if values.ndim == 3:
        return _summary(values / (255 if values.dtype == np.uint8 else 1))
    low, high = artist.get_clim()
    return _summary((values - low) / (high - low or 1))


def _legend(legend: Legend) -> list[str]:
    handles = [h for h in legend.legend_handles if h is not None]
    return ["framed" if legend.get_frame_on() else "no frame"] + [
        f"{_words(t)}: {_pen(h)}" for t, h in zip(legend.get_texts(), handles, strict=True)]


def _pen(artist: Any) -> str:
    """Colours, and of a line its style and marker."""
    if isinstance(artist, Line2D):
        marker = artist.get_marker()
        marker = marker if isinstance(marker, str | int) else "path"
        return f"{_colors([artist.get_color()])} {artist.get_linestyle()} {marker} " + _colors(
            [artist.get_markerfacecolor()])
    if isinstance(artist, Collection):
        return f"{_colors(artist.get_facecolor())} {_colors(artist.get_edgecolor())}"
    return _colors([artist.get_facecolor()]) + (
        f" {_colors([artist.get_edgecolor()])}" if artist.get_linewidth() else "")


def _colors(colors: Iterable[Any]) -> str:
    """Runs of one colour count once: the order matters, the number does not."""
    names = ["none" if isinstance(c, str) and c in ("none", "auto") else to_hex(
        c, keep_alpha=True).removesuffix("ff") for c in colors]
    runs = [c for k, c in enumerate(names) if k == 0 or c != names[k - 1]]
    return ",".join(runs[:8]) + (f" and {len(runs) - 8} more" if len(runs) > 8 else "")


def _place(points: np.ndarray, ax: Any) -> list[float]:
    """Points of the display as shares of the axes, summed up; what lies far outside is cut."""
    shares = ax.transAxes.inverted().transform(np.asarray(points, dtype=float).reshape(-1, 2))
    return _summary(np.clip(shares[:, 0], -1, 2)) + _summary(np.clip(shares[:, 1], -1, 2))


def _summary(values: np.ndarray) -> list[float]:
    """Least, most, mean, and a mean that changes with the order along each axis, of the finite values."""
    values = np.asarray(values, dtype=float)
    place = sum((3 + 2 * k) * t for k, t in enumerate(
        np.meshgrid(*(np.linspace(0, 1, n) for n in values.shape), indexing="ij")))
    finite = np.isfinite(values)
    if not finite.any():
        return []
    found, order = values[finite], np.cos(1 + place[finite])
    return [round(float(v), 3) for v in (found.min(), found.max(), found.mean(), (found * order).mean())]


def _fixed_ticks(axis: Any) -> list[str]:
    """The tick labels, where the ticks were set; chosen ones depend on the room."""
    fixed = isinstance(axis.get_major_locator(), FixedLocator)
    return [label.get_text() for label in axis.get_ticklabels()] if fixed else []


def _short(value: Any) -> float:
    return float(f"{float(value):.5g}")


def _label(artist: Any) -> str:
    label = str(artist.get_label())
    return "" if label.startswith("_") else label


def _words(text: Text) -> str:
    """A text with its size and colour; its font does not count."""
    seen = text.get_visible() and text.get_text()
    return f"{seen} ({text.get_fontsize():.3g} {to_hex(text.get_color())})" if seen else ""


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else text[:197] + "..."
