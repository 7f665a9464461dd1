"""LaTeX statements as MathML, offline, with a check that nothing was lost on the way."""

from __future__ import annotations

import html
import re
from xml.etree import ElementTree

ARITY = {"mfrac": 2, "msub": 2, "msup": 2, "mover": 2, "munder": 2, "mroot": 2, "msubsup": 3,
         "munderover": 3}

_ACCENTS = {"^": "\u0302", "~": "\u0303", "_": "\u0304", "¯": "\u0304"}
_ARROWS = tuple("⟸⟹⟺⇐⇒⇔⟵⟶⟷↦")  # browsers put no space around the long ones

# MathML Core has no mathvariant but "normal": letters of the Unicode alphabets take its place
_STARTS = {  # of the capitals and of the small letters
    "script": (0x1D49C, 0x1D4B6), "double-struck": (0x1D538, 0x1D552),
    "fraktur": (0x1D504, 0x1D51E), "bold": (0x1D400, 0x1D41A), "bold-italic": (0x1D468, 0x1D482),
}
_IRREGULAR = {  # code points that Unicode put elsewhere
    "script": dict(zip("BEFHILMRego", "ℬℰℱℋℐℒℳℛℯℊℴ", strict=True)),
    "double-struck": dict(zip("CHNPQRZ", "ℂℍℕℙℚℝℤ", strict=True)),
    "fraktur": dict(zip("CHIRZ", "ℭℌℑℜℨ", strict=True)),
}


_WORDS = {"rho": "ρ", "delta": "δ", "lambda": "λ", "alpha": "α", "sigma": "σ", "Phi": "Φ", "Psi": "Ψ",
          "eta": "η", "mu": "μ", "tau": "τ", "beta": "β", "pi": "π"}
_SIGNS = (("<=", "≤"), (">=", "≥"), ("->", "→"), ("sqrt(", "√("), (" - ", " − "))
_BELOW = str.maketrans("0123456789ijnx", "₀₁₂₃₄₅₆₇₈₉ᵢⱼₙₓ")
_ABOVE = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class NotTypeset(ValueError):
    """LaTeX that could not be turned into MathML without loss."""


def mathml(latex: str) -> str:
    r"""A ``<math>`` element.

    Raises:
        NotTypeset: unknown commands, unbalanced braces, elements with missing parts.

    >>> mathml(r"\rho \ge 0")
    '<math display="block"><mrow><mi>ρ</mi><mo>≥</mo><mn>0</mn></mrow></math>'
    """
    from latex2mathml.converter import convert

    try:
        # the converter does not know \Big\|
        source = convert(re.sub(r"(?<!\\)\\\|", "‖", latex), display="block")
        root = ElementTree.fromstring(
            source.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "", 1))
    except Exception as error:  # the converter raises many types
        raise NotTypeset(f"{type(error).__name__}: {error}") from error
    if latex.count("{") - latex.count(r"\{") != latex.count("}") - latex.count(r"\}"):
        raise NotTypeset("braces do not balance")
    for element in root.iter():
        if "\\" in (element.text or "") and element.text != "\\":
            raise NotTypeset(f"unknown command {element.text}")
        if len(element) != ARITY.get(element.tag, len(element)):
            raise NotTypeset(f"{element.tag} needs {ARITY[element.tag]} parts, got {len(element)}")
        if element.tag in ("mi", "mo") and element.text in _ARROWS:
            element.tag = "mo"
            element.attrib |= {"lspace": "0.4em", "rspace": "0.4em"}
        if element.tag == "mover" and len(element[0].text or "") == 1:
            _combine(element)
        variant = element.attrib.get("mathvariant")
        if variant in _STARTS and element.text:
            element.text = "".join(_letter(c, variant) for c in element.text)
            del element.attrib["mathvariant"]
    return ElementTree.tostring(root, encoding="unicode")


def statement(latex: str) -> str:
    """HTML of a statement: MathML, or the LaTeX itself in ``<code>`` where that fails."""
    if not latex.strip():
        return ""
    try:
        return mathml(latex)
    except NotTypeset:
        return f"<code>{html.escape(latex)}</code>"


def plain(text: str) -> str:
    """A title with Greek letters and signs in place of their names.

    >>> plain("rho >= 1 - 2k/n for lambda_1 -> 0"), plain("4 x 4 cells, alpha < 1/|A^-1|, x^2")
    ('ρ ≥ 1 − 2k/n for λ₁ → 0', '4 × 4 cells, α < 1/|A⁻¹|, x²')
    >>> plain("theorem_1 of x_1, 2^1/2")
    'theorem_1 of x₁, 2^1/2'
    """
    for written, sign in _SIGNS:
        text = text.replace(written, sign)
    text = re.sub(r"(?<=\d) x (?=\d)", " × ", text)
    text = re.sub(r"(?<![A-Za-z])(" + "|".join(_WORDS) + r")(?![A-Za-z])", lambda m: _WORDS[m[1]], text)
    text = re.sub(r"(?<![\w.])(\w)_(\d+|[ijnx]|in)(?!\w)",
                  lambda m: m[1] + m[2].translate(_BELOW), text)
    return re.sub(r"(?<=[\w)])\^(-?\d+)(?![\w/.])", lambda m: m[1].translate(_ABOVE), text)


def _combine(element: ElementTree.Element) -> None:
    """A hat, tilde or bar over a letter: fonts place it over small ones, the page over capitals."""
    letter, accent = element
    if letter.tag != "mi" or accent.tag != "mo" or accent.text not in _ACCENTS:
        return
    if letter.text.isupper():
        element.attrib["class"] = "hatted"
        return
    element.tag, element.text = "mi", letter.text + _ACCENTS[accent.text]
    element.attrib = {"class": "accented"}
    element[:] = []


def _letter(char: str, variant: str) -> str:
    if char in _IRREGULAR.get(variant, {}):
        return _IRREGULAR[variant][char]
    capital, small = _STARTS[variant]
    if "A" <= char <= "Z":
        return chr(capital + ord(char) - ord("A"))
    if "a" <= char <= "z":
        return chr(small + ord(char) - ord("a"))
    return char
