"""The table of upper ends: which rows it takes, against samples drawn here, against published figures."""

import numpy as np
import pytest

from paper_figures import table_tightness
from paper_figures.fields import FieldError
from paper_figures.registry import COMMITTED
from sims import coverage_cells
from sims.rows import read_rows
from theory.bounds import Betting, Chernoff, ClopperPearson, Hoeffding, MaurerPontil


@pytest.fixture(scope="module")
def rows():
    return read_rows(COMMITTED / "coverage.jsonl")


def test_against_samples_drawn_here(rows):
    rng = np.random.default_rng(5)
    draws = {"Bernoulli(0.05)": lambda n: (rng.random((400, n)) < 0.05) * 1.0, "Beta(2, 18)": lambda n: rng.beta(2, 18, (400, n))}
    made = table_tightness.table(rows)
    kinds = (Hoeffding, Chernoff, ClopperPearson, MaurerPontil, Betting)
    for line in made.lines:
        losses = draws[line[0]](int(line[1]))
        for cell, kind in zip(line[3:8], kinds, strict=True):
            if cell == table_tightness.NONE:
                assert kind is ClopperPearson and line[0] != "Bernoulli(0.05)"
                continue
            found = kind(0.05).upper(losses=losses)
            assert float(cell) == pytest.approx(found.mean(), abs=5 * found.std() / 20 + 0.0006), (line, kind)
        assert float(line[8]) == pytest.approx(3 * np.sqrt(np.log(40) / (2 * int(line[1]))), abs=0.0006)
    assert [line[2] for line in made.lines] == ["0.050", "0.100", "0.100"]


def test_what_is_missing_is_named(rows):
    with pytest.raises(FieldError, match="no rows of part 'held-out' with law 'beta 2 18' and n 1000"):
        table_tightness.table([r for r in rows if not (r.get("law") == "beta 2 18" and r["n"] == 1000)])
    assert "δ = 0.05" in table_tightness.caption(rows)


def test_the_caption_counts_the_samples_of_its_rows_and_claims_no_more(rows):
    mine = [r for r in rows if r.get("part") == "held-out" and r["delta"] == 0.05 and r["side"] == "upper"
            and r["order"] == "drawn" and (r["law"], r["n"]) in coverage_cells.TABLE]
    few = {r["repeats"] for r in mine if r["bound"] == "betting"}
    many = {r["repeats"] for r in mine if r["bound"] != "betting"}
    text = table_tightness.caption(rows)
    assert f"over {min(few)} (betting) and {max(many)} (Hoeffding, kl, Clopper-Pearson, Maurer-Pontil) samples" in text
    assert len(few) == len(many) == 1 and "last digit" not in text and "no error bars" in text
    changed = [{**r, "repeats": 7} if r in mine else r for r in rows]
    assert "over 7 (Hoeffding, kl, Clopper-Pearson, Maurer-Pontil, betting) samples" in table_tightness.caption(changed)
    with pytest.raises(FieldError, match="'repeats'"):
        table_tightness.caption([{k: v for k, v in r.items() if k != "repeats"} for r in mine])
