r"""Formulas of docstrings: kept from Markdown as one word each, then typeset as MathML.

Markdown would eat the backslashes and stars of LaTeX, so a formula travels through it as a word of
letters and digits that holds its source.
"""

from __future__ import annotations

import re

from paper_figures.typeset import NotTypeset, mathml

_INLINE = re.compile(r":math:`([^`]+)`")
_BLOCK = re.compile(r"^( *)\.\. math::(.*(?:\n(?:\1 +\S.*))*)", re.MULTILINE)
_LITERAL = re.compile(r"::(?=\n)")
_TAG = re.compile(r"`+[^`]*`+|^ *>>> .*(?:\n.+)*|<(?=[A-Za-z/!])", re.MULTILINE)  # "<w, x>" is no tag
_WORD = re.compile(r"(?:<p>)?MATH(INLINE|BLOCK)x((?:[0-9a-f]{2})+)x(?:(?<=x)</p>)?")


def protect(docstring: str) -> str:
    r"""The docstring with a word in the place of each formula, for :func:`typeset` to undo.

    >>> protect(r"At least :math:`\rho`.")
    'At least MATHINLINEx5c72686fx.'
    """
    text = _BLOCK.sub(lambda m: f"\n{m[1]}{_word('BLOCK', m[2])}\n", docstring)
    text = _INLINE.sub(lambda m: _word("INLINE", m[1]), text)
    text = _TAG.sub(lambda m: "&lt;" if m[0] == "<" else m[0], text)
    return _LITERAL.sub(":", text)


def typeset(page: str) -> str:
    r"""The page with MathML in the place of each word of :func:`protect`.

    Raises:
        NotTypeset: a formula that is no MathML without loss; names the formula.

    >>> typeset("<p>At least MATHINLINEx5c72686fx.</p>")
    '<p>At least <math display="inline"><mrow><mi>ρ</mi></mrow></math>.</p>'
    """
    return _WORD.sub(_formula, page)


def _word(kind: str, latex: str) -> str:
    return f"MATH{kind}x{' '.join(latex.split()).encode().hex()}x"


def _formula(found: re.Match[str]) -> str:
    latex = bytes.fromhex(found[2]).decode()
    try:
        element = mathml(latex)
    except NotTypeset as error:
        raise NotTypeset(f"{latex}: {error}") from error
    if found[1] == "BLOCK":
        return f'<div class="formula" tabindex="0" role="group" aria-label="Formula">{element}</div>'
    before = "<p>" if found[0].startswith("<p>") else ""
    after = "</p>" if found[0].endswith("</p>") else ""
    return before + element.replace('display="block"', 'display="inline"', 1) + after
