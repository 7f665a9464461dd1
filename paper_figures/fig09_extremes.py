"""Figure 9: the test images in which the predicted centre is extreme."""

from __future__ import annotations

from typing import Any

from paper_figures.fields import FieldError, get, plural, words
from paper_figures.gallery import scenes, scenes_row, views, views_of
from paper_figures.gallery_panels import fitted, legend, note, rule, show
from paper_figures.gallery_words import how_shown, no_bars, of_images, with_seeds

ORDER = ("mu1", "mu2", "mu1+mu2")
SYMBOLS = {"mu1": "μ₁", "mu2": "μ₂", "mu1+mu2": "μ₁ + μ₂"}
WORDS = {("mu1", "least"): "uppermost", ("mu1", "largest"): "lowest", ("mu2", "least"): "leftmost",
         ("mu2", "largest"): "rightmost", ("mu1+mu2", "least"): "upper left",
         ("mu1+mu2", "largest"): "lower right"}


def select(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The row of views of the network whose centres chose the images."""
    return views_of(rows, "extremes")[0]


def drawn(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that are drawn: the one."""
    return [select(rows)]


def groups(held: dict[str, Any]) -> list[list[int]]:
    """The numbers of the scenes: a list an end, in the order they are drawn in."""
    out = []
    for name in ORDER:
        for end in ("least", "largest"):
            mine = [k for k, note in enumerate(get(held, "scenes"))
                    if (note.get("of"), note.get("end")) == (name, end)]
            out.append(mine)
    if len({len(mine) for mine in out}) != 1 or not out[0]:
        raise FieldError(f"row {held['key']!r} must hold as many scenes for each of {', '.join(ORDER)} "
                         f"and each end, got {[len(mine) for mine in out]}")
    return out


def layout(rows: list[dict[str, Any]]) -> tuple[int, int]:
    """A line a coordinate: the least, then the largest."""
    return len(ORDER), 2 * len(groups(scenes_row(rows, select(rows)))[0])


def size(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """Inches."""
    return fitted(*layout(rows), notes=len(ORDER), rest=0.18 * len(ORDER) + 0.25, label=0)


def plot(rows: list[dict[str, Any]], ax: Any) -> Any:
    """Draw the images by end, with their maps."""
    row = select(rows)
    held = scenes_row(rows, row)
    shown, seen = scenes(held), views(row)
    for number, mine in enumerate(groups(held)):
        line, right = divmod(number, 2)
        first = right * len(mine)
        for panel, k in zip(ax[line, first:first + len(mine)], mine, strict=True):
            about = shown[k].note
            show(panel, row, shown[k], held["sides"], seen[k])
            true = "" if about["true"] is None else f" ({about['true']:.2f})"
            note(panel, f"{about['value']:.2f}{true}")
        name, end = shown[mine[0]].note["of"], shown[mine[0]].note["end"]
        ax[line, first].set_title(f"{end} {SYMBOLS[name]}: {WORDS[name, end]}", loc="left", fontsize=8)
    for panel in ax[:, ax.shape[1] // 2 - 1]:
        rule(panel, (1.05, 1.05), (-0.12, 1.2))
    legend(ax[0, 0].figure, "found rectangle")
    return ax


def caption(rows: list[dict[str, Any]]) -> str:
    """What is drawn, what the paper says of it, and how well the ranking is right at all images."""
    row = select(rows)
    held = scenes_row(rows, row)
    ends = {(e["of"], e["end"]): e for e in get(held, "ends")}
    told = "; the true one in brackets" if all(n["true"] is not None for n in held["scenes"]) else ""
    right = ""
    if all(e["hits"] is not None for e in ends.values()):
        tail = next(iter(ends.values()))["tail"]
        hits = ", ".join(f"{WORDS[key]} {e['hits']}" for key, e in ends.items())
        right = (f"Of the {plural(tail, 'image')} that the prediction puts at an end, so many are "
                 f"among the {tail} that the truth puts there: {hits}. ")
    ranks = ""
    if get(row, "test.centre_spearman"):
        first, second = (with_seeds(rows, row, "test.centre_spearman", axis=k) for k in (0, 1))
        ranks = f"Rank correlation of predicted and true centres: {first} for μ₁, {second} for μ₂. "
    chosen = words(held, "rule").replace("mu1", "μ₁").replace("mu2", "μ₂")
    return (
        f"{chosen[0].upper()}{chosen[1:]} of one network ({of_images(row, held)}). {how_shown(row)} "
        f"Numbers: the predicted coordinate{told}; μ₁ points downwards, μ₂ to the right. The paper "
        "says that extreme centres find the images whose objects lie there. "
        f"{ranks}{right}{no_bars(rows, [row])}")
