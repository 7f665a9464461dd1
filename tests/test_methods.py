"""Which methods draw rectangles: against the modules that are built, against the trained methods."""

import pytest

from theory.bounds.evidence import one_rectangle as of_row
from theory.claims.ledger_5_1_h1 import family_floor
from theory.methods import HEAD_OF, RECTANGLES, TIMED_COORDS, is_rectangle, one_rectangle
from training.attention import RectangularAttention
from training.attention_heads import HEADS
from training.bench import MODULES
from training.config import METHODS, RunConfig
from training.methods import make_attention


def test_every_head_has_one_method():
    assert sorted(HEAD_OF.values()) == sorted(HEADS) and set(RECTANGLES) <= set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_a_rectangle_is_what_builds_a_rectangular_module(method):
    module = make_attention(RunConfig(method=method), 8)
    assert is_rectangle(method) == isinstance(module, RectangularAttention)
    if is_rectangle(method):
        assert isinstance(module.head, HEADS[HEAD_OF[method]])


def test_what_is_timed_alone_is_called_by_its_head():
    assert {TIMED_COORDS, *RECTANGLES} - {"rectangle"} == {m for m in MODULES if m.startswith("rectangle")}
    assert not is_rectangle(TIMED_COORDS)


@pytest.mark.parametrize("name", [None, 1, "", "rectangles", "rectangle-", "Rectangle", ("rectangle",)])
def test_other_names_are_no_rectangles(name):
    assert not is_rectangle(name) and not one_rectangle(name)


@pytest.mark.parametrize(("config", "expected"), [
    ({}, True), ({"shape": "ellipse"}, False), ({"count": 2}, False), ({"shape": "ellipse", "count": 2}, False)])
def test_one_rectangle_an_image(config, expected):
    for method in METHODS:
        assert one_rectangle(method, **config) == (expected and method in RECTANGLES)
        assert of_row({"key": "a", "method": method, "config": config}) == one_rectangle(method, **config)


def test_the_floor_is_that_of_rectangles():
    for method in METHODS:
        assert family_floor({"method": method, "floor": 0.25}) == (0.25 if method in HEAD_OF else 0.0)
