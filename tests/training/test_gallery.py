"""``python -m training gallery``: what stands in its rows is what the networks and the images say."""

import base64
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from sims.rows import read_rows
from tests.training.tiny import variant
from training.__main__ import main
from training.config import as_dict
from training.data import prepare
from training.equivariance import warp
from training.fit import one_thread
from training.gallery import gallery, images_of, networks, rows_of
from training.gallery_scenes import EXTREME, PATH, SEQUENCE_STEPS, ranked
from training.sequences import PATHS
from training.single import finished, run

RECTANGLE = variant(steps=4, starts=2, trial=0.5, n_test=30, analyses=("sequences",))
CONFIGS = (RECTANGLE, variant(steps=4, starts=1, method="positionwise", n_test=30),
           variant(steps=4, starts=1, n_test=30, layers=2, depth=2))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs")
    with one_thread():
        for number, config in enumerate(CONFIGS):
            run(config, place / str(number))
    return [place / str(number) for number in range(len(CONFIGS))]


@pytest.fixture(scope="module")
def rows(folders, tmp_path_factory):
    out = tmp_path_factory.mktemp("rows") / "gallery.jsonl"
    with one_thread():
        gallery(folders, out)
    return read_rows(out)


def row(rows, part, what, config=None):
    (found,) = [r for r in rows if (r["part"], r["what"]) == (part, what)
                and (config is None or r["run"] == config.key)]
    return found


def decoded(text, mode):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert(mode)).astype(int)


def bits(text, shape):
    flat = np.unpackbits(np.frombuffer(base64.b64decode(text), dtype=np.uint8))
    return flat[: shape[0] * shape[1]].reshape(shape) == 1


def looked(folder, images):
    with torch.no_grad():
        return finished(folder)[1](images)


def test_who_is_shown_what(rows):
    views = [(r["what"], r["method"], r["layers"]) for r in rows if r["part"] == "views"]
    assert views == [("first", "rectangle", 0), ("sequence", "rectangle", 0),
                     ("extremes", "rectangle", 0), ("first", "positionwise", 0),
                     ("sequence", "positionwise", 0), ("first", "rectangle", 2)]
    assert [r["what"] for r in rows if r["part"] == "scenes"] == ["first", "sequence", "extremes"]
    assert all(r["kind"] == "gallery" and r["schema"] == 1 and r["provenance"]["torch"]
               and r["seconds"] >= 0 for r in rows)
    assert {r["scenes"] for r in rows if r["part"] == "views"} == {
        r["key"] for r in rows if r["part"] == "scenes"}


def test_pictures_and_truths_are_those_of_the_first_test_images(rows):
    found = row(rows, "scenes", "first")
    samples = prepare(RECTANGLE).test.head(8)
    assert [s["index"] for s in found["scenes"]] == list(range(8)) and found["n_test"] == 30
    for k, scene in enumerate(found["scenes"]):
        pixels = (samples.images[k].clamp(0, 1) * 255).permute(1, 2, 0).numpy()
        error = decoded(scene["picture"], "RGB") - pixels
        assert np.sqrt((error**2).mean()) < 2.5 and np.abs(error).max() < 30
        inside = decoded(scene["truth"], "L") == 255
        assert (inside == (samples.image_masks[k] == 1).numpy()).all() and inside.any()
        assert scene["rectangle"] == pytest.approx(samples.rectangle.to_array()[k].tolist(), abs=1e-6)
        assert scene["label"] == int(samples.labels[k])


def test_maps_masks_and_rates_are_those_of_the_network(rows, folders):
    samples = prepare(RECTANGLE).test.head(8)
    for folder, config in zip(folders, CONFIGS, strict=True):
        found = row(rows, "views", "first", config)
        logits, seen = looked(folder, samples.images)
        for k, view in enumerate(found["views"]):
            f = np.frombuffer(base64.b64decode(view["map"]), dtype=np.uint8).reshape(8, 8) / 255
            assert f.max() == 1
            assert np.allclose(f * view["peak"], seen.f[k].numpy(), atol=view["peak"] / 500)
            mask = bits(view["mask"], (8, 8))
            assert (mask == (seen.hard_mask()[k] == 1).numpy()).all()
            truth = samples.masks[k].numpy() == 1
            assert view["missing_rate"] == pytest.approx((mask != truth).mean(), abs=1e-6)
            union = (mask | truth).sum()
            assert view["iou"] == pytest.approx((mask & truth).sum() / union if union else 0, abs=1e-6)
            assert view["prediction"] == int(logits[k].argmax())
            if config.method == "rectangle":
                assert view["rectangle"] == pytest.approx(seen.parameters[k].tolist(), abs=1e-5)
            else:
                assert view["rectangle"] is None


def test_the_numbers_over_all_test_images_are_the_runs(rows, folders):
    for folder, config in zip(folders, CONFIGS, strict=True):
        held = json.loads((folder / "row.jsonl").read_text())
        found = row(rows, "views", "first", config)
        for name in ("iou", "missing_rate", "accuracy", "iou_chosen", "centre_spearman"):
            assert found["test"][name] == held["test"][name]
        assert found["test"]["images"] == 30 and found["config"] == as_dict(config)
        assert (found["n"], found["seed"], found["grid"]) == (20, 0, [8, 8])
    assert row(rows, "views", "first", RECTANGLE)["sequences"]["composed"]["iou"] is not None
    assert row(rows, "views", "first", CONFIGS[1])["sequences"] is None


def test_sequences_move_image_truth_and_rectangle(rows, folders):
    found = row(rows, "scenes", "sequence")
    steps = SEQUENCE_STEPS + 1
    chosen = [s["index"] for s in found["scenes"][::steps]]
    assert [s["step"] for s in found["scenes"]] == [*range(steps)] * len(chosen) and len(chosen) == 2
    whole = prepare(RECTANGLE).test.head(30)
    views = row(rows, "views", "sequence", RECTANGLE)["views"]
    for k, scene in enumerate(found["scenes"]):
        index, move = scene["index"], PATHS[PATH].at(scene["step"] / SEQUENCE_STEPS)
        image = warp(whole.images[index][None], move, (8, 8))
        error = decoded(scene["picture"], "RGB") - (
            image[0].clamp(0, 1) * 255).permute(1, 2, 0).numpy()
        assert np.sqrt((error**2).mean()) < 6  # 64 of many colours
        mu = whole.rectangle.to_array()[index, :2]
        assert scene["rectangle"][:2] == pytest.approx(move.apply(mu).tolist(), abs=1e-5)
        inside = decoded(scene["truth"], "L") == 255
        area = (whole.image_masks[index] == 1).sum() * PATHS[PATH].scale ** (
            2 * scene["step"] / SEQUENCE_STEPS)
        assert inside.sum() == pytest.approx(float(area), rel=0.15)  # wholly in the image
        assert views[k]["rectangle"] == pytest.approx(
            looked(folders[0], image)[1].parameters[0].tolist(), abs=1e-4)


def test_extremes_are_extreme_among_all_test_images(rows, folders):
    found = row(rows, "scenes", "extremes")
    samples = prepare(RECTANGLE).test.head(30)
    centres = looked(folders[0], samples.images)[1].parameters[:, :2].double().numpy()
    true = samples.rectangle.to_array()[:, :2].double().numpy()
    assert found["network"] == RECTANGLE.key and len(found["scenes"]) == 6 * EXTREME
    for name, direction in {"mu1": (1, 0), "mu2": (0, 1), "mu1+mu2": (1, 1)}.items():
        along = centres @ direction
        for end, best in (("least", np.sort(along)), ("largest", np.sort(along)[::-1])):
            mine = [s for s in found["scenes"] if (s["of"], s["end"]) == (name, end)]
            assert [s["value"] for s in mine] == pytest.approx(best[:EXTREME], abs=1e-6)
            assert along[[s["index"] for s in mine]] == pytest.approx(best[:EXTREME], abs=1e-6)
            assert [s["true"] for s in mine] == pytest.approx(
                (true @ direction)[[s["index"] for s in mine]], abs=1e-5)
            (held,) = [e for e in found["ends"] if (e["of"], e["end"]) == (name, end)]
            sign = 1 if end == "least" else -1
            tails = [set(np.argsort(sign * v, kind="stable")[:2]) for v in (along, true @ direction)]
            assert (held["tail"], held["hits"]) == (2, len(tails[0] & tails[1]))


def test_of_equals_the_first_one_comes_first():
    values = torch.tensor([2.0, 1.0, 2.0, 1.0])
    assert ranked(values, "least").tolist() == [1, 3, 0, 2]
    assert ranked(values, "largest").tolist() == [0, 2, 1, 3]


def test_what_is_there_is_left_and_what_is_missing_added(folders, rows, tmp_path, capsys):
    out = tmp_path / "deep" / "gallery.jsonl"
    assert main(["gallery", str(folders[0]), "--out", str(out)]) == 0
    assert "6 rows written" in capsys.readouterr().out
    before = out.read_bytes()
    assert main(["gallery", str(folders[0]), "--out", str(out)]) == 0
    assert out.read_bytes() == before
    assert main(["gallery", *map(str, folders), "--out", str(out)]) == 0
    assert out.read_bytes().startswith(before)

    def plain(r):
        return {k: v for k, v in r.items() if k not in ("seconds", "provenance")}

    assert [plain(r) for r in read_rows(out)] == [plain(r) for r in rows]


def test_runs_without_a_map_or_on_other_images_are_refused(folders, tmp_path, capsys):
    out = tmp_path / "gallery.jsonl"
    others = {"none": variant(steps=2, method="none"), "seed": variant(steps=2, starts=1, seed=7)}
    for name, config in others.items():
        run(config, tmp_path / name)
    for given, message in (([tmp_path / "none"], "method 'none'"),
                           ([folders[0], tmp_path / "seed"], "on the same test images"),
                           ([tmp_path / "empty"], "holds no finished run")):
        assert main(["gallery", *map(str, given), "--out", str(out)]) == 2
        assert message in capsys.readouterr().err and not out.exists()
    out.write_text('{"schema": 1, "key": "a", "kind": "training"}\n')
    assert main(["gallery", str(folders[0]), "--out", str(out)]) == 2
    assert "take another --out" in capsys.readouterr().err
    assert len(out.read_text().splitlines()) == 1
    assert main(["gallery", str(folders[0]), "--preset", "smoke"]) == 2
    assert "--preset" in capsys.readouterr().err


def test_test_images_are_named_by_what_they_depend_on():
    base = variant()
    assert images_of(variant(n=64, method="positionwise", steps=9, layers=1)) == images_of(base)
    for other in (variant(seed=1), variant(n_test=15), variant(pool=40, n=20)):
        assert images_of(other) != images_of(base)


def test_the_networks_of_a_preset():
    made = networks("smoke")
    assert [(c.method, c.eqvc, c.layers, c.depth) for c in made] == [
        ("rectangle", "none", 0, 0), ("positionwise", "none", 0, 0), ("rectangle", "quotient", 0, 0),
        ("rectangle", "none", 3, 0), ("positionwise", "none", 3, 0),
        ("rectangle", "none", 3, 3), ("positionwise", "none", 3, 3)]
    assert len({images_of(c) for c in made}) == 1 and {c.seed for c in made} == {0}


@pytest.mark.parametrize("known", (True, False), ids=("masks", "no-masks"))
def test_a_folder_of_photographs(tmp_path, known):
    random = np.random.default_rng(5)
    root = tmp_path / "photos"
    for name in ("masks/a", "masks/b", "images/a", "images/b"):
        (root / name).mkdir(parents=True)
    for k in range(24):
        name = f"{'ab'[k % 2]}/{k}.png"
        Image.fromarray(random.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(
            root / "images" / name)
        if known:
            mask = np.zeros((40, 50), np.uint8)
            mask[5 + k // 2 : 25 + k // 2, 10:30] = 255
            Image.fromarray(mask).save(root / "masks" / name)
    config = variant(data="folder", root=str(root), n=12, n_test=8, steps=2, starts=1)
    run(config, tmp_path / "run")
    made = {(r["part"], r["what"]): r
            for r in rows_of(tmp_path / "run", ("first", "sequence", "extremes"))}
    first = made["scenes", "first"]
    assert (first["data"], first["truth"], first["classes"]) == ("folder", None, ["a", "b"])
    assert all(s["rectangle"] is None for s in first["scenes"])
    grays = {int(v) for s in first["scenes"] for v in np.unique(decoded(s["truth"], "L"))}
    assert grays == ({0, 255} if known else {128})
    scores = [v["iou"] for v in made["views", "first"]["views"]]
    assert all((v is None) != known for v in scores)
    ends = made["scenes", "extremes"]["ends"]
    assert all((e["hits"] is None) != known for e in ends)
    for scene in made["scenes", "extremes"]["scenes"]:
        if not known:
            assert scene["true"] is None
        elif scene["of"] == "mu1":  # the middle of the mask's lines, on the grid of 8 x 8 cells
            inside = np.argwhere(decoded(scene["truth"], "L") == 255)[:, 0].mean()
            assert scene["true"] == pytest.approx((inside - 15.5) / (4 * 7) + 0.5, abs=1e-5)
