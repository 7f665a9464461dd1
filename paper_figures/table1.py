"""The paper's Table 1 re-tested (Welch, Holm), beside paired comparisons on our splits."""

from __future__ import annotations

from typing import Any

from paper_figures.data_sets import TITLES, by_data_set
from paper_figures.fields import FieldError
from paper_figures.fig05_accuracy import pool, scores, select, splits_of
from paper_figures.methods import Row, starts
from paper_figures.tables import Table
from theory.claims.ledger_6_trained import split_comparisons
from theory.table1 import MODELS, RATIOS, RUNS, comparisons, holm

OURS = {"none": "none", "position-wise": "positionwise", "rectangle": "rectangle",
        "rectangle+EQVC": "rectangle+EQVC"}
"""The paper's names and those of our rows."""

METHODS = ("rectangle+EQVC", "rectangle")
BASELINES = ("none", "position-wise")
LEVEL = 0.05
COLUMNS = ("method", "against", "split",
           *(f"{model}: {name}" for model in MODELS for name in ("gain", "p", "p Holm")))
OWN = ("gain", "splits won", "p", "p Holm")
"""What follows for each data set of ours."""


def table(rows: list[Row]) -> Table:
    """A line a comparison: the paper's two networks from its printed figures, then each data set of
    ours.

    Raises:
        FieldError: rows that lack a split of a method, fewer than two splits.
        ValueError: a method is missing.
    """
    printed, measured = paper_tests(), tests_by_set(rows)
    ratios = (*RATIOS, *sorted({k[2] for found in measured.values() for k in found} - set(RATIOS)))
    lines = []
    for method in METHODS:
        for baseline in BASELINES:
            for ratio in ratios:
                cells = [method, baseline, ratio]
                for model in MODELS:
                    cells += _papers(printed.get((model, method, baseline, ratio)))
                for found in measured.values():
                    cells += _ours(found.get((method, baseline, ratio)))
                lines.append(tuple(cells))
    rules = range(len(ratios), len(lines), len(ratios))
    return Table((*COLUMNS, *_heads(list(measured))), tuple(lines), heads=3, rules=tuple(rules))


def _heads(titles: list[str]) -> list[str]:
    """The columns of our data sets: ShapeField alone is "ours"."""
    if titles == [TITLES["shapes"]]:
        titles = ["ours"]
    return [f"{title}: {name}" for title in titles for name in OWN]


def _papers(found: tuple[float, float, float] | None) -> list[str]:
    if found is None:
        return ["–"] * 3
    gain, p, adjusted = found
    return [_signed(gain, 2), probability(p), probability(adjusted)]


def _ours(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return ["–"] * len(OWN)
    return [_signed(100 * found["mean"], 1), f"{found['wins']}/{found['n']}",
            probability(found["p_t"]), probability(found["holm_t"])]


def paper_tests() -> dict[tuple[str, str, str, str], tuple[float, float, float]]:
    """``(model, method, baseline, ratio) -> (gain in points, Welch's p, Holm's p)``; Holm over the 12
    comparisons of a method."""
    out = {}
    for method in METHODS:
        found = comparisons(method, BASELINES)
        adjusted = holm([c.p_value for c in found])
        for c, value in zip(found, adjusted, strict=True):
            out[c.model, method, c.baseline, c.ratio] = float(c.gain), c.p_value, value
    return out


def our_tests(rows: list[Row]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """``(method, baseline, ratio) ->`` the paired comparison of our splits of one data set, in the
    paper's names.

    Raises:
        FieldError: rows that lack a split of a method, several data sets, fewer than two splits.
    """
    back, found = {ours: name for name, ours in OURS.items()}, scores(rows)
    for ratio, by_method in found.items():
        splits = max(map(len, by_method.values()))
        if splits < 2:
            raise FieldError(f"a paired test needs at least two splits, got {splits} of {ratio}")
    return {(back[f["method"]], back[f["baseline"]], f["column"]): f
            for f in split_comparisons(found)}


def tests_by_set(rows: list[Row]) -> dict[str, dict[tuple[str, str, str], dict[str, Any]]]:
    """:func:`our_tests` by data set, each under its title."""
    return {title: our_tests(mine) for title, mine in by_data_set(select(rows)).items()}


def probability(p: float | None) -> str:
    """A p-value for people: two digits, "<" below a thousandth, "–" where there is none.

    >>> probability(0.0449), probability(0.2), probability(2e-5), probability(None)
    ('0.045', '0.20', '<0.001', '–')
    """
    if p is None:
        return "–"
    return "<0.001" if p < 0.0005 else f"{p:.3f}" if p < 0.0995 else f"{p:.2f}"


def caption(rows: list[Row]) -> str:
    """What is tested how, what n is, and how much is left after Holm's correction."""
    printed, measured = paper_tests(), tests_by_set(rows)
    pools = " and ".join(f"{splits_of(scores(mine))} of {pool(mine)}"
                         for mine in by_data_set(select(rows)).values())
    least = sorted({f["p_least"] for found in measured.values() for f in found.values()})
    text = (
        "Table 1 of the paper re-tested. Gains: differences of mean accuracies in points of percent. "
        f"Paper: Welch's test from the printed means and standard deviations (n = {RUNS} splits, taken "
        "as independent: accuracies by split are not printed), Holm over the 12 comparisons of a "
        f"method. Ours: {pools}; all methods are compared on each split; Student's paired test "
        "corrected for the overlap of the splits, Holm over the "
        f"{' or '.join(str(len(v)) for v in measured.values())} comparisons. {starts(select(rows))}")
    ours = {title if len(measured) > 1 else "ours": [
        (f["mean"], 1 if f["p_t"] is None else f["p_t"], 1 if f["holm_t"] is None else f["holm_t"])
        for f in found.values()] for title, found in measured.items()}
    for name, cells in (
            *((f"paper, {m}", [v for k, v in printed.items() if k[1] == m]) for m in METHODS),
            *ours.items()):
        text += (f"{name[0].upper() + name[1:]}: {sum(g > 0 for g, _, _ in cells)} of {len(cells)} "
                 f"gains positive, {sum(p < LEVEL for _, p, _ in cells)} with p < {LEVEL:g}, "
                 f"{sum(a < LEVEL for _, _, a in cells)} after Holm. ")
    return text + ("No error bars. The exact sign-flip test cannot go below "
                   f"{' or '.join(f'{p:g}' for p in least)} with so few splits.")


def _signed(value: float, digits: int) -> str:
    """A number with its sign, with a true minus."""
    return f"{value:+.{digits}f}".replace("-", "−")
