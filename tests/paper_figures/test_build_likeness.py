"""Every figure looks as when it was last looked at; a visible change is noticed, another font is not.

After a change that is meant: ``python -m tests.paper_figures.renew NAME`` says what changed and renews the
references; look at the figure first (``python -m paper_figures build NAME``).
"""

from __future__ import annotations

import numpy as np
import pytest

from paper_figures import style
from paper_figures.registry import COMMITTED, FIGURES, load_rows
from paper_figures.style import draw
from tests.paper_figures import renew
from tests.paper_figures.likeness import (
    REFERENCES,
    SHADES,
    compare,
    compare_pictures,
    differences,
    overhang,
    picture,
    record,
)


def fresh(name):
    entry = FIGURES[name]
    return draw(entry.module(), load_rows(entry, COMMITTED))


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_looks_as_when_it_was_looked_at(name):
    figure = fresh(name)
    assert figure.axes and differences(figure, name) == []


@pytest.mark.parametrize("name", FIGURES)
def test_a_caption_says_what_is_drawn(name):
    entry = FIGURES[name]
    text = entry.module().caption(load_rows(entry, COMMITTED))
    assert len(text) > 80 and ("error bars" in text or "bars:" in text)


def test_every_reference_belongs_to_a_figure_and_is_small():
    files = list(REFERENCES.iterdir())
    assert {p.stem for p in files} == set(FIGURES)
    assert max(p.stat().st_size for p in files) < 40_000


def no_curve(figure):
    max(figure.axes[0].lines, key=lambda line: len(line.get_xdata())).remove()


def linear(figure):
    figure.axes[0].set_yscale("linear")


def swapped(figure):
    lines = [line for line in figure.axes[0].lines if line.get_linestyle() != "None"]
    first = lines[0]
    other = next(line for line in lines if line.get_color() != first.get_color())
    a, b = first.get_color(), other.get_color()
    first.set_color(b)
    other.set_color(a)


def legend_of(figure):
    return next(ax.get_legend() for ax in figure.axes if ax.get_legend())


def clipped(figure):
    legend = legend_of(figure)
    legend.set_in_layout(False)
    legend.set_loc("center left")
    legend.set_bbox_to_anchor((0.8, 0.5), transform=figure.transFigure)


def shifted(figure):
    line = figure.axes[0].lines[0]
    line.set_ydata(np.asarray(line.get_ydata()) * 1.02)


def other_words(figure):
    figure.axes[0].set_ylabel("rate")


def other_limits(figure):
    figure.axes[0].set_xlim(400, 5000)


def other_marker(figure):
    next(line for line in figure.axes[0].lines if line.get_marker() == "v").set_marker("o")


def no_legend(figure):
    legend_of(figure).remove()


def no_axes(figure):
    figure.axes[0].remove()


def narrower(figure):
    figure.set_size_inches(6.0, 4.9)


def larger_words(figure):
    figure.axes[0].yaxis.label.set_size(10)


def no_grid(figure):
    figure.axes[0].grid(False)


def framed(figure):
    legend_of(figure).set_frame_on(True)


def covered(figure):
    figure.axes[0].axvspan(900, 1100, color="white", zorder=10)


@pytest.mark.parametrize("change,noticed_in", [
    (no_curve, ".lines"), (no_curve, "picture"), (linear, ".scales"), (linear, "picture"),
    (swapped, ".lines"), (swapped, "picture"), (clipped, "sticks out"), (shifted, ".lines"),
    (other_words, ".words"), (other_limits, "limits"), (other_limits, "picture"), (other_marker, ".lines"),
    (no_legend, ".legend"), (no_axes, ".axes"), (no_axes, "picture"), (narrower, ".size"),
    (narrower, "picture"), (covered, "picture"), (covered, ".patches"), (larger_words, ".words"), (no_grid, ".grid"),
    (framed, ".legend"),
])
def test_a_visible_change_is_noticed(change, noticed_in):
    figure = fresh("certificates")
    change(figure)
    assert any(noticed_in in found for found in differences(figure, "certificates"))


@pytest.mark.parametrize("name,change,noticed_in", [
    ("slack", lambda f: next(p for p in f.axes[0].patches if p.get_width() > 0.05).set_color("#ffffff"), "picture"),
    ("slack", lambda f: f.axes[0].patches[3].set_width(0.2), ".patches"),
    ("slack", lambda f: f.axes[0].set_yticks(range(10), ["?"] * 10), ".ticks"),
    ("fig03_maps", lambda f: f.axes[0].images[0].set_cmap("gray"), "picture"),
    ("fig03_maps", lambda f: f.axes[0].images[0].set_data(f.axes[0].images[0].get_array().T), ".images"),
    ("fig03_maps", lambda f: f.axes[0].images[0].set_clim(0, 2), ".limits"),
    ("fig02_window", lambda f: f.axes[0].texts[0].set_text("1/3"), ".words"),
])
def test_a_visible_change_of_other_artists_is_noticed(name, change, noticed_in):
    figure = fresh(name)
    change(figure)
    assert any(noticed_in in found for found in differences(figure, name))


@pytest.mark.parametrize("name", ["fig03_maps", "certificates", "slack"])
@pytest.mark.parametrize("setting,value", [
    ("font.family", "DejaVu Serif"), ("text.hinting", "none"), ("text.hinting", "force_autohint"),
    ("mathtext.fontset", "cm"), ("text.antialiased", False),
])
def test_another_font_or_hint_is_not_noticed(name, setting, value, monkeypatch):
    monkeypatch.setitem(style.RC, setting, value)
    assert differences(fresh(name), name) == []


def test_the_pictures_are_drawn_without_text():
    figure = fresh("slack")
    for text in figure.findobj(lambda a: hasattr(a, "set_text")):
        text.set_text("much longer than it was")
    before = picture(fresh("slack"))
    assert np.array_equal(before, picture(figure)) and before.shape[1:] == (64, 3)


def test_tolerances_have_two_sides():
    grey = np.full((2, 3, 3), 128, np.uint8)
    for step in (SHADES, -SHADES):
        other = grey.copy()
        other[1, 2, 0] = 128 + step
        assert compare_pictures(grey, other) == []
        other[1, 2, 0] = 128 + step + np.sign(step)
        assert "1 of 6 pixels differ, most at (2, 1)" in compare_pictures(grey, other)[0]
    assert "shape" in compare_pictures(grey, grey[:1])[0]
    assert compare({"a": [0.5, 0.1]}, {"a": [0.5, 0.1019]}) == []
    assert compare({"a": [0.5, 0.1]}, {"a": [0.5, 0.1021]}) == [".a: [0.5, 0.1] became [0.5, 0.1021]"]
    assert compare({"x limits": [0, 1e-5]}, {"x limits": [0, 1.1e-5]})
    assert compare({"x limits": [0, 1e5]}, {"x limits": [1, 1e5]}) == []
    assert compare({"a": []}, {"b": []}) and compare([1], [1, 1]) and compare(["x"], ["y"])


def test_renewing_says_what_changed_and_removes_orphans(tmp_path, monkeypatch, capsys):
    text, image = record(fresh("fig02_window"))
    monkeypatch.setattr(renew, "REFERENCES", tmp_path)
    (tmp_path / "gone.json").write_text("{}")
    monkeypatch.setattr(renew, "differences", lambda figure, name: differences(figure, name, tmp_path))
    assert renew.main(["fig02_window"]) == 0
    seen = capsys.readouterr().out
    assert "fig02_window: renewed\n  no reference" in seen and "gone.json: removed" in seen
    assert (tmp_path / "fig02_window.png").read_bytes() == image
    assert (tmp_path / "fig02_window.json").read_text(encoding="utf-8") == text
    assert renew.main(["fig02_window"]) == 0 and capsys.readouterr().out == "fig02_window: as it was\n"
    assert renew.main(["nothing"]) == 2


def test_overhang_is_measured():
    figure = fresh("slack")
    assert overhang(figure) <= 0.002
    figure.axes[0].annotate("far out", (0.5, 0.5), xytext=(1.5, -0.5), textcoords="figure fraction",
                            annotation_clip=False).set_in_layout(False)
    assert overhang(figure) > 0.3
