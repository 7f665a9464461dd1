"""Signed sums: enumeration with weights, drawn signs, exact products, streams."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import sims.rademacher_signs as module
from sims.family_names import RECTANGLES
from sims.rademacher import empirical_rademacher
from sims.rademacher_signs import SignedSpans, antithetic_pairs, random_signs
from sims.streams import stream
from theory.rademacher import sign_vectors


def spread(sums):
    """Largest less smallest of 0 and the entries, made even: even, 0 at 0, subadditive."""
    sums = np.concatenate([sums, -sums, 0 * sums], axis=1)
    return (sums.max(axis=1) - sums.min(axis=1)).astype(np.int64)


def mean_by_all_signs(vectors, groups):
    total = Fraction()
    for g in np.unique(groups):
        mine = vectors[groups == g]
        total += Fraction(int(spread(sign_vectors(len(mine)) @ mine).sum()), 2 ** len(mine))
    return total


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-2, 2), st.integers(-2, 2)),
                min_size=1, max_size=7))
def test_weighted_enumeration_against_all_signs(rows):
    """Repeated, opposite and zero vectors, in groups."""
    table = np.array(rows)
    groups = np.unique(table[:, 0], return_inverse=True)[1]
    sums = SignedSpans(table[:, 1:], groups, spread)
    assert sums.mean_exact(sums.multisets) == mean_by_all_signs(table[:, 1:], groups)


@pytest.mark.parametrize("entries,at_once", [(1, 1), (7, 3), (2**22, 2**16)])
def test_sizes_of_batches_change_nothing(monkeypatch, entries, at_once):
    rng = np.random.default_rng(0)
    vectors, groups = rng.integers(-3, 4, size=(14, 3)), np.repeat([0, 1, 2], [6, 6, 2])
    vectors[6:12] = vectors[5::-1]
    expected = mean_by_all_signs(vectors, groups)
    whole = SignedSpans(vectors, groups, spread).draw(np.arange(14), stream("a", 1), 50)
    monkeypatch.setattr(module, "_ENTRIES", entries)
    monkeypatch.setattr(module, "_SUMS", at_once)
    sums = SignedSpans(vectors, groups, spread)
    assert sums.mean_exact(sums.multisets) == expected
    assert np.array_equal(sums.draw(np.arange(14), stream("a", 1), 50), whole)
    assert sums.ranges.tolist() == spread(vectors).tolist()


def test_drawn_values_are_those_of_the_signs_of_the_stream():
    """Group by group in Python integers, members in the order of the samples."""
    rng = np.random.default_rng(1)
    vectors, groups = rng.integers(-3, 4, size=(9, 2)), np.array([1, 0, 2, 1, 0, 2, 1, 0, 2])
    members = np.flatnonzero(groups != 1)
    drawn = SignedSpans(vectors, groups, spread).draw(members, stream("b", 2), 30)
    signs = np.concatenate(list(random_signs(stream("b", 2), 30, len(members))))
    for s, value in zip(signs.astype(int), drawn, strict=True):
        parts = [sum(s[k] * vectors[i] for k, i in enumerate(members) if groups[i] == g)
                 for g in (0, 2)]
        assert value == sum(int(spread(part[None])[0]) for part in parts)


@pytest.mark.parametrize("size", [3, 2**21, 2**22 + 1, 2**47])
def test_products_are_exact_whatever_the_size(size):
    """Below and above 2^24, where float32 stops being exact."""
    vectors = np.array([[size, 1], [-size, size - 1], [size - 1, 1], [1, -size], [3, 5]] * 2)
    drawn = SignedSpans(vectors, np.zeros(10, int), spread).draw(np.arange(10), stream("c", 0), 99)
    signs = next(iter(random_signs(stream("c", 0), 99, 10))).astype(np.int64)
    assert drawn.tolist() == spread(signs @ vectors).tolist()


def test_sums_beyond_exact_floats_are_refused():
    sums = SignedSpans(np.full((4, 1), 2**51), np.zeros(4, int), spread)
    with pytest.raises(ValueError, match=f"exact below 2..53, got up to {2**53}"):
        sums.draw(np.arange(4), stream("d", 0), 3)


def test_costs_and_multisets():
    vectors = np.array([[1, 2], [-1, -2], [0, 0], [1, 2], [3, 0], [0, 0]])
    sums = SignedSpans(vectors, np.array([0, 0, 0, 0, 0, 1]), spread)
    (many, none) = sums.multisets
    assert sorted(k for _, k in many) == [1, 3] and none == ()
    assert antithetic_pairs(many) == 4 and antithetic_pairs(none) == 0
    assert antithetic_pairs(((0, 1),) * 5) == 16


def test_signs_are_fair_and_come_in_fixed_blocks(monkeypatch):
    """Chi-square at level 1e-4 over the 8 rows of 3 signs; a block is whole rows."""
    rows = np.concatenate(list(random_signs(stream("e", 0), 8000, 3)))
    assert rows.shape == (8000, 3) and set(np.unique(rows)) == {-1, 1}
    assert stats.chisquare(np.bincount((rows > 0) @ [1, 2, 4])).pvalue > 1e-4
    monkeypatch.setattr(module, "_SIGNS", 40)
    assert [len(b) for b in random_signs(stream("e", 0), 8, 12)] == [3, 3, 2]
    assert [len(b) for b in random_signs(stream("e", 0), 2, 99)] == [1, 1]


def test_the_stream_is_that_of_the_name_and_the_seed():
    rng = np.random.default_rng(6)
    targets = (2 * rng.integers(0, 2, size=(20, 4, 4)) - 1).astype(np.int8)

    def once(noise=0, **key):
        np.random.seed(noise)  # noqa: NPY002
        return empirical_rademacher(targets, RECTANGLES, predictors="constant", draws=50, **key)

    assert once(1, seed=3, name="x") == once(2, seed=3, name="x")
    values = {once(seed=seed, name=name).value for seed in (0, 1) for name in ("x", "y")}
    assert len(values) == 4
