"""What a figure is made of, by reading its imports, against what is imported when it is drawn."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from paper_figures import build, sources
from paper_figures.registry import COMMITTED, ENTRIES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["certificates", "bound_vs_data", "fig03_maps"])
def test_nothing_that_is_imported_is_overlooked(name):
    code = ("import sys; from paper_figures.registry import COMMITTED, FIGURES, load_rows\n"
            "from paper_figures.style import draw\n"
            f"e = FIGURES[{name!r}]; rows = load_rows(e, COMMITTED); m = e.module()\n"
            "draw(m, rows); m.caption(rows)\n"
            "for n, m in sorted(sys.modules.items()):\n"
            "    if n.split('.')[0] in ('theory', 'sims', 'paper_figures'): print(m.__file__)")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    used = {Path(line) for line in done.stdout.splitlines()} - {ROOT / "paper_figures" / "registry.py"}
    found = set(sources.sources(f"paper_figures.{name}", "paper_figures.style", "sims.rows"))
    assert used <= found and len(found) <= len(used) + 3


def test_lazy_names_lead_to_their_homes_only():
    names = {p.name for p in sources.sources("paper_figures.bound_vs_data")}
    assert {"all_functions.py", "lazy.py"} <= names and "pac_bayes.py" not in names
    with pytest.raises(ModuleNotFoundError, match=r"paper_figures\.nothing"):
        sources.sources("paper_figures.nothing")


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for room in sources.ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room,
                        ignore=shutil.ignore_patterns("__pycache__", "rows", "*.nb?"))
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    monkeypatch.setattr(build, "ROOT", tmp_path)
    _forget()
    yield tmp_path
    _forget()


def _forget():
    for kept in (sources._path, sources._imports, sources._homes):
        kept.cache_clear()


@pytest.mark.parametrize("file,changed", [
    ("theory/rectangle.py", {"fig02_window", "fig03_maps", "fig10_sigmoids", "certificates", "slack"}),
    ("theory/bounds/betting.py", {"certificates", "slack"}),
    ("theory/injectivity.py", set()),
    ("paper_figures/certificates.py", {"certificates", "slack"}),
    ("paper_figures/slack.py", {"slack"}),
    ("paper_figures/style.py", {"fig02_window", "fig03_maps", "fig10_sigmoids", "rademacher_vs_n",
                                "bound_vs_data", "certificates", "slack"}),
])
def test_a_change_of_code_concerns_the_figures_that_use_it(tree, file, changed):
    names = ("fig02_window", "fig03_maps", "fig10_sigmoids", "rademacher_vs_n", "bound_vs_data",
             "certificates", "slack")
    before = {n: build.fingerprint(ENTRIES[n], COMMITTED, "png") for n in names}
    with (tree / file).open("a") as text:
        text.write("# more\n")
    after = {n: build.fingerprint(ENTRIES[n], COMMITTED, "png") for n in names}
    assert {n for n in names if before[n] != after[n]} == changed


@pytest.mark.parametrize("before,after", [
    ("import annotations\n", "import annotations\nimport theory.table1\n"),
    ("import annotations\n", "import annotations\nfrom theory import table1\n"),
    ('"""Inches."""\n', '"""Inches."""\n    from theory.table1 import welch\n'),
])
def test_a_new_import_counts_also_inside_a_function(tree, before, after):
    old = build.fingerprint(ENTRIES["fig02_window"], COMMITTED, "png")
    module = tree / "paper_figures" / "fig02_window.py"
    assert before in module.read_text()
    module.write_text(module.read_text().replace(before, after, 1))
    _forget()
    assert build.fingerprint(ENTRIES["fig02_window"], COMMITTED, "png") != old
    assert tree / "theory" / "table1.py" in sources.sources("paper_figures.fig02_window")


def test_the_format_is_part_of_what_a_figure_depends_on():
    hashes = {build.fingerprint(ENTRIES["fig02_window"], COMMITTED, f) for f in ("png", "svg", "pdf")}
    assert len(hashes) == 3


def test_help_answers_without_heavy_imports():
    code = ("import sys; from paper_figures.__main__ import main\n"
            "try: main(['--help'])\nexcept SystemExit as e: assert e.code == 0\n"
            "assert main(['list']) == 0\n"
            "bad = {'numpy', 'torch', 'matplotlib', 'jinja2'} & set(sys.modules)\n"
            "assert not bad, bad")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
