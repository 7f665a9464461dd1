"""A table of text cells, and what it looks like in LaTeX, CSV, HTML and a terminal."""

from __future__ import annotations

import csv
import html
import io
import re
import unicodedata
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

ESCAPES = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
           "–": "--", "—": "---", "…": r"\dots{}", "“": "``", "”": "''", "‘": "`", "’": "'",
           "\u00a0": "~", "\u2009": r"\,", "\u202f": r"\,",
           **{c: "\\" + c for c in "&%$#_{}"}}
"""Characters that LaTeX wants spelt in running text."""

MATHS = {"<": "<", ">": ">", "|": "|", "±": r"\pm", "×": r"\times", "−": "-", "·": r"\cdot",
         "≤": r"\leq", "≥": r"\geq", "≠": r"\neq", "≈": r"\approx", "∼": r"\sim", "∞": r"\infty",
         "√": r"\surd", "∈": r"\in", "∩": r"\cap", "∪": r"\cup", "⊂": r"\subset", "‖": r"\|",
         "→": r"\to", "←": r"\leftarrow", "↔": r"\leftrightarrow", "⇒": r"\Rightarrow",
         "∀": r"\forall", "∃": r"\exists", "∂": r"\partial", "∑": r"\sum", "½": r"\frac12",
         "¼": r"\frac14", "¾": r"\frac34", "°": r"^\circ", "′": "'", "ℓ": r"\ell", "✓": r"\surd",
         "†": r"\dagger", "‡": r"\ddagger", "⊥": r"\perp", "∅": r"\emptyset", "∫": r"\int"}
"""Characters that LaTeX sets as mathematics."""

_GREEK = {
    **dict(zip("αβγδεζηθικλμνξπρστυφχψω",
               "alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho "
               "sigma tau upsilon varphi chi psi omega".split(), strict=True)),
    **dict(zip("ΓΔΘΛΞΠΣΥΦΨΩ", "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega".split(),
               strict=True)), "µ": "mu", "ϕ": "phi", "ϵ": "epsilon"}
_LETTERS = {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l",
            "Ł": "L"}
_MARKS = {"\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u",
          "\u0307": ".", "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c"}
_ACCENTS = {"\u0302": "hat", "\u0303": "tilde", "\u0304": "bar"}
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋", "0123456789+-", strict=True))
_TOKENS = re.compile(f"(?P<accented>.[{''.join(_ACCENTS)}])|(?P<raised>[{''.join(_RAISED)}]+)"
                     f"|(?P<lowered>[{''.join(_LOWERED)}]+)|(?P<hyphen>-(?=-))|(?P<one>.)")
_BREAKS = ("Cc", "Zl", "Zp")
_GROUPED = r"\d{1,3}(?:[, \u00a0\u2009\u202f]\d{3})+|\d+"
_NUMBER = re.compile(rf"([-−+]?)({_GROUPED})(\.\d+)?(?:[eE]([-+]?\d+)|\s?×\s?10([⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+))?")


@dataclass(frozen=True)
class Table:
    """Columns and lines of cells; cells are plain Unicode text.

    Attributes:
        columns: what stands above each column.
        lines: the lines, each with one cell a column.
        heads: how many columns, from the left, name their line.
        rules: indices of the lines before which a rule is drawn.

    Raises:
        ValueError: no column, a line of another length, a cell that is no single line of text,
            ``heads`` or ``rules`` out of range.

    >>> print(Table(("head", "MAC"), (("paper", "1,024"), ("light", "−3")), rules=(1,)).text())
    head     MAC
    -----  -----
    paper  1,024
    -----  -----
    light     −3
    """

    columns: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    heads: int = 1
    rules: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.columns:
            raise ValueError("a table needs at least one column, got none")
        for number, line in enumerate(self.lines):
            if len(line) != len(self.columns):
                raise ValueError(f"every line has one cell a column, {len(self.columns)}; line "
                                 f"{number} has {len(line)}: {line!r}")
        for cell in (c for line in (self.columns, *self.lines) for c in line):
            if not isinstance(cell, str) or any(unicodedata.category(c) in _BREAKS for c in cell):
                raise ValueError(f"a cell must be one line of text, got {cell!r}")
        if not 0 <= self.heads <= len(self.columns):
            raise ValueError(f"heads must be from 0 to {len(self.columns)}, got {self.heads}")
        for rule in self.rules:
            if not 0 <= rule < len(self.lines):
                raise ValueError(f"a rule must be the index of one of {len(self.lines)} lines, "
                                 f"got {rule}")

    def latex(self) -> str:
        """LaTeX for a float, with what it needs in a comment (:mod:`paper_figures.latex_table`).

        Raises:
            ValueError: a character that has no LaTeX here.
        """
        from paper_figures.latex_table import latex

        return latex(self)

    def csv(self) -> str:
        """Comma-separated values as in RFC 4180, columns first, numbers as programs read them."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\r\n")
        writer.writerow(self.columns)
        writer.writerows([plain(cell) for cell in line] for line in self.lines)
        return buffer.getvalue()

    def html(self) -> str:
        """A ``<table>`` without a caption: heads are ``<th>`` with their scope, in two lines where
        columns side by side share what stands before ": "."""
        right, body = self.right(), []
        for number, line in enumerate(self.lines):
            cells = [f'<th scope="row"{_number_class(r)}>{html.escape(c)}</th>' if k < self.heads
                     else f"<td{_number_class(r)}>{html.escape(c)}</td>"
                     for k, (c, r) in enumerate(zip(line, right, strict=True))]
            mark = ' class="rule"' if number in self.rules else ""
            body.append(f"<tr{mark}>{''.join(cells)}</tr>")
        return "\n".join(["<table>", f"<thead>{self._html_heads(right)}</thead>", "<tbody>", *body,
                          "</tbody>", "</table>"])

    def _html_heads(self, right: list[bool]) -> str:
        from paper_figures.latex_table import PREFIX, spans

        shared = {start: (count, words) for start, count, words in spans(self.columns)}
        under = {k for start, (count, _) in shared.items() for k in range(start, start + count)}
        tall = ' rowspan="2"' if shared else ""
        lines: list[list[str]] = [[], []]
        for k, (name, number) in enumerate(zip(self.columns, right, strict=True)):
            if k in shared:
                count, words = shared[k]
                lines[0].append(f'<th scope="colgroup" colspan="{count}">{html.escape(words)}</th>')
            words, wide = (name.partition(PREFIX)[2], "") if k in under else (name, tall)
            lines[k in under].append(
                f'<th scope="col"{wide}{_number_class(number)}>{html.escape(words)}</th>')
        return "".join(f"<tr>{''.join(line)}</tr>" for line in lines if line)

    def text(self) -> str:
        """Columns side by side for a terminal, numbers to the right."""
        widths = [max(map(_width, column)) for column in zip(self.columns, *self.lines, strict=True)]
        rule = "  ".join("-" * w for w in widths)
        lines = [self._aligned(self.columns, widths), rule]
        for number, line in enumerate(self.lines):
            if number in self.rules and number:
                lines.append(rule)
            lines.append(self._aligned(line, widths))
        return "\n".join(lines)

    def _aligned(self, line: tuple[str, ...], widths: list[int]) -> str:
        cells = [" " * (w - _width(c)) + c if right else c + " " * (w - _width(c))
                 for c, w, right in zip(line, widths, self.right(), strict=True)]
        return "  ".join(cells).rstrip()

    def right(self) -> list[bool]:
        """Of each column: do all its cells start like numbers?"""
        columns = [[line[k] for line in self.lines if line[k]] for k in range(len(self.columns))]
        return [k >= self.heads and bool(column) and all(re.match(r"[<>≤≥≈±+\-−–—]?\s?\d|[–—−-]$", c)
                                                         for c in column)
                for k, column in enumerate(columns)]


def plain(cell: str) -> str:
    """A cell that is one number, as programs write it; any other cell as it is.

    >>> [plain(c) for c in ("−0.5", "554,693", "1.2 × 10⁻³", "0.61 ± 0.05", "p < 0.05")]
    ['-0.5', '554693', '1.2e-3', '0.61 ± 0.05', 'p < 0.05']
    """
    found = _NUMBER.fullmatch(cell)
    if not found:
        return cell
    sign, whole, rest, power, raised = found.groups()
    exponent = power or "".join(_RAISED[c] for c in raised or "")
    return (sign.replace("−", "-") + re.sub(r"\D", "", whole) + (rest or "")
            + (f"e{exponent}" if exponent else ""))


def escape(text: str) -> str:
    r"""Plain text as LaTeX in ASCII, for any engine and encoding of fonts.

    Raises:
        ValueError: a character that is neither a Latin letter, with one accent at most, nor known here.

    >>> print(escape("50 % ρ ≥ 10⁻³"))
    50 \% $\rho$ $\geq$ 10$^{-3}$
    """
    pieces = [_piece(m.lastgroup or "", m.group()) for m in _TOKENS.finditer(text)]
    runs = groupby(pieces, key=itemgetter(0))
    return "".join(f"${' '.join(t for _, t in run)}$" if maths else "".join(t for _, t in run)
                   for maths, run in runs)


def _piece(kind: str, token: str) -> tuple[bool, str]:
    """LaTeX of one token, and whether it is mathematics."""
    if kind == "accented":
        maths, inner = _piece("one", token[0])
        return True, rf"\{_ACCENTS[token[1]]}{{{inner if maths else token[0]}}}"
    if kind in ("raised", "lowered"):
        table, mark = (_RAISED, "^") if kind == "raised" else (_LOWERED, "_")
        return True, f"{mark}{{{''.join(table[c] for c in token)}}}"
    if kind == "hyphen":  # two of them would be set as a dash
        return False, "-{}"
    if token in ESCAPES:
        return False, ESCAPES[token]
    if token in MATHS:
        return True, MATHS[token]
    if token in _GREEK:
        return True, "\\" + _GREEK[token]
    if token.isascii():
        return False, token
    if token in _LETTERS:
        return False, f"\\{_LETTERS[token]}{{}}"
    letter, *marks = unicodedata.normalize("NFD", token)
    if letter.isascii() and len(marks) == 1 and marks[0] in _MARKS:
        return False, f"\\{_MARKS[marks[0]]}{{{letter}}}"
    raise ValueError(f"a cell may hold Latin letters and known signs; no LaTeX for {token!r} "
                     f"(U+{ord(token):04X})")


def row(cells: tuple[str, ...]) -> str:
    """A line of a ``tabular`` from cells in LaTeX."""
    # "[" after a line's end would be read as that end's argument
    return re.sub(r"^(?=[\[*])", "{}", " & ".join(cells)) + r" \\"


def _number_class(right: bool) -> str:
    return ' class="number"' if right else ""


def _width(text: str) -> int:
    return sum(not unicodedata.combining(c) for c in text)
