"""Tables as LaTeX: read line by line, read back, and compiled where there is a pdflatex."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paper_figures import latex_table, style
from paper_figures.latex_table import bare_heads, block_heads, spans, tabular, typeset, wrapped
from paper_figures.registry import COMMITTED, TABLES, load_rows
from paper_figures.tables import Table, escape

TABLE = Table(("method", "N", "p & q", "net: IoU", "net: rate"),
              (("rectangle_1", "1,024", "50 %", "0.72 ± 0.01", "0.5"), ("[none]", "64", "−3", "", "0.25"),
               ("Grad-CAM", "64", "1.2 × 10⁻³", "0.07 ± 0.02", "1")), rules=(0, 2))
BLOCKS = Table(("kind", "solver", "size", "ms"),
               (("a_1", "ours", "7", "1"), ("a_1", "ours", "9", "2"), ("b", "ours", "7", "3"),
                ("b", "NumPy", "7", "4"), ("b", "NumPy", "7", "5")), heads=3, rules=(2, 4))
CELLS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)


def body(table):
    return tabular(table).splitlines()


def test_line_by_line():
    assert body(TABLE) == [
        r"\begin{tabular}{@{}lrrrr@{}}", r"\toprule",
        r" &  &  & \multicolumn{2}{c}{net} \\", r"\cmidrule(lr){4-5}",
        r"method & N & p \& q & IoU & rate \\", r"\midrule",
        r"rectangle\_1 & 1,024 & 50\,\% & 0.72\,$\pm$\,0.01 & 0.5 \\", r"{}[none] & 64 & $-$3 &  & 0.25 \\",
        r"\midrule", r"Grad-CAM & 64 & 1.2\,$\times$\,10$^{-3}$ & 0.07\,$\pm$\,0.02 & 1 \\", r"\bottomrule",
        r"\end{tabular}"]


def test_blocks_are_named_above_and_repeated_heads_left_out():
    assert body(BLOCKS) == [
        r"\begin{tabular}{@{}llr@{}}", r"\toprule", r"solver & size & ms \\", r"\midrule",
        r"\multicolumn{3}{@{}l}{\emph{kind: a\_1}} \\", r"ours & 7 & 1 \\", r" & 9 & 2 \\", r"\midrule",
        r"\multicolumn{3}{@{}l}{\emph{kind: b}} \\", r"ours & 7 & 3 \\", r"NumPy & 7 & 4 \\", r"\midrule",
        r"NumPy & 7 & 5 \\", r"\bottomrule", r"\end{tabular}"]
    assert block_heads(BLOCKS) == {0: "a_1", 2: "b"}  # the third part goes on with b
    mixed = Table(BLOCKS.columns, BLOCKS.lines, 3, (3,))  # a_1 and b in one part
    assert block_heads(mixed) == {} and len(body(mixed)[0]) == len(body(BLOCKS)[0]) + 1
    assert block_heads(Table(BLOCKS.columns, BLOCKS.lines, 1, (2,))) == {}
    assert block_heads(Table(BLOCKS.columns, BLOCKS.lines, 3)) == {}
    assert "a_1" in BLOCKS.text() and BLOCKS.csv().count("a_1") == 2  # the other forms stay whole


def test_a_repeat_further_right_stays_when_an_earlier_head_differs():
    table = Table(("a", "b", "c"), (("x", "1", "p"), ("y", "1", "p"), ("y", "1", "p"), ("y", "2", "p")), heads=3)
    assert bare_heads(table) == [("x", "1", "p"), ("y", "1", "p"), ("", "", "p"), ("", "2", "p")]
    assert bare_heads(Table(("a", "b"), (("x", "1"), ("x", "1")), heads=1)) == [("x", "1"), ("x", "1")]
    assert bare_heads(Table(("a", "b"), (("x", "1"), ("x", "2")), 2, (1,))) == [("x", "1"), ("x", "2")]


@pytest.mark.parametrize("cell,printed", [
    ("0.06 (0.05 to 0.07)", "0.06 (0.05--0.07)"), ("−1 to 2", r"$-$1--2"), ("to 2", "to 2"), ("sides from 2 to a half", "sides from 2 to a half"),
    ("7 x 7", r"7\,$\times$\,7"), ("x 7", "x 7"), ("1.4 us (2)", r"1.4\,$\mu$s (2)"), ("3 users", "3 users"),
    ("320 x 10 x 10", r"320\,$\times$\,10\,$\times$\,10"), ("−0.5 ± 0.1", r"$-$0.5\,$\pm$\,0.1"),
])
def test_signs_of_print(cell, printed):
    assert typeset(cell) == printed


def test_heads_that_share_their_beginning():
    assert spans(("a", "m: x", "m: y", "n: x", "n: y", "n: z", "o: x", "b")) == [(1, 2, "m"), (3, 3, "n")]
    assert spans(("m: x", "a", "m: y")) == [] == spans(("a", "a"))
    found = body(Table(("m: x", "m: y", "a", "o: z"), (("1", "2", "3", "4.25"),), heads=0))
    assert found[2:5] == [r"\multicolumn{2}{c}{m} &  &  \\", r"\cmidrule(lr){1-2}", r"x & y & a & o: z \\"]


@pytest.mark.parametrize("head,width,lines", [
    ("Theorem 1", 5, ["Theorem", "1"]), ("Theorem 1", 9, ["Theorem 1"]), ("", 3, [""]),
    ("Clopper-Pearson", 5, ["Clopper-", "Pearson"]), ("Clopper-Pearson", 15, ["Clopper-Pearson"]),
    ("k-1 and b-0", 3, ["k-1", "and", "b-0"]), ("quarter with masks", 7, ["quarter", "with", "masks"]),
])
def test_heads_in_lines(head, width, lines):
    assert wrapped(head, width) == lines


@given(CELLS, st.integers(0, 20))
def test_no_word_of_a_head_is_lost(head, width):
    found = wrapped(head, width)
    assert "".join("".join(found).split()) == "".join(head.split())
    words = [w for w in re.split(r"\s+|(?<=-)", head) if w]
    assert max(map(len, found)) <= max([width, *map(len, head.split()), *map(len, words)])


def test_heads_end_on_the_last_line():
    found = body(Table(("a", "held out, betting"), (("x", "0.5"),)))
    assert found[2:6] == [r" & held \\", r" & out, \\", r"a & betting \\", r"\midrule"]


COMMANDS = {
    "begin", "end", "toprule", "midrule", "cmidrule", "bottomrule", "multicolumn", "emph", "begingroup", "endgroup",
    "footnotesize", "setlength", "tabcolsep", "sbox", "ifdim", "wd", "linewidth", "resizebox", "usebox", "else", "fi",
    "times", "pm", "mu", "delta", "rho", "surd", "leq", "geq", "textbackslash", "textasciitilde",
    "textasciicircum", "dots"}
"""LaTeX's own, booktabs' and graphicx's; the tables need no more."""


def check(text):
    """What any engine asks for: ASCII, known commands, balanced groups, one width of all lines."""
    assert text.isascii()
    code = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    assert set(re.findall(r"\\([A-Za-z]+)", code)) <= COMMANDS
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", code.replace(r"\\", "")):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0 and code.count("\\begin{") == code.count("\\end{") == 1
    assert code.count(r"\begingroup") == code.count(r"\endgroup") == code.count(r"\ifdim") == 1
    assert len(re.findall(r"(?<!\\)\$", code)) % 2 == 0
    columns = re.search(r"\\begin\{tabular\}\{@\{\}([lr]+)@\{\}\}", code)[1]
    lines = [line for line in code.splitlines() if line.endswith(r" \\")]
    for line in lines:
        spanned = sum(int(n) - 1 for n in re.findall(r"\\multicolumn\{(\d+)\}", line))
        assert len(re.findall(r"(?<!\\)&", line)) + 1 + spanned == len(columns)
    return len(lines)


@pytest.fixture(scope="module")
def tables():
    return {name: entry.module().table(load_rows(entry, COMMITTED)) for name, entry in TABLES.items()}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_sound_latex_and_holds_all_cells(tables, name):
    table = tables[name]
    text = table.latex()
    assert check(text) >= len(table.lines) + 1
    assert all(f"\\usepackage{{{p}}}" in text.splitlines()[0] for p in latex_table.PACKAGES)
    code = tabular(table)
    for cell in {c for line in table.lines for c in line}:
        assert typeset(cell) in code or escape(cell) in code
    assert sum(line.startswith(r"\midrule") for line in code.splitlines()) == 1 + len({*table.rules} - {0})


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=4), st.integers(0, 3))
def test_any_ascii_table_is_sound_latex(lines, heads):
    check(Table(("a", "b: c", "b: d"), tuple(lines), heads).latex())


def compiled(folder, options, text):
    """The log of pdflatex on a page with these floats; skips where it or a package is not there."""
    if not shutil.which("pdflatex"):
        pytest.skip("pdflatex is not there")
    packages = (*latex_table.PACKAGES, "geometry")
    for package in packages:
        if subprocess.run(["kpsewhich", f"{package}.sty"], capture_output=True).returncode:
            pytest.skip(f"the LaTeX package {package} is not there")
    page = rf"\geometry{{letterpaper,textwidth={style.PAGE}in,textheight=9in,columnsep={style.PAGE - 2 * style.COLUMN}in}}"
    source = [rf"\documentclass[10pt{options}]{{article}}", *(rf"\usepackage{{{p}}}" for p in packages), page,
              r"\begin{document}\typeout{TEXT \the\textwidth\space COLUMN \the\columnwidth}", text, r"\end{document}"]
    (folder / "page.tex").write_text("\n".join(source), encoding="ascii")
    done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"], cwd=folder,
                          capture_output=True, text=True, errors="replace", timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    log = (folder / "page.log").read_text(errors="replace")
    assert "! " not in log and "Missing character" not in log and "too large for page" not in log
    assert "Overfull" not in log, re.findall("Overfull.*", log)
    return log.replace("\n", "")


@pytest.mark.parametrize("options,place", [("", "table"), (",twocolumn", "table*"), (",twocolumn", "table")])
def test_the_tables_compile_and_fit(tables, tmp_path, options, place):
    text = []
    for name, table in tables.items():
        (tmp_path / f"{name}.tex").write_text(table.latex(), encoding="ascii")
        text.append(rf"\begin{{{place}}}\centering\caption{{x}}\input{{{name}}}\end{{{place}}}\clearpage")
    compiled(tmp_path, options, "\n".join(text))


def test_every_known_sign_compiles(tmp_path):
    from paper_figures import tables as module

    signs = [*module.ESCAPES, *module.MATHS, *module._GREEK, *module._LETTERS, *"éàôñāăėüåőšç", "Φ̂", "x̄", "10⁻¹²", "k₁"]
    lines = tuple((f"[{s}", f"{s}", f"1{s}2") for s in signs if not s.isspace())
    (tmp_path / "signs.tex").write_text(Table(("a", "b", "c"), lines).latex(), encoding="ascii")
    compiled(tmp_path, "", r"\sbox{0}{\input{signs}}\typeout{DONE}")


def test_figures_have_the_width_of_the_page_or_of_a_column(tmp_path):
    """In points of TeX, at natural size: no scaling, so that letters keep their size."""
    from paper_figures import fig02_window, fig10_sigmoids

    for module in (fig02_window, fig10_sigmoids):
        style.save(style.draw(module, None), tmp_path / f"{module.__name__.split('.')[1]}.pdf", "pdf")
    log = compiled(tmp_path, ",twocolumn", "".join(
        rf"\sbox{{0}}{{\includegraphics{{{name}}}}}\typeout{{{place} \the\wd0}}x" for name, place in (
            ("fig02_window", "NARROW"), ("fig10_sigmoids", "WIDE"))))
    text, column, narrow, wide = (float(re.search(rf"{word} ([\d.]+)pt", log)[1])
                                  for word in ("TEXT", "COLUMN", "NARROW", "WIDE"))
    assert narrow == pytest.approx(column, abs=0.05) and wide == pytest.approx(text, abs=0.05)
    assert text == pytest.approx(style.PAGE * 72.27, abs=0.01)
