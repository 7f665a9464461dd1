"""Claims of section 4.4 and App. G: what the head can follow."""

from __future__ import annotations

from typing import Any

import numpy as np

from theory.claims.model import Claim, Proof
from theory.claims.proofs import smt
from theory.heads import RECTANGLE_HEAD, Convolution, MaxPool


def head_weights(channels: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Random (weight, bias) of the head's convolutions and of its linear layer.

    The convolutions have 1/8 of App. G's channels: the argument holds at any width.
    """
    random, out = np.random.default_rng(seed), []
    for layer in RECTANGLE_HEAD:
        if isinstance(layer, Convolution):
            size = (layer.outputs // 8, channels, layer.kernel, layer.kernel)
            weight = random.standard_normal(size) / (3 * channels**0.5)
            out.append((weight, random.standard_normal(size[0])))
            channels = size[0]
    out.append((random.standard_normal((5, channels)), random.standard_normal(5)))
    return out


def head_output(x: np.ndarray, seed: int, *, padding: str) -> np.ndarray:
    """The five outputs of the head of App. G with :func:`head_weights` and ReLU, on ``(C, H, W)``.

    ``padding`` is NumPy's: "constant" (zeros, as in the paper) or "wrap" (circular).
    """
    weights = head_weights(len(x), seed)
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


def _shifts(padding: str) -> Any:
    from hypothesis import strategies as st

    side = 40 if padding == "constant" else 12
    steps = st.integers(-1, 1) if padding == "constant" else st.integers(0, 2)
    return st.fixed_dictionaries({
        "seed": st.integers(0, 999), "side": st.just(side),
        "shift": st.tuples(steps, steps).filter(any).map(lambda k: (4 * k[0], 4 * k[1]))})


def _object(i: dict[str, Any], *, everywhere: bool) -> np.ndarray:
    """Features (2, side, side): everywhere, or on 2 x 2 cells in the middle of a background of 0."""
    side, random = i["side"], np.random.default_rng(i["seed"])
    x = random.standard_normal((2, side, side))
    if not everywhere:
        keep = np.zeros_like(x)
        keep[:, side // 2 - 1:side // 2 + 1, side // 2 - 1:side // 2 + 1] = 1
        x = x * keep
    return x


def _movement(i: dict[str, Any], padding: str) -> np.ndarray:
    """How far the five outputs move when the features are shifted."""
    x = _object(i, everywhere=padding == "wrap")
    moved = np.roll(x, i["shift"], axis=(-2, -1))
    return (head_output(moved, i["seed"] + 1, padding=padding)
            - head_output(x, i["seed"] + 1, padding=padding))


def _follow_margin(i: dict[str, Any]) -> float:
    """How far the outputs move, less a millionth: negative iff they stay where they are."""
    return float(np.abs(_movement(i, "constant")).max()) - 1e-6


def _invariance_proof() -> Proof:
    import z3

    row = z3.DeclareSort("Row")
    x = z3.Function("x", z3.IntSort(), row)
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
    return smt(
        "Rows are indexed cyclically; a convolution is an unknown function of three neighbouring "
        "rows (any weights, bias and activation), a pooling one of rows 2m and 2m+1.  Features "
        "shifted by 4 rows give the third layer's rows shifted by 1.  With sides divisible by 4 "
        "that is a cyclic reordering, which the global average does not see; columns likewise.",
        output(lambda m: x(m - 4), j) == output(x, j - 1))


SEC_44_FOLLOW_AMENDED = Claim(
    id="sec-4.4-follow-amended",
    title="The head of App. G is invariant under shifts by 4 cells",
    source="section 4.4, App. G (amended)",
    statement=r"g(x(\cdot-4k))=g(x)\quad\text{for circular padding and sides divisible by 4}",
    words="Three convolutions of stride 1, two poolings by 2 and a global average forget where an "
          "object is.  Position can enter only through zero padding or through the trunk; a head "
          "that follows has to keep coordinates.",
    assumptions="circular padding, 4 | H, 4 | W, shifts by multiples of 4, any weights",
    kind="equality",
    instances=lambda: _shifts("wrap"),
    margin=lambda i: float(np.max(np.abs(_movement(i, "wrap")))),
    tolerance=1e-8,
    proof=_invariance_proof,
    origin="amended",
    code="theory.heads.RECTANGLE_HEAD",
    test="tests/heads/test_invariance.py",
)

SEC_44_FOLLOW = Claim(
    id="sec-4.4-follow",
    title="The head's output moves when the object does",
    source="section 4.4, App. G",
    statement=r"g(x(\cdot-k))\neq g(x)\quad\text{for an object moved by }k",
    words="To follow a translation the five outputs have to move at all.  With the paper's zero "
          "padding they do not when an object on an empty background is shifted by 4 cells: an "
          "instance is a set of weights, an object and a shift, and every one searched refutes.  "
          "That no weights can help is the amended claim's proof (for circular padding).",
    assumptions="zero padding, an object of 2 x 2 cells in the middle of 40 x 40, shifts by 4 cells",
    kind="inequality",
    instances=lambda: _shifts("constant"),
    margin=_follow_margin,
    exhaustive=lambda: [{"seed": 0, "side": 40, "shift": (4, 0)}],
    exhaustive_range="one set of weights, a shift by 4 of 40 rows",
    amendment=SEC_44_FOLLOW_AMENDED,
    origin="paper",
    code="theory.heads.RECTANGLE_HEAD",
    test="tests/heads/test_invariance.py",
    figure="Fig. 4",
)

CLAIMS: list[Claim] = [SEC_44_FOLLOW, SEC_44_FOLLOW_AMENDED]
