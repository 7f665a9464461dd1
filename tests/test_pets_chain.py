"""Oxford-IIIT Pet from its folder to the figures, by the commands of the documents on drawn pictures."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from markupsafe import escape
from PIL import Image

from paper_figures import fig05_accuracy, fig06_maps, table1
from paper_figures.__main__ import main as paper_figures
from paper_figures.fields import FieldError
from paper_figures.gallery import scenes, scenes_row, views
from paper_figures.registry import COMMITTED, ENTRIES, load_rows
from paper_figures.style import draw
from sims.rows import read_rows
from tests.pets_folder import BREEDS, make_pets
from theory.claims.ledger_6_trained import split_scores
from training.__main__ import main as training
from training.images import resize_mask

DOORS = {"training": training, "paper_figures": paper_figures}
SHORT = "--preset smoke --set steps=4 --set starts=1 "
NETWORK = {"NET": "--set layers=1 --set depth=1", "SHALLOW": "--set depth=0"}
"""In place of the documents' network: the small one, with the attention at two places."""
NAMES = ("fig05_accuracy", "table1", "fig06_maps", "fig07_depth", "fig08_sequences", "fig09_extremes")
PER_BREED = 10
TOTAL = PER_BREED * len(BREEDS)


def commands(pets: Path, out: Path) -> list[list[str]]:
    """The commands of ``docs/networks.md``, with short trainings on the folder ``pets``."""
    text = (Path(__file__).parents[1] / "docs" / "networks.md").read_text()
    block = re.search(r"### Oxford-IIIT Pet.*?```sh\n(.*?)```", text, re.S)[1]
    held = dict(re.findall(r'^(\w+)="(.*?)"$', block, re.M | re.S)) | NETWORK
    lines = [line for line in block.splitlines() if line.startswith("python -m ")]
    for name, value in held.items():
        lines = [line.replace(f"${name}", value) for line in lines]
    lines = [re.sub(r"(training (sweep|run)) ", rf"\1 {SHORT}", line) for line in lines]
    lines = [line.replace("--experiment splits", "--experiment splits --jobs 1 --grid ratio=60,80 "
                          "--grid split=0,1").replace("root=DIR", f"root={pets}") for line in lines]
    lines = [line.replace("runs/pets", str(out)).replace("reports/pets", str(out / "page"))
             for line in lines]
    return [shlex.split(line)[2:] for line in lines]


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """The folder of pets and that of the rows, after all commands but the report."""
    root = tmp_path_factory.mktemp("chain")
    pets, out = make_pets(root / "pets", PER_BREED), root / "rows"
    for door, *words in commands(pets, out):
        if words[0] != "report":
            with contextlib.redirect_stderr(io.StringIO()) as told:
                assert DOORS[door](words) == 0, (words, told.getvalue())
    return pets, out


def rows_of(name: str, folder: Path) -> list[dict]:
    return load_rows(ENTRIES[name], folder)


def splits(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "splits.jsonl").read_text().splitlines()]


def test_the_documents_have_the_whole_chain():
    said = [(door, words[0]) for door, *words in commands(Path("DIR"), Path("OUT"))]
    assert said == [("training", "sweep"), *[("training", "run")] * 4, ("training", "gallery"),
                    ("paper_figures", "build"), ("paper_figures", "report")]


def test_all_files_are_there(chain):
    _, out = chain
    made = {p.name for p in (out / "page").iterdir()}
    assert {f"{n}.png" for n in NAMES if n.startswith("fig")} | {"table1.tex", "table1.csv"} <= made


def test_splits_are_the_papers_design_on_the_pool(chain):
    pets, out = chain
    found = splits(out)
    cells = {(r["config"]["ratio"], r["config"]["split"], r["method"], r["config"]["eqvc"]) for r in found}
    methods = (("none", "none"), ("positionwise", "none"), ("rectangle", "none"),
               ("rectangle", "quotient"), ("oracle", "none"))
    assert cells == {(r, s, *m) for r in (60, 80) for s in (0, 1) for m in methods}
    for row in found:
        share = PER_BREED * row["config"]["ratio"] // 100
        assert (row["n"], row["n_test"]) == (4 * share, TOTAL - 4 * share)
        assert (row["classes"], row["sides"], row["truth"]) == (4, [64, 64], "pets")
        assert row["config"]["pool"] == 0 and row["config"]["root"] == str(pets)


@pytest.mark.parametrize("name", NAMES)
def test_captions_say_which_images(chain, name):
    text = ENTRIES[name].module().caption(rows_of(name, chain[1]))
    assert "Oxford-IIIT Pet" in text and "4 classes, 64 × 64 pixels, small network" in text
    for wrong in ("synthetic", "ShapeField", "the red", "chosen on validation images", "our data", "nan"):
        assert wrong not in text
    if name in ("fig05_accuracy", "table1"):
        assert f"2 random splits of one pool of {TOTAL} photographs" in text
    else:
        assert "split 0 with 80 % for training" in text and "border of a trimap counts nowhere" in text
        assert "N = 32," in text and "error bars" in text


def test_the_axes_of_figure_5_hold_the_rows(chain):
    found = splits(chain[1])
    figure = draw(fig05_accuracy, rows_of("fig05_accuracy", chain[1]))
    assert [ax.get_title() for ax in figure.axes] == ["6:4", "8:2"]
    assert figure.axes[0].get_ylabel() == "Oxford-IIIT Pet\ntest accuracy (%)"
    for ax, ratio in zip(figure.axes, (60, 80), strict=True):
        for split in (0, 1):
            by = {(r["method"], r["config"]["eqvc"]): 100 * r["test"]["accuracy"] for r in found
                  if (r["config"]["ratio"], r["config"]["split"]) == (ratio, split)}
            order = [("none", "none"), ("positionwise", "none"), ("rectangle", "none"),
                     ("rectangle", "quotient"), ("oracle", "none")]
            assert ax.lines[split].get_ydata() == pytest.approx([by[k] for k in order])


def test_scenes_are_the_pets_with_their_trimaps(chain):
    pets, out = chain
    rows = rows_of("fig06_maps", out)
    row = fig06_maps.select(rows)[1]
    held = scenes_row(rows, row)
    assert [c for c in held["classes"] if c] == sorted(BREEDS, key=lambda b: BREEDS[b][0])
    trimaps = {}
    for path in (pets / "annotations" / "trimaps").glob("[!.]*.png"):
        values = resize_mask(np.asarray(Image.open(path)), (64, 64))
        trimaps[np.array([0, 1, -1, 0])[values].tobytes()] = path.stem.rpartition("_")[0]
    for scene, view in zip(scenes(held), views(row), strict=True):
        breed = trimaps[scene.truth.astype(int).tobytes()]
        assert scene.note["label"] == BREEDS[breed][0] - 1
        cells = scene.truth.reshape(16, 4, 16, 4)
        known, inside = (cells != 0).mean((1, 3)) > 0.5, cells.sum((1, 3)) > 0
        union = (known & (inside | view.mask)).sum()
        assert view.note["iou"] == pytest.approx((known & inside & view.mask).sum() / union, abs=1e-6)
        pet = scene.picture[scene.truth == 1].mean(0), scene.picture[scene.truth == -1].mean(0)
        assert np.abs(pet[0] - pet[1]).max() > 0.1  # the truth lies on the pet


def test_two_data_sets_in_one_file_are_never_one(chain, tmp_path):
    both = [*read_rows(COMMITTED / "splits.jsonl"), *splits(chain[1])]
    alone = table1.table(both[:75])
    figure = draw(fig05_accuracy, both)
    assert fig05_accuracy.layout(both) == (2, 3)
    axes = np.array(figure.axes).reshape(2, 3)
    assert [ax.get_visible() for ax in axes.flat] == [True] * 3 + [True, False, True]
    assert [ax.get_ylabel().split("\n")[0] for ax in axes[:, 0]] == ["ShapeField", "Oxford-IIIT Pet"]
    assert len(axes[0, 0].lines) == 5 + 2 * 5 and len(axes[1, 0].lines) == 2 + 2 * 5
    table = table1.table(both)
    assert [line[:13] for line in table.lines] == [line[:13] for line in alone.lines]
    assert table.columns[-8:] == (*(f"ShapeField: {n}" for n in table1.OWN),
                                  *(f"Oxford-IIIT Pet: {n}" for n in table1.OWN))
    text = fig05_accuracy.caption(both)
    assert "1600 synthetic images of ShapeField" in text and f"{TOTAL} photographs" in text
    with pytest.raises(FieldError, match="one data set.*got ShapeField and Oxford-IIIT Pet"):
        fig05_accuracy.scores(both)
    with pytest.raises(ValueError, match="got two of 60"):
        split_scores("test", "accuracy", both)


def test_two_folders_or_sizes_of_one_name_are_refused(chain):
    mine = splits(chain[1])
    for name, value in (("root", "elsewhere"), ("shapes", {"image": [32, 32], "stride": 4})):
        other = [{**r, "config": {**r["config"], name: value}} for r in mine]
        with pytest.raises(FieldError, match=f"Oxford-IIIT Pet: two data sets .* {name} is"):
            fig05_accuracy.layout([*mine, *other])


def test_the_report_names_the_pets(chain, tmp_path):
    empty = tmp_path / "no rows"
    empty.mkdir()
    with contextlib.redirect_stderr(io.StringIO()):
        code = paper_figures(["report", "--run", str(chain[1]), "--rows", str(empty), "--out",
                              str(tmp_path)])
    text = re.sub(r"data:[^\"]*", "", (tmp_path / "index.html").read_text())
    assert code == 0
    for name in NAMES:
        assert str(escape(ENTRIES[name].module().caption(rows_of(name, chain[1])))) in text
    assert "synthetic images" not in text and "noisy image" not in text
    assert "images from files (Oxford-IIIT Pet), which may repeat" in text
