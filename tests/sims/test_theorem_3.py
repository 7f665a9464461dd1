"""Theorem 3 on finite classes: gap and complexity by enumeration, coverage, a bound too small."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from sims.theorem_3 import FreeClass, ListedClass, mean_absolute_sum
from sims.theorem_3_cells import CONSTANT, DELTAS, FREE, cells, compute, loss_class
from tests.sims.judge import coverage_p_value
from theory.bounds import theorem_3
from theory.families import Rectangles
from theory.rademacher import rademacher_constant_exact, rademacher_grouped_exact, sign_vectors

ALARM = 1e-6
"""False-alarm rate of one coverage test."""


def listed(seed, functions=4, atoms=3, positions=6):
    rng = np.random.default_rng(seed)
    return ListedClass(rng.integers(1, 6, atoms), positions,
                       rng.integers(0, positions + 1, (functions, atoms)))


def by_definition(model, counts):
    """Def. C.1 word for word on the sample spelled out."""
    sample = np.repeat(np.arange(len(counts)), counts)
    values = sign_vectors(len(sample)) @ model.losses[:, sample].T
    return Fraction(int(values.max(axis=1).sum()), 2 ** len(sample) * len(sample) * model.positions)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("counts", [(1, 0, 0), (2, 1, 0), (3, 3, 2), (0, 7, 1)])
def test_complexity_of_a_list_against_the_definition(seed, counts):
    model = listed(seed)
    assert model.complexity(np.array(counts)) == pytest.approx(
        float(by_definition(model, counts)), abs=1e-14)


@pytest.mark.parametrize("seed", range(4))
def test_gap_of_a_list_against_risks_in_fractions(seed):
    model, counts = listed(seed), np.array([3, 0, 2])
    total, gaps = int(model.weights.sum()), []
    for losses in model.losses.tolist():
        risk = sum(Fraction(int(w), total) * loss for w, loss in zip(model.weights, losses, strict=True))
        seen = sum(Fraction(int(c), 5) * loss for c, loss in zip(counts, losses, strict=True))
        gaps.append((risk - seen) / model.positions)
    assert model.gap_exact(counts) == max(gaps)
    assert model.gap_exact(model.weights) == 0  # the sample is the law itself


def test_constant_rectangles_against_the_complexity_of_the_theory():
    model = loss_class(CONSTANT, 3, 3, seed=1)
    family, counts = Rectangles(3, 3), np.array([4, 2, 1])
    from sims.streams import stream

    targets = family.sample(stream(f"theorem-3/class/{CONSTANT}/3x3/atoms=3", 1), 3)
    want = rademacher_constant_exact(family, np.repeat(targets, counts, axis=0))
    assert model.complexity(counts) == pytest.approx(float(want), abs=1e-14)
    assert model.losses.shape == (36, 3) and len(np.unique(model.losses, axis=0)) <= 36


def test_all_functions_against_grouped_inputs_and_against_the_list_of_all_functions():
    family = Rectangles(2, 2)
    targets = family.masks()[[0, 4, 8]]
    losses = (family.masks()[:, None] != targets).sum(axis=(2, 3))
    weights, counts = np.array([1, 5, 2]), np.array([4, 0, 3])
    free = FreeClass(weights, 4, losses.max(axis=0), losses.min(axis=0))
    every = ListedClass(weights, 4, np.array([[losses[b, j] for j, b in enumerate(f)]
                                              for f in product(range(9), repeat=3)]))
    grouped = rademacher_grouped_exact(family, np.repeat(targets, counts, axis=0),
                                       np.repeat(np.arange(3), counts))
    assert free.complexity(counts) == pytest.approx(float(grouped), abs=1e-14)
    assert free.complexity(counts) == pytest.approx(every.complexity(counts), abs=1e-14)
    assert free.gap_exact(counts) == every.gap_exact(counts)
    built = loss_class(FREE, 3, 5, 0)
    assert (built.least == 0).all() and (built.most > 0).all()


@pytest.mark.parametrize("signs", range(1, 9))
def test_mean_absolute_sum_against_all_signs(signs):
    assert mean_absolute_sum(signs) == np.abs(sign_vectors(signs).sum(axis=1)).mean()


@pytest.mark.parametrize("model", [listed(5), listed(6, functions=9, atoms=2),
                                   FreeClass(np.array([3, 1, 2]), 6, np.array([6, 5, 4]),
                                             np.array([0, 1, 0]))], ids=["list", "two", "free"])
@pytest.mark.parametrize("n", [1, 3, 6])
def test_symmetrisation_over_all_samples(model, n):
    """E sup (R - R^) <= 2 E R_S, over every sample with its probability; and the draws agree."""
    p = model.weights / model.weights.sum()
    mean_gap = mean_complexity = 0.0
    for counts in product(range(n + 1), repeat=len(p)):
        if sum(counts) == n:
            ways = math.factorial(n) / math.prod(math.factorial(c) for c in counts)
            chance = ways * float(np.prod(p ** np.array(counts)))
            mean_gap += chance * float(model.gap_exact(np.array(counts)))
            mean_complexity += chance * model.complexity(np.array(counts))
    assert 0 <= mean_gap <= 2 * mean_complexity + 1e-12
    drawn = model.draw(np.random.default_rng(0), n, 3000)
    assert (drawn.sum(axis=1) == n).all()
    sampled = np.mean([float(model.gap_exact(c)) for c in drawn])
    assert abs(sampled - mean_gap) <= math.sqrt(math.log(2 / ALARM) / (2 * 3000))
    assert abs(sampled - mean_gap) < 0.02


@pytest.fixture(scope="module")
def rows():
    return [{**cell, **compute(cell)} for cell in cells("quick", 0)]


def test_every_cell_fails_no_more_often_than_delta(rows):
    assert {r["delta"] for r in rows} == set(DELTAS)
    for row in rows:
        assert coverage_p_value(row["theorem_3_failures"], row["repeats"], row["delta"]) > ALARM
        assert row["theorem_3_rate_low"] <= row["theorem_3_failures"] / row["repeats"]
        assert row["gap_mean"] <= row["gap_max"] <= 1 and 0 < row["complexity_mean"] <= 0.5


def test_without_its_complexity_term_the_same_judge_finds_failures(rows):
    caught = [r for r in rows if coverage_p_value(
        r["failures_without_complexity"], r["repeats"], r["delta"]) < ALARM]
    assert {(r["class"], r["atoms"]) for r in caught} == {(FREE, 256)}
    assert any(r["delta"] == 0.01 for r in caught)


def test_without_the_confidence_term_the_same_judge_finds_failures(rows):
    """2 R_S alone is exceeded by a class of two functions."""
    small = [r for r in rows if r["class"] == "2 predictors" and r["delta"] <= 0.1]
    assert any(coverage_p_value(r["failures_of_complexity_alone"], r["repeats"], r["delta"]) < ALARM
               for r in small)


def test_the_exact_failure_probability_is_at_most_delta_on_two_atoms():
    """All N + 1 counts with their probabilities; a third of the bound fails."""
    model, n = ListedClass(np.array([1, 1]), 4, np.array([[0, 4], [4, 0]])), 64
    for delta in DELTAS:
        shares = {}
        for scale in (1, 1 / 6):
            shares[scale] = sum(
                math.comb(n, k) / 2**n for k in range(n + 1)
                if scale * theorem_3(0.0, model.complexity(np.array([k, n - k])), n, delta)
                < model.gap_exact(np.array([k, n - k])))
        assert shares[1] <= delta
    assert shares[1 / 6] > delta


def test_cells_depend_on_nothing_but_themselves():
    from sims.theorem_3_cells import _sampled

    todo = cells("quick", 4)[::9]
    assert len({c["key"] for c in cells("full", 4)}) == len(cells("full", 4))
    forward = [compute(c) for c in todo]
    _sampled.cache_clear()
    backward = [compute(json.loads(json.dumps(c))) for c in reversed(todo)]
    assert forward == backward[::-1]
    assert json.loads(json.dumps(forward, allow_nan=False)) == forward
    assert [compute({**c, "seed": 5}) for c in todo] != forward


@pytest.mark.parametrize("call,words", [
    (lambda: listed(0).gap_exact([1, 2]), r"counts must be \(3,\) numbers >= 0"),
    (lambda: listed(0).gap_exact([0, 0, 0]), "not all 0"),
    (lambda: listed(0).complexity([1, -1, 0]), "numbers >= 0"),
    (lambda: listed(0).complexity([4000, 4000, 4000]), "at most"),
    (lambda: loss_class("some predictors", 3, 3, 0), "class must be"),
    (lambda: loss_class("0 predictors", 3, 3, 0), "class must be"),
    (lambda: loss_class("\u00b2 predictors", 3, 3, 0), "class must be"),
    (lambda: loss_class("\u0663 predictors", 3, 3, 0), "class must be"),
    (lambda: loss_class(FREE, 0, 3, 0), "height must be an integer of at least 1, got 0"),
])
def test_bad_input(call, words):
    with pytest.raises(ValueError, match=words):
        call()
