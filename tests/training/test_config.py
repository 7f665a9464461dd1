"""Configurations: keys, settings, files, and what is refused."""

import dataclasses
import json

import pytest

from tests.training.tiny import SHAPES, TINY, variant
from training.config import METHODS, RunConfig, as_dict, from_dict
from training.settings import changed, from_file
from training.shapes import ShapesConfig


def test_keys_tell_configurations_apart():
    assert TINY.key == variant().key
    others = [variant(seed=1), variant(lr=0.02), variant(n=21), variant(supervision="mask"),
              variant(shapes=dataclasses.replace(SHAPES, noise=0.2)), variant(eqvc="paper")]
    assert len({c.key for c in (TINY, *others)}) == 7


def test_keys_hash_what_differs_from_the_defaults():
    """A field that is added later leaves the keys of older rows as they are."""
    from training.config import _changes

    values = dataclasses.asdict(variant(lr=0.5))
    found = _changes(values, dataclasses.asdict(RunConfig()))
    assert found["lr"] == 0.5 and "coords_lr" not in found
    assert found["shapes"] == {"image": (32, 32), "half_widths": (0.12, 0.26)}
    assert RunConfig().key.endswith("44136fa355")  # of nothing


@pytest.mark.parametrize("config", [RunConfig(), TINY, variant(analyses=("sequences",), eqvc="paper")])
def test_dictionaries_round_trip(config):
    assert from_dict(json.loads(json.dumps(as_dict(config)))) == config


def test_files(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"config": as_dict(TINY)}))
    (tmp_path / "b.toml").write_text('steps = 7\n[shapes]\nimage = [32, 32]\nhalf_widths = [0.12, 0.2]\n')
    assert from_file(tmp_path / "a.json") == TINY
    found = from_file(tmp_path / "b.toml")
    assert found.steps == 7 and found.shapes.image == (32, 32) and found.n == RunConfig().n
    for name, text, message in (
        ("c.json", "{", "c.json: "), ("d.yaml", "", "d.yaml: a configuration is a .json or .toml"),
        ("e.json", '{"speed": 1}', "unknown setting 'speed'"), ("f.json", "3", "a table of settings"),
        ("g.json", '{"steps": "many"}', "g.json: steps must be of type int"),
        ("i.json", '{"shapes": 3}', "shapes is a table"), ("j.json", '{"shapes": {"gap": "x"}}', "shapes.gap must be"), ("h.toml", "[shapes]\nx = 1", "unknown setting 'x'"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=message):
            from_file(tmp_path / name)
    with pytest.raises(ValueError, match="none.json: "):
        from_file(tmp_path / "none.json")
    (tmp_path / "k.json").write_text('{"shapes": {"noise": 0.3}}')
    over = from_file(tmp_path / "k.json", TINY)
    assert over == variant(shapes=dataclasses.replace(SHAPES, noise=0.3))


def test_settings():
    out = changed(RunConfig(), ["lr=1", "residual=false", "shapes.image=(32, 32)",
                                "shapes.half_widths=(0.12,0.2)", "shapes.cue=ring",
                                "analyses=sequences,injectivity"])
    assert out["lr"] == 1.0 and out["residual"] is False
    assert out["analyses"] == ("sequences", "injectivity")
    assert out["shapes"] == ShapesConfig(image=(32, 32), half_widths=(0.12, 0.2), cue="ring")
    for setting, message in (("lr", "key=value"), ("speed=3", "unknown setting 'speed'"),
                             ("steps=1.5", "steps must be of type int"), ("shapes=3", "unknown setting"),
                             ("shapes.colour=3", "unknown setting 'shapes.colour'"),
                             ("shapes.image=(1.5, 2)", "shapes.image must be of type tuple"),
                             ("residual=1", "residual must be of type bool")):
        with pytest.raises(ValueError, match=message):
            changed(RunConfig(), [setting])


@pytest.mark.parametrize(("change", "message"), [
    ({"method": "magic"}, "method must be one of"), ({"n": 0}, "n must be positive, got 0"),
    ({"supervision": "mask", "method": "none"}, "needs a map to learn"),
    ({"supervision": "mask", "method": "oracle"}, "needs a map to learn"),
    ({"eqvc": "paper", "method": "positionwise"}, "eqvc acts on the parameters of a rectangle"),
    ({"lr": -1.0}, "lr must be positive"), ({"trial": 0.0}, "trial must be in"),
    ({"s_rise": 1.5}, "s_rise must be in"), ({"ratio": 100}, "ratio is a percentage"),
    ({"starts": 0}, "starts must be positive"), ({"seed": -1}, "seed must not be negative"),
    ({"depth": 1}, "at most layers = 0, got 1"), ({"analyses": ("x",)}, "got 'x'"),
    ({"data": "pets"}, "needs root=FOLDER"),
    ({"data": "pets", "root": "x", "n": 1000}, "n is not set with data=pets.* got n=1000"),
    ({"data": "pets", "root": "x", "n": 1024, "pool": 9}, "pool is not set with data=pets"),
    ({"data": "digits", "backbone": "efficientnet-lite0", "layers": 1}, "layers are those of backbone=small"), ({"freeze": True}, "freeze is for the backbones of packages"),
])
def test_bad_configurations(change, message):
    with pytest.raises(ValueError, match=message):
        variant(**change)


@pytest.mark.parametrize("method", METHODS)
def test_only_learnt_maps_have_several_starts(method):
    config = variant(method=method)
    assert (config.gradient_steps > config.steps) == config.learnt


@pytest.mark.parametrize(("method", "rate"), [
    ("rectangle", 0.5), ("rectangle-paper", 0.25), ("rectangle-light", 0.25),
    ("rectangle-softargmax", 0.125), ("positionwise", 0.125), ("cbam", 0.125)])
def test_every_head_has_its_learning_rate(method, rate):
    config = RunConfig(method=method, coords_lr=0.5, paper_lr=0.25, positionwise_lr=0.125)
    assert config.head_lr == rate
