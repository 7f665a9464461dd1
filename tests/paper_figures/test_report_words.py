"""What a claim looks like on the page: formulas, instances drawn, counts and margins in words."""

from __future__ import annotations

import re

import pytest

from paper_figures.encoding import items
from paper_figures.ledger import margin_text, summary
from paper_figures.typeset import NotTypeset, mathml, statement
from tests.paper_figures.make_ledger import ledger, verdict
from tests.paper_figures.page import Page


@pytest.mark.parametrize("latex", [
    r"\hat{\mathcal R}_S\le\tfrac{1}{4N}\sum_i\bigl[\max_b\Psi(b,a_i)-\min_b\Psi(b,a_i)\bigr]",
    r"\mathbb E\,g\le\sqrt{\tfrac{\log(1/\delta)}{2N}},\qquad g(a)=\max_{b\in\mathcal A}\Phi(b,a)",
    r"\begin{pmatrix}\cos\alpha&-\sin\alpha\\ \sin\alpha&\cos\alpha\end{pmatrix}",
    r"\{x : \lVert x\rVert_\infty \le 1\}",
    r"\Big\|\sum\frac{\partial L}{\partial x}\Big\|\ll\|x\|",
])
def test_statements_of_the_ledger_are_typeset(latex):
    out = mathml(latex)
    assert out.startswith("<math") and "mathvariant" not in out and "xmlns" not in out
    Page(out)


def test_script_letters_arrows_and_accents():
    assert '<mo lspace="0.4em" rspace="0.4em">⟺</mo>' in mathml(r"a\iff b")
    assert '<mi class="accented">f\u0303</mi>' in mathml(r"\tilde f")
    assert 'class="hatted"><mi>R</mi>' in mathml(r"\hat R")
    assert "<mover><mrow>" in mathml(r"\overline{a+b}")
    assert "𝒜" in mathml(r"\mathcal{A}") and "ℛ" in mathml(r"\mathcal R")
    assert "𝔼" in mathml(r"\mathbb E") and 'lspace="0.4em"' in mathml(r"a \Leftrightarrow b")


@pytest.mark.parametrize("latex", [r"\notacommand{x}", r"\frac{a", r"\left( a", r"\frac{a}"])
def test_what_cannot_be_typeset_is_shown_as_latex(latex):
    with pytest.raises(NotTypeset):
        mathml(latex)
    assert statement(latex) == f"<code>{latex}</code>"
    assert statement("  ") == "" and statement(r"\x<y") == r"<code>\x&lt;y</code>"


def test_items_of_odd_instances():
    named = {i.name: i.text for i in items(
        {"a": {"array": 0.5, "dtype": "float64"}, "b": {"float": "inf"}, "c": [[1, 2], [3]],
         "d": None, "e": {"array": [], "dtype": "int8"}, "f": {"repr": "object()"},
         "g": {"type": "Pair", "x": {"fraction": "2/7"}}})}
    assert named == {"a": "0.5", "b": "inf", "c.0": "[1, 2]", "c.1": "[3]", "d": "None",
                     "e": "[]", "f": "object()", "g (Pair).x": "2/7"}
    assert items(3)[0].name == "value"


def test_items_draw_by_shape():
    def drawn(nested):
        return [i.svg.count("<rect") for i in items({"array": nested, "dtype": "float64"})]

    assert drawn([[1, -1]]) == [2] and drawn([[0, 0.5]]) == [2]
    assert drawn([[2.0, 3.0]]) == drawn([[0, -1]]) == [0]  # neither mask nor map
    assert drawn([[[1, -1]], [[1, 1]]]) == [2, 2] and drawn([0.5, -0.5, 0]) == [3]
    assert drawn([0.0] * 100) == [0] and "array of shape [100]" in items(
        {"array": [0.0] * 100, "dtype": "float64"})[0].text


def test_bars_have_the_lengths_of_their_values():
    svg = items({"array": [1.0, -0.5, 0.25], "dtype": "float64"}, "v")[0].svg
    widths = [float(w) for w in re.findall(r'class="on" x="[\d.]+" y="\d+" width="([\d.]+)"', svg)]
    assert widths[0] == pytest.approx(2 * widths[1], rel=1e-3)
    assert widths[1] == pytest.approx(2 * widths[2], rel=1e-2)


def test_summary_and_margins():
    moved = ledger(verdicts=[verdict("a", "holds", recorded="refuted"), verdict("b", "holds")])
    assert summary(moved) == "2 claims: 2 holds; 1 verdict changed"
    assert [margin_text(v) for v in (None, "1/3", 0.12345, 0, {"fraction": "1/2"})] == [
        "–", "1/3", "0.123", "0", "1/2"]


def test_bars_of_one_instance_have_one_scale():
    """1/2 is half as long as 1, in another panel of the same instance too."""
    def widths(instance):
        return {i.name: [float(w) for w in re.findall(r'class="on"[^>]*width="([\d.]+)"', i.svg)]
                for i in items(instance)}

    shares = {"p": {"array": [{"fraction": "1"}]}, "q": {"array": [{"fraction": "1/2"}, {"fraction": "1/4"}]}}
    assert widths(shares) == {"p": [110], "q": [55, 27.5]}
    mixed = {"a": {"array": [4, 2]}, "b": {"array": [1, 2]}, "c": {"array": [0.5, 1, 0]}}
    assert widths(mixed) == {"a": [110, 55], "b": [27.5, 55], "c": [55, 110, 0.6]}
