"""The bench: every way gives the same maxima, the table says what the rows say."""

from __future__ import annotations

import platform
import sys

import numpy as np
import pytest

import sims.bench as bench
from sims.__main__ import main
from sims.bench_peers import (
    kadane,
    kadane_without_branches,
    maxima,
    pyscan_seconds,
    vector_peak,
)
from sims.bench_report import table
from sims.rows import read_rows
from sims.supremum import max_weight_rectangle
from theory.families import Rectangles

# where the tests' extra installs it: elsewhere there is no wheel; if it is missing HERE the test fails
PYSCAN = (sys.platform == "linux" and platform.machine() == "x86_64" and sys.version_info < (3, 14))


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(bench, "SIZES", (5, 8))
    monkeypatch.setattr(bench, "ROTATED", (3, 4))
    monkeypatch.setattr(bench, "BUDGET", 0.01)
    monkeypatch.setattr(bench, "FIELDS", 40)
    monkeypatch.setattr("sims.bench_peers.vector_peak", lambda: 1e10)


@pytest.mark.parametrize("solver", [kadane, kadane_without_branches])
def test_the_compiled_peers_are_right(solver):
    w = np.random.default_rng(0).integers(-5, 6, (30, 4, 5)).astype(np.int32)
    values = np.empty((2, 30), dtype=np.int64)
    solver(w, values)
    inside = Rectangles(4, 5).masks().reshape(-1, 20) == 1
    products = w.reshape(30, 20) @ inside.T.astype(np.int64)
    assert np.array_equal(values, [products.max(axis=1), products.min(axis=1)])
    assert np.array_equal(maxima(solver, w), products.max(axis=1))


@pytest.mark.skipif(not PYSCAN, reason="pyscan-stats has no wheel for this platform")
def test_pyscan_is_asked_the_same_question():
    w = 2 * np.random.default_rng(1).integers(0, 2, (40, 6, 9)) - 1
    seconds, values = pyscan_seconds(w)
    assert seconds > 0
    assert np.allclose(values, max_weight_rectangle(w).maximum, atol=1e-9)
    assert np.isnan(pyscan_seconds(np.ones((1, 3, 3), dtype=int))[1]).all()


def test_rows_agree_and_ratios_are_of_one_run(small):
    rows = list(bench.rows())
    assert len({row["key"] for row in rows}) == len(rows)
    assert {row["family"] for row in rows} == {"axis-aligned", "rotated"}
    for row in rows:
        assert row["agree"] in (True, None) and row["microseconds"] > 0
        ours = next(r for r in rows if r["solver"] == "ours" and r["family"] == row["family"]
                    and r["side"] == row["side"])
        assert row["times_ours"] == pytest.approx(row["microseconds"] / ours["microseconds"])
    first = rows[0]
    assert first["vector_operations"] == 7 * 15 * 5 / 32 and first["fraction_of_peak"] == pytest.approx(
        first["vector_operations"] / (first["microseconds"] * 1e-6 * 1e10))
    assert 0 < first["packing_share"] and 0 < first["kernel_microseconds"]
    limited = {row["solver"] for row in rows if row["agree"] is None}
    assert limited == {"ours, area at most a quarter", "ours, sides from 2 to a half",
                       "ours, zone with holes"}


def test_a_wrong_peer_is_named(small, monkeypatch):
    def wrong(weights, values):
        kadane(weights, values)
        values[0, -1] += 1

    monkeypatch.setattr("sims.bench_peers.kadane", wrong)
    rows = list(bench.rows())
    assert "axis-aligned/5/numba Kadane/" in table(rows, "a machine").splitlines()[-1]


def test_the_command_prints_the_table_and_keeps_the_rows(small, tmp_path, capsys):
    out = tmp_path / "deep" / "bench.jsonl"
    assert main(["bench", "--out", str(out)]) == 0
    text = capsys.readouterr().out
    rows = read_rows(out)
    assert "axis-aligned rectangles, time a matrix" in text and "rotated rectangles" in text
    assert "disagreements about a maximum: none" in text and str(out) in text
    assert rows[0]["cpu"] in text and rows[0]["provenance"]["machine"] in text
    assert main(["bench", "--out", str(out)]) == 0  # again: rows superseded, none doubled
    assert len(read_rows(out)) == len(rows)
    capsys.readouterr()
    assert main(["bench", "--out", str(tmp_path)]) == 2
    assert "must be a file of rows" in capsys.readouterr().err


def test_goals_are_judged_from_the_rows():
    row = {"family": "axis-aligned", "side": 14, "matrices": 1, "cpu": "c", "agree": True, "key": "k",
           "peak_vector_operations": 1e10, "solver": "ours", "microseconds": 0.1, "times_ours": 1.0}
    slow = row | {"solver": "numba Kadane", "microseconds": 0.9, "times_ours": 9.0}
    text = table([row, slow], "m")
    assert "MISSED   14x14: 9 times faster than numba Kadane, aim 10" in text
    assert "reached  axis-aligned 14x14: 100 ns, aim 200 ns" in text
    assert "reached  14x14: 10 times" in table([row, slow | {"times_ours": 10.0}], "m")


def test_the_peak_is_a_speed():
    assert 1e8 < vector_peak(repeats=1) < 1e12
