"""The findings of the first screen: numbers by a second route, and what happens without rows."""

from __future__ import annotations

import copy
import json
import math
import re
from statistics import mean

import numpy as np
import pytest
from scipy import stats

from paper_figures import finding_bound, finding_maps, finding_premise
from paper_figures.fields import FieldError
from paper_figures.findings import cards, modules, span
from paper_figures.registry import COMMITTED
from paper_figures.style import draw
from sims.rows import read_rows
from tests.paper_figures.make_report import fill, write
from theory.bounds import theorem_1
from theory.claims.ledger_5_1_h1 import finds_the_object, train_area


@pytest.fixture(scope="module")
def committed():
    return {m.__name__: read_rows(COMMITTED / m.ROWS) for m in modules()}


def numbers(text: str) -> list[float]:
    return [float(v) for v in re.findall(r"\d+(?:\.\d+)?", text)]


def test_theorem_1_at_the_largest_n(committed):
    rows = committed["paper_figures.finding_bound"]
    mine = [r for r in rows if r["method"] == "rectangle" and r["n"] == max(r["n"] for r in rows)]
    bound = np.mean([theorem_1(r["train"]["missing_rate"], -1.0, r["n"], 0.05) for r in mine])
    tested = np.mean([r["test"]["missing_rate"] for r in mine])
    found = finding_bound.finding(rows, {"thm-1": "vacuous"})
    assert found.number == f"{bound:.2f}" and found.against == f"promised; measured {tested:.3f}"
    assert found.headline == "Theorem 1 is true and says nothing"
    assert finding_bound.finding(rows, {"thm-1": "refuted"}).headline == "Theorem 1 is refuted"
    assert "in 0 of 24 runs" in found.text and f"N = {mine[0]['n']}" in found.text


def test_bounds_that_inform_lie_between_data_and_ceiling(committed):
    found = finding_bound.values(committed["paper_figures.finding_bound"])
    for mine in found.values():
        measured = mean(mine["measured", ""])
        assert measured < mean(mine["betting", "trained"]) < mean(mine["pac_bayes_kl", "split"])
        assert mean(mine["pac_bayes_kl", "split"]) < mean(mine["ceiling", "trained"]) == 1.0
        assert mean(mine["theorem_1", "trained"]) > 1


def test_overlap_by_counting(committed):
    rows = committed["paper_figures.finding_maps"]
    mine = {m: [r["test"]["iou"] for r in rows if (r["method"], r["supervision"], r["truth"], r["n"])
                == (m, "label", "rotated", 4096)] for m in ("rectangle", "positionwise")}
    found = finding_maps.finding(rows, {})
    half = {m: 2.7764451 * np.std(v, ddof=1) / math.sqrt(5) for m, v in mine.items()}  # t, 4 degrees
    told = {m: f"{np.mean(v):.2f} ± {half[m]:.2f}" for m, v in mine.items()}
    assert found.number == told["rectangle"] and told["positionwise"] in found.against
    assert {len(v) for v in mine.values()} == {5} and "finds the object better" in found.headline
    empty = np.mean([r["area_fraction"] for r in rows if r["truth"] == "rotated" and r["n"] == 4096
                     and r["method"] == "rectangle" and r["supervision"] == "label"])
    assert f"an empty map has {empty:.3f}" in found.text


def test_what_the_better_map_depends_on_is_told(committed):
    """Head, other shapes, depth and kinds of images, from the files of rows by another route."""
    rows = committed["paper_figures.finding_maps"]
    more = {f: [json.loads(line) for line in (COMMITTED / f"{f}.jsonl").read_text().splitlines()]
            for f in ("training", "depth", "regimes")}
    text = finding_maps.finding([*rows, *more["depth"], *more["regimes"]], {}).text
    mine = {m: [r for r in more["training"] if (r["method"], r["supervision"], r["n"]) == (m, "label", 4096)]
            for m in ("rectangle", "positionwise", "rectangle-paper")}
    theirs = [r["test"]["iou"] for r in mine["rectangle-paper"]]
    half = stats.t.ppf(0.975, len(theirs) - 1) * stats.sem(theirs)
    assert f"reaches {np.mean(theirs):.2f} ± {half:.2f} ({len(theirs)} seeds)" in text
    assert f"({mine['rectangle'][0]['parameters_attention']:,} parameters)" in text
    bent = [np.mean([r["test"]["iou"] for r in mine[m] if r["truth"] == "l"])
            for m in ("rectangle", "positionwise")]
    assert f"For L shapes {bent[0]:.2f} against {bent[1]:.2f}." in text
    deep = [[r["test"] for r in more["depth"] if (r["method"], r["config"]["depth"]) == (m, 3)]
            for m in ("rectangle", "positionwise")]
    for name, end in (("iou", ", and "), ("iou_chosen", " at thresholds")):
        a, b = (np.mean([t[name] for t in tests]) for tests in deep)
        assert f"{a:.2f} against {b:.2f}{end}" in text
    kinds = {r["regime"] for r in more["regimes"]}
    means = {(k, m): np.mean([r["test"]["iou"] for r in more["regimes"]
                              if (r["regime"], r["method"]) == (k, m)])
             for k in kinds for m in ("rectangle", "positionwise")}
    ahead = sum(means[k, "positionwise"] > means[k, "rectangle"] for k in kinds)
    assert f"In {ahead} of {len(kinds)} kinds of images the position-wise map" in text and 0 < ahead
    assert finding_maps.finding(rows, {}).number == finding_maps.finding(
        [*rows, *more["depth"], *more["regimes"]], {}).number
    assert "layers of 3 × 3" not in finding_maps.finding(rows, {}).text


def test_the_share_of_kinds_at_other_limits(committed):
    rows = committed["paper_figures.finding_premise"]
    beside = {k: np.mean([r["train"]["loss"] for r in rows if (r["method"], r["regime"]) == ("oracle", k)])
              for k in {r["regime"] for r in rows}}
    found = finding_premise.runs(rows, "rectangle")
    for limit in (0.4, 0.8):
        want = 0
        for kind, mine in found.items():
            floor = mine[0]["floor"] or 0.0
            small = [r for r in mine if r["train"]["loss"] - beside[kind] < 0.1]
            shares = [(r["train"]["missing_rate"] - floor) / (train_area(r) - floor) for r in small]
            want += bool(shares) and all(s < limit for s in shares)
        assert finding_premise.covered(rows, limit) == want
        assert str(want) in finding_premise.finding(rows, {}).text


def test_the_posterior_that_is_its_prior_is_called_so(committed):
    rows = copy.deepcopy(committed["paper_figures.finding_bound"])
    assert "posterior is its prior, so a held-out bound" in finding_bound.finding(rows, {}).text
    for row in rows:
        row["certificate"].get("split", {})["kl"] = 2.0
    text = finding_bound.finding(rows, {"thm-1": "vacuous"}).text
    assert "KL 2.0 nats" in text and "is its prior" not in text
    empty = np.mean([r["area_fraction"] for r in rows if r["n"] == 4096])
    assert f"empty map: it misses {empty:.2g}" in text and "position-wise 0.0" in text


def test_the_worse_map_is_not_called_better(committed):
    rows = copy.deepcopy(committed["paper_figures.finding_maps"])
    for row in rows:
        row["test"]["iou"] = 0.1 if row["method"] == "rectangle" else 0.5
    assert "no better" in finding_maps.finding(rows, {}).headline


@pytest.mark.parametrize("shift,words", [(0.4, "finds the object better"), (-0.4, "no better"),
                                         (0.05, "not shown"), (-0.05, "not shown")])
def test_better_needs_intervals_that_are_apart(shift, words):
    values = [0.4, 0.5, 0.6]  # half of the interval: 4.303 * 0.1 / sqrt(3) = 0.248
    bigger = [v + 1.25 * shift for v in values]
    assert words in finding_maps.verdict(bigger, values)
    assert "not shown" in finding_maps.verdict(bigger[:2], values)
    assert "not shown" in finding_maps.verdict([v + 0.49 for v in values], values)
    assert finding_maps.verdict([v + 0.51 for v in values], values) == "finds the object better"


@pytest.mark.parametrize("module", modules(), ids=lambda m: m.__name__)
def test_methods_look_as_everywhere(module, committed):
    from matplotlib.colors import to_hex

    from paper_figures.methods import METHODS

    axes = draw(module, committed[module.__name__]).axes[0]
    handles, labels = axes.get_legend_handles_labels()
    lines = {label: getattr(h, "lines", [h])[0] for h, label in zip(handles, labels, strict=True)}
    for name, label in (("rectangle", "rectangle"), ("positionwise", "position-wise")):
        assert to_hex(lines[label].get_color()) == to_hex(METHODS[name].color)
        assert lines[label].get_marker() == METHODS[name].marker


def test_the_premise_agrees_with_the_ledger(committed):
    """The verdict of h1-regimes counts the same rows by itself."""
    from theory.claims.ledger_5_1_trained import regimes_measurement

    told = regimes_measurement().numbers
    for method in ("rectangle", "positionwise"):
        kinds = finding_premise.sorted_kinds(committed["paper_figures.finding_premise"], method)
        for group, names in kinds.items():
            for name in names:
                cell = told[f"{method}, {name}"]
                fits, hits = cell["premise"], cell["conclusion"]
                want = "silent" if not fits else "all" if hits == fits else "some" if hits else "none"
                assert group == want, (method, name)
    found = finding_premise.finding(committed["paper_figures.finding_premise"], {})
    kinds = finding_premise.sorted_kinds(committed["paper_figures.finding_premise"], "rectangle")
    tried = sum(len(names) for group, names in kinds.items() if group != "silent")
    assert found.number == f"{len(kinds['all'])} of {tried}" and kinds["silent"]
    assert "on some images only" in found.headline


def test_the_picture_shows_the_points_that_are_counted(committed):
    rows = committed["paper_figures.finding_premise"]
    axes = draw(finding_premise, rows).axes[0]
    beside = {k: np.mean([r["train"]["loss"] for r in rows if (r["method"], r["regime"]) == ("oracle", k)])
              for k in {r["regime"] for r in rows}}
    for line, method in zip(axes.get_lines(), finding_premise.COMPARED, strict=False):
        x, y = line.get_data()
        low = (np.asarray(x) < finding_premise.SMALL_LOSS) & (np.asarray(y) < finding_premise.SMALL_MISS)
        hits = sum(finds_the_object(r) for k, found in finding_premise.runs(rows, method).items()
                   for r in found if r["train"]["loss"] - beside[k] < finding_premise.SMALL_LOSS)
        assert low.sum() == hits > 0
    corner = axes.collections[0].get_paths()[0].get_extents()
    small = finding_premise.SMALL_LOSS, finding_premise.SMALL_MISS
    assert (corner.x1, corner.y0) == pytest.approx(small)  # where (H1) fails, as in the figure h1
    assert corner.x0 == pytest.approx(axes.get_xlim()[0]) and corner.y1 == pytest.approx(axes.get_ylim()[1])


def test_pictures_hold_the_means(committed):
    rows = committed["paper_figures.finding_maps"]
    axes = draw(finding_maps, rows).axes[0]
    drawn = axes.containers[0].lines[0].get_ydata()
    assert drawn[-1] == pytest.approx(float(np.mean([
        r["test"]["iou"] for r in rows if (r["method"], r["supervision"], r["truth"], r["n"])
        == ("rectangle", "label", "rotated", 4096)])))
    assert axes.get_xscale() == "log" and axes.get_ylim() == (0, 1)
    bounds = draw(finding_bound, committed["paper_figures.finding_bound"]).axes[0]
    assert len(bounds.get_yticklabels()) == len(finding_bound.SHOWN) and bounds.get_xscale() == "log"


@pytest.mark.parametrize("module", modules(), ids=lambda m: m.__name__)
def test_captions_say_what_the_bars_are_and_rows_are_checked(module, committed):
    rows = committed[module.__name__]
    caption = module.caption(rows)
    assert "bars" in caption and re.search(r"\d", caption)
    with pytest.raises(FieldError):
        module.finding([{"key": "a", "method": "none", "supervision": "label"}], {})
    damaged = copy.deepcopy(rows)
    for row in damaged:
        row["test"].pop("missing_rate", None)
        row["test"].pop("iou", None)
        row["train"].pop("loss", None)
    with pytest.raises(ValueError, match="lacks"):
        module.finding(damaged, {})


def test_cards_prefer_committed_rows_and_tell_the_runs_number(tmp_path):
    run, rows = fill(tmp_path / "run"), tmp_path / "rows"
    rows.mkdir()
    better = read_rows(run / "training.jsonl")
    for row in better:
        row["test"]["iou"] += 0.05
    write(rows / "training.jsonl", better)
    bound, maps, premise = cards(run, rows, {"thm-1": "vacuous", "sec-6.3": "measured"})
    assert maps.drawing.label == "committed rows" and maps.finding.number == "0.55"
    assert maps.also.startswith("this run (N = 1024, 2 seeds): 0.50 test IoU")
    assert maps.claims == ("sec-6.3",) and bound.claims == ("thm-1",)
    assert bound.drawing.label == "this run" and bound.also == ""
    assert premise.finding is None and "regimes.jsonl is not there" in premise.drawing.missing


def test_spans():
    assert span([0.2, 0.1]) == "0.10 to 0.20"
