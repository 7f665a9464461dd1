"""Hypothesis strategies for masks, soft maps, rectangles, simplices and mixtures.

Numbers are drawn as bounded floats or integers and then mapped, so that the search of
:mod:`theory.claims` can move them a little at a time.  Strategies of families are
``family.strategy()``.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

from theory.families.bits import masks_of_ints
from theory.rectangle import Rectangle


def unit(*, exact: bool = False) -> st.SearchStrategy[Any]:
    """Numbers in [0, 1]: floats, or Fractions with denominator at most 60."""
    if exact:
        return st.integers(1, 60).flatmap(
            lambda d: st.integers(0, d).map(lambda n: Fraction(n, d)))
    return st.floats(0.0, 1.0, allow_subnormal=False)


def masks(height: int, width: int, *, empty: bool = True) -> st.SearchStrategy[np.ndarray]:
    """All masks of a grid as int8 arrays; with ``empty=False`` none without +1."""
    n = height * width
    return st.integers(0 if empty else 1, 2**n - 1).map(lambda k: mask_of_bits(k, height, width))


def mask_of_bits(bits: int, height: int, width: int) -> np.ndarray:
    """The mask whose p-th position, row by row, is +1 iff bit p is set."""
    return masks_of_ints([bits], height, width)[0]


def members(family: Any) -> st.SearchStrategy[np.ndarray]:
    """Members of a family (:mod:`theory.families`): ``family.strategy()`` under one name."""
    return family.strategy()


def families(max_side: int = 4) -> st.SearchStrategy[Any]:
    """Families of every kind on grids of up to ``max_side``, some with limits on the area."""
    from theory.families import AllMasks, FiniteFamily, Rectangles, RotatedRectangles

    def on(grid: tuple[int, int]) -> st.SearchStrategy[Any]:
        area = st.one_of(st.none(), st.integers(1, grid[0] * grid[1]))
        empty = st.booleans()
        return st.one_of(
            st.builds(AllMasks, *map(st.just, grid), empty=empty),
            st.builds(Rectangles, *map(st.just, grid), max_area=area, empty=empty),
            st.builds(RotatedRectangles, *map(st.just, grid), max_area=area, empty=empty),
            st.lists(masks(*grid, empty=False), min_size=1, max_size=6).map(FiniteFamily))

    return grids(max_side).flatmap(on)


def grids(max_side: int = 4, min_side: int = 1) -> st.SearchStrategy[tuple[int, int]]:
    """Grid sizes (H, W)."""
    side = st.integers(min_side, max_side)
    return st.tuples(side, side)


def mask_pairs(max_side: int = 4, *, empty: bool = True) -> st.SearchStrategy[dict[str, Any]]:
    """``{"a": mask, "b": mask}`` on one grid of up to ``max_side`` rows and columns."""
    return grids(max_side).flatmap(
        lambda hw: st.fixed_dictionaries(
            {"a": masks(*hw, empty=empty), "b": masks(*hw, empty=empty)}))


def soft_maps(height: int, width: int, low: float = -1.0) -> st.SearchStrategy[np.ndarray]:
    """Soft maps with values in [low, 1], float64."""
    value = st.floats(low, 1.0, allow_subnormal=False)
    n = height * width
    return st.lists(value, min_size=n, max_size=n).map(
        lambda v: np.asarray(v, dtype=np.float64).reshape(height, width))


def simplex(k: int, *, exact: bool = False, positive: bool = False) -> st.SearchStrategy[Any]:
    """Probability vectors of k atoms; ``exact`` gives object arrays of Fractions.

    ``positive`` keeps every atom above 0.
    """
    if exact:
        weight = st.integers(1 if positive else 0, 60)
        return (st.lists(weight, min_size=k, max_size=k).filter(any).map(
            lambda w: np.array([Fraction(x, sum(w)) for x in w], dtype=object)))
    weight = st.floats(1e-3 if positive else 0.0, 1.0, allow_subnormal=False)
    return (st.lists(weight, min_size=k, max_size=k).filter(lambda w: sum(w) > 1e-6).map(
        lambda w: np.asarray(w) / math.fsum(w)))


def fitting_values(k: int, *, exact: bool = False) -> st.SearchStrategy[Any]:
    """k values of lambda in [0, 1]."""
    dtype = object if exact else np.float64
    return st.lists(unit(exact=exact), min_size=k, max_size=k).map(
        lambda v: np.array(v, dtype=dtype))


def mixtures(atoms: int, *, exact: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    """Instances of the contamination model on finitely many atoms [Eqs. 18-19].

    ``{"pure": p_y, "other": p_y', "background": p_bg, "fitting": lambda}``, each ``(atoms,)``.
    lambda may be 1 everywhere the background lives, where Eq. 18 is 0/0.
    """
    return st.fixed_dictionaries({
        "pure": simplex(atoms, exact=exact),
        "other": simplex(atoms, exact=exact),
        "background": simplex(atoms, exact=exact),
        "fitting": fitting_values(atoms, exact=exact),
    })


def rectangles(min_half: float = 0.02, max_half: float = 1.0) -> st.SearchStrategy[Rectangle]:
    """Rectangles with centres in the unit square, half-widths in a range, any angle."""
    return rectangle_parameters(min_half, max_half).map(Rectangle.from_array)


def rectangle_parameters(
    min_half: float = 0.02, max_half: float = 1.0
) -> st.SearchStrategy[np.ndarray]:
    """The five numbers of :func:`rectangles`."""
    place = st.floats(0.0, 1.0, allow_subnormal=False)
    half = st.floats(min_half, max_half)
    angle = st.floats(-math.pi, math.pi, allow_subnormal=False)
    return st.tuples(place, place, half, half, angle).map(np.array)


def similarities() -> st.SearchStrategy[dict[str, Any]]:
    """``{"angle", "scale", "shift"}`` of a similarity of section 4.4."""
    return st.fixed_dictionaries({
        "angle": st.floats(-math.pi, math.pi, allow_subnormal=False),
        "scale": st.floats(0.2, 4.0),
        "shift": st.tuples(st.floats(-1, 1, allow_subnormal=False),
                           st.floats(-1, 1, allow_subnormal=False)).map(np.array),
    })
