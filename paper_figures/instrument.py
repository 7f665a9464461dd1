"""The instrument on the report: two rectangles on a grid, and what the page needs to start it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from theory.rates import catching_rate_exact, fitting_rate_exact, missing_rate_exact
from theory.rectangle import Rectangle, hard_mask

MOST = 28
"""The most rows or columns of the grid."""

SLIDERS = (  # name, label, least, most, step
    ("row", "centre, row", 0, 1, 0.01),
    ("column", "centre, column", 0, 1, 0.01),
    ("down", "half side, down", 0.01, 1, 0.01),
    ("across", "half side, across", 0.01, 1, 0.01),
    ("angle", "angle", -180, 180, 1),
)


@dataclass(frozen=True)
class Placed:
    """A rectangle in the coordinates of Eq. 5, as :class:`theory.rectangle.Rectangle`."""

    center: tuple[float, float]
    half_widths: tuple[float, float]
    angle: float = 0.0

    def mask(self, height: int, width: int) -> Any:
        """The hard mask on a grid."""
        placed = Rectangle(list(self.center), list(self.half_widths), self.angle)
        return hard_mask(placed, height, width)


@dataclass(frozen=True)
class Preset:
    """An example to start from; ``remark`` is written under the button, ``{psi}``, ``{phi}`` and
    ``{fit}`` replaced by the exact rates."""

    name: str
    label: str
    remark: str
    a: Placed
    b: Placed
    height: int = 14
    width: int = 14

    def rates(self) -> dict[str, str]:
        """The exact catching, missing and fitting rate, as text.

        >>> PRESETS[1].rates()
        {'psi': '-1', 'phi': '1', 'fit': '0'}
        """
        a, b = (p.mask(self.height, self.width) for p in (self.a, self.b))
        return {"psi": str(catching_rate_exact(a, b)), "phi": str(missing_rate_exact(a, b)),
                "fit": str(fitting_rate_exact(a, b))}

    def encoded(self) -> dict[str, Any]:
        """What the script reads."""
        return {"name": self.name, "label": self.label, "remark": self.remark.format(
                    **{name: value.replace("-", "−") for name, value in self.rates().items()}),
                "state": {"height": self.height, "width": self.width, "a": asdict(self.a),
                          "b": asdict(self.b)}}


PRESETS = (
    Preset("near", "Near miss", "A map slightly off: the missing rate {phi} is small because most of "
                                "the "
           "grid is background, the fitting rate {fit} says how much of the object is hit.",
           Placed((0.45, 0.42), (0.2, 0.28), 0.35), Placed((0.52, 0.52), (0.24, 0.22), 0.1)),
    Preset("halves", "Two half-grids", "Two rectangles that are each other's opposite: catching rate "
           "{psi}. So the relevance level of rectangles without limits is −1, as for all masks.",
           Placed((0.25, 0.5), (0.26, 0.6)), Placed((0.75, 0.5), (0.26, 0.6))),
    Preset("empty", "An empty map", "B lies between the centres and has no cell: a missing rate of "
                                    "{phi} "
           "for finding nothing of a small object, and a fitting rate of {fit}.",
           Placed((0.5, 0.5), (0.1, 0.14), 0.4), Placed((2.5 / 13, 2.5 / 13), (0.02, 0.02))),
    Preset("turned", "A quarter turn", "The same half sides, turned by 90°: fitting rate {fit}.",
           Placed((0.5, 0.5), (0.12, 0.36)), Placed((0.5, 0.5), (0.12, 0.36), 1.5707963267948966)),
)


def context() -> dict[str, Any]:
    """What the template of the instrument needs; the JSON is safe inside a ``<script>``."""
    from markupsafe import Markup

    text = json.dumps([p.encoded() for p in PRESETS], ensure_ascii=False)
    for unsafe in "<>&":
        text = text.replace(unsafe, f"\\u{ord(unsafe):04x}")
    return {"presets": PRESETS, "presets_json": Markup(text), "sliders": SLIDERS, "most": MOST}
