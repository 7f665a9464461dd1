"""A page's SVG paints what the paper's SVG paints, shape by shape; its parts keep their values."""

from __future__ import annotations

import base64
import io
import re
from decimal import ROUND_HALF_EVEN, Decimal
from urllib.parse import unquote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from paper_figures import compact_svg
from paper_figures.compact_path import decimal, relative
from paper_figures.compact_png import HEAD, repack, repacked
from paper_figures.compact_svg import UnknownShape, address, compact, page_address
from paper_figures.registry import COMMITTED, ENTRIES, Entry, load_rows
from paper_figures.style import draw, rendered
from tests.paper_figures.browser import binary, browser
from tests.paper_figures.flat_svg import flat, subpaths

NAMES = ("fig06_maps", "coverage", "sandwich", "h1", "rademacher_vs_n", "injectivity")
"""Pictures over pictures; many marks; hatches; logarithmic axes; thin lines; a picture of its own."""


@pytest.fixture(scope="module", params=NAMES)
def both(request):
    entry = ENTRIES[request.param]
    figure = draw(entry.module(), load_rows(entry, COMMITTED))
    svg = rendered(figure, "svg").decode()
    return svg, compact(svg), page_address(figure)


def test_every_shape_is_painted_where_it_was_in_its_order(both):
    before, after, _ = both
    old, new = flat(before), flat(after)
    assert len(old) == len(new) > 100
    for a, b in zip(old, new, strict=True):
        assert (a.kind, a.paint, a.points.shape) == (b.kind, b.paint, b.points.shape)
        assert np.abs(a.points - b.points).max() < 0.02  # points of 1/72 inch
        assert a.clip == pytest.approx(b.clip, abs=0.006)
        if a.kind == "image":
            assert np.array_equal(_pixels(a.extra), _pixels(b.extra))
        else:
            assert a.extra == b.extra


def test_it_is_much_smaller_and_an_address(both):
    before, after, carried = both
    plain = re.sub(r'"data:image/png[^"]*"', "", before)
    assert len(re.sub(r"'data:image/png[^']*'", "", after)) < 0.35 * len(plain)
    assert carried.startswith("data:image/svg+xml,%3Csvg ") and not re.search(r'[<>"#&\n]', carried)
    assert len(carried) < 0.4 * len(before)


def test_glyphs_and_pictures_that_repeat_are_defined_once():
    figure = Figure()
    axes = figure.subplots(1, 3)
    for panel in axes:
        panel.imshow(np.random.default_rng(0).random((8, 8)), interpolation="nearest")
        panel.set_title("the same words")
    text = page_address(figure)
    assert text.count("%3Cimage ") == 1 and text.count("width='8'") == 1
    words = flat(compact(rendered(figure, "svg")))
    assert sum(s.kind == "image" for s in words) == 3


def test_what_is_not_known_is_refused_and_carried_as_it_is(monkeypatch):
    plain = rendered(Figure(), "svg").decode()
    odd = plain.replace("</svg>", "<text>x</text></svg>")
    with pytest.raises(UnknownShape, match="'text' is not known"):
        compact(odd)
    monkeypatch.setattr(compact_svg, "rendered", lambda figure, format: odd.encode())
    carried = unquote(page_address(Figure())).split(",", 1)[1]
    assert len(flat(carried)) == len(flat(plain)) == 1 and "<text>x</text>" in carried


@pytest.mark.parametrize("alpha", [0.5, None])
def test_opacity_is_of_each_mark_and_not_of_their_group(alpha):
    figure = Figure()
    axes = figure.subplots()
    axes.scatter([1, 1.001, 1.002], [1, 1, 1], s=200, alpha=alpha)
    axes.bar([1, 1.001], [1, 2], fc="none", ec="red", alpha=alpha)
    for x in (1, 1.001):
        axes.plot([x], [1], "s", ms=20, alpha=alpha)
    svg = rendered(figure, "svg")
    old, new = flat(svg), flat(compact(svg))
    assert [(s.paint, s.extra) for s in old] == [(s.paint, s.extra) for s in new]
    for name in ("fill-opacity", "opacity"):
        assert any(name in dict(s.paint) for s in new) == (alpha is not None)


@pytest.mark.skipif(binary() is None, reason="no Chromium on the PATH (or set $CHROMIUM)")
@pytest.mark.parametrize("name", ["finding_premise", "sandwich"])
def test_a_browser_shows_both_alike(name, tmp_path):
    """Marks may shift by a hundredth of a pixel; a lost or moved one is seen."""
    rows = "theorem-2.jsonl" if name == "sandwich" else "regimes.jsonl"
    entry = Entry(name, "", rows)
    svg = rendered(draw(entry.module(), load_rows(entry, COMMITTED)), "svg").decode()
    width, height = (round(float(v) * 4 / 3) for v in re.search(r'viewBox="0 0 (\S+) (\S+)"', svg).groups())
    seen = []
    with browser() as chromium:
        chromium.view(width, height)
        for k, text in enumerate((svg, compact(svg))):
            (tmp_path / f"{k}.svg").write_text(text)
            chromium.open(tmp_path / f"{k}.svg")
            chromium.picture(tmp_path / f"{k}.png")
            with Image.open(tmp_path / f"{k}.png") as image:
                seen.append(np.asarray(image.convert("L")).astype(int))
    apart = np.abs(seen[0] - seen[1])
    assert seen[0].std() > 20 and apart.mean() < 0.5 and (apart > 96).mean() < 1e-4


numbers = st.floats(-2000, 2000).map(lambda v: round(v, 6))
segments = st.lists(st.one_of(
    st.tuples(st.just("L"), st.tuples(numbers, numbers)),
    st.tuples(st.just("Q"), st.tuples(*[numbers] * 4)),
    st.tuples(st.just("C"), st.tuples(*[numbers] * 6)),
    st.tuples(st.just("z"), st.just(())),
    st.tuples(st.just("M"), st.tuples(numbers, numbers))), max_size=12)


@given(start=st.tuples(numbers, numbers), rest=segments)
def test_a_path_keeps_its_points_to_half_a_step(start, rest):
    parts = [("M", start), *rest]
    d = " ".join(" ".join((c, *(f"{v:f}" for v in values))) for c, values in parts)
    old, new = list(subpaths(d)), list(subpaths(relative(d)))
    assert len(old) == len(new)
    for a, b in zip(old, new, strict=True):
        assert a.shape == b.shape and np.abs(a - b).max() <= 0.005 + 1e-9


@given(numbers, st.sampled_from([1, 10, 100, 1000]))
def test_decimals_are_the_nearest_in_their_shortest_form(value, steps):
    text = decimal(value, steps)
    exact = Decimal(value * steps).to_integral_value(ROUND_HALF_EVEN) / steps
    assert Decimal(text) == exact
    assert not re.search(r"^-?0\.|\.$|\.\d*0$|^-0?$", text)


@pytest.mark.parametrize("path", ["M 0", "M 0 0 A 1 1 0 0 0 1 1", "L 1 x", "0 0 M 1 1"])
def test_other_paths_are_refused(path):
    with pytest.raises(ValueError, match="a path must be of the commands M, L, Q, C, Z"):
        relative(path)


@pytest.mark.parametrize("colours,alpha,mode", [(5, 255, "P"), (5, 90, "P"), (999, 255, "RGB"),
                                                (999, 90, "RGBA")])
def test_a_picture_keeps_every_pixel(colours, alpha, mode):
    random = np.random.default_rng(0)
    palette = np.column_stack([random.integers(0, 256, (colours, 3)), np.full(colours, alpha)])
    pixels = palette[random.integers(0, colours, (40, 30))].astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    small = repack(buffer.getvalue())
    assert len(small) < len(buffer.getvalue()) or mode == "RGBA"
    with Image.open(io.BytesIO(small)) as image:
        assert image.mode == mode and np.array_equal(np.asarray(image.convert("RGBA")), pixels)
    assert repack(small) == small or len(repack(small)) < len(small)


def test_no_picture_is_refused():
    with pytest.raises(ValueError, match="not a PNG"):
        repack(b"nothing")
    with pytest.raises(ValueError, match="at an address data:image/png"):
        repacked("picture.png")


def test_names_are_all_different():
    names = [compact_svg._letters(k) for k in range(4000)]
    assert len(set(names)) == 4000 and all(re.fullmatch("[a-zA-Z]+", n) for n in names)


def test_an_address_says_the_same():
    svg = "<svg a='%41 #1'>\n &amp; \"</svg>"
    assert unquote(address(svg)).split(",", 1)[1] == " ".join(svg.split())


def _pixels(given: str) -> np.ndarray:
    data = base64.b64decode("".join(given.split()).removeprefix(HEAD))
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGBA"))
