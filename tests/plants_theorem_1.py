"""The planted errors of the figure of Theorem 1's simulation and of the tables as LaTeX."""

from __future__ import annotations

from tests.plants import Plant

FIGURE, FIGURE_TEST = "paper_figures/theorem_1.py", "tests/paper_figures/test_theorem_1.py"
LATEX, LATEX_TEST = "paper_figures/latex_table.py", "tests/paper_figures/test_latex_table.py"

PLANTS = [
    *(Plant(FIGURE, old, new, FIGURE_TEST) for old, new in (
        ('f"{bound}_slack_{k}") for r in some]) + risk', 'f"{bound}_slack_{k}") for r in some])'),
        ('("mean", "q05", "q95"))', '("mean", "q05", "q50"))'),
        ('number(row, f"{bound}_failures") / row["repeats"]',
         'number(row, "sharp_failures") / row["repeats"]'),
        ("return max((share(r, bound),", "return min((share(r, bound),"),
        ("- term - level,", "- term,"),
        ("sorted(rows, key=noise) if noise(r)", "sorted(rows, key=noise, reverse=True) if noise(r)"),
        ('number(row, "supremum") / number(row, "ceiling")',
         'number(row, "expected_worst") / number(row, "ceiling")'),
        ('number(r, "theorem_1_slack_min") - number(r, "ceiling_slack_mean")',
         'number(r, "theorem_1_slack_min")'),
        ("high[~some], yerr", "low[~some], yerr"),
        ("isinstance(value, str) and 0 <= Fraction(value) <= 1:",
         "isinstance(value, str) and Fraction(value) >= 0:"))),
    *(Plant(LATEX, old, new, LATEX_TEST) for old, new in (
        ("while same < table.heads - 1 and", "while same < table.heads and"),
        ("if k and k not in table.rules:", "if k:"),
        ("if not k or names[k - 1] != name}", "if True}"),
        ("if words and count > 1:", "if words:"),
        ("right = table.right()[first:]", "right = table.right()[:len(table.columns) - first]"),
        ('if k >= depth - len(part) else ""', 'if k < len(part) else ""'),
        (r'(r"(?<=\d) to (?=\d)", "–")', '(r" to ", "–")'),
        (r"\ifdim\wd0>\linewidth", r"\ifdim\wd0<\linewidth"),
        ('[""] * (start - place) +', ""))),
    Plant("paper_figures/tables.py", "len(marks) == 1 and", "", "tests/paper_figures/test_tables.py"),
    Plant("paper_figures/tables.py", '"\\u0301": "\'"', '"\\u0301": "`"',
          "tests/paper_figures/test_tables.py"),
]
