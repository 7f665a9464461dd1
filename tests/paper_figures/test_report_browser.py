"""The page in Chromium: no complaint, no request, the filter, and the instrument against ``theory``.

Skipped where there is no Chromium.  axe-core is looked for in ``$AXE``, in the package
axe-playwright-python and in ``node_modules``; its test is skipped where it is not found.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from paper_figures.instrument import PRESETS, SLIDERS
from paper_figures.registry import TABLES
from paper_figures.report import write_report
from tests.paper_figures.browser import binary, browser
from tests.paper_figures.make_report import few, fill
from theory.rates import catching_rate, fitting_rate, missing_rate
from theory.rectangle import Rectangle, hard_mask

pytestmark = pytest.mark.skipif(binary() is None, reason="no Chromium on the PATH (or set $CHROMIUM)")

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740, "phone": True}


@pytest.fixture(scope="module")
def chromium():
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    with few(("fig02_window", "bound_vs_data")):
        return Path(write_report(fill(folder / "run"), folder / "out", folder).path)


@pytest.fixture
def page(chromium, path):
    chromium.view(**WIDE)
    chromium.open(path)
    return chromium


def axe() -> str | None:
    """The source of axe-core."""
    spec = importlib.util.find_spec("axe_playwright_python")
    places = [os.environ.get("AXE"), "node_modules/axe-core/axe.min.js",
              spec and spec.origin and Path(spec.origin).parent / "axe.min.js"]
    found = [Path(p) for p in places if p and Path(p).is_file()]
    return found[0].read_text(encoding="utf-8") if found else None


def random_state(seed: int) -> dict:
    """Grid and rectangles; some turned by right or no angle, with centres on cells, where edges tie."""
    rng = np.random.default_rng(seed)
    height, width = (int(v) for v in rng.integers(2, 29, 2))

    def rectangle() -> dict:
        center, half, angle = rng.random(2), rng.uniform(0.01, 0.8, 2), rng.uniform(-math.pi, math.pi)
        if seed % 3 == 0:
            center = rng.integers(0, (height, width)) / [height - 1, width - 1]
            half = rng.integers(1, 4, 2) / [height - 1, width - 1]
            angle = float(rng.choice([0.0, math.pi / 2, math.pi]))
        return {"center": [float(v) for v in center], "half_widths": [float(v) for v in half],
                "angle": float(angle)}

    return {"height": height, "width": width, "a": rectangle(), "b": rectangle()}


def masks(state: dict) -> list[np.ndarray]:
    """By ``theory``."""
    return [hard_mask(Rectangle(*(np.array(state[w][k]) for k in ("center", "half_widths", "angle"))),
                      state["height"], state["width"]) for w in "ab"]


def place(page, part: str, who: str = "a") -> tuple[float, float]:
    """The middle of a part of a rectangle, in the window."""
    return tuple(page.evaluate(
        f"(() => {{const r = document.querySelector('#quadrat-{who} .{part}').getBoundingClientRect();"
        "return [r.left + r.width / 2, r.top + r.height / 2]})()"))


def show(page) -> None:
    page.evaluate("document.getElementById('quadrat-plot').scrollIntoView({block: 'center', "
                  "behavior: 'instant'})")


def get(page, who: str = "a") -> dict:
    return page.evaluate("quadrat.get()")[who]


@pytest.mark.parametrize("view", [WIDE, PHONE, {**WIDE, "dark": True}, {**WIDE, "media": "print"}])
def test_no_complaint_no_request_no_sideways_scrolling(chromium, path, view):
    chromium.view(**view)
    chromium.open(path)
    assert chromium.complaints() == []
    assert chromium.requests() == [path.resolve().as_uri()]
    assert chromium.evaluate("document.documentElement.scrollWidth <= innerWidth")


PAPER = 718
"""Pixels across A4 between Chromium's margins."""


def test_committed_tables_fit_the_printed_page_and_their_classes_show(chromium, tmp_path):
    run = fill(tmp_path / "run", with_rows=False)
    with few(tuple(TABLES)):
        made = Path(write_report(run, tmp_path / "out").path)
    chromium.view(PAPER, 900, media="print")
    chromium.open(made)
    wide = chromium.evaluate("[...document.querySelectorAll('.data')].map(d => [d.scrollWidth, d.clientWidth, "
                             "d.querySelectorAll('thead th').length])")
    assert len(wide) == len(TABLES) and max(columns for *_, columns in wide) >= 12
    assert all(needed <= given <= PAPER for needed, given, _ in wide), wide
    split = ("[...document.querySelectorAll('.data td.number, .data tbody th')].filter(c => {"
             "const r = document.createRange(); r.selectNodeContents(c); return r.getClientRects().length > 1 "
             "&& /^[+−]?[\\w.,]+$/.test(c.textContent)}).map(c => c.textContent)")
    assert chromium.evaluate(split) == []  # no number, no single word goes over two lines
    chromium.view(**WIDE)
    assert chromium.evaluate("[...document.querySelectorAll('.data .number')].every(c => "
                             "getComputedStyle(c).textAlign === 'right')")
    assert chromium.evaluate("(r => r.length > 0 && r.every(c => getComputedStyle(c).borderTopStyle === 'solid'))"
                             "([...document.querySelectorAll('.data tr.rule > *')])")


def test_the_page_may_not_ask_for_anything(page):
    """The policy refuses what a later change might slip in."""
    page.evaluate("new Promise(r => {const i = new Image(); i.onerror = i.onload = r; "
                  "i.src = 'https://example.invalid/x.png'})")
    assert any("Content Security Policy" in text for text in page.complaints())
    # the request is refused before it is made


def test_the_instrument_says_what_theory_says(page):
    states = [random_state(k) for k in range(300)]
    told = page.evaluate(f"""{json.dumps(states)}.map(s => {{
        const a = quadrat.mask(s.a, s.height, s.width), b = quadrat.mask(s.b, s.height, s.width);
        return [a, b, quadrat.rates(a, b)]}})""")
    seen = set()
    for state, (a, b, rates) in zip(states, told, strict=True):
        true = masks(state)
        for mine, theirs in zip((a, b), true, strict=True):
            assert np.array_equal(np.reshape(mine, theirs.shape), theirs), state
        for name, rate in (("catching", catching_rate), ("missing", missing_rate), ("fitting", fitting_rate)):
            assert abs(rates[name] - float(rate(*true))) <= 1e-12, (name, state)
        seen.add(round(rates["fitting"], 2))
    assert len(seen) > 20 and 0 in seen


def test_empty_masks_fit_by_the_convention(page):
    nothing = {"center": [0.5, 0.5], "half_widths": [0.01, 0.01], "angle": 0.3}
    found = page.evaluate(f"quadrat.set({json.dumps({'height': 4, 'width': 4, 'a': nothing, 'b': nothing})})")
    assert found["fitting"] == 1 and found["missing"] == 0 and found["union"] == 0
    assert "0/0" in page.evaluate("document.getElementById('quadrat-fit-why').textContent")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_written_and_drawn_is_what_was_set(page, seed):
    state = random_state(seed)
    page.evaluate(f"quadrat.set({json.dumps(state)})")
    a, b = masks(state)
    text = {k: page.evaluate(f"document.getElementById('quadrat-{k}').textContent") for k in ("psi", "phi", "fit")}
    wanted = {"psi": catching_rate(a, b), "phi": missing_rate(a, b), "fit": fitting_rate(a, b)}
    assert {k: float(v.replace("\u2212", "-")) for k, v in text.items()} == pytest.approx(
        {k: float(v) for k, v in wanted.items()}, abs=5.1e-5)
    counted = page.evaluate("['cell both', 'cell neither', 'cell'].map(c => "
                            "document.querySelectorAll(`#quadrat-cells [class=\"${c}\"]`).length)")
    both = int(((a == 1) & (b == 1)).sum())
    assert counted == [both, int(((a == -1) & (b == -1)).sum()), int((a != b).sum())]
    small = page.evaluate("['a', 'b'].map(w => [...document.querySelectorAll(`#quadrat-mask-${w} rect`)]"
                          ".map(r => r.getAttribute('class') === 'on'))")
    assert [np.reshape(s, a.shape).tolist() for s in small] == [(m == 1).tolist() for m in (a, b)]


def test_presets_are_reached_and_say_the_exact_rates(page):
    for preset in PRESETS:
        page.evaluate(f"document.querySelector('[data-preset={preset.name}]').click()")
        found = page.evaluate("(() => {const s = quadrat.get(); return quadrat.rates(quadrat.mask(s.a, s.height, "
                              "s.width), quadrat.mask(s.b, s.height, s.width))})()")
        exact = {k: eval_fraction(v) for k, v in preset.rates().items()}
        assert [found[k] for k in ("catching", "missing", "fitting")] == pytest.approx(
            [exact[k] for k in ("psi", "phi", "fit")], abs=1e-12)
        assert page.evaluate("document.getElementById('quadrat-remark').textContent") == preset.encoded()["remark"]


def eval_fraction(text: str) -> float:
    top, _, bottom = text.partition("/")
    return int(top) / int(bottom or 1)


def test_the_mouse_moves_resizes_and_turns(page):
    show(page)
    scale = page.evaluate("document.getElementById('quadrat-plot').getBoundingClientRect().width / 360")
    before, start = get(page), place(page, "body")
    page.drag(start, (start[0] + 40 * scale, start[1] - 20 * scale))
    after = get(page)
    step = (360 - 44) / 14 * 13  # of the plot: from the first centre to the last, on 14 cells
    assert np.subtract(after["center"], before["center"]) == pytest.approx([-20 / step, 40 / step], abs=0.01)
    assert after["half_widths"] == before["half_widths"] and after["angle"] == before["angle"]
    start = place(page, "grip")
    page.drag(start, (start[0] + 25, start[1] + 30))
    assert get(page)["half_widths"] != before["half_widths"] and get(page)["center"] == after["center"]
    grip = place(page, "grip")
    assert np.subtract(grip, start) == pytest.approx([25, 30], abs=1.5)  # the corner follows the mouse
    page.drag(place(page, "knob"), (place(page, "body")[0] + 90, place(page, "body")[1] + 0.0))
    assert get(page)["angle"] == pytest.approx(-math.pi / 2, abs=0.02)  # the knob points to the right


def test_a_finger_moves_a_rectangle_and_scrolls_beside_it(chromium, path):
    chromium.view(**PHONE)
    chromium.open(path)
    show(chromium)
    before, start, scroll = get(chromium, "b"), place(chromium, "grip", "b"), chromium.evaluate("scrollY")
    chromium.swipe(start, (start[0] + 20, start[1] + 45))
    assert get(chromium, "b")["half_widths"] != before["half_widths"]
    assert chromium.evaluate("scrollY") == scroll
    start = place(chromium, "name", "b")
    chromium.swipe(start, (start[0], start[1] + 60))
    after = get(chromium, "b")
    assert after["center"][0] > before["center"][0] + 0.1 and chromium.evaluate("scrollY") == scroll
    corner = chromium.evaluate("(() => {const r = document.getElementById('quadrat-plot').getBoundingClientRect();"
                               "return [r.left + 12, r.bottom - 20]})()")
    chromium.swipe(tuple(corner), (corner[0], corner[1] - 120))
    chromium.evaluate("new Promise(r => setTimeout(r, 300))")
    assert chromium.evaluate("scrollY") > scroll and get(chromium, "b") == after


def test_keys_move_resize_and_turn(page):
    page.evaluate("document.getElementById('quadrat-a').focus()")
    before = get(page)
    page.press("ArrowDown")
    page.press("ArrowRight", shift=True)
    moved = np.subtract(get(page)["center"], before["center"])
    assert moved == pytest.approx([0.5 / 13, 0.25 / 13], abs=1e-9)
    page.press("+")
    page.press("+")
    page.press("-")
    assert np.subtract(get(page)["half_widths"], before["half_widths"]) == pytest.approx([0.02] * 2)
    page.press("r")
    page.press("r")
    page.press("R", shift=True)
    assert get(page)["angle"] - before["angle"] == pytest.approx(math.radians(5))
    page.press("Tab")
    assert page.evaluate("document.activeElement.id") == "quadrat-b"
    page.press("x")
    assert page.evaluate("quadrat.get()")["b"] == json.loads(json.dumps(PRESETS[0].encoded()))["state"]["b"]
    assert "turned" in page.evaluate("document.getElementById('quadrat-a').getAttribute('aria-label')")


def test_rectangles_stay_in_reach(page):
    page.evaluate("document.getElementById('quadrat-a').focus()")
    for _ in range(40):
        page.press("ArrowUp")
    for _ in range(60):
        page.press("-")
    found = get(page)
    assert found["center"][0] == 0 and min(found["half_widths"]) == 0.01


def test_sliders_set_all_parameters_and_the_grid(page):
    def slide(selector: str, value: float) -> None:
        page.evaluate(f"(() => {{const i = document.querySelector('{selector}'); i.value = {value}; "
                      "i.dispatchEvent(new Event('input', {bubbles: true}))}})()".replace("}})", "})"))

    values = dict(zip((s[0] for s in SLIDERS), (0.25, 0.75, 0.2, 0.4, 30), strict=True))
    for what, value in values.items():
        slide(f'[data-who="b"][data-what="{what}"]', value)
    slide('[data-what="height"]', 9)
    slide('[data-what="width"]', 21)
    state = page.evaluate("quadrat.get()")
    assert state["b"] == {"center": [0.25, 0.75], "half_widths": [0.2, 0.4], "angle": math.pi / 6}
    assert (state["height"], state["width"]) == (9, 21)
    assert page.evaluate("document.querySelectorAll('#quadrat-cells rect').length") == 9 * 21


def test_changes_are_spoken_after_a_pause(page):
    page.evaluate("quadrat.set(quadrat.get())")
    page.evaluate("new Promise(r => setTimeout(r, 700))")
    said = page.evaluate("document.getElementById('quadrat-said').textContent")
    phi = page.evaluate("document.getElementById('quadrat-phi').textContent")
    assert said.startswith("Catching rate") and f"missing rate {phi}" in said


def shown(page) -> list[str]:
    return page.evaluate("[...document.querySelectorAll('.ledger tr[data-id]:not([hidden])')]"
                         ".map(r => r.dataset.id)")


def test_the_filter_shows_what_was_asked_for(page):
    everything = shown(page)
    assert len(everything) == 8
    page.evaluate("document.querySelector('.counts a[data-status=refuted]').click()")
    assert set(shown(page)) == {"sec-5.1", "sec-5.2-monotone"}
    assert page.evaluate("document.getElementById('filter-count').textContent") == "2 of 8 claims"
    visible = page.evaluate("[...document.querySelectorAll('article')].filter(a => a.offsetParent).length")
    assert visible == 2
    page.evaluate("document.querySelector('#filter button').click(); new Promise(r => setTimeout(r, 50))")
    assert shown(page) == everything
    page.evaluate("(() => {const i = document.getElementById('filter-text'); i.value = 'two halves'; "
                  "i.dispatchEvent(new Event('input', {bubbles: true}))})()")
    assert shown(page) == ["sec-5.1"]


def test_a_link_to_a_hidden_claim_ends_the_filter_and_opens_it(page):
    page.evaluate("document.querySelector('.counts a[data-status=refuted]').click()")
    page.evaluate("location.hash = '#claim-thm-1'; new Promise(r => setTimeout(r, 100))")
    assert len(shown(page)) == 8
    assert page.evaluate("document.querySelector('#claim-thm-1 details').open")
    top = page.evaluate("document.getElementById('claim-thm-1').getBoundingClientRect().top")
    assert 0 <= top < 200


@pytest.mark.parametrize("view", [WIDE, {**WIDE, "dark": True}, PHONE])
def test_axe_finds_nothing(chromium, path, view):
    source = axe()
    assert source, "axe-core is part of quadrat[test] (pip install axe-playwright-python, or set $AXE)"
    chromium.view(**view)
    chromium.open(path)
    chromium.evaluate(source + "; 0")
    found = chromium.evaluate("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map("
                              "v => [v.id, v.nodes.map(n => n.target.join(' ')).slice(0, 5)]))")
    assert found == []
