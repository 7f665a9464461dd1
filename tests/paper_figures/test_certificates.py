"""The figures of all bounds and of their slack, tested on the data in their axes."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figures import certificates, certificates_one, slack
from paper_figures.fields import FieldError
from paper_figures.style import draw
from tests.bounds.rows import last_layer, row_of
from tests.paper_figures.test_figures import line
from theory.bounds.table import table


def rows(method="rectangle", sizes=(20, 40), seeds=(0, 1)):
    """Rows of several sizes and seeds that differ in their numbers."""
    out = []
    for n in sizes:
        for seed in seeds:
            row = copy.deepcopy(row_of(method))
            row |= {"n": n, "seed": seed, "key": f"{method}-{n}-{seed}", "n_test": 60}
            row["train"] |= {"images": n, "missing_rate": 0.04 + 0.01 * seed}
            for name in ("split", "split-trained", "initial", "initial-trained"):
                found = row["certificate"][name]
                found["gibbs"] += 0.01 * seed
            out.append(row)
    return out


def paper_rows():
    """Rows of the linear head: other norms, no posterior."""
    out = rows("rectangle-paper")
    for row in out:
        row["certificate"] = {"last-layer": last_layer(distance=0.1 + 0.05 * row["seed"])}
    return out


@pytest.mark.parametrize("method", ["rectangle", "positionwise"])
def test_every_curve_is_the_mean_of_the_tables(method):
    found, drawn = rows(method) + (paper_rows() if method == "rectangle" else []), 0
    for group in certificates.GROUPS:
        ax = certificates.plot_panel(found, Figure().subplots(), method, group)
        for (bound, who), (label, _) in group.curves.items():
            source = "rectangle-paper" if (method, bound) == ("rectangle", "contraction") else method
            uppers = [[b["upper"] for r in found if r["n"] == n and r["method"] == source for b in table(r, certificates.DELTA)
                       if (b["bound"], b["predictor"]) == (bound, who)] for n in (20, 40)]
            if not uppers[0]:  # the norm bound of the other head
                assert bound == {"rectangle": "cellwise", "positionwise": "contraction"}[method]
                continue
            x, y = line(ax, label)
            assert list(x) == [20, 40] and y == pytest.approx(np.mean(uppers, axis=1)), label
            assert len(uppers[0]) == 2
            drawn += 1
        _, measured = line(ax, certificates.MEASURED[0])
        assert measured == pytest.approx([0.0625, 0.0625])
        assert ax.get_xscale() == ax.get_yscale() == "log"
    assert drawn == 22
    ax = certificates.plot_panel(found, Figure().subplots(), method, certificates.GROUPS[0])
    assert line(ax, certificates.ADVERSARY[0])[1] == pytest.approx([0.9 if method == "rectangle" else 1.0] * 2)


def test_norms_come_from_the_row_of_the_same_size_and_seed():
    found, other = rows(), paper_rows()
    for row, lines in zip(found, certificates.tables(found + other, found), strict=True):
        own = {(b["bound"], b["predictor"]): b for b in table(row, certificates.DELTA)}
        (twin,) = [r for r in other if (r["n"], r["seed"]) == (row["n"], row["seed"])]
        theirs = {(b["bound"], b["predictor"]): b for b in table(twin, certificates.DELTA)}
        for key, bound in lines.items():
            assert bound == (theirs if key[0] == "contraction" else own)[key]
    assert certificates.tables(found, found[:1])[0] == {
        (b["bound"], b["predictor"]): b for b in table(found[0], certificates.DELTA)}


def test_a_bound_that_some_rows_lack_is_not_drawn():
    found = rows()
    for row in found:
        del row["certificate"]["initial"]
    ax = certificates.plot_panel(found, Figure().subplots(), "rectangle", certificates.GROUPS[1])
    labels = ax.get_legend_handles_labels()[1]
    assert "from the start" not in labels and "half, kl" in labels


def test_both_methods_have_a_panel_and_a_caption():
    found = rows() + rows("positionwise")
    figure = draw(certificates, found)
    assert [ax.get_title() for ax in figure.axes[:3]] == ["rectangle", "position-wise", ""]
    panels = [ax for ax in figure.axes if ax.axison]
    assert len(panels) == 6 and len({ax.get_ylim() for ax in panels}) == 1
    legends = [ax.get_legend() for ax in figure.axes if not ax.axison]
    for group, legend in zip(certificates.GROUPS, legends, strict=True):
        names = [t.get_text() for t in legend.get_texts()]
        assert legend.get_title().get_text() == group.title and len(names) == len(set(names))
        assert {label for label, _ in group.curves.values()} <= set(names)
    text = certificates.caption(found)
    assert "mean over 2 seeds" in text and "on 60 test images" in text
    with pytest.raises(FieldError, match="no rows with a certificate"):
        certificates.select([{**found[0], "certificate": None}])


def test_one_size_is_a_line_a_bound():
    found = rows(sizes=(20,)) + rows("positionwise", sizes=(20,))
    assert certificates.layout(found) == (1, 2) and certificates.layout(rows()) == (3, 2)
    left, right = draw(certificates, found).axes
    names = [t.get_text() for t in left.get_yticklabels()]
    assert [left.get_title(), right.get_title()] == ["rectangle", "position-wise"]
    assert [n for n in names if n in [g.title for g in certificates.GROUPS]] == [
        g.title for g in certificates.GROUPS]
    drawn = 0
    for method, ax in (("rectangle", left), ("positionwise", right)):
        points = {c.get_label(): c.lines[0].get_xydata()[0] for c in ax.containers}
        for group in certificates.GROUPS:
            for (bound, who), (label, _) in group.curves.items():
                uppers = [b["upper"] for r in found if r["method"] == method
                          for b in table(r, certificates.DELTA) if (b["bound"], b["predictor"]) == (bound, who)]
                if bound == "contraction" or not uppers:
                    continue
                x, y = points[label]
                assert x == pytest.approx(np.mean(uppers)) and names[round(y)] == label
                drawn += 1
    assert drawn == 42
    for group in certificates.GROUPS:  # the largest first, by the mean over methods
        start = names.index(group.title) + 1
        count = len({label for label, _ in group.curves.values()}) + (group is certificates.GROUPS[0])
        means = [np.mean([c.lines[0].get_xdata()[0] for ax in (left, right) for c in ax.containers
                          if c.get_label() == name]) for name in names[start:start + count]]
        assert means == sorted(means, reverse=True) and len(means) == count


def test_the_caption_names_the_bounds_that_rows_lack():
    found = rows(sizes=(20,))
    for row in found:  # the head "coords" has no such bound, the linear one has runs of its own
        del row["certificate"]["last-layer"]
    text = certificates.caption(found)
    lost = "Not drawn, for lack of their runs: of rectangle “last layer, norm, near half (L)”, “last"
    assert lost in text and "These rows have one N, 20:" in text
    text = certificates.caption(found + paper_rows())
    assert "runs: of rectangle “last layer, few bits”. " in text
    assert "Not drawn" not in certificates.caption(rows(sizes=(20,)))
    assert "one N" not in certificates.caption(rows())
    few = certificates_one.bounds_of(found + paper_rows(), ["rectangle"], certificates.GROUPS)["rectangle"]
    assert set(map(len, few.values())) == {2}


def test_the_parts_of_a_bar_add_up_to_the_bound():
    found = [r for r in rows() if r["n"] == 40]
    ax = slack.plot_panel(found, Figure().subplots(), "rectangle")
    names = [t.get_text() for t in ax.get_yticklabels()]
    for i, (bound, who, name) in enumerate(s for s in slack.SHOWN if s[0] != "cellwise"):
        assert names[i] == name
        parts = [p for p in ax.patches if round(p.get_y() + p.get_height() / 2) == i]
        end = max(p.get_x() + p.get_width() for p in parts)
        uppers = [b["upper"] for r in found for b in table(r, slack.DELTA)
                  if (b["bound"], b["predictor"]) == (bound, who)]
        assert end == pytest.approx(np.mean(uppers))
        assert sum(p.get_width() for p in parts) == pytest.approx(end)
    assert all(cause in slack.CAUSES for r in found for b in table(r) for cause in b["slack"]
               if (b["bound"], b["predictor"]) in [(s[0], s[1]) for s in slack.SHOWN])


def test_the_rate_of_what_is_bounded_stands_in_each_bar():
    found = [r for r in rows() if r["n"] == 40]
    ax = slack.plot_panel(found, Figure().subplots(), "rectangle")
    diamonds = {round(float(h.get_ydata()[0])): float(h.get_xdata()[0]) for h in ax.lines if h.get_marker() == "D"}
    shown = [s for s in slack.SHOWN if s[0] != "cellwise"]
    for i, (bound, who, _) in enumerate(shown):
        tests = [b["test"] for r in found for b in table(r, slack.DELTA) if (b["bound"], b["predictor"]) == (bound, who)]
        assert diamonds[i] == pytest.approx(np.mean(tests))
    assert len(diamonds) == len(shown) and len(set(diamonds.values())) > 3


def test_the_slack_is_that_of_the_largest_sample():
    found = rows() + rows("positionwise", sizes=(20,))
    assert {r["n"] for r in slack.largest(found)} == {40}
    assert [ax.get_title() for ax in draw(slack, found).axes] == ["rectangle", "rectangle, the short ones"]
    figure = draw(slack, rows() + rows("positionwise"))
    assert len(figure.axes) == 4 and figure.legends
    short = [t.get_text() for t in figure.axes[2].get_yticklabels()]
    assert short == [name for _, _, name in slack.NEAR]
    assert "N = 40" in slack.caption(rows())
