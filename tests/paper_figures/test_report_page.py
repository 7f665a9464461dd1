"""What a reader with a screen reader, in the dark or offline needs of the page; no browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from paper_figures.report import TEMPLATES, write_report
from tests.paper_figures.make_report import few, fill
from tests.paper_figures.page import Page, contrast, palettes

CSS = "\n".join((TEMPLATES / name).read_text() for name in ("report.css", "instrument.css"))
TEXT = ("--ink", "--soft", "--link", "--good", "--bad", "--warn", "--calm")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    with few():
        text = Path(write_report(fill(folder / "run"), folder / "out", folder).path).read_text()
    return text, Page(text)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_what_they_stand_on(scheme):
    colours = palettes(CSS)[scheme]
    for name in TEXT:
        for under in ("--paper", "--panel"):
            assert contrast(colours[name], colours[under]) >= 4.5, (scheme, name, under)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_shapes_of_the_instrument_stand_out(scheme):
    colours = palettes(CSS)[scheme]
    for name in ("--a", "--b"):
        assert contrast(colours[name], colours["--paper"]) >= 4.5  # their legends are words
        assert contrast(colours[name], colours["--panel"]) >= 3
    assert contrast(colours["--both"], colours["--paper"]) >= 3
    assert contrast(colours["--cell"], colours["--paper"]) >= 3


def test_dark_is_dark_and_differs_in_every_text_colour():
    found = palettes(CSS)
    assert contrast(found["dark"]["--paper"], "#000000") < 1.5 < contrast(found["light"]["--paper"], "#000000")
    assert all(found["dark"][name] != found["light"][name] for name in TEXT)


def test_contrast_against_known_ratios():
    assert contrast("#ffffff", "#767676") == pytest.approx(4.54, abs=0.01)  # the lightest grey that passes
    assert contrast("#ff0000", "#ffffff") == pytest.approx(4.0, abs=0.01)


def test_headings_are_in_order_and_one_is_the_title(page):
    _, parsed = page
    assert parsed.levels[0] == 1 and parsed.levels.count(1) == 1
    assert all(b <= a + 1 for a, b in zip(parsed.levels, parsed.levels[1:], strict=False))
    assert {2, 3, 4} <= set(parsed.levels)


def test_controls_images_and_drawings_have_names(page):
    _, parsed = page
    assert parsed.nameless == []
    assert parsed.alts and all(len(alt) > 80 for alt in parsed.alts)
    assert set(parsed.refers) <= set(parsed.ids)


def test_what_scrolls_or_is_dragged_can_be_reached_by_keyboard(page):
    _, parsed = page
    for tag, attrs in parsed.elements:
        classes = attrs.get("class", "").split()
        if "statement" in classes or "plot" in classes or attrs.get("role") == "application":
            assert attrs.get("tabindex") == "0", (tag, attrs)
        assert int(attrs.get("tabindex", 0)) <= 0
    assert sum(attrs.get("role") == "application" for _, attrs in parsed.elements) == 2
    assert any(attrs.get("role") == "status" for _, attrs in parsed.elements)


def test_the_focus_is_never_made_invisible():
    for rule in re.findall(r"([^{}]+)\{[^{}]*outline:\s*none[^{}]*\}", CSS):
        mark = rule.strip().replace(":focus", ":focus-visible")
        assert re.search(re.escape(mark) + r"[^{}]*\{[^{}]*stroke-width", CSS), rule


def test_language_viewport_and_a_policy_that_forbids_requests(page):
    text, parsed = page
    assert '<html lang="en">' in text and "width=device-width, initial-scale=1" in text
    assert "default-src 'none'" in text and "user-scalable" not in text
    for tag, address in parsed.addresses:
        assert address.startswith(("#", "data:")), (tag, address)
    assert all("src" not in attrs for attrs in parsed.scripts) and "@import" not in text


def test_the_checks_notice_what_they_are_for():
    for bad in ("<a href='#x'></a>", "<input type='text'>", "<svg role='img'></svg>", "<button> </button>"):
        assert Page(bad).nameless
    for good in ("<label>Name <input></label>", "<a aria-label='here'></a>", "<h2><span>x</span></h2>"):
        assert not Page(good).nameless
    with pytest.raises(AssertionError):
        Page("<p><em></p>")
