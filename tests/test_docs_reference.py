"""The API reference: complete, with every formula typeset, no broken link, nothing fetched."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from docs.reference.__main__ import main
from docs.reference.markup import protect, typeset
from docs.reference.numbers import numbers
from paper_figures.typeset import NotTypeset
from tests.paper_figures.browser import binary
from theory.claims.ledger import ledger

ROOT = Path(__file__).parents[1]
ROOMS = ("theory", "sims", "training", "paper_figures")
FILES = [p for room in ROOMS for p in sorted((ROOT / room).rglob("*.py")) if p.name != "__main__.py"]
CHROMIUM = binary()


class Page(HTMLParser):
    """Identifiers, addresses and words of a page; words of formulas and scripts are left out."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.prose: list[str] = []
        self.formulas = 0
        self._out_of: list[str] = []
        self.raw = path.read_text(encoding="utf-8")
        self.feed(self.raw)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids |= {values["id"]} if values.get("id") else set()
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        self.fetched += [(tag, v) for k, v in values.items() if v and (
            k in ("src", "srcset", "poster", "data") or k == "href" and tag != "a")]
        self.formulas += tag == "math"
        if tag in ("math", "style", "script", "code", "pre") or (tag, values.get("class")) in (
                ("details", "value"), ("span", "default_value")):
            self._out_of.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._out_of and self._out_of[-1] == tag:
            self._out_of.pop()

    def handle_data(self, data: str) -> None:
        if not {"math", "style", "script"} & set(self._out_of):
            self.text.append(data)
        if not self._out_of:
            self.prose.append(data)


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("reference")
    done = subprocess.run([sys.executable, "-m", "docs.reference", "--out", str(out)], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{out / 'index.html'}: ")
    return out


@pytest.fixture(scope="module")
def pages(reference) -> dict[str, Page]:
    return {str(p.relative_to(reference)): Page(p) for p in sorted(reference.rglob("*.html"))}


def page_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "/".join(parts[:-1] if parts[-1] == "__init__" else parts) + ".html"


def public(path: Path) -> Iterator[tuple[str, ast.AST]]:
    """(qualified name, node) of public functions, classes, methods and properties, from the text."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, node
            inner = node.body if isinstance(node, ast.ClassDef) else []
            yield from ((f"{node.name}.{n.name}", n) for n in inner
                        if isinstance(n, ast.FunctionDef) and not n.name.startswith("_"))


def test_a_page_for_every_module(pages):
    assert set(pages) == {page_of(p) for p in FILES} | {"index.html", "paper.html"}


def test_every_public_name_is_there(pages):
    index = set(pages["index.html"].links)
    missing, count = [], 0
    for path in FILES:
        for name, _ in public(path):
            count += 1
            if name not in pages[page_of(path)].ids or (
                    "." not in name and f"{page_of(path)}#{name}" not in index):
                missing.append(f"{page_of(path)}#{name}")
    assert missing == []
    assert count > 900


def words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text))


def test_no_sentence_is_lost(pages):
    """Each line of a docstring stands on its page, word by word; formulas are counted."""
    for path in FILES:
        page = pages[page_of(path)]
        text = f" {words(' '.join(page.text))} "
        nodes = [ast.parse(path.read_text()), *(node for _, node in public(path))]
        formulas = 0
        for doc in filter(None, map(ast.get_docstring, nodes)):
            doc, blocks = re.subn(r"^ *\.\. math::.*(\n +.*)*", "\n", doc, flags=re.M)
            doc, inline = re.subn(r":math:`[^`]*`", "\n", doc)
            formulas += blocks + inline
            doc = re.sub(r":(func|class|mod|meth|attr|data):`", "`", doc).replace("Args:", "Arguments:")
            for line in doc.splitlines():
                assert f" {words(line)} ".replace("  ", " ") in text, (path, line)
        assert page.formulas >= formulas, path


def test_every_formula_is_typeset(pages):
    for name, page in pages.items():
        assert not re.search(r"MATH(INLINE|BLOCK)|:math:|math::", page.raw), name
        prose = re.sub(r"'[^']*'", "", " ".join(page.prose))  # values of strings stay as they are
        assert not re.search(r"\\[A-Za-z]+", prose), name
    assert pages["theory/rates.html"].formulas >= 4


def test_links_lead_somewhere(reference, pages):
    broken, followed = [], 0
    for name, page in pages.items():
        for link in page.links:
            assert not re.match(r"\w+:|//", link), f"{name}: leaves the reference: {link}"
            address, _, anchor = link.partition("#")
            target = (reference / name).parent / address if address else reference / name
            key = str(target.resolve().relative_to(reference.resolve()))
            followed += 1
            if key not in pages or anchor and anchor not in pages[key].ids:
                broken.append(f"{name}: {link}")
    assert broken == []
    assert followed > 5000


def test_nothing_is_fetched(pages):
    for name, page in pages.items():
        assert [v for _, v in page.fetched if not v.startswith("data:")] == [], name
        assert not re.search(r"@import|url\(\s*['\"]?(?!['\"]?data:)[\w/.]", page.raw), name
        assert not re.search(r"fetch\(|XMLHttpRequest|import\(", page.raw), name


def test_names_that_packages_pass_on_lead_home(pages):
    assert "rates.html#missing_rate" not in pages["theory.html"].links
    assert "theory/rates.html#missing_rate" in pages["theory.html"].links
    assert "bounds/table.html#BOUNDS" in pages["theory/bounds.html"].links
    assert "families/rotated.html#Parallelograms" in pages["theory/rectangle.html"].links


def test_numbers_of_the_paper(pages):
    """From the docstrings as text: whoever mentions exactly [Eq. k] is under that number."""
    page = pages["paper.html"]
    sections = dict(re.findall(r'<section id="([^"]+)">(.*?)</section>', page.raw, re.S))
    count = 0
    for path in FILES:
        for name, node in public(path):
            doc = ast.get_docstring(node) or ""
            for k in re.findall(r"\[Eq\. (\d+)\]", doc):
                assert f'"{page_of(path)}#{name}"' in sections[f"eq-{k}"], (name, k)
                count += 1
    assert count >= 8
    assert "Hoeffding" not in sections["theorem-1"]


def test_claims_stand_under_their_number_and_beside_their_code(pages):
    text = " ".join(pages["paper.html"].text)
    for claim in ledger().values():
        if re.match(r"(Eq|Theorem|Prop|Remark|Property)", claim.source):
            assert re.search(rf"(?<![\w-]){re.escape(claim.id)}(?![\w-])", text), claim.id
    assert "eq-12" in " ".join(pages["theory/rates.html"].text)
    assert "vacuous" in " ".join(pages["theory/bounds/all_functions.html"].text)


@pytest.mark.parametrize("text, wanted", [
    ("Theorem 2(1) and Eqs. 18-19", ["Theorem 2", "Eq. 18", "Eq. 19"]),
    ("[Def. C.1, Prop. 2]", ["Definition C.1", "Proposition 2"]),
    ("sections 4.1 and 4.2, App. B", ["Section 4.1", "Section 4.2", "Appendix B"]),
    ("Maurer (2004), Theorem 5", []), ("Mohri et al., Theorem 3.3", []),
    ("Theorem 3 (Mohri et al., Theorem 3.3)", ["Theorem 3"]), ("a table 3 wide", ["Table 3"]),
    ("no number", []),
])
def test_numbers(text, wanted):
    assert numbers(text) == wanted


def test_formulas_survive_markdown():
    r"""Stars, underscores and backslashes; a block after a list; two formulas a line."""
    assert protect("a <b, c> and ``<d>``") == "a &lt;b, c> and ``<d>``"
    text = protect("a :math:`x_1*y_2` b :math:`\\rho`\n\n.. math:: a_1\n          = b_2\n\nend::\n\n    code")
    assert re.findall(r"[\\*_`]", text) == []
    assert typeset(text).count("<math") == 3 and 'display="block"' in typeset(text)
    assert text.endswith("end:\n\n    code")


def test_a_formula_that_is_none_is_named():
    with pytest.raises(NotTypeset, match=r"\\nosuchthing"):
        typeset(protect(r":math:`\nosuchthing{x}`"))


def contrast(first: str, second: str) -> float:
    """Ratio of the relative luminances of two colours (WCAG 2)."""
    def luminance(colour: str) -> float:
        parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_contrast(dark):
    css = (ROOT / "docs" / "reference" / "templates" / "theme.css").read_text()
    light, _, night = css.partition("@media (prefers-color-scheme: dark)")
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", night if dark else light))
    assert (contrast("#000000", colours["pdoc-background"]) < 2) is dark
    for ground in ("pdoc-background", "code", "accent"):
        for ink in ("text", "muted", "link", "name", "def", "annotation"):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)


def test_the_door(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("")
    assert main(["--out", str(tmp_path / "file")]) == 2
    assert "is no folder" in capsys.readouterr().err
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["--out", str(tmp_path / "new")]) == 2
    assert "quadrat[docs]" in capsys.readouterr().err


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_filter_in_a_browser(reference, tmp_path):
    """Typing narrows the page to the names that hold the word; the console stays silent."""
    page = (reference / "index.html").read_text(encoding="utf-8")
    wanted = len(re.findall(r'data-name="[^"]*supremum[^"]*"', page))
    probe = ("<script>box.value = ' Supremum'; box.dispatchEvent(new Event('input'));"
             "document.title = document.querySelectorAll('li[data-name]:not([hidden])').length"
             " + '/' + document.querySelectorAll('.names:not([hidden])').length + '/' + found.textContent;"
             "</script></body>")
    (tmp_path / "index.html").write_text(page.replace("</body>", probe), encoding="utf-8")
    done = subprocess.run(
        [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'c'}",
         "--enable-logging=stderr", "--dump-dom", (tmp_path / "index.html").as_uri()],
        capture_output=True, text=True, timeout=60, check=False)
    shown, parts, said = re.search(r"<title>(.*?)</title>", done.stdout)[1].split("/")
    assert wanted > 20 and int(shown) == wanted and said == f"{wanted} names"
    assert 0 < int(parts) < len(re.findall(r'class="names"', page))
    assert "CONSOLE" not in done.stderr
