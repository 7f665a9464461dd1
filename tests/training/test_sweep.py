"""Sweeps: workers, resumption, damage, failures; experiments and their cells."""

import itertools
import json

import pytest

from sims.rows import read_rows
from tests.training.tiny import TINY, numbers, variant
from training.config import LEARNT, METHODS
from training.experiments import EXPERIMENTS, PRESETS
from training.fit import TrainingError
from training.shapes import REGIMES, ShapesConfig
from training.sweep import sweep


def test_two_workers_give_the_rows_of_one(tmp_path):
    configs = [variant(seed=s, method=m, steps=3) for s in (0, 1)
               for m in ("rectangle", "positionwise")]
    found = []
    for jobs in (1, 2):
        outcome = sweep(configs, tmp_path / f"{jobs}.jsonl", jobs, experiment="x", preset="y")
        assert (outcome.written, outcome.found) == (4, 0)
        rows = sorted(read_rows(tmp_path / f"{jobs}.jsonl"), key=lambda r: r["key"])
        found.append([numbers(r) for r in rows])
    assert found[0] == found[1] and len(found[0]) == 4
    assert {(r["experiment"], r["preset"]) for r in found[0]} == {("x", "y")}


def test_resume_after_a_kill(tmp_path, capsys):
    out = tmp_path / "rows.jsonl"
    configs = [variant(seed=s, steps=2) for s in range(3)]
    sweep(configs, out, 1)
    whole = out.read_bytes()
    lines = whole.splitlines(keepends=True)
    out.write_bytes(lines[0] + lines[1] + lines[2][:100])  # killed while writing the third
    outcome = sweep(configs, out, 1)
    assert (outcome.written, outcome.found) == (1, 2)
    assert out.read_bytes().startswith(lines[0] + lines[1])
    assert numbers(read_rows(out)[2]) == numbers(json.loads(lines[2]))
    assert "unfinished; moved to" in capsys.readouterr().err
    assert (tmp_path / "rows.jsonl.damaged").read_bytes() == lines[2][:100] + b"\n"
    assert sweep(configs, out, 1).written == 0


def test_a_last_row_without_its_newline_is_kept(tmp_path):
    out = tmp_path / "rows.jsonl"
    sweep([variant(steps=2)], out, 1)
    out.write_bytes(out.read_bytes().rstrip(b"\n"))
    sweep([variant(steps=2), variant(steps=2, seed=1)], out, 1)
    assert len(read_rows(out)) == 2 and not (tmp_path / "rows.jsonl.damaged").exists()


def test_rows_of_cells_before_a_failure_are_kept(tmp_path):
    out = tmp_path / "rows.jsonl"
    bad = variant(lr=1e30, warmup=0, method="positionwise")
    with pytest.raises(TrainingError):
        sweep([variant(steps=2), bad], out, 1)
    assert len(read_rows(out)) == 1


@pytest.mark.parametrize(("change", "message"), [({"jobs": 0}, "jobs must be at least 1, got 0"),
                                                 ({"ensemble": 0}, "ensemble must be at least 1")])
def test_bad_sweeps(change, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        sweep([TINY], tmp_path / "rows.jsonl", **change)
    assert not (tmp_path / "rows.jsonl").exists()


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiments_have_distinct_cells(name, preset):
    configs = EXPERIMENTS[name].cells(preset)
    assert configs and len({c.key for c in configs}) == len(configs)


def test_letters_and_names():
    assert [e.letter for e in EXPERIMENTS.values()] == list("abcdefghij")
    assert all(e.name == name for name, e in EXPERIMENTS.items())
    with pytest.raises(ValueError, match="preset must be one of"):
        EXPERIMENTS["depth"].cells("huge")


def test_theorem_1_has_all_methods_both_truths_and_three_seeds():
    configs = EXPERIMENTS["theorem-1"].cells("cpu")
    assert {c.method for c in configs} == set(METHODS)
    assert len({c.shapes.truth for c in configs}) == 2
    for method in METHODS:
        assert len({c.seed for c in configs if c.method == method}) >= 3
    for method in ("rectangle", "positionwise"):
        for truth in ("rotated", "l"):
            assert {c.n for c in configs if (c.method, c.shapes.truth) == (method, truth)} == {
                64, 256, 1024, 4096}
    long = EXPERIMENTS["theorem-1"].cells("long")
    assert {c.key for c in configs} < {c.key for c in long}
    assert {(c.method, c.shapes.truth) for c in long} == {(m, t) for m in METHODS
                                                          for t in ("rotated", "l")}


def test_splits_are_the_design_of_table_1():
    configs = EXPERIMENTS["splits"].cells("cpu")
    assert {c.ratio for c in configs} == {60, 70, 80}
    for ratio in (60, 70, 80):
        for split in range(5):
            found = {(c.method, c.eqvc) for c in configs if (c.ratio, c.split) == (ratio, split)}
            assert found == {("none", "none"), ("positionwise", "none"), ("rectangle", "none"),
                             ("rectangle", "quotient"), ("oracle", "none")}


def test_every_regime_has_the_lower_and_the_upper_row():
    configs = EXPERIMENTS["regimes"].cells("cpu")
    for name, changes in REGIMES.items():
        found = {c.method for c in configs if c.shapes == ShapesConfig(**changes)}
        assert found == {"rectangle", "positionwise", "none", "oracle"}, name


def test_depths_masks_random_labels_sequences_and_injectivity():
    assert {c.depth for c in EXPERIMENTS["depth"].cells("cpu")} == {0, 1, 2, 3}
    assert {c.supervision for c in EXPERIMENTS["masks"].cells("cpu")} == {"mask"}
    assert {c.shapes.label_noise for c in EXPERIMENTS["random-labels"].cells("cpu")} == {1.0}
    assert all("sequences" in c.analyses for c in EXPERIMENTS["sequences"].cells("cpu"))
    injectivity = EXPERIMENTS["injectivity"].cells("cpu")
    assert {c.rescale for c in injectivity} == {True, False}
    assert {c.method for c in injectivity} == set(LEARNT) - {"cbam"}
    digits = EXPERIMENTS["digits"].cells("cpu")
    assert all(c.freeze and c.pretrained == "package" for c in digits)
    assert not any(c.freeze for c in EXPERIMENTS["digits"].cells("gpu"))


class TestOtherImages:
    """Which experiments take images of other sources."""

    @pytest.mark.parametrize(("name", "data", "what"), [
        ("theorem-1", "pets", "the settings of data=shapes"), ("regimes", "folder", "the settings of"),
        ("random-labels", "digits", "the settings of data=shapes"),
        ("masks", "pets", "the number n of training images"), ("certificates", "pets", "the number n"),
        ("digits", "pets", "the settings of data=digits"),
    ])
    def test_who_does_not(self, name, data, what):
        with pytest.raises(ValueError, match=f"experiment '{name}' is about {what}.*data={data}"):
            EXPERIMENTS[name].cells("smoke", data=data, root="x")

    @pytest.mark.parametrize("name", ("splits", "depth", "sequences", "injectivity"))
    def test_pets_in_the_others(self, name):
        own, pets = (EXPERIMENTS[name].cells("cpu", **more) for more in ({}, {"data": "pets", "root": "x"}))
        assert len(pets) == len(own) and {(c.n, c.pool) for c in pets} == {(1024, 0)}
        assert all(("ratio80" in c.key) == (c.ratio == 80) and "n1024" not in c.key for c in pets)
        with pytest.raises(ValueError, match="pool is not set with data=pets"):
            EXPERIMENTS[name].cells("cpu", data="pets", root="x", pool=9)

    def test_a_number_of_images_may_be_chosen_of_a_folder(self):
        assert EXPERIMENTS["masks"].cells("smoke", data="folder", root="x")[0].n == 64

    def test_cells_on_the_same_files_follow_each_other(self):
        places = [(c.seed, c.split, c.ratio)
                  for c in EXPERIMENTS["splits"].cells("cpu", data="pets", root="x")]
        changes = sum(a != b for a, b in itertools.pairwise(places))
        assert changes == 14 == len(set(places)) - 1
