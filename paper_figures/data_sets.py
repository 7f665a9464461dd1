"""Which images and which network rows are about: in words, and never two of them as one.

A data set here is the images of a training (their source, folder, size, or ShapeField's dials) with
the network that looks at them: accuracies of two networks are no repetitions of one another.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from paper_figures.fields import FieldError, get, number, row_name

Row = dict[str, Any]

TITLES = {"shapes": "ShapeField", "digits": "digits on photographs", "pets": "Oxford-IIIT Pet",
          "folder": "a folder of images"}
KINDS = {"shapes": "synthetic images of ShapeField", "digits": "digits painted on photographs",
         "pets": "photographs of Oxford-IIIT Pet", "folder": "images of a folder"}
BACKBONES = {"small": "small network", "efficientnet-lite0": "EfficientNet-Lite0",
             "mobilenetv3-large": "MobileNetV3-large", "efficientnet-b0": "EfficientNet-b0"}
DRAWN = ("shapes", "digits")
"""Images that are made from a mask; the others are files, whose masks people drew."""

_SAME = ("data", "root", "pool", "shapes", "backbone", "pretrained", "side", "at", "freeze")


def data_of(row: Row) -> str:
    """The source of a row's images; rows of the first versions know one only.

    >>> data_of({"key": "a", "config": {"data": "pets"}}), data_of({"key": "b", "config": {}})
    ('pets', 'shapes')
    """
    data = get(row, "config.data", "shapes")
    if data not in TITLES:
        raise FieldError(f"{row_name(row)}: 'config.data' must be one of {', '.join(TITLES)}, "
                         f"got {json.dumps(data)}")
    return data


def title(row: Row) -> str:
    """A data set in a heading: the images, and the network where it is not the small one."""
    backbone = get(row, "config.backbone", "small")
    network = "" if backbone == "small" else f", {BACKBONES.get(backbone, backbone)}"
    return TITLES[data_of(row)] + network


def network(row: Row, place: bool = True) -> str:
    """The network in words; ``place`` says up to which layer it is frozen.

    >>> network({"key": "a", "config": {"backbone": "efficientnet-lite0", "pretrained": "package",
    ...                                 "freeze": True, "at": "_blocks.10"}})
    'EfficientNet-Lite0, pretrained, frozen up to _blocks.10'
    """
    backbone = get(row, "config.backbone", "small")
    words = [BACKBONES.get(backbone, backbone)]
    if backbone != "small":
        pretrained = get(row, "config.pretrained", "")
        words.append("pretrained" if pretrained else "random weights at the start")
        if get(row, "config.freeze", False):
            at = get(row, "config.at", "") if place else ""
            words.append(f"frozen up to {at or 'the attention'}")
    return ", ".join(words)


def pool_of(row: Row) -> int:
    """How many images are split into training and test: the pool, or all of a folder that is one."""
    pool = int(number(row, "config.pool")) if data_of(row) != "pets" else 0
    return pool or int(number(row, "n") + number(row, "n_test"))


def images(rows: Sequence[Row]) -> str:
    """The images of rows of one data set: what they are, classes, pixels, network; what rows tell.

    >>> images([{"key": "a", "classes": 4, "sides": [64, 48], "config": {"data": "pets"}}])
    'photographs of Oxford-IIIT Pet, 4 classes, 64 × 48 pixels, small network'
    """
    first = rows[0]
    text = KINDS[data_of(first)]
    classes = sorted({c for r in rows if (c := get(r, "classes", None)) is not None})
    if classes:
        text += f", {' or '.join(map(str, classes))} class{'' if classes == [1] else 'es'}"
    return f"{text}, {sides(first)}{network(first)}"


def sides(row: Row) -> str:
    """The size of the images with a comma behind, empty where the row does not tell."""
    found = get(row, "sides", None)
    if found is None and get(row, "config.backbone", "small") == "small":
        found = get(row, "config.shapes.image", None)
    return "" if found is None else f"{found[0]} × {found[1]} pixels, "


def by_data_set(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows by data set, ``{title: rows}``, in the order they come.

    Raises:
        FieldError: two data sets that would be called the same; names what differs.
    """
    out: dict[str, list[Row]] = {}
    for row in rows:
        held = out.setdefault(title(row), [])
        if held:
            _refuse_others(held[0], row)
        held.append(row)
    return out


def one_data_set(rows: Sequence[Row]) -> str:
    """The title of the data set that all rows are about.

    Raises:
        FieldError: none, or several, of which no mean or line can be drawn.
    """
    found = by_data_set(rows)
    if len(found) != 1:
        raise FieldError("rows of one data set can be drawn together, got "
                         + (" and ".join(found) or "none")
                         + ": keep each in a folder of its own")
    return next(iter(found))


def _refuse_others(first: Row, row: Row) -> None:
    a, b = _identity(first), _identity(row)
    differ = [k for k in _SAME if a[k] != b[k]]
    if differ:
        raise FieldError(
            f"{title(row)}: two data sets or networks in one file, {differ[0]} is {a[differ[0]]!r} for "
            f"{first.get('key', '?')!r} and {b[differ[0]]!r} for {row.get('key', '?')!r}: keep each in "
            "a folder of its own")


def _identity(row: Row) -> dict[str, str]:
    """What makes the data set, as text; of ShapeField's dials only what the images have."""
    config = get(row, "config", {})
    found = {k: config.get(k) for k in _SAME}
    if data_of(row) != "shapes":
        shapes = found["shapes"] or {}
        small = config.get("backbone", "small") == "small"
        found["shapes"] = [shapes.get("image"), shapes.get("stride")] if small else None
    return {k: json.dumps(v, sort_keys=True) for k, v in found.items()}
