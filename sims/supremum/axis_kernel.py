"""The compiled pass over all axis-aligned rectangles, one matrix a lane.

For each pair of rows (a strip) the best run of columns is the largest difference of two prefix sums
of the strip (Kadane): ``7 H (H + 1) W / 2`` vector operations for as many matrices as a vector has
lanes, maximum and minimum together.  With limits on the sides the running minimum becomes the
minimum over a sliding window (van Herk, Gil and Werman: at most three operations a step whatever
the window).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from sims.supremum import lanes


@njit(nogil=True, cache=True)
def solve(weights, outside, limits, low, high, work, ends, codes, values, places):
    """Largest and smallest weights of matrices that fill up to ``len(weights)`` lanes.

    Args:
        weights: ``(B, n)`` with n = H W and B a multiple of the lanes; the dtype of the sums.
        outside: bool ``(H, W)``: positions no rectangle may hold; shape ``(0, 0)`` for none.
        limits: int64 ``(H + 1, 2)``: fewest and most columns for each number of rows, fewest
            greater than most where there is none.
        low, high: scalars below and above every sum.
        work: from :func:`work_size`; ``ends`` (2 lanes), ``codes`` (2 lanes, integers): scratch.
        values: ``(2, B)`` out; ``places``: int64 ``(2, B, 4)`` out, or ``(2, 0, 4)``.

    Returns:
        Whether any rectangle meets the limits.
    """
    height, width = len(limits) - 1, weights.shape[1] // (len(limits) - 1)
    count = lanes.width(weights)
    size = (height + 1) * (width + 1) * count
    prefix, rest = work[:size], work[size:]
    code_mask = np.int64(2) ** (8 * codes.itemsize) - 1 if codes.itemsize < 8 else np.int64(-1)
    free = True
    for h in range(1, height + 1):
        free = free and limits[h, 0] <= 1 and limits[h, 1] >= width
    plain = free and outside.size == 0
    for start in range(0, len(weights), count):
        pack(weights, start, height, width, prefix, rest)
        if plain:
            _all_strips(prefix, height, width, low, high, ends, codes)
        elif free:
            _zone_strips(prefix, height, width, outside, low, high, rest, ends, codes)
        elif not _limited_strips(prefix, height, width, outside, limits, low, high, rest, ends,
                                 codes):
            return False
        values[0, start:start + count] = ends[:count]
        values[1, start:start + count] = ends[count:]
        if places.shape[1]:
            for k in range(2):
                for lane in range(count):
                    code = codes[k * count + lane] & code_mask
                    _locate(prefix, height, width, lane, code, ends[k * count + lane],
                            outside, limits, plain, places[k, start + lane])
    return True


def work_size(height: int, width: int, count: int) -> int:
    """Elements of ``work``: prefix sums, and room for the transposition or for three rows."""
    return ((height + 1) * (width + 1) + max(height * width, 2 * (width + 1))) * count


@njit(nogil=True, cache=True)
def pack(weights, start, height, width, prefix, rest):
    """``prefix[t, c, lane]``: the weight of rows < t and columns < c of matrix ``start + lane``."""
    count = lanes.width(weights)
    n = height * width
    flat = weights.reshape(-1)
    whole = n // count * count
    for e in range(0, whole, count):
        lanes.transpose(flat, start * n + e, n, rest, e * count)
    for lane in range(count):
        for e in range(whole, n):
            rest[e * count + lane] = flat[(start + lane) * n + e]
    for c in range((width + 1) * count):
        prefix[c] = 0
    zero = lanes.load(prefix, 0)
    row = (width + 1) * count
    for i in range(height):
        total = zero
        lanes.store(prefix, (i + 1) * row, zero)
        for j in range(width):
            total = lanes.add(total, lanes.load(rest, (i * width + j) * count))
            above = lanes.load(prefix, i * row + (j + 1) * count)
            lanes.store(prefix, (i + 1) * row + (j + 1) * count, lanes.add(above, total))


@njit(nogil=True, cache=True, inline="always")
def _strip(prefix, above, below, column):
    """Prefix sum of a strip: the difference of two rows of prefix sums."""
    return lanes.sub(lanes.load(prefix, below + column), lanes.load(prefix, above + column))


@njit(nogil=True, cache=True, inline="always")
def _improve(most, least, strip, best, worst, where_best, where_worst):
    """The extremes so far and the strips they are from, with those of one more strip."""
    code = lanes.spread_integer(best, strip)
    where_best = lanes.pick(most, best, code, where_best)
    where_worst = lanes.pick(worst, least, code, where_worst)
    return lanes.maximum(most, best), lanes.minimum(least, worst), where_best, where_worst


@njit(nogil=True, cache=True, inline="always")
def _keep(best, worst, where_best, where_worst, ends, codes):
    count = lanes.width(ends)
    lanes.store(ends, 0, best)
    lanes.store(ends, count, worst)
    lanes.store(codes, 0, where_best)
    lanes.store(codes, count, where_worst)


@njit(nogil=True, cache=True)
def _all_strips(prefix, height, width, low, high, ends, codes):
    count = lanes.width(prefix)
    row = (width + 1) * count
    zero = lanes.load(prefix, 0)
    first, last = lanes.spread(zero, low), lanes.spread(zero, high)
    best, worst = first, last
    where_best = lanes.spread_integer(zero, -1)
    where_worst = where_best
    for top in range(height):
        above = top * row
        for bottom in range(top + 1, height + 1):
            below = bottom * row
            smallest, largest, most, least = zero, zero, first, last
            for c in range(count, row, count):
                p = _strip(prefix, above, below, c)
                most = lanes.maximum(most, lanes.sub(p, smallest))
                least = lanes.minimum(least, lanes.sub(p, largest))
                smallest = lanes.minimum(smallest, p)
                largest = lanes.maximum(largest, p)
            best, worst, where_best, where_worst = _improve(
                most, least, top * (height + 1) + bottom, best, worst, where_best, where_worst)
    _keep(best, worst, where_best, where_worst, ends, codes)


@njit(nogil=True, cache=True)
def _zone_strips(prefix, height, width, outside, low, high, rest, ends, codes):
    """As :func:`_all_strips`, without the columns that hold an outside position in the strip."""
    count = lanes.width(prefix)
    row = (width + 1) * count
    zero = lanes.load(prefix, 0)
    first, last = lanes.spread(zero, low), lanes.spread(zero, high)
    best, worst = first, last
    where_best = lanes.spread_integer(zero, -1)
    where_worst = where_best
    for top in range(height):
        above = top * row
        for c in range(width):
            lanes.store(rest, c * count, lanes.spread(zero, 1))  # 1: free, 0: not
        for bottom in range(top + 1, height + 1):
            for c in range(width):
                if outside[bottom - 1, c]:
                    lanes.store(rest, c * count, zero)
            below = bottom * row
            smallest, largest, most, least = zero, zero, first, last
            for c in range(width):
                free = lanes.load(rest, c * count)
                p = _strip(prefix, above, below, (c + 1) * count)
                most = lanes.pick(free, zero, lanes.maximum(most, lanes.sub(p, smallest)), most)
                least = lanes.pick(free, zero, lanes.minimum(least, lanes.sub(p, largest)), least)
                smallest = lanes.pick(free, zero, lanes.minimum(smallest, p), p)
                largest = lanes.pick(free, zero, lanes.maximum(largest, p), p)
            best, worst, where_best, where_worst = _improve(
                most, least, top * (height + 1) + bottom, best, worst, where_best, where_worst)
    _keep(best, worst, where_best, where_worst, ends, codes)


@njit(nogil=True, cache=True)
def _limited_strips(prefix, height, width, outside, limits, low, high, rest, ends, codes):
    count = lanes.width(prefix)
    row = (width + 1) * count
    zero = lanes.load(prefix, 0)
    best, worst = lanes.spread(zero, low), lanes.spread(zero, high)
    where_best = lanes.spread_integer(zero, -1)
    where_worst = where_best
    blocked = np.empty(width + 1, dtype=np.bool_)
    runs = np.empty((width + 1, 2), dtype=np.int64)  # columns free in all rows of the strip
    found = False
    for top in range(height):
        blocked[:width] = False
        blocked[width] = True
        runs[0] = 0, width
        number = 1
        for bottom in range(top + 1, height + 1):
            if outside.size and outside[bottom - 1].any():
                blocked[:width] |= outside[bottom - 1]
                number = _free_runs(blocked, runs)
            few, many = limits[bottom - top]
            if few > many:
                continue
            most, least = lanes.spread(zero, low), lanes.spread(zero, high)
            for k in range(number):
                left, length = runs[k, 0], runs[k, 1] - runs[k, 0]
                if length >= few:
                    found = True
                    most, least = _run(prefix, top * row + left * count, bottom * row + left * count,
                                       length, few, min(many, length), rest, most, least)
            best, worst, where_best, where_worst = _improve(
                most, least, top * (height + 1) + bottom, best, worst, where_best, where_worst)
    _keep(best, worst, where_best, where_worst, ends, codes)
    return found


@njit(nogil=True, cache=True)
def _free_runs(blocked, runs):
    """Write the runs of columns that are not blocked; the last entry of ``blocked`` is True."""
    number = left = 0
    for c in range(len(blocked)):
        if blocked[c]:
            if c > left:
                runs[number] = left, c
                number += 1
            left = c + 1
    return number


@njit(nogil=True, cache=True, inline="always")
def _run(prefix, above, below, length, few, many, rest, most, least):
    """The best ``few`` to ``many`` neighbouring columns among ``length`` of one strip."""
    count = lanes.width(prefix)
    smallest = _strip(prefix, above, below, 0)
    largest = smallest
    if many == length:  # no upper limit: a running minimum that lags ``few`` columns behind
        for c in range(few, length + 1):
            if c > few:
                q = _strip(prefix, above, below, (c - few) * count)
                smallest, largest = lanes.minimum(smallest, q), lanes.maximum(largest, q)
            p = _strip(prefix, above, below, c * count)
            most = lanes.maximum(most, lanes.sub(p, smallest))
            least = lanes.minimum(least, lanes.sub(p, largest))
        return most, least
    # Left ends 1, 2, ... in blocks as long as the window.  A window is the end of one block (the
    # extremes from its right end, in ``rest``) and the beginning of the next; column 0 alone counts
    # as the block before the first.
    window, last = many - few + 1, length - few
    p = _strip(prefix, above, below, few * count)
    most = lanes.maximum(most, lanes.sub(p, smallest))
    least = lanes.minimum(least, lanes.sub(p, largest))
    for j in range(1, min(window - 1, last) + 1):
        q = _strip(prefix, above, below, j * count)
        smallest, largest = lanes.minimum(smallest, q), lanes.maximum(largest, q)
        p = _strip(prefix, above, below, (j + few) * count)
        most = lanes.maximum(most, lanes.sub(p, smallest))
        least = lanes.minimum(least, lanes.sub(p, largest))
    for block in range(window, last + 1, window):
        smallest = _strip(prefix, above, below, (block - 1) * count)
        largest = smallest
        lanes.store(rest, 2 * (window - 1) * count, smallest)
        lanes.store(rest, (2 * window - 1) * count, largest)
        for j in range(window - 2, 0, -1):
            q = _strip(prefix, above, below, (block - window + j) * count)
            smallest, largest = lanes.minimum(smallest, q), lanes.maximum(largest, q)
            lanes.store(rest, 2 * j * count, smallest)
            lanes.store(rest, (2 * j + 1) * count, largest)
        smallest = _strip(prefix, above, below, block * count)
        largest = smallest
        for j in range(min(window, last + 1 - block)):
            q = _strip(prefix, above, below, (block + j) * count)
            smallest, largest = lanes.minimum(smallest, q), lanes.maximum(largest, q)
            floor, roof = smallest, largest
            if j < window - 1:
                floor = lanes.minimum(floor, lanes.load(rest, 2 * (j + 1) * count))
                roof = lanes.maximum(roof, lanes.load(rest, (2 * j + 3) * count))
            p = _strip(prefix, above, below, (block + j + few) * count)
            most = lanes.maximum(most, lanes.sub(p, floor))
            least = lanes.minimum(least, lanes.sub(p, roof))
    return most, least


@njit(nogil=True, cache=True)
def _locate(prefix, height, width, lane, code, value, outside, limits, plain, place):
    """The first rectangle of the strip ``code`` that attains ``value``: by right, then left end."""
    count = lanes.width(prefix)
    top, bottom = code // (height + 1), code % (height + 1)
    row = (width + 1) * count
    above, below = top * row + lane, bottom * row + lane
    few, many = limits[bottom - top]
    start = few
    if plain:  # skip the right ends at which no rectangle attains it
        smallest = prefix[0] - prefix[0]
        largest = smallest
        for right in range(1, width + 1):
            p = prefix[below + right * count] - prefix[above + right * count]
            if p - smallest == value or p - largest == value:
                start = right
                break
            smallest, largest = min(smallest, p), max(largest, p)
    for right in range(start, width + 1):
        p = prefix[below + right * count] - prefix[above + right * count]
        for left in range(max(0, right - many), right - few + 1):
            q = prefix[below + left * count] - prefix[above + left * count]
            if p - q == value and not _touches(outside, top, bottom, left, right):
                place[0], place[1], place[2], place[3] = top, bottom, left, right
                return


@njit(nogil=True, cache=True)
def _touches(outside, top, bottom, left, right):
    if outside.size:
        for i in range(top, bottom):
            for j in range(left, right):
                if outside[i, j]:
                    return True
    return False


@njit(nogil=True, cache=True)
def largest_part(weights):
    """The largest sum of positive, or of negative, parts of an integer matrix of ``(B, H, W)``.

    No sum over a rectangle is larger in absolute value.  Below 2**63.
    """
    largest = np.int64(0)
    for k in range(weights.shape[0]):
        total, absolute = np.int64(0), np.int64(0)
        for i in range(weights.shape[1]):
            for j in range(weights.shape[2]):
                w = np.int64(weights[k, i, j])
                total += w
                absolute += abs(w)
        largest = max(largest, (absolute + abs(total)) // 2)
    return largest
