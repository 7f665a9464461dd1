"""Tables in LaTeX, CSV, HTML and text, each read back by another route."""

from __future__ import annotations

import csv
import io
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.mathtext import MathTextParser

from paper_figures.tables import ESCAPES, MATHS, Table, escape, plain

CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=12)
LATIN = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
TABLE = Table(("method", "N", "p & q", "IoU"),
              (("rectangle_1", "1,024", "50 %", "0.72 ± 0.01"), ("[none]", "64", "−3", ""),
               ("Grad-CAM", "64", "1.2 × 10⁻³", "0.07 ± 0.02")), rules=(0, 2))


@pytest.mark.parametrize("text,latex", [
    ("ρ ≤ 1/2", r"$\rho$ $\leq$ 1/2"), ("Φ̂ of Ψ̃", r"$\hat{\Phi}$ of $\tilde{\Psi}$"), ("x̄", r"$\bar{x}$"),
    ("KL(Q‖P)", r"KL(Q$\|$P)"), ("k₁² × 3", r"k$_{1} ^{2}$ $\times$ 3"), ("10⁻¹²", r"10$^{-12}$"),
    ("a\\b~c^d", r"a\textbackslash{}b\textasciitilde{}c\textasciicircum{}d"), ("--deep", r"-{}-deep"),
    ("5 to 7 – or…", r"5 to 7 -- or\dots{}"), ("p < 0.05", "p $<$ 0.05"), ("Müller", r"M\"{u}ller"),
    ("30°", r"30$^\circ$"), ("{#1}$", r"\{\#1\}\$"), ("Łódź ß", r"\L{}\'{o}d\'{z} \ss{}"), ("çåñě", r"\c{c}\r{a}\~{n}\v{e}"),
])
def test_characters_in_latex(text, latex):
    assert escape(text) == latex


def test_a_character_without_latex_is_named():
    with pytest.raises(ValueError, match=re.escape("'語' (U+8A9E)")):
        Table(("a",), (("語",),)).latex()
    for letter in "ɐǟþ":  # Latin letters that a plain LaTeX has no sign for, or with two accents
        with pytest.raises(ValueError, match=re.escape(f"no LaTeX for {letter!r}")):
            escape(letter)
    assert "語" in Table(("a",), (("語",),)).html()


@given(LATIN)
def test_escaped_ascii_reads_back(text):
    """By undoing each escape; nothing that LaTeX would run is left."""
    found = escape(text)
    back = {r"\textbackslash{}": "\\", r"\textasciitilde{}": "~", r"\textasciicircum{}": "^", "-{}": "-",
            "$<$": "<", "$>$": ">", "$|$": "|", **{"\\" + c: c for c in "&%$#_{}"}}
    joined = re.sub(r"\$([<>| ]+)\$", lambda m: "".join(f"${c}$" for c in m[1].split()), found)
    read = re.sub("|".join(map(re.escape, sorted(back, key=len, reverse=True))), lambda m: back[m[0]], joined)
    assert read == text
    assert found.isascii()


def test_every_known_sign_is_ascii_in_latex():
    for sign in (*ESCAPES, *MATHS):
        assert escape(sign).isascii() and escape(sign) not in ("", sign)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=4))
def test_csv_reads_back(lines):
    table = Table(("a", "b, c", 'say "d"'), tuple(lines))
    text = table.csv()
    found = list(csv.reader(io.StringIO(text, newline="")))
    assert found[0] == list(table.columns)
    assert found[1:] == [[plain(c) for c in line] for line in lines]
    assert text.count("\r\n") == text.count("\n") == len(lines) + 1


@pytest.mark.parametrize("cell,number", [
    ("−0.5", -0.5), ("554,693", 554693), ("554\u2009693", 554693), ("+1.50", 1.5), ("1.2 × 10⁻³", 1.2e-3),
    ("3×10¹²", 3e12), ("1e-07", 1e-7), ("12", 12), ("−1,024.25", -1024.25),
])
def test_a_number_in_csv_is_one_that_programs_read(cell, number):
    assert float(plain(cell)) == number


@pytest.mark.parametrize("cell", ["0.61 ± 0.05", "50 %", "p < 0.05", "1,02", "2026-11-23", "", "−", "7 x 7", "v1.2"])
def test_other_cells_stay_as_they_are_in_csv(cell):
    assert plain(cell) == cell


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=4), st.integers(0, 2))
def test_html_reads_back(lines, heads):
    table = Table(("a <b>", "c"), tuple(lines), heads=heads, rules=(0,))
    root = ElementTree.fromstring(table.html())
    head, body = root.find("thead"), root.find("tbody")
    assert [th.text for th in head.iter("th")] == ["a <b>", "c"]
    assert {th.get("scope") for th in head.iter("th")} == {"col"}
    found = [[cell.text or "" for cell in line] for line in body]
    assert found == [list(line) for line in lines]
    assert [[c.tag for c in line] for line in body] == [["th"] * heads + ["td"] * (2 - heads)] * len(lines)
    assert {th.get("scope") for th in body.iter("th")} <= {"row"}
    assert [line.get("class") for line in body] == ["rule"] + [None] * (len(lines) - 1)


def test_html_has_no_caption_and_marks_numbers():
    text = TABLE.html()
    assert "<caption" not in text and '<td class="number">1,024</td>' in text
    assert '<th scope="row">rectangle_1</th>' in text


def test_text_is_aligned():
    lines = TABLE.text().splitlines()
    assert lines[0] == "method           N       p & q          IoU"
    assert lines[2] == "rectangle_1  1,024        50 %  0.72 ± 0.01"
    assert lines[3] == "[none]          64          −3"
    assert set(lines[1]) == set(lines[4]) == {"-", " "} and len(lines) == 6
    accented = Table(("a", "b"), (("Φ̂", "1"), ("Φ", "2"))).text().splitlines()
    assert accented[2] == "Φ̂  1" and accented[3] == "Φ  2"  # a hat takes no width


def test_words_stand_left_and_numbers_right():
    assert Table(("a", "b", "c"), (("1", "< 0.05", "none"), ("2", "–", "3"))).right() == [False, True, False]


@pytest.mark.parametrize("arguments,words", [
    (((), ()), "at least one column"),
    ((("a", "b"), (("1", "2"), ("3",))), r"line 1 has 1: \('3',\)"),
    ((("a",), ((3,),)), "one line of text, got 3"),
    ((("a",), (("x\ny",),)), "one line of text"),
    ((("a\r",), ()), "one line of text"),
    ((("a",), (("x",),), 2), "heads must be from 0 to 1, got 2"),
    ((("a",), (("x",),), 1, (1,)), "one of 1 lines, got 1"),
    ((("a",), (("x",),), 1, (-1,)), "one of 1 lines, got -1"),
])
def test_bad_tables_name_the_rule(arguments, words):
    with pytest.raises(ValueError, match=words):
        Table(*arguments)


@pytest.mark.parametrize("sign", [s for s in (*MATHS, "ρ", "Φ", "ε", "Φ̂", "10⁻³", "k₁²") if s not in "½¼¾√✓"])
def test_mathematics_is_known_to_another_typesetter(sign):
    MathTextParser("path").parse(escape(sign))


def test_html_heads_in_two_lines_where_columns_share_their_beginning():
    root = ElementTree.fromstring(Table(("a", "m: gain", "m: p", "x: y"), (("b", "1", "2", "3"),)).html())
    above, below = root.findall("thead/tr")
    assert [(c.text, c.get("colspan"), c.get("rowspan")) for c in above] == [
        ("a", None, "2"), ("m", "2", None), ("x: y", None, "2")]
    assert [(c.text, c.get("scope")) for c in below] == [("gain", "col"), ("p", "col")]
    assert above[1].get("scope") == "colgroup" and len(root.findall("tbody/tr/*")) == 4
