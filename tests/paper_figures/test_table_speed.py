"""The tables of speed: cells against the rows; what a row lacks."""

from __future__ import annotations

import pytest

from paper_figures import table_speed, table_suprema
from paper_figures.fields import FieldError
from paper_figures.registry import COMMITTED
from sims.rows import read_rows
from tests.paper_figures.made_up import timing


def network(batch=1):
    row = timing("network", batch=batch, base="none", rectangle=3.9)
    row["key"] = f"latency-network-64x48-batch{batch}"
    del row["features"], row["ratio"]["rectangle-coords"]
    row["ratio_interval"]["none"] = [1.0, 1.0]
    return row


def backbone(batch, light, paper):
    row = timing("backbone", batch=batch, base="none", rectangle_light=light, rectangle_paper=paper)
    row["key"] = f"latency-backbone-mobilenetv3-large-224-batch{batch}"
    del row["features"]
    return row


def solver(name, side, microseconds, times, family="axis-aligned", agree=True):
    return {"kind": "supremum-speed", "key": f"{family}/{side}/{name}", "solver": name, "family": family,
            "side": side, "matrices": 1000 * side, "microseconds": microseconds, "agree": agree,
            "times_ours": times, "cpu": "a processor"}


def test_cells_are_ratios_and_the_farther_end():
    found = table_speed.table([network(), timing("learning module", (960, 7, 7), 32, "simam"), timing()])
    assert [x[0] for x in found.lines] == ["module, forward", "module, forward + backward",
                                           "small network, forward"]
    assert found.rules == (1, 2) and found.columns[5:] == (
        "coords", "softargmax", "light", "the paper's head", "position-wise", "CBAM", "SimAM")
    assert found.lines[0][1:] == ("320 x 10 x 10", "1", "position-wise", "2", "0.25 ± 0.30", "0.50 ± 0.30",
                                  "0.75 ± 0.30", "1.00 ± 0.30", "1", "1.50 ± 0.30", "1.75 ± 0.30")
    assert found.lines[1][3] == "SimAM" and found.lines[1][-1] == "1"
    assert found.lines[2][1:6] == ("64 x 48 px", "1", "no attention", "2", "3.90 ± 0.30")


def test_close_intervals_get_a_digit_more():
    row = timing()
    row["ratio_interval"]["cbam"] = [1.496, 1.503]
    assert "1.500 ± 0.004" in table_speed.table([row]).lines[0]


def test_what_was_not_timed_is_empty_not_zero():
    found = table_speed.table([backbone(16, 1.01, 1.03), timing()])
    cells = dict(zip(found.columns, found.lines[1], strict=True))
    assert cells["input"] == "224 x 224 px" and cells["light"] == "1.01 ± 0.30"
    partly = backbone(1, 1.1, 1.2)
    del partly["ratio"]["cbam"]
    assert dict(zip(found.columns, table_speed.table([partly, timing()]).lines[1], strict=True))["CBAM"] == ""


def test_caption_has_the_overhead_and_the_machine():
    images = {"kind": "latency", "key": "latency-shapes-64x64", "what": "ShapeField", "image": [64, 64],
              "images_per_second_median": 1234.4}
    text = table_speed.caption([backbone(16, 1.01, 1.03), backbone(1, 1.2, 0.9), images])
    assert "at 1 image: rectangle, light +20.0 %, rectangle, the paper's head -10.0 %" in text
    assert "at 16 images: rectangle, light +1.0 %" in text
    assert "1,234 images of 64 x 64" in text and "a processor" in text and "torch 2.0" in text


def test_rows_without_numbers_say_which():
    row = timing()
    row["ratio_interval"]["cbam"] = None
    with pytest.raises(FieldError, match="'latency-module-320x10x10-batch1': 'ratio_interval.cbam' must"):
        table_speed.table([row])
    with pytest.raises(FieldError, match="must name the image's side in its key"):
        table_speed.table([{**network(), "key": "latency-network"}])
    with pytest.raises(FieldError, match="no rows of kind 'latency'"):
        table_speed.table([])
    with pytest.raises(FieldError, match="no timings of module"):
        table_speed.table([timing("something else")])


def test_suprema_cells_and_order():
    rows = [solver("ours", 14, 0.1, 1.0), solver("ours", 7, 0.05, 1.0),
            solver("ours", 7, 9.0, 1.0, "rotated"), solver("numba Kadane", 14, 1.25, 12.5)]
    found = table_suprema.table(rows)
    assert found.columns == ("rectangles", "solver", "7 x 7", "14 x 14") and found.rules == (2,)
    assert found.lines == (("axis-aligned", "ours", "50 ns (1)", "100 ns (1)"),
                           ("axis-aligned", "numba Kadane", "–", "1.25 us (12.5)"),
                           ("rotated", "ours", "9 us (1)", "–"))


def test_suprema_caption_counts_disagreements():
    rows = [solver("ours", 7, 0.05, 1.0), solver("numba Kadane", 7, 0.5, 10.0, agree=False),
            solver("ours, limited", 7, 0.1, 2.0, agree=None)]
    text = table_suprema.caption(rows)
    assert "agree in 1 of 2 comparisons" in text and "10 to 10 times" in text and "7,000" in text
    with pytest.raises(FieldError, match="lacks the field 'times_ours'"):
        table_suprema.table([{k: v for k, v in rows[0].items() if k != "times_ours"}])


@pytest.mark.parametrize("module,name", [(table_speed, "latency"), (table_suprema, "bench")])
def test_committed_tables_in_every_form(module, name):
    rows = read_rows(COMMITTED / f"{name}.jsonl")
    found = module.table(rows)
    assert "error bars" in module.caption(rows)
    for form in ("latex", "csv", "html", "text"):
        assert len(getattr(found, form)()) > 500
