r"""A table as a paper sets it: booktabs, heads over several lines, never wider than the text.

Three things differ from the table's other forms, because a page is narrow.  A first column that names
blocks of lines becomes a line above each block.  A head that repeats that of the line above is left
out.  Heads of columns that share their beginning, ``model: gain`` and ``model: p``, stand under it.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paper_figures.tables import Table

PACKAGES = ("booktabs", "graphicx")
HEAD = r"""% Needs \usepackage{booktabs} and \usepackage{graphicx}; plain ASCII, any engine.
% For a float with \centering: table* where two columns are set.  Wider than \linewidth it is shrunk;
% where the text is narrow, sidewaystable (package rotating) keeps the letters larger.
\begingroup\footnotesize\setlength{\tabcolsep}{3pt}%
\sbox{0}{%
"""
TAIL = r"""}%
\ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\usebox{0}}\else\usebox{0}\fi
\endgroup
"""
PREFIX = ": "
NARROW = "\u202f"
TYPOGRAPHY = (
    (r"(?<=\d) to (?=\d)", "–"), (r"(?<=\d) us\b", f"{NARROW}µs"), (r"(?<=\d) %", f"{NARROW}%"),
    (r"(?<=\d) [x×] (?=\d)", f"{NARROW}×{NARROW}"), (r"(?<=\d) ± (?=\d)", f"{NARROW}±{NARROW}"))
"""What people type, and what stands in print."""


def latex(table: Table) -> str:
    """The table with what it needs said above, in small type, shrunk where it would not fit.

    Raises:
        ValueError: a character that has no LaTeX.
    """
    return HEAD + tabular(table) + TAIL


def tabular(table: Table) -> str:
    """The ``tabular`` alone."""
    from paper_figures.tables import escape, row

    blocks = block_heads(table)
    first = 1 if blocks else 0
    right = table.right()[first:]
    places = "".join("r" if r else "l" for r in right)
    lines = [rf"\begin{{tabular}}{{@{{}}{places}@{{}}}}", r"\toprule",
             *_heads(table, first), r"\midrule"]
    for k, line in enumerate(bare_heads(table)):
        if k in table.rules and k:
            lines.append(r"\midrule")
        if k in blocks:
            words = escape(f"{table.columns[0]}{PREFIX}{blocks[k]}")
            lines.append(rf"\multicolumn{{{len(right)}}}{{@{{}}l}}{{\emph{{{words}}}}} \\")
        lines.append(row(tuple(typeset(cell) for cell in line[first:])))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def typeset(cell: str) -> str:
    r"""A cell as LaTeX, with the dashes and signs of print.

    >>> print(typeset("0.61 (0.5 to 0.7)"), typeset("7 x 7"), typeset("1.5 us"))
    0.61 (0.5--0.7) 7\,$\times$\,7 1.5\,$\mu$s
    """
    from paper_figures.tables import escape

    for pattern, printed in TYPOGRAPHY:
        cell = re.sub(pattern, printed, cell)
    return escape(cell)


def block_heads(table: Table) -> dict[int, str]:
    """Indices of the lines above which the first column's cell stands as a line of its own.

    Empty unless other columns name the lines too, rules divide the table, and the first column is the
    same throughout each part.  A part that goes on with the name of the one before has no such line.
    """
    starts = sorted({0, *table.rules})
    if table.heads < 2 or len(starts) < 2:
        return {}
    parts = [{line[0] for line in table.lines[a:b]}
             for a, b in zip(starts, [*starts[1:], None], strict=True)]
    if any(len(part) != 1 for part in parts):
        return {}
    names = [min(part) for part in parts]
    return {start: name for k, (start, name) in enumerate(zip(starts, names, strict=True))
            if not k or names[k - 1] != name}


def bare_heads(table: Table) -> list[tuple[str, ...]]:
    """The lines without the heads that repeat those above, but for the last head of each line."""
    out: list[tuple[str, ...]] = []
    for k, line in enumerate(table.lines):
        same = 0
        if k and k not in table.rules:
            above = table.lines[k - 1]
            while same < table.heads - 1 and line[same] == above[same]:
                same += 1
        out.append(("",) * same + line[same:])
    return out


def spans(columns: tuple[str, ...]) -> list[tuple[int, int, str]]:
    """``(first, how many, words)`` of columns side by side that share what stands before ``": "``.

    >>> spans(("a", "m: gain", "m: p", "p"))
    [(1, 2, 'm')]
    """
    starts = [c.partition(PREFIX)[0] if PREFIX in c else "" for c in columns]
    out, place = [], 0
    for words, some in groupby(starts):
        count = len(list(some))
        if words and count > 1:
            out.append((place, count, words))
        place += count
    return out


def wrapped(head: str, width: int) -> list[str]:
    """A head in lines of at most ``width`` characters, or of its longest word.

    >>> wrapped("Clopper-Pearson, exact", 5)
    ['Clopper-', 'Pearson,', 'exact']
    """
    words = re.findall(r"\S+?-(?=[A-Za-z]{3})|\S+\s*", head)
    width = max([width, *(len(w.strip()) for w in words)])
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word.strip()) > width:
            lines.append("")
        lines[-1] += word
    return [line.strip() for line in lines]


def _heads(table: Table, first: int) -> list[str]:
    """The lines above the first rule: what columns share, then each column's words, ending below."""
    from paper_figures.tables import escape, row

    columns, lines = table.columns[first:], []
    shared = spans(columns)
    if shared:
        cells, rules, place = [], [], 0
        for start, count, words in shared:
            cells += [""] * (start - place) + [rf"\multicolumn{{{count}}}{{c}}{{{escape(words)}}}"]
            rules.append(rf"\cmidrule(lr){{{start + 1}-{start + count}}}")
            place = start + count
        lines += [row((*cells, *[""] * (len(columns) - place))), "".join(rules)]
    under = {k for start, count, _ in shared for k in range(start, start + count)}
    heads = [c.partition(PREFIX)[2] if k in under else c for k, c in enumerate(columns)]
    bodies = list(zip(*table.lines, strict=True))[first:] or [()] * len(columns)
    parts = [wrapped(head, max((len(cell) for cell in body), default=0))
             for head, body in zip(heads, bodies, strict=True)]
    depth = max(map(len, parts))
    return lines + [row(tuple(typeset(part[k - depth + len(part)]) if k >= depth - len(part) else ""
                              for part in parts)) for k in range(depth)]
