"""The figures of all bounds and of their slack, tested on the data in their axes."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from matplotlib.figure import Figure

from paper_figures import certificates, slack
from paper_figures.fields import FieldError
from paper_figures.style import draw
from tests.bounds.rows import row_of
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


def test_every_curve_is_the_mean_of_the_tables():
    found = rows()
    ax = certificates.plot_panel(found, Figure().subplots())
    for (bound, who), (label, _) in certificates.CURVES.items():
        x, y = line(ax, label)
        uppers = [[b["upper"] for r in found if r["n"] == n for b in table(r, certificates.DELTA)
                   if (b["bound"], b["predictor"]) == (bound, who)] for n in (20, 40)]
        assert list(x) == [20, 40] and y == pytest.approx(np.mean(uppers, axis=1)), label
        assert len(uppers[0]) == 2
    _, measured = line(ax, "measured on test images")
    assert measured == pytest.approx([0.0625, 0.0625])
    assert ax.get_xscale() == ax.get_yscale() == "log"


def test_a_bound_that_some_rows_lack_is_not_drawn():
    found = rows()
    for row in found:
        del row["certificate"]["initial"]
    ax = certificates.plot_panel(found, Figure().subplots())
    labels = ax.get_legend_handles_labels()[1]
    assert "PAC-Bayes-kl, prior at the start" not in labels
    assert "PAC-Bayes-kl, prior of the first half" in labels


def test_both_methods_have_a_panel_and_a_caption():
    found = rows() + rows("positionwise")
    figure = draw(certificates, found)
    assert [ax.get_title() for ax in figure.axes] == ["rectangle", "position-wise"]
    assert len({ax.get_ylim() for ax in figure.axes}) == 1
    text = certificates.caption(found)
    assert "mean over 2 seeds" in text and "on 60 test images" in text
    with pytest.raises(FieldError, match="no rows with a certificate"):
        certificates.select([{**found[0], "certificate": None}])


def test_the_parts_of_a_bar_add_up_to_the_bound():
    found = [r for r in rows() if r["n"] == 40]
    ax = slack.plot_panel(found, Figure().subplots())
    names = [t.get_text() for t in ax.get_yticklabels()]
    for i, (bound, who, name) in enumerate(slack.SHOWN):
        assert names[i] == name
        parts = [p for p in ax.patches if round(p.get_y() + p.get_height() / 2) == i]
        end = max(p.get_x() + p.get_width() for p in parts)
        uppers = [b["upper"] for r in found for b in table(r, slack.DELTA)
                  if (b["bound"], b["predictor"]) == (bound, who)]
        assert end == pytest.approx(np.mean(uppers))
        assert sum(p.get_width() for p in parts) == pytest.approx(end)
    assert all(cause in slack.CAUSES for r in found for b in table(r) for cause in b["slack"]
               if (b["bound"], b["predictor"]) in [(s[0], s[1]) for s in slack.SHOWN])


def test_the_slack_is_that_of_the_largest_sample():
    found = rows() + rows("positionwise", sizes=(20,))
    assert {r["n"] for r in slack.largest(found)} == {40}
    figure = draw(slack, rows() + rows("positionwise"))
    assert len(figure.axes) == 4 and figure.legends
    short = [t.get_text() for t in figure.axes[2].get_yticklabels()]
    assert short == [name for _, _, name in slack.NEAR]
    assert "N = 40" in slack.caption(rows())
