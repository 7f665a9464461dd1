"""Which assumptions of the statements a figure's rows meet, read off the rows themselves.

The assumptions are those of section 5.1 and Eq. 5: no atoms, a deterministic target, (H1), a
realisable truth, a grid on which Eqs. 2-5 are defined.  ``met`` and ``not met`` say what the rows
show; what they do not show is ``unknown``, never met.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from paper_figures.data_sets import DRAWN, TITLES, data_of
from paper_figures.fields import explain, get, plural
from paper_figures.h1 import relative_miss
from theory.claims.ledger_5_1_h1 import SMALL_LOSS, premise_and_conclusion
from theory.claims.ledger_5_1_trained import small_beside
from theory.methods import is_rectangle

MET, NOT_MET, UNKNOWN = "met", "not met", "unknown"
STATES = (MET, NOT_MET, UNKNOWN)

Row = dict[str, Any]
Rows = Sequence[Row]


@dataclass(frozen=True)
class Check:
    """An assumption, whether the rows meet it (one of ``STATES``), and why this is said."""

    assumption: str
    state: str
    why: str

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise ValueError(f"state must be one of {STATES}, got {self.state!r}")


def checks(rows: Rows | None) -> list[Check]:
    """The assumptions that can be asked of rows of their kinds, each with its answer.

    Rows of kinds that take no sample and no grid (a timing, say) have none, nor has a figure without
    rows.

    >>> [(c.assumption, c.state) for c in checks([{"kind": "relevance", "grid": [1, 4]}])]
    [('grid', 'not met')]
    """
    out = []
    for name, ask in ASKED.items():
        answers = [_answer(name, ask, mine) for mine in _by_kind(rows or ()).values()]
        found = [a for a in answers if a is not None]
        if found:
            out.append(_joined(name, found))
    return out


def _answer(name: str, ask: Callable[[Rows], Check | None], rows: Rows) -> Check | None:
    """What is answered; ``unknown`` with the reason where a row holds something else than it should."""
    try:
        return ask(rows)
    except Exception as error:  # rows come from files: any field may hold anything
        return Check(name, UNKNOWN, f"not readable off these rows: {explain(error, list(rows))}")


def _joined(name: str, found: list[Check]) -> Check:
    """One answer for rows of several kinds: the worst state, all reasons."""
    worst = next(s for s in (NOT_MET, UNKNOWN, MET) if any(c.state == s for c in found))
    return Check(name, worst, "; ".join(dict.fromkeys(c.why for c in found)))


def _by_kind(rows: Rows) -> dict[str, list[Row]]:
    out: dict[str, list[Row]] = {}
    for row in rows:
        out.setdefault(str(row.get("kind")), []).append(row)
    return out


def no_atoms(rows: Rows) -> Check | None:
    """No input has positive probability, so that a sample's inputs are distinct."""
    name = "no atoms"
    if _trained(rows):
        drawn = [r for r in rows if data_of(r) == "shapes"]
        levels = [get(r, "config.shapes.noise", None) for r in drawn]
        if len(drawn) < len(rows):
            titles = dict.fromkeys(TITLES[data_of(r)] for r in rows if r not in drawn)
            return Check(name, UNKNOWN, f"{_of(len(rows) - len(drawn), rows)} on images from files "
                                        f"({', '.join(titles)}), which may repeat")
        if any(v is None for v in levels):
            return Check(name, UNKNOWN, f"{_of(sum(v is None for v in levels), rows)} without the "
                                        "noise of the pixels")
        if min(levels) > 0:
            return Check(name, MET, f"every pixel has continuous noise of its own (sd "
                                    f"{_list(levels)}): equal images have "
                         "probability 0")
        return Check(name, UNKNOWN, "images without noise may repeat")
    if all(str(r.get("kind", "")).startswith("theorem-1") for r in rows):
        return Check(name, MET, "the simulated inputs are drawn without atoms")
    if all("predictors" in r for r in rows):
        again = [r for r in rows if "repeated" in str(r["predictors"])]
        if again:
            return Check(name, NOT_MET, f"{_of(len(again), rows)} on inputs repeated on purpose, the "
                                        "others on "
                         "distinct ones")
        return Check(name, MET, "distinct inputs throughout")
    return None


def deterministic_target(rows: Rows) -> Check | None:
    """The true mask is a function of the input."""
    name = "deterministic target"
    if _trained(rows):
        made = sum(data_of(r) in DRAWN for r in rows)
        how = ["the mask is drawn first and the noisy image from it"] * (made > 0)
        if made < len(rows):
            how.append("a person drew the mask, if there is one, over the photograph"
                       + (f" ({_of(len(rows) - made, rows)})" if made else ""))
        return Check(name, UNKNOWN, f"{'; '.join(how)}; the rows do not say whether an image "
                                    "determines its mask")
    if not all("noise" in r for r in rows):
        return None
    noisy = [r for r in rows if str(r["noise"]) != "0"]
    if not noisy:
        return Check(name, MET, "the target is a(X) in every row")
    return Check(name, NOT_MET, f"in {_of(len(noisy), rows)} the target is redrawn with probability "
                 f"{_list([r['noise'] for r in noisy])}, a(X) in the others")


def premise(rows: Rows) -> Check | None:
    """(H1): runs on labels alone with a small main loss have a small training missing rate."""
    name = "(H1)"
    mine = [r for r in rows if _trained([r]) and get(r, "supervision", None) == "label"
            and get(r, "method", None) not in ("none", "oracle")
            and _number(get(r, "train.missing_rate", None)) and _number(get(r, "train.loss", None))]
    if not mine:
        return None
    small = f"{SMALL_LOSS:g} nats" + (
        " above that of networks given the true masks" if any(map(_of_regimes, mine)) else "")
    counted: dict[str, list[int]] = {}
    several = len({data_of(r) for r in mine}) > 1
    for row in mine:
        relative_miss(row, get(row, "train.missing_rate"))  # refuses a row without what is counted
        on = f" on {TITLES[data_of(row)]}" if several else ""
        found = counted.setdefault(f"{row['method']}{on}", [0, 0])
        for k, number in enumerate(premise_and_conclusion([row], _bar(row, rows))):
            found[k] += number
    counted = {m: found for m, found in counted.items() if found[0]}
    if not counted:
        return Check(name, UNKNOWN, f"none of {plural(len(mine), 'run')} on labels alone reaches a "
                                    f"loss below {small}")
    told = ", ".join(f"{m} {hits} of {fits}" for m, (fits, hits) in counted.items())
    return Check(name, MET if all(fits == hits for fits, hits in counted.values()) else NOT_MET,
                 f"runs with a training loss below {small} that find the object (missing rate below "
                 f"half of the empty map's): {told}")


def _bar(row: Row, rows: Rows) -> float:
    """What is a small loss for a row: in a regime as the ledger has it, beside the oracle there."""
    if not _of_regimes(row):
        return SMALL_LOSS
    return small_beside(r for r in rows if get(r, "method", None) == "oracle"
                        and r.get("regime") == row.get("regime"))


def _of_regimes(row: Row) -> bool:
    return row.get("experiment") == "regimes"


def realisable(rows: Rows) -> Check | None:
    """Every true mask is in the family of the maps."""
    name = "realisable"
    if _trained(rows):
        shaped = [r for r in rows if is_rectangle(get(r, "method", None))]
        if not shaped:
            return Check(name, MET, "maps may be any mask")
        floors = [get(r, "floor", None) for r in shaped]
        unknown = sum(not _number(v) for v in floors)
        above = [v for v in floors if _number(v) and v > 0]
        if above:
            return Check(name, NOT_MET, f"the best rectangle misses {min(above):.2g} to "
                                        f"{max(above):.2g} in "
                         f"{_of(len(above), shaped)} of rectangles")
        if unknown:
            return Check(name, UNKNOWN, f"{_of(unknown, shaped)} of rectangles without the best "
                                        "rectangle's missing rate")
        return Check(name, MET, "the best rectangle's missing rate is 0 in every row; position-wise "
                                "maps may be "
                     "any mask")
    if not all("targets_in_family" in r for r in rows):
        return None
    out = [r for r in rows if r["targets_in_family"] is not True]
    if out:
        return Check(name, NOT_MET, f"targets outside the family in {_of(len(out), rows)}")
    return Check(name, MET, "all targets are in the family in every row")


def grid(rows: Rows) -> Check | None:
    """Both sides have two cells (Eq. 5), and both the same number (Eq. 3 turns without shearing)."""
    name = "grid"
    sizes = Counter(tuple(g) for r in rows if _sides(g := get(r, "grid", None)))
    if not sizes:
        return None
    words = ", ".join(f"{h} × {w}" for h, w in sorted(sizes))
    if any(min(size) < 2 for size in sizes):
        return Check(name, NOT_MET, f"Eq. 5 needs two cells a side; grids {words}")
    if any(h != w for h, w in sizes):
        return Check(name, NOT_MET, f"a turned rectangle is sheared off square grids; grids {words}")
    without = len(rows) - sum(sizes.values())
    if without:
        return Check(name, UNKNOWN, f"{_of(without, rows)} without a grid; the others {words}")
    return Check(name, MET, f"square, at least two cells a side: {words}")


ASKED: dict[str, Callable[[Rows], Check | None]] = {
    "no atoms": no_atoms, "deterministic target": deterministic_target, "(H1)": premise,
    "realisable": realisable, "grid": grid}


def _trained(rows: Rows) -> bool:
    return all(r.get("kind") == "training" for r in rows)


def _sides(value: Any) -> bool:
    return (isinstance(value, list) and len(value) == 2
            and all(isinstance(v, int) and not isinstance(v, bool) for v in value))


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _of(part: int, rows: Rows) -> str:
    return f"{part} of {plural(len(rows), 'row')}"


def _list(values: Sequence[Any]) -> str:
    return ", ".join(sorted({str(v) for v in values}))
