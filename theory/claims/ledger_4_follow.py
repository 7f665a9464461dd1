"""Claims of section 4.4 and App. G: what the head can follow, and what only a border tells it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations, product
from typing import Any

import numpy as np

from theory.claims.model import Claim, Measurement, Proof
from theory.claims.proofs import smt
from theory.heads import (
    PLACES,
    RECTANGLE_HEAD,
    Convolution,
    MaxPool,
    cells_off_the_border,
    receptive_fields,
)

Weights = list[tuple[np.ndarray, np.ndarray]]

TEST = "tests/heads/test_invariance.py"
EXTENT = 2  # cells of the object along each side
SIDE, START = 38, 15  # 300 pixels at a stride of 8; a row whose object and its shift see no border
PAPER_SIDE = PLACES[0].height


def head_weights(channels: int, seed: int, *, integers: bool = False) -> Weights:
    """Random (weight, bias) of the head's convolutions and of its linear layer.

    The convolutions have 1/8 of App. G's channels: the argument holds at any width.  With
    ``integers`` they are integers from -2 to 2, for which the head's outputs are exact.
    """
    random, out = np.random.default_rng(seed), []

    def drawn(*size: int) -> np.ndarray:
        return (random.integers(-2, 3, size).astype(float) if integers
                else random.standard_normal(size))

    for layer in RECTANGLE_HEAD:
        if isinstance(layer, Convolution):
            weight = drawn(layer.outputs // 8, channels, layer.kernel, layer.kernel)
            out.append((weight if integers else weight / (3 * channels**0.5), drawn(len(weight))))
            channels = len(weight)
    out.append((drawn(5, channels), drawn(5)))
    return out


def head_output(x: np.ndarray, seed: int, *, padding: str) -> np.ndarray:
    """The five outputs of the head of App. G with :func:`head_weights` and ReLU, on ``(C, H, W)``.

    ``padding`` is NumPy's: "constant" (zeros, as in the paper) or "wrap" (circular).
    """
    return apply_head(x, head_weights(len(x), seed), padding=padding)


def apply_head(x: np.ndarray, weights: Weights, *, padding: str) -> np.ndarray:
    """The five outputs of the head of App. G with these weights and ReLU, on ``(C, H, W)``."""
    layers = iter(weights[:-1])
    for layer in RECTANGLE_HEAD:
        if isinstance(layer, Convolution):
            weight, bias = next(layers)
            p = layer.padding
            padded = np.pad(x, ((0, 0), (p, p), (p, p)), mode=padding)
            windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
            x = np.tensordot(weight, windows, axes=((1, 2, 3), (0, 3, 4)))
            x = np.maximum(x + bias[:, None, None], 0)
        elif isinstance(layer, MaxPool):
            k = layer.kernel
            h, w = x.shape[1] // k, x.shape[2] // k
            x = x[:, :h * k, :w * k].reshape(len(x), h, k, w, k).max(axis=(2, 4))
    weight, bias = weights[-1]
    return weight @ x.mean(axis=(1, 2)) + bias


# --- where no border is seen


def rows_off_the_border(side: int) -> tuple[int, ...]:
    """Rows at which an object may begin so that no cell that sees it sees a border.

    >>> rows_off_the_border(10), rows_off_the_border(35), rows_off_the_border(SIDE)
    ((), (15, 16, 17, 18, 19), (15, 16, 17, 18, 19))
    """
    field = receptive_fields(RECTANGLE_HEAD)[-1]
    free = set(cells_off_the_border(RECTANGLE_HEAD, side))

    def seers(row: int) -> set[int]:
        """All cells, also beyond the grid, that see one of the object's rows."""
        first = -(-(row - field.first - field.size + 1) // field.step)
        return set(range(first, (row + EXTENT - 1 - field.first) // field.step + 1))

    return tuple(row for row in range(side - EXTENT + 1) if seers(row) <= free)


def features(i: dict[str, Any]) -> np.ndarray:
    """Features (2, side, side): random everywhere, or on 2 x 2 cells from ``at``, 0 elsewhere."""
    side, random = i["side"], np.random.default_rng(i["seed"])
    if "at" not in i:
        return random.standard_normal((2, side, side))
    x, (row, column) = np.zeros((2, side, side)), i["at"]
    x[:, row:row + EXTENT, column:column + EXTENT] = random.standard_normal((2, EXTENT, EXTENT))
    return x


def movement(i: dict[str, Any]) -> float:
    """How far the five outputs move, at most, when the features are shifted."""
    x = features(i)
    moved = np.roll(x, i["shift"], axis=(-2, -1))
    still, after = (head_output(z, i["seed"] + 1, padding=i["padding"]) for z in (x, moved))
    return float(np.abs(after - still).max())


def _steps() -> Any:
    from hypothesis import strategies as st

    return st.tuples(st.integers(0, 1), st.integers(0, 1)).filter(any).map(
        lambda k: (4 * k[0], 4 * k[1]))


def _shifted_off_the_border() -> Any:
    """Circular padding with features everywhere; or zero padding and an object off the borders."""
    from hypothesis import strategies as st

    def at(side: int) -> Any:
        rows = [r for r in rows_off_the_border(side) if r + 4 in rows_off_the_border(side)]
        return st.fixed_dictionaries({
            "padding": st.just("constant"), "seed": st.integers(0, 999), "side": st.just(side),
            "at": st.tuples(st.sampled_from(rows), st.sampled_from(rows)), "shift": _steps()})

    wrap = st.fixed_dictionaries({"padding": st.just("wrap"), "seed": st.integers(0, 999),
                                  "side": st.sampled_from((4, 8, 12)), "shift": _steps()})
    return st.one_of(wrap, *(at(side) for side in (35, SIDE, 42)))


def _on_a_finer_grid() -> Any:
    from hypothesis import strategies as st

    return st.fixed_dictionaries({
        "padding": st.just("constant"), "seed": st.integers(0, 999), "side": st.just(SIDE),
        "at": st.just((START, START)), "shift": _steps()})


def _invariance_proof() -> Proof:
    import z3

    row, field = z3.DeclareSort("Row"), receptive_fields(RECTANGLE_HEAD)[-1]
    x, y = (z3.Function(name, z3.IntSort(), row) for name in "xy")
    convolve = [z3.Function(f"conv{k}", row, row, row, row) for k in range(3)]
    pool = [z3.Function(f"pool{k}", row, row, row) for k in range(2)]

    def output(source: Any, j: Any) -> Any:
        """Row j of the third convolution's output, from rows of the features."""
        def layer(k: int, i: Any) -> Any:
            below = source if k == 0 else (
                lambda m: pool[k - 1](layer(k - 1, 2 * m), layer(k - 1, 2 * m + 1)))
            return convolve[k](below(i - 1), below(i), below(i + 1))
        return layer(2, j)

    j = z3.Int("j")
    seen = [field.step * j + field.first + k for k in range(field.size)]
    return smt(
        "A convolution is an unknown function of three neighbouring rows (any weights, bias and "
        "activation), a pooling one of rows 2m and 2m+1.  Features shifted by 4 rows give the third "
        "layer's rows shifted by 1 (lemma 1); its row j depends on the 18 rows from 4j - 7 on "
        "(lemma 2).  Circular padding, sides divisible by 4: a cyclic reordering, which the global "
        "average does not see.  Zero padding: cells that do not see the object give what they give "
        "for the background alone; those that do see no border, so they move by one cell, and "
        "among cells off the border the background's value is everywhere the same.  Columns likewise.",
        output(lambda m: x(m - 4), j) == output(x, j - 1),
        z3.Implies(z3.And(*[x(m) == y(m) for m in seen]), output(x, j) == output(y, j)))


SEC_44_FOLLOW_AMENDED = Claim(
    id="sec-4.4-follow-amended",
    title="Where it sees no border the head of App. G is invariant under shifts by 4 cells",
    source="section 4.4, App. G (amended)",
    statement=r"g(x(\cdot-4k))=g(x)\quad\text{where no cell that sees the object sees a border}",
    words="Three convolutions of stride 1, two poolings by 2 and a global average forget where an "
          "object is.  A cell of the last convolution sees 18 rows (3, 4, 8, 10, 18 layer by layer): "
          "from 35 rows on an object of 2 x 2 cells can be shifted by 4 unnoticed.  On sides up to 18, "
          "the paper's 10 among them, every cell sees a border, and only the borders tell the head "
          "where the object is (sec-4.4-follow-border), unless the trunk does.  A head that follows "
          "on every grid has to keep coordinates.",
    assumptions="circular padding, 4 | H, 4 | W; or zero padding and an object on an empty background "
                "which, before and after the shift, only cells see that see no border; shifts by "
                "multiples of 4; any weights",
    kind="equality",
    instances=_shifted_off_the_border,
    margin=movement,
    tolerance=1e-8,
    proof=_invariance_proof,
    origin="amended",
    code="theory.heads.cells_off_the_border",
    test=TEST,
)

SEC_44_FOLLOW = Claim(
    id="sec-4.4-follow",
    title="On every grid the head's output moves when the object does",
    source="section 4.4, App. G",
    statement=r"\forall H,W:\ g(x(\cdot-k))\neq g(x)\quad\text{for an object moved by }k",
    words="Read for every H x W, as section 4.2 states the module ('any convolutional layer', 6.3): to "
          "follow a translation the five outputs have to move at all.  On 38 x 38 cells (300 pixels at "
          "a stride of 8) they do not when an object on an empty background, away from the borders, is "
          "shifted by 4 cells, for any weights (the amended claim's proof).  This says nothing of the "
          "grids of the paper's two places, 10 x 10: there every cell sees the zero padding, and the "
          "output does move (sec-4.4-follow-border).",
    assumptions="any grid; searched: zero padding, an object of 2 x 2 cells on 38 x 38, shifts by 4",
    kind="inequality",
    instances=_on_a_finer_grid,
    margin=lambda i: movement(i) - 1e-6,
    exhaustive=lambda: [{"padding": "constant", "seed": 0, "side": SIDE, "at": (START, START),
                         "shift": (4, 0)}],
    exhaustive_range="one set of weights, a shift by 4 of 38 rows",
    amendment=SEC_44_FOLLOW_AMENDED,
    origin="paper",
    code="theory.heads.RECTANGLE_HEAD",
    test=TEST,
    figure="Fig. 4",
)


# --- the paper's grid: the zero padding tells where the object is


@cache
def border_output(row: int, column: int) -> tuple[float, ...]:
    """The five outputs, exact, for an object of ones at this place of the paper's grid."""
    x = np.zeros((2, PAPER_SIDE, PAPER_SIDE))
    x[:, row:row + EXTENT, column:column + EXTENT] = 1
    return tuple(apply_head(x, head_weights(2, 0, integers=True), padding="constant").tolist())


def _two_places() -> Iterator[dict[str, Any]]:
    places = product(range(PAPER_SIDE - EXTENT + 1), repeat=2)
    yield from ({"at": a, "other": b} for a, b in combinations(places, 2))


def _told_apart(i: dict[str, Any]) -> int:
    """How many of the five outputs differ between two places, less one."""
    pairs = zip(border_output(*i["at"]), border_output(*i["other"]), strict=True)
    return sum(a != b for a, b in pairs) - 1


def _movement_on_the_papers_grid() -> Measurement:
    """A shift by 4 against the object's own effect on the outputs, for random weights."""
    shares = []
    for seed in range(20):
        i = {"padding": "constant", "seed": seed, "side": PAPER_SIDE, "at": (2, 2), "shift": (4, 4)}
        x = features(i)
        with_object, empty = (head_output(z, seed + 1, padding="constant") for z in (x, 0 * x))
        shares.append(movement(i) / float(np.abs(with_object - empty).max()))
    numbers = {"least": min(shares), "median": float(np.median(shares)), "most": max(shares),
               "n": len(shares)}
    return Measurement(numbers, (
        f"random weights, zero padding, {PAPER_SIDE} x {PAPER_SIDE}: a shift by 4 rows and columns "
        f"moves the outputs by {numbers['least']:.2f} to {numbers['most']:.2f} (median "
        f"{numbers['median']:.2f}) of what the object changes in them; n = {len(shares)} sets of "
        "weights and objects"))


SEC_44_FOLLOW_BORDER = Claim(
    id="sec-4.4-follow-border",
    title="On the paper's 10 x 10 cells the borders tell the head where the object is",
    source="beyond the paper (section 4.4, App. G)",
    statement=r"\exists g\ \forall p\neq p':\ g(x_p)\neq g(x_{p'})\quad"
              r"\text{on }10\times 10\text{ cells}",
    words="An existence statement with its instance: for one set of integer weights the outputs "
          "differ for any two of the 81 places of a 2 x 2 object, in exact arithmetic.  So the "
          "invariance away from borders does not forbid the paper's head to follow an object there; "
          "how well it does is for training to show (sec-6.4).",
    assumptions="zero padding, ReLU, 1/8 of App. G's channels (more channels can do what fewer do), "
                "2 x 2 cells of ones on an empty background",
    kind="inequality",
    margin=_told_apart,
    exhaustive=_two_places,
    exhaustive_range="all pairs of places of the object, one set of integer weights",
    whole_domain=True,
    measure=_movement_on_the_papers_grid,
    origin="beyond",
    code="theory.heads.cells_off_the_border",
    test=TEST,
    figure="Fig. 4",
)

CLAIMS: list[Claim] = [SEC_44_FOLLOW, SEC_44_FOLLOW_AMENDED, SEC_44_FOLLOW_BORDER]
