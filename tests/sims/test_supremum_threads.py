"""Threads, chunks, the place in a batch and memory: none of them may show in the results."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sims.streams import stream
from sims.supremum import axis_aligned, max_weight_rectangle, max_weight_rotated_rectangle, rotated
from sims.supremum.threads import VARIABLE, in_threads, split, thread_count
from tests.sims.test_supremum_routes import draw

NAMES = ("maximum", "minimum", "argmax", "argmin")
SOLVERS = [max_weight_rectangle, max_weight_rotated_rectangle]
IDS = {"ids": lambda f: f.__name__}


def identical(found, other, index=slice(None)):
    """The same bits in every part, at an index of the batch."""
    return all(getattr(found, name)[index].tobytes() == np.ascontiguousarray(getattr(other, name)).tobytes()
               for name in NAMES)


def batch(name, shape, dtype):
    if np.dtype(dtype).kind == "f":
        return stream(f"supremum tests/{name}", 0).normal(size=shape).astype(dtype)
    return draw(name, shape, -2, 2, dtype=dtype)


@pytest.mark.parametrize("dtype", [np.int16, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("limits", [{}, {"max_area": 90}], ids=str)
def test_axis_aligned_results_do_not_depend_on_threads(dtype, limits):
    w = batch("axis threads", (700, 20, 20), dtype)  # enough work to be shared out
    one = max_weight_rectangle(w, threads=1, **limits)
    for threads in (2, 3, 7):
        assert identical(one, max_weight_rectangle(w, threads=threads, **limits))


@pytest.mark.parametrize("dtype", [np.int16, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("count", [1, 33, 70, 300])
def test_rotated_results_do_not_depend_on_threads(dtype, count):
    """From one field (its directions are shared out) to several chunks (the fields are)."""
    w = batch("rotated threads", (count, 4, 5), dtype)
    one = max_weight_rotated_rectangle(w, threads=1)
    for threads in (2, 3, 7, 40):
        assert identical(one, max_weight_rotated_rectangle(w, threads=threads))


@pytest.mark.parametrize("limits", [{}, {"max_area": 12}, {"zone": (1, 6, 0, 5)}], ids=str)
def test_axis_aligned_chunks_do_not_matter(limits, monkeypatch):
    for dtype in (np.int8, np.float64):
        w = batch("chunks", (3, 50, 6, 5), dtype)
        whole = max_weight_rectangle(w, **limits)
        with monkeypatch.context() as patch:
            for size in (1, 5000, 10**7):
                patch.setattr(axis_aligned, "CHUNK_BYTES", size)
                assert identical(whole, max_weight_rectangle(w, **limits))
                bare = max_weight_rectangle(w, witnesses=False, **limits)
                assert np.array_equal(bare.maximum, whole.maximum)


def test_rotated_groups_do_not_matter(monkeypatch):
    w = batch("groups", (300, 4, 4), np.int64)
    whole = max_weight_rotated_rectangle(w)
    for groups in (1, 3, 100):
        monkeypatch.setattr(rotated, "GROUPS", groups)
        assert identical(whole, max_weight_rotated_rectangle(w, threads=2))


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
@pytest.mark.parametrize("solver", SOLVERS, **IDS)
def test_a_field_alone_and_in_any_place_of_a_batch(solver, dtype):
    w = batch("places", (71, 5, 4), dtype)
    whole = solver(w)
    for k in (0, 1, 15, 31, 32, 63, 64, 70):
        assert identical(whole, solver(w[k]), k)
    order = stream("supremum tests/order", 0).permutation(71)
    assert identical(whole, solver(w[order]), order)


@pytest.mark.parametrize("solver", SOLVERS, **IDS)
def test_a_large_field_beside_others_changes_the_dtype_of_sums_and_nothing_else(solver):
    w = batch("beside", (40, 4, 5), np.int64)
    alone = solver(w)
    for large in (10**4, 10**9, 10**17):
        both = solver(np.concatenate([w, np.full((1, 4, 5), large)]))
        assert identical(both, alone, slice(0, 40))
        assert both.maximum[-1] == 20 * large


@pytest.mark.parametrize("solver", SOLVERS, **IDS)
def test_calls_from_several_threads_at_once(solver):
    fields = [batch("at once", (40, 5, 3 + k), np.int64) for k in range(6)]
    expected = [solver(w, threads=1) for w in fields]
    with ThreadPoolExecutor(6) as pool:
        for found, other in zip(expected, pool.map(lambda w: solver(w, threads=2), fields), strict=True):
            assert identical(found, other)


def peak_beside_output(solver, w, **keywords):
    """Most bytes allocated at a time during a call, without its results."""
    solver(w[:1], **keywords)
    tracemalloc.start()
    try:
        found = solver(w, **keywords)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return peak - sum(getattr(found, k).nbytes for k in NAMES if getattr(found, k) is not None)


BIG = {
    "int8": lambda: draw("memory", (40_000, 14, 14), dtype=np.int8),
    "int64": lambda: draw("memory", (20_000, 14, 14)),
    "int64 with large sums": lambda: draw("memory", (20_000, 14, 14)) * 10**9,
    "float32": lambda: draw("memory", (30_000, 14, 14), dtype=np.float32),
    "float64": lambda: draw("memory", (20_000, 14, 14), dtype=np.float64),
    "tall": lambda: draw("memory", (20_000, 28, 7)),
    "view": lambda: draw("memory", (20_000, 28, 14))[:, ::2],
    "one position": lambda: draw("memory", (300_000, 1, 1), dtype=np.int8),
    "long": lambda: draw("memory", (40, 3, 5000)),
}
"""Batches many times as large as the working memory."""


@pytest.mark.parametrize("kind", BIG)
@pytest.mark.parametrize("keywords", [{"threads": 1}, {"threads": 2}, {"threads": 1, "witnesses": False},
                                      {"threads": 1, "zone": "inner"}], ids=str)
def test_axis_aligned_memory_is_as_stated(kind, keywords):
    w = BIG[kind]()
    height, width = w.shape[1:]
    if "zone" in keywords:
        keywords = keywords | {"zone": (0, max(1, height - 1), 0, max(1, width - 1))}
    stated = keywords["threads"] * axis_aligned.working_bytes(height, width)
    assert peak_beside_output(max_weight_rectangle, w, **keywords) < stated + 2**16


@pytest.mark.parametrize("dtype", ["int16", "float32"])
@pytest.mark.parametrize("keywords", [{"threads": 1}, {"threads": 2}, {"threads": 1, "witnesses": False}], ids=str)
def test_rotated_memory_is_as_stated(dtype, keywords):
    """The working memory and, for the state, eight numbers of the dtype of the sums a field."""
    w = draw("rotated memory", (100_000, 2, 3), dtype=dtype)
    stated = keywords["threads"] * rotated.working_bytes(2, 3) + 8 * np.dtype(dtype).itemsize * len(w)
    assert peak_beside_output(max_weight_rotated_rectangle, w, **keywords) < stated + 2**16


@pytest.mark.parametrize("total,multiple,threads", [(1, 32, 5), (70, 32, 2), (70, 32, 3), (320, 32, 7), (5, 1, 5), (33, 32, 1)])
def test_parts_cover_the_batch_in_whole_vectors(total, multiple, threads):
    parts = split(total, multiple, threads)
    assert [k for part in parts for k in part] == list(range(total))
    assert len(parts) == min(threads, -(-total // multiple)) and all(len(part) for part in parts)
    assert all(len(part) % multiple == 0 for part in parts[:-1])


def test_in_threads_keeps_the_order_and_passes_errors_on():
    assert in_threads(lambda k: k * k, [3, 1, 2]) == [9, 1, 4]
    assert in_threads(lambda k: k + 1, [4]) == [5]
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda k: 1 // k, [1, 0, 2])


def test_the_number_of_threads(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert thread_count() >= 1 and thread_count(3) == 3 and thread_count(np.int64(2)) == 2
    for given, number in (("5", 5), (" 2 ", 2)):
        monkeypatch.setenv(VARIABLE, given)
        assert thread_count() == number and thread_count(1) == 1
    monkeypatch.setenv(VARIABLE, "")
    assert thread_count() >= 1
    for bad in ("0", "-1", "two", "1.5"):
        monkeypatch.setenv(VARIABLE, bad)
        with pytest.raises(ValueError, match=f"{VARIABLE} must be an integer of at least 1, got '{bad}'"):
            thread_count()


@pytest.mark.parametrize("bad", [0, -1, 1.5, "two", [1]], ids=str)
@pytest.mark.parametrize("solver", SOLVERS, **IDS)
def test_bad_numbers_of_threads_are_refused_whatever_the_size(solver, bad):
    import re

    with pytest.raises(ValueError, match=re.escape(f"threads must be an integer of at least 1, got {bad!r}")):
        solver(np.ones((2, 2)), threads=bad)
    with pytest.raises(ValueError, match="threads must be an integer of at least 1"):
        solver(np.ones((2, 2)), threads=bad, max_area=2)
