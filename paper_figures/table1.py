"""The paper's Table 1 re-tested (Welch, Holm), beside paired comparisons on our splits."""

from __future__ import annotations

from typing import Any

from paper_figures.fig05_accuracy import scores
from paper_figures.methods import Row
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
           *(f"{model}: {name}" for model in MODELS for name in ("gain", "p", "p Holm")),
           "ours: gain", "ours: splits won", "ours: p", "ours: p Holm")


def table(rows: list[Row]) -> Table:
    """A line a comparison: the paper's two networks from its printed figures, then ours.

    Raises:
        FieldError: rows that lack a split of a method.
        ValueError: fewer than two splits.
    """
    printed, measured = paper_tests(), our_tests(rows)
    lines = []
    for method in METHODS:
        for baseline in BASELINES:
            for ratio in RATIOS:
                cells = [method, baseline, ratio]
                for model in MODELS:
                    gain, p, adjusted = printed[model, method, baseline, ratio]
                    cells += [_signed(gain, 2), probability(p), probability(adjusted)]
                found = measured.get((method, baseline, ratio))
                cells += ["–"] * 4 if found is None else [
                    _signed(100 * found["mean"], 1), f"{found['wins']}/{found['n']}",
                    probability(found["p_t"]), probability(found["holm_t"])]
                lines.append(tuple(cells))
    rules = range(len(RATIOS), len(lines), len(RATIOS))
    return Table(COLUMNS, tuple(lines), heads=3, rules=tuple(rules))


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
    """``(method, baseline, ratio) ->`` the paired comparison of our splits, in the paper's names."""
    back = {ours: name for name, ours in OURS.items()}
    return {(back[f["method"]], back[f["baseline"]], f["column"]): f
            for f in split_comparisons(scores(rows))}


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
    printed, measured = paper_tests(), our_tests(rows)
    n = sorted({f["n"] for f in measured.values()})
    least = max(f["p_least"] for f in measured.values())
    text = (
        "Table 1 of the paper re-tested. Gains: differences of mean accuracies in points of percent. "
        f"Paper: Welch's test from the printed means and standard deviations (n = {RUNS} splits, taken "
        "as independent: accuracies by split are not printed), Holm over the 12 comparisons of a "
        f"method. Ours: {' or '.join(map(str, n))} splits of one pool of synthetic images on which all "
        "methods are compared; Student's paired test corrected for the overlap of the splits, Holm "
        f"over the {len(measured)} comparisons. ")
    for name, cells in (
            *((f"paper, {m}", [v for k, v in printed.items() if k[1] == m]) for m in METHODS),
            ("ours", [(f["mean"], 1 if f["p_t"] is None else f["p_t"],
                       1 if f["holm_t"] is None else f["holm_t"]) for f in measured.values()])):
        text += (f"{name[0].upper() + name[1:]}: {sum(g > 0 for g, _, _ in cells)} of {len(cells)} "
                 f"gains positive, {sum(p < LEVEL for _, p, _ in cells)} with p < {LEVEL:g}, "
                 f"{sum(a < LEVEL for _, _, a in cells)} after Holm. ")
    return text + (f"No error bars. The exact sign-flip test cannot go below {least:g} with so few "
                   "splits.")


def _signed(value: float, digits: int) -> str:
    """A number with its sign, with a true minus."""
    return f"{value:+.{digits}f}".replace("-", "−")
