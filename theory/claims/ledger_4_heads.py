"""Claims of section 4.3 and App. G on the heads: sizes and cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from theory.claims.ledger_4_measured import latency
from theory.claims.model import Claim, Proof
from theory.claims.proofs import smt
from theory.heads import (
    PLACES,
    POSITION_WISE_HEAD,
    RECTANGLE_HEAD,
    MaxPool,
    multiply_adds,
    multiply_adds_formula,
    parameters,
)

_TESTS = "tests/heads/test_counts.py"


# --- section 4.3: reducing the grid --------------------------------------------------------------


def _sides(low: int) -> Any:
    from hypothesis import strategies as st

    side = st.integers(low, 64)
    return st.fixed_dictionaries({"height": side, "width": side})


def _left_after_pools(i: dict[str, int]) -> int:
    pools = sum(isinstance(layer, MaxPool) for layer in RECTANGLE_HEAD)
    return min(i["height"], i["width"]) // 2**pools


def _pools_proof() -> Proof:
    import z3

    h, w, a, b = z3.Ints("H W a b")
    halved = lambda n: (n / 2) / 2  # noqa: E731  (integer division, twice)
    return smt("Sides of at least 4 keep at least one cell after two halvings, and the number of "
               "cells falls at least 16-fold.",
               z3.Implies(z3.And(h >= 4, w >= 4), z3.And(halved(h) >= 1, halved(w) >= 1)),
               z3.Implies(h >= 4, 4 * halved(h) <= h),
               z3.Implies(z3.And(a >= 0, b >= 0, h >= 4 * a, w >= 4 * b), h * w >= 16 * a * b))


SEC_43_REDUCE_AMENDED = Claim(
    id="sec-4.3-reduce-amended",
    title="Two poolings on grids of at least 4 x 4",
    source="section 4.3, App. G (amended)",
    statement=r"H,W\ge4:\quad \lfloor H/4\rfloor,\lfloor W/4\rfloor\ge1,\quad "
              r"16\lfloor H/4\rfloor\lfloor W/4\rfloor\le HW",
    words="The head pools after its first two layers only; the third is followed by the global "
          "average.",
    assumptions="H, W >= 4",
    kind="inequality",
    instances=lambda: _sides(4),
    margin=lambda i: min(_left_after_pools(i) - 1, i["height"] * i["width"] - 16 * (
        i["height"] // 4) * (i["width"] // 4)),
    proof=_pools_proof,
    origin="amended",
    figure="head_costs", code="theory.heads.costs",
    test=f"{_TESTS}::test_sides_below_four_leave_nothing",
)

SEC_43_REDUCE = Claim(
    id="sec-4.3-reduce",
    title="The grid can always be reduced after each layer",
    source="section 4.3",
    statement=r"\lfloor\min(H,W)/4\rfloor\ge1",
    words="'Always' read as: on every grid.  With a side below 4 the head of App. G has nothing left "
          "after its two poolings.  ('After each layer' is not true of it either: it does not pool "
          "after its third.)  On the paper's 10 x 10 cells two poolings do fit.",
    assumptions="H, W >= 1",
    kind="inequality",
    instances=lambda: _sides(1),
    margin=lambda i: _left_after_pools(i) - 1,
    exhaustive=lambda: ({"height": n, "width": n} for n in range(8, 0, -1)),
    exhaustive_range="square grids from 8 x 8 down",
    amendment=SEC_43_REDUCE_AMENDED,
    origin="paper",
    figure="head_costs", code="theory.heads.costs",
    test=f"{_TESTS}::test_sides_below_four_leave_nothing",
)

SEC_43_TIME = Claim(
    id="sec-4.3-time",
    title="The module takes nearly no supplementary time at inference",
    source="section 4.3",
    statement=r"\text{time(with module)}/\text{time(without)}\approx1",
    words="To be measured on the machine in question: python -m training bench.",
    assumptions="the committed timings",
    kind="empirical",
    measure=latency("network", "none"),
    origin="paper",
    figure="table_speed", code="training",
    test="tests/heads/test_measured.py",
)


# --- App. G: counts ------------------------------------------------------------------------------


def _channels() -> Any:
    from hypothesis import strategies as st

    return st.fixed_dictionaries({"channels": st.integers(1, 4096)})


def _fewer_parameters(i: dict[str, int]) -> int:
    c = i["channels"]
    return parameters(POSITION_WISE_HEAD, c) - parameters(RECTANGLE_HEAD, c)


def _more_parameters_proof() -> Proof:
    import z3

    c = z3.Int("C")
    return smt("576 C + 370373 > 80 C + 116161 for C >= 1 (closed forms equal the layer counts at "
               "two values of C, and both are linear in C).",
               z3.Implies(c >= 1, 576 * c + 370_373 > 80 * c + 116_161),
               *[z3.BoolVal(parameters(head, n) == slope * n + constant)
                 for head, slope, constant in ((RECTANGLE_HEAD, 576, 370_373),
                                               (POSITION_WISE_HEAD, 80, 116_161))
                 for n in (1, 2, 320)])


APP_G_PARAMS_AMENDED = Claim(
    id="app-G-params-amended",
    title="The rectangle head always has more parameters",
    source="App. G (amended)",
    statement=r"576C+370373>80C+116161\ \text{for every } C\ge1",
    words="Its channels grow to 256, the position-wise head's stay at 80.",
    assumptions="the layers of App. G, with biases; C >= 1",
    kind="inequality",
    instances=_channels,
    margin=lambda i: -_fewer_parameters(i) - 1,
    proof=_more_parameters_proof,
    origin="amended",
    figure="head_costs", code="theory.heads.parameters",
    test=f"{_TESTS}::test_counts_against_torch_modules",
)

APP_G_PARAMS = Claim(
    id="app-G-params",
    title="The rectangle head has fewer parameters than the position-wise one",
    source="section 6, App. G",
    statement=r"576C+370373\le80C+116161",
    words="At the paper's places 554,693 against 141,761 (320 channels) and 923,333 against "
          "192,961 (960 channels).",
    assumptions="the layers of App. G, with biases; C >= 1",
    kind="inequality",
    instances=_channels,
    margin=_fewer_parameters,
    exhaustive=lambda: ({"channels": p.channels} for p in PLACES),
    exhaustive_range="the paper's two places (320 and 960 channels)",
    amendment=APP_G_PARAMS_AMENDED,
    origin="paper",
    figure="head_costs", code="theory.heads.parameters",
    test=f"{_TESTS}::test_counts_against_torch_modules",
)


def _places() -> Iterator[dict[str, int]]:
    for place in PLACES:
        yield {"channels": place.channels, "height": place.height, "width": place.width}


def _grids() -> Any:
    from hypothesis import strategies as st

    side = st.integers(4, 40)
    return st.fixed_dictionaries(
        {"channels": st.integers(1, 2048), "height": side, "width": side})


def _saved(i: dict[str, int], factor: int) -> int:
    size = i["channels"], i["height"], i["width"]
    return (multiply_adds_formula(POSITION_WISE_HEAD, *size)
            - factor * multiply_adds_formula(RECTANGLE_HEAD, *size))


def _thresholds(i: dict[str, int]) -> tuple[int, int] | None:
    if i["height"] == i["width"] == 10:
        return 172, 51
    if i["height"] % 4 == 0 and i["width"] % 4 == 0:
        return 159, 39
    return None


def _known_grids() -> Any:
    from hypothesis import strategies as st

    fours = st.integers(1, 14).map(lambda k: 4 * k)
    sides = st.one_of(st.just((10, 10)), st.tuples(fours, fours))
    return st.tuples(st.integers(1, 2048), sides).map(
        lambda c: {"channels": c[0], "height": c[1][0], "width": c[1][1]})


def _threshold_margin(i: dict[str, int]) -> int:
    fewer, half = _thresholds(i)
    return ((_saved(i, 1) > 0) != (i["channels"] <= fewer)) + (
        (_saved(i, 2) > 0) != (i["channels"] <= half))


def _threshold_proof() -> Proof:
    import z3

    c, n = z3.Ints("C n")
    at_ten = {f: (8_000 * c + 11_592_000) - f * (57_600 * c + 3_024_128) for f in (1, 2)}
    fours = {f: 16 * n * (80 * c + 115_920) - f * (
        16 * n * 576 * c + 4 * n * 73_728 + n * 294_912 + 1280) for f in (1, 2)}
    sizes = [(c0, side) for c0 in (1, 2, 320) for side in (4, 8, 10, 12)]
    counted = [z3.BoolVal(multiply_adds(head, c0, side, side) == multiply_adds_formula(
        head, c0, side, side)) for head in (RECTANGLE_HEAD, POSITION_WISE_HEAD)
        for c0, side in sizes]
    return smt(
        "The multiply-adds are linear in C.  At 10 x 10: 57600 C + 3024128 < 8000 C + 11592000 iff "
        "C <= 172, and twice as much iff C <= 51.  With sides 4a, 4b and n = ab the comparisons "
        "change between C = 159 and 160, and between 39 and 40, for every n >= 1.",
        z3.Implies(c >= 1, z3.And((at_ten[1] > 0) == (c <= 172), (at_ten[2] > 0) == (c <= 51))),
        z3.Implies(z3.And(n >= 1, c >= 1, c <= 159), fours[1] > 0),
        z3.Implies(z3.And(n >= 1, c >= 160), fours[1] < 0),
        z3.Implies(z3.And(n >= 1, c >= 1, c <= 39), fours[2] > 0),
        z3.Implies(z3.And(n >= 1, c >= 40), fours[2] < 0), *counted)


APP_G_MADDS_AMENDED = Claim(
    id="app-G-madds-amended",
    title="Up to which number of channels the rectangle head is cheaper",
    source="App. G (amended)",
    statement=r"10\times10:\ \text{fewer multiply-adds}\iff C\le172,\ \text{less than half}\iff "
              r"C\le51;\quad 4|H,\,4|W:\ C\le159,\ C\le39",
    words="The first layer of the rectangle head (3 x 3 on all C channels at full size) costs "
          "576 C a position against 80 C; its later layers are cheaper.",
    assumptions="the layers of App. G; one multiply-add for each product of a weight and an input",
    kind="equality",
    instances=_known_grids,
    margin=_threshold_margin,
    proof=_threshold_proof,
    origin="amended",
    figure="head_costs", code="theory.heads.threshold",
    test=f"{_TESTS}::test_thresholds_by_trying_every_channel_number",
)

APP_G_MADDS = Claim(
    id="app-G-madds",
    title="The rectangle head is approximately twice smaller than the position-wise one",
    source="App. G, Complexity",
    statement=r"2\cdot\text{madds}_{rect}(C,H,W)\lesssim\text{madds}_{pw}(C,H,W)",
    words="Read generously, as 'not larger' in multiply-adds.  At the paper's places it takes "
          "21.46 M against 14.15 M (320 channels) and 58.3 M against 19.3 M (960 channels).",
    assumptions="the layers of App. G; grids from 4 x 4",
    kind="inequality",
    instances=_grids,
    margin=lambda i: _saved(i, 1),
    exhaustive=_places,
    exhaustive_range="the paper's two places",
    amendment=APP_G_MADDS_AMENDED,
    origin="paper",
    figure="head_costs", code="theory.heads.multiply_adds",
    test=f"{_TESTS}::test_counts_against_torch_modules",
)

APP_G_TIME = Claim(
    id="app-G-time",
    title="The rectangle head runs faster than the position-wise one",
    source="section 4.3, App. G",
    statement=r"\text{time}_{rect}\le\text{time}_{pw}",
    words="To be measured: python -m training bench.",
    assumptions="the committed timings",
    kind="empirical",
    measure=latency("module", "positionwise"),
    origin="paper",
    figure="table_speed", code="training",
    test="tests/heads/test_measured.py",
)

CLAIMS: list[Claim] = [SEC_43_REDUCE, SEC_43_REDUCE_AMENDED, SEC_43_TIME, APP_G_PARAMS,
                       APP_G_PARAMS_AMENDED, APP_G_MADDS, APP_G_MADDS_AMENDED, APP_G_TIME]
